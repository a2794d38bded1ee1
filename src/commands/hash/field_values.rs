//! Commands of Redis 8.0 on values and times of fields at once: HGETDEL, HGETEX, HSETEX.

use super::field_expire::{Form, Timing, delete_if_empty, named, time_of};
use super::{Seen, changed, due_named, expire_named, horizon, is_due, reply_item};
use crate::commands::arg::{self, Options, When};
use crate::commands::{CmdResult, Ctx, DataRow, Flow};
use crate::keyspace::effects::{EV_GENERIC, EV_HASH, Why};
use crate::keyspace::env::Env;
use crate::resp::argv::Argv;
use crate::resp::errors::{self, CmdError};
use crate::value::Collection;
use crate::value::hash::{Hash, Time};

pub(crate) const COMMANDS: &[DataRow] =
    &[("hgetdel", hgetdel), ("hgetex", hgetex), ("hsetex", hsetex)];

const ONE_CONDITION: CmdError =
    CmdError::new("ERR Only one of FXX or FNX arguments can be specified");
const ONE_TIME: CmdError =
    CmdError::new("ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified");
const NO_TIME_GIVEN: CmdError = CmdError::new("ERR missing expire time");

/// `HGETDEL key FIELDS numfields field [field ...]`: HMGET that removes the fields. O(fields).
fn hgetdel(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, env, .. } = ctx;
    let key = argv.at(1);
    let due = db.touch_as::<Hash>(key, fx)?.is_some_and(|hash| is_due(hash, env));
    let fields = named(*argv, 2, "Number of fields must be a positive integer")?;
    if due {
        expire_named(db, key, fields, env, fx);
    }
    reply.array(fields.len());
    let Some(mut hash) = db.find_open::<Hash>(key, fx)? else {
        fields.iter().for_each(|_| reply.null());
        return Ok(Flow::Done);
    };
    let now_ms = horizon(hash.view(), env);
    let mut removed = 0;
    for field in fields {
        match (Seen { hash: hash.view(), now_ms }).get(field) {
            Some(value) => {
                reply_item(reply, value);
                hash.remove(field);
                removed += 1;
            }
            None => reply.null(),
        }
    }
    drop(hash);
    if removed > 0 {
        changed(fx, key, removed);
        fx.event(EV_HASH, "hdel", key);
        let mut rewritten: Vec<&[u8]> = vec![b"HDEL", key];
        rewritten.extend_from_slice(fields);
        fx.rewrite(&rewritten);
        delete_if_empty(db, key, fx);
    }
    Ok(Flow::Done)
}

/// The form of a time given by EX, PX, EXAT or PXAT.
fn form(word: &[u8]) -> Option<Form> {
    let (seconds, when) = arg::ExpireArg::from_word(word)?;
    Some(Form { seconds, relative: when == When::Relative })
}

/// `HGETEX key [EX s|PX ms|EXAT s|PXAT ms|PERSIST] FIELDS numfields field [field ...]`: HMGET that
/// can change the times of the fields. O(fields).
fn hgetex(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, env, .. } = ctx;
    let key = argv.at(1);
    let due = db.touch_as::<Hash>(key, fx)?.is_some_and(|hash| is_due(hash, env));
    let persist = arg::is(argv.at(2), "persist");
    let (at, fields_at) = match form(argv.at(2)) {
        Some(form) => (Some(time_of(argv.at(3), form, env, *argv)?), 4),
        None => (None, if persist { 3 } else { 2 }),
    };
    let fields = named(*argv, fields_at, "Number of fields must be a positive integer")?;
    if due {
        expire_named(db, key, fields, env, fx);
    }
    reply.array(fields.len());
    let Some(mut hash) = db.find_open::<Hash>(key, fx)? else {
        fields.iter().for_each(|_| reply.null());
        return Ok(Flow::Done);
    };
    let now_ms = horizon(hash.view(), env);
    let mut timing = Timing::new(key, at, env);
    for field in fields {
        let Some((value, expire)) = (Seen { hash: hash.view(), now_ms }).find(field) else {
            reply.null();
            continue;
        };
        reply_item(reply, value);
        if at.is_some() || persist && expire.is_some() {
            timing.apply(&mut hash, field, fx);
        }
    }
    drop(hash);
    if timing.changed() == 0 {
        return Ok(Flow::Done);
    }
    changed(fx, key, timing.changed());
    let count = timing.set.len().to_string();
    let date = at.unwrap_or(0).to_string();
    let mut rewritten: Vec<&[u8]> = if persist {
        vec![b"HPERSIST", key, b"FIELDS", count.as_bytes()]
    } else {
        vec![b"HPEXPIREAT", key, date.as_bytes(), b"FIELDS", count.as_bytes()]
    };
    if timing.set.is_empty() {
        fx.event(EV_HASH, "hdel", key);
        fx.dont_propagate();
    } else {
        fx.event(EV_HASH, if persist { "hpersist" } else { "hexpire" }, key);
        rewritten.extend_from_slice(&timing.set);
        fx.rewrite(&rewritten);
    }
    delete_if_empty(db, key, fx);
    Ok(Flow::Done)
}

/// Under which condition HSETEX writes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Only {
    Always,
    /// None of the fields is there.
    Absent,
    /// All are.
    Present,
}

/// The arguments of HSETEX.
struct SetArgs<'a> {
    only: Only,
    keep: bool,
    /// The time in milliseconds.
    at: Option<i64>,
    /// Where the word before the time stands.
    at_word: usize,
    pairs: &'a [&'a [u8]],
}

impl<'a> SetArgs<'a> {
    fn parse(argv: Argv<'a>, env: &Env) -> Result<SetArgs<'a>, CmdError> {
        let mut o = SetArgs { only: Only::Always, keep: false, at: None, at_word: 0, pairs: &[] };
        let mut options = Options::new(argv, 2);
        while let Some(word) = options.next() {
            let at = argv.len() - options.remaining() - 1;
            if arg::is(word, "fields") {
                o.pairs = pairs(argv, at)?;
                return Ok(o);
            } else if arg::is(word, "keepttl") || form(word).is_some() {
                if o.keep || o.at.is_some() {
                    return Err(ONE_TIME);
                }
                match form(word) {
                    None => o.keep = true,
                    Some(form) => {
                        let text = options.next().ok_or(NO_TIME_GIVEN)?;
                        o.at = Some(time_of(text, form, env, argv)?);
                        o.at_word = at;
                    }
                }
            } else if arg::is(word, "fnx") || arg::is(word, "fxx") {
                if o.only != Only::Always {
                    return Err(ONE_CONDITION);
                }
                o.only = if arg::is(word, "fnx") { Only::Absent } else { Only::Present };
            } else {
                return Err(CmdError::err([b"unknown argument: ", errors::shown(word)].concat()));
            }
        }
        // Compat: redis-server assumes that FIELDS is there.
        Err(errors::wrong_arity("hsetex"))
    }
}

/// `FIELDS count field value [field value ...]`, which begins at `at`.
fn pairs(argv: Argv<'_>, at: usize) -> Result<&[&[u8]], CmdError> {
    let wrong = || errors::wrong_arity("hsetex");
    if at + 3 >= argv.len() {
        return Err(wrong());
    }
    let bad = "invalid number of fields";
    let count = arg::int_in(argv.at(at + 1), 1, i64::from(i32::MAX), bad)?;
    let pairs = argv.from(at + 2);
    if pairs.len() as i64 == count * 2 { Ok(pairs) } else { Err(wrong()) }
}

/// `HSETEX key [FNX|FXX] [EX s|PX ms|EXAT s|PXAT ms|KEEPTTL] FIELDS numfields field value [field
/// value ...]`: HSET that sets the times as well. O(fields).
fn hsetex(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, limits, env } = ctx;
    let (key, limits) = (argv.at(1), limits.hash());
    let o = SetArgs::parse(*argv, env)?;
    let due = db.touch_as::<Hash>(key, fx)?.is_some_and(|hash| is_due(hash, env));
    if o.only != Only::Always {
        let fields: Vec<&[u8]> = o.pairs.iter().copied().step_by(2).collect();
        if due {
            // The key stays for now, even without fields, since it may get some.
            let due = due_named(db, key, &fields, env);
            if !due.is_empty() {
                db.lapse_fields(key, &due, fx);
            }
        }
        let hash = db.peek_as::<Hash>(key)?;
        let seen = hash.map(|hash| Seen { hash, now_ms: horizon(hash, env) });
        let there = |field: &&[u8]| seen.is_some_and(|seen| seen.get(field).is_some());
        let met = match o.only {
            Only::Present => fields.iter().all(there),
            _ => !fields.iter().any(there),
        };
        if !met {
            delete_if_empty(db, key, fx);
            reply.int(0);
            return Ok(Flow::Done);
        }
    }
    let mut hash = db.find_or_new(key, fx, Hash::default)?;
    hash.expect(o.pairs.len() / 2, o.pairs.iter().copied(), &limits);
    let time = if o.keep || o.at.is_some() { Time::Keep } else { Time::Never };
    let mut timing = Timing::new(key, o.at, env);
    for pair in o.pairs.chunks_exact(2) {
        hash.insert(pair[0], pair[1], time, &limits);
        if o.at.is_some() {
            timing.apply(&mut hash, pair[0], fx);
        }
    }
    let emptied = hash.is_empty();
    drop(hash);
    changed(fx, key, o.pairs.len() / 2);
    if timing.removed > 0 {
        fx.dont_propagate();
    } else if let Some(at) = o.at {
        let date = at.to_string();
        let mut rewritten = argv.to_vec();
        rewritten[o.at_word] = b"PXAT";
        rewritten[o.at_word + 1] = date.as_bytes();
        fx.rewrite(&rewritten);
    }
    fx.event(EV_HASH, "hset", key);
    if timing.removed > 0 {
        fx.event(EV_HASH, "hdel", key);
    } else if o.at.is_some() {
        fx.event(EV_HASH, "hexpire", key);
    }
    if emptied {
        // A new hash was never stored. But its coming and going is told even so.
        db.delete(key, Why::Overwrite, fx);
        fx.event(EV_GENERIC, "del", key);
    }
    reply.int(1);
    Ok(Flow::Done)
}
