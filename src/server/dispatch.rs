//! The only way to run a command.
//!
//! ```text
//! process_command   find the row, gate (may it run now?), queue in MULTI, or:
//!   call            build Env and Effects, run the handler, write its error, decide what is
//!                   propagated, settle the effects, statistics, slow log
//!   flush_unit      at the end of a top-level unit: its writes leave together
//!   serve_ready     clients parked on keys that became ready run their commands again
//! ```
//! EXEC, scripts, replication and replayed files come in through `call` as well.

use crate::commands::spec;
use crate::commands::{CmdResult, Ctx, Flow, Wait};
use crate::keyspace::db::DbMut;
use crate::keyspace::effects::{self, Effects, Op, Propagate};
use crate::keyspace::env::{Env, Expiry, Lfu, Origin};
use crate::keyspace::store::Key;
use crate::net::clients::ClientId;
use crate::net::session::{Close, Parked, Queued, ReplyMode};
use crate::resp::argv::Argv;
use crate::resp::errors::CmdError;
use crate::resp::reply::Reply;
use crate::server::table::{Handler, Row, Table};
use crate::server::{Call, Server, account, gate, invalidate};

/// What became of a client's command, for the loop over its pipeline.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum Outcome {
    Done,
    /// The client is parked: its later commands wait.
    Parked,
    /// The command itself waits for the end of a pause.
    Postponed,
    /// The connection ends: its later commands are not run.
    Closing,
}

/// Finds the row of a command, down to the subcommand, or the error that says it does not exist.
#[inline]
pub fn find(table: &Table, argv: Argv<'_>) -> Result<&'static Row, CmdError> {
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
        args.extend_from_slice(&arg[..arg.len().min(room)]);
        args.extend_from_slice(b"' ");
    }
    let name = &argv[0][..argv[0].len().min(LIMIT)];
    let text = [b"unknown command '", name, b"', with args beginning with: ", &args[..]].concat();
    CmdError::err(text)
}

impl Server {
    /// Facts for a command of `client` in database `db`.
    #[inline]
    pub fn env(&mut self, db: u32, origin: Origin, no_touch: bool) -> Env {
        let policy = self.cfg.memory.policy;
        let lfu = policy.is_lfu().then_some(Lfu {
            log_factor: self.cfg.memory.lfu_log_factor,
            decay_minutes: self.cfg.memory.lfu_decay_time_mins,
        });
        let random = self.exec.draw();
        Env {
            now_ms: self.clock.now_ms,
            lru_clock: access_clock(self.clock.now_ms, lfu.is_some()),
            db,
            origin,
            expiry: match (self.loading.is_some(), self.pause.scope()) {
                (true, _) => Expiry::Ignore,
                (false, Some(_)) => Expiry::Hide,
                (false, None) => Expiry::Delete,
            },
            deny_blocking: origin != Origin::Client,
            touch: self.child.is_none() && !no_touch,
            lfu,
            random,
        }
    }

    /// Tells the latency monitor how long something took.
    pub fn note_latency(&mut self, event: &'static str, us: u64) {
        let threshold = self.cfg.stats.latency_threshold_ms;
        self.latency.note(event, us, threshold, self.clock.now_ms);
    }

    /// Who listens for consequences now. Called by those who start or stop listening.
    pub fn rearm(&mut self) {
        let mut armed = 0;
        if !self.watch.is_empty() || !self.tracking.is_idle() {
            armed |= effects::TOUCHED;
        }
        if self.tracking.active() > 0 {
            armed |= effects::CACHED;
        }
        if self.cfg.keyspace.notify_events & 3 != 0 && !self.pubsub.is_empty() {
            armed |= effects::EVENTS;
        }
        if !self.blocked.is_empty() {
            armed |= effects::READY;
        }
        if self.exec.stream.is_some() {
            armed |= effects::STREAM;
        }
        self.exec.armed = armed;
    }
}

/// Seconds for LRU, minutes for LFU.
pub fn access_clock(now_ms: i64, lfu: bool) -> u32 {
    if lfu { (now_ms / 60_000) as u32 & 0xffff } else { (now_ms / 1000) as u32 & 0xff_ffff }
}

/// One parsed command of a connected client: its reply goes to `reply`.
///
/// `known` is the row if it has been looked up already, `memo` the first key with its hash.
#[inline]
pub fn process_command(
    srv: &mut Server,
    id: ClientId,
    argv: Argv<'_>,
    known: Option<&'static Row>,
    memo: Option<Key<'_>>,
    reply: &mut Reply,
) -> Outcome {
    srv.exec.current = Some(id);
    let mut before = reply.len();
    let outcome = run(srv, id, argv, known, memo, reply, &mut before);
    if outcome == Outcome::Postponed {
        // It has not run: whether it is to have a reply is asked when it does.
        return outcome;
    }
    let Some(session) = srv.clients.session_mut(id) else { return Outcome::Closing };
    if session.reply_mode != ReplyMode::On {
        match session.reply_mode {
            ReplyMode::Skip => session.reply_mode = ReplyMode::On,
            ReplyMode::SkipNext => {
                // Set by the command just run, which has no reply itself.
                session.reply_mode = ReplyMode::Skip;
            }
            _ => {}
        }
        reply.truncate(before);
    }
    let closing = session.close != Close::No;
    if session.tracking.as_ref().is_some_and(|t| t.caching) && outcome != Outcome::Parked {
        invalidate::end_of_caching(session, find(srv.table, argv).ok());
    }
    if srv.clients.has_waiting_pushes() {
        srv.deliver_pushes(id, reply);
        // In a turn within a command that command's client may still have some.
        if srv.exec.nesting == 0 {
            srv.clients.no_waiting_pushes();
        }
    }
    if closing { Outcome::Closing } else { outcome }
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
        Err(e) => {
            gate::refuse(srv, id, None, &e, reply);
            return Outcome::Done;
        }
    };
    let admitted = gate::admit(srv, id, row, argv);
    // What making room told this client is about values that the command no longer sees.
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
            super::pause::postpone(srv, id);
            return Outcome::Postponed;
        }
        Ok(gate::Admitted::Gone) => return Outcome::Closing,
        Err(e) => {
            gate::refuse(srv, id, Some(row), &e, reply);
            return Outcome::Done;
        }
    }
    let outcome = run_unit(srv, id, row, argv, memo, reply);
    if srv.blocked.has_ready() && srv.exec.nesting == 0 {
        serve_ready(srv, id, reply);
    }
    outcome
}

fn queue(srv: &mut Server, id: ClientId, row: &'static Row, argv: Argv<'_>) {
    let Some(session) = srv.clients.session_mut(id) else { return };
    let multi = session.multi.get_or_insert_default();
    multi.flags |= row.flags;
    multi.arg_bytes += argv.bytes() + argv.len() * size_of::<usize>();
    multi.queue.push(Queued { command: row.id, argv: argv.to_owned() });
}

/// Runs an admitted command as a unit of its own.
fn run_unit(
    srv: &mut Server,
    id: ClientId,
    row: &'static Row,
    argv: Argv<'_>,
    memo: Option<Key<'_>>,
    reply: &mut Reply,
) -> Outcome {
    let session = srv.clients.session_mut(id).expect("clients are only reaped between events");
    session.last_command = Some(row.id);
    let (db, no_touch) = (session.db, session.no_touch);
    super::crash::running(row.id, db, session.serial, session.fd);
    let mut top = Call {
        client: id,
        row,
        argv,
        reply,
        fx: Effects::new(srv.exec.armed, db),
        env: srv.env(db, Origin::Client, no_touch && row.name() != "touch"),
    };
    let flow = call(srv, &mut top, memo);
    if srv.exec.nesting == 0 {
        if !srv.exec.ops.is_empty() {
            srv.flush_unit();
        }
        if !srv.tracking.own.is_empty() {
            srv.settle_own(id);
        }
    }
    match flow {
        Ok(Flow::Block(wait)) => {
            park(srv, id, row, argv, db, *wait);
            Outcome::Parked
        }
        _ => Outcome::Done,
    }
}

/// Runs one command: for a client, inside EXEC, for a script, from a file.
pub fn call(srv: &mut Server, call: &mut Call<'_>, memo: Option<Key<'_>>) -> CmdResult {
    let row = call.row;
    let shares = account::may_share(srv, call);
    if !shares {
        account::settle(srv);
    }
    let (started, replied) = (srv.clock.ticks, call.reply.len());
    srv.exec.nesting += 1;
    let result = match row.handler {
        Handler::Data(f) => {
            let Server { ks, limits, lazyfree, .. } = &mut *srv;
            let store = ks.db_mut(call.env.db as usize);
            f(&mut Ctx {
                db: DbMut::new(store, &call.env, memo, *lazyfree),
                argv: call.argv,
                reply: call.reply,
                fx: &mut call.fx,
                limits,
                env: &call.env,
            })
        }
        Handler::Server(f) => f(srv, call),
        Handler::Container => Err(crate::resp::errors::wrong_arity(row.name())),
    };
    srv.exec.nesting -= 1;
    if let Err(e) = &result {
        fail(srv, call, e);
    }
    let says_form = matches!(call.fx.propagate, Propagate::Rewritten(_));
    if call.fx.dirty > 0 || !call.fx.ops().is_empty() || says_form {
        srv.rdb.dirty += call.fx.dirty;
        propagate(call);
    }
    let c = &call.fx.counters;
    srv.stats.n.keyspace_hits += u64::from(c.hits);
    srv.stats.n.keyspace_misses += u64::from(c.misses);
    srv.stats.n.expired_keys += u64::from(c.expired);
    srv.stats.n.expired_fields += u64::from(c.expired_fields);
    let more = srv.settle(&mut call.fx);
    if srv.exec.armed & effects::CACHED != 0 && row.has(spec::READONLY) {
        invalidate::remember(srv, call);
    }
    if !srv.clients.monitors().is_empty() && !srv.exec.again {
        super::admin::monitor::feed(srv, call);
    }
    let reply = call.reply.len().saturating_sub(replied);
    account::finish(srv, call, &result, shares && !more, reply, started);
    result
}

#[cold]
fn fail(srv: &mut Server, call: &mut Call<'_>, e: &CmdError) {
    call.reply.error(e);
    srv.stats.error(e.code());
    srv.stats.commands[usize::from(call.row.id)].failed += 1;
}

/// Adds the command itself to the stream, in the form it asked for.
fn propagate(call: &mut Call<'_>) {
    if call.fx.armed & effects::STREAM == 0 {
        return;
    }
    let form = std::mem::take(&mut call.fx.propagate);
    let argv = match form {
        Propagate::Never => return,
        Propagate::Rewritten(argv) => argv,
        // MULTI, EXEC and the like change nothing themselves.
        Propagate::AsIs if call.fx.dirty == 0 || !call.row.has(spec::WRITE) => return,
        Propagate::AsIs => call.argv.to_owned(),
    };
    call.fx.push_op(Op { db: call.env.db, argv });
}

impl Server {
    /// End of a top-level unit: several operations travel as one transaction.
    pub fn flush_unit(&mut self) {
        debug_assert_eq!(self.exec.nesting, 0);
        let ops = std::mem::take(&mut self.exec.ops);
        let Some(stream) = &mut self.exec.stream else { return };
        let word = |w: &str, db| Op { db, argv: vec![w.as_bytes().to_vec()] };
        match (ops.first().map(|o| o.db), ops.last().map(|o| o.db)) {
            (Some(first), Some(last)) if ops.len() > 1 => {
                stream.push(word("MULTI", first));
                stream.extend(ops);
                stream.push(word("EXEC", last));
            }
            _ => stream.extend(ops),
        }
    }
}

fn park(srv: &mut Server, id: ClientId, row: &'static Row, argv: Argv<'_>, db: u32, wait: Wait) {
    let keys: Vec<(u32, Vec<u8>)> = wait.keys.into_iter().map(|k| (db, k)).collect();
    srv.blocked.park(id, &keys);
    srv.rearm();
    let timer = wait.until_ms.map(|at| srv.net.set_timer(at, super::turn::Timer::Unblock(id)));
    let parked = Parked {
        command: Queued { command: row.id, argv: argv.to_owned() },
        keys,
        since_ms: srv.clock.now_ms,
        timer,
        until_ms: wait.until_ms,
        wants: wait.wants,
        nothing: wait.nothing,
    };
    if let Some(session) = srv.clients.session_mut(id) {
        session.parked = Some(Box::new(parked));
    }
}

/// Takes a client off its keys and cancels its time-out; its command is handed back.
pub fn unpark(srv: &mut Server, id: ClientId) -> Option<Box<Parked>> {
    let parked = srv.clients.session_mut(id)?.parked.take()?;
    srv.blocked.unpark(id, &parked.keys);
    if let Some(timer) = parked.timer {
        srv.net.cancel_timer(timer);
    }
    srv.rearm();
    Some(parked)
}

/// Accounts for a parked command that ends without having run again: its time was up, or it was told to give up.
pub fn account_unblocked(srv: &mut Server, id: ClientId, parked: &Parked, failed: bool) {
    if let Some(session) = srv.clients.session_mut(id) {
        invalidate::end_of_caching(session, None);
    }
    let stats = &mut srv.stats.commands[usize::from(parked.command.command)];
    stats.record(0, 1, srv.cfg.stats.latency_tracking);
    stats.failed += u64::from(failed);
    srv.stats.n.commands += 1;
}

/// Wakes clients parked on ready keys, by running their commands again.
///
/// Not recursive: a command woken here may make further keys ready; they join the end of the queue, so
/// clients are served in the order in which keys became ready, then in the order of parking.
/// `current` is the client whose command made the keys ready: its outbox is lent, its reply is here.
fn serve_ready(srv: &mut Server, current: ClientId, current_reply: &mut Reply) {
    while let Some(key) = srv.blocked.next_ready() {
        // Those that wait now: one that parks again goes to the tail and is not tried twice.
        for id in srv.blocked.waiting_for(&key) {
            let Some(holds) = srv.ks.type_of(key.0, &key.1, srv.clock.now_ms) else { break };
            // One that is about to leave takes nothing with it.
            let session = srv.clients.session(id).filter(|s| s.close != Close::Now);
            let parked = session.and_then(|s| s.parked.as_ref());
            // Who waits for another type keeps its place.
            if parked.is_none_or(|p| p.wants.is_some_and(|wants| wants != holds)) {
                continue;
            }
            let Some(parked) = unpark(srv, id) else { continue };
            if id == current {
                rerun(srv, id, &parked, current_reply);
            } else {
                with_reply(srv, id, |srv, reply| rerun(srv, id, &parked, reply));
                srv.net.resume(id);
            }
        }
    }
}

fn rerun(srv: &mut Server, id: ClientId, parked: &Parked, reply: &mut Reply) {
    let row = srv.table.by_id(parked.command.command);
    let argv: Vec<&[u8]> = parked.command.argv.iter().map(Vec::as_slice).collect();
    let argv = Argv::new(&argv);
    let caller = srv.exec.current.replace(id);
    let admitted = gate::admit(srv, id, row, argv);
    if srv.clients.has_waiting_pushes() {
        srv.deliver_pushes(id, reply);
    }
    // What may not run now is refused, though it could wait: memory may have run out since.
    let outcome = match admitted {
        Err(e) => {
            gate::refuse(srv, id, Some(row), &e, reply);
            Outcome::Done
        }
        Ok(_) => {
            srv.exec.again = true;
            let outcome = run_unit(srv, id, row, argv, None, reply);
            srv.exec.again = false;
            outcome
        }
    };
    srv.exec.current = caller;
    if outcome != Outcome::Parked {
        if let Some(session) = srv.clients.session_mut(id) {
            invalidate::end_of_caching(session, Some(row));
        }
        return;
    }
    // Parked again: the wait began when the client first asked, and ends when it said it would.
    let timer = parked.until_ms.map(|at| srv.net.set_timer(at, super::turn::Timer::Unblock(id)));
    let Some(again) = srv.clients.session_mut(id).and_then(|s| s.parked.as_mut()) else { return };
    (again.since_ms, again.until_ms) = (parked.since_ms, parked.until_ms);
    if let Some(new) = std::mem::replace(&mut again.timer, timer) {
        srv.net.cancel_timer(new);
    }
}

/// Lends a client's outbox to `f` as a reply buffer and schedules it for writing. A client that wants no replies gets
/// none.
pub fn with_reply(srv: &mut Server, id: ClientId, f: impl FnOnce(&mut Server, &mut Reply)) {
    let spare = srv.clients.spare();
    let Some(client) = srv.clients.get_mut(id) else { return srv.clients.give_back(spare) };
    let mut reply = Reply::new(client.outbox.check_out(spare), client.session.resp3);
    let before = reply.len();
    reply.set_limit(srv.clients.reply_bound(id));
    f(srv, &mut reply);
    if let Some(client) = srv.clients.get_mut(id) {
        if client.session.reply_mode == ReplyMode::Off {
            reply.truncate(before);
        }
        client.room.used(reply.len());
        client.outbox.check_in(reply.into_buf());
        srv.clients.after_reply(id);
    }
}
