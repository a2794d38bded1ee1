//! Replication without sockets or clocks: what is decided, and what the bytes mean.
//!
//! ```text
//! history     whose stream of writes it is, and who may go on in it (PSYNC)
//! handshake   what a replica says to its primary before the data comes
//! transfer    where the snapshot begins and ends among the bytes that come
//! failover    when the role is handed over (FAILOVER)
//! peer        what a replica has told its primary (REPLCONF)
//! refusal     what a primary sends that its replica can't do
//! ```
//! `server/jobs/repl` has the sockets, and does what is decided here.

pub(crate) mod failover;
pub(crate) mod handshake;
pub(crate) mod history;
pub(crate) mod peer;
pub(crate) mod refusal;
pub(crate) mod transfer;
