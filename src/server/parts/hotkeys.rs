//! A session of HOTKEYS: which commands are looked at, and what they have cost by key.
//!
//! One command of so many (SAMPLE) is looked at, chosen by the number of commands until the next
//! one, which is random. The batches of a pipeline count it down at once, so a command that is not
//! chosen costs nothing by itself. In the group of the one that is chosen, it alone is timed by
//! itself; brief commands before it are counted when they are accounted for (`pass`).
//!
//! `left` is the number of commands up to the chosen one. `rest` is how many of the running group
//! are still to come, 0 if none of them is chosen.

use crate::ds::topk::TopK;
use crate::server::parts::survey::Rule;
use crate::util::siphash::Seed;

/// So many keys are watched for each one that is asked for.
const WATCHED: usize = 100;

/// What commands are measured by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metric {
    Cpu,
    Net,
}

#[derive(Debug)]
pub(crate) struct Session {
    pub active: bool,
    /// Keys that are told at most.
    pub count: usize,
    /// Milliseconds after which it ends by itself; 0: never.
    pub limit_ms: i64,
    pub sample: u64,
    pub started_ms: i64,
    /// How long it has lasted, once it has ended.
    pub lasted_ms: i64,
    /// By the time of commands in nanoseconds.
    pub cpu: Option<TopK>,
    /// By the bytes of their requests and replies.
    pub net: Option<TopK>,
    /// Requests by the prefix of keys, while the keys are surveyed.
    pub prefixes: Option<TopK>,
    /// Those of all commands with keys that were looked at.
    pub seen_ns: u64,
    pub seen_bytes: u64,
    /// How many there were.
    pub seen: u64,
    /// What the process had used when it began: user and system time in milliseconds.
    pub cpu_at_start: (i64, i64),
    seed: Seed,
    left: u64,
    rest: u64,
    random: u64,
}

impl Session {
    pub(crate) fn new(
        metrics: &[Metric],
        count: usize,
        limit_ms: i64,
        sample: u64,
        now_ms: i64,
        seed: Seed,
    ) -> Session {
        let sketch = |metric| metrics.contains(&metric).then(|| TopK::new(count * WATCHED));
        let mut session = Session {
            active: true,
            count,
            limit_ms,
            sample,
            started_ms: now_ms,
            lasted_ms: 0,
            cpu: sketch(Metric::Cpu),
            net: sketch(Metric::Net),
            prefixes: None,
            seen_ns: 0,
            seen_bytes: 0,
            seen: 0,
            cpu_at_start: (0, 0),
            seed,
            left: 1,
            rest: 0,
            random: seed.hash(b"hotkeys") | 1,
        };
        session.left = session.gap();
        session
    }

    pub(crate) fn stop(&mut self, now_ms: i64) {
        self.active = false;
        self.lasted_ms = now_ms - self.started_ms;
    }

    /// Whether its time is up.
    pub(crate) fn is_over(&self, now_ms: i64) -> bool {
        self.active && self.limit_ms > 0 && now_ms - self.started_ms >= self.limit_ms
    }

    /// Every command is looked at.
    pub(crate) fn takes_all(&self) -> bool {
        self.active && self.sample == 1
    }

    /// A group of commands begins. Returns whether one of them is chosen.
    pub(crate) fn begin_group(&mut self, commands: u64) -> bool {
        if self.left > commands {
            self.left -= commands;
            self.rest = 0;
            return false;
        }
        self.rest = commands;
        true
    }

    /// Whether one of the running group is chosen that has not run yet.
    pub(crate) fn looks(&self) -> bool {
        self.rest > 0
    }

    /// So many commands of the group have run that were not the chosen one.
    pub(crate) fn pass(&mut self, commands: u64) {
        let passed = commands.min(self.rest).min(self.until_next());
        self.rest -= passed;
        self.left -= passed;
    }

    /// How many commands come before the chosen one.
    pub(crate) fn until_next(&self) -> u64 {
        self.left - 1
    }

    /// A command has run in a group in which one is chosen. Returns whether it is the one, and
    /// whether another one may be chosen in this group.
    pub(crate) fn next(&mut self) -> (bool, bool) {
        self.rest = self.rest.saturating_sub(1);
        self.left -= 1;
        if self.left > 0 {
            return (false, true);
        }
        self.left = self.gap();
        match self.left > self.rest {
            true => {
                self.left -= std::mem::take(&mut self.rest);
                (true, false)
            }
            false => (true, true),
        }
    }

    /// Whether the running command is the chosen one.
    pub(crate) fn is_next(&self) -> bool {
        self.left == 1
    }

    /// A command has cost so much for each of `keys`.
    pub(crate) fn add<'k>(
        &mut self,
        keys: impl ExactSizeIterator<Item = &'k [u8]>,
        ns: u64,
        bytes: u64,
        rule: Rule<'_>,
    ) {
        let n = keys.len() as u64;
        if n == 0 {
            return;
        }
        self.seen += 1;
        self.seen_ns += ns;
        self.seen_bytes += bytes;
        for key in keys {
            let hash = self.seed.hash(key);
            if let Some(cpu) = &mut self.cpu {
                cpu.add(key, hash, ns / n);
            }
            if let Some(net) = &mut self.net {
                net.add(key, hash, bytes / n);
            }
            if let Some(prefixes) = &mut self.prefixes
                && let Some(prefix) = rule.prefix_of(key)
            {
                prefixes.add(prefix, self.seed.hash(prefix), 1);
            }
        }
    }

    /// Commands from one chosen one to the next: `sample` on average, so that what comes
    /// periodically is met as often as anything else.
    fn gap(&mut self) -> u64 {
        let r = &mut self.random;
        *r ^= *r << 13;
        *r ^= *r >> 7;
        *r ^= *r << 17;
        1 + *r % (2 * self.sample - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(sample: u64) -> Session {
        Session::new(&[Metric::Net], 10, 0, sample, 0, Seed([7, 8]))
    }

    #[test]
    fn one_command_of_so_many_is_chosen_wherever_it_stands_in_its_group() {
        for sample in [1, 2, 5, 100] {
            let mut s = session(sample);
            let (mut chosen, mut places, mut groups) = (0u64, [0u64; 16], 0);
            while chosen < 16_000 {
                groups += 1;
                if !s.begin_group(16) {
                    continue;
                }
                // Those before it share their time in every second group.
                let shared = if groups % 2 == 0 { s.until_next() } else { 0 };
                s.pass(shared);
                for place in &mut places[shared as usize..] {
                    assert!(s.looks());
                    let is_next = s.is_next();
                    let (is, more) = s.next();
                    assert_eq!(is, is_next);
                    (chosen, *place) = (chosen + u64::from(is), *place + u64::from(is));
                    if !more {
                        break;
                    }
                }
                // What had no room is not counted twice.
                s.pass(1000);
            }
            let each = groups * 16 / sample;
            assert!(chosen.abs_diff(each) * 20 < each, "{sample}: {chosen} of {each}");
            for n in places {
                assert!(n.abs_diff(chosen / 16) < chosen / 80, "{sample}: {places:?}");
            }
        }
    }

    #[test]
    fn a_command_shares_its_cost_among_its_keys() {
        let mut s = session(1);
        let keys: [&[u8]; 2] = [b"a", b"b"];
        let rule = Rule { separator: b"", prefixes: &[] };
        s.add(keys.into_iter(), 10, 100, rule);
        s.add(keys[..0].iter().copied(), 10, 100, rule);
        let top = s.net.as_ref().map(|net| net.top(2)).unwrap_or_default();
        assert_eq!(top.iter().map(|h| h.weight).collect::<Vec<_>>(), [50, 50]);
        assert_eq!((s.seen, s.seen_ns, s.seen_bytes, s.cpu.is_none()), (1, 10, 100, true));
    }
}
