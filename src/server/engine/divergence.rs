//! Where a primary and a replica may come to hold different data.
//!
//! What a primary sends its replicas has been run once without an error, so an error means trouble.
//! A command that is not understood at all, or not let in, ends the link, and a full
//! synchronization follows. An error of a command that has run is dealt with as
//! `propagation-error-behavior` says.
//!
//! A replica that lets its clients write has keys that the primary does not know: it must delete
//! them itself when their time is up.

use std::ops::Range;

use crate::config::choice::PropagationError;
use crate::log;
use crate::net::clients::ClientId;
use crate::net::session::{Close, ReplyMode};
use crate::net::usage::Class;
use crate::repl::refusal::Refused;
use crate::resp::errors::{self, CmdError};
use crate::resp::parser::{Batch, Cmd};
use crate::server::parts::{Call, Row, Server};

/// The most of an error that the log shows.
const SHOWN: usize = 4096;

/// An error is the reply to a command of `id` that has run. If that is our primary, or a replica,
/// it is logged and counted; `propagation-error-behavior` may end the server.
#[cold]
pub(crate) fn note(srv: &mut Server, id: ClientId, row: Option<&Row>, e: &CmdError) {
    tell(srv, id, row, e);
    if is_misunderstanding(e) {
        stop_link(srv, id, e);
    }
}

/// A command of `id` was not let in. If our primary has sent it, the link ends: without what it
/// would have done, the data is no longer the same.
#[cold]
pub(crate) fn note_refusal(srv: &mut Server, id: ClientId, row: Option<&Row>, e: &CmdError) {
    tell(srv, id, row, e);
    stop_link(srv, id, e);
}

/// Whether an error tells that another version would have understood the command. It is not the
/// data that differs, so nothing is said of it by `propagation-error-behavior`.
fn is_misunderstanding(e: &CmdError) -> bool {
    const BEGINNINGS: [&[u8]; 2] =
        [b"ERR wrong number of arguments for", b"ERR unknown subcommand"];
    *e == errors::SYNTAX
        || *e == errors::DB_RANGE
        || BEGINNINGS.iter().any(|text| e.bytes().starts_with(text))
}

/// Ends the link to the primary, before the command that could not be done.
#[cold]
pub(crate) fn stop_link(srv: &mut Server, id: ClientId, e: &CmdError) {
    if srv.clients.session(id).is_none_or(|session| !session.primary) {
        return;
    }
    let why = String::from_utf8_lossy(&e.bytes()[..e.bytes().len().min(SHOWN)]).into_owned();
    // Within a transaction some commands have run, and those after this one will.
    srv.repl.refusals.begin(Refused { why, partly: srv.exec.nesting > 0 });
    srv.clients.close(id, Close::Now);
}

/// How much of a batch counts as read when a command in it has ended its client's connection: of
/// what a primary sends, all that has been done, and no more.
#[cold]
pub(crate) fn read_until(srv: &Server, id: ClientId, span: &Range<usize>, all: usize) -> usize {
    match srv.clients.session(id) {
        Some(session) if session.primary && srv.repl.refusals.now.is_some() => span.start,
        Some(session) if session.primary => span.end,
        _ => all,
    }
}

/// Notes where the latest transaction of a primary begins, if it is not whole or was not obeyed:
/// its bytes are kept apart until it is (`jobs/repl/apply.rs`).
#[cold]
pub(crate) fn note_transaction(
    srv: &mut Server,
    id: ClientId,
    bytes: usize,
    batch: &Batch<'_>,
    stopped: Option<usize>,
) {
    let open = srv.clients.session(id).is_some_and(|session| session.multi.is_some());
    if !open && srv.repl.refusals.now.is_none() {
        return;
    }
    let ran = |cmd: &&Cmd| cmd.span.end <= stopped.unwrap_or(bytes);
    let begins = |cmd: &&Cmd| {
        let name = match cmd.inline {
            None => batch.args_of(cmd)[0],
            Some(i) => &batch.inline[i][0],
        };
        name.eq_ignore_ascii_case(b"multi")
    };
    if let Some(cmd) = batch.cmds.iter().rev().filter(ran).find(begins) {
        srv.repl.opened = bytes - cmd.span.start;
    }
}

/// Logs and counts an error; it may be the end of the server.
fn tell(srv: &mut Server, id: ClientId, row: Option<&Row>, e: &CmdError) {
    let Some(session) = srv.clients.session(id) else { return };
    let (from, to) = match session.class() {
        Class::Primary => ("replica", "master"),
        Class::Replica => ("master", "replica"),
        _ => return,
    };
    let name = row.map_or("<unknown>", |row| row.name());
    let text = e.bytes();
    let text = text.strip_prefix(b"ERR ").map_or_else(|| [b"-", text].concat(), <[u8]>::to_vec);
    log!(
        Warning,
        "== CRITICAL == This {from} is sending an error to its {to}: '{}' after processing the \
         command '{name}'",
        String::from_utf8_lossy(&text[..text.len().min(SHOWN)])
    );
    srv.stats.n.unexpected_errors += 1;
    let strict = match srv.cfg.repl.propagation_error {
        PropagationError::Ignore => false,
        PropagationError::Panic | PropagationError::PanicOnReplicas => srv.cfg.repl.read_only,
    };
    if strict && session.primary {
        log!(
            Warning,
            "This {from} panicked sending an error to its {to} after processing the command '{name}'"
        );
        srv.shutdown.done = true;
        srv.shutdown.exit_code = 1;
    }
}

/// A replica or the primary has run a command that replied with `said`. The primary hears nothing.
/// A replica must not ask for replies: they would stand in the middle of the stream.
#[cold]
pub(crate) fn silence(srv: &mut Server, id: ClientId, said: &[u8]) {
    let Some(session) = srv.clients.session(id) else { return };
    if !session.replica || said.is_empty() || session.reply_mode != ReplyMode::Off {
        return;
    }
    // Compat: who has said before that it wants no replies may ask for some.
    if srv.repl.replica(id).is_some_and(|replica| !replica.wants_replies) {
        return;
    }
    let name = session.last_command.map_or("<unknown>", |command| srv.table.by_id(command).name());
    log!(
        Warning,
        "Replica generated a reply to command '{name}', disconnecting it: {}",
        String::from_utf8_lossy(&said[..said.len().min(SHOWN)]).trim_end()
    );
    srv.clients.close(id, Close::Now);
}

/// A client has written to this replica: its keys that have a time are remembered. O(keys).
#[cold]
pub(crate) fn note_own_keys(srv: &mut Server, call: &Call<'_>) {
    if srv.exec.unit.obeys {
        return;
    }
    for (at, _) in call.row.spec.keys_of(&call.argv) {
        let key = call.argv[at];
        let store = srv.ks.db_mut(call.env.db as usize);
        let timed = store.find(store.key(key)).is_some_and(|entry| entry.expire_ms().is_some());
        let known = (call.env.db, key.to_vec());
        match timed {
            true => srv.repl.own_timed.insert(known),
            false => srv.repl.own_timed.remove(&known),
        };
    }
}

/// A replica is told to write what it can't keep on disk: it ends, unless it is to go on.
#[cold]
pub(crate) fn apply_without_disk(srv: &mut Server) {
    const SAID_EVERY_MS: i64 = 10_000;
    if !srv.cfg.repl.ignore_disk_write_errors {
        log!(Warning, "Replica was unable to write command to disk.");
        srv.shutdown.done = true;
        srv.shutdown.exit_code = 1;
    } else if srv.clock.now_ms - srv.repl.said_disk_ms > SAID_EVERY_MS {
        srv.repl.said_disk_ms = srv.clock.now_ms;
        log!(Warning, "Replica is applying a command even though it is unable to write to disk.");
    }
}
