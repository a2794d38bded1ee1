//! The state of the append-only file: which file is written, how far it has come, and how the
//! latest writes, syncs and rewrites ended.
//!
//! ```text
//! Off ──CONFIG SET appendonly yes──> Waiting ──first rewrite done──> On
//! ```
//! While `Waiting`, writes go to a temporary file from the moment of the fork; the first rewrite
//! gives it its name. If that rewrite fails, the file is dropped and another one follows.
//!
//! Invariant: `written` is what the file that is written holds of whole units; `reader` stands
//! behind them in the stream.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use crate::config::Config;
use crate::net::clients::ClientId;
use crate::net::session::Session;
use crate::persist::aof::manifest::Manifest;
use crate::server::parts::rdb::Attempts;
use crate::server::parts::stream::ReaderId;
use crate::util::lines::Lines;
use crate::util::path::{os_error, to_path};

/// Whether there is an append-only file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    #[default]
    Off,
    /// There will be one when the first rewrite is done.
    Waiting,
    On,
}

/// The file that is written.
#[derive(Debug)]
pub(crate) struct Current {
    pub file: Arc<File>,
    pub reader: ReaderId,
    /// Bytes in it, and how many of them the latest sync that was asked for covers.
    pub written: u64,
    pub sync_asked: u64,
}

/// The state of the append-only file.
#[derive(Debug, Default)]
pub(crate) struct Aof {
    pub state: State,
    pub manifest: Manifest,
    pub current: Option<Current>,
    /// A write that the helper thread does: where it begins and ends in the stream.
    pub in_flight: Option<(u64, u64)>,
    /// Replies to what was written behind this offset of the stream wait until it is in the file;
    /// None: all may leave. And who waits.
    pub held_from: Option<u64>,
    pub held: Vec<ClientId>,
    /// Writes that were handed to the helper thread.
    pub handed: u64,
    /// Bytes of all files that would be loaded, and what that was after the latest rewrite.
    pub size: u64,
    pub base_size: u64,
    /// The second in which a sync was asked for last.
    pub last_sync: i64,
    /// Seconds in which a sync was due and the one before had not ended, and the latest of them.
    pub delayed_syncs: u64,
    pub delayed_at: i64,
    /// The error of the latest write, as the system numbers it; 0: it worked.
    pub write_error: i32,
    pub write_error_logged: i64,
    /// The same of the latest sync on the helper thread, as far as it is known here.
    pub sync_error: i32,
    /// A rewrite is to begin as soon as nothing else runs.
    pub scheduled: bool,
    pub rewrites: u64,
    pub rewrite_failed: bool,
    pub failures: u32,
    pub last_rewrite_secs: Option<i64>,
    /// The latest rewrite, and failures of rewrites.
    pub latest: Attempts,
    /// Why the latest write, sync or rewrite failed.
    pub last_error: Option<String>,
    /// Writes and syncs of the file that is written that failed; a run of them counts once.
    pub write_failures: u64,
    pub rewrite_started: i64,
    /// Where the stream ended when the running rewrite was forked: its base holds all before.
    pub base_offset: u64,
    pub last_cow: u64,
    /// After too many failures: minutes until the next try, and the second of that try.
    pub delay_minutes: u32,
    pub retry_at: i64,
    /// The second that the latest annotation in the file names.
    pub stamped: i64,
    /// Microseconds to sleep before each write, for tests.
    pub flush_sleep_us: u64,
    /// Time spent with writing, in microseconds.
    pub spent_us: u64,
}

/// Failures in a row from which on automatic rewrites are held back.
const PATIENCE: u32 = 3;
/// Minutes between two tries at most.
const MAX_DELAY_MINUTES: u32 = 60;

impl Aof {
    pub(crate) fn is_on(&self) -> bool {
        self.state != State::Off
    }

    /// Whether a client is owed a reply to what the file does not hold yet.
    #[inline]
    pub(crate) fn holds(&self, session: &Session) -> bool {
        self.held_from.is_some_and(|from| session.written > from)
    }

    /// The error because of which writes are refused; 0: they are not.
    pub(crate) fn error(&self) -> i32 {
        match self.state {
            State::Off => 0,
            _ if self.write_error != 0 => self.write_error,
            _ => self.sync_error,
        }
    }

    /// Whether automatic rewrites are held back after failures, and whether that is news: then the
    /// minutes until the next try.
    pub(crate) fn held_back(&mut self, now_secs: i64) -> (bool, Option<u32>) {
        if self.failures < PATIENCE {
            (self.delay_minutes, self.retry_at) = (0, 0);
            return (false, None);
        }
        if self.retry_at != 0 {
            let wait = now_secs < self.retry_at;
            if !wait {
                self.retry_at = 0;
            }
            return (wait, None);
        }
        self.delay_minutes = (self.delay_minutes * 2).clamp(1, MAX_DELAY_MINUTES);
        self.retry_at = now_secs + i64::from(self.delay_minutes) * 60;
        (true, Some(self.delay_minutes))
    }

    /// INFO persistence, without what stands there only while there is a file.
    pub(crate) fn info(&self, rewriting: bool, now_secs: i64, o: &mut Lines) {
        o.flag("aof_enabled", self.is_on());
        o.flag("aof_rewrite_in_progress", rewriting);
        o.flag("aof_rewrite_scheduled", self.scheduled);
        o.add("aof_last_rewrite_time_sec", self.last_rewrite_secs.unwrap_or(-1));
        let running = if rewriting { now_secs - self.rewrite_started } else { -1 };
        o.add("aof_current_rewrite_time_sec", running);
        o.status("aof_last_bgrewrite_status", self.rewrite_failed);
        o.add("aof_rewrites", self.rewrites);
        o.add("aof_rewrites_consecutive_failures", self.failures);
        o.status("aof_last_write_status", self.error() != 0);
        o.add("aof_last_cow_size", self.last_cow);
    }

    /// INFO persistence, ours: how rewrites went, and what failed.
    pub(crate) fn info_failures(&self, o: &mut Lines) {
        self.latest.info("redust_aof_last_rewrite", o);
        o.add("redust_aof_rewrite_failures", self.latest.failures);
        o.add("redust_aof_write_failures", self.write_failures);
        o.add("redust_aof_last_error", self.last_error.as_deref().unwrap_or("none"));
    }

    /// A write or a sync (`what`) begins to fail.
    pub(crate) fn note_failure(&mut self, what: &str, error: i32) {
        self.write_failures += 1;
        let error = os_error(&std::io::Error::from_raw_os_error(error));
        self.last_error = Some(format!("{what}: {error}"));
    }

    /// CONFIG RESETSTAT.
    pub(crate) fn reset(&mut self) {
        self.latest.reset();
        (self.write_failures, self.last_error) = (0, None);
        (self.rewrites, self.failures, self.delayed_syncs) = (0, 0, 0);
        (self.spent_us, self.handed) = (0, 0);
    }

    /// INFO persistence: the file's sizes.
    pub(crate) fn info_sizes(&self, buffered: u64, syncs: u64, o: &mut Lines) {
        o.add("aof_current_size", self.size);
        o.add("aof_base_size", self.base_size);
        o.flag("aof_pending_rewrite", self.scheduled);
        o.add("aof_buffer_length", buffered);
        o.add("aof_pending_bio_fsync", syncs);
        o.add("aof_delayed_fsync", self.delayed_syncs);
        o.add("redust_aof_helper_writes", self.handed);
    }
}

/// The directory of the files, in the working directory.
pub(crate) fn dir(cfg: &Config) -> PathBuf {
    to_path(&cfg.aof.dir_name)
}

/// A file of the directory.
pub(crate) fn path(cfg: &Config, name: &[u8]) -> PathBuf {
    dir(cfg).join(to_path(name))
}

/// What a process calls the base file while it writes it: `background` says whether it is the child
/// of a rewrite. They lie in the working directory; tools and people know these names.
pub(crate) fn temporary_base_name(pid: i32, background: bool) -> String {
    let bg = if background { "bg-" } else { "" };
    format!("temp-rewriteaof-{bg}{pid}.aof")
}
