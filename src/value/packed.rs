//! Small collections as they lie in their key's allocation: the entries alone, headed by two bytes.
//!
//! ```text
//!   0    form (3 bits) | number of entries (13 bits)
//!   2..  the entries of a listpack, without its header and end marker; an intset whole
//! ```
//!
//! Invariant: what follows the two bytes was taken from a sound listpack (or intset) with that
//! number of entries.

use crate::ds::intset::IntsetRef;
use crate::ds::listpack::ListpackRef;
use crate::value::hash::HashRef;
use crate::value::set::SetRef;
use crate::value::zset::ZSetRef;
use crate::value::{ObjectRef, Type};

/// Bytes of the head.
pub(crate) const HEAD: usize = 2;
/// Larger ones have an allocation of their own, since each change copies the bytes out and in
/// again.
pub(crate) const MAX: usize = 512;

const COUNT_BITS: u32 = 13;
/// Each entry takes two bytes or more, so that the number always fits.
const _: () = assert!(MAX < 1 << COUNT_BITS);

const HASH: u16 = 0;
const TIMED_HASH: u16 = 1;
const ZSET: u16 = 2;
const SET: u16 = 3;
const INTS: u16 = 4;

/// A collection in this form: its head, and the bytes behind it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packed<'a> {
    pub head: [u8; HEAD],
    pub bytes: &'a [u8],
}

impl<'a> Packed<'a> {
    /// The form of a collection that is small enough for it.
    #[inline]
    pub(crate) fn of(object: ObjectRef<'a>) -> Option<Packed<'a>> {
        let (form, lp) = match object {
            ObjectRef::Hash(HashRef::Packed(lp)) => (HASH, lp),
            ObjectRef::Hash(HashRef::Timed(lp)) => (TIMED_HASH, lp),
            ObjectRef::ZSet(ZSetRef::Packed(lp)) => (ZSET, lp),
            ObjectRef::Set(SetRef::Packed(lp)) => (SET, lp),
            ObjectRef::Set(SetRef::Ints(ints)) => {
                return Packed::new(INTS, 0, ints.as_bytes());
            }
            _ => return None,
        };
        Packed::new(form, lp.len(), lp.entries())
    }

    #[inline]
    fn new(form: u16, count: usize, bytes: &'a [u8]) -> Option<Packed<'a>> {
        let head = form << COUNT_BITS | count as u16;
        (HEAD + bytes.len() <= MAX).then_some(Packed { head: head.to_le_bytes(), bytes })
    }

    /// Bytes that it takes.
    #[inline]
    pub(crate) fn size(self) -> usize {
        HEAD + self.bytes.len()
    }

    /// What is stored, to be read again.
    #[inline]
    pub(crate) fn stored(all: &'a [u8]) -> Packed<'a> {
        let (head, bytes) = all.split_at(HEAD);
        Packed { head: [head[0], head[1]], bytes }
    }

    #[inline]
    fn form(self) -> u16 {
        u16::from_le_bytes(self.head) >> COUNT_BITS
    }

    /// The type of the collection.
    #[inline]
    pub(crate) fn value_type(self) -> Type {
        match self.form() {
            HASH | TIMED_HASH => Type::Hash,
            ZSET => Type::ZSet,
            _ => Type::Set,
        }
    }

    /// The collection.
    #[inline]
    pub(crate) fn view(self) -> ObjectRef<'a> {
        let count = u16::from_le_bytes(self.head) & ((1 << COUNT_BITS) - 1);
        let lp = ListpackRef::new(self.bytes, usize::from(count));
        match self.form() {
            HASH => ObjectRef::Hash(HashRef::Packed(lp)),
            TIMED_HASH => ObjectRef::Hash(HashRef::Timed(lp)),
            ZSET => ObjectRef::ZSet(ZSetRef::Packed(lp)),
            SET => ObjectRef::Set(SetRef::Packed(lp)),
            _ => ObjectRef::Set(SetRef::Ints(IntsetRef::new(self.bytes))),
        }
    }
}
