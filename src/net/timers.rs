//! The reactor's timer wheel: server cron, save points, blocked clients, time-outs.
//!
//! Four levels of 64 slots, 1 ms wide at the bottom: 64 ms, 4 s, 4.4 min, 4.7 h. A timer sits in
//! the slot of the first level that reaches it and moves down as its time comes near; one beyond
//! the top level waits there and is placed again. Setting and cancelling are O(1), a turn costs
//! what is due.
//!
//! ```text
//! level 0  |.|.|x|.|...   1 ms a slot      a bitmap a level says which slots hold anything
//! level 1  |....|..x.|    64 ms a slot
//! ```
//! Invariants: a live node is in exactly one slot's list; `occupied` has the bit of each slot whose
//! list is not empty; nothing in the wheel is due before `now`.

const LEVELS: usize = 4;
const BITS: u32 = 6;
const SLOTS: usize = 1 << BITS;
const NONE: u32 = u32::MAX;

/// A handle to cancel a timer. It may outlive the timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimerId {
    index: u32,
    generation: u32,
}

#[derive(Debug)]
struct Node<T> {
    at: u64,
    what: Option<T>,
    generation: u32,
    prev: u32,
    next: u32,
    slot: u16,
}

/// Timers carrying a `T` each. Times are milliseconds of any clock that does not go backwards.
#[derive(Debug)]
pub(crate) struct Timers<T> {
    now: u64,
    nodes: Vec<Node<T>>,
    free: Vec<u32>,
    heads: [u32; LEVELS * SLOTS],
    occupied: [u64; LEVELS],
    len: usize,
}

impl<T> Timers<T> {
    pub(crate) fn new(now: u64) -> Timers<T> {
        Timers {
            now,
            nodes: Vec::new(),
            free: Vec::new(),
            heads: [NONE; LEVELS * SLOTS],
            occupied: [0; LEVELS],
            len: 0,
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Sets a timer; one in the past is due at the next `advance`.
    pub(crate) fn set(&mut self, at: u64, what: T) -> TimerId {
        let index = self.free.pop().unwrap_or_else(|| {
            let node = Node { at: 0, what: None, generation: 0, prev: NONE, next: NONE, slot: 0 };
            self.nodes.push(node);
            (self.nodes.len() - 1) as u32
        });
        let node = &mut self.nodes[index as usize];
        node.at = at.max(self.now + 1);
        node.what = Some(what);
        let generation = node.generation;
        self.link(index);
        self.len += 1;
        TimerId { index, generation }
    }

    /// Takes a timer back; None if it has fired or was cancelled.
    pub(crate) fn cancel(&mut self, id: TimerId) -> Option<T> {
        let node = self.nodes.get(id.index as usize)?;
        if node.generation != id.generation || node.what.is_none() {
            return None;
        }
        self.unlink(id.index);
        Some(self.release(id.index))
    }

    /// The time until which nothing is due. It is exact if few timers come next: to wake up only to
    /// move them down a level would be of no use. It is never later than the next timer.
    pub(crate) fn next_due(&self) -> Option<u64> {
        (0..LEVELS).filter_map(|level| self.next_of(level, true)).min()
    }

    /// The time of the next slot that needs attention.
    fn next_at(&self) -> Option<u64> {
        (0..LEVELS).filter_map(|level| self.next_of(level, false)).min()
    }

    /// The same of one level; of its next timer if `exact`, unless too many share the slot.
    fn next_of(&self, level: usize, exact: bool) -> Option<u64> {
        if self.occupied[level] == 0 {
            return None;
        }
        let shift = BITS * level as u32;
        let base = self.now >> shift;
        let here = (base as usize) & (SLOTS - 1);
        // Slots behind the current one belong to the next round.
        let ahead = self.occupied[level].rotate_right(here as u32) & !1;
        let steps = match ahead {
            0 => SLOTS as u64,
            bits => u64::from(bits.trailing_zeros()),
        };
        let at = (base + steps) << shift;
        // At the top, slots hold timers of later rounds too.
        if !exact || level == 0 || level == LEVELS - 1 {
            return Some(at);
        }
        const FEW: usize = 8;
        let slot = (base + steps) as usize & (SLOTS - 1);
        let mut index = self.heads[level * SLOTS + slot];
        let mut first = u64::MAX;
        for _ in 0..FEW {
            if index == NONE {
                return Some(first.max(at));
            }
            let node = &self.nodes[index as usize];
            first = first.min(node.at);
            index = node.next;
        }
        Some(at)
    }

    /// Moves the clock to `now` and appends what has become due, in order of time.
    pub(crate) fn advance(&mut self, now: u64, due: &mut Vec<T>) {
        while let Some(at) = self.next_at().filter(|&at| at <= now) {
            self.now = at;
            // It begins at the top, so that what moves down is met again below.
            for level in (0..LEVELS).rev() {
                let shift = BITS * level as u32;
                if at & ((1u64 << shift) - 1) == 0 {
                    self.empty_slot(level, (at >> shift) as usize & (SLOTS - 1), due);
                }
            }
        }
        self.now = self.now.max(now);
    }

    fn empty_slot(&mut self, level: usize, slot: usize, due: &mut Vec<T>) {
        let mut index = std::mem::replace(&mut self.heads[level * SLOTS + slot], NONE);
        self.occupied[level] &= !(1 << slot);
        while index != NONE {
            let next = self.nodes[index as usize].next;
            if self.nodes[index as usize].at <= self.now {
                due.push(self.release(index));
            } else {
                self.link(index);
            }
            index = next;
        }
    }

    fn release(&mut self, index: u32) -> T {
        let node = &mut self.nodes[index as usize];
        node.generation = node.generation.wrapping_add(1);
        self.free.push(index);
        self.len -= 1;
        node.what.take().expect("a linked node holds its timer")
    }

    fn link(&mut self, index: u32) {
        let at = self.nodes[index as usize].at;
        let distance = at - self.now;
        let level = (0..LEVELS - 1)
            .find(|&l| distance < 1 << (BITS * (l as u32 + 1)))
            .unwrap_or(LEVELS - 1);
        // Beyond the top level: parked in its last slot ahead, and placed again from there.
        let reach =
            (self.now + (1 << (BITS * LEVELS as u32))) - (1 << (BITS * (LEVELS as u32 - 1)));
        let slot = (at.min(reach) >> (BITS * level as u32)) as usize & (SLOTS - 1);
        let place = level * SLOTS + slot;
        let head = self.heads[place];
        if head != NONE {
            self.nodes[head as usize].prev = index;
        }
        let node = &mut self.nodes[index as usize];
        (node.prev, node.next, node.slot) = (NONE, head, place as u16);
        self.heads[place] = index;
        self.occupied[level] |= 1 << slot;
    }

    fn unlink(&mut self, index: u32) {
        let Node { prev, next, slot, .. } = self.nodes[index as usize];
        if next != NONE {
            self.nodes[next as usize].prev = prev;
        }
        if prev != NONE {
            self.nodes[prev as usize].next = next;
            return;
        }
        self.heads[usize::from(slot)] = next;
        if next == NONE {
            self.occupied[usize::from(slot) / SLOTS] &= !(1 << (usize::from(slot) % SLOTS));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn few_timers_are_waited_for_in_one_go() {
        for (now, ahead) in [(1000, 100), (63, 5000), (4095, 200_000)] {
            let mut wheel = Timers::new(now);
            wheel.set(now + ahead, 'a');
            wheel.set(now + ahead + 1, 'b');
            assert_eq!(wheel.next_due(), Some(now + ahead));
            let mut due = Vec::new();
            wheel.advance(now + ahead, &mut due);
            assert_eq!((due, wheel.next_due()), (vec!['a'], Some(now + ahead + 1)));
        }
    }

    #[test]
    fn agrees_with_a_sorted_map() {
        let mut seed = 0x9e37_79b9_7f4a_7c15u64;
        let mut random = move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        let mut wheel = Timers::new(1000);
        let mut model: BTreeMap<(u64, u32), TimerId> = BTreeMap::new();
        let (mut now, mut next) = (1000u64, 0u32);
        for _ in 0..200_000 {
            match random() % 8 {
                0..=3 => {
                    let reach = [50, 5_000, 300_000, 20_000_000, 90_000_000][random() as usize % 5];
                    let at = now + 1 + random() % reach;
                    model.insert((at, next), wheel.set(at, next));
                    next += 1;
                }
                4 => {
                    if let Some((&key, &id)) = model.range((now + random() % 1000, 0)..).next() {
                        assert_eq!(wheel.cancel(id), Some(key.1));
                        assert_eq!(wheel.cancel(id), None);
                        model.remove(&key);
                    }
                }
                _ => {
                    now += [1, 1, 7, 300, 70_000][random() as usize % 5];
                    let mut due = Vec::new();
                    wheel.advance(now, &mut due);
                    let later = model.split_off(&(now + 1, 0));
                    let mut want: Vec<u32> = model.keys().map(|k| k.1).collect();
                    model = later;
                    want.sort_unstable();
                    due.sort_unstable();
                    assert_eq!(due, want);
                    if let Some((&(first, _), _)) = model.first_key_value() {
                        for at in [wheel.next_at(), wheel.next_due()] {
                            let at = at.expect("something is set");
                            assert!(now < at && at <= first, "{now} < {at} <= {first}");
                        }
                    }
                }
            }
            assert_eq!(wheel.len(), model.len());
        }
    }
}
