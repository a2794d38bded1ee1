//! How a command runs, from admission to what follows from it.
//!
//! ```text
//! gate        may it run now?                dispatch    find it, run it, park and wake its client
//! settle      watchers, events, the stream   account     time, statistics, slow log
//! invalidate  client-side caching            evict       room under `maxmemory`
//! ahead       prefetching for a batch
//! ```

pub mod account;
pub mod ahead;
pub mod dispatch;
pub mod evict;
pub mod gate;
pub mod invalidate;
pub mod settle;
