//! What a key takes, for the survey of keys (`parts::survey`): when it has changed, and when a pass
//! comes by.

use crate::ds::topk::TopK;
use crate::keyspace::store::Entry;
use crate::server::parts::Server;
use crate::server::parts::survey::{GROUPS, Size};
use crate::value::{ValueRef, View};

/// What an entry takes in the index of times, if it expires.
pub(crate) const WHEEL_BYTES: usize = 6;
/// An entry's share of the table.
const TABLE_BYTES: usize = 10;

/// Elements that are looked at to estimate the bytes of a collection, as MEMORY USAGE does.
pub(crate) const SAMPLES: usize = 5;

/// All that a key takes. O(samples).
pub(crate) fn bytes(entry: &Entry, samples: usize) -> usize {
    let wheel = if entry.expire_ms().is_some() { WHEEL_BYTES } else { 0 };
    entry.mem_bytes(samples) + TABLE_BYTES + wheel
}

/// What an entry takes. O(SAMPLES).
pub(crate) fn size(entry: &Entry) -> Size {
    let elements = match entry.value() {
        ValueRef::Object(object) => object.len(),
        ValueRef::Str(text) => text.len(),
        ValueRef::Int(n) => n.checked_abs().unwrap_or(n).to_string().len() + usize::from(n < 0),
    };
    let bytes = bytes(entry, SAMPLES) as u64;
    Size { of: entry.value_type(), bytes, elements: elements as u64 }
}

/// The rule that makes groups of keys has changed. Requests are counted by it from now on.
pub(crate) fn regroup(srv: &mut Server) {
    srv.survey.regroup();
    if let Some(prefixes) = srv.hotkeys.as_mut().and_then(|session| session.prefixes.as_mut()) {
        *prefixes = TopK::new(GROUPS);
    }
}

/// A key has changed, or is gone.
#[cold]
pub(crate) fn changed(srv: &mut Server, db: u32, key: &[u8]) {
    let store = srv.ks.db(db as usize);
    let size = store.find(store.key(key)).map(size);
    srv.survey.changed(db, key, size);
}
