//! Which files there are: reading and changing the manifest, and opening the file that is written.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use crate::log;
use crate::persist::aof::manifest::{
    Manifest, manifest_name, temporary_incr_name, temporary_manifest_name,
};
use crate::persist::rdb::file::{FileError, Step};
use crate::server::jobs::aof::{flush, rewrite};
use crate::server::parts::Server;
use crate::server::parts::aof::{Current, State, dir, path};
use crate::server::parts::stream;
use crate::util::path::{os_error, to_path};

/// Reads the manifest, if there is one. An error is in the log, and the server must not start.
pub(crate) fn load_manifest(srv: &mut Server) -> Result<(), ()> {
    let path = path(&srv.cfg, &manifest_name(&srv.cfg.aof.file_name));
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            log!(Debug, "The AOF manifest file {} doesn't exist", path.display());
            srv.aof.manifest = Manifest::default();
            return Ok(());
        }
        Err(e) => {
            log!(
                Warning,
                "Fatal error: can't open the AOF manifest file {} for reading: {}",
                path.display(),
                os_error(&e)
            );
            return Err(());
        }
    };
    match Manifest::parse(&text) {
        Ok(manifest) => {
            srv.aof.manifest = manifest;
            Ok(())
        }
        Err(error) => {
            error.lines().iter().for_each(|line| log!(Warning, "{line}"));
            Err(())
        }
    }
}

/// A manifest could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotPersisted {
    /// The one before it is in place.
    Untouched,
    /// It had its name already when the directory could not be synced. The one before it has been
    /// put back as far as that works, but either may be there after a crash: what the new one names
    /// must not be deleted.
    Unsure,
}

/// Writes a manifest to disk; an error is in the log.
pub(crate) fn persist(srv: &Server, manifest: &Manifest) -> Result<(), NotPersisted> {
    persist_when(srv, manifest, || Ok(()))
}

/// The same, which takes effect when `ready` has returned.
fn persist_when(
    srv: &Server,
    manifest: &Manifest,
    ready: impl FnOnce() -> io::Result<()>,
) -> Result<(), NotPersisted> {
    let (dir, file_name) = (dir(&srv.cfg), &srv.cfg.aof.file_name);
    manifest.persist_when(&dir, file_name, ready).map_err(|e| {
        complain(file_name, &e);
        if e.step != Step::SyncDirectory {
            return NotPersisted::Untouched;
        }
        // An error here changes nothing: the files of both are there.
        if srv.aof.manifest == Manifest::default() {
            let _ = fs::remove_file(path(&srv.cfg, &manifest_name(file_name)));
        } else {
            let _ = srv.aof.manifest.persist(&dir, file_name);
        }
        NotPersisted::Unsure
    })
}

fn complain(file_name: &[u8], e: &FileError) {
    let temporary = to_path(&temporary_manifest_name(file_name));
    let (temporary, name) = (temporary.display(), to_path(&manifest_name(file_name)));
    let error = os_error(&e.error);
    match e.step {
        Step::Open => log!(Warning, "Can't open the AOF manifest file {temporary}: {error}"),
        Step::Write => log!(
            Warning,
            "Error trying to write the temporary AOF manifest file {temporary}: {error}"
        ),
        Step::Sync => log!(Warning, "Fail to fsync the temp AOF file {temporary}: {error}."),
        Step::Rename => log!(
            Warning,
            "Error trying to rename the temporary AOF manifest file {temporary} into {}: {error}",
            name.display()
        ),
        Step::SyncDirectory => {
            log!(Warning, "Fail to fsync AOF directory {}: {error}.", name.display());
        }
    }
}

/// Makes the directory unless it is there; an error is in the log.
pub(crate) fn make_dir(srv: &Server) -> Result<(), ()> {
    let dir = dir(&srv.cfg);
    let made = match fs::create_dir(&dir) {
        // A new name has to survive a crash as well as what is in it.
        Ok(()) => File::open(".").and_then(|parent| parent.sync_all()),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => match dir.is_dir() {
            true => Ok(()),
            false => Err(io::Error::from_raw_os_error(libc::ENOTDIR)),
        },
        Err(e) => Err(e),
    };
    made.map_err(|e| {
        let error = os_error(&e);
        log!(Warning, "Can't open or create append-only dir {}: {error}", dir.display());
    })
}

/// Opens a file to be written. `fresh`: what is in it does not belong to us.
fn open(srv: &Server, name: &[u8], fresh: bool) -> Result<File, ()> {
    // Always at the end: then what is cut off after an error leaves no hole.
    let opened = OpenOptions::new().append(true).create(true).open(path(&srv.cfg, name));
    let emptied = opened.and_then(|file| {
        if fresh {
            file.set_len(0)?;
        }
        Ok(file)
    });
    emptied.map_err(|e| {
        let name = String::from_utf8_lossy(name);
        log!(Warning, "Can't open the append-only file {name}: {}", os_error(&e));
    })
}

/// After the data has been loaded: opens the file that is written from now on, with a base before
/// it if there is none. An error is in the log, and the server must not start.
pub(crate) fn open_on_start(srv: &mut Server) -> Result<(), ()> {
    make_dir(srv)?;
    let mut manifest = srv.aof.manifest.clone();
    let file_name = srv.cfg.aof.file_name.clone();
    if manifest.is_empty() {
        tell_of_strays(srv);
        let base = manifest.new_base(&file_name, srv.cfg.aof.use_rdb_preamble);
        rewrite::write_base_now(srv, &base)?;
        log!(Notice, "Creating AOF base file {} on server start", String::from_utf8_lossy(&base));
    }
    let last = manifest.incr.last().map(|file| file.name.clone());
    let (name, fresh) = match last {
        Some(name) => (name, false),
        None => (manifest.new_incr(&file_name), true),
    };
    let file = open(srv, &name, fresh)?;
    if manifest != srv.aof.manifest {
        persist(srv, &manifest).map_err(|_| ())?;
    }
    srv.aof.manifest = manifest;
    let written = file.metadata().map_or(0, |m| m.len());
    attach(srv, file, written);
    srv.aof.state = State::On;
    let what = if fresh { "Creating" } else { "Opening" };
    log!(Notice, "{what} AOF incr file {} on server start", String::from_utf8_lossy(&name));
    Ok(())
}

/// There is no manifest, so the server begins empty, as Redis does. What is there all the same is
/// named: somebody may have counted on it.
fn tell_of_strays(srv: &Server) {
    let prefix = [&srv.cfg.aof.file_name[..], b"."].concat();
    let is_ours = |name: &std::ffi::OsStr| name.as_bytes().starts_with(&prefix);
    let entries = fs::read_dir(dir(&srv.cfg)).into_iter().flatten().flatten();
    if let Some(stray) = entries.map(|entry| entry.file_name()).find(|name| is_ours(name)) {
        log!(
            Warning,
            "WARNING: There is no manifest in {}, so {} is not loaded, and may be written over",
            dir(&srv.cfg).display(),
            stray.display()
        );
    }
    let snapshot = to_path(&srv.cfg.snapshot.file_name);
    if snapshot.exists() {
        log!(
            Warning,
            "WARNING: {} is not loaded, since appendonly is on and there is no append-only file. To \
             load it, start with 'appendonly no', and then 'CONFIG SET appendonly yes'",
            snapshot.display()
        );
    }
}

/// From now on the stream goes to `file`, which holds `written` bytes.
fn attach(srv: &mut Server, file: File, written: u64) {
    let reader = srv.stream.join(stream::AOF);
    srv.aof.stamped = 0;
    srv.aof.current = Some(Current { file: Arc::new(file), reader, written, sync_asked: written });
    srv.rearm();
}

/// The stream goes to no file any more; what was written reaches the disk on the helper thread.
fn detach(srv: &mut Server) {
    if let Some(current) = srv.aof.current.take() {
        let offset = srv.stream.position(current.reader);
        srv.stream.leave(current.reader);
        srv.syncer.finish(current.file, offset);
        srv.rearm();
    }
}

/// A rewrite begins: what is written from now on goes to a new file. Nothing changes on an error,
/// which is in the log.
pub(crate) fn switch_incr(srv: &mut Server) -> Result<(), ()> {
    let file_name = srv.cfg.aof.file_name.clone();
    let (name, manifest) = match srv.aof.state {
        State::Off => return Ok(()),
        State::Waiting => (temporary_incr_name(&file_name), None),
        State::On => {
            ask_for_sync(srv);
            let mut manifest = srv.aof.manifest.clone();
            (manifest.new_incr(&file_name), Some(manifest))
        }
    };
    let file = open(srv, &name, true)?;
    if let Some(manifest) = &manifest {
        persist_when(srv, manifest, || wait_for_sync(srv)).map_err(|_| ())?;
    }
    log!(Notice, "Creating AOF incr file {} on background rewrite", String::from_utf8_lossy(&name));
    detach(srv);
    srv.aof.last_sync = srv.clock.now_ms / 1000;
    attach(srv, file, 0);
    if let Some(manifest) = manifest {
        srv.aof.manifest = manifest;
    }
    Ok(())
}

/// Only the last file may end within a command, so the one that is written is whole on disk before
/// the manifest names another after it. The helper thread syncs it while the manifest is written
/// and synced here: together they take little longer than one.
fn ask_for_sync(srv: &mut Server) {
    let Some(current) = &mut srv.aof.current else { return };
    let offset = srv.stream.position(current.reader);
    if srv.syncer.synced() < offset {
        current.sync_asked = current.written;
        srv.syncer.sync(current.file.clone(), offset);
    }
}

/// Waits until the file that is written is on disk.
fn wait_for_sync(srv: &Server) -> io::Result<()> {
    let Some(current) = &srv.aof.current else { return Ok(()) };
    let offset = srv.stream.position(current.reader);
    while srv.syncer.synced() < offset {
        // In this order: it may have ended since the line above.
        if srv.syncer.pending() == 0 && srv.syncer.synced() < offset {
            let error = io::Error::from_raw_os_error(srv.syncer.error());
            log!(Warning, "Can't fsync the AOF file before a rewrite: {}", os_error(&error));
            return Err(error);
        }
        std::thread::sleep(std::time::Duration::from_micros(100));
    }
    Ok(())
}

/// Deletes the file that gathers writes until the first rewrite is done.
pub(crate) fn delete_temporary_incr(srv: &mut Server) {
    flush::settle(srv);
    let path = path(&srv.cfg, &temporary_incr_name(&srv.cfg.aof.file_name));
    srv.syncer.delete(&path);
    if let Some(current) = srv.aof.current.take() {
        srv.stream.leave(current.reader);
        // What it did not take is asked of no other file: there is nothing left to try again, whose
        // success would end the error.
        srv.aof.write_error = 0;
        srv.rearm();
    }
}

/// The file that gathers writes until the first rewrite is done is of no use: that has failed.
pub(crate) fn drop_temporary_incr(srv: &mut Server) {
    let name = temporary_incr_name(&srv.cfg.aof.file_name);
    log!(
        Notice,
        "Removing the temp incr aof file {} in the background",
        String::from_utf8_lossy(&name)
    );
    delete_temporary_incr(srv);
}

/// Deletes what rewrites have replaced, unless it is to stay. An error only means that the next
/// start tries again.
pub(crate) fn delete_history(srv: &mut Server) {
    if srv.cfg.aof.disable_auto_gc || srv.aof.manifest.history.is_empty() {
        return;
    }
    let mut manifest = srv.aof.manifest.clone();
    let history = std::mem::take(&mut manifest.history);
    for file in &history {
        log!(
            Notice,
            "Removing the history file {} in the background",
            String::from_utf8_lossy(&file.name)
        );
    }
    // The manifest first: behind the deletions its syncs would wait for them to reach the disk.
    if persist(srv, &manifest).is_err() {
        return;
    }
    history.iter().for_each(|file| srv.syncer.delete(&path(&srv.cfg, &file.name)));
    srv.aof.manifest = manifest;
}

/// Whether a file of the directory exists.
pub(crate) fn exists(srv: &Server, name: &[u8]) -> bool {
    path(&srv.cfg, name).exists()
}

/// An old server kept one file in the working directory: it becomes the base. An error is in the
/// log.
pub(crate) fn adopt_old_file(srv: &mut Server) -> Result<(), ()> {
    let name = srv.cfg.aof.file_name.clone();
    let old = to_path(&name);
    if !Path::new(&old).exists() {
        return Ok(());
    }
    let manifest = &srv.aof.manifest;
    let begun = manifest.incr.is_empty()
        && manifest.base.as_ref().is_some_and(|base| base.name == name)
        && !exists(srv, &name);
    if dir(&srv.cfg).is_dir() && !manifest.is_empty() && !begun {
        return Ok(());
    }
    make_dir(srv)?;
    let mut manifest = manifest.clone();
    manifest.adopt_base(&name);
    persist(srv, &manifest).map_err(|_| ())?;
    srv.aof.manifest = manifest;
    let (shown, to) = (old.display(), dir(&srv.cfg));
    if let Err(e) = fs::rename(&old, path(&srv.cfg, &name)) {
        log!(
            Warning,
            "Error trying to move the old AOF file {shown} into dir {}: {}",
            to.display(),
            os_error(&e)
        );
        return Err(());
    }
    log!(
        Notice,
        "Successfully migrated an old-style AOF file ({shown}) into the AOF directory ({}).",
        to.display()
    );
    Ok(())
}
