//! The heaviest keys of a stream of (key, weight), in bounded memory: Space-Saving (Metwally,
//! Agrawal, El Abbadi: "Efficient Computation of Frequent and Top-k Elements in Data Streams",
//! 2005), with weights.
//!
//! So many keys are watched. A key that is watched adds its weight to its count. Another one takes
//! the place of the lightest and inherits its count, which is noted as its error:
//!
//! ```text
//! true weight  <=  count  <=  true weight + error        error <= total / capacity
//! ```
//! So a key of more than `total / capacity` is always watched, and a heavy key among many light
//! ones is known almost exactly, since the light ones share the places that are left.
//!
//! Invariants: `buckets` finds each slot under its hash (open addressing, no gaps in a run); `heap`
//! has each slot once, the lightest first, and `Slot::place` is where it stands there.

/// A longer key is not watched, so that memory stays bounded.
pub(crate) const MAX_KEY: usize = 1024;

const FREE: u32 = u32::MAX;

#[derive(Debug)]
struct Slot {
    key: Box<[u8]>,
    hash: u64,
    count: u64,
    error: u64,
    place: u32,
}

#[derive(Debug)]
pub(crate) struct TopK {
    capacity: usize,
    slots: Vec<Slot>,
    heap: Vec<u32>,
    buckets: Box<[u32]>,
    /// The weight of all keys, watched or not.
    total: u64,
}

/// A watched key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Heavy<'a> {
    pub key: &'a [u8],
    /// The middle of what its weight can be.
    pub weight: u64,
    /// How far it can be off, either way.
    pub error: u64,
}

impl Slot {
    fn heavy(&self) -> Heavy<'_> {
        let (weight, error) = (self.count - self.error / 2, self.error.div_ceil(2));
        Heavy { key: &self.key, weight, error }
    }
}

impl TopK {
    /// Watches `capacity` keys; at least one.
    pub(crate) fn new(capacity: usize) -> TopK {
        let capacity = capacity.max(1);
        TopK {
            capacity,
            slots: Vec::new(),
            heap: Vec::new(),
            buckets: vec![FREE; (2 * capacity).next_power_of_two()].into_boxed_slice(),
            total: 0,
        }
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Adds a weight to a key with its hash, always the same. O(log capacity).
    pub(crate) fn add(&mut self, key: &[u8], hash: u64, weight: u64) {
        self.total += weight;
        if key.len() > MAX_KEY {
            return;
        }
        let slot = match self.find(hash, key) {
            Some(slot) => {
                self.slots[slot as usize].count += weight;
                slot
            }
            None if self.slots.len() < self.capacity => {
                let slot = self.slots.len() as u32;
                let place = slot;
                self.slots.push(Slot { key: key.into(), hash, count: weight, error: 0, place });
                self.heap.push(slot);
                self.link(slot);
                self.rise(place as usize);
                return;
            }
            None => {
                let slot = self.heap[0];
                self.unlink(slot);
                let lightest = &mut self.slots[slot as usize];
                (lightest.key, lightest.hash) = (key.into(), hash);
                lightest.error = lightest.count;
                lightest.count += weight;
                self.link(slot);
                slot
            }
        };
        let place = self.slots[slot as usize].place;
        self.sink(place as usize);
    }

    /// The `n` heaviest keys, the heaviest first. O(capacity + n log n).
    pub(crate) fn top(&self, n: usize) -> Vec<Heavy<'_>> {
        let mut all: Vec<Heavy<'_>> =
            self.slots.iter().map(Slot::heavy).filter(|heavy| heavy.weight > 0).collect();
        let order = |a: &Heavy<'_>, b: &Heavy<'_>| b.weight.cmp(&a.weight).then(a.key.cmp(b.key));
        if n < all.len() {
            all.select_nth_unstable_by(n, order);
            all.truncate(n);
        }
        all.sort_by(order);
        all
    }

    /// What is known of one key, by comparing all.
    pub(crate) fn of(&self, key: &[u8]) -> Option<Heavy<'_>> {
        self.slots.iter().find(|slot| &*slot.key == key).map(Slot::heavy)
    }

    /// The most that a key that is not watched can weigh.
    pub(crate) fn most_unknown(&self) -> u64 {
        if self.slots.len() < self.capacity { 0 } else { self.count_at(0) }
    }

    fn mask(&self) -> usize {
        self.buckets.len() - 1
    }

    fn find(&self, hash: u64, key: &[u8]) -> Option<u32> {
        let mut at = hash as usize & self.mask();
        loop {
            let slot = self.buckets[at];
            if slot == FREE {
                return None;
            }
            let known = &self.slots[slot as usize];
            if known.hash == hash && &*known.key == key {
                return Some(slot);
            }
            at = (at + 1) & self.mask();
        }
    }

    fn link(&mut self, slot: u32) {
        let mut at = self.slots[slot as usize].hash as usize & self.mask();
        while self.buckets[at] != FREE {
            at = (at + 1) & self.mask();
        }
        self.buckets[at] = slot;
    }

    /// Takes a slot out of its bucket. Those behind it in the run move up where they may.
    fn unlink(&mut self, slot: u32) {
        let mask = self.mask();
        let mut hole = self.slots[slot as usize].hash as usize & mask;
        while self.buckets[hole] != slot {
            hole = (hole + 1) & mask;
        }
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let next = self.buckets[at];
            if next == FREE {
                break;
            }
            let home = self.slots[next as usize].hash as usize & mask;
            // It may move if its home is not between the hole and where it is.
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(hole) & mask {
                self.buckets[hole] = next;
                hole = at;
            }
        }
        self.buckets[hole] = FREE;
    }

    fn count_at(&self, place: usize) -> u64 {
        self.slots[self.heap[place] as usize].count
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        for place in [a, b] {
            self.slots[self.heap[place] as usize].place = place as u32;
        }
    }

    fn rise(&mut self, mut place: usize) {
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.count_at(parent) <= self.count_at(place) {
                break;
            }
            self.swap(parent, place);
            place = parent;
        }
    }

    fn sink(&mut self, mut place: usize) {
        loop {
            let first = 2 * place + 1;
            if first >= self.heap.len() {
                break;
            }
            let second = first + 1;
            let child = match second < self.heap.len() {
                true if self.count_at(second) < self.count_at(first) => second,
                _ => first,
            };
            if self.count_at(place) <= self.count_at(child) {
                break;
            }
            self.swap(place, child);
            place = child;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::util::siphash::Seed;
    use std::collections::HashMap;

    impl TopK {
        fn note(&mut self, key: &[u8], weight: u64) {
            self.add(key, Seed([1, 2]).hash(key), weight);
        }

        fn check(&self) {
            for (i, slot) in self.slots.iter().enumerate() {
                assert_eq!(self.heap[slot.place as usize], i as u32);
                assert_eq!(self.find(slot.hash, &slot.key), Some(i as u32));
                assert!(slot.error <= slot.count);
            }
            assert_eq!(self.heap.len(), self.slots.len());
            assert_eq!(self.buckets.iter().filter(|&&b| b != FREE).count(), self.slots.len());
            for place in 1..self.heap.len() {
                assert!(self.count_at((place - 1) / 2) <= self.count_at(place));
            }
        }
    }

    /// Requests for keys by Zipf's law (exponent 1) among `keys` of them.
    fn zipf(keys: u64, requests: usize) -> impl Iterator<Item = u64> {
        let mut sums = Vec::new();
        let mut sum = 0.0;
        for rank in 1..=keys {
            sum += 1.0 / rank as f64;
            sums.push(sum);
        }
        let mut random = crate::util::rand::generator(11);
        (0..requests).map(move |_| {
            let at = (random() >> 11) as f64 / (1u64 << 53) as f64 * sum;
            sums.partition_point(|&s| s < at) as u64
        })
    }

    #[test]
    fn the_ten_hottest_keys_of_a_zipf_trace_are_found_within_5_percent() {
        for capacity in [1000, 400] {
            let mut top = TopK::new(capacity);
            let mut exact: HashMap<u64, u64> = HashMap::new();
            for rank in zipf(100_000, 500_000) {
                // Names that say nothing of the rank.
                let name = rank.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                top.note(format!("key:{name}").as_bytes(), 1);
                *exact.entry(name).or_default() += 1;
            }
            top.check();
            let mut expected: Vec<(u64, u64)> = exact.iter().map(|(k, n)| (*n, *k)).collect();
            expected.sort_unstable_by(|a, b| b.cmp(a));
            let found = top.top(10);
            let names = |n: usize| format!("key:{}", expected[n].1).into_bytes();
            let mut wanted: Vec<Vec<u8>> = (0..10).map(names).collect();
            let mut got: Vec<Vec<u8>> = found.iter().map(|h| h.key.to_vec()).collect();
            for heavy in &found {
                let name = std::str::from_utf8(heavy.key).unwrap()[4..].parse().unwrap();
                let (is, said) = (exact[&name], heavy.weight);
                assert!(is.abs_diff(said) * 20 <= is, "{capacity}: {said} instead of {is}");
                assert!(is.abs_diff(said) <= heavy.error);
            }
            wanted.sort();
            got.sort();
            assert_eq!(got, wanted);
            assert_eq!(top.total(), 500_000);
        }
    }

    #[test]
    fn weights_stay_within_their_errors() {
        let mut random = crate::util::rand::generator(5);
        let mut top = TopK::new(20);
        let mut exact: HashMap<Vec<u8>, u64> = HashMap::new();
        for step in 0..20_000 {
            let key = format!("{}", (random() % 60).min(random() % 60)).into_bytes();
            let weight = random() % 100;
            top.note(&key, weight);
            *exact.entry(key).or_default() += weight;
            if step % 500 == 0 {
                top.check();
            }
        }
        for heavy in top.top(20) {
            assert!(exact[heavy.key].abs_diff(heavy.weight) <= heavy.error);
            assert!(heavy.error <= top.total() / 20 + 1);
        }
        top.note(&[b'k'; MAX_KEY + 1], 1 << 40);
        assert!(top.top(1)[0].weight < 1 << 40);
    }

    #[test]
    fn fewer_keys_than_places_are_exact() {
        let mut top = TopK::new(8);
        for (key, weight) in [("a", 3), ("b", 5), ("a", 4), ("c", 0)] {
            top.note(key.as_bytes(), weight);
        }
        let found: Vec<_> = top.top(9).iter().map(|h| (h.key, h.weight, h.error)).collect();
        assert_eq!(found, [(&b"a"[..], 7, 0), (&b"b"[..], 5, 0)]);
    }
}
