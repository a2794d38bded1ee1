//! The fast path of the loader: keys with string values that lie in the buffer as a whole.
//!
//! All keys of a batch are parsed and hashed and their buckets prefetched, and then all are
//! inserted. So the cache misses of a batch overlap. Nothing is refused here: what is not plainly a
//! short string is left for the general path, which reads or refuses it.

use super::super::error::RdbError as Error;
use super::super::read::Reader;
use super::super::types::{LEN_32, ValueKind, form, opcode};
use super::{Expire, Keyspace, Loader, Note, Prefix, RESERVE_STEP, SetValue, Store};
use crate::keyspace::store::Key;
use crate::util::lzf;
use crate::value::string::IntText;
use std::io::Read;

/// Keys in a batch: enough to cover the latency of memory, few enough to stay in the first cache.
const BATCH: usize = 16;
/// Compressed strings longer than this are left to the general path.
const UNPACKED_MAX: u64 = 16 << 10;

/// Where the bytes of a string are.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// In the buffer.
    Window,
    /// Unpacked, in the batch's own memory.
    Unpacked,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    place: Place,
    start: usize,
    len: usize,
}

impl Span {
    #[inline(always)]
    fn of<'a>(self, window: &'a [u8], unpacked: &'a [u8]) -> &'a [u8] {
        let from = match self.place {
            Place::Window => window,
            Place::Unpacked => unpacked,
        };
        &from[self.start..self.start + self.len]
    }
}

#[derive(Clone, Copy, Debug)]
enum Content {
    Int(i64),
    Bytes(Span),
}

/// A key as parsed.
#[derive(Clone, Copy, Debug)]
struct Record {
    hash: u64,
    key: Span,
    value: Content,
    prefix: Prefix,
}

/// Parses what lies in the buffer. Every step is None if it would have to read on, or to decide
/// anything.
struct Scan<'a> {
    window: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    #[inline(always)]
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let bytes = self.window.get(self.at..)?.first_chunk::<N>()?;
        self.at += N;
        Some(*bytes)
    }

    #[inline(always)]
    fn byte(&mut self) -> Option<u8> {
        Some(self.take::<1>()?[0])
    }

    #[inline(always)]
    fn length_after(&mut self, first: u8) -> Option<u64> {
        match first >> 6 {
            0 => Some(u64::from(first)),
            1 => Some(u64::from(first & 0x3f) << 8 | u64::from(self.byte()?)),
            2 if first == LEN_32 => Some(u64::from(u32::from_be_bytes(self.take()?))),
            _ => None,
        }
    }

    #[inline(always)]
    fn length(&mut self) -> Option<u64> {
        let first = self.byte()?;
        self.length_after(first)
    }

    #[inline(always)]
    fn span(&mut self, len: u64) -> Option<Span> {
        let len = usize::try_from(len).ok()?;
        if len > self.window.len() - self.at {
            return None;
        }
        let span = Span { place: Place::Window, start: self.at, len };
        self.at += len;
        Some(span)
    }

    /// A string.
    #[inline(always)]
    fn content(&mut self, unpacked: &mut Vec<u8>) -> Option<Content> {
        let first = self.byte()?;
        if first >> 6 != 3 {
            let len = self.length_after(first)?;
            return Some(Content::Bytes(self.span(len)?));
        }
        Some(Content::Int(match first & 0x3f {
            form::INT8 => i64::from(i8::from_le_bytes(self.take()?)),
            form::INT16 => i64::from(i16::from_le_bytes(self.take()?)),
            form::INT32 => i64::from(i32::from_le_bytes(self.take()?)),
            form::LZF => return Some(Content::Bytes(self.unpack(unpacked)?)),
            _ => return None,
        }))
    }

    fn unpack(&mut self, unpacked: &mut Vec<u8>) -> Option<Span> {
        let packed_len = self.length()?;
        let len = self.length().filter(|&len| len <= UNPACKED_MAX)? as usize;
        let packed = self.span(packed_len)?.of(self.window, &[]);
        let start = unpacked.len();
        let fine = lzf::decompress(packed, len, unpacked);
        fine.then_some(Span { place: Place::Unpacked, start, len })
    }

    /// A key with its value.
    #[inline(always)]
    fn record(&mut self, db: &Store, unpacked: &mut Vec<u8>) -> Option<Record> {
        let mut prefix = Prefix::default();
        loop {
            match self.byte()? {
                0 => break,
                opcode::EXPIRETIME_MS => prefix.expire = Some(i64::from_le_bytes(self.take()?)),
                opcode::IDLE => prefix.idle = Some(self.length()?),
                opcode::FREQ => prefix.freq = Some(self.byte()?),
                _ => return None,
            }
        }
        let key = match self.content(unpacked)? {
            Content::Bytes(span) => span,
            Content::Int(int) => {
                let text = IntText::new(int);
                let (start, len) = (unpacked.len(), text.as_bytes().len());
                unpacked.extend_from_slice(text.as_bytes());
                Span { place: Place::Unpacked, start, len }
            }
        };
        let hash = db.hash(key.of(self.window, unpacked));
        db.prefetch_bucket(hash);
        let value = self.content(unpacked)?;
        Some(Record { hash, key, value, prefix })
    }
}

// The scan takes type 0 for a string.
const _: () = assert!(ValueKind::String as u8 == 0);

impl Loader<'_> {
    /// Loads keys as long as they are simple and no tick is due.
    pub(super) fn batches<R: Read>(
        &mut self,
        from: &mut Reader<R>,
        ks: &mut Keyspace,
    ) -> Result<(), Error> {
        let db = ks.db_mut(self.db);
        let mut unpacked = std::mem::take(&mut self.text);
        while from.offset() < self.next_tick {
            let read = self.batch(from.window(), from.offset(), db, &mut unpacked)?;
            if read == 0 {
                break;
            }
            from.consume(read);
            self.make_room(db);
        }
        self.text = unpacked;
        Ok(())
    }

    /// Loads one batch from the start of `window`; the bytes it took.
    #[inline(never)]
    fn batch(
        &mut self,
        window: &[u8],
        offset: u64,
        db: &mut Store,
        unpacked: &mut Vec<u8>,
    ) -> Result<usize, Error> {
        let mut scan = Scan { window, at: 0 };
        let mut records = [None; BATCH];
        let mut read = 0;
        unpacked.clear();
        for slot in &mut records {
            *slot = scan.record(db, unpacked);
            if slot.is_none() {
                break;
            }
            read = scan.at;
        }
        for record in records.iter().map_while(|record| *record) {
            if self.is_expired(&record.prefix) {
                self.loaded.expired += 1;
                (self.note)(Note::Expired(self.db, record.key.of(window, unpacked)));
                continue;
            }
            let value = match record.value {
                Content::Int(int) => SetValue::Int(int),
                Content::Bytes(span) => SetValue::Bytes(span.of(window, unpacked)),
            };
            let key = Key { bytes: record.key.of(window, unpacked), hash: record.hash };
            let access = self.access(&record.prefix);
            self.put(db, key, value, record.prefix.expire, access, offset)?;
        }
        Ok(read)
    }

    /// Inserts a key.
    #[inline(always)]
    pub(super) fn put(
        &mut self,
        db: &mut Store,
        key: Key<'_>,
        value: SetValue<'_>,
        expire: Option<i64>,
        access: u32,
        at: u64,
    ) -> Result<(), Error> {
        let before = db.len();
        db.set(key, value, expire.map_or(Expire::None, Expire::At), access);
        if db.len() == before && !self.opts.replace {
            return Err(Error::Duplicate { at, db: self.db, key: key.bytes.into() });
        }
        self.loaded.keys += 1;
        Ok(())
    }

    /// Makes more room, in large steps, once the room that was made is used.
    #[inline]
    pub(super) fn make_room(&mut self, db: &mut Store) {
        if db.len() >= self.room && self.room < self.hint {
            self.room = self.room.saturating_mul(RESERVE_STEP).min(self.hint);
            db.reserve(self.room);
        }
    }
}
