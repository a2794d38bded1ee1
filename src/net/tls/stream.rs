//! A TLS connection over a TCP socket: non-blocking, with rustls as the state machine.
//!
//! ```text
//! socket -> shared buffer -> records decrypted -> the caller's buffer
//!           `input`: the rest of a record that has not come whole
//!                                              -> `plain`: what the caller had no room for
//! caller -> records encrypted -> shared buffer -> socket
//!                                `output`: what the socket did not take
//! ```
//! All connections of a thread share the two large buffers, so an idle one has none: its three
//! own buffers have no memory unless something waits in them.
//!
//! `read` keeps the promise that the reactor relies on, as a plain socket does: a read that gives
//! less than was asked for has found the socket empty. `has_more` tells of the end that was found
//! behind the last bytes.
//!
//! `write` takes plain bytes even if their records did not fit into the socket. Who has written
//! everything asks `flush`, and waits for the socket when it says no.

use std::cell::RefCell;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use rustls::{ClientConfig, ServerConfig};

/// Bytes read from the socket at once.
const READ_ROOM: usize = 64 * 1024;
/// Plain bytes that are encrypted at once. What they make must fit into memory when the socket
/// takes nothing.
const WRITE_AT_ONCE: usize = 64 * 1024;
/// Plain bytes of a record, and what it needs beside them at most.
const RECORD: usize = 16 * 1024;
const RECORD_EXTRA: usize = 64;

thread_local! {
    static INCOMING: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static OUTGOING: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

// Both are large, and there is one allocation for each connection in any case.
enum Side {
    Server(UnbufferedServerConnection),
    Client(UnbufferedClientConnection),
}

macro_rules! each {
    ($self:expr, $side:ident => $body:expr) => {
        match $self {
            Side::Server($side) => $body,
            Side::Client($side) => $body,
        }
    };
}

pub(crate) struct TlsStream {
    socket: TcpStream,
    side: Side,
    /// Bytes of the peer that have not been dealt with.
    input: Vec<u8>,
    /// There may be whole records among them.
    unseen: bool,
    /// Decrypted bytes, of which `taken` have been read.
    plain: Vec<u8>,
    taken: usize,
    /// Encrypted bytes, of which `sent` have been written.
    output: Vec<u8>,
    sent: usize,
    /// Something has been said to the peer.
    spoke: bool,
    /// The peer sends no more.
    ended: bool,
    /// Why nothing more can be read.
    failed: Option<rustls::Error>,
}

impl std::fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsStream").field("socket", &self.socket).finish_non_exhaustive()
    }
}

/// What a step of the state machine has come to.
enum Step {
    /// There may be more.
    Go,
    /// Bytes of the peer are needed.
    Blocked,
    /// The same, and plain bytes may be sent.
    Open,
    Ended,
    Failed(rustls::Error),
}

/// Deals with one state. Plain bytes are appended to `plain`, records to `output`. Returns how many
/// bytes of the input are done with.
fn settle<D>(
    status: UnbufferedStatus<'_, '_, D>,
    plain: &mut dyn FnMut(&[u8]),
    output: &mut Vec<u8>,
) -> (usize, Step) {
    let mut done = status.discard;
    let step = match status.state {
        Ok(ConnectionState::ReadTraffic(mut traffic)) => {
            while let Some(record) = traffic.next_record() {
                match record {
                    Ok(record) => {
                        done += record.discard;
                        plain(record.payload);
                    }
                    Err(e) => return (done, Step::Failed(e)),
                }
            }
            Step::Go
        }
        Ok(ConnectionState::EncodeTlsData(mut data)) => {
            let start = output.len();
            output.resize(start + 4096, 0);
            loop {
                match data.encode(&mut output[start..]) {
                    Ok(n) => break output.truncate(start + n),
                    Err(EncodeError::InsufficientSize(e)) => {
                        output.resize(start + e.required_size, 0);
                    }
                    Err(EncodeError::AlreadyEncoded) => break output.truncate(start),
                }
            }
            Step::Go
        }
        Ok(ConnectionState::TransmitTlsData(data)) => {
            // It is sent in its order, before anything later.
            data.done();
            Step::Go
        }
        Ok(ConnectionState::BlockedHandshake) => Step::Blocked,
        Ok(ConnectionState::WriteTraffic(_)) => Step::Open,
        Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => Step::Ended,
        // Early data is not offered, and there are no other states today.
        Ok(_) => Step::Failed(rustls::Error::General("unexpected state".into())),
        Err(e) => Step::Failed(e),
    };
    (done, step)
}

fn invalid(e: &rustls::Error) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, e.to_string())
}

impl TlsStream {
    /// The side of the server, for a connection that was accepted.
    pub(crate) fn server(socket: TcpStream, config: &Arc<ServerConfig>) -> io::Result<TlsStream> {
        let side = UnbufferedServerConnection::new(config.clone()).map_err(|e| invalid(&e))?;
        Ok(TlsStream::new(socket, Side::Server(side)))
    }

    /// The side of the client, for a connection that is being made to `host`.
    pub(crate) fn client(
        socket: TcpStream,
        host: &str,
        config: &Arc<ClientConfig>,
    ) -> io::Result<TlsStream> {
        // Compat: the name is not checked, so one that can't be in a certificate is no error.
        let name = ServerName::try_from(host.to_owned())
            .or_else(|_| ServerName::try_from("redis.invalid"))
            .map_err(io::Error::other)?;
        let side =
            UnbufferedClientConnection::new(config.clone(), name).map_err(|e| invalid(&e))?;
        Ok(TlsStream::new(socket, Side::Client(side)))
    }

    fn new(socket: TcpStream, side: Side) -> TlsStream {
        TlsStream {
            socket,
            side,
            input: Vec::new(),
            unseen: false,
            plain: Vec::new(),
            taken: 0,
            output: Vec::new(),
            sent: 0,
            spoke: false,
            ended: false,
            failed: None,
        }
    }

    /// The socket alone; what the keys were is forgotten.
    pub(crate) fn into_socket(self) -> TcpStream {
        self.socket
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    pub(crate) fn socket_mut(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// Bytes of memory that it holds beside rustls's own.
    pub(crate) fn memory(&self) -> usize {
        size_of::<TlsStream>()
            + self.input.capacity()
            + self.plain.capacity()
            + self.output.capacity()
    }

    /// The certificate that the peer has shown.
    pub(crate) fn peer_certificate(&self) -> Option<&CertificateDer<'static>> {
        each!(&self.side, side => side.peer_certificates()).and_then(|chain| chain.first())
    }

    #[cfg(test)]
    pub(crate) fn handshake_kind(&self) -> Option<rustls::HandshakeKind> {
        each!(&self.side, side => side.handshake_kind())
    }

    /// Goes on with the handshake as far as the peer's bytes reach; whether it is done.
    pub(crate) fn handshake(&mut self) -> io::Result<bool> {
        loop {
            self.flush()?;
            if !each!(&self.side, side => side.is_handshaking()) {
                return Ok(true);
            }
            match self.fill(&mut [], &mut 0) {
                Ok(()) if self.ended => {
                    self.flush()?;
                    return Err(ErrorKind::UnexpectedEof.into());
                }
                Ok(()) => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    self.flush()?;
                    return Ok(!each!(&self.side, side => side.is_handshaking()));
                }
                Err(e) => {
                    // The peer is told what was wrong, if its socket takes that.
                    let _ = self.flush();
                    return Err(e);
                }
            }
        }
    }

    /// Reads plain bytes. See the head of this file for what a short read says.
    pub(crate) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut n = self.take_plain(buf);
        while n < buf.len() {
            if self.ended {
                break;
            }
            match self.fill(buf, &mut n) {
                Ok(()) => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    self.flush()?;
                    return if n > 0 { Ok(n) } else { Err(e) };
                }
                Err(e) => {
                    let _ = self.flush();
                    return if n > 0 { Ok(n) } else { Err(e) };
                }
            }
        }
        self.flush()?;
        Ok(n)
    }

    /// Whether reading again finds something that no event tells of.
    pub(crate) fn has_more(&self) -> bool {
        self.ended || self.unseen || self.failed.is_some() || self.taken < self.plain.len()
    }

    fn take_plain(&mut self, buf: &mut [u8]) -> usize {
        let left = &self.plain[self.taken..];
        let n = left.len().min(buf.len());
        buf[..n].copy_from_slice(&left[..n]);
        self.taken += n;
        if self.taken == self.plain.len() {
            (self.plain, self.taken) = (Vec::new(), 0);
        }
        n
    }

    /// Reads from the socket once, and deals with what has come: plain bytes go to `buf` from `n`
    /// on. The error `WouldBlock`: the socket is empty.
    fn fill(&mut self, buf: &mut [u8], n: &mut usize) -> io::Result<()> {
        if let Some(e) = &self.failed {
            return Err(invalid(e));
        }
        INCOMING.with_borrow_mut(|shared| {
            let had = self.input.len();
            if shared.len() < had + READ_ROOM {
                shared.resize(had + READ_ROOM, 0);
            }
            shared[..had].copy_from_slice(&self.input);
            let (mut end, mut empty) = (had, false);
            if !self.unseen {
                let room = &mut shared[had..had + READ_ROOM];
                match self.socket.read(room) {
                    Ok(0) => self.ended = true,
                    Ok(got) => {
                        end += got;
                        empty = got < READ_ROOM;
                    }
                    // A client begins without a word of its peer.
                    Err(e) if e.kind() == ErrorKind::WouldBlock => empty = true,
                    Err(e) if e.kind() == ErrorKind::Interrupted => return Ok(()),
                    Err(e) => return Err(e),
                }
            }
            let used = self.run(&mut shared[..end], buf, n);
            let rest = &shared[used..end];
            if rest.is_empty() {
                self.input = Vec::new();
            } else {
                self.input.clear();
                self.input.extend_from_slice(rest);
            }
            match &self.failed {
                Some(e) => Err(invalid(e)),
                None if empty && !self.unseen && !self.ended => Err(ErrorKind::WouldBlock.into()),
                None => Ok(()),
            }
        })
    }

    /// Has the state machine deal with `data`, until more is needed or `buf` is full. Returns how
    /// many bytes were used.
    fn run(&mut self, data: &mut [u8], buf: &mut [u8], n: &mut usize) -> usize {
        let mut used = 0;
        self.unseen = false;
        loop {
            let TlsStream { side, plain, output, .. } = self;
            let mut keep = |bytes: &[u8]| {
                let fits = bytes.len().min(buf.len() - *n);
                buf[*n..*n + fits].copy_from_slice(&bytes[..fits]);
                *n += fits;
                plain.extend_from_slice(&bytes[fits..]);
            };
            let rest = &mut data[used..];
            let (done, step) = each!(side, side => {
                settle(side.process_tls_records(rest), &mut keep, output)
            });
            used += done;
            self.spoke |= !output.is_empty();
            match step {
                Step::Go if *n == buf.len() && !buf.is_empty() => {
                    self.unseen = used < data.len();
                    return used;
                }
                Step::Go => {}
                Step::Blocked | Step::Open => return used,
                Step::Ended => {
                    self.ended = true;
                    return data.len();
                }
                Step::Failed(e) => {
                    // Compat: who does not speak TLS at all is told nothing in it.
                    if self.spoke || !matches!(e, rustls::Error::InvalidMessage(_)) {
                        self.say_why(&mut data[used..]);
                    }
                    self.failed = Some(e);
                    return data.len();
                }
            }
        }
    }

    /// After a failure: the alert for the peer. `rest` is the input that was not used: rustls keeps
    /// places in it.
    fn say_why(&mut self, rest: &mut [u8]) {
        let TlsStream { side, output, .. } = self;
        let mut used = 0;
        // It must not look at the input again: that would fail once more.
        each!(side, side => while side.wants_write() {
            let status = side.process_tls_records(&mut rest[used..]);
            match settle(status, &mut |_| {}, output) {
                (done, Step::Go) => used += done,
                _ => return,
            }
        });
    }

    /// Encrypts and writes plain bytes; how many were taken. The error `WouldBlock`: earlier ones
    /// still wait for the socket, or the handshake is not done.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.flush()? {
            return Err(ErrorKind::WouldBlock.into());
        }
        if each!(&self.side, side => side.is_handshaking()) && !self.handshake()? {
            return Err(ErrorKind::WouldBlock.into());
        }
        let bytes = &bytes[..bytes.len().min(WRITE_AT_ONCE)];
        OUTGOING.with_borrow_mut(|shared| {
            let most = bytes.len() + (bytes.len() / RECORD + 1) * RECORD_EXTRA;
            if shared.len() < most {
                shared.resize(most, 0);
            }
            let made = self.encrypt(bytes, shared)?;
            if !self.output.is_empty() {
                // The state machine had something to say before.
                self.output.extend_from_slice(&shared[..made]);
                self.flush()?;
                return Ok(());
            }
            let mut sent = 0;
            while sent < made {
                match self.socket.write(&shared[sent..made]) {
                    Ok(0) => return Err(ErrorKind::WriteZero.into()),
                    Ok(n) => sent += n,
                    Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                    Err(e) if e.kind() == ErrorKind::Interrupted => {}
                    Err(e) => return Err(e),
                }
            }
            self.output.extend_from_slice(&shared[sent..made]);
            Ok(())
        })?;
        Ok(bytes.len())
    }

    /// Writes pieces as one.
    pub(crate) fn write_vectored(&mut self, pieces: &[io::IoSlice<'_>]) -> io::Result<usize> {
        match pieces {
            [one] => self.write(one),
            [first, ..] if first.len() >= RECORD => self.write(first),
            _ => {
                let mut all = Vec::with_capacity(RECORD);
                for piece in pieces {
                    let room = RECORD - all.len();
                    all.extend_from_slice(&piece[..piece.len().min(room)]);
                    if all.len() == RECORD {
                        break;
                    }
                }
                self.write(&all)
            }
        }
    }

    fn encrypt(&mut self, bytes: &[u8], into: &mut [u8]) -> io::Result<usize> {
        if let Some(e) = &self.failed {
            return Err(invalid(e));
        }
        let TlsStream { side, input, plain, output, unseen, failed, .. } = self;
        let (mut used, mut closed) = (0, false);
        let made = each!(side, side => loop {
            let status = side.process_tls_records(&mut input[used..]);
            match status {
                UnbufferedStatus { state: Ok(ConnectionState::WriteTraffic(mut traffic)), discard } => {
                    used += discard;
                    break match traffic.encrypt(bytes, into) {
                        Ok(n) => Ok(n),
                        Err(EncryptError::InsufficientSize(e)) => {
                            Err(io::Error::other(e.required_size.to_string()))
                        }
                        Err(EncryptError::EncryptExhausted) => {
                            Err(io::Error::other("the keys of the connection are used up"))
                        }
                    };
                }
                other => {
                    let mut keep = |bytes: &[u8]| plain.extend_from_slice(bytes);
                    let (done, step) = settle(other, &mut keep, output);
                    used += done;
                    match step {
                        Step::Go => {}
                        Step::Ended => closed = true,
                        Step::Failed(e) => {
                            let told = Err(invalid(&e));
                            *failed = Some(e);
                            break told;
                        }
                        Step::Blocked | Step::Open => break Err(ErrorKind::WouldBlock.into()),
                    }
                }
            }
        });
        input.drain(..used);
        *unseen &= !input.is_empty();
        self.ended |= closed;
        made
    }

    /// Writes what waits; whether nothing does any more.
    pub(crate) fn flush(&mut self) -> io::Result<bool> {
        while self.sent < self.output.len() {
            match self.socket.write(&self.output[self.sent..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => self.sent += n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        if self.output.capacity() > 0 {
            (self.output, self.sent) = (Vec::new(), 0);
        }
        Ok(true)
    }

    /// Tells the peer that nothing more comes, if its socket takes that.
    pub(crate) fn say_goodbye(&mut self) {
        if self.failed.is_some() || each!(&self.side, side => side.is_handshaking()) {
            return;
        }
        let TlsStream { side, input, output, .. } = self;
        let start = output.len();
        output.resize(start + RECORD_EXTRA, 0);
        let made = each!(side, side => match side.process_tls_records(input).state {
            Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                traffic.queue_close_notify(&mut output[start..]).unwrap_or(0)
            }
            _ => 0,
        });
        output.truncate(start + made);
        // An error is ignored: the connection ends now.
        let _ = self.flush();
    }
}
