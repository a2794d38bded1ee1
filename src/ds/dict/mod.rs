//! `Dict`: the hash table of the keyspace, and of large hashes, sets and sorted sets.
//!
//! # Linear hashing
//!
//! The table has `n` buckets for any `n`, not only powers of two. An item belongs to bucket
//! `hash & mask`, or, where that bucket doesn't exist yet, to the one half a mask lower:
//!
//! ```text
//!   n = 6, mask = 7     0  1  2  3 | 4  5  .  .     hash & 7 = 6: not there yet, so 6 & 3 = 2
//!                       0 and 1 have been split (into 0 4, 1 5); 2 is next
//! ```
//!
//! Growing by one bucket splits one: bucket `n - top` (`top` = highest power of two <= n) hands the
//! items whose hash has bit `top` to the new bucket `n`. Shrinking is the reverse. So growth costs
//! about the same at each insert, there is never a second table, and never twice the memory.
//! Why not doubling with incremental rehash: that holds two bucket arrays for as long as it lasts,
//! and every miss in the meantime looks in both.
//!
//! # Costs
//!
//! A bucket is one cache line of nine packed pointers with tags (`node.rs`); the table is filled to
//! `LOAD` items a bucket on average. A lookup reads the bucket, and an item only if its tag agrees:
//! two cache misses for a hit, one for a miss, and a third for the one item in seven that sits in
//! an overflow node. A split hashes the keys of one bucket again; they are prefetched a few inserts
//! before it is due.
//!
//! # Items
//!
//! The table owns items through thin pointers (`Thin`) and lends `&T::View`. It neither stores
//! hashes nor compares lengths: `T::key` finds the key from the pointer alone.
//!
//! Invariants (`check` walks them):
//!
//! - D1  `1 <= n <= segments.capacity()` unless nothing was ever inserted;
//! - D2  every item is in the chain of `index(hash(key))`, its tag is `tag(hash)`, keys are
//!   distinct;
//! - D3  `len` items in all; each was made by `T::into_raw` and is owned by the table alone;
//! - D4  `Occupied` names a slot of the chain of its hash that holds an item, for as long as it
//!   lives: it has the table to itself, and whatever takes the item out takes the `Occupied` too.

#![allow(unsafe_code)] // Owns items through raw pointers; see D3 and `Thin`.

mod iter;
mod join;
mod node;
mod segments;
mod stats;
#[cfg(test)]
mod tests;

use crate::util::bytes::same;
use crate::util::siphash::Seed;
pub(crate) use iter::Iter;
pub(crate) use node::prefetch;
use node::{Bits, Node, Overflow, Raw, SLOTS, expose};
use segments::Segments;
pub(crate) use stats::Stats;
use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr::NonNull;

/// An owning pointer of one word to something with a key.
///
/// # Safety
/// `into_raw` gives up ownership and returns an address below 2^48 that stays valid until
/// `from_raw` takes ownership back. `view` may be called on it any number of times in between, and
/// the view has the item's key and no interior mutability that changes it.
pub unsafe trait Thin: Sized {
    /// What a borrowed item looks like.
    type View: ?Sized;

    /// Leaks the item.
    fn into_raw(self) -> NonNull<u8>;
    /// # Safety
    /// `raw` came from `into_raw`, and nobody else calls this for it.
    unsafe fn from_raw(raw: NonNull<u8>) -> Self;
    /// # Safety
    /// `raw` came from `into_raw` and lives, unchanged, as long as the borrow.
    unsafe fn view<'a>(raw: NonNull<u8>) -> &'a Self::View;
    /// The key by which the table finds the item.
    fn key(view: &Self::View) -> &[u8];
}

/// Whether tables may rearrange themselves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Resize {
    /// Split and merge as the load demands.
    #[default]
    Allow,
    /// A fork child shares our pages, and each split makes copies of them: only when the load is
    /// far off.
    Avoid,
}

thread_local! {
    /// It holds for all tables that this thread changes, since the tables in values can't be told
    /// one by one.
    static RESIZE: Cell<Resize> = const { Cell::new(Resize::Allow) };
}

/// Says whether the tables that this thread changes may rearrange themselves from now on.
pub(crate) fn set_resize(resize: Resize) {
    RESIZE.set(resize);
}

/// Items per bucket above which a bucket is split. Measured: see `tools/bench/table.rs`; 7.5 is as
/// fast and takes more memory.
const LOAD: usize = 8;
/// Under `Resize::Avoid` splits wait for this many times the load.
const AVOID_FACTOR: usize = 4;
/// Under `Resize::Avoid` merges wait until the load is so many times less than it may be otherwise.
const AVOID_SHRINK: usize = 8;
/// Inserts before a split at which the items to be moved are prefetched.
const WARM_UP: usize = 3;

/// A hash table of owned items. See the module's page for how it works.
pub struct Dict<T: Thin> {
    segments: Segments,
    /// Buckets in use.
    n: usize,
    /// The least `2^k - 1` that covers all bucket numbers.
    mask: usize,
    len: usize,
    /// Above this length a bucket is split.
    grow_at: usize,
    /// Below this length a bucket is merged.
    shrink_at: usize,
    overflow: Overflow,
    seed: Seed,
    items: PhantomData<T>,
}

// SAFETY: the table owns its items and nodes; nothing in it is tied to a thread.
unsafe impl<T: Thin + Send> Send for Dict<T> {}

#[inline(always)]
fn tag_of(hash: u64) -> u8 {
    // The highest byte: bucket numbers use the low bits. 0 means a free slot, so it becomes 1.
    ((hash >> 56) as u8).max(1)
}

#[inline(always)]
fn pointer(raw: Raw) -> NonNull<u8> {
    let at = std::ptr::with_exposed_provenance_mut(raw as usize);
    NonNull::new(at).expect("slots in use hold no null")
}

impl<T: Thin> Dict<T> {
    /// An empty table; allocates nothing yet. `seed` must be the one that callers hash with.
    pub fn new(seed: Seed) -> Dict<T> {
        let mut dict = Dict {
            segments: Segments::default(),
            n: 0,
            mask: 0,
            len: 0,
            grow_at: 0,
            shrink_at: 0,
            overflow: Overflow::default(),
            seed,
            items: PhantomData,
        };
        dict.set_limits();
        dict
    }

    /// Number of items. O(1).
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no items. O(1).
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of buckets. O(1).
    pub fn buckets(&self) -> usize {
        self.n
    }

    /// The seed that keys are hashed with.
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// Allocated bytes, items not counted. O(1).
    pub fn mem_bytes(&self) -> usize {
        self.segments.bytes() + self.overflow.bytes() + self.overflow.counters_bytes()
    }

    /// The hash by which `key` is stored here.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        self.seed.hash(key)
    }

    #[inline(always)]
    fn index(&self, hash: u64) -> usize {
        let i = hash as usize & self.mask;
        if i >= self.n { i & (self.mask >> 1) } else { i }
    }

    /// The bucket of a hash.
    ///
    /// # Safety
    /// There are buckets: `n` is not 0.
    #[inline(always)]
    unsafe fn head(&self, hash: u64) -> Node {
        debug_assert!(self.n > 0);
        // SAFETY: the caller's promise, and D1 -- `index` is below `n`, which is within capacity.
        unsafe { self.segments.bucket_unchecked(self.index(hash)) }
    }

    /// Borrows the item in a slot.
    ///
    /// # Safety
    /// The node is in a chain of this table, and the slot holds an item.
    #[inline(always)]
    unsafe fn item(&self, node: Node, slot: usize) -> &T::View {
        // SAFETY: the caller's promise.
        let raw = unsafe { node.raw(slot) };
        // SAFETY: D3 -- it is from `into_raw`, and can't be taken while `self` is borrowed.
        unsafe { T::view(pointer(raw)) }
    }

    #[inline(always)]
    fn find(&self, hash: u64, key: &[u8]) -> Option<(Node, usize)> {
        if self.len == 0 {
            return None;
        }
        // SAFETY: D1 -- there are items, hence buckets.
        let mut node = unsafe { self.head(hash) };
        let tag = tag_of(hash);
        loop {
            for slot in Bits(node.matches(tag)) {
                // SAFETY: a slot with a tag holds an item.
                if same(T::key(unsafe { self.item(node, slot) }), key) {
                    return Some((node, slot));
                }
            }
            node = node.next()?;
        }
    }

    /// The item with this key. `hash` is that of `key`. O(1).
    #[inline]
    pub fn get(&self, hash: u64, key: &[u8]) -> Option<&T::View> {
        let (node, slot) = self.find(hash, key)?;
        // SAFETY: it was just found there.
        Some(unsafe { self.item(node, slot) })
    }

    /// The place of the item with this key, to change, replace or remove it. O(1).
    #[inline]
    pub fn get_mut(&mut self, hash: u64, key: &[u8]) -> Option<Occupied<'_, T>> {
        let (node, slot) = self.find(hash, key)?;
        Some(Occupied { dict: self, hash, node, slot })
    }

    /// `get_mut`, or the table back when there is no such item. O(1).
    #[inline]
    pub fn get_mut_or(&mut self, hash: u64, key: &[u8]) -> Result<Occupied<'_, T>, &mut Dict<T>> {
        match self.find(hash, key) {
            Some((node, slot)) => Ok(Occupied { dict: self, hash, node, slot }),
            None => Err(self),
        }
    }

    /// Adds `item`, or replaces the item of the same key, which is returned. Amortised O(1); splits
    /// two buckets at most.
    pub fn insert(&mut self, hash: u64, item: T) -> Option<T> {
        let raw = item.into_raw();
        // SAFETY: just leaked by us, and not changed before the borrow ends.
        let key = T::key(unsafe { T::view(raw) });
        if let Some((node, slot)) = self.find(hash, key) {
            // SAFETY: the item was just found there.
            let old = unsafe { node.raw(slot) };
            // SAFETY: the same.
            unsafe { node.set_raw(slot, expose(raw)) };
            // SAFETY: D3 -- the slot no longer holds it.
            return Some(unsafe { T::from_raw(pointer(old)) });
        }
        self.add(hash, raw);
        None
    }

    /// Adds `item`, whose key the caller has just found to be absent: saves the second search.
    #[inline]
    pub fn insert_new(&mut self, hash: u64, item: T) {
        self.add(hash, item.into_raw());
    }

    #[inline]
    fn add(&mut self, hash: u64, raw: NonNull<u8>) {
        if self.n == 0 {
            self.open();
        }
        // SAFETY: the table was opened above, if it was not yet.
        let head = unsafe { self.head(hash) };
        self.overflow.add(head, tag_of(hash), expose(raw));
        self.len += 1;
        if self.len + WARM_UP >= self.grow_at {
            self.grow_if_due();
        }
    }

    /// Removes the item with this key. O(1); merges one bucket at most.
    pub fn remove(&mut self, hash: u64, key: &[u8]) -> Option<T> {
        Some(self.get_mut(hash, key)?.remove().0)
    }

    /// Takes out the item in a slot.
    ///
    /// # Safety
    /// The node is in the chain of `hash`, and the slot holds an item.
    #[inline]
    unsafe fn take(&mut self, hash: u64, node: Node, slot: usize) -> T {
        // SAFETY: D1 -- there is an item.
        let head = unsafe { self.head(hash) };
        // SAFETY: the caller's promise.
        let raw = unsafe { self.overflow.take(head, node, slot) };
        self.len -= 1;
        if self.must_shrink() {
            self.merge_last();
        }
        // SAFETY: D3 -- the slot no longer holds it.
        unsafe { T::from_raw(pointer(raw)) }
    }

    /// Brings the bucket of `hash` closer to the processor.
    #[inline]
    pub fn prefetch_bucket(&self, hash: u64) {
        if self.n > 0 {
            // SAFETY: just looked at.
            prefetch(unsafe { self.head(hash) }.address());
        }
    }

    /// Brings the likely item of `hash` closer. Reads the bucket: call it after `prefetch_bucket`
    /// of a whole batch.
    #[inline]
    pub fn prefetch_item(&self, hash: u64) {
        if self.n == 0 {
            return;
        }
        // SAFETY: just looked at.
        let node = unsafe { self.head(hash) };
        let matches = node.matches(tag_of(hash));
        if matches != 0 {
            // SAFETY: a slot that the node has.
            let raw = unsafe { node.raw(matches.trailing_zeros() as usize) };
            let at: *const u8 = std::ptr::without_provenance(raw as usize);
            prefetch(at);
            // Small items are 24 to 64 bytes at any multiple of 8, so half of them lie on two
            // lines.
            prefetch(at.wrapping_add(40));
        } else if let Some(next) = node.next() {
            prefetch(next.address());
        }
    }

    /// Makes room for `items` in all, so that inserting them splits nothing. O(buckets added).
    /// The caller vouches for the number: this much memory is taken.
    pub fn reserve(&mut self, items: usize) {
        let wanted = items.div_ceil(LOAD).max(1);
        if self.n == 0 {
            self.open();
        }
        if self.len > 0 {
            while self.n < wanted {
                self.split_next();
            }
        } else if self.n < wanted {
            while self.segments.capacity() < wanted {
                self.segments.grow();
            }
            self.n = wanted;
            self.set_limits();
        }
    }

    /// Splits or merges up to `n` buckets that are due; false if none is. For idle time, to work
    /// off what `Resize::Avoid` held back.
    pub fn step(&mut self, n: usize) -> bool {
        for _ in 0..n {
            if self.must_grow() && self.n > 0 {
                self.split_next();
            } else if self.must_shrink() {
                self.merge_last();
            } else {
                return false;
            }
        }
        self.must_grow() || self.must_shrink()
    }

    /// A copied page costs more than a longer chain.
    #[inline]
    fn must_grow(&self) -> bool {
        self.len > self.grow_at
            && (RESIZE.get() == Resize::Allow || self.len > self.grow_at * AVOID_FACTOR)
    }

    /// `random` needs some bound on how empty a table can be: under `Avoid` it shrinks below a
    /// sixteenth.
    #[inline]
    fn must_shrink(&self) -> bool {
        self.len < self.shrink_at
            && (RESIZE.get() == Resize::Allow || self.len < self.shrink_at / AVOID_SHRINK)
    }

    /// The first bucket.
    #[cold]
    fn open(&mut self) {
        self.segments.grow();
        self.n = 1;
        self.set_limits();
    }

    fn set_limits(&mut self) {
        let full = self.n * LOAD;
        self.mask = self.n.next_power_of_two() - 1;
        // The lone bucket holds nine items anyway.
        let full = if self.n == 1 { SLOTS } else { full };
        self.grow_at = full;
        self.shrink_at = if self.n > 1 { full / 2 } else { 0 };
    }

    #[inline]
    fn grow_if_due(&mut self) {
        if self.must_grow() {
            self.split_next();
            // After `Avoid` there may be much to do. Two steps at a time catch up without a pause.
            if self.must_grow() {
                self.split_next();
            }
            prefetch(self.segments.bucket(self.next_to_split()).address());
        } else if self.len + WARM_UP == self.grow_at {
            self.segments.bucket(self.next_to_split()).prefetch_items();
        }
    }

    fn next_to_split(&self) -> usize {
        self.n ^ (1 << self.n.ilog2())
    }

    /// Adds bucket `n` and moves there what belongs there now. O(items of one chain).
    #[inline(never)]
    fn split_next(&mut self) {
        let new = self.n;
        if self.segments.capacity() == new {
            self.segments.grow();
        }
        let bit = 1u64 << new.ilog2();
        let old = self.segments.bucket(self.next_to_split());
        let new_head = self.segments.bucket(new);
        self.n += 1;
        self.set_limits();
        old.prefetch_items();
        let seed = self.seed;
        self.overflow.empty(old, |overflow, tag, raw| {
            // SAFETY: D3 -- the item lives; the table is borrowed exclusively.
            let hash = seed.hash(T::key(unsafe { T::view(pointer(raw)) }));
            let head = if hash & bit == 0 { old } else { new_head };
            overflow.add(head, tag, raw);
        });
    }

    /// Takes the last bucket away; its items go back to the bucket it was split from.
    #[inline(never)]
    fn merge_last(&mut self) {
        let last = self.n - 1;
        let into = self.segments.bucket(last ^ (1 << last.ilog2()));
        let from = self.segments.bucket(last);
        self.overflow.empty(from, |overflow, tag, raw| overflow.add(into, tag, raw));
        self.n = last;
        self.set_limits();
        self.segments.shrink(self.n);
    }

    /// Visits some items and returns the cursor to go on with; 0 starts, and 0 ends the scan.
    ///
    /// Every item that is there from the first call to the last is visited, whatever the table's
    /// growth and shrinkage in between; some may be visited twice. O(items of one or two buckets).
    ///
    /// The cursor counts up from its highest bit. A bucket and the one that is or will be split
    /// from it differ in the highest bit only, so they are neighbours in that order, and both are
    /// visited as one, by the lower mask: the class of a cursor then means the same set of items
    /// before and after a split or merge, and a later doubling only cuts classes that are all done
    /// or all to do.
    pub fn scan<'a>(&'a self, cursor: u64, mut visit: impl FnMut(&'a T::View)) -> u64 {
        if self.len == 0 {
            return 0;
        }
        let low = if self.n.is_power_of_two() { self.mask } else { self.mask >> 1 };
        let first = cursor as usize & low;
        let second = first + low + 1;
        for i in [first, second] {
            if i < self.n {
                let head = self.segments.bucket(i);
                head.prefetch_items();
                self.each_in(head, &mut visit);
            }
        }
        (cursor | !(low as u64)).reverse_bits().wrapping_add(1).reverse_bits()
    }

    fn each_in<'a>(&'a self, head: Node, visit: &mut impl FnMut(&'a T::View)) {
        let mut node = Some(head);
        while let Some(n) = node {
            for slot in Bits(n.used()) {
                // SAFETY: a slot that is used.
                visit(unsafe { self.item(n, slot) });
            }
            node = n.next();
        }
    }

    /// All items, in table order, each prefetched before it is due. O(n).
    pub fn iter(&self) -> Iter<'_, T> {
        Iter::new(self)
    }

    /// An item chosen fairly: each is as likely as any other. `rng` gives uniform words.
    /// Expected O(1): about four words, ten in the emptiest table.
    ///
    /// Draws a bucket and a place in the longest possible chain, until there is an item at that
    /// place. Drawing a bucket and then one of *its* items would favour items of sparse buckets.
    pub fn random(&self, mut rng: impl FnMut() -> u64) -> Option<&T::View> {
        if self.len == 0 {
            return None;
        }
        let places = (self.overflow.max_depth() + 1) * SLOTS;
        loop {
            let mut node = Some(self.segments.bucket(below(rng(), self.n)));
            let place = below(rng(), places);
            for _ in 0..place / SLOTS {
                node = node.and_then(Node::next);
            }
            if let Some(n) = node
                && n.used() & 1 << (place % SLOTS) != 0
            {
                // SAFETY: a slot that is used.
                return Some(unsafe { self.item(n, place % SLOTS) });
            }
        }
    }

    /// Visits up to `n` different items that stand together at a random place: cheap, and good
    /// enough to estimate from, but neighbours are not independent draws.
    pub fn sample(&self, n: usize, mut rng: impl FnMut() -> u64, mut visit: impl FnMut(&T::View)) {
        let mut left = n.min(self.len);
        if left == 0 {
            return;
        }
        let mut i = below(rng(), self.n);
        while left > 0 {
            let mut node = Some(self.segments.bucket(i));
            while let Some(head) = node {
                for slot in Bits(head.used()) {
                    if left > 0 {
                        // SAFETY: a slot that is used.
                        visit(unsafe { self.item(head, slot) });
                        left -= 1;
                    }
                }
                node = head.next();
            }
            i = if i + 1 == self.n { 0 } else { i + 1 };
        }
    }
}

/// A number below `n`, uniform but for a bias of `n / 2^64`.
fn below(word: u64, n: usize) -> usize {
    ((word as u128 * n as u128) >> 64) as usize
}

impl<T: Thin> Drop for Dict<T> {
    fn drop(&mut self) {
        for i in 0..self.n {
            if i + 1 < self.n {
                self.segments.bucket(i + 1).prefetch_items();
            }
            self.overflow.empty(self.segments.bucket(i), |_, _, raw| {
                // SAFETY: D3 -- the bucket has been emptied, so this is the only owner.
                drop(unsafe { T::from_raw(pointer(raw)) });
            });
        }
    }
}

/// The place of an item in its table.
pub struct Occupied<'a, T: Thin> {
    dict: &'a mut Dict<T>,
    hash: u64,
    node: Node,
    slot: usize,
}

impl<'a, T: Thin> Occupied<'a, T> {
    /// The item, for as long as the table is borrowed.
    #[inline]
    pub fn into_view(self) -> &'a T::View {
        let dict: &'a Dict<T> = self.dict;
        // SAFETY: D4.
        unsafe { dict.item(self.node, self.slot) }
    }

    /// The item.
    #[inline]
    pub fn view(&self) -> &T::View {
        // SAFETY: D4.
        unsafe { self.dict.item(self.node, self.slot) }
    }

    /// Replaces the item by what `change` makes of it; the key must remain the same.
    #[inline]
    pub fn update<R>(&mut self, change: impl FnOnce(T) -> (T, R)) -> R {
        /// Aborts: a panic in `change` would leave the slot with an item that is gone.
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                std::process::abort();
            }
        }
        // SAFETY: D4, and D3 -- a new owner is put into the slot below, or the process ends.
        let item = unsafe { T::from_raw(pointer(self.node.raw(self.slot))) };
        let bomb = Bomb;
        let (item, result) = change(item);
        std::mem::forget(bomb);
        // SAFETY: D4.
        unsafe { self.node.set_raw(self.slot, expose(item.into_raw())) };
        result
    }

    /// Takes the item out of the table, which is handed back as well.
    pub fn remove(self) -> (T, &'a mut Dict<T>) {
        // SAFETY: D4.
        let item = unsafe { self.dict.take(self.hash, self.node, self.slot) };
        (item, self.dict)
    }
}
