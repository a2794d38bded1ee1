//! Replies: one growing buffer per client, RESP2 or RESP3 decided when a value is written.
//!
//! A command never asks which version the client speaks: `map`, `set`, `null`, `double` and so on
//! write the type where RESP3 has it and what RESP2 clients expect otherwise.
//! The buffer holds complete replies only, except while a command is writing.

use crate::resp::errors::CmdError;
use crate::util::num;

/// Bulk strings up to this length are written in one piece: 32 bytes with what is around them.
const ONE_PIECE: usize = 25;

/// The heads of those bulk strings, by length: `$5\r\n` and zeros.
static HEADS: [[u8; 8]; ONE_PIECE + 1] = {
    let mut heads = [[0; 8]; ONE_PIECE + 1];
    let mut len = 0;
    while len <= ONE_PIECE {
        let (tens, ones) = (b'0' + (len / 10) as u8, b'0' + (len % 10) as u8);
        heads[len] = match len {
            0..10 => [b'$', ones, b'\r', b'\n', 0, 0, 0, 0],
            _ => [b'$', tens, ones, b'\r', b'\n', 0, 0, 0],
        };
        len += 1;
    }
    heads
};

/// Where a command writes its reply.
#[derive(Default, Debug)]
pub(crate) struct Reply {
    buf: Vec<u8>,
    resp3: bool,
    /// The caller is closed when the reply is longer; 0: no limit.
    limit: usize,
}

/// A place kept for the header of an array whose length is known only at its end.
#[derive(Debug)]
#[must_use = "the array has no header until `end_array`"]
pub(crate) struct Deferred {
    /// What stands there is `start..end`: nothing, or the header of an array of `likely` elements.
    start: usize,
    end: usize,
    likely: Option<usize>,
}

/// The reply that says that there is nothing, in the form that RESP2 clients of a command expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Nothing {
    #[default]
    NullArray,
}

impl Nothing {
    pub(crate) fn write(self, reply: &mut Reply) {
        match self {
            Nothing::NullArray => reply.null_array(),
        }
    }
}

impl Reply {
    pub(crate) fn new(buf: Vec<u8>, resp3: bool) -> Reply {
        Reply { buf, resp3, limit: 0 }
    }
    /// Sets the length from which nobody will read the reply.
    pub(crate) fn set_limit(&mut self, bytes: Option<usize>) {
        self.limit = bytes.map_or(0, |b| b.max(1));
    }
    pub(crate) fn limit(&self) -> Option<usize> {
        (self.limit > 0).then_some(self.limit)
    }
    /// Whether it is too long to be sent: a command that could go on for ever stops.
    #[inline]
    pub(crate) fn is_too_long(&self) -> bool {
        self.limit > 0 && self.buf.len() >= self.limit
    }
    pub(crate) fn resp3(&self) -> bool {
        self.resp3
    }
    pub(crate) fn set_resp3(&mut self, on: bool) {
        self.resp3 = on;
    }
    pub(crate) fn into_buf(self) -> Vec<u8> {
        self.buf
    }
    pub(crate) fn buf(&self) -> &[u8] {
        &self.buf
    }
    /// Bytes written so far; with `truncate`, takes back what a command wrote.
    pub(crate) fn len(&self) -> usize {
        self.buf.len()
    }
    pub(crate) fn truncate(&mut self, len: usize) {
        self.buf.truncate(len);
    }
    /// Bytes that are RESP already.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.buf.extend_from_slice(bytes);
    }

    pub(crate) fn ok(&mut self) {
        self.buf.extend_from_slice(b"+OK\r\n");
    }
    pub(crate) fn status(&mut self, text: impl AsRef<[u8]>) {
        self.line(b'+', text.as_ref());
    }
    pub(crate) fn error(&mut self, e: &CmdError) {
        self.line(b'-', e.bytes());
    }
    #[inline]
    pub(crate) fn int(&mut self, n: i64) {
        self.header(b':', n);
    }
    pub(crate) fn len_int(&mut self, n: usize) {
        self.int(n as i64);
    }
    #[inline]
    pub(crate) fn bulk(&mut self, bytes: &[u8]) {
        if bytes.len() <= ONE_PIECE {
            return self.short_bulk(bytes);
        }
        let need = bytes.len() + 32;
        if self.buf.capacity() - self.buf.len() < need {
            self.buf.reserve(need);
        }
        if bytes.len() < 100 {
            self.start_of(&two_digit_head(bytes.len()), 5);
        } else {
            self.header(b'$', bytes.len() as i64);
        }
        self.buf.extend_from_slice(bytes);
        self.buf.extend_from_slice(b"\r\n");
    }
    /// A bulk string of `ONE_PIECE` bytes at most: a call to copy a few bytes costs more than they
    /// do.
    #[inline]
    fn short_bulk(&mut self, bytes: &[u8]) {
        let (start, len) = (self.buf.len(), bytes.len());
        // It is put together where it stays: what is read back right after smaller writes waits.
        self.buf.extend_from_slice(&[0; 32]);
        let Some(text) = self.buf.last_chunk_mut::<32>() else { return };
        text[..8].copy_from_slice(&HEADS[len]);
        let at = if len < 10 { 4 } else { 5 };
        copy_short(&mut text[at..at + len], bytes);
        (text[at + len], text[at + len + 1]) = (b'\r', b'\n');
        self.buf.truncate(start + at + len + 2);
    }
    pub(crate) fn bulk_str(&mut self, text: impl AsRef<str>) {
        self.bulk(text.as_ref().as_bytes());
    }
    /// An integer as a bulk string, as GET replies a value that is held as an integer.
    #[inline]
    pub(crate) fn bulk_int(&mut self, n: i64) {
        // Scores, counters and flags mostly have one digit or two.
        if (0..10).contains(&n) {
            let text = [b'$', b'1', b'\r', b'\n', b'0' + n as u8, b'\r', b'\n', 0];
            return self.start_of(&text, 7);
        }
        if (10..100).contains(&n) {
            let (tens, ones) = (b'0' + (n / 10) as u8, b'0' + (n % 10) as u8);
            let text = [b'$', b'2', b'\r', b'\n', tens, ones, b'\r', b'\n'];
            return self.start_of(&text, 8);
        }
        // Two digits of length at most, and 20 of the number.
        let mut digits = [0u8; 20];
        let len = num::format_i64(&mut digits, n);
        self.short_bulk(&digits[..len]);
    }

    /// Appends the first `len` bytes of `text`. All are copied, as that takes two instructions
    /// where the exact number takes a call.
    #[inline(always)]
    fn start_of<const N: usize>(&mut self, text: &[u8; N], len: usize) {
        let end = self.buf.len() + len;
        self.buf.extend_from_slice(text);
        self.buf.truncate(end);
    }
    /// The absent value.
    #[inline]
    pub(crate) fn null(&mut self) {
        self.buf.extend_from_slice(if self.resp3 { b"_\r\n" } else { b"$-1\r\n" });
    }
    /// The absent value where RESP2 clients expect an absent array.
    pub(crate) fn null_array(&mut self) {
        self.buf.extend_from_slice(if self.resp3 { b"_\r\n" } else { b"*-1\r\n" });
    }
    pub(crate) fn array(&mut self, len: usize) {
        self.header(b'*', len as i64);
    }
    /// `pairs` keys with their values; RESP2: a flat array.
    pub(crate) fn map(&mut self, pairs: usize) {
        match self.resp3 {
            true => self.header(b'%', pairs as i64),
            false => self.header(b'*', 2 * pairs as i64),
        }
    }
    pub(crate) fn set(&mut self, len: usize) {
        self.header(if self.resp3 { b'~' } else { b'*' }, len as i64);
    }
    /// An out-of-band message; RESP2: an array.
    pub(crate) fn push(&mut self, len: usize) {
        self.header(if self.resp3 { b'>' } else { b'*' }, len as i64);
    }
    /// An attribute of the reply that follows. RESP3 only; the caller asks `resp3()` first.
    pub(crate) fn attribute(&mut self, pairs: usize) {
        debug_assert!(self.resp3);
        self.header(b'|', pairs as i64);
    }
    pub(crate) fn boolean(&mut self, yes: bool) {
        let text: &[u8] = match (self.resp3, yes) {
            (true, true) => b"#t\r\n",
            (true, false) => b"#f\r\n",
            (false, true) => b":1\r\n",
            (false, false) => b":0\r\n",
        };
        self.buf.extend_from_slice(text);
    }
    /// A double; RESP2: a bulk string with text that reads back the same.
    pub(crate) fn double(&mut self, x: f64) {
        // Most scores are small whole numbers.
        let whole = x as i32;
        if f64::from(whole) == x && (whole != 0 || x.is_sign_positive()) {
            return match self.resp3 {
                true => self.header(b',', i64::from(whole)),
                false => self.bulk_int(i64::from(whole)),
            };
        }
        let mut text = [0; num::MAX_F64_CHARS];
        let len = num::format_f64(&mut text, x);
        match self.resp3 {
            true => self.line(b',', &text[..len]),
            false => self.bulk(&text[..len]),
        }
    }
    pub(crate) fn bignum(&mut self, digits: impl AsRef<[u8]>) {
        match self.resp3 {
            true => self.line(b'(', digits.as_ref()),
            false => self.bulk(digits.as_ref()),
        }
    }
    /// Text with a three-letter format (`txt`, `mkd`); RESP2: a bulk string.
    pub(crate) fn verbatim(&mut self, format: &str, text: &[u8]) {
        debug_assert_eq!(format.len(), 3);
        self.verbatim_as(format.as_bytes(), text);
    }
    /// The same with a format that a script made up: it is cut or filled up.
    pub(crate) fn verbatim_as(&mut self, format: &[u8], text: &[u8]) {
        if !self.resp3 {
            return self.bulk(text);
        }
        let format: [u8; 3] = std::array::from_fn(|i| *format.get(i).unwrap_or(&b' '));
        self.header(b'=', text.len() as i64 + 4);
        self.buf.extend_from_slice(&format);
        self.buf.push(b':');
        self.buf.extend_from_slice(text);
        self.buf.extend_from_slice(b"\r\n");
    }

    /// Writes bulk strings of which many follow each other.
    #[inline]
    pub(crate) fn bulks(&mut self) -> Bulks<'_> {
        Bulks { at: self.buf.len(), buf: &mut self.buf }
    }

    /// Starts an array of unknown length; `end_array` writes its header. O(bytes written since).
    pub(crate) fn begin_array(&mut self) -> Deferred {
        Deferred { start: self.buf.len(), end: self.buf.len(), likely: None }
    }
    /// The same where the length is likely to be this one: then its header need not make room.
    pub(crate) fn begin_array_of(&mut self, likely: usize) -> Deferred {
        let start = self.buf.len();
        self.array(likely);
        Deferred { start, end: self.buf.len(), likely: Some(likely) }
    }
    pub(crate) fn end_array(&mut self, at: Deferred, len: usize) {
        if at.likely != Some(len) {
            self.end_with(at, b'*', len);
        }
    }
    pub(crate) fn end_set(&mut self, at: Deferred, len: usize) {
        self.end_with(at, if self.resp3 { b'~' } else { b'*' }, len);
    }
    pub(crate) fn end_map(&mut self, at: Deferred, pairs: usize) {
        match self.resp3 {
            true => self.end_with(at, b'%', pairs),
            false => self.end_with(at, b'*', 2 * pairs),
        }
    }
    fn end_with(&mut self, at: Deferred, kind: u8, len: usize) {
        let mut head = Vec::with_capacity(24);
        head.push(kind);
        num::write_i64(&mut head, len as i64);
        head.extend_from_slice(b"\r\n");
        self.buf.splice(at.start..at.end, head);
    }

    fn line(&mut self, kind: u8, text: &[u8]) {
        self.buf.reserve(text.len() + 3);
        self.buf.push(kind);
        self.buf.extend_from_slice(text);
        self.buf.extend_from_slice(b"\r\n");
    }
    #[inline]
    fn header(&mut self, kind: u8, n: i64) {
        let Ok(short @ ..num::SHORT_NUMBERS) = u32::try_from(n) else {
            return self.long_header(kind, n);
        };
        let (digits, len) = num::eight_digits(short);
        let end = u128::from(u16::from_le_bytes(*b"\r\n")) << (8 * (len + 1));
        let line = u128::from(kind) | u128::from(digits) << 8 | end;
        self.start_of(&line.to_le_bytes(), len + 3);
    }

    #[inline(never)]
    fn long_header(&mut self, kind: u8, n: i64) {
        let mut digits = [0; num::MAX_I64_CHARS];
        let len = num::format_i64(&mut digits, n);
        self.buf.push(kind);
        self.buf.extend_from_slice(&digits[..len]);
        self.buf.extend_from_slice(b"\r\n");
    }
}

/// A row of bulk strings in the making: room is made for many at once, and short ones take no call.
///
/// Invariant: `buf[..at]` is the reply so far; what lies behind is room, cut off in the end.
#[derive(Debug)]
pub(crate) struct Bulks<'r> {
    buf: &'r mut Vec<u8>,
    at: usize,
}

/// Strings up to this length are short.
const SHORT: usize = 64;
/// Room for a short one.
pub(crate) const WINDOW: usize = 5 + SHORT + 2;
/// Room made at once, at least.
const STEP: usize = 2048;

/// Writes a short string's bulk to the start of `window`; its length.
#[inline(always)]
fn short_bulk(window: &mut [u8; WINDOW], text: &[u8]) -> usize {
    let n = text.len();
    // Words and arrays: slices of unknown length would be copied by calls.
    let head = if n <= 8 {
        let line = u32::from_le_bytes(*b"$0\r\n") + ((n as u32) << 8);
        let [a, b, c, d] = line.to_le_bytes();
        let [e, f, g, h, i, j, k, l] = short_word(text).to_le_bytes();
        *window.first_chunk_mut().expect("12 bytes") = [a, b, c, d, e, f, g, h, i, j, k, l];
        4
    } else {
        let head = if n < 10 {
            let line = u32::from_le_bytes(*b"$9\r\n");
            *window.first_chunk_mut().expect("four bytes") = line.to_le_bytes();
            4
        } else {
            *window.first_chunk_mut().expect("eight bytes") = two_digit_head(n);
            5
        };
        copy_short(&mut window[head..head + n], text);
        head
    };
    [window[head + n], window[head + n + 1]] = *b"\r\n";
    head + n + 2
}

/// Appends a command, an array of bulk strings.
pub(crate) fn command(out: &mut Vec<u8>, words: &[&[u8]]) {
    let mut reply = Reply::new(std::mem::take(out), false);
    reply.array(words.len());
    words.iter().for_each(|word| reply.bulk(word));
    *out = reply.into_buf();
}

/// Writes a command, an array of bulk strings, to the start of `buf`: its length, or None if it
/// does not fit, with some room to spare, or has many arguments.
#[inline]
pub(crate) fn write_command<'a>(
    buf: &mut [u8],
    args: impl ExactSizeIterator<Item = &'a [u8]>,
) -> Option<usize> {
    let n = args.len();
    if n >= 10 {
        return None;
    }
    *buf.first_chunk_mut()? = [b'*', b'0' + n as u8, b'\r', b'\n'];
    let mut at = 4;
    for arg in args {
        let rest = buf.get_mut(at..)?;
        at += match rest.first_chunk_mut() {
            Some(window) if arg.len() <= SHORT => short_bulk(window, arg),
            _ => long_bulk(rest, arg)?,
        };
    }
    Some(at)
}

/// Writes a bulk of any length to the start of `to`; its length, or None if it does not fit.
#[inline(never)]
fn long_bulk(to: &mut [u8], text: &[u8]) -> Option<usize> {
    let mut digits = [0; num::MAX_I64_CHARS];
    let n = num::format_i64(&mut digits, text.len() as i64);
    let mut at = 0;
    for piece in [&b"$"[..], &digits[..n], b"\r\n", text, b"\r\n"] {
        to.get_mut(at..at + piece.len())?.copy_from_slice(piece);
        at += piece.len();
    }
    Some(at)
}

impl Bulks<'_> {
    /// Adds what `f` writes to the start of its window, as many bytes as it returns.
    #[inline(always)]
    pub(crate) fn with(&mut self, f: impl FnOnce(&mut [u8; WINDOW]) -> usize) {
        if self.buf.len() < self.at + WINDOW {
            self.make_room();
        }
        let window = self.buf[self.at..].first_chunk_mut::<WINDOW>();
        self.at += f(window.expect("room was made"));
    }

    /// Adds what `f` writes to the reply.
    pub(crate) fn with_reply(&mut self, f: impl FnOnce(&mut Reply)) {
        self.buf.truncate(self.at);
        let mut reply = Reply::new(std::mem::take(self.buf), false);
        f(&mut reply);
        *self.buf = reply.into_buf();
        self.at = self.buf.len();
    }

    /// Adds one.
    #[inline(always)]
    pub(crate) fn push(&mut self, text: &[u8]) {
        let n = text.len();
        if n > SHORT {
            return self.push_long(text);
        }
        if self.buf.len() < self.at + WINDOW {
            self.make_room();
        }
        let window = self.buf[self.at..].first_chunk_mut::<WINDOW>();
        let Some(window) = window else { return self.push_long(text) };
        self.at += short_bulk(window, text);
    }

    /// Adds the text of an integer.
    #[inline]
    pub(crate) fn push_int(&mut self, n: i64) {
        let mut text = [0u8; 20];
        let len = num::format_i64(&mut text, n);
        self.push(&text[..len]);
    }

    #[cold]
    fn make_room(&mut self) {
        let room = (self.at / 4).clamp(STEP, 1 << 20);
        self.buf.resize(self.at + room, 0);
    }

    #[cold]
    fn push_long(&mut self, text: &[u8]) {
        self.buf.truncate(self.at);
        self.buf.reserve(text.len() + 32);
        self.buf.push(b'$');
        num::write_i64(self.buf, text.len() as i64);
        self.buf.extend_from_slice(b"\r\n");
        self.buf.extend_from_slice(text);
        self.buf.extend_from_slice(b"\r\n");
        self.at = self.buf.len();
    }
}

impl Drop for Bulks<'_> {
    fn drop(&mut self) {
        self.buf.truncate(self.at);
    }
}

/// The line before a bulk string of 10 to 99 bytes, which takes five, and three bytes more.
#[inline(always)]
fn two_digit_head(n: usize) -> [u8; 8] {
    let digits = (n as u64 / 10) << 8 | (n as u64 % 10) << 16;
    (u64::from_le_bytes(*b"$00\r\n\0\0\0") + digits).to_le_bytes()
}

/// Up to eight bytes in a register, the first in the lowest byte; zeros follow.
#[inline(always)]
fn short_word(text: &[u8]) -> u64 {
    match (text.first_chunk(), text.last_chunk()) {
        // The two halves may overlap: equal bits meet equal bits.
        (Some(first), Some(last)) => {
            let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
            u64::from(first) | u64::from(last) << (8 * (text.len() - 4))
        }
        _ => match *text {
            [a, b, c] => u64::from(u32::from_le_bytes([a, b, c, 0])),
            [a, b] => u64::from(u16::from_le_bytes([a, b])),
            [a] => u64::from(a),
            _ => 0,
        },
    }
}

/// Copies up to 64 bytes between slices of equal length, by two copies of a fixed size that may
/// overlap.
#[inline(always)]
fn copy_short(to: &mut [u8], from: &[u8]) {
    #[inline(always)]
    fn ends<const N: usize>(to: &mut [u8], from: &[u8]) {
        let (Some(first), Some(last)) = (from.first_chunk::<N>(), from.last_chunk::<N>()) else {
            return;
        };
        if let Some(to) = to.first_chunk_mut::<N>() {
            *to = *first;
        }
        if let Some(to) = to.last_chunk_mut::<N>() {
            *to = *last;
        }
    }
    match from.len() {
        0 => {}
        1 => to[0] = from[0],
        2..4 => ends::<2>(to, from),
        4..8 => ends::<4>(to, from),
        8..16 => ends::<8>(to, from),
        16..32 => ends::<16>(to, from),
        _ => ends::<32>(to, from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_bulk_strings_are_what_single_ones_are() {
        for rows in [0, 1, 3, 700] {
            let (mut one, mut many) = (Reply::default(), Reply::default());
            one.int(7);
            many.int(7);
            let mut bulks = many.bulks();
            for i in 0..rows {
                let text: Vec<u8> = (0..i % 130).map(|b| b'!' + (b % 90) as u8).collect();
                one.bulk(&text);
                bulks.push(&text);
                one.bulk_int(i as i64 * -7919);
                bulks.push_int(i as i64 * -7919);
            }
            drop(bulks);
            assert_eq!(one.buf(), many.buf());
        }
    }

    fn both(f: impl Fn(&mut Reply)) -> (String, String) {
        let run = |resp3| {
            let mut r = Reply::new(Vec::new(), resp3);
            f(&mut r);
            String::from_utf8(r.into_buf()).expect("text")
        };
        (run(false), run(true))
    }

    #[test]
    fn each_type_in_both_versions() {
        let same = |s: &str| (s.to_string(), s.to_string());
        let pair = |a: &str, b: &str| (a.to_string(), b.to_string());
        assert_eq!(both(|r| r.bulk(b"ab")), same("$2\r\nab\r\n"));
        assert_eq!(both(|r| r.bulk_int(-123)), same("$4\r\n-123\r\n"));
        for n in [0, 9, 10, 99, 100] {
            let want = format!("${}\r\n{n}\r\n", n.to_string().len());
            assert_eq!(both(|r| r.bulk_int(n)), same(&want));
        }
        assert_eq!(both(|r| r.bulk_int(1234567890)), same("$10\r\n1234567890\r\n"));
        assert_eq!(both(|r| r.bulk_int(i64::MIN)), same("$20\r\n-9223372036854775808\r\n"));
        assert_eq!(both(|r| r.int(i64::MIN)), same(":-9223372036854775808\r\n"));
        assert_eq!(both(|r| r.null()), pair("$-1\r\n", "_\r\n"));
        assert_eq!(both(|r| r.null_array()), pair("*-1\r\n", "_\r\n"));
        assert_eq!(both(|r| r.map(2)), pair("*4\r\n", "%2\r\n"));
        assert_eq!(both(|r| r.push(3)), pair("*3\r\n", ">3\r\n"));
        assert_eq!(both(|r| r.boolean(true)), pair(":1\r\n", "#t\r\n"));
        assert_eq!(both(|r| r.double(-12.0)), pair("$3\r\n-12\r\n", ",-12\r\n"));
        assert_eq!(both(|r| r.double(-0.0)), pair("$2\r\n-0\r\n", ",-0\r\n"));
        assert_eq!(both(|r| r.double(2.625)), pair("$5\r\n2.625\r\n", ",2.625\r\n"));
        assert_eq!(both(|r| r.verbatim("txt", b"hi")), pair("$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n"));
        assert_eq!(both(|r| r.bignum("12345")), pair("$5\r\n12345\r\n", "(12345\r\n"));
    }

    #[test]
    fn bulk_strings_of_every_length() {
        let text = "0123456789abcdefghijklmnopqrstuvwxyz".repeat(10);
        for len in 0..300 {
            let bytes = &text[..len];
            assert_eq!(both(|r| r.bulk(bytes.as_bytes())).0, format!("${len}\r\n{bytes}\r\n"));
        }
    }

    #[test]
    fn a_deferred_array_gets_its_header_last() {
        let (two, _) = both(|r| {
            let at = r.begin_array();
            r.int(1);
            r.int(2);
            r.end_array(at, 2);
        });
        assert_eq!(two, "*2\r\n:1\r\n:2\r\n");
    }
}
