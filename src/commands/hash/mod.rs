//! Hash commands on fields and values. Random fields are in `random`, the times of fields in
//! `field_expire`, commands on both values and times in `field_values`.
//!
//! A field whose time has passed counts as missing. A command that names it removes it, as Redis
//! does, if this server decides about expiry. A command about all fields skips it. Three commands
//! don't look at the time: HLEN counts the field, and HSET and HDEL treat it as present.

pub(crate) mod field_expire;
pub(crate) mod field_values;
pub(crate) mod random;

use crate::commands::arg::{self, Options};
use crate::commands::scan::{self, Also, ScanOptions};
use crate::commands::{CmdResult, Ctx, DataRow, Flow};
use crate::ds::listpack::{Item, Scratch};
use crate::keyspace::db::DbMut;
use crate::keyspace::effects::{EV_GENERIC, EV_HASH, Effects, Why};
use crate::keyspace::env::{Env, Expiry};
use crate::resp::errors::{self, CmdError};
use crate::resp::reply::Reply;
use crate::util::longdouble::LongDouble;
use crate::util::{glob, num};
use crate::value::hash::{Hash, HashRef, Pair, Time};
use crate::value::{Collection, View};

pub(crate) const COMMANDS: &[DataRow] = &[
    ("hset", hset),
    ("hmset", hmset),
    ("hsetnx", hsetnx),
    ("hget", hget),
    ("hmget", hmget),
    ("hgetall", hgetall),
    ("hkeys", hkeys),
    ("hvals", hvals),
    ("hdel", hdel),
    ("hlen", hlen),
    ("hstrlen", hstrlen),
    ("hexists", hexists),
    ("hincrby", hincrby),
    ("hincrbyfloat", hincrbyfloat),
    ("hscan", hscan),
];

const VALUE_NOT_INT: CmdError = CmdError::new("ERR hash value is not an integer");
const VALUE_NOT_FLOAT: CmdError = CmdError::new("ERR hash value is not a float");
const INFINITE: CmdError = CmdError::new("ERR value is NaN or Infinity");

/// A hash as a call sees it: without the fields whose time has passed.
#[derive(Clone, Copy)]
struct Seen<'h> {
    hash: HashRef<'h>,
    /// Fields that expire before are not there.
    now_ms: i64,
}

impl<'h> Seen<'h> {
    fn whole(hash: HashRef<'h>) -> Seen<'h> {
        Seen { hash, now_ms: i64::MIN }
    }

    #[inline]
    fn get(&self, field: &[u8]) -> Option<Item<'h>> {
        if self.now_ms == i64::MIN { self.hash.get(field) } else { Some(self.find(field)?.0) }
    }

    /// The value of a field and its time.
    fn find(&self, field: &[u8]) -> Option<(Item<'h>, Option<i64>)> {
        self.hash.find(field).filter(|found| found.1.is_none_or(|at| at >= self.now_ms))
    }

    fn has(&self, pair: &Pair<'_>) -> bool {
        pair.expire.is_none_or(|at| at >= self.now_ms)
    }

    fn iter(&self) -> impl Iterator<Item = Pair<'h>> {
        let seen = *self;
        self.hash.iter().filter(move |pair| seen.has(pair))
    }

    /// `iter` for the replies of whole hashes: it does not ask for each field which encoding it is.
    #[inline]
    fn for_each(&self, mut visit: impl FnMut(Item<'h>, Item<'h>)) {
        match self.hash {
            HashRef::Packed(lp) => {
                let mut items = lp.iter();
                while let (Some(field), Some(value)) = (items.next(), items.next()) {
                    visit(field, value);
                }
            }
            _ => self.iter().for_each(|pair| visit(pair.field, pair.value)),
        }
    }

    fn len(&self) -> usize {
        if self.now_ms == i64::MIN { self.hash.len() } else { self.iter().count() }
    }
}

/// Whether some field's time has passed, as this call sees it.
#[inline]
fn is_due(hash: HashRef<'_>, env: &Env) -> bool {
    hash.soonest().is_some_and(|at| at < env.now_ms) && env.expiry != Expiry::Ignore
}

/// The time before which fields are not there.
fn horizon(hash: HashRef<'_>, env: &Env) -> i64 {
    if is_due(hash, env) { env.now_ms } else { i64::MIN }
}

/// Removes those of the named fields whose time has passed, if this server decides about expiry.
#[cold]
fn expire_named(db: &mut DbMut<'_>, key: &[u8], named: &[&[u8]], env: &Env, fx: &mut Effects) {
    let due = due_named(db, key, named, env);
    if !due.is_empty() {
        db.expire_fields(key, &due, fx);
    }
}

/// Those of the named fields whose time has passed, if this server may remove them.
fn due_named(db: &DbMut<'_>, key: &[u8], named: &[&[u8]], env: &Env) -> Vec<Vec<u8>> {
    let hash = match db.peek_as::<Hash>(key) {
        Ok(Some(hash)) if env.expiry == Expiry::Delete => hash,
        _ => return Vec::new(),
    };
    let is_due = |field: &&&[u8]| {
        hash.find(field).is_some_and(|found| found.1.is_some_and(|at| at < env.now_ms))
    };
    let mut due: Vec<Vec<u8>> = named.iter().filter(is_due).map(|field| field.to_vec()).collect();
    due.sort_unstable();
    due.dedup();
    due
}

/// Reads the hash at the first argument and shows it to `show`, after removing what is due of
/// `named`.
#[inline]
fn with_hash(
    ctx: &mut Ctx<'_>,
    named: &[&[u8]],
    show: impl Fn(&mut Reply, Option<Seen<'_>>),
) -> CmdResult {
    let Ctx { db, argv, reply, fx, env, .. } = ctx;
    let key = argv.at(1);
    match db.read_as::<Hash>(key, fx)? {
        Some(hash) if is_due(hash, env) => {}
        found => {
            show(reply, found.map(Seen::whole));
            return Ok(Flow::Done);
        }
    }
    expire_named(db, key, named, env, fx);
    let hash = db.peek_as::<Hash>(key)?;
    show(reply, hash.map(|hash| Seen { hash, now_ms: horizon(hash, env) }));
    Ok(Flow::Done)
}

/// Reads one field, to change it: what `read` makes of its value, or None if there is no such
/// field. A field that is due is removed.
fn read_field<R>(
    db: &mut DbMut<'_>,
    key: &[u8],
    field: &[u8],
    env: &Env,
    fx: &mut Effects,
    read: impl Fn(Item<'_>, Option<i64>) -> R,
) -> Result<Option<R>, CmdError> {
    let Some(hash) = db.touch_as::<Hash>(key, fx)? else { return Ok(None) };
    let found = hash.find(field);
    if is_due(hash, env)
        && let Some((_, Some(at))) = found
        && at < env.now_ms
    {
        expire_named(db, key, &[field], env, fx);
        return Ok(None);
    }
    Ok(found.map(|(value, expire)| read(value, expire)))
}

/// The value changed in `n` places.
fn changed(fx: &mut Effects, key: &[u8], n: usize) {
    fx.dirty += n as u64;
    fx.touched(key);
}

/// Writes a field or value as a bulk string.
#[inline]
fn reply_item(reply: &mut Reply, item: Item<'_>) {
    match item {
        Item::Int(n) => reply.bulk_int(n),
        Item::Str(text) => reply.bulk(text),
    }
}

/// `HSET key field value [field value ...]`. O(fields).
fn hset(ctx: &mut Ctx<'_>) -> CmdResult {
    let new = set_pairs(ctx)?;
    ctx.reply.len_int(new);
    Ok(Flow::Done)
}

/// `HMSET key field value [field value ...]`: HSET that replies OK. O(fields).
fn hmset(ctx: &mut Ctx<'_>) -> CmdResult {
    set_pairs(ctx)?;
    ctx.reply.ok();
    Ok(Flow::Done)
}

fn set_pairs(ctx: &mut Ctx<'_>) -> Result<usize, CmdError> {
    let Ctx { db, argv, fx, limits, .. } = ctx;
    let (key, pairs, limits) = (argv.at(1), argv.from(2), limits.hash());
    if !pairs.len().is_multiple_of(2) {
        return Err(errors::wrong_arity(&arg::name(*argv)));
    }
    let mut hash = db.touch_or_new(key, fx, Hash::default)?;
    hash.expect(pairs.len() / 2, pairs.iter().copied(), &limits);
    let mut new = 0;
    for pair in pairs.chunks_exact(2) {
        new += usize::from(hash.insert(pair[0], pair[1], Time::Never, &limits));
    }
    drop(hash);
    changed(fx, key, pairs.len() / 2);
    fx.event(EV_HASH, "hset", key);
    Ok(new)
}

/// `HSETNX key field value`: only if the field is not there. O(1).
fn hsetnx(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, limits, env } = ctx;
    let (key, field, value, limits) = (argv.at(1), argv.at(2), argv.at(3), limits.hash());
    if read_field(db, key, field, env, fx, |_, _| ())?.is_some() {
        reply.int(0);
        return Ok(Flow::Done);
    }
    let mut hash = db.find_or_new(key, fx, Hash::default)?;
    hash.expect(1, [field, value].into_iter(), &limits);
    hash.insert(field, value, Time::Never, &limits);
    drop(hash);
    fx.modified(key);
    fx.event(EV_HASH, "hset", key);
    reply.int(1);
    Ok(Flow::Done)
}

/// `HGET key field`. O(1).
fn hget(ctx: &mut Ctx<'_>) -> CmdResult {
    let field = ctx.argv.at(2);
    with_hash(ctx, &[field], |reply, hash| match hash.and_then(|hash| hash.get(field)) {
        Some(value) => reply_item(reply, value),
        None => reply.null(),
    })
}

/// `HMGET key field [field ...]`. O(fields).
fn hmget(ctx: &mut Ctx<'_>) -> CmdResult {
    let fields = ctx.argv.from(2);
    with_hash(ctx, fields, |reply, hash| {
        reply.array(fields.len());
        for field in fields {
            match hash.and_then(|hash| hash.get(field)) {
                Some(value) => reply_item(reply, value),
                None => reply.null(),
            }
        }
    })
}

/// `HGETALL key`. O(fields).
fn hgetall(ctx: &mut Ctx<'_>) -> CmdResult {
    with_hash(ctx, &[], |reply, hash| {
        reply.map(hash.map_or(0, |hash| hash.len()));
        if let Some(hash) = hash {
            hash.for_each(|field, value| {
                reply_item(reply, field);
                reply_item(reply, value);
            });
        }
    })
}

/// `HKEYS key`. O(fields).
fn hkeys(ctx: &mut Ctx<'_>) -> CmdResult {
    with_hash(ctx, &[], |reply, hash| {
        reply.array(hash.map_or(0, |hash| hash.len()));
        if let Some(hash) = hash {
            hash.for_each(|field, _| reply_item(reply, field));
        }
    })
}

/// `HVALS key`. O(fields).
fn hvals(ctx: &mut Ctx<'_>) -> CmdResult {
    with_hash(ctx, &[], |reply, hash| {
        reply.array(hash.map_or(0, |hash| hash.len()));
        if let Some(hash) = hash {
            hash.for_each(|_, value| reply_item(reply, value));
        }
    })
}

/// `HDEL key field [field ...]`. O(fields).
fn hdel(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let key = argv.at(1);
    let Some(mut hash) = db.touch_open::<Hash>(key, fx)? else {
        reply.int(0);
        return Ok(Flow::Done);
    };
    let mut removed = 0;
    for field in argv.from(2) {
        if hash.remove(field) {
            removed += 1;
            if hash.is_empty() {
                break;
            }
        }
    }
    let emptied = hash.is_empty();
    drop(hash);
    if removed > 0 {
        changed(fx, key, removed);
        fx.event(EV_HASH, "hdel", key);
    }
    if emptied {
        db.delete(key, Why::Overwrite, fx);
        fx.event(EV_GENERIC, "del", key);
    }
    reply.len_int(removed);
    Ok(Flow::Done)
}

/// `HLEN key`. O(1). Fields past their time that are not yet gone are counted.
fn hlen(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    reply.len_int(db.read_as::<Hash>(argv.at(1), fx)?.map_or(0, View::len));
    Ok(Flow::Done)
}

/// `HSTRLEN key field`: bytes of the value. O(1).
fn hstrlen(ctx: &mut Ctx<'_>) -> CmdResult {
    let field = ctx.argv.at(2);
    with_hash(ctx, &[field], |reply, hash| {
        reply.len_int(hash.and_then(|hash| hash.get(field)).map_or(0, Item::text_len));
    })
}

/// `HEXISTS key field`. O(1).
fn hexists(ctx: &mut Ctx<'_>) -> CmdResult {
    let field = ctx.argv.at(2);
    with_hash(ctx, &[field], |reply, hash| {
        reply.int(i64::from(hash.is_some_and(|hash| hash.get(field).is_some())));
    })
}

/// `HINCRBY key field increment`. O(1).
fn hincrby(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, limits, env } = ctx;
    let (key, field, by) = (argv.at(1), argv.at(2), arg::int(argv.at(3))?);
    let old = match read_field(db, key, field, env, fx, |value, _| value.as_int())? {
        Some(value) => value.ok_or(VALUE_NOT_INT)?,
        None => 0,
    };
    let new = old.checked_add(by).ok_or(errors::OVERFLOW)?;
    let mut text = [0; num::MAX_I64_CHARS];
    let len = num::format_i64(&mut text, new);
    let mut hash = db.find_or_new(key, fx, Hash::default)?;
    hash.insert(field, &text[..len], Time::Keep, &limits.hash());
    fx.modified(key);
    fx.event(EV_HASH, "hincrby", key);
    reply.int(new);
    Ok(Flow::Done)
}

/// `HINCRBYFLOAT key field increment`. O(1).
fn hincrbyfloat(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, limits, env } = ctx;
    let (key, field) = (argv.at(1), argv.at(2));
    let by = LongDouble::parse(argv.at(3)).ok_or(errors::NOT_FLOAT)?;
    if by.is_infinite() {
        return Err(INFINITE);
    }
    let read =
        |value: Item<'_>, expire| (LongDouble::parse(value.bytes(&mut Scratch::default())), expire);
    let (old, expire) = match read_field(db, key, field, env, fx, read)? {
        Some((value, expire)) => (value.ok_or(VALUE_NOT_FLOAT)?, expire),
        None => (LongDouble::from(0), None::<i64>),
    };
    let text = old.checked_add(by).ok_or(errors::NAN_OR_INF)?.format_human();
    let mut hash = db.find_or_new(key, fx, Hash::default)?;
    hash.insert(field, &text, Time::Keep, &limits.hash());
    fx.modified(key);
    fx.event(EV_HASH, "hincrbyfloat", key);
    // The stream gets the result, so that nobody has to round as we did. A field with a time needs
    // HSETEX, since HSET would remove the time.
    match expire {
        None => fx.rewrite(&[b"HSET", key, field, &text]),
        Some(_) => fx.rewrite(&[b"HSETEX", key, b"KEEPTTL", b"FIELDS", b"1", field, &text]),
    }
    reply.bulk(&text);
    Ok(Flow::Done)
}

/// `HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]`. O(count) a call; small hashes come
/// at once.
fn hscan(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, env, .. } = ctx;
    let mut at = scan::cursor(argv.at(2))?;
    let Some(hash) = db.read_as::<Hash>(argv.at(1), fx)? else {
        scan::reply_nothing(reply);
        return Ok(Flow::Done);
    };
    let o = ScanOptions::parse(Options::new(*argv, 3), Also::NoValues)?;
    let seen = Seen { hash, now_ms: horizon(hash, env) };
    let wanted = |pair: &Pair<'_>| {
        let text = &mut Scratch::default();
        seen.has(pair) && o.pattern.is_none_or(|p| glob::matches(p, pair.field.bytes(text), false))
    };
    let mut found: Vec<Pair<'_>> = Vec::new();
    match hash.as_table() {
        Some(fields) => {
            at = o.steps(at, |at, count| {
                fields.scan(at, |cell| {
                    *count += 1;
                    found.push(Pair::of(cell));
                })
            });
            found.retain(wanted);
        }
        None => {
            at = 0;
            found.extend(hash.iter().filter(wanted));
        }
    }
    reply.array(2);
    reply.bulk_str(at.to_string());
    reply.array(if o.names_only { found.len() } else { found.len() * 2 });
    for pair in found {
        reply_item(reply, pair.field);
        if !o.names_only {
            reply_item(reply, pair.value);
        }
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::effects::STREAM;
    use crate::keyspace::env::Origin;
    use crate::keyspace::lazyfree::Lazyfree;
    use crate::keyspace::limits::Limits;
    use crate::keyspace::store::Store;
    use crate::resp::argv::Argv;
    use crate::util::siphash::Seed;

    /// Runs a line at a time, with `expiry` in force. Returns the reply and how many commands of
    /// its own it put into the stream.
    fn run(store: &mut Store, now_ms: i64, expiry: Expiry, line: &str) -> (String, usize) {
        let env = Env {
            now_ms,
            lru_clock: 0,
            db: 0,
            origin: Origin::Client,
            expiry,
            deny_blocking: false,
            touch: false,
            lfu: None,
            random: 1,
        };
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let mut reply = Reply::new(Vec::new(), false);
        let mut fx = Effects::new(STREAM, 0);
        let tables = crate::commands::TABLES.iter().flat_map(|table| table.iter());
        let row = tables.into_iter().find(|row| row.0.as_bytes() == words[0]).expect("a command");
        let mut ctx = Ctx {
            db: DbMut::new(store, &env, None, Lazyfree::default()),
            argv: Argv::new(&words),
            reply: &mut reply,
            fx: &mut fx,
            limits: &Limits { seed: Seed([1, 2]), ..Limits::default() },
            env: &env,
        };
        (row.1)(&mut ctx).expect("no error");
        store.check();
        (String::from_utf8(reply.into_buf()).expect("text").replace("\r\n", " "), fx.ops().len())
    }

    #[test]
    fn whoever_may_not_remove_a_due_field_does_not_see_it_or_sees_it_as_any_other() {
        let mut store = Store::new(Seed([1, 2]), 0);
        let s = &mut store;
        run(s, 0, Expiry::Delete, "hset h a 1 b 2 c 3");
        run(s, 0, Expiry::Delete, "hpexpireat h 100 fields 2 a b");
        for line in [
            "hget h a",
            "hmget h a b",
            "hexists h a",
            "hgetall h",
            "hscan h 0",
            "httl h fields 1 a",
        ] {
            let at = |s: &mut Store, now, expiry| run(s, now, expiry, line);
            let before = at(s, 100, Expiry::Hide);
            let hidden = at(s, 101, Expiry::Hide);
            assert!(hidden != before && hidden.1 == 0, "{line}: {hidden:?}");
            if line != "httl h fields 1 a" {
                assert_eq!(at(s, 101, Expiry::Ignore), before, "{line}");
            }
        }
        assert_eq!(run(s, 101, Expiry::Hide, "hlen h").0, ":3 ");
        assert_eq!(run(s, 101, Expiry::Delete, "hmget h a c").0, "*2 $-1 $1 3 ");
        assert_eq!(run(s, 101, Expiry::Delete, "hlen h").0, ":2 ");
        assert_eq!(run(s, 101, Expiry::Delete, "hrandfield h 5"), ("*1 $1 c ".into(), 1));
        // A replica is told when to remove what it was told the time of.
        assert_eq!(run(s, 200, Expiry::Ignore, "hpexpireat h 1 fields 1 c").0, "*1 :1 ");
        assert_eq!(run(s, 200, Expiry::Delete, "hget h c"), ("$-1 ".into(), 1));
        assert!(s.is_empty() && s.timed_hashes() == 0);
    }
}
