//! Sums as redis-server on x86-64 gives them.

use super::*;

fn parse(text: &str) -> LongDouble {
    LongDouble::parse(text.as_bytes()).unwrap_or_else(|| panic!("{text} is a number"))
}

fn show(text: &str) -> String {
    String::from_utf8(parse(text).format_human()).expect("ascii")
}

fn sum(a: &str, b: &str) -> String {
    let sum = parse(a).checked_add(parse(b)).expect("finite");
    String::from_utf8(sum.format_human()).expect("ascii")
}

#[test]
fn everyday_sums() {
    for (a, b, result) in [
        ("3", "1.1", "4.1"),
        ("1.23", "-1.1", "0.13"),
        ("5.0e3", "2.0e2", "5200"),
        ("0.1", "0.2", "0.3"),
        ("10.5", "0.1", "10.6"),
        ("10.6", "-5", "5.6"),
        ("1", "-1", "0"),
        ("-0", "-0.0", "0"),
        ("17179869184", "0.00000000000000001", "17179869184"),
        ("2.5", "0.0000000000000000001", "2.5"),
        ("9223372036854775807", "1", "9223372036854775808"),
        ("1e-300", "0", "0"),
        ("-1e-300", "0", "0"),
        ("1e30", "1", "1000000000000000000024696061952"),
        ("1000000000000", "0.1", "1000000000000.10000002384185791"),
    ] {
        assert_eq!(sum(a, b), result, "{a} + {b}");
    }
}

#[test]
fn texts() {
    for (text, shown) in [
        ("0.1", "0.1"),
        ("1.5", "1.5"),
        ("-1.50", "-1.5"),
        ("3.0e-5", "0.00003"),
        ("0x1p-3", "0.125"),
        ("0XA.8", "10.5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("+7", "7"),
        ("inf", "inf"),
        ("-Infinity", "-inf"),
        ("18446744073709551615", "18446744073709551615"),
        ("18446744073709551617", "18446744073709551616"),
        ("1e22", "10000000000000000000000"),
        ("1e28", "9999999999999999999731564544"),
    ] {
        assert_eq!(show(text), shown, "{text}");
    }
    assert_eq!(show("1e4932").len(), 4933);
    assert!(LongDouble::parse(b"3.6e-4951").is_some(), "the smallest number");
}

#[test]
fn what_is_no_number() {
    for bad in [
        "",
        " 1",
        "1 ",
        "nan",
        "abc",
        "1e",
        "e1",
        ".",
        "-",
        "0x",
        "1.2.3",
        "1e5000",
        "1e-5000",
        "1e4933",
        "1e99999999999999999999",
        "0x1p16384",
        "0x1p-16447",
        "1.5e-4952",
    ] {
        assert_eq!(LongDouble::parse(bad.as_bytes()), None, "{bad}");
    }
    assert!(LongDouble::parse(&b"1".repeat(5120)).is_none());
    assert!(LongDouble::parse(&[b"0.".to_vec(), b"1".repeat(5000)].concat()).is_some());
    assert!(LongDouble::parse(b"0e99999999999999999999").is_some());
}

#[test]
fn infinities_do_not_add_up() {
    assert_eq!(parse("inf").checked_add(parse("1")), None);
    assert_eq!(parse("inf").checked_add(parse("-inf")), None);
    assert_eq!(parse("1e4932").checked_add(parse("1e4932")), None);
    assert!(parse("inf").is_infinite() && !parse("1e4932").is_infinite());
}

#[test]
fn integers_convert_exactly() {
    for value in [0, 1, -1, 12345, i64::MAX, i64::MIN, 1 << 53, (1 << 53) + 1] {
        let text = LongDouble::from(value).format_human();
        assert_eq!(text, value.to_string().into_bytes());
        assert_eq!(LongDouble::parse(&text), Some(LongDouble::from(value)));
    }
}

/// Two numbers, what C prints for each, and for their sum; `none` where redis-server gives an
/// error. Made with strtold and `%.17Lf` on x86-64.
const X87: &str = include_str!("x87.tsv");

#[test]
fn agrees_with_the_processor() {
    let show = |number: Option<LongDouble>| match number {
        Some(number) => String::from_utf8(number.format_human()).expect("ascii"),
        None => "none".to_owned(),
    };
    for line in X87.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [a, b] = [fields[0], fields[1]].map(|text| LongDouble::parse(text.as_bytes()));
        let sum = a.zip(b).and_then(|(a, b)| a.checked_add(b));
        assert_eq!([show(a), show(b), show(sum)], fields[2..], "{line}");
    }
}

#[test]
fn seconds_become_milliseconds() {
    let ms = |text: &str| LongDouble::parse(text.as_bytes()).unwrap().thousandfold_ceil();
    for (text, want) in [
        ("0", 0),
        ("1", 1000),
        ("0.001", 1),
        ("0.1", 100),
        ("0.0001", 1),
        ("1e-4000", 1),
        ("1.0005", 1001),
        ("-0.0001", 0),
        ("-1", -1000),
        ("-1.5", -1500),
        ("9223372036854775.807", i64::MAX.into()),
        ("1e18", 10_i128.pow(21)),
        ("1e4000", i128::MAX),
        ("inf", i128::MAX),
        ("-inf", i128::MIN),
    ] {
        assert_eq!(ms(text), want, "{text}");
    }
}
