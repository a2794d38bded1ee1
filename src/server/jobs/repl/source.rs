//! A snapshot as it comes from the primary's socket, for the loader to read.
//!
//! While nothing comes, others are served: the primary or the network may be slow, and they hear
//! that data is being loaded, or are served the old data.

use std::io::{self, ErrorKind, Read};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use crate::net::conn::Conn;
use crate::repl::transfer::MARK_LEN;
use crate::server::jobs::load::{Fetch, Served};
use crate::server::parts::Server;
use crate::sys::socket;

/// How often others are looked after that no event tells of.
const EVERY: Duration = Duration::from_millis(100);
const AT_ONCE: Duration = Duration::from_millis(1);

/// Reads from the socket and waits for more, up to the time-out.
pub(super) struct FromSocket<'a> {
    conn: &'a mut Conn,
    /// What had been read before.
    input: &'a mut Vec<u8>,
    /// Bytes that are left, if their number is known.
    left: Option<u64>,
    timeout: Duration,
    /// Bytes in all, and the last of them, as many as a mark has.
    total: u64,
    last: Vec<u8>,
}

impl Fetch for FromSocket<'_> {
    fn fetch(
        &mut self,
        srv: &mut Server,
        serve: fn(&mut Server),
        buf: &mut [u8],
    ) -> io::Result<usize> {
        let room = self.left.map_or(buf.len(), |left| buf.len().min(left.min(1 << 30) as usize));
        if room == 0 {
            return Ok(0);
        }
        self.speak(srv);
        let n = if self.input.is_empty() {
            self.more(srv, serve, &mut buf[..room])?
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
    ) -> FromSocket<'a> {
        FromSocket { conn, input, left, timeout, total: 0, last: Vec::new() }
    }

    /// A sign of life once a second, where nobody else can give it: the connection is encrypted.
    fn speak(&mut self, srv: &mut Server) {
        const EVERY_MS: i64 = 1000;
        let now_ms = srv.clock.now_ms;
        if let Some(following) = &mut srv.repl.following
            && let Some(stream) = self.conn.tls()
            && now_ms - following.heard_ms >= EVERY_MS
        {
            following.heard_ms = now_ms;
            // A link that is gone is noticed by the next read.
            let _ = stream.write(b"\n");
        }
    }

    /// Bytes that have been read.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    fn more(
        &mut self,
        srv: &mut Server,
        serve: fn(&mut Server),
        buf: &mut [u8],
    ) -> io::Result<usize> {
        let since = Instant::now();
        loop {
            match self.conn.read(buf) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                other => {
                    if let Some(loading) = &mut srv.loading {
                        loading.waits_since_ms = None;
                    }
                    return other;
                }
            }
            if let Some(loading) = &mut srv.loading {
                loading.waits_since_ms.get_or_insert(srv.clock.now_ms);
            }
            self.speak(srv);
            let left = self.timeout.saturating_sub(since.elapsed());
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            let busy = !srv.net.again.is_empty() || srv.clients.has_to_write();
            let most = left.min(if busy { AT_ONCE } else { EVERY });
            let events = srv.net.poll.as_raw_fd();
            let begun = Instant::now();
            if socket::wait_readable(&self.conn.fd(), Some(events), most)?
                || begun.elapsed() >= most
            {
                serve(srv);
            }
            if srv.loading.as_ref().is_some_and(|loading| loading.given_up) || srv.shutdown.done {
                return Err(io::Error::other("it is not wanted any more"));
            }
        }
    }

    /// What was read with the snapshot, of which `used` bytes were loaded, and follows it.
    fn over(&self, used: u64) -> Vec<u8> {
        let over = (self.total.saturating_sub(used) as usize).min(self.last.len());
        self.last[self.last.len() - over..].to_vec()
    }
}

/// The mark must follow the snapshot, of which `used` bytes were loaded. A part of it may have been
/// read with the snapshot.
pub(super) fn read_mark(
    socket: &mut Served<'_, FromSocket<'_>>,
    used: u64,
    mark: &[u8; MARK_LEN],
) -> io::Result<()> {
    let mut found = socket.input.over(used);
    let have = found.len().min(MARK_LEN);
    found.resize(MARK_LEN.max(have), 0);
    socket.read_exact(&mut found[have..])?;
    match found == *mark {
        true => Ok(()),
        false => {
            Err(io::Error::new(ErrorKind::InvalidData, "Replication stream EOF marker is broken"))
        }
    }
}
