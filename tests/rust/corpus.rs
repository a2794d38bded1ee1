//! The seeds of the fuzz targets, replayed: each file of `tests/data/fuzz/<target>/` as it is, then
//! some thousand inputs mutated from them. A fuzz function panics when a promise is broken, so
//! calling it is the test.
//!
//! A file that the fuzzer found belongs into that folder, under a name that says what was wrong.
//! The mutations differ from run to run; the seed is printed, and
//! `REDUST_SEED=n cargo test --test redust corpus` repeats them.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::rng::{self, Rng};

/// Mutations stop here, or after `PATIENCE` on a slow machine.
const INPUTS: usize = 4000;
const PATIENCE: Duration = Duration::from_secs(20);
const LONGEST: usize = 64 << 10;

#[test]
fn corpus_resp() {
    replay("resp", redust::resp::parser::fuzz);
}

#[test]
fn corpus_http() {
    replay("http", redust::net::http::fuzz);
}

#[test]
fn corpus_tls() {
    replay("tls", redust::net::tls::fuzz::fuzz);
}

#[test]
fn corpus_config() {
    replay("config", redust::config::file::fuzz);
}

#[test]
fn corpus_rdb() {
    replay("rdb", redust::persist::fuzz::fuzz);
}

#[test]
fn corpus_aof() {
    replay("aof", redust::persist::aof::fuzz::commands);
}

#[test]
fn corpus_manifest() {
    replay("manifest", redust::persist::aof::fuzz::manifest);
}

#[test]
fn corpus_check_aof() {
    replay("check_aof", redust::persist::aof::fuzz::tool);
}

#[test]
fn corpus_cjson() {
    replay("cjson", redust::script::fuzz::json);
}

#[test]
fn corpus_cmsgpack() {
    replay("cmsgpack", redust::script::fuzz::msgpack);
}

#[test]
fn corpus_struct() {
    replay("struct", redust::script::fuzz::structs);
}

#[test]
fn corpus_script() {
    replay("script", redust::script::fuzz::text);
}

#[test]
fn corpus_libraries() {
    replay("libraries", redust::server::fuzz_libraries);
}

#[test]
fn sentinel_seeds_and_their_mutants_leave_a_file_that_is_read_again() {
    replay("sentinel", redust::sentinel::fuzz);
}

#[test]
fn corpus_streams() {
    replay("streams", redust::server::fuzz_streams);
}

#[test]
fn corpus_acl_rules() {
    replay("acl_rules", redust::acl::fuzz::rules);
}

#[test]
fn corpus_acl_file() {
    replay("acl_file", redust::acl::fuzz::file);
}

#[test]
fn corpus_link() {
    replay("link", redust::server::fuzz_link);
}

fn replay(target: &str, fuzz: fn(&[u8])) {
    let root = std::env::var_os("CARGO_MANIFEST_DIR");
    let root = root.map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), std::path::PathBuf::from);
    let seeds = files(&root.join("tests/data/fuzz").join(target));
    assert!(!seeds.is_empty(), "no seeds for {target}");
    for (name, bytes) in &seeds {
        judge(fuzz, bytes, || format!("tests/data/fuzz/{target}/{name}"));
    }

    let seed = rng::seed();
    println!("corpus: {target}: REDUST_SEED={seed}");
    let mut rng = Rng::new(seed);
    let end = Instant::now() + PATIENCE;
    for number in 0..INPUTS {
        let mut input = seeds[rng.below(seeds.len())].1.clone();
        for _ in 0..=rng.below(4) {
            let other = &seeds[rng.below(seeds.len())].1;
            mutate(&mut input, other, &mut rng);
        }
        judge(fuzz, &input, || format!("{target}: input {number} of REDUST_SEED={seed}"));
        if Instant::now() > end {
            break;
        }
    }
}

/// Runs one input, and says which it was when it fails.
fn judge(fuzz: fn(&[u8]), input: &[u8], name: impl Fn() -> String) {
    if catch_unwind(AssertUnwindSafe(|| fuzz(input))).is_err() {
        panic!("{} fails: \"{}\"", name(), input.escape_ascii());
    }
}

/// Names and contents, in order of the names: the choice of a seed must not depend on the file
/// system.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut found: Vec<(String, Vec<u8>)> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .map(|path| {
            let name = path.file_name().expect("an entry has a name").to_string_lossy();
            (name.into_owned(), fs::read(&path).expect("a readable seed"))
        })
        .collect();
    found.sort();
    found
}

/// One change: a bit, a byte, a piece removed, doubled or taken from another seed, a number made
/// extreme.
fn mutate(input: &mut Vec<u8>, other: &[u8], rng: &mut Rng) {
    let at = rng.below(input.len() + 1);
    let to = at + rng.below((input.len() - at).min(32) + 1);
    match rng.below(8) {
        0 if at < input.len() => input[at] ^= 1 << rng.below(8),
        1 if at < input.len() => input[at] = rng.below(256) as u8,
        2 => input.insert(at, b"\r\n\"'\\$*- \0\xff0"[rng.below(12)]),
        3 => drop(input.drain(at..to)),
        4 => input.truncate(at),
        5 => {
            let piece = input[at..to].to_vec();
            input.splice(at..at, piece);
        }
        6 => {
            let from = rng.below(other.len() + 1);
            let piece = &other[from..(from + rng.below(64)).min(other.len())];
            input.splice(at..to, piece.iter().copied());
        }
        _ => {
            const NUMBERS: [&[u8]; 8] = [
                b"-1",
                b"0",
                b"65536",
                b"4294967296",
                b"9223372036854775807",
                b"-9223372036854775808",
                b"18446744073709551616",
                b"1e400",
            ];
            let Some(first) = input[at..].iter().position(u8::is_ascii_digit) else { return };
            let first = at + first;
            let digits = input[first..].iter().take_while(|b| b.is_ascii_digit()).count();
            input.splice(first..first + digits, NUMBERS[rng.below(8)].iter().copied());
        }
    }
    input.truncate(LONGEST);
}
