//! Admission: the ordered checks between finding a command and running it.
//!
//! The order is Redis's, because clients see which error wins: arity, protected commands,
//! authentication, transaction rules, memory, disk errors, subscriber mode, loading, pauses; then queueing.

use crate::commands::spec::{
    DENYOOM, LOADING, MAY_REPLICATE, NO_AUTH, NO_MULTI, PROTECTED, READONLY, WRITE,
};
use crate::config::choice::ProtectedAction;
use crate::net::clients::ClientId;
use crate::net::session::Close;
use crate::resp::argv::Argv;
use crate::resp::errors::{self, CmdError};
use crate::resp::reply::Reply;
use crate::server::engine::client_memory;
use crate::server::engine::evict;
use crate::server::engine::transaction;
use crate::server::engine::unit;
use crate::server::parts::Row;
use crate::server::parts::Server;
use crate::server::parts::exec::Unit;
use crate::server::parts::pause::Scope;
use crate::server::parts::table::Handler;

/// What to do with a command that passed.
#[derive(Debug, PartialEq, Eq)]
pub enum Admitted {
    Run,
    /// Keep it for EXEC.
    Queue,
    /// Run it again from here when the pause is over.
    Postpone,
    /// Its client has just been evicted: it does not run.
    Gone,
}

/// Writes a refusal; an open transaction is broken by it.
#[cold]
pub fn refuse(
    srv: &mut Server,
    id: ClientId,
    row: Option<&'static Row>,
    e: &CmdError,
    reply: &mut Reply,
) {
    // EXEC itself, refused, ends the transaction (if there is one) instead of waiting for another EXEC.
    if row.is_some_and(|r| r.name() == "exec") {
        transaction::discard(srv, id);
        let why = e.bytes().strip_prefix(b"ERR ").unwrap_or(e.bytes());
        let why = [b"Transaction discarded because of: ", why].concat();
        reply.error(&CmdError::coded("EXECABORT", why));
        srv.stats.error(b"EXECABORT");
    } else {
        reply.error(e);
        srv.stats.error(e.code());
    }
    if let Some(row) = row {
        srv.stats.commands[usize::from(row.id)].rejected += 1;
    }
    let session = srv.clients.session_mut(id);
    if let Some(multi) = session.and_then(|s| s.multi.as_mut()) {
        multi.broken = true;
    }
}

/// Runs the checks. O(1) but for eviction.
#[inline]
pub fn admit(
    srv: &mut Server,
    id: ClientId,
    row: &'static Row,
    argv: Argv<'_>,
) -> Result<Admitted, CmdError> {
    if !row.spec.arity_ok(argv.len()) || matches!(row.handler, Handler::Container) {
        return Err(errors::wrong_arity(row.name()));
    }
    let session = srv.clients.session(id).expect("clients are only reaped between events");
    let plain = session.authenticated
        && session.multi.is_none()
        && !session.subscribed()
        && !session.monitor;
    let calm = srv.pause.scope().is_none()
        && srv.loading.is_none()
        && srv.cfg.memory.max_memory == 0
        && !srv.clients.tally.files()
        && !srv.tracking.crowded
        && !srv.rdb.writes_limited();
    if plain && calm && !row.has(PROTECTED) {
        return Ok(Admitted::Run);
    }
    admit_slow(srv, id, row)
}

#[inline(never)]
fn admit_slow(srv: &mut Server, id: ClientId, row: &'static Row) -> Result<Admitted, CmdError> {
    let session = srv.clients.session(id).expect("checked by the caller");
    let in_multi = session.multi.is_some();
    if row.has(PROTECTED) && !allowed(srv.cfg.acl.debug_command, session.loopback) {
        return Err(protected(row));
    }
    if !session.authenticated && !row.has(NO_AUTH) {
        return Err(errors::NO_AUTH);
    }
    if in_multi && row.has(NO_MULTI) {
        return Err(CmdError::new("ERR Command not allowed inside a transaction"));
    }
    if srv.clients.tally.files() && srv.exec.nesting == 0 {
        client_memory::evict(srv);
    }
    let session = srv.clients.session(id).expect("eviction only marks clients");
    if session.close == Close::Now {
        return Ok(Admitted::Gone);
    }
    let queued_flags = session.multi.as_ref().map_or(0, |m| m.flags);
    let exec = row.name() == "exec";
    if srv.cfg.memory.max_memory > 0 && srv.loading.is_none() {
        let over = !evict::perform(srv);
        let grows = row.has(DENYOOM) || exec && queued_flags & DENYOOM != 0;
        // A queue takes memory whatever is in it; ending a transaction gives it back.
        let queues = in_multi && !["exec", "discard", "quit", "reset"].contains(&row.name());
        if over && (grows || queues) {
            return Err(errors::OOM);
        }
    }
    if srv.tracking.crowded {
        unit::within(srv, Unit::SERVER, Server::limit_tracked_keys);
    }
    let writes = row.has(WRITE) || exec && queued_flags & WRITE != 0;
    if (writes || row.name() == "ping") && srv.rdb.write_refused() {
        return Err(errors::MISCONF_RDB);
    }
    if writes && srv.rdb.replicas_missing() {
        return Err(errors::NO_REPLICAS);
    }
    let session = srv.clients.session(id).expect("eviction frees no client");
    if session.subscribed() && !session.resp3 && !for_subscribers(row.name()) {
        return Err(CmdError::err(format!(
            "Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are \
             allowed in this context",
            row.name()
        )));
    }
    if srv.loading.is_some() && !row.has(LOADING) {
        return Err(errors::LOADING);
    }
    let replicates =
        row.has(WRITE | MAY_REPLICATE) || exec && queued_flags & (WRITE | MAY_REPLICATE) != 0;
    if session.monitor {
        // Compat: to redis-server it is a kind of replica, so it is not held up by a pause either.
        if replicates || row.has(READONLY) || exec && queued_flags & READONLY != 0 {
            return Err(CmdError::new("ERR Replica can't interact with the keyspace"));
        }
    }
    match srv.pause.scope().filter(|_| !session.monitor) {
        Some(Scope::All) => return Ok(Admitted::Postpone),
        Some(Scope::Writes) if replicates => return Ok(Admitted::Postpone),
        _ => {}
    }
    let runs_in_multi = ["exec", "discard", "multi", "watch", "quit", "reset"];
    if in_multi && !runs_in_multi.contains(&row.name()) {
        return Ok(Admitted::Queue);
    }
    Ok(Admitted::Run)
}

/// Whether a guarded action is open to a client.
pub fn allowed(setting: ProtectedAction, loopback: bool) -> bool {
    match setting {
        ProtectedAction::No => false,
        ProtectedAction::Yes => true,
        ProtectedAction::Local => loopback,
    }
}

#[cold]
fn protected(row: &Row) -> CmdError {
    let name = row.name().split('|').next().unwrap_or_default();
    CmdError::err(format!(
        "{} command not allowed. If the enable-{name}-command option is set to \"local\", you can \
         run it from a local connection, otherwise you need to set this option in the configuration \
         file, and then restart the server.",
        name.to_ascii_uppercase()
    ))
}

fn for_subscribers(name: &str) -> bool {
    let names = [
        "ping",
        "quit",
        "reset",
        "subscribe",
        "unsubscribe",
        "psubscribe",
        "punsubscribe",
        "ssubscribe",
        "sunsubscribe",
    ];
    names.contains(&name)
}
