//! Which client may have cached which key, so that a change can be told to those it concerns.
//!
//! ```text
//! table      key -> numbers of clients that read it      other clients: told once, then forgotten
//! broadcast  prefix -> clients, keys changed this turn   BCAST clients: told once a turn of all
//! ```
//! A client is known here by a *number* of four bytes. It gets it when it first asks for tracking,
//! and keeps it through OFF and ON until it leaves. The table is not searched when a client leaves:
//! its numbers go when their keys change, and lead to nobody until then.
//!
//! What a client asked for (mode, redirection, prefixes) is part of its session. Absent by design:
//! nothing here sends anything; `server` does.
//!
//! Invariants: `numbers` and `clients` are each other's reverse; every number in `clients` is in
//! use by one client.

mod broadcast;
mod table;

use std::collections::HashMap;

use crate::net::clients::ClientId;
use crate::util::lines::Lines;
use crate::util::siphash::Seed;
pub(crate) use broadcast::{Broadcast, Prefix, overlaps};
pub(crate) use table::{Number, Table};

pub(crate) struct Tracking {
    pub table: Table,
    pub broadcast: Broadcast,
    /// Changed keys that the running command's own client must be told of, after the reply. None
    /// stands for every key.
    pub own: Vec<Option<Vec<u8>>>,
    /// More keys are known than the setting allows. Kept up to date by `set_limit` and whoever adds
    /// keys.
    pub crowded: bool,
    /// Runs in a row after which there were still too many keys.
    pub overrun: u32,
    limit: usize,
    active: usize,
    /// When the last tracked client was last seen.
    used_ms: i64,
    seed: Seed,
    last: Number,
    numbers: HashMap<ClientId, Number>,
    clients: HashMap<Number, ClientId>,
}

impl Tracking {
    pub(crate) fn new(seed: Seed) -> Tracking {
        Tracking {
            table: Table::new(seed),
            broadcast: Broadcast::default(),
            own: Vec::new(),
            crowded: false,
            overrun: 0,
            limit: 0,
            active: 0,
            used_ms: 0,
            seed,
            last: 0,
            numbers: HashMap::new(),
            clients: HashMap::new(),
        }
    }

    /// INFO clients.
    pub(crate) fn info_clients(&self, o: &mut Lines) {
        o.add("tracking_clients", self.active());
    }

    /// INFO stats.
    pub(crate) fn info(&self, o: &mut Lines) {
        o.add("tracking_total_keys", self.table.len());
        o.add("tracking_total_items", self.table.items());
        o.add("tracking_total_prefixes", self.broadcast.prefixes());
    }

    /// Keys that clients may have cached.
    pub(crate) fn keys(&self) -> usize {
        self.table.len()
    }

    /// Clients with tracking on, in any mode.
    pub(crate) fn active(&self) -> usize {
        self.active
    }

    /// Whether a change of a key can concern anybody here.
    pub(crate) fn is_idle(&self) -> bool {
        self.active == 0 && self.table.is_empty()
    }

    /// A client begins to be tracked; its number. O(1).
    pub(crate) fn start(&mut self, id: ClientId) -> Number {
        self.active += 1;
        if let Some(&number) = self.numbers.get(&id) {
            return number;
        }
        loop {
            // After four billion clients old numbers are used again. If an old key still has such a
            // number, a client is told of one key too many, which does no harm. A number in use is
            // skipped.
            self.last = if self.last >= table::LAST { 1 } else { self.last + 1 };
            if !self.clients.contains_key(&self.last) {
                break;
            }
        }
        self.numbers.insert(id, self.last);
        self.clients.insert(self.last, id);
        self.last
    }

    /// A client, so far tracked, no longer is; `prefixes` are those it had. O(prefixes log n).
    pub(crate) fn stop(&mut self, id: ClientId, prefixes: &[Prefix]) {
        self.active -= 1;
        prefixes.iter().for_each(|p| self.broadcast.leave(id, p));
        self.recount();
    }

    /// A client is gone for good; it has been stopped if it was tracked. O(1).
    pub(crate) fn forget(&mut self, id: ClientId) {
        if let Some(number) = self.numbers.remove(&id) {
            self.clients.remove(&number);
        }
    }

    /// The client of a number that the table holds, if it is still there. It may track no more.
    pub(crate) fn client(&self, number: Number) -> Option<ClientId> {
        self.clients.get(&number).copied()
    }

    /// Clients that have asked for tracking at some time.
    pub(crate) fn known(&self) -> Vec<ClientId> {
        self.numbers.keys().copied().collect()
    }

    /// Takes all keys out of the table, for the caller to free where it likes.
    pub(crate) fn take_table(&mut self) -> Table {
        (self.crowded, self.overrun) = (false, 0);
        std::mem::replace(&mut self.table, Table::new(self.seed))
    }

    /// Whether the table holds keys though nobody has been tracked since a time in the past. It
    /// must be asked regularly, because asking is what notices who is there.
    pub(crate) fn is_unused_since(&mut self, then_ms: i64, now_ms: i64) -> bool {
        if self.active > 0 || self.table.is_empty() {
            self.used_ms = now_ms;
        }
        self.used_ms < then_ms
    }

    /// How many keys the table may hold; 0 is any number.
    pub(crate) fn set_limit(&mut self, keys: usize) {
        self.limit = keys;
        self.recount();
    }

    /// Whether the table holds more keys than it may.
    pub(crate) fn is_over(&self) -> bool {
        self.limit != 0 && self.table.len() > self.limit
    }

    /// To be called when keys were added to the table or taken out.
    #[inline]
    pub(crate) fn recount(&mut self) {
        self.crowded = self.active > 0 && self.is_over();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_keeps_its_number_until_it_leaves() {
        let mut t = Tracking::new(Seed([1, 2]));
        let id = ClientId::NOBODY;
        let number = t.start(id);
        assert_eq!((t.active(), t.client(number)), (1, Some(id)));
        t.stop(id, &[]);
        assert_eq!((t.active(), t.client(number)), (0, Some(id)));
        assert_eq!(t.start(id), number);
        t.stop(id, &[]);
        t.forget(id);
        assert_eq!(t.client(number), None);
        assert!(t.is_idle() && t.known().is_empty());
        assert_ne!(t.start(id), number, "a newcomer is somebody else");
    }

    #[test]
    fn numbers_in_use_are_passed_over() {
        let mut t = Tracking::new(Seed([1, 2]));
        let id = ClientId::NOBODY;
        let first = t.start(id);
        t.last = table::LAST;
        let other = ClientId::from_token(mio::Token(7), 0);
        assert_eq!((first, t.start(other)), (1, 2));
    }

    #[test]
    fn crowded_means_too_many_keys_for_somebody() {
        let mut t = Tracking::new(Seed([1, 2]));
        let number = t.start(ClientId::NOBODY);
        for key in [b"a", b"b"] {
            t.table.remember(key, number);
        }
        t.set_limit(2);
        assert!(!t.crowded);
        t.set_limit(1);
        assert!(t.crowded);
        t.set_limit(0);
        assert!(!t.crowded, "no limit");
        t.set_limit(1);
        assert!(!t.is_unused_since(0, 5));
        t.stop(ClientId::NOBODY, &[]);
        assert!(!t.crowded && t.is_over() && !t.is_idle());
        assert!(!t.is_unused_since(5, 15) && t.is_unused_since(6, 16));
        assert_eq!(t.take_table().len(), 2);
        assert!(t.is_idle());
    }
}
