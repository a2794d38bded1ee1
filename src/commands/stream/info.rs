//! XINFO: what a stream, its groups and their consumers are like.

use super::{group, reply_entry, reply_id, reply_range};
use crate::commands::arg;
use crate::commands::{CmdResult, Ctx, DataRow, Flow};
use crate::ds::stream::Stream as Inner;
use crate::ds::stream::delayed::{self, Delayed};
use crate::ds::stream::group::Group;
use crate::ds::stream::id::Id;
use crate::ds::stream::idempotent::Producers;
use crate::resp::errors;
use crate::resp::reply::Reply;
use crate::value::stream::Stream;

pub(crate) const COMMANDS: &[DataRow] =
    &[("xinfo|stream", stream), ("xinfo|groups", groups), ("xinfo|consumers", consumers)];

/// Items of each kind that are shown in full if nobody says how many.
const COUNT: i64 = 10;

/// `XINFO STREAM key [FULL [COUNT n]]`. O(log blocks), and what is shown.
fn stream(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, env, .. } = ctx;
    let found = db.read_as::<Stream>(argv.at(2), fx)?;
    let stream = found.ok_or(errors::NO_SUCH_KEY)?;
    let unknown = || errors::unknown_subcommand("xinfo", argv.at(1));
    let full = match argv.len() {
        3 => None,
        4 if arg::is(argv.at(3), "full") => Some(COUNT),
        6 if arg::is(argv.at(3), "full") && arg::is(argv.at(4), "count") => {
            Some(Some(arg::int(argv.at(5))?).filter(|n| *n >= 0).unwrap_or(COUNT))
        }
        _ => return Err(unknown()),
    };
    let log = &stream.log;
    let facts = if full.is_some() { 9 } else { 10 };
    let delayed = stream.delayed.as_deref().filter(|delayed| delayed.len() > 0);
    let more = [stream.producers.is_some(), delayed.is_some(), delayed.is_some() && full.is_some()];
    let [producers, waiting, shown] = more.map(usize::from);
    reply.map(facts + 6 * producers + 2 * waiting + shown);
    let mut number = |name: &str, n: i64| {
        reply.bulk_str(name);
        reply.int(n);
    };
    number("length", log.len() as i64);
    number("radix-tree-keys", log.block_count() as i64);
    number("radix-tree-nodes", log.radix_nodes() as i64);
    reply.bulk_str("last-generated-id");
    reply_id(reply, log.last_id);
    reply.bulk_str("max-deleted-entry-id");
    reply_id(reply, log.max_deleted);
    reply.bulk_str("entries-added");
    reply.int(log.added as i64);
    reply.bulk_str("recorded-first-entry-id");
    reply_id(reply, log.first_id);
    if let Some(producers) = &stream.producers {
        self::producers(reply, producers, env.now_ms as u64);
    }
    if let Some(delayed) = delayed {
        self::delayed(reply, delayed, full);
    }
    match full {
        None => summary(reply, stream),
        Some(count) => in_full(reply, stream, count as usize),
    }
    Ok(Flow::Done)
}

/// What is remembered of producers. A stream without such a memory has not got these lines, so that
/// it looks as it did in Redis 7.2.
fn producers(reply: &mut Reply, producers: &Producers, now_ms: u64) {
    let memory = producers.memory();
    let (names, messages) = producers.counts(now_ms);
    let numbers = [
        ("idmp-duration", memory.seconds),
        ("idmp-maxsize", memory.messages),
        ("pids-tracked", names as u64),
        ("iids-tracked", messages as u64),
        ("iids-added", producers.added),
        ("iids-duplicates", producers.duplicates),
    ];
    for (name, n) in numbers {
        reply.bulk_str(name);
        reply.int(n as i64);
    }
}

/// What waits for its time. A stream in which nothing does looks as it did in Redis 7.2.
fn delayed(reply: &mut Reply, delayed: &Delayed, full: Option<i64>) {
    reply.bulk_str("delayed");
    reply.len_int(delayed.len());
    reply.bulk_str("next-delayed");
    reply.bulk(&delayed.first().map_or(Vec::new(), delayed::text));
    let Some(count) = full else { return };
    let most = if count == 0 { usize::MAX } else { count as usize };
    reply.bulk_str("delayed-entries");
    reply.array(delayed.len().min(most));
    for (ticket, words) in delayed.iter().take(most) {
        reply.array(2);
        reply.bulk(&delayed::text(ticket));
        reply.array(words.pairs().len());
        words.pairs().iter().for_each(|word| reply.bulk(word));
    }
}

fn summary(reply: &mut Reply, stream: &Inner) {
    reply.bulk_str("groups");
    reply.len_int(stream.groups.len());
    reply.bulk_str("first-entry");
    match stream.log.range(Id::MIN, Id::MAX).next() {
        Some(entry) => reply_entry(reply, entry),
        None => reply.null(),
    }
    reply.bulk_str("last-entry");
    match stream.log.range_back(Id::MIN, Id::MAX).next() {
        Some(entry) => reply_entry(reply, entry),
        None => reply.null(),
    }
}

/// Name, consumers or pending entries, and how far it is: what both forms say of a group.
fn position(reply: &mut Reply, stream: &Inner, group: &Group) {
    reply.bulk_str("last-delivered-id");
    reply_id(reply, group.last_id);
    for (name, n) in [("entries-read", group.entries_read), ("lag", stream.lag(group))] {
        reply.bulk_str(name);
        match n {
            Some(n) => reply.int(n),
            None => reply.null(),
        }
    }
}

fn in_full(reply: &mut Reply, stream: &Inner, count: usize) {
    let most = if count == 0 { usize::MAX } else { count };
    reply.bulk_str("entries");
    reply_range(reply, stream.log.range(Id::MIN, Id::MAX), count);
    reply.bulk_str("groups");
    reply.array(stream.groups.len());
    for (name, group) in &stream.groups {
        let released = group.released_count();
        reply.map(if released > 0 { 8 } else { 7 });
        reply.bulk_str("name");
        reply.bulk(name);
        position(reply, stream, group);
        let pending = group.pending();
        reply.bulk_str("pel-count");
        reply.len_int(pending.len());
        if released > 0 {
            reply.bulk_str("nacked-count");
            reply.len_int(released);
        }
        reply.bulk_str("pending");
        reply.array(pending.len().min(most));
        for (id, pending) in pending.iter().take(most) {
            reply.array(4);
            reply_id(reply, *id);
            reply.bulk(group.owner(pending));
            reply.int(pending.delivered_ms);
            reply.int(pending.deliveries as i64);
        }
        reply.bulk_str("consumers");
        reply.array(group.consumer_count());
        for consumer in group.consumers() {
            reply.map(5);
            reply.bulk_str("name");
            reply.bulk(&consumer.name);
            reply.bulk_str("seen-time");
            reply.int(consumer.seen_ms);
            reply.bulk_str("active-time");
            reply.int(consumer.active_ms);
            reply.bulk_str("pel-count");
            reply.len_int(consumer.pending().len());
            reply.bulk_str("pending");
            reply.array(consumer.pending().len().min(most));
            for id in consumer.pending().iter().take(most) {
                reply.array(3);
                reply_id(reply, *id);
                let (time, n) = pending.get(id).map_or((0, 0), |p| (p.delivered_ms, p.deliveries));
                reply.int(time);
                reply.int(n as i64);
            }
        }
    }
}

/// `XINFO GROUPS key`. O(groups).
fn groups(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let found = db.read_as::<Stream>(argv.at(2), fx)?;
    let stream = found.ok_or(errors::NO_SUCH_KEY)?;
    reply.array(stream.groups.len());
    for (name, group) in &stream.groups {
        reply.map(if group.limit.is_some() { 8 } else { 6 });
        reply.bulk_str("name");
        reply.bulk(name);
        reply.bulk_str("consumers");
        reply.len_int(group.consumer_count());
        reply.bulk_str("pending");
        reply.len_int(group.pending().len());
        position(reply, stream, group);
        if let Some(limit) = &group.limit {
            reply.bulk_str("max-deliveries");
            reply.int(limit.deliveries as i64);
            reply.bulk_str("dead-letter-key");
            reply.bulk(&limit.key);
        }
    }
    Ok(Flow::Done)
}

/// `XINFO CONSUMERS key group`. O(consumers).
fn consumers(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, env, .. } = ctx;
    let (key, name) = (argv.at(2), argv.at(3));
    let found = db.read_as::<Stream>(key, fx)?;
    let stream = found.ok_or(errors::NO_SUCH_KEY)?;
    let group = stream.groups.get(name).ok_or_else(|| group::no_group_of_key(key, name))?;
    reply.array(group.consumer_count());
    for consumer in group.consumers() {
        reply.map(4);
        reply.bulk_str("name");
        reply.bulk(&consumer.name);
        reply.bulk_str("pending");
        reply.len_int(consumer.pending().len());
        reply.bulk_str("idle");
        reply.int(env.now_ms.wrapping_sub(consumer.seen_ms).max(0));
        reply.bulk_str("inactive");
        reply.int(match consumer.active_ms {
            -1 => -1,
            active_ms => env.now_ms.wrapping_sub(active_ms),
        });
    }
    Ok(Flow::Done)
}
