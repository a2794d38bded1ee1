//! Data structures and packed encodings: they know nothing of keys, clients or configuration.

pub(crate) mod cell;
pub(crate) mod dict;
pub(crate) mod field_table;
pub(crate) mod hll;
pub(crate) mod intset;
pub(crate) mod largest;
pub(crate) mod listpack;
pub(crate) mod ordered;
pub(crate) mod pack;
pub(crate) mod quicklist;
pub(crate) mod stream;
pub(crate) mod topk;
pub(crate) mod wheel;
