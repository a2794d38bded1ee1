//! Every form of a hash: both ways, older ones from golden bytes, and bytes that are refused.

use super::*;
use crate::value::Encoding;

const NONE: Time = Time::Never;

fn of(pairs: &[(&str, &str, Time)]) -> Hash {
    let mut hash = Hash::default();
    for (field, value, time) in pairs {
        assert!(hash.insert(field.as_bytes(), value.as_bytes(), *time, &Limits::default().hash()));
    }
    hash
}

fn table(pairs: &[(&str, &str, Time)]) -> Hash {
    let mut hash = of(pairs);
    hash.change_to_table(pairs.len(), Limits::default().seed);
    hash
}

fn written(hash: &Hash, version: u32) -> Vec<u8> {
    let mut out = Vec::new();
    let mut to = Writer::new(&mut out, 0, true, false);
    save(&mut to, hash.view(), version).expect("memory takes every write");
    to.flush().expect("memory takes every write");
    out
}

fn read(kind: ValueKind, bytes: &[u8]) -> Result<Hash, Error> {
    load(&mut Reader::new(bytes, 64, false), kind, &Limits::default())
}

#[test]
fn forms_follow_the_encoding_and_the_version() {
    let plain = [("a", "x", NONE), ("1", "2", NONE)];
    let timed = [("a", "x", NONE), ("1", "2", Time::At(9_000)), ("b", "y", Time::At(8_000))];
    for (hash, version, form) in [
        (of(&plain), 10, ValueKind::HashListpack),
        (table(&plain), 12, ValueKind::Hash),
        (of(&timed), 12, ValueKind::HashListpackEx),
        (table(&timed), 12, ValueKind::HashMetadata),
        (of(&plain), 80, ValueKind::HashListpack),
        (table(&plain), 80, ValueKind::Hash),
        (of(&timed), 80, ValueKind::Hash2),
        (table(&timed), 80, ValueKind::Hash2),
    ] {
        assert_eq!(kind(hash.view(), version), form);
        assert_eq!(read(form, &written(&hash, version)).expect("our own bytes"), hash);
    }
    // A version that has no times gets none.
    let without = of(&[("a", "x", NONE), ("1", "2", NONE), ("b", "y", NONE)]);
    for hash in [of(&timed), table(&timed)] {
        let bytes = written(&hash, 11);
        assert_eq!(read(kind(hash.view(), 11), &bytes).expect("our own bytes"), without);
    }
    assert_eq!(
        written(&of(&[("f", "v", Time::At(5))]), 12),
        b"\x05\0\0\0\0\0\0\0\x0f\x0f\0\0\0\x03\0\x81f\x02\x81v\x02\x05\x01\xff"
    );
    assert_eq!(
        written(&table(&[("f", "v", Time::At(5))]), 12),
        b"\x05\0\0\0\0\0\0\0\x01\x01\x01f\x01v"
    );
}

#[test]
fn older_and_other_forms_are_read() {
    let plain = of(&[("k", "vw", NONE)]);
    assert_eq!(read(ValueKind::HashZipmap, b"\x09\x01\x01k\x02\x01vwx\xff").expect("sound"), plain);
    let ziplist = b"\x12\x12\0\0\0\x0d\0\0\0\x02\0\0\x01k\x03\x02vw\xff";
    assert_eq!(read(ValueKind::HashZiplist, ziplist).expect("sound"), plain);
    let timed = of(&[("f", "v", Time::At(7))]);
    assert_eq!(read(ValueKind::HashMetadataPreGa, b"\x01\x07\x01f\x01v").expect("sound"), timed);
    let packed = b"\x0f\x0f\0\0\0\x03\0\x81f\x02\x81v\x02\x07\x01\xff";
    assert_eq!(read(ValueKind::HashListpackExPreGa, packed).expect("sound"), timed);
    let valkey = b"\x02\x01f\x01v\x07\0\0\0\0\0\0\0\x01g\x01v\xff\xff\xff\xff\xff\xff\xff\xff";
    let both = of(&[("f", "v", Time::At(7)), ("g", "v", NONE)]);
    assert_eq!(read(ValueKind::Hash2, valkey).expect("sound"), both);
}

#[test]
fn times_of_a_packed_hash_must_come_soonest_first() {
    let read = |times: &[u8]| {
        let triples: Vec<u8> = times
            .iter()
            .zip(b"abc")
            .flat_map(|(time, field)| [0x81, *field, 2, 0x81, b'v', 2, *time, 1])
            .collect();
        let total = 7 + triples.len() as u8;
        let head = [total, total, 0, 0, 0, 3 * times.len() as u8, 0];
        read(ValueKind::HashListpackExPreGa, &[&head, &triples[..], b"\xff"].concat())
    };
    for sound in [&[7, 7, 9][..], &[7, 9, 0], &[7, 0, 0], &[0, 0]] {
        assert!(read(sound).is_ok(), "{sound:?}");
    }
    for bad in [&[9, 7][..], &[0, 7], &[7, 0, 9]] {
        assert!(read(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn the_encoding_follows_the_limits() {
    let fields = |n: usize, value: usize| {
        let mut bytes = vec![0x40 | (n >> 8) as u8, n as u8];
        for i in 0..n {
            let field = format!("f{i}");
            bytes.push(field.len() as u8);
            bytes.extend_from_slice(field.as_bytes());
            bytes.extend_from_slice(&[0x40, value as u8]);
            bytes.extend(std::iter::repeat_n(b'v', value));
        }
        read(ValueKind::Hash, &bytes).expect("sound").encoding()
    };
    assert_eq!(fields(512, 64), Encoding::Listpack);
    assert_eq!(fields(513, 1), Encoding::Hashtable);
    assert_eq!(fields(1, 65), Encoding::Hashtable);
}

#[test]
fn broken_ones_are_refused() {
    let cases: [(ValueKind, &[u8]); 9] = [
        (ValueKind::Hash, b"\x02\x01a\x01x\x01a\x01y"),
        (ValueKind::Hash, b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01a\x01b"),
        (ValueKind::HashListpack, b"\x0a\x0a\0\0\0\x01\0\x81a\x02\xff"),
        (ValueKind::HashListpack, b"\x0f\x0f\0\0\0\x04\0\x01\x01\x02\x01\x01\x01\x02\x01\xff"),
        (ValueKind::HashZipmap, b"\x0d\x02\x01k\x01\0v\x01k\x01\0v\xff"),
        (ValueKind::HashMetadata, b"\xff\xff\xff\xff\xff\xff\xff\x7f\x01\x03\x01f\x01v"),
        (ValueKind::HashMetadata, b"\0\0\0\0\0\0\0\x80\x01\x01\x01f\x01v"),
        (ValueKind::HashListpackExPreGa, b"\x0d\x0d\0\0\0\x02\0\x81f\x02\x81v\x02\xff"),
        (ValueKind::Hash2, b"\x01\x01f\x01v\xfe\xff\xff\xff\xff\xff\xff\xff"),
    ];
    cases.iter().for_each(|(kind, bytes)| assert!(read(*kind, bytes).is_err(), "{bytes:?}"));
}

#[test]
fn whatever_loads_saves_and_loads_again() {
    let mut rng = crate::util::rand::generator(5);
    let timed = [("a", "x", NONE), ("1", "2", Time::At(9_000)), ("b", "yy", Time::At(8_000))];
    let plain = [("a", "x", NONE), ("1", "2", NONE), ("b", "yy", NONE)];
    let kinds = [
        ValueKind::Hash,
        ValueKind::HashListpack,
        ValueKind::HashListpackEx,
        ValueKind::HashListpackExPreGa,
        ValueKind::HashMetadata,
        ValueKind::HashMetadataPreGa,
        ValueKind::HashZiplist,
        ValueKind::HashZipmap,
        ValueKind::Hash2,
    ];
    let seeds = [of(&timed), table(&timed), of(&plain), table(&plain)].map(|h| written(&h, 12));
    let older: [&[u8]; 3] = [
        b"\x09\x01\x01k\x02\x01vwx\xff",
        b"\x12\x12\0\0\0\x0d\0\0\0\x02\0\0\x01k\x03\x02vw\xff",
        b"\x02\x01f\x01v\x07\0\0\0\0\0\0\0\x01g\x01v\xff\xff\xff\xff\xff\xff\xff\xff",
    ];
    let seeds: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).chain(older).collect();
    let mut loaded = 0;
    for round in 0..60_000 {
        let mut bytes = seeds[round % seeds.len()].to_vec();
        for _ in 0..rng() % 4 {
            let at = (rng() % bytes.len() as u64) as usize;
            bytes[at] = if rng().is_multiple_of(2) { rng() as u8 } else { bytes[at] ^ 1 };
        }
        for kind in kinds {
            let Ok(hash) = read(kind, &bytes) else { continue };
            loaded += 1;
            let form = super::kind(hash.view(), 12);
            assert_eq!(read(form, &written(&hash, 12)).expect("our own bytes"), hash);
        }
    }
    assert!(loaded > 10_000, "{loaded}");
}

#[test]
fn a_listpack_whose_times_are_out_of_order_is_refused() {
    let bytes = |times: &[i64]| {
        let mut lp = Listpack::new();
        for (i, time) in times.iter().enumerate() {
            lp.push_back(format!("f{i}").as_bytes());
            lp.push_back(b"v");
            lp.push_back(time.to_string().as_bytes());
        }
        let mut out = Vec::new();
        let mut to = Writer::new(&mut out, 0, true, false);
        to.bytes(&5_i64.to_le_bytes()).expect("memory takes every write");
        to.string(lp.as_bytes()).expect("memory takes every write");
        to.flush().expect("memory takes every write");
        out
    };
    for (times, good) in [
        (&[5, 5, 9, 0, 0][..], true),
        (&[0, 0], true),
        (&[9, 5], false),
        (&[5, 0, 9], false),
        (&[-1], false),
    ] {
        let hash = read(ValueKind::HashListpackEx, &bytes(times));
        assert_eq!(hash.is_ok(), good, "{times:?}");
    }
}
