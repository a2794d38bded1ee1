//! Sorted sets: a listpack while small, a table with an order-statistics tree above.
//!
//! The listpack holds member, score, member, score ... in order; a score that is a whole number is stored as
//! an integer, any other as its shortest text. That is what snapshots hold. Whatever is larger than the limits
//! allow becomes a `SortedTable`, which is reported as `skiplist`, and stays one.
//!
//! Ranges are ranks, whatever they were given by: a [`Cut`] says where one begins or ends, and the number of
//! elements before it is the rank.

use crate::ds::listpack::{self, Item, Listpack, Needle, Pos, Scratch};
use crate::ds::ordered::table::SortedTable;
use crate::ds::ordered::{AtElement, Cut};
use crate::keyspace_free::Limits as _;
use crate::util::digest;
use crate::util::num;
use crate::util::siphash::Seed;
use crate::value::{Collection, Encoding, variant};

/// A sorted set.
pub enum ZSet {
    Packed(Listpack),
    Table(Box<SortedTable>),
}
