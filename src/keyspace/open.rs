//! A collection of the keyspace, open to be changed.
//!
//! A large collection is changed where it is. A small one lies packed in its key's entry: it is
//! copied out, and closing puts it back, whether it is small or large by then. A new one gets its
//! entry when it is closed, unless it is empty. So while a collection is open nothing else in the
//! database can be looked at, and the compiler makes sure of that. If its first element expires at
//! another time when it is closed, the database's index is told.
//!
//! Invariant: `Held::Out::value` is there until the drop.

use crate::keyspace::place::{EntryMut, Retimer, Vacant};
use crate::keyspace::store::SetValue;
use crate::value::{Collection, ValueRef, View};
use std::ops::{Deref, DerefMut};

/// How many bytes a small collection may grow by before its copy must move.
const ROOM: usize = 64;

/// A collection, closed when dropped.
pub(crate) struct Open<'a, T: Collection> {
    held: Held<'a, T>,
    /// When its first element expired at the time it was opened.
    was: Option<i64>,
}

enum Held<'a, T: Collection> {
    Boxed { value: &'a mut T, retimer: Retimer<'a> },
    Out { value: Option<T>, changed: bool, home: Home<'a> },
}

enum Home<'a> {
    Entry(EntryMut<'a>),
    New { place: Option<Vacant<'a>>, access: u32 },
}

impl<'a, T: Collection> Open<'a, T> {
    /// Opens the collection of an entry; None if it is of another type.
    #[inline(always)]
    pub(crate) fn entry(entry: EntryMut<'a>) -> Option<Open<'a, T>> {
        if entry.is_boxed() {
            let (object, retimer) = entry.into_boxed()?;
            let value = T::of_mut(object)?;
            let was = value.soonest();
            return Some(Open { held: Held::Boxed { value, retimer }, was });
        }
        Self::unpack(entry)
    }

    #[inline(never)]
    fn unpack(entry: EntryMut<'a>) -> Option<Open<'a, T>> {
        let ValueRef::Object(object) = entry.value() else { return None };
        let value = T::from_object(T::of(object)?.duplicate(ROOM))?;
        let was = value.soonest();
        let home = Home::Entry(entry);
        Some(Open { held: Held::Out { value: Some(value), changed: false, home }, was })
    }

    /// A new collection, which is stored when it is closed.
    #[inline]
    pub(crate) fn new(place: Vacant<'a>, access: u32, value: T) -> Open<'a, T> {
        let home = Home::New { place: Some(place), access };
        Open { held: Held::Out { value: Some(value), changed: true, home }, was: None }
    }
}

impl<T: Collection> Deref for Open<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        match &self.held {
            Held::Boxed { value, .. } => value,
            Held::Out { value, .. } => value.as_ref().expect("open"),
        }
    }
}

impl<T: Collection> DerefMut for Open<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        match &mut self.held {
            Held::Boxed { value, .. } => value,
            Held::Out { value, changed, .. } => {
                *changed = true;
                value.as_mut().expect("open")
            }
        }
    }
}

impl<T: Collection> Drop for Open<'_, T> {
    #[inline]
    fn drop(&mut self) {
        let (value, home) = match &mut self.held {
            Held::Boxed { value, retimer } => return retimer.retimed(self.was, value.soonest()),
            Held::Out { changed: false, .. } => return,
            Held::Out { value, home, .. } => (value, home),
        };
        let Some(value) = value.take() else { return };
        match home {
            Home::Entry(entry) => {
                let soonest = value.soonest();
                entry.set_object(value.into_object(), self.was, soonest);
            }
            Home::New { .. } if value.is_empty() => {}
            Home::New { place, access } => {
                let place = place.take().expect("it is closed once");
                place.fill(SetValue::Collection(value.into_object()), None, *access);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ds::wheel::tests::rng;
    use crate::keyspace::store::Store;
    use crate::util::siphash::Seed;
    use crate::value::hash::{Hash, HashLimits, Time};
    use crate::value::set::{Set, SetLimits};
    use crate::value::zset::ZSet;
    use crate::value::{Encoding, Value};
    use std::collections::BTreeMap;

    const SEED: Seed = Seed([5, 6]);
    const LIMITS: HashLimits = HashLimits { listpack_entries: 40, listpack_value: 40, seed: SEED };

    fn open<'a, T: Collection>(store: &'a mut Store, key: &'a [u8], new: T) -> Open<'a, T> {
        match store.find_or_vacant(store.key(key)) {
            Ok(entry) => Open::entry(entry).expect("of this type"),
            Err(place) => Open::new(place, 7, new),
        }
    }

    fn value<'a>(store: &'a Store, key: &[u8]) -> Option<ValueRef<'a>> {
        Some(store.find(store.key(key))?.value())
    }

    /// Hashes of all sizes, with and without times, in entries with and without an expiry.
    #[test]
    fn hashes_agree_with_maps_wherever_they_lie() {
        let mut rng = rng(31);
        let mut store = Store::new(SEED, 0);
        let mut model = BTreeMap::<Vec<u8>, BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>>::new();
        let (mut packed, mut boxed) = (0, 0);
        let rounds = if cfg!(miri) { 1_000 } else { 300_000 };
        for round in 0..rounds {
            // Names whose length fits in a byte, and some whose doesn't.
            let key = format!("{:0>1$}", rng() % 20, 1 + (rng() % 2 * 299) as usize).into_bytes();
            let field = format!("f{}", rng() % 45).into_bytes();
            let text = vec![b'v'; (rng() % 30) as usize];
            if rng().is_multiple_of(50) {
                let key = store.key(&key);
                let expire =
                    (!rng().is_multiple_of(3)).then_some((rng() >> (rng() % 40 + 8)) as i64);
                store.set_expire(key, expire);
            }
            let mut hash = open(&mut store, &key, Hash::default());
            let fields = model.entry(key.clone()).or_default();
            match rng() % 5 {
                0..3 => {
                    let at = rng().is_multiple_of(9).then_some(1 + (rng() % 99) as i64);
                    let time = at.map_or(Time::Never, Time::At);
                    let new = fields.insert(field.clone(), (text.clone(), at)).is_none();
                    assert_eq!(hash.insert(&field, &text, time, &LIMITS), new);
                }
                3 => assert_eq!(hash.remove(&field), fields.remove(&field).is_some()),
                // It is only looked at.
                _ => assert_eq!(hash.view().find(&field).is_some(), fields.contains_key(&field)),
            }
            drop(hash);
            let at = store.key(&key);
            if model[&key].is_empty() {
                model.remove(&key);
                store.remove(at);
                continue;
            }
            let Some(entry) = store.find(at) else { panic!("{key:?} is gone") };
            let ValueRef::Object(object) = entry.value() else { panic!("a hash was stored") };
            let seen = Hash::of(object).expect("a hash");
            let all = seen.iter().map(|p| (p.field.to_vec(), (p.value.to_vec(), p.expire)));
            if round % 20 == 0 {
                assert_eq!(all.collect::<BTreeMap<_, _>>(), model[&key]);
                assert_eq!(entry.to_value(), Value::Object(Box::new(object.duplicate(0))));
                let stored = entry.mem_bytes(0);
                match seen.encoding() {
                    Encoding::Hashtable => boxed += 1,
                    _ if stored <= 512 => packed += 1,
                    _ => {}
                }
            }
            if round % 5000 == 0 {
                store.check();
            }
            if rng().is_multiple_of(300) {
                let (taken, expire, lru) = store.take(at).expect("there");
                store.put(at, taken, expire, lru);
            }
            if rng().is_multiple_of(300) {
                store.remove(at);
                model.remove(&key);
            }
        }
        assert!(packed > rounds / 500 && boxed > rounds / 1500, "{packed} {boxed}");
        assert_eq!(store.len(), model.len());
    }

    #[test]
    fn each_type_comes_back_as_it_was_left() {
        let mut store = Store::new(SEED, 0);
        let limits = SetLimits {
            intset_entries: 512,
            listpack_entries: 128,
            listpack_value: 64,
            seed: SEED,
        };
        for i in 0..400 {
            let text = (i * 77_777).to_string();
            let mut ints = open(&mut store, b"ints", Set::for_member(b"1", 1, &limits));
            assert!(ints.insert(text.as_bytes(), &limits));
            drop(ints);
            let mut words = open(&mut store, b"words", Set::for_member(b"a", 1, &limits));
            assert!(words.insert(format!("w{i}").as_bytes(), &limits));
            drop(words);
            for (key, encoding) in
                [(&b"ints"[..], Encoding::Intset), (b"words", Encoding::Listpack)]
            {
                let Some(ValueRef::Object(object)) = value(&store, key) else { panic!("a set") };
                assert_eq!(object.len(), i + 1);
                if i < 128 {
                    assert_eq!(object.encoding(), encoding);
                }
            }
        }
    }

    #[test]
    fn what_is_not_changed_or_empty_is_not_stored() {
        let mut store = Store::new(SEED, 0);
        drop(open(&mut store, b"z", ZSet::new()));
        assert!(value(&store, b"z").is_none(), "nothing was added");
        let key = store.key(b"h");
        let mut hash = open(&mut store, b"h", Hash::default());
        hash.insert(b"f", b"v", Time::Never, &LIMITS);
        drop(hash);
        assert!(Open::<ZSet>::entry(store.find_mut(key).expect("there")).is_none());
        let address = std::ptr::from_ref(store.find(key).expect("there"));
        let hash = open(&mut store, b"h", Hash::default());
        assert_eq!(hash.view().get(b"f").map(|v| v.to_vec()), Some(b"v".to_vec()));
        drop(hash);
        let entry = store.find(key).expect("there");
        assert_eq!((std::ptr::from_ref(entry), entry.lru()), (address, 7));
    }
}
