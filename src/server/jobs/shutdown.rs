//! Ending the server: SHUTDOWN and the signals that mean it.
//!
//! A signal is noted where it is read (`signals`), and done here, between commands. While data is
//! loaded it ends the server at once and without saving. During a SAVE, or while a script runs, it
//! is only noted.
//!
//! Replicas that lack something are waited for, up to `shutdown-timeout`. Writes are held back
//! meanwhile, and the shutdown can be called off. Then `finish` goes in this order:
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
use crate::server::engine::blocking;
use crate::server::jobs::aof::flush;
use crate::server::jobs::repl::names;
use crate::server::jobs::signals;
use crate::server::jobs::{child, children, pause, save, supervisor};
use crate::server::parts::Server;
use crate::server::parts::aof::State;
use crate::server::parts::child::Kind;
use crate::server::parts::pause::{Purpose, Scope};
use crate::server::parts::repl::State as ReplicaState;
pub(crate) use crate::server::parts::shutdown::How;
use crate::sys::signals::SIGINT;

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
    let asked = srv.shutdown.asked.take().is_some();
    let pending = asked || srv.shutdown.waiting.is_some();
    if pending {
        call_off(srv);
        log!(Notice, "Shutdown manually aborted.");
    }
    pending
}

/// Does what a signal asked for.
pub(crate) fn on_cron(srv: &mut Server) {
    if srv.debug.pause_cron {
        return;
    }
    if let Some((how, until_ms)) = srv.shutdown.waiting {
        if srv.clock.now_ms >= until_ms || replicas_have_all(srv) {
            // If it fails, the log says why, and the server goes on.
            if finish(srv, how).is_err() {
                call_off(srv);
            }
            srv.shutdown.asked = None;
        }
        return;
    }
    let Some(signal) = srv.shutdown.asked else { return };
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

/// What a shutdown has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    /// The loop ends.
    Done,
    /// Replicas are waited for; whoever asked for it waits as well.
    Waits,
}

/// Saves if it must and ends the loop, or waits for the replicas first. An error leaves the server
/// running.
///
/// However it ends, what a signal asked for is done with: signals that came during the last save
/// ask for no other.
pub(crate) fn shut_down(srv: &mut Server, how: How) -> Result<Begun, ()> {
    if srv.shutdown.done {
        return Ok(Begun::Done);
    }
    if srv.shutdown.waiting.is_some() {
        return Ok(Begun::Waits);
    }
    log!(Notice, "User requested shutdown...");
    if srv.identity.supervised == "systemd" {
        supervisor::notify("STOPPING=1\n");
    }
    let timeout_ms = i64::from(srv.cfg.process.shutdown_timeout_secs) * 1000;
    if !how.now && timeout_ms > 0 && !replicas_have_all(srv) {
        srv.shutdown.asked = None;
        srv.shutdown.waiting = Some((how, srv.clock.now_ms + timeout_ms));
        if srv.pause.scope().is_none() {
            srv.stream.add_for_link(&[b"REPLCONF", b"GETACK", b"*"]);
        }
        pause::start(srv, Purpose::Shutdown, Scope::Writes, i64::MAX);
        log!(Notice, "Waiting for replicas before shutting down.");
        return Ok(Begun::Waits);
    }
    let result = finish(srv, how);
    srv.shutdown.asked = None;
    result.map(|()| Begun::Done)
}

/// Whether no replica lacks anything.
fn replicas_have_all(srv: &Server) -> bool {
    let end = srv.stream.repl_end();
    srv.repl.replicas.iter().all(|replica| replica.acked == end)
}

/// A shutdown that waited does not come about. Those who asked for it are told.
fn call_off(srv: &mut Server) {
    srv.shutdown.waiting = None;
    blocking::end_shutdown_waits(srv);
    pause::end(srv, Purpose::Shutdown);
}

/// Says how far the replicas are at the end.
fn tell_of_replicas(srv: &Server) {
    let end = srv.stream.repl_end();
    let all = srv.repl.replicas.len();
    let mut behind = 0;
    for replica in srv.repl.replicas.iter().filter(|replica| replica.acked != end) {
        behind += 1;
        let online = matches!(replica.state, ReplicaState::Online);
        let lag = if online { (srv.clock.now_ms - replica.acked_ms) / 1000 } else { 0 };
        log!(
            Notice,
            "Lagging replica {} reported offset {} behind master, lag={lag}, state={}.",
            names::name(srv, replica.client),
            end.saturating_sub(replica.acked),
            replica.word()
        );
    }
    if all > 0 {
        log!(Notice, "{} of {all} replicas are in sync when shutting down.", all - behind);
    }
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
    tell_of_replicas(srv);
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
    // A Sentinel has no data: its snapshot would take the place of a server's.
    let wanted = !srv.cfg.snapshot.save_points.is_empty() && !how.nosave || how.save;
    let wanted = wanted && srv.sentinel.is_none();
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
    let who = if srv.sentinel.is_some() { "Sentinel" } else { "Redis" };
    log!(Warning, "{who} is now ready to exit, bye bye...");
    srv.shutdown.done = true;
    Ok(())
}
