//! Reads one command of the debugger's client: an array of bulk strings, and a forgiving reader.
//!
//! Compat: what stands before the `*` is skipped, a zero byte ends the text that is searched, and
//! what came behind a whole command is not looked at. An argument has 1 to 1024 bytes.

/// The most arguments of a command, and the most bytes of one.
const MOST: i32 = 1024;

/// What has come is no command, and will not become one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken;

/// The bytes of `text` before its first zero byte.
pub(super) fn c_string(text: &[u8]) -> &[u8] {
    &text[..memchr::memchr(0, text).unwrap_or(text.len())]
}

/// The line that begins at `from`, without its end, and where the next one begins. None: its end
/// has not come yet.
fn line(text: &[u8], from: usize) -> Option<(&[u8], usize)> {
    let rest = c_string(text.get(from..)?);
    let len = memchr::memmem::find(rest, b"\r\n")?;
    Some((&rest[..len], from + len + 2))
}

/// The number that a line says, if a command may have so many.
fn count(line: &[u8]) -> Result<usize, Broken> {
    match crate::util::num::parse_i32_prefix(line) {
        n @ 1..=MOST => Ok(n as usize),
        _ => Err(Broken),
    }
}

/// The arguments of the command in `text`; None if it is not whole yet.
pub(super) fn parse(text: &[u8]) -> Result<Option<Vec<Vec<u8>>>, Broken> {
    if text.is_empty() {
        return Ok(None);
    }
    let star = memchr::memchr(b'*', c_string(text)).ok_or(Broken)?;
    let Some((first, mut at)) = line(text, star + 1) else { return Ok(None) };
    let n = count(first)?;
    let mut args = Vec::with_capacity(n);
    while args.len() < n {
        match text.get(at) {
            None | Some(0) => return Ok(None),
            Some(b'$') => {}
            Some(_) => return Err(Broken),
        }
        let Some((size, from)) = line(text, at + 1) else { return Ok(None) };
        let end = from + count(size)?;
        let Some(tail) = text.get(end..end + 2) else { return Ok(None) };
        if tail != b"\r\n" {
            return Err(Broken);
        }
        args.push(text[from..end].to_vec());
        at = end + 2;
    }
    Ok(Some(args))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(text: &[u8]) -> Vec<Vec<u8>> {
        parse(text).expect("it is one").expect("it is whole")
    }

    #[test]
    fn a_command_is_read_whole_or_not_at_all() {
        let text = b"*2\r\n$1\r\np\r\n$3\r\nfoo\r\n";
        assert_eq!(args(text), [b"p".to_vec(), b"foo".to_vec()]);
        for end in 0..text.len() {
            assert_eq!(parse(&text[..end]), Ok(None), "{end} bytes");
        }
    }

    #[test]
    fn an_argument_may_hold_any_bytes() {
        assert_eq!(args(b"*1\r\n$4\r\n\0\r\n*\r\n"), [b"\0\r\n*".to_vec()]);
        assert_eq!(args(b"ab*1\r\n$1\r\nx\r\n*1\r\n$1\r\ny\r\n"), [b"x".to_vec()]);
    }

    #[test]
    fn what_is_no_command_is_refused() {
        let broken: [&[u8]; 9] = [
            b"help\r\n",
            b"*0\r\n",
            b"*-1\r\n",
            b"*1025\r\n",
            b"*1\r\n:1\r\n",
            b"*1\r\n$0\r\n\r\n",
            b"*1\r\n$1025\r\n",
            b"*1\r\n$1\r\nxyz",
            b"\0*1\r\n$1\r\nx\r\n",
        ];
        for text in broken {
            assert_eq!(parse(text), Err(Broken), "{}", text.escape_ascii());
        }
        assert_eq!(args(b"*1x\r\n$1x\r\na\r\n"), [b"a".to_vec()]);
    }
}
