//! The allocator of the whole program: jemalloc with size classes every 8 bytes.
//!
//! Entries of the keyspace are laid out for classes of 24, 40 and 56 bytes. jemalloc has these only
//! when it is built with a quantum of 8 (`.cargo/config.toml`). Such a class does not keep 16-byte
//! alignment, and the binding asks for alignment only above 16. So a request with an alignment
//! above 8 is rounded up to a multiple of it, since those classes are aligned. (Hash tables of the
//! standard library ask for 16-byte alignment with sizes such as 52.)

// Implementing the allocator interface is unsafe by nature.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout};

use jemallocator::Jemalloc;

/// jemalloc, with alignments kept under a quantum of 8.
#[derive(Debug, Clone, Copy)]
pub struct Allocator;

/// What jemalloc is asked for; the same for the allocation and everything that follows.
#[inline]
fn asked(layout: Layout) -> Layout {
    if layout.align() <= 8 { layout } else { layout.pad_to_align() }
}

// SAFETY: every call goes to jemalloc with a layout at least as large and equally aligned, and
// always the same one for the same block.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract for `layout`, which rounding up does not break.
        unsafe { Jemalloc.alloc(asked(layout)) }
    }
    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { Jemalloc.alloc_zeroed(asked(layout)) }
    }
    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block was made with `asked(layout)`.
        unsafe { Jemalloc.dealloc(block, asked(layout)) }
    }
    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let old = asked(layout);
        let new_size = match layout.align() {
            0..=8 => new_size,
            align => new_size.next_multiple_of(align),
        };
        // SAFETY: as for `dealloc`; the size is not smaller than what the caller asked for.
        unsafe { Jemalloc.realloc(block, old, new_size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alignment_is_kept_at_every_size() {
        for align in [1, 2, 4, 8, 16, 32, 64, 4096] {
            for size in 1..300 {
                let layout = Layout::from_size_align(size, align).expect("valid");
                // Several at once: the first of a slab is aligned to everything.
                // SAFETY: each block is freed with the layout it was made with, and not used after.
                unsafe {
                    let blocks: Vec<*mut u8> = (0..5).map(|_| Allocator.alloc(layout)).collect();
                    for &block in &blocks {
                        assert_eq!(block.addr() % align, 0, "{size} bytes at {align}");
                        let grown = Allocator.realloc(block, layout, size + 40);
                        assert_eq!(grown.addr() % align, 0, "{size} + 40 bytes at {align}");
                        let layout = Layout::from_size_align(size + 40, align).expect("valid");
                        Allocator.dealloc(grown, layout);
                    }
                }
            }
        }
    }
}
