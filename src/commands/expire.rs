//! Time to live: the EXPIRE family, TTL and friends, PERSIST.
//!
//! The four commands that set a time differ in what their number means (`Form`) and share
//! `set_expire`; the four that show it share `time_left`.
//!
//! `set_expire` reads the conditions, then the number, then looks the key up: clients see which
//! error comes first. A date that has passed deletes the key at once, if this server decides about
//! expiry (`Env::expiry`); otherwise it is stored like any other, and the one who decides deletes
//! the key.
//!
//! Files and replicas get PEXPIREAT with the date in milliseconds, or the deletion, so that it does
//! not matter when they run it.

use crate::commands::arg::{self, Options};
use crate::commands::{CmdResult, Ctx, DataRow, Flow};
use crate::keyspace::effects::{EV_GENERIC, Why};
use crate::keyspace::env::Expiry;
use crate::resp::errors::{self, CmdError};

pub(crate) const COMMANDS: &[DataRow] = &[
    ("expire", expire),
    ("pexpire", pexpire),
    ("expireat", expireat),
    ("pexpireat", pexpireat),
    ("ttl", ttl),
    ("pttl", pttl),
    ("expiretime", expiretime),
    ("pexpiretime", pexpiretime),
    ("persist", persist),
];

/// How the second argument of an EXPIRE command is meant.
#[derive(Clone, Copy)]
struct Form {
    name: &'static str,
    seconds: bool,
    relative: bool,
}

/// `EXPIRE key seconds [NX|XX|GT|LT]`. O(1).
fn expire(ctx: &mut Ctx<'_>) -> CmdResult {
    set_expire(ctx, Form { name: "expire", seconds: true, relative: true })
}

/// `PEXPIRE key milliseconds [NX|XX|GT|LT]`. O(1).
fn pexpire(ctx: &mut Ctx<'_>) -> CmdResult {
    set_expire(ctx, Form { name: "pexpire", seconds: false, relative: true })
}

/// `EXPIREAT key unix-time-seconds [NX|XX|GT|LT]`. O(1).
fn expireat(ctx: &mut Ctx<'_>) -> CmdResult {
    set_expire(ctx, Form { name: "expireat", seconds: true, relative: false })
}

/// `PEXPIREAT key unix-time-milliseconds [NX|XX|GT|LT]`. O(1).
fn pexpireat(ctx: &mut Ctx<'_>) -> CmdResult {
    set_expire(ctx, Form { name: "pexpireat", seconds: false, relative: false })
}

#[derive(Default)]
struct Conditions {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
}

impl Conditions {
    fn parse(options: Options<'_>) -> Result<Conditions, CmdError> {
        let mut c = Conditions::default();
        for word in options {
            match arg::lower(word).as_slice() {
                b"nx" => c.nx = true,
                b"xx" => c.xx = true,
                b"gt" => c.gt = true,
                b"lt" => c.lt = true,
                _ => {
                    return Err(CmdError::err(
                        [b"Unsupported option ", errors::shown(word)].concat(),
                    ));
                }
            }
        }
        if c.nx && (c.xx || c.gt || c.lt) {
            return Err(CmdError::new(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if c.gt && c.lt {
            return Err(CmdError::new("ERR GT and LT options at the same time are not compatible"));
        }
        Ok(c)
    }

    /// Whether a key that expires at `old` (None: never) may be given the time `new`.
    fn allow(&self, old: Option<i64>, new: i64) -> bool {
        !(self.nx && old.is_some()
            || self.xx && old.is_none()
            // No time to live counts as an infinite one.
            || self.gt && old.is_none_or(|old| new <= old)
            || self.lt && old.is_some_and(|old| new >= old))
    }
}

fn date(text: &[u8], form: Form, now_ms: i64) -> Result<i64, CmdError> {
    let n = arg::int(text)?;
    let invalid = || errors::invalid_expire(form.name);
    let ms = if form.seconds { n.checked_mul(1000).ok_or_else(invalid)? } else { n };
    if form.relative { ms.checked_add(now_ms).ok_or_else(invalid) } else { Ok(ms) }
}

fn set_expire(ctx: &mut Ctx<'_>, form: Form) -> CmdResult {
    let Ctx { db, argv, reply, fx, env, .. } = ctx;
    let key = argv.at(1);
    let conditions = Conditions::parse(Options::new(*argv, 3))?;
    let at = date(argv.at(2), form, env.now_ms)?;
    let Some(mut entry) = db.touch(key, fx) else {
        reply.int(0);
        return Ok(Flow::Done);
    };
    if !conditions.allow(entry.expire_ms(), at) {
        reply.int(0);
        return Ok(Flow::Done);
    }
    if at <= env.now_ms && env.expiry == Expiry::Delete {
        db.delete(key, Why::Expire, fx);
        fx.rewrite(&[db.deletion(Why::Expire), key]);
        fx.modified(key);
        fx.event(EV_GENERIC, "del", key);
        reply.int(1);
        return Ok(Flow::Done);
    }
    entry.set_expire(Some(at));
    fx.modified(key);
    fx.event(EV_GENERIC, "expire", key);
    if form.relative || form.seconds {
        let date = at.to_string();
        let mut rewritten = argv.to_vec();
        rewritten[0] = b"PEXPIREAT";
        rewritten[2] = date.as_bytes();
        fx.rewrite(&rewritten);
    }
    reply.int(1);
    Ok(Flow::Done)
}

/// `TTL key`: seconds left, -1 without a time to live, -2 without the key. O(1).
fn ttl(ctx: &mut Ctx<'_>) -> CmdResult {
    time_left(ctx, |at, now| ((at - now).max(0) + 500) / 1000)
}

/// `PTTL key`: milliseconds left. O(1).
fn pttl(ctx: &mut Ctx<'_>) -> CmdResult {
    time_left(ctx, |at, now| (at - now).max(0))
}

/// `EXPIRETIME key`: the date in seconds. O(1).
fn expiretime(ctx: &mut Ctx<'_>) -> CmdResult {
    time_left(ctx, |at, _| at.saturating_add(500) / 1000)
}

/// `PEXPIRETIME key`: the date in milliseconds. O(1).
fn pexpiretime(ctx: &mut Ctx<'_>) -> CmdResult {
    time_left(ctx, |at, _| at)
}

fn time_left(ctx: &mut Ctx<'_>, show: fn(at: i64, now: i64) -> i64) -> CmdResult {
    let Ctx { db, argv, reply, fx, env, .. } = ctx;
    let found = db.count(argv.at(1), fx).map(|e| e.expire_ms());
    reply.int(match found {
        None => -2,
        Some(None) => -1,
        Some(Some(at)) => show(at, env.now_ms),
    });
    Ok(Flow::Done)
}

/// `PERSIST key`: removes the time to live. O(1).
fn persist(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let key = argv.at(1);
    let entry = db.touch(key, fx).filter(|entry| entry.expire_ms().is_some());
    let removed = entry.map(|mut entry| entry.set_expire(None)).is_some();
    if removed {
        fx.modified(key);
        fx.event(EV_GENERIC, "persist", key);
    }
    reply.int(i64::from(removed));
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_compare_with_an_infinite_default() {
        let gt = Conditions { gt: true, ..Conditions::default() };
        assert!(gt.allow(Some(5), 6) && !gt.allow(Some(5), 5) && !gt.allow(None, 9));
        let lt = Conditions { lt: true, ..Conditions::default() };
        assert!(lt.allow(None, 9) && lt.allow(Some(9), 8) && !lt.allow(Some(9), 9));
        let nx = Conditions { nx: true, ..Conditions::default() };
        assert!(nx.allow(None, 1) && !nx.allow(Some(1), 1));
    }

    #[test]
    fn dates_that_do_not_fit_are_refused() {
        let seconds = Form { name: "expire", seconds: true, relative: true };
        assert!(date(b"9223372036854775807", seconds, 1).is_err());
        assert!(date(b"-9223372036854775808", seconds, 1).is_err());
        assert!(date(b"9223372036854775807", Form { seconds: false, ..seconds }, 1).is_err());
        assert_eq!(date(b"-1", seconds, 5000), Ok(4000));
    }
}
