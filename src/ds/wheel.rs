//! The wheel: which item is due next, for millions of items with a deadline.
//!
//! Eight levels of 256 slots. A slot of level `k` stands for 256^k milliseconds, so level 0 has one
//! slot a millisecond for the next quarter second, level 1 covers 65 s, level 2 covers 4.6 h, and
//! level 7 ends beyond any `i64`. An item goes to the lowest level whose 256 slots reach its time:
//!
//! ```text
//!   cursor (all before it is done)
//!     |  level 0: 1 ms   [.][.][x][.] ...            slot = at        & 255
//!     |  level 1: 256 ms [c][.][x][x] ...            slot = at >> 8   & 255
//!     |  level 2: 65 s   [c][x][.][.] ...            slot = at >> 16  & 255
//! ```
//!
//! When the cursor enters a slot of a higher level, its items are dealt out to lower levels, a few
//! at a time as the caller's budget allows. Bitmaps of occupied slots make empty time free to skip.
//!
//! An item remembers its level and its position in the slot (`Place`, four bytes); the slot's
//! number follows from its deadline. So insert and remove are O(1) and a removal swaps the last
//! item of the slot into the hole. Because the level is remembered rather than derived from the
//! cursor, **an item in a "wrong" place is harmless as long as it is visited early**: it is then
//! dealt out again. That is what lets the clock be set back (the cursor simply goes back) or leap
//! ahead.
//!
//! Slots are lists of chunks of 6-byte handles: no doubling, no large reallocation, 6 bytes an
//! item.
//!
//! Invariants:
//!
//! - W1  the item at position `p` of a slot of level `k` has `Place { k, p }`, and the slot's
//!   number is `(at >> 8k) & 255`; items of the extra level `OVERDUE` are in one bag;
//! - W2  no item is visited late: `at >> 8k >= cursor >> 8k` for every item of level `k`;
//! - W3  the bit of a slot is set iff it holds items.
//!
//! Absent by design: the wheel doesn't know what an item is; `Items` reads and writes it.

/// Slots of a level.
const SLOTS: usize = 256;
const LEVELS: usize = 8;
const BITS: u32 = 8;
/// The level of items whose time had passed when they came.
const OVERDUE: usize = LEVELS;
/// Items of a chunk: 6 KiB.
const CHUNK: usize = 1024;
/// A slot holds fewer items than this (2^28: what fits in a `Place`); more go to a level below.
const SLOT_LIMIT: usize = 1 << POSITION_BITS;
const POSITION_BITS: u32 = 28;
/// How far ahead items of a slot are prefetched while it is emptied from its end.
const AHEAD: usize = 8;
/// How many items of a slot `soonest` compares.
const LOOK: usize = 64;

/// What an item must remember for the wheel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place(pub u32);

impl Place {
    fn new(level: usize, position: usize) -> Place {
        Place((level << POSITION_BITS | position) as u32)
    }

    fn level(self) -> usize {
        (self.0 >> POSITION_BITS) as usize
    }

    fn position(self) -> usize {
        self.0 as usize & (SLOT_LIMIT - 1)
    }
}

/// The items behind the handles. A handle is any number below 2^48 that names an item.
pub(crate) trait Items {
    /// The item's deadline in milliseconds.
    fn due_ms(&self, handle: u64) -> i64;
    /// Makes the item remember its place.
    fn set_place(&mut self, handle: u64, place: Place);
    /// The item will be asked about soon.
    fn prefetch(&self, handle: u64) {
        let _ = handle;
    }
}

/// The answer of `Wheel::next_due`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Next {
    /// This item is due; it is still in the wheel.
    Due(u64),
    /// The budget is spent before it is known whether something is due: call again.
    More,
    /// Nothing is due.
    Idle,
}

/// Six bytes of a handle.
type Packed = [u8; 6];

fn pack(handle: u64) -> Packed {
    let [a, b, c, d, e, f, 0, 0] = handle.to_le_bytes() else {
        panic!("a handle above 2^48");
    };
    [a, b, c, d, e, f]
}

fn unpack([a, b, c, d, e, f]: Packed) -> u64 {
    u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
}

/// A growing list of handles: full chunks, then a chunk that is being filled.
#[derive(Default)]
struct Slot {
    full: Vec<Box<[Packed]>>,
    tail: Vec<Packed>,
}

impl Slot {
    fn len(&self) -> usize {
        self.full.len() * CHUNK + self.tail.len()
    }

    fn bytes(&self) -> usize {
        self.full.len() * CHUNK * size_of::<Packed>()
            + self.full.capacity() * size_of::<Box<[Packed]>>()
            + self.tail.capacity() * size_of::<Packed>()
    }

    fn at(&self, position: usize) -> u64 {
        unpack(match self.full.get(position / CHUNK) {
            Some(chunk) => chunk[position % CHUNK],
            None => self.tail[position - self.full.len() * CHUNK],
        })
    }

    fn set(&mut self, position: usize, handle: u64) {
        let tail_from = self.full.len() * CHUNK;
        match self.full.get_mut(position / CHUNK) {
            Some(chunk) => chunk[position % CHUNK] = pack(handle),
            None => self.tail[position - tail_from] = pack(handle),
        }
    }

    fn last(&self) -> Option<u64> {
        self.tail.last().or_else(|| self.full.last()?.last()).copied().map(unpack)
    }

    fn push(&mut self, handle: u64) {
        self.tail.push(pack(handle));
        if self.tail.len() == CHUNK {
            // Doubling from 4 meets 1024 exactly, so this copies nothing.
            self.full.push(std::mem::take(&mut self.tail).into_boxed_slice());
        }
    }

    fn pop(&mut self) -> Option<u64> {
        if self.tail.is_empty() {
            self.tail = self.full.pop()?.into_vec();
        }
        let handle = self.tail.pop();
        if self.tail.is_empty() {
            *self = if self.full.is_empty() {
                Slot::default()
            } else {
                Slot { full: std::mem::take(&mut self.full), tail: Vec::new() }
            };
        } else if self.tail.len() * 4 <= self.tail.capacity() && self.full.is_empty() {
            self.tail.shrink_to(self.tail.capacity() / 2);
        }
        handle.map(unpack)
    }
}

struct Level {
    occupied: [u64; SLOTS / 64],
    slots: [Slot; SLOTS],
}

impl Level {
    fn new() -> Box<Level> {
        Box::new(Level {
            occupied: [0; SLOTS / 64],
            slots: std::array::from_fn(|_| Slot::default()),
        })
    }

    /// How many slots after `from` (0 to 255, around the end) the first occupied one is.
    fn distance(&self, from: usize) -> Option<usize> {
        let (word, bit) = (from / 64, from % 64);
        let here = self.occupied[word];
        let ahead = here >> bit;
        if ahead != 0 {
            return Some(ahead.trailing_zeros() as usize);
        }
        (1..=SLOTS / 64).find_map(|step| {
            let bits = self.occupied[(word + step) % (SLOTS / 64)];
            (bits != 0).then(|| step * 64 - bit + bits.trailing_zeros() as usize)
        })
    }
}

/// The index by time. See the module's page for how it works.
pub(crate) struct Wheel {
    levels: [Option<Box<Level>>; LEVELS],
    overdue: Slot,
    /// Milliseconds; every slot that ended before it is empty.
    cursor: u64,
    len: usize,
    bytes: usize,
}

fn slot_number(level: usize, at: u64) -> usize {
    (at >> (level as u32 * BITS)) as usize % SLOTS
}

/// Deadlines before 1970 are all simply past.
fn time(at_ms: i64) -> u64 {
    at_ms.max(0) as u64
}

impl Wheel {
    /// An empty wheel whose time is `now_ms`; `next_due` moves it on. A wheel far behind its items
    /// puts them into one wide slot: `soonest` is then a guess, until they have been dealt out.
    pub(crate) fn new(now_ms: i64) -> Wheel {
        Wheel {
            levels: Default::default(),
            overdue: Slot::default(),
            cursor: time(now_ms),
            len: 0,
            bytes: 0,
        }
    }

    /// Items in the wheel. O(1).
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Allocated bytes. O(1).
    pub(crate) fn mem_bytes(&self) -> usize {
        self.bytes
    }

    /// The lowest level that reaches `at`, seen from the cursor.
    fn level_for(&self, at: u64) -> usize {
        if at <= self.cursor {
            return OVERDUE;
        }
        let level = (at - self.cursor).ilog2() / BITS;
        // The distance fits this level, but counted in its slots it can be one too many.
        let slots = (at >> (level * BITS)) - (self.cursor >> (level * BITS));
        level as usize + usize::from(slots >= SLOTS as u64)
    }

    /// Adds the item with this handle, due at `at_ms`. O(1).
    pub(crate) fn insert(&mut self, handle: u64, at_ms: i64, items: &mut impl Items) {
        let at = time(at_ms);
        let mut level = self.level_for(at);
        while level > 0 && self.slot(level, at).len() + 1 >= SLOT_LIMIT {
            level -= 1;
        }
        let slot = self.slot(level, at);
        let position = slot.len();
        assert!(position < SLOT_LIMIT, "2^28 items due at one time");
        let before = slot.bytes();
        slot.push(handle);
        let after = slot.bytes();
        self.bytes = self.bytes - before + after;
        self.len += 1;
        if position == 0 {
            self.mark(level, at, true);
        }
        items.set_place(handle, Place::new(level, position));
    }

    /// Removes the item with this handle, deadline and place. O(1).
    pub(crate) fn remove(&mut self, handle: u64, at_ms: i64, place: Place, items: &mut impl Items) {
        let at = time(at_ms);
        let slot = self.slot(place.level(), at);
        assert_eq!(slot.at(place.position()), handle, "W1: an item is not where it says");
        let before = slot.bytes();
        let last = slot.pop();
        if let Some(last) = last
            && last != handle
        {
            slot.set(place.position(), last);
            items.set_place(last, place);
        }
        let (after, empty) = (slot.bytes(), slot.len() == 0);
        self.bytes = self.bytes - before + after;
        self.len -= 1;
        if empty {
            self.mark(place.level(), at, false);
        }
    }

    /// The item at this place has got another handle; deadline and place stay. O(1).
    pub(crate) fn renamed(&mut self, old: u64, new: u64, at_ms: i64, place: Place) {
        let slot = self.slot(place.level(), time(at_ms));
        assert_eq!(slot.at(place.position()), old, "W1: an item is not where it says");
        slot.set(place.position(), new);
    }

    /// Advances to `now_ms` until an item is due; the item is returned but stays in. Deals out at
    /// most `budget` items to lower levels on the way.
    ///
    /// Call it again after removing what it returned. Items come in order of their time, as far as
    /// one slot's width.
    pub(crate) fn next_due(&mut self, now_ms: i64, budget: usize, items: &mut impl Items) -> Next {
        let now = time(now_ms);
        // The clock was set back: visiting slots early is harmless.
        self.cursor = self.cursor.min(now);
        for left in (0..=budget).rev() {
            let (level, number) = if self.overdue.len() > 0 {
                (OVERDUE, 0)
            } else {
                match self.first_occupied() {
                    Some((start, level, number)) if start <= now => {
                        self.cursor = start;
                        (level, number)
                    }
                    _ => {
                        self.cursor = now;
                        return Next::Idle;
                    }
                }
            };
            let slot = match level {
                OVERDUE => &self.overdue,
                _ => &self.levels[level].as_ref().expect("W3").slots[number],
            };
            let handle = slot.last().expect("W3");
            if let Some(ahead) = slot.len().checked_sub(1 + AHEAD) {
                items.prefetch(slot.at(ahead));
            }
            let (at_ms, place) = (items.due_ms(handle), Place::new(level, slot.len() - 1));
            if time(at_ms) <= now {
                return Next::Due(handle);
            }
            if left > 0 {
                self.remove(handle, at_ms, place, items);
                self.insert(handle, at_ms, items);
            }
        }
        Next::More
    }

    /// How many items are due at `now_ms`. Slots that lie in the past as a whole are counted by
    /// their length. In one that `now_ms` lies within, up to 64 items are looked at: exact if it
    /// has no more, else their share stands for the others. At most 256 slots a level are counted.
    pub(crate) fn due(&self, now_ms: i64, items: &impl Items) -> usize {
        let now = time(now_ms);
        let mut due = self.overdue.len();
        for (k, level) in self.levels.iter().enumerate() {
            let Some(level) = level else { continue };
            let shift = k as u32 * BITS;
            let (from, to) = (self.cursor >> shift, now >> shift);
            for number in (from..=to).take(SLOTS) {
                let slot = &level.slots[number as usize % SLOTS];
                due += match slot.len() {
                    0 => 0,
                    len if number < to || k == 0 => len,
                    len => {
                        let seen = len.min(LOOK);
                        let past = |i: &usize| time(items.due_ms(slot.at(len - 1 - i))) <= now;
                        (0..seen).filter(past).count() * len / seen
                    }
                };
            }
        }
        due
    }

    /// The item with the nearest deadline: exactly, unless the nearest slot holds more than a few
    /// dozen (then one of the nearest, within the width of that slot). O(1).
    pub(crate) fn soonest(&self, items: &impl Items) -> Option<u64> {
        let first = |level: usize| {
            let wheel = self.levels[level].as_ref()?;
            let from = slot_number(level, self.cursor);
            Some(&wheel.slots[(from + wheel.distance(from)?) % SLOTS])
        };
        std::iter::once(&self.overdue)
            .chain((0..LEVELS).filter_map(first))
            .flat_map(|slot| (0..slot.len()).rev().take(LOOK).map(|i| slot.at(i)))
            .min_by_key(|&handle| items.due_ms(handle))
    }

    /// The occupied slot that the cursor meets first: when, level, number. O(levels).
    ///
    /// Where several begin at one time the highest comes first, so that what it holds is dealt out
    /// before time goes on.
    fn first_occupied(&self) -> Option<(u64, usize, usize)> {
        let mut best: Option<(u64, usize, usize)> = None;
        for level in (0..LEVELS).rev() {
            let Some(wheel) = &self.levels[level] else { continue };
            let shift = level as u32 * BITS;
            let from = slot_number(level, self.cursor);
            let Some(distance) = wheel.distance(from) else { continue };
            let start = match distance {
                0 => self.cursor,
                // Level 7 can't overflow: deadlines are below 2^63.
                d => ((self.cursor >> shift) + d as u64) << shift,
            };
            if best.is_none_or(|(soonest, ..)| start < soonest) {
                best = Some((start, level, (from + distance) % SLOTS));
            }
        }
        best
    }

    fn slot(&mut self, level: usize, at: u64) -> &mut Slot {
        if level == OVERDUE {
            return &mut self.overdue;
        }
        let level_of = &mut self.levels[level];
        if level_of.is_none() {
            self.bytes += size_of::<Level>();
        }
        &mut level_of.get_or_insert_with(Level::new).slots[slot_number(level, at)]
    }

    fn mark(&mut self, level: usize, at: u64, occupied: bool) {
        if level == OVERDUE {
            return;
        }
        let number = slot_number(level, at);
        if let Some(level) = &mut self.levels[level] {
            let (word, bit) = (&mut level.occupied[number / 64], 1 << (number % 64));
            *word = if occupied { *word | bit } else { *word & !bit };
        }
    }

    /// Panics if an invariant doesn't hold. O(n).
    pub(crate) fn check(&self, items: &impl Items, place_of: impl Fn(u64) -> Place) {
        let mut len = 0;
        let mut bytes = self.overdue.bytes();
        let mut each = |level: usize, slot: &Slot| {
            for position in 0..slot.len() {
                assert_eq!(place_of(slot.at(position)), Place::new(level, position), "W1");
            }
            len += slot.len();
        };
        each(OVERDUE, &self.overdue);
        for (k, level) in self.levels.iter().enumerate() {
            let Some(level) = level else { continue };
            bytes += size_of::<Level>();
            for (number, slot) in level.slots.iter().enumerate() {
                each(k, slot);
                bytes += slot.bytes();
                let marked = level.occupied[number / 64] >> (number % 64) & 1 == 1;
                assert_eq!(marked, slot.len() > 0, "W3");
                for position in 0..slot.len() {
                    let at = time(items.due_ms(slot.at(position)));
                    assert_eq!(slot_number(k, at), number, "W1");
                    let shift = k as u32 * BITS;
                    assert!(at >> shift >= self.cursor >> shift, "W2: late at level {k}");
                }
            }
        }
        assert_eq!(len, self.len);
        assert_eq!(bytes, self.bytes);
    }
}

#[cfg(test)]
pub(crate) mod tests;
