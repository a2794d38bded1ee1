//! Which hashes have fields that expire, and which streams have entries that wait for their time.
//!
//! The hash itself knows the order of its fields, and the stream that of its entries. Here each
//! such key has one entry, in a table and a wheel like those of keys (`Timed`). So the server finds
//! what is due without looking at other keys. A database keeps the entries up to date
//! (`place::Indexes`).
//!
//! Invariant: a key has an entry exactly if it holds a hash with a field that expires, or a stream
//! with an entry that waits. The entry's expiry is the time of the first such field, or the
//! millisecond before that of the first such entry: at a field's time it is still there, a stream's
//! entry is not. Its value says which of the two it is.

use crate::keyspace::entry::timed::{Due, Expire, Key, Timed};
use crate::keyspace::entry::{Entry, SetValue};
use crate::util::siphash::Seed;
use crate::value::{ObjectRef, Type, Value, ValueRef};

/// Hashes and streams by the soonest time of an element. O(1) each.
pub(crate) struct FieldIndex {
    all: Timed,
    /// How many of them are streams.
    streams: usize,
    /// Another number whenever a stream's time may have come nearer.
    stamp: u32,
}

/// What an entry of the index holds for a key with a hash.
const HASH: i64 = 0;
/// The same for a stream.
const STREAM: i64 = 1;

fn of_object(object: ObjectRef<'_>) -> Option<i64> {
    match object {
        ObjectRef::Hash(hash) => hash.soonest(),
        ObjectRef::Stream(stream) => stream.quiet_until_ms(),
        _ => None,
    }
}

/// The time under which the entry belongs into the index, if it does.
#[inline]
pub(crate) fn of_entry(entry: &Entry) -> Option<i64> {
    match entry.value() {
        ValueRef::Object(object) => of_object(object),
        _ => None,
    }
}

/// The same for a value that is not in an entry.
#[inline]
fn of_value(value: &Value) -> Option<i64> {
    match value {
        Value::Object(object) => of_object(object.view()),
        _ => None,
    }
}

/// The same for a value that is about to be stored.
#[inline]
pub(crate) fn of_new(value: &SetValue<'_>) -> Option<i64> {
    match value {
        SetValue::Owned(value) => of_value(value),
        SetValue::Collection(object) => of_object(object.view()),
        _ => None,
    }
}

impl FieldIndex {
    /// An empty one, whose wheel starts at `now_ms`. Keys are hashed with `seed`.
    pub(crate) fn new(seed: Seed, now_ms: i64) -> FieldIndex {
        FieldIndex { all: Timed::new(seed, now_ms), streams: 0, stamp: 0 }
    }

    /// Number of hashes with fields that expire, and of streams with entries that wait. O(1).
    pub(crate) fn len(&self) -> usize {
        self.all.expires()
    }

    /// Number of the hashes among them. O(1).
    pub(crate) fn hashes(&self) -> usize {
        self.len() - self.streams
    }

    /// Changes when what a stream waits for may have come nearer.
    pub(crate) fn stamp(&self) -> u32 {
        self.stamp
    }

    /// Whether there are none. O(1).
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// About when the next of them is due (`Timed::soonest` says how exactly).
    pub(crate) fn soonest_ms(&self) -> Option<i64> {
        self.all.soonest()?.expire_ms()
    }

    /// About how many have a time that is not after `now_ms` (`Timed::due`).
    pub(crate) fn due(&self, now_ms: i64) -> usize {
        self.all.due(now_ms)
    }

    /// The key of one whose time is not after `now_ms`. Bounded work, as `Timed::next_due`.
    pub(crate) fn next_due(&mut self, now_ms: i64) -> Due<&[u8]> {
        self.all.next_due(now_ms).map(Entry::key)
    }

    /// The first element of what is at `key` has its time at `new`, where that was `old`;
    /// `is_stream` says of what is there now what it is. O(1).
    #[cold]
    pub(crate) fn update(
        &mut self,
        key: &[u8],
        old: Option<i64>,
        new: Option<i64>,
        is_stream: bool,
    ) {
        if old == new {
            return;
        }
        let dict = self.all.dict();
        let key = Key { bytes: key, hash: dict.hash(key) };
        let line = dict.get(key.hash, key.bytes).map(Entry::value);
        self.streams -= usize::from(line == Some(ValueRef::Int(STREAM)));
        match new {
            Some(at) => {
                let what = if is_stream { STREAM } else { HASH };
                self.all.set(key, SetValue::Int(what), Expire::At(at), 0);
                self.streams += usize::from(is_stream);
                self.stamp = self.stamp.wrapping_add(u32::from(is_stream));
            }
            None => {
                self.all.remove(key);
            }
        }
    }

    /// Bytes of the index. O(1), an estimate as to its entries.
    pub(crate) fn mem_bytes(&self) -> usize {
        self.all.mem_bytes()
    }

    /// Panics unless `entries` are all that should be here. O(n).
    pub(crate) fn check<'a>(&self, entries: impl Iterator<Item = &'a Entry>) {
        self.all.check();
        let (mut n, mut streams) = (0, 0);
        for (entry, at) in entries.filter_map(|e| Some((e, of_entry(e)?))) {
            let dict = self.all.dict();
            let line = dict.get(dict.hash(entry.key()), entry.key());
            let known = line.and_then(Entry::expire_ms);
            assert_eq!(known, Some(at), "the index of timed fields is out of step");
            n += 1;
            streams += usize::from(entry.value_type() == Type::Stream);
        }
        assert_eq!((n, n, streams), (self.len(), self.all.dict().len(), self.streams));
    }
}
