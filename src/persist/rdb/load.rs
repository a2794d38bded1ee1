//! The loader of snapshots.
//!
//! Most of a file is short strings, and what they cost is a cache miss each in the table. So keys are parsed
//! in place, a batch at a time, and the bucket of each is asked for as soon as its key is known; when the
//! batch is complete, the first buckets have arrived and the batch is inserted (`batch`). Whatever else
//! comes (opcodes, long strings, the last key of a buffer) takes the general path, one item at a time.
//!
//! A value of a type that the server does not have is an error: nothing is dropped silently. To say so with
//! the key's name, and not before the key is known to be sound, its structure is walked by `skip`.

mod batch;

use super::error::RdbError as Error;
pub use super::error::RdbError;
use super::error::shown;
use super::read::{Reader, Text};
use super::save::sleep_after_key;
use super::skip;
use super::types::{CHECKSUM_SINCE, Dialect, VALKEY_VERSION, VERSIONS, ValueKind, opcode};
use super::{hash, list, set, zset};
use crate::keyspace::Keyspace;
use crate::keyspace::entry::SetValue;
use crate::keyspace::limits::Limits;
use crate::keyspace::store::{Expire, Store};
use crate::value::{Collection, Value};
use std::io::Read;

/// Bytes of the buffer.
const BUFFER: usize = 256 << 10;
/// Room is made for at most so many keys that the file only claims to have.
const RESERVE_MAX: usize = 4 << 20;
/// When that many have come, room is made for so many times as many.
const RESERVE_STEP: usize = 8;
/// So many collections without elements are named in the log.
const EMPTY_NAMED: u64 = 10;
/// While keys are delayed, `tick` is called at least so often.
const TICK_DELAY_US: u64 = 50_000;

/// How to load.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    pub verify_checksum: bool,
    pub now_ms: i64,
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

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    pub version: u32,
    pub keys: u64,
    pub expired: u64,
    /// Collections without elements, which were left out.
    pub empty: u64,
    pub aux: Vec<(Vec<u8>, Vec<u8>)>,
    pub functions: Vec<Vec<u8>>,
}

/// Loads a snapshot into `ks`. After an error, `ks` holds what came before it.
///
/// `tick` is called at the start, and then after every `events_interval_bytes`.
pub fn load(
    input: impl Read,
    opts: &LoadOptions,
    ks: &mut Keyspace,
    tick: &mut dyn FnMut(&Progress) -> Pace,
) -> Result<Loaded, RdbError> {
    let mut from = Reader::new(input, BUFFER, opts.verify_checksum);
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
        tick,
    };
    loader.clock(ks);
    loop {
        loader.tick_if_due(from.offset())?;
        if loader.pace.key_delay_us == 0 {
            loader.batches(&mut from, ks)?;
        }
        if !loader.item(&mut from, ks)? {
            break;
        }
    }
    checksum(&mut from, version, opts.verify_checksum)?;
    Ok(loader.loaded)
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
    // As atoi has it: whatever digits there are.
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
    tick: &'a mut dyn FnMut(&Progress) -> Pace,
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
    fn tick_if_due(&mut self, offset: u64) -> Result<(), Error> {
        if offset < self.next_tick && self.slept_us < TICK_DELAY_US {
            return Ok(());
        }
        let progress =
            Progress { bytes: offset, keys: self.loaded.keys, used_memory: self.used_memory };
        self.pace = (self.tick)(&progress);
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

    /// What is not about a key.
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
                if name == b"used-mem" {
                    let text = std::str::from_utf8(&value).unwrap_or_default();
                    self.used_memory = text.parse().unwrap_or(0);
                }
                self.loaded.aux.push((name, value));
            }
            opcode::FUNCTION2 => self.loaded.functions.push(from.string()?),
            _ => skip::fact(from, code, at)?,
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
            // Compat: redis-server passes over collections without elements, which no server should have written.
            Err(Error::Empty { .. }) => {
                self.loaded.empty += 1;
                if self.loaded.empty <= EMPTY_NAMED {
                    crate::log!(Notice, "Loading RDB: skipping empty key: {}", shown(&text));
                }
                self.text = text;
                return Ok(());
            }
            Err(e) => return Err(e.of_key(&text)),
        };
        // A hash keeps fields past their time: they count, and leave, as those of any other hash do.
        if !self.is_expired(prefix) {
            let access = self.access(prefix);
            let db = ks.db_mut(self.db);
            let key = db.key(&text);
            self.put(db, key, SetValue::Owned(value), prefix.expire, access, at)?;
            self.make_room(db);
        } else {
            self.loaded.expired += 1;
        }
        self.text = text;
        if self.pace.key_delay_us != 0 {
            self.slept_us += sleep_after_key(self.pace.key_delay_us, self.loaded.keys);
        }
        Ok(())
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
        _ => return simple(from, kind),
    };
    if object.is_empty() { Err(Error::Empty { at }) } else { Ok(Value::Object(Box::new(object))) }
}

/// A string, or a value of a type that is not there.
fn simple<R: Read>(from: &mut Reader<R>, kind: ValueKind) -> Result<Value, Error> {
    match kind {
        ValueKind::String => Ok(match from.text()? {
            Text::Int(int) => Value::Int(int),
            Text::Bytes(bytes) => Value::from_bytes(bytes),
        }),
        _ => {
            let at = from.offset();
            skip::value(from, kind)?;
            Err(Error::Unsupported { at, type_name: kind.type_name(), key: None })
        }
    }
}

#[cfg(test)]
mod tests;
