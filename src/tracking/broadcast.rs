//! Clients that want to hear of every key with a prefix, and the keys changed since they last did.
//!
//! Keys are collected while commands run, and handed out once a turn, in order. So a key that
//! changes a hundred times is told once. Each key has the client that changed it last, since a
//! client may ask not to hear of its own changes.
//!
//! A key is looked up once for each *length* that a prefix has, not once for each prefix.
//!
//! Invariants: a prefix is in the table iff a client has it; `lengths` counts the prefixes of each
//! length; `changed` iff some prefix has keys.

use std::collections::{BTreeMap, BTreeSet};

use crate::net::clients::ClientId;

#[derive(Debug, Default)]
pub(crate) struct Broadcast {
    prefixes: BTreeMap<Vec<u8>, Prefix>,
    lengths: BTreeMap<usize, usize>,
    changed: bool,
}

#[derive(Debug, Default)]
struct Prefix {
    clients: BTreeSet<ClientId>,
    /// Keys with the client that changed them last. None: no client did, their time was up.
    keys: BTreeMap<Vec<u8>, Option<ClientId>>,
}

/// The changes under one prefix, and who is to be told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    pub keys: Vec<(Vec<u8>, Option<ClientId>)>,
    pub clients: Vec<ClientId>,
}

/// Whether some key has both prefixes: one is the beginning of the other.
pub(crate) fn overlaps(a: &[u8], b: &[u8]) -> bool {
    a.starts_with(b) || b.starts_with(a)
}

impl Broadcast {
    /// Number of different prefixes.
    pub(crate) fn prefixes(&self) -> usize {
        self.prefixes.len()
    }
    /// Whether somebody is to be told of something.
    pub(crate) fn has_changed(&self) -> bool {
        self.changed
    }

    /// A client wants to hear of keys with a prefix; false if it does already.
    pub(crate) fn join(&mut self, id: ClientId, prefix: &[u8]) -> bool {
        if !self.prefixes.contains_key(prefix) {
            self.prefixes.insert(prefix.to_vec(), Prefix::default());
            *self.lengths.entry(prefix.len()).or_default() += 1;
        }
        let state = self.prefixes.get_mut(prefix);
        state.expect("found or made above").clients.insert(id)
    }

    /// A client no longer wants to; what was collected for it alone is dropped.
    pub(crate) fn leave(&mut self, id: ClientId, prefix: &[u8]) {
        let Some(state) = self.prefixes.get_mut(prefix) else { return };
        state.clients.remove(&id);
        if !state.clients.is_empty() {
            return;
        }
        self.prefixes.remove(prefix);
        if let Some(count) = self.lengths.get_mut(&prefix.len()) {
            *count -= 1;
            if *count == 0 {
                self.lengths.remove(&prefix.len());
            }
        }
        self.changed = self.changed && self.prefixes.values().any(|p| !p.keys.is_empty());
    }

    /// A key changed. O(different lengths of prefixes, times the logarithms of prefixes and keys).
    pub(crate) fn note(&mut self, key: &[u8], by: Option<ClientId>) {
        for (&len, _) in self.lengths.range(..=key.len()) {
            let Some(state) = self.prefixes.get_mut(&key[..len]) else { continue };
            self.changed = true;
            match state.keys.get_mut(key) {
                Some(last) => *last = by,
                None => {
                    state.keys.insert(key.to_vec(), by);
                }
            }
        }
    }

    /// Hands out what changed, prefix by prefix in order, and starts anew.
    pub(crate) fn take_changed(&mut self) -> Vec<Changed> {
        self.changed = false;
        let with_keys = self.prefixes.values_mut().filter(|p| !p.keys.is_empty());
        with_keys
            .map(|p| Changed {
                keys: std::mem::take(&mut p.keys).into_iter().collect(),
                clients: p.clients.iter().copied().collect(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: usize) -> ClientId {
        ClientId::from_token(mio::Token(n), 0)
    }

    #[test]
    fn changes_are_collected_by_prefix_and_told_once() {
        let mut b = Broadcast::default();
        assert!(b.join(id(1), b"a:") && b.join(id(2), b"a:") && !b.join(id(1), b"a:"));
        assert!(b.join(id(3), b"") && b.join(id(3), b"b:"));
        assert_eq!(b.prefixes(), 3);
        assert!(!b.has_changed());
        b.note(b"a:2", Some(id(1)));
        b.note(b"a:1", Some(id(1)));
        b.note(b"a:2", None);
        b.note(b"a", Some(id(2)));
        assert!(b.has_changed());
        let of = |key: &[u8], by| (key.to_vec(), by);
        let every = vec![of(b"a", Some(id(2))), of(b"a:1", Some(id(1))), of(b"a:2", None)];
        let want = [
            Changed { clients: vec![id(3)], keys: every.clone() },
            Changed { clients: vec![id(1), id(2)], keys: every[1..].to_vec() },
        ];
        assert_eq!(b.take_changed(), want);
        assert!(!b.has_changed() && b.take_changed().is_empty());
    }

    #[test]
    fn who_leaves_takes_its_prefixes_along() {
        let mut b = Broadcast::default();
        b.join(id(1), b"x");
        b.join(id(2), b"x");
        b.join(id(1), b"y");
        b.note(b"y1", None);
        b.leave(id(1), b"y");
        assert!(!b.has_changed(), "nobody is left to tell");
        b.leave(id(1), b"x");
        b.leave(id(1), b"x");
        b.note(b"x1", None);
        assert_eq!(b.take_changed()[0].clients, [id(2)]);
        b.leave(id(2), b"x");
        assert!(b.prefixes() == 0 && b.lengths.is_empty());
    }

    #[test]
    fn agrees_with_asking_every_prefix() {
        let mut next = crate::util::rand::generator(5);
        let mut text = |max: u64| -> Vec<u8> {
            (0..next() % max).map(|_| b'a' + (next() % 2) as u8).collect()
        };
        for _ in 0..300 {
            let mut b = Broadcast::default();
            let prefixes: BTreeSet<Vec<u8>> = (0..8).map(|_| text(5)).collect();
            prefixes.iter().for_each(|p| assert!(b.join(id(1), p)));
            let keys: BTreeSet<Vec<u8>> = (0..20).map(|_| text(8)).collect();
            keys.iter().for_each(|k| b.note(k, None));
            let with = |p: &Vec<u8>| -> Vec<_> {
                keys.iter().filter(|k| k.starts_with(p)).map(|k| (k.clone(), None)).collect()
            };
            let want = prefixes.iter().map(with).filter(|keys: &Vec<_>| !keys.is_empty());
            let got = b.take_changed().into_iter().map(|c| c.keys);
            assert!(got.eq(want));
        }
    }

    #[test]
    fn prefixes_overlap_when_a_key_can_have_both() {
        assert!(overlaps(b"a", b"ab") && overlaps(b"ab", b"a") && overlaps(b"", b"x"));
        assert!(!overlaps(b"ab", b"ac"));
    }
}
