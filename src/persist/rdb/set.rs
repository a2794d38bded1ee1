//! How a set is written and read.
//!
//! ```text
//!   2    length, then each member as a string
//!   11   an intset, as a string
//!   20   a listpack, as a string; since version 11
//! ```

use super::error::RdbError as Error;
use super::read::Reader;
use super::types::ValueKind;
use super::write::Writer;
use crate::ds::intset::Intset;
use crate::ds::listpack::{Item, Listpack, Scratch};
use crate::keyspace::limits::Limits;
use crate::util::siphash::Seed;
use crate::value::View;
use crate::value::set::{Set, SetRef};
use std::collections::HashSet;
use std::io::{self, Read, Write};

/// The first version that knows sets as listpacks.
const SET_LISTPACKS_SINCE: u32 = 11;
/// Room is made for at most so many members that the file only claims to have.
const RESERVE_MAX: usize = 64 << 10;

/// The form in which it is written.
pub(crate) fn kind(set: SetRef<'_>, version: u32) -> ValueKind {
    match set {
        SetRef::Ints(_) => ValueKind::SetIntset,
        SetRef::Packed(_) if version >= SET_LISTPACKS_SINCE => ValueKind::SetListpack,
        SetRef::Packed(_) | SetRef::Table(_) => ValueKind::Set,
    }
}

/// Writes it in that form.
pub(crate) fn save<W: Write>(to: &mut Writer<W>, set: SetRef<'_>, version: u32) -> io::Result<()> {
    match (kind(set, version), set) {
        (ValueKind::SetIntset, SetRef::Ints(ints)) => return to.string(ints.as_bytes()),
        (ValueKind::SetListpack, SetRef::Packed(lp)) => return to.string(&lp.to_vec()),
        _ => {}
    }
    to.length(set.len() as u64)?;
    set.iter().try_for_each(|item| match item {
        Item::Int(n) => to.int(n),
        Item::Str(text) => to.string(text),
    })
}

/// Reads one of any form, and gives it the encoding that the limits ask for.
pub(crate) fn load<R: Read>(
    from: &mut Reader<R>,
    kind: ValueKind,
    limits: &Limits,
) -> Result<Set, Error> {
    let at = from.offset();
    match kind {
        ValueKind::SetIntset => {
            let ints = Intset::from_untrusted(from.string()?)
                .map_err(|_| Error::corrupt(at, "Intset integrity check failed"))?;
            let (len, mut set) = (ints.len(), Set::Ints(ints));
            if len > limits.set_intset_entries {
                set.change_to_table(len, limits.seed);
            }
            Ok(set)
        }
        ValueKind::SetListpack => {
            let lp = Listpack::from_untrusted(from.string()?)
                .ok()
                .filter(|lp| distinct(lp.iter(), limits.seed))
                .ok_or_else(|| Error::corrupt(at, "Set listpack integrity check failed"))?;
            let (len, mut set) = (lp.len(), Set::Packed(lp));
            if len > limits.set_listpack_entries {
                set.change_to_table(len, limits.seed);
            }
            Ok(set)
        }
        _ => members(from, limits),
    }
}

/// Members one by one.
fn members<R: Read>(from: &mut Reader<R>, limits: &Limits) -> Result<Set, Error> {
    let len = usize::try_from(from.length()?).unwrap_or(usize::MAX);
    let limits = limits.set();
    let mut set = Set::Ints(Intset::new());
    if len > limits.intset_entries {
        set.change_to_table(len.min(RESERVE_MAX), limits.seed);
    }
    let mut member = Vec::new();
    for _ in 0..len {
        let at = from.offset();
        from.string_into(&mut member)?;
        if !set.insert(&member, &limits) {
            return Err(Error::corrupt(at, "Duplicate set members detected"));
        }
    }
    set.shrink();
    Ok(set)
}

/// Elements of a listpack that are compared on the stack.
const SMALL: usize = 128;

/// Whether no element has the text of another. O(n log n).
pub(super) fn distinct<'a>(items: impl Iterator<Item = Item<'a>> + Clone, seed: Seed) -> bool {
    let (mut hashes, mut len, mut scratch) = ([0; SMALL], 0, Scratch::default());
    for item in items.clone() {
        let Some(hash) = hashes.get_mut(len) else { return distinct_texts(items) };
        *hash = seed.hash(item.bytes(&mut scratch));
        len += 1;
    }
    let hashes = &mut hashes[..len];
    hashes.sort_unstable();
    hashes.is_sorted_by(|a, b| a < b) || distinct_texts(items)
}

/// `distinct` by the texts themselves: for many, and for few of which two have the same hash.
fn distinct_texts<'a>(mut items: impl Iterator<Item = Item<'a>>) -> bool {
    let (mut ints, mut texts) = (HashSet::new(), HashSet::new());
    // A string that spells an integer is the same member as the integer.
    items.all(|item| match (item.as_int(), item) {
        (Some(n), _) => ints.insert(n),
        (None, Item::Str(text)) => texts.insert(text),
        (None, Item::Int(_)) => false,
    })
}

#[cfg(test)]
mod tests;
