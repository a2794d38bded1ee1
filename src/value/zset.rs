//! Sorted sets: a listpack while small, a table with an order-statistics tree above.
//!
//! The listpack holds member, score, member, score and so on, in order. A score that is a whole
//! number is stored as an integer, any other as text (`num::write_f64`). Snapshots hold it in this
//! form. A sorted set that is larger than the limits allow becomes a `SortedTable`, which is
//! reported as `skiplist`, and never turns back.
//!
//! Every range becomes a range of ranks: a [`Cut`] says where it begins or ends, and the number of
//! elements before the cut is the rank.
//!
//! Invariants: elements ascend by score, then by member; no member is there twice; no score is NaN.

use crate::ds::listpack::{self, Item, Listpack, ListpackRef, Needle, Pos, Scratch};
use crate::ds::ordered::table::{SortedTable, Unsorted};
use crate::ds::ordered::{AtElement, Cut};
use crate::util::digest;
use crate::util::num;
use crate::util::siphash::Seed;
use crate::util::size_class::size_class;
use crate::value::{Collection, Encoding, Object, View, variant};

/// A sorted set.
pub enum ZSet {
    Packed(Listpack),
    Table(Box<SortedTable>),
}

/// A sorted set, to read it.
#[derive(Clone, Copy)]
pub enum ZSetRef<'a> {
    Packed(ListpackRef<'a>),
    Table(&'a SortedTable),
}

/// The limits of the listpack, and the seed of the table above them.
#[derive(Clone, Copy, Debug)]
pub struct ZSetLimits {
    /// Elements of a listpack.
    pub entries: usize,
    /// Bytes of a member in one.
    pub value: usize,
    pub seed: Seed,
}

/// Under which conditions `add` adds or changes, and how.
#[derive(Clone, Copy, Default, Debug)]
pub struct AddRule {
    /// Only members that are not there.
    pub absent: bool,
    /// Only members that are there.
    pub present: bool,
    /// A score that is there is changed only to a greater one.
    pub greater: bool,
    /// A score that is there is changed only to a lesser one.
    pub less: bool,
    /// The score is added to the one that is there.
    pub increment: bool,
}

/// What `add` did, with the score that the member has now.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Added {
    New(f64),
    Changed(f64),
    /// It had that score.
    Same(f64),
    /// The rule forbade it.
    Nothing,
}

/// A sum of infinities.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotANumber;

impl AddRule {
    /// The score that the member is to have, if it is to be written.
    #[inline]
    fn decide(self, score: f64, old: Option<f64>) -> (Option<f64>, Result<Added, NotANumber>) {
        let Some(old) = old else {
            return match self.present {
                true => (None, Ok(Added::Nothing)),
                false => (Some(score), Ok(Added::New(score))),
            };
        };
        let score = if self.increment { old + score } else { score };
        if self.absent {
            (None, Ok(Added::Nothing))
        } else if score.is_nan() {
            (None, Err(NotANumber))
        } else if self.less && score >= old || self.greater && score <= old {
            (None, Ok(Added::Nothing))
        } else if score == old {
            (None, Ok(Added::Same(score)))
        } else {
            (Some(score), Ok(Added::Changed(score)))
        }
    }
}

/// The score that an element of a listpack is.
#[inline]
pub(crate) fn packed_score(item: Item<'_>) -> f64 {
    match item {
        Item::Int(int) => int as f64,
        Item::Str(text) => num::parse_f64(text).unwrap_or(0.0),
    }
}

/// Hands `write` a score as the text that a listpack holds. Compat: -0 is stored as 0.
fn with_packed<R>(score: f64, write: impl FnOnce(&[u8]) -> R) -> R {
    // Up to here a whole number is stored as an integer, and most scores are below.
    const WHOLE: f64 = (1_i64 << 62) as f64;
    if score.abs() <= WHOLE && score as i64 as f64 == score {
        let mut text = Scratch::default();
        let len = num::format_i64(&mut text, score as i64);
        return write(&text[..len]);
    }
    let mut text = [0; num::MAX_F64_CHARS];
    let len = num::format_f64(&mut text, score);
    write(&text[..len])
}

/// Whether the elements of a table may be a listpack, as far as its bytes go. O(n).
fn may_pack(table: &SortedTable) -> bool {
    // What an element takes beside its member's text, at most.
    const BESIDE: usize = 48;
    let text = table.ascend(0, table.len()).map(|(member, _)| member.len()).sum();
    // Compat: the limit is on the texts. The rest matters only for millions of short ones.
    listpack::may_grow(0, text) && text + BESIDE * table.len() <= u32::MAX as usize
}

impl ZSet {
    /// An empty one.
    pub fn new() -> ZSet {
        ZSet::Packed(Listpack::new())
    }

    /// An empty one to which so many members are to be added, the first of that length.
    pub fn for_adding(members: usize, first_len: usize, limits: &ZSetLimits) -> ZSet {
        if members <= limits.entries && first_len <= limits.value {
            return ZSet::new();
        }
        ZSet::Table(Box::new(SortedTable::new(limits.seed)))
    }

    /// Of elements in any order, in the encoding that the limits ask for. O(n log n).
    pub fn from_unsorted(elements: Unsorted, limits: &ZSetLimits) -> ZSet {
        let longest = elements.longest();
        ZSet::from_table(elements.sort(), longest, limits)
    }

    /// A sorted listpack from elsewhere, in the encoding that the number of its elements asks for.
    /// O(n).
    pub fn from_packed(lp: Listpack, limits: &ZSetLimits) -> ZSet {
        let mut zset = ZSet::Packed(lp);
        if zset.len() > limits.entries {
            zset.spread(limits, 0);
        }
        zset
    }

    /// A table, packed if the limits allow that; `longest` is the length of its longest member.
    /// O(n).
    pub fn from_table(table: SortedTable, longest: usize, limits: &ZSetLimits) -> ZSet {
        let fits = table.len() <= limits.entries && longest <= limits.value && may_pack(&table);
        if !fits {
            return ZSet::Table(Box::new(table));
        }
        let mut lp = Listpack::new();
        table
            .ascend(0, table.len())
            .for_each(|(member, score)| push_packed(&mut lp, member, score));
        lp.shrink();
        ZSet::Packed(lp)
    }

    /// Becomes a table now if so many members are about to be added that it would anyway.
    pub fn prepare(&mut self, members: usize, limits: &ZSetLimits) {
        if members > limits.entries {
            self.spread(limits, members);
        }
    }

    /// Becomes a table with room for `more` elements. O(n).
    pub fn spread(&mut self, limits: &ZSetLimits, more: usize) {
        let ZSet::Packed(lp) = self else { return };
        let mut table = SortedTable::new(limits.seed);
        table.reserve(lp.len() / 2 + more);
        let mut scratch = Scratch::default();
        for (member, score) in lp.view().pairs() {
            table.push_back(member.bytes(&mut scratch), packed_score(score));
        }
        *self = ZSet::Table(Box::new(table));
    }

    /// Adds a member, or changes its score, as the rule says. O(log n) in a table.
    pub fn add(
        &mut self,
        member: &[u8],
        score: f64,
        rule: AddRule,
        limits: &ZSetLimits,
    ) -> Result<Added, NotANumber> {
        match self {
            ZSet::Table(table) => table.change(member, |old| rule.decide(score, old)),
            ZSet::Packed(lp) => {
                let found = find_packed(lp.view(), member);
                let (wanted, result) = rule.decide(score, found.map(|(_, old)| old));
                let Some(score) = wanted else { return result };
                if let Some((pos, _)) = found {
                    lp.remove_from(pos, 2);
                } else if lp.len() / 2 + 1 > limits.entries
                    || member.len() > limits.value
                    || !listpack::may_grow(lp.bytes_len(), member.len())
                {
                    self.spread(limits, 1);
                    return self.add(member, score, AddRule::default(), limits);
                }
                insert_packed(lp, member, score);
                result
            }
        }
    }

    /// Removes a member; whether it was there. O(log n) in a table.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match self {
            ZSet::Packed(lp) => {
                let found = find_packed(lp.view(), member);
                if let Some((pos, _)) = found {
                    lp.remove_from(pos, 2);
                }
                found.is_some()
            }
            ZSet::Table(table) => table.remove(member).is_some(),
        }
    }

    /// Removes up to `n` elements from rank `from` on, each shown to `see` before, upwards.
    /// O(n + log of all) in a table.
    pub fn remove_range(
        &mut self,
        from: usize,
        n: usize,
        mut see: impl FnMut(Item<'_>, f64),
    ) -> usize {
        match self {
            ZSet::Packed(lp) => {
                let Some(pos) = lp.at(2 * from as i64) else { return 0 };
                let n = n.min(lp.len() / 2 - from);
                let mut items = lp.view().iter_from(pos);
                for _ in 0..n {
                    if let (Some(member), Some(score)) = (items.next(), items.next()) {
                        see(member, packed_score(score));
                    }
                }
                lp.remove_from(pos, 2 * n);
                n
            }
            ZSet::Table(table) => {
                table.remove_range(from, n, |member, score| see(Item::Str(member), score))
            }
        }
    }
}

impl<'a> ZSetRef<'a> {
    /// Whether it is the same sorted set, not just an equal one.
    pub fn is(self, other: ZSetRef<'_>) -> bool {
        match (self, other) {
            (ZSetRef::Packed(a), ZSetRef::Packed(b)) => std::ptr::eq(a.entries(), b.entries()),
            (ZSetRef::Table(a), ZSetRef::Table(b)) => std::ptr::eq(a, b),
            _ => false,
        }
    }

    /// The score of a member. O(1) in a table.
    #[inline]
    pub fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            ZSetRef::Packed(lp) => find_packed(lp, member).map(|(_, score)| score),
            ZSetRef::Table(table) => table.score(member),
        }
    }

    /// The rank of a member, counted from the lowest, and its score. O(log n) in a table.
    pub fn rank(self, member: &[u8]) -> Option<(usize, f64)> {
        match self {
            ZSetRef::Packed(lp) => {
                let needle = Needle::new(member);
                let rank = lp.pairs().position(|(item, _)| needle.is(item))?;
                Some((rank, packed_score(lp.get(lp.at(2 * rank as i64 + 1)?))))
            }
            ZSetRef::Table(table) => table.rank(member),
        }
    }

    /// Number of elements before the cut. O(log n) in a table.
    pub fn count_before(self, cut: &impl Cut) -> usize {
        match self {
            ZSetRef::Packed(lp) => packed_place(lp, cut).0,
            ZSetRef::Table(table) => table.count_before(cut),
        }
    }

    /// Visits up to `n` elements from rank `from` upwards. O(n + log of all) in a table.
    #[inline]
    pub fn ascend(self, from: usize, n: usize, mut visit: impl FnMut(Item<'a>, f64)) {
        match self {
            ZSetRef::Packed(lp) => {
                let Some(pos) = lp.at(2 * from as i64) else { return };
                let mut items = lp.iter_from(pos);
                for _ in 0..n {
                    let (Some(member), Some(score)) = (items.next(), items.next()) else { return };
                    visit(member, packed_score(score));
                }
            }
            ZSetRef::Table(table) => {
                table.ascend(from, n).for_each(|(member, score)| visit(Item::Str(member), score));
            }
        }
    }

    /// Visits up to `n` elements from rank `from` downwards. O(n + log of all) in a table.
    pub fn descend(self, from: usize, n: usize, mut visit: impl FnMut(Item<'a>, f64)) {
        match self {
            ZSetRef::Packed(lp) => {
                let mut at = lp.at(2 * from as i64 + 1);
                for _ in 0..n {
                    let Some(score) = at else { return };
                    let member = lp.prev(score).expect("scores stand behind members");
                    visit(lp.get(member), packed_score(lp.get(score)));
                    at = lp.prev(member);
                }
            }
            ZSetRef::Table(table) => {
                table.descend(from, n).for_each(|(member, score)| visit(Item::Str(member), score));
            }
        }
    }

    /// Visits all elements in order. O(n).
    pub fn each(self, visit: impl FnMut(Item<'a>, f64)) {
        self.ascend(0, self.len(), visit);
    }
}

impl Default for ZSet {
    fn default() -> ZSet {
        ZSet::new()
    }
}

fn push_packed(lp: &mut Listpack, member: &[u8], score: f64) {
    lp.push_back(member);
    with_packed(score, |text| lp.push_back(text));
}

/// The place of a member and its score.
#[inline]
fn find_packed(lp: ListpackRef<'_>, member: &[u8]) -> Option<(Pos, f64)> {
    let pos = lp.find(lp.first(), &Needle::new(member), 2)?;
    let score = lp.next(pos).expect("scores stand behind members");
    Some((pos, packed_score(lp.get(score))))
}

/// How many elements are before the cut, and the place of the first that isn't.
fn packed_place(lp: ListpackRef<'_>, cut: &impl Cut) -> (usize, Option<Pos>) {
    let mut scratch = Scratch::default();
    let (mut at, mut rank) = (lp.first(), 0);
    while let Some(pos) = at {
        let score = lp.next(pos).expect("scores stand behind members");
        if !cut.follows(packed_score(lp.get(score)), || lp.get(pos).bytes(&mut scratch)) {
            break;
        }
        rank += 1;
        at = lp.next(score);
    }
    (rank, at)
}

/// Inserts a member that isn't there. O(n).
fn insert_packed(lp: &mut Listpack, member: &[u8], score: f64) {
    match packed_place(lp.view(), &AtElement { score, member, behind: false }).1 {
        None => push_packed(lp, member, score),
        Some(pos) => {
            let pos = lp.insert_before(pos, member);
            with_packed(score, |text| lp.insert_after(pos, text));
        }
    }
}

impl Collection for ZSet {
    variant!(ZSet);
    type Ref<'a> = ZSetRef<'a>;

    #[inline]
    fn view(&self) -> ZSetRef<'_> {
        match self {
            ZSet::Packed(lp) => ZSetRef::Packed(lp.view()),
            ZSet::Table(table) => ZSetRef::Table(table),
        }
    }
}

impl View for ZSetRef<'_> {
    fn encoding(self) -> Encoding {
        match self {
            ZSetRef::Packed(_) => Encoding::Listpack,
            ZSetRef::Table(_) => Encoding::Skiplist,
        }
    }

    fn len(self) -> usize {
        match self {
            ZSetRef::Packed(lp) => lp.len() / 2,
            ZSetRef::Table(table) => table.len(),
        }
    }

    fn duplicate(self, room: usize) -> Object {
        Object::ZSet(match self {
            ZSetRef::Packed(lp) => ZSet::Packed(lp.to_owned(room)),
            ZSetRef::Table(table) => ZSet::Table(Box::new(table.duplicate())),
        })
    }

    fn free_effort(self) -> usize {
        match self {
            ZSetRef::Packed(_) => 1,
            ZSetRef::Table(table) => table.len(),
        }
    }

    fn mem_bytes(self, samples: usize) -> usize {
        match self {
            ZSetRef::Packed(lp) => size_class(lp.bytes_len()),
            ZSetRef::Table(table) => {
                size_class(size_of::<SortedTable>()) + table.mem_bytes(samples)
            }
        }
    }

    fn digest(self, sum: &mut [u8; 20]) {
        let mut text = Vec::with_capacity(32);
        self.each(|member, score| {
            let mut element = [0; 20];
            digest::mix(&mut element, member.bytes(&mut Scratch::default()));
            text.clear();
            num::write_f64_grisu(&mut text, score);
            digest::mix(&mut element, &text);
            digest::xor(sum, &element);
        });
    }
}

impl PartialEq for ZSet {
    /// The same members with the same scores.
    fn eq(&self, other: &ZSet) -> bool {
        self.view() == other.view()
    }
}

impl Eq for ZSet {}

impl std::fmt::Debug for ZSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.view().fmt(f)
    }
}

impl PartialEq for ZSetRef<'_> {
    /// The same members with the same scores.
    fn eq(&self, other: &Self) -> bool {
        let mut same = self.len() == other.len();
        self.each(|member, score| {
            same = same && other.score(member.bytes(&mut Scratch::default())) == Some(score);
        });
        same
    }
}

impl Eq for ZSetRef<'_> {}

impl std::fmt::Debug for ZSetRef<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut map = f.debug_map();
        self.each(|member, score| {
            map.entry(&member.to_vec().escape_ascii().to_string(), &score);
        });
        map.finish()
    }
}

#[cfg(test)]
mod tests;
