//! What follows from a command, recorded while it runs and settled by the server afterwards.
//!
//! A command never notifies a watcher, publishes an event or feeds a replica by itself; it says
//! what it did. So the same function serves a client, EXEC, a script, a replica and a replayed
//! file.
//!
//! `armed` says which effects anybody listens for. It is computed before the call. When nobody
//! listens, recording costs one test and allocates nothing.
//!
//! Most calls have nothing to settle but counters, so everything else is kept aside (`Aside`).
//!
//! Invariant: `log` and `ops` are in the order in which the command acted.

use crate::value::Value;

/// Who listens; a set of bits.
pub(crate) type Armed = u8;
/// Somebody watches keys or may have cached them.
pub(crate) const TOUCHED: Armed = 1;
/// Keyspace events are configured.
pub(crate) const EVENTS: Armed = 2;
/// Somebody is parked on a key.
pub(crate) const READY: Armed = 4;
/// A replica, the append-only file or a test wants the stream of writes.
pub(crate) const STREAM: Armed = 8;
/// Some client caches what it reads: reads are remembered.
pub(crate) const CACHED: Armed = 16;
/// What clients write to this replica is not known to its primary.
pub(crate) const OWN_KEYS: Armed = 64;
/// Nobody listens: the running command may have its large argument, instead of a copy
/// (`Effects::keep`).
pub(crate) const LENT: Armed = 32;

/// Commands of some kind are noted in the audit log. The keyspace has no part in it.
pub(crate) const AUDITED: Armed = 128;

/// Classes of keyspace events, as letters of `notify-keyspace-events` choose them; a set of bits.
pub(crate) type EventClass = u16;
pub(crate) const EV_KEYSPACE: EventClass = 1;
pub(crate) const EV_KEYEVENT: EventClass = 1 << 1;
pub(crate) const EV_GENERIC: EventClass = 1 << 2;
pub(crate) const EV_STRING: EventClass = 1 << 3;
pub(crate) const EV_LIST: EventClass = 1 << 4;
pub(crate) const EV_SET: EventClass = 1 << 5;
pub(crate) const EV_HASH: EventClass = 1 << 6;
pub(crate) const EV_ZSET: EventClass = 1 << 7;
pub(crate) const EV_EXPIRED: EventClass = 1 << 8;
pub(crate) const EV_EVICTED: EventClass = 1 << 9;
pub(crate) const EV_STREAM: EventClass = 1 << 10;
pub(crate) const EV_KEY_MISS: EventClass = 1 << 11;
pub(crate) const EV_NEW: EventClass = 1 << 14;

/// One effect of a command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The key's value changed: watchers and caches must know. `own` says that the caller changed
    /// it; otherwise its time was up.
    Modified { db: u32, key: Vec<u8>, own: bool },
    /// A keyspace event of a class.
    Event { db: u32, class: EventClass, name: &'static str, key: Vec<u8> },
    /// The key came to be, or grew: clients parked on it may be served.
    Ready { db: u32, key: Vec<u8> },
}

/// One command of the stream that replicas and the append-only file get.
#[derive(Debug, PartialEq, Eq, Clone)]
pub(crate) struct Op {
    pub db: u32,
    pub argv: Vec<Vec<u8>>,
}

/// How the running command itself goes into the stream.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Propagate {
    /// As the client sent it, if it changed anything.
    #[default]
    AsIs,
    /// As the client sent it, to replicas alone: it leaves nothing behind (PUBLISH).
    ToReplicas,
    /// Not at all: it changed nothing that a replica must know, or has said it all by `also` or
    /// `rewrite`.
    Never,
}

/// Counters a call adds to the statistics.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counters {
    pub hits: u32,
    pub misses: u32,
    pub expired: u32,
    /// Fields of hashes.
    pub expired_fields: u32,
}

/// The record of one call.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub armed: Armed,
    pub db: u32,
    pub dirty: u64,
    pub counters: Counters,
    pub propagate: Propagate,
    aside: Option<Box<Aside>>,
}

/// What only a few calls leave behind.
#[derive(Debug, Default)]
pub(crate) struct Aside {
    pub log: Vec<Effect>,
    pub ops: Vec<Op>,
    /// The running command in another form, which means the same whenever it runs. It comes after
    /// `ops`.
    pub rewritten: Option<Op>,
    /// Values taken out of the keyspace that may be large; freed after the reply, on a helper
    /// thread if that is cheaper.
    pub dropped: Vec<Dropped>,
    pub kept: Option<Kept>,
}

/// A key whose value the large argument of the command is to become. An empty value holds its
/// place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub db: u32,
    pub key: Vec<u8>,
}

/// A value on its way out, and why: the lazyfree settings depend on it.
#[derive(Debug)]
pub(crate) struct Dropped {
    pub value: Value,
    pub why: Why,
}

/// Why a value is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// UNLINK: always lazily.
    Unlink,
    /// DEL: `lazyfree-lazy-user-del`.
    Del,
    /// Overwritten or emptied by a command: `lazyfree-lazy-server-del`.
    Overwrite,
    /// `lazyfree-lazy-expire`.
    Expire,
    /// `lazyfree-lazy-eviction`.
    Evict,
}

impl Effects {
    pub(crate) fn new(armed: Armed, db: u32) -> Effects {
        Effects { armed, db, ..Effects::default() }
    }

    fn aside(&mut self) -> &mut Aside {
        self.aside.get_or_insert_default()
    }

    /// Hands over what is to be settled beside the counters, if there is any.
    #[inline]
    pub(crate) fn take_aside(&mut self) -> Option<Box<Aside>> {
        self.aside.take()
    }

    /// Hands over the values that were taken out of the keyspace.
    pub(crate) fn take_dropped(&mut self) -> Vec<Dropped> {
        self.aside.as_mut().map_or(Vec::new(), |aside| std::mem::take(&mut aside.dropped))
    }

    #[cfg(test)]
    /// Commands for the stream, in order.
    pub(crate) fn ops(&self) -> &[Op] {
        self.aside.as_ref().map_or(&[], |aside| &aside.ops)
    }

    /// Adds a command to the stream, behind those that are there.
    pub(crate) fn push_op(&mut self, op: Op) {
        self.aside().ops.push(op);
    }

    /// The value at `key` changed. Counts one change.
    #[inline]
    pub(crate) fn modified(&mut self, key: &[u8]) {
        self.dirty += 1;
        self.touched(key);
    }

    /// Watchers must know of the value at `key`, though there is no change to count.
    #[inline]
    pub(crate) fn touched(&mut self, key: &[u8]) {
        self.touched_in(self.db, key);
    }

    #[inline(always)]
    pub(crate) fn touched_in(&mut self, db: u32, key: &[u8]) {
        if self.armed & TOUCHED != 0 {
            self.record_touch(db, key);
        }
    }

    #[cold]
    fn record_touch(&mut self, db: u32, key: &[u8]) {
        self.aside().log.push(Effect::Modified { db, key: key.into(), own: true });
    }

    /// The value at `key` is gone, or has lost a part, because a time has come. The caller has only
    /// noticed it.
    #[inline]
    pub(crate) fn lapsed(&mut self, key: &[u8]) {
        if self.armed & TOUCHED != 0 {
            let db = self.db;
            self.aside().log.push(Effect::Modified { db, key: key.into(), own: false });
        }
    }

    #[inline(always)] // One test; as a call it costs GET 17 instructions (callgrind).
    pub(crate) fn event(&mut self, class: EventClass, name: &'static str, key: &[u8]) {
        self.event_in(self.db, class, name, key);
    }

    #[inline(always)]
    pub(crate) fn event_in(&mut self, db: u32, class: EventClass, name: &'static str, key: &[u8]) {
        if self.armed & EVENTS != 0 {
            self.record_event(db, class, name, key);
        }
    }

    #[cold]
    fn record_event(&mut self, db: u32, class: EventClass, name: &'static str, key: &[u8]) {
        self.aside().log.push(Effect::Event { db, class, name, key: key.into() });
    }

    #[inline]
    pub(crate) fn ready(&mut self, key: &[u8]) {
        self.ready_in(self.db, key);
    }

    #[inline]
    pub(crate) fn ready_in(&mut self, db: u32, key: &[u8]) {
        if self.armed & READY != 0 {
            self.aside().log.push(Effect::Ready { db, key: key.into() });
        }
    }

    /// Whether what changes goes into a stream that somebody reads.
    pub(crate) fn is_streamed(&self) -> bool {
        self.armed & STREAM != 0
    }

    /// Adds a command of its own to the stream, before the running one.
    pub(crate) fn also(&mut self, argv: &[&[u8]]) {
        if self.armed & STREAM != 0 {
            let argv = argv.iter().map(|a| a.to_vec()).collect();
            self.push_op(Op { db: self.db, argv });
        }
    }

    /// The running command goes into the stream in this form instead.
    pub(crate) fn rewrite(&mut self, argv: &[&[u8]]) {
        if self.armed & STREAM != 0 {
            self.propagate = Propagate::Never;
            let argv = argv.iter().map(|a| a.to_vec()).collect();
            self.aside().rewritten = Some(Op { db: self.db, argv });
        }
    }

    /// Moves the rewritten form of the running command to the commands of their own.
    pub(crate) fn also_rewritten(&mut self) {
        if let Some(op) = self.aside.as_mut().and_then(|aside| aside.rewritten.take()) {
            self.propagate = Propagate::AsIs;
            self.push_op(op);
        }
    }

    /// The running command is for replicas too, though it changes no data.
    pub(crate) fn for_replicas(&mut self) {
        self.propagate = Propagate::ToReplicas;
    }

    pub(crate) fn dont_propagate(&mut self) {
        self.propagate = Propagate::Never;
    }

    /// Asks for the large argument of the command to become the value at `key`; false if the value
    /// must be a copy.
    ///
    /// The command only borrows its arguments. Their owner moves this one when the command has run.
    #[cold]
    pub(crate) fn keep(&mut self, key: &[u8]) -> bool {
        let lent = self.armed & LENT != 0;
        if lent {
            self.aside().kept = Some(Kept { db: self.db, key: key.into() });
        }
        lent
    }

    /// Hands over a value that is no longer in the keyspace. Small ones are freed on the spot.
    #[inline]
    pub(crate) fn drop_value(&mut self, value: Option<Value>, why: Why) {
        if let Some(value) = value
            && value.is_heavy()
        {
            self.aside().dropped.push(Dropped { value, why });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_listening_costs_no_memory() {
        let mut fx = Effects::new(0, 0);
        fx.modified(b"k");
        fx.event(EV_STRING, "set", b"k");
        fx.ready(b"k");
        fx.also(&[b"DEL", b"k"]);
        fx.rewrite(&[b"SET"]);
        assert!(fx.dirty == 1 && fx.aside.is_none());
        assert_eq!(fx.propagate, Propagate::AsIs);
    }

    #[test]
    fn consequences_keep_their_order() {
        let mut fx = Effects::new(TOUCHED | EVENTS, 3);
        fx.event(EV_GENERIC, "del", b"a");
        fx.modified(b"a");
        let event = Effect::Event { db: 3, class: EV_GENERIC, name: "del", key: b"a".to_vec() };
        assert_eq!(
            fx.aside().log,
            [event, Effect::Modified { db: 3, key: b"a".to_vec(), own: true }]
        );
        fx.lapsed(b"b");
        assert_eq!(fx.aside().log[2], Effect::Modified { db: 3, key: b"b".to_vec(), own: false });
    }
}
