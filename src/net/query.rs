//! The incoming side of one client: bytes that are not yet a whole command.
//!
//! A turn reads into one buffer that all clients share; only the unfinished rest is kept here. So a
//! client with nothing pending owns no buffer. When a long argument is announced, room for all of it
//! is reserved at once and it is received in place.

use crate::resp::parser::Partial;

#[derive(Debug, Default)]
pub struct Query {
    /// The unfinished command (or commands not yet run), from its first byte.
    pub pending: Vec<u8>,
    /// What is known of the command that `pending` starts with.
    pub partial: Partial,
    /// `pending` holds whole commands that had to wait: nothing more is read before they have run.
    pub behind: bool,
    /// When bytes last arrived, in milliseconds; idle buffers are given back.
    pub touched_ms: i64,
    /// Largest size seen since the buffer was last looked after.
    pub peak: usize,
}

/// What an active client counts of the shared read buffer: the size of Redis's buffer of its own.
const SHARE: usize = 20 * 1024 - 6;
/// Bytes of a long argument that one read takes at most.
const READ_MAX: usize = 32 << 20;
/// More room is made when less than this is left of it: moving the argument for every read would be quadratic.
const LEAST_ROOM: usize = 64 * 1024;
/// Buffers below this many bytes are left alone.
const SHRINK_FROM: usize = 32 * 1024;
/// A buffer not used for so long is shrunk.
const IDLE_MS: i64 = 2000;

impl Query {
    /// Keeps the rest of a turn.
    pub fn keep(&mut self, rest: &[u8], partial: Partial) {
        self.pending.extend_from_slice(rest);
        self.reserve_for(partial);
    }

    /// Notes what is known of the unfinished command in `pending`, and makes room for all of it.
    pub fn reserve_for(&mut self, partial: Partial) {
        self.partial = partial;
        let len = self.pending.len();
        let missing = self.partial.missing(len);
        if self.spare() < missing.min(LEAST_ROOM) {
            // All of it at once: the size is known, and memory that no byte has reached yet is
            // not taken from the system.
            self.pending.reserve_exact(missing);
        }
        self.peak = self.peak.max(len);
    }

    fn spare(&self) -> usize {
        self.pending.capacity() - self.pending.len()
    }

    /// How much to read at once into `pending`: all of a long argument, else the usual amount.
    pub fn want(&self, usual: usize) -> usize {
        match self.partial.missing(self.pending.len()) {
            0 => usual,
            // No more than there is room for, so that nothing is moved.
            missing => missing.min(self.spare().max(LEAST_ROOM)).min(READ_MAX),
        }
    }

    /// Bytes of input that are no argument yet, and free room: `qbuf` and `qbuf-free` in CLIENT LIST.
    /// `running` are those of the batch that is being run.
    ///
    /// A client that was active lately is charged for its share of the shared read buffer, as far as
    /// it has no buffer of its own.
    pub fn sizes(&self, running: usize, now_ms: i64) -> (usize, usize) {
        let used = self.pending.len().saturating_sub(self.partial.parsed()) + running;
        let recent = self.touched_ms != 0 && now_ms - self.touched_ms <= IDLE_MS;
        let share = if recent { SHARE } else { 0 };
        (used, self.pending.capacity().max(share).saturating_sub(used))
    }

    /// Memory it holds itself.
    pub fn memory(&self) -> usize {
        self.pending.capacity() + self.partial.bytes()
    }

    /// Gives memory back that an idle or once large buffer no longer needs; whether it did.
    pub fn tend(&mut self, now_ms: i64) -> bool {
        let (len, capacity) = (self.pending.len(), self.pending.capacity());
        let idle = now_ms - self.touched_ms > IDLE_MS;
        let oversized = capacity > SHRINK_FROM && capacity / 2 > self.peak;
        // The room kept follows the largest use since the last look.
        let peak = std::mem::replace(&mut self.peak, len);
        if !(idle || oversized) || capacity == len {
            return false;
        }
        // An argument that is still arriving keeps some room, unless it has stalled.
        let keep = if idle { len } else { peak.max(len + self.partial.missing(len)) };
        self.pending.shrink_to(keep);
        self.pending.capacity() < capacity
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::parser::{Batch, Limits, parse};

    /// An argument of 200 MB in pieces as a socket hands them out is moved a few times, and ends in a buffer that
    /// has room for nothing else.
    #[test]
    fn a_long_argument_is_never_moved() {
        const SIZE: usize = 200 << 20;
        let head = format!("*2\r\n$3\r\nGET\r\n${SIZE}\r\n");
        let limits = Limits { max_bulk: SIZE, trusted: true };
        let first = parse(head.as_bytes(), Partial::default(), limits, 1, &mut Batch::default());
        let mut query = Query::default();
        query.keep(head.as_bytes(), first.partial);
        let (mut moves, mut capacity) = (0, query.pending.capacity());
        let all = head.len() + SIZE + 2;
        while query.pending.len() < all {
            let n = query.want(LEAST_ROOM).min(200_000);
            query.pending.resize(query.pending.len() + n, b'x');
            let partial = std::mem::take(&mut query.partial);
            query.reserve_for(partial);
            moves += usize::from(query.pending.capacity() != capacity);
            capacity = query.pending.capacity();
        }
        assert_eq!(query.pending.len(), all);
        assert!(moves == 0 && capacity < all + LEAST_ROOM, "{moves} moves, {capacity} bytes");
    }
}
