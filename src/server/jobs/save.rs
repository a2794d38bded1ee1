//! When and how snapshots are taken: SAVE, BGSAVE, save points, and what follows from failures.
//!
//! SAVE writes on the main thread, and serves nobody meanwhile; only signals are looked at. BGSAVE
//! forks a child that writes what memory held at the fork. Both write `temp-<pid>.rdb` and rename
//! it when it is complete, so the file with the configured name is whole at any time.
//!
//! The cron starts a save that BGSAVE SCHEDULE asked for, or else one that a save point asks for.
//! After a failure both wait, longer after each further one (`RdbJobs::retry_ms`).
//!
//! Invariants:
//!
//! - there is one child at most: every save begins by looking for it;
//! - `dirty` counts the changes since the state of the last good snapshot. So a child that succeeds
//!   takes away what was counted at its fork (`dirty_at_fork`), and no more;
//! - whoever changes `last_failed` calls `rearm`: the gate refuses writes by it.

use crate::server::parts::child::{Child, Kind, reason};
use crate::server::parts::clock::access_clock;
use crate::server::parts::identity::REDIS_VERSION;
use crate::server::parts::rdb::temporary_name;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::config::choice::RdbTarget;
use crate::keyspace::Keyspace;
use crate::log;
use crate::net::clients::ClientId;
use crate::persist::rdb::file::{self, FileError, Step};
use crate::persist::rdb::save::{self, Access, SaveOptions, Summary};
use crate::repl::peer::Filter;
use crate::server::jobs::child::{self, Reporter};
use crate::server::jobs::signals;
use crate::server::parts::Server;
use crate::sys::fork::{self, Exit, GAVE_UP};
use crate::util::path::os_error;

/// The version of the format that `rdb-target-version` asks for; 0: the lowest that can hold the
/// data.
pub(crate) fn target_version(cfg: &Config) -> u32 {
    match cfg.snapshot.target_version {
        RdbTarget::Automatic => 0,
        RdbTarget::V9 => 9,
        RdbTarget::V10 => 10,
        RdbTarget::V11 => 11,
        RdbTarget::V12 => 12,
        RdbTarget::V13 => 13,
        RdbTarget::V14 => 14,
    }
}

/// How a snapshot is written now.
pub(crate) fn options(srv: &Server) -> SaveOptions {
    let (cfg, now_ms) = (&srv.cfg, srv.clock.now_ms);
    let policy = cfg.memory.policy;
    let libraries = srv.script.texts();
    if cfg.snapshot.target_version == RdbTarget::V9 && !libraries.is_empty() {
        log!(Warning, "Functions are not in snapshots of version 9 (rdb-target-version)");
    }
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
        lru_clock: access_clock(now_ms, policy.is_lfu()),
        used_memory: srv.memory.used(),
        now_secs: now_ms / 1000,
        redis_version: REDIS_VERSION.to_string(),
        aux: history(srv),
        libraries,
    }
}

/// Whose stream goes on from this state, and where: who loads the file may go on in it.
fn history(srv: &Server) -> Vec<(String, String)> {
    let repl = &srv.repl;
    // A primary without a backlog has nothing to go on with, and a replica knows it while the link
    // is up.
    let db = match &repl.following {
        None if repl.backlog.is_some() => srv.stream.db().unwrap_or(0),
        Some(following) if repl.is_linked() || following.resumes => following.db,
        _ => return Vec::new(),
    };
    vec![
        ("repl-stream-db".into(), db.to_string()),
        ("repl-id".into(), repl.history.id.clone()),
        ("repl-offset".into(), srv.stream.repl_end().to_string()),
    ]
}

/// Where the snapshot is.
pub(crate) fn path(cfg: &Config) -> PathBuf {
    file_name(cfg).to_owned()
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
    let temporary = temporary_name(crate::sys::process::pid());
    file::write_atomically(Path::new("."), file_name(cfg), temporary.as_ref(), sync, |out| {
        save::save(ks, out, opts, on_keys)
    })
}

/// A save that takes long is heard of in the log this often.
const TELL_EVERY_SECS: u64 = 5;

/// SAVE: in the foreground. Errors are logged; the reply only says that there was one.
pub(crate) fn foreground(srv: &mut Server) -> Result<(), ()> {
    if srv.child.as_ref().is_some_and(|child| child.kind == Kind::Rdb) {
        return Err(());
    }
    let opts = options(srv);
    srv.rdb.latest.began_ms = crate::sys::clock::wall_ms();
    let Server { ks, cfg, net, shutdown, .. } = &mut *srv;
    // Signals are looked at meanwhile, for whoever can't wait for the end.
    let (total, begun) = (ks.len(), std::time::Instant::now());
    let mut told = 0;
    let result = write(ks, cfg, &opts, &mut |done| {
        signals::note_signals(net, shutdown, false);
        let seconds = begun.elapsed().as_secs();
        if seconds >= told + TELL_EVERY_SECS {
            told = seconds;
            let percent = done * 100 / total.max(1) as u64;
            log!(Notice, "Saving: {done} of {total} keys ({percent}%), {seconds} seconds");
        }
    });
    srv.clock.now_ms = crate::sys::clock::wall_ms();
    srv.rdb.last_try_ms = srv.clock.now_ms;
    srv.rdb.latest.took_ms = Some(begun.elapsed().as_millis() as i64);
    if result.is_ok() {
        srv.rdb.last_failed = false;
        srv.rearm();
    }
    match result {
        Ok(summary) => {
            log!(Notice, "DB saved on disk");
            let now = srv.clock.now_ms;
            srv.rdb.latest.bytes = Some(summary.bytes);
            srv.rdb.dirty = 0;
            srv.rdb.held_secs = None;
            srv.rdb.last_save_ms = now;
            srv.rdb.failures = 0;
            Ok(())
        }
        Err(e) => {
            complain(&srv.cfg, &e);
            let why = reason(e.step, e.error.raw_os_error().unwrap_or(0));
            srv.rdb.latest.failed(why);
            Err(())
        }
    }
}

/// Says in Redis's words why a save failed.
fn complain(cfg: &Config, e: &FileError) {
    let temporary = temporary_name(crate::sys::process::pid());
    let name = file_name(cfg).display();
    // The directory may be gone.
    let dir = std::env::current_dir()
        .map_or("unknown".to_string(), |dir| dir.to_string_lossy().into_owned());
    let error = os_error(&e.error);
    match e.step {
        Step::Open => log!(
            Warning,
            "Failed opening the temp RDB file {temporary} (in server root dir {dir}) for saving: {error}"
        ),
        Step::Write => {
            log!(Warning, "Write error while saving DB to the disk(rdbSaveRio): {error}");
        }
        Step::Sync => log!(Warning, "Write error while saving DB to the disk(fsync): {error}"),
        Step::Rename => log!(
            Warning,
            "Error moving temp DB file {temporary} on the final destination {name} (in server root dir \
             {dir}): {error}"
        ),
        Step::SyncDirectory => {
            log!(Warning, "Failed to fsync directory while saving DB: {error}");
        }
    }
}

/// BGSAVE: in a child.
pub(crate) fn background(srv: &mut Server) -> std::io::Result<()> {
    background_for(srv, None)
}

/// BGSAVE for replicas that read versions of the format up to this one.
pub(crate) fn background_for(srv: &mut Server, version: Option<u32>) -> std::io::Result<()> {
    if srv.child.is_some() {
        return Err(std::io::ErrorKind::AlreadyExists.into());
    }
    srv.rdb.dirty_at_fork = srv.rdb.dirty;
    srv.rdb.last_try_ms = srv.clock.now_ms;
    srv.rdb.latest.began_ms = srv.clock.now_ms;
    srv.rdb.saves += 1;
    let mut opts = options(srv);
    opts.version = version.unwrap_or(opts.version);
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
                report.failed(&e);
                1
            }
        }
    };
    let forked = child::spawn(srv, Kind::Rdb, work);
    started(srv, forked)
}

/// Writes a snapshot to replicas, in a child: `send` is given what writes it, to be put between
/// what comes before and after.
pub(crate) fn background_to(
    srv: &mut Server,
    version: Option<u32>,
    filter: Filter,
    replicas: Vec<ClientId>,
    send: impl FnOnce(&mut Reporter, &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) -> io::Result<()>,
) -> std::io::Result<()> {
    if srv.child.is_some() {
        return Err(std::io::ErrorKind::AlreadyExists.into());
    }
    srv.rdb.saves += 1;
    let mut opts = options(srv);
    opts.version = version.unwrap_or(opts.version);
    if filter.no_functions {
        opts.libraries.clear();
    }
    let empty = filter.no_data.then(|| srv.ks.empty_like(srv.clock.now_ms));
    let work = move |view: child::View<'_>, report: &mut Reporter| {
        let ks = empty.as_ref().unwrap_or(view.ks);
        let mut write =
            |mut out: &mut dyn Write| save::save(ks, &mut out, &opts, &mut |_| ()).map(|_| ());
        match send(report, &mut write) {
            Ok(()) => 0,
            Err(_) => 1,
        }
    };
    let forked = child::spawn(srv, Kind::Rdb, work);
    if let (Ok(()), Some(child)) = (&forked, &mut srv.child) {
        child.replicas = replicas;
    }
    match forked {
        Ok(()) => {
            let pid = srv.child.as_ref().map_or(0, |c| c.pid);
            log!(Notice, "Background RDB transfer started by pid {pid}");
            Ok(())
        }
        Err(e) => {
            log!(Warning, "Can't save in background: fork: {}", os_error(&e));
            Err(e)
        }
    }
}

fn started(srv: &mut Server, forked: std::io::Result<()>) -> std::io::Result<()> {
    match forked {
        Ok(()) => {
            let pid = srv.child.as_ref().map_or(0, |c| c.pid);
            log!(Notice, "Background saving started by pid {pid}");
            Ok(())
        }
        Err(e) => {
            srv.rdb.last_failed = true;
            srv.rearm();
            srv.rdb.failures += 1;
            srv.rdb.latest.failed(format!("fork: {}", os_error(&e)));
            log!(Warning, "Can't save in background: fork: {}", os_error(&e));
            Err(e)
        }
    }
}

/// The saving child has ended.
pub(crate) fn finished(srv: &mut Server, child: &Child, exit: Exit) {
    let now = srv.clock.now_ms;
    if !child.replicas.is_empty() {
        return match exit {
            Exit::Code(0) => log!(Notice, "Background RDB transfer terminated with success"),
            Exit::Code(_) => log!(Warning, "Background transfer error"),
            Exit::Signal(n) => log!(Warning, "Background transfer terminated by signal {n}"),
        };
    }
    srv.rdb.last_duration_ms = Some(now - child.started_ms);
    srv.rdb.latest.took_ms = Some(crate::sys::clock::wall_ms() - child.started_ms);
    srv.rdb.last_cow = child.progress.cow_peak;
    match exit {
        Exit::Code(0) => {
            log!(Notice, "Background saving terminated with success");
            srv.rdb.dirty = srv.rdb.dirty.saturating_sub(srv.rdb.dirty_at_fork);
            srv.rdb.held_secs = None;
            srv.rdb.last_save_ms = now;
            srv.rdb.last_failed = false;
            srv.rdb.failures = 0;
            srv.rdb.latest.bytes = std::fs::metadata(file_name(&srv.cfg)).map(|m| m.len()).ok();
        }
        // Told to give up: no failure, but nothing was saved either.
        Exit::Code(GAVE_UP) => {
            log!(Warning, "Background saving terminated by signal {}", fork::GIVE_UP);
            srv.syncer.delete(temporary_name(child.pid).as_ref());
        }
        _ => {
            match exit {
                Exit::Code(_) => log!(Warning, "Background saving error"),
                Exit::Signal(n) => {
                    log!(Warning, "Background saving terminated by signal {n}");
                    srv.syncer.delete(temporary_name(child.pid).as_ref());
                }
            }
            srv.rdb.last_failed = true;
            srv.rdb.failures += 1;
            srv.rdb.latest.failed(child.reason(exit));
            let wait = srv.rdb.retry_ms() / 1000;
            log!(Notice, "The next automatic save is tried {wait} seconds after this one failed");
        }
    }
    srv.rearm();
}

/// Starts a save if a save point says so, or if one is scheduled. Called by the cron.
pub(crate) fn on_cron(srv: &mut Server) {
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
        let (held, news) = srv.rdb.hold_back(p.seconds as i64, since);
        if news {
            log!(
                Notice,
                "The last save took {} seconds, longer than the interval of {} seconds: the next one \
                 begins after {} seconds",
                srv.rdb.last_duration_ms.unwrap_or(0) / 1000,
                p.seconds,
                2 * p.seconds
            );
        }
        if held {
            return;
        }
        log!(Notice, "{} changes in {} seconds. Saving...", p.changes, p.seconds);
        // An error is logged there, and retried here later.
        let _ = background(srv);
    }
}
