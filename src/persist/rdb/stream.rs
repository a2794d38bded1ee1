//! How a stream is written and read.
//!
//! ```text
//!   21  stream 3    blocks: number, then ID (16 bytes) and listpack of each
//!                   length, last ID, first ID, greatest deleted ID, entries ever added
//!                   groups: number, then of each
//!                     name, last ID, entries read (-1: unknown)
//!                     pending: number, then ID (16 bytes), time (8), deliveries of each
//!                     consumers: number, then of each
//!                       name, seen (8), active (8), pending: number, then IDs
//!   19  stream 2    without the active time
//!   15  stream      read only: without first ID, deleted ID and what was added and read
//! ```
//! What is read is checked whole: blocks and their order, counts, that each pending entry belongs
//! to exactly one consumer, that no name comes twice.

use super::error::RdbError as Error;
use super::read::Reader;
use super::types::{ACTIVE_TIMES_SINCE, ValueKind};
use super::write::Writer;
use crate::ds::stream::Stream;
use crate::ds::stream::block::Block;
use crate::ds::stream::group::{Group, Pending};
use crate::ds::stream::id::Id;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};

/// The form in which it is written.
pub(crate) fn kind(version: u32) -> ValueKind {
    match version < ACTIVE_TIMES_SINCE {
        true => ValueKind::StreamListpacks2,
        false => ValueKind::StreamListpacks3,
    }
}

fn id<W: Write>(to: &mut Writer<W>, id: Id) -> io::Result<()> {
    to.length(id.ms)?;
    to.length(id.seq)
}

/// Writes it in that form.
pub(crate) fn save<W: Write>(to: &mut Writer<W>, stream: &Stream, version: u32) -> io::Result<()> {
    let log = &stream.log;
    to.length(log.block_count() as u64)?;
    for (master, block) in log.blocks() {
        to.string(&master.to_bytes())?;
        to.string(&block.to_bytes())?;
    }
    to.length(log.len())?;
    id(to, log.last_id)?;
    id(to, log.first_id)?;
    id(to, log.max_deleted)?;
    to.length(log.added)?;
    to.length(stream.groups.len() as u64)?;
    stream.groups.iter().try_for_each(|(name, group)| save_group(to, name, group, version))
}

fn save_group<W: Write>(
    to: &mut Writer<W>,
    name: &[u8],
    group: &Group,
    version: u32,
) -> io::Result<()> {
    to.string(name)?;
    id(to, group.last_id)?;
    to.length(group.entries_read.unwrap_or(-1) as u64)?;
    to.length(group.pending().len() as u64)?;
    for (id, pending) in group.pending() {
        to.bytes(&id.to_bytes())?;
        to.bytes(&pending.delivered_ms.to_le_bytes())?;
        to.length(pending.deliveries)?;
    }
    to.length(group.consumer_count() as u64)?;
    for consumer in group.consumers() {
        to.string(&consumer.name)?;
        to.bytes(&consumer.seen_ms.to_le_bytes())?;
        if version >= ACTIVE_TIMES_SINCE {
            to.bytes(&consumer.active_ms.to_le_bytes())?;
        }
        to.length(consumer.pending().len() as u64)?;
        consumer.pending().iter().try_for_each(|id| to.bytes(&id.to_bytes()))?;
    }
    Ok(())
}

fn load_id<R: Read>(from: &mut Reader<R>) -> Result<Id, Error> {
    Ok(Id::new(from.length()?, from.length()?))
}

fn raw_id<R: Read>(from: &mut Reader<R>) -> Result<Id, Error> {
    Ok(Id::from_bytes(from.take()?))
}

/// Reads one of any form.
pub(crate) fn load<R: Read>(from: &mut Reader<R>, kind: ValueKind) -> Result<Box<Stream>, Error> {
    let mut stream = Box::<Stream>::default();
    let log = &mut stream.log;
    let blocks = from.length()?;
    for _ in 0..blocks {
        let at = from.offset();
        let key = <[u8; 16]>::try_from(from.string()?);
        let key = key.map_err(|_| {
            Error::corrupt(at, "Stream node key entry is not the size of a stream ID")
        })?;
        let (at, master) = (from.offset(), Id::from_bytes(key));
        let (block, ids) = Block::from_untrusted(from.string()?, master)
            .map_err(|_| Error::corrupt(at, "Stream listpack integrity check failed."))?;
        if !log.append_block(master, block, ids) {
            return Err(Error::corrupt(at, "Stream listpacks out of order"));
        }
    }
    let at = from.offset();
    let (length, last_id, greatest) = (from.length()?, load_id(from)?, log.last_id);
    if length != log.len() {
        return Err(Error::corrupt(at, "Stream length inconsistent with its listpacks"));
    }
    if last_id < greatest {
        return Err(Error::corrupt(at, "Stream last ID below that of an entry"));
    }
    log.last_id = last_id;
    if kind == ValueKind::StreamListpacks {
        log.added = length;
        log.renew_first_id();
    } else {
        log.first_id = load_id(from)?;
        log.max_deleted = load_id(from)?;
        log.added = from.length()?;
    }
    let groups = from.length()?;
    for _ in 0..groups {
        let at = from.offset();
        let name = from.string()?;
        let group = load_group(from, kind, &stream)?;
        if stream.groups.insert(name.into(), group).is_some() {
            return Err(Error::corrupt(at, "Duplicated consumer group name"));
        }
    }
    Ok(stream)
}

fn load_group<R: Read>(
    from: &mut Reader<R>,
    kind: ValueKind,
    stream: &Stream,
) -> Result<Group, Error> {
    let last_id = load_id(from)?;
    let entries_read = match kind {
        // Compat: an entry behind the last one, say, is an unknown number of entries.
        ValueKind::StreamListpacks => stream.log.added_up_to(last_id),
        _ => Some(from.length()? as i64).filter(|n| *n != -1),
    };
    let mut group = Group::new(last_id, entries_read);
    // Whose they are is said below.
    let mut pending = BTreeMap::new();
    let n = from.length()?;
    for _ in 0..n {
        let at = from.offset();
        let (id, delivered_ms, deliveries) = (raw_id(from)?, from.time_ms()?, from.length()?);
        if pending.insert(id, (delivered_ms, deliveries)).is_some() {
            let what = "Duplicated global PEL entry loading stream consumer group";
            return Err(Error::corrupt(at, what));
        }
    }
    let consumers = from.length()?;
    for _ in 0..consumers {
        let at = from.offset();
        let name = from.string()?;
        if group.find(&name).is_some() {
            return Err(Error::corrupt(at, "Duplicate stream consumer detected."));
        }
        let seen_ms = from.time_ms()?;
        let consumer = group.add_consumer(&name, seen_ms);
        let active_ms = match kind {
            ValueKind::StreamListpacks3 => from.time_ms()?,
            // That is the best guess.
            _ => seen_ms,
        };
        group.consumer_mut(consumer).active_ms = active_ms;
        let n = from.length()?;
        for _ in 0..n {
            let at = from.offset();
            let id = raw_id(from)?;
            // Each is taken once: one that two consumers claim is refused.
            let Some((delivered_ms, deliveries)) = pending.remove(&id) else {
                return Err(Error::corrupt(at, "Consumer entry not found in group global PEL"));
            };
            group.put(id, Pending { consumer, delivered_ms, deliveries });
        }
    }
    match pending.is_empty() {
        true => Ok(group),
        false => Err(Error::corrupt(from.offset(), "Stream CG PEL entry without consumer")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ds::stream::log::{NewId, NodeLimits, Trim};

    fn sample() -> Stream {
        let mut stream = Stream::default();
        let limits = NodeLimits { bytes: 4096, entries: 3 };
        for i in 1..=10u64 {
            let text = (i * 1000).to_string();
            let args: [&[u8]; 4] =
                [b"a", text.as_bytes(), if i % 4 == 0 { b"c" } else { b"b" }, b"x"];
            stream.log.append(NewId::Exactly(Id::new(i, i % 3)), &args, limits).expect("above");
        }
        stream.log.delete(&[Id::new(5, 2)]);
        stream.log.trim(Trim::MaxLen(8), false, 0);
        let mut group = Group::new(Id::new(7, 1), Some(7));
        let ann = group.add_consumer(b"ann", 5);
        let bob = group.add_consumer(b"bob", 6);
        group.add_consumer(b"idle", 6);
        group.deliver(Id::new(6, 0), ann, 100);
        group.deliver(Id::new(7, 1), bob, 101);
        stream.groups.insert(b"g".as_slice().into(), group);
        stream.groups.insert(b"h".as_slice().into(), Group::new(Id::MIN, None));
        stream
    }

    fn written(stream: &Stream, version: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut to = Writer::new(&mut bytes, 4096, false, false);
        save(&mut to, stream, version).and_then(|()| to.flush()).expect("memory takes every write");
        bytes
    }

    fn read(bytes: &[u8], kind: ValueKind) -> Result<Box<Stream>, Error> {
        let mut from = Reader::new(bytes, 64, false);
        let stream = load(&mut from, kind)?;
        assert_eq!(from.offset(), bytes.len() as u64);
        Ok(stream)
    }

    #[test]
    fn streams_come_back() {
        let stream = sample();
        let bytes = written(&stream, 11);
        let back = read(&bytes, kind(11)).expect("sound");
        back.log.check();
        back.groups.values().for_each(Group::check);
        assert_eq!(*back, stream);
        let older = read(&written(&stream, 10), kind(10)).expect("sound");
        assert_eq!(older.log.len(), 8);
        for group in older.groups.values() {
            assert!(group.consumers().all(|c| c.active_ms == c.seen_ms));
        }
        for cut in 0..bytes.len() {
            assert!(read(&bytes[..cut], kind(11)).is_err(), "{cut}");
        }
    }

    /// No byte that is wrong does any harm: either it is noticed or the stream is another one.
    #[test]
    fn broken_payloads_are_refused_or_harmless() {
        let bytes = written(&sample(), 11);
        for at in 0..bytes.len() {
            for wrong in [0, 1, 2, 3, 0x7f, 0x80, 0xc1, 0xf0, 0xf1, 0xff, bytes[at] ^ 1] {
                let mut bad = bytes.clone();
                bad[at] = wrong;
                let mut from = Reader::new(&bad[..], 64, false);
                let Ok(mut stream) = load(&mut from, ValueKind::StreamListpacks3) else { continue };
                stream.log.check();
                stream.groups.values().for_each(Group::check);
                assert_eq!(stream.log.range(Id::MIN, Id::MAX).count() as u64, stream.log.len());
                stream.log.trim(Trim::MaxLen(2), false, 0);
                stream.log.check();
            }
        }
    }
}
