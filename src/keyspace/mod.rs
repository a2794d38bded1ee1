//! The keys, and what follows from changing them. No client, socket or replica is known here: time
//! and role come in by `Env`, effects go out by `Effects`.
//!
//! `Keyspace` is all databases and what is known of them together: how many keys there are, how
//! many keys and hashes have something that expires, and which database has the first of these.
//! `db_mut` lends a database to be changed, and `settle` looks at it again. `settle` costs as much
//! as databases were lent, however many there are.
//!
//! Invariant: `known[n]` is what `dbs[n]` was when it was last looked at. If that has changed
//! since, `n` is in `lent`. The totals are the sums of `known`, and `due` holds the deadline of
//! each database in `known` that has one.

pub(crate) mod across;
pub(crate) mod db;
pub(crate) mod effects;
pub(crate) mod entry;
pub(crate) mod env;
pub(crate) mod fields;
pub(crate) mod lapse;
pub(crate) mod lazyfree;
pub(crate) mod limits;
pub(crate) mod open;
pub(crate) mod place;
pub mod store;
pub(crate) mod types;
pub(crate) mod waiting;

use store::Store;

use crate::ds::stream::Stream;
use crate::ds::stream::group::Group;
use crate::keyspace::waiting::Reads;
use crate::util::lines::Lines;
use crate::util::siphash::Seed;
use crate::value::{ObjectRef, Type, ValueRef};
use std::collections::BTreeSet;

/// What was known of a database when it was last looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Known {
    keys: usize,
    /// Keys that expire, hashes with fields that do, streams with entries that wait.
    timed: usize,
    /// `Store::stamp`.
    stamp: u32,
    /// About when the first of them is due.
    due_ms: Option<i64>,
}

impl Known {
    /// Looks at a database. If it has as many timed keys as before, its deadline is taken to be the
    /// same, unless its stamp has changed.
    fn of(store: &Store, before: Known) -> Known {
        let (timed, stamp) = (store.timed(), store.stamp());
        let due_ms = match (timed, stamp) == (before.timed, before.stamp) {
            true => before.due_ms,
            false => store.next_timed_ms(),
        };
        Known { keys: store.len(), timed, stamp, due_ms }
    }
}

/// All databases.
pub struct Keyspace {
    dbs: Vec<Store>,
    known: Vec<Known>,
    /// Databases lent out since the last `settle`, each once.
    lent: Vec<usize>,
    /// The database that was lent last, which is the most likely to be lent next; `NOBODY` after
    /// `settle`.
    last: usize,
    keys: usize,
    timed: usize,
    due: BTreeSet<(i64, usize)>,
    seed: Seed,
}

const NOBODY: usize = usize::MAX;

impl Keyspace {
    /// `databases` empty ones; `now_ms` is where their clocks start.
    pub fn new(databases: usize, seed: Seed, now_ms: i64) -> Keyspace {
        Keyspace {
            dbs: (0..databases).map(|_| Store::new(seed, now_ms)).collect(),
            known: vec![Known::default(); databases],
            lent: Vec::new(),
            last: NOBODY,
            keys: 0,
            timed: 0,
            due: BTreeSet::new(),
            seed,
        }
    }

    /// An empty keyspace like this one.
    pub fn empty_like(&self, now_ms: i64) -> Keyspace {
        Keyspace::new(self.dbs.len(), self.seed, now_ms)
    }

    /// What all databases hash their keys with.
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// How many databases there are.
    pub fn databases(&self) -> usize {
        self.dbs.len()
    }

    /// A database, to look at.
    #[inline]
    pub fn db(&self, n: usize) -> &Store {
        &self.dbs[n]
    }

    /// A database, to change it.
    #[inline]
    pub fn db_mut(&mut self, n: usize) -> &mut Store {
        if self.last != n {
            self.lend(n);
        }
        &mut self.dbs[n]
    }

    #[cold]
    fn lend(&mut self, n: usize) {
        self.last = n;
        if !self.lent.contains(&n) {
            self.lent.push(n);
        }
    }

    /// INFO keyspace: a line for each database that isn't empty.
    pub fn info(&self, now_ms: i64, o: &mut Lines) {
        for (n, db) in self.iter().filter(|(_, db)| !db.is_empty()) {
            let mut facts = format!(
                "keys={},expires={},avg_ttl={}",
                db.len(),
                db.expires(),
                db.avg_ttl_ms(now_ms)
            );
            // Redis 7.4's; where no field expires, the line is as in 7.2.
            if db.timed_hashes() > 0 {
                facts += &format!(",subexpiry={}", db.timed_hashes());
            }
            o.add(&format!("db{n}"), facts);
        }
    }

    /// INFO keytypes: how many keys of each type a database holds, if it isn't empty.
    ///
    /// It is no part of INFO keyspace: readers that take every line there that begins with `db` for
    /// a database would fail on it.
    pub fn info_types(&self, o: &mut Lines) {
        for (n, db) in self.iter().filter(|(_, db)| !db.is_empty()) {
            let count = |of: &Type| format!("{}={}", of.name(), db.of_type(*of));
            let counts: Vec<String> = Type::STORED.iter().map(count).collect();
            o.add(&format!("db{n}_types"), counts.join(","));
        }
    }

    /// Keys that expire, and how many keys and hashes with fields are past their time but still
    /// here (`Store::backlog`). O(databases).
    pub fn expiring(&self, now_ms: i64) -> (usize, usize) {
        let timed = || self.stores().filter(|db| db.timed() > 0);
        (timed().map(Store::expires).sum(), timed().map(|db| db.backlog(now_ms - 1)).sum())
    }

    /// All databases, each with its number. O(databases).
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Store)> {
        self.dbs.iter().enumerate()
    }

    /// All databases. O(databases).
    pub fn stores(&self) -> impl Iterator<Item = &Store> {
        self.dbs.iter()
    }

    /// The databases alone, to be freed elsewhere.
    pub fn into_stores(self) -> Vec<Store> {
        self.dbs
    }

    /// Keys in all databases. O(databases lent since the last `settle`).
    pub fn len(&self) -> usize {
        let news =
            self.lent.iter().map(|&n| self.dbs[n].len() as isize - self.known[n].keys as isize);
        self.keys.wrapping_add_signed(news.sum())
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Looks again at what was lent. Returns whether the number of timed keys, hashes and streams
    /// has changed in one of them, or what a stream waits for may have come nearer.
    pub fn settle(&mut self) -> bool {
        let mut changed = false;
        self.last = NOBODY;
        while let Some(n) = self.lent.pop() {
            let new = Known::of(&self.dbs[n], self.known[n]);
            let old = &self.known[n];
            changed |= (new.timed, new.stamp) != (old.timed, old.stamp);
            self.learn(n, new);
        }
        changed
    }

    /// Looks at the deadlines of the databases that have any, even where `settle` sees no change.
    /// O(databases with timed keys).
    pub fn settle_deadlines(&mut self) {
        self.settle();
        let timed: Vec<usize> = self.due.iter().map(|&(_, n)| n).collect();
        for n in timed {
            let due_ms = self.dbs[n].next_timed_ms();
            self.learn(n, Known { due_ms, ..self.known[n] });
        }
    }

    fn learn(&mut self, n: usize, new: Known) {
        let old = std::mem::replace(&mut self.known[n], new);
        self.keys = self.keys - old.keys + new.keys;
        self.timed = self.timed - old.timed + new.timed;
        if old.due_ms != new.due_ms {
            old.due_ms.map(|at| self.due.remove(&(at, n)));
            new.due_ms.map(|at| self.due.insert((at, n)));
        }
    }

    /// Keys that expire, and hashes with fields that do, as of the last `settle`. O(1).
    pub fn timed(&self) -> usize {
        self.timed
    }

    /// About when the first of them is due, as of the last `settle`. O(log databases).
    pub fn next_deadline_ms(&self) -> Option<i64> {
        self.due.first().map(|due| due.0)
    }

    /// The type of what a key holds, if it is there and not past its time. O(1).
    pub fn type_of(&self, db: u32, key: &[u8], now_ms: i64) -> Option<Type> {
        let store = self.dbs.get(db as usize)?;
        let entry = store.find(store.key(key))?;
        entry.expire_ms().is_none_or(|at| at >= now_ms).then(|| entry.value_type())
    }

    /// Whether one who waits to read a stream for a group has to look: there is an entry for it,
    /// something has been pending for long enough, or stream or group are gone. O(log pending).
    pub(crate) fn has_news(&self, db: u32, key: &[u8], reads: &Reads, now_ms: i64) -> bool {
        let Some((stream, group)) = self.group_of(db, key, reads, now_ms) else { return true };
        let old = |idle: i64| {
            group.oldest_delivery_ms().is_some_and(|at| now_ms.saturating_sub(at) >= idle)
        };
        stream.log.last_there() > group.last_id || reads.claims.is_some_and(old)
    }

    /// When it has to look again if nothing happens until then. O(log pending).
    pub(crate) fn news_ms(&self, db: u32, key: &[u8], reads: &Reads, now_ms: i64) -> Option<i64> {
        let oldest = self.group_of(db, key, reads, now_ms)?.1.oldest_delivery_ms();
        reads.again_ms(oldest, now_ms)
    }

    fn group_of(&self, db: u32, key: &[u8], reads: &Reads, now: i64) -> Option<(&Stream, &Group)> {
        let entry = self.dbs.get(db as usize).and_then(|store| store.find(store.key(key)))?;
        if entry.expire_ms().is_some_and(|at| at < now) {
            return None;
        }
        let ValueRef::Object(ObjectRef::Stream(stream)) = entry.value() else { return None };
        Some((stream, stream.groups.get(&reads.group[..])?))
    }

    /// Small upkeep from time to time. Tables that grow or shrink go on with it. The wheels of
    /// databases in which nothing expires are told the time, since nothing else tells them.
    /// O(databases).
    pub fn tend(&mut self, now_ms: i64) {
        for store in &mut self.dbs {
            store.step(64);
            store.tell_time(now_ms);
        }
    }

    /// Tells databases that are empty what time it is, before keys that expire come. O(databases).
    pub fn tell_time(&mut self, now_ms: i64) {
        self.dbs.iter_mut().filter(|db| db.is_empty()).for_each(|db| db.tell_time(now_ms));
    }

    /// SWAPDB: each of two databases gets the other's number. O(1).
    pub fn swap(&mut self, a: usize, b: usize) {
        self.dbs.swap(a, b);
        for n in [a, b] {
            self.lend(n);
            // Both may have as many timed keys as the other had: `settle` looks at them anyway.
            self.known[n].stamp = !self.dbs[n].stamp();
        }
    }

    /// FLUSHDB, FLUSHALL: replaces one database, or all, by empty ones, and hands over what was not
    /// empty, to be freed elsewhere. O(databases).
    pub fn flush(&mut self, only: Option<usize>, now_ms: i64) -> Vec<Store> {
        let full = self.filled(only);
        full.into_iter()
            .map(|n| {
                let empty = Store::new(self.seed, now_ms);
                std::mem::replace(self.db_mut(n), empty)
            })
            .collect()
    }

    /// Which of one database, or of all, hold keys. O(databases).
    pub fn filled(&self, only: Option<usize>) -> Vec<usize> {
        let which = only.map_or(0..self.dbs.len(), |n| n..n + 1);
        which.filter(|&n| !self.dbs[n].is_empty()).collect()
    }
}

#[cfg(test)]
mod tests;
