//! Intersection, union and difference.
//!
//! A reply is written while the sets are walked, so no set is built for it. Two tables of about the
//! same size are joined bucket by bucket (`Dict::join`), which hashes nothing. Otherwise each
//! member is hashed once, since all tables share a seed. For a batch of members the buckets in the
//! other sets are fetched before the first member is looked up.
//!
//! - Intersection: the smallest set is walked, each member looked up in the others.
//! - Union: the largest set is written as it is, of each further one the members that none before
//!   has.
//! - Difference: the first set is walked, each member looked up in the others.
//!
//! The number of lookups grows with the number of sets, so beyond `DIRECT_MAX` a result is built
//! instead. The STORE forms always build one, in the order in which Redis does, since the encoding
//! of the result depends on it.

use super::{reply_item, reply_set};
use crate::commands::arg::{self, Options};
use crate::commands::{CmdResult, Ctx, DataRow, Flow};
use crate::ds::intset::Intset;
use crate::ds::listpack::{Item, Listpack, Scratch};
use crate::keyspace::db::DbMut;
use crate::keyspace::effects::{EV_GENERIC, EV_SET, Effects, Why};
use crate::keyspace::store::{Expire, SetValue};
use crate::resp::errors::{self, CmdError};
use crate::resp::reply::Reply;
use crate::util::siphash::Seed;
use crate::value::set::{Members, Probe, Set, SetLimits, SetRef};
use crate::value::{Collection, View};

pub(crate) const COMMANDS: &[DataRow] = &[
    ("sinter", sinter),
    ("sintercard", sintercard),
    ("sinterstore", sinterstore),
    ("sunion", sunion),
    ("sunionstore", sunionstore),
    ("sdiff", sdiff),
    ("sdiffstore", sdiffstore),
];

/// Members that are looked up together.
const AHEAD: usize = 16;
/// Tables are joined if the other has at most so many times the buckets.
const JOIN_FACTOR: usize = 4;
/// A union or difference of more sets is built before it is written.
const DIRECT_MAX: usize = 8;

/// The sets at `keys`, None for a key that is not there; an error if one holds another type.
fn sets_at<'d>(
    db: &'d mut DbMut<'_>,
    keys: &[&[u8]],
    fx: &mut Effects,
) -> Result<Vec<Option<SetRef<'d>>>, CmdError> {
    for key in keys {
        db.read_as::<Set>(key, fx)?;
    }
    let db: &'d DbMut<'_> = db;
    keys.iter().map(|key| db.peek_as::<Set>(key)).collect()
}

/// In which of the other sets a member must be to count as found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    InAll,
    InAny,
}

impl Found {
    fn within(self, others: &[SetRef<'_>], probe: Probe<'_>) -> bool {
        match self {
            Found::InAll => others.iter().all(|other| other.has(probe)),
            Found::InAny => others.iter().any(|other| other.has(probe)),
        }
    }
}

/// Visits the members of `set`, each with whether it was found in `others`, until `visit` returns
/// false.
fn each_checked<'s>(
    set: SetRef<'s>,
    others: &[SetRef<'_>],
    how: Found,
    seed: Seed,
    mut visit: impl FnMut(Item<'s>, bool) -> bool,
) {
    let Some(members) = set.as_table() else {
        return each_looked_up(set, others, how, seed, visit);
    };
    let close = |table: &&Members| table.buckets() <= members.buckets() * JOIN_FACTOR;
    let partner = others.iter().position(|other| other.as_table().as_ref().is_some_and(close));
    let Some((i, table)) = partner.and_then(|i| Some((i, others[i].as_table()?))) else {
        return each_looked_up(set, others, how, seed, visit);
    };
    let rest: Vec<SetRef<'_>> = [&others[..i], &others[i + 1..]].concat();
    let decided = how == Found::InAny;
    members.join(table, |member, found| {
        let text = member.key();
        let found = if rest.is_empty() || found == decided {
            found
        } else {
            how.within(&rest, Probe { text, hash: seed.hash(text) })
        };
        visit(Item::Str(text), found)
    });
}

/// `each_checked` that looks each member up. Each is hashed once, and the buckets of many are
/// fetched together.
fn each_looked_up<'s>(
    set: SetRef<'s>,
    others: &[SetRef<'_>],
    how: Found,
    seed: Seed,
    mut visit: impl FnMut(Item<'s>, bool) -> bool,
) {
    let tables: Vec<&Members> = others.iter().filter_map(|other| other.as_table()).collect();
    let mut texts = [Scratch::default(); AHEAD];
    let mut batch = [(Item::Int(0), 0u64); AHEAD];
    let mut items = set.iter();
    loop {
        let mut len = 0;
        for (slot, item) in items.by_ref().take(AHEAD).enumerate() {
            len += 1;
            // Without tables the hash is not used.
            let hash = match tables.is_empty() {
                true => 0,
                false => seed.hash(item.bytes(&mut texts[slot])),
            };
            tables.iter().for_each(|table| table.prefetch_bucket(hash));
            batch[slot] = (item, hash);
        }
        for &(_, hash) in &batch[..len] {
            tables.iter().for_each(|table| table.prefetch_item(hash));
        }
        for (slot, &(item, hash)) in batch[..len].iter().enumerate() {
            let probe = Probe { text: item.bytes(&mut texts[slot]), hash };
            if !visit(item, how.within(others, probe)) {
                return;
            }
        }
        if len < AHEAD {
            return;
        }
    }
}

/// Visits the members that all sets have until `visit` says false. `sets` are in ascending order of
/// size.
fn intersect<'s>(sets: &[SetRef<'s>], seed: Seed, mut visit: impl FnMut(Item<'s>) -> bool) {
    let Some((&first, others)) = sets.split_first() else { return };
    let others: Vec<SetRef<'_>> = others.iter().copied().filter(|other| !other.is(first)).collect();
    each_checked(first, &others, Found::InAll, seed, |item, found| !found || visit(item));
}

/// The sets to intersect, smallest first; None if one of them is empty.
fn by_size(sets: Vec<Option<SetRef<'_>>>) -> Option<Vec<SetRef<'_>>> {
    let mut sets: Vec<SetRef<'_>> = sets.into_iter().collect::<Option<_>>()?;
    sets.sort_by_key(|set| set.len());
    Some(sets)
}

/// `SINTER key [key ...]`. O(smallest set * sets).
fn sinter(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, limits, .. } = ctx;
    let Some(sets) = by_size(sets_at(db, argv.from(1), fx)?) else {
        reply.set(0);
        return Ok(Flow::Done);
    };
    if let [set] = sets[..] {
        reply_set(reply, set);
        return Ok(Flow::Done);
    }
    let (at, mut count) = (reply.begin_array(), 0);
    intersect(&sets, limits.seed, |item| {
        reply_item(reply, item);
        count += 1;
        true
    });
    reply.end_set(at, count);
    Ok(Flow::Done)
}

/// `SINTERCARD numkeys key [key ...] [LIMIT limit]`. O(smallest set * sets).
fn sintercard(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, limits, .. } = ctx;
    let keys = arg::int_in(argv.at(1), 1, i64::MAX, "numkeys should be greater than 0")?;
    let keys = usize::try_from(keys).ok().filter(|&n| n <= argv.len() - 2);
    let keys =
        keys.ok_or(CmdError::new("ERR Number of keys can't be greater than number of args"))?;
    let mut limit = 0;
    let mut options = Options::new(*argv, 2 + keys);
    while let Some(word) = options.next() {
        if !arg::is(word, "limit") {
            return Err(errors::SYNTAX);
        }
        limit = arg::int_in(options.value()?, 0, i64::MAX, "LIMIT can't be negative")?;
    }
    let mut count = 0;
    if let Some(sets) = by_size(sets_at(db, &argv[2..2 + keys], fx)?) {
        intersect(&sets, limits.seed, |_| {
            count += 1;
            count != limit
        });
    }
    reply.int(count);
    Ok(Flow::Done)
}

/// `SINTERSTORE destination key [key ...]`. O(smallest set * sets).
fn sinterstore(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, fx, limits, .. } = ctx;
    let limits = limits.set();
    let result = by_size(sets_at(db, argv.from(2), fx)?).map(|sets| {
        let mut result = match sets[0] {
            SetRef::Ints(_) => Set::Ints(Intset::new()),
            _ => Set::Packed(Listpack::new()),
        };
        let mut all_ints = true;
        intersect(&sets, limits.seed, |item| {
            all_ints = all_ints && item.as_int().is_some();
            result.insert_item(item, &limits);
            true
        });
        if all_ints {
            result.change_to_ints(&limits);
        }
        result
    });
    store(ctx, result.filter(|set| !set.is_empty()), "sinterstore")
}

/// `SUNION key [key ...]`. O(members of all sets).
fn sunion(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, limits, .. } = ctx;
    let mut sets: Vec<SetRef<'_>> = sets_at(db, argv.from(1), fx)?.into_iter().flatten().collect();
    sets.sort_by_key(|set| std::cmp::Reverse(set.len()));
    sets.dedup_by(|a, b| a.is(*b));
    // Integers come in order, since Redis makes an intset of them.
    let all_ints = sets.iter().all(|set| matches!(set, SetRef::Ints(_)));
    match sets[..] {
        [] => reply.set(0),
        [set] => reply_set(reply, set),
        _ if all_ints || sets.len() > DIRECT_MAX => {
            reply_set(reply, union(&sets, &limits.set()).view())
        }
        _ => reply_union(reply, &sets, limits.seed),
    }
    Ok(Flow::Done)
}

/// Writes the union of sets, largest first.
fn reply_union(reply: &mut Reply, sets: &[SetRef<'_>], seed: Seed) {
    let (at, mut count) = (reply.begin_array(), sets[0].len());
    sets[0].iter().for_each(|item| reply_item(reply, item));
    for (i, set) in sets.iter().enumerate().skip(1) {
        let before = &sets[..i];
        each_checked(*set, before, Found::InAny, seed, |item, found| {
            if !found {
                reply_item(reply, item);
                count += 1;
            }
            true
        });
    }
    reply.end_set(at, count);
}

fn union(sets: &[SetRef<'_>], limits: &SetLimits) -> Set {
    let mut result = Set::Ints(Intset::new());
    for set in sets {
        set.iter().for_each(|item| {
            result.insert_item(item, limits);
        });
    }
    result
}

/// `SUNIONSTORE destination key [key ...]`. O(members of all sets).
fn sunionstore(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, fx, limits, .. } = ctx;
    let sets: Vec<SetRef<'_>> = sets_at(db, argv.from(2), fx)?.into_iter().flatten().collect();
    let result = union(&sets, &limits.set());
    store(ctx, Some(result).filter(|set| !set.is_empty()), "sunionstore")
}

/// A difference to compute.
struct Diff<'d> {
    first: SetRef<'d>,
    /// What is subtracted.
    others: Vec<SetRef<'d>>,
    /// To look each member up everywhere would cost more than to take the members of all others out
    /// of a copy.
    subtract: bool,
}

impl<'d> Diff<'d> {
    /// None if nothing can be left.
    fn of(sets: Vec<Option<SetRef<'d>>>) -> Option<Diff<'d>> {
        let (first, others) = sets.split_first()?;
        let first = (*first)?;
        let mut others: Vec<SetRef<'_>> = others.iter().copied().flatten().collect();
        if others.iter().any(|other| other.is(first)) {
            return None;
        }
        let lookups = first.len() * (others.len() + 1) / 2;
        let members = first.len() + others.iter().map(|set| set.len()).sum::<usize>();
        // Large sets are the most likely to have a member.
        others.sort_by_key(|set| std::cmp::Reverse(set.len()));
        Some(Diff { first, others, subtract: lookups > members })
    }

    /// Visits the members that are left.
    fn each(&self, seed: Seed, mut visit: impl FnMut(Item<'d>)) {
        each_checked(self.first, &self.others, Found::InAny, seed, |item, found| {
            if !found {
                visit(item);
            }
            true
        });
    }

    fn build(&self, limits: &SetLimits) -> Set {
        if self.subtract {
            let mut result = union(&[self.first], limits);
            for other in &self.others {
                for item in other.iter() {
                    result.remove(item.bytes(&mut Scratch::default()));
                }
                if result.is_empty() {
                    break;
                }
            }
            return result;
        }
        let mut result = Set::Ints(Intset::new());
        self.each(limits.seed, |item| {
            result.insert_item(item, limits);
        });
        result
    }
}

/// `SDIFF key [key ...]`. O(first set * sets), or O(members of all sets) if that is less.
fn sdiff(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, limits, .. } = ctx;
    let Some(diff) = Diff::of(sets_at(db, argv.from(1), fx)?) else {
        reply.set(0);
        return Ok(Flow::Done);
    };
    if diff.others.is_empty() {
        reply_set(reply, diff.first);
    } else if diff.subtract && diff.others.len() > DIRECT_MAX {
        reply_set(reply, diff.build(&limits.set()).view());
    } else {
        let (at, mut count) = (reply.begin_array(), 0);
        diff.each(limits.seed, |item| {
            reply_item(reply, item);
            count += 1;
        });
        reply.end_set(at, count);
    }
    Ok(Flow::Done)
}

/// `SDIFFSTORE destination key [key ...]`. As SDIFF.
fn sdiffstore(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, fx, limits, .. } = ctx;
    let diff = Diff::of(sets_at(db, argv.from(2), fx)?);
    let result = diff.map(|diff| diff.build(&limits.set())).filter(|set| !set.is_empty());
    store(ctx, result, "sdiffstore")
}

/// Stores a result at the destination. If there is none, the destination is deleted.
fn store(ctx: &mut Ctx<'_>, result: Option<Set>, event: &'static str) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let key = argv.at(1);
    match result {
        Some(mut set) => {
            set.shrink();
            reply.len_int(set.len());
            db.set(key, SetValue::Collection(set.into_object()), Expire::None, fx);
            fx.modified(key);
            fx.event(EV_SET, event, key);
        }
        None => {
            if db.delete(key, Why::Overwrite, fx) {
                fx.modified(key);
                fx.event(EV_GENERIC, "del", key);
            }
            reply.int(0);
        }
    }
    Ok(Flow::Done)
}
