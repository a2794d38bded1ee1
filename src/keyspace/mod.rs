//! The keys and what follows from changing them. Knows no client, socket or replica: time and role
//! arrive in `Env`, consequences leave in `Effects`.

pub mod db;
pub mod effects;
pub mod entry;
pub mod env;
pub mod fields;
pub mod lapse;
pub mod limits;
pub mod open;
pub mod place;
pub mod store;

use store::Store;

use crate::util::siphash::Seed;
use crate::value::Type;

/// All databases.
pub struct Keyspace {
    pub dbs: Vec<Store>,
    pub seed: Seed,
}

impl Keyspace {
    /// `databases` empty ones; `now_ms` is where their clocks start.
    pub fn new(databases: usize, seed: Seed, now_ms: i64) -> Keyspace {
        Keyspace { dbs: (0..databases).map(|_| Store::new(seed, now_ms)).collect(), seed }
    }

    /// Keys in all databases. O(databases).
    pub fn len(&self) -> usize {
        self.dbs.iter().map(Store::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.dbs.iter().all(|db| db.len() == 0)
    }

    /// The type of what a key holds, if it is there and not past its time. O(1).
    pub fn type_of(&self, db: u32, key: &[u8], now_ms: i64) -> Option<Type> {
        let store = self.dbs.get(db as usize)?;
        let entry = store.find(store.key(key))?;
        entry.expire_ms().is_none_or(|at| at >= now_ms).then(|| entry.value_type())
    }

    /// Replaces a database by an empty one and hands over the old one, to be freed elsewhere.
    pub fn swap_out(&mut self, db: usize, now_ms: i64) -> Store {
        std::mem::replace(&mut self.dbs[db], Store::new(self.seed, now_ms))
    }
}
