//! Changes to an entry that already exists: another value, another expiry, APPEND, SETRANGE, INCR.
//!
//! All of them have the same three steps. Decide the new shape. `reshape` to it: this moves key and
//! value within the allocation if the size class stays, and to a new one if not. Write what is new.

#![allow(unsafe_code)] // Moves key and value within or between allocations; E1, E2.

use super::layout::{Kind, Shape};
use super::{Entry, EntryBox, INLINE_MAX, Put, allocate, layout_of};
use crate::util::size_class::size_class as class;
use crate::value::string::{IntText, parse_int};
use crate::value::{Value, ValueRef};
use std::alloc::dealloc;

/// Strings grow by doubling up to this length, and by an eighth above it: at 512 MiB, half of it
/// spare would be too much.
const DOUBLE_UNTIL: usize = 1 << 20;

/// Why a value can't be incremented.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IncrError {
    /// Not a string.
    WrongType,
    /// A string that isn't an integer.
    NotInteger,
    /// The result would not fit an `i64`.
    Overflow,
}

impl Entry {
    fn shape_with(&self, kind: Kind, value_bytes: usize, expire: Option<i64>) -> Shape {
        Shape::new(kind, self.key_len(), value_bytes, expire)
    }
}

impl EntryBox {
    /// Gives the entry another shape with the same key. As much of the value's bytes as both shapes
    /// have is kept; the place in the wheel is kept if both expire.
    #[inline]
    fn reshape(&mut self, new: Shape, expire: Option<i64>) {
        let old = self.shape();
        if old == new && expire == self.expire_ms() {
            return;
        }
        let place = (old.meta & new.meta & super::TIMED != 0).then(|| self.place());
        let moved = old.key_len + old.value_bytes.min(new.value_bytes);
        let (old_class, new_class) = (class(old.total()), class(new.total()));
        // SAFETY: E1 -- `moved` bytes from the old head lie in the old allocation, and from the new
        // head in the new one, which is the same or a fresh one; the old is freed with its layout.
        unsafe {
            let from = self.0.as_ptr().add(old.head());
            if old_class == new_class {
                from.copy_to(self.0.as_ptr().add(new.head()), moved);
            } else {
                let fresh = allocate(new_class);
                // The access data; the rest of the header is written below.
                fresh.as_ptr().copy_from_nonoverlapping(self.0.as_ptr(), 4);
                from.copy_to_nonoverlapping(fresh.as_ptr().add(new.head()), moved);
                dealloc(self.0.as_ptr(), layout_of(old_class));
                self.0 = fresh;
            }
        }
        // SAFETY: E1 -- the allocation is of this shape's class by now.
        unsafe { self.write_header(new, expire) };
        if let Some(place) = place {
            self.set_place(place);
        }
    }

    /// Replaces value and expiry. Returns the old value if it had an allocation of its own.
    #[inline]
    pub(super) fn replace(&mut self, put: Put<'_>, expire: Option<i64>) -> Option<Value> {
        // SAFETY: the value is overwritten below.
        let heavy = unsafe { self.read_heavy() };
        let (kind, value_bytes) = put.kind();
        self.reshape(self.shape_with(kind, value_bytes, expire), expire);
        // SAFETY: the shape is this value's, and a heavy one that was there has been taken out.
        unsafe { self.write_value(put) };
        heavy
    }

    /// Sets or clears the expiry. If it had none before, its place in the wheel is still to be set.
    pub(super) fn set_expire(&mut self, expire: Option<i64>) {
        self.reshape(self.shape_with(self.kind(), self.value_bytes(), expire), expire);
    }

    /// Adds `by` to an integer, or to a string that spells one.
    #[inline]
    pub fn incr(&mut self, by: i64) -> Result<i64, IncrError> {
        let old = match self.value() {
            ValueRef::Int(int) => int,
            ValueRef::Str(text) => parse_int(text).ok_or(IncrError::NotInteger)?,
            ValueRef::Object(_) => return Err(IncrError::WrongType),
        };
        let new = old.checked_add(by).ok_or(IncrError::Overflow)?;
        self.replace(Put::Int(new), self.expire_ms());
        Ok(new)
    }

    /// Appends to a string, which is then raw; returns its length. None if it is no string.
    /// Amortised O(`tail`) once it is long.
    pub fn append(&mut self, tail: &[u8]) -> Option<usize> {
        let len = self.string_len()?;
        self.edit(len, tail)
    }

    /// Overwrites a string from `offset` on, with zeroes before if it is shorter; it is then raw.
    /// Returns its length. None if it is no string. O(`bytes` + gap), amortised.
    pub fn set_range(&mut self, offset: usize, bytes: &[u8]) -> Option<usize> {
        self.string_len()?;
        self.edit(offset, bytes)
    }

    /// Length of a string in bytes; of an integer, of its text.
    fn string_len(&self) -> Option<usize> {
        match self.value() {
            ValueRef::Int(int) => Some(IntText::new(int).as_bytes().len()),
            ValueRef::Str(bytes) => Some(bytes.len()),
            ValueRef::Object(_) => None,
        }
    }

    fn edit(&mut self, offset: usize, bytes: &[u8]) -> Option<usize> {
        if let ValueRef::Int(int) = self.value() {
            let text = IntText::new(int);
            self.replace(Put::Inline(Kind::Raw, text.as_bytes()), self.expire_ms());
        }
        let end = offset + bytes.len();
        match self.kind() {
            Kind::Heap => self.edit_heap(offset, bytes),
            Kind::Embstr | Kind::Raw if end <= INLINE_MAX => {
                let old_len = self.value_bytes();
                let len = old_len.max(end);
                let expire = self.expire_ms();
                self.reshape(self.shape_with(Kind::Raw, len, expire), expire);
                let at = self.value_at();
                let fill = offset.saturating_sub(old_len);
                if fill > 0 {
                    // SAFETY: E1 -- `old_len + fill` is at most the value's new length.
                    unsafe { self.0.as_ptr().add(at + old_len).write_bytes(0, fill) };
                }
                // SAFETY: E1 -- `offset` and these bytes are at most the value's new length.
                unsafe { self.store_slice(at + offset, bytes) };
                Some(len)
            }
            Kind::Embstr | Kind::Raw => {
                let ValueRef::Str(old) = self.value() else { return None };
                let mut text = Vec::with_capacity(old.len().max(end + end / 4));
                text.extend_from_slice(old);
                self.replace(Put::Heap(text), self.expire_ms());
                self.edit_heap(offset, bytes)
            }
            _ => None,
        }
    }

    /// `edit` for a long string; None if it is none.
    fn edit_heap(&mut self, offset: usize, bytes: &[u8]) -> Option<usize> {
        if self.kind() != Kind::Heap {
            return None;
        }
        // SAFETY: it is written back below
        let Some(Value::Str(mut text)) = (unsafe { self.read_heavy() }) else { return None };
        let (text, end) = (&mut text.bytes, offset + bytes.len());
        let mut text = std::mem::take(text);
        if end > text.len() {
            if end > text.capacity() && end > DOUBLE_UNTIL {
                text.reserve_exact(end + end / 8 - text.len());
            }
            text.resize(offset.max(text.len()), 0);
            let over = text.len() - offset;
            text[offset..].copy_from_slice(&bytes[..over]);
            text.extend_from_slice(&bytes[over..]);
        } else {
            text[offset..end].copy_from_slice(bytes);
        }
        let len = text.len();
        // SAFETY: the kind is still `HEAP`, and its value was taken out.
        unsafe { self.write_heap(text) };
        Some(len)
    }
}
