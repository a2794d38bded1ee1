//! The 80-bit floating point type of x86, as far as INCRBYFLOAT and HINCRBYFLOAT need it.
//!
//! Clients see the results of these commands as text, and replicas and files store that text. To
//! give the same digits as redis-server, sums have to be rounded as C's `long double` rounds them:
//! to a mantissa of 64 bits, nearest, ties to even. Rust has no such type, so it is imitated here
//! with integers. All conversions are exact up to that one rounding.
//!
//! A finite number is `mantissa * 2^exponent`, where the mantissa has its top bit set unless the
//! exponent is the least one there is (or the number is zero).

use super::num;
use std::cmp::Ordering;

/// The exponent of the last bit of the smallest numbers.
const MIN_EXPONENT: i64 = -16445;
/// The exponent of the first bit of the largest numbers.
const MAX_TOP: i64 = 16383;
/// Decimal places printed at most.
const DECIMALS: usize = 17;
const UNIT: u128 = 10_u128.pow(DECIMALS as u32);
/// Longer texts are no numbers to redis-server.
const MAX_TEXT: usize = 5 * 1024;

/// A number of the 80-bit type, but never NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LongDouble {
    negative: bool,
    value: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Finite { mantissa: u64, exponent: i64 },
    Infinite,
}

impl LongDouble {
    /// Reads what `strtold` reads, used up completely and without leading blanks. NaN, overflow
    /// and underflow to zero are refused; infinities are not.
    pub(crate) fn parse(text: &[u8]) -> Option<LongDouble> {
        let unsigned = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
        if text.len() >= MAX_TEXT {
            return None;
        }
        let negative = text.starts_with(b"-");
        let infinite =
            unsigned.eq_ignore_ascii_case(b"inf") || unsigned.eq_ignore_ascii_case(b"infinity");
        let value = match unsigned {
            _ if infinite => Value::Infinite,
            [b'0', b'x' | b'X', hex @ ..] => {
                let (mantissa, exponent) = num::parse_hex_mantissa(hex)?;
                Value::round(mantissa, exponent)?
            }
            _ => parse_decimal(unsigned)?,
        };
        Some(LongDouble { negative, value })
    }

    /// The sum, unless it is infinite or not a number.
    pub(crate) fn checked_add(self, other: LongDouble) -> Option<LongDouble> {
        let (Value::Finite { mantissa: m, exponent: e }, Value::Finite { mantissa, exponent }) =
            (self.value, other.value)
        else {
            return None;
        };
        if e < exponent {
            return other.checked_add(self);
        }
        // 62 more bits than the mantissa has: enough for the smaller operand to be cut off there,
        // as long as its last bit tells whether anything was.
        let big = u128::from(m) << 62;
        let small = shift_jam(u128::from(mantissa) << 62, e - exponent);
        if self.negative == other.negative {
            let value = Value::round(big + small, e - 62)?;
            return Some(LongDouble { negative: self.negative, value });
        }
        let (size, negative) = match big.cmp(&small) {
            Ordering::Equal => return Some(LongDouble::from(0)),
            Ordering::Greater => (big - small, self.negative),
            Ordering::Less => (small - big, other.negative),
        };
        Some(LongDouble { negative, value: Value::round(size, e - 62)? })
    }

    /// A thousand times this, rounded as a product of this type is, then up to an integer: how
    /// time-outs in seconds become milliseconds. Saturates far beyond 64 bits.
    pub(crate) fn thousandfold_ceil(self) -> i128 {
        let limit = if self.negative { i128::MIN } else { i128::MAX };
        let Value::Finite { mantissa, exponent } = self.value else { return limit };
        let product = Value::round(u128::from(mantissa) * 1000, exponent);
        let Some(Value::Finite { mantissa, exponent }) = product else { return limit };
        let (mantissa, left) = (u128::from(mantissa), exponent);
        let size = match u32::try_from(left.unsigned_abs()).unwrap_or(u32::MAX) {
            bits if left >= 0 && bits + 64 >= 127 => return limit,
            bits if left >= 0 => mantissa << bits,
            bits if bits > 64 => u128::from(!self.negative && mantissa != 0),
            bits => {
                let whole = mantissa >> bits;
                whole + u128::from(!self.negative && whole << bits != mantissa)
            }
        };
        if self.negative { -(size as i128) } else { size as i128 }
    }

    /// Whether this is an infinity.
    pub(crate) fn is_infinite(self) -> bool {
        self.value == Value::Infinite
    }

    /// The text that redis-server gives to its results: no exponent, at most 17 decimal places, no
    /// zeros at their end, no `-0`. Up to 4950 bytes.
    pub(crate) fn format_human(self) -> Vec<u8> {
        let digits = match self.value {
            Value::Infinite => b"inf".to_vec(),
            Value::Finite { mantissa, exponent } if exponent >= 0 => {
                Natural::from(u128::from(mantissa)).shifted_left(exponent as usize).into_decimal()
            }
            Value::Finite { mantissa, exponent } => {
                // At most 64 + 57 bits.
                let scaled = num::shift_round_even(u128::from(mantissa) * UNIT, -exponent);
                let text = format!("{}.{:0DECIMALS$}", scaled / UNIT, scaled % UNIT);
                text.trim_end_matches('0').trim_end_matches('.').as_bytes().to_vec()
            }
        };
        let sign: &[u8] = if self.negative && digits != b"0" { b"-" } else { b"" };
        [sign, &digits].concat()
    }
}

impl From<i64> for LongDouble {
    /// Every 64-bit integer is a number of this type.
    fn from(number: i64) -> LongDouble {
        let value = Value::round(u128::from(number.unsigned_abs()), 0);
        let value = value.expect("no integer is out of range");
        LongDouble { negative: number < 0, value }
    }
}

impl Value {
    /// `bits * 2^exponent`, rounded. `None` when that is infinite, or zero though `bits` is not.
    fn round(bits: u128, exponent: i64) -> Option<Value> {
        if bits == 0 {
            return Some(Value::Finite { mantissa: 0, exponent: MIN_EXPONENT });
        }
        let top = exponent.saturating_add(127 - i64::from(bits.leading_zeros()));
        let lowest = (top - 63).max(MIN_EXPONENT);
        if top > MAX_TOP {
            return None;
        }
        let rounded = num::shift_round_even(bits, lowest.saturating_sub(exponent));
        match u64::try_from(rounded) {
            Ok(0) => None,
            Ok(mantissa) => Some(Value::Finite { mantissa, exponent: lowest }),
            // Rounded up to the next power of two.
            Err(_) if top == MAX_TOP => None,
            Err(_) => Some(Value::Finite { mantissa: 1 << 63, exponent: lowest + 1 }),
        }
    }
}

/// `value / 2^bits`, with the last bit set if anything was cut off.
fn shift_jam(value: u128, bits: i64) -> u128 {
    if bits > 127 {
        return u128::from(value != 0);
    }
    let kept = value >> bits;
    kept | u128::from(kept << bits != value)
}

/// Reads `digits [. digits] [e exponent]`.
fn parse_decimal(text: &[u8]) -> Option<Value> {
    let (digits, mut exponent) = match text.iter().position(|b| matches!(b, b'e' | b'E')) {
        Some(at) => (&text[..at], num::parse_exponent(&text[at + 1..])?),
        None => (text, 0),
    };
    let mut number = Natural::from(0);
    let (mut point, mut count, mut significant) = (false, 0, 0_i64);
    for chunk in digits.chunks(9) {
        let (mut part, mut power) = (0, 1);
        for &byte in chunk {
            match byte {
                b'0'..=b'9' => {
                    part = part * 10 + u32::from(byte - b'0');
                    power *= 10;
                    exponent -= i64::from(point);
                    count += 1;
                    significant += i64::from(significant > 0 || byte != b'0');
                }
                b'.' if !point => point = true,
                _ => return None,
            }
        }
        number.multiply_add(power, part);
    }
    // The number lies between 10^(size - 1) and 10^size. Far outside the type's range, the
    // powers below would only get long.
    let size = significant + exponent;
    match (count, significant) {
        (0, _) => return None,
        (_, 0) => return Value::round(0, 0),
        _ if !(-5000..=4933).contains(&size) => return None,
        _ => {}
    }
    if let ([low] | [low, _], -18..=0) = (number.0.as_slice(), exponent) {
        // The usual case: the quotient of 128 bits by at most 60 has bits to spare.
        let high = number.0.get(1).copied().unwrap_or(0);
        let number = u128::from(high) << 32 | u128::from(*low);
        let shift = number.leading_zeros();
        let power = 10_u128.pow(exponent.unsigned_abs() as u32);
        let (quotient, rest) = ((number << shift) / power, (number << shift) % power);
        return Value::round(quotient | u128::from(rest != 0), -i64::from(shift));
    }
    let power = Natural::power_of_ten(exponent.unsigned_abs() as usize);
    if exponent >= 0 {
        let product = number.times(&power);
        let shift = product.bit_length().saturating_sub(127);
        return Value::round(product.shifted_right_jam(shift), shift as i64);
    }
    // Enough bits that the quotient has 66 of them, two more than the mantissa.
    let shift = 66 + power.bit_length() as i64 - number.bit_length() as i64;
    let quotient = match usize::try_from(shift) {
        Ok(left) => number.shifted_left(left).divide_jam(&power),
        Err(_) => number.divide_jam(&power.shifted_left(-shift as usize)),
    };
    Value::round(quotient, -shift)
}

/// A natural number of any size, in digits of 32 bits, the least first, without leading zeros.
#[derive(Clone, Debug)]
struct Natural(Vec<u32>);

impl Natural {
    fn power_of_ten(exponent: usize) -> Natural {
        let mut power = Natural::from(1);
        for _ in 0..exponent / 9 {
            power.multiply_add(1_000_000_000, 0);
        }
        power.multiply_add(10_u32.pow((exponent % 9) as u32), 0);
        power
    }

    fn bit_length(&self) -> usize {
        let top = self.0.last().map_or(0, |digit| 32 - digit.leading_zeros());
        self.0.len().saturating_sub(1) * 32 + top as usize
    }

    fn multiply_add(&mut self, factor: u32, carry: u32) {
        let mut carry = u64::from(carry);
        for digit in &mut self.0 {
            let sum = u64::from(*digit) * u64::from(factor) + carry;
            *digit = sum as u32;
            carry = sum >> 32;
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
    }

    fn times(&self, other: &Natural) -> Natural {
        let mut out = vec![0_u32; self.0.len() + other.0.len()];
        for (i, &a) in self.0.iter().enumerate() {
            let mut carry = 0;
            for (j, &b) in other.0.iter().enumerate() {
                let sum = u64::from(a) * u64::from(b) + u64::from(out[i + j]) + carry;
                out[i + j] = sum as u32;
                carry = sum >> 32;
            }
            out[i + other.0.len()] = carry as u32;
        }
        Natural(out).trimmed()
    }

    fn trimmed(mut self) -> Natural {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
        self
    }

    fn shifted_left(&self, bits: usize) -> Natural {
        let mut out = vec![0; bits / 32];
        let mut carry = 0;
        for &digit in &self.0 {
            let wide = u64::from(digit) << (bits % 32);
            out.push(wide as u32 | carry);
            carry = (wide >> 32) as u32;
        }
        out.push(carry);
        Natural(out).trimmed()
    }

    /// `self / 2^bits`, which must fit, with the last bit set if anything was cut off.
    fn shifted_right_jam(&self, bits: usize) -> u128 {
        let (mut out, mut cut) = (0_u128, false);
        for (i, &digit) in self.0.iter().enumerate() {
            for bit in (0..32).filter(|bit| digit >> bit & 1 == 1) {
                let place = i * 32 + bit;
                if place < bits {
                    cut = true;
                } else {
                    out |= 1 << (place - bits);
                }
            }
        }
        out | u128::from(cut)
    }

    /// `self / divisor`, which must have at most 67 bits, with the last bit set if there is a
    /// remainder. One bit at a time: the numbers are short, and there are few of them.
    fn divide_jam(mut self, divisor: &Natural) -> u128 {
        let mut quotient = 0_u128;
        let mut part = divisor.shifted_left(66);
        for _ in 0..67 {
            quotient <<= 1;
            if self.compare(&part) != Ordering::Less {
                self.subtract(&part);
                quotient |= 1;
            }
            part.halve();
        }
        quotient | u128::from(!self.0.is_empty())
    }

    fn compare(&self, other: &Natural) -> Ordering {
        let by_length = self.0.len().cmp(&other.0.len());
        by_length.then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }

    /// Subtracts a number that is not greater.
    fn subtract(&mut self, other: &Natural) {
        let mut borrow = false;
        for (i, digit) in self.0.iter_mut().enumerate() {
            let (first, a) = digit.overflowing_sub(other.0.get(i).copied().unwrap_or(0));
            let (second, b) = first.overflowing_sub(u32::from(borrow));
            *digit = second;
            borrow = a || b;
        }
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    fn halve(&mut self) {
        let mut carry = 0;
        for digit in self.0.iter_mut().rev() {
            let low = *digit & 1;
            *digit = *digit >> 1 | carry << 31;
            carry = low;
        }
        if self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    fn into_decimal(mut self) -> Vec<u8> {
        let mut parts = Vec::new();
        while !self.0.is_empty() {
            let mut rest = 0;
            for digit in self.0.iter_mut().rev() {
                let wide = rest << 32 | u64::from(*digit);
                *digit = (wide / 1_000_000_000) as u32;
                rest = wide % 1_000_000_000;
            }
            self = self.trimmed();
            parts.push(rest);
        }
        let first = parts.pop().unwrap_or(0).to_string();
        let others: Vec<String> = parts.iter().rev().map(|part| format!("{part:09}")).collect();
        (first + &others.concat()).into_bytes()
    }
}

impl From<u128> for Natural {
    fn from(value: u128) -> Natural {
        Natural((0..4).map(|i| (value >> (32 * i)) as u32).collect()).trimmed()
    }
}

#[cfg(test)]
mod tests;
