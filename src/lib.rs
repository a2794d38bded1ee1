//! Redust: an in-memory data server that speaks Redis's protocol and keeps its file formats.
//!
//! The modules form layers, and each layer imports only from those below it:
//!
//! ```text
//! main > server > commands | persist | net | config | registries   (siblings: never each other)
//!      > keyspace > value > ds | resp > util | sys
//! ```
//!
//! `server` is the only layer that knows all the parts; they meet there by id, never by reference.
//! A test (`tests/rust/tidy.rs`) reads every `use crate::` and fails on an arrow that points up or
//! sideways, and on `unsafe` outside the modules that may hold it.

pub mod acl;
mod blocked;
mod commands;
pub mod config;
mod ds;
pub mod keyspace;
mod latency;
pub mod net;
pub mod persist;
mod pubsub;
mod repl;
pub mod resp;
pub mod script;
pub mod sentinel;
pub mod server;
mod slowlog;
mod stats;
pub mod sys;
mod tracking;
pub mod util;
mod value;
mod watch;
