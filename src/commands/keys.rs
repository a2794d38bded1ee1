//! Commands on keys whatever they hold: delete, rename, list, pick.

use crate::commands::{CmdResult, Ctx, DataRow, Flow};
use crate::keyspace::db::AHEAD;
use crate::keyspace::effects::{EV_GENERIC, Why};
use crate::keyspace::env::Expiry;
use crate::resp::errors;
use crate::util::glob;

pub(crate) const COMMANDS: &[DataRow] = &[
    ("del", del),
    ("unlink", unlink),
    ("rename", rename),
    ("renamenx", renamenx),
    ("randomkey", randomkey),
    ("keys", keys),
    ("dbsize", dbsize),
];

/// `DEL key [key ...]`. O(keys), and O(elements) of each large value unless freed lazily.
fn del(ctx: &mut Ctx<'_>) -> CmdResult {
    remove(ctx, Why::Del)
}

/// `UNLINK key [key ...]`: DEL that frees large values on a helper thread. O(keys).
fn unlink(ctx: &mut Ctx<'_>) -> CmdResult {
    remove(ctx, Why::Unlink)
}

fn remove(ctx: &mut Ctx<'_>, why: Why) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let mut removed = 0;
    for group in argv.from(1).chunks(AHEAD) {
        for key in db.look_ahead(group.iter().copied()).iter() {
            if db.delete_live_at(key, why, fx) {
                fx.modified(key.bytes);
                fx.event(EV_GENERIC, "del", key.bytes);
                removed += 1;
            }
        }
    }
    reply.int(removed);
    Ok(Flow::Done)
}

/// `RENAME key newkey`. O(1), and the cost of freeing what `newkey` held.
fn rename(ctx: &mut Ctx<'_>) -> CmdResult {
    if move_key(ctx, true)? {
        ctx.reply.ok();
    }
    Ok(Flow::Done)
}

/// `RENAMENX key newkey`: only if `newkey` is free. O(1).
fn renamenx(ctx: &mut Ctx<'_>) -> CmdResult {
    let moved = move_key(ctx, false)?;
    ctx.reply.int(i64::from(moved));
    Ok(Flow::Done)
}

fn move_key(ctx: &mut Ctx<'_>, replace: bool) -> Result<bool, errors::CmdError> {
    let Ctx { db, argv, fx, .. } = ctx;
    let (from, to) = (argv.at(1), argv.at(2));
    if db.touch(from, fx).is_none() {
        return Err(errors::NO_SUCH_KEY);
    }
    if from == to {
        return Ok(replace);
    }
    let occupied = db.touch(to, fx).is_some();
    if occupied && !replace {
        return Ok(false);
    }
    let (value, expire, _) = db.take(from).expect("the key was just there");
    // The value at `to` is removed first, so that storing counts as a new key and wakes clients
    // that wait for it. The access data of the old name is forgotten, as in Redis 7.2.
    db.delete(to, Why::Overwrite, fx);
    db.add(to, value, expire, None, fx);
    fx.touched(from);
    fx.modified(to);
    fx.event(EV_GENERIC, "rename_from", from);
    fx.event(EV_GENERIC, "rename_to", to);
    Ok(true)
}

/// `RANDOMKEY`. O(1).
fn randomkey(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, reply, fx, env, .. } = ctx;
    let mut draw = crate::util::rand::generator(env.random);
    // A replica can't delete expired keys. After so many tries it shows one.
    for tries in 0.. {
        let Some(entry) = db.random(&mut draw) else { break };
        let key = entry.key().to_vec();
        if db.peek(&key).is_some() || tries > 100 {
            reply.bulk(&key);
            return Ok(Flow::Done);
        }
        if env.expiry == Expiry::Delete {
            db.expire(&key, fx);
        }
    }
    reply.null();
    Ok(Flow::Done)
}

/// `KEYS pattern`. O(all keys): for looking around, not for programs.
fn keys(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, .. } = ctx;
    let pattern = argv.at(1);
    let every = pattern == b"*";
    let at = reply.begin_array();
    let mut count = 0;
    db.for_each_live(|entry| {
        if !reply.is_too_long() && (every || glob::matches(pattern, entry.key(), false)) {
            reply.bulk(entry.key());
            count += 1;
        }
    });
    reply.end_array(at, count);
    Ok(Flow::Done)
}

/// `DBSIZE`. O(1). Keys past their time that are not yet gone are counted.
fn dbsize(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, reply, .. } = ctx;
    reply.len_int(db.len());
    Ok(Flow::Done)
}
