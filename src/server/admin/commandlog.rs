//! The logs of commands that cost much: SLOWLOG, and COMMANDLOG of Valkey 8.1, which has the slow
//! ones too.

use crate::commands::{CmdResult, Flow, arg};
use crate::resp::errors::{self, CmdError};
use crate::resp::reply::Reply;
use crate::server::parts::ServerRow;
use crate::server::parts::{Call, Server};
use crate::slowlog::Slowlog;

pub(crate) const COMMANDS: &[ServerRow] = &[
    ("slowlog|get", slowlog_get),
    ("slowlog|len", slowlog_len),
    ("slowlog|reset", slowlog_reset),
    ("commandlog|get", commandlog_get),
    ("commandlog|len", commandlog_len),
    ("commandlog|reset", commandlog_reset),
];

/// `SLOWLOG GET [count]`: newest first, ten unless told, -1 for all. Joins: slowlog.
fn slowlog_get(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    if call.argv.len() > 3 {
        return Err(errors::unknown_subcommand("slowlog", call.argv[1]));
    }
    let count = call.argv.get(2).map_or(Ok(10), |text| count(text))?;
    write(call.reply, &srv.slowlog, count);
    Ok(Flow::Done)
}

/// `SLOWLOG LEN`. Joins: slowlog.
fn slowlog_len(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    call.reply.len_int(srv.slowlog.len());
    Ok(Flow::Done)
}

/// `SLOWLOG RESET`. Joins: slowlog.
fn slowlog_reset(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    srv.slowlog.reset();
    call.reply.ok();
    Ok(Flow::Done)
}

/// `COMMANDLOG GET count type`: newest first, -1 for all. Joins: slowlog.
fn commandlog_get(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    // The count is looked at first: clients see which error wins.
    let count = count(call.argv[2])?;
    write(call.reply, log_of(srv, call.argv[3])?, count);
    Ok(Flow::Done)
}

/// `COMMANDLOG LEN type`. Joins: slowlog.
fn commandlog_len(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    call.reply.len_int(log_of(srv, call.argv[2])?.len());
    Ok(Flow::Done)
}

/// `COMMANDLOG RESET type`. Joins: slowlog.
fn commandlog_reset(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    log_of(srv, call.argv[2])?.reset();
    call.reply.ok();
    Ok(Flow::Done)
}

/// How many entries are asked for.
fn count(text: &[u8]) -> Result<usize, CmdError> {
    let n = arg::int_in(text, -1, i64::MAX, "count should be greater than or equal to -1")?;
    Ok(usize::try_from(n).unwrap_or(usize::MAX))
}

fn log_of<'s>(srv: &'s mut Server, kind: &[u8]) -> Result<&'s mut Slowlog, CmdError> {
    match kind.to_ascii_lowercase().as_slice() {
        b"slow" => Ok(&mut srv.slowlog),
        b"large-request" => Ok(&mut srv.large.requests),
        b"large-reply" => Ok(&mut srv.large.replies),
        _ => Err(CmdError::new(
            "ERR type should be one of the following: slow, large-request, large-reply",
        )),
    }
}

fn write(reply: &mut Reply, log: &Slowlog, count: usize) {
    let count = count.min(log.len());
    reply.array(count);
    for e in log.iter().take(count) {
        reply.array(6);
        reply.int(e.id as i64);
        reply.int(e.time);
        reply.int(e.value as i64);
        reply.array(e.argv.len());
        e.argv.iter().for_each(|a| reply.bulk(a));
        reply.bulk_str(&e.peer);
        reply.bulk(&e.name);
    }
}
