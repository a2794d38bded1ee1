//! Which hashes have fields that expire, by the time of the first of them.
//!
//! The hash itself knows the order of its own fields; here stands one line for each such hash, so that active expiry
//! finds what is due without looking at any other. `Store` keeps the lines in step when a key comes, goes or is replaced;
//! whoever changes a hash in place says so (`DbMut::retime`).
//!
//! Invariant: `(time, key)` is here exactly if the hash at `key` has a field that expires, and none before `time`.

use crate::keyspace::entry::{Entry, SetValue};
use crate::value::{ObjectRef, Value, ValueRef};
use std::collections::BTreeSet;

/// Hashes by the soonest time of a field. O(log n) each.
#[derive(Default)]
pub struct FieldIndex(BTreeSet<(i64, Box<[u8]>)>);

fn of_object(object: ObjectRef<'_>) -> Option<i64> {
    match object {
        ObjectRef::Hash(hash) => hash.soonest(),
        _ => None,
    }
}

/// The time of the first field to expire of an entry that is a hash.
#[inline]
pub fn of_entry(entry: &Entry) -> Option<i64> {
    match entry.value() {
        ValueRef::Object(object) => of_object(object),
        _ => None,
    }
}

/// The same of a value that is on its own.
#[inline]
fn of_value(value: &Value) -> Option<i64> {
    match value {
        Value::Object(object) => of_object(object.view()),
        _ => None,
    }
}

/// The same of a value on its way in.
#[inline]
pub fn of_new(value: &SetValue<'_>) -> Option<i64> {
    match value {
        SetValue::Owned(value) => of_value(value),
        SetValue::Collection(object) => of_object(object.view()),
        _ => None,
    }
}

impl FieldIndex {
    /// Number of hashes with fields that expire. O(1).
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no hash has any. O(1).
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The hash with the field that expires first. O(log n).
    pub fn first(&self) -> Option<(i64, &[u8])> {
        self.0.first().map(|(at, key)| (*at, &key[..]))
    }

    /// The first field of the hash at `key` expires at `new`, where that was `old`.
    pub fn update(&mut self, key: &[u8], old: Option<i64>, new: Option<i64>) {
        if old == new {
            return;
        }
        if let Some(old) = old {
            self.0.remove(&(old, key.into()));
        }
        if let Some(new) = new {
            self.0.insert((new, key.into()));
        }
    }

    /// Panics unless `entries` are all that should be here. O(n log n).
    pub fn check<'a>(&self, entries: impl Iterator<Item = &'a Entry>) {
        let expected: BTreeSet<_> =
            entries.filter_map(|e| Some((of_entry(e)?, Box::from(e.key())))).collect();
        assert!(self.0 == expected, "the index of timed fields is out of step");
    }
}
