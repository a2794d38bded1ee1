//! The loop: one turn accepts, reads, runs, writes and frees.

pub(super) mod accept;
mod bounds;
pub(super) mod handshake;
pub(super) mod listen;
mod page;
pub(super) mod reading;
pub(super) mod reap;
mod scrape;
mod timing;
pub(super) mod turn;
pub(super) mod writing;
