//! Consequences of a command, applied in the order in which it recorded them.

use crate::keyspace::effects::{self, Aside, Dropped, Effect, Effects, EventClass};
use crate::server::parts::Server;
use crate::server::parts::exec::Keeper;
use crate::server::parts::stream;
use crate::watch::Found;

impl Server {
    /// Applies one call's effects; whether there were any. The common call has none, and costs one test.
    #[inline]
    pub(crate) fn settle(&mut self, fx: &mut Effects) -> bool {
        let aside = fx.take_aside();
        let any = aside.is_some();
        if let Some(aside) = aside {
            self.settle_aside(*aside);
        }
        any
    }

    fn settle_aside(&mut self, aside: Aside) {
        aside.log.into_iter().for_each(|effect| self.settle_effect(effect));
        for op in &aside.ops {
            self.stream.add(op.db, op.argv.iter().map(Vec::as_slice), stream::ALL);
        }
        self.drop_values(aside.dropped);
        if let Some(kept) = aside.kept {
            self.exec.kept = Some(Keeper::Key(kept));
        }
    }

    /// Frees the values that a call took out of the keyspace.
    pub(crate) fn drop_values(&mut self, dropped: Vec<Dropped>) {
        dropped.into_iter().for_each(|d| self.drop_value(d));
    }

    fn settle_effect(&mut self, effect: Effect) {
        match effect {
            Effect::Modified { db, key, own } => {
                self.break_watchers(db, &key, own);
                let by = self.exec.unit.client.filter(|_| own);
                self.invalidate(&key, by);
            }
            Effect::Event { db, class, name, key } => self.notify(db, class, name, &key),
            Effect::Ready { db, key } => self.blocked.signal(db, &key),
        }
    }

    /// A watcher of a key of database `n` that is about to be flushed sees it go.
    pub(crate) fn break_flushed_watches(&mut self, n: u32) {
        let Server { watch, clients, ks, clock, .. } = self;
        for (key, watchers) in watch.in_db(n) {
            if ks.type_of(n, key, clock.now_ms).is_none() {
                continue;
            }
            for watcher in watchers {
                if let Some(session) = clients.session_mut(watcher.id) {
                    session.watch_broken = true;
                }
            }
        }
    }

    /// A key has changed, or its time was up: that is no change for whoever began to watch it when it was dead already.
    fn break_watchers(&mut self, db: u32, key: &[u8], own: bool) {
        let Server { watch, clients, .. } = self;
        for watcher in watch.of(db, key).iter().filter(|w| own || w.found == Found::Live) {
            if let Some(session) = clients.session_mut(watcher.id) {
                session.watch_broken = true;
            }
        }
    }

    /// Publishes a keyspace event to `__keyspace@db__:key` and `__keyevent@db__:event`.
    fn notify(&mut self, db: u32, class: EventClass, name: &str, key: &[u8]) {
        let wanted = self.cfg.keyspace.notify_events as EventClass;
        if wanted & class == 0 {
            return;
        }
        if wanted & effects::EV_KEYSPACE != 0 {
            let channel = [format!("__keyspace@{db}__:").as_bytes(), key].concat();
            self.publish(&channel, name.as_bytes());
        }
        if wanted & effects::EV_KEYEVENT != 0 {
            let channel = format!("__keyevent@{db}__:{name}");
            self.publish(channel.as_bytes(), key);
        }
    }

    /// Frees a value that left the keyspace: here, or on the helper thread if the settings say so and
    /// it is worth the trip.
    fn drop_value(&mut self, dropped: Dropped) {
        let lazily = self.lazyfree.is_lazy(dropped.why);
        if lazily && dropped.value.free_effort() > crate::server::parts::bio::LAZY_FROM {
            self.bio.free_value(dropped.value);
        }
    }
}
