//! The primary's side: who asks for the stream, and the snapshots that those get who can't go on
//! from where they are.
//!
//! ```text
//! PSYNC  ->  +CONTINUE, and the stream from where it was
//!        ->  waits for a snapshot to begin: others may come that share it
//!            start        +FULLRESYNC id offset; the replica's reader joins the stream there
//!            to a file    the child writes it, then the file is sent, then the stream
//!            to sockets   the child writes to them; the stream begins with the first REPLCONF ACK
//! ```
//! A replica that comes while a snapshot is written to a file shares it: it gets the stream from
//! the same place.

use std::fs::File;

use crate::log;
use crate::net::clients::ClientId;
use crate::net::session::{Close, ReplyMode};
use crate::repl::history::Refusal;
use crate::resp::errors::CmdError;
use crate::server::jobs::children;
use crate::server::jobs::repl::fanout::Fanout;
use crate::server::jobs::save;
use crate::server::parts::Server;
use crate::server::parts::child::{Child, Kind};
use crate::server::parts::identity::random_id;
use crate::server::parts::repl::{Replica, State};
use crate::server::parts::stream::REPLICAS;
use crate::sys::fork::Exit;

/// The name of a replica in the log: the address and port that it has told, or those of its
/// connection.
pub(crate) fn name(srv: &Server, id: ClientId) -> String {
    let told = srv.repl.replica(id).map(|replica| &replica.told);
    let told = told.or_else(|| srv.repl.told.get(&id));
    let Some(session) = srv.clients.session(id) else { return "a client that left".into() };
    let Some(told) = told else { return session.peer.clone() };
    let host = session.peer.rsplit_once(':').map_or("", |(host, _)| host);
    let host = match told.address.is_empty() {
        true => host.to_owned(),
        false => String::from_utf8_lossy(&told.address).into_owned(),
    };
    match told.port {
        0 => format!("client id #{}", session.serial),
        port => format!("{host}:{port}"),
    }
}

/// Where a replica listens: as it has told, or as its connection shows.
pub(crate) fn address(srv: &Server, replica: &Replica) -> (String, u16) {
    let peer = srv.clients.session(replica.client).map_or("", |session| session.peer.as_str());
    let host = peer.rsplit_once(':').map_or("", |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let host = match replica.told.address.is_empty() {
        true => host.to_owned(),
        false => String::from_utf8_lossy(&replica.told.address).into_owned(),
    };
    (host, replica.told.port)
}

/// A client asks for the stream: from an offset of a history, or, with SYNC, all of it. What it
/// hears goes past its reply, since it is a replica from now on.
pub(crate) fn attach(
    srv: &mut Server,
    id: ClientId,
    asked: Option<(&str, i64)>,
) -> Result<(), CmdError> {
    log!(Notice, "Replica {} asks for synchronization", name(srv, id));
    if let Some((history, from)) = asked {
        match srv.repl.history.judge(history, from, srv.repl.kept(&srv.stream)) {
            Ok(from) => return go_on(srv, id, from),
            Err(why) => {
                explain(srv, id, history, from, &why);
                if why != Refusal::Asked {
                    srv.repl.refused_syncs += 1;
                }
            }
        }
    }
    srv.repl.full_syncs += 1;
    if srv.repl.backlog.is_none() {
        // What was before is in no backlog: nobody can go on in it.
        srv.repl.history.id = random_id();
        srv.repl.history.before = None;
        srv.repl.keep_backlog(&mut srv.stream);
        log!(
            Notice,
            "Replication backlog created, my new replication IDs are '{}' and '{}'",
            srv.repl.history.id,
            srv.repl.history.second().0
        );
    }
    enlist(srv, id, State::WaitsForStart, asked.is_none());
    match srv.child.as_ref().map(|child| (child.kind, child.replicas.is_empty())) {
        Some((Kind::Rdb, true)) => share(srv, id),
        Some((Kind::Rdb, false)) => log!(
            Notice,
            "Current BGSAVE has socket target. Waiting for next BGSAVE for SYNC"
        ),
        Some(_) => log!(
            Notice,
            "No BGSAVE in progress, but another BG operation is active. BGSAVE for replication \
             delayed"
        ),
        None => {
            let can_eof = srv.repl.replica(id).is_some_and(|replica| replica.told.can.eof);
            if srv.cfg.repl.diskless_sync && can_eof && srv.cfg.repl.diskless_sync_delay_secs > 0 {
                log!(Notice, "Delay next BGSAVE for diskless SYNC");
            } else {
                srv.repl.start_due = true;
            }
        }
    }
    Ok(())
}

/// Says why a replica can't go on.
fn explain(srv: &Server, id: ClientId, history: &str, from: i64, why: &Refusal) {
    let name = name(srv, id);
    let ours = &srv.repl.history;
    match why {
        Refusal::Asked => log!(Notice, "Full resync requested by replica {name}"),
        Refusal::OtherHistory => log!(
            Notice,
            "Partial resynchronization not accepted: Replication ID mismatch (Replica asked for \
             '{history}', my replication IDs are '{}' and '{}')",
            ours.id,
            ours.second().0
        ),
        Refusal::TooFar(limit) => log!(
            Notice,
            "Partial resynchronization not accepted: Requested offset for second ID was {from}, but \
             I can reply up to {limit}"
        ),
        Refusal::NotKept => {
            log!(
                Notice,
                "Unable to partial resync with replica {name} for lack of backlog (Replica request \
                 was: {from})."
            );
            if from > srv.stream.repl_end() as i64 {
                log!(
                    Warning,
                    "Warning: replica {name} tried to PSYNC with an offset that is greater than the \
                     master replication offset."
                );
            }
        }
    }
}

/// Makes a replica of a client.
fn enlist(srv: &mut Server, id: ClientId, state: State, old: bool) {
    let told = srv.repl.told.remove(&id).unwrap_or_default();
    let now_ms = srv.clock.now_ms;
    if let Some(client) = srv.clients.get_mut(id) {
        client.session.replica = true;
        // What it asks for later has no reply.
        client.session.reply_mode = ReplyMode::Off;
        client.conn.set_nodelay(!srv.cfg.repl.disable_tcp_nodelay);
    }
    srv.repl.replicas.push(Replica {
        client: id,
        state,
        told,
        old,
        reader: None,
        acked: 0,
        acked_on_disk: 0,
        acked_ms: now_ms,
        asked_ms: now_ms,
    });
    settings_of_replicas(srv);
}

/// A replica goes on at an offset (from 1).
fn go_on(srv: &mut Server, id: ClientId, from: u64) -> Result<(), CmdError> {
    enlist(srv, id, State::Online, false);
    let at = srv.stream.position_of(from - 1);
    let reader = srv.stream.join_at(REPLICAS, at);
    let bytes = srv.stream.repl_end() + 1 - from;
    let history = srv.repl.history.id.clone();
    let Some(replica) = srv.repl.replica_mut(id) else { return Ok(()) };
    replica.reader = Some(reader);
    let text = match replica.told.can.psync2 {
        true => format!("+CONTINUE {history}\r\n"),
        false => "+CONTINUE\r\n".to_owned(),
    };
    srv.clients.push(id, text.as_bytes());
    // The stream follows in this turn, even if nothing new comes.
    srv.repl.fed_to = u64::MAX;
    srv.repl.partial_syncs += 1;
    log!(
        Notice,
        "Partial resynchronization request from {} accepted. Sending {bytes} bytes of backlog starting \
         from offset {from}.",
        name(srv, id)
    );
    srv.repl.refresh(&srv.cfg, srv.clock.now_ms);
    srv.rearm();
    Ok(())
}

/// A replica shares the snapshot that another one waits for.
fn share(srv: &mut Server, id: ClientId) {
    let Some(new) = srv.repl.replica(id) else { return };
    let (can, filter) = (new.told.can, new.told.filter);
    let other = srv.repl.replicas.iter().find(|replica| {
        matches!(replica.state, State::WaitsForEnd)
            && replica.told.filter == filter
            && (!replica.told.can.eof || can.eof)
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
fn start(srv: &mut Server, filter: crate::repl::peer::Filter, eof: bool) {
    let partly = filter != crate::repl::peer::Filter::default();
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
    let version = readable_version(srv, &ids);
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

/// The version of the format that all of them can read; None: any.
///
/// A replica that has told no version is older than 7.2, but for those that are tools.
fn readable_version(srv: &Server, ids: &[ClientId]) -> Option<u32> {
    let of = |id: &ClientId| {
        let replica = srv.repl.replica(*id)?;
        match replica.told.version {
            _ if replica.told.can.all_versions => None,
            None if replica.told.can.psync2 => Some(10),
            None => None,
            Some(version) if version < (7, 2) => Some(10),
            Some(version) if version < (7, 4) => Some(11),
            Some(_) => None,
        }
    };
    ids.iter().filter_map(of).min()
}

/// Has a child write to the replicas.
fn to_their_sockets(
    srv: &mut Server,
    ids: &[ClientId],
    filter: crate::repl::peer::Filter,
    version: Option<u32>,
) -> std::io::Result<()> {
    let mut sockets = Vec::new();
    let mut reached = Vec::new();
    for &id in ids {
        let Some(client) = srv.clients.get_mut(id) else { continue };
        // What it was told must be out before the child writes.
        let told = client.outbox.flush(&mut client.conn);
        let out = told.is_ok() && client.outbox.is_empty();
        match client.conn.duplicate() {
            Ok(socket) if out => {
                sockets.push(File::from(socket));
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
        use std::io::Write;
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

/// A replica says how much it has.
pub(crate) fn acknowledged(srv: &mut Server, id: ClientId, offset: u64, on_disk: Option<u64>) {
    let now_ms = srv.clock.now_ms;
    let Some(replica) = srv.repl.replica_mut(id) else { return };
    replica.acked = replica.acked.max(offset);
    if let Some(on_disk) = on_disk {
        replica.acked_on_disk = replica.acked_on_disk.max(on_disk);
    }
    replica.acked_ms = now_ms;
    if matches!(replica.state, State::WaitsForAck) {
        replica.state = State::Online;
        srv.repl.fed_to = u64::MAX;
        log!(Notice, "Synchronization with replica {} succeeded", name(srv, id));
        srv.repl.refresh(&srv.cfg, now_ms);
        srv.rearm();
    }
}

/// A replica has sent something.
pub(crate) fn heard(srv: &mut Server, id: ClientId) {
    let now_ms = srv.clock.now_ms;
    if let Some(replica) = srv.repl.replica_mut(id) {
        replica.acked_ms = now_ms;
    }
}

/// A replica's connection has ended: nobody waits for it any more.
pub(crate) fn forget(srv: &mut Server, id: ClientId) {
    srv.repl.told.remove(&id);
    let Some(at) = srv.repl.replicas.iter().position(|replica| replica.client == id) else {
        return;
    };
    let name = name(srv, id);
    let gone = srv.repl.replicas.swap_remove(at);
    if let Some(reader) = gone.reader {
        srv.stream.leave(reader);
    }
    log!(Notice, "Connection with replica {name} lost.");
    if srv.repl.replicas.is_empty() {
        srv.repl.alone_since_ms = srv.clock.now_ms;
    }
    settings_of_replicas(srv);
    let Some(child) = srv.child.as_ref().filter(|child| child.kind == Kind::Rdb) else { return };
    if child.replicas.contains(&id) {
        let waits = |replica: &Replica| child.replicas.contains(&replica.client);
        if !srv.repl.replicas.iter().any(waits) {
            log!(
                Notice,
                "Diskless rdb transfer, last replica dropped, killing fork child."
            );
            children::kill(srv);
        }
    } else if matches!(gone.state, State::WaitsForEnd)
        && child.replicas.is_empty()
        && srv.cfg.snapshot.save_points.is_empty()
        && !srv.repl.replicas.iter().any(|r| matches!(r.state, State::WaitsForEnd))
    {
        // Nobody needs the file.
        children::kill(srv);
    }
}

/// Ends the connections of all replicas: they come back, and learn what is new.
pub(crate) fn drop_replicas(srv: &mut Server) {
    let ids: Vec<ClientId> = srv.repl.replicas.iter().map(|replica| replica.client).collect();
    for id in ids {
        srv.clients.close(id, Close::Now);
        forget(srv, id);
    }
}

/// What depends on who is there.
fn settings_of_replicas(srv: &mut Server) {
    srv.repl.refresh(&srv.cfg, srv.clock.now_ms);
    srv.rearm();
}

/// Adds a command for replicas alone.
pub(crate) fn tell_replicas(srv: &mut Server, words: &[&[u8]]) {
    srv.stream.add(0, words.iter().copied(), REPLICAS);
    srv.stream.close();
}

/// At the end of a turn: replicas are asked how far they are, if a client began to wait for that,
/// and a snapshot begins for one that need not wait for others.
pub(crate) fn end_of_turn(srv: &mut Server) {
    if std::mem::take(&mut srv.repl.ask_acks) && !srv.repl.is_replica() {
        tell_replicas(srv, &[b"REPLCONF", b"GETACK", b"*"]);
    }
    if srv.repl.start_due {
        start_if_due(srv);
    }
}

/// Once a second.
pub(crate) fn on_second(srv: &mut Server, second: i64) {
    let now_ms = srv.clock.now_ms;
    let repl = &srv.cfg.repl;
    let (period, timeout) = (i64::from(repl.ping_period_secs), i64::from(repl.timeout_secs));
    if second % period == 0 && !srv.repl.replicas.is_empty() && !srv.repl.is_replica() {
        tell_replicas(srv, &[b"PING"]);
    }
    let to_sockets = srv.child.as_ref().is_some_and(|child| !child.replicas.is_empty());
    let mut late = Vec::new();
    for replica in &srv.repl.replicas {
        let alive = match replica.state {
            State::WaitsForStart => true,
            State::WaitsForEnd => !to_sockets,
            _ => false,
        };
        if alive {
            // A sign of life, before the snapshot: an empty line means nothing.
            srv.clients.push(replica.client, b"\n");
        }
        let silent = (now_ms - replica.acked_ms) / 1000 > timeout;
        if matches!(replica.state, State::Online) && !replica.old && silent {
            late.push(replica.client);
        }
    }
    for id in late {
        log!(Warning, "Disconnecting timedout replica (streaming sync): {}", name(srv, id));
        srv.clients.close(id, Close::Now);
    }
    let ttl = srv.cfg.repl.backlog_ttl_secs as i64;
    let alone = srv.repl.replicas.is_empty() && !srv.repl.is_replica();
    if alone && ttl > 0 && srv.repl.backlog.is_some() {
        let since = (now_ms - srv.repl.alone_since_ms) / 1000;
        if since > ttl {
            srv.repl.history.id = random_id();
            srv.repl.history.before = None;
            srv.repl.free_backlog(&mut srv.stream);
            log!(
                Notice,
                "Replication backlog freed after {ttl} seconds without connected replicas."
            );
        }
    }
    let few = srv.repl.few;
    srv.repl.refresh(&srv.cfg, now_ms);
    if few != srv.repl.few {
        srv.rearm();
    }
}
