//! redust-check-rdb: reads snapshots to their end, and says what is in them or where they break.
//!
//! Each value is read as the server reads it, and forgotten. So what the server would refuse is
//! refused here. Only the server finds two things: a key that occurs twice, and a database beyond
//! `databases`. Modules' values, which this server does not have, are walked.
//!
//! The lines are those that users of redis-check-rdb and their scripts know, with what was counted
//! of each type at the end:
//!
//! ```text
//!   [offset 0] Checking RDB file dump.rdb
//!   [offset 27] AUX FIELD redis-ver = '7.2.6'
//!   [offset 165] Checksum OK
//!   [offset 165] \o/ RDB looks OK! \o/
//!   [info] 3 keys read
//! ```

use super::convert;
use super::rdb::error::{RdbError, shown};
use super::rdb::library::Library;
use super::rdb::load::{checksum, signature, value};
use super::rdb::read::Reader;
use super::rdb::skip;
use super::rdb::types::{Dialect, ValueKind, form, form_byte, module_name, opcode};
use crate::keyspace::limits::Limits;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::time::{SystemTime, UNIX_EPOCH};

const BUFFER: usize = 256 << 10;
/// A longer AUX field is no text to be shown.
const AUX_SHOWN: usize = 1024;
const USAGE: &str = "Usage: redust-check-rdb <rdb-file-name>...\n       \
                     redust-check-rdb --convert 10|11|12|13|14|80 <rdb-file-name> <new-rdb-file-name>";

/// Checks the files named in `args`; the exit code: 0 if all are sound.
pub fn run(args: &[OsString]) -> i32 {
    let mut out = BufWriter::new(io::stdout().lock());
    let is = |arg: &OsString, names: &[&str]| names.iter().any(|name| arg == name);
    match args {
        [] => {
            eprintln!("{USAGE}");
            return 1;
        }
        [arg] if is(arg, &["-h", "--help"]) => {
            println!("{USAGE}");
            return 0;
        }
        [arg] if is(arg, &["-v", "--version"]) => {
            println!("redust-check-rdb {}", env!("CARGO_PKG_VERSION"));
            return 0;
        }
        [option, args @ ..] if is(option, &["--convert"]) => return convert::run(args, USAGE),
        _ => {}
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64);
    let mut sound = true;
    for path in args {
        // If nobody reads the output (`| head`), the file is not at fault.
        sound &= file(path, now, &mut out).unwrap_or(true);
    }
    let _ = out.flush();
    i32::from(!sound)
}

fn file(path: &OsStr, now_ms: i64, out: &mut impl Write) -> io::Result<bool> {
    match File::open(path) {
        Ok(file) => check(file, &path.to_string_lossy(), now_ms, out),
        Err(e) => {
            writeln!(out, "[offset 0] Checking RDB file {}", path.display())?;
            writeln!(out, "--- RDB ERROR DETECTED ---")?;
            writeln!(out, "[offset 0] Can't open the file: {e}")?;
            Ok(false)
        }
    }
}

/// Checks one file and reports to `out`; whether it is sound. An error is one of `out`.
pub fn check(input: impl Read, name: &str, now_ms: i64, out: &mut impl Write) -> io::Result<bool> {
    snapshot(input, name, now_ms, out).map(|end| end.is_some())
}

/// Checks one snapshot and reports to `out`; where it ends, if it is sound. Other things may follow
/// there.
pub(crate) fn snapshot(
    input: impl Read,
    name: &str,
    now_ms: i64,
    out: &mut impl Write,
) -> io::Result<Option<u64>> {
    let mut from = Reader::new(input, BUFFER, true);
    let mut state = Checker { now_ms, ..Checker::default() };
    writeln!(out, "[offset 0] Checking RDB file {name}")?;
    let result = state.walk(&mut from, out)?;
    match &result {
        Ok(()) => writeln!(out, "[offset {}] \\o/ RDB looks OK! \\o/", from.offset())?,
        Err(error) => state.report(error, from.offset(), out)?,
    }
    state.totals(out)?;
    Ok(result.is_ok().then(|| from.offset()))
}

/// What was seen so far, and what is being looked at.
#[derive(Default)]
struct Checker {
    now_ms: i64,
    doing: Doing,
    key: Option<Vec<u8>>,
    kind: Option<ValueKind>,
    keys: u64,
    expires: u64,
    already_expired: u64,
    functions: u64,
    /// Keys whose collections have no elements: the server passes over them.
    empty: u64,
    limits: Limits,
    /// Values by type, then by encoding.
    counts: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
}

/// What redis-check-rdb calls what it is doing.
#[derive(Clone, Copy, Default)]
enum Doing {
    #[default]
    Start,
    ReadType,
    ReadExpire,
    ReadKey,
    ReadObjectValue,
    CheckSum,
    ReadLen,
    ReadAux,
    ReadModuleAux,
    ReadFunctions,
}

impl Doing {
    fn name(self) -> &'static str {
        match self {
            Doing::Start => "start",
            Doing::ReadType => "read-type",
            Doing::ReadExpire => "read-expire",
            Doing::ReadKey => "read-key",
            Doing::ReadObjectValue => "read-object-value",
            Doing::CheckSum => "check-sum",
            Doing::ReadLen => "read-len",
            Doing::ReadAux => "read-aux",
            Doing::ReadModuleAux => "read-module-aux",
            Doing::ReadFunctions => "read-functions",
        }
    }
}

impl Checker {
    /// Reads to the end. The outer error is of `out`, the inner one of the file.
    fn walk<R: Read>(
        &mut self,
        from: &mut Reader<R>,
        out: &mut impl Write,
    ) -> io::Result<Result<(), RdbError>> {
        let (dialect, version) = match signature(from, false) {
            Ok(signature) => signature,
            Err(e) => return Ok(Err(e)),
        };
        let mut expire = None;
        loop {
            let step = match self.item(from, dialect, &mut expire) {
                Ok(step) => step,
                Err(e) => return Ok(Err(e)),
            };
            match step {
                Step::Silent => {}
                Step::Say(line) => writeln!(out, "[offset {}] {line}", from.offset())?,
                Step::End => break,
            }
        }
        self.doing = Doing::CheckSum;
        match checksum(from, version, true) {
            Ok(true) => writeln!(out, "[offset {}] Checksum OK", from.offset())?,
            Ok(false) => writeln!(
                out,
                "[offset {}] RDB file was saved with checksum disabled: no check performed.",
                from.offset()
            )?,
            Err(e) => return Ok(Err(e)),
        }
        Ok(Ok(()))
    }

    fn item<R: Read>(
        &mut self,
        from: &mut Reader<R>,
        dialect: Dialect,
        expire: &mut Option<i64>,
    ) -> Result<Step, RdbError> {
        self.doing = Doing::ReadType;
        let at = from.offset();
        match from.byte()? {
            opcode::EOF => return Ok(Step::End),
            opcode::EXPIRETIME_MS => {
                self.doing = Doing::ReadExpire;
                *expire = Some(from.time_ms()?);
            }
            opcode::EXPIRETIME => {
                self.doing = Doing::ReadExpire;
                *expire = Some(i64::from(i32::from_le_bytes(from.take()?)) * 1000);
            }
            opcode::IDLE => from.length().map(drop)?,
            opcode::FREQ => from.byte().map(drop)?,
            opcode::SELECTDB => {
                self.doing = Doing::ReadLen;
                return Ok(Step::Say(format!("Selecting DB ID {}", from.length()?)));
            }
            opcode::RESIZEDB => {
                self.doing = Doing::ReadLen;
                from.length()?;
                from.length()?;
            }
            opcode::AUX => {
                self.doing = Doing::ReadAux;
                let (name, value) = (from.string()?, from.string()?);
                let (name, len) = (shown(&name), value.len());
                return Ok(Step::Say(match len <= AUX_SHOWN {
                    true => format!("AUX FIELD {name} = '{}'", shown(&value)),
                    false => format!("AUX FIELD {name} = {len} bytes"),
                }));
            }
            opcode::FUNCTION2 => {
                self.doing = Doing::ReadFunctions;
                Library::new(from.string()?).map_err(|what| RdbError::corrupt(at, what))?;
                self.functions += 1;
            }
            opcode::MODULE_AUX => {
                self.doing = Doing::ReadModuleAux;
                let id = skip::module_aux(from)?;
                return Ok(Step::Say(format!("MODULE AUX for: {}", module_name(id))));
            }
            opcode::SLOT_INFO => skip::slot_info(from)?,
            opcode::SLOT_IMPORT if dialect == Dialect::Valkey => skip::slot_import(from)?,
            code => match ValueKind::of(code, dialect) {
                Some(kind) => self.key(from, kind, expire.take())?,
                None => return Err(skip::unknown(code, at)),
            },
        }
        Ok(Step::Silent)
    }

    fn key<R: Read>(
        &mut self,
        from: &mut Reader<R>,
        kind: ValueKind,
        expire: Option<i64>,
    ) -> Result<(), RdbError> {
        self.kind = Some(kind);
        self.doing = Doing::ReadKey;
        // The memory of the key before is used again.
        let mut key = self.key.take().unwrap_or_default();
        from.string_into(&mut key)?;
        self.key = Some(key);
        self.keys += 1;
        self.doing = Doing::ReadObjectValue;
        let encoding = match kind {
            ValueKind::String => string_form(from)?,
            _ => kind.name(),
        };
        match kind.type_name() {
            // A string must only be readable, and this server does not have modules.
            "string" | "module" => skip::value(from, kind)?,
            // It is read as the server reads it, so that what the server would refuse is refused
            // here.
            _ => match value(from, kind, &self.limits) {
                Ok(_) => {}
                Err(RdbError::Empty { .. }) => self.empty += 1,
                Err(e) => return Err(e),
            },
        }
        *self.counts.entry(kind.type_name()).or_default().entry(encoding).or_default() += 1;
        if let Some(at) = expire {
            self.expires += 1;
            self.already_expired += u64::from(at < self.now_ms);
        }
        self.kind = None;
        Ok(())
    }

    fn report(&self, error: &RdbError, offset: u64, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "--- RDB ERROR DETECTED ---")?;
        writeln!(out, "[offset {offset}] {error}")?;
        writeln!(out, "[additional info] While doing: {}", self.doing.name())?;
        if let Some(key) = &self.key {
            // Between keys, the last key tells where to look.
            let which = if self.kind.is_some() { "Reading" } else { "After" };
            writeln!(out, "[additional info] {which} key '{}'", shown(key))?;
        }
        if let Some(kind) = self.kind {
            let (code, name) = (kind.code(), kind.name());
            writeln!(out, "[additional info] Reading type {code} ({name})")?;
        }
        Ok(())
    }

    fn totals(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "[info] {} keys read", self.keys)?;
        writeln!(out, "[info] {} expires", self.expires)?;
        writeln!(out, "[info] {} already expired", self.already_expired)?;
        if self.empty > 0 {
            writeln!(out, "[info] {} empty keys, which are not loaded", self.empty)?;
        }
        if self.functions > 0 {
            writeln!(out, "[info] {} function libraries", self.functions)?;
        }
        for (type_name, encodings) in &self.counts {
            let total: u64 = encodings.values().sum();
            let each: Vec<String> = encodings.iter().map(|(e, n)| format!("{e} {n}")).collect();
            writeln!(out, "[info] {total} of type {type_name} ({})", each.join(", "))?;
        }
        Ok(())
    }
}

/// What a step found out.
enum Step {
    Silent,
    Say(String),
    End,
}

/// How the string that comes next is written.
fn string_form<R: Read>(from: &mut Reader<R>) -> Result<&'static str, RdbError> {
    from.fill(1)?;
    const LZF: u8 = form_byte(form::LZF);
    Ok(match from.window().first() {
        Some(&LZF) => "compressed",
        Some(0xc0..) => "integer",
        _ => "plain",
    })
}

#[cfg(test)]
mod tests;
