//! Clients that were marked for closing leave, and every registry forgets them.

use crate::log;
use crate::net::clients::ClientId;
use crate::net::session::Close;
use crate::server::engine::blocking;
use crate::server::parts::Server;

/// Clients that leave in one turn: closing a connection takes the system some microseconds.
const AT_ONCE: usize = 256;

/// Ends a client's connection now: to every later command it is gone.
pub(crate) fn end(srv: &mut Server, id: ClientId) {
    srv.clients.close(id, Close::Now);
    forget(srv, id);
    srv.rearm();
}

/// Takes a client out of every registry. Once is enough, twice does no harm.
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
}

pub(crate) fn reap(srv: &mut Server) {
    let marked = srv.clients.marked(AT_ONCE);
    for &client in &marked {
        forget(srv, client);
    }
    let gone = srv.clients.reap(marked);
    for client in &gone {
        // A child has the socket too: closing ours alone would not end the connection.
        if srv.child.is_some() {
            client.conn.shut_down();
        }
        log!(Debug, "Client {} is gone", client.session.peer);
    }
    if !gone.is_empty() {
        srv.rearm();
    }
}
