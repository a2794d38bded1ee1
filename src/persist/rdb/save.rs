//! The writer of snapshots.
//!
//! The order is that of redis-server, which also makes loading fast: facts about the file (AUX),
//! functions, then for each database its number, its size (so that the loader makes room at once)
//! and its keys. Keys come in table order, each prefetched.

use super::delayed;
use super::library::Library;
use super::types::{
    ACTIVE_TIMES_SINCE, LISTPACKS_SINCE, RELEASED_SINCE, TIMED_FIELDS_SINCE, VALKEY_VERSION,
    ValueKind, WRITE_MAX, WRITE_MIN, WRITE_OLDEST, opcode,
};
use super::write::Writer;
use super::{hash, list, set, stream, zset};
use crate::ds::stream::Stream;
use crate::keyspace::Keyspace;
use crate::keyspace::entry::Entry;
use crate::keyspace::fields;
use crate::keyspace::store::Store;
use crate::value::{ObjectRef, Type, ValueRef};
use std::io::{self, Write};
use std::time::Duration;

/// Bytes between two writes.
const BUFFER: usize = 256 << 10;
/// Keys between two reports of progress.
const REPORT_KEYS: u64 = 1024;
/// While keys are delayed, progress is reported at least so often, so that signals are noticed.
const REPORT_DELAY_US: u64 = 100_000;

/// How to save.
#[derive(Clone, Debug)]
pub struct SaveOptions {
    /// Long strings are compressed where that makes them shorter.
    pub compression: bool,
    /// The file ends with a checksum, else with zeros.
    pub checksum: bool,
    /// 9 to 14, or 80 for Valkey; 0: the lowest version that can hold the data.
    pub version: u32,
    /// Microseconds to sleep after each key (negative n: 1 us for one key in n).
    pub key_delay_us: i32,
    /// Write idle times (LRU policies) or frequencies (LFU policies).
    pub access: Access,
    /// The LRU clock in seconds, for idle times.
    pub lru_clock: u32,
    pub used_memory: u64,
    pub now_secs: i64,
    pub redis_version: String,
    /// Further AUX fields, such as the replication offset.
    pub aux: Vec<(String, String)>,
    pub libraries: Vec<Library>,
}

/// What of the access field goes into the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    None,
    Idle,
    Freq,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    pub keys: u64,
    pub bytes: u64,
}

/// Writes a whole snapshot. `on_keys` is told every 1024 keys how many are done.
///
/// Nothing is synced here; `file` does that.
pub fn save(
    ks: &Keyspace,
    out: &mut impl Write,
    opts: &SaveOptions,
    on_keys: &mut dyn FnMut(u64),
) -> io::Result<Summary> {
    let mut to = Writer::new(out, BUFFER, opts.compression, opts.checksum);
    let version = version(opts.version, lowest_of(ks));
    header(&mut to, version, opts)?;
    // A server that knows no functions would refuse the file.
    let libraries = if version < LISTPACKS_SINCE { &[][..] } else { &opts.libraries };
    for library in libraries {
        to.byte(opcode::FUNCTION2)?;
        to.string(&library.code)?;
    }
    let mut pace = Pace { keys: 0, slept_us: 0, delay_us: opts.key_delay_us, on_keys };
    for (number, db) in ks.iter().filter(|(_, db)| !db.is_empty()) {
        database(&mut to, number, db, version, opts, &mut pace)?;
    }
    to.byte(opcode::EOF)?;
    let crc = to.crc()?;
    to.bytes(&crc.to_le_bytes())?;
    to.flush()?;
    Ok(Summary { keys: pace.keys, bytes: to.offset() })
}

/// The lowest version that can hold all the keyspace has.
fn lowest_of(ks: &Keyspace) -> u32 {
    if ks.stores().any(|db| db.timed_hashes() > 0) {
        TIMED_FIELDS_SINCE
    } else if ks.stores().any(|db| db.of_type(Type::Stream) > 0) {
        ACTIVE_TIMES_SINCE
    } else {
        WRITE_MIN
    }
    .max(ks.stores().map(lowest_of_streams).max().unwrap_or(WRITE_MIN))
}

/// The lowest version that can hold the streams of a database. O(keys) at most: it ends with the
/// last stream, or with one that needs the latest version.
fn lowest_of_streams(db: &Store) -> u32 {
    let mut lowest = WRITE_MIN;
    let streams = db.iter().filter(|entry| entry.value_type() == Type::Stream);
    for entry in streams.take(db.of_type(Type::Stream)) {
        lowest = lowest.max(lowest_for(entry));
        if lowest == RELEASED_SINCE {
            break;
        }
    }
    lowest
}

/// The lowest version that can hold a key's value.
pub(crate) fn lowest_for(entry: &Entry) -> u32 {
    if entry.value_type() == Type::Hash && fields::of_entry(entry).is_some() {
        TIMED_FIELDS_SINCE
    } else if let ValueRef::Object(ObjectRef::Stream(x)) = entry.value() {
        stream::lowest(x)
    } else {
        WRITE_MIN
    }
}

/// The version to write when `wanted` is asked for; 0 asks for `lowest`, the lowest that can hold
/// the data.
///
/// A version that is asked for is written even if it can't hold all. Fields then never expire,
/// consumers of streams lose their active times, and what producers have sent is forgotten, and so
/// are functions, as on a server of that version. What consumers have given back belongs to one
/// without a name.
pub fn version(wanted: u32, lowest: u32) -> u32 {
    match wanted {
        0 => lowest,
        VALKEY_VERSION => VALKEY_VERSION,
        n => n.clamp(WRITE_OLDEST, WRITE_MAX),
    }
}

/// What a file of this version begins with.
pub(crate) fn magic(version: u32) -> String {
    match version {
        VALKEY_VERSION => format!("VALKEY{version:03}"),
        _ => format!("REDIS{version:04}"),
    }
}

fn header<W: Write>(to: &mut Writer<W>, version: u32, opts: &SaveOptions) -> io::Result<()> {
    to.bytes(magic(version).as_bytes())?;
    let mut aux = |name: &str, value: &str| {
        to.byte(opcode::AUX)?;
        to.string(name.as_bytes())?;
        to.string(value.as_bytes())
    };
    aux("redis-ver", &opts.redis_version)?;
    aux("redis-bits", &usize::BITS.to_string())?;
    aux("ctime", &opts.now_secs.to_string())?;
    aux("used-mem", &opts.used_memory.to_string())?;
    for (name, value) in &opts.aux {
        aux(name, value)?;
    }
    // Compat: redis-server always says whether this is the base of an append-only file.
    if opts.aux.iter().all(|(name, _)| name != "aof-base") {
        aux("aof-base", "0")?;
    }
    Ok(())
}

fn database<W: Write>(
    to: &mut Writer<W>,
    number: usize,
    db: &Store,
    version: u32,
    opts: &SaveOptions,
    pace: &mut Pace<'_>,
) -> io::Result<()> {
    to.byte(opcode::SELECTDB)?;
    to.length(number as u64)?;
    to.byte(opcode::RESIZEDB)?;
    to.length(db.len() as u64)?;
    to.length(db.expires() as u64)?;
    for entry in db.iter() {
        // Everything around a short key and value fits then without another look.
        key_value(to, entry, version, opts)?;
        pace.key_done(to)?;
    }
    Ok(())
}

#[inline]
fn key_value<W: Write>(
    to: &mut Writer<W>,
    entry: &Entry,
    version: u32,
    opts: &SaveOptions,
) -> io::Result<()> {
    if let Some(at) = entry.expire_ms() {
        to.byte(opcode::EXPIRETIME_MS)?;
        to.bytes(&at.to_le_bytes())?;
    }
    match opts.access {
        Access::None => {}
        Access::Idle => {
            to.byte(opcode::IDLE)?;
            to.length(u64::from(opts.lru_clock.wrapping_sub(entry.lru()) & 0xff_ffff))?;
        }
        Access::Freq => {
            to.byte(opcode::FREQ)?;
            to.byte(entry.lru() as u8)?;
        }
    }
    to.byte(kind_of(entry.value(), version).code())?;
    to.string(entry.key())?;
    value(to, entry.value(), version)?;
    match entry.value() {
        ValueRef::Object(ObjectRef::Stream(x)) => {
            limits_of_groups(to, entry.key(), x)?;
            delayed::save(to, entry.key(), x)
        }
        _ => Ok(()),
    }
}

/// What no version has a place for.
fn limits_of_groups<W: Write>(to: &mut Writer<W>, key: &[u8], x: &Stream) -> io::Result<()> {
    let Some(limits) = stream::limits(key, x) else { return Ok(()) };
    to.byte(opcode::AUX)?;
    to.string(stream::LIMITS)?;
    to.string(&limits)
}

/// How a value is written in a file of this version.
#[inline]
pub(crate) fn kind_of(value: ValueRef<'_>, version: u32) -> ValueKind {
    match value {
        ValueRef::Int(_) | ValueRef::Str(_) => ValueKind::String,
        ValueRef::Object(object) => match object {
            ObjectRef::List(_) => list::kind(version),
            ObjectRef::Set(x) => set::kind(x, version),
            ObjectRef::ZSet(x) => zset::kind(x, version),
            ObjectRef::Hash(x) => hash::kind(x, version),
            ObjectRef::Stream(x) => stream::kind(x, version),
        },
    }
}

/// A value, without its kind.
#[inline]
pub(crate) fn value<W: Write>(
    to: &mut Writer<W>,
    value: ValueRef<'_>,
    version: u32,
) -> io::Result<()> {
    match value {
        ValueRef::Int(int) => to.int(int),
        ValueRef::Str(bytes) => to.string(bytes),
        ValueRef::Object(object) => match object {
            ObjectRef::List(x) => list::save(to, x, version),
            ObjectRef::Set(x) => set::save(to, x, version),
            ObjectRef::ZSet(x) => zset::save(to, x, version),
            ObjectRef::Hash(x) => hash::save(to, x, version),
            ObjectRef::Stream(x) => stream::save(to, x, version),
        },
    }
}

/// Reports progress, and slows down where a test asks for it.
struct Pace<'a> {
    keys: u64,
    slept_us: u64,
    delay_us: i32,
    on_keys: &'a mut dyn FnMut(u64),
}

impl Pace<'_> {
    #[inline]
    fn key_done<W: Write>(&mut self, to: &mut Writer<W>) -> io::Result<()> {
        self.keys += 1;
        if self.keys.is_multiple_of(REPORT_KEYS) {
            (self.on_keys)(self.keys);
        }
        if self.delay_us != 0 { self.delay(to) } else { Ok(()) }
    }

    #[cold]
    fn delay<W: Write>(&mut self, to: &mut Writer<W>) -> io::Result<()> {
        let slept_us = sleep_after_key(self.delay_us, self.keys);
        self.slept_us += slept_us;
        if self.slept_us >= REPORT_DELAY_US {
            self.slept_us = 0;
            (self.on_keys)(self.keys);
            // Whoever waits for the bytes gets some.
            to.flush()?;
        }
        Ok(())
    }
}

/// Sleeps `delay_us`, or for one key in `-delay_us` a microsecond; returns how long.
pub(crate) fn sleep_after_key(delay_us: i32, keys: u64) -> u64 {
    let us = match delay_us {
        0.. => delay_us as u64,
        _ => u64::from(keys.is_multiple_of(u64::from(delay_us.unsigned_abs()))),
    };
    if us > 0 {
        std::thread::sleep(Duration::from_micros(us));
    }
    us
}

#[cfg(test)]
mod tests;
