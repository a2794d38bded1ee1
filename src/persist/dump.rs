//! DUMP payloads: one value, the version, a checksum.
//!
//! ```text
//!   type (1)   value   version (2, little-endian)   crc64 of all before (8, little-endian)
//! ```
//! Behind a stream stands what waits in it (`rdb/delayed`).

use super::rdb::delayed;
use super::rdb::error::RdbError;
use super::rdb::load;
use super::rdb::read::Reader;
use super::rdb::save;
use super::rdb::types::{Dialect, VALKEY_VERSION, VERSIONS, ValueKind, opcode};
use super::rdb::write::Writer;
use crate::keyspace::entry::Entry;
use crate::keyspace::limits::Limits;
use crate::util::crc64;
use crate::util::lzf::Compressor;
use crate::value::{Object, ObjectRef, Value, ValueRef};
use std::io;

/// Bytes of version and checksum.
const FOOTER: usize = 10;
const ROOM: &str = "memory takes every write";
/// Elements that are looked at to guess the size of a value.
const SAMPLES: usize = 5;
/// The buffer of a reader: payloads are mostly short.
const BUFFER: usize = 64 << 10;

/// Why a payload is refused.
#[derive(Debug)]
pub(crate) enum DumpError {
    /// Footer: too new a version, or the checksum does not match.
    Footer,
    /// The value itself is broken or of a type the server does not have.
    Format(RdbError),
}

/// A string of this length or more gets memory of exactly its size. To grow in steps would take
/// twice as much for a while.
const LONG: usize = 64 << 10;
/// Bytes of a payload besides a long string: type, lengths and footer.
const AROUND: usize = 40;

/// Serializes a value. `version` 0: the lowest that can hold it, so that any server since Redis 7.0
/// takes it. Long strings are compressed if `compression`, where that makes them shorter.
pub(crate) fn dump(entry: &Entry, version: u32, compression: bool) -> Vec<u8> {
    let version = save::version(version, save::lowest_for(entry));
    let mut payload = match entry.value() {
        ValueRef::Str(bytes) if bytes.len() >= LONG => long_string(bytes, compression),
        value => {
            let about = match value {
                ValueRef::Object(_) => entry.mem_bytes(SAMPLES),
                _ => 0,
            };
            // A small string may grow in steps.
            let room = if about >= LONG { about } else { 0 };
            let mut payload = Vec::with_capacity(room);
            write_value(&mut payload, entry, version, compression).expect(ROOM);
            payload
        }
    };
    payload.extend_from_slice(&(version as u16).to_le_bytes());
    let crc = crc64::update(0, &payload);
    payload.extend_from_slice(&crc.to_le_bytes());
    payload
}

fn long_string(bytes: &[u8], compression: bool) -> Vec<u8> {
    let mut packed = Vec::new();
    let shorter = compression && {
        packed.reserve_exact(bytes.len());
        Compressor::default().compress(bytes, &mut packed, bytes.len() - 4)
    };
    let stored = if shorter { packed.len() } else { bytes.len() };
    if !shorter {
        // This frees memory before as much is allocated again.
        packed = Vec::new();
    }
    let mut payload = Vec::with_capacity(stored + AROUND);
    let mut to = Writer::new(&mut payload, 0, false, false);
    to.byte(ValueKind::String.code()).expect(ROOM);
    let written = match shorter {
        true => to.compressed(&packed, bytes.len() as u64),
        false => to.raw(bytes),
    };
    written.and_then(|()| to.flush()).expect(ROOM);
    payload
}

fn write_value(
    payload: &mut Vec<u8>,
    entry: &Entry,
    version: u32,
    compression: bool,
) -> io::Result<()> {
    let mut to = Writer::new(payload, 0, compression, false);
    to.byte(save::kind_of(entry.value(), version).code())?;
    save::value(&mut to, entry.value(), version)?;
    if let ValueRef::Object(ObjectRef::Stream(stream)) = entry.value() {
        delayed::save(&mut to, b"", stream)?;
    }
    to.flush()
}

/// Reads a payload back. Without `verify_checksum`, only the version of the footer is looked at.
pub(crate) fn restore(
    payload: &[u8],
    verify_checksum: bool,
    limits: &Limits,
) -> Result<Value, DumpError> {
    let (dialect, body) = split(payload, verify_checksum).ok_or(DumpError::Footer)?;
    let (&code, body) = body.split_first().ok_or_else(|| unknown("Empty payload"))?;
    let kind = ValueKind::of(code, dialect).ok_or_else(|| unknown("Invalid object type"))?;
    let size = Some(body.len() as u64);
    let mut from = Reader::new(body, body.len().min(BUFFER), false).of_size(size);
    // Compat: what else follows the value in the payload is ignored, as redis-server does.
    let mut value = load::value(&mut from, kind, limits).map_err(DumpError::Format)?;
    if let Value::Object(object) = &mut value
        && let Object::Stream(stream) = &mut **object
    {
        delayed::read_behind(&mut from, stream).ok_or_else(|| unknown("Stream delayed entries"))?;
    }
    Ok(value)
}

fn unknown(what: &'static str) -> DumpError {
    DumpError::Format(RdbError::corrupt(0, what))
}

/// Serializes the texts of libraries, for FUNCTION DUMP.
pub(crate) fn dump_libraries<'c>(codes: impl Iterator<Item = &'c [u8]>) -> Vec<u8> {
    let mut payload = Vec::new();
    let mut to = Writer::new(&mut payload, 0, true, false);
    for code in codes {
        to.byte(opcode::FUNCTION2).expect(ROOM);
        to.string(code).expect(ROOM);
    }
    to.flush().expect(ROOM);
    drop(to);
    seal_libraries(payload)
}

/// Adds the footer of a payload of libraries.
pub(crate) fn seal_libraries(mut payload: Vec<u8>) -> Vec<u8> {
    payload.extend_from_slice(&(LIBRARIES_VERSION as u16).to_le_bytes());
    let crc = crc64::update(0, &payload);
    payload.extend_from_slice(&crc.to_le_bytes());
    payload
}

/// The version of a payload of libraries: that of Redis 7.0, which was the first to have them.
const LIBRARIES_VERSION: u32 = 10;

/// The texts of the libraries in a payload. The error is a message.
pub(crate) fn restore_libraries(payload: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
    let (_, body) = split(payload, true).ok_or("DUMP payload version or checksum are wrong")?;
    let size = body.len() as u64;
    let mut from = Reader::new(body, body.len().min(BUFFER), false).of_size(Some(size));
    let mut codes = Vec::new();
    while from.offset() < size {
        match from.byte() {
            Ok(opcode::FUNCTION2) => {}
            Ok(opcode::FUNCTION_PRE_GA) => return Err("Pre-GA function format not supported"),
            Ok(_) => return Err("given type is not a function"),
            Err(_) => return Err("can not read data type"),
        }
        codes.push(from.string().map_err(|_| "Failed loading library payload")?);
    }
    Ok(codes)
}

/// Splits the footer off; None if it is not sound.
fn split(payload: &[u8], verify_checksum: bool) -> Option<(Dialect, &[u8])> {
    let body = payload.len().checked_sub(FOOTER)?;
    let (body, footer) = payload.split_at(body);
    let (version, crc) = footer.split_first_chunk::<2>()?;
    let version = u32::from(u16::from_le_bytes(*version));
    let dialect = match version {
        VALKEY_VERSION => Dialect::Valkey,
        // Compat: redis-server refuses none that is too old, not even 0.
        _ if version <= *VERSIONS.end() => Dialect::Redis,
        _ => return None,
    };
    let sum = || crc64::update(0, &payload[..payload.len() - 8]).to_le_bytes();
    (!verify_checksum || crc == sum()).then_some((dialect, body))
}

#[cfg(test)]
mod tests;
