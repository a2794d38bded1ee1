//! The walk over the commands of one file, with the eyes of redis-check-aof.
//!
//! It is less strict than the server where C's `strtol` is (`*\r\n` is a command of no arguments),
//! and names the offset at which each thing that is wrong begins. MULTI and EXEC are followed: what
//! is sound ends before a transaction that does not.

use crate::util::num::leading_number;
use std::io::{self, BufRead, Read};

/// Bytes of a header's line, and of an annotation, that are looked at as one.
const HEADER_LINE: usize = 127;
const ANNOTATION_LINE: usize = 1023;
/// So many bytes of a command's name tell whether it is MULTI or EXEC.
const NAME: usize = 6;
/// Lengths of strings up to here are in range.
const STRING_MAX: i64 = i64::MAX - 2;

/// How a walk came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// At the end of the file, or at what is told of by `Scan::error`.
    End,
    /// Where a command should begin there is something else.
    NoCommand,
    /// At an annotation at `at` of a time after `limit`.
    Later {
        at: u64,
        limit: i64,
    },
    BadTimestamp,
}

pub(super) struct Scan<R> {
    from: R,
    pos: u64,
    limit: Option<i64>,
    lines: u64,
    /// Where what is being read begins.
    start: u64,
    /// How far everything is whole.
    sound: u64,
    /// MULTI without EXEC so far; less than none after an EXEC too many.
    multi: i32,
    error: Option<Vec<u8>>,
    line: Vec<u8>,
}

/// A thing can't be read; the reason is in `error`, unless it is just the end of the file.
struct Wrong;

/// What was read, or why not: of the file, and outside of it of reading at all.
type Step<T> = io::Result<Result<T, Wrong>>;

impl<R: BufRead> Scan<R> {
    /// A walk over `from`, which stands at `pos` of its file and in line `lines`.
    pub(super) fn new(from: R, pos: u64, lines: u64) -> Scan<R> {
        let (start, sound, multi) = (pos, pos, 0);
        Scan { from, pos, limit: None, lines, start, sound, multi, error: None, line: Vec::new() }
    }

    /// The same, that ends before an annotation of a later time.
    pub(super) fn until(mut self, limit: i64) -> Scan<R> {
        self.limit = Some(limit);
        self
    }

    pub(super) fn lines(&self) -> u64 {
        self.lines
    }

    pub(super) fn sound(&self) -> u64 {
        self.sound
    }

    /// What is wrong, with its offset.
    pub(super) fn error(&self) -> Option<&[u8]> {
        self.error.as_deref()
    }

    /// Walks on until something ends it. `path` is the file's, for what is told.
    pub(super) fn walk(&mut self, path: &[u8]) -> io::Result<Ended> {
        loop {
            if self.multi == 0 {
                self.sound = self.pos;
            }
            let next = self.from.fill_buf_retrying()?.first().copied();
            match next {
                None => break,
                Some(b'#') => {
                    if let Some(ended) = self.annotation()? {
                        return Ok(ended);
                    }
                }
                Some(b'*') => {
                    if self.command(path)?.is_err() {
                        break;
                    }
                }
                Some(_) => return Ok(Ended::NoCommand),
            }
        }
        if self.multi != 0 && self.error.is_none() {
            self.wrong(b"Reached EOF before reading EXEC for MULTI");
        }
        Ok(Ended::End)
    }

    fn wrong(&mut self, what: &[u8]) -> Wrong {
        // The offset has its columns, as in C's "%16llx".
        let mut text = format!("0x{:16x}: ", self.start).into_bytes();
        text.extend_from_slice(what);
        self.error = Some(text);
        Wrong
    }

    /// An annotation; how the walk ends there, if it does.
    fn annotation(&mut self) -> io::Result<Option<Ended>> {
        self.start = self.pos;
        self.read_line(ANNOTATION_LINE)?;
        let (Some(limit), Some(rest)) = (self.limit, self.line.strip_prefix(b"#TS:")) else {
            return Ok(None);
        };
        let (time, len, in_range) = leading_number(rest);
        if rest.get(len) != Some(&b'\r') || !in_range {
            return Ok(Some(Ended::BadTimestamp));
        }
        Ok((time > limit).then_some(Ended::Later { at: self.start, limit }))
    }

    fn command(&mut self, path: &[u8]) -> Step<()> {
        let count = match self.header(b'*')? {
            Ok(count) => count,
            Err(wrong) => return Ok(Err(wrong)),
        };
        for i in 0..count.max(0) {
            let name = match self.string()? {
                Ok(name) => name,
                Err(wrong) => return Ok(Err(wrong)),
            };
            if i > 0 {
                continue;
            }
            if name.eq_ignore_ascii_case(b"multi") {
                self.multi += 1;
                if self.multi != 1 {
                    return Ok(Err(self.wrong(&[b"Unexpected MULTI in AOF ", path].concat())));
                }
            } else if name.eq_ignore_ascii_case(b"exec") {
                self.multi -= 1;
                if self.multi != 0 {
                    return Ok(Err(self.wrong(&[b"Unexpected EXEC in AOF ", path].concat())));
                }
            }
        }
        Ok(Ok(()))
    }

    /// A line of `prefix` and a number.
    fn header(&mut self, prefix: u8) -> Step<i64> {
        self.start = self.pos;
        self.read_line(HEADER_LINE)?;
        let Some(&first) = self.line.first() else { return Ok(Err(Wrong)) };
        if first != prefix {
            let mut what = format!("Expected prefix '{}', got: '", char::from(prefix)).into_bytes();
            // Compat: a zero byte ends a text of C.
            if first != 0 {
                what.extend_from_slice(&[first, b'\'']);
            }
            return Ok(Err(self.wrong(&what)));
        }
        let (value, len, _) = leading_number(&self.line[1..]);
        let at = |i: usize| self.line.get(i).copied().unwrap_or(0);
        let end = [at(1 + len), at(2 + len)];
        Ok(self.newline(end).map(|()| value))
    }

    /// A string with its header; the start of its text up to a zero byte.
    fn string(&mut self) -> Step<Vec<u8>> {
        let len = match self.header(b'$')? {
            Ok(len) => len,
            Err(wrong) => return Ok(Err(wrong)),
        };
        if !(0..=STRING_MAX).contains(&len) {
            let what = format!(
                "Expected to read string of {len} bytes, which is not in the suitable range"
            );
            return Ok(Err(self.wrong(what.as_bytes())));
        }
        self.start = self.pos;
        let (mut name, mut end) = (Vec::new(), Vec::new());
        let len = len as u64;
        let got = self.take(len.min(NAME as u64), &mut name)?;
        let got = got + self.pass(len - len.min(NAME as u64))?;
        let got = got + self.take(2, &mut end)?;
        let &[cr, lf] = &end[..] else {
            let what = format!("Expected to read {} bytes, got {got} bytes", len + 2);
            return Ok(Err(self.wrong(what.as_bytes())));
        };
        if let Some(zero) = memchr::memchr(0, &name) {
            name.truncate(zero);
        }
        Ok(self.newline([cr, lf]).map(|()| name))
    }

    fn newline(&mut self, found: [u8; 2]) -> Result<(), Wrong> {
        if found == *b"\r\n" {
            self.lines += 1;
            return Ok(());
        }
        // Compat: bytes are numbers with a sign there.
        let [a, b] = found.map(|byte| i32::from(byte.cast_signed()));
        Err(self.wrong(format!("Expected \\r\\n, got: {a:02x}{b:02x}").as_bytes()))
    }

    /// Reads up to the end of the line, and at most so many bytes, into `line`.
    fn read_line(&mut self, most: usize) -> io::Result<()> {
        self.line.clear();
        let read = self.from.by_ref().take(most as u64).read_until(b'\n', &mut self.line)?;
        self.pos += read as u64;
        Ok(())
    }

    /// Appends up to `n` bytes, a few, to `out`; how many there were.
    fn take(&mut self, n: u64, out: &mut Vec<u8>) -> io::Result<u64> {
        let read = self.from.by_ref().take(n).read_to_end(out)? as u64;
        self.pos += read;
        Ok(read)
    }

    /// Passes over up to `n` bytes; how many there were.
    fn pass(&mut self, n: u64) -> io::Result<u64> {
        let mut passed = 0;
        while passed < n {
            let here = self.from.fill_buf_retrying()?.len() as u64;
            if here == 0 {
                break;
            }
            let step = here.min(n - passed);
            self.from.consume(step as usize);
            passed += step;
        }
        self.pos += passed;
        Ok(passed)
    }
}

trait FillBuf {
    /// `fill_buf`, again after a signal.
    fn fill_buf_retrying(&mut self) -> io::Result<&[u8]>;
}

impl<R: BufRead> FillBuf for R {
    fn fill_buf_retrying(&mut self) -> io::Result<&[u8]> {
        loop {
            match self.fill_buf() {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
                Ok(_) => return self.fill_buf(),
            }
        }
    }
}
