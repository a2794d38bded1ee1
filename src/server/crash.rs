//! The crash report: what the server was when it broke, written where the log goes.
//!
//! A broken invariant panics; a fault raises a signal. Both end here, then the process dies by its
//! signal: no half-done state is served. The report needs the server's state, which the crashing thread
//! holds; a copy of the parts that matter is kept here instead, refreshed where they change.

use std::backtrace::Backtrace;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use crate::net::session::CommandId;
use crate::server::table::Table;
use crate::server::{Server, boot};
use crate::sys::{log as logfile, mem, process, signals};

/// What the report says about the server.
#[derive(Default, Clone)]
struct Facts {
    port: u16,
    config: Vec<u8>,
    log_enabled: bool,
    exit_on_panic: bool,
    started_ms: i64,
    /// Names of commands; rows live as long as the process.
    table: Option<&'static Table>,
}

static FACTS: Mutex<Facts> = Mutex::new(Facts {
    port: 0,
    config: Vec::new(),
    log_enabled: true,
    exit_on_panic: false,
    started_ms: 0,
    table: None,
});
/// The command that runs (its number plus one; 0: none), and its client's serial number and descriptor.
/// Two relaxed stores a command; the crashing thread reads them when nothing else can be trusted.
static COMMAND: AtomicU32 = AtomicU32::new(0);
static CLIENT: AtomicU64 = AtomicU64::new(0);

/// Notes who runs what.
#[inline]
pub fn running(command: CommandId, serial: u64, fd: i32) {
    COMMAND.store(u32::from(command) + 1, Ordering::Relaxed);
    CLIENT.store(serial << 32 | u64::from(fd as u32), Ordering::Relaxed);
}

/// A panic has been reported: the abort that follows needs no second report.
static REPORTED: AtomicBool = AtomicBool::new(false);

/// Takes over what the report needs. Called at start and after CONFIG SET.
pub fn remember(srv: &Server) {
    let facts = Facts {
        port: srv.cfg.net.port,
        config: crate::config::rewrite::crash_report(&srv.cfg),
        log_enabled: srv.cfg.process.crash_log,
        exit_on_panic: srv.cfg.process.exit_on_panic,
        started_ms: srv.identity.started_ms,
        table: Some(srv.table),
    };
    if let Ok(mut slot) = FACTS.lock() {
        *slot = facts;
    }
}

/// Installs the handlers for panics and fatal signals.
pub fn install(srv: &Server) {
    remember(srv);
    std::panic::set_hook(Box::new(|info| {
        let facts = facts();
        let place = info.location().map_or("?".to_string(), ToString::to_string);
        let text = info.payload_as_str().unwrap_or("a panic without words");
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
        logfile::raw("\n\n=== REDIS BUG REPORT START: Cut & paste starting from here ===\n");
        let line = format!("Redis {} crashed by signal: {signal}, {name}", boot::REDIS_VERSION);
        logfile::write(logfile::Level::Warning, &line);
        let line = format!("Accessing address: {address:#x}");
        logfile::write(logfile::Level::Warning, &line);
        report(&facts, name);
    });
}

/// A copy of the facts; the defaults when the lock is held by the thread that crashed.
fn facts() -> Facts {
    FACTS.try_lock().map(|f| f.clone()).unwrap_or_default()
}

/// Who the running command belongs to.
fn current_client(facts: &Facts) -> String {
    let command = COMMAND.load(Ordering::Relaxed).checked_sub(1);
    let (Some(command), Some(table)) = (command, facts.table) else { return "none".to_string() };
    let client = CLIENT.load(Ordering::Relaxed);
    let fd = client as u32 as i32;
    let peer = crate::sys::socket::peer_of(fd).map_or("?".to_string(), |a| a.to_string());
    let name = table.by_id(command as CommandId).name();
    format!("id={} addr={peer} fd={fd} cmd={name}", client >> 32)
}

fn report(facts: &Facts, why: &str) {
    let now = crate::sys::clock::wall_ms();
    let uptime = (now - facts.started_ms) / 1000;
    let (sysname, release, machine) = process::uname();
    logfile::raw(&format!(
        "\n------ STACK TRACE ------\n{}\n------ INFO OUTPUT ------\n\
         redis_version:{}\nredust_version:{}\nprocess_id:{}\ntcp_port:{}\nuptime_in_seconds:{uptime}\n\
         os:{sysname} {release} {machine}\nmem_allocator:{}\nused_memory_rss:{}\nreason:{why}\n\
         \n------ CURRENT CLIENT INFO ------\n{}\n\
         \n------ CONFIG DEBUG OUTPUT ------\n{}\n\
         === REDIS BUG REPORT END. Make sure to include from START to END. ===\n",
        Backtrace::force_capture(),
        boot::REDIS_VERSION,
        boot::REDUST_VERSION,
        process::pid(),
        facts.port,
        mem::allocator(),
        mem::rss(),
        current_client(facts),
        String::from_utf8_lossy(&facts.config),
    ));
}
