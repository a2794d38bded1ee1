//! Sorted sets: a listpack while small, a table with an order-statistics tree above.

use crate::value::{Collection, Encoding, variant};

/// A zset; not there yet.
#[derive(PartialEq, Eq, Debug)]
pub enum ZSet {}

impl Collection for ZSet {
    variant!(ZSet);

    fn encoding(&self) -> Encoding {
        match *self {}
    }

    fn len(&self) -> usize {
        match *self {}
    }

    fn duplicate(&self) -> ZSet {
        match *self {}
    }

    fn free_effort(&self) -> usize {
        match *self {}
    }

    fn mem_bytes(&self, _samples: usize) -> usize {
        match *self {}
    }

    fn digest(&self, _sum: &mut [u8; 20]) {
        match *self {}
    }
}
