//! Moving an element from one list to another, and waiting for one to move.

use super::{delete, end, pushed, reply_item};
use crate::commands::arg;
use crate::commands::{CmdResult, Ctx, Flow};
use crate::ds::pack::End;
use crate::keyspace::effects::EV_LIST;
use crate::resp::errors::CmdError;
use crate::value::Type;
use crate::value::list::List;

/// `LMOVE source destination LEFT|RIGHT LEFT|RIGHT`. O(1).
pub(super) fn lmove(ctx: &mut Ctx<'_>) -> CmdResult {
    let (from, to) = (end(ctx.argv.at(3))?, end(ctx.argv.at(4))?);
    if !transfer(ctx, from, to)? {
        ctx.reply.null();
    }
    Ok(Flow::Done)
}

/// `RPOPLPUSH source destination`. O(1).
pub(super) fn rpoplpush(ctx: &mut Ctx<'_>) -> CmdResult {
    if !transfer(ctx, End::Back, End::Front)? {
        ctx.reply.null();
    }
    Ok(Flow::Done)
}

/// `BLMOVE source destination LEFT|RIGHT LEFT|RIGHT timeout`. O(1).
pub(super) fn blmove(ctx: &mut Ctx<'_>) -> CmdResult {
    let (from, to) = (end(ctx.argv.at(3))?, end(ctx.argv.at(4))?);
    let until_ms = arg::timeout(ctx.argv.at(5), ctx.env)?;
    look_first(ctx)?;
    if !transfer(ctx, from, to)? {
        return wait(ctx, until_ms);
    }
    let argv = ctx.argv;
    ctx.fx.rewrite(&[b"LMOVE", argv.at(1), argv.at(2), argv.at(3), argv.at(4)]);
    Ok(Flow::Done)
}

/// `BRPOPLPUSH source destination timeout`. O(1).
pub(super) fn brpoplpush(ctx: &mut Ctx<'_>) -> CmdResult {
    let until_ms = arg::timeout(ctx.argv.at(3), ctx.env)?;
    look_first(ctx)?;
    if !transfer(ctx, End::Back, End::Front)? {
        return wait(ctx, until_ms);
    }
    let argv = ctx.argv;
    ctx.fx.rewrite(&[b"RPOPLPUSH", argv.at(1), argv.at(2)]);
    Ok(Flow::Done)
}

/// Compat: commands that wait look the source up twice, to see whether it is there and to move from
/// it. That makes two accesses.
fn look_first(ctx: &mut Ctx<'_>) -> Result<(), CmdError> {
    ctx.db.touch_as::<List>(ctx.argv.at(1), ctx.fx).map(|_| ())
}

fn wait(ctx: &mut Ctx<'_>, until_ms: Option<i64>) -> CmdResult {
    if ctx.env.deny_blocking {
        ctx.reply.null();
        return Ok(Flow::Done);
    }
    // Compat: refused at once it is a null, but a null array when the time is up.
    Ok(Flow::until_there(ctx.env, &[ctx.argv.at(1)], Type::List, until_ms))
}

/// Moves an element and writes it. False if there is no source; then nothing is written.
fn transfer(ctx: &mut Ctx<'_>, from: End, to: End) -> Result<bool, CmdError> {
    let Ctx { db, argv, reply, fx, limits, .. } = ctx;
    let (source, destination, shape) = (argv.at(1), argv.at(2), limits.list());
    if db.touch_as::<List>(source, fx)?.is_none() {
        return Ok(false);
    }
    // Both must be lists before an element is taken.
    db.touch_as::<List>(destination, fx)?;
    let Some(mut list) = db.find_open::<List>(source, fx)? else { return Ok(false) };
    let Some(item) = list.end(from) else { return Ok(false) };
    reply_item(reply, item);
    let text = item.to_vec();
    let mut emptied = false;
    if source == destination {
        list.rotate(from, to, &text, shape);
        drop(list);
    } else {
        list.pop(from, shape);
        emptied = list.is_empty();
        drop(list);
        let mut list = db.find_or_new(destination, fx, || List::with_room(text.len() + 2))?;
        list.push(to, std::iter::once(&text[..]), shape);
    }
    pushed(fx, destination, to, 1);
    fx.event(EV_LIST, if from == End::Front { "lpop" } else { "rpop" }, source);
    if emptied {
        delete(db, fx, source);
    }
    fx.touched(source);
    Ok(true)
}
