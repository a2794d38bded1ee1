//! One turn of the reactor.
//!
//! ```text
//! wait (until the next timer) -> read ready sockets, parse, run -> timers that are due
//!      -> write replies -> free clients that were marked
//! ```
//! A socket is read into one buffer that all clients share; only an unfinished rest is kept with its
//! client. mio is edge-triggered: a read that did not fill its buffer has drained the socket, one that
//! did puts the client on the list for the next turn, so a flood waits for everybody else's turn. So does
//! a client whose commands have run for `SLICE_US`, and one that doesn't read is not served (`writing`).
//!
//! Before a batch of commands runs, what they will look up is prefetched (`ahead`).

use crate::server::engine::client_memory;
use crate::server::engine::describe::describe;
use crate::server::parts::net::{CHILD, CLIENTS, FIRST_LISTENER, READ_SIZE, SIGNALS, Timer, WAKER};
use crate::server::parts::running;
use std::io::ErrorKind;
use std::time::Duration;

use mio::{Events, Interest, Token};

use crate::log;
use crate::net::clients::ClientId;
use crate::net::conn::Conn;
use crate::net::listener;
use crate::net::session::{Close, Session};
use crate::resp::argv::Argv;
use crate::resp::errors::{self, CmdError};
use crate::resp::parser::{self, Batch, Limits, Partial, ProtoError};
use crate::resp::reply::Reply;
use crate::server::engine::account;
use crate::server::engine::ahead::{self, Ahead, PREFETCH};
use crate::server::engine::dispatch::{self, Outcome};
use crate::server::jobs::{child, cron, shutdown};
use crate::server::parts::Server;
use crate::server::reactor::writing::{self, write_replies};

/// Reply bytes after which a pipeline lets others go first.
const YIELD_BYTES: usize = 512 * 1024;
/// Connections accepted from one listener in one turn.
const ACCEPTS: usize = 64;
/// Commands that are parsed and run before the time is looked at.
const AT_ONCE: usize = 256;

/// Room for arguments that is kept for the next batch.
const BATCH_KEPT: usize = 64 * 1024;

/// Runs turns until the server is told to stop.
pub fn run(srv: &mut Server) {
    let mut events = Events::with_capacity(1024);
    while !srv.shutdown.done {
        turn(srv, &mut events, None);
    }
}

/// One turn; waits for at most `max_wait`.
pub fn turn(srv: &mut Server, events: &mut Events, max_wait: Option<Duration>) {
    let wait = wait_time(srv, max_wait);
    if let Err(e) = srv.net.poll.poll(events, wait)
        && e.kind() != ErrorKind::Interrupted
    {
        log!(Warning, "Waiting for events failed: {e}");
        std::thread::sleep(Duration::from_millis(10));
    }
    srv.clock.refresh();
    srv.clients.now_ms = srv.clock.now_ms;
    let started = srv.clock.ticks;
    let commands = srv.stats.n.commands;
    let mut listeners = std::mem::take(&mut srv.net.accept_again);
    let mut again = std::mem::take(&mut srv.net.again);
    // A client may have several reasons to go on; it has one share of the turn.
    again.sort_unstable();
    again.dedup();
    for event in events.iter() {
        match event.token() {
            SIGNALS => shutdown::on_signals(srv),
            WAKER => {}
            CHILD => child::on_report(srv),
            Token(n) if n < CLIENTS => listeners.push(n - FIRST_LISTENER),
            token => client_event(srv, ClientId::from_token(token, CLIENTS), event),
        }
    }
    for id in again {
        read_client(srv, id);
    }
    // Those who leave make room for those who come.
    listeners.sort_unstable();
    listeners.dedup();
    for i in listeners {
        accept(srv, i);
    }
    srv.exec.current = None;
    running::idle();
    timers(srv);
    serve_woken(srv);
    finish_turn(srv);
    let used = srv.clock.watch.us(srv.clock.watch.ticks().wrapping_sub(started));
    let s = &mut srv.stats;
    s.n.loop_cycles += 1;
    s.n.loop_us += used;
    s.loop_us_max = s.loop_us_max.max(used);
    s.commands_per_cycle_max = s.commands_per_cycle_max.max(s.n.commands.saturating_sub(commands));
}

/// Writes replies, frees marked clients, and does what must happen before the server waits.
pub fn finish_turn(srv: &mut Server) {
    crate::server::jobs::expire::notice(srv);
    if srv.tracking.broadcast.has_changed() && srv.exec.nesting == 0 {
        srv.broadcast_changes();
    }
    client_memory::evict(srv);
    write_replies(srv);
    writing::report_over_limit(srv);
    // A turn inside a command (a reload serves others meanwhile) frees nobody: the client whose
    // command it is may be among those that were marked.
    if srv.exec.nesting == 0 && srv.clients.has_to_reap() {
        crate::server::reactor::reap::reap(srv);
    }
}

fn wait_time(srv: &Server, max_wait: Option<Duration>) -> Option<Duration> {
    let more = !srv.net.again.is_empty() || !srv.net.accept_again.is_empty();
    let leaving = srv.exec.nesting == 0 && srv.clients.has_to_reap();
    if more || leaving || srv.clients.has_to_write() {
        return Some(Duration::ZERO);
    }
    let now = crate::sys::clock::wall_ms().max(0) as u64;
    let next = srv.net.timers.next_due().map(|at| Duration::from_millis(at.saturating_sub(now)));
    match (next, max_wait) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

fn timers(srv: &mut Server) {
    // The wall clock can be set back; the wheel then waits until time has caught up.
    let now = (srv.clock.now_ms.max(0) as u64).max(srv.net.wheel_now);
    srv.net.wheel_now = now;
    let mut due = Vec::new();
    srv.net.timers.advance(now, &mut due);
    for timer in due {
        match timer {
            Timer::Cron => cron::run(srv),
            Timer::Expire => crate::server::jobs::expire::run(srv),
            Timer::Evict => crate::server::engine::evict::on_timer(srv),
            Timer::Unpause => crate::server::jobs::pause::on_timer(srv),
            Timer::Unblock(id) => time_out(srv, id),
        }
    }
}

/// A parked client's time is up: the reply of a command that found nothing.
fn time_out(srv: &mut Server, id: ClientId) {
    let Some(parked) = dispatch::unpark(srv, id) else { return };
    dispatch::with_reply(srv, id, |_, reply| parked.nothing.write(reply));
    dispatch::account_unblocked(srv, id, &parked, false);
    srv.net.wake(id);
}

/// Runs what woken clients have sent, in the order in which they were woken, all of it: nobody
/// else's next command comes in between, and no reply of this turn leaves before.
fn serve_woken(srv: &mut Server) {
    while !srv.net.woken.is_empty() {
        for id in std::mem::take(&mut srv.net.woken) {
            while is_behind(srv, id) {
                run_pending(srv, id);
            }
        }
    }
    srv.exec.current = None;
    running::idle();
}

/// Whether a client holds commands that have had to wait, and may run them now.
fn is_behind(srv: &Server, id: ClientId) -> bool {
    srv.clients.get(id).is_some_and(|client| {
        let s = &client.session;
        client.query.behind && s.close == Close::No && s.parked.is_none() && !s.postponed
    })
}

fn accept(srv: &mut Server, index: usize) {
    for _ in 0..ACCEPTS {
        let Some(l) = srv.net.listeners.get(index) else { return };
        match l.accept() {
            Ok(conn) => welcome(srv, conn),
            Err(e) if e.kind() == ErrorKind::WouldBlock => return,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => {
                log!(Warning, "Accepting client connection: {e}");
                // Out of descriptors, usually: try again when some may be free.
                srv.net.accept_again.push(index);
                std::thread::sleep(Duration::from_millis(1));
                return;
            }
        }
    }
    srv.net.accept_again.push(index);
}

fn welcome(srv: &mut Server, mut conn: Conn) {
    let local = listener::is_local(&conn);
    let refuse = |conn: &mut Conn, e: &CmdError| {
        let mut reply = Reply::default();
        reply.error(e);
        // The peer may be gone already; it is being turned away anyhow.
        let _ = conn.write(reply.buf());
    };
    srv.stats.n.connections += 1;
    if srv.clients.len() >= srv.cfg.clients.max_clients as usize {
        srv.stats.n.rejected_connections += 1;
        return refuse(&mut conn, &errors::MAX_CLIENTS);
    }
    if srv.cfg.net.protected_mode && srv.cfg.acl.require_pass.is_empty() && !local {
        srv.stats.n.rejected_connections += 1;
        return refuse(&mut conn, &PROTECTED);
    }
    conn.tune(srv.cfg.net.tcp_keepalive_secs as i32);
    let mut session = Session {
        resp3: srv.cfg.clients.default_resp == 3,
        authenticated: srv.cfg.acl.require_pass.is_empty(),
        ..Session::new(&conn, srv.clock.now_ms)
    };
    if conn.is_unix() {
        let path = format!("{}:0", String::from_utf8_lossy(&srv.cfg.net.unix_socket));
        (session.peer, session.local) = (path.clone(), path);
    }
    log!(Verbose, "Accepted {}", session.peer);
    let id = srv.clients.insert(conn, session);
    let Server { clients, net, .. } = srv;
    let Some(client) = clients.get_mut(id) else { return };
    let interest = Interest::READABLE;
    if let Err(e) = client.conn.register(net.poll.registry(), id.token(CLIENTS), interest) {
        log!(Warning, "Error registering fd event for the new client: {e}");
        clients.close(id, Close::Now);
    }
}

const PROTECTED: CmdError = CmdError::new(
    "DENIED Redis is running in protected mode because protected mode is enabled and no password is \
     set for the default user. In this mode connections are only accepted from the loopback interface. \
     To connect from elsewhere set a password (requirepass), or switch the mode off with 'CONFIG SET \
     protected-mode no' from this machine or 'protected-mode no' in the configuration file, after \
     making sure that the server can't be reached from the internet.",
);

fn client_event(srv: &mut Server, id: ClientId, event: &mio::event::Event) {
    if event.is_writable() {
        writing::on_writable(srv, id);
    }
    let Some(client) = srv.clients.get_mut(id) else { return };
    if event.is_read_closed() || event.is_error() {
        client.session.eof = true;
    }
    // Nobody is there to read what is owed.
    if client.session.close == Close::AfterReply && event.is_write_closed() {
        return srv.clients.close(id, Close::Now);
    }
    if event.is_readable() || event.is_read_closed() || event.is_error() {
        read_client(srv, id);
    }
}

/// Reads once from a client and runs what is complete.
fn read_client(srv: &mut Server, id: ClientId) {
    let Some(client) = srv.clients.get_mut(id) else { return };
    if client.session.close != Close::No {
        return;
    }
    if client.session.parked.is_some() || client.session.postponed {
        return read_ahead(srv, id);
    }
    if srv.clients.hold(id) {
        return;
    }
    let Some(client) = srv.clients.get_mut(id) else { return };
    if client.query.behind {
        // Commands that have arrived wait already; more is read when they have run.
        srv.net.again.push(id);
        return run_pending(srv, id);
    }
    let held = !client.query.pending.is_empty();
    let want = client.query.want(READ_SIZE);
    let mut buf = if held {
        std::mem::take(&mut client.query.pending)
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
            // A full buffer means there may be more; a closing peer, that the end is still to come.
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
    if held {
        let Some(client) = srv.clients.get_mut(id) else { return };
        client.query.pending = buf;
        // A command that is too long is refused even if the end of it has come.
        if within_query_limit(srv, id, have) {
            run_pending(srv, id);
        }
    } else {
        let partial = Partial::default();
        let (used, partial) = run_buffer(srv, id, &buf[..have], partial);
        keep_rest(srv, id, &buf[used..have], partial);
        srv.net.read_buf = buf;
    }
    if ended {
        log!(Verbose, "Client closed connection");
        let Some(client) = srv.clients.get(id) else { return };
        // What it asked for before it left is still answered; the other half may be open.
        let how = if client.outbox.is_empty() { Close::Now } else { Close::AfterReply };
        srv.clients.close(id, how);
    }
}

/// Reads from a client that waits, for its commands to be run later. Its end is noticed whatever it
/// has sent before, and no more is kept for it than for anybody.
fn read_ahead(srv: &mut Server, id: ClientId) {
    let Some(client) = srv.clients.get_mut(id) else { return };
    match client.conn.read_into(&mut client.query.pending, READ_SIZE) {
        Ok(0) => {
            log!(Verbose, "Client closed connection");
            return srv.clients.close(id, Close::Now);
        }
        Ok(n) => {
            client.query.behind = true;
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
    let have = client.query.pending.len();
    within_query_limit(srv, id, have);
    if srv.clients.tally.files() {
        srv.clients.account(id, 0);
    }
}

/// Runs what is complete in a client's own buffer and keeps the rest in it.
fn run_pending(srv: &mut Server, id: ClientId) {
    let Some(client) = srv.clients.get_mut(id) else { return };
    let mut buf = std::mem::take(&mut client.query.pending);
    let partial = std::mem::take(&mut client.query.partial);
    let (used, partial) = run_buffer(srv, id, &buf, partial);
    let Some(client) = srv.clients.get_mut(id) else { return };
    buf.drain(..used);
    client.query.pending = buf;
    client.query.reserve_for(partial);
    if srv.clients.tally.files() {
        srv.clients.account(id, 0);
    }
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

/// Whether a client that has sent `have` bytes that have not run may go on. What it has queued in
/// a transaction counts as well. One that may not is closed.
fn within_query_limit(srv: &mut Server, id: ClientId, have: usize) -> bool {
    let limit = srv.cfg.clients.query_buffer_limit;
    let Some(client) = srv.clients.get(id) else { return false };
    let queued = client.session.multi.as_ref().map_or(0, |m| m.arg_bytes);
    have + queued <= limit || {
        refuse_query(srv, id);
        false
    }
}

/// Closes a client that has sent more than may wait.
#[cold]
fn refuse_query(srv: &mut Server, id: ClientId) {
    let Some(client) = srv.clients.get(id) else { return };
    let mut start = Vec::new();
    let pending = &client.query.pending;
    crate::util::split::repr_into(&mut start, &pending[..64.min(pending.len())]);
    log!(
        Warning,
        "Closing client that reached max query buffer length: {} (qbuf initial bytes: {})",
        describe(srv, client),
        String::from_utf8_lossy(&start)
    );
    srv.stats.n.query_limit_disconnections += 1;
    srv.clients.close(id, Close::Now);
}

/// Parses and runs the complete commands of `data`. Returns the bytes used and what is known of the
/// unfinished command behind them.
fn run_buffer(srv: &mut Server, id: ClientId, data: &[u8], partial: Partial) -> (usize, Partial) {
    if data.is_empty() {
        return (0, partial);
    }
    let Some(client) = srv.clients.get(id) else { return (data.len(), Partial::default()) };
    let mut limits = Limits {
        max_bulk: srv.cfg.clients.max_bulk_bytes as usize,
        trusted: client.session.authenticated,
    };
    let mut batch = std::mem::take(&mut srv.net.batch).reuse();
    // Before a client has authenticated its limits are narrow, and AUTH lifts them for what follows it.
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
        let mut stopped = run_parsed(srv, id, rest, &batch, parsed.error);
        if more && stopped.is_none() && slice_is_over(srv) {
            srv.net.again.push(id);
            stopped = Some(parsed.used);
        }
        partial = parsed.partial;
        used += stopped.unwrap_or(parsed.used);
        match stopped {
            // What follows is parsed again when the client goes on, an error in it included.
            Some(_) => partial = Partial::default(),
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

/// Runs the parsed commands and replies to what could not be parsed. `Some(offset)`: stopped early.
fn run_parsed(
    srv: &mut Server,
    id: ClientId,
    data: &[u8],
    batch: &Batch<'_>,
    error: Option<ProtoError>,
) -> Option<usize> {
    if batch.cmds.is_empty() && error.is_none() {
        return None;
    }
    srv.clients.get(id)?;
    let spare = srv.clients.spare();
    let client = srv.clients.get_mut(id).expect("looked up above");
    let mut reply = Reply::new(client.outbox.check_out(spare), client.session.resp3);
    reply.set_limit(srv.clients.reply_bound(id));
    let stopped = run_batch(srv, id, data, batch, &mut reply);
    if let (None, Some(e)) = (stopped, error) {
        let e = CmdError::err([b"Protocol error: ", &e.text()[..]].concat());
        reply.error(&e);
        srv.stats.error(e.code());
        log!(Verbose, "Protocol error from client: {}", String::from_utf8_lossy(e.bytes()));
        srv.clients.close(id, Close::AfterReply);
    }
    if let Some(client) = srv.clients.get_mut(id) {
        client.session.resp3 = reply.resp3();
        client.room.used(reply.len());
        client.outbox.check_in(reply.into_buf());
        srv.clients.after_reply(id);
    }
    stopped
}

/// Runs the commands of a batch. `Some(offset)`: stopped early, the client goes on from there later.
fn run_batch(
    srv: &mut Server,
    id: ClientId,
    data: &[u8],
    batch: &Batch<'_>,
    reply: &mut Reply,
) -> Option<usize> {
    let mut ahead = [Ahead::default(); PREFETCH];
    let bound = reply.limit().map_or(YIELD_BYTES, |limit| limit.min(YIELD_BYTES));
    let files = srv.clients.tally.files();
    for group in batch.cmds.chunks(PREFETCH) {
        ahead::look(srv, id, batch, group, &mut ahead);
        account::begin_group(srv, group.len(), data.len());
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
                    srv.clients.account(id, reply.len() + data.len());
                }
                match outcome {
                    Outcome::Done if reply.len() < bound && !slice_is_over(srv) => {}
                    Outcome::Done
                        if reply.is_too_long() && srv.clients.check_output(id, reply.len()) =>
                    {
                        break 'group Some(data.len());
                    }
                    Outcome::Done => {
                        srv.net.again.push(id);
                        break 'group Some(cmd.span.end);
                    }
                    Outcome::Parked => break 'group Some(cmd.span.end),
                    Outcome::Postponed => break 'group Some(cmd.span.start),
                    Outcome::Closing => break 'group Some(data.len()),
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

/// Whether the running client has had its share of the turn. The time is that of the latest end of a command that was
/// accounted for.
#[inline]
fn slice_is_over(srv: &Server) -> bool {
    srv.clock.ticks.wrapping_sub(srv.net.slice_from) > srv.net.slice_ticks
}

/// Serves other clients while something slow is going on: one turn that does not wait.
pub fn serve_while_busy(srv: &mut Server) {
    let mut events = Events::with_capacity(256);
    // Whose command is running, and what is still to be told at its end, stays as it is.
    let current = srv.exec.current;
    let own = std::mem::take(&mut srv.tracking.own);
    let running = running::now();
    turn(srv, &mut events, Some(Duration::ZERO));
    running::resume(running);
    srv.exec.current = current;
    srv.tracking.own = own;
}
