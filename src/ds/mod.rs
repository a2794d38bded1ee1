//! Data structures and packed encodings: they know nothing of keys, clients or configuration.

pub mod cell;
pub mod dict;
pub mod field_table;
pub mod hll;
pub mod intset;
pub mod listpack;
pub mod ordered;
pub mod pack;
pub mod quicklist;
pub mod wheel;
