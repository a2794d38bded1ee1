//! Both encodings against a map; the limits; the bytes of packed scores.

use super::*;
use crate::ds::ordered::AtScore;
use crate::ds::wheel::tests::rng;
use crate::value::ObjectRef;
use std::collections::BTreeMap;

fn limits(entries: usize) -> ZSetLimits {
    ZSetLimits { entries, value: 20, seed: Seed([3, 4]) }
}

fn elements(zset: &ZSet) -> Vec<(Vec<u8>, f64)> {
    let mut all = Vec::new();
    zset.view().each(|member, score| all.push((member.to_vec(), score)));
    all
}

#[test]
fn both_encodings_agree_with_a_map() {
    let mut rng = rng(5);
    let rounds = if cfg!(miri) { 2_000 } else { 300_000 };
    // The limit is crossed upwards now and then; an emptied set starts anew.
    let limits = limits(40);
    let (mut zset, mut model) = (ZSet::new(), BTreeMap::<Vec<u8>, f64>::new());
    for round in 0..rounds {
        let word = rng() % 60;
        let member = if word.is_multiple_of(3) { word.to_string() } else { format!("m{word}") };
        let member = member.into_bytes();
        let score = match rng() % 3 {
            0 => (rng() % 20) as f64,
            1 => (rng() % 1000) as f64 / 7.0,
            _ => [f64::INFINITY, f64::NEG_INFINITY, -0.0, 1e300, -5e-324][(rng() % 5) as usize],
        };
        match rng() % 8 {
            0..=3 => {
                let rule = AddRule {
                    greater: rng().is_multiple_of(8),
                    increment: rng().is_multiple_of(8),
                    ..AddRule::default()
                };
                let old = model.get(&member).copied();
                let sum = if rule.increment { old.unwrap_or(0.0) + score } else { score };
                let want = match old {
                    None => Ok(Added::New(score)),
                    Some(_) if sum.is_nan() => Err(NotANumber),
                    Some(old) if rule.greater && sum <= old => Ok(Added::Nothing),
                    Some(old) if sum == old => Ok(Added::Same(sum)),
                    Some(_) => Ok(Added::Changed(sum)),
                };
                assert_eq!(zset.add(&member, score, rule, &limits), want);
                if let Ok(Added::New(score) | Added::Changed(score)) = want {
                    model.insert(member, score);
                }
            }
            4..=6 => assert_eq!(zset.remove(&member), model.remove(&member).is_some()),
            _ => {
                let from = rng() as usize % 60;
                let n = rng() as usize % 3;
                let gone: Vec<_> = elements(&zset).into_iter().skip(from).take(n).collect();
                let mut seen = Vec::new();
                zset.remove_range(from, n, |member, score| seen.push((member.to_vec(), score)));
                assert_eq!(seen, gone);
                gone.iter().for_each(|(member, _)| assert!(model.remove(member).is_some()));
            }
        }
        if zset.is_empty() {
            zset = ZSet::new();
        }
        if round % 64 == 0 {
            let mut want: Vec<_> = model.iter().map(|(m, s)| (m.clone(), *s)).collect();
            want.sort_by(|a, b| a.1.partial_cmp(&b.1).unwrap().then_with(|| a.0.cmp(&b.0)));
            assert_eq!(elements(&zset), want);
            assert_eq!(zset.len(), want.len());
            let i = rng() as usize % 60;
            let mut down = Vec::new();
            zset.view().descend(i, 5, |member, score| down.push((member.to_vec(), score)));
            let upto = if i < want.len() { &want[..=i] } else { &[] };
            assert!(down.iter().eq(upto.iter().rev().take(5)));
            if let Some((member, score)) = want.get(i) {
                assert_eq!(zset.view().rank(member), Some((i, *score)));
                assert_eq!(zset.view().score(member), Some(*score));
                let before = want.partition_point(|x| x.1 <= *score);
                let cut = AtScore { score: *score, behind: true };
                assert_eq!(zset.view().count_before(&cut), before);
            }
            let mut unsorted = Unsorted::new(limits.seed, 0);
            want.iter().rev().for_each(|(m, s)| assert!(unsorted.add(m, *s, |_| 0.0)));
            assert_eq!(elements(&ZSet::from_unsorted(unsorted, &limits)), want);
            assert_eq!(zset.view().duplicate(0).view(), ObjectRef::ZSet(zset.view()));
        }
    }
}

#[test]
fn encodings_change_at_the_limits() {
    let limits = limits(3);
    let mut zset = ZSet::new();
    for member in [&b"a"[..], b"b", b"c"] {
        zset.add(member, 1.5, AddRule::default(), &limits).unwrap();
    }
    assert_eq!(zset.encoding(), Encoding::Listpack);
    let mut packed = [0; 20];
    zset.view().digest(&mut packed);
    zset.add(b"d", 1.0, AddRule::default(), &limits).unwrap();
    assert_eq!(zset.encoding(), Encoding::Skiplist);
    zset.remove(b"d");
    let mut table = [0; 20];
    zset.view().digest(&mut table);
    assert_eq!(packed, table);

    let mut long = ZSet::new();
    long.add(&[b'x'; 21], 1.0, AddRule::default(), &limits).unwrap();
    assert_eq!(long.encoding(), Encoding::Skiplist);
    assert_eq!(ZSet::for_adding(4, 1, &limits).encoding(), Encoding::Skiplist);
    assert_eq!(ZSet::for_adding(3, 21, &limits).encoding(), Encoding::Skiplist);
    assert_eq!(ZSet::for_adding(3, 20, &limits).encoding(), Encoding::Listpack);
}

#[test]
fn packed_scores_are_integers_where_they_can_be() {
    let limits = limits(10);
    let mut zset = ZSet::new();
    let scores = [-0.0, 1.0, 2.5, 1e17, 1e19, f64::INFINITY, 0.1 + 0.2];
    for (i, score) in scores.iter().enumerate() {
        zset.add(&[b'a' + i as u8], *score, AddRule::default(), &limits).unwrap();
    }
    let ZSet::Packed(lp) = &zset else { panic!("small") };
    let stored: Vec<Item<'_>> = lp.view().pairs().map(|(_, score)| score).collect();
    let text = |text: &'static str| Item::Str(text.as_bytes());
    let want = [
        Item::Int(0),
        text("0.30000000000000004"),
        Item::Int(1),
        text("2.5"),
        Item::Int(100_000_000_000_000_000),
        text("1e+19"),
        text("inf"),
    ];
    assert_eq!(stored, want);
}

#[test]
fn digests_are_those_of_redis() {
    let limits = limits(10);
    let mut zset = ZSet::new();
    zset.add(b"a", 1.0, AddRule::default(), &limits).unwrap();
    // What redis-server mixes in before the content: the type.
    let mut sum = [0; 20];
    digest::mix(&mut sum, &[0, 0, 0, 3]);
    zset.view().digest(&mut sum);
    assert_eq!(digest::hex(&sum), "430190c6ed5abafff87d97b4f51a92796ed05895");
}
