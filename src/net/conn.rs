//! One connection: TCP or unix stream, non-blocking, edge-triggered in the reactor.

use std::io::{self, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};

/// The stream of a client.
#[derive(Debug)]
pub(crate) enum Conn {
    Tcp(TcpStream),
    Unix(UnixStream),
}

macro_rules! each {
    ($self:expr, $s:ident => $body:expr) => {
        match $self {
            Conn::Tcp($s) => $body,
            Conn::Unix($s) => $body,
        }
    };
}

impl Conn {
    pub(crate) fn register(
        &mut self,
        to: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        each!(self, s => to.register(s, token, interest))
    }
    pub(crate) fn reregister(
        &mut self,
        to: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        each!(self, s => to.reregister(s, token, interest))
    }
    pub(crate) fn deregister(&mut self, from: &Registry) -> io::Result<()> {
        each!(self, s => from.deregister(s))
    }
    /// The same socket under another number. What is set on one is set on both.
    pub(crate) fn duplicate(&self) -> io::Result<OwnedFd> {
        each!(self, s => s.as_fd().try_clone_to_owned())
    }
    pub(crate) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        each!(self, s => s.read(buf))
    }
    /// Reads at most `max` bytes to the end of `buf`, into capacity that is already there.
    pub(crate) fn read_into(&mut self, buf: &mut Vec<u8>, max: usize) -> io::Result<usize> {
        // `take` and `read_to_end` would read until the peer pauses, but one read is one turn's
        // share. To zero the room before every read would cost more than the bytes themselves.
        buf.reserve(max);
        each!(self, s => crate::sys::socket::read_spare(s, buf, max))
    }
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        each!(self, s => s.write(bytes))
    }
    pub(crate) fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        each!(self, s => s.write_vectored(pieces))
    }
    pub(crate) fn is_unix(&self) -> bool {
        matches!(self, Conn::Unix(_))
    }
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        match self {
            Conn::Tcp(s) => s.peer_addr().ok(),
            Conn::Unix(_) => None,
        }
    }
    pub(crate) fn local(&self) -> Option<SocketAddr> {
        match self {
            Conn::Tcp(s) => s.local_addr().ok(),
            Conn::Unix(_) => None,
        }
    }
    /// Ends the connection in both directions, whoever else holds the socket.
    pub(crate) fn shut_down(&self) {
        // An error is ignored: the peer may have ended it before.
        let _ = each!(self, s => s.shutdown(std::net::Shutdown::Both));
    }
    /// Why connecting has failed, if it has.
    pub(crate) fn error(&self) -> Option<io::Error> {
        each!(self, s => s.take_error()).unwrap_or_else(Some)
    }
    /// Whether small pieces leave at once.
    pub(crate) fn set_nodelay(&self, on: bool) {
        if let Conn::Tcp(s) = self {
            // An error is ignored: it only makes the connection slower.
            let _ = s.set_nodelay(on);
        }
    }
    /// Tells the peer that nothing more comes; what it sends can still be read.
    pub(crate) fn end_writing(&self) {
        // An error is ignored: the peer may have ended it before.
        let _ = each!(self, s => s.shutdown(std::net::Shutdown::Write));
    }
    pub(crate) fn fd(&self) -> RawFd {
        each!(self, s => s.as_raw_fd())
    }
    /// Switches Nagle's algorithm off and, if `keepalive` is not 0, probes after so many seconds.
    pub(crate) fn tune(&self, keepalive: i32) {
        if let Conn::Tcp(s) = self {
            // Errors are ignored. Both only make the connection better, and reading shows when it
            // is gone.
            let _ = s.set_nodelay(true);
            if keepalive > 0 {
                let _ = crate::sys::socket::keepalive(s, keepalive);
            }
        }
    }
}

/// `ip:port`, with brackets around IPv6, as CLIENT LIST shows it.
pub(crate) fn show(addr: Option<SocketAddr>) -> String {
    addr.map_or_else(|| "?:0".to_string(), |a| a.to_string())
}
