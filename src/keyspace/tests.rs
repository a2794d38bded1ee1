//! What is known of all databases together, against what they hold.

use super::*;
use crate::ds::wheel::tests::rng;
use crate::keyspace::across::Across;
use crate::keyspace::effects::{EVENTS, Effect, Effects};
use crate::keyspace::env::{Env, Expiry, Origin};
use crate::keyspace::lazyfree::Lazyfree;
use crate::keyspace::store::{Expire, SetValue};

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
