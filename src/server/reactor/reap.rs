//! Clients that were marked for closing leave, and every registry forgets them.
//!
//! Closing a client only marks it (`Clients::close`): a command may be running for it, and hold its
//! id. Marked clients are freed at the end of a turn, when no command runs (`turn::finish_turn`).
//! The registries forget a client before its slot is freed, because they find what it had there.
//! Some of them may be empty afterwards, so `rearm` asks them again.
//!
//! `AT_ONCE` bounds the clients that leave in one turn; the loop doesn't wait while any is left.
//!
//! CLIENT KILL uses `end`: the registries forget that client at once, so that no later command of
//! the turn still meets it. Its slot is freed like any other.

use crate::log;
use crate::net::clients::ClientId;
use crate::net::session::Close;
use crate::server::engine::blocking;
use crate::server::jobs::repl::{primary, replica};
use crate::server::parts::Server;

/// The most clients that leave in one turn: the system takes some microseconds to close a
/// connection.
const AT_ONCE: usize = 256;

/// Ends a client's connection now: to every later command it is gone.
pub(crate) fn end(srv: &mut Server, id: ClientId) {
    srv.clients.close(id, Close::Now);
    forget(srv, id);
    srv.rearm();
}

/// Takes a client out of every registry. A second time changes nothing.
fn forget(srv: &mut Server, id: ClientId) {
    blocking::unpark(srv, id);
    if srv.watch.forget(id) | srv.pubsub.forget(id) {
        srv.listed(id);
    }
    srv.clients.set_monitor(id, false);
    if let Some(tracking) = srv.clients.session_mut(id).and_then(|s| s.tracking.take()) {
        srv.tracking.stop(id, &tracking.prefixes);
    }
    srv.tracking.forget(id);
    srv.pause.forget(id);
    if srv.clients.session(id).is_some_and(|session| session.primary) {
        replica::on_client_gone(srv, id);
    }
    primary::forget(srv, id);
}

/// Replicas that have left are gone for the command that runs, too: a script may wait for that.
pub(crate) fn forget_replicas(srv: &mut Server) {
    for id in srv.clients.marked(usize::MAX) {
        primary::forget(srv, id);
    }
}

pub(crate) fn reap(srv: &mut Server) {
    let marked = srv.clients.marked(AT_ONCE);
    for &client in &marked {
        forget(srv, client);
    }
    let mut gone = srv.clients.reap(marked);
    for client in &mut gone {
        if !client.session.handed_over {
            client.conn.say_goodbye();
        }
        // A child has the socket too, so closing ours would not end the connection.
        if srv.child.is_some() && !client.session.handed_over {
            client.conn.shut_down();
        }
        log!(Debug, "Client {} is gone", client.session.peer);
    }
    if !gone.is_empty() {
        srv.rearm();
    }
}
