//! Statistics that INFO and CONFIG RESETSTAT are about: counters, rates, per-command figures.

pub(crate) mod buckets;
mod windows;

use std::collections::BTreeMap;

use crate::stats::windows::Windows;
use crate::util::lines::Lines;

/// Latencies in nanoseconds on a log-linear scale: 32 steps per power of two, about 3% wide.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
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

    pub(crate) fn new() -> Histogram {
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
    pub(crate) fn record(&mut self, ns: u64, n: u64) {
        self.buckets[Histogram::index(ns)] += n;
        self.count += n;
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The value in nanoseconds that `percent` of all values do not exceed. O(buckets).
    pub(crate) fn percentile(&self, percent: f64) -> u64 {
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

    /// Cumulative counts at powers of two times 1024 ns, in microseconds, for LATENCY HISTOGRAM.
    ///
    /// Compat: Redis names each bound by the upper end of its own bucket there, which is wider by a
    /// 128th: 1, 2, 4, 8, 16, 33, 66, 132 ...
    pub(crate) fn by_power(&self) -> Vec<(u64, u64)> {
        let named = |bound: u64| (bound + bound / 128 - 1) / 1000;
        let (mut out, mut seen, mut bound) = (Vec::new(), 0, 1024u64);
        for (i, &n) in self.buckets.iter().enumerate() {
            while Histogram::upper(i) >= bound {
                if out.last().map_or(0, |l: &(u64, u64)| l.1) != seen {
                    out.push((named(bound), seen));
                }
                bound *= 2;
            }
            seen += n;
        }
        if out.last().map_or(0, |l| l.1) != seen {
            out.push((named(bound), seen));
        }
        out
    }
}

/// Figures of one command.
#[derive(Debug, Default, Clone)]
pub(crate) struct CommandStats {
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
    /// Whether it has been called or refused.
    pub(crate) fn is_used(&self) -> bool {
        self.calls > 0 || self.rejected > 0 || self.failed > 0
    }

    /// Counts `n` calls of `ns` nanoseconds each.
    #[inline]
    pub(crate) fn record(&mut self, ns: u64, n: u64, keep_latency: bool) {
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
pub(crate) struct Rate {
    samples: [u64; 16],
    next: usize,
    last_value: u64,
    last_base: u64,
}

impl Rate {
    /// Adds a sample: how far `value` has moved while `base` moved; `factor` scales the quotient.
    pub(crate) fn sample(&mut self, value: u64, base: u64, factor: u64) {
        let moved = value.saturating_sub(self.last_value);
        let by = base.saturating_sub(self.last_base);
        self.samples[self.next] = (moved * factor).checked_div(by).unwrap_or(0);
        self.next = (self.next + 1) % self.samples.len();
        (self.last_value, self.last_base) = (value, base);
    }

    pub(crate) fn mean(&self) -> u64 {
        self.samples.iter().sum::<u64>() / self.samples.len() as u64
    }
}

/// Error prefixes kept at most; more than that is somebody making them up.
const MAX_ERROR_CODES: usize = 128;

/// Counters that CONFIG RESETSTAT sets to zero.
#[derive(Debug, Default, Clone)]
pub(crate) struct Counters {
    pub connections: u64,
    pub rejected_connections: u64,
    pub commands: u64,
    pub net_in: u64,
    pub net_out: u64,
    /// Of these, what came from a primary and what went to replicas.
    pub repl_in: u64,
    pub repl_out: u64,
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
    pub forks: u64,
    pub latest_fork_us: u64,
    pub loop_cycles: u64,
    pub loop_us: u64,
    pub auth_denied: u64,
    pub command_denied: u64,
    pub key_denied: u64,
    pub channel_denied: u64,
    pub database_denied: u64,
    pub eviction_exceeded_us: u64,
    pub dump_sanitized: u64,
    pub query_limit_disconnections: u64,
    pub output_limit_disconnections: u64,
    pub evicted_clients: u64,
    pub evicted_scripts: u64,
    pub reply_buffer_shrinks: u64,
    pub reply_buffer_expands: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Stats {
    pub n: Counters,
    /// By number of the command in the table.
    pub commands: Vec<CommandStats>,
    pub errors: BTreeMap<String, u64>,
    pub errors_overflowed: bool,
    pub ops: Rate,
    pub ops_windows: Windows,
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
    /// Counts an error reply by its first word. Words that are no text are counted as they are
    /// shown, since two that look the same would be one figure told twice.
    pub(crate) fn error(&mut self, code: &[u8]) {
        self.n.error_replies += 1;
        let code = String::from_utf8_lossy(code);
        if let Some(n) = self.errors.get_mut(&*code) {
            *n += 1;
        } else if !self.errors_overflowed {
            if self.errors.len() >= MAX_ERROR_CODES {
                self.errors.clear();
                self.errors_overflowed = true;
                return;
            }
            self.errors.insert(code.into_owned(), 1);
        }
    }

    /// INFO stats: connections, commands and bytes.
    pub(crate) fn info_traffic(&self, o: &mut Lines) {
        let kbps = |rate: &Rate| format!("{:.2}", rate.mean() as f64 / 1024.0);
        o.add("total_connections_received", self.n.connections);
        o.add("total_commands_processed", self.n.commands);
        o.add("instantaneous_ops_per_sec", self.ops.mean());
        self.ops_windows.info(o);
        o.add("total_net_input_bytes", self.n.net_in);
        o.add("total_net_output_bytes", self.n.net_out);
        o.add("total_net_repl_input_bytes", self.n.repl_in);
        o.add("total_net_repl_output_bytes", self.n.repl_out);
        o.add("instantaneous_input_kbps", kbps(&self.input));
        o.add("instantaneous_output_kbps", kbps(&self.output));
        o.each(&["instantaneous_input_repl_kbps", "instantaneous_output_repl_kbps"], "0.00");
        o.add("rejected_connections", self.n.rejected_connections);
    }

    /// INFO stats: what has expired; `stale`: which part of the keys that expire is past its time.
    pub(crate) fn info_expiry(&self, stale: f64, o: &mut Lines) {
        o.add("expired_keys", self.n.expired_keys);
        o.add("expired_subkeys", self.n.expired_fields);
        o.add("expired_stale_perc", format_args!("{:.2}", stale * 100.0));
        o.add("expired_time_cap_reached_count", self.n.expire_time_cap);
        o.add("expire_cycle_cpu_milliseconds", self.n.expire_us / 1000);
    }

    /// INFO stats: what was evicted, and whether keys were found; `exceeded_us`: for how long
    /// memory has been above the limit now.
    pub(crate) fn info_keys(&self, exceeded_us: u64, o: &mut Lines) {
        o.add("evicted_keys", self.n.evicted_keys);
        o.add("evicted_clients", self.n.evicted_clients);
        o.add("evicted_scripts", self.n.evicted_scripts);
        let total_us = self.n.eviction_exceeded_us + exceeded_us;
        o.add("total_eviction_exceeded_time", total_us / 1000);
        o.add("current_eviction_exceeded_time", exceeded_us / 1000);
        o.add("keyspace_hits", self.n.keyspace_hits);
        o.add("keyspace_misses", self.n.keyspace_misses);
    }

    /// INFO stats: child processes.
    pub(crate) fn info_forks(&self, o: &mut Lines) {
        o.add("latest_fork_usec", self.n.latest_fork_us);
        o.add("total_forks", self.n.forks);
    }

    /// INFO stats: errors, and the work of the loop.
    pub(crate) fn info_loop(&self, o: &mut Lines) {
        let n = &self.n;
        o.add("unexpected_error_replies", n.unexpected_errors);
        o.add("total_error_replies", n.error_replies);
        o.add("dump_payload_sanitizations", n.dump_sanitized);
        o.add("total_reads_processed", n.reads);
        o.add("total_writes_processed", n.writes);
        o.each(&["io_threaded_reads_processed", "io_threaded_writes_processed"], 0);
        o.add("client_query_buffer_limit_disconnections", n.query_limit_disconnections);
        o.add("client_output_buffer_limit_disconnections", n.output_limit_disconnections);
        o.add("reply_buffer_shrinks", n.reply_buffer_shrinks);
        o.add("reply_buffer_expands", n.reply_buffer_expands);
        o.add("eventloop_cycles", n.loop_cycles);
        o.add("eventloop_duration_sum", n.loop_us);
        o.add("eventloop_duration_cmd_sum", self.commands.iter().map(|c| c.us).sum::<u64>());
        o.add("instantaneous_eventloop_cycles_per_sec", self.cycles.mean());
        o.add("instantaneous_eventloop_duration_usec", self.cycle_us.mean());
    }

    /// INFO stats: what was denied.
    pub(crate) fn info_denied(&self, o: &mut Lines) {
        o.add("acl_access_denied_auth", self.n.auth_denied);
        o.add("acl_access_denied_cmd", self.n.command_denied);
        o.add("acl_access_denied_key", self.n.key_denied);
        o.add("acl_access_denied_channel", self.n.channel_denied);
        if self.n.database_denied > 0 {
            o.add("redust_acl_access_denied_database", self.n.database_denied);
        }
    }

    /// INFO errorstats.
    pub(crate) fn info_errors(&self, o: &mut Lines) {
        for (code, count) in &self.errors {
            // What would end the name, or begin a section.
            let code = code.replace(['#', ':', '\n', '\r'], "_");
            o.add(&format!("errorstat_{code}"), format_args!("count={count}"));
        }
    }

    /// INFO commandstats; `names` by number of the command.
    pub(crate) fn info_commands<'a>(&self, names: impl Iterator<Item = &'a str>, o: &mut Lines) {
        for (name, s) in names.zip(&self.commands).filter(|(_, s)| s.is_used()) {
            o.add(
                &format!("cmdstat_{name}"),
                format_args!(
                    "calls={},usec={},usec_per_call={:.2},rejected_calls={},failed_calls={}",
                    s.calls,
                    s.us,
                    s.us as f64 / s.calls.max(1) as f64,
                    s.rejected,
                    s.failed
                ),
            );
        }
    }

    /// INFO latencystats; `names` by number of the command.
    pub(crate) fn info_latencies<'a>(
        &self,
        names: impl Iterator<Item = &'a str>,
        percentiles: &[f64],
        o: &mut Lines,
    ) {
        for (name, s) in names.zip(&self.commands) {
            let Some(h) = s.latency.as_ref().filter(|h| h.count() > 0) else { continue };
            let shown = percentiles.iter().map(|p| {
                let ns = h.percentile(*p);
                format!("p{p}={}.{:03}", ns / 1000, ns % 1000)
            });
            let shown = shown.collect::<Vec<_>>().join(",");
            o.add(&format!("latency_percentiles_usec_{name}"), shown);
        }
    }

    /// INFO debug.
    pub(crate) fn info_debug(&self, aof_us: u64, o: &mut Lines) {
        o.add("eventloop_duration_aof_sum", aof_us);
        o.add("eventloop_duration_cron_sum", self.cron_us);
        o.add("eventloop_duration_max", self.loop_us_max);
        o.add("eventloop_cmd_per_cycle_max", self.commands_per_cycle_max);
    }

    /// CONFIG RESETSTAT.
    pub(crate) fn reset(&mut self) {
        let commands = self.commands.len();
        // Compat: the counts of the access control stay.
        let n = Counters {
            auth_denied: self.n.auth_denied,
            command_denied: self.n.command_denied,
            key_denied: self.n.key_denied,
            channel_denied: self.n.channel_denied,
            database_denied: self.n.database_denied,
            ..Counters::default()
        };
        *self = Stats { commands: vec![CommandStats::default(); commands], n, ..Stats::default() };
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
        let steps = h.by_power();
        let bounds: Vec<u64> = steps.iter().map(|step| step.0).collect();
        assert_eq!(bounds, [1, 2, 4, 8, 16, 33, 66, 132]);
        assert_eq!(steps.last().expect("not empty").1, 100_000);
        assert!(steps[0].1.abs_diff(1024) < 33, "{}", steps[0].1);
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
    fn error_codes_that_look_the_same_are_one() {
        let mut s = Stats::default();
        [&b"\xff"[..], b"\xfe", b"A#:B"].iter().for_each(|code| s.error(code));
        let mut o = Lines::default();
        s.info_errors(&mut o);
        let text = o.into_text();
        assert_eq!(text, "errorstat_A__B:count=1\r\nerrorstat_\u{fffd}:count=2\r\n");
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
