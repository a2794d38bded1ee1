//! The entries of a stream in order: blocks by the ID that their entries are relative to.
//!
//! Entries are added behind all others, and leave from the front (trimming) or anywhere (deletion).
//! A block is never changed but at its end, and in the marks of what is deleted; it is sealed when
//! the next begins, and goes when nothing in it is left. Where blocks end is as in Redis, since
//! clients can tell: trimming that is approximate removes whole blocks.
//!
//! Invariants: IDs ascend within blocks and from block to block; `last_id` is at least the last of
//! them; `length` is the number of entries that are not deleted.

use super::block::{Block, Entry, Pairs, Walk};
use super::blocks::Blocks;
use super::id::Id;
use std::collections::btree_map;

/// The most bytes of names and values in one entry, and of a block that takes more entries.
const BYTES_MAX: usize = 1 << 30;

/// Whether so many bytes of names and values can be an entry.
pub(crate) fn fits(bytes: usize) -> bool {
    bytes <= BYTES_MAX
}

/// When a block is full.
#[derive(Clone, Copy, Debug)]
pub struct NodeLimits {
    /// Bytes; 0: as many as the format allows.
    pub bytes: usize,
    /// Entries, deleted ones included; 0: any number.
    pub entries: u64,
}

/// How an entry is to be numbered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum NewId {
    /// By the clock, which says so many milliseconds.
    Auto(u64),
    /// In this millisecond, by the server.
    AnySeq(u64),
    Exactly(Id),
}

/// Why an entry was not added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NotAdded {
    /// The ID is not above the last one.
    NotAbove,
    TooLarge,
}

/// Which entries are to go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Trim {
    /// The oldest, until so many are left.
    MaxLen(u64),
    /// Those before this ID.
    MinId(Id),
}

/// The entries of a stream.
#[derive(Clone, Debug, Default)]
pub struct Log {
    blocks: Blocks,
    length: u64,
    /// The first entry that is not deleted; 0-0 if there is none.
    pub first_id: Id,
    pub last_id: Id,
    /// The greatest ID that was deleted (trimming doesn't count).
    pub max_deleted: Id,
    /// Entries ever added.
    pub added: u64,
}

impl Log {
    /// Entries that are there. O(1).
    pub(crate) fn len(&self) -> u64 {
        self.length
    }

    /// Whether there are none. O(1).
    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Number of blocks. O(1).
    pub(crate) fn block_count(&self) -> usize {
        self.blocks.len()
    }

    /// The blocks with their IDs, in order.
    pub(crate) fn blocks(&self) -> impl DoubleEndedIterator<Item = (Id, &Block)> {
        self.blocks.iter().map(|(id, block)| (*id, block))
    }

    /// Allocated bytes, extrapolated from `samples` blocks (0: all).
    pub(crate) fn mem_bytes(&self, samples: usize) -> usize {
        /// What the map keeps for a block: nodes of eleven are two thirds full.
        const EACH: usize = (size_of::<Id>() + size_of::<Block>()) * 3 / 2;
        let n = self.blocks.len();
        let seen = if samples == 0 { n } else { samples.min(n) };
        let bytes: usize = self.blocks.iter().take(seen).map(|(_, block)| block.mem_bytes()).sum();
        let all =
            bytes.checked_div(seen).map_or(0, |each| if seen == n { bytes } else { each * n });
        all + n * EACH
    }

    /// Adds an entry: names and values, one after the other. Amortised O(its length + log blocks).
    pub(crate) fn append(
        &mut self,
        new: NewId,
        args: &[&[u8]],
        limits: NodeLimits,
    ) -> Result<Id, NotAdded> {
        let last = self.last_id;
        let id = match new {
            NewId::Exactly(id) => id,
            NewId::Auto(now) if now > last.ms => Id::new(now, 0),
            NewId::Auto(_) => last.next().ok_or(NotAdded::NotAbove)?,
            NewId::AnySeq(ms) if ms == last.ms => {
                Id::new(ms, last.seq.checked_add(1).ok_or(NotAdded::NotAbove)?)
            }
            NewId::AnySeq(ms) => Id::new(ms, 0),
        };
        if id <= last {
            return Err(NotAdded::NotAbove);
        }
        let bytes: usize = args.iter().map(|arg| arg.len()).sum();
        if !fits(bytes) {
            return Err(NotAdded::TooLarge);
        }
        self.append_to_block(id, args, bytes, limits);
        self.length += 1;
        self.added = self.added.wrapping_add(1);
        self.last_id = id;
        if self.length == 1 {
            self.first_id = id;
        }
        Ok(id)
    }

    fn append_to_block(&mut self, id: Id, args: &[&[u8]], bytes: usize, limits: NodeLimits) {
        if let Some((master, block)) = self.blocks.last_mut() {
            let most = if limits.bytes == 0 { BYTES_MAX } else { limits.bytes.min(BYTES_MAX) };
            let (count, deleted) = block.counts();
            let full = block.open_bytes() + bytes >= most
                || limits.entries != 0 && count + deleted >= limits.entries;
            if !full {
                return block.append(master, id, args);
            }
            block.seal();
        }
        let mut block = Block::new(args);
        block.append(id, id, args);
        self.blocks.insert(id, block);
    }

    /// Adds a block from elsewhere behind all others; false if its entries don't come behind them.
    pub(crate) fn append_block(&mut self, id: Id, block: Block, ids: Option<(Id, Id)>) -> bool {
        if let Some((master, last)) = self.blocks.last_mut() {
            if master >= id || last.last_id(master).is_some_and(|end| end >= id) {
                return false;
            }
            last.seal();
        }
        self.length += block.counts().0;
        self.last_id = ids.map_or(self.last_id, |ids| ids.1);
        self.blocks.insert(id, block);
        true
    }

    /// Entries from `start` to `end`, both included, oldest first.
    pub(crate) fn range(&self, start: Id, end: Id) -> Range<'_> {
        let from = self.blocks.range(..=start).next_back().map_or(start, |(id, _)| *id);
        Range { blocks: self.blocks.range(from..), walk: None, start, end }
    }

    /// Entries from `end` down to `start`, both included, newest first.
    pub(crate) fn range_back(&self, start: Id, end: Id) -> RangeBack<'_> {
        RangeBack { blocks: self.blocks.range(..=end), walk: None, start, end }
    }

    /// The entry with this ID. O(log blocks + entries of one).
    pub(crate) fn get(&self, id: Id) -> Option<Entry<'_>> {
        let (master, block) = self.blocks.range(..=id).next_back()?;
        let mut walk = block.walk(*master);
        let raw = walk.find(|raw| raw.id >= id).filter(|r| r.id == id && !r.is_deleted())?;
        Some(walk.entry(&raw))
    }

    /// The ID of the last entry that is there; 0-0 if there is none.
    pub(crate) fn last_there(&self) -> Id {
        self.range_back(Id::MIN, Id::MAX).next().map_or(Id::MIN, |entry| entry.id)
    }

    /// The ID of the first entry, deleted or not.
    pub(crate) fn first_ever(&self) -> Option<Id> {
        self.blocks.iter().find_map(|(id, block)| block.walk(*id).next()).map(|raw| raw.id)
    }

    /// Finds out which entry is the first.
    pub(crate) fn renew_first_id(&mut self) {
        let first = self.range(Id::MIN, Id::MAX).next().map(|entry| entry.id);
        self.first_id = match first {
            None if self.length > 0 => Id::MAX,
            first => first.unwrap_or_default(),
        };
    }

    /// Deletes entries; returns how many were there. O(each: log blocks + entries of one).
    pub(crate) fn delete(&mut self, ids: &[Id]) -> u64 {
        let (mut deleted, mut first_went) = (0, false);
        for &id in ids {
            if self.delete_one(id) {
                first_went |= id == self.first_id;
                self.max_deleted = self.max_deleted.max(id);
                deleted += 1;
            }
        }
        if deleted > 0 && self.length == 0 {
            self.first_id = Id::MIN;
        } else if first_went {
            self.renew_first_id();
        }
        deleted
    }

    fn delete_one(&mut self, id: Id) -> bool {
        let Some((master, block)) = self.blocks.find_mut(id) else {
            return false;
        };
        if !block.delete(master, id) {
            return false;
        }
        if block.counts().0 == 0 {
            self.blocks.remove(master);
        }
        self.length -= 1;
        true
    }

    /// Sets the last ID, which is at least that of the last entry that is there. O(entries of one
    /// block), usually.
    ///
    /// Deleted entries may lie above. They are forgotten, so that IDs go on ascending.
    pub(crate) fn set_last_id(&mut self, id: Id) {
        while let Some((master, last)) = self.blocks.last_mut() {
            if last.last_id(master).is_some_and(|end| end <= id) {
                break;
            }
            if last.counts().0 > 0 {
                last.drop_above(master, id);
                break;
            }
            self.blocks.remove(master);
        }
        self.last_id = id;
    }

    /// Removes the oldest entries. If it is approximate, whole blocks alone go; `limit` entries at
    /// most (0: any number). Returns how many went. O(blocks that go + entries of one).
    pub(crate) fn trim(&mut self, trim: Trim, approximate: bool, limit: u64) -> u64 {
        let mut removed = 0;
        while let Some((master, block)) = self.blocks.first_mut() {
            if let Trim::MaxLen(max) = trim
                && self.length <= max
            {
                break;
            }
            let (entries, _) = block.counts();
            if limit != 0 && removed + entries > limit {
                break;
            }
            let whole = match trim {
                Trim::MaxLen(max) => self.length - entries >= max,
                Trim::MinId(min) => block.last_id(master).is_none_or(|last| last < min),
            };
            if whole {
                self.blocks.remove(master);
                self.length -= entries;
                removed += entries;
                continue;
            }
            if approximate {
                break;
            }
            let length = self.length;
            let n = block.delete_until(master, |id, deleted| match trim {
                Trim::MaxLen(max) => length - deleted <= max,
                Trim::MinId(min) => id >= min,
            });
            self.length -= n;
            removed += n;
            break;
        }
        if self.length == 0 {
            self.first_id = Id::MIN;
        } else if removed > 0 {
            self.renew_first_id();
        }
        removed
    }

    /// Asks `goes` of each entry that trimming comes to, oldest first, as if those went of which it
    /// says so. Entries above `last` stay. O(entries that it comes to).
    ///
    /// If all go, it comes to those that `trim` removes. One that stays does not end it: as many go
    /// of those behind as it takes.
    pub(crate) fn trim_where(
        &self,
        trim: Trim,
        approximate: bool,
        limit: u64,
        last: Id,
        mut goes: impl FnMut(Id) -> bool,
    ) {
        let mut gone = 0;
        for (master, block) in self.blocks.iter() {
            let (entries, _) = block.counts();
            if limit != 0 && gone + entries > limit {
                return;
            }
            let whole = match trim {
                Trim::MaxLen(max) => self.length - gone - entries >= max,
                Trim::MinId(min) => block.last_id(*master).is_none_or(|last| last < min),
            };
            if approximate && !whole {
                return;
            }
            for raw in block.walk(*master).filter(|raw| !raw.is_deleted()) {
                let stays = match trim {
                    Trim::MaxLen(max) => self.length - gone <= max,
                    Trim::MinId(min) => raw.id >= min,
                };
                if stays || raw.id > last {
                    return;
                }
                gone += u64::from(goes(raw.id));
            }
        }
    }

    /// Whether something at `start` or behind it was deleted while entries before are there.
    pub(crate) fn has_gaps(&self, start: Id) -> bool {
        !self.is_empty()
            && self.max_deleted != Id::MIN
            && self.first_id <= self.max_deleted
            && start <= self.max_deleted
    }

    /// How many entries had been added when the one with this ID was, if that can be told.
    pub(crate) fn added_up_to(&self, id: Id) -> Option<i64> {
        let added = self.added as i64;
        if self.added == 0 {
            return Some(0);
        }
        if id == self.last_id || self.is_empty() && id < self.last_id {
            return Some(added);
        }
        if id > self.last_id {
            return None;
        }
        if self.max_deleted == Id::MIN || self.max_deleted < self.first_id {
            let before = added.wrapping_sub(self.length as i64);
            match id.cmp(&self.first_id) {
                std::cmp::Ordering::Less => return Some(before),
                std::cmp::Ordering::Equal => return Some(before.wrapping_add(1)),
                std::cmp::Ordering::Greater => {}
            }
        }
        None
    }

    /// The number of nodes that Redis's radix tree has for these blocks. O(1).
    pub(crate) fn radix_nodes(&self) -> usize {
        self.blocks.radix_nodes()
    }

    /// Panics unless the invariants hold. O(n).
    #[cfg(test)]
    pub(crate) fn check(&self) {
        let (mut length, mut last) = (0, None);
        self.blocks.check();
        for (master, block) in self.blocks.iter() {
            assert!(last.is_none_or(|last| last < *master));
            let (count, deleted) = block.counts();
            let mut seen = (0, 0);
            for raw in block.walk(*master) {
                assert!(last.is_none_or(|last| last < raw.id));
                last = Some(raw.id);
                if raw.is_deleted() { seen.1 += 1 } else { seen.0 += 1 }
            }
            assert_eq!(seen, (count, deleted));
            length += count;
            let again = Block::from_untrusted(block.to_bytes().into_owned(), *master);
            assert!(again.is_ok());
        }
        assert_eq!(length, self.length);
        assert!(last.is_none_or(|last| last <= self.last_id));
    }
}

/// Entries, oldest first.
#[derive(Clone, Debug)]
pub(crate) struct Range<'a> {
    blocks: btree_map::Range<'a, Id, Block>,
    walk: Option<Walk<'a>>,
    start: Id,
    end: Id,
}

impl<'a> Range<'a> {
    /// Gives `f` up to `most` entries, each decoded once, as long as `f` reads all of it. Returns
    /// how many it gave.
    pub(crate) fn visit(mut self, most: usize, mut f: impl FnMut(Id, &mut Pairs<'a>)) -> usize {
        let (start, end, mut n) = (self.start, self.end, 0);
        if let Some(walk) = &mut self.walk {
            n = walk.visit(start, end, most, &mut f);
        }
        while n < most {
            let Some((master, block)) = self.blocks.next().filter(|next| *next.0 <= end) else {
                break;
            };
            n += block.walk(*master).visit(start, end, most - n, &mut f);
        }
        n
    }
}

impl<'a> Iterator for Range<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            if let Some(walk) = &mut self.walk {
                let start = self.start;
                if let Some(raw) = walk.find(|raw| raw.id >= start && !raw.is_deleted()) {
                    if raw.id <= self.end {
                        return Some(walk.entry(&raw));
                    }
                    self.walk = None;
                    self.blocks = btree_map::Range::default();
                    return None;
                }
            }
            let (master, block) = self.blocks.next()?;
            if *master > self.end {
                self.walk = None;
                self.blocks = btree_map::Range::default();
                return None;
            }
            self.walk = Some(block.walk(*master));
        }
    }
}

/// Entries, newest first.
#[derive(Clone, Debug)]
pub(crate) struct RangeBack<'a> {
    blocks: btree_map::Range<'a, Id, Block>,
    walk: Option<Walk<'a>>,
    start: Id,
    end: Id,
}

impl<'a> Iterator for RangeBack<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            if let Some(walk) = &mut self.walk {
                while let Some(raw) = walk.next_back() {
                    if raw.id > self.end || raw.is_deleted() {
                        continue;
                    }
                    if raw.id >= self.start {
                        return Some(walk.entry(&raw));
                    }
                    self.walk = None;
                    self.blocks = btree_map::Range::default();
                    return None;
                }
            }
            let (master, block) = self.blocks.next_back()?;
            self.walk = Some(block.walk(*master));
        }
    }
}
