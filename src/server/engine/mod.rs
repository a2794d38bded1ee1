//! How a command runs, from admission to what follows from it.
//!
//! ```text
//! dispatch      a client's command           gate          may it run now?
//! blocking      clients that wait            unit          the one way to run anything
//! settle        watchers, events             account       time, statistics, slow log
//! invalidate    client-side caching          monitor       what watchers of all commands see
//! publish       messages to subscribers      transaction   how one ends without having run
//! evict         room under `maxmemory`       client_memory room under `maxmemory-clients`
//! describe      a client in a line           redact        secrets out of sight
//! ahead         prefetching for a batch     lend          large arguments, moved to their place
//! offsets       WAIT and WAITAOF           replay        what an append-only file says
//! armed         who listens for what, kept for every command
//! access        the rules of users           audit         lines of the audit log
//! divergence    errors between a primary and its replicas      flushing   emptying databases
//! ```

pub(super) mod access;
pub(super) mod account;
pub(super) mod ahead;
mod armed;
pub(super) mod audit;
pub(super) mod blocking;
pub(super) mod client_memory;
pub(super) mod describe;
pub(super) mod dispatch;
pub(super) mod divergence;
pub(super) mod evict;
pub(super) mod flushing;
pub(super) mod gate;
pub(super) mod hotkeys;
pub(super) mod invalidate;
pub(super) mod lend;
pub(super) mod monitor;
pub(super) mod offsets;
pub(super) mod publish;
pub(super) mod redact;
pub(super) mod replay;
pub(super) mod scripts;
mod settle;
pub(super) mod survey;
pub(super) mod transaction;
pub(super) mod unit;
