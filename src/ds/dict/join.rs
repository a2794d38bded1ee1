//! Walks one table and looks each of its items up in another, without hashing any key.
//!
//! An item's bucket tells the low bits of its hash, and its tag the high ones. So in another table
//! that is not larger, equal items can only be in one bucket; in a larger one, in a few. There,
//! tags are compared before keys. Both tables must hash with one seed.
//!
//! Which buckets they are: let bucket `i` of this table know the low `k` bits of its items' hashes,
//! which are those of `i`. (`k` bits cover `n` rounded up to a power of two; it is one less where
//! the bucket is still to be split.) The bucket of an equal item agrees with `i` in these bits. A
//! table with fewer buckets tells no more than `k` bits apart, except for buckets that are still to
//! be split here, and therefore there. So it has one candidate, the one that `i` itself leads to. A
//! table with more buckets has a candidate every `2^k` buckets.

#![allow(unsafe_code)] // Shows items where they stand; see D3.

use super::node::{Bits, prefetch};
use super::{Dict, Thin};

/// Buckets whose lines are prefetched ahead; their items are one bucket ahead.
const LINES_AHEAD: usize = 4;

impl<T: Thin> Dict<T> {
    /// Visits all items, in table order, each with whether `other` has one of the same key, until
    /// `visit` says false.
    ///
    /// O(n), and as often longer as `other` has times as many buckets. Panics if the seeds differ.
    pub fn join<'a>(&'a self, other: &Dict<T>, mut visit: impl FnMut(&'a T::View, bool) -> bool) {
        assert!(self.seed == other.seed, "tables that hash differently");
        if other.is_empty() {
            self.iter().all(|view| visit(view, false));
            return;
        }
        for i in 0..self.n {
            self.prefetch_ahead(i);
            let (candidate, step) = self.candidates(i, other);
            if i + LINES_AHEAD < self.n {
                let (ahead, _) = self.candidates(i + LINES_AHEAD, other);
                prefetch(other.segments.bucket(ahead).address());
            }
            let mut node = Some(self.segments.bucket(i));
            while let Some(n) = node {
                for slot in Bits(n.used()) {
                    // SAFETY: a slot that is used.
                    let view = unsafe { self.item(n, slot) };
                    let (key, tag) = (T::key(view), n.tag(slot));
                    let mut at = candidate;
                    let found = loop {
                        if other.has_tagged(at, tag, key) {
                            break true;
                        }
                        at += step;
                        if at >= other.n {
                            break false;
                        }
                    };
                    if !visit(view, found) {
                        return;
                    }
                }
                node = n.next();
            }
        }
    }

    fn prefetch_ahead(&self, i: usize) {
        if i + LINES_AHEAD < self.n {
            prefetch(self.segments.bucket(i + LINES_AHEAD).address());
        }
        if i + 1 < self.n {
            self.segments.bucket(i + 1).prefetch_items();
        }
    }

    /// The first bucket of `other` that may have equals of the items of bucket `i`, and the
    /// distance to further ones.
    #[inline]
    fn candidates(&self, i: usize, other: &Dict<T>) -> (usize, usize) {
        if other.n <= self.n {
            return (other.index(i as u64), other.n);
        }
        let top = 1 << self.n.ilog2();
        let is_split = i >= top || i < self.n - top;
        (i, if is_split { 2 * top } else { top })
    }

    /// Whether the chain of a bucket has an item with this tag and key.
    #[inline]
    fn has_tagged(&self, bucket: usize, tag: u8, key: &[u8]) -> bool {
        let mut node = self.segments.bucket(bucket);
        loop {
            for slot in Bits(node.matches(tag)) {
                // SAFETY: a slot with a tag holds an item; the chain is one of this table's.
                if T::key(unsafe { self.item(node, slot) }) == key {
                    return true;
                }
            }
            match node.next() {
                Some(next) => node = next,
                None => return false,
            }
        }
    }
}
