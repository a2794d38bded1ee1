//! The table of a large collection as something to prefetch elements from.
//!
//! Nothing here changes what a command finds, only how long it waits for memory.

use crate::ds::cell::Field;
use crate::ds::dict::Dict;
use crate::ds::ordered::table::SortedTable;
use crate::value::ObjectRef;
use crate::value::set::{Members, SetRef};
use crate::value::zset::ZSetRef;

/// A table of elements.
#[derive(Clone, Copy)]
pub(crate) enum Elements<'a> {
    Members(&'a Members),
    Fields(&'a Dict<Field>),
    Sorted(&'a SortedTable),
}

/// Does the same with each kind of table.
macro_rules! each {
    ($elements:expr, $table:ident => $with:expr) => {
        match $elements {
            Elements::Members($table) => $with,
            Elements::Fields($table) => $with,
            Elements::Sorted($table) => $with,
        }
    };
}

impl<'a> Elements<'a> {
    /// The table of a collection that has one.
    #[inline]
    pub(crate) fn of(object: ObjectRef<'a>) -> Option<Elements<'a>> {
        match object {
            ObjectRef::Set(SetRef::Table(members)) => Some(Elements::Members(members)),
            ObjectRef::Hash(hash) => hash.as_table().map(Elements::Fields),
            ObjectRef::ZSet(ZSetRef::Table(table)) => Some(Elements::Sorted(table)),
            _ => None,
        }
    }

    /// What the table knows an element by.
    #[inline]
    pub(crate) fn hash(self, element: &[u8]) -> u64 {
        each!(self, table => table.hash(element))
    }

    /// Brings the bucket of an element closer.
    #[inline]
    pub(crate) fn prefetch_bucket(self, hash: u64) {
        each!(self, table => table.prefetch_bucket(hash));
    }

    /// Brings the likely element closer: call it after `prefetch_bucket` of a whole batch.
    #[inline]
    pub(crate) fn prefetch_item(self, hash: u64) {
        each!(self, table => table.prefetch_item(hash));
    }
}
