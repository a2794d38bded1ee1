//! Which keys are hot and which are large, by rank; their names only while these may be shown.

use std::cmp::Reverse;

use crate::ds::topk::TopK;
use crate::server::admin::page::json::Json;
use crate::server::parts::Server;
use crate::server::parts::hotkeys::Session;
use crate::server::parts::survey::{Board, By};

/// Keys that are told of a session, of the survey, and groups with the same prefix.
const MAX_HOT: usize = 20;
const MAX_LARGE: usize = 30;
const MAX_PREFIXES: usize = 20;
/// Lists that the largest keys come from: one for each type and database.
const MAX_LISTS: usize = 256;
/// Keys of such a list that are looked at.
const MAX_OF_LIST: usize = 10;

pub(super) fn write(srv: &Server, j: &mut Json) {
    let names = srv.cfg.metrics.page_key_names;
    if let Some(session) = &srv.hotkeys {
        j.object("hotkeys", |j| hot(session, srv.clock.now_ms, names, j));
    }
    j.object("survey", |j| {
        j.flag("on", srv.survey.on);
        let Some(board) = srv.survey.board() else { return };
        j.int("age_ms", srv.clock.now_ms - board.ended_ms);
        j.int("keys", board.keys);
        j.int("bytes", board.bytes);
        large(board, names, j);
        if !board.outdated {
            prefixes(board, names, j);
        }
    });
}

/// The figures of HOTKEYS GET.
fn hot(session: &Session, now_ms: i64, names: bool, j: &mut Json) {
    let lasted = if session.active { now_ms - session.started_ms } else { session.lasted_ms };
    j.flag("active", session.active);
    j.int("sample", session.sample);
    j.int("samples", session.seen);
    j.int("duration_ms", lasted);
    j.int("all_us", session.seen_ns.saturating_mul(session.sample) / 1000);
    j.int("all_bytes", session.seen_bytes.saturating_mul(session.sample));
    let count = session.count.min(MAX_HOT);
    for (name, keys, unit) in [("by_us", &session.cpu, 1000), ("by_bytes", &session.net, 1)] {
        if let Some(keys) = keys {
            j.int(&format!("total_{name}"), keys.total() / unit);
            j.list(name, |j| ranks(keys, count, unit, names, j));
        }
    }
}

fn ranks(keys: &TopK, count: usize, unit: u64, names: bool, j: &mut Json) {
    for heavy in keys.top(count) {
        j.row(|j| {
            j.int("weight", heavy.weight / unit);
            if names {
                j.bytes("key", heavy.key);
            }
        });
    }
}

/// The largest keys of all lists, by bytes.
fn large(board: &Board, names: bool, j: &mut Json) {
    let lists = board.lists.iter().take(MAX_LISTS);
    let mut all: Vec<_> = lists
        .flat_map(|list| {
            let (top, _) = list.by(By::Bytes).top(MAX_OF_LIST);
            top.into_iter().map(move |(key, bytes)| (list, key, bytes))
        })
        .collect();
    all.sort_by_key(|(list, key, bytes)| (Reverse(*bytes), list.db, *key));
    j.list("big", |j| {
        for (list, key, bytes) in all.into_iter().take(MAX_LARGE) {
            j.row(|j| {
                j.int("db", list.db);
                j.text("type", list.of.name());
                j.int("bytes", bytes);
                if let Some(elements) = list.by(By::Elements).size_of(key) {
                    j.int("elements", elements);
                }
                if names {
                    j.bytes("key", key);
                }
            });
        }
    });
}

/// The groups of MEMORY PREFIXES. A prefix is a part of a key's name.
fn prefixes(board: &Board, names: bool, j: &mut Json) {
    let groups = &board.groups;
    j.list("prefixes", |j| {
        for group in groups.bytes.top(MAX_PREFIXES) {
            j.row(|j| {
                let keys = groups.keys.of(group.key);
                j.int("keys", keys.map_or(0, |heavy| heavy.weight));
                j.int("bytes", group.weight);
                j.int("bytes_error", group.error);
                if names {
                    j.bytes("prefix", group.key);
                }
            });
        }
    });
}
