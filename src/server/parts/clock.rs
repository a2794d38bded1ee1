//! Time as commands and timers see it: read once a turn, and again after anything slow.

use crate::sys::clock::{Stopwatch, wall_ms};

/// Time as the server sees it: read once a turn, and again after anything slow.
#[derive(Debug)]
pub struct Clock {
    pub now_ms: i64,
    pub watch: Stopwatch,
    /// Reading of the stopwatch at the end of the latest command: the start of the next.
    pub ticks: u64,
}

impl Clock {
    pub fn new() -> Clock {
        let watch = Stopwatch::calibrate();
        let now_ms = wall_ms();
        Clock { now_ms, watch, ticks: watch.ticks() }
    }
    pub fn refresh(&mut self) {
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
pub fn access_clock(now_ms: i64, lfu: bool) -> u32 {
    if lfu { (now_ms / 60_000) as u32 & 0xffff } else { (now_ms / 1000) as u32 & 0xff_ffff }
}
