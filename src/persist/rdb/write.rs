//! `Writer`: the elements of the format, written through one buffer.
//!
//! The checksum is taken when the buffer is full. Long strings don't pass through the buffer.

use super::types::{LEN_32, LEN_64, form, form_byte};
use crate::util::crc64;
use crate::util::lzf::Compressor;
use crate::value::string::{IntText, parse_int};
use std::io::{self, Write};

/// Strings up to this length are tried as integers: the longest text of an `i32`.
const INT_TEXT: usize = 11;
/// Strings up to this length are not compressed: nothing would be gained.
const LZF_OVER: usize = 20;
/// Strings from this length on are written straight from where they are.
const DIRECT: usize = 64 << 10;
/// The memory for packing is given back if a string needed more than this.
const PACKED_KEEP: usize = 1 << 20;

/// Writes the elements of the format to `out`. Call `flush` when done: dropping it loses what is
/// buffered.
pub(crate) struct Writer<W> {
    out: W,
    buf: Vec<u8>,
    capacity: usize,
    crc: u64,
    checksum: bool,
    written: u64,
    compression: bool,
    compressor: Compressor,
    packed: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// A writer that writes in pieces of up to `capacity` bytes, at least 4 KiB.
    pub(crate) fn new(out: W, capacity: usize, compression: bool, checksum: bool) -> Writer<W> {
        let capacity = capacity.max(4096);
        Writer {
            out,
            buf: Vec::with_capacity(capacity),
            capacity,
            crc: 0,
            checksum,
            written: 0,
            compression,
            compressor: Compressor::default(),
            packed: Vec::new(),
        }
    }

    /// The checksum of all that was written.
    pub(crate) fn crc(&mut self) -> io::Result<u64> {
        self.flush()?;
        Ok(self.crc)
    }

    /// Bytes so far.
    pub(crate) fn offset(&self) -> u64 {
        self.written + self.buf.len() as u64
    }

    /// Hands what is buffered to `out`.
    #[inline(never)]
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if self.checksum {
            self.crc = crc64::update(self.crc, &self.buf);
        }
        self.written += self.buf.len() as u64;
        self.out.write_all(&self.buf)?;
        self.buf.clear();
        Ok(())
    }

    /// Makes sure that `n` bytes fit the buffer; `n` is far below its capacity.
    #[inline(always)]
    pub(crate) fn room(&mut self, n: usize) -> io::Result<()> {
        if self.capacity - self.buf.len() < n { self.flush() } else { Ok(()) }
    }

    /// Some bytes as they are.
    #[inline]
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() >= DIRECT.min(self.capacity) {
            return self.direct(bytes);
        }
        self.room(bytes.len())?;
        self.buf.extend_from_slice(bytes);
        Ok(())
    }

    #[cold]
    fn direct(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.flush()?;
        // It is written in pieces, so that a file that syncs as it is written can do so.
        for piece in bytes.chunks(1 << 20) {
            if self.checksum {
                self.crc = crc64::update(self.crc, piece);
            }
            self.written += piece.len() as u64;
            self.out.write_all(piece)?;
        }
        Ok(())
    }

    /// A byte: an opcode, a type.
    #[inline(always)]
    pub(crate) fn byte(&mut self, byte: u8) -> io::Result<()> {
        self.room(1)?;
        self.buf.push(byte);
        Ok(())
    }

    /// A length.
    #[inline]
    pub(crate) fn length(&mut self, n: u64) -> io::Result<()> {
        self.room(9)?;
        match n {
            0..0x40 => self.buf.push(n as u8),
            0x40..0x4000 => self.buf.extend_from_slice(&[0x40 | (n >> 8) as u8, n as u8]),
            _ => self.long_length(n),
        }
        Ok(())
    }

    #[cold]
    fn long_length(&mut self, n: u64) {
        match u32::try_from(n) {
            Ok(n) => {
                self.buf.push(LEN_32);
                self.buf.extend_from_slice(&n.to_be_bytes());
            }
            Err(_) => {
                self.buf.push(LEN_64);
                self.buf.extend_from_slice(&n.to_be_bytes());
            }
        }
    }

    /// A string, in the shortest form it has.
    #[inline]
    pub(crate) fn string(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() <= INT_TEXT {
            if let Some(int) = parse_int(bytes).and_then(|int| i32::try_from(int).ok()) {
                return self.short_int(int);
            }
        } else if bytes.len() > LZF_OVER && self.compression && self.packed(bytes)? {
            return Ok(());
        }
        self.raw(bytes)
    }

    /// A string as it is.
    #[inline(always)]
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.length(bytes.len() as u64)?;
        self.bytes(bytes)
    }

    /// A string that spells an integer.
    #[inline]
    pub(crate) fn int(&mut self, int: i64) -> io::Result<()> {
        match i32::try_from(int) {
            Ok(int) => self.short_int(int),
            Err(_) => self.raw(IntText::new(int).as_bytes()),
        }
    }

    #[inline]
    fn short_int(&mut self, int: i32) -> io::Result<()> {
        self.room(5)?;
        let [a, b, c, d] = int.to_le_bytes();
        if i8::try_from(int).is_ok() {
            self.buf.extend_from_slice(&[form_byte(form::INT8), a]);
        } else if i16::try_from(int).is_ok() {
            self.buf.extend_from_slice(&[form_byte(form::INT16), a, b]);
        } else {
            self.buf.extend_from_slice(&[form_byte(form::INT32), a, b, c, d]);
        }
        Ok(())
    }

    /// A string of `len` bytes that is compressed already.
    pub(crate) fn compressed(&mut self, packed: &[u8], len: u64) -> io::Result<()> {
        self.byte(form_byte(form::LZF))?;
        self.length(packed.len() as u64)?;
        self.length(len)?;
        self.bytes(packed)
    }

    /// Writes a string compressed, if that makes it shorter; false if it does not.
    fn packed(&mut self, bytes: &[u8]) -> io::Result<bool> {
        let mut packed = std::mem::take(&mut self.packed);
        packed.clear();
        if bytes.len() > PACKED_KEEP {
            // It is reserved at once: to grow in steps would take twice as much for a while. Memory
            // that is not written to costs nothing.
            packed.reserve_exact(bytes.len());
        }
        let shorter = self.compressor.compress(bytes, &mut packed, bytes.len() - 4);
        if shorter {
            self.compressed(&packed, bytes.len() as u64)?;
        }
        if packed.capacity() <= PACKED_KEEP {
            self.packed = packed;
        }
        Ok(shorter)
    }
}

impl<W> std::fmt::Debug for Writer<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("written", &self.written).finish_non_exhaustive()
    }
}
