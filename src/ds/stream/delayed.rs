//! Entries that wait for their time (XADD with DELAY or AT), each under a ticket.
//!
//! A ticket is the time at which the entry is to appear, and a number. It has the form of an ID,
//! with a `~` before it, so tickets in order are entries in the order in which they appear. With an
//! entry lie the options that XADD was given, which hold when it appears:
//!
//! ```text
//!   number of option words, then each word: length, bytes      numbers in groups of 7 bits
//! ```
//! Numbers of tickets ascend, and begin at the clock: a ticket that was taken back does not come
//! again, though the number is in no file.
//!
//! Invariants (`check`): times are below 2^63; what is stored can be read; `bytes` is its length.

use super::id::Id;
use std::collections::BTreeMap;

/// What stands before a ticket.
pub(crate) const MARK: u8 = b'~';

/// The text of a ticket.
pub(crate) fn text(ticket: Id) -> Vec<u8> {
    let mut text = vec![MARK];
    ticket.write(&mut text);
    text
}

/// Reads a ticket; there is one way to write each.
pub(crate) fn parse(word: &[u8]) -> Option<Id> {
    let ticket = Id::parse(word.strip_prefix(&[MARK])?, 0)?;
    (is_sound(ticket) && text(ticket) == word).then_some(ticket)
}

/// Whether there can be such a ticket: its time is one, and numbers go on behind its own.
fn is_sound(ticket: Id) -> bool {
    i64::try_from(ticket.ms).is_ok() && ticket.seq < u64::MAX
}

/// What XADD was told: its options, and names and values.
#[derive(Debug)]
pub(crate) struct Words<'a> {
    words: Vec<&'a [u8]>,
    options: usize,
}

impl<'a> Words<'a> {
    /// Reads what is stored; None if it is not sound.
    fn read(mut bytes: &'a [u8]) -> Option<Words<'a>> {
        let options = number(&mut bytes)?;
        let mut words = Vec::new();
        while !bytes.is_empty() {
            let (word, rest) = {
                let len = number(&mut bytes)?;
                bytes.split_at_checked(len)?
            };
            words.push(word);
            bytes = rest;
        }
        let pairs = words.len().checked_sub(options)?;
        (pairs > 0 && pairs.is_multiple_of(2)).then_some(Words { words, options })
    }

    pub(crate) fn options(&self) -> &[&'a [u8]] {
        &self.words[..self.options]
    }

    /// Names and values.
    pub(crate) fn pairs(&self) -> &[&'a [u8]] {
        &self.words[self.options..]
    }
}

fn number(bytes: &mut &[u8]) -> Option<usize> {
    let mut n = 0;
    for shift in (0..35).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        n |= usize::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some(n);
        }
    }
    None
}

fn write_number(mut n: usize, out: &mut Vec<u8>) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn pack(options: &[&[u8]], pairs: &[&[u8]]) -> Box<[u8]> {
    let words = || options.iter().chain(pairs);
    let mut out = Vec::with_capacity(1 + words().map(|word| word.len() + 2).sum::<usize>());
    write_number(options.len(), &mut out);
    for word in words() {
        write_number(word.len(), &mut out);
        out.extend_from_slice(word);
    }
    out.into()
}

/// The entries of one stream that wait.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delayed {
    waiting: BTreeMap<Id, Box<[u8]>>,
    /// Bytes of what is stored.
    bytes: usize,
    /// Above the number of every ticket there was.
    next: u64,
}

impl Delayed {
    /// Number of entries. O(1).
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The ticket of the entry that appears first. O(log entries).
    pub(crate) fn first(&self) -> Option<Id> {
        self.waiting.first_key_value().map(|(ticket, _)| *ticket)
    }

    /// A new ticket for that time; None if there are no numbers left.
    pub(crate) fn new_ticket(&self, at_ms: i64, now_ms: i64) -> Option<Id> {
        let ticket = Id::new(at_ms.max(0) as u64, self.next.max(now_ms.max(0) as u64));
        is_sound(ticket).then_some(ticket)
    }

    /// Whether an entry waits under that ticket.
    pub(crate) fn has(&self, ticket: Id) -> bool {
        self.waiting.contains_key(&ticket)
    }

    /// Adds an entry under a ticket that no other has. O(log entries).
    pub(crate) fn put(&mut self, ticket: Id, options: &[&[u8]], pairs: &[&[u8]]) {
        self.insert(ticket, pack(options, pairs));
    }

    /// Adds what a file says; false if it can't be.
    pub(crate) fn put_untrusted(&mut self, ticket: Id, stored: Vec<u8>) -> bool {
        let sound = is_sound(ticket) && !self.has(ticket) && Words::read(&stored).is_some();
        if sound {
            self.insert(ticket, stored.into());
        }
        sound
    }

    fn insert(&mut self, ticket: Id, stored: Box<[u8]>) {
        self.bytes += stored.len();
        self.next = self.next.max(ticket.seq + 1);
        self.waiting.insert(ticket, stored);
    }

    /// Takes an entry back; whether it was there. O(log entries).
    pub(crate) fn remove(&mut self, ticket: Id) -> bool {
        let stored = self.waiting.remove(&ticket);
        self.bytes -= stored.as_ref().map_or(0, |stored| stored.len());
        stored.is_some()
    }

    /// Takes the first entry whose time is not after `now_ms`. O(log entries).
    pub(crate) fn take_due(&mut self, now_ms: i64) -> Option<(Id, Box<[u8]>)> {
        let first = self.waiting.first_entry()?;
        if first.key().ms as i64 > now_ms {
            return None;
        }
        let (ticket, stored) = first.remove_entry();
        self.bytes -= stored.len();
        Some((ticket, stored))
    }

    /// What was stored and taken out.
    pub(crate) fn read(stored: &[u8]) -> Option<Words<'_>> {
        Words::read(stored)
    }

    /// The entries in the order in which they appear.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Id, Words<'_>)> {
        self.stored().filter_map(|(ticket, stored)| Some((ticket, Words::read(stored)?)))
    }

    /// The same as they are stored, for files.
    pub(crate) fn stored(&self) -> impl Iterator<Item = (Id, &[u8])> {
        self.waiting.iter().map(|(ticket, stored)| (*ticket, &stored[..]))
    }

    /// Allocated bytes, about: trees of nodes of eleven are two thirds full.
    pub(crate) fn mem_bytes(&self) -> usize {
        const EACH: usize = (size_of::<Id>() + size_of::<Box<[u8]>>()) * 3 / 2 + 4;
        size_of::<Delayed>() + self.bytes + self.waiting.len() * EACH
    }

    /// Panics unless the invariants hold. O(n).
    #[cfg(test)]
    pub(crate) fn check(&self) {
        assert_eq!(self.bytes, self.stored().map(|(_, stored)| stored.len()).sum());
        assert_eq!(self.iter().count(), self.len());
        assert!(self.waiting.keys().all(|t| is_sound(*t) && t.seq < self.next));
    }
}

impl PartialEq for Delayed {
    /// The same entries under the same tickets.
    fn eq(&self, other: &Delayed) -> bool {
        self.waiting == other.waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ds::wheel::tests::rng;

    #[test]
    fn tickets_are_written_in_one_way() {
        let ticket = Id::new(17, 4);
        assert_eq!((text(ticket), parse(b"~17-4")), (b"~17-4".to_vec(), Some(ticket)));
        let last = Id::new(i64::MAX as u64, u64::MAX - 1);
        assert_eq!(parse(&text(last)), Some(last));
        for bad in ["17-4", "~17", "~017-4", "~17-4 ", "~-", "~17-*", "~9223372036854775808-1", "~"]
        {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(parse(b"~1-18446744073709551615"), None, "no number comes behind it");
    }

    /// Against a list that is sorted when it is asked.
    #[test]
    fn entries_come_in_the_order_of_their_times_and_then_of_their_numbers() {
        let mut rng = rng(7);
        let (mut all, mut model, mut now) = (Delayed::default(), Vec::<(Id, Vec<u8>)>::new(), 0);
        for round in 0..20_000 {
            match rng() % 6 {
                0..=2 => {
                    let at = now + (rng() % 40) as i64;
                    let ticket = all.new_ticket(at, now).expect("there are numbers");
                    let long = vec![b'v'; (rng() % 3 * 100) as usize];
                    let value = [round.to_string().as_bytes(), &long].concat();
                    let options: &[&[u8]] =
                        if rng().is_multiple_of(2) { &[] } else { &[b"MAXLEN", b"5"] };
                    all.put(ticket, options, &[b"f", &value]);
                    assert!(model.iter().all(|(other, _)| *other != ticket));
                    model.push((ticket, value));
                }
                3 if !model.is_empty() => {
                    let (ticket, _) = model.swap_remove(rng() as usize % model.len());
                    assert!(all.remove(ticket) && !all.remove(ticket) && !all.has(ticket));
                }
                4 => now += (rng() % 20) as i64,
                _ => {
                    model.sort();
                    let due = model.iter().take_while(|(t, _)| t.ms as i64 <= now).count();
                    for (ticket, value) in model.drain(..due) {
                        let (got, stored) = all.take_due(now).expect("it is due");
                        let words = Delayed::read(&stored).expect("sound");
                        assert_eq!((got, words.pairs()), (ticket, &[&b"f"[..], &value][..]));
                    }
                    assert!(all.take_due(now).is_none());
                }
            }
            assert_eq!(all.len(), model.len());
            if round % 500 == 0 {
                all.check();
            }
        }
    }

    #[test]
    fn what_a_file_says_is_read_as_it_was_stored_or_refused() {
        let mut all = Delayed::default();
        all.put(Id::new(5, 1), &[b"MAXLEN", b"3"], &[b"f", &[7; 300]]);
        let stored = all.stored().next().expect("one").1.to_vec();
        let mut other = Delayed::default();
        assert!(other.put_untrusted(Id::new(5, 1), stored.clone()));
        assert!(!other.put_untrusted(Id::new(5, 1), stored.clone()), "it is there");
        assert!(!other.put_untrusted(Id::new(1 << 63, 1), stored.clone()), "no time");
        assert_eq!(all, other);
        for cut in 0..stored.len() {
            assert!(!other.put_untrusted(Id::new(6, 1), stored[..cut].to_vec()), "{cut}");
        }
        for bad in [&[0][..], &[0, 1, b'a'], &[3, 0, 0], &[0xff; 9]] {
            assert!(!other.put_untrusted(Id::new(6, 1), bad.to_vec()), "{bad:?}");
        }
        other.check();
        // A number that a client took is not given again.
        other.put(Id::new(9, 100), &[], &[b"f", b"v"]);
        assert_eq!(other.new_ticket(9, 50), Some(Id::new(9, 101)));
        other.put(Id::new(9, u64::MAX - 1), &[], &[b"f", b"v"]);
        assert_eq!(other.new_ticket(9, 50), None);
    }
}
