//! What clients cost: the memory of each, the sums by class, and which are the largest.
//!
//! ```text
//! Client::memory  -> noted in `Client::counted`, summed in `Tally::bytes` by class
//!                 -> while `maxmemory-clients` is set, also filed in a bucket by power of two
//! ```
//! The sums are kept up to date instead of being computed when somebody asks. The cron looks at
//! every client once a second, and while evictions are possible each client is noted whenever its
//! buffers have changed. While the setting is off nothing else is done.
//!
//! A client's memory is what it really holds, except that a message shared by many counts in full
//! for each: a limit must find those that don't read. Two figures of CLIENT LIST are only charged,
//! because our buffers are pooled and an idle client has none. `rbs` and `rbp` are the size and the
//! recent peak of the reply buffer that Redis would keep for it, by Redis's rules ([`ReplyRoom`]).
//!
//! Invariants: `bytes` are the sums of `counted`; a client is in the bucket that its `Filed` names,
//! and in no other.

use std::collections::BTreeMap;

use crate::net::id::ClientId;

/// What a connection is to the server, for limits and statistics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Class {
    #[default]
    Normal,
    Replica,
    PubSub,
    Primary,
}

impl Class {
    /// Number of the class's output limit: a primary counts as a normal client.
    pub(crate) fn limit(self) -> usize {
        match self {
            Class::Normal | Class::Primary => 0,
            Class::Replica => 1,
            Class::PubSub => 2,
        }
    }
}

/// Output that a client of a class may leave unread; 0: no limit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OutputLimit {
    pub hard_bytes: usize,
    pub soft_bytes: usize,
    /// How long `soft_bytes` may be exceeded.
    pub soft_ms: i64,
}

impl OutputLimit {
    pub(crate) fn is_none(&self) -> bool {
        self.hard_bytes == 0 && self.soft_bytes == 0
    }
}

/// What was last noted of one client.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counted {
    pub class: Class,
    pub bytes: usize,
    filed: Option<Filed>,
}

#[derive(Clone, Copy, Debug)]
struct Filed {
    bucket: usize,
    order: u64,
}

/// Clients below 32 KiB share a bucket, and those from 4 GiB on.
const MIN_LOG: u32 = 15;
const MAX_LOG: u32 = 33;
const BUCKETS: usize = (MAX_LOG - MIN_LOG + 1) as usize;

/// Clients by size, in each bucket in the order in which they came to it.
#[derive(Debug, Default)]
struct Buckets {
    lists: [BTreeMap<u64, ClientId>; BUCKETS],
    next: u64,
}

fn bucket_of(bytes: usize) -> usize {
    let log = usize::BITS - bytes.leading_zeros();
    (log.clamp(MIN_LOG, MAX_LOG) - MIN_LOG) as usize
}

/// The clients that hold from `from` bytes on, and less than `below`.
#[derive(Debug)]
pub(crate) struct Bucket {
    pub from: usize,
    pub below: Option<usize>,
    pub clients: Vec<ClientId>,
}

/// Sums over all clients.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    bytes: [usize; 4],
    /// Present while clients may be evicted.
    buckets: Option<Box<Buckets>>,
}

impl Tally {
    /// Whether clients are filed by size, because large ones may be evicted.
    #[inline]
    pub(crate) fn files(&self) -> bool {
        self.buckets.is_some()
    }

    /// Starts or ends filing. The caller notes every client again.
    pub(crate) fn set_files(&mut self, on: bool) {
        if on != self.files() {
            self.buckets = on.then(Box::default);
        }
    }

    /// Bytes noted for a class.
    pub(crate) fn of(&self, class: Class) -> usize {
        self.bytes[class as usize]
    }

    /// What counts towards `maxmemory-clients`.
    pub(crate) fn evictable_bytes(&self) -> usize {
        self.of(Class::Normal) + self.of(Class::PubSub)
    }

    /// Notes what a client has now. Exempt ones are summed but not filed. O(1), O(log clients) when
    /// the bucket changes.
    pub(crate) fn note(
        &mut self,
        old: Counted,
        id: ClientId,
        class: Class,
        bytes: usize,
        exempt: bool,
    ) -> Counted {
        self.bytes[old.class as usize] -= old.bytes;
        self.bytes[class as usize] += bytes;
        let filed = self.buckets.as_deref_mut().and_then(|b| b.file(old.filed, id, bytes, exempt));
        Counted { class, bytes, filed }
    }

    /// Forgets a client.
    pub(crate) fn forget(&mut self, old: Counted) {
        self.bytes[old.class as usize] -= old.bytes;
        if let (Some(b), Some(at)) = (self.buckets.as_deref_mut(), old.filed) {
            b.lists[at.bucket].remove(&at.order);
        }
    }

    /// The filed clients by size, smallest sizes first; None while clients are not filed.
    /// O(clients).
    pub(crate) fn filed(&self) -> Option<impl Iterator<Item = Bucket>> {
        let lists = self.buckets.as_deref()?.lists.iter().zip(MIN_LOG..);
        Some(lists.map(|(list, log)| Bucket {
            from: if log == MIN_LOG { 0 } else { 1 << (log - 1) },
            below: (log < MAX_LOG).then(|| 1 << log),
            clients: list.values().copied().collect(),
        }))
    }

    /// One of the largest clients.
    pub(crate) fn largest(&self) -> Option<ClientId> {
        let lists = self.buckets.as_deref()?.lists.iter().rev();
        lists.filter_map(|l| l.first_key_value()).map(|(_, id)| *id).next()
    }
}

impl Buckets {
    fn file(
        &mut self,
        old: Option<Filed>,
        id: ClientId,
        bytes: usize,
        exempt: bool,
    ) -> Option<Filed> {
        let bucket = bucket_of(bytes);
        // An entry from before the buckets were made anew names a place that is not this client's.
        let old = old.filter(|at| self.lists[at.bucket].get(&at.order) == Some(&id));
        if let Some(at) = old {
            if at.bucket == bucket && !exempt {
                return old;
            }
            self.lists[at.bucket].remove(&at.order);
        }
        if exempt {
            return None;
        }
        self.next += 1;
        self.lists[bucket].insert(self.next, id);
        Some(Filed { bucket, order: self.next })
    }
}

/// Smallest and largest reply buffer that a client is charged for.
const REPLY_MIN: u32 = 1024;
const REPLY_MAX: u32 = 16 * 1024;

/// How the size of the reply buffer follows its use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReplyRules {
    pub resize: bool,
    /// After so long a peak is forgotten; None: never.
    pub peak_reset_ms: Option<i64>,
}

impl ReplyRules {
    /// How long a peak counts by default.
    pub(crate) const PEAK_RESET_MS: i64 = 5000;
}

impl Default for ReplyRules {
    fn default() -> ReplyRules {
        ReplyRules { resize: true, peak_reset_ms: Some(ReplyRules::PEAK_RESET_MS) }
    }
}

/// What a look at a reply buffer led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resized {
    No,
    Shrunk,
    Expanded,
}

/// The reply buffer that a client is charged for: it doubles when full, and falls to the recent
/// peak.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReplyRoom {
    pub size: u32,
    pub peak: u32,
    reset_at_ms: i64,
}

impl ReplyRoom {
    pub(crate) fn new(now_ms: i64) -> ReplyRoom {
        ReplyRoom { size: REPLY_MAX, peak: REPLY_MAX, reset_at_ms: now_ms }
    }

    /// Bytes have been in the buffer.
    #[inline]
    pub(crate) fn used(&mut self, bytes: usize) {
        self.peak = self.peak.max(bytes.min(self.size as usize) as u32);
    }

    /// The regular look; `fixed` bytes are in it now.
    pub(crate) fn tend(&mut self, rules: ReplyRules, fixed: usize, now_ms: i64) -> Resized {
        if !rules.resize {
            return Resized::No;
        }
        let half = self.size / 2;
        let (size, what) = if half >= REPLY_MIN && self.peak < half {
            (REPLY_MIN.max(self.peak + 1), Resized::Shrunk)
        } else if self.size < REPLY_MAX && self.peak == self.size {
            (REPLY_MAX.min(self.size * 2), Resized::Expanded)
        } else {
            (self.size, Resized::No)
        };
        if rules.peak_reset_ms.is_some_and(|after| now_ms - self.reset_at_ms >= after) {
            (self.peak, self.reset_at_ms) = (fixed.min(self.size as usize) as u32, now_ms);
        }
        self.size = size;
        what
    }
}

/// The largest buffers seen lately: one slot a second, eight of them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Recent {
    slots: [(usize, usize); 8],
}

impl Recent {
    /// Empties the slot that comes after this second's; called before clients are looked at.
    pub(crate) fn turn(&mut self, now_ms: i64) {
        self.slots[Recent::slot(now_ms + 1000)] = (0, 0);
    }

    pub(crate) fn note(&mut self, now_ms: i64, input: usize, output: usize) {
        let slot = &mut self.slots[Recent::slot(now_ms)];
        *slot = (slot.0.max(input), slot.1.max(output));
    }

    /// Largest input and output.
    pub(crate) fn largest(&self) -> (usize, usize) {
        self.slots.iter().fold((0, 0), |a, s| (a.0.max(s.0), a.1.max(s.1)))
    }

    fn slot(now_ms: i64) -> usize {
        (now_ms / 1000).rem_euclid(8) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::util::rand;

    fn id(n: u64) -> ClientId {
        ClientId::from_token(mio::Token(n as usize), 0)
    }

    #[test]
    fn the_sums_and_buckets_agree_with_a_plain_list() {
        let mut next = rand::generator(7);
        let mut tally = Tally::default();
        tally.set_files(true);
        let mut clients: Vec<(ClientId, Counted, bool)> = Vec::new();
        for step in 0..5000u64 {
            let pick = next() as usize % (clients.len() + 1);
            let bytes = 1usize << (next() % 36);
            let class = if next() & 1 == 0 { Class::Normal } else { Class::PubSub };
            let exempt = next().is_multiple_of(8);
            match clients.get_mut(pick) {
                None => {
                    let c = tally.note(Counted::default(), id(step), class, bytes, exempt);
                    clients.push((id(step), c, exempt));
                }
                Some(_) if next().is_multiple_of(5) => {
                    let (_, counted, _) = clients.swap_remove(pick);
                    tally.forget(counted);
                }
                Some((id, counted, was)) => {
                    (*counted, *was) = (tally.note(*counted, *id, class, bytes, exempt), exempt);
                }
            }
            let of = |class| -> usize {
                clients.iter().filter(|c| c.1.class == class).map(|c| c.1.bytes).sum()
            };
            assert_eq!(tally.of(Class::Normal), of(Class::Normal));
            assert_eq!(tally.of(Class::PubSub), of(Class::PubSub));
            let most = clients.iter().filter(|c| !c.2).map(|c| bucket_of(c.1.bytes)).max();
            let largest = tally.largest().and_then(|id| clients.iter().find(|c| c.0 == id));
            assert_eq!(largest.map(|c| bucket_of(c.1.bytes)), most);
        }
        // Old notes mean nothing to new buckets.
        tally.set_files(false);
        assert_eq!(tally.largest(), None);
        tally.set_files(true);
        for (id, counted, _) in &mut clients {
            *counted = tally.note(*counted, *id, counted.class, counted.bytes, false);
        }
        for (_, counted, _) in clients {
            tally.forget(counted);
        }
        assert_eq!((tally.evictable_bytes(), tally.largest()), (0, None));
    }

    #[test]
    fn the_reply_buffer_follows_its_use() {
        let rules = ReplyRules { resize: true, peak_reset_ms: Some(100) };
        let mut room = ReplyRoom::new(0);
        assert_eq!(room.tend(rules, 0, 100), Resized::No);
        assert_eq!((room.tend(rules, 0, 150), room.size), (Resized::Shrunk, 1024));
        room.used(5000);
        let never = ReplyRules { resize: true, peak_reset_ms: None };
        for size in [2048, 4096, 8192, 16384] {
            assert_eq!((room.tend(never, 0, 200), room.size), (Resized::Expanded, size));
            room.used(32768);
        }
        assert_eq!(room.tend(never, 0, 300), Resized::No);
        let off = ReplyRules { resize: false, peak_reset_ms: Some(0) };
        assert_eq!((room.tend(off, 0, 999), room.size), (Resized::No, 16384));
    }

    #[test]
    fn the_largest_of_the_last_seconds_are_remembered() {
        let mut recent = Recent::default();
        for second in 0..20 {
            recent.turn(second * 1000);
            recent.note(second * 1000, if second == 9 { 500 } else { 10 }, 20);
            let expected = if (9..16).contains(&second) { 500 } else { 10 };
            assert_eq!(recent.largest(), (expected, 20), "second {second}");
        }
    }
}
