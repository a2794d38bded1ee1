//! The crash report: the state of the server when it broke, written to the log. The watchdog's
//! report has the same facts beside its stack.
//!
//! A broken invariant panics; a fault raises a signal. Both end here, and then the process dies by
//! its signal: a server in a half-done state must not go on. The report needs the server's state,
//! but the thread that crashed holds it. So a copy of the facts that matter is kept here, and
//! renewed where they change.

use crate::server::parts::identity;
use crate::server::parts::running;
use std::backtrace::Backtrace;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};

use crate::net::session::CommandId;
use crate::server::parts::Server;
use crate::server::parts::Table;
use crate::sys::{log as logfile, mem, process, signals, watchdog};

/// What the report says about the server.
#[derive(Default, Clone)]
struct Facts {
    port: u16,
    config: Vec<u8>,
    log_enabled: bool,
    exit_on_panic: bool,
    started_ms: i64,
}

static FACTS: Mutex<Facts> = Mutex::new(Facts {
    port: 0,
    config: Vec::new(),
    log_enabled: true,
    exit_on_panic: false,
    started_ms: 0,
});
/// Names of commands, for any thread; rows live as long as the process.
static TABLE: OnceLock<&'static Table> = OnceLock::new();
/// Where tools that collect reports begin.
const START: &str = "\n\n=== REDIS BUG REPORT START: Cut & paste starting from here ===\n";

/// A panic has been reported, so the abort that follows it is not reported again.
static REPORTED: AtomicBool = AtomicBool::new(false);

/// Takes over what the report needs. Called at start and after CONFIG SET.
pub(crate) fn remember(srv: &Server) {
    let facts = Facts {
        port: srv.cfg.first_port(),
        config: crate::config::rewrite::crash_report(&srv.cfg),
        log_enabled: srv.cfg.process.crash_log,
        exit_on_panic: srv.cfg.process.exit_on_panic,
        started_ms: srv.identity.started_ms,
    };
    if let Ok(mut slot) = FACTS.lock() {
        *slot = facts;
    }
}

/// Installs the handlers for panics and fatal signals.
pub(crate) fn install(srv: &Server) {
    remember(srv);
    TABLE.get_or_init(|| srv.table);
    std::panic::set_hook(Box::new(|info| {
        let facts = facts();
        let place = info.location().map_or("?".to_string(), ToString::to_string);
        let text = info.payload_as_str().unwrap_or("a panic without words");
        logfile::raw(START);
        logfile::write(logfile::Level::Warning, "=== ASSERTION FAILED ===");
        logfile::write(logfile::Level::Warning, &format!("==> {place} '{text}' is not true"));
        report(&facts, "panic");
        REPORTED.store(true, Ordering::SeqCst);
        if facts.exit_on_panic {
            crate::sys::fork::exit_now(1);
        }
    }));
    signals::on_crash(|signal, address| {
        if REPORTED.load(Ordering::SeqCst) {
            return;
        }
        let facts = facts();
        if !facts.log_enabled {
            return;
        }
        let name = signals::name(signal);
        logfile::raw(START);
        let line = format!("Redis {} crashed by signal: {signal}, {name}", identity::REDIS_VERSION);
        logfile::write(logfile::Level::Warning, &line);
        let line = format!("Accessing address: {address:#x}");
        logfile::write(logfile::Level::Warning, &line);
        report(&facts, name);
    });
}

/// Sets the watchdog to `watchdog-period`. As in Redis, the period is at least two ticks of the
/// cron: the cron is what shows that the loop still turns.
pub(crate) fn set_watchdog(srv: &mut Server) -> Result<(), String> {
    let p = &mut srv.cfg.process;
    if p.watchdog_period_ms > 0 {
        p.watchdog_period_ms = p.watchdog_period_ms.max(1000 / p.hz.max(1) * 2);
    }
    let set = srv.watchdog.set(
        p.watchdog_period_ms,
        watchdog::Subject {
            now: running::now,
            describe: |at| format!("Running: {}", Running::at(at)),
        },
    );
    set.map_err(|e| format!("Can't start the watchdog: {e}"))
}

/// A copy of the facts, or the defaults if the thread that crashed holds the lock.
fn facts() -> Facts {
    FACTS.try_lock().map(|f| f.clone()).unwrap_or_default()
}

/// What ran at a moment that [`now`] told of.
enum Running {
    Nothing,
    Command { name: &'static str, db: u64, serial: u64, fd: i32 },
}

impl Running {
    fn at([command, client]: [u64; 2]) -> Running {
        let id = (command as u32).checked_sub(1);
        let (Some(id), Some(table)) = (id, TABLE.get()) else { return Running::Nothing };
        Running::Command {
            name: table.by_id(id as CommandId).name(),
            db: command >> 32,
            serial: client >> 32,
            fd: client as u32 as i32,
        }
    }

    /// The client's columns as in CLIENT LIST.
    fn client(&self) -> String {
        match *self {
            Running::Nothing => "none".to_string(),
            Running::Command { name, db, serial, fd } => {
                let peer = crate::sys::socket::peer_of(fd);
                let peer = peer.map_or("?".to_string(), |a| a.to_string());
                format!("id={serial} addr={peer} fd={fd} db={db} cmd={name}")
            }
        }
    }
}

impl std::fmt::Display for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Running::Nothing => write!(f, "no command"),
            Running::Command { name, .. } => write!(f, "{}, {}", function(name), self.client()),
        }
    }
}

/// The name of a command's function in Redis's traces, since people search reports for it. A
/// subcommand is part of its container's function there.
fn function(command: &str) -> String {
    let whole = command.split('|').next().unwrap_or(command);
    let letters = whole.chars().filter(char::is_ascii_alphanumeric);
    letters.chain("Command".chars()).collect()
}

fn report(facts: &Facts, why: &str) {
    // A report takes long enough to set off the watchdog, which would write its own in the middle.
    watchdog::disarm();
    let running = Running::at(running::now());
    let uptime = (crate::sys::clock::wall_ms() - facts.started_ms) / 1000;
    let (sysname, release, machine) = process::uname();
    logfile::raw(&format!(
        "\n------ STACK TRACE ------\nRunning: {running}\n\n{}\n------ INFO OUTPUT ------\n\
         redis_version:{}\nredust_version:{}\nprocess_id:{}\ntcp_port:{}\nuptime_in_seconds:{uptime}\n\
         os:{sysname} {release} {machine}\nmem_allocator:{}\nused_memory_rss:{}\nreason:{why}\n\
         \n------ CURRENT CLIENT INFO ------\n{}\n\
         \n------ CONFIG DEBUG OUTPUT ------\n{}\n\
         === REDIS BUG REPORT END. Make sure to include from START to END. ===\n",
        Backtrace::force_capture(),
        identity::REDIS_VERSION,
        identity::REDUST_VERSION,
        process::pid(),
        facts.port,
        mem::allocator(),
        mem::rss(),
        running.client(),
        String::from_utf8_lossy(&facts.config),
    ));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::{CmdResult, Flow};
    use crate::server::parts::{Call, running::pack};

    #[test]
    fn commands_have_the_names_of_redis_functions() {
        for (command, name) in [
            ("debug", "debugCommand"),
            ("lpush", "lpushCommand"),
            ("client|no-evict", "clientCommand"),
            ("bitfield_ro", "bitfieldroCommand"),
        ] {
            assert_eq!(function(command), name);
        }
    }

    fn debug(_: &mut Server, _: &mut Call<'_>) -> CmdResult {
        Ok(Flow::Done)
    }

    #[test]
    fn what_runs_is_found_again() {
        let table =
            TABLE.get_or_init(|| Table::build(&[&[("debug", debug)]], &[]).expect("no renames"));
        let row = table.lookup(b"debug").expect("DEBUG");
        assert_eq!(Running::at([0, 5]).to_string(), "no command");
        let text = Running::at(pack(row.id, 9, 7, -1)).to_string();
        assert_eq!(text, "debugCommand, id=7 addr=? fd=-1 db=9 cmd=debug");
    }
}
