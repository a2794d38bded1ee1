//! What becomes of a forked child: the server reads its reports, and finishes its job when it ends.
//!
//! The child's end closes its pipe, which wakes the reactor (`on_report`). The cron asks as well
//! (`check`). Whichever comes first takes `Server::child`, so the job is finished once. Then tables
//! may grow and shrink as usual, since no child shares their pages any more.

use std::io::Read;
use std::os::fd::AsRawFd;

use crate::ds::dict::{self, Resize};
use crate::log;
use crate::persist::rdb::file::Step;
use crate::server::jobs::aof::rewrite;
use crate::server::jobs::child::{FAILED, RECORD, SOCKET};
use crate::server::jobs::repl::snapshot;
use crate::server::jobs::save;
use crate::server::parts::Server;
use crate::server::parts::child::{Child, Kind};
use crate::server::parts::{aof, rdb};
use crate::sys::fork::{self, Exit};

/// A running save is heard of in the log this often.
const TELL_EVERY_MS: i64 = 5_000;

/// The pipe has something to say, or has ended.
pub(crate) fn on_report(srv: &mut Server) {
    let Some(mut child) = srv.child.as_mut() else { return };
    let mut buf = [0; RECORD * 64];
    loop {
        match child.pipe.read(&mut buf) {
            Ok(0) => {
                fork::wait_for_exit(child.pid);
                return check(srv);
            }
            Ok(n) => {
                for record in buf[..n].chunks_exact(RECORD) {
                    note(child, record, srv.clock.now_ms);
                }
                tell_progress(child, srv.clock.now_ms);
                snapshot::on_reached(srv);
                let Some(again) = &mut srv.child else { return };
                child = again;
            }
            Err(_) => return,
        }
    }
}

/// Takes over what a child has reported.
fn note(child: &mut Child, record: &[u8], now_ms: i64) {
    let at =
        |i: usize| u64::from_le_bytes(record[i * 8..i * 8 + 8].try_into().expect("eight bytes"));
    if at(0) == FAILED {
        let step = Step::ALL.get(at(1) as usize).copied().unwrap_or(Step::Write);
        child.failure = Some((step, at(2) as i32));
        return;
    }
    if at(0) == SOCKET {
        return child.reached.push((at(1) as usize, at(2) as i32));
    }
    let p = &mut child.progress;
    (p.keys_done, p.keys_total, p.cow_bytes) = (at(0), at(1), at(2));
    p.cow_peak = p.cow_peak.max(p.cow_bytes);
    p.cow_at_ms = now_ms;
}

/// A save that takes some seconds says now and then how far it is.
fn tell_progress(child: &mut Child, now_ms: i64) {
    let p = &mut child.progress;
    if now_ms - p.told_ms.max(child.started_ms) < TELL_EVERY_MS {
        return;
    }
    p.told_ms = now_ms;
    let (what, name) = match child.kind {
        Kind::Rdb => ("Background saving", rdb::temporary_name(child.pid)),
        Kind::Aof => ("Background AOF rewrite", aof::temporary_base_name(child.pid, false)),
    };
    // Between two of its steps the file may have another name; the next line tells more.
    let bytes = std::fs::metadata(name).map_or(0, |m| m.len());
    let percent = p.keys_done * 100 / p.keys_total.max(1);
    log!(
        Notice,
        "{what}: {} of {} keys ({percent}%), {} MB written, {} seconds",
        p.keys_done,
        p.keys_total,
        bytes >> 20,
        (now_ms - child.started_ms) / 1000
    );
}

/// Asks whether the child has ended, and cleans up after it.
pub(crate) fn check(srv: &mut Server) {
    let Some(child) = &srv.child else { return };
    let exit = match fork::poll_child(child.pid) {
        Ok(None) => return,
        Ok(Some(exit)) => exit,
        Err(e) => {
            log!(Warning, "Waiting for child {}: {e}", child.pid);
            Exit::Code(1)
        }
    };
    let Some(child) = srv.child.take() else { return };
    srv.net.unwatch_child(child.pipe.as_raw_fd());
    dict::set_resize(Resize::Allow);
    match child.kind {
        Kind::Rdb => {
            save::finished(srv, &child, exit);
            snapshot::on_snapshot_end(srv, &child, exit);
        }
        Kind::Aof => rewrite::finished(srv, &child, exit),
    }
}

/// Ends the child, if there is one, and waits until it is gone.
pub(crate) fn kill(srv: &mut Server) {
    let Some(child) = &srv.child else { return };
    if child.kind == Kind::Aof {
        log!(Notice, "Killing running AOF rewrite child: {}", child.pid);
    }
    fork::kill(child.pid, fork::GIVE_UP);
    fork::wait_for_exit(child.pid);
    check(srv);
}
