//! Statistics that INFO and CONFIG RESETSTAT are about: counters, rates, per-command figures.

use std::collections::BTreeMap;

/// Latencies in nanoseconds on a log-linear scale: 32 steps per power of two, about 3% wide.
#[derive(Debug, Clone)]
pub struct Histogram {
    buckets: Box<[u64; Histogram::BUCKETS]>,
    count: u64,
}

impl Histogram {
    const STEP_BITS: u32 = 5;
    const STEPS: usize = 1 << Histogram::STEP_BITS;
    /// Up to 2^36 ns, a bit over a minute; longer ones count as that.
    const MAX_BITS: u32 = 36;
    const BUCKETS: usize =
        (Histogram::MAX_BITS - Histogram::STEP_BITS + 1) as usize * Histogram::STEPS;

    fn new() -> Histogram {
        Histogram { buckets: Box::new([0; Histogram::BUCKETS]), count: 0 }
    }

    #[inline]
    fn index(ns: u64) -> usize {
        let ns = ns.min((1 << Histogram::MAX_BITS) - 1);
        if ns < Histogram::STEPS as u64 {
            return ns as usize;
        }
        let shift = 63 - ns.leading_zeros() - Histogram::STEP_BITS;
        // Octave `shift + 1`, and the bits below the leading one.
        (shift as usize + 1) * Histogram::STEPS + ((ns >> shift) as usize & (Histogram::STEPS - 1))
    }

    /// Largest value that falls into bucket `index`.
    fn upper(index: usize) -> u64 {
        let (octave, step) = (index / Histogram::STEPS, (index % Histogram::STEPS) as u64);
        match octave {
            0 => step,
            _ => ((Histogram::STEPS as u64 + step + 1) << (octave - 1)) - 1,
        }
    }

    #[inline]
    pub fn record(&mut self, ns: u64, n: u64) {
        self.buckets[Histogram::index(ns)] += n;
        self.count += n;
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    /// The value in nanoseconds that `percent` of all values do not exceed. O(buckets).
    pub fn percentile(&self, percent: f64) -> u64 {
        let want =
            ((percent / 100.0 * self.count as f64).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0;
        for (i, n) in self.buckets.iter().enumerate() {
            seen += n;
            if seen >= want {
                return Histogram::upper(i);
            }
        }
        0
    }

    /// Cumulative counts at powers of two microseconds, for LATENCY HISTOGRAM.
    pub fn by_power(&self) -> Vec<(u64, u64)> {
        let (mut out, mut seen, mut bound) = (Vec::new(), 0, 1u64);
        for (i, &n) in self.buckets.iter().enumerate() {
            while Histogram::upper(i) >= bound * 1000 {
                if out.last().map_or(0, |l: &(u64, u64)| l.1) != seen {
                    out.push((bound, seen));
                }
                bound *= 2;
            }
            seen += n;
        }
        if out.last().map_or(0, |l| l.1) != seen {
            out.push((bound, seen));
        }
        out
    }
}

/// Figures of one command.
#[derive(Debug, Default, Clone)]
pub struct CommandStats {
    pub calls: u64,
    pub us: u64,
    /// Refused before it ran: wrong arity, no permission, out of memory ...
    pub rejected: u64,
    /// Ran and replied an error.
    pub failed: u64,
    /// Nanoseconds beyond the whole microseconds in `us`.
    ns_rest: u32,
    pub latency: Option<Histogram>,
}

impl CommandStats {
    /// Counts `n` calls of `ns` nanoseconds each.
    #[inline]
    pub fn record(&mut self, ns: u64, n: u64, keep_latency: bool) {
        self.calls += n;
        let ns_total = u64::from(self.ns_rest) + ns * n;
        self.us += ns_total / 1000;
        self.ns_rest = (ns_total % 1000) as u32;
        if keep_latency {
            self.latency.get_or_insert_with(Histogram::new).record(ns, n);
        }
    }
}

/// A rate over the last 1.6 s: sixteen samples, one each 100 ms, as Redis takes it.
#[derive(Debug, Default, Clone)]
pub struct Rate {
    samples: [u64; 16],
    next: usize,
    last_value: u64,
    last_base: u64,
}

impl Rate {
    /// Adds a sample: how far `value` has moved while `base` moved; `factor` scales the quotient.
    pub fn sample(&mut self, value: u64, base: u64, factor: u64) {
        let moved = value.saturating_sub(self.last_value);
        let by = base.saturating_sub(self.last_base);
        self.samples[self.next] = (moved * factor).checked_div(by).unwrap_or(0);
        self.next = (self.next + 1) % self.samples.len();
        (self.last_value, self.last_base) = (value, base);
    }

    pub fn mean(&self) -> u64 {
        self.samples.iter().sum::<u64>() / self.samples.len() as u64
    }
}

/// Error prefixes kept at most; more than that is somebody making them up.
const MAX_ERROR_CODES: usize = 128;

/// Counters that CONFIG RESETSTAT sets to zero.
#[derive(Debug, Default, Clone)]
pub struct Counters {
    pub connections: u64,
    pub rejected_connections: u64,
    pub commands: u64,
    pub net_in: u64,
    pub net_out: u64,
    pub reads: u64,
    pub writes: u64,
    pub keyspace_hits: u64,
    pub keyspace_misses: u64,
    pub expired_keys: u64,
    /// Fields of hashes.
    pub expired_fields: u64,
    pub expire_time_cap: u64,
    pub expire_us: u64,
    pub evicted_keys: u64,
    pub error_replies: u64,
    pub unexpected_errors: u64,
    pub lazyfreed: u64,
    pub forks: u64,
    pub latest_fork_us: u64,
    pub loop_cycles: u64,
    pub loop_us: u64,
    pub loop_command_us: u64,
    pub peak_memory: u64,
    pub auth_denied: u64,
    pub eviction_exceeded_ms: u64,
    pub dump_sanitized: u64,
    pub query_limit_disconnections: u64,
    pub output_limit_disconnections: u64,
    pub evicted_clients: u64,
    pub reply_buffer_shrinks: u64,
    pub reply_buffer_expands: u64,
}

#[derive(Debug, Default)]
pub struct Stats {
    pub n: Counters,
    /// By number of the command in the table.
    pub commands: Vec<CommandStats>,
    pub errors: BTreeMap<Vec<u8>, u64>,
    pub errors_overflowed: bool,
    pub ops: Rate,
    pub input: Rate,
    pub output: Rate,
    pub cycles: Rate,
    pub cycle_us: Rate,
    /// Of the current cycle and the largest so far, for INFO debug.
    pub loop_us_max: u64,
    pub commands_per_cycle_max: u64,
    pub cron_us: u64,
}

impl Stats {
    /// Counts an error reply by its first word.
    pub fn error(&mut self, code: &[u8]) {
        self.n.error_replies += 1;
        if let Some(n) = self.errors.get_mut(code) {
            *n += 1;
        } else if !self.errors_overflowed {
            if self.errors.len() >= MAX_ERROR_CODES {
                self.errors.clear();
                self.errors_overflowed = true;
                return;
            }
            self.errors.insert(code.to_vec(), 1);
        }
    }

    /// CONFIG RESETSTAT.
    pub fn reset(&mut self) {
        let commands = self.commands.len();
        *self = Stats { commands: vec![CommandStats::default(); commands], ..Stats::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_histogram_is_within_three_percent() {
        let mut h = Histogram::new();
        for ns in 1..=100_000u64 {
            h.record(ns, 1);
        }
        for (p, want) in [(50.0, 50_000.0), (99.0, 99_000.0), (99.9, 99_900.0)] {
            let got = h.percentile(p) as f64;
            assert!((got / want - 1.0).abs() < 0.035, "p{p}: {got}");
        }
        for ns in [0, 31, 32, 33, 1000, 1 << 35, u64::MAX] {
            let i = Histogram::index(ns);
            assert!(i < Histogram::BUCKETS);
            assert!(Histogram::upper(i) >= ns.min((1 << 36) - 1));
        }
        assert_eq!(h.by_power().last().expect("not empty").1, 100_000);
    }

    #[test]
    fn a_rate_is_the_mean_of_sixteen_samples() {
        let mut r = Rate::default();
        for i in 1..=16 {
            r.sample(i * 50, i * 100, 1000);
        }
        assert_eq!(r.mean(), 500);
    }

    #[test]
    fn made_up_error_codes_have_a_limit() {
        let mut s = Stats::default();
        for i in 0..1000 {
            s.error(format!("E{i}").as_bytes());
        }
        assert!(s.errors.len() <= MAX_ERROR_CODES && s.errors_overflowed);
        assert_eq!(s.n.error_replies, 1000);
    }
}
