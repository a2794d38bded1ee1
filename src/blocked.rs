//! Clients parked on keys, and the keys that have become ready for them.
//!
//! A client that can't be served is parked: its command is kept in its session, and it is listed here
//! under every key it waits for. A write that may serve it reports the key as ready; when the writing
//! command is done, the dispatcher runs the parked commands again, first come first served.
//!
//! Invariants: a parked client is in `waiters` under each of its keys, once; a key is in `ready` at
//! most once. Absent by design: nothing here replies to anybody.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::net::clients::ClientId;
use crate::util::lines::Lines;
use crate::util::sparse::shrink;

type BlockedKey = (u32, Vec<u8>);

#[derive(Debug, Default)]
pub(crate) struct Blocked {
    waiters: HashMap<BlockedKey, VecDeque<ClientId>>,
    ready: VecDeque<BlockedKey>,
    queued: HashSet<BlockedKey>,
    clients: usize,
}

impl Blocked {
    /// Whether nobody waits for anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }
    pub(crate) fn clients(&self) -> usize {
        self.clients
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
        o.add("total_blocking_keys_on_nokey", 0);
    }

    /// Lists a client under its keys, behind those who came before.
    pub(crate) fn park(&mut self, id: ClientId, keys: &[BlockedKey]) {
        self.clients += 1;
        for key in keys {
            let queue = self.waiters.entry(key.clone()).or_default();
            if !queue.contains(&id) {
                queue.push_back(id);
            }
        }
    }

    /// Takes a client off all its keys. O(clients waiting for the same keys).
    pub(crate) fn unpark(&mut self, id: ClientId, keys: &[BlockedKey]) {
        self.clients -= 1;
        for key in keys {
            if let Some(queue) = self.waiters.get_mut(key) {
                queue.retain(|&other| other != id);
                if queue.is_empty() {
                    self.waiters.remove(key);
                    shrink(&mut self.waiters);
                }
            }
        }
    }

    /// Reports that a key came to be or grew.
    pub(crate) fn signal(&mut self, db: u32, key: &[u8]) {
        let at = (db, key.to_vec());
        if self.waiters.contains_key(&at) && self.queued.insert(at.clone()) {
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
        self.waiters.get(key).map_or_else(Vec::new, |queue| queue.iter().copied().collect())
    }
}
