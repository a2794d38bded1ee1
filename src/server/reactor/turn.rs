//! One turn of the loop.
//!
//! ```text
//! wait (until the next timer) -> read ready sockets, run what came -> those with more to run
//!      -> accept -> timers that are due -> woken clients -> append-only file -> replies
//!      -> free clients that were marked -> scrapers of metrics
//! ```
//! Clients that leave are noticed before others are accepted, so that there is room for the new
//! ones. Replies leave at the end of the turn, when what they tell of is done; nothing else writes
//! to a client.
//!
//! A turn within a command or a load (`Mode::Busy`) serves others with input and output alone.

use std::io::ErrorKind;
use std::time::Duration;

use mio::Events;

use crate::log;
use crate::net::clients::ClientId;
use crate::net::session::Close;
use crate::server::engine::{blocking, client_memory, evict, offsets, unit};
use crate::server::jobs::aof::flush;
use crate::server::jobs::repl::{feed, link, primary};
use crate::server::jobs::sentinel::links;
use crate::server::jobs::{children, cron, expire, pause, shutdown};
use crate::server::parts::exec::Unit;
use crate::server::parts::net::{Source, Timer};
use crate::server::parts::{Server, running};
use crate::server::reactor::accept::accept;
use crate::server::reactor::handshake;
use crate::server::reactor::reading::{self, read_client};
use crate::server::reactor::reap;
use crate::server::reactor::scrape;
use crate::server::reactor::writing::{self, write_replies};

/// Runs turns until the server is told to stop.
pub(crate) fn run(srv: &mut Server) {
    let mut events = Events::with_capacity(1024);
    while !srv.shutdown.done {
        turn(srv, &mut events, Mode::Full);
    }
}

/// What a turn does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Everything; it waits for the next event or timer.
    Full,
    /// Input and output only, without waiting: it takes place within something else.
    Busy,
}

/// One turn.
pub(crate) fn turn(srv: &mut Server, events: &mut Events, mode: Mode) {
    let wait = match mode {
        Mode::Full => wait_time(srv),
        Mode::Busy => Some(Duration::ZERO),
    };
    if let Err(e) = srv.net.poll.poll(events, wait)
        && e.kind() != ErrorKind::Interrupted
    {
        log!(Warning, "Waiting for events failed: {e}");
        std::thread::sleep(Duration::from_millis(10));
    }
    srv.clock.refresh();
    srv.clients.now_ms = srv.clock.now_ms;
    flush::stamp(srv);
    let started = srv.clock.ticks;
    srv.metrics.turn_ticks = started;
    let commands = srv.stats.n.commands;
    // A turn within this one does not see the events that this one has not come to yet, nor does
    // this one see those of the turn that it is within.
    if std::mem::replace(&mut srv.net.holds_events, true) {
        catch_up(srv);
    }
    let mut listeners = std::mem::take(&mut srv.net.accept_again);
    let mut again = std::mem::take(&mut srv.net.again);
    // A client may be listed for several reasons, but has one share of the turn.
    again.sort_unstable();
    again.dedup();
    // Administrators come first: what a crowd asks for must not hold them up.
    let admins = srv.clients.admins() > 0;
    for event in events.iter().filter(|_| admins) {
        if let Some(Source::Client(id)) = Source::of(event.token())
            && is_admin(srv, id)
        {
            client_event(srv, id, event);
        }
    }
    for event in events.iter() {
        match Source::of(event.token()) {
            Some(Source::Client(id)) if admins && is_admin(srv, id) => {}
            Some(Source::Client(id)) => client_event(srv, id, event),
            Some(Source::Listener(i)) => listeners.push(i),
            Some(Source::Scraper(place)) => scrape::on_event(srv, place, event),
            Some(Source::Signals) => shutdown::on_signals(srv),
            Some(Source::Child) => children::on_report(srv),
            Some(Source::Helper) => flush::on_helper(srv),
            Some(Source::Sentinel(place)) => links::on_event(srv, place),
            Some(Source::Opening(place)) => srv.tls.tell(place),
            Some(Source::Link) => srv.net.link_again = true,
            None => {}
        }
    }
    // A script must not find other data than it began with (CVE-2026-23631): what the link brings
    // waits until it has ended.
    if srv.script.running.is_none() && std::mem::take(&mut srv.net.link_again) {
        link::on_event(srv, serve_while_busy);
    }
    for id in again {
        read_client(srv, id);
    }
    // Accepting comes after reading, since a client that has left makes room for a new one.
    if srv.tls.is_waiting() {
        handshake::serve(srv);
    }
    listeners.sort_unstable();
    listeners.dedup();
    for i in listeners {
        accept(srv, i);
    }
    srv.exec.unit = Unit::SERVER;
    running::idle();
    srv.net.holds_events = false;
    match mode {
        Mode::Full => {
            timers(srv);
            blocking::serve_unclaimed(srv);
        }
        Mode::Busy => cron::while_busy(srv),
    }
    reading::serve_woken(srv);
    finish_turn(srv, mode);
    if srv.metrics.pending != 0 {
        scrape::serve(srv);
    }
    let ticks = srv.clock.watch.ticks().wrapping_sub(started);
    let used = srv.clock.watch.us(ticks);
    if srv.metrics.kept.is_some() {
        srv.metrics.note_turn(srv.clock.watch.ns(ticks));
    }
    let s = &mut srv.stats;
    s.n.loop_cycles += 1;
    s.n.loop_us += used;
    s.loop_us_max = s.loop_us_max.max(used);
    s.commands_per_cycle_max = s.commands_per_cycle_max.max(s.n.commands.saturating_sub(commands));
}

/// Writes replies, frees marked clients, and does what must happen before the server waits.
pub(crate) fn finish_turn(srv: &mut Server, mode: Mode) {
    if mode == Mode::Full {
        expire::notice(srv);
        if srv.tracking.broadcast.has_changed() {
            srv.broadcast_changes();
        }
    }
    client_memory::evict(srv);
    if mode == Mode::Full {
        primary::end_of_turn(srv);
    }
    flush::flush(srv);
    if mode == Mode::Full {
        offsets::serve(srv);
    }
    feed::end_of_turn(srv);
    write_replies(srv);
    writing::report_over_limit(srv);
    // While a command runs no client is freed: its own may be among the marked ones.
    if srv.clients.has_to_reap() {
        match srv.exec.nesting {
            0 => reap::reap(srv),
            _ => reap::forget_replicas(srv),
        }
    }
}

fn wait_time(srv: &Server) -> Option<Duration> {
    let net = &srv.net;
    let more = !net.again.is_empty()
        || !net.woken.is_empty()
        || !net.accept_again.is_empty()
        || net.link_again
        || srv.tls.is_waiting();
    if more || srv.metrics.pending != 0 || srv.clients.has_to_reap() || srv.clients.has_to_write() {
        return Some(Duration::ZERO);
    }
    let now = crate::sys::clock::wall_ms().max(0) as u64;
    srv.net.timers.next_due().map(|at| Duration::from_millis(at.saturating_sub(now)))
}

fn timers(srv: &mut Server) {
    // The wall clock can be set back; the wheel then waits until time has caught up.
    let now = (srv.clock.now_ms.max(0) as u64).max(srv.net.wheel_now);
    srv.net.wheel_now = now;
    let mut due = Vec::new();
    srv.net.timers.advance(now, &mut due);
    for timer in due {
        match timer {
            Timer::Cron => {
                handshake::tend(srv);
                cron::run(srv);
            }
            Timer::Expire => expire::run(srv),
            Timer::Evict => evict::on_timer(srv),
            Timer::Unpause => pause::on_timer(srv),
            Timer::Unblock(id) => time_out(srv, id),
        }
    }
}

/// A parked client's time is up. It gets the reply of a command that found nothing.
fn time_out(srv: &mut Server, id: ClientId) {
    if blocking::look_again(srv, id) {
        return;
    }
    let Some(parked) = blocking::unpark(srv, id) else { return };
    blocking::with_reply(srv, id, |srv, reply| {
        offsets::write_nothing(srv, &parked.waiting, reply);
    });
    blocking::account_unblocked(srv, id, &parked, false);
    srv.net.wake(id);
}

fn is_admin(srv: &Server, id: ClientId) -> bool {
    srv.clients.session(id).is_some_and(|session| session.admin)
}

fn client_event(srv: &mut Server, id: ClientId, event: &mio::event::Event) {
    if event.is_writable() {
        writing::on_writable(srv, id);
    }
    let Some(client) = srv.clients.get_mut(id) else { return };
    if event.is_read_closed() || event.is_error() {
        client.session.eof = true;
    }
    // The peer does not read any more, so the reply can't be delivered.
    if client.session.close == Close::AfterReply && event.is_write_closed() {
        return srv.clients.close(id, Close::Now);
    }
    if event.is_readable() || event.is_read_closed() || event.is_error() {
        read_client(srv, id);
    }
}

/// The first turn within another one looks at everybody: an event is told once, and the outer turn
/// has it but does not come to it. O(clients).
fn catch_up(srv: &mut Server) {
    let ids: Vec<ClientId> = srv.clients.iter().map(|client| client.id).collect();
    for &id in &ids {
        writing::on_writable(srv, id);
    }
    srv.net.again.extend(ids);
    srv.net.accept_again.extend(0..srv.net.listeners.len());
    srv.tls.tell_all();
    shutdown::on_signals(srv);
    children::on_report(srv);
    flush::on_helper(srv);
    srv.net.link_again = true;
}

/// Serves other clients while a command or a load takes long. One turn does not wait, and does
/// nothing but input and output: within another's work nothing expires, is evicted or saved.
pub(crate) fn serve_while_busy(srv: &mut Server) {
    let mut events = Events::with_capacity(256);
    let running = running::now();
    let outer = std::mem::replace(&mut srv.exec.busy, true);
    srv.rearm();
    unit::within(srv, Unit::SERVER, |srv| turn(srv, &mut events, Mode::Busy));
    if srv.shutdown.done && srv.shutdown.restart.is_none() {
        // The process ends here, as in Redis: half of the work that goes on must not be kept, and
        // neither its client nor the commands behind it may be served any more. What was complete
        // is in the append-only file, and the turn has sent the replies to it.
        srv.audit.finish();
        std::process::exit(srv.shutdown.exit_code);
    }
    srv.exec.busy = outer;
    srv.rearm();
    running::resume(running);
}
