//! Clients that wait for others to have what they wrote: WAIT and WAITAOF.
//!
//! ```text
//! a batch of a client's commands   its session learns where in the stream its latest write ends
//! WAITAOF                          parks the client with that offset
//! the helper thread has synced     who waits for an offset before that goes on
//! ```

use crate::keyspace::waiting::{Offsets, Reached, Waiting};
use crate::net::clients::ClientId;
use crate::resp::errors::{self, CmdError};
use crate::resp::reply::Reply;
use crate::server::engine::blocking;
use crate::server::parts::Server;
use crate::server::parts::aof::State;

/// What WAITAOF says when there is no file to wait for.
pub(crate) const NO_FILE: CmdError =
    CmdError::new("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.");

/// Where the latest write of a client ends in the stream, those of its running batch included.
pub(crate) fn written(srv: &Server, id: ClientId) -> u64 {
    let end = srv.stream.end();
    let before = srv.clients.session(id).map_or(0, |session| session.written);
    if end == srv.exec.batch_from { before } else { end }
}

/// Whether everything before an offset is on disk, in a file that would be loaded.
pub(crate) fn is_on_disk(srv: &Server, offset: u64) -> bool {
    srv.aof.state == State::On && srv.syncer.synced() >= offset
}

/// How far what a client waits for has come.
pub(crate) fn reached(srv: &Server, offsets: &Offsets) -> Reached {
    Reached {
        local: is_on_disk(srv, offsets.written),
        replicas: srv.repl.have(offsets.count, offsets.file),
    }
}

/// The reply of a parked client that gives up.
pub(crate) fn write_nothing(srv: &Server, waiting: &Waiting, reply: &mut Reply) {
    match waiting {
        Waiting::Keys { nothing, .. } => nothing.write(reply),
        Waiting::Offsets(offsets) => offsets.write(reached(srv, offsets), reply),
        // It waits without a time of its own, and nobody else ends that.
        Waiting::End => reply.ok(),
        // Nobody has looked at its password, so it is not let in.
        Waiting::Login => reply.error(&errors::WRONG_PASS),
    }
}

/// Lets those go on whose offsets have been reached.
pub(crate) fn serve(srv: &mut Server) {
    if !srv.blocked.for_server().is_empty() {
        serve_all(srv);
    }
}

fn serve_all(srv: &mut Server) {
    for id in srv.blocked.for_server().to_vec() {
        let parked = srv.clients.session(id).and_then(|session| session.parked.as_ref());
        let Some(Waiting::Offsets(offsets)) = parked.map(|parked| &parked.waiting) else {
            continue;
        };
        let offsets: Offsets = *offsets;
        let refused = offsets.local && !srv.aof.is_on();
        let reached = reached(srv, &offsets);
        if !refused && !offsets.are_met(reached) {
            continue;
        }
        let Some(parked) = blocking::unpark(srv, id) else { continue };
        blocking::with_reply(srv, id, |srv, reply| {
            if refused {
                reply.error(&NO_FILE);
                srv.stats.error(NO_FILE.code());
            } else {
                offsets.write(reached, reply);
            }
        });
        blocking::account_unblocked(srv, id, &parked, refused);
        srv.net.wake(id);
    }
}
