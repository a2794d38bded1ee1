//! A client's command, from its arguments to its reply.
//!
//! ```text
//! process_command   find the row, ask the gate (may it run now?), queue it in MULTI, or:
//!   blocking::run     run it as a unit; park its client if it has to wait
//!   serve_ready       clients parked on keys that became ready run their commands again
//! then              CLIENT REPLY, messages that came meanwhile
//! ```

use crate::commands::own::{self, Databases};
use crate::keyspace::store::Key;
use crate::net::clients::ClientId;
use crate::net::session::{Close, Queued, ReplyMode};
use crate::resp::argv::Argv;
use crate::resp::errors::{self, CmdError};
use crate::resp::reply::Reply;
use crate::server::engine::blocking::{self, Outcome};
use crate::server::engine::{divergence, gate, invalidate, monitor, scripts};
use crate::server::parts::exec::{Keeper, Unit};
use crate::server::parts::table::Handler;
use crate::server::parts::{Row, Server, Table};
use crate::util::num;

/// Finds the row of a command, down to the subcommand, or the error that says it does not exist.
#[inline]
pub(crate) fn find(table: &Table, argv: Argv<'_>) -> Result<&'static Row, CmdError> {
    match table.lookup(argv[0]) {
        Some(row) if row.subs.is_empty() => Ok(row),
        Some(row) => find_sub(row, argv),
        None => Err(unknown_command(argv)),
    }
}

#[cold]
fn find_sub(row: &'static Row, argv: Argv<'_>) -> Result<&'static Row, CmdError> {
    match argv.get(1) {
        None => Ok(row),
        Some(name) => match Table::sub(row, name) {
            Some(sub) => Ok(sub),
            // COMMAND alone is a command with subcommands; others are only containers.
            None if matches!(row.handler, Handler::Container) || row.name() == "command" => {
                Err(crate::resp::errors::no_subcommand(row.name(), name))
            }
            None => Ok(row),
        },
    }
}

#[cold]
fn unknown_command(argv: Argv<'_>) -> CmdError {
    const LIMIT: usize = 128;
    let mut args = Vec::new();
    for arg in argv.from(1) {
        if args.len() >= LIMIT {
            break;
        }
        let room = LIMIT - args.len();
        args.push(b'\'');
        args.extend_from_slice(errors::shown(&arg[..arg.len().min(room)]));
        args.extend_from_slice(b"' ");
    }
    let name = errors::shown(&argv[0][..argv[0].len().min(LIMIT)]);
    let text = [b"unknown command '", name, b"', with args beginning with: ", &args[..]].concat();
    CmdError::err(text)
}

/// One parsed command of a connected client: its reply goes to `reply`.
///
/// `known` is the row if it has been looked up already, `memo` the first key with its hash.
#[inline]
pub(crate) fn process_command(
    srv: &mut Server,
    id: ClientId,
    argv: Argv<'_>,
    known: Option<&'static Row>,
    memo: Option<Key<'_>>,
    reply: &mut Reply,
) -> Outcome {
    srv.exec.unit = Unit::of(id);
    let mut before = reply.len();
    let outcome = run(srv, id, argv, known, memo, reply, &mut before);
    if outcome == Outcome::Postponed {
        // It has not run. CLIENT REPLY is looked at when it does.
        return outcome;
    }
    let Some(mut session) = srv.clients.session_mut(id) else { return Outcome::Closing };
    if session.reply_mode != ReplyMode::On {
        withhold(srv, id, reply, before);
        let Some(again) = srv.clients.session_mut(id) else { return Outcome::Closing };
        session = again;
    }
    let closing = session.close != Close::No;
    if session.tracking.as_ref().is_some_and(|t| t.caching) && outcome != Outcome::Parked {
        invalidate::end_of_caching(session, find(srv.table, argv).ok());
    }
    if srv.clients.has_waiting_pushes() {
        srv.deliver_pushes(id, reply);
        // This may be a turn within a command. That command's client may still have some.
        if srv.exec.nesting == 0 {
            srv.clients.no_waiting_pushes();
        }
    }
    if closing { Outcome::Closing } else { outcome }
}

/// Takes back what a client that wants no replies has been told from `before` on.
#[cold]
fn withhold(srv: &mut Server, id: ClientId, reply: &mut Reply, before: usize) {
    let Some(session) = srv.clients.session_mut(id) else { return };
    match session.reply_mode {
        ReplyMode::Skip => session.reply_mode = ReplyMode::On,
        ReplyMode::SkipNext => {
            // The command that has just run has set it, and has no reply itself.
            session.reply_mode = ReplyMode::Skip;
        }
        _ => {}
    }
    let kept = srv.exec.keeps_reply.take().unwrap_or(before);
    if session.replica {
        divergence::silence(srv, id, reply.buf().get(kept..).unwrap_or_default());
    }
    reply.truncate(kept);
}

/// `start` is where the reply of the command itself begins: messages may come before it.
fn run(
    srv: &mut Server,
    id: ClientId,
    argv: Argv<'_>,
    known: Option<&'static Row>,
    memo: Option<Key<'_>>,
    reply: &mut Reply,
    start: &mut usize,
) -> Outcome {
    let row = match known.filter(|r| r.subs.is_empty()).map_or_else(|| find(srv.table, argv), Ok) {
        Ok(row) => row,
        Err(_) if is_http(argv[0]) => return refuse_http(srv, id),
        Err(e) => {
            if let Some(session) = srv.clients.session_mut(id) {
                session.last_command = None;
            }
            gate::refuse(srv, id, None, &e, reply);
            return Outcome::Done;
        }
    };
    let admitted = gate::admit(srv, id, row, argv);
    // These messages are about keys that the gate has evicted or forgotten to make room. That was
    // before the command, so they stand before its reply.
    if srv.clients.has_waiting_pushes() {
        srv.deliver_pushes(id, reply);
        *start = reply.len();
    }
    match admitted {
        Ok(gate::Admitted::Run) => {}
        Ok(gate::Admitted::Queue) => {
            queue(srv, id, row, argv);
            reply.status("QUEUED");
            return Outcome::Done;
        }
        Ok(gate::Admitted::Postpone) => {
            blocking::postpone(srv, id);
            return Outcome::Postponed;
        }
        Ok(gate::Admitted::Gone) => return Outcome::Closing,
        Err(e) => {
            gate::refuse(srv, id, Some(row), &e, reply);
            if row.spec.own.has(own::EXEC) {
                monitor::feed_refused(srv, id, row, argv);
            }
            return Outcome::Done;
        }
    }
    let outcome = blocking::run(srv, id, row, argv, memo, reply);
    if srv.blocked.has_ready() && srv.exec.nesting == 0 {
        blocking::serve_ready(srv, Some((id, reply)));
    }
    outcome
}

/// Whether an unknown command is a word of HTTP. Then the sender is a browser, and the lines that
/// follow may be commands that somebody else chose (cross-protocol scripting).
#[cold]
fn is_http(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:")
}

/// Ends the connection of somebody who speaks HTTP, before any further line is read.
#[cold]
fn refuse_http(srv: &mut Server, id: ClientId) -> Outcome {
    const SAID_EVERY_MS: i64 = 60_000;
    if srv.clock.now_ms - srv.net.said_attack_ms >= SAID_EVERY_MS {
        srv.net.said_attack_ms = srv.clock.now_ms;
        let peer = srv.clients.session(id).map_or("", |s| s.peer.as_str());
        crate::log!(
            Warning,
            "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: \
             commands to Redis. This is likely due to an attacker attempting to use Cross Protocol \
             Scripting to compromise your Redis instance. Connection from {peer} aborted."
        );
    }
    srv.clients.close(id, Close::Now);
    Outcome::Closing
}

fn queue(srv: &mut Server, id: ClientId, row: &'static Row, argv: Argv<'_>) {
    // What a script says of itself counts for EXEC as well.
    let flags = scripts::flags(srv, row, argv);
    let Some(session) = srv.clients.session_mut(id) else { return };
    let doomed = session.watch_broken;
    let multi = session.multi.get_or_insert_default();
    // EXEC will fail, so the command is not kept, and its flags don't count for EXEC.
    if doomed || multi.broken {
        return;
    }
    multi.flags |= flags;
    multi.common &= flags;
    multi.arg_bytes += argv.bytes() + argv.len() * size_of::<usize>();
    if row.spec.own.databases == Databases::First {
        let selected = argv.get(1).and_then(|word| num::parse_i64(word)?.try_into().ok());
        multi.db = selected.or(multi.db);
    }
    let argv = match srv.exec.lent {
        None => argv.owned(),
        Some(argument) => {
            srv.exec.kept = Some(Keeper::Queue { client: id, argument });
            argv.owned_but(argument)
        }
    };
    multi.queue.push(Queued { command: row.id, argv });
}
