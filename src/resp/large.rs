//! A large argument, received in memory of its own.
//!
//! To keep an argument that lies in a client's buffer it must be copied, and for a moment it is
//! there twice. So when a large one is announced, its bytes go into a vector of exactly its size.
//! The vector is never moved, and a command can keep it as it is. What comes before and after it
//! stays in the client's buffer:
//!
//! ```text
//! buffer   *5\r\n $3\r\nSET\r\n $1\r\nk\r\n $400000\r\n | $2\r\nEX\r\n $2\r\n10\r\n   *1\r\n...
//!          head: the arguments before it                | tail: those behind it, later commands
//! body     xxxxxxxx ... xxxxxxxx\r\n
//! ```
//!
//! The tail is parsed like a command that has only the arguments after the large one, so the parser
//! need not know of this. A command has one such argument; a second one lies in the tail.
//!
//! Invariants: the head is complete, and stays at the start of the buffer until the command has
//! run; `body` never has more than `len` + 2 bytes.

use crate::resp::parser::{Batch, Cmd, INLINE_MAX, Limits, Parsed, Partial, ProtoError, parse};
use std::ops::Range;

/// Arguments of so many bytes are large.
pub const LARGE: usize = 64 * 1024;
/// The line end behind an argument.
const LINE_END: usize = 2;

/// An argument that is arriving, or has, and its place in its command.
#[derive(Debug)]
pub struct Large {
    /// The arguments before it, in the head.
    before: Vec<Range<usize>>,
    /// Length of the head.
    head: usize,
    /// How many arguments come behind it.
    after: usize,
    len: usize,
    body: Vec<u8>,
}

impl Large {
    /// Begins to receive the argument that is arriving, if it has at least `from` bytes. `command`
    /// is what has come of the command; its head remains with the caller. `partial` becomes the
    /// tail's.
    pub fn begin(command: &[u8], partial: &mut Partial, from: usize) -> Option<Box<Large>> {
        let len = partial.bulk.filter(|&len| len >= from)?;
        let Partial { args: before, left, pos: head, .. } = std::mem::take(partial);
        // All of it is reserved at once: the system gives memory only as bytes reach it.
        let mut body = Vec::with_capacity(len + LINE_END);
        body.extend_from_slice(&command[head..]);
        let large = Large { before, head, after: left - 1, len, body };
        *partial = large.tail();
        Some(Box::new(large))
    }

    /// What is known of a tail of which nothing has been parsed.
    pub fn tail(&self) -> Partial {
        Partial { left: self.after, ..Partial::default() }
    }

    /// Length of the head, which the tail follows in the buffer.
    pub fn head(&self) -> usize {
        self.head
    }

    /// Bytes that are still to come, with the line end.
    pub fn missing(&self) -> usize {
        self.len + LINE_END - self.body.len()
    }

    pub fn is_whole(&self) -> bool {
        self.missing() == 0
    }

    /// Where it is received. There is room for all of it.
    pub fn body(&mut self) -> &mut Vec<u8> {
        self.body.reserve_exact(self.len + LINE_END - self.body.len());
        &mut self.body
    }

    /// Bytes that have come of it.
    pub fn bytes(&self) -> usize {
        self.body.len()
    }

    /// Bytes of memory it takes.
    pub fn memory(&self) -> usize {
        size_of::<Large>()
            + self.before.capacity() * size_of::<Range<usize>>()
            + self.body.capacity()
    }

    /// Bytes of room in which nothing has arrived.
    pub fn room(&self) -> usize {
        self.body.capacity() - self.body.len()
    }

    /// Gives back the room of an argument that has stalled; whether there was any.
    pub fn trim(&mut self) -> bool {
        let room = self.room();
        self.body.shrink_to_fit();
        self.room() < room
    }

    /// Bytes of the arguments that are complete: those before it, and itself.
    pub fn arg_bytes(&self) -> usize {
        let own = if self.is_whole() { self.len } else { 0 };
        self.before.iter().map(Range::len).sum::<usize>() + own
    }

    /// Its place among the arguments of the command.
    pub fn index(&self) -> usize {
        self.before.len()
    }

    /// The argument alone, in as much memory as it needs.
    pub fn into_argument(self) -> Vec<u8> {
        let Large { mut body, len, .. } = self;
        body.truncate(len);
        // Large allocations shrink where they are.
        body.shrink_to_fit();
        body
    }

    /// Goes on with the command when the argument is whole. `buffer` is head and tail. If the
    /// command is whole, it is put into `batch`, which is empty before. Positions count from the
    /// start of the tail.
    pub fn parse<'a>(
        &'a self,
        buffer: &'a [u8],
        partial: Partial,
        limits: Limits,
        batch: &mut Batch<'a>,
    ) -> Parsed {
        debug_assert!(self.is_whole() && batch.cmds.is_empty());
        let (head, tail) = buffer.split_at(self.head);
        let parsed = match self.after {
            0 => Parsed { used: 0, partial, error: None },
            _ => parse(tail, partial, limits, 1, batch),
        };
        if self.after == 0 || !batch.cmds.is_empty() {
            let before = self.before.iter().map(|range| &head[range.clone()]);
            batch.args.splice(0..0, before.chain([&self.body[..self.len]]));
            let span = 0..self.head + self.body.len() + parsed.used;
            batch.cmds.clear();
            batch.cmds.push(Cmd { args: 0..batch.args.len(), inline: None, span });
        }
        parsed
    }
}

/// Fuzz entry: any bytes, in any pieces, give the same commands as the whole though every argument
/// that is not short is received as a large one.
pub fn fuzz(data: &[u8]) {
    let limits = Limits { max_bulk: 1 << 20, trusted: true };
    let mut whole = Batch::default();
    let end = parse(data, Partial::default(), limits, usize::MAX, &mut whole);
    let wanted = (whole.to_owned(), end.error);
    // A line that is too long is noticed at different times in whole and in pieces.
    if data.len() < INLINE_MAX {
        for (piece, from) in [(1, 0), (1, 3), (7, 3), (64, 10)] {
            assert_eq!(receive(data, piece, from, limits), wanted, "pieces of {piece}");
        }
    }
}

/// The commands of `data` that comes in pieces, and the error that ends them.
fn receive(
    data: &[u8],
    piece: usize,
    from: usize,
    limits: Limits,
) -> (Vec<Vec<Vec<u8>>>, Option<ProtoError>) {
    let (mut buffer, mut partial, mut all) = (Vec::new(), Partial::default(), Vec::new());
    let mut large: Option<Box<Large>> = None;
    for mut came in data.chunks(piece) {
        if let Some(large) = &mut large {
            let n = came.len().min(large.missing());
            large.body().extend_from_slice(&came[..n]);
            came = &came[n..];
        }
        buffer.extend_from_slice(came);
        let mut batch = Batch::default();
        let (head, parsed) = match &large {
            Some(large) if !large.is_whole() => continue,
            Some(large) => (large.head(), large.parse(&buffer, partial, limits, &mut batch)),
            None => (0, parse(&buffer, partial, limits, 1, &mut batch)),
        };
        let more = !batch.cmds.is_empty();
        all.extend(batch.to_owned());
        drop(batch);
        partial = parsed.partial;
        if parsed.error.is_some() {
            return (all, parsed.error);
        }
        if more || head == 0 {
            large = None;
            buffer.drain(..head + parsed.used);
        }
        // What has come already is parsed to its end before more comes.
        while large.is_none() {
            large = Large::begin(&buffer, &mut partial, from);
            buffer.truncate(large.as_ref().map_or(buffer.len(), |large| large.head()));
            if large.is_some() {
                break;
            }
            let mut batch = Batch::default();
            let parsed = parse(&buffer, partial, limits, 1, &mut batch);
            all.extend(batch.to_owned());
            partial = parsed.partial;
            if parsed.error.is_some() {
                return (all, parsed.error);
            }
            if parsed.used == 0 {
                break;
            }
            buffer.drain(..parsed.used);
        }
    }
    (all, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { max_bulk: 512 << 20, trusted: true };

    fn request(args: &[&str]) -> String {
        let mut text = format!("*{}\r\n", args.len());
        args.iter().for_each(|arg| text += &format!("${}\r\n{arg}\r\n", arg.len()));
        text
    }

    #[test]
    fn the_same_commands_however_they_come() {
        let body = "x".repeat(70);
        let commands: [&[&str]; 5] = [
            &["SET", "k", &body],
            &["SET", "k", &body, "EX", "100"],
            &["MSET", "a", &body, "b", "", "c", &body, "d", &body],
            &["RPUSH", &body, &body, &body],
            &[&body],
        ];
        for args in commands {
            let text = [&request(args), "PING\r\n", &request(args), "x \"y z\"\r\n"].concat();
            for piece in 1..text.len() {
                let (got, error) = receive(text.as_bytes(), piece, 64, LIMITS);
                assert!(got.len() == 4 && error.is_none(), "{piece}");
                assert!(got[2].iter().eq(args.iter().map(|arg| arg.as_bytes())), "{piece}");
                assert!(got[0] == got[2] && got[1][0] == b"PING" && got[3][1] == b"y z", "{piece}");
            }
            fuzz(text.as_bytes());
        }
    }

    #[test]
    fn damaged_requests_give_the_same() {
        let mut random = 88172645463325252_u64;
        let mut draw = |below: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random as usize % below
        };
        let text = [
            &request(&["SET", "key", "a value that is long", "EX", "100"]),
            "PING\r\n",
            &request(&["MSET", "a", "longer", "b", "longest"]),
        ];
        let text = text.concat();
        for _ in 0..2000 {
            let mut text = text.clone().into_bytes();
            for _ in 0..draw(4) {
                let (at, with) = (draw(text.len()), b"*$\r\n0159-x"[draw(10)]);
                text[at] = with;
            }
            text.truncate(draw(text.len()) + 1);
            fuzz(&text);
        }
    }

    #[test]
    fn it_is_kept_where_it_was_received() {
        let text = request(&["SET", "k", &"x".repeat(1_000_000)]);
        let (head, rest) = text.as_bytes().split_at(500_000);
        let mut partial = parse(head, Partial::default(), LIMITS, 1, &mut Batch::default()).partial;
        let mut large = Large::begin(head, &mut partial, LARGE).expect("a large argument");
        let at = large.body.as_ptr();
        large.body().extend_from_slice(rest);
        let argument = large.into_argument();
        assert_eq!((argument.as_ptr(), argument.len()), (at, 1_000_000));
        assert_eq!(argument.capacity(), argument.len());
    }

    #[test]
    fn one_that_has_stalled_gives_back_its_room() {
        let text = b"*2\r\n$3\r\nGET\r\n$1000000\r\nabc";
        let mut partial = parse(text, Partial::default(), LIMITS, 1, &mut Batch::default()).partial;
        let mut large = Large::begin(text, &mut partial, LARGE).expect("a large argument");
        assert_eq!((large.bytes(), large.room(), large.arg_bytes()), (3, 999_999, 3));
        assert!(large.trim() && large.memory() < 1000 && !large.trim());
        assert_eq!(large.body().capacity(), 1_000_002);
        assert_eq!(large.missing(), 999_999);
    }
}
