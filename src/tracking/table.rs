//! The table of keys that clients may have cached: millions, most known to one or two clients.
//!
//! A key is one cell of a hash table (`ds::cell`, `ds::dict`): eight bytes that say who knows the
//! key, then the key.
//!
//! ```text
//!   [number][0]          one client
//!   [number][number]     two clients, the smaller number first
//!   [MANY][place]        more: a sorted list in `many`
//! ```
//! So a key of 16 bytes takes 32 bytes and its share of a bucket, whether one client knows it or
//! two. A list is searched by bisection, so that a key that everybody reads costs a read little.
//!
//! Invariants: numbers are not 0 and below MANY; the numbers of a key are distinct; each list in
//! `many` belongs to one key; `items` is the sum over all keys of clients that know them.

use slab::Slab;

use crate::ds::cell::Member;
use crate::ds::dict::Dict;
use crate::util::siphash::Seed;

/// A client, as the table knows it.
pub(crate) type Number = u32;

const MANY: Number = Number::MAX;
/// The largest number a client can have.
pub(super) const LAST: Number = MANY - 1;

type Head = [u8; 8];

fn head(first: u32, second: u32) -> Head {
    (u64::from(first) | u64::from(second) << 32).to_le_bytes()
}

fn parts(head: Head) -> (u32, u32) {
    let word = u64::from_le_bytes(head);
    (word as u32, (word >> 32) as u32)
}

pub(crate) struct Table {
    keys: Dict<Member>,
    many: Slab<Vec<Number>>,
    items: usize,
}

/// Who knew a key, in order of number.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Numbers {
    Few([Number; 2], usize),
    Many(Vec<Number>),
}

impl Numbers {
    pub(crate) fn as_slice(&self) -> &[Number] {
        match self {
            Numbers::Few(two, len) => &two[..*len],
            Numbers::Many(list) => list,
        }
    }
}

impl Table {
    /// An empty table; allocates nothing yet.
    pub(crate) fn new(seed: Seed) -> Table {
        Table { keys: Dict::new(seed), many: Slab::new(), items: 0 }
    }

    /// Number of keys. O(1).
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
    /// Clients that know a key, summed over all keys. O(1).
    pub(crate) fn items(&self) -> usize {
        self.items
    }

    /// A client has read a key; whether that is news. O(1), and O(clients that know it) when it is
    /// news to many.
    pub(crate) fn remember(&mut self, key: &[u8], number: Number) -> bool {
        debug_assert!((1..=LAST).contains(&number));
        let hash = self.keys.hash(key);
        let Table { keys, many, items } = self;
        let Some(mut known) = keys.get_mut(hash, key) else {
            keys.insert_new(hash, Member::new(key, b"", Some(head(number, 0))));
            *items += 1;
            return true;
        };
        let (a, b) = known.view().head().map(parts).expect("every key was stored with a head");
        let new = match (a, b) {
            (MANY, place) => {
                let list = &mut many[place as usize];
                let Err(at) = list.binary_search(&number) else { return false };
                list.insert(at, number);
                None
            }
            (a, b) if a == number || b == number => return false,
            (a, 0) => Some(head(a.min(number), a.max(number))),
            (a, b) => {
                let mut list = vec![a, b, number];
                list.sort_unstable();
                Some(head(MANY, many.insert(list) as u32))
            }
        };
        if let Some(new) = new {
            known.update(|mut cell| {
                cell.set_head(new);
                (cell, ())
            });
        }
        *items += 1;
        true
    }

    /// Forgets a key; who knew it. O(1).
    pub(crate) fn take(&mut self, key: &[u8]) -> Option<Numbers> {
        if self.keys.is_empty() {
            return None;
        }
        let cell = self.keys.remove(self.keys.hash(key), key)?;
        let (a, b) = cell.head().map(parts).expect("every key was stored with a head");
        let numbers = match (a, b) {
            (MANY, place) => Numbers::Many(self.many.remove(place as usize)),
            (a, 0) => Numbers::Few([a, 0], 1),
            (a, b) => Numbers::Few([a, b], 2),
        };
        self.items -= numbers.as_slice().len();
        Some(numbers)
    }

    /// A key chosen fairly. O(1) on average.
    pub(crate) fn random(&self, rng: impl FnMut() -> u64) -> Option<&[u8]> {
        self.keys.random(rng).map(|cell| cell.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn one_two_and_many() {
        let mut t = Table::new(Seed([3, 4]));
        assert!(t.remember(b"k", 9) && !t.remember(b"k", 9));
        assert!(t.remember(b"k", 4) && !t.remember(b"k", 4) && !t.remember(b"k", 9));
        assert!(t.remember(b"", 5) && t.remember(b"two", 1) && t.remember(b"two", 2));
        assert_eq!((t.len(), t.items()), (3, 5));
        for n in [7, LAST, 1] {
            assert!(t.remember(b"k", n) && !t.remember(b"k", n));
        }
        assert_eq!(t.take(b"k"), Some(Numbers::Many(vec![1, 4, 7, 9, LAST])));
        assert_eq!(t.take(b"k"), None);
        assert_eq!(t.take(b"").expect("known").as_slice(), [5]);
        assert_eq!(t.take(b"two").expect("known").as_slice(), [1, 2]);
        assert!(t.is_empty() && t.items() == 0 && t.many.is_empty());
    }

    #[test]
    fn agrees_with_a_map_of_sets() {
        let mut next = crate::util::rand::generator(11);
        let mut t = Table::new(Seed([5, 6]));
        let mut model: BTreeMap<Vec<u8>, BTreeSet<Number>> = BTreeMap::new();
        let rounds = if cfg!(miri) { 2_000 } else { 200_000 };
        for round in 0..rounds {
            // Phases of reading and of changing, so that the table grows to some size and is
            // emptied again.
            let reads = if (round / 5_000) % 2 == 0 { 9 } else { 3 };
            let key = format!("key:{}", next() % 700).into_bytes();
            if next() % 10 < reads {
                let number = (next() % 12 + 1) as Number;
                let news = model.entry(key.clone()).or_default().insert(number);
                assert_eq!(t.remember(&key, number), news);
            } else {
                let want = model.remove(&key).map(|s| s.into_iter().collect::<Vec<_>>());
                assert_eq!(t.take(&key).map(|n| n.as_slice().to_vec()), want);
            }
            assert_eq!(t.len(), model.len());
            assert_eq!(t.items(), model.values().map(BTreeSet::len).sum::<usize>());
            if let Some(key) = t.random(&mut next) {
                assert!(model.contains_key(key));
            }
        }
        while let Some(key) = t.random(&mut next).map(<[u8]>::to_vec) {
            assert!(t.take(&key).is_some() && model.remove(&key).is_some());
        }
        assert!(model.is_empty() && t.many.is_empty());
    }
}
