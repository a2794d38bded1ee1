//! Commands on more than one database: COPY, MOVE, SWAPDB, FLUSHDB, FLUSHALL.

use crate::commands::{CmdResult, Flow, arg};
use crate::keyspace::across::Across;
use crate::keyspace::env::Env;
use crate::resp::errors::{self, CmdError};
use crate::server::admin::connection::database;
use crate::server::engine::flushing;
use crate::server::jobs::{children, save};
use crate::server::parts::ServerRow;
use crate::server::parts::{Call, Server};
use crate::watch::Found;

pub(crate) const COMMANDS: &[ServerRow] = &[
    ("copy", copy),
    ("move", move_),
    ("swapdb", swapdb),
    ("flushdb", flushdb),
    ("flushall", flushall),
];

/// `MOVE key db`: only if the other database has no such key. O(1). Joins: keyspace.
fn move_(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let key = call.argv.at(1);
    let n = arg::int32(call.argv.at(2))?;
    let target = database(srv, n)?;
    let Call { reply, fx, env, .. } = call;
    if target == env.db {
        return Err(errors::SAME_OBJECT);
    }
    let moved = across(srv, env).move_key(key, target, fx);
    reply.int(i64::from(moved));
    Ok(Flow::Done)
}

fn across<'a>(srv: &'a mut Server, env: &'a Env) -> Across<'a> {
    Across { ks: &mut srv.ks, env, lazyfree: srv.lazyfree }
}

/// `COPY source destination [DB n] [REPLACE]`. O(size of the value). Joins: keyspace.
fn copy(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let argv = call.argv;
    let (from, to) = (argv.at(1), argv.at(2));
    let (mut target, mut replace) = (call.env.db, false);
    let mut options = arg::Options::new(argv, 3);
    while let Some(word) = options.next() {
        if arg::is(word, "replace") {
            replace = true;
        } else if arg::is(word, "db") && options.remaining() > 0 {
            target = database(srv, arg::int32(options.value()?)?)?;
        } else {
            return Err(errors::SYNTAX);
        }
    }
    let Call { reply, fx, env, .. } = call;
    if target == env.db && from == to {
        return Err(errors::SAME_OBJECT);
    }
    let copied = across(srv, env).copy_key(from, (target, to), replace, fx);
    reply.int(i64::from(copied));
    Ok(Flow::Done)
}

/// `SWAPDB index1 index2`. O(watched and waited-for keys). Joins: keyspace, watch, blocked.
fn swapdb(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let number = |text: &[u8], which: &str| {
        let n = crate::util::num::parse_i64(text).filter(|n| i32::try_from(*n).is_ok());
        n.ok_or_else(|| CmdError::err(format!("invalid {which} DB index")))
    };
    let a = number(call.argv.at(1), "first")?;
    let b = number(call.argv.at(2), "second")?;
    let (a, b) = (database(srv, a)?, database(srv, b)?);
    if a != b {
        srv.ks.swap(a as usize, b as usize);
        srv.survey.restart();
        break_swapped_watches(srv, a, b);
        for (n, before) in [(a, b), (b, a)] {
            for key in srv.blocked.waited_in(n) {
                // It has come, or gone.
                let there = |n| srv.ks.type_of(n, &key, call.env.now_ms).is_some();
                if there(n) || there(before) {
                    call.fx.ready_in(n, &key);
                }
            }
        }
    }
    call.fx.dirty += 1;
    call.reply.ok();
    Ok(Flow::Done)
}

/// Two databases have been swapped. A watch is broken if its key was in the old database and is not
/// in the new one, or the other way round. A key past its time counts as absent in both.
fn break_swapped_watches(srv: &mut Server, a: u32, b: u32) {
    let Server { watch, clients, ks, clock, .. } = srv;
    for n in [a, b] {
        for (key, watchers) in watch.in_db(n) {
            let gained = ks.type_of(n, key, clock.now_ms).is_some();
            for watcher in watchers.iter().filter(|w| gained || w.found == Found::Live) {
                if let Some(session) = clients.session_mut(watcher.id) {
                    session.watch_broken = true;
                }
            }
        }
    }
}

/// Whether a flush is to be done on the helper thread.
fn lazily(srv: &Server, call: &Call<'_>) -> Result<bool, CmdError> {
    match call.argv.get(1) {
        None => Ok(srv.cfg.keyspace.lazy_user_flush),
        Some(w) if arg::is(w, "sync") && call.argv.len() == 2 => Ok(false),
        Some(w) if arg::is(w, "async") && call.argv.len() == 2 => Ok(true),
        Some(_) => Err(errors::SYNTAX),
    }
}

/// `FLUSHDB [SYNC|ASYNC]`. O(keys), or O(1) when async. Joins: keyspace, bio.
fn flushdb(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let lazily = lazily(srv, call)?;
    let keys = flushing::flush(srv, Some(call.env.db), lazily);
    call.fx.dirty += keys;
    // The stream needs the command even if the database was empty here.
    call.fx.rewrite(&call.argv);
    call.reply.ok();
    Ok(Flow::Done)
}

/// `FLUSHALL [SYNC|ASYNC]`. O(keys), or O(1) when async. Joins: keyspace, bio, child, rdb.
fn flushall(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let lazily = lazily(srv, call)?;
    let keys = flushing::flush(srv, None, lazily);
    call.fx.dirty += keys;
    call.fx.rewrite(&call.argv);
    if srv.child.as_ref().is_some_and(|c| c.kind == crate::server::parts::child::Kind::Rdb) {
        // What the child saves is gone. If there are save points, a file without keys takes the
        // place of the old one.
        children::kill(srv);
    }
    // While a file is loaded that says so, nothing is new.
    if !srv.cfg.snapshot.save_points.is_empty() && srv.loading.is_none() {
        // An error is logged and shown in INFO. The databases are empty in any case.
        if save::foreground(srv).is_ok() {
            call.fx.dirty = 0;
        }
    }
    call.reply.ok();
    Ok(Flow::Done)
}
