//! What is kept, and on what: the snapshot, the append-only file, and their disk.

use super::{View, size};
use crate::config::choice::AppendFsync;
use crate::sys::look::{Facts, Keeps, Kind};
use crate::util::path::{join_path, to_path};

pub(super) fn check(view: &mut View<'_>) {
    choices(view);
    directory(view);
    disk(view);
}

fn saves(view: &View<'_>) -> bool {
    !view.config().snapshot.save_points.is_empty()
}

fn choices(view: &mut View<'_>) {
    let config = view.config();
    let aof = config.aof.enabled;
    if !saves(view) && !aof {
        let text = "nothing is kept: neither snapshots nor an append-only file are written";
        view.note("nothing-kept", "save", text, "for data that must stay: appendonly yes");
    }
    if aof && config.aof.fsync == AppendFsync::No {
        let text =
            "the system writes to the disk when it likes; a power loss may take half a minute";
        view.note("no-fsync", "appendfsync", text, "appendfsync everysec");
    }
    if !aof && view.is_given("appendfsync") && config.aof.fsync == AppendFsync::Always {
        let text = "has no effect without an append-only file";
        view.note("fsync-without-aof", "appendfsync", text, "appendonly yes");
    }
    if saves(view) && !config.snapshot.stop_writes_on_error {
        let text = "writes go on when snapshots fail, and nobody notices";
        let fix = "watch 'rdb_last_bgsave_status' of INFO, or stop-writes-on-bgsave-error yes";
        view.note("writes-after-failed-save", "stop-writes-on-bgsave-error", text, fix);
    }
}

/// The directory of the data, and what the start reads and makes in it.
fn directory(view: &mut View<'_>) {
    let config = view.config();
    let dir = data_dir(view);
    let look = |name: &[u8]| (view.world.look)(&to_path(&join_path(&dir, name)));
    let here = (view.world.look)(&to_path(&dir));
    let name = String::from_utf8_lossy(&dir).into_owned();
    if here.kind != Kind::Directory {
        // A line that names such a one is an error of its own.
        return;
    }
    if !here.enterable {
        let text = format!("the server can't change to '{name}'");
        view.error("dir-closed", "dir", text, "chown it to the user of the server");
        return;
    }
    let (mut snapshot, files) = (look(&config.snapshot.file_name), look(&config.aof.dir_name));
    if config.snapshot.file_name.is_empty() {
        // What is looked at is the directory. The start finds no file by that name.
        snapshot = Facts::default();
        let text = "no file can have an empty name: no snapshot is read, and each save fails";
        view.warn("dbfilename", "dbfilename", text, "set another name");
    }
    let rdb = String::from_utf8_lossy(&config.snapshot.file_name).into_owned();
    if !here.writable {
        if config.aof.enabled && files.kind == Kind::Missing {
            let text = format!("the append-only files can't be made: '{name}' can't be written");
            view.error("dir-not-writable", "dir", text, "chown it to the user of the server");
        } else if saves(view) || config.aof.enabled {
            let text = format!("nothing can be saved: '{name}' can't be written");
            view.warn("dir-not-writable", "dir", text, "chown it to the user of the server");
        }
    }
    unread(view, snapshot, &look);
    if config.aof.enabled {
        match files.kind {
            Kind::Missing => {}
            Kind::Directory if files.readable && files.writable => {}
            Kind::Directory => {
                let text = "the directory of the append-only files can't be read and written";
                view.error("aof-dir", "appenddirname", text, "chown it to the user of the server");
            }
            _ => {
                let text = "there is something else by the name of the directory";
                view.error("aof-dir", "appenddirname", text, "rename it, or set another name");
            }
        }
    } else if snapshot.kind == Kind::Directory {
        let text = format!("'{rdb}' is a directory, not a snapshot");
        view.error("dbfilename", "dbfilename", text, "set another name");
    } else if snapshot.kind != Kind::Missing && !snapshot.readable {
        let text = format!("the snapshot '{rdb}' can't be read");
        view.error("dbfilename", "dbfilename", text, "chown it to the user of the server");
    } else if snapshot.kind == Kind::File && snapshot.bytes == 0 {
        let text = format!("the snapshot '{rdb}' is empty, which is no snapshot");
        view.error("dbfilename", "dbfilename", text, "take a backup; if there is none, remove it");
    }
}

/// Data that are there and that the start does not read: the next save writes over them.
fn unread(view: &mut View<'_>, snapshot: Facts, look: &dyn Fn(&[u8]) -> Facts) {
    let aof = &view.config().aof;
    let manifest = [&aof.dir_name[..], b"/", &aof.file_name, b".manifest"].concat();
    let has_files = look(&manifest).kind == Kind::File;
    let has_snapshot = snapshot.kind == Kind::File && snapshot.bytes > 0;
    // A single file of an earlier version is taken over.
    let has_old_file = look(&aof.file_name).kind == Kind::File;
    if aof.enabled && has_snapshot && !has_files && !has_old_file {
        let text = "there is a snapshot and no append-only file yet: the server starts empty";
        let fix = "start with 'appendonly no', then CONFIG SET appendonly yes and CONFIG REWRITE";
        view.warn("snapshot-not-read", "appendonly", text, fix);
    } else if !aof.enabled && has_files && !has_snapshot {
        let text = "there are append-only files and no snapshot: the server starts empty";
        view.warn("aof-not-read", "appendonly", text, "appendonly yes");
    } else if !aof.enabled && has_files {
        let text = "there are append-only files, and the snapshot is read: which is newer?";
        view.note("aof-not-read", "appendonly", text, "appendonly yes, or remove them");
    }
}

/// The directory, as a path from where the check runs.
pub(super) fn data_dir(view: &View<'_>) -> Vec<u8> {
    match view.config().process.dir.as_slice() {
        [] => b".".to_vec(),
        dir => dir.to_vec(),
    }
}

fn disk(view: &mut View<'_>) {
    let config = view.config();
    if !saves(view) && !config.aof.enabled {
        return;
    }
    let dir = data_dir(view);
    let Some(disk) = (view.world.disk)(&to_path(&dir)) else { return };
    let name = String::from_utf8_lossy(&dir).into_owned();
    match disk.keeps {
        Keeps::Files => {}
        Keeps::Memory => {
            let text = format!(
                "'{name}' is memory (tmpfs): data are lost with the machine, and count twice"
            );
            view.warn("dir-in-memory", "dir", text, "set 'dir' to a disk");
        }
        Keeps::Layer => {
            let text = format!("'{name}' is in the container: its files are lost with it");
            view.note("dir-in-container", "dir", text, "mount a volume there");
        }
    }
    let snapshot = join_path(&dir, &config.snapshot.file_name);
    let needed = (view.world.look)(&to_path(&snapshot)).bytes;
    let max = config.memory.max_memory;
    let free = size(disk.free);
    if needed > disk.free {
        // A new one is written beside the old one.
        let text = format!(
            "{free} are free, and the snapshot has {}: the next one has no room",
            size(needed)
        );
        view.warn("disk-full", "dir", text, "make room");
    } else if max > disk.free.saturating_add(needed) {
        let text = format!("{free} are free on the disk, less than 'maxmemory' ({})", size(max));
        view.warn("disk-small", "dir", text, "make room, or lower 'maxmemory'");
    }
}
