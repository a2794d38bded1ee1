//! The append-only file at work.
//!
//! ```text
//! load      at start: the files of the manifest, in order
//! files     the manifest; opening files, and deleting what a rewrite replaced
//! switch    on and off at run time
//! flush     each turn: what the stream holds is written before replies leave, and synced by policy
//! rewrite   a child writes a new base; meanwhile writes go to a new incremental file
//! ```
//! A crash between any two steps leaves a manifest whose files are all there: a file is complete
//! before the manifest names it, and is deleted only when no manifest names it any more.

pub(crate) mod files;
pub(crate) mod flush;
pub(crate) mod load;
pub(crate) mod rewrite;
pub(crate) mod switch;
