//! How a hash is written and read.
//!
//! ```text
//!   4    length, then each field and its value as strings
//!   9    a zipmap, 13 a ziplist, 16 a listpack of fields and values, as a string
//!   24   the soonest time (8 bytes), length, then for each field: as a length, its time less that
//!        one plus 1, or 0 if it has none; field and value as strings
//!   22   as 24, without the soonest time, and with the times as they are
//!   25   the soonest time (8 bytes), a listpack of fields, values and times, soonest first, as a
//!        string
//!   23   as 25, without the soonest time
//!   22   in Valkey: length, then each field and its value as strings, and its time (8 bytes), -1
//!        if it has none
//! ```

use super::blob;
use super::error::RdbError as Error;
use super::read::Reader;
use super::set::distinct;
use super::types::{LISTPACKS_SINCE, TIMED_FIELDS_SINCE, VALKEY_VERSION, ValueKind};
use super::write::Writer;
use crate::ds::listpack::{Item, Listpack};
use crate::keyspace::limits::Limits;
use crate::value::hash::{Hash, HashLimits, HashRef, Time};
use crate::value::{Collection, View};
use std::io::{self, Read, Write};

/// Room is made for at most so many fields that the file only claims to have.
const RESERVE_MAX: usize = 64 << 10;
/// The latest time a field can have.
const TIME_MAX: i64 = (1 << 46) - 1;

/// The form in which it is written.
pub(crate) fn kind(hash: HashRef<'_>, version: u32) -> ValueKind {
    let timed = version >= TIMED_FIELDS_SINCE && hash.soonest().is_some();
    match hash {
        _ if timed && version == VALKEY_VERSION => ValueKind::Hash2,
        _ if version < LISTPACKS_SINCE => ValueKind::Hash,
        HashRef::Packed(_) => ValueKind::HashListpack,
        HashRef::Timed(_) if timed => ValueKind::HashListpackEx,
        HashRef::Timed(_) => ValueKind::HashListpack,
        HashRef::Table(_) if timed => ValueKind::HashMetadata,
        HashRef::Table(_) => ValueKind::Hash,
    }
}

/// Writes it in that form.
pub(crate) fn save<W: Write>(
    to: &mut Writer<W>,
    hash: HashRef<'_>,
    version: u32,
) -> io::Result<()> {
    let soonest = hash.soonest().unwrap_or(0);
    match (kind(hash, version), hash) {
        (ValueKind::HashListpackEx, HashRef::Timed(lp)) => {
            to.bytes(&soonest.to_le_bytes())?;
            to.string(&lp.to_vec())
        }
        (ValueKind::HashListpack, HashRef::Packed(lp)) => to.string(&lp.to_vec()),
        (ValueKind::HashListpack, _) => to.string(hash.to_listpack(false).as_bytes()),
        (ValueKind::Hash2, _) => {
            to.length(hash.len() as u64)?;
            for pair in hash.iter() {
                item(to, pair.field)?;
                item(to, pair.value)?;
                to.bytes(&pair.expire.unwrap_or(-1).to_le_bytes())?;
            }
            Ok(())
        }
        (kind, _) => {
            let timed = kind == ValueKind::HashMetadata;
            if timed {
                to.bytes(&soonest.to_le_bytes())?;
            }
            to.length(hash.len() as u64)?;
            for pair in hash.iter() {
                if timed {
                    to.length(pair.expire.map_or(0, |at| (at - soonest) as u64 + 1))?;
                }
                item(to, pair.field)?;
                item(to, pair.value)?;
            }
            Ok(())
        }
    }
}

fn item<W: Write>(to: &mut Writer<W>, item: Item<'_>) -> io::Result<()> {
    match item {
        Item::Int(n) => to.int(n),
        Item::Str(text) => to.string(text),
    }
}

/// Reads one of any form, and gives it the encoding that the limits ask for.
pub(crate) fn load<R: Read>(
    from: &mut Reader<R>,
    kind: ValueKind,
    limits: &Limits,
) -> Result<Hash, Error> {
    let at = from.offset();
    let broken = |what| Error::corrupt(at, what);
    match kind {
        ValueKind::HashListpack => {
            let lp = Listpack::from_untrusted(from.string()?)
                .map_err(|_| broken("Hash listpack integrity check failed"))?;
            packed(lp, limits).ok_or(broken("Hash listpack integrity check failed"))
        }
        ValueKind::HashZiplist => {
            let lp = blob::ziplist_to_listpack(&from.string()?).map_err(broken)?;
            packed(lp, limits).ok_or(broken("Hash ziplist integrity check failed"))
        }
        ValueKind::HashZipmap => {
            let lp = blob::zipmap_to_listpack(&from.string()?).map_err(broken)?;
            if lp.is_empty() {
                // Compat: an empty one of this form is an error, not a key to be passed over.
                return Err(broken("Zipmap integrity check failed"));
            }
            // Zipmaps come from times before there was a limit for values.
            let long = lp.iter().any(|item| item.text_len() > limits.hash_listpack_value);
            let mut hash = packed(lp, limits)
                .ok_or(broken("Hash zipmap with dup elements, or big length (0)"))?;
            if long && matches!(hash, Hash::Packed(_)) {
                hash.change_to_table(hash.len(), limits.seed);
            }
            Ok(hash)
        }
        ValueKind::HashListpackEx | ValueKind::HashListpackExPreGa => {
            if kind == ValueKind::HashListpackEx {
                from.time_ms()?;
            }
            let lp = Listpack::from_untrusted(from.string()?)
                .map_err(|_| broken("Hash listpackex integrity check failed"))?;
            triples(&lp, limits).ok_or(broken("Hash listpackex integrity check failed"))
        }
        _ => fields(from, kind, limits),
    }
}

/// Fields and values in turn; None if they can't be.
fn packed(lp: Listpack, limits: &Limits) -> Option<Hash> {
    if !lp.len().is_multiple_of(2) || !distinct(lp.iter().step_by(2), limits.seed) {
        return None;
    }
    let mut hash = Hash::Packed(lp);
    if hash.len() > limits.hash_listpack_entries {
        hash.change_to_table(hash.len(), limits.seed);
    }
    Some(hash)
}

/// Fields, values and times in turn, soonest first, then those that have none; None if they can't
/// be.
fn triples(lp: &Listpack, limits: &Limits) -> Option<Hash> {
    if !lp.len().is_multiple_of(3) || !distinct(lp.iter().step_by(3), limits.seed) {
        return None;
    }
    let mut hash = Hash::Timed(Listpack::new());
    let no_limits =
        HashLimits { listpack_entries: usize::MAX, listpack_value: usize::MAX, seed: limits.seed };
    let (mut items, mut last) = (lp.iter(), 1);
    while let (Some(field), Some(value), Some(time)) = (items.next(), items.next(), items.next()) {
        let time = time.as_int().filter(|t| (0..=TIME_MAX).contains(t))?;
        // Compat: readers rely on this order, so another one is refused.
        if time != 0 && (last == 0 || time < last) {
            return None;
        }
        last = time;
        let time = if time == 0 { Time::Never } else { Time::At(time) };
        hash.insert(&field.to_vec(), &value.to_vec(), time, &no_limits);
    }
    if hash.len() > limits.hash_listpack_entries {
        hash.change_to_table(hash.len(), limits.seed);
    }
    Some(hash)
}

/// Fields one by one.
fn fields<R: Read>(from: &mut Reader<R>, kind: ValueKind, limits: &Limits) -> Result<Hash, Error> {
    let soonest = match kind {
        ValueKind::HashMetadata => Some(from.time_ms()?),
        _ => None,
    };
    let len = usize::try_from(from.length()?).unwrap_or(usize::MAX);
    let limits = limits.hash();
    let mut hash = Hash::default();
    if len > limits.listpack_entries {
        hash.change_to_table(len.min(RESERVE_MAX), limits.seed);
    }
    let (mut field, mut value) = (Vec::new(), Vec::new());
    for _ in 0..len {
        let at = from.offset();
        let bad_time = || Error::corrupt(at, "Hash with a field's time out of range");
        let mut time = None;
        if matches!(kind, ValueKind::HashMetadata | ValueKind::HashMetadataPreGa) {
            let n = i64::try_from(from.length()?).map_err(|_| bad_time())?;
            time = match soonest {
                Some(soonest) if n > 0 => Some(soonest.checked_add(n - 1).ok_or_else(bad_time)?),
                _ => (n > 0).then_some(n),
            };
        }
        from.string_into(&mut field)?;
        from.string_into(&mut value)?;
        if kind == ValueKind::Hash2 {
            time = Some(from.time_ms()?).filter(|&at| at != -1);
        }
        if time.is_some_and(|at| !(1..=TIME_MAX).contains(&at)) {
            return Err(bad_time());
        }
        if !hash.insert(&field, &value, time.map_or(Time::Never, Time::At), &limits) {
            return Err(Error::corrupt(at, "Duplicate hash fields detected"));
        }
    }
    Ok(hash)
}

#[cfg(test)]
mod tests;
