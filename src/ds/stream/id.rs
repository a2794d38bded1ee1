//! The ID of a stream's entry: milliseconds and a number within them, ordered as one of 128 bits.

use crate::util::num;

/// Longer texts are no IDs.
const TEXT_MAX: usize = 127;
/// Room for the text of an ID.
pub(crate) const ID_CHARS: usize = 41;

/// The ID of an entry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Id {
    pub ms: u64,
    pub seq: u64,
}

/// An ID as a client wrote it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Given {
    pub id: Id,
    /// The number was left to the server: `ms-*`.
    pub any_seq: bool,
}

impl Id {
    pub const MIN: Id = Id { ms: 0, seq: 0 };
    pub const MAX: Id = Id { ms: u64::MAX, seq: u64::MAX };

    /// The ID of these two numbers.
    pub const fn new(ms: u64, seq: u64) -> Id {
        Id { ms, seq }
    }

    /// The next one; None behind the last.
    pub(crate) fn next(self) -> Option<Id> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(Id { seq, ..self }),
            None => Some(Id { ms: self.ms.checked_add(1)?, seq: 0 }),
        }
    }

    /// The one before; None before the first.
    pub(crate) fn prev(self) -> Option<Id> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(Id { seq, ..self }),
            None => Some(Id { ms: self.ms.checked_sub(1)?, seq: u64::MAX }),
        }
    }

    /// The ID that lies so far behind this one, each number for itself. A number may be less than
    /// this one's: the difference of numbers wraps.
    pub(crate) fn plus(self, ms: i64, seq: i64) -> Id {
        Id { ms: self.ms.wrapping_add(ms as u64), seq: self.seq.wrapping_add(seq as u64) }
    }

    /// As snapshots hold it: big-endian, so that bytes are ordered as IDs are.
    pub(crate) fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.ms) << 64 | u128::from(self.seq)).to_be_bytes()
    }

    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Id {
        let both = u128::from_be_bytes(bytes);
        Id { ms: (both >> 64) as u64, seq: both as u64 }
    }

    /// Appends the text to `out`.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        self.write_with(b'-', out);
    }

    /// The text with another sign between the numbers.
    pub(crate) fn write_with(self, sign: u8, out: &mut Vec<u8>) {
        num::write_u64(out, self.ms);
        out.push(sign);
        num::write_u64(out, self.seq);
    }

    /// The text.
    pub(crate) fn text(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(ID_CHARS);
        self.write(&mut out);
        out
    }

    /// Reads `ms` or `ms-seq`; `missing` is the number if there is none.
    pub(crate) fn parse(text: &[u8], missing: u64) -> Option<Id> {
        Id::parse_given(text, missing).filter(|given| !given.any_seq).map(|given| given.id)
    }

    /// Reads the same, `-` for the least and `+` for the greatest.
    pub(crate) fn parse_bound(text: &[u8], missing: u64) -> Option<Id> {
        match c_string(text) {
            b"-" if text.len() <= TEXT_MAX => Some(Id::MIN),
            b"+" if text.len() <= TEXT_MAX => Some(Id::MAX),
            _ => Id::parse(text, missing),
        }
    }

    /// Reads `ms`, `ms-seq` or `ms-*`.
    pub(crate) fn parse_given(text: &[u8], missing: u64) -> Option<Given> {
        if text.len() > TEXT_MAX {
            return None;
        }
        let text = c_string(text);
        let Some(dash) = memchr::memchr(b'-', text) else {
            return Some(Given { id: Id::new(number(text)?, missing), any_seq: false });
        };
        let (ms, seq) = (number(&text[..dash])?, &text[dash + 1..]);
        match seq {
            b"*" => Some(Given { id: Id::new(ms, 0), any_seq: true }),
            _ => Some(Given { id: Id::new(ms, number(seq)?), any_seq: false }),
        }
    }
}

/// Compat: what stands behind a NUL is not seen.
fn c_string(text: &[u8]) -> &[u8] {
    &text[..memchr::memchr(0, text).unwrap_or(text.len())]
}

/// A number of an ID. Compat: what is no canonical integer is read as `strtoull` reads it: white
/// space and a sign may stand before it, and it may begin with zeros.
fn number(text: &[u8]) -> Option<u64> {
    if let Some(n) = num::parse_i64(text) {
        return u64::try_from(n).ok();
    }
    let rest = text.trim_ascii_start();
    // The vertical tab is white space in C only.
    let rest = rest.strip_prefix(b"\x0b").unwrap_or(rest);
    let (negative, digits) = match rest {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, rest),
    };
    if digits.is_empty() {
        return None;
    }
    let n = digits.iter().try_fold(0u64, |n, c| match c {
        b'0'..=b'9' => n.checked_mul(10)?.checked_add(u64::from(c - b'0')),
        _ => None,
    })?;
    Some(if negative { n.wrapping_neg() } else { n })
}

/// The text of an ID, without an allocation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IdText {
    bytes: [u8; ID_CHARS],
    len: usize,
}

impl IdText {
    #[inline]
    pub(crate) fn new(id: Id) -> IdText {
        let mut text = IdText { bytes: [0; ID_CHARS], len: 0 };
        text.number(id.ms);
        text.put(b"-");
        text.number(id.seq);
        text
    }

    #[inline]
    fn number(&mut self, n: u64) {
        match i64::try_from(n) {
            Ok(n) => {
                let mut digits = [0; num::MAX_I64_CHARS];
                let len = num::format_i64(&mut digits, n);
                self.put(&digits[..len]);
            }
            Err(_) => {
                let mut digits = Vec::with_capacity(20);
                num::write_u64(&mut digits, n);
                self.put(&digits);
            }
        }
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_as_redis_reads_them() {
        let id = |ms, seq| Some(Id::new(ms, seq));
        for (text, missing, want) in [
            ("5", 7, id(5, 7)),
            ("5-0", 7, id(5, 0)),
            ("18446744073709551615-18446744073709551615", 0, Some(Id::MAX)),
            ("18446744073709551616", 0, None),
            ("007-01", 0, id(7, 1)),
            (" +7-1", 0, id(7, 1)),
            ("7-", 0, None),
            ("-", 0, None),
            ("", 0, None),
            ("-5", 0, None),
            ("7-1-2", 0, None),
            ("7-*", 0, None),
            ("7--05", 0, id(7, u64::MAX - 4)),
            ("7--5", 0, None),
            ("7-1\0-x", 0, id(7, 1)),
        ] {
            assert_eq!(Id::parse(text.as_bytes(), missing), want, "{text:?}");
        }
        assert_eq!(Id::parse_bound(b"+", 0), Some(Id::MAX));
        assert_eq!(Id::parse_bound(b"-", 9), Some(Id::MIN));
        let given = Id::parse_given(b"7-*", 0).expect("a form of its own");
        assert!(given.any_seq && given.id == Id::new(7, 0));
        assert_eq!(Id::parse(&[b'0'; 128], 0), None, "too long");
    }

    #[test]
    fn neighbours_carry_over() {
        assert_eq!(Id::new(1, u64::MAX).next(), Some(Id::new(2, 0)));
        assert_eq!(Id::new(2, 0).prev(), Some(Id::new(1, u64::MAX)));
        assert_eq!((Id::MAX.next(), Id::MIN.prev()), (None, None));
        let id = Id::new(3, 4);
        assert_eq!(Id::from_bytes(id.to_bytes()), id);
        assert_eq!(id.text(), b"3-4");
        for id in [Id::MIN, Id::MAX, id, Id::new(1 << 63, (1 << 63) - 1)] {
            assert_eq!(IdText::new(id).as_bytes(), id.text());
        }
        assert_eq!(Id::new(5, 100).plus(1, -100), Id::new(6, 0));
    }
}
