//! Active expiry: deletes keys and fields of hashes soon after their time, if nobody asks for them.
//! Entries of streams that have waited for their time appear here too.
//!
//! Each database has one wheel for the keys that are due, and one for the hashes and streams in
//! which something is. A run works through them until its share of time is used up (a quarter of a
//! core at `active-expire-effort` 1). The next run goes on a few milliseconds later. INFO shows how
//! far expiry lags behind.

use crate::commands::stream::delayed;
use crate::keyspace::entry::Entry;
use crate::keyspace::store::Due;
use crate::server::engine::unit;
use crate::server::parts::Server;
use crate::server::parts::net::Timer;
use crate::value::{ObjectRef, ValueRef};

/// The longest run, in microseconds. The pause after it keeps the share.
const RUN_US: u64 = 1000;
/// Keys between two looks at the clock.
const BATCH: usize = 64;
/// The shortest time between two runs.
const TICK_MS: i64 = 1;
/// The longest time between two runs, while any key has a time.
const IDLE_MS: i64 = 100;

/// Percent of a core that expiry may take.
fn share(effort: u32) -> u64 {
    u64::from(25 + 2 * (effort.clamp(1, 10) - 1))
}

/// Called once a turn. A key that got a time may now be the first to expire.
pub(crate) fn notice(srv: &mut Server) {
    if srv.ks.settle() {
        schedule_known(srv);
    }
}

/// Sets the timer for the next key that is due, after a new look at all deadlines.
pub(crate) fn schedule(srv: &mut Server) {
    srv.ks.settle_deadlines();
    schedule_known(srv);
}

fn schedule_known(srv: &mut Server) {
    if !srv.expiry.enabled || srv.ks.timed() == 0 {
        return;
    }
    let now = srv.clock.now_ms;
    if srv.repl.is_replica() {
        // The primary deletes what is past its time, but for what it does not know.
        if !srv.repl.own_timed.is_empty() {
            set_timer(srv, now + IDLE_MS);
        }
        return;
    }
    let soonest = srv.ks.next_deadline_ms();
    let at = soonest.map_or(now + IDLE_MS, |at| at.clamp(now + TICK_MS, now + IDLE_MS));
    set_timer(srv, at);
}

fn set_timer(srv: &mut Server, at: i64) {
    if srv.expiry.next_ms.is_none_or(|set| set > at) {
        srv.expiry.next_ms = Some(at);
        srv.net.set_timer(at, Timer::Expire);
    }
}

/// One run over all databases.
pub(crate) fn run(srv: &mut Server) {
    let now = srv.clock.now_ms;
    if srv.expiry.next_ms.is_some_and(|set| set > now) {
        return; // an earlier timer took this one's place
    }
    srv.expiry.next_ms = None;
    if !srv.expiry.enabled || srv.loading.is_some() || srv.pause.scope().is_some() {
        return schedule(srv);
    }
    if srv.repl.is_replica() {
        expire_own(srv);
        return schedule(srv);
    }
    let start = srv.clock.watch.ticks();
    let count = srv.ks.databases();
    let mut pending = false;
    for i in 0..count {
        let db = (srv.expiry.next_db + i) % count;
        if srv.ks.db(db).timed() == 0 {
            continue;
        }
        if !drain(srv, db, start) || !drain_inside(srv, db, start) {
            pending = true;
            srv.expiry.next_db = db;
            break;
        }
    }
    let used = srv.clock.watch.us(srv.clock.watch.ticks().wrapping_sub(start));
    srv.stats.n.expire_us += used;
    srv.note_latency("expire-cycle", used);
    if pending {
        srv.stats.n.expire_time_cap += 1;
        // After this pause the run has had the configured share of the time. It is at least one
        // tick.
        let pause_us = used * 100 / share(srv.cfg.keyspace.expire_effort) - used;
        let pause = ((pause_us / 1000) as i64).max(TICK_MS);
        set_timer(srv, now + pause);
    } else {
        srv.expiry.lag_ms = 0;
        schedule(srv);
    }
}

/// Deletes the keys that clients of this replica have written and that are past their time.
/// O(such keys).
fn expire_own(srv: &mut Server) {
    let now = srv.clock.now_ms;
    for (db, key) in std::mem::take(&mut srv.repl.own_timed) {
        let store = srv.ks.db_mut(db as usize);
        let at = store.find(store.key(&key)).and_then(|entry| entry.expire_ms());
        match at {
            None => {}
            Some(at) if at < now => expire_key(srv, db as usize, &key),
            Some(_) => {
                srv.repl.own_timed.insert((db, key));
            }
        }
    }
}

/// Expires what is due in one database; false when time ran out before.
fn drain(srv: &mut Server, db: usize, start: u64) -> bool {
    let mut key = Vec::new();
    loop {
        for _ in 0..BATCH {
            let due_before = srv.clock.now_ms - 1;
            let store = srv.ks.db_mut(db);
            let entry = match store.next_due(due_before) {
                Due::This(entry) => entry,
                Due::Unsorted => return false,
                Due::Nothing => return true,
            };
            srv.expiry.lag_ms = due_before - entry.expire_ms().unwrap_or(due_before);
            key.clear();
            key.extend_from_slice(entry.key());
            expire_key(srv, db, &key);
        }
        if is_over(srv, start) {
            return false;
        }
    }
}

/// Whether a run has had its time.
fn is_over(srv: &Server, start: u64) -> bool {
    srv.clock.watch.us(srv.clock.watch.ticks().wrapping_sub(start)) >= RUN_US
}

/// Expires the fields that are due in one database, and adds the entries; false when time ran out
/// before.
fn drain_inside(srv: &mut Server, db: usize, start: u64) -> bool {
    loop {
        let now = srv.clock.now_ms;
        let store = srv.ks.db_mut(db);
        let key = match store.next_due_inside(now - 1) {
            Due::This(key) => key.to_vec(),
            Due::Unsorted => return false,
            Due::Nothing => return true,
        };
        match store.find(store.key(&key)).map(Entry::value) {
            Some(ValueRef::Object(ObjectRef::Hash(hash))) => {
                let due = hash.due(now, BATCH);
                unit::act(srv, db as u32, |db, fx| db.expire_fields(&key, &due, fx), |_| ());
            }
            Some(ValueRef::Object(ObjectRef::Stream(_))) => {
                unit::act_as_command(srv, db as u32, |ctx| delayed::appear(ctx, &key, BATCH));
            }
            _ => return true,
        }
        if is_over(srv, start) {
            return false;
        }
    }
}

/// Deletes one key that is past its time.
fn expire_key(srv: &mut Server, db: usize, key: &[u8]) {
    let started = srv.clock.watch.ticks();
    unit::act(srv, db as u32, |db, fx| db.expire(key, fx), |_| ());
    if srv.cfg.stats.latency_threshold_ms > 0 {
        let us = srv.clock.watch.us(srv.clock.watch.ticks().wrapping_sub(started));
        srv.note_latency("expire-del", us);
    }
}
