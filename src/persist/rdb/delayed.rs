//! Entries of a stream that wait for their time: AUX fields behind the stream, since no version has
//! a place for them. A server that knows none passes over them.
//!
//! ```text
//!   AUX "redust-delayed-entries"    length (4) and key
//!                                   of each: ticket (16), length (4), what is stored
//! ```
//! Tickets are big-endian as IDs are, lengths little-endian. A field holds about `PORTION` bytes,
//! or one entry that is longer; a stream has as many as it takes. In a DUMP payload they stand
//! behind the value, with an empty key: what is behind a value is not read by others.

use super::read::Reader;
use super::types::opcode;
use super::write::Writer;
use crate::ds::stream::Stream;
use crate::ds::stream::delayed::Delayed;
use crate::ds::stream::id::Id;
use std::io::{self, Read, Write};

/// The name of the field.
pub(crate) const FIELD: &[u8] = b"redust-delayed-entries";

/// Bytes from which on a field is full.
const PORTION: usize = 1 << 20;

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// Writes the fields of a stream, if anything waits there.
pub(crate) fn save<W: Write>(to: &mut Writer<W>, key: &[u8], stream: &Stream) -> io::Result<()> {
    let Some(delayed) = &stream.delayed else { return Ok(()) };
    let mut entries = delayed.stored().peekable();
    while entries.peek().is_some() {
        let mut value = Vec::new();
        put(&mut value, key);
        while value.len() < PORTION
            && let Some((ticket, stored)) = entries.next()
        {
            value.extend_from_slice(&ticket.to_bytes());
            put(&mut value, stored);
        }
        to.byte(opcode::AUX)?;
        to.string(FIELD)?;
        to.string(&value)?;
    }
    Ok(())
}

/// Splits off what stands behind its length.
fn take<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    let (taken, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
    *bytes = rest;
    Some(taken)
}

/// The key that a field is about, and what is behind it.
pub(crate) fn key_of(mut value: &[u8]) -> Option<(&[u8], &[u8])> {
    Some((take(&mut value)?, value))
}

/// Adds to a stream what a field says behind its key; None if it is broken.
pub(crate) fn read(mut entries: &[u8], stream: &mut Stream) -> Option<()> {
    while !entries.is_empty() {
        let (ticket, rest) = entries.split_first_chunk::<16>()?;
        entries = rest;
        let stored = take(&mut entries)?.to_vec();
        let delayed: &mut Delayed = stream.delayed.get_or_insert_default();
        delayed.put_untrusted(Id::from_bytes(*ticket), stored).then_some(())?;
    }
    Some(())
}

/// Reads the fields behind the stream of a payload; None if one is broken. Anything else there is
/// left alone.
pub(crate) fn read_behind<R: Read>(from: &mut Reader<R>, stream: &mut Stream) -> Option<()> {
    while from.byte().is_ok_and(|code| code == opcode::AUX) {
        if !from.string().is_ok_and(|name| name == FIELD) {
            break;
        }
        let value = from.string().ok()?;
        let (_, entries) = key_of(&value)?;
        read(entries, stream)?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(stream: &Stream) -> (Vec<u8>, usize) {
        let mut bytes = Vec::new();
        let mut to = Writer::new(&mut bytes, 4096, false, false);
        save(&mut to, b"key", stream).and_then(|()| to.flush()).expect("memory takes every write");
        let n = bytes.windows(FIELD.len()).filter(|window| *window == FIELD).count();
        (bytes, n)
    }

    #[test]
    fn what_waits_comes_back_in_as_many_fields_as_it_takes() {
        let mut stream = Stream::default();
        assert_eq!(fields(&stream), (Vec::new(), 0));
        let delayed = stream.delayed.get_or_insert_default();
        let long = vec![b'x'; PORTION / 3];
        for i in 0..8 {
            let options: [&[u8]; 2] = [b"MAXLEN", b"5"];
            let some = i as usize % 3;
            delayed.put(Id::new(1000 - i, i), &options[..some], &[b"f", &long]);
        }
        let (bytes, n) = fields(&stream);
        assert_eq!(n, 3);
        let mut back = Stream::default();
        let mut from = Reader::new(&bytes[..], 64, false);
        assert_eq!(read_behind(&mut from, &mut back), Some(()));
        assert_eq!(back.delayed, stream.delayed);
        back.delayed.as_ref().expect("there").check();
    }

    #[test]
    fn broken_fields_are_refused() {
        let mut stream = Stream::default();
        stream.delayed.get_or_insert_default().put(Id::new(5, 1), &[], &[b"f", b"v"]);
        stream.delayed.get_or_insert_default().put(Id::new(7, 2), &[], &[b"f", b"v"]);
        let bytes = fields(&stream).0;
        let mut from = Reader::new(&bytes[1..], 64, false);
        assert_eq!(from.string().expect("the name"), FIELD);
        let value = from.string().expect("the value");
        let (key, entries) = key_of(&value).expect("sound");
        assert_eq!(key, b"key");
        for cut in 1..entries.len() {
            let mut back = Stream::default();
            let read = read(&entries[..cut], &mut back);
            assert_eq!(read.is_some(), cut == entries.len() / 2, "{cut}");
        }
        let mut twice = stream.clone();
        assert_eq!(read(entries, &mut twice), None, "they are there already");
    }
}
