//! The double that a text begins with, as C's `strtod` finds it.

use super::{parse_hex_f64, parse_hex_out_of_range};

/// Digits that fit a double without rounding.
const EXACT: usize = 15;

/// The number that `text` starts with as C's `strtod` reads it, and how many bytes it takes: 0 if
/// there is none. Blanks are not passed over. Numbers that are too large are infinite. O(the
/// number).
pub(crate) fn leading_f64(text: &[u8]) -> (f64, usize) {
    let sign = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let negative = text.first() == Some(&b'-');
    let rest = &text[sign..];
    let (value, len) = small_integer(rest).unwrap_or_else(|| unsigned(rest));
    match len {
        0 => (0.0, 0),
        _ => (if negative { -value } else { value }, sign + len),
    }
}

/// A few digits that nothing follows which would belong to them.
fn small_integer(text: &[u8]) -> Option<(f64, usize)> {
    let mut n = 0_u64;
    for (i, &c) in text.iter().enumerate().take(EXACT + 1) {
        match c {
            b'0'..=b'9' => n = n * 10 + u64::from(c - b'0'),
            b'.' | b'e' | b'E' | b'x' | b'X' => return None,
            _ => return (i > 0).then_some((n as f64, i)),
        }
    }
    (1..=EXACT).contains(&text.len()).then_some((n as f64, text.len()))
}

fn unsigned(text: &[u8]) -> (f64, usize) {
    let starts =
        |word: &[u8]| text.len() >= word.len() && text[..word.len()].eq_ignore_ascii_case(word);
    if starts(b"nan") {
        return not_a_number(text);
    }
    if starts(b"inf") {
        return (f64::INFINITY, if starts(b"infinity") { 8 } else { 3 });
    }
    if starts(b"0x") {
        let (len, digits) = extent(&text[2..], u8::is_ascii_hexdigit, b'p');
        if digits {
            let value = parse_hex_f64(&text[2..2 + len]);
            let value = value.or_else(|| parse_hex_out_of_range(&text[..2 + len]));
            return (value.unwrap_or(0.0), 2 + len);
        }
        return (0.0, 1);
    }
    let (len, digits) = extent(text, u8::is_ascii_digit, b'e');
    if !digits {
        return (0.0, 0);
    }
    let number = std::str::from_utf8(&text[..len]).ok().and_then(|text| text.parse().ok());
    (number.unwrap_or(0.0), len)
}

/// How far `digits [. digits] [exponent]` goes, and whether there is a digit before the exponent.
fn extent(text: &[u8], is_digit: fn(&u8) -> bool, exponent: u8) -> (usize, bool) {
    let count =
        |from: usize, is: fn(&u8) -> bool| text[from..].iter().take_while(|c| is(c)).count();
    let mut len = count(0, is_digit);
    let mut any = len > 0;
    if text.get(len) == Some(&b'.') {
        let after = count(len + 1, is_digit);
        any |= after > 0;
        len += 1 + after;
    }
    if any && text.get(len).is_some_and(|c| c.to_ascii_lowercase() == exponent) {
        let sign = usize::from(matches!(text.get(len + 1), Some(b'-' | b'+')));
        match count(len + 1 + sign, u8::is_ascii_digit) {
            0 => {}
            digits => len += 1 + sign + digits,
        }
    }
    (len, any)
}

/// `nan`, with its payload in parentheses if there is one.
fn not_a_number(text: &[u8]) -> (f64, usize) {
    const QUIET: u64 = 0x7ff8 << 48;
    let plain = (f64::from_bits(QUIET), 3);
    if text.get(3) != Some(&b'(') {
        return plain;
    }
    let word = text[4..].iter().take_while(|c| c.is_ascii_alphanumeric() || **c == b'_').count();
    if text.get(4 + word) != Some(&b')') {
        return plain;
    }
    let payload = payload(&text[4..4 + word]).unwrap_or(0);
    (f64::from_bits(QUIET | payload & ((1 << 51) - 1)), 5 + word)
}

/// A number as `strtoull` reads it when it may choose the base, if it is all there is.
fn payload(word: &[u8]) -> Option<u64> {
    let (digits, base) = match word {
        [b'0', b'x' | b'X', hex @ ..] if !hex.is_empty() => (hex, 16),
        [b'0', ..] => (word, 8),
        _ => (word, 10),
    };
    digits.iter().try_fold(0_u64, |n, c| {
        let digit = char::from(*c).to_digit(base)?;
        Some(n.saturating_mul(u64::from(base)).saturating_add(u64::from(digit)))
    })
}
