//! Opening the sockets that clients, administrators and scrapers connect to.

use std::io::ErrorKind;

use crate::config::RESERVED_FILES;
use crate::log;
use crate::net::listener::{self, Kind, ListenError, Opened};
use crate::server::parts::Server;
use crate::server::parts::metrics::MAX_SCRAPERS;
use crate::server::reactor::accept::MAX_ADMINS;
use crate::sys::socket;

/// Opens the listeners; nothing to listen on is an error.
pub(crate) fn open(srv: &mut Server) -> Result<(), String> {
    let net = &srv.cfg.net;
    let tcp = open_at_start(srv, Kind::TCP, net.port)?;
    let mut unix = Vec::new();
    if !net.unix_socket.is_empty() {
        let path = String::from_utf8_lossy(&net.unix_socket).into_owned();
        unix.push(listener::unix(&path, net.unix_socket_perm).map_err(|e| {
            log!(Warning, "Failed opening Unix socket: {e}");
            String::new()
        })?);
    }
    if tcp.listeners.is_empty() && unix.is_empty() {
        log!(Warning, "Configured to not listen anywhere, exiting.");
        return Err(String::new());
    }
    let admin = open_at_start(srv, Kind::Admin, srv.cfg.net.admin_port)?;
    let metrics = open_at_start(srv, Kind::Metrics, srv.cfg.metrics.port)?;
    let io = |e: std::io::Error| format!("Can't watch the listening sockets: {e}\n");
    srv.net.set_listeners(Kind::TCP, tcp.listeners).map_err(io)?;
    srv.net.set_listeners(Kind::UNIX, unix).map_err(io)?;
    serve_admins(srv, admin).map_err(io)?;
    serve_metrics(srv, metrics).map_err(io)
}

fn open_at_start(srv: &Server, kind: Kind, port: u16) -> Result<Opened, String> {
    let opened = listen(srv, kind, port).map_err(|e| {
        warn_of_address(&e);
        let what = match kind {
            Kind::Metrics => "metrics",
            Kind::Admin => "admin",
            Kind::Clients(_) => "tcp",
        };
        log!(Warning, "Failed listening on port {port} ({what}), aborting.");
        String::new()
    })?;
    opened.left_out.iter().for_each(warn_of_address);
    Ok(opened)
}

/// Opens the sockets of a kind; on port 0 there are none.
fn listen(srv: &Server, kind: Kind, port: u16) -> Result<Opened, ListenError> {
    if port == 0 {
        return Ok(Opened::default());
    }
    let (net, bind) = (
        &srv.cfg.net,
        match kind {
            Kind::Metrics => &srv.cfg.metrics.bind,
            Kind::Admin => &srv.cfg.net.admin_bind,
            Kind::Clients(_) => &srv.cfg.net.bind,
        },
    );
    let words: Vec<String> = bind.iter().map(|b| String::from_utf8_lossy(b).into_owned()).collect();
    listener::tcp(kind, &words, port, net.tcp_backlog as i32, net.socket_mark_id)
}

/// Opens the sockets of a kind anew, as the configuration says now, and closes the old ones.
pub(crate) fn reopen(srv: &mut Server, kind: Kind) -> Result<(), ListenError> {
    let port = match kind {
        Kind::Metrics => srv.cfg.metrics.port,
        Kind::Admin => srv.cfg.net.admin_port,
        Kind::Clients(_) => srv.cfg.net.port,
    };
    // The old sockets stay open until the new ones are there. On the same port that fails for
    // addresses that stay, so those are closed first.
    let opened = match listen(srv, kind, port) {
        Err(e) if e.error.kind() == ErrorKind::AddrInUse && ours(srv, kind, port) => {
            let fail = |error| ListenError { addr: e.addr.clone(), step: "", error };
            srv.net.set_listeners(kind, Vec::new()).map_err(fail)?;
            listen(srv, kind, port)
        }
        other => other,
    }?;
    opened.left_out.iter().for_each(warn_of_address);
    let fail = |error| ListenError { addr: format!("port {port}"), step: "", error };
    match kind {
        Kind::Metrics => serve_metrics(srv, opened).map_err(fail),
        Kind::Admin => serve_admins(srv, opened).map_err(fail),
        Kind::Clients(_) => srv.net.set_listeners(kind, opened.listeners).map_err(fail),
    }
}

/// Whether one of our own sockets of a kind has the port.
fn ours(srv: &Server, kind: Kind, port: u16) -> bool {
    let listeners = srv.net.listeners().iter().filter(|l| l.kind == kind);
    listeners.filter_map(|l| l.addr()).any(|addr| addr.port() == port)
}

/// Begins to listen for scrapers, or ends that.
fn serve_metrics(srv: &mut Server, opened: Opened) -> std::io::Result<()> {
    let on = !opened.listeners.is_empty();
    srv.net.set_listeners(Kind::Metrics, opened.listeners)?;
    raise_files(srv);
    srv.metrics.switch(on);
    Ok(())
}

/// Begins to listen for administrators, or ends that.
fn serve_admins(srv: &mut Server, opened: Opened) -> std::io::Result<()> {
    srv.net.set_listeners(Kind::Admin, opened.listeners)?;
    raise_files(srv);
    Ok(())
}

/// Scrapers and administrators must not take the files that clients are promised, nor clients
/// theirs. A limit that can't be raised leaves them those that are kept in reserve.
fn raise_files(srv: &Server) {
    let count = |kind| srv.net.listeners().iter().filter(|l| l.kind == kind).count();
    let files = [(Kind::Metrics, MAX_SCRAPERS), (Kind::Admin, MAX_ADMINS)]
        .map(|(kind, most)| (count(kind), most))
        .into_iter()
        .map(|(count, most)| if count == 0 { 0 } else { (count + most) as u64 })
        .sum::<u64>();
    if files > 0 {
        let clients = u64::from(srv.cfg.clients.max_clients);
        socket::raise_nofile(clients + RESERVED_FILES + files);
    }
}

/// Says that an address can't be listened on.
pub(crate) fn warn_of_address(e: &ListenError) {
    log!(Warning, "Warning: Could not create server TCP listening socket {}: {e}", e.addr);
}
