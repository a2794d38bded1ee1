//! From a socket's bytes to commands that have run.
//!
//! A socket is read into one buffer that all clients share; only an unfinished rest is kept with
//! its client. mio is edge-triggered. A read that did not fill its buffer has drained the socket. A
//! read that did fill it puts the client on the list for the next turn, so that a client that
//! floods the server waits for the others. A client whose commands have used up its slice of the
//! turn goes on that list as well.
//!
//! A large argument is read into memory of its own (`resp::large`). Its command runs by itself, and
//! may keep it.
//!
//! A client that waits (for a key, or for the end of a pause) is read as well, up to its limit, so
//! that its end is noticed. What it sends runs when it is woken. The client whose command runs
//! right now is not read by the turns within that command.
//!
//! Before a batch of commands runs, what they will look up is prefetched (`ahead`).

use std::io::ErrorKind;

use crate::log;
use crate::net::clients::ClientId;
use crate::net::session::Close;
use crate::resp::argv::Argv;
use crate::resp::errors::CmdError;
use crate::resp::parser::{self, Batch, Partial, ProtoError};
use crate::resp::reply::Reply;
use crate::server::engine::account;
use crate::server::engine::ahead::{self, Ahead, PREFETCH};
use crate::server::engine::blocking::Outcome;
use crate::server::engine::{dispatch, divergence, lend};
use crate::server::jobs::repl::{apply, primary};
use crate::server::parts::exec::Unit;
use crate::server::parts::net::READ_SIZE;
use crate::server::parts::{Server, running};
use crate::server::reactor::bounds::{OBEYED, limits_of, within_query_limit};
use crate::server::reactor::timing;

/// Reply bytes after which a pipeline lets others go first.
const YIELD_BYTES: usize = 512 * 1024;
/// Commands that are parsed and run before the time is looked at.
const AT_ONCE: usize = 256;
/// Room for arguments that is kept for the next batch.
const BATCH_KEPT: usize = 64 * 1024;

/// Reads once from a client and runs what is complete.
pub(crate) fn read_client(srv: &mut Server, id: ClientId) {
    let Some(client) = srv.clients.get_mut(id) else { return };
    if client.session.close != Close::No {
        return;
    }
    // This turn is within its own command, as a script that takes long. What it sends meanwhile
    // comes after that, and so does its end.
    if client.outbox.is_lent() {
        return srv.net.again.push(id);
    }
    if client.session.parked.is_some() || client.session.postponed {
        return read_ahead(srv, id);
    }
    if client.session.primary && srv.exec.busy {
        // A script may not be disturbed by writes. It goes on in the next turn.
        srv.net.again.push(id);
        return read_ahead(srv, id);
    }
    let replica = client.session.replica;
    if srv.clients.hold(id) {
        return;
    }
    let Some(client) = srv.clients.get_mut(id) else { return };
    if client.query.behind {
        // It has sent commands that have not run yet. It is read again when they have.
        srv.net.again.push(id);
        return run_pending(srv, id);
    }
    let held = !client.query.pending.is_empty();
    let want = if held { client.query.want(READ_SIZE) } else { READ_SIZE };
    let mut buf = if held {
        std::mem::take(client.query.filling())
    } else {
        std::mem::take(&mut srv.net.read_buf)
    };
    let (room, got) = if held {
        let start = buf.len();
        (want, client.conn.read_into(&mut buf, want).map(|n| (start, n)))
    } else {
        // Empty when this turn was started from inside another one (a load in progress).
        buf.resize(READ_SIZE, 0);
        (READ_SIZE, client.conn.read(&mut buf).map(|n| (0, n)))
    };
    let mut have = if held { buf.len() } else { 0 };
    let mut ended = false;
    match got {
        Ok((_, 0)) => ended = true,
        Ok((start, n)) => {
            have = start + n;
            client.session.active_ms = srv.clock.now_ms;
            client.query.touched_ms = srv.clock.now_ms;
            client.query.peak = client.query.peak.max(have);
            // If the buffer is full there may be more to read. If the peer is closing, its end is
            // still to be read.
            if n == room || client.session.eof {
                srv.net.again.push(id);
            }
            srv.stats.n.reads += 1;
            srv.stats.n.net_in += n as u64;
        }
        Err(e) if e.kind() == ErrorKind::WouldBlock => {}
        Err(e) if e.kind() == ErrorKind::Interrupted => srv.net.again.push(id),
        Err(e) => {
            log!(Verbose, "Reading from client: {e}");
            srv.clients.close(id, Close::Now);
        }
    }
    if replica && !ended {
        // Whatever it says is a sign of life.
        primary::heard(srv, id);
    }
    if held {
        let Some(client) = srv.clients.get_mut(id) else { return };
        *client.query.filling() = buf;
        let have = client.query.bytes();
        // A command that is too long is refused, even if all of it has come.
        if within_query_limit(srv, id, have) {
            run_pending(srv, id);
        }
    } else {
        let partial = Partial::default();
        let (used, partial) = run_buffer(srv, id, &buf[..have], partial);
        pass_on(srv, id, &buf[..have], used);
        keep_rest(srv, id, &buf[used..have], partial);
        srv.net.read_buf = buf;
    }
    if ended {
        log!(Verbose, "Client closed connection");
        let Some(client) = srv.clients.get(id) else { return };
        // The commands that it sent before it closed are still answered: it may have closed only
        // one direction.
        let how = if client.outbox.is_empty() { Close::Now } else { Close::AfterReply };
        srv.clients.close(id, how);
    }
}

/// What the primary has said and we have done goes to our own replicas: so many of the bytes that
/// have come.
#[inline]
fn pass_on(srv: &mut Server, id: ClientId, bytes: &[u8], used: usize) {
    if srv.repl.is_replica() && srv.clients.session(id).is_some_and(|session| session.primary) {
        let opened = bytes.len().saturating_sub(std::mem::take(&mut srv.repl.opened));
        apply::applied(srv, id, &bytes[..used], opened);
    }
}

/// Reads from a client that waits; its commands run later. Its end is noticed whatever it has sent
/// before, and it may send as much as any other client.
fn read_ahead(srv: &mut Server, id: ClientId) {
    let Some(client) = srv.clients.get_mut(id) else { return };
    match client.conn.read_into(&mut client.query.pending, READ_SIZE) {
        Ok(0) => {
            log!(Verbose, "Client closed connection");
            return srv.clients.close(id, Close::Now);
        }
        Ok(n) => {
            if !client.query.behind {
                client.query.behind = true;
                client.timing.arrived = srv.metrics.turn_ticks;
            }
            client.session.active_ms = srv.clock.now_ms;
            client.query.touched_ms = srv.clock.now_ms;
            client.query.peak = client.query.peak.max(client.query.pending.len());
            if n == READ_SIZE || client.session.eof {
                srv.net.again.push(id);
            }
            srv.stats.n.reads += 1;
            srv.stats.n.net_in += n as u64;
        }
        Err(e) if e.kind() == ErrorKind::WouldBlock => return,
        Err(e) if e.kind() == ErrorKind::Interrupted => return srv.net.again.push(id),
        Err(e) => {
            log!(Verbose, "Reading from client: {e}");
            return srv.clients.close(id, Close::Now);
        }
    }
    let have = client.query.bytes();
    within_query_limit(srv, id, have);
    if srv.clients.tally.files() {
        srv.clients.account(id, 0);
    }
}

/// Runs what is complete in a client's own buffer and keeps the rest in it.
fn run_pending(srv: &mut Server, id: ClientId) {
    let Some(client) = srv.clients.get_mut(id) else { return };
    if client.query.large.is_some() && !run_large(srv, id) {
        if srv.clients.tally.files() {
            srv.clients.account(id, 0);
        }
        return;
    }
    let Some(client) = srv.clients.get_mut(id) else { return };
    let mut buf = std::mem::take(&mut client.query.pending);
    let partial = std::mem::take(&mut client.query.partial);
    let (used, partial) = run_buffer(srv, id, &buf, partial);
    pass_on(srv, id, &buf, used);
    let Some(client) = srv.clients.get_mut(id) else { return };
    buf.drain(..used);
    client.query.pending = buf;
    client.query.reserve_for(partial);
    if srv.clients.tally.files() {
        srv.clients.account(id, 0);
    }
}

/// Runs the command that a client's large argument belongs to, if all of it has come. Returns
/// whether later commands may run.
#[cold]
fn run_large(srv: &mut Server, id: ClientId) -> bool {
    let Some(client) = srv.clients.get_mut(id) else { return false };
    let query = &mut client.query;
    let Some(large) = query.large.take_if(|large| large.is_whole()) else { return false };
    let mut buffer = std::mem::take(&mut query.pending);
    let partial = std::mem::take(&mut query.partial);
    let limits = limits_of(&srv.cfg, &client.session);
    let mut batch = Batch::default();
    let parsed = large.parse(&buffer, partial, limits, &mut batch);
    let failed = parsed.error.is_some();
    if batch.cmds.is_empty() && !failed {
        drop(batch);
        query.large = Some(large);
        query.pending = buffer;
        // There is nothing to run before more has come.
        query.behind = false;
        query.reserve_for(parsed.partial);
        return false;
    }
    let bytes = buffer.len() + large.bytes();
    srv.exec.query_bytes = bytes;
    srv.net.slice_from = srv.clock.ticks;
    if !failed {
        lend::begin(srv, Argv::new(&batch.args), large.index());
    }
    let stopped = run_parsed(srv, id, bytes, &batch, parsed.error);
    drop(batch);
    srv.exec.query_bytes = 0;
    // The argument may be freed before the peak is looked at again.
    srv.memory.note_peak();
    let keeper = lend::end(srv);
    if stopped == Some(0) {
        // The command has to wait, so everything stays as it is.
        let Some(client) = srv.clients.get_mut(id) else { return false };
        client.query.behind = true;
        client.query.pending = buffer;
        client.query.partial = large.tail();
        client.query.large = Some(large);
        return false;
    }
    let used = match stopped {
        Some(end) if end == bytes => buffer.len(),
        None if failed => buffer.len(),
        _ => large.head() + parsed.used,
    };
    let room = large.bytes();
    if let Some(keeper) = keeper {
        lend::give(srv, keeper, large.into_argument());
    }
    let Some(client) = srv.clients.get_mut(id) else { return false };
    buffer.drain(..used);
    client.query.charged = room;
    client.query.behind = stopped.is_some() && !buffer.is_empty();
    client.query.pending = buffer;
    stopped.is_none() && !failed
}

fn keep_rest(srv: &mut Server, id: ClientId, rest: &[u8], partial: Partial) {
    if rest.is_empty() {
        return;
    }
    if let Some(client) = srv.clients.get_mut(id) {
        client.query.keep(rest, partial);
    }
    if srv.clients.tally.files() {
        srv.clients.account(id, 0);
    }
}

/// Parses and runs the complete commands of `data`. Returns the bytes used and what is known of the
/// unfinished command behind them.
fn run_buffer(srv: &mut Server, id: ClientId, data: &[u8], partial: Partial) -> (usize, Partial) {
    if data.is_empty() {
        return (0, partial);
    }
    let Some(client) = srv.clients.get(id) else { return (data.len(), Partial::default()) };
    let mut limits = limits_of(&srv.cfg, &client.session);
    let primary = client.session.primary;
    let mut batch = std::mem::take(&mut srv.net.batch).reuse();
    // Until a client has authenticated its limits are narrow. AUTH lifts them for the commands
    // after it, so these are not parsed before it has run.
    let mut at_once = if limits.trusted { AT_ONCE } else { 1 };
    let (mut used, mut partial) = (0, partial);
    srv.exec.query_bytes = data.len();
    srv.net.slice_from = srv.clock.ticks;
    loop {
        batch.clear();
        let rest = &data[used..];
        let parsed = parser::parse(rest, partial, limits, at_once, &mut batch);
        let more = batch.cmds.len() == at_once && parsed.used < rest.len();
        let failed = parsed.error.is_some();
        let mut stopped = run_parsed(srv, id, rest.len(), &batch, parsed.error);
        if more && stopped.is_none() && slice_is_over(srv) {
            srv.net.again.push(id);
            stopped = Some(parsed.used);
        }
        partial = parsed.partial;
        used += stopped.unwrap_or(parsed.used);
        match stopped {
            // What follows is parsed again when the client goes on, and so is an error in it.
            Some(_) => partial = Partial::default(),
            // All that a primary has sent up to there has been done, and nothing behind it.
            None if failed && primary => partial = Partial::default(),
            None if failed => (used, partial) = (data.len(), Partial::default()),
            None => {}
        }
        let Some(client) = srv.clients.get_mut(id) else { break };
        client.query.behind = stopped.is_some() && used < data.len();
        if stopped.is_some() || failed || !more {
            break;
        }
        limits.trusted = client.session.authenticated;
        at_once = if limits.trusted { AT_ONCE } else { 1 };
    }
    if batch.args.capacity() > BATCH_KEPT {
        batch = Batch::default();
    }
    srv.net.batch = batch.reuse();
    srv.exec.query_bytes = 0;
    (used, partial)
}

/// Runs the parsed commands of `bytes` in all, and replies to what could not be parsed.
/// `Some(offset)`: stopped early.
#[inline(always)] // It has a second caller, which is cold; see `parse`.
fn run_parsed(
    srv: &mut Server,
    id: ClientId,
    bytes: usize,
    batch: &Batch<'_>,
    error: Option<ProtoError>,
) -> Option<usize> {
    if batch.cmds.is_empty() && error.is_none() {
        return None;
    }
    srv.clients.get(id)?;
    let from = srv.stream.end();
    srv.exec.batch_from = from;
    let spare = srv.clients.spare();
    let client = srv.clients.get_mut(id).expect("looked up above");
    let mut reply = Reply::new(client.outbox.check_out(spare), client.session.resp3);
    let primary = client.session.primary;
    reply.set_limit(srv.clients.reply_bound(id));
    let usual = primary.then(|| std::mem::replace(&mut srv.limits.max_bulk, OBEYED));
    let stopped = run_batch(srv, id, bytes, batch, &mut reply);
    if let Some(usual) = usual {
        srv.limits.max_bulk = usual;
        divergence::note_transaction(srv, id, bytes, batch, stopped);
    }
    if srv.metrics.kept.is_some() {
        timing::note_run(srv, id, batch, stopped);
    }
    if let (None, Some(e)) = (stopped, error) {
        let e = CmdError::err([b"Protocol error: ", &e.text()[..]].concat());
        reply.error(&e);
        srv.stats.error(e.code());
        log!(Verbose, "Protocol error from client: {}", String::from_utf8_lossy(e.bytes()));
        divergence::stop_link(srv, id, &e);
        srv.clients.close(id, Close::AfterReply);
    }
    let end = srv.stream.end();
    if let Some(client) = srv.clients.get_mut(id) {
        if end != from {
            client.session.written = end;
        }
        client.session.resp3 = reply.resp3();
        client.room.used(reply.len());
        client.outbox.check_in(reply.into_buf());
        srv.clients.after_reply(id);
    }
    stopped
}

/// Runs the commands of a batch. `Some(offset)`: stopped early, the client goes on from there
/// later.
#[inline(always)] // For the same reason.
fn run_batch(
    srv: &mut Server,
    id: ClientId,
    bytes: usize,
    batch: &Batch<'_>,
    reply: &mut Reply,
) -> Option<usize> {
    let mut ahead = [Ahead::default(); PREFETCH];
    let bound = reply.limit().map_or(YIELD_BYTES, |limit| limit.min(YIELD_BYTES));
    let files = srv.clients.tally.files();
    for group in batch.cmds.chunks(PREFETCH) {
        ahead::look(srv, id, batch, group, &mut ahead);
        account::begin_group(srv, group.len(), bytes);
        let stopped = 'group: {
            for (cmd, ahead) in group.iter().zip(&ahead) {
                let quoted: Vec<&[u8]>;
                let args = match cmd.inline {
                    None => batch.args_of(cmd),
                    Some(i) => {
                        quoted = batch.inline[i].iter().map(Vec::as_slice).collect();
                        &quoted
                    }
                };
                let argv = Argv::new(args);
                let outcome = dispatch::process_command(srv, id, argv, ahead.row, ahead.key, reply);
                if files {
                    srv.clients.account(id, reply.len() + bytes);
                }
                match outcome {
                    Outcome::Done if reply.len() < bound && !slice_is_over(srv) => {}
                    Outcome::Done
                        if reply.is_too_long() && srv.clients.check_output(id, reply.len()) =>
                    {
                        break 'group Some(bytes);
                    }
                    Outcome::Done => {
                        srv.net.again.push(id);
                        break 'group Some(cmd.span.end);
                    }
                    Outcome::Parked => break 'group Some(cmd.span.end),
                    Outcome::Postponed => break 'group Some(cmd.span.start),
                    Outcome::Closing => {
                        break 'group Some(divergence::read_until(srv, id, &cmd.span, bytes));
                    }
                }
            }
            None
        };
        account::end_group(srv);
        if stopped.is_some() {
            return stopped;
        }
    }
    None
}

/// Whether the running client has used up its share of the turn. The time is the end of the latest
/// command that was accounted for.
#[inline]
fn slice_is_over(srv: &Server) -> bool {
    srv.clock.ticks.wrapping_sub(srv.net.slice_from) > srv.net.slice_ticks
}

/// Runs all that woken clients have sent, in the order in which they were woken. No other client's
/// next command comes in between, and no reply of this turn leaves before.
pub(crate) fn serve_woken(srv: &mut Server) {
    while !srv.net.woken.is_empty() {
        for id in std::mem::take(&mut srv.net.woken) {
            while is_behind(srv, id) {
                run_pending(srv, id);
            }
        }
    }
    srv.exec.unit = Unit::SERVER;
    running::idle();
}

/// Whether a client has commands that had to wait and may run now.
fn is_behind(srv: &Server, id: ClientId) -> bool {
    srv.clients.get(id).is_some_and(|client| {
        let s = &client.session;
        client.query.behind && s.close == Close::No && s.parked.is_none() && !s.postponed
    })
}
