//! Both ends of connections, over real sockets, with the certificates of tests/data/tls.

use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mio::net::TcpStream;

use super::cert::{Parsed, Purpose};
use super::context::{Ask, Context, Identity, Settings};
use super::pem;
use super::stream::TlsStream;

fn file(name: &str) -> Vec<u8> {
    let dir: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls");
    dir.join(name).to_string_lossy().into_owned().into_bytes()
}

/// What is different from one context to another.
struct With<'a> {
    name: &'a str,
    ca: &'a str,
    ask: Ask,
    protocols: &'a str,
    cache: bool,
}

const USUAL: With<'static> =
    With { name: "server", ca: "ca", ask: Ask::Must, protocols: "", cache: true };

fn context(with: With<'_>) -> Context {
    try_context(with).expect("a context")
}

fn try_context(with: With<'_>) -> Result<Context, String> {
    let (cert, key) = (file(&format!("{}.crt", with.name)), file(&format!("{}.key", with.name)));
    let ca = file(&format!("{}.crt", with.ca));
    let server = Identity { cert_file: &cert, key_file: &key, password: b"" };
    Context::make(&Settings {
        ask: with.ask,
        outgoing: true,
        protocols: with.protocols.as_bytes(),
        cache: with.cache,
        ..Settings::usual(server, &ca)
    })
}

fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let near = std::net::TcpStream::connect(listener.local_addr().expect("bound")).expect("there");
    let (far, _) = listener.accept().expect("a connection");
    for socket in [&near, &far] {
        socket.set_nonblocking(true).expect("non-blocking");
        socket.set_nodelay(true).expect("tcp");
    }
    (TcpStream::from_std(near), TcpStream::from_std(far))
}

fn pair(server: &Context, client: &Context) -> (TlsStream, TlsStream) {
    let (near, far) = sockets();
    (
        TlsStream::server(far, &server.server).expect("a connection"),
        TlsStream::client(near, "127.0.0.1", &client.client).expect("a connection"),
    )
}

/// Both ends, with their handshakes done or one of them failed.
fn greet(server: &mut TlsStream, client: &mut TlsStream) -> Result<(), String> {
    let until = Instant::now() + Duration::from_secs(20);
    let mut done = (false, false);
    while done != (true, true) {
        assert!(Instant::now() < until, "the handshake does not end");
        done.1 = client.handshake().map_err(|e| format!("client: {e}"))?;
        done.0 = server.handshake().map_err(|e| format!("server: {e}"))?;
    }
    // In TLS 1.3 the client may hear later that it is not believed.
    let mut byte = [0];
    let until = Instant::now() + Duration::from_millis(20);
    while Instant::now() < until {
        match client.read(&mut byte) {
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            other => return Err(format!("client: {other:?}")),
        }
    }
    Ok(())
}

fn meet(server: With<'_>, client: With<'_>) -> Result<(), String> {
    let (mut server, mut client) = pair(&context(server), &context(client));
    greet(&mut server, &mut client)
}

#[test]
fn who_is_believed_and_who_is_not() {
    let client = || With { name: "client", ..USUAL };
    for protocols in ["TLSv1.2", "TLSv1.3"] {
        let server = || With { protocols, ..USUAL };
        meet(server(), client()).expect("by the same authority");
        meet(server(), With { name: "old", ..USUAL }).expect("an old certificate of a client");
        meet(With { name: "old", protocols, ..USUAL }, client()).expect("one of a server");
        let stranger = || With { name: "stranger", ..USUAL };
        assert!(meet(server(), stranger()).is_err(), "a client of another authority");
        meet(With { ca: "stranger-ca", ..server() }, stranger()).expect("of the one asked for");
        let other = With { ca: "stranger-ca", ..client() };
        assert!(meet(server(), other).is_err(), "a server of another authority");
        let old = With { name: "old", ca: "stranger-ca", protocols, ..USUAL };
        assert!(meet(old, With { ca: "ca", ..client() }).is_err(), "old, and not asked by it");
        let never = With { ask: Ask::Never, protocols, ..USUAL };
        meet(never, stranger()).expect("nobody asks");
        assert!(meet(With { name: "client", protocols, ..USUAL }, client()).is_err(), "no server");
        assert!(meet(server(), With { name: "server", ..USUAL }).is_err(), "no client");
    }
    let (old, new) =
        (With { protocols: "TLSv1.2", ..USUAL }, With { protocols: "TLSv1.3", ..client() });
    assert!(meet(old, new).is_err(), "no version in common");
}

#[test]
fn bytes_come_out_as_they_went_in() {
    for protocols in ["TLSv1.2", "TLSv1.3"] {
        let server = context(With { protocols, ..USUAL });
        let (mut far, mut near) = pair(&server, &context(With { name: "client", ..USUAL }));
        greet(&mut far, &mut near).expect("both are good");
        let mut next = crate::util::rand::generator(7);
        // Written and read so far, for each direction.
        let (mut wrote, mut read) = ([0u64; 2], [0u64; 2]);
        let byte = |at: u64| (at * 31 + at / 255) as u8;
        let mut buf = vec![0; 200_000];
        for step in 0..4000 {
            let from = (next() % 2) as usize;
            let (writer, reader) = match from {
                0 => (&mut near, &mut far),
                _ => (&mut far, &mut near),
            };
            let size = match next() % 4 {
                0 => next() % 10,
                1 => next() % 1000,
                2 => next() % 20_000,
                _ => next() % 150_000,
            } as usize;
            if step % 3 != 0 && size > 0 {
                let text: Vec<u8> = (0..size as u64).map(|i| byte(wrote[from] + i)).collect();
                let cut = (next() as usize) % (size + 1);
                let done = match next() % 2 {
                    0 => writer.write(&text),
                    _ => writer
                        .write_vectored(&[IoSlice::new(&text[..cut]), IoSlice::new(&text[cut..])]),
                };
                match done {
                    Ok(n) => wrote[from] += n as u64,
                    Err(e) => assert_eq!(e.kind(), ErrorKind::WouldBlock, "{e}"),
                }
            }
            let room = (next() as usize) % buf.len() + 1;
            match reader.read(&mut buf[..room]) {
                Ok(n) => {
                    assert!(n > 0, "nobody has left");
                    for &got in &buf[..n] {
                        assert_eq!(got, byte(read[from]), "{protocols} at {}", read[from]);
                        read[from] += 1;
                    }
                }
                Err(e) => assert_eq!(e.kind(), ErrorKind::WouldBlock, "{e}"),
            }
        }
        let until = Instant::now() + Duration::from_secs(20);
        while read[0] < wrote[0] || read[1] < wrote[1] {
            assert!(Instant::now() < until, "{wrote:?} {read:?}");
            let _ = (near.flush(), far.flush());
            for (from, reader) in [(0, &mut far), (1, &mut near)] {
                if let Ok(n) = reader.read(&mut buf) {
                    read[from] += n as u64;
                }
            }
        }
        assert_eq!(wrote, read);
        // One event tells of it, so one read must find it.
        near.say_goodbye();
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(far.read(&mut buf).expect("a polite end"), 0);
        assert!(far.has_more());
    }
}

#[test]
fn an_idle_connection_has_no_buffers() {
    let (mut far, mut near) = pair(&context(USUAL), &context(With { name: "client", ..USUAL }));
    greet(&mut far, &mut near).expect("both are good");
    for _ in 0..3 {
        assert_eq!(near.write(&[b'x'; 30_000]).expect("room"), 30_000);
        let (mut buf, mut got) = ([0; 4096], 0);
        while got < 30_000 {
            got += far.read(&mut buf).unwrap_or(0);
        }
    }
    for end in [&near, &far] {
        assert_eq!(end.memory(), size_of::<TlsStream>());
    }
    assert!(size_of::<TlsStream>() < 3072, "{}", size_of::<TlsStream>());
}

#[test]
fn a_client_may_go_on_with_its_session() {
    for (cache, kind) in
        [(true, rustls::HandshakeKind::Resumed), (false, rustls::HandshakeKind::Full)]
    {
        let (server, client) =
            (context(With { cache, ..USUAL }), context(With { name: "client", ..USUAL }));
        let (mut far, mut near) = pair(&server, &client);
        greet(&mut far, &mut near).expect("both are good");
        let (mut far, mut near) = pair(&server, &client);
        greet(&mut far, &mut near).expect("both are good");
        assert_eq!(near.handshake_kind(), Some(kind));
        // Whose certificate it was is still known.
        let shown = far.peer_certificate().and_then(Parsed::of).expect("a certificate");
        assert_eq!(shown.common_name().expect("a name"), b"alice");
    }
}

#[test]
fn garbage_ends_a_handshake_without_harm() {
    let server = context(USUAL);
    let mut next = crate::util::rand::generator(99);
    for round in 0..300 {
        let (mut near, far) = sockets();
        let mut far = TlsStream::server(far, &server.server).expect("a connection");
        let mut text: Vec<u8> = (0..next() % 3000).map(|_| next() as u8).collect();
        if round % 2 == 0 && text.len() > 9 {
            // The head of a record of the handshake.
            text[..6].copy_from_slice(&[22, 3, 1, (next() % 8) as u8, next() as u8, 1]);
        }
        near.write_all(&text).expect("room");
        near.shutdown(std::net::Shutdown::Write).expect("open");
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            assert!(Instant::now() < until, "round {round}");
            match far.handshake() {
                Ok(done) => assert!(!done),
                Err(_) => break,
            }
        }
        let mut said = Vec::new();
        drop(far);
        let _ = near.read_to_end(&mut said);
        // Who does not speak TLS is not answered in it.
        assert!(said.is_empty() || said[0] == 21 || said[0] == 22, "{said:?}");
    }
}

#[test]
fn what_is_wrong_with_files_is_said() {
    assert!(pem::chain(&file("ca.key")).expect_err("no certificate").contains("no certificate"));
    assert!(pem::chain(&file("nowhere")).expect_err("no file").contains("No such file"));
    assert!(pem::key(&file("ca.crt"), b"").is_err());
    assert!(pem::key(&file("encrypted.key"), b"").expect_err("locked").contains("no password"));
    assert!(pem::key(&file("encrypted.key"), b"12").expect_err("locked").contains("may be wrong"));
    let open = pem::key(&file("encrypted.key"), b"1234").expect("the right one");
    let context = try_context(With { name: "server", ..USUAL }).expect("good files");
    assert_eq!(context.server_facts.serial, "1001");
    assert!(context.server_facts.ends_secs > 4_000_000_000);
    assert!(!open.secret_der().is_empty());
    let (cert, key) = (file("server.crt"), file("client.key"));
    let settings = |ca: &'static [u8], protocols: &'static [u8]| {
        let server = Identity { cert_file: &cert, key_file: &key, password: b"" };
        Settings { protocols, ..Settings::usual(server, ca) }
    };
    let why = |settings: Settings<'_>| Context::make(&settings).expect_err("it is wrong");
    assert!(why(settings(b"", b"")).starts_with("Either tls-ca-cert-file or tls-ca-cert-dir"));
    let ca: &'static [u8] = file("ca.crt").leak();
    assert!(why(settings(ca, b"")).contains("it is not the key of"));
    assert!(why(settings(ca, b"TLSv1.1")).contains("write TLSv1.2"));
    let none = Identity { cert_file: b"", key_file: b"", password: b"" };
    assert_eq!(why(Settings { server: none, ..settings(ca, b"") }), "No tls-cert-file configured!");
}

#[test]
fn what_a_certificate_says() {
    let parsed = |name: &str| {
        let chain = pem::chain(&file(name)).expect("a certificate");
        Parsed::of(&chain[0]).expect("it can be read")
    };
    let client = parsed("client.crt");
    assert_eq!(client.common_name().expect("a name"), b"alice");
    assert_eq!(client.uris(), [b"spiffe://test/bob"]);
    assert!(client.allows(Purpose::Client) && client.allows(Purpose::Server));
    assert!(!client.is_of_version_1() && parsed("old.crt").is_of_version_1());
    assert!(parsed("old.crt").uris().is_empty());
}
