//! Clients that were marked for closing leave, and every registry forgets them.

use crate::log;
use crate::server::{Server, dispatch};

/// Clients that leave in one turn: closing a connection takes the system some microseconds.
const AT_ONCE: usize = 256;

pub fn reap(srv: &mut Server) {
    let marked = srv.clients.marked(AT_ONCE);
    for &client in &marked {
        dispatch::unpark(srv, client);
    }
    let gone = srv.clients.reap(marked);
    for client in &gone {
        // A child has the socket too: closing ours alone would not end the connection.
        if srv.child.is_some() {
            client.conn.shut_down();
        }
        srv.watch.forget(client.id);
        srv.pubsub.forget(client.id);
        if let Some(t) = &client.session.tracking {
            srv.tracking.stop(client.id, &t.prefixes);
        }
        srv.tracking.forget(client.id);
        srv.pause.forget(client.id);
        log!(Debug, "Client {} is gone", client.session.peer);
    }
    if !gone.is_empty() {
        srv.rearm();
    }
}
