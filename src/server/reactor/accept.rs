//! New connections: who is let in, and what a client starts with.

use std::io::ErrorKind;

use mio::Interest;

use crate::config::choice::TlsUserField;
use crate::log;
use crate::net::conn::Conn;
use crate::net::listener::{self, Kind};
use crate::net::session::{Close, Session};
use crate::net::tls::cert::Parsed;
use crate::resp::errors::{self, CmdError};
use crate::resp::reply::Reply;
use crate::server::engine::audit::{self, Login};
use crate::server::parts::Server;
use crate::server::parts::net::Source;
use crate::server::reactor::{handshake, scrape};

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
                Kind::TLS => handshake::begin(srv, conn),
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
    srv.stats.n.connections += 1;
    let admins = srv.clients.admins();
    let is_full = match admin {
        true => admins >= MAX_ADMINS,
        false => srv.clients.len() - admins + srv.tls.len() >= srv.cfg.clients.max_clients as usize,
    };
    if is_full {
        srv.stats.n.rejected_connections += 1;
        return refuse(&mut conn, &errors::MAX_CLIENTS);
    }
    let_in(srv, conn, admin);
}

fn refuse(conn: &mut Conn, e: &CmdError) {
    let mut reply = Reply::default();
    reply.error(e);
    // An error is ignored: the connection is closed in any case.
    let _ = conn.write(reply.buf());
    conn.say_goodbye();
}

/// Lets a client in for whom there is room.
pub(super) fn let_in(srv: &mut Server, mut conn: Conn, admin: bool) {
    let local = listener::is_local(&conn);
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
    let certificate = match conn.as_tls() {
        Some(_) => log_in(srv, &conn, &mut session),
        None => None,
    };
    log!(Verbose, "Accepted {}", session.peer);
    let id = srv.clients.insert(conn, session);
    let Server { clients, net, .. } = srv;
    let Some(client) = clients.get_mut(id) else { return };
    let (token, interest) = (Source::Client(id).token(), Interest::READABLE);
    let watched = match client.conn.as_tls() {
        None => client.conn.register(net.poll.registry(), token, interest),
        Some(_) => {
            // What came with the end of the handshake is told by no event.
            net.again.push(id);
            client.conn.reregister(net.poll.registry(), token, interest)
        }
    };
    if let Err(e) = watched {
        log!(Warning, "Error registering fd event for the new client: {e}");
        clients.close(id, Close::Now);
    }
    if let Some((user, known)) = certificate {
        audit::login(srv, id, &user, Login::Certificate, known);
    }
}

/// A certificate may stand for a user: then the client need not authenticate. Returns the name, and
/// whether there is such a user.
fn log_in(srv: &Server, conn: &Conn, session: &mut Session) -> Option<(Vec<u8>, bool)> {
    let certificate = conn.as_tls()?.peer_certificate().and_then(Parsed::of)?;
    let names = match srv.cfg.later.tls_auth_clients_user {
        TlsUserField::Off => return None,
        TlsUserField::Cn => certificate.common_name().into_iter().collect(),
        TlsUserField::Uri => certificate.uris(),
    };
    let user = names.iter().find_map(|name| Some((name, srv.acl.find_enabled(name)?)));
    let Some((name, user)) = user else {
        log!(Verbose, "The certificate of {} stands for no user", session.peer);
        return names.into_iter().next().map(|name| (name, false));
    };
    session.authenticated = true;
    session.restricted = srv.acl.get(user).is_none_or(|user| !user.is_open());
    session.user = user;
    Some((name.clone(), true))
}

const PROTECTED: CmdError = CmdError::new(
    "DENIED Redis is running in protected mode because protected mode is enabled and no password is \
     set for the default user. In this mode connections are only accepted from the loopback interface. \
     To connect from elsewhere set a password (requirepass), or switch the mode off with 'CONFIG SET \
     protected-mode no' from this machine or 'protected-mode no' in the configuration file, after \
     making sure that the server can't be reached from the internet.",
);
