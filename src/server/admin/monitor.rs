//! MONITOR: every command that the server runs, as a line to those who watch.

use crate::commands::{CmdResult, Flow};
use crate::resp::errors::CmdError;
use crate::server::parts::ServerRow;
use crate::server::parts::{Call, Server};

pub(crate) const COMMANDS: &[ServerRow] = &[("monitor", monitor)];

/// `MONITOR`. O(1) now, a line a command later. Joins: clients.
fn monitor(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    if call.env.deny_blocking {
        return Err(CmdError::new("ERR MONITOR isn't allowed for DENY BLOCKING client"));
    }
    // Compat: who watches already gets no reply.
    if srv.clients.session(call.client).is_some_and(|s| !s.monitor) {
        srv.clients.set_monitor(call.client, true);
        call.reply.ok();
    }
    Ok(Flow::Done)
}
