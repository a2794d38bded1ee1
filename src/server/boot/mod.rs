//! From the command line to the loop.
//!
//! ```text
//! main       arguments: what to do at all
//! start      read_config   environment, file, standard input, options; what can't work is refused
//!            the table of commands, with its renames
//!            change to the directory of the data, open the log, become a daemon
//!            assemble      the parts of the server; helper threads start
//!            prepare       limits, processors, pid file, signals, out-of-memory score, title
//!            listen, first cron, load the data, run the loop
//! ```
//! Why in this order: relative paths, that of the log first, start from the directory of the data.
//! A fork takes no threads along, so the process becomes a daemon before it starts any. The limit
//! of open files may lower `maxclients`, which must be known before the first client comes.
//! Listeners are open before the data is loaded, so that clients are told LOADING instead of being
//! refused.
//!
//! An error on the way ends the process with a message. A broken snapshot does so as well: a server
//! that started empty would write over it.

mod check;
mod data;
pub(super) mod link_fuzz;
mod selftest;
mod users;
mod watching;

use crate::server::admin;
use crate::server::engine::audit;
use crate::server::jobs::sentinel;
use crate::server::jobs::settings;
use crate::server::parts::Server;
use crate::server::parts::Table;
use crate::server::parts::clock::Clock;
use crate::server::parts::exec::Exec;
use crate::server::parts::identity::{self, Identity, REDIS_VERSION, REDUST_VERSION};
use crate::server::parts::identity::{random_bytes, random_id};
use crate::server::parts::memory::Memory;
use crate::server::parts::net::Net;
use crate::server::parts::rdb::RdbJobs;
use crate::server::parts::repl::Repl;
use crate::server::parts::syncer::Syncer;
use crate::server::parts::writer::Writer;
use crate::server::reactor::listen;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::commands::spec::SENTINEL;
use crate::config::args::{Action, Run};
use crate::config::choice::{OomScoreAdj, SyslogFacility};
use crate::config::file::{ConfigError, Input, Loaded};
use crate::config::{self, Config, RESERVED_FILES};
use crate::keyspace::Keyspace;
use crate::log;
use crate::server::jobs::{restart, supervisor, tls};
use crate::server::reactor::turn;
use crate::sys::{log as logfile, mem, process, signals, socket};
use crate::util::path::{os_error, to_path};
use crate::util::siphash::Seed;

/// Where a daemon writes its process number unless it is told where.
const DEFAULT_PID_FILE: &[u8] = b"/var/run/redis.pid";

/// Runs the server; the exit code.
pub fn main(args: Vec<OsString>) -> i32 {
    let cwd = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let run = match config::args::parse(&args, &cwd) {
        Action::Run(run) => run,
        Action::Version => {
            println!("{}", version_line());
            return 0;
        }
        Action::Help => {
            eprint!("{HELP}");
            return 1;
        }
        Action::TestMemory(Some(megabytes)) => return selftest::test_memory(megabytes),
        Action::TestMemory(None) => {
            eprintln!("Please specify the amount of memory to test in megabytes.");
            eprintln!("Example: redust-server --test-memory 4096");
            return 1;
        }
        Action::CheckSystem => return selftest::check_system(),
        Action::CheckConfig(run, format) => return check::check_config(&run, format),
        Action::Usage(why) => {
            eprintln!("{why}\n\n{HELP}");
            return config::check::report::USAGE;
        }
    };
    let executable = absolute(&cwd, &args);
    let program = args.first().map_or(String::new(), |a| a.to_string_lossy().into_owned());
    let arguments = restart::arguments(&args, run.config_file.as_deref());
    match start(run, executable, program, arguments) {
        Ok(code) => code,
        Err(message) => {
            eprint!("{message}");
            1
        }
    }
}

const HELP: &str = "\
Usage: redust-server [/path/to/redis.conf] [options] [-]
       redust-server - (read configuration from standard input)
       redust-server -v or --version
       redust-server -h or --help
       redust-server --test-memory <megabytes>
       redust-server --check-system
       redust-server --check-config [/path/to/redis.conf] [options] [-] [--format json]
       redust-server /path/to/sentinel.conf --sentinel

Examples:
       redust-server (run with the default configuration)
       echo 'maxmemory 128mb' | redust-server -
       redust-server /etc/redis/6379.conf
       redust-server --port 7777
       redust-server /etc/myredis.conf --loglevel verbose -
       redust-server /etc/sentinel.conf --sentinel

Settings from the environment (REDUST_ADDR ...) and signals: man redust-server.
";

fn version_line() -> String {
    format!(
        "Redis server v={REDIS_VERSION} sha={}:{} malloc={} bits=64 build=redust-{REDUST_VERSION}",
        identity::commit(),
        u8::from(identity::is_modified()),
        mem::allocator()
    )
}

fn absolute(cwd: &Path, args: &[OsString]) -> PathBuf {
    let name = args.first().map(PathBuf::from).unwrap_or_default();
    if name.components().count() > 1 {
        cwd.join(name)
    } else {
        std::env::current_exe().unwrap_or(name)
    }
}

fn read_config(run: &Run) -> Result<Loaded, ConfigError> {
    let mut base = Config::default();
    if run.sentinel {
        base.become_sentinel();
    }
    let lookup = |name: &str| std::env::var_os(name).map(|v| v.as_bytes().to_vec());
    config::env::apply(&mut base, lookup)?;
    let stdin = if run.stdin {
        let mut text = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut text)
            .map_err(|e| ConfigError::general(format!("Can't read standard input: {e}")))?;
        Some(text)
    } else {
        None
    };
    let mut loaded = config::file::load(Input {
        base,
        config_file: run.config_file.as_deref(),
        stdin: stdin.as_deref(),
        options: &run.options,
        sentinel: run.sentinel,
    })?;
    loaded.warnings.extend(config::refuse::check(&loaded)?);
    // Nobody asks for the lines any more, and a server runs for long.
    loaded.assigned = Vec::new();
    let variables = check::variables();
    let named = variables.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
    for (name, known) in config::env::unknown(named) {
        let hint = known.map_or(String::new(), |known| format!(" Did you mean {known}?"));
        let text = format!("WARNING: The environment variable {name} is not known.{hint}");
        loaded.warnings.push(text);
    }
    if loaded.config.process.dir.is_empty() {
        loaded.config.process.dir = b".".to_vec();
    }
    Ok(loaded)
}

fn start(
    run: Run,
    executable: PathBuf,
    program: String,
    arguments: Vec<OsString>,
) -> Result<i32, String> {
    let loaded = read_config(&run).map_err(|e| e.to_string())?;
    let renames: Vec<_> = loaded.renames.iter().map(|r| r.value.clone()).collect();
    let table = match run.sentinel {
        true => Table::build_of(&admin::sentinel_tables(), &renames, |s| s.has(SENTINEL)),
        false => Table::build(admin::TABLES, &renames),
    };
    let table = table.map_err(|(i, why)| loaded.renames[i].error(why).to_string())?;
    let mut cfg = loaded.config;
    // Relative paths, that of the log first, start from the directory of the data.
    let dir = PathBuf::from(std::ffi::OsStr::from_bytes(&cfg.process.dir));
    std::env::set_current_dir(&dir)
        .map_err(|e| format!("Can't chdir to '{}': {}\n", dir.display(), os_error(&e)))?;
    if let Ok(full) = std::env::current_dir() {
        cfg.process.dir = full.as_os_str().as_bytes().to_vec();
    }
    let sentinel = if run.sentinel { Some(watching::make(&loaded.sentinel)?) } else { None };
    open_log(&cfg);
    if run.sentinel {
        logfile::set_role(b'X');
        watching::check_file(run.config_file.as_deref())?;
    }
    for warning in &loaded.warnings {
        log!(Warning, "{warning}");
    }
    warn_about_system();
    let supervision = supervisor::begin(&cfg);
    if cfg.process.daemonize && !supervision.reached {
        process::daemonize().map_err(|e| format!("Can't daemonize: {}\n", os_error(&e)))?;
        logfile::quiet_stdout();
        if cfg.process.pid_file.is_empty() {
            cfg.process.pid_file = DEFAULT_PID_FILE.to_vec();
        }
    }
    log!(Notice, "oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo");
    log!(
        Notice,
        "Redis version={REDIS_VERSION}, bits=64, commit={}, modified={}, pid={}, just started \
         (redust {REDUST_VERSION})",
        identity::commit(),
        u8::from(identity::is_modified()),
        process::pid()
    );
    if arguments.is_empty() {
        log!(
            Warning,
            "Warning: no config file specified, using the default config. In order to specify a config \
             file use {program} /path/to/redis.conf"
        );
    } else {
        log!(Notice, "Configuration loaded");
    }
    let mut srv = assemble(cfg, executable, run.config_file, supervision.by, table)?;
    srv.identity.program = program;
    if let Some(sentinel) = sentinel {
        srv.identity.mode = "sentinel";
        srv.sentinel = Some(sentinel);
    }
    srv.identity.arguments = arguments;
    users::load(&mut srv, &loaded.roles, &loaded.users)?;
    open_audit_log(&srv)?;
    prepare(&mut srv)?;
    announce(&srv);
    if tls::is_wanted(&srv.cfg) && tls::configure(&mut srv).is_err() {
        log!(Warning, "Failed to configure TLS. Check logs for more info.");
        return Err(String::new());
    }
    listen::open(&mut srv)?;
    match srv.sentinel.is_some() {
        // Its connections have its ID in their names.
        true => sentinel::start(&mut srv),
        false => log!(Notice, "Server initialized"),
    }
    crate::server::jobs::cron::run(&mut srv);
    data::begin(&mut srv);
    if !srv.shutdown.done {
        turn::run(&mut srv);
        turn::finish_turn(&mut srv, turn::Mode::Full);
    }
    srv.audit.finish();
    if let Some(delay) = srv.shutdown.restart {
        restart::run(srv, delay);
        return Ok(1);
    }
    let code = srv.shutdown.exit_code;
    // Freeing gigabytes to hand them to the system a moment later would only delay the exit.
    std::mem::forget(srv);
    Ok(code)
}

/// A server that is told to keep an audit log does not run without it.
fn open_audit_log(srv: &Server) -> Result<(), String> {
    let Some(fault) = audit::target(srv).and_then(|target| target.fault()) else { return Ok(()) };
    log!(Warning, "Can't open the audit log '{}': {fault}", srv.cfg.audit.log.escape_ascii());
    Err(String::new())
}

fn open_log(cfg: &Config) {
    // Compat: a relative one is found again for each line, and moves with CONFIG SET dir.
    let file = String::from_utf8_lossy(&cfg.log.file).into_owned();
    if cfg.log.syslog_enabled {
        let facility = match cfg.log.syslog_facility {
            SyslogFacility::User => "user".to_string(),
            other => format!("local{}", other as u32 - SyslogFacility::Local0 as u32),
        };
        crate::sys::syslog::open(&String::from_utf8_lossy(&cfg.log.syslog_ident), &facility);
    }
    logfile::open(logfile::Target { file, syslog: cfg.log.syslog_enabled });
    settings::set_log(cfg);
}

/// Makes the parts; nothing is opened yet but the reactor and the helper threads.
pub(crate) fn assemble(
    cfg: Config,
    executable: PathBuf,
    config_file: Option<PathBuf>,
    supervised: &'static str,
    table: &'static Table,
) -> Result<Server, String> {
    let clock = Clock::new();
    let now = clock.now_ms;
    let entropy = random_bytes();
    let word = |i: usize| u64::from_le_bytes(entropy[i..i + 8].try_into().expect("eight bytes"));
    let seed = Seed([word(0), word(8)]);
    let net = Net::new(now, clock.watch);
    let net = net.map_err(|e| format!("Can't create the event loop: {}\n", os_error(&e)))?;
    let bio =
        crate::server::parts::bio::Bio::start(&String::from_utf8_lossy(&cfg.process.bio_cpulist));
    let bio = bio.map_err(|e| format!("Can't start a helper thread: {}\n", os_error(&e)))?;
    let waker = net.waker().map(Arc::new);
    let waker = waker.map_err(|e| format!("Can't create the event loop: {}\n", os_error(&e)))?;
    let syncer = Syncer::start(&String::from_utf8_lossy(&cfg.process.bio_cpulist), waker.clone());
    let syncer = syncer.map_err(|e| format!("Can't start a helper thread: {}\n", os_error(&e)))?;
    let here = mem::ThreadCounters::here().into_iter();
    let counters = here.chain(bio.memory()).chain(syncer.memory()).collect();
    let commands = table.rows().len();
    let mut srv = Server {
        ks: Keyspace::new(cfg.keyspace.databases as usize, seed, now),
        acl: Default::default(),
        audit: Default::default(),
        limits: Default::default(),
        lazyfree: Default::default(),
        clients: Default::default(),
        exec: Exec::new(word(8) | 1),
        blocked: Default::default(),
        watch: Default::default(),
        pubsub: Default::default(),
        tracking: crate::tracking::Tracking::new(seed),
        rdb: RdbJobs::new(now),
        repl: Repl::new(random_id(), now),
        child: None,
        cron: Default::default(),
        bio,
        syncer,
        writer: Writer::new(waker),
        aof: Default::default(),
        net,
        stream: Default::default(),
        tls: Default::default(),
        script: Default::default(),
        sentinel: None,
        stats: Default::default(),
        slowlog: Default::default(),
        large: Default::default(),
        latency: Default::default(),
        hotkeys: None,
        survey: Default::default(),
        pause: Default::default(),
        loading: None,
        memory: Memory::start(counters),
        metrics: Default::default(),
        render: admin::metrics::render,
        eviction: Default::default(),
        expiry: Default::default(),
        shutdown: Default::default(),
        identity: Identity {
            run_id: random_id(),
            executable,
            config_file,
            started_ms: now,
            mode: "standalone",
            supervised,
            uname: process::uname(),
            ..Identity::default()
        },
        migrate: Default::default(),
        debug: Default::default(),
        watchdog: Default::default(),
        table,
        clock,
        cfg,
    };
    srv.stats.commands = vec![Default::default(); commands];
    settings::adopt(&mut srv);
    Ok(srv)
}

/// Settings of the process: files, processors, memory, signals, title.
fn prepare(srv: &mut Server) -> Result<(), String> {
    limit_open_files(srv)?;
    let p = &srv.cfg.process;
    let p_cpus = String::from_utf8_lossy(&p.server_cpulist).into_owned();
    if !p_cpus.is_empty()
        && let Err(e) = process::set_cpu_list(&p_cpus)
    {
        log!(Warning, "server_cpulist '{p_cpus}' can't be used: {}", os_error(&e));
    }
    if p.disable_thp {
        process::disable_huge_pages();
    }
    mem::background_thread(p.jemalloc_bg_thread);
    if !p.pid_file.is_empty() {
        let path = to_path(&p.pid_file);
        if let Err(e) = std::fs::write(path, format!("{}\n", process::pid())) {
            log!(Warning, "Failed to write PID file: {}", os_error(&e));
        }
    }
    let signal_pipe = signals::install().map_err(|e| format!("Can't catch signals: {e}\n"))?;
    srv.net.watch_signals(signal_pipe).map_err(|e| format!("Can't watch signals: {e}\n"))?;
    crate::server::jobs::crash::install(srv);
    srv.identity.oom_base = process::oom_score_adj().ok();
    settings::set_oom_score(srv, 0)
        .map_err(|e| format!("Can't set oom-score-adj: {}\n", os_error(&e)))?;
    srv.identity.oom_set = srv.cfg.process.oom_score_adj != OomScoreAdj::No;
    srv.identity.title = process::Title::locate();
    settings::set_title(srv, "");
    crate::server::jobs::crash::set_watchdog(srv).map_err(|e| format!("{e}\n"))?;
    settings::tell_inert(srv);
    Ok(())
}

/// Makes room for `maxclients` connections, or fits that to the room there is.
fn limit_open_files(srv: &mut Server) -> Result<(), String> {
    let wanted = srv.cfg.clients.max_clients;
    let want = u64::from(wanted) + RESERVED_FILES;
    let files = socket::raise_nofile(want);
    srv.identity.max_files = files.limit;
    if files.limit >= want {
        if files.before < want {
            log!(
                Notice,
                "Increased maximum number of open files to {want} (it was originally set to {}).",
                files.before
            );
        }
        return Ok(());
    }
    if files.limit <= RESERVED_FILES {
        log!(
            Warning,
            "Your current 'ulimit -n' of {} is not enough for the server to start. Please increase your \
             open file limit to at least {want}. Exiting.",
            files.before
        );
        return Err(String::new());
    }
    let fit = (files.limit - RESERVED_FILES) as u32;
    let error = files.error.map_or(String::new(), |e| os_error(&e));
    log!(
        Warning,
        "You requested maxclients of {wanted} requiring at least {want} max file descriptors."
    );
    log!(Warning, "Server can't set maximum open files to {want} because of OS error: {error}.");
    log!(
        Warning,
        "Current maximum open files is {}. maxclients has been reduced to {fit} to compensate for low \
         ulimit. If you need higher maxclients increase 'ulimit -n'.",
        files.limit
    );
    srv.cfg.clients.max_clients = fit;
    Ok(())
}

/// The logo (or its one-line form), which also tells the pid to those who wait for it.
fn announce(srv: &Server) {
    let to_terminal =
        srv.cfg.log.file.is_empty() && std::io::IsTerminal::is_terminal(&std::io::stdout());
    if !(srv.cfg.process.always_show_logo || to_terminal && !srv.cfg.log.syslog_enabled) {
        log!(Notice, "Running mode={}, port={}.", srv.identity.mode, srv.cfg.first_port());
        return;
    }
    logfile::raw(&format!(
        "
     ___        _         _
    | _ \\___ __| |_  _ __| |_     Redust {REDUST_VERSION} (Redis {REDIS_VERSION}) 64 bit
    |   / -_) _` | || (_-<  _|
    |_|_\\___\\__,_|\\_,_/__/\\__|    Running in {} mode
                                  Port: {}
                                  PID: {}

",
        srv.identity.mode,
        srv.cfg.first_port(),
        process::pid()
    ));
}

fn warn_about_system() {
    let overcommit = std::fs::read_to_string("/proc/sys/vm/overcommit_memory").unwrap_or_default();
    if overcommit.trim() == "0" {
        log!(
            Warning,
            "WARNING Memory overcommit must be enabled! Without it, a background save may fail under \
             low memory condition. Add 'vm.overcommit_memory = 1' to /etc/sysctl.conf, or run \
             'sysctl vm.overcommit_memory=1'."
        );
    }
}
