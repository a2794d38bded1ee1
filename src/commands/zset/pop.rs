//! Takes members from an end of a sorted set, at once or when there are some.

use crate::commands::arg::{self, Options};
use crate::commands::zset::{delete_emptied, reply_member};
use crate::commands::{CmdResult, Ctx, DataRow, Flow};
use crate::ds::listpack::Item;
use crate::keyspace::effects::EV_ZSET;
use crate::resp::argv::Argv;
use crate::resp::errors::{self, CmdError};
use crate::value::zset::ZSet;
use crate::value::{Collection, Type};

pub(crate) const COMMANDS: &[DataRow] = &[
    ("zpopmin", zpopmin),
    ("zpopmax", zpopmax),
    ("zmpop", zmpop),
    ("bzpopmin", bzpopmin),
    ("bzpopmax", bzpopmax),
    ("bzmpop", bzmpop),
];

/// The end to take from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Min,
    Max,
}

impl End {
    /// The command that takes from this end, and the event that tells of it.
    fn command(self) -> &'static str {
        match self {
            End::Min => "zpopmin",
            End::Max => "zpopmax",
        }
    }
}

/// The form of the reply.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Members and scores in a row.
    Flat,
    /// A pair for each member.
    Pairs,
    /// The key, then one member and its score.
    KeyFlat,
    /// The key, then an array of pairs.
    KeyPairs,
}

/// Takes up to `count` members (one at least) of the set at `key`; how many, or None if there is no
/// such key.
fn pop(
    ctx: &mut Ctx<'_>,
    key: &[u8],
    end: End,
    count: usize,
    form: Form,
) -> Result<Option<usize>, CmdError> {
    let Ctx { db, reply, fx, .. } = ctx;
    let Some(mut zset) = db.touch_open::<ZSet>(key, fx)? else { return Ok(None) };
    let len = zset.len();
    let n = count.min(len);
    match form {
        Form::Flat => reply.array(2 * n),
        Form::Pairs => reply.array(n),
        Form::KeyFlat => {
            reply.array(1 + 2 * n);
            reply.bulk(key);
        }
        Form::KeyPairs => {
            reply.array(2);
            reply.bulk(key);
            reply.array(n);
        }
    }
    let pairs = matches!(form, Form::Pairs | Form::KeyPairs);
    let mut show = |member: Item<'_>, score: f64| {
        if pairs {
            reply.array(2);
        }
        reply_member(reply, member);
        reply.double(score);
    };
    match end {
        End::Min => {
            zset.remove_range(0, n, show);
        }
        End::Max => {
            zset.view().descend(len - 1, n, &mut show);
            zset.remove_range(len - n, n, |_, _| {});
        }
    }
    drop(zset);
    fx.event(EV_ZSET, end.command(), key);
    fx.dirty += n as u64 - 1;
    fx.modified(key);
    if n == len {
        delete_emptied(db, key, fx);
    }
    Ok(Some(n))
}

/// `ZPOPMIN key [count]`. O(log n) for each. Reply: members and scores, the lowest first.
fn zpopmin(ctx: &mut Ctx<'_>) -> CmdResult {
    pop_one_key(ctx, End::Min)
}

/// `ZPOPMAX key [count]`. O(log n) for each. Reply: members and scores, the highest first.
fn zpopmax(ctx: &mut Ctx<'_>) -> CmdResult {
    pop_one_key(ctx, End::Max)
}

fn pop_one_key(ctx: &mut Ctx<'_>, end: End) -> CmdResult {
    let argv = ctx.argv;
    let positive = "value is out of range, must be positive";
    let (count, form) = match argv.from(2) {
        [] => (1, Form::Flat),
        [count] => {
            let count = arg::int_in(count, 0, i64::MAX, positive)?;
            (count as usize, if ctx.reply.resp3() { Form::Pairs } else { Form::Flat })
        }
        _ => return Err(errors::SYNTAX),
    };
    let key = argv.at(1);
    if count == 0 {
        // It is still an error if the key holds another type.
        ctx.db.touch_as::<ZSet>(key, ctx.fx)?;
        ctx.reply.array(0);
    } else if pop(ctx, key, end, count, form)?.is_none() {
        ctx.reply.array(0);
    }
    Ok(Flow::Done)
}

/// Keys, end and count of ZMPOP and BZMPOP.
struct Many<'a> {
    keys: &'a [&'a [u8]],
    end: End,
    count: usize,
    waits: Waits,
}

/// Whether a command waits for members when there are none.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    No,
    Yes,
}

impl<'a> Many<'a> {
    /// Parses from the number of keys on, which is argument `at`.
    fn parse(argv: Argv<'a>, at: usize, waits: Waits) -> Result<Many<'a>, CmdError> {
        let n = arg::int_in(argv.at(at), 1, i64::MAX, "numkeys should be greater than 0")?;
        let end_at = usize::try_from(n).ok().and_then(|n| n.checked_add(at + 1));
        let end_at = end_at.filter(|&i| i < argv.len()).ok_or(errors::SYNTAX)?;
        let end = match argv.at(end_at) {
            word if arg::is(word, "min") => End::Min,
            word if arg::is(word, "max") => End::Max,
            _ => return Err(errors::SYNTAX),
        };
        let (mut count, mut options) = (None, Options::new(argv, end_at + 1));
        while let Some(word) = options.next() {
            if count.is_some() || !arg::is(word, "count") {
                return Err(errors::SYNTAX);
            }
            let text = options.value()?;
            count = Some(arg::int_in(text, 1, i64::MAX, "count should be greater than 0")?);
        }
        let keys = &argv.from(at + 1)[..end_at - at - 1];
        Ok(Many { keys, end, count: count.unwrap_or(1) as usize, waits })
    }

    /// Takes from the first key that holds a set; whether there was one.
    fn pop(&self, ctx: &mut Ctx<'_>) -> Result<bool, CmdError> {
        for &key in self.keys {
            if self.waits == Waits::Yes {
                look_first(ctx, key)?;
            }
            if let Some(n) = pop(ctx, key, self.end, self.count, Form::KeyPairs)? {
                let (command, n) = (self.end.command().to_ascii_uppercase(), n.to_string());
                ctx.fx.rewrite(&[command.as_bytes(), key, n.as_bytes()]);
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// `ZMPOP numkeys key [key ...] MIN|MAX [COUNT count]`
///
/// Takes members of the first set that there is. O(keys + log n for each). Reply: the key and
/// pairs, or null.
fn zmpop(ctx: &mut Ctx<'_>) -> CmdResult {
    if !Many::parse(ctx.argv, 1, Waits::No)?.pop(ctx)? {
        ctx.reply.null_array();
    }
    Ok(Flow::Done)
}

/// `BZMPOP timeout numkeys key [key ...] MIN|MAX [COUNT count]`: ZMPOP that waits.
fn bzmpop(ctx: &mut Ctx<'_>) -> CmdResult {
    let many = Many::parse(ctx.argv, 2, Waits::Yes)?;
    let until_ms = arg::timeout(ctx.argv.at(1), ctx.env)?;
    if many.pop(ctx)? {
        return Ok(Flow::Done);
    }
    wait(ctx, many.keys, until_ms)
}

/// `BZPOPMIN key [key ...] timeout`
///
/// Takes the lowest member of the first set that there is, waiting for one. Reply: key, member,
/// score, or null.
fn bzpopmin(ctx: &mut Ctx<'_>) -> CmdResult {
    pop_or_wait(ctx, End::Min)
}

/// `BZPOPMAX key [key ...] timeout`: the same for the highest.
fn bzpopmax(ctx: &mut Ctx<'_>) -> CmdResult {
    pop_or_wait(ctx, End::Max)
}

fn pop_or_wait(ctx: &mut Ctx<'_>, end: End) -> CmdResult {
    let (argv, last) = (ctx.argv, ctx.argv.len() - 1);
    let until_ms = arg::timeout(argv.at(last), ctx.env)?;
    let keys = &argv.from(1)[..last - 1];
    for &key in keys {
        look_first(ctx, key)?;
        if pop(ctx, key, end, 1, Form::KeyFlat)?.is_some() {
            ctx.fx.rewrite(&[end.command().to_ascii_uppercase().as_bytes(), key]);
            return Ok(Flow::Done);
        }
    }
    wait(ctx, keys, until_ms)
}

/// Compat: commands that wait look a key up twice, to see whether it is there and to take from it.
/// That makes two accesses.
fn look_first(ctx: &mut Ctx<'_>, key: &[u8]) -> Result<(), CmdError> {
    ctx.db.touch_as::<ZSet>(key, ctx.fx).map(|_| ())
}

fn wait(ctx: &mut Ctx<'_>, keys: &[&[u8]], until_ms: Option<i64>) -> CmdResult {
    if ctx.env.deny_blocking {
        ctx.reply.null_array();
        return Ok(Flow::Done);
    }
    Ok(Flow::until_there(ctx.env, keys, Type::ZSet, until_ms))
}
