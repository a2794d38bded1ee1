//! Unions, intersections and differences of sorted sets (and plain sets), replied or stored.
//!
//! All sources are borrowed at once (`Source`). The result is gathered without an order, because
//! the score of a member may still change, and is sorted once at the end.

use crate::commands::arg::{self, Options};
use crate::commands::zset::{reply_element, reply_elements};
use crate::commands::{CmdResult, Ctx, DataRow, Flow};
use crate::ds::listpack::{Item, Scratch};
use crate::ds::ordered::table::Unsorted;
use crate::keyspace::db::DbMut;
use crate::keyspace::effects::{EV_GENERIC, EV_ZSET, Effects, Why};
use crate::keyspace::store::{Expire, SetValue};
use crate::resp::argv::Argv;
use crate::resp::errors::{self, CmdError};
use crate::value::set::SetRef;
use crate::value::zset::{ZSet, ZSetLimits, ZSetRef};
use crate::value::{Collection, ObjectRef, ValueRef, View};

pub(crate) const COMMANDS: &[DataRow] = &[
    ("zunion", zunion),
    ("zinter", zinter),
    ("zdiff", zdiff),
    ("zintercard", zintercard),
    ("zunionstore", zunionstore),
    ("zinterstore", zinterstore),
    ("zdiffstore", zdiffstore),
];

/// Members of a sorted set that are visited at a time.
const PART: usize = 256;

/// What is made of the sources.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Op {
    Union,
    Inter,
    Diff,
}

impl Op {
    fn event(self) -> &'static str {
        match self {
            Op::Union => "zunionstore",
            Op::Inter => "zinterstore",
            Op::Diff => "zdiffstore",
        }
    }
}

/// How the scores of a member become one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn join(self, a: f64, b: f64) -> f64 {
        match self {
            // The sum of +inf and -inf counts as 0.
            Aggregate::Sum => not_nan(a + b),
            Aggregate::Min => {
                if b < a {
                    b
                } else {
                    a
                }
            }
            Aggregate::Max => {
                if b > a {
                    b
                } else {
                    a
                }
            }
        }
    }
}

fn not_nan(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// Where members come from: a sorted set, or a set, whose members have the score 1.
#[derive(Clone, Copy)]
enum Source<'a> {
    None,
    ZSet(ZSetRef<'a>),
    Set(SetRef<'a>),
}

impl<'a> Source<'a> {
    /// The source that the key holds; its time has been looked at.
    fn at(db: &'a DbMut<'_>, key: &[u8]) -> Result<Source<'a>, CmdError> {
        match db.peek(key).map(|entry| entry.value()) {
            None => Ok(Source::None),
            Some(ValueRef::Object(ObjectRef::ZSet(zset))) => Ok(Source::ZSet(zset)),
            Some(ValueRef::Object(ObjectRef::Set(set))) => Ok(Source::Set(set)),
            Some(_) => Err(errors::WRONG_TYPE),
        }
    }

    fn len(self) -> usize {
        match self {
            Source::None => 0,
            Source::ZSet(zset) => zset.len(),
            Source::Set(set) => set.len(),
        }
    }

    /// The score of a member.
    fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Source::None => None,
            Source::ZSet(zset) => zset.score(member),
            Source::Set(set) => set.contains(member).then_some(1.0),
        }
    }

    /// Visits all members while `visit` says to go on.
    fn each(self, mut visit: impl FnMut(&[u8], f64) -> bool) {
        let mut scratch = Scratch::default();
        let on = std::cell::Cell::new(true);
        match self {
            Source::None => {}
            // It is visited in parts, so that it ends soon when `visit` says to stop.
            Source::ZSet(zset) => {
                for from in (0..zset.len()).step_by(PART).take_while(|_| on.get()) {
                    zset.ascend(from, PART, |member, score| {
                        on.set(on.get() && visit(member.bytes(&mut scratch), score));
                    });
                }
            }
            Source::Set(set) => {
                set.iter().all(|member| visit(member.bytes(&mut scratch), 1.0));
            }
        }
    }

    /// Whether both are one and the same value.
    fn is(self, other: Source<'_>) -> bool {
        match (self, other) {
            (Source::ZSet(a), Source::ZSet(b)) => a.is(b),
            (Source::Set(a), Source::Set(b)) => a.is(b),
            _ => false,
        }
    }
}

/// What the arguments ask for.
struct Request<'a> {
    keys: &'a [&'a [u8]],
    /// Empty: all are 1.
    weights: Vec<f64>,
    aggregate: Aggregate,
    scores: bool,
    /// 0: no limit.
    limit: usize,
}

/// What a command does with the result, and so which options it has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Reply,
    Store,
    Count,
}

impl<'a> Request<'a> {
    /// Looks the keys up, as Redis does between reading their number and the options.
    fn parse(ctx: &mut Ctx<'a>, at: usize, op: Op, to: Use) -> Result<Request<'a>, CmdError> {
        let argv = ctx.argv;
        let n = arg::int(argv.at(at))?;
        if n < 1 {
            let name = arg::name(argv);
            return Err(CmdError::err(format!(
                "at least 1 input key is needed for '{name}' command"
            )));
        }
        let rest = argv.from(at + 1);
        let n = usize::try_from(n).ok().filter(|&n| n <= rest.len()).ok_or(errors::SYNTAX)?;
        let keys = &rest[..n];
        for key in keys {
            match ctx.db.read(key, ctx.fx).map(|entry| entry.value()) {
                None | Some(ValueRef::Object(ObjectRef::ZSet(_) | ObjectRef::Set(_))) => {}
                Some(_) => return Err(errors::WRONG_TYPE),
            }
        }
        let mut request = Request {
            keys,
            weights: Vec::new(),
            aggregate: Aggregate::Sum,
            scores: false,
            limit: 0,
        };
        request.options(argv, at + 1 + n, op, to)?;
        Ok(request)
    }

    fn options(&mut self, argv: Argv<'a>, at: usize, op: Op, to: Use) -> Result<(), CmdError> {
        let weighs = op != Op::Diff && to != Use::Count;
        let mut options = Options::new(argv, at);
        while let Some(word) = options.next() {
            if weighs && options.remaining() >= self.keys.len() && arg::is(word, "weights") {
                let weights = options.by_ref().take(self.keys.len());
                self.weights = weights
                    .map(arg::float)
                    .collect::<Result<_, _>>()
                    .map_err(|_| CmdError::new("ERR weight value is not a float"))?;
            } else if weighs && options.remaining() >= 1 && arg::is(word, "aggregate") {
                self.aggregate = match options.value()? {
                    word if arg::is(word, "sum") => Aggregate::Sum,
                    word if arg::is(word, "min") => Aggregate::Min,
                    word if arg::is(word, "max") => Aggregate::Max,
                    _ => return Err(errors::SYNTAX),
                };
            } else if to == Use::Reply && arg::is(word, "withscores") {
                self.scores = true;
            } else if to == Use::Count && options.remaining() >= 1 && arg::is(word, "limit") {
                let text = options.value()?;
                self.limit = arg::int_in(text, 0, i64::MAX, "LIMIT can't be negative")? as usize;
            } else {
                return Err(errors::SYNTAX);
            }
        }
        Ok(())
    }

    /// The sources with their weights; the smallest first unless their order matters.
    fn sources<'d>(&self, db: &'d DbMut<'_>, op: Op) -> Result<Vec<(Source<'d>, f64)>, CmdError> {
        let weights = self.weights.iter().copied().chain(std::iter::repeat(1.0));
        let mut sources = self
            .keys
            .iter()
            .zip(weights)
            .map(|(key, weight)| Ok((Source::at(db, key)?, weight)))
            .collect::<Result<Vec<_>, CmdError>>()?;
        if op != Op::Diff {
            sources.sort_by_key(|(source, _)| source.len());
        }
        Ok(sources)
    }

    /// Members and scores of the result.
    fn evaluate(&self, db: &DbMut<'_>, op: Op, limits: &ZSetLimits) -> Result<Unsorted, CmdError> {
        let sources = self.sources(db, op)?;
        let room = match op {
            Op::Union => sources.last().map_or(0, |(source, _)| source.len()),
            Op::Inter | Op::Diff => 0,
        };
        let mut result = Unsorted::new(limits.seed, room);
        match op {
            Op::Union => {
                for (source, weight) in sources {
                    source.each(|member, score| {
                        let score = not_nan(weight * score);
                        result.add(member, score, |old| self.aggregate.join(old, score));
                        true
                    });
                }
            }
            Op::Inter => {
                self.intersect(&sources, |member, score| {
                    result.add(member, score, |old| old);
                    true
                });
            }
            Op::Diff => difference(&sources, |member, score| {
                result.add(member, score, |old| old);
            }),
        }
        Ok(result)
    }

    /// Visits the members that all sources have, with their joint score, while `visit` says to go
    /// on.
    fn intersect(&self, sources: &[(Source<'_>, f64)], mut visit: impl FnMut(&[u8], f64) -> bool) {
        let Some(((first, weight), others)) = sources.split_first() else { return };
        first.each(|member, score| {
            let mut joint = not_nan(weight * score);
            for (other, weight) in others {
                let Some(score) = other.score(member) else { return true };
                joint = self.aggregate.join(joint, score * weight);
            }
            visit(member, not_nan(joint))
        });
    }
}

/// Visits the members of the first source that no other has.
fn difference(sources: &[(Source<'_>, f64)], mut visit: impl FnMut(&[u8], f64)) {
    let Some(((first, _), others)) = sources.split_first() else { return };
    if others.iter().any(|(other, _)| other.is(*first)) {
        return;
    }
    first.each(|member, score| {
        if others.iter().all(|(other, _)| other.score(member).is_none()) {
            visit(member, score);
        }
        true
    });
}

/// Stores a result under a key, or deletes the key if there is none; how many elements there are.
pub(crate) fn store(
    db: &mut DbMut<'_>,
    key: &[u8],
    result: ZSet,
    event: &'static str,
    fx: &mut Effects,
) -> usize {
    let len = result.len();
    if len > 0 {
        db.set(key, SetValue::Collection(result.into_object()), Expire::None, fx);
        fx.modified(key);
        fx.event(EV_ZSET, event, key);
    } else if db.delete(key, Why::Overwrite, fx) {
        fx.modified(key);
        fx.event(EV_GENERIC, "del", key);
    }
    len
}

/// `ZUNION numkeys key [key ...] [WEIGHTS w ...] [AGGREGATE SUM|MIN|MAX] [WITHSCORES]`. O(n log n).
fn zunion(ctx: &mut Ctx<'_>) -> CmdResult {
    combine(ctx, Op::Union)
}

/// `ZINTER numkeys key [key ...] [WEIGHTS w ...] [AGGREGATE SUM|MIN|MAX] [WITHSCORES]`.
/// O(smallest * keys).
fn zinter(ctx: &mut Ctx<'_>) -> CmdResult {
    combine(ctx, Op::Inter)
}

/// `ZDIFF numkeys key [key ...] [WITHSCORES]`. O(first * keys).
fn zdiff(ctx: &mut Ctx<'_>) -> CmdResult {
    combine(ctx, Op::Diff)
}

fn combine(ctx: &mut Ctx<'_>, op: Op) -> CmdResult {
    let request = Request::parse(ctx, 1, op, Use::Reply)?;
    let result = request.evaluate(&ctx.db, op, &ctx.limits.zset())?.sort();
    reply_elements(ctx.reply, result.len(), request.scores);
    for (member, score) in result.ascend(0, result.len()) {
        reply_element(ctx.reply, Item::Str(member), request.scores.then_some(score));
    }
    Ok(Flow::Done)
}

/// `ZINTERCARD numkeys key [key ...] [LIMIT limit]`. O(smallest * keys).
fn zintercard(ctx: &mut Ctx<'_>) -> CmdResult {
    let request = Request::parse(ctx, 1, Op::Inter, Use::Count)?;
    let mut n = 0;
    request.intersect(&request.sources(&ctx.db, Op::Inter)?, |_, _| {
        n += 1;
        n != request.limit
    });
    ctx.reply.len_int(n);
    Ok(Flow::Done)
}

/// `ZUNIONSTORE destination numkeys key [key ...] [WEIGHTS w ...] [AGGREGATE SUM|MIN|MAX]`.
/// O(n log n).
fn zunionstore(ctx: &mut Ctx<'_>) -> CmdResult {
    combine_and_store(ctx, Op::Union)
}

/// `ZINTERSTORE destination numkeys key [key ...] [WEIGHTS w ...] [AGGREGATE SUM|MIN|MAX]`.
/// O(smallest * keys).
fn zinterstore(ctx: &mut Ctx<'_>) -> CmdResult {
    combine_and_store(ctx, Op::Inter)
}

/// `ZDIFFSTORE destination numkeys key [key ...]`. O(first * keys).
fn zdiffstore(ctx: &mut Ctx<'_>) -> CmdResult {
    combine_and_store(ctx, Op::Diff)
}

fn combine_and_store(ctx: &mut Ctx<'_>, op: Op) -> CmdResult {
    let request = Request::parse(ctx, 2, op, Use::Store)?;
    let limits = ctx.limits.zset();
    let result = ZSet::from_unsorted(request.evaluate(&ctx.db, op, &limits)?, &limits);
    let stored = store(&mut ctx.db, ctx.argv.at(1), result, op.event(), ctx.fx);
    ctx.reply.len_int(stored);
    Ok(Flow::Done)
}
