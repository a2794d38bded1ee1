//! What a fuzzer is pointed at: the bytes of a peer that may not speak TLS at all.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::OnceLock;

use mio::net::TcpStream;

use super::context::{Ask, Context, Identity, Settings};
use super::stream::TlsStream;

/// A context with the certificates of the tests, which are in the source tree.
fn context() -> &'static Context {
    static CONTEXT: OnceLock<Context> = OnceLock::new();
    CONTEXT.get_or_init(|| {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls");
        let file = |name| dir.join(name).to_string_lossy().into_owned().into_bytes();
        let (cert, key, ca) = (file("old.crt"), file("old.key"), file("ca.crt"));
        let server = Identity { cert_file: &cert, key_file: &key, password: b"" };
        Context::make(&Settings { ask: Ask::May, cache_size: 16, ..Settings::usual(server, &ca) })
            .expect("the certificates of the tests")
    })
}

/// The first byte says whether a handshake precedes the rest, and into which pieces that is cut.
///
/// Promises: nothing is read that was not sent by a friend; the end of the peer ends the
/// connection.
pub fn fuzz(data: &[u8]) {
    let Some((&how, text)) = data.split_first() else { return };
    let Some((mut near, far)) = sockets() else { return };
    let Ok(mut far) = TlsStream::server(far, &context().server) else { return };
    if how & 1 == 1 {
        let Some(socket) = greet(near, &mut far) else { return };
        near = socket;
    }
    let piece = usize::from(how >> 1) * 8 + 1;
    let mut buf = [0; 4096];
    for bytes in text.chunks(piece) {
        if near.write_all(bytes).is_err() || !go_on(&mut far, &mut buf) {
            return;
        }
    }
    // A peer that has left is noticed.
    let _ = near.shutdown(std::net::Shutdown::Write);
    let mut seen = Vec::new();
    for _ in 0..1000 {
        if !go_on(&mut far, &mut buf) {
            return;
        }
        let _ = near.read_to_end(&mut seen);
    }
    panic!("the connection does not end");
}

/// Lets the server deal with what has come; false: it has ended the connection.
fn go_on(far: &mut TlsStream, buf: &mut [u8]) -> bool {
    match far.handshake() {
        Ok(false) => true,
        Err(_) => false,
        Ok(true) => match far.read(buf) {
            Ok(0) => false,
            Ok(_) => panic!("bytes that nobody has encrypted were taken"),
            Err(e) => matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        },
    }
}

/// Does the handshake of a client; its socket, which knows the keys no more.
fn greet(near: TcpStream, far: &mut TlsStream) -> Option<TcpStream> {
    let mut client = TlsStream::client(near, "127.0.0.1", &context().client).ok()?;
    let mut done = (false, false);
    while done != (true, true) {
        done.0 = client.handshake().ok()?;
        done.1 = far.handshake().ok()?;
    }
    Some(client.into_socket())
}

fn sockets() -> Option<(TcpStream, TcpStream)> {
    static LISTENER: OnceLock<TcpListener> = OnceLock::new();
    let listener = LISTENER.get_or_init(|| TcpListener::bind("127.0.0.1:0").expect("a port"));
    let near = std::net::TcpStream::connect(listener.local_addr().ok()?).ok()?;
    let (far, _) = listener.accept().ok()?;
    near.set_nonblocking(true).ok()?;
    far.set_nonblocking(true).ok()?;
    Some((TcpStream::from_std(near), TcpStream::from_std(far)))
}
