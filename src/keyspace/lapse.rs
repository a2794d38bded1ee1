//! Keys past their time: which keys are, and what happens when one is met.
//!
//! A primary deletes such a key, with all that follows: the event, the statistics, DEL or UNLINK in
//! the stream. Where deletions are not ours to decide (`Expiry::Hide`), a lookup finds nothing and
//! leaves the key; it goes only when a value is stored in its place. While a file is loaded, or a
//! command of the primary runs (`Expiry::Ignore`), it is a key like any other. Whether anybody
//! listens makes no difference to this, only to what is recorded.

use crate::keyspace::effects::{self, Effects, Why};
use crate::keyspace::entry::{Entry, EntryBox};
use crate::keyspace::env::{Env, Expiry};
use crate::keyspace::lazyfree::Lazyfree;
use crate::keyspace::place::{EntryMut, Vacant};
use crate::keyspace::store::Key;

/// Whether an entry is past its time, as a call sees it.
#[inline]
pub(crate) fn is_due(env: &Env, entry: &Entry) -> bool {
    entry.expire_ms().is_some_and(|at| at < env.now_ms) && env.expiry != Expiry::Ignore
}

/// Hands over the value of an entry that has left the database.
#[inline]
pub(crate) fn drop_entry(entry: EntryBox, why: Why, fx: &mut Effects) {
    if entry.is_heavy() {
        fx.drop_value(Some(entry.into_value()), why);
    }
}

/// What happens to a key that is met past its time.
#[derive(Clone, Copy)]
pub(crate) struct Lapse(pub Lazyfree);

impl Lapse {
    /// A lookup has met a key past its time.
    #[cold]
    pub(crate) fn meet(self, entry: EntryMut<'_>, env: &Env, fx: &mut Effects) {
        if env.expiry == Expiry::Delete {
            self.expire(entry, fx);
        }
    }

    /// A value is to be stored where a key past its time is. One that is only hidden goes as well,
    /// and nothing is recorded.
    #[cold]
    pub(crate) fn make_room<'a>(
        self,
        entry: EntryMut<'a>,
        k: Key<'a>,
        env: &Env,
        fx: &mut Effects,
    ) -> Vacant<'a> {
        let (entry, place) = entry.vacate(k);
        drop_entry(entry, Why::Expire, fx);
        if env.expiry == Expiry::Delete {
            self.announce(k.bytes, fx);
        }
        place
    }

    /// Deletes a key because its time has come.
    pub(crate) fn expire(self, entry: EntryMut<'_>, fx: &mut Effects) {
        let entry = entry.remove();
        self.announce(entry.key(), fx);
        drop_entry(entry, Why::Expire, fx);
    }

    /// Event, statistics, and DEL or UNLINK in the stream.
    fn announce(self, key: &[u8], fx: &mut Effects) {
        fx.counters.expired += 1;
        fx.event(effects::EV_EXPIRED, "expired", key);
        fx.lapsed(key);
        fx.also(&[self.0.word(Why::Expire), key]);
    }
}
