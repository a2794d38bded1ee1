//! Time as commands and timers see it: read once a turn, and again after anything slow.

use crate::sys::clock::{Stopwatch, wall_ms, wall_us};
use crate::util::lines::Lines;

/// Time as the server sees it: read once a turn, and again after anything slow.
#[derive(Debug)]
pub(crate) struct Clock {
    pub now_ms: i64,
    pub watch: Stopwatch,
    /// Reading of the stopwatch at the end of the latest command: the start of the next.
    pub ticks: u64,
}

impl Clock {
    pub(crate) fn new() -> Clock {
        let watch = Stopwatch::calibrate();
        let now_ms = wall_ms();
        Clock { now_ms, watch, ticks: watch.ticks() }
    }
    /// INFO server: what measures time.
    pub(crate) fn info(&self, o: &mut Lines) {
        o.add("monotonic_clock", self.watch.name());
    }
    /// INFO server: what time it is.
    pub(crate) fn info_time(&self, o: &mut Lines) {
        o.add("server_time_usec", wall_us());
    }
    /// INFO server: what time it is to eviction.
    pub(crate) fn info_lru(&self, o: &mut Lines) {
        o.add("lru_clock", access_clock(self.now_ms, false));
    }
    pub(crate) fn refresh(&mut self) {
        self.now_ms = wall_ms();
        self.ticks = self.watch.ticks();
    }
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::new()
    }
}

/// Seconds for LRU, minutes for LFU.
pub(crate) fn access_clock(now_ms: i64, lfu: bool) -> u32 {
    if lfu { (now_ms / 60_000) as u32 & 0xffff } else { (now_ms / 1000) as u32 & 0xff_ffff }
}
