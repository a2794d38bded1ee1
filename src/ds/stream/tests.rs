//! Streams beside maps of the standard library; `REDUST_MODEL_OPS` says how many changes.

use super::block::Block;
use super::group::Group;
use super::id::Id;
use super::log::{NewId, NodeLimits, NotAdded, Trim};
use super::{Log, Stream};
use crate::ds::wheel::tests::rng;
use std::collections::BTreeMap;

type Fields = Vec<(Vec<u8>, Vec<u8>)>;
type Model = BTreeMap<Id, Fields>;

fn rounds() -> u64 {
    let asked = std::env::var("REDUST_MODEL_OPS").ok().and_then(|n| n.parse().ok());
    asked.unwrap_or(if cfg!(miri) { 300 } else { 100_000 })
}

fn fields(entry: super::block::Entry<'_>) -> (Id, Fields) {
    (entry.id, entry.pairs().map(|(name, value)| (name.to_vec(), value.to_vec())).collect())
}

fn all(log: &Log) -> Vec<(Id, Fields)> {
    log.range(Id::MIN, Id::MAX).map(fields).collect()
}

/// Entries added, deleted, trimmed and read in both directions, beside a map.
#[test]
fn a_log_agrees_with_a_map() {
    let mut rng = rng(77);
    let (mut log, mut model) = (Log::default(), Model::new());
    let (mut limits, rounds) = (NodeLimits { bytes: 4096, entries: 100 }, rounds());
    for round in 0..rounds {
        if rng().is_multiple_of(1000) {
            let bytes = [0, 60, 300, 4096][(rng() % 4) as usize];
            limits = NodeLimits { bytes, entries: [0, 1, 5, 100][(rng() % 4) as usize] };
        }
        let some_id = |log: &Log, r: u64| {
            let at = r % (log.last_id.ms + 2);
            Id::new(at, r >> 40 & 3)
        };
        match rng() % 100 {
            0..60 => {
                let n = 1 + rng() % 3;
                let new: Fields = (0..n)
                    .map(|i| {
                        let name = format!("f{}", if rng().is_multiple_of(6) { 9 } else { i });
                        let value = match rng() % 4 {
                            0 => (rng() as i64 >> (rng() % 64)).to_string().into_bytes(),
                            _ => vec![b'v'; (rng() % 90) as usize],
                        };
                        (name.into_bytes(), value)
                    })
                    .collect();
                let args: Vec<&[u8]> = new.iter().flat_map(|(n, v)| [&n[..], &v[..]]).collect();
                let last = log.last_id;
                let (wanted, id) = match rng() % 4 {
                    0 => (NewId::Auto(last.ms), last.next()),
                    1 => (NewId::Auto(last.ms + 1), Some(Id::new(last.ms + 1, 0))),
                    2 => (NewId::AnySeq(last.ms), last.next()),
                    _ => {
                        let id = Id::new(last.ms + rng() % 3, rng() % 4);
                        (NewId::Exactly(id), Some(id).filter(|id| *id > last))
                    }
                };
                let id = id.ok_or(NotAdded::NotAbove);
                assert_eq!(log.append(wanted, &args, limits), id);
                if let Ok(id) = id {
                    model.insert(id, new);
                }
            }
            60..90 => {
                let ids: Vec<Id> = (0..1 + rng() % 2).map(|_| some_id(&log, rng())).collect();
                let there = ids.iter().filter(|id| model.remove(id).is_some()).count();
                assert_eq!(log.delete(&ids), there as u64);
            }
            90..92 => {
                let min = some_id(&log, rng());
                let gone = model.range(..min).count() as u64;
                let approximate = rng().is_multiple_of(2);
                let n = log.trim(Trim::MinId(min), approximate, 0);
                assert!(n == gone || approximate && n < gone);
                (0..n).for_each(|_| drop(model.pop_first()));
            }
            92 => {
                let max = model.len() as u64 - (model.len() as u64).min(rng() % 30);
                let approximate = rng().is_multiple_of(2);
                let n = log.trim(Trim::MaxLen(max), approximate, 0);
                assert!(log.len() == max || approximate && log.len() >= max);
                (0..n).for_each(|_| drop(model.pop_first()));
            }
            _ => {
                let (a, b) = (some_id(&log, rng()), some_id(&log, rng()));
                let up: Vec<_> = log.range(a, b).take(20).map(fields).collect();
                let down: Vec<_> = log.range_back(a, b).take(20).map(fields).collect();
                if a > b {
                    assert!(up.is_empty() && down.is_empty());
                } else {
                    let want = |(id, f): (&Id, &Fields)| (*id, f.clone());
                    let range = model.range(a..=b);
                    assert_eq!(up, range.clone().take(20).map(want).collect::<Vec<_>>());
                    assert_eq!(down, range.rev().take(20).map(want).collect::<Vec<_>>());
                }
                assert_eq!(log.get(a).map(fields).map(|(_, f)| f), model.get(&a).cloned());
            }
        }
        assert_eq!(log.len(), model.len() as u64);
        if round % (rounds / 50).max(1) == 0 {
            log.check();
            assert_eq!(all(&log), model.clone().into_iter().collect::<Vec<_>>());
            let last = model.last_key_value().map_or(Id::MIN, |(id, _)| *id);
            assert_eq!(log.last_there(), last);
            let first = model.first_key_value().map_or(Id::MIN, |(id, _)| *id);
            assert_eq!(log.first_id, first);
        }
    }
}

#[test]
fn a_group_agrees_with_maps() {
    /// Who has it (None: nobody), since when, how often it was delivered.
    type Had = (Option<Vec<u8>>, i64, u64);
    let mut rng = rng(78);
    let mut group = Group::new(Id::MIN, None);
    let (mut model, mut released) = (BTreeMap::<Id, Had>::new(), Vec::new());
    for round in 0..rounds() / 4 {
        let name = vec![b'a' + (rng() % 9) as u8];
        let slot = group.find(&name).unwrap_or_else(|| group.add_consumer(&name, 0));
        let (id, now) = (Id::new(rng() % 500, 0), (round / 3) as i64);
        match rng() % 100 {
            0..50 => {
                group.deliver(id, slot, now);
                model.insert(id, (Some(name), now, 1));
                released.retain(|other| *other != id);
            }
            50..80 => {
                let removed = group.remove(id);
                assert_eq!(removed.map(|p| p.deliveries), model.remove(&id).map(|m| m.2));
                released.retain(|other| *other != id);
            }
            80..98 => {
                group.release(id, round);
                model.insert(id, (None, 0, round));
                released.retain(|other| *other != id);
                released.push(id);
            }
            _ => {
                let is_its = |m: &Had| m.0.as_ref() == Some(&name);
                let of_it = model.values().filter(|m| is_its(m)).count();
                assert_eq!(group.remove_consumer(slot), of_it);
                model.retain(|_, m| !is_its(m));
            }
        }
        assert_eq!((group.pending().len(), group.released_count()), (model.len(), released.len()));
        if round % 500 == 0 {
            // From some time on the times are known.
            if round >= 5000 {
                group.index_times();
            }
            group.check();
            let owner = |id: &Id| group.owner(&group.pending()[id]).to_vec();
            assert!(model.iter().all(|(id, m)| owner(id) == m.0.clone().unwrap_or_default()));
            assert!(group.released().eq(released.iter().copied()));
            let until = now - (rng() % 300) as i64;
            let old = model.iter().filter(|(_, m)| m.0.is_some() && m.1 <= until);
            let mut old: Vec<(i64, Id)> = old.map(|(id, m)| (m.1, *id)).collect();
            old.sort_unstable();
            let old = old.iter().map(|(_, id)| *id).filter(|_| round >= 5000);
            assert!(group.claimable(until).eq(released.iter().copied().chain(old)));
        }
    }
}

#[test]
fn nodes_of_the_radix_tree_are_counted_as_redis_has_them() {
    let limits = NodeLimits { bytes: 0, entries: 1 };
    let with = |ids: &[(u64, u64)]| {
        let mut log = Log::default();
        for (ms, seq) in ids {
            let id = NewId::Exactly(Id::new(*ms, *seq));
            log.append(id, &[b"f", b"v"], limits).expect("above");
        }
        log.radix_nodes()
    };
    assert_eq!(with(&[]), 1);
    assert_eq!(with(&[(1, 1)]), 2, "the key's bytes, and its end");
    // Seven bytes, a branch, and to each end the bytes that are left.
    assert_eq!(with(&[(1, 0), (2, 0)]), 6);
    // The branch is the last byte: nothing is left.
    assert_eq!(with(&[(1, 1), (1, 2), (1, 3)]), 5);
}

#[test]
fn lag_is_known_where_nothing_is_missing_ahead() {
    let mut stream = Stream::default();
    let limits = NodeLimits { bytes: 4096, entries: 100 };
    for i in 1..=5 {
        stream.log.append(NewId::Exactly(Id::new(i, 0)), &[b"f", b"v"], limits).expect("above");
    }
    let group = Group::new(Id::new(2, 0), Some(2));
    assert_eq!(stream.lag(&group), Some(3));
    stream.log.delete(&[Id::new(4, 0)]);
    assert_eq!(stream.lag(&group), None);
    assert_eq!(stream.lag(&Group::new(Id::new(5, 0), None)), Some(0));
}

/// What trimming would come to if all went is what it removes.
#[test]
fn trimming_comes_to_what_it_removes() {
    let limits = NodeLimits { bytes: 4096, entries: 7 };
    let mut log = Log::default();
    for i in 1..=100 {
        log.append(NewId::Exactly(Id::new(i, 0)), &[b"f", b"v"], limits).expect("above");
    }
    log.delete(&[3, 8, 9, 50, 51].map(|ms| Id::new(ms, 0)));
    for n in 0..=101 {
        for trim in [Trim::MaxLen(n), Trim::MinId(Id::new(n, 0))] {
            for (approximate, limit) in [(false, 0), (true, 0), (true, 20), (true, 3)] {
                let (mut seen, mut trimmed) = (Vec::new(), log.clone());
                log.trim_where(trim, approximate, limit, Id::MAX, |id| {
                    seen.push(id);
                    true
                });
                let removed = trimmed.trim(trim, approximate, limit);
                assert_eq!(seen.len() as u64, removed, "{trim:?} {approximate} {limit}");
                let ids = log.range(Id::MIN, Id::MAX).map(|entry| entry.id);
                assert!(ids.take(seen.len()).eq(seen.iter().copied()));
                trimmed.check();
            }
        }
    }
}

/// A sealed block gives back the bytes that it had, whatever the lengths of its elements, wherever
/// the last of them ends.
#[test]
fn a_sealed_block_opens_to_the_same_bytes() {
    let mut values: Vec<Vec<u8>> =
        (0..300).chain([4095, 4096, 70_000]).map(|n| vec![b'v'; n]).collect();
    values.extend(
        (0..63).flat_map(|bit| [1_i64 << bit, -(1 << bit)]).map(|n| n.to_string().into_bytes()),
    );
    for (i, value) in values.iter().enumerate() {
        let master = Id::new(i as u64, 7);
        let (one, two): ([&[u8]; 2], [&[u8]; 4]) = ([b"n", value], [b"other", value, b"n", b"w"]);
        for entries in [&[&one[..]][..], &[&one, &two], &[&two, &one, &one]] {
            let mut block = Block::new(entries[0]);
            for (n, args) in entries.iter().enumerate() {
                block.append(master, Id::new(master.ms + 200 * n as u64, 7 + n as u64), args);
            }
            let open = block.to_bytes().into_owned();
            block.seal();
            assert_eq!(block.to_bytes(), open, "{} bytes, {} entries", value.len(), entries.len());
            assert!(Block::from_untrusted(open, master).is_ok());
        }
    }
}
