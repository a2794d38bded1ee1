//! The loader of snapshots.
//!
//! Most of a file is short strings, and each costs a cache miss in the table. So keys are parsed in
//! place, a batch at a time, and the bucket of each is prefetched as soon as its key is known. When
//! the batch is complete the first buckets have arrived, and the batch is inserted (`batch`).
//! Everything else (opcodes, long strings, the last key of a buffer) takes the general path, one
//! item at a time.
//!
//! Nothing is dropped silently: a server that starts with a file will write it anew, and what was
//! left out would be lost. So each thing that a file can hold is kept, refused, or told of. Whoever
//! adds one adds its line here.
//!
//! ```text
//!   EXPIRETIME, _MS  IDLE  FREQ   kept with the key; IDLE and FREQ only if the policy uses them
//!   SELECTDB                      obeyed; refused if there is no such database
//!   RESIZEDB                      a hint; used as far as the file can be that large
//!   SLOT_INFO                     (7.4, Valkey 8) a hint about tables of a cluster's slots: passed
//!                                 over, since there are none here
//!   SLOT_IMPORT                   (Valkey 9) an import that was going on: told of; keys are kept
//!   FUNCTION2                     kept and saved again; refused if the library has no name
//!   FUNCTION_PRE_GA               refused, as every release of Redis does
//!   MODULE_AUX, values of modules refused with the module's name: there are no modules
//!   any other code                refused
//!   AUX used-mem                  kept for the progress that INFO shows
//!   AUX redis-ver, valkey-ver, ctime, used-mem, aof-preamble, aof-base, and names with a %
//!                                 told of; the server logs them
//!   AUX repl-id, repl-offset, repl-stream-db
//!                                 told of: without replication nobody could go on from there
//!   AUX lua                       told of: scripts of Redis 6 and before; later servers skip them
//!   AUX redis-bits, any other     told of; that they can be ignored is what makes them AUX fields
//! ```

mod batch;

use super::delayed;
use super::error::RdbError as Error;
pub use super::error::RdbError;
use super::library::{self, Library};
use super::read::{Reader, Text};
use super::save::sleep_after_key;
use super::skip;
use super::types::{
    CHECKSUM_SINCE, Dialect, VALKEY_VERSION, VERSIONS, ValueKind, module_name, opcode,
};
use super::{hash, list, set, stream, zset};
use crate::keyspace::Keyspace;
use crate::keyspace::entry::SetValue;
use crate::keyspace::limits::Limits;
use crate::keyspace::open::Open;
use crate::keyspace::store::{Expire, Store};
use crate::value::stream::Stream;
use crate::value::{Collection, Object, Value};
use std::io::{self, Read};

/// Bytes of the buffer.
const BUFFER: usize = 256 << 10;
/// Room is made for at most so many keys that the file only claims to have.
const RESERVE_MAX: usize = 4 << 20;
/// When that many have come, room is made for so many times as many.
const RESERVE_STEP: usize = 8;
/// While keys are delayed, `tick` is called at least so often.
const TICK_DELAY_US: u64 = 50_000;

/// How to load.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    pub verify_checksum: bool,
    pub now_ms: i64,
    /// The source is a socket whose other side waits for an answer at the end: not more is read
    /// than has to be.
    pub live: bool,
    /// A primary drops what has expired.
    pub drop_expired: bool,
    pub events_interval_bytes: u64,
    /// Access field of a key for which the file has none.
    pub fresh_access: u32,
    /// The LRU clock in seconds, or with `lfu` in minutes.
    pub lru_clock: u32,
    pub lfu: bool,
    /// Thresholds of the encodings.
    pub limits: Limits,
    /// Keys already there are overwritten instead of being an error.
    pub replace: bool,
    /// Files of a later version than is known are tried, as far as they hold nothing unknown.
    pub any_version: bool,
    /// How many bytes the input has, if that is known: long strings then get their memory at once.
    pub input_bytes: Option<u64>,
}

/// How far the loader is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    pub bytes: u64,
    pub keys: u64,
    /// The memory that the saving server used, as the file says; 0 if it doesn't.
    pub used_memory: u64,
}

/// What `tick` asks of the loader.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    /// Microseconds to sleep after each key (negative n: 1 us for one key in n).
    pub key_delay_us: i32,
    pub events_interval_bytes: u64,
    pub stop: bool,
}

/// What the loader finds and somebody may want to know before the end.
#[derive(Clone, Copy, Debug)]
pub enum Note<'a> {
    /// An AUX field: its name and its value.
    Aux(&'a [u8], &'a [u8]),
    /// A key whose collection has no elements, and which is therefore passed over.
    EmptyKey(&'a [u8]),
    /// A key of this database that was past its time, and is left out.
    Expired(usize, &'a [u8]),
    /// A cluster's slots were being imported when the file was written; their keys may be
    /// incomplete.
    SlotImport,
}

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    pub version: u32,
    pub keys: u64,
    pub expired: u64,
    /// Fields of hashes whose time had passed. Their keys count as loaded, even if nothing is left
    /// of them.
    pub expired_fields: u64,
    /// Collections without elements, which were left out.
    pub empty: u64,
    pub libraries: Vec<Library>,
    /// How long the snapshot was.
    pub bytes: u64,
}

/// What a snapshot is loaded from, and who hears how it goes: one object, since who waits for the
/// next bytes may do the same work as who hears of them.
pub(crate) trait Input: Read {
    /// Called at the start, and then after every `events_interval_bytes`.
    fn tick(&mut self, progress: &Progress) -> Pace;
}

struct Ticking<'a, R>(R, &'a mut dyn FnMut(&Progress) -> Pace);

impl<R: Read> Read for Ticking<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl<R: Read> Input for Ticking<'_, R> {
    fn tick(&mut self, progress: &Progress) -> Pace {
        (self.1)(progress)
    }
}

/// Loads a snapshot into `ks`. After an error, `ks` holds what came before it.
///
/// `tick` is called as that of an `Input` is; `note` whenever there is something to tell. Nothing
/// is logged here.
pub fn load(
    input: impl Read,
    opts: &LoadOptions,
    ks: &mut Keyspace,
    tick: &mut dyn FnMut(&Progress) -> Pace,
    note: &mut dyn FnMut(Note<'_>),
) -> Result<Loaded, RdbError> {
    load_from(Ticking(input, tick), opts, ks, note)
}

/// The same, from an input that hears how it goes.
pub(crate) fn load_from(
    input: impl Input,
    opts: &LoadOptions,
    ks: &mut Keyspace,
    note: &mut dyn FnMut(Note<'_>),
) -> Result<Loaded, RdbError> {
    let mut from =
        Reader::new(input, BUFFER, opts.verify_checksum).of_size(opts.input_bytes).live(opts.live);
    let (dialect, version) = signature(&mut from, opts.any_version)?;
    let mut loader = Loader {
        opts,
        dialect,
        db: 0,
        loaded: Loaded { version, ..Loaded::default() },
        used_memory: 0,
        hint: 0,
        room: 0,
        pace: Pace { events_interval_bytes: opts.events_interval_bytes, ..Pace::default() },
        next_tick: 0,
        slept_us: 0,
        text: Vec::new(),
        note,
    };
    loader.clock(ks);
    loop {
        loader.tick_if_due(&mut from)?;
        if loader.pace.key_delay_us == 0 {
            loader.batches(&mut from, ks)?;
        }
        if !loader.item(&mut from, ks)? {
            break;
        }
    }
    checksum(&mut from, version, opts.verify_checksum)?;
    let mut loaded = loader.loaded;
    loaded.bytes = from.offset();
    Ok(loaded)
}

/// Reads magic and version. With `any_version`, later ones than are known are let through.
pub(crate) fn signature<R: Read>(
    from: &mut Reader<R>,
    any_version: bool,
) -> Result<(Dialect, u32), Error> {
    let head: [u8; 9] = from.take()?;
    let (dialect, digits, known) = match head.strip_prefix(b"VALKEY") {
        Some(digits) => (Dialect::Valkey, digits, VALKEY_VERSION..=VALKEY_VERSION),
        None => (Dialect::Redis, head.strip_prefix(b"REDIS").ok_or(Error::BadMagic)?, VERSIONS),
    };
    // As atoi reads it: the digits that there are.
    let digits = digits.iter().take_while(|d| d.is_ascii_digit());
    let version = digits.fold(0, |n, &d| n * 10 + u32::from(d - b'0'));
    let later = any_version && version > *known.end();
    if known.contains(&version) || later {
        Ok((dialect, version))
    } else {
        Err(Error::Version(version))
    }
}

/// Reads the end of the file. True if there was a checksum and it was verified.
pub(crate) fn checksum<R: Read>(
    from: &mut Reader<R>,
    version: u32,
    verify: bool,
) -> Result<bool, Error> {
    if version < CHECKSUM_SINCE {
        return Ok(false);
    }
    let found = from.crc();
    let expected = u64::from_le_bytes(from.take()?);
    if !verify || expected == 0 {
        return Ok(false);
    }
    if expected == found { Ok(true) } else { Err(Error::Checksum { expected, found }) }
}

/// A load in progress.
struct Loader<'a> {
    opts: &'a LoadOptions,
    dialect: Dialect,
    db: usize,
    loaded: Loaded,
    used_memory: u64,
    /// Keys that the present database is said to have.
    hint: usize,
    /// Keys that it has room for.
    room: usize,
    pace: Pace,
    next_tick: u64,
    slept_us: u64,
    /// The key at hand, on the general path.
    text: Vec<u8>,
    note: &'a mut dyn FnMut(Note<'_>),
}

/// What precedes a key.
#[derive(Clone, Copy, Debug, Default)]
struct Prefix {
    expire: Option<i64>,
    idle: Option<u64>,
    freq: Option<u8>,
}

impl Prefix {
    fn is_empty(&self) -> bool {
        matches!(self, Prefix { expire: None, idle: None, freq: None })
    }
}

impl Loader<'_> {
    fn tick_if_due(&mut self, from: &mut Reader<impl Input>) -> Result<(), Error> {
        let offset = from.offset();
        if offset < self.next_tick && self.slept_us < TICK_DELAY_US {
            return Ok(());
        }
        let progress =
            Progress { bytes: offset, keys: self.loaded.keys, used_memory: self.used_memory };
        self.pace = from.source().tick(&progress);
        self.slept_us = 0;
        // Compat: 0 means never in between.
        self.next_tick = match self.pace.events_interval_bytes {
            0 => u64::MAX,
            bytes => offset.saturating_add(bytes),
        };
        if self.pace.stop { Err(Error::Stopped) } else { Ok(()) }
    }

    /// Tells the databases what time it is, before keys that expire come.
    fn clock(&self, ks: &mut Keyspace) {
        ks.tell_time(self.opts.now_ms);
    }

    /// The access field of a key.
    #[inline]
    fn access(&self, prefix: &Prefix) -> u32 {
        let opts = self.opts;
        match *prefix {
            Prefix { freq: Some(freq), .. } if opts.lfu => {
                (opts.lru_clock & 0xffff) << 8 | u32::from(freq)
            }
            Prefix { idle: Some(idle), .. } if !opts.lfu => {
                opts.lru_clock.wrapping_sub(idle.min(0xff_ffff) as u32) & 0xff_ffff
            }
            _ => opts.fresh_access,
        }
    }

    /// Whether a key is not to be kept.
    #[inline]
    fn is_expired(&self, prefix: &Prefix) -> bool {
        self.opts.drop_expired && prefix.expire.is_some_and(|at| at < self.opts.now_ms)
    }

    /// Reads one fact, or one key with what precedes it and its value; false at the end.
    fn item<R: Read>(&mut self, from: &mut Reader<R>, ks: &mut Keyspace) -> Result<bool, Error> {
        let mut prefix = Prefix::default();
        loop {
            let at = from.offset();
            match from.byte()? {
                opcode::EXPIRETIME_MS => prefix.expire = Some(from.time_ms()?),
                opcode::EXPIRETIME => {
                    prefix.expire = Some(i64::from(i32::from_le_bytes(from.take()?)) * 1000);
                }
                opcode::IDLE => prefix.idle = Some(from.length()?),
                opcode::FREQ => prefix.freq = Some(from.byte()?),
                opcode::EOF => return Ok(false),
                code => match ValueKind::of(code, self.dialect) {
                    Some(kind) => {
                        self.key(from, kind, &prefix, ks)?;
                        return Ok(true);
                    }
                    None => {
                        self.fact(from, code, at, ks)?;
                        // Compat: what was said of the next key still holds.
                        if prefix.is_empty() {
                            return Ok(true);
                        }
                    }
                },
            }
        }
    }

    /// Reads an item that is not about a key.
    fn fact<R: Read>(
        &mut self,
        from: &mut Reader<R>,
        code: u8,
        at: u64,
        ks: &mut Keyspace,
    ) -> Result<(), Error> {
        match code {
            opcode::SELECTDB => {
                let db = from.length()?;
                let databases = ks.databases();
                (self.hint, self.room) = (0, 0);
                match usize::try_from(db) {
                    Ok(n) if n < databases => self.db = n,
                    _ => return Err(Error::Database { at, db, databases }),
                }
            }
            opcode::RESIZEDB => {
                let keys = from.length()?;
                let _expires = from.length()?;
                // A key takes three bytes at least; so a short file can't claim many.
                let most = from.left().map_or(RESERVE_MAX, |left| (left / 3).min(RESERVE_MAX));
                let db = ks.db_mut(self.db);
                self.hint = db.len().saturating_add(usize::try_from(keys).unwrap_or(usize::MAX));
                self.room = self.hint.min(db.len() + most);
                db.reserve(self.room);
            }
            opcode::AUX => {
                let name = from.string()?;
                let value = from.string()?;
                if name == stream::LIMITS {
                    let said = stream::read_limits(&value);
                    let (key, limits) =
                        said.ok_or_else(|| Error::corrupt(at, "Stream group limits"))?;
                    set_limits(ks.db_mut(self.db), &key, limits);
                    return Ok(());
                }
                if name == delayed::FIELD {
                    return add_delayed(ks.db_mut(self.db), &value)
                        .ok_or_else(|| Error::corrupt(at, "Stream delayed entries"));
                }
                if name == b"used-mem" {
                    let text = std::str::from_utf8(&value).unwrap_or_default();
                    self.used_memory = text.parse().unwrap_or(0);
                }
                (self.note)(Note::Aux(&name, &value));
            }
            opcode::FUNCTION2 => {
                let library = Library::new(from.string()?);
                library
                    .and_then(|new| {
                        library::add(&mut self.loaded.libraries, new, self.opts.replace)
                    })
                    .map_err(|what| Error::corrupt(at, what))?;
            }
            opcode::MODULE_AUX => {
                let name = module_name(skip::module_aux(from)?);
                return Err(Error::Module { at, name, aux: true, key: None });
            }
            opcode::SLOT_INFO => skip::slot_info(from)?,
            opcode::SLOT_IMPORT if self.dialect == Dialect::Valkey => {
                skip::slot_import(from)?;
                (self.note)(Note::SlotImport);
            }
            _ => return Err(skip::unknown(code, at)),
        }
        Ok(())
    }

    /// A key and its value.
    fn key<R: Read>(
        &mut self,
        from: &mut Reader<R>,
        kind: ValueKind,
        prefix: &Prefix,
        ks: &mut Keyspace,
    ) -> Result<(), Error> {
        let mut text = std::mem::take(&mut self.text);
        let at = from.offset();
        from.string_into(&mut text)?;
        let value = match value(from, kind, &self.opts.limits) {
            Ok(value) => value,
            // Compat: redis-server passes over collections without elements, which no server should
            // have written.
            Err(Error::Empty { .. }) => {
                self.loaded.empty += 1;
                (self.note)(Note::EmptyKey(&text));
                self.text = text;
                return Ok(());
            }
            Err(e) => return Err(e.of_key(&text)),
        };
        if self.is_expired(prefix) {
            self.loaded.expired += 1;
            (self.note)(Note::Expired(self.db, &text));
        } else if let Some(value) = self.without_due(value) {
            let access = self.access(prefix);
            let db = ks.db_mut(self.db);
            let key = db.key(&text);
            self.put(db, key, SetValue::Owned(value), prefix.expire, access, at)?;
            self.make_room(db);
        } else {
            self.loaded.keys += 1;
        }
        self.text = text;
        if self.pace.key_delay_us != 0 {
            self.slept_us += sleep_after_key(self.pace.key_delay_us, self.loaded.keys);
        }
        Ok(())
    }
}

impl Loader<'_> {
    /// The value without the fields whose time has passed; None if that was all.
    fn without_due(&mut self, mut value: Value) -> Option<Value> {
        if let Value::Object(object) = &mut value
            && let Object::Hash(hash) = &mut **object
            && self.opts.drop_expired
        {
            for field in hash.view().due(self.opts.now_ms, usize::MAX) {
                hash.remove(&field);
                self.loaded.expired_fields += 1;
            }
            if hash.is_empty() {
                return None;
            }
        }
        Some(value)
    }
}

/// Reads a value of this kind.
pub(crate) fn value<R: Read>(
    from: &mut Reader<R>,
    kind: ValueKind,
    limits: &Limits,
) -> Result<Value, Error> {
    let at = from.offset();
    let object = match kind.type_name() {
        "list" => list::load(from, kind, limits)?.into_object(),
        "set" => set::load(from, kind, limits)?.into_object(),
        "zset" => zset::load(from, kind, limits)?.into_object(),
        "hash" => hash::load(from, kind, limits)?.into_object(),
        "stream" => stream::load(from, kind)?.into_object(),
        _ => return simple(from, kind),
    };
    if object.is_empty() { Err(Error::Empty { at }) } else { Ok(Value::Object(Box::new(object))) }
}

/// Sets the delivery limits of groups of a stream that was read before, if it was kept.
fn set_limits(db: &mut Store, key: &[u8], limits: Vec<stream::LimitOf>) {
    let key = db.key(key);
    let open = db.find_mut(key).and_then(Open::<Stream>::entry);
    let Some(mut stream) = open else { return };
    for (name, limit) in limits {
        if let Some(group) = stream.groups.get_mut(&name[..]) {
            group.limit = Some(Box::new(limit));
        }
    }
}

/// Adds what waits in a stream that was read before, if it was kept; None if it is broken.
fn add_delayed(db: &mut Store, field: &[u8]) -> Option<()> {
    let (key, entries) = delayed::key_of(field)?;
    let key = db.key(key);
    let (was, read) = {
        let open = db.find_mut(key).and_then(Open::<Stream>::entry);
        let Some(mut stream) = open else { return Some(()) };
        (stream.quiet_until_ms(), delayed::read(entries, &mut stream))
    };
    db.find_mut(key)?.delayed(was);
    read
}

/// A string, or a module's value, which is refused.
fn simple<R: Read>(from: &mut Reader<R>, kind: ValueKind) -> Result<Value, Error> {
    match kind {
        ValueKind::String => Ok(match from.text()? {
            Text::Int(int) => Value::Int(int),
            Text::Bytes(bytes) => Value::from_bytes(bytes),
        }),
        ValueKind::Module2 => {
            let at = from.offset();
            let name = module_name(skip::module(from)?);
            Err(Error::Module { at, name, aux: false, key: None })
        }
        _ => {
            let at = from.offset();
            skip::value(from, kind)?;
            Err(Error::corrupt(at, "Invalid object type"))
        }
    }
}

#[cfg(test)]
mod tests;
