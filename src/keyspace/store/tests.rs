//! The store against a `BTreeMap`: values, expiries, order of firing, and the table's invariants.

use super::*;
use crate::ds::pack::End;
use crate::ds::quicklist::Shape;
use crate::ds::wheel::tests::rng;
use crate::value::list::List;
use crate::value::string::{IntText, StrBuf, parse_int};
use crate::value::{Collection, ValueRef};
use std::collections::BTreeMap;

const SEED: Seed = Seed([3, 4]);

#[derive(Clone, PartialEq, Debug)]
struct Row {
    text: Vec<u8>,
    expire: Option<i64>,
    lru: u32,
}

fn row(entry: &Entry) -> Row {
    let text = match entry.value() {
        ValueRef::Int(int) => IntText::new(int).as_bytes().to_vec(),
        ValueRef::Str(bytes) => bytes.to_vec(),
        ValueRef::Object(_) => panic!("no objects here"),
    };
    Row { text, expire: entry.expire_ms(), lru: entry.lru() }
}

fn some_text(rng: &mut impl FnMut() -> u64) -> Vec<u8> {
    match rng() % 8 {
        0..3 => ((rng() as i64) >> (rng() % 64)).to_string().into_bytes(),
        3..7 => (0..rng() % 60).map(|i| b'a' + (i % 26) as u8).collect(),
        _ => vec![b'x'; (rng() % 2_000) as usize],
    }
}

#[test]
fn behaves_like_a_map_with_deadlines() {
    let mut rng = rng(21);
    let mut store = Store::new(SEED, 0);
    let mut model: BTreeMap<Vec<u8>, Row> = BTreeMap::new();
    let mut now = 1_700_000_000_000i64;
    let rounds = if cfg!(miri) { 3_000 } else { 1_000_000 };
    store.next_due(now);
    for round in 0..rounds {
        let keys = [50, 3_000, 40_000][round * 6 / rounds % 3];
        let name = format!("key:{}", rng() % keys).into_bytes();
        let key = store.key(&name);
        let at = now + (rng() as i64 & ((1 << (rng() % 40)) - 1));
        match rng() % 20 {
            0..6 => {
                let (text, lru) = (some_text(&mut rng), (rng() & 0xff_ffff) as u32);
                let expire = [Expire::Keep, Expire::None, Expire::At(at)][(rng() % 3) as usize];
                let heavy = store.set(key, SetValue::Bytes(&text), expire, lru);
                let old = model.remove(&name);
                let was_long = old.as_ref().is_some_and(|old| old.text.len() > 512);
                assert_eq!(heavy.is_some(), was_long);
                let expire = match expire {
                    Expire::Keep => old.and_then(|old| old.expire),
                    Expire::None => None,
                    Expire::At(ms) => Some(ms),
                };
                model.insert(name, Row { text, expire, lru });
            }
            6..9 => {
                let taken = store.take(key).map(|(value, expire, lru)| {
                    let text = match value {
                        Value::Int(int) => IntText::new(int).as_bytes().to_vec(),
                        Value::Str(StrBuf { bytes, .. }) => bytes,
                        Value::Object(_) => panic!("no objects here"),
                    };
                    Row { text, expire, lru }
                });
                assert_eq!(taken, model.remove(&name));
            }
            9..11 => {
                let expire = (rng() & 3 > 0).then_some(at);
                let found = model.get_mut(&name).map(|row| row.expire = expire);
                assert_eq!(store.set_expire(key, expire), found.is_some());
            }
            11..13 => {
                let by = (rng() as i64) >> (rng() % 64);
                let expect = model.get_mut(&name).map(|row| {
                    let old = parse_int(&row.text).ok_or(IncrError::NotInteger)?;
                    let new = old.checked_add(by).ok_or(IncrError::Overflow)?;
                    row.text = new.to_string().into_bytes();
                    Ok(new)
                });
                assert_eq!(store.incr(key, by), expect);
            }
            13 => {
                let expect = model.get_mut(&name).map(|row| {
                    row.text.extend_from_slice(b"tail");
                    row.text.len()
                });
                assert_eq!(store.append(key, b"tail"), expect);
            }
            14 => {
                now += (rng() % 4_000) as i64;
                loop {
                    let entry = match store.next_due(now) {
                        Due::This(entry) => entry,
                        Due::Unsorted => continue,
                        Due::Nothing => break,
                    };
                    let name = entry.key().to_vec();
                    let due = model.remove(&name).unwrap();
                    assert_eq!(row(entry), due);
                    assert!(due.expire.unwrap() <= now);
                    let key = store.key(&name);
                    assert!(store.remove(key).is_some());
                }
            }
            15 => {
                if let Some(mut entry) = store.find_mut(key) {
                    entry.set_lru(7);
                    store.touch(key, round as u32 & 0xff_ffff);
                    model.get_mut(&name).unwrap().lru = round as u32 & 0xff_ffff;
                }
            }
            _ => assert_eq!(store.find(key).map(row), model.get(&name).cloned()),
        }
        assert_eq!(store.len(), model.len());
        if round % 50_000 == 0 {
            store.check();
            let timed: Vec<i64> = model.values().filter_map(|row| row.expire).collect();
            assert_eq!(store.expires(), timed.len());
            assert!(timed.iter().all(|&at| at > now - 4_000));
            if let Some(entry) = store.soonest() {
                assert!(entry.expire_ms().is_some());
            }
        }
    }
    store.check();
    let all: BTreeMap<Vec<u8>, Row> =
        store.iter().map(|entry| (entry.key().to_vec(), row(entry))).collect();
    assert_eq!(all, model);
}

#[test]
fn values_stay_findable_by_time_when_they_move() {
    let mut store = Store::new(SEED, 0);
    for i in 0..1_000i64 {
        let name = i.to_string().into_bytes();
        let key = store.key(&name);
        store.set(key, SetValue::Int(i), Expire::At(1_000 + i), 0);
        // Each of these changes the size class, so the entry moves.
        store.append(key, &[b'x'; 100]);
        store.set_range(key, 900, b"y");
        store.set(key, SetValue::Bytes(b"short"), Expire::Keep, 0);
    }
    store.check();
    assert_eq!(store.avg_ttl_ms(0), 1_499);
    let mut fired = Vec::new();
    while let Due::This(entry) = store.next_due(1_499) {
        fired.push(entry.expire_ms().unwrap());
        let name = entry.key().to_vec();
        store.remove(store.key(&name));
    }
    assert_eq!(store.next_due(1_499).map(Entry::key), Due::Nothing);
    assert_eq!(fired.len(), 500);
    store.check();
}

#[test]
fn collections_pass_through() {
    let push = |list: &mut List, text: &'static [u8]| {
        list.push(End::Back, std::iter::once(text), Shape::default());
    };
    let list = |texts: &[&'static [u8]]| {
        let mut list = List::with_room(0);
        texts.iter().for_each(|text| push(&mut list, text));
        Value::Object(Box::new(list.into_object()))
    };
    let mut store = Store::new(SEED, 0);
    let key = store.key(b"h");
    assert_eq!(store.put(key, list(&[b"1"]), Some(77), 5), None);
    let (object, _) = store.find_mut(key).unwrap().into_boxed().unwrap();
    push(List::of_mut(object).unwrap(), b"2");
    assert_eq!(store.find(key).unwrap().value_type(), crate::value::Type::List);
    assert_eq!(store.take(key), Some((list(&[b"1", b"2"]), Some(77), 5)));
    assert_eq!(store.expires(), 0);
}

#[test]
fn a_store_can_be_freed_by_another_thread() {
    let mut store = Store::new(SEED, 0);
    for i in 0..10_000u32 {
        let name = i.to_le_bytes();
        let key = store.key(&name);
        store.set(key, SetValue::Bytes(&[7; 600]), Expire::At(i64::from(i)), 0);
    }
    std::thread::spawn(move || drop(store)).join().unwrap();
}

/// A new database that starts at 0 would put all of these into one slot, of which only a few are
/// compared.
#[test]
fn a_new_database_knows_at_once_what_expires_first() {
    let now = 1_700_000_000_000;
    let mut store = Store::new(SEED, now);
    for i in (0..2_000i64).rev() {
        let name = i.to_le_bytes();
        let after = [500_000, 10_000_000 + i * 1000][usize::from(i % 2 == 0)];
        store.set(store.key(&name), SetValue::Bytes(b"v"), Expire::At(now + after), 0);
    }
    for _ in 0..1_000 {
        let first = store.soonest().expect("there are keys");
        assert_eq!(first.expire_ms(), Some(now + 500_000));
        let name = first.key().to_vec();
        store.remove(store.key(&name));
    }
}
