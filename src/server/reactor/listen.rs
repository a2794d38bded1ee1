//! Opening the sockets that clients connect to.

use crate::config::Config;
use crate::log;
use crate::net::listener::{self, Kind};
use crate::server::parts::Server;

/// Opens the listeners; nothing to listen on is an error.
pub(crate) fn open(srv: &mut Server) -> Result<(), String> {
    let net = &srv.cfg.net;
    let mut tcp = Vec::new();
    if net.port != 0 {
        let words = bind_words(&srv.cfg);
        let opened = listener::tcp(&words, net.port, net.tcp_backlog as i32, net.socket_mark_id);
        let opened = opened.map_err(|e| {
            warn_of_address(&e);
            log!(Warning, "Failed listening on port {} (tcp), aborting.", net.port);
            String::new()
        })?;
        opened.left_out.iter().for_each(warn_of_address);
        tcp = opened.listeners;
    }
    let mut unix = Vec::new();
    if !net.unix_socket.is_empty() {
        let path = String::from_utf8_lossy(&net.unix_socket).into_owned();
        unix.push(listener::unix(&path, net.unix_socket_perm).map_err(|e| {
            log!(Warning, "Failed opening Unix socket: {e}");
            String::new()
        })?);
    }
    if tcp.is_empty() && unix.is_empty() {
        log!(Warning, "Configured to not listen anywhere, exiting.");
        return Err(String::new());
    }
    let io = |e: std::io::Error| format!("Can't watch the listening sockets: {e}\n");
    srv.net.set_listeners(Kind::TCP, tcp).map_err(io)?;
    srv.net.set_listeners(Kind::UNIX, unix).map_err(io)
}

/// Says that an address can't be listened on.
pub(crate) fn warn_of_address(e: &listener::ListenError) {
    log!(Warning, "Warning: Could not create server TCP listening socket {}: {e}", e.addr);
}

pub(crate) fn bind_words(cfg: &Config) -> Vec<String> {
    cfg.net.bind.iter().map(|b| String::from_utf8_lossy(b).into_owned()).collect()
}
