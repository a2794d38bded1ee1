//! The quicklist against a deque of texts, for all fills, depths and sizes of elements.

use super::*;
use crate::ds::wheel::tests::rng;
use std::collections::VecDeque;

fn texts(list: &Quicklist) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    list.walk(0, End::Front, &mut |item| {
        all.push(item.to_vec());
        true
    });
    all
}

#[test]
fn limits_are_those_of_redis() {
    let of = NodeLimit::of;
    assert!(of(-1).exceeded_by(4097, 1) && !of(-1).exceeded_by(4096, 100_000));
    assert!(of(-5).exceeded_by(65_537, 1) && !of(-77).exceeded_by(65_536, 1));
    assert!(of(0).exceeded_by(10, 2) && !of(0).exceeded_by(10, 1));
    assert!(of(100).exceeded_by(10, 101) && of(100).exceeded_by(8193, 1));
    assert!(of(-2).allows_row(4096, 1, true) && !of(-2).allows_row(4097, 1, true));
    assert!(of(5).allows_row(100_000, 2, true) && !of(5).allows_row(10, 3, true));
    assert!(of(5).allows_row(10, 5, false));
}

#[test]
fn two_million_items_take_the_memory_they_should() {
    let mut list = Quicklist::new(Shape::default());
    for i in 0..200_000 {
        list.push(End::Back, format!("item:{i:010}").as_bytes(), PLAIN_FROM);
    }
    // Redis: 17 bytes each, and 32 for a node of 481.
    let redis = 200_000.0 * (8192.0 + 32.0) / 481.0;
    let ratio = list.mem_bytes(0) as f64 / redis;
    assert!(ratio < 0.95, "{ratio}");
}

#[test]
fn both_ends_work_through_many_nodes() {
    for (first, last) in [(End::Front, End::Back), (End::Back, End::Front)] {
        let mut list = Quicklist::new(Shape { fill: -1, depth: 1, plain_from: PLAIN_FROM });
        for i in 0..5_000 {
            list.push(first, format!("{i} {}", "x".repeat(i % 50)).as_bytes(), PLAIN_FROM);
        }
        list.check();
        for i in 0..5_000 {
            let want = format!("{i} {}", "x".repeat(i % 50));
            assert_eq!(list.end(last), Some(Item::Str(want.as_bytes())));
            list.pop(last);
        }
        assert!(list.is_empty() && list.node_count() == 0);
    }
}

fn agree(seed: u64, shape: Shape, rounds: usize, most: usize) {
    let mut rng = rng(seed);
    let mut list = Quicklist::new(shape);
    let mut model: VecDeque<Vec<u8>> = VecDeque::new();
    let plain = shape.plain_from;
    for round in 0..rounds {
        let text = match rng() % 16 {
            0..4 => ((rng() as i64) >> (rng() % 64)).to_string().into_bytes(),
            4..10 => format!("item{:04}", rng() % 100).into_bytes(),
            10 => vec![b'p'; (rng() % 400) as usize],
            _ => vec![b'a' + (rng() % 4) as u8; (rng() % 60) as usize],
        };
        let n = model.len();
        let index = if n == 0 { 0 } else { (rng() % n as u64) as usize };
        let from = if rng().is_multiple_of(2) { End::Front } else { End::Back };
        // Grows for some time, then shrinks.
        let growing = round / 10_000 % 2 == 0;
        match rng() % 24 {
            0..4 if n < most => {
                list.push(End::Back, &text, plain);
                model.push_back(text);
            }
            4..8 if n < most => {
                list.push(End::Front, &text, plain);
                model.push_front(text);
            }
            8 if n > 0 && n < most => {
                list.insert(index, Side::Before, &text, plain);
                model.insert(index, text);
            }
            9 if n > 0 && n < most => {
                list.insert(index, Side::After, &text, plain);
                model.insert(index + 1, text);
            }
            10 if n > 0 => {
                list.replace(index, &text, plain);
                model[index] = text;
            }
            11..15 if n > 0 && !(growing && rng().is_multiple_of(2)) => match from {
                End::Front => {
                    assert_eq!(list.end(from).map(Item::to_vec), model.pop_front());
                    list.pop(from);
                }
                End::Back => {
                    assert_eq!(list.end(from).map(Item::to_vec), model.pop_back());
                    list.pop(from);
                }
            },
            15 if n > 0 => {
                let most = if growing { 3 } else { 40 };
                let some = (rng() % most).min((n - index) as u64) as usize;
                list.remove(index, some);
                model.drain(index..index + some);
            }
            16 if n > 0 && rng().is_multiple_of(4) => {
                let max = (rng() % 3) as usize + 1;
                let text = model[index].clone();
                let mut hits: Vec<usize> = (0..n).filter(|&i| model[i] == text).collect();
                if from == End::Back {
                    hits.reverse();
                }
                hits.truncate(max);
                hits.sort_unstable_by(|a, b| b.cmp(a));
                assert_eq!(list.remove_equal(&Needle::new(&text), max, from), hits.len());
                hits.iter().for_each(|&i| drop(model.remove(i)));
            }
            17 if n > 0 => {
                let mut seen = 0;
                list.walk(index, from, &mut |item| {
                    let at = if from == End::Front { index + seen } else { index - seen };
                    assert_eq!(item.to_vec(), model[at]);
                    seen += 1;
                    seen < 5
                });
                let there = if from == End::Front { n - index } else { index + 1 };
                assert_eq!(seen, there.min(5));
            }
            _ => {}
        }
        assert_eq!(list.len(), model.len());
        if round % 997 == 0 {
            list.check();
            assert!(texts(&list).iter().eq(model.iter()), "round {round}");
        }
    }
}

#[test]
fn edits_agree_with_a_deque() {
    let rounds = if cfg!(miri) { 500 } else { 100_000 };
    let mut seed = 1;
    for fill in [-2, -1, 1, 5, 100] {
        for (depth, plain_from) in [(0, PLAIN_FROM), (0, 50), (1, PLAIN_FROM), (2, 50)] {
            // Compressing is slow.
            let rounds = if depth > 0 { rounds / 4 } else { rounds };
            agree(seed, Shape { fill, depth, plain_from }, rounds, 1_000);
            seed += 1;
        }
    }
}

#[test]
fn rows_of_a_snapshot_are_joined_only_beyond_the_limit() {
    let row = |n: usize| {
        let mut row = Pack::with_room(0);
        (0..n).for_each(|i| row.push(End::Back, &Element::new(format!("i{i:05}").as_bytes())));
        row
    };
    let mut list = Quicklist::new(Shape::default());
    list.append_row(row(10));
    list.append_row(row(10));
    assert_eq!((list.node_count(), list.len()), (2, 20));
    let mut list = Quicklist::new(Shape::default());
    (0..8).for_each(|_| list.append_row(row(1_000)));
    assert_eq!((list.node_count(), list.len()), (7, 8_000));
    list.check();
    list.append_plain(b"alone"[..].into());
    list.append_row(Pack::with_room(0));
    assert_eq!((list.node_count(), list.len()), (8, 8_001));
    list.check();
}

/// What becomes of an element whose node has no room for another in its place, as it is beside 4
/// GiB.
#[test]
fn an_element_can_be_replaced_by_a_node_of_its_own() {
    for (fill, depth) in [(-2, 0), (3, 0), (3, 1), (2, 2)] {
        for index in 0..12 {
            let mut list = Quicklist::new(Shape { fill, depth, ..Shape::default() });
            let mut want: Vec<Vec<u8>> =
                (0..12).map(|i| format!("element {i} ").repeat(100).into_bytes()).collect();
            want.iter().for_each(|text| list.push(End::Back, text, PLAIN_FROM));
            let (k, i) = list.locate(index);
            list.nodes[k].unpack();
            list.replace_by_node(k, i, Node::sole(&Element::new(b"another")));
            want[index] = b"another".to_vec();
            assert_eq!(texts(&list), want);
            list.check();
        }
    }
}
