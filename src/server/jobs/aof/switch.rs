//! Turning the append-only file on and off while the server runs.

use crate::config::choice::AppendFsync;
use crate::keyspace::env::Origin;
use crate::log;
use crate::server::jobs::aof::{files, flush, rewrite};
use crate::server::jobs::children;
use crate::server::parts::Server;
use crate::server::parts::aof::State;
use crate::server::parts::child::Kind;

/// `CONFIG SET appendonly yes`.
pub(crate) fn start(srv: &mut Server) -> Result<(), ()> {
    let kind = srv.child.as_ref().map(|child| child.kind);
    if kind.is_some_and(|kind| kind != Kind::Aof) {
        srv.aof.state = State::Waiting;
        srv.aof.scheduled = true;
        log!(
            Notice,
            "AOF was enabled but there is already another background operation. An AOF background \
             was scheduled to start when possible."
        );
    } else if srv.exec.unit.origin == Origin::Exec {
        srv.aof.state = State::Waiting;
        srv.aof.scheduled = true;
        log!(
            Notice,
            "AOF was enabled during a transaction. An AOF background was scheduled to start when \
             possible."
        );
    } else {
        if kind.is_some() {
            log!(
                Notice,
                "AOF was enabled but there is already an AOF rewriting in background. Stopping \
                 background AOF and starting a rewrite now."
            );
            children::kill(srv);
        }
        srv.aof.state = State::Waiting;
        if rewrite::background(srv).is_err() {
            srv.aof.state = State::Off;
            log!(
                Warning,
                "Redis needs to enable the AOF but can't trigger a background AOF rewrite \
                 operation. Check the above logs for more info about the error."
            );
            return Err(());
        }
    }
    srv.aof.last_sync = srv.clock.now_ms / 1000;
    if srv.syncer.error() != 0 {
        log!(Warning, "AOF reopen, just ignore the AOF fsync error in bio job");
        srv.syncer.forget_error();
    }
    if srv.aof.write_error != 0 {
        log!(Warning, "AOF reopen, just ignore the last error.");
    }
    (srv.aof.write_error, srv.aof.sync_error) = (0, 0);
    Ok(())
}

/// `CONFIG SET appendonly no`: the files stay as they are.
pub(crate) fn stop(srv: &mut Server) {
    flush::flush_and_sync(srv);
    if std::mem::take(&mut srv.aof.state) == State::Waiting {
        // What it gathered belongs to a base that there won't be. It goes before the child is
        // killed: if that has just ended, its base takes the place of all files of the manifest.
        files::delete_temporary_incr(srv);
    }
    if srv.child.as_ref().is_some_and(|child| child.kind == Kind::Aof) {
        children::kill(srv);
    }
    if let Some(current) = srv.aof.current.take() {
        srv.stream.leave(current.reader);
    }
    srv.aof.scheduled = false;
    (srv.aof.write_error, srv.aof.sync_error) = (0, 0);
    srv.rearm();
}

/// `appendfsync` has changed.
pub(crate) fn policy_changed(srv: &mut Server) {
    if srv.cfg.aof.fsync == AppendFsync::No && srv.syncer.error() != 0 {
        // Nobody asks any more; the system's own writing is what there is.
        srv.syncer.forget_error();
        srv.aof.sync_error = 0;
        srv.rearm();
    }
}
