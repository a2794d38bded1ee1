//! `redust-check-rdb --convert`: a snapshot written anew in another version of the format, so that
//! an older server, or another one, can load it.
//!
//! One item goes through at a time, so that memory does not depend on how many keys there are:
//!
//! ```text
//!   strings, lists, sets,     read as the server reads them, and written in a form that the new
//!   sorted sets, hashes,      version has
//!   streams
//!   modules' values           copied as they are, once walked to their ends
//!   expiry, IDLE, FREQ, AUX,  kept; an expiry in seconds becomes one in milliseconds
//!   functions, SELECTDB,
//!   RESIZEDB, MODULE_AUX
//!   SLOT_INFO                 left out: a hint
//!   SLOT_IMPORT               kept for Valkey; for others left out, and told of
//!   empty collections         left out, as by any server that loads them, and told of
//! ```
//! A key that the new version can't hold is told of, as are all others after it, and nothing is
//! left of the new file. Version 10 has no active times of consumers: that is all that is lost.

use super::rdb::error::{RdbError, shown};
use super::rdb::file::{FileError, write_atomically};
use super::rdb::library::Library;
use super::rdb::load::{checksum, signature, value};
use super::rdb::read::Reader;
use super::rdb::save;
use super::rdb::skip;
use super::rdb::types::{
    Dialect, LISTPACKS_SINCE, TIMED_FIELDS_SINCE, VALKEY_VERSION, ValueKind, WRITE_MAX,
    WRITE_OLDEST, opcode,
};
use super::rdb::write::Writer;
use crate::keyspace::limits::Limits;
use crate::util::path::os_error;
use crate::value::{ObjectRef, ValueRef};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes of each buffer.
const BUFFER: usize = 256 << 10;

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Converted {
    pub(crate) version: u32,
    pub(crate) keys: u64,
}

/// Why there is no new file.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The old one can't be read, of which version it may be.
    Read(RdbError, Option<u32>),
    Write(io::Error),
    /// So many keys can't be held; they have been told of.
    Keys(u64),
    /// So many libraries of functions can't be held, but all keys can.
    Libraries(u64),
    /// Something follows the snapshot.
    More(u64),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Fault {
        Fault::Write(error)
    }
}

impl From<RdbError> for Fault {
    fn from(error: RdbError) -> Fault {
        Fault::Read(error, None)
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::Read(error, None) => write!(f, "{error}"),
            Fault::Read(error, Some(version)) => {
                write!(f, "{error} (a file of version {version}); ")?;
                f.write_str(
                    "nothing was written: look at it with redust-check-rdb, and if it is ",
                )?;
                f.write_str("sound elsewhere, use a newer release")
            }
            Fault::Write(error) => write!(f, "Can't write the new file: {}", os_error(error)),
            Fault::Keys(1) => f.write_str("One key can't be held: nothing was written"),
            Fault::Keys(n) => write!(f, "{n} keys can't be held: nothing was written"),
            Fault::Libraries(n) => {
                let what = if *n == 1 { "One library" } else { "Several libraries" };
                write!(f, "{what} of functions can't be held: nothing was written")
            }
            Fault::More(at) => {
                write!(f, "Something follows the snapshot at offset {at}: ")?;
                f.write_str("an append-only file, whose commands would be lost, can't be converted")
            }
        }
    }
}

/// Runs the tool on what follows `--convert`; the exit code.
pub(crate) fn run(args: &[OsString], usage: &str) -> i32 {
    let [version, input, output] = args else {
        eprintln!("{usage}");
        return 1;
    };
    let version = version.to_str().and_then(|text| text.parse().ok());
    let Some(version) =
        version.filter(|v| (WRITE_OLDEST..=WRITE_MAX).contains(v) || *v == VALKEY_VERSION)
    else {
        eprintln!("{usage}");
        eprintln!(
            "Versions: 9 (Redis 5.0 to 6.2), 10 (Redis 7.0), 11 (7.2), 12 (7.4), 13 (8.6), 14 (8.8), 80 (Valkey 9)."
        );
        return 1;
    };
    match file(Path::new(input), Path::new(output), version, &mut |line| eprintln!("{line}")) {
        Ok(done) => {
            let (from, keys) = (done.version, done.keys);
            println!("{keys} keys converted from RDB version {from} to {version}");
            0
        }
        Err(fault) => {
            eprintln!("{}: {fault}", input.display());
            1
        }
    }
}

/// Converts one file to another, whole or not at all.
fn file(
    input: &Path,
    output: &Path,
    version: u32,
    tell: &mut dyn FnMut(&str),
) -> Result<Converted, Fault> {
    let input = File::open(input).map_err(RdbError::Io)?;
    let dir = match output.parent() {
        None => Path::new("."),
        Some(dir) if dir.as_os_str().is_empty() => Path::new("."),
        Some(dir) => dir,
    };
    let name = output.file_name().ok_or(io::Error::from(io::ErrorKind::IsADirectory))?;
    let temporary = format!("temp-convert-{}.rdb", std::process::id());
    let mut fault = None;
    let done = write_atomically(dir, Path::new(name), Path::new(&temporary), true, |out| {
        convert(&input, version, out, tell).map_err(|why| {
            fault = Some(why);
            io::Error::other("it can't be converted")
        })
    });
    done.map_err(|FileError { error, .. }| fault.unwrap_or(Fault::Write(error)))
}

/// Writes the snapshot `input` to `out` in another version. `tell` hears of keys and other things
/// that are left out.
pub(crate) fn convert(
    input: &File,
    version: u32,
    out: &mut impl Write,
    tell: &mut dyn FnMut(&str),
) -> Result<Converted, Fault> {
    let size = input.metadata().map_err(RdbError::Io)?.len();
    let mut from = Reader::new(input, BUFFER, true).of_size(Some(size));
    let (dialect, old) = signature(&mut from, false)?;
    let mut to = Writer::new(out, BUFFER, true, true);
    to.bytes(save::magic(version).as_bytes())?;
    let mut converter = Converter {
        raw: input,
        from,
        to,
        dialect,
        version,
        limits: Limits::default(),
        db: 0,
        keys: 0,
        refused: 0,
        refused_libraries: 0,
        tell,
    };
    match converter.walk(old) {
        Err(Fault::Read(error, None)) => Err(Fault::Read(error, Some(old))),
        Err(fault) => Err(fault),
        Ok(()) => Ok(Converted { version: old, keys: converter.keys }),
    }
}

/// A conversion in progress.
struct Converter<'a, W> {
    /// The old file once more, to copy from.
    raw: &'a File,
    from: Reader<&'a File>,
    to: Writer<W>,
    dialect: Dialect,
    version: u32,
    limits: Limits,
    db: u64,
    keys: u64,
    refused: u64,
    refused_libraries: u64,
    tell: &'a mut dyn FnMut(&str),
}

/// What precedes a key.
#[derive(Default)]
struct Prefix {
    expire: Option<i64>,
    idle: Option<u64>,
    freq: Option<u8>,
}

impl<W: Write> Converter<'_, W> {
    fn walk(&mut self, old: u32) -> Result<(), Fault> {
        let mut prefix = Prefix::default();
        while self.item(&mut prefix)? {}
        checksum(&mut self.from, old, true)?;
        if self.from.fill(1)? {
            return Err(Fault::More(self.from.offset()));
        }
        if self.refused > 0 {
            return Err(Fault::Keys(self.refused));
        }
        if self.refused_libraries > 0 {
            return Err(Fault::Libraries(self.refused_libraries));
        }
        self.to.byte(opcode::EOF)?;
        let crc = self.to.crc()?;
        self.to.bytes(&crc.to_le_bytes())?;
        Ok(self.to.flush()?)
    }

    /// Takes one item over; false at the end.
    fn item(&mut self, prefix: &mut Prefix) -> Result<bool, Fault> {
        let (from, to) = (&mut self.from, &mut self.to);
        let at = from.offset();
        match from.byte()? {
            opcode::EOF => return Ok(false),
            opcode::EXPIRETIME_MS => prefix.expire = Some(from.time_ms()?),
            opcode::EXPIRETIME => {
                prefix.expire = Some(i64::from(i32::from_le_bytes(from.take()?)) * 1000);
            }
            opcode::IDLE => prefix.idle = Some(from.length()?),
            opcode::FREQ => prefix.freq = Some(from.byte()?),
            opcode::SELECTDB => {
                self.db = from.length()?;
                to.byte(opcode::SELECTDB)?;
                to.length(self.db)?;
            }
            opcode::RESIZEDB => {
                to.byte(opcode::RESIZEDB)?;
                to.length(from.length()?)?;
                to.length(from.length()?)?;
            }
            opcode::AUX => {
                let (name, text) = (from.string()?, from.string()?);
                to.byte(opcode::AUX)?;
                to.string(&name)?;
                to.string(&text)?;
            }
            opcode::FUNCTION2 => {
                let library = Library::new(from.string()?);
                let library = library.map_err(|what| RdbError::corrupt(at, what))?;
                if self.version < LISTPACKS_SINCE {
                    return self.refuse_library(&library);
                }
                to.byte(opcode::FUNCTION2)?;
                to.string(&library.code)?;
            }
            opcode::MODULE_AUX => {
                skip::module_aux(from)?;
                self.copy(at, self.from.offset())?;
            }
            opcode::SLOT_INFO => skip::slot_info(from)?,
            opcode::SLOT_IMPORT if self.dialect == Dialect::Valkey => {
                skip::slot_import(from)?;
                if self.version == VALKEY_VERSION {
                    self.copy(at, self.from.offset())?;
                } else {
                    (self.tell)("An import of slots was going on: keys may be incomplete");
                }
            }
            code => match ValueKind::of(code, self.dialect) {
                Some(kind) => self.key(kind, std::mem::take(prefix))?,
                None => return Err(skip::unknown(code, at).into()),
            },
        }
        Ok(true)
    }

    fn refuse_library(&mut self, library: &Library) -> Result<bool, Fault> {
        let name = shown(&library.name);
        let version = self.version;
        (self.tell)(&format!("Library {name} of functions can't be held by version {version}"));
        self.refused_libraries += 1;
        Ok(true)
    }

    fn key(&mut self, kind: ValueKind, prefix: Prefix) -> Result<(), Fault> {
        let key = self.from.string()?;
        if kind.type_name() == "module" {
            return self.copied(&key, kind, &prefix);
        }
        let value = match value(&mut self.from, kind, &self.limits) {
            Ok(value) => value,
            Err(RdbError::Empty { .. }) => {
                self.tell_of(&key, "is empty and left out");
                return Ok(());
            }
            Err(e) => return Err(e.of_key(&key).into()),
        };
        if let ValueRef::Object(ObjectRef::Hash(hash)) = value.view()
            && hash.soonest().is_some()
            && self.version < TIMED_FIELDS_SINCE
        {
            let what = format!(
                "has fields that expire, which version {} can't hold ({TIMED_FIELDS_SINCE} and \
                 {VALKEY_VERSION} can)",
                self.version
            );
            self.tell_of(&key, &what);
            self.refused += 1;
            return Ok(());
        }
        let kind = save::kind_of(value.view(), self.version);
        self.begin(&key, kind, &prefix)?;
        Ok(save::value(&mut self.to, value.view(), self.version)?)
    }

    /// A value that is not taken apart.
    fn copied(&mut self, key: &[u8], kind: ValueKind, prefix: &Prefix) -> Result<(), Fault> {
        let start = self.from.offset();
        skip::value(&mut self.from, kind).map_err(|e| e.of_key(key))?;
        self.begin(key, kind, prefix)?;
        self.copy(start, self.from.offset())
    }

    fn begin(&mut self, key: &[u8], kind: ValueKind, prefix: &Prefix) -> Result<(), Fault> {
        let to = &mut self.to;
        if let Some(at) = prefix.expire {
            to.byte(opcode::EXPIRETIME_MS)?;
            to.bytes(&at.to_le_bytes())?;
        }
        if let Some(idle) = prefix.idle {
            to.byte(opcode::IDLE)?;
            to.length(idle)?;
        }
        if let Some(freq) = prefix.freq {
            to.byte(opcode::FREQ)?;
            to.byte(freq)?;
        }
        to.byte(kind.code())?;
        to.string(key)?;
        self.keys += 1;
        Ok(())
    }

    /// Copies the old file's bytes from `start` to `end`.
    fn copy(&mut self, mut start: u64, end: u64) -> Result<(), Fault> {
        let mut buf = vec![0; (end - start).min(BUFFER as u64) as usize];
        while start < end {
            let n = (end - start).min(BUFFER as u64) as usize;
            self.raw.read_exact_at(&mut buf[..n], start).map_err(RdbError::Io)?;
            self.to.bytes(&buf[..n])?;
            start += n as u64;
        }
        Ok(())
    }

    fn tell_of(&mut self, key: &[u8], what: &str) {
        (self.tell)(&format!("Key '{}' of database {} {what}", shown(key), self.db));
    }
}

#[cfg(test)]
mod tests;
