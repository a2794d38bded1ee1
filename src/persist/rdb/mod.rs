//! RDB snapshots: reader, writer, and the file they are written to.

pub mod blob;
pub mod error;
pub mod file;
pub mod load;
pub mod read;
pub mod save;
pub mod skip;
pub mod types;
pub mod write;

#[cfg(test)]
mod interop;
#[cfg(test)]
pub(crate) mod testing;
