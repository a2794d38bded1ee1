//! Our own figures: one row for each, grouped by the part of the server that keeps them.
//!
//! A row is a name, a line of help, and what is told. Names follow the rules of Prometheus: base
//! units, the unit last, `_total` behind a counter.

use crate::keyspace::store::Store;
use crate::net::usage::Class;
use crate::server::admin::info::{aof_buffer, child_of};
use crate::server::admin::metrics::writer::{Family, Kind, Micros, Samples, Writer};
use crate::server::admin::metrics::{View, purposes};
use crate::server::engine::evict;
use crate::server::parts::child;
use crate::server::parts::identity::{REDIS_VERSION, REDUST_VERSION};
use crate::server::parts::survey::Board;
use crate::sys::mem;
use crate::value::Type;

struct Row {
    family: Family,
    tell: fn(&View<'_>, &mut Samples<'_, '_>),
}

type Tell = fn(&View<'_>, &mut Samples<'_, '_>);

const fn row(kind: Kind, name: &'static str, help: &'static str, tell: Tell) -> Row {
    Row { family: Family { name, kind, help }, tell }
}
const fn gauge(name: &'static str, help: &'static str, tell: Tell) -> Row {
    row(Kind::Gauge, name, help, tell)
}
const fn counter(name: &'static str, help: &'static str, tell: Tell) -> Row {
    row(Kind::Counter, name, help, tell)
}

/// All of them, in the order in which they are written.
const ALL: [&[Row]; 9] = [SERVER, TLS, CLIENTS, MEMORY, SNAPSHOTS, AOF, TRAFFIC, KEYS, LOOKS];

/// Writes them all.
pub(super) fn write(view: &View<'_>, w: &mut Writer<'_>) {
    for row in ALL.into_iter().flatten() {
        (row.tell)(view, &mut w.family(row.family));
    }
}

/// A time in milliseconds since 1970, as the latest of something.
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

/// What did not happen yet is no number.
fn maybe(seconds: Option<f64>) -> f64 {
    seconds.unwrap_or(f64::NAN)
}

/// Errors that are told before there are any. Prometheus sees an increase only from a value that it
/// knows, so an alert would miss the first ones.
const ALARMING: [&str; 4] = ["LOADING", "MISCONF", "NOAUTH", "OOM"];

static TLS: &[Row] = &[
    gauge(
        "redust_tls_certificate_expires_timestamp_seconds",
        "When a certificate in use ends: of the server, of its outgoing connections, and of the \
         authority that ends first.",
        |v, s| {
            for (of, facts) in v.srv.tls.certificates() {
                s.of("certificate", of, facts.ends_secs as f64);
            }
        },
    ),
    gauge(
        "redust_tls_handshakes_in_progress",
        "Connections whose handshake is not done.",
        |v, s| s.value(v.srv.tls.len() as f64),
    ),
    counter("redust_tls_handshakes_total", "Handshakes of TLS, by how they ended.", |v, s| {
        let tls = &v.srv.tls;
        for (how, n) in [("done", tls.done), ("failed", tls.failed), ("timed_out", tls.late)] {
            s.of("result", how, n as f64);
        }
    }),
];

static SERVER: &[Row] = &[
    row(
        Kind::Info,
        "redust_build_info",
        "The version, and the version of Redis it stands for.",
        |_, s| {
            s.sample("", &[("version", REDUST_VERSION), ("redis_version", REDIS_VERSION)], 1);
        },
    ),
    gauge("redust_up", "1: the server answers.", |_, s| s.value(1)),
    gauge("redust_uptime_seconds", "Time since the start.", |v, s| {
        s.value(seconds((v.srv.clock.now_ms - v.srv.identity.started_ms).max(0)));
    }),
    gauge("redust_loading", "1: the data set is being loaded.", |v, s| {
        s.value(u8::from(v.srv.loading.is_some()));
    }),
    gauge("redust_config_maxmemory_bytes", "The setting maxmemory; 0: no limit.", |v, s| {
        s.value(v.srv.cfg.memory.max_memory);
    }),
    gauge("redust_config_maxclients", "The setting maxclients.", |v, s| {
        s.value(v.srv.cfg.clients.max_clients);
    }),
    counter("process_cpu_seconds_total", "Processor time of all threads.", |v, s| {
        s.value(Micros((v.cpu.user_us + v.cpu.sys_us) as u64));
    }),
    gauge("process_start_time_seconds", "Start of the process since 1970.", |v, s| {
        s.value(seconds(v.srv.identity.started_ms));
    }),
    gauge("process_resident_memory_bytes", "Resident memory of the process.", |v, s| {
        s.value(v.memory.rss);
    }),
    gauge("process_max_fds", "Files that the process may open.", |v, s| {
        s.value(v.srv.identity.max_files);
    }),
    counter("redust_scrapes_total", "Scrapes before this one.", |v, s| {
        s.value(v.srv.metrics.scrapes.count);
    }),
    counter(
        "redust_scrape_seconds_total",
        "Time that they took of the server's thread.",
        |v, s| {
            s.value(Micros(v.srv.metrics.scrapes.ns / 1000));
        },
    ),
    gauge("redust_scrapers", "Connected scrapers.", |v, s| s.value(v.srv.metrics.scrapers())),
    counter(
        "redust_scrapers_dropped_total",
        "Scrapers turned away, as there were too many.",
        |v, s| {
            s.value(v.srv.metrics.scrapes.dropped);
        },
    ),
];

static CLIENTS: &[Row] = &[
    gauge("redust_clients", "Connected clients.", |v, s| s.value(v.srv.clients.len())),
    gauge("redust_clients_blocked", "Clients that wait in a command or for a pause.", |v, s| {
        s.value(v.srv.blocked.clients() + v.srv.pause.clients());
    }),
    gauge("redust_clients_blocked_with_timeout", "Those of them that give up in time.", |v, s| {
        s.value(v.srv.blocked.timed());
    }),
    gauge("redust_clients_tracking", "Clients with CLIENT TRACKING on.", |v, s| {
        s.value(v.srv.tracking.active());
    }),
    gauge("redust_clients_memory_bytes", "Memory of clients, by class.", |v, s| {
        let classes = [
            ("normal", Class::Normal),
            ("pubsub", Class::PubSub),
            ("primary", Class::Primary),
            ("replica", Class::Replica),
        ];
        for (name, class) in classes {
            s.of("class", name, v.srv.clients.tally.of(class));
        }
    }),
    gauge("redust_client_largest_input_buffer_bytes", "In the last seconds.", |v, s| {
        s.value(v.srv.clients.recent.largest().0);
    }),
    gauge("redust_client_largest_output_buffer_bytes", "In the last seconds.", |v, s| {
        s.value(v.srv.clients.recent.largest().1);
    }),
    counter("redust_connections_total", "Connections of clients.", |v, s| {
        s.value(v.srv.stats.n.connections);
    }),
    counter("redust_connections_rejected_total", "Connections turned away.", |v, s| {
        s.value(v.srv.stats.n.rejected_connections);
    }),
    counter("redust_clients_disconnected_total", "Clients that were closed, by reason.", |v, s| {
        s.of("reason", "evicted", v.srv.stats.n.evicted_clients);
        s.of("reason", "query_limit", v.srv.stats.n.query_limit_disconnections);
        s.of("reason", "output_limit", v.srv.stats.n.output_limit_disconnections);
    }),
    counter(
        "redust_audit_missing_total",
        "Lines that are not in the audit log, since they were too many or could not be written.",
        |v, s| s.value(v.srv.audit.missing()),
    ),
    counter("redust_auth_denied_total", "Wrong passwords.", |v, s| {
        s.value(v.srv.stats.n.auth_denied);
    }),
];

static MEMORY: &[Row] = &[
    gauge("redust_memory_used_bytes", "Allocated memory.", |v, s| s.value(v.memory.used)),
    gauge("redust_memory_used_peak_bytes", "The most that was allocated.", |v, s| {
        s.value(v.memory.peak);
    }),
    gauge("redust_memory_resident_bytes", "Memory that the system has given.", |v, s| {
        s.value(v.memory.rss);
    }),
    gauge("redust_memory_purpose_bytes", "Allocated memory by purpose; the sum is all.", |v, s| {
        for (purpose, bytes) in purposes(v.srv, &v.memory) {
            s.of("purpose", purpose, bytes);
        }
    }),
    gauge("redust_memory_buffers_bytes", "Memory of buffers, by what waits there.", |v, s| {
        s.of("buffer", "aof", aof_buffer(v.srv));
        s.of("buffer", "stream", v.srv.stream.memory());
        s.of("buffer", "not_counted_for_evict", evict::not_counted(v.srv));
    }),
    gauge("redust_memory_allocator_bytes", "What jemalloc says, as of the last second.", |v, s| {
        let stats = &v.srv.memory.stats;
        s.of("state", "allocated", stats.allocated);
        s.of("state", "active", stats.active);
        s.of("state", "resident", stats.resident);
    }),
    gauge("redust_memory_system_bytes", "Memory of the machine.", |_, s| s.value(mem::total())),
    gauge("redust_lazyfree_pending_objects", "Objects that wait to be freed.", |v, s| {
        s.value(v.srv.bio.pending());
    }),
    counter("redust_lazyfreed_objects_total", "Objects freed by the helper thread.", |v, s| {
        s.value(v.srv.bio.freed());
    }),
];

static SNAPSHOTS: &[Row] = &[
    gauge(
        "redust_rdb_last_save_timestamp",
        "The latest snapshot, in seconds since 1970.",
        |v, s| {
            s.value(v.srv.rdb.last_save_ms / 1000);
        },
    ),
    gauge("redust_rdb_last_save_duration_seconds", "How long the latest snapshot took.", |v, s| {
        s.value(maybe(v.srv.rdb.latest.took_ms.map(seconds)));
    }),
    gauge("redust_rdb_last_save_failed", "1: the latest snapshot failed.", |v, s| {
        s.value(u8::from(v.srv.rdb.last_failed));
    }),
    counter("redust_rdb_saves_total", "Snapshots that were begun.", |v, s| {
        s.value(v.srv.rdb.saves)
    }),
    counter("redust_rdb_save_failures_total", "Snapshots that failed.", |v, s| {
        s.value(v.srv.rdb.latest.failures);
    }),
    gauge("redust_rdb_last_save_size_bytes", "Size of the latest snapshot.", |v, s| {
        s.value(maybe(v.srv.rdb.latest.bytes.map(|bytes| bytes as f64)));
    }),
    gauge(
        "redust_rdb_last_save_attempt_timestamp",
        "When the latest save began, in seconds since 1970; 0: never.",
        |v, s| {
            s.value(v.srv.rdb.latest.began_ms / 1000);
        },
    ),
    gauge("redust_rdb_changes_since_last_save", "Changes that no snapshot has.", |v, s| {
        s.value(v.srv.rdb.dirty);
    }),
    gauge("redust_rdb_save_in_progress", "1: a child writes a snapshot.", |v, s| {
        s.value(u8::from(child_of(v.srv, child::Kind::Rdb).is_some()));
    }),
    gauge("redust_rdb_schedule_stretched", "1: saves are held back.", |v, s| {
        s.value(u8::from(v.srv.rdb.stretched()));
    }),
    gauge("redust_rdb_last_copied_bytes", "Memory copied while the latest was written.", |v, s| {
        s.value(v.srv.rdb.last_cow);
    }),
    counter("redust_forks_total", "Children.", |v, s| s.value(v.srv.stats.n.forks)),
    gauge("redust_fork_last_duration_seconds", "How long the latest fork took.", |v, s| {
        s.value(Micros(v.srv.stats.n.latest_fork_us));
    }),
];

static AOF: &[Row] = &[
    gauge("redust_aof_enabled", "1: there is an append-only file.", |v, s| {
        s.value(u8::from(v.srv.aof.is_on()));
    }),
    gauge("redust_aof_size_bytes", "Bytes of all its files.", |v, s| s.value(v.srv.aof.size)),
    gauge("redust_aof_base_size_bytes", "The same after the latest rewrite.", |v, s| {
        s.value(v.srv.aof.base_size);
    }),
    gauge("redust_aof_buffer_bytes", "What waits to be written.", |v, s| {
        s.value(aof_buffer(v.srv));
    }),
    gauge("redust_aof_write_failed", "1: writing or syncing fails now.", |v, s| {
        s.value(u8::from(v.srv.aof.error() != 0));
    }),
    gauge("redust_aof_fsync_pending", "Syncs that have been asked for.", |v, s| {
        s.value(v.srv.syncer.pending());
    }),
    counter(
        "redust_aof_fsync_delayed_total",
        "Seconds in which a sync was not done in time.",
        |v, s| {
            s.value(v.srv.aof.delayed_syncs);
        },
    ),
    counter("redust_aof_write_seconds_total", "Time that writing took.", |v, s| {
        s.value(Micros(v.srv.aof.spent_us));
    }),
    counter("redust_aof_helper_writes_total", "Writes handed to the helper thread.", |v, s| {
        s.value(v.srv.aof.handed);
    }),
    counter("redust_aof_rewrites_total", "Rewrites that were begun.", |v, s| {
        s.value(v.srv.aof.rewrites)
    }),
    counter("redust_aof_rewrite_failures_total", "Rewrites that failed.", |v, s| {
        s.value(v.srv.aof.latest.failures);
    }),
    counter("redust_aof_write_failures_total", "Runs of failed writes and syncs.", |v, s| {
        s.value(v.srv.aof.write_failures);
    }),
    counter("redust_aof_fsyncs_total", "Syncs of the file.", |v, s| {
        s.value(v.srv.syncer.times.figures().count);
    }),
    counter("redust_aof_fsync_seconds_total", "Time that they took.", |v, s| {
        s.value(Micros(v.srv.syncer.times.figures().sum));
    }),
    gauge("redust_aof_fsync_longest_seconds", "How long the longest took.", |v, s| {
        s.value(Micros(v.srv.syncer.times.figures().longest));
    }),
    gauge("redust_aof_fsync_last_seconds", "How long the latest took.", |v, s| {
        s.value(Micros(v.srv.syncer.times.figures().last));
    }),
    gauge("redust_aof_rewrite_in_progress", "1: a child rewrites it.", |v, s| {
        s.value(u8::from(child_of(v.srv, child::Kind::Aof).is_some()));
    }),
    gauge("redust_aof_last_rewrite_duration_seconds", "How long the latest took.", |v, s| {
        s.value(maybe(v.srv.aof.latest.took_ms.map(seconds)));
    }),
];

static TRAFFIC: &[Row] = &[
    counter("redust_net_input_bytes_total", "Bytes read from clients.", |v, s| {
        s.value(v.srv.stats.n.net_in);
    }),
    counter("redust_net_output_bytes_total", "Bytes written to clients.", |v, s| {
        s.value(v.srv.stats.n.net_out);
    }),
    counter("redust_net_reads_total", "Reads from clients.", |v, s| s.value(v.srv.stats.n.reads)),
    counter("redust_net_writes_total", "Writes to clients.", |v, s| s.value(v.srv.stats.n.writes)),
    counter("redust_loop_turns_total", "Turns of the loop.", |v, s| {
        s.value(v.srv.stats.n.loop_cycles);
    }),
    counter("redust_loop_seconds_total", "Time of turns, without waiting.", |v, s| {
        s.value(Micros(v.srv.stats.n.loop_us));
    }),
    counter("redust_errors_total", "Errors replied, by their first word.", |v, s| {
        let errors = &v.srv.stats.errors;
        ALARMING.iter().filter(|code| !errors.contains_key(**code)).for_each(|code| {
            s.of("error", code, 0);
        });
        errors.iter().for_each(|(code, count)| s.of("error", code, count));
    }),
    counter("redust_error_replies_total", "Errors replied.", |v, s| {
        s.value(v.srv.stats.n.error_replies);
    }),
    gauge("redust_pubsub_channels", "Names that somebody is subscribed to, by kind.", |v, s| {
        s.of("kind", "channel", v.srv.pubsub.channels());
        s.of("kind", "pattern", v.srv.pubsub.patterns());
        s.of("kind", "shard", v.srv.pubsub.shard_channels());
    }),
    gauge("redust_blocking_keys", "Keys that clients wait for.", |v, s| {
        s.value(v.srv.blocked.keys());
    }),
    gauge("redust_tracking_keys", "Keys that clients may have cached.", |v, s| {
        s.value(v.srv.tracking.keys());
    }),
    gauge("redust_slowlog_entries", "Entries of the slow log.", |v, s| {
        s.value(v.srv.slowlog.len());
    }),
    gauge("redust_commandlog_entries", "Entries of the logs of COMMANDLOG, by log.", |v, s| {
        s.of("log", "slow", v.srv.slowlog.len());
        s.of("log", "large-request", v.srv.large.requests.len());
        s.of("log", "large-reply", v.srv.large.replies.len());
    }),
];

/// Which keys are hot, and which are large: how that is looked for, and never their names.
static LOOKS: &[Row] = &[
    gauge("redust_hotkeys_active", "1: a session of HOTKEYS measures.", |v, s| {
        s.value(u8::from(v.srv.hotkeys.as_ref().is_some_and(|session| session.active)));
    }),
    gauge("redust_hotkeys_sample_ratio", "One command of so many is looked at.", |v, s| {
        s.value(v.srv.hotkeys.as_ref().map_or(0, |session| session.sample));
    }),
    gauge(
        "redust_hotkeys_samples",
        "Commands with keys that the session of HOTKEYS has looked at.",
        |v, s| s.value(v.srv.hotkeys.as_ref().map_or(0, |session| session.seen)),
    ),
    gauge("redust_key_survey_active", "1: key-survey is set.", |v, s| {
        s.value(u8::from(v.srv.survey.on));
    }),
    gauge("redust_key_survey_keys", "Keys that its latest pass has seen.", |v, s| {
        s.value(v.srv.survey.board().map_or(0, |board| board.keys));
    }),
    gauge("redust_key_survey_bytes", "What these keys take.", |v, s| {
        s.value(v.srv.survey.board().map_or(0, |board| board.bytes));
    }),
    gauge("redust_key_survey_names", "Keys among the largest, whose names are kept.", |v, s| {
        s.value(v.srv.survey.board().map_or(0, Board::names));
    }),
];

static KEYS: &[Row] = &[
    gauge("redust_keys", "Keys, by database.", |v, s| {
        for (n, db) in v.srv.ks.iter().filter(|(_, db)| !db.is_empty()) {
            s.of("db", &n.to_string(), db.len());
        }
    }),
    gauge("redust_keys_by_type", "Keys of each type, in all databases.", |v, s| {
        for of in Type::STORED {
            s.of("type", of.name(), v.srv.ks.stores().map(|db| db.of_type(*of)).sum::<usize>());
        }
    }),
    gauge("redust_keys_expiring", "Keys that expire, by database.", |v, s| {
        for (n, db) in v.srv.ks.iter().filter(|(_, db)| !db.is_empty()) {
            s.of("db", &n.to_string(), db.expires());
        }
    }),
    gauge("redust_keys_average_ttl_seconds", "How long they have left on average.", |v, s| {
        for (n, db) in v.srv.ks.iter().filter(|(_, db)| !db.is_empty()) {
            s.of("db", &n.to_string(), seconds(db.avg_ttl_ms(v.srv.clock.now_ms)));
        }
    }),
    counter("redust_keyspace_hits_total", "Reads that found their key.", |v, s| {
        s.value(v.srv.stats.n.keyspace_hits);
    }),
    counter("redust_keyspace_misses_total", "Reads that did not.", |v, s| {
        s.value(v.srv.stats.n.keyspace_misses);
    }),
    counter("redust_expired_keys_total", "Keys past their time.", |v, s| {
        s.value(v.srv.stats.n.expired_keys);
    }),
    counter("redust_expired_fields_total", "Fields of hashes past their time.", |v, s| {
        s.value(v.srv.stats.n.expired_fields);
    }),
    counter("redust_expire_seconds_total", "Time that active expiry took.", |v, s| {
        s.value(Micros(v.srv.stats.n.expire_us));
    }),
    gauge("redust_expire_lag_seconds", "How late the oldest due key is.", |v, s| {
        let now = v.srv.clock.now_ms;
        let soonest = v.srv.ks.stores().filter_map(Store::next_timed_ms).min();
        s.value(seconds(v.srv.expiry.lag(v.srv.ks.expiring(now).1, soonest, now)));
    }),
    gauge(
        "redust_expire_backlog",
        "Keys and hashes past their time that are still here.",
        |v, s| {
            s.value(v.srv.ks.expiring(v.srv.clock.now_ms).1);
        },
    ),
    counter("redust_evicted_keys_total", "Keys evicted for maxmemory.", |v, s| {
        s.value(v.srv.stats.n.evicted_keys);
    }),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_follow_the_rules() {
        let mut seen = HashSet::new();
        for row in ALL.into_iter().flatten() {
            let Family { name, kind, help } = row.family;
            assert!(seen.insert(name), "{name} twice");
            assert_eq!(name.ends_with("_total"), kind == Kind::Counter, "{name}");
            assert!(help.ends_with('.') && !help.contains(['"', '\\', '\n']), "{help}");
        }
    }
}
