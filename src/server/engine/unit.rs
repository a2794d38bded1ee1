//! The one way to run anything that may change data, and what leaves together.
//!
//! ```text
//! within    a unit inside another: what ran before goes on as it was
//! command   a client's command, admitted by the gate, as a unit
//! act       what the server does to one database by itself: expiry, eviction, delayed entries
//! members   commands of the running unit that come from elsewhere: what EXEC runs
//!   call      one command
//! ```
//! `call` runs the handler with `Env` (what it may know) and `Effects` (what it leaves to be done).
//! Then, in this order: an error becomes the reply; the effects are settled; the command goes into
//! the stream, in the form that it asked for; its keys are remembered for a client that caches;
//! MONITOR shows it; its time is accounted for. Keys that were past their time are among the
//! effects, so the stream has their deletion before the command that found them.
//!
//! EXEC runs its members through `call` within its own unit; scripts and links will do the same.
//! Commands of an append-only file have a way of their own (`engine/replay.rs`), within a unit too.
//! Writes go into the stream as they happen. `close` ends the unit, but only when the
//! outermost call has ended (`Exec::nesting` is 0).

use crate::commands::spec;
use crate::commands::{CmdResult, Ctx};
use crate::keyspace::db::DbMut;
use crate::keyspace::effects::{self, Effects, Propagate};
use crate::keyspace::env::{Env, Expiry, Lfu, Origin};
use crate::keyspace::store::Key;
use crate::net::clients::ClientId;
use crate::resp::argv::Argv;
use crate::resp::errors::CmdError;
use crate::resp::reply::Reply;
use crate::server::engine::{account, audit, divergence, invalidate, monitor};
use crate::server::parts::clock::access_clock;
use crate::server::parts::exec::Unit;
use crate::server::parts::running;
use crate::server::parts::stream;
use crate::server::parts::table::Handler;
use crate::server::parts::{Call, Row, Server};

impl Server {
    /// Facts for the next command of the unit.
    #[inline]
    pub(crate) fn env(&mut self, no_touch: bool) -> Env {
        let Unit { db, origin, .. } = self.exec.unit;
        self.env_in(db, origin, no_touch)
    }

    /// The same for a command that is known: one that writes to a replica that lets it deletes what
    /// is past its time.
    #[inline]
    pub(crate) fn env_of(&mut self, row: &Row, no_touch: bool) -> Env {
        let mut env = self.env(no_touch);
        if env.expiry == Expiry::Hide && row.has(spec::WRITE) && self.pause.scope().is_none() {
            env.expiry = Expiry::Delete;
        }
        env
    }

    /// Facts for what the server does by itself in database `db`, whatever runs.
    #[inline]
    pub(crate) fn env_in(&mut self, db: u32, origin: Origin, no_touch: bool) -> Env {
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
            // What the primary says is about keys that are there for it.
            expiry: if self.exec.unit.obeys { Expiry::Ignore } else { self.exec.expiry },
            deny_blocking: origin != Origin::Client || self.exec.unit.obeys,
            touch: self.child.is_none() && !no_touch,
            lfu,
            random,
        }
    }

    /// Tells the latency monitor how long something took.
    pub(crate) fn note_latency(&mut self, event: &'static str, us: u64) {
        let threshold = self.cfg.stats.latency_threshold_ms;
        self.latency.note(event, us, threshold, self.clock.now_ms);
    }
}

/// Runs `f` as a unit inside whatever runs now, which then goes on as it was. Messages for the
/// unit's client that came up in it are told at its end.
pub(crate) fn within<R>(srv: &mut Server, unit: Unit, f: impl FnOnce(&mut Server) -> R) -> R {
    let outer = std::mem::replace(&mut srv.exec.unit, unit);
    let own = std::mem::take(&mut srv.tracking.own);
    let result = f(srv);
    close(srv);
    srv.tracking.own = own;
    srv.exec.unit = outer;
    result
}

/// Runs `f`, whose commands belong to the running unit but come from elsewhere: from a queue, say.
pub(crate) fn members<R>(srv: &mut Server, origin: Origin, f: impl FnOnce(&mut Server) -> R) -> R {
    let outer = std::mem::replace(&mut srv.exec.unit.origin, origin);
    let result = f(srv);
    srv.exec.unit.origin = outer;
    srv.exec.time_us = None;
    result
}

/// The outermost call of a unit has ended: its writes leave together, then its client hears of keys
/// that it had cached.
#[inline(always)]
fn close(srv: &mut Server) {
    if srv.exec.nesting == 0 {
        srv.stream.close();
        if !srv.tracking.own.is_empty()
            && let Some(id) = srv.exec.unit.client
        {
            srv.settle_own(id);
        }
    }
}

/// Changes a database on the server's own behalf, as a unit of its own. `tell` records who must be
/// told of it.
///
/// Returns the bytes that the change has freed. The messages about it take memory, but are not
/// subtracted: otherwise eviction would go on because of its own messages.
pub(crate) fn act(
    srv: &mut Server,
    db: u32,
    change: impl FnOnce(&mut DbMut<'_>, &mut Effects),
    tell: impl FnOnce(&mut Effects),
) -> u64 {
    let env = srv.env_in(db, Origin::Client, true);
    let mut fx = Effects::new(srv.exec.armed, db);
    let before = srv.memory.used();
    change(&mut DbMut::new(srv.ks.db_mut(db as usize), &env, None, srv.lazyfree), &mut fx);
    acted(srv, fx, before, tell)
}

/// The same with all that a command has, but for a client.
pub(crate) fn act_as_command(srv: &mut Server, db: u32, change: impl FnOnce(&mut Ctx<'_>)) {
    let env = srv.env_in(db, Origin::Client, true);
    let mut fx = Effects::new(srv.exec.armed, db);
    let (before, mut reply) = (srv.memory.used(), Reply::new(Vec::new(), false));
    let Server { ks, limits, lazyfree, .. } = &mut *srv;
    change(&mut Ctx {
        db: DbMut::new(ks.db_mut(db as usize), &env, None, *lazyfree),
        argv: Argv::new(&[b""]),
        reply: &mut reply,
        fx: &mut fx,
        limits,
        env: &env,
    });
    srv.rdb.dirty += fx.dirty;
    acted(srv, fx, before, |_| ());
}

fn acted(srv: &mut Server, mut fx: Effects, before: u64, tell: impl FnOnce(&mut Effects)) -> u64 {
    srv.drop_values(fx.take_dropped());
    let freed = before.saturating_sub(srv.memory.used());
    tell(&mut fx);
    srv.stats.n.expired_keys += u64::from(fx.counters.expired);
    srv.stats.n.expired_fields += u64::from(fx.counters.expired_fields);
    srv.settle(&mut fx);
    close(srv);
    freed
}

/// Runs an admitted command as a unit of its own.
pub(crate) fn command(
    srv: &mut Server,
    id: ClientId,
    row: &'static Row,
    argv: Argv<'_>,
    memo: Option<Key<'_>>,
    reply: &mut Reply,
) -> CmdResult {
    let session = srv.clients.session(id).expect("clients are only reaped between events");
    let (db, no_touch) = (session.db, session.no_touch);
    running::note(row.id, db, session.serial, session.fd);
    (srv.exec.unit.db, srv.exec.unit.obeys) = (db, session.primary);
    let mut top = Call {
        client: id,
        row,
        argv,
        reply,
        fx: Effects::new(srv.exec.armed, db),
        env: srv.env_of(row, no_touch && row.name() != "touch"),
    };
    let flow = call(srv, &mut top, memo);
    close(srv);
    flow
}

/// Runs one command: for a client, or inside EXEC.
pub(crate) fn call(srv: &mut Server, call: &mut Call<'_>, memo: Option<Key<'_>>) -> CmdResult {
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
    srv.rdb.dirty += call.fx.dirty;
    let c = &call.fx.counters;
    srv.stats.n.keyspace_hits += u64::from(c.hits);
    srv.stats.n.keyspace_misses += u64::from(c.misses);
    if c.expired | c.expired_fields != 0 {
        srv.stats.n.expired_keys += u64::from(c.expired);
        srv.stats.n.expired_fields += u64::from(c.expired_fields);
    }
    let more = srv.settle(&mut call.fx);
    if more && srv.exec.nesting == 0 && row.has(spec::TOUCHES_ARBITRARY_KEYS) {
        // Compat: what such a command has found to be past its time is no transaction.
        srv.stream.loosen();
    }
    if call.fx.armed & (effects::STREAM | effects::OWN_KEYS) != 0 {
        propagate(srv, call);
    }
    if srv.exec.armed & (effects::CACHED | effects::AUDITED) != 0 {
        remember(srv, call, &result);
    }
    if !srv.clients.monitors().is_empty() && !srv.exec.unit.again {
        monitor::feed(srv, call);
    }
    let reply = call.reply.len().saturating_sub(replied);
    account::finish(srv, call, &result, shares && !more, reply, started);
    result
}

/// Notes the command where somebody has asked for that: its keys for a client that caches, itself
/// for the audit log.
#[cold]
fn remember(srv: &mut Server, call: &mut Call<'_>, result: &CmdResult) {
    if srv.exec.armed & effects::CACHED != 0 && call.row.has(spec::READONLY) {
        invalidate::remember(srv, call);
    }
    if srv.exec.armed & effects::AUDITED != 0 {
        audit::command(srv, call, result);
    }
}

#[cold]
fn fail(srv: &mut Server, call: &mut Call<'_>, e: &CmdError) {
    call.reply.error(e);
    srv.stats.error(e.code());
    srv.stats.commands[usize::from(call.row.id)].failed += 1;
    divergence::note(srv, call.client, Some(call.row), e);
}

/// Adds the command itself to the stream, in the form it asked for. O(bytes); without an allocation
/// when it goes as the client sent it.
fn propagate(srv: &mut Server, call: &mut Call<'_>) {
    let db = call.env.db;
    if call.fx.armed & effects::OWN_KEYS != 0 && call.row.has(spec::WRITE) {
        divergence::note_own_keys(srv, call);
    }
    let args = call.argv.iter().copied();
    match call.fx.propagate {
        Propagate::Never => {}
        Propagate::ToReplicas => {
            srv.stream.add(db, args, stream::REPLICAS & srv.exec.targets);
        }
        // MULTI, EXEC and the like change nothing themselves.
        Propagate::AsIs if call.fx.dirty == 0 || !call.row.has(spec::WRITE) => {}
        Propagate::AsIs => srv.stream.add(db, args, srv.exec.targets),
    }
}
