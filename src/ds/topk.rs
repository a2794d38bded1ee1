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
//! has each slot once with its count, the lightest first, and `Slot::place` is where it stands
//! there.

/// A longer key is not watched, so that memory stays bounded.
pub(crate) const MAX_KEY: usize = 1024;

const FREE: u32 = u32::MAX;

/// Children of a node of the heap: with four of them it is half as deep as with two.
const WIDTH: usize = 4;

#[derive(Debug)]
struct Slot {
    key: Box<[u8]>,
    hash: u64,
    error: u64,
    place: u32,
}

/// The count stands beside the slot's number, so that the heap is kept without a look at slots.
#[derive(Clone, Copy, Debug)]
struct Count {
    count: u64,
    slot: u32,
}

#[derive(Debug)]
pub(crate) struct TopK {
    capacity: usize,
    slots: Vec<Slot>,
    heap: Vec<Count>,
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
        let place = match self.find(hash, key) {
            Some(slot) => self.slots[slot as usize].place as usize,
            None if self.slots.len() < self.capacity => {
                let slot = self.slots.len() as u32;
                self.slots.push(Slot { key: key.into(), hash, error: 0, place: slot });
                self.heap.push(Count { count: weight, slot });
                self.link(slot);
                self.rise(slot as usize);
                return;
            }
            None => {
                let Count { count, slot } = self.heap[0];
                self.unlink(slot);
                let lightest = &mut self.slots[slot as usize];
                match lightest.key.len() == key.len() {
                    true => lightest.key.copy_from_slice(key),
                    false => lightest.key = key.into(),
                }
                (lightest.hash, lightest.error) = (hash, count);
                self.link(slot);
                0
            }
        };
        self.heap[place].count += weight;
        self.sink(place);
    }

    fn heavy<'a>(&self, slot: &'a Slot) -> Heavy<'a> {
        let count = self.count_at(slot.place as usize);
        let (weight, error) = (count - slot.error / 2, slot.error.div_ceil(2));
        Heavy { key: &slot.key, weight, error }
    }

    /// The `n` heaviest keys, the heaviest first. O(capacity + n log n).
    pub(crate) fn top(&self, n: usize) -> Vec<Heavy<'_>> {
        let mut all: Vec<Heavy<'_>> = self
            .slots
            .iter()
            .map(|slot| self.heavy(slot))
            .filter(|heavy| heavy.weight > 0)
            .collect();
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
        self.slots.iter().find(|slot| &*slot.key == key).map(|slot| self.heavy(slot))
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
        self.heap[place].count
    }

    fn put(&mut self, place: usize, count: Count) {
        self.heap[place] = count;
        self.slots[count.slot as usize].place = place as u32;
    }

    /// Moves what is at a place towards the first one, until it is not lighter than its parent.
    fn rise(&mut self, mut place: usize) {
        let moved = self.heap[place];
        while place > 0 {
            let parent = (place - 1) / WIDTH;
            if self.count_at(parent) <= moved.count {
                break;
            }
            self.put(place, self.heap[parent]);
            place = parent;
        }
        self.put(place, moved);
    }

    /// The other way: until no child is lighter.
    fn sink(&mut self, mut place: usize) {
        let moved = self.heap[place];
        loop {
            let first = WIDTH * place + 1;
            let lightest = match self.heap.get(first..) {
                None | Some([]) => break,
                Some(children) => match children.first_chunk::<WIDTH>() {
                    Some(all) => lightest(all),
                    None => lightest(children),
                },
            };
            let child = first + lightest;
            if moved.count <= self.count_at(child) {
                break;
            }
            self.put(place, self.heap[child]);
            place = child;
        }
        self.put(place, moved);
    }
}

/// The place of the lightest among children, of which there is at least one.
#[inline]
fn lightest(children: &[Count]) -> usize {
    let (mut at, mut least) = (0, children[0].count);
    for (i, child) in children.iter().enumerate().skip(1) {
        let less = child.count < least;
        at = if less { i } else { at };
        least = if less { child.count } else { least };
    }
    at
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
                let at = self.heap[slot.place as usize];
                assert_eq!(at.slot, i as u32);
                assert_eq!(self.find(slot.hash, &slot.key), Some(i as u32));
                assert!(slot.error <= at.count);
            }
            assert_eq!(self.heap.len(), self.slots.len());
            assert_eq!(self.buckets.iter().filter(|&&b| b != FREE).count(), self.slots.len());
            for place in 1..self.heap.len() {
                assert!(self.count_at((place - 1) / WIDTH) <= self.count_at(place));
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
