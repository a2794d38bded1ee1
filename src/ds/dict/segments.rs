//! Where the buckets live: segments of 256 KiB under a small directory.
//!
//! A table grows by one bucket at a time and must neither move nor reserve much. So buckets come in
//! segments that never move; only the first segment, while it is the only one, is reallocated in
//! steps of a quarter, so that a tiny table owns one cache line and no directory to speak of.
//! Fresh segments are zeroed by the allocator (untouched pages stay non-resident), and all zeroes
//! is an empty bucket.
//!
//! Invariants:
//!
//! - S1  bucket `i < capacity()` is at `dir[i / SEGMENT] + i % SEGMENT`, initialised;
//! - S2  every segment has `SEGMENT` buckets, except a lone first one, which has `capacity()`.

#![allow(unsafe_code)] // Raw segments, so that they can be reallocated and zeroed in place.

use super::node::{NODE_BYTES, Node};
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error, realloc};
use std::ptr::NonNull;

/// Buckets of a segment.
pub(super) const SEGMENT: usize = 4096;
const SHIFT: u32 = SEGMENT.trailing_zeros();

/// The array of buckets.
#[derive(Default)]
pub(super) struct Segments {
    dir: Vec<NonNull<u8>>,
    capacity: usize,
}

impl Segments {
    /// Buckets there is memory for.
    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Allocated bytes, the directory included. O(1).
    pub(super) fn bytes(&self) -> usize {
        self.capacity * NODE_BYTES + self.dir.capacity() * size_of::<NonNull<u8>>()
    }

    /// Bucket `i`. Panics if there is no memory for it.
    #[inline(always)]
    pub(super) fn bucket(&self, i: usize) -> Node {
        assert!(i < self.capacity, "no such bucket");
        // SAFETY: just looked at.
        unsafe { self.bucket_unchecked(i) }
    }

    /// Bucket `i`, for the way of each lookup.
    ///
    /// # Safety
    /// `i` is below `capacity`.
    #[inline(always)]
    pub(super) unsafe fn bucket_unchecked(&self, i: usize) -> Node {
        debug_assert!(i < self.capacity);
        // SAFETY: S1 -- the caller's promise; so the bucket lies in the segment that the directory
        // has at its place.
        unsafe { Node::bucket(self.dir.get_unchecked(i >> SHIFT).add((i % SEGMENT) * NODE_BYTES)) }
    }

    /// Makes room for one bucket more, at least.
    #[cold]
    pub(super) fn grow(&mut self) {
        if self.capacity >= SEGMENT {
            self.dir.push(allocate(SEGMENT));
            self.capacity += SEGMENT;
        } else if self.capacity == 0 {
            self.dir.reserve_exact(1);
            self.dir.push(allocate(1));
            self.capacity = 1;
        } else {
            self.resize_first((self.capacity + self.capacity.div_ceil(4)).min(SEGMENT));
        }
    }

    /// Gives back memory that a table of `buckets` doesn't need, keeping some slack so that a table
    /// that grows and shrinks by a bucket doesn't allocate each time.
    #[inline]
    pub(super) fn shrink(&mut self, buckets: usize) {
        if self.capacity > SEGMENT {
            if buckets + SEGMENT + SEGMENT / 2 <= self.capacity {
                self.pop_segment();
            }
        } else if buckets * 2 < self.capacity {
            self.resize_first(buckets + buckets.div_ceil(4));
        }
    }

    #[cold]
    fn pop_segment(&mut self) {
        if let Some(segment) = self.dir.pop() {
            // SAFETY: S2 -- one of several segments has the full size.
            unsafe { dealloc(segment.as_ptr(), layout(SEGMENT)) };
            self.capacity -= SEGMENT;
        }
    }

    #[cold]
    fn resize_first(&mut self, buckets: usize) {
        let (old, new) = (layout(self.capacity), layout(buckets));
        // SAFETY: S2 -- the lone segment was allocated with `old`; the part beyond it is zeroed
        // before anything can read it.
        unsafe {
            let at = realloc(self.dir[0].as_ptr(), old, new.size());
            let Some(at) = NonNull::new(at) else { handle_alloc_error(new) };
            if new.size() > old.size() {
                at.add(old.size()).write_bytes(0, new.size() - old.size());
            }
            self.dir[0] = at;
        }
        self.capacity = buckets;
    }
}

impl Drop for Segments {
    fn drop(&mut self) {
        let each = self.capacity.min(SEGMENT);
        for segment in self.dir.drain(..) {
            // SAFETY: S2 -- the size of each segment.
            unsafe { dealloc(segment.as_ptr(), layout(each)) }
        }
    }
}

fn allocate(buckets: usize) -> NonNull<u8> {
    let layout = layout(buckets);
    // SAFETY: the layout has a size.
    match NonNull::new(unsafe { alloc_zeroed(layout) }) {
        Some(at) => at,
        None => handle_alloc_error(layout),
    }
}

fn layout(buckets: usize) -> Layout {
    Layout::from_size_align(buckets * NODE_BYTES, NODE_BYTES).expect("at most 256 KiB")
}
