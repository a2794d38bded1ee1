//! EVAL, EVALSHA and SCRIPT.

use super::run::{self, Script};
use super::{debug, is_async, keys_and_args, kill};
use crate::commands::{CmdResult, Flow};
use crate::net::session::Debugging;
use crate::resp::errors::{self, CmdError};
use crate::script::debug::Session;
use crate::script::eval::{ScriptId, parse_digest, show_digest};
use crate::server::engine::monitor;
use crate::server::parts::script::Engine;
use crate::server::parts::{Call, Server, ServerRow};

pub(crate) const COMMANDS: &[ServerRow] = &[
    ("eval", eval),
    ("eval_ro", eval_ro),
    ("evalsha", evalsha),
    ("evalsha_ro", evalsha_ro),
    ("script|load", load),
    ("script|exists", exists),
    ("script|flush", flush),
    ("script|kill", script_kill),
    ("script|show", show),
    ("script|debug", debug::set_mode),
];

const NO_SCRIPT: CmdError = CmdError::new("NOSCRIPT No matching script. Please use EVAL.");

/// `EVAL script numkeys [key ...] [arg ...]`. Joins: script and what the script calls.
fn eval(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    with_text(srv, call, false)
}

/// `EVAL_RO ...`: the script must not write.
fn eval_ro(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    with_text(srv, call, true)
}

/// `EVALSHA sha1 numkeys [key ...] [arg ...]`.
fn evalsha(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    with_digest(srv, call, false)
}

/// `EVALSHA_RO ...`.
fn evalsha_ro(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    with_digest(srv, call, true)
}

fn with_text(srv: &mut Server, call: &mut Call<'_>, read_only: bool) -> CmdResult {
    monitor::feed_before(srv, call);
    match debug::mode(srv, call.client) {
        Debugging::No => run_text(srv, call, read_only, &mut None),
        how => debug::eval(srv, call, read_only, how),
    }
}

/// Runs the script of an EVAL; `session` is that of the debugger.
pub(super) fn run_text(
    srv: &mut Server,
    call: &mut Call<'_>,
    read_only: bool,
    session: &mut Option<Box<Session>>,
) -> CmdResult {
    let (keys, args) = keys_and_args(call, errors::NOT_INT)?;
    let known = srv.script.scripts.with_text(call.argv[1]);
    execute(srv, call, known, read_only, [keys, args], session)
}

fn with_digest(srv: &mut Server, call: &mut Call<'_>, read_only: bool) -> CmdResult {
    monitor::feed_before(srv, call);
    if call.argv[1].len() != 40 {
        return Err(NO_SCRIPT);
    }
    let (keys, args) = keys_and_args(call, errors::NOT_INT)?;
    let known = parse_digest(call.argv[1]).and_then(|d| srv.script.scripts.with_digest(&d));
    if known.is_none() {
        return Err(NO_SCRIPT);
    }
    if debug::mode(srv, call.client) != Debugging::No {
        return Err(CmdError::new("ERR Please use EVAL instead of EVALSHA for debugging"));
    }
    execute(srv, call, known, read_only, [keys, args], &mut None)
}

/// Runs a script that is known, or makes it known first.
fn execute(
    srv: &mut Server,
    call: &mut Call<'_>,
    known: Option<ScriptId>,
    read_only: bool,
    [keys, args]: [&[&[u8]]; 2],
    session: &mut Option<Box<Session>>,
) -> CmdResult {
    let mut state = srv.script.take(Engine::Scripts, srv.cfg.script.memory_limit as usize);
    let id = match known {
        Some(id) => Ok(id),
        None => srv.script.scripts.add(&mut state, call.argv[1], true).map(|(id, gone)| {
            srv.stats.n.evicted_scripts += gone as u64;
            id
        }),
    };
    let result = id.map_err(CmdError::err).and_then(|id| {
        srv.script.scripts.touch(id);
        let script = srv.script.scripts.get(id);
        let (chunk, flags, name) = (script.chunk, script.flags, show_digest(&script.digest));
        let engine = Engine::Scripts;
        let script = Script { engine, chunk, flags, name: &name, read_only, keys, args };
        if let Some(session) = session.take() {
            state.debug(session);
        }
        let result = run::run(srv, call, &mut state, &script);
        *session = state.end_debugging();
        result
    });
    srv.script.put_back(Engine::Scripts, state);
    result.map(|()| Flow::Done)
}

/// `SCRIPT LOAD script`. Joins: script.
fn load(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let mut state = srv.script.take(Engine::Scripts, 0);
    let added = srv.script.scripts.add(&mut state, call.argv[2], false);
    srv.script.put_back(Engine::Scripts, state);
    let (id, _) = added.map_err(CmdError::err)?;
    call.reply.bulk_str(show_digest(&srv.script.scripts.get(id).digest));
    Ok(Flow::Done)
}

/// `SCRIPT EXISTS sha1 [sha1 ...]`. O(digests). Joins: script.
fn exists(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let digests = call.argv.from(2);
    call.reply.array(digests.len());
    for digest in digests {
        let known = parse_digest(digest).and_then(|d| srv.script.scripts.with_digest(&d));
        call.reply.int(i64::from(known.is_some()));
    }
    Ok(Flow::Done)
}

/// `SCRIPT FLUSH [ASYNC|SYNC]`. O(scripts). Joins: script, bio.
fn flush(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let lazily = is_async(srv, call, "ERR SCRIPT FLUSH only support SYNC|ASYNC option")?;
    if let Some(state) = srv.script.flush_scripts()
        && lazily
    {
        srv.bio.free_interpreter(state);
    }
    call.reply.ok();
    Ok(Flow::Done)
}

/// `SCRIPT KILL`. Joins: script.
fn script_kill(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    kill(srv, call, Engine::Scripts)
}

/// `SCRIPT SHOW sha1`: the text of a script, as in Valkey. Joins: script.
fn show(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let known = parse_digest(call.argv[2]).and_then(|d| srv.script.scripts.with_digest(&d));
    let id = known.ok_or(NO_SCRIPT)?;
    call.reply.bulk(&srv.script.scripts.get(id).text);
    Ok(Flow::Done)
}
