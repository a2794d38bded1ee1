//! The connection to the primary, until a client stands for it.
//!
//! ```text
//! Down -> Connecting -> Talking (handshake) -> Receiving (a snapshot) -> Connected
//!                                           -> Connected (the stream goes on)
//! ```
//! When the link is up, its connection belongs to a client like any other, whose commands come from
//! the primary.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};

use mio::Interest;

use crate::log;
use crate::net::conn::Conn;
use crate::net::session::{ReplyMode, Session};
use crate::net::tls::context::Context;
use crate::net::tls::stream::TlsStream;
use crate::repl::handshake::{Handshake, Introduction, Next};
use crate::server::jobs::repl::{apply, failover, primary, receive, replica};
use crate::server::parts::Server;
use crate::server::parts::identity::REDIS_VERSION;
use crate::server::parts::net::Source;
use crate::server::parts::repl::{Link, Receive, Talk};
use crate::server::parts::stream;
use crate::sys::socket;
use crate::util::path::os_error;

/// The longest line of a handshake.
const LINE_MAX: usize = 4096;

/// Takes the connection out of the link, which is down then.
pub(super) fn take_conn(srv: &mut Server) -> Option<Conn> {
    let following = srv.repl.following.as_mut()?;
    match std::mem::replace(&mut following.link, Link::Down) {
        Link::Connecting(conn) => Some(conn),
        Link::Talking(talk) => Some(talk.conn),
        Link::Receiving(receive) => Some(receive::abandon(*receive)),
        Link::Down | Link::Loading(_) | Link::Connected => None,
    }
}

/// Ends the reception of a snapshot; what had come of it is removed.
pub(super) fn abandon(srv: &mut Server) {
    replica::on_link_failed(srv);
}

/// Begins to connect to the primary.
pub(super) fn connect(srv: &mut Server) {
    let Some(following) = &mut srv.repl.following else { return };
    following.heard_ms = srv.clock.now_ms;
    let host = String::from_utf8_lossy(&following.host).into_owned();
    let (port, net) = (following.port, &srv.cfg.net);
    let made = open(&host, port, &net.bind_source_addr, net.socket_mark_id, protection(srv));
    let made = made.and_then(|mut conn| {
        let interest = Interest::WRITABLE | Interest::READABLE;
        conn.register(srv.net.registry(), Source::Link.token(), interest)?;
        Ok(conn)
    });
    let Some(following) = &mut srv.repl.following else { return };
    match made {
        Ok(conn) => {
            following.link = Link::Connecting(conn);
            log!(Notice, "MASTER <-> REPLICA sync started");
        }
        Err(e) => {
            log!(Warning, "Unable to connect to MASTER: {}", os_error(&e));
            following.retry_ms = srv.clock.now_ms + 1000;
        }
    }
}

/// What connections to other servers are made with; None: without TLS.
pub(crate) fn protection(srv: &Server) -> Option<&Context> {
    srv.tls.context.as_ref().filter(|_| srv.cfg.tls.replication)
}

/// Begins to connect to `host`, from the address `source` if it is not empty.
pub(crate) fn open(
    host: &str,
    port: u16,
    source: &[u8],
    mark: u32,
    tls: Option<&Context>,
) -> io::Result<Conn> {
    let source = String::from_utf8_lossy(source).into_owned();
    let mut failed = io::Error::other("the name has no address");
    for addr in (host, port).to_socket_addrs()? {
        let from: Option<SocketAddr> = match source.is_empty() {
            true => None,
            false => Some(socket::resolve_as(&source, 0, addr.is_ipv6())?),
        };
        match socket::connect_tcp(&addr, from.as_ref(), mark) {
            Ok(stream) => {
                let socket = mio::net::TcpStream::from_std(stream);
                return Ok(match tls {
                    None => Conn::Tcp(socket),
                    Some(context) => {
                        Conn::Tls(Box::new(TlsStream::client(socket, host, &context.client)?))
                    }
                });
            }
            Err(e) => failed = e.error,
        }
    }
    Err(failed)
}

/// The link's socket has something to say. `serve` serves other clients while data is loaded.
pub(crate) fn on_event(srv: &mut Server, serve: fn(&mut Server)) {
    let Some(following) = &mut srv.repl.following else { return };
    match &mut following.link {
        Link::Connecting(_) => {
            on_connected(srv);
            // A primary that speaks first has been heard already: no event tells of it again.
            on_line(srv, serve);
        }
        Link::Talking(_) => on_line(srv, serve),
        Link::Receiving(_) => receive::on_readable(srv, serve),
        Link::Down | Link::Loading(_) | Link::Connected => {}
    }
}

fn fail(srv: &mut Server, what: &str, e: &io::Error) {
    log!(Warning, "{what}: {}", os_error(e));
    replica::on_link_failed(srv);
}

fn on_connected(srv: &mut Server) {
    let Some(following) = &mut srv.repl.following else { return };
    let Link::Connecting(conn) = &following.link else { return };
    if let Some(e) = conn.error() {
        return fail(srv, "Error condition on socket for SYNC", &e);
    }
    if conn.peer().is_none() {
        // Not connected yet.
        return;
    }
    if let Link::Connecting(conn) = &mut following.link
        && let Some(stream) = conn.tls()
    {
        match stream.handshake() {
            Ok(true) => {}
            Ok(false) => return,
            Err(e) => return fail(srv, "Error condition on socket for SYNC", &e),
        }
    }
    log!(Notice, "Non blocking connect for SYNC fired the event.");
    let handshake = Handshake::new(Introduction {
        user: srv.cfg.repl.primary_user.clone(),
        password: srv.cfg.repl.primary_auth.clone(),
        port: match srv.cfg.repl.announce_port {
            0 => srv.cfg.port_for_peers(),
            port => port,
        },
        address: srv.cfg.repl.announce_ip.clone(),
        version: REDIS_VERSION.into(),
        resume: following.resumes.then(|| (srv.repl.history.id.clone(), srv.stream.repl_end() + 1)),
        takes_over: following.takes_over,
    });
    let hello = handshake.begin();
    let Link::Connecting(conn) = std::mem::replace(&mut following.link, Link::Down) else {
        return;
    };
    conn.tune(srv.cfg.net.tcp_keepalive_secs as i32);
    following.heard_ms = srv.clock.now_ms;
    following.link = Link::Talking(Box::new(Talk { conn, handshake, input: Vec::new() }));
    send(srv, &hello);
}

/// Sends a few bytes, which the socket has room for: nothing else has been sent.
fn send(srv: &mut Server, bytes: &[u8]) -> bool {
    let Some(conn) = srv.repl.following.as_mut().and_then(|f| f.link.conn()) else { return false };
    match conn.write(bytes) {
        Ok(n) if n == bytes.len() => {
            srv.stats.n.net_out += n as u64;
            true
        }
        Ok(_) => {
            fail(
                srv,
                "Sending command to master in replication handshake",
                &io::Error::other("the socket takes no more"),
            );
            false
        }
        Err(e) => {
            fail(srv, "Sending command to master in replication handshake", &e);
            false
        }
    }
}

/// Reads what has come into `input`; None when the link is at its end, which is dealt with.
fn read_lines(srv: &mut Server) -> Option<()> {
    let now_ms = srv.clock.now_ms;
    loop {
        let following = srv.repl.following.as_mut()?;
        let Link::Talking(talk) = &mut following.link else { return None };
        if talk.input.len() > LINE_MAX {
            // The rest is data.
            return Some(());
        }
        match talk.conn.read_into(&mut talk.input, LINE_MAX) {
            // What it has said before it left is heard first: it may say why.
            Ok(0) if talk.input.contains(&b'\n') => {
                srv.net.link_again = true;
                return Some(());
            }
            Ok(0) => {
                let e = io::Error::from(ErrorKind::UnexpectedEof);
                fail(srv, "Reading from master in replication handshake", &e);
                return None;
            }
            Ok(n) => {
                following.heard_ms = now_ms;
                srv.stats.n.repl_in += n as u64;
                srv.stats.n.net_in += n as u64;
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Some(()),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => {
                fail(srv, "Reading from master in replication handshake", &e);
                return None;
            }
        }
    }
}

fn on_line(srv: &mut Server, serve: fn(&mut Server)) {
    if read_lines(srv).is_none() {
        return;
    }
    loop {
        let Some(following) = srv.repl.following.as_mut() else { return };
        let Link::Talking(talk) = &mut following.link else { return };
        let Some(end) = talk.input.iter().position(|&b| b == b'\n') else {
            if talk.input.len() > LINE_MAX {
                replica::on_link_failed(srv);
            }
            return;
        };
        let line: Vec<u8> = talk.input.drain(..=end).collect();
        let line = line.trim_ascii_end();
        match talk.handshake.line(line) {
            Next::Wait => {}
            Next::Send(bytes) => {
                if !send(srv, &bytes) {
                    return;
                }
            }
            Next::Full { id, offset } => return receive_snapshot(srv, id, offset, false, serve),
            Next::Old(bytes) => {
                if send(srv, &bytes) {
                    receive_snapshot(srv, "?".into(), 0, true, serve);
                }
                return;
            }
            Next::Continue { id } => return go_on(srv, id),
            Next::Later | Next::Fail => {
                if following.takes_over {
                    return failover::abort(srv, "Failover target rejected psync request");
                }
                return replica::on_link_failed(srv);
            }
        }
    }
}

/// A snapshot follows. Until it is loaded we have what we had, and may still go on with that.
fn receive_snapshot(srv: &mut Server, id: String, offset: u64, old: bool, serve: fn(&mut Server)) {
    let Some(following) = srv.repl.following.as_mut() else { return };
    let Link::Talking(talk) = std::mem::replace(&mut following.link, Link::Down) else { return };
    following.takes_over = false;
    failover::end(srv);
    let Some(following) = srv.repl.following.as_mut() else { return };
    following.link = Link::Receiving(Box::new(Receive {
        conn: talk.conn,
        input: talk.input,
        finder: None,
        file: None,
        id,
        offset,
        old,
        unsynced: 0,
    }));
    receive::on_readable(srv, serve);
}

/// The stream goes on from where it was, perhaps under another ID: then our own replicas have to
/// learn of it.
fn go_on(srv: &mut Server, id: Option<String>) {
    let Some(following) = srv.repl.following.as_mut() else { return };
    let Link::Talking(talk) = std::mem::replace(&mut following.link, Link::Down) else { return };
    following.takes_over = false;
    failover::end(srv);
    if let Some(id) = id {
        log!(Notice, "Master replication ID changed to {id}");
        let end = srv.stream.repl_end();
        srv.repl.history.shift(id, end);
        primary::drop_replicas(srv);
    }
    log!(Notice, "MASTER <-> REPLICA sync: Master accepted a Partial Resynchronization.");
    establish(srv, talk.conn, talk.input);
}

/// The link is up: a client stands for the primary from now on. `input` has come already.
pub(super) fn establish(srv: &mut Server, mut conn: Conn, input: Vec<u8>) {
    let now_ms = srv.clock.now_ms;
    srv.net.forget_link(&mut conn);
    let Some(following) = srv.repl.following.as_mut() else { return };
    let session = Session {
        authenticated: true,
        primary: true,
        reply_mode: ReplyMode::Off,
        db: following.db,
        ..Session::new(&conn, now_ms)
    };
    let id = srv.clients.insert(conn, session);
    following.client = Some(id);
    following.link = Link::Connected;
    following.heard_ms = now_ms;
    following.down_since_ms = None;
    srv.stream.set_audience(stream::AOF);
    srv.repl.keep_backlog(&mut srv.stream);
    srv.repl.held_raw.clear();
    let Server { clients, net, .. } = srv;
    if let Some(client) = clients.get_mut(id) {
        client.query.whole = true;
        client.query.pending = input;
        client.query.behind = !client.query.pending.is_empty();
        let token = Source::Client(id).token();
        if client.conn.register(net.poll.registry(), token, Interest::READABLE).is_err() {
            clients.close(id, crate::net::session::Close::Now);
        }
    }
    // What has come meanwhile is told by no event.
    srv.net.resume(id);
    srv.roles_changed();
    apply::acknowledge(srv);
}
