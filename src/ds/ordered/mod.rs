//! Order-statistics B+ tree: the elements of a large sorted set by score, then by member.
//!
//! The tree keeps addresses only. Its owner, the table of members (`table.rs`), tells what stands
//! there (`Elements`). Every question is a [`Cut`]: a place between elements, which tells of any
//! element whether it comes before. The number of elements before a cut is its rank. So a range by
//! rank, score or alphabet is two ranks, and there is one way down.
//!
//! ```text
//!   Inner   up to 64 kids:   node, number of elements below it, score of its first element
//!   Leaf    512 bytes:       number, up to 85 addresses of 6 bytes each
//! ```
//!
//! Inner nodes hold copies of scores, so a way down reads elements only in its leaf (and where
//! scores are equal). In the leaf each comparison is a cache miss. So the pivots are prefetched
//! together, and then the rest of the part that remains: about two misses instead of seven.
//!
//! A full leaf gives elements to a neighbour that has room; if none has, two leaves become three.
//! So leaves are 80% full under random inserts (7.5 bytes an element). An element that comes after
//! a full leaf starts a new one, so that elements that come in order, up or down, leave full leaves
//! (6 bytes). Leaves have no links: an iterator goes down again by rank, once for 85 elements.
//!
//! Invariants (`check` walks them):
//!
//! - O1  all leaves are equally deep; none is empty, except that the root may have no kids;
//! - O2  a kid's `count` is the number of elements below it, its `first` the score of the first of
//!   them;
//! - O3  elements ascend by score, those of equal score by member.

mod inner;
mod leaf;
pub(crate) mod table;
#[cfg(test)]
mod tests;

use inner::{Inner, Kid, Node};
use leaf::{LEAF, Leaf};

/// What stands at an address.
pub(crate) trait Elements {
    /// The element's score, never NaN.
    fn score(&self, at: u64) -> f64;
    /// The element's member.
    fn member(&self, at: u64) -> &[u8];
}

/// A place between two elements (or at an end).
pub trait Cut {
    /// Whether an element stands before the cut. Once false in ascending order, it stays false.
    fn follows<'m>(&self, score: f64, member: impl FnOnce() -> &'m [u8]) -> bool;
}

/// The place of an element that is there or would be: before it, or behind it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AtElement<'a> {
    pub score: f64,
    pub member: &'a [u8],
    pub behind: bool,
}

impl Cut for AtElement<'_> {
    #[inline]
    fn follows<'m>(&self, score: f64, member: impl FnOnce() -> &'m [u8]) -> bool {
        if score != self.score {
            return score < self.score;
        }
        match member().cmp(self.member) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Equal => self.behind,
            std::cmp::Ordering::Greater => false,
        }
    }
}

/// The place before or behind all elements of a score.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AtScore {
    pub score: f64,
    pub behind: bool,
}

impl Cut for AtScore {
    #[inline]
    fn follows<'m>(&self, score: f64, _: impl FnOnce() -> &'m [u8]) -> bool {
        score < self.score || self.behind && score == self.score
    }
}

/// A place by the alphabet alone, in a set whose scores are all the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AtMember<'a> {
    pub member: &'a [u8],
    pub behind: bool,
}

impl Cut for AtMember<'_> {
    #[inline]
    fn follows<'m>(&self, _: f64, member: impl FnOnce() -> &'m [u8]) -> bool {
        let member = member();
        member < self.member || self.behind && member == self.member
    }
}

/// Before all elements, or behind them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    Front,
    Back,
}

impl Cut for End {
    fn follows<'m>(&self, _: f64, _: impl FnOnce() -> &'m [u8]) -> bool {
        *self == End::Back
    }
}

/// Addresses of elements in their order.
#[derive(Default)]
pub(crate) struct Tree {
    root: Inner,
    len: usize,
}

impl Tree {
    /// Number of elements before `cut`. O(log n).
    pub(crate) fn rank(&self, elements: &impl Elements, cut: &impl Cut) -> usize {
        let (mut node, mut rank) = (&self.root, 0);
        loop {
            if node.kids.is_empty() {
                return 0;
            }
            let i = node.kid_at(elements, cut);
            rank += node.kids[..i].iter().map(|kid| kid.count).sum::<usize>();
            match &node.kids[i].node {
                Node::Inner(inner) => node = inner,
                Node::Leaf(leaf) => return rank + leaf.rank(elements, cut),
            }
        }
    }

    /// Adds an element that isn't there; `cut` is its place. O(log n).
    pub(crate) fn insert(&mut self, elements: &impl Elements, at: u64, cut: &impl Cut) {
        if self.root.is_full() {
            let kid = Kid::of(Node::Inner(Box::new(std::mem::take(&mut self.root))), elements);
            self.root.push_kid(0, kid);
            self.root.split_kid(0, elements);
        }
        self.root.insert(elements, at, elements.score(at), cut);
        self.len += 1;
    }

    /// Removes the last element before `cut`, unless `stays` says to leave it. `stays` sees the
    /// elements before and after it, but is only asked where both are at hand. Returns whether the
    /// element was removed. O(log n).
    pub(crate) fn remove_unless(
        &mut self,
        elements: &impl Elements,
        cut: &impl Cut,
        stays: impl FnOnce(u64, u64) -> bool,
    ) -> bool {
        let removed = self.root.remove_before(elements, cut, stays);
        self.len -= usize::from(removed);
        self.lower();
        removed
    }

    /// Removes up to `n` elements from the one with rank `rank` on, and appends them to `out`. It
    /// may be fewer, but one at least if there is one. O(log n).
    pub(crate) fn take(
        &mut self,
        elements: &impl Elements,
        rank: usize,
        n: usize,
        out: &mut Vec<u64>,
    ) -> usize {
        if rank >= self.len || n == 0 {
            return 0;
        }
        let taken = self.root.take(elements, rank, n, out);
        self.len -= taken;
        self.lower();
        taken
    }

    /// Removes levels that are not needed any more.
    fn lower(&mut self) {
        while let [Kid { node: Node::Inner(inner), .. }] = self.root.kids.as_mut_slice() {
            let inner = std::mem::take(&mut **inner);
            self.root = inner;
        }
    }

    /// The leaf of the element with this rank, which is there, and its place in it.
    fn leaf(&self, mut rank: usize) -> (&Leaf, usize) {
        let mut node = &self.root;
        loop {
            let i = node.kid_of_rank(&mut rank);
            match &node.kids[i].node {
                Node::Inner(inner) => node = inner,
                Node::Leaf(leaf) => return (leaf, rank),
            }
        }
    }

    /// Up to `n` elements, from rank `rank` upwards. O(log n), then O(1) for each.
    pub(crate) fn ascend(&self, rank: usize, n: usize) -> Ascend<'_> {
        let left = n.min(self.len.saturating_sub(rank));
        Ascend { tree: self, rank, left, run: [].iter() }
    }

    /// Up to `n` elements, from rank `rank` downwards; none if `rank` is past the last. O(log n),
    /// then O(1) for each.
    pub(crate) fn descend(&self, rank: usize, n: usize) -> Descend<'_> {
        let left = if rank < self.len { n.min(rank + 1) } else { 0 };
        Descend { tree: self, rank, left, run: [].iter() }
    }

    /// Allocated bytes, this struct not counted. O(n / 85).
    pub(crate) fn mem_bytes(&self) -> usize {
        self.root.mem_bytes()
    }

    /// Panics if an invariant doesn't hold. O(n).
    #[cfg(test)]
    pub(crate) fn check(&self, elements: &impl Elements) {
        let mut all = Vec::new();
        self.root.check(elements, &mut all);
        assert_eq!(all.len(), self.len);
        assert!(
            all.is_sorted_by(|&a, &b| {
                let cut = AtElement {
                    score: elements.score(b),
                    member: elements.member(b),
                    behind: false,
                };
                cut.follows(elements.score(a), || elements.member(a))
            }),
            "O3"
        );
    }
}

/// Addresses prefetched ahead of an iterator.
const AHEAD: usize = 12;

/// Elements upwards.
pub struct Ascend<'a> {
    tree: &'a Tree,
    /// The rank of what comes after `run`.
    rank: usize,
    /// How many come after `run`.
    left: usize,
    run: std::slice::Iter<'a, leaf::Packed>,
}

impl Ascend<'_> {
    #[inline(never)]
    fn refill(&mut self) -> bool {
        if self.left == 0 {
            return false;
        }
        let (leaf, from) = self.tree.leaf(self.rank);
        let run = leaf.items().get(from..).unwrap_or_default();
        let run = &run[..run.len().min(self.left)];
        run.iter().take(AHEAD).for_each(|&at| leaf::prefetch_whole(at));
        self.rank += run.len();
        self.left -= run.len();
        self.run = run.iter();
        !run.is_empty()
    }
}

impl Iterator for Ascend<'_> {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        if self.run.len() == 0 && !self.refill() {
            return None;
        }
        if let Some(&ahead) = self.run.as_slice().get(AHEAD) {
            leaf::prefetch_whole(ahead);
        }
        self.run.next().map(|&at| leaf::unpack(at))
    }
}

/// Elements downwards.
pub struct Descend<'a> {
    tree: &'a Tree,
    /// The rank of what comes after `run`, if anything does.
    rank: usize,
    /// How many come after `run`.
    left: usize,
    run: std::slice::Iter<'a, leaf::Packed>,
}

impl Descend<'_> {
    #[inline(never)]
    fn refill(&mut self) -> bool {
        if self.left == 0 {
            return false;
        }
        let (leaf, last) = self.tree.leaf(self.rank);
        let run = &leaf.items()[(last + 1).saturating_sub(self.left)..=last];
        run.iter().rev().take(AHEAD).for_each(|&at| leaf::prefetch_whole(at));
        self.rank = self.rank.saturating_sub(run.len());
        self.left -= run.len();
        self.run = run.iter();
        true
    }
}

impl Iterator for Descend<'_> {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        if self.run.len() == 0 && !self.refill() {
            return None;
        }
        let rest = self.run.as_slice();
        if let Some(ahead) = rest.len().checked_sub(AHEAD + 1) {
            leaf::prefetch_whole(rest[ahead]);
        }
        self.run.next_back().map(|&at| leaf::unpack(at))
    }
}
