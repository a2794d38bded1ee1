//! What is said of sound files and of broken ones.

use super::*;
use crate::persist::rdb::testing::*;

fn checked(file: &[u8]) -> (bool, String) {
    let mut out = Vec::new();
    let sound = check(file, "some.rdb", NOW_MS, &mut out).expect("memory takes every write");
    (sound, String::from_utf8(out).expect("text"))
}

#[test]
fn a_sound_file() {
    let mut ks = empty();
    set(&mut ks, 0, b"a", b"1", None);
    set(&mut ks, 0, b"b", &[b'x'; 100], Some(NOW_MS - 1));
    set(&mut ks, 7, b"c", b"text", Some(NOW_MS));
    let mut opts = save_options();
    opts.libraries.push(library(b"#!lua name=x\n".to_vec()));
    let (sound, text) = checked(&saved(&ks, &opts));
    assert!(sound, "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "[offset 0] Checking RDB file some.rdb");
    assert_eq!(lines[1], "[offset 26] AUX FIELD redis-ver = '7.2.6'");
    for line in [
        "Selecting DB ID 0",
        "Selecting DB ID 7",
        "Checksum OK",
        "\\o/ RDB looks OK! \\o/",
        "[info] 3 keys read",
        "[info] 2 expires",
        "[info] 1 already expired",
        "[info] 1 function libraries",
        "[info] 3 of type string (compressed 1, integer 1, plain 1)",
    ] {
        assert!(lines.iter().any(|l| l.ends_with(line)), "{line:?} in\n{text}");
    }
}

#[test]
fn broken_files_say_where_and_at_which_key() {
    let mut ks = empty();
    set(&mut ks, 0, b"the\nkey", b"some text", None);
    let file = saved(&ks, &save_options());
    let cut = &file[..file.len() - 12];
    let (sound, text) = checked(cut);
    assert!(!sound);
    for line in [
        "--- RDB ERROR DETECTED ---".to_string(),
        format!("Unexpected EOF reading RDB file at offset {}", cut.len()),
        "[additional info] While doing: read-object-value".to_string(),
        "[additional info] Reading key 'the\\nkey'".to_string(),
        "[additional info] Reading type 0 (string)".to_string(),
        "[info] 1 keys read".to_string(),
    ] {
        assert!(text.lines().any(|l| l.ends_with(&line)), "{line:?} in\n{text}");
    }
    let says = |file: &[u8], what: &str| {
        let (sound, text) = checked(file);
        assert!(!sound && text.contains(what), "{what:?} in\n{text}");
    };
    says(b"HELLO0011", "Wrong signature trying to load DB from file");
    says(b"REDIS0099\xff", "Can't handle RDB format version 99");
    says(b"REDIS0000\xff", "Can't handle RDB format version 0");
    says(b"REDIS00", "Unexpected EOF");
    says(b"REDIS0011\x64\x01k", "Invalid object type at offset 9");
    says(b"REDIS0011\x14\x01k\x05abcde\xff", "Set listpack integrity check failed");
    let mut flipped = file.clone();
    let at = memchr::memmem::find(&file, b"some text").expect("it is there");
    flipped[at] ^= 1;
    says(&flipped, "RDB CRC error");
}

/// Values that can be read to their ends, but are refused by the server all the same.
#[test]
fn what_the_server_refuses_is_refused() {
    let file =
        |body: &[u8]| [b"REDIS0012\xfe\0".as_slice(), body, b"\xff\0\0\0\0\0\0\0\0"].concat();
    for (value, what) in [
        (b"\x02\x01k\x02\x01a\x01a".as_slice(), "Duplicate set members"),
        (b"\x04\x01k\x02\x01a\x01x\x01a\x01y", "Duplicate hash fields"),
        (b"\x05\x01k\x02\x01a\0\0\0\0\0\0\0\0\x01a\0\0\0\0\0\0\0\0", "Duplicate zset"),
        (
            b"\x10\x01k\x0f\x0f\0\0\0\x04\0\x01\x01\x02\x01\x01\x01\x02\x01\xff",
            "Hash listpack integrity",
        ),
        (b"\xf5\x03xyz", "Missing library metadata"),
    ] {
        let (sound, text) = checked(&file(value));
        assert!(!sound && text.contains(what), "{what:?} in\n{text}");
        assert!(loaded(&file(value)).is_err(), "{what}");
    }
    // And what it passes over is told of.
    let (sound, text) = checked(&file(b"\x02\x01k\x00\x00\x01j\x01v"));
    assert!(sound && text.contains("[info] 1 empty keys, which are not loaded"), "{text}");
    assert_eq!(loaded(&file(b"\x02\x01k\x00\x00\x01j\x01v")).expect("sound").1.empty, 1);
}

#[test]
fn exit_codes() {
    let dir = std::env::temp_dir().join(format!("redust-check-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a directory");
    let (good, bad) = (dir.join("good.rdb"), dir.join("bad.rdb"));
    let file = saved(&empty(), &save_options());
    std::fs::write(&good, &file).expect("written");
    std::fs::write(&bad, &file[..file.len() - 1]).expect("written");
    let arg = |path: &std::path::Path| path.as_os_str().to_owned();
    assert_eq!(run(&[arg(&good)]), 0);
    assert_eq!(run(&[arg(&bad)]), 1);
    assert_eq!(run(&[arg(&good), arg(&bad), arg(&good)]), 1);
    assert_eq!(run(&[arg(&dir.join("none.rdb"))]), 1);
    assert_eq!(run(&[]), 1);
    assert_eq!(run(&["--version".into()]), 0);
    std::fs::remove_dir_all(&dir).expect("removed");
}

/// The keys of each type that the text beside a golden file says it has.
fn described(text: &str) -> BTreeMap<&str, u64> {
    let mut types = BTreeMap::new();
    for line in text.lines().filter(|line| line.contains("' ")) {
        let (_, rest) = line.rsplit_once("' ").expect("a key in quotes");
        *types.entry(rest.split(' ').next().expect("a type")).or_default() += 1;
    }
    types
}

#[test]
fn golden_files_of_four_servers() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/golden");
    for name in ["redis-7.0.15", "redis-7.2.6", "redis-8.0.6", "valkey-9.1.2"] {
        let file = std::fs::read(dir.join(format!("{name}.rdb"))).expect("the golden file");
        let text = std::fs::read_to_string(dir.join(format!("{name}.txt"))).expect("its text");
        let (sound, report) = checked(&file);
        assert!(sound && report.contains("Checksum OK"), "{name}:\n{report}");
        assert!(report.contains("[info] 1 function libraries"), "{name}:\n{report}");
        let expected = described(&text);
        let total: u64 = expected.values().sum();
        assert!(total >= 33 && report.contains(&format!("[info] {total} keys read")), "{report}");
        for (of, n) in expected {
            assert!(report.contains(&format!("[info] {n} of type {of} (")), "{name}:\n{report}");
        }
    }
}
