//! Which hashes have fields that expire, by the time of the first of them.
//!
//! The hash itself knows the order of its fields. Here each such hash has one entry, in a table and
//! a wheel like those of keys (`Timed`). So active expiry finds the fields that are due without
//! looking at other hashes. A database keeps the entries up to date (`place::Indexes`).
//!
//! Invariant: a key has an entry exactly if it holds a hash with a field that expires. The entry's
//! expiry is the time of the first such field; its value is empty.

use crate::keyspace::entry::timed::{Due, Expire, Key, Timed};
use crate::keyspace::entry::{Entry, SetValue};
use crate::util::siphash::Seed;
use crate::value::{ObjectRef, Value, ValueRef};

/// Hashes by the soonest time of a field. O(1) each.
pub(crate) struct FieldIndex(Timed);

fn of_object(object: ObjectRef<'_>) -> Option<i64> {
    match object {
        ObjectRef::Hash(hash) => hash.soonest(),
        _ => None,
    }
}

/// The time of the first field that expires, if the entry holds a hash with one.
#[inline]
pub(crate) fn of_entry(entry: &Entry) -> Option<i64> {
    match entry.value() {
        ValueRef::Object(object) => of_object(object),
        _ => None,
    }
}

/// The same for a value that is not in an entry.
#[inline]
fn of_value(value: &Value) -> Option<i64> {
    match value {
        Value::Object(object) => of_object(object.view()),
        _ => None,
    }
}

/// The same for a value that is about to be stored.
#[inline]
pub(crate) fn of_new(value: &SetValue<'_>) -> Option<i64> {
    match value {
        SetValue::Owned(value) => of_value(value),
        SetValue::Collection(object) => of_object(object.view()),
        _ => None,
    }
}

impl FieldIndex {
    /// An empty one, whose wheel starts at `now_ms`. Keys are hashed with `seed`.
    pub(crate) fn new(seed: Seed, now_ms: i64) -> FieldIndex {
        FieldIndex(Timed::new(seed, now_ms))
    }

    /// Number of hashes with fields that expire. O(1).
    pub(crate) fn len(&self) -> usize {
        self.0.expires()
    }

    /// Whether no hash has any. O(1).
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// About when the next field expires (`Timed::soonest` says how exactly).
    pub(crate) fn soonest_ms(&self) -> Option<i64> {
        self.0.soonest()?.expire_ms()
    }

    /// About how many hashes have a field whose time is not after `now_ms` (`Timed::due`).
    pub(crate) fn due(&self, now_ms: i64) -> usize {
        self.0.due(now_ms)
    }

    /// The key of a hash with a field whose time is not after `now_ms`. Bounded work, as
    /// `Timed::next_due`.
    pub(crate) fn next_due(&mut self, now_ms: i64) -> Due<&[u8]> {
        self.0.next_due(now_ms).map(Entry::key)
    }

    /// The first field of the hash at `key` expires at `new`, where that was `old`. O(1).
    #[cold]
    pub(crate) fn update(&mut self, key: &[u8], old: Option<i64>, new: Option<i64>) {
        if old == new {
            return;
        }
        let key = Key { bytes: key, hash: self.0.dict().hash(key) };
        match new {
            Some(at) => {
                self.0.set(key, SetValue::Int(0), Expire::At(at), 0);
            }
            None => {
                self.0.remove(key);
            }
        }
    }

    /// Bytes of the index. O(1), an estimate as to its entries.
    pub(crate) fn mem_bytes(&self) -> usize {
        self.0.mem_bytes()
    }

    /// Panics unless `entries` are all that should be here. O(n).
    pub(crate) fn check<'a>(&self, entries: impl Iterator<Item = &'a Entry>) {
        self.0.check();
        let mut n = 0;
        for (entry, at) in entries.filter_map(|e| Some((e, of_entry(e)?))) {
            let dict = self.0.dict();
            let line = dict.get(dict.hash(entry.key()), entry.key());
            let known = line.and_then(Entry::expire_ms);
            assert_eq!(known, Some(at), "the index of timed fields is out of step");
            n += 1;
        }
        assert_eq!((n, n), (self.len(), self.0.dict().len()));
    }
}
