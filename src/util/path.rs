//! Paths as bytes, as configuration files and the system have them.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// `path` as seen from the directory `base`. An empty `base` is the current directory.
pub(crate) fn join_path(base: &[u8], path: &[u8]) -> Vec<u8> {
    if base.is_empty() || path.starts_with(b"/") {
        return path.to_vec();
    }
    let slash: &[u8] = if base.ends_with(b"/") { b"" } else { b"/" };
    [base, slash, path].concat()
}

/// Bytes as a path.
pub(crate) fn to_path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

/// The system's own words for an error, as C programs print them.
pub(crate) fn os_error(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
