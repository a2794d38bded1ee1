//! Splitting a line into arguments, and writing an argument so that it splits back to itself.
//!
//! The same small language serves the configuration file, inline commands and the option strings
//! made from the command line:
//!
//! ```text
//! plain words, separated by blanks
//! "double quotes"  with  \n \r \t \b \a \xHH  and \c for any other c
//! 'single quotes'  with  \'  only
//! ```
//!
//! A quote may open in the middle of a word (`ab"c d"` is one argument), but must close at its
//! end. A NUL byte ends the line, as it does in C.

/// A quote that does not close, or that closes in the middle of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unbalanced;

/// Splits `line` into its arguments, with quotes and escapes resolved. O(line).
pub(crate) fn split_args(line: &[u8]) -> Result<Vec<Vec<u8>>, Unbalanced> {
    let end = line.iter().position(|&b| b == 0).unwrap_or(line.len());
    let mut rest = &line[..end];
    let mut args = Vec::new();
    loop {
        rest = &rest[rest.iter().take_while(|b| is_space(**b)).count()..];
        if rest.is_empty() {
            return Ok(args);
        }
        let (arg, used) = word(rest)?;
        args.push(arg);
        rest = &rest[used..];
    }
}

/// Reads one argument from the start of `text`. Returns it, and how many bytes it took.
fn word(text: &[u8]) -> Result<(Vec<u8>, usize), Unbalanced> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' => break,
            // A closing quote ends the word, so what `quoted` consumed is the rest of it.
            b'"' | b'\'' => {
                at += 1 + quoted(&text[at + 1..], byte, &mut out)?;
                break;
            }
            _ => out.push(byte),
        }
        at += 1;
    }
    Ok((out, at))
}

/// Reads up to the closing `quote`, which must be followed by a blank or the end.
/// Returns how many bytes were used, the quote included.
fn quoted(text: &[u8], quote: u8, out: &mut Vec<u8>) -> Result<usize, Unbalanced> {
    let mut at = 0;
    loop {
        match &text[at..] {
            [] => return Err(Unbalanced),
            [b'\\', b'x', high, low, ..]
                if quote == b'"' && high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                out.push(hex_digit(*high) << 4 | hex_digit(*low));
                at += 4;
            }
            [b'\\', escaped, ..] if quote == b'"' => {
                out.push(unescape(*escaped));
                at += 2;
            }
            [b'\\', b'\'', ..] if quote == b'\'' => {
                out.push(b'\'');
                at += 2;
            }
            [byte, after @ ..] if *byte == quote => {
                if after.first().is_some_and(|next| !is_space(*next)) {
                    return Err(Unbalanced);
                }
                return Ok(at + 1);
            }
            [byte, ..] => {
                out.push(*byte);
                at += 1;
            }
        }
    }
}

fn unescape(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

/// Appends `bytes` to `out` in double quotes, escaped so that [`split_args`] gives them back.
pub(crate) fn repr_into(out: &mut Vec<u8>, bytes: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    for &byte in bytes {
        match byte {
            b'\\' | b'"' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x07 => out.extend_from_slice(b"\\a"),
            0x08 => out.extend_from_slice(b"\\b"),
            b' '..=b'~' => out.push(byte),
            _ => {
                let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
                out.extend_from_slice(&[b'\\', b'x', high, low]);
            }
        }
    }
    out.push(b'"');
}

/// `bytes` in double quotes, escaped so that [`split_args`] gives them back.
pub(crate) fn repr(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    repr_into(&mut out, bytes);
    out
}

/// Whether `bytes` would not survive as a plain word and have to be written by [`repr`].
/// The empty string is not covered: callers decide what to make of it.
pub(crate) fn needs_repr(bytes: &[u8]) -> bool {
    bytes.iter().any(|b| matches!(b, b'\\' | b'"') || !b.is_ascii_graphic())
}

/// C's `isspace` in the plain locale: unlike `is_ascii_whitespace`, it includes vertical tab.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn hex_digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        _ => byte - b'A' + 10,
    }
}

#[cfg(test)]
mod tests;
