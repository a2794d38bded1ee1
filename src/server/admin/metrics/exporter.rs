//! The names of the common exporter for Redis (oliver006/redis_exporter 1.45), so that its
//! dashboards and alerts work with this server alone.
//!
//! That exporter reads INFO and gives each field that it knows a name. The same is done here, with
//! the same text, so what is told is what it would tell. `names` has the fields. Its figures from
//! other commands follow: commands, databases, the slow log, latency events.
//!
//! Its counters without `_total`, its gauges with it, and its quantiles of 50 instead of 0.5 are
//! kept: queries name them so.

use std::collections::HashMap;

use crate::server::admin::info;
use crate::server::admin::metrics::View;
use crate::server::admin::metrics::names::{self, Shown};
use crate::server::admin::metrics::writer::{Family, Kind, Micros, Nanos, Samples, Writer};

/// The sections of INFO that its figures come from.
const SECTIONS: [&str; 8] =
    ["server", "clients", "memory", "persistence", "stats", "replication", "cpu", "cluster"];
/// Databases that are shown while they are empty, as far as their numbers go.
const SHOWN_EMPTY: usize = 1024;

const fn counter(name: &'static str, help: &'static str) -> Family {
    Family { name, kind: Kind::Counter, help }
}
const fn gauge(name: &'static str, help: &'static str) -> Family {
    Family { name, kind: Kind::Gauge, help }
}

pub(super) fn write(view: &View<'_>, w: &mut Writer<'_>) {
    let text = info::lines(view.srv, &SECTIONS.map(str::to_owned));
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    let mut labels = HashMap::new();
    for (field, value) in fields {
        if let Some(shown) = names::find(field) {
            write_field(shown, value, w);
        }
        if INSTANCE.contains(&field) {
            labels.insert(field, value);
        }
    }
    let labels = INSTANCE.map(|name| (name, labels.get(name).copied().unwrap_or_default()));
    w.family(gauge("redis_instance_info", "What the server says of itself."))
        .sample("", &labels, 1);
    write_server(view, w);
    write_commands(view, w);
    write_databases(view, w);
    write_latencies(view, w);
    write_events(view, w);
}

/// Labels of `redis_instance_info`: fields of INFO.
const INSTANCE: [&str; 9] = [
    "maxmemory_policy",
    "os",
    "process_id",
    "redis_build_id",
    "redis_mode",
    "redis_version",
    "role",
    "run_id",
    "tcp_port",
];

fn write_field(shown: &Shown, value: &str, w: &mut Writer<'_>) {
    let mut s = w.family(Family { name: shown.name, kind: shown.kind, help: shown.help });
    match value {
        "ok" => s.value(1),
        "err" => s.value(0),
        number => match number.parse::<f64>() {
            Ok(us) if shown.field == "latest_fork_usec" => s.value(us / 1e6),
            // As it stands there: a figure of INFO has the form of one here.
            Ok(_) => s.value(number),
            Err(_) => {}
        },
    }
}

fn write_server(view: &View<'_>, w: &mut Writer<'_>) {
    let srv = view.srv;
    let scrapes = srv.metrics.scrapes;
    let one = |w: &mut Writer<'_>, family: Family, tell: &dyn Fn(&mut Samples<'_, '_>)| {
        tell(&mut w.family(family));
    };
    one(w, gauge("redis_up", "1: the server answers."), &|s| s.value(1));
    one(w, gauge("redis_start_time_seconds", "Start of the server since 1970."), &|s| {
        s.value(srv.identity.started_ms / 1000);
    });
    one(w, gauge("redis_config_maxclients", "The setting maxclients."), &|s| {
        s.value(srv.cfg.clients.max_clients);
    });
    one(w, gauge("redis_config_maxmemory", "The setting maxmemory."), &|s| {
        s.value(srv.cfg.memory.max_memory);
    });
    one(w, gauge("redis_config_io_threads", "The setting io-threads."), &|s| {
        s.value(srv.cfg.process.io_threads);
    });
    one(w, gauge("redis_slowlog_length", "Entries of the slow log."), &|s| {
        s.value(srv.slowlog.len());
    });
    let latest = srv.slowlog.iter().next();
    one(w, gauge("redis_slowlog_last_id", "Number of its latest entry."), &|s| {
        s.value(latest.map_or(0, |entry| entry.id));
    });
    one(
        w,
        gauge("redis_last_slow_execution_duration_seconds", "How long that command took."),
        &|s| s.value(Micros(latest.map_or(0, |entry| entry.value))),
    );
    one(w, counter("redis_exporter_scrapes_total", "Scrapes before this one."), &|s| {
        s.value(scrapes.count);
    });
    one(w, gauge("redis_exporter_last_scrape_error", "0: a scrape can't fail here."), &|s| {
        s.of("err", "", 0);
    });
    one(
        w,
        gauge("redis_exporter_last_scrape_duration_seconds", "How long the latest scrape took."),
        &|s| s.value(Nanos(scrapes.latest_ns)),
    );
    one(
        w,
        gauge("redis_exporter_last_scrape_connect_time_seconds", "0: nothing is connected to."),
        &|s| s.value(0),
    );
    let durations = "redis_exporter_scrape_duration_seconds";
    let durations = Family { name: durations, kind: Kind::Summary, help: "How long scrapes took." };
    one(w, durations, &|s| {
        s.sample("_sum", &[], Nanos(scrapes.ns));
        s.sample("_count", &[], scrapes.count);
    });
    one(w, counter("redis_target_scrape_request_errors_total", "0: there are no targets."), &|s| {
        s.value(0)
    });
    one(
        w,
        gauge("redis_last_key_groups_scrape_duration_milliseconds", "0: keys are not grouped."),
        &|s| s.value(0),
    );
}

fn write_commands(view: &View<'_>, w: &mut Writer<'_>) {
    let mut s = w.family(counter("redis_commands_total", "Calls."));
    view.used.iter().for_each(|(cmd, c)| s.of("cmd", cmd, c.calls));
    let mut s = w.family(counter("redis_commands_duration_seconds_total", "Time that calls took."));
    view.used.iter().for_each(|(cmd, c)| s.of("cmd", cmd, Micros(c.us)));
    let help = "Calls that ended with an error.";
    let mut s = w.family(counter("redis_commands_failed_calls_total", help));
    view.used.iter().for_each(|(cmd, c)| s.of("cmd", cmd, c.failed));
    let help = "Calls that were refused.";
    let mut s = w.family(counter("redis_commands_rejected_calls_total", help));
    view.used.iter().for_each(|(cmd, c)| s.of("cmd", cmd, c.rejected));
    let mut s = w.family(counter("redis_errors_total", "Errors replied, by their first word."));
    for (code, count) in &view.srv.stats.errors {
        s.of("err", code, count);
    }
}

fn write_databases(view: &View<'_>, w: &mut Writer<'_>) {
    let shown = || view.srv.ks.iter().filter(|(n, db)| *n < SHOWN_EMPTY || !db.is_empty());
    let mut s = w.family(gauge("redis_db_keys", "Keys, by database."));
    shown().for_each(|(n, db)| s.of("db", &format!("db{n}"), db.len()));
    let mut s = w.family(gauge("redis_db_keys_expiring", "Keys that expire, by database."));
    shown().for_each(|(n, db)| s.of("db", &format!("db{n}"), db.expires()));
    let mut s = w.family(gauge("redis_db_avg_ttl_seconds", "How long they have left on average."));
    for (n, db) in shown().filter(|(_, db)| !db.is_empty()) {
        let ms = db.avg_ttl_ms(view.srv.clock.now_ms);
        s.of("db", &format!("db{n}"), ms as f64 / 1000.0);
    }
}

/// A summary whose quantiles are percentages. OpenMetrics knows none such, so it is three families
/// without a type there; the samples are the same.
fn write_latencies(view: &View<'_>, w: &mut Writer<'_>) {
    const HELP: &str = "Percentiles of how long calls took, in microseconds.";
    const NAMES: [&str; 3] = [
        "redis_latency_percentiles_usec",
        "redis_latency_percentiles_usec_sum",
        "redis_latency_percentiles_usec_count",
    ];
    let measured = || {
        let used = view.used.iter();
        used.filter_map(|(cmd, c)| Some((*cmd, *c, c.latency.as_ref().filter(|h| h.count() > 0)?)))
    };
    // The setting may name one twice; a sample may not come twice.
    let mut percentiles: Vec<f64> = Vec::new();
    for percent in &view.srv.cfg.stats.percentiles {
        if !percentiles.contains(percent) {
            percentiles.push(*percent);
        }
    }
    let quantiles: Vec<String> = percentiles.iter().map(f64::to_string).collect();
    let tell = |s: &mut Samples<'_, '_>, cmd: &str, h: &crate::stats::Histogram| {
        for (percent, quantile) in percentiles.iter().zip(&quantiles) {
            let ns = h.percentile(*percent);
            let us = format_args!("{}.{:03}", ns / 1000, ns % 1000);
            s.sample("", &[("cmd", cmd), ("quantile", quantile)], us);
        }
    };
    if !w.is_open() {
        let mut s = w.family(Family { name: NAMES[0], kind: Kind::Summary, help: HELP });
        for (cmd, c, h) in measured() {
            tell(&mut s, cmd, h);
            s.sample("_sum", &[("cmd", cmd)], c.us);
            s.sample("_count", &[("cmd", cmd)], c.calls);
        }
        return;
    }
    let untyped = |name| Family { name, kind: Kind::Untyped, help: HELP };
    let mut s = w.family(untyped(NAMES[0]));
    measured().for_each(|(cmd, _, h)| tell(&mut s, cmd, h));
    let mut s = w.family(untyped(NAMES[1]));
    measured().for_each(|(cmd, c, _)| s.of("cmd", cmd, c.us));
    let mut s = w.family(untyped(NAMES[2]));
    measured().for_each(|(cmd, c, _)| s.of("cmd", cmd, c.calls));
}

fn write_events(view: &View<'_>, w: &mut Writer<'_>) {
    let events = || view.srv.latency.iter().filter_map(|(name, h)| Some((name, h.latest()?)));
    let mut s = w.family(gauge("redis_latency_spike_last", "When the event was last slow."));
    events().for_each(|(name, sample)| s.of("event_name", name, sample.time));
    let help = "How long it took then.";
    let mut s = w.family(gauge("redis_latency_spike_duration_seconds", help));
    events().for_each(|(name, sample)| s.of("event_name", name, Micros(sample.ms * 1000)));
}
