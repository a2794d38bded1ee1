//! The largest of many keys, kept as they change, in bounded memory.
//!
//! So many keys have a place. A key that is larger than the smallest of them takes its place; what
//! has no place is known only by the size that it does not exceed, `floor`. So the keys that are
//! larger than `floor` are known to be the largest, in their order. When enough of the largest have
//! shrunk or gone, too few are left, and only a look at all keys can tell the others.
//!
//! Invariants: `sizes` and `order` have the same keys with the same sizes, at most `places`; every
//! other key that was noted has at most `floor`.

use std::collections::{BTreeSet, HashMap};

#[derive(Debug)]
pub(crate) struct Largest {
    places: usize,
    sizes: HashMap<Box<[u8]>, u64>,
    order: BTreeSet<(u64, Box<[u8]>)>,
    floor: u64,
}

impl Largest {
    pub(crate) fn new(places: usize) -> Largest {
        Largest { places, sizes: HashMap::new(), order: BTreeSet::new(), floor: 0 }
    }

    /// A key is there, or has changed. O(log places).
    pub(crate) fn note(&mut self, key: &[u8], size: u64) {
        if let Some(known) = self.sizes.get_mut(key) {
            if *known != size {
                let old = std::mem::replace(known, size);
                self.order.remove(&(old, key.into()));
                self.order.insert((size, key.into()));
            }
            return;
        }
        if self.sizes.len() >= self.places {
            let smallest = self.order.first().map_or(0, |(size, _)| *size);
            if size <= smallest {
                self.floor = self.floor.max(size);
                return;
            }
            if let Some((size, key)) = self.order.pop_first() {
                self.sizes.remove(&key);
                self.floor = self.floor.max(size);
            }
        }
        self.sizes.insert(key.into(), size);
        self.order.insert((size, key.into()));
    }

    /// A key is gone.
    pub(crate) fn forget(&mut self, key: &[u8]) {
        if let Some((key, size)) = self.sizes.remove_entry(key) {
            self.order.remove(&(size, key));
        }
    }

    /// How many keys have a place.
    pub(crate) fn len(&self) -> usize {
        self.sizes.len()
    }

    /// The size of a key that has a place.
    pub(crate) fn size_of(&self, key: &[u8]) -> Option<u64> {
        self.sizes.get(key).copied()
    }

    /// The `n` largest, the largest first, and whether they are known to be these.
    pub(crate) fn top(&self, n: usize) -> (Vec<(&[u8], u64)>, bool) {
        let known = self.order.iter().rev().take_while(|(size, _)| *size >= self.floor);
        let top: Vec<(&[u8], u64)> = known.take(n).map(|(size, key)| (&**key, *size)).collect();
        let certain = top.len() == n || self.floor == 0;
        (top, certain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_a_map_of_all_keys_or_says_that_it_does_not_know() {
        let mut random = crate::util::rand::generator(9);
        let mut all: HashMap<Vec<u8>, u64> = HashMap::new();
        let mut largest = Largest::new(6);
        let (mut certain, mut uncertain) = (0, 0);
        for _ in 0..100_000 {
            let key = format!("{}", random() % 300).into_bytes();
            if random().is_multiple_of(4) {
                all.remove(&key);
                largest.forget(&key);
            } else {
                let size = random() % 1000;
                largest.note(&key, size);
                all.insert(key, size);
            }
            let (top, known) = largest.top(5);
            if !known {
                // As a look at all keys does.
                uncertain += 1;
                largest = Largest::new(6);
                all.iter().for_each(|(key, size)| largest.note(key, *size));
                continue;
            }
            certain += 1;
            let mut sizes: Vec<u64> = all.values().copied().collect();
            sizes.sort_unstable_by(|a, b| b.cmp(a));
            sizes.truncate(5);
            assert_eq!(top.iter().map(|(_, size)| *size).collect::<Vec<_>>(), sizes);
            assert!(top.iter().all(|(key, size)| all[*key] == *size));
            assert!(largest.sizes.len() == largest.order.len() && largest.sizes.len() <= 6);
        }
        assert!(certain > 50 * uncertain && uncertain > 0, "{certain} and {uncertain}");
    }
}
