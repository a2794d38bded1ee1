//! Text as JSON has it within quotes.

use std::fmt::Write as _;

/// Adds text, without the quotes around it.
pub(crate) fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {
                // An error is impossible: a String takes everything.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
}

/// Adds bytes, of which those that are no UTF-8 are shown as `\xff`.
pub(crate) fn escape_bytes(out: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        escape(out, chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(out, "\\\\x{byte:02x}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_byte_ends_the_text_or_the_line() {
        let mut out = String::new();
        escape_bytes(&mut out, b"a\"b\\c\nd\r\x00\x7f\xff\xc3\xa9\xc3");
        assert_eq!(out, "a\\\"b\\\\c\\nd\\u000d\\u0000\\u007f\\\\xff\u{e9}\\\\xc3");
    }
}
