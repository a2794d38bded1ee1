//! The reader of an append-only file: its commands, one after the other, as they lie in its buffer.
//!
//! ```text
//! *2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n      a command
//! #TS:1700000000\r\n                     an annotation: a line to itself, between commands
//! ```
//! `group` gives as many whole commands as lie in the buffer, up to a limit, so that their keys can
//! be looked ahead for together. Memory grows with what has really come, never with what a length
//! claims.
//!
//! The file may end anywhere: what is cut off is told from what is wrong, since it is repaired in
//! another way. `end` is where the last whole command or annotation ended, in bytes from the start.

use std::io::{self, Read};

/// Bytes read at once.
const READ: usize = 256 << 10;
/// Arguments of a command at most.
const MAX_ARGS: u64 = 1 << 31;
/// Bytes of an annotation at most, its end included.
const MAX_LINE: usize = 1023;

/// Why reading ended before the end of the file.
#[derive(Debug)]
pub enum ReadError {
    Io(io::Error),
    /// The file ends within a command.
    Truncated,
    /// This is no append-only file, or it is damaged.
    Format,
}

/// A command that lies in the buffer.
#[derive(Clone, Copy, Debug)]
struct Found {
    /// Its arguments among `Commands::args`.
    args: (usize, usize),
    /// Where it begins and ends in the file.
    start: u64,
    end: u64,
}

/// Reads commands from `input`.
#[derive(Debug)]
pub struct Commands<R> {
    input: R,
    buf: Vec<u8>,
    /// What of `buf` has been read from the file, and what of that has been taken.
    filled: usize,
    pos: usize,
    /// Where `buf` begins in the file.
    base: u64,
    at_end: bool,
    found: Vec<Found>,
    args: Vec<(usize, usize)>,
    /// How much `filled` must be before another try makes sense.
    needed: usize,
}

enum Parsed {
    Command {
        args: usize,
        end: usize,
    },
    Annotation {
        end: usize,
    },
    /// There is not enough in the buffer yet; so much in all would be.
    More(usize),
    Wrong,
}

impl<R: Read> Commands<R> {
    /// `offset`: where `input` stands in the file.
    pub fn new(input: R, offset: u64) -> Commands<R> {
        Commands {
            input,
            buf: Vec::new(),
            filled: 0,
            pos: 0,
            base: offset,
            at_end: false,
            found: Vec::new(),
            args: Vec::new(),
            needed: 0,
        }
    }

    /// Takes up to `limit` commands, and at least one but at the end of the file; how many. They
    /// stay in place until the next call.
    ///
    /// An error comes when what was whole before it has been given out.
    pub fn group(&mut self, limit: usize) -> Result<usize, ReadError> {
        self.found.clear();
        self.args.clear();
        while self.found.len() < limit {
            match self.parse() {
                Parsed::Command { args, end } => {
                    let (start, from) = (self.base + self.pos as u64, self.args.len() - args);
                    self.pos = end;
                    let end = self.base + end as u64;
                    self.found.push(Found { args: (from, self.args.len()), start, end });
                }
                Parsed::Annotation { end } => self.pos = end,
                // What lies before the fault is whole, and is run first.
                _ if !self.found.is_empty() => break,
                Parsed::Wrong => return Err(ReadError::Format),
                Parsed::More(_) if self.at_end && self.pos == self.filled => return Ok(0),
                Parsed::More(_) if self.at_end => return Err(ReadError::Truncated),
                Parsed::More(needed) => {
                    self.needed = needed;
                    self.fill().map_err(ReadError::Io)?;
                }
            }
        }
        Ok(self.found.len())
    }

    /// Where the last command of the group ends, or what was passed over after it.
    pub fn end(&self) -> u64 {
        self.base + self.pos as u64
    }

    /// Where command `i` of the group begins and ends.
    pub fn span(&self, i: usize) -> (u64, u64) {
        (self.found[i].start, self.found[i].end)
    }

    /// The arguments of command `i` of the group, of which there is at least one.
    pub fn args(&self, i: usize) -> impl ExactSizeIterator<Item = &[u8]> {
        let (from, to) = self.found[i].args;
        self.args[from..to].iter().map(|&(from, to)| &self.buf[from..to])
    }

    /// The memory that it holds on to.
    pub(super) fn room(&self) -> usize {
        self.buf.len()
    }

    /// Makes room, and reads on.
    fn fill(&mut self) -> io::Result<()> {
        if self.pos > 0 {
            self.buf.copy_within(self.pos..self.filled, 0);
            self.base += self.pos as u64;
            self.filled -= self.pos;
            self.needed -= self.pos;
            self.pos = 0;
        }
        // A claimed length is believed only as far as bytes have come: at most twice what is there.
        let wanted = self.needed.min(self.filled * 2).max(self.filled + READ);
        if self.buf.len() < wanted {
            self.buf.resize(wanted, 0);
        }
        while self.filled < wanted {
            match self.input.read(&mut self.buf[self.filled..]) {
                Ok(0) => {
                    self.at_end = true;
                    break;
                }
                Ok(n) => self.filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Looks at what lies at `pos`; the arguments of a command are pushed.
    fn parse(&mut self) -> Parsed {
        let buf = &self.buf[..self.filled];
        let Some(&first) = buf.get(self.pos) else { return Parsed::More(self.pos + 1) };
        if first == b'#' {
            let window = &buf[self.pos..buf.len().min(self.pos + MAX_LINE)];
            return match memchr::memchr(b'\n', window) {
                Some(at) => Parsed::Annotation { end: self.pos + at + 1 },
                None if window.len() == MAX_LINE => Parsed::Wrong,
                None => Parsed::More(buf.len() + 1),
            };
        }
        let from = self.args.len();
        let parsed = parse_command(buf, self.pos, &mut self.args);
        if !matches!(parsed, Parsed::Command { .. }) {
            self.args.truncate(from);
        }
        parsed
    }
}

/// Parses the command at `at`.
fn parse_command(buf: &[u8], at: usize, args: &mut Vec<(usize, usize)>) -> Parsed {
    let (count, mut at) = match number(buf, at, b'*') {
        Number::Is(count, at) => (count, at),
        Number::More => return Parsed::More(buf.len() + 1),
        Number::Wrong => return Parsed::Wrong,
    };
    if count == 0 || count > MAX_ARGS {
        return Parsed::Wrong;
    }
    for _ in 0..count {
        let (len, from) = match number(buf, at, b'$') {
            Number::Is(len, at) => (len as usize, at),
            Number::More => return Parsed::More(buf.len() + 1),
            Number::Wrong => return Parsed::Wrong,
        };
        let Some(end) = from.checked_add(len).filter(|end| *end < usize::MAX - 2) else {
            return Parsed::Wrong;
        };
        match buf.get(end..end + 2) {
            Some(b"\r\n") => {}
            Some(_) => return Parsed::Wrong,
            None => return Parsed::More(end + 2),
        }
        args.push((from, end));
        at = end + 2;
    }
    Parsed::Command { args: count as usize, end: at }
}

enum Number {
    /// The number, and where its line ends.
    Is(u64, usize),
    More,
    Wrong,
}

/// Reads `<mark><digits>\r\n`.
fn number(buf: &[u8], at: usize, mark: u8) -> Number {
    match buf.get(at) {
        None => return Number::More,
        Some(&found) if found != mark => return Number::Wrong,
        Some(_) => {}
    }
    let mut value: u64 = 0;
    let mut i = at + 1;
    loop {
        match buf.get(i) {
            None => return Number::More,
            Some(digit @ b'0'..=b'9') if i - at <= 19 => {
                value = value * 10 + u64::from(digit - b'0');
                i += 1;
            }
            Some(b'\r') if i > at + 1 => break,
            Some(_) => return Number::Wrong,
        }
    }
    match buf.get(i + 1) {
        None => Number::More,
        Some(b'\n') => Number::Is(value, i + 2),
        Some(_) => Number::Wrong,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its bytes in pieces of a given size.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let n = self.0.len().min(self.1).min(buf.len());
            buf[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    fn encode(out: &mut Vec<u8>, args: &[Vec<u8>]) {
        out.extend_from_slice(format!("*{}\r\n", args.len()).as_bytes());
        for arg in args {
            out.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
            out.extend_from_slice(arg);
            out.extend_from_slice(b"\r\n");
        }
    }

    type Read3 = (Vec<Vec<Vec<u8>>>, u64, Option<ReadError>);

    fn read(text: &[u8], piece: usize, limit: usize) -> Read3 {
        let mut commands = Commands::new(Pieces(text, piece), 0);
        let mut all = Vec::new();
        loop {
            match commands.group(limit) {
                Ok(0) => return (all, commands.end(), None),
                Ok(n) => {
                    assert!(n <= limit);
                    all.extend((0..n).map(|i| commands.args(i).map(<[u8]>::to_vec).collect()));
                }
                Err(e) => return (all, commands.end(), Some(e)),
            }
        }
    }

    #[test]
    fn commands_come_whole_however_they_are_read_and_cut() {
        let mut next = crate::util::rand::generator(7);
        for round in 0..60 {
            let (mut text, mut model, mut ends) = (Vec::new(), Vec::new(), vec![0]);
            for _ in 0..20 {
                if next().is_multiple_of(4) {
                    text.extend_from_slice(b"#TS:1700000000\r\n");
                    ends.push(text.len());
                }
                let size = |n: u64| (n % if n.is_multiple_of(16) { 300_000 } else { 40 }) as usize;
                let args: Vec<Vec<u8>> =
                    (0..1 + next() % 5).map(|_| vec![next() as u8; size(next())]).collect();
                encode(&mut text, &args);
                model.push(args);
                ends.push(text.len());
            }
            let piece = [1 << 20, 4096, 700][round % 3];
            let (all, end, error) = read(&text, piece, 1 + (next() % 16) as usize);
            assert!(error.is_none(), "{error:?}");
            assert_eq!((all == model, end), (true, text.len() as u64));
            let cut = next() as usize % text.len();
            let (all, end, error) = read(&text[..cut], piece, 16);
            let whole = *ends.iter().rfind(|end| **end <= cut).expect("zero is there");
            assert_eq!(end, whole as u64);
            assert!(all == model[..all.len()]);
            match error {
                None => assert_eq!(cut, whole),
                Some(e) => assert!(matches!(e, ReadError::Truncated), "{e:?}"),
            }
        }
    }

    #[test]
    fn what_is_wrong_is_no_cut_off_end() {
        let long = format!("#{}\n", "x".repeat(1022));
        let wrong: [&[u8]; 10] = [
            long.as_bytes(),
            b"SET a b\r\n",
            b"*0\r\n",
            b"*-1\r\n",
            b"*x\r\n",
            b"*1\r\n*1\r\n",
            b"*1\r\n$3\r\nabcde\r\n",
            b"*1\r\n$-1\r\n",
            b"*1\n$1\na\n",
            b"*99999999999999999999999\r\n",
        ];
        for text in wrong {
            let (all, end, error) = read(text, 64, 16);
            assert!(matches!(error, Some(ReadError::Format)), "{text:?}: {error:?}");
            assert_eq!((all.len(), end), (0, 0));
        }
    }

    #[test]
    fn an_annotation_may_have_1023_bytes() {
        let text = format!("#{}\n", "x".repeat(1021));
        let (all, end, error) = read(text.as_bytes(), 64, 16);
        assert!(error.is_none(), "{error:?}");
        assert_eq!((all.len(), end), (0, 1023));
    }

    #[test]
    fn a_claimed_length_takes_no_memory() {
        let text = b"*1\r\n$9000000000000000000\r\nabc";
        let mut commands = Commands::new(&text[..], 0);
        assert!(matches!(commands.group(1), Err(ReadError::Truncated)));
        assert!(commands.buf.len() <= 2 * READ);
    }
}
