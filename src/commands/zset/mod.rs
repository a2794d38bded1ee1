//! Sorted set commands on single members: adding, removing, scores, ranks, random ones, scans.
//!
//! Ranges are in `range`, combinations of several sets in `store`, taking from an end in `pop`.

pub(crate) mod pop;
pub(crate) mod range;
pub(crate) mod store;

use crate::commands::arg::{self, Options};
use crate::commands::scan::{self, Also, ScanOptions};
use crate::commands::set::random::draw;
use crate::commands::{CmdResult, Ctx, DataRow, Flow};
use crate::ds::listpack::{Item, Scratch};
use crate::keyspace::db::DbMut;
use crate::keyspace::effects::{EV_GENERIC, EV_ZSET, Effects, Why};
use crate::resp::errors::{self, CmdError};
use crate::resp::reply::Reply;
use crate::util::{glob, num, rand};
use crate::value::zset::{AddRule, Added, ZSet, ZSetRef};
use crate::value::{Collection, View};
use std::collections::HashSet;

pub(crate) const COMMANDS: &[DataRow] = &[
    ("zadd", zadd),
    ("zincrby", zincrby),
    ("zrem", zrem),
    ("zscore", zscore),
    ("zmscore", zmscore),
    ("zcard", zcard),
    ("zrank", zrank),
    ("zrevrank", zrevrank),
    ("zrandmember", zrandmember),
    ("zscan", zscan),
];

/// Steps of the table for each element asked for. The bound keeps a call short in a sparse table.
const STEPS_PER_COUNT: u64 = 10;

/// Writes a member.
#[inline]
pub(crate) fn reply_member(reply: &mut Reply, member: Item<'_>) {
    match member {
        Item::Str(bytes) => reply.bulk(bytes),
        Item::Int(int) => reply.bulk_int(int),
    }
}

/// Opens an array of members, or of members with their scores: RESP3 has a pair for each.
pub(crate) fn reply_elements(reply: &mut Reply, n: usize, scores: bool) {
    reply.array(if scores && !reply.resp3() { 2 * n } else { n });
}

/// Writes one of them.
#[inline]
pub(crate) fn reply_element(reply: &mut Reply, member: Item<'_>, score: Option<f64>) {
    if score.is_some() && reply.resp3() {
        reply.array(2);
    }
    reply_member(reply, member);
    if let Some(score) = score {
        reply.double(score);
    }
}

/// Deletes the key of a set that has lost its last member.
pub(crate) fn delete_emptied(db: &mut DbMut<'_>, key: &[u8], fx: &mut Effects) {
    db.delete(key, Why::Overwrite, fx);
    fx.event(EV_GENERIC, "del", key);
}

/// The options that precede the scores of ZADD.
#[derive(Clone, Copy, Default)]
pub(crate) struct AddOptions {
    pub rule: AddRule,
    /// The reply counts changed members too.
    pub count_changed: bool,
}

impl AddOptions {
    /// Takes the option `word`; false if it is none.
    pub(crate) fn take(&mut self, word: &[u8]) -> bool {
        // Most words are scores, so this is tested first.
        if !word.first().is_some_and(u8::is_ascii_alphabetic) {
            return false;
        }
        let rule = &mut self.rule;
        let options = [
            ("nx", &mut rule.absent),
            ("xx", &mut rule.present),
            ("gt", &mut rule.greater),
            ("lt", &mut rule.less),
            ("incr", &mut rule.increment),
            ("ch", &mut self.count_changed),
        ];
        let named = options.into_iter().find(|(name, _)| arg::is(word, name));
        named.map(|(_, option)| *option = true).is_some()
    }
}

/// `ZADD key [NX|XX] [GT|LT] [CH] [INCR] score member [score member ...]`
///
/// Adds members, or changes their scores. O(log n) for each.
/// Reply: how many were added (with CH also those changed); with INCR the new score, or null.
fn zadd(ctx: &mut Ctx<'_>) -> CmdResult {
    add(ctx, AddOptions::default())
}

/// `ZINCRBY key increment member`. O(log n). Reply: the new score.
fn zincrby(ctx: &mut Ctx<'_>) -> CmdResult {
    let rule = AddRule { increment: true, ..AddRule::default() };
    add(ctx, AddOptions { rule, count_changed: false })
}

fn add<'a>(ctx: &mut Ctx<'a>, mut options: AddOptions) -> CmdResult {
    let argv = ctx.argv;
    let mut first = 2;
    while argv.get(first).is_some_and(|word| options.take(word)) {
        first += 1;
    }
    let (pairs, rest) = argv.from(first).as_chunks::<2>();
    if pairs.is_empty() || !rest.is_empty() {
        return Err(errors::SYNTAX);
    }
    check_rule(options.rule, pairs.len())?;
    // All scores are read before one is used, so that all members are added or none.
    let member = |pair: &[&'a [u8]; 2]| Ok((arg::float(pair[0])?, pair[1]));
    match pairs {
        [pair] => add_members(ctx, options, &[member(pair)?]),
        _ => {
            let members = pairs.iter().map(member).collect::<Result<Vec<_>, CmdError>>()?;
            add_members(ctx, options, &members)
        }
    }
}

/// Adds members (one at least) to the set at argument 1, as ZADD does.
pub(crate) fn add_members(
    ctx: &mut Ctx<'_>,
    options: AddOptions,
    members: &[(f64, &[u8])],
) -> CmdResult {
    let Ctx { db, argv, reply, fx, limits, .. } = ctx;
    let (key, limits) = (argv.at(1), limits.zset());
    let AddOptions { rule, count_changed } = options;
    let zset = if rule.present {
        db.touch_open::<ZSet>(key, fx)?
    } else {
        let make = || ZSet::for_adding(members.len(), members[0].1.len(), &limits);
        Some(db.touch_or_new(key, fx, make)?)
    };
    let Some(mut zset) = zset else {
        match rule.increment {
            true => reply.null(),
            false => reply.int(0),
        }
        return Ok(Flow::Done);
    };
    zset.prepare(members.len(), &limits);
    let (mut added, mut changed, mut last) = (0, 0, Added::Nothing);
    for &(score, member) in members {
        last = zset
            .add(member, score, rule, &limits)
            .map_err(|_| CmdError::new("ERR resulting score is not a number (NaN)"))?;
        match last {
            Added::New(_) => added += 1,
            Added::Changed(_) => changed += 1,
            Added::Same(_) | Added::Nothing => {}
        }
    }
    match (rule.increment, last) {
        (true, Added::New(score) | Added::Changed(score) | Added::Same(score)) => {
            reply.double(score)
        }
        (true, Added::Nothing) => reply.null(),
        (false, _) => reply.int(if count_changed { added + changed } else { added }),
    }
    if added + changed > 0 {
        fx.dirty += (added + changed) as u64 - 1;
        fx.modified(key);
        fx.event(EV_ZSET, if rule.increment { "zincr" } else { "zadd" }, key);
    }
    Ok(Flow::Done)
}

fn check_rule(rule: AddRule, pairs: usize) -> Result<(), CmdError> {
    let AddRule { absent, present, greater, less, increment } = rule;
    if absent && present {
        return Err(CmdError::new("ERR XX and NX options at the same time are not compatible"));
    }
    if absent && (greater || less) || greater && less {
        return Err(CmdError::new(
            "ERR GT, LT, and/or NX options at the same time are not compatible",
        ));
    }
    if increment && pairs > 1 {
        return Err(CmdError::new("ERR INCR option supports a single increment-element pair"));
    }
    Ok(())
}

/// `ZREM key member [member ...]`. O(log n) for each. Reply: how many were removed.
fn zrem(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let key = argv.at(1);
    let Some(mut zset) = db.touch_open::<ZSet>(key, fx)? else {
        reply.int(0);
        return Ok(Flow::Done);
    };
    let mut removed = 0;
    for member in argv.from(2) {
        removed += u64::from(zset.remove(member));
        if zset.is_empty() {
            break;
        }
    }
    let emptied = zset.is_empty();
    drop(zset);
    if removed > 0 {
        fx.event(EV_ZSET, "zrem", key);
        if emptied {
            delete_emptied(db, key, fx);
        }
        fx.dirty += removed - 1;
        fx.modified(key);
    }
    reply.int(removed as i64);
    Ok(Flow::Done)
}

/// `ZSCORE key member`. O(1).
fn zscore(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    match db.read_as::<ZSet>(argv.at(1), fx)?.and_then(|zset| zset.score(argv.at(2))) {
        Some(score) => reply.double(score),
        None => reply.null(),
    }
    Ok(Flow::Done)
}

/// `ZMSCORE key member [member ...]`. O(1) for each.
fn zmscore(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let zset = db.read_as::<ZSet>(argv.at(1), fx)?;
    reply.array(argv.len() - 2);
    for member in argv.from(2) {
        match zset.and_then(|zset| zset.score(member)) {
            Some(score) => reply.double(score),
            None => reply.null(),
        }
    }
    Ok(Flow::Done)
}

/// `ZCARD key`. O(1).
fn zcard(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    reply.len_int(db.read_as::<ZSet>(argv.at(1), fx)?.map_or(0, View::len));
    Ok(Flow::Done)
}

/// `ZRANK key member [WITHSCORE]`: the place from the lowest. O(log n).
fn zrank(ctx: &mut Ctx<'_>) -> CmdResult {
    rank(ctx, |_, rank| rank)
}

/// `ZREVRANK key member [WITHSCORE]`: the place from the highest. O(log n).
fn zrevrank(ctx: &mut Ctx<'_>) -> CmdResult {
    rank(ctx, |len, rank| len - 1 - rank)
}

fn rank(ctx: &mut Ctx<'_>, place: fn(usize, usize) -> usize) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let with_score = match argv.from(3) {
        [] => false,
        [word] if arg::is(word, "withscore") => true,
        [_] => return Err(errors::SYNTAX),
        _ => return Err(errors::wrong_arity(&arg::name(*argv))),
    };
    let found = db.read_as::<ZSet>(argv.at(1), fx)?.and_then(|zset| {
        zset.rank(argv.at(2)).map(|(rank, score)| (place(zset.len(), rank), score))
    });
    match found {
        Some((rank, score)) if with_score => {
            reply.array(2);
            reply.len_int(rank);
            reply.double(score);
        }
        Some((rank, _)) => reply.len_int(rank),
        None if with_score => reply.null_array(),
        None => reply.null(),
    }
    Ok(Flow::Done)
}

/// `ZRANDMEMBER key [count [WITHSCORES]]`
///
/// A member, `count` different ones, or `-count` with repetitions; each as likely as any other.
/// O(log n) for each.
fn zrandmember(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, env, .. } = ctx;
    let mut words = rand::generator(env.random);
    let mut below = |n: usize| ((u128::from(words()) * n as u128) >> 64) as usize;
    if argv.len() == 2 {
        match db.read_as::<ZSet>(argv.at(1), fx)? {
            Some(zset) => {
                zset.ascend(below(zset.len()), 1, |member, _| reply_member(reply, member))
            }
            None => reply.null(),
        }
        return Ok(Flow::Done);
    }
    let (count, scores) = random_options(argv.from(2))?;
    let Some(zset) = db.read_as::<ZSet>(argv.at(1), fx)? else {
        reply.array(0);
        return Ok(Flow::Done);
    };
    let len = zset.len();
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if wanted == 0 {
        reply.array(0);
    } else if count < 0 {
        let start = reply.len();
        reply_elements(reply, wanted, scores);
        return draw(reply, start, wanted, |reply| reply_rank(reply, zset, below(len), scores));
    } else if wanted >= len {
        reply_elements(reply, len, scores);
        zset.each(|member, score| reply_element(reply, member, scores.then_some(score)));
    } else {
        reply_elements(reply, wanted, scores);
        // Floyd's algorithm: every choice of `wanted` ranks is equally likely, and each draw gives
        // one.
        let mut drawn = HashSet::with_capacity(wanted);
        for most in len - wanted..len {
            let draw = below(most + 1);
            let rank = if drawn.insert(draw) { draw } else { most };
            drawn.insert(rank);
            reply_rank(reply, zset, rank, scores);
        }
    }
    Ok(Flow::Done)
}

fn reply_rank(reply: &mut Reply, zset: ZSetRef<'_>, rank: usize, scores: bool) {
    zset.ascend(rank, 1, |member, score| reply_element(reply, member, scores.then_some(score)));
}

fn random_options(args: &[&[u8]]) -> Result<(i64, bool), CmdError> {
    let count = arg::int(args[0])?;
    if count == i64::MIN {
        let max = i64::MAX;
        return Err(CmdError::err(format!(
            "value is out of range, value must between -{max} and {max}"
        )));
    }
    match args {
        [_] => Ok((count, false)),
        [_, word] if arg::is(word, "withscores") => {
            match count.unsigned_abs() > i64::MAX as u64 / 2 {
                true => Err(errors::OUT_OF_RANGE),
                false => Ok((count, true)),
            }
        }
        _ => Err(errors::SYNTAX),
    }
}

/// `ZSCAN key cursor [MATCH pattern] [COUNT count] [NOSCORES]`. O(count) a call; a listpack comes
/// at once.
fn zscan(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let mut at = scan::cursor(argv.at(2))?;
    let Some(zset) = db.read_as::<ZSet>(argv.at(1), fx)? else {
        reply.array(2);
        reply.bulk(b"0");
        reply.array(0);
        return Ok(Flow::Done);
    };
    let o = ScanOptions::parse(Options::new(*argv, 3), Also::NoScores)?;
    let wanted = |member: &[u8]| o.pattern.is_none_or(|p| glob::matches(p, member, false));
    let (mut found, mut n, mut text) = (Reply::new(Vec::new(), reply.resp3()), 0, Vec::new());
    match zset {
        ZSetRef::Packed(lp) => {
            at = 0;
            let mut scratch = Scratch::default();
            for (member, score) in lp.pairs().filter(|(m, _)| wanted(m.bytes(&mut scratch))) {
                reply_member(&mut found, member);
                n += 1;
                if !o.names_only {
                    reply_member(&mut found, score);
                    n += 1;
                }
            }
        }
        ZSetRef::Table(table) => {
            let (mut seen, mut steps) = (0, o.count.saturating_mul(STEPS_PER_COUNT));
            loop {
                at = table.scan(at, |member, score| {
                    seen += 1;
                    if !wanted(member) {
                        return;
                    }
                    found.bulk(member);
                    n += 1;
                    if !o.names_only {
                        text.clear();
                        // Compat: with 17 digits, unlike everywhere else.
                        num::write_f64_17g(&mut text, score);
                        found.bulk(&text);
                        n += 1;
                    }
                });
                steps -= 1;
                if at == 0 || steps == 0 || seen >= o.count {
                    break;
                }
            }
        }
    }
    reply.array(2);
    reply.bulk_str(at.to_string());
    reply.array(n);
    reply.raw(found.buf());
    Ok(Flow::Done)
}
