//! From the command line to the loop: configuration, process, listeners, data.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::config::args::{Action, Run};
use crate::config::choice::{LogLevel, OomScoreAdj, Supervised, SyslogFacility};
use crate::config::file::{ConfigError, Input, Loaded};
use crate::config::{self, Config};
use crate::keyspace::Keyspace;
use crate::keyspace::lazyfree::Lazyfree;
use crate::log;
use crate::net::listener;
use crate::persist::check;
use crate::persist::rdb::load::RdbError;
use crate::server::{Clock, Memory, Server, load, restart, save, turn};
use crate::sys::{log as logfile, mem, process, signals, socket};
use crate::util::siphash::Seed;

/// The version of redis-server whose behaviour this is.
pub const REDIS_VERSION: &str = "7.2.6";
/// Our own.
pub const REDUST_VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the process is, for INFO and the log.
#[derive(Debug, Default)]
pub struct Identity {
    pub run_id: String,
    /// The history that our writes make: replicas that know it could go on from where they are.
    pub replid: String,
    pub executable: PathBuf,
    /// The name it was called by.
    pub program: String,
    /// What follows the name on the command line.
    pub arguments: Vec<OsString>,
    pub config_file: Option<PathBuf>,
    pub started_ms: i64,
    pub title: Option<process::Title>,
    pub supervised: &'static str,
    pub uname: (String, String, String),
    /// Adjustment of the OOM score the process started with.
    pub oom_base: Option<i32>,
    /// The adjustment in force is ours.
    pub oom_set: bool,
    pub max_files: u64,
    /// Directives whose lack of effect the log has told.
    pub told: Vec<&'static str>,
}

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
        Action::TestMemory(Some(megabytes)) => return test_memory(megabytes),
        Action::TestMemory(None) => {
            eprintln!("Please specify the amount of memory to test in megabytes.");
            eprintln!("Example: redust-server --test-memory 4096");
            return 1;
        }
        Action::CheckSystem => return check_system(),
    };
    if run.sentinel {
        eprintln!("Sentinel mode is not available yet.");
        return 1;
    }
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

Examples:
       redust-server (run with the default configuration)
       echo 'maxmemory 128mb' | redust-server -
       redust-server /etc/redis/6379.conf
       redust-server --port 7777
       redust-server /etc/myredis.conf --loglevel verbose -
";

fn version_line() -> String {
    format!(
        "Redis server v={REDIS_VERSION} sha=00000000:0 malloc={} bits=64 build=redust-{REDUST_VERSION}",
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

/// Writes and reads back patterns over so much memory.
fn test_memory(megabytes: u64) -> i32 {
    let words = megabytes as usize * (1 << 20) / 8;
    let mut block: Vec<u64> = Vec::new();
    if block.try_reserve_exact(words).is_err() {
        eprintln!("Unable to allocate {megabytes} megabytes");
        return 1;
    }
    block.resize(words, 0);
    for (pass, pattern) in
        [0x5555_5555_5555_5555, !0x5555_5555_5555_5555u64, 0, !0].iter().enumerate()
    {
        for (i, word) in block.iter_mut().enumerate() {
            *word = pattern ^ i as u64;
        }
        let wrong = block.iter().enumerate().position(|(i, w)| *w != pattern ^ i as u64);
        if let Some(at) = wrong {
            eprintln!("*** MEMORY ERROR DETECTED at word {at} ***");
            return 1;
        }
        println!("Pass {} of 4 OK", pass + 1);
    }
    println!("\nYour memory passed this test.");
    0
}

/// Settings of the system that make a data server slow or unsafe.
fn check_system() -> i32 {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let mut bad = 0;
    let mut check = |name: &str, ok: bool, advice: &str| {
        println!("[{name}]...{}", if ok { "OK" } else { "WARNING" });
        if !ok {
            println!("{advice}\n");
            bad = 1;
        }
    };
    check(
        "overcommit",
        read("/proc/sys/vm/overcommit_memory").trim() != "0",
        "Memory overcommit must be enabled, or a background save may fail when memory is short: \
         sysctl vm.overcommit_memory=1",
    );
    check(
        "THP",
        !read("/sys/kernel/mm/transparent_hugepage/enabled").contains("[always]"),
        "Transparent huge pages make latency and memory use after a fork worse: \
         echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
    );
    check(
        "somaxconn",
        read("/proc/sys/net/core/somaxconn").trim().parse::<u32>().unwrap_or(0) >= 511,
        "The listen backlog is cut to less than 511: sysctl net.core.somaxconn=512",
    );
    bad
}

fn read_config(run: &Run) -> Result<Loaded, ConfigError> {
    let mut base = Config::default();
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
    if let Some(user) = loaded.users.first() {
        return Err(user.error("users other than the default one are not available yet"));
    }
    if let Some(module) = loaded.modules.first() {
        return Err(module.error("modules can't be loaded"));
    }
    if loaded.config.cluster.enabled {
        return Err(ConfigError::general("cluster-enabled: cluster mode is not available yet"));
    }
    if loaded.config.repl.primary.is_some() {
        return Err(ConfigError::general("replicaof: replication is not available yet"));
    }
    let dir = PathBuf::from(std::ffi::OsStr::from_bytes(&loaded.config.process.dir));
    let aof_dir = dir.join(std::ffi::OsStr::from_bytes(&loaded.config.aof.dir_name));
    if loaded.config.aof.enabled && aof_dir.exists() {
        // Starting without what these files hold would lose it.
        return Err(ConfigError::general(format!(
            "appendonly: the append-only files in '{}' can't be read yet. Save an RDB snapshot with the \
             server they come from, and start with 'appendonly no'.",
            aof_dir.display()
        )));
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
    let table = super::table::Table::build(&[], &renames)
        .map_err(|(i, why)| loaded.renames[i].error(why).to_string())?;
    let mut cfg = loaded.config;
    let supervised = supervision(&cfg);
    let daemon = cfg.process.daemonize && supervised == "no";
    open_log(&cfg);
    for warning in &loaded.warnings {
        log!(Warning, "{warning}");
    }
    let dir = PathBuf::from(std::ffi::OsStr::from_bytes(&cfg.process.dir));
    std::env::set_current_dir(&dir)
        .map_err(|e| format!("Can't chdir to '{}': {e}\n", dir.display()))?;
    if let Ok(full) = std::env::current_dir() {
        cfg.process.dir = full.as_os_str().as_bytes().to_vec();
    }
    if daemon {
        process::daemonize().map_err(|e| format!("Can't daemonize: {e}\n"))?;
        logfile::quiet_stdout();
    }
    log!(Notice, "oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo");
    log!(
        Notice,
        "Redis version={REDIS_VERSION}, bits=64, commit=00000000, modified=0, pid={}, just started \
         (redust {REDUST_VERSION})",
        process::pid()
    );
    match &run.config_file {
        Some(_) => log!(Notice, "Configuration loaded"),
        None => log!(
            Warning,
            "Warning: no config file specified, using the default config. In order to specify a config \
             file use {} /path/to/redis.conf",
            executable.display()
        ),
    }
    let mut srv = assemble(cfg, executable, run.config_file, supervised, table)?;
    srv.identity.program = program;
    srv.identity.arguments = arguments;
    prepare(&mut srv)?;
    announce(&srv);
    listen(&mut srv)?;
    log!(Notice, "Server initialized");
    warn_about_system();
    super::cron::run(&mut srv);
    load_data(&mut srv);
    if !srv.shutdown.done {
        ready(&srv);
        turn::run(&mut srv);
        turn::finish_turn(&mut srv);
    }
    if let Some(delay) = srv.shutdown.restart {
        restart::run(srv, delay);
        return Ok(1);
    }
    let code = srv.shutdown.exit_code;
    // Freeing gigabytes to hand them to the system a moment later would only delay the exit.
    std::mem::forget(srv);
    Ok(code)
}

fn supervision(cfg: &Config) -> &'static str {
    let has = |name| std::env::var_os(name).is_some();
    match cfg.process.supervised {
        Supervised::Systemd => "systemd",
        Supervised::Upstart => "upstart",
        Supervised::Auto if has("NOTIFY_SOCKET") => "systemd",
        Supervised::Auto if has("UPSTART_JOB") => "upstart",
        _ => "no",
    }
}

fn open_log(cfg: &Config) {
    let file = String::from_utf8_lossy(&cfg.log.file).into_owned();
    // A relative log file stays where the server was started, as with Redis.
    let file = if file.is_empty() || file.starts_with('/') {
        file
    } else {
        std::env::current_dir()
            .map_or(file.clone(), |d| d.join(&file).to_string_lossy().into_owned())
    };
    if cfg.log.syslog_enabled {
        let facility = match cfg.log.syslog_facility {
            SyslogFacility::User => "user".to_string(),
            other => format!("local{}", other as u32 - SyslogFacility::Local0 as u32),
        };
        crate::sys::syslog::open(&String::from_utf8_lossy(&cfg.log.syslog_ident), &facility);
    }
    logfile::open(logfile::Target { file, syslog: cfg.log.syslog_enabled });
    set_log_level(cfg);
}

pub fn set_log_level(cfg: &Config) {
    logfile::set_level(match cfg.log.level {
        LogLevel::Debug => logfile::Level::Debug,
        LogLevel::Verbose => logfile::Level::Verbose,
        LogLevel::Notice => logfile::Level::Notice,
        LogLevel::Warning => logfile::Level::Warning,
        LogLevel::Nothing => logfile::Level::Nothing,
    });
}

/// Makes the parts; nothing is opened yet but the reactor and the helper thread.
pub fn assemble(
    cfg: Config,
    executable: PathBuf,
    config_file: Option<PathBuf>,
    supervised: &'static str,
    table: &'static super::table::Table,
) -> Result<Server, String> {
    let clock = Clock::new();
    let now = clock.now_ms;
    let entropy = random_bytes();
    let word = |i: usize| u64::from_le_bytes(entropy[i..i + 8].try_into().expect("eight bytes"));
    let seed = Seed([word(0), word(8)]);
    let net = turn::Net::new(now, clock.watch);
    let net = net.map_err(|e| format!("Can't create the event loop: {e}\n"))?;
    let bio = super::bio::Bio::start(&String::from_utf8_lossy(&cfg.process.bio_cpulist));
    let bio = bio.map_err(|e| format!("Can't start the helper thread: {e}\n"))?;
    let counters = mem::ThreadCounters::here().into_iter().chain(bio.memory()).collect();
    let commands = table.rows().len();
    let mut srv = Server {
        ks: Keyspace::new(cfg.keyspace.databases as usize, seed, now),
        limits: Default::default(),
        lazyfree: Lazyfree::default(),
        clients: Default::default(),
        exec: super::Exec { random: word(8) | 1, ..Default::default() },
        blocked: Default::default(),
        watch: Default::default(),
        pubsub: Default::default(),
        tracking: crate::tracking::Tracking::new(seed),
        rdb: save::RdbJobs::new(now),
        child: None,
        cron: Default::default(),
        bio,
        net,
        stats: Default::default(),
        slowlog: Default::default(),
        latency: Default::default(),
        pause: Default::default(),
        loading: None,
        memory: Memory::start(counters),
        eviction: Default::default(),
        expiry: Default::default(),
        shutdown: Default::default(),
        identity: Identity {
            run_id: random_id(),
            replid: random_id(),
            executable,
            config_file,
            started_ms: now,
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
    srv.adopt_settings();
    Ok(srv)
}

/// 40 hexadecimal digits that no other server has.
pub fn random_id() -> String {
    random_bytes()[..20].iter().map(|b| format!("{b:02x}")).collect()
}

/// 24 bytes from the system; from the clock and addresses only where there are none.
fn random_bytes() -> [u8; 24] {
    let mut bytes = [0; 24];
    let read = std::fs::File::open("/dev/urandom")
        .and_then(|mut f| std::io::Read::read_exact(&mut f, &mut bytes));
    if read.is_err() {
        use std::hash::{BuildHasher, RandomState};
        for chunk in bytes.chunks_mut(8) {
            let word = RandomState::new().hash_one(crate::sys::clock::wall_us());
            chunk.copy_from_slice(&word.to_le_bytes());
        }
    }
    bytes
}

impl Server {
    /// Copies settings to where the hot path reads them. Called after every change.
    pub fn adopt_settings(&mut self) {
        self.exec.brief.forbid();
        let cfg = &self.cfg;
        let l = &mut self.limits;
        l.max_bulk = cfg.clients.max_bulk_bytes as usize;
        l.private_ints =
            cfg.memory.max_memory > 0 && (cfg.memory.policy.is_lru() || cfg.memory.policy.is_lfu());
        l.seed = self.ks.seed();
        l.hash_listpack_entries = cfg.limits.hash_max_listpack_entries;
        l.hash_listpack_value = cfg.limits.hash_max_listpack_value;
        l.list_listpack_size = cfg.limits.list_max_listpack_size;
        l.list_compress_depth = cfg.limits.list_compress_depth;
        l.set_intset_entries = cfg.limits.set_max_intset_entries;
        l.set_listpack_entries = cfg.limits.set_max_listpack_entries;
        l.set_listpack_value = cfg.limits.set_max_listpack_value;
        l.zset_listpack_entries = cfg.limits.zset_max_listpack_entries;
        l.zset_listpack_value = cfg.limits.zset_max_listpack_value;
        l.hll_sparse_bytes = cfg.limits.hll_sparse_max_bytes;
        self.lazyfree = Lazyfree {
            user_del: cfg.keyspace.lazy_user_del,
            server_del: cfg.keyspace.lazy_server_del,
            expire: cfg.keyspace.lazy_expire,
            eviction: cfg.keyspace.lazy_eviction,
        };
        self.tracking.set_limit(cfg.clients.tracking_table_max_keys);
        self.rdb.refresh(&self.cfg);
        self.adopt_client_settings();
        self.rearm();
    }
}

/// Settings of the process: files, processors, memory, signals, title.
fn prepare(srv: &mut Server) -> Result<(), String> {
    let p = &srv.cfg.process;
    let want = u64::from(srv.cfg.clients.max_clients) + 32;
    let got = socket::raise_nofile(want);
    srv.identity.max_files = got;
    if got < want {
        let fit = got.saturating_sub(32).max(1) as u32;
        log!(
            Warning,
            "The limit of open files is {got}: maxclients has been reduced to {fit} to fit \
             (it was {}). Raise it with 'ulimit -n'.",
            srv.cfg.clients.max_clients
        );
        srv.cfg.clients.max_clients = fit;
    }
    let p_cpus = String::from_utf8_lossy(&p.server_cpulist).into_owned();
    if !p_cpus.is_empty()
        && let Err(e) = process::set_cpu_list(&p_cpus)
    {
        log!(Warning, "server_cpulist '{p_cpus}' can't be used: {e}");
    }
    if p.disable_thp {
        process::disable_huge_pages();
    }
    mem::background_thread(p.jemalloc_bg_thread);
    if !p.pid_file.is_empty() || p.daemonize {
        let path = match p.pid_file.is_empty() {
            true => "/var/run/redis.pid".into(),
            false => String::from_utf8_lossy(&p.pid_file).into_owned(),
        };
        if let Err(e) = std::fs::write(&path, format!("{}\n", process::pid())) {
            log!(Warning, "Failed to write PID file: {e} ({path})");
        }
    }
    let signal_pipe = signals::install().map_err(|e| format!("Can't catch signals: {e}\n"))?;
    srv.net.watch_signals(signal_pipe).map_err(|e| format!("Can't watch signals: {e}\n"))?;
    super::crash::install(srv);
    srv.identity.oom_base = process::oom_score_adj().ok();
    set_oom_score(srv, 0).map_err(|e| format!("Can't set oom-score-adj: {e}\n"))?;
    srv.identity.oom_set = srv.cfg.process.oom_score_adj != OomScoreAdj::No;
    srv.identity.title = process::Title::locate();
    set_title(srv, "");
    super::crash::set_watchdog(srv).map_err(|e| format!("{e}\n"))?;
    tell_inert(srv);
    Ok(())
}

/// Says once about each setting that has no effect here that it has none.
pub fn tell_inert(srv: &mut Server) {
    for row in config::table::inert(&srv.cfg) {
        if !srv.identity.told.contains(&row.name) {
            srv.identity.told.push(row.name);
            log!(
                Warning,
                "The setting '{}' is accepted but has no effect in this version",
                row.name
            );
        }
    }
}

/// Applies `oom-score-adj` for a class of process: 0 primary, 1 replica, 2 child.
pub fn set_oom_score(srv: &Server, class: usize) -> std::io::Result<()> {
    let p = &srv.cfg.process;
    let base = srv.identity.oom_base.unwrap_or(0);
    let value = match p.oom_score_adj {
        OomScoreAdj::No => return Ok(()),
        OomScoreAdj::Relative => base + p.oom_score_adj_values[class],
        OomScoreAdj::Absolute => p.oom_score_adj_values[class],
    };
    process::set_oom_score_adj(value.clamp(-1000, 1000))
}

/// In a fresh child: its own title, OOM class and processors.
pub fn adopt_child_settings(srv: &mut Server, title: &str) {
    set_title(srv, title);
    // The child works without either; its parent has said so already if they can't be set.
    let _ = set_oom_score(srv, 2);
    let cpus = String::from_utf8_lossy(&srv.cfg.process.bgsave_cpulist).into_owned();
    if !cpus.is_empty() {
        let _ = process::set_cpu_list(&cpus);
    }
}

/// Shows the process's title by `proc-title-template`; `child` names what a child does.
pub fn set_title(srv: &mut Server, child: &str) {
    if !srv.cfg.process.set_proc_title {
        return;
    }
    let text = title(srv, child);
    if let Some(t) = &mut srv.identity.title {
        t.set(&text);
    }
}

fn title(srv: &Server, child: &str) -> String {
    let c = &srv.cfg;
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    let first = c.net.bind.first().map_or("*".to_string(), |b| text(b));
    let addr = if c.net.port != 0 {
        format!("{}:{}", first.trim_start_matches('-'), c.net.port)
    } else if !c.net.unix_socket.is_empty() {
        text(&c.net.unix_socket)
    } else {
        String::new()
    };
    let file = srv.identity.config_file.as_ref();
    let values = [
        ("{title}", if child.is_empty() { &srv.identity.program } else { child }.to_string()),
        ("{listen-addr}", addr),
        ("{server-mode}", String::new()),
        ("{port}", c.net.port.to_string()),
        ("{tls-port}", c.tls.port.to_string()),
        ("{unixsocket}", text(&c.net.unix_socket)),
        ("{config-file}", file.map_or("-".to_string(), |f| f.to_string_lossy().into_owned())),
    ];
    let template = text(&c.process.proc_title_template);
    let out = values.iter().fold(template, |t, (name, value)| t.replace(name, value));
    out.trim_end().to_string()
}

/// The logo (or its one-line form), which also tells the pid to those who wait for it.
fn announce(srv: &Server) {
    let to_terminal =
        srv.cfg.log.file.is_empty() && std::io::IsTerminal::is_terminal(&std::io::stdout());
    if !(srv.cfg.process.always_show_logo || to_terminal && !srv.cfg.log.syslog_enabled) {
        log!(Notice, "Running mode=standalone, port={}.", srv.cfg.net.port);
        return;
    }
    logfile::raw(&format!(
        "
     ___        _         _
    | _ \\___ __| |_  _ __| |_     Redust {REDUST_VERSION} (Redis {REDIS_VERSION}) 64 bit
    |   / -_) _` | || (_-<  _|
    |_|_\\___\\__,_|\\_,_/__/\\__|    Running in standalone mode
                                  Port: {}
                                  PID: {}

",
        srv.cfg.net.port,
        process::pid()
    ));
}

/// Opens the listeners; nothing to listen on is an error.
fn listen(srv: &mut Server) -> Result<(), String> {
    let fail = |e: listener::ListenError, what: &str| {
        log!(
            Warning,
            "Warning: Could not create server {what} listening socket {}: {}",
            e.addr,
            e.error
        );
        log!(Warning, "Failed listening on port {} ({what}), aborting.", srv.cfg.net.port);
        String::new()
    };
    let net = &srv.cfg.net;
    let mut tcp = Vec::new();
    if net.port != 0 {
        let words = bind_words(&srv.cfg);
        tcp = listener::tcp(&words, net.port, net.tcp_backlog as i32, net.socket_mark_id)
            .map_err(|e| fail(e, "TCP"))?;
    }
    let mut unix = Vec::new();
    if !net.unix_socket.is_empty() {
        let path = String::from_utf8_lossy(&net.unix_socket).into_owned();
        unix.push(listener::unix(&path, net.unix_socket_perm).map_err(|e| {
            log!(Warning, "Failed opening Unix socket: bind: {}", e.error);
            String::new()
        })?);
    }
    if tcp.is_empty() && unix.is_empty() {
        log!(Warning, "Configured to not listen anywhere, exiting.");
        return Err(String::new());
    }
    let io = |e: std::io::Error| format!("Can't watch the listening sockets: {e}\n");
    srv.net.set_listeners(false, tcp).map_err(io)?;
    srv.net.set_listeners(true, unix).map_err(io)
}

pub fn bind_words(cfg: &Config) -> Vec<String> {
    cfg.net.bind.iter().map(|b| String::from_utf8_lossy(b).into_owned()).collect()
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

/// Loads the snapshot; a broken one ends the process, since starting empty would lose it.
fn load_data(srv: &mut Server) {
    match load::from_disk(srv, load::Present::Replaced) {
        Ok(load::FromDisk::Absent) => {}
        Ok(load::FromDisk::Loaded) => srv.rdb.dirty = 0,
        Err(_) if srv.shutdown.done => {}
        Err(e) => {
            match e {
                RdbError::Corrupt { .. } => explain_corruption(srv, &e),
                _ => log!(Warning, "Fatal error loading the DB, check server logs. Exiting. ({e})"),
            }
            srv.shutdown.done = true;
            srv.shutdown.exit_code = 1;
        }
    }
}

/// Says what is wrong with the snapshot, and how far the checker gets with it.
#[cold]
fn explain_corruption(srv: &Server, e: &RdbError) {
    log!(Warning, "Bad data in the snapshot: {e}");
    let name = String::from_utf8_lossy(&srv.cfg.snapshot.file_name).into_owned();
    let mut report = Vec::new();
    let file = std::fs::File::open(&name);
    if let Ok(file) = file
        && check::check(file, &name, srv.clock.now_ms, &mut report).is_ok()
    {
        String::from_utf8_lossy(&report).lines().for_each(|line| log!(Warning, "{line}"));
    }
    log!(Warning, "Terminating server after rdb file reading failure.");
}

fn ready(srv: &Server) {
    let listeners = srv.net.listeners();
    let any = |unix| listeners.iter().any(|l| matches!(l, listener::Listener::Unix { .. }) == unix);
    if any(false) {
        log!(Notice, "Ready to accept connections tcp");
    }
    if any(true) {
        log!(Notice, "Ready to accept connections unix");
    }
    match srv.identity.supervised {
        "systemd" => {
            if process::sd_notify("STATUS=Ready to accept connections\nREADY=1\n") {
                log!(Notice, "supervised by systemd: told it that the server is ready");
            } else {
                log!(
                    Warning,
                    "systemd supervision requested or auto-detected, but NOTIFY_SOCKET is not set"
                );
            }
        }
        "upstart" => {
            log!(Notice, "supervised by upstart, will stop to signal readiness");
            crate::sys::fork::kill(process::pid(), libc_sigstop());
        }
        _ => {}
    }
}

/// SIGSTOP, by which upstart learns that a service is ready.
fn libc_sigstop() -> i32 {
    19
}
