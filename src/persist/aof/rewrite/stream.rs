//! A stream as commands: its entries, its counters, its groups, and what is pending.
//!
//! ```text
//! XADD k 1-1 f v ..    XSETID k 5-0 ENTRIESADDED 9 MAXDELETEDID 3-0
//! XGROUP CREATE k g 4-0 ENTRIESREAD 4    XGROUP CREATECONSUMER k g idle
//! XCLAIM k g ann 0 2-0 TIME 1700000000000 RETRYCOUNT 1 JUSTID FORCE
//! XNACK k g FAIL IDS 1 3-0 RETRYCOUNT 2 FORCE
//! XCFGSET k IDMP-DURATION 100 IDMP-MAXSIZE 100    XIDMPRECORD k producer iid 2-0
//! XADD k MAXLEN 5 ~1700000000000-1600000000000 f v
//! ```
//! The last three lines are written where there is something to say with them.
//!
//! Compat: the stream of a command that can't be made without entries is made of one that goes at
//! once.

use super::Out;
use crate::ds::stream::Stream;
use crate::ds::stream::delayed;
use crate::ds::stream::group::Group;
use crate::ds::stream::id::Id;
use crate::ds::stream::idempotent::Producers;
use std::io::{self, Write};

/// Writes the stream at `key`.
pub(super) fn commands<W: Write>(out: &mut Out<W>, key: &[u8], stream: &Stream) -> io::Result<()> {
    let log = &stream.log;
    if log.is_empty() {
        out.command(&[b"XADD", key, b"MAXLEN", b"0", b"0-1", b"x", b"y"])?;
    }
    let mut id = Vec::new();
    for entry in log.range(Id::MIN, Id::MAX) {
        id.clear();
        entry.id.write(&mut id);
        out.header(b'*', 3 + 2 * entry.len())?;
        out.arg(b"XADD")?;
        out.arg(key)?;
        out.arg(&id)?;
        for (name, value) in entry.pairs() {
            out.item(name)?;
            out.item(value)?;
        }
    }
    let (last, deleted, added) = (log.last_id.text(), log.max_deleted.text(), log.added as i64);
    out.command(&[
        b"XSETID",
        key,
        &last,
        b"ENTRIESADDED",
        added.to_string().as_bytes(),
        b"MAXDELETEDID",
        &deleted,
    ])?;
    if let Some(producers) = &stream.producers {
        self::producers(out, key, producers)?;
    }
    stream.groups.iter().try_for_each(|(name, group)| self::group(out, key, name, group))?;
    for (ticket, words) in stream.delayed.iter().flat_map(|delayed| delayed.iter()) {
        let ticket = delayed::text(ticket);
        let start: [&[u8]; 2] = [b"XADD", key];
        out.command(&[&start[..], words.options(), &[&ticket], words.pairs()].concat())?;
    }
    Ok(())
}

fn producers<W: Write>(out: &mut Out<W>, key: &[u8], producers: &Producers) -> io::Result<()> {
    let memory = producers.memory();
    out.command(&[
        b"XCFGSET",
        key,
        b"IDMP-DURATION",
        memory.seconds.to_string().as_bytes(),
        b"IDMP-MAXSIZE",
        memory.messages.to_string().as_bytes(),
    ])?;
    let mut all: Vec<(Id, &[u8], &[u8])> = Vec::new();
    for (name, _, messages) in producers.iter() {
        all.extend(messages.map(|(message, id)| (id, name, message)));
    }
    // Whoever hears of a message forgets those that are too old then.
    all.sort_unstable();
    all.iter().try_for_each(|(id, name, message)| {
        out.command(&[b"XIDMPRECORD", key, name, message, &id.text()])
    })
}

fn group<W: Write>(out: &mut Out<W>, key: &[u8], name: &[u8], group: &Group) -> io::Result<()> {
    let (last, read) = (group.last_id.text(), group.entries_read.unwrap_or(-1).to_string());
    out.command(&[b"XGROUP", b"CREATE", key, name, &last, b"ENTRIESREAD", read.as_bytes()])?;
    for consumer in group.consumers() {
        if consumer.pending().is_empty() {
            out.command(&[b"XGROUP", b"CREATECONSUMER", key, name, &consumer.name])?;
        }
        for id in consumer.pending() {
            let Some(pending) = group.pending().get(id) else { continue };
            out.command(&[
                b"XCLAIM",
                key,
                name,
                &consumer.name,
                b"0",
                &id.text(),
                b"TIME",
                pending.delivered_ms.to_string().as_bytes(),
                b"RETRYCOUNT",
                (pending.deliveries as i64).to_string().as_bytes(),
                b"JUSTID",
                b"FORCE",
            ])?;
        }
    }
    if let Some(limit) = &group.limit {
        // Last, since a server that knows of no limits refuses it.
        out.command(&[
            b"XGROUP",
            b"SETID",
            key,
            name,
            &last,
            b"ENTRIESREAD",
            read.as_bytes(),
            b"MAXDELIVERIES",
            limit.deliveries.to_string().as_bytes(),
            b"DLQ",
            &limit.key,
        ])?;
    }
    for id in group.released() {
        let Some(pending) = group.pending().get(&id) else { continue };
        let count = (pending.deliveries as i64).max(0).to_string();
        out.command(&[
            b"XNACK",
            key,
            name,
            b"FAIL",
            b"IDS",
            b"1",
            &id.text(),
            b"RETRYCOUNT",
            count.as_bytes(),
            b"FORCE",
        ])?;
    }
    Ok(())
}
