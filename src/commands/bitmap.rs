//! Bitmap commands: a string as a row of bits. The highest bit of each byte comes first.

use crate::commands::arg;
use crate::commands::string::value_bytes;
use crate::commands::{CmdResult, Ctx, DataRow, Flow};
use crate::keyspace::effects::{EV_GENERIC, EV_STRING, Why};
use crate::keyspace::entry::Entry;
use crate::keyspace::store::{Expire, SetValue};
use crate::resp::argv::Argv;
use crate::resp::errors::{self, CmdError};
use crate::util::num;
use crate::value::string::StrBuf;
use crate::value::{Type, Value};

pub(crate) const COMMANDS: &[DataRow] = &[
    ("setbit", setbit),
    ("getbit", getbit),
    ("bitcount", bitcount),
    ("bitpos", bitpos),
    ("bitop", bitop),
];

const BAD_OFFSET: CmdError = CmdError::new("ERR bit offset is not an integer or out of range");
const BAD_BIT: CmdError = CmdError::new("ERR bit is not an integer or out of range");

/// A bit's offset in a string that may have at most `max_bulk` bytes.
pub(crate) fn bit_offset(text: &[u8], max_bulk: usize) -> Result<usize, CmdError> {
    let offset = num::parse_i64(text).and_then(|n| usize::try_from(n).ok());
    offset.filter(|n| n / 8 < max_bulk).ok_or(BAD_OFFSET)
}

/// Whether bit `offset` is set; bits behind the end are not.
fn bit(bytes: &[u8], offset: usize) -> bool {
    bytes.get(offset / 8).is_some_and(|byte| byte >> (7 - offset % 8) & 1 == 1)
}

/// `SETBIT key offset value`: the bit as it was. O(1), plus growth.
fn setbit(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, limits, .. } = ctx;
    let key = argv.at(1);
    let offset = bit_offset(argv.at(2), limits.max_bulk)?;
    let on = match argv.at(3) {
        b"0" => false,
        b"1" => true,
        _ => return Err(BAD_BIT),
    };
    let (at, mask) = (offset / 8, 0x80 >> (offset % 8));
    let (old, grown) = match db.touch_string(key, fx)? {
        Some(mut entry) => {
            let (old, len, byte) = {
                let mut scratch = [0; 20];
                let bytes = value_bytes(&entry, &mut scratch);
                (bit(bytes, offset), bytes.len(), bytes.get(at).copied().unwrap_or(0))
            };
            let byte = if on { byte | mask } else { byte & !mask };
            entry.set_range(at, &[byte]).ok_or(errors::WRONG_TYPE)?;
            (old, at >= len)
        }
        None => {
            let mut bytes = vec![0; at + 1];
            bytes[at] = if on { mask } else { 0 };
            db.set_touched(key, raw(bytes), Expire::None, fx);
            (false, true)
        }
    };
    if grown || old != on {
        fx.modified(key);
        fx.event(EV_STRING, "setbit", key);
    }
    reply.int(i64::from(old));
    Ok(Flow::Done)
}

fn raw(bytes: Vec<u8>) -> SetValue<'static> {
    SetValue::Owned(Value::Str(StrBuf::raw(bytes)))
}

/// `GETBIT key offset`. O(1).
fn getbit(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, limits, .. } = ctx;
    let offset = bit_offset(argv.at(2), limits.max_bulk)?;
    let set = db
        .read_string(argv.at(1), fx)?
        .is_some_and(|entry| bit(value_bytes(entry, &mut [0; 20]), offset));
    reply.int(i64::from(set));
    Ok(Flow::Done)
}

/// Bits `from` to `to`, both included, of a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    from: usize,
    to: usize,
}

/// What a range counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Byte,
    Bit,
}

impl Unit {
    fn parse(text: &[u8]) -> Result<Unit, CmdError> {
        if arg::is(text, "bit") {
            Ok(Unit::Bit)
        } else if arg::is(text, "byte") {
            Ok(Unit::Byte)
        } else {
            Err(errors::SYNTAX)
        }
    }
}

impl Range {
    /// From `start` to `end`, where negative ones count from the end. None if nothing is in
    /// between.
    fn new(start: i64, end: i64, unit: Unit, len: usize) -> Option<Range> {
        let total = (len * if unit == Unit::Bit { 8 } else { 1 }) as i64;
        let absolute = |n: i64| if n < 0 { n.saturating_add(total).max(0) } else { n };
        let (start, end) = (absolute(start), absolute(end).min(total - 1));
        if start > end || total == 0 {
            return None;
        }
        let (from, to) = (start as usize, end as usize);
        Some(match unit {
            Unit::Bit => Range { from, to },
            Unit::Byte => Range { from: from * 8, to: to * 8 + 7 },
        })
    }

    /// The bytes that hold the range, in three parts: the first byte, those between, the last byte.
    /// Bits outside of the range are set to `outside`.
    fn bytes(self, bytes: &[u8], outside: bool) -> (u8, &[u8], Option<u8>) {
        let (first, last) = (self.from / 8, self.to / 8);
        let (head, tail) = (0xffu8 >> (self.from % 8), 0xffu8 << (7 - self.to % 8));
        let masked = |byte: u8, mask: u8| if outside { byte | !mask } else { byte & mask };
        if first == last {
            return (masked(bytes[first], head & tail), &[], None);
        }
        let between = &bytes[first + 1..last];
        (masked(bytes[first], head), between, Some(masked(bytes[last], tail)))
    }
}

/// Number of bits set. O(n), eight bytes at a time.
fn count_ones(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let words: u64 = words.iter().map(|w| u64::from(u64::from_le_bytes(*w).count_ones())).sum();
    words + rest.iter().map(|b| u64::from(b.count_ones())).sum::<u64>()
}

/// `BITCOUNT key [start end [BYTE|BIT]]`. O(bytes).
fn bitcount(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let Some(entry) = db.read_string(argv.at(1), fx)? else {
        reply.int(0);
        return Ok(Flow::Done);
    };
    let mut scratch = [0; 20];
    let bytes = value_bytes(entry, &mut scratch);
    let count = match argv.len() {
        2 => count_ones(bytes),
        4 | 5 => {
            let (start, end) = (arg::int(argv.at(2))?, arg::int(argv.at(3))?);
            if start < 0 && end < 0 && start > end {
                // Compat: this counts as an empty range, though both ends would be the first byte.
                // The unit is not looked at, so a wrong one is no error. BITPOS has no such rule.
                reply.int(0);
                return Ok(Flow::Done);
            }
            let unit = argv.get(4).map_or(Ok(Unit::Byte), |text| Unit::parse(text))?;
            Range::new(start, end, unit, bytes.len()).map_or(0, |range| {
                let (first, between, last) = range.bytes(bytes, false);
                let edges = first.count_ones() + last.unwrap_or(0).count_ones();
                count_ones(between) + u64::from(edges)
            })
        }
        _ => return Err(errors::SYNTAX),
    };
    reply.int(count as i64);
    Ok(Flow::Done)
}

/// The first bit that is `on`, counted from the first of `bytes`. O(n), eight bytes at a time.
fn find(bytes: &[u8], on: bool) -> Option<usize> {
    let skip = if on { 0 } else { u64::MAX };
    let (words, rest) = bytes.as_chunks::<8>();
    let lead = |word: u64| if on { word.leading_zeros() } else { word.leading_ones() } as usize;
    if let Some(i) = words.iter().position(|w| u64::from_le_bytes(*w) != skip) {
        return Some(i * 64 + lead(u64::from_be_bytes(words[i])));
    }
    let i = rest.iter().position(|&byte| byte != skip as u8)?;
    Some(words.len() * 64 + i * 8 + lead(u64::from(rest[i]) << 56 | (skip >> 8)))
}

/// `BITPOS key bit [start [end [BYTE|BIT]]]`: the first such bit, -1 if there is none. A string
/// without a 0 is followed by one, unless an end was given. O(bytes).
fn bitpos(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let on = match arg::int(argv.at(2))? {
        0 => false,
        1 => true,
        _ => return Err(CmdError::new("ERR The bit argument must be 1 or 0.")),
    };
    let Some(entry) = db.read_string(argv.at(1), fx)? else {
        reply.int(if on { -1 } else { 0 });
        return Ok(Flow::Done);
    };
    if argv.len() > 6 {
        return Err(errors::SYNTAX);
    }
    let mut scratch = [0; 20];
    let bytes = value_bytes(entry, &mut scratch);
    let number = |i: usize, missing| argv.get(i).map_or(Ok(missing), |text| arg::int(text));
    let start = number(3, 0)?;
    let unit = argv.get(5).map_or(Ok(Unit::Byte), |text| Unit::parse(text))?;
    let end = number(4, -1)?;
    let found = Range::new(start, end, unit, bytes.len()).map(|range| {
        let (first, between, last) = range.bytes(bytes, !on);
        let base = range.from / 8 * 8;
        let behind = base + 8 + between.len() * 8;
        find(&[first], on)
            .map(|at| base + at)
            .or_else(|| Some(base + 8 + find(between, on)?))
            .or_else(|| Some(behind + find(&[last?], on)?))
    });
    reply.int(match found {
        None => -1,
        Some(Some(at)) => at as i64,
        // If no end was given, the zeroes after the string count as well.
        Some(None) if !on && argv.len() < 5 => (bytes.len() * 8) as i64,
        Some(None) => -1,
    });
    Ok(Flow::Done)
}

/// How BITOP combines its sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Combine {
    And,
    Or,
    Xor,
    Not,
    /// Bits that are in the first source and in no other.
    Diff,
    /// Bits that are in another source but not in the first.
    Diff1,
    /// Bits that are in the first source and in another.
    AndOr,
    /// Bits that are in exactly one source.
    One,
}

impl Combine {
    /// Whether Redis 7.2 does not know it.
    fn is_later_dialect(self) -> bool {
        matches!(self, Combine::Diff | Combine::Diff1 | Combine::AndOr | Combine::One)
    }

    fn parse(argv: Argv<'_>) -> Result<Combine, CmdError> {
        let (name, sources) = (argv.at(1), argv.len() - 3);
        let found = match arg::lower(name).as_slice() {
            b"and" => Combine::And,
            b"or" => Combine::Or,
            b"xor" => Combine::Xor,
            b"not" => Combine::Not,
            b"diff" => Combine::Diff,
            b"diff1" => Combine::Diff1,
            b"andor" => Combine::AndOr,
            b"one" => Combine::One,
            _ => return Err(errors::SYNTAX),
        };
        match found {
            Combine::Not if sources != 1 => {
                Err(CmdError::new("ERR BITOP NOT must be called with a single source key."))
            }
            Combine::Diff | Combine::Diff1 | Combine::AndOr if sources < 2 => {
                let name = String::from_utf8_lossy(name).to_ascii_uppercase();
                Err(CmdError::err(format!(
                    "BITOP {name} must be called with at least two source keys."
                )))
            }
            _ => Ok(found),
        }
    }

    /// Combines the sources into `out`, which is zero and as long as the longest.
    /// O(bytes of all sources).
    fn apply(self, sources: &[Vec<u8>], out: &mut [u8]) {
        let Some((first, others)) = sources.split_first() else { return };
        let each = |out: &mut [u8], source: &[u8], f: fn(u8, u8) -> u8| {
            let (common, rest) = out.split_at_mut(source.len());
            common.iter_mut().zip(source).for_each(|(a, b)| *a = f(*a, *b));
            rest.iter_mut().for_each(|a| *a = f(*a, 0));
        };
        match self {
            Combine::And | Combine::Or | Combine::Xor => {
                out[..first.len()].copy_from_slice(first);
                let f: fn(u8, u8) -> u8 = match self {
                    Combine::And => |a, b| a & b,
                    Combine::Or => |a, b| a | b,
                    _ => |a, b| a ^ b,
                };
                others.iter().for_each(|source| each(out, source, f));
            }
            Combine::Not => out.iter_mut().zip(first).for_each(|(a, b)| *a = !b),
            Combine::Diff | Combine::Diff1 | Combine::AndOr => {
                others.iter().for_each(|source| each(out, source, |a, b| a | b));
                each(
                    out,
                    first,
                    match self {
                        Combine::Diff => |others, first| first & !others,
                        Combine::Diff1 => |others, first| others & !first,
                        _ => |others, first| first & others,
                    },
                );
            }
            Combine::One => {
                // Bits seen twice or more.
                let mut more = vec![0u8; out.len()];
                for source in sources {
                    for ((a, m), b) in out.iter_mut().zip(&mut more).zip(source) {
                        *m |= *a & b;
                        *a |= b;
                    }
                }
                out.iter_mut().zip(&more).for_each(|(a, m)| *a &= !m);
            }
        }
    }
}

fn owned_bytes(entry: &Entry) -> Result<Vec<u8>, CmdError> {
    match entry.value_type() {
        Type::String => Ok(value_bytes(entry, &mut [0; 20]).to_vec()),
        _ => Err(errors::WRONG_TYPE),
    }
}

/// `BITOP AND|OR|XOR|NOT|DIFF|DIFF1|ANDOR|ONE destination key [key ...]`: length of the result.
/// O(bytes).
fn bitop(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let combine = Combine::parse(*argv)?;
    let target = argv.at(2);
    let mut sources = Vec::with_capacity(argv.len() - 3);
    for key in argv.from(3) {
        sources.push(db.read(key, fx).map_or(Ok(Vec::new()), owned_bytes)?);
    }
    let len = sources.iter().map(Vec::len).max().unwrap_or(0);
    if len > 0 {
        let mut out = vec![0; len];
        combine.apply(&sources, &mut out);
        if combine.is_later_dialect() {
            // An older server that reads the file would pass over what it does not know.
            fx.rewrite(&[b"SET", target, &out]);
        }
        db.set(target, raw(out), Expire::None, fx);
        fx.modified(target);
        fx.event(EV_STRING, "set", target);
    } else if db.delete(target, Why::Overwrite, fx) {
        if combine.is_later_dialect() {
            fx.rewrite(&[b"DEL", target]);
        }
        fx.modified(target);
        fx.event(EV_GENERIC, "del", target);
    }
    reply.len_int(len);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_bytes_agree() {
        let mut next = crate::util::rand::generator(4);
        for _ in 0..2_000 {
            let len = (next() % 40) as usize;
            let density = next() % 3;
            let byte = |next: &mut dyn FnMut() -> u64| match density {
                0 => next() as u8,
                1 => u8::from(next().is_multiple_of(30)) << (next() % 8),
                _ => !(u8::from(next().is_multiple_of(30)) << (next() % 8)),
            };
            let bytes: Vec<u8> = (0..len).map(|_| byte(&mut next)).collect();
            let bits: Vec<bool> = (0..len * 8).map(|i| bit(&bytes, i)).collect();
            assert_eq!(count_ones(&bytes), bits.iter().filter(|b| **b).count() as u64);
            for on in [false, true] {
                assert_eq!(find(&bytes, on), bits.iter().position(|b| *b == on));
            }
            let (start, end) = ((next() % 90) as i64 - 45, (next() % 90) as i64 - 45);
            if let Some(range) = Range::new(start, end, Unit::Bit, len) {
                let (first, between, last) = range.bytes(&bytes, false);
                let edges = first.count_ones() + last.unwrap_or(0).count_ones();
                let expected = bits[range.from..=range.to].iter().filter(|b| **b).count();
                assert_eq!(count_ones(between) + u64::from(edges), expected as u64);
            }
        }
    }

    #[test]
    fn combinations_treat_short_sources_as_zero_filled() {
        let sources = [vec![0b1100, 0xff], vec![0b1010], vec![0b1001, 0x0f, 0x01]];
        let of = |combine: Combine| {
            let mut out = vec![0; 3];
            combine.apply(&sources, &mut out);
            out
        };
        assert_eq!(of(Combine::And), [0b1000, 0, 0]);
        assert_eq!(of(Combine::Or), [0b1111, 0xff, 1]);
        assert_eq!(of(Combine::Xor), [0b1111, 0xf0, 1]);
        assert_eq!(of(Combine::Diff), [0b0100, 0xf0, 0]);
        assert_eq!(of(Combine::Diff1), [0b0011, 0, 1]);
        assert_eq!(of(Combine::AndOr), [0b1000, 0x0f, 0]);
        assert_eq!(of(Combine::One), [0b0111, 0xf0, 1]);
    }
}
