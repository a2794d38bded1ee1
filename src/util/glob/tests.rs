//! Glob matching against a table of cases and a slow, plainly recursive matcher.

use super::*;
use std::time::Instant;

fn yes(pattern: &str, string: &str) {
    assert!(matches(pattern.as_bytes(), string.as_bytes(), false), "{pattern} ~ {string}");
}

fn no(pattern: &str, string: &str) {
    assert!(!matches(pattern.as_bytes(), string.as_bytes(), false), "{pattern} !~ {string}");
}

#[test]
fn literals_and_wildcards() {
    yes("hello", "hello");
    no("hello", "hell");
    no("hell", "hello");
    yes("h?llo", "hallo");
    no("h?llo", "hllo");
    yes("h*llo", "hllo");
    yes("h*llo", "heeeello");
    yes("*", "x");
    yes("a*", "a");
    yes("a***", "a");
    yes("*a*b*", "xxaxxbxx");
    no("*a*b*", "xxbxxaxx");
    yes("*aab", "aaaab");
    yes("", "");
    no("", "a");
}

#[test]
fn stars_do_not_match_nothing_at_all() {
    no("*", "");
    no("***", "");
}

#[test]
fn classes() {
    yes("h[ae]llo", "hello");
    no("h[ae]llo", "hillo");
    yes("h[^e]llo", "hallo");
    no("h[^e]llo", "hello");
    yes("h[a-b]llo", "hbllo");
    yes("h[b-a]llo", "hallo");
    yes("[a\\]b]x", "]x");
    yes("[a\\-z]", "-");
    no("[a\\-z]", "b");
    no("[]", "a");
    yes("[^]", "a");
}

#[test]
fn a_class_without_its_end_runs_to_the_end_of_the_pattern() {
    yes("[abc", "b");
    no("[abc", "d");
    no("[", "a");
    yes("[^", "a");
    yes("[a-", "-");
    yes("[a\\", "\\");
}

#[test]
fn escapes() {
    yes("a\\*b", "a*b");
    no("a\\*b", "axb");
    yes("\\?", "?");
    yes("a\\", "a\\");
}

#[test]
fn ranges_are_signed_as_in_c() {
    assert!(matches(b"[\xf0-\xff]", b"\xf5", false));
    assert!(!matches(b"[a-\xff]", b"z", false));
    assert!(matches(b"[a-\xff]", b"A", false));
}

#[test]
fn nocase_folds_letters() {
    assert!(matches(b"MAX*", b"maxmemory", true));
    assert!(!matches(b"MAX*", b"maxmemory", false));
    assert!(matches(b"[A-C]x", b"bX", true));
    assert!(!matches(b"[\\A]", b"a", true));
}

/// The definition, without any cleverness: a star tries every rest of the string.
fn naive(pattern: &[u8], string: &[u8]) -> bool {
    match pattern.first() {
        None => string.is_empty(),
        Some(b'*') => (0..=string.len()).any(|i| naive(&pattern[1..], &string[i..])),
        Some(_) => match string.first() {
            None => false,
            Some(&byte) => match_one(pattern, byte, false)
                .is_some_and(|used| naive(&pattern[used..], &string[1..])),
        },
    }
}

#[test]
fn agrees_with_the_definition_on_random_patterns() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |n: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % n
    };
    for round in 0..200_000 {
        let pattern: Vec<u8> = (0..next(8)).map(|_| b"ab*?[]^-\\c"[next(10) as usize]).collect();
        let string: Vec<u8> = (0..1 + next(7)).map(|_| b"abc-"[next(4) as usize]).collect();
        assert_eq!(
            matches(&pattern, &string, false),
            naive(&pattern, &string),
            "round {round}: {:?} on {:?}",
            String::from_utf8_lossy(&pattern),
            String::from_utf8_lossy(&string)
        );
    }
}

#[test]
fn many_stars_stay_cheap() {
    let pattern = [b"a*".repeat(5000), b"b".to_vec()].concat();
    let string = b"a".repeat(50_000);
    let start = Instant::now();
    assert!(!matches(&pattern, &string, false));
    assert!(start.elapsed().as_secs() < 5);
}
