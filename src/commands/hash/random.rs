//! HRANDFIELD: random fields, at the cost of their number (`set::random` explains how).

use super::reply_item;
use crate::commands::arg;
use crate::commands::set::random::{WALK_FACTOR, choose, count_of, draw};
use crate::commands::{CmdResult, Ctx, DataRow, Flow};
use crate::keyspace::db::DbMut;
use crate::keyspace::effects::Effects;
use crate::keyspace::env::{Env, Expiry};
use crate::resp::errors::{self, CmdError};
use crate::resp::reply::Reply;
use crate::util::rand;
use crate::value::View;
use crate::value::hash::{Hash, HashRef, Pair};
use std::collections::HashSet;

pub(crate) const COMMANDS: &[DataRow] = &[("hrandfield", hrandfield)];

/// `HRANDFIELD key [count [WITHVALUES]]`: a negative count may give a field more than once.
/// O(count).
fn hrandfield(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, env, .. } = ctx;
    let key = argv.at(1);
    let mut rng = rand::generator(env.random);
    if argv.len() == 2 {
        let hash = without_due(db, key, env, fx)?;
        match hash.and_then(|hash| hash.random(&mut rng)) {
            Some(pair) => reply_item(reply, pair.field),
            None => reply.null(),
        }
        return Ok(Flow::Done);
    }
    let (count, distinct) = count_of(argv.at(2))?;
    let values = match argv.len() {
        3 => false,
        4 if arg::is(argv.at(3), "withvalues") => true,
        _ => return Err(errors::SYNTAX),
    };
    if values && count > i64::MAX as usize / 2 {
        return Err(errors::OUT_OF_RANGE);
    }
    let Some(hash) = without_due(db, key, env, fx)?.filter(|_| count > 0) else {
        reply.array(0);
        return Ok(Flow::Done);
    };
    let count = if distinct { count.min(hash.len()) } else { count };
    let start = reply.len();
    reply.array(if values && !reply.resp3() { count * 2 } else { count });
    if distinct {
        sample(hash, count, &mut rng, |pair| reply_pair(reply, pair, values));
        return Ok(Flow::Done);
    }
    if hash.as_table().is_none() && count > 1 {
        // It is walked once, not once for each.
        let pairs: Vec<Pair<'_>> = hash.iter().collect();
        return draw(reply, start, count, |reply| {
            let i = ((u128::from(rng()) * pairs.len() as u128) >> 64) as usize;
            reply_pair(reply, pairs[i], values);
        });
    }
    draw(reply, start, count, |reply| {
        if let Some(pair) = hash.random(&mut rng) {
            reply_pair(reply, pair, values);
        }
    })
}

/// A field, with its value if that is wanted; RESP3 has them as pairs.
fn reply_pair(reply: &mut Reply, pair: Pair<'_>, values: bool) {
    if values && reply.resp3() {
        reply.array(2);
    }
    reply_item(reply, pair.field);
    if values {
        reply_item(reply, pair.value);
    }
}

/// The hash at `key`, after removing all fields whose time has passed.
fn without_due<'d>(
    db: &'d mut DbMut<'_>,
    key: &[u8],
    env: &Env,
    fx: &mut Effects,
) -> Result<Option<HashRef<'d>>, CmdError> {
    let due = match db.read_as::<Hash>(key, fx)? {
        Some(hash) if env.expiry == Expiry::Delete => hash.due(env.now_ms, usize::MAX),
        _ => Vec::new(),
    };
    if !due.is_empty() {
        db.expire_fields(key, &due, fx);
    }
    db.peek_as::<Hash>(key)
}

/// `count` different fields.
fn sample<'h>(
    hash: HashRef<'h>,
    count: usize,
    rng: &mut impl FnMut() -> u64,
    mut out: impl FnMut(Pair<'h>),
) {
    let size = hash.len();
    if let Some(fields) = hash.as_table().filter(|_| count.saturating_mul(WALK_FACTOR) <= size) {
        let mut drawn = HashSet::with_capacity(count);
        while drawn.len() < count {
            if let Some(cell) = fields.random(&mut *rng)
                && drawn.insert(cell.address())
            {
                out(Pair::of(cell));
            }
        }
        return;
    }
    let (mut wanted, mut left) = (count, size);
    for pair in hash.iter() {
        if choose(rng, wanted, left) {
            out(pair);
            wanted -= 1;
        }
        left -= 1;
    }
}
