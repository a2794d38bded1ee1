//! Requests: RESP arrays of bulk strings and inline lines, parsed in place.
//!
//! The parser copies nothing. It walks a buffer and notes each argument as a slice of it; a batch
//! of pipelined commands is parsed in one go before the first of them runs. What it knows of an
//! unfinished command it keeps (`Partial`), so that a command which arrives in a thousand pieces is
//! still parsed once.
//!
//! ```text
//! *3\r\n $3\r\nSET\r\n $1\r\nk\r\n $5\r\nhello\r\n    an array: count, then length and bytes each
//! SET k "hello world"\r\n                           inline: split at spaces, quotes as in a shell
//! ```
//!
//! Nearly all requests are arrays of few short arguments. So each step tries the short form first:
//! a count of one digit, and arguments whose lengths have one or two digits and which have come
//! whole. What is not like that goes through `count` and `bulk_length`, which also find the errors;
//! what has not come whole is put aside by `suspend`, and `resume` goes on with it.
//!
//! An error is found when the line that holds it is complete, or longer than a line may be. The
//! commands before it stand in the batch, and run.
//!
//! Invariants: slices in `args` never overlap; `Partial` positions count from the first byte of the
//! unfinished command, so that moving the command to another buffer keeps them right.

use std::ops::Range;

/// Longest inline request, and longest line that announces a count or a length.
pub const INLINE_MAX: usize = 64 * 1024;
/// What a line may have beyond that if its end has come: the size of Redis's reads, which looks at
/// the length only when a read has brought no end.
const INLINE_SLACK: usize = 16 * 1024;
/// What a client that has not yet authenticated may send at most: arguments, and bytes in each.
const UNAUTH_MAX_ARGS: i64 = 10;
const UNAUTH_MAX_BULK: i64 = 16384;

/// Limits in force for one client.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `proto-max-bulk-len`, in bytes.
    pub max_bulk: usize,
    /// False while the client still has to authenticate.
    pub trusted: bool,
}

/// One complete command of a batch: a range of `Batch::args`, or an owned inline command.
#[derive(Clone, Debug)]
pub struct Cmd {
    pub args: Range<usize>,
    /// Index into `Batch::inline` when the command came as a line with quotes.
    pub inline: Option<usize>,
    /// Where the command begins and the next one starts, in bytes from the start of the buffer.
    pub span: Range<usize>,
}

/// The commands found in one buffer.
#[derive(Default, Debug)]
pub struct Batch<'a> {
    pub args: Vec<&'a [u8]>,
    pub cmds: Vec<Cmd>,
    pub inline: Vec<Vec<Vec<u8>>>,
}

impl<'a> Batch<'a> {
    /// The arguments of a command that did not come inline.
    #[inline]
    pub fn args_of(&self, cmd: &Cmd) -> &[&'a [u8]] {
        &self.args[cmd.args.clone()]
    }

    /// An empty batch for another buffer, with the room of this one.
    pub fn reuse<'b>(mut self) -> Batch<'b> {
        self.clear();
        // Nothing is mapped: this changes the type of the empty list, and keeps its allocation.
        let args = self.args.into_iter().map(|_| &[][..]).collect();
        Batch { args, cmds: self.cmds, inline: self.inline }
    }

    /// Copies of the commands' arguments.
    pub fn to_owned(&self) -> Vec<Vec<Vec<u8>>> {
        let args = |cmd: &Cmd| match cmd.inline {
            Some(i) => self.inline[i].clone(),
            None => self.args_of(cmd).iter().map(|arg| arg.to_vec()).collect(),
        };
        self.cmds.iter().map(args).collect()
    }

    pub fn clear(&mut self) {
        self.args.clear();
        self.cmds.clear();
        self.inline.clear();
    }
}

/// What is known of a command that has not arrived whole.
#[derive(Default, Debug, PartialEq, Eq)]
pub struct Partial {
    pub(super) args: Vec<Range<usize>>,
    /// Arguments still to come; 0 when not even the count is known.
    pub(super) left: usize,
    /// Length announced for the argument that is arriving.
    pub(super) bulk: Option<usize>,
    /// Next byte to look at.
    pub(super) pos: usize,
}

impl Partial {
    pub fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// Bytes still missing of the argument that is arriving, given what is there; 0 if unknown.
    pub fn missing(&self, have: usize) -> usize {
        self.bulk.map_or(0, |len| (self.pos + len + 2).saturating_sub(have))
    }

    /// Bytes from the start of the command that have been understood.
    pub fn parsed(&self) -> usize {
        self.pos
    }

    /// Bytes of the arguments that are complete. O(arguments).
    pub fn arg_bytes(&self) -> usize {
        self.args.iter().map(Range::len).sum()
    }

    /// Bytes the argument ranges take, for memory accounting.
    pub fn bytes(&self) -> usize {
        self.args.capacity() * size_of::<Range<usize>>()
    }
}

/// Why a request can't be understood. The connection is closed after the reply.
#[derive(Debug, PartialEq, Eq, Clone)]
pub enum ProtoError {
    TooBigInline,
    UnbalancedQuotes,
    TooBigCountLine,
    InvalidCount,
    UnauthCount,
    TooBigLengthLine,
    ExpectedDollar(u8),
    InvalidLength,
    UnauthLength,
}

impl ProtoError {
    /// The reply's text, after `ERR Protocol error: `.
    pub fn text(&self) -> Vec<u8> {
        let text: &[u8] = match self {
            ProtoError::TooBigInline => b"too big inline request",
            ProtoError::UnbalancedQuotes => b"unbalanced quotes in request",
            ProtoError::TooBigCountLine => b"too big mbulk count string",
            ProtoError::InvalidCount => b"invalid multibulk length",
            ProtoError::UnauthCount => b"unauthenticated multibulk length",
            ProtoError::TooBigLengthLine => b"too big bulk count string",
            // The byte is shown as it came, even if it is not ASCII.
            ProtoError::ExpectedDollar(c) => {
                return [b"expected '$', got '", &[*c][..], b"'"].concat();
            }
            ProtoError::InvalidLength => b"invalid bulk length",
            ProtoError::UnauthLength => b"unauthenticated bulk length",
        };
        text.to_vec()
    }
}

/// How far a buffer was parsed.
#[derive(Debug)]
pub struct Parsed {
    /// Bytes that belong to complete commands (or to nothing); the rest is an unfinished command.
    pub used: usize,
    pub partial: Partial,
    /// Set when the byte after `used` starts something that can't be understood.
    pub error: Option<ProtoError>,
}

enum Step {
    Complete,
    /// Blank line or empty array: skipped.
    Nothing,
    NeedMore,
}

/// Parses up to `max_cmds` commands of `buf` into `batch`; `partial` is what an earlier call left.
#[inline(always)] // The loop over a pipeline keeps its state in registers: GET P16 20 instructions less.
pub fn parse<'a>(
    buf: &'a [u8],
    mut partial: Partial,
    limits: Limits,
    max_cmds: usize,
    batch: &mut Batch<'a>,
) -> Parsed {
    let mut start = 0;
    while start < buf.len() && batch.cmds.len() < max_cmds {
        let mut at = Cursor { buf, start, pos: start, batch };
        let step = if partial.is_empty() {
            at.command(&mut partial, limits)
        } else {
            at.resume(&mut partial, limits)
        };
        match step {
            Ok(Step::NeedMore) => break,
            Ok(Step::Complete | Step::Nothing) => start = at.pos,
            Err(error) => return Parsed { used: start, partial, error: Some(error) },
        }
    }
    Parsed { used: start, partial, error: None }
}

/// The digit of a line at `pos` that is like `line` but for its second byte.
#[inline(always)]
fn one_digit(buf: &[u8], pos: usize, line: &[u8; 4]) -> Option<usize> {
    let word = u32::from_le_bytes(*buf.get(pos..)?.first_chunk()?) ^ u32::from_le_bytes(*line);
    // Like bytes are 0 now, and so is what digits have in common.
    let digit = word >> 8;
    (word & 0xff == 0 && digit < 10).then_some(digit as usize)
}

/// The number of a line like `$5\r\n` or `$15\r\n` at the start of `rest`, and the length of the
/// line.
#[inline(always)]
fn short_length(rest: &[u8]) -> Option<(usize, usize)> {
    let Some(word) = rest.first_chunk() else {
        // Near the end of the buffer.
        return one_digit(rest, 0, b"$0\r\n").map(|len| (len, 4));
    };
    let word = u64::from_le_bytes(*word);
    let one = word as u32 ^ u32::from_le_bytes(*b"$0\r\n");
    if one & 0xff == 0 && one >> 8 < 10 {
        return Some((one as usize >> 8, 4));
    }
    let two = word & 0xff_ffff_ffff ^ u64::from_le_bytes(*b"$00\r\n\0\0\0");
    let (tens, ones) = (two as usize >> 8 & 0xff, two as usize >> 16);
    // A length does not begin with a zero.
    (two & 0xff == 0 && (1..10).contains(&tens) && ones < 10).then(|| (tens * 10 + ones, 5))
}

struct Cursor<'a, 'b> {
    buf: &'a [u8],
    start: usize,
    pos: usize,
    batch: &'b mut Batch<'a>,
}

impl Cursor<'_, '_> {
    /// A command from its first byte on. `keep` gets what is known of it if it has not arrived
    /// whole.
    #[inline(always)]
    fn command(&mut self, keep: &mut Partial, limits: Limits) -> Result<Step, ProtoError> {
        // The common case first: `*`, one digit, line end.
        let count = match one_digit(self.buf, self.pos, b"*0\r\n") {
            Some(count) => {
                self.pos += 4;
                count
            }
            None if self.buf[self.pos] != b'*' => return self.inline(),
            None => match self.count(limits)? {
                Some(count) => count,
                None => return Ok(Step::NeedMore),
            },
        };
        if count == 0 {
            return Ok(Step::Nothing);
        }
        self.arguments(self.batch.args.len(), count, None, keep, limits)
    }

    /// Goes on with a command of which a part came earlier.
    #[cold]
    fn resume(&mut self, partial: &mut Partial, limits: Limits) -> Result<Step, ProtoError> {
        let Partial { args, left, bulk, pos } = std::mem::take(partial);
        let (first, start) = (self.batch.args.len(), self.start);
        let buf = self.buf;
        self.batch.args.extend(args.iter().map(|r| &buf[r.start + start..r.end + start]));
        self.pos = start + pos;
        self.arguments(first, left, bulk, partial, limits)
    }

    /// Reads the number of arguments, which begins at the cursor, and moves past it; None when it
    /// has not arrived.
    #[cold]
    fn count(&mut self, limits: Limits) -> Result<Option<usize>, ProtoError> {
        let Some((count, next)) = self.number(self.pos + 1, ProtoError::TooBigCountLine)? else {
            return Ok(None);
        };
        let count = count.filter(|&n| n <= i64::from(i32::MAX));
        let count = count.ok_or(ProtoError::InvalidCount)?;
        if count > UNAUTH_MAX_ARGS && !limits.trusted {
            return Err(ProtoError::UnauthCount);
        }
        self.pos = next;
        Ok(Some(count.max(0) as usize))
    }

    /// Reads `left` arguments; those from `first` on belong to the command. `bulk` is the length of
    /// the next one if it is known.
    #[inline(always)]
    fn arguments(
        &mut self,
        first: usize,
        mut left: usize,
        mut bulk: Option<usize>,
        keep: &mut Partial,
        limits: Limits,
    ) -> Result<Step, ProtoError> {
        loop {
            if bulk.is_none() {
                left -= self.short_arguments(left);
            }
            if left == 0 {
                break;
            }
            let len = match bulk.take() {
                Some(len) => len,
                None => match self.bulk_length(limits)? {
                    Some(len) => len,
                    None => return Ok(self.suspend(first, left, None, keep)),
                },
            };
            let end = self.pos + len;
            if self.buf.len() < end + 2 {
                return Ok(self.suspend(first, left, Some(len), keep));
            }
            self.batch.args.push(&self.buf[self.pos..end]);
            self.pos = end + 2;
            left -= 1;
        }
        let span = self.start..self.pos;
        self.batch.cmds.push(Cmd { args: first..self.batch.args.len(), inline: None, span });
        Ok(Step::Complete)
    }

    /// Reads up to `most` arguments and moves past them, as long as their lengths have one or two
    /// digits and all is there; returns how many. Nearly all are like that.
    #[inline(always)]
    fn short_arguments(&mut self, most: usize) -> usize {
        let Some(mut rest) = self.buf.get(self.pos..) else { return 0 };
        let mut read = 0;
        while read < most {
            let Some((len, head)) = short_length(rest) else { break };
            let Some((argument, behind)) = rest[head..].split_at_checked(len) else { break };
            let [_, _, behind @ ..] = behind else { break };
            self.batch.args.push(argument);
            rest = behind;
            read += 1;
        }
        self.pos = self.buf.len() - rest.len();
        read
    }

    /// Reads `$<length>\r\n` at the cursor and moves past it; None when it has not arrived.
    fn bulk_length(&mut self, limits: Limits) -> Result<Option<usize>, ProtoError> {
        let Some(&mark) = self.buf.get(self.pos) else { return Ok(None) };
        // Any other byte is an error, but only when its line is complete.
        let (from, wrong) = if mark == b'$' { (self.pos + 1, false) } else { (self.pos, true) };
        let Some((len, next)) = self.number(from, ProtoError::TooBigLengthLine)? else {
            return Ok(None);
        };
        if wrong {
            return Err(ProtoError::ExpectedDollar(mark));
        }
        let len = len.filter(|&n| n >= 0 && n as usize <= limits.max_bulk);
        let len = len.ok_or(ProtoError::InvalidLength)?;
        if len > UNAUTH_MAX_BULK && !limits.trusted {
            return Err(ProtoError::UnauthLength);
        }
        self.pos = next;
        Ok(Some(len as usize))
    }

    #[cold]
    fn suspend(
        &mut self,
        first: usize,
        left: usize,
        bulk: Option<usize>,
        keep: &mut Partial,
    ) -> Step {
        let start = self.start;
        let origin = self.buf.as_ptr().addr() + start;
        let range = |arg: &[u8]| {
            let at = arg.as_ptr().addr() - origin;
            at..at + arg.len()
        };
        *keep = Partial {
            args: self.batch.args.drain(first..).map(range).collect(),
            left,
            bulk,
            pos: self.pos - start,
        };
        Step::NeedMore
    }

    /// The number between `from` and the next line end, and the position behind it.
    ///
    /// `Ok(None)`: the line is not complete. `Some((None, _))`: it is, but holds no number.
    fn number(
        &self,
        from: usize,
        too_long: ProtoError,
    ) -> Result<Option<(Option<i64>, usize)>, ProtoError> {
        let line = &self.buf[from..];
        let Some(end) = memchr::memchr(b'\r', line) else {
            return if line.len() > INLINE_MAX { Err(too_long) } else { Ok(None) };
        };
        if end + 1 >= line.len() {
            return Ok(None);
        }
        Ok(Some((crate::util::num::parse_i64(&line[..end]), from + end + 2)))
    }

    fn inline(&mut self) -> Result<Step, ProtoError> {
        let rest = &self.buf[self.pos..];
        // Compat: Redis looks for the end of a line as C does, so a NUL hides what follows it.
        let end = memchr::memchr2(b'\n', 0, rest).filter(|&end| rest[end] == b'\n');
        let Some(end) = end else {
            let too_big = rest.len() > INLINE_MAX;
            return if too_big { Err(ProtoError::TooBigInline) } else { Ok(Step::NeedMore) };
        };
        if end >= INLINE_MAX + INLINE_SLACK {
            return Err(ProtoError::TooBigInline);
        }
        let line = &rest[..end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.pos += end + 1;
        let args =
            crate::util::split::split_args(line).map_err(|_| ProtoError::UnbalancedQuotes)?;
        if args.is_empty() {
            return Ok(Step::Nothing);
        }
        let span = self.start..self.pos;
        let inline = Some(self.batch.inline.len());
        self.batch.inline.push(args);
        self.batch.cmds.push(Cmd { args: 0..0, inline, span });
        Ok(Step::Complete)
    }
}

/// Fuzz entry: any bytes, cut anywhere, give the same commands as the whole, and never a panic.
pub fn fuzz(data: &[u8]) {
    let limits = Limits { max_bulk: 1 << 20, trusted: true };
    let mut whole = Batch::default();
    let end = parse(data, Partial::default(), limits, usize::MAX, &mut whole);
    let count = whole.cmds.len();
    let (mut buf, mut partial, mut pieces, mut seen) = (Vec::new(), Partial::default(), 0, false);
    for chunk in data.chunks(7) {
        buf.extend_from_slice(chunk);
        let mut batch = Batch::default();
        let step = parse(&buf, partial, limits, usize::MAX, &mut batch);
        let inside = |arg: &&[u8]| buf.as_ptr_range().contains(&arg.as_ptr());
        assert!(batch.args.iter().all(inside));
        pieces += batch.cmds.len();
        buf.drain(..step.used);
        partial = step.partial;
        if step.error.is_some() {
            seen = true;
            break;
        }
    }
    // A line that is too long is noticed at different times in whole and in pieces; else the same.
    if data.len() < INLINE_MAX {
        assert_eq!(pieces, count);
        assert_eq!(seen, end.error.is_some());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { max_bulk: 512 << 20, trusted: true };

    fn all(buf: &[u8]) -> (Vec<Vec<Vec<u8>>>, Parsed) {
        let mut b = Batch::default();
        let p = parse(buf, Partial::default(), LIMITS, usize::MAX, &mut b);
        (b.to_owned(), p)
    }

    #[test]
    fn a_pipeline_of_arrays_and_lines() {
        let (cmds, p) =
            all(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n\r\nPING \"a b\"\r\n*0\r\n*1\r\n$4\r\nQ");
        assert_eq!(
            cmds,
            [vec![b"GET".to_vec(), b"k".to_vec()], vec![b"PING".to_vec(), b"a b".to_vec()]]
        );
        assert_eq!(p.used, 38);
        assert_eq!(p.partial.missing(9), 5);
        assert!(p.error.is_none());
    }

    #[test]
    fn a_nul_hides_the_end_of_a_line() {
        let (cmds, p) = all(b"SET a b\0c d\r\n");
        assert!(cmds.is_empty() && p.error.is_none() && p.used == 0);
        let long = [b"a\0", &vec![b'x'; INLINE_MAX][..], b"\r\n"].concat();
        assert_eq!(all(&long).1.error, Some(ProtoError::TooBigInline));
    }

    #[test]
    fn resumes_without_parsing_again() {
        let text = b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$12\r\nhello world!\r\n";
        for cut in 1..text.len() {
            let mut b = Batch::default();
            let first = parse(&text[..cut], Partial::default(), LIMITS, 9, &mut b);
            assert_eq!((first.used, b.cmds.len()), (0, 0));
            let second = parse(text, first.partial, LIMITS, 9, &mut b);
            assert_eq!((second.used, b.cmds.len(), b.args.len()), (text.len(), 1, 3));
            assert_eq!(b.args[2], b"hello world!");
        }
    }

    #[test]
    fn refuses_with_redis_words() {
        for (input, words) in [
            (&b"*x\r\n"[..], "invalid multibulk length"),
            (b"*3000000000\r\n", "invalid multibulk length"),
            (b"*1\r\n$-5\r\n", "invalid bulk length"),
            (b"*1\r\n$9000000000\r\n", "invalid bulk length"),
            (b"*2\r\n$1\r\nx\r\nfooz\r\n", "expected '$', got 'f'"),
            (b"*1\r\n*1\r\n", "expected '$', got '*'"),
            (b"*1\r\n\r\n", "expected '$', got '\r'"),
            (b"PING \"x\r\n", "unbalanced quotes in request"),
        ] {
            assert_eq!(all(input).1.error.expect("refused").text(), words.as_bytes());
        }
        let error = all(b"*1\r\n\xff\r\n").1.error.expect("refused");
        assert_eq!(error.text(), b"expected '$', got '\xff'");
        let long = vec![b'1'; INLINE_MAX + 10];
        assert_eq!(all(&long).1.error, Some(ProtoError::TooBigInline));
        assert_eq!(all(&[b"*", &long[..]].concat()).1.error, Some(ProtoError::TooBigCountLine));
        let text = [b"*1\r\n$", &long[..]].concat();
        assert_eq!(all(&text).1.error, Some(ProtoError::TooBigLengthLine));
    }

    #[test]
    fn room_is_kept_for_another_buffer() {
        let mut b = Batch::default();
        let text = b"*1\r\n$4\r\nPING\r\n".repeat(100);
        parse(&text, Partial::default(), LIMITS, 100, &mut b);
        let (room, at) = (b.args.capacity(), b.args.as_ptr().addr());
        let b: Batch<'static> = b.reuse();
        assert_eq!((b.args.capacity(), b.args.as_ptr().addr()), (room, at));
        assert!(b.args.is_empty() && b.cmds.is_empty());
    }

    #[test]
    fn strangers_are_kept_short() {
        let limits = Limits { trusted: false, ..LIMITS };
        let mut b = Batch::default();
        let p = parse(b"*11\r\n", Partial::default(), limits, 9, &mut b);
        assert_eq!(p.error, Some(ProtoError::UnauthCount));
        let p = parse(b"*1\r\n$16385\r\n", Partial::default(), limits, 9, &mut b);
        assert_eq!(p.error, Some(ProtoError::UnauthLength));
    }

    #[test]
    fn cut_anywhere_gives_the_same() {
        fuzz(b"*1\r\n$4\r\nPING\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$11\r\nhello world\r\nx y 'z\r\n");
    }
}
