//! The loop: one turn accepts, reads, runs, writes and frees.

pub mod reap;
pub mod turn;
pub mod writing;
