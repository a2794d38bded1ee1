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
    /// How late the first of `backlog` keys is, in ms; it was due at `soonest_ms`.
    pub(crate) fn lag(&self, backlog: usize, soonest_ms: Option<i64>, now_ms: i64) -> i64 {
        let waited = soonest_ms.map_or(0, |at| now_ms - 1 - at);
        if backlog > 0 { waited.max(self.lag_ms) } else { 0 }
    }

    /// INFO stats: `keys` expire, and about `backlog` are past their time, the first of them at
    /// `soonest_ms`.
    pub(crate) fn info(
        &self,
        (keys, backlog): (usize, usize),
        soonest_ms: Option<i64>,
        now_ms: i64,
        o: &mut Lines,
    ) {
        o.add("redust_expire_lag_milliseconds", self.lag(backlog, soonest_ms, now_ms));
        o.add("redust_expire_keys", keys);
        o.add("redust_expire_backlog", backlog);
    }
}
