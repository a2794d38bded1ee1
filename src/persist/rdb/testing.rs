//! What the tests of the formats share: random keyspaces, contents to compare, defaults.

use super::library::Library;
use super::load::{LoadOptions, Loaded, Pace, RdbError, load};
use super::save::{Access, SaveOptions, save};
use crate::ds::pack::End;
use crate::ds::quicklist::Shape;
use crate::keyspace::Keyspace;
use crate::keyspace::store::{Expire, SetValue};
use crate::util::siphash::Seed;
use crate::value::list::List;
use crate::value::{Collection, Value, ValueRef, View};
use std::collections::BTreeMap;

/// The time of all tests.
pub(crate) const NOW_MS: i64 = 1_900_000_000_000;

pub(crate) fn save_options() -> SaveOptions {
    SaveOptions {
        compression: true,
        checksum: true,
        version: 0,
        key_delay_us: 0,
        access: Access::None,
        lru_clock: 0,
        used_memory: 123_456,
        now_secs: NOW_MS / 1000,
        redis_version: "7.2.6".to_string(),
        aux: Vec::new(),
        libraries: Vec::new(),
    }
}

pub(crate) fn load_options() -> LoadOptions {
    LoadOptions {
        verify_checksum: true,
        now_ms: NOW_MS,
        drop_expired: true,
        events_interval_bytes: 0,
        fresh_access: 7,
        lru_clock: 1_000_000,
        lfu: false,
        replace: false,
        any_version: false,
        live: false,
        input_bytes: None,
        limits: Default::default(),
    }
}

pub(crate) fn library(code: Vec<u8>) -> Library {
    Library::new(code).expect("a sound first line")
}

pub(crate) fn empty() -> Keyspace {
    Keyspace::new(16, Seed([1, 2]), 0)
}

pub(crate) fn saved(ks: &Keyspace, opts: &SaveOptions) -> Vec<u8> {
    let mut file = Vec::new();
    let summary = save(ks, &mut file, opts, &mut |_| {}).expect("memory takes every write");
    assert_eq!(summary.bytes, file.len() as u64);
    assert_eq!(summary.keys, ks.len() as u64);
    file
}

pub(crate) fn loaded_with(
    file: &[u8],
    opts: &LoadOptions,
    ks: &mut Keyspace,
) -> Result<Loaded, RdbError> {
    load(file, opts, ks, &mut |_| Pace::default(), &mut |_| {})
}

pub(crate) fn loaded(file: &[u8]) -> Result<(Keyspace, Loaded), RdbError> {
    let mut ks = empty();
    let facts = loaded_with(file, &load_options(), &mut ks)?;
    Ok((ks, facts))
}

pub(crate) fn set(ks: &mut Keyspace, db: usize, key: &[u8], value: &[u8], expire: Option<i64>) {
    let db = ks.db_mut(db);
    let key = db.key(key);
    db.set(key, SetValue::Bytes(value), expire.map_or(Expire::None, Expire::At), 0);
}

/// All that a file must bring back of a key: the text of its value (of a collection the digest),
/// how it is reported, its expiry.
pub(crate) type Contents = BTreeMap<(usize, Vec<u8>), (Vec<u8>, &'static str, Option<i64>)>;

pub(crate) fn contents(ks: &Keyspace) -> Contents {
    let all = ks.iter().flat_map(|(n, db)| db.iter().map(move |e| (n, e)));
    all.map(|(n, entry)| {
        let text = match entry.value() {
            ValueRef::Int(int) => int.to_string().into_bytes(),
            ValueRef::Str(bytes) => bytes.to_vec(),
            ValueRef::Object(object) => {
                let mut sum = [0; 20];
                object.digest(&mut sum);
                sum.to_vec()
            }
        };
        ((n, entry.key().to_vec()), (text, entry.encoding().name(), entry.expire_ms()))
    })
    .collect()
}

/// Uniform words from a seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        println!("seed {seed:#x}");
        Random(seed | 1)
    }

    pub(crate) fn word(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.word()) * n as u128) >> 64) as usize
    }

    /// A string of one of the kinds that are written differently.
    pub(crate) fn text(&mut self) -> Vec<u8> {
        let len = match self.below(12) {
            0 => 0,
            1 => self.below(70_000),
            2 => self.below(600),
            _ => self.below(60),
        };
        match self.below(5) {
            0 => (self.word() as i64 >> self.below(64)).to_string().into_bytes(),
            1 => vec![self.word() as u8; len],
            2 => b"lorem ipsum dolor sit amet ".iter().cycle().take(len).copied().collect(),
            _ => (0..len).map(|_| self.word() as u8).collect(),
        }
    }

    /// A list of one or several nodes, some of which may be compressed.
    pub(crate) fn list(&mut self) -> Value {
        let shape = Shape { depth: self.below(2) as u32, ..Shape::default() };
        let mut list = List::with_room(0);
        for _ in 0..=self.below(40) {
            let text = self.text();
            list.push(End::Back, std::iter::once(&text[..]), shape);
        }
        Value::Object(Box::new(list.into_object()))
    }

    /// Some keys in some databases, some of which expire, after `NOW_MS` all of them.
    pub(crate) fn keyspace(&mut self, keys: usize) -> Keyspace {
        let mut ks = empty();
        for i in 0..keys {
            let db = [0, 0, 0, 1, 15][self.below(5)];
            let mut key = self.text();
            key.truncate(300);
            if self.below(3) > 0 {
                key = format!("key:{i:012}").into_bytes();
            }
            let expire = (self.below(3) == 0).then(|| NOW_MS + self.below(1 << 40) as i64);
            if self.below(16) > 0 {
                set(&mut ks, db, &key, &self.text(), expire);
                continue;
            }
            let list = self.list();
            let db = ks.db_mut(db);
            db.put(db.key(&key), list, expire, 0);
        }
        ks
    }
}
