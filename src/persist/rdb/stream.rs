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
//!   26  stream 4    behind that, what producers have sent: seconds and number of the settings,
//!                   producers: number, then of each
//!                     name, messages: number, then name and ID of each
//!                   messages ever added, those that came twice
//!   27  stream 5    of each group also what was given back: number, then IDs (16 bytes) in order
//!   19  stream 2    without the active time
//!   15  stream      read only: without first ID, deleted ID and what was added and read
//! ```
//! What is read is checked whole: blocks and their order, counts, that each pending entry belongs
//! to exactly one consumer, that no name comes twice.

use super::error::RdbError as Error;
use super::read::Reader;
use super::types::{
    ACTIVE_TIMES_SINCE, LISTPACKS_SINCE, PRODUCERS_SINCE, RELEASED_SINCE, VALKEY_VERSION, ValueKind,
};
use super::write::Writer;
use crate::ds::stream::Stream;
use crate::ds::stream::block::Block;
use crate::ds::stream::group::{Group, Limit, Pending};
use crate::ds::stream::id::Id;
use crate::ds::stream::idempotent::{Memory, Producers};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};

/// The lowest version that can hold all of it.
pub(crate) fn lowest(stream: &Stream) -> u32 {
    if stream.groups.values().any(|group| group.released_count() > 0) {
        RELEASED_SINCE
    } else if stream.producers.is_some() {
        PRODUCERS_SINCE
    } else {
        ACTIVE_TIMES_SINCE
    }
}

/// The form in which it is written.
pub(crate) fn kind(stream: &Stream, version: u32) -> ValueKind {
    let version = match version {
        VALKEY_VERSION => ACTIVE_TIMES_SINCE,
        _ => version.min(lowest(stream)),
    };
    match version {
        RELEASED_SINCE.. => ValueKind::StreamListpacks5,
        PRODUCERS_SINCE.. => ValueKind::StreamListpacks4,
        ACTIVE_TIMES_SINCE.. => ValueKind::StreamListpacks3,
        LISTPACKS_SINCE.. => ValueKind::StreamListpacks2,
        _ => ValueKind::StreamListpacks,
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
    let kind = kind(stream, version);
    if kind >= ValueKind::StreamListpacks2 {
        id(to, log.first_id)?;
        id(to, log.max_deleted)?;
        to.length(log.added)?;
    }
    to.length(stream.groups.len() as u64)?;
    for (name, group) in &stream.groups {
        match group.released_count() > 0 && kind < ValueKind::StreamListpacks5 {
            true => save_group(to, name, &with_all_owned(group), kind)?,
            false => save_group(to, name, group, kind)?,
        }
    }
    match kind < ValueKind::StreamListpacks4 {
        true => Ok(()),
        false => save_producers(to, stream.producers.as_deref()),
    }
}

/// The group with a consumer without a name, who has what was given back. Older versions know
/// nothing that is pending and nobody's.
fn with_all_owned(group: &Group) -> Group {
    let mut all = group.clone();
    let consumer = all.find(b"").unwrap_or_else(|| all.add_consumer(b"", 0));
    for id in group.released() {
        let Some(pending) = group.pending().get(&id) else { continue };
        all.put(id, Pending { consumer, ..*pending });
    }
    all
}

fn save_producers<W: Write>(to: &mut Writer<W>, producers: Option<&Producers>) -> io::Result<()> {
    let Some(producers) = producers else {
        // Nothing was ever sent so; the settings are the usual ones.
        return [100, 100, 0, 0, 0].into_iter().try_for_each(|n| to.length(n));
    };
    to.length(producers.memory().seconds)?;
    to.length(producers.memory().messages)?;
    to.length(producers.len() as u64)?;
    for (name, n, messages) in producers.iter() {
        to.string(name)?;
        to.length(n as u64)?;
        for (message, of) in messages {
            to.string(message)?;
            id(to, of)?;
        }
    }
    to.length(producers.added)?;
    to.length(producers.duplicates)
}

fn save_group<W: Write>(
    to: &mut Writer<W>,
    name: &[u8],
    group: &Group,
    kind: ValueKind,
) -> io::Result<()> {
    to.string(name)?;
    id(to, group.last_id)?;
    if kind >= ValueKind::StreamListpacks2 {
        to.length(group.entries_read.unwrap_or(-1) as u64)?;
    }
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
        if kind >= ValueKind::StreamListpacks3 {
            to.bytes(&consumer.active_ms.to_le_bytes())?;
        }
        to.length(consumer.pending().len() as u64)?;
        consumer.pending().iter().try_for_each(|id| to.bytes(&id.to_bytes()))?;
    }
    if kind >= ValueKind::StreamListpacks5 {
        to.length(group.released_count() as u64)?;
        group.released().try_for_each(|id| to.bytes(&id.to_bytes()))?;
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
    if kind >= ValueKind::StreamListpacks4 {
        stream.producers = load_producers(from)?.map(Box::new);
    }
    Ok(stream)
}

fn load_producers<R: Read>(from: &mut Reader<R>) -> Result<Option<Producers>, Error> {
    let at = from.offset();
    let memory = Memory { seconds: from.length()?, messages: from.length()? };
    if !(1..=Memory::SECONDS_MAX as u64).contains(&memory.seconds)
        || !(1..=Memory::MESSAGES_MAX as u64).contains(&memory.messages)
    {
        return Err(Error::corrupt(at, "Stream IDMP settings out of range"));
    }
    let mut all = Producers::new(memory);
    let producers = from.length()?;
    for _ in 0..producers {
        let at = from.offset();
        let name = from.string()?;
        let messages = from.length()?;
        if name.is_empty() || all.knows(&name) || messages == 0 || messages > memory.messages {
            return Err(Error::corrupt(at, "Stream IDMP producer"));
        }
        for _ in 0..messages {
            let at = from.offset();
            let (message, id) = (from.string()?, load_id(from)?);
            if message.is_empty() || all.find_any(&name, &message).is_some() {
                return Err(Error::corrupt(at, "Stream IDMP entry"));
            }
            all.insert(&name, &message, id);
        }
    }
    (all.added, all.duplicates) = (from.length()?, from.length()?);
    // A stream that has only the form, since its groups need it, stays as it was.
    let usual = memory == Memory { seconds: 100, messages: 100 };
    let unused = usual && all.len() == 0 && all.added == 0 && all.duplicates == 0;
    Ok((!unused).then_some(all))
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
            // That is the best guess.
            ValueKind::StreamListpacks | ValueKind::StreamListpacks2 => seen_ms,
            _ => from.time_ms()?,
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
    if kind == ValueKind::StreamListpacks5 {
        let n = from.length()?;
        for _ in 0..n {
            let at = from.offset();
            let id = raw_id(from)?;
            let Some((_, deliveries)) = pending.remove(&id) else {
                return Err(Error::corrupt(at, "NACK entry not found in group global PEL"));
            };
            group.release(id, deliveries);
        }
    }
    match pending.is_empty() {
        true => Ok(group),
        false => Err(Error::corrupt(from.offset(), "Stream CG PEL entry without consumer")),
    }
}

/// The AUX field behind a stream whose groups have delivery limits: its key, then of each such
/// group its name, the number and the dead-letter key, each with its length (4 bytes) before it. A
/// server that knows of no limits passes over it.
pub(crate) const LIMITS: &[u8] = b"redust-group-limits";

/// The value of that field, if there is one.
pub(crate) fn limits(key: &[u8], stream: &Stream) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    let mut put = |bytes: &[u8]| {
        all.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        all.extend_from_slice(bytes);
    };
    put(key);
    let mut any = false;
    for (name, group) in &stream.groups {
        if let Some(limit) = &group.limit {
            any = true;
            put(name);
            put(&limit.deliveries.to_le_bytes());
            put(&limit.key);
        }
    }
    any.then_some(all)
}

/// The name of a group, and its limit.
pub(crate) type LimitOf = (Vec<u8>, Limit);

/// What such a field says: the key, and the limit of each group; None if it is broken.
pub(crate) fn read_limits(mut bytes: &[u8]) -> Option<(Vec<u8>, Vec<LimitOf>)> {
    let mut take = || {
        let (len, rest) = bytes.split_first_chunk::<4>()?;
        let (taken, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        bytes = rest;
        Some((taken.to_vec(), rest.is_empty()))
    };
    let (key, mut ended) = take()?;
    let mut all = Vec::new();
    while !ended {
        let (name, deliveries, to) = (take()?.0, take()?.0, take()?);
        let deliveries = u64::from_le_bytes(deliveries.try_into().ok()?);
        all.push((name, Limit { deliveries, key: to.0.into() }));
        ended = to.1;
    }
    Some((key, all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_groups_come_back() {
        let mut stream = Stream::default();
        assert_eq!(limits(b"k", &stream), None);
        for (name, n) in [(&b"g"[..], 3), (b"h", 7), (b"", 0)] {
            let mut group = Group::new(Id::MIN, None);
            group.limit = Some(Box::new(Limit { deliveries: n, key: b"dead".as_slice().into() }));
            stream.groups.insert(name.into(), group);
        }
        let bytes = limits(b"k", &stream).expect("there are some");
        let (key, all) = read_limits(&bytes).expect("sound");
        assert_eq!((key.as_slice(), all.len()), (&b"k"[..], 3));
        for (name, limit) in all {
            assert_eq!(stream.groups[&name[..]].limit.as_deref(), Some(&limit));
        }
        let whole = read_limits(&bytes);
        for cut in 0..bytes.len() {
            assert_ne!(read_limits(&bytes[..cut]), whole, "{cut}");
        }
    }
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
        let back = read(&bytes, kind(&stream, 11)).expect("sound");
        back.log.check();
        back.groups.values().for_each(Group::check);
        assert_eq!(*back, stream);
        let older = read(&written(&stream, 10), kind(&stream, 10)).expect("sound");
        assert_eq!(older.log.len(), 8);
        for group in older.groups.values() {
            assert!(group.consumers().all(|c| c.active_ms == c.seen_ms));
        }
        for cut in 0..bytes.len() {
            assert!(read(&bytes[..cut], kind(&stream, 11)).is_err(), "{cut}");
        }
    }

    fn later() -> Stream {
        let mut stream = sample();
        let group = stream.groups.get_mut(&b"g"[..]).expect("there");
        group.release(Id::new(7, 1), i64::MAX as u64);
        group.release(Id::new(3, 0), 0);
        let mut producers = Producers::new(Memory { seconds: 5, messages: 2 });
        producers.remember(b"p", b"one", Id::new(8, 2));
        producers.remember(b"p", b"two", Id::new(9, 0));
        producers.remember(b"q", b"one", Id::new(10, 1));
        producers.duplicates = 3;
        stream.producers = Some(Box::new(producers));
        stream
    }

    #[test]
    fn what_later_versions_know_comes_back_and_older_ones_get_what_they_can_hold() {
        let mut stream = later();
        assert_eq!(lowest(&stream), 14);
        for version in [14, 99] {
            let bytes = written(&stream, version);
            let back = read(&bytes, kind(&stream, version)).expect("sound");
            assert_eq!(*back, stream);
            back.groups.values().for_each(Group::check);
            back.producers.as_ref().expect("there").check();
            for cut in 0..bytes.len() {
                assert!(read(&bytes[..cut], ValueKind::StreamListpacks5).is_err(), "{cut}");
            }
        }
        for version in [13, 12, 11, 10, 9, VALKEY_VERSION] {
            let kind = kind(&stream, version);
            let back = read(&written(&stream, version), kind).expect("sound");
            assert_eq!(back.producers, stream.producers.clone().filter(|_| version == 13));
            let group = &back.groups[&b"g"[..]];
            group.check();
            let nobody = group.consumer(group.find(b"").expect("it has what was given back"));
            assert_eq!(nobody.pending().len(), 2);
        }
        stream.groups.clear();
        assert_eq!((lowest(&stream), kind(&stream, 14)), (13, ValueKind::StreamListpacks4));
        let back = read(&written(&stream, 14), ValueKind::StreamListpacks4).expect("sound");
        assert_eq!(*back, stream);
        stream.producers = None;
        assert_eq!((lowest(&stream), kind(&stream, 14)), (11, ValueKind::StreamListpacks3));
    }

    /// No byte that is wrong does any harm: either it is noticed or the stream is another one.
    #[test]
    fn broken_payloads_are_refused_or_harmless() {
        broken(&written(&sample(), 11), ValueKind::StreamListpacks3);
        broken(&written(&later(), 14), ValueKind::StreamListpacks5);
    }

    /// CVE-2026-63639, CVE-2026-66373: an entry that two consumers have would be freed twice
    /// elsewhere.
    #[test]
    fn an_entry_that_waits_for_two_consumers_is_refused() {
        let mut bytes = written(&sample(), 11);
        let raw = |ms: u64, seq: u64| [ms.to_be_bytes(), seq.to_be_bytes()].concat();
        // Bob's entry becomes Ann's. His is the last one: those of the group stand before.
        let his = raw(7, 1);
        let at = bytes.windows(16).rposition(|window| window == his).expect("it is pending");
        bytes[at..at + 16].copy_from_slice(&raw(6, 0));
        assert!(read(&bytes, ValueKind::StreamListpacks3).is_err());
    }

    fn broken(bytes: &[u8], kind: ValueKind) {
        for at in 0..bytes.len() {
            for wrong in [0, 1, 2, 3, 0x7f, 0x80, 0xc1, 0xf0, 0xf1, 0xff, bytes[at] ^ 1] {
                let mut bad = bytes.to_vec();
                bad[at] = wrong;
                let mut from = Reader::new(&bad[..], 64, false);
                let Ok(mut stream) = load(&mut from, kind) else { continue };
                if let Some(producers) = &stream.producers {
                    producers.check();
                }
                stream.log.check();
                stream.groups.values().for_each(Group::check);
                assert_eq!(stream.log.range(Id::MIN, Id::MAX).count() as u64, stream.log.len());
                stream.log.trim(Trim::MaxLen(2), false, 0);
                stream.log.check();
            }
        }
    }
}
