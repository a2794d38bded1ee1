//! The oldest part of the stream, in files: what a replica has not got yet that takes its snapshot
//! more slowly than data arrives.
//!
//! ```text
//! [ file ][ file ][ file ][ block ][ block ][ .. ]      positions are those of the stream
//! ^ from                  ^ start of the blocks
//! ```
//! A file has no name: it is gone with the process. It is closed when all readers have passed it.
//!
//! Invariants: the files lie together and end where the blocks begin; there is one unless nothing
//! is spilled.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;

use crate::sys::process;

/// Bytes of a file, from which on the next is begun.
const FILE_BYTES: u64 = 64 << 20;
/// Bytes that are read at once.
const PIECE: usize = 256 * 1024;

#[derive(Debug)]
struct Part {
    file: File,
    from: u64,
    to: u64,
}

/// The files.
#[derive(Debug, Default)]
pub(super) struct Spill {
    parts: VecDeque<Part>,
    /// What was read last, and where it begins.
    piece: Vec<u8>,
    piece_at: u64,
    /// Bytes that were written in all.
    total: u64,
    /// How many files there have been.
    files: u64,
}

impl Spill {
    /// Where it begins, if there is anything.
    pub(super) fn from(&self) -> Option<u64> {
        self.parts.front().map(|part| part.from)
    }

    /// Bytes that were written in all.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn reset_total(&mut self) {
        self.total = 0;
    }

    /// Appends a block that begins at `at`.
    pub(super) fn push(&mut self, at: u64, block: &[u8]) -> io::Result<()> {
        if self.parts.back().is_none_or(|part| part.to - part.from >= FILE_BYTES) {
            let file = self.create()?;
            self.parts.push_back(Part { file, from: at, to: at });
        }
        let Some(part) = self.parts.back_mut() else { return Ok(()) };
        let written = part.file.write_all_at(block, at - part.from);
        if written.is_ok() {
            part.to += block.len() as u64;
            self.total += block.len() as u64;
        } else if part.from == part.to {
            self.parts.pop_back();
        }
        written
    }

    fn create(&mut self) -> io::Result<File> {
        self.files += 1;
        let name = format!("temp-repl-{}-{}.spill", process::pid(), self.files);
        let file =
            File::options().read(true).write(true).create(true).truncate(true).open(&name)?;
        std::fs::remove_file(&name)?;
        Ok(file)
    }

    /// The bytes at `at`, as far as they can be had at once.
    pub(super) fn read(&mut self, at: u64) -> io::Result<&[u8]> {
        let end = self.piece_at + self.piece.len() as u64;
        if !(self.piece_at..end).contains(&at) {
            let part = self.parts.iter().find(|part| (part.from..part.to).contains(&at));
            let Some(part) = part else { return Err(ErrorKind::UnexpectedEof.into()) };
            self.piece.resize((part.to - at).min(PIECE as u64) as usize, 0);
            self.piece_at = at;
            let read = part.file.read_exact_at(&mut self.piece, at - part.from);
            if let Err(e) = read {
                self.piece.clear();
                return Err(e);
            }
        }
        Ok(&self.piece[(at - self.piece_at) as usize..])
    }

    /// Closes the files that all have passed.
    pub(super) fn forget_before(&mut self, least: u64) {
        while self.parts.front().is_some_and(|part| part.to <= least) {
            self.parts.pop_front();
        }
        if self.parts.is_empty() {
            self.piece = Vec::new();
        }
    }
}
