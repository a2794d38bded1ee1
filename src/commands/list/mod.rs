//! List commands on one key. Those on several keys are in `pop` (LMPOP and the blocking ones) and
//! `moves` (LMOVE).

mod moves;
mod pop;
mod pos;

use crate::commands::arg;
use crate::commands::{CmdResult, Ctx, DataRow, Flow};
use crate::ds::listpack::{Item, Needle};
use crate::ds::pack::End;
use crate::ds::quicklist::Side;
use crate::keyspace::db::DbMut;
use crate::keyspace::effects::{EV_GENERIC, EV_LIST, Effects, Why};
use crate::resp::errors::{self, CmdError};
use crate::resp::reply::Reply;
use crate::value::list::List;

pub(crate) const COMMANDS: &[DataRow] = &[
    ("lpush", lpush),
    ("rpush", rpush),
    ("lpushx", lpushx),
    ("rpushx", rpushx),
    ("lpop", lpop),
    ("rpop", rpop),
    ("llen", llen),
    ("lindex", lindex),
    ("lrange", lrange),
    ("lset", lset),
    ("linsert", linsert),
    ("lrem", lrem),
    ("ltrim", ltrim),
    ("lpos", pos::lpos),
    ("lmove", moves::lmove),
    ("rpoplpush", moves::rpoplpush),
    ("blmove", moves::blmove),
    ("brpoplpush", moves::brpoplpush),
    ("lmpop", pop::lmpop),
    ("blmpop", pop::blmpop),
    ("blpop", pop::blpop),
    ("brpop", pop::brpop),
];

/// A new list gets room for the first elements, up to so many bytes.
const ROOM_MAX: usize = 4 << 10;

/// Writes an element.
#[inline]
fn reply_item(reply: &mut Reply, item: Item<'_>) {
    match item {
        Item::Str(text) => reply.bulk(text),
        Item::Int(int) => reply.bulk_int(int),
    }
}

/// Writes `n` elements of a list, from `index` on, away from the end `from`. They must be there.
fn reply_range(reply: &mut Reply, list: &List, index: usize, from: End, mut n: usize) {
    reply.array(n);
    let mut bulks = reply.bulks();
    list.walk(index, from, &mut |item| {
        match item {
            Item::Str(text) => bulks.push(text),
            Item::Int(int) => bulks.push_int(int),
        }
        n -= 1;
        n > 0
    });
}

/// Records that `n` elements were added at one end.
#[inline]
fn pushed(fx: &mut Effects, key: &[u8], end: End, n: usize) {
    fx.dirty += n as u64 - 1;
    fx.modified(key);
    let event = if end == End::Front { "lpush" } else { "rpush" };
    fx.event(EV_LIST, event, key);
}

/// Records that `n` elements were taken off one end, and deletes the key if that `emptied` the
/// list.
#[inline]
fn popped(db: &mut DbMut<'_>, fx: &mut Effects, key: &[u8], end: End, n: usize, emptied: bool) {
    fx.event(EV_LIST, if end == End::Front { "lpop" } else { "rpop" }, key);
    if emptied {
        delete(db, fx, key);
    }
    fx.dirty += n as u64 - 1;
    fx.modified(key);
}

/// A list without elements is deleted.
#[cold]
fn delete(db: &mut DbMut<'_>, fx: &mut Effects, key: &[u8]) {
    db.delete(key, Why::Overwrite, fx);
    fx.event(EV_GENERIC, "del", key);
}

/// The range of indices from `start` to `end`, both inclusive and negative from the end; None if it
/// is empty.
fn range(start: i64, end: i64, len: usize) -> Option<(usize, usize)> {
    let len = len as i64;
    let from_end = |i: i64| if i < 0 { (len + i).max(-1) } else { i };
    let (start, end) = (from_end(start).max(0), from_end(end).min(len - 1));
    (start <= end).then_some((start as usize, end as usize))
}

/// The place of an index that may be negative, from the end.
fn place(index: i64, len: usize) -> Option<usize> {
    let index = if index < 0 { index + len as i64 } else { index };
    usize::try_from(index).ok().filter(|&i| i < len)
}

/// `LPUSH key element [element ...]`. O(elements).
fn lpush(ctx: &mut Ctx<'_>) -> CmdResult {
    push(ctx, End::Front)
}

/// `RPUSH key element [element ...]`. O(elements).
fn rpush(ctx: &mut Ctx<'_>) -> CmdResult {
    push(ctx, End::Back)
}

fn push(ctx: &mut Ctx<'_>, end: End) -> CmdResult {
    let Ctx { db, argv, reply, fx, limits, .. } = ctx;
    let (key, elements) = (argv.at(1), argv.from(2));
    let mut list = db.touch_or_new(key, fx, || {
        let bytes = elements.iter().map(|e| e.len() + 2).sum::<usize>();
        List::with_room(bytes.min(ROOM_MAX))
    })?;
    list.push(end, elements.iter().copied(), limits.list());
    reply.len_int(list.len());
    pushed(fx, key, end, elements.len());
    Ok(Flow::Done)
}

/// `LPUSHX key element [element ...]`: only if there is such a list. O(elements).
fn lpushx(ctx: &mut Ctx<'_>) -> CmdResult {
    push_existing(ctx, End::Front)
}

/// `RPUSHX key element [element ...]`: only if there is such a list. O(elements).
fn rpushx(ctx: &mut Ctx<'_>) -> CmdResult {
    push_existing(ctx, End::Back)
}

fn push_existing(ctx: &mut Ctx<'_>, end: End) -> CmdResult {
    let Ctx { db, argv, reply, fx, limits, .. } = ctx;
    let (key, elements) = (argv.at(1), argv.from(2));
    let Some(mut list) = db.touch_open::<List>(key, fx)? else {
        reply.int(0);
        return Ok(Flow::Done);
    };
    list.push(end, elements.iter().copied(), limits.list());
    reply.len_int(list.len());
    pushed(fx, key, end, elements.len());
    Ok(Flow::Done)
}

/// `LPOP key [count]`. O(count).
fn lpop(ctx: &mut Ctx<'_>) -> CmdResult {
    pop(ctx, End::Front)
}

/// `RPOP key [count]`. O(count).
fn rpop(ctx: &mut Ctx<'_>) -> CmdResult {
    pop(ctx, End::Back)
}

#[inline]
fn pop(ctx: &mut Ctx<'_>, end: End) -> CmdResult {
    if ctx.argv.len() != 2 {
        return pop_many(ctx, end);
    }
    let Ctx { db, argv, reply, fx, limits, .. } = ctx;
    let key = argv.at(1);
    let Some(mut list) = db.touch_open::<List>(key, fx)? else {
        reply.null();
        return Ok(Flow::Done);
    };
    let emptied = pop_one(&mut list, end, limits.list(), reply);
    drop(list);
    popped(db, fx, key, end, 1, emptied);
    Ok(Flow::Done)
}

/// Takes one element off a list and writes it; whether the list is empty then.
#[inline]
fn pop_one(
    list: &mut List,
    end: End,
    shape: crate::ds::quicklist::Shape,
    reply: &mut Reply,
) -> bool {
    match list.end(end) {
        Some(item) => reply_item(reply, item),
        None => reply.null(),
    }
    list.pop(end, shape);
    list.is_empty()
}

fn pop_many(ctx: &mut Ctx<'_>, end: End) -> CmdResult {
    let Ctx { db, argv, reply, fx, limits, .. } = ctx;
    let key = argv.at(1);
    if argv.len() > 3 {
        return Err(errors::wrong_arity(&arg::name(*argv)));
    }
    let count = arg::int_in(argv.at(2), 0, i64::MAX, "value is out of range, must be positive")?;
    let Some(mut list) = db.touch_open::<List>(key, fx)? else {
        reply.null_array();
        return Ok(Flow::Done);
    };
    if count == 0 {
        reply.array(0);
        return Ok(Flow::Done);
    }
    let n = pop_range(&mut list, end, count as usize, limits.list(), reply);
    let emptied = list.is_empty();
    drop(list);
    popped(db, fx, key, end, n, emptied);
    Ok(Flow::Done)
}

/// Takes up to `count` elements off a list, which has some, and writes them as an array; returns
/// how many.
fn pop_range(
    list: &mut List,
    end: End,
    count: usize,
    shape: crate::ds::quicklist::Shape,
    reply: &mut Reply,
) -> usize {
    let len = list.len();
    let n = count.min(len);
    let (outermost, first) = match end {
        End::Front => (0, 0),
        End::Back => (len - 1, len - n),
    };
    reply_range(reply, list, outermost, end, n);
    list.remove(first, n, shape);
    n
}

/// `LLEN key`. O(1).
fn llen(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    reply.len_int(db.read_as::<List>(argv.at(1), fx)?.map_or(0, List::len));
    Ok(Flow::Done)
}

/// `LINDEX key index`. O(nodes to the nearer end).
fn lindex(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let Some(list) = db.read_as::<List>(argv.at(1), fx)? else {
        reply.null();
        return Ok(Flow::Done);
    };
    match place(arg::int(argv.at(2))?, list.len()) {
        None => reply.null(),
        Some(index) => list.walk(index, End::Front, &mut |item| {
            reply_item(reply, item);
            false
        }),
    }
    Ok(Flow::Done)
}

/// `LRANGE key start stop`, both inclusive, negative from the end.
/// O(nodes to the nearer end + elements).
fn lrange(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let (start, end) = (arg::int(argv.at(2))?, arg::int(argv.at(3))?);
    let list = db.read_as::<List>(argv.at(1), fx)?;
    let range = list.and_then(|list| Some((list, range(start, end, list.len())?)));
    match range {
        Some((list, (start, end))) => {
            reply_range(reply, list, start, End::Front, end - start + 1);
        }
        None => reply.array(0),
    }
    Ok(Flow::Done)
}

/// `LSET key index element`. O(nodes to the nearer end).
fn lset(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, limits, .. } = ctx;
    let key = argv.at(1);
    let mut list = db.touch_open::<List>(key, fx)?.ok_or(errors::NO_SUCH_KEY)?;
    let index = arg::int(argv.at(2))?;
    // The encoding may change even if there is no such index, as in Redis.
    let index = place(index, list.len()).unwrap_or(usize::MAX);
    if !list.replace(index, argv.at(3), limits.list()) {
        return Err(errors::INDEX_RANGE);
    }
    reply.ok();
    fx.modified(key);
    fx.event(EV_LIST, "lset", key);
    Ok(Flow::Done)
}

/// `LINSERT key BEFORE|AFTER pivot element`. O(n).
fn linsert(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, limits, .. } = ctx;
    let key = argv.at(1);
    let side = match argv.at(2) {
        word if arg::is(word, "after") => Side::After,
        word if arg::is(word, "before") => Side::Before,
        _ => return Err(errors::SYNTAX),
    };
    let Some(mut list) = db.touch_open::<List>(key, fx)? else {
        reply.int(0);
        return Ok(Flow::Done);
    };
    if !list.insert(side, &Needle::new(argv.at(3)), argv.at(4), limits.list()) {
        reply.int(-1);
        return Ok(Flow::Done);
    }
    reply.len_int(list.len());
    fx.modified(key);
    fx.event(EV_LIST, "linsert", key);
    Ok(Flow::Done)
}

/// `LREM key count element`: the first `count` of them, the last if it is negative, all if it is 0.
/// O(n).
fn lrem(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, limits, .. } = ctx;
    let key = argv.at(1);
    let count = arg::int(argv.at(2))?;
    let (from, max) = match count {
        0 => (End::Front, usize::MAX),
        1.. => (End::Front, count as usize),
        _ => (End::Back, count.unsigned_abs() as usize),
    };
    let Some(mut list) = db.touch_open::<List>(key, fx)? else {
        reply.int(0);
        return Ok(Flow::Done);
    };
    let removed = list.remove_equal(&Needle::new(argv.at(3)), max, from, limits.list());
    let emptied = list.is_empty();
    drop(list);
    if removed > 0 {
        fx.dirty += removed as u64 - 1;
        fx.modified(key);
        fx.event(EV_LIST, "lrem", key);
    }
    if emptied {
        delete(db, fx, key);
    }
    reply.len_int(removed);
    Ok(Flow::Done)
}

/// `LTRIM key start stop`: keeps this range only. O(nodes + elements removed).
fn ltrim(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, limits, .. } = ctx;
    let key = argv.at(1);
    let (start, end) = (arg::int(argv.at(2))?, arg::int(argv.at(3))?);
    let Some(mut list) = db.touch_open::<List>(key, fx)? else {
        reply.ok();
        return Ok(Flow::Done);
    };
    let len = list.len();
    let (before, kept) = match range(start, end, len) {
        Some((start, end)) => (start, end - start + 1),
        None => (len, 0),
    };
    let behind = len - before - kept;
    list.remove(before + kept, behind, limits.list());
    list.remove(0, before, limits.list());
    let emptied = list.is_empty();
    drop(list);
    fx.event(EV_LIST, "ltrim", key);
    if emptied {
        delete(db, fx, key);
    }
    fx.touched(key);
    fx.dirty += (before + behind) as u64;
    reply.ok();
    Ok(Flow::Done)
}

/// `LEFT` or `RIGHT`.
fn end(word: &[u8]) -> Result<End, CmdError> {
    match word {
        _ if arg::is(word, "left") => Ok(End::Front),
        _ if arg::is(word, "right") => Ok(End::Back),
        _ => Err(errors::SYNTAX),
    }
}

#[cfg(test)]
mod tests {
    use super::{place, range};

    #[test]
    fn ranges_are_cut_as_redis_cuts_them() {
        for (start, end, want) in [
            (0, -1, Some((0, 4))),
            (1, 3, Some((1, 3))),
            (-3, -2, Some((2, 3))),
            (3, 1, None),
            (5, 9, None),
            (-100, 100, Some((0, 4))),
            (0, -6, None),
            (i64::MIN, i64::MAX, Some((0, 4))),
            (i64::MIN, i64::MIN, None),
            (-1, -5, None),
        ] {
            assert_eq!(range(start, end, 5), want, "{start} {end}");
        }
        assert_eq!((place(-1, 3), place(3, 3), place(-4, 3)), (Some(2), None, None));
        assert_eq!(place(i64::MIN, 3), None);
    }
}
