//! RDB snapshots: reader, writer, and the file they are written to.

pub(crate) mod blob;
pub(crate) mod delayed;
pub(crate) mod error;
pub mod file;
pub(crate) mod hash;
pub(crate) mod library;
pub(crate) mod list;
pub mod load;
pub(crate) mod read;
pub mod save;
pub(crate) mod set;
pub(crate) mod skip;
pub(crate) mod stream;
pub(crate) mod types;
pub(crate) mod write;
pub(crate) mod zset;

#[cfg(test)]
mod interop;
#[cfg(test)]
pub(crate) mod testing;
