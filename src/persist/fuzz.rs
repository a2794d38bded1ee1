//! One entry for a fuzzer: reading any bytes ends, without a panic and in little memory.

use super::check;
use super::dump;
use super::rdb::load::{LoadOptions, Pace, load};
use super::rdb::read::Reader;
use super::rdb::save::{Access, SaveOptions, save};
use super::rdb::skip;
use super::rdb::types::{Dialect, ValueKind};
use crate::keyspace::Keyspace;
use crate::keyspace::limits::Limits;
use crate::util::lzf;
use crate::util::siphash::Seed;

/// Reads `data` as all that it could be: a file to load and to check, a payload to restore, a value
/// of the kind its first byte says, a compressed string. What loads must save and load again to the
/// same.
///
/// Panics if a property of the readers does not hold.
pub fn fuzz(data: &[u8]) {
    let opts = LoadOptions {
        verify_checksum: false,
        now_ms: 1_900_000_000_000,
        drop_expired: data.len().is_multiple_of(2),
        events_interval_bytes: 64,
        fresh_access: 0,
        lru_clock: 0,
        lfu: false,
        replace: true,
        any_version: false,
        live: false,
        input_bytes: data.len().is_multiple_of(3).then_some(data.len() as u64),
        limits: Limits::default(),
    };
    let pace = Pace { events_interval_bytes: 64, ..Pace::default() };
    let read = |file: &[u8], ks: &mut Keyspace| load(file, &opts, ks, &mut |_| pace, &mut |_| {});
    let mut ks = Keyspace::new(16, Seed([1, 2]), 0);
    let loads = read(data, &mut ks).is_ok();
    // A bucket holds seven keys; a key takes three bytes of the file at least.
    let memory: usize = ks.stores().map(|db| db.mem_bytes()).sum();
    assert!(memory <= (1 << 20) + data.len() * 64, "{memory} bytes for {}", data.len());
    let mut report = Vec::new();
    let sound = check::check(data, "data", 0, &mut report).expect("memory takes every write");
    // What the checker finds good, the loader must take, unless it can't hold it.
    assert!(!sound || loads || !can_be_held(&report), "{}", String::from_utf8_lossy(&report));
    if loads {
        let mut file = Vec::new();
        let summary =
            save(&ks, &mut file, &plain(), &mut |_| {}).expect("memory takes every write");
        let mut again = Keyspace::new(16, Seed([3, 4]), 0);
        let back = load(
            file.as_slice(),
            &LoadOptions { drop_expired: false, ..opts.clone() },
            &mut again,
            &mut |_| pace,
            &mut |_| {},
        );
        assert_eq!(back.expect("our own file").keys, summary.keys);
        assert_eq!(again.len(), ks.len());
    }
    let _ = dump::restore(data, false, &opts.limits);
    let _ = dump::restore(data, true, &opts.limits);
    if let Some((&code, body)) = data.split_first() {
        for dialect in [Dialect::Redis, Dialect::Valkey] {
            if let Some(kind) = ValueKind::of(code, dialect) {
                let _ = skip::value(&mut Reader::new(body, 64, false), kind);
            }
        }
        let mut out = Vec::new();
        if !lzf::decompress(body, usize::from(code) * 16, &mut out) {
            assert!(out.len() <= usize::from(code) * 16);
        }
    }
}

/// Whether the report of the checker on a sound file speaks of nothing that the loader can't hold.
fn can_be_held(report: &[u8]) -> bool {
    let text = String::from_utf8_lossy(report);
    let after = |mark| text.lines().filter_map(move |line| line.split_once(mark).map(|l| l.1));
    after("MODULE AUX for: ").next().is_none()
        && !after(" of type ").any(|of| of.starts_with("module "))
        && after("Selecting DB ID ").all(|n| n.parse::<usize>().is_ok_and(|n| n < 16))
}

fn plain() -> SaveOptions {
    SaveOptions {
        compression: true,
        checksum: true,
        version: 0,
        key_delay_us: 0,
        access: Access::None,
        lru_clock: 0,
        used_memory: 0,
        now_secs: 0,
        redis_version: String::new(),
        aux: Vec::new(),
        libraries: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::persist::rdb::testing::*;

    /// Damages of several kinds, as a fuzzer would make them, of files and payloads worth damaging.
    #[test]
    fn damaged_files_and_payloads() {
        let mut random = Random::new(0xf022);
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/golden");
        let mut seeds: Vec<Vec<u8>> = ["redis-7.2.6", "redis-8.0.6", "valkey-9.1.2"]
            .iter()
            .map(|name| std::fs::read(dir.join(format!("{name}.rdb"))).expect("the golden file"))
            .collect();
        seeds.push(saved(&random.keyspace(30), &plain()));
        seeds.push(saved(&random.keyspace(5), &save_options()));
        seeds.push(
            b"REDIS0011\xfe\x00\xfb\x81\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x01k\x01v".to_vec(),
        );
        for round in 0..4000 {
            let mut data = seeds[random.below(seeds.len())].clone();
            for _ in 0..random.below(6) {
                let at = random.below(data.len());
                match random.below(5) {
                    0 => data.truncate(at.max(1)),
                    1 => data[at] = [0x80, 0x81, 0xff, 0xc3, 0xfe, 0xfb][random.below(6)],
                    2 => drop(data.remove(at)),
                    3 => data.insert(at, random.word() as u8),
                    _ => data[at] = random.word() as u8,
                }
                if data.is_empty() {
                    data.push(0);
                }
            }
            // Values without the file around them, from anywhere in it.
            let from = if round % 3 == 0 { random.below(data.len()) } else { 0 };
            fuzz(&data[from..]);
        }
        fuzz(b"");
    }
}
