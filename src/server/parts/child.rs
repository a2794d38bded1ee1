//! The forked child that runs now: who it is, and what it has reported.

use std::fs::File;

/// What a child does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Rdb,
}

impl Kind {
    pub fn title(self) -> &'static str {
        match self {
            Kind::Rdb => "redis-rdb-bgsave",
        }
    }
}

/// The child that runs now.
#[derive(Debug)]
pub struct Child {
    pub pid: i32,
    pub kind: Kind,
    pub started_ms: i64,
    pub progress: Progress,
    pub pipe: File,
}

/// What a child has reported.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    pub keys_done: u64,
    pub keys_total: u64,
    pub cow_bytes: u64,
    pub cow_peak: u64,
    /// When the copy-on-write size was reported, in milliseconds of wall time.
    pub cow_at_ms: i64,
}
