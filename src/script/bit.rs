//! `bit`: operations on numbers as integers of 32 bits.
//!
//! Numbers are taken modulo 2^32, and results are signed.

use super::bridge::{Member, Raise, Stack};

pub(crate) const MEMBERS: &[(&str, Member)] = &[
    ("tobit", Member::call(to_bit)),
    ("bnot", Member::call(not)),
    ("band", Member::call(and)),
    ("bor", Member::call(or)),
    ("bxor", Member::call(xor)),
    ("lshift", Member::call(shift_left)),
    ("rshift", Member::call(shift_right)),
    ("arshift", Member::call(shift_signed)),
    ("rol", Member::call(rotate_left)),
    ("ror", Member::call(rotate_right)),
    ("bswap", Member::call(swap)),
    ("tohex", Member::call(to_hex)),
];

/// 2^52 + 2^51: a double of this size has no room for anything but integers, and its lowest bits
/// are those of the integer that was added.
const MAGIC: f64 = 6755399441055744.0;

/// The lower 32 bits of a number, rounded to the nearest integer.
fn bits(stack: &Stack<'_>, i: usize) -> Result<u32, Raise> {
    // Compat: infinities and numbers from 2^51 on give what the addition leaves in those bits.
    Ok((stack.check_number(i)? + MAGIC).to_bits() as u32)
}

fn result(stack: &mut Stack<'_>, bits: u32) -> Result<usize, Raise> {
    stack.push_number(f64::from(bits as i32));
    Ok(1)
}

/// `bit.tobit(x)`.
fn to_bit(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    let x = bits(stack, 1)?;
    result(stack, x)
}

/// `bit.bnot(x)`.
fn not(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    let x = bits(stack, 1)?;
    result(stack, !x)
}

/// Joins all arguments.
fn join(stack: &mut Stack<'_>, with: impl Fn(u32, u32) -> u32) -> Result<usize, Raise> {
    let mut x = bits(stack, 1)?;
    // Compat: the last one that is no number is the one that the error names.
    for i in (2..=stack.len()).rev() {
        x = with(x, bits(stack, i)?);
    }
    result(stack, x)
}

/// `bit.band(x, ...)`.
fn and(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    join(stack, |a, b| a & b)
}

/// `bit.bor(x, ...)`.
fn or(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    join(stack, |a, b| a | b)
}

/// `bit.bxor(x, ...)`.
fn xor(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    join(stack, |a, b| a ^ b)
}

/// Shifts the first argument by the second one, of which five bits count.
fn shift(stack: &mut Stack<'_>, by: impl Fn(u32, u32) -> u32) -> Result<usize, Raise> {
    let (x, n) = (bits(stack, 1)?, bits(stack, 2)?);
    result(stack, by(x, n & 31))
}

/// `bit.lshift(x, n)`.
fn shift_left(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    shift(stack, |x, n| x << n)
}

/// `bit.rshift(x, n)`.
fn shift_right(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    shift(stack, |x, n| x >> n)
}

/// `bit.arshift(x, n)`: the sign comes in from the left.
fn shift_signed(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    shift(stack, |x, n| (x as i32 >> n) as u32)
}

/// `bit.rol(x, n)`.
fn rotate_left(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    shift(stack, u32::rotate_left)
}

/// `bit.ror(x, n)`.
fn rotate_right(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    shift(stack, u32::rotate_right)
}

/// `bit.bswap(x)`.
fn swap(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    let x = bits(stack, 1)?;
    result(stack, x.swap_bytes())
}

/// `bit.tohex(x [, n])`: the last `n` digits, 8 at most; if it is negative, in capitals.
fn to_hex(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    let x = bits(stack, 1)?;
    let n = if stack.len() >= 2 { bits(stack, 2)? as i32 } else { 8 };
    let digits: &[u8; 16] = if n < 0 { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
    let text: [u8; 8] = std::array::from_fn(|i| digits[(x >> (28 - 4 * i) & 15) as usize]);
    // The smallest number has no counterpart: it is taken without its sign.
    let len = n.unsigned_abs().min(8) as usize;
    stack.push_bytes(&text[8 - len..]);
    Ok(1)
}

#[cfg(test)]
mod tests {
    use crate::script::testing::shown;

    #[test]
    fn numbers_are_taken_modulo_two_to_the_32() {
        assert_eq!(shown("return bit.tobit(0xffffffff)"), "-1");
        assert_eq!(shown("return bit.tobit(2^32 + 5)"), "5");
        assert_eq!(shown("return bit.tobit('-7')"), "-7");
        assert_eq!(shown("return {bit.tobit(2.5), bit.tobit(3.5), bit.tobit(-0.5)}"), "{2,4,0}");
        assert_eq!(shown("return {bit.tobit(1/0), bit.tobit(0/0)}"), "{0,0}");
        assert_eq!(shown("return bit.bnot(0)"), "-1");
        assert_eq!(shown("return bit.bswap(0x12345678)"), "2018915346");
    }

    #[test]
    fn several_numbers_are_joined() {
        assert_eq!(shown("return bit.band(0xff, 0x3c, 0x18)"), "24");
        assert_eq!(shown("return bit.bor(1, 2, 4, 8)"), "15");
        assert_eq!(shown("return bit.bxor(0xff, 0x0f)"), "240");
        assert_eq!(
            shown("return bit.bor(1, {}, false)"),
            "ERR user_script:1: bad argument #3 to 'bor' (number expected, got boolean)"
        );
        assert_eq!(
            shown("return bit.bor()"),
            "ERR user_script:1: bad argument #1 to 'bor' (number expected, got no value)"
        );
    }

    #[test]
    fn five_bits_of_a_distance_count() {
        assert_eq!(shown("return bit.lshift(1, 33)"), "2");
        assert_eq!(shown("return bit.rshift(-1, 28)"), "15");
        assert_eq!(shown("return bit.arshift(-16, 2)"), "-4");
        assert_eq!(shown("return bit.rol(0x80000001, 0)"), "-2147483647");
        assert_eq!(shown("return bit.rol(0x80000001, 1)"), "3");
        assert_eq!(shown("return bit.ror(3, 1)"), "-2147483647");
    }

    #[test]
    fn tohex_of_the_smallest_number_of_digits() {
        assert_eq!(shown("return bit.tohex(0xabcdef)"), "00abcdef");
        assert_eq!(shown("return bit.tohex(0xabcdef, -4)"), "CDEF");
        assert_eq!(shown("return bit.tohex(0xabcdef, 0)"), "");
        assert_eq!(shown("return bit.tohex(0xabcdef, 100)"), "00abcdef");
        // The text was as long as the number of digits, which had no end.
        assert_eq!(shown("return bit.tohex(65535, -2147483648)"), "0000FFFF");
        assert_eq!(
            shown("return bit.tohex(1, nil)"),
            "ERR user_script:1: bad argument #2 to 'tohex' (number expected, got nil)"
        );
    }
}
