//! Checks the packed encodings inside a snapshot: listpack, ziplist, intset, zipmap.
//!
//! Each of them is a string to the format around it, with lengths of its own inside:
//!
//! ```text
//!   listpack   total (4) count (2)          { form [length] data  own length, backwards } ff
//!   ziplist    total (4) tail (4) count (2) { length before (1 or 5)  form  data }        ff
//!   intset     width (4) count (4)          { integer of that width, ascending }
//!   zipmap     count (1)                { length (1 or 5) key  length  gap (1)  value  gap } ff
//! ```
//!
//! Each function returns the number of elements, or what is wrong. O(n).

use crate::ds::intset::Intset;
use crate::ds::listpack::{Listpack, count_sound};

/// What is wrong with the bytes.
pub(crate) type Fault = &'static str;

/// The count that means: too many to be counted in two bytes.
const COUNTLESS: u16 = u16::MAX;
const END: u8 = 0xff;
/// What a listpack can't hold, though the old form did: just below 4 GiB.
const TOO_LONG: Fault = "Packed encoding too long";

fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Elements of a listpack.
pub(crate) fn listpack(bytes: &[u8]) -> Result<u64, Fault> {
    let count = count_sound(bytes).map_err(|_| "Listpack integrity check failed")?;
    Ok(count as u64)
}

/// Elements of a ziplist.
pub(crate) fn ziplist(bytes: &[u8]) -> Result<u64, Fault> {
    let bad = "Ziplist integrity check failed";
    let total = le32(bytes, 0).ok_or(bad)?;
    let tail = le32(bytes, 4).ok_or(bad)? as usize;
    let claimed = le16(bytes, 8).ok_or(bad)?;
    if total as usize != bytes.len() || bytes.len() < 11 || bytes.last() != Some(&END) {
        return Err(bad);
    }
    let end = bytes.len() - 1;
    let (mut at, mut before, mut last, mut count) = (10, 0, 10, 0u64);
    while at < end {
        let (head, previous) = match bytes[at] {
            254 => (5, le32(bytes, at + 1).ok_or(bad)? as usize),
            255 => return Err(bad),
            short => (1, usize::from(short)),
        };
        let size = bytes.get(at + head..end).and_then(ziplist_element).ok_or(bad)?;
        if previous != before || size > end - at - head {
            return Err(bad);
        }
        last = at;
        before = head + size;
        at += before;
        count += 1;
    }
    let counted = claimed == COUNTLESS || u64::from(claimed) == count;
    if !counted || tail != last { Err(bad) } else { Ok(count) }
}

/// The elements of a ziplist, in the form that took its place. O(n).
pub(crate) fn ziplist_to_listpack(bytes: &[u8]) -> Result<Listpack, Fault> {
    ziplist(bytes)?;
    let bad = "Ziplist integrity check failed";
    let mut lp = Listpack::with_capacity(bytes.len());
    let (mut at, end) = (10, bytes.len() - 1);
    while at < end {
        at += if bytes[at] == 254 { 5 } else { 1 };
        let element = &bytes[at..end];
        let size = ziplist_element(element).ok_or(bad)?;
        let element = element.get(..size).ok_or(bad)?;
        // Its text is shorter, or an integer's, for which the same holds.
        if !lp.has_room(size) {
            return Err(TOO_LONG);
        }
        match element[0] {
            0..=0x3f => lp.push_back(&element[1..]),
            0x40..=0x7f => lp.push_back(&element[2..]),
            0x80..=0xbf => lp.push_back(&element[5..]),
            small @ 0xf1..=0xfd => lp.push_back_int(i64::from(small & 0x0f) - 1),
            // The other integers are little-endian behind their byte.
            _ => {
                let negative = element[size - 1] & 0x80 != 0;
                let mut wide = [if negative { 0xff } else { 0 }; 8];
                wide[..size - 1].copy_from_slice(&element[1..]);
                lp.push_back_int(i64::from_le_bytes(wide));
            }
        }
        at += size;
    }
    Ok(lp)
}

/// Bytes of the element that `at` begins with, after the length of the one before.
fn ziplist_element(at: &[u8]) -> Option<usize> {
    let first = *at.first()?;
    Some(match first {
        0..=0x3f => 1 + usize::from(first),
        0x40..=0x7f => 2 + (usize::from(first & 0x3f) << 8 | usize::from(*at.get(1)?)),
        0x80..=0xbf => 5 + u32::from_be_bytes(*at.get(1..)?.first_chunk()?) as usize,
        0xc0 => 3,
        0xd0 => 5,
        0xe0 => 9,
        0xf0 => 4,
        0xfe => 2,
        0xf1..=0xfd => 1,
        _ => return None,
    })
}

/// Elements of an intset.
pub(crate) fn intset(bytes: &[u8]) -> Result<u64, Fault> {
    let set =
        Intset::from_untrusted(bytes.to_vec()).map_err(|_| "Intset integrity check failed")?;
    Ok(set.len() as u64)
}

/// Pairs of a zipmap.
pub(crate) fn zipmap(bytes: &[u8]) -> Result<u64, Fault> {
    let bad = "Zipmap integrity check failed";
    let (&claimed, mut rest) = bytes.split_first().ok_or(bad)?;
    let mut count = 0u64;
    loop {
        match rest {
            [END] => break,
            [] | [END, ..] => return Err(bad),
            _ => {}
        }
        rest = zipmap_part(rest, 0).ok_or(bad)?;
        rest = zipmap_part(rest, 1).ok_or(bad)?;
        count += 1;
    }
    // From 254 pairs on nobody counts, and 254 says so.
    if claimed != 254 && u64::from(claimed) != count { Err(bad) } else { Ok(count) }
}

/// The keys and values of a zipmap, in the form that took its place. O(n).
pub(crate) fn zipmap_to_listpack(bytes: &[u8]) -> Result<Listpack, Fault> {
    zipmap(bytes)?;
    let bad = "Zipmap integrity check failed";
    let mut lp = Listpack::with_capacity(bytes.len());
    let mut rest = &bytes[1..];
    let mut gap = 0;
    while rest[0] != END {
        let (head, len) = match rest[0] {
            254 => (5, le32(rest, 1).ok_or(bad)? as usize),
            short => (1, usize::from(short)),
        };
        let text = rest.get(head + gap..head + gap + len).ok_or(bad)?;
        if !lp.has_room(text.len()) {
            return Err(TOO_LONG);
        }
        lp.push_back(text);
        rest = zipmap_part(rest, gap).ok_or(bad)?;
        gap = 1 - gap;
    }
    Ok(lp)
}

/// What follows a key (`gap` 0) or a value with its gap (`gap` 1: the byte that says how large).
fn zipmap_part(at: &[u8], gap: usize) -> Option<&[u8]> {
    let (head, len) = match *at.first()? {
        254 => (5, le32(at, 1)? as usize),
        255 => return None,
        short => (1, usize::from(short)),
    };
    let free = if gap == 1 { usize::from(*at.get(head)?) } else { 0 };
    at.get(head.checked_add(gap)?.checked_add(len)?.checked_add(free)?..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listpacks() {
        assert_eq!(listpack(b"\x07\0\0\0\0\0\xff"), Ok(0));
        // 1, "a", 1000 as 13 bits.
        let three = b"\x0f\0\0\0\x03\0\x01\x01\x81a\x02\xc3\xe8\x02\xff";
        assert_eq!(listpack(three), Ok(3));
        for (at, byte) in
            [(0, 14), (4, 2), (7, 2), (8, 0x82), (10, 1), (14, 0), (8, 0xf0), (6, 0xf5)]
        {
            let mut bad = *three;
            bad[at] = byte;
            assert!(listpack(&bad).is_err(), "{at} = {byte}");
        }
        let mut uncounted = *three;
        uncounted[4..6].copy_from_slice(&[0xff, 0xff]);
        assert_eq!(listpack(&uncounted), Ok(3));
        assert!((0..three.len()).all(|n| listpack(&three[..n]).is_err()));
        // An element of 200 bytes has two bytes of backward length.
        let mut long = vec![0; 6];
        long.extend([0xe0, 198]);
        long.extend([b'x'; 198]);
        long.extend([200 >> 7, 200 & 127 | 128, 0xff]);
        long[..4].copy_from_slice(&209u32.to_le_bytes());
        long[4] = 1;
        assert_eq!(listpack(&long), Ok(1));
    }

    #[test]
    fn ziplists() {
        assert_eq!(ziplist(b"\x0b\0\0\0\x0a\0\0\0\0\0\xff"), Ok(0));
        // "ab", then 5 as an immediate.
        let two = b"\x11\0\0\0\x0e\0\0\0\x02\0\0\x02ab\x04\xf6\xff";
        assert_eq!(ziplist(two), Ok(2));
        for (at, byte) in [(0, 16), (4, 10), (8, 3), (11, 3), (14, 3), (15, 0xff), (16, 0), (10, 1)]
        {
            let mut bad = *two;
            bad[at] = byte;
            assert!(ziplist(&bad).is_err(), "{at} = {byte}");
        }
        assert!((0..two.len()).all(|n| ziplist(&two[..n]).is_err()));
        let texts = |bytes: &[u8]| -> Vec<Vec<u8>> {
            ziplist_to_listpack(bytes).expect("sound").iter().map(|item| item.to_vec()).collect()
        };
        assert_eq!(texts(two), [&b"ab"[..], b"5"]);
        // Of two bytes, of three, of one: -2, -70000, -1.
        let ints = b"\x17\0\0\0\x13\0\0\0\x03\0\0\xc0\xfe\xff\x04\xf0\x90\xee\xfe\x05\xfe\xff\xff";
        assert_eq!(texts(ints), [&b"-2"[..], b"-70000", b"-1"].map(<[u8]>::to_vec));
    }

    #[test]
    fn intsets() {
        assert_eq!(intset(b"\x02\0\0\0\x02\0\0\0\xfe\xff\x03\0"), Ok(2));
        assert!(intset(b"\x02\0\0\0\x02\0\0\0\x03\0\xfe\xff").is_err(), "not ascending");
        assert!(intset(b"\x02\0\0\0\x02\0\0\0\x03\0\x03\0").is_err(), "the same twice");
        assert!(intset(b"\x02\0\0\0\x03\0\0\0\xfe\xff\x03\0").is_err(), "too short");
        assert!(intset(b"\x03\0\0\0\0\0\0\0").is_err(), "no such width");
        assert!(intset(b"\x08\0\0\0\xff\xff\xff\xff").is_err(), "hostile count");
    }

    #[test]
    fn zipmaps() {
        assert_eq!(zipmap(b"\0\xff"), Ok(0));
        let one = b"\x01\x01k\x02\x01vwx\xff";
        assert_eq!(zipmap(one), Ok(1));
        let texts: Vec<_> =
            zipmap_to_listpack(one).expect("sound").iter().map(|item| item.to_vec()).collect();
        assert_eq!(texts, [&b"k"[..], b"vw"]);
        assert!((0..one.len()).all(|n| zipmap(&one[..n]).is_err()));
        for (count, sound) in [(0, false), (2, false), (253, false), (254, true), (255, false)] {
            let claimed = [&[count], &one[1..]].concat();
            assert_eq!(zipmap(&claimed).is_ok(), sound, "{count}");
        }
        assert!(zipmap(b"\x01\x01k\x02\x02vwx\xff").is_err(), "a gap over the end");
        assert!(zipmap(b"\x01\x01k\xfe\xff\xff\xff\xff\0\xff").is_err(), "a hostile length");
    }
}
