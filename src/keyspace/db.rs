//! One database as one command may see it: lookups that expire, touch and count.
//!
//! `DbMut` joins a database (`Store`), the facts of the call (`Env`) and nothing else. Consequences go
//! into the `Effects` that the caller passes, so a borrow of a value is tied to `DbMut` alone and the
//! reply and the effects stay free to use.
//!
//! The first word of a lookup's name says what it does beside finding the key:
//!
//! | name | marks the access | counts a hit or a miss | deals with a key past its time | for |
//! |---|---|---|---|---|
//! | `read` | yes | yes | yes | commands that read: GET |
//! | `count` | no | yes | yes | commands about the key only: TTL, TYPE, EXISTS |
//! | `touch` | yes | no | yes | commands that write: APPEND, and EXPIRE |
//! | `find` | no | no | yes | looks that leave no trace: OBJECT |
//! | `peek` | no | no | no | a second look, after one of the others |
//!
//! The second word says what they give: nothing follows for the entry, `at` takes a key whose hash is known,
//! `string` refuses other types, `as` gives a collection to read, `open` one to change, `or_new` makes it if it
//! is not there. A key past its time is deleted or only hidden, as `Env::expiry` says.

use crate::keyspace::effects::{self, Effects, Why};
use crate::keyspace::entry::Entry;
use crate::keyspace::env::{Env, Expiry};
use crate::keyspace::open::Open;
use crate::keyspace::store::{EntryMut, Expire, Key, SetValue, Store};
use crate::resp::errors::{self, CmdError};
use crate::value::hash::Hash;
use crate::value::{Collection, Type, Value, ValueRef};

/// Keys that are looked ahead for together.
pub const AHEAD: usize = 16;

/// Keys with their hashes, on the way into the cache.
pub struct Ahead<'k> {
    keys: [Key<'k>; AHEAD],
    len: usize,
}

impl<'k> Ahead<'k> {
    pub fn iter(&self) -> impl Iterator<Item = Key<'k>> {
        self.keys[..self.len].iter().copied()
    }
}

#[inline]
fn of_type<T: Collection>(entry: &Entry) -> Result<T::Ref<'_>, CmdError> {
    match entry.value() {
        ValueRef::Object(object) => T::of(object).ok_or(errors::WRONG_TYPE),
        _ => Err(errors::WRONG_TYPE),
    }
}

#[inline]
fn open<T: Collection>(entry: EntryMut<'_>) -> Result<Open<'_, T>, CmdError> {
    Open::entry(entry).ok_or(errors::WRONG_TYPE)
}

/// Tells who listens that a key has come to be.
fn announce_new(key: &[u8], fx: &mut Effects) {
    fx.ready(key);
    fx.event(effects::EV_NEW, "new", key);
}

/// What the access field becomes by an access now; None if it stays.
#[inline]
fn marked(env: &Env, access: u32) -> Option<u32> {
    let now = match env.lfu {
        None => env.lru_clock & 0xff_ffff,
        Some(lfu) => lfu.touched(access, env.lru_clock, env.random),
    };
    (env.touch && now != access).then_some(now)
}

pub struct DbMut<'a> {
    store: &'a mut Store,
    env: &'a Env,
    /// The hash of one key, computed when its bucket was prefetched.
    memo: Option<Key<'a>>,
    lazy_expire: bool,
}

impl<'a> DbMut<'a> {
    pub fn new(
        store: &'a mut Store,
        env: &'a Env,
        memo: Option<Key<'a>>,
        lazy_expire: bool,
    ) -> Self {
        DbMut { store, env, memo, lazy_expire }
    }

    #[inline]
    fn key<'k>(&self, bytes: &'k [u8]) -> Key<'k> {
        match self.memo {
            Some(m) if std::ptr::eq(m.bytes, bytes) => Key { bytes, hash: m.hash },
            _ => Key { bytes, hash: self.store.hash(bytes) },
        }
    }

    /// The value at `key` for a reader: counts a hit or a miss and marks the access.
    #[inline]
    pub fn read(&mut self, key: &[u8], fx: &mut Effects) -> Option<&Entry> {
        self.read_at(self.key(key), fx)
    }

    /// `read` with a hash that is known.
    #[inline]
    pub fn read_at(&mut self, k: Key<'_>, fx: &mut Effects) -> Option<&Entry> {
        match self.access(k, fx) {
            None => {
                fx.counters.misses += 1;
                fx.event(effects::EV_KEY_MISS, "keymiss", k.bytes);
                None
            }
            Some(entry) => {
                fx.counters.hits += 1;
                Some(entry.into_entry())
            }
        }
    }

    /// The value at `key`, to change it; marks the access.
    #[inline]
    pub fn touch(&mut self, key: &[u8], fx: &mut Effects) -> Option<EntryMut<'_>> {
        self.access(self.key(key), fx)
    }

    /// The entry at a key, marked as used; if its time has passed, it is deleted (or hidden).
    #[inline]
    fn access(&mut self, k: Key<'_>, fx: &mut Effects) -> Option<EntryMut<'_>> {
        if self.store.expires() > 0 {
            self.live(k, fx)?;
        }
        let mut entry = self.store.find_mut(k)?;
        if let Some(now) = marked(self.env, entry.lru()) {
            entry.set_lru(now);
        }
        Some(entry)
    }

    /// The value for a look that leaves no trace: OBJECT, DEBUG.
    pub fn find(&mut self, key: &[u8], fx: &mut Effects) -> Option<&Entry> {
        let k = self.key(key);
        if self.present(k, fx) { self.store.find(k) } else { None }
    }

    /// Like `find` through a shared borrow, so that several values can be held at once. The caller
    /// has dealt with expiry.
    pub fn peek(&self, key: &[u8]) -> Option<&Entry> {
        self.store.find(self.key(key)).filter(|e| !self.is_due(e))
    }

    /// Counts as a read, but does not mark the access.
    pub fn count_at(&mut self, k: Key<'_>, fx: &mut Effects) -> bool {
        let there = self.present(k, fx);
        match there {
            true => fx.counters.hits += 1,
            false => {
                fx.counters.misses += 1;
                fx.event(effects::EV_KEY_MISS, "keymiss", k.bytes);
            }
        }
        there
    }

    /// The value for a reader that does not mark the access: TYPE, TTL.
    pub fn count(&mut self, key: &[u8], fx: &mut Effects) -> Option<&Entry> {
        let k = self.key(key);
        if self.count_at(k, fx) { self.store.find(k) } else { None }
    }

    /// Reads a string, or an error if the key holds something else.
    #[inline]
    pub fn read_string(
        &mut self,
        key: &[u8],
        fx: &mut Effects,
    ) -> Result<Option<&Entry>, CmdError> {
        match self.read(key, fx) {
            Some(e) if e.value_type() != Type::String => Err(errors::WRONG_TYPE),
            found => Ok(found),
        }
    }

    #[inline]
    pub fn touch_string(
        &mut self,
        key: &[u8],
        fx: &mut Effects,
    ) -> Result<Option<EntryMut<'_>>, CmdError> {
        match self.touch(key, fx) {
            Some(e) if e.value_type() != Type::String => Err(errors::WRONG_TYPE),
            found => Ok(found),
        }
    }

    /// The collection at `key` for a reader, or an error if the key holds another type.
    #[inline]
    pub fn read_as<T: Collection>(
        &mut self,
        key: &[u8],
        fx: &mut Effects,
    ) -> Result<Option<T::Ref<'_>>, CmdError> {
        match self.read(key, fx) {
            Some(entry) => of_type::<T>(entry).map(Some),
            None => Ok(None),
        }
    }

    /// The collection at `key`, to change it. A command that empties it deletes the key.
    #[inline]
    pub fn touch_open<T: Collection>(
        &mut self,
        key: &[u8],
        fx: &mut Effects,
    ) -> Result<Option<Open<'_, T>>, CmdError> {
        self.touch(key, fx).map(open).transpose()
    }

    /// What `touch_open` would open, to look at it first.
    #[inline]
    pub fn touch_as<T: Collection>(
        &mut self,
        key: &[u8],
        fx: &mut Effects,
    ) -> Result<Option<T::Ref<'_>>, CmdError> {
        match self.touch(key, fx) {
            Some(entry) => of_type::<T>(entry.into_entry()).map(Some),
            None => Ok(None),
        }
    }

    /// The collection at `key`, to change it; the one that `make` makes if there is no such key.
    #[inline]
    pub fn touch_or_new<'s, T: Collection>(
        &'s mut self,
        key: &'s [u8],
        fx: &mut Effects,
        make: impl FnOnce() -> T,
    ) -> Result<Open<'s, T>, CmdError> {
        let k = self.key(key);
        if self.store.expires() > 0 {
            self.live(k, fx);
        }
        match self.store.find_or_vacant(k) {
            Ok(mut entry) => {
                if let Some(now) = marked(self.env, entry.lru()) {
                    entry.set_lru(now);
                }
                open(entry)
            }
            Err(place) => {
                if fx.armed != 0 {
                    announce_new(key, fx);
                }
                Ok(Open::new(place, self.env.fresh_access(), make()))
            }
        }
    }

    /// `peek` for a collection: several can be held at once. The caller has dealt with expiry.
    pub fn peek_as<T: Collection>(&self, key: &[u8]) -> Result<Option<T::Ref<'_>>, CmdError> {
        match self.peek(key) {
            Some(entry) => of_type::<T>(entry).map(Some),
            None => Ok(None),
        }
    }

    /// Removes a key that is there and not past its time; whether it did.
    pub fn delete_at(&mut self, k: Key<'_>, why: Why, fx: &mut Effects) -> bool {
        if !self.present(k, fx) {
            return false;
        }
        if let Some((value, ..)) = self.store.take(k) {
            fx.drop_value(Some(value), why);
        }
        true
    }

    /// Hashes up to `AHEAD` keys and starts loading what they lead to, so that the cache misses of a
    /// command on many keys overlap. Returns the keys of `keys` in order.
    pub fn look_ahead<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) -> Ahead<'k> {
        let mut ahead = Ahead { keys: [Key { bytes: &[], hash: 0 }; AHEAD], len: 0 };
        for (slot, bytes) in ahead.keys.iter_mut().zip(keys) {
            *slot = self.store.key(bytes);
            self.store.prefetch_bucket(slot.hash);
            ahead.len += 1;
        }
        ahead.iter().for_each(|k| self.store.prefetch_item(k.hash));
        ahead
    }

    /// Stores a value, replacing what was there.
    #[inline]
    pub fn set(&mut self, key: &[u8], value: SetValue<'_>, expire: Expire, fx: &mut Effects) {
        self.set_at(self.key(key), value, expire, fx);
    }

    /// `set` with a hash that is known.
    #[inline]
    pub fn set_at(&mut self, k: Key<'_>, value: SetValue<'_>, expire: Expire, fx: &mut Effects) {
        // A key past its time goes before the new one comes. Nobody can tell but those who listen and those who count.
        if fx.armed != 0 {
            self.live(k, fx);
        }
        let before = self.store.len();
        let access = match self.env.lfu {
            None => self.env.fresh_access(),
            // How often a key is used does not start anew with a new value.
            Some(_) => self.store.find(k).map_or(self.env.fresh_access(), |e| e.lru()),
        };
        let (old, expired) = self.store.set(k, value, expire, access);
        if fx.armed != 0 && self.store.len() > before {
            announce_new(k.bytes, fx);
        }
        let due = |at| self.env.expiry == Expiry::Delete && at < self.env.now_ms;
        fx.counters.expired += u32::from(expired.is_some_and(due));
        fx.drop_value(old, Why::Overwrite);
    }

    /// Stores a value taken or loaded from elsewhere, with its own access field if it has one.
    pub fn put(
        &mut self,
        key: &[u8],
        value: Value,
        expire: Option<i64>,
        access: Option<u32>,
        fx: &mut Effects,
    ) {
        let access = access.unwrap_or(self.env.fresh_access());
        let before = self.store.len();
        let old = self.store.put(self.key(key), value, expire, access);
        if self.store.len() > before {
            announce_new(key, fx);
        }
        fx.drop_value(old, Why::Overwrite);
    }

    /// Takes the value out of the database.
    pub fn take(&mut self, key: &[u8]) -> Option<(Value, Option<i64>, u32)> {
        self.store.take(self.key(key))
    }

    /// Removes the key; whether it was there. Records nothing but the dropped value.
    pub fn delete(&mut self, key: &[u8], why: Why, fx: &mut Effects) -> bool {
        match self.store.take(self.key(key)) {
            Some((value, ..)) => {
                fx.drop_value(Some(value), why);
                true
            }
            None => false,
        }
    }

    /// Sets or clears the time at which the key expires; false if there is no such key, or if it
    /// was cleared and had none.
    pub fn set_expire(&mut self, key: &[u8], at_ms: Option<i64>) -> bool {
        let Some(mut entry) = self.store.find_mut(self.key(key)) else { return false };
        if at_ms.is_none() && entry.expire_ms().is_none() {
            return false;
        }
        entry.set_expire(at_ms);
        true
    }

    /// To be told when the hash at `key` was changed in place: its first field expired at `old`. Cheap when neither
    /// it nor the new one has a time.
    pub fn retime(&mut self, key: &[u8], old: Option<i64>) {
        self.store.retime(self.key(key), old);
    }

    /// The whole database, for commands about all of it: SCAN, KEYS, DBSIZE, FLUSHDB.
    pub fn store(&mut self) -> &mut Store {
        self.store
    }

    /// Visits every entry that is not past its time. O(n).
    pub fn for_each_live(&self, f: impl FnMut(&Entry)) {
        self.store.iter().filter(|e| !self.is_due(e)).for_each(f);
    }

    /// One step of SCAN: the entries of one bucket class, each with whether it is past its time.
    pub fn scan_step(&self, cursor: u64, mut f: impl FnMut(&Entry, bool)) -> u64 {
        self.store.scan(cursor, |e| f(e, self.is_due(e)))
    }

    /// Whether an entry is past its time, as this call sees it.
    #[inline]
    pub fn is_due(&self, e: &Entry) -> bool {
        self.env.expiry != Expiry::Ignore && e.expire_ms().is_some_and(|at| at < self.env.now_ms)
    }

    /// Whether `key` holds a value; deletes it first if it is past its time.
    #[inline]
    fn present(&mut self, k: Key<'_>, fx: &mut Effects) -> bool {
        self.live(k, fx).is_some()
    }

    /// The access field of a key that is not past its time; one that is gets deleted (or hidden).
    #[inline]
    fn live(&mut self, k: Key<'_>, fx: &mut Effects) -> Option<u32> {
        let entry = self.store.find(k)?;
        if !self.is_due(entry) {
            return Some(entry.lru());
        }
        if self.env.expiry == Expiry::Delete {
            self.expire(k.bytes, fx);
        }
        None
    }

    /// Deletes a key because its time has come: event, statistics, and DEL or UNLINK in the stream.
    #[cold]
    pub fn expire(&mut self, key: &[u8], fx: &mut Effects) {
        self.delete(key, Why::Expire, fx);
        fx.counters.expired += 1;
        fx.event(effects::EV_EXPIRED, "expired", key);
        fx.lapsed(key);
        fx.also(&[if self.lazy_expire { b"UNLINK" } else { b"DEL" }, key]);
    }

    /// Removes fields of the hash at `key` because their time has come: event, statistics, HDEL in the stream. If
    /// none is left, the key goes.
    #[cold]
    pub fn expire_fields(&mut self, key: &[u8], fields: &[Vec<u8>], fx: &mut Effects) {
        let store = self.store();
        let k = store.key(key);
        let Some(mut hash) = store.find_mut(k).and_then(Open::<Hash>::entry) else { return };
        let was = hash.view().soonest();
        for field in fields {
            if hash.remove(field) {
                fx.counters.expired_fields += 1;
                fx.also(&[b"HDEL", key, field]);
            }
        }
        let emptied = hash.is_empty();
        drop(hash);
        self.store.retime(k, was);
        fx.event(effects::EV_HASH, "hexpired", key);
        if emptied {
            self.delete(key, Why::Expire, fx);
            fx.event(effects::EV_GENERIC, "del", key);
        }
        fx.lapsed(key);
    }
}
