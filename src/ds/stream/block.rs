//! A block of a stream: entries in one listpack, in the form that snapshots hold.
//!
//! ```text
//!   head      count  deleted  fields  name ..  0
//!   entry     flags  ms  seq  [fields]  name value ..        elements
//!                                          or value ..
//! ```
//! `count` entries are there, `deleted` are marked as such and skipped. `ms` and `seq` are
//! differences from the block's ID. The names of the head are those of the first entry. An entry
//! with the same names has the flag `SAME` and holds values alone. `elements` says how many
//! elements the entry has before it, so that it can be read backwards.
//!
//! Most entries are a few short elements, and half of a listpack would be what leads backwards. So
//! a block that is full is *sealed*: it keeps the elements without their backlens, and without
//! `elements`. Whoever reads a sealed block backwards looks once where its entries begin. A
//! snapshot gets the listpack, made anew.
//!
//! Invariants, checked in full by [`Block::from_untrusted`]: the listpack is sound; every entry is
//! whole; flags take one byte; IDs ascend; `count` and `deleted` are right.

use super::id::Id;
use crate::ds::listpack::{
    Corrupt, Item, Listpack, ListpackRef, Needle, backlen_len, decode, decode_backlen,
    encode_backlen, encode_int,
};
use crate::util::size_class::size_class;
use std::borrow::Cow;

const DELETED: i64 = 1;
const SAME: i64 = 2;
const SOUND: &str = "a sound block";
/// A longer block is not taken from elsewhere.
const BYTES_MAX: usize = u32::MAX as usize - 64;

/// A block.
#[derive(Clone, Debug)]
pub(crate) enum Block {
    Open(Listpack),
    Sealed(Box<[u8]>),
}

/// The elements of a block.
#[derive(Clone, Copy, Debug)]
struct Elements<'a> {
    bytes: &'a [u8],
    /// There are no backlens.
    sealed: bool,
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
    all: Elements<'a>,
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
        let Entry { all, fields, names, body, .. } = self;
        Pairs { all, left: fields, names, at: body }
    }
}

/// The fields of an entry with their values.
#[derive(Clone, Debug)]
pub(crate) struct Pairs<'a> {
    all: Elements<'a>,
    left: usize,
    names: Option<usize>,
    at: usize,
}

impl Pairs<'_> {
    /// How many are left.
    pub(crate) fn left(&self) -> usize {
        self.left
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (Item<'a>, Item<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let name = match &mut self.names {
            Some(at) => {
                let (name, next) = self.all.read(*at);
                *at = next;
                name
            }
            None => {
                let (name, next) = self.all.read(self.at);
                self.at = next;
                name
            }
        };
        let (value, next) = self.all.read(self.at);
        self.at = next;
        Some((name, value))
    }
}

impl<'a> Elements<'a> {
    /// The element at `at`, and where the next one is.
    #[inline]
    fn read(self, at: usize) -> (Item<'a>, usize) {
        let b = self.bytes;
        let first = b[at];
        if first < 0x80 {
            return (Item::Int(i64::from(first)), at + 1 + usize::from(!self.sealed));
        }
        if first & 0xC0 == 0x80 {
            let end = at + 1 + usize::from(first & 0x3F);
            return (Item::Str(&b[at + 1..end]), end + usize::from(!self.sealed));
        }
        let (item, len) = decode(&b[at..]).expect(SOUND);
        (item, at + len + self.backlen(len))
    }

    /// Bytes behind an element of `len` bytes that lead back to it.
    #[inline]
    fn backlen(self, len: usize) -> usize {
        if self.sealed { 0 } else { backlen_len(len) }
    }

    /// The integer at `at`, and where the next element is.
    #[inline]
    fn int(self, at: usize) -> (i64, usize) {
        match self.read(at) {
            (Item::Int(int), next) => (int, next),
            (Item::Str(_), _) => panic!("{SOUND}: an integer"),
        }
    }

    /// Where the element is that stands `n` elements behind `at`.
    #[inline]
    fn skip(self, mut at: usize, n: usize) -> usize {
        for _ in 0..n {
            at = self.read(at).1;
        }
        at
    }

    /// How many elements the entry at `at` has of a block of `shared` names; the one that says so
    /// in a listpack is not counted.
    #[inline]
    fn elements(self, shared: usize, at: usize) -> usize {
        let raw = self.begin(Id::MIN, shared, at);
        if raw.flags & SAME == 0 { 4 + 2 * raw.fields } else { 3 + raw.fields }
    }

    /// Copies `n` elements from `at` on, each with the backlen of a listpack if `BACK`. Returns
    /// where the next element is. O(their bytes).
    #[inline]
    fn copy<const BACK: bool>(self, mut at: usize, n: usize, out: &mut Vec<u8>) -> usize {
        for _ in 0..n {
            let rest = &self.bytes[at..];
            let len = match rest[0] {
                0..0x80 => 1,
                first @ 0x80..0xC0 => 1 + usize::from(first & 0x3F),
                _ => decode(rest).expect(SOUND).1,
            };
            // Most are short, and sixteen bytes at once are copied without a call.
            match rest.first_chunk::<16>() {
                Some(chunk) if len < 16 => {
                    let mut chunk = *chunk;
                    if BACK {
                        chunk[len] = len as u8;
                    }
                    out.extend_from_slice(&chunk);
                    out.truncate(out.len() - 16 + len + usize::from(BACK));
                }
                _ => {
                    out.extend_from_slice(&rest[..len]);
                    if BACK {
                        encode_backlen(out, len);
                    }
                }
            }
            at += len + self.backlen(len);
        }
        at
    }

    /// Entries that are there, entries that are deleted, and what follows these numbers.
    fn counts(self) -> (i64, i64, usize) {
        let (count, at) = self.int(0);
        let (deleted, at) = self.int(at);
        (count, deleted, at)
    }

    fn head(self) -> Head {
        let (count, deleted, at) = self.counts();
        let (fields, names) = self.int(at);
        let fields = fields as usize;
        let entries = self.skip(names, fields + 1);
        Head { count, deleted, fields, names, entries }
    }

    /// The entry at `at` of a block of `shared` names.
    #[inline]
    fn raw(self, master: Id, shared: usize, at: usize) -> Raw {
        let raw = self.begin(master, shared, at);
        Raw { end: self.end(&raw), ..raw }
    }

    /// The same without a look at what the entry holds: its end is not known, and left 0.
    #[inline]
    fn begin(self, master: Id, shared: usize, at: usize) -> Raw {
        let (flags, next) = self.int(at);
        let (ms, next) = self.int(next);
        let (seq, mut body) = self.int(next);
        let mut fields = shared;
        if flags & SAME == 0 {
            let (n, next) = self.int(body);
            (fields, body) = (n as usize, next);
        }
        Raw { id: master.plus(ms, seq), flags, at, fields, body, end: 0 }
    }

    /// Where an entry ends of which only the beginning was looked at.
    #[inline]
    fn end(self, raw: &Raw) -> usize {
        let elements = if raw.flags & SAME == 0 { 2 * raw.fields } else { raw.fields };
        self.after(self.skip(raw.body, elements))
    }

    /// Where the next entry begins when the values of one end at `at`.
    #[inline]
    fn after(self, at: usize) -> usize {
        self.skip(at, usize::from(!self.sealed))
    }
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
        Block::Open(lp)
    }

    #[inline]
    fn all(&self) -> Elements<'_> {
        match self {
            Block::Open(lp) => Elements { bytes: lp.entries(), sealed: false },
            Block::Sealed(bytes) => Elements { bytes, sealed: true },
        }
    }

    /// The stored form. O(n) if it is sealed.
    pub(crate) fn to_bytes(&self) -> Cow<'_, [u8]> {
        match self {
            Block::Open(lp) => lp.as_bytes().into(),
            Block::Sealed(_) => self.opened().as_bytes().to_vec().into(),
        }
    }

    /// Allocated bytes.
    pub(super) fn mem_bytes(&self) -> usize {
        match self {
            Block::Open(lp) => lp.capacity(),
            Block::Sealed(bytes) => size_class(bytes.len()),
        }
    }

    /// Nothing more is added. O(n).
    pub(super) fn seal(&mut self) {
        let Block::Open(_) = self else { return };
        let (all, head) = (self.all(), self.all().head());
        let mut out = Vec::with_capacity(all.bytes.len());
        let mut at = all.copy::<false>(0, 3 + head.fields + 1, &mut out);
        while at < all.bytes.len() {
            let elements = all.elements(head.fields, at);
            at = all.after(all.copy::<false>(at, elements, &mut out));
        }
        *self = Block::Sealed(out.into_boxed_slice());
    }

    /// The listpack. O(n) if it is sealed.
    fn opened(&self) -> Cow<'_, Listpack> {
        let all = match self {
            Block::Open(lp) => return Cow::Borrowed(lp),
            Block::Sealed(_) => self.all(),
        };
        let (mut out, head) = (Vec::with_capacity(2 * all.bytes.len()), all.head());
        let mut total = 3 + head.fields + 1;
        let mut at = all.copy::<true>(0, total, &mut out);
        while at < all.bytes.len() {
            let elements = all.elements(head.fields, at);
            at = all.copy::<true>(at, elements, &mut out);
            let start = out.len();
            encode_int(&mut out, elements as i64);
            let len = out.len() - start;
            encode_backlen(&mut out, len);
            total += elements + 1;
        }
        Cow::Owned(ListpackRef::new(&out, total).to_owned(0))
    }

    /// The listpack, to change it. O(n) if it is sealed.
    fn open(&mut self) -> &mut Listpack {
        if let Block::Sealed(_) = self {
            *self = Block::Open(self.opened().into_owned());
        }
        match self {
            Block::Open(lp) => lp,
            Block::Sealed(_) => unreachable!("it was opened"),
        }
    }

    /// Bytes of the listpack. O(n) if it is sealed, which it is not from then on.
    pub(super) fn open_bytes(&mut self) -> usize {
        self.open().bytes_len()
    }

    /// Entries that are there, and entries that are deleted. O(1).
    pub(super) fn counts(&self) -> (u64, u64) {
        let (count, deleted, _) = self.all().counts();
        (count as u64, deleted as u64)
    }

    fn set_counts(&mut self, count: i64, deleted: i64) {
        match self {
            Block::Open(lp) => {
                let all = Elements { bytes: lp.entries(), sealed: false };
                let deleted_at = all.int(0).1;
                // From behind, since a longer number moves what follows.
                lp.replace_int(deleted_at, deleted);
                lp.replace_int(0, count);
            }
            Block::Sealed(bytes) => {
                let (_, _, end) = Elements { bytes, sealed: true }.counts();
                let mut new = Vec::with_capacity(10);
                encode_int(&mut new, count);
                encode_int(&mut new, deleted);
                if new.len() == end {
                    bytes[..end].copy_from_slice(&new);
                } else {
                    *bytes = [&new, &bytes[end..]].concat().into_boxed_slice();
                }
            }
        }
    }

    /// Marks an entry as deleted. Flags take one byte, so nothing moves.
    fn mark(&mut self, raw: &Raw) {
        let flags = raw.flags | DELETED;
        match self {
            Block::Open(lp) => lp.replace_int(raw.at, flags),
            Block::Sealed(bytes) => bytes[raw.at] = flags as u8,
        }
    }

    /// Adds an entry behind all others: names and values. Amortised O(its length).
    pub(super) fn append(&mut self, master: Id, id: Id, args: &[&[u8]]) {
        let lp = self.open();
        let all = Elements { bytes: lp.entries(), sealed: false };
        let head = all.head();
        let n = args.len() / 2;
        let same = n == head.fields && has_names(all, &head, args);
        lp.replace_int(0, head.count + 1);
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

    /// Its entries, first to last or the other way round, deleted ones as well.
    pub(super) fn walk(&self, master: Id) -> Walk<'_> {
        let all = self.all();
        let Head { fields, names, entries, .. } = all.head();
        Walk { all, master, fields, names, front: entries, back: all.bytes.len(), starts: None }
    }

    /// The ID of the last entry, deleted or not.
    pub(super) fn last_id(&self, master: Id) -> Option<Id> {
        match self {
            Block::Open(_) => self.walk(master).next_back().map(|raw| raw.id),
            Block::Sealed(_) => self.walk(master).last().map(|raw| raw.id),
        }
    }

    /// Marks the entry with this ID as deleted; whether it was there. O(entries).
    pub(super) fn delete(&mut self, master: Id, id: Id) -> bool {
        let found = self.walk(master).find(|raw| raw.id >= id);
        let Some(raw) = found.filter(|raw| raw.id == id && !raw.is_deleted()) else {
            return false;
        };
        self.mark(&raw);
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
        let head = self.all().head();
        let (mut at, mut deleted) = (head.entries, 0);
        while at < self.all().bytes.len() {
            let raw = self.all().raw(master, head.fields, at);
            if stop(raw.id, deleted) {
                break;
            }
            if !raw.is_deleted() {
                self.mark(&raw);
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
        self.open();
        let mut walk = self.walk(master);
        let Some(first) = walk.find(|raw| raw.id > id) else { return };
        let dropped = 1 + walk.count() as i64;
        self.open().truncate_at(first.at);
        let head = self.all().head();
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
        let ids = check(Elements { bytes: lp.entries(), sealed: false }, master).ok_or(Corrupt)?;
        Ok((Block::Open(lp), ids))
    }
}

fn has_names(all: Elements<'_>, head: &Head, args: &[&[u8]]) -> bool {
    let mut at = head.names;
    args.iter().step_by(2).all(|name| {
        let (item, next) = all.read(at);
        at = next;
        match item {
            Item::Str(text) => text == *name,
            int => Needle::new(name).is(int),
        }
    })
}

/// The element at `at` of bytes that are a sound listpack's but may be no block; None at the end.
fn try_read(b: Elements<'_>, at: usize) -> Option<(Item<'_>, usize)> {
    (at < b.bytes.len()).then(|| b.read(at))
}

fn try_int(b: Elements<'_>, at: usize) -> Option<(i64, usize)> {
    match try_read(b, at)? {
        (Item::Int(int), next) => Some((int, next)),
        (Item::Str(_), _) => None,
    }
}

/// Passes over `n` elements, a number that a file claims.
fn try_skip(b: Elements<'_>, mut at: usize, n: i64) -> Option<usize> {
    for _ in 0..n {
        at = try_read(b, at)?.1;
    }
    Some(at)
}

/// Walks the elements of a listpack; None unless they are a block.
fn check(b: Elements<'_>, master: Id) -> Option<Option<(Id, Id)>> {
    let (count, at) = try_int(b, 0)?;
    let (deleted, at) = try_int(b, at)?;
    let (names, at) = try_int(b, at)?;
    let (zero, mut at) = try_int(b, try_skip(b, at, names)?)?;
    if count < 0 || deleted < 0 || names < 0 || zero != 0 {
        return None;
    }
    let (mut seen, mut ids) = ((0, 0), None::<(Id, Id)>);
    while at < b.bytes.len() {
        let (flags, next) = try_int(b, at)?;
        let (ms, next) = try_int(b, next)?;
        let (seq, mut next) = try_int(b, next)?;
        let (mut fields, mut elements) = (names, 3);
        if flags & SAME == 0 {
            (fields, next) = try_int(b, next)?;
            elements += 1;
            if !(0..=b.bytes.len() as i64).contains(&fields) {
                return None;
            }
            fields *= 2;
        }
        let (back, next) = try_int(b, try_skip(b, next, fields)?)?;
        // Flags take one byte, so that to change them moves nothing.
        if back != elements + fields || flags & !(DELETED | SAME) != 0 || b.bytes[at] >= 0x80 {
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
    all: Elements<'a>,
    master: Id,
    fields: usize,
    names: usize,
    /// What is left.
    front: usize,
    back: usize,
    /// Where the entries of a sealed block begin that are left, once somebody goes backwards.
    starts: Option<Vec<usize>>,
}

impl<'a> Walk<'a> {
    /// The entry, to read it.
    #[inline]
    pub(super) fn entry(&self, raw: &Raw) -> Entry<'a> {
        Entry {
            id: raw.id,
            all: self.all,
            fields: raw.fields,
            names: (raw.flags & SAME != 0).then_some(self.names),
            body: raw.body,
        }
    }

    /// Gives `f` the entries that are there from `start` to `end`, at most `most` of them. What `f`
    /// reads of an entry is not decoded a second time to find the next. Returns how many it gave.
    pub(super) fn visit(
        &mut self,
        start: Id,
        end: Id,
        most: usize,
        f: &mut impl FnMut(Id, &mut Pairs<'a>),
    ) -> usize {
        let (all, mut n) = (self.all, 0);
        while n < most && self.front < self.back {
            let raw = all.begin(self.master, self.fields, self.front);
            if raw.id > end {
                break;
            }
            if raw.id < start || raw.is_deleted() {
                self.front = all.end(&raw);
                continue;
            }
            let mut pairs = self.entry(&raw).pairs();
            f(raw.id, &mut pairs);
            pairs.by_ref().for_each(drop);
            self.front = all.after(pairs.at);
            n += 1;
        }
        n
    }

    /// The last entry of what is left.
    pub(super) fn next_back(&mut self) -> Option<Raw> {
        if self.back <= self.front {
            return None;
        }
        self.back = if self.all.sealed { self.last_start()? } else { self.start_before() };
        Some(self.all.raw(self.master, self.fields, self.back))
    }

    /// Where the last entry begins that is left.
    fn start_before(&self) -> usize {
        let b = self.all.bytes;
        let mut at = before(b, self.back);
        let (elements, _) = self.all.int(at);
        for _ in 0..elements {
            at = before(b, at);
        }
        at
    }

    fn last_start(&mut self) -> Option<usize> {
        if self.starts.is_none() {
            self.starts = Some(self.clone().map(|raw| raw.at).collect());
        }
        self.starts.as_mut()?.pop()
    }
}

impl Iterator for Walk<'_> {
    type Item = Raw;

    #[inline]
    fn next(&mut self) -> Option<Raw> {
        if self.front >= self.back {
            return None;
        }
        let raw = self.all.raw(self.master, self.fields, self.front);
        self.front = raw.end;
        Some(raw)
    }
}
