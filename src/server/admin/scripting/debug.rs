//! The debugger of scripts: SCRIPT DEBUG, and an EVAL of a client that has asked for it.
//!
//! ```text
//! SCRIPT DEBUG YES    a child runs the script and talks with the client; its changes are lost, and
//!                     the server forgets the client
//! SCRIPT DEBUG SYNC   the server itself does, and nothing else meanwhile
//! ```
//! During a session the client's socket blocks. The session reads and writes it by itself: neither
//! what waits to be sent nor what was read ahead passes through it. When it has ended the client
//! gets the reply of EVAL, and then the connection ends in both modes.
//!
//! In a child nothing but the session and the reply leaves the process (`child::fork_for`).

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::eval;
use crate::commands::{CmdResult, Flow, arg};
use crate::log;
use crate::net::clients::ClientId;
use crate::net::outbox::Flush;
use crate::net::session::{Close, Debugging};
use crate::resp::errors::CmdError;
use crate::script::debug::{Session, Wire};
use crate::server::jobs::child;
use crate::server::parts::{Call, Server};
use crate::sys::fork;
use crate::util::path::os_error;

/// How long a client may keep the session from writing.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long it may be silent: it may be. But a signal only ends a read that has such a bound.
const READ_TIMEOUT: Duration = Duration::from_secs(24 * 3600);
/// How long a script may run without a stop if there is no `busy-reply-threshold`.
const PATIENCE_MS: u64 = 5000;

/// `SCRIPT DEBUG YES|SYNC|NO`.
pub(super) fn set_mode(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let Some(client) = srv.clients.get_mut(call.client) else { return Ok(Flow::Done) };
    if call.reply.len() > 0 || client.outbox.pending() > 0 {
        return Err(CmdError::new("ERR SCRIPT DEBUG must be called outside a pipeline"));
    }
    let debugging = &mut client.session.debugging;
    let mode = call.argv.at(2);
    if arg::is(mode, "no") {
        *debugging = Debugging::No;
    } else if arg::is(mode, "sync") {
        *debugging = Debugging::Here;
    } else if !arg::is(mode, "yes") {
        return Err(CmdError::new("ERR Use SCRIPT DEBUG YES/SYNC/NO"));
    } else if *debugging == Debugging::No {
        // Compat: YES after SYNC changes nothing.
        *debugging = Debugging::Apart;
    }
    call.reply.ok();
    Ok(Flow::Done)
}

/// How the scripts of a client are debugged.
pub(super) fn mode(srv: &Server, client: ClientId) -> Debugging {
    srv.clients.session(client).map_or(Debugging::No, |session| session.debugging)
}

/// EVAL in a session of the debugger. Joins: script and what the script calls, child.
pub(super) fn eval(
    srv: &mut Server,
    call: &mut Call<'_>,
    read_only: bool,
    how: Debugging,
) -> CmdResult {
    let apart = how == Debugging::Apart;
    if !apart {
        log!(Notice, "Redis synchronous debugging eval session started");
    } else {
        match child::fork_for(srv, call.client) {
            Err(e) => {
                if let Some(session) = srv.clients.session_mut(call.client) {
                    session.debugging = Debugging::No;
                }
                let why = os_error(&e);
                let text = format!("Fork() failed: can't run EVAL in debugging mode: {why}");
                return Err(CmdError::err(text));
            }
            Ok(false) => {
                hand_over(srv, call.client);
                return Ok(Flow::Done);
            }
            Ok(true) => log!(Notice, "Redis forked for debugging eval"),
        }
    }
    let mut socket = Socket::of(srv, call.client);
    socket.block(true);
    let threshold = srv.cfg.script.busy_reply_threshold_ms;
    let patience = Duration::from_millis(if threshold > 0 { threshold } else { PATIENCE_MS });
    let mut session =
        Some(Box::new(Session::new(call.argv[1], Box::new(socket.again()), patience)));
    let result = eval::run_text(srv, call, read_only, &mut session);
    if let Some(session) = &mut session {
        session.finish();
    }
    if apart {
        if let Err(e) = &result {
            call.reply.error(e);
        }
        leave(srv, call);
    }
    log!(Notice, "Redis synchronous debugging eval session ended");
    socket.block(false);
    srv.clients.close(call.client, Close::AfterReply);
    result
}

/// A child talks with the client from now on: for the server it is gone.
fn hand_over(srv: &mut Server, id: ClientId) {
    let Some(client) = srv.clients.get_mut(id) else { return };
    client.session.handed_over = true;
    // If it fails, events come that find nobody.
    let _ = client.conn.deregister(srv.net.registry());
    srv.clients.close(id, Close::Now);
}

/// In a child whose session has ended: sends the reply, and ends.
fn leave(srv: &mut Server, call: &mut Call<'_>) -> ! {
    if let Some(client) = srv.clients.get_mut(call.client) {
        client.outbox.check_in(call.reply.buf().to_vec());
        while let Ok((_, Flush::Paused)) = client.outbox.flush(&mut client.conn) {}
        // Another child, one that saves, may have the socket too.
        client.conn.shut_down();
    }
    log!(Notice, "Lua debugging session child exiting");
    fork::exit_now(0)
}

/// The client's socket, under a number of its own. None: the system has no more of them, and the
/// client counts as gone.
struct Socket(Option<TcpStream>);

impl Socket {
    /// The system does not care which kind of stream it is.
    fn of(srv: &Server, client: ClientId) -> Socket {
        let conn = srv.clients.get(client).map(|client| &client.conn);
        Socket(conn.and_then(|conn| conn.duplicate().ok()).map(TcpStream::from))
    }

    fn again(&self) -> Socket {
        Socket(self.0.as_ref().and_then(|stream| stream.try_clone().ok()))
    }

    /// Whether reads and writes wait, for a while. It holds for the connection, whoever uses it.
    fn block(&mut self, on: bool) {
        let Some(stream) = &self.0 else { return };
        // Without the timeouts a session only lasts longer.
        let _ = stream.set_read_timeout(on.then_some(READ_TIMEOUT));
        let _ = stream.set_write_timeout(on.then_some(WRITE_TIMEOUT));
        if stream.set_nonblocking(!on).is_err() {
            self.0 = None;
        }
    }
}

impl Wire for Socket {
    /// Compat: a signal ends the session as well. One that is to end the server waits for that.
    fn read(&mut self, into: &mut Vec<u8>, most: usize) -> bool {
        let Some(stream) = &mut self.0 else { return false };
        let mut buf = vec![0; most];
        loop {
            match stream.read(&mut buf) {
                Ok(n) => {
                    into.extend_from_slice(&buf[..n]);
                    return n > 0;
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return false,
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(stream) = &mut self.0 {
            // Reading shows whether the client is gone.
            let _ = stream.write_all(bytes);
        }
    }
}
