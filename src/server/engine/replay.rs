//! A command from an append-only file: it changes the keyspace as it did when it was first run, and
//! nobody counts it, times it, or is asked whether it may.
//!
//! What it says is not passed on: it is in a file already. Keys past their time are ordinary keys
//! meanwhile, as they were for those who ran it.

use crate::commands::Ctx;
use crate::commands::own::Runs;
use crate::commands::spec::WRITE;
use crate::keyspace::db::DbMut;
use crate::keyspace::effects::{self, Effects};
use crate::keyspace::store::Key;
use crate::log;
use crate::net::clients::ClientId;
use crate::resp::argv::Argv;
use crate::resp::errors::CmdError;
use crate::resp::reply::Reply;
use crate::server::parts::table::Handler;
use crate::server::parts::{Call, Row, Server};

/// Runs a command in database `db`, within a unit that a file is the origin of. What it replies
/// goes to `reply`, for nobody to read. What is in a file has once been run without an error, so an
/// error is logged and counted.
pub(crate) fn replay(
    srv: &mut Server,
    db: u32,
    row: &'static Row,
    argv: Argv<'_>,
    memo: Option<Key<'_>>,
    reply: &mut Reply,
) {
    srv.exec.unit.db = db;
    let env = srv.env(true);
    let mut fx = Effects::new(srv.exec.armed & !effects::STREAM, db);
    srv.exec.nesting += 1;
    let result = match row.handler {
        Handler::Data(f) => {
            let Server { ks, limits, lazyfree, .. } = &mut *srv;
            let db = DbMut::new(ks.db_mut(db as usize), &env, memo, *lazyfree);
            f(&mut Ctx { db, argv, reply, fx: &mut fx, limits, env: &env })
        }
        // A script may write: old servers put it into the file instead of what it did.
        Handler::Server(f) if row.has(WRITE) || row.spec.own.runs != Runs::Nothing => {
            let mut call = Call { client: ClientId::NOBODY, row, argv, reply, fx, env };
            let result = f(srv, &mut call);
            fx = call.fx;
            result
        }
        Handler::Server(_) | Handler::Container => Ok(crate::commands::Flow::Done),
    };
    srv.exec.nesting -= 1;
    srv.rdb.dirty += fx.dirty;
    srv.settle(&mut fx);
    if let Err(e) = result {
        on_error(srv, row, &e);
    }
}

#[cold]
fn on_error(srv: &mut Server, row: &Row, e: &CmdError) {
    let text = String::from_utf8_lossy(e.bytes());
    // Compat: the general code is left out; another one has its dash.
    let text = text.strip_prefix("ERR ").map_or_else(|| format!("-{text}"), str::to_owned);
    log!(
        Warning,
        "== CRITICAL == This server is sending an error to its AOF-loading-client: '{text}' after \
         processing the command '{}'",
        row.name()
    );
    srv.stats.error(e.code());
    srv.stats.n.unexpected_errors += 1;
}
