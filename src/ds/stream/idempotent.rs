//! What a stream remembers of its producers, so that an entry that is sent twice is added once
//! (`XADD .. IDMP`, of Redis 8.6).
//!
//! A producer names each of its messages: its idempotent ID (`iid`). The stream keeps, for each
//! producer, which entry a message became, as long as the settings say: so many seconds, and so
//! many messages of each producer.
//!
//! How old a message is follows from the IDs of entries alone, never from the clock of the server
//! that holds it: a replica forgets what its primary forgets.
//!
//! Invariants (`check` walks them): `order` of a producer has its messages by entry; `by_age` has
//! each entry that some producer's message became, with the producer; no producer is empty.

use super::id::Id;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// For how long, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) seconds: u64,
    /// Messages of one producer.
    pub(crate) messages: u64,
}

impl Memory {
    pub(crate) const SECONDS_MAX: i64 = 86_400;
    pub(crate) const MESSAGES_MAX: i64 = 10_000;
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Producer {
    messages: BTreeMap<Arc<[u8]>, Id>,
    order: BTreeSet<(Id, Arc<[u8]>)>,
}

impl Producer {
    /// Forgets a message; whether no other one became the same entry.
    fn forget(&mut self, id: Id, message: &[u8]) -> bool {
        self.messages.remove(message);
        self.order.remove(&(id, message.into()));
        let from: (Id, Arc<[u8]>) = (id, Arc::default());
        self.order.range(from..).next().is_none_or(|next| next.0 != id)
    }
}

/// What is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Producers {
    memory: Memory,
    by_name: BTreeMap<Arc<[u8]>, Producer>,
    by_age: BTreeSet<(Id, Arc<[u8]>)>,
    /// Messages that were ever remembered, and that came once more.
    pub(crate) added: u64,
    pub(crate) duplicates: u64,
}

impl Producers {
    pub(crate) fn new(memory: Memory) -> Producers {
        let (by_name, by_age) = Default::default();
        Producers { memory, by_name, by_age, added: 0, duplicates: 0 }
    }

    pub(crate) fn memory(&self) -> Memory {
        self.memory
    }

    /// Other settings forget all that is remembered; the same ones change nothing.
    pub(crate) fn set_memory(&mut self, memory: Memory) {
        if self.memory != memory {
            self.memory = memory;
            self.by_name.clear();
            self.by_age.clear();
        }
    }

    /// Whether an entry is too old at that time for its message to be remembered.
    fn is_over(&self, id: Id, now_ms: u64) -> bool {
        now_ms > id.ms.saturating_add(self.memory.seconds * 1000)
    }

    /// The entry that a message became, if that is remembered. O(log messages).
    pub(crate) fn find(&self, producer: &[u8], message: &[u8], now_ms: u64) -> Option<Id> {
        let id = *self.by_name.get(producer)?.messages.get(message)?;
        (!self.is_over(id, now_ms)).then_some(id)
    }

    /// The same, whatever its age.
    pub(crate) fn find_any(&self, producer: &[u8], message: &[u8]) -> Option<Id> {
        self.by_name.get(producer)?.messages.get(message).copied()
    }

    /// A message became this entry, which is the youngest of all. What is too old then, or too
    /// much, is forgotten. Amortised O(log messages).
    pub(crate) fn remember(&mut self, producer: &[u8], message: &[u8], id: Id) {
        self.forget_older(id.ms);
        self.insert(producer, message, id);
        self.added = self.added.wrapping_add(1);
    }

    /// A message became this entry, which may be older than others.
    pub(crate) fn insert(&mut self, producer: &[u8], message: &[u8], id: Id) {
        let most = self.memory.messages as usize;
        let name = match self.by_name.get_key_value(producer) {
            Some((name, _)) => name.clone(),
            None => producer.into(),
        };
        let of = self.by_name.entry(name.clone()).or_default();
        if let Some(old) = of.messages.get(message).copied()
            && of.forget(old, message)
        {
            self.by_age.remove(&(old, name.clone()));
        }
        let message: Arc<[u8]> = message.into();
        of.messages.insert(message.clone(), id);
        of.order.insert((id, message));
        self.by_age.insert((id, name.clone()));
        while of.order.len() > most {
            let Some((id, message)) = of.order.pop_first() else { break };
            of.messages.remove(&message);
            if of.order.first().is_none_or(|first| first.0 != id) {
                self.by_age.remove(&(id, name.clone()));
            }
        }
    }

    fn forget_older(&mut self, now_ms: u64) {
        while let Some((id, name)) = self.by_age.first().cloned() {
            if !self.is_over(id, now_ms) {
                break;
            }
            self.by_age.pop_first();
            let Some(of) = self.by_name.get_mut(&name) else { continue };
            while of.order.first().is_some_and(|first| first.0 <= id) {
                if let Some((_, message)) = of.order.pop_first() {
                    of.messages.remove(&message);
                }
            }
            if of.order.is_empty() {
                self.by_name.remove(&name);
            }
        }
    }

    /// How many producers have messages that are remembered at that time, and how many messages.
    /// O(those that are too old * log messages), and a step for each producer if there are such.
    pub(crate) fn counts(&self, now_ms: u64) -> (usize, usize) {
        if self.by_age.first().is_some_and(|(id, _)| self.is_over(*id, now_ms)) {
            let mut younger = self.clone();
            younger.forget_older(now_ms);
            return younger.counts(now_ms);
        }
        (self.by_name.len(), self.by_name.values().map(|of| of.order.len()).sum())
    }

    /// Whether there are messages of this producer. O(log producers).
    pub(crate) fn knows(&self, producer: &[u8]) -> bool {
        self.by_name.contains_key(producer)
    }

    /// Number of producers. O(1).
    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Each producer with how many messages it has, and these, oldest first, with their entries.
    pub(crate) fn iter(
        &self,
    ) -> impl Iterator<Item = (&[u8], usize, impl Iterator<Item = (&[u8], Id)>)> {
        self.by_name.iter().map(|(name, of)| {
            (&name[..], of.order.len(), of.order.iter().map(|(id, message)| (&message[..], *id)))
        })
    }

    /// Allocated bytes, about: trees of nodes of eleven are two thirds full.
    pub(crate) fn mem_bytes(&self) -> usize {
        const EACH: usize = (size_of::<(Id, Arc<[u8]>)>() * 3 + 16) * 3 / 2;
        let of = |(name, of): (&Arc<[u8]>, &Producer)| {
            let messages: usize = of.messages.keys().map(|m| m.len() + EACH + 16).sum();
            name.len() + size_of::<Producer>() + messages
        };
        size_of::<Producers>() + self.by_name.iter().map(of).sum::<usize>()
    }

    /// Panics unless the invariants hold. O(n).
    #[cfg(test)]
    pub(crate) fn check(&self) {
        let mut by_age = BTreeSet::new();
        for (name, of) in &self.by_name {
            assert!(!of.order.is_empty() && of.order.len() == of.messages.len());
            assert!(of.order.len() as u64 <= self.memory.messages);
            for (id, message) in &of.order {
                assert_eq!(of.messages[message], *id);
                by_age.insert((*id, name.clone()));
            }
        }
        assert_eq!(by_age, self.by_age);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_remembered_for_a_time_and_up_to_a_number() {
        let mut all = Producers::new(Memory { seconds: 10, messages: 2 });
        let id = |ms| Id::new(ms, 0);
        all.remember(b"p", b"a", id(1000));
        all.remember(b"q", b"a", id(2000));
        all.check();
        assert_eq!(all.find(b"p", b"a", 11_000), Some(id(1000)));
        assert_eq!(all.find(b"p", b"a", 11_001), None);
        assert_eq!(
            (all.counts(2000), all.counts(11_001), all.counts(99_000)),
            ((2, 2), (1, 1), (0, 0))
        );
        all.remember(b"p", b"b", id(3000));
        all.remember(b"p", b"c", id(4000));
        all.check();
        assert_eq!(all.find(b"p", b"a", 4000), None, "the third of a producer");
        assert_eq!(all.find(b"q", b"a", 4000), Some(id(2000)));
        all.remember(b"p", b"d", id(12_001));
        all.check();
        assert_eq!((all.len(), all.find_any(b"q", b"a")), (1, None), "it was too old");
        all.remember(b"p", b"d", id(12_500));
        all.check();
        assert_eq!((all.find_any(b"p", b"d"), all.added), (Some(id(12_500)), 6));
        // Two messages of a producer may be the same entry; one of them becomes another.
        all.insert(b"p", b"e", id(12_500));
        all.insert(b"p", b"d", id(12_600));
        all.check();
        assert_eq!(all.counts(22_501), (1, 1));
        all.set_memory(Memory { seconds: 10, messages: 2 });
        assert_eq!(all.len(), 1);
        all.set_memory(Memory { seconds: 9, messages: 2 });
        all.check();
        assert_eq!((all.len(), all.added), (0, 6));
    }
}
