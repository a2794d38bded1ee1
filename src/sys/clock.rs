//! Clocks: wall time, monotonic time, and a stopwatch cheap enough to read once a command.
//!
//! The stopwatch reads the processor's time-stamp counter (about 8 ns) where it is known to tick at
//! a constant rate, and CLOCK_MONOTONIC elsewhere. It measures durations only; nothing is scheduled
//! by it.

// libc calls and one processor instruction without a safe wrapper.
#![allow(unsafe_code)]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Wall clock in microseconds since 1970.
pub(crate) fn wall_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    since.as_micros() as i64
}

/// Wall clock in milliseconds since 1970.
pub(crate) fn wall_ms() -> i64 {
    wall_us() / 1000
}

/// Seconds of processor time that this process has used.
pub(crate) fn process_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Reads and converts a tick counter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch {
    /// Microseconds per tick, scaled by 2^32; 0 = ticks are nanoseconds of CLOCK_MONOTONIC.
    scale: u64,
}

impl Stopwatch {
    /// Measures the counter's rate against the system's clock; takes 2 ms.
    pub(crate) fn calibrate() -> Stopwatch {
        if !constant_tsc() {
            return Stopwatch { scale: 0 };
        }
        let (t0, c0) = (Instant::now(), counter());
        std::thread::sleep(Duration::from_millis(2));
        let (elapsed, ticks) = (t0.elapsed(), counter().wrapping_sub(c0));
        let scale = ((elapsed.as_nanos() << 32) / 1000).checked_div(u128::from(ticks));
        Stopwatch { scale: scale.and_then(|s| u64::try_from(s).ok()).unwrap_or(0) }
    }

    #[inline]
    pub(crate) fn ticks(&self) -> u64 {
        if self.scale == 0 { monotonic_ns() } else { counter() }
    }

    /// Microseconds in `ticks`.
    #[inline]
    pub(crate) fn us(&self, ticks: u64) -> u64 {
        match self.scale {
            0 => ticks / 1000,
            scale => ((u128::from(ticks) * u128::from(scale)) >> 32) as u64,
        }
    }

    /// Ticks in so many microseconds, about.
    pub(crate) fn ticks_in(&self, us: u64) -> u64 {
        match self.scale {
            0 => us * 1000,
            scale => (us << 32) / scale,
        }
    }

    /// Nanoseconds in `ticks`.
    #[inline]
    pub(crate) fn ns(&self, ticks: u64) -> u64 {
        match self.scale {
            0 => ticks,
            scale => ((u128::from(ticks) * u128::from(scale) * 1000) >> 32) as u64,
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        if self.scale == 0 { "POSIX clock_gettime" } else { "X86 TSC" }
    }
}

fn monotonic_ns() -> u64 {
    let mut ts = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live timespec, which is all the call writes.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut ts) };
    ts.tv_sec as u64 * 1_000_000_000 + ts.tv_nsec as u64
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn counter() -> u64 {
    // SAFETY: RDTSC exists on every x86-64 processor and touches no memory.
    unsafe { std::arch::x86_64::_rdtsc() }
}

#[cfg(not(target_arch = "x86_64"))]
fn counter() -> u64 {
    monotonic_ns()
}

/// Whether the counter ticks at one rate whatever the processor's clock and sleep states.
fn constant_tsc() -> bool {
    if !cfg!(target_arch = "x86_64") {
        return false;
    }
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    info.contains("constant_tsc") && info.contains("nonstop_tsc")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stopwatch_agrees_with_the_clock() {
        for watch in [Stopwatch::calibrate(), Stopwatch { scale: 0 }] {
            let (c, t) = (watch.ticks(), Instant::now());
            std::thread::sleep(Duration::from_millis(20));
            let (us, real) = (watch.us(watch.ticks() - c) as f64, t.elapsed().as_micros() as f64);
            assert!((us / real - 1.0).abs() < 0.2, "{us} against {real} with {}", watch.name());
            assert!(watch.us(watch.ticks_in(5000)).abs_diff(5000) < 5);
        }
    }
}
