//! The logs of commands that cost much: which command, how much, when, who.
//!
//! Of the arguments only keys are told, and these only while names of keys may be shown.

use crate::commands::spec::PUBSUB;
use crate::server::admin::page::json::Json;
use crate::server::parts::{Row, Server, Table};
use crate::slowlog::{Entry, Slowlog};

/// Entries of a log, the latest, and keys of an entry.
const MAX_ENTRIES: usize = 50;
const MAX_KEYS: usize = 8;

pub(super) fn write(srv: &Server, j: &mut Json) {
    for (name, log) in [
        ("slow", &srv.slowlog),
        ("large_requests", &srv.large.requests),
        ("large_replies", &srv.large.replies),
    ] {
        j.object(name, |j| entries(srv, log, j));
    }
    let stats = &srv.cfg.stats;
    j.int("slower_than_us", stats.slowlog_slower_than_us);
}

fn entries(srv: &Server, log: &Slowlog, j: &mut Json) {
    j.int("len", log.len() as u64);
    j.list("entries", |j| {
        for entry in log.iter().take(MAX_ENTRIES) {
            let row = row_of(srv, entry);
            j.row(|j| {
                j.int("id", entry.id);
                j.int("time", entry.time);
                j.int("value", entry.value);
                // What is no command now could be anything.
                j.text("command", row.map_or("?", Row::name));
                j.text("client", &entry.peer);
                j.bytes("name", &entry.name);
                let keys = row.map(|row| keys_of(row, entry)).unwrap_or_default();
                j.int("keys", keys.len() as u64);
                if srv.cfg.metrics.page_key_names {
                    j.list("key_names", |j| keys.iter().take(MAX_KEYS).for_each(|key| j.item(key)));
                }
            });
        }
    });
}

fn row_of(srv: &Server, entry: &Entry) -> Option<&'static Row> {
    let row = srv.table.lookup(entry.argv.first()?)?;
    let sub = entry.argv.get(1).and_then(|name| Table::sub(row, name));
    Some(sub.unwrap_or(row))
}

/// The keys among the arguments that the log has kept.
fn keys_of<'e>(row: &Row, entry: &'e Entry) -> Vec<&'e [u8]> {
    if row.has(PUBSUB) {
        return Vec::new();
    }
    let argv: Vec<&[u8]> = entry.kept().iter().map(Vec::as_slice).collect();
    let found = row.spec.keys_of(&argv);
    found.iter().filter_map(|(at, _)| argv.get(*at).copied()).collect()
}
