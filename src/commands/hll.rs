//! HyperLogLog commands: PFADD, PFCOUNT, PFMERGE, PFDEBUG, PFSELFTEST.
//!
//! The value is a string (`ds::hll` has its layout). A dense one is changed in place, two bytes a
//! register. A sparse one is small, and is edited as a copy. The string keeps the estimate until a
//! register changes.

use crate::commands::{CmdResult, Ctx, DataRow, Flow, arg};
use crate::ds::hll::{self, Corrupt, Form};
use crate::keyspace::db::DbMut;
use crate::keyspace::effects::{EV_STRING, Effects};
use crate::keyspace::entry::Entry;
use crate::keyspace::store::{EntryMut, Expire, SetValue};
use crate::resp::errors::{self, CmdError};
use crate::util::rand;
use crate::value::string::StrBuf;
use crate::value::{Type, Value, ValueRef};

pub(crate) const COMMANDS: &[DataRow] = &[
    ("pfadd", pfadd),
    ("pfcount", pfcount),
    ("pfmerge", pfmerge),
    ("pfdebug", pfdebug),
    ("pfselftest", pfselftest),
];

const NOT_HLL: CmdError = CmdError::new("WRONGTYPE Key is not a valid HyperLogLog string value.");
const CORRUPT: CmdError = CmdError::new("INVALIDOBJ Corrupted HLL object detected");

fn corrupt(_: Corrupt) -> CmdError {
    CORRUPT
}

/// The bytes of an entry that is a HyperLogLog, and their form.
fn sketch(entry: &Entry) -> Result<(&[u8], Form), CmdError> {
    if entry.value_type() != Type::String {
        return Err(errors::WRONG_TYPE);
    }
    let bytes = match entry.value() {
        ValueRef::Str(bytes) => bytes,
        _ => &[],
    };
    hll::form(bytes).map(|form| (bytes, form)).ok_or(NOT_HLL)
}

fn raw(bytes: Vec<u8>) -> SetValue<'static> {
    SetValue::Owned(Value::Str(StrBuf::raw(bytes)))
}

/// Stores an edited copy in place of what the key held; its expiry stays.
fn store(db: &mut DbMut<'_>, key: &[u8], bytes: Vec<u8>, fx: &mut Effects) {
    db.set_touched(key, raw(bytes), Expire::Keep, fx);
}

/// Raises registers in a dense sketch in place. Returns how many have grown.
fn raise_dense(
    entry: &mut EntryMut<'_>,
    places: impl Iterator<Item = (usize, u8)>,
) -> Result<u64, CmdError> {
    let mut grew = 0;
    for (index, value) in places {
        if let Some((at, bytes, width)) = hll::dense_raise(sketch(entry)?.0, index, value) {
            entry.set_range(at, &bytes[..width]);
            grew += 1;
        }
    }
    Ok(grew)
}

fn mark_stale(entry: &mut EntryMut<'_>) -> Result<(), CmdError> {
    let (at, byte) = hll::stale(sketch(entry)?.0);
    entry.set_range(at, &[byte]);
    Ok(())
}

/// `PFADD key [element ...]`: 1 if the estimate may have changed. O(1) an element in a dense
/// sketch.
fn pfadd(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, limits, .. } = ctx;
    let key = argv.at(1);
    let places = argv.from(2).iter().map(|element| hll::place(element));
    let changes = match db.touch_string(key, fx)? {
        Some(mut entry) if sketch(&entry)?.1 == Form::Dense => {
            let grew = raise_dense(&mut entry, places)?;
            if grew > 0 {
                mark_stale(&mut entry)?;
            }
            grew
        }
        found => {
            // A new key counts as a change, and so does each element that raises a register.
            let mut changes = u64::from(found.is_none());
            let mut bytes = match found {
                Some(entry) => sketch(&entry)?.0.to_vec(),
                None => hll::empty(),
            };
            for (index, value) in places {
                let grew = hll::raise(&mut bytes, index, value, limits.hll_sparse_bytes);
                changes += u64::from(grew.map_err(corrupt)?);
            }
            if changes > 0 {
                let (at, byte) = hll::stale(&bytes);
                bytes[at] = byte;
                store(db, key, bytes, fx);
            }
            changes
        }
    };
    if changes > 0 {
        fx.dirty += changes - 1;
        fx.modified(key);
        fx.event(EV_STRING, "pfadd", key);
    }
    reply.int(i64::from(changes > 0));
    Ok(Flow::Done)
}

/// `PFCOUNT key [key ...]`: the estimate; of several keys that of their union. O(1) while nothing
/// changed, else O(registers) a key.
fn pfcount(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    if argv.len() > 2 {
        let registers = union(db, argv.from(1), fx)?.0;
        reply.int(hll::estimate(&registers) as i64);
        return Ok(Flow::Done);
    }
    let key = argv.at(1);
    let Some(entry) = db.read(key, fx) else {
        reply.int(0);
        return Ok(Flow::Done);
    };
    let (bytes, _) = sketch(entry)?;
    let count = match hll::cached(bytes) {
        Some(count) => count,
        None => {
            let count = hll::count(bytes).map_err(corrupt)?;
            // This read changes the value, so replicas are told.
            if let Some(mut entry) = db.find_mut(key, fx) {
                entry.set_range(8, &count.to_le_bytes());
            }
            fx.modified(key);
            fx.rewrite(argv);
            count
        }
    };
    reply.int(count as i64);
    Ok(Flow::Done)
}

/// The greatest value of each register over all keys that exist, and whether one of them is dense.
fn union(
    db: &mut DbMut<'_>,
    keys: &[&[u8]],
    fx: &mut Effects,
) -> Result<(Box<hll::Registers>, bool), CmdError> {
    let (mut registers, mut dense) = (Box::new([0; hll::REGISTERS]), false);
    for key in keys {
        let Some(entry) = db.read(key, fx) else { continue };
        let (bytes, form) = sketch(entry)?;
        dense |= form == Form::Dense;
        hll::merge(&mut registers, bytes).map_err(corrupt)?;
    }
    Ok((registers, dense))
}

/// `PFMERGE destination [source ...]`: the destination becomes the union, itself included.
/// O(registers) a key.
fn pfmerge(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, limits, .. } = ctx;
    let key = argv.at(1);
    let (registers, dense) = union(db, argv.from(1), fx)?;
    let mut bytes = match db.touch_string(key, fx)? {
        Some(entry) => sketch(&entry)?.0.to_vec(),
        None => hll::empty(),
    };
    if dense && hll::form(&bytes) == Some(Form::Sparse) {
        bytes = hll::to_dense(&bytes).map_err(corrupt)?;
    }
    for (index, &value) in registers.iter().enumerate().filter(|(_, value)| **value > 0) {
        hll::raise(&mut bytes, index, value, limits.hll_sparse_bytes).map_err(corrupt)?;
    }
    let (at, byte) = hll::stale(&bytes);
    bytes[at] = byte;
    store(db, key, bytes, fx);
    fx.modified(key);
    // Compat: the union is announced as an addition.
    fx.event(EV_STRING, "pfadd", key);
    reply.ok();
    Ok(Flow::Done)
}

/// `PFDEBUG GETREG|DECODE|ENCODING|TODENSE key`. O(registers).
fn pfdebug(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let (sub, key) = (arg::lower(argv.at(1)), argv.at(2));
    let Some(entry) = db.touch_string(key, fx)? else {
        return Err(CmdError::new("ERR The specified key does not exist"));
    };
    let (bytes, form) = sketch(&entry)?;
    let bytes = bytes.to_vec();
    let mut make_dense = |fx: &mut Effects| -> Result<Vec<u8>, CmdError> {
        if form == Form::Dense {
            return Ok(bytes.clone());
        }
        let dense = hll::to_dense(&bytes).map_err(corrupt)?;
        store(db, key, dense.clone(), fx);
        // Compat: the change is counted, but no watch breaks.
        fx.dirty += 1;
        Ok(dense)
    };
    match sub.as_slice() {
        b"getreg" => {
            let dense = make_dense(fx)?;
            reply.array(hll::REGISTERS);
            (0..hll::REGISTERS).for_each(|i| reply.int(i64::from(hll::dense_get(&dense, i))));
        }
        b"decode" if form == Form::Sparse => {
            reply.bulk_str(hll::describe(&bytes).map_err(corrupt)?);
        }
        b"decode" => return Err(CmdError::new("ERR HLL encoding is not sparse")),
        b"encoding" => reply.status(if form == Form::Dense { "dense" } else { "sparse" }),
        b"todense" => {
            make_dense(fx)?;
            reply.int(i64::from(form == Form::Sparse));
        }
        _ => {
            let mut text = b"Unknown PFDEBUG subcommand '".to_vec();
            text.extend_from_slice(argv.at(1));
            text.push(b'\'');
            return Err(CmdError::err(text));
        }
    }
    Ok(Flow::Done)
}

/// Elements that PFSELFTEST adds.
const TRIALS: u64 = 200_000;

/// `PFSELFTEST`: adds random elements to a sketch of each form and compares them with plain
/// registers, and the estimate with the truth. O(trials).
fn pfselftest(ctx: &mut Ctx<'_>) -> CmdResult {
    let failed = |what: String| CmdError::coded("TESTFAILED", what);
    let mut next = rand::generator(ctx.env.random);
    let (mut sparse, mut model) = (hll::empty(), Box::new([0u8; hll::REGISTERS]));
    let mut dense = hll::to_dense(&sparse).map_err(corrupt)?;
    // Five times the standard error.
    let tolerance = 1.04 / (hll::REGISTERS as f64).sqrt() * 5.0;
    for n in 1..=TRIALS {
        let (index, value) = hll::place(&next().to_le_bytes());
        model[index] = model[index].max(value);
        for bytes in [&mut sparse, &mut dense] {
            hll::raise(bytes, index, value, ctx.limits.hll_sparse_bytes).map_err(corrupt)?;
        }
        if n.is_power_of_two() || n == TRIALS {
            let estimates = [&sparse, &dense].map(|bytes| hll::count(bytes));
            let expected = hll::estimate(&model);
            if estimates != [Ok(expected), Ok(expected)] {
                return Err(failed(format!("registers differ after {n} elements")));
            }
            let error = (expected as f64 - n as f64).abs() / n as f64;
            if n > 64 && error > tolerance {
                return Err(failed(format!("{n} elements are estimated as {expected}")));
            }
        }
    }
    ctx.reply.ok();
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_strings_with_the_header_are_sketches() {
        use crate::keyspace::entry::EntryBox;
        let entry = |bytes: Vec<u8>| EntryBox::new(b"k", raw(bytes), None, 0);
        assert!(sketch(&entry(hll::empty())).is_ok());
        assert_eq!(sketch(&entry(b"HYLL".to_vec())), Err(NOT_HLL));
    }
}
