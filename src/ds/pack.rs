//! Pack: a row of strings and integers in one allocation, cheap to extend and shorten at both ends.
//!
//! It holds what a listpack holds, element by element in the same form, and turns into the bytes of
//! a listpack for snapshots. Two things differ in memory. There may be room before the first
//! element, so that pushing and popping at the front moves nothing. And while all elements have the
//! same size, only the elements are kept.
//!
//! ```text
//! +------------+------------+-------------+-- ... --+-----------+-- ... --+-----------+
//! | start: u32 | count: u32 | stride: u32 |  room   | element 0 |         | element n |  (spare)
//! +------------+------------+-------------+-- ... --+-----------+-- ... --+-----------+
//!                                                   ^ start
//!   stride > 0   every element is its encoding and payload, `stride` bytes each, so the i-th
//!                is found at once
//!   stride = 0   every element is followed by its backlen, as in a listpack: see there for both
//! ```
//!
//! A row of equal sizes becomes one with backlens when an element of another size comes in, and
//! never turns back. Lists of ids, dates or records stay in the first form; others leave it within
//! a few elements.
//!
//! Invariants: `HEADER <= start <= buf.len()`; `buf[start..]` are exactly `count` elements in the
//! form that `stride` says; as a listpack they have less than 4 GiB. Positions are offsets from
//! `start`, so they survive moves of the whole row.

mod element;

pub(crate) use element::Element;
use element::write_backlen;

use super::listpack::{
    COUNT_UNKNOWN, EMPTY_BYTES, EOF, Item, Listpack, Needle, backlen_len, decode, decode_backlen,
};
use crate::util::size_class::size_class;
use std::cmp::Ordering;

/// Bytes before the room at the front.
pub(crate) const HEADER: usize = 12;
/// Below so many spare bytes the row gets a larger allocation instead of being moved within the one
/// it has.
const MOVE_FOR: usize = 8;

/// One end of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    Front,
    Back,
}

/// The row. An empty one owns its header only.
#[derive(Clone)]
pub struct Pack {
    buf: Vec<u8>,
}

impl Pack {
    /// An empty row with room for `bytes` of elements.
    pub fn with_room(bytes: usize) -> Pack {
        let mut buf = Vec::with_capacity(size_class(HEADER + bytes));
        buf.extend_from_slice(&[HEADER as u8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        Pack { buf }
    }

    #[inline]
    fn word(&self, at: usize) -> usize {
        let word = self.buf[at..at + 4].first_chunk().expect("four bytes");
        u32::from_le_bytes(*word) as usize
    }

    /// Start, count and stride.
    #[inline]
    fn header(&self) -> [usize; 3] {
        let header: &[u8; HEADER] = self.buf.first_chunk().expect("a header");
        let word =
            |at| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        [word(0), word(4), word(8)].map(|word| word as usize)
    }

    #[inline]
    fn set_word(&mut self, at: usize, value: usize) {
        let value = u32::try_from(value).expect("a row is below 4 GiB");
        self.buf[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }

    #[inline]
    fn start(&self) -> usize {
        self.word(0)
    }

    #[inline]
    fn stride(&self) -> usize {
        self.word(8)
    }

    /// Number of elements. O(1).
    #[inline]
    pub fn len(&self) -> usize {
        self.word(4)
    }

    /// Whether there are none. O(1).
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    fn set_len(&mut self, len: usize) {
        self.set_word(4, len);
    }

    /// Bytes of the elements. O(1).
    #[inline]
    fn used(&self) -> usize {
        self.buf.len() - self.start()
    }

    /// The elements' bytes.
    #[inline]
    fn entries(&self) -> &[u8] {
        &self.buf[self.start()..]
    }

    /// Bytes that a listpack of these elements has. O(1).
    #[inline]
    pub fn listpack_bytes(&self) -> usize {
        match self.stride() {
            0 => EMPTY_BYTES + self.used(),
            stride => EMPTY_BYTES + self.len() * (stride + backlen_len(stride)),
        }
    }

    /// Bytes of header and elements, and of one more element; those of a listpack if it is of
    /// another size than those that are here. O(1).
    ///
    /// The overhead of an element is estimated in the second case, as Redis does it.
    #[inline]
    pub fn bytes_with(&self, element: &Element<'_>) -> usize {
        match self.stride() {
            stride if stride == element.size() => self.used() + HEADER + stride,
            _ => self.listpack_bytes() + element.text_len + 8,
        }
    }

    /// Whether one more element may come in at all: a listpack of the row has less than 4 GiB.
    /// O(1).
    pub fn has_room(&self, element: &Element<'_>) -> bool {
        self.listpack_bytes() + element.size() + backlen_len(element.size()) <= u32::MAX as usize
    }

    /// Bytes of header and elements together with those of `other`; those of a listpack if sizes
    /// differ. O(1).
    pub fn bytes_with_all(&self, other: &Pack) -> usize {
        match self.stride() {
            stride if stride > 0 && stride == other.stride() => HEADER + self.used() + other.used(),
            _ => self.listpack_bytes() + other.listpack_bytes() - EMPTY_BYTES,
        }
    }

    /// How many elements of `other` could follow without bringing other sizes in or making this one
    /// larger than `max` bytes. O(1).
    pub fn fit_more(&self, other: &Pack, max: usize) -> usize {
        match self.stride() {
            stride if stride > 0 && stride == other.stride() => {
                max.saturating_sub(HEADER + self.used()) / stride
            }
            _ => 0,
        }
    }

    /// Allocated bytes. O(1).
    pub fn mem_bytes(&self) -> usize {
        size_class(self.buf.capacity())
    }

    /// Bytes of the element at the start of `rest`, backlen included.
    #[inline]
    fn span(&self, at: usize) -> usize {
        match self.stride() {
            0 => {
                let (_, len) = decode(&self.entries()[at..]).expect("an element is here");
                len + backlen_len(len)
            }
            stride => stride,
        }
    }

    /// Where the last element before `end` begins; `end` is not 0.
    #[inline]
    fn before(&self, end: usize) -> usize {
        match self.stride() {
            0 => {
                let (len, width) = decode_backlen(&self.entries()[..end]).expect("a backlen");
                end - width - len
            }
            stride => end - stride,
        }
    }

    #[inline]
    fn at(&self, at: usize) -> Item<'_> {
        decode(&self.entries()[at..]).expect("an element is here").0
    }

    /// Where the element with this index begins; the end for `len()`. O(1) or
    /// O(distance to the nearer end).
    fn offset(&self, index: usize) -> usize {
        let (len, stride) = (self.len(), self.stride());
        assert!(index <= len);
        if stride > 0 {
            return index * stride;
        }
        if index <= len / 2 {
            return (0..index).fold(0, |at, _| at + self.span(at));
        }
        (index..len).fold(self.used(), |end, _| self.before(end))
    }

    /// The element at one end, unless there is none. O(1).
    #[inline]
    pub fn end(&self, end: End) -> Option<Item<'_>> {
        match end {
            _ if self.is_empty() => None,
            End::Front => Some(self.at(0)),
            End::Back => Some(self.at(self.before(self.used()))),
        }
    }

    /// Elements from `index` on.
    #[inline]
    pub fn iter_from(&self, index: usize) -> Iter<'_> {
        Iter { rest: &self.entries()[self.offset(index)..], backlens: self.stride() == 0 }
    }

    /// Elements from first to last.
    pub fn iter(&self) -> Iter<'_> {
        self.iter_from(0)
    }

    /// Elements from the one before `index` back to the first.
    pub fn iter_back_from(&self, index: usize) -> impl Iterator<Item = Item<'_>> {
        let mut end = self.offset(index);
        std::iter::from_fn(move || {
            if end == 0 {
                return None;
            }
            end = self.before(end);
            Some(self.at(end))
        })
    }

    /// Shows the elements to `f` from `index` (or the last) on, away from the end `from`; false if
    /// `f` said so.
    #[inline]
    pub fn walk(&self, index: usize, from: End, f: &mut impl FnMut(Item<'_>) -> bool) -> bool {
        match (from, self.stride()) {
            // Elements of one size need no looking for their ends.
            (End::Front, stride @ 1..) => {
                for element in self.entries()[self.offset(index)..].chunks_exact(stride) {
                    let item = match element {
                        [head, text @ ..] if head & 0xC0 == 0x80 => Item::Str(text),
                        _ => decode(element).expect("an element is here").0,
                    };
                    if !f(item) {
                        return false;
                    }
                }
            }
            (End::Front, 0) => {
                for item in self.iter_from(index) {
                    if !f(item) {
                        return false;
                    }
                }
            }
            (End::Back, _) => {
                for item in self.iter_back_from(index.saturating_add(1).min(self.len())) {
                    if !f(item) {
                        return false;
                    }
                }
            }
        }
        true
    }

    /// Adds an element at one end. Amortised O(its length).
    #[inline]
    pub fn push(&mut self, end: End, element: &Element<'_>) {
        let [start, count, stride] = self.header();
        if stride == element.size() && end == End::Front && start - HEADER >= stride {
            // Lists of equal elements mostly do this.
            element.write(&mut self.buf[start - stride..start]);
            let words = (start - stride) as u64 | (count as u64 + 1) << 32;
            *self.buf.first_chunk_mut().expect("a header") = words.to_le_bytes();
            return;
        }
        self.push_any(end, element);
    }

    fn push_any(&mut self, end: End, element: &Element<'_>) {
        let backlen = self.admit(element);
        let size = element.size();
        match end {
            End::Back => {
                if self.buf.capacity() - self.buf.len() < size + backlen {
                    self.make_room(size + backlen, End::Back);
                }
                element.append_to(&mut self.buf);
                match backlen {
                    0 => {}
                    1 => self.buf.push(size as u8),
                    width => {
                        let at = self.buf.len();
                        self.buf.resize(at + width, 0);
                        write_backlen(&mut self.buf[at..], size);
                    }
                }
            }
            End::Front => {
                if self.start() - HEADER < size + backlen {
                    self.make_room(size + backlen, End::Front);
                }
                let at = self.start() - size - backlen;
                element.write(&mut self.buf[at..at + size + backlen]);
                self.set_word(0, at);
            }
        }
        self.set_len(self.len() + 1);
    }

    /// Prepares the form of the row for an element; returns how long its backlen must be.
    #[inline]
    fn admit(&mut self, element: &Element<'_>) -> usize {
        let size = element.size();
        match self.stride() {
            stride if stride == size => 0,
            0 if !self.is_empty() => backlen_len(size),
            _ => self.admit_uneven(size),
        }
    }

    #[cold]
    fn admit_uneven(&mut self, size: usize) -> usize {
        if self.is_empty() {
            self.set_word(8, size);
            return 0;
        }
        self.add_backlens();
        backlen_len(size)
    }

    /// Changes the row to the form for elements of different sizes. O(n).
    fn add_backlens(&mut self) {
        let stride = self.stride();
        if stride == 0 {
            return;
        }
        let mut row = Pack::with_room(self.len() * (stride + backlen_len(stride)) + stride);
        write_entries(&mut row.buf, self.entries(), stride);
        row.set_len(self.len());
        *self = row;
    }

    /// Takes the element at one end away, unless there is none. O(1), amortised.
    #[inline]
    pub fn pop(&mut self, end: End) {
        let len = self.len();
        if len == 0 {
            return;
        }
        match end {
            End::Front => self.set_word(0, self.start() + self.span(0)),
            End::Back => {
                let end = self.start() + self.before(self.used());
                self.buf.truncate(end);
            }
        }
        self.set_len(len - 1);
        self.shrink_if_loose();
    }

    /// Makes room for `more` bytes at one end, by moving the row or by giving it a larger
    /// allocation.
    #[cold]
    fn make_room(&mut self, more: usize, end: End) {
        let (start, used, capacity) = (self.start(), self.used(), self.buf.capacity());
        let spare = capacity - HEADER - used;
        if spare >= 2 * more && spare >= used / MOVE_FOR {
            // Half of the room is put at either end, so that a list that is pushed at both ends is
            // not moved each time.
            let to = match end {
                End::Front => HEADER + spare - spare / 2,
                End::Back => HEADER + spare / 2,
            };
            let to = to.min(capacity - used);
            if to > start {
                self.buf.resize(to + used, 0);
                self.buf.copy_within(start..start + used, to);
            } else {
                self.buf.copy_within(start.., to);
                self.buf.truncate(to + used);
            }
            self.set_word(0, to);
            return;
        }
        self.reallocate(size_class(HEADER + used + more), end);
    }

    /// Moves the row to an allocation of `capacity` bytes, all room at one end.
    fn reallocate(&mut self, capacity: usize, room: End) {
        let used = self.used();
        let start = self.start();
        if room == End::Back && start == HEADER {
            match capacity.cmp(&self.buf.capacity()) {
                Ordering::Greater => self.buf.reserve_exact(capacity - self.buf.len()),
                _ => self.buf.shrink_to(capacity),
            }
            return;
        }
        let to = if room == End::Front { capacity - used } else { HEADER };
        let mut buf = Vec::with_capacity(capacity);
        buf.extend_from_slice(&self.buf[..HEADER]);
        buf.resize(to, 0);
        buf.extend_from_slice(&self.buf[start..]);
        self.buf = buf;
        self.set_word(0, to);
    }

    /// Gives memory back when less than half of the allocation is used.
    #[inline]
    fn shrink_if_loose(&mut self) {
        if self.buf.capacity() > 128 && HEADER + self.used() <= self.buf.capacity() / 2 - 32 {
            self.shrink();
        }
    }

    /// Gives spare memory back.
    #[cold]
    pub fn shrink(&mut self) {
        let fits = size_class(HEADER + self.used());
        if fits < size_class(self.buf.capacity()) {
            self.reallocate(fits, End::Back);
        }
    }

    /// Opens a gap of `bytes` at offset `at`, moving the shorter part of the row. Returns where in
    /// `buf` it is.
    fn open(&mut self, at: usize, bytes: usize) -> usize {
        let (start, used) = (self.start(), self.used());
        let spare_front = start - HEADER;
        let spare_back = self.buf.capacity() - self.buf.len();
        if spare_front >= bytes && (at < used / 2 || spare_back < bytes) {
            self.buf.copy_within(start..start + at, start - bytes);
            self.set_word(0, start - bytes);
            return start - bytes + at;
        }
        if spare_back < bytes {
            self.make_room(bytes, End::Back);
        }
        let (gap, end) = (self.start() + at, self.buf.len());
        self.buf.resize(end + bytes, 0);
        self.buf.copy_within(gap..end, gap + bytes);
        gap
    }

    /// Closes the gap of `bytes` at offset `at`, moving the shorter part of the row.
    fn close(&mut self, at: usize, bytes: usize) {
        let (start, used) = (self.start(), self.used());
        if at < used - at - bytes {
            self.buf.copy_within(start..start + at, start + bytes);
            self.set_word(0, start + bytes);
        } else {
            self.buf.copy_within(start + at + bytes.., start + at);
            self.buf.truncate(self.buf.len() - bytes);
        }
    }

    /// Inserts an element before the one with this index, or at the end. O(n).
    pub fn insert(&mut self, index: usize, element: &Element<'_>) {
        let backlen = self.admit(element);
        let (at, bytes) = (self.offset(index), element.size() + backlen);
        let gap = self.open(at, bytes);
        element.write(&mut self.buf[gap..gap + bytes]);
        self.set_len(self.len() + 1);
    }

    /// Replaces the element with this index, which must be there. O(n), O(1) if its size stays.
    pub fn replace(&mut self, index: usize, element: &Element<'_>) {
        if self.len() == 1 {
            self.remove(index, 1);
            return self.push(End::Back, element);
        }
        let bytes = element.size() + self.admit(element);
        let at = self.offset(index);
        let old = self.span(at);
        let gap = match bytes.cmp(&old) {
            Ordering::Equal => self.start() + at,
            Ordering::Less => {
                self.close(at, old - bytes);
                self.start() + at
            }
            Ordering::Greater => self.open(at, bytes - old),
        };
        element.write(&mut self.buf[gap..gap + bytes]);
        self.shrink_if_loose();
    }

    /// Removes `n` elements from `index` on, which must be there. O(n).
    pub fn remove(&mut self, index: usize, n: usize) {
        let (from, to) = (self.offset(index), self.offset(index + n));
        self.close(from, to - from);
        self.set_len(self.len() - n);
        self.shrink_if_loose();
    }

    /// Removes elements equal to `needle`, at most `max` of them beginning at one end; returns how
    /// many. O(n).
    pub fn remove_equal(&mut self, needle: &Needle<'_>, max: usize, from: End) -> usize {
        let mut removed = 0;
        let mut at = if from == End::Front { 0 } else { self.used() };
        while removed < max {
            let here = match from {
                End::Front if at == self.used() => break,
                End::Front => at,
                End::Back if at == 0 => break,
                End::Back => self.before(at),
            };
            let span = self.span(here);
            if needle.is(self.at(here)) {
                self.close(here, span);
                removed += 1;
                at = here;
            } else {
                at = if from == End::Front { here + span } else { here };
            }
        }
        self.set_len(self.len() - removed);
        self.shrink_if_loose();
        removed
    }

    /// Moves the elements from `index` on into a row of their own. O(n).
    pub fn split_off(&mut self, index: usize) -> Pack {
        let at = self.offset(index);
        let mut tail = Pack::with_room(self.used() - at);
        tail.buf.extend_from_slice(&self.entries()[at..]);
        tail.set_len(self.len() - index);
        tail.set_word(8, self.stride());
        self.buf.truncate(self.start() + at);
        self.set_len(index);
        self.shrink_if_loose();
        tail
    }

    /// Appends the elements of `other`. O(bytes of both).
    pub fn append(&mut self, other: &Pack) {
        if self.is_empty() {
            *self = other.clone();
            return;
        }
        if self.stride() != other.stride() {
            self.add_backlens();
        }
        let bytes = match self.stride() {
            0 => other.listpack_bytes() - EMPTY_BYTES,
            _ => other.used(),
        };
        if self.buf.capacity() - self.buf.len() < bytes {
            self.make_room(bytes, End::Back);
        }
        match (self.stride(), other.stride()) {
            (0, stride @ 1..) => write_entries(&mut self.buf, other.entries(), stride),
            _ => self.buf.extend_from_slice(other.entries()),
        }
        self.set_len(self.len() + other.len());
    }

    /// Appends the bytes of a listpack of these elements to `out`. O(n).
    pub fn write_listpack(&self, out: &mut Vec<u8>) {
        let total = self.listpack_bytes();
        out.reserve(total);
        let total = u32::try_from(total).expect("a row is below 4 GiB");
        out.extend_from_slice(&total.to_le_bytes());
        let count = u16::try_from(self.len()).unwrap_or(COUNT_UNKNOWN);
        out.extend_from_slice(&count.to_le_bytes());
        match self.stride() {
            0 => out.extend_from_slice(self.entries()),
            stride => write_entries(out, self.entries(), stride),
        }
        out.push(EOF);
    }

    /// The elements of a listpack. O(n).
    pub fn from_listpack(lp: &Listpack) -> Pack {
        let entries = lp.entries();
        let (mut len, mut stride, mut at) = (0, None, 0);
        while at < entries.len() {
            let (_, size) = decode(&entries[at..]).expect("I2");
            stride = match stride {
                None => Some(size),
                Some(same) if same == size => Some(size),
                _ => Some(0),
            };
            at += size + backlen_len(size);
            len += 1;
        }
        let stride = stride.unwrap_or(0);
        let mut row = Pack::with_room(if stride > 0 { len * stride } else { entries.len() });
        match stride {
            0 => row.buf.extend_from_slice(entries),
            _ => {
                for entry in entries.chunks(stride + backlen_len(stride)) {
                    row.buf.extend_from_slice(&entry[..stride]);
                }
            }
        }
        row.set_len(len);
        row.set_word(8, stride);
        row
    }

    /// Walks the row and checks it. O(n).
    #[cfg(test)]
    pub fn check(&self) {
        let mut bytes = Vec::new();
        self.write_listpack(&mut bytes);
        assert_eq!(bytes.len(), self.listpack_bytes());
        let lp = Listpack::from_untrusted(bytes).expect("a sound listpack");
        assert_eq!(lp.len(), self.len());
        assert!(self.start() >= HEADER && self.buf.len() <= self.buf.capacity());
    }
}

/// Appends elements of `stride` bytes each, with their backlens.
fn write_entries(out: &mut Vec<u8>, entries: &[u8], stride: usize) {
    let mut backlen = [0; 5];
    let backlen = &mut backlen[..backlen_len(stride)];
    write_backlen(backlen, stride);
    for entry in entries.chunks(stride) {
        out.extend_from_slice(entry);
        out.extend_from_slice(backlen);
    }
}

impl PartialEq for Pack {
    fn eq(&self, other: &Pack) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for Pack {}

impl std::fmt::Debug for Pack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Elements from one on to the last.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    rest: &'a [u8],
    backlens: bool,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        let first = *self.rest.first()?;
        if first & 0xC0 == 0x80 {
            // Short strings are most of what there is; their backlen takes one byte.
            let len = 1 + usize::from(first & 0x3F);
            let text = &self.rest[1..len];
            self.rest = &self.rest[len + usize::from(self.backlens)..];
            return Some(Item::Str(text));
        }
        let (item, len) = decode(self.rest).expect("an element is here");
        let backlen = if self.backlens { backlen_len(len) } else { 0 };
        self.rest = &self.rest[len + backlen..];
        Some(item)
    }
}

#[cfg(test)]
mod tests;
