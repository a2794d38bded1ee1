//! MIGRATE to peers that are slow, broken or hostile: its errors come in time, and no key is lost.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::Bench;

/// A peer that serves one connection; its port.
fn peer(serve: impl FnOnce(TcpStream) + Send + 'static) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    (port, thread::spawn(move || serve(listener.accept().expect("a connection").0)))
}

/// Reads until `count` commands have come: each begins with a star.
fn take_commands(s: &mut TcpStream, count: usize) {
    let (mut seen, mut buf): (Vec<u8>, _) = (Vec::new(), [0; 4096]);
    while seen.windows(2).filter(|w| w[0] == b'*' && w[1].is_ascii_digit()).count() < count {
        let n = s.read(&mut buf).expect("commands");
        assert!(n > 0, "the other side left");
        seen.extend_from_slice(&buf[..n]);
    }
}

/// What MIGRATE of one key replies, to a peer that answers SELECT and RESTORE with `text`, and
/// whether the key is still there.
fn migrate(text: &'static [u8], pause: Duration) -> (String, bool) {
    let (port, thread) = peer(move |mut s| {
        take_commands(&mut s, 2);
        for byte in text.chunks(3) {
            if s.write_all(byte).is_err() {
                break;
            }
            thread::sleep(pause);
        }
        // Until the other side leaves.
        let _ = s.read(&mut [0]);
    });
    let mut bench = Bench::new(1);
    bench.run(1, "set k v");
    let began = Instant::now();
    let reply = bench.run(1, &format!("migrate 127.0.0.1 {port} k 0 300"));
    assert!(began.elapsed() < Duration::from_secs(5), "{reply}");
    let kept = bench.run(1, "exists k") == ":1\r\n";
    drop(bench);
    thread.join().expect("served");
    (reply, kept)
}

const READING: &str = "-IOERR error or timeout reading to target instance\r\n";

#[test]
fn migrate_reads_replies_that_come_in_pieces() {
    let none = Duration::from_millis(1);
    assert_eq!(migrate(b"+OK\r\n+OK\r\n", none), ("+OK\r\n".into(), false));
    let error = "-ERR Target instance replied with error: BUSYKEY taken\r\n";
    assert_eq!(migrate(b"+OK\r\n-BUSYKEY taken\r\n", none), (error.into(), true));
}

#[test]
fn migrate_ends_in_time_whatever_the_peer_does() {
    let none = Duration::ZERO;
    for text in [
        &b""[..],
        b"+OK",
        b"+OK\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"+OK\r\n:1\r\n",
        b"+OK\r\n$999999999999\r\n",
        b"+OK\r\n*2147483647\r\n",
        b"+OK\n",
    ] {
        assert_eq!(migrate(text, none), (READING.into(), true), "{}", text.escape_ascii());
    }
    // Three bytes at a time, always within the time-out, but the reply itself takes too long.
    let drip = migrate(&[b'+'; 90], Duration::from_millis(50));
    assert_eq!(drip, (READING.into(), true));
}

#[test]
fn migrate_connects_again_if_a_kept_connection_has_died() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let thread = thread::spawn(move || {
        for _ in 0..2 {
            let mut s = listener.accept().expect("a connection").0;
            take_commands(&mut s, 2);
            s.write_all(b"+OK\r\n+OK\r\n").expect("read");
        }
    });
    let mut bench = Bench::new(1);
    for _ in 0..2 {
        bench.run(1, "set k v");
        let reply = bench.run(1, &format!("migrate 127.0.0.1 {port} k 0 2000"));
        assert_eq!(reply, "+OK\r\n");
        // Its end reaches us before the next one begins.
        thread::sleep(Duration::from_millis(50));
    }
    thread.join().expect("served");
}
