//! Every form of a set: golden bytes, both ways, and bytes that are refused.

use super::*;
use crate::value::{Collection, Encoding};

fn of(members: &[&str]) -> Set {
    let limits = Limits::default().set();
    let mut set = Set::for_member(members[0].as_bytes(), 1, &limits);
    members.iter().for_each(|m| assert!(set.insert(m.as_bytes(), &limits)));
    set
}

fn written(set: &Set, version: u32) -> Vec<u8> {
    let mut out = Vec::new();
    let mut to = Writer::new(&mut out, 0, true, false);
    save(&mut to, set.view(), version).expect("memory takes every write");
    to.flush().expect("memory takes every write");
    out
}

fn read(kind: ValueKind, bytes: &[u8]) -> Result<Set, Error> {
    load(&mut Reader::new(bytes, 64, false), kind, &Limits::default())
}

#[test]
fn forms_follow_the_encoding_and_the_version() {
    let (ints, packed) = (of(&["1", "-2"]), of(&["a", "1"]));
    let mut table = of(&["a", "1"]);
    table.change_to_table(2, Limits::default().seed);
    for (set, version, form) in [
        (&ints, 10, ValueKind::SetIntset),
        (&packed, 10, ValueKind::Set),
        (&packed, 11, ValueKind::SetListpack),
        (&table, 12, ValueKind::Set),
    ] {
        assert_eq!(kind(set.view(), version), form);
        let back = read(form, &written(set, version)).expect("our own bytes");
        assert_eq!(&back, set);
    }
    assert_eq!(written(&packed, 10), b"\x02\x01a\xc0\x01");
    assert_eq!(written(&packed, 11), b"\x0c\x0c\0\0\0\x02\0\x81a\x02\x01\x01\xff");
    assert_eq!(written(&ints, 10), b"\x0c\x02\0\0\0\x02\0\0\0\xfe\xff\x01\0");
}

#[test]
fn the_encoding_follows_the_limits() {
    let members = |n: usize, text: &str| {
        let mut bytes = vec![0x40 | (n >> 8) as u8, n as u8];
        for i in 0..n {
            let member = format!("{text}{i}");
            bytes.push(member.len() as u8);
            bytes.extend_from_slice(member.as_bytes());
        }
        read(ValueKind::Set, &bytes).expect("sound").encoding()
    };
    assert_eq!(members(512, ""), Encoding::Intset);
    assert_eq!(members(513, ""), Encoding::Hashtable);
    assert_eq!(members(128, "m"), Encoding::Listpack);
    assert_eq!(members(129, "m"), Encoding::Hashtable);
}

#[test]
fn broken_ones_are_refused() {
    let cases: [(ValueKind, &[u8]); 6] = [
        (ValueKind::Set, b"\x02\x01a\x01a"),
        (ValueKind::Set, b"\x02\x011\xc0\x01"),
        (ValueKind::Set, b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01a"),
        (ValueKind::SetIntset, b"\x0c\x02\0\0\0\x02\0\0\0\x01\0\x01\0"),
        (ValueKind::SetListpack, b"\x0d\x0d\0\0\0\x02\0\x81a\x02\x81a\x02\xff"),
        (ValueKind::SetListpack, b"\x0d\x0d\0\0\0\x02\0\x811\x02\x01\x01\x01\xff"),
    ];
    cases.iter().for_each(|(kind, bytes)| assert!(read(*kind, bytes).is_err(), "{bytes:?}"));
    assert!(read(ValueKind::Set, b"\0").is_ok_and(|set| set.is_empty()));
}

#[test]
fn whatever_loads_saves_and_loads_again() {
    let mut rng = crate::util::rand::generator(6);
    let mut table = of(&["a", "1", "long member"]);
    table.change_to_table(3, Limits::default().seed);
    let seeds = [
        written(&of(&["1", "-70000", "5"]), 10),
        written(&of(&["a", "1", "long member"]), 11),
        written(&table, 10),
    ];
    let mut loaded = 0;
    for round in 0..60_000 {
        let mut bytes = seeds[round % seeds.len()].clone();
        for _ in 0..rng() % 4 {
            let at = (rng() % bytes.len() as u64) as usize;
            bytes[at] = if rng().is_multiple_of(2) { rng() as u8 } else { bytes[at] ^ 1 };
        }
        for kind in [ValueKind::Set, ValueKind::SetIntset, ValueKind::SetListpack] {
            let Ok(set) = read(kind, &bytes) else { continue };
            loaded += 1;
            for version in [10, 11] {
                let form = super::kind(set.view(), version);
                assert_eq!(read(form, &written(&set, version)).expect("our own bytes"), set);
            }
        }
    }
    assert!(loaded > 10_000, "{loaded}");
}
