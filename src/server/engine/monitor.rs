//! What MONITOR shows: every command that the server runs, as a line to those who watch.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::commands::spec::{ADMIN, SKIP_MONITOR};
use crate::keyspace::effects::Effects;
use crate::keyspace::env::Origin;
use crate::net::clients::ClientId;
use crate::resp::argv::Argv;
use crate::resp::reply::Reply;
use crate::server::engine::redact::redact;
use crate::server::parts::{Call, Row, Server};
use crate::util::split::repr_into;

/// Tells the watchers of an EXEC that was refused: they have seen the MULTI.
#[cold]
pub(crate) fn feed_refused(srv: &mut Server, client: ClientId, row: &'static Row, argv: Argv<'_>) {
    if srv.clients.monitors().is_empty() {
        return;
    }
    let db = srv.clients.session(client).map_or(0, |s| s.db);
    srv.exec.unit.db = db;
    let env = srv.env(false);
    let fx = Effects::new(0, db);
    feed(srv, &Call { client, row, argv, reply: &mut Reply::default(), fx, env });
}

/// Tells the watchers of a command that has run: time, database and address of its client,
/// arguments.
#[cold]
pub(crate) fn feed(srv: &mut Server, call: &Call<'_>) {
    if !call.row.has(SKIP_MONITOR | ADMIN) {
        show(srv, call);
    }
}

/// Tells the watchers of a command before it runs: it runs others, which are shown as well.
pub(crate) fn feed_before(srv: &mut Server, call: &Call<'_>) {
    if !srv.clients.monitors().is_empty() && call.env.origin != Origin::File {
        show(srv, call);
    }
}

#[cold]
fn show(srv: &mut Server, call: &Call<'_>) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let from = match call.env.origin {
        Origin::Script => "lua",
        _ => srv.clients.session(call.client).map_or("", |s| s.peer.as_str()),
    };
    // The database is the one after the command: SELECT is shown in the database that it chose.
    let db = srv.exec.unit.db;
    let unix = srv.clients.session(call.client).is_some_and(|s| s.unix);
    let from =
        if unix { format!("unix:{}", from.trim_end_matches(":0")) } else { from.to_string() };
    let mut line =
        format!("+{}.{:06} [{db} {from}]", now.as_secs(), now.subsec_micros()).into_bytes();
    let hidden = redact(call.row, call.argv);
    let shown: Vec<&[u8]> = match &hidden {
        Some(args) => args.iter().map(Vec::as_slice).collect(),
        None => call.argv.to_vec(),
    };
    for arg in shown {
        line.push(b' ');
        repr_into(&mut line, arg);
    }
    line.extend_from_slice(b"\r\n");
    let line = bytes::Bytes::from(line);
    for id in srv.clients.monitors().to_vec() {
        srv.clients.push_shared(id, &line);
    }
}
