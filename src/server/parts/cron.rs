//! Periodic work that is spread over several runs of the cron.

/// State of periodic work that is spread over several runs.
#[derive(Debug, Default)]
pub(crate) struct Cron {
    pub runs: u64,
    pub next_client: usize,
    /// When rates were sampled last, in microseconds of the monotonic clock.
    pub sampled_us: u64,
}
