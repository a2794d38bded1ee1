//! The output of one client: bytes that are not written to its socket yet.
//!
//! ```text
//! chunks: [own][shared][own] ...   then   tail: the buffer that replies are appended to
//!          ^ `sent` bytes of the first piece are already written
//! ```
//! Usually there are no chunks. The tail is written once a turn and handed back to the pool. A
//! shared chunk is one encoded message that many clients wait for.
//!
//! While a client's own command runs, the command has the tail (`check_out`). Messages that arrive
//! meanwhile wait here and follow the reply (`check_in`).
//!
//! A tail that is full and could not be written becomes a chunk. So when a slow reader takes its
//! output, the memory is freed a piece at a time, and nothing that waits is moved.
//!
//! CLIENT LIST and the output limits use Redis's figures. Up to 16 KiB that wait are in the
//! client's fixed buffer (`obl`) and don't count. What is beyond that is list nodes (`oll`,
//! `omem`). A shared message counts in full for each client that waits for it.
//!
//! Invariants: `chunk_bytes` and `chunk_room` are the sums over `chunks`; `sent` is less than the
//! first piece's length unless nothing waits.

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
    /// Memory it holds.
    fn room(&self) -> usize {
        match self {
            Chunk::Own(b) => b.capacity(),
            Chunk::Shared(b) => b.len(),
        }
    }
}

/// A message of at least this many bytes is shared rather than copied.
const SHARE_FROM: usize = 64;
/// Pieces handed to one writev.
const MAX_PIECES: usize = 64;
/// The most bytes that are written to a client in one turn. Then others have their turn, however
/// fast the client reads.
const FLUSH_MAX: usize = 256 * 1024;
/// How much may wait before it counts as output memory. It is also the size of the pieces in which
/// a slow reader's tail is kept.
pub(crate) const FIXED: usize = 16 * 1024;
/// The list of pieces is kept for later messages if it is not longer than this.
const FEW_CHUNKS: usize = 32;
/// What a node of the list costs in Redis's account of the output.
const NODE: usize = 40;

/// What waits, in the terms of CLIENT LIST.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// `obl`: bytes in the fixed buffer.
    pub fixed: usize,
    /// `oll`: pieces beyond it.
    pub pieces: usize,
    /// `omem`: their memory, which the output limits are about.
    pub bytes: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    chunks: VecDeque<Chunk>,
    tail: Vec<u8>,
    /// Written bytes of the first piece (the first chunk, else the tail).
    sent: usize,
    chunk_bytes: usize,
    chunk_room: usize,
    /// The tail is lent to a running command; `tail` holds what arrived since.
    lent: bool,
    /// Bytes of the lent buffer at the time it was lent.
    lent_bytes: usize,
}

/// How a flush ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Flush {
    Empty,
    /// The socket takes no more; wait until it is writable.
    Full,
    /// More could be written, in the next turn.
    Paused,
}

impl Outbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.tail.is_empty()
    }

    /// Bytes that wait to be written.
    pub(crate) fn pending(&self) -> usize {
        self.chunk_bytes + self.tail.len() + self.lent_bytes - self.sent
    }

    /// Whether more waits than the fixed buffer holds: only then can a limit be exceeded.
    #[inline]
    pub(crate) fn is_long(&self) -> bool {
        self.chunk_bytes + self.tail.len() > FIXED
    }

    /// What waits, with `reply` bytes of a running command that are not here yet.
    pub(crate) fn waiting_with(&self, reply: usize) -> Waiting {
        let tail = if self.tail.len() > FIXED { self.tail.len() } else { self.tail.capacity() };
        let open = self.tail.len() + reply;
        if self.chunks.is_empty() && open <= FIXED {
            return Waiting { fixed: open, pieces: 0, bytes: 0 };
        }
        let pieces = self.chunks.len() + usize::from(open > 0);
        let room = self.chunk_room + if self.tail.is_empty() { 0 } else { tail } + reply;
        Waiting { fixed: 0, pieces, bytes: room + NODE * pieces }
    }

    /// What waits, in the terms of CLIENT LIST.
    pub(crate) fn waiting_now(&self) -> Waiting {
        self.waiting_with(0)
    }

    /// Memory held: pieces, the tail, and the list of pieces.
    pub(crate) fn memory(&self) -> usize {
        self.chunk_room + self.chunks.capacity() * size_of::<Chunk>() + self.tail.capacity()
    }

    /// Lends the tail to a running command. `spare` is used when the tail has no memory of its own.
    pub(crate) fn check_out(&mut self, spare: Vec<u8>) -> Vec<u8> {
        debug_assert!(!self.lent, "a client runs one command at a time");
        if self.tail.len() >= FIXED {
            self.seal();
        }
        self.lent = true;
        let tail = std::mem::take(&mut self.tail);
        self.lent_bytes = tail.len();
        if tail.capacity() == 0 { spare } else { tail }
    }

    /// Takes the tail back; what arrived meanwhile follows it.
    pub(crate) fn check_in(&mut self, tail: Vec<u8>) {
        debug_assert!(self.lent);
        self.lent = false;
        self.lent_bytes = 0;
        let pushed = std::mem::replace(&mut self.tail, tail);
        if !pushed.is_empty() {
            self.push(&pushed);
        }
    }

    /// Makes the tail a chunk.
    fn seal(&mut self) {
        let mut tail = std::mem::take(&mut self.tail);
        if tail.capacity() / 4 > tail.len() / 3 {
            tail.shrink_to_fit();
        }
        self.add(Chunk::Own(tail));
    }

    fn add(&mut self, chunk: Chunk) {
        self.chunk_bytes += chunk.bytes().len();
        self.chunk_room += chunk.room();
        self.chunks.push_back(chunk);
    }

    /// Gives back the room that a long tail doesn't use, and an empty list; for a client that has
    /// to wait.
    pub(crate) fn trim(&mut self) {
        if self.chunks.is_empty() {
            self.chunks = VecDeque::new();
        }
        if !self.lent && self.tail.len() > FIXED && self.tail.capacity() / 4 > self.tail.len() / 3 {
            self.tail.shrink_to_fit();
        }
    }

    /// Whether the tail is lent.
    pub(crate) fn is_lent(&self) -> bool {
        self.lent
    }

    /// Messages that arrived while the tail was lent, taken so that they precede what follows.
    pub(crate) fn take_pushes(&mut self) -> Vec<u8> {
        if self.lent { std::mem::take(&mut self.tail) } else { Vec::new() }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.tail.len() + bytes.len() > FIXED && !self.lent && !self.tail.is_empty() {
            self.seal();
            self.tail.reserve_exact(bytes.len().max(FIXED));
        }
        self.tail.extend_from_slice(bytes);
    }

    /// Appends a message that other clients get as well.
    pub(crate) fn push_shared(&mut self, message: &Bytes) {
        if self.lent || message.len() < SHARE_FROM {
            return self.push(message);
        }
        if !self.tail.is_empty() {
            self.seal();
        }
        self.add(Chunk::Shared(message.clone()));
    }

    #[cfg(test)]
    /// A copy of what waits, for looking at it.
    pub(crate) fn waiting(&self) -> Vec<u8> {
        let all = self.chunks.iter().map(Chunk::bytes).chain(std::iter::once(&self.tail[..]));
        all.collect::<Vec<_>>().concat().split_off(self.sent)
    }

    /// Forgets everything that waits.
    pub(crate) fn clear(&mut self) {
        *self = Outbox { lent: self.lent, ..Outbox::default() };
    }

    /// Writes as much as the socket takes. Returns the bytes written and how it ended.
    pub(crate) fn flush(&mut self, conn: &mut Conn) -> io::Result<(usize, Flush)> {
        let mut total = 0;
        if self.lent {
            // Its own command is still writing. What arrived meanwhile follows the reply.
            return Ok((0, Flush::Empty));
        }
        while !self.is_empty() {
            if total >= FLUSH_MAX {
                return Ok((total, Flush::Paused));
            }
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
        // What TLS has made of it may still wait for the socket.
        Ok((total, if conn.flush()? { Flush::Empty } else { Flush::Full }))
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
            self.chunk_room -= first.room();
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
    pub(crate) fn take_spare(&mut self) -> Option<Vec<u8>> {
        if self.chunks.is_empty() && self.chunks.capacity() > FEW_CHUNKS {
            self.chunks = VecDeque::new();
        }
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

    #[test]
    fn a_backlog_is_counted_in_pieces_and_freed_in_pieces() {
        let (mut conn, mut peer) = pair();
        let mut o = Outbox::default();
        o.push(&[b'a'; FIXED]);
        assert_eq!(o.waiting_now(), Waiting { fixed: FIXED, pieces: 0, bytes: 0 });
        assert!(!o.is_long());
        for _ in 0..1000 {
            o.push(&[b'b'; 1000]);
        }
        let full = o.waiting_now();
        assert!(o.is_long() && full.fixed == 0);
        assert!((60..70).contains(&full.pieces), "{full:?}");
        assert!((1_000_000..1_100_000).contains(&full.bytes), "{full:?}");
        // A reply that is still being written counts, too.
        assert!(o.waiting_with(5_000_000).bytes >= full.bytes + 5_000_000);
        let mut buf = vec![0; 1 << 20];
        let mut last = full.bytes;
        let mut got = 0;
        while got < FIXED + 1_000_000 {
            o.flush(&mut conn).expect("open");
            got += peer.read(&mut buf).expect("open");
            let now = o.waiting_now().bytes;
            assert!(now <= last);
            last = now;
        }
        assert_eq!((o.waiting_now(), o.pending()), (Waiting::default(), 0));
        o.trim();
        assert!(o.take_spare().is_some() && o.memory() == 0);
    }

    #[test]
    fn bytes_come_out_as_they_went_in() {
        let (mut conn, mut peer) = pair();
        peer.set_nonblocking(true).expect("non-blocking");
        let mut next = crate::util::rand::generator(11);
        let (mut o, mut want, mut got) = (Outbox::default(), Vec::new(), Vec::new());
        let mut buf = vec![0; 1 << 16];
        for step in 0..3000u32 {
            let size = ((next() % 9) * (next() % 9) * (next() % 9) * 60) as usize;
            let text: Vec<u8> = (0..size).map(|i| (i as u32 ^ step) as u8).collect();
            match next() % 5 {
                0 => o.push(&text),
                1 => o.push_shared(&Bytes::from(text.clone())),
                2 => {
                    // Messages that arrive during a command follow its reply.
                    let mut reply = o.check_out(Vec::new());
                    o.push_shared(&Bytes::from(text.clone()));
                    assert_eq!(o.flush(&mut conn).expect("open"), (0, Flush::Empty));
                    reply.extend_from_slice(b"reply");
                    want.extend_from_slice(b"reply");
                    o.check_in(reply);
                }
                3 => {
                    o.flush(&mut conn).expect("open");
                    continue;
                }
                _ => {
                    if let Ok(n) = peer.read(&mut buf) {
                        got.extend_from_slice(&buf[..n]);
                    }
                    continue;
                }
            }
            want.extend_from_slice(&text);
            assert!(o.pending() <= want.len() - got.len());
            assert_eq!(o.is_empty(), o.pending() == 0);
        }
        while got.len() < want.len() {
            o.flush(&mut conn).expect("open");
            let n = peer.read(&mut buf).expect("there is more");
            got.extend_from_slice(&buf[..n]);
        }
        assert!(got == want && o.is_empty());
    }
}
