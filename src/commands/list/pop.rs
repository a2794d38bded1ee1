//! Popping from the first of several lists that has something, and waiting for one if none has.

use super::{pop_one, pop_range, popped};
use crate::commands::arg::{self, Options};
use crate::commands::{CmdResult, Ctx, Flow};
use crate::ds::pack::End;
use crate::resp::errors::{self, CmdError};
use crate::value::Type;
use crate::value::list::List;

/// `BLPOP key [key ...] timeout`. O(keys).
pub(super) fn blpop(ctx: &mut Ctx<'_>) -> CmdResult {
    pop_first(ctx, End::Front)
}

/// `BRPOP key [key ...] timeout`. O(keys).
pub(super) fn brpop(ctx: &mut Ctx<'_>) -> CmdResult {
    pop_first(ctx, End::Back)
}

fn pop_first(ctx: &mut Ctx<'_>, end: End) -> CmdResult {
    let last = ctx.argv.len() - 1;
    let until_ms = arg::timeout(ctx.argv.at(last), ctx.env)?;
    let keys = &ctx.argv.from(1)[..last - 1];
    let Ctx { db, reply, fx, limits, .. } = ctx;
    for key in keys {
        let Some(mut list) = db.touch_open::<List>(key, fx)? else { continue };
        reply.array(2);
        reply.bulk(key);
        let emptied = pop_one(&mut list, end, limits.list(), reply);
        drop(list);
        popped(db, fx, key, end, 1, emptied);
        fx.rewrite(&[pop_name(end), key]);
        return Ok(Flow::Done);
    }
    wait_for(ctx, keys, until_ms)
}

fn pop_name(end: End) -> &'static [u8] {
    match end {
        End::Front => b"LPOP",
        End::Back => b"RPOP",
    }
}

/// Blocks until one of the keys holds a list, if the caller can.
fn wait_for(ctx: &mut Ctx<'_>, keys: &[&[u8]], until_ms: Option<i64>) -> CmdResult {
    if ctx.env.deny_blocking {
        ctx.reply.null_array();
        return Ok(Flow::Done);
    }
    Ok(Flow::until_there(ctx.env, keys, Type::List, until_ms))
}

/// `numkeys key [key ...] LEFT|RIGHT [COUNT count]`.
struct Pops<'a> {
    keys: &'a [&'a [u8]],
    end: End,
    count: usize,
}

impl<'a> Pops<'a> {
    /// `at` is the place of `numkeys`.
    fn parse(ctx: &Ctx<'a>, at: usize) -> Result<Pops<'a>, CmdError> {
        let argv = ctx.argv;
        let text = "numkeys should be greater than 0";
        let keys = arg::int_in(argv.at(at), 1, i64::MAX, text)? as usize;
        if keys >= argv.len() - at - 1 {
            return Err(errors::SYNTAX);
        }
        let end = super::end(argv.at(at + keys + 1))?;
        let mut options = Options::new(argv, at + keys + 2);
        let mut count = None;
        while let Some(word) = options.next() {
            if count.is_some() || !arg::is(word, "count") {
                return Err(errors::SYNTAX);
            }
            let text = "count should be greater than 0";
            count = Some(arg::int_in(options.value()?, 1, i64::MAX, text)? as usize);
        }
        let keys = &argv.from(at + 1)[..keys];
        Ok(Pops { keys, end, count: count.unwrap_or(1) })
    }

    /// Pops from the first list that exists. Returns whether there is one.
    fn run(&self, ctx: &mut Ctx<'_>) -> Result<bool, CmdError> {
        let Ctx { db, reply, fx, limits, .. } = ctx;
        for key in self.keys {
            let Some(mut list) = db.touch_open::<List>(key, fx)? else { continue };
            reply.array(2);
            reply.bulk(key);
            let n = pop_range(&mut list, self.end, self.count, limits.list(), reply);
            let emptied = list.is_empty();
            drop(list);
            popped(db, fx, key, self.end, n, emptied);
            fx.rewrite(&[pop_name(self.end), key, n.to_string().as_bytes()]);
            return Ok(true);
        }
        Ok(false)
    }
}

/// `LMPOP numkeys key [key ...] LEFT|RIGHT [COUNT count]`. O(keys + count).
pub(super) fn lmpop(ctx: &mut Ctx<'_>) -> CmdResult {
    let pops = Pops::parse(ctx, 1)?;
    if !pops.run(ctx)? {
        ctx.reply.null_array();
    }
    Ok(Flow::Done)
}

/// `BLMPOP timeout numkeys key [key ...] LEFT|RIGHT [COUNT count]`. O(keys + count).
pub(super) fn blmpop(ctx: &mut Ctx<'_>) -> CmdResult {
    let pops = Pops::parse(ctx, 2)?;
    let until_ms = arg::timeout(ctx.argv.at(1), ctx.env)?;
    match pops.run(ctx)? {
        true => Ok(Flow::Done),
        false => wait_for(ctx, pops.keys, until_ms),
    }
}
