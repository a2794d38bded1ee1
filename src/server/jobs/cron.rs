//! What is done `hz` times a second, whether or not a client asks for anything.
//!
//! A run sets the timer for the next one first. Then it samples rates and the memory peak, looks
//! after a part of the clients (idle ones, their buffers, the time of soft output limits), lets
//! tables grow or shrink, and asks for the child, save points, kept connections, the table of
//! cached keys and expiry. Each client has its turn about once a second, however many there are.
//!
//! The child is asked for before the save points, so that a save that waited for its end can start
//! in the same run. A shutdown that a signal asked for comes last.
//!
//! A turn within a command or a load calls `while_busy` instead, which changes no data and starts
//! no job: the work in progress does not expect that.

use crate::log;
use crate::net::session::Close;
use crate::net::usage::Resized;
use crate::server::engine::{account, audit, evict};
use crate::server::jobs::aof::rewrite;
use crate::server::jobs::repl::{apply, failover, primary, replica, snapshot};
use crate::server::jobs::{child, children, save, sentinel, survey, tls};
use crate::server::parts::Server;
use crate::server::parts::net::Timer;

/// Clients looked after in one run at least.
const MIN_CLIENTS: usize = 5;
/// Rates are sampled this often, in microseconds.
const SAMPLE_US: u64 = 100_000;

pub(crate) fn run(srv: &mut Server) {
    let started = srv.clock.watch.ticks();
    let hz = i64::from(srv.cfg.process.hz.clamp(1, 500));
    let hz = sentinel::hz(srv).unwrap_or(hz);
    srv.net.set_timer(srv.clock.now_ms + 1000 / hz, Timer::Cron);
    srv.watchdog.rearm();
    srv.net.retry_accepts();
    if !srv.debug.pause_cron {
        sample(srv);
        evict::tend(srv);
        srv.metrics.tend(srv.clock.now_ms);
        end_hotkeys(srv);
        survey::step(srv);
        clients(srv, hz as usize);
        let now = srv.clock.now_ms;
        srv.ks.tend(now);
        children::check(srv);
        child::check_sessions(srv);
        rewrite::on_cron(srv);
        save::on_cron(srv);
        rewrite::on_growth(srv);
        replication(srv);
        sentinel::on_cron(srv);
        srv.migrate.tend(srv.clock.now_ms);
        srv.tend_tracking();
        audit::on_cron(srv);
        crate::server::jobs::expire::schedule(srv);
    }
    crate::server::jobs::shutdown::on_cron(srv);
    srv.cron.runs += 1;
    let used = srv.clock.watch.us(srv.clock.watch.ticks().wrapping_sub(started));
    srv.stats.cron_us += used;
}

/// A session of HOTKEYS ends when its time is up.
fn end_hotkeys(srv: &mut Server) {
    let now = srv.clock.now_ms;
    if let Some(session) = srv.hotkeys.as_mut().filter(|session| session.is_over(now)) {
        session.stop(now);
        account::adopt(srv);
    }
}

/// The part of it that goes on in a turn within a command or a load.
pub(crate) fn while_busy(srv: &mut Server) {
    // Compat: to the watchdog a load that waits for its primary now and then stands still. Who has
    // switched it on wants to hear of that.
    if srv.loading.as_ref().is_none_or(|loading| !loading.from_primary) {
        srv.watchdog.rearm();
    }
    srv.net.retry_accepts();
    if !srv.debug.pause_cron {
        sample(srv);
        srv.metrics.tend(srv.clock.now_ms);
    }
    apply::while_loading(srv);
}

/// Replication: the link to the primary, and what replicas wait for.
fn replication(srv: &mut Server) {
    let second = srv.clock.now_ms / 1000;
    let new = std::mem::replace(&mut srv.repl.cron_secs, second) != second;
    failover::on_cron(srv);
    replica::on_cron(srv, new);
    if new {
        tls::on_cron(srv);
        primary::on_second(srv, second);
    }
    snapshot::start_if_due(srv);
}

/// Time is taken from the monotonic clock, so that nothing goes wrong when the other one is set.
fn sample(srv: &mut Server) {
    let us = srv.clock.watch.us(srv.clock.watch.ticks());
    if us - srv.cron.sampled_us >= SAMPLE_US {
        srv.cron.sampled_us = us;
        let s = &mut srv.stats;
        s.ops.sample(s.n.commands, us, 1_000_000);
        s.ops_windows.sample(us, s.n.commands);
        s.input.sample(s.n.net_in, us, 1_000_000);
        s.output.sample(s.n.net_out, us, 1_000_000);
        s.cycles.sample(s.n.loop_cycles, us, 1_000_000);
        s.cycle_us.sample(s.n.loop_us, s.n.loop_cycles, 1);
        srv.memory.peak = srv.memory.peak.max(srv.memory.used());
    }
}

/// Looks after a part of the clients: time-outs and idle buffers. All of them once a second.
fn clients(srv: &mut Server, hz: usize) {
    let total = srv.clients.len();
    let count = (total / hz).max(MIN_CLIENTS);
    let now = srv.clock.now_ms;
    let limit = i64::from(srv.cfg.clients.idle_timeout_secs) * 1000;
    let from = srv.cron.next_client;
    srv.cron.next_client = if from + count >= total { 0 } else { from + count };
    let mut idle = Vec::new();
    let mut seen = Vec::new();
    let Server { clients, stats, debug, .. } = &mut *srv;
    clients.recent.turn(now);
    for client in clients.slots(from, count) {
        let s = &client.session;
        let exempt = s.parked.is_some() || s.subscribed;
        if limit > 0 && !exempt && now - s.active_ms > limit {
            idle.push(client.id);
        }
        client.query.tend(now);
        client.outbox.trim();
        match client.room.tend(debug.reply_rules, client.outbox.waiting_now().fixed, now) {
            Resized::No => {}
            Resized::Shrunk => stats.n.reply_buffer_shrinks += 1,
            Resized::Expanded => stats.n.reply_buffer_expands += 1,
        }
        seen.push(client.id);
    }
    for id in idle {
        log!(Verbose, "Closing idle client");
        srv.clients.close(id, Close::Now);
    }
    for id in seen {
        let Some(client) = srv.clients.get(id) else { continue };
        let (used, free) = client.query.sizes(0, now);
        let input = used + free + client.query.arg_bytes();
        let output = client.outbox.waiting_now().bytes;
        srv.clients.recent.note(now, input, output);
        srv.clients.account(id, 0);
        if output > 0 {
            // A client without traffic is checked nowhere else, and the time of its soft limit may
            // be up.
            srv.clients.check_output(id, 0);
        }
    }
}
