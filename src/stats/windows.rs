//! Commands a second over the last minutes, and the most there were in one second.
//!
//! A ring keeps the total at the end of each second, with its time. A rate is how far the total has
//! moved since the window began, by the time that really passed. If the window began between two
//! samples, which lie far apart when something held up the loop, the total is taken to have grown
//! evenly. What is younger than the window is measured from its beginning: the start of the server,
//! or CONFIG RESETSTAT.
//!
//! Memory is constant: one sample for each second of the longest window.

use std::collections::VecDeque;

use crate::util::lines::Lines;

const SECOND_US: u64 = 1_000_000;
/// Names of the windows and their lengths in seconds, the longest last.
const WINDOWS: [(&str, u64); 3] = [("1m", 60), ("5m", 300), ("15m", 900)];
const LONGEST: u64 = WINDOWS[WINDOWS.len() - 1].1;

/// A total at a time of the monotonic clock, in microseconds.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at_us: u64,
    total: u64,
}

/// Samples of the last minutes, oldest first, and the peak.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    samples: VecDeque<Sample>,
    peak: u64,
}

/// How much a total has moved in a second, on average.
fn rate(from: Sample, to: Sample) -> u64 {
    let moved = u128::from(to.total.saturating_sub(from.total)) * u128::from(SECOND_US);
    let passed = u128::from(to.at_us.saturating_sub(from.at_us));
    moved.checked_div(passed).unwrap_or(0) as u64
}

impl Windows {
    /// Called more often than once a second; takes a sample when a second has passed. O(1).
    pub(crate) fn sample(&mut self, at_us: u64, total: u64) {
        let sample = Sample { at_us, total };
        let Some(&last) = self.samples.back() else {
            self.samples.reserve_exact(LONGEST as usize + 1);
            return self.samples.push_back(sample);
        };
        if at_us < last.at_us + SECOND_US {
            return;
        }
        self.peak = self.peak.max(rate(last, sample));
        if self.samples.len() > LONGEST as usize {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
    }

    /// Commands a second over the last `seconds`, as of the latest sample. O(log samples).
    fn rate_of(&self, seconds: u64) -> u64 {
        let Some(&last) = self.samples.back() else { return 0 };
        let since = last.at_us.saturating_sub(seconds * SECOND_US);
        let first = self.samples.partition_point(|sample| sample.at_us < since);
        let after = self.samples[first];
        let Some(&before) = first.checked_sub(1).and_then(|i| self.samples.get(i)) else {
            return rate(after, last);
        };
        let moved = u128::from(after.total.saturating_sub(before.total));
        let moved = moved * u128::from(since - before.at_us);
        let moved = moved.checked_div(u128::from(after.at_us - before.at_us)).unwrap_or(0) as u64;
        rate(Sample { at_us: since, total: before.total + moved }, last)
    }

    /// INFO stats.
    pub(crate) fn info(&self, o: &mut Lines) {
        for (name, seconds) in WINDOWS {
            o.add(&format!("redust_ops_per_sec_{name}"), self.rate_of(seconds));
        }
        o.add("redust_ops_per_sec_peak", self.peak);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_slide_and_memory_is_constant() {
        let mut w = Windows::default();
        let mut total = 0;
        // An hour of 10 a second, sampled each 100 ms, then a minute of 1000.
        for tenth in 0..36_600 {
            total += if tenth < 36_000 { 1 } else { 100 };
            w.sample(tenth * 100_000, total);
        }
        assert!((980..=1000).contains(&w.rate_of(60)), "{}", w.rate_of(60));
        assert!((200..=210).contains(&w.rate_of(300)), "{}", w.rate_of(300));
        assert!((73..=78).contains(&w.rate_of(900)), "{}", w.rate_of(900));
        assert_eq!(w.peak, 1000);
        assert_eq!(w.samples.len(), LONGEST as usize + 1);
        assert_eq!(w.samples.capacity(), LONGEST as usize + 1);
    }

    #[test]
    fn a_pause_longer_than_a_window_leaves_it_its_share() {
        let mut w = Windows::default();
        (0..10).for_each(|s| w.sample(s * SECOND_US, s * 10));
        // Two minutes within one turn, with 12,000 commands in its script.
        w.sample(129 * SECOND_US, 90 + 12_000);
        assert_eq!((w.rate_of(60), w.rate_of(300)), (100, 12_090 / 129));
        w.sample(130 * SECOND_US, 90 + 12_000 + 700);
        assert_eq!(w.rate_of(60), (59 * 100 + 700) / 60, "one busy second is not the minute");
        assert_eq!(w.rate_of(900), 12_790 / 130);
    }

    #[test]
    fn late_ticks_and_young_servers_are_measured_by_the_time_that_passed() {
        let mut w = Windows::default();
        assert_eq!((w.rate_of(60), w.peak), (0, 0));
        w.sample(5 * SECOND_US, 40);
        assert_eq!(w.rate_of(60), 0, "one sample is no rate");
        // Nothing for seven seconds, with 700 commands.
        w.sample(12 * SECOND_US, 740);
        assert_eq!((w.rate_of(60), w.rate_of(900), w.peak), (100, 100, 100));
        w.sample(12 * SECOND_US + 100_000, 5_000);
        assert_eq!(w.peak, 100, "a tenth of a second is no second");
        w.sample(13 * SECOND_US + 200_000, 2_180);
        assert_eq!(w.peak, 1_200);
    }
}
