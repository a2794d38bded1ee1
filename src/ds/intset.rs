//! Intset: a sorted array of distinct integers in one allocation.
//!
//! It is the encoding of small sets of integers, and it is stored verbatim in RDB files: the byte
//! layout below is a contract.
//!
//! ```text
//! +------------+------------+-----------+-- ... --+-------------+
//! | width: u32 | count: u32 | integer 0 |         | integer n-1 |   all little-endian
//! +------------+------------+-----------+-- ... --+-------------+
//! ```
//!
//! `width` is 2, 4 or 8: the bytes of each integer, two's complement. An integer that doesn't fit
//! widens all; nothing ever makes them narrow again, so equal sets may differ in width.
//!
//! Invariants, checked in full by [`Intset::from_untrusted`]:
//!
//! - I1  the width is 2, 4 or 8, and there are `8 + width * count` bytes;
//! - I2  the integers are strictly ascending.

use crate::util::size_class;
use std::cmp::Ordering;

const HEADER: usize = 8;

/// A set of integers.
#[derive(Clone, Debug)]
pub struct Intset {
    bytes: Vec<u8>,
}

/// The stored form of an intset, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct IntsetRef<'a> {
    bytes: &'a [u8],
}

/// The bytes are not an intset.
#[derive(PartialEq, Eq, Debug)]
pub struct Corrupt;

/// The bytes of an integer in the narrowest form that holds it.
fn width_of(n: i64) -> usize {
    match n {
        _ if i16::try_from(n).is_ok() => 2,
        _ if i32::try_from(n).is_ok() => 4,
        _ => 8,
    }
}

#[inline(always)]
fn read<const W: usize>(integer: &[u8]) -> i64 {
    let mut wide = [0; 8];
    wide[8 - W..].copy_from_slice(&integer[..W]);
    i64::from_le_bytes(wide) >> (64 - 8 * W)
}

#[inline(always)]
fn search<const W: usize>(integers: &[u8], n: i64) -> Result<usize, usize> {
    let (mut from, mut to) = (0, integers.len() / W);
    while from < to {
        let middle = from.midpoint(to);
        match read::<W>(&integers[middle * W..]).cmp(&n) {
            Ordering::Less => from = middle + 1,
            Ordering::Greater => to = middle,
            Ordering::Equal => return Ok(middle),
        }
    }
    Err(from)
}

impl Default for Intset {
    fn default() -> Intset {
        Intset::new()
    }
}

impl Intset {
    /// An empty one.
    pub fn new() -> Intset {
        Intset { bytes: vec![2, 0, 0, 0, 0, 0, 0, 0] }
    }

    /// Adopts bytes from an RDB file or a RESTORE payload after a full walk (I1, I2). O(n).
    pub fn from_untrusted(bytes: Vec<u8>) -> Result<Intset, Corrupt> {
        let (head, integers) = bytes.split_at_checked(HEADER).ok_or(Corrupt)?;
        let word =
            |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let (width, count) = (word(0) as usize, u64::from(word(4)));
        if !matches!(width, 2 | 4 | 8) || integers.len() as u64 != width as u64 * count {
            return Err(Corrupt);
        }
        let set = Intset { bytes };
        if set.iter().is_sorted_by(|a, b| a < b) { Ok(set) } else { Err(Corrupt) }
    }

    /// The stored form.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The stored form, to read it.
    #[inline]
    pub fn view(&self) -> IntsetRef<'_> {
        IntsetRef { bytes: &self.bytes }
    }

    /// Number of integers. O(1).
    #[inline]
    pub fn len(&self) -> usize {
        self.view().len()
    }

    /// Whether there are none. O(1).
    pub fn is_empty(&self) -> bool {
        self.bytes.len() == HEADER
    }

    /// Adds `n`; false if it was there. O(n).
    pub fn insert(&mut self, n: i64) -> bool {
        if width_of(n) > self.width() {
            self.widen(width_of(n));
        }
        let Err(rank) = self.view().find(n) else { return false };
        let (width, old) = (self.width(), self.bytes.len());
        let at = HEADER + rank * width;
        size_class::reserve(&mut self.bytes, width);
        self.bytes.resize(old + width, 0);
        self.bytes.copy_within(at..old, at + width);
        self.bytes[at..at + width].copy_from_slice(&n.to_le_bytes()[..width]);
        self.count_again();
        true
    }

    /// Removes `n`; false if it was not there. O(n).
    pub fn remove(&mut self, n: i64) -> bool {
        let Ok(rank) = self.view().find(n) else { return false };
        let at = HEADER + rank * self.width();
        self.bytes.drain(at..at + self.width());
        size_class::shrink(&mut self.bytes);
        self.count_again();
        true
    }

    /// Gives every integer `width` bytes.
    #[cold]
    fn widen(&mut self, width: usize) {
        let mut bytes = Vec::with_capacity(HEADER + (self.len() + 1) * width);
        bytes.extend_from_slice(&(width as u32).to_le_bytes());
        bytes.extend_from_slice(&self.bytes[4..HEADER]);
        self.iter().for_each(|n| bytes.extend_from_slice(&n.to_le_bytes()[..width]));
        self.bytes = bytes;
    }

    fn count_again(&mut self) {
        let count = u32::try_from(self.len()).expect("callers cap an intset at 2^30 integers");
        self.bytes[4..HEADER].copy_from_slice(&count.to_le_bytes());
    }

    /// All integers, ascending.
    pub fn iter(&self) -> Iter<'_> {
        self.view().iter()
    }

    #[inline(always)]
    fn width(&self) -> usize {
        self.view().width()
    }
}

impl<'a> IntsetRef<'a> {
    /// Bytes that were a sound intset's.
    pub fn new(bytes: &'a [u8]) -> IntsetRef<'a> {
        IntsetRef { bytes }
    }

    /// The stored form.
    pub fn as_bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// An intset of its own. O(n).
    pub fn to_owned(self) -> Intset {
        Intset { bytes: self.bytes.to_vec() }
    }

    #[inline(always)]
    fn width(self) -> usize {
        usize::from(self.bytes[0])
    }

    /// Number of integers. O(1).
    #[inline]
    pub fn len(self) -> usize {
        (self.bytes.len() - HEADER) / self.width()
    }

    /// Whether there are none. O(1).
    pub fn is_empty(self) -> bool {
        self.bytes.len() == HEADER
    }

    /// The integer with this rank; None beyond the end. O(1).
    #[inline]
    pub fn get(self, index: usize) -> Option<i64> {
        let width = self.width();
        let integer = self.bytes.get(HEADER + index * width..HEADER + (index + 1) * width)?;
        Some(match width {
            2 => read::<2>(integer),
            4 => read::<4>(integer),
            _ => read::<8>(integer),
        })
    }

    /// The least. O(1).
    pub fn min(self) -> Option<i64> {
        self.get(0)
    }

    /// The greatest. O(1).
    pub fn max(self) -> Option<i64> {
        self.get(self.len().checked_sub(1)?)
    }

    /// Where `n` is, or where it belongs. O(log n).
    #[inline]
    fn find(self, n: i64) -> Result<usize, usize> {
        let integers = &self.bytes[HEADER..];
        match self.width() {
            2 => search::<2>(integers, n),
            4 => search::<4>(integers, n),
            _ => search::<8>(integers, n),
        }
    }

    /// Whether `n` is in it. O(log n).
    #[inline]
    pub fn contains(self, n: i64) -> bool {
        self.find(n).is_ok()
    }

    /// All integers, ascending.
    pub fn iter(self) -> Iter<'a> {
        Iter { width: self.width(), rest: &self.bytes[HEADER..] }
    }
}

/// Integers, ascending.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    width: usize,
    rest: &'a [u8],
}

impl Iterator for Iter<'_> {
    type Item = i64;

    #[inline]
    fn next(&mut self) -> Option<i64> {
        let (integer, rest) = self.rest.split_at_checked(self.width)?;
        if integer.is_empty() {
            return None;
        }
        self.rest = rest;
        Some(match self.width {
            2 => read::<2>(integer),
            4 => read::<4>(integer),
            _ => read::<8>(integer),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ds::wheel::tests::rng;
    use std::collections::BTreeSet;

    fn of(integers: &[i64]) -> Intset {
        let mut set = Intset::new();
        integers.iter().for_each(|&n| assert!(set.insert(n)));
        set
    }

    /// The golden bytes pin the RDB contract, not this implementation.
    #[test]
    fn bytes_match_the_format() {
        assert_eq!(of(&[3, -2]).as_bytes(), b"\x02\0\0\0\x02\0\0\0\xfe\xff\x03\0");
        assert_eq!(of(&[1, 65_536]).as_bytes(), b"\x04\0\0\0\x02\0\0\0\x01\0\0\0\0\0\x01\0");
        let wide = of(&[i64::MIN, -1]);
        assert_eq!(wide.as_bytes()[..8], *b"\x08\0\0\0\x02\0\0\0");
        assert_eq!(wide.as_bytes()[8..16], i64::MIN.to_le_bytes());
        // Removing the wide one doesn't make the others narrow.
        let mut set = of(&[1, 65_536]);
        assert!(set.remove(65_536));
        assert_eq!(set.as_bytes(), b"\x04\0\0\0\x01\0\0\0\x01\0\0\0");
    }

    #[test]
    fn agrees_with_a_tree() {
        let mut rng = rng(3);
        let (mut set, mut model) = (Intset::new(), BTreeSet::new());
        let rounds = if cfg!(miri) { 2_000 } else { 1_000_000 };
        for round in 0..rounds {
            if round % 50_000 == 0 {
                (set, model) = (Intset::new(), BTreeSet::new());
            }
            // Widths come late, so that each is upgraded to from the one before.
            let shift = [56, 56, 40, 8][(round % 50_000 / 12_500) as usize] + rng() % 4;
            let n = rng() as i64 >> shift;
            match rng() % 4 {
                0 | 1 if model.len() < 300 => assert_eq!(set.insert(n), model.insert(n)),
                2 => assert_eq!(set.view().contains(n), model.contains(&n)),
                _ => {
                    let n = set.view().get(rng() as usize % set.len().max(1)).unwrap_or(n);
                    assert_eq!(set.remove(n), model.remove(&n));
                }
            }
            assert_eq!(set.len(), model.len());
            if round % 997 == 0 {
                assert!(set.iter().eq(model.iter().copied()));
                let ends = (model.first().copied(), model.last().copied());
                assert_eq!((set.view().min(), set.view().max()), ends);
                let again = Intset::from_untrusted(set.as_bytes().to_vec()).expect("sound");
                assert_eq!(again.as_bytes(), set.as_bytes());
            }
        }
    }

    #[test]
    fn hostile_bytes_are_refused() {
        let bad: [&[u8]; 7] = [
            b"",
            b"\x02\0\0\0\x01\0\0",
            b"\x02\0\0\0\x02\0\0\0\x03\0\xfe\xff",
            b"\x02\0\0\0\x02\0\0\0\x03\0\x03\0",
            b"\x02\0\0\0\x03\0\0\0\xfe\xff\x03\0",
            b"\x03\0\0\0\0\0\0\0",
            b"\x08\0\0\0\xff\xff\xff\xff",
        ];
        bad.iter().for_each(|b| assert!(Intset::from_untrusted(b.to_vec()).is_err(), "{b:?}"));
        assert!(Intset::from_untrusted(b"\x02\x01\0\0\0\0\0\0".to_vec()).is_err());
    }
}
