//! A load in progress.

use crate::persist::rdb::load::Progress;

/// A load in progress, as INFO shows it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Loading {
    pub started_ms: i64,
    pub total_bytes: u64,
    pub progress: Progress,
    pub logged_at: u64,
}
