//! Sockets: the options std and mio have no words for.

// setsockopt, bind with options, writev.
#![allow(unsafe_code)]

use std::io;
use std::mem::ManuallyDrop;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;
use std::time::Duration;

fn set(fd: RawFd, level: i32, name: i32, value: i32) -> io::Result<()> {
    let size = size_of::<i32>() as u32;
    // SAFETY: the pointer is to a live int of the size given.
    match unsafe { libc::setsockopt(fd, level, name, (&raw const value).cast(), size) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Which step of opening a socket failed, in the system's own name for it, and why.
#[derive(Debug)]
pub(crate) struct StepError {
    pub step: &'static str,
    pub error: io::Error,
}

impl StepError {
    pub(crate) fn at(step: &'static str) -> impl Fn(io::Error) -> StepError {
        move |error| StepError { step, error }
    }
}

/// A new socket for addresses of the same family, non-blocking, with a mark if that is not 0.
fn tcp_socket(addr: &SocketAddr, mark: u32) -> Result<OwnedFd, StepError> {
    let family = if addr.is_ipv6() { libc::AF_INET6 } else { libc::AF_INET };
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: plain values; the result is checked.
    let fd = unsafe { libc::socket(family, kind, 0) };
    if fd < 0 {
        return Err(StepError::at("socket")(io::Error::last_os_error()));
    }
    // SAFETY: the descriptor is new and owned by nobody else.
    let owned = unsafe { OwnedFd::from_raw_fd(fd) };
    #[cfg(target_os = "linux")]
    if mark != 0 {
        set(fd, libc::SOL_SOCKET, libc::SO_MARK, mark as i32)
            .map_err(StepError::at("setsockopt"))?;
    }
    Ok(owned)
}

/// A listening TCP socket on one address: SO_REUSEADDR, IPv6 only for IPv6, non-blocking.
pub(crate) fn listen_tcp(
    addr: &SocketAddr,
    backlog: i32,
    mark: u32,
) -> Result<TcpListener, StepError> {
    let owned = tcp_socket(addr, mark)?;
    let fd = owned.as_raw_fd();
    let option = StepError::at("setsockopt");
    if addr.is_ipv6() {
        set(fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1).map_err(&option)?;
    }
    set(fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1).map_err(&option)?;
    bind(fd, addr).map_err(StepError::at("bind"))?;
    // SAFETY: the descriptor is a bound stream socket.
    if unsafe { libc::listen(fd, backlog) } != 0 {
        return Err(StepError::at("listen")(io::Error::last_os_error()));
    }
    Ok(TcpListener::from(owned))
}

/// A listening unix socket at a path where there is no file, non-blocking. `mode` are the
/// permissions of its file; 0 leaves them to the umask.
///
/// Nobody can connect before the permissions are set (CVE-2023-45145): until the last step the
/// socket does not listen.
pub(crate) fn listen_unix(path: &str, mode: u32, backlog: i32) -> Result<UnixListener, StepError> {
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: plain values; the result is checked.
    let fd = unsafe { libc::socket(libc::AF_UNIX, kind, 0) };
    if fd < 0 {
        return Err(StepError::at("socket")(io::Error::last_os_error()));
    }
    // SAFETY: the descriptor is new and owned by nobody else.
    let owned = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: all-zero is a valid sockaddr_un.
    let mut raw: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    raw.sun_family = libc::AF_UNIX as _;
    // A zero has to stand behind the path.
    if path.is_empty() || path.len() >= raw.sun_path.len() || path.contains('\0') {
        return Err(StepError::at("bind")(io::Error::from_raw_os_error(libc::ENAMETOOLONG)));
    }
    for (to, from) in raw.sun_path.iter_mut().zip(path.bytes()) {
        *to = from as libc::c_char;
    }
    // SAFETY: the pointer is to a complete address of the size given.
    let bound =
        unsafe { libc::bind(fd, (&raw const raw).cast(), size_of::<libc::sockaddr_un>() as u32) };
    if bound != 0 {
        return Err(StepError::at("bind")(io::Error::last_os_error()));
    }
    if mode != 0 {
        chmod(path, mode).map_err(StepError::at("chmod"))?;
    }
    // SAFETY: the descriptor is a bound stream socket.
    if unsafe { libc::listen(fd, backlog) } != 0 {
        return Err(StepError::at("listen")(io::Error::last_os_error()));
    }
    Ok(UnixListener::from(owned))
}

/// Begins to connect; the socket is non-blocking, and becomes writable when there is a result.
/// `from`: the address to connect from.
pub(crate) fn connect_tcp(
    addr: &SocketAddr,
    from: Option<&SocketAddr>,
    mark: u32,
) -> Result<TcpStream, StepError> {
    let owned = tcp_socket(addr, mark)?;
    let fd = owned.as_raw_fd();
    if let Some(from) = from {
        set(fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1).map_err(StepError::at("setsockopt"))?;
        bind(fd, from).map_err(StepError::at("bind"))?;
    }
    // SAFETY: `with_raw` hands over pointer and size of a complete address.
    let result = with_raw(addr, |raw, len| unsafe { libc::connect(fd, raw, len) });
    if result != 0 {
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::EINPROGRESS) {
            return Err(StepError::at("connect")(error));
        }
    }
    Ok(TcpStream::from(owned))
}

/// Waits until a socket takes more, or until the time is over.
pub(crate) fn wait_writable(socket: &impl AsRawFd, at_most: Duration) -> io::Result<()> {
    wait([(socket.as_raw_fd(), libc::POLLOUT)], at_most).map(|_| ())
}

/// Waits until there is something to read, or until the time is over; whether `other` has
/// something to read.
pub(crate) fn wait_readable(
    socket: &impl AsRawFd,
    other: Option<RawFd>,
    at_most: Duration,
) -> io::Result<bool> {
    // The system passes over a negative descriptor.
    let fds = [(socket.as_raw_fd(), libc::POLLIN), (other.unwrap_or(-1), libc::POLLIN)];
    wait(fds, at_most).map(|ready| ready[1])
}

/// Waits for one of some events, or until the time is over or a signal comes; which have come.
fn wait<const N: usize>(
    fds: [(RawFd, libc::c_short); N],
    at_most: Duration,
) -> io::Result<[bool; N]> {
    let mut polls = fds.map(|(fd, events)| libc::pollfd { fd, events, revents: 0 });
    let ms = at_most.as_millis().clamp(1, i32::MAX as u128) as i32;
    // SAFETY: the pointer is to `N` live pollfds.
    if unsafe { libc::poll(polls.as_mut_ptr(), N as libc::nfds_t, ms) } < 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
        return Ok([false; N]);
    }
    Ok(polls.map(|poll| poll.revents != 0))
}

fn bind(fd: RawFd, addr: &SocketAddr) -> io::Result<()> {
    // SAFETY: `with_raw` hands over pointer and size of a complete address.
    let bound = with_raw(addr, |raw, len| unsafe { libc::bind(fd, raw, len) });
    if bound == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Hands an address over as the system has it.
fn with_raw(
    addr: &SocketAddr,
    call: impl FnOnce(*const libc::sockaddr, libc::socklen_t) -> libc::c_int,
) -> libc::c_int {
    match addr {
        SocketAddr::V4(a) => {
            // SAFETY: all-zero is a valid sockaddr_in.
            let mut raw: libc::sockaddr_in = unsafe { std::mem::zeroed() };
            raw.sin_family = libc::AF_INET as _;
            raw.sin_port = a.port().to_be();
            raw.sin_addr.s_addr = u32::from_ne_bytes(a.ip().octets());
            call((&raw const raw).cast(), size_of_val(&raw) as u32)
        }
        SocketAddr::V6(a) => {
            // SAFETY: all-zero is a valid sockaddr_in6.
            let mut raw: libc::sockaddr_in6 = unsafe { std::mem::zeroed() };
            raw.sin6_family = libc::AF_INET6 as _;
            raw.sin6_port = a.port().to_be();
            raw.sin6_addr.s6_addr = a.ip().octets();
            raw.sin6_scope_id = a.scope_id();
            call((&raw const raw).cast(), size_of_val(&raw) as u32)
        }
    }
}

/// The address at the other end of a descriptor that belongs to somebody else.
pub(crate) fn peer_of(fd: RawFd) -> Option<SocketAddr> {
    // SAFETY: the descriptor is only asked for its peer; `ManuallyDrop` keeps it open, and a wrong
    // or closed one makes the call fail.
    let socket = ManuallyDrop::new(unsafe { std::net::TcpStream::from_raw_fd(fd.max(0)) });
    socket.peer_addr().ok()
}

/// Reads at most `max` bytes into the unused capacity of `buf`, which grows by what was read.
pub(crate) fn read_spare(from: &impl AsRawFd, buf: &mut Vec<u8>, max: usize) -> io::Result<usize> {
    let fd = from.as_raw_fd();
    let room = buf.spare_capacity_mut();
    let len = room.len().min(max);
    // SAFETY: the pointer is to `len` writable bytes of the vector's own memory.
    let got = unsafe { libc::read(fd, room.as_mut_ptr().cast(), len) };
    let got = usize::try_from(got).map_err(|_| io::Error::last_os_error())?;
    // SAFETY: the kernel has written the first `got` bytes of the spare capacity.
    unsafe { buf.set_len(buf.len() + got) };
    Ok(got)
}

/// Sets the permissions of a unix socket's file (octal, as in `unixsocketperm`).
fn chmod(path: &str, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

/// TCP keepalive with the first probe after `seconds`, then every third of it, three times.
pub(crate) fn keepalive(fd: &impl AsRawFd, seconds: i32) -> io::Result<()> {
    let fd = fd.as_raw_fd();
    set(fd, libc::SOL_SOCKET, libc::SO_KEEPALIVE, i32::from(seconds > 0))?;
    #[cfg(target_os = "linux")]
    if seconds > 0 {
        set(fd, libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, seconds)?;
        set(fd, libc::IPPROTO_TCP, libc::TCP_KEEPINTVL, (seconds / 3).max(1))?;
        set(fd, libc::IPPROTO_TCP, libc::TCP_KEEPCNT, 3)?;
    }
    Ok(())
}

/// The first address of one family, IPv6 or IPv4, that `host:port` resolves to.
pub(crate) fn resolve_as(host: &str, port: u16, ipv6: bool) -> io::Result<SocketAddr> {
    let mut found = (host, port).to_socket_addrs()?.filter(|addr| addr.is_ipv6() == ipv6);
    found.next().ok_or_else(|| io::Error::other("Address family for hostname not supported"))
}

/// What became of the limit of open files.
#[derive(Debug)]
pub(crate) struct OpenFiles {
    pub before: u64,
    /// The limit in force.
    pub limit: u64,
    /// Why it is not as high as was asked for.
    pub error: Option<io::Error>,
}

/// Raises the soft limit of open files to `want` or as far as allowed.
pub(crate) fn raise_nofile(want: u64) -> OpenFiles {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a live rlimit.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } != 0 {
        return OpenFiles { before: 1024, limit: 1024, error: Some(io::Error::last_os_error()) };
    }
    let before = limit.rlim_cur;
    if before >= want {
        return OpenFiles { before, limit: before, error: None };
    }
    let mut error = None;
    let mut target = want;
    while target > limit.rlim_cur {
        let raised = libc::rlimit { rlim_cur: target, rlim_max: limit.rlim_max.max(target) };
        // SAFETY: the pointer is to a live rlimit.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raised) } == 0 {
            return OpenFiles { before, limit: target, error };
        }
        error.get_or_insert_with(io::Error::last_os_error);
        target = target.saturating_sub(16);
        if limit.rlim_max != libc::RLIM_INFINITY && target > limit.rlim_max {
            target = limit.rlim_max.max(limit.rlim_cur);
        }
    }
    OpenFiles { before, limit: before, error }
}
