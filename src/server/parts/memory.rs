//! How much memory is in use: exact at any moment for `maxmemory`, and as INFO last saw it.

use crate::sys::mem::{self, ThreadCounters};
use crate::util::lines::Lines;

/// What the memory checks need on every write.
#[derive(Default)]
pub(crate) struct Memory {
    /// Counters of the reactor and of the helper threads that run from the start, or were adopted.
    /// No other thread keeps memory for long.
    pub counters: Vec<ThreadCounters>,
    /// Allocated bytes of the process minus the sum of the counters, at start.
    pub base: u64,
    pub at_start: u64,
    pub peak: u64,
    /// What INFO shows as used: read before the reply takes memory itself.
    pub shown: u64,
    /// The allocator's figures and the resident set when INFO last asked for them.
    pub stats: crate::sys::mem::AllocStats,
    pub rss: u64,
    /// When the allocator was last asked for a scrape.
    asked_ms: i64,
}

impl Memory {
    /// Starts counting from what is allocated now.
    pub(crate) fn start(counters: Vec<ThreadCounters>) -> Memory {
        // What the start has freed would else count as used for ever.
        mem::flush_cache();
        let mut memory = Memory { counters, ..Memory::default() };
        memory.refresh();
        memory.base = memory.stats.allocated.wrapping_sub(memory.used());
        memory.at_start = memory.used();
        memory.peak = memory.at_start;
        memory
    }

    /// Another thread keeps memory from now on.
    pub(crate) fn adopt(&mut self, counters: Option<ThreadCounters>) {
        if let Some(counters) = counters {
            self.base = self.base.wrapping_sub(counters.net());
            self.counters.push(counters);
        }
    }

    /// Bytes allocated now: four loads, exact.
    #[inline]
    pub(crate) fn used(&self) -> u64 {
        self.counters.iter().fold(self.base, |sum, c| sum.wrapping_add(c.net()))
    }

    /// INFO memory: what the allocator holds, and what the machine has.
    pub(crate) fn info(&self, o: &mut Lines) {
        o.add("allocator_allocated", self.stats.allocated);
        o.add("allocator_active", self.stats.active);
        o.add("allocator_resident", self.stats.resident);
        o.size("total_system_memory", mem::total());
    }

    /// INFO memory: what is lost between the figures.
    pub(crate) fn info_fragmentation(&self, o: &mut Lines) {
        let s = &self.stats;
        for (name, more, less) in [
            ("allocator_frag", s.active, s.allocated),
            ("allocator_rss", s.resident, s.active),
            ("rss_overhead", self.rss, s.resident),
            ("mem_fragmentation", self.rss, self.shown),
        ] {
            o.ratio(&format!("{name}_ratio"), more, less);
            o.add(&format!("{name}_bytes"), more as i64 - less as i64);
        }
    }

    /// Notes how much memory is in use now, at a moment when much of it may soon be free again.
    pub(crate) fn note_peak(&mut self) {
        self.peak = self.peak.max(self.used());
    }

    /// The figures for a scrape. The allocator is asked once a second at most.
    pub(crate) fn refresh_for_metrics(&mut self, now_ms: i64) {
        if now_ms - self.asked_ms >= 1000 {
            self.asked_ms = now_ms;
            return self.refresh();
        }
        self.shown = self.used();
        self.rss = crate::sys::mem::rss();
        self.peak = self.peak.max(self.shown);
    }

    /// Asks the allocator for its figures. Not for the reactor's regular work: it can take
    /// milliseconds while the allocator gives pages back.
    pub(crate) fn refresh(&mut self) {
        self.shown = self.used();
        self.stats = crate::sys::mem::alloc_stats();
        self.rss = crate::sys::mem::rss();
        self.peak = self.peak.max(self.shown);
    }
}
