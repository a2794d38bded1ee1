//! Leaves: packed addresses in order.

use super::{Cut, Elements};
use crate::ds::dict::prefetch;

/// Elements of a leaf: with their number they make 512 bytes, a size class.
pub(super) const LEAF: usize = 85;
const _: () = assert!(size_of::<Leaf>() == 512);

/// An address below 2^48, little-endian.
pub(super) type Packed = [u8; 6];

pub(super) fn pack(at: u64) -> Packed {
    let [a, b, c, d, e, f, 0, 0] = at.to_le_bytes() else { panic!("an address above 2^48") };
    [a, b, c, d, e, f]
}

#[inline(always)]
pub(super) fn unpack([a, b, c, d, e, f]: Packed) -> u64 {
    u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
}

/// Asks for the head of an element: its score.
#[inline(always)]
fn prefetch_head(at: Packed) {
    prefetch(std::ptr::without_provenance(unpack(at) as usize));
}

/// Asks for a whole element of common size, which may lie on two lines.
#[inline(always)]
pub(super) fn prefetch_whole(at: Packed) {
    prefetch_head(at);
    prefetch(std::ptr::without_provenance(unpack(at) as usize + 31));
}

/// Up to `LEAF` addresses.
pub(super) struct Leaf {
    len: u16,
    at: [Packed; LEAF],
}

/// Parts that a search in a leaf is cut into at first, their borders prefetched together.
const PARTS: usize = 8;

impl Leaf {
    pub(super) fn of(items: &[Packed]) -> Box<Leaf> {
        let mut leaf = Box::new(Leaf { len: 0, at: [[0; 6]; LEAF] });
        leaf.set(items);
        leaf
    }

    /// Replaces all items.
    pub(super) fn set(&mut self, items: &[Packed]) {
        self.at[..items.len()].copy_from_slice(items);
        self.len = items.len() as u16;
    }

    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        usize::from(self.len)
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() == LEAF
    }

    #[inline(always)]
    pub(super) fn items(&self) -> &[Packed] {
        &self.at[..self.len()]
    }

    /// Puts an address before the one at `pos`; there is room.
    pub(super) fn insert(&mut self, pos: usize, at: u64) {
        let len = self.len();
        self.at.copy_within(pos..len, pos + 1);
        self.at[pos] = pack(at);
        self.len += 1;
    }

    /// Removes `n` addresses from `pos` on.
    pub(super) fn remove(&mut self, pos: usize, n: usize) {
        let len = self.len();
        self.at.copy_within(pos + n..len, pos);
        self.len -= n as u16;
    }

    /// Appends the items of a leaf for which there is room.
    pub(super) fn append(&mut self, other: &Leaf) {
        let len = self.len();
        self.at[len..len + other.len()].copy_from_slice(other.items());
        self.len += other.len;
    }

    /// Number of elements before the cut. O(log n), and about two cache misses deep.
    #[inline]
    pub(super) fn rank(&self, elements: &impl Elements, cut: &impl Cut) -> usize {
        let items = self.items();
        let is_before = |&packed: &Packed| {
            let at = unpack(packed);
            cut.follows(elements.score(at), || elements.member(at))
        };
        let part = items.len() / PARTS;
        if part < 2 {
            items.iter().for_each(|&at| prefetch_head(at));
            return items.partition_point(is_before);
        }
        for i in 1..PARTS {
            prefetch_head(items[i * part]);
        }
        // The last of the borders that is before the cut.
        let (mut low, mut high) = (0, PARTS);
        while high - low > 1 {
            let middle = (low + high) / 2;
            if is_before(&items[middle * part]) { low = middle } else { high = middle }
        }
        let from = low * part;
        let to = if high == PARTS { items.len() } else { high * part };
        let rest = &items[from..to];
        rest.iter().for_each(|&at| prefetch_head(at));
        from + rest.partition_point(is_before)
    }
}
