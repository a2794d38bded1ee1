//! Groups of consumers: made, moved and removed (XGROUP), and what is delivered but not done (XACK,
//! XPENDING).
//!
//! A group's changes go into the stream of writes in a form that means the same whenever it runs
//! (`tell_claim`, `tell_position`).

use super::{end_id, id, ids, reply_id, start_id};
use crate::commands::arg;
use crate::commands::{CmdResult, Ctx, DataRow, Flow};
use crate::ds::stream::group::{Group, Limit, NOBODY, Pending, Slot};
use crate::ds::stream::id::Id;
use crate::keyspace::effects::{EV_STREAM, Effects};
use crate::keyspace::env::Env;
use crate::resp::argv::Argv;
use crate::resp::errors::{self, CmdError};
use crate::value::stream::Stream;
use std::ops::Bound;

pub(crate) const COMMANDS: &[DataRow] = &[
    ("xgroup|create", create),
    ("xgroup|setid", set_id),
    ("xgroup|destroy", destroy),
    ("xgroup|createconsumer", create_consumer),
    ("xgroup|delconsumer", delete_consumer),
    ("xack", xack),
    ("xpending", xpending),
];

const NO_KEY: CmdError = CmdError::new(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use \
     the MKSTREAM option to create an empty stream automatically.",
);

/// `NOGROUP No such key '<key>' or consumer group '<group>'`, and more.
#[cold]
pub(super) fn no_group(key: &[u8], group: &[u8], more: &str) -> CmdError {
    let (key, group) = (errors::shown(key), errors::shown(group));
    let parts: [&[u8]; 6] =
        [b"No such key '", key, b"' or consumer group '", group, b"'", more.as_bytes()];
    CmdError::coded("NOGROUP", parts.concat())
}

/// `NOGROUP No such consumer group '<group>' for key name '<key>'`.
#[cold]
pub(super) fn no_group_of_key(key: &[u8], group: &[u8]) -> CmdError {
    let (key, group) = (errors::shown(key), errors::shown(group));
    let parts: [&[u8]; 5] = [b"No such consumer group '", group, b"' for key name '", key, b"'"];
    CmdError::coded("NOGROUP", parts.concat())
}

/// The consumer of this name, which is seen now. A new one is an event and a change.
pub(super) fn find_or_add(
    group: &mut Group,
    name: &[u8],
    key: &[u8],
    fx: &mut Effects,
    env: &Env,
) -> Slot {
    match group.find(name) {
        Some(slot) => {
            group.consumer_mut(slot).seen_ms = env.now_ms;
            slot
        }
        None => {
            fx.dirty += 1;
            fx.event(EV_STREAM, "xgroup-createconsumer", key);
            group.add_consumer(name, env.now_ms)
        }
    }
}

/// Puts into the stream of writes what is pending under an ID, whose text is given.
pub(super) fn tell_claim(
    fx: &mut Effects,
    key: &[u8],
    name: &[u8],
    group: &Group,
    id: &[u8],
    pending: &Pending,
) {
    if fx.is_streamed() {
        // What is nobody's is told only when its entry is gone.
        if pending.consumer == NOBODY {
            return fx.also(&[b"XACK", key, name, id]);
        }
        fx.also(&[
            b"XCLAIM",
            key,
            name,
            group.owner(pending),
            b"0",
            id,
            b"TIME",
            pending.delivered_ms.to_string().as_bytes(),
            b"RETRYCOUNT",
            (pending.deliveries as i64).to_string().as_bytes(),
            b"FORCE",
            b"JUSTID",
            b"LASTID",
            &group.last_id.text(),
        ]);
    }
}

/// Puts into the stream of writes how far a group has read.
pub(super) fn tell_position(fx: &mut Effects, key: &[u8], name: &[u8], group: &Group) {
    if fx.is_streamed() {
        let read = group.entries_read.unwrap_or(-1).to_string();
        let id = group.last_id.text();
        fx.also(&[b"XGROUP", b"SETID", key, name, &id, b"ENTRIESREAD", read.as_bytes()]);
    }
}

/// The options of CREATE and SETID.
struct Options {
    mkstream: bool,
    entries_read: Option<i64>,
    /// None: it is not named; Some(None): there is to be none.
    limit: Option<Option<Limit>>,
}

impl Options {
    fn parse(argv: Argv<'_>, creates: bool) -> Result<Options, CmdError> {
        let mut options = Options { mkstream: false, entries_read: None, limit: None };
        let mut at = 5;
        while at < argv.len() {
            if creates && arg::is(argv.at(at), "mkstream") {
                options.mkstream = true;
                at += 1;
            } else if arg::is(argv.at(at), "entriesread") && at + 1 < argv.len() {
                options.entries_read = match arg::int(argv.at(at + 1))? {
                    ..-1 => {
                        return Err(CmdError::new(
                            "ERR value for ENTRIESREAD must be positive or -1",
                        ));
                    }
                    -1 => None,
                    n => Some(n),
                };
                at += 2;
            } else if arg::is(argv.at(at), "maxdeliveries") && at + 1 < argv.len() {
                at += options.parse_limit(argv, at)?;
            } else {
                return Err(unknown(argv));
            }
        }
        Ok(options)
    }

    /// `MAXDELIVERIES n DLQ key`, or `MAXDELIVERIES 0`; how many words it takes.
    fn parse_limit(&mut self, argv: Argv<'_>, at: usize) -> Result<usize, CmdError> {
        let text = "value for MAXDELIVERIES must not be negative";
        let deliveries = arg::int_from_0(argv.at(at + 1), text)? as u64;
        if deliveries == 0 {
            self.limit = Some(None);
            return Ok(2);
        }
        if at + 3 >= argv.len() || !arg::is(argv.at(at + 2), "dlq") {
            return Err(CmdError::new("ERR MAXDELIVERIES needs DLQ and a key"));
        }
        let key = argv.at(at + 3);
        if key == argv.at(2) {
            return Err(CmdError::new("ERR The stream itself can't take its dead letters"));
        }
        self.limit = Some(Some(Limit { deliveries, key: key.into() }));
        Ok(4)
    }
}

/// Puts a group's limit into the stream of writes. A server that doesn't know of such refuses it.
fn tell_limit(fx: &mut Effects, key: &[u8], name: &[u8], group: &Group) {
    if fx.is_streamed() {
        let (read, id) = (group.entries_read.unwrap_or(-1).to_string(), group.last_id.text());
        let deliveries = group.limit.as_ref().map_or(0, |limit| limit.deliveries).to_string();
        let start: [&[u8]; 9] = [
            b"XGROUP",
            b"SETID",
            key,
            name,
            &id,
            b"ENTRIESREAD",
            read.as_bytes(),
            b"MAXDELIVERIES",
            deliveries.as_bytes(),
        ];
        match &group.limit {
            Some(limit) => fx.also(&[&start[..], &[b"DLQ", &limit.key]].concat()),
            None => fx.also(&start),
        }
    }
}

fn unknown(argv: Argv<'_>) -> CmdError {
    errors::unknown_subcommand("xgroup", argv.at(1))
}

/// `XGROUP CREATE key group id|$ [MKSTREAM] [ENTRIESREAD n] [MAXDELIVERIES n DLQ key]`.
/// O(log groups).
fn create(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let Options { mkstream, entries_read, limit } = Options::parse(*argv, true)?;
    let limit = limit.flatten();
    let (key, name) = (argv.at(2), argv.at(3));
    let last = match db.touch_as::<Stream>(key, fx)? {
        Some(stream) => Some(stream.log.last_id),
        None if mkstream => None,
        None => return Err(NO_KEY),
    };
    if argv.len() > 8 && limit.is_none() {
        return Err(unknown(*argv));
    }
    let start = match argv.at(4) {
        text if arg::is(text, "$") => last.unwrap_or_default(),
        text => id(text)?,
    };
    let mut stream = db.find_or_new(key, fx, Stream::default)?;
    if last.is_none() {
        fx.touched(key);
    }
    if stream.groups.contains_key(name) {
        return Err(CmdError::new("BUSYGROUP Consumer Group name already exists"));
    }
    let mut group = Group::new(start, entries_read);
    if let Some(limit) = limit {
        group.limit = Some(Box::new(limit));
        // Others make the group even if they know of no limit.
        fx.dont_propagate();
        if fx.is_streamed() {
            let read = entries_read.unwrap_or(-1).to_string();
            let id = start.text();
            let words: [&[u8]; 8] = [
                b"XGROUP",
                b"CREATE",
                key,
                name,
                &id,
                b"MKSTREAM",
                b"ENTRIESREAD",
                read.as_bytes(),
            ];
            fx.also(&words);
        }
        tell_limit(fx, key, name, &group);
    }
    stream.groups.insert(name.into(), group);
    drop(stream);
    reply.ok();
    fx.dirty += 1;
    fx.event(EV_STREAM, "xgroup-create", key);
    Ok(Flow::Done)
}

/// `XGROUP SETID key group id|$ [ENTRIESREAD n] [MAXDELIVERIES n [DLQ key]]`. O(log groups).
fn set_id(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let Options { entries_read, limit, .. } = Options::parse(*argv, false)?;
    let (key, name) = (argv.at(2), argv.at(3));
    let mut stream = db.touch_open::<Stream>(key, fx)?.ok_or(NO_KEY)?;
    if !stream.groups.contains_key(name) {
        return Err(no_group_of_key(key, name));
    }
    if !matches!(argv.len(), 5 | 7) && limit.is_none() {
        return Err(unknown(*argv));
    }
    let start = match argv.at(4) {
        text if arg::is(text, "$") => stream.log.last_id,
        text => Id::parse_bound(text, 0).ok_or(super::INVALID_ID)?,
    };
    if let Some(group) = stream.groups.get_mut(name) {
        (group.last_id, group.entries_read) = (start, entries_read);
        if let Some(limit) = limit {
            group.limit = limit.map(Box::new);
            fx.dont_propagate();
            tell_position(fx, key, name, group);
            tell_limit(fx, key, name, group);
        }
    }
    drop(stream);
    reply.ok();
    fx.dirty += 1;
    fx.event(EV_STREAM, "xgroup-setid", key);
    Ok(Flow::Done)
}

/// `XGROUP DESTROY key group`. O(what is pending in it).
fn destroy(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let (key, name) = (argv.at(2), argv.at(3));
    let mut stream = db.touch_open::<Stream>(key, fx)?.ok_or(NO_KEY)?;
    let removed = stream.groups.remove(name).is_some();
    drop(stream);
    if removed {
        fx.dirty += 1;
        fx.event(EV_STREAM, "xgroup-destroy", key);
        // Who waits to read for the group is told that it is gone.
        fx.ready(key);
    }
    reply.int(i64::from(removed));
    Ok(Flow::Done)
}

/// `XGROUP CREATECONSUMER key group consumer`. O(log consumers).
fn create_consumer(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, env, .. } = ctx;
    let (key, name) = (argv.at(2), argv.at(3));
    let mut stream = db.touch_open::<Stream>(key, fx)?.ok_or(NO_KEY)?;
    let group = stream.groups.get_mut(name).ok_or_else(|| no_group_of_key(key, name))?;
    let new = group.find(argv.at(4)).is_none();
    if new {
        find_or_add(group, argv.at(4), key, fx, env);
    }
    reply.int(i64::from(new));
    Ok(Flow::Done)
}

/// `XGROUP DELCONSUMER key group consumer`. Reply: what it had not done. O(that * log pending).
fn delete_consumer(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let (key, name) = (argv.at(2), argv.at(3));
    let mut stream = db.touch_open::<Stream>(key, fx)?.ok_or(NO_KEY)?;
    let group = stream.groups.get_mut(name).ok_or_else(|| no_group_of_key(key, name))?;
    let mut pending = 0;
    if let Some(slot) = group.find(argv.at(4)) {
        pending = group.remove_consumer(slot);
        fx.dirty += 1;
        fx.event(EV_STREAM, "xgroup-delconsumer", key);
    }
    reply.len_int(pending);
    Ok(Flow::Done)
}

/// `XACK key group id [id ...]`. Reply: how many were pending. O(each: log pending).
fn xack(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let key = argv.at(1);
    let there = db.read_as::<Stream>(key, fx)?.is_some();
    let mut stream = if there { db.find_open::<Stream>(key, fx)? } else { None };
    let Some(group) = stream.as_mut().and_then(|s| s.groups.get_mut(argv.at(2))) else {
        reply.int(0);
        return Ok(Flow::Done);
    };
    let ids = ids(*argv, 3)?;
    let done = ids.into_iter().filter(|id| group.remove(*id).is_some()).count();
    fx.dirty += done as u64;
    reply.len_int(done);
    Ok(Flow::Done)
}

/// `XPENDING key group [[IDLE ms] start end count [consumer]]`. O(log pending + what is looked at).
fn xpending(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, env, .. } = ctx;
    let (key, name) = (argv.at(1), argv.at(2));
    let span = match argv.len() {
        3 => None,
        6..=9 => Some(Span::parse(*argv)?),
        _ => return Err(errors::SYNTAX),
    };
    let stream = db.read_as::<Stream>(key, fx)?;
    let group = stream.and_then(|stream| stream.groups.get(name));
    let group = group.ok_or_else(|| no_group(key, name, ""))?;
    let pending = group.pending();
    let Some(span) = span else {
        reply.array(4);
        reply.len_int(pending.len());
        let (Some((first, _)), Some((last, _))) =
            (pending.first_key_value(), pending.last_key_value())
        else {
            reply.null();
            reply.null();
            reply.null_array();
            return Ok(Flow::Done);
        };
        reply_id(reply, *first);
        reply_id(reply, *last);
        let (at, mut n) = (reply.begin_array(), 0);
        for consumer in group.consumers().filter(|c| !c.pending().is_empty()) {
            reply.array(2);
            reply.bulk(&consumer.name);
            reply.bulk_int(consumer.pending().len() as i64);
            n += 1;
        }
        reply.end_array(at, n);
        return Ok(Flow::Done);
    };
    let of = match span.consumer {
        None => None,
        Some(consumer) => match group.find(consumer) {
            Some(slot) => Some(group.consumer(slot).pending()),
            None => {
                reply.array(0);
                return Ok(Flow::Done);
            }
        },
    };
    let (at, mut n) = (reply.begin_array(), 0);
    let mut show = |id: Id, pending: &Pending| {
        let idle = match pending.consumer {
            NOBODY => -1,
            _ => env.now_ms.wrapping_sub(pending.delivered_ms).max(0),
        };
        n += 1;
        reply.array(4);
        reply_id(reply, id);
        reply.bulk(group.owner(pending));
        reply.int(idle);
        reply.int(pending.deliveries as i64);
    };
    if span.start <= span.end && span.count > 0 {
        let bounds = (Bound::Included(span.start), Bound::Included(span.end));
        let is_shown = |p: &Pending| {
            span.min_idle == 0 || env.now_ms.wrapping_sub(p.delivered_ms) >= span.min_idle
        };
        match of {
            None => pending
                .range(bounds)
                .filter(|(_, p)| is_shown(p))
                .take(span.count)
                .for_each(|(id, p)| show(*id, p)),
            Some(ids) => ids
                .range(bounds)
                .filter_map(|id| Some((id, pending.get(id)?)))
                .filter(|(_, p)| is_shown(p))
                .take(span.count)
                .for_each(|(id, p)| show(*id, p)),
        }
    }
    reply.end_array(at, n);
    Ok(Flow::Done)
}

/// `[IDLE ms] start end count [consumer]`.
struct Span<'a> {
    min_idle: i64,
    start: Id,
    end: Id,
    count: usize,
    consumer: Option<&'a [u8]>,
}

impl<'a> Span<'a> {
    /// Compat: errors come in this order.
    fn parse(argv: Argv<'a>) -> Result<Span<'a>, CmdError> {
        let (mut min_idle, mut at) = (0, 3);
        if arg::is(argv.at(3), "idle") {
            min_idle = arg::int(argv.at(4))?;
            if argv.len() < 8 {
                return Err(errors::SYNTAX);
            }
            at = 5;
        }
        let count = arg::int(argv.at(at + 2))?.max(0) as usize;
        let (start, end) = (start_id(argv.at(at))?, end_id(argv.at(at + 1))?);
        let consumer = (at + 3 < argv.len()).then(|| argv.at(at + 3));
        Ok(Span { min_idle, start, end, count, consumer })
    }
}
