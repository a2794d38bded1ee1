//! Many entries into a reply, one after the other: what they have in common is written once, and
//! their lines are put together where they stay.
//!
//! ```text
//!   *2  $15  1700000000000-0     line by line; of the ID, the digits above the last eight of its
//!   *2  $1  f  $1  v             time are the same for a day and more
//! ```

use super::{reply_fields, reply_id};
use crate::ds::listpack::Item;
use crate::ds::stream::block::Pairs;
use crate::ds::stream::id::Id;
use crate::resp::reply::{Bulks, Reply};
use crate::util::num::{self, SHORT_NUMBERS};

/// Writes entries.
pub(super) struct Entries<'r> {
    out: Bulks<'r>,
    /// What stands before the last eight digits of the time of an ID, as a number and in digits.
    high: u64,
    digits: [u8; 8],
    len: usize,
}

impl<'r> Entries<'r> {
    pub(super) fn new(reply: &'r mut Reply) -> Entries<'r> {
        Entries { out: reply.bulks(), high: 0, digits: [0; 8], len: 0 }
    }

    /// An entry: its ID, and its fields with their values.
    #[inline]
    pub(super) fn push(&mut self, id: Id, pairs: &mut Pairs<'_>) {
        self.head(*b"*2\r\n", id);
        self.fields(pairs);
    }

    /// An entry with two zeros behind it: since when it is pending, and how often it was delivered.
    #[inline]
    pub(super) fn push_new(&mut self, id: Id, pairs: &mut Pairs<'_>) {
        self.head(*b"*4\r\n", id);
        self.fields(pairs);
        self.out.with(|window| {
            window[..8].copy_from_slice(b":0\r\n:0\r\n");
            8
        });
    }

    /// The line of an array, and an ID.
    #[inline(always)]
    fn head(&mut self, array: [u8; 4], id: Id) {
        let (high, low) = (id.ms / u64::from(SHORT_NUMBERS), id.ms % u64::from(SHORT_NUMBERS));
        if high != self.high {
            self.learn(high);
        }
        // Eight digits or more, and a sign, and one: the length has two digits.
        let Ok(seq @ ..SHORT_NUMBERS) = u32::try_from(id.seq) else { return self.any(array, id) };
        if self.len == 0 {
            return self.any(array, id);
        }
        let (digits, len) = (self.digits, self.len);
        self.out.with(|window| {
            let (text, seq_len) = num::eight_digits(seq);
            let all = len + 8 + 1 + seq_len;
            *window.first_chunk_mut().expect("four bytes") = array;
            let length = [b'$', b'0' + (all / 10) as u8, b'0' + (all % 10) as u8, b'\r', b'\n'];
            window[4..9].copy_from_slice(&length);
            window[9..17].copy_from_slice(&digits);
            let at = 9 + len;
            let low = num::all_eight_digits(low as u32).to_le_bytes();
            window[at..at + 8].copy_from_slice(&low);
            window[at + 8] = b'-';
            window[at + 9..at + 17].copy_from_slice(&text.to_le_bytes());
            let end = 9 + all;
            window[end..end + 2].copy_from_slice(b"\r\n");
            end + 2
        });
    }

    #[cold]
    fn learn(&mut self, high: u64) {
        (self.high, self.len) = (high, 0);
        if let Ok(short @ ..SHORT_NUMBERS) = u32::try_from(high)
            && short > 0
        {
            let (digits, len) = num::eight_digits(short);
            (self.digits, self.len) = (digits.to_le_bytes(), len);
        }
    }

    /// The same for a small time, and for great numbers.
    #[inline(never)]
    fn any(&mut self, array: [u8; 4], id: Id) {
        self.out.with_reply(|reply| {
            reply.raw(&array);
            reply_id(reply, id);
        });
    }

    #[inline(always)]
    fn fields(&mut self, pairs: &mut Pairs<'_>) {
        let elements = 2 * pairs.left();
        if elements >= 10 {
            return self.out.with_reply(|reply| reply_fields(reply, pairs));
        }
        self.out.with(|window| {
            *window.first_chunk_mut().expect("four bytes") =
                [b'*', b'0' + elements as u8, b'\r', b'\n'];
            4
        });
        for (name, value) in pairs {
            self.item(name);
            self.item(value);
        }
    }

    #[inline(always)]
    fn item(&mut self, item: Item<'_>) {
        match item {
            Item::Str(text) => self.out.push(text),
            Item::Int(int) => self.out.push_int(int),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ds::stream::log::{Log, NewId, NodeLimits};

    /// Against a reply that is written value by value.
    #[test]
    fn entries_are_written_as_one_by_one() {
        let mut log = Log::default();
        let limits = NodeLimits { bytes: 4096, entries: 7 };
        let values: [&[u8]; 7] =
            [b"", b"7", b"-123456", b"eight ch", b"nine char", &[b'x'; 64], &[b'y'; 3000]];
        let mut ids = vec![Id::new(0, 1), Id::new(0, 9), Id::new(1, 0), Id::new(99_999_999, 5)];
        for ms in [100_000_000, 1_700_000_000_000, 1_700_099_999_999, 9_999_999_999_999_999] {
            for seq in [0, 7, 10, 99_999_999, 100_000_000, u64::MAX] {
                ids.push(Id::new(ms, seq));
            }
        }
        ids.extend([Id::new(10_000_000_000_000_000, 1), Id::new(u64::MAX, 0), Id::MAX]);
        for (i, id) in ids.iter().enumerate() {
            let mut args: Vec<&[u8]> = Vec::new();
            for field in 0..1 + i % 7 {
                args.extend([&b"name"[..1 + (field + i) % 4], values[(i + field) % 7]]);
            }
            log.append(NewId::Exactly(*id), &args, limits).expect("above");
        }
        let zeros = |reply: &mut Reply| (0..2).for_each(|_| reply.int(0));
        let (mut plain, mut fast) = (Reply::default(), Reply::default());
        plain.raw(b"before");
        fast.raw(b"before");
        for entry in log.range(Id::MIN, Id::MAX) {
            super::super::reply_entry(&mut plain, entry);
        }
        let mut entries = Entries::new(&mut fast);
        assert_eq!(log.range(Id::MIN, Id::MAX).visit(99, |id, p| entries.push(id, p)), ids.len());
        log.range(Id::MIN, Id::MAX).visit(99, |id, pairs| entries.push_new(id, pairs));
        drop(entries);
        for entry in log.range(Id::MIN, Id::MAX) {
            plain.array(4);
            reply_id(&mut plain, entry.id);
            reply_fields(&mut plain, &mut entry.pairs());
            zeros(&mut plain);
        }
        assert_eq!(fast.buf().escape_ascii().to_string(), plain.buf().escape_ascii().to_string());
    }
}
