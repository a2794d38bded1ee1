//! Keys that clients WATCH, so that a change breaks their next EXEC.
//!
//! Of each watch it is kept whether the key was there when it began: a key that was absent, or past
//! its time, can't change by expiring.
//!
//! What its watches take is known here alone; whoever changes something says so by
//! `Server::listed`.
//!
//! Invariants: a client is listed under each key it watches, once, and has each of these keys in
//! its own list; a client without a watch has none; `bytes` is the sum over its keys.

use std::collections::HashMap;
use std::rc::Rc;

use crate::net::clients::ClientId;
use crate::util::sparse::shrink;

/// The name of a key, one for all who watch it.
type Name = Rc<[u8]>;

#[derive(Debug, Default)]
pub(crate) struct Watch {
    by_db: HashMap<u32, HashMap<Name, Vec<Watcher>>>,
    by_client: HashMap<ClientId, Watched>,
}

/// Who watches a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Watcher {
    pub id: ClientId,
    pub found: Found,
}

/// What one client watches.
#[derive(Debug, Default)]
struct Watched {
    keys: Vec<(u32, Name, Found)>,
    bytes: usize,
}

/// What a watched key takes beside its name: a place in each direction, and its watcher's.
const WATCHED_KEY: usize = 112;

/// Whether a key was there when its watch began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Live,
    Absent,
}

impl Watch {
    pub(crate) fn is_empty(&self) -> bool {
        self.by_client.is_empty()
    }

    /// Adds a watch; false if the client already had it. O(watchers of the key).
    pub(crate) fn add(&mut self, id: ClientId, db: u32, key: &[u8], found: Found) -> bool {
        let keys = self.by_db.entry(db).or_default();
        let name =
            keys.get_key_value(key).map_or_else(|| Name::from(key), |(name, _)| name.clone());
        // Most keys have one watcher: no room is taken for more.
        let watchers = keys.entry(name.clone()).or_insert_with(|| Vec::with_capacity(1));
        if watchers.iter().any(|w| w.id == id) {
            return false;
        }
        watchers.push(Watcher { id, found });
        let own = self.by_client.entry(id).or_default();
        own.keys.push((db, name, found));
        own.bytes += key.len() + WATCHED_KEY;
        true
    }

    /// Who watches the key.
    pub(crate) fn of(&self, db: u32, key: &[u8]) -> &[Watcher] {
        let watchers = self.by_db.get(&db).and_then(|keys| keys.get(key));
        watchers.map_or(&[], Vec::as_slice)
    }

    /// All watched keys of one database with their watchers.
    pub(crate) fn in_db(&self, db: u32) -> impl Iterator<Item = (&[u8], &[Watcher])> {
        let keys = self.by_db.get(&db).into_iter().flatten();
        keys.map(|(name, watchers)| (&name[..], &watchers[..]))
    }

    /// The keys that a client watches.
    pub(crate) fn keys_of(&self, id: ClientId) -> impl Iterator<Item = (u32, &[u8], Found)> {
        let keys = self.by_client.get(&id).into_iter().flat_map(|own| &own.keys);
        keys.map(|(db, name, found)| (*db, &name[..], *found))
    }

    /// What a client's watches take. O(1).
    pub(crate) fn bytes(&self, id: ClientId) -> usize {
        self.by_client.get(&id).map_or(0, |own| own.bytes)
    }

    /// The client watches nothing any more; whether it did. O(its keys, times their watchers).
    pub(crate) fn forget(&mut self, id: ClientId) -> bool {
        let Some(own) = self.by_client.remove(&id) else { return false };
        for (db, name, _) in own.keys {
            let Some(keys) = self.by_db.get_mut(&db) else { continue };
            let Some(watchers) = keys.get_mut(&name) else { continue };
            watchers.retain(|w| w.id != id);
            if watchers.is_empty() {
                keys.remove(&name);
            }
        }
        self.by_db.values_mut().for_each(shrink);
        shrink(&mut self.by_client);
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
        assert_eq!((w.keys_of(id).count(), w.bytes(id)), (2, 3 + 2 * WATCHED_KEY));
        assert!(w.forget(id) && !w.forget(id));
        assert!(w.is_empty() && w.bytes(id) == 0 && w.keys_of(id).next().is_none());
    }

    fn id(n: usize) -> ClientId {
        ClientId::from_token(mio::Token(n), 0)
    }

    #[test]
    fn a_key_is_watched_once_by_each_client_in_each_database() {
        let mut w = Watch::default();
        assert!(w.add(id(1), 0, b"k", Found::Live) && !w.add(id(1), 0, b"k", Found::Absent));
        assert!(w.add(id(2), 0, b"k", Found::Absent) && w.add(id(1), 3, b"k", Found::Absent));
        let of = |id, found| Watcher { id, found };
        assert_eq!(w.of(0, b"k"), [of(id(1), Found::Live), of(id(2), Found::Absent)]);
        assert_eq!(w.in_db(3).collect::<Vec<_>>(), [(&b"k"[..], &[of(id(1), Found::Absent)][..])]);
        let all: Vec<_> = w.keys_of(id(1)).collect();
        assert_eq!(all, [(0, &b"k"[..], Found::Live), (3, &b"k"[..], Found::Absent)]);
        w.forget(id(1));
        assert_eq!(w.of(0, b"k"), [of(id(2), Found::Absent)]);
        assert!(w.of(3, b"k").is_empty() && w.keys_of(id(1)).next().is_none() && !w.is_empty());
        w.forget(id(2));
        assert!(w.is_empty() && w.of(0, b"k").is_empty());
    }

    #[test]
    fn many_watches_leave_no_room_behind() {
        let mut w = Watch::default();
        (0..50_000u32).for_each(|n| assert!(w.add(id(1), 0, &n.to_be_bytes(), Found::Live)));
        assert!(w.by_db[&0].capacity() >= 50_000);
        w.forget(id(1));
        assert!(w.by_db[&0].capacity() < 100);
    }
}
