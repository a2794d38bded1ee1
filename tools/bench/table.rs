//! Measures the keyspace's table: bytes a key, and ns for each operation.
//!
//! `cargo run --release --example bench-table -- [--n KEYS]`
//!
//! Keys are `key:` and twelve digits, values the same, as in the server's memory comparison. Bytes
//! are the allocator's own counters. The keys are visited in a scattered order, so that all but the
//! smallest tables are measured out of cache. `x16` columns prefetch a batch of 16, as the server
//! does.

use redust::keyspace::store::{Due, Expire, Key, SetValue, Store};
use redust::util::siphash::Seed;
use std::hint::black_box;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: redust::sys::alloc::Allocator = redust::sys::alloc::Allocator;

const NOW: i64 = 1_900_000_000_000;

fn allocated() -> u64 {
    let plus = jemalloc_ctl::thread::allocatedp::read().map_or(0, |p| p.get());
    let minus = jemalloc_ctl::thread::deallocatedp::read().map_or(0, |p| p.get());
    plus - minus
}

/// Resident bytes of the process.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0u64) * 4096
}

/// `key:000000000123`, without the cost of formatting.
fn text(prefix: &[u8; 4], mut i: u64) -> [u8; 16] {
    let mut out = *b"    000000000000";
    out[..4].copy_from_slice(prefix);
    let mut at = 16;
    while i > 0 {
        at -= 1;
        out[at] = b'0' + (i % 10) as u8;
        i /= 10;
    }
    out
}

/// The numbers below `n`, each once, far from order.
fn scattered(n: u64) -> impl Iterator<Item = u64> {
    let step = (n as f64 * 0.618) as u64 | 1;
    let gcd = |mut a: u64, mut b: u64| {
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let step = (step..).step_by(2).find(|&s| gcd(s, n) == 1).unwrap_or(1);
    let mut at = 0;
    (0..n).map(move |_| {
        at += step;
        if at >= n {
            at -= n;
        }
        at
    })
}

/// Time this thread has spent on a processor: other work on the machine counts less that way.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(stat.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0))
}

fn report(what: &str, n: u64, took: Duration) {
    println!("{what:<34} {:7.1} ns", took.as_nanos() as f64 / n as f64);
}

fn timed(what: &str, n: u64, run: impl FnOnce()) {
    let start = cpu_time();
    run();
    report(what, n, cpu_time() - start);
}

/// Runs `each` on the keys in batches of 16, with their buckets and entries prefetched.
fn batches(
    store: &mut Store,
    n: u64,
    prefix: &[u8; 4],
    mut each: impl FnMut(&mut Store, Key, u64),
) {
    let mut order = scattered(n);
    let mut batch: Vec<([u8; 16], u64, u64)> = Vec::with_capacity(16);
    loop {
        batch.clear();
        batch.extend(order.by_ref().take(16).map(|i| {
            let name = text(prefix, i);
            (name, store.hash(&name), i)
        }));
        if batch.is_empty() {
            return;
        }
        batch.iter().for_each(|(_, hash, _)| store.prefetch_bucket(*hash));
        batch.iter().for_each(|(_, hash, _)| store.prefetch_item(*hash));
        for (name, hash, i) in &batch {
            each(store, Key { bytes: name, hash: *hash }, *i);
        }
    }
}

fn fill(n: u64, expire: bool, int: bool) -> Store {
    let mut store = Store::new(Seed([0x1234_5678, 0x9abc_def0]), 0);
    store.next_due(NOW);
    let mut slowest = Duration::ZERO;
    let (before, rss, start) = (allocated(), resident(), cpu_time());
    let mut mark = Instant::now();
    for i in 0..n {
        let (name, value) = (text(b"key:", i), text(b"val:", i));
        let key = store.key(&name);
        let value = if int { SetValue::Int(i as i64 * 7) } else { SetValue::Bytes(&value) };
        let expire = match expire {
            true => Expire::At(NOW + 100_000_000 + (i as i64 % 5_000) * 1_000),
            false => Expire::None,
        };
        store.set(key, value, expire, 0);
        if i % 64 == 0 {
            let now = Instant::now();
            slowest = slowest.max(now - mark);
            mark = now;
        }
    }
    report(
        &format!("insert{}{}", ["", " ttl"][expire as usize], ["", " int"][int as usize]),
        n,
        cpu_time() - start,
    );
    let (bytes, n_) = (allocated() - before, n as f64);
    println!(
        "  {:.2} bytes a key, {:.2} of it tables; resident {:.2}; slowest 64: {} us of wall time",
        bytes as f64 / n_,
        store.mem_bytes() as f64 / n_,
        resident().saturating_sub(rss) as f64 / n_,
        slowest.as_micros()
    );
    store
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let n = args
        .iter()
        .position(|arg| arg == "--n")
        .and_then(|at| args.get(at + 1)?.parse().ok())
        .unwrap_or(2_000_000u64);
    println!("{n} keys");

    drop(fill(n, false, true));
    let mut store = fill(n, true, false);
    timed("expire: move (another second)", n, || {
        for i in scattered(n) {
            let name = text(b"key:", i);
            store.set_expire(store.key(&name), Some(NOW + 50_000_000 + i as i64));
        }
    });
    timed("expire: fire and remove", n, || {
        let mut now = NOW;
        while store.expires() > 0 {
            now += 100_000;
            loop {
                let entry = match store.next_due(now) {
                    Due::This(entry) => entry,
                    Due::Unsorted => continue,
                    Due::Nothing => break,
                };
                let name: [u8; 16] = entry.key().try_into().expect("16 bytes");
                store.remove(store.key(&name));
            }
        }
    });
    drop(store);

    let mut store = fill(n, false, false);
    timed("get hit", n, || {
        let found = scattered(n).filter(|&i| {
            let name = text(b"key:", i);
            store.find(store.key(&name)).is_some_and(|entry| {
                black_box(entry.value());
                true
            })
        });
        assert_eq!(found.count() as u64, n);
    });
    timed("get miss", n, || {
        let found = scattered(n).filter(|&i| store.find(store.key(&text(b"kex:", i))).is_some());
        assert_eq!(found.count(), 0);
    });
    timed("get hit x16", n, || {
        batches(&mut store, n, b"key:", |store, key, _| {
            black_box(store.find(key).expect("it is there").value());
        });
    });
    timed("get miss x16", n, || {
        batches(&mut store, n, b"kex:", |store, key, _| assert!(store.find(key).is_none()));
    });
    timed("overwrite in place", n, || {
        for i in scattered(n) {
            let (name, value) = (text(b"key:", i), text(b"vol:", i));
            let key = store.key(&name);
            store.set(key, SetValue::Bytes(&value), Expire::None, 0);
        }
    });
    timed("overwrite in place x16", n, || {
        batches(&mut store, n, b"key:", |store, key, i| {
            store.set(key, SetValue::Bytes(&text(b"val:", i)), Expire::None, 0);
        });
    });
    timed("iterate", n, || {
        assert_eq!(store.iter().filter(|entry| entry.key().len() == 16).count() as u64, n);
    });
    timed("scan", n, || {
        let (mut cursor, mut seen) = (0, 0);
        loop {
            cursor = store.scan(cursor, |entry| seen += u64::from(entry.key().len() == 16));
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(seen, n);
    });
    let mut state = 1u64;
    timed("random", 1_000_000, || {
        for _ in 0..1_000_000 {
            let word = || {
                state =
                    state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
                state ^ state >> 32
            };
            black_box(store.random(word));
        }
    });
    let stats = store.stats();
    println!(
        "{} buckets, {} + {} overflow nodes, at most {} items and {} overflow nodes in a chain",
        stats.buckets, stats.overflow_full, stats.overflow_half, stats.max_items, stats.max_depth
    );
    timed("remove", n, || {
        for i in scattered(n) {
            let name = text(b"key:", i);
            assert!(store.remove(store.key(&name)).is_some());
        }
    });
    println!("{} bytes of tables left", store.mem_bytes());
    timed("insert x16", n, || {
        batches(&mut store, n, b"key:", |store, key, i| {
            store.set(key, SetValue::Bytes(&text(b"val:", i)), Expire::None, 0);
        });
    });
    timed("remove x16", n, || {
        batches(&mut store, n, b"key:", |store, key, _| drop(store.remove(key)));
    });
}
