//! What a table looks like inside: for `DEBUG HTSTATS`, and `check` for tests and `DEBUG`.

#![allow(unsafe_code)] // Shows items where they stand; see D3.

use super::node::{HALF_BYTES, NODE_BYTES, SLOTS};
use super::{Dict, LOAD, Resize, Thin, tag_of};

/// Histogram length: the last element counts buckets with that many items or more.
pub(super) const HISTOGRAM: usize = 33;

/// The shape of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    pub items: usize,
    pub buckets: usize,
    /// How many items the table is on its way to hold without a longer mask: a power of two.
    pub size: usize,
    /// Overflow nodes of 64 and of 32 bytes.
    pub overflow_full: usize,
    pub overflow_half: usize,
    /// `by_items[k]`: buckets whose chain holds `k` items.
    pub by_items: [usize; HISTOGRAM],
    /// Most items in one bucket's chain.
    pub max_items: usize,
    /// Most overflow nodes in one chain.
    pub max_depth: usize,
    pub bytes: usize,
}

impl<T: Thin> Dict<T> {
    /// The shape of the table. O(buckets).
    pub fn stats(&self) -> Stats {
        let mut stats = Stats {
            items: self.len,
            buckets: self.n,
            size: if self.n > 0 { (self.mask + 1) * LOAD } else { 0 },
            overflow_full: self.overflow.full,
            overflow_half: self.overflow.half,
            by_items: [0; HISTOGRAM],
            max_items: 0,
            max_depth: 0,
            bytes: self.mem_bytes(),
        };
        for i in 0..self.n {
            let (mut items, mut depth) = (0, 0);
            let mut node = self.segments.bucket(i);
            loop {
                items += node.count();
                let Some(next) = node.next() else { break };
                (node, depth) = (next, depth + 1);
            }
            stats.by_items[items.min(HISTOGRAM - 1)] += 1;
            stats.max_items = stats.max_items.max(items);
            stats.max_depth = stats.max_depth.max(depth);
        }
        stats
    }

    /// Panics if an invariant doesn't hold. O(n), hashes every key.
    pub fn check(&self) {
        assert!(self.n <= self.segments.capacity(), "D1");
        assert_eq!(self.mask, self.n.next_power_of_two() - 1);
        let (mut len, mut full, mut half, mut deepest) = (0, 0, 0, 0);
        for i in 0..self.n {
            let mut keys: Vec<&[u8]> = Vec::new();
            let (mut node, mut depth) = (self.segments.bucket(i), 0);
            loop {
                for (slot, tag, _) in node.items() {
                    // SAFETY: a slot that is used.
                    let key = T::key(unsafe { self.item(node, slot) });
                    let hash = self.seed.hash(key);
                    assert_eq!(self.index(hash), i, "D2: an item in the wrong bucket");
                    assert_eq!(tag_of(hash), tag, "D2: a wrong tag");
                    keys.push(key);
                }
                if depth > 0 {
                    *(if node.is_half() { &mut half } else { &mut full }) += 1;
                    deepest = deepest.max(depth);
                }
                let count = node.count();
                let Some(next) = node.next() else {
                    assert!(depth == 0 || count >= 2, "N3: an overflow node of {count}");
                    break;
                };
                assert_eq!(count, SLOTS - 1, "N2: a linked node must be full");
                (node, depth) = (next, depth + 1);
            }
            len += keys.len();
            keys.sort_unstable();
            assert!(keys.windows(2).all(|two| two[0] != two[1]), "D2: a key twice");
        }
        assert_eq!(len, self.len, "D3");
        assert_eq!((full, half), (self.overflow.full, self.overflow.half));
        assert_eq!(full * NODE_BYTES + half * HALF_BYTES, self.overflow.bytes());
        assert!(deepest <= self.overflow.max_depth());
        if super::RESIZE.get() == Resize::Allow && self.n > 1 && !self.is_empty() {
            // Merges are one a removal, so a table that was reserved or held back may lag; but the
            // load a bucket bears is never above what `Avoid` lets through.
            assert!(self.len <= self.grow_at.max(1) * 5, "load {} in {}", self.len, self.n);
        }
        assert!((self.overflow.max_depth() > 0) == (full + half > 0));
    }
}
