//! Sets: an intset or a listpack while small, a table above.
//!
//! ```text
//!   Ints    integers only, up to set-max-intset-entries
//!   Packed  anything, up to set-max-listpack-entries members of set-max-listpack-value bytes
//!   Table   everything else
//! ```
//!
//! Writing to a set may move it down this list, and nothing moves it back up: as in Redis, removing
//! members leaves the encoding as it is. All tables of a process hash with one seed. So the hash of
//! a member is taken once and finds it in each of several sets (`Probe`).

use crate::ds::cell::Member;
use crate::ds::dict::Dict;
use crate::ds::intset::{self, Intset, IntsetRef};
use crate::ds::listpack::{self, Item, Listpack, ListpackRef, Needle, Pos, Scratch};
use crate::util::siphash::Seed;
use crate::util::size_class::size_class;
use crate::util::{digest, num};
use crate::value::{Collection, Encoding, Object, View, variant};

/// Members that are looked ahead for together.
const AHEAD: usize = 16;
/// No intset has more integers.
const INTSET_MAX: usize = 1 << 30;

/// Where the encodings end.
#[derive(Clone, Copy, Debug)]
pub struct SetLimits {
    /// `set-max-intset-entries`.
    pub intset_entries: usize,
    /// `set-max-listpack-entries`.
    pub listpack_entries: usize,
    /// `set-max-listpack-value`: bytes of a member.
    pub listpack_value: usize,
    /// What tables hash with.
    pub seed: Seed,
}

/// A table of members.
pub(crate) type Members = Dict<Member>;

/// A set.
pub enum Set {
    Ints(Intset),
    Packed(Listpack),
    Table(Box<Members>),
}

/// A set, to read it.
#[derive(Clone, Copy)]
pub enum SetRef<'a> {
    Ints(IntsetRef<'a>),
    Packed(ListpackRef<'a>),
    Table(&'a Members),
}

/// A member to look for in several sets: its text and the hash that tables know it by.
#[derive(Clone, Copy, Debug)]
pub struct Probe<'a> {
    pub text: &'a [u8],
    pub hash: u64,
}

impl Set {
    /// The set to put a first member into, when `hint` members are about to come.
    pub fn for_member(first: &[u8], hint: usize, limits: &SetLimits) -> Set {
        if hint <= limits.intset_entries && num::parse_i64(first).is_some() {
            Set::Ints(Intset::new())
        } else if hint <= limits.listpack_entries {
            Set::Packed(Listpack::new())
        } else {
            Set::Table(Box::new(table(hint, limits.seed)))
        }
    }

    /// Changes to a table if so many members are about to come that it would be one soon.
    pub fn expect(&mut self, hint: usize, limits: &SetLimits) {
        let most = match self {
            Set::Ints(_) => limits.intset_entries,
            Set::Packed(_) => limits.listpack_entries,
            Set::Table(_) => return,
        };
        if hint > most {
            self.change_to_table(hint.max(self.len()), limits.seed);
        }
    }

    /// Adds a member; false if it was there. May change the encoding.
    #[inline]
    pub fn insert(&mut self, text: &[u8], limits: &SetLimits) -> bool {
        match self {
            Set::Table(members) => insert(members, members.hash(text), text),
            Set::Ints(ints) => match num::parse_i64(text) {
                Some(n) => self.insert_int(n, limits),
                None => {
                    let fits = ints.len() < limits.listpack_entries
                        && text.len() <= limits.listpack_value
                        && widest(ints.view()) <= limits.listpack_value
                        && listpack::may_grow(packed_bytes(ints.view()), text.len());
                    if fits {
                        let mut lp = Listpack::with_capacity(ints.as_bytes().len() * 2);
                        ints.iter().for_each(|n| lp.push_back_int(n));
                        lp.push_back(text);
                        *self = Set::Packed(lp);
                    } else {
                        self.grow_into_table(text, limits.seed);
                    }
                    true
                }
            },
            Set::Packed(lp) => {
                if find_packed(lp.view(), text).is_some() {
                    return false;
                }
                let fits = lp.len() < limits.listpack_entries
                    && text.len() <= limits.listpack_value
                    && listpack::may_grow(lp.bytes_len(), text.len());
                if fits {
                    lp.push_back(text);
                } else {
                    self.grow_into_table(text, limits.seed);
                }
                true
            }
        }
    }

    /// Makes a table of it, with one more member, which was not there.
    #[cold]
    fn grow_into_table(&mut self, text: &[u8], seed: Seed) {
        self.change_to_table(self.len() + 1, seed);
        if let Set::Table(members) = self {
            insert(members, members.hash(text), text);
        }
    }

    /// Adds members, what they lead to in a table fetched ahead; how many were new.
    pub fn insert_all(&mut self, members: &[&[u8]], limits: &SetLimits) -> usize {
        let mut added = 0;
        for group in members.chunks(AHEAD) {
            match self {
                Set::Table(table) if group.len() > 1 => {
                    let mut hashes = [0; AHEAD];
                    for (hash, member) in hashes.iter_mut().zip(group) {
                        *hash = table.hash(member);
                        table.prefetch_bucket(*hash);
                    }
                    hashes[..group.len()].iter().for_each(|&hash| table.prefetch_item(hash));
                    for (&hash, member) in hashes.iter().zip(group) {
                        added += usize::from(insert(table, hash, member));
                    }
                }
                _ => added += group.iter().filter(|m| self.insert(m, limits)).count(),
            }
        }
        added
    }

    /// `insert` of a member as another set holds it.
    pub fn insert_item(&mut self, item: Item<'_>, limits: &SetLimits) -> bool {
        match (item, &self) {
            (Item::Int(n), Set::Ints(_)) => self.insert_int(n, limits),
            _ => self.insert(item.bytes(&mut Scratch::default()), limits),
        }
    }

    fn insert_int(&mut self, n: i64, limits: &SetLimits) -> bool {
        let Set::Ints(ints) = self else {
            return self.insert_item(Item::Int(n), limits);
        };
        let added = ints.insert(n);
        if added && ints.len() > limits.intset_entries.min(INTSET_MAX) {
            self.change_to_table(self.len(), limits.seed);
        }
        added
    }

    /// Removes a member; false if there is no such.
    #[inline]
    pub fn remove(&mut self, text: &[u8]) -> bool {
        match self {
            Set::Ints(ints) => num::parse_i64(text).is_some_and(|n| ints.remove(n)),
            Set::Packed(lp) => match find_packed(lp.view(), text) {
                Some(at) => {
                    lp.remove(at);
                    true
                }
                None => false,
            },
            Set::Table(members) => members.remove(members.hash(text), text).is_some(),
        }
    }

    /// Takes a member out, each as likely as any other.
    pub fn pop(&mut self, rng: &mut impl FnMut() -> u64) -> Option<Vec<u8>> {
        match self {
            Set::Table(members) => {
                let text = members.random(rng)?.key().to_vec();
                members.remove(members.hash(&text), &text);
                Some(text)
            }
            _ => {
                let text = self.view().random(rng)?.to_vec();
                self.remove(&text);
                Some(text)
            }
        }
    }

    /// Makes an intset of a set of integers, if it is not too long for one. O(n log n).
    pub fn change_to_ints(&mut self, limits: &SetLimits) {
        if matches!(self, Set::Ints(_)) || self.len() > limits.intset_entries.min(INTSET_MAX) {
            return;
        }
        let ints: Option<Vec<i64>> = self.view().iter().map(Item::as_int).collect();
        let Some(mut ints) = ints else { return };
        // In ascending order each is appended.
        ints.sort_unstable();
        let mut set = Intset::new();
        ints.into_iter().for_each(|n| {
            set.insert(n);
        });
        *self = Set::Ints(set);
    }

    /// Makes a table of it, with room for so many members. O(n).
    pub fn change_to_table(&mut self, room: usize, seed: Seed) {
        let mut members = table(room, seed);
        for item in self.view().iter() {
            let mut scratch = Scratch::default();
            let text = item.bytes(&mut scratch);
            members.insert_new(members.hash(text), Member::new(text, b"", None));
        }
        *self = Set::Table(Box::new(members));
    }

    /// Gives back spare room after building.
    pub fn shrink(&mut self) {
        if let Set::Packed(lp) = self {
            lp.shrink();
        }
    }
}

impl<'a> SetRef<'a> {
    /// Whether it is the same set, not just an equal one.
    pub fn is(self, other: SetRef<'_>) -> bool {
        match (self, other) {
            (SetRef::Ints(a), SetRef::Ints(b)) => std::ptr::eq(a.as_bytes(), b.as_bytes()),
            (SetRef::Packed(a), SetRef::Packed(b)) => std::ptr::eq(a.entries(), b.entries()),
            (SetRef::Table(a), SetRef::Table(b)) => std::ptr::eq(a, b),
            _ => false,
        }
    }

    /// The table, if it is one.
    #[inline]
    pub fn as_table(self) -> Option<&'a Members> {
        match self {
            SetRef::Table(members) => Some(members),
            _ => None,
        }
    }

    /// Whether `text` is a member. O(1) in tables, O(log n) in intsets, O(n) in listpacks.
    #[inline]
    pub fn contains(self, text: &[u8]) -> bool {
        match self {
            SetRef::Ints(ints) => num::parse_i64(text).is_some_and(|n| ints.contains(n)),
            SetRef::Packed(lp) => find_packed(lp, text).is_some(),
            SetRef::Table(members) => members.get(members.hash(text), text).is_some(),
        }
    }

    /// `contains` with a hash that is known.
    #[inline]
    pub fn has(self, probe: Probe<'_>) -> bool {
        match self {
            SetRef::Table(members) => members.get(probe.hash, probe.text).is_some(),
            _ => self.contains(probe.text),
        }
    }

    /// A member, each as likely as any other. O(1) in tables and intsets, O(n) in listpacks.
    pub fn random(self, rng: &mut impl FnMut() -> u64) -> Option<Item<'a>> {
        match self {
            SetRef::Ints(ints) => ints.get(below(rng(), ints.len())).map(Item::Int),
            SetRef::Packed(lp) => lp.at(below(rng(), lp.len()) as i64).map(|at| lp.get(at)),
            SetRef::Table(members) => members.random(rng).map(|m| Item::Str(m.key())),
        }
    }

    /// All members: integers ascending, those of a listpack in order of insertion, those of a table
    /// in any order.
    pub fn iter(self) -> Items<'a> {
        match self {
            SetRef::Ints(ints) => Items::Ints(ints.iter()),
            SetRef::Packed(lp) => Items::Packed(lp.iter()),
            SetRef::Table(members) => Items::Table(members.iter()),
        }
    }
}

/// An empty table with room for so many members.
fn table(room: usize, seed: Seed) -> Members {
    let mut members = Dict::new(seed);
    members.reserve(room);
    members
}

#[inline]
fn insert(members: &mut Members, hash: u64, text: &[u8]) -> bool {
    let new = members.get(hash, text).is_none();
    if new {
        members.insert_new(hash, Member::new(text, b"", None));
    }
    new
}

/// Where a member of a listpack is.
#[inline]
fn find_packed(lp: ListpackRef<'_>, text: &[u8]) -> Option<Pos> {
    lp.find(lp.first(), &Needle::new(text), 1)
}

/// Bytes of the longest text of the integers.
fn widest(ints: IntsetRef<'_>) -> usize {
    let ends = [ints.min(), ints.max()];
    ends.iter().flatten().map(|&n| num::len_i64(n)).max().unwrap_or(0)
}

/// Bytes of a listpack of the integers, or some more.
fn packed_bytes(ints: IntsetRef<'_>) -> usize {
    match (ints.min(), ints.max()) {
        (Some(min), Some(max)) => listpack::bytes_of_ints(ints.len(), min, max),
        _ => listpack::EMPTY_BYTES,
    }
}

/// A number below `n`, uniform but for a bias of `n / 2^64`.
fn below(word: u64, n: usize) -> usize {
    ((u128::from(word) * n as u128) >> 64) as usize
}

/// All members of a set.
pub enum Items<'a> {
    Ints(intset::Iter<'a>),
    Packed(listpack::Iter<'a>),
    Table(crate::ds::dict::Iter<'a, Member>),
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        match self {
            Items::Ints(ints) => ints.next().map(Item::Int),
            Items::Packed(items) => items.next(),
            Items::Table(members) => members.next().map(|m| Item::Str(m.key())),
        }
    }
}

impl PartialEq for Set {
    /// The same members, whatever the encoding.
    fn eq(&self, other: &Set) -> bool {
        self.view() == other.view()
    }
}

impl Eq for Set {}

impl std::fmt::Debug for Set {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.view().fmt(f)
    }
}

impl PartialEq for SetRef<'_> {
    /// The same members, whatever the encoding.
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self.iter().all(|item| other.contains(item.bytes(&mut Scratch::default())))
    }
}

impl Eq for SetRef<'_> {}

impl std::fmt::Debug for SetRef<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |item: Item<'_>| item.to_vec().escape_ascii().to_string();
        f.debug_set().entries(self.iter().map(text)).finish()
    }
}

impl Collection for Set {
    variant!(Set);
    type Ref<'a> = SetRef<'a>;

    #[inline]
    fn view(&self) -> SetRef<'_> {
        match self {
            Set::Ints(ints) => SetRef::Ints(ints.view()),
            Set::Packed(lp) => SetRef::Packed(lp.view()),
            Set::Table(members) => SetRef::Table(members),
        }
    }
}

impl View for SetRef<'_> {
    fn encoding(self) -> Encoding {
        match self {
            SetRef::Ints(_) => Encoding::Intset,
            SetRef::Packed(_) => Encoding::Listpack,
            SetRef::Table(_) => Encoding::Hashtable,
        }
    }

    #[inline]
    fn len(self) -> usize {
        match self {
            SetRef::Ints(ints) => ints.len(),
            SetRef::Packed(lp) => lp.len(),
            SetRef::Table(members) => members.len(),
        }
    }

    fn duplicate(self, room: usize) -> Object {
        Object::Set(match self {
            SetRef::Ints(ints) => Set::Ints(ints.to_owned()),
            SetRef::Packed(lp) => Set::Packed(lp.to_owned(room)),
            SetRef::Table(members) => {
                let mut copy = table(members.len(), members.seed());
                for m in members.iter() {
                    copy.insert_new(copy.hash(m.key()), Member::new(m.key(), b"", None));
                }
                Set::Table(Box::new(copy))
            }
        })
    }

    fn free_effort(self) -> usize {
        match self {
            SetRef::Table(members) => members.len(),
            _ => 1,
        }
    }

    fn mem_bytes(self, samples: usize) -> usize {
        match self {
            SetRef::Ints(ints) => size_class(ints.as_bytes().len()),
            SetRef::Packed(lp) => size_class(lp.bytes_len()),
            SetRef::Table(members) => {
                let take = if samples == 0 { usize::MAX } else { samples };
                let (mut seen, mut bytes) = (0, 0);
                for m in members.iter().take(take) {
                    seen += 1;
                    bytes += m.mem_bytes();
                }
                let all = (bytes * members.len()).checked_div(seen).unwrap_or(0);
                size_of::<Members>() + members.mem_bytes() + all
            }
        }
    }

    fn digest(self, sum: &mut [u8; 20]) {
        self.iter().for_each(|item| digest::xor(sum, item.bytes(&mut Scratch::default())));
    }
}

#[cfg(test)]
mod tests;
