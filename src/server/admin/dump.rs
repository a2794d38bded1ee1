//! DUMP and RESTORE: one value as bytes, the format of a snapshot with a footer.

use crate::commands::{CmdResult, Flow, arg};
use crate::keyspace::db::DbMut;
use crate::keyspace::effects::{EV_GENERIC, Effects, Why};
use crate::keyspace::env::{Env, Expiry};
use crate::persist::dump::{self, DumpError};
use crate::resp::argv::Argv;
use crate::resp::errors::{self, CmdError};
use crate::server::jobs::save::target_version;
use crate::server::parts::ServerRow;
use crate::server::parts::{Call, Server};

pub(crate) const COMMANDS: &[ServerRow] =
    &[("dump", dump_command), ("restore", restore), ("restore-asking", restore)];

/// `DUMP key`. O(size of the value). Joins: keyspace, persist.
fn dump_command(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let Call { argv, reply, fx, env, .. } = call;
    let version = target_version(&srv.cfg);
    let compression = srv.cfg.snapshot.compression;
    let lazy = srv.lazyfree;
    let mut db = DbMut::new(srv.ks.db_mut(env.db as usize), env, None, lazy);
    match db.read(argv.at(1), fx) {
        Some(entry) => reply.bulk(&dump::dump(entry, version, compression)),
        None => reply.null(),
    }
    Ok(Flow::Done)
}

#[derive(Default)]
struct Options {
    replace: bool,
    absolute: bool,
    access: Option<u32>,
}

impl Options {
    fn parse(argv: Argv<'_>, env: &Env) -> Result<Options, CmdError> {
        let mut o = Options::default();
        let (mut idle, mut freq) = (None, None);
        let mut words = arg::Options::new(argv, 4);
        while let Some(word) = words.next() {
            if arg::is(word, "replace") {
                o.replace = true;
            } else if arg::is(word, "absttl") {
                o.absolute = true;
            } else if arg::is(word, "idletime") && words.remaining() > 0 && freq.is_none() {
                let text = "Invalid IDLETIME value, must be >= 0";
                idle = Some(arg::int_from_0(words.value()?, text)?);
            } else if arg::is(word, "freq") && words.remaining() > 0 && idle.is_none() {
                let text = "Invalid FREQ value, must be >= 0 and <= 255";
                let n = arg::int(words.value()?)?;
                freq = Some(n).filter(|n| (0..=255).contains(n));
                freq.ok_or_else(|| CmdError::err(text))?;
            } else {
                return Err(errors::SYNTAX);
            }
        }
        // Each is kept only under a policy that uses it.
        o.access = match (env.lfu, idle, freq) {
            (Some(_), _, Some(freq)) => Some((env.lru_clock & 0xffff) << 8 | freq as u32),
            (None, Some(idle), _) => {
                Some((i64::from(env.lru_clock) - idle.min(0xff_ffff)) as u32 & 0xff_ffff)
            }
            _ => None,
        };
        Ok(o)
    }
}

/// `RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME s] [FREQ n]`. O(size of the value).
/// Joins: keyspace, persist.
fn restore(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let argv = call.argv;
    let o = Options::parse(argv, &call.env)?;
    let key = argv.at(1);
    let (limits, lazy) = (srv.limits.clone(), srv.lazyfree);
    let Call { reply, fx, env, .. } = call;
    let mut db = DbMut::new(srv.ks.db_mut(env.db as usize), env, None, lazy);
    if !o.replace && db.touch(key, fx).is_some() {
        return Err(errors::BUSY_KEY);
    }
    let ttl = arg::int(argv.at(2))?;
    if ttl < 0 {
        return Err(CmdError::new("ERR Invalid TTL value, must be >= 0"));
    }
    let value =
        dump::restore(argv.at(3), srv.debug.verify_checksum, &limits).map_err(|e| match e {
            DumpError::Footer => CmdError::new("ERR DUMP payload version or checksum are wrong"),
            DumpError::Format(why) => {
                crate::log!(Warning, "Bad data in a RESTORE payload: {why}");
                CmdError::new("ERR Bad data format")
            }
        })?;
    // Compat: a key that is past its time is replaced, too; nobody hears of its expiry.
    let replaced = o.replace && db.delete(key, Why::Overwrite, fx);
    let at = match (ttl, o.absolute) {
        (0, _) => None,
        (at, true) => Some(at),
        (ttl, false) => Some(ttl.saturating_add(env.now_ms)),
    };
    if at.is_some_and(|at| at <= env.now_ms) && env.expiry == Expiry::Delete {
        // It has expired on its way here. The key that it replaces is deleted even so.
        if replaced {
            fx.modified(key);
            fx.event(EV_GENERIC, "del", key);
            fx.rewrite(&[lazy.word(Why::Overwrite), key]);
        }
        reply.ok();
        return Ok(Flow::Done);
    }
    db.add(key, value, at, o.access, fx);
    fx.modified(key);
    fx.event(EV_GENERIC, "restore", key);
    if let Some(at) = at.filter(|_| !o.absolute) {
        propagate_absolute(argv, at, fx);
    }
    reply.ok();
    Ok(Flow::Done)
}

/// The stream holds dates, not durations.
fn propagate_absolute(argv: Argv<'_>, at: i64, fx: &mut Effects) {
    let date = at.to_string();
    let mut rewritten = argv.to_vec();
    rewritten[2] = date.as_bytes();
    rewritten.push(b"ABSTTL");
    fx.rewrite(&rewritten);
}
