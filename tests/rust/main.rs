//! The crate's own rules, the seeds of its fuzz targets, and servers under random commands, in one
//! test binary (see `Cargo.toml`).

mod corpus;
mod model;
mod rng;
mod tidy;
