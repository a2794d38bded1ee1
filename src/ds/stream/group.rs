//! Consumer groups: how far a group has read, who reads for it, and what is delivered but not done.
//!
//! What is pending is kept once, in the group, by ID: who has it, since when, how often it was
//! delivered. A consumer has the IDs of its own, in order. A consumer is known by a number inside
//! its group, so that what is pending names it in four bytes.
//!
//! What was given back (XNACK) is pending and nobody's. It is delivered again before anything else,
//! in the order in which it was given back. Which of the others was delivered first is known only
//! once somebody has asked for it: the index costs as much as what is pending itself.
//!
//! Invariants (`check` walks them): an ID is in the set of the consumer that its pending entry
//! names, and in no other; each name leads to a consumer of that name; what is nobody's is in
//! `released`, and nothing else; `by_time`, if it is there, has all that is somebody's.

use super::id::Id;
use super::times::Times;
use std::collections::{BTreeMap, BTreeSet};

/// The groups of a stream by name.
pub(crate) type Groups = BTreeMap<Box<[u8]>, Group>;

/// A consumer's number in its group.
pub(crate) type Slot = u32;

/// In place of a consumer's number: what is pending is nobody's.
pub(crate) const NOBODY: Slot = Slot::MAX;

/// A delivery that is not done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Pending {
    /// Who has it, or `NOBODY`.
    pub(crate) consumer: Slot,
    /// When it was delivered; 0 if it is nobody's.
    pub(crate) delivered_ms: i64,
    pub(crate) deliveries: u64,
}

/// How often an entry is delivered at most, and which stream it moves to then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) deliveries: u64,
    pub(crate) key: Box<[u8]>,
}

/// What is pending and nobody's, in the order in which it was given back.
#[derive(Clone, Debug, Default)]
struct Released {
    by_turn: BTreeMap<u64, Id>,
    turns: BTreeMap<Id, u64>,
    next: u64,
}

impl Released {
    fn push(&mut self, id: Id) {
        self.remove(id);
        self.by_turn.insert(self.next, id);
        self.turns.insert(id, self.next);
        self.next += 1;
    }

    fn remove(&mut self, id: Id) {
        if let Some(turn) = self.turns.remove(&id) {
            self.by_turn.remove(&turn);
        }
    }
}

/// One who reads for a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Consumer {
    pub(crate) name: Box<[u8]>,
    /// When it last asked for something.
    pub(crate) seen_ms: i64,
    /// When it last got something; -1: never.
    pub(crate) active_ms: i64,
    pending: BTreeSet<Id>,
}

impl Consumer {
    /// What it has and has not done.
    pub(crate) fn pending(&self) -> &BTreeSet<Id> {
        &self.pending
    }
}

/// A group.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// The last entry that was delivered.
    pub(crate) last_id: Id,
    /// How many entries of the stream it has read, as far as known.
    pub(crate) entries_read: Option<i64>,
    pub(crate) limit: Option<Box<Limit>>,
    pending: BTreeMap<Id, Pending>,
    names: BTreeMap<Box<[u8]>, Slot>,
    consumers: Vec<Option<Consumer>>,
    /// Numbers that were given back.
    free: Vec<Slot>,
    released: Option<Box<Released>>,
    /// What is somebody's, by the time of its delivery.
    by_time: Option<Times>,
}

impl Group {
    /// A group that has read up to `last_id`.
    pub(crate) fn new(last_id: Id, entries_read: Option<i64>) -> Group {
        let (pending, names, consumers, free) = Default::default();
        let (limit, released, by_time) = (None, None, None);
        Group { last_id, entries_read, limit, pending, names, consumers, free, released, by_time }
    }

    /// What is delivered but not done, by ID.
    pub(crate) fn pending(&self) -> &BTreeMap<Id, Pending> {
        &self.pending
    }

    /// The number of a consumer. O(log consumers).
    pub(crate) fn find(&self, name: &[u8]) -> Option<Slot> {
        self.names.get(name).copied()
    }

    /// A consumer that is there.
    pub(crate) fn consumer(&self, slot: Slot) -> &Consumer {
        self.consumers[slot as usize].as_ref().expect("a consumer of this number")
    }

    /// The name of the consumer that has something pending; empty if nobody has it.
    pub(crate) fn owner(&self, pending: &Pending) -> &[u8] {
        match pending.consumer {
            NOBODY => b"",
            slot => &self.consumer(slot).name,
        }
    }

    /// A consumer that is there, to change it.
    pub(crate) fn consumer_mut(&mut self, slot: Slot) -> &mut Consumer {
        self.consumers[slot as usize].as_mut().expect("a consumer of this number")
    }

    /// Number of consumers. O(1).
    pub(crate) fn consumer_count(&self) -> usize {
        self.names.len()
    }

    /// Consumers by name.
    pub(crate) fn consumers(&self) -> impl Iterator<Item = &Consumer> {
        self.names.values().map(|slot| self.consumer(*slot))
    }

    /// Adds a consumer that isn't there. O(log consumers).
    pub(crate) fn add_consumer(&mut self, name: &[u8], now_ms: i64) -> Slot {
        let consumer = Consumer {
            name: name.into(),
            seen_ms: now_ms,
            active_ms: -1,
            pending: BTreeSet::new(),
        };
        let slot = self.free.pop().unwrap_or_else(|| {
            self.consumers.push(None);
            (self.consumers.len() - 1) as Slot
        });
        self.consumers[slot as usize] = Some(consumer);
        self.names.insert(name.into(), slot);
        slot
    }

    /// Removes a consumer with what it has not done; returns how much that was.
    /// O(that * log pending).
    pub(crate) fn remove_consumer(&mut self, slot: Slot) -> usize {
        let consumer = self.consumers[slot as usize].take().expect("a consumer of this number");
        self.names.remove(&consumer.name);
        self.free.push(slot);
        if self.names.is_empty() {
            (self.consumers, self.free) = Default::default();
        }
        for id in &consumer.pending {
            let old = self.pending.remove(id);
            if let (Some(by_time), Some(old)) = (&mut self.by_time, old) {
                by_time.remove((old.delivered_ms, *id));
            }
        }
        consumer.pending.len()
    }

    /// A consumer has got an entry, for the first time as far as it knows. O(log pending).
    pub(crate) fn deliver(&mut self, id: Id, consumer: Slot, now_ms: i64) -> Pending {
        let new = Pending { consumer, delivered_ms: now_ms, deliveries: 1 };
        self.put(id, new);
        self.consumer_mut(consumer).active_ms = now_ms;
        new
    }

    /// Sets what is pending under an ID, for a consumer. O(log pending).
    pub(crate) fn put(&mut self, id: Id, new: Pending) {
        let old = self.pending.insert(id, new);
        if let Some(old) = old {
            self.forget_time(id, old);
            if old.consumer != new.consumer {
                self.forget_owner(id, old);
            }
        }
        if let Some(by_time) = &mut self.by_time {
            by_time.insert((new.delivered_ms, id));
        }
        if old.is_none_or(|old| old.consumer != new.consumer) {
            self.consumer_mut(new.consumer).pending.insert(id);
        }
    }

    /// Something is done, or gone; returns what was pending. O(log pending).
    pub(crate) fn remove(&mut self, id: Id) -> Option<Pending> {
        let old = self.pending.remove(&id)?;
        self.forget_time(id, old);
        self.forget_owner(id, old);
        Some(old)
    }

    /// Something is pending and nobody's: it waits behind all that was given back before.
    /// O(log pending).
    pub(crate) fn release(&mut self, id: Id, deliveries: u64) {
        let old =
            self.pending.insert(id, Pending { consumer: NOBODY, delivered_ms: 0, deliveries });
        if let Some(old) = old {
            self.forget_time(id, old);
            self.forget_owner(id, old);
        }
        self.released.get_or_insert_default().push(id);
    }

    fn forget_owner(&mut self, id: Id, old: Pending) {
        match old.consumer {
            NOBODY => {
                if let Some(released) = &mut self.released {
                    released.remove(id);
                }
            }
            slot => {
                self.consumer_mut(slot).pending.remove(&id);
            }
        }
    }

    fn forget_time(&mut self, id: Id, old: Pending) {
        if let Some(by_time) = &mut self.by_time {
            by_time.remove((old.delivered_ms, id));
        }
    }

    /// What is nobody's, in the order in which it was given back.
    pub(crate) fn released(&self) -> impl Iterator<Item = Id> {
        self.released.iter().flat_map(|released| released.by_turn.values().copied())
    }

    /// How much is nobody's. O(1).
    pub(crate) fn released_count(&self) -> usize {
        self.released.as_ref().map_or(0, |released| released.by_turn.len())
    }

    /// Knows from now on which delivery is the oldest. O(pending) the first time.
    pub(crate) fn index_times(&mut self) {
        if self.by_time.is_none() {
            let owned = self.pending.iter().filter(|(_, p)| p.consumer != NOBODY);
            let all = owned.map(|(id, p)| (p.delivered_ms, *id));
            self.by_time = Some(Times::new(all, self.pending.len()));
        }
    }

    /// What was delivered at `until_ms` or before, oldest first, behind what is nobody's. The times
    /// are indexed.
    ///
    /// Compat: of what was delivered within one millisecond, the lowest ID comes first.
    pub(crate) fn claimable(&self, until_ms: i64) -> impl Iterator<Item = Id> {
        let old = self.by_time.iter().flat_map(move |by_time| by_time.until(until_ms));
        self.released().chain(old.map(|(_, id)| id))
    }

    /// When the oldest delivery was, if the times are indexed; 0 if something is nobody's.
    pub(crate) fn oldest_delivery_ms(&self) -> Option<i64> {
        match self.released_count() {
            0 => self.by_time.as_ref()?.first().map(|(at, _)| at),
            _ => Some(0),
        }
    }

    /// Allocated bytes, about: trees of nodes of eleven are two thirds full.
    pub(crate) fn mem_bytes(&self) -> usize {
        const PENDING: usize = (size_of::<Id>() * 2 + size_of::<Pending>()) * 3 / 2;
        const RELEASED: usize = (size_of::<Id>() + 8) * 3;
        let consumer = |c: &Consumer| 2 * c.name.len() + size_of::<Consumer>() + 32;
        size_of::<Group>()
            + self.pending.len() * PENDING
            + self.by_time.as_ref().map_or(0, |times| times.mem_bytes())
            + self.released_count() * RELEASED
            + self.consumers().map(consumer).sum::<usize>()
    }

    /// Panics unless the invariants hold. O(n).
    #[cfg(test)]
    pub(crate) fn check(&self) {
        for (name, slot) in &self.names {
            assert_eq!(self.consumer(*slot).name, *name);
        }
        assert_eq!(self.consumers.iter().flatten().count(), self.names.len());
        assert_eq!(self.consumers.len(), self.names.len() + self.free.len());
        let of_consumers: usize = self.consumers().map(|c| c.pending.len()).sum();
        assert_eq!(of_consumers + self.released_count(), self.pending.len());
        for (id, pending) in &self.pending {
            if pending.consumer != NOBODY {
                assert!(self.consumer(pending.consumer).pending.contains(id));
            }
        }
        for id in self.released() {
            assert_eq!(self.pending[&id].consumer, NOBODY);
            assert_eq!(self.pending[&id].delivered_ms, 0);
        }
        if let Some(by_time) = &self.by_time {
            assert_eq!(by_time.check(), of_consumers);
            let all = by_time.until(i64::MAX);
            assert!(all.into_iter().all(|(at, id)| self.pending[&id].delivered_ms == at));
        }
    }
}

impl PartialEq for Group {
    /// The same consumers with the same deliveries, whatever their numbers.
    fn eq(&self, other: &Group) -> bool {
        let all = |group: &Group| -> Vec<(Id, Box<[u8]>, i64, u64)> {
            let one = |(id, p): (&Id, &Pending)| {
                (*id, group.owner(p).into(), p.delivered_ms, p.deliveries)
            };
            group.pending.iter().map(one).collect()
        };
        self.last_id == other.last_id
            && self.entries_read == other.entries_read
            && self.limit == other.limit
            && self.consumers().eq(other.consumers())
            && all(self) == all(other)
            && self.released().eq(other.released())
    }
}

impl Eq for Group {}
