//! The data at start: append-only files if there are to be some, else the snapshot.
//!
//! What can't be read ends the start. A server that began empty instead would soon overwrite it.

use crate::config::PrimaryAddr;
use crate::log;
use crate::net::listener;
use crate::persist::check;
use crate::persist::rdb::load::RdbError;
use crate::server::jobs::aof::load::Outcome;
use crate::server::jobs::aof::{self, files};
use crate::server::jobs::load as snapshot;
use crate::server::jobs::repl::{replica, restore};
use crate::server::jobs::supervisor;
use crate::server::parts::Server;
use crate::server::reactor::turn;

/// Loads the data, of which a Sentinel has none, and is ready. A failure is noted as a shutdown.
pub(super) fn begin(srv: &mut Server) {
    if srv.sentinel.is_some() {
        return supervisor::ready(srv.identity.supervised);
    }
    load(srv);
    if let Some(PrimaryAddr { host, port }) = srv.cfg.repl.primary.clone() {
        replica::follow(srv, &host, port);
    }
    if !srv.shutdown.done && srv.cfg.aof.enabled && files::open_on_start(srv).is_err() {
        fail(srv);
    }
    if !srv.shutdown.done {
        // Not after a start that failed: what is left may be needed to repair the files.
        files::delete_history(srv);
        ready(srv);
    }
}

/// Tells those who wait for it.
fn ready(srv: &Server) {
    let listeners = srv.net.listeners();
    let any = |kind| listeners.iter().any(|l| l.kind == kind);
    if any(listener::Kind::TCP) {
        log!(Notice, "Ready to accept connections tcp");
    }
    if any(listener::Kind::UNIX) {
        log!(Notice, "Ready to accept connections unix");
    }
    if any(listener::Kind::TLS) {
        log!(Notice, "Ready to accept connections tls");
    }
    supervisor::ready(srv.identity.supervised);
}

/// Loads the append-only files or the snapshot; what is broken ends the process, since starting
/// empty would lose it.
pub(super) fn load(srv: &mut Server) {
    if files::load_manifest(srv).is_err() {
        return fail(srv);
    }
    if srv.cfg.aof.enabled {
        // What the commands of the files change counts for save points: no snapshot holds it.
        let started_us = crate::sys::clock::wall_us();
        match aof::load::load_files(srv, turn::serve_while_busy) {
            Outcome::Absent => {}
            Outcome::Loaded | Outcome::Empty => {
                let seconds = (crate::sys::clock::wall_us() - started_us) as f64 / 1e6;
                log!(Notice, "DB loaded from append only file: {seconds:.3} seconds");
            }
            Outcome::Failed if srv.shutdown.done => {}
            Outcome::Failed => fail(srv),
        }
        return;
    }
    match snapshot::from_disk(srv, snapshot::Present::Replaced, turn::serve_while_busy) {
        Ok(snapshot::FromDisk::Absent) => {}
        Ok(snapshot::FromDisk::Loaded) => {
            srv.rdb.dirty = 0;
            restore::adopt_history(srv);
        }
        Err(_) if srv.shutdown.done => {}
        Err(e) => {
            match e {
                RdbError::Corrupt { .. } => explain_corruption(srv, &e),
                RdbError::Module { .. } | RdbError::Database { .. } => log!(Warning, "{e}"),
                _ => {
                    log!(Warning, "{e}");
                    log!(Warning, "Fatal error loading the DB, check server logs. Exiting.");
                }
            }
            fail(srv);
        }
    }
}

/// The server does not start.
pub(super) fn fail(srv: &mut Server) {
    srv.shutdown.done = true;
    srv.shutdown.exit_code = 1;
}

/// Says what is wrong with the snapshot, and how far the checker gets with it.
#[cold]
fn explain_corruption(srv: &Server, e: &RdbError) {
    log!(Warning, "Bad data in the snapshot: {e}");
    let name = String::from_utf8_lossy(&srv.cfg.snapshot.file_name).into_owned();
    let mut report = Vec::new();
    let file = std::fs::File::open(&name);
    if let Ok(file) = file
        && check::check(file, &name, srv.clock.now_ms, &mut report).is_ok()
    {
        String::from_utf8_lossy(&report).lines().for_each(|line| log!(Warning, "{line}"));
    }
    log!(Warning, "Terminating server after rdb file reading failure.");
}
