//! Listening sockets: every `bind` address, the unix socket, and every address of `admin-bind` and
//! `metrics-bind`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use mio::net::{TcpListener, UnixListener};
use mio::{Interest, Registry, Token};

use crate::net::conn::Conn;
use crate::sys::socket;
use crate::util::path::os_error;

/// Who connects to a listener, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Clients(Transport),
    /// Clients beyond `maxclients`, by TCP: those who must get in when it is crowded.
    Admin,
    /// Scrapers of metrics, by TCP.
    Metrics,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Unix,
    /// TLS over TCP.
    Tls,
}

impl Kind {
    pub(crate) const TCP: Kind = Kind::Clients(Transport::Tcp);
    pub(crate) const UNIX: Kind = Kind::Clients(Transport::Unix);
    pub(crate) const TLS: Kind = Kind::Clients(Transport::Tls);
}

/// One listening socket.
#[derive(Debug)]
pub(crate) struct Listener {
    pub kind: Kind,
    /// The word of `bind` that it was opened for, or the path of a unix socket.
    pub word: String,
    socket: Socket,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener, SocketAddr),
    Unix(UnixListener),
}

impl Listener {
    pub(crate) fn register(&mut self, to: &Registry, token: Token) -> io::Result<()> {
        match &mut self.socket {
            Socket::Tcp(socket, _) => to.register(socket, token, Interest::READABLE),
            Socket::Unix(socket) => to.register(socket, token, Interest::READABLE),
        }
    }
    pub(crate) fn deregister(&mut self, from: &Registry) {
        // An error is ignored: the socket is closed next, and the kernel then forgets it.
        let _ = match &mut self.socket {
            Socket::Tcp(socket, _) => from.deregister(socket),
            Socket::Unix(socket) => from.deregister(socket),
        };
    }
    pub(crate) fn accept(&self) -> io::Result<Conn> {
        match &self.socket {
            Socket::Tcp(socket, _) => socket.accept().map(|(s, _)| Conn::Tcp(s)),
            Socket::Unix(socket) => socket.accept().map(|(s, _)| Conn::Unix(s)),
        }
    }
    /// The address it was opened for; None: it is no address of TCP.
    pub(crate) fn addr(&self) -> Option<SocketAddr> {
        match &self.socket {
            Socket::Tcp(_, addr) => Some(*addr),
            Socket::Unix(_) => None,
        }
    }
}

/// Why an address can't be listened on.
#[derive(Debug)]
pub(crate) struct ListenError {
    pub addr: String,
    /// The step that failed; empty if the name has no address.
    pub step: &'static str,
    pub error: io::Error,
}

/// As Redis prints it: `bind: Address already in use`.
impl std::fmt::Display for ListenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = os_error(&self.error);
        // The text of the resolver comes after the library's own words.
        let text = text.rsplit(": ").next().unwrap_or(&text);
        match self.step {
            "" => f.write_str(text),
            step => write!(f, "{step}: {text}"),
        }
    }
}

/// The TCP sockets of `bind`, and what was left out: addresses that the machine does not have.
#[derive(Debug, Default)]
pub(crate) struct Opened {
    pub listeners: Vec<Listener>,
    pub left_out: Vec<ListenError>,
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
        // Compat: a name is one of IPv4 unless it has a colon.
        name => return Ok((socket::resolve_as(name, port, name.contains(':'))?, optional)),
    };
    Ok((SocketAddr::new(ip, port), optional))
}

/// Opens a TCP socket of a kind for every word of `bind`.
///
/// An optional address is left out if this machine does not have it, or does not speak its
/// protocol. Any other failure is an error for all of them.
pub(crate) fn tcp(
    kind: Kind,
    bind: &[String],
    port: u16,
    backlog: i32,
    mark: u32,
) -> Result<Opened, ListenError> {
    let mut open = Opened::default();
    for word in bind.iter().filter(|w| !w.is_empty()) {
        let shown = word.strip_prefix('-').unwrap_or(word);
        let fail = |step, error| ListenError { addr: format!("{shown}:{port}"), step, error };
        let (addr, optional) = bind_word(word, port).map_err(|e| fail("", e))?;
        match socket::listen_tcp(&addr, backlog, mark) {
            Ok(std) => {
                let socket = Socket::Tcp(TcpListener::from_std(std), addr);
                open.listeners.push(Listener { kind, word: word.clone(), socket });
            }
            Err(e) if is_absent(&e.error, optional) => open.left_out.push(fail(e.step, e.error)),
            Err(e) => return Err(fail(e.step, e.error)),
        }
    }
    Ok(open)
}

/// Errors that mean "this machine has no such protocol", or, where that is tolerated, no such
/// address.
fn is_absent(e: &io::Error, optional: bool) -> bool {
    let protocol = [
        libc::EAFNOSUPPORT,
        libc::EPFNOSUPPORT,
        libc::ENOPROTOOPT,
        libc::EPROTONOSUPPORT,
        libc::ESOCKTNOSUPPORT,
    ];
    e.raw_os_error()
        .is_some_and(|code| protocol.contains(&code) || optional && code == libc::EADDRNOTAVAIL)
}

/// Connections to the unix socket that may wait.
const UNIX_BACKLOG: i32 = 1024;

/// Opens the unix socket, replacing the file a former server left; `mode` 0 keeps the default.
pub(crate) fn unix(path: &str, mode: u32) -> Result<Listener, ListenError> {
    let _ = std::fs::remove_file(path);
    let socket = socket::listen_unix(path, mode, UNIX_BACKLOG).map_err(|e| ListenError {
        addr: path.to_string(),
        step: e.step,
        error: e.error,
    })?;
    let socket = UnixListener::from_std(socket);
    Ok(Listener { kind: Kind::UNIX, word: path.to_string(), socket: Socket::Unix(socket) })
}

/// Whether a connection comes from this machine itself.
pub(crate) fn is_local(conn: &Conn) -> bool {
    match conn {
        Conn::Unix(_) => true,
        Conn::Tcp(_) | Conn::Tls(_) => conn.peer().is_some_and(|a| match a.ip() {
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
        assert_eq!(at("::1").0, "[::1]:7".parse().expect("ok"));
        assert_eq!(at("localhost").0, "127.0.0.1:7".parse().expect("ok"));
    }

    #[test]
    fn an_absent_optional_address_is_left_out_and_a_taken_one_is_not() {
        let words = ["127.0.0.1".to_string(), "-192.0.2.77".to_string()];
        let open = tcp(Kind::TCP, &words, 0, 16, 0).expect("loopback");
        assert_eq!(open.listeners.len(), 1);
        let left_out: Vec<String> =
            open.left_out.iter().map(|e| format!("{} {e}", e.addr)).collect();
        assert_eq!(left_out, ["192.0.2.77:0 bind: Cannot assign requested address"]);
        let error = tcp(Kind::TCP, &["192.0.2.77".to_string()], 0, 16, 0).expect_err("not here");
        assert_eq!(error.to_string(), "bind: Cannot assign requested address");
        // Whether there is a resolver or not, its words come without the library's.
        let error =
            tcp(Kind::TCP, &["no.such.name.invalid".to_string()], 0, 16, 0).expect_err("no name");
        assert!(!error.to_string().contains("lookup"), "{error}");
    }
}
