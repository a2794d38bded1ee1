//! `struct`: numbers and strings as bytes, laid out by a format.
//!
//! ```text
//! > <           big endian, little endian (as at the beginning)
//! !n            numbers are aligned to their size, n at most: a power of two; 8 if there is none
//! x             a byte of padding
//! b B h H l L   signed and unsigned integers of 1, 2 and 8 bytes
//! T             the same as L
//! in In         signed and unsigned integers of n bytes, 32 at most; 4 if there is none
//! f d           floating point numbers of 4 and 8 bytes
//! cn            n bytes; c0: a whole string, or as many bytes as the number before it says
//! s             a string with a NUL behind it
//! ```
//! A format ends at a NUL. Sizes are checked before anything is read or written.

use super::bridge::{MAX_STACK, Member, Raise, Stack, integer};

pub(crate) const MEMBERS: &[(&str, Member)] =
    &[("pack", Member::call(pack)), ("unpack", Member::call(unpack)), ("size", Member::call(size))];

/// The largest size of an integer.
const MAX_INTEGER: usize = 32;
const MAX_ALIGN: usize = 8;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Endian {
    Big,
    Little,
}

/// A format, read from the front.
struct Format<'a> {
    rest: &'a [u8],
    endian: Endian,
    align: usize,
}

impl<'a> Format<'a> {
    /// The format in the first argument.
    fn of(stack: &mut Stack<'a>) -> Result<Format<'a>, Raise> {
        let text = stack.check_string(1)?;
        let rest = &text[..memchr::memchr(0, text).unwrap_or(text.len())];
        Ok(Format { rest, endian: Endian::Little, align: 1 })
    }

    /// The next option, and the size of its value: 0 if that is not known, or there is none.
    fn next(&mut self) -> Result<Option<(u8, usize)>, Raise> {
        let Some((&option, rest)) = self.rest.split_first() else { return Ok(None) };
        self.rest = rest;
        let size = match option {
            b'B' | b'b' | b'x' => 1,
            b'H' | b'h' => 2,
            b'L' | b'l' | b'T' | b'd' => 8,
            b'f' => 4,
            b'c' => self.number(1)?,
            b'i' | b'I' => match self.number(4)? {
                n if n > MAX_INTEGER => {
                    let text = format!("integral size {n} is larger than limit of {MAX_INTEGER}");
                    return Err(Raise::error(text));
                }
                n => n,
            },
            _ => 0,
        };
        Ok(Some((option, size)))
    }

    /// The number that follows, or what stands for none.
    fn number(&mut self, default: usize) -> Result<usize, Raise> {
        if !self.rest.first().is_some_and(u8::is_ascii_digit) {
            return Ok(default);
        }
        let mut n = 0_i32;
        while let Some(digit) = self.rest.first().filter(|c| c.is_ascii_digit()) {
            self.rest = &self.rest[1..];
            n = n
                .checked_mul(10)
                .and_then(|n| n.checked_add(i32::from(digit - b'0')))
                .ok_or_else(|| Raise::error("integral size overflow"))?;
        }
        Ok(n as usize)
    }

    /// Bytes of padding before a value of `size` at `at`.
    fn padding(&self, at: usize, option: u8, size: usize) -> usize {
        if size == 0 || option == b'c' {
            return 0;
        }
        let size = size.min(self.align);
        // Compat: this is an alignment for powers of two alone, and something else for others.
        (size - (at & (size - 1))) & (size - 1)
    }

    /// An option that is not about a value.
    fn control(&mut self, option: u8) -> Result<(), Raise> {
        match option {
            b' ' => {}
            b'>' => self.endian = Endian::Big,
            b'<' => self.endian = Endian::Little,
            b'!' => {
                let align = self.number(MAX_ALIGN)?;
                if !align.is_power_of_two() {
                    return Err(Raise::error(format!("alignment {align} is not a power of 2")));
                }
                self.align = align;
            }
            _ => {
                let text = [b"invalid format option '", &[option][..], b"'"].concat();
                return Err(Raise::Argument(1, text));
            }
        }
        Ok(())
    }

    fn put(&self, out: &mut Vec<u8>, bytes: &[u8]) {
        let start = out.len();
        out.extend_from_slice(bytes);
        if self.endian == Endian::Big {
            out[start..].reverse();
        }
    }

    fn take<const N: usize>(&self, bytes: &[u8]) -> [u8; N] {
        let mut taken = [0; N];
        taken.copy_from_slice(&bytes[..N]);
        if self.endian == Endian::Big {
            taken.reverse();
        }
        taken
    }
}

/// What a conversion to an unsigned integer of 64 bits gives on x86-64.
fn unsigned(n: f64) -> u64 {
    const HALF: f64 = 9223372036854775808.0;
    if n >= HALF { integer(n - HALF) as u64 ^ 1 << 63 } else { integer(n) as u64 }
}

/// `struct.pack(format, ...)`. O(result).
fn pack(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    let format = Format::of(stack)?;
    let mut scratch = stack.take_scratch();
    let end = write(stack, format, &mut scratch.bytes);
    if end.is_ok() {
        stack.push_bytes(&scratch.bytes);
    }
    stack.give_scratch(scratch);
    end.map(|()| 1)
}

fn write<'a>(
    stack: &mut Stack<'a>,
    mut format: Format<'a>,
    out: &mut Vec<u8>,
) -> Result<(), Raise> {
    // Compat: an argument that is missing is nil.
    stack.push_nil();
    let mut arg = 2;
    while let Some((option, size)) = format.next()? {
        let padded = out.len() + format.padding(out.len(), option, size);
        out.resize(padded, 0);
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let value = unsigned(stack.check_number(arg)?).to_le_bytes();
                let mut bytes = [0; MAX_INTEGER];
                // Compat: what is larger than 8 bytes has no sign.
                bytes[..8].copy_from_slice(&value);
                format.put(out, &bytes[..size]);
                arg += 1;
            }
            b'x' => out.push(0),
            b'f' => {
                format.put(out, &(stack.check_number(arg)? as f32).to_le_bytes());
                arg += 1;
            }
            b'd' => {
                format.put(out, &stack.check_number(arg)?.to_le_bytes());
                arg += 1;
            }
            b'c' | b's' => {
                let text = stack.check_string(arg)?;
                // Compat: the error names the argument behind it.
                arg += 1;
                let size = if size == 0 { text.len() } else { size };
                let Some(text) = text.get(..size) else {
                    return Err(Raise::Argument(arg, b"string too short".to_vec()));
                };
                out.extend_from_slice(text);
                if option == b's' {
                    out.push(0);
                }
            }
            _ => format.control(option)?,
        }
    }
    Ok(())
}

/// `struct.unpack(format, text [, position])`: the values, and the position behind the last of
/// them. O(format).
fn unpack(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    let mut format = Format::of(stack)?;
    let data = stack.check_string(2)?;
    // A position may be anything, and wraps as integers do: it is compared before it is used.
    let at = if stack.is_none_or_nil(3) { 1 } else { stack.check_integer(3)? as usize };
    let Some(mut at) = at.checked_sub(1) else {
        return Err(Raise::Argument(3, b"offset must be 1 or greater".to_vec()));
    };
    let arguments = stack.len();
    while let Some((option, size)) = format.next()? {
        at = at.wrapping_add(format.padding(at, option, size));
        let mut end = end_of(data, at, size)?;
        // Room for a value, and for the position at the end.
        if stack.len() + 2 > MAX_STACK || stack.reserve(2).is_err() {
            return Err(Raise::error("stack overflow (too many results)"));
        }
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let value = read_integer(&data[at..end], format.endian, option);
                stack.push_number(value);
            }
            b'f' => stack.push_number(f64::from(f32::from_le_bytes(format.take(&data[at..end])))),
            b'd' => stack.push_number(f64::from_le_bytes(format.take(&data[at..end]))),
            b'c' => {
                if size == 0 {
                    if stack.len() == arguments || !stack.is_number(stack.len()) {
                        return Err(Raise::error("format 'c0' needs a previous size"));
                    }
                    let size = unsigned(stack.number(stack.len())) as usize;
                    stack.pop(1);
                    end = end_of(data, at, size)?;
                }
                stack.push_bytes(&data[at..end]);
            }
            b's' => {
                let Some(len) = memchr::memchr(0, &data[at..]) else {
                    return Err(Raise::error("unfinished string in data"));
                };
                end = at + len + 1;
                stack.push_bytes(&data[at..end - 1]);
            }
            b'x' => {}
            _ => format.control(option)?,
        }
        at = end;
    }
    stack.push_number(at.wrapping_add(1) as i64 as f64);
    Ok(stack.len() - arguments)
}

/// Where a value ends that begins at `at`.
fn end_of(data: &[u8], at: usize, size: usize) -> Result<usize, Raise> {
    match at.checked_add(size) {
        Some(end) if end <= data.len() => Ok(end),
        _ => Err(Raise::Argument(2, b"data string too short".to_vec())),
    }
}

/// The integer in `bytes`, of which 8 count at most.
fn read_integer(bytes: &[u8], endian: Endian, option: u8) -> f64 {
    let join = |n: u64, byte: &u8| n << 8 | u64::from(*byte);
    let value = match endian {
        Endian::Big => bytes.iter().fold(0, join),
        Endian::Little => bytes.iter().rev().fold(0, join),
    };
    if option.is_ascii_uppercase() {
        return value as f64;
    }
    // Compat: where there are more than 8 bytes, the sign is looked for in one that is too low.
    let sign = u64::MAX.wrapping_shl((bytes.len() as u32).wrapping_mul(8).wrapping_sub(1));
    let value = if value & sign == 0 { value } else { value | sign };
    value as i64 as f64
}

/// `struct.size(format)`. O(format).
fn size(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    let mut format = Format::of(stack)?;
    let mut at = 0_usize;
    while let Some((option, size)) = format.next()? {
        at = at.wrapping_add(format.padding(at, option, size));
        match (option, size) {
            (b's', _) => {
                return Err(Raise::Argument(1, b"option 's' has no fixed size".to_vec()));
            }
            (b'c', 0) => {
                return Err(Raise::Argument(1, b"option 'c0' has no fixed size".to_vec()));
            }
            // Compat: letters and digits that mean nothing pass.
            _ if option.is_ascii_alphanumeric() => {}
            _ => format.control(option)?,
        }
        at = at.wrapping_add(size);
    }
    stack.push_number(at as i64 as f64);
    Ok(1)
}

#[cfg(test)]
mod tests {
    use crate::script::testing::shown;

    #[test]
    fn golden_bytes() {
        for (call, bytes) in [
            ("'bBhH', -1, 255, -2, 65535", "\\xff\\xff\\xfe\\xff\\xff\\xff"),
            ("'>hi3', 1, 2", "\\x00\\x01\\x00\\x00\\x02"),
            ("'<l', -2", "\\xfe\\xff\\xff\\xff\\xff\\xff\\xff\\xff"),
            ("'>I10', -1", "\\x00\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff"),
            ("'>fd', 1, -2", "?\\x80\\x00\\x00\\xc0\\x00\\x00\\x00\\x00\\x00\\x00\\x00"),
            (
                "'!bi!2bi', 1, 2, 3, 4",
                "\\x01\\x00\\x00\\x00\\x02\\x00\\x00\\x00\\x03\\x00\\x04\\x00\\x00\\x00",
            ),
            ("'c2c0sx', 'abc', 'de', 'f'", "abdef\\x00\\x00"),
            ("'i0', 7", ""),
            ("'T', 2^64", "\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00"),
            ("'B\\0B', 7", "\\x07"),
        ] {
            assert_eq!(shown(format!("return struct.pack({call})")), bytes, "{call}");
        }
    }

    #[test]
    fn what_is_packed_unpacks() {
        for (format, values) in [
            ("bBhHiIlLT", "-1, 1, -2, 2, -3, 3, -4, 4, 5"),
            ("><!4bdh", "1, 2.5, 3"),
            (">!16bdi3i16", "1, 2.5, -3, 4"),
            ("sc3s", "'a', 'bcd', ''"),
            ("fd", "0.5, -1e300"),
        ] {
            let text = shown(format!(
                "local bytes = struct.pack('{format}', {values}) \
                 return {{struct.unpack('{format}', bytes)}}"
            ));
            let shown_values = shown(format!("return {{{values}}}"));
            assert!(text.starts_with(shown_values.trim_end_matches('}')), "{format}: {text}");
        }
    }

    #[test]
    fn lengths_in_data_are_numbers() {
        assert_eq!(shown("return {struct.unpack('Bc0', '\\3abcd')}"), "{abc,5}");
        assert_eq!(shown("return {struct.unpack('sc0', '2\\0abcd')}"), "{ab,5}");
        assert_eq!(
            shown("return struct.unpack('c0', 'abc')"),
            "ERR user_script:1: format 'c0' needs a previous size"
        );
        let short = "ERR user_script:1: bad argument #2 to 'unpack' (data string too short)";
        for call in ["'bc0', '\\255abc'", "'Bc0', '\\4abc'"] {
            assert_eq!(shown(format!("return struct.unpack({call})")), short, "{call}");
        }
    }

    /// Sizes and positions that overflowed read what lies behind the data.
    #[test]
    fn sizes_and_positions_do_not_overflow() {
        let short = "ERR user_script:1: bad argument #2 to 'unpack' (data string too short)";
        for call in [
            "'c2147483647', 'abc'",
            "'c2147483647c2147483647c2147483647', 'abc'",
            "'i', 'abcdef', -1",
            "'i', 'abcdef', 2^63 - 1024",
            "'s', 'abc', 2^62",
            "'!8b', 'abc', 5",
            "'c0', 'abc', 5",
        ] {
            assert_eq!(shown(format!("return struct.unpack({call})")), short, "{call}");
        }
        assert_eq!(
            shown("return struct.unpack('i', 'abcdef', 0)"),
            "ERR user_script:1: bad argument #3 to 'unpack' (offset must be 1 or greater)"
        );
        for call in
            ["pack('c2147483648', 'a')", "size('i99999999999')", "unpack('!2147483648', '')"]
        {
            let text = shown(format!("return struct.{call}"));
            assert_eq!(text, "ERR user_script:1: integral size overflow", "{call}");
        }
        assert_eq!(
            shown("return struct.pack('i33', 1)"),
            "ERR user_script:1: integral size 33 is larger than limit of 32"
        );
    }

    #[test]
    fn results_have_an_end() {
        let chunk = "return #{struct.unpack(string.rep('x b', 100), string.rep('1', 300))}";
        assert_eq!(shown(chunk), "101");
        assert_eq!(
            shown("return struct.unpack(string.rep('b', 9000), string.rep('1', 9000))"),
            "ERR user_script:1: stack overflow (too many results)"
        );
    }

    #[test]
    fn wrong_arguments_are_told() {
        for (call, text) in [
            ("pack()", "bad argument #1 to 'pack' (string expected, got no value)"),
            ("pack('i')", "bad argument #2 to 'pack' (number expected, got nil)"),
            ("pack('c5', 'abc')", "bad argument #3 to 'pack' (string too short)"),
            ("pack('y')", "bad argument #1 to 'pack' (invalid format option 'y')"),
            ("pack('!3')", "alignment 3 is not a power of 2"),
            ("pack('!0')", "alignment 0 is not a power of 2"),
            ("unpack('i')", "bad argument #2 to 'unpack' (string expected, got no value)"),
            ("unpack('s', 'abc')", "unfinished string in data"),
            ("size('s')", "bad argument #1 to 'size' (option 's' has no fixed size)"),
            ("size('c0')", "bad argument #1 to 'size' (option 'c0' has no fixed size)"),
        ] {
            let shown = shown(format!("return struct.{call}"));
            assert_eq!(shown, format!("ERR user_script:1: {text}"), "{call}");
        }
        assert_eq!(shown("return struct.size('!bdi y7c5')"), "25");
    }
}
