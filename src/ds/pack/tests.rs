//! The row against a vector of texts, in both forms and at both ends.

use super::*;
use crate::ds::wheel::tests::rng;

fn texts(row: &Pack) -> Vec<Vec<u8>> {
    row.iter().map(Item::to_vec).collect()
}

fn row(elements: &[&str]) -> Pack {
    let mut row = Pack::with_room(0);
    elements.iter().for_each(|e| row.push(End::Back, &Element::new(e.as_bytes())));
    row
}

#[test]
fn elements_of_one_size_carry_no_backlen() {
    let even = row(&["abc", "def", "ghi"]);
    assert_eq!((even.used(), even.listpack_bytes()), (12, 22));
    assert_eq!(even.bytes_with(&Element::new(b"xyz")), HEADER + 16);
    assert_eq!(even.bytes_with(&Element::new(b"xy")), 22 + 2 + 8);
    let uneven = row(&["abc", "def", "gh"]);
    assert_eq!((uneven.used(), uneven.listpack_bytes()), (14, 21));
    even.check();
    uneven.check();
}

#[test]
fn the_listpack_is_the_one_that_redis_has() {
    for elements in [&["1", "2"][..], &["1", "abc", "-5", "70000"], &["abc", "xyz"], &[]] {
        let mut lp = Listpack::new();
        elements.iter().for_each(|e| lp.push_back(e.as_bytes()));
        let mut bytes = Vec::new();
        row(elements).write_listpack(&mut bytes);
        assert_eq!(bytes, lp.as_bytes());
        let back = Pack::from_listpack(&lp);
        assert_eq!(back, row(elements));
        assert_eq!(back.used(), row(elements).used());
    }
}

#[test]
fn a_queue_is_seldom_moved() {
    let mut row = Pack::with_room(0);
    let texts: Vec<String> = (0..10_000).map(|i| format!("job:{i:06}")).collect();
    let mut moves = 0;
    for (i, text) in texts.iter().enumerate() {
        let before = (row.start(), row.buf.as_ptr());
        row.push(End::Front, &Element::new(text.as_bytes()));
        moves += usize::from(row.start() > before.0 || row.buf.as_ptr() != before.1);
        if i >= 100 {
            let oldest = texts[i - 100].as_bytes();
            assert_eq!(row.end(End::Back), Some(Item::Str(oldest)));
            row.pop(End::Back);
        }
    }
    assert!(moves < 2000, "{moves} moves");
    assert!(row.mem_bytes() <= 2048, "{}", row.mem_bytes());
}

#[test]
fn edits_agree_with_a_vector() {
    let mut rng = rng(77);
    let mut row = Pack::with_room(0);
    let mut model: Vec<Vec<u8>> = Vec::new();
    let rounds = if cfg!(miri) { 2_000 } else { 1_000_000 };
    for round in 0..rounds {
        // For a while only one size, then any.
        let text = match (round / 5_000 % 2, rng() % 20) {
            (0, _) => format!("item{:04}", rng() % 10_000).into_bytes(),
            (_, 0..8) => ((rng() as i64) >> (rng() % 64)).to_string().into_bytes(),
            (_, 19) if round % 500 == 0 => vec![b'L'; (rng() % 20_000) as usize],
            _ => vec![b'a' + (rng() % 4) as u8; (rng() % 90) as usize],
        };
        let element = Element::new(&text);
        let n = model.len();
        let index = if n == 0 { 0 } else { (rng() % n as u64) as usize };
        match rng() % 16 {
            0..2 if n < 80 => {
                row.push(End::Back, &element);
                model.push(text);
            }
            2..4 if n < 80 => {
                row.push(End::Front, &element);
                model.insert(0, text);
            }
            4 if n < 80 => {
                row.insert(index, &element);
                model.insert(index, text);
            }
            5 if n > 0 => {
                row.replace(index, &element);
                model[index] = text;
            }
            6 if n > 0 => {
                assert_eq!(
                    row.iter_from(index).next().map(Item::to_vec).as_ref(),
                    model.get(index)
                );
            }
            7..9 if n > 0 => {
                assert_eq!(row.end(End::Back).map(Item::to_vec), model.last().cloned());
                row.pop(End::Back);
                model.pop();
            }
            9..11 if n > 0 => {
                assert_eq!(row.end(End::Front).map(Item::to_vec), model.first().cloned());
                row.pop(End::Front);
                model.remove(0);
            }
            11 if n > 0 => {
                let some = (rng() % 4).min((n - index) as u64) as usize;
                row.remove(index, some);
                model.drain(index..index + some);
            }
            12 if n > 0 => {
                let max = (rng() % 3) as usize + 1;
                let text = model[index].clone();
                let needle = Needle::new(&text);
                let from = if rng().is_multiple_of(2) { End::Front } else { End::Back };
                let mut hits: Vec<usize> = (0..n).filter(|&i| model[i] == text).collect();
                if from == End::Back {
                    hits.reverse();
                }
                hits.truncate(max);
                hits.sort_unstable_by(|a, b| b.cmp(a));
                assert_eq!(row.remove_equal(&needle, max, from), hits.len());
                hits.iter().for_each(|&i| drop(model.remove(i)));
            }
            13 if n > 1 && rng().is_multiple_of(8) => {
                let tail = row.split_off(index);
                tail.check();
                assert_eq!(texts(&tail), model[index..]);
                row.append(&tail);
            }
            14 => {
                let backwards: Vec<_> = row.iter_back_from(n).map(Item::to_vec).collect();
                assert!(backwards.iter().eq(model.iter().rev()));
                let rest: Vec<_> = row.iter_from(index).map(Item::to_vec).collect();
                assert_eq!(rest, model[index..]);
            }
            15 if rng().is_multiple_of(64) => row.shrink(),
            _ => {}
        }
        assert_eq!(row.len(), model.len());
        if round % 97 == 0 {
            row.check();
            assert_eq!(texts(&row), model);
        }
    }
}
