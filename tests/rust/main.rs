//! The crate's own rules, and the seeds of its fuzz targets, in one test binary (see `Cargo.toml`).

mod corpus;
mod tidy;
