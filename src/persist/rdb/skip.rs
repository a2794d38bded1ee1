//! Walks what it does not build: every kind of value of every version, and the facts between keys.
//!
//! The checker uses it to know that a file is sound. The loader uses it for a value of a type that
//! it lacks: then it can say that nothing else is wrong with it. Lengths are checked against the
//! bytes that are there, and packed encodings are walked to their ends.

use super::blob::{self, Fault};
use super::error::RdbError as Error;
use super::read::Reader;
use super::types::{ValueKind, module, opcode};
use std::io::Read;

/// A node of a list that is one element instead of a listpack.
const PLAIN_NODE: u64 = 1;
const PACKED_NODE: u64 = 2;
/// The length of the name of an import, in `SLOT_IMPORT`.
const NODE_NAME: u64 = 40;

/// Passes over a value of this kind.
pub(crate) fn value<R: Read>(from: &mut Reader<R>, kind: ValueKind) -> Result<(), Error> {
    match kind {
        ValueKind::String => from.skip_string().map(drop),
        ValueKind::List | ValueKind::Set => repeated(from, 1),
        ValueKind::Hash => repeated(from, 2),
        ValueKind::ZSet | ValueKind::ZSet2 => zset(from, kind),
        ValueKind::HashZipmap => packed(from, blob::zipmap, 1),
        ValueKind::ListZiplist => packed(from, blob::ziplist, 1),
        ValueKind::SetIntset => packed(from, blob::intset, 1),
        ValueKind::ZSetZiplist | ValueKind::HashZiplist => packed(from, blob::ziplist, 2),
        ValueKind::SetListpack => packed(from, blob::listpack, 1),
        ValueKind::HashListpack | ValueKind::ZSetListpack => packed(from, blob::listpack, 2),
        ValueKind::ListQuicklist => {
            let nodes = from.length()?;
            (0..nodes).try_for_each(|_| packed(from, blob::ziplist, 1))
        }
        ValueKind::ListQuicklist2 => quicklist(from),
        ValueKind::StreamListpacks => stream(from, 1),
        ValueKind::StreamListpacks2 => stream(from, 2),
        ValueKind::StreamListpacks3 => stream(from, 3),
        ValueKind::StreamListpacks4 => stream(from, 4),
        ValueKind::StreamListpacks5 => stream(from, 5),
        ValueKind::HashMetadataPreGa | ValueKind::HashMetadata | ValueKind::Hash2 => {
            timed_hash(from, kind)
        }
        ValueKind::HashListpackExPreGa => packed(from, blob::listpack, 3),
        ValueKind::HashListpackEx => {
            from.time_ms()?;
            packed(from, blob::listpack, 3)
        }
        ValueKind::Module2 => module(from).map(drop),
        ValueKind::ModulePreGa => {
            Err(Error::corrupt(from.offset(), "A module's value of a release candidate"))
        }
    }
}

/// `n`, then `n` times `each` strings.
fn repeated<R: Read>(from: &mut Reader<R>, each: u64) -> Result<(), Error> {
    let n = from.length()?;
    for _ in 0..n {
        for _ in 0..each {
            from.skip_string()?;
        }
    }
    Ok(())
}

/// A packed encoding whose elements come in groups of `group`.
fn packed<R: Read>(
    from: &mut Reader<R>,
    walk: impl Fn(&[u8]) -> Result<u64, Fault>,
    group: u64,
) -> Result<(), Error> {
    let at = from.offset();
    let bytes = from.string()?;
    let count = walk(&bytes).map_err(|what| Error::corrupt(at, what))?;
    match count.is_multiple_of(group) {
        true => Ok(()),
        false => Err(Error::corrupt(at, "An element without its partner")),
    }
}

fn zset<R: Read>(from: &mut Reader<R>, kind: ValueKind) -> Result<(), Error> {
    let n = from.length()?;
    for _ in 0..n {
        from.skip_string()?;
        let at = from.offset();
        let nan = match kind {
            ValueKind::ZSet2 => f64::from_le_bytes(from.take()?).is_nan(),
            _ => text_score(from)?.is_nan(),
        };
        if nan {
            return Err(Error::corrupt(at, "Zset with NAN score detected"));
        }
    }
    Ok(())
}

/// A score as text, with lengths that mean what no text does.
pub(crate) fn text_score<R: Read>(from: &mut Reader<R>) -> Result<f64, Error> {
    let at = from.offset();
    match from.byte()? {
        253 => Ok(f64::NAN),
        254 => Ok(f64::INFINITY),
        255 => Ok(f64::NEG_INFINITY),
        len => {
            let mut text = [0; 252];
            for byte in &mut text[..usize::from(len)] {
                *byte = from.byte()?;
            }
            let text = std::str::from_utf8(&text[..usize::from(len)]).ok();
            text.and_then(|t| t.trim_start().parse().ok())
                .ok_or_else(|| Error::corrupt(at, "A score that is no number"))
        }
    }
}

fn quicklist<R: Read>(from: &mut Reader<R>) -> Result<(), Error> {
    let nodes = from.length()?;
    for _ in 0..nodes {
        let at = from.offset();
        match from.length()? {
            PLAIN_NODE => from.skip_string().map(drop)?,
            PACKED_NODE => packed(from, blob::listpack, 1)?,
            _ => return Err(Error::corrupt(at, "Quicklist integrity check failed")),
        }
    }
    Ok(())
}

/// A hash whose fields may expire, each on its own.
fn timed_hash<R: Read>(from: &mut Reader<R>, kind: ValueKind) -> Result<(), Error> {
    if kind == ValueKind::HashMetadata {
        // The soonest; the fields' times are relative to it.
        from.time_ms()?;
    }
    let n = from.length()?;
    for _ in 0..n {
        if kind != ValueKind::Hash2 {
            from.length()?;
        }
        from.skip_string()?;
        from.skip_string()?;
        if kind == ValueKind::Hash2 {
            from.time_ms()?;
        }
    }
    Ok(())
}

/// Passes over a stream. Active times of consumers came with version 3, what producers have sent
/// with 4, what consumers have given back with 5.
fn stream<R: Read>(from: &mut Reader<R>, version: u32) -> Result<(), Error> {
    let nodes = from.length()?;
    for _ in 0..nodes {
        let at = from.offset();
        if from.skip_string()? != 16 {
            return Err(Error::corrupt(at, "Stream node key entry is not the size of a stream ID"));
        }
        packed(from, blob::listpack, 1)?;
    }
    // Length and last id; then first id, highest deleted id, entries ever added.
    let numbers = if version >= 2 { 3 + 5 } else { 3 };
    for _ in 0..numbers {
        from.length()?;
    }
    let groups = from.length()?;
    for _ in 0..groups {
        stream_group(from, version)?;
    }
    if version < 4 {
        return Ok(());
    }
    // Settings; then what producers have sent, and two counters.
    from.length()?;
    from.length()?;
    let producers = from.length()?;
    for _ in 0..producers {
        from.skip_string()?;
        let messages = from.length()?;
        for _ in 0..messages {
            from.skip_string()?;
            from.length()?;
            from.length()?;
        }
    }
    from.length()?;
    from.length()?;
    Ok(())
}

fn stream_group<R: Read>(from: &mut Reader<R>, version: u32) -> Result<(), Error> {
    from.skip_string()?;
    // Last delivered id; then entries read.
    for _ in 0..if version >= 2 { 3 } else { 2 } {
        from.length()?;
    }
    let pending = from.length()?;
    for _ in 0..pending {
        from.skip(16)?;
        from.time_ms()?;
        from.length()?;
    }
    let consumers = from.length()?;
    for _ in 0..consumers {
        from.skip_string()?;
        from.time_ms()?;
        if version >= 3 {
            from.time_ms()?;
        }
        let pending = from.length()?;
        for _ in 0..pending {
            from.skip(16)?;
        }
    }
    if version >= 5 {
        let released = from.length()?;
        for _ in 0..released {
            from.skip(16)?;
        }
    }
    Ok(())
}

/// A module's value. Each part of it says its own type.
fn module_value<R: Read>(from: &mut Reader<R>) -> Result<(), Error> {
    loop {
        let at = from.offset();
        match from.length()? {
            module::EOF => return Ok(()),
            module::SINT | module::UINT => from.length().map(drop)?,
            module::FLOAT => from.skip(4)?,
            module::DOUBLE => from.skip(8)?,
            module::STRING => from.skip_string().map(drop)?,
            _ => return Err(Error::corrupt(at, "Unknown opcode in a module's value")),
        }
    }
}

/// Passes over a module's value, and returns the module's number.
pub(crate) fn module<R: Read>(from: &mut Reader<R>) -> Result<u64, Error> {
    let id = from.length()?;
    module_value(from)?;
    Ok(id)
}

/// Passes over what a module wrote besides keys, and returns the module's number.
pub(crate) fn module_aux<R: Read>(from: &mut Reader<R>) -> Result<u64, Error> {
    let id = from.length()?;
    let at = from.offset();
    if from.length()? != module::UINT {
        return Err(Error::corrupt(at, "Bad when_opcode of a module"));
    }
    from.length()?;
    module_value(from)?;
    Ok(id)
}

/// Passes over the sizes of a slot: its number, keys, and keys that expire.
pub(crate) fn slot_info<R: Read>(from: &mut Reader<R>) -> Result<(), Error> {
    (0..3).try_for_each(|_| from.length().map(drop))
}

/// Passes over the name of an import that was going on, and the ranges of slots that it brought.
pub(crate) fn slot_import<R: Read>(from: &mut Reader<R>) -> Result<(), Error> {
    let at = from.offset();
    if from.skip_string()? != NODE_NAME {
        return Err(Error::corrupt(at, "Bad name of a slot import"));
    }
    let ranges = from.length()?;
    (0..ranges).try_for_each(|_| {
        from.length()?;
        from.length().map(drop)
    })
}

/// The error for an opcode that is unknown, or not known any more; `at` is its offset.
pub(crate) fn unknown(code: u8, at: u64) -> Error {
    match code {
        opcode::FUNCTION_PRE_GA => Error::corrupt(at, "Pre-release function format not supported"),
        _ => Error::corrupt(at, "Invalid object type"),
    }
}
