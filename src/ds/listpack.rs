//! Listpack: a sequence of strings and integers in one contiguous allocation.
//!
//! It is the small encoding of hashes, sets and sorted sets, the payload of quicklist nodes and
//! streams, and it is stored verbatim in RDB files: the byte layout below is a contract.
//!
//! ```text
//! +-------------+-------------+---------+-- ... --+---------+------+
//! | total: u32  | count: u16  | entry 0 |         | entry n | 0xFF |   integers little-endian
//! +-------------+-------------+---------+-- ... --+---------+------+
//!                              /         \
//!                   +----------+----------+---------+
//!                   | encoding | payload  | backlen |   backlen = len(encoding + payload)
//!                   +----------+----------+---------+
//!
//!   encoding byte(s)        payload
//!   0xxxxxxx                none: unsigned 7-bit integer
//!   10xxxxxx                string, up to 63 bytes
//!   110xxxxx xxxxxxxx       none: signed 13-bit integer
//!   1110xxxx xxxxxxxx       string, up to 4095 bytes
//!   0xF0 + u32              string, up to 4 GiB
//!   0xF1 .. 0xF4            signed 16, 24, 32, 64-bit integer
//! ```
//!
//! `backlen` is written so that it can be read from its last byte leftwards (seven bits a byte,
//! high bit set on every byte but the first), which is what makes `prev` possible. `count`
//! saturates at 65535, meaning "unknown: walk the list".
//!
//! Invariants, checked in full by [`Listpack::from_untrusted`]:
//!
//! - I1  `total` equals the length of the bytes, and the last byte is [`EOF`];
//! - I2  walking entries from [`HEADER`] by their encoded sizes lands exactly on [`EOF`];
//! - I3  every entry's backlen equals the size of its encoding and payload;
//! - I4  `count` is the number of entries, or [`COUNT_UNKNOWN`].
//!
//! All code here is safe: a position is an offset, never a pointer. Thresholds are the callers'.
//!
//! To read, a [`ListpackRef`] is enough: the entries alone, wherever they are kept. A [`Listpack`]
//! owns them, in the stored form, and can be edited.

use crate::util::num;
use crate::util::size_class;

const HEADER: usize = 6;
pub(super) const EOF: u8 = 0xFF;
pub(super) const COUNT_UNKNOWN: u16 = u16::MAX;
/// Bytes of a listpack without elements.
pub(crate) const EMPTY_BYTES: usize = HEADER + 1;
/// A listpack of more bytes is not made: callers split or convert before. One from elsewhere may
/// have up to 4 GiB.
const BYTES_MAX: usize = 1 << 30;
/// What an element takes beside its text, at most.
const OVERHEAD_MAX: usize = 5 + 5;

/// Whether a listpack of `bytes` (0: none yet) may take elements whose texts have `more` bytes in
/// all.
#[inline]
pub(crate) fn may_grow(bytes: usize, more: usize) -> bool {
    bytes.saturating_add(more) <= BYTES_MAX
}

/// Bytes of a listpack of `n` integers that lie between two.
pub(crate) fn bytes_of_ints(n: usize, min: i64, max: i64) -> usize {
    EMPTY_BYTES + n * with_backlen(int_bytes(min).max(int_bytes(max)))
}

/// A packed sequence of strings and integers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listpack {
    bytes: Vec<u8>,
}

/// The entries of a listpack, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct ListpackRef<'a> {
    entries: &'a [u8],
    /// As in the header.
    count: u16,
}

/// An element as it is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Item<'a> {
    Int(i64),
    Str(&'a [u8]),
}

/// Offset of an element's first byte from that of the first. Valid for the listpack that produced
/// it until its next edit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Pos(usize);

/// The bytes are not a listpack.
#[derive(PartialEq, Eq, Debug)]
pub struct Corrupt;

/// Room for the text of an integer element.
pub(crate) type Scratch = [u8; num::MAX_I64_CHARS];

impl<'a> Item<'a> {
    /// The element's text; integers are written into `scratch`.
    #[inline]
    pub fn bytes<'s>(self, scratch: &'s mut Scratch) -> &'s [u8]
    where
        'a: 's,
    {
        match self {
            Item::Str(bytes) => bytes,
            Item::Int(int) => {
                let len = num::format_i64(scratch, int);
                &scratch[..len]
            }
        }
    }

    /// The element's text, owned.
    pub fn to_vec(self) -> Vec<u8> {
        self.bytes(&mut Scratch::default()).to_vec()
    }

    /// Bytes of the element's text.
    pub fn text_len(self) -> usize {
        match self {
            Item::Str(bytes) => bytes.len(),
            Item::Int(int) => num::len_i64(int),
        }
    }

    /// The integer that the element is or spells canonically.
    #[inline]
    pub fn as_int(self) -> Option<i64> {
        match self {
            Item::Int(int) => Some(int),
            Item::Str(bytes) => num::parse_i64(bytes),
        }
    }
}

/// Something to look for: its text, and the integer that this spells.
#[derive(Clone, Copy, Debug)]
pub struct Needle<'a> {
    text: &'a [u8],
    int: Option<i64>,
}

impl<'a> Needle<'a> {
    pub fn new(text: &'a [u8]) -> Needle<'a> {
        Needle { text, int: num::parse_i64(text) }
    }

    /// Whether the element has this text.
    #[inline]
    pub fn is(&self, item: Item<'_>) -> bool {
        match item {
            Item::Str(bytes) => bytes == self.text,
            Item::Int(int) => self.int == Some(int),
        }
    }
}

impl Default for Listpack {
    fn default() -> Listpack {
        Listpack::new()
    }
}

impl Listpack {
    /// An empty one with some room: what is to stay is packed or shrunk by its owner.
    pub fn new() -> Listpack {
        Listpack::with_capacity(64)
    }

    /// An empty one with room for `bytes` in all.
    pub fn with_capacity(bytes: usize) -> Listpack {
        let mut buf = Vec::with_capacity(size_class::size_class(bytes.max(EMPTY_BYTES)));
        buf.extend_from_slice(&[EMPTY_BYTES as u8, 0, 0, 0, 0, 0, EOF]);
        Listpack { bytes: buf }
    }

    /// Adopts bytes from an RDB file or a RESTORE payload after a full walk (I1 to I4). O(n).
    pub fn from_untrusted(bytes: Vec<u8>) -> Result<Listpack, Corrupt> {
        let lp = Listpack { bytes };
        lp.validate()?;
        Ok(lp)
    }

    /// The stored form.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes of the stored form. O(1).
    #[inline]
    pub fn bytes_len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether the format has room for one more element with a text of so many bytes. O(1).
    pub fn has_room(&self, text: usize) -> bool {
        self.bytes.len().saturating_add(text).saturating_add(OVERHEAD_MAX) <= u32::MAX as usize
    }

    /// The entries between header and end marker.
    pub(super) fn entries(&self) -> &[u8] {
        &self.bytes[HEADER..self.bytes.len() - 1]
    }

    /// The entries, to read them.
    #[inline]
    pub fn view(&self) -> ListpackRef<'_> {
        ListpackRef { entries: self.entries(), count: self.count() }
    }

    /// Number of elements. O(1) below 65535, else O(n).
    #[inline]
    pub fn len(&self) -> usize {
        self.view().len()
    }

    /// Whether there are no elements. O(1).
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.len() == EMPTY_BYTES
    }

    /// The element at `pos`.
    #[inline]
    pub fn get(&self, pos: Pos) -> Item<'_> {
        self.view().get(pos)
    }

    /// The element with this index; negative ones count from the end.
    /// O(distance to the nearer end).
    pub fn at(&self, index: i64) -> Option<Pos> {
        self.view().at(index)
    }

    /// Elements from first to last.
    pub fn iter(&self) -> Iter<'_> {
        self.view().iter()
    }

    /// Bytes of the element at `at` in `bytes`, backlen included.
    #[inline]
    fn span(&self, at: usize) -> usize {
        span(&self.bytes[at..])
    }

    #[inline]
    fn element(&self, at: usize) -> Option<Pos> {
        (self.bytes[at] != EOF).then_some(Pos(at - HEADER))
    }

    /// Appends an element. Amortised O(its length).
    #[inline]
    pub fn push_back(&mut self, element: &[u8]) {
        match num::parse_i64(element) {
            Some(int) => self.push_back_int(int),
            None => {
                self.grow_by(with_backlen(str_head(element.len()) + element.len()));
                self.bytes.pop();
                let start = self.bytes.len();
                encode_str(&mut self.bytes, element);
                self.end_push(start);
            }
        }
    }

    /// Appends an integer. Amortised O(1).
    #[inline]
    pub fn push_back_int(&mut self, int: i64) {
        self.grow_by(with_backlen(int_bytes(int)));
        self.bytes.pop();
        let start = self.bytes.len();
        encode_int(&mut self.bytes, int);
        self.end_push(start);
    }

    #[inline]
    fn end_push(&mut self, start: usize) {
        let len = self.bytes.len() - start;
        encode_backlen(&mut self.bytes, len);
        self.bytes.push(EOF);
        self.set_header(1);
    }

    /// Room for `more` bytes at most; asks for a whole size class only when needed.
    #[inline]
    fn grow_by(&mut self, more: usize) {
        size_class::reserve(&mut self.bytes, more);
    }

    /// Puts an element before all others. O(n).
    pub fn push_front(&mut self, element: &[u8]) {
        self.splice_in(HEADER, element);
    }

    /// Inserts before `pos`; returns the position of the new element. O(n).
    pub fn insert_before(&mut self, pos: Pos, element: &[u8]) -> Pos {
        self.splice_in(HEADER + pos.0, element);
        pos
    }

    /// Inserts behind `pos`; returns the position of the new element. O(n).
    pub fn insert_after(&mut self, pos: Pos, element: &[u8]) -> Pos {
        let at = HEADER + pos.0;
        let at = at + self.span(at);
        self.splice_in(at, element);
        Pos(at - HEADER)
    }

    fn splice_in(&mut self, at: usize, element: &[u8]) {
        let added = encoded_bytes(element);
        self.grow_by(added);
        let old = self.bytes.len();
        self.bytes.resize(old + added, 0);
        self.bytes.copy_within(at..old, at + added);
        let mut out = Vec::new();
        encode(&mut out, element);
        self.bytes[at..at + added].copy_from_slice(&out);
        self.set_header(1);
    }

    /// Replaces the element at `pos`, which stays where it is. O(n), O(1) if the size stays.
    pub fn replace(&mut self, pos: Pos, element: &[u8]) {
        let at = HEADER + pos.0;
        let (old, mut new) = (self.span(at), Vec::new());
        encode(&mut new, element);
        if new.len() > old {
            self.grow_by(new.len() - old);
        }
        if new.len() == old {
            self.bytes[at..at + old].copy_from_slice(&new);
        } else {
            self.bytes.splice(at..at + old, new);
        }
        self.set_header(0);
    }

    /// Replaces the integer at this offset by another one. O(1) if both are small, or of one size.
    pub(super) fn replace_int(&mut self, at: usize, int: i64) {
        let byte = &mut self.bytes[HEADER + at];
        if *byte < 0x80 && (0..0x80).contains(&int) {
            *byte = int as u8;
            return;
        }
        let mut text = Scratch::default();
        let len = num::format_i64(&mut text, int);
        self.replace(Pos(at), &text[..len]);
    }

    /// Drops the elements from this offset on. O(n).
    pub(super) fn truncate_at(&mut self, at: usize) {
        self.split_off(Pos(at));
    }

    /// Bytes that it has room for, in all.
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Removes the element at `pos`; returns what is there now. O(n).
    pub fn remove(&mut self, pos: Pos) -> Option<Pos> {
        self.remove_from(pos, 1)
    }

    /// Removes up to `n` elements from `pos` on; returns what is there now. O(n).
    pub fn remove_from(&mut self, pos: Pos, n: usize) -> Option<Pos> {
        let (at, mut end, mut removed) = (HEADER + pos.0, HEADER + pos.0, 0);
        while removed < n && self.bytes[end] != EOF {
            end += self.span(end);
            removed += 1;
        }
        self.cut(at, end, removed);
        self.element(at)
    }

    fn cut(&mut self, from: usize, to: usize, removed: usize) {
        self.bytes.copy_within(to.., from);
        self.bytes.truncate(self.bytes.len() - (to - from));
        size_class::shrink(&mut self.bytes);
        self.set_header(-(removed as i64));
    }

    /// Moves the elements from `pos` on into a listpack of their own. O(n).
    pub fn split_off(&mut self, pos: Pos) -> Listpack {
        let at = HEADER + pos.0;
        let tail = Listpack::of_entries(&self.bytes[at..]);
        self.bytes.truncate(at);
        self.bytes.push(EOF);
        size_class::shrink(&mut self.bytes);
        // The elements are counted: the number may have been unknown.
        self.recount();
        tail
    }

    /// Entries with their end marker, headed.
    fn of_entries(entries: &[u8]) -> Listpack {
        let mut bytes = Vec::with_capacity(size_class::size_class(HEADER + entries.len()));
        bytes.extend_from_slice(&[0; HEADER]);
        bytes.extend_from_slice(entries);
        let mut lp = Listpack { bytes };
        lp.recount();
        lp
    }

    /// Appends all elements of `other`. O(its bytes).
    pub fn append(&mut self, other: &Listpack) {
        self.grow_by(other.bytes.len());
        self.bytes.pop();
        self.bytes.extend_from_slice(&other.bytes[HEADER..]);
        match (self.count(), other.count()) {
            (COUNT_UNKNOWN, _) | (_, COUNT_UNKNOWN) => self.recount(),
            (_, n) => self.set_header(i64::from(n)),
        }
    }

    /// Gives back spare room.
    pub fn shrink(&mut self) {
        size_class::shrink(&mut self.bytes);
    }

    #[inline]
    fn count(&self) -> u16 {
        u16::from_le_bytes([self.bytes[4], self.bytes[5]])
    }

    /// Writes the header after an edit that added so many elements.
    #[inline]
    fn set_header(&mut self, added: i64) {
        let total = u32::try_from(self.bytes.len()).expect("callers ask `may_grow`");
        self.bytes[..4].copy_from_slice(&total.to_le_bytes());
        let count = self.count();
        if added != 0 && count != COUNT_UNKNOWN {
            let count = (i64::from(count) + added).clamp(0, i64::from(COUNT_UNKNOWN)) as u16;
            self.bytes[4..HEADER].copy_from_slice(&count.to_le_bytes());
        }
    }

    fn recount(&mut self) {
        let n = self.view().positions().count();
        let count = u16::try_from(n).unwrap_or(COUNT_UNKNOWN);
        self.bytes[4..HEADER].copy_from_slice(&count.to_le_bytes());
        self.set_header(0);
    }

    /// Walks the whole list. O(n).
    pub fn validate(&self) -> Result<(), Corrupt> {
        count_sound(&self.bytes).map(drop)
    }
}

/// The number of elements of bytes that are a sound listpack (I1 to I4). O(n).
pub(crate) fn count_sound(b: &[u8]) -> Result<usize, Corrupt> {
    if b.len() < EMPTY_BYTES || b.last() != Some(&EOF) {
        return Err(Corrupt);
    }
    if u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize != b.len() {
        return Err(Corrupt);
    }
    let (mut at, mut seen) = (HEADER, 0_usize);
    let end = b.len() - 1;
    while at < end {
        let (_, len) = decode(&b[at..end]).ok_or(Corrupt)?;
        let span = len + backlen_len(len);
        if span > end - at {
            return Err(Corrupt);
        }
        let back = decode_backlen(&b[at + len..at + span]);
        if back != Some((len, span - len)) {
            return Err(Corrupt);
        }
        at += span;
        seen += 1;
    }
    let count = u16::from_le_bytes([b[4], b[5]]);
    let count_ok = count == COUNT_UNKNOWN || usize::from(count) == seen;
    if count_ok { Ok(seen) } else { Err(Corrupt) }
}

impl<'a> ListpackRef<'a> {
    /// Entries that were a sound listpack's, and their number (65535 or more: that).
    pub fn new(entries: &'a [u8], count: usize) -> ListpackRef<'a> {
        ListpackRef { entries, count: u16::try_from(count).unwrap_or(COUNT_UNKNOWN) }
    }

    /// The entries, without header and end marker.
    pub fn entries(self) -> &'a [u8] {
        self.entries
    }

    /// Bytes of the stored form. O(1).
    #[inline]
    pub fn bytes_len(self) -> usize {
        EMPTY_BYTES + self.entries.len()
    }

    /// The stored form. O(n).
    pub fn to_vec(self) -> Vec<u8> {
        self.to_owned(0).bytes
    }

    /// A listpack of its own with room for `more` bytes. O(n).
    #[inline]
    pub fn to_owned(self, more: usize) -> Listpack {
        let total = self.bytes_len();
        let mut bytes = Vec::with_capacity(size_class::size_class(total + more));
        let head = u32::try_from(total).expect("callers ask `may_grow`").to_le_bytes();
        bytes.extend_from_slice(&head);
        bytes.extend_from_slice(&self.count.to_le_bytes());
        bytes.extend_from_slice(self.entries);
        bytes.push(EOF);
        Listpack { bytes }
    }

    /// Number of elements. O(1) below 65535, else O(n).
    #[inline]
    pub fn len(self) -> usize {
        match self.count {
            COUNT_UNKNOWN => self.positions().count(),
            n => usize::from(n),
        }
    }

    /// Whether there are no elements. O(1).
    #[inline]
    pub fn is_empty(self) -> bool {
        self.entries.is_empty()
    }

    /// The first element.
    #[inline]
    pub fn first(self) -> Option<Pos> {
        self.element(0)
    }

    /// The last element. O(1).
    #[inline]
    pub fn last(self) -> Option<Pos> {
        self.prev(Pos(self.entries.len()))
    }

    /// The element behind `pos`. O(1).
    #[inline]
    pub fn next(self, pos: Pos) -> Option<Pos> {
        self.element(pos.0 + span(&self.entries[pos.0..]))
    }

    /// The element before `pos`. O(1).
    #[inline]
    pub fn prev(self, pos: Pos) -> Option<Pos> {
        if pos.0 == 0 {
            return None;
        }
        let (len, backlen_len) = decode_backlen(&self.entries[..pos.0]).expect("I3");
        Some(Pos(pos.0 - backlen_len - len))
    }

    #[inline]
    fn element(self, at: usize) -> Option<Pos> {
        (at < self.entries.len()).then_some(Pos(at))
    }

    /// The element at `pos`.
    #[inline]
    pub fn get(self, pos: Pos) -> Item<'a> {
        decode(&self.entries[pos.0..]).expect("I2: a Pos is an entry").0
    }

    /// The element with this index; negative ones count from the end.
    /// O(distance to the nearer end).
    pub fn at(self, index: i64) -> Option<Pos> {
        let forward = match self.count {
            COUNT_UNKNOWN => index,
            n => {
                let n = i64::from(n);
                let index = if index < 0 { index + n } else { index };
                if !(0..n).contains(&index) {
                    return None;
                }
                if index > n / 2 { index - n } else { index }
            }
        };
        if forward >= 0 {
            let mut pos = self.first()?;
            for _ in 0..forward {
                pos = self.next(pos)?;
            }
            Some(pos)
        } else {
            let mut pos = self.last()?;
            for _ in 1..forward.unsigned_abs() {
                pos = self.prev(pos)?;
            }
            Some(pos)
        }
    }

    /// Positions from first to last.
    pub fn positions(self) -> impl Iterator<Item = Pos> + 'a {
        std::iter::successors(self.first(), move |&pos| self.next(pos))
    }

    /// Elements from first to last.
    #[inline]
    pub fn iter(self) -> Iter<'a> {
        Iter { rest: self.entries }
    }

    /// Elements from `pos` on.
    #[inline]
    pub fn iter_from(self, pos: Pos) -> Iter<'a> {
        Iter { rest: &self.entries[pos.0..] }
    }

    /// Elements two by two: field and value, member and score. O(n) in all.
    pub fn pairs(self) -> impl Iterator<Item = (Item<'a>, Item<'a>)> {
        let mut items = self.iter();
        std::iter::from_fn(move || Some((items.next()?, items.next()?)))
    }

    /// The first element with the text of `needle`, at or behind `from`, comparing only every
    /// `step`-th element. O(n).
    #[inline]
    pub fn find(self, from: Option<Pos>, needle: &Needle<'_>, step: usize) -> Option<Pos> {
        let mut at = from?.0;
        while at < self.entries.len() {
            let rest = &self.entries[at..];
            let (item, len) = decode(rest).expect("I2");
            if needle.is(item) {
                return Some(Pos(at));
            }
            at += len + backlen_len(len);
            for _ in 1..step {
                if at == self.entries.len() {
                    return None;
                }
                at += span(&self.entries[at..]);
            }
        }
        None
    }
}

/// Bytes of the entry at the start of `b`, backlen included.
#[inline]
fn span(b: &[u8]) -> usize {
    let first = b[0];
    if first & 0xC0 == 0x80 {
        // A short string, as most elements are: its backlen takes one byte.
        return 2 + usize::from(first & 0x3F);
    }
    let (_, len) = decode(b).expect("I2: an entry is here");
    len + backlen_len(len)
}

/// Elements from first to last.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Iter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        let first = *self.rest.first()?;
        // Most elements are short strings: their length is in the first byte, and how long they are
        // in one at the end.
        if first & 0xC0 == 0x80 {
            let end = 1 + usize::from(first & 0x3F);
            let text = &self.rest[1..end];
            self.rest = &self.rest[end + 1..];
            return Some(Item::Str(text));
        }
        let (item, len) = decode(self.rest).expect("I2");
        self.rest = &self.rest[len + backlen_len(len)..];
        Some(item)
    }
}

/// Bytes that an element takes in a listpack.
pub(crate) fn encoded_bytes(element: &[u8]) -> usize {
    let len = match num::parse_i64(element) {
        Some(int) => int_bytes(int),
        None => str_head(element.len()) + element.len(),
    };
    len + backlen_len(len)
}

fn encode(out: &mut Vec<u8>, element: &[u8]) {
    let start = out.len();
    match num::parse_i64(element) {
        Some(int) => encode_int(out, int),
        None => encode_str(out, element),
    }
    let len = out.len() - start;
    encode_backlen(out, len);
}

/// Decodes the entry at the start of `b`: its value and the size of encoding plus payload.
#[inline]
pub(super) fn decode(b: &[u8]) -> Option<(Item<'_>, usize)> {
    let str_at = |head: usize, len: usize| Some((Item::Str(b.get(head..head + len)?), head + len));
    let int_of = |width: usize| {
        let mut le = [0; 8];
        le[8 - width..].copy_from_slice(b.get(1..1 + width)?);
        Some((Item::Int(i64::from_le_bytes(le) >> (64 - 8 * width)), 1 + width))
    };
    match *b.first()? {
        e @ 0x00..=0x7F => Some((Item::Int(i64::from(e)), 1)),
        e @ 0x80..=0xBF => str_at(1, usize::from(e & 0x3F)),
        e @ 0xC0..=0xDF => {
            let raw = i64::from(e & 0x1F) << 8 | i64::from(*b.get(1)?);
            Some((Item::Int(raw << 51 >> 51), 2))
        }
        e @ 0xE0..=0xEF => str_at(2, usize::from(e & 0x0F) << 8 | usize::from(*b.get(1)?)),
        0xF0 => str_at(5, u32::from_le_bytes(*b.get(1..)?.first_chunk()?) as usize),
        0xF1 => int_of(2),
        0xF2 => int_of(3),
        0xF3 => int_of(4),
        0xF4 => int_of(8),
        0xF5..=0xFF => None,
    }
}

/// The bits of the signed integer class that holds `n`, as (tag, bytes).
pub(super) fn int_class(n: i64) -> (u8, usize) {
    let fits = |bits: u32| n >= -(1 << (bits - 1)) && n < 1 << (bits - 1);
    match () {
        () if fits(16) => (0xF1, 2),
        () if fits(24) => (0xF2, 3),
        () if fits(32) => (0xF3, 4),
        () => (0xF4, 8),
    }
}

fn int_bytes(n: i64) -> usize {
    match n {
        0..=127 => 1,
        -4096..=4095 => 2,
        _ => 1 + int_class(n).1,
    }
}

pub(super) fn encode_int(out: &mut Vec<u8>, n: i64) {
    match n {
        0..=127 => out.push(n as u8),
        -4096..=4095 => out.extend_from_slice(&[0xC0 | (n >> 8) as u8 & 0x1F, n as u8]),
        _ => {
            let (tag, width) = int_class(n);
            out.push(tag);
            out.extend_from_slice(&n.to_le_bytes()[..width]);
        }
    }
}

pub(super) fn str_head(len: usize) -> usize {
    match len {
        0..=63 => 1,
        64..=4095 => 2,
        _ => 5,
    }
}

fn encode_str(out: &mut Vec<u8>, s: &[u8]) {
    match s.len() {
        n @ 0..=63 => out.push(0x80 | n as u8),
        n @ 64..=4095 => out.extend_from_slice(&[0xE0 | (n >> 8) as u8, n as u8]),
        n => {
            out.push(0xF0);
            out.extend_from_slice(&u32::try_from(n).expect("callers ask `may_grow`").to_le_bytes());
        }
    }
    out.extend_from_slice(s);
}

/// Bytes of an entry whose encoding and payload take `len`.
#[inline]
fn with_backlen(len: usize) -> usize {
    len + backlen_len(len)
}

#[inline]
pub(super) fn backlen_len(len: usize) -> usize {
    match len {
        0..=127 => 1,
        128..=16_382 => 2,
        16_383..=2_097_150 => 3,
        2_097_151..=268_435_454 => 4,
        _ => 5,
    }
}

#[inline]
pub(super) fn encode_backlen(out: &mut Vec<u8>, len: usize) {
    if len <= 127 {
        return out.push(len as u8);
    }
    for i in (0..backlen_len(len)).rev() {
        let first = i + 1 == backlen_len(len);
        out.push((len >> (7 * i)) as u8 & 0x7F | if first { 0 } else { 0x80 });
    }
}

/// Reads the backlen that ends `b`: `(encoding + payload, bytes of backlen)`.
#[inline]
pub(super) fn decode_backlen(b: &[u8]) -> Option<(usize, usize)> {
    let mut len = 0;
    for (i, &byte) in b.iter().rev().take(5).enumerate() {
        len |= usize::from(byte & 0x7F) << (7 * i);
        if byte & 0x80 == 0 {
            return Some((len, i + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests;
