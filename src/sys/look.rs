//! What is at a path, and what this process may do there; and the file system it lies on. Nothing
//! is opened or made.

// access and statfs have no safe wrapper.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

/// What is at a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing, or nothing that can be seen.
    #[default]
    Missing,
    File,
    Directory,
    Socket,
    Other,
}

/// The facts about a path, after symbolic links.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub kind: Kind,
    /// This process may read it (a directory: list it).
    pub readable: bool,
    /// This process may go into it, if it is a directory.
    pub enterable: bool,
    /// This process may write it (a directory: make and remove files in it).
    pub writable: bool,
    /// The permissions.
    pub mode: u32,
    pub bytes: u64,
}

/// Looks at `path`.
pub(crate) fn at(path: &Path) -> Facts {
    let Ok(metadata) = fs::metadata(path) else { return Facts::default() };
    let kind = match metadata.file_type() {
        kind if kind.is_dir() => Kind::Directory,
        kind if kind.is_file() => Kind::File,
        kind if kind.is_socket() => Kind::Socket,
        _ => Kind::Other,
    };
    let search = if kind == Kind::Directory { libc::X_OK } else { 0 };
    Facts {
        kind,
        enterable: may(path, search),
        readable: may(path, libc::R_OK | search),
        writable: may(path, libc::W_OK | search),
        mode: metadata.permissions().mode() & 0o7777,
        bytes: metadata.len(),
    }
}

fn may(path: &Path, what: libc::c_int) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return false };
    // SAFETY: the path is a C string; the call changes nothing.
    unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), what, libc::AT_EACCESS) == 0 }
}

/// What becomes of files on a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeps {
    /// They stay.
    Files,
    /// They are memory, and go with the machine.
    Memory,
    /// They are a container's own layer, and go with the container.
    Layer,
}

/// A file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Disk {
    /// Bytes that this process may still use.
    pub free: u64,
    pub total: u64,
    pub keeps: Keeps,
}

const TMPFS: u32 = 0x0102_1994;
const RAMFS: u32 = 0x8584_58f6;
const OVERLAY: u32 = 0x794c_7630;

/// The file system that `path` lies on.
pub(crate) fn disk(path: &Path) -> Option<Disk> {
    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    // SAFETY: all-zero is a valid statfs, and the call fills it.
    let (result, facts) = unsafe {
        let mut facts: libc::statfs = std::mem::zeroed();
        (libc::statfs(path.as_ptr(), &mut facts), facts)
    };
    if result != 0 {
        return None;
    }
    let block = facts.f_bsize as u64;
    let keeps = match facts.f_type as u32 {
        TMPFS | RAMFS => Keeps::Memory,
        OVERLAY => Keeps::Layer,
        _ => Keeps::Files,
    };
    Some(Disk {
        free: facts.f_bavail.saturating_mul(block),
        total: facts.f_blocks.saturating_mul(block),
        keeps,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_permissions() {
        let dir = std::env::temp_dir().join(format!("redust-look-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("created");
        let file = dir.join("f");
        fs::write(&file, "abc").expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("set");
        let facts = at(&file);
        assert_eq!((facts.kind, facts.mode, facts.bytes), (Kind::File, 0o640, 3));
        assert!(facts.readable && facts.writable);
        let facts = at(&dir);
        assert!(facts.kind == Kind::Directory && facts.enterable);
        assert!(facts.readable && facts.writable);
        let socket = std::os::unix::net::UnixListener::bind(dir.join("s")).expect("bound");
        assert_eq!(at(&dir.join("s")).kind, Kind::Socket);
        drop(socket);
        assert_eq!(at(Path::new("/dev/null")).kind, Kind::Other);
        assert_eq!(at(&dir.join("missing")), Facts::default());
        assert_eq!(at(Path::new("a\0b")), Facts::default());
        fs::remove_dir_all(&dir).expect("removed");
    }

    #[test]
    fn the_disk_has_figures() {
        let disk = disk(&std::env::temp_dir()).expect("a file system");
        assert!(disk.total >= disk.free && disk.total > 0);
        assert_eq!(super::disk(Path::new("/nonexistent/x")), None);
    }
}
