//! Clients: sums, and those that are largest or have been silent longest.
//!
//! With many clients a request looks at a part of them only, and at those that were found before;
//! the next one goes on from there. So the largest are known when all have been looked at once.

use crate::net::clients::{Client, ClientId};
use crate::net::usage::Class;
use crate::server::admin::page::json::Json;
use crate::server::engine::describe::line;
use crate::server::parts::Server;

/// Clients that a request looks at beside those it has found before.
const WINDOW: usize = 512;
/// Clients that are told: so many of the largest, and of the silent ones.
const MAX_SHOWN: usize = 20;

/// Fields of CLIENT LIST that are told.
const NUMBERS: [&str; 10] =
    ["id", "age", "idle", "db", "sub", "psub", "qbuf", "omem", "tot-mem", "resp"];
const TEXTS: [&str; 5] = ["addr", "name", "flags", "cmd", "lib-name"];

/// Looks at the next clients; returns which ones to show.
pub(super) fn choose(srv: &mut Server) -> Vec<ClientId> {
    let Server { clients, metrics, .. } = srv;
    let watched = &mut metrics.watched;
    let kept = std::mem::take(&mut watched.serials);
    let kept = kept.into_iter().filter_map(|serial| clients.get(clients.by_serial(serial)?));
    let mut found: Vec<&Client> = kept.collect();
    let mut others = clients.not_older(watched.next);
    found.extend(others.by_ref().take(WINDOW));
    // Behind the last one it begins anew.
    watched.next = others.next().map_or(0, |client| client.session.serial);
    watched.whole |= watched.next == 0;
    found.sort_by_key(|client| client.session.serial);
    found.dedup_by_key(|client| client.session.serial);
    let mut shown: Vec<&Client> = Vec::new();
    found.sort_by_key(|client| std::cmp::Reverse(client.memory()));
    shown.extend(found.iter().take(MAX_SHOWN));
    found.sort_by_key(|client| client.session.active_ms);
    let silent = found.iter().take(MAX_SHOWN);
    let others: Vec<&Client> =
        silent.filter(|client| shown.iter().all(|other| other.id != client.id)).copied().collect();
    shown.extend(others);
    watched.serials = shown.iter().map(|client| client.session.serial).collect();
    shown.iter().map(|client| client.id).collect()
}

pub(super) fn write(srv: &Server, shown: &[ClientId], j: &mut Json) {
    j.object("clients", |j| {
        j.int("total", srv.clients.len() as u64);
        j.flag("complete", srv.metrics.watched.whole);
        j.list("classes", |j| {
            for (name, class) in [
                ("normal", Class::Normal),
                ("pubsub", Class::PubSub),
                ("primary", Class::Primary),
                ("replica", Class::Replica),
            ] {
                j.row(|j| {
                    j.text("class", name);
                    j.int("bytes", srv.clients.tally.of(class) as u64);
                });
            }
        });
        j.list("rows", |j| {
            for client in shown.iter().filter_map(|id| srv.clients.get(*id)) {
                j.row(|j| row(srv, client, j));
            }
        });
    });
}

/// What CLIENT LIST says of a client.
fn row(srv: &Server, client: &Client, j: &mut Json) {
    let line = String::from_utf8_lossy(&line(srv, client)).into_owned();
    for (name, value) in line.split(' ').filter_map(|field| field.split_once('=')) {
        if NUMBERS.contains(&name) {
            j.field(name, value);
        } else if TEXTS.contains(&name) {
            j.text(name, value);
        }
    }
}
