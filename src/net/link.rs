//! A blocking connection to another server: connects, sends commands, reads replies.
//!
//! No step takes longer than the time-out, whatever the other side does. A step is to connect, to
//! send the next piece, or to read the next reply to its end. So a peer that sends a byte now and
//! then does not extend it. After an error the connection is of no use: drop it.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::resp::value::{Limits, Scanner, Value};

/// Bytes that must be taken within one time-out.
const PIECE: usize = 64 * 1024;
const READ_SIZE: usize = 16 * 1024;

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum ConnectError {
    /// The name has no address.
    NoAddress,
    Io(io::Error),
}

/// Whether an error says that time was up.
pub(crate) fn is_timeout(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// What a link is made of.
#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    fn socket(&self) -> &TcpStream {
        match self {
            Stream::Tcp(socket) => socket,
            Stream::Tls(stream) => &stream.sock,
        }
    }
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(socket) => socket.read(buf),
            Stream::Tls(stream) => stream.read(buf),
        }
    }
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(socket) => socket.write(bytes),
            Stream::Tls(stream) => stream.write(bytes),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Link {
    stream: Stream,
    timeout: Duration,
    /// What has come; replies before `used` have been handed out.
    buf: Vec<u8>,
    used: usize,
    scanner: Scanner,
}

impl Link {
    /// Connects to `host:port`, by TLS if `tls` says how. Replies beyond `limits` will be errors.
    pub(crate) fn connect(
        address: &str,
        timeout: Duration,
        limits: Limits,
        tls: Option<&Arc<ClientConfig>>,
    ) -> Result<Link, ConnectError> {
        let found = address.to_socket_addrs().ok().and_then(|mut found| found.next());
        let addr = found.ok_or(ConnectError::NoAddress)?;
        let stream = TcpStream::connect_timeout(&addr, timeout).map_err(ConnectError::Io)?;
        stream.set_nodelay(true).map_err(ConnectError::Io)?;
        let scanner = Scanner::new(limits);
        let stream = match tls {
            None => Stream::Tcp(stream),
            // The handshake is a part of the first step after this.
            Some(config) => {
                let name = ServerName::from(addr.ip());
                let side = ClientConnection::new(config.clone(), name);
                let side = side.map_err(|e| ConnectError::Io(io::Error::other(e)))?;
                Stream::Tls(Box::new(StreamOwned::new(side, stream)))
            }
        };
        Ok(Link { stream, timeout, buf: Vec::new(), used: 0, scanner })
    }

    /// For all steps from now on; not zero.
    pub(crate) fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Sends bytes that are commands.
    pub(crate) fn send(&mut self, commands: &[u8]) -> io::Result<()> {
        for piece in commands.chunks(PIECE) {
            let deadline = self.deadline();
            let mut rest = piece;
            while !rest.is_empty() {
                let left = self.left(deadline)?;
                self.stream.socket().set_write_timeout(left)?;
                // By TLS, who writes may have to read before.
                self.stream.socket().set_read_timeout(left)?;
                match self.stream.write(rest) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(n) => rest = &rest[n..],
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => return Err(e),
                }
            }
        }
        Ok(())
    }

    /// Waits for the next reply. Bytes that are no reply, or exceed the limits, are the error
    /// `InvalidData`.
    pub(crate) fn read(&mut self) -> io::Result<Value> {
        let deadline = self.deadline();
        loop {
            let found = self.scanner.parse(&self.buf[self.used..]);
            if let Some((value, len)) =
                found.map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?
            {
                self.used += len;
                return Ok(value);
            }
            self.fill(deadline)?;
        }
    }

    /// Whether bytes have come without a request: the next reply read would be the wrong one.
    pub(crate) fn has_more(&self) -> bool {
        self.used < self.buf.len()
    }

    fn fill(&mut self, deadline: Option<Instant>) -> io::Result<()> {
        if self.used > 0 {
            self.buf.drain(..self.used);
            self.used = 0;
        }
        let mut room = [0; READ_SIZE];
        loop {
            self.stream.socket().set_read_timeout(self.left(deadline)?)?;
            match self.stream.read(&mut room) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => {
                    self.buf.extend_from_slice(&room[..n]);
                    return Ok(());
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// When the step that begins now must be done. None: the time-out is too long to be
    /// represented.
    fn deadline(&self) -> Option<Instant> {
        Instant::now().checked_add(self.timeout)
    }

    fn left(&self, deadline: Option<Instant>) -> io::Result<Option<Duration>> {
        let Some(deadline) = deadline else { return Ok(Some(self.timeout)) };
        match deadline.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => Ok(Some(left)),
            _ => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread::{self, JoinHandle};

    use super::*;
    use crate::resp::reply::command;

    const LIMITS: Limits = Limits { bytes: 4096, depth: 4 };
    const SHORT: Duration = Duration::from_millis(150);

    /// A link to a peer that does as it is told; the connection ends with the thread.
    fn peer(serve: impl FnOnce(TcpStream) + Send + 'static) -> (Link, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let thread = thread::spawn(move || serve(listener.accept().expect("a connection").0));
        (Link::connect(&address, Duration::from_secs(5), LIMITS, None).expect("listens"), thread)
    }

    #[test]
    fn replies_in_pieces_and_several_at_once() {
        let (mut link, thread) = peer(|mut s| {
            let mut request = [0; 14];
            s.read_exact(&mut request).expect("a command");
            assert_eq!(&request, b"*1\r\n$4\r\nPING\r\n");
            s.set_nodelay(true).expect("tcp");
            for byte in b"*2\r\n:1\r\n$3\r\nabc\r\n" {
                s.write_all(&[*byte]).expect("read");
                thread::sleep(Duration::from_millis(1));
            }
            s.write_all(b"+a\r\n+b\r\n").expect("read");
        });
        let mut out = Vec::new();
        command(&mut out, &[b"PING"]);
        link.send(&out).expect("sent");
        let first = Value::Array(vec![Value::Int(1), Value::Bulk(b"abc".to_vec())]);
        assert_eq!(link.read().expect("a reply"), first);
        assert_eq!(link.read().expect("a reply"), Value::Simple(b"a".to_vec()));
        thread.join().expect("served");
        assert_eq!(link.read().expect("a reply"), Value::Simple(b"b".to_vec()));
        assert!(!link.has_more());
        assert_eq!(link.read().expect_err("an end").kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn garbage_and_huge_lengths_are_errors_at_once() {
        for text in ["HTTP/1.1 200 OK\r\n", "$999999999999\r\n", "*999999999999\r\n", "+OK\n"] {
            let (mut link, thread) = peer(move |mut s| {
                s.write_all(text.as_bytes()).expect("read");
                // Until the other side leaves.
                let _ = s.read(&mut [0]);
            });
            assert_eq!(link.read().expect_err(text).kind(), io::ErrorKind::InvalidData);
            drop(link);
            thread.join().expect("served");
        }
    }

    #[test]
    fn silence_and_drops_end_with_the_time() {
        let (mut link, thread) = peer(|mut s| drop(s.read(&mut [0])));
        link.set_timeout(SHORT);
        assert!(is_timeout(&link.read().expect_err("nothing comes")));
        drop(link);
        thread.join().expect("served");
        // A byte now and then does not make a reply.
        let (mut link, thread) = peer(|mut s| {
            while s.write_all(b"+").is_ok() {
                thread::sleep(Duration::from_millis(20));
            }
        });
        link.set_timeout(SHORT);
        let began = Instant::now();
        assert!(is_timeout(&link.read().expect_err("no end")));
        assert!(began.elapsed() < Duration::from_secs(5));
        drop(link);
        thread.join().expect("served");
    }

    #[test]
    fn a_peer_that_takes_nothing_ends_with_the_time() {
        let (mut link, thread) = peer(|mut s| {
            thread::sleep(Duration::from_millis(1500));
            // What waits is of no concern.
            let _ = s.read(&mut [0]);
        });
        link.set_timeout(SHORT);
        let error = link.send(&vec![b'x'; 64 << 20]).expect_err("nobody reads");
        assert!(is_timeout(&error), "{error}");
        drop(link);
        thread.join().expect("served");
    }

    #[test]
    fn no_address_and_nobody_there() {
        let connect = |at: &str| Link::connect(at, SHORT, LIMITS, None);
        assert!(matches!(connect("127.0.0.1:x"), Err(ConnectError::NoAddress)));
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port");
        assert!(matches!(connect(&port.to_string()), Err(ConnectError::Io(_))));
    }
}
