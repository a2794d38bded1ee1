//! The times of fields: the HEXPIRE family, HTTL and friends, HPERSIST.
//!
//! Each replies an array with a number for every field that was named: -2 if there is no such
//! field, -1 if it has no time, and what else the command says. Files and replicas get HPEXPIREAT
//! with the fields that were given a time, and HDEL for each that was given one in the past.

use super::{Seen, changed, horizon, is_due, with_hash};
use crate::commands::arg;
use crate::commands::{CmdResult, Ctx, DataRow, Flow};
use crate::keyspace::db::DbMut;
use crate::keyspace::effects::{EV_GENERIC, EV_HASH, Effects, Why};
use crate::keyspace::env::{Env, Expiry};
use crate::resp::argv::Argv;
use crate::resp::errors::{self, CmdError};
use crate::value::hash::Hash;
use crate::value::{Collection, View};

pub(crate) const COMMANDS: &[DataRow] = &[
    ("hexpire", hexpire),
    ("hpexpire", hpexpire),
    ("hexpireat", hexpireat),
    ("hpexpireat", hpexpireat),
    ("httl", httl),
    ("hpttl", hpttl),
    ("hexpiretime", hexpiretime),
    ("hpexpiretime", hpexpiretime),
    ("hpersist", hpersist),
];

/// The latest time that a field can be given.
const TIME_MAX: i64 = (1 << 46) - 1;

const NO_FIELD: i64 = -2;
const NO_TIME: i64 = -1;

const NEGATIVE_TIME: CmdError = CmdError::new("ERR invalid expire time, must be >= 0");
const NO_FIELDS_WORD: CmdError =
    CmdError::new("ERR Mandatory argument FIELDS is missing or not at the right position");
const WRONG_COUNT: CmdError =
    CmdError::new("ERR The `numfields` parameter must match the number of arguments");
const NOT_POSITIVE: &str = "Number of fields must be a positive integer";

/// `FIELDS count field [field ...]`, which begins at `at` and must be the rest. `positive` is the
/// error for a count below 1.
pub(super) fn named<'a>(
    argv: Argv<'a>,
    at: usize,
    positive: &'static str,
) -> Result<&'a [&'a [u8]], CmdError> {
    let Some(count) = argv.get(at + 1) else {
        return Err(errors::wrong_arity(&arg::name(argv)));
    };
    if !argv.get(at).is_some_and(|word| arg::is(word, "fields")) {
        return Err(NO_FIELDS_WORD);
    }
    let count = arg::int_in(count, 1, i64::MAX, positive)?;
    let fields = argv.from(at + 2);
    if count as usize != fields.len() { Err(WRONG_COUNT) } else { Ok(fields) }
}

/// How a time is given.
#[derive(Clone, Copy)]
pub(super) struct Form {
    pub seconds: bool,
    pub relative: bool,
}

/// The time in milliseconds that `text` says.
pub(super) fn time_of(text: &[u8], form: Form, env: &Env, argv: Argv<'_>) -> Result<i64, CmdError> {
    let n = arg::int(text)?;
    if n < 0 {
        return Err(NEGATIVE_TIME);
    }
    let base = if form.relative { env.now_ms } else { 0 };
    let ms = if form.seconds { n.checked_mul(1000) } else { Some(n) };
    let at = ms.and_then(|ms| ms.checked_add(base)).filter(|&at| at <= TIME_MAX);
    at.ok_or_else(|| errors::invalid_expire(&arg::name(argv)))
}

/// Under which condition a field is given a time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Only {
    Always,
    Without,
    With,
    Later,
    Sooner,
}

impl Only {
    fn of(word: &[u8]) -> Only {
        match arg::lower(word).as_slice() {
            b"nx" => Only::Without,
            b"xx" => Only::With,
            b"gt" => Only::Later,
            b"lt" => Only::Sooner,
            _ => Only::Always,
        }
    }

    /// Whether a field that expires at `old` may be given the time `new`. No time counts as an
    /// infinite one.
    fn allows(self, old: Option<i64>, new: i64) -> bool {
        match self {
            Only::Always => true,
            Only::Without => old.is_none(),
            Only::With => old.is_some(),
            Only::Later => old.is_some_and(|old| new > old),
            Only::Sooner => old.is_none_or(|old| new < old),
        }
    }
}

/// Gives fields a time, or removes them if it has passed. Keeps what must be told of it.
pub(super) struct Timing<'a> {
    key: &'a [u8],
    /// Milliseconds; None: the time is taken away.
    at: Option<i64>,
    /// The time has passed, and this server decides about expiry.
    past: bool,
    /// Fields that were given the time.
    pub set: Vec<&'a [u8]>,
    /// How many were removed.
    pub removed: usize,
}

impl<'a> Timing<'a> {
    pub(super) fn new(key: &'a [u8], at: Option<i64>, env: &Env) -> Timing<'a> {
        let past = at.is_some_and(|at| at <= env.now_ms) && env.expiry == Expiry::Delete;
        // In a listpack 0 means that there is no time.
        Timing { key, at: at.map(|at| at.max(1)), past, set: Vec::new(), removed: 0 }
    }

    /// Deals with a field that is there.
    pub(super) fn apply(&mut self, hash: &mut Hash, field: &'a [u8], fx: &mut Effects) {
        if self.past {
            hash.remove(field);
            fx.also(&[b"HDEL", self.key, field]);
            fx.counters.expired_fields += 1;
            self.removed += 1;
        } else {
            hash.set_expire(field, self.at);
            self.set.push(field);
        }
    }

    /// Fields that were changed.
    pub(super) fn changed(&self) -> usize {
        self.set.len() + self.removed
    }
}

/// Deletes the key if its hash is empty, with the event.
pub(super) fn delete_if_empty(db: &mut DbMut<'_>, key: &[u8], fx: &mut Effects) {
    if let Ok(Some(hash)) = db.peek_as::<Hash>(key)
        && hash.is_empty()
    {
        db.delete(key, Why::Overwrite, fx);
        fx.event(EV_GENERIC, "del", key);
    }
}

/// `HEXPIRE key seconds [NX|XX|GT|LT] FIELDS numfields field [field ...]`. O(fields).
fn hexpire(ctx: &mut Ctx<'_>) -> CmdResult {
    set_expire(ctx, Form { seconds: true, relative: true })
}

/// `HPEXPIRE key milliseconds [NX|XX|GT|LT] FIELDS numfields field [field ...]`. O(fields).
fn hpexpire(ctx: &mut Ctx<'_>) -> CmdResult {
    set_expire(ctx, Form { seconds: false, relative: true })
}

/// `HEXPIREAT key unix-time-seconds [NX|XX|GT|LT] FIELDS numfields field [field ...]`. O(fields).
fn hexpireat(ctx: &mut Ctx<'_>) -> CmdResult {
    set_expire(ctx, Form { seconds: true, relative: false })
}

/// `HPEXPIREAT key unix-time-milliseconds [NX|XX|GT|LT] FIELDS numfields field [field ...]`.
/// O(fields).
fn hpexpireat(ctx: &mut Ctx<'_>) -> CmdResult {
    set_expire(ctx, Form { seconds: false, relative: false })
}

fn set_expire(ctx: &mut Ctx<'_>, form: Form) -> CmdResult {
    let Ctx { db, argv, reply, fx, env, .. } = ctx;
    let key = argv.at(1);
    db.touch_as::<Hash>(key, fx)?;
    let at = time_of(argv.at(2), form, env, *argv)?;
    let only = Only::of(argv.at(3));
    let fields_at = if only == Only::Always { 3 } else { 4 };
    let positive = "Parameter `numFields` should be greater than 0";
    let fields = named(*argv, fields_at, positive)?;
    reply.array(fields.len());
    let Some(mut hash) = db.find_open::<Hash>(key, fx)? else {
        fields.iter().for_each(|_| reply.int(NO_FIELD));
        return Ok(Flow::Done);
    };
    let now_ms = horizon(hash.view(), env);
    let mut timing = Timing::new(key, Some(at), env);
    for field in fields {
        let found = Seen { hash: hash.view(), now_ms }.find(field).map(|found| found.1);
        reply.int(match found {
            None => NO_FIELD,
            Some(old) if !only.allows(old, at) => 0,
            Some(_) => {
                timing.apply(&mut hash, field, fx);
                if timing.past { 2 } else { 1 }
            }
        });
    }
    drop(hash);
    if timing.changed() > 0 {
        changed(fx, key, timing.changed());
        fx.event(EV_HASH, if timing.removed > 0 { "hdel" } else { "hexpire" }, key);
        delete_if_empty(db, key, fx);
    }
    if timing.set.is_empty() {
        fx.dont_propagate();
        return Ok(Flow::Done);
    }
    let (date, count) = (at.to_string(), timing.set.len().to_string());
    let mut rewritten = argv[0..fields_at + 2].to_vec();
    rewritten[0] = b"HPEXPIREAT";
    rewritten[2] = date.as_bytes();
    rewritten[fields_at + 1] = count.as_bytes();
    rewritten.extend_from_slice(&timing.set);
    fx.rewrite(&rewritten);
    Ok(Flow::Done)
}

/// `HTTL key FIELDS numfields field [field ...]`: seconds left, rounded up. O(fields).
fn httl(ctx: &mut Ctx<'_>) -> CmdResult {
    times(ctx, |at, now| (at + 999 - now) / 1000)
}

/// `HPTTL key FIELDS numfields field [field ...]`: milliseconds left. O(fields).
fn hpttl(ctx: &mut Ctx<'_>) -> CmdResult {
    times(ctx, |at, now| at - now)
}

/// `HEXPIRETIME key FIELDS numfields field [field ...]`: the date in seconds, rounded up.
/// O(fields).
fn hexpiretime(ctx: &mut Ctx<'_>) -> CmdResult {
    times(ctx, |at, _| (at + 999) / 1000)
}

/// `HPEXPIRETIME key FIELDS numfields field [field ...]`: the date in milliseconds. O(fields).
fn hpexpiretime(ctx: &mut Ctx<'_>) -> CmdResult {
    times(ctx, |at, _| at)
}

fn times(ctx: &mut Ctx<'_>, show: fn(at: i64, now: i64) -> i64) -> CmdResult {
    let (argv, now) = (ctx.argv, ctx.env.now_ms);
    // Compat: a key of another type is reported before bad arguments are.
    ctx.db.peek_as::<Hash>(argv.at(1))?;
    let fields = named(argv, 2, NOT_POSITIVE)?;
    with_hash(ctx, &[], |reply, hash| {
        reply.array(fields.len());
        for field in fields {
            reply.int(match hash.and_then(|hash| hash.find(field)) {
                None => NO_FIELD,
                Some((_, None)) => NO_TIME,
                Some((_, Some(at))) => show(at, now),
            });
        }
    })
}

/// `HPERSIST key FIELDS numfields field [field ...]`: takes the times away. O(fields).
fn hpersist(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, env, .. } = ctx;
    let key = argv.at(1);
    db.touch_as::<Hash>(key, fx)?;
    let fields = named(*argv, 2, NOT_POSITIVE)?;
    reply.array(fields.len());
    let Some(mut hash) = db.find_open::<Hash>(key, fx)? else {
        fields.iter().for_each(|_| reply.int(NO_FIELD));
        return Ok(Flow::Done);
    };
    let due = is_due(hash.view(), env);
    let mut persisted = false;
    for field in fields {
        reply.int(match hash.view().find(field) {
            None => NO_FIELD,
            Some((_, None)) => NO_TIME,
            Some((_, Some(at))) if due && at < env.now_ms => NO_FIELD,
            Some(_) => {
                hash.set_expire(field, None);
                persisted = true;
                1
            }
        });
    }
    drop(hash);
    if persisted {
        fx.event(EV_HASH, "hpersist", key);
        fx.modified(key);
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_compare_with_an_infinite_default() {
        assert!(Only::Later.allows(Some(5), 6) && !Only::Later.allows(Some(5), 5));
        assert!(!Only::Later.allows(None, 9));
        assert!(Only::Sooner.allows(None, 9) && !Only::Sooner.allows(Some(9), 9));
        assert!(Only::of(b"Nx").allows(None, 1) && !Only::of(b"nX").allows(Some(1), 1));
        assert!(Only::of(b"xx").allows(Some(1), 1) && !Only::of(b"xx").allows(None, 1));
    }
}
