//! Periodic work that is spread over several runs of the cron.

/// State of periodic work that is spread over several runs.
#[derive(Debug, Default)]
pub(crate) struct Cron {
    pub runs: u64,
    pub next_client: usize,
    pub sampled_ms: i64,
}
