//! `FieldTable`: fields by name, and those that expire by time: a large hash.
//!
//! It keeps a table of fields and an ordered set of their times and addresses in step. Whatever
//! adds, frees, moves or re-times a field must tell the set. Only this file can do any of the four
//! to a field in the table, so the interface is safe over
//!
//! - F1  the set holds exactly the fields of the table that have a head, once each, under the time
//!   that the head is and their present address.

#![allow(unsafe_code)] // The set's addresses are those of fields in the table; fenced in by F1.

use crate::ds::cell::{Field, View};
use crate::ds::dict::{Dict, Thin};
use crate::util::siphash::Seed;
use std::collections::BTreeSet;
use std::ptr::NonNull;

/// Fields by the time they expire at.
type Due = BTreeSet<(i64, u64)>;

/// What happens to a field's time when the field is given a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Time {
    /// It doesn't expire any more.
    Never,
    /// It stays.
    Keep,
    At(i64),
}

/// A large hash.
pub struct FieldTable {
    fields: Dict<Field>,
    /// The fields that expire, soonest first; none while no field ever did.
    due: Option<Box<Due>>,
}

/// A field as the set knows it, if it expires.
#[inline]
fn entry_of(cell: &View<true>) -> Option<(i64, u64)> {
    Some((time_of(cell)?, cell.address()))
}

/// The time at which a field expires, in ms.
#[inline]
pub(crate) fn time_of(cell: &View<true>) -> Option<i64> {
    cell.head().map(i64::from_le_bytes)
}

impl FieldTable {
    /// An empty one.
    pub fn new(seed: Seed) -> FieldTable {
        FieldTable { fields: Dict::new(seed), due: None }
    }

    /// The table alone, to look at.
    #[inline]
    pub fn fields(&self) -> &Dict<Field> {
        &self.fields
    }

    /// The field of this name. O(1).
    #[inline]
    pub fn get(&self, field: &[u8]) -> Option<&View<true>> {
        self.fields.get(self.fields.hash(field), field)
    }

    /// Makes room for so many fields in all.
    pub fn reserve(&mut self, fields: usize) {
        self.fields.reserve(fields);
    }

    /// Adds a field that is not there. O(1), O(log n) with a time.
    pub fn add(&mut self, field: &[u8], value: &[u8], expire: Option<i64>) {
        self.add_hashed(self.fields.hash(field), field, value, expire);
    }

    fn add_hashed(&mut self, hash: u64, field: &[u8], value: &[u8], expire: Option<i64>) {
        let cell = Field::new(field, value, expire.map(i64::to_le_bytes));
        if let Some(entry) = entry_of(&cell) {
            self.due.get_or_insert_default().insert(entry);
        }
        self.fields.insert_new(hash, cell);
    }

    /// Gives a field a value; whether the field is new. O(1), O(log n) with a time.
    #[inline]
    pub fn insert(&mut self, field: &[u8], value: &[u8], time: Time) -> bool {
        let hash = self.fields.hash(field);
        let Some(mut found) = self.fields.get_mut(hash, field) else {
            let expire = if let Time::At(at) = time { Some(at) } else { None };
            self.add_hashed(hash, field, value, expire);
            return true;
        };
        let old = entry_of(found.view());
        let head = match time {
            Time::Never => None,
            Time::Keep => old.map(|entry| entry.0),
            Time::At(at) => Some(at),
        };
        found.update(|cell| (cell.with(value, head.map(i64::to_le_bytes)), ()));
        let new = entry_of(found.view());
        self.follow(old, new);
        false
    }

    /// Gives a field a time to expire at, or takes it away. No such field: nothing happens.
    /// O(log n).
    pub fn set_expire(&mut self, field: &[u8], expire: Option<i64>) {
        let hash = self.fields.hash(field);
        let Some(mut found) = self.fields.get_mut(hash, field) else { return };
        let old = entry_of(found.view());
        let head = expire.map(i64::to_le_bytes);
        found.update(|mut cell| match head {
            Some(head) if old.is_some() => {
                cell.set_head(head);
                (cell, ())
            }
            _ => (Field::new(cell.key(), cell.value(), head), ()),
        });
        let new = entry_of(found.view());
        self.follow(old, new);
    }

    /// Removes a field; false if there is no such. O(1), O(log n) with a time.
    #[inline]
    pub fn remove(&mut self, field: &[u8]) -> bool {
        let Some(cell) = self.fields.remove(self.fields.hash(field), field) else { return false };
        self.follow(entry_of(&cell), None);
        true
    }

    /// Keeps the set in step with a field that was one thing and is another.
    #[inline]
    fn follow(&mut self, old: Option<(i64, u64)>, new: Option<(i64, u64)>) {
        if old == new {
            return;
        }
        let due = self.due.get_or_insert_default();
        if let Some(old) = old {
            due.remove(&old);
        }
        due.extend(new);
    }

    /// When the first field expires; None if none does. O(log n).
    #[inline]
    pub fn soonest(&self) -> Option<i64> {
        if self.due.is_none() { None } else { self.soonest_of_some() }
    }

    #[inline(never)]
    fn soonest_of_some(&self) -> Option<i64> {
        self.due.as_ref()?.first().map(|first| first.0)
    }

    /// Number of fields that expire. O(1).
    pub fn timed(&self) -> usize {
        self.due.as_ref().map_or(0, |due| due.len())
    }

    /// The fields that expire, with their times, soonest first.
    pub fn by_time(&self) -> impl Iterator<Item = (i64, &View<true>)> {
        self.due.iter().flat_map(|due| due.iter()).map(|&(at, address)| {
            let cell = NonNull::new(std::ptr::with_exposed_provenance_mut(address as usize));
            // SAFETY: F1 -- a field that lives in the table, which is borrowed with `self`.
            (at, unsafe { Field::view(cell.expect("F1: no field is at 0")) })
        })
    }

    /// A copy. O(n).
    pub fn duplicate(&self) -> FieldTable {
        let mut copy = FieldTable::new(self.fields.seed());
        copy.reserve(self.fields.len());
        for cell in self.fields.iter() {
            copy.add(cell.key(), cell.value(), time_of(cell));
        }
        copy
    }

    /// Bytes of table and set, fields not counted. O(1), an estimate as to the set.
    pub fn mem_bytes(&self) -> usize {
        // Nodes of the set are three quarters full.
        size_of::<FieldTable>()
            + self.fields.mem_bytes()
            + self.timed() * size_of::<(i64, u64)>() * 4 / 3
    }

    /// Panics if an invariant doesn't hold. O(n log n).
    pub fn check(&self) {
        self.fields.check();
        let all: Due = self.fields.iter().filter_map(entry_of).collect();
        assert_eq!(all.len(), self.timed(), "F1");
        assert!(all.is_empty() || self.due.as_deref() == Some(&all), "F1");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ds::wheel::tests::rng;
    use std::collections::BTreeMap;

    #[test]
    fn it_agrees_with_a_map_and_keeps_its_order() {
        let mut rng = rng(11);
        let mut table = FieldTable::new(Seed([1, 2]));
        let mut model = BTreeMap::<Vec<u8>, (Vec<u8>, Option<i64>)>::new();
        let rounds = if cfg!(miri) { 2_000 } else { 1_000_000 };
        for round in 0..rounds {
            let field = format!("f{}", rng() % 300).into_bytes();
            let value = vec![b'v'; (rng() % 300) as usize];
            let at = (rng() % 50) as i64;
            match rng() % 6 {
                0..2 => {
                    let time = [Time::Never, Time::Keep, Time::At(at)][(rng() % 3) as usize];
                    let old = model.get(&field).map(|(_, old)| *old);
                    let expire = match time {
                        Time::Never => None,
                        Time::Keep => old.flatten(),
                        Time::At(at) => Some(at),
                    };
                    assert_eq!(table.insert(&field, &value, time), old.is_none());
                    model.insert(field, (value, expire));
                }
                2 => {
                    let expire = (!rng().is_multiple_of(3)).then_some(at);
                    table.set_expire(&field, expire);
                    if let Some(known) = model.get_mut(&field) {
                        known.1 = expire;
                    }
                }
                3 => assert_eq!(table.remove(&field), model.remove(&field).is_some()),
                _ => {
                    let seen = table.get(&field).map(|cell| (cell.value(), time_of(cell)));
                    assert_eq!(seen, model.get(&field).map(|(value, at)| (&value[..], *at)));
                }
            }
            assert_eq!(table.soonest(), model.values().filter_map(|known| known.1).min());
            if round % 10_000 == 0 {
                table.check();
                let copy = table.duplicate();
                copy.check();
                for table in [&table, &copy] {
                    let timed: Vec<_> =
                        table.by_time().map(|(at, cell)| (at, cell.key())).collect();
                    assert!(timed.is_sorted_by_key(|(at, _)| *at));
                    let mut timed: Vec<_> =
                        timed.into_iter().map(|(at, f)| (f.to_vec(), at)).collect();
                    timed.sort();
                    let known = model.iter().filter_map(|(f, (_, at))| Some((f.clone(), (*at)?)));
                    assert_eq!(timed, known.collect::<Vec<_>>());
                }
            }
        }
    }
}
