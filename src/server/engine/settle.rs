//! What must follow from a call, done when its handler has returned.
//!
//! The handler has changed the keyspace, and recorded in `Effects` what else there is to do.
//! `settle` does it in this order:
//!
//! 1. The log, as the command wrote it. A change breaks the watches on its key, and clients that
//!    cache the key are told. An event is published. A key that became ready is noted.
//! 2. The commands that stand in the stream before the command itself, such as the deletion of a
//!    key that was past its time. The command itself follows in `unit::call`.
//! 3. The values that were taken out are freed, here or on the helper thread.
//! 4. A large argument that the command wants to keep is noted for its owner, who moves it
//!    (`lend`).
//!
//! Nothing here runs a command: clients that wait for a key that became ready are served when the
//! unit is over (`blocking`). So the effects of one call are complete before another call begins.

use crate::keyspace::effects::{self, Aside, Dropped, Effect, Effects, EventClass};
use crate::server::engine::survey;
use crate::server::parts::Server;
use crate::server::parts::exec::Keeper;
use crate::server::parts::stream;
use crate::watch::Found;

impl Server {
    /// Applies one call's effects. Returns whether there were any. Most calls have none, and then
    /// it costs one test.
    #[inline(always)]
    pub(crate) fn settle(&mut self, fx: &mut Effects) -> bool {
        let aside = fx.take_aside();
        let any = aside.is_some();
        if let Some(aside) = aside {
            self.settle_aside(*aside);
        }
        any
    }

    #[inline(never)]
    fn settle_aside(&mut self, aside: Aside) {
        aside.log.into_iter().for_each(|effect| self.settle_effect(effect));
        for op in &aside.ops {
            self.stream.add(op.db, op.argv.iter().map(Vec::as_slice), stream::ALL);
        }
        if let Some(op) = &aside.rewritten {
            self.stream.add(op.db, op.argv.iter().map(Vec::as_slice), self.exec.targets);
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
                if self.survey.on {
                    survey::changed(self, db, &key);
                }
                if self.blocked.waits_for_deletion() {
                    let now = self.ks.type_of(db, &key, self.clock.now_ms);
                    self.blocked.signal_change(db, key, now);
                }
            }
            Effect::Event { db, class, name, key } => self.notify(db, class, name, &key),
            Effect::Ready { db, key } => self.blocked.signal(db, key),
        }
    }

    /// Who watches a key of database `n`, which is about to be flushed, sees it go; so does who
    /// waits and has to know.
    pub(crate) fn tell_of_flush(&mut self, n: u32) {
        let Server { watch, clients, ks, clock, blocked, .. } = self;
        if blocked.waits_for_deletion() {
            let mut keys = blocked.waited_in(n);
            keys.retain(|key| ks.type_of(n, key, clock.now_ms).is_some());
            keys.into_iter().for_each(|key| blocked.signal_change(n, key, None));
        }
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

    /// A key has changed, or its time was up. The latter is no change for a client whose watch
    /// began when the key was past its time already.
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

    /// Frees a value that left the keyspace: here, or on the helper thread if the settings say so
    /// and it takes long enough.
    fn drop_value(&mut self, dropped: Dropped) {
        let lazily = self.lazyfree.is_lazy(dropped.why);
        if lazily && dropped.value.free_effort() > crate::server::parts::bio::LAZY_FROM {
            self.bio.free_value(dropped.value);
        }
    }
}
