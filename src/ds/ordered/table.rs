//! `SortedTable`: members by name and by score: a large sorted set.
//!
//! It keeps a table of members and a tree of their addresses in step. Whatever adds, frees or
//! re-scores a member must tell the tree. Only this file can do any of the three to a member in the
//! table, so the interface is safe over
//!
//! - S1  the tree holds the address of each member of the table, once, and no other;
//! - S2  each member has a head, its score, which is not NaN; the tree's order is by these scores.

#![allow(unsafe_code)] // The tree's addresses are those of members in the table; fenced in by S1.

use super::{Ascend, AtElement, Cut, Descend, Elements, End, Tree};
use crate::ds::cell::{Member, View};
use crate::ds::dict::{Dict, Thin};
use crate::util::siphash::Seed;
use std::marker::PhantomData;
use std::ptr::NonNull;

/// A member and its score.
pub(crate) type Scored<'a> = (&'a [u8], f64);

/// Sees members at their addresses while the table that owns them is borrowed.
///
/// - S3  as long as a `Cells` or what it has shown is used, every address that it is asked for is
///   in the tree of a table whose member there lives and is not changed.
struct Cells<'a>(PhantomData<&'a Dict<Member>>);

impl<'a> Cells<'a> {
    /// A view that borrows nothing, for changes to tree and table side by side.
    ///
    /// # Safety
    /// The caller keeps S3 for as long as it chooses `'a`.
    #[inline(always)]
    unsafe fn unbound() -> Cells<'a> {
        Cells(PhantomData)
    }

    #[inline(always)]
    fn at(&self, at: u64) -> &'a View<false> {
        let at = NonNull::new(std::ptr::with_exposed_provenance_mut(at as usize));
        // SAFETY: S3.
        unsafe { Member::view(at.expect("S1: no member is at 0")) }
    }

    #[inline(always)]
    fn scored(&self, at: u64) -> Scored<'a> {
        let view = self.at(at);
        (view.key(), score_of(view))
    }
}

impl Elements for Cells<'_> {
    #[inline(always)]
    fn score(&self, at: u64) -> f64 {
        score_of(self.at(at))
    }

    #[inline(always)]
    fn member(&self, at: u64) -> &[u8] {
        self.at(at).key()
    }
}

#[inline(always)]
fn score_of(view: &View<false>) -> f64 {
    f64::from_le_bytes(view.head().expect("S2: members have scores"))
}

/// Members taken out of the tree in one piece, before they are taken out of the table.
const PIECE: usize = 85;

/// A large sorted set.
pub struct SortedTable {
    dict: Dict<Member>,
    pub(super) tree: Tree,
}

impl SortedTable {
    /// An empty one, whose members are hashed with `seed`.
    pub fn new(seed: Seed) -> SortedTable {
        SortedTable { dict: Dict::new(seed), tree: Tree::default() }
    }

    /// Number of members. O(1).
    #[inline]
    pub fn len(&self) -> usize {
        self.dict.len()
    }

    /// Whether there are none. O(1).
    pub fn is_empty(&self) -> bool {
        self.dict.is_empty()
    }

    /// The seed that members are hashed with.
    pub fn seed(&self) -> Seed {
        self.dict.seed()
    }

    /// What the table knows a member by.
    #[inline]
    pub fn hash(&self, member: &[u8]) -> u64 {
        self.dict.hash(member)
    }

    /// Brings the bucket of a member closer to the processor.
    #[inline]
    pub fn prefetch_bucket(&self, hash: u64) {
        self.dict.prefetch_bucket(hash);
    }

    /// Brings the likely member closer. Reads the bucket: call it after `prefetch_bucket` of a
    /// whole batch.
    #[inline]
    pub fn prefetch_item(&self, hash: u64) {
        self.dict.prefetch_item(hash);
    }

    /// Makes room for so many members in all. The caller vouches for the number.
    pub fn reserve(&mut self, members: usize) {
        self.dict.reserve(members);
    }

    fn cells(&self) -> Cells<'_> {
        // SAFETY: S1, and S3 by the borrow of the table.
        unsafe { Cells::unbound() }
    }

    /// The score of a member. O(1).
    #[inline]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.dict.get(self.dict.hash(member), member).map(score_of)
    }

    /// The rank of a member, counted from the lowest, and its score. O(log n).
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let score = self.score(member)?;
        let cut = AtElement { score, member, behind: false };
        Some((self.tree.rank(&self.cells(), &cut), score))
    }

    /// Number of members before the cut. O(log n).
    pub fn count_before(&self, cut: &impl Cut) -> usize {
        self.tree.rank(&self.cells(), cut)
    }

    /// Adds a member, changes its score, or neither: `decide` sees the score it has, and says which
    /// it is to have. NaN must not come. O(log n).
    pub fn change<R>(
        &mut self,
        member: &[u8],
        decide: impl FnOnce(Option<f64>) -> (Option<f64>, R),
    ) -> R {
        let hash = self.dict.hash(member);
        let Some(mut place) = self.dict.get_mut(hash, member) else {
            let (wanted, result) = decide(None);
            if let Some(score) = wanted {
                self.add(hash, member, score, &AtElement { score, member, behind: false });
            }
            return result;
        };
        let old = score_of(place.view());
        let (wanted, result) = decide(Some(old));
        if let Some(score) = wanted.filter(|&score| score != old) {
            assert!(!score.is_nan(), "S2");
            let at = place.view().address();
            // SAFETY: S1; S3 -- only the tree is changed while members are looked at: the score
            // below is written between two looks, in place.
            let cells = unsafe { Cells::unbound() };
            let now = AtElement { score, member, behind: false };
            let was = AtElement { score: old, member, behind: true };
            let removed = self.tree.remove_unless(&cells, &was, |before, behind| {
                let is_before = |at| now.follows(cells.score(at), || cells.at(at).key());
                is_before(before) && !is_before(behind)
            });
            place.update(|mut cell| {
                cell.set_head(score.to_le_bytes());
                (cell, ())
            });
            if removed {
                self.tree.insert(&cells, at, &now);
            }
        }
        result
    }

    /// Adds a member that is not there.
    fn add(&mut self, hash: u64, member: &[u8], score: f64, cut: &impl Cut) {
        assert!(!score.is_nan(), "S2");
        let cell = Member::new(member, b"", Some(score.to_le_bytes()));
        let at = cell.address();
        self.dict.insert_new(hash, cell);
        // SAFETY: S1, and the member added lives as well; S3 -- the table is not touched meanwhile.
        let cells = unsafe { Cells::unbound() };
        self.tree.insert(&cells, at, cut);
    }

    /// Adds a member after all others. The caller knows that it is not there and that it belongs
    /// there. O(log n) without a look at any other member.
    pub fn push_back(&mut self, member: &[u8], score: f64) {
        self.add(self.dict.hash(member), member, score, &End::Back);
    }

    /// Removes a member and returns its score. O(log n).
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let place = self.dict.get_mut(self.dict.hash(member), member)?;
        let score = score_of(place.view());
        let cut = AtElement { score, member, behind: true };
        // SAFETY: S1; S3 -- the table is not touched before the tree is done.
        let cells = unsafe { Cells::unbound() };
        let removed = self.tree.remove_unless(&cells, &cut, |_, _| false);
        assert!(removed, "S1");
        drop(place.remove().0);
        Some(score)
    }

    /// Removes up to `n` members from rank `from` on, each shown to `see` before it goes.
    /// O(n + log of all).
    pub fn remove_range(
        &mut self,
        from: usize,
        n: usize,
        mut see: impl FnMut(&[u8], f64),
    ) -> usize {
        let (mut removed, mut piece) = (0, Vec::with_capacity(n.min(PIECE)));
        while removed < n {
            piece.clear();
            // SAFETY: S1; S3 -- each member is looked at before it is taken out of the table, and
            // not afterwards.
            let cells = unsafe { Cells::unbound() };
            let taken = self.tree.take(&cells, from, n - removed, &mut piece);
            if taken == 0 {
                break;
            }
            for &at in &piece {
                let (member, score) = cells.scored(at);
                see(member, score);
                let gone = self.dict.remove(self.dict.hash(member), member);
                assert!(gone.is_some(), "S1");
            }
            removed += taken;
        }
        removed
    }

    /// Up to `n` members upwards from rank `from`.
    pub fn ascend(&self, from: usize, n: usize) -> Walk<'_, Ascend<'_>> {
        Walk { cells: self.cells(), at: self.tree.ascend(from, n) }
    }

    /// Up to `n` members downwards from rank `from`.
    pub fn descend(&self, from: usize, n: usize) -> Walk<'_, Descend<'_>> {
        Walk { cells: self.cells(), at: self.tree.descend(from, n) }
    }

    /// The member of a rank. O(log n).
    pub fn at_rank(&self, rank: usize) -> Option<Scored<'_>> {
        self.ascend(rank, 1).next()
    }

    /// One step of a scan; see `Dict::scan`.
    pub fn scan(&self, cursor: u64, mut visit: impl FnMut(&[u8], f64)) -> u64 {
        self.dict.scan(cursor, |view| visit(view.key(), score_of(view)))
    }

    /// Allocated bytes, from `samples` members (0: all).
    pub fn mem_bytes(&self, samples: usize) -> usize {
        let take = if samples == 0 { self.len() } else { samples.min(self.len()) };
        let seen: usize = self.dict.iter().take(take).map(View::mem_bytes).sum();
        let members = (seen * self.len()).checked_div(take).unwrap_or(0);
        self.dict.mem_bytes() + self.tree.mem_bytes() + members
    }

    /// A copy. O(n).
    pub fn duplicate(&self) -> SortedTable {
        let mut copy = SortedTable::new(self.seed());
        copy.reserve(self.len());
        self.ascend(0, self.len()).for_each(|(member, score)| copy.push_back(member, score));
        copy
    }

    /// Panics if an invariant doesn't hold. O(n).
    #[cfg(test)]
    pub fn check(&self) {
        self.dict.check();
        self.tree.check(&self.cells());
        assert_eq!(self.tree.ascend(0, usize::MAX).count(), self.len(), "S1");
        for at in self.tree.ascend(0, usize::MAX) {
            let view = self.cells().at(at);
            let found = self.dict.get(self.dict.hash(view.key()), view.key());
            assert_eq!(found.map(View::address), Some(at), "S1");
        }
    }
}

/// Members with scores that have no order yet: to be filled, and sorted once at the end.
pub struct Unsorted {
    dict: Dict<Member>,
    longest: usize,
}

impl Unsorted {
    /// An empty one, whose members are hashed with `seed`, with room for so many. The caller
    /// vouches for the number.
    pub fn new(seed: Seed, room: usize) -> Unsorted {
        let mut dict = Dict::new(seed);
        if room > 0 {
            dict.reserve(room);
        }
        Unsorted { dict, longest: 0 }
    }

    /// Number of members. O(1).
    pub fn len(&self) -> usize {
        self.dict.len()
    }

    /// Whether there are none. O(1).
    pub fn is_empty(&self) -> bool {
        self.dict.is_empty()
    }

    /// Length of the longest member. O(1).
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Adds a member, or gives it the score that `join` makes of the one it has; whether it is new.
    /// O(1).
    #[inline]
    pub fn add(&mut self, member: &[u8], score: f64, join: impl FnOnce(f64) -> f64) -> bool {
        let hash = self.dict.hash(member);
        let Some(mut place) = self.dict.get_mut(hash, member) else {
            assert!(!score.is_nan(), "S2");
            self.longest = self.longest.max(member.len());
            self.dict.insert_new(hash, Member::new(member, b"", Some(score.to_le_bytes())));
            return true;
        };
        let score = join(score_of(place.view()));
        assert!(!score.is_nan(), "S2");
        place.update(|mut cell| {
            cell.set_head(score.to_le_bytes());
            (cell, ())
        });
        false
    }

    /// Sorts the members. O(n log n).
    pub fn sort(self) -> SortedTable {
        let mut table = SortedTable { dict: self.dict, tree: Tree::default() };
        // SAFETY: S3 -- the addresses are those of the table's members, which nothing changes until
        // they are all in the tree.
        let cells = unsafe { Cells::unbound() };
        let mut order: Vec<(f64, u64)> =
            table.dict.iter().map(|view| (score_of(view), view.address())).collect();
        order.sort_unstable_by(|a, b| {
            a.0.partial_cmp(&b.0)
                .expect("S2")
                .then_with(|| cells.member(a.1).cmp(cells.member(b.1)))
        });
        for (_, at) in order {
            table.tree.insert(&cells, at, &End::Back);
        }
        table
    }
}

/// Members in an order.
pub struct Walk<'a, I> {
    cells: Cells<'a>,
    at: I,
}

impl<'a, I: Iterator<Item = u64>> Iterator for Walk<'a, I> {
    type Item = Scored<'a>;

    #[inline]
    fn next(&mut self) -> Option<Scored<'a>> {
        self.at.next().map(|at| self.cells.scored(at))
    }
}
