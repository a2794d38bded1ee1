//! String commands on one key: SET and its family, GET and its family, counters, ranges.
//!
//! A command reads its options, looks the key up, checks its condition, stores, and then records
//! what follows: the change, the events, the form for files and replicas. An option that is wrong
//! is an error before the key is changed.
//!
//! What must hold:
//!
//! - A command counts as one access of its key. `DbMut::set` looks the key up by itself; a command
//!   that has looked already stores with `set_touched`.
//! - Files and replicas get commands that mean the same whenever they run: dates instead of
//!   durations, the sum instead of a floating-point increment, SET instead of a condition that
//!   held.
//! - Those in `KEEPERS` may be handed their large argument itself (`engine::lend`). They store it
//!   once, unchanged, at one key.

use crate::commands::arg::{self, ExpireArg, Options, When};
use crate::commands::{CmdResult, Ctx, DataRow, Flow};
use crate::keyspace::effects::{EV_GENERIC, EV_STRING, Effects, Why};
use crate::keyspace::entry::Entry;
use crate::keyspace::store::{EntryMut, Expire, IncrError, SetValue};
use crate::resp::errors::{self, CmdError};
use crate::resp::reply::Reply;
use crate::util::longdouble::LongDouble;
use crate::util::num;
use crate::value::string::StrBuf;
use crate::value::{Value, ValueRef};

pub(crate) const COMMANDS: &[DataRow] = &[
    ("set", set),
    ("setnx", setnx),
    ("setex", setex),
    ("psetex", psetex),
    ("get", get),
    ("getex", getex),
    ("getdel", getdel),
    ("getset", getset),
    ("delifeq", delifeq),
    ("append", append),
    ("strlen", strlen),
    ("setrange", setrange),
    ("getrange", getrange),
    ("substr", getrange),
    ("incr", incr),
    ("decr", decr),
    ("incrby", incrby),
    ("decrby", decrby),
    ("incrbyfloat", incrbyfloat),
];

/// Commands that store one of their arguments as it is, once, at one key: a large one need not be
/// copied.
pub(crate) const KEEPERS: &[&str] = &["set", "setnx", "setex", "psetex", "getset", "append"];

/// Writes a string value, whatever form it is held in.
#[inline]
pub(crate) fn reply_value(reply: &mut Reply, entry: &Entry) {
    match entry.value() {
        ValueRef::Int(n) => reply.bulk_int(n),
        ValueRef::Str(bytes) => reply.bulk(bytes),
        ValueRef::Object(_) => reply.null(),
    }
}

/// The bytes of a string value; an integer is written into `scratch`.
pub(crate) fn value_bytes<'s>(entry: &'s Entry, scratch: &'s mut [u8; 20]) -> &'s [u8] {
    match entry.value() {
        ValueRef::Int(n) => {
            let len = num::format_i64(scratch, n);
            &scratch[..len]
        }
        ValueRef::Str(bytes) => bytes,
        ValueRef::Object(_) => &[],
    }
}

fn value_len(entry: &Entry) -> usize {
    value_bytes(entry, &mut [0; 20]).len()
}

/// Under which condition SET writes.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Only<'a> {
    #[default]
    Always,
    Absent,
    Present,
    Equal(&'a [u8]),
}

#[derive(Default)]
struct SetOptions<'a> {
    only: Only<'a>,
    get: bool,
    keep_ttl: bool,
    expire: Option<ExpireArg<'a>>,
}

impl<'a> SetOptions<'a> {
    fn parse(options: &mut Options<'a>) -> Result<SetOptions<'a>, CmdError> {
        let mut o = SetOptions::default();
        while let Some(word) = options.next() {
            // As in Redis a word may be repeated, but must not contradict another.
            if arg::is(word, "nx") && matches!(o.only, Only::Always | Only::Absent) {
                o.only = Only::Absent;
            } else if arg::is(word, "xx") && matches!(o.only, Only::Always | Only::Present) {
                o.only = Only::Present;
            } else if arg::is(word, "ifeq") && o.only == Only::Always {
                o.only = Only::Equal(options.value()?);
            } else if arg::is(word, "get") {
                o.get = true;
            } else if arg::is(word, "keepttl") && o.expire.is_none() {
                o.keep_ttl = true;
            } else if let Some((seconds, when)) = ExpireArg::from_word(word)
                && !o.keep_ttl
                && o.expire.is_none_or(|e| (e.seconds, e.when) == (seconds, when))
            {
                o.expire = Some(ExpireArg { text: options.value()?, seconds, when });
            } else {
                return Err(errors::SYNTAX);
            }
        }
        Ok(o)
    }
}

/// `SET key value [NX|XX|IFEQ value] [GET] [EX s|PX ms|EXAT s|PXAT ms|KEEPTTL]`. O(1).
fn set(ctx: &mut Ctx<'_>) -> CmdResult {
    if ctx.argv.len() == 3 {
        let Ctx { db, argv, reply, fx, .. } = ctx;
        db.set(argv.at(1), SetValue::Bytes(argv.at(2)), Expire::None, fx);
        fx.modified(argv.at(1));
        fx.event(EV_STRING, "set", argv.at(1));
        reply.ok();
        return Ok(Flow::Done);
    }
    set_with_options(ctx)
}

fn set_with_options(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, env, .. } = ctx;
    let (key, value) = (argv.at(1), argv.at(2));
    let o = SetOptions::parse(&mut Options::new(*argv, 3))?;
    let at = o.expire.map(|e| e.at_ms(env, "set")).transpose()?;
    if o.get {
        match db.read_string(key, fx)? {
            Some(entry) => reply_value(reply, entry),
            None => reply.null(),
        }
    }
    let found = db.touch(key, fx).map(EntryMut::into_entry);
    let write = match (o.only, found) {
        (Only::Always, _) | (Only::Absent, None) | (Only::Present, Some(_)) => true,
        (Only::Equal(want), Some(e)) => is_string_equal(e, want)?,
        _ => false,
    };
    if !write {
        if !o.get {
            reply.null();
        }
        return Ok(Flow::Done);
    }
    let expire = match at {
        Some(at) => Expire::At(at),
        None if o.keep_ttl => Expire::Keep,
        None => Expire::None,
    };
    db.set_touched(key, SetValue::Bytes(value), expire, fx);
    fx.modified(key);
    fx.event(EV_STRING, "set", key);
    let compares = matches!(o.only, Only::Equal(_));
    if let Some(at) = at {
        fx.event(EV_GENERIC, "expire", key);
        // A date in milliseconds stays as it was sent.
        if compares || !o.expire.is_some_and(|e| e.is_date_in_ms()) {
            propagate_set(fx, key, value, at);
        }
    } else if compares {
        // Files and replicas need neither the old value nor a comparison that Redis does not know.
        match o.keep_ttl {
            true => fx.rewrite(&[b"SET", key, value, b"KEEPTTL"]),
            false => fx.rewrite(&[b"SET", key, value]),
        }
    } else if o.get && fx.is_streamed() {
        let words = argv.iter().enumerate().filter(|(i, word)| *i < 3 || !arg::is(word, "get"));
        fx.rewrite(&words.map(|(_, word)| *word).collect::<Vec<_>>());
    }
    if !o.get {
        reply.ok();
    }
    Ok(Flow::Done)
}

/// Files and replicas get dates, never durations.
pub(crate) fn propagate_set(fx: &mut Effects, key: &[u8], value: &[u8], at_ms: i64) {
    fx.rewrite(&[b"SET", key, value, b"PXAT", at_ms.to_string().as_bytes()]);
}

fn is_string_equal(entry: &Entry, want: &[u8]) -> Result<bool, CmdError> {
    match entry.value() {
        ValueRef::Object(_) => Err(errors::WRONG_TYPE),
        _ => Ok(value_bytes(entry, &mut [0; 20]) == want),
    }
}

/// `SETNX key value`. O(1).
fn setnx(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let (key, value) = (argv.at(1), argv.at(2));
    if db.touch(key, fx).is_some() {
        reply.int(0);
        return Ok(Flow::Done);
    }
    db.set_touched(key, SetValue::Bytes(value), Expire::None, fx);
    fx.modified(key);
    fx.event(EV_STRING, "set", key);
    reply.int(1);
    Ok(Flow::Done)
}

/// `SETEX key seconds value`. O(1).
fn setex(ctx: &mut Ctx<'_>) -> CmdResult {
    set_for(ctx, true, "setex")
}

/// `PSETEX key milliseconds value`. O(1).
fn psetex(ctx: &mut Ctx<'_>) -> CmdResult {
    set_for(ctx, false, "psetex")
}

fn set_for(ctx: &mut Ctx<'_>, seconds: bool, command: &str) -> CmdResult {
    let Ctx { db, argv, reply, fx, env, .. } = ctx;
    let (key, value) = (argv.at(1), argv.at(3));
    let at = ExpireArg { text: argv.at(2), seconds, when: When::Relative }.at_ms(env, command)?;
    db.set(key, SetValue::Bytes(value), Expire::At(at), fx);
    fx.modified(key);
    fx.event(EV_STRING, "set", key);
    fx.event(EV_GENERIC, "expire", key);
    propagate_set(fx, key, value, at);
    reply.ok();
    Ok(Flow::Done)
}

/// `GET key`. O(1).
fn get(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    match db.read_string(argv.at(1), fx)? {
        Some(entry) => reply_value(reply, entry),
        None => reply.null(),
    }
    Ok(Flow::Done)
}

/// `GETEX key [EX s|PX ms|EXAT s|PXAT ms|PERSIST]`: GET that can change the time to live. O(1).
fn getex(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, env, .. } = ctx;
    let key = argv.at(1);
    let (mut persist, mut expire) = (false, None::<ExpireArg<'_>>);
    let mut options = Options::new(*argv, 2);
    while let Some(word) = options.next() {
        if arg::is(word, "persist") && expire.is_none() {
            persist = true;
        } else if let Some((seconds, when)) = ExpireArg::from_word(word)
            && !persist
            && expire.is_none_or(|e| (e.seconds, e.when) == (seconds, when))
        {
            expire = Some(ExpireArg { text: options.value()?, seconds, when });
        } else {
            return Err(errors::SYNTAX);
        }
    }
    let Some(entry) = db.read_string(key, fx)? else {
        reply.null();
        return Ok(Flow::Done);
    };
    let at = expire.map(|e| e.at_ms(env, "getex")).transpose()?;
    reply_value(reply, entry);
    match at {
        // A date that has passed deletes the key, unless somebody else decides about expiry.
        Some(at) if at <= env.now_ms && env.expiry == crate::keyspace::env::Expiry::Delete => {
            db.delete(key, Why::Expire, fx);
            fx.rewrite(&[db.deletion(Why::Expire), key]);
            fx.modified(key);
            fx.event(EV_GENERIC, "del", key);
        }
        Some(at) => {
            db.set_expire(key, Some(at));
            fx.rewrite(&[b"PEXPIREAT", key, at.to_string().as_bytes()]);
            fx.modified(key);
            fx.event(EV_GENERIC, "expire", key);
        }
        None if persist && db.set_expire(key, None) => {
            fx.rewrite(&[b"PERSIST", key]);
            fx.modified(key);
            fx.event(EV_GENERIC, "persist", key);
        }
        None => {}
    }
    Ok(Flow::Done)
}

/// `GETDEL key`. O(1).
fn getdel(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let key = argv.at(1);
    match db.read_string(key, fx)? {
        Some(entry) => reply_value(reply, entry),
        None => {
            reply.null();
            return Ok(Flow::Done);
        }
    }
    db.delete(key, Why::Del, fx);
    // Compat: whatever the setting says.
    fx.rewrite(&[b"DEL", key]);
    fx.modified(key);
    fx.event(EV_GENERIC, "del", key);
    Ok(Flow::Done)
}

/// `GETSET key value`. O(1).
fn getset(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let (key, value) = (argv.at(1), argv.at(2));
    match db.read_string(key, fx)? {
        Some(entry) => reply_value(reply, entry),
        None => reply.null(),
    }
    db.set(key, SetValue::Bytes(value), Expire::None, fx);
    fx.modified(key);
    fx.event(EV_STRING, "set", key);
    fx.rewrite(&[b"SET", key, value]);
    Ok(Flow::Done)
}

/// `DELIFEQ key value`: deletes the key if it holds exactly `value`. O(1).
fn delifeq(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let key = argv.at(1);
    let equal = match db.read_string(key, fx)? {
        Some(entry) => is_string_equal(entry, argv.at(2))?,
        None => false,
    };
    if equal {
        db.delete(key, Why::Del, fx);
        fx.rewrite(&[db.deletion(Why::Del), key]);
        fx.modified(key);
        fx.event(EV_GENERIC, "del", key);
    }
    reply.int(i64::from(equal));
    Ok(Flow::Done)
}

fn check_len(len: usize, more: usize, max: usize) -> Result<(), CmdError> {
    match len.checked_add(more) {
        Some(total) if total <= max => Ok(()),
        _ => Err(errors::STRING_TOO_LONG),
    }
}

/// `APPEND key value`. O(length of the value), amortised.
fn append(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, limits, .. } = ctx;
    let (key, value) = (argv.at(1), argv.at(2));
    let len = match db.touch_string(key, fx)? {
        Some(mut entry) => {
            check_len(value_len(&entry), value.len(), limits.max_bulk)?;
            entry.append(value).ok_or(errors::WRONG_TYPE)?
        }
        None => {
            db.set_touched(key, SetValue::Bytes(value), Expire::None, fx);
            value.len()
        }
    };
    fx.modified(key);
    fx.event(EV_STRING, "append", key);
    reply.len_int(len);
    Ok(Flow::Done)
}

/// `STRLEN key`. O(1).
fn strlen(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    reply.len_int(db.read_string(argv.at(1), fx)?.map_or(0, value_len));
    Ok(Flow::Done)
}

/// `SETRANGE key offset value`. O(length of the value), zero bytes fill a gap.
fn setrange(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, limits, .. } = ctx;
    let (key, value) = (argv.at(1), argv.at(3));
    let offset = usize::try_from(arg::int(argv.at(2))?).map_err(|_| errors::OFFSET_RANGE)?;
    let len = match db.touch_string(key, fx)? {
        Some(entry) if value.is_empty() => {
            reply.len_int(value_len(&entry));
            return Ok(Flow::Done);
        }
        None if value.is_empty() => {
            reply.int(0);
            return Ok(Flow::Done);
        }
        Some(mut entry) => {
            check_len(offset, value.len(), limits.max_bulk)?;
            entry.set_range(offset, value).ok_or(errors::WRONG_TYPE)?
        }
        None => {
            check_len(offset, value.len(), limits.max_bulk)?;
            let mut bytes = vec![0; offset + value.len()];
            bytes[offset..].copy_from_slice(value);
            let len = bytes.len();
            let value = SetValue::Owned(Value::Str(StrBuf::raw(bytes)));
            db.set_touched(key, value, Expire::None, fx);
            len
        }
    };
    fx.modified(key);
    fx.event(EV_STRING, "setrange", key);
    reply.len_int(len);
    Ok(Flow::Done)
}

/// `GETRANGE key start end`, both inclusive, negative from the end. O(length of the range).
fn getrange(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let (start, end) = (arg::int(argv.at(2))?, arg::int(argv.at(3))?);
    let Some(entry) = db.read_string(argv.at(1), fx)? else {
        reply.bulk(b"");
        return Ok(Flow::Done);
    };
    let mut scratch = [0; 20];
    let bytes = value_bytes(entry, &mut scratch);
    reply.bulk(slice(bytes, start, end));
    Ok(Flow::Done)
}

fn slice(bytes: &[u8], start: i64, end: i64) -> &[u8] {
    let len = bytes.len() as i64;
    if (start < 0 && end < 0 && start > end) || len == 0 {
        return &[];
    }
    let from_end = |i: i64| if i < 0 { (len + i).max(0) } else { i };
    let (start, end) = (from_end(start), from_end(end).min(len - 1));
    if start > end { &[] } else { &bytes[start as usize..=end as usize] }
}

/// `INCR key`. O(1).
fn incr(ctx: &mut Ctx<'_>) -> CmdResult {
    add(ctx, 1)
}

/// `DECR key`. O(1).
fn decr(ctx: &mut Ctx<'_>) -> CmdResult {
    add(ctx, -1)
}

/// `INCRBY key increment`. O(1).
fn incrby(ctx: &mut Ctx<'_>) -> CmdResult {
    let by = arg::int(ctx.argv.at(2))?;
    add(ctx, by)
}

/// `DECRBY key decrement`. O(1).
fn decrby(ctx: &mut Ctx<'_>) -> CmdResult {
    let by = arg::int(ctx.argv.at(2))?;
    let by = by.checked_neg().ok_or(CmdError::new("ERR decrement would overflow"))?;
    add(ctx, by)
}

fn add(ctx: &mut Ctx<'_>, by: i64) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let key = argv.at(1);
    let sum = match db.touch_string(key, fx)? {
        Some(mut entry) => entry.incr(by).map_err(|e| match e {
            IncrError::WrongType => errors::WRONG_TYPE,
            IncrError::NotInteger => errors::NOT_INT,
            IncrError::Overflow => errors::OVERFLOW,
        })?,
        None => {
            db.set_touched(key, SetValue::Int(by), Expire::None, fx);
            by
        }
    };
    fx.modified(key);
    fx.event(EV_STRING, "incrby", key);
    reply.int(sum);
    Ok(Flow::Done)
}

/// `INCRBYFLOAT key increment`, in 80-bit arithmetic as Redis does it. O(1).
fn incrbyfloat(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let key = argv.at(1);
    let old = match db.touch_string(key, fx)? {
        Some(entry) => LongDouble::parse(value_bytes(&entry, &mut [0; 20])),
        None => LongDouble::parse(b"0"),
    };
    let old = old.ok_or(errors::NOT_FLOAT)?;
    let by = LongDouble::parse(argv.at(2)).ok_or(errors::NOT_FLOAT)?;
    let sum = old.checked_add(by).ok_or(errors::NAN_OR_INF)?;
    let text = sum.format_human();
    db.set_touched(key, SetValue::Text(&text), Expire::Keep, fx);
    fx.modified(key);
    fx.event(EV_STRING, "incrbyfloat", key);
    // Floating point differs between machines, so the stream gets the result.
    fx.rewrite(&[b"SET", key, &text, b"KEEPTTL"]);
    reply.bulk(&text);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use super::slice;

    #[test]
    fn ranges_are_cut_as_redis_cuts_them() {
        let s = b"Hello World";
        for (start, end, want) in [
            (0, 3, "Hell"),
            (0, -1, "Hello World"),
            (-4, -1, "orld"),
            (5, 3, ""),
            (5, 5000, " World"),
            (-5000, 10000, "Hello World"),
            (0, -100, "H"),
            (1, -100, ""),
            (-1, -5, ""),
        ] {
            assert_eq!(slice(s, start, end), want.as_bytes(), "{start} {end}");
        }
        assert_eq!(slice(b"", 0, -1), b"");
    }
}
