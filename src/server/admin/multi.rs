//! Transactions: MULTI, EXEC, DISCARD, WATCH, UNWATCH.

use crate::commands::{CmdResult, Flow};
use crate::keyspace::effects::{self, Effects};
use crate::keyspace::env::{Env, Origin};
use crate::net::clients::ClientId;
use crate::net::session::{Close, Queued, ReplyMode};
use crate::resp::argv::Argv;
use crate::resp::errors::{self, CmdError};
use crate::resp::reply::Reply;
use crate::server::engine::transaction;
use crate::server::engine::{gate, lend, unit};
use crate::server::parts::ServerRow;
use crate::server::parts::{Call, Server};
use crate::watch::Found;

pub(crate) const COMMANDS: &[ServerRow] = &[
    ("multi", multi),
    ("exec", exec),
    ("discard", discard_command),
    ("watch", watch),
    ("unwatch", unwatch),
];

/// `MULTI`. Joins: clients.
fn multi(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let Some(session) = srv.clients.session_mut(call.client) else { return Ok(Flow::Done) };
    if session.multi.is_some() {
        return Err(CmdError::new("ERR MULTI calls can not be nested"));
    }
    session.multi = Some(Box::default());
    call.reply.ok();
    Ok(Flow::Done)
}

/// `DISCARD`. Joins: clients, watch.
fn discard_command(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    if srv.clients.session(call.client).is_none_or(|s| s.multi.is_none()) {
        return Err(CmdError::new("ERR DISCARD without MULTI"));
    }
    transaction::discard(srv, call.client);
    call.reply.ok();
    Ok(Flow::Done)
}

/// `EXEC`: runs the queue as one unit; nothing else runs in between. Joins: clients, watch, and
/// every part the queued commands need.
fn exec(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let id = call.client;
    let Some(session) = srv.clients.session_mut(id) else { return Ok(Flow::Done) };
    let Some(mut multi) = session.multi.take() else {
        return Err(CmdError::new("ERR EXEC without MULTI"));
    };
    let broken_watch = session.watch_broken || watched_key_expired(srv, id);
    transaction::unwatch_all(srv, id);
    if multi.broken {
        return Err(errors::EXEC_ABORT);
    }
    if broken_watch {
        call.reply.null_array();
        return Ok(Flow::Done);
    }
    let start = call.reply.len();
    call.reply.array(multi.queue.len());
    mute(srv, id, call.reply, start);
    if let Some(session) = srv.clients.session_mut(id) {
        session.executing = Some(multi.queue.len() as u32);
    }
    // What surrounds arguments on their way here is no longer than they and their addresses are.
    srv.exec.noted.expect(2 * multi.arg_bytes);
    unit::members(srv, Origin::Exec, |srv| run_queue(srv, call, &mut multi.queue));
    if let Some(session) = srv.clients.session_mut(id) {
        session.executing = None;
        let wants_all = session.reply_mode == ReplyMode::On;
        srv.exec.keeps_reply = (!wants_all).then_some(call.reply.len());
    }
    Ok(Flow::Done)
}

/// Runs what was queued, command by command.
fn run_queue(srv: &mut Server, call: &mut Call<'_>, queue: &mut [Queued]) {
    let id = call.client;
    for queued in queue {
        let row = srv.table.by_id(queued.command);
        let argv: Vec<&[u8]> = queued.argv.iter().map(Vec::as_slice).collect();
        let session = srv.clients.session(id);
        let no_touch = session.is_some_and(|s| s.no_touch);
        // A command before this one has ended the connection: this one runs, but is not heard of.
        let closing = session.is_some_and(|s| s.close != Close::No);
        let fresh = srv.env_of(row, no_touch);
        // Time stands still inside a transaction.
        let env = Env { now_ms: call.env.now_ms, ..fresh };
        let fx = Effects::new(srv.exec.armed, env.db);
        let argv = Argv::new(&argv);
        let before = call.reply.len();
        let mut inner = Call { client: id, row, argv, reply: call.reply, fx, env };
        let lent = lend::may_keep(row, argv);
        if lent.is_some() {
            inner.fx.armed |= effects::LENT;
        }
        // An error is in the reply already and does not stop the others.
        match gate::admit_member(srv, id, row, argv) {
            Ok(()) => _ = unit::call(srv, &mut inner, None),
            Err(e) => inner.reply.error(&e),
        }
        if let (Some(i), Some(keeper)) = (lent, srv.exec.kept.take()) {
            lend::give(srv, keeper, std::mem::take(&mut queued.argv[i]));
        }
        if closing {
            call.reply.truncate(before);
        }
        mute(srv, id, call.reply, before);
        if call.reply.is_too_long() && srv.clients.check_output(id, call.reply.len()) {
            // Nobody will read it, but the transaction runs to its end.
            call.reply.truncate(0);
        }
    }
}

/// Takes back what was replied since `before` if the client wants no replies now.
fn mute(srv: &Server, id: ClientId, reply: &mut Reply, before: usize) {
    let mode = srv.clients.session(id).map(|s| s.reply_mode);
    if matches!(mode, Some(ReplyMode::Off | ReplyMode::Skip)) {
        reply.truncate(before);
    }
}

/// A watched key whose time has passed has changed, though nobody has deleted it yet.
///
/// One that was not there when the watch began is not meant: what is past its time in its place
/// came by SWAPDB.
fn watched_key_expired(srv: &Server, id: ClientId) -> bool {
    let mut live = srv.watch.keys_of(id).filter(|(_, _, found)| *found == Found::Live);
    live.any(|(db, key, _)| {
        let store = srv.ks.db(db as usize);
        let entry = store.find(store.key(key));
        entry.and_then(|e| e.expire_ms()).is_some_and(|at| at < srv.clock.now_ms)
    })
}

/// `WATCH key [key ...]`. O(keys). Joins: clients, watch, keyspace.
fn watch(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let id = call.client;
    let session = srv.clients.session(id);
    if session.is_some_and(|s| s.multi.is_some()) {
        return Err(CmdError::new("ERR WATCH inside MULTI is not allowed"));
    }
    // A transaction that fails anyway needs no more watches.
    if session.is_none_or(|s| s.watch_broken) {
        call.reply.ok();
        return Ok(Flow::Done);
    }
    let env = &call.env;
    for key in call.argv.from(1) {
        // A key past its time is gone for the watcher: its deletion later is no change.
        let there = srv.ks.type_of(env.db, key, env.now_ms).is_some();
        let found = if there { Found::Live } else { Found::Absent };
        srv.watch.add(id, env.db, key, found);
    }
    srv.listed(id);
    call.reply.ok();
    Ok(Flow::Done)
}

/// `UNWATCH`. Joins: clients, watch.
fn unwatch(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    transaction::unwatch_all(srv, call.client);
    call.reply.ok();
    Ok(Flow::Done)
}
