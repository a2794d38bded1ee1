//! A snapshot from the primary: to a file that is loaded when it is whole, or straight from the
//! socket (`repl-diskless-load`).
//!
//! The old data goes when the new comes to be loaded, so that memory is needed once. With `swapdb`
//! it is served meanwhile, and stays if the snapshot turns out to be broken.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use crate::config::choice::DisklessLoad;
use crate::log;
use crate::net::conn::Conn;
use crate::persist::rdb::load::RdbError;
use crate::repl::history::History;
use crate::repl::transfer::{self, Broken, Extent, Finder};
use crate::server::engine::flushing;
use crate::server::jobs::aof::switch;
use crate::server::jobs::load::{self, Present};
use crate::server::jobs::repl::lent::Lent;
use crate::server::jobs::repl::source::{self, FromSocket};
use crate::server::jobs::repl::{link, primary, replica};
use crate::server::jobs::{children, expire, shutdown};
use crate::server::parts::Server;
use crate::server::parts::child::Kind;
use crate::server::parts::identity::random_id;
use crate::server::parts::repl::{Link, Receive, Voice};
use crate::sys::process;
use crate::util::path::os_error;

/// Bytes read in one turn.
const TURN: usize = 4 << 20;
const READ: usize = 256 * 1024;
/// Bytes between two syncs of the file.
const SYNC_BYTES: u64 = 8 << 20;
/// The longest line before the snapshot.
const LINE_MAX: usize = 1024;

/// Gives up a snapshot that was coming; its connection is handed back.
pub(super) fn abandon(receive: Receive) -> Conn {
    if let Some((_, name)) = &receive.file {
        // Only the name matters, and it may be gone.
        let _ = std::fs::remove_file(name);
    }
    receive.conn
}

fn fail(srv: &mut Server, text: &str) {
    log!(Warning, "{text}");
    replica::on_link_failed(srv);
}

/// The link has bytes of the snapshot, or what comes before it.
pub(super) fn on_readable(srv: &mut Server, serve: fn(&mut Server)) {
    let mut read = 0;
    loop {
        match step(srv, serve) {
            Step::Read(n) => read += n,
            Step::Done => return,
        }
        if read >= TURN {
            srv.net.link_again = true;
            return;
        }
    }
}

enum Step {
    Read(usize),
    /// There is nothing more to do now.
    Done,
}

fn step(srv: &mut Server, serve: fn(&mut Server)) -> Step {
    let now_ms = srv.clock.now_ms;
    let Some(following) = srv.repl.following.as_mut() else { return Step::Done };
    let Link::Receiving(receive) = &mut following.link else { return Step::Done };
    let room = receive.finder.as_ref().map_or(LINE_MAX, |finder| finder.want(READ));
    let held = receive.input.len();
    let got = match held {
        0 => receive.conn.read_into(&mut receive.input, room),
        n => Ok(n),
    };
    let n = match got {
        Ok(0) => {
            fail(srv, "I/O error trying to sync with MASTER: connection lost");
            return Step::Done;
        }
        Ok(n) => n,
        Err(e) if e.kind() == ErrorKind::WouldBlock => return Step::Done,
        Err(e) if e.kind() == ErrorKind::Interrupted => return Step::Read(0),
        Err(e) => {
            fail(srv, &format!("I/O error trying to sync with MASTER: {}", os_error(&e)));
            return Step::Done;
        }
    };
    following.heard_ms = now_ms;
    if held == 0 {
        srv.stats.n.repl_in += n as u64;
        srv.stats.n.net_in += n as u64;
    }
    match receive.finder {
        None => preamble(srv, serve),
        Some(_) => to_file(srv, serve),
    }
}

/// A line before the snapshot.
fn preamble(srv: &mut Server, serve: fn(&mut Server)) -> Step {
    let Some(following) = srv.repl.following.as_mut() else { return Step::Done };
    let Link::Receiving(receive) = &mut following.link else { return Step::Done };
    let Some(end) = receive.input.iter().position(|&b| b == b'\n') else {
        if receive.input.len() >= LINE_MAX {
            fail(srv, "Bad protocol from MASTER, the first line is too long");
            return Step::Done;
        }
        // The rest of the line has to be read behind what is held.
        return match receive.conn.read_into(&mut receive.input, LINE_MAX) {
            Ok(n) if n > 0 => Step::Read(n),
            Err(e) if e.kind() == ErrorKind::WouldBlock => Step::Done,
            _ => {
                fail(srv, "I/O error reading bulk count from MASTER: connection lost");
                Step::Done
            }
        };
    };
    let line: Vec<u8> = receive.input.drain(..=end).collect();
    let extent = match transfer::extent(line.trim_ascii_end()) {
        Ok(None) => return Step::Read(0),
        Ok(Some(extent)) => extent,
        Err(Broken::Error(text)) => {
            let text = String::from_utf8_lossy(&text).into_owned();
            fail(srv, &format!("MASTER aborted replication with an error: {text}"));
            return Step::Done;
        }
        Err(Broken::Bad(line)) => {
            let line = String::from_utf8_lossy(&line).into_owned();
            fail(
                srv,
                &format!(
                    "Bad protocol from MASTER, the first byte is not '$' (we received '{line}'), are \
                     you sure the host and port are right?"
                ),
            );
            return Step::Done;
        }
    };
    if extent == Extent::Bytes(0) {
        fail(srv, "Bad protocol from MASTER, the snapshot is empty");
        return Step::Done;
    }
    let to = match srv.cfg.repl.diskless_load {
        DisklessLoad::Swapdb => "parser",
        DisklessLoad::OnEmptyDb if srv.ks.is_empty() => "parser",
        _ => "disk",
    };
    match &extent {
        Extent::Bytes(n) => {
            log!(Notice, "MASTER <-> REPLICA sync: receiving {n} bytes from master to {to}")
        }
        Extent::Mark(_) => log!(
            Notice,
            "MASTER <-> REPLICA sync: receiving streamed RDB from master with EOF to {to}"
        ),
    }
    receive.finder = Some(Finder::new(extent.clone()));
    if to == "parser" {
        return from_socket(srv, extent, serve);
    }
    let name = format!("temp-{}.{}.rdb", srv.clock.now_ms / 1000, process::pid());
    match File::create(&name) {
        Ok(file) => {
            let Some(following) = srv.repl.following.as_mut() else { return Step::Done };
            let Link::Receiving(receive) = &mut following.link else { return Step::Done };
            receive.file = Some((file, name));
            Step::Read(0)
        }
        Err(e) => {
            fail(
                srv,
                &format!(
                    "Opening the temp file needed for MASTER <-> REPLICA synchronization: {}",
                    os_error(&e)
                ),
            );
            Step::Done
        }
    }
}

/// Bytes of the snapshot go to the file; when it is whole, it is loaded.
fn to_file(srv: &mut Server, serve: fn(&mut Server)) -> Step {
    let Some(following) = srv.repl.following.as_mut() else { return Step::Done };
    let Link::Receiving(receive) = &mut following.link else { return Step::Done };
    let Receive { finder: Some(finder), file: Some((file, _)), input, unsynced, .. } =
        receive.as_mut()
    else {
        return Step::Done;
    };
    // What was read with the line before may go beyond the end.
    let take = finder.want(input.len());
    let ends = finder.take(&input[..take]);
    let mut written = file.write_all(&input[..take]);
    *unsynced += take as u64;
    if written.is_ok() && *unsynced >= SYNC_BYTES {
        *unsynced = 0;
        written = file.sync_data();
    }
    input.drain(..take);
    if let Err(e) = written {
        fail(
            srv,
            &format!(
                "Write error or short write writing to the DB dump file needed for MASTER <-> REPLICA \
                 synchronization: {}",
                os_error(&e)
            ),
        );
        return Step::Done;
    }
    if !ends {
        return Step::Read(take);
    }
    let length = finder.seen() - finder.tail();
    let cut = file.set_len(length).and_then(|()| file.sync_all());
    match cut {
        Ok(()) => from_file(srv, length, serve),
        Err(e) => fail(
            srv,
            &format!(
                "Error truncating the RDB file received from the master for SYNC: {}",
                os_error(&e)
            ),
        ),
    }
    Step::Done
}

/// Takes the reception out of the link, which shows as one that receives meanwhile.
fn take(srv: &mut Server) -> Option<Receive> {
    let following = srv.repl.following.as_mut()?;
    match std::mem::replace(&mut following.link, Link::Loading(None)) {
        Link::Receiving(receive) => {
            // Only this connection itself can speak where it is encrypted: see `lend_voice`, and
            // `FromSocket`, which has it.
            let socket = match receive.conn.as_tls() {
                None => receive.conn.duplicate().ok(),
                Some(_) => None,
            };
            following.link = Link::Loading(socket.map(|s| Voice::Socket(File::from(s))));
            Some(*receive)
        }
        other => {
            following.link = other;
            None
        }
    }
}

/// Stops what would write while the data changes. From here on what we had of a history is of no
/// use: our replicas have to come anew, and nobody can go on in the backlog.
fn prepare(srv: &mut Server) -> bool {
    if let Some(following) = &mut srv.repl.following {
        if following.resumes {
            log!(Notice, "Discarding previously cached master state.");
        }
        following.resumes = false;
    }
    primary::drop_replicas(srv);
    srv.repl.free_backlog(&mut srv.stream);
    let on = srv.aof.is_on();
    if on {
        switch::stop(srv);
    }
    if srv.child.as_ref().is_some_and(|child| child.kind == Kind::Rdb) {
        log!(
            Notice,
            "Replica is about to load the RDB file received from the master, but there is a pending \
             RDB child running. Killing process and removing its temp file to avoid any race"
        );
        children::kill(srv);
    }
    on
}

/// Empties all databases, in the background if that is asked for. What is there from now on is no
/// point of the old history: nobody may go on in it, should the load fail.
fn flush_old(srv: &mut Server) {
    log!(Notice, "MASTER <-> REPLICA sync: Flushing old data");
    srv.repl.history = History::new(random_id());
    flushing::flush(srv, None, srv.cfg.repl.lazy_flush);
    drop(srv.script.flush_libraries());
}

/// The snapshot is in a file: it takes the place of ours, and is loaded.
fn from_file(srv: &mut Server, bytes: u64, serve: fn(&mut Server)) {
    let Some(mut receive) = take(srv) else { return };
    let Some((file, name)) = receive.file.take() else { return };
    drop(file);
    let aof = prepare(srv);
    let target = Path::new(std::ffi::OsStr::from_bytes(&srv.cfg.snapshot.file_name)).to_owned();
    if let Err(e) = std::fs::rename(&name, &target) {
        let _ = std::fs::remove_file(&name);
        log!(
            Warning,
            "Failed trying to rename the temp DB into {} in MASTER <-> REPLICA synchronization: {}",
            target.display(),
            os_error(&e)
        );
        return give_up(srv, receive.conn, aof);
    }
    flush_old(srv);
    log!(Notice, "MASTER <-> REPLICA sync: Loading DB in memory");
    let receive = Lent::new(srv, receive);
    load::begin(srv, bytes);
    let source = load::Source {
        bytes,
        before: 0,
        keeps_expired: true,
        live: false,
        present: Present::Replaced,
    };
    let loaded = match File::open(&target) {
        Ok(file) => load::snapshot(srv, file, &source, serve),
        Err(e) => Err(RdbError::Io(e)),
    };
    load::end(srv);
    let volatile = srv.cfg.snapshot.del_sync_files
        && srv.cfg.snapshot.save_points.is_empty()
        && !srv.cfg.aof.enabled;
    if let Err(e) = loaded {
        log!(Warning, "Internal error in RDB: {e}");
        log!(
            Warning,
            "Failed trying to load the MASTER synchronization DB from disk, check server logs."
        );
        flush_old(srv);
        if volatile {
            let _ = std::fs::remove_file(&target);
        }
        match receive.back(srv) {
            Some(receive) => give_up(srv, receive.conn, aof),
            None => restart_aof(srv, aof),
        }
        return rest_if_refused(srv, &e);
    }
    if volatile {
        log!(
            Notice,
            "Removing the RDB file obtained from the master. This replica has persistence disabled"
        );
        let _ = std::fs::remove_file(&target);
    }
    match receive.back(srv) {
        Some(receive) => finish(srv, receive, aof),
        None => restart_aof(srv, aof),
    }
}

/// The snapshot is loaded as it comes.
fn from_socket(srv: &mut Server, extent: Extent, serve: fn(&mut Server)) -> Step {
    let Some(mut receive) = take(srv) else { return Step::Done };
    let aof = prepare(srv);
    // The old data stays until the new is whole; it is served meanwhile if it is of the same
    // history.
    let keeps = srv.cfg.repl.diskless_load == DisklessLoad::Swapdb;
    let aside = keeps && receive.id == srv.repl.history.id;
    if !keeps {
        flush_old(srv);
    }
    log!(Notice, "MASTER <-> REPLICA sync: Loading DB in memory");
    let bytes = match &extent {
        Extent::Bytes(n) => *n,
        Extent::Mark(_) => 0,
    };
    load::begin(srv, bytes);
    if let Some(loading) = &mut srv.loading {
        (loading.aside, loading.from_primary) = (aside, true);
    }
    srv.rearm();
    let source = load::Source {
        bytes,
        before: 0,
        keeps_expired: true,
        live: true,
        present: Present::Replaced,
    };
    let timeout = Duration::from_secs(u64::from(srv.cfg.repl.timeout_secs));
    let left = Some(bytes).filter(|_| bytes > 0);
    let mut socket = FromSocket::new(&mut receive.conn, &mut receive.input, left, timeout);
    let loaded =
        load::snapshot_that(srv, &mut socket, &source, serve, |socket, used| match &extent {
            Extent::Mark(mark) => source::read_mark(socket, used, mark),
            Extent::Bytes(_) => io::copy(socket, &mut io::sink()).map(|_| ()),
        });
    let came = socket.total();
    srv.stats.n.repl_in += came;
    srv.stats.n.net_in += came;
    // While half a dataset is there, the end must not save it.
    shutdown::on_signals(srv);
    load::end(srv);
    let Err(why) = loaded else {
        if keeps {
            log!(Notice, "MASTER <-> REPLICA sync: Swapping active DB with loaded DB");
            log!(Notice, "MASTER <-> REPLICA sync: Discarding old DB in background");
        }
        finish(srv, receive, aof);
        return Step::Done;
    };
    log!(Warning, "Internal error in RDB: {why}");
    log!(
        Warning,
        "Failed trying to load the MASTER synchronization DB from socket, check server logs."
    );
    match keeps {
        true => log!(Notice, "MASTER <-> REPLICA sync: Discarding temporary DB in background"),
        false => flush_old(srv),
    }
    give_up(srv, receive.conn, aof);
    rest_if_refused(srv, &why);
    Step::Done
}

/// A snapshot that came whole but can't be read here will be the same the next time: it is not
/// asked for again at once.
fn rest_if_refused(srv: &mut Server, e: &RdbError) {
    let foreign = matches!(
        e,
        RdbError::Version(_)
            | RdbError::Module { .. }
            | RdbError::Database { .. }
            | RdbError::Corrupt { .. }
    );
    if foreign {
        replica::rest(srv, e.to_string());
    }
}

/// The data could not be had: the link is tried again.
fn give_up(srv: &mut Server, conn: Conn, aof: bool) {
    replica::end_link(srv, conn);
    restart_aof(srv, aof);
    // Meanwhile this server may have been told to lead, or to follow another one.
    if srv.repl.is_loading() {
        replica::on_link_failed(srv);
    }
}

fn restart_aof(srv: &mut Server, aof: bool) {
    if aof && switch::start(srv).is_err() {
        log!(
            Warning,
            "FATAL: this replica instance finished the synchronization with its master, but the AOF \
             can't be turned on. Exiting now."
        );
        srv.shutdown.done = true;
        srv.shutdown.exit_code = 1;
    }
}

/// The data is the primary's as of `receive.offset`: the stream goes on from there.
fn finish(srv: &mut Server, receive: Receive, aof: bool) {
    log!(Notice, "MASTER <-> REPLICA sync: Finished with success");
    srv.stream.set_repl_end(receive.offset);
    // A primary that knows no histories can't be gone on with.
    srv.repl.history = History::new(if receive.old { random_id() } else { receive.id });
    if let Some(following) = &mut srv.repl.following {
        following.db = srv.repl.loaded.db.take().unwrap_or(0);
        following.resumes = !receive.old;
    }
    expire::schedule(srv);
    link::establish(srv, receive.conn, receive.input);
    restart_aof(srv, aof);
}
