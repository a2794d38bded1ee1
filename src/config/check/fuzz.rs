//! Whatever the bytes, there is a report, each finding on one line, and no secret in it.

use super::report::{Format, report};
use super::tests::Fake;
use super::*;
use crate::util::rand::generator;

fn reports(text: &[u8]) -> [String; 2] {
    let fake = Fake::new();
    let asked = Asked { stdin: Some(text), ..Asked::default() };
    let findings = fake.check(&asked).findings;
    [Format::Text, Format::Json].map(|format| report(findings.clone(), format).0)
}

fn judge(text: &[u8]) {
    let [plain, json] = reports(text);
    for line in plain.lines() {
        let known = ["error: ", "warning: ", "note: ", "    fix: "];
        let known = known.iter().any(|start| line.starts_with(start));
        assert!(known || line.ends_with("with this configuration"), "{line}");
        assert!(!line.contains('\u{1b}'), "{line}");
    }
    for line in json.lines() {
        is_object(line).unwrap_or_else(|| panic!("no JSON: {line}"));
    }
}

/// One flat object of JSON, with texts and numbers.
fn is_object(line: &str) -> Option<()> {
    let mut rest = line.strip_prefix('{')?;
    loop {
        rest = text(rest)?.strip_prefix(':')?;
        let digits = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        rest = if digits.len() < rest.len() { digits } else { text(rest)? };
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => return (rest == "}").then_some(()),
        }
    }
}

fn text(rest: &str) -> Option<&str> {
    let mut chars = rest.strip_prefix('"')?.char_indices();
    loop {
        match chars.next()?.1 {
            '"' => return rest.get(1..).map(|_| chars.as_str()),
            '\\' if matches!(chars.next()?.1, '"' | '\\' | 'n' | 'u') => {}
            '\\' => return None,
            c if c.is_control() => return None,
            _ => {}
        }
    }
}

#[test]
fn bytes_of_any_kind() {
    let mut random = generator(7);
    for length in [0, 1, 2, 10, 100, 1000, 20_000] {
        for _ in 0..10 {
            let bytes: Vec<u8> = (0..length).map(|_| random() as u8).collect();
            judge(&bytes);
        }
    }
    for text in [
        &b"\0"[..],
        b"port\0 1",
        b"port \"",
        b"port '",
        b"\"\"",
        b"''",
        b"port \"\\x0",
        b"\xff\xfe",
        b"include",
        b"include \0",
        b"user",
        b"rename-command a",
        b"rename-command \0 \0",
        b"sentinel",
        b". x",
        b"a. ",
        b"\"requirepass",
        b"\x1b[2J 1\nport \x1b[2J",
        b"logfile \0\nunixsocket \0\npidfile \0",
    ] {
        judge(text);
    }
}

#[test]
fn lines_of_a_megabyte() {
    for start in [&b"port "[..], b"", b"requirepass ", b"port \"", b"save ", b"bind ", b"a."] {
        judge(&[start, &vec![b'1'; 1 << 20]].concat());
    }
    judge(&b"save 1 1 ".repeat(1 << 17));
    // So many errors are not all shown.
    let [plain, _] = reports(&b"x\n".repeat(100_000));
    assert!(plain.lines().count() < 3000 && plain.contains("more than 1000 errors"));
}

#[test]
fn damaged_configurations() {
    let whole = b"bind 127.0.0.1 -::1\nport 6379\nrequirepass \"a b\\x21c\"\nsave 3600 1 60 10\n\
                  maxmemory 1gb\nuser default on >secret ~* +@all\nclient-output-buffer-limit \
                  replica 256mb 64mb 60\nrename-command CONFIG ''\nappendonly yes\n";
    let mut random = generator(11);
    for _ in 0..2000 {
        let mut text = whole.to_vec();
        for _ in 0..1 + random() % 4 {
            let at = (random() % text.len() as u64) as usize;
            match random() % 3 {
                0 => text[at] = random() as u8,
                1 => drop(text.remove(at)),
                _ => text.insert(at, b"\"' \n\0#\\"[(random() % 7) as usize]),
            }
        }
        judge(&text);
    }
}
