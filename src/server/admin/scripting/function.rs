//! FCALL and FUNCTION.

use super::run::{self, Script};
use super::{is_async, keys_and_args, kill};
use crate::commands::{CmdResult, Flow, arg};
use crate::persist::dump;
use crate::resp::errors::{self, CmdError};
use crate::script::flags;
use crate::server::engine::monitor;
use crate::server::parts::script::{Bounds, Engine};
use crate::server::parts::{Call, Server, ServerRow};
use crate::util::glob;

pub(crate) const COMMANDS: &[ServerRow] = &[
    ("fcall", fcall),
    ("fcall_ro", fcall_ro),
    ("function|load", load),
    ("function|delete", delete),
    ("function|flush", flush),
    ("function|list", list),
    ("function|dump", dump),
    ("function|restore", restore),
    ("function|stats", stats),
    ("function|kill", function_kill),
];

/// `FCALL function numkeys [key ...] [arg ...]`. Joins: script and what the function calls.
fn fcall(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    execute(srv, call, false)
}

/// `FCALL_RO ...`: the function must not write.
fn fcall_ro(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    execute(srv, call, true)
}

fn execute(srv: &mut Server, call: &mut Call<'_>, read_only: bool) -> CmdResult {
    monitor::feed_before(srv, call);
    let name = errors::shown(call.argv[1]);
    let found = srv.script.libraries.function(name);
    let (chunk, flags) = found.ok_or(CmdError::new("ERR Function not found"))?;
    let (keys, args) = keys_and_args(call, CmdError::new("ERR Bad number of keys provided"))?;
    let name = String::from_utf8_lossy(name);
    let mut state = srv.script.take(Engine::Functions, srv.cfg.script.memory_limit as usize);
    let engine = Engine::Functions;
    let script = Script { engine, chunk, flags, name: &name, read_only, keys, args };
    let result = run::run(srv, call, &mut state, &script);
    srv.script.put_back(Engine::Functions, state);
    result.map(|()| Flow::Done)
}

/// `FUNCTION LOAD [REPLACE] code`. Joins: script, rdb.
fn load(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let (mut replace, options) = (false, call.argv.from(2));
    let Some((code, options)) = options.split_last() else {
        return Err(CmdError::new("ERR Function code is missing"));
    };
    for option in options {
        if !arg::is(option, "replace") {
            let text = [b"Unknown option given: ", errors::shown(option)].concat();
            return Err(CmdError::err(text));
        }
        replace = true;
    }
    let bounds = bounds(srv);
    let name = srv.script.load_library(code, replace, bounds).map_err(CmdError::err)?;
    call.fx.dirty += 1;
    call.reply.bulk(&name);
    Ok(Flow::Done)
}

/// What the code of libraries may take while a command loads them.
fn bounds(srv: &Server) -> Bounds {
    match srv.loading {
        Some(_) => Bounds::NONE,
        None => Bounds { hurry: true, memory: srv.cfg.script.memory_limit as usize },
    }
}

/// `FUNCTION DELETE library`. Joins: script, rdb.
fn delete(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    if !srv.script.delete_library(call.argv[2]) {
        return Err(CmdError::new("ERR Library not found"));
    }
    call.fx.dirty += 1;
    call.reply.ok();
    Ok(Flow::Done)
}

/// `FUNCTION FLUSH [ASYNC|SYNC]`. Joins: script, rdb, bio.
fn flush(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    if call.argv.len() > 3 {
        return Err(errors::unknown_subcommand("function", call.argv[1]));
    }
    let lazily = is_async(srv, call, "ERR FUNCTION FLUSH only supports SYNC|ASYNC option")?;
    if let Some(state) = srv.script.flush_libraries()
        && lazily
    {
        srv.bio.free_interpreter(state);
    }
    call.fx.dirty += 1;
    call.reply.ok();
    Ok(Flow::Done)
}

/// `FUNCTION LIST [LIBRARYNAME pattern] [WITHCODE]`. O(functions). Joins: script.
fn list(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let (mut pattern, mut with_code) = (None, false);
    let mut words = call.argv.from(2).iter();
    while let Some(&word) = words.next() {
        if arg::is(word, "withcode") && !with_code {
            with_code = true;
        } else if arg::is(word, "libraryname") && pattern.is_none() {
            let missing = CmdError::new("ERR library name argument was not given");
            pattern = Some(*words.next().ok_or(missing)?);
        } else {
            return Err(CmdError::err([b"Unknown argument ", errors::shown(word)].concat()));
        }
    }
    let wanted = |name: &[u8]| pattern.is_none_or(|p| glob::matches(p, name, true));
    let libraries = srv.script.libraries.iter().filter(|library| wanted(&library.name));
    let reply = &mut *call.reply;
    reply.array(libraries.clone().count());
    for library in libraries {
        reply.map(if with_code { 4 } else { 3 });
        reply.bulk(b"library_name");
        reply.bulk(&library.name);
        reply.bulk(b"engine");
        reply.bulk(b"LUA");
        reply.bulk(b"functions");
        reply.array(library.functions.len());
        for (name, function) in &library.functions {
            reply.map(3);
            reply.bulk(b"name");
            reply.bulk(name);
            reply.bulk(b"description");
            match &function.description {
                Some(text) => reply.bulk(text),
                None => reply.null(),
            }
            reply.bulk(b"flags");
            let set = flags::ALL.iter().filter(|(_, flag)| function.flags & flag != 0);
            reply.set(set.clone().count());
            set.for_each(|(name, _)| reply.status(name));
        }
        if with_code {
            reply.bulk(b"library_code");
            reply.bulk(&library.code);
        }
    }
    Ok(Flow::Done)
}

/// `FUNCTION DUMP`. O(bytes of code). Joins: script.
fn dump(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let codes = srv.script.libraries.iter().map(|library| &library.code[..]);
    call.reply.bulk(&dump::dump_libraries(codes));
    Ok(Flow::Done)
}

/// `FUNCTION RESTORE payload [FLUSH|APPEND|REPLACE]`. O(bytes of code). Joins: script, rdb.
fn restore(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let (mut replace, mut flush) = (false, false);
    match call.argv.from(3) {
        [] => {}
        [word] if arg::is(word, "append") => {}
        [word] if arg::is(word, "replace") => replace = true,
        [word] if arg::is(word, "flush") => flush = true,
        [_] => {
            return Err(CmdError::new(
                "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.",
            ));
        }
        _ => return Err(errors::unknown_subcommand("function", call.argv[1])),
    }
    let codes = dump::restore_libraries(call.argv[2]).map_err(CmdError::err)?;
    let bounds = bounds(srv);
    srv.script.restore(&codes, replace, flush, bounds).map_err(CmdError::err)?;
    call.fx.dirty += 1;
    call.reply.ok();
    Ok(Flow::Done)
}

/// `FUNCTION STATS`. Joins: script.
fn stats(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let reply = &mut *call.reply;
    let running = srv.script.running.as_ref();
    if running.is_some_and(|running| running.engine == Engine::Scripts) {
        return Err(errors::BUSY);
    }
    reply.map(2);
    reply.bulk(b"running_script");
    match running {
        None => reply.null(),
        Some(running) => {
            reply.map(3);
            reply.bulk(b"name");
            reply.bulk_str(&running.name);
            reply.bulk(b"command");
            reply.array(running.argv.len());
            running.argv.iter().for_each(|arg| reply.bulk(arg));
            reply.bulk(b"duration_ms");
            reply.int(running.started.elapsed().as_millis() as i64);
        }
    }
    reply.bulk(b"engines");
    reply.map(1);
    reply.bulk(b"LUA");
    reply.map(2);
    reply.bulk(b"libraries_count");
    reply.len_int(srv.script.libraries.len());
    reply.bulk(b"functions_count");
    reply.len_int(srv.script.libraries.functions());
    Ok(Flow::Done)
}

/// `FUNCTION KILL`. Joins: script.
fn function_kill(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    kill(srv, call, Engine::Functions)
}
