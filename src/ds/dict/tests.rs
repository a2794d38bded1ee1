//! The table against `HashMap`, through growth, shrinkage and fork-time hesitation.

use super::*;
use std::collections::{HashMap, HashSet};

/// A boxed number whose key is its eight bytes, and which counts the living.
#[derive(Debug)]
pub(super) struct Num(Box<(u64, u64)>);

// SAFETY: a box is one word, owns what it points to, and has a user-space address.
unsafe impl Thin for Num {
    type View = (u64, u64);
    fn into_raw(self) -> NonNull<u8> {
        NonNull::from(Box::leak(self.0)).cast()
    }
    unsafe fn from_raw(raw: NonNull<u8>) -> Num {
        // SAFETY: from `into_raw`.
        Num(unsafe { Box::from_raw(raw.cast().as_ptr()) })
    }
    unsafe fn view<'a>(raw: NonNull<u8>) -> &'a (u64, u64) {
        // SAFETY: from `into_raw`.
        unsafe { raw.cast().as_ref() }
    }
    fn key(view: &(u64, u64)) -> &[u8] {
        let at: *const u64 = &view.0;
        // SAFETY: the eight bytes of the number.
        unsafe { std::slice::from_raw_parts(at.cast(), 8) }
    }
}

fn num(key: u64, value: u64) -> Num {
    Num(Box::new((key, value)))
}

/// splitmix64: seeded, so that a failure can be replayed.
pub(super) fn rng(mut state: u64) -> impl FnMut() -> u64 {
    println!("seed {state}");
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
}

const SEED: Seed = Seed([7, 11]);

fn hash(key: u64) -> u64 {
    SEED.hash(&key.to_ne_bytes())
}

fn filled(n: u64) -> Dict<Num> {
    let mut dict = Dict::new(SEED);
    for key in 0..n {
        dict.insert_new(hash(key), num(key, key));
    }
    dict
}

fn remove(dict: &mut Dict<Num>, key: u64) -> Option<u64> {
    dict.remove(hash(key), &key.to_ne_bytes()).map(|n| n.0.1)
}

#[test]
fn behaves_like_a_hash_map() {
    let mut rng = rng(1);
    let mut dict = Dict::new(SEED);
    let mut model: HashMap<u64, u64> = HashMap::new();
    let rounds = if cfg!(miri) { 2_000 } else { 1_000_000 };
    for round in 0..rounds {
        // The range of keys and the bias breathe, so the table grows and shrinks many times.
        let phase = round * 8 / rounds;
        let key = rng() % [20, 300, 5_000, 60_000][phase % 4];
        let grow = if round / 40_000 % 2 == 0 { 60 } else { 30 };
        match rng() % 100 {
            op if op < grow => {
                let value = rng();
                let old = dict.insert(hash(key), num(key, value)).map(|n| n.0.1);
                assert_eq!(old, model.insert(key, value));
            }
            op if op < 90 => assert_eq!(remove(&mut dict, key), model.remove(&key)),
            op if op < 95 => {
                let got = dict.get(hash(key), &key.to_ne_bytes()).map(|n| n.1);
                assert_eq!(got, model.get(&key).copied());
            }
            op if op < 98 => {
                if let Some(mut place) = dict.get_mut(hash(key), &key.to_ne_bytes()) {
                    let old = place.update(|old| (num(key, old.0.1 ^ 1), old.0.1));
                    assert_eq!(model.insert(key, old ^ 1), Some(old));
                    assert_eq!(place.view().1, old ^ 1);
                }
            }
            98 => set_resize([Resize::Allow, Resize::Avoid][(rng() & 1) as usize]),
            _ => {
                dict.step(3);
            }
        }
        assert_eq!(dict.len(), model.len());
        if round % 20_000 == 0 {
            dict.check();
        }
    }
    dict.check();
    let all: HashMap<u64, u64> = dict.iter().copied().collect();
    assert_eq!(all, model);
}

#[test]
fn vector_and_portable_tag_search_agree() {
    let dict = filled(5_000);
    for i in 0..dict.n {
        let mut node = Some(dict.segments.bucket(i));
        while let Some(n) = node {
            for tag in 0..=255 {
                assert_eq!(n.matches(tag), n.matches_portable(tag));
            }
            node = n.next();
        }
    }
}

#[test]
fn an_empty_table_allocates_nothing_and_a_small_one_little() {
    let mut dict: Dict<Num> = Dict::new(SEED);
    assert_eq!(dict.mem_bytes(), 0);
    assert_eq!(dict.get(5, b"x"), None);
    assert_eq!(dict.scan(0, |_| unreachable!()), 0);
    assert!(dict.random(|| 0).is_none());
    dict.insert_new(hash(1), num(1, 1));
    assert_eq!(dict.mem_bytes(), 64 + 8);
    for key in 2..=9 {
        dict.insert_new(hash(key), num(key, 1));
    }
    assert_eq!(dict.mem_bytes(), 64 + 8, "nine items in one line");
}

#[test]
fn scan_returns_whatever_is_there_throughout() {
    // Between the calls of one scan the table grows and shrinks by large factors.
    for seed in 0..if cfg!(miri) { 1 } else { 60 } {
        let mut rng = rng(seed);
        let permanent = 1 + rng() % 700;
        let mut dict = filled(permanent);
        let mut others: Vec<u64> = Vec::new();
        let mut seen = HashSet::new();
        let (mut cursor, mut calls) = (0, 0u64);
        loop {
            cursor = dict.scan(cursor, |item| {
                seen.insert(item.0);
            });
            calls += 1;
            if cursor == 0 {
                break;
            }
            let target = (rng() % 6_000) as usize;
            for _ in 0..rng() % 400 {
                if others.len() < target {
                    let key = 1_000_000 + rng() % (1 << 40);
                    if dict.insert(hash(key), num(key, 0)).is_none() {
                        others.push(key);
                    }
                } else if let Some(key) = others.pop() {
                    assert!(remove(&mut dict, key).is_some());
                }
            }
        }
        for key in 0..permanent {
            assert!(seen.contains(&key), "{key} of {permanent} missed in {calls} calls");
        }
    }
}

#[test]
fn scan_of_a_quiet_table_visits_each_item_once() {
    for n in [1, 5, 9, 10, 100, 1_000, 3_333] {
        let dict = filled(n);
        let (mut cursor, mut seen) = (0, Vec::new());
        loop {
            cursor = dict.scan(cursor, |item| seen.push(item.0));
            if cursor == 0 {
                break;
            }
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..n).collect::<Vec<_>>());
    }
}

#[test]
fn random_is_fair_also_when_the_table_shrank() {
    let mut rng = rng(3);
    let mut dict = filled(3_000);
    for key in 100..3_000 {
        if key == 1_500 {
            // From here on the buckets stay, nearly empty.
            set_resize(Resize::Avoid);
        }
        remove(&mut dict, key);
    }
    let (draws, n) = (200_000u32, dict.len());
    let mut hits = vec![0u32; n];
    for _ in 0..draws {
        hits[dict.random(&mut rng).unwrap().0 as usize] += 1;
    }
    let expect = draws as f64 / n as f64;
    let chi: f64 = hits.iter().map(|&h| (h as f64 - expect).powi(2) / expect).sum();
    // 99 degrees of freedom: above 150 has a probability below 0.001.
    assert!(chi < 150.0, "chi-square {chi}");
}

#[test]
fn random_takes_few_draws() {
    let mut words = rng(4);
    for n in [1, 10, 1_000, 20_000] {
        let dict = filled(n);
        let mut used = 0u32;
        for _ in 0..1_000 {
            dict.random(|| {
                used += 1;
                words()
            });
        }
        assert!(used < 24_000, "{used} words for 1000 draws of {n}");
    }
}

#[test]
fn sample_visits_distinct_items() {
    let mut rng = rng(5);
    let dict = filled(500);
    for want in [0, 1, 7, 499, 500, 800] {
        let mut seen = HashSet::new();
        dict.sample(want, &mut rng, |item| assert!(seen.insert(item.0)));
        assert_eq!(seen.len(), want.min(500));
    }
}

#[test]
fn chains_stay_short_and_memory_small() {
    let mut dict = Dict::new(SEED);
    let n = if cfg!(miri) { 500 } else { 300_000 };
    let mut worst = 0.0f64;
    for key in 0..n {
        dict.insert_new(hash(key), num(key, 0));
        if key > 20_000 && key % 10_000 == 0 {
            // The unused rest of the last segment is not resident.
            let used = dict.n * node::NODE_BYTES + dict.overflow.bytes();
            worst = worst.max(used as f64 / dict.len() as f64);
        }
    }
    let stats = dict.stats();
    assert!(stats.max_depth <= 4, "{stats:?}");
    assert!(worst < 10.5, "{worst} bytes a key");
    assert_eq!(stats.by_items.iter().sum::<usize>(), stats.buckets);
    dict.check();
}

#[test]
fn avoid_holds_splits_back_and_step_catches_up() {
    let mut dict = filled(1_000);
    let before = dict.buckets();
    set_resize(Resize::Avoid);
    for key in 1_000..3_500 {
        dict.insert_new(hash(key), num(key, 0));
    }
    assert_eq!(dict.buckets(), before);
    for key in 3_500..9_000 {
        dict.insert_new(hash(key), num(key, 0));
    }
    assert!(dict.buckets() > before, "an extreme load splits all the same");
    dict.check();
    set_resize(Resize::Allow);
    while dict.step(10) {}
    assert_eq!(dict.buckets(), filled(9_000).buckets());
    dict.check();
}

#[test]
fn memory_returns_after_removal() {
    let mut dict = filled(100_000);
    let peak = dict.mem_bytes();
    for key in 0..99_990 {
        remove(&mut dict, key);
        if key % 9_999 == 0 {
            dict.check();
        }
    }
    assert!(dict.mem_bytes() < 1_000, "{} of {peak}", dict.mem_bytes());
    dict.check();
}

#[test]
fn reserve_makes_room_at_once() {
    let mut dict: Dict<Num> = Dict::new(SEED);
    dict.reserve(10_000);
    let buckets = dict.buckets();
    for key in 0..10_000 {
        dict.insert_new(hash(key), num(key, 0));
    }
    assert_eq!(dict.buckets(), buckets);
    dict.check();
    dict.reserve(20_000);
    assert!(dict.buckets() > buckets);
    dict.check();
}

#[test]
fn a_table_can_move_to_another_thread() {
    let dict = filled(1_000);
    let n = std::thread::spawn(move || dict.iter().count()).join().unwrap();
    assert_eq!(n, 1_000);
}

#[test]
fn joins_find_what_lookups_find() {
    let mut rng = rng(17);
    let rounds = if cfg!(miri) { 20 } else { 400 };
    for round in 0..rounds {
        let sizes = [rng() % 40, rng() % 3000].map(|n| if n % 7 == 0 { 0 } else { n });
        let (a, b) = if round % 2 == 0 { (sizes[0], sizes[1]) } else { (sizes[1], sizes[0]) };
        let (a, b) = if round % 3 == 0 { (a, a + b % 64) } else { (a, b) };
        let universe = (a + b).max(1);
        let mut table = |n: u64| {
            let mut dict = Dict::new(SEED);
            for _ in 0..n {
                let key = rng() % universe;
                dict.insert(hash(key), num(key, key));
            }
            dict
        };
        let (one, two) = (table(a), table(b));
        let mut seen = HashSet::new();
        one.join(&two, |view, found| {
            assert!(seen.insert(view.0));
            let there = two.get(hash(view.0), &view.0.to_ne_bytes()).is_some();
            assert_eq!(found, there, "{} in {} and {}", view.0, one.buckets(), two.buckets());
            true
        });
        assert_eq!(seen.len(), one.len());
    }
    let (mut calls, dict) = (0, filled(100));
    dict.join(&dict, |_, found| {
        calls += 1;
        found && calls < 5
    });
    assert_eq!(calls, 5);
}
