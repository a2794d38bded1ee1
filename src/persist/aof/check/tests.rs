//! What is said of files, sound and broken ones, and what is cut off.

use super::*;
use crate::persist::rdb::testing::{empty, save_options, saved, set};
use std::path::PathBuf;

/// Files in a directory of their own.
struct Files(PathBuf);

impl Files {
    fn new(name: &str) -> Files {
        let dir = std::env::temp_dir().join(format!("redust-aof-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a directory");
        Files(dir)
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.0.join(name), bytes).expect("written");
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.join(name)).expect("it is there")
    }

    /// The exit code and the output, without the directory's name.
    fn check(&self, name: &str, mode: Mode, answer: &str) -> (i32, String) {
        let mut out = Vec::new();
        let path = self.0.join(name);
        let code = check(path.as_os_str(), mode, &mut answer.as_bytes(), &mut out);
        let text = String::from_utf8(out).expect("text");
        (code, text.replace(&format!("{}/", self.0.display()), ""))
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const SET: &[u8] = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n";
const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
const EXEC: &[u8] = b"*1\r\n$4\r\nexec\r\n";

#[test]
fn one_file() {
    let files = Files::new("one");
    let all = [SET, MULTI, SET, EXEC, b"#TS:5\r\n", SET].concat();
    files.put("a", &all);
    let analyzed = format!(
        "AOF analyzed: filename=a, size={0}, ok_up_to={0}, ok_up_to_line=28, diff=0\n",
        all.len()
    );
    let start = "Start checking Old-Style AOF\n";
    let expected = (0, format!("{start}{analyzed}AOF a is valid\n"));
    assert_eq!(files.check("a", Mode::Check, ""), expected);
    assert_eq!(files.check("a", Mode::Fix, ""), expected);
    files.put("empty", b"");
    let expected = (0, format!("{start}AOF empty is empty\n"));
    assert_eq!(files.check("empty", Mode::Check, ""), expected);
    let missing = "Cannot open file missing: No such file or directory\n".to_owned();
    assert_eq!(files.check("missing", Mode::Check, ""), (1, missing));
}

/// What is wrong stands with its offset, then how much is sound.
#[test]
fn what_is_wrong_and_where() {
    let files = Files::new("wrong");
    let open = [SET, MULTI, SET].concat();
    let cases: [(&[u8], &str, usize, usize); 15] = [
        (b"*3\r\n$3\r\nSE", "23: Expected to read 5 bytes, got 2 bytes", 10, 0),
        (b"*3\r\n", "", 9, 0),
        (b"*3\r", "1b: Expected \\r\\n, got: 0d00", 8, 0),
        (b"*3x\r\n", "1b: Expected \\r\\n, got: 780d", 8, 0),
        (b"*1\r\n:1\r\n", "1f: Expected prefix '$', got: ':'", 9, 0),
        (b"*1\r\n\0", "1f: Expected prefix '$', got: '", 9, 0),
        (b"*1\r\n$2\r\nabc\r\n", "23: Expected \\r\\n, got: 630d", 10, 0),
        (b"*1\r\n$1\r\na\xff\x01", "23: Expected \\r\\n, got: ffffffff01", 10, 0),
        (
            b"*1\r\n$-1\r\n",
            "1f: Expected to read string of -1 bytes, which is not in the suitable range",
            10,
            0,
        ),
        (
            b"*1\r\n$9223372036854775805\r\nab",
            "35: Expected to read 9223372036854775807 bytes, got 2 bytes",
            10,
            0,
        ),
        (b"hello", "AOF a format error", 8, 0),
        (b"*0\r\n*-7\r\n*\r\n* 0\r\n#anything\n+", "AOF a format error", 12, 27),
        (&open, "5d: Reached EOF before reading EXEC for MULTI", 25, SET.len()),
        (&[MULTI, MULTI].concat(), "32: Unexpected MULTI in AOF a", 14, 0),
        (EXEC, "23: Unexpected EXEC in AOF a", 11, 0),
    ];
    for (tail, what, line, sound) in cases {
        let all = [SET, tail].concat();
        files.put("a", &all);
        let what = match what.split_once(':') {
            Some((at, what)) => format!("0x{at:>16}:{what}\n"),
            None if what.is_empty() => String::new(),
            None => format!("{what}\n"),
        };
        let (size, sound) = (all.len(), SET.len() + sound);
        let expected = format!(
            "Start checking Old-Style AOF\n{what}AOF analyzed: filename=a, size={size}, \
             ok_up_to={sound}, ok_up_to_line={line}, diff={}\nAOF a is not valid. Use the --fix \
             option to try fixing it.\n",
            size - sound
        );
        assert_eq!(files.check("a", Mode::Check, ""), (1, expected));
        // Only a yes cuts.
        for no in ["", "n", "\ny"] {
            let (code, text) = files.check("a", Mode::Fix, no);
            assert!(code == 1 && text.ends_with("Continue? [y/N]: Aborting...\n"), "{text}");
            assert_eq!(files.read("a"), all);
        }
        let (code, text) = files.check("a", Mode::Fix, "yes");
        assert!(code == 0 && text.ends_with("Successfully truncated AOF a\n"), "{text}");
        assert_eq!(files.read("a"), all[..sound]);
        assert_eq!(files.check("a", Mode::Check, "").0, 0);
    }
}

#[test]
fn a_snapshot_and_commands_behind_it() {
    let files = Files::new("preamble");
    let mut ks = empty();
    set(&mut ks, 0, b"k", b"v", None);
    let snapshot = saved(&ks, &save_options());
    files.put("a", &[&snapshot, SET].concat());
    let (code, text) = files.check("a", Mode::Check, "");
    assert!(code == 0 && text.contains("RDB preamble is OK, proceeding with AOF tail"), "{text}");
    assert!(text.contains(&format!("ok_up_to={}", snapshot.len() + SET.len())), "{text}");
    files.put("a", &[&snapshot, &SET[..5]].concat());
    assert_eq!(files.check("a", Mode::Fix, "y").0, 0);
    assert_eq!(files.read("a"), snapshot);
    let mut broken = snapshot.clone();
    broken[30] ^= 1;
    files.put("a", &[&broken, &SET[..5]].concat());
    let (code, text) = files.check("a", Mode::Fix, "y");
    assert!(code == 1 && text.ends_with("RDB preamble of AOF file is not sane, aborting.\n"));
    assert_eq!(files.read("a").len(), snapshot.len() + 5);
}

#[test]
fn many_files() {
    let files = Files::new("many");
    let snapshot = saved(&empty(), &save_options());
    files.put("b", &snapshot);
    files.put("i1", SET);
    files.put("i2", &[SET, MULTI, SET].concat());
    let manifest = "# seen by tools\nfile b seq 1 type b\nfile h seq 9 type h\n\
                    file i1 seq 1 type i\nfile i2 seq 2 type i\n";
    files.put("m", manifest.as_bytes());
    let (code, text) = files.check("m", Mode::Check, "");
    assert_eq!(code, 1);
    for line in [
        "Start checking Multi Part AOF",
        "Start to check BASE AOF (RDB format).",
        "BASE AOF b is valid",
        "Start to check INCR files.",
        "INCR AOF i1 is valid",
        "AOF i2 is not valid. Use the --fix option to try fixing it.",
    ] {
        assert!(text.lines().any(|l| l == line), "{line:?} in\n{text}");
    }
    // Only the last file is cut.
    files.put("i1", &SET[..9]);
    let (code, text) = files.check("m", Mode::Fix, "y");
    let why = "Failed to truncate AOF i1 because it is not the last file\n";
    assert!(code == 1 && text.ends_with(why), "{text}");
    files.put("i1", b"");
    let (code, text) = files.check("m", Mode::Fix, "y");
    assert!(code == 0 && text.contains("INCR AOF i1 is empty"), "{text}");
    assert!(text.ends_with("cated AOF i2\nAll AOF files and manifest are valid\n"), "{text}");
    assert_eq!(files.read("i2"), SET);
    // Names of files that are missing, and lines that are wrong.
    files.put("m", b"file b seq 1 type b\nfile none seq 1 type i\n");
    let (code, text) = files.check("m", Mode::Check, "");
    let why = "Cannot open file none: No such file or directory, aborting...\n";
    assert!(code == 1 && text.ends_with(why), "{text}");
    files.put("m", b"file b seq 1 type b\nfile none seq 1\n");
    let (code, text) = files.check("m", Mode::Check, "");
    assert!(code == 1 && text.contains("at line 2"), "{text}");
    files.put("m", b"file . seq 1 type i\n");
    let (code, text) = files.check("m", Mode::Check, "");
    assert!(code == 1 && text.contains("Is a directory, aborting"), "{text}");
}

#[test]
fn what_came_after_a_time_is_cut() {
    let files = Files::new("time");
    let time = |t: i64| format!("#TS:{t}\r\n").into_bytes();
    let all = [SET, &time(100), SET, &time(200), SET].concat();
    let cut = |all: &[u8], to: i64| {
        files.put("a", all);
        let (code, text) = files.check("a", Mode::ToTimestamp(to), "");
        (code, text.lines().last().expect("a line").to_owned(), files.read("a").len())
    };
    let done = |to| format!("Successfully truncated AOF a to timestamp {to}");
    assert_eq!(cut(&all, 99), (0, done(99), SET.len()));
    assert_eq!(cut(&all, 150), (0, done(150), 2 * SET.len() + time(100).len()));
    assert_eq!(cut(&all, 200), (0, "AOF a is valid".into(), all.len()));
    let none = "AOF a has nothing before timestamp 99, aborting...".to_owned();
    assert_eq!(cut(&all[SET.len()..], 99), (1, none, all.len() - SET.len()));
    let bad = [SET, b"#TS:x\r\n"].concat();
    assert_eq!(cut(&bad, 99), (1, "Invalid timestamp annotation".into(), bad.len()));
    // Not even for this is anything but the last file cut.
    files.put("a", &all);
    files.put("m", b"file a seq 1 type i\nfile b seq 2 type i\n");
    files.put("b", SET);
    let (code, text) = files.check("m", Mode::ToTimestamp(99), "");
    let why = format!("to timestamp 99 to offset {} because it is not the last file.", SET.len());
    assert!(code == 1 && text.contains(&why), "{text}");
    assert_eq!(files.read("a"), all);
}

#[test]
fn arguments() {
    let files = Files::new("arguments");
    files.put("a", SET);
    let path = files.0.join("a").into_os_string();
    let tool = |args: &[&str]| {
        let args = args.iter().map(|arg| if *arg == "a" { path.clone() } else { arg.into() });
        run(&std::iter::once("redust-check-aof".into()).chain(args).collect::<Vec<_>>())
    };
    assert_eq!(tool(&["a"]), 0);
    assert_eq!(tool(&["--fix", "a"]), 0);
    assert_eq!(tool(&["--truncate-to-timestamp", "12", "a"]), 0);
    assert_eq!(tool(&["--version"]), 0);
    assert_eq!(tool(&["-h"]), 0);
    for args in [
        &[][..],
        &["missing"],
        &["--fix"],
        &["a", "--fix"],
        &["--truncate-to-timestamp", "a"],
        &["--truncate-to-timestamp", "12x", "a"],
        &["--truncate-to-timestamp", "99999999999999999999", "a"],
        &["--fix", "a", "a"],
    ] {
        assert_eq!(tool(args), 1, "{args:?}");
    }
}

#[test]
fn numbers_as_c_reads_them() {
    for (text, expected) in [
        ("12", (12, 2, true)),
        (" \t\x0b+7x", (7, 5, true)),
        ("-0\r", (0, 2, true)),
        ("\r\n", (0, 0, true)),
        ("- 1", (0, 0, true)),
        ("9223372036854775807", (i64::MAX, 19, true)),
        ("-9223372036854775808", (i64::MIN, 20, true)),
        ("9223372036854775808", (i64::MAX, 19, false)),
        ("-99999999999999999999", (i64::MIN, 21, false)),
    ] {
        assert_eq!(leading_number(text.as_bytes()), expected, "{text:?}");
    }
}
