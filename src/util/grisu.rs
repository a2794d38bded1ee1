//! Grisu2: a double as a few decimal digits, found with 64-bit integers only.
//!
//! Florian Loitsch, "Printing Floating-Point Numbers Quickly and Accurately with Integers" (2010),
//! section 5. Around a double `v` lies the interval of all numbers that read back as `v`:
//!
//! ```text
//!        low              v              high          half way to the two neighbours of v
//!   ------[---------------|---------------]------
//!          digits of `high` are taken until what is left out no longer leads below `low`,
//!          then the last digit is lowered as long as that comes nearer to v
//! ```
//!
//! All three are multiplied by one power of ten, so that the part before the point fits 32 bits.
//! The powers are rounded to 64 bits, so the interval is made smaller by one unit on either side,
//! and the digits are always right, but in about one double of a thousand not the fewest.
//!
//! Compat: redis-server 7.2 prints scores this way, and users compare those texts, as well as the
//! digests made of them. So which power is chosen, how products are rounded and where ties go is
//! part of the contract: the sample in `grisu/facts.tsv` comes from redis-server 7.2.6.

/// Most digits a double is given.
pub(crate) const MAX_DIGITS: usize = 18;

/// The digits `digits[..len]`, read as an integer, times 10^scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decimal {
    digits: [u8; MAX_DIGITS],
    len: u8,
    pub scale: i32,
}

impl Decimal {
    /// ASCII; the first is not zero.
    pub(crate) fn digits(&self) -> &[u8] {
        &self.digits[..usize::from(self.len)]
    }
    fn push(&mut self, digit: u8) {
        self.digits[usize::from(self.len)] = b'0' + digit;
        self.len += 1;
    }
}

/// Digits that read back as `value`, which is finite and not zero; its sign is ignored.
pub(crate) fn digits(value: f64) -> Decimal {
    let (v, low, high) = interval(value);
    let (power, ten) = power_for(high.exponent);
    let v = v.times(ten).bits;
    let high = high.times(ten);
    // What the product is off by is less than one unit.
    let (low, top) = (low.times(ten).bits + 1, high.bits - 1);

    let shift = high.exponent.unsigned_abs();
    let mut out = Decimal { digits: [0; MAX_DIGITS], len: 0, scale: -power };
    let (mut room, mut above) = (top - low, top - v);
    let mut whole = (top >> shift) as u32;
    let mut part = top & ((1 << shift) - 1);

    let mut place = whole.checked_ilog10().map_or(0, |log| log as i32 + 1);
    while place > 0 {
        place -= 1;
        let unit = TENS[place as usize];
        out.push((whole / unit) as u8);
        whole %= unit;
        let left = (u64::from(whole) << shift) + part;
        if left <= room {
            out.scale += place;
            lower_last(&mut out, left, u64::from(unit) << shift, room, above);
            return out;
        }
    }
    loop {
        (part, room, above) = (part * 10, room * 10, above * 10);
        out.scale -= 1;
        let digit = (part >> shift) as u8;
        if digit > 0 || out.len > 0 {
            out.push(digit);
        }
        part &= (1 << shift) - 1;
        if part < room {
            lower_last(&mut out, part, 1 << shift, room, above);
            return out;
        }
    }
}

/// Lowers the last digit, worth `unit`, while that comes nearer to the double. The digits lie
/// `left` below the top of the interval, the double lies `above` below it, and the interval ends
/// `room` below it.
#[inline]
fn lower_last(out: &mut Decimal, mut left: u64, unit: u64, room: u64, above: u64) {
    while left < above && room - left >= unit {
        let next = left + unit;
        if next >= above && next - above >= above - left {
            return;
        }
        out.digits[usize::from(out.len) - 1] -= 1;
        left = next;
    }
}

/// `bits * 2^exponent`.
#[derive(Clone, Copy, Debug)]
struct Float {
    bits: u64,
    exponent: i32,
}

impl Float {
    /// The upper half of the product, rounded half up.
    fn times(self, other: Float) -> Float {
        let product = u128::from(self.bits) * u128::from(other.bits);
        let bits = ((product + (1 << 63)) >> 64) as u64;
        Float { bits, exponent: self.exponent + other.exponent + 64 }
    }
}

/// The double and the ends of its interval, with the exponent that gives the upper end its highest
/// bit.
fn interval(value: f64) -> (Float, Float, Float) {
    const HIDDEN: u64 = 1 << 52;
    let raw = value.to_bits();
    let (fraction, biased) = (raw & (HIDDEN - 1), (raw >> 52 & 0x7ff) as i32);
    let (bits, exponent) =
        if biased == 0 { (fraction, -1074) } else { (fraction | HIDDEN, biased - 1075) };
    // In quarters of a unit: the neighbour below a power of two is only half as far away.
    let high = 4 * bits + 2;
    let low = 4 * bits - if bits == HIDDEN { 1 } else { 2 };
    let shift = high.leading_zeros();
    let exponent = exponent - 2 - shift as i32;
    let float = |bits: u64| Float { bits: bits << shift, exponent };
    (float(4 * bits), float(low), float(high))
}

const TENS: [u32; 10] = {
    let mut tens = [1; 10];
    let mut i = 1;
    while i < 10 {
        tens[i] = tens[i - 1] * 10;
        i += 1;
    }
    tens
};

/// The first power of ten in the table, and how far apart they are.
const FIRST: i32 = -348;
const STEP: i32 = 8;

/// The least power of ten in the table that lifts a number of 64 bits with this exponent to one
/// with an exponent of -60 or more. It is then at most -32.
fn power_for(exponent: i32) -> (i32, Float) {
    // 10^k has k * log2(10) bits before the point, rounded down, and one more; 64 of them are in
    // the table.
    const LOG10_2: i32 = 78_913; // times 2^18
    let least = (-(exponent + 61) * LOG10_2 + (1 << 18) - 1) >> 18;
    let index = (least - FIRST + STEP - 1) / STEP;
    (FIRST + index * STEP, POWERS[index as usize])
}

/// 10^-348, 10^-340 ... 10^340, each rounded to 64 bits.
static POWERS: [Float; 87] = {
    let mut powers = [Float { bits: 0, exponent: 0 }; 87];
    // From the middle, 10^4, upwards and downwards. 128 bits carry 43 roundings without harm to the
    // upper 64.
    let middle = 44;
    let start = Wide { bits: 10_000 << 114, exponent: -114 };
    let mut at = start;
    let mut i = middle;
    while i < 87 {
        powers[i] = at.rounded();
        at = at.times_5_to_8();
        at.exponent += STEP;
        i += 1;
    }
    at = start;
    i = middle;
    while i > 0 {
        at = at.by_5_to_8();
        at.exponent -= STEP;
        i -= 1;
        powers[i] = at.rounded();
    }
    powers
};

/// `bits * 2^exponent`, the highest bit set.
#[derive(Clone, Copy)]
struct Wide {
    bits: u128,
    exponent: i32,
}

impl Wide {
    const FIVES: u128 = 5_u128.pow(STEP as u32);

    const fn times_5_to_8(self) -> Wide {
        let low = (self.bits & u64::MAX as u128) * Wide::FIVES;
        let high = (self.bits >> 64) * Wide::FIVES + (low >> 64);
        // `high` has 82 or 83 bits.
        let up = high.leading_zeros();
        let down = 64 - up;
        let bits = (high << up) | ((low & u64::MAX as u128) >> down);
        Wide { bits, exponent: self.exponent + down as i32 }
    }

    const fn by_5_to_8(self) -> Wide {
        let (quotient, rest) = (self.bits / Wide::FIVES, self.bits % Wide::FIVES);
        let up = quotient.leading_zeros();
        let bits = (quotient << up) | ((rest << up) / Wide::FIVES);
        Wide { bits, exponent: self.exponent - up as i32 }
    }

    const fn rounded(self) -> Float {
        let bits = (self.bits >> 64) as u64 + (self.bits >> 63 & 1) as u64;
        Float { bits, exponent: self.exponent + 64 }
    }
}

#[cfg(test)]
mod tests;
