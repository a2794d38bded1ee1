//! String commands on several keys: MGET, MSET, MSETNX, MSETEX.

use crate::commands::arg::{self, ExpireArg, Options};
use crate::commands::string::{propagate_set, reply_value};
use crate::commands::{CmdResult, Ctx, DataRow, Flow};
use crate::keyspace::db::AHEAD;
use crate::keyspace::effects::{EV_GENERIC, EV_STRING};
use crate::keyspace::store::{Expire, SetValue};
use crate::resp::errors::{self, CmdError};
use crate::value::Type;

pub(crate) const COMMANDS: &[DataRow] =
    &[("mget", mget), ("mset", mset), ("msetnx", msetnx), ("msetex", msetex)];

/// `MGET key [key ...]`. O(keys). A key that holds no string reads as absent.
fn mget(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    reply.array(argv.len() - 1);
    for group in argv.from(1).chunks(AHEAD) {
        for key in db.look_ahead(group.iter().copied()).iter() {
            match db.read_at(key, fx) {
                Some(entry) if entry.value_type() == Type::String => reply_value(reply, entry),
                _ => reply.null(),
            }
        }
    }
    Ok(Flow::Done)
}

fn pairs<'a>(args: &'a [&'a [u8]], command: &str) -> Result<&'a [[&'a [u8]; 2]], CmdError> {
    let (pairs, rest) = args.as_chunks::<2>();
    if rest.is_empty() { Ok(pairs) } else { Err(errors::wrong_arity(command)) }
}

/// `MSET key value [key value ...]`. O(pairs).
fn mset(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    for group in pairs(argv.from(1), "mset")?.chunks(AHEAD) {
        let ahead = db.look_ahead(group.iter().map(|pair| pair[0]));
        for (key, [_, value]) in ahead.iter().zip(group) {
            db.set_at(key, SetValue::Bytes(value), Expire::None, fx);
            fx.modified(key.bytes);
            fx.event(EV_STRING, "set", key.bytes);
        }
    }
    reply.ok();
    Ok(Flow::Done)
}

/// `MSETNX key value [key value ...]`: all of them or, if one exists, none. O(pairs).
fn msetnx(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let pairs = pairs(argv.from(1), "msetnx")?;
    if pairs.iter().any(|[key, _]| db.touch(key, fx).is_some()) {
        reply.int(0);
        return Ok(Flow::Done);
    }
    for [key, value] in pairs {
        db.set_touched(key, SetValue::Bytes(value), Expire::None, fx);
        fx.modified(key);
        fx.event(EV_STRING, "set", key);
    }
    reply.int(1);
    Ok(Flow::Done)
}

/// `MSETEX numkeys key value [key value ...] [NX|XX] [EX s|PX ms|EXAT s|PXAT ms|KEEPTTL]`.
///
/// Sets all keys with one time to live, or none if the condition fails for one. O(pairs).
fn msetex(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, env, .. } = ctx;
    let count = arg::int_in(argv.at(1), 1, i64::from(i32::MAX), "invalid numkeys value")? as usize;
    let end = 2 + 2 * count;
    if argv.len() < end {
        return Err(errors::wrong_arity("msetex"));
    }
    let (pairs, _) = argv.from(2)[..2 * count].as_chunks::<2>();
    let (mut only_if, mut keep_ttl, mut expire) = (None, false, None::<ExpireArg<'_>>);
    let mut options = Options::new(*argv, end);
    while let Some(word) = options.next() {
        if arg::is(word, "nx") && only_if != Some(true) {
            only_if = Some(false);
        } else if arg::is(word, "xx") && only_if != Some(false) {
            only_if = Some(true);
        } else if arg::is(word, "keepttl") && expire.is_none() {
            keep_ttl = true;
        } else if let Some((seconds, when)) = ExpireArg::from_word(word)
            && !keep_ttl
            && expire.is_none()
        {
            expire = Some(ExpireArg { text: options.value()?, seconds, when });
        } else {
            return Err(errors::SYNTAX);
        }
    }
    let at = expire.map(|e| e.at_ms(env, "msetex")).transpose()?;
    if let Some(present) = only_if
        && pairs.iter().any(|[key, _]| db.touch(key, fx).is_some() != present)
    {
        reply.int(0);
        return Ok(Flow::Done);
    }
    let mode = match at {
        Some(at) => Expire::At(at),
        None if keep_ttl => Expire::Keep,
        None => Expire::None,
    };
    for [key, value] in pairs {
        match only_if {
            Some(_) => db.set_touched(key, SetValue::Bytes(value), mode, fx),
            None => db.set(key, SetValue::Bytes(value), mode, fx),
        }
        fx.modified(key);
        fx.event(EV_STRING, "set", key);
        if at.is_some() {
            fx.event(EV_GENERIC, "expire", key);
        }
        // Every server understands plain SETs, whatever its version.
        match mode {
            Expire::At(at) => {
                propagate_set(fx, key, value, at);
                fx.also_rewritten();
            }
            Expire::Keep => fx.also(&[b"SET", key, value, b"KEEPTTL"]),
            Expire::None => fx.also(&[b"SET", key, value]),
        }
    }
    fx.dont_propagate();
    reply.int(1);
    Ok(Flow::Done)
}
