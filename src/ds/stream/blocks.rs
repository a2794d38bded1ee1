//! The blocks of a stream by ID, and how many nodes Redis's radix tree has for these IDs.
//!
//! XINFO tells that number. It is kept, because to count it needs all blocks: an ID that comes or
//! goes changes it by what its neighbours say.
//!
//! ```text
//!   root ── bytes ── branch ── bytes ── branch ── bytes ── end
//!                       └───── bytes ── end
//! ```
//! A node stands for each branch and each end, and one for the bytes between two of them. A branch
//! is known by its depth: as many bytes of the ID lead to it.
//!
//! Invariant (`check` counts again): `nodes` is right.

use super::block::Block;
use super::id::Id;
use std::collections::BTreeMap;
use std::collections::btree_map;
use std::ops::RangeBounds;

/// The bytes of an ID.
const DEPTH: usize = 16;

/// The blocks of a stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Blocks {
    map: BTreeMap<Id, Block>,
    /// Nodes of the radix tree, but for the root of an empty one.
    nodes: usize,
}

impl Blocks {
    pub(super) fn len(&self) -> usize {
        self.map.len()
    }

    pub(super) fn iter(&self) -> btree_map::Iter<'_, Id, Block> {
        self.map.iter()
    }

    pub(super) fn range(&self, ids: impl RangeBounds<Id>) -> btree_map::Range<'_, Id, Block> {
        self.map.range(ids)
    }

    pub(super) fn first_mut(&mut self) -> Option<(Id, &mut Block)> {
        self.map.iter_mut().next().map(|(id, block)| (*id, block))
    }

    pub(super) fn last_mut(&mut self) -> Option<(Id, &mut Block)> {
        self.map.iter_mut().next_back().map(|(id, block)| (*id, block))
    }

    /// The block where an entry of this ID is, if it is anywhere.
    pub(super) fn find_mut(&mut self, id: Id) -> Option<(Id, &mut Block)> {
        self.map.range_mut(..=id).next_back().map(|(id, block)| (*id, block))
    }

    /// Adds a block whose ID is new. O(log blocks).
    pub(super) fn insert(&mut self, id: Id, block: Block) {
        self.nodes += self.nodes_of(id);
        self.map.insert(id, block);
    }

    pub(super) fn remove(&mut self, id: Id) {
        if self.map.remove(&id).is_some() {
            self.nodes -= self.nodes_of(id);
        }
    }

    /// The number of nodes that Redis's radix tree has for these IDs. O(1).
    pub(super) fn radix_nodes(&self) -> usize {
        self.nodes.max(1)
    }

    /// The nodes that an ID adds, which is not there. O(log blocks).
    fn nodes_of(&self, id: Id) -> usize {
        let before = self.map.range(..id).next_back().map(|(id, _)| *id);
        let after = self.map.range(id..).next().map(|(id, _)| *id);
        let near = |other: Option<Id>| other.map(|other| common(id, other));
        let Some(depth) = near(before).max(near(after)) else {
            // It is alone: its bytes, and its end.
            return 2;
        };
        // Those with which it has the most bytes in common.
        let (low, high) = sharing(id, depth);
        let first = self.map.range(low..).next().map_or(id, |(id, _)| *id);
        let last = self.map.range(..=high).next_back().map_or(id, |(id, _)| *id);
        let own = run(Some(depth), DEPTH) + 1;
        let below = if first == last { DEPTH } else { common(first, last) };
        if below == depth {
            // They part here already.
            return own;
        }
        // A branch comes into the bytes that lead to what they have in common.
        let outer_before = self.map.range(..low).next_back().map(|(id, _)| *id);
        let outer_after = if high == Id::MAX { None } else { self.after(high) };
        let above = near(outer_before).max(near(outer_after));
        own + 1 + run(above, depth) + run(Some(depth), below) - run(above, below)
    }

    fn after(&self, id: Id) -> Option<Id> {
        self.map.range(id.next()?..).next().map(|(id, _)| *id)
    }

    /// Panics unless the number of nodes is right. O(blocks).
    #[cfg(test)]
    pub(super) fn check(&self) {
        // Each branch is a beginning of two IDs that part behind it; neighbours tell all of them.
        let ids: Vec<[u8; DEPTH]> = self.map.keys().map(|id| id.to_bytes()).collect();
        let branches: std::collections::BTreeSet<&[u8]> = ids
            .windows(2)
            .map(|pair| &pair[0][..common(Id::from_bytes(pair[0]), Id::from_bytes(pair[1]))])
            .collect();
        // Above each branch and each end there may be bytes.
        let bytes_above = |end: &[u8]| {
            let above = (0..end.len()).rev().find(|n| branches.contains(&end[..*n]));
            run(above, end.len())
        };
        let ends = ids.iter().map(|id| 1 + bytes_above(id));
        let nodes =
            branches.iter().map(|branch| 1 + bytes_above(branch)).chain(ends).sum::<usize>();
        assert_eq!(self.nodes, nodes);
    }
}

/// The node for the bytes between a branch's own byte (None: the root) and what is below it, if
/// there are any.
fn run(branch: Option<usize>, below: usize) -> usize {
    usize::from(below > branch.map_or(0, |depth| depth + 1))
}

/// How many bytes two IDs have in common at their beginning.
fn common(a: Id, b: Id) -> usize {
    (number(a) ^ number(b)).leading_zeros() as usize / 8
}

fn number(id: Id) -> u128 {
    u128::from_be_bytes(id.to_bytes())
}

/// The least and the greatest ID that has the first `depth` bytes of this one.
fn sharing(id: Id, depth: usize) -> (Id, Id) {
    let rest = u128::MAX.checked_shr(8 * depth as u32).unwrap_or(0);
    let id_of = |n: u128| Id::from_bytes(n.to_be_bytes());
    (id_of(number(id) & !rest), id_of(number(id) | rest))
}
