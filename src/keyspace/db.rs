//! One database as one command may see it: lookups that expire, touch and count.
//!
//! `DbMut` joins a database (`Store`) and the facts of the call (`Env`). Effects go into the
//! `Effects` that the caller passes. So a borrowed value borrows `DbMut` alone, and the reply and
//! the effects can be used beside it.
//!
//! The first word of a lookup's name says what it does beside finding the key:
//!
//! | name | marks an access | counts a hit or a miss | deals with a key past its time | for |
//! |---|---|---|---|---|
//! | `read` | yes | yes | yes | commands that read: GET |
//! | `count` | no | yes | yes | commands about the key only: TTL, TYPE, EXISTS |
//! | `touch` | yes | no | yes | commands that write: APPEND, and EXPIRE |
//! | `find` | no | no | yes | looks that leave no trace: OBJECT; a second look, to write |
//! | `peek` | no | no | no | a second look, to read |
//!
//! The second word says what it gives. Without one it gives the entry. `at` takes a key whose hash
//! is known; `string` refuses other types; `as` gives a collection to read, `open` one to change;
//! `or_new` makes the collection if there is none. A key past its time is deleted, or only hidden,
//! as `Env::expiry` says.
//!
//! Values are stored by these:
//!
//! | name | access data of a key that is there | for |
//! |---|---|---|
//! | `set` | kept, and an access is marked | SET, MSET: commands that have not looked the key up |
//! | `set_touched` | kept | those that have (SET NX, GETSET), so that one command counts once |
//! | `add` | given, or as new | RENAME, RESTORE, COPY: what was there has been deleted |
//!
//! A new value keeps the access data of its key; a new key starts anew. If a key past its time is
//! there, these delete it first, as any lookup does, whether or not anybody listens. Only `delete`
//! takes what is there, whatever its time.

use crate::keyspace::effects::{self, Effects, Why};
use crate::keyspace::entry::Entry;
use crate::keyspace::env::Env;
use crate::keyspace::lapse::{Lapse, drop_entry, is_due};
use crate::keyspace::lazyfree::Lazyfree;
use crate::keyspace::open::Open;
use crate::keyspace::store::{EntryMut, Expire, Key, SetValue, Store, Vacant};
use crate::resp::errors::{self, CmdError};
use crate::resp::large::LARGE;
use crate::value::hash::Hash;
use crate::value::{Collection, Type, Value, ValueRef};

/// Keys that are looked ahead for together.
pub(crate) const AHEAD: usize = 16;

/// Keys with their hashes, on the way into the cache.
pub(crate) struct Ahead<'k> {
    keys: [Key<'k>; AHEAD],
    len: usize,
}

impl<'k> Ahead<'k> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = Key<'k>> {
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

#[inline(always)]
fn open<T: Collection>(entry: EntryMut<'_>) -> Result<Open<'_, T>, CmdError> {
    Open::entry(entry).ok_or(errors::WRONG_TYPE)
}

/// Records that a key is new.
fn announce_new(key: &[u8], fx: &mut Effects) {
    fx.ready(key);
    fx.event(effects::EV_NEW, "new", key);
}

/// What is stored for a large argument: an empty value if the argument is going to be moved here.
#[cold]
fn large<'v>(k: Key<'_>, bytes: &'v [u8], fx: &mut Effects) -> SetValue<'v> {
    if fx.keep(k.bytes) { SetValue::Text(b"") } else { SetValue::Bytes(bytes) }
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

/// Marks an access.
#[inline]
fn mark(env: &Env, entry: &mut EntryMut<'_>) {
    if let Some(now) = marked(env, entry.lru()) {
        entry.set_lru(now);
    }
}

pub(crate) struct DbMut<'a> {
    store: &'a mut Store,
    env: &'a Env,
    /// The hash of one key, computed when its bucket was prefetched.
    memo: Option<Key<'a>>,
    lapse: Lapse,
}

impl<'a> DbMut<'a> {
    pub(crate) fn new(
        store: &'a mut Store,
        env: &'a Env,
        memo: Option<Key<'a>>,
        lazyfree: Lazyfree,
    ) -> Self {
        DbMut { store, env, memo, lapse: Lapse(lazyfree) }
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
    pub(crate) fn read(&mut self, key: &[u8], fx: &mut Effects) -> Option<&Entry> {
        self.read_at(self.key(key), fx)
    }

    /// `read` with a hash that is known.
    #[inline]
    pub(crate) fn read_at(&mut self, k: Key<'_>, fx: &mut Effects) -> Option<&Entry> {
        let found = self.access(k, fx).map(EntryMut::into_entry);
        Self::counted(found, k, fx)
    }

    /// The value at `key`, to change it; marks the access.
    #[inline]
    pub(crate) fn touch(&mut self, key: &[u8], fx: &mut Effects) -> Option<EntryMut<'_>> {
        self.access(self.key(key), fx)
    }

    /// The entry at a key, marked as used.
    ///
    /// `inline(always)`, here and below: else the place, eight words, is copied from each of these
    /// functions to the next (callgrind, GET: 50 instructions).
    #[inline(always)]
    fn access(&mut self, k: Key<'_>, fx: &mut Effects) -> Option<EntryMut<'_>> {
        let env = self.env;
        let mut entry = self.live(k, fx)?;
        mark(env, &mut entry);
        Some(entry)
    }

    /// The entry at a key; if its time has passed, it is deleted (or hidden).
    #[inline(always)]
    fn live(&mut self, k: Key<'_>, fx: &mut Effects) -> Option<EntryMut<'_>> {
        let entry = self.store.find_mut(k)?;
        if is_due(self.env, &entry) {
            self.lapse.meet(entry, self.env, fx);
            return None;
        }
        Some(entry)
    }

    /// The entry at a key, or its place. A key past its time is removed first.
    #[inline(always)]
    fn live_or_vacant<'s>(
        &'s mut self,
        k: Key<'s>,
        fx: &mut Effects,
    ) -> Result<EntryMut<'s>, Vacant<'s>> {
        match self.store.find_or_vacant(k) {
            Ok(entry) if is_due(self.env, &entry) => {
                Err(self.lapse.make_room(entry, k, self.env, fx))
            }
            found => found,
        }
    }

    /// The value for a look that leaves no trace: OBJECT, DEBUG.
    pub(crate) fn find(&mut self, key: &[u8], fx: &mut Effects) -> Option<&Entry> {
        self.live(self.key(key), fx).map(EntryMut::into_entry)
    }

    /// `find` for an entry to change: after another lookup has marked the access.
    #[inline]
    pub(crate) fn find_mut(&mut self, key: &[u8], fx: &mut Effects) -> Option<EntryMut<'_>> {
        self.live(self.key(key), fx)
    }

    /// Like `find` through a shared borrow, so that several values can be held at once. The caller
    /// has dealt with expiry.
    pub(crate) fn peek(&self, key: &[u8]) -> Option<&Entry> {
        self.store.find(self.key(key)).filter(|e| !is_due(self.env, e))
    }

    /// The value for a reader that does not mark the access: TYPE, TTL.
    pub(crate) fn count(&mut self, key: &[u8], fx: &mut Effects) -> Option<&Entry> {
        self.count_at(self.key(key), fx)
    }

    /// `count` with a hash that is known.
    pub(crate) fn count_at(&mut self, k: Key<'_>, fx: &mut Effects) -> Option<&Entry> {
        let found = self.live(k, fx).map(EntryMut::into_entry);
        Self::counted(found, k, fx)
    }

    /// Counts a hit or a miss.
    #[inline]
    fn counted<'e>(found: Option<&'e Entry>, k: Key<'_>, fx: &mut Effects) -> Option<&'e Entry> {
        match found {
            Some(_) => fx.counters.hits += 1,
            None => {
                fx.counters.misses += 1;
                fx.event(effects::EV_KEY_MISS, "keymiss", k.bytes);
            }
        }
        found
    }

    /// Reads a string, or an error if the key holds something else.
    #[inline]
    pub(crate) fn read_string(
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
    pub(crate) fn touch_string(
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
    pub(crate) fn read_as<T: Collection>(
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
    pub(crate) fn touch_open<T: Collection>(
        &mut self,
        key: &[u8],
        fx: &mut Effects,
    ) -> Result<Option<Open<'_, T>>, CmdError> {
        self.touch(key, fx).map(open).transpose()
    }

    /// What `touch_open` would open, to look at it first.
    #[inline]
    pub(crate) fn touch_as<T: Collection>(
        &mut self,
        key: &[u8],
        fx: &mut Effects,
    ) -> Result<Option<T::Ref<'_>>, CmdError> {
        match self.touch(key, fx) {
            Some(entry) => of_type::<T>(entry.into_entry()).map(Some),
            None => Ok(None),
        }
    }

    /// `find` for a collection to change: after `touch_as` has marked the access.
    #[inline]
    pub(crate) fn find_open<T: Collection>(
        &mut self,
        key: &[u8],
        fx: &mut Effects,
    ) -> Result<Option<Open<'_, T>>, CmdError> {
        self.live(self.key(key), fx).map(open).transpose()
    }

    /// The collection at `key`, to change it; the one that `make` makes if there is no such key.
    #[inline]
    pub(crate) fn touch_or_new<'s, T: Collection>(
        &'s mut self,
        key: &'s [u8],
        fx: &mut Effects,
        make: impl FnOnce() -> T,
    ) -> Result<Open<'s, T>, CmdError> {
        self.open_or_new(key, true, fx, make)
    }

    /// `find_open` that makes a collection like `touch_or_new`.
    #[inline]
    pub(crate) fn find_or_new<'s, T: Collection>(
        &'s mut self,
        key: &'s [u8],
        fx: &mut Effects,
        make: impl FnOnce() -> T,
    ) -> Result<Open<'s, T>, CmdError> {
        self.open_or_new(key, false, fx, make)
    }

    #[inline(always)]
    fn open_or_new<'s, T: Collection>(
        &'s mut self,
        key: &'s [u8],
        marks: bool,
        fx: &mut Effects,
        make: impl FnOnce() -> T,
    ) -> Result<Open<'s, T>, CmdError> {
        let env = self.env;
        match self.live_or_vacant(self.key(key), fx) {
            Ok(mut entry) => {
                if marks {
                    mark(env, &mut entry);
                }
                open(entry)
            }
            Err(place) => {
                if fx.armed != 0 {
                    announce_new(key, fx);
                }
                Ok(Open::new(place, env.fresh_access(), make()))
            }
        }
    }

    /// `peek` for a collection: several can be held at once. The caller has dealt with expiry.
    pub(crate) fn peek_as<T: Collection>(
        &self,
        key: &[u8],
    ) -> Result<Option<T::Ref<'_>>, CmdError> {
        match self.peek(key) {
            Some(entry) => of_type::<T>(entry).map(Some),
            None => Ok(None),
        }
    }

    /// Removes a key that is there and not past its time; whether it did.
    pub(crate) fn delete_live_at(&mut self, k: Key<'_>, why: Why, fx: &mut Effects) -> bool {
        match self.live(k, fx) {
            Some(entry) => {
                drop_entry(entry.remove(), why, fx);
                true
            }
            None => false,
        }
    }

    /// Hashes up to `AHEAD` keys and starts loading what they lead to, so that the cache misses of
    /// a command on many keys overlap. Returns the keys of `keys` in order.
    pub(crate) fn look_ahead<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) -> Ahead<'k> {
        let mut ahead = Ahead { keys: [Key { bytes: &[], hash: 0 }; AHEAD], len: 0 };
        for (slot, bytes) in ahead.keys.iter_mut().zip(keys) {
            *slot = self.store.key(bytes);
            self.store.prefetch_bucket(slot.hash);
            ahead.len += 1;
        }
        ahead.iter().for_each(|k| self.store.prefetch_item(k.hash));
        ahead
    }

    /// Stores a value in place of what was there; marks an access.
    #[inline]
    pub(crate) fn set(
        &mut self,
        key: &[u8],
        value: SetValue<'_>,
        expire: Expire,
        fx: &mut Effects,
    ) {
        self.set_at(self.key(key), value, expire, fx);
    }

    /// `set` with a hash that is known.
    #[inline]
    pub(crate) fn set_at(
        &mut self,
        k: Key<'_>,
        value: SetValue<'_>,
        expire: Expire,
        fx: &mut Effects,
    ) {
        self.store_at(k, value, expire, None, true, fx);
    }

    /// `set` after a lookup that has marked the access.
    #[inline]
    pub(crate) fn set_touched(
        &mut self,
        key: &[u8],
        value: SetValue<'_>,
        expire: Expire,
        fx: &mut Effects,
    ) {
        self.store_at(self.key(key), value, expire, None, false, fx);
    }

    /// Stores a value taken or loaded from elsewhere, with its own access field if it has one. The
    /// caller has deleted what was there.
    pub(crate) fn add(
        &mut self,
        key: &[u8],
        value: Value,
        expire: Option<i64>,
        access: Option<u32>,
        fx: &mut Effects,
    ) {
        let expire = expire.map_or(Expire::None, Expire::At);
        self.store_at(self.key(key), SetValue::Owned(value), expire, access, false, fx);
    }

    /// Every value is stored here. One search finds the place, and a key past its time is removed
    /// from it first.
    #[inline(always)]
    fn store_at(
        &mut self,
        k: Key<'_>,
        mut value: SetValue<'_>,
        expire: Expire,
        access: Option<u32>,
        marks: bool,
        fx: &mut Effects,
    ) {
        let env = self.env;
        if let SetValue::Bytes(bytes) = value
            && bytes.len() >= LARGE
        {
            value = large(k, bytes, fx);
        }
        match self.live_or_vacant(k, fx) {
            Ok(mut entry) => {
                let old = entry.set_value(value, expire);
                if marks {
                    mark(env, &mut entry);
                }
                fx.drop_value(old, Why::Overwrite);
            }
            Err(place) => {
                place.fill(value, expire.of_new(), access.unwrap_or(env.fresh_access()));
                if fx.armed != 0 {
                    announce_new(k.bytes, fx);
                }
            }
        }
    }

    /// Takes the value out of the database.
    pub(crate) fn take(&mut self, key: &[u8]) -> Option<(Value, Option<i64>, u32)> {
        self.store.take(self.key(key))
    }

    /// Removes the key; whether it was there. Records nothing but the dropped value.
    pub(crate) fn delete(&mut self, key: &[u8], why: Why, fx: &mut Effects) -> bool {
        let removed = self.store.remove(self.key(key));
        removed.map(|entry| drop_entry(entry, why, fx)).is_some()
    }

    /// DEL or UNLINK, for a deletion that the stream does not get as the client sent it.
    pub(crate) fn deletion(&self, why: Why) -> &'static [u8] {
        self.lapse.0.word(why)
    }

    /// Sets or clears the time at which the key expires; false if there is no such key, or if it
    /// was cleared and had none.
    pub(crate) fn set_expire(&mut self, key: &[u8], at_ms: Option<i64>) -> bool {
        let Some(mut entry) = self.store.find_mut(self.key(key)) else { return false };
        if at_ms.is_none() && entry.expire_ms().is_none() {
            return false;
        }
        entry.set_expire(at_ms);
        true
    }

    /// Number of keys, with those past their time that are not deleted yet. O(1).
    pub(crate) fn len(&self) -> usize {
        self.store.len()
    }

    /// A key, each equally likely; it may be past its time. `rng` gives uniform words.
    pub(crate) fn random(&self, rng: impl FnMut() -> u64) -> Option<&Entry> {
        self.store.random(rng)
    }

    /// Visits every entry that is not past its time. O(n).
    pub(crate) fn for_each_live(&self, f: impl FnMut(&Entry)) {
        self.store.iter().filter(|e| !is_due(self.env, e)).for_each(f);
    }

    /// One step of SCAN: the entries of one bucket class, each with whether it is past its time.
    pub(crate) fn scan_step(&self, cursor: u64, mut f: impl FnMut(&Entry, bool)) -> u64 {
        self.store.scan(cursor, |e| f(e, is_due(self.env, e)))
    }

    /// What waits in the stream at `key` has changed (`EntryMut::delayed`).
    #[cold]
    pub(crate) fn delayed_changed(&mut self, key: &[u8], old: Option<i64>) {
        if let Some(mut entry) = self.store.find_mut(self.key(key)) {
            entry.delayed(old);
        }
    }

    /// Deletes a key because its time has come: event, statistics, and DEL or UNLINK in the stream.
    #[cold]
    pub(crate) fn expire(&mut self, key: &[u8], fx: &mut Effects) {
        if let Some(entry) = self.store.find_mut(self.key(key)) {
            self.lapse.expire(entry, fx);
        }
    }

    /// Removes fields of the hash at `key` because their time has come: event, statistics, HDEL in
    /// the stream. If none is left, the key goes.
    #[cold]
    pub(crate) fn expire_fields(&mut self, key: &[u8], fields: &[Vec<u8>], fx: &mut Effects) {
        if self.lapse_fields(key, fields, fx) {
            self.delete(key, Why::Expire, fx);
            fx.event(effects::EV_GENERIC, "del", key);
        }
    }

    /// As `expire_fields`, but the key stays: the caller will fill or delete it. Returns whether no
    /// field is left.
    #[cold]
    pub(crate) fn lapse_fields(
        &mut self,
        key: &[u8],
        fields: &[Vec<u8>],
        fx: &mut Effects,
    ) -> bool {
        let k = self.store.key(key);
        let found = self.store.find_mut(k).and_then(Open::<Hash>::entry);
        let Some(mut hash) = found else { return false };
        for field in fields {
            if hash.remove(field) {
                fx.counters.expired_fields += 1;
                fx.also(&[b"HDEL", key, field]);
            }
        }
        let emptied = hash.is_empty();
        drop(hash);
        fx.event(effects::EV_HASH, "hexpired", key);
        fx.lapsed(key);
        emptied
    }
}

#[cfg(test)]
mod tests;
