//! `Reader`: the elements of the format, read from anything: bytes, lengths, strings.
//!
//! It has a buffer of its own, so that the loader can parse whole keys in place (`window`), and the
//! checksum takes each full buffer in one pass instead of one for each element.
//!
//! No length is trusted. If it is known how many bytes the input has, a string that fits in them
//! gets its memory at once: to grow in steps would take twice as much for a while. Otherwise memory
//! is taken as bytes arrive.

use super::error::RdbError;
use super::types::{LEN_32, LEN_64, form};
use crate::util::crc64;
use crate::util::lzf;
use crate::value::string::IntText;
use std::io::{ErrorKind, Read};

/// What a first byte, and what follows it, says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Len {
    Plain(u64),
    /// No length: one of `form`.
    Form(u8),
}

/// A string as it was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Text {
    Int(i64),
    Bytes(Vec<u8>),
}

/// Memory taken for a string before its bytes have arrived.
const STEP: usize = 1 << 20;

/// Reads the elements of the format.
pub(crate) struct Reader<R> {
    source: R,
    buf: Box<[u8]>,
    /// `buf[pos..end]` is to be read.
    pos: usize,
    end: usize,
    /// `buf[..summed]` is in the checksum.
    summed: usize,
    crc: u64,
    checksum: bool,
    /// Offset of `buf[0]`.
    base: u64,
    /// How many bytes the source has in all, if that is known.
    total: Option<u64>,
    /// No read is tried that is not needed.
    live: bool,
    at_end: bool,
}

impl<R: Read> Reader<R> {
    /// A reader with a buffer of `capacity` bytes, at least 64. Without `checksum`, `crc` is 0
    /// forever.
    pub(crate) fn new(source: R, capacity: usize, checksum: bool) -> Reader<R> {
        let buf = vec![0; capacity.max(64)].into_boxed_slice();
        let (pos, end, summed, crc, base) = (0, 0, 0, 0, 0);
        let (total, at_end) = (None, false);
        Reader { source, buf, pos, end, summed, crc, checksum, base, total, at_end, live: false }
    }

    /// The same for a source that has so many bytes in all.
    pub(crate) fn of_size(mut self, total: Option<u64>) -> Reader<R> {
        self.total = total;
        self
    }

    /// The same; if `live`, no read is tried that is not needed: it might wait for ever.
    pub(crate) fn live(mut self, live: bool) -> Reader<R> {
        self.live = live;
        self
    }

    pub(crate) fn source(&mut self) -> &mut R {
        &mut self.source
    }

    /// Bytes read so far.
    #[inline]
    pub(crate) fn offset(&self) -> u64 {
        self.base + self.pos as u64
    }

    /// What is in the buffer and not read yet.
    #[inline]
    pub(crate) fn window(&self) -> &[u8] {
        &self.buf[self.pos..self.end]
    }

    /// Reads `n` bytes of the window.
    #[inline]
    pub(crate) fn consume(&mut self, n: usize) {
        assert!(n <= self.end - self.pos);
        self.pos += n;
    }

    /// How many more bytes there are, once the end of the source has been seen.
    pub(crate) fn left(&self) -> Option<usize> {
        self.at_end.then_some(self.end - self.pos)
    }

    /// The checksum of all bytes read.
    pub(crate) fn crc(&mut self) -> u64 {
        self.sum();
        self.crc
    }

    fn sum(&mut self) {
        if self.checksum {
            self.crc = crc64::update(self.crc, &self.buf[self.summed..self.pos]);
        }
        self.summed = self.pos;
    }

    /// Brings at least `n` bytes into the window, if the source has them; `n` is at most the
    /// capacity. Reads on until the buffer is half full, so that small reads don't starve the
    /// window.
    pub(crate) fn fill(&mut self, n: usize) -> Result<bool, RdbError> {
        if self.end - self.pos >= n {
            return Ok(true);
        }
        self.sum();
        self.buf.copy_within(self.pos..self.end, 0);
        self.base += self.pos as u64;
        self.end -= self.pos;
        (self.pos, self.summed) = (0, 0);
        let enough = if self.live { n } else { n.max(self.buf.len() / 2) };
        while !self.at_end && self.end < enough {
            match self.source.read(&mut self.buf[self.end..]) {
                Ok(0) => self.at_end = true,
                Ok(got) => self.end += got,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(RdbError::Io(e)),
            }
        }
        Ok(self.end >= n)
    }

    fn need(&mut self, n: usize) -> Result<(), RdbError> {
        match self.end - self.pos >= n || self.fill(n)? {
            true => Ok(()),
            false => Err(RdbError::Truncated { at: self.base + self.end as u64 }),
        }
    }

    /// The next `N` bytes, at most 64.
    #[inline]
    pub(crate) fn take<const N: usize>(&mut self) -> Result<[u8; N], RdbError> {
        self.need(N)?;
        let mut out = [0; N];
        out.copy_from_slice(&self.buf[self.pos..self.pos + N]);
        self.pos += N;
        Ok(out)
    }

    /// The next byte.
    pub(crate) fn byte(&mut self) -> Result<u8, RdbError> {
        Ok(self.take::<1>()?[0])
    }

    /// A time in milliseconds.
    pub(crate) fn time_ms(&mut self) -> Result<i64, RdbError> {
        Ok(i64::from_le_bytes(self.take()?))
    }

    /// A length, or the form of a string.
    pub(crate) fn len_or_form(&mut self) -> Result<Len, RdbError> {
        let at = self.offset();
        let first = self.byte()?;
        Ok(match first >> 6 {
            0 => Len::Plain(u64::from(first)),
            1 => Len::Plain(u64::from(first & 0x3f) << 8 | u64::from(self.byte()?)),
            3 => Len::Form(first & 0x3f),
            _ => match first {
                LEN_32 => Len::Plain(u64::from(u32::from_be_bytes(self.take()?))),
                LEN_64 => Len::Plain(u64::from_be_bytes(self.take()?)),
                _ => return Err(RdbError::corrupt(at, "Unknown length encoding")),
            },
        })
    }

    /// A length.
    pub(crate) fn length(&mut self) -> Result<u64, RdbError> {
        let at = self.offset();
        match self.len_or_form()? {
            Len::Plain(n) => Ok(n),
            Len::Form(_) => Err(RdbError::corrupt(at, "A string where a length is expected")),
        }
    }

    /// A string.
    pub(crate) fn text(&mut self) -> Result<Text, RdbError> {
        let at = self.offset();
        match self.len_or_form()? {
            Len::Plain(len) => {
                let mut bytes = Vec::new();
                self.append(len, &mut bytes)?;
                Ok(Text::Bytes(bytes))
            }
            Len::Form(form::LZF) => {
                let mut bytes = Vec::new();
                self.append_lzf(at, &mut bytes)?;
                Ok(Text::Bytes(bytes))
            }
            Len::Form(form) => Ok(Text::Int(self.int(form, at)?)),
        }
    }

    /// A string, integers as text, into `out`, which is cleared before.
    pub(crate) fn string_into(&mut self, out: &mut Vec<u8>) -> Result<(), RdbError> {
        out.clear();
        let at = self.offset();
        match self.len_or_form()? {
            Len::Plain(len) => self.append(len, out),
            Len::Form(form::LZF) => self.append_lzf(at, out),
            Len::Form(form) => {
                let int = self.int(form, at)?;
                out.extend_from_slice(IntText::new(int).as_bytes());
                Ok(())
            }
        }
    }

    /// A string, integers as text.
    pub(crate) fn string(&mut self) -> Result<Vec<u8>, RdbError> {
        let mut out = Vec::new();
        self.string_into(&mut out)?;
        Ok(out)
    }

    fn int(&mut self, form: u8, at: u64) -> Result<i64, RdbError> {
        Ok(match form {
            form::INT8 => i64::from(i8::from_le_bytes(self.take()?)),
            form::INT16 => i64::from(i16::from_le_bytes(self.take()?)),
            form::INT32 => i64::from(i32::from_le_bytes(self.take()?)),
            _ => return Err(RdbError::corrupt(at, "Unknown string encoding")),
        })
    }

    /// `len` bytes, to the end of `out`.
    fn append(&mut self, len: u64, out: &mut Vec<u8>) -> Result<(), RdbError> {
        let mut left = usize::try_from(len).unwrap_or(usize::MAX);
        // All at once if the bytes are here or known to come; otherwise step by step as they
        // arrive.
        let known = self.total.is_some_and(|total| len <= total.saturating_sub(self.offset()));
        make_room(out, if known { left } else { left.min(STEP.max(self.end - self.pos)) })?;
        while left > 0 {
            self.need(1)?;
            let n = left.min(self.end - self.pos);
            if out.capacity() - out.len() < n {
                make_room(out, left.min(out.len().max(n)))?;
            }
            out.extend_from_slice(&self.buf[self.pos..self.pos + n]);
            self.pos += n;
            left -= n;
        }
        Ok(())
    }

    /// A compressed string, to the end of `out`.
    fn append_lzf(&mut self, at: u64, out: &mut Vec<u8>) -> Result<(), RdbError> {
        let packed_len = self.length()?;
        let len = usize::try_from(self.length()?).unwrap_or(usize::MAX);
        let broken = || RdbError::corrupt(at, "Invalid LZF compressed string");
        let in_window = usize::try_from(packed_len).ok().filter(|&n| n <= self.end - self.pos);
        let fine = if let Some(n) = in_window {
            let packed = &self.buf[self.pos..self.pos + n];
            let fine = unpack(packed, len, out)?;
            self.pos += n;
            fine
        } else {
            let mut packed = Vec::new();
            self.append(packed_len, &mut packed)?;
            unpack(&packed, len, out)?
        };
        if fine { Ok(()) } else { Err(broken()) }
    }

    /// Skips a string and returns its length. A compressed one is unpacked, to know that it can be.
    pub(crate) fn skip_string(&mut self) -> Result<u64, RdbError> {
        let at = self.offset();
        match self.len_or_form()? {
            Len::Plain(len) => {
                self.skip(len)?;
                Ok(len)
            }
            Len::Form(form::LZF) => {
                let mut out = Vec::new();
                self.append_lzf(at, &mut out)?;
                Ok(out.len() as u64)
            }
            Len::Form(form) => {
                let int = self.int(form, at)?;
                Ok(IntText::new(int).as_bytes().len() as u64)
            }
        }
    }

    /// Passes over `n` bytes.
    pub(crate) fn skip(&mut self, mut n: u64) -> Result<(), RdbError> {
        while n > 0 {
            self.need(1)?;
            let step = n.min((self.end - self.pos) as u64);
            self.pos += step as usize;
            n -= step;
        }
        Ok(())
    }
}

/// Makes room for `n` more bytes. A file may claim more than there is memory: that is an error, and
/// must not end the server.
fn make_room(out: &mut Vec<u8>, n: usize) -> Result<(), RdbError> {
    out.try_reserve_exact(n).map_err(|_| RdbError::Io(ErrorKind::OutOfMemory.into()))
}

/// Appends the string of `len` bytes that `packed` is the compressed form of; false if it is none.
fn unpack(packed: &[u8], len: usize, out: &mut Vec<u8>) -> Result<bool, RdbError> {
    if !lzf::is_plausible(packed.len(), len) {
        return Ok(false);
    }
    make_room(out, len)?;
    Ok(lzf::decompress(packed, len, out))
}

impl<R> std::fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let offset = self.base + self.pos as u64;
        f.debug_struct("Reader").field("offset", &offset).finish_non_exhaustive()
    }
}
