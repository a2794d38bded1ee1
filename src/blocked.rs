//! Clients parked on keys, and the keys that have become ready for them.
//!
//! A client that can't be served is parked: its command is kept in its session, and it is listed
//! here under every key it waits for. A write that may serve it reports the key as ready; when the
//! writing command is done, the dispatcher runs the parked commands again, first come first served.
//!
//! A key that goes, or comes to hold another type, is reported too if somebody listed under it has
//! to know. Nobody records deletions for that alone: while `waits_for_deletion` says so, every
//! change of a key is looked at.
//!
//! Invariants: a parked client is in `waiters` under each of its keys, once; a key is in `ready` at
//! most once; the kinds of a queue are those of its waiters; `for_deletion` is the number of
//! clients that have to know of deletions. Absent by design: nothing here replies to anybody.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::keyspace::waiting::{Waiting, Wants};
use crate::net::clients::ClientId;
use crate::util::lines::Lines;
use crate::util::sparse::shrink;
use crate::value::Type;

type BlockedKey = (u32, Vec<u8>);

#[derive(Debug)]
struct Waiter {
    id: ClientId,
    wants: Wants,
}

/// Who waits for a key, first come first.
#[derive(Debug, Default)]
struct Queue {
    waiters: VecDeque<Waiter>,
    /// What they want, and how many want it. There are few kinds, however many clients wait.
    kinds: Vec<(Wants, usize)>,
}

impl Queue {
    fn push(&mut self, waiter: Waiter) {
        match self.kinds.iter_mut().find(|kind| kind.0 == waiter.wants) {
            Some(kind) => kind.1 += 1,
            None => self.kinds.push((waiter.wants, 1)),
        }
        self.waiters.push_back(waiter);
    }

    /// O(clients before it).
    fn remove(&mut self, id: ClientId) {
        let at = self.waiters.iter().position(|other| other.id == id);
        let Some(waiter) = at.and_then(|at| self.waiters.remove(at)) else { return };
        if let Some(at) = self.kinds.iter().position(|kind| kind.0 == waiter.wants) {
            self.kinds[at].1 -= 1;
            if self.kinds[at].1 == 0 {
                self.kinds.swap_remove(at);
            }
        }
    }

    /// Whether somebody wants it so. O(kinds).
    fn any(&self, is: impl Fn(Wants) -> bool) -> bool {
        self.kinds.iter().any(|kind| is(kind.0))
    }
}

#[derive(Debug, Default)]
pub(crate) struct Blocked {
    waiters: HashMap<BlockedKey, Queue>,
    ready: VecDeque<BlockedKey>,
    queued: HashSet<BlockedKey>,
    clients: usize,
    /// How many of them give up in time.
    timed: usize,
    for_deletion: usize,
    /// Clients that wait for offsets, or for the server's end, first come first.
    for_server: Vec<ClientId>,
}

impl Blocked {
    /// Whether nobody waits for a key.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }
    /// Whether somebody has to know when a key goes.
    pub(crate) fn waits_for_deletion(&self) -> bool {
        self.for_deletion > 0
    }
    /// Who waits for offsets, or for the server's end, first come first.
    pub(crate) fn for_server(&self) -> &[ClientId] {
        &self.for_server
    }
    /// Clients that wait, for whatever.
    pub(crate) fn clients(&self) -> usize {
        self.clients
    }
    /// How many of them give up in time.
    pub(crate) fn timed(&self) -> usize {
        self.timed
    }
    pub(crate) fn keys(&self) -> usize {
        self.waiters.len()
    }
    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// INFO clients: what is waited for.
    pub(crate) fn info(&self, o: &mut Lines) {
        o.add("total_blocking_keys", self.keys());
        o.add("total_blocking_keys_on_nokey", self.keys_for_deletion());
    }

    /// Keys whose end somebody has to know of. O(keys), if there are such.
    fn keys_for_deletion(&self) -> usize {
        let has = |queue: &&Queue| queue.any(|wants| wants.wakes_on_deletion);
        if self.waits_for_deletion() { self.waiters.values().filter(has).count() } else { 0 }
    }

    /// Lists a client under its keys, behind those who came before; `timed` says that it will give
    /// up.
    pub(crate) fn park(&mut self, id: ClientId, waiting: &Waiting, timed: bool) {
        self.clients += 1;
        self.timed += usize::from(timed);
        let Waiting::Keys { db, keys, wants, .. } = waiting else {
            return self.for_server.push(id);
        };
        self.for_deletion += usize::from(wants.wakes_on_deletion);
        for key in keys {
            let queue = self.waiters.entry((*db, key.clone())).or_default();
            // A key that the client names twice has it at its end.
            if queue.waiters.back().is_none_or(|last| last.id != id) {
                queue.push(Waiter { id, wants: *wants });
            }
        }
    }

    /// Takes a client off all its keys. O(clients waiting for the same keys).
    pub(crate) fn unpark(&mut self, id: ClientId, waiting: &Waiting, timed: bool) {
        self.clients -= 1;
        self.timed -= usize::from(timed);
        let Waiting::Keys { db, keys, wants, .. } = waiting else {
            return self.for_server.retain(|other| *other != id);
        };
        self.for_deletion -= usize::from(wants.wakes_on_deletion);
        for key in keys {
            let key = (*db, key.clone());
            if let Some(queue) = self.waiters.get_mut(&key) {
                // Who is served stands at the front.
                queue.remove(id);
                if queue.waiters.is_empty() {
                    self.waiters.remove(&key);
                    shrink(&mut self.waiters);
                }
            }
        }
    }

    /// Reports that a key came to be or grew.
    pub(crate) fn signal(&mut self, db: u32, key: Vec<u8>) {
        let at = (db, key);
        if self.waiters.contains_key(&at) {
            self.report(at);
        }
    }

    /// A key has changed, or is about to, and will hold a value of type `now`, or nothing: reports
    /// it if that is the end of what somebody waits on. O(1).
    pub(crate) fn signal_change(&mut self, db: u32, key: Vec<u8>, now: Option<Type>) {
        let at = (db, key);
        let lost = |queue: &Queue| queue.any(|wants| wants.is_lost(now));
        if self.waiters.get(&at).is_some_and(lost) {
            self.report(at);
        }
    }

    fn report(&mut self, at: BlockedKey) {
        if self.queued.insert(at.clone()) {
            self.ready.push_back(at);
        }
    }

    /// Keys of a database that somebody waits for.
    pub(crate) fn waited_in(&self, db: u32) -> Vec<Vec<u8>> {
        self.waiters.keys().filter(|k| k.0 == db).map(|k| k.1.clone()).collect()
    }

    pub(crate) fn next_ready(&mut self) -> Option<BlockedKey> {
        let key = self.ready.pop_front()?;
        self.queued.remove(&key);
        Some(key)
    }

    /// Who waits for a key, first come first.
    pub(crate) fn waiting_for(&self, key: &BlockedKey) -> Vec<ClientId> {
        let ids = |queue: &Queue| queue.waiters.iter().map(|w| w.id).collect();
        self.waiters.get(key).map_or_else(Vec::new, ids)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::waiting::Offsets;
    use crate::resp::reply::Nothing;

    fn keys(keys: &[&str], wakes_on_deletion: bool) -> Waiting {
        Waiting::Keys {
            db: 0,
            keys: keys.iter().map(|k| k.as_bytes().to_vec()).collect(),
            wants: Wants { holds: Some(Type::List), wakes_on_deletion },
            nothing: Nothing::NullArray,
        }
    }

    #[test]
    fn a_key_that_goes_is_reported_if_somebody_has_to_know() {
        let (mut b, id) = (Blocked::default(), ClientId::NOBODY);
        let plain = keys(&["a"], false);
        b.park(id, &plain, false);
        b.signal_change(0, b"a".to_vec(), None);
        assert!(!b.has_ready() && !b.waits_for_deletion());
        b.unpark(id, &plain, false);
        let both = keys(&["a", "b", "a"], true);
        b.park(id, &both, false);
        assert!(b.waits_for_deletion() && b.keys_for_deletion() == 2);
        b.signal_change(0, b"a".to_vec(), Some(Type::List));
        b.signal_change(1, b"a".to_vec(), None);
        b.signal_change(0, b"c".to_vec(), None);
        assert!(!b.has_ready(), "it holds what is wanted, or is another key");
        b.signal_change(0, b"a".to_vec(), None);
        b.signal_change(0, b"a".to_vec(), Some(Type::String));
        assert_eq!(b.next_ready(), Some((0, b"a".to_vec())));
        assert!(!b.has_ready(), "once is enough");
        b.signal_change(0, b"b".to_vec(), Some(Type::String));
        assert!(b.has_ready());
        b.unpark(id, &both, false);
        assert!(b.is_empty() && !b.waits_for_deletion() && b.clients() == 0);
    }

    #[test]
    fn what_the_clients_of_a_key_want_is_known_when_some_have_left() {
        let [one, two] = [1, 2].map(|n| ClientId::from_token(mio::Token(n), 0));
        let (mut b, plain, knows) = (Blocked::default(), keys(&["a"], false), keys(&["a"], true));
        b.park(one, &plain, false);
        b.park(two, &knows, false);
        b.unpark(one, &plain, false);
        b.signal_change(0, b"a".to_vec(), Some(Type::List));
        assert!(!b.has_ready());
        b.signal_change(0, b"a".to_vec(), None);
        assert_eq!(b.next_ready(), Some((0, b"a".to_vec())));
        b.park(one, &plain, false);
        b.unpark(two, &knows, false);
        b.signal_change(0, b"a".to_vec(), None);
        assert!(!b.has_ready(), "who is left need not know");
        assert_eq!(b.waiting_for(&(0, b"a".to_vec())), [one]);
    }

    #[test]
    fn who_waits_for_no_key_only_counts() {
        let (mut b, id) = (Blocked::default(), ClientId::NOBODY);
        let offsets = Offsets { file: false, written: 7, count: 7, local: false, replicas: 1 };
        b.park(id, &Waiting::Offsets(offsets), false);
        assert!(b.clients() == 1 && b.is_empty() && b.for_server() == [id]);
        b.unpark(id, &Waiting::Offsets(offsets), false);
        assert!(b.clients() == 0 && b.for_server().is_empty());
    }
}
