//! The place of a key in its database, taken (`EntryMut`) or free (`Vacant`). All changes to keys
//! come through here, so that `Indexes` is told of each.
//!
//! The table and the wheel of keys follow by themselves (`entry::timed`). Anything else that must
//! be known of a database's keys is an index of its own in `Indexes`; today these are which hashes
//! have fields that expire, and how many keys there are of each type. Every change tells them:
//! `added` when a place is filled, `removed` when one becomes free, `replaced` and `retimed` when a
//! value is replaced or a collection closed.

use crate::ds::dict::Iter;
use crate::keyspace::entry::timed::{self, Expire, Key};
use crate::keyspace::entry::{Entry, EntryBox, IncrError, SetValue};
use crate::keyspace::fields::{self, FieldIndex};
use crate::keyspace::types::{self, TypeCounts};
use crate::util::siphash::Seed;
use crate::value::{Object, Type, Value};
use std::ops::Deref;

/// Indexes of a database's keys beside the table and the wheel.
pub(crate) struct Indexes {
    /// Hashes with fields that expire, streams with entries that wait.
    pub fields: FieldIndex,
    pub types: TypeCounts,
}

impl Indexes {
    pub(crate) fn new(seed: Seed, now_ms: i64) -> Indexes {
        Indexes { fields: FieldIndex::new(seed, now_ms), types: TypeCounts::default() }
    }

    /// A key is about to be added.
    #[inline]
    fn added(&mut self, key: &[u8], value: &SetValue<'_>) {
        if value.is_collection() {
            self.added_collection(key, value);
        }
    }

    fn added_collection(&mut self, key: &[u8], value: &SetValue<'_>) {
        self.types.added(value);
        self.retimed(key, None, fields::of_new(value), || {
            types::of_new(value) == Some(Type::Stream)
        });
    }

    /// A key was removed, with its entry.
    #[inline]
    fn removed(&mut self, entry: &Entry) {
        self.types.removed(entry);
        if !self.fields.is_empty() {
            self.retimed(entry.key(), fields::of_entry(entry), None, || false);
        }
    }

    /// The first element of a key has another time.
    #[inline]
    fn retimed(
        &mut self,
        key: &[u8],
        old: Option<i64>,
        new: Option<i64>,
        is_stream: impl FnOnce() -> bool,
    ) {
        if old != new {
            self.fields.update(key, old, new, is_stream());
        }
    }

    /// Bytes of the indexes. O(1).
    pub(crate) fn mem_bytes(&self) -> usize {
        self.fields.mem_bytes()
    }

    /// Panics unless they agree with `entries`, which are all of the database. O(n).
    pub(crate) fn check<'a>(&self, entries: impl Fn() -> Iter<'a, EntryBox>) {
        self.fields.check(entries());
        self.types.check(entries());
    }
}

/// An entry of a database, to be changed: table, wheel and indexes follow.
pub struct EntryMut<'a> {
    pub(super) entry: timed::EntryMut<'a>,
    pub(super) indexes: &'a mut Indexes,
}

impl Deref for EntryMut<'_> {
    type Target = Entry;

    #[inline(always)]
    fn deref(&self) -> &Entry {
        &self.entry
    }
}

impl<'a> EntryMut<'a> {
    /// The entry, for as long as the database is borrowed.
    #[inline]
    pub fn into_entry(self) -> &'a Entry {
        self.entry.into_entry()
    }

    /// Sets the access data: 24 bits of LRU clock or LFU counter.
    #[inline]
    pub fn set_lru(&mut self, lru: u32) {
        self.entry.set_lru(lru);
    }

    /// Replaces the value. Returns the old one if it had an allocation of its own, for the caller
    /// to free when it suits.
    #[inline(always)]
    pub fn set_value(&mut self, value: SetValue<'_>, expire: Expire) -> Option<Value> {
        if self.entry.is_collection() || value.is_collection() {
            return self.set_collection(value, expire);
        }
        // No index knows of strings.
        self.entry.set_value(value, expire)
    }

    /// `set_value` where a collection comes or goes.
    #[inline(never)]
    fn set_collection(&mut self, value: SetValue<'_>, expire: Expire) -> Option<Value> {
        self.indexes.types.replaced(&self.entry, &value);
        let new = fields::of_new(&value);
        let old = match self.indexes.fields.is_empty() {
            true => None,
            false => fields::of_entry(self),
        };
        let heavy = self.entry.set_value(value, expire);
        let is_stream = || self.entry.value_type() == Type::Stream;
        self.indexes.retimed(self.entry.key(), old, new, is_stream);
        heavy
    }

    /// Sets or clears the expiry.
    pub fn set_expire(&mut self, expire: Option<i64>) {
        self.entry.set_expire(expire);
    }

    /// Adds `by` to an integer value; in place unless it outgrows its size class.
    #[inline]
    pub fn incr(&mut self, by: i64) -> Result<i64, IncrError> {
        self.entry.incr(by)
    }

    /// Appends to a string and returns its length; None if it is no string. Amortised O(`tail`).
    pub fn append(&mut self, tail: &[u8]) -> Option<usize> {
        self.entry.append(tail)
    }

    /// Overwrites a string from `offset` on, zero-filled if it was shorter, and returns its length;
    /// None if it is no string.
    pub fn set_range(&mut self, offset: usize, bytes: &[u8]) -> Option<usize> {
        self.entry.set_range(offset, bytes)
    }

    /// Whether the value is a collection of its own allocation.
    #[inline]
    pub fn is_boxed(&self) -> bool {
        self.entry.is_boxed()
    }

    /// A collection of its own allocation, for as long as the database is borrowed, and the one to
    /// tell when its times have changed. None if the value is no such collection.
    #[inline]
    pub fn into_boxed(self) -> Option<(&'a mut Object, Retimer<'a>)> {
        let (key, object) = self.entry.into_boxed()?;
        Some((object, Retimer { key, indexes: self.indexes }))
    }

    /// Stores a collection in place of a small one, whose first field expired at `old`; expiry and
    /// access data stay.
    #[inline]
    pub fn set_object(&mut self, object: Object, old: Option<i64>, new: Option<i64>) {
        self.entry.set_object(object);
        self.indexes.retimed(self.entry.key(), old, new, || false);
    }

    /// What waits in the stream that the entry holds has changed; before, `old` was its
    /// `quiet_until_ms`.
    ///
    /// Streams say so themselves, since to compare the times whenever one is closed would be work
    /// for all that know of none.
    pub fn delayed(&mut self, old: Option<i64>) {
        let new = fields::of_entry(&self.entry);
        self.indexes.retimed(self.entry.key(), old, new, || true);
    }

    /// Takes the entry out; the place is free for another.
    pub fn vacate(self, key: Key<'a>) -> (EntryBox, Vacant<'a>) {
        let EntryMut { entry, indexes } = self;
        indexes.removed(&entry);
        let (entry, place) = entry.vacate(key);
        (entry, Vacant { place, indexes })
    }

    /// Takes the entry out.
    pub fn remove(self) -> EntryBox {
        let EntryMut { entry, indexes } = self;
        indexes.removed(&entry);
        entry.remove()
    }
}

/// Is told the times of a collection that was changed in place.
pub struct Retimer<'a> {
    key: &'a [u8],
    indexes: &'a mut Indexes,
}

impl Retimer<'_> {
    /// The first field to expire did so at `old`, and now does at `new`.
    #[inline]
    pub fn retimed(&mut self, old: Option<i64>, new: Option<i64>) {
        self.indexes.retimed(self.key, old, new, || false);
    }
}

/// The place of a key that is not in the database.
pub struct Vacant<'a> {
    pub(super) place: timed::Vacant<'a>,
    pub(super) indexes: &'a mut Indexes,
}

impl Vacant<'_> {
    /// Stores a value under the key. Amortised O(1).
    #[inline]
    pub fn fill(self, value: SetValue<'_>, expire: Option<i64>, lru: u32) {
        self.indexes.added(self.place.key().bytes, &value);
        self.place.fill(value, expire, lru);
    }
}
