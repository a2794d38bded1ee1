//! Listening sockets: every `bind` address, and the unix socket.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use mio::net::{TcpListener, UnixListener};
use mio::{Interest, Registry, Token};

use crate::net::conn::Conn;
use crate::sys::socket;

/// One listening socket.
#[derive(Debug)]
pub enum Listener {
    Tcp { socket: TcpListener, addr: SocketAddr },
    Unix { socket: UnixListener, path: String },
}

impl Listener {
    pub fn register(&mut self, to: &Registry, token: Token) -> io::Result<()> {
        match self {
            Listener::Tcp { socket, .. } => to.register(socket, token, Interest::READABLE),
            Listener::Unix { socket, .. } => to.register(socket, token, Interest::READABLE),
        }
    }
    pub fn deregister(&mut self, from: &Registry) {
        // The socket is closed right after; the kernel forgets it anyway.
        let _ = match self {
            Listener::Tcp { socket, .. } => from.deregister(socket),
            Listener::Unix { socket, .. } => from.deregister(socket),
        };
    }
    pub fn accept(&self) -> io::Result<Conn> {
        match self {
            Listener::Tcp { socket, .. } => socket.accept().map(|(s, _)| Conn::Tcp(s)),
            Listener::Unix { socket, .. } => socket.accept().map(|(s, _)| Conn::Unix(s)),
        }
    }
}

/// Why an address can't be listened on.
#[derive(Debug)]
pub struct ListenError {
    pub addr: String,
    pub error: io::Error,
}

/// One `bind` word: an address, and whether its absence is tolerated (`-` before it).
fn bind_word(word: &str, port: u16) -> io::Result<(SocketAddr, bool)> {
    let (host, optional) = match word.strip_prefix('-') {
        Some(rest) => (rest, true),
        None => (word, false),
    };
    let ip = match host {
        "*" => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        "::*" => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        name => match name.parse() {
            Ok(ip) => ip,
            Err(_) => socket::resolve(name, port)?.ip(),
        },
    };
    Ok((SocketAddr::new(ip, port), optional))
}

/// Opens a TCP socket for every word of `bind`.
///
/// An optional address that this machine does not have is left out; anything else that fails fails
/// all of it.
pub fn tcp(
    bind: &[String],
    port: u16,
    backlog: i32,
    mark: u32,
) -> Result<Vec<Listener>, ListenError> {
    let mut open = Vec::new();
    for word in bind.iter().filter(|w| !w.is_empty()) {
        let fail = |error| ListenError { addr: format!("{word}:{port}"), error };
        let (addr, optional) = bind_word(word, port).map_err(fail)?;
        match socket::listen_tcp(&addr, backlog, mark) {
            Ok(std) => open.push(Listener::Tcp { socket: TcpListener::from_std(std), addr }),
            Err(e) if optional && is_absent(&e) => {}
            Err(e) => return Err(fail(e)),
        }
    }
    Ok(open)
}

/// Errors that mean "this machine has no such address or protocol".
fn is_absent(e: &io::Error) -> bool {
    let absent =
        [libc::EADDRNOTAVAIL, libc::EAFNOSUPPORT, libc::ENOPROTOOPT, libc::EPROTONOSUPPORT];
    e.raw_os_error().is_some_and(|code| absent.contains(&code))
}

/// Opens the unix socket, replacing the file a former server left; `mode` 0 keeps the default.
pub fn unix(path: &str, mode: u32) -> Result<Listener, ListenError> {
    let fail = |error| ListenError { addr: path.to_string(), error };
    let _ = std::fs::remove_file(path);
    let socket = UnixListener::bind(path).map_err(fail)?;
    if mode != 0 {
        socket::chmod(path, mode).map_err(fail)?;
    }
    Ok(Listener::Unix { socket, path: path.to_string() })
}

/// Whether a connection comes from this machine itself.
pub fn is_local(conn: &Conn) -> bool {
    match conn {
        Conn::Unix(_) => true,
        Conn::Tcp(_) => conn.peer().is_some_and(|a| match a.ip() {
            IpAddr::V4(ip) => ip.is_loopback(),
            IpAddr::V6(ip) => {
                ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|v4| v4.is_loopback())
            }
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bind_words() {
        let at = |w| bind_word(w, 7).expect("an address");
        assert_eq!(at("*"), ("0.0.0.0:7".parse().expect("ok"), false));
        assert_eq!(at("-::*"), ("[::]:7".parse().expect("ok"), true));
        assert_eq!(at("127.0.0.1").0.port(), 7);
    }

    #[test]
    fn an_absent_optional_address_is_left_out_and_a_taken_one_is_not() {
        let words = ["127.0.0.1".to_string(), "-192.0.2.77".to_string()];
        let open = tcp(&words, 0, 16, 0).expect("loopback");
        assert_eq!(open.len(), 1);
        assert!(tcp(&["192.0.2.77".to_string()], 0, 16, 0).is_err());
    }
}
