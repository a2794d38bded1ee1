//! Walking a whole table: every key is a cache miss, unless it was asked for two buckets earlier.

#![allow(unsafe_code)] // Shows items where they stand; see D3.

use super::node::{Bits, Node, prefetch};
use super::{Dict, Thin};

/// Buckets whose lines are prefetched ahead; their items are one bucket ahead.
const LINES_AHEAD: usize = 4;

/// All items of a table, in table order.
pub struct Iter<'a, T: Thin> {
    dict: &'a Dict<T>,
    next_bucket: usize,
    node: Option<Node>,
    left: Bits,
}

impl<'a, T: Thin> Iter<'a, T> {
    pub(super) fn new(dict: &'a Dict<T>) -> Iter<'a, T> {
        Iter { dict, next_bucket: 0, node: None, left: Bits(0) }
    }

    fn enter(&mut self, node: Node) {
        self.node = Some(node);
        self.left = Bits(node.used());
    }

    fn next_bucket(&mut self) -> Option<Node> {
        let i = self.next_bucket;
        if i >= self.dict.n {
            return None;
        }
        self.next_bucket += 1;
        let segments = &self.dict.segments;
        if i + LINES_AHEAD < self.dict.n {
            prefetch(segments.bucket(i + LINES_AHEAD).address());
        }
        if i + 1 < self.dict.n {
            segments.bucket(i + 1).prefetch_items();
        }
        Some(segments.bucket(i))
    }
}

impl<'a, T: Thin> Iterator for Iter<'a, T> {
    type Item = &'a T::View;

    fn next(&mut self) -> Option<&'a T::View> {
        loop {
            if let Some(node) = self.node {
                if let Some(slot) = self.left.next() {
                    // SAFETY: a slot that is used.
                    return Some(unsafe { self.dict.item(node, slot) });
                }
                if let Some(next) = node.next() {
                    self.enter(next);
                    continue;
                }
            }
            match self.next_bucket() {
                Some(head) => self.enter(head),
                None => {
                    self.node = None;
                    return None;
                }
            }
        }
    }
}
