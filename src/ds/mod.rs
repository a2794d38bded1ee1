//! Data structures and packed encodings: they know nothing of keys, clients or configuration.

pub mod dict;
pub mod wheel;
