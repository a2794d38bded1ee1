//! Numbers to text and back, byte for byte as redis-server writes and reads them.
//!
//! Integers are strict: one text per value, so "is this string an integer" and "what string does
//! this integer give" are inverse to each other, and a value can be stored as a number without
//! anyone being able to tell. Doubles are what `strtod` accepts minus leading blanks, NaN, and
//! results that overflow or vanish. Printing comes in three forms:
//!
//! ```text
//! write_f64        few digits that read back to the same double, as replies carry scores
//! write_f64_g      C's %g, and write_f64_17g its %.17g
//! write_f64_fixed  a fixed number of decimals, as GEO replies carry coordinates
//! ```

use crate::util::grisu;
use std::io::Write as _;

/// Longest text of a 64-bit integer: a sign and 19 digits, or 20 digits.
pub(crate) const MAX_I64_CHARS: usize = 20;

const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut i = 0;
    while i < 100 {
        pairs[i] = [b'0' + (i / 10) as u8, b'0' + (i % 10) as u8];
        i += 1;
    }
    pairs
};

/// Reads a canonical integer: no blanks, no `+`, no leading zeros, no `-0`. O(len).
pub(crate) fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [] => return None,
        [b'0'] => return Some(0),
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    // Nineteen digits always fit 64 unsigned bits, and no i64 has more.
    if digits.len() > 19 || !matches!(digits.first(), Some(b'1'..=b'9')) {
        return None;
    }
    let mut value = 0_u64;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    if negative { 0_i64.checked_sub_unsigned(value) } else { i64::try_from(value).ok() }
}

/// Reads an unsigned integer: besides the canonical form, leading blanks, a `+` and leading zeros
/// are accepted; nothing may follow.
pub(crate) fn parse_u64(text: &[u8]) -> Option<u64> {
    let blanks = text.iter().take_while(|b| super::split::is_space(**b)).count();
    let digits = text[blanks..].strip_prefix(b"+").unwrap_or(&text[blanks..]);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    digits
        .iter()
        .try_fold(0_u64, |value, byte| value.checked_mul(10)?.checked_add(u64::from(byte - b'0')))
}

/// Reads a cursor, as redis-server does with `strtoul`: no blanks, but a sign, by which -1 is the
/// largest number there is; nothing at all is 0, and what stands behind a NUL doesn't matter.
pub(crate) fn parse_cursor(text: &[u8]) -> Option<u64> {
    let text = until_nul(text);
    match text {
        [] => Some(0),
        [b'-', digits @ ..] if digits.first().is_some_and(u8::is_ascii_digit) => {
            parse_u64(digits).map(u64::wrapping_neg)
        }
        [first, ..] if super::split::is_space(*first) || *first == b'-' => None,
        _ => parse_u64(text),
    }
}

/// Reads an integer as C's `strtoll` with base 10 does, requiring that all of `text` is used.
/// Blanks and zeros may lead, the empty string is 0, and values out of range saturate.
pub(crate) fn parse_i64_lenient(text: &[u8]) -> Option<i64> {
    if text.is_empty() {
        return Some(0);
    }
    let blanks = text.iter().take_while(|b| super::split::is_space(**b)).count();
    let (negative, digits) = match &text[blanks..] {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0_i64, |value, byte| {
        let digit = i64::from(byte - b'0');
        value.saturating_mul(10).saturating_add(if negative { -digit } else { digit })
    }))
}

/// The number that `text` starts with as C's `strtol` reads it, how many bytes it takes, and
/// whether it is in range. Blanks before it are passed over, no digits are zero.
pub(crate) fn leading_number(text: &[u8]) -> (i64, usize, bool) {
    let blanks = text.iter().take_while(|b| matches!(b, b' ' | b'\t'..=b'\r')).count();
    let (sign, negative) = match text.get(blanks) {
        Some(b'-') => (1, true),
        Some(b'+') => (1, false),
        _ => (0, false),
    };
    let digits = &text[blanks + sign..];
    let digits = &digits[..digits.iter().take_while(|b| b.is_ascii_digit()).count()];
    if digits.is_empty() {
        return (0, 0, true);
    }
    let len = blanks + sign + digits.len();
    let value = digits.iter().try_fold(0i64, |value, digit| {
        let digit = i64::from(digit - b'0');
        value.checked_mul(10)?.checked_add(if negative { -digit } else { digit })
    });
    match value {
        Some(value) => (value, len, true),
        None => (if negative { i64::MIN } else { i64::MAX }, len, false),
    }
}

/// Reads an integer as C's `atoi` does: blanks and a sign may lead, it goes as far as there are
/// digits, and of one that is too large the lower 32 bits count.
pub(crate) fn parse_i32_prefix(text: &[u8]) -> i32 {
    let text = without_blanks(text);
    let sign = usize::from(matches!(text, [b'-' | b'+', ..]));
    let digits = text[sign..].iter().take_while(|b| b.is_ascii_digit()).count();
    if digits == 0 { 0 } else { parse_i64_lenient(&text[..sign + digits]).unwrap_or(0) as i32 }
}

/// Appends `value` in decimal.
pub(crate) fn write_i64(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    write_u64(out, value.unsigned_abs());
}

/// The decimal digits of a number below 10^8, the first in the lowest byte, and how many there are.
/// No loop, and no memory is written: what is put together in a register needs not wait to be read
/// back.
#[inline]
pub(crate) fn eight_digits(n: u32) -> (u64, usize) {
    let all = all_eight_digits(n);
    // Leading zeros go, but not the last of eight.
    let zeros = ((all ^ u64::from_le_bytes([b'0'; 8])) | 1 << 56).trailing_zeros() & !7;
    (all >> zeros, 8 - zeros as usize / 8)
}

/// The same with zeros in front, so that there are eight.
#[inline]
pub(crate) fn all_eight_digits(n: u32) -> u64 {
    debug_assert!(n < SHORT_NUMBERS);
    // All lanes at once: two numbers of four digits, four of two, eight digits. x / 100 is x *
    // 10486 >> 20 below 10^4, and x / 10 is x * 103 >> 10 below 100.
    let fours = u64::from(n / 10_000) | u64::from(n % 10_000) << 32;
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let twos = hundreds | (fours - hundreds * 100) << 16;
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    (tens | (twos - tens * 10) << 8) | u64::from_le_bytes([b'0'; 8])
}

/// What `eight_digits` is for.
pub(crate) const SHORT_NUMBERS: u32 = 100_000_000;

/// Writes `value` in decimal into `out` and returns how many bytes that took; what follows them is
/// undefined.
#[inline]
pub(crate) fn format_i64(out: &mut [u8; MAX_I64_CHARS], value: i64) -> usize {
    if let Ok(short @ ..SHORT_NUMBERS) = u32::try_from(value) {
        let (digits, len) = eight_digits(short);
        out[..8].copy_from_slice(&digits.to_le_bytes());
        return len;
    }
    format_any(out, value)
}

#[inline(never)]
fn format_any(out: &mut [u8; MAX_I64_CHARS], value: i64) -> usize {
    let len = len_i64(value);
    let mut rest = value.unsigned_abs();
    let mut at = len;
    while rest >= 100 {
        at -= 2;
        out[at..at + 2].copy_from_slice(&PAIRS[(rest % 100) as usize]);
        rest /= 100;
    }
    if rest >= 10 {
        at -= 2;
        out[at..at + 2].copy_from_slice(&PAIRS[rest as usize]);
    } else {
        at -= 1;
        out[at] = b'0' + rest as u8;
    }
    if value < 0 {
        out[0] = b'-';
    }
    len
}

/// Appends `value` in decimal, two digits at a time.
pub(crate) fn write_u64(out: &mut Vec<u8>, mut value: u64) {
    let mut buf = [0; MAX_I64_CHARS];
    let mut at = buf.len();
    while value >= 100 {
        at -= 2;
        buf[at..at + 2].copy_from_slice(&PAIRS[(value % 100) as usize]);
        value /= 100;
    }
    if value >= 10 {
        at -= 2;
        buf[at..at + 2].copy_from_slice(&PAIRS[value as usize]);
    } else {
        at -= 1;
        buf[at] = b'0' + value as u8;
    }
    out.extend_from_slice(&buf[at..]);
}

/// How many characters [`write_i64`] writes for `value`.
pub(crate) fn len_i64(value: i64) -> usize {
    let digits = value.unsigned_abs().checked_ilog10().map_or(1, |log| log as usize + 1);
    digits + usize::from(value < 0)
}

/// Reads an amount of memory: digits and an optional unit out of `b k kb m mb g gb` (k is 1000,
/// kb is 1024), in either case. No sign. An amount that 64 bits can't hold is the largest one.
///
/// Compat: no digits at all count as zero, as in redis-server. There the unit may also multiply to
/// something small.
pub(crate) fn parse_memory(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let factor = match text[digits..].to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    let amount = text[..digits]
        .iter()
        .fold(0u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    Some(amount.saturating_mul(factor))
}

/// `bytes` as INFO's `*_human` fields show it: `512B`, `1.50K`, `2.00G` ...
pub(crate) fn human_bytes(bytes: u64) -> String {
    const UNITS: [(u32, char); 5] = [(10, 'K'), (20, 'M'), (30, 'G'), (40, 'T'), (50, 'P')];
    match UNITS.iter().find(|(shift, _)| bytes < 1 << (shift + 10)) {
        Some((shift, unit)) if bytes >= 1024 => {
            format!("{:.2}{unit}", bytes as f64 / (1_u64 << shift) as f64)
        }
        _ => format!("{bytes}B"),
    }
}

/// Reads a double as redis-server does: everything `strtod` takes (decimal, exponent, hexadecimal,
/// `inf`, `infinity`), used up completely, without leading blanks. NaN, overflow and underflow to
/// zero are refused.
pub(crate) fn parse_f64(text: &[u8]) -> Option<f64> {
    let unsigned = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    if let [b'0', b'x' | b'X', hex @ ..] = unsigned {
        let value = parse_hex_f64(hex)?;
        return Some(if text[0] == b'-' { -value } else { value });
    }
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    let mut mantissa = unsigned.iter().take_while(|b| !matches!(b, b'e' | b'E'));
    let legitimate = match value {
        _ if value.is_nan() => false,
        // A number that is too large to be one also reads as infinite.
        _ if value.is_infinite() => !unsigned[0].is_ascii_digit() && unsigned[0] != b'.',
        0.0 => mantissa.all(|b| matches!(b, b'0' | b'.')),
        _ => true,
    };
    legitimate.then_some(value)
}

/// What C's functions see of a text: they end at a NUL, which every text of theirs has at its end.
fn until_nul(text: &[u8]) -> &[u8] {
    &text[..memchr::memchr(0, text).unwrap_or(text.len())]
}

fn without_blanks(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|b| super::split::is_space(**b)).count();
    &text[blanks..]
}

/// Reads a double as those commands of redis-server do that call `strtod` themselves, and look only
/// at where it stopped: blanks may lead, nothing at all is 0, what stands behind a NUL doesn't
/// matter. Too large is infinite, too small 0, as long as `saturate`; else both are refused. NaN is
/// refused.
pub(crate) fn parse_f64_c(text: &[u8], saturate: bool) -> Option<f64> {
    let all = until_nul(text);
    let number = without_blanks(all);
    if number.is_empty() {
        return all.is_empty().then_some(0.0);
    }
    parse_f64(number).or_else(|| {
        let decimal = std::str::from_utf8(number).ok()?.parse().ok();
        decimal.or_else(|| parse_hex_out_of_range(number)).filter(|x: &f64| saturate && !x.is_nan())
    })
}

/// A hexadecimal number that no double but 0 and infinity comes near.
fn parse_hex_out_of_range(text: &[u8]) -> Option<f64> {
    let unsigned = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    let [b'0', b'x' | b'X', hex @ ..] = unsigned else { return None };
    let (mantissa, exponent) = parse_hex_mantissa(hex)?;
    let top = exponent.saturating_add(127 - i64::from(mantissa.leading_zeros()));
    let size = if top > 0 { f64::INFINITY } else { 0.0 };
    Some(if text[0] == b'-' { -size } else { size })
}

/// The part of a hexadecimal double after `0x`: `1.8p-3` is 0.1875.
fn parse_hex_f64(text: &[u8]) -> Option<f64> {
    let (mantissa, exponent) = parse_hex_mantissa(text)?;
    if mantissa == 0 {
        return Some(0.0);
    }
    // The value is mantissa * 2^exponent. Cut it to the bits a double has at that magnitude.
    let top = exponent.saturating_add(127 - i64::from(mantissa.leading_zeros()));
    if top > 1023 {
        return None;
    }
    let lowest = (top - 52).max(-1074);
    let rounded = shift_round_even(mantissa, lowest.saturating_sub(exponent));
    if rounded == 0 {
        return None;
    }
    // At most 53 bits, so the conversion is exact; the scaling is too, in two halves because
    // 2^-1074 has no reciprocal.
    let half = lowest / 2;
    let value = rounded as f64 * 2_f64.powi(half as i32) * 2_f64.powi((lowest - half) as i32);
    value.is_finite().then_some(value)
}

/// Reads `hex digits [. hex digits] [p exponent]` as a mantissa of up to 124 bits, its lowest bit
/// standing for whatever was cut off, and a power of two.
pub(super) fn parse_hex_mantissa(text: &[u8]) -> Option<(u128, i64)> {
    let (digits, exponent) = match text.iter().position(|b| matches!(b, b'p' | b'P')) {
        Some(at) => (&text[..at], parse_exponent(&text[at + 1..])?),
        None => (text, 0),
    };
    let (mut mantissa, mut scale, mut point, mut count) = (0_u128, 0_i64, false, 0);
    for &byte in digits {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            b'.' if !point => {
                point = true;
                continue;
            }
            _ => return None,
        };
        count += 1;
        if mantissa >> 120 == 0 {
            mantissa = mantissa << 4 | u128::from(digit);
            scale -= if point { 4 } else { 0 };
        } else {
            mantissa |= u128::from(digit != 0);
            scale += if point { 0 } else { 4 };
        }
    }
    (count > 0).then(|| (mantissa, exponent.saturating_add(scale)))
}

/// A decimal exponent after `e` or `p`: an optional sign and at least one digit. Saturates far
/// beyond what any floating type can hold.
pub(super) fn parse_exponent(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size = digits.iter().fold(0_i64, |n, b| (n * 10 + i64::from(b - b'0')).min(1 << 40));
    Some(if text[0] == b'-' { -size } else { size })
}

/// `value / 2^bits`, to the nearest integer, ties to even. Negative `bits` shift left.
pub(super) fn shift_round_even(value: u128, bits: i64) -> u128 {
    match bits {
        ..=0 => value << bits.unsigned_abs().min(127),
        1..=127 => {
            let (kept, cut) = (value >> bits, value & ((1 << bits) - 1));
            let half = 1 << (bits - 1);
            kept + u128::from(cut > half || (cut == half && kept & 1 == 1))
        }
        128 => u128::from(value > 1 << 127),
        _ => 0,
    }
}

/// Longest text of a double: a sign, 17 digits, a point, and an exponent of three digits.
pub(crate) const MAX_F64_CHARS: usize = 32;

#[cfg(test)]
/// Appends text that reads back as `value`, in few digits: integers without a point, `inf`, `-inf`,
/// `nan`, `-0`. This is what replies show for scores.
pub(crate) fn write_f64(out: &mut Vec<u8>, value: f64) {
    let mut text = [0; MAX_F64_CHARS];
    let len = format_f64(&mut text, value);
    out.extend_from_slice(&text[..len]);
}

/// Writes what [`write_f64`] appends into `out`, and returns its length.
pub(crate) fn format_f64(out: &mut [u8; MAX_F64_CHARS], value: f64) -> usize {
    // Up to here a double converts to i64 without any doubt, and prints as a plain integer.
    const SAFE: f64 = (1_i64 << 62) as f64;
    if value.abs() <= SAFE
        && value as i64 as f64 == value
        && (value != 0.0 || value.is_sign_positive())
    {
        let mut digits = [0; MAX_I64_CHARS];
        let len = format_i64(&mut digits, value as i64);
        out[..MAX_I64_CHARS].copy_from_slice(&digits);
        return len;
    }
    format_f64_grisu(out, value)
}

/// Like [`write_f64`], but large round values take an exponent (`1e+20`) as soon as that is
/// shorter. Digests and numbers made by scripts are written so.
pub(crate) fn write_f64_grisu(out: &mut Vec<u8>, value: f64) {
    let mut text = [0; MAX_F64_CHARS];
    let len = format_f64_grisu(&mut text, value);
    out.extend_from_slice(&text[..len]);
}

fn format_f64_grisu(out: &mut [u8; MAX_F64_CHARS], value: f64) -> usize {
    let mut out = Cursor { out, len: 0 };
    if value.is_sign_negative() && !value.is_nan() {
        out.add(b"-");
    }
    if value == 0.0 || !value.is_finite() {
        out.add(match value {
            0.0 => b"0",
            _ if value.is_nan() => b"nan",
            _ => b"inf",
        });
        return out.len;
    }
    let decimal = grisu::digits(value);
    let (digits, scale) = (decimal.digits(), decimal.scale);
    // The power of ten of the first digit.
    let exponent = scale + digits.len() as i32 - 1;
    if scale >= 0 && exponent < digits.len() as i32 + 7 {
        out.add(digits);
        out.zeros(scale as usize);
    } else if scale < 0 && exponent < 0 && (scale > -7 || exponent > -4) {
        out.add(b"0.");
        out.zeros((-exponent - 1) as usize);
        out.add(digits);
    } else if scale < 0 && (scale > -7 || exponent.abs() < 4) {
        let (whole, fraction) = digits.split_at(exponent as usize + 1);
        out.add(whole);
        out.add(b".");
        out.add(fraction);
    } else {
        out.add(&digits[..1]);
        if digits.len() > 1 {
            out.add(b".");
            out.add(&digits[1..]);
        }
        out.add(if exponent < 0 { b"e-" } else { b"e+" });
        let (text, len) = eight_digits(exponent.unsigned_abs());
        out.add(&text.to_le_bytes()[..len]);
    }
    out.len
}

/// Text in the making, in an array.
struct Cursor<'a> {
    out: &'a mut [u8; MAX_F64_CHARS],
    len: usize,
}

impl Cursor<'_> {
    fn add(&mut self, text: &[u8]) {
        self.out[self.len..self.len + text.len()].copy_from_slice(text);
        self.len += text.len();
    }
    fn zeros(&mut self, count: usize) {
        self.out[self.len..self.len + count].fill(b'0');
        self.len += count;
    }
}

/// Appends `value` as C's `%.17g` prints it.
pub(crate) fn write_f64_17g(out: &mut Vec<u8>, value: f64) {
    write_f64_g(out, value, 17);
}

/// Powers of ten below which integers have so many digits: up to 15, which a double holds exactly.
const INTEGERS: [f64; 16] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// Appends `value` as C's `%g` prints it with a precision of 1 to 17; NaN without a sign.
pub(crate) fn write_f64_g(out: &mut Vec<u8>, value: f64, precision: usize) {
    let limit = INTEGERS[precision.min(15)];
    if value.abs() < limit && value.fract() == 0.0 && value != 0.0 {
        return write_i64(out, value as i64);
    }
    if write_special(out, value) {
        return;
    }
    // Most numbers that people write have few digits, and those are found quickly.
    if precision <= 15 && value.abs() > 1e-290 {
        let short = grisu::digits(value.abs());
        let len = short.digits().len();
        // No decimal of so many digits is nearer: doubles lie closer together than these do.
        if len <= precision {
            let exponent = short.scale + len as i32 - 1;
            return write_digits(out, value, short.digits(), exponent, precision);
        }
    }
    let mut buf = [0; 32];
    let number = value.abs();
    let (digits, exponent) = decimal_digits(&mut buf, format_args!("{number:.*e}", precision - 1));
    write_digits(out, value, digits, exponent, precision);
}

/// Writes the digits of `value` as `%g` does: without zeros at the end, and plain or with an
/// exponent.
fn write_digits(out: &mut Vec<u8>, value: f64, digits: &[u8], exponent: i32, precision: usize) {
    let zeros = digits.iter().rev().take_while(|d| **d == b'0').count();
    let digits = &digits[..digits.len() - zeros];
    if value < 0.0 {
        out.push(b'-');
    }
    if (-4..precision as i32).contains(&exponent) {
        write_plain(out, digits, exponent);
    } else {
        write_scientific(out, digits, exponent, 2);
    }
}

/// Appends `value` with exactly `decimals` digits (1 to 17) after the point. Meant for values whose
/// product with 10^decimals fits 64 bits; beyond that the result saturates.
pub(crate) fn write_f64_fixed(out: &mut Vec<u8>, value: f64, decimals: u32) {
    let unit = 10_u64.pow(decimals);
    let scaled = (value * unit as f64).round_ties_even() as i64;
    if scaled < 0 {
        out.push(b'-');
    }
    write_u64(out, scaled.unsigned_abs() / unit);
    out.push(b'.');
    let start = out.len();
    write_u64(out, scaled.unsigned_abs() % unit);
    let missing = decimals as usize - (out.len() - start);
    out.splice(start..start, std::iter::repeat_n(b'0', missing));
}

/// Writes zero, infinities and NaN. Returns whether `value` was one of them.
fn write_special(out: &mut Vec<u8>, value: f64) -> bool {
    let text: &[u8] = match value {
        _ if value.is_nan() => b"nan",
        f64::INFINITY => b"inf",
        f64::NEG_INFINITY => b"-inf",
        0.0 if value.is_sign_negative() => b"-0",
        0.0 => b"0",
        _ => return false,
    };
    out.extend_from_slice(text);
    true
}

/// Formats a positive number as `d.ddde-x` and returns its digits without the point, and x.
fn decimal_digits<'a>(buf: &'a mut [u8; 32], number: std::fmt::Arguments<'_>) -> (&'a [u8], i32) {
    let mut rest = &mut buf[..];
    rest.write_fmt(number).expect("17 digits, a point and an exponent fit 32 bytes");
    let used = 32 - rest.len();
    let e = buf[..used].iter().position(|b| *b == b'e').expect("the format asks for an exponent");
    let exponent = parse_exponent(&buf[e + 1..used]).expect("digits follow") as i32;
    if e == 1 {
        return (&buf[..1], exponent);
    }
    buf.copy_within(2..e, 1);
    (&buf[..e - 1], exponent)
}

/// Digits with a point: 123 with exponent 0 is `1.23`, with -2 `0.0123`, with 4 `12300`.
fn write_plain(out: &mut Vec<u8>, digits: &[u8], exponent: i32) {
    if exponent < 0 {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + (-exponent - 1) as usize, b'0');
        return out.extend_from_slice(digits);
    }
    let whole = exponent as usize + 1;
    if digits.len() <= whole {
        out.extend_from_slice(digits);
        return out.resize(out.len() + whole - digits.len(), b'0');
    }
    out.extend_from_slice(&digits[..whole]);
    out.push(b'.');
    out.extend_from_slice(&digits[whole..]);
}

/// `d.ddde+x`, with at least `width` digits of exponent.
fn write_scientific(out: &mut Vec<u8>, digits: &[u8], exponent: i32, width: usize) {
    out.push(digits[0]);
    if digits.len() > 1 {
        out.push(b'.');
        out.extend_from_slice(&digits[1..]);
    }
    out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
    if width == 2 && exponent.abs() < 10 {
        out.push(b'0');
    }
    write_u64(out, u64::from(exponent.unsigned_abs()));
}

mod strtod;
pub(crate) use strtod::leading_f64;

#[cfg(test)]
mod tests;
