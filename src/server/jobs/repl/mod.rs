//! Replication: to replicas, and from a primary.
//!
//! ```text
//! primary   who asks for the stream, what it gets, acknowledgements, time
//! snapshot  snapshots for replicas: when they begin, and what follows from their end
//! fanout    the child that writes a snapshot straight to the replicas
//! failover  the role is handed over
//! feed      the file of a snapshot and the stream, as far as a replica's socket takes them
//! replica   whom we follow: REPLICAOF, the cron of the link
//! link      the connection to the primary, up to the end of the snapshot
//! receive   the snapshot: to a file or straight into memory (`source`)
//! apply     what the primary sends then: passed on, acknowledged
//! restore   the history of a snapshot that is loaded at the start
//! ```
//! Decisions and formats are in `crate::repl`.

pub(crate) mod apply;
pub(crate) mod failover;
mod fanout;
pub(crate) mod feed;
mod lent;
pub(crate) mod link;
pub(crate) mod names;
pub(crate) mod primary;
mod receive;
pub(crate) mod replica;
pub(crate) mod restore;
pub(crate) mod snapshot;
mod source;
