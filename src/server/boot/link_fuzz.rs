//! What fuzzing calls of the link to a primary: whatever comes, and however it is cut, the replica
//! goes on, and counts the same.

use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::config::choice::DisklessLoad;
use crate::net::clients::ClientId;
use crate::net::conn::Conn;
use crate::net::session::Close;
use crate::repl::handshake::{Handshake, Introduction};
use crate::server::admin;
use crate::server::boot;
use crate::server::jobs::repl::{link, replica};
use crate::server::parts::net::Source;
use crate::server::parts::repl::{Link, Talk};
use crate::server::parts::{Server, ServerRow, Table};
use crate::server::reactor::reading::read_client;
use crate::sys::log;

/// Commands of the server that may come; those that would leave the process are not there.
const KNOWN: &[&str] = &[
    "select", "multi", "exec", "discard", "replconf", "ping", "publish", "spublish", "flushall",
    "flushdb", "swapdb", "move", "copy",
];
/// These may take any amount of memory, which a real primary has had as well.
const LARGE: &[&str] =
    &["setbit", "setrange", "bitfield", "lcs", "srandmember", "hrandfield", "zrandmember"];

fn table() -> &'static Table {
    static TABLE: OnceLock<&'static Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        let known = |row: &&ServerRow| KNOWN.contains(&row.0);
        let rows: Vec<ServerRow> =
            admin::TABLES.iter().copied().flatten().filter(known).copied().collect();
        let without: Vec<(Vec<u8>, Vec<u8>)> =
            LARGE.iter().map(|name| (name.as_bytes().to_vec(), Vec::new())).collect();
        Table::build(&[&rows], &without).expect("these can be built")
    })
}

/// Plays a primary that says `data`: its first byte tells how much is said before it, and how it is
/// cut.
pub fn link(data: &[u8]) {
    let Some((&how, data)) = data.split_first() else { return };
    log::set_level(log::Level::Nothing);
    let whole = play(how, data, usize::MAX);
    let pieces = play(how, data, 1 + usize::from(how >> 3));
    // A primary sends nothing behind a mark before it has an answer, so that is not looked for.
    let marked = data.windows(5).any(|bytes| bytes == b"$EOF:");
    assert!(marked || whole == pieces, "cut, it is {pieces} and not {whole}");
}

/// How far the replica has come in the end.
fn play(how: u8, data: &[u8], piece: usize) -> u64 {
    let mut cfg = Config::default();
    cfg.repl.timeout_secs = 5;
    cfg.repl.diskless_load = match how & 4 {
        0 => DisklessLoad::OnEmptyDb,
        _ => DisklessLoad::Swapdb,
    };
    let mut srv =
        boot::assemble(cfg, "redust-server".into(), None, "no", table()).expect("all its parts");
    srv.repl.keep_backlog(&mut srv.stream);
    replica::follow(&mut srv, b"127.0.0.1", 1);
    let (ours, mut theirs) = UnixStream::pair().expect("a pair of sockets");
    ours.set_nonblocking(true).expect("a socket");
    let mut conn = Conn::Unix(mio::net::UnixStream::from_std(ours));
    let token = Source::Link.token();
    conn.register(srv.net.registry(), token, mio::Interest::READABLE).expect("a socket");
    let handshake = Handshake::new(Introduction { version: "7.2.6".into(), ..Default::default() });
    let before = match how % 3 {
        0 => String::new(),
        1 => format!("+PONG\r\n+OK\r\n+OK\r\n+OK\r\n+FULLRESYNC {} 5\r\n", "a".repeat(40)),
        _ => "+PONG\r\n+OK\r\n+OK\r\n+OK\r\n+CONTINUE\r\n".to_owned(),
    };
    let says = [before.as_bytes(), data].concat();
    if let Some(following) = &mut srv.repl.following {
        following.link = Link::Talking(Box::new(Talk { conn, handshake, input: Vec::new() }));
    }
    let speaker = thread::spawn(move || {
        for piece in says.chunks(piece) {
            // The replica may have ended the connection.
            if theirs.write_all(piece).is_err() {
                break;
            }
        }
        let _ = theirs.shutdown(Shutdown::Write);
        theirs
    });
    let until = Instant::now() + Duration::from_secs(20);
    while drive(&mut srv) {
        assert!(Instant::now() < until, "it does not end");
        thread::yield_now();
    }
    let came = srv.stream.repl_end();
    drop(srv);
    // Its end of the sockets lives until here, so that the replica sees no error but the end.
    drop(speaker.join());
    came
}

/// Lets the link go on; false when it has ended.
fn drive(srv: &mut Server) -> bool {
    let Some(following) = &srv.repl.following else { return false };
    match (&following.link, following.client) {
        (Link::Talking(_) | Link::Receiving(_), _) => {
            link::on_event(srv, |_| {});
            true
        }
        (Link::Connected, Some(id)) => {
            read_client(srv, id);
            let again = std::mem::take(&mut srv.net.again);
            again.into_iter().for_each(|id| read_client(srv, id));
            is_open(srv, id)
        }
        _ => false,
    }
}

fn is_open(srv: &Server, id: ClientId) -> bool {
    srv.clients.session(id).is_some_and(|session| session.close == Close::No)
}
