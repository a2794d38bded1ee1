//! Snapshots for replicas.
//!
//! ```text
//! waits for a snapshot to begin: others may come that share it
//! start        +FULLRESYNC id offset; the replica's reader joins the stream there
//! to a file    the child writes it, then the file is sent, then the stream
//! to sockets   the child writes to them; the stream begins with the first REPLCONF ACK
//! ```
//! A replica that comes while a snapshot is written to a file shares it: it gets the stream from
//! the same place.

use std::fs::File;
use std::io::Write;

use crate::log;
use crate::net::clients::ClientId;
use crate::net::session::Close;
use crate::repl::peer::{Filter, Told};
use crate::server::jobs::repl::fanout::{Fanout, GOES_ON, STUCK_NOW};
use crate::server::jobs::repl::names::name;
use crate::server::jobs::save;
use crate::server::parts::Server;
use crate::server::parts::child::Child;
use crate::server::parts::identity::random_id;
use crate::server::parts::net::Source;
use crate::server::parts::repl::{Relay, Replica, State};
use crate::server::parts::stream::REPLICAS;
use crate::sys::fork::Exit;

/// A replica shares the snapshot that another one waits for.
pub(super) fn share(srv: &mut Server, id: ClientId) {
    let Some(new) = srv.repl.replica(id) else { return };
    let (can, filter, reads) = (new.told.can, new.told.filter, readable(&new.told));
    let other = srv.repl.replicas.iter().find(|replica| {
        matches!(replica.state, State::WaitsForEnd)
            && replica.told.filter == filter
            && (!replica.told.can.eof || can.eof)
            && readable(&replica.told) == reads
    });
    let Some(at) = other.and_then(|other| other.reader).map(|r| srv.stream.position(r)) else {
        return log!(
            Notice,
            "Can't attach the replica to the current BGSAVE. Waiting for next BGSAVE for SYNC"
        );
    };
    tell_of_snapshot(srv, id, at);
    log!(Notice, "Waiting for end of BGSAVE for SYNC");
}

/// A snapshot of what the stream has made up to `at` is for this replica.
fn tell_of_snapshot(srv: &mut Server, id: ClientId, at: u64) {
    let text = format!("+FULLRESYNC {} {}\r\n", srv.repl.history.id, srv.stream.repl_at(at));
    let reader = srv.stream.join_at(REPLICAS, at);
    let Some(replica) = srv.repl.replica_mut(id) else { return srv.stream.leave(reader) };
    replica.state = State::WaitsForEnd;
    if let Some(old) = replica.reader.replace(reader) {
        srv.stream.leave(old);
    }
    if !replica.old {
        srv.clients.push(id, text.as_bytes());
    }
}

/// Starts a snapshot for those who wait for one, if it is time. Called by the cron, and at the end
/// of the turn in which one has come that need not wait.
pub(crate) fn start_if_due(srv: &mut Server) {
    let due = std::mem::take(&mut srv.repl.start_due);
    if srv.child.is_some() || srv.loading.is_some() || !srv.repl.is_linked() {
        return;
    }
    let now_ms = srv.clock.now_ms;
    let waits = |replica: &&Replica| matches!(replica.state, State::WaitsForStart);
    let mut waiting = srv.repl.replicas.iter().filter(waits).peekable();
    let Some(first) = waiting.peek() else { return };
    let filter = first.told.filter;
    let (mut count, mut longest, mut eof) = (0, 0, true);
    for replica in waiting.filter(|replica| replica.told.filter == filter) {
        count += 1;
        longest = longest.max((now_ms - replica.asked_ms) / 1000);
        eof &= replica.told.can.eof;
    }
    let repl = &srv.cfg.repl;
    let most = repl.diskless_sync_max_replicas;
    let enough = most > 0 && count >= most;
    let waited = longest >= i64::from(repl.diskless_sync_delay_secs);
    if due || !repl.diskless_sync || enough || waited {
        start(srv, filter, eof);
    }
}

/// Starts a snapshot for all who wait for one of this kind.
fn start(srv: &mut Server, filter: Filter, eof: bool) {
    let partly = filter != Filter::default();
    let to_sockets = (srv.cfg.repl.diskless_sync || partly) && eof;
    let target = if to_sockets { "replicas sockets" } else { "disk" };
    log!(Notice, "Starting BGSAVE for SYNC with target: {target}");
    let waits = |replica: &&Replica| {
        matches!(replica.state, State::WaitsForStart) && replica.told.filter == filter
    };
    let ids: Vec<ClientId> = srv.repl.replicas.iter().filter(waits).map(|r| r.client).collect();
    // The stream names its database anew, for those who begin there.
    srv.stream.select_anew();
    let at = srv.stream.end();
    ids.iter().for_each(|&id| tell_of_snapshot(srv, id, at));
    let version = version_for(srv, &ids);
    let started = match to_sockets {
        true => to_their_sockets(srv, &ids, filter, version),
        false => save::background_for(srv, version),
    };
    if started.is_err() {
        log!(Warning, "BGSAVE for replication failed");
        for id in ids {
            srv.clients.push(id, b"-ERR BGSAVE failed, replication can't continue\r\n");
            srv.clients.close(id, Close::AfterReply);
        }
    }
}

/// The latest version of the format that a replica can read, as far as that is known; None: any.
///
/// Servers tell their version since Redis 7.4. Of those that don't, 7.0 reads 10 and no more; tools
/// ask without `psync2`.
fn readable(told: &Told) -> Option<u32> {
    let silent = told.version.is_none() && told.can.psync2;
    (silent && !told.can.all_versions).then_some(10)
}

/// The version of the format for all of them; None: the lowest that holds the data. Who sets
/// `rdb-target-version` knows the replicas.
fn version_for(srv: &Server, ids: &[ClientId]) -> Option<u32> {
    if save::target_version(&srv.cfg) != 0 {
        return None;
    }
    let told = ids.iter().filter_map(|id| srv.repl.replica(*id));
    let version = told.filter_map(|replica| readable(&replica.told)).min();
    if version.is_some() && srv.ks.stores().any(|db| db.timed_hashes() > 0) {
        log!(
            Warning,
            "A replica that does not tell its version gets a snapshot in version 10, in which fields of \
             hashes never expire. Set rdb-target-version to 12 if all replicas can read that."
        );
    }
    version
}

/// Where a child writes for a replica whose connection is encrypted: what it says comes back here,
/// since only one process can go on with the keys.
fn relay(srv: &mut Server, id: ClientId) -> std::io::Result<File> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    theirs.set_nonblocking(true)?;
    let mut from = mio::net::UnixStream::from_std(ours);
    // Its events are those of the client.
    let (token, interest) = (Source::Client(id).token(), mio::Interest::READABLE);
    srv.net.registry().register(&mut from, token, interest)?;
    if let Some(replica) = srv.repl.replica_mut(id) {
        replica.relay = Some(Relay { from, piece: Vec::new(), sent: 0 });
    }
    Ok(File::from(std::os::fd::OwnedFd::from(theirs)))
}

/// Has a child write to the replicas.
fn to_their_sockets(
    srv: &mut Server,
    ids: &[ClientId],
    filter: Filter,
    version: Option<u32>,
) -> std::io::Result<()> {
    let mut sockets = Vec::new();
    let mut reached = Vec::new();
    for &id in ids {
        let Some(client) = srv.clients.get_mut(id) else { continue };
        // What it was told must be out before the child writes.
        let told = client.outbox.flush(&mut client.conn);
        let out = told.is_ok() && client.outbox.is_empty();
        let socket = match client.conn.as_tls() {
            None => client.conn.duplicate().map(File::from),
            Some(_) => relay(srv, id),
        };
        match socket {
            Ok(socket) if out => {
                sockets.push(socket);
                reached.push(id);
            }
            _ => srv.clients.close(id, Close::Now),
        }
    }
    let mark = random_id();
    let timeout = std::time::Duration::from_secs(u64::from(srv.cfg.repl.timeout_secs));
    let around = (format!("$EOF:{mark}\r\n").into_bytes(), mark.into_bytes());
    save::background_to(srv, version, filter, reached, move |report, write| {
        let mut out = Fanout::new(sockets, timeout, report);
        out.write_all(&around.0)?;
        write(&mut out)?;
        out.write_all(&around.1)?;
        out.finish();
        Ok(())
    })
}

/// The child has told of replicas that have all, or were given up.
pub(crate) fn on_reached(srv: &mut Server) {
    let Some(child) = &mut srv.child else { return };
    let reached = std::mem::take(&mut child.reached);
    let ids: Vec<(ClientId, i32)> = reached
        .into_iter()
        .filter_map(|(index, error)| Some((*child.replicas.get(index)?, error)))
        .collect();
    for (id, error) in ids {
        settle_reached(srv, id, error);
    }
}

fn settle_reached(srv: &mut Server, id: ClientId, error: i32) {
    let name = name(srv, id);
    let now_ms = srv.clock.now_ms;
    if matches!(error, STUCK_NOW | GOES_ON) {
        if let Some(replica) = srv.repl.replica_mut(id) {
            replica.stuck_since_ms = (error == STUCK_NOW).then_some(now_ms);
        }
        return;
    }
    if error == 0 {
        let Some(replica) = srv.repl.replica_mut(id) else { return };
        replica.state = State::WaitsForAck;
        replica.acked_ms = now_ms;
        return log!(
            Notice,
            "Streamed replica with replica {name} succeeded (socket). Waiting for REPLCONF ACK from \
             replica to enable streaming"
        );
    }
    if srv.clients.session(id).is_none_or(|session| session.close != Close::No) {
        return;
    }
    if error == libc::ETIMEDOUT {
        log!(Warning, "Disconnecting timedout replica (full sync): {name}");
    } else {
        let why = crate::util::path::os_error(&std::io::Error::from_raw_os_error(error));
        log!(Warning, "Diskless rdb transfer, write error sending DB to replica: {why}");
    }
    srv.clients.close(id, Close::Now);
}

/// The child that wrote a snapshot has ended.
pub(crate) fn on_snapshot_end(srv: &mut Server, child: &Child, exit: Exit) {
    let ok = exit == Exit::Code(0);
    if !child.replicas.is_empty() {
        for &(index, error) in &child.reached {
            if let Some(&id) = child.replicas.get(index) {
                settle_reached(srv, id, error);
            }
        }
        let up = |id: &&ClientId| {
            let session = srv.clients.session(**id);
            session.is_some_and(|session| session.close == Close::No)
        };
        let left = child.replicas.iter().filter(up).count();
        log!(Notice, "Diskless rdb transfer, done reading from pipe, {left} replicas still up.");
    }
    let waits = |replica: &&Replica| matches!(replica.state, State::WaitsForEnd);
    let ids: Vec<ClientId> = srv.repl.replicas.iter().filter(waits).map(|r| r.client).collect();
    for id in ids {
        // One that came while the child wrote to others' sockets waits for its own start.
        let name = name(srv, id);
        if !ok || !child.replicas.is_empty() {
            log!(Warning, "SYNC failed. BGSAVE child returned an error");
            srv.clients.close(id, Close::Now);
            continue;
        }
        let opened = File::open(save::path(&srv.cfg)).and_then(|f| Ok((f.metadata()?.len(), f)));
        match opened {
            Ok((left, file)) => {
                srv.clients.push(id, format!("${left}\r\n").as_bytes());
                if let Some(replica) = srv.repl.replica_mut(id) {
                    replica.state = State::Sending { file, left, piece: Vec::new(), sent: 0 };
                }
            }
            Err(e) => {
                log!(Warning, "SYNC failed. Can't open/stat DB after BGSAVE for {name}: {e}");
                srv.clients.close(id, Close::Now);
            }
        }
    }
}
