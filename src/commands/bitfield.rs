//! BITFIELD and BITFIELD_RO: integers of any width, anywhere in a string.
//!
//! Steps: parse all operations (an error changes nothing); make the string long enough for the
//! writes; run the operations in order. Each works on a window of at most nine bytes.

use crate::commands::bitmap::bit_offset;
use crate::commands::string::value_bytes;
use crate::commands::{CmdResult, Ctx, DataRow, Flow, arg};
use crate::keyspace::effects::EV_STRING;
use crate::keyspace::store::{Expire, SetValue};
use crate::resp::argv::Argv;
use crate::resp::errors::{self, CmdError};
use crate::util::num;
use crate::value::Value;
use crate::value::string::StrBuf;

pub(crate) const COMMANDS: &[DataRow] = &[("bitfield", bitfield), ("bitfield_ro", bitfield_ro)];

const BAD_TYPE: CmdError = CmdError::new(
    "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
);
const BAD_OFFSET: CmdError = CmdError::new("ERR bit offset is not an integer or out of range");

/// An integer type: `i1` to `i64`, `u1` to `u63`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Width {
    signed: bool,
    bits: u32,
}

impl Width {
    fn parse(text: &[u8]) -> Result<Width, CmdError> {
        let (signed, digits) = match text {
            [b'i', digits @ ..] => (true, digits),
            [b'u', digits @ ..] => (false, digits),
            _ => return Err(BAD_TYPE),
        };
        let max = if signed { 64 } else { 63 };
        match num::parse_i64(errors::shown(digits)) {
            Some(bits) if (1..=max).contains(&bits) => Ok(Width { signed, bits: bits as u32 }),
            _ => Err(BAD_TYPE),
        }
    }

    /// Least and greatest value.
    fn bounds(self) -> (i128, i128) {
        match self.signed {
            true => (-(1i128 << (self.bits - 1)), (1i128 << (self.bits - 1)) - 1),
            false => (0, (1i128 << self.bits) - 1),
        }
    }

    /// The value of the lowest bits of `raw`.
    fn value(self, raw: u64) -> i64 {
        let shift = 64 - self.bits;
        if self.signed { ((raw << shift) as i64) >> shift } else { (raw << shift >> shift) as i64 }
    }

    /// What SET is to saturate instead of `wide`, which is `n`.
    ///
    /// Compat: a number so far below the least one that its distance from the greatest has no room
    /// in 64 bits becomes the greatest.
    fn saturated(self, n: i64, wide: i128) -> i128 {
        let (_, max) = self.bounds();
        let wraps = self.signed && self.bits < 64 && max - i128::from(n) > i128::from(i64::MAX);
        if wraps { max } else { wide }
    }

    /// Whether `n` fits, and what it becomes if it does not; None if it is not written then.
    fn fit(self, n: i128, overflow: Overflow) -> Option<i64> {
        let (min, max) = self.bounds();
        if (min..=max).contains(&n) {
            return Some(n as i64);
        }
        match overflow {
            Overflow::Wrap => Some(self.value(n as u64)),
            Overflow::Sat => Some(n.clamp(min, max) as i64),
            Overflow::Fail => None,
        }
    }
}

/// What happens to a result that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Overflow {
    Wrap,
    Sat,
    Fail,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Get,
    Set(i64),
    Incr(i64),
}

/// One operation.
#[derive(Debug, Clone, Copy)]
struct Op {
    action: Action,
    width: Width,
    /// In bits.
    offset: usize,
    overflow: Overflow,
}

impl Op {
    /// Bytes that the string needs for it.
    fn end(&self) -> usize {
        (self.offset + self.width.bits as usize).div_ceil(8)
    }
}

fn parse(argv: Argv<'_>, max_bulk: usize, read_only: bool) -> Result<Vec<Op>, CmdError> {
    let mut options = arg::Options::new(argv, 2);
    let mut overflow = Overflow::Wrap;
    let mut ops = Vec::new();
    while let Some(word) = options.next() {
        let left = options.remaining();
        let is = |name, operands| arg::is(word, name) && left >= operands;
        let incr = is("incrby", 3);
        if is("overflow", 1) {
            overflow = match arg::lower(options.value()?).as_slice() {
                b"wrap" => Overflow::Wrap,
                b"sat" => Overflow::Sat,
                b"fail" => Overflow::Fail,
                _ => return Err(CmdError::new("ERR Invalid OVERFLOW type specified")),
            };
        } else if is("get", 2) || is("set", 3) || incr {
            let width = Width::parse(options.value()?)?;
            let offset = offset(options.value()?, width, max_bulk)?;
            let action = if is("get", 2) {
                Action::Get
            } else {
                let n = arg::int(options.value()?)?;
                if incr { Action::Incr(n) } else { Action::Set(n) }
            };
            ops.push(Op { action, width, offset, overflow });
        } else {
            return Err(errors::SYNTAX);
        }
    }
    if read_only && ops.iter().any(|op| op.action != Action::Get) {
        return Err(CmdError::new("ERR BITFIELD_RO only supports the GET subcommand"));
    }
    Ok(ops)
}

/// An offset in bits; with `#`, in integers of that width.
fn offset(text: &[u8], width: Width, max_bulk: usize) -> Result<usize, CmdError> {
    let Some(index) = text.strip_prefix(b"#") else { return bit_offset(text, max_bulk) };
    let index = num::parse_i64(index).and_then(|n| usize::try_from(n).ok());
    let bits = index.and_then(|n| n.checked_mul(width.bits as usize));
    bits.filter(|bits| bits / 8 < max_bulk).ok_or(BAD_OFFSET)
}

/// The bytes that hold an integer, as one number, and how far it is from the lowest bit.
fn window(bytes: &[u8], op: &Op) -> (u128, u32, usize) {
    let first = op.offset / 8;
    let len = op.end() - first;
    let byte = |i: usize| u128::from(bytes.get(i).copied().unwrap_or(0));
    let word = (first..first + len).fold(0, |word, i| word << 8 | byte(i));
    let shift = (op.end() * 8 - op.offset) as u32 - op.width.bits;
    (word, shift, len)
}

fn read(bytes: &[u8], op: &Op) -> i64 {
    let (word, shift, _) = window(bytes, op);
    op.width.value((word >> shift) as u64)
}

/// The bytes of the window with `value` in place; O(1).
fn patched(bytes: &[u8], op: &Op, value: i64) -> ([u8; 16], usize) {
    let (word, shift, len) = window(bytes, op);
    let mask = ((1u128 << op.width.bits) - 1) << shift;
    let word = word & !mask | (value as u128) << shift & mask;
    (word.to_be_bytes(), len)
}

/// `BITFIELD key [GET type offset | [OVERFLOW WRAP|SAT|FAIL] SET|INCRBY type offset value ...]`.
/// O(operations).
fn bitfield(ctx: &mut Ctx<'_>) -> CmdResult {
    let ops = parse(ctx.argv, ctx.limits.max_bulk, false)?;
    let end = ops.iter().filter(|op| op.action != Action::Get).map(Op::end).max();
    match end {
        None => get_all(ctx, &ops),
        Some(end) => run(ctx, &ops, end),
    }
}

/// `BITFIELD_RO key [GET type offset ...]`. O(operations).
fn bitfield_ro(ctx: &mut Ctx<'_>) -> CmdResult {
    let ops = parse(ctx.argv, ctx.limits.max_bulk, true)?;
    get_all(ctx, &ops)
}

fn get_all(ctx: &mut Ctx<'_>, ops: &[Op]) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let mut scratch = [0; 20];
    let bytes = match db.read_string(argv.at(1), fx)? {
        Some(entry) => value_bytes(entry, &mut scratch),
        None => &[],
    };
    reply.array(ops.len());
    ops.iter().for_each(|op| reply.int(read(bytes, op)));
    Ok(Flow::Done)
}

/// Runs operations, of which some write. The furthest writes into byte `end - 1`.
fn run(ctx: &mut Ctx<'_>, ops: &[Op], end: usize) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let key = argv.at(1);
    let grown = match db.touch_string(key, fx)? {
        Some(mut entry) => {
            let (len, last) = {
                let mut scratch = [0; 20];
                let bytes = value_bytes(&entry, &mut scratch);
                (bytes.len(), bytes.get(end - 1).copied().unwrap_or(0))
            };
            // Makes it raw, and long enough.
            entry.set_range(end - 1, &[last]).ok_or(errors::WRONG_TYPE)?;
            end > len
        }
        None => {
            let zeroes = Value::Str(StrBuf::raw(vec![0; end]));
            db.set_touched(key, SetValue::Owned(zeroes), Expire::None, fx);
            true
        }
    };
    let mut entry = db.find_mut(key, fx).ok_or(errors::WRONG_TYPE)?;
    let mut changes = 0;
    reply.array(ops.len());
    for op in ops {
        let mut scratch = [0; 20];
        let bytes = value_bytes(&entry, &mut scratch);
        let old = read(bytes, op);
        let new = match op.action {
            Action::Get => {
                reply.int(old);
                continue;
            }
            // An unsigned field takes the bits of a negative value.
            Action::Set(n) if !op.width.signed => i128::from(n as u64),
            Action::Set(n) => i128::from(n),
            Action::Incr(by) => i128::from(old) + i128::from(by),
        };
        let new = match op.action {
            Action::Set(n) if op.overflow == Overflow::Sat => op.width.saturated(n, new),
            _ => new,
        };
        let Some(new) = op.width.fit(new, op.overflow) else {
            reply.null();
            continue;
        };
        let (window, len) = patched(bytes, op, new);
        entry.set_range(op.offset / 8, &window[16 - len..]).ok_or(errors::WRONG_TYPE)?;
        changes += u64::from(grown || new != old);
        reply.int(if matches!(op.action, Action::Set(_)) { old } else { new });
    }
    if changes > 0 {
        fx.modified(key);
        fx.dirty += changes - 1;
        fx.event(EV_STRING, "setbit", key);
    } else if grown {
        // Compat: if OVERFLOW FAIL let no write pass, the string is longer even so. That counts as
        // no change, and nobody is told of it. But it must be as long on replicas and in files.
        fx.also(argv.from(0));
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(signed: bool, bits: u32, offset: usize) -> Op {
        let width = Width { signed, bits };
        Op { action: Action::Get, width, offset, overflow: Overflow::Wrap }
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else_changes() {
        let mut next = crate::util::rand::generator(11);
        for _ in 0..20_000 {
            let signed = next().is_multiple_of(2);
            let bits = 1 + (next() % if signed { 64 } else { 63 }) as u32;
            let op = op(signed, bits, (next() % 200) as usize);
            let mut bytes: Vec<u8> = (0..40).map(|_| next() as u8).collect();
            let before = bytes.clone();
            let value = op.width.value(next());
            let (window, len) = patched(&bytes, &op, value);
            bytes[op.offset / 8..op.offset / 8 + len].copy_from_slice(&window[16 - len..]);
            assert_eq!(read(&bytes, &op), value);
            let bit = |bytes: &[u8], i: usize| bytes[i / 8] >> (7 - i % 8) & 1;
            for i in (0..320).filter(|i| !(op.offset..op.offset + bits as usize).contains(i)) {
                assert_eq!(bit(&bytes, i), bit(&before, i), "{op:?} bit {i}");
            }
        }
    }

    #[test]
    fn what_does_not_fit_wraps_or_stops_at_the_bound() {
        let i8 = Width { signed: true, bits: 8 };
        assert_eq!(i8.fit(128, Overflow::Wrap), Some(-128));
        assert_eq!(i8.fit(128, Overflow::Sat), Some(127));
        assert_eq!(i8.fit(-200, Overflow::Sat), Some(-128));
        assert_eq!(i8.fit(128, Overflow::Fail), None);
        let u2 = Width { signed: false, bits: 2 };
        assert_eq!((u2.fit(-1, Overflow::Wrap), u2.fit(-1, Overflow::Sat)), (Some(3), Some(0)));
        let i64_ = Width { signed: true, bits: 64 };
        assert_eq!(i64_.fit(i128::from(i64::MAX) + 1, Overflow::Wrap), Some(i64::MIN));
        assert!(Width::parse(b"u64").is_err() && Width::parse(b"i64").is_ok());
        assert!(Width::parse(b"i0").is_err() && Width::parse(b"8").is_err());
    }
}
