//! RDB snapshots: reader, writer, and the file they are written to.

pub mod blob;
pub mod error;
pub mod file;
pub mod hash;
pub mod library;
pub mod list;
pub mod load;
pub mod read;
pub mod save;
pub mod set;
pub mod skip;
pub mod types;
pub mod write;
pub mod zset;

#[cfg(test)]
mod interop;
#[cfg(test)]
pub(crate) mod testing;
