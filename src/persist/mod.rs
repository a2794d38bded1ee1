//! File formats, over `io::Read` and `io::Write`: what is on disk, not when or why.

pub mod aof;
pub mod check;
mod convert;
pub(crate) mod dump;
pub mod fuzz;
pub mod rdb;
