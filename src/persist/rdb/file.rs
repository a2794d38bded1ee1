//! Writing a snapshot so that a crash, at any instruction, leaves the old file or the new one.
//!
//! ```text
//!   open     dir/temporary, emptied
//!   write    what the caller writes; synced every 32 MiB, so that the last sync is short
//!   fsync    the file
//!   rename   over the old file
//!   fsync    the directory, so that the rename survives too
//! ```
//!
//! When a step fails, the temporary file is removed and the error names the step. A crash leaves
//! that file. The caller chooses its name, and must remember it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Bytes between two syncs of a file that is being written.
const SYNC_BYTES: u64 = 32 << 20;

/// A step of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Open,
    Write,
    Sync,
    Rename,
    SyncDirectory,
}

impl Step {
    /// All steps, by number.
    pub const ALL: [Step; 5] =
        [Step::Open, Step::Write, Step::Sync, Step::Rename, Step::SyncDirectory];

    /// What it is called in INFO.
    pub fn name(self) -> &'static str {
        match self {
            Step::Open => "open",
            Step::Write => "write",
            Step::Sync => "fsync",
            Step::Rename => "rename",
            Step::SyncDirectory => "fsync of the directory",
        }
    }
}

/// Which step failed.
#[derive(Debug)]
pub struct FileError {
    pub step: Step,
    pub error: io::Error,
}

impl std::fmt::Display for FileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} failed: {}", self.step, self.error)
    }
}

impl std::error::Error for FileError {}

/// Writes `dir/name` through `dir/temporary`, which nobody else may be writing.
pub fn write_atomically<T>(
    dir: &Path,
    name: &Path,
    temporary: &Path,
    incremental_fsync: bool,
    write: impl FnOnce(&mut SyncWriter) -> io::Result<T>,
) -> Result<T, FileError> {
    let temp = dir.join(temporary);
    let result = steps(&temp, dir, name, incremental_fsync, write, &mut |_| {});
    if result.is_err() {
        // Only the error of the step matters.
        let _ = fs::remove_file(&temp);
    }
    result
}

/// The steps; `before` is told each before it is taken, and None at the end.
fn steps<T>(
    temp: &Path,
    dir: &Path,
    name: &Path,
    incremental_fsync: bool,
    write: impl FnOnce(&mut SyncWriter) -> io::Result<T>,
    before: &mut dyn FnMut(Option<Step>),
) -> Result<T, FileError> {
    let mut step = Step::Open;
    let go = || -> io::Result<T> {
        let mut take = |next: Step| {
            before(Some(next));
            step = next;
        };
        take(Step::Open);
        let file = File::create(temp)?;
        let mut out = SyncWriter { file, unsynced: 0, incremental: incremental_fsync };
        take(Step::Write);
        let written = write(&mut out)?;
        out.flush()?;
        take(Step::Sync);
        out.file.sync_all()?;
        drop(out);
        take(Step::Rename);
        fs::rename(temp, dir.join(name))?;
        take(Step::SyncDirectory);
        File::open(dir)?.sync_all()?;
        before(None);
        Ok(written)
    };
    go().map_err(|error| FileError { step, error })
}

/// A file that is synced every so often while it is written.
#[derive(Debug)]
pub struct SyncWriter {
    pub file: File,
    unsynced: u64,
    incremental: bool,
}

impl Write for SyncWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = self.file.write(buf)?;
        self.unsynced += n as u64;
        if self.incremental && self.unsynced >= SYNC_BYTES {
            self.unsynced = 0;
            self.file.sync_data()?;
        }
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests;
