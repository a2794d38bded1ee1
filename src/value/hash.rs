//! Hashes: a listpack while small, a table above; fields may expire, each at its own time.
//!
//! ```text
//!   Packed  field value, field value ...            none of them expires
//!   Timed   field value time, field value time ...  time in ms, ascending; 0: never, and last
//!   Table   cells of field and value; the head of a cell is its field's time
//! ```
//!
//! A hash moves from `Packed` to `Timed` when a field first gets a time. It moves from either to
//! `Table` when it has more than hash-max-listpack-entries fields, or one of more than
//! hash-max-listpack-value bytes. As in Redis it never moves back.
//!
//! Nothing here knows the time: a field past its time is like any other until it is removed.

use crate::ds::cell::Field;
use crate::ds::dict::{Dict, Thin};
pub(crate) use crate::ds::field_table::Time;
use crate::ds::field_table::{FieldTable, time_of};
use crate::ds::listpack::{self, Item, Listpack, ListpackRef, Needle, Pos, Scratch};
use crate::util::digest;
use crate::util::siphash::Seed;
use crate::util::size_class::size_class;
use crate::value::{Collection, Encoding, Object, View, variant};

/// Where the encodings end.
#[derive(Clone, Copy, Debug)]
pub struct HashLimits {
    /// `hash-max-listpack-entries`: fields.
    pub listpack_entries: usize,
    /// `hash-max-listpack-value`: bytes of a field or value.
    pub listpack_value: usize,
    /// What tables hash with.
    pub seed: Seed,
}

/// A hash.
pub enum Hash {
    Packed(Listpack),
    Timed(Listpack),
    Table(Box<FieldTable>),
}

/// A hash, to read it.
#[derive(Clone, Copy)]
pub enum HashRef<'a> {
    Packed(ListpackRef<'a>),
    Timed(ListpackRef<'a>),
    Table(&'a FieldTable),
}

/// A field with its value, and the time it expires at.
#[derive(Clone, Copy, Debug)]
pub struct Pair<'a> {
    pub field: Item<'a>,
    pub value: Item<'a>,
    pub expire: Option<i64>,
}

impl Default for Hash {
    fn default() -> Hash {
        Hash::Packed(Listpack::new())
    }
}

impl Hash {
    /// Changes to a table if what is about to come doesn't fit a listpack: so many fields, or an
    /// argument so long.
    pub fn expect<'a>(
        &mut self,
        fields: usize,
        mut texts: impl Iterator<Item = &'a [u8]>,
        limits: &HashLimits,
    ) {
        let (Hash::Packed(lp) | Hash::Timed(lp)) = self else { return };
        if fields > limits.listpack_entries {
            return self.change_to_table(fields, limits.seed);
        }
        let mut bytes = lp.bytes_len();
        let fits = texts.all(|text| {
            bytes += text.len();
            text.len() <= limits.listpack_value
        });
        if !fits || !listpack::may_grow(bytes, 0) {
            self.change_to_table(self.len(), limits.seed);
        }
    }

    /// Gives a field a value; whether the field is new. May change the encoding.
    #[inline]
    pub fn insert(&mut self, field: &[u8], value: &[u8], time: Time, limits: &HashLimits) -> bool {
        let (Hash::Packed(lp) | Hash::Timed(lp)) = &*self else {
            return self.insert_in_table(field, value, time);
        };
        let fits = field.len().max(value.len()) <= limits.listpack_value
            && listpack::may_grow(lp.bytes_len(), field.len() + value.len());
        if !fits {
            self.change_to_table(self.len() + 1, limits.seed);
            return self.insert_in_table(field, value, time);
        }
        if let (Hash::Packed(_), Time::At(_)) = (&*self, time) {
            self.change_to_timed();
        }
        let new = match self {
            Hash::Packed(lp) => insert_packed(lp, field, value),
            Hash::Timed(lp) => insert_timed(lp, field, Some(value), time),
            Hash::Table(_) => false,
        };
        // Compat: this also holds if it had too many before, under an older limit.
        if self.len() > limits.listpack_entries {
            self.change_to_table(self.len(), limits.seed);
        }
        new
    }

    #[inline]
    fn insert_in_table(&mut self, field: &[u8], value: &[u8], time: Time) -> bool {
        let Hash::Table(table) = self else { return false };
        table.insert(field, value, time)
    }

    /// Gives a field that is there a time to expire at, or takes it away.
    pub fn set_expire(&mut self, field: &[u8], expire: Option<i64>) {
        let time = expire.map_or(Time::Never, Time::At);
        match self {
            Hash::Packed(_) if expire.is_some() => {
                self.change_to_timed();
                self.set_expire(field, expire);
            }
            Hash::Packed(_) => {}
            Hash::Timed(lp) => {
                insert_timed(lp, field, None, time);
            }
            Hash::Table(table) => table.set_expire(field, expire),
        }
    }

    /// Removes a field; false if there is no such.
    #[inline]
    pub fn remove(&mut self, field: &[u8]) -> bool {
        let step = self.view().step();
        match self {
            Hash::Packed(lp) | Hash::Timed(lp) => {
                let at = lp.view().find(lp.view().first(), &Needle::new(field), step);
                if let Some(at) = at {
                    lp.remove_from(at, step);
                }
                at.is_some()
            }
            Hash::Table(table) => table.remove(field),
        }
    }

    /// Makes a table of it, with room for so many fields. O(n).
    pub fn change_to_table(&mut self, room: usize, seed: Seed) {
        let mut table = FieldTable::new(seed);
        table.reserve(room);
        let (mut one, mut two) = (Scratch::default(), Scratch::default());
        for pair in self.view().iter() {
            let (field, value) = (pair.field.bytes(&mut one), pair.value.bytes(&mut two));
            table.add(field, value, pair.expire);
        }
        *self = Hash::Table(Box::new(table));
    }

    #[cold]
    fn change_to_timed(&mut self) {
        *self = Hash::Timed(self.view().to_listpack(true));
    }
}

fn push(lp: &mut Listpack, item: Item<'_>) {
    match item {
        Item::Int(n) => lp.push_back_int(n),
        Item::Str(text) => lp.push_back(text),
    }
}

/// The time that stands at `at`.
fn time_at(lp: ListpackRef<'_>, at: Pos) -> Option<i64> {
    lp.get(at).as_int().filter(|&time| time != 0)
}

fn insert_packed(lp: &mut Listpack, field: &[u8], value: &[u8]) -> bool {
    let all = lp.view();
    let at = all.find(all.first(), &Needle::new(field), 2).and_then(|at| all.next(at));
    match at {
        Some(at) => lp.replace(at, value),
        None => {
            lp.push_back(field);
            lp.push_back(value);
        }
    }
    at.is_none()
}

/// Gives a field a value (None: the one it has) and a time; whether it is new.
fn insert_timed(lp: &mut Listpack, field: &[u8], value: Option<&[u8]>, time: Time) -> bool {
    let all = lp.view();
    let found = all.find(all.first(), &Needle::new(field), 3);
    let value_at = found.and_then(|at| all.next(at));
    let (Some(at), Some(value_at)) = (found, value_at) else {
        let Some(value) = value else { return false };
        let expire = if let Time::At(at) = time { at } else { 0 };
        place_timed(lp, field, value, expire);
        return true;
    };
    let old = all.next(value_at).and_then(|at| time_at(all, at)).unwrap_or(0);
    let new = match time {
        Time::Never => 0,
        Time::Keep => old,
        Time::At(at) => at,
    };
    if new != old {
        let value = value.map_or_else(|| lp.get(value_at).to_vec(), <[u8]>::to_vec);
        lp.remove_from(at, 3);
        place_timed(lp, field, &value, new);
    } else if let Some(value) = value {
        lp.replace(value_at, value);
    }
    false
}

/// Inserts a triple before those that expire later.
fn place_timed(lp: &mut Listpack, field: &[u8], value: &[u8], expire: i64) {
    let later = if expire == 0 {
        None
    } else {
        let all = lp.view();
        let fields = all.positions().step_by(3);
        let times = all.positions().skip(2).step_by(3).map(|at| time_at(all, at));
        let mut all = fields.zip(times);
        all.find(|(_, time)| time.is_none_or(|t| t > expire)).map(|(at, _)| at)
    };
    match later {
        Some(at) => {
            let time = expire.to_string();
            for element in [time.as_bytes(), value, field] {
                lp.insert_before(at, element);
            }
        }
        None => {
            lp.push_back(field);
            lp.push_back(value);
            lp.push_back_int(expire);
        }
    }
}

impl<'a> HashRef<'a> {
    /// Elements that each field takes in a listpack.
    fn step(self) -> usize {
        if matches!(self, HashRef::Timed(_)) { 3 } else { 2 }
    }

    /// The table's cells, if it is one.
    #[inline]
    pub fn as_table(self) -> Option<&'a Dict<Field>> {
        match self {
            HashRef::Table(table) => Some(table.fields()),
            _ => None,
        }
    }

    /// The value of a field. O(1) in tables, O(n) in listpacks.
    #[inline]
    pub fn get(self, field: &[u8]) -> Option<Item<'a>> {
        match self {
            HashRef::Packed(lp) | HashRef::Timed(lp) => {
                let at = lp.find(lp.first(), &Needle::new(field), self.step())?;
                Some(lp.get(lp.next(at)?))
            }
            HashRef::Table(table) => Some(Item::Str(table.get(field)?.value())),
        }
    }

    /// The value of a field, and when it expires.
    #[inline]
    pub fn find(self, field: &[u8]) -> Option<(Item<'a>, Option<i64>)> {
        match self {
            HashRef::Packed(_) => Some((self.get(field)?, None)),
            HashRef::Timed(lp) => {
                let at = lp.next(lp.find(lp.first(), &Needle::new(field), 3)?)?;
                Some((lp.get(at), time_at(lp, lp.next(at)?)))
            }
            HashRef::Table(table) => {
                let cell = table.get(field)?;
                Some((Item::Str(cell.value()), time_of(cell)))
            }
        }
    }

    /// When the first field expires; None if none does. O(1) in listpacks, O(log n) in tables.
    #[inline]
    pub fn soonest(self) -> Option<i64> {
        match self {
            HashRef::Packed(_) => None,
            HashRef::Timed(lp) => {
                let value = lp.next(lp.first()?)?;
                time_at(lp, lp.next(value)?)
            }
            HashRef::Table(table) => table.soonest(),
        }
    }

    /// Up to `most` of the fields that expire before `now_ms`, soonest first. O(their number).
    pub fn due(self, now_ms: i64, most: usize) -> Vec<Vec<u8>> {
        match self {
            HashRef::Table(table) => {
                let before = table.by_time().take_while(|(at, _)| *at < now_ms);
                before.take(most).map(|(_, cell)| cell.key().to_vec()).collect()
            }
            HashRef::Timed(_) => {
                let before = self.iter().take_while(|p| p.expire.is_some_and(|at| at < now_ms));
                before.take(most).map(|p| p.field.to_vec()).collect()
            }
            HashRef::Packed(_) => Vec::new(),
        }
    }

    /// A field, each as likely as any other. O(1) in tables, O(n) in listpacks.
    pub fn random(self, rng: &mut impl FnMut() -> u64) -> Option<Pair<'a>> {
        match self {
            HashRef::Packed(lp) | HashRef::Timed(lp) => {
                let n = ((u128::from(rng()) * self.len() as u128) >> 64) as usize;
                let at = lp.at((n * self.step()) as i64)?;
                let rest = Pairs::Packed { items: lp.iter_from(at), timed: self.step() == 3 };
                rest.into_iter().next()
            }
            HashRef::Table(table) => table.fields().random(rng).map(Pair::of),
        }
    }

    /// All fields: those of a listpack in its order, those of a table in any.
    pub fn iter(self) -> Pairs<'a> {
        match self {
            HashRef::Packed(lp) => Pairs::Packed { items: lp.iter(), timed: false },
            HashRef::Timed(lp) => Pairs::Packed { items: lp.iter(), timed: true },
            HashRef::Table(table) => Pairs::Table(table.fields().iter()),
        }
    }

    /// The listpack of pairs or triples that it is, or would be.
    pub fn to_listpack(self, times: bool) -> Listpack {
        let mut lp = Listpack::new();
        for pair in self.iter() {
            push(&mut lp, pair.field);
            push(&mut lp, pair.value);
            if times {
                lp.push_back_int(pair.expire.unwrap_or(0));
            }
        }
        lp
    }
}

impl<'a> Pair<'a> {
    /// A table's cell as a pair.
    pub fn of(cell: &'a <Field as Thin>::View) -> Pair<'a> {
        Pair { field: Item::Str(cell.key()), value: Item::Str(cell.value()), expire: time_of(cell) }
    }
}

/// All fields of a hash.
pub enum Pairs<'a> {
    Packed { items: listpack::Iter<'a>, timed: bool },
    Table(crate::ds::dict::Iter<'a, Field>),
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Pair<'a>;

    #[inline]
    fn next(&mut self) -> Option<Pair<'a>> {
        match self {
            Pairs::Packed { items, timed } => {
                let (field, value) = (items.next()?, items.next()?);
                let expire =
                    if *timed { items.next()?.as_int().filter(|&at| at != 0) } else { None };
                Some(Pair { field, value, expire })
            }
            Pairs::Table(cells) => cells.next().map(Pair::of),
        }
    }
}

impl PartialEq for Hash {
    /// The same fields with the same values and times, whatever the encoding.
    fn eq(&self, other: &Hash) -> bool {
        self.view() == other.view()
    }
}

impl Eq for Hash {}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.view().fmt(f)
    }
}

impl PartialEq for HashRef<'_> {
    /// The same fields with the same values and times, whatever the encoding.
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self.iter().all(|pair| {
                let found = other.find(pair.field.bytes(&mut Scratch::default()));
                found.is_some_and(|(value, expire)| {
                    expire == pair.expire && value.to_vec() == pair.value.to_vec()
                })
            })
    }
}

impl Eq for HashRef<'_> {}

impl std::fmt::Debug for HashRef<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |item: Item<'_>| item.to_vec().escape_ascii().to_string();
        let pairs = self.iter().map(|p| (text(p.field), (text(p.value), p.expire)));
        f.debug_map().entries(pairs).finish()
    }
}

impl Collection for Hash {
    variant!(Hash);
    type Ref<'a> = HashRef<'a>;

    #[inline]
    fn view(&self) -> HashRef<'_> {
        match self {
            Hash::Packed(lp) => HashRef::Packed(lp.view()),
            Hash::Timed(lp) => HashRef::Timed(lp.view()),
            Hash::Table(table) => HashRef::Table(table),
        }
    }

    /// This is asked whenever a hash is opened and closed, and mostly of hashes in which nothing
    /// expires.
    #[inline(always)]
    fn soonest(&self) -> Option<i64> {
        match self {
            Hash::Packed(_) => None,
            Hash::Timed(_) => self.view().soonest(),
            Hash::Table(table) => table.soonest(),
        }
    }
}

impl View for HashRef<'_> {
    fn encoding(self) -> Encoding {
        match self {
            HashRef::Packed(_) => Encoding::Listpack,
            HashRef::Timed(_) => Encoding::ListpackEx,
            HashRef::Table(_) => Encoding::Hashtable,
        }
    }

    #[inline]
    fn len(self) -> usize {
        match self {
            HashRef::Packed(lp) => lp.len() / 2,
            HashRef::Timed(lp) => lp.len() / 3,
            HashRef::Table(table) => table.fields().len(),
        }
    }

    fn duplicate(self, room: usize) -> Object {
        Object::Hash(match self {
            HashRef::Packed(lp) => Hash::Packed(lp.to_owned(room)),
            HashRef::Timed(lp) => Hash::Timed(lp.to_owned(room)),
            HashRef::Table(table) => Hash::Table(Box::new(table.duplicate())),
        })
    }

    fn free_effort(self) -> usize {
        match self {
            HashRef::Table(table) => table.fields().len(),
            _ => 1,
        }
    }

    fn mem_bytes(self, samples: usize) -> usize {
        match self {
            HashRef::Packed(lp) | HashRef::Timed(lp) => size_class(lp.bytes_len()),
            HashRef::Table(table) => {
                let take = if samples == 0 { usize::MAX } else { samples };
                let (mut seen, mut bytes) = (0, 0);
                for cell in table.fields().iter().take(take) {
                    seen += 1;
                    bytes += cell.mem_bytes();
                }
                let all = (bytes * table.fields().len()).checked_div(seen).unwrap_or(0);
                table.mem_bytes() + all
            }
        }
    }

    fn digest(self, sum: &mut [u8; 20]) {
        for pair in self.iter() {
            let mut one = [0; 20];
            digest::mix(&mut one, pair.field.bytes(&mut Scratch::default()));
            digest::mix(&mut one, pair.value.bytes(&mut Scratch::default()));
            if pair.expire.is_some() {
                digest::xor(&mut one, b"!!hexpire!!");
            }
            digest::xor(sum, &one);
        }
    }
}

#[cfg(test)]
mod tests;
