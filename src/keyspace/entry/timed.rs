//! `Timed`: the table of entries and the wheel of those that expire, kept in step.
//!
//! The wheel's handles are the entries' addresses. So whatever moves, frees or re-times an entry
//! must tell the wheel, and this file is the only place that can do any of the three to an entry in
//! the table: a safe interface over
//!
//! - T1  the wheel holds exactly the entries of the table that have an expiry, under their current
//!   address, deadline and place.

#![allow(unsafe_code)] // Handles of the wheel are addresses of entries; fenced in by T1.

use super::{Entry, EntryBox, IncrError, Put, SetValue};
use crate::ds::dict::{Dict, Occupied, Thin, prefetch};
use crate::ds::wheel::{Items, Next, Place, Wheel};
use crate::util::siphash::Seed;
use crate::value::packed::Packed;
use crate::value::{Object, Value};
use std::ptr::NonNull;

/// A key and its hash, which is computed once a command.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    pub bytes: &'a [u8],
    pub hash: u64,
}

/// What becomes of a key's expiry when its value is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expire {
    Keep,
    None,
    At(i64),
}

impl Expire {
    /// The expiry of a key that was not there before.
    #[inline]
    pub fn of_new(self) -> Option<i64> {
        match self {
            Expire::At(ms) => Some(ms),
            Expire::Keep | Expire::None => None,
        }
    }
}

/// What a wheel answers when asked for an entry whose time has come.
#[derive(Debug, PartialEq, Eq)]
pub enum Due<T> {
    This(T),
    /// No entry was found in the time of one call, and the wheel has more to sort. Ask again when
    /// there is time.
    Unsorted,
    Nothing,
}

impl<T> Due<T> {
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Due<U> {
        match self {
            Due::This(item) => Due::This(f(item)),
            Due::Unsorted => Due::Unsorted,
            Due::Nothing => Due::Nothing,
        }
    }
}

/// The most items that one call of `next_due` sorts, which takes some 50 microseconds.
const DEAL: usize = 512;

/// Entries as the wheel sees them.
struct Entries;

fn pointer(handle: u64) -> NonNull<u8> {
    let at = std::ptr::with_exposed_provenance_mut(handle as usize);
    NonNull::new(at).expect("T1: no entry is at 0")
}

fn handle_of(entry: &Entry) -> u64 {
    entry.base().addr() as u64
}

impl Items for Entries {
    fn due_ms(&self, handle: u64) -> i64 {
        // SAFETY: T1 -- the entry lives; the borrow ends here.
        unsafe { Entry::at(pointer(handle)) }.expire_ms().expect("T1: it has an expiry")
    }

    fn set_place(&mut self, handle: u64, place: Place) {
        // SAFETY: T1 -- the entry lives, and the table, which owns it, is borrowed exclusively by
        // whoever calls the wheel. The owner made here is not dropped.
        let mut entry = std::mem::ManuallyDrop::new(unsafe { EntryBox::from_raw(pointer(handle)) });
        entry.set_place(place);
    }

    #[inline]
    fn prefetch(&self, handle: u64) {
        prefetch(std::ptr::without_provenance(handle as usize));
    }
}

/// The times of a database: the wheel and the sum of all deadlines.
struct Clock {
    wheel: Wheel,
    sum_ms: i128,
}

impl Clock {
    /// Enters an entry, if it expires.
    fn enter(&mut self, entry: &Entry) {
        if let Some(at) = entry.expire_ms() {
            self.wheel.insert(handle_of(entry), at, &mut Entries);
            self.sum_ms += at as i128;
        }
    }

    /// Takes an entry out, if it expires.
    fn leave(&mut self, entry: &Entry) {
        if let Some(at) = entry.expire_ms() {
            self.wheel.remove(handle_of(entry), at, entry.place(), &mut Entries);
            self.sum_ms -= at as i128;
        }
    }

    /// Follows an entry that was at `old`, and may have moved, with the same deadline.
    #[inline(always)]
    fn follow(&mut self, old: u64, entry: &Entry) {
        if old != handle_of(entry)
            && let Some(at) = entry.expire_ms()
        {
            self.wheel.renamed(old, handle_of(entry), at, entry.place());
        }
    }
}

/// Entries by key, and by time.
pub(crate) struct Timed {
    dict: Dict<EntryBox>,
    clock: Clock,
}

impl Timed {
    /// An empty one, whose wheel starts at `now_ms`.
    pub(crate) fn new(seed: Seed, now_ms: i64) -> Timed {
        Timed { dict: Dict::new(seed), clock: Clock { wheel: Wheel::new(now_ms), sum_ms: 0 } }
    }

    /// The table alone, to look at.
    #[inline(always)]
    pub(crate) fn dict(&self) -> &Dict<EntryBox> {
        &self.dict
    }

    /// Makes room for `entries` in all.
    pub(crate) fn reserve(&mut self, entries: usize) {
        self.dict.reserve(entries);
    }

    /// Up to `n` splits or merges that are due; false if none is left.
    pub(crate) fn step(&mut self, n: usize) -> bool {
        self.dict.step(n)
    }

    /// Entries with an expiry. O(1).
    pub(crate) fn expires(&self) -> usize {
        self.clock.wheel.len()
    }

    /// Entries that are due at `now_ms`, exactly or about, as `Wheel::due` says.
    pub(crate) fn due(&self, now_ms: i64) -> usize {
        self.clock.wheel.due(now_ms, &Entries)
    }

    /// The sum of all deadlines in ms. O(1).
    pub(crate) fn sum_ms(&self) -> i128 {
        self.clock.sum_ms
    }

    /// Bytes of table and wheel, entries not counted. O(1).
    pub(crate) fn mem_bytes(&self) -> usize {
        self.dict.mem_bytes() + self.clock.wheel.mem_bytes()
    }

    /// The entry of `key`, to change it.
    #[inline(always)]
    pub(crate) fn find_mut(&mut self, key: Key<'_>) -> Option<EntryMut<'_>> {
        let place = self.dict.get_mut(key.hash, key.bytes)?;
        Some(EntryMut { place, clock: &mut self.clock })
    }

    /// The entry of `key`, to change it, or its place when there is none.
    #[inline(always)]
    pub(crate) fn find_or_vacant<'a>(
        &'a mut self,
        key: Key<'a>,
    ) -> Result<EntryMut<'a>, Vacant<'a>> {
        let Timed { dict, clock } = self;
        match dict.get_mut_or(key.hash, key.bytes) {
            Ok(place) => Ok(EntryMut { place, clock }),
            Err(dict) => Err(Vacant { dict, clock, key }),
        }
    }

    /// Sets value, expiry and access data of `key`; one search. Returns the old value if it had an
    /// allocation of its own.
    #[inline]
    pub(crate) fn set(
        &mut self,
        key: Key<'_>,
        value: SetValue<'_>,
        expire: Expire,
        lru: u32,
    ) -> Option<Value> {
        match self.find_or_vacant(key) {
            Ok(mut entry) => {
                let heavy = entry.set_value(value, expire);
                entry.set_lru(lru);
                heavy
            }
            Err(vacant) => {
                vacant.fill(value, expire.of_new(), lru);
                None
            }
        }
    }

    /// Removes the entry of `key` and hands it over.
    #[inline]
    pub(crate) fn remove(&mut self, key: Key<'_>) -> Option<EntryBox> {
        let place = self.dict.get_mut(key.hash, key.bytes)?;
        self.clock.leave(place.view());
        Some(place.remove().0)
    }

    /// An entry whose expiry is not after `now_ms`; it stays. Works for some 50 microseconds at
    /// most.
    pub(crate) fn next_due(&mut self, now_ms: i64) -> Due<&Entry> {
        match self.clock.wheel.next_due(now_ms, DEAL, &mut Entries) {
            // SAFETY: T1 -- it lives, and is borrowed with `self`.
            Next::Due(handle) => Due::This(unsafe { Entry::at(pointer(handle)) }),
            Next::More => Due::Unsorted,
            Next::Idle => Due::Nothing,
        }
    }

    /// The entry that expires next (`Wheel::soonest` says how exactly).
    pub(crate) fn soonest(&self) -> Option<&Entry> {
        let handle = self.clock.wheel.soonest(&Entries)?;
        // SAFETY: T1 -- it lives, and is borrowed with `self`.
        Some(unsafe { Entry::at(pointer(handle)) })
    }

    /// Panics if an invariant doesn't hold. O(n).
    pub(crate) fn check(&self) {
        self.dict.check();
        let timed: Vec<i64> = self.dict.iter().filter_map(Entry::expire_ms).collect();
        assert_eq!(timed.len(), self.expires(), "T1");
        assert_eq!(timed.iter().map(|&at| at as i128).sum::<i128>(), self.clock.sum_ms);
        self.clock.wheel.check(&Entries, |handle| {
            // SAFETY: T1 -- it lives.
            unsafe { Entry::at(pointer(handle)) }.place()
        });
    }
}

/// The place of a key that is not in the table.
pub(crate) struct Vacant<'a> {
    dict: &'a mut Dict<EntryBox>,
    clock: &'a mut Clock,
    key: Key<'a>,
}

impl<'a> Vacant<'a> {
    pub(crate) fn key(&self) -> Key<'a> {
        self.key
    }

    /// Adds an entry of the key. Amortised O(1).
    #[inline]
    pub(crate) fn fill(self, value: SetValue<'_>, expire: Option<i64>, lru: u32) {
        let entry = EntryBox::new(self.key.bytes, value, expire, lru);
        self.clock.enter(&entry);
        self.dict.insert_new(self.key.hash, entry);
    }
}

/// An entry in its table, to be changed: table slot and wheel follow when it moves.
pub(crate) struct EntryMut<'a> {
    place: Occupied<'a, EntryBox>,
    clock: &'a mut Clock,
}

impl std::ops::Deref for EntryMut<'_> {
    type Target = Entry;

    #[inline(always)]
    fn deref(&self) -> &Entry {
        self.place.view()
    }
}

impl<'a> EntryMut<'a> {
    /// The entry, for as long as the table is borrowed.
    #[inline]
    pub(crate) fn into_entry(self) -> &'a Entry {
        self.place.into_view()
    }

    /// Changes the entry by `change`, which may move it but keeps key and expiry.
    #[inline(always)]
    fn change<R>(&mut self, change: impl FnOnce(&mut EntryBox) -> R) -> R {
        let old = handle_of(self);
        let result = self.place.update(|mut entry| {
            let result = change(&mut entry);
            (entry, result)
        });
        self.clock.follow(old, self.place.view());
        result
    }

    /// Sets the access data: 24 bits of LRU clock or LFU counter.
    #[inline]
    pub(crate) fn set_lru(&mut self, lru: u32) {
        self.place.update(|mut entry| {
            entry.set_lru(lru);
            (entry, ())
        });
    }

    /// Replaces the value. Returns the old one if it had an allocation of its own, for the caller
    /// to free when it suits.
    #[inline(always)]
    pub(crate) fn set_value(&mut self, value: SetValue<'_>, expire: Expire) -> Option<Value> {
        let put = Put::new(value);
        let old = self.expire_ms();
        let new = match expire {
            Expire::Keep => old,
            Expire::None => None,
            Expire::At(ms) => Some(ms),
        };
        if old == new {
            return self.change(|entry| entry.replace(put, old));
        }
        self.retime(|entry| entry.replace(put, new))
    }

    /// Sets or clears the expiry.
    pub(crate) fn set_expire(&mut self, expire: Option<i64>) {
        if self.expire_ms() != expire {
            self.retime(|entry| entry.set_expire(expire));
        }
    }

    /// A change that also changes the expiry.
    fn retime<R>(&mut self, change: impl FnOnce(&mut EntryBox) -> R) -> R {
        self.clock.leave(self.place.view());
        let result = self.place.update(|mut entry| {
            let result = change(&mut entry);
            (entry, result)
        });
        self.clock.enter(self.place.view());
        result
    }

    /// Adds `by` to an integer value; in place unless it outgrows its size class.
    #[inline]
    pub(crate) fn incr(&mut self, by: i64) -> Result<i64, IncrError> {
        self.change(|entry| entry.incr(by))
    }

    /// Appends to a string and returns its length; None if it is no string. Amortised O(`tail`).
    pub(crate) fn append(&mut self, tail: &[u8]) -> Option<usize> {
        self.change(|entry| entry.append(tail))
    }

    /// Overwrites a string from `offset` on, zero-filled if it was shorter, and returns its length;
    /// None if it is no string.
    pub(crate) fn set_range(&mut self, offset: usize, bytes: &[u8]) -> Option<usize> {
        self.change(|entry| entry.set_range(offset, bytes))
    }

    /// Whether the value is a collection of its own allocation.
    #[inline]
    pub(crate) fn is_boxed(&self) -> bool {
        self.kind().is_boxed()
    }

    /// The key and a collection of its own allocation, for as long as the table is borrowed. None
    /// if the value is no such collection.
    #[inline]
    pub(crate) fn into_boxed(self) -> Option<(&'a [u8], &'a mut Object)> {
        let entry: &'a Entry = self.place.into_view();
        // SAFETY: E2 -- the entry owns the box, which the key does not lie in, and the exclusive
        // borrow of the table lasts for `'a`.
        entry.kind().is_boxed().then(|| (entry.key(), unsafe { &mut *entry.object_pointer() }))
    }

    /// Stores a collection in place of a small one; expiry and access data stay.
    #[inline]
    pub(crate) fn set_object(&mut self, object: Object) {
        let expire = self.expire_ms();
        self.change(|entry| match Packed::of(object.view()) {
            Some(packed) => drop(entry.replace(Put::Packed(packed), expire)),
            None => drop(entry.replace(Put::Object(Box::new(object)), expire)),
        });
    }

    /// Removes the entry and hands it over.
    pub(crate) fn remove(self) -> EntryBox {
        self.clock.leave(self.place.view());
        self.place.remove().0
    }

    /// Removes the entry and hands it over, with the place that is free now; `key` is the entry's
    /// own.
    pub(crate) fn vacate(self, key: Key<'a>) -> (EntryBox, Vacant<'a>) {
        debug_assert_eq!(self.key(), key.bytes);
        let EntryMut { place, clock } = self;
        clock.leave(place.view());
        let (entry, dict) = place.remove();
        (entry, Vacant { dict, clock, key })
    }
}
