//! Clients that wait: for keys (BLPOP and its like), for others to have what they wrote (WAIT), or
//! for the end of a pause.
//!
//! A command that can't be served replies `Flow::Block`; its client is *parked*: it keeps the
//! command and is listed under each key that it waits for. A write that may serve it reports the
//! key as ready (`Effects::ready`). When the writing unit is over, `serve_ready` runs the parked
//! commands again, first come first served. Running them again, rather than a second way to serve
//! each type, is why chains of BLMOVE need nothing special.
//!
//! What a woken client has sent meanwhile runs before the turn ends (`Net::wake`).
//!
//! Invariant: a parked client is in `Blocked` under each of its keys, once, and has a timer iff its
//! time-out is finite.

use crate::commands::Flow;
use crate::keyspace::store::Key;
use crate::keyspace::waiting::{Wait, Waiting};
use crate::net::clients::{Client, ClientId};
use crate::net::session::{Close, Parked, Queued, ReplyMode};
use crate::resp::argv::Argv;
use crate::resp::errors::CmdError;
use crate::resp::reply::Reply;
use crate::server::engine::{account, gate, invalidate, unit};
use crate::server::parts::exec::Unit;
use crate::server::parts::net::Timer;
use crate::server::parts::{Row, Server};

/// What became of a client's command, for the loop over its pipeline.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(crate) enum Outcome {
    Done,
    /// The client is parked: its later commands wait.
    Parked,
    /// The command itself waits for the end of a pause.
    Postponed,
    /// The connection ends: its later commands are not run.
    Closing,
}

/// Runs an admitted command; parks its client if it has to wait.
pub(crate) fn run(
    srv: &mut Server,
    id: ClientId,
    row: &'static Row,
    argv: Argv<'_>,
    memo: Option<Key<'_>>,
    reply: &mut Reply,
) -> Outcome {
    match unit::command(srv, id, row, argv, memo, reply) {
        Ok(Flow::Block(wait)) => {
            park(srv, id, row, argv, *wait);
            Outcome::Parked
        }
        _ => Outcome::Done,
    }
}

/// Makes a client wait for the end of the pause.
pub(crate) fn postpone(srv: &mut Server, id: ClientId) {
    if let Some(session) = srv.clients.session_mut(id) {
        session.postponed = true;
        srv.pause.waiting.push(id);
    }
}

fn park(srv: &mut Server, id: ClientId, row: &'static Row, argv: Argv<'_>, wait: Wait) {
    let Wait { waiting, until_ms, rewritten, again_ms } = wait;
    srv.blocked.park(id, &waiting, until_ms.is_some());
    srv.rearm();
    let at = [until_ms, again_ms].into_iter().flatten().min();
    let timer = at.map(|at| srv.net.set_timer(at, Timer::Unblock(id)));
    let argv = rewritten.unwrap_or_else(|| argv.owned());
    let command = Queued { command: row.id, argv };
    let since_ms = srv.clock.now_ms;
    let parked = Parked { command, waiting, since_ms, timer, until_ms, again_ms };
    if let Some(session) = srv.clients.session_mut(id) {
        session.parked = Some(Box::new(parked));
    }
}

/// Takes a client off its keys and cancels its time-out; its command is handed back.
pub(crate) fn unpark(srv: &mut Server, id: ClientId) -> Option<Box<Parked>> {
    let parked = srv.clients.session_mut(id)?.parked.take()?;
    srv.blocked.unpark(id, &parked.waiting, parked.until_ms.is_some());
    if let Some(timer) = parked.timer {
        srv.net.cancel_timer(timer);
    }
    srv.rearm();
    Some(parked)
}

/// Accounts for a parked command that ends without having run again: its time was up, or it was
/// told to give up.
pub(crate) fn account_unblocked(srv: &mut Server, id: ClientId, parked: &Parked, failed: bool) {
    if let Some(session) = srv.clients.session_mut(id) {
        invalidate::end_of_caching(session, None);
    }
    account::finish_parked(srv, id, &parked.command, failed);
}

/// Wakes clients parked on ready keys, by running their commands again.
///
/// Not recursive: a command woken here may make further keys ready; they join the end of the queue,
/// so clients are served in the order in which keys became ready, then in the order of parking.
/// `current` is the client whose command made the keys ready: its outbox is lent, its reply is
/// here.
pub(crate) fn serve_ready(srv: &mut Server, mut current: Option<(ClientId, &mut Reply)>) {
    while let Some(key) = srv.blocked.next_ready() {
        let mut serving = srv.blocked.serve(key);
        while let Some((id, place, line)) = srv.blocked.next(&mut serving) {
            let kind = serving.kind(line);
            let (db, key) = serving.key();
            let now = srv.ks.type_of(*db, key, srv.clock.now_ms);
            // Who waits for another type keeps its place, and so do those for whom those before
            // them have left nothing.
            let is_for = kind.wants.wakes(now)
                && kind
                    .reads
                    .as_ref()
                    .is_none_or(|reads| srv.ks.has_news(*db, key, reads, srv.clock.now_ms));
            if !is_for {
                continue;
            }
            serving.go_on(place, line);
            // One that is about to leave takes nothing with it.
            if srv.clients.session(id).is_none_or(|s| s.close == Close::Now) {
                continue;
            }
            let Some(parked) = unpark(srv, id) else { continue };
            match &mut current {
                Some((current, reply)) if *current == id => rerun(srv, id, &parked, reply),
                _ => {
                    with_reply(srv, id, |srv, reply| rerun(srv, id, &parked, reply));
                    srv.net.wake(id);
                }
            }
        }
    }
}

/// A parked client's timer has fired. It is served if something has been pending for long enough;
/// false if it has to give up.
pub(crate) fn look_again(srv: &mut Server, id: ClientId) -> bool {
    let now = srv.clock.now_ms;
    let Some(parked) = srv.clients.session(id).and_then(|s| s.parked.as_ref()) else { return true };
    if matches!(parked.waiting, Waiting::Login) {
        let Some(parked) = unpark(srv, id) else { return true };
        with_reply(srv, id, |srv, reply| rerun(srv, id, &parked, reply));
        srv.net.wake(id);
        return true;
    }
    let Waiting::Keys { db, keys, reads: Some(reads), .. } = &parked.waiting else { return false };
    if parked.again_ms.is_none() || parked.until_ms.is_some_and(|at| at <= now) {
        return false;
    }
    if keys.iter().any(|key| srv.ks.has_news(*db, key, reads, now)) {
        let Some(parked) = unpark(srv, id) else { return true };
        with_reply(srv, id, |srv, reply| rerun(srv, id, &parked, reply));
        srv.net.wake(id);
        return true;
    }
    let again = keys.iter().filter_map(|key| srv.ks.news_ms(*db, key, reads, now)).min();
    let at = [again, parked.until_ms].into_iter().flatten().min();
    let timer = at.map(|at| srv.net.set_timer(at, Timer::Unblock(id)));
    if let Some(parked) = srv.clients.session_mut(id).and_then(|s| s.parked.as_mut()) {
        (parked.timer, parked.again_ms) = (timer, again);
    }
    true
}

/// Wakes clients parked on keys that nobody's command made ready: they expired in the background,
/// say.
pub(crate) fn serve_unclaimed(srv: &mut Server) {
    if srv.blocked.has_ready() {
        serve_ready(srv, None);
    }
}

fn rerun(srv: &mut Server, id: ClientId, parked: &Parked, reply: &mut Reply) {
    let row = srv.table.by_id(parked.command.command);
    let argv: Vec<&[u8]> = parked.command.argv.iter().map(Vec::as_slice).collect();
    let argv = Argv::new(&argv);
    let again = Unit { again: true, ..Unit::of(id) };
    srv.exec.noted.expect(argv.wire_bytes());
    let outcome = unit::within(srv, again, |srv| admit_and_run(srv, id, row, argv, reply));
    if outcome != Outcome::Parked {
        if let Some(session) = srv.clients.session_mut(id) {
            invalidate::end_of_caching(session, Some(row));
        }
        return;
    }
    // Parked again: the wait began when the client first asked, and ends when it said it would.
    let again_ms = srv.clients.session(id).and_then(|s| s.parked.as_ref()?.again_ms);
    let at = [parked.until_ms, again_ms].into_iter().flatten().min();
    let timer = at.map(|at| srv.net.set_timer(at, Timer::Unblock(id)));
    let Some(again) = srv.clients.session_mut(id).and_then(|s| s.parked.as_mut()) else { return };
    (again.since_ms, again.until_ms) = (parked.since_ms, parked.until_ms);
    if let Some(new) = std::mem::replace(&mut again.timer, timer) {
        srv.net.cancel_timer(new);
    }
}

fn admit_and_run(
    srv: &mut Server,
    id: ClientId,
    row: &'static Row,
    argv: Argv<'_>,
    reply: &mut Reply,
) -> Outcome {
    let admitted = gate::admit(srv, id, row, argv);
    if srv.clients.has_waiting_pushes() {
        srv.deliver_pushes(id, reply);
    }
    match admitted {
        // What may not run now is refused, though it could wait: memory may have run out since.
        Err(e) => {
            gate::refuse(srv, id, Some(row), &e, reply);
            Outcome::Done
        }
        // It has just been evicted: what it waited for is for others.
        Ok(gate::Admitted::Gone) => Outcome::Closing,
        Ok(_) => run(srv, id, row, argv, None, reply),
    }
}

/// A shutdown does not come about: those who wait for it are told.
pub(crate) fn end_shutdown_waits(srv: &mut Server) {
    let error = CmdError::new("ERR Errors trying to SHUTDOWN. Check logs.");
    for id in srv.blocked.for_server().to_vec() {
        let parked = srv.clients.session(id).and_then(|session| session.parked.as_ref());
        if !parked.is_some_and(|parked| matches!(parked.waiting, Waiting::End)) {
            continue;
        }
        let Some(parked) = unpark(srv, id) else { continue };
        with_reply(srv, id, |srv, reply| {
            reply.error(&error);
            srv.stats.error(error.code());
        });
        account_unblocked(srv, id, &parked, true);
        srv.net.wake(id);
    }
}

/// Ends the waits of all clients with an error: what they wait for can't come any more.
pub(crate) fn end_all(srv: &mut Server, error: &'static str) {
    let parked = |client: &Client| client.session.parked.is_some().then_some(client.id);
    let ids: Vec<ClientId> = srv.clients.iter().filter_map(parked).collect();
    for id in ids {
        let Some(parked) = unpark(srv, id) else { continue };
        let e = CmdError::new(error);
        with_reply(srv, id, |srv, reply| {
            reply.error(&e);
            srv.stats.error(e.code());
        });
        account_unblocked(srv, id, &parked, true);
        // Compat: it may have been blocked for long, and its state is that of another role.
        srv.clients.close(id, Close::AfterReply);
    }
}

/// Lends a client's outbox to `f` as a reply buffer and schedules it for writing. A client that
/// wants no replies gets none.
pub(crate) fn with_reply(srv: &mut Server, id: ClientId, f: impl FnOnce(&mut Server, &mut Reply)) {
    let spare = srv.clients.spare();
    let Some(client) = srv.clients.get_mut(id) else { return srv.clients.give_back(spare) };
    let mut reply = Reply::new(client.outbox.check_out(spare), client.session.resp3);
    let before = reply.len();
    reply.set_limit(srv.clients.reply_bound(id));
    let from = srv.stream.end();
    f(srv, &mut reply);
    let end = srv.stream.end();
    if let Some(client) = srv.clients.get_mut(id) {
        if end != from {
            client.session.written = end;
        }
        if client.session.reply_mode == ReplyMode::Off {
            reply.truncate(before);
        }
        client.room.used(reply.len());
        client.outbox.check_in(reply.into_buf());
        srv.clients.after_reply(id);
    }
}
