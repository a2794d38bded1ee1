//! SAVE, BGSAVE, LASTSAVE, BGREWRITEAOF, SHUTDOWN.

use crate::commands::{CmdResult, Flow, arg};
use crate::keyspace::env::Origin;
use crate::keyspace::waiting::{Wait, Waiting};
use crate::resp::errors::{self, CmdError};
use crate::server::jobs::aof::rewrite;
use crate::server::jobs::shutdown::{Begun, How};
use crate::server::jobs::{save, shutdown};
use crate::server::parts::ServerRow;
use crate::server::parts::child::Kind;
use crate::server::parts::{Call, Server};

pub(crate) const COMMANDS: &[ServerRow] = &[
    ("save", save),
    ("bgsave", bgsave),
    ("bgrewriteaof", bgrewriteaof),
    ("lastsave", lastsave),
    ("shutdown", shutdown_command),
];

/// What a command replies when the details are in the log.
const FAILED: CmdError = CmdError::new("ERR");

/// `SAVE`: in the foreground, everybody waits. O(keys). Joins: rdb, child.
fn save(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    if running(srv) == Some(Kind::Rdb) {
        return Err(CmdError::new("ERR Background save already in progress"));
    }
    // Compat: saves by other commands, and the last one before the end, are not counted.
    srv.rdb.saves += 1;
    save::foreground(srv).map_err(|()| FAILED)?;
    call.reply.ok();
    Ok(Flow::Done)
}

/// What the child does, if there is one.
fn running(srv: &Server) -> Option<Kind> {
    srv.child.as_ref().map(|child| child.kind)
}

/// `BGSAVE [SCHEDULE]`: in a child. Joins: rdb, child.
fn bgsave(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let schedule = match call.argv.len() {
        1 => false,
        2 if arg::is(call.argv.at(1), "schedule") => true,
        _ => return Err(errors::SYNTAX),
    };
    // Forked in the middle of a transaction, the file would hold half of it.
    let inside = call.env.origin == Origin::Exec;
    match running(srv) {
        Some(Kind::Rdb) => Err(CmdError::new("ERR Background save already in progress")),
        Some(_) if !schedule && !inside => Err(CmdError::new(
            "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE \
             SCHEDULE in order to schedule a BGSAVE whenever possible.",
        )),
        Some(_) => Ok(true),
        None => Ok(inside),
    }
    .and_then(|later| {
        if later {
            srv.rdb.scheduled = true;
            call.reply.status("Background saving scheduled");
        } else {
            save::background(srv).map_err(|_| FAILED)?;
            call.reply.status("Background saving started");
        }
        Ok(Flow::Done)
    })
}

/// `BGREWRITEAOF`: a child writes a new base for the append-only file, whether there is one or not.
/// Joins: aof, child.
fn bgrewriteaof(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let inside = call.env.origin == Origin::Exec;
    match running(srv) {
        Some(Kind::Aof) => {
            return Err(CmdError::new(
                "ERR Background append only file rewriting already in progress",
            ));
        }
        other if other.is_some() || inside => {
            srv.aof.scheduled = true;
            // Who asks for it does not want to wait for failures of before.
            srv.aof.failures = 0;
            call.reply.status("Background append only file rewriting scheduled");
        }
        _ => {
            rewrite::background(srv).map_err(|()| {
                CmdError::new(
                    "ERR Can't execute an AOF background rewriting. Please check the server logs for \
                     more information.",
                )
            })?;
            call.reply.status("Background append only file rewriting started");
        }
    }
    Ok(Flow::Done)
}

/// `LASTSAVE`: when the last save succeeded, in seconds since 1970. Joins: rdb.
fn lastsave(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    call.reply.int(srv.rdb.last_save_ms / 1000);
    Ok(Flow::Done)
}

/// `SHUTDOWN [NOSAVE|SAVE] [NOW] [FORCE] [ABORT]`. No reply on success: the connection ends.
/// Joins: shutdown, rdb, child.
fn shutdown_command(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let (mut how, mut abort) = (How::default(), false);
    for word in call.argv.from(1) {
        match arg::lower(word).as_slice() {
            b"nosave" => how.nosave = true,
            b"save" => how.save = true,
            b"now" => how.now = true,
            b"force" => how.force = true,
            b"abort" => abort = true,
            _ => return Err(errors::SYNTAX),
        }
    }
    if how.save && how.nosave || abort && call.argv.len() > 2 {
        return Err(errors::SYNTAX);
    }
    if abort {
        if !shutdown::abort(srv) {
            return Err(CmdError::new("ERR No shutdown in progress."));
        }
        call.reply.ok();
        return Ok(Flow::Done);
    }
    if call.env.deny_blocking && !how.now {
        return Err(CmdError::new(
            "ERR SHUTDOWN without NOW or ABORT isn't allowed for DENY BLOCKING client",
        ));
    }
    if srv.loading.is_some() {
        how.nosave = true;
    } else if !how.nosave
        && let Some(running) = &srv.script.running
    {
        // Half of what the script does would be saved.
        return Err(running.busy());
    }
    match shutdown::shut_down(srv, how) {
        Ok(Begun::Done) => Ok(Flow::Done),
        Ok(Begun::Waits) => {
            let wait = Wait::new(Waiting::End, None);
            Ok(Flow::Block(Box::new(wait)))
        }
        Err(()) => Err(CmdError::new("ERR Errors trying to SHUTDOWN. Check logs.")),
    }
}
