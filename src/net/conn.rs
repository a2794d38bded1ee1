//! One connection: TCP, unix stream or TLS over TCP, non-blocking, edge-triggered in the reactor.
//!
//! What is read and written is what clients say, whatever the socket carries.

use std::io::{self, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};

use crate::net::tls::stream::TlsStream;

/// The stream of a client.
#[derive(Debug)]
pub(crate) enum Conn {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream>),
}

/// The same with the socket of each.
macro_rules! each {
    ($self:expr, $s:ident => $body:expr) => {
        match $self {
            Conn::Tcp($s) => $body,
            Conn::Unix($s) => $body,
            Conn::Tls(tls) => {
                let $s = tls.socket();
                $body
            }
        }
    };
}

/// The same where the socket is changed.
macro_rules! each_mut {
    ($self:expr, $s:ident => $body:expr) => {
        match $self {
            Conn::Tcp($s) => $body,
            Conn::Unix($s) => $body,
            Conn::Tls(tls) => {
                let $s = tls.socket_mut();
                $body
            }
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
        each_mut!(self, s => to.register(s, token, interest))
    }
    pub(crate) fn reregister(
        &mut self,
        to: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        each_mut!(self, s => to.reregister(s, token, interest))
    }
    pub(crate) fn deregister(&mut self, from: &Registry) -> io::Result<()> {
        each_mut!(self, s => from.deregister(s))
    }
    /// The same socket under another number. What is set on one is set on both.
    pub(crate) fn duplicate(&self) -> io::Result<OwnedFd> {
        each!(self, s => s.as_fd().try_clone_to_owned())
    }
    pub(crate) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Conn::Tcp(s) => s.read(buf),
            Conn::Unix(s) => s.read(buf),
            Conn::Tls(tls) => tls.read(buf),
        }
    }
    /// Whether reading again finds something that no event tells of.
    #[inline]
    pub(crate) fn has_more(&self) -> bool {
        matches!(self, Conn::Tls(tls) if tls.has_more())
    }
    /// Reads at most `max` bytes to the end of `buf`, into capacity that is already there.
    pub(crate) fn read_into(&mut self, buf: &mut Vec<u8>, max: usize) -> io::Result<usize> {
        // `take` and `read_to_end` would read until the peer pauses, but one read is one turn's
        // share. To zero the room before every read would cost more than the bytes themselves.
        buf.reserve(max);
        match self {
            Conn::Tcp(s) => crate::sys::socket::read_spare(s, buf, max),
            Conn::Unix(s) => crate::sys::socket::read_spare(s, buf, max),
            Conn::Tls(tls) => {
                let start = buf.len();
                buf.resize(start + max, 0);
                let got = tls.read(&mut buf[start..]);
                buf.truncate(start + *got.as_ref().unwrap_or(&0));
                got
            }
        }
    }
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Conn::Tcp(s) => s.write(bytes),
            Conn::Unix(s) => s.write(bytes),
            Conn::Tls(tls) => tls.write(bytes),
        }
    }
    pub(crate) fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Conn::Tcp(s) => s.write_vectored(pieces),
            Conn::Unix(s) => s.write_vectored(pieces),
            Conn::Tls(tls) => tls.write_vectored(pieces),
        }
    }
    /// Writes what earlier writes have left; whether nothing waits for the socket any more.
    #[inline]
    pub(crate) fn flush(&mut self) -> io::Result<bool> {
        match self {
            Conn::Tls(tls) => tls.flush(),
            _ => Ok(true),
        }
    }
    /// The TLS connection, if it is one.
    pub(crate) fn tls(&mut self) -> Option<&mut TlsStream> {
        match self {
            Conn::Tls(tls) => Some(tls),
            _ => None,
        }
    }
    /// The same, to be looked at.
    pub(crate) fn as_tls(&self) -> Option<&TlsStream> {
        match self {
            Conn::Tls(tls) => Some(tls),
            _ => None,
        }
    }
    /// Bytes of memory beside its own size.
    pub(crate) fn memory(&self) -> usize {
        self.as_tls().map_or(0, TlsStream::memory)
    }
    /// The TCP socket, if it is one.
    fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Conn::Tcp(s) => Some(s),
            Conn::Tls(tls) => Some(tls.socket()),
            Conn::Unix(_) => None,
        }
    }
    pub(crate) fn is_unix(&self) -> bool {
        matches!(self, Conn::Unix(_))
    }
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        self.tcp()?.peer_addr().ok()
    }
    pub(crate) fn local(&self) -> Option<SocketAddr> {
        self.tcp()?.local_addr().ok()
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
        if let Some(s) = self.tcp() {
            // An error is ignored: it only makes the connection slower.
            let _ = s.set_nodelay(on);
        }
    }
    /// A polite end, for a peer that can tell it from a broken line.
    pub(crate) fn say_goodbye(&mut self) {
        if let Conn::Tls(tls) = self {
            tls.say_goodbye();
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
        if let Some(s) = self.tcp() {
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
