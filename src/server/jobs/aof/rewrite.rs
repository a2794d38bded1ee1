//! Rewriting the append-only file: a child writes a new base from what is in memory.
//!
//! ```text
//! background   flush; a new incremental file, named by the manifest; fork
//! child        temp-rewriteaof-<pid>.aof, synced, renamed to temp-rewriteaof-bg-<pid>.aof
//! finished     renamed into the directory; manifest: the new base, what it replaces is history;
//!              history is deleted
//! ```
//! Whatever fails, the files that the manifest names hold everything.

use std::fs;
use std::path::Path;

use crate::config::Config;
use crate::keyspace::Keyspace;
use crate::log;
use crate::persist::aof::manifest::temporary_incr_name;
use crate::persist::aof::rewrite::commands;
use crate::persist::rdb::file::{FileError, Step, write_atomically};
use crate::persist::rdb::save::{self, SaveOptions, Summary};
use crate::server::jobs::aof::files::NotPersisted;
use crate::server::jobs::aof::{files, flush};
use crate::server::jobs::child::{self, Reporter};
use crate::server::jobs::save::options;
use crate::server::parts::Server;
use crate::server::parts::aof::{State, path, temporary_base_name};
use crate::server::parts::child::{Child, Kind, reason};
use crate::sys::fork::{self, Exit, GAVE_UP};
use crate::util::path::{os_error, to_path};

/// What the base file is to be like.
fn base_options(srv: &Server) -> SaveOptions {
    SaveOptions { aux: vec![("aof-base".to_owned(), "1".to_owned())], ..options(srv) }
}

/// Writes a base file; the work of both the child and the start.
fn write_base(
    ks: &Keyspace,
    cfg: &Config,
    opts: &SaveOptions,
    to: &Path,
    on_keys: &mut dyn FnMut(u64),
) -> Result<Summary, FileError> {
    let temporary = temporary_base_name(crate::sys::process::pid(), false);
    let sync = cfg.aof.rewrite_incremental_fsync;
    write_atomically(Path::new("."), to, temporary.as_ref(), sync, |out| {
        if cfg.aof.use_rdb_preamble {
            save::save(ks, out, opts, on_keys)
        } else {
            commands(ks, out, opts, cfg.aof.timestamps, on_keys)
        }
    })
    .inspect_err(complain)
}

/// Says in Redis's words why a base could not be written.
fn complain(e: &FileError) {
    let error = os_error(&e.error);
    match e.step {
        Step::Open => log!(
            Warning,
            "Opening the temp file for AOF rewrite in rewriteAppendOnlyFile(): {error}"
        ),
        Step::Write | Step::Sync => {
            log!(Warning, "Write error writing append only file on disk: {error}");
        }
        Step::Rename | Step::SyncDirectory => {
            log!(Warning, "Error moving temp append only file on the final destination: {error}")
        }
    }
}

/// Writes the base `name` in the foreground; an error is in the log.
pub(crate) fn write_base_now(srv: &mut Server, name: &[u8]) -> Result<(), ()> {
    let opts = base_options(srv);
    let to = path(&srv.cfg, name);
    let written = write_base(&srv.ks, &srv.cfg, &opts, &to, &mut |_| {});
    let written = written.map_err(|e| {
        failed(srv, reason(e.step, e.error.raw_os_error().unwrap_or(0)));
    })?;
    srv.aof.size = written.bytes;
    srv.aof.base_size = written.bytes;
    Ok(())
}

/// Starts a rewrite; an error is in the log.
pub(crate) fn background(srv: &mut Server) -> Result<(), ()> {
    if srv.child.is_some() {
        return Err(());
    }
    srv.aof.latest.began_ms = srv.clock.now_ms;
    begin(srv).map_err(|why| {
        srv.aof.rewrite_failed = true;
        failed(srv, why);
    })
}

/// Notes for INFO why a rewrite failed.
fn failed(srv: &mut Server, why: String) {
    srv.aof.last_error = Some(format!("rewrite: {why}"));
    srv.aof.latest.failed(why);
}

/// Starts a rewrite; an error is in the log, and is returned in one line for INFO.
fn begin(srv: &mut Server) -> Result<(), String> {
    files::make_dir(srv).map_err(|()| "making the directory: see the log")?;
    flush::flush_all(srv);
    if flush::is_behind(srv) {
        // If the child failed, what could not be written yet would be in no file.
        log!(
            Warning,
            "Can't rewrite append only file in background: there are writes that the AOF file does \
             not take"
        );
        return Err("there are writes that the file does not take".to_owned());
    }
    files::switch_incr(srv).map_err(|()| "beginning a new file: see the log")?;
    srv.aof.rewrites += 1;
    let opts = base_options(srv);
    let work = move |view: child::View<'_>, report: &mut Reporter| {
        let to = temporary_base_name(crate::sys::process::pid(), true);
        let on_keys = &mut |done| report.keys(done);
        match write_base(view.ks, view.cfg, &opts, Path::new(&to), on_keys) {
            Ok(summary) => {
                log!(Notice, "Successfully created the temporary AOF base file {to}");
                report.send(summary.keys);
                let cow = crate::sys::mem::smaps("Private_Dirty") >> 20;
                log!(
                    Notice,
                    "Fork CoW for AOF rewrite: current {cow} MB, peak {cow} MB, average {cow} MB"
                );
                0
            }
            Err(e) => {
                report.failed(&e);
                1
            }
        }
    };
    match child::spawn(srv, Kind::Aof, work) {
        Ok(()) => {
            let pid = srv.child.as_ref().map_or(0, |c| c.pid);
            log!(Notice, "Background append only file rewriting started by pid {pid}");
            srv.aof.scheduled = false;
            srv.aof.rewrite_started = srv.clock.now_ms / 1000;
            srv.aof.base_offset = srv.stream.end();
            Ok(())
        }
        Err(e) => {
            log!(Warning, "Can't rewrite append only file in background: fork: {}", os_error(&e));
            if srv.aof.state == State::Waiting {
                files::drop_temporary_incr(srv);
            }
            Err(format!("fork: {}", os_error(&e)))
        }
    }
}

/// The rewriting child has ended.
pub(crate) fn finished(srv: &mut Server, child: &Child, exit: Exit) {
    srv.aof.last_cow = child.progress.cow_peak;
    let adopted = match exit {
        Exit::Code(0) => {
            log!(Notice, "Background AOF rewrite terminated with success");
            adopt(srv, child.pid)
        }
        // Told to give up: no failure.
        Exit::Code(GAVE_UP) => {
            log!(Warning, "Background AOF rewrite terminated by signal {}", fork::GIVE_UP);
            Ok(())
        }
        Exit::Code(_) => {
            log!(Warning, "Background AOF rewrite terminated with error");
            Err(())
        }
        Exit::Signal(n) => {
            log!(Warning, "Background AOF rewrite terminated by signal {n}");
            Err(())
        }
    };
    match (exit, adopted) {
        (Exit::Code(0), Ok(())) => {
            (srv.aof.rewrite_failed, srv.aof.failures) = (false, 0);
            srv.aof.latest.bytes = Some(srv.aof.base_size);
        }
        (_, Ok(())) => {}
        (exit, Err(())) => {
            srv.aof.rewrite_failed = true;
            srv.aof.failures += 1;
            let why = match exit {
                Exit::Code(0) => "taking over the new base: see the log".to_owned(),
                exit => child.reason(exit),
            };
            failed(srv, why);
        }
    }
    for background in [true, false] {
        srv.syncer.delete(temporary_base_name(child.pid, background).as_ref());
    }
    if srv.aof.state == State::Waiting {
        // There is to be a file still: another rewrite follows.
        files::drop_temporary_incr(srv);
        srv.aof.scheduled = true;
    }
    let now = srv.clock.now_ms / 1000;
    srv.aof.last_rewrite_secs = Some(now - srv.aof.rewrite_started);
    srv.aof.latest.took_ms = Some(crate::sys::clock::wall_ms() - child.started_ms);
}

/// Takes the new base into the directory and the manifest; an error is in the log.
fn adopt(srv: &mut Server, pid: i32) -> Result<(), ()> {
    let started = srv.clock.watch.ticks();
    let file_name = srv.cfg.aof.file_name.clone();
    let temporary = temporary_base_name(pid, true);
    let mut manifest = srv.aof.manifest.clone();
    let base = manifest.new_base(&file_name, srv.cfg.aof.use_rdb_preamble);
    let base_path = path(&srv.cfg, &base);
    let renaming = srv.clock.watch.ticks();
    rename(Path::new(&temporary), &base_path, "base")?;
    let us = srv.clock.watch.us(srv.clock.watch.ticks().wrapping_sub(renaming));
    srv.note_latency("aof-rename", us);
    let shown = String::from_utf8_lossy(&base);
    log!(Notice, "Successfully renamed the temporary AOF base file {temporary} into {shown}");
    let mut incr_path = None;
    if srv.aof.state == State::Waiting {
        let temporary = temporary_incr_name(&file_name);
        let name = manifest.new_incr(&file_name);
        let to = path(&srv.cfg, &name);
        if rename(&path(&srv.cfg, &temporary), &to, "incr").is_err() {
            srv.syncer.delete(&base_path);
            return Err(());
        }
        log!(
            Notice,
            "Successfully renamed the temporary AOF incr file {} into {}",
            to_path(&temporary).display(),
            to_path(&name).display()
        );
        incr_path = Some(to);
    }
    manifest.retire_incr(usize::from(srv.aof.current.is_some()));
    if let Err(error) = files::persist(srv, &manifest) {
        if error == NotPersisted::Untouched {
            srv.syncer.delete(&base_path);
            incr_path.iter().for_each(|path| srv.syncer.delete(path));
        }
        return Err(());
    }
    srv.aof.manifest = manifest;
    if srv.aof.is_on() {
        srv.syncer.note_synced(srv.aof.base_offset);
        let base = fs::metadata(&base_path).map_or(0, |m| m.len());
        let written = srv.aof.current.as_ref().map_or(0, |current| current.written);
        srv.aof.size = base + written;
        srv.aof.base_size = srv.aof.size;
        srv.aof.state = State::On;
    }
    files::delete_history(srv);
    log!(Notice, "Background AOF rewrite finished successfully");
    let us = srv.clock.watch.us(srv.clock.watch.ticks().wrapping_sub(started));
    log!(Verbose, "Background AOF rewrite signal handler took {us}us");
    Ok(())
}

fn rename(from: &Path, to: &Path, what: &str) -> Result<(), ()> {
    fs::rename(from, to).map_err(|e| {
        log!(
            Warning,
            "Error trying to rename the temporary AOF {what} file {} into {}: {}",
            from.display(),
            to.display(),
            os_error(&e)
        );
    })
}

/// Starts what is scheduled, and what the file's growth asks for. Called by the cron.
pub(crate) fn on_cron(srv: &mut Server) {
    if srv.child.is_some() || srv.loading.is_some() {
        return;
    }
    if srv.aof.scheduled && !is_held_back(srv) {
        // An error is logged there, and retried here later.
        let _ = background(srv);
    }
}

/// The same for growth, which save points come before.
pub(crate) fn on_growth(srv: &mut Server) {
    if srv.child.is_some() || srv.loading.is_some() || srv.aof.state != State::On {
        return;
    }
    let limits = &srv.cfg.aof;
    let percentage = u64::from(limits.rewrite_percentage);
    if percentage == 0 || srv.aof.size <= limits.rewrite_min_size {
        return;
    }
    let growth = (srv.aof.size * 100 / srv.aof.base_size.max(1)).saturating_sub(100);
    if growth >= percentage && !is_held_back(srv) {
        log!(Notice, "Starting automatic rewriting of AOF on {growth}% growth");
        let _ = background(srv);
    }
}

fn is_held_back(srv: &mut Server) -> bool {
    let (held, news) = srv.aof.held_back(srv.clock.now_ms / 1000);
    if let Some(minutes) = news {
        log!(
            Warning,
            "Background AOF rewrite has repeatedly failed and triggered the limit, will retry in \
             {minutes} minutes"
        );
    }
    held
}
