//! The state of active expiry.

use crate::util::lines::Lines;

/// How a run and its pause share time.
#[derive(Debug)]
pub(crate) struct Cycle {
    /// DEBUG SET-ACTIVE-EXPIRE 0 stops it.
    pub enabled: bool,
    /// When the timer is set for.
    pub next_ms: Option<i64>,
    pub next_db: usize,
    /// Milliseconds the oldest due key had waited at the end of the latest run.
    pub lag_ms: i64,
}

impl Default for Cycle {
    fn default() -> Cycle {
        Cycle { enabled: true, next_ms: None, next_db: 0, lag_ms: 0 }
    }
}

impl Cycle {
    /// INFO stats.
    pub(crate) fn info(&self, o: &mut Lines) {
        o.add("redust_expire_lag_milliseconds", self.lag_ms);
    }
}
