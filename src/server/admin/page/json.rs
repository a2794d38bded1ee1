//! Writing JSON: objects and lists of known names, with text that may be any bytes.
//!
//! What is opened by a call is closed by it, so that the result is well-formed whatever is written.
//! Names are our own words and need no escapes; all other text is escaped.

use std::fmt::Display;
use std::fmt::Write as _;

use crate::util::json::{escape, escape_bytes};

/// Bytes of a text from outside that are shown.
const SHOWN: usize = 256;

pub(super) struct Json {
    out: String,
    /// Nothing stands before the next member.
    first: bool,
}

impl Json {
    /// Writes one object into `buffer`, in place of what is there.
    pub(super) fn write(buffer: &mut Vec<u8>, members: impl FnOnce(&mut Json)) {
        let mut kept = std::mem::take(buffer);
        kept.clear();
        // An empty buffer is valid text.
        let out = String::from_utf8(kept).unwrap_or_default();
        let mut json = Json { out, first: true };
        json.within('{', '}', members);
        *buffer = json.out.into_bytes();
    }

    fn within(&mut self, open: char, close: char, inside: impl FnOnce(&mut Json)) {
        self.out.push(open);
        self.first = true;
        inside(self);
        self.out.push(close);
        self.first = false;
    }

    fn comma(&mut self) {
        if !std::mem::replace(&mut self.first, false) {
            self.out.push(',');
        }
    }

    fn name(&mut self, name: &str) {
        self.comma();
        self.out.push('"');
        escape(&mut self.out, name);
        self.out.push_str("\":");
    }

    /// A member that is an object.
    pub(super) fn object(&mut self, name: &str, members: impl FnOnce(&mut Json)) {
        self.name(name);
        self.within('{', '}', members);
    }

    /// A member that is a list.
    pub(super) fn list(&mut self, name: &str, items: impl FnOnce(&mut Json)) {
        self.name(name);
        self.within('[', ']', items);
    }

    /// An object in a list.
    pub(super) fn row(&mut self, members: impl FnOnce(&mut Json)) {
        self.comma();
        self.within('{', '}', members);
    }

    /// A pair of numbers in a list.
    pub(super) fn pair(&mut self, a: u64, b: u64) {
        self.comma();
        // Writing to a String does not fail.
        let _ = write!(self.out, "[{a},{b}]");
    }

    /// A whole number.
    pub(super) fn int(&mut self, name: &str, n: impl Into<i128>) {
        self.name(name);
        let n: i128 = n.into();
        let _ = write!(self.out, "{n}");
    }

    /// Nanoseconds, told as microseconds.
    pub(super) fn micros(&mut self, name: &str, ns: u64) {
        self.name(name);
        let _ = write!(self.out, "{}.{:03}", ns / 1000, ns % 1000);
    }

    pub(super) fn flag(&mut self, name: &str, on: bool) {
        self.name(name);
        self.out.push_str(if on { "true" } else { "false" });
    }

    pub(super) fn text(&mut self, name: &str, text: impl Display) {
        self.bytes(name, text.to_string().as_bytes());
    }

    /// Text from outside. What is no UTF-8 is shown as `\xff`, and what is long is cut.
    pub(super) fn bytes(&mut self, name: &str, bytes: &[u8]) {
        self.name(name);
        self.quoted(bytes);
    }

    /// Such a text in a list.
    pub(super) fn item(&mut self, bytes: &[u8]) {
        self.comma();
        self.quoted(bytes);
    }

    fn quoted(&mut self, bytes: &[u8]) {
        self.out.push('"');
        match bytes.get(..SHOWN) {
            Some(start) if bytes.len() > SHOWN => {
                escape_bytes(&mut self.out, start);
                let _ = write!(self.out, "... ({} more bytes)", bytes.len() - SHOWN);
            }
            _ => escape_bytes(&mut self.out, bytes),
        }
        self.out.push('"');
    }

    /// A value of INFO: a number if it is one, else text.
    pub(super) fn field(&mut self, name: &str, value: &str) {
        match is_number(value) {
            true => {
                self.name(name);
                self.out.push_str(value);
            }
            false => self.bytes(name, value.as_bytes()),
        }
    }
}

/// Whether JSON takes the text for a number.
fn is_number(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole) && digits(rest) && (whole == "0" || !whole.starts_with('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_parted_and_text_is_escaped() {
        let mut out = b"before".to_vec();
        Json::write(&mut out, |j| {
            j.int("a", 1u64);
            j.object("b", |_| {});
            j.list("c", |j| {
                j.row(|j| j.flag("d", true));
                j.pair(1, 2);
                j.item(b"</script><img onerror=\"x\">\x00\xff");
            });
            j.micros("e", 1_005);
            j.bytes("f", &[b'x'; 300]);
        });
        let text = String::from_utf8(out).expect("text");
        let long = "x".repeat(256);
        assert_eq!(
            text,
            format!(
                "{{\"a\":1,\"b\":{{}},\"c\":[{{\"d\":true}},[1,2],\
                 \"</script><img onerror=\\\"x\\\">\\u0000\\\\xff\"],\"e\":1.005,\
                 \"f\":\"{long}... (44 more bytes)\"}}"
            )
        );
    }

    #[test]
    fn only_what_json_calls_a_number_is_told_as_one() {
        for number in ["0", "-1", "10", "0.00", "12.50"] {
            assert!(is_number(number), "{number}");
        }
        for text in ["", "-", "00", "01", "1.", ".5", "1e3", "inf", "NaN", "1.2.3", "0x1", "1,2"] {
            assert!(!is_number(text), "{text}");
        }
    }
}
