//! Clients that want to hear of every key with a prefix, and the keys changed since they last did.
//!
//! Keys are collected while commands run, and handed out once a turn, in order. So a key that
//! changes a hundred times is told once. Each key has the client that changed it last, since a
//! client may ask not to hear of its own changes.
//!
//! A key is looked up once for each *length* that a prefix has, not once for each prefix. A prefix
//! is kept in few bytes, since a client may have thousands: its text is shared with the client's
//! own list, and its keys have a place only while there are some.
//!
//! Invariants: a prefix is in `prefixes` iff a client has it, and its clients are in order;
//! `lengths` counts the prefixes of each length; a prefix is in `changed` iff it has keys.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::net::clients::ClientId;

/// The text of a prefix, one for all who have it.
pub(crate) type Prefix = Rc<[u8]>;

/// Keys with who changed them last; None: no client did, their time was up.
type Keys = BTreeMap<Vec<u8>, Option<ClientId>>;

#[derive(Debug, Default)]
pub(crate) struct Broadcast {
    prefixes: BTreeMap<Prefix, Vec<ClientId>>,
    lengths: BTreeMap<usize, usize>,
    changed: BTreeMap<Prefix, Keys>,
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
        !self.changed.is_empty()
    }

    /// A client wants to hear of keys with a prefix: its text, or None if it does already.
    pub(crate) fn join(&mut self, id: ClientId, prefix: &[u8]) -> Option<Prefix> {
        if let Some((text, _)) = self.prefixes.get_key_value(prefix) {
            let text = text.clone();
            let clients = self.prefixes.get_mut(prefix)?;
            let at = clients.binary_search(&id).err()?;
            clients.insert(at, id);
            return Some(text);
        }
        let text = Prefix::from(prefix);
        // Most prefixes have one client: no room is taken for more.
        self.prefixes.insert(text.clone(), vec![id]);
        *self.lengths.entry(prefix.len()).or_default() += 1;
        Some(text)
    }

    /// A client no longer wants to; what was collected for it alone is dropped.
    pub(crate) fn leave(&mut self, id: ClientId, prefix: &[u8]) {
        let Some(clients) = self.prefixes.get_mut(prefix) else { return };
        if let Ok(at) = clients.binary_search(&id) {
            clients.remove(at);
        }
        if !clients.is_empty() {
            return;
        }
        self.prefixes.remove(prefix);
        self.changed.remove(prefix);
        if let Some(count) = self.lengths.get_mut(&prefix.len()) {
            *count -= 1;
            if *count == 0 {
                self.lengths.remove(&prefix.len());
            }
        }
    }

    /// A key changed. O(different lengths of prefixes, times the logarithms of prefixes and keys).
    pub(crate) fn note(&mut self, key: &[u8], by: Option<ClientId>) {
        for (&len, _) in self.lengths.range(..=key.len()) {
            let Some((prefix, _)) = self.prefixes.get_key_value(&key[..len]) else { continue };
            let keys = match self.changed.get_mut(&key[..len]) {
                Some(keys) => keys,
                None => self.changed.entry(prefix.clone()).or_default(),
            };
            match keys.get_mut(key) {
                Some(last) => *last = by,
                None => {
                    keys.insert(key.to_vec(), by);
                }
            }
        }
    }

    /// Hands out what changed, prefix by prefix in order, and starts anew. O(what changed).
    pub(crate) fn take_changed(&mut self) -> Vec<Changed> {
        let changed = std::mem::take(&mut self.changed).into_iter();
        changed
            .map(|(prefix, keys)| Changed {
                keys: keys.into_iter().collect(),
                clients: self.prefixes.get(&prefix).cloned().unwrap_or_default(),
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
        let first = b.join(id(1), b"a:").expect("it is new");
        let second = b.join(id(2), b"a:").expect("it is new to this client");
        assert!(Prefix::ptr_eq(&first, &second), "one text for both");
        assert_eq!(b.join(id(1), b"a:"), None);
        assert!(b.join(id(3), b"").is_some() && b.join(id(3), b"b:").is_some());
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
        assert!(b.prefixes() == 0 && b.lengths.is_empty() && !b.has_changed());
    }

    #[test]
    fn agrees_with_asking_every_prefix() {
        let mut next = crate::util::rand::generator(5);
        let mut text = |max: u64| -> Vec<u8> {
            (0..next() % max).map(|_| b'a' + (next() % 2) as u8).collect()
        };
        for _ in 0..300 {
            let mut b = Broadcast::default();
            let prefixes: std::collections::BTreeSet<Vec<u8>> = (0..8).map(|_| text(5)).collect();
            prefixes.iter().for_each(|p| assert!(b.join(id(1), p).is_some()));
            let keys: std::collections::BTreeSet<Vec<u8>> = (0..20).map(|_| text(8)).collect();
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
