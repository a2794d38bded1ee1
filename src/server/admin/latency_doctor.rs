//! LATENCY DOCTOR: what the latency monitor has noted, as a report with advice.
//!
//! Which facts a line has and which advice is given when is as in Redis 7.2; the words are ours.
//! `EVENTS` says which advice belongs to which kind of event, `Advice` has the advice in the order
//! in which it is printed.

use crate::config::choice::AppendFsync;
use crate::server::parts::Server;

/// A piece of advice, in the order of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Advice {
    FasterForks,
    EnableSlowlog,
    LowerSlowlog,
    ReadSlowlog,
    Scheduler,
    LocalDisk,
    FasterDisk,
    Writeback,
    Contention,
    NoSyncOnRewrite,
    RelaxSync,
    WriteLoad,
    HigherHz,
    LargeObjects,
    MassEviction,
    HugePages,
}

use Advice::{
    Contention, EnableSlowlog, FasterDisk, FasterForks, HigherHz, HugePages, LargeObjects,
    LocalDisk, LowerSlowlog, MassEviction, NoSyncOnRewrite, ReadSlowlog, RelaxSync, Scheduler,
    WriteLoad, Writeback,
};

/// What helps against a kind of event; conditions of some are in `fits`.
const EVENTS: &[(&str, &[Advice])] = &[
    ("fork", &[FasterForks]),
    ("command", &[EnableSlowlog, LowerSlowlog, ReadSlowlog, LargeObjects]),
    ("fast-command", &[Scheduler]),
    ("aof-write-pending-fsync", &[LocalDisk, Contention, FasterDisk, Writeback]),
    ("aof-write-active-child", &[NoSyncOnRewrite, Writeback, FasterDisk]),
    ("aof-write-alone", &[LocalDisk, Writeback, FasterDisk]),
    ("aof-fsync-always", &[RelaxSync]),
    ("aof-fstat", &[Contention, LocalDisk]),
    ("rdb-unlink-temp-file", &[Contention, LocalDisk]),
    ("aof-rename", &[WriteLoad, Writeback, FasterDisk, LocalDisk]),
    ("expire-cycle", &[HigherHz, LargeObjects]),
    ("eviction-del", &[LargeObjects]),
    ("eviction-cycle", &[MassEviction]),
];

impl Advice {
    /// Whether it fits the server's settings and state.
    fn fits(self, srv: &Server) -> bool {
        let stats = &srv.cfg.stats;
        let slow = stats.slowlog_slower_than_us;
        match self {
            FasterForks => fork_rate(srv).is_some_and(|rate| rate < POOR),
            EnableSlowlog => slow < 0,
            LowerSlowlog => slow >= 0 && slow as u64 / 1000 > stats.latency_threshold_ms,
            RelaxSync => srv.cfg.aof.fsync == AppendFsync::Always,
            HigherHz => srv.cfg.process.hz < 100,
            _ => true,
        }
    }

    fn text(self, srv: &Server) -> String {
        let threshold_us = srv.cfg.stats.latency_threshold_ms * 1000;
        match self {
            FasterForks => "Starting a child is slow on this machine, since the system copies the page \
                            tables slowly. Another kind of virtual machine may do that much faster."
                .to_owned(),
            EnableSlowlog => format!(
                "Commands took long, and the slow log is off, so it is not known which they were. CONFIG \
                 SET slowlog-log-slower-than {threshold_us} switches it on."
            ),
            LowerSlowlog => format!(
                "The slow log misses commands that the latency monitor notes. CONFIG SET \
                 slowlog-log-slower-than {threshold_us} makes both look at the same ones."
            ),
            ReadSlowlog => "SLOWLOG GET shows which commands took long.".to_owned(),
            Scheduler => "Even code that waits for nothing was slow, so the process does not get the \
                          processor when it needs it:\n  1) lower the load of the machine;\n  2) give \
                          the server a machine of its own;\n  3) ask whether other virtual machines \
                          take the host's time;\n  4) measure what the machine itself adds with \
                          redis-cli --intrinsic-latency 100;\n  5) make sure that no memory is being \
                          swapped."
                .to_owned(),
            LocalDisk => "Keep the files on a local disk: disks over a network are slow to sync."
                .to_owned(),
            FasterDisk => "A solid-state disk syncs faster and makes snapshots and rewrites shorter. \
                           Try the rest first."
                .to_owned(),
            Writeback => "ext4 mounted with data=writeback syncs faster. After a power failure the \
                          append-only file may then end in the middle of a command, and has to be \
                          repaired with redust-check-aof."
                .to_owned(),
            Contention => "Something else uses the disk as well: move other programs, or other \
                           servers, to another one."
                .to_owned(),
            NoSyncOnRewrite => "no-appendfsync-on-rewrite yes keeps syncs out of the way of a child \
                                that writes. A power failure may then cost more than a second of data."
                .to_owned(),
            RelaxSync => "appendfsync always syncs before each reply, which no disk does quickly; \
                          everysec may lose a second of data and is much faster."
                .to_owned(),
            WriteLoad => "The files are put in place while much is being written. Fewer, larger \
                          commands for the same work make that shorter."
                .to_owned(),
            HigherHz => "Expire in smaller steps: CONFIG SET hz 100.".to_owned(),
            LargeObjects => "Deleting a large value takes long, and so do its expiry and eviction. \
                             Split such values, use UNLINK, or set the lazyfree-lazy-* settings to yes."
                .to_owned(),
            MassEviction => "Much had to be evicted at once: maxmemory was lowered, or a command stored \
                             something large. Leave more room below the limit."
                .to_owned(),
            HugePages => "The process has transparent huge pages, which make forks and the copying \
                          after them slow. Write never into /sys/kernel/mm/transparent_hugepage/enabled, \
                          at each boot, and restart the server."
                .to_owned(),
        }
    }
}

/// Gigabytes a second below which the speed of a fork is terrible, poor, good.
const TERRIBLE: f64 = 10.0;
const POOR: f64 = 25.0;
const GOOD: f64 = 100.0;

/// Gigabytes of memory that a fork shares in a second; None: there was no fork.
fn fork_rate(srv: &Server) -> Option<f64> {
    let us = srv.stats.n.latest_fork_us;
    let gigabytes = srv.memory.used() as f64 / f64::from(1 << 30);
    (us > 0).then(|| gigabytes * 1e6 / us as f64)
}

fn fork_quality(rate: f64) -> &'static str {
    match rate {
        rate if rate < TERRIBLE => "terrible",
        rate if rate < POOR => "poor",
        rate if rate < GOOD => "good",
        _ => "excellent",
    }
}

/// The report.
pub(crate) fn report(srv: &Server) -> String {
    let threshold = srv.cfg.stats.latency_threshold_ms;
    if srv.latency.iter().len() == 0 && threshold == 0 {
        return "I'm sorry, Dave, the latency monitor is off, so there is nothing to report. CONFIG SET \
                latency-monitor-threshold <milliseconds> makes it note whatever takes as long.\n"
            .to_owned();
    }
    let mut text = String::new();
    let mut advice = Vec::new();
    if srv.latency.iter().len() > 0 {
        text.push_str("Dave, some things have taken longer than they should:\n\n");
    }
    for (n, (event, history)) in srv.latency.iter().enumerate() {
        let (_, mean, _) = history.spread();
        let count = history.samples().len();
        let oldest = history.samples().next().map_or(0, |sample| sample.time);
        let period = (srv.clock.now_ms / 1000 - oldest).max(1) as f64 / count.max(1) as f64;
        text.push_str(&format!(
            "{}. {event}: {count} latency spikes (average {mean}ms, mean deviation {}ms, period \
             {period:.2} sec). Worst all time event {}ms.",
            n + 1,
            history.deviation(),
            history.max_ms
        ));
        if let Some(rate) = fork_rate(srv).filter(|_| event == "fork") {
            let quality = fork_quality(rate);
            text.push_str(&format!(" Fork rate is {rate:.2} GB/sec ({quality})."));
        }
        text.push('\n');
        let of = EVENTS.iter().find(|(name, _)| *name == event);
        advice.extend(of.into_iter().flat_map(|(_, advice)| advice.iter().copied()));
    }
    if crate::sys::mem::smaps("AnonHugePages") > 0 {
        advice.push(HugePages);
    }
    advice.retain(|a| a.fits(srv));
    advice.sort();
    advice.dedup();
    match (srv.latency.iter().len(), advice.is_empty()) {
        (0, true) => text.push_str(&format!(
            "Dave, nothing has taken {threshold} ms or longer so far. There is nothing to worry about.\n"
        )),
        (_, true) => text.push_str("\nNone of the usual remedies fits these.\n"),
        _ => {
            text.push_str("\nI have some advice for you:\n\n");
            advice.iter().for_each(|a| text.push_str(&format!("- {}\n", a.text(srv))));
        }
    }
    text
}
