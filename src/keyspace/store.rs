//! `Store`: one database without policy: keys, values, expiry times, access data.
//!
//! It only does what it is told: expired keys are found until somebody removes them, nothing is
//! evicted, and nobody is notified. `DbMut` does these things. Every operation takes a `Key`, with
//! the hash that the caller has computed once (`Store::hash`). It is typically computed for a whole
//! batch, with `prefetch_bucket` and `prefetch_item` in between.
//!
//! Absent by design: a clock. Times are absolute milliseconds, given by the caller.

use crate::ds::dict::{Iter, Stats};
use crate::keyspace::entry::timed::Timed;
pub use crate::keyspace::entry::timed::{Due, Expire, Key};
pub use crate::keyspace::entry::{Entry, EntryBox, IncrError, SetValue};
use crate::keyspace::place::Indexes;
pub use crate::keyspace::place::{EntryMut, Vacant};
use crate::util::siphash::Seed;
use crate::value::{Type, Value};

/// One database. `Send`, so that a flushed one can be freed by another thread.
pub struct Store {
    table: Timed,
    indexes: Indexes,
}

impl Store {
    /// An empty database; it allocates nothing. All databases of a process share the seed. The
    /// wheel sorts expiry times by their distance from `now_ms`, and later from the last time given
    /// to `next_due`.
    pub fn new(seed: Seed, now_ms: i64) -> Store {
        Store { table: Timed::new(seed, now_ms), indexes: Indexes::new(seed, now_ms) }
    }

    /// The hash of a key, for `Key`.
    #[inline]
    pub fn hash(&self, bytes: &[u8]) -> u64 {
        self.table.dict().hash(bytes)
    }

    /// The key with its hash.
    #[inline]
    pub fn key<'a>(&self, bytes: &'a [u8]) -> Key<'a> {
        Key { bytes, hash: self.hash(bytes) }
    }

    /// Number of keys. O(1).
    #[inline]
    pub fn len(&self) -> usize {
        self.table.dict().len()
    }

    /// Whether there are no keys. O(1).
    pub fn is_empty(&self) -> bool {
        self.table.dict().is_empty()
    }

    /// Number of keys of one type. O(1).
    pub fn of_type(&self, of: Type) -> usize {
        self.indexes.types.of(of, self.len())
    }

    /// Number of keys that expire. O(1).
    pub fn expires(&self) -> usize {
        self.table.expires()
    }

    /// Average time to live in ms of the keys that expire; 0 if there are none. O(1), exact.
    pub fn avg_ttl_ms(&self, now_ms: i64) -> i64 {
        match self.expires() {
            0 => 0,
            n => {
                let average = self.table.sum_ms() / n as i128 - now_ms as i128;
                average.clamp(0, i64::MAX as i128) as i64
            }
        }
    }

    /// The entry of `key`. O(1).
    #[inline]
    pub fn find(&self, key: Key<'_>) -> Option<&Entry> {
        self.table.dict().get(key.hash, key.bytes)
    }

    /// The entry of `key`, to change it in place. O(1).
    #[inline(always)]
    pub fn find_mut(&mut self, key: Key<'_>) -> Option<EntryMut<'_>> {
        let entry = self.table.find_mut(key)?;
        Some(EntryMut { entry, indexes: &mut self.indexes })
    }

    /// The entry of `key`, to change it in place, or its place when there is none; one search.
    /// O(1).
    #[inline(always)]
    pub fn find_or_vacant<'a>(&'a mut self, key: Key<'a>) -> Result<EntryMut<'a>, Vacant<'a>> {
        let Store { table, indexes, .. } = self;
        match table.find_or_vacant(key) {
            Ok(entry) => Ok(EntryMut { entry, indexes }),
            Err(place) => Err(Vacant { place, indexes }),
        }
    }

    /// The entry of `key`, with its access data set: a read that counts as a use. One search. O(1).
    #[inline]
    pub fn touch(&mut self, key: Key<'_>, lru: u32) -> Option<&Entry> {
        let mut entry = self.find_mut(key)?;
        entry.set_lru(lru);
        Some(entry.into_entry())
    }

    /// Sets `key` to `value`, whether or not it exists; one search, in place if the size class
    /// stays.
    ///
    /// Returns the old value only if it had an allocation of its own (a long string, a collection),
    /// so that the caller can free it when it suits. `len` tells whether the key was new.
    #[inline]
    pub fn set(
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
            Err(place) => {
                place.fill(value, expire.of_new(), lru);
                None
            }
        }
    }

    /// As `set`, with an owned value and the expiry given outright: for RENAME, RESTORE, loading.
    pub fn put(
        &mut self,
        key: Key<'_>,
        value: Value,
        expire: Option<i64>,
        lru: u32,
    ) -> Option<Value> {
        self.set(key, SetValue::Owned(value), expire.map_or(Expire::None, Expire::At), lru)
    }

    /// Removes `key`; the entry is freed when the result is dropped, by whichever thread. O(1).
    #[inline]
    pub fn remove(&mut self, key: Key<'_>) -> Option<EntryBox> {
        Some(self.find_mut(key)?.remove())
    }

    /// Number of hashes with fields that expire. O(1).
    pub fn timed_hashes(&self) -> usize {
        self.indexes.fields.hashes()
    }

    /// Number of keys that expire, of hashes with fields that do, and of streams with entries that
    /// wait. O(1).
    #[inline]
    pub fn timed(&self) -> usize {
        self.expires() + self.indexes.fields.len()
    }

    /// Changes when what a stream waits for may have come nearer, though `timed` stays.
    #[inline]
    pub fn stamp(&self) -> u32 {
        self.indexes.fields.stamp()
    }

    /// Keys, hashes and streams whose time is not after `now_ms` and that are still here. It
    /// is exact while few lie in one slot of a wheel with others that are not due; of more than 64
    /// such the share is estimated by these. Bounded work (`Wheel::due`).
    pub fn backlog(&self, now_ms: i64) -> usize {
        self.table.due(now_ms) + self.indexes.fields.due(now_ms)
    }

    /// About when the first of them is due. It is never later than the first key that was looked at
    /// in the nearest slot, and at most a slot's width off.
    pub fn next_timed_ms(&self) -> Option<i64> {
        let fields = self.indexes.fields.soonest_ms();
        self.next_deadline_ms().into_iter().chain(fields).min()
    }

    /// Tells the time to wheels that are empty: nothing else tells them.
    pub fn tell_time(&mut self, now_ms: i64) {
        if self.expires() == 0 {
            let _ = self.table.next_due(now_ms);
        }
        if self.indexes.fields.is_empty() {
            let _ = self.indexes.fields.next_due(now_ms);
        }
    }

    /// The key of a hash with a field, or of a stream with an entry that waits, whose time is not
    /// after `now_ms` (`FieldIndex`); nothing is removed. Bounded work, as `next_due` for keys.
    pub fn next_due_inside(&mut self, now_ms: i64) -> Due<&[u8]> {
        self.indexes.fields.next_due(now_ms)
    }

    /// Removes `key` and returns value, expiry and access data. O(1), but for copying a short
    /// string.
    pub fn take(&mut self, key: Key<'_>) -> Option<(Value, Option<i64>, u32)> {
        let entry = self.remove(key)?;
        let (expire, lru) = (entry.expire_ms(), entry.lru());
        Some((entry.into_value(), expire, lru))
    }

    /// Sets or clears the expiry of `key`; false if there is no such key. O(1).
    pub fn set_expire(&mut self, key: Key<'_>, expire: Option<i64>) -> bool {
        self.find_mut(key).map(|mut entry| entry.set_expire(expire)).is_some()
    }

    /// Adds `by` to the integer at `key`; None if there is no such key. O(1).
    #[inline]
    pub fn incr(&mut self, key: Key<'_>, by: i64) -> Option<Result<i64, IncrError>> {
        Some(self.find_mut(key)?.incr(by))
    }

    /// Appends to the string at `key` and returns its length; None if there is no such key or it is
    /// no string. Amortised O(`tail`).
    pub fn append(&mut self, key: Key<'_>, tail: &[u8]) -> Option<usize> {
        self.find_mut(key)?.append(tail)
    }

    /// Overwrites the string at `key` from `offset` on, zero-filled if shorter, and returns its
    /// length; None if there is no such key or it is no string.
    pub fn set_range(&mut self, key: Key<'_>, offset: usize, bytes: &[u8]) -> Option<usize> {
        self.find_mut(key)?.set_range(offset, bytes)
    }

    /// Some key whose expiry is not after `now_ms`; it is not removed. Bounded work.
    pub fn next_due(&mut self, now_ms: i64) -> Due<&Entry> {
        self.table.next_due(now_ms)
    }

    /// About when the next key is due. It is never later than the first key that was looked at in
    /// the nearest slot, and at most a slot's width off.
    pub fn next_deadline_ms(&self) -> Option<i64> {
        self.soonest().and_then(|e| e.expire_ms())
    }

    /// The key that expires first. This is exact while few keys share its slot; otherwise it is one
    /// of the nearest.
    pub fn soonest(&self) -> Option<&Entry> {
        self.table.soonest()
    }

    /// Visits some entries and returns the next cursor; 0 starts and ends. See `Dict::scan`.
    pub fn scan(&self, cursor: u64, visit: impl FnMut(&Entry)) -> u64 {
        self.table.dict().scan(cursor, visit)
    }

    /// All entries, prefetched ahead. O(n).
    pub fn iter(&self) -> Iter<'_, EntryBox> {
        self.table.dict().iter()
    }

    /// An entry, each equally likely; `rng` gives uniform words.
    pub fn random(&self, rng: impl FnMut() -> u64) -> Option<&Entry> {
        self.table.dict().random(rng)
    }

    /// Up to `n` different entries that lie together at a random place.
    pub fn sample(&self, n: usize, rng: impl FnMut() -> u64, visit: impl FnMut(&Entry)) {
        self.table.dict().sample(n, rng, visit);
    }

    /// Makes room for `keys` in all. The caller must know that the number is right.
    pub fn reserve(&mut self, keys: usize) {
        self.table.reserve(keys);
    }

    /// Does up to `n` splits or merges that are due; false if none is left.
    pub fn step(&mut self, n: usize) -> bool {
        self.table.step(n)
    }

    /// Brings the bucket of a hash closer.
    #[inline]
    pub fn prefetch_bucket(&self, hash: u64) {
        self.table.dict().prefetch_bucket(hash);
    }

    /// Brings the likely entry of a hash closer; after `prefetch_bucket` of a whole batch.
    #[inline]
    pub fn prefetch_item(&self, hash: u64) {
        self.table.dict().prefetch_item(hash);
    }

    /// Bytes of the tables, entries not counted. O(1).
    pub fn mem_bytes(&self) -> usize {
        self.table.mem_bytes() + self.indexes.mem_bytes()
    }

    /// The shape of the table. O(buckets).
    pub fn stats(&self) -> Stats {
        self.table.dict().stats()
    }

    /// Panics if an invariant doesn't hold. O(n).
    pub fn check(&self) {
        self.table.check();
        self.indexes.check(|| self.iter());
    }
}

// A whole database is handed to the thread that frees it.
const _: fn() = || {
    fn assert_send<T: Send>() {}
    assert_send::<Store>();
};

#[cfg(test)]
mod tests;
