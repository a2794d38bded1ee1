//! The input of one client: bytes that are not a whole command yet.
//!
//! A turn reads into one buffer that all clients share, and only the unfinished rest is kept here.
//! So a client with nothing pending owns no buffer. A large argument is received in memory of its
//! own (`resp::large`). If its command has a second one, room for all of that is reserved here.

use crate::resp::large::{LARGE, Large};
use crate::resp::parser::Partial;

#[derive(Debug, Default)]
pub(crate) struct Query {
    /// The unfinished command (or commands not yet run), from its first byte.
    pub pending: Vec<u8>,
    /// A large argument of that command. `pending` is then what comes before and after it, and is
    /// not empty.
    pub large: Option<Box<Large>>,
    /// What is known of the command that `pending` starts with; of its tail if there is a large
    /// argument.
    pub partial: Partial,
    /// Large arguments stay among the other bytes: somebody wants them as they came.
    pub whole: bool,
    /// `pending` holds whole commands that had to wait. Nothing more is read before they have run.
    pub behind: bool,
    /// When bytes last arrived, in milliseconds; idle buffers are given back.
    pub touched_ms: i64,
    /// Largest size seen since the buffer was last looked after.
    pub peak: usize,
    /// Memory that it is charged for but does not have. Compat: Redis expects a large argument to
    /// be followed by others, and keeps a buffer of that size for a while.
    pub charged: usize,
}

/// What an active client is charged for the shared read buffer: the size of the buffer that Redis
/// keeps for it.
const SHARE: usize = 20 * 1024 - 6;
/// Bytes of a long argument that one read takes at most.
const READ_MAX: usize = 32 << 20;
/// More room is made when less than this is left of it: moving the argument for every read would be
/// quadratic.
const LEAST_ROOM: usize = 64 * 1024;
/// Buffers below this many bytes are left alone.
const SHRINK_FROM: usize = 32 * 1024;
/// A buffer not used for so long is shrunk.
const IDLE_MS: i64 = 2000;

impl Query {
    /// Keeps the rest of a turn.
    pub(crate) fn keep(&mut self, rest: &[u8], mut partial: Partial) {
        self.large = if self.whole { None } else { Large::begin(rest, &mut partial, LARGE) };
        let rest = self.large.as_ref().map_or(rest, |large| &rest[..large.head()]);
        self.pending.extend_from_slice(rest);
        self.reserve_for(partial);
    }

    /// Notes what is known of the unfinished command in `pending`, and makes room for all of it.
    pub(crate) fn reserve_for(&mut self, partial: Partial) {
        self.partial = partial;
        if self.large.is_none() && !self.whole {
            self.large = Large::begin(&self.pending, &mut self.partial, LARGE);
            let head = self.large.as_ref().map_or(self.pending.len(), |large| large.head());
            self.pending.truncate(head);
        }
        let len = self.pending.len();
        let missing = self.missing();
        if self.spare() < missing.min(LEAST_ROOM) {
            // All of it is reserved at once: the size is known, and the system gives memory only as
            // bytes reach it.
            self.pending.reserve_exact(missing);
        }
        self.peak = self.peak.max(len);
    }

    fn spare(&self) -> usize {
        self.pending.capacity() - self.pending.len()
    }

    /// Bytes of `pending` that `partial` is about.
    fn unfinished(&self) -> usize {
        self.pending.len() - self.large.as_ref().map_or(0, |large| large.head())
    }

    /// Bytes missing in `pending` of an argument that is arriving there; 0 if unknown.
    fn missing(&self) -> usize {
        self.partial.missing(self.unfinished())
    }

    /// A large argument that has not come whole: what comes next belongs to it.
    fn arriving(&self) -> Option<&Large> {
        self.large.as_deref().filter(|large| !large.is_whole())
    }

    /// The buffer that what comes next is read into, if there is any of the command already.
    pub(crate) fn filling(&mut self) -> &mut Vec<u8> {
        match &mut self.large {
            Some(large) if !large.is_whole() => large.body(),
            _ => &mut self.pending,
        }
    }

    /// Bytes that have come and have not run.
    pub(crate) fn bytes(&self) -> usize {
        self.pending.len() + self.large.as_ref().map_or(0, |large| large.bytes())
    }

    /// Bytes of the complete arguments of the unfinished command. O(arguments).
    pub(crate) fn arg_bytes(&self) -> usize {
        self.partial.arg_bytes() + self.large.as_ref().map_or(0, |large| large.arg_bytes())
    }

    /// How much to read at once: all of a long argument, else the usual amount.
    pub(crate) fn want(&self, usual: usize) -> usize {
        if let Some(large) = self.arriving() {
            return large.missing().min(READ_MAX);
        }
        match self.missing() {
            0 => usual,
            // No more is read than there is room for, so that nothing is moved.
            missing => missing.min(self.spare().max(LEAST_ROOM)).min(READ_MAX),
        }
    }

    /// Bytes of input that are no argument yet, and free room: `qbuf` and `qbuf-free` in CLIENT
    /// LIST. `running` are those of the batch that is being run.
    ///
    /// A client that was active lately is charged for its share of the shared read buffer, as far
    /// as it has no buffer of its own.
    pub(crate) fn sizes(&self, running: usize, now_ms: i64) -> (usize, usize) {
        let (came, room) = self.arriving().map_or((0, 0), |large| (large.bytes(), large.room()));
        let used = self.unfinished().saturating_sub(self.partial.parsed()) + came + running;
        let recent = self.touched_ms != 0 && now_ms - self.touched_ms <= IDLE_MS;
        let share = if recent { SHARE } else { 0 };
        let capacity = self.pending.capacity() + came + room;
        (used, capacity.max(share).max(self.charged).saturating_sub(used))
    }

    /// Memory it holds itself.
    pub(crate) fn memory(&self) -> usize {
        let large = self.large.as_ref().map_or(0, |large| large.memory());
        self.pending.capacity() + self.partial.bytes() + large
    }

    /// Gives memory back that an idle or once large buffer no longer needs; whether it did.
    pub(crate) fn tend(&mut self, now_ms: i64) -> bool {
        let (len, capacity) = (self.pending.len(), self.pending.capacity());
        let idle = now_ms - self.touched_ms > IDLE_MS;
        let trimmed =
            idle && self.large.as_mut().is_some_and(|large| !large.is_whole() && large.trim());
        let oversized = capacity > SHRINK_FROM && capacity / 2 > self.peak;
        // The room kept follows the largest use since the last look.
        let peak = std::mem::replace(&mut self.peak, len);
        if idle || self.charged / 2 > peak {
            self.charged = 0;
        }
        if !(idle || oversized) || capacity == len {
            return trimmed;
        }
        // An argument that is still arriving keeps some room, unless it has stalled.
        let keep = if idle { len } else { peak.max(len + self.missing()) };
        self.pending.shrink_to(keep);
        self.pending.capacity() < capacity || trimmed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::parser::{Batch, Limits, parse};

    const LIMITS: Limits = Limits { max_bulk: 200 << 20, trusted: true };

    /// A client's buffer after it has sent the start of a command.
    fn sent(head: &str) -> Query {
        let first = parse(head.as_bytes(), Partial::default(), LIMITS, 1, &mut Batch::default());
        let mut query = Query::default();
        query.keep(head.as_bytes(), first.partial);
        query
    }

    /// An argument of 200 MB in pieces as a socket hands them out is not moved, and ends in a
    /// buffer that has room for nothing else.
    #[test]
    fn a_large_argument_is_never_moved() {
        const SIZE: usize = 200 << 20;
        let head = format!("*2\r\n$3\r\nGET\r\n${SIZE}\r\n");
        let mut query = sent(&head);
        let (at, capacity) = (query.filling().as_ptr(), query.filling().capacity());
        assert_eq!(capacity, SIZE + 2);
        while !query.large.as_ref().expect("large").is_whole() {
            let n = query.want(LEAST_ROOM).min(200_000);
            let body = query.filling();
            body.resize(body.len() + n, b'x');
            assert_eq!((body.as_ptr(), body.capacity()), (at, capacity));
        }
        assert_eq!(query.bytes(), head.len() + SIZE + 2);
        assert_eq!(query.arg_bytes(), SIZE + 3);
        assert_eq!(query.sizes(0, 0).0, 0);
    }

    /// Nor is a second one of the same command.
    #[test]
    fn a_second_large_argument_is_never_moved() {
        const SIZE: usize = 20 << 20;
        let mut query = sent("*3\r\n$3\r\nDEL\r\n$70000\r\n");
        let body = query.filling();
        body.resize(70_002, b'x');
        let tail = format!("${SIZE}\r\n");
        query.pending.extend_from_slice(tail.as_bytes());
        let large = query.large.as_ref().expect("large");
        let partial = std::mem::take(&mut query.partial);
        let parsed = large.parse(&query.pending, partial, LIMITS, &mut Batch::default());
        query.reserve_for(parsed.partial);
        let (at, want) = (query.pending.as_ptr(), query.want(LEAST_ROOM));
        assert_eq!(want, SIZE + 2);
        while query.missing() > 0 {
            let n = query.want(LEAST_ROOM).min(200_000);
            let pending = query.filling();
            pending.resize(pending.len() + n, b'x');
        }
        assert_eq!(query.pending.as_ptr(), at);
        assert_eq!(query.sizes(0, 0).0, SIZE + 2);
    }

    #[test]
    fn what_a_large_argument_is_charged_for_goes_with_the_peak() {
        let mut query =
            Query { charged: 500_000, peak: 500_000, touched_ms: 1, ..Query::default() };
        query.tend(1);
        assert_eq!(query.sizes(0, 1), (0, 500_000));
        query.tend(1);
        assert_eq!((query.sizes(0, 1), query.memory()), ((0, SHARE), 0));
    }

    #[test]
    fn an_idle_client_keeps_no_room_for_what_has_stalled() {
        let mut query = sent("*2\r\n$3\r\nGET\r\n$1000000\r\nabc");
        assert!(query.memory() > 1_000_000 && !query.tend(0));
        assert_eq!(query.sizes(0, 0).0, 3);
        assert!(query.tend(IDLE_MS + 1) && query.memory() < 1000);
        assert_eq!(query.want(1), 999_999);
    }
}
