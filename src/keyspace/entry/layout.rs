//! The arithmetic of an entry's layout: which fields it has, where they are, how much they take.

use crate::value::Type;

/// Flags beside the kind, in the first byte.
pub(super) const TIMED: u8 = 1 << 4;
pub(super) const WIDE_TIME: u8 = 1 << 5;
pub(super) const WIDE_KEY: u8 = 1 << 6;
pub(super) const WIDE_VALUE: u8 = 1 << 7;

/// Bytes of a key's length if it is wide: as many as an address has.
pub(super) const WIDE_KEY_BYTES: usize = 6;

/// How the value is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// 0 to 2^8 - 1, 2^16 - 1, 2^24 - 1; then any `i32`, any `i64`.
    Int1,
    Int2,
    Int3,
    Int4,
    Int8,
    /// A string in the entry, reported as embstr or as raw.
    Embstr,
    Raw,
    /// A string of its own allocation, reported as raw.
    Heap,
    /// A small collection (`value/packed`).
    Packed,
    List,
    Set,
    ZSet,
    Hash,
    Stream,
}

const KINDS: [Kind; 14] = [
    Kind::Int1,
    Kind::Int2,
    Kind::Int3,
    Kind::Int4,
    Kind::Int8,
    Kind::Embstr,
    Kind::Raw,
    Kind::Heap,
    Kind::Packed,
    Kind::List,
    Kind::Set,
    Kind::ZSet,
    Kind::Hash,
    Kind::Stream,
];

/// `KINDS` by the low four bits of the first byte; the last two are never written.
static KIND_OF: [Kind; 16] = {
    let mut of = [Kind::Stream; 16];
    let mut i = 0;
    while i < KINDS.len() {
        of[i] = KINDS[i];
        i += 1;
    }
    of
};

impl Kind {
    #[inline(always)]
    pub(super) fn of_meta(meta: u8) -> Kind {
        KIND_OF[(meta & 15) as usize]
    }

    /// The shortest form of an integer. The small ones are unsigned: counters and sizes are.
    #[inline]
    pub(super) fn of_int(int: i64) -> Kind {
        match int {
            0..=0xff => Kind::Int1,
            0x100..=0xffff => Kind::Int2,
            0x1_0000..=0xff_ffff => Kind::Int3,
            -0x8000_0000..=0x7fff_ffff => Kind::Int4,
            _ => Kind::Int8,
        }
    }

    pub(super) fn of_object(of: Type) -> Kind {
        match of {
            Type::List => Kind::List,
            Type::Set => Kind::Set,
            Type::ZSet => Kind::ZSet,
            Type::Hash => Kind::Hash,
            Type::Stream => Kind::Stream,
            Type::String => unreachable!("strings are no objects"),
        }
    }

    /// Whether the value's bytes are in the entry, and their number in its header.
    #[inline(always)]
    pub(super) const fn is_inline(self) -> bool {
        matches!(self, Kind::Embstr | Kind::Raw | Kind::Packed)
    }

    /// Whether it is no string, wherever it lies.
    #[inline(always)]
    pub(super) fn is_collection(self) -> bool {
        self as u8 >= Kind::Packed as u8
    }

    #[inline(always)]
    pub(super) fn is_boxed(self) -> bool {
        self as u8 >= Kind::List as u8
    }

    /// Bytes of the value in the entry, unless it is an inline one.
    #[inline(always)]
    pub(super) const fn fixed_bytes(self) -> usize {
        match self {
            Kind::Int1 => 1,
            Kind::Int2 => 2,
            Kind::Int3 => 3,
            Kind::Int4 => 4,
            Kind::Embstr | Kind::Raw | Kind::Packed => 0,
            Kind::Heap => 24,
            _ => 8,
        }
    }
}

/// Where the key begins, by the first byte of the entry.
static HEADS: [u8; 256] = {
    let mut heads = [0; 256];
    let mut meta = 0;
    while meta < 256 {
        let flags = meta as u8;
        let mut at = 4;
        at += if flags & WIDE_KEY == 0 { 1 } else { WIDE_KEY_BYTES as u8 };
        if (meta & 15) < KINDS.len() && KINDS[meta & 15].is_inline() {
            at += if flags & WIDE_VALUE == 0 { 1 } else { 2 };
        }
        if flags & TIMED != 0 {
            at += if flags & WIDE_TIME == 0 { 10 } else { 12 };
        }
        heads[meta] = at;
        meta += 1;
    }
    heads
};

#[inline(always)]
pub(super) fn head_of(meta: u8) -> usize {
    HEADS[meta as usize] as usize
}

/// What an entry consists of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Shape {
    pub(super) meta: u8,
    pub(super) key_len: usize,
    pub(super) value_bytes: usize,
}

impl Shape {
    #[inline]
    pub(super) fn new(
        kind: Kind,
        key_len: usize,
        value_bytes: usize,
        expire: Option<i64>,
    ) -> Shape {
        assert!(key_len >> (8 * WIDE_KEY_BYTES) == 0, "no address space is so large");
        let mut meta = kind as u8;
        if key_len > 0xff {
            meta |= WIDE_KEY;
        }
        if kind.is_inline() && value_bytes > 0xff {
            meta |= WIDE_VALUE;
        }
        if let Some(ms) = expire {
            meta |= TIMED;
            if ms << 16 >> 16 != ms {
                meta |= WIDE_TIME;
            }
        }
        Shape { meta, key_len, value_bytes }
    }

    #[inline(always)]
    pub(super) fn kind(self) -> Kind {
        Kind::of_meta(self.meta)
    }

    #[inline(always)]
    pub(super) fn head(self) -> usize {
        head_of(self.meta)
    }

    #[inline(always)]
    pub(super) fn total(self) -> usize {
        self.head() + self.key_len + self.value_bytes
    }
}
