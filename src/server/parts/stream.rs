//! The stream of writes: each unit that changed data, encoded as RESP once for all readers.
//!
//! ```text
//! add (one command)  -> the open unit      close (the unit ends)  -> the blocks
//!
//! blocks   [ 16 KiB ][ 16 KiB ][ 16 KiB ][ .. ]      offsets count from the start of the process
//!                ^ reader 1         ^ reader 2   ^ end
//! ```
//! The append-only file and the replicas are readers. Each has a position of its own, and what all
//! have passed is freed. A unit of several commands stands between MULTI and EXEC. `SELECT` comes
//! where the database changes. It also comes before the first unit after a reader has joined, since
//! that reader knows no database.
//!
//! Where the file is to tell the time, an annotation goes before the first unit of a second, for
//! the file alone. A command may be meant for some readers only as well (PUBLISH is for replicas).
//! Such bytes are in the blocks like any other, so that offsets mean the same to everybody;
//! `partial` names their ranges, and the other readers step over them.
//!
//! Invariants:
//!
//! - S1  each block has `BLOCK` bytes, and `end - start` says how many of them all are filled; the
//!   first begins at offset `start`, which is no later than any reader's position;
//! - S2  `partial` is in order, and its ranges do not overlap;
//! - S3  the first command of a unit, if it fits, is written right behind the end, where it stays
//!   if it is the only one (`direct` bytes); it moves to `unit` when a second one comes;
//! - S4  while nobody reads, nothing is recorded: `wanted` is empty.

use std::collections::VecDeque;

use slab::Slab;

use crate::resp::reply::{Reply, write_command};

/// Kinds of readers; a set of bits.
pub(crate) type Targets = u8;
/// The append-only file.
pub(crate) const AOF: Targets = 1;
/// Replicas and their backlog.
pub(crate) const REPLICAS: Targets = 2;
pub(crate) const ALL: Targets = AOF | REPLICAS;

const BLOCK: usize = 16 * 1024;
/// So many blocks are kept to be used again.
const SPARE: usize = 16;
/// A unit's buffer is kept for the next one up to this size.
const UNIT_KEPT: usize = 64 * 1024;

/// A reader of the stream, until it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReaderId(usize);

#[derive(Debug)]
struct Reader {
    at: u64,
    targets: Targets,
}

/// Bytes that not all readers get.
#[derive(Debug, PartialEq, Eq)]
struct Partial {
    from: u64,
    to: u64,
    targets: Targets,
}

#[derive(Debug, Default)]
pub(crate) struct Stream {
    /// Which kinds of readers there are.
    wanted: Targets,
    /// The open unit: its commands (except a first one that is already behind the end), how many
    /// they are, and the databases that they begin and end in.
    unit: Vec<u8>,
    direct: usize,
    commands: usize,
    first_db: Option<u32>,
    unit_db: Option<u32>,
    /// Ranges of the open unit that not all readers get, counted from its first command.
    unit_partial: Vec<Partial>,
    /// The database that is selected at the end of the blocks.
    db: Option<u32>,
    /// The same while a unit may begin right there, with nothing before it.
    direct_db: Option<u32>,
    /// The second that an annotation before the next unit names.
    stamp: Option<i64>,
    blocks: VecDeque<Vec<u8>>,
    /// Blocks to be used again.
    spare: Vec<Vec<u8>>,
    start: u64,
    end: u64,
    partial: VecDeque<Partial>,
    readers: Slab<Reader>,
}

impl Stream {
    /// Whether somebody reads: only then is anything recorded.
    pub(crate) fn has_readers(&self) -> bool {
        self.wanted != 0
    }

    /// Adds a reader of what comes from now on.
    pub(crate) fn join(&mut self, targets: Targets) -> ReaderId {
        (self.db, self.direct_db) = (None, None);
        self.wanted |= targets;
        ReaderId(self.readers.insert(Reader { at: self.end, targets }))
    }

    /// Ends a reader.
    pub(crate) fn leave(&mut self, id: ReaderId) {
        self.readers.try_remove(id.0);
        self.wanted = self.readers.iter().fold(0, |all, (_, reader)| all | reader.targets);
        self.trim();
    }

    /// Adds a command to the open unit, to be run in database `db`. O(bytes); allocates nothing but
    /// blocks, and room for longer units than there were before.
    #[inline]
    pub(crate) fn add<'a>(
        &mut self,
        db: u32,
        args: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
        targets: Targets,
    ) {
        if targets & self.wanted == 0 {
            return;
        }
        if self.commands == 0 && targets == ALL && self.direct_db == Some(db) {
            let filled = (self.end - self.start) as usize;
            if filled / BLOCK < self.blocks.len()
                && let Some(block) = self.blocks.back_mut()
                && let Some(len) = write_command(&mut block[filled % BLOCK..], args.clone())
            {
                (self.direct, self.commands) = (len, 1);
                return;
            }
        }
        self.add_aside(db, args, targets);
    }

    #[inline(never)]
    fn add_aside<'a>(
        &mut self,
        db: u32,
        args: impl ExactSizeIterator<Item = &'a [u8]>,
        targets: Targets,
    ) {
        if self.direct > 0 {
            let at = (self.end - self.start) as usize % BLOCK;
            if let Some(block) = self.blocks.back() {
                self.unit.extend_from_slice(&block[at..at + self.direct]);
            }
            self.direct = 0;
            (self.first_db, self.unit_db) = (self.db, self.db);
        }
        // A `SELECT` that only some readers get must not be the one that selects the database for
        // all.
        if targets == ALL && self.unit_db != Some(db) {
            match self.unit_db {
                None => self.first_db = Some(db),
                Some(_) => select(&mut self.unit, db),
            }
            self.unit_db = Some(db);
        }
        let from = self.unit.len();
        append_command(&mut self.unit, args);
        let end = self.unit.len();
        self.commands += 1;
        if targets != ALL {
            self.unit_partial.push(Partial { from: from as u64, to: end as u64, targets });
        }
    }

    /// A second begins: the file names it before the next unit.
    pub(crate) fn stamp(&mut self, secs: i64) {
        (self.stamp, self.direct_db) = (Some(secs), None);
    }

    /// Ends the open unit: its commands become readable, as one transaction if they are several.
    #[inline]
    pub(crate) fn close(&mut self) {
        if self.direct > 0 {
            self.end += self.direct as u64;
            (self.direct, self.commands) = (0, 0);
        } else if self.commands > 0 {
            self.append_unit();
        }
    }

    #[inline(never)]
    fn append_unit(&mut self) {
        let several = self.commands > 1;
        if let Some(secs) = self.stamp.take_if(|_| self.wanted & AOF != 0) {
            let from = self.end;
            self.append(format!("#TS:{secs}\r\n").as_bytes());
            self.partial.push_back(Partial { from, to: self.end, targets: AOF });
        }
        if several {
            self.append(b"*1\r\n$5\r\nMULTI\r\n");
        }
        // Compat: within the transaction.
        if self.first_db.is_some() && self.first_db != self.db {
            let mut text = Vec::new();
            select(&mut text, self.first_db.unwrap_or_default());
            self.append(&text);
        }
        let base = self.end;
        let mut unit = std::mem::take(&mut self.unit);
        self.append(&unit);
        for part in self.unit_partial.drain(..) {
            self.partial.push_back(Partial {
                from: base + part.from,
                to: base + part.to,
                targets: part.targets,
            });
        }
        if several {
            self.append(b"*1\r\n$4\r\nEXEC\r\n");
        }
        self.db = self.unit_db.or(self.db);
        self.direct_db = self.db;
        (self.first_db, self.unit_db, self.commands) = (None, None, 0);
        if unit.capacity() <= UNIT_KEPT {
            unit.clear();
            self.unit = unit;
        }
    }

    fn append(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let at = (self.end - self.start) as usize;
            if at / BLOCK == self.blocks.len() {
                let block = self.spare.pop();
                self.blocks.push_back(block.unwrap_or_else(|| vec![0; BLOCK]));
            }
            let Some(block) = self.blocks.back_mut() else { return };
            let (now, later) = bytes.split_at((BLOCK - at % BLOCK).min(bytes.len()));
            block[at % BLOCK..at % BLOCK + now.len()].copy_from_slice(now);
            self.end += now.len() as u64;
            bytes = later;
        }
    }

    /// Bytes of memory that it takes.
    pub(crate) fn memory(&self) -> u64 {
        ((self.blocks.len() + self.spare.len()) * BLOCK + self.unit.capacity()) as u64
    }

    /// How far the stream has come, in bytes from the start of the process.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Where a reader stands.
    pub(crate) fn position(&self, id: ReaderId) -> u64 {
        self.readers.get(id.0).map_or(self.end, |reader| reader.at)
    }

    /// The bytes at `at` that are meant for `targets`, as far as they lie together; `at` steps over
    /// what is not, and stays within what a reader has not passed. Empty at the end.
    #[inline]
    pub(crate) fn read_at(&self, targets: Targets, at: &mut u64) -> &[u8] {
        let mut to = self.end;
        for part in self.partial.iter().filter(|part| part.targets & targets == 0) {
            if part.from <= *at && *at < part.to {
                *at = part.to;
            } else if part.from > *at {
                to = part.from;
                break;
            }
        }
        let from = (*at - self.start) as usize;
        let Some(block) = self.blocks.get(from / BLOCK) else { return &[] };
        let rest = &block[from % BLOCK..];
        &rest[..rest.len().min((to - *at) as usize)]
    }

    /// The next bytes for a reader, as far as they lie together; empty when it has all.
    pub(crate) fn next(&mut self, id: ReaderId) -> &[u8] {
        let Some(reader) = self.readers.get(id.0) else { return &[] };
        let (targets, mut at) = (reader.targets, reader.at);
        self.read_at(targets, &mut at);
        if let Some(reader) = self.readers.get_mut(id.0) {
            reader.at = at;
        }
        self.read_at(targets, &mut at)
    }

    /// A reader has dealt with everything before `at`.
    pub(crate) fn advance_to(&mut self, id: ReaderId, at: u64) {
        if let Some(reader) = self.readers.get_mut(id.0) {
            reader.at = at;
        }
        self.trim();
    }

    /// A reader has dealt with so many of the bytes that `next` gave it.
    pub(crate) fn advance(&mut self, id: ReaderId, bytes: usize) {
        if let Some(reader) = self.readers.get_mut(id.0) {
            reader.at += bytes as u64;
        }
        self.trim();
    }

    /// Everything that waits for a reader, at once.
    pub(crate) fn take(&mut self, id: ReaderId) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let piece = self.next(id);
            let len = piece.len();
            if len == 0 {
                return all;
            }
            all.extend_from_slice(piece);
            self.advance(id, len);
        }
    }

    /// Frees what all readers have passed.
    fn trim(&mut self) {
        let least = self.readers.iter().map(|(_, reader)| reader.at).min().unwrap_or(self.end);
        while self.blocks.len() > 1 && self.start + BLOCK as u64 <= least {
            let block = self.blocks.pop_front();
            self.start += BLOCK as u64;
            self.spare.extend(block.filter(|_| self.spare.len() < SPARE));
        }
        if self.readers.is_empty() {
            self.blocks.clear();
            self.spare.clear();
            self.start = self.end;
        }
        while self.partial.front().is_some_and(|part| part.to <= least) {
            self.partial.pop_front();
        }
    }
}

fn select(to: &mut Vec<u8>, db: u32) {
    let number = db.to_string();
    append_command(to, [&b"SELECT"[..], number.as_bytes()].into_iter());
}

fn append_command<'a>(to: &mut Vec<u8>, args: impl ExactSizeIterator<Item = &'a [u8]>) {
    let mut reply = Reply::new(std::mem::take(to), false);
    reply.array(args.len());
    args.for_each(|arg| reply.bulk(arg));
    *to = reply.into_buf();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(stream: &mut Stream, db: u32, words: &str, targets: Targets) {
        let args: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
        stream.add(db, args.into_iter(), targets);
    }

    fn words(bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes);
        let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with('$')).collect();
        kept.join(" ").replace("*1 ", "/ ").replace("*2 ", "/ ").replace("*3 ", "/ ")
    }

    #[test]
    fn units_are_transactions_in_their_database() {
        let mut stream = Stream::default();
        add(&mut stream, 0, "SET a 1", ALL);
        stream.close();
        assert_eq!(stream.end, stream.start, "nobody reads");
        let reader = stream.join(ALL);
        add(&mut stream, 0, "SET a 1", ALL);
        stream.close();
        add(&mut stream, 0, "DEL a", ALL);
        add(&mut stream, 2, "DEL b", ALL);
        stream.close();
        stream.close();
        assert_eq!(
            words(&stream.take(reader)),
            "/ SELECT 0 / SET a 1 / MULTI / DEL a / SELECT 2 / DEL b / EXEC"
        );
        add(&mut stream, 2, "DEL c", ALL);
        stream.close();
        assert_eq!(words(&stream.take(reader)), "/ DEL c");
    }

    #[test]
    fn readers_step_over_what_is_not_for_them() {
        let mut stream = Stream::default();
        let (aof, replica) = (stream.join(AOF), stream.join(REPLICAS));
        add(&mut stream, 5, "PUBLISH c m", REPLICAS);
        stream.close();
        add(&mut stream, 5, "SET a 1", ALL);
        add(&mut stream, 5, "PUBLISH c n", REPLICAS);
        stream.close();
        assert_eq!(words(&stream.take(aof)), "/ MULTI / SELECT 5 / SET a 1 / EXEC");
        assert_eq!(
            words(&stream.take(replica)),
            "/ PUBLISH c m / MULTI / SELECT 5 / SET a 1 / PUBLISH c n / EXEC"
        );
        stream.leave(replica);
        let before = stream.end;
        add(&mut stream, 5, "PUBLISH c m", REPLICAS);
        stream.close();
        assert_eq!(stream.end, before, "nobody is left to read it");
    }

    #[test]
    fn the_file_is_told_the_time_and_nobody_else() {
        let mut stream = Stream::default();
        let (aof, replica) = (stream.join(AOF), stream.join(REPLICAS));
        stream.stamp(7);
        add(&mut stream, 0, "SET a 1", ALL);
        stream.close();
        add(&mut stream, 0, "SET b 1", ALL);
        stream.close();
        stream.stamp(8);
        stream.stamp(9);
        add(&mut stream, 0, "SET c 1", ALL);
        stream.close();
        let file = words(&stream.take(aof));
        assert_eq!(file, "#TS:7 / SELECT 0 / SET a 1 / SET b 1 #TS:9 / SET c 1");
        let link = words(&stream.take(replica));
        assert_eq!(link, "/ SELECT 0 / SET a 1 / SET b 1 / SET c 1");
    }

    /// Against one string of bytes: readers that come, go and read as they like get the same bytes.
    #[test]
    fn readers_agree_with_a_plain_string() {
        let mut next = crate::util::rand::generator(3);
        let mut stream = Stream::default();
        let mut model: Vec<u8> = Vec::new();
        let mut readers: Vec<(ReaderId, usize)> = Vec::new();
        let witness = stream.join(ALL);
        for _ in 0..20_000 {
            match next() % 6 {
                0 if readers.len() < 8 => readers.push((stream.join(ALL), model.len())),
                1 if !readers.is_empty() => {
                    let (id, _) = readers.swap_remove(next() as usize % readers.len());
                    stream.leave(id);
                }
                2..4 if !readers.is_empty() => {
                    let at = next() as usize % readers.len();
                    let (id, seen) = &mut readers[at];
                    let piece = stream.next(*id).to_vec();
                    let n = if piece.is_empty() { 0 } else { 1 + next() as usize % piece.len() };
                    assert_eq!(piece[..n], model[*seen..*seen + n]);
                    stream.advance(*id, n);
                    *seen += n;
                }
                _ => {
                    let value = vec![b'v'; (next() % 3000) as usize];
                    for _ in 0..1 + next() % 3 {
                        let db = (next() % 3) as u32;
                        stream.add(db, [&b"SET"[..], b"k", &value].into_iter(), ALL);
                    }
                    stream.close();
                    model.extend(stream.take(witness));
                }
            }
            let slowest = readers.iter().map(|r| r.1).min().unwrap_or(model.len());
            let kept = stream.blocks.len() * BLOCK;
            assert!(kept <= model.len() - slowest + 2 * BLOCK);
        }
        assert!(model.len() > 1_000_000);
    }
}
