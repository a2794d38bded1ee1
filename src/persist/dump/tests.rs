//! Payloads of known bytes, round trips, and payloads that are refused.

use super::*;
use crate::keyspace::Keyspace;
use crate::persist::rdb::testing::*;
use crate::value::{Encoding, ValueRef};

fn dumped(ks: &Keyspace, key: &[u8], version: u32) -> Vec<u8> {
    dump(ks.db(0).find(ks.db(0).key(key)).expect("it is there"), version, true)
}

fn payload_of(value: &[u8]) -> Vec<u8> {
    let mut ks = empty();
    set(&mut ks, 0, b"k", value, None);
    dumped(&ks, b"k", 0)
}

/// A payload of these bytes with a footer that fits.
fn signed(body: &[u8], version: u16) -> Vec<u8> {
    let mut payload = body.to_vec();
    payload.extend_from_slice(&version.to_le_bytes());
    let crc = crc64::update(0, &payload);
    payload.extend_from_slice(&crc.to_le_bytes());
    payload
}

fn again(payload: &[u8], verify_checksum: bool) -> Result<Value, DumpError> {
    restore(payload, verify_checksum, &Limits::default())
}

#[test]
fn known_bytes() {
    // As redis-server 7.0 replies to DUMP of these values.
    assert_eq!(payload_of(b"x"), b"\x00\x01x\x0a\x00\x22\x80\x86\x5f\xbd\xe8\x48\xd0");
    assert_eq!(payload_of(b"123")[..4], *b"\x00\xc0\x7b\x0a");
    let mut ks = empty();
    set(&mut ks, 0, b"k", b"x", None);
    assert_eq!(dumped(&ks, b"k", 11)[3..5], [11, 0]);
    assert_eq!(dumped(&ks, b"k", 12)[3..5], [12, 0]);
}

/// Short and long strings are written by different ways, which must not be seen.
#[test]
fn compression_is_as_asked_for() {
    let mut source = Random::new(0xc0);
    for len in [30, 1000, LONG - 1, LONG, 3 * LONG] {
        let random: Vec<u8> = (0..len).map(|_| source.word() as u8).collect();
        for (text, shrinks) in [(vec![b'x'; len], true), (random, false)] {
            let mut ks = empty();
            set(&mut ks, 0, b"k", &text, None);
            let entry = ks.db(0).find(ks.db(0).key(b"k")).expect("it is there");
            let (packed, plain) = (dump(entry, 0, true), dump(entry, 0, false));
            assert_eq!(packed[1] == 0xc3, shrinks, "{len}");
            assert_ne!(plain[1], 0xc3);
            assert!(plain.len() > text.len());
            assert_eq!(packed == plain, !shrinks);
            for payload in [packed, plain] {
                assert_eq!(again(&payload, true).expect("ours"), Value::from_bytes(text.clone()));
                assert!(len < LONG || payload.capacity() < payload.len() + 2 * AROUND);
            }
        }
    }
}

#[test]
fn what_is_dumped_is_restored() {
    let mut random = Random::new(0xd0d0);
    for _ in 0..300 {
        let mut ks = empty();
        let text = random.text();
        set(&mut ks, 0, b"k", &text, None);
        let key = ks.db(0).key(b"k");
        let encoding = ks.db(0).find(key).expect("it is there").encoding();
        let value = again(&dumped(&ks, b"k", 0), true).expect("our own payload");
        assert_eq!(value.encoding(), encoding);
        ks.db_mut(0).put(key, value, None, 0);
        let back = ks.db(0).find(key).expect("it is there");
        assert_eq!(back.encoding(), encoding);
        match back.value() {
            ValueRef::Int(int) => assert_eq!(int.to_string().as_bytes(), text),
            ValueRef::Str(bytes) => assert_eq!(bytes, text),
            ValueRef::Object(object) => panic!("{object:?}"),
        }
    }
}

#[test]
fn footers_that_are_refused() {
    let good = payload_of(b"some value");
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert!(matches!(again(&bad, true), Err(DumpError::Footer)), "byte {at}");
        assert!(matches!(again(&good[..at], true), Err(DumpError::Footer)), "cut at {at}");
    }
    assert!(matches!(again(&signed(b"\x00\x01x", 15), false), Err(DumpError::Footer)));
    assert!(matches!(again(&signed(b"\x00\x01x", 0xffff), true), Err(DumpError::Footer)));
    assert!(again(&signed(b"\x00\x01x", 6), true).is_ok());
    assert!(again(&signed(b"\x00\x01x", 80), true).is_ok());
    // The checksum is not looked at where it isn't to be.
    let mut bad = good.clone();
    *bad.last_mut().expect("not empty") ^= 1;
    assert!(again(&bad, false).is_ok());
}

#[test]
fn values_that_are_refused() {
    for body in [
        b"".as_slice(),
        b"\x00",
        b"\x00\x02x",
        b"\x08\x01x",
        b"\xff",
        b"\xfc........\x00\x01x",
        b"\x00\xc4",
        b"\x00\xc3\x02\x05\x00a",
        b"\x01\x01\x05a",
        b"\x06\x01",
    ] {
        assert!(matches!(again(&signed(body, 10), true), Err(DumpError::Format(_))), "{body:?}");
    }
    // Compat: bytes after the value don't matter to redis-server either.
    let extra = again(&signed(b"\x00\x01xyz", 10), true).expect("taken");
    assert_eq!(extra.encoding(), Encoding::Embstr);
}
