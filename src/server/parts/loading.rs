//! A load in progress.

use crate::persist::rdb::load::Progress;
use crate::util::lines::Lines;

/// A load in progress, as INFO shows it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Loading {
    pub started_ms: i64,
    pub total_bytes: u64,
    pub progress: Progress,
    pub logged_at: u64,
    /// The old data is served meanwhile.
    pub aside: bool,
    /// It comes straight from the primary's socket.
    pub from_primary: bool,
    /// When it began to wait for a primary that sends nothing; others are served by its wait.
    pub waits_since_ms: Option<i64>,
    /// Nobody wants it any more: it is to stop.
    pub given_up: bool,
}

impl Loading {
    /// Whether one may call it off. Compat: while the old data is served, only if the primary has
    /// sent nothing for a while; a client hears LOADING otherwise.
    pub(crate) fn may_be_called_off(&self, now_ms: i64) -> bool {
        const STALLED_MS: i64 = 2000;
        !self.aside || self.waits_since_ms.is_some_and(|since| now_ms - since >= STALLED_MS)
    }

    /// INFO persistence.
    pub(crate) fn info(&self, now_ms: i64, o: &mut Lines) {
        let (read, total) = (self.progress.bytes, self.total_bytes.max(1));
        let elapsed = (now_ms - self.started_ms).max(0) as u64 / 1000;
        let left = total.saturating_sub(read);
        let percent = read as f64 * 100.0 / total as f64;
        o.add("loading_start_time", self.started_ms / 1000);
        o.add("loading_total_bytes", self.total_bytes);
        o.add("loading_rdb_used_mem", self.progress.used_memory);
        o.add("loading_loaded_bytes", read);
        o.add("loading_loaded_perc", format_args!("{percent:.2}"));
        o.add("loading_eta_seconds", (elapsed * left).checked_div(read).unwrap_or(1));
    }
}
