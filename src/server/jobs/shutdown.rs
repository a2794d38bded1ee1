//! Ending the server: SHUTDOWN and the signals that mean it.
//!
//! A signal is noted where it is read (`signals`), and done here, between commands. While data is
//! loaded it ends the server at once and without saving. During a SAVE, or while a script runs, it
//! is only noted.
//!
//! `finish` goes in this order:
//!
//! 1. Debugging sessions and the child that saves are killed.
//! 2. The last snapshot is written, if there are save points or SAVE was given. If it can't be, the
//!    server goes on as before, unless FORCE was given.
//! 3. The pid file and the Unix socket are removed, and the listeners are closed.
//! 4. `done` is set. The loop ends after its turn, which still writes the replies it owes.
//!
//! So nothing that a running server needs is removed before its data is safe.

use crate::config::ShutdownFlags;
use crate::log;
use crate::server::jobs::aof::flush;
use crate::server::jobs::signals;
use crate::server::jobs::{child, children, save, supervisor};
use crate::server::parts::Server;
use crate::server::parts::aof::State;
use crate::server::parts::child::Kind;
use crate::sys::signals::SIGINT;

/// How to shut down.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct How {
    pub save: bool,
    pub nosave: bool,
    /// Don't wait for replicas.
    pub now: bool,
    /// Go on even if the last save fails.
    pub force: bool,
}

/// Reads what signals have come.
pub(crate) fn on_signals(srv: &mut Server) {
    let loading = srv.loading.is_some();
    if !signals::note_signals(&mut srv.net, &mut srv.shutdown, loading) {
        return;
    }
    if loading {
        // Half a dataset must not take the place of the whole one on disk.
        let _ = shut_down(srv, How { nosave: true, now: true, ..How::default() });
    } else if !srv.exec.busy {
        on_cron(srv);
    }
}

/// SHUTDOWN ABORT: what a signal asked for and has not been done yet is called off; false if there
/// is no such thing.
pub(crate) fn abort(srv: &mut Server) -> bool {
    let pending = srv.shutdown.asked.take().is_some();
    if pending {
        log!(Notice, "Shutdown manually aborted.");
    }
    pending
}

/// Does what a signal asked for.
pub(crate) fn on_cron(srv: &mut Server) {
    let Some(signal) = srv.shutdown.asked else { return };
    if srv.debug.pause_cron {
        return;
    }
    let p = &srv.cfg.process;
    let flags = if signal == SIGINT { p.shutdown_on_sigint } else { p.shutdown_on_sigterm };
    let how = How {
        save: flags.0 & ShutdownFlags::SAVE != 0,
        nosave: flags.0 & ShutdownFlags::NOSAVE != 0,
        now: flags.0 & ShutdownFlags::NOW != 0,
        force: flags.0 & ShutdownFlags::FORCE != 0,
    };
    // If it fails, the log says why, and the server goes on.
    let _ = shut_down(srv, how);
}

/// Saves if it must and ends the loop. An error leaves the server running.
///
/// However it ends, what a signal asked for is done with: signals that came during the last save
/// ask for no other.
pub(crate) fn shut_down(srv: &mut Server, how: How) -> Result<(), ()> {
    if srv.shutdown.done {
        return Ok(());
    }
    let result = finish(srv, how);
    srv.shutdown.asked = None;
    result
}

/// The server goes on, and `status` tells systemd why.
fn refuse(srv: &Server, status: &str) -> Result<(), ()> {
    log!(Warning, "Errors trying to shut down the server. Check the logs for more information.");
    if srv.identity.supervised == "systemd" {
        supervisor::notify(status);
    }
    Err(())
}

fn finish(srv: &mut Server, how: How) -> Result<(), ()> {
    log!(Notice, "User requested shutdown...");
    if srv.identity.supervised == "systemd" {
        supervisor::notify("STOPPING=1\n");
    }
    child::end_sessions(srv);
    match srv.child.as_ref().map(|child| child.kind) {
        None => {}
        Some(Kind::Rdb) => {
            log!(Warning, "There is a child saving an .rdb. Killing it!");
            children::kill(srv);
        }
        Some(Kind::Aof) => {
            if srv.aof.state == State::Waiting {
                // There is no file yet that holds what was written.
                if !how.force {
                    log!(Warning, "Writing initial AOF, can't exit.");
                    return refuse(srv, "STATUS=Writing initial AOF, can't exit.\n");
                }
                log!(Warning, "Writing initial AOF. Exit anyway.");
            }
            log!(Warning, "There is a child rewriting the AOF. Killing it!");
            children::kill(srv);
        }
    }
    if srv.aof.is_on() {
        log!(Notice, "Calling fsync() on the AOF file.");
        flush::flush_and_sync(srv);
    }
    let wanted = !srv.cfg.snapshot.save_points.is_empty() && !how.nosave || how.save;
    if wanted {
        log!(Notice, "Saving the final RDB snapshot before exiting.");
        if srv.identity.supervised == "systemd" {
            supervisor::notify("STATUS=Saving the final RDB snapshot\n");
        }
        if save::foreground(srv).is_err() {
            if how.force {
                log!(Warning, "Error trying to save the DB. Exit anyway.");
            } else {
                log!(Warning, "Error trying to save the DB, can't exit.");
                return refuse(srv, "STATUS=Error trying to save the DB, can't exit.\n");
            }
        }
    }
    if !srv.cfg.process.pid_file.is_empty() {
        log!(Notice, "Removing the pid file.");
        let _ = std::fs::remove_file(String::from_utf8_lossy(&srv.cfg.process.pid_file).as_ref());
    }
    if !srv.cfg.net.unix_socket.is_empty() {
        log!(Notice, "Removing the unix socket file.");
        let _ = std::fs::remove_file(String::from_utf8_lossy(&srv.cfg.net.unix_socket).as_ref());
    }
    // Nobody is let in between the end of the connections and that of the process.
    srv.net.close_listeners();
    srv.metrics.switch(false);
    log!(Warning, "Redis is now ready to exit, bye bye...");
    srv.shutdown.done = true;
    Ok(())
}
