//! The state of snapshots: what has changed since the last one, and how the latest attempts ended.

use crate::config::Config;
use crate::server::parts::child::Child;
use crate::util::lines::Lines;

/// The state of snapshots.
#[derive(Debug, Default)]
pub(crate) struct RdbJobs {
    /// Changes since the last successful save.
    pub dirty: u64,
    /// `dirty` when the running child was forked.
    pub dirty_at_fork: u64,
    pub last_save_ms: i64,
    pub last_try_ms: i64,
    pub last_failed: bool,
    /// Failures in a row; the automatic retry waits longer after each.
    pub failures: u32,
    pub last_duration_ms: Option<i64>,
    /// The latest save, in whatever way it was done and ended.
    pub latest: Attempts,
    /// A save is due but held back, since the one before took long: seconds between two saves now.
    pub held_secs: Option<i64>,
    pub saves: u64,
    pub last_cow: u64,
    /// BGSAVE SCHEDULE: save when the running child is done.
    pub scheduled: bool,
    /// `stop-writes-on-bgsave-error` and save points are on; kept by `refresh`.
    pub stop_writes: bool,
    pub load_expired: u64,
    pub load_loaded: u64,
}

/// What is known of all tries to write a file, and of the latest.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    /// When the latest began; 0: there was none.
    pub began_ms: i64,
    /// How long the latest took that has ended.
    pub took_ms: Option<i64>,
    /// Bytes of the file that the latest success has left.
    pub bytes: Option<u64>,
    /// Why the latest failure was one.
    pub error: Option<String>,
    pub failures: u64,
}

impl Attempts {
    pub(crate) fn failed(&mut self, why: String) {
        self.failures += 1;
        self.error = Some(why);
    }

    /// CONFIG RESETSTAT: the counter, and the error that belongs to it.
    pub(crate) fn reset(&mut self) {
        (self.failures, self.error) = (0, None);
    }

    /// INFO persistence; `what` stands before the names.
    pub(crate) fn info(&self, what: &str, o: &mut Lines) {
        let (took, bytes) = (self.took_ms.unwrap_or(-1), self.bytes.map_or(-1, |n| n as i64));
        o.add(&format!("{what}_attempt_time"), self.began_ms / 1000);
        o.add(&format!("{what}_duration_ms"), took);
        o.add(&format!("{what}_size"), bytes);
        o.add(&format!("{what}_error"), self.error.as_deref().unwrap_or("none"));
    }
}

/// Automatic saves after a failure wait this long, and twice as long after each further one.
const RETRY_MS: i64 = 5_000;
/// The longest of these waits.
const RETRY_MAX_MS: i64 = 120_000;

impl RdbJobs {
    pub(crate) fn new(now_ms: i64) -> RdbJobs {
        RdbJobs { last_save_ms: now_ms, last_try_ms: now_ms, ..RdbJobs::default() }
    }

    /// Whether writes are refused because the last background save failed.
    #[inline]
    pub(crate) fn write_refused(&self) -> bool {
        self.last_failed && self.stop_writes
    }

    /// Takes over the settings that these depend on.
    pub(crate) fn refresh(&mut self, cfg: &Config) {
        self.stop_writes =
            cfg.snapshot.stop_writes_on_error && !cfg.snapshot.save_points.is_empty();
    }

    /// INFO persistence; `child`: the one that saves now.
    pub(crate) fn info(&self, child: Option<&Child>, now_ms: i64, o: &mut Lines) {
        o.add("rdb_changes_since_last_save", self.dirty);
        o.flag("rdb_bgsave_in_progress", child.is_some());
        o.add("rdb_last_save_time", self.last_save_ms / 1000);
        o.status("rdb_last_bgsave_status", self.last_failed);
        o.add("rdb_last_bgsave_time_sec", self.last_duration_ms.map_or(-1, |ms| ms / 1000));
        let running = child.map_or(-1, |c| (now_ms - c.started_ms) / 1000);
        o.add("rdb_current_bgsave_time_sec", running);
        o.add("rdb_saves", self.saves);
        o.add("rdb_last_cow_size", self.last_cow);
        o.add("rdb_last_load_keys_expired", self.load_expired);
        o.add("rdb_last_load_keys_loaded", self.load_loaded);
        self.latest.info("redust_rdb_last_save", o);
        o.add("redust_rdb_save_failures", self.latest.failures);
        o.flag("redust_rdb_schedule_stretched", self.stretched());
        o.add("redust_rdb_schedule_reason", self.reason());
    }

    /// Whether automatic saves are held back, after failures or because they take long.
    pub(crate) fn stretched(&self) -> bool {
        self.failures > 0 || self.held_secs.is_some()
    }

    /// Why automatic saves are held back, in words for INFO.
    fn reason(&self) -> String {
        let took = self.last_duration_ms.unwrap_or(0) / 1000;
        match (self.failures, self.held_secs) {
            (0, None) => "none".to_owned(),
            (0, Some(secs)) => format!("slow,last_save_secs={took},interval_secs={secs}"),
            (n, _) => format!("failed,failures={n},retry_secs={}", self.retry_ms() / 1000),
        }
    }

    /// A save that takes longer than its interval would follow itself without a pause, so it is
    /// held back until twice the interval has passed since the last one. Returns whether it is held
    /// back, and whether that is news.
    pub(crate) fn hold_back(&mut self, interval_secs: i64, since_secs: i64) -> (bool, bool) {
        let slow = self.last_duration_ms.is_some_and(|ms| ms / 1000 > interval_secs);
        if !slow || since_secs > 2 * interval_secs {
            self.held_secs = None;
            return (false, false);
        }
        let news = self.held_secs.replace(2 * interval_secs).is_none();
        (true, news)
    }

    pub(crate) fn retry_ms(&self) -> i64 {
        (RETRY_MS << self.failures.saturating_sub(1).min(10)).min(RETRY_MAX_MS)
    }
}

/// The name of a snapshot that is being written. Tools and people know these names.
pub(crate) fn temporary_name(pid: i32) -> String {
    format!("temp-{pid}.rdb")
}

/// Removes what a process that ended in the middle of a save has left.
pub(crate) fn remove_temporary(pid: i32) {
    // An error is ignored: there may be no such file.
    let _ = std::fs::remove_file(temporary_name(pid));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_saves_are_held_back_for_a_bounded_time() {
        let mut rdb = RdbJobs::default();
        assert_eq!(rdb.hold_back(10, 11), (false, false));
        rdb.last_duration_ms = Some(10_900);
        assert_eq!(rdb.hold_back(10, 11), (false, false), "it took no longer than the interval");
        rdb.last_duration_ms = Some(12_000);
        assert_eq!(rdb.hold_back(10, 11), (true, true));
        assert_eq!(rdb.hold_back(10, 20), (true, false), "that is no news");
        assert!(rdb.stretched());
        assert_eq!(rdb.reason(), "slow,last_save_secs=12,interval_secs=20");
        assert_eq!(rdb.hold_back(10, 21), (false, false));
        assert!(!rdb.stretched());
        assert_eq!(rdb.reason(), "none");
        rdb.failures = 3;
        assert_eq!(rdb.reason(), "failed,failures=3,retry_secs=20");
    }
}
