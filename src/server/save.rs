//! When and how snapshots are taken: SAVE, BGSAVE, save points, and what follows from failures.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::config::Config;
use crate::config::choice::RdbTarget;
use crate::keyspace::Keyspace;
use crate::log;
use crate::persist::rdb::file::{self, FileError};
use crate::persist::rdb::save::{self, Access, SaveOptions, Summary};
use crate::server::child::{self, Child, Kind, Reporter};
use crate::server::{Server, shutdown};
use crate::sys::fork::{Exit, GAVE_UP};

/// The state of snapshots.
#[derive(Debug, Default)]
pub struct RdbJobs {
    /// Changes since the last successful save.
    pub dirty: u64,
    /// `dirty` when the running child was forked.
    dirty_at_fork: u64,
    pub last_save_ms: i64,
    last_try_ms: i64,
    pub last_failed: bool,
    /// Failures in a row; the automatic retry waits longer after each.
    failures: u32,
    pub last_duration_ms: Option<i64>,
    pub saves: u64,
    pub last_cow: u64,
    /// BGSAVE SCHEDULE: save when the running child is done.
    pub scheduled: bool,
    /// `stop-writes-on-bgsave-error` and save points are on; kept by `refresh`.
    stop_writes: bool,
    pub load_expired: u64,
    pub load_loaded: u64,
}

/// Automatic saves after a failure wait this long, and twice as long after each further one.
const RETRY_MS: i64 = 5_000;
/// But never longer than this.
const RETRY_MAX_MS: i64 = 120_000;

impl RdbJobs {
    pub fn new(now_ms: i64) -> RdbJobs {
        RdbJobs { last_save_ms: now_ms, last_try_ms: now_ms, ..RdbJobs::default() }
    }

    /// Whether writes are refused because the last background save failed.
    #[inline]
    pub fn write_refused(&self) -> bool {
        self.last_failed && self.stop_writes
    }

    /// Takes over the settings that `write_refused` depends on.
    pub fn refresh(&mut self, cfg: &Config) {
        self.stop_writes =
            cfg.snapshot.stop_writes_on_error && !cfg.snapshot.save_points.is_empty();
    }

    /// Whether automatic saves are held back after a failure.
    pub fn stretched(&self) -> bool {
        self.failures > 0
    }

    fn retry_ms(&self) -> i64 {
        (RETRY_MS << self.failures.saturating_sub(1).min(10)).min(RETRY_MAX_MS)
    }
}

/// The version of the format that `rdb-target-version` asks for; 0: the lowest that can hold the data.
pub fn target_version(cfg: &Config) -> u32 {
    match cfg.snapshot.target_version {
        RdbTarget::Automatic => 0,
        RdbTarget::V10 => 10,
        RdbTarget::V11 => 11,
        RdbTarget::V12 => 12,
    }
}

fn options(cfg: &Config, used_memory: u64, now_ms: i64) -> SaveOptions {
    let policy = cfg.memory.policy;
    SaveOptions {
        compression: cfg.snapshot.compression,
        checksum: cfg.snapshot.checksum,
        version: target_version(cfg),
        key_delay_us: cfg.snapshot.key_save_delay_us,
        access: match (policy.is_lru(), policy.is_lfu()) {
            (true, _) => Access::Idle,
            (_, true) => Access::Freq,
            _ => Access::None,
        },
        lru_clock: super::dispatch::access_clock(now_ms, policy.is_lfu()),
        used_memory,
        now_secs: now_ms / 1000,
        redis_version: super::boot::REDIS_VERSION.to_string(),
        aux: Vec::new(),
        functions: Vec::new(),
    }
}

fn file_name(cfg: &Config) -> &Path {
    Path::new(OsStr::from_bytes(&cfg.snapshot.file_name))
}

/// Writes the snapshot file; the work of both SAVE and the child.
fn write(
    ks: &Keyspace,
    cfg: &Config,
    opts: &SaveOptions,
    on_keys: &mut dyn FnMut(u64),
) -> Result<Summary, FileError> {
    let sync = cfg.snapshot.incremental_fsync;
    file::write_atomically(Path::new("."), file_name(cfg), sync, |out| {
        save::save(ks, out, opts, on_keys)
    })
}

/// SAVE: in the foreground. Errors are logged; the reply only says that there was one.
pub fn foreground(srv: &mut Server) -> Result<(), ()> {
    if srv.child.is_some() {
        return Err(());
    }
    let opts = options(&srv.cfg, srv.memory.used(), srv.clock.now_ms);
    let Server { ks, cfg, net, shutdown, .. } = &mut *srv;
    // Signals are looked at meanwhile, for whoever can't wait for the end.
    let result = write(ks, cfg, &opts, &mut |_| {
        shutdown::note_signals(net, shutdown, false);
    });
    srv.clock.now_ms = crate::sys::clock::wall_ms();
    srv.rdb.last_try_ms = srv.clock.now_ms;
    srv.rdb.saves += 1;
    match result {
        Ok(_) => {
            log!(Notice, "DB saved on disk");
            let now = srv.clock.now_ms;
            srv.rdb.dirty = 0;
            srv.rdb.last_save_ms = now;
            srv.rdb.last_failed = false;
            srv.rdb.failures = 0;
            Ok(())
        }
        Err(e) => {
            complain(&srv.cfg, &e);
            Err(())
        }
    }
}

fn complain(cfg: &Config, e: &FileError) {
    let dir = std::env::current_dir().unwrap_or_default();
    log!(
        Warning,
        "Error saving the DB to {} in {}: {} failed: {}",
        file_name(cfg).display(),
        dir.display(),
        e.step,
        e.error
    );
}

/// BGSAVE: in a child.
pub fn background(srv: &mut Server) -> std::io::Result<()> {
    if srv.child.is_some() {
        return Err(std::io::ErrorKind::AlreadyExists.into());
    }
    srv.rdb.dirty_at_fork = srv.rdb.dirty;
    srv.rdb.last_try_ms = srv.clock.now_ms;
    srv.rdb.saves += 1;
    let opts = options(&srv.cfg, srv.memory.used(), srv.clock.now_ms);
    let work = move |view: child::View<'_>, report: &mut Reporter| {
        let result = write(view.ks, view.cfg, &opts, &mut |done| report.keys(done));
        match result {
            Ok(summary) => {
                log!(Notice, "DB saved on disk");
                report.send(summary.keys);
                let cow = crate::sys::mem::smaps("Private_Dirty") >> 20;
                log!(Notice, "Fork CoW for RDB: current {cow} MB, peak {cow} MB, average {cow} MB");
                0
            }
            Err(e) => {
                complain(view.cfg, &e);
                1
            }
        }
    };
    match child::spawn(srv, Kind::Rdb, work) {
        Ok(()) => {
            let pid = srv.child.as_ref().map_or(0, |c| c.pid);
            log!(Notice, "Background saving started by pid {pid}");
            Ok(())
        }
        Err(e) => {
            srv.rdb.last_failed = true;
            srv.rdb.failures += 1;
            log!(Warning, "Can't save in background: fork: {e}");
            Err(e)
        }
    }
}

/// The saving child has ended.
pub fn finished(srv: &mut Server, child: &Child, exit: Exit) {
    let now = srv.clock.now_ms;
    srv.rdb.last_duration_ms = Some(now - child.started_ms);
    srv.rdb.last_cow = child.progress.cow_peak;
    match exit {
        Exit::Code(0) => {
            log!(Notice, "Background saving terminated with success");
            srv.rdb.dirty = srv.rdb.dirty.saturating_sub(srv.rdb.dirty_at_fork);
            srv.rdb.last_save_ms = now;
            srv.rdb.last_failed = false;
            srv.rdb.failures = 0;
        }
        // Told to give up: no failure, but nothing was saved either.
        Exit::Code(GAVE_UP) => {}
        _ => {
            match exit {
                Exit::Code(_) => log!(Warning, "Background saving error"),
                Exit::Signal(n) => {
                    log!(Warning, "Background saving terminated by signal {n}");
                    let _ = std::fs::remove_file(format!("temp-{}.rdb", child.pid));
                }
            }
            srv.rdb.last_failed = true;
            srv.rdb.failures += 1;
            let wait = srv.rdb.retry_ms() / 1000;
            log!(Notice, "The next automatic save is tried {wait} seconds after this one failed");
        }
    }
    if exit == Exit::Code(GAVE_UP) {
        let _ = std::fs::remove_file(format!("temp-{}.rdb", child.pid));
    }
}

/// Starts a save if a save point says so, or if one is scheduled. Called by the cron.
pub fn on_cron(srv: &mut Server) {
    if srv.child.is_some() || srv.loading.is_some() {
        return;
    }
    let now = srv.clock.now_ms;
    let may_retry = !srv.rdb.last_failed || now - srv.rdb.last_try_ms > srv.rdb.retry_ms();
    if srv.rdb.scheduled && may_retry {
        srv.rdb.scheduled = background(srv).is_err();
        return;
    }
    let since = (now - srv.rdb.last_save_ms) / 1000;
    let dirty = srv.rdb.dirty;
    let point = srv.cfg.snapshot.save_points.iter().find(|p| {
        dirty >= u64::from(p.changes) && since > p.seconds as i64 && dirty > 0 && may_retry
    });
    if let Some(p) = point.copied() {
        // A save that takes longer than its interval would follow itself without a pause.
        let slow = srv.rdb.last_duration_ms.is_some_and(|d| d / 1000 > p.seconds as i64);
        if slow && since <= 2 * p.seconds as i64 {
            return;
        }
        log!(Notice, "{} changes in {} seconds. Saving...", p.changes, p.seconds);
        // An error is logged there, and retried here later.
        let _ = background(srv);
    }
}
