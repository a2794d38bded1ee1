//! A snapshot as it comes from the primary's socket, for the loader to read.

use std::io::{self, ErrorKind, Read};
use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use crate::net::conn::Conn;
use crate::repl::transfer::MARK_LEN;
use crate::sys::socket;

/// Reads from the socket and waits for more, up to the time-out.
pub(super) struct FromSocket<'a> {
    conn: &'a mut Conn,
    /// What had been read before.
    input: &'a mut Vec<u8>,
    /// Bytes that are left, if their number is known.
    left: Option<u64>,
    timeout: Duration,
    /// Where signals come from: the server may have to end.
    signals: Option<RawFd>,
    /// Bytes in all, and the last of them, as many as a mark has.
    total: u64,
    last: Vec<u8>,
}

impl Read for FromSocket<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let room = self.left.map_or(buf.len(), |left| buf.len().min(left.min(1 << 30) as usize));
        if room == 0 {
            return Ok(0);
        }
        let n = if self.input.is_empty() {
            self.more(&mut buf[..room])?
        } else {
            let n = self.input.len().min(room);
            buf[..n].copy_from_slice(&self.input[..n]);
            self.input.drain(..n);
            n
        };
        self.left = self.left.map(|left| left - n as u64);
        self.total += n as u64;
        self.last.extend_from_slice(&buf[n.saturating_sub(MARK_LEN)..n]);
        let over = self.last.len().saturating_sub(MARK_LEN);
        self.last.drain(..over);
        Ok(n)
    }
}

impl<'a> FromSocket<'a> {
    pub(super) fn new(
        conn: &'a mut Conn,
        input: &'a mut Vec<u8>,
        left: Option<u64>,
        timeout: Duration,
        signals: Option<RawFd>,
    ) -> FromSocket<'a> {
        FromSocket { conn, input, left, timeout, signals, total: 0, last: Vec::new() }
    }

    /// Bytes that have been read.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    fn more(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let since = Instant::now();
        loop {
            match self.conn.read(buf) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    let left = self.timeout.saturating_sub(since.elapsed());
                    if left.is_zero() {
                        return Err(ErrorKind::TimedOut.into());
                    }
                    if socket::wait_readable(&self.conn.fd(), self.signals, left)? {
                        return Err(io::Error::other("a signal has come"));
                    }
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    /// The mark must follow the snapshot, of which `used` bytes were loaded. A part of it may have
    /// been read with the snapshot.
    pub(super) fn read_mark(&mut self, used: u64, mark: &[u8; MARK_LEN]) -> io::Result<()> {
        let over = (self.total.saturating_sub(used) as usize).min(self.last.len());
        let mut found = self.last[self.last.len() - over..].to_vec();
        let have = found.len().min(MARK_LEN);
        found.resize(MARK_LEN.max(have), 0);
        self.read_exact(&mut found[have..])?;
        match found == *mark {
            true => Ok(()),
            false => Err(io::Error::new(
                ErrorKind::InvalidData,
                "Replication stream EOF marker is broken",
            )),
        }
    }
}
