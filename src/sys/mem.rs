//! Memory figures: what jemalloc has handed out, what is resident, what the machine has.

// Raw counters of the allocator and sysconf have no safe wrapper.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};

use jemalloc_ctl::{epoch, raw, stats};

/// Bytes a thread has allocated and freed so far: two loads, for the check before each write.
///
/// jemalloc keeps these counters for every thread anyway. Reading them costs nothing and takes no
/// lock, unlike the figures of [`alloc_stats`], for which the reactor may wait milliseconds for the
/// allocator's own purging thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ThreadCounters {
    allocated: *const AtomicU64,
    freed: *const AtomicU64,
}

// SAFETY: the pointers are to words that are only ever read here, in one load each. The owner must
// not end before the last reader: `here` says so.
unsafe impl Send for ThreadCounters {}

impl ThreadCounters {
    /// Counters of the calling thread, which must live as long as they are read; None where the
    /// allocator keeps none.
    pub(crate) fn here() -> Option<ThreadCounters> {
        // SAFETY: both names have a pointer to a 64-bit counter as their value.
        let pointer = |name: &'static [u8]| unsafe { raw::read::<*const AtomicU64>(name) };
        let allocated = pointer(b"thread.allocatedp\0").ok()?;
        let freed = pointer(b"thread.deallocatedp\0").ok()?;
        (!allocated.is_null() && !freed.is_null()).then_some(ThreadCounters { allocated, freed })
    }

    /// Allocated minus freed by that thread. Wraps when it frees what others have made, so the sum
    /// over all threads means something, and differences between two readings.
    #[inline]
    pub(crate) fn net(&self) -> u64 {
        // SAFETY: the counters are aligned 64-bit words in the thread's own static memory, which
        // lives as long as the thread does.
        let load = |counter: *const AtomicU64| unsafe { (*counter).load(Ordering::Relaxed) };
        load(self.allocated).wrapping_sub(load(self.freed))
    }
}

/// What the allocator says, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AllocStats {
    pub allocated: u64,
    pub active: u64,
    pub resident: u64,
}

/// Fresh figures from the allocator (advances its epoch first; tens of microseconds).
pub(crate) fn alloc_stats() -> AllocStats {
    let _ = epoch::advance();
    let get = |r: Result<usize, _>| r.map_or(0, |n| n as u64);
    AllocStats {
        allocated: get(stats::allocated::read()),
        active: get(stats::active::read()),
        resident: get(stats::resident::read()),
    }
}

/// Name and version as INFO prints them: `jemalloc-5.3.0`.
pub(crate) fn allocator() -> String {
    let version = jemalloc_ctl::version::read().unwrap_or("unknown");
    format!("jemalloc-{}", version.split('-').next().unwrap_or(version))
}

/// Gives unused dirty pages of all arenas back to the system.
pub(crate) fn purge() {
    // The number 4096 stands for all arenas.
    let _ = crate::sys::mallctl::act(b"arena.4096.purge");
}

/// Gives back to the allocator what the calling thread has freed and keeps for its next requests.
/// Such memory counts as allocated in [`alloc_stats`].
pub(crate) fn flush_cache() {
    let _ = crate::sys::mallctl::act(b"thread.tcache.flush");
}

/// Switches the allocator's own purging thread.
pub(crate) fn background_thread(on: bool) {
    let _ = jemalloc_ctl::background_thread::write(on);
}

/// The allocator's report in full, as MEMORY MALLOC-STATS prints it.
pub(crate) fn malloc_stats() -> String {
    let mut out = Vec::new();
    match jemalloc_ctl::stats_print::stats_print(&mut out, Default::default()) {
        Ok(()) => String::from_utf8_lossy(&out).into_owned(),
        Err(e) => format!("the allocator's report can't be had: {e}"),
    }
}

/// Resident set of this process in bytes, from /proc; 0 where there is none.
pub(crate) fn rss() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = text.split(' ').nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
    pages * page_size()
}

/// Bytes that a field of /proc/self/smaps_rollup sums to (`Private_Dirty`, `AnonHugePages`).
pub(crate) fn smaps(field: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix(field)?.strip_prefix(':'));
    let kb = line.and_then(|l| l.trim().split(' ').next()?.parse::<u64>().ok());
    kb.unwrap_or(0) * 1024
}

pub(crate) fn page_size() -> u64 {
    // SAFETY: sysconf reads a constant of the system.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as u64 }
}

/// Physical memory of the machine in bytes.
pub(crate) fn total() -> u64 {
    // SAFETY: as above.
    unsafe { libc::sysconf(libc::_SC_PHYS_PAGES) as u64 * page_size() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_thread_can_read_the_counters() {
        let before = ThreadCounters::here().expect("jemalloc keeps them").net();
        let counters = ThreadCounters::here().expect("jemalloc keeps them");
        // The test's own allocations go to the system, so jemalloc is asked directly.
        let layout = std::alloc::Layout::from_size_align(1 << 16, 8).expect("valid");
        // SAFETY: the block is freed with the layout it was made with.
        let block =
            unsafe { std::alloc::GlobalAlloc::alloc(&crate::sys::alloc::Allocator, layout) };
        let seen =
            std::thread::scope(|s| s.spawn(move || counters.net()).join().expect("no panic"));
        assert!(seen.wrapping_sub(before) >= 1 << 16);
        // SAFETY: as above.
        unsafe { std::alloc::GlobalAlloc::dealloc(&crate::sys::alloc::Allocator, block, layout) };
    }

    #[test]
    fn purging_gives_pages_back() {
        // Smaller blocks than those that are given back at once.
        let layout = std::alloc::Layout::from_size_align(1 << 20, 8).expect("valid");
        let allocator = crate::sys::alloc::Allocator;
        // SAFETY: each block is written within its size, and freed with the layout it was made
        // with.
        unsafe {
            use std::alloc::GlobalAlloc;
            let blocks: Vec<*mut u8> = (0..64).map(|_| allocator.alloc(layout)).collect();
            blocks.iter().for_each(|block| block.write_bytes(1, layout.size()));
            blocks.iter().for_each(|block| allocator.dealloc(*block, layout));
        }
        let before = alloc_stats().resident;
        purge();
        let after = alloc_stats().resident;
        assert!(after + (32 << 20) < before, "{before} bytes were resident, then {after}");
    }

    #[test]
    fn figures_are_plausible() {
        assert!(rss() > 1 << 20 && total() > rss());
        assert!(smaps("Private_Dirty") > 0);
        assert!(page_size().is_power_of_two());
    }
}
