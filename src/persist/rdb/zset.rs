//! How a sorted set is written and read.
//!
//! ```text
//!   17  listpack        the listpack of a small one
//!    5  zset 2          number, then member and score (8 bytes), from the highest to the lowest
//!    3  zset            read only: the score as text behind its length
//!   12  ziplist         read only: a small one of an old server
//! ```
//!
//! What is read is checked: no NaN, no member twice, no odd element. A packed one that isn't sorted
//! is sorted.

use super::blob;
use super::error::RdbError as Error;
use super::read::Reader;
use super::skip;
use super::types::{LISTPACKS_SINCE, ValueKind};
use super::write::Writer;
use crate::ds::listpack::{Item, Listpack, Scratch};
use crate::ds::ordered::table::Unsorted;
use crate::keyspace::limits::Limits;
use crate::util::num;
use crate::value::zset::{ZSet, ZSetLimits, ZSetRef, packed_score};
use std::io::{self, Read, Write};

/// Room is made for at most so many members that a file only claims to have.
const RESERVE_MAX: usize = 1 << 16;

/// Elements of a listpack that is checked on the stack.
const SMALL: usize = 256;

/// The form in which it is written.
pub(crate) fn kind(zset: ZSetRef<'_>, version: u32) -> ValueKind {
    match zset {
        ZSetRef::Packed(_) if version >= LISTPACKS_SINCE => ValueKind::ZSetListpack,
        ZSetRef::Packed(_) | ZSetRef::Table(_) => ValueKind::ZSet2,
    }
}

/// Writes it in that form.
pub(crate) fn save<W: Write>(
    to: &mut Writer<W>,
    zset: ZSetRef<'_>,
    version: u32,
) -> io::Result<()> {
    match zset {
        ZSetRef::Packed(lp) if version >= LISTPACKS_SINCE => to.string(&lp.to_vec()),
        ZSetRef::Packed(lp) => {
            to.length((lp.len() / 2) as u64)?;
            let mut scratch = Scratch::default();
            for (member, score) in lp.pairs() {
                to.string(member.bytes(&mut scratch))?;
                to.bytes(&packed_score(score).to_le_bytes())?;
            }
            Ok(())
        }
        ZSetRef::Table(table) => {
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
pub(crate) fn load<R: Read>(
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

/// A listpack whose structure is sound, once its elements have been looked at. O(n log n).
fn packed(lp: Listpack, limits: &ZSetLimits) -> Option<ZSet> {
    let items = lp.len();
    if !items.is_multiple_of(2) {
        return None;
    }
    let mut hashes = [0; SMALL];
    let mut sorted = items / 2 <= SMALL;
    let mut last = None::<(Item<'_>, f64)>;
    for (i, (member, score)) in lp.view().pairs().enumerate() {
        if !matches!(score, Item::Int(_)) && !is_score(score) {
            return None;
        }
        let (mut scratch, mut scratch_of_last) = (Scratch::default(), Scratch::default());
        let (text, score) = (member.bytes(&mut scratch), packed_score(score));
        if let Some((before, lower)) = last {
            let mut alphabetic = || before.bytes(&mut scratch_of_last) < text;
            sorted &= lower < score || lower == score && alphabetic();
        }
        if let Some(hash) = hashes.get_mut(i) {
            *hash = limits.seed.hash(text);
        }
        last = Some((member, score));
    }
    if sorted {
        // No member twice, or else its hash is: cheaper than a table for each of a million small
        // sets.
        let hashes = &mut hashes[..items / 2];
        hashes.sort_unstable();
        if hashes.is_sorted_by(|a, b| a < b) {
            return Some(ZSet::from_packed(lp, limits));
        }
    }
    // Compat: redis-server takes an unsorted one as it is; whoever looks for a range in it finds
    // anything.
    let (mut elements, mut scratch) = (Unsorted::new(limits.seed, items / 2), Scratch::default());
    let mut distinct = true;
    lp.view().pairs().for_each(|(member, score)| {
        distinct &= elements.add(member.bytes(&mut scratch), packed_score(score), |old| old);
    });
    distinct.then(|| ZSet::from_unsorted(elements, limits))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::zset::AddRule;
    use crate::value::{Collection, Encoding};

    fn zset(elements: &[(&str, f64)], limits: &Limits) -> ZSet {
        let mut zset = ZSet::new();
        for (member, score) in elements {
            let added = zset.add(member.as_bytes(), *score, AddRule::default(), &limits.zset());
            added.expect("no sum");
        }
        zset
    }

    fn written(zset: &ZSet) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut to = Writer::new(&mut bytes, 4096, false, false);
        save(&mut to, zset.view(), 11).and_then(|()| to.flush()).expect("memory takes every write");
        bytes
    }

    fn read(bytes: &[u8], kind: ValueKind, limits: &Limits) -> Result<ZSet, Error> {
        let mut from = Reader::new(bytes, 64, false);
        let zset = load(&mut from, kind, limits)?;
        assert_eq!(from.offset(), bytes.len() as u64);
        Ok(zset)
    }

    #[test]
    fn both_forms_come_back_under_any_limits() {
        let small = Limits { zset_listpack_entries: 2, ..Limits::default() };
        let elements = [("b", 1.5), ("a", 1.5), ("12", -3.0), ("inf", f64::INFINITY), ("z", 1e300)];
        for limits in [&Limits::default(), &small] {
            let zset = zset(&elements, limits);
            let bytes = written(&zset);
            for other in [&Limits::default(), &small] {
                let back = read(&bytes, kind(zset.view(), 11), other).expect("sound");
                assert_eq!(back, zset);
                let packed = other.zset_listpack_entries > 5;
                let encoding = if packed { Encoding::Listpack } else { Encoding::Skiplist };
                assert_eq!(back.encoding(), encoding);
            }
            for cut in 0..bytes.len() {
                assert!(read(&bytes[..cut], kind(zset.view(), 11), limits).is_err());
            }
        }
    }

    #[test]
    fn tables_are_written_downwards() {
        let limits = Limits { zset_listpack_entries: 0, ..Limits::default() };
        let bytes = written(&zset(&[("a", 1.0), ("b", 2.0)], &limits));
        let mut want = vec![2, 1, b'b'];
        want.extend(2.0f64.to_le_bytes());
        want.extend([1, b'a']);
        want.extend(1.0f64.to_le_bytes());
        assert_eq!(bytes, want);
    }

    #[test]
    fn old_forms_are_read() {
        let limits = Limits::default();
        // Scores as text, and as the lengths that stand for infinities and NaN.
        let text = b"\x03\x01a\x031.5\x01b\xfe\x01c\xff";
        let all = zset(&[("a", 1.5), ("b", f64::INFINITY), ("c", f64::NEG_INFINITY)], &limits);
        assert_eq!(read(text, ValueKind::ZSet, &limits).expect("sound"), all);
        assert!(read(b"\x01\x01a\xfd", ValueKind::ZSet, &limits).is_err(), "NaN");
        // A ziplist of "ab" and 5.
        let ziplist = b"\x11\x11\0\0\0\x0e\0\0\0\x02\0\0\x02ab\x04\xf6\xff";
        let one = zset(&[("ab", 5.0)], &limits);
        assert_eq!(read(ziplist, ValueKind::ZSetZiplist, &limits).expect("sound"), one);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let limits = Limits::default();
        let packed = |items: &[&str]| {
            let mut lp = Listpack::new();
            items.iter().for_each(|item| lp.push_back(item.as_bytes()));
            let mut bytes = Vec::new();
            let mut to = Writer::new(&mut bytes, 4096, false, false);
            to.string(lp.as_bytes()).and_then(|()| to.flush()).expect("memory");
            read(&bytes, ValueKind::ZSetListpack, &limits)
        };
        assert!(packed(&["a", "1", "b"]).is_err(), "odd");
        assert!(packed(&["a", "1", "a", "2"]).is_err(), "the same member twice");
        assert!(packed(&["a", "one"]).is_err(), "no number");
        assert!(packed(&["a", "nan"]).is_err(), "NaN");
        let unsorted = packed(&["a", "2", "c", "1", "b", "1"]).expect("sorted while loading");
        assert_eq!(unsorted, zset(&[("b", 1.0), ("c", 1.0), ("a", 2.0)], &limits));
        assert_eq!(unsorted.view().rank(b"a"), Some((2, 2.0)));
        let mut doubled = vec![2, 1, b'a'];
        doubled.extend(1.0f64.to_le_bytes());
        doubled.extend([1, b'a']);
        doubled.extend(2.0f64.to_le_bytes());
        assert!(read(&doubled, ValueKind::ZSet2, &limits).is_err(), "the same member twice");
        let mut nan = vec![1, 1, b'a'];
        nan.extend(f64::NAN.to_le_bytes());
        assert!(read(&nan, ValueKind::ZSet2, &limits).is_err());
    }
}
