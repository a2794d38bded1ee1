//! `Cell`: one element of a large hash, set or sorted set, in one allocation.
//!
//! ```text
//!   0      bit 7: HEAD; bits 0..6: length of the key, or 127: it follows
//!   ..     only if VALUE: length of the value, 1 byte, or 255: it follows
//!   ..     only if HEAD: 8 bytes of the owner's (the score of a member, the expiry of a field)
//!   ..     the key, then the value
//! ```
//! A length that follows its byte takes 4 bytes; if these are all ones it takes the 8 after them.
//!
//! So a 17-byte member takes 18 bytes in a set and 26 in a sorted set, a field of 16 bytes with a
//! value of 14 takes 32. The allocation's size is not stored: it is the size class of what the
//! first bytes say.
//!
//! Invariants:
//!
//! - C1  a `Cell` owns an allocation of `size_class(total)` bytes whose first `total` bytes are
//!   laid out as above;
//! - C2  `View` is only seen behind a reference to such an allocation; its address has been
//!   exposed.

#![allow(unsafe_code)] // One hand-laid allocation per element; fenced in by C1 and C2.

use crate::ds::dict::Thin;
use crate::util::size_class::size_class;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::ptr::NonNull;

const HEAD: u8 = 0x80;
const KEY_WIDE: u8 = 0x7f;
const VALUE_WIDE: u8 = 0xff;
const HEAD_BYTES: usize = 8;
/// From this length on, 8 bytes more are needed.
const HUGE: usize = u32::MAX as usize;

/// An element, owned. `VALUE`: whether it has a value beside its key.
pub struct Cell<const VALUE: bool>(NonNull<u8>);

/// A member of a set (without head) or a sorted set (the head is its score).
pub(crate) type Member = Cell<false>;
/// A field and its value; the head, if there is one, is the field's expiry.
pub(crate) type Field = Cell<true>;

/// An element, borrowed. Opaque: it is read through its address (C2).
#[repr(C)]
pub struct View<const VALUE: bool> {
    bytes: [u8; 0],
}

// SAFETY: the cell owns all it points to.
unsafe impl<const VALUE: bool> Send for Cell<VALUE> {}

impl<const VALUE: bool> View<VALUE> {
    #[inline(always)]
    fn base(&self) -> *const u8 {
        // The reference itself covers no bytes; the allocation's address was exposed (C2).
        std::ptr::with_exposed_provenance(std::ptr::from_ref(self).addr())
    }

    /// The address: what a second index over the same elements keeps.
    #[inline(always)]
    pub fn address(&self) -> u64 {
        std::ptr::from_ref(self).addr() as u64
    }

    #[inline(always)]
    fn byte(&self, at: usize) -> u8 {
        // SAFETY: C1 -- callers pass offsets of fields that the first bytes say are there.
        unsafe { self.base().add(at).read() }
    }

    /// The length that stands at `at`, and where it ends.
    #[inline(always)]
    fn wide(&self, at: usize) -> (usize, usize) {
        // SAFETY: C1 -- as for `byte`.
        let word = u32::from_le_bytes(unsafe { self.base().add(at).cast::<[u8; 4]>().read() });
        if word as usize != HUGE {
            return (word as usize, at + 4);
        }
        // SAFETY: C1 -- as for `byte`.
        let long = u64::from_le_bytes(unsafe { self.base().add(at + 4).cast::<[u8; 8]>().read() });
        (long as usize, at + 12)
    }

    #[inline(always)]
    fn slice(&self, at: usize, n: usize) -> &[u8] {
        // SAFETY: C1 -- as for `byte`; nothing changes the cell while it is borrowed.
        unsafe { std::slice::from_raw_parts(self.base().add(at), n) }
    }

    /// Length of the key, and where what follows it in the lengths begins.
    #[inline(always)]
    fn key_len(&self) -> (usize, usize) {
        match self.byte(0) & KEY_WIDE {
            KEY_WIDE => self.wide(1),
            short => (usize::from(short), 1),
        }
    }

    /// Lengths of key and value, and where the head or the key begins.
    #[inline(always)]
    fn lens(&self) -> (usize, usize, usize) {
        let (key, at) = self.key_len();
        if !VALUE {
            return (key, 0, at);
        }
        let (value, at) = match self.byte(at) {
            VALUE_WIDE => self.wide(at + 1),
            short => (usize::from(short), at + 1),
        };
        (key, value, at)
    }

    #[inline(always)]
    fn has_head(&self) -> bool {
        self.byte(0) & HEAD != 0
    }

    #[inline(always)]
    fn head_bytes(&self) -> usize {
        if self.has_head() { HEAD_BYTES } else { 0 }
    }

    /// The owner's eight bytes, if the cell has them.
    #[inline]
    pub fn head(&self) -> Option<[u8; 8]> {
        let (.., at) = self.lens();
        // SAFETY: C1 -- the head is there.
        self.has_head().then(|| unsafe { self.base().add(at).cast::<[u8; 8]>().read() })
    }

    /// The key: field or member.
    #[inline(always)]
    pub fn key(&self) -> &[u8] {
        let (key, _, at) = self.lens();
        self.slice(at + self.head_bytes(), key)
    }

    /// The value; empty without `VALUE`.
    #[inline]
    pub fn value(&self) -> &[u8] {
        let (key, value, at) = self.lens();
        self.slice(at + self.head_bytes() + key, value)
    }

    fn total(&self) -> usize {
        let (key, value, at) = self.lens();
        at + self.head_bytes() + key + value
    }

    /// Allocated bytes.
    pub fn mem_bytes(&self) -> usize {
        size_class(self.total())
    }
}

impl<const VALUE: bool> std::fmt::Debug for View<VALUE> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        f.debug_struct("Cell")
            .field("key", &text(self.key()))
            .field("value", &text(self.value()))
            .field("head", &self.head())
            .finish()
    }
}

// SAFETY: one word; the allocation lives until `drop`, and its address is a user-space one (the
// table asserts that). The key never changes.
unsafe impl<const VALUE: bool> Thin for Cell<VALUE> {
    type View = View<VALUE>;

    #[inline(always)]
    fn into_raw(self) -> NonNull<u8> {
        std::mem::ManuallyDrop::new(self).0
    }

    #[inline(always)]
    unsafe fn from_raw(raw: NonNull<u8>) -> Cell<VALUE> {
        Cell(raw)
    }

    #[inline(always)]
    unsafe fn view<'a>(raw: NonNull<u8>) -> &'a View<VALUE> {
        // SAFETY: a zero-sized, byte-aligned type behind a non-null pointer that the caller says
        // lives.
        unsafe { raw.cast().as_ref() }
    }

    #[inline(always)]
    fn key(view: &View<VALUE>) -> &[u8] {
        view.key()
    }
}

impl<const VALUE: bool> std::ops::Deref for Cell<VALUE> {
    type Target = View<VALUE>;

    #[inline(always)]
    fn deref(&self) -> &View<VALUE> {
        // SAFETY: C1 -- ours.
        unsafe { self.0.cast().as_ref() }
    }
}

impl<const VALUE: bool> std::fmt::Debug for Cell<VALUE> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(f)
    }
}

#[inline]
fn layout(class: usize) -> Layout {
    Layout::from_size_align(class, 8).expect("an element is far below isize::MAX")
}

/// Bytes of two lengths, each of 8 bytes behind 4 behind 1.
const LENGTHS_MAX: usize = 26;

/// The lengths at the start of a cell, ready to be written.
struct Lengths {
    bytes: [u8; LENGTHS_MAX],
    len: usize,
}

impl Lengths {
    #[inline]
    fn new(key: usize, value: Option<usize>, head: bool) -> Lengths {
        let flag = if head { HEAD } else { 0 };
        let len = value.unwrap_or(0);
        if key >= usize::from(KEY_WIDE) || len >= usize::from(VALUE_WIDE) {
            return Lengths::with_wide(key, value, flag);
        }
        let mut lengths =
            Lengths { bytes: [0; LENGTHS_MAX], len: 1 + usize::from(value.is_some()) };
        lengths.bytes[..2].copy_from_slice(&[flag | key as u8, len as u8]);
        lengths
    }

    /// `new` if one of them doesn't fit its byte.
    fn with_wide(key: usize, value: Option<usize>, flag: u8) -> Lengths {
        let mut lengths = Lengths { bytes: [0; LENGTHS_MAX], len: 0 };
        if key < usize::from(KEY_WIDE) {
            lengths.push(&[flag | key as u8]);
        } else {
            lengths.push(&[flag | KEY_WIDE]);
            lengths.push_wide(key);
        }
        match value {
            None => {}
            Some(len) if len < usize::from(VALUE_WIDE) => lengths.push(&[len as u8]),
            Some(len) => {
                lengths.push(&[VALUE_WIDE]);
                lengths.push_wide(len);
            }
        }
        lengths
    }

    #[inline]
    fn push(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    #[inline]
    fn push_wide(&mut self, len: usize) {
        self.push(&(len.min(HUGE) as u32).to_le_bytes());
        if len >= HUGE {
            self.push(&(len as u64).to_le_bytes());
        }
    }
}

/// Bytes that the length of a value takes.
#[inline]
fn value_len_bytes(len: usize) -> usize {
    match len {
        _ if len < usize::from(VALUE_WIDE) => 1,
        _ if len < HUGE => 5,
        _ => 13,
    }
}

impl<const VALUE: bool> Cell<VALUE> {
    /// An element of these parts; `value` must be empty without `VALUE`.
    pub fn new(key: &[u8], value: &[u8], head: Option<[u8; 8]>) -> Cell<VALUE> {
        assert!(VALUE || value.is_empty(), "a member has no value");
        let lengths = Lengths::new(key.len(), VALUE.then_some(value.len()), head.is_some());
        let head = head.as_ref().map_or(&[][..], |h| h);
        let total = lengths.len + head.len() + key.len() + value.len();
        let layout = layout(size_class(total));
        // SAFETY: an element has at least one byte.
        let Some(at) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        at.as_ptr().expose_provenance(); // C2
        let mut to = at.as_ptr();
        for part in [&lengths.bytes[..lengths.len], head, key, value] {
            // SAFETY: the parts add up to `total`, which fits the allocation; it is new, so nothing
            // overlaps.
            unsafe {
                to.copy_from_nonoverlapping(part.as_ptr(), part.len());
                to = to.add(part.len());
            }
        }
        Cell(at)
    }

    /// Changes the owner's eight bytes in place; the cell must have been made with them.
    #[inline]
    pub fn set_head(&mut self, head: [u8; 8]) {
        assert!(self.has_head(), "a cell without head");
        let (.., at) = self.lens();
        // SAFETY: C1 -- the head is there, and the cell is borrowed exclusively.
        unsafe { self.0.as_ptr().add(at).cast::<[u8; 8]>().write(head) }
    }
}

impl Field {
    /// The same field with another value and head; in place where the size class stays and nothing
    /// before the value moves. O(length).
    pub fn with(mut self, value: &[u8], head: Option<[u8; 8]>) -> Field {
        let (key_len, old_len, at) = self.lens();
        let same_form = self.has_head() == head.is_some()
            && value_len_bytes(old_len) == value_len_bytes(value.len());
        if !same_form {
            return Cell::new(self.key(), value, head);
        }
        let old_class = size_class(self.total());
        let start = at + self.head_bytes() + key_len;
        let new_class = size_class(start + value.len());
        if new_class != old_class {
            // SAFETY: C1 -- allocated with this layout; it is owned, and its address replaced at
            // once. The lengths at the start are rewritten below, before anybody looks.
            let moved = unsafe { realloc(self.0.as_ptr(), layout(old_class), new_class) };
            let Some(moved) = NonNull::new(moved) else { handle_alloc_error(layout(new_class)) };
            moved.as_ptr().expose_provenance(); // C2
            self.0 = moved;
        }
        let lengths = Lengths::new(key_len, Some(value.len()), head.is_some());
        debug_assert_eq!(lengths.len, at);
        // SAFETY: C1 -- all offsets are those of the new layout, which fits `new_class`; borrowed
        // bytes can't lie in a cell that we own.
        unsafe {
            let to = self.0.as_ptr();
            to.copy_from_nonoverlapping(lengths.bytes.as_ptr(), lengths.len);
            to.add(start).copy_from_nonoverlapping(value.as_ptr(), value.len());
        }
        if let Some(head) = head {
            self.set_head(head);
        }
        self
    }
}

impl<const VALUE: bool> Drop for Cell<VALUE> {
    fn drop(&mut self) {
        // SAFETY: C1 -- allocated with this layout, and nobody uses it again.
        unsafe { dealloc(self.0.as_ptr(), layout(size_class(self.total()))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ds::wheel::tests::rng;

    fn check<const V: bool>(cell: &View<V>, key: &[u8], value: &[u8], head: Option<[u8; 8]>) {
        assert_eq!((cell.key(), cell.value(), cell.head()), (key, value, head));
    }

    #[test]
    fn parts_of_every_length_come_back() {
        for key in [0, 1, 17, 126, 127, 128, 5_000] {
            for value in [0, 1, 14, 254, 255, 256, 70_000] {
                for head in [None, Some(7.5f64.to_le_bytes())] {
                    let (key, value) = (vec![b'k'; key], vec![b'v'; value]);
                    check(&Field::new(&key, &value, head), &key, &value, head);
                    check(&Member::new(&key, b"", head), &key, b"", head);
                }
            }
        }
    }

    /// The lengths alone, which no cell is needed for.
    #[test]
    fn lengths_of_any_size_come_back() {
        let around = |n: usize| [n - 1, n, n + 1];
        let lens: Vec<usize> = [1, 127, 255, HUGE, HUGE + (1 << 20), isize::MAX as usize]
            .into_iter()
            .flat_map(around)
            .collect();
        for (&key, &value) in lens.iter().flat_map(|key| lens.iter().map(move |v| (key, v))) {
            for head in [false, true] {
                let mut lengths = Lengths::new(key, Some(value), head);
                lengths.bytes.as_mut_ptr().expose_provenance(); // C2
                // SAFETY: nothing but the lengths is read, and these are there.
                let view = unsafe { Field::view(NonNull::from(&mut lengths.bytes).cast()) };
                assert_eq!(view.lens(), (key, value, lengths.len));
                assert_eq!(view.has_head(), head);
                let key_bytes = view.key_len().1;
                assert_eq!(lengths.len, key_bytes + value_len_bytes(value));
                let alone = Lengths::new(key, None, head);
                assert_eq!(alone.bytes[..alone.len], lengths.bytes[..key_bytes]);
            }
        }
        let len = |key, value| Lengths::new(key, Some(value), true).len;
        assert_eq!([len(126, 254), len(127, 255), len(HUGE - 1, HUGE - 1)], [2, 10, 10]);
        assert_eq!(len(HUGE, HUGE), LENGTHS_MAX);
    }

    /// Takes 13 GB of memory: REDUST_LARGE_MEMORY=1 cargo test --release --lib huge --
    /// --test-threads 1
    #[test]
    fn huge_parts_come_back() {
        if std::env::var_os("REDUST_LARGE_MEMORY").is_none() {
            return;
        }
        let huge = vec![b'x'; HUGE + 3];
        for len in [HUGE - 1, HUGE, HUGE + 3] {
            let text = &huge[..len];
            let mut field = Field::new(b"f", b"small", None);
            field = field.with(text, None);
            assert!(field.value() == text && field.key() == b"f");
            field = field.with(b"small again", Some([7; 8]));
            check(&field, b"f", b"small again", Some([7; 8]));
            drop(field);
            let member = Member::new(text, b"", Some([9; 8]));
            assert!(member.key() == text && member.head() == Some([9; 8]));
        }
        // Within one form, in place or not.
        let field = Field::new(b"f", &huge[..HUGE + 1], None).with(&huge[..HUGE + 2], None);
        assert_eq!((field.value().len(), field.key()), (HUGE + 2, &b"f"[..]));
    }

    #[test]
    fn sizes_are_as_promised() {
        assert_eq!(Member::new(&[b'm'; 17], b"", None).mem_bytes(), 24);
        assert_eq!(Member::new(&[b'm'; 17], b"", Some([0; 8])).mem_bytes(), 32);
        assert_eq!(Field::new(&[b'f'; 16], &[b'v'; 14], None).mem_bytes(), 32);
    }

    #[test]
    fn changed_values_agree_with_a_copy() {
        let mut rng = rng(9);
        let rounds = if cfg!(miri) { 500 } else { 200_000 };
        let mut field = Field::new(b"field", b"", None);
        for _ in 0..rounds {
            let len = [20, 300, 5_000][(rng() % 3) as usize];
            let value = vec![rng() as u8; (rng() % len) as usize];
            let head = rng().is_multiple_of(2).then(|| rng().to_le_bytes());
            field = field.with(&value, head);
            check(&field, b"field", &value, head);
        }
        let mut member = Member::new(b"m", b"", Some([0; 8]));
        member.set_head(2.5f64.to_le_bytes());
        check(&member, b"m", b"", Some(2.5f64.to_le_bytes()));
    }
}
