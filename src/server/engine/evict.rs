//! Eviction: makes room when `maxmemory` is reached, by the configured policy.
//!
//! LRU and LFU keep a small pool of the best candidates seen, fed by samples, as Redis does.
//! `volatile-ttl` takes the key that expires soonest, which the wheel knows. The random policies
//! draw.
//!
//! The gate asks for room before a command runs, never within one: what a command works on must
//! stay. Each victim is a unit of its own, before the command that needed the room, so its deletion
//! and its events come before those of the command. During a pause nothing is evicted, since a
//! pause promises that the data stays as it is.
//!
//! `maxmemory-eviction-tenacity` bounds the time that one command spends on it. A timer goes on
//! with the rest in the following turns, whether or not a command comes.

use crate::config::choice::EvictionPolicy as Policy;
use crate::keyspace::db::DbMut;
use crate::keyspace::effects::{EV_EVICTED, Effects, Why};
use crate::keyspace::env::{Env, Origin};
use crate::server::engine::unit;
use crate::server::parts::Server;
use crate::server::parts::exec::Unit;
use crate::server::parts::net::Timer;

/// Time one command may spend on making room, in microseconds: 50 for each step of the tenacity up
/// to 10, then 15% more for each, and at 100 without end. The rest is left to the next ones and to
/// a timer.
fn patience_us(tenacity: u32) -> u64 {
    match tenacity {
        0..=10 => 50 * u64::from(tenacity),
        11..100 => (500.0 * 1.15f64.powi(tenacity as i32 - 10)) as u64,
        _ => u64::MAX,
    }
}

/// Makes room; false if memory is still above the limit and nothing can be evicted.
pub(crate) fn perform(srv: &mut Server) -> bool {
    let limit = srv.cfg.memory.max_memory;
    if limit == 0 || srv.memory.used() <= limit {
        return true;
    }
    if counted(srv) <= limit || srv.pause.scope().is_some() {
        return true;
    }
    if srv.cfg.memory.policy == Policy::Noeviction || srv.exec.nesting > 0 {
        exceeded(srv);
        return false;
    }
    // The client at hand does not change these keys itself. So it is told of them like any other
    // client, and before the reply to its command.
    let room = unit::within(srv, Unit::SERVER, |srv| make_room(srv, limit));
    if !room || srv.eviction.scheduled {
        exceeded(srv);
    }
    room
}

/// Memory is above the limit, and stays so for now.
fn exceeded(srv: &mut Server) {
    srv.eviction.exceeded_since.get_or_insert(srv.clock.watch.ticks());
}

/// For how long memory has been above the limit now, in microseconds.
pub(crate) fn exceeded_us(srv: &Server) -> u64 {
    let since = srv.eviction.exceeded_since;
    since.map_or(0, |ticks| srv.clock.watch.us(srv.clock.watch.ticks().wrapping_sub(ticks)))
}

/// Called by the cron: asks whether memory is below the limit again. Commands don't, so the end of
/// such a time is known as exactly as the cron runs.
pub(crate) fn tend(srv: &mut Server) {
    let limit = srv.cfg.memory.max_memory;
    if srv.eviction.exceeded_since.is_some() && (limit == 0 || counted(srv) <= limit) {
        srv.stats.n.eviction_exceeded_us += exceeded_us(srv);
        srv.eviction.exceeded_since = None;
    }
}

/// Memory that is not counted against the limit: what waits to be written to the append-only file,
/// or to replicas. Deletions would only add to it, and it is gone as soon as it is written.
pub(crate) fn not_counted(srv: &Server) -> u64 {
    // The backlog is there to stay, as large as it was asked to be.
    let backlog = srv.repl.backlog_memory(&srv.stream).min(srv.cfg.repl.backlog_size);
    srv.stream.memory().saturating_sub(backlog) + srv.writer.memory()
}

/// Memory of what waits to be written to the append-only file.
pub(crate) fn aof_buffer(srv: &Server) -> u64 {
    let reader = srv.aof.current.as_ref().map(|current| current.reader);
    let stream = |reader| srv.stream.memory_from(srv.stream.position(reader));
    reader.map_or(0, stream) + srv.writer.memory()
}

/// Memory that is.
pub(crate) fn counted(srv: &Server) -> u64 {
    srv.memory.used().saturating_sub(not_counted(srv))
}

/// Evicts until memory is below the limit, or until as much was freed as memory was above it. The
/// second bound is there because the messages about evicted keys take memory too: without it they
/// would cause more evictions, with more messages.
fn make_room(srv: &mut Server, limit: u64) -> bool {
    let start = srv.clock.watch.ticks();
    let patience = patience_us(srv.cfg.memory.eviction_tenacity);
    let excess = counted(srv).saturating_sub(limit);
    let mut freed = 0;
    while counted(srv) > limit && freed < excess {
        let Some((db, key)) = victim(srv) else { return false };
        freed += evict(srv, db, &key);
        if srv.clock.watch.us(srv.clock.watch.ticks().wrapping_sub(start)) > patience {
            schedule(srv);
            break;
        }
    }
    let us = srv.clock.watch.us(srv.clock.watch.ticks().wrapping_sub(start));
    srv.note_latency("eviction-cycle", us);
    true
}

/// Sets a timer for more eviction, so that it goes on even if no command comes.
pub(crate) fn schedule(srv: &mut Server) {
    if !srv.eviction.scheduled {
        srv.eviction.scheduled = true;
        srv.net.set_timer(srv.clock.now_ms, Timer::Evict);
    }
}

pub(crate) fn on_timer(srv: &mut Server) {
    srv.eviction.scheduled = false;
    // While data is loaded nothing is evicted: the keyspace may not be the server's.
    if srv.loading.is_none() {
        perform(srv);
    }
}

/// Evicts a key. Returns the bytes that the key and its value took, as far as they are freed
/// already.
fn evict(srv: &mut Server, db: usize, key: &[u8]) -> u64 {
    let started = srv.clock.watch.ticks();
    let word = srv.lazyfree.word(Why::Evict);
    let delete = |db: &mut DbMut<'_>, fx: &mut Effects| {
        db.delete(key, Why::Evict, fx);
    };
    let freed = unit::act(srv, db as u32, delete, |fx| {
        fx.lapsed(key);
        fx.event(EV_EVICTED, "evicted", key);
        fx.also(&[word, key]);
    });
    srv.stats.n.evicted_keys += 1;
    if srv.cfg.stats.latency_threshold_ms > 0 {
        let us = srv.clock.watch.us(srv.clock.watch.ticks().wrapping_sub(started));
        srv.note_latency("eviction-del", us);
    }
    freed
}

/// The key to evict next, of any database.
fn victim(srv: &mut Server) -> Option<(usize, Vec<u8>)> {
    let policy = srv.cfg.memory.policy;
    if policy == Policy::VolatileTtl {
        return soonest(srv);
    }
    let volatile =
        matches!(policy, Policy::VolatileLru | Policy::VolatileLfu | Policy::VolatileRandom);
    sample(srv, policy, volatile);
    while let Some(c) = srv.eviction.best.pop() {
        let store = srv.ks.db(c.db);
        let entry = store.find(store.key(&c.key));
        if entry.is_some_and(|e| !volatile || e.expire_ms().is_some()) {
            return Some((c.db, c.key));
        }
    }
    // There are few volatile keys among many others, and the draws found none. The wheel knows the
    // one that expires first.
    if volatile { soonest(srv) } else { None }
}

fn soonest(srv: &Server) -> Option<(usize, Vec<u8>)> {
    let of = |(db, store): (usize, &crate::keyspace::store::Store)| {
        store.soonest().map(|e| (e.expire_ms(), db, e.key().to_vec()))
    };
    let first = srv.ks.iter().filter_map(of).min()?;
    Some((first.1, first.2))
}

/// Draws keys of every database into the pool.
fn sample(srv: &mut Server, policy: Policy, volatile: bool) {
    let env = srv.env_in(0, Origin::Client, true);
    let samples = srv.cfg.memory.samples.clamp(1, 64) as usize;
    let mut next = crate::util::rand::generator(env.random);
    let Server { ks, eviction, .. } = srv;
    for (db, store) in ks.iter() {
        let candidates = if volatile { store.expires() } else { store.len() };
        if candidates == 0 {
            continue;
        }
        // Where few keys are volatile it takes more draws to find one. The bound makes the search
        // end.
        let (mut found, mut tries) = (0, samples * 64);
        while found < samples && tries > 0 {
            tries -= 1;
            let Some(e) = store.random(&mut next) else { break };
            if volatile && e.expire_ms().is_none() {
                continue;
            }
            found += 1;
            eviction.offer(score(policy, &env, e.lru(), next()), db, e.key());
        }
    }
}

/// Larger is the better victim.
fn score(policy: Policy, env: &Env, access: u32, random: u64) -> u64 {
    match (policy, env.lfu) {
        (Policy::VolatileRandom | Policy::AllkeysRandom, _) => random,
        (_, Some(lfu)) => u64::from(255 - lfu.decayed(access, env.lru_clock).min(255)),
        _ => u64::from(env.lru_clock.wrapping_sub(access) & 0xff_ffff),
    }
}
