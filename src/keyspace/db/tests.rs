//! What storing and looking up do to access data, statistics and keys past their time.

use super::*;
use crate::keyspace::effects::{EVENTS, Effect, READY, STREAM, TOUCHED};
use crate::keyspace::env::{Expiry, Lfu, Origin};
use crate::util::siphash::Seed;
use crate::value::hash::{HashLimits, Time};

fn env(lfu: bool) -> Env {
    Env {
        now_ms: 1_000_000,
        lru_clock: 700,
        db: 0,
        origin: Origin::Client,
        expiry: Expiry::Delete,
        deny_blocking: false,
        touch: true,
        lfu: lfu.then_some(Lfu { log_factor: 0, decay_minutes: 0 }),
        random: 1,
    }
}

/// A database with a key `k`, used 20 times or at 100, and one `due` that is past its time.
fn filled(env: &Env) -> Store {
    let mut store = Store::new(Seed([1, 2]), 0);
    let access = if env.lfu.is_some() { 20 } else { 100 };
    store.set(store.key(b"k"), SetValue::Int(1), Expire::None, access);
    store.set(store.key(b"due"), SetValue::Int(1), Expire::At(env.now_ms - 1), access);
    store
}

fn lru(store: &Store, key: &[u8]) -> u32 {
    store.find(store.key(key)).expect("it is there").lru()
}

#[test]
fn a_new_value_keeps_the_access_data_and_one_command_counts_once() {
    let set = |db: &mut DbMut<'_>, key: &[u8], fx: &mut Effects| {
        db.set(key, SetValue::Int(2), Expire::None, fx);
    };
    let touch_and_set = |db: &mut DbMut<'_>, key: &[u8], fx: &mut Effects| {
        db.touch(key, fx);
        db.set_touched(key, SetValue::Int(2), Expire::None, fx);
    };
    let set_touched = |db: &mut DbMut<'_>, key: &[u8], fx: &mut Effects| {
        db.set_touched(key, SetValue::Int(2), Expire::None, fx);
    };
    let find = |db: &mut DbMut<'_>, key: &[u8], fx: &mut Effects| {
        db.find(key, fx);
        db.count(key, fx);
        db.peek(key);
    };
    type Act = fn(&mut DbMut<'_>, &[u8], &mut Effects);
    let cases: [(Act, u32, u32); 4] =
        [(set, 21, 700), (touch_and_set, 21, 700), (set_touched, 20, 100), (find, 20, 100)];
    for (n, (act, counter, time)) in cases.into_iter().enumerate() {
        for lfu in [true, false] {
            let mut env = env(lfu);
            let mut store = filled(&env);
            act(
                &mut DbMut::new(&mut store, &env, None, Lazyfree::default()),
                b"k",
                &mut Effects::new(0, 0),
            );
            let expected = if lfu { counter } else { time };
            assert_eq!(lru(&store, b"k") & if lfu { 0xff } else { !0 }, expected, "case {n}");
            // While a child saves, and for clients that ask for it, nothing is marked, and nothing
            // forgotten.
            env.touch = false;
            let mut store = filled(&env);
            act(
                &mut DbMut::new(&mut store, &env, None, Lazyfree::default()),
                b"k",
                &mut Effects::new(0, 0),
            );
            assert_eq!(lru(&store, b"k"), if lfu { 20 } else { 100 }, "case {n}, no touch");
        }
    }
}

#[test]
fn whatever_stores_over_a_key_past_its_time_expires_it_first() {
    const LIMITS: HashLimits =
        HashLimits { listpack_entries: 9, listpack_value: 9, seed: Seed([1, 2]) };
    type Act = fn(&mut DbMut<'_>, &mut Effects);
    let acts: [Act; 5] = [
        |db, fx| db.set(b"due", SetValue::Int(2), Expire::None, fx),
        |db, fx| db.set_touched(b"due", SetValue::Int(2), Expire::Keep, fx),
        |db, fx| db.add(b"due", Value::Int(2), None, None, fx),
        |db, fx| {
            let mut hash = db.touch_or_new(b"due", fx, Hash::default).expect("a new one");
            hash.insert(b"f", b"v", Time::Never, &LIMITS);
        },
        |db, fx| {
            let mut hash = db.find_or_new(b"due", fx, Hash::default).expect("a new one");
            hash.insert(b"f", b"v", Time::Never, &LIMITS);
        },
    ];
    for (n, act) in acts.into_iter().enumerate() {
        let env = env(true);
        for armed in [0, EVENTS | TOUCHED | STREAM | READY] {
            let mut store = filled(&env);
            let mut fx = Effects::new(armed, 0);
            act(
                &mut DbMut::new(
                    &mut store,
                    &env,
                    None,
                    Lazyfree { expire: true, ..Lazyfree::default() },
                ),
                &mut fx,
            );
            store.check();
            assert_eq!(fx.counters.expired, 1, "case {n}: it counts, whoever listens");
            assert_eq!(
                (lru(&store, b"due") & 0xff, store.expires()),
                (5, 0),
                "case {n}: a new key"
            );
            if armed == 0 {
                assert!(fx.take_aside().is_none());
                continue;
            }
            let aside = fx.take_aside().expect("something to tell");
            let words: Vec<&[u8]> = aside.ops[0].argv.iter().map(Vec::as_slice).collect();
            assert_eq!((aside.ops.len(), &words[..]), (1, &[&b"UNLINK"[..], b"due"][..]));
            let told: Vec<&str> = aside
                .log
                .iter()
                .map(|effect| match effect {
                    Effect::Event { name, .. } => name,
                    Effect::Modified { own, .. } => ["lapsed", "modified"][usize::from(*own)],
                    Effect::Ready { .. } => "ready",
                })
                .collect();
            assert_eq!(told, ["expired", "lapsed", "ready", "new"], "case {n}");
        }
    }
}

#[test]
fn a_lookup_deletes_hides_or_shows_a_key_past_its_time() {
    for (expiry, seen, left) in
        [(Expiry::Delete, false, 1), (Expiry::Hide, false, 2), (Expiry::Ignore, true, 2)]
    {
        let env = Env { expiry, ..env(false) };
        let mut store = filled(&env);
        let mut fx = Effects::new(0, 0);
        let mut db = DbMut::new(&mut store, &env, None, Lazyfree::default());
        assert_eq!(db.peek(b"due").is_some(), seen);
        assert_eq!(db.len(), 2, "a peek leaves everything as it is");
        assert_eq!(db.touch(b"due", &mut fx).is_some(), seen);
        assert_eq!((db.len(), fx.counters.hits, fx.counters.misses), (left, 0, 0));
        assert_eq!(db.read(b"due", &mut fx).is_some(), seen);
        assert_eq!(db.count(b"due", &mut fx).is_some(), seen);
        assert_eq!(fx.counters.hits + fx.counters.misses, 2);
        // DEL of one that has gone already counts nothing; a plain deletion takes what is there.
        let due = Key { bytes: b"due", hash: store.hash(b"due") };
        let mut db = DbMut::new(&mut store, &env, None, Lazyfree::default());
        assert_eq!(db.delete_live_at(due, Why::Del, &mut fx), seen);
        assert_eq!(db.delete(b"due", Why::Del, &mut fx), expiry == Expiry::Hide);
        assert_eq!(store.len(), 1);
    }
}
