//! The forked child that runs now: who it is, and what it has reported.

use std::fs::File;

use crate::net::clients::ClientId;
use crate::persist::rdb::file::Step;
use crate::sys::fork::Exit;
use crate::util::lines::Lines;
use crate::util::path::os_error;

/// What a child does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Rdb,
    Aof,
}

impl Kind {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Kind::Rdb => "redis-rdb-bgsave",
            Kind::Aof => "redis-aof-rewrite",
        }
    }
}

/// The child that runs now.
#[derive(Debug)]
pub(crate) struct Child {
    pub pid: i32,
    pub kind: Kind,
    pub started_ms: i64,
    pub progress: Progress,
    pub pipe: File,
    /// What it has said of its failure: the step, and the error as the system numbers it.
    pub failure: Option<(Step, i32)>,
    /// The replicas that it writes to; none: it writes a file.
    pub replicas: Vec<ClientId>,
    /// What it has said of them: 0, or the error of the system.
    pub reached: Vec<(usize, i32)>,
}

impl Child {
    /// Why it failed, in one line for INFO; `exit` is how it ended.
    pub(crate) fn reason(&self, exit: Exit) -> String {
        match (exit, self.failure) {
            (Exit::Signal(n), _) => format!("terminated by signal {n}"),
            (Exit::Code(_), Some((step, error))) => reason(step, error),
            (Exit::Code(code), None) => format!("the child ended with code {code}"),
        }
    }
}

/// Why a step of writing a file failed, in one line for INFO. 0 is an error that is not the
/// system's.
pub(crate) fn reason(step: Step, error: i32) -> String {
    match error {
        0 => format!("{}: see the log", step.name()),
        n => format!("{}: {}", step.name(), os_error(&std::io::Error::from_raw_os_error(n))),
    }
}

/// What a child has reported.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    pub keys_done: u64,
    pub keys_total: u64,
    pub cow_bytes: u64,
    pub cow_peak: u64,
    /// When the copy-on-write size was reported, in milliseconds of wall time.
    pub cow_at_ms: i64,
    /// When the log was last told how far the child is, the same way; 0: never.
    pub told_ms: i64,
}

impl Progress {
    /// INFO persistence: how far the child is.
    pub(crate) fn info(&self, now_ms: i64, o: &mut Lines) {
        let age = if self.cow_at_ms == 0 { 0 } else { (now_ms - self.cow_at_ms) / 1000 };
        let percent = self.keys_done as f64 * 100.0 / self.keys_total.max(1) as f64;
        o.add("current_cow_peak", self.cow_peak);
        o.add("current_cow_size", self.cow_bytes);
        o.add("current_cow_size_age", age);
        o.add("current_fork_perc", format_args!("{percent:.2}"));
        o.add("current_save_keys_processed", self.keys_done);
        o.add("current_save_keys_total", self.keys_total);
    }
}
