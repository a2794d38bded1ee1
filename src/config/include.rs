//! Finding the files that an `include` names, which may be a pattern for several.
//!
//! Each component of the path that holds a wildcard is looked up in its directory. The files come
//! in the order of their names. As in a shell, a leading dot has to be given explicitly.

use crate::util::glob;
use crate::util::path::{join_path, to_path};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// The files that `path` stands for: itself, whether it exists or not, or for a pattern those that
/// match it, in order.
pub(super) fn expand(path: &[u8]) -> Vec<PathBuf> {
    if !glob::has_wildcard(path) {
        return vec![to_path(path)];
    }
    let root: &[u8] = if path.starts_with(b"/") { b"/" } else { b"" };
    let mut found = vec![root.to_vec()];
    for component in path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
        found = found.iter().flat_map(|base| step(base, component)).collect();
    }
    found.iter().map(|path| to_path(path)).collect()
}

/// The entries of `base` that match one component.
fn step(base: &[u8], component: &[u8]) -> Vec<Vec<u8>> {
    if !glob::has_wildcard(component) {
        let path = join_path(base, component);
        return if fs::metadata(to_path(&path)).is_ok() { vec![path] } else { Vec::new() };
    }
    let directory = if base.is_empty() { b"." } else { base };
    let Ok(entries) = fs::read_dir(to_path(directory)) else { return Vec::new() };
    let pattern = shell_classes(component);
    let mut names: Vec<Vec<u8>> = entries
        .filter_map(|entry| Some(entry.ok()?.file_name().as_bytes().to_vec()))
        .filter(|name| name[0] != b'.' || component[0] == b'.')
        .filter(|name| glob::matches(&pattern, name, false))
        .collect();
    names.sort();
    names.iter().map(|name| join_path(base, name)).collect()
}

/// A shell negates a class by `!`, our globs by `^`.
fn shell_classes(pattern: &[u8]) -> Vec<u8> {
    let mut out = pattern.to_vec();
    for at in 1..out.len() {
        if out[at] == b'!' && out[at - 1] == b'[' && (at < 2 || out[at - 2] != b'\\') {
            out[at] = b'^';
        }
    }
    out
}
