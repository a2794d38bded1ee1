//! What comes through in each version, and what is refused.

use super::*;
use crate::persist::rdb::testing::*;
use std::path::PathBuf;

/// A directory of its own.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Dir {
        let name = format!("redust-convert-{name}-{}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir).expect("a directory");
        Dir(dir)
    }

    /// The new file, or why there is none, and what was told.
    fn convert(&self, bytes: &[u8], version: u32) -> (Result<Vec<u8>, Fault>, Vec<String>) {
        let (old, new) = (self.0.join("old"), self.0.join("new"));
        std::fs::write(&old, bytes).expect("written");
        let mut told = Vec::new();
        let done = file(&old, &new, version, &mut |line| told.push(line.to_owned()));
        let made = done.map(|_| {
            let made = std::fs::read(&new).expect("it is there");
            std::fs::remove_file(&new).expect("removed");
            made
        });
        std::fs::remove_file(&old).expect("removed");
        assert_eq!(std::fs::read_dir(&self.0).expect("a directory").count(), 0);
        (made, told)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn sound(file: &[u8], version: u32) -> String {
    assert!(file.starts_with(save::magic(version).as_bytes()));
    let mut report = Vec::new();
    let sound = super::super::check::check(file, "new", NOW_MS, &mut report).expect("memory");
    let report = String::from_utf8(report).expect("text");
    assert!(sound && report.contains("Checksum OK"), "{report}");
    report
}

#[test]
fn every_version_holds_the_same() {
    let dir = Dir::new("same");
    let mut random = Random::new(0xc0);
    for _ in 0..4 {
        let ks = random.keyspace(300);
        for old in [10, 12, 80] {
            let opts = save::SaveOptions { version: old, ..save_options() };
            let file = saved(&ks, &opts);
            for new in [9, 10, 11, 12, 80] {
                let (made, told) = dir.convert(&file, new);
                let made = made.expect("sound");
                assert!(told.is_empty(), "{told:?}");
                sound(&made, new);
                assert_eq!(contents(&loaded(&made).expect("sound").0), contents(&ks));
            }
        }
    }
}

/// Two fields of a hash, one of which expires, as Redis 7.4 writes it.
const TIMED: &[u8] = b"\x18\x01h\x05\0\0\0\0\0\0\0\x02\x01\x01f\x01v\x00\x01g\x01w";

fn of_version(magic: &str, body: &[u8]) -> Vec<u8> {
    [magic.as_bytes(), body, b"\xff\0\0\0\0\0\0\0\0"].concat()
}

#[test]
fn facts_go_along() {
    let dir = Dir::new("facts");
    let body = b"\xfa\x03abc\x03xyz\xf5\x0f#!lua name=ab\n1\xf4\x01\x02\x03\xfe\x11\xfb\x02\x01\
                 \xfd\x10\0\0\0\xf8\x40\x50\0\x01a\x01x\xf9\x07\xfc\x01\0\0\0\0\0\0\0\0\x01b\x01y";
    let (made, told) = dir.convert(&of_version("REDIS0009", body), 10);
    assert!(told.is_empty());
    let made = made.expect("sound");
    let report = sound(&made, 10);
    for line in ["AUX FIELD abc = 'xyz'", "Selecting DB ID 17", "[info] 1 function libraries"] {
        assert!(report.contains(line), "{line} in\n{report}");
    }
    // Times in seconds become milliseconds; the hint about slots is gone.
    let keys = b"\xfe\x11\xfb\x02\x01\xfc\x80\x3e\0\0\0\0\0\0\xf8\x40\x50\0\x01a\x01x\
                 \xfc\x01\0\0\0\0\0\0\0\xf9\x07\0\x01b\x01y\xff";
    assert!(memchr::memmem::find(&made, keys).is_some(), "{}", made.escape_ascii());
}

/// The bytes of a stream with one group, whose consumer was active at time `active`.
fn stream(active: &[u8]) -> Vec<u8> {
    let head = b"\0\0\x05\x01\0\0\0\0\x01\x01\x01g\x05\x01\0\0\x01\x01c".as_slice();
    [head, &9u64.to_le_bytes(), active, b"\0"].concat()
}

#[test]
fn streams_and_modules_are_kept() {
    let dir = Dir::new("copied");
    let module = b"\x07\x01m\x81\0\0\0\0\0\0\x04\x05\x02\x01\x05\x03abc\0";
    let aux = b"\xf7\x81\0\0\0\0\0\0\x04\x05\x02\x01\x05\x03abc\0";
    let newest = [b"\x15\x01s".as_slice(), &stream(&8u64.to_le_bytes())].concat();
    let before = [b"\x13\x01s".as_slice(), &stream(b"")].concat();
    let file = |stream: &[u8]| of_version("REDIS0011", &[aux, stream, module].concat());
    let body = |made: Vec<u8>| made[9..made.len() - 8].to_vec();
    for version in [11, 12, 80] {
        let (made, _) = dir.convert(&file(&newest), version);
        let made = body(made.expect("sound"));
        assert_eq!(made, body(file(&newest)));
    }
    // Version 10 has no active times.
    for old in [&newest, &before] {
        let (made, _) = dir.convert(&file(old), 10);
        let made = body(made.expect("sound"));
        assert_eq!(made, body(file(&before)));
    }
    // What no server would load is not passed on: an ID without bytes, a length that is wrong.
    for (at, wrong, what) in [(3, 1, "Stream"), (4, 1, "Stream length inconsistent")] {
        let mut bad = newest.clone();
        bad[at] = wrong;
        let (made, _) = dir.convert(&file(&bad), 11);
        let text = made.expect_err("refused").to_string();
        assert!(text.contains(what), "{text}");
    }
}

#[test]
fn functions_are_refused_where_there_were_none() {
    let dir = Dir::new("functions");
    let file = of_version("REDIS0010", b"\xf5\x0f#!lua name=ab\n1\xfe\0\0\x01k\x01v");
    let (made, told) = dir.convert(&file, 9);
    assert!(matches!(made, Err(Fault::Libraries(1))));
    assert_eq!(told, ["Library ab of functions can't be held by version 9"]);
}

#[test]
fn keys_that_cannot_be_held_are_all_told_of() {
    let dir = Dir::new("held");
    let body = [b"\xfe\x02".as_slice(), TIMED, b"\0\x01k\x01v", TIMED, b"\x02\x01e\0"].concat();
    let file = of_version("REDIS0012", &body);
    for version in [10, 11] {
        let (made, told) = dir.convert(&file, version);
        assert!(matches!(made, Err(Fault::Keys(2))));
        let line = format!(
            "Key 'h' of database 2 has fields that expire, which version {version} can't hold (12 \
             and 80 can)"
        );
        let empty = "Key 'e' of database 2 is empty and left out".to_owned();
        assert_eq!(told, [line.clone(), line, empty]);
    }
    let (made, told) = dir.convert(&of_version("REDIS0012", TIMED), 80);
    assert!(told.is_empty());
    let valkey = b"VALKEY080\x16\x01h\x02\x01f\x01v\x05\0\0\0\0\0\0\0\x01g\x01w\xff\xff\xff\xff\
                   \xff\xff\xff\xff\xff";
    let made = made.expect("sound");
    assert!(made.starts_with(valkey), "{}", made.escape_ascii());
    // And back.
    let (back, _) = dir.convert(&made, 12);
    sound(&back.expect("sound"), 12);
}

#[test]
fn what_is_wrong_leaves_nothing() {
    let dir = Dir::new("wrong");
    let sound = of_version("REDIS0011", b"\0\x01k\x01v");
    let says = |file: &[u8], what: &str| {
        let (made, _) = dir.convert(file, 11);
        let text = made.expect_err("refused").to_string();
        assert!(text.contains(what), "{what:?} in {text:?}");
    };
    says(b"REDIS0015\xff", "Can't handle RDB format version 15: only 1 to 14 of Redis and 80");
    says(b"VALKEY081\xff", "Can't handle RDB format version 81: only 1 to 14 of Redis and 80");
    says(b"RODIS0011\xff", "Wrong signature");
    says(&of_version("REDIS0011", b"\x64\x01k"), "Invalid object type at offset 9 (a file of v");
    says(&of_version("REDIS0011", b"\x02\x01k\x02\x01a\x01a"), "Duplicate set members detected");
    for cut in 0..sound.len() {
        says(&sound[..cut], "");
    }
    says(&[&sound, &b"*1\r\n"[..]].concat(), "Something follows the snapshot at offset 23");
    let mut flipped = sound.clone();
    *flipped.last_mut().expect("a byte") = 1;
    says(&flipped, "RDB CRC error");
}

#[test]
fn arguments() {
    let dir = Dir::new("arguments");
    let path = |name: &str| dir.0.join(name).into_os_string();
    std::fs::write(path("old"), of_version("REDIS0012", TIMED)).expect("written");
    let tool = |args: &[&str]| {
        let args = args.iter().map(|a| if a.len() == 3 { path(a) } else { a.into() });
        super::super::check::run(
            &std::iter::once("--convert".into()).chain(args).collect::<Vec<_>>(),
        )
    };
    for version in ["9", "15", "79", "81", "x", "-1"] {
        assert_eq!(tool(&[version, "old", "new"]), 1);
    }
    assert_eq!(tool(&["12"]), 1);
    assert_eq!(tool(&["12", "old"]), 1);
    assert_eq!(tool(&["12", "non", "new"]), 1);
    assert_eq!(tool(&["11", "old", "new"]), 1);
    assert!(!dir.0.join("new").exists());
    assert_eq!(tool(&["12", "old", "new"]), 0);
    // Over itself as well.
    assert_eq!(tool(&["80", "new", "new"]), 0);
    assert!(std::fs::read(path("new")).expect("there").starts_with(b"VALKEY080"));
}
