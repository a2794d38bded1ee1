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
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::eval;
use crate::commands::{CmdResult, Flow, arg};
use crate::log;
use crate::net::clients::ClientId;
use crate::net::conn::Conn;
use crate::net::outbox::Flush;
use crate::net::session::{Close, Debugging};
use crate::net::tls::stream::TlsStream;
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
    if let Some(mut session) = session.take() {
        session.finish();
    }
    socket.block(false);
    socket.give_back(srv, call.client);
    if apart {
        if let Err(e) = &result {
            call.reply.error(e);
        }
        leave(srv, call);
    }
    log!(Notice, "Redis synchronous debugging eval session ended");
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
        client.conn.say_goodbye();
        // Another child, one that saves, may have the socket too.
        client.conn.shut_down();
    }
    log!(Notice, "Lua debugging session child exiting");
    fork::exit_now(0)
}

/// What a session reads and writes.
enum Line {
    /// The client's socket, under a number of its own.
    Plain(TcpStream),
    /// The client's connection itself, which is encrypted. The session has it until its end.
    Tls(Arc<Mutex<Box<TlsStream>>>),
}

/// None: the system has no more descriptors, and the client counts as gone.
struct Socket(Option<Line>);

impl Socket {
    /// The system does not care which kind of stream it is.
    fn of(srv: &mut Server, client: ClientId) -> Socket {
        let Some(client) = srv.clients.get_mut(client) else { return Socket(None) };
        let Ok(socket) = client.conn.duplicate().map(TcpStream::from) else { return Socket(None) };
        if client.conn.as_tls().is_none() {
            return Socket(Some(Line::Plain(socket)));
        }
        // Something has to stand in for it, and nobody uses that.
        let stand_in = Conn::Tcp(mio::net::TcpStream::from_std(socket));
        match std::mem::replace(&mut client.conn, stand_in) {
            Conn::Tls(stream) => Socket(Some(Line::Tls(Arc::new(Mutex::new(stream))))),
            other => {
                client.conn = other;
                Socket(None)
            }
        }
    }

    fn again(&self) -> Socket {
        Socket(match &self.0 {
            Some(Line::Plain(socket)) => socket.try_clone().ok().map(Line::Plain),
            Some(Line::Tls(stream)) => Some(Line::Tls(stream.clone())),
            None => None,
        })
    }

    /// The session is over: the client has its connection again.
    fn give_back(self, srv: &mut Server, client: ClientId) {
        let Some(Line::Tls(stream)) = self.0 else { return };
        let stream = Arc::into_inner(stream).and_then(|stream| stream.into_inner().ok());
        if let (Some(stream), Some(client)) = (stream, srv.clients.get_mut(client)) {
            client.conn = Conn::Tls(stream);
        }
    }

    /// Whether reads and writes wait, for a while. It holds for the connection, whoever uses it.
    fn block(&mut self, on: bool) {
        let stream = match &self.0 {
            Some(Line::Plain(socket)) => socket.try_clone().ok(),
            Some(Line::Tls(stream)) => {
                let stream = lock(stream);
                stream.socket().as_fd().try_clone_to_owned().ok().map(TcpStream::from)
            }
            None => return,
        };
        let Some(stream) = stream else {
            self.0 = None;
            return;
        };
        // Without the timeouts a session only lasts longer.
        let _ = stream.set_read_timeout(on.then_some(READ_TIMEOUT));
        let _ = stream.set_write_timeout(on.then_some(WRITE_TIMEOUT));
        if stream.set_nonblocking(!on).is_err() {
            self.0 = None;
        }
    }
}

fn lock(stream: &Mutex<Box<TlsStream>>) -> MutexGuard<'_, Box<TlsStream>> {
    stream.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes all to an encrypted connection that blocks; a bound on each wait ends that.
fn write_all(stream: &mut TlsStream, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let n = stream.write(bytes)?;
        bytes = &bytes[n..];
        stream.flush()?;
    }
    Ok(())
}

impl Wire for Socket {
    /// Compat: a signal ends the session as well. One that is to end the server waits for that.
    fn read(&mut self, into: &mut Vec<u8>, most: usize) -> bool {
        let Some(line) = &mut self.0 else { return false };
        let mut buf = vec![0; most];
        loop {
            let got = match line {
                Line::Plain(socket) => socket.read(&mut buf),
                Line::Tls(stream) => lock(stream).read(&mut buf),
            };
            match got {
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
        // Reading shows whether the client is gone.
        let _ = match &mut self.0 {
            Some(Line::Plain(socket)) => socket.write_all(bytes),
            Some(Line::Tls(stream)) => write_all(&mut lock(stream), bytes),
            None => Ok(()),
        };
    }
}
