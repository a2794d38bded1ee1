//! The only layer that knows all parts: it joins them, runs commands, and owns the loop.
//!
//! ```text
//! boot      from the command line to the loop; it alone assembles the command table
//!   admin     commands about the server itself: CLIENT, CONFIG, INFO, EXEC, SUBSCRIBE ...
//!   reactor   one turn of the loop: accept, read, run, write, free
//!   jobs      what happens besides commands: saving, expiry, the cron, loading, shutdown
//!   engine    how a command runs: admission, execution, what follows from it, blocking
//!   parts     the state: `Server`, and what a command handler is given
//! ```
//! Each floor imports only from itself and the floors below it, and no two files of a floor import
//! each other in a circle; `tests/rust/tidy.rs` checks both. A floor that must call upwards is
//! handed a function: the table's rows hold the commands, and a load is told how to serve others
//! meanwhile.

mod admin;
pub mod boot;
mod engine;
mod jobs;
mod parts;
mod reactor;

pub use boot::link_fuzz::link as fuzz_link;
pub use parts::fuzz::{libraries as fuzz_libraries, streams as fuzz_streams};

#[cfg(test)]
mod tests;
