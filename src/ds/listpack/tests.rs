//! The listpack: golden bytes, a vector as oracle under a million edits, and hostile bytes.

use super::*;
use crate::ds::wheel::tests::rng;

fn pack(elements: &[&[u8]]) -> Listpack {
    let mut lp = Listpack::new();
    elements.iter().for_each(|e| lp.push_back(e));
    lp
}

fn backwards(lp: &Listpack) -> impl Iterator<Item = Item<'_>> {
    let view = lp.view();
    std::iter::successors(view.last(), move |&pos| view.prev(pos)).map(move |pos| view.get(pos))
}

fn texts(lp: &Listpack) -> Vec<Vec<u8>> {
    lp.iter().map(Item::to_vec).collect()
}

/// The golden bytes pin the RDB contract, not this implementation.
#[test]
fn bytes_match_the_format() {
    assert_eq!(
        pack(&[b"1", b"ab"]).as_bytes(),
        [13, 0, 0, 0, 2, 0, 1, 1, 0x82, b'a', b'b', 3, 0xFF]
    );
    assert_eq!(pack(&[b"-1"]).as_bytes()[6..9], [0xDF, 0xFF, 2]);
    assert_eq!(pack(&[b"4096"]).as_bytes()[6..10], [0xF1, 0x00, 0x10, 3]);
    assert_eq!(pack(&[b"4095"]).as_bytes()[6..9], [0xCF, 0xFF, 2]);
    assert_eq!(pack(&[b"-4096"]).as_bytes()[6..9], [0xD0, 0, 2]);
}

#[test]
fn elements_of_every_size_go_both_ways() {
    let mut model: Vec<Vec<u8>> = Vec::new();
    for len in [0, 1, 63, 64, 125, 126, 127, 4095, 4096, 16_377, 16_378, 16_382, 20_000] {
        model.push(vec![b'x'; len]);
    }
    for bits in [0, 7, 12, 13, 15, 16, 23, 24, 31, 32, 62] {
        for n in [(1_i64 << bits) - 1, -(1 << bits), -(1 << bits) - 1, i64::MIN, i64::MAX] {
            model.push(n.to_string().into());
        }
    }
    let lp = pack(&model.iter().map(|e| &e[..]).collect::<Vec<_>>());
    assert_eq!(texts(&lp), model);
    let mut reversed: Vec<_> = backwards(&lp).map(Item::to_vec).collect();
    reversed.reverse();
    assert_eq!(reversed, model);
    for element in &model {
        let one = pack(&[element]);
        assert_eq!(one.bytes_len(), EMPTY_BYTES + encoded_bytes(element));
    }
    assert_eq!(Listpack::from_untrusted(lp.as_bytes().to_vec()), Ok(lp));
}

#[test]
fn edits_agree_with_a_vector() {
    let mut rng = rng(5);
    let mut lp = Listpack::new();
    let mut model: Vec<Vec<u8>> = Vec::new();
    let rounds = if cfg!(miri) { 2_000 } else { 1_000_000 };
    for round in 0..rounds {
        let element = match rng() % 8 {
            0..3 => ((rng() as i64) >> (rng() % 64)).to_string().into_bytes(),
            3..7 => vec![b'a' + (rng() % 26) as u8; (rng() % 80) as usize],
            _ if round % 500 == 0 => vec![b'L'; (rng() % 20_000) as usize],
            _ => Vec::new(),
        };
        let n = model.len();
        let index = if n == 0 { 0 } else { (rng() % n as u64) as usize };
        let pos = lp.at(index as i64);
        assert_eq!(pos.is_some(), n > 0);
        match (rng() % 12, pos) {
            (0..2, _) if n < 60 => {
                lp.push_back(&element);
                model.push(element);
            }
            (2, _) if n < 60 => {
                lp.push_front(&element);
                model.insert(0, element);
            }
            (3, Some(pos)) if n < 60 => {
                let at = lp.insert_before(pos, &element);
                assert_eq!(lp.get(at).to_vec(), element);
                model.insert(index, element);
            }
            (4, Some(pos)) if n < 60 => {
                let at = lp.insert_after(pos, &element);
                assert_eq!(lp.get(at).to_vec(), element);
                model.insert(index + 1, element);
            }
            (5, Some(pos)) => {
                lp.replace(pos, &element);
                model[index] = element;
            }
            (6..8, Some(pos)) => {
                let next = lp.remove(pos);
                model.remove(index);
                assert_eq!(next.map(|p| lp.get(p).to_vec()), model.get(index).cloned());
            }
            (8, Some(pos)) => {
                let count = (rng() % 4) as usize;
                lp.remove_from(pos, count);
                model.drain(index..(index + count).min(n));
            }
            (9, Some(pos)) => {
                let tail = lp.split_off(pos);
                assert_eq!(texts(&tail), model[index..]);
                assert_eq!(lp.len(), index);
                lp.append(&tail);
            }
            (10, Some(_)) => {
                let needle = Needle::new(&model[index]);
                let found = lp.view().find(lp.view().first(), &needle, 1).expect("it is there");
                assert_eq!(lp.get(found).to_vec(), model[index]);
                let step =
                    lp.view().find(lp.view().first(), &needle, 2).map(|p| lp.get(p).to_vec());
                let expected = model.iter().step_by(2).find(|e| **e == model[index]);
                assert_eq!(step.as_ref(), expected);
            }
            _ => {
                let from_end = lp.at(index as i64 - n as i64);
                assert_eq!(from_end, pos);
                assert_eq!(lp.at(n as i64), None);
                assert_eq!(lp.at(-(n as i64) - 1), None);
            }
        }
        assert_eq!(lp.len(), model.len());
        if round % 97 == 0 {
            let again = ListpackRef::new(lp.view().entries(), lp.len());
            assert_eq!((again.to_vec(), again.len()), (lp.as_bytes().to_vec(), lp.len()));
            assert_eq!(texts(&lp), model);
            assert_eq!(lp.validate(), Ok(()));
        }
    }
}

#[test]
fn many_elements_are_counted_by_walking() {
    let mut lp = Listpack::new();
    for i in 0..70_000 {
        lp.push_back_int(i % 100);
    }
    assert_eq!(lp.len(), 70_000);
    assert_eq!(lp.at(-1).map(|p| lp.get(p)), Some(Item::Int(99)));
    assert_eq!(lp.at(65_600).map(|p| lp.get(p)), Some(Item::Int(0)));
    let middle = lp.at(100).expect("there");
    let tail = lp.split_off(middle);
    assert_eq!((lp.len(), tail.len()), (100, 69_900));
    lp.append(&tail);
    assert_eq!(lp.len(), 70_000);
    assert_eq!(lp.validate(), Ok(()));
}

/// No single-byte corruption or truncation may panic; it is an error or another valid list.
#[test]
fn untrusted_bytes_never_panic() {
    let good = pack(&[b"1", b"abc", b"-5000", &[b'x'; 70], &[b'y'; 130]]).as_bytes().to_vec();
    for at in 0..good.len() {
        assert_eq!(Listpack::from_untrusted(good[..at].to_vec()), Err(Corrupt));
        for byte in 0..=255 {
            let mut bad = good.clone();
            bad[at] = byte;
            if let Ok(lp) = Listpack::from_untrusted(bad) {
                lp.iter().for_each(drop);
                backwards(&lp).for_each(drop);
            }
        }
    }
}

#[test]
fn what_may_go_into_one() {
    const GIB: usize = 1 << 30;
    assert!(may_grow(0, GIB) && may_grow(EMPTY_BYTES, GIB - EMPTY_BYTES));
    assert!(!may_grow(0, GIB + 1) && !may_grow(EMPTY_BYTES, GIB) && !may_grow(1, usize::MAX));
    let lp = Listpack::new();
    let most = u32::MAX as usize - EMPTY_BYTES - OVERHEAD_MAX;
    assert!(lp.has_room(most) && !lp.has_room(most + 1) && !lp.has_room(usize::MAX));
    for (min, max) in [(0, 5), (-3, 127), (-1, 200), (0, 1 << 20), (-5, i64::MAX)] {
        let mut lp = Listpack::new();
        let widest = if int_bytes(min) > int_bytes(max) { min } else { max };
        (0..9).for_each(|_| lp.push_back_int(widest));
        assert_eq!(bytes_of_ints(9, min, max), lp.bytes_len());
    }
}
