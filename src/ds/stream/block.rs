//! A block of a stream: entries in one listpack, in the form that snapshots hold.
//!
//! ```text
//!   head      count  deleted  fields  name ..  0
//!   entry     flags  ms  seq  [fields]  name value ..        elements
//!                                          or value ..
//! ```
//! `count` entries are there, `deleted` are marked as such and skipped. `ms` and `seq` are
//! differences from the block's ID. The names of the head are those of the first entry. An entry
//! with the same names has the flag `SAME` and holds values alone. `elements` says how many elements
//! the entry has before it, so that it can be read backwards.
//!
//! Invariants, checked in full by [`Block::from_untrusted`]: the listpack is sound; every entry is
//! whole; IDs ascend; `count` and `deleted` are right.

use super::id::Id;
use crate::ds::listpack::{
    Corrupt, Item, Listpack, Needle, backlen_len, decode, decode_backlen,
};

const DELETED: i64 = 1;
const SAME: i64 = 2;
const SOUND: &str = "a sound block";
/// A longer block is not taken from elsewhere.
const BYTES_MAX: usize = u32::MAX as usize - 64;

/// A block.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    lp: Listpack,
}

/// What stands before the entries.
#[derive(Clone, Copy, Debug)]
struct Head {
    count: i64,
    deleted: i64,
    fields: usize,
    /// Where the names begin.
    names: usize,
    /// Where the first entry begins.
    entries: usize,
}

/// An entry and where it lies, whether or not it is deleted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Raw {
    pub(super) id: Id,
    flags: i64,
    at: usize,
    fields: usize,
    /// Where its values (and names) begin, and where the next entry does.
    body: usize,
    end: usize,
}

impl Raw {
    pub(super) fn is_deleted(&self) -> bool {
        self.flags & DELETED != 0
    }
}

/// An entry of a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) id: Id,
    bytes: &'a [u8],
    fields: usize,
    /// Where the names are that it shares, if it does.
    names: Option<usize>,
    body: usize,
}

impl<'a> Entry<'a> {
    /// How many fields it has.
    pub(crate) fn len(&self) -> usize {
        self.fields
    }

    /// Its fields with their values.
    pub(crate) fn pairs(self) -> Pairs<'a> {
        let Entry { bytes, fields, names, body, .. } = self;
        Pairs { bytes, left: fields, names, at: body }
    }
}

/// The fields of an entry with their values.
#[derive(Clone, Debug)]
pub(crate) struct Pairs<'a> {
    bytes: &'a [u8],
    left: usize,
    names: Option<usize>,
    at: usize,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (Item<'a>, Item<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let name = match &mut self.names {
            Some(at) => {
                let (name, next) = read(self.bytes, *at);
                *at = next;
                name
            }
            None => {
                let (name, next) = read(self.bytes, self.at);
                self.at = next;
                name
            }
        };
        let (value, next) = read(self.bytes, self.at);
        self.at = next;
        Some((name, value))
    }
}

/// The element at `at`, and where the next one is.
#[inline]
fn read(b: &[u8], at: usize) -> (Item<'_>, usize) {
    let first = b[at];
    if first & 0xC0 == 0x80 {
        let end = at + 1 + usize::from(first & 0x3F);
        return (Item::Str(&b[at + 1..end]), end + 1);
    }
    let (item, len) = decode(&b[at..]).expect(SOUND);
    (item, at + len + backlen_len(len))
}

/// The integer at `at`, and where the next element is.
#[inline]
fn int(b: &[u8], at: usize) -> (i64, usize) {
    if b[at] < 0x80 {
        return (i64::from(b[at]), at + 2);
    }
    match read(b, at) {
        (Item::Int(int), next) => (int, next),
        (Item::Str(_), _) => panic!("{SOUND}: an integer"),
    }
}

/// Where the element is that stands `n` elements behind `at`.
#[inline]
fn skip(b: &[u8], mut at: usize, n: usize) -> usize {
    for _ in 0..n {
        at = read(b, at).1;
    }
    at
}

/// Where the element begins that ends at `at`.
#[inline]
fn before(b: &[u8], at: usize) -> usize {
    let (len, backlen) = decode_backlen(&b[..at]).expect(SOUND);
    at - backlen - len
}

impl Block {
    /// A block for an entry with these fields, which is to be added next.
    pub(super) fn new(args: &[&[u8]]) -> Block {
        let mut lp = Listpack::new();
        lp.push_back_int(0);
        lp.push_back_int(0);
        lp.push_back_int((args.len() / 2) as i64);
        args.iter().step_by(2).for_each(|name| lp.push_back(name));
        lp.push_back_int(0);
        Block { lp }
    }

    /// The stored form.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.lp.as_bytes()
    }

    pub(super) fn bytes_len(&self) -> usize {
        self.lp.bytes_len()
    }

    /// Allocated bytes.
    pub(super) fn mem_bytes(&self) -> usize {
        self.lp.capacity()
    }

    /// Gives back spare room: nothing more is added.
    pub(super) fn seal(&mut self) {
        self.lp.shrink();
    }

    fn bytes(&self) -> &[u8] {
        self.lp.entries()
    }

    /// Entries that are there, and entries that are deleted. O(1).
    pub(super) fn counts(&self) -> (u64, u64) {
        let (count, at) = int(self.bytes(), 0);
        (count as u64, int(self.bytes(), at).0 as u64)
    }

    fn head(&self) -> Head {
        let b = self.bytes();
        let (count, at) = int(b, 0);
        let (deleted, at) = int(b, at);
        let (fields, names) = int(b, at);
        let fields = fields as usize;
        let entries = skip(b, names, fields + 1);
        Head { count, deleted, fields, names, entries }
    }

    fn set_counts(&mut self, count: i64, deleted: i64) {
        let deleted_at = int(self.bytes(), 0).1;
        // From behind, since a longer number moves what follows.
        self.lp.replace_int(deleted_at, deleted);
        self.lp.replace_int(0, count);
    }

    /// Adds an entry behind all others: names and values. Amortised O(its length).
    pub(super) fn append(&mut self, master: Id, id: Id, args: &[&[u8]]) {
        let head = self.head();
        let n = args.len() / 2;
        let same = n == head.fields && self.has_names(&head, args);
        self.lp.replace_int(0, head.count + 1);
        let lp = &mut self.lp;
        lp.push_back_int(if same { SAME } else { 0 });
        lp.push_back_int(id.ms.wrapping_sub(master.ms) as i64);
        lp.push_back_int(id.seq.wrapping_sub(master.seq) as i64);
        if same {
            args.iter().skip(1).step_by(2).for_each(|value| lp.push_back(value));
            lp.push_back_int(3 + n as i64);
        } else {
            lp.push_back_int(n as i64);
            args.iter().for_each(|arg| lp.push_back(arg));
            lp.push_back_int(4 + 2 * n as i64);
        }
    }

    fn has_names(&self, head: &Head, args: &[&[u8]]) -> bool {
        let (b, mut at) = (self.bytes(), head.names);
        args.iter().step_by(2).all(|name| {
            let (item, next) = read(b, at);
            at = next;
            match item {
                Item::Str(text) => text == *name,
                int => Needle::new(name).is(int),
            }
        })
    }

    fn raw(b: &[u8], master: Id, shared: usize, at: usize) -> Raw {
        let (flags, next) = int(b, at);
        let (ms, next) = int(b, next);
        let (seq, mut body) = int(b, next);
        let mut fields = shared;
        let mut elements = fields;
        if flags & SAME == 0 {
            let (n, next) = int(b, body);
            (fields, body) = (n as usize, next);
            elements = 2 * fields;
        }
        let end = skip(b, body, elements + 1);
        Raw { id: master.plus(ms, seq), flags, at, fields, body, end }
    }

    /// Its entries, first to last or the other way round, deleted ones as well.
    pub(super) fn walk(&self, master: Id) -> Walk<'_> {
        let (bytes, head) = (self.bytes(), self.head());
        let Head { fields, names, entries, .. } = head;
        Walk { bytes, master, fields, names, front: entries, back: bytes.len() }
    }

    /// The ID of the last entry, deleted or not.
    pub(super) fn last_id(&self, master: Id) -> Option<Id> {
        self.walk(master).next_back().map(|raw| raw.id)
    }

    /// Marks the entry with this ID as deleted; whether it was there. O(entries).
    pub(super) fn delete(&mut self, master: Id, id: Id) -> bool {
        let found = self.walk(master).find(|raw| raw.id >= id);
        let Some(raw) = found.filter(|raw| raw.id == id && !raw.is_deleted()) else {
            return false;
        };
        self.lp.replace_int(raw.at, raw.flags | DELETED);
        let (count, deleted) = self.counts();
        self.set_counts(count as i64 - 1, deleted as i64 + 1);
        true
    }

    /// Marks entries as deleted, from the first on, until `stop` says so of one; returns how many
    /// were there. O(entries).
    pub(super) fn delete_until(
        &mut self,
        master: Id,
        mut stop: impl FnMut(Id, u64) -> bool,
    ) -> u64 {
        let head = self.head();
        let (mut at, mut deleted) = (head.entries, 0);
        while at < self.bytes().len() {
            let raw = Block::raw(self.bytes(), master, head.fields, at);
            if stop(raw.id, deleted) {
                break;
            }
            if !raw.is_deleted() {
                self.lp.replace_int(raw.at, raw.flags | DELETED);
                deleted += 1;
            }
            at = raw.end;
        }
        let n = deleted as i64;
        self.set_counts(head.count - n, head.deleted + n);
        deleted
    }

    /// Drops the entries above an ID, which are all deleted. O(entries).
    pub(super) fn drop_above(&mut self, master: Id, id: Id) {
        let mut walk = self.walk(master);
        let Some(first) = walk.find(|raw| raw.id > id) else { return };
        let dropped = 1 + walk.count() as i64;
        self.lp.truncate_at(first.at);
        let head = self.head();
        self.set_counts(head.count, head.deleted - dropped);
    }

    /// Adopts bytes from elsewhere after a full walk; returns the IDs of the first and the last
    /// entry too, if there are entries. O(n).
    pub(crate) fn from_untrusted(
        bytes: Vec<u8>,
        master: Id,
    ) -> Result<(Block, Option<(Id, Id)>), Corrupt> {
        // Counts may get longer by a few bytes.
        if bytes.len() > BYTES_MAX {
            return Err(Corrupt);
        }
        let mut lp = Listpack::from_untrusted(bytes)?;
        lp.shrink();
        let block = Block { lp };
        let ids = check(block.bytes(), master).ok_or(Corrupt)?;
        Ok((block, ids))
    }
}

/// The element at `at` of bytes that are a sound listpack's but may be no block; None at the end.
fn try_read(b: &[u8], at: usize) -> Option<(Item<'_>, usize)> {
    (at < b.len()).then(|| read(b, at))
}

fn try_int(b: &[u8], at: usize) -> Option<(i64, usize)> {
    match try_read(b, at)? {
        (Item::Int(int), next) => Some((int, next)),
        (Item::Str(_), _) => None,
    }
}

/// Passes over `n` elements, a number that a file claims.
fn try_skip(b: &[u8], mut at: usize, n: i64) -> Option<usize> {
    for _ in 0..n {
        at = try_read(b, at)?.1;
    }
    Some(at)
}

/// Walks the elements of a listpack; None unless they are a block.
#[expect(clippy::type_complexity, reason = "whether it is sound, and then whether it has entries")]
fn check(b: &[u8], master: Id) -> Option<Option<(Id, Id)>> {
    let (count, at) = try_int(b, 0)?;
    let (deleted, at) = try_int(b, at)?;
    let (names, at) = try_int(b, at)?;
    let (zero, mut at) = try_int(b, try_skip(b, at, names)?)?;
    if count < 0 || deleted < 0 || names < 0 || zero != 0 {
        return None;
    }
    let (mut seen, mut ids) = ((0, 0), None::<(Id, Id)>);
    while at < b.len() {
        let (flags, next) = try_int(b, at)?;
        let (ms, next) = try_int(b, next)?;
        let (seq, mut next) = try_int(b, next)?;
        let (mut fields, mut elements) = (names, 3);
        if flags & SAME == 0 {
            (fields, next) = try_int(b, next)?;
            elements += 1;
            if !(0..=b.len() as i64).contains(&fields) {
                return None;
            }
            fields *= 2;
        }
        let (back, next) = try_int(b, try_skip(b, next, fields)?)?;
        // Flags take one byte, so that to change them moves nothing.
        if back != elements + fields || flags & !(DELETED | SAME) != 0 || b[at] >= 0x80 {
            return None;
        }
        let id = master.plus(ms, seq);
        match &mut ids {
            None if id < master => return None,
            None => ids = Some((id, id)),
            Some((_, last)) if id <= *last => return None,
            Some((_, last)) => *last = id,
        }
        if flags & DELETED != 0 {
            seen.1 += 1;
        } else {
            seen.0 += 1;
        }
        at = next;
    }
    (seen == (count, deleted)).then_some(ids)
}

/// The entries of a block.
#[derive(Clone, Debug)]
pub(super) struct Walk<'a> {
    bytes: &'a [u8],
    master: Id,
    fields: usize,
    names: usize,
    /// What is left.
    front: usize,
    back: usize,
}

impl<'a> Walk<'a> {
    /// The entry, to read it.
    #[inline]
    pub(super) fn entry(&self, raw: &Raw) -> Entry<'a> {
        Entry {
            id: raw.id,
            bytes: self.bytes,
            fields: raw.fields,
            names: (raw.flags & SAME != 0).then_some(self.names),
            body: raw.body,
        }
    }

    /// The last entry of what is left.
    pub(super) fn next_back(&mut self) -> Option<Raw> {
        if self.back <= self.front {
            return None;
        }
        let mut at = before(self.bytes, self.back);
        let (elements, _) = int(self.bytes, at);
        for _ in 0..elements {
            at = before(self.bytes, at);
        }
        self.back = at;
        Some(Block::raw(self.bytes, self.master, self.fields, at))
    }
}

impl Iterator for Walk<'_> {
    type Item = Raw;

    #[inline]
    fn next(&mut self) -> Option<Raw> {
        if self.front >= self.back {
            return None;
        }
        let raw = Block::raw(self.bytes, self.master, self.fields, self.front);
        self.front = raw.end;
        Some(raw)
    }
}
