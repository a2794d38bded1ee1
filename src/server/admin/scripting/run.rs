//! A run of a script: the commands that it calls, and what happens when it takes long.
//!
//! Each command is a member of the script's unit: it runs through `unit::call`, and is settled
//! before the next one. What the script writes leaves as one transaction when the unit ends. Time
//! stands still for it.
//!
//! When a script has run for `busy-reply-threshold` it serves others now and then, who get BUSY for
//! most of their commands. It can be ended as long as it has written nothing.

use std::ffi::CStr;
use std::time::{Duration, Instant};

use crate::acl::log::Context;
use crate::commands::spec::{DENYOOM, MAY_REPLICATE, NOSCRIPT, STALE, WRITE};
use crate::keyspace::effects::{self, Effects};
use crate::keyspace::env::{Env, Origin};
use crate::log;
use crate::net::clients::ClientId;
use crate::resp::argv::Argv;
use crate::resp::errors::{self, CmdError};
use crate::resp::reply::Reply;
use crate::script::api::{REPL_AOF, REPL_REPLICA};
use crate::script::bridge::{Failure, Host, Kept, Registration, State, With};
use crate::script::convert::{self, Told};
use crate::script::flags::{self, Flags};
use crate::server::engine::{access, dispatch, gate, unit};
use crate::server::parts::script::{Engine, Running};
use crate::server::parts::stream;
use crate::server::parts::table::Handler;
use crate::server::parts::{Call, Row, Server};
use crate::server::reactor::turn;

/// What is to run, and on whose behalf.
pub(super) struct Script<'a> {
    pub engine: Engine,
    pub chunk: Kept,
    pub flags: Flags,
    /// The digest of the script, or the name of the function.
    pub name: &'a str,
    /// It was called by a command that may not write.
    pub read_only: bool,
    pub keys: &'a [&'a [u8]],
    pub args: &'a [&'a [u8]],
}

/// Who runs a script.
struct Runner<'s> {
    srv: &'s mut Server,
    client: ClientId,
    /// The command that runs it.
    argv: Argv<'s>,
    engine: Engine,
    name: &'s str,
    /// The facts of that command: time stands still.
    env: Env,
    started: Instant,
    threshold: Duration,
    /// The version that the script has asked for.
    resp3: bool,
    /// Where its writes go.
    targets: stream::Targets,
    read_only: bool,
    /// Memory was short when it began, and it has not said that it must run nevertheless.
    short: bool,
    /// It has called a command that writes.
    wrote: bool,
    /// It is told to others as `Running`.
    told: bool,
    no_touch: bool,
    /// A file is being loaded: nothing goes into the stream.
    replays: bool,
}

/// Whether a script with these flags may run now; the error of one that may not.
fn admit(srv: &Server, script: &Script<'_>) -> Result<(), CmdError> {
    let flags = script.flags;
    if gate::is_stale(srv) && flags & flags::COMPAT != 0 {
        return Err(errors::PRIMARY_DOWN);
    }
    if gate::is_stale(srv) && flags & flags::ALLOW_STALE == 0 {
        return Err(CmdError::new(
            "MASTERDOWN Link with MASTER is down, replica-serve-stale-data is set to 'no' and \
             'allow-stale' flag is not set on the script.",
        ));
    }
    if flags & (flags::COMPAT | flags::NO_WRITES) != 0 || srv.loading.is_some() {
        return Ok(());
    }
    if gate::follows_read_only(srv) {
        return Err(CmdError::new(
            "READONLY Can not run script with write flag on readonly replica",
        ));
    }
    if srv.rdb.write_refused() {
        return Err(CmdError::new(
            "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to \
             persist to disk. Writable scripts are blocked. Use 'no-writes' flag for read only \
             scripts.",
        ));
    }
    if srv.aof.error() != 0 {
        let error = std::io::Error::from_raw_os_error(srv.aof.error());
        return Err(CmdError::coded(
            "MISCONF",
            format!(
                "Redis is configured to persist data to AOF, but it's currently unable to persist \
                 to disk. Writable scripts are blocked. Use 'no-writes' flag for read only \
                 scripts. AOF error: {}",
                crate::util::path::os_error(&error)
            ),
        ));
    }
    if script.read_only {
        return Err(CmdError::new(
            "ERR Can not execute a script with write flag using *_ro command.",
        ));
    }
    if srv.repl.few {
        return Err(errors::NO_REPLICAS);
    }
    if is_short(srv) && flags & flags::ALLOW_OOM == 0 {
        return Err(CmdError::new(
            "OOM allow-oom flag is not set on the script, can not run it when used memory > \
             'maxmemory'",
        ));
    }
    Ok(())
}

/// Whether memory was short when the running command was let in.
fn is_short(srv: &Server) -> bool {
    srv.cfg.memory.max_memory > 0 && srv.exec.short
}

/// Runs a script in `state` and writes what it returns.
pub(super) fn run(
    srv: &mut Server,
    call: &mut Call<'_>,
    state: &mut State,
    script: &Script<'_>,
) -> Result<(), CmdError> {
    admit(srv, script)?;
    let client = call.client;
    let session = srv.clients.session(client);
    let (db, no_touch) = session.map_or((call.env.db, false), |s| (s.db, s.no_touch));
    let threshold = srv.cfg.script.busy_reply_threshold_ms;
    let compat = script.flags & flags::COMPAT != 0;
    let may_exceed = !compat && script.flags & flags::ALLOW_OOM != 0;
    let replays = call.env.origin == Origin::File;
    let with = match script.engine {
        Engine::Scripts => With::Globals { keys: script.keys, args: script.args },
        Engine::Functions => With::Arguments { keys: script.keys, args: script.args },
    };
    let reply = &mut *call.reply;
    let (argv, env) = (call.argv, call.env);
    let mut made = Told::default();
    let (result, told) = unit::members(srv, Origin::Script, |srv| {
        let mut runner = Runner {
            client,
            argv,
            engine: script.engine,
            name: script.name,
            env,
            started: Instant::now(),
            threshold: Duration::from_millis(threshold),
            resp3: false,
            targets: stream::ALL,
            read_only: script.read_only || !compat && script.flags & flags::NO_WRITES != 0,
            short: is_short(srv) && !may_exceed && !replays,
            wrote: false,
            told: false,
            no_touch,
            replays,
            srv,
        };
        // It is watched in any case: a coroutine that begins now may run when a threshold is set.
        let result = state.run(&script.chunk, with, true, &mut runner, |stack, runner| {
            made = convert::write_value(stack, runner.resp3, reply);
        });
        (result, runner.told)
    });
    srv.exec.unit.db = db;
    srv.exec.targets = stream::ALL;
    // SELECT in a script is for the script alone.
    if let Some(session) = srv.clients.session_mut(client) {
        session.db = db;
    }
    if told {
        srv.script.running = None;
    }
    // What was called is in the stream.
    call.fx.dont_propagate();
    match result {
        Ok(()) => {
            // Compat: however many errors the script made, the call fails once for them, and once
            // for each error of a command that it passes on.
            for e in &made.made {
                srv.stats.error(e.code());
            }
            let failed = made.counted + u64::from(!made.made.is_empty());
            srv.stats.commands[usize::from(call.row.id)].failed += failed;
            Ok(())
        }
        Err(failure) => {
            let counted = failure.counted;
            let e = shown(script.name, failure);
            if !counted {
                return Err(e);
            }
            call.reply.error(&e);
            srv.stats.commands[usize::from(call.row.id)].failed += 1;
            Ok(())
        }
    }
}

/// The error of a script as its caller sees it.
fn shown(name: &str, failure: Failure) -> CmdError {
    let message = failure.message.as_deref().map(errors::shown);
    if failure.bare {
        let message = message.unwrap_or(b"execution failure");
        let message = &message[..message.len().min(100)];
        return CmdError::err(
            [format!("Error running script {name}, ").as_bytes(), message].concat(),
        );
    }
    let mut text = message.unwrap_or(b"(null)").to_vec();
    if let (Some(line), Some(source)) = (failure.line, failure.source) {
        let place = [b", on ", errors::shown(&source), b":", errors::shown(&line), b"."].concat();
        text.extend_from_slice(format!(" script: {name}").as_bytes());
        text.extend_from_slice(&place);
    }
    CmdError::bare(text)
}

impl Runner<'_> {
    /// A command that is not run: counted as an error of the command, if there is one.
    #[cold]
    fn refuse(&mut self, row: Option<&'static Row>, e: &CmdError) -> Result<(), Vec<u8>> {
        self.srv.stats.error(e.code());
        if let Some(row) = row {
            self.srv.stats.commands[usize::from(row.id)].rejected += 1;
        }
        Err([b"-", e.bytes()].concat())
    }

    /// Whether the script's client may not do everything.
    fn is_restricted(&self) -> bool {
        self.srv.clients.session(self.client).is_some_and(|session| session.restricted)
    }

    /// Whether the user of the script's client may run this.
    #[cold]
    fn permit(&mut self, row: &'static Row, argv: Argv<'_>) -> Result<(), CmdError> {
        let srv = &mut *self.srv;
        access::check(srv, self.client, row, argv, Context::Script).map_err(|denied| {
            let user = access::user_of(srv, self.client).map_or(&b""[..], |user| &user.name);
            let text = access::message(user, row, argv, denied, false);
            // Compat: NOPERM is for clients; a script gets a plain error.
            CmdError::err([b"ACL failure in script: ", &text[..]].concat())
        })?;
        access::check_sort(srv, self.client, row, argv, Context::Script)
    }

    /// Whether a command may run in this script now.
    fn admit(&self, row: &Row, argv: Argv<'_>) -> Result<(), CmdError> {
        if !row.spec.arity_ok(argv.len()) || matches!(row.handler, Handler::Container) {
            return Err(CmdError::new(
                "ERR Wrong number of args calling Redis command from script",
            ));
        }
        if row.has(NOSCRIPT) && !self.srv.debug.scripts_call_all {
            return Err(CmdError::new("ERR This Redis command is not allowed from script"));
        }
        if self.read_only && row.has(WRITE | MAY_REPLICATE) {
            return Err(CmdError::new(
                "ERR Write commands are not allowed from read-only scripts.",
            ));
        }
        if gate::is_stale(self.srv) && !row.has(STALE) {
            return Err(CmdError::new("ERR Can not execute the command on a stale replica"));
        }
        if row.has(WRITE) && gate::follows_read_only(self.srv) {
            return Err(errors::READ_ONLY_REPLICA);
        }
        if row.has(WRITE) && !self.wrote && !self.replays && !self.srv.exec.unit.obeys {
            gate::writes_allowed(self.srv)?;
        }
        if self.short && !self.wrote && row.has(DENYOOM) {
            return Err(errors::OOM);
        }
        Ok(())
    }
}

impl Host for Runner<'_> {
    fn call(&mut self, args: &[&[u8]], reply: &mut Reply) -> Result<(), Vec<u8>> {
        let argv = Argv::new(args);
        let Ok(row) = dispatch::find(self.srv.table, argv) else {
            let e = CmdError::new("ERR Unknown Redis command called from script");
            return self.refuse(None, &e);
        };
        if let Err(e) = self.admit(row, argv) {
            return self.refuse(Some(row), &e);
        }
        if self.is_restricted()
            && let Err(e) = self.permit(row, argv)
        {
            return self.refuse(Some(row), &e);
        }
        let srv = &mut *self.srv;
        if row.has(WRITE) && !self.wrote {
            self.wrote = true;
            if let Some(running) = srv.script.running.as_mut() {
                running.wrote = true;
            }
        }
        srv.exec.targets = self.targets;
        let fresh = srv.env_of(row, self.no_touch);
        let env = Env { now_ms: self.env.now_ms, ..fresh };
        let armed = srv.exec.armed & if self.replays { !effects::STREAM } else { !0 };
        let fx = Effects::new(armed, env.db);
        let mut inner = Call { client: self.client, row, argv, reply, fx, env };
        // An error is in the reply.
        let _ = unit::call(srv, &mut inner, None);
        srv.exec.targets = stream::ALL;
        Ok(())
    }

    fn set_resp3(&mut self, on: bool) {
        self.resp3 = on;
    }

    fn set_repl(&mut self, targets: u8) {
        let bit = |of: u8, is: stream::Targets| if targets & of != 0 { is } else { 0 };
        self.targets = bit(REPL_AOF, stream::AOF) | bit(REPL_REPLICA, stream::REPLICAS);
    }

    fn may_call(&mut self, args: &[&[u8]]) -> Option<bool> {
        let argv = Argv::new(args);
        let row = dispatch::find(self.srv.table, argv).ok()?;
        if !self.is_restricted() {
            return Some(true);
        }
        // Compat: arguments that don't fit the command are not looked at.
        let db = access::database_of(self.srv, self.client, Context::Script);
        let user = access::user_of(self.srv, self.client);
        Some(user.is_some_and(|user| user.check(row.spec, &argv, db).is_ok()))
    }

    fn take_reply(&mut self) -> Reply {
        let mut reply = std::mem::take(&mut self.srv.script.reply);
        reply.set_resp3(self.resp3);
        reply.truncate(0);
        reply
    }

    fn give_reply(&mut self, reply: Reply) {
        const KEPT: usize = 64 * 1024;
        if reply.buf().len() <= KEPT {
            self.srv.script.reply = reply;
        }
    }

    fn interrupt(&mut self) -> Option<&'static CStr> {
        let ran = self.started.elapsed();
        if !self.told && (ran < self.threshold || self.threshold.is_zero()) {
            return None;
        }
        if !self.told {
            let how = match self.engine {
                Engine::Scripts => "SCRIPT KILL",
                Engine::Functions => "FUNCTION KILL",
            };
            log!(
                Warning,
                "Slow script detected: still in execution after {} milliseconds. You can try \
                 killing the script using the {how} command. Script name is: {}.",
                ran.as_millis(),
                self.name
            );
            self.told = true;
            self.srv.script.running = Some(Running {
                engine: self.engine,
                name: self.name.to_string(),
                argv: self.argv.owned(),
                started: self.started,
                wrote: self.wrote,
                killed: false,
            });
        }
        let unit = self.srv.exec.unit;
        turn::serve_while_busy(self.srv);
        self.srv.exec.unit = unit;
        if self.srv.script.running.as_ref().is_some_and(|running| running.killed) {
            log!(Notice, "Lua script killed by user with SCRIPT KILL.");
            return Some(c"ERR Script killed by user with SCRIPT KILL...");
        }
        None
    }

    fn register(&mut self, new: Registration) -> Result<(), (Vec<u8>, Kept)> {
        let why = b"redis.register_function can only be called on FUNCTION LOAD command";
        Err((why.to_vec(), new.callback))
    }
}
