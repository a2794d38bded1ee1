//! The patterns of keys that a selector has, put so that a key is looked up among many of them in
//! about the time that one takes.
//!
//! Most patterns begin with letters that stand for themselves: `app:*`, `user:*:name`, `counter`.
//! These are in a table by that beginning, their *head*. Whoever asks for a key looks up its
//! beginning once for each length that a head has, and those are few. What stands behind the head
//! is then compared for the patterns found.
//!
//! ```text
//! slot   head's length, its first and last eight bytes, and which pattern it is
//!        up to sixteen bytes are compared by these two words, without a look at the pattern
//! ```
//! A few patterns are looked through in order: that is quicker.
//!
//! Invariant: `slots` and `loose` together have each pattern once.

use super::pattern::{Pattern, Shape};
use crate::commands::spec::{KEY_ACCESS, KEY_DELETE, KEY_INSERT, KEY_UPDATE};

/// Which uses of a key need what (Redis documentation, "ACL", key permissions).
const READS: u16 = KEY_ACCESS;
const WRITES: u16 = KEY_INSERT | KEY_DELETE | KEY_UPDATE;

/// A pattern of keys with what may be done to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyPattern {
    pub read: bool,
    pub write: bool,
    pub pattern: Pattern,
}

/// What rules are written for.
///
/// Compat: `%R~*` and `%W~*` together are shown as `~*`, which is read as `allkeys`: it allows
/// more, and no pattern may follow it. So Redis can't read the file of users that it has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// To be shown, as Redis does.
    Shown,
    /// To be read again.
    Kept,
}

impl KeyPattern {
    /// As a rule: `~x`, `%R~x` or `%W~x`.
    pub(crate) fn text(&self, form: Form) -> Vec<u8> {
        let mark: &[u8] = match (self.read, self.write) {
            (true, true) if form == Form::Kept && self.pattern.text() == b"*" => b"%RW~",
            (true, true) => b"~",
            (true, false) => b"%R~",
            (false, true) => b"%W~",
            (false, false) => b"%~",
        };
        [mark, self.pattern.text()].concat()
    }

    /// The uses that it does not allow.
    fn denied(&self) -> u16 {
        let bits = |may: bool, uses: u16| if may { 0 } else { uses };
        bits(self.read, READS) | bits(self.write, WRITES)
    }

    pub(crate) fn allows(&self, use_of_key: u16) -> bool {
        use_of_key & self.denied() == 0
    }
}

/// A pattern by its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    first: u64,
    /// The bits of the first word that the head has.
    mask: u64,
    last: u64,
    /// 0: the slot is empty.
    len: u32,
    pattern: u16,
    denied: u16,
    /// What stands behind the head.
    tail: Tail,
    /// The head is in the first word, and anything may stand behind it.
    is_short_prefix: bool,
    /// The same, and the head is in both words.
    is_prefix_of_words: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tail {
    /// Nothing.
    End,
    /// Anything.
    Any,
    Glob,
}

const EMPTY: Slot = Slot {
    first: 0,
    mask: 0,
    last: 0,
    len: 0,
    pattern: 0,
    denied: 0,
    tail: Tail::End,
    is_short_prefix: false,
    is_prefix_of_words: false,
};

/// A pattern like `app:*`, whose head is in the first word: the first of that kind is asked before
/// all others, since many users have one alone. It denies what `denied` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Foremost {
    first: u64,
    mask: u64,
    denied: u16,
}

impl Default for Foremost {
    /// One that fits no key.
    fn default() -> Foremost {
        Foremost { first: 1, mask: 0, denied: 0 }
    }
}

/// Up to so many patterns are looked through in order.
const FEW: usize = 4;
/// A head that is longer is not compared by its words alone.
const BY_WORDS: usize = 16;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeyRules {
    list: Vec<KeyPattern>,
    foremost: Foremost,
    /// In order if there are few, else a table with room to spare.
    slots: Vec<Slot>,
    /// Lengths of heads, each once, with the bits of the first word that they have; those that most
    /// patterns have first.
    lens: Vec<(usize, u64)>,
    /// Patterns without a head.
    loose: Vec<u16>,
}

impl KeyRules {
    /// The patterns as they were given.
    pub(crate) fn list(&self) -> &[KeyPattern] {
        &self.list
    }

    pub(crate) fn clear(&mut self) {
        *self = KeyRules::default();
    }

    /// Adds a pattern, or widens what it allows. O(patterns).
    pub(crate) fn add(&mut self, text: &[u8], read: bool, write: bool) -> Result<(), TooMany> {
        let full = self.list.len() > usize::from(u16::MAX);
        match self.list.iter_mut().find(|known| known.pattern.text() == text) {
            Some(known) => (known.read, known.write) = (known.read | read, known.write | write),
            None if full => return Err(TooMany),
            None => self.list.push(KeyPattern { read, write, pattern: Pattern::new(text) }),
        }
        self.arrange();
        Ok(())
    }

    fn arrange(&mut self) {
        let mut heads = Vec::new();
        self.loose.clear();
        for (i, known) in self.list.iter().enumerate() {
            let head = known.pattern.head();
            let Ok(len @ 1..) = u32::try_from(head.len()) else {
                self.loose.push(i as u16);
                continue;
            };
            let tail = match known.pattern.shape() {
                Shape::Literal => Tail::End,
                Shape::Prefix => Tail::Any,
                Shape::Glob => Tail::Glob,
            };
            let (first, last) = words(head, head.len());
            heads.push(Slot {
                first,
                mask: mask(head.len()),
                last,
                len,
                pattern: i as u16,
                denied: known.denied(),
                tail,
                is_short_prefix: tail == Tail::Any && len <= 8,
                is_prefix_of_words: tail == Tail::Any && head.len() <= BY_WORDS,
            });
        }
        let mut short = heads.iter().filter(|slot| slot.is_short_prefix);
        self.foremost = short.next().map_or(Foremost::default(), |slot| Foremost {
            first: slot.first,
            mask: slot.mask,
            denied: slot.denied,
        });
        if heads.len() <= FEW {
            (self.slots, self.lens) = (heads, Vec::new());
            return;
        }
        let mut counts: Vec<(usize, u32)> = Vec::new();
        for slot in &heads {
            match counts.iter_mut().find(|(_, len)| *len == slot.len) {
                Some((count, _)) => *count += 1,
                None => counts.push((1, slot.len)),
            }
        }
        counts.sort_by(|a, b| b.cmp(a));
        self.lens = counts.into_iter().map(|(_, len)| (len as usize, mask(len as usize))).collect();
        self.slots = vec![EMPTY; (heads.len() * 4).next_power_of_two()];
        for slot in heads {
            let mut at = place(slot.first, slot.last, self.slots.len());
            while self.slots[at].len != 0 {
                at = (at + 1) & (self.slots.len() - 1);
            }
            self.slots[at] = slot;
        }
    }

    /// Whether a key may be used so, as far as a quick look tells: false may mean that it takes a
    /// longer one. It is always inlined and calls something at its end alone, so that no registers
    /// are saved: that was a third of its cost (callgrind, GET with pipelines of 16).
    #[inline(always)]
    pub(crate) fn allow_at_once(&self, key: &[u8], use_of_key: u16) -> bool {
        let Some(begin) = first_word(key) else { return false };
        let Foremost { first, mask, denied } = self.foremost;
        if begin & mask == first && use_of_key & denied == 0 {
            return true;
        }
        self.others_allow_at_once(begin, key, use_of_key)
    }

    #[inline(never)]
    fn others_allow_at_once(&self, begin: u64, key: &[u8], use_of_key: u16) -> bool {
        if self.lens.is_empty() {
            return self.slots.iter().any(|slot| {
                begin & slot.mask == slot.first
                    && use_of_key & slot.denied == 0
                    && slot.is_short_prefix
            });
        }
        for &(len, mask) in &self.lens {
            let Some(last) = last_word(key, len) else { continue };
            let first = begin & mask;
            let at = place(first, last, self.slots.len());
            // Where two heads share a place, the second takes the longer look.
            if let Some(slot) = self.slots.get(at)
                && slot.first == first
                && slot.last == last
                && slot.len as usize == len
                && use_of_key & slot.denied == 0
                && slot.is_prefix_of_words
            {
                return true;
            }
        }
        false
    }

    /// Whether a key may be used so.
    pub(crate) fn allow(&self, key: &[u8], use_of_key: u16) -> bool {
        let few = |slot: &Slot| use_of_key & slot.denied == 0 && self.fits(slot, key);
        let found = match self.lens.is_empty() {
            true => self.slots.iter().any(few),
            false => self.find(key, use_of_key),
        };
        found || !self.loose.is_empty() && self.is_loosely_allowed(key, use_of_key)
    }

    fn find(&self, key: &[u8], use_of_key: u16) -> bool {
        let (begin, _) = words(key, key.len());
        for &(len, mask) in &self.lens {
            let Some(last) = last_word(key, len) else { continue };
            let first = begin & mask;
            let mut at = place(first, last, self.slots.len());
            while let Some(slot) = self.slots.get(at).filter(|slot| slot.len != 0) {
                if (slot.first, slot.last, slot.len as usize) == (first, last, len)
                    && use_of_key & slot.denied == 0
                    && self.fits(slot, key)
                {
                    return true;
                }
                at = (at + 1) & (self.slots.len() - 1);
            }
        }
        false
    }

    /// Whether the pattern of a slot fits the key.
    fn fits(&self, slot: &Slot, key: &[u8]) -> bool {
        let len = slot.len as usize;
        let pattern = &self.list[usize::from(slot.pattern)].pattern;
        let has_head = || {
            (slot.first, slot.last) == words(key, len)
                && (len <= BY_WORDS || key[..len] == pattern.head()[..len])
        };
        key.len() >= len
            && has_head()
            && match slot.tail {
                Tail::Any => true,
                Tail::End => key.len() == len,
                Tail::Glob => pattern.matches(key),
            }
    }

    #[cold]
    fn is_loosely_allowed(&self, key: &[u8], use_of_key: u16) -> bool {
        self.loose
            .iter()
            .map(|i| &self.list[usize::from(*i)])
            .any(|known| known.allows(use_of_key) && known.pattern.matches(key))
    }

    /// Whether every key may be used so.
    pub(crate) fn allow_every(&self, use_of_key: u16) -> bool {
        let fits = |known: &KeyPattern| known.allows(use_of_key) && known.pattern.text() == b"*";
        self.list.iter().any(fits)
    }
}

/// There are as many patterns as can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

/// The first and the last eight bytes of the first `len` bytes of `text`, which has as many. Of
/// fewer than eight all are in the first word.
fn words(text: &[u8], len: usize) -> (u64, u64) {
    let all = |text: &[u8]| text.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
    let first = first_word(text).unwrap_or_else(|| all(text));
    (first & mask(len), last_word(text, len).unwrap_or(0))
}

/// The first eight bytes; None if there are not as many.
#[inline]
fn first_word(text: &[u8]) -> Option<u64> {
    text.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

/// The last eight bytes of the first `len`; 0 if they are all in the first word, None if there are
/// not as many.
#[inline]
fn last_word(text: &[u8], len: usize) -> Option<u64> {
    let head = text.get(..len)?;
    Some(head.last_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)))
}

/// The bits of a first word that belong to so many bytes.
fn mask(len: usize) -> u64 {
    if len >= 8 { u64::MAX } else { (1 << (8 * len)) - 1 }
}

/// Where a head's slot is looked for, among a power of two of slots.
#[inline]
fn place(first: u64, last: u64, slots: usize) -> usize {
    let mixed = (first ^ last.rotate_left(29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 40) as usize & (slots - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::util::glob;
    use crate::util::rand::generator;

    #[test]
    fn agrees_with_a_look_through_all_patterns() {
        let mut next = generator(20_261_129);
        for round in 0..400 {
            let mut rules = KeyRules::default();
            let many = 1 + next() as usize % if round % 2 == 0 { 6 } else { 120 };
            let mut text = |letters: &[u8], most: u64| -> Vec<u8> {
                let len = next() % most;
                (0..len).map(|_| letters[(next() % letters.len() as u64) as usize]).collect()
            };
            let mut given = Vec::new();
            for i in 0..many {
                let mut pattern = text(b"ab", 24);
                match i % 4 {
                    0 => {}
                    1 | 2 => pattern.push(b'*'),
                    _ => pattern.extend(text(b"ab*?[]\\", 6)),
                }
                let (read, write) = [(true, true), (true, false), (false, true)][i % 3];
                rules.add(&pattern, read, write).expect("few");
                given.push((pattern, read, write));
            }
            for i in 0..300 {
                let key = match i % 3 {
                    0 => text(b"ab", 26),
                    _ => {
                        let (pattern, ..) = &given[i % given.len()];
                        let mut key: Vec<u8> =
                            pattern.iter().copied().filter(|b| b"ab".contains(b)).collect();
                        key.extend(text(b"ab", 3));
                        key
                    }
                };
                for uses in [KEY_ACCESS, KEY_UPDATE, KEY_ACCESS | KEY_DELETE, 0] {
                    let expected = given.iter().any(|(pattern, read, write)| {
                        // A pattern that is given twice allows what both do.
                        let (mut r, mut w) = (*read, *write);
                        for (other, read, write) in &given {
                            if other == pattern {
                                (r, w) = (r | read, w | write);
                            }
                        }
                        (r || uses & READS == 0)
                            && (w || uses & WRITES == 0)
                            && glob::matches(pattern, &key, false)
                    });
                    assert_eq!(rules.allow(&key, uses), expected, "{key:?} {uses} {given:?}");
                    assert!(expected || !rules.allow_at_once(&key, uses), "{key:?} {given:?}");
                }
            }
        }
    }

    #[test]
    fn heads_that_differ_only_in_the_middle_are_told_apart() {
        let mut rules = KeyRules::default();
        let name = |i: usize| format!("tenant:0000:{i:04}:and more behind");
        for i in 0..200 {
            rules.add(format!("{}*", name(i)).as_bytes(), true, true).expect("few");
        }
        for i in 0..400 {
            let key = format!("{}x", name(i));
            assert_eq!(rules.allow(key.as_bytes(), KEY_ACCESS), i < 200, "{key}");
        }
    }
}
