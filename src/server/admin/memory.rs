//! MEMORY: what a key costs, where the memory is, what may be wrong, the allocator's own report.

use crate::commands::{CmdResult, Flow, arg};
use crate::resp::errors;
use crate::resp::reply::Reply;
use crate::server::admin::footprint::{Footprint, ratio};
use crate::server::engine::evict;
use crate::server::engine::survey::{SAMPLES, bytes};
use crate::server::parts::ServerRow;
use crate::server::parts::{Call, Server};
use crate::sys::mem;

pub(crate) const COMMANDS: &[ServerRow] = &[
    ("memory|doctor", doctor),
    ("memory|malloc-stats", malloc_stats),
    ("memory|purge", purge),
    ("memory|stats", stats),
    ("memory|usage", usage),
];

/// `MEMORY USAGE key [SAMPLES count]`: bytes of the entry and its share of the table. O(samples).
/// Joins: keyspace.
fn usage(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let argv = call.argv;
    let mut samples = SAMPLES;
    let mut options = arg::Options::new(argv, 3);
    while let Some(word) = options.next() {
        if !arg::is(word, "samples") || options.remaining() == 0 {
            return Err(errors::SYNTAX);
        }
        samples = match usize::try_from(arg::int(options.value()?)?) {
            Ok(0) => usize::MAX,
            Ok(n) => n,
            Err(_) => return Err(errors::SYNTAX),
        };
    }
    let store = srv.ks.db(call.env.db as usize);
    match store.find(store.key(argv[2])) {
        Some(entry) => call.reply.len_int(bytes(entry, samples)),
        None => call.reply.null(),
    }
    Ok(Flow::Done)
}

/// `MEMORY PURGE`: gives unused pages back to the system.
fn purge(_: &mut Server, call: &mut Call<'_>) -> CmdResult {
    mem::purge();
    call.reply.ok();
    Ok(Flow::Done)
}

/// `MEMORY MALLOC-STATS`.
fn malloc_stats(_: &mut Server, call: &mut Call<'_>) -> CmdResult {
    call.reply.verbatim("txt", mem::malloc_stats().as_bytes());
    Ok(Flow::Done)
}

/// `MEMORY STATS`: the account of memory, name by name. O(databases). Joins: memory, clients,
/// keyspace.
fn stats(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    srv.memory.refresh();
    let f = Footprint::of(srv);
    let s = &srv.memory.stats;
    let r = &mut *call.reply;
    let int = |r: &mut Reply, name: &str, value: i64| {
        r.bulk_str(name);
        r.int(value);
    };
    let real = |r: &mut Reply, name: &str, value: f64| {
        r.bulk_str(name);
        r.double(value);
    };
    let gap = |a: u64, b: u64| a as i64 - b as i64;
    r.map(27 + f.dbs.len());
    int(r, "peak.allocated", f.peak as i64);
    int(r, "total.allocated", f.used as i64);
    int(r, "startup.allocated", f.at_start as i64);
    int(r, "replication.backlog", 0);
    int(r, "clients.slaves", f.clients_replicas as i64);
    int(r, "clients.normal", f.clients_normal as i64);
    int(r, "cluster.links", 0);
    int(r, "aof.buffer", evict::not_counted(srv) as i64);
    let (scripts, libraries) = srv.script.caches();
    int(r, "lua.caches", scripts as i64);
    int(r, "functions.caches", libraries as i64);
    for d in &f.dbs {
        r.bulk_str(format!("db.{}", d.db));
        r.map(3);
        int(r, "overhead.hashtable.main", d.main as i64);
        int(r, "overhead.hashtable.expires", d.expires as i64);
        int(r, "overhead.hashtable.slot-to-keys", 0);
    }
    int(r, "overhead.total", f.overhead as i64);
    int(r, "keys.count", f.keys as i64);
    int(r, "keys.bytes-per-key", f.bytes_per_key as i64);
    int(r, "dataset.bytes", f.dataset as i64);
    real(r, "dataset.percentage", f.dataset_percent());
    real(r, "peak.percentage", f.peak_percent());
    int(r, "allocator.allocated", s.allocated as i64);
    int(r, "allocator.active", s.active as i64);
    int(r, "allocator.resident", s.resident as i64);
    real(r, "allocator-fragmentation.ratio", ratio(s.active, s.allocated));
    int(r, "allocator-fragmentation.bytes", gap(s.active, s.allocated));
    real(r, "allocator-rss.ratio", ratio(s.resident, s.active));
    int(r, "allocator-rss.bytes", gap(s.resident, s.active));
    real(r, "rss-overhead.ratio", ratio(f.rss, s.resident));
    int(r, "rss-overhead.bytes", gap(f.rss, s.resident));
    real(r, "fragmentation", ratio(f.rss, f.used));
    int(r, "fragmentation.bytes", gap(f.rss, f.used));
    Ok(Flow::Done)
}

/// Below so much used memory there is nothing to diagnose.
const TOO_SMALL: u64 = 5 << 20;
/// What a ratio must waste at least before it counts.
const WASTE: u64 = 10 << 20;
/// Average memory of a client, and of a replica, above which buffers are large.
const BIG_CLIENT: u64 = 200 << 10;
const BIG_REPLICAS: u64 = 10 << 20;

/// `MEMORY DOCTOR`: what looks wrong, in prose. O(databases). Joins: memory, clients, keyspace.
fn doctor(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    srv.memory.refresh();
    let text = diagnosis(srv);
    call.reply.verbatim("txt", text.as_bytes());
    Ok(Flow::Done)
}

/// The frame's sentences are Redis's, since tools look for them; the thresholds as well.
fn diagnosis(srv: &Server) -> String {
    let f = Footprint::of(srv);
    if f.used < TOO_SMALL {
        return "Hi Sam, this instance is empty or is using very little memory, my issues detector \
                can't be used in these conditions. Please, leave for your mission on Earth and fill \
                it with some data. The new Sam and I will be back to our programming as soon as I \
                finished rebooting.\n"
            .to_string();
    }
    let s = &srv.memory.stats;
    let wasteful = |a: u64, b: u64, most: f64| ratio(a, b) > most && a > b + WASTE;
    let clients = (srv.clients.len() as u64).max(1);
    let findings = [
        (
            ratio(f.peak, f.used) > 1.5,
            "Peak memory: at some time this instance used more than one and a half times what it uses \
             now. The allocator keeps part of such a peak, so the resident set may be larger than the \
             data; new data will use that room first. If the peak was an exception, MEMORY PURGE may \
             give the room back to the system.",
        ),
        (
            wasteful(f.rss, f.used, 1.4),
            "High total RSS: the process occupies more than 1.4 times the memory that was allocated. A \
             past peak explains it if one is reported above; else the allocations are fragmented.",
        ),
        (
            wasteful(s.active, s.allocated, 1.1),
            "High allocator fragmentation: the allocator's pages are filled to less than nine tenths. A \
             past peak explains it if one is reported above; else keys of many sizes come and go.",
        ),
        (
            wasteful(s.resident, s.active, 1.1),
            "High allocator RSS overhead: the allocator holds more than 1.1 times the pages in use. \
             MEMORY PURGE gives unused ones back to the system.",
        ),
        (
            wasteful(f.rss, s.resident, 1.1),
            "High process RSS overhead: the process occupies more than 1.1 times what the allocator \
             holds. Scripts may be the reason.",
        ),
        (
            f.clients_replicas > BIG_REPLICAS,
            "Big replica buffers: more than 10 MB wait for replicas that are slow or badly connected. \
             See the replicas' delays in INFO, and their output buffers in CLIENT LIST.",
        ),
        (
            f.clients_normal / clients > BIG_CLIENT,
            "Big client buffers: a client takes more than 200 KB on average. Subscribers that do not \
             read fast enough, large replies and very long pipelines are the usual reasons; CLIENT LIST \
             shows which client it is.",
        ),
    ];
    let found: Vec<&str> = findings.iter().filter(|(is, _)| *is).map(|(_, text)| *text).collect();
    if found.is_empty() {
        return "Hi Sam, I can't find any memory issue in your instance. I can only account for what \
                occurs on this base.\n"
            .to_string();
    }
    let mut out =
        "Sam, I detected a few issues in this Redis instance memory implants:\n\n".to_string();
    for text in found {
        out.push_str(" * ");
        out.push_str(text);
        out.push_str("\n\n");
    }
    out.push_str("I'm here to keep you safe, Sam. I want to help you.\n");
    out
}
