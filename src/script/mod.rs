//! Scripts and libraries of functions, in Lua 5.1.
//!
//! ```text
//! bridge      the edge to Lua, the only unsafe code of this layer
//! api         what scripts find as `redis` and `server`
//! convert     replies as values of Lua, and the other way
//! eval        the scripts that are known
//! function    the libraries that are loaded
//! flags       the first line of both
//! debug       a session of the debugger, without Lua
//! bit, cjson, cmsgpack, structs    the libraries that Redis's Lua has beside its own
//! fuzz        what fuzzing calls
//! testing     for tests: runs a chunk
//! ```
//! Nothing here knows a server: who runs a script is its `bridge::Host`.

pub(crate) mod api;
mod bit;
pub(crate) mod bridge;
mod cjson;
mod cmsgpack;
pub(crate) mod convert;
pub(crate) mod debug;
pub(crate) mod eval;
pub(crate) mod flags;
pub(crate) mod function;
pub mod fuzz;
mod structs;
#[cfg(test)]
mod testing;
