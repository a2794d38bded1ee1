//! How a transaction ends without having run.

use crate::net::clients::ClientId;
use crate::server::parts::Server;

/// Ends a transaction and forgets its watches.
pub(crate) fn discard(srv: &mut Server, id: ClientId) {
    if let Some(session) = srv.clients.session_mut(id) {
        session.multi = None;
    }
    unwatch_all(srv, id);
}

pub(crate) fn unwatch_all(srv: &mut Server, id: ClientId) {
    if srv.watch.forget(id) {
        srv.listed(id);
    }
    if let Some(session) = srv.clients.session_mut(id) {
        session.watch_broken = false;
    }
}
