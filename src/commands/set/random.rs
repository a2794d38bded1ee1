//! SPOP and SRANDMEMBER.
//!
//! The cost must not exceed the number of members that are drawn or that there are. Few members of
//! a table are drawn one by one. Many are chosen in one walk over the whole set, each with the
//! probability that makes every choice equally likely (selection sampling).

use super::{changed, reply_item, reply_set};
use crate::commands::arg;
use crate::commands::{CmdResult, Ctx, DataRow, Flow};
use crate::ds::listpack::Item;
use crate::keyspace::effects::{EV_GENERIC, EV_SET, Effects, Why};
use crate::resp::errors::{self, CmdError};
use crate::resp::reply::Reply;
use crate::util::rand;
use crate::value::set::{Set, SetLimits, SetRef};
use crate::value::{Collection, View};
use std::collections::HashSet;

pub(crate) const COMMANDS: &[DataRow] = &[("spop", spop), ("srandmember", srandmember)];

/// Members that one SREM of the stream names at most.
const BATCH: usize = 1024;
/// If more than so many times the members that stay are popped, those that stay are moved to a new
/// set instead.
const MOVE_FACTOR: usize = 5;
/// If more than one in so many members is wanted, the whole set is walked.
pub(crate) const WALK_FACTOR: usize = 3;

/// SREM commands for the stream, for members as they go.
struct Removals<'a> {
    key: &'a [u8],
    members: Vec<Vec<u8>>,
    wanted: bool,
}

impl<'a> Removals<'a> {
    fn new(key: &'a [u8], fx: &Effects) -> Removals<'a> {
        let wanted = fx.armed & crate::keyspace::effects::STREAM != 0;
        Removals { key, members: Vec::new(), wanted }
    }

    fn push(&mut self, item: Item<'_>, fx: &mut Effects) {
        if self.wanted {
            self.members.push(item.to_vec());
            if self.members.len() == BATCH {
                self.flush(fx);
            }
        }
    }

    fn flush(&mut self, fx: &mut Effects) {
        if !self.members.is_empty() {
            let mut argv: Vec<&[u8]> = vec![b"SREM", self.key];
            argv.extend(self.members.iter().map(Vec::as_slice));
            fx.also(&argv);
            self.members.clear();
        }
    }
}

/// Whether the next of `left` elements is chosen, if `wanted` of them are still to be chosen.
pub(crate) fn choose(rng: &mut impl FnMut() -> u64, wanted: usize, left: usize) -> bool {
    ((u128::from(rng()) * left as u128) >> 64) < wanted as u128
}

/// `SPOP key [count]`. O(count).
fn spop(ctx: &mut Ctx<'_>) -> CmdResult {
    match ctx.argv.len() {
        2 => pop_one(ctx),
        3 => pop_many(ctx),
        _ => Err(errors::SYNTAX),
    }
}

fn pop_one(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, env, .. } = ctx;
    let key = argv.at(1);
    let mut rng = rand::generator(env.random);
    let popped = db
        .touch_open::<Set>(key, fx)?
        .and_then(|mut set| Some((set.pop(&mut rng)?, set.is_empty())));
    let Some((member, emptied)) = popped else {
        reply.null();
        return Ok(Flow::Done);
    };
    fx.event(EV_SET, "spop", key);
    fx.rewrite(&[b"SREM", key, &member]);
    reply.bulk(&member);
    if emptied {
        db.delete(key, Why::Overwrite, fx);
        fx.event(EV_GENERIC, "del", key);
    }
    fx.modified(key);
    Ok(Flow::Done)
}

fn pop_many(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, env, limits } = ctx;
    let key = argv.at(1);
    let count = arg::int_in(argv.at(2), 0, i64::MAX, "value is out of range, must be positive")?;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let Some(mut set) = db.touch_open::<Set>(key, fx)? else {
        reply.set(0);
        return Ok(Flow::Done);
    };
    let size = set.len();
    if count == 0 {
        reply.set(0);
        return Ok(Flow::Done);
    }
    fx.event(EV_SET, "spop", key);
    if count >= size {
        reply_set(reply, set.view());
        drop(set);
        db.delete(key, Why::Overwrite, fx);
        fx.event(EV_GENERIC, "del", key);
        fx.rewrite(&[db.deletion(Why::Overwrite), key]);
        changed(fx, key, size);
        return Ok(Flow::Done);
    }
    let mut rng = rand::generator(env.random);
    let mut removals = Removals::new(key, fx);
    reply.set(count);
    let mut out = |item: Item<'_>, reply: &mut Reply, fx: &mut Effects| {
        reply_item(reply, item);
        removals.push(item, fx);
    };
    if (size - count).saturating_mul(MOVE_FACTOR) > count && !matches!(*set, Set::Packed(_)) {
        for _ in 0..count {
            if let Some(member) = set.pop(&mut rng) {
                out(Item::Str(&member), reply, fx);
            }
        }
    } else {
        let limits = limits.set();
        let rest = leave(set.view(), size - count, &limits, &mut rng, |item| out(item, reply, fx));
        fx.drop_value(
            Some(crate::value::Value::Object(Box::new(
                std::mem::replace(&mut *set, rest).into_object(),
            ))),
            Why::Overwrite,
        );
    }
    removals.flush(fx);
    fx.dont_propagate();
    changed(fx, key, count);
    Ok(Flow::Done)
}

/// The set that is left with `stay` random members of `set`; all others are given to `out`.
/// O(size).
fn leave(
    set: SetRef<'_>,
    mut stay: usize,
    limits: &SetLimits,
    rng: &mut impl FnMut() -> u64,
    mut out: impl FnMut(Item<'_>),
) -> Set {
    let mut rest = match set {
        SetRef::Ints(_) => Set::Ints(Default::default()),
        _ => Set::Packed(Default::default()),
    };
    rest.expect(stay, limits);
    let mut left = set.len();
    for item in set.iter() {
        if choose(rng, stay, left) {
            rest.insert_item(item, limits);
            stay -= 1;
        } else {
            out(item);
        }
        left -= 1;
    }
    rest.shrink();
    rest
}

/// `SRANDMEMBER key [count]`: a negative count may give a member more than once. O(count).
fn srandmember(ctx: &mut Ctx<'_>) -> CmdResult {
    match ctx.argv.len() {
        2 => {
            let Ctx { db, argv, reply, fx, env, .. } = ctx;
            let mut rng = rand::generator(env.random);
            let set = db.read_as::<Set>(argv.at(1), fx)?;
            match set.and_then(|set| set.random(&mut rng)) {
                Some(item) => reply_item(reply, item),
                None => reply.null(),
            }
            Ok(Flow::Done)
        }
        3 => sample(ctx),
        _ => Err(errors::SYNTAX),
    }
}

/// A count that may be negative: how many, and whether they must differ.
pub(crate) fn count_of(text: &[u8]) -> Result<(usize, bool), CmdError> {
    match arg::int(text)? {
        i64::MIN => Err(CmdError::new(
            "ERR value is out of range, value must between -9223372036854775807 and \
             9223372036854775807",
        )),
        n => Ok((usize::try_from(n.unsigned_abs()).unwrap_or(usize::MAX), n >= 0)),
    }
}

fn sample(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, env, .. } = ctx;
    let (count, distinct) = count_of(argv.at(2))?;
    let Some(set) = db.read_as::<Set>(argv.at(1), fx)?.filter(|_| count > 0) else {
        reply.array(0);
        return Ok(Flow::Done);
    };
    let (mut rng, size) = (rand::generator(env.random), set.len());
    if !distinct {
        let start = reply.len();
        reply.array(count);
        return repeated(set, count, &mut rng, reply, start);
    }
    let count = count.min(size);
    reply.array(count);
    match set.as_table() {
        Some(members) if count.saturating_mul(WALK_FACTOR) <= size => {
            let mut drawn = HashSet::with_capacity(count);
            while drawn.len() < count {
                if let Some(member) = members.random(&mut rng)
                    && drawn.insert(member.address())
                {
                    reply.bulk(member.key());
                }
            }
        }
        _ => {
            let (mut wanted, mut left) = (count, size);
            for item in set.iter() {
                if choose(&mut rng, wanted, left) {
                    reply_item(reply, item);
                    wanted -= 1;
                }
                left -= 1;
            }
        }
    }
    Ok(Flow::Done)
}

/// Independent draws.
fn repeated(
    set: SetRef<'_>,
    count: usize,
    rng: &mut impl FnMut() -> u64,
    reply: &mut Reply,
    start: usize,
) -> CmdResult {
    if let (SetRef::Packed(lp), true) = (set, count > 1) {
        // It is walked once, not once for each.
        let items: Vec<Item<'_>> = lp.iter().collect();
        return draw(reply, start, count, |reply| {
            let i = ((u128::from(rng()) * items.len() as u128) >> 64) as usize;
            reply_item(reply, items[i]);
        });
    }
    draw(reply, start, count, |reply| {
        if let Some(item) = set.random(rng) {
            reply_item(reply, item);
        }
    })
}

/// Writes `count` draws by calling `one`, behind a header that begins at `start`.
///
/// A client can ask for any number of draws. So the reply has a bound, or it could take all memory.
pub(crate) fn draw(
    reply: &mut Reply,
    start: usize,
    count: usize,
    one: impl FnMut(&mut Reply),
) -> CmdResult {
    draw_within(1 << 30, reply, start, count, one)
}

fn draw_within(
    max_bytes: usize,
    reply: &mut Reply,
    start: usize,
    count: usize,
    mut one: impl FnMut(&mut Reply),
) -> CmdResult {
    const SHORTEST: usize = b"$0\r\n\r\n".len();
    // If the client has a limit, that may come first.
    let limited = reply.limit().is_some_and(|limit| limit <= max_bytes);
    let mut fits = limited || count <= max_bytes / SHORTEST;
    for _ in 0..count {
        if !fits {
            reply.truncate(start);
            return Err(errors::OUT_OF_RANGE);
        }
        one(reply);
        if reply.is_too_long() {
            // Then the client is closed.
            break;
        }
        fits = reply.len() - start <= max_bytes;
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_end_where_their_reply_would_be_too_long() {
        let mut reply = Reply::new(b"before".to_vec(), false);
        let mut of = |count: usize, limit: Option<usize>, member: &[u8]| {
            reply.truncate(6);
            reply.set_limit(limit);
            reply.array(count);
            let result = draw_within(1000, &mut reply, 6, count, |reply| reply.bulk(member));
            (result.is_ok(), reply.len())
        };
        assert_eq!(of(166, None, b""), (true, 6 + 6 + 166 * 6));
        assert_eq!(of(167, None, b""), (false, 6));
        assert_eq!(of(usize::MAX, None, b""), (false, 6), "and nothing is drawn");
        assert_eq!(of(20, None, &[b'x'; 100]), (false, 6));
        // If the client has a lower limit, that comes first.
        assert_eq!(of(1 << 60, Some(500), b""), (true, 502));
    }
}
