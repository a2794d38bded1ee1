//! What is known of all databases together, against what they hold.

use super::*;
use crate::ds::stream::id::Id;
use crate::ds::wheel::tests::rng;
use crate::keyspace::across::Across;
use crate::keyspace::effects::{EVENTS, Effect, Effects};
use crate::keyspace::env::{Env, Expiry, Origin};
use crate::keyspace::lazyfree::Lazyfree;
use crate::keyspace::open::Open;
use crate::keyspace::store::{Expire, SetValue};
use crate::value::hash::{Hash, HashLimits, Time};
use crate::value::list::List;
use crate::value::set::{Set, SetLimits};
use crate::value::stream::Stream;
use crate::value::zset::ZSet;
use crate::value::{Collection, Value};

const SEED: Seed = Seed([1, 2]);

fn check(ks: &Keyspace) {
    let all = || ks.stores();
    assert_eq!(ks.len(), all().map(Store::len).sum::<usize>());
    assert_eq!(ks.timed(), all().map(Store::timed).sum::<usize>());
    assert_eq!(ks.next_deadline_ms(), all().filter_map(Store::next_timed_ms).min());
}

#[test]
fn totals_follow_what_happens_to_each_database() {
    let mut rng = rng(5);
    let mut ks = Keyspace::new(8, SEED, 0);
    for round in 0..30_000u64 {
        let n = (rng() % 8) as usize;
        match rng() % 300 {
            0 => ks.swap(n, (rng() % 8) as usize),
            1 => drop(ks.flush(Some(n), 0)),
            2 if round % 7 == 0 => assert!(ks.flush(None, 0).len() <= 8),
            _ => {
                let store = ks.db_mut(n);
                let name = (rng() % 500).to_string();
                let key = store.key(name.as_bytes());
                let expire = match rng() % 3 {
                    0 => Expire::At(1_000 + (rng() % 1_000_000) as i64),
                    _ => Expire::None,
                };
                match rng() % 3 {
                    0 => drop(store.remove(key)),
                    _ => drop(store.set(key, SetValue::Int(1), expire, 0)),
                }
            }
        }
        let keys: usize = ks.stores().map(Store::len).sum();
        assert_eq!(ks.len(), keys, "before it is settled as well");
        if rng().is_multiple_of(4) {
            let before = ks.timed();
            let changed = ks.settle();
            assert!(changed || ks.timed() == before);
            ks.settle_deadlines();
            check(&ks);
        }
    }
}

const SETS: SetLimits =
    SetLimits { intset_entries: 4, listpack_entries: 4, listpack_value: 9, seed: SEED };

/// A value of some type, small or large.
fn some_value(rng: &mut impl FnMut() -> u64) -> Value {
    let members = rng() % 9;
    let names = (0..1 + members).map(|i| format!("member {i}"));
    match rng() % 6 {
        0 => Value::Int(rng() as i64),
        1 => {
            let limits = HashLimits { listpack_entries: 4, listpack_value: 9, seed: SEED };
            let mut hash = Hash::default();
            for name in names {
                hash.insert(name.as_bytes(), b"v", Time::Never, &limits);
            }
            Value::Object(Box::new(hash.into_object()))
        }
        2 => {
            let mut set = Set::for_member(b"m", 1, &SETS);
            for name in names {
                set.insert(name.as_bytes(), &SETS);
            }
            Value::Object(Box::new(set.into_object()))
        }
        3 => Value::Object(Box::new(ZSet::new().into_object())),
        4 => Value::Object(Box::new(Stream::default().into_object())),
        _ => Value::Object(Box::new(List::with_room(0).into_object())),
    }
}

#[test]
fn keys_are_counted_by_type_whatever_happens_to_them() {
    let env = |db, now_ms| Env {
        now_ms,
        lru_clock: 9,
        db,
        origin: Origin::Client,
        expiry: Expiry::Delete,
        deny_blocking: false,
        touch: true,
        lfu: None,
        random: 0,
    };
    let mut rng = rng(77);
    let mut ks = Keyspace::new(3, SEED, 0);
    let mut seen = [false; Type::COUNT];
    let rounds = if cfg!(miri) { 500 } else { 30_000 };
    for now in 0..rounds {
        let n = (rng() % 3) as usize;
        let (from, to) = ((rng() % 60).to_string(), (rng() % 60).to_string());
        let (from, to) = (from.as_bytes(), to.as_bytes());
        let expire = rng().is_multiple_of(4).then_some(now + 200);
        let mut fx = Effects::new(0, n as u32);
        let env = env(n as u32, now);
        match rng() % 100 {
            0 => ks.swap(n, (rng() % 3) as usize),
            1 if rng().is_multiple_of(4) => drop(ks.flush(Some(n), now)),
            2 if rng().is_multiple_of(40) => drop(ks.flush(None, now)),
            3..20 => {
                let to_db = (n as u32 + 1) % 3;
                let mut across = Across { ks: &mut ks, env: &env, lazyfree: Lazyfree::default() };
                match rng() % 2 {
                    0 => drop(across.move_key(from, to_db, &mut fx)),
                    _ => drop(across.copy_key(from, (to_db, to), rng().is_multiple_of(2), &mut fx)),
                }
            }
            20..35 => {
                // RENAME.
                let store = ks.db_mut(n);
                if let Some((value, expire, lru)) = store.take(store.key(from)) {
                    store.put(store.key(to), value, expire, lru);
                }
            }
            35..50 => {
                let store = ks.db_mut(n);
                drop(store.remove(store.key(from)));
            }
            50..60 => {
                let store = ks.db_mut(n);
                while let crate::keyspace::store::Due::This(entry) = store.next_due(now) {
                    let name = entry.key().to_vec();
                    store.remove(store.key(&name));
                }
            }
            60..70 => {
                // A collection that is opened, and may be new.
                let store = ks.db_mut(n);
                let key = store.key(from);
                let open = match store.find_or_vacant(key) {
                    Ok(entry) => Open::<Set>::entry(entry),
                    Err(place) => Some(Open::new(place, 7, Set::for_member(b"m", 1, &SETS))),
                };
                if let Some(mut set) = open {
                    set.insert(&rng().to_le_bytes(), &SETS);
                }
            }
            70..75 => {
                let store = ks.db_mut(n);
                store.set(store.key(from), SetValue::Bytes(b"text"), Expire::Keep, 0);
            }
            _ => {
                let store = ks.db_mut(n);
                store.put(store.key(from), some_value(&mut rng), expire, 0);
            }
        }
        if now % 50 == 0 {
            ks.stores().for_each(Store::check);
        }
        for db in ks.stores() {
            let all: usize = Type::STORED.iter().map(|of| db.of_type(*of)).sum();
            assert_eq!(all, db.len());
            Type::STORED.iter().for_each(|of| seen[*of as usize] |= db.of_type(*of) > 5);
        }
    }
    assert!(Type::STORED.iter().all(|of| seen[*of as usize]), "each was there: {seen:?}");
}

#[test]
fn a_backlog_is_what_is_past_its_time_and_still_here() {
    let mut rng = rng(78);
    let mut ks = Keyspace::new(2, SEED, 1_000);
    for i in 0..3_000u64 {
        let store = ks.db_mut((i % 2) as usize);
        // Some within a slot's width of the present, some far away.
        let at = 1_000 + (rng() % [100, 5_000, 900_000][i as usize % 3]) as i64;
        store.set(store.key(&i.to_le_bytes()), SetValue::Int(1), Expire::At(at), 0);
    }
    for now in [1_001, 1_050, 1_200, 3_000, 70_000, 400_000, 2_000_000] {
        let past = |db: &Store| db.iter().filter(|e| e.expire_ms() < Some(now)).count();
        let exact: usize = ks.stores().map(past).sum();
        let (expiring, backlog) = ks.expiring(now);
        assert_eq!(expiring, 3_000);
        let off = backlog.abs_diff(exact);
        assert!(off * 10 <= exact, "{backlog} of {exact} at {now}");
    }
    let now = 3_000;
    for n in 0..2 {
        let store = ks.db_mut(n);
        loop {
            match store.next_due(now - 1) {
                crate::keyspace::store::Due::This(entry) => {
                    let name = entry.key().to_vec();
                    store.remove(store.key(&name));
                }
                crate::keyspace::store::Due::Unsorted => {}
                crate::keyspace::store::Due::Nothing => break,
            }
        }
    }
    assert_eq!(ks.expiring(now).1, 0);
}

#[test]
fn a_key_moves_with_its_expiry_and_each_database_tells_of_itself() {
    let env = Env {
        now_ms: 1_000,
        lru_clock: 9,
        db: 0,
        origin: Origin::Client,
        expiry: Expiry::Delete,
        deny_blocking: false,
        touch: true,
        lfu: None,
        random: 0,
    };
    let mut ks = Keyspace::new(2, SEED, 0);
    let store = ks.db_mut(0);
    store.set(store.key(b"k"), SetValue::Int(1), Expire::At(5_000), 3);
    let store = ks.db_mut(1);
    store.set(store.key(b"k"), SetValue::Int(2), Expire::At(999), 3);
    let mut fx = Effects::new(EVENTS, 0);
    let mut across = Across { ks: &mut ks, env: &env, lazyfree: Lazyfree::default() };
    assert!(across.move_key(b"k", 1, &mut fx), "what is past its time is not in the way");
    assert!(!across.move_key(b"k", 1, &mut fx) && fx.db == 0);
    assert!(!across.copy_key(b"none", (1, b"k"), true, &mut fx) && fx.dirty == 1);
    let aside = fx.take_aside().expect("events");
    let told = aside.log.iter().map(|effect| match effect {
        Effect::Event { db, name, .. } => (*db, *name),
        other => panic!("{other:?}"),
    });
    let told: Vec<(u32, &str)> = told.collect();
    let expected = [(1, "expired"), (1, "new"), (0, "move_from"), (1, "move_to"), (0, "keymiss")];
    assert_eq!(told, expected);
    let entry = ks.db(1).find(ks.db(1).key(b"k")).expect("it has moved");
    assert_eq!((entry.expire_ms(), entry.lru(), ks.db(0).len()), (Some(5_000), 9, 0));
}

#[test]
fn when_the_next_entry_of_a_stream_appears_is_known_wherever_it_moves() {
    let mut ks = Keyspace::new(2, SEED, 0);
    let put = |ks: &mut Keyspace, n: usize, at: u64| {
        let store = ks.db_mut(n);
        let key = store.key(b"s");
        let mut stream = match store.find_or_vacant(key) {
            Ok(entry) => Open::entry(entry).expect("a stream"),
            Err(place) => Open::new(place, 0, Stream::default()),
        };
        let was = stream.quiet_until_ms();
        let delayed = stream.delayed.get_or_insert_default();
        delayed.put(Id::new(at, at), &[], &[b"f", b"v"]);
        drop(stream);
        store.find_mut(key).expect("there").delayed(was);
        store.check();
        assert!(ks.settle());
    };
    put(&mut ks, 0, 5000);
    put(&mut ks, 1, 4000);
    assert_eq!((ks.next_deadline_ms(), ks.timed()), (Some(3999), 2));
    assert_eq!((ks.db(0).timed(), ks.db(0).timed_hashes()), (1, 0));
    // As many as before in each database, but others.
    ks.swap(0, 1);
    ks.settle();
    drop(ks.flush(Some(1), 0));
    ks.settle();
    assert_eq!((ks.next_deadline_ms(), ks.timed()), (Some(3999), 1));
    put(&mut ks, 0, 3000);
    assert_eq!((ks.next_deadline_ms(), ks.timed()), (Some(2999), 1));
}
