//! How many keys of each type a database holds.
//!
//! Only collections are counted: every other key is a string. So a string that is added, changed or
//! removed costs a test of the entry's first byte, which is in the cache by then. `place` tells of
//! every entry that comes, goes or gets a value of another kind.
//!
//! A new type is one more variant of `Type` and one more row in `Type::STORED`.

use crate::keyspace::entry::{Entry, SetValue};
use crate::value::{Type, Value};

/// Keys by type, strings left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TypeCounts([usize; Type::COUNT]);

/// The type of a value that is about to be stored, if it is a collection.
#[inline]
pub(super) fn of_new(value: &SetValue<'_>) -> Option<Type> {
    match value {
        SetValue::Owned(Value::Object(object)) => Some(object.value_type()),
        SetValue::Collection(object) => Some(object.value_type()),
        _ => None,
    }
}

impl TypeCounts {
    /// A key was added.
    #[inline]
    pub(crate) fn added(&mut self, value: &SetValue<'_>) {
        if let Some(of) = of_new(value) {
            self.0[of as usize] += 1;
        }
    }

    /// A key was removed, with its entry.
    #[inline]
    pub(crate) fn removed(&mut self, entry: &Entry) {
        if entry.is_collection() {
            self.0[entry.value_type() as usize] -= 1;
        }
    }

    /// The value of a key is about to be replaced.
    #[inline(always)]
    pub(crate) fn replaced(&mut self, old: &Entry, new: &SetValue<'_>) {
        self.removed(old);
        self.added(new);
    }

    /// Keys of one type, of `keys` in all.
    pub(crate) fn of(&self, of: Type, keys: usize) -> usize {
        match of {
            Type::String => keys - self.0.iter().sum::<usize>(),
            of => self.0[of as usize],
        }
    }

    /// Panics unless `entries`, which are all of the database, are counted right. O(n).
    pub(crate) fn check<'a>(&self, entries: impl Iterator<Item = &'a Entry>) {
        let mut seen = TypeCounts::default();
        for of in entries.map(Entry::value_type).filter(|of| *of != Type::String) {
            seen.0[of as usize] += 1;
        }
        assert_eq!(*self, seen, "keys by type are out of step");
    }
}
