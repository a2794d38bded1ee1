//! Clients parked on keys, and the keys that have become ready for them.
//!
//! A client that can't be served is parked: its command is kept in its session, and it is listed
//! here under every key it waits for. A write that may serve it reports the key as ready; when the
//! writing command is done, the dispatcher runs the parked commands again, first come first served.
//!
//! Those who wait for a key stand in lines: one for each thing that can be wanted of it. So a wake
//! costs what it wakes, however many wait: when the first of a line finds nothing, neither will the
//! others. A place is a number that grows with time, the same in all lines of a client.
//!
//! A key that goes, or comes to hold another type, is reported too if somebody listed under it has
//! to know. Nobody records deletions for that alone: while `waits_for_deletion` says so, every
//! change of a key is looked at.
//!
//! Invariants: a parked client is in one line under each of its keys, at its place; no line is
//! empty; a key is in `ready` at most once; `for_deletion` is the number of clients that have to
//! know of deletions. Absent by design: nothing here replies to anybody.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::rc::Rc;

use crate::keyspace::waiting::{Reads, Waiting, Wants};
use crate::net::clients::ClientId;
use crate::util::lines::Lines;
use crate::util::sparse::shrink;
use crate::value::Type;

type BlockedKey = (u32, Vec<u8>);

/// When a client came.
pub(crate) type Place = u64;

/// What those of one line want.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Kind {
    pub wants: Wants,
    pub reads: Option<Reads>,
}

/// Who waits for a key: the clients of each line by their places.
#[derive(Debug, Default)]
struct Queue {
    lines: HashMap<Rc<Kind>, BTreeMap<Place, ClientId>>,
}

impl Queue {
    fn push(&mut self, kind: Kind, place: Place, id: ClientId) {
        self.lines.entry(Rc::new(kind)).or_default().insert(place, id);
    }

    fn remove(&mut self, kind: &Kind, place: Place) {
        let Some(line) = self.lines.get_mut(kind) else { return };
        line.remove(&place);
        if line.is_empty() {
            self.lines.remove(kind);
            shrink(&mut self.lines);
        }
    }

    /// Whether somebody wants it so. O(lines).
    fn any(&self, is: impl Fn(Wants) -> bool) -> bool {
        self.lines.keys().any(|kind| is(kind.wants))
    }
}

#[derive(Debug, Default)]
pub(crate) struct Blocked {
    waiters: HashMap<BlockedKey, Queue>,
    /// The places of clients that wait for keys.
    places: HashMap<ClientId, Place>,
    next_place: Place,
    ready: VecDeque<BlockedKey>,
    queued: HashSet<BlockedKey>,
    clients: usize,
    /// How many of them give up in time.
    timed: usize,
    for_deletion: usize,
    /// Clients that wait for offsets, or for the server's end, first come first.
    for_server: Vec<ClientId>,
}

/// The lines of a key while it is served: where each goes on.
#[derive(Debug)]
pub(crate) struct Serving {
    key: BlockedKey,
    lines: Vec<Rc<Kind>>,
    /// Where each line goes on, by the number of the line.
    heads: BTreeSet<(Place, usize)>,
    /// Who comes later parked again, and is not tried twice.
    until: Place,
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
    /// up. O(keys * log clients).
    pub(crate) fn park(&mut self, id: ClientId, waiting: &Waiting, timed: bool) {
        self.clients += 1;
        self.timed += usize::from(timed);
        let Waiting::Keys { db, keys, wants, reads, .. } = waiting else {
            return self.for_server.push(id);
        };
        self.for_deletion += usize::from(wants.wakes_on_deletion);
        let place = self.next_place;
        self.next_place += 1;
        self.places.insert(id, place);
        for key in keys {
            // A key that the client names twice has it once.
            let queue = self.waiters.entry((*db, key.clone())).or_default();
            queue.push(Kind { wants: *wants, reads: reads.clone() }, place, id);
        }
    }

    /// Takes a client off all its keys. O(keys * log clients).
    pub(crate) fn unpark(&mut self, id: ClientId, waiting: &Waiting, timed: bool) {
        self.clients -= 1;
        self.timed -= usize::from(timed);
        let Waiting::Keys { db, keys, wants, reads, .. } = waiting else {
            return self.for_server.retain(|other| *other != id);
        };
        self.for_deletion -= usize::from(wants.wakes_on_deletion);
        let Some(place) = self.places.remove(&id) else { return };
        shrink(&mut self.places);
        let kind = Kind { wants: *wants, reads: reads.clone() };
        for key in keys {
            let key = (*db, key.clone());
            if let Some(queue) = self.waiters.get_mut(&key) {
                queue.remove(&kind, place);
                if queue.lines.is_empty() {
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
    /// it if that is the end of what somebody waits on. O(lines).
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

    /// Begins to serve those who wait for a key now. O(lines).
    pub(crate) fn serve(&self, key: BlockedKey) -> Serving {
        let (mut lines, mut heads) = (Vec::new(), BTreeSet::new());
        for (kind, line) in self.waiters.get(&key).into_iter().flat_map(|queue| &queue.lines) {
            if let Some((place, _)) = line.first_key_value() {
                heads.insert((*place, lines.len()));
                lines.push(kind.clone());
            }
        }
        Serving { key, lines, heads, until: self.next_place }
    }

    /// The next to be served, first come first, with place and number of the line. Whoever asks
    /// says by `go_on` whether the line goes on behind it. O(log clients).
    pub(crate) fn next(&self, serving: &mut Serving) -> Option<(ClientId, Place, usize)> {
        let lines = &self.waiters.get(&serving.key)?.lines;
        while let Some((from, number)) = serving.heads.pop_first() {
            let line = lines.get(&serving.lines[number]);
            let first = line.and_then(|line| line.range(from..serving.until).next());
            let Some((&place, &id)) = first else { continue };
            // Others may come before the one at which this line goes on.
            if place > from && serving.heads.first().is_some_and(|(at, _)| *at < place) {
                serving.heads.insert((place, number));
                continue;
            }
            return Some((id, place, number));
        }
        None
    }

    #[cfg(test)]
    /// Who waits for a key, first come first.
    pub(crate) fn waiting_for(&self, key: &BlockedKey) -> Vec<ClientId> {
        let mut serving = self.serve(key.clone());
        let mut all = Vec::new();
        while let Some((id, place, line)) = self.next(&mut serving) {
            all.push(id);
            serving.go_on(place, line);
        }
        all
    }
}

impl Serving {
    pub(crate) fn key(&self) -> &BlockedKey {
        &self.key
    }

    /// What those of a line want.
    pub(crate) fn kind(&self, line: usize) -> &Kind {
        &self.lines[line]
    }

    /// The line goes on behind this place.
    pub(crate) fn go_on(&mut self, place: Place, line: usize) {
        self.heads.insert((place + 1, line));
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
            reads: None,
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
    fn lines_are_served_by_place_and_can_be_left() {
        let ids = [1, 2, 3, 4, 5].map(|n| ClientId::from_token(mio::Token(n), 0));
        let (mut b, plain, knows) = (Blocked::default(), keys(&["a"], false), keys(&["a"], true));
        for (i, id) in ids.iter().enumerate() {
            b.park(*id, if i % 2 == 0 { &plain } else { &knows }, false);
        }
        assert_eq!(b.waiting_for(&(0, b"a".to_vec())), ids);
        let mut serving = b.serve((0, b"a".to_vec()));
        let (id, place, line) = b.next(&mut serving).expect("somebody");
        assert_eq!(id, ids[0]);
        serving.go_on(place, line);
        // The line of the second is not gone on with, and the third is gone.
        assert_eq!(b.next(&mut serving).map(|next| next.0), Some(ids[1]));
        b.unpark(ids[2], &plain, false);
        b.park(ids[2], &plain, false);
        let (id, place, line) = b.next(&mut serving).expect("somebody");
        assert_eq!(id, ids[4]);
        serving.go_on(place, line);
        assert!(b.next(&mut serving).is_none(), "who parks again is not tried twice");
        assert_eq!(b.waiting_for(&(0, b"a".to_vec())), [0, 1, 3, 4, 2].map(|i| ids[i]));
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
