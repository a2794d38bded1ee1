//! Hashes against a `BTreeMap`, and the thresholds at which they change their encoding.

use super::*;
use crate::ds::wheel::tests::rng;
use crate::value::ObjectRef;
use std::collections::BTreeMap;

const LIMITS: HashLimits =
    HashLimits { listpack_entries: 128, listpack_value: 64, seed: Seed([1, 2]) };

type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>;

fn all(hash: &Hash) -> Model {
    hash.view().iter().map(|p| (p.field.to_vec(), (p.value.to_vec(), p.expire))).collect()
}

fn numbers(n: usize) -> Hash {
    let mut hash = Hash::default();
    for i in 0..n {
        let text = i.to_string();
        assert!(hash.insert(text.as_bytes(), b"v", Time::Never, &LIMITS));
    }
    hash
}

#[test]
fn agrees_with_a_map() {
    let mut rng = rng(21);
    let small = HashLimits { listpack_entries: 30, listpack_value: 12, ..LIMITS };
    let (mut hash, mut model) = (Hash::default(), Model::new());
    let mut encodings = [0; 3];
    let rounds = if cfg!(miri) { 5_000 } else { 1_000_000 };
    for round in 0..rounds {
        let at = round % 500;
        if at == 0 {
            (hash, model) = (Hash::default(), Model::new());
        }
        let fields = if at < 300 { 20 } else { 60 };
        let field = format!("f{}", rng() % fields).into_bytes();
        let value = match rng() % 3 {
            0 => (rng() as i64 >> (30 + rng() % 34)).to_string().into_bytes(),
            _ => vec![b'v'; (rng() % if at < 300 { 12 } else { 300 }) as usize],
        };
        let time = 1 + (rng() % 50) as i64;
        match rng() % 8 {
            0..3 => {
                let time = match rng() % 4 {
                    0 if at > 150 => Time::At(time),
                    1 => Time::Keep,
                    _ => Time::Never,
                };
                let old = model.get(&field).and_then(|found| found.1);
                let expire = match time {
                    Time::Never => None,
                    Time::Keep => old,
                    Time::At(at) => Some(at),
                };
                let new = model.insert(field.clone(), (value.clone(), expire)).is_none();
                // A listpack takes no integer longer than its limit either.
                assert_eq!(hash.insert(&field, &value, time, &small), new);
            }
            3 if at > 150 => {
                let expire = (!rng().is_multiple_of(3)).then_some(time);
                if let Some(found) = model.get_mut(&field) {
                    found.1 = expire;
                    hash.set_expire(&field, expire);
                }
            }
            4 => assert_eq!(hash.remove(&field), model.remove(&field).is_some()),
            5 => {
                let due = hash.view().due(10, 1).pop();
                let least = model.values().filter_map(|found| found.1).min();
                assert_eq!(hash.view().soonest(), least);
                assert_eq!(due.is_some(), least.is_some_and(|at| at < 10));
                if let Some(field) = due {
                    assert_eq!(model.remove(&field).map(|found| found.1), Some(least));
                    assert!(hash.remove(&field));
                }
            }
            _ => {
                let found = hash.view().find(&field).map(|(value, at)| (value.to_vec(), at));
                assert_eq!(found.as_ref(), model.get(&field));
                assert_eq!(hash.view().get(&field).map(Item::to_vec), found.map(|found| found.0));
            }
        }
        assert_eq!(hash.len(), model.len());
        if round % 101 == 0 {
            assert_eq!(all(&hash), model);
            assert_eq!(hash.view().duplicate(0).view(), ObjectRef::Hash(hash.view()));
            assert_eq!(hash.view().duplicate(0).encoding(), hash.encoding());
            if let Some(pair) = hash.view().random(&mut rng) {
                let found = (pair.value.to_vec(), pair.expire);
                assert_eq!(model.get(&pair.field.to_vec()), Some(&found));
            }
        }
        if let Hash::Timed(lp) = &hash {
            let times = lp.iter().skip(2).step_by(3).filter_map(Item::as_int);
            assert!(times.map(|at| if at == 0 { i64::MAX } else { at }).is_sorted());
        }
        encodings[match hash {
            Hash::Packed(_) => 0,
            Hash::Timed(_) => 1,
            Hash::Table(_) => 2,
        }] += 1;
    }
    assert!(encodings.iter().all(|&n| n > rounds / 20), "{encodings:?}");
}

#[test]
fn encodings_change_where_those_of_redis_do() {
    assert_eq!(numbers(128).encoding(), Encoding::Listpack);
    assert_eq!(numbers(129).encoding(), Encoding::Hashtable);
    let with = |text: &str, field: bool| {
        let mut hash = numbers(1);
        let text = text.as_bytes();
        let (field, value) = if field { (text, &b"v"[..]) } else { (&b"f"[..], text) };
        assert!(hash.insert(field, value, Time::Never, &LIMITS));
        hash.encoding()
    };
    for field in [false, true] {
        assert_eq!(with(&"x".repeat(64), field), Encoding::Listpack);
        assert_eq!(with(&"x".repeat(65), field), Encoding::Hashtable);
    }
    let mut hash = numbers(2);
    hash.expect(128, [&[b'x'; 64][..]].into_iter(), &LIMITS);
    assert_eq!(hash.encoding(), Encoding::Listpack);
    hash.set_expire(b"1", Some(5));
    assert_eq!(hash.encoding(), Encoding::ListpackEx);
    hash.set_expire(b"1", None);
    assert_eq!((hash.encoding(), hash.view().soonest()), (Encoding::ListpackEx, None));
    hash.set_expire(b"0", Some(7));
    hash.expect(1, [&[b'x'; 65][..]].into_iter(), &LIMITS);
    assert_eq!((hash.encoding(), hash.view().soonest()), (Encoding::Hashtable, Some(7)));
    let mut hash = numbers(2);
    hash.expect(129, std::iter::empty(), &LIMITS);
    assert_eq!((hash.encoding(), hash), (Encoding::Hashtable, numbers(2)));
}

#[test]
fn equal_hashes_have_equal_digests() {
    let sum = |hash: &Hash| {
        let mut sum = [7; 20];
        hash.view().digest(&mut sum);
        sum
    };
    let mut table = numbers(5);
    table.change_to_table(5, LIMITS.seed);
    assert_eq!(sum(&table), sum(&numbers(5)));
    table.set_expire(b"3", Some(9));
    assert_ne!(sum(&table), sum(&numbers(5)));
    let mut timed = numbers(5);
    timed.set_expire(b"3", Some(10));
    assert_eq!(sum(&table), sum(&timed), "the time itself is left out");
}
