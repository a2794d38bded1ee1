//! The latency monitor: of each kind of event, the latest that took longer than a threshold.
//!
//! One row a second at most: several events of one kind within a second leave the longest of them.

use std::collections::{BTreeMap, VecDeque};

/// Occurrences kept of a kind.
const KEPT: usize = 160;
/// Columns of a graph.
const COLUMNS: usize = 80;
/// Rows of a graph, and what the tops of bars are drawn with, from low to high, and what is below.
const ROWS: usize = 4;
const MARKS: [char; 3] = ['_', 'o', '#'];
const FULL: char = '|';

/// One occurrence: seconds since 1970, and how long it took in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    pub time: i64,
    pub ms: u64,
}

#[derive(Debug, Default)]
pub(crate) struct History {
    samples: VecDeque<Sample>,
    /// The longest ever, also when it is no longer kept.
    pub max_ms: u64,
}

impl History {
    /// From the oldest to the newest.
    pub(crate) fn samples(&self) -> impl ExactSizeIterator<Item = Sample> {
        self.samples.iter().copied()
    }

    /// The newest.
    pub(crate) fn latest(&self) -> Option<Sample> {
        self.samples.back().copied()
    }

    /// Shortest, mean and longest of those kept, in milliseconds.
    pub(crate) fn spread(&self) -> (u64, u64, u64) {
        let of = |f: fn(u64, u64) -> u64| self.samples.iter().map(|s| s.ms).reduce(f).unwrap_or(0);
        let sum: u64 = self.samples.iter().map(|s| s.ms).sum();
        (of(u64::min), sum / (self.samples.len() as u64).max(1), of(u64::max))
    }

    /// How far those kept are from the mean, on average, in milliseconds.
    pub(crate) fn deviation(&self) -> u64 {
        let (_, mean, _) = self.spread();
        let sum: u64 = self.samples.iter().map(|s| s.ms.abs_diff(mean)).sum();
        sum / (self.samples.len() as u64).max(1)
    }
}

/// All kinds of events that have occurred.
#[derive(Debug, Default)]
pub(crate) struct Latency {
    events: BTreeMap<&'static str, History>,
}

impl Latency {
    /// Notes an event, if it took as long as the threshold says (0: never). O(log kinds).
    #[inline]
    pub(crate) fn note(&mut self, event: &'static str, us: u64, threshold_ms: u64, now_ms: i64) {
        if threshold_ms > 0 && us >= threshold_ms * 1000 {
            self.add(event, us / 1000, now_ms / 1000);
        }
    }

    #[cold]
    fn add(&mut self, event: &'static str, ms: u64, time: i64) {
        let history = self.events.entry(event).or_default();
        history.max_ms = history.max_ms.max(ms);
        match history.samples.back_mut() {
            Some(last) if last.time == time => last.ms = last.ms.max(ms),
            _ => {
                if history.samples.len() == KEPT {
                    history.samples.pop_front();
                }
                history.samples.push_back(Sample { time, ms });
            }
        }
    }

    /// The kinds in order of name.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&'static str, &History)> {
        self.events.iter().map(|(name, history)| (*name, history))
    }

    /// The history of a kind.
    pub(crate) fn of(&self, event: &[u8]) -> Option<&History> {
        self.events.get(std::str::from_utf8(event).ok()?)
    }

    /// Forgets a kind; whether there was something.
    pub(crate) fn forget(&mut self, event: &[u8]) -> bool {
        std::str::from_utf8(event).is_ok_and(|event| self.events.remove(event).is_some())
    }

    /// Forgets everything; how many kinds there were.
    pub(crate) fn reset(&mut self) -> usize {
        std::mem::take(&mut self.events).len()
    }
}

/// How long ago, in at most four characters.
fn age(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// A history drawn in text: a head line, bars, and under each bar its age from top to bottom. What
/// does not fit beside each other comes below.
pub(crate) fn graph(event: &str, history: &History, now: i64) -> String {
    let shown: Vec<Sample> = history.samples().collect();
    let (low, _, high) = history.spread();
    let mut out = format!(
        "{event} - high {high} ms, low {low} ms (all time high {} ms)\n{}\n",
        history.max_ms,
        "-".repeat(COLUMNS)
    );
    for (n, part) in shown.chunks(COLUMNS).enumerate() {
        if n > 0 {
            out.push('\n');
        }
        bars(part, low, high, &mut out);
        labels(part, now, &mut out);
    }
    out
}

/// The bars of some samples, row by row from the top. Each has as many steps as there are rows of
/// marks; a row that a bar passes through shows `FULL`.
fn bars(shown: &[Sample], low: u64, high: u64, out: &mut String) {
    let steps = (ROWS * MARKS.len()) as u64;
    let step = |s: &Sample| ((s.ms - low) * steps / (high - low).max(1)).min(steps - 1) as usize;
    for row in (0..ROWS).rev() {
        for sample in shown {
            out.push(match step(sample).checked_sub(row * MARKS.len()) {
                None => ' ',
                Some(n) => MARKS.get(n).copied().unwrap_or(FULL),
            });
        }
        out.push('\n');
    }
}

/// The ages of some samples, from top to bottom.
fn labels(shown: &[Sample], now: i64, out: &mut String) {
    let ages: Vec<String> = shown.iter().map(|s| age((now - s.time).max(0))).collect();
    let tallest = ages.iter().map(String::len).max().unwrap_or(0);
    out.push_str(&" ".repeat(shown.len()));
    out.push('\n');
    for line in 0..tallest {
        out.extend(ages.iter().map(|a| a.chars().nth(line).unwrap_or(' ')));
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_a_second_and_only_above_the_threshold() {
        let mut l = Latency::default();
        l.note("command", 9_999, 10, 5_000);
        l.note("command", 10_000, 0, 5_000);
        assert_eq!(l.iter().len(), 0);
        for (ms, at) in [(20, 5_000), (50, 5_900), (30, 5_950), (12, 6_000)] {
            l.note("command", ms * 1000, 10, at);
        }
        let history = l.of(b"command").expect("noted");
        let samples: Vec<_> = history.samples().map(|s| (s.time, s.ms)).collect();
        assert_eq!(samples, [(5, 50), (6, 12)]);
        assert_eq!((history.max_ms, history.spread()), (50, (12, 31, 50)));
        assert!(l.of(b"fork").is_none() && !l.forget(b"fork"));
        for second in 0..1000 {
            l.note("fork", 20_000, 10, second * 1000);
        }
        assert_eq!(l.of(b"fork").map(|h| h.samples().len()), Some(KEPT));
        assert!(l.forget(b"fork"));
        assert_eq!(l.reset(), 1);
    }

    #[test]
    fn graphs_show_the_longest_highest() {
        let mut history = History { max_ms: 100, ..History::default() };
        history
            .samples
            .extend([(0, 10), (60, 55), (90, 100)].map(|(time, ms)| Sample { time, ms }));
        let text = graph("command", &history, 100);
        assert!(text.starts_with("command - high 100 ms, low 10 ms (all time high 100 ms)\n---"));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[2..], ["  #", " _|", " ||", "_||", "   ", "141", "m00", " ss"][..]);
    }
}
