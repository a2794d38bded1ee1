//! MONITOR: every command that the server runs, as a line to those who watch.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::commands::spec::{ADMIN, SKIP_MONITOR};
use crate::commands::{CmdResult, Flow};
use crate::keyspace::effects::Effects;
use crate::keyspace::env::Origin;
use crate::net::clients::ClientId;
use crate::resp::argv::Argv;
use crate::resp::errors::CmdError;
use crate::resp::reply::Reply;
use crate::server::admin::redact;
use crate::server::parts::table::{Row, ServerRow};
use crate::server::parts::{Call, Server};
use crate::util::split::repr_into;

pub const COMMANDS: &[ServerRow] = &[("monitor", monitor)];

/// `MONITOR`. O(1) now, a line a command later. Joins: clients.
fn monitor(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    if call.env.deny_blocking {
        return Err(CmdError::new("ERR MONITOR isn't allowed for DENY BLOCKING client"));
    }
    // Compat: who watches already gets no reply.
    if srv.clients.session(call.client).is_some_and(|s| !s.monitor) {
        srv.clients.set_monitor(call.client, true);
        call.reply.ok();
    }
    Ok(Flow::Done)
}

/// Tells the watchers of an EXEC that was refused: they have seen the MULTI.
#[cold]
pub fn feed_refused(srv: &mut Server, client: ClientId, row: &'static Row, argv: Argv<'_>) {
    if srv.clients.monitors().is_empty() {
        return;
    }
    let db = srv.clients.session(client).map_or(0, |s| s.db);
    let env = srv.env(db, Origin::Client, false);
    let fx = Effects::new(0, db);
    feed(srv, &Call { client, row, argv, reply: &mut Reply::default(), fx, env });
}

/// Tells the watchers of a command that has run: time, database and address of its client, arguments.
#[cold]
pub fn feed(srv: &mut Server, call: &Call<'_>) {
    if call.row.has(SKIP_MONITOR | ADMIN) {
        return;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let from = match call.env.origin {
        Origin::Script => "lua",
        _ => srv.clients.session(call.client).map_or("", |s| s.peer.as_str()),
    };
    // Where the client is now: SELECT is shown in the database that it led to.
    let db = srv.clients.session(call.client).map_or(call.env.db, |s| s.db);
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
