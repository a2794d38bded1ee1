//! Ranges of sorted sets, by rank, score or alphabet: reading, counting, removing and storing them.
//!
//! Every range is turned into ranks first (`Range::ranks`), so that there is one way to read, count
//! and remove it.

use crate::commands::arg::{self, Options};
use crate::commands::zset::store::store;
use crate::commands::zset::{delete_emptied, reply_element, reply_elements};
use crate::commands::{CmdResult, Ctx, DataRow, Flow};
use crate::ds::listpack::Scratch;
use crate::ds::ordered::table::SortedTable;
use crate::ds::ordered::{AtMember, AtScore, Cut, End};
use crate::keyspace::effects::EV_ZSET;
use crate::resp::argv::Argv;
use crate::resp::errors::{self, CmdError};
use crate::util::num;
use crate::value::zset::{ZSet, ZSetRef};
use crate::value::{Collection, View};

pub(crate) const COMMANDS: &[DataRow] = &[
    ("zrange", zrange),
    ("zrangestore", zrangestore),
    ("zrangebyscore", zrangebyscore),
    ("zrevrangebyscore", zrevrangebyscore),
    ("zrangebylex", zrangebylex),
    ("zrevrangebylex", zrevrangebylex),
    ("zrevrange", zrevrange),
    ("zcount", zcount),
    ("zlexcount", zlexcount),
    ("zremrangebyrank", zremrangebyrank),
    ("zremrangebyscore", zremrangebyscore),
    ("zremrangebylex", zremrangebylex),
];

/// What a range is given by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Lex,
}

/// A border of an alphabetic range.
#[derive(Clone, Copy)]
enum Letter<'a> {
    End(End),
    At(AtMember<'a>),
}

impl Cut for Letter<'_> {
    fn follows<'m>(&self, score: f64, member: impl FnOnce() -> &'m [u8]) -> bool {
        match self {
            Letter::End(end) => end.follows(score, member),
            Letter::At(cut) => cut.follows(score, member),
        }
    }
}

/// A range: what is between two cuts, or two ranks, the last included.
enum Range<'a> {
    Rank(i64, i64),
    Score(AtScore, AtScore),
    Lex(Letter<'a>, Letter<'a>),
}

/// A border of a range of scores, and whether it is excluded.
fn score_border(text: &[u8]) -> Option<(f64, bool)> {
    let (text, excluded) = match text {
        [b'(', rest @ ..] => (rest, true),
        _ => (text, false),
    };
    Some((num::parse_f64_c(text, true)?, excluded))
}

/// A border of an alphabetic range; `lower`: whether what it names is behind it.
fn letter_border(text: &[u8], lower: bool) -> Option<Letter<'_>> {
    match text {
        [b'-'] => Some(Letter::End(End::Front)),
        [b'+'] => Some(Letter::End(End::Back)),
        [b'[', member @ ..] => Some(Letter::At(AtMember { member, behind: !lower })),
        [b'(', member @ ..] => Some(Letter::At(AtMember { member, behind: lower })),
        _ => None,
    }
}

impl<'a> Range<'a> {
    fn parse(by: By, min: &'a [u8], max: &'a [u8]) -> Result<Range<'a>, CmdError> {
        match by {
            By::Rank => Ok(Range::Rank(arg::int(min)?, arg::int(max)?)),
            By::Score => {
                let bad = || CmdError::new("ERR min or max is not a float");
                let (low, low_excluded) = score_border(min).ok_or_else(bad)?;
                let (high, high_excluded) = score_border(max).ok_or_else(bad)?;
                Ok(Range::Score(
                    AtScore { score: low, behind: low_excluded },
                    AtScore { score: high, behind: !high_excluded },
                ))
            }
            By::Lex => {
                let bad = || CmdError::new("ERR min or max not valid string range item");
                let low = letter_border(min, true).ok_or_else(bad)?;
                Ok(Range::Lex(low, letter_border(max, false).ok_or_else(bad)?))
            }
        }
    }

    /// The rank of the first element, and the number of them. Ranks count from the other end if
    /// `reverse`.
    fn ranks(&self, zset: ZSetRef<'_>, reverse: bool) -> (usize, usize) {
        let (from, to) = match self {
            Range::Rank(start, end) => return ranks(*start, *end, zset.len(), reverse),
            Range::Score(low, high) => (zset.count_before(low), zset.count_before(high)),
            Range::Lex(low, high) => (zset.count_before(low), zset.count_before(high)),
        };
        (from, to.saturating_sub(from))
    }
}

/// Ranks as clients give them: negative ones count from the end.
fn ranks(start: i64, end: i64, len: usize, reverse: bool) -> (usize, usize) {
    let len = len as i64;
    let from_end = |i: i64| if i < 0 { len.saturating_add(i) } else { i };
    let (start, end) = (from_end(start).max(0), from_end(end).min(len - 1));
    if start > end {
        return (0, 0);
    }
    let n = (end - start + 1) as usize;
    (if reverse { len - 1 - end } else { start } as usize, n)
}

/// What a command of the ZRANGE family is asked for.
struct Request<'a> {
    range: Range<'a>,
    reverse: bool,
    offset: i64,
    /// Negative: no limit.
    limit: i64,
    scores: bool,
}

/// What the name of a command fixes, so that its options can't change it.
#[derive(Clone, Copy)]
struct Fixed {
    by: Option<By>,
    reverse: Option<bool>,
    /// The result is stored, so WITHSCORES makes no sense.
    store: bool,
}

impl<'a> Request<'a> {
    /// Parses what follows the key, which is argument `key`.
    fn parse(argv: Argv<'a>, key: usize, fixed: Fixed) -> Result<Request<'a>, CmdError> {
        let Fixed { mut by, mut reverse, store } = fixed;
        let (mut offset, mut limit, mut scores) = (0, -1, false);
        let mut options = Options::new(argv, key + 3);
        while let Some(word) = options.next() {
            if !store && arg::is(word, "withscores") {
                scores = true;
            } else if arg::is(word, "limit") && options.remaining() >= 2 {
                offset = arg::int(options.value()?)?;
                limit = arg::int(options.value()?)?;
            } else if fixed.reverse.is_none() && reverse.is_none() && arg::is(word, "rev") {
                reverse = Some(true);
            } else if by.is_none() && arg::is(word, "bylex") {
                by = Some(By::Lex);
            } else if by.is_none() && arg::is(word, "byscore") {
                by = Some(By::Score);
            } else {
                return Err(errors::SYNTAX);
            }
        }
        let (by, reverse) = (by.unwrap_or(By::Rank), reverse.unwrap_or(false));
        if limit != -1 && by == By::Rank {
            return Err(CmdError::new(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ));
        }
        if scores && by == By::Lex {
            return Err(CmdError::new(
                "ERR syntax error, WITHSCORES not supported in combination with BYLEX",
            ));
        }
        let (mut min, mut max) = (argv.at(key + 1), argv.at(key + 2));
        if reverse && by != By::Rank {
            std::mem::swap(&mut min, &mut max);
        }
        Ok(Request { range: Range::parse(by, min, max)?, reverse, offset, limit, scores })
    }

    /// The rank of the lowest element asked for, and the number of them.
    fn ranks(&self, zset: ZSetRef<'_>) -> (usize, usize) {
        let (from, n) = self.range.ranks(zset, self.reverse);
        // Compat: LIMIT with a count of -1 gets past the check, and has no effect.
        if matches!(self.range, Range::Rank(..)) {
            return (from, n);
        }
        // Compat: a negative offset is behind everything.
        let skip = usize::try_from(self.offset).unwrap_or(usize::MAX).min(n);
        let left = (n - skip).min(usize::try_from(self.limit).unwrap_or(usize::MAX));
        (if self.reverse { from + n - skip - left } else { from + skip }, left)
    }
}

/// `ZRANGE key start stop [BYSCORE|BYLEX] [REV] [LIMIT offset count] [WITHSCORES]`.
/// O(log n + elements).
fn zrange(ctx: &mut Ctx<'_>) -> CmdResult {
    range(ctx, Fixed { by: None, reverse: None, store: false })
}

/// `ZREVRANGE key start stop [WITHSCORES]`. O(log n + elements).
fn zrevrange(ctx: &mut Ctx<'_>) -> CmdResult {
    range(ctx, Fixed { by: Some(By::Rank), reverse: Some(true), store: false })
}

/// `ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]`. O(log n + elements).
fn zrangebyscore(ctx: &mut Ctx<'_>) -> CmdResult {
    range(ctx, Fixed { by: Some(By::Score), reverse: Some(false), store: false })
}

/// `ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]`. O(log n + elements).
fn zrevrangebyscore(ctx: &mut Ctx<'_>) -> CmdResult {
    range(ctx, Fixed { by: Some(By::Score), reverse: Some(true), store: false })
}

/// `ZRANGEBYLEX key min max [LIMIT offset count]`. O(log n + elements).
fn zrangebylex(ctx: &mut Ctx<'_>) -> CmdResult {
    range(ctx, Fixed { by: Some(By::Lex), reverse: Some(false), store: false })
}

/// `ZREVRANGEBYLEX key max min [LIMIT offset count]`. O(log n + elements).
fn zrevrangebylex(ctx: &mut Ctx<'_>) -> CmdResult {
    range(ctx, Fixed { by: Some(By::Lex), reverse: Some(true), store: false })
}

fn range(ctx: &mut Ctx<'_>, fixed: Fixed) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let request = Request::parse(*argv, 1, fixed)?;
    let Some(zset) = db.read_as::<ZSet>(argv.at(1), fx)? else {
        reply.array(0);
        return Ok(Flow::Done);
    };
    let ((from, n), scores) = (request.ranks(zset), request.scores);
    reply_elements(reply, n, scores);
    match request.reverse {
        false => zset.ascend(from, n, |m, score| reply_element(reply, m, scores.then_some(score))),
        true if n > 0 => {
            zset.descend(from + n - 1, n, |m, score| {
                reply_element(reply, m, scores.then_some(score))
            });
        }
        true => {}
    }
    Ok(Flow::Done)
}

/// `ZRANGESTORE dst src min max [BYSCORE|BYLEX] [REV] [LIMIT offset count]`
///
/// Stores a range under another key. O(log n + elements). Reply: how many there are.
fn zrangestore(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, limits, .. } = ctx;
    let request = Request::parse(*argv, 2, Fixed { by: None, reverse: None, store: true })?;
    let limits = limits.zset();
    let result = db.read_as::<ZSet>(argv.at(2), fx)?.map(|zset| {
        let (from, n) = request.ranks(zset);
        let (mut table, mut longest) = (SortedTable::new(limits.seed), 0);
        if n > limits.entries {
            table.reserve(n);
        }
        let mut scratch = Scratch::default();
        // The order is ascending, whichever end the range was taken from.
        zset.ascend(from, n, |member, score| {
            let member = member.bytes(&mut scratch);
            longest = longest.max(member.len());
            table.push_back(member, score);
        });
        ZSet::from_table(table, longest, &limits)
    });
    let stored = store(db, argv.at(1), result.unwrap_or_default(), "zrangestore", fx);
    reply.len_int(stored);
    Ok(Flow::Done)
}

/// `ZCOUNT key min max`. O(log n).
fn zcount(ctx: &mut Ctx<'_>) -> CmdResult {
    count(ctx, By::Score)
}

/// `ZLEXCOUNT key min max`. O(log n).
fn zlexcount(ctx: &mut Ctx<'_>) -> CmdResult {
    count(ctx, By::Lex)
}

fn count(ctx: &mut Ctx<'_>, by: By) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let range = Range::parse(by, argv.at(2), argv.at(3))?;
    reply.len_int(db.read_as::<ZSet>(argv.at(1), fx)?.map_or(0, |zset| range.ranks(zset, false).1));
    Ok(Flow::Done)
}

/// `ZREMRANGEBYRANK key start stop`. O(log n + elements).
fn zremrangebyrank(ctx: &mut Ctx<'_>) -> CmdResult {
    remove(ctx, By::Rank, "zremrangebyrank")
}

/// `ZREMRANGEBYSCORE key min max`. O(log n + elements).
fn zremrangebyscore(ctx: &mut Ctx<'_>) -> CmdResult {
    remove(ctx, By::Score, "zremrangebyscore")
}

/// `ZREMRANGEBYLEX key min max`. O(log n + elements).
fn zremrangebylex(ctx: &mut Ctx<'_>) -> CmdResult {
    remove(ctx, By::Lex, "zremrangebylex")
}

fn remove(ctx: &mut Ctx<'_>, by: By, event: &'static str) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let key = argv.at(1);
    let range = Range::parse(by, argv.at(2), argv.at(3))?;
    let Some(mut zset) = db.touch_open::<ZSet>(key, fx)? else {
        reply.int(0);
        return Ok(Flow::Done);
    };
    let (from, n) = range.ranks(zset.view(), false);
    let all = n == zset.len();
    if n > 0 {
        // If the whole set is removed its key is deleted, which can free it lazily.
        if !all {
            zset.remove_range(from, n, |_, _| {});
        }
        drop(zset);
        fx.dirty += n as u64 - 1;
        fx.modified(key);
        fx.event(EV_ZSET, event, key);
        if all {
            delete_emptied(db, key, fx);
        }
    }
    reply.len_int(n);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_are_read_as_strtod_reads_them() {
        assert_eq!(score_border(b"(1.5"), Some((1.5, true)));
        assert_eq!(score_border(b"-inf"), Some((f64::NEG_INFINITY, false)));
        assert_eq!(score_border(b"+inf"), Some((f64::INFINITY, false)));
        assert_eq!(score_border(b"(-Infinity"), Some((f64::NEG_INFINITY, true)));
        assert_eq!(score_border(b" 7"), Some((7.0, false)));
        assert_eq!(score_border(b"1e400"), Some((f64::INFINITY, false)));
        assert_eq!(score_border(b"0x10"), Some((16.0, false)));
        assert_eq!(score_border(b""), Some((0.0, false)));
        assert_eq!(score_border(b"("), Some((0.0, true)));
        for bad in [&b"str"[..], b"NaN", b"(nan", b"1 ", b"[1", b"((1"] {
            assert_eq!(score_border(bad), None, "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn ranks_are_cut_as_redis_cuts_them() {
        for (start, end, forward, backward) in [
            (0, -1, (0, 5), (0, 5)),
            (0, 1, (0, 2), (3, 2)),
            (-2, -1, (3, 2), (0, 2)),
            (1, 100, (1, 4), (0, 4)),
            (-100, 0, (0, 1), (4, 1)),
            (3, 1, (0, 0), (0, 0)),
            (5, 9, (0, 0), (0, 0)),
            (i64::MIN, i64::MAX, (0, 5), (0, 5)),
            (0, i64::MIN, (0, 0), (0, 0)),
        ] {
            assert_eq!(ranks(start, end, 5, false), forward);
            assert_eq!(ranks(start, end, 5, true), backward);
        }
    }
}
