//! The allocator of an interpreter: counts its bytes, and can refuse to give more while a script
//! runs.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::ffi::c_void;
use std::ptr;

use super::Shared;

/// What Lua needs at most: it has doubles and pointers.
const ALIGN: usize = 8;
/// Blocks up to this size are copied when they grow or shrink.
const SMALL: usize = 1024;

#[derive(Debug)]
pub(super) struct Heap {
    used: usize,
    /// Most bytes while `strict`; 0: any number.
    limit: usize,
    /// The code of a script runs. What exceeds the limit then is an error of the script.
    pub(super) strict: bool,
}

impl Heap {
    pub(super) fn new(limit: usize) -> Heap {
        Heap { used: 0, limit, strict: false }
    }

    pub(super) fn used(&self) -> usize {
        self.used
    }

    /// Bytes up to the limit.
    pub(super) fn left(&self) -> usize {
        if self.limit == 0 { usize::MAX } else { self.limit.saturating_sub(self.used) }
    }

    /// Whether half of what the limit leaves above `kept` bytes is in use.
    pub(super) fn is_half_full_above(&self, kept: usize) -> bool {
        self.limit > 0 && self.used > kept + self.limit.saturating_sub(kept) / 2
    }

    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }
}

/// Gives, resizes or takes back memory, as Lua asks.
///
/// # Safety
/// As Lua calls it: `data` is the `Shared` of the state; `old` is null, or was given with
/// `old_size` bytes and is given up with the call, unless that fails.
pub(super) unsafe extern "C" fn allocate(
    data: *mut c_void,
    old: *mut c_void,
    old_size: usize,
    size: usize,
) -> *mut c_void {
    // SAFETY: the caller's promise. Nobody else holds a reference to the heap: those of `Shared`
    // are gone before Lua is called.
    let heap = unsafe { &mut (*data.cast::<Shared>()).heap };
    let old_size = if old.is_null() { 0 } else { old_size };
    let used = heap.used - old_size + size;
    if heap.strict && heap.limit > 0 && size > old_size && used > heap.limit {
        return ptr::null_mut();
    }
    let (Ok(before), Ok(after)) =
        (Layout::from_size_align(old_size, ALIGN), Layout::from_size_align(size, ALIGN))
    else {
        return ptr::null_mut();
    };
    // SAFETY: `before` is the layout that `old` was given with. Sizes of 0 are not passed on.
    let new = unsafe {
        match (old_size, size) {
            (0, 0) => return ptr::null_mut(),
            (0, _) => alloc(after),
            (_, 0) => {
                dealloc(old.cast(), before);
                heap.used = used;
                return ptr::null_mut();
            }
            // A table that grows by steps: to ask whether the allocator can make it longer where it
            // is takes longer than the copy.
            _ if old_size.max(size) <= SMALL => {
                let new = alloc(after);
                if !new.is_null() {
                    ptr::copy_nonoverlapping(old.cast::<u8>(), new, old_size.min(size));
                    dealloc(old.cast(), before);
                }
                new
            }
            _ => realloc(old.cast(), before, size),
        }
    };
    if new.is_null() {
        handle_alloc_error(after);
    }
    heap.used = used;
    new.cast()
}
