//! Clients that were marked for closing leave, and every registry forgets them.

use crate::log;
use crate::server::{Server, dispatch};

pub fn reap(srv: &mut Server) {
    for client in srv.clients.marked() {
        dispatch::unpark(srv, client);
    }
    let gone = srv.clients.reap();
    for client in &gone {
        // A child has the socket too: closing ours alone would not end the connection.
        if srv.child.is_some() {
            client.conn.shut_down();
        }
        srv.watch.forget(client.id);
        srv.pubsub.forget(client.id);
        srv.pause.forget(client.id);
        log!(Debug, "Client {} is gone", client.session.peer);
    }
    if !gone.is_empty() {
        srv.rearm();
    }
}
