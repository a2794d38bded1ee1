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

/// What the audit log notes beside categories of commands: logins, what was denied, changes of the
/// configuration, changes of users.
pub(crate) const AUDIT_AUTH: u32 = 1;
pub(crate) const AUDIT_DENIED: u32 = 1 << 1;
pub(crate) const AUDIT_CONFIG: u32 = 1 << 2;
pub(crate) const AUDIT_USERS: u32 = 1 << 3;
/// The bits of categories, in the order in which commands have them.
pub(crate) const AUDIT_CATEGORIES: u32 = !0 << 4;
const AUDIT_ADMIN: u32 = 1 << 17;
/// What is noted unless told otherwise.
pub(crate) const AUDIT_DEFAULT: u32 =
    AUDIT_AUTH | AUDIT_DENIED | AUDIT_CONFIG | AUDIT_USERS | AUDIT_ADMIN;

/// The words of `audit-log-events`.
pub const AUDIT_EVENTS: &[(&str, u32)] = &[
    ("none", 0),
    ("auth", AUDIT_AUTH),
    ("denied", AUDIT_DENIED),
    ("config", AUDIT_CONFIG),
    ("users", AUDIT_USERS),
    ("@keyspace", 1 << 4),
    ("@read", 1 << 5),
    ("@write", 1 << 6),
    ("@set", 1 << 7),
    ("@sortedset", 1 << 8),
    ("@list", 1 << 9),
    ("@hash", 1 << 10),
    ("@string", 1 << 11),
    ("@bitmap", 1 << 12),
    ("@hyperloglog", 1 << 13),
    ("@geo", 1 << 14),
    ("@stream", 1 << 15),
    ("@pubsub", 1 << 16),
    ("@admin", AUDIT_ADMIN),
    ("@fast", 1 << 18),
    ("@slow", 1 << 19),
    ("@blocking", 1 << 20),
    ("@dangerous", 1 << 21),
    ("@connection", 1 << 22),
    ("@transaction", 1 << 23),
    ("@scripting", 1 << 24),
];

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

    /// The port that other servers are told to come to: that of TLS if they come by TLS.
    pub(crate) fn port_for_peers(&self) -> u16 {
        match self.tls.replication && self.tls.port != 0 {
            true => self.tls.port,
            false => self.net.port,
        }
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
