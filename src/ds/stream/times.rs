//! Deliveries by their time, oldest first: a set of times with IDs.
//!
//! It is made at once of what may be a million deliveries, when somebody first asks which is the
//! oldest. A tree of them would take several times as long as to read them. So they become a sorted
//! row, out of which nothing is ever taken, only marked as gone; what is delivered later goes into
//! a tree. Both are read side by side.
//!
//! Invariants (`check`): the row ascends, its first element that is not gone is at `first`, and
//! `here` of them are not gone; nothing is in both; a row in which all are gone is dropped.

use super::id::Id;
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// A delivery: when it was, and of which entry.
pub(super) type Delivery = (i64, Id);

/// Deliveries by their time.
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    row: Vec<Delivery>,
    /// A bit for each of the row.
    gone: Vec<u64>,
    first: usize,
    here: usize,
    later: BTreeSet<Delivery>,
}

impl Times {
    /// All of these, which come in the order of their IDs and are about `n`. O(n) if their times
    /// are in order too, else O(n log n).
    pub(super) fn new(all: impl Iterator<Item = Delivery>, n: usize) -> Times {
        let mut row = Vec::with_capacity(n);
        row.extend(all);
        // What is equal stays in its order: the time is all that need be compared.
        row.sort_by_key(|delivery| delivery.0);
        let (gone, here) = (vec![0; row.len().div_ceil(64)], row.len());
        Times { row, gone, first: 0, here, later: BTreeSet::new() }
    }

    /// Adds a delivery that is not here. O(log n).
    pub(super) fn insert(&mut self, new: Delivery) {
        self.later.insert(new);
    }

    /// Takes a delivery out, if it is here. O(log n), amortised.
    pub(super) fn remove(&mut self, old: Delivery) {
        if self.later.remove(&old) {
            return;
        }
        let Ok(at) = self.row.binary_search(&old) else { return };
        let (word, bit) = (&mut self.gone[at / 64], 1 << (at % 64));
        self.here -= usize::from(*word & bit == 0);
        *word |= bit;
        if self.here == 0 {
            (self.row, self.gone, self.first) = Default::default();
        } else if at == self.first {
            self.first = self.next_here(at).unwrap_or(at);
        }
    }

    /// The first of the row from `at` on that is not gone. O(those that are gone / 64).
    fn next_here(&self, at: usize) -> Option<usize> {
        let (mut word, mut left) = (at / 64, u64::MAX << (at % 64));
        loop {
            let bits = !self.gone.get(word)? & left;
            if bits != 0 {
                let at = word * 64 + bits.trailing_zeros() as usize;
                return (at < self.row.len()).then_some(at);
            }
            (word, left) = (word + 1, u64::MAX);
        }
    }

    /// The oldest. O(log n).
    pub(super) fn first(&self) -> Option<Delivery> {
        let row = self.row.get(self.first).copied();
        row.into_iter().chain(self.later.first().copied()).min()
    }

    /// What was delivered at `until_ms` or before, oldest first.
    pub(super) fn until(&self, until_ms: i64) -> impl Iterator<Item = Delivery> {
        let mut later = self.later.range(..=(until_ms, Id::MAX)).copied().peekable();
        let mut at = self.next_here(self.first);
        std::iter::from_fn(move || {
            let row = at.map(|at| self.row[at]).filter(|old| old.0 <= until_ms);
            let order = match (row, later.peek()) {
                (Some(row), Some(later)) => row.cmp(later),
                (Some(_), None) => Ordering::Less,
                (None, _) => Ordering::Greater,
            };
            if order == Ordering::Greater {
                return later.next();
            }
            at = self.next_here(at? + 1);
            row
        })
    }

    /// Allocated bytes, about: trees of nodes of eleven are two thirds full.
    pub(super) fn mem_bytes(&self) -> usize {
        const EACH: usize = size_of::<Delivery>() * 3 / 2;
        self.row.capacity() * size_of::<Delivery>()
            + self.gone.capacity() * 8
            + self.later.len() * EACH
    }

    /// Number of deliveries. Panics unless the invariants hold. O(n).
    #[cfg(test)]
    pub(super) fn check(&self) -> usize {
        assert!(self.row.is_sorted());
        let here = |at: &usize| self.gone[at / 64] >> (at % 64) & 1 == 0;
        let row: Vec<usize> = (0..self.row.len()).filter(here).collect();
        assert_eq!((row.len(), row.is_empty()), (self.here, self.row.is_empty()));
        assert_eq!(row.first().copied().unwrap_or(0), self.first);
        assert!(row.iter().all(|at| !self.later.contains(&self.row[*at])));
        row.len() + self.later.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ds::wheel::tests::rng;

    #[test]
    fn deliveries_are_those_of_a_plain_set() {
        let mut rng = rng(3);
        for round in 0..60 {
            let mut any = || ((rng() % 90) as i64, Id::new(rng() % 30, 0));
            let mut model: BTreeSet<Delivery> = (0..round * 7).map(|_| any()).collect();
            let mut by_id: Vec<Delivery> = model.iter().copied().collect();
            by_id.sort_by_key(|delivery| delivery.1);
            let mut times = Times::new(by_id.into_iter(), model.len());
            for step in 0..1500 {
                let (new, old) = (any(), any());
                if step % 3 == 0 && model.insert(new) {
                    times.insert(new);
                }
                assert_eq!(
                    times.until(old.0).next().is_some(),
                    model.range(..=(old.0, Id::MAX)).count() > 0
                );
                model.remove(&old);
                times.remove(old);
                assert_eq!(times.first(), model.first().copied());
                if step % 50 == 0 {
                    assert_eq!(times.check(), model.len());
                    assert!(times.until(new.0).eq(model.range(..=(new.0, Id::MAX)).copied()));
                }
            }
        }
    }
}
