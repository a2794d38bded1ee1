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
//! ahead         prefetching for a batch            lend          large arguments, moved to their place
//! ```

pub mod account;
pub mod ahead;
pub mod blocking;
pub mod client_memory;
pub mod describe;
pub mod dispatch;
pub mod evict;
pub mod gate;
pub mod invalidate;
pub mod lend;
pub mod monitor;
pub mod publish;
pub mod redact;
pub mod settle;
pub mod transaction;
pub mod unit;
