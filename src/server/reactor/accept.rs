//! New connections: who is let in, and what a client starts with.

use std::io::ErrorKind;

use mio::Interest;

use crate::log;
use crate::net::conn::Conn;
use crate::net::listener::{self, Kind};
use crate::net::session::{Close, Session};
use crate::resp::errors::{self, CmdError};
use crate::resp::reply::Reply;
use crate::server::parts::Server;
use crate::server::parts::net::Source;
use crate::server::reactor::scrape;

/// Administrators beyond `maxclients` at the same time.
pub(super) const MAX_ADMINS: usize = 16;

/// Connections accepted from one listener in one turn; the second is of scrapers.
const ACCEPTS: usize = 64;
const SCRAPER_ACCEPTS: usize = 8;

pub(crate) fn accept(srv: &mut Server, index: usize) {
    let Some(kind) = srv.net.listeners.get(index).map(|l| l.kind) else { return };
    for _ in 0..if kind == Kind::Metrics { SCRAPER_ACCEPTS } else { ACCEPTS } {
        let Some(l) = srv.net.listeners.get(index) else { return };
        match l.accept() {
            Ok(conn) => match kind {
                Kind::Clients(_) => welcome(srv, conn, false),
                Kind::Admin => welcome(srv, conn, true),
                Kind::Metrics => scrape::welcome(srv, conn),
            },
            Err(e) if e.kind() == ErrorKind::WouldBlock => return,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            // It left before it was let in; the next one may be there.
            Err(e) if e.kind() == ErrorKind::ConnectionAborted => {}
            Err(e) => {
                log!(Warning, "Accepting client connection: {e}");
                // Usually there are no descriptors left. Trying again at once would take time from
                // those that are connected, and fill the log, so it waits for the cron.
                srv.net.accept_later.push(index);
                return;
            }
        }
    }
    srv.net.accept_again.push(index);
}

/// Lets a client in if there is room. An administrator (`admin`) has a room of its own; its user
/// has the rights it always has.
fn welcome(srv: &mut Server, mut conn: Conn, admin: bool) {
    let local = listener::is_local(&conn);
    let refuse = |conn: &mut Conn, e: &CmdError| {
        let mut reply = Reply::default();
        reply.error(e);
        // An error is ignored: the connection is closed in any case.
        let _ = conn.write(reply.buf());
    };
    srv.stats.n.connections += 1;
    let admins = srv.clients.admins();
    let is_full = match admin {
        true => admins >= MAX_ADMINS,
        false => srv.clients.len() - admins >= srv.cfg.clients.max_clients as usize,
    };
    if is_full {
        srv.stats.n.rejected_connections += 1;
        return refuse(&mut conn, &errors::MAX_CLIENTS);
    }
    if srv.cfg.net.protected_mode && srv.acl.default_needs_no_password() && !local {
        srv.stats.n.rejected_connections += 1;
        return refuse(&mut conn, &PROTECTED);
    }
    conn.tune(srv.cfg.net.tcp_keepalive_secs as i32);
    let mut session = Session {
        resp3: srv.cfg.clients.default_resp == 3,
        authenticated: srv.acl.lets_everybody_in(),
        restricted: srv.acl.default_is_restricted(),
        admin,
        // A crowd of others must not drive it out either.
        no_evict: admin,
        ..Session::new(&conn, srv.clock.now_ms)
    };
    if conn.is_unix() {
        let path = format!("{}:0", String::from_utf8_lossy(&srv.cfg.net.unix_socket));
        (session.peer, session.local) = (path.clone(), path);
    }
    log!(Verbose, "Accepted {}", session.peer);
    let id = srv.clients.insert(conn, session);
    let Server { clients, net, .. } = srv;
    let Some(client) = clients.get_mut(id) else { return };
    let interest = Interest::READABLE;
    if let Err(e) = client.conn.register(net.poll.registry(), Source::Client(id).token(), interest)
    {
        log!(Warning, "Error registering fd event for the new client: {e}");
        clients.close(id, Close::Now);
    }
}

const PROTECTED: CmdError = CmdError::new(
    "DENIED Redis is running in protected mode because protected mode is enabled and no password is \
     set for the default user. In this mode connections are only accepted from the loopback interface. \
     To connect from elsewhere set a password (requirepass), or switch the mode off with 'CONFIG SET \
     protected-mode no' from this machine or 'protected-mode no' in the configuration file, after \
     making sure that the server can't be reached from the internet.",
);
