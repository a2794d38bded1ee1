//! Who listens to which channel, pattern and shard channel. Holds ids only; messages are delivered
//! by the server.
//!
//! How many subscriptions a client has, and what they take, is known here alone. Its session knows
//! whether it has any: whoever changes something here says so by `Server::listed`.
//!
//! Invariants: a client with a subscription has an entry in `of_client`, and is listed once under
//! each of its names; `bytes` is the sum over its subscriptions.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::net::clients::ClientId;
use crate::util::glob;
use crate::util::lines::Lines;
use crate::util::sparse::shrink;

#[derive(Debug, Default)]
pub(crate) struct PubSub {
    channels: HashMap<Vec<u8>, Vec<ClientId>>,
    patterns: BTreeMap<Vec<u8>, Vec<ClientId>>,
    shard: HashMap<Vec<u8>, Vec<ClientId>>,
    of_client: HashMap<ClientId, Subscriptions>,
}

/// What a subscription takes beside its name: its place in the client's list and in the channel's.
const SUBSCRIPTION: usize = 40;

/// What one client is subscribed to. Sets: one client may have a hundred thousand channels.
#[derive(Debug, Default)]
struct Subscriptions {
    channels: BTreeSet<Vec<u8>>,
    patterns: BTreeSet<Vec<u8>>,
    shard: BTreeSet<Vec<u8>>,
    bytes: usize,
}

/// How many subscriptions of each kind a client has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub channels: usize,
    pub patterns: usize,
    pub shard: usize,
}

impl Counts {
    /// The number that a change of one kind is answered with. Shard channels are counted on their
    /// own.
    pub(crate) fn told(self, kind: Kind) -> usize {
        if kind == Kind::Shard { self.shard } else { self.channels + self.patterns }
    }
}

/// A plain channel, a glob pattern, or a channel of one shard of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Channel,
    Pattern,
    Shard,
}

impl Subscriptions {
    fn of(&mut self, kind: Kind) -> &mut BTreeSet<Vec<u8>> {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
            Kind::Shard => &mut self.shard,
        }
    }
}

impl PubSub {
    pub(crate) fn is_empty(&self) -> bool {
        self.of_client.is_empty()
    }
    /// Channels with a subscriber.
    pub(crate) fn channels(&self) -> usize {
        self.channels.len()
    }
    /// Different patterns with a subscriber.
    pub(crate) fn patterns(&self) -> usize {
        self.patterns.len()
    }

    /// INFO stats.
    pub(crate) fn info(&self, o: &mut Lines) {
        o.add("pubsub_channels", self.channels());
        o.add("pubsub_patterns", self.patterns());
        o.add("pubsubshard_channels", self.shard_channels());
    }

    /// Subscribes a client; false if it was already.
    pub(crate) fn subscribe(&mut self, id: ClientId, kind: Kind, name: &[u8]) -> bool {
        let list = match kind {
            Kind::Channel => self.channels.entry(name.to_vec()).or_default(),
            Kind::Pattern => self.patterns.entry(name.to_vec()).or_default(),
            Kind::Shard => self.shard.entry(name.to_vec()).or_default(),
        };
        let own = self.of_client.entry(id).or_default();
        if !own.of(kind).insert(name.to_vec()) {
            return false;
        }
        own.bytes += name.len() + SUBSCRIPTION;
        list.push(id);
        true
    }

    /// Ends a subscription; false if there was none.
    pub(crate) fn unsubscribe(&mut self, id: ClientId, kind: Kind, name: &[u8]) -> bool {
        let Some(own) = self.of_client.get_mut(&id) else { return false };
        if !own.of(kind).remove(name) {
            return false;
        }
        own.bytes -= name.len() + SUBSCRIPTION;
        if own.channels.is_empty() && own.patterns.is_empty() && own.shard.is_empty() {
            self.of_client.remove(&id);
            shrink(&mut self.of_client);
        }
        let leave = |ids: &mut Vec<ClientId>| {
            ids.retain(|&other| other != id);
            ids.is_empty()
        };
        match kind {
            Kind::Channel => {
                if self.channels.get_mut(name).is_some_and(leave) {
                    self.channels.remove(name);
                    shrink(&mut self.channels);
                }
            }
            Kind::Pattern => {
                if self.patterns.get_mut(name).is_some_and(leave) {
                    self.patterns.remove(name);
                }
            }
            Kind::Shard => {
                if self.shard.get_mut(name).is_some_and(leave) {
                    self.shard.remove(name);
                    shrink(&mut self.shard);
                }
            }
        }
        true
    }

    /// Names a client is subscribed to, in order.
    pub(crate) fn of(&self, id: ClientId, kind: Kind) -> Vec<Vec<u8>> {
        let own = self.of_client.get(&id);
        own.map_or_else(Vec::new, |s| {
            let names = match kind {
                Kind::Channel => &s.channels,
                Kind::Pattern => &s.patterns,
                Kind::Shard => &s.shard,
            };
            names.iter().cloned().collect()
        })
    }

    /// How many a client is subscribed to. O(1).
    pub(crate) fn counts(&self, id: ClientId) -> Counts {
        self.of_client.get(&id).map_or_else(Counts::default, |own| Counts {
            channels: own.channels.len(),
            patterns: own.patterns.len(),
            shard: own.shard.len(),
        })
    }

    /// What its subscriptions take; None if it has none. O(1).
    pub(crate) fn bytes(&self, id: ClientId) -> Option<usize> {
        self.of_client.get(&id).map(|own| own.bytes)
    }

    /// Ends all subscriptions of a client; whether it had any.
    pub(crate) fn forget(&mut self, id: ClientId) -> bool {
        let had = self.of_client.contains_key(&id);
        for kind in [Kind::Channel, Kind::Pattern, Kind::Shard] {
            for name in self.of(id, kind) {
                self.unsubscribe(id, kind, &name);
            }
        }
        had
    }

    pub(crate) fn subscribers(&self, channel: &[u8]) -> &[ClientId] {
        self.channels.get(channel).map_or(&[], Vec::as_slice)
    }

    /// Who is subscribed to a shard channel.
    pub(crate) fn shard_subscribers(&self, channel: &[u8]) -> &[ClientId] {
        self.shard.get(channel).map_or(&[], Vec::as_slice)
    }

    /// Shard channels with a subscriber.
    pub(crate) fn shard_channels(&self) -> usize {
        self.shard.len()
    }

    /// Patterns that match the channel, with their subscribers.
    pub(crate) fn matching<'a>(
        &'a self,
        channel: &'a [u8],
    ) -> impl Iterator<Item = (&'a [u8], &'a [ClientId])> {
        let all = self.patterns.iter().filter(move |(p, _)| glob::matches(p, channel, false));
        all.map(|(pattern, ids)| (&pattern[..], &ids[..]))
    }

    /// Channels (`Shard`: shard channels) with subscribers, those that match a pattern if one is
    /// given.
    pub(crate) fn active(&self, kind: Kind, pattern: Option<&[u8]>) -> Vec<&[u8]> {
        let map = if kind == Kind::Shard { &self.shard } else { &self.channels };
        let all = map.keys().map(Vec::as_slice);
        all.filter(|c| pattern.is_none_or(|p| glob::matches(p, c, false))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_leaves_is_nowhere() {
        let mut p = PubSub::default();
        let id = ClientId::NOBODY;
        assert!(p.subscribe(id, Kind::Channel, b"a") && !p.subscribe(id, Kind::Channel, b"a"));
        assert!(p.subscribe(id, Kind::Pattern, b"a*"));
        assert_eq!((p.subscribers(b"a").len(), p.matching(b"ab").count()), (1, 1));
        assert!(p.subscribe(id, Kind::Shard, b"a") && p.shard_subscribers(b"a").len() == 1);
        assert_eq!(p.active(Kind::Shard, Some(b"*")), [b"a"]);
        let counts = Counts { channels: 1, patterns: 1, shard: 1 };
        assert_eq!((p.counts(id), p.bytes(id)), (counts, Some(4 + 3 * SUBSCRIPTION)));
        assert_eq!((counts.told(Kind::Pattern), counts.told(Kind::Shard)), (2, 1));
        assert!(p.unsubscribe(id, Kind::Channel, b"a") && !p.unsubscribe(id, Kind::Channel, b"a"));
        assert_eq!(p.bytes(id), Some(3 + 2 * SUBSCRIPTION));
        assert!(p.forget(id) && !p.forget(id));
        assert_eq!((p.counts(id), p.bytes(id)), (Counts::default(), None));
        assert!(p.is_empty() && p.channels() == 0 && p.patterns() == 0 && p.shard_channels() == 0);
    }

    #[test]
    fn many_channels_leave_no_room_behind() {
        let mut p = PubSub::default();
        for kind in [Kind::Channel, Kind::Shard] {
            for n in 0..10_000u32 {
                p.subscribe(ClientId::NOBODY, kind, &n.to_be_bytes());
            }
        }
        p.forget(ClientId::NOBODY);
        assert!(p.channels.capacity() < 200 && p.shard.capacity() < 200);
    }
}
