//! The buckets of the table: one cache line each, with room for nine items.
//!
//! ```text
//! full node, 64 bytes, aligned 64          half node, 32 bytes, aligned 32 (overflow only)
//!   0..54   nine packed pointers, 6 bytes     0..24   four packed pointers
//!  54..63   nine tags, 0 = slot is free      24..28   four tags
//!  63       link: 0 none, 1 full, 2 half     28..32   unused
//! ```
//!
//! A user-space address has 47 or 48 significant bits, so six bytes hold a pointer. A tag is one
//! byte of the hash, never 0; all tags of a node are compared by one SSE2 instruction, and a key is
//! only looked at where its tag agrees (one false match in 28 lookups of a full node).
//!
//! A *chain* is a bucket and the overflow nodes behind it. When a tenth item comes, slot 8 becomes
//! the link: its item moves to the new node. An overflow node starts as a half one and is exchanged
//! for a full one when a fifth item comes, which halves what the overflow costs.
//!
//! Invariants:
//!
//! - N1  a `Node` value names a live node of its kind: it is made from a segment or from a link,
//!   and not kept across an operation that may free it;
//! - N2  a linked node holds exactly eight items, in slots 0 to 7, and tag 8 is 0;
//! - N3  the last node of a chain, unless it is the bucket itself, holds two items at least;
//! - N4  a half node has no link.

#![allow(unsafe_code)] // Packed pointers and links between nodes; fenced in by N1 to N4.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

/// Bytes of a full node, and of a bucket.
pub(super) const NODE_BYTES: usize = 64;
/// Bytes of a half node.
pub(super) const HALF_BYTES: usize = 32;
/// Slots of a full node.
pub(super) const SLOTS: usize = 9;
const HALF_SLOTS: usize = 4;
const LINK_SLOT: usize = SLOTS - 1;
const TAGS: usize = 54;
const HALF_TAGS: usize = 24;
const META: usize = 63;
const ADDRESS: u64 = (1 << 48) - 1;

/// An item as the table holds it: a non-null address below 2^48.
pub(super) type Raw = u64;

/// Brings the cache line at `at` closer; any address will do, it is never read.
#[inline(always)]
pub(crate) fn prefetch(at: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch is a hint and faults on no address.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(at.cast());
    }
    #[cfg(all(target_arch = "aarch64", not(miri)))]
    // SAFETY: a prefetch is a hint and faults on no address.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{0}]", in(reg) at,
                        options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = at;
}

/// A live node (N1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Node {
    at: NonNull<u8>,
    half: bool,
}

impl Node {
    /// The bucket at this address.
    ///
    /// # Safety
    /// `at` points to 64 initialised, 64-aligned bytes that form a full node and stay so (N1).
    #[inline(always)]
    pub(super) unsafe fn bucket(at: NonNull<u8>) -> Node {
        Node { at, half: false }
    }

    pub(super) fn is_half(self) -> bool {
        self.half
    }

    pub(super) fn address(self) -> *const u8 {
        self.at.as_ptr()
    }

    fn slots(self) -> usize {
        if self.half { HALF_SLOTS } else { SLOTS }
    }

    #[inline(always)]
    fn byte(self, at: usize) -> *mut u8 {
        debug_assert!(at < if self.half { HALF_BYTES } else { NODE_BYTES });
        // SAFETY: N1 -- the offset stays inside the node.
        unsafe { self.at.as_ptr().add(at) }
    }

    fn tag_at(self, slot: usize) -> *mut u8 {
        self.byte(if self.half { HALF_TAGS } else { TAGS } + slot)
    }

    /// One bit for each slot whose tag is `tag`.
    #[inline(always)]
    pub(super) fn matches(self, tag: u8) -> u32 {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{
                _mm_cmpeq_epi8, _mm_load_si128, _mm_movemask_epi8, _mm_set1_epi8,
            };
            // The tags sit in the last 16 bytes of the node, behind 6 (or 8) bytes of pointers.
            let (group, before, all) = if self.half { (16, 8, 0xf) } else { (48, 6, 0x1ff) };
            // SAFETY: N1 -- 16 aligned bytes inside the node; SSE2 is part of x86-64.
            let equal = unsafe {
                let tags = _mm_load_si128(self.byte(group).cast_const().cast());
                _mm_movemask_epi8(_mm_cmpeq_epi8(tags, _mm_set1_epi8(tag as i8)))
            };
            (equal as u32 >> before) & all
        }
        #[cfg(not(target_arch = "x86_64"))]
        self.matches_portable(tag)
    }

    /// `matches` without vector instructions.
    #[cfg(any(test, not(target_arch = "x86_64")))]
    pub(super) fn matches_portable(self, tag: u8) -> u32 {
        (0..self.slots()).fold(0, |mask, slot| mask | u32::from(self.tag(slot) == tag) << slot)
    }

    /// One bit for each slot that holds an item.
    #[inline(always)]
    pub(super) fn used(self) -> u32 {
        !self.matches(0) & ((1 << self.slots()) - 1)
    }

    pub(super) fn count(self) -> usize {
        self.used().count_ones() as usize
    }

    fn free_slot(self) -> Option<usize> {
        let linkable = if self.next().is_some() { (1 << LINK_SLOT) - 1 } else { u32::MAX };
        let free = self.matches(0) & linkable;
        (free != 0).then(|| free.trailing_zeros() as usize)
    }

    /// The tag of `slot`. Panics if the node has no such slot.
    pub(super) fn tag(self, slot: usize) -> u8 {
        assert!(slot < self.slots(), "no such slot");
        // SAFETY: N1 -- inside the node.
        unsafe { *self.tag_at(slot) }
    }

    /// The six bytes of `slot`, whatever they are.
    ///
    /// # Safety
    /// The node has such a slot, and lives (N1).
    #[inline(always)]
    pub(super) unsafe fn raw(self, slot: usize) -> Raw {
        debug_assert!(slot < self.slots());
        // SAFETY: N1, and the caller's promise -- the last slot ends at least two bytes before the
        // end of the node.
        u64::from_le(unsafe { self.byte(slot * 6).cast::<u64>().read_unaligned() }) & ADDRESS
    }

    /// Replaces the six bytes of `slot`; the tag stays.
    ///
    /// # Safety
    /// The node has such a slot, and lives (N1).
    #[inline(always)]
    pub(super) unsafe fn set_raw(self, slot: usize, raw: Raw) {
        debug_assert!(slot < self.slots() && raw != 0 && raw <= ADDRESS);
        // SAFETY: N1, and the caller's promise -- six bytes inside the node.
        unsafe {
            self.byte(slot * 6).cast::<u32>().write_unaligned((raw as u32).to_le());
            self.byte(slot * 6 + 4).cast::<u16>().write_unaligned(((raw >> 32) as u16).to_le());
        }
    }

    /// Replaces the tag of `slot`.
    ///
    /// # Safety
    /// The node has such a slot, and lives (N1).
    unsafe fn set_tag(self, slot: usize, tag: u8) {
        debug_assert!(slot < self.slots());
        // SAFETY: N1, and the caller's promise -- inside the node.
        unsafe { *self.tag_at(slot) = tag }
    }

    /// Fills `slot`.
    ///
    /// # Safety
    /// The node has such a slot, and lives (N1).
    unsafe fn put(self, slot: usize, tag: u8, raw: Raw) {
        // SAFETY: the caller's promise.
        unsafe {
            self.set_raw(slot, raw);
            self.set_tag(slot, tag);
        }
    }

    /// The next node of the chain.
    #[inline(always)]
    pub(super) fn next(self) -> Option<Node> {
        if self.half {
            return None; // N4
        }
        // SAFETY: N1 -- inside the node.
        let link = unsafe { *self.byte(META) };
        if link == 0 {
            return None;
        }
        // SAFETY: N1 -- a full node, which has nine slots.
        let raw = unsafe { self.raw(LINK_SLOT) };
        let at = std::ptr::with_exposed_provenance_mut(raw as usize);
        Some(Node { at: NonNull::new(at)?, half: link == 2 })
    }

    fn set_next(self, next: Option<Node>) {
        assert!(!self.half, "N4");
        let (link, address) = match next {
            None => (0, None),
            Some(node) => (if node.half { 2 } else { 1 }, Some(expose(node.at))),
        };
        // SAFETY: N1 -- a full node, which has nine slots and the byte behind them.
        unsafe {
            self.set_tag(LINK_SLOT, 0);
            if let Some(raw) = address {
                self.set_raw(LINK_SLOT, raw);
            }
            *self.byte(META) = link;
        }
    }

    /// The node's items as they are now: `(slot, tag, raw)`.
    pub(super) fn items(self) -> impl Iterator<Item = (usize, u8, Raw)> {
        // SAFETY: N1 -- `used` names slots that the node has.
        Bits(self.used()).map(move |slot| (slot, self.tag(slot), unsafe { self.raw(slot) }))
    }

    /// Prefetches the first line of every item of the chain.
    pub(super) fn prefetch_items(self) {
        let mut node = Some(self);
        while let Some(n) = node {
            for (_, _, raw) in n.items() {
                prefetch(std::ptr::without_provenance(raw as usize));
            }
            node = n.next();
        }
    }
}

/// The address of a pointer, in a form the table can keep.
#[inline(always)]
pub(super) fn expose(at: NonNull<u8>) -> Raw {
    let raw = at.as_ptr().expose_provenance() as u64;
    assert!(raw <= ADDRESS, "an address above 2^48");
    raw
}

/// The set bits of a mask, lowest first.
pub(super) struct Bits(pub(super) u32);

impl Iterator for Bits {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let bit = self.0.trailing_zeros();
        self.0 &= self.0 - 1;
        Some(bit as usize)
    }
}

/// How deep `Overflow` counts exactly.
const DEPTHS: usize = 16;

/// The overflow nodes of one table: makes them, frees them, counts them.
#[derive(Default)]
pub(super) struct Overflow {
    pub(super) full: usize,
    pub(super) half: usize,
    /// `at_depth[d]`: overflow nodes that are the d-th of their chain (1 is the first); the last
    /// element counts all deeper ones.
    ///
    /// None while no node ever was: most tables of a few items have none, and there are many of
    /// those.
    at_depth: Option<Box<[usize; DEPTHS]>>,
    /// No chain has ever had more overflow nodes than this.
    deepest: usize,
}

impl Overflow {
    /// No chain has more overflow nodes than this. O(1).
    pub(super) fn max_depth(&self) -> usize {
        let Some(at_depth) = &self.at_depth else { return 0 };
        if at_depth[DEPTHS - 1] > 0 {
            return self.deepest;
        }
        at_depth.iter().rposition(|&n| n > 0).unwrap_or(0)
    }

    pub(super) fn bytes(&self) -> usize {
        self.full * NODE_BYTES + self.half * HALF_BYTES
    }

    /// Bytes of the counters.
    pub(super) fn counters_bytes(&self) -> usize {
        self.at_depth.as_ref().map_or(0, |counters| size_of_val(&**counters))
    }

    /// Adds an item to the chain of `head`, which doesn't hold it yet.
    #[inline]
    pub(super) fn add(&mut self, head: Node, tag: u8, raw: Raw) {
        debug_assert!(tag != 0);
        match head.free_slot() {
            // SAFETY: N1 -- a slot that the node has.
            Some(slot) => unsafe { head.put(slot, tag, raw) },
            None => self.add_behind(head, tag, raw),
        }
    }

    fn add_behind(&mut self, head: Node, tag: u8, raw: Raw) {
        let (mut before, mut last, mut depth) = (None, head, 0);
        while let Some(next) = last.next() {
            (before, last, depth) = (Some(last), next, depth + 1);
        }
        if let Some(slot) = last.free_slot() {
            // SAFETY: N1 -- a slot that the node has.
            unsafe { last.put(slot, tag, raw) };
        } else if last.half {
            let before = before.expect("a half node is never a bucket");
            let full = self.exchange(before, last, false);
            // SAFETY: a full node, just made: it has a fifth slot.
            unsafe { full.put(HALF_SLOTS, tag, raw) };
        } else {
            let node = self.make(true, depth + 1);
            // SAFETY: a node just made has two slots; the last one is full, so it has nine.
            unsafe {
                node.put(0, last.tag(LINK_SLOT), last.raw(LINK_SLOT));
                node.put(1, tag, raw);
            }
            last.set_next(Some(node));
        }
    }

    /// Takes the item in `slot` of `node`, which is in the chain of `head`, out of the chain.
    ///
    /// # Safety
    /// The node is in that chain, and holds an item there.
    #[inline]
    pub(super) unsafe fn take(&mut self, head: Node, node: Node, slot: usize) -> Raw {
        // SAFETY: the caller's promise.
        let raw = unsafe { node.raw(slot) };
        // SAFETY: the same.
        unsafe { node.set_tag(slot, 0) };
        if head.next().is_some() {
            self.tidy(head, node, slot);
        }
        raw
    }

    /// Restores N2 and N3 after `slot` of `hole` was emptied in a chain that has overflow.
    fn tidy(&mut self, head: Node, hole: Node, slot: usize) {
        let (mut before, mut last, mut depth) = (head, head, 0);
        while let Some(next) = last.next() {
            (before, last, depth) = (last, next, depth + 1);
        }
        if hole != last
            && let Some((from, tag, raw)) = last.items().next()
        {
            // SAFETY: N1 -- an item was in the one, and is in the other.
            unsafe {
                hole.put(slot, tag, raw);
                last.set_tag(from, 0);
            }
        }
        let count = last.count();
        if count == 1
            && let Some((_, tag, raw)) = last.items().next()
        {
            before.set_next(None);
            // SAFETY: N4 -- a node that had a link is full.
            unsafe { before.put(LINK_SLOT, tag, raw) };
            self.free(last, depth);
        } else if count < HALF_SLOTS && !last.half {
            self.exchange(before, last, true);
        }
    }

    /// Replaces `old`, the last node of its chain, by one of the other kind with the same items.
    fn exchange(&mut self, before: Node, old: Node, half: bool) -> Node {
        let new = self.allocate(half);
        for (slot, (_, tag, raw)) in old.items().enumerate() {
            // SAFETY: a half node takes the place of one with fewer items than it has slots.
            unsafe { new.put(slot, tag, raw) };
        }
        before.set_next(Some(new));
        self.release(old);
        new
    }

    /// Empties the bucket `head`, handing each item of its chain to `each`, which must not touch
    /// this bucket's old overflow nodes (it can't reach them) but may add to any bucket.
    pub(super) fn empty(&mut self, head: Node, mut each: impl FnMut(&mut Overflow, u8, Raw)) {
        let mut items = [(0u8, 0u64); SLOTS];
        let (mut node, mut depth) = (head, 0);
        loop {
            let next = node.next();
            let mut count = 0;
            for (_, tag, raw) in node.items() {
                items[count] = (tag, raw);
                count += 1;
            }
            if depth == 0 {
                // SAFETY: N1 -- all of the bucket; zeroes are an empty node.
                unsafe { head.at.as_ptr().write_bytes(0, NODE_BYTES) };
            } else {
                self.free(node, depth);
            }
            for &(tag, raw) in &items[..count] {
                each(self, tag, raw);
            }
            match next {
                Some(n) => (node, depth) = (n, depth + 1),
                None => break,
            }
        }
    }

    fn make(&mut self, half: bool, depth: usize) -> Node {
        self.at_depth.get_or_insert_default()[depth.min(DEPTHS - 1)] += 1;
        self.deepest = self.deepest.max(depth);
        self.allocate(half)
    }

    fn free(&mut self, node: Node, depth: usize) {
        self.at_depth.get_or_insert_default()[depth.min(DEPTHS - 1)] -= 1;
        self.release(node);
    }

    fn allocate(&mut self, half: bool) -> Node {
        *(if half { &mut self.half } else { &mut self.full }) += 1;
        let layout = layout(half);
        // SAFETY: the layout has a size; zeroes are an empty node.
        match NonNull::new(unsafe { alloc_zeroed(layout) }) {
            Some(at) => Node { at, half },
            None => handle_alloc_error(layout),
        }
    }

    fn release(&mut self, node: Node) {
        *(if node.half { &mut self.half } else { &mut self.full }) -= 1;
        // SAFETY: N1 -- an overflow node, allocated by `allocate` with this layout.
        unsafe { dealloc(node.at.as_ptr(), layout(node.half)) }
    }
}

fn layout(half: bool) -> Layout {
    let bytes = if half { HALF_BYTES } else { NODE_BYTES };
    Layout::from_size_align(bytes, bytes).expect("32 and 64 are powers of two")
}
