//! Streams: counting, reading and deleting entries.
//!
//! Adding and trimming are in `add`, with a memory for what comes twice in `idempotent`. Entries
//! that wait for their time are in `delayed`. Reading new entries, alone or as one of a group, is
//! in `read`; how many of them are written is in `entries`. Groups are in `group`, `claim` and
//! `release`; deletion with a view to them is in `refs`; XINFO is in `info`.

pub(crate) mod add;
pub(crate) mod claim;
mod dead;
pub(crate) mod delayed;
mod entries;
pub(crate) mod group;
pub(crate) mod idempotent;
pub(crate) mod info;
pub(crate) mod read;
pub(crate) mod refs;
pub(crate) mod release;

use self::entries::Entries;
use crate::commands::arg;
use crate::commands::{CmdResult, Ctx, DataRow, Flow};
use crate::ds::listpack::Item;
use crate::ds::stream::block::{Entry, Pairs};
use crate::ds::stream::id::{Id, IdText};
use crate::ds::stream::log::{Range, RangeBack};
use crate::keyspace::effects::EV_STREAM;
use crate::resp::argv::Argv;
use crate::resp::errors::{self, CmdError};
use crate::resp::reply::Reply;
use crate::value::stream::Stream;

pub(crate) const COMMANDS: &[DataRow] = &[
    ("xlen", xlen),
    ("xrange", xrange),
    ("xrevrange", xrevrange),
    ("xdel", xdel),
    ("xsetid", xsetid),
];

const INVALID_ID: CmdError =
    CmdError::new("ERR Invalid stream ID specified as stream command argument");

/// An ID, its number 0 if none is given.
fn id(arg: &[u8]) -> Result<Id, CmdError> {
    Id::parse(arg, 0).ok_or(INVALID_ID)
}

/// All IDs from an argument on.
fn ids(argv: Argv<'_>, from: usize) -> Result<Vec<Id>, CmdError> {
    argv.from(from).iter().map(|arg| id(arg)).collect()
}

/// The first ID of an interval.
fn start_id(arg: &[u8]) -> Result<Id, CmdError> {
    let (id, open) = bound(arg, 0)?;
    if !open {
        return Ok(id);
    }
    id.next().ok_or(CmdError::new("ERR invalid start ID for the interval"))
}

/// The last ID of an interval.
fn end_id(arg: &[u8]) -> Result<Id, CmdError> {
    let (id, open) = bound(arg, u64::MAX)?;
    if !open {
        return Ok(id);
    }
    id.prev().ok_or(CmdError::new("ERR invalid end ID for the interval"))
}

/// An end of an interval, and whether it is left out itself.
fn bound(arg: &[u8], missing: u64) -> Result<(Id, bool), CmdError> {
    match arg {
        [b'(', rest @ ..] if !rest.is_empty() => {
            Ok((Id::parse(rest, missing).ok_or(INVALID_ID)?, true))
        }
        _ => Ok((Id::parse_bound(arg, missing).ok_or(INVALID_ID)?, false)),
    }
}

#[inline]
fn reply_id(reply: &mut Reply, id: Id) {
    reply.bulk(IdText::new(id).as_bytes());
}

#[inline]
fn reply_item(reply: &mut Reply, item: Item<'_>) {
    match item {
        Item::Str(text) => reply.bulk(text),
        Item::Int(int) => reply.bulk_int(int),
    }
}

/// An entry: its ID, and its fields with their values.
#[inline]
fn reply_entry(reply: &mut Reply, entry: Entry<'_>) {
    reply.array(2);
    reply_id(reply, entry.id);
    reply_fields(reply, &mut entry.pairs());
}

#[inline]
fn reply_fields(reply: &mut Reply, pairs: &mut Pairs<'_>) {
    reply.array(2 * pairs.left());
    for (name, value) in pairs {
        reply_item(reply, name);
        reply_item(reply, value);
    }
}

/// Entries oldest first as an array, up to `count` of them (0: all).
fn reply_range(reply: &mut Reply, range: Range<'_>, count: usize) {
    let at = reply.begin_array_of(count);
    let most = if count == 0 { usize::MAX } else { count };
    let mut entries = Entries::new(reply);
    let n = range.visit(most, |id, pairs| entries.push(id, pairs));
    drop(entries);
    reply.end_array(at, n);
}

/// Entries newest first as an array, up to `count` of them (0: all).
fn reply_range_back(reply: &mut Reply, range: RangeBack<'_>, count: usize) {
    let at = reply.begin_array();
    let (most, mut n) = (if count == 0 { usize::MAX } else { count }, 0);
    for entry in range.take(most) {
        reply_entry(reply, entry);
        n += 1;
    }
    reply.end_array(at, n);
}

/// `XLEN key`. O(1).
fn xlen(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let stream = db.read_as::<Stream>(argv.at(1), fx)?;
    reply.int(stream.map_or(0, |stream| stream.log.len() as i64));
    Ok(Flow::Done)
}

/// `XRANGE key start end [COUNT n]`. O(log blocks + entries).
fn xrange(ctx: &mut Ctx<'_>) -> CmdResult {
    range(ctx, false)
}

/// `XREVRANGE key end start [COUNT n]`. O(log blocks + entries).
fn xrevrange(ctx: &mut Ctx<'_>) -> CmdResult {
    range(ctx, true)
}

fn range(ctx: &mut Ctx<'_>, back: bool) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let (first, last) = if back { (3, 2) } else { (2, 3) };
    let (start, end) = (start_id(argv.at(first))?, end_id(argv.at(last))?);
    let mut count = None;
    let mut at = 4;
    while at < argv.len() {
        if !arg::is(argv.at(at), "count") || at + 1 == argv.len() {
            return Err(errors::SYNTAX);
        }
        count = Some(arg::int(argv.at(at + 1))?.max(0) as usize);
        at += 2;
    }
    let Some(stream) = db.read_as::<Stream>(argv.at(1), fx)? else {
        reply.array(0);
        return Ok(Flow::Done);
    };
    match count {
        Some(0) => reply.null_array(),
        count if back => {
            reply_range_back(reply, stream.log.range_back(start, end), count.unwrap_or(0))
        }
        count => reply_range(reply, stream.log.range(start, end), count.unwrap_or(0)),
    }
    Ok(Flow::Done)
}

/// `XDEL key id|~ticket [id|~ticket ...]`. Reply: how many were there.
/// O(each: log blocks + entries of one).
fn xdel(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let key = argv.at(1);
    let Some(mut stream) = db.touch_open::<Stream>(key, fx)? else {
        reply.int(0);
        return Ok(Flow::Done);
    };
    let ids = match ids(*argv, 2) {
        Ok(ids) => ids,
        Err(_) if argv.from(2).iter().any(|arg| delayed::is_ticket(arg)) => {
            drop(stream);
            return delayed::take_back(ctx);
        }
        Err(e) => return Err(e),
    };
    let deleted = stream.log.delete(&ids);
    drop(stream);
    if deleted > 0 {
        fx.touched(key);
        fx.event(EV_STREAM, "xdel", key);
        fx.dirty += deleted;
    }
    reply.int(deleted as i64);
    Ok(Flow::Done)
}

/// `XSETID key last-id [ENTRIESADDED n] [MAXDELETEDID id]`. O(1).
fn xsetid(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let last_id = id(argv.at(2))?;
    let (mut added, mut max_deleted) = (None, Id::MIN);
    let mut at = 3;
    while at < argv.len() {
        let (word, more) = (argv.at(at), at + 1 < argv.len());
        if more && arg::is(word, "entriesadded") {
            let n = arg::int_from_0(argv.at(at + 1), "entries_added must be positive")?;
            added = Some(n as u64);
        } else if more && arg::is(word, "maxdeletedid") {
            max_deleted = id(argv.at(at + 1))?;
            if last_id < max_deleted {
                return Err(CmdError::new(
                    "ERR The ID specified in XSETID is smaller than the provided \
                     max_deleted_entry_id",
                ));
            }
        } else {
            return Err(errors::SYNTAX);
        }
        at += 2;
    }
    let key = argv.at(1);
    let found = db.touch_open::<Stream>(key, fx)?;
    let mut stream = found.ok_or(errors::NO_SUCH_KEY)?;
    let log = &mut stream.log;
    if last_id < log.max_deleted {
        return Err(CmdError::new(
            "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id",
        ));
    }
    if !log.is_empty() {
        if last_id < log.last_there() {
            return Err(CmdError::new(
                "ERR The ID specified in XSETID is smaller than the target stream top item",
            ));
        }
        if added.is_some_and(|added| log.len() > added) {
            return Err(CmdError::new(
                "ERR The entries_added specified in XSETID is smaller than the target stream \
                 length",
            ));
        }
    }
    log.set_last_id(last_id);
    log.added = added.unwrap_or(log.added);
    if max_deleted != Id::MIN {
        log.max_deleted = max_deleted;
    }
    drop(stream);
    reply.ok();
    fx.dirty += 1;
    fx.event(EV_STREAM, "xsetid", key);
    Ok(Flow::Done)
}
