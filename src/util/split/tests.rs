//! Splitting: the quoting rules one by one, then round trips through `repr`.

use super::*;

fn split(line: &[u8]) -> Vec<Vec<u8>> {
    split_args(line).expect("balanced")
}

#[test]
fn plain_words() {
    assert_eq!(split(b""), Vec::<Vec<u8>>::new());
    assert_eq!(split(b" \t\r\n "), Vec::<Vec<u8>>::new());
    assert_eq!(split(b"  save  900\t1 "), [&b"save"[..], b"900", b"1"]);
    assert_eq!(split(b"a\0b"), [b"a"]);
}

#[test]
fn double_quotes() {
    assert_eq!(split(br#"a "b c" d"#), [&b"a"[..], b"b c", b"d"]);
    assert_eq!(split(br#""""#), [b""]);
    assert_eq!(split(br#""\x41\x6a\xzz\n\r\t\b\a\q\"\\""#), [b"Ajxzz\n\r\t\x08\x07q\"\\"]);
    assert_eq!(split(br#"ab"c d""#), [b"abc d"]);
}

#[test]
fn single_quotes() {
    assert_eq!(split(br"'it\'s' '' '\n'"), [&b"it's"[..], b"", b"\\n"]);
}

#[test]
fn quotes_must_close_at_the_end_of_a_word() {
    for bad in [&br#""abc"#[..], br#""a"b"#, br"'abc", br"'a'b", br#""a\"#, br#""a\""#, br#"x 'a"#]
    {
        assert_eq!(split_args(bad), Err(Unbalanced), "{}", String::from_utf8_lossy(bad));
    }
}

#[test]
fn repr_escapes() {
    assert_eq!(repr(b"a b\n\r\t\x07\x08\\\"\x00\xff"), br#""a b\n\r\t\a\b\\\"\x00\xff""#);
    assert_eq!(repr(b""), b"\"\"");
    assert!(needs_repr(b"a b") && needs_repr(b"\\") && needs_repr(b"\x80") && needs_repr(b"\x0b"));
    assert!(!needs_repr(b"plain-word/1.2:3") && !needs_repr(b""));
}

#[test]
fn repr_round_trips_every_byte() {
    let all: Vec<u8> = (0..=255).collect();
    let line = [repr(&all), b" ".to_vec(), repr(b""), b" x".to_vec()].concat();
    assert_eq!(split(&line), [all, Vec::new(), b"x".to_vec()]);
}
