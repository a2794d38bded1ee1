//! Pure functions on bytes and numbers: no state, no operating system, no other module.

pub(crate) mod bytes;
pub mod crc64;
pub(crate) mod digest;
pub(crate) mod geohash;
pub(crate) mod glob;
pub(crate) mod grisu;
pub(crate) mod json;
pub(crate) mod lines;
pub(crate) mod longdouble;
pub mod lzf;
pub(crate) mod near;
pub(crate) mod num;
pub(crate) mod path;
pub(crate) mod rand;
pub(crate) mod sha256;
pub mod siphash;
pub(crate) mod size_class;
pub(crate) mod sparse;
pub(crate) mod split;
pub(crate) mod utc;
