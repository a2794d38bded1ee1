//! Inner nodes: the way down, and what keeps nodes neither too full nor too empty.
//!
//! An inner node knows of each kid how many elements are below it and the score of the first. A
//! change goes down to a leaf, and on the way back each node repairs what it knows of that kid.
//!
//! The parent of a full leaf makes room (`insert_full`). It shares the leaf's elements and those of
//! the neighbour with more room out anew, over one leaf more if they don't fit well. An element at
//! the outer edge of a full leaf starts a new one instead. A full inner kid is split before an
//! insert goes through it, so there is always room for one kid more.
//!
//! A kid that is less than half full is joined with a neighbour, if both together fill at most
//! three quarters of a node.

use super::leaf::{Packed, pack, unpack};
use super::{Cut, Elements, LEAF, Leaf};

/// Kids of an inner node at most.
const FANOUT: usize = 64;
/// Room is made for so many kids at a time.
const KIDS_STEP: usize = 8;
/// What stays in the node when the one at an end of its row is split: inserts in order will fill
/// the other part.
const EDGE: usize = FANOUT - 4;
/// A neighbour with fewer free places does not help, as it would be full again at once.
const SPARE: usize = 8;

pub(super) enum Node {
    Leaf(Box<Leaf>),
    Inner(Box<Inner>),
}

pub(super) struct Kid {
    pub node: Node,
    /// Elements below.
    pub count: usize,
    /// The score of the first element below.
    pub first: f64,
}

#[derive(Default)]
pub(super) struct Inner {
    pub kids: Vec<Kid>,
}

impl Node {
    /// The first element.
    fn first(&self) -> u64 {
        let mut node = self;
        loop {
            match node {
                Node::Leaf(leaf) => return unpack(leaf.items()[0]),
                Node::Inner(inner) => node = &inner.kids[0].node,
            }
        }
    }
}

impl Kid {
    /// A node with what is to be known of it.
    pub(super) fn of(node: Node, elements: &impl Elements) -> Kid {
        let mut kid = Kid { node, count: 0, first: 0.0 };
        kid.recount();
        kid.refresh(elements);
        kid
    }

    fn recount(&mut self) {
        self.count = match &self.node {
            Node::Leaf(leaf) => leaf.len(),
            Node::Inner(inner) => inner.kids.iter().map(|kid| kid.count).sum(),
        };
    }

    /// Finds out the score of the first element again.
    fn refresh(&mut self, elements: &impl Elements) {
        self.first = match &self.node {
            Node::Leaf(leaf) => elements.score(unpack(leaf.items()[0])),
            Node::Inner(inner) => inner.kids[0].first,
        };
    }

    /// How full the node is, and how full it can be.
    fn fill(&self) -> (usize, usize) {
        match &self.node {
            Node::Leaf(leaf) => (leaf.len(), LEAF),
            Node::Inner(inner) => (inner.kids.len(), FANOUT),
        }
    }
}

impl Inner {
    pub(super) fn is_full(&self) -> bool {
        self.kids.len() >= FANOUT
    }

    /// Inserts a kid. There is room.
    pub(super) fn push_kid(&mut self, i: usize, kid: Kid) {
        if self.kids.len() == self.kids.capacity() {
            self.kids.reserve_exact(KIDS_STEP);
        }
        self.kids.insert(i, kid);
    }

    /// The kid in which the cut is: the last whose first element stands before it, or else the
    /// first.
    #[inline]
    pub(super) fn kid_at(&self, elements: &impl Elements, cut: &impl Cut) -> usize {
        self.kids[1..]
            .partition_point(|kid| cut.follows(kid.first, || elements.member(kid.node.first())))
    }

    /// The kid that holds the element of this rank, which becomes the rank in the kid.
    #[inline]
    pub(super) fn kid_of_rank(&self, rank: &mut usize) -> usize {
        for (i, kid) in self.kids.iter().enumerate() {
            if *rank < kid.count {
                return i;
            }
            *rank -= kid.count;
        }
        panic!("O2: a rank beyond the last element");
    }

    /// Splits a full inner kid in two. O(fan-out).
    pub(super) fn split_kid(&mut self, i: usize, elements: &impl Elements) {
        let last = i + 1 == self.kids.len();
        let kid = &mut self.kids[i];
        let Node::Inner(inner) = &mut kid.node else { return };
        let keep = match (i, last) {
            (_, true) => EDGE,
            (0, false) => FANOUT - EDGE,
            _ => FANOUT / 2,
        };
        let kids = inner.kids.split_off(keep);
        inner.kids.shrink_to(keep + KIDS_STEP);
        kid.recount();
        self.push_kid(i + 1, Kid::of(Node::Inner(Box::new(Inner { kids })), elements));
    }

    /// Inserts an element at the cut. This node is not full.
    pub(super) fn insert(&mut self, elements: &impl Elements, at: u64, score: f64, cut: &impl Cut) {
        if self.kids.is_empty() {
            return self.push_kid(0, Kid::of(Node::Leaf(Leaf::of(&[pack(at)])), elements));
        }
        let mut i = self.kid_at(elements, cut);
        if matches!(&self.kids[i].node, Node::Inner(inner) if inner.is_full()) {
            self.split_kid(i, elements);
            i = self.kid_at(elements, cut);
        }
        let kid = &mut self.kids[i];
        match &mut kid.node {
            Node::Inner(inner) => inner.insert(elements, at, score, cut),
            Node::Leaf(leaf) => {
                let pos = leaf.rank(elements, cut);
                if leaf.is_full() {
                    return self.insert_full(elements, i, pos, at);
                }
                leaf.insert(pos, at);
            }
        }
        kid.count += 1;
        kid.first = kid.first.min(score);
    }

    /// Free places in the leaf `i`, if there is one.
    fn room(&self, i: Option<usize>) -> Option<usize> {
        match &self.kids.get(i?)?.node {
            Node::Leaf(leaf) => Some(LEAF - leaf.len()),
            Node::Inner(_) => None,
        }
    }

    /// Inserts at `pos` of leaf `i`, which is full.
    #[cold]
    fn insert_full(&mut self, elements: &impl Elements, i: usize, pos: usize, at: u64) {
        let (left, right) = (self.room(i.checked_sub(1)), self.room(Some(i + 1)));
        // Elements come in order, upwards or downwards: the full leaf stays as it is.
        let alone = || Kid::of(Node::Leaf(Leaf::of(&[pack(at)])), elements);
        if pos == LEAF && right.is_none_or(|room| room == 0) {
            return self.push_kid(i + 1, alone());
        }
        if pos == 0 && i == 0 {
            return self.push_kid(0, alone());
        }
        let (from, n) = match (left, right) {
            (None, None) => (i, 1),
            _ if left >= right => (i - 1, 2),
            _ => (i, 2),
        };
        let mut all: Vec<Packed> = Vec::with_capacity(2 * LEAF + 1);
        for kid in &self.kids[from..from + n] {
            if let Node::Leaf(leaf) = &kid.node {
                all.extend_from_slice(leaf.items());
            }
        }
        let before = if from < i { self.kids[from].count } else { 0 };
        all.insert(before + pos, pack(at));
        let parts = if n == 2 && all.len() + SPARE <= 2 * LEAF { 2 } else { n + 1 };
        if parts > n {
            self.push_kid(from + n, alone());
        }
        let mut rest = all.as_slice();
        for part in 0..parts {
            let (mine, others) = rest.split_at(rest.len() / (parts - part));
            rest = others;
            let kid = &mut self.kids[from + part];
            if let Node::Leaf(leaf) = &mut kid.node {
                leaf.set(mine);
            }
            kid.recount();
            kid.refresh(elements);
        }
    }

    /// See `Tree::remove_unless`.
    pub(super) fn remove_before(
        &mut self,
        elements: &impl Elements,
        cut: &impl Cut,
        stays: impl FnOnce(u64, u64) -> bool,
    ) -> bool {
        if self.kids.is_empty() {
            return false;
        }
        let i = self.kid_at(elements, cut);
        let kid = &mut self.kids[i];
        let at_front = match &mut kid.node {
            Node::Inner(inner) => {
                if !inner.remove_before(elements, cut, stays) {
                    return false;
                }
                true
            }
            Node::Leaf(leaf) => {
                let Some(pos) = leaf.rank(elements, cut).checked_sub(1) else { return false };
                let items = leaf.items();
                if let (Some(before), Some(&behind)) = (pos.checked_sub(1), items.get(pos + 1))
                    && stays(unpack(items[before]), unpack(behind))
                {
                    return false;
                }
                leaf.remove(pos, 1);
                pos == 0
            }
        };
        kid.count -= 1;
        self.settle(i, at_front, elements);
        true
    }

    /// See `Tree::take`; `rank` is there.
    pub(super) fn take(
        &mut self,
        elements: &impl Elements,
        mut rank: usize,
        n: usize,
        out: &mut Vec<u64>,
    ) -> usize {
        let i = self.kid_of_rank(&mut rank);
        let kid = &mut self.kids[i];
        let taken = match &mut kid.node {
            Node::Inner(inner) => inner.take(elements, rank, n, out),
            Node::Leaf(leaf) => {
                let taken = n.min(leaf.len() - rank);
                out.extend(leaf.items()[rank..rank + taken].iter().map(|&at| unpack(at)));
                leaf.remove(rank, taken);
                taken
            }
        };
        kid.count -= taken;
        self.settle(i, rank == 0, elements);
        taken
    }

    /// Repairs a kid that has lost elements, perhaps its first.
    fn settle(&mut self, i: usize, at_front: bool, elements: &impl Elements) {
        let kid = &mut self.kids[i];
        if kid.count == 0 {
            self.kids.remove(i);
            return;
        }
        if at_front {
            kid.refresh(elements);
        }
        let (fill, most) = kid.fill();
        if fill * 2 >= most {
            return;
        }
        // Two neighbours that fill three quarters of one node become one.
        let fits = |j: Option<usize>| {
            j.and_then(|j| self.kids.get(j))
                .is_some_and(|other| (other.fill().0 + fill) * 4 <= most * 3)
        };
        if fits(i.checked_sub(1)) {
            self.merge(i - 1);
        } else if fits(Some(i + 1)) {
            self.merge(i);
        }
    }

    /// Joins kid `i` and the next.
    fn merge(&mut self, i: usize) {
        let right = self.kids.remove(i + 1);
        let left = &mut self.kids[i];
        left.count += right.count;
        match (&mut left.node, right.node) {
            (Node::Leaf(left), Node::Leaf(right)) => left.append(&right),
            (Node::Inner(left), Node::Inner(mut right)) => left.kids.append(&mut right.kids),
            _ => panic!("O1: leaves are equally deep"),
        }
    }

    pub(super) fn mem_bytes(&self) -> usize {
        let below = self.kids.iter().map(|kid| match &kid.node {
            Node::Leaf(_) => size_of::<Leaf>(),
            Node::Inner(inner) => size_of::<Inner>() + inner.mem_bytes(),
        });
        self.kids.capacity() * size_of::<Kid>() + below.sum::<usize>()
    }

    /// Checks O1 and O2, collects all elements, and returns the height.
    #[cfg(test)]
    pub(super) fn check(&self, elements: &impl Elements, all: &mut Vec<u64>) -> usize {
        assert!(self.kids.len() <= FANOUT);
        let mut height = None;
        for kid in &self.kids {
            let before = all.len();
            let below = match &kid.node {
                Node::Leaf(leaf) => {
                    all.extend(leaf.items().iter().map(|&at| unpack(at)));
                    0
                }
                Node::Inner(inner) => 1 + inner.check(elements, all),
            };
            assert_eq!(*height.get_or_insert(below), below, "O1");
            assert_eq!(all.len() - before, kid.count, "O2");
            assert_ne!(kid.count, 0, "O1");
            assert_eq!(elements.score(all[before]), kid.first, "O2");
        }
        height.unwrap_or(0)
    }
}
