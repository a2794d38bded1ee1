//! How much a client may send: the length of an argument, and what waits to be run.

use crate::config::Config;
use crate::log;
use crate::net::clients::ClientId;
use crate::net::session::{Close, Session};
use crate::resp::parser::Limits;
use crate::server::engine::describe::describe;
use crate::server::parts::Server;

/// What a primary sends has been let in there, so it is taken here.
pub(super) const OBEYED: usize = 1 << 40;

pub(super) fn limits_of(cfg: &Config, session: &Session) -> Limits {
    let max_bulk = if session.primary { OBEYED } else { cfg.clients.max_bulk_bytes as usize };
    Limits { max_bulk, trusted: session.authenticated }
}

/// Whether a client may go on that has sent `have` bytes which have not run. What it has queued in
/// a transaction counts as well. If it may not, it is closed.
pub(super) fn within_query_limit(srv: &mut Server, id: ClientId, have: usize) -> bool {
    let limit = srv.cfg.clients.query_buffer_limit;
    let Some(client) = srv.clients.get(id) else { return false };
    if client.session.primary {
        return true;
    }
    let queued = client.session.multi.as_ref().map_or(0, |m| m.arg_bytes);
    have + queued <= limit || {
        refuse_query(srv, id);
        false
    }
}

/// Closes a client whose input is over the limit.
#[cold]
fn refuse_query(srv: &mut Server, id: ClientId) {
    let Some(client) = srv.clients.get(id) else { return };
    let mut start = Vec::new();
    let pending = &client.query.pending;
    crate::util::split::repr_into(&mut start, &pending[..64.min(pending.len())]);
    log!(
        Warning,
        "Closing client that reached max query buffer length: {} (qbuf initial bytes: {})",
        describe(srv, client),
        String::from_utf8_lossy(&start)
    );
    srv.stats.n.query_limit_disconnections += 1;
    srv.clients.close(id, Close::Now);
}
