//! Lists: a listpack while it is small, a quicklist above.

use crate::value::{Collection, Encoding, variant};

/// A list; not there yet.
#[derive(PartialEq, Eq, Debug)]
pub enum List {}

impl Collection for List {
    variant!(List);

    fn encoding(&self) -> Encoding {
        match *self {}
    }

    fn len(&self) -> usize {
        match *self {}
    }

    fn duplicate(&self) -> List {
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
