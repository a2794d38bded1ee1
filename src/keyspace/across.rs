//! What one command does to a key in two databases: MOVE, and COPY with DB.
//!
//! Each database has its own lookups and effects. If the other database has a key there that is
//! past its time, that key is deleted there, and its event names that database. So `Effects::db`
//! changes while these run, and is restored when they return.

use crate::keyspace::Keyspace;
use crate::keyspace::db::DbMut;
use crate::keyspace::effects::{EV_GENERIC, Effects, Why};
use crate::keyspace::env::Env;
use crate::keyspace::lazyfree::Lazyfree;

/// Lets one command act on more than one database.
pub(crate) struct Across<'a> {
    pub ks: &'a mut Keyspace,
    pub env: &'a Env,
    pub lazyfree: Lazyfree,
}

impl Across<'_> {
    /// Acts on database `n`; effects are recorded for it.
    fn in_db<R>(
        &mut self,
        n: u32,
        fx: &mut Effects,
        act: impl FnOnce(&mut DbMut<'_>, &mut Effects) -> R,
    ) -> R {
        let home = std::mem::replace(&mut fx.db, n);
        let store = self.ks.db_mut(n as usize);
        let result = act(&mut DbMut::new(store, self.env, None, self.lazyfree), fx);
        fx.db = home;
        result
    }

    /// MOVE: takes `key` from the call's database to database `to`, unless it is there already.
    /// Returns whether it did. O(1).
    pub(crate) fn move_key(&mut self, key: &[u8], to: u32, fx: &mut Effects) -> bool {
        let from = self.env.db;
        if self.in_db(from, fx, |db, fx| db.touch(key, fx).is_none())
            || self.in_db(to, fx, |db, fx| db.touch(key, fx).is_some())
        {
            return false;
        }
        let taken = self.in_db(from, fx, |db, _| db.take(key));
        // The access data goes with the old entry, as in Redis 7.2.
        let (value, expire, _) = taken.expect("the key was just there");
        self.in_db(to, fx, |db, fx| db.add(key, value, expire, None, fx));
        fx.modified(key);
        fx.touched_in(to, key);
        fx.event(EV_GENERIC, "move_from", key);
        fx.event_in(to, EV_GENERIC, "move_to", key);
        true
    }

    /// COPY: stores a copy of the value at `from` under a key of database `n`, in place of what is
    /// there if `replace`; whether it did. O(size of the value).
    pub(crate) fn copy_key(
        &mut self,
        from: &[u8],
        (n, to): (u32, &[u8]),
        replace: bool,
        fx: &mut Effects,
    ) -> bool {
        let source = self.in_db(self.env.db, fx, |db, fx| {
            db.read(from, fx).map(|entry| (entry.to_value(), entry.expire_ms()))
        });
        let Some((value, expire)) = source else { return false };
        self.in_db(n, fx, |db, fx| {
            if db.touch(to, fx).is_some() && !replace {
                return false;
            }
            db.delete(to, Why::Overwrite, fx);
            db.add(to, value, expire, None, fx);
            fx.modified(to);
            fx.event(EV_GENERIC, "copy_to", to);
            true
        })
    }
}
