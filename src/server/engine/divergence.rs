//! Errors where there should be none: what a primary sends its replicas has been run once without
//! one. Such an error means that the two may hold different data.

use crate::config::choice::PropagationError;
use crate::log;
use crate::net::clients::ClientId;
use crate::net::session::{Close, ReplyMode};
use crate::net::usage::Class;
use crate::resp::errors::CmdError;
use crate::server::parts::{Row, Server};

/// The most of an error that the log shows.
const SHOWN: usize = 4096;

/// An error is the reply to a command of `id`. If that is our primary, or a replica, it is logged
/// and counted; `propagation-error-behavior` may end the server.
#[cold]
pub(crate) fn note(srv: &mut Server, id: ClientId, row: Option<&Row>, e: &CmdError) {
    let Some(session) = srv.clients.session(id) else { return };
    let (from, to) = match session.class() {
        Class::Primary => ("replica", "master"),
        Class::Replica => ("master", "replica"),
        _ => return,
    };
    let name = row.map_or("<unknown>", |row| row.name());
    let text = e.bytes();
    let text = text.strip_prefix(b"ERR ").map_or_else(|| [b"-", text].concat(), <[u8]>::to_vec);
    log!(
        Warning,
        "== CRITICAL == This {from} is sending an error to its {to}: '{}' after processing the \
         command '{name}'",
        String::from_utf8_lossy(&text[..text.len().min(SHOWN)])
    );
    srv.stats.n.unexpected_errors += 1;
    let strict = match srv.cfg.repl.propagation_error {
        PropagationError::Ignore => false,
        PropagationError::Panic | PropagationError::PanicOnReplicas => srv.cfg.repl.read_only,
    };
    if strict && session.primary {
        log!(
            Warning,
            "This {from} panicked sending an error to its {to} after processing the command '{name}'"
        );
        srv.shutdown.done = true;
        srv.shutdown.exit_code = 1;
    }
}

/// A replica or the primary has run a command that replied with `said`. The primary hears nothing.
/// A replica must not ask for replies: they would stand in the middle of the stream.
#[cold]
pub(crate) fn silence(srv: &mut Server, id: ClientId, said: &[u8]) {
    let Some(session) = srv.clients.session(id) else { return };
    if !session.replica || said.is_empty() || session.reply_mode != ReplyMode::Off {
        return;
    }
    let name = session.last_command.map_or("<unknown>", |command| srv.table.by_id(command).name());
    log!(
        Warning,
        "Replica generated a reply to command '{name}', disconnecting it: {}",
        String::from_utf8_lossy(&said[..said.len().min(SHOWN)]).trim_end()
    );
    srv.clients.close(id, Close::Now);
}
