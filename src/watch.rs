//! Keys that clients WATCH, so that a change breaks their next EXEC.
//!
//! Of each watch it is kept whether the key was there when it began: a key that was absent, or past
//! its time, can't change by expiring.
//!
//! What its watches take is known here alone; whoever changes something says so by
//! `Server::listed`.
//!
//! Invariants: a client is listed under each key it watches, once; `bytes` is the sum over its
//! keys.

use std::collections::{HashMap, HashSet};

use crate::net::clients::ClientId;

type WatchedKey = (u32, Vec<u8>);

#[derive(Debug, Default)]
pub(crate) struct Watch {
    by_key: HashMap<WatchedKey, HashSet<ClientId>>,
    by_client: HashMap<ClientId, Watched>,
}

/// What one client watches.
#[derive(Debug, Default)]
struct Watched {
    keys: Vec<(WatchedKey, Found)>,
    bytes: usize,
}

/// What a watched key takes beside its name, which is there twice: once in each direction.
const WATCHED_KEY: usize = 48;

/// Whether a key was there when its watch began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Live,
    Absent,
}

impl Watch {
    pub(crate) fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Adds a watch; false if the client already had it.
    pub(crate) fn add(&mut self, id: ClientId, db: u32, key: &[u8], found: Found) -> bool {
        let at = (db, key.to_vec());
        let added = self.by_key.entry(at.clone()).or_default().insert(id);
        if added {
            let own = self.by_client.entry(id).or_default();
            own.keys.push((at, found));
            own.bytes += 2 * (key.len() + WATCHED_KEY);
        }
        added
    }

    /// Who watches the key.
    pub(crate) fn of(&self, db: u32, key: &[u8]) -> impl Iterator<Item = ClientId> {
        let found = if self.is_empty() { None } else { self.by_key.get(&(db, key.to_vec())) };
        found.into_iter().flatten().copied()
    }

    /// All watched keys of one database (of all when None) with their watchers.
    pub(crate) fn in_db(
        &self,
        db: Option<u32>,
    ) -> impl Iterator<Item = (u32, &[u8], &HashSet<ClientId>)> {
        let all = self.by_key.iter().map(|((d, key), ids)| (*d, &key[..], ids));
        all.filter(move |(d, ..)| db.is_none_or(|db| db == *d))
    }

    pub(crate) fn keys_of(&self, id: ClientId) -> &[(WatchedKey, Found)] {
        self.by_client.get(&id).map_or(&[], |own| &own.keys)
    }

    /// Whether the key was there when the client began to watch it. O(its keys).
    pub(crate) fn found_live(&self, id: ClientId, db: u32, key: &[u8]) -> bool {
        let is = |w: &&(WatchedKey, Found)| w.0.0 == db && w.0.1 == key;
        self.keys_of(id).iter().find(is).is_some_and(|w| w.1 == Found::Live)
    }

    /// What a client's watches take. O(1).
    pub(crate) fn bytes(&self, id: ClientId) -> usize {
        self.by_client.get(&id).map_or(0, |own| own.bytes)
    }

    /// The client watches nothing any more; whether it did. O(its keys).
    pub(crate) fn forget(&mut self, id: ClientId) -> bool {
        let Some(own) = self.by_client.remove(&id) else { return false };
        for (key, _) in own.keys {
            if let Some(ids) = self.by_key.get_mut(&key) {
                ids.remove(&id);
                if ids.is_empty() {
                    self.by_key.remove(&key);
                }
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_leaves_takes_its_keys_and_bytes_along() {
        let (mut w, id) = (Watch::default(), ClientId::NOBODY);
        assert!(w.add(id, 0, b"a", Found::Live) && !w.add(id, 0, b"a", Found::Absent));
        assert!(w.add(id, 1, b"bc", Found::Absent));
        assert_eq!((w.keys_of(id).len(), w.bytes(id)), (2, 2 * (3 + 2 * WATCHED_KEY)));
        assert!(w.found_live(id, 0, b"a") && !w.found_live(id, 1, b"bc"));
        assert!(w.forget(id) && !w.forget(id));
        assert!(w.is_empty() && w.bytes(id) == 0 && w.keys_of(id).is_empty());
    }
}
