//! Where a snapshot begins and ends among the bytes that a primary sends.
//!
//! ```text
//! \n \n ..            signs of life while the primary prepares
//! $<bytes>\r\n        then the snapshot: so many bytes
//! $EOF:<mark>\r\n     or: up to the mark of 40 bytes, which follows it
//! ```

/// The length of the mark that ends a snapshot of unknown length.
pub(crate) const MARK_LEN: usize = 40;

/// How a snapshot ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    Bytes(u64),
    Mark([u8; MARK_LEN]),
}

/// A line, before the snapshot, that is none of those above.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The primary has refused.
    Error(Vec<u8>),
    Bad(Vec<u8>),
}

/// What a line (without its end) says of the snapshot that follows; None: nothing yet. O(1).
pub(crate) fn extent(line: &[u8]) -> Result<Option<Extent>, Broken> {
    match line {
        b"" => Ok(None),
        [b'-', error @ ..] => Err(Broken::Error(error.to_vec())),
        [b'$', b'E', b'O', b'F', b':', mark @ ..] => match mark.get(..MARK_LEN) {
            Some(mark) => Ok(Some(Extent::Mark(mark.try_into().expect("of that length")))),
            None => Err(Broken::Bad(line.to_vec())),
        },
        [b'$', digits @ ..] => {
            let number = std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok());
            number.map(|n| Some(Extent::Bytes(n))).ok_or(Broken::Bad(line.to_vec()))
        }
        _ => Err(Broken::Bad(line.to_vec())),
    }
}

/// Finds the end of a snapshot.
#[derive(Debug)]
pub(crate) struct Finder {
    extent: Extent,
    seen: u64,
    /// The last bytes that came, as many as a mark has.
    last: Vec<u8>,
}

impl Finder {
    pub(crate) fn new(extent: Extent) -> Finder {
        Finder { extent, seen: 0, last: Vec::new() }
    }

    /// Bytes of it so far; a mark is among them when it has come.
    pub(crate) fn seen(&self) -> u64 {
        self.seen
    }

    /// Bytes in all, if that is known.
    pub(crate) fn total(&self) -> Option<u64> {
        match self.extent {
            Extent::Bytes(n) => Some(n),
            Extent::Mark(_) => None,
        }
    }

    /// The length of the mark behind the snapshot.
    pub(crate) fn tail(&self) -> u64 {
        match self.extent {
            Extent::Bytes(_) => 0,
            Extent::Mark(_) => MARK_LEN as u64,
        }
    }

    /// The most bytes that may be read next: what follows a snapshot of known length is no part of
    /// it.
    pub(crate) fn want(&self, room: usize) -> usize {
        match self.extent {
            Extent::Bytes(n) => room.min((n - self.seen.min(n)).min(usize::MAX as u64) as usize),
            Extent::Mark(_) => room,
        }
    }

    /// Takes the next bytes, of which all are part of the snapshot; whether that is its end.
    ///
    /// Nothing follows a mark before the replica has said that it has it, so a mark is looked for
    /// at the end of what has come.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> bool {
        self.seen += bytes.len() as u64;
        match &self.extent {
            Extent::Bytes(n) => self.seen >= *n,
            Extent::Mark(mark) => {
                let keep = bytes.len().min(MARK_LEN);
                self.last.extend_from_slice(&bytes[bytes.len() - keep..]);
                let over = self.last.len().saturating_sub(MARK_LEN);
                self.last.drain(..over);
                self.last == mark
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_before_a_snapshot() {
        assert_eq!(extent(b""), Ok(None));
        assert_eq!(extent(b"$120"), Ok(Some(Extent::Bytes(120))));
        let mark = [b'f'; MARK_LEN];
        let line = [&b"$EOF:"[..], &mark].concat();
        assert_eq!(extent(&line), Ok(Some(Extent::Mark(mark))));
        assert_eq!(extent(b"-ERR no"), Err(Broken::Error(b"ERR no".to_vec())));
        for bad in [&b"$"[..], b"$x", b"$-1", b"$EOF:abc", b"+OK", b"$99999999999999999999"] {
            assert_eq!(extent(bad), Err(Broken::Bad(bad.to_vec())));
        }
    }

    #[test]
    fn an_end_is_found_however_the_bytes_come() {
        let mark: Vec<u8> = (0..MARK_LEN as u8).map(|n| b'0' + n % 10).collect();
        let body = [&[b'x'; 100][..], &mark[..39], b"y"].concat();
        let all = [&body[..], &mark].concat();
        for piece in [1, 2, 7, 39, 40, 41, 1000] {
            let extent = Extent::Mark(mark.clone().try_into().expect("40 bytes"));
            let mut finder = Finder::new(extent);
            let ends: Vec<bool> = all.chunks(piece).map(|chunk| finder.take(chunk)).collect();
            assert_eq!(ends.iter().position(|end| *end), Some(ends.len() - 1), "{piece}");
            assert_eq!(finder.seen() - finder.tail(), body.len() as u64);
        }
        let mut finder = Finder::new(Extent::Bytes(10));
        assert_eq!(finder.want(64), 10);
        assert!(!finder.take(b"123456"));
        assert_eq!(finder.want(64), 4);
        assert!(finder.take(b"7890"));
    }
}
