//! The primary's side: who asks for the stream, how far the replicas are, and what time demands.
//!
//! ```text
//! PSYNC  ->  +CONTINUE, and the stream from where it was
//!        ->  a snapshot first (`snapshot`), and the stream from where that began
//! ```

use crate::log;
use crate::net::clients::ClientId;
use crate::net::session::{Close, ReplyMode};
use crate::repl::history::{History, Refusal};
use crate::server::jobs::children;
use crate::server::jobs::repl::names::name;
use crate::server::jobs::repl::snapshot;
use crate::server::parts::Server;
use crate::server::parts::child::Kind;
use crate::server::parts::identity::random_id;
use crate::server::parts::repl::{Replica, State};
use crate::server::parts::stream::REPLICAS;

/// A client asks for the stream: from an offset of a history, or, with SYNC, all of it. What it
/// hears goes past its reply, since it is a replica from now on.
pub(crate) fn attach(srv: &mut Server, id: ClientId, asked: Option<(&str, i64)>) {
    log!(Notice, "Replica {} asks for synchronization", name(srv, id));
    trim_backlog(srv);
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
        srv.repl.history = History::new(random_id());
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
        Some((Kind::Rdb, true)) => snapshot::share(srv, id),
        Some((Kind::Rdb, false)) => {
            log!(Notice, "Current BGSAVE has socket target. Waiting for next BGSAVE for SYNC")
        }
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

/// Lets go what the backlog need not keep.
pub(crate) fn trim_backlog(srv: &mut Server) {
    if let Some(reader) = srv.repl.backlog {
        srv.stream.keep_back(reader, srv.cfg.repl.backlog_size);
    }
}

/// Makes a replica of a client.
fn enlist(srv: &mut Server, id: ClientId, state: State, old: bool) {
    let told = srv.repl.told.remove(&id).unwrap_or_default();
    let now_ms = srv.clock.now_ms;
    let mut wants_replies = true;
    if let Some(client) = srv.clients.get_mut(id) {
        wants_replies = client.session.reply_mode != ReplyMode::Off;
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
        stuck_since_ms: None,
        relay: None,
        catches_up: true,
        wants_replies,
    });
    srv.roles_changed();
}

/// A replica goes on at an offset (from 1).
fn go_on(srv: &mut Server, id: ClientId, from: u64) {
    enlist(srv, id, State::Online, false);
    let at = srv.stream.position_of(from - 1);
    let reader = srv.stream.join_at(REPLICAS, at);
    let bytes = srv.stream.repl_end() + 1 - from;
    let history = srv.repl.history.id.clone();
    let Some(replica) = srv.repl.replica_mut(id) else { return };
    replica.reader = Some(reader);
    replica.catches_up = false;
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
    srv.roles_changed();
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
        srv.roles_changed();
    }
}

/// A replica has sent something.
pub(crate) fn heard(srv: &mut Server, id: ClientId) {
    let now_ms = srv.clock.now_ms;
    let Some(replica) = srv.repl.replica_mut(id) else { return };
    replica.acked_ms = now_ms;
    if replica.relay.is_some() {
        // It may have been the child that has written.
        srv.clients.schedule_write(id);
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
    srv.roles_changed();
    let Some(child) = srv.child.as_ref().filter(|child| child.kind == Kind::Rdb) else { return };
    if child.replicas.contains(&id) {
        let waits = |replica: &Replica| child.replicas.contains(&replica.client);
        if !srv.repl.replicas.iter().any(waits) {
            log!(Notice, "Diskless rdb transfer, last replica dropped, killing fork child.");
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

/// At the end of a turn: replicas are asked how far they are, if a client began to wait for that,
/// and a snapshot begins for one that need not wait for others.
pub(crate) fn end_of_turn(srv: &mut Server) {
    // While writes are held back the stream does not move.
    let moves = !srv.repl.is_replica() && srv.pause.scope().is_none();
    if std::mem::take(&mut srv.repl.ask_acks) && moves {
        srv.stream.add_for_link(&[b"REPLCONF", b"GETACK", b"*"]);
    }
    if srv.repl.start_due {
        snapshot::start_if_due(srv);
    }
}

/// Once a second.
pub(crate) fn on_second(srv: &mut Server, second: i64) {
    let now_ms = srv.clock.now_ms;
    let repl = &srv.cfg.repl;
    let (period, timeout) = (i64::from(repl.ping_period_secs), i64::from(repl.timeout_secs));
    let leads = !srv.repl.is_replica() && srv.repl.failover.is_none();
    if second % period == 0 && !srv.repl.replicas.is_empty() && leads {
        srv.stream.add_for_link(&[b"PING"]);
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
    let stuck = |replica: &Replica| {
        replica.stuck_since_ms.is_some_and(|since| now_ms - since > timeout * 1000)
    };
    let stuck: Vec<ClientId> =
        srv.repl.replicas.iter().filter(|replica| stuck(replica)).map(|r| r.client).collect();
    for id in stuck {
        log!(Warning, "Disconnecting timedout replica (full sync): {}", name(srv, id));
        srv.clients.close(id, Close::Now);
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
            srv.repl.history = History::new(random_id());
            srv.repl.free_backlog(&mut srv.stream);
            log!(
                Notice,
                "Replication backlog freed after {ttl} seconds without connected replicas."
            );
        }
    }
    srv.roles_changed();
}
