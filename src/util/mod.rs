//! Pure functions on bytes and numbers: no state, no operating system, no other module.

pub mod bytes;
pub mod crc64;
pub mod digest;
pub mod geohash;
pub mod glob;
pub mod grisu;
pub mod lines;
pub mod longdouble;
pub mod lzf;
pub mod num;
pub mod path;
pub mod rand;
pub mod sha256;
pub mod siphash;
pub mod size_class;
pub mod split;
