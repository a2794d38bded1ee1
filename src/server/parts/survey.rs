//! What is known of all keys while `key-survey` is set: the largest of each type, and the memory of
//! groups of keys with the same prefix.
//!
//! A pass looks at all keys, a little in each run of the cron. What changes meanwhile is noted
//! beside it, so the largest keys are exact when the pass has ended, and stay so. Groups are
//! counted in passes only, and show the latest one that has ended.
//!
//! `now` is what is told; `pass` is what will replace it. Changes go to both.

use crate::config::Memory;
use crate::ds::largest::Largest;
use crate::ds::topk::TopK;
use crate::util::siphash::Seed;
use crate::value::Type;

/// Keys that are kept of each type of a database; at most an eighth of them is told.
const PLACES: usize = 512;
/// Keys of a list that are told at most.
pub(crate) const MAX_TOLD: usize = PLACES / 8;
/// Groups of keys at most; the rest is part of the error.
pub(crate) const GROUPS: usize = 1000;
/// The next pass begins so long after the last one has ended.
const PAUSE_MS: i64 = 60_000;

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub of: Type,
    pub bytes: u64,
    /// Elements of a collection, bytes of a string.
    pub elements: u64,
}

/// By what keys are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Bytes,
    Elements,
}

/// The largest keys of one type in one database.
#[derive(Debug)]
pub(crate) struct List {
    pub db: u32,
    pub of: Type,
    bytes: Largest,
    elements: Largest,
}

impl List {
    pub(crate) fn by(&self, by: By) -> &Largest {
        match by {
            By::Bytes => &self.bytes,
            By::Elements => &self.elements,
        }
    }
}

/// Which group a key is in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule<'a> {
    /// What ends the prefix of a key that has none of `prefixes`; empty: nothing does.
    pub separator: &'a [u8],
    /// Prefixes that were set; the longest counts.
    pub prefixes: &'a [Vec<u8>],
}

/// Groups of keys with the same prefix.
#[derive(Debug)]
pub(crate) struct Groups {
    pub keys: TopK,
    pub bytes: TopK,
}

#[derive(Debug)]
pub(crate) struct Board {
    pub lists: Vec<List>,
    pub groups: Groups,
    /// The keys that the pass has seen, and what they take.
    pub keys: u64,
    pub bytes: u64,
    /// The groups are those of another rule.
    pub outdated: bool,
    pub ended_ms: i64,
}

impl Board {
    fn new() -> Board {
        let groups = Groups { keys: TopK::new(GROUPS), bytes: TopK::new(GROUPS) };
        Board { lists: Vec::new(), groups, keys: 0, bytes: 0, outdated: false, ended_ms: 0 }
    }

    /// How many keys have their names kept.
    pub(crate) fn names(&self) -> usize {
        self.lists.iter().map(|list| list.bytes.len() + list.elements.len()).sum()
    }

    fn note(&mut self, db: u32, key: &[u8], size: Option<Size>) {
        let of = size.map(|size| size.of);
        for list in self.lists.iter_mut().filter(|list| list.db == db && Some(list.of) != of) {
            list.bytes.forget(key);
            list.elements.forget(key);
        }
        let Some(Size { of, bytes, elements }) = size else { return };
        let at = self.lists.iter().position(|list| list.db == db && list.of == of);
        let at = at.unwrap_or_else(|| {
            let (bytes, elements) = (Largest::new(PLACES), Largest::new(PLACES));
            self.lists.push(List { db, of, bytes, elements });
            self.lists.len() - 1
        });
        self.lists[at].bytes.note(key, bytes);
        self.lists[at].elements.note(key, elements);
    }
}

/// Where a pass is.
#[derive(Debug)]
pub(crate) struct Pass {
    pub db: usize,
    pub cursor: u64,
    board: Board,
}

#[derive(Debug, Default)]
pub(crate) struct Survey {
    pub on: bool,
    now: Option<Board>,
    pass: Option<Pass>,
    /// A pass is to begin at once.
    again: bool,
}

impl Survey {
    /// Begins, or ends and forgets everything.
    pub(crate) fn switch(&mut self, on: bool) {
        if on != self.on {
            *self = Survey { on, ..Survey::default() };
        }
    }

    /// All keys may have changed, and nobody has been told which.
    pub(crate) fn restart(&mut self) {
        (self.now, self.pass) = (None, None);
    }

    /// Keys are grouped by another rule from now on: the pass under way begins anew.
    pub(crate) fn regroup(&mut self) {
        (self.pass, self.again) = (None, true);
        if let Some(board) = &mut self.now {
            board.outdated = true;
        }
    }

    /// The next pass begins at once.
    pub(crate) fn look_again(&mut self) {
        self.again = true;
    }

    /// What the latest pass has found, and what has changed since.
    pub(crate) fn board(&self) -> Option<&Board> {
        self.now.as_ref()
    }

    /// The pass that is under way, if one is or should be.
    pub(crate) fn pass(&mut self, now_ms: i64) -> Option<&mut Pass> {
        let due = match &self.now {
            None => true,
            Some(board) => self.again || now_ms - board.ended_ms >= PAUSE_MS,
        };
        if self.pass.is_none() && self.on && due {
            self.again = false;
            self.pass = Some(Pass { db: 0, cursor: 0, board: Board::new() });
        }
        self.pass.as_mut()
    }

    /// The pass has seen all keys.
    pub(crate) fn end_pass(&mut self, now_ms: i64) {
        if let Some(pass) = self.pass.take() {
            self.now = Some(Board { ended_ms: now_ms, ..pass.board });
        }
    }

    /// A key has changed, or is gone.
    pub(crate) fn changed(&mut self, db: u32, key: &[u8], size: Option<Size>) {
        for board in self.now.iter_mut().chain(self.pass.as_mut().map(|pass| &mut pass.board)) {
            board.note(db, key, size);
        }
    }
}

impl Pass {
    /// A key is there.
    pub(crate) fn found(&mut self, key: &[u8], size: Size, rule: Rule<'_>, seed: Seed) {
        self.board.note(self.db as u32, key, Some(size));
        self.board.keys += 1;
        self.board.bytes += size.bytes;
        if let Some(prefix) = rule.prefix_of(key) {
            let hash = seed.hash(prefix);
            self.board.groups.keys.add(prefix, hash, 1);
            self.board.groups.bytes.add(prefix, hash, size.bytes);
        }
    }
}

impl<'a> Rule<'a> {
    /// The rule that is set.
    pub(crate) fn of(settings: &'a Memory) -> Rule<'a> {
        Rule { separator: &settings.survey_separator, prefixes: &settings.survey_prefixes }
    }

    /// The group of a key: the longest of the set prefixes that it begins with; else what stands
    /// before and with its first separator. What has neither is the group of the empty prefix.
    /// None: there are no groups. O(prefixes), of which there are few.
    pub(crate) fn prefix_of<'k>(&self, key: &'k [u8]) -> Option<&'k [u8]> {
        let of_key = self.prefixes.iter().filter(|prefix| key.starts_with(prefix));
        if let Some(longest) = of_key.map(Vec::len).max() {
            return Some(&key[..longest]);
        }
        if self.separator.is_empty() {
            return (!self.prefixes.is_empty()).then_some(&[]);
        }
        let at = key.windows(self.separator.len()).position(|window| window == self.separator);
        Some(at.map_or(&[][..], |at| &key[..at + self.separator.len()]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_in_the_list_of_its_type_alone() {
        let mut survey = Survey::default();
        survey.switch(true);
        assert!(survey.pass(0).is_some());
        let size = |of, n| Some(Size { of, bytes: n, elements: n });
        survey.changed(0, b"k", size(Type::Set, 5));
        survey.changed(0, b"k", size(Type::List, 3));
        survey.changed(1, b"k", size(Type::Set, 9));
        assert!(survey.board().is_none());
        survey.end_pass(10);
        let told: Vec<_> = survey.board().expect("ended").lists.iter().collect();
        let tops: Vec<_> =
            told.iter().map(|l| (l.db, l.of, l.by(By::Bytes).top(9).0.len())).collect();
        assert_eq!(tops, [(0, Type::Set, 0), (0, Type::List, 1), (1, Type::Set, 1)]);
        assert!(survey.pass(10 + PAUSE_MS - 1).is_none());
        assert!(survey.pass(10 + PAUSE_MS).is_some());
        survey.restart();
        assert!(survey.board().is_none() && survey.pass(11).is_some());
    }

    #[test]
    fn a_prefix_ends_with_the_first_separator() {
        let of = |key: &'static [u8], separator| Rule { separator, prefixes: &[] }.prefix_of(key);
        assert_eq!(of(b"user:1:name", b":"), Some(&b"user:"[..]));
        assert_eq!(of(b"user", b":"), Some(&b""[..]));
        assert_eq!(of(b"a::b", b"::"), Some(&b"a::"[..]));
        assert_eq!(of(b"user:1", b""), None);
    }

    #[test]
    fn the_longest_prefix_that_is_set_wins_and_the_rest_follows_the_separator() {
        let prefixes = [b"user:".to_vec(), b"user:1".to_vec(), b"s".to_vec()];
        let of =
            |key: &'static [u8], separator| Rule { separator, prefixes: &prefixes }.prefix_of(key);
        assert_eq!(of(b"user:12", b":"), Some(&b"user:1"[..]));
        assert_eq!(of(b"user:2", b":"), Some(&b"user:"[..]));
        assert_eq!(of(b"session:2", b":"), Some(&b"s"[..]));
        assert_eq!(of(b"cache:a:b", b":"), Some(&b"cache:"[..]));
        assert_eq!(of(b"user", b":"), Some(&b""[..]));
        assert_eq!(
            of(b"cache:a", b""),
            Some(&b""[..]),
            "without a separator the rest is one group"
        );
    }

    #[test]
    fn another_rule_begins_the_pass_anew_and_keeps_the_largest_keys() {
        let mut survey = Survey::default();
        survey.switch(true);
        let rule = Rule { separator: b":", prefixes: &[] };
        let size = Size { of: Type::Set, bytes: 7, elements: 1 };
        survey.pass(0).expect("due").found(b"a:1", size, rule, Seed([1, 2]));
        survey.end_pass(1);
        let board = survey.board().expect("ended");
        assert_eq!((board.keys, board.bytes, board.names(), board.outdated), (1, 7, 2, false));
        survey.regroup();
        assert!(survey.board().is_some_and(|board| board.outdated && board.lists.len() == 1));
        assert!(survey.pass(2).is_some(), "at once");
        survey.end_pass(3);
        assert!(survey.board().is_some_and(|board| !board.outdated));
    }
}
