//! Entries of every size and kind: what goes in comes out, through any sequence of changes.

use super::*;
use crate::ds::pack::End;
use crate::ds::quicklist::Shape;
use crate::value::Collection;
use crate::value::list::List;
use crate::value::string::IntText;

fn lengths() -> impl Iterator<Item = usize> {
    let near = [44, 64, 128, 255, 256, 300, INLINE_MAX, 1024, 65_535, 65_536, 70_000];
    (0..40).chain(near.into_iter().flat_map(|n| n - 1..=n + 1))
}

fn bytes(n: usize, salt: u8) -> Vec<u8> {
    (0..n).map(|i| (i as u8).wrapping_mul(31).wrapping_add(salt) | 0x80).collect()
}

const TIMES: [Option<i64>; 8] = [
    None,
    Some(0),
    Some(1_700_000_000_000),
    Some(-1),
    Some((1 << 47) - 1),
    Some(1 << 47),
    Some(i64::MIN),
    Some(i64::MAX),
];

const INTS: [i64; 18] = [
    0,
    1,
    -1,
    255,
    256,
    65_535,
    65_536,
    (1 << 24) - 1,
    1 << 24,
    -(1 << 24),
    i32::MAX as i64,
    i32::MAX as i64 + 1,
    i32::MIN as i64,
    i32::MIN as i64 - 1,
    1 << 40,
    -(1 << 40),
    i64::MAX,
    i64::MIN,
];

#[test]
fn every_size_of_key_and_value_comes_back() {
    for key_len in lengths() {
        let key = bytes(key_len, 1);
        for (i, value_len) in lengths().enumerate() {
            let (value, time) = (bytes(value_len, 2), TIMES[i % TIMES.len()]);
            let entry = EntryBox::new(&key, SetValue::Bytes(&value), time, 0xabcdef);
            assert_eq!(entry.key(), key);
            assert_eq!(entry.value(), ValueRef::Str(&value));
            assert_eq!(entry.expire_ms(), time);
            assert_eq!(entry.lru(), 0xabcdef);
            assert_eq!(entry.value_type(), Type::String);
            let enc = if value_len <= 44 { Encoding::Embstr } else { Encoding::Raw };
            assert_eq!(entry.encoding(), enc);
            assert!(entry.mem_bytes(0) >= key_len + value_len);
        }
    }
}

/// The header alone, for keys that are too long to be made here.
#[test]
fn keys_of_any_length_fit_the_header() {
    let border = u32::MAX as usize;
    for key_len in [0, 255, 256, border - 1, border, border + 1, (1 << 47) - 1, (1 << 48) - 1] {
        for (time, kind) in TIMES.iter().zip([Kind::Raw, Kind::Int8].into_iter().cycle()) {
            let shape = layout::Shape::new(kind, key_len, 300, *time);
            let mut room = [0_u64; 8];
            room.as_mut_ptr().expose_provenance(); // E3
            let entry = NonNull::from(&mut room).cast();
            // It owns nothing, so it is not dropped; only its header is written and read, which is
            // there.
            let mut entry = std::mem::ManuallyDrop::new(EntryBox(entry));
            // SAFETY: made for this shape.
            unsafe { entry.write_header(shape, *time) };
            assert_eq!((entry.key_len(), entry.head()), (key_len, shape.head()));
            assert_eq!((entry.kind(), entry.expire_ms()), (kind, *time));
            assert_eq!(entry.value_at(), shape.head() + key_len);
            assert!(kind != Kind::Raw || entry.value_bytes() == 300);
            assert!(shape.head() <= size_of_val(&room));
        }
    }
}

/// Takes 13 GB of memory: REDUST_LARGE_MEMORY=1 cargo test --release --lib huge -- --test-threads 1
#[test]
fn a_huge_key_comes_back() {
    if std::env::var_os("REDUST_LARGE_MEMORY").is_none() {
        return;
    }
    let key = vec![b'k'; (1 << 32) + 3];
    let mut entry = EntryBox::new(&key, SetValue::Bytes(b"value"), None, 7);
    assert!(entry.key() == key && entry.value() == ValueRef::Str(b"value"));
    entry.set_expire(Some(5));
    entry.append(b" and more");
    assert!(entry.key() == key && entry.value() == ValueRef::Str(b"value and more"));
    assert_eq!((entry.expire_ms(), entry.lru()), (Some(5), 7));
}

#[test]
fn integers_of_every_width_come_back() {
    for int in INTS {
        for time in TIMES {
            let text = int.to_string();
            for value in [SetValue::Int(int), SetValue::Bytes(text.as_bytes())] {
                let entry = EntryBox::new(b"key", value, time, 0);
                assert_eq!(entry.value(), ValueRef::Int(int));
                assert_eq!(entry.encoding(), Encoding::Int);
                assert_eq!(entry.expire_ms(), time);
            }
        }
    }
}

#[test]
fn the_sizes_that_were_promised() {
    let size = |value: &[u8], expire| {
        EntryBox::new(b"key:000000000123", SetValue::Bytes(value), expire, 0).mem_bytes(0)
    };
    let soon = Some(1_900_000_000_000);
    assert_eq!(size(b"val:000000000123", None), 40);
    assert_eq!(size(b"val:000000000123", soon), 48);
    assert_eq!(size(b"16777215", None), 24);
    assert_eq!(size(b"16777215", soon), 40);
    assert_eq!(size(&[b'x'; 100], None), 128);
}

#[test]
fn classes_are_those_of_the_allocator() {
    let expect = [
        (1, 8),
        (8, 8),
        (9, 16),
        (40, 40),
        (41, 48),
        (64, 64),
        (65, 80),
        (81, 96),
        (128, 128),
        (129, 160),
        (161, 192),
        (257, 320),
        (512, 512),
        (513, 640),
        (1_025, 1_280),
    ];
    for (bytes, size) in expect {
        assert_eq!(class(bytes), size, "{bytes}");
    }
}

#[test]
fn reported_encoding_is_kept_apart_from_the_storage() {
    let of = |value| EntryBox::new(b"k", value, None, 0).encoding();
    assert_eq!(of(SetValue::Text(b"12")), Encoding::Embstr);
    assert_eq!(of(SetValue::Owned(Value::Str(StrBuf::raw(b"12".to_vec())))), Encoding::Raw);
    assert_eq!(of(SetValue::Owned(Value::Str(StrBuf::text(b"ab".to_vec())))), Encoding::Embstr);
    let mut entry = EntryBox::new(b"k", SetValue::Bytes(b"ab"), None, 0);
    entry.append(b"c");
    assert_eq!((entry.value(), entry.encoding()), (ValueRef::Str(b"abc"), Encoding::Raw));
    let value = entry.into_value();
    assert_eq!(value, Value::Str(StrBuf::raw(b"abc".to_vec())));
}

fn push(list: &mut List, texts: &[&str]) {
    list.push(End::Back, texts.iter().map(|t| t.as_bytes()), Shape::default());
}

fn list(texts: &[&str]) -> Value {
    let mut list = List::with_room(0);
    push(&mut list, texts);
    Value::Object(Box::new(list.into_object()))
}

#[test]
fn collections_are_owned_once() {
    let probe = || list(&["1", "2", "3"]);
    let mut entry = EntryBox::new(b"k", SetValue::Owned(probe()), Some(5), 0);
    assert_eq!((entry.value_type(), entry.encoding()), (Type::List, Encoding::Listpack));
    assert!(entry.is_heavy());
    entry.set_expire(None);
    let old = entry.replace(Put::new(SetValue::Bytes(b"x")), None);
    assert_eq!(old, Some(probe()));
    assert_eq!(entry.value(), ValueRef::Str(b"x"));
    assert_eq!(entry.replace(Put::new(SetValue::Owned(probe())), None), None);
    assert_eq!(entry.into_value(), probe());
}

#[test]
fn incr_follows_the_rules() {
    let entry = |value: &str| EntryBox::new(b"k", SetValue::Text(value.as_bytes()), Some(9), 0);
    assert_eq!(entry("41").incr(1), Ok(42));
    assert_eq!(entry("041").incr(1), Err(IncrError::NotInteger));
    assert_eq!(entry("9223372036854775807").incr(1), Err(IncrError::Overflow));
    assert_eq!(entry("-9223372036854775808").incr(-1), Err(IncrError::Overflow));
    let mut object = EntryBox::new(b"k", SetValue::Owned(list(&[])), None, 0);
    assert_eq!(object.incr(1), Err(IncrError::WrongType));
    assert_eq!((object.append(b"x"), object.set_range(0, b"x")), (None, None));
    let mut e = entry("0");
    let mut sum = 0i64;
    for step in INTS.iter().filter(|&&i| i.unsigned_abs() < 1 << 60) {
        sum += step;
        assert_eq!(e.incr(*step), Ok(sum));
        assert_eq!((e.value(), e.expire_ms()), (ValueRef::Int(sum), Some(9)));
    }
}

/// Any sequence of changes, against a plain struct.
#[test]
fn random_changes_match_a_model() {
    let mut rng = crate::ds::wheel::tests::rng(12);
    let rounds = if cfg!(miri) { 20 } else { 1_500 };
    for _ in 0..rounds {
        let key = bytes((rng() % 300) as usize, 7);
        let mut time = TIMES[(rng() % 8) as usize];
        let mut lru = (rng() & 0xff_ffff) as u32;
        let mut text = bytes((rng() % 80) as usize, 3);
        let mut entry = EntryBox::new(&key, SetValue::Bytes(&text), time, lru);
        for _ in 0..40 {
            let size = [4, 30, 300, 700, 3_000][(rng() % 5) as usize];
            let new = bytes((rng() % size) as usize, rng() as u8);
            match rng() % 8 {
                0 => {
                    let int = INTS[(rng() % 18) as usize];
                    text = IntText::new(int).as_bytes().to_vec();
                    entry.replace(Put::new(SetValue::Int(int)), time);
                }
                1 => {
                    time = TIMES[(rng() % 8) as usize];
                    entry.replace(Put::new(SetValue::Bytes(&new)), time);
                    text = new;
                }
                2 => {
                    entry.replace(Put::new(SetValue::Owned(Value::from_bytes(new.clone()))), time);
                    text = new;
                }
                3 => {
                    time = TIMES[(rng() % 8) as usize];
                    entry.set_expire(time);
                }
                4 => {
                    lru = (rng() & 0xff_ffff) as u32;
                    entry.set_lru(lru);
                }
                5 => {
                    let at = (rng() % size) as usize;
                    if text.len() < at + new.len() {
                        text.resize(at + new.len(), 0);
                    }
                    text[at..at + new.len()].copy_from_slice(&new);
                    assert_eq!(entry.set_range(at, &new), Some(text.len()));
                    assert_eq!(entry.encoding(), Encoding::Raw);
                }
                _ => {
                    text.extend_from_slice(&new);
                    assert_eq!(entry.append(&new), Some(text.len()));
                    assert_eq!(entry.encoding(), Encoding::Raw);
                }
            }
            let seen = match entry.value() {
                ValueRef::Int(int) => IntText::new(int).as_bytes().to_vec(),
                ValueRef::Str(bytes) => bytes.to_vec(),
                ValueRef::Object(_) => panic!("no object was stored"),
            };
            assert_eq!(seen, text);
            assert_eq!(entry.key(), key);
            assert_eq!((entry.expire_ms(), entry.lru()), (time, lru));
        }
    }
}

#[test]
fn appending_is_amortised() {
    let mut entry = EntryBox::new(b"log", SetValue::Bytes(b"line"), None, 0);
    let mut moves = 0;
    let mut last = std::ptr::null();
    for _ in 0..200_000 {
        entry.append(b"0123456789");
        let ValueRef::Str(text) = entry.value() else { panic!() };
        moves += usize::from(text.as_ptr() != last);
        last = text.as_ptr();
    }
    assert!(moves < 100, "{moves} moves");
}
