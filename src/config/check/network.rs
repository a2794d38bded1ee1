//! Who can connect, by which way, and how many.

use super::{Severity, View};
use crate::config::choice::TlsAuthClients;
use crate::config::{RESERVED_FILES, table};

/// Passwords shorter than this can be guessed: the server answers hundreds of thousands a second.
const SHORT_PASSWORD: usize = 16;
/// Bytes of the path of a unix socket.
const LONGEST_SOCKET: usize = 107;

pub(super) fn check(view: &mut View<'_>) {
    access(view);
    listeners(view);
    numbers(view);
    admin(view);
    metrics(view);
}

fn is_loopback(address: &[u8]) -> bool {
    let address = address.strip_prefix(b"-").unwrap_or(address);
    address.eq_ignore_ascii_case(b"localhost") || address == b"::1" || address.starts_with(b"127.")
}

fn access(view: &mut View<'_>) {
    let config = view.config();
    let (net, password) = (&config.net, &config.acl.require_pass);
    let tls = &config.tls;
    let by_tls = tls.port != 0 && tls.auth_clients != TlsAuthClients::Yes;
    let open = (net.port != 0 || by_tls) && !net.bind.iter().all(|address| is_loopback(address));
    if !open {
        return;
    }
    if password.is_empty() && !net.protected_mode {
        let text = "everybody who reaches this address has all rights: no password is set, and \
                    protected-mode is off";
        let fix = "set 'requirepass', or 'bind 127.0.0.1 -::1'";
        view.warn("open-to-all", "protected-mode", text, fix);
    } else if password.is_empty() {
        let text = "without a password, protected-mode refuses all clients of other machines";
        view.note("protected", "bind", text, "set 'requirepass', or 'bind 127.0.0.1 -::1'");
    } else if password.len() < SHORT_PASSWORD {
        let text = format!("the password is short ({} bytes), and can be guessed", password.len());
        view.note("weak-password", "requirepass", text, "openssl rand -hex 32");
    }
}

fn listeners(view: &mut View<'_>) {
    let (net, tls) = (&view.config().net, view.config().tls.port);
    if net.port == 0 && tls == 0 && net.unix_socket.is_empty() {
        let text = "nothing to listen on: no port, and no unix socket";
        view.error("no-listener", "port", text, "set 'port' or 'unixsocket'");
    } else if net.port | tls != 0 && net.bind.is_empty() && net.unix_socket.is_empty() {
        let text = "nothing to listen on: no address";
        view.error("no-listener", "bind", text, "set 'bind' or 'unixsocket'");
    }
    if tls != 0 && net.port == tls {
        let text = "clients without TLS have this port";
        view.error("tls-port-taken", "tls-port", text, "set another port");
    }
    if net.unix_socket.is_empty() {
        if view.is_given("unixsocketperm") {
            let text = "permissions of a unix socket, but there is none";
            view.note("no-unix-socket", "unixsocketperm", text, "set 'unixsocket'");
        }
        return;
    }
    if net.unix_socket.len() > LONGEST_SOCKET {
        let text = format!("the path of a unix socket has {LONGEST_SOCKET} bytes at most");
        view.error("long-unix-socket", "unixsocket", text, "use a shorter path");
    }
    let mode = net.unix_socket_perm;
    if mode & 0o002 != 0 && view.config().acl.require_pass.is_empty() {
        let text = "every user of this machine can connect, and no password is set";
        view.note("open-unix-socket", "unixsocketperm", text, "unixsocketperm 770");
    } else if mode != 0 && mode & 0o600 != 0o600 {
        let text = "not even the user of the server can connect";
        view.warn("closed-unix-socket", "unixsocketperm", text, "unixsocketperm 700");
    }
}

/// The port for administrators.
fn admin(view: &mut View<'_>) {
    let config = view.config();
    let (net, password) = (&config.net, &config.acl.require_pass);
    if net.admin_port == 0 {
        return;
    }
    if net.admin_port == net.port || net.admin_port == config.tls.port {
        let text = "clients have this port, so administrators can't have it";
        view.error("admin-port-taken", "admin-port", text, "set another port");
    }
    let open = !net.admin_bind.iter().all(|address| is_loopback(address));
    if open && password.is_empty() {
        let text = "whoever reaches this address can take the places of the administrators";
        view.note("open-admin-port", "admin-bind", text, "admin-bind 127.0.0.1 -::1");
    }
}

fn numbers(view: &mut View<'_>) {
    let machine = view.world.machine;
    let net = &view.config().net;
    let backlog = u64::from(net.tcp_backlog);
    if let Some(most) = machine.somaxconn.filter(|most| *most < backlog && net.port != 0) {
        let text = format!("the system cuts the queue of new connections, {backlog}, to {most}");
        let fix = format!("sysctl net.core.somaxconn={backlog}");
        view.warn("backlog-cut", "tcp-backlog", text, &fix);
    }
    let clients = u64::from(view.config().clients.max_clients);
    let Some(files) = machine.open_files else { return };
    let most = files.saturating_sub(RESERVED_FILES);
    let fix = format!("ulimit -n {} (systemd: LimitNOFILE)", clients + RESERVED_FILES);
    if most == 0 {
        let text = format!("{files} open files are not enough to start");
        view.add(Severity::Error, "too-few-files", "maxclients", text, &fix);
    } else if clients > most {
        let text = format!(
            "the limit of open files, {files}, leaves room for {most} of {clients} clients"
        );
        view.warn("few-files", "maxclients", text, &fix);
    }
}

/// A port for figures that is open to others should ask for a token. The directives are looked up
/// by name: not every build has them.
fn metrics(view: &mut View<'_>) {
    let value = |name: &[u8]| Some(table::find(name)?.row.value(view.config()));
    let (Some(port), Some(bind), Some(token)) =
        (value(b"metrics-port"), value(b"metrics-bind"), value(b"metrics-token"))
    else {
        return;
    };
    let mut addresses = bind.split(|byte| *byte == b' ');
    if port != b"0" && token.is_empty() && !addresses.all(is_loopback) {
        let text = match value(b"metrics-page-key-names").as_deref() {
            Some(b"yes") => "figures and names of keys can be read by who reaches this address",
            _ => "the figures can be read by everybody who reaches this address",
        };
        view.note("open-metrics", "metrics-bind", text, "set 'metrics-token'");
    }
}
