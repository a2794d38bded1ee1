//! Sets: an intset or a listpack while small, a table above.

use crate::value::{Collection, Encoding, variant};

/// A set; not there yet.
#[derive(PartialEq, Eq, Debug)]
pub enum Set {}

impl Collection for Set {
    variant!(Set);

    fn encoding(&self) -> Encoding {
        match *self {}
    }

    fn len(&self) -> usize {
        match *self {}
    }

    fn duplicate(&self) -> Set {
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
