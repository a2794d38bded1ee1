//! EVAL and its kin, SCRIPT, FCALL and FUNCTION.

mod debug;
mod eval;
mod function;
mod run;

use crate::resp::errors::CmdError;
use crate::server::parts::script::Engine;
use crate::server::parts::{Call, Server, ServerRow};
use crate::{commands::CmdResult, commands::Flow, commands::arg, resp::errors};

pub(super) const EVAL: &[ServerRow] = eval::COMMANDS;
pub(super) const FUNCTION: &[ServerRow] = function::COMMANDS;

type Words<'c> = &'c [&'c [u8]];

/// The keys and the other arguments behind a number of keys.
fn keys_and_args<'c>(
    call: &Call<'c>,
    bad_number: CmdError,
) -> Result<(Words<'c>, Words<'c>), CmdError> {
    let n = arg::int(call.argv.at(2)).map_err(|_| bad_number)?;
    let rest = call.argv.from(3);
    if n > rest.len() as i64 {
        return Err(CmdError::new("ERR Number of keys can't be greater than number of args"));
    }
    let n =
        usize::try_from(n).map_err(|_| CmdError::new("ERR Number of keys can't be negative"))?;
    Ok(rest.split_at(n))
}

/// Whether a FLUSH is to free in the background.
fn is_async(srv: &Server, call: &Call<'_>, wrong: &'static str) -> Result<bool, CmdError> {
    match call.argv.len() {
        2 => Ok(srv.cfg.keyspace.lazy_user_flush),
        3 if arg::is(call.argv.at(2), "sync") => Ok(false),
        3 if arg::is(call.argv.at(2), "async") => Ok(true),
        _ => Err(CmdError::new(wrong)),
    }
}

/// SCRIPT KILL and FUNCTION KILL: ends what runs for long, if it has written nothing.
fn kill(srv: &mut Server, call: &mut Call<'_>, engine: Engine) -> CmdResult {
    let Some(running) = srv.script.running.as_mut() else {
        return Err(CmdError::new("NOTBUSY No scripts in execution right now."));
    };
    if running.wrote {
        return Err(CmdError::new(
            "UNKILLABLE Sorry the script already executed write commands against the dataset. You \
             can either wait the script termination or kill the server in a hard way using the \
             SHUTDOWN NOSAVE command.",
        ));
    }
    match (engine, running.engine) {
        (Engine::Scripts, Engine::Functions) => return Err(errors::BUSY_FUNCTION),
        (Engine::Functions, Engine::Scripts) => return Err(errors::BUSY),
        _ => running.killed = true,
    }
    call.reply.ok();
    Ok(Flow::Done)
}
