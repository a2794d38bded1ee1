//! Figures of the whole server.

use crate::keyspace::store::Store;
use crate::server::admin::footprint::Footprint;
use crate::server::admin::info;
use crate::server::admin::metrics::purposes;
use crate::server::admin::page::json::Json;
use crate::server::parts::Server;
use crate::stats::Histogram;
use crate::value::Type;

/// Sections of INFO that are looked at, and their fields that are told.
const SECTIONS: [&str; 7] =
    ["server", "clients", "memory", "persistence", "stats", "replication", "cpu"];
const FIELDS: &[&str] = &[
    "acl_access_denied_auth",
    "aof_base_size",
    "aof_buffer_length",
    "aof_current_size",
    "aof_delayed_fsync",
    "aof_enabled",
    "aof_last_bgrewrite_status",
    "aof_last_write_status",
    "aof_rewrite_in_progress",
    "blocked_clients",
    "connected_clients",
    "connected_slaves",
    "current_save_keys_processed",
    "current_save_keys_total",
    "evicted_clients",
    "evicted_keys",
    "eventloop_cycles",
    "eventloop_duration_sum",
    "expired_keys",
    "instantaneous_input_kbps",
    "instantaneous_ops_per_sec",
    "instantaneous_output_kbps",
    "keyspace_hits",
    "keyspace_misses",
    "latest_fork_usec",
    "loading",
    "loading_loaded_perc",
    "master_link_status",
    "master_repl_offset",
    "maxclients",
    "maxmemory",
    "maxmemory_policy",
    "mem_clients_normal",
    "mem_clients_slaves",
    "mem_fragmentation_ratio",
    "mem_not_counted_for_evict",
    "persistence_policy",
    "process_id",
    "pubsub_channels",
    "pubsub_clients",
    "pubsub_patterns",
    "rdb_bgsave_in_progress",
    "rdb_changes_since_last_save",
    "rdb_current_bgsave_time_sec",
    "rdb_last_bgsave_status",
    "rdb_last_bgsave_time_sec",
    "rdb_last_cow_size",
    "rdb_last_save_time",
    "redis_version",
    "redust_aof_fsync_count",
    "redust_aof_fsync_usec_last",
    "redust_aof_fsync_usec_max",
    "redust_aof_fsync_usec_sum",
    "redust_aof_last_error",
    "redust_aof_rewrite_failures",
    "redust_aof_write_failures",
    "redust_expire_backlog",
    "redust_expire_keys",
    "redust_expire_lag_milliseconds",
    "redust_ops_per_sec_15m",
    "redust_ops_per_sec_1m",
    "redust_ops_per_sec_5m",
    "redust_ops_per_sec_peak",
    "redust_rdb_last_save_duration_ms",
    "redust_rdb_last_save_error",
    "redust_rdb_last_save_size",
    "redust_rdb_save_failures",
    "rejected_connections",
    "role",
    "tcp_port",
    "total_commands_processed",
    "total_connections_received",
    "total_error_replies",
    "total_net_input_bytes",
    "total_net_output_bytes",
    "tracking_clients",
    "uptime_in_seconds",
    "used_cpu_sys",
    "used_cpu_user",
    "used_memory",
    "used_memory_dataset",
    "used_memory_overhead",
    "used_memory_peak",
    "used_memory_rss",
    "used_memory_startup",
];

/// First words of errors that are told.
const CODES: &[&str] = &[
    "BUSY",
    "BUSYGROUP",
    "BUSYKEY",
    "DENIED",
    "ERR",
    "EXECABORT",
    "INPROG",
    "INVALIDOBJ",
    "IOERR",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "NOAUTH",
    "NOGOODSLAVE",
    "NOGROUP",
    "NOMASTERLINK",
    "NOPERM",
    "NOPROTO",
    "NOREPLICAS",
    "NOSCRIPT",
    "NOTBUSY",
    "OOM",
    "READONLY",
    "UNBLOCKED",
    "UNKILLABLE",
    "WRONGPASS",
    "WRONGTYPE",
];

/// Databases and commands that are told, the largest and the most costly ones.
const MAX_DATABASES: usize = 32;
const MAX_COMMANDS: usize = 100;

pub(super) fn write(srv: &Server, j: &mut Json) {
    let text = info::lines(srv, &SECTIONS.map(str::to_owned));
    j.object("info", |j| {
        let fields = text.lines().filter_map(|line| line.split_once(':'));
        for (name, value) in fields.filter(|(name, _)| FIELDS.contains(name)) {
            j.field(name, value);
        }
    });
    if let Some(kept) = &srv.metrics.kept {
        histogram("requests", &kept.requests, kept.requests_ns, j);
        histogram("turns", &kept.turns, kept.turns_ns, j);
    }
    j.list("memory", |j| {
        for (name, bytes) in purposes(srv, &Footprint::of(srv)) {
            j.row(|j| {
                j.text("purpose", name);
                j.int("bytes", bytes);
            });
        }
    });
    keyspace(srv, j);
    commands(srv, j);
    errors(srv, j);
    j.list("events", |j| {
        for (name, history) in srv.latency.iter() {
            let Some(latest) = history.latest() else { continue };
            j.row(|j| {
                j.text("event", name);
                j.int("time", latest.time);
                j.int("ms", latest.ms);
                j.int("max_ms", history.max_ms);
            });
        }
    });
    j.int("latency_threshold_ms", srv.cfg.stats.latency_threshold_ms);
}

/// A histogram since the start or CONFIG RESETSTAT: who asks takes the difference of two.
fn histogram(name: &str, h: &Histogram, ns: u64, j: &mut Json) {
    j.object(name, |j| {
        j.int("count", h.count());
        j.int("us", ns / 1000);
        j.list("below_ns", |j| h.by_eighths(|below_ns, count| j.pair(below_ns, count)));
    });
}

/// O(databases), as INFO.
fn keyspace(srv: &Server, j: &mut Json) {
    let now = srv.clock.now_ms;
    j.list("types", |j| {
        for of in Type::STORED {
            let keys: usize = srv.ks.stores().map(|db| db.of_type(*of)).sum();
            j.row(|j| {
                j.text("type", of.name());
                j.int("keys", keys as u64);
            });
        }
    });
    let mut dbs: Vec<(usize, &Store)> = srv.ks.iter().filter(|(_, db)| !db.is_empty()).collect();
    j.int("databases", dbs.len() as u64);
    dbs.sort_by_key(|(n, db)| (std::cmp::Reverse(db.len()), *n));
    j.list("keyspace", |j| {
        for (n, db) in dbs.into_iter().take(MAX_DATABASES) {
            j.row(|j| {
                j.int("db", n as u64);
                j.int("keys", db.len() as u64);
                j.int("expires", db.expires() as u64);
                j.int("avg_ttl_ms", db.avg_ttl_ms(now));
            });
        }
    });
}

/// A script may reply any text, and its first word could be anything.
fn errors(srv: &Server, j: &mut Json) {
    let mut others = 0u64;
    j.list("errors", |j| {
        let mut row = |code: &str, count: u64| {
            j.row(|j| {
                j.text("error", code);
                j.int("count", count);
            });
        };
        for (code, count) in &srv.stats.errors {
            match CODES.contains(&code.as_str()) {
                true => row(code, *count),
                false => others += count,
            }
        }
        if others > 0 {
            row("another word", others);
        }
    });
}

fn commands(srv: &Server, j: &mut Json) {
    let named = srv.table.rows().iter().map(|row| row.name()).zip(&srv.stats.commands);
    let mut used: Vec<_> = named.filter(|(_, stats)| stats.is_used()).collect();
    j.int("commands_used", used.len() as u64);
    used.sort_by_key(|(name, stats)| (std::cmp::Reverse(stats.us), *name));
    j.list("commands", |j| {
        for (name, stats) in used.into_iter().take(MAX_COMMANDS) {
            j.row(|j| {
                j.text("name", name);
                j.int("calls", stats.calls);
                j.int("us", stats.us);
                j.int("failed", stats.failed);
                j.int("rejected", stats.rejected);
                if let Some(h) = stats.latency.as_ref().filter(|h| h.count() > 0) {
                    j.micros("p50_us", h.percentile(50.0));
                    j.micros("p99_us", h.percentile(99.0));
                    j.micros("p999_us", h.percentile(99.9));
                }
            });
        }
    });
}
