//! What is owed to one client: bytes not yet written to its socket.
//!
//! ```text
//! chunks: [own][shared][own] ...   then   tail: the buffer that replies are appended to
//!          ^ `sent` bytes of the first piece are already written
//! ```
//! In the ordinary case there are no chunks, and the tail is written once a turn and handed back to the
//! pool. A shared chunk is one encoded message that many clients wait for.
//!
//! While a client's own command runs, the tail is out of the slot, in the hands of the command
//! (`check_out`); messages that arrive meanwhile wait in the slot and follow the reply (`check_in`).

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::Bytes;

use crate::net::conn::Conn;

#[derive(Debug)]
enum Chunk {
    Own(Vec<u8>),
    Shared(Bytes),
}

impl Chunk {
    fn bytes(&self) -> &[u8] {
        match self {
            Chunk::Own(b) => b,
            Chunk::Shared(b) => b,
        }
    }
}

/// A message of at least this many bytes is shared rather than copied.
const SHARE_FROM: usize = 64;
/// Pieces handed to one writev.
const MAX_PIECES: usize = 64;

#[derive(Debug, Default)]
pub struct Outbox {
    chunks: VecDeque<Chunk>,
    tail: Vec<u8>,
    /// Written bytes of the first piece (the first chunk, else the tail).
    sent: usize,
    chunk_bytes: usize,
    /// The tail is lent to a running command; `tail` holds what arrived since.
    lent: bool,
    /// Bytes of the lent buffer at the time it was lent.
    lent_bytes: usize,
}

/// How a flush ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Flush {
    Empty,
    /// The socket takes no more; wait until it is writable.
    Full,
}

impl Outbox {
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.tail.is_empty()
    }

    /// Bytes that wait to be written.
    pub fn pending(&self) -> usize {
        self.chunk_bytes + self.tail.len() + self.lent_bytes - self.sent
    }

    /// Pieces apart from the tail; `oll` in CLIENT LIST.
    pub fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// Bytes in chunks and memory of the tail, for accounting: (chunks, tail capacity).
    pub fn memory(&self) -> (usize, usize) {
        (self.chunk_bytes + self.chunks.capacity() * size_of::<Chunk>(), self.tail.capacity())
    }

    /// Lends the tail to a running command. `spare` is used when the tail has no memory of its own.
    pub fn check_out(&mut self, spare: Vec<u8>) -> Vec<u8> {
        debug_assert!(!self.lent, "a client runs one command at a time");
        self.lent = true;
        let tail = std::mem::take(&mut self.tail);
        self.lent_bytes = tail.len();
        if tail.capacity() == 0 { spare } else { tail }
    }

    /// Takes the tail back; what arrived meanwhile follows it.
    pub fn check_in(&mut self, mut tail: Vec<u8>) {
        debug_assert!(self.lent);
        self.lent = false;
        self.lent_bytes = 0;
        if !self.tail.is_empty() {
            tail.extend_from_slice(&self.tail);
        }
        self.tail = tail;
    }

    /// Whether the tail is lent.
    pub fn is_lent(&self) -> bool {
        self.lent
    }

    /// Messages that arrived while the tail was lent, taken so that they precede what follows.
    pub fn take_pushes(&mut self) -> Vec<u8> {
        if self.lent { std::mem::take(&mut self.tail) } else { Vec::new() }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
    }

    /// Appends a message that other clients get as well.
    pub fn push_shared(&mut self, message: &Bytes) {
        if self.lent || message.len() < SHARE_FROM {
            return self.push(message);
        }
        if !self.tail.is_empty() {
            self.chunk_bytes += self.tail.len();
            self.chunks.push_back(Chunk::Own(std::mem::take(&mut self.tail)));
        }
        self.chunk_bytes += message.len();
        self.chunks.push_back(Chunk::Shared(message.clone()));
    }

    /// A copy of what waits, for looking at it.
    pub fn waiting(&self) -> Vec<u8> {
        let all = self.chunks.iter().map(Chunk::bytes).chain(std::iter::once(&self.tail[..]));
        all.collect::<Vec<_>>().concat().split_off(self.sent)
    }

    /// Forgets everything that waits.
    pub fn clear(&mut self) {
        *self = Outbox { lent: self.lent, ..Outbox::default() };
    }

    /// Writes as much as the socket takes. Returns the bytes written and how it ended.
    pub fn flush(&mut self, conn: &mut Conn) -> io::Result<(usize, Flush)> {
        let mut total = 0;
        if self.lent {
            // Its own command is still writing; what arrived meanwhile follows the reply.
            return Ok((0, Flush::Empty));
        }
        while !self.is_empty() {
            let wrote = if self.chunks.is_empty() {
                conn.write(&self.tail[self.sent..])
            } else {
                let mut pieces = [IoSlice::new(&[]); MAX_PIECES];
                let count = self.gather(&mut pieces);
                conn.write_vectored(&pieces[..count])
            };
            match wrote {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    total += n;
                    self.advance(n);
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok((total, Flush::Full)),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok((total, Flush::Empty))
    }

    fn gather<'a>(&'a self, pieces: &mut [IoSlice<'a>; MAX_PIECES]) -> usize {
        let all = self.chunks.iter().map(Chunk::bytes).chain(std::iter::once(&self.tail[..]));
        let mut count = 0;
        for (slot, bytes) in pieces.iter_mut().zip(all) {
            let skip = if count == 0 { self.sent } else { 0 };
            *slot = IoSlice::new(&bytes[skip..]);
            count += 1;
        }
        count
    }

    fn advance(&mut self, mut n: usize) {
        while let Some(first) = self.chunks.front() {
            let left = first.bytes().len() - self.sent;
            if n < left {
                self.sent += n;
                return;
            }
            n -= left;
            self.chunk_bytes -= first.bytes().len();
            self.chunks.pop_front();
            self.sent = 0;
        }
        self.sent += n;
        if self.sent == self.tail.len() {
            self.tail.clear();
            self.sent = 0;
        }
    }

    /// The tail's memory when nothing waits in it, for the pool.
    pub fn take_spare(&mut self) -> Option<Vec<u8>> {
        let idle = self.is_empty() && self.tail.capacity() > 0 && !self.lent;
        idle.then(|| std::mem::take(&mut self.tail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn pair() -> (Conn, std::os::unix::net::UnixStream) {
        let (a, b) = std::os::unix::net::UnixStream::pair().expect("a socket pair");
        a.set_nonblocking(true).expect("non-blocking");
        (Conn::Unix(mio::net::UnixStream::from_std(a)), b)
    }

    #[test]
    fn pushes_follow_the_reply_and_chunks_keep_their_order() {
        let (mut conn, mut peer) = pair();
        let mut o = Outbox::default();
        let message = Bytes::from(vec![b'm'; 100]);
        let mut reply = o.check_out(Vec::new());
        o.push_shared(&message);
        reply.extend_from_slice(b"reply");
        o.check_in(reply);
        o.push_shared(&message);
        o.push(b"end");
        assert_eq!(o.pending(), 208);
        assert_eq!(o.flush(&mut conn).expect("fits"), (208, Flush::Empty));
        let mut got = vec![0; 208];
        peer.read_exact(&mut got).expect("all there");
        assert_eq!(got, [b"reply", &message[..], &message[..], b"end"].concat());
        assert!(o.is_empty() && o.pending() == 0);
    }

    #[test]
    fn a_slow_reader_loses_nothing() {
        let (mut conn, mut peer) = pair();
        let mut o = Outbox::default();
        let message = Bytes::from((0..=255u8).cycle().take(300_000).collect::<Vec<_>>());
        for _ in 0..5 {
            o.push(b"head");
            o.push_shared(&message);
        }
        let want = 5 * (message.len() + 4);
        let (mut got, mut buf) = (Vec::new(), vec![0; 70_001]);
        while got.len() < want {
            o.flush(&mut conn).expect("open");
            let n = peer.read(&mut buf).expect("open");
            got.extend_from_slice(&buf[..n]);
            assert_eq!(o.is_empty(), o.pending() == 0);
        }
        let one = [b"head", &message[..]].concat();
        assert!(got.chunks(one.len()).all(|c| c == one));
    }
}
