//! The tree and the table on it against a hash map and a set that sorts itself.

use super::table::SortedTable;
use super::*;
use crate::ds::wheel::tests::rng;
use crate::util::siphash::Seed;
use std::collections::{BTreeSet, HashMap};

/// A score that orders as its number does.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Score(f64);
impl Eq for Score {}
impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Score) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Score {
    fn cmp(&self, other: &Score) -> std::cmp::Ordering {
        self.0.partial_cmp(&other.0).expect("no NaN")
    }
}

/// A sorted set as anybody would write it.
#[derive(Default)]
struct Model {
    scores: HashMap<Vec<u8>, f64>,
    sorted: BTreeSet<(Score, Vec<u8>)>,
}

impl Model {
    fn set(&mut self, member: &[u8], score: f64) {
        self.remove(member);
        self.scores.insert(member.to_vec(), score);
        self.sorted.insert((Score(score), member.to_vec()));
    }
    fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let score = self.scores.remove(member)?;
        self.sorted.remove(&(Score(score), member.to_vec()));
        Some(score)
    }
    fn all(&self) -> Vec<(&[u8], f64)> {
        self.sorted.iter().map(|(score, member)| (member.as_slice(), score.0)).collect()
    }
}

fn new() -> SortedTable {
    SortedTable::new(Seed([7, 8]))
}

/// Ranks, ranges and cuts at random places.
fn compare(table: &SortedTable, model: &Model, rng: &mut impl FnMut() -> u64) {
    table.check();
    let all = model.all();
    assert_eq!(table.len(), all.len());
    assert_eq!(table.ascend(0, usize::MAX).collect::<Vec<_>>(), all);
    let down: Vec<_> = table.descend(all.len().wrapping_sub(1), usize::MAX).collect();
    assert!(down.iter().eq(all.iter().rev()));
    for _ in 0..50.min(all.len()) {
        let (i, n) = (rng() as usize % all.len(), rng() as usize % 200);
        let (member, score) = all[i];
        assert_eq!(table.rank(member), Some((i, score)));
        assert_eq!(table.at_rank(i), Some(all[i]));
        assert!(table.ascend(i, n).eq(all[i..].iter().take(n).copied()));
        assert!(table.descend(i, n).eq(all[..=i].iter().rev().take(n).copied()));
        for behind in [false, true] {
            let by_score = all.partition_point(|x| x.1 < score || behind && x.1 == score);
            assert_eq!(table.count_before(&AtScore { score, behind }), by_score);
            let cut = AtElement { score, member, behind };
            assert_eq!(table.count_before(&cut), i + usize::from(behind));
        }
        let missing = AtElement { score, member: b"m~", behind: false };
        let place = all.partition_point(|x| x.1 < score || x.1 == score && x.0 < &b"m~"[..]);
        assert_eq!(table.count_before(&missing), place);
    }
    assert_eq!(table.count_before(&End::Back), all.len());
    assert_eq!(table.count_before(&End::Front), 0);
    assert_eq!(table.ascend(all.len(), 5).count() + table.descend(all.len(), 5).count(), 0);
}

#[test]
fn a_million_operations_agree_with_a_model() {
    let mut rng = rng(11);
    let rounds = if cfg!(miri) { 3_000 } else { 1_000_000u64 };
    let (mut table, mut model) = (new(), Model::default());
    for round in 0..rounds {
        // The size swings between nothing and some ten thousand.
        let growing = (round / 100_000).is_multiple_of(2);
        let span = if round.is_multiple_of(7) { 50 } else { 12_000 };
        let member = format!("m{}", rng() % span).into_bytes();
        let score = match rng() % 4 {
            0 => (rng() % 10) as f64,
            1 => f64::from_bits(rng() >> 2) * if rng().is_multiple_of(2) { 1.0 } else { -1.0 },
            2 => [f64::INFINITY, f64::NEG_INFINITY, 0.0][(rng() % 3) as usize],
            _ => (rng() % 100_000) as f64 / 8.0,
        };
        match rng() % 16 {
            0..=2 => assert_eq!(table.remove(&member), model.remove(&member)),
            3 => {
                let at = rng() as usize % (table.len() + 2);
                let n = rng() as usize % if growing { 4 } else { 40 };
                let expected: Vec<(Vec<u8>, f64)> =
                    model.sorted.iter().skip(at).take(n).map(|x| (x.1.clone(), x.0.0)).collect();
                let mut seen = Vec::new();
                let removed = table.remove_range(at, n, |m, s| seen.push((m.to_vec(), s)));
                assert_eq!((removed, &seen), (expected.len(), &expected));
                expected.iter().for_each(|(member, _)| assert!(model.remove(member).is_some()));
            }
            4 if !growing => {}
            5 => {
                let old = table.change(&member, |old| (old.map(|s| s + 1.0), old));
                assert_eq!(old, model.scores.get(&member).copied());
                if let Some(old) = old {
                    model.set(&member, old + 1.0);
                }
            }
            _ => {
                let old = table.change(&member, |old| (Some(score), old));
                assert_eq!(old, model.scores.get(&member).copied());
                model.set(&member, score);
            }
        }
        if round % 20_000 == 19_999 {
            compare(&table, &model, &mut rng);
        }
    }
    let copy = table.duplicate();
    compare(&copy, &model, &mut rng);
    assert_eq!(table.remove_range(0, usize::MAX, |_, _| {}), model.scores.len());
    compare(&table, &Model::default(), &mut rng);
}

#[test]
fn members_of_one_score_are_sorted_by_the_alphabet() {
    let (mut table, mut model) = (new(), Model::default());
    let mut rng = rng(12);
    for _ in 0..20_000 {
        let member = format!("m{}", rng() % 100_000).into_bytes();
        table.change(&member, |_| (Some(3.0), ()));
        model.set(&member, 3.0);
    }
    compare(&table, &model, &mut rng);
    let all = model.all();
    for _ in 0..1_000 {
        let member = format!("m{}", rng() % 100_000).into_bytes();
        for behind in [false, true] {
            let cut = AtMember { member: &member, behind };
            let place = all.partition_point(|x| x.0 < &member[..] || behind && x.0 == &member[..]);
            assert_eq!(table.count_before(&cut), place);
        }
    }
}

/// Bytes of the tree for an element, when a hundred thousand come in an order.
fn bytes_each(score: impl Fn(u64) -> f64) -> f64 {
    const N: u64 = 100_000;
    let mut table = new();
    for i in 0..N {
        table.change(&i.to_le_bytes(), |_| (Some(score(i)), ()));
    }
    table.check();
    table.tree.mem_bytes() as f64 / N as f64
}

#[test]
fn leaves_are_full_after_inserts_in_order_and_well_filled_after_any() {
    let up = bytes_each(|i| i as f64);
    let down = bytes_each(|i| -(i as f64));
    let random = bytes_each(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11) as f64);
    println!("bytes an element: {up:.2} {down:.2} {random:.2}");
    assert!(up < 6.6 && down < 6.6 && random < 8.3);
}

#[test]
fn leaves_stay_filled_while_scores_change() {
    const N: u64 = 50_000;
    let (mut table, mut rng) = (new(), rng(13));
    for i in 0..N {
        table.change(&i.to_le_bytes(), |_| (Some(rng() as f64), ()));
    }
    for _ in 0..6 * N {
        let i = rng() % N;
        table.change(&i.to_le_bytes(), |_| (Some(rng() as f64), ()));
    }
    table.check();
    let each = table.tree.mem_bytes() as f64 / N as f64;
    println!("bytes an element: {each:.2}");
    assert!(each < 9.5);
}
