//! Set commands on one key, and SMOVE. Random members are in `random`, operations on several sets
//! in `algebra`.

pub(crate) mod algebra;
pub(crate) mod random;

use crate::commands::arg::Options;
use crate::commands::scan::{self, Also, ScanOptions};
use crate::commands::{CmdResult, Ctx, DataRow, Flow};
use crate::ds::listpack::{Item, Scratch};
use crate::keyspace::effects::{EV_GENERIC, EV_SET, Effects, Why};
use crate::resp::reply::Reply;
use crate::util::glob;
use crate::value::set::{Set, SetRef};
use crate::value::{Collection, View};

pub(crate) const COMMANDS: &[DataRow] = &[
    ("sadd", sadd),
    ("srem", srem),
    ("sismember", sismember),
    ("smismember", smismember),
    ("scard", scard),
    ("smove", smove),
    ("smembers", smembers),
    ("sscan", sscan),
];

/// The value changed in `n` places.
fn changed(fx: &mut Effects, key: &[u8], n: usize) {
    fx.dirty += n as u64;
    fx.touched(key);
}

/// Writes a member as a bulk string.
#[inline]
fn reply_item(reply: &mut Reply, item: Item<'_>) {
    match item {
        Item::Int(n) => reply.bulk_int(n),
        Item::Str(text) => reply.bulk(text),
    }
}

/// Writes a whole set.
fn reply_set(reply: &mut Reply, set: SetRef<'_>) {
    reply.set(set.len());
    set.iter().for_each(|item| reply_item(reply, item));
}

/// `SADD key member [member ...]`. O(members).
fn sadd(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, limits, .. } = ctx;
    let (key, members, limits) = (argv.at(1), argv.from(2), limits.set());
    let make = || Set::for_member(members[0], members.len(), &limits);
    let mut set = db.touch_or_new(key, fx, make)?;
    set.expect(members.len(), &limits);
    let added = set.insert_all(members, &limits);
    if added > 0 {
        changed(fx, key, added);
        fx.event(EV_SET, "sadd", key);
    }
    reply.len_int(added);
    Ok(Flow::Done)
}

/// `SREM key member [member ...]`. O(members).
fn srem(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let key = argv.at(1);
    let Some(mut set) = db.touch_open::<Set>(key, fx)? else {
        reply.int(0);
        return Ok(Flow::Done);
    };
    let mut removed = 0;
    for member in argv.from(2) {
        if set.remove(member) {
            removed += 1;
            if set.is_empty() {
                break;
            }
        }
    }
    let emptied = set.is_empty();
    drop(set);
    if removed > 0 {
        changed(fx, key, removed);
        fx.event(EV_SET, "srem", key);
    }
    if emptied {
        db.delete(key, Why::Overwrite, fx);
        fx.event(EV_GENERIC, "del", key);
    }
    reply.len_int(removed);
    Ok(Flow::Done)
}

/// `SISMEMBER key member`. O(1).
fn sismember(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let found = db.read_as::<Set>(argv.at(1), fx)?.is_some_and(|set| set.contains(argv.at(2)));
    reply.int(i64::from(found));
    Ok(Flow::Done)
}

/// `SMISMEMBER key member [member ...]`. O(members).
fn smismember(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let set = db.read_as::<Set>(argv.at(1), fx)?;
    let members = argv.from(2);
    reply.array(members.len());
    for member in members {
        reply.int(i64::from(set.is_some_and(|set| set.contains(member))));
    }
    Ok(Flow::Done)
}

/// `SCARD key`. O(1).
fn scard(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    reply.len_int(db.read_as::<Set>(argv.at(1), fx)?.map_or(0, View::len));
    Ok(Flow::Done)
}

/// `SMOVE source destination member`. O(1).
fn smove(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, limits, .. } = ctx;
    let (from, to, member) = (argv.at(1), argv.at(2), argv.at(3));
    // Both keys are looked up before a wrong type is refused.
    let source = db.touch_as::<Set>(from, fx).map(|set| set.map(|set| set.contains(member)));
    let target = db.touch_as::<Set>(to, fx).map(|_| ());
    let Some(there) = source? else {
        reply.int(0);
        return Ok(Flow::Done);
    };
    target?;
    if !there || from == to {
        reply.int(i64::from(there));
        return Ok(Flow::Done);
    }
    let emptied = db.find_open::<Set>(from, fx)?.is_some_and(|mut set| {
        set.remove(member);
        set.is_empty()
    });
    fx.event(EV_SET, "srem", from);
    if emptied {
        db.delete(from, Why::Overwrite, fx);
        fx.event(EV_GENERIC, "del", from);
    }
    let limits = limits.set();
    let mut target = db.find_or_new(to, fx, || Set::for_member(member, 1, &limits))?;
    let added = target.insert(member, &limits);
    fx.modified(from);
    if added {
        fx.modified(to);
        fx.event(EV_SET, "sadd", to);
    }
    reply.int(1);
    Ok(Flow::Done)
}

/// `SMEMBERS key`. O(members).
fn smembers(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    match db.read_as::<Set>(argv.at(1), fx)? {
        Some(set) => reply_set(reply, set),
        None => reply.set(0),
    }
    Ok(Flow::Done)
}

/// `SSCAN key cursor [MATCH pattern] [COUNT count]`. O(count) a call; small sets come at once.
fn sscan(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let mut at = scan::cursor(argv.at(2))?;
    let Some(set) = db.read_as::<Set>(argv.at(1), fx)? else {
        scan::reply_nothing(reply);
        return Ok(Flow::Done);
    };
    let o = ScanOptions::parse(Options::new(*argv, 3), Also::Nothing)?;
    let wanted = |text: &[u8]| o.pattern.is_none_or(|p| glob::matches(p, text, false));
    let mut found = Vec::new();
    match set.as_table() {
        Some(members) => {
            at = o.steps(at, |at, seen| {
                members.scan(at, |member| {
                    *seen += 1;
                    if wanted(member.key()) {
                        found.push(Item::Str(member.key()));
                    }
                })
            });
        }
        None => {
            at = 0;
            found.extend(set.iter().filter(|item| wanted(item.bytes(&mut Scratch::default()))));
        }
    }
    reply.array(2);
    reply.bulk_str(at.to_string());
    reply.array(found.len());
    found.into_iter().for_each(|item| reply_item(reply, item));
    Ok(Flow::Done)
}
