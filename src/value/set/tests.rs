//! Sets against a `BTreeSet`, and the thresholds at which they change their encoding.

use super::*;
use crate::ds::wheel::tests::rng;
use crate::value::ObjectRef;
use std::collections::BTreeSet;

const LIMITS: SetLimits = SetLimits {
    intset_entries: 512,
    listpack_entries: 128,
    listpack_value: 64,
    seed: Seed([1, 2]),
};

fn of(members: &[&str]) -> Set {
    let mut set = Set::for_member(members[0].as_bytes(), members.len(), &LIMITS);
    members.iter().for_each(|m| assert!(set.insert(m.as_bytes(), &LIMITS)));
    set
}

fn numbers(n: i64) -> Set {
    let mut set = Set::Ints(Intset::new());
    (0..n).for_each(|i| assert!(set.insert_item(Item::Int(i), &LIMITS)));
    set
}

#[test]
fn agrees_with_a_tree() {
    let mut rng = rng(11);
    let small = SetLimits { intset_entries: 20, listpack_entries: 30, listpack_value: 8, ..LIMITS };
    let (mut set, mut model) = (Set::Ints(Intset::new()), BTreeSet::<Vec<u8>>::new());
    let mut encodings = [0; 3];
    let rounds = if cfg!(miri) { 5_000 } else { 1_000_000 };
    for round in 0..rounds {
        if round % 400 == 0 {
            (set, model) = (Set::Ints(Intset::new()), BTreeSet::new());
        }
        let word = match (rng() % 8, round % 400) {
            (_, 0..40) | (0..6, _) => (rng() as i64 % 40).to_string(),
            (6, _) => format!("m{}", rng() % 40),
            _ => format!("{:>width$}", rng() % 4, width = (rng() % 10) as usize),
        };
        let text = word.as_bytes();
        match rng() % 8 {
            0..4 => assert_eq!(set.insert(text, &small), model.insert(text.to_vec())),
            4 => assert_eq!(set.remove(text), model.remove(text)),
            5 => match set.pop(&mut rng) {
                Some(popped) => assert!(model.remove(&popped)),
                None => assert!(model.is_empty()),
            },
            _ => {
                let hash = LIMITS.seed.hash(text);
                assert_eq!(set.view().contains(text), model.contains(text));
                assert_eq!(set.view().has(Probe { text, hash }), model.contains(text));
            }
        }
        assert_eq!(set.len(), model.len());
        if round % 101 == 0 {
            let mut all: Vec<_> = set.view().iter().map(Item::to_vec).collect();
            all.sort_unstable();
            assert!(all.iter().eq(&model));
            assert_eq!(set.view().duplicate(0).view(), ObjectRef::Set(set.view()));
            assert_eq!(set.view().duplicate(0).encoding(), set.encoding());
            if let Some(item) = set.view().random(&mut rng) {
                assert!(model.contains(&item.to_vec()));
            }
        }
        encodings[match set {
            Set::Ints(_) => 0,
            Set::Packed(_) => 1,
            Set::Table(_) => 2,
        }] += 1;
    }
    assert!(encodings.iter().all(|&n| n > rounds / 20), "{encodings:?}");
}

#[test]
fn encodings_change_where_those_of_redis_do() {
    assert_eq!(numbers(512).encoding(), Encoding::Intset);
    assert_eq!(numbers(513).encoding(), Encoding::Hashtable);
    let with = |n, text: &str| {
        let mut set = numbers(n);
        assert!(set.insert(text.as_bytes(), &LIMITS));
        set.encoding()
    };
    assert_eq!(with(127, "x"), Encoding::Listpack);
    assert_eq!(with(128, "x"), Encoding::Hashtable);
    assert_eq!(with(1, &"x".repeat(64)), Encoding::Listpack);
    assert_eq!(with(1, &"x".repeat(65)), Encoding::Hashtable);
    let mut set = of(&["a"]);
    (1..128).for_each(|i| assert!(set.insert(i.to_string().as_bytes(), &LIMITS)));
    assert_eq!(set.encoding(), Encoding::Listpack);
    assert!(!set.insert(b"127", &LIMITS) && set.encoding() == Encoding::Listpack);
    assert!(set.insert(b"128", &LIMITS) && set.encoding() == Encoding::Hashtable);
    // The integers' texts count as well.
    let narrow = SetLimits { listpack_value: 3, ..LIMITS };
    let mut set = numbers(1001);
    set.change_to_ints(&SetLimits { intset_entries: 2000, ..LIMITS });
    assert_eq!(set.encoding(), Encoding::Intset);
    assert!(set.insert(b"x", &narrow));
    assert_eq!(set.encoding(), Encoding::Hashtable);
}

#[test]
fn hints_choose_the_encoding() {
    let encoding = |first: &str, hint| Set::for_member(first.as_bytes(), hint, &LIMITS).encoding();
    assert_eq!(encoding("1", 512), Encoding::Intset);
    assert_eq!(encoding("1", 513), Encoding::Hashtable);
    assert_eq!(encoding("x", 128), Encoding::Listpack);
    assert_eq!(encoding("x", 129), Encoding::Hashtable);
    let mut set = numbers(3);
    set.expect(512, &LIMITS);
    assert_eq!(set.encoding(), Encoding::Intset);
    set.expect(513, &LIMITS);
    assert_eq!((set.encoding(), set), (Encoding::Hashtable, numbers(3)));
}

#[test]
fn equal_sets_have_equal_digests() {
    let mut table = of(&["1", "2", "x"]);
    table.change_to_table(3, LIMITS.seed);
    let sum = |set: &Set| {
        let mut sum = [7; 20];
        set.view().digest(&mut sum);
        sum
    };
    assert_eq!(sum(&table), sum(&of(&["x", "2", "1"])));
    assert_ne!(sum(&table), sum(&of(&["x", "2"])));
}

#[test]
fn draws_are_fair() {
    let mut rng = rng(12);
    for mut set in [numbers(10), of(&["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"])] {
        for _ in 0..2 {
            let mut seen = std::collections::HashMap::new();
            for _ in 0..10_000 {
                let drawn = set.view().random(&mut rng).expect("some").to_vec();
                *seen.entry(drawn).or_insert(0) += 1;
            }
            assert!(seen.len() == 10 && seen.values().all(|n| (800..1200).contains(n)), "{seen:?}");
            set.change_to_table(10, LIMITS.seed);
        }
    }
}
