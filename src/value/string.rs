//! Strings: which encoding Redis would report for them, and integers in text form.
//!
//! `OBJECT ENCODING` shows Redis's rules. A string that SET stores and that spells an integer in
//! its one canonical form is `int`. Other strings are `embstr` up to 44 bytes, and `raw` above.
//! What APPEND or SETRANGE made is `raw` at any length.

use crate::value::{Encoding, Value};

/// The longest string that is reported as `embstr`.
pub(crate) const EMBSTR_MAX: usize = 44;
/// The longest text of an `i64`.
pub(crate) const INT_TEXT_MAX: usize = 20;

/// An owned string and the encoding it is reported with (`Embstr` or `Raw`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StrBuf {
    pub bytes: Vec<u8>,
    pub enc: Encoding,
}

impl StrBuf {
    /// A string with the encoding that its length implies; never `int`.
    pub fn text(bytes: Vec<u8>) -> StrBuf {
        let enc = text_encoding(bytes.len());
        StrBuf { bytes, enc }
    }

    /// A string that is `raw` however short: the result of an edit.
    pub fn raw(bytes: Vec<u8>) -> StrBuf {
        StrBuf { bytes, enc: Encoding::Raw }
    }
}

impl Value {
    /// The value that `SET key bytes` stores.
    pub fn from_bytes(bytes: Vec<u8>) -> Value {
        match parse_int(&bytes) {
            Some(int) => Value::Int(int),
            None => Value::Str(StrBuf::text(bytes)),
        }
    }
}

/// The encoding of a string of this length that isn't an integer and wasn't edited.
pub(crate) fn text_encoding(len: usize) -> Encoding {
    if len <= EMBSTR_MAX { Encoding::Embstr } else { Encoding::Raw }
}

/// The integer that `text` spells canonically: no sign but `-`, no leading zero, no space, within
/// `i64`. Anything else is none.
#[inline]
pub(crate) fn parse_int(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] if digits.len() < INT_TEXT_MAX => {}
        _ => return None,
    }
    // Nineteen digits fit a u64.
    let mut magnitude = 0u64;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        magnitude = magnitude * 10 + u64::from(digit);
    }
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// The text of an integer, on the stack.
pub(crate) struct IntText {
    digits: [u8; INT_TEXT_MAX],
    from: usize,
}

impl IntText {
    /// Formats `int`. O(digits).
    pub(crate) fn new(int: i64) -> IntText {
        let mut text = IntText { digits: [0; INT_TEXT_MAX], from: INT_TEXT_MAX };
        let mut rest = int.unsigned_abs();
        loop {
            text.push_front(b'0' + (rest % 10) as u8);
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if int < 0 {
            text.push_front(b'-');
        }
        text
    }

    fn push_front(&mut self, byte: u8) {
        self.from -= 1;
        self.digits[self.from] = byte;
    }

    /// The text.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.digits[self.from..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_spelling_is_an_integer() {
        for int in [0, 1, -1, 9, 10, 99, -100, i64::MAX, i64::MIN, i64::MAX - 1, 1 << 40] {
            let text = int.to_string();
            assert_eq!(parse_int(text.as_bytes()), Some(int));
            assert_eq!(IntText::new(int).as_bytes(), text.as_bytes());
        }
        let not = [
            "",
            "-",
            "+1",
            "-0",
            "00",
            "01",
            "-01",
            " 1",
            "1 ",
            "1a",
            "a",
            "1.0",
            "0x1",
            "1e3",
            "9223372036854775808",
            "-9223372036854775809",
            "18446744073709551616",
            "100000000000000000000",
        ];
        for text in not {
            assert_eq!(parse_int(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn encodings_follow_the_lengths() {
        assert_eq!(Value::from_bytes(b"12".to_vec()).encoding(), Encoding::Int);
        assert_eq!(Value::from_bytes(vec![b'a'; 44]).encoding(), Encoding::Embstr);
        assert_eq!(Value::from_bytes(vec![b'a'; 45]).encoding(), Encoding::Raw);
        assert_eq!(Value::Str(StrBuf::raw(b"a".to_vec())).encoding(), Encoding::Raw);
    }
}
