//! The wheel against a sorted map, under clocks that crawl, leap and go back.

use super::*;
use std::collections::{BTreeSet, HashMap};

pub(crate) fn rng(mut state: u64) -> impl FnMut() -> u64 {
    println!("seed {state}");
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
}

#[derive(Default)]
struct Model {
    of: HashMap<u64, (i64, Place)>,
}

impl Items for Model {
    fn due_ms(&self, handle: u64) -> i64 {
        self.of[&handle].0
    }
    fn set_place(&mut self, handle: u64, place: Place) {
        self.of.get_mut(&handle).unwrap().1 = place;
    }
}

/// A wheel, its items and a sorted copy.
struct Rig {
    wheel: Wheel,
    items: Model,
    sorted: BTreeSet<(i64, u64)>,
}

impl Rig {
    fn new() -> Rig {
        Rig { wheel: Wheel::new(0), items: Model::default(), sorted: BTreeSet::new() }
    }

    fn insert(&mut self, handle: u64, at: i64) {
        self.items.of.insert(handle, (at, Place(u32::MAX)));
        self.wheel.insert(handle, at, &mut self.items);
        self.sorted.insert((at, handle));
    }

    fn remove(&mut self, handle: u64) {
        let (at, place) = self.items.of[&handle];
        self.wheel.remove(handle, at, place, &mut self.items);
        self.items.of.remove(&handle);
        assert!(self.sorted.remove(&(at, handle)));
    }

    /// Fires all that is due, and holds the wheel to exactly that.
    fn fire(&mut self, now: i64, budget: usize) -> usize {
        let mut fired = 0;
        loop {
            match self.wheel.next_due(now, budget, &mut self.items) {
                Next::Due(handle) => {
                    assert!(self.items.of[&handle].0 <= now, "early");
                    self.remove(handle);
                    fired += 1;
                }
                Next::More => {}
                Next::Idle => break,
            }
        }
        if let Some(&(at, _)) = self.sorted.first() {
            assert!(at.max(0) > now.max(0), "{at} is late at {now}");
        }
        fired
    }

    fn check(&self) {
        self.wheel.check(&self.items, |handle| self.items.of[&handle].1);
        assert_eq!(self.wheel.len(), self.sorted.len());
    }
}

#[test]
fn fires_what_is_due_and_nothing_else() {
    for seed in 0..6 {
        let mut rng = rng(seed);
        let mut rig = Rig::new();
        let mut now = if seed % 2 == 0 { 1_700_000_000_000 } else { 0i64 };
        let mut next_handle = 1;
        for round in 0..100_000 {
            match rng() % 10 {
                0..5 => {
                    let reach = 1i64 << (rng() % 44);
                    let at = now + (rng() as i64 & (reach - 1)) - (rng() % 3) as i64;
                    rig.insert(next_handle, at);
                    next_handle += 1;
                }
                5..8 if next_handle > 1 => {
                    let handle = 1 + rng() % next_handle;
                    if rig.items.of.contains_key(&handle) {
                        rig.remove(handle);
                    }
                }
                _ => {
                    now += match rng() % 40 {
                        0 => (rng() % 100_000_000) as i64,
                        1 => -((rng() % 10_000_000) as i64),
                        2..10 => (rng() % 100_000) as i64,
                        10 => 0,
                        _ => (rng() % 300) as i64,
                    };
                    rig.fire(now, 1 + (rng() % 50) as usize);
                }
            }
            if round % 10_000 == 0 {
                rig.check();
            }
        }
        rig.check();
        rig.fire(i64::MAX, 100);
        assert!(rig.wheel.len == 0);
        rig.check();
    }
}

#[test]
fn takes_deadlines_from_the_first_to_the_last() {
    let mut rig = Rig::new();
    let now = 1_700_000_000_000;
    rig.fire(now, 10);
    for (i, at) in
        [i64::MIN, -1, 0, now, now + 1, 1 << 50, i64::MAX - 1, i64::MAX].into_iter().enumerate()
    {
        rig.insert(i as u64 + 1, at);
    }
    rig.check();
    assert_eq!(rig.fire(now, 10), 4);
    assert_eq!(rig.fire(now + 1, 10), 1);
    assert_eq!(rig.fire(1 << 50, 10), 1);
    assert_eq!(rig.fire(i64::MAX - 1, 10), 1);
    assert_eq!(rig.fire(i64::MAX, 10), 1);
}

#[test]
fn a_million_items_in_one_slot_keep_to_the_budget() {
    let mut rig = Rig::new();
    let now = 1_700_000_000_000;
    rig.fire(now, 10);
    let (n, at) = (200_000, now + 3_600_000);
    for handle in 1..=n {
        rig.insert(handle, at);
    }
    assert!((rig.wheel.mem_bytes() as f64) < n as f64 * 6.3, "{}", rig.wheel.mem_bytes());
    // One millisecond early: they are dealt out, a hundred a call.
    let mut calls = 0;
    while rig.wheel.next_due(at - 1, 100, &mut rig.items) == Next::More {
        calls += 1;
    }
    assert!(calls >= 2_000, "{calls}");
    rig.check();
    assert_eq!(rig.fire(at, 100), n as usize);
    rig.check();
}

#[test]
fn a_leap_ahead_deals_nothing_out() {
    let mut rig = Rig::new();
    for handle in 1..=10_000u64 {
        rig.insert(handle, 1_700_000_000_000 + handle as i64 * 977);
    }
    // Budget 0: what is due is found where it stands.
    assert_eq!(rig.fire(1_800_000_000_000, 0), 10_000);
}

#[test]
fn soonest_is_exact_in_small_slots() {
    let mut rng = rng(9);
    let mut rig = Rig::new();
    let mut now = 1_700_000_000_000;
    rig.fire(now, 10);
    for handle in 1..=300 {
        rig.insert(handle, now + (rng() % 500_000_000) as i64);
    }
    while let Some(&(at, _)) = rig.sorted.first() {
        let found = rig.wheel.soonest(&rig.items).unwrap();
        assert_eq!(rig.items.of[&found].0, at);
        rig.remove(found);
        now += (rng() % 500_000) as i64;
        rig.fire(now, 1_000);
    }
    assert_eq!(rig.wheel.soonest(&rig.items), None);
}

#[test]
fn a_renamed_item_is_found_by_its_new_handle() {
    let mut rig = Rig::new();
    rig.insert(1, 500);
    rig.insert(2, 500);
    let (at, place) = rig.items.of.remove(&1).unwrap();
    rig.items.of.insert(77, (at, place));
    rig.sorted = BTreeSet::from([(500, 2), (500, 77)]);
    rig.wheel.renamed(1, 77, at, place);
    rig.check();
    assert_eq!(rig.fire(500, 5), 2);
}
