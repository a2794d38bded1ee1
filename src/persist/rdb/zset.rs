//! How a sorted set is written and read.
//!
//! ```text
//!   17  listpack        the listpack of a small one
//!    5  zset 2          number, then member and score (8 bytes), from the highest to the lowest
//!    3  zset            read only: the score as text behind its length
//!   12  ziplist         read only: a small one of an old server
//! ```
//!
//! What is read is checked: no NaN, no member twice, no odd element. A packed one that isn't sorted is sorted.

use super::blob;
use super::error::RdbError as Error;
use super::read::Reader;
use super::skip;
use super::types::ValueKind;
use super::write::Writer;
use crate::ds::listpack::{Item, Listpack, Scratch};
use crate::ds::ordered::table::Unsorted;
use crate::keyspace::limits::Limits;
use crate::util::num;
use crate::value::zset::{ZSet, ZSetLimits, packed_score};
use std::io::{self, Read, Write};

/// Room is made for at most so many members that a file only claims to have.
const RESERVE_MAX: usize = 1 << 16;

/// The form in which it is written.
pub fn kind(zset: &ZSet) -> ValueKind {
    match zset {
        ZSet::Packed(_) => ValueKind::ZSetListpack,
        ZSet::Table(_) => ValueKind::ZSet2,
    }
}

/// Writes it in that form.
pub fn save<W: Write>(to: &mut Writer<W>, zset: &ZSet) -> io::Result<()> {
    match zset {
        ZSet::Packed(lp) => to.string(lp.as_bytes()),
        ZSet::Table(table) => {
            to.length(table.len() as u64)?;
            // Compat: downwards, so that a skip list is loaded at its head.
            for (member, score) in table.descend(table.len() - 1, table.len()) {
                to.string(member)?;
                to.bytes(&score.to_le_bytes())?;
            }
            Ok(())
        }
    }
}

/// Reads one of any form, and gives it the encoding that the limits ask for.
pub fn load<R: Read>(
    from: &mut Reader<R>,
    kind: ValueKind,
    limits: &Limits,
) -> Result<ZSet, Error> {
    let (at, limits) = (from.offset(), limits.zset());
    match kind {
        ValueKind::ZSetListpack => {
            let bad = |_| Error::corrupt(at, "Zset listpack integrity check failed");
            let lp = Listpack::from_untrusted(from.string()?).map_err(bad)?;
            packed(lp, &limits).ok_or_else(|| bad(crate::ds::listpack::Corrupt))
        }
        ValueKind::ZSetZiplist => {
            let bad = |_| Error::corrupt(at, "Zset ziplist integrity check failed");
            let lp = blob::ziplist_to_listpack(&from.string()?).map_err(bad)?;
            packed(lp, &limits).ok_or_else(|| bad(""))
        }
        _ => elements(from, kind, &limits),
    }
}

/// A listpack whose structure is sound, once its elements have been looked at. O(n), O(n log n) if it has to be
/// sorted.
fn packed(lp: Listpack, limits: &ZSetLimits) -> Option<ZSet> {
    if !lp.len().is_multiple_of(2) {
        return None;
    }
    let mut elements = Unsorted::new(limits.seed, lp.len() / 2);
    let (mut sorted, mut last) = (true, None::<(Item<'_>, f64)>);
    for (member, score) in lp.pairs() {
        if !matches!(score, Item::Int(_)) && !is_score(score) {
            return None;
        }
        let (mut scratch, mut scratch_of_last) = (Scratch::default(), Scratch::default());
        let score = packed_score(score);
        if !elements.add(member.bytes(&mut scratch), score, |old| old) {
            return None;
        }
        if let Some((before, lower)) = last {
            sorted &= lower < score
                || lower == score
                    && before.bytes(&mut scratch_of_last) < member.bytes(&mut scratch);
        }
        last = Some((member, score));
    }
    if sorted {
        return Some(ZSet::from_packed(lp, limits));
    }
    // Compat: redis-server takes it as it is; whoever looks for a range in it finds anything.
    Some(ZSet::from_unsorted(elements, limits))
}

fn is_score(item: Item<'_>) -> bool {
    num::parse_f64(item.bytes(&mut Scratch::default())).is_some()
}

fn elements<R: Read>(
    from: &mut Reader<R>,
    kind: ValueKind,
    limits: &ZSetLimits,
) -> Result<ZSet, Error> {
    let n = from.length()?;
    let room = usize::try_from(n).unwrap_or(usize::MAX).min(RESERVE_MAX);
    let (mut elements, mut member) = (Unsorted::new(limits.seed, room), Vec::new());
    for _ in 0..n {
        from.string_into(&mut member)?;
        let at = from.offset();
        let score = match kind {
            ValueKind::ZSet2 => f64::from_le_bytes(from.take()?),
            _ => skip::text_score(from)?,
        };
        if score.is_nan() {
            return Err(Error::corrupt(at, "Zset with NAN score detected"));
        }
        if !elements.add(&member, score, |old| old) {
            return Err(Error::corrupt(at, "Duplicate zset fields detected"));
        }
    }
    Ok(ZSet::from_unsorted(elements, limits))
}
