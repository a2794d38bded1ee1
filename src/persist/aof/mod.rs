//! The append-only file: its manifest, the reader of its commands, its base, and the checker.
//!
//! ```text
//! appendonlydir/
//!   appendonly.aof.manifest        which files there are, in which order they are loaded
//!   appendonly.aof.3.base.rdb      everything up to the latest rewrite, or .base.aof
//!   appendonly.aof.7.incr.aof      what came after it; the last one is being written
//! ```

pub mod check;
pub mod fuzz;
pub mod manifest;
pub mod reader;
pub(crate) mod rewrite;
