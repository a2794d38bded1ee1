//! The forked child: one at a time, what it reports, and what becomes of it.
//!
//! A child gets a view of the server made of shared borrows only, so it cannot touch a client. It
//! reports on a pipe in records of 24 bytes (keys done, keys in all, bytes copied on write; or why
//! it failed: `FAILED`, the step, the system's error); the pipe's end tells the reactor that the
//! child is gone, without waiting for the next cron.
//!
//! A child of another kind serves a client whose script is debugged (`fork_for`). There may be many
//! of them beside the one that saves.

use crate::server::jobs::settings;
use crate::server::parts::child::{Child, Kind, Progress};
use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;

use crate::ds::dict::{self, Resize};
use crate::keyspace::Keyspace;
use crate::log;
use crate::net::clients::ClientId;
use crate::persist::rdb::file::FileError;
use crate::server::parts::Server;
use crate::server::parts::links::Links;
use crate::sys::fork::{self, Forked};
use crate::sys::{clock, log as logfile, mem};

pub(crate) const RECORD: usize = 24;
/// The first word of a record that tells of a failure: no child has so many keys.
pub(crate) const FAILED: u64 = u64::MAX;

/// The first word of a record about a replica.
pub(crate) const SOCKET: u64 = u64::MAX - 1;

/// How a child talks to its parent.
pub(crate) struct Reporter {
    pipe: File,
    total: u64,
    last_ms: i64,
}

/// Reports are this far apart at least.
const REPORT_MS: i64 = 1000;

impl Reporter {
    /// Tells the parent how far the work is, once a second at most.
    pub(crate) fn keys(&mut self, done: u64) {
        let now = clock::wall_ms();
        if now - self.last_ms >= REPORT_MS {
            self.last_ms = now;
            self.send(done);
        }
    }

    pub(crate) fn send(&mut self, done: u64) {
        self.record([done, self.total, mem::smaps("Private_Dirty")]);
    }

    /// Tells the parent why the work failed.
    pub(crate) fn failed(&mut self, why: &FileError) {
        let error = why.error.raw_os_error().unwrap_or(0);
        self.record([FAILED, why.step as u64, error as u64]);
    }

    /// Tells the parent what became of one of the replicas that the child writes to; 0: it has
    /// all.
    pub(crate) fn socket(&mut self, index: usize, error: i32) {
        self.record([SOCKET, index as u64, error as u64]);
    }

    fn record(&mut self, words: [u64; RECORD / 8]) {
        let mut record = [0; RECORD];
        for (slot, n) in record.chunks_exact_mut(8).zip(words) {
            slot.copy_from_slice(&n.to_le_bytes());
        }
        // A full pipe means that the parent is busy; the next report says more anyway.
        let _ = self.pipe.write(&record);
    }
}

/// What a child may see.
pub(crate) struct View<'a> {
    pub ks: &'a Keyspace,
    pub cfg: &'a crate::config::Config,
}

/// Forks and runs `work` in the child; its result is the exit code.
pub(crate) fn spawn(
    srv: &mut Server,
    kind: Kind,
    work: impl FnOnce(View<'_>, &mut Reporter) -> i32,
) -> std::io::Result<()> {
    let (reader, writer) = fork::pipe()?;
    match fork_noted(srv)? {
        Forked::Child => {
            settings::adopt_child_settings(srv, kind);
            let total = srv.ks.len() as u64;
            let mut reporter = Reporter { pipe: writer, total, last_ms: clock::wall_ms() };
            // The first report at once, so that copy-on-write is known to have begun.
            reporter.send(0);
            let code = work(View { ks: &srv.ks, cfg: &srv.cfg }, &mut reporter);
            fork::exit_now(code)
        }
        Forked::Parent { pid } => {
            drop(writer);
            srv.net.watch_child(reader.as_raw_fd())?;
            let progress = Progress { keys_total: srv.ks.len() as u64, ..Progress::default() };
            srv.child = Some(Child {
                pid,
                kind,
                started_ms: srv.clock.now_ms,
                progress,
                pipe: reader,
                failure: None,
                replicas: Vec::new(),
                reached: Vec::new(),
            });
            // While a child lives, every page written is copied: tables grow only when they must.
            dict::set_resize(Resize::Avoid);
            Ok(())
        }
    }
}

/// Forks. The parent notes how long it took; the child takes on what all children have.
fn fork_noted(srv: &mut Server) -> std::io::Result<Forked> {
    let before = clock::wall_us();
    let forked = fork::fork()?;
    match forked {
        Forked::Child => {
            fork::child_signals();
            logfile::set_role(b'C');
            // A port that the server leaves must be free, though its child still runs.
            srv.net.listeners.clear();
        }
        Forked::Parent { .. } => {
            srv.stats.n.forks += 1;
            let fork_us = (clock::wall_us() - before).max(0) as u64;
            srv.stats.n.latest_fork_us = fork_us;
            srv.note_latency("fork", fork_us);
        }
    }
    Ok(forked)
}

/// Forks a child that goes on with the running command of `client`, on a copy of the data; true in
/// the child, which must end in `fork::exit_now`.
///
/// Such a child has the whole server. What it has together with its parent it leaves alone: it
/// never comes back to the loop, so it writes no append-only file, and no snapshot is due. Its
/// scripts can't ask for one either. Connections are the parent's, and end when that closes them.
/// The child is not `Server::child`, as it saves nothing: `Scripting::sessions` has it.
pub(crate) fn fork_for(srv: &mut Server, client: ClientId) -> std::io::Result<bool> {
    match fork_noted(srv)? {
        Forked::Parent { pid } => {
            srv.script.sessions.push(pid);
            Ok(false)
        }
        Forked::Child => {
            // The process works without; its parent has said so already if it can't be set.
            let _ = settings::set_oom_score(srv, 2);
            srv.clients.keep_only(client);
            srv.tls.forget();
            srv.metrics.abandon();
            srv.repl.abandon_link();
            srv.migrate = Links::default();
            srv.debug.scripts_call_all = false;
            srv.script.sessions.clear();
            srv.cfg.snapshot.save_points.clear();
            srv.bio.abandon();
            srv.audit.abandon();
            srv.rearm();
            // Its pipe stays open here, which does not matter: the writing end is not ours.
            std::mem::forget(srv.child.take());
            dict::set_resize(Resize::Avoid);
            Ok(true)
        }
    }
}

/// Forgets the sessions that have ended.
pub(crate) fn check_sessions(srv: &mut Server) {
    srv.script.sessions.retain(|&pid| matches!(fork::poll_child(pid), Ok(None)));
}

/// Ends all sessions.
pub(crate) fn end_sessions(srv: &mut Server) {
    for pid in std::mem::take(&mut srv.script.sessions) {
        log!(Notice, "Killing debugging session {pid}");
        fork::kill(pid, fork::AT_ONCE);
        fork::wait_for_exit(pid);
        // An error is ignored: it is gone.
        let _ = fork::poll_child(pid);
    }
}
