//! The loop: one turn accepts, reads, runs, writes and frees.

pub mod accept;
pub mod listen;
pub mod reading;
pub mod reap;
pub mod turn;
pub mod writing;
