//! Consumer groups: how far a group has read, who reads for it, and what is delivered but not done.
//!
//! What is pending is kept once, in the group, by ID: who has it, since when, how often it was
//! delivered. A consumer has the IDs of its own, in order. A consumer is known by a number inside
//! its group, so that what is pending names it in four bytes.
//!
//! Invariants (`check` walks them): an ID is in the set of the consumer that its pending entry
//! names, and in no other; each name leads to a consumer of that name.

use super::id::Id;
use std::collections::{BTreeMap, BTreeSet};

/// The groups of a stream by name.
pub(crate) type Groups = BTreeMap<Box<[u8]>, Group>;

/// A consumer's number in its group.
pub(crate) type Slot = u32;

/// A delivery that is not done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Pending {
    pub(crate) consumer: Slot,
    pub(crate) delivered_ms: i64,
    pub(crate) deliveries: u64,
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
    pending: BTreeMap<Id, Pending>,
    names: BTreeMap<Box<[u8]>, Slot>,
    consumers: Vec<Option<Consumer>>,
    /// Numbers that were given back.
    free: Vec<Slot>,
}

impl Group {
    /// A group that has read up to `last_id`.
    pub(crate) fn new(last_id: Id, entries_read: Option<i64>) -> Group {
        let (pending, names, consumers, free) = Default::default();
        Group { last_id, entries_read, pending, names, consumers, free }
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
        consumer.pending.iter().for_each(|id| {
            self.pending.remove(id);
        });
        consumer.pending.len()
    }

    /// A consumer has got an entry, for the first time as far as it knows. O(log pending).
    pub(crate) fn deliver(&mut self, id: Id, consumer: Slot, now_ms: i64) -> Pending {
        let new = Pending { consumer, delivered_ms: now_ms, deliveries: 1 };
        self.put(id, new);
        self.consumer_mut(consumer).active_ms = now_ms;
        new
    }

    /// Sets what is pending under an ID. O(log pending).
    pub(crate) fn put(&mut self, id: Id, new: Pending) {
        let old = self.pending.insert(id, new);
        if let Some(old) = old
            && old.consumer != new.consumer
        {
            self.consumer_mut(old.consumer).pending.remove(&id);
        }
        if old.is_none_or(|old| old.consumer != new.consumer) {
            self.consumer_mut(new.consumer).pending.insert(id);
        }
    }

    /// Something is done, or gone; returns what was pending. O(log pending).
    pub(crate) fn remove(&mut self, id: Id) -> Option<Pending> {
        let old = self.pending.remove(&id)?;
        self.consumer_mut(old.consumer).pending.remove(&id);
        Some(old)
    }

    /// Allocated bytes, about: trees of nodes of eleven are two thirds full.
    pub(crate) fn mem_bytes(&self) -> usize {
        const PENDING: usize = (size_of::<Id>() * 2 + size_of::<Pending>()) * 3 / 2;
        let consumer = |c: &Consumer| 2 * c.name.len() + size_of::<Consumer>() + 32;
        size_of::<Group>()
            + self.pending.len() * PENDING
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
        assert_eq!(of_consumers, self.pending.len());
        for (id, pending) in &self.pending {
            assert!(self.consumer(pending.consumer).pending.contains(id));
        }
    }
}

impl PartialEq for Group {
    /// The same consumers with the same deliveries, whatever their numbers.
    fn eq(&self, other: &Group) -> bool {
        let all = |group: &Group| -> Vec<(Id, Box<[u8]>, i64, u64)> {
            let one = |(id, p): (&Id, &Pending)| {
                (*id, group.consumer(p.consumer).name.clone(), p.delivered_ms, p.deliveries)
            };
            group.pending.iter().map(one).collect()
        };
        self.last_id == other.last_id
            && self.entries_read == other.entries_read
            && self.consumers().eq(other.consumers())
            && all(self) == all(other)
    }
}

impl Eq for Group {}
