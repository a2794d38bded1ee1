//! Handshakes of TLS: a connection is a client when its own is done.
//!
//! A handshake takes as long as hundreds of commands. So a turn does about one of them, and
//! the rest wait for the next turn, in the order in which they came: whoever opens many
//! connections delays others by one at most. One that is not done in time is closed; those in
//! progress count for `maxclients`.

use mio::Interest;

use crate::log;
use crate::net::conn::{self, Conn};
use crate::net::tls::stream::TlsStream;
use crate::server::parts::Server;
use crate::server::parts::net::Source;
use crate::server::reactor::accept;

/// A turn begins no further step of a handshake after so many microseconds.
const TURN_US: u64 = 100;
/// How long a handshake may take.
const PATIENCE_MS: i64 = 30_000;

/// A connection has come to the port of TLS.
pub(super) fn begin(srv: &mut Server, conn: Conn) {
    srv.stats.n.connections += 1;
    let others = srv.clients.len() - srv.clients.admins() + srv.tls.len();
    if others >= srv.cfg.clients.max_clients as usize {
        // Nothing can be said to it before its handshake is done.
        srv.stats.n.rejected_connections += 1;
        return log!(Verbose, "Error accepting a client connection: too many clients");
    }
    let (Conn::Tcp(socket), Some(context)) = (conn, &srv.tls.context) else { return };
    let made = TlsStream::server(socket, &context.server).and_then(|stream| {
        let mut conn = Conn::Tls(Box::new(stream));
        let token = Source::Opening(srv.tls.next_place()).token();
        conn.register(srv.net.registry(), token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(conn)
    });
    match made {
        Ok(conn) => {
            srv.tls.add(conn, srv.clock.now_ms);
        }
        Err(e) => log!(Warning, "Error accepting a client connection: {e}"),
    }
}

/// Goes on with handshakes, for a while.
pub(super) fn serve(srv: &mut Server) {
    let start = srv.clock.watch.ticks();
    while let Some(place) = srv.tls.next() {
        step(srv, place);
        if srv.clock.watch.us(srv.clock.watch.ticks().wrapping_sub(start)) >= TURN_US {
            return;
        }
    }
}

fn step(srv: &mut Server, place: usize) {
    let Some(opening) = srv.tls.get_mut(place) else { return };
    let Some(stream) = opening.conn.tls() else { return };
    match stream.handshake() {
        Ok(false) => {}
        Ok(true) => {
            srv.tls.done += 1;
            let Some(opening) = srv.tls.remove(place) else { return };
            accept::let_in(srv, opening.conn, false);
        }
        Err(e) => {
            let (peer, local) = (conn::show(opening.conn.peer()), conn::show(opening.conn.local()));
            log!(Verbose, "Error accepting a client connection: {e} (addr={peer} laddr={local})");
            srv.tls.failed += 1;
            srv.tls.remove(place);
        }
    }
}

/// Closes connections whose handshake takes too long. O(connections in their handshake).
pub(super) fn tend(srv: &mut Server) {
    for place in srv.tls.older_than(srv.clock.now_ms - PATIENCE_MS) {
        log!(Verbose, "Error accepting a client connection: its handshake took too long");
        srv.tls.late += 1;
        srv.tls.remove(place);
    }
}
