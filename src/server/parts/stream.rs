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
//! A replica passes on what its primary sends, byte for byte (`append_raw`), so that the offsets of
//! all replicas mean the same. What its own commands change is then for the file alone
//! (`audience`).
//!
//! Replicas count only the bytes that are meant for them (`offsets`). What a slow replica has still
//! to get may be moved from the first blocks to files (`memory`, `files`).
//!
//! Invariants:
//!
//! - S1  each block has `BLOCK` bytes, and `end - start` says how many of them all are filled; the
//!   first begins at offset `start`; no reader's position is before it, or before `spill`;
//! - S2  `partial` is in order, and its ranges do not overlap;
//! - S3  the first command of a unit, if it fits, is written right behind the end, where it stays
//!   if it is the only one (`direct` bytes); it moves to `unit` when a second one comes;
//! - S4  while nobody reads, nothing is recorded: `wanted` is empty.

mod files;
mod memory;
mod offsets;

use std::collections::VecDeque;

use slab::Slab;

use crate::resp::reply::{Reply, write_command};
use crate::server::parts::stream::files::Spill;

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
    /// Bytes before it that replicas don't get.
    withheld: u64,
}

impl Partial {
    /// How many of its bytes replicas don't get.
    fn withholds(&self) -> u64 {
        if self.targets & REPLICAS == 0 { self.to - self.from } else { 0 }
    }
}

#[derive(Debug)]
pub(crate) struct Stream {
    /// Which kinds of readers there are.
    wanted: Targets,
    /// Which of them get what commands change here.
    audience: Targets,
    /// The open unit: its commands (except a first one that is already behind the end), how many
    /// they are, and the databases that they begin and end in.
    unit: Vec<u8>,
    direct: usize,
    commands: usize,
    first_db: Option<u32>,
    unit_db: Option<u32>,
    /// Its commands are not to stand in a transaction.
    loose: bool,
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
    /// Bytes so far that replicas don't get.
    withheld: u64,
    /// What makes a replication offset of a position, less what was withheld before it.
    base: u64,
    /// The replication offset while no replica reads.
    resting: u64,
    readers: Slab<Reader>,
    /// What comes before the blocks.
    spill: Spill,
}

impl Default for Stream {
    fn default() -> Stream {
        Stream {
            wanted: 0,
            audience: ALL,
            unit: Vec::new(),
            direct: 0,
            commands: 0,
            first_db: None,
            unit_db: None,
            loose: false,
            unit_partial: Vec::new(),
            db: None,
            direct_db: None,
            stamp: None,
            blocks: VecDeque::new(),
            spare: Vec::new(),
            start: 0,
            end: 0,
            partial: VecDeque::new(),
            withheld: 0,
            base: 0,
            resting: 0,
            readers: Slab::new(),
            spill: Spill::default(),
        }
    }
}

impl Stream {
    /// Whether somebody reads: only then is anything recorded.
    pub(crate) fn has_readers(&self) -> bool {
        self.wanted != 0
    }

    /// Adds a reader of what comes from now on.
    pub(crate) fn join(&mut self, targets: Targets) -> ReaderId {
        self.select_anew();
        self.join_at(targets, self.end)
    }

    /// Adds a reader of what comes after `at`, which another reader has not passed.
    pub(crate) fn join_at(&mut self, targets: Targets, at: u64) -> ReaderId {
        debug_assert!((self.first()..=self.end).contains(&at));
        if targets & REPLICAS & !self.wanted != 0 {
            self.base = self.resting.wrapping_sub(self.end - self.withheld);
        }
        self.wanted |= targets;
        ReaderId(self.readers.insert(Reader { at, targets }))
    }

    /// Ends a reader.
    pub(crate) fn leave(&mut self, id: ReaderId) {
        let offset = self.repl_end();
        self.readers.try_remove(id.0);
        self.wanted = self.readers.iter().fold(0, |all, (_, reader)| all | reader.targets);
        self.resting = offset;
        self.trim();
    }

    /// The next unit names its database, as for a reader that knows none.
    pub(crate) fn select_anew(&mut self) {
        (self.db, self.direct_db) = (None, None);
    }

    /// The database that is selected at the end; None: none is, for the next unit names it.
    pub(crate) fn db(&self) -> Option<u32> {
        self.db
    }

    /// Who gets what commands change here from now on: all, or the file alone. No unit is open.
    pub(crate) fn set_audience(&mut self, audience: Targets) {
        if std::mem::replace(&mut self.audience, audience) != audience {
            self.select_anew();
        }
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
        let targets = targets & self.audience;
        if targets & self.wanted == 0 {
            return;
        }
        if self.commands == 0 && targets == self.audience && self.direct_db == Some(db) {
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

    /// Adds a command for replicas that has nothing to do with a database, as a unit of its own. A
    /// unit that is open ends before it.
    pub(crate) fn add_for_link(&mut self, words: &[&[u8]]) {
        self.close();
        if self.wanted & self.audience & REPLICAS != 0 {
            let from = self.end;
            let mut text = Vec::new();
            append_command(&mut text, words.iter().copied());
            self.append(&text);
            self.mark(from, self.end, REPLICAS);
        }
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
        // All get the `SELECT`, whoever gets the command: the database is the same for all.
        if self.unit_db != Some(db) {
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
        if targets != self.audience {
            let (from, to) = (from as u64, end as u64);
            self.unit_partial.push(Partial { from, to, targets, withheld: 0 });
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
            let from = self.end;
            self.end += self.direct as u64;
            (self.direct, self.commands) = (0, 0);
            if self.audience != ALL {
                self.mark(from, self.end, self.audience);
            }
        } else if self.commands > 0 {
            self.append_unit();
        }
    }

    /// The commands of the open unit have nothing to do with each other: they leave without MULTI
    /// and EXEC around them.
    pub(crate) fn loosen(&mut self) {
        self.loose = self.commands > 0;
    }

    #[inline(never)]
    fn append_unit(&mut self) {
        let several = self.commands > 1 && !std::mem::take(&mut self.loose);
        if let Some(secs) = self.stamp.take_if(|_| self.wanted & AOF != 0) {
            let from = self.end;
            self.append(format!("#TS:{secs}\r\n").as_bytes());
            self.mark(from, self.end, AOF);
        }
        let from = self.end;
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
        for part in std::mem::take(&mut self.unit_partial) {
            if self.audience == ALL {
                self.mark(base + part.from, base + part.to, part.targets);
            }
        }
        if several {
            self.append(b"*1\r\n$4\r\nEXEC\r\n");
        }
        // An audience of one kind has no parts.
        if self.audience != ALL {
            self.mark(from, self.end, self.audience);
        }
        self.db = self.unit_db.or(self.db);
        self.direct_db = self.db;
        (self.first_db, self.unit_db, self.commands) = (None, None, 0);
        if unit.capacity() <= UNIT_KEPT {
            unit.clear();
            self.unit = unit;
        }
    }

    /// Notes that only some readers get the bytes from `from` to `to`, behind all others so marked.
    fn mark(&mut self, from: u64, to: u64, targets: Targets) {
        let withheld = self.withheld;
        let part = Partial { from, to, targets, withheld };
        self.withheld += part.withholds();
        match self.partial.back_mut() {
            Some(last) if last.to == from && last.targets == targets => last.to = to,
            _ => self.partial.push_back(part),
        }
    }

    /// Adds bytes for replicas as they are: a primary has sent them. No unit is open.
    pub(crate) fn append_raw(&mut self, bytes: &[u8]) {
        debug_assert!(self.commands == 0 && self.audience != ALL);
        if self.wanted & REPLICAS != 0 {
            let from = self.end;
            self.append(bytes);
            self.mark(from, self.end, REPLICAS);
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
        let to = self.run_at(targets, at);
        let from = (*at - self.start) as usize;
        let Some(block) = self.blocks.get(from / BLOCK) else { return &[] };
        let rest = &block[from % BLOCK..];
        &rest[..rest.len().min((to - *at) as usize)]
    }

    /// Steps over what is not meant for `targets`; where what is meant for them ends.
    #[inline]
    fn run_at(&self, targets: Targets, at: &mut u64) -> u64 {
        let mut to = self.end;
        let first = self.partial.partition_point(|part| part.to <= *at);
        for part in self.partial.range(first..) {
            if part.targets & targets != 0 {
                continue;
            }
            if part.from > *at {
                to = part.from;
                break;
            }
            *at = part.to;
        }
        to
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

    fn keep_spare(&mut self, block: Option<Vec<u8>>) {
        self.spare.extend(block.filter(|_| self.spare.len() < SPARE));
    }

    /// Frees what all readers have passed.
    fn trim(&mut self) {
        let least = self.readers.iter().map(|(_, reader)| reader.at).min().unwrap_or(self.end);
        while self.blocks.len() > 1 && self.start + BLOCK as u64 <= least {
            let block = self.blocks.pop_front();
            self.start += BLOCK as u64;
            self.keep_spare(block);
        }
        self.spill.forget_before(least);
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
mod tests;
