//! Number texts: golden values as redis-server and C's printf give them, and round trips.

use super::*;

struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).expect("ascii")
}

#[test]
fn integers_have_one_text_only() {
    for good in [0, 1, -1, 9, 10, 99, 100, 101, 12345, i64::MAX, i64::MIN, i64::MIN + 1] {
        let s = text(|out| write_i64(out, good));
        assert_eq!(s, good.to_string());
        assert_eq!(s.len(), len_i64(good));
        assert_eq!(parse_i64(s.as_bytes()), Some(good));
    }
    for bad in [
        "",
        "-",
        "-0",
        "+1",
        "01",
        " 1",
        "1 ",
        "1a",
        "0x1",
        "9223372036854775808",
        "00",
        "-9223372036854775809",
        "18446744073709551616",
        "99999999999999999999",
        "1\0",
        "1.0",
    ] {
        assert_eq!(parse_i64(bad.as_bytes()), None, "{bad}");
    }
}

#[test]
fn integers_round_trip() {
    let mut rng = Rng(42);
    for _ in 0..100_000 {
        let value = (rng.next() >> (rng.next() % 64)) as i64;
        let s = text(|out| write_i64(out, value));
        assert_eq!((s.as_str(), s.len()), (value.to_string().as_str(), len_i64(value)));
        assert_eq!(parse_i64(s.as_bytes()), Some(value));
    }
    assert_eq!(text(|out| write_u64(out, u64::MAX)), u64::MAX.to_string());
}

#[test]
fn lenient_integers() {
    assert_eq!(parse_u64(b"007"), Some(7));
    assert_eq!(parse_u64(b" +18446744073709551615"), Some(u64::MAX));
    assert_eq!(parse_u64(b"18446744073709551616"), None);
    for bad in [&b""[..], b"-1", b"1 ", b"+", b"x"] {
        assert_eq!(parse_u64(bad), None);
    }
    assert_eq!(parse_i64_lenient(b""), Some(0));
    assert_eq!(parse_i64_lenient(b"  -012"), Some(-12));
    assert_eq!(parse_i64_lenient(b"-99999999999999999999"), Some(i64::MIN));
    assert_eq!(parse_i64_lenient(b"99999999999999999999"), Some(i64::MAX));
    assert_eq!(parse_i64_lenient(b"1x"), None);
    assert_eq!(parse_i64_lenient(b" "), None);
}

#[test]
fn prefixes_are_read_by_atoi() {
    for (s, n) in [
        ("", 0),
        ("x", 0),
        ("01x", 1),
        (" +7", 7),
        ("-3-", -3),
        ("+-3", 0),
        ("4294967297", 1),
        ("99999999999999999999", -1),
    ] {
        assert_eq!(parse_i32_prefix(s.as_bytes()), n, "{s:?}");
    }
}

#[test]
fn cursors_are_read_by_strtoul() {
    for (s, n) in [
        ("0", 0),
        ("", 0),
        ("17", 17),
        ("+017", 17),
        ("-1", u64::MAX),
        ("-0", 0),
        ("18446744073709551615", u64::MAX),
        ("-18446744073709551615", 1),
        ("\0junk", 0),
        ("5\0junk", 5),
    ] {
        assert_eq!(parse_cursor(s.as_bytes()), Some(n), "{s:?}");
    }
    for bad in [" 1", "1 ", "-", "+", "- 1", "--1", "-+1", "x", "18446744073709551616", "1x"] {
        assert_eq!(parse_cursor(bad.as_bytes()), None, "{bad:?}");
    }
    assert_eq!(parse_cursor(b"-18446744073709551616"), None);
}

#[test]
fn doubles_as_strtod_reads_them() {
    for (s, value) in [
        ("", 0.0),
        ("\0", 0.0),
        ("\0x", 0.0),
        (" 3", 3.0),
        ("\t\n-0x10", -16.0),
        ("1\0x", 1.0),
        ("-inf", f64::NEG_INFINITY),
    ] {
        for saturate in [false, true] {
            assert_eq!(parse_f64_c(s.as_bytes(), saturate), Some(value), "{s:?}");
        }
    }
    for (s, value) in [
        ("1e400", f64::INFINITY),
        (" -1e400", f64::NEG_INFINITY),
        ("1e-400", 0.0),
        ("0x1p5000", f64::INFINITY),
        ("-0x1p5000", f64::NEG_INFINITY),
        ("0x1p-5000", 0.0),
    ] {
        assert_eq!(parse_f64_c(s.as_bytes(), true), Some(value), "{s:?}");
        assert_eq!(parse_f64_c(s.as_bytes(), false), None, "{s:?}");
    }
    for bad in [" ", "1 ", "nan", "-nan", "1x", "e", "0x", " \0x", "0xg", "1_0"] {
        assert_eq!(parse_f64_c(bad.as_bytes(), true), None, "{bad:?}");
    }
}

#[test]
fn memory_units() {
    for (s, bytes) in [
        ("0", 0),
        ("1b", 1),
        ("1k", 1000),
        ("1Kb", 1024),
        ("2M", 2_000_000),
        ("2mb", 2 << 20),
        ("3g", 3_000_000_000),
        ("3GB", 3 << 30),
        ("", 0),
        ("18446744073709551615", u64::MAX),
        ("18446744073709551616", u64::MAX),
        ("99999999999999999999999", u64::MAX),
        ("18446744073709551615k", u64::MAX),
        ("17179869184gb", u64::MAX),
    ] {
        assert_eq!(parse_memory(s.as_bytes()), Some(bytes), "{s}");
    }
    for bad in ["-1", "1tb", "1 kb", "k1", "+1"] {
        assert_eq!(parse_memory(bad.as_bytes()), None, "{bad}");
    }
}

#[test]
fn human_sizes() {
    assert_eq!(human_bytes(0), "0B");
    assert_eq!(human_bytes(1023), "1023B");
    assert_eq!(human_bytes(1536), "1.50K");
    assert_eq!(human_bytes(1 << 20), "1.00M");
    assert_eq!(human_bytes((1 << 30) - 1), "1024.00M");
    assert_eq!(human_bytes(5 << 40), "5.00T");
    assert_eq!(human_bytes(1 << 50), "1.00P");
    assert_eq!(human_bytes(1 << 60), "1152921504606846976B");
}

#[test]
fn doubles_that_parse() {
    for (s, value) in [
        ("0", 0.0),
        ("-0", -0.0),
        ("1.5", 1.5),
        ("+3", 3.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("1E-3", 0.001),
        ("inf", f64::INFINITY),
        ("-INF", f64::NEG_INFINITY),
        ("+Infinity", f64::INFINITY),
        ("0x10", 16.0),
        ("-0x1.8p1", -3.0),
        ("0X.8P0", 0.5),
        ("4.9e-324", 5e-324),
        ("0x0p-99999999999999999999", 0.0),
        ("0e999999999999", 0.0),
        ("0x1p-1074", 5e-324),
        ("0x1.fffffffffffffp1023", f64::MAX),
        ("0x1.p2", 4.0),
        ("0x1.00000000000008p0", 1.0),
        ("0x1.000000000000081p0", 1.000_000_000_000_000_2),
        ("0x1.8p-1074", 1e-323),
        ("0x10000000000000000000000000000000000000001", 2_f64.powi(160)),
    ] {
        let parsed = parse_f64(s.as_bytes()).unwrap_or_else(|| panic!("{s} parses"));
        assert_eq!(parsed.to_bits(), value.to_bits(), "{s} gave {parsed}");
    }
}

#[test]
fn doubles_that_do_not() {
    for bad in [
        "",
        " 1",
        "1 ",
        "nan",
        "-nan",
        "1e400",
        "-1e400",
        "1e-400",
        "0.0000000001e-400",
        "1e",
        "e5",
        ".",
        "0x",
        "0xg",
        "0x.p1",
        "0x1p",
        "0x1p1025",
        "0x1p-1076",
        "1_000",
        "1,5",
        "--1",
        "+-1",
        "infi",
        "1f",
        "0x1.fffffffffffff8p1023",
        "0x1p99999999999999999999",
    ] {
        assert_eq!(parse_f64(bad.as_bytes()), None, "{bad}");
    }
}

#[test]
fn doubles_in_few_digits() {
    for (value, s) in [
        (0.0, "0"),
        (-0.0, "-0"),
        (3.0, "3"),
        (-3.0, "-3"),
        (0.1, "0.1"),
        (1e17, "100000000000000000"),
        (1.5e300, "1.5e+300"),
        (1e-7, "1e-7"),
        (1.25e-7, "1.25e-7"),
        (0.0001, "0.0001"),
        (0.000001, "0.000001"),
        (1e19, "1e+19"),
        (1.1e20, "1.1e+20"),
        (f64::INFINITY, "inf"),
        (-f64::INFINITY, "-inf"),
        (f64::NAN, "nan"),
        (123.456, "123.456"),
        (-1.5, "-1.5"),
        (1e-100, "1e-100"),
        (12.000_000_000_001, "12.000000000001"),
        (4_611_686_018_427_387_904.0, "4611686018427387904"),
        (9_223_372_036_854_775_808.0, "9223372036854776000"),
    ] {
        assert_eq!(text(|out| write_f64(out, value)), s);
    }
    assert_eq!(text(|out| write_f64_grisu(out, 1e17)), "1e+17");
    assert_eq!(text(|out| write_f64_grisu(out, 1e6)), "1000000");
}

#[test]
fn doubles_in_few_digits_round_trip() {
    let mut rng = Rng(7);
    for _ in 0..50_000 {
        let value = f64::from_bits(rng.next());
        if value.is_finite() {
            let s = text(|out| write_f64(out, value));
            assert_eq!(parse_f64(s.as_bytes()).map(f64::to_bits), Some(value.to_bits()), "{s}");
        }
    }
}

#[test]
fn short_numbers_are_put_together_in_registers() {
    let all =
        (0..20_000).chain((0..SHORT_NUMBERS).step_by(997)).chain(SHORT_NUMBERS - 9..SHORT_NUMBERS);
    for n in all {
        let (digits, len) = eight_digits(n);
        assert_eq!(&digits.to_le_bytes()[..len], n.to_string().as_bytes());
    }
    for n in [i64::MIN, -100_000_000, -1, 0, 99_999_999, 100_000_000, i64::MAX] {
        let mut out = [0; MAX_I64_CHARS];
        let len = format_i64(&mut out, n);
        assert_eq!(&out[..len], n.to_string().as_bytes());
    }
}

#[test]
fn seventeen_digits() {
    for (value, s) in [
        (0.1, "0.10000000000000001"),
        (1.0, "1"),
        (1e16, "10000000000000000"),
        (1e17, "1e+17"),
        (3.3, "3.2999999999999998"),
        (1e-5, "1.0000000000000001e-05"),
        (0.0001, "0.0001"),
        (-2.5, "-2.5"),
        (1e300, "1.0000000000000001e+300"),
        (5e-324, "4.9406564584124654e-324"),
        // 18 digits ending in 5: printf rounds such ties to even.
        (1.0 / 33_554_432.0, "2.9802322387695312e-08"),
        (f64::INFINITY, "inf"),
        (-0.0, "-0"),
        (3.0 / 33_554_432.0, "8.9406967163085938e-08"),
    ] {
        assert_eq!(text(|out| write_f64_17g(out, value)), s);
    }
}

#[test]
fn fixed_decimals() {
    assert_eq!(text(|out| write_f64_fixed(out, 0.0, 4)), "0.0000");
    assert_eq!(text(|out| write_f64_fixed(out, 190.442_417_9, 4)), "190.4424");
    assert_eq!(text(|out| write_f64_fixed(out, -0.775, 4)), "-0.7750");
    assert_eq!(text(|out| write_f64_fixed(out, 0.000_06, 4)), "0.0001");
}

#[test]
fn g_formats_as_c_does() {
    for (value, precision, printed) in [
        (0.1, 14, "0.1"),
        (1.0 / 3.0, 14, "0.33333333333333"),
        (99999999999999.0, 14, "99999999999999"),
        (1e14, 14, "1e+14"),
        (123456789012345.0, 14, "1.2345678901234e+14"),
        (999.5, 3, "1e+03"),
        (999.4, 3, "999"),
        (-0.00001234, 2, "-1.2e-05"),
        (0.0001, 1, "0.0001"),
        (5e-324, 14, "4.9406564584125e-324"),
        (f64::MAX, 1, "2e+308"),
        (-0.0, 5, "-0"),
        (f64::INFINITY, 5, "inf"),
        (f64::NAN, 5, "nan"),
    ] {
        assert_eq!(text(|out| write_f64_g(out, value, precision)), printed);
    }
}

#[test]
fn a_double_at_the_front_is_found_as_strtod_does() {
    for (text, value, len) in [
        ("12", 12.0, 2),
        ("-0", -0.0, 2),
        ("12,", 12.0, 2),
        ("123456789012345]", 123456789012345.0, 15),
        ("9007199254740993", 9007199254740992.0, 16),
        ("1.", 1.0, 2),
        (".5e", 0.5, 2),
        ("+1e+", 1.0, 2),
        ("1.5e-3x", 1.5e-3, 6),
        ("1e400", f64::INFINITY, 5),
        ("-1e-400", -0.0, 7),
        ("1e99999999999999999999", f64::INFINITY, 22),
        ("0x", 0.0, 1),
        ("0x.", 0.0, 1),
        ("0x.8p1z", 1.0, 6),
        ("0x1p", 1.0, 3),
        ("-0XfF", -255.0, 5),
        ("0x1p2000", f64::INFINITY, 8),
        ("0x1p-2000", 0.0, 9),
        ("Infinite", f64::INFINITY, 3),
        ("-iNfInItY", f64::NEG_INFINITY, 9),
        ("", 0.0, 0),
        ("-", 0.0, 0),
        (".", 0.0, 0),
        ("e5", 0.0, 0),
        (" 1", 0.0, 0),
    ] {
        let (read, used) = leading_f64(text.as_bytes());
        assert_eq!((read.to_bits(), used), (value.to_bits(), len), "{text}");
    }
    for (text, bits, len) in [
        ("nan", 0x7ff8 << 48, 3),
        ("-NaN", 0xfff8 << 48, 4),
        ("nan(", 0x7ff8 << 48, 3),
        ("nan(a-b)", 0x7ff8 << 48, 3),
        ("nan()", 0x7ff8 << 48, 5),
        ("nan(0x7f)", 0x7ff8 << 48 | 0x7f, 9),
        ("nan(12)", 0x7ff8 << 48 | 12, 7),
        ("nan(z)", 0x7ff8 << 48, 6),
    ] {
        let (read, used) = leading_f64(text.as_bytes());
        assert_eq!((read.to_bits(), used), (bits, len), "{text}");
    }
}

/// Numbers of few digits are not formatted by the exact way, and look the same.
#[test]
fn g_of_few_digits_is_exact() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..200_000 {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let (digits, scale) = (state >> 14, (state % 617) as i32 - 323);
        let value: f64 = match state >> 8 & 3 {
            0 => f64::from_bits(state),
            n => {
                format!("{}e{scale}", digits % 10_u64.pow(5 * n as u32)).parse().expect("a number")
            }
        };
        if !value.is_finite() || value == 0.0 {
            continue;
        }
        for precision in [1, 3, 14, 15] {
            let mut exact = Vec::new();
            let mut buf = [0; 32];
            let (digits, exponent) =
                decimal_digits(&mut buf, format_args!("{:.*e}", precision - 1, value.abs()));
            write_digits(&mut exact, value, digits, exponent, precision);
            let shown = text(|out| write_f64_g(out, value, precision));
            assert_eq!(shown, String::from_utf8_lossy(&exact), "{value:e} {precision}");
        }
    }
}
