//! What is known of a key: EXISTS, TYPE, TOUCH, OBJECT.

use crate::commands::{CmdResult, Ctx, DataRow, Flow};
use crate::keyspace::db::AHEAD;
use crate::keyspace::entry::Entry;
use crate::resp::errors::CmdError;
use crate::value::ValueRef;

pub(crate) const COMMANDS: &[DataRow] = &[
    ("exists", exists),
    ("touch", touch),
    ("type", type_),
    ("object|encoding", object_encoding),
    ("object|freq", object_freq),
    ("object|idletime", object_idletime),
    ("object|refcount", object_refcount),
];

/// References that a shared small integer is shown with.
const SHARED: i64 = i32::MAX as i64;
/// Integers below this one are shared objects in Redis.
const SHARED_BELOW: i64 = 10_000;

/// `EXISTS key [key ...]`: how many exist, a key named twice counting twice. O(keys).
fn exists(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let mut count = 0;
    for group in argv.from(1).chunks(AHEAD) {
        let ahead = db.look_ahead(group.iter().copied());
        count += ahead.iter().filter(|key| db.count_at(*key, fx).is_some()).count();
    }
    reply.len_int(count);
    Ok(Flow::Done)
}

/// `TOUCH key [key ...]`: marks an access of each; how many exist. O(keys).
fn touch(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let mut count = 0;
    for group in argv.from(1).chunks(AHEAD) {
        let ahead = db.look_ahead(group.iter().copied());
        count += ahead.iter().filter(|key| db.read_at(*key, fx).is_some()).count();
    }
    reply.len_int(count);
    Ok(Flow::Done)
}

/// `TYPE key`. O(1).
fn type_(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let found = db.count(argv.at(1), fx);
    reply.status(found.map_or("none", |e| e.value_type().name()));
    Ok(Flow::Done)
}

fn looked_up(
    ctx: &mut Ctx<'_>,
    f: impl FnOnce(&Entry, &Ctx<'_>) -> Result<Answer, CmdError>,
) -> CmdResult {
    let key = ctx.argv.at(2);
    let there = ctx.db.find(key, ctx.fx).is_some();
    // It counts as a read, though there is no event for a miss.
    match there {
        true => ctx.fx.counters.hits += 1,
        false => ctx.fx.counters.misses += 1,
    }
    if !there {
        ctx.reply.null();
        return Ok(Flow::Done);
    }
    let entry = ctx.db.peek(key).expect("the key was just there");
    match f(entry, ctx)? {
        Answer::Text(text) => ctx.reply.bulk_str(text),
        Answer::Number(n) => ctx.reply.int(n),
    }
    Ok(Flow::Done)
}

enum Answer {
    Text(&'static str),
    Number(i64),
}

/// `OBJECT ENCODING key`. O(1).
fn object_encoding(ctx: &mut Ctx<'_>) -> CmdResult {
    looked_up(ctx, |entry, _| Ok(Answer::Text(entry.encoding().name())))
}

/// `OBJECT REFCOUNT key`. O(1). Values are never shared here; small integers say so as in Redis.
fn object_refcount(ctx: &mut Ctx<'_>) -> CmdResult {
    looked_up(ctx, |entry, ctx| {
        Ok(Answer::Number(match entry.value() {
            ValueRef::Int(n) if (0..SHARED_BELOW).contains(&n) && !ctx.limits.private_ints => {
                SHARED
            }
            _ => 1,
        }))
    })
}

/// `OBJECT IDLETIME key`: seconds since the last access, to 1 s. O(1).
fn object_idletime(ctx: &mut Ctx<'_>) -> CmdResult {
    looked_up(ctx, |entry, ctx| match ctx.env.lfu {
        Some(_) => Err(CmdError::new(
            "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when \
             switching between policies at runtime LRU and LFU data will take some time to adjust.",
        )),
        None => Ok(Answer::Number(i64::from(idle_seconds(entry.lru(), ctx.env.lru_clock)))),
    })
}

/// Seconds between two readings of the 24-bit LRU clock.
pub(crate) fn idle_seconds(access: u32, clock: u32) -> u32 {
    clock.wrapping_sub(access) & 0xff_ffff
}

/// `OBJECT FREQ key`: the logarithmic access counter. O(1).
fn object_freq(ctx: &mut Ctx<'_>) -> CmdResult {
    looked_up(ctx, |entry, ctx| match ctx.env.lfu {
        None => Err(CmdError::new(
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note \
             that when switching between policies at runtime LRU and LFU data will take some time \
             to adjust.",
        )),
        Some(lfu) => Ok(Answer::Number(i64::from(lfu.decayed(entry.lru(), ctx.env.lru_clock)))),
    })
}
