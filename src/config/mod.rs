//! The configuration: every directive of redis.conf as a typed field, and all that is done to it.
//!
//! ```text
//! argv, environment, files --args, env, file--> Config --get_set--> CONFIG GET / CONFIG SET
//!                     |                           |
//!                     +--check--> findings        +--rewrite--> CONFIG REWRITE
//! ```
//!
//! [`Config`] is plain data, one struct per subsystem, which the rest of the server reads as it
//! would any other fields. [`table`] has one row per directive that says what it is called, what it
//! may be, and which field it is; parsing, printing, setting and rewriting all go through the row,
//! so they can't disagree.
//!
//! This layer knows no `Server`. Whatever follows from a value (listening on a new port, changing
//! the directory) is done by the caller, who gets the rows that changed and, when it fails, an
//! [`Undo`](get_set::Undo). Paths are bytes, as the system has them. An empty text means "not set".

pub(crate) mod args;
pub(crate) mod check;
pub(crate) mod choice;
pub(crate) mod elsewhere;
pub(crate) mod env;
mod fields;
pub mod file;
pub(crate) mod get_set;
mod include;
pub(crate) mod refuse;
pub(crate) mod rewrite;
pub(crate) mod table;

pub use fields::*;

/// Open files that are neither clients nor scrapers.
pub(crate) const RESERVED_FILES: u64 = 32;

/// The letters of `notify-keyspace-events` and their bits in [`Keyspace::notify_events`], which are
/// those of redis-server.
pub const EVENT_CLASSES: [(u8, u32); 14] = [
    (b'g', 1 << 2),
    (b'$', 1 << 3),
    (b'l', 1 << 4),
    (b's', 1 << 5),
    (b'h', 1 << 6),
    (b'z', 1 << 7),
    (b'x', 1 << 8),
    (b'e', 1 << 9),
    (b't', 1 << 10),
    (b'd', 1 << 13),
    (b'n', 1 << 14),
    (b'K', 1 << 0),
    (b'E', 1 << 1),
    (b'm', 1 << 11),
];

/// The classes that the letter `A` stands for: all but new keys, misses, and where to publish.
pub const EVENTS_ALL: u32 = 0b10_0111_1111_1100;

/// Save by itself when `changes` were made and `seconds` have passed since the last save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavePoint {
    /// Seconds since the last save, at least 1.
    pub seconds: u64,
    /// Changes since the last save.
    pub changes: u32,
}

impl Config {
    /// The port that the server is known by: that of TLS where there is no other.
    pub(crate) fn first_port(&self) -> u16 {
        if self.net.port != 0 { self.net.port } else { self.tls.port }
    }

    /// Makes defaults of a Sentinel of those of a server.
    pub(crate) fn become_sentinel(&mut self) {
        self.net.port = 26379;
        // It must be reached by other Sentinels, and by clients that ask it for an address.
        self.net.protected_mode = false;
    }
}

impl SavePoint {
    fn defaults() -> Vec<SavePoint> {
        [(3600, 1), (300, 100), (60, 10000)]
            .map(|(seconds, changes)| SavePoint { seconds, changes })
            .to_vec()
    }
}

/// How much output a class of clients may have pending before it is disconnected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputLimit {
    /// Bytes that close the connection at once; 0: no limit.
    pub hard_bytes: u64,
    /// Bytes that close it when exceeded for `soft_seconds`; 0: no limit.
    pub soft_bytes: u64,
    /// Seconds for `soft_bytes`.
    pub soft_seconds: u64,
}

impl OutputLimit {
    const DEFAULTS: [OutputLimit; 3] = [
        OutputLimit { hard_bytes: 0, soft_bytes: 0, soft_seconds: 0 },
        OutputLimit { hard_bytes: 256 << 20, soft_bytes: 64 << 20, soft_seconds: 60 },
        OutputLimit { hard_bytes: 32 << 20, soft_bytes: 8 << 20, soft_seconds: 60 },
    ];
}

/// The primary of a replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrimaryAddr {
    /// Address or host name.
    pub host: Vec<u8>,
    /// TCP port.
    pub port: u16,
}

/// Options of SHUTDOWN that a signal implies; none means the default behaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShutdownFlags(pub u32);

impl ShutdownFlags {
    /// Save even without save points.
    pub const SAVE: u32 = 1;
    /// Don't save even with save points.
    pub const NOSAVE: u32 = 2;
    /// Don't wait for replicas.
    pub const NOW: u32 = 4;
    /// Go on after errors.
    pub const FORCE: u32 = 8;

    const NAMES: &'static [(&'static str, u32)] = &[
        ("default", 0),
        ("save", Self::SAVE),
        ("nosave", Self::NOSAVE),
        ("now", Self::NOW),
        ("force", Self::FORCE),
    ];
}

impl choice::EvictionPolicy {
    /// Victims are chosen by how long they were not used.
    pub fn is_lru(self) -> bool {
        matches!(self, Self::VolatileLru | Self::AllkeysLru)
    }

    /// Victims are chosen by how seldom they are used.
    pub fn is_lfu(self) -> bool {
        matches!(self, Self::VolatileLfu | Self::AllkeysLfu)
    }
}

#[cfg(test)]
mod tests;
