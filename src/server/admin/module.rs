//! MODULE: there are none, and none can be loaded.
//!
//! Clients ask for the list, so they get one. The others fail as on a redis-server that can't load
//! the file.

use crate::commands::{CmdResult, Flow};
use crate::log;
use crate::resp::errors::CmdError;
use crate::server::parts::{Call, Server, ServerRow};

pub(crate) const COMMANDS: &[ServerRow] = &[
    ("module|list", list),
    ("module|load", load),
    ("module|loadex", load),
    ("module|unload", unload),
];

/// `MODULE LIST`.
fn list(_: &mut Server, call: &mut Call<'_>) -> CmdResult {
    call.reply.array(0);
    Ok(Flow::Done)
}

/// `MODULE LOAD path [arg ...]`, `MODULE LOADEX path ...`.
fn load(_: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let path = String::from_utf8_lossy(call.argv[2]);
    log!(Warning, "Module {path} failed to load: this server has no modules");
    Err(CmdError::new("ERR Error loading the extension. Please check the server logs."))
}

/// `MODULE UNLOAD name`.
fn unload(_: &mut Server, _: &mut Call<'_>) -> CmdResult {
    Err(CmdError::new("ERR Error unloading module: no such module with that name"))
}
