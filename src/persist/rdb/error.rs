//! Why a snapshot can't be read: what was wrong, where, and whose fault it is.

use super::types::{VALKEY_VERSION, VERSIONS};
use crate::util::path::os_error;
use std::io;

/// Why reading stopped. Offsets are bytes from the start of the file (or payload).
#[derive(Debug)]
pub enum RdbError {
    /// The file could not be read.
    Io(io::Error),
    /// The caller asked to stop.
    Stopped,
    /// It ends in the middle of something.
    Truncated { at: u64 },
    /// It begins as no RDB file does.
    BadMagic,
    /// A version that nobody knows, or that came later.
    Version(u32),
    /// Not the bytes that were written.
    Checksum { expected: u64, found: u64 },
    /// The value can't be right; `key` is the key it was read for, if one had been read.
    Corrupt { at: u64, what: &'static str, key: Option<Box<[u8]>> },
    /// It is sound, but a module's, and there are no modules here. `aux` if it belongs to no key.
    Module { at: u64, name: String, aux: bool, key: Option<Box<[u8]>> },
    /// A collection without elements.
    Empty { at: u64 },
    /// A database that this server is not configured to have.
    Database { at: u64, db: u64, databases: usize },
    /// A key that was there before.
    Duplicate { at: u64, db: usize, key: Box<[u8]> },
}

impl RdbError {
    /// Bytes that don't mean anything.
    pub(crate) fn corrupt(at: u64, what: &'static str) -> RdbError {
        RdbError::Corrupt { at, what, key: None }
    }

    /// The same, said of a key.
    pub(crate) fn of_key(mut self, name: &[u8]) -> RdbError {
        if let RdbError::Corrupt { key, .. } | RdbError::Module { key, .. } = &mut self
            && key.is_none()
        {
            *key = Some(name.into());
        }
        self
    }
}

impl From<io::Error> for RdbError {
    fn from(error: io::Error) -> RdbError {
        RdbError::Io(error)
    }
}

fn of_key(key: &Option<Box<[u8]>>) -> String {
    match key {
        Some(key) => format!(" (key '{}')", shown(key)),
        None => String::new(),
    }
}

/// A key for people: printable, and not endless.
pub(crate) fn shown(key: &[u8]) -> String {
    const MOST: usize = 128;
    let cut = if key.len() > MOST { "..." } else { "" };
    format!("{}{cut}", key[..key.len().min(MOST)].escape_ascii())
}

impl std::fmt::Display for RdbError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RdbError::Io(error) => write!(f, "Error reading the RDB file: {}", os_error(error)),
            RdbError::Stopped => f.write_str("Loading was stopped"),
            RdbError::Truncated { at } => {
                write!(f, "Unexpected EOF reading RDB file at offset {at}")
            }
            RdbError::BadMagic => f.write_str("Wrong signature trying to load DB from file"),
            RdbError::Version(version) => {
                let (first, last) = (VERSIONS.start(), VERSIONS.end());
                write!(f, "Can't handle RDB format version {version}: only {first} to {last} of ")?;
                write!(f, "Redis and {VALKEY_VERSION} of Valkey are known. Use a release that ")?;
                f.write_str("knows it, or a snapshot that a server saved in one of these")
            }
            RdbError::Checksum { expected, found } => {
                write!(f, "RDB CRC error: the file says {expected:016x}, its bytes {found:016x}")
            }
            RdbError::Corrupt { at, what, key } => {
                write!(f, "{what} at offset {at}{}", of_key(key))
            }
            RdbError::Module { at, name, aux: true, .. } => {
                write!(f, "The RDB file contains AUX module data I can't load: ")?;
                write!(f, "no matching module '{name}', offset {at}")
            }
            RdbError::Module { at, name, aux: false, key } => {
                write!(f, "The RDB file contains module data I can't load: ")?;
                write!(f, "no matching module type '{name}', offset {at}{}", of_key(key))
            }
            RdbError::Empty { at } => write!(f, "A collection without elements at offset {at}"),
            RdbError::Database { at, db, databases } => {
                write!(
                    f,
                    "FATAL: Data file was created with a Redis server configured to handle "
                )?;
                write!(f, "more than {databases} databases (database {db} at offset {at}): ")?;
                f.write_str("raise 'databases' to load this file")
            }
            RdbError::Duplicate { at, db, key } => {
                write!(f, "Key '{}' of database {db} occurs twice, offset {at}", shown(key))
            }
        }
    }
}

impl std::error::Error for RdbError {}
