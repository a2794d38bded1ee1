//! Taking over what other consumers left lying: XCLAIM by ID, XAUTOCLAIM by a scan.

use super::dead::Dead;
use super::group::{find_or_add, no_group, tell_claim, tell_position};
use super::{id, reply_entry, reply_id, start_id};
use crate::commands::arg;
use crate::commands::{CmdResult, Ctx, DataRow, Flow};
use crate::ds::stream::Stream as Inner;
use crate::ds::stream::group::Pending;
use crate::ds::stream::id::{Id, IdText};
use crate::resp::argv::Argv;
use crate::resp::errors::{self, CmdError};
use crate::value::stream::Stream;

pub(crate) const COMMANDS: &[DataRow] = &[("xclaim", xclaim), ("xautoclaim", xautoclaim)];

/// XAUTOCLAIM looks at so many entries for each that it may take.
const ATTEMPTS: usize = 10;
/// The most that it may take.
const COUNT_MAX: i64 = i64::MAX / 16;

/// The options of XCLAIM, behind its IDs.
struct Options {
    delivered_ms: i64,
    deliveries: Option<u64>,
    force: bool,
    just_id: bool,
    last_id: Id,
}

impl Options {
    fn parse(argv: Argv<'_>, mut at: usize, now_ms: i64) -> Result<Options, CmdError> {
        let mut time = -1;
        let mut options = Options {
            delivered_ms: now_ms,
            deliveries: None,
            force: false,
            just_id: false,
            last_id: Id::MIN,
        };
        let int = |text, what| {
            let what = format!("Invalid {what} option argument for XCLAIM");
            arg::int(text).map_err(|_| CmdError::err(what))
        };
        while at < argv.len() {
            let (word, value) = (argv.at(at), (at + 1 < argv.len()).then(|| argv.at(at + 1)));
            at += 1;
            match value {
                _ if arg::is(word, "force") => options.force = true,
                _ if arg::is(word, "justid") => options.just_id = true,
                Some(value) if arg::is(word, "idle") => {
                    time = now_ms.wrapping_sub(int(value, "IDLE")?);
                    at += 1;
                }
                Some(value) if arg::is(word, "time") => {
                    time = int(value, "TIME")?;
                    at += 1;
                }
                Some(value) if arg::is(word, "retrycount") => {
                    options.deliveries = u64::try_from(int(value, "RETRYCOUNT")?).ok();
                    at += 1;
                }
                Some(value) if arg::is(word, "lastid") => {
                    options.last_id = id(value)?;
                    at += 1;
                }
                _ => {
                    let word = errors::shown(word);
                    let text = [b"Unrecognized XCLAIM option '", word, b"'"].concat();
                    return Err(CmdError::err(text));
                }
            }
        }
        // Compat: a time that can't be is now; clients compute it with clocks of their own.
        if (0..=now_ms).contains(&time) {
            options.delivered_ms = time;
        }
        Ok(options)
    }
}

/// `XCLAIM key group consumer min-idle-time id [id ...] [IDLE ms] [TIME ms] [RETRYCOUNT n] [FORCE]
/// [JUSTID] [LASTID id]`
///
/// Makes entries that are pending the consumer's own. Reply: the entries, or their IDs.
/// O(each: log pending + entries of a block).
fn xclaim(ctx: &mut Ctx<'_>) -> CmdResult {
    let (key, name) = (ctx.argv.at(1), ctx.argv.at(2));
    let mut dead = Dead::of(ctx, key, name);
    let Ctx { db, argv, reply, fx, env, .. } = ctx;
    let there = db.read_as::<Stream>(key, fx)?.is_some();
    let mut stream = if there { db.find_open::<Stream>(key, fx)? } else { None };
    let Some(Inner { log, groups, .. }) = stream.as_mut().map(|stream| &mut ***stream) else {
        return Err(no_group(key, name, ""));
    };
    let group = groups.get_mut(name).ok_or_else(|| no_group(key, name, ""))?;
    let min_idle = arg::int(argv.at(4))
        .map_err(|_| CmdError::new("ERR Invalid min-idle-time argument for XCLAIM"))?;
    // What is no ID begins the options.
    let ids: Vec<Id> = argv.from(5).iter().map_while(|arg| id(arg).ok()).collect();
    let options = Options::parse(*argv, 5 + ids.len(), env.now_ms)?;
    fx.dont_propagate();
    let mut moved = options.last_id > group.last_id;
    if moved {
        group.last_id = options.last_id;
    }
    let slot = find_or_add(group, argv.at(3), key, fx, env);
    let (at, mut n) = (reply.begin_array(), 0);
    for (&id, text) in ids.iter().zip(argv.from(5)) {
        let old = group.pending().get(&id).copied();
        let Some(entry) = log.get(id) else {
            // The entry is gone, and so nobody can do it any more.
            if let Some(old) = old {
                tell_claim(fx, key, name, group, text, &old);
                moved = false;
                fx.dirty += 1;
                group.remove(id);
            }
            continue;
        };
        let Some(before) = old.or_else(|| {
            options.force.then_some(Pending { consumer: slot, delivered_ms: 0, deliveries: 1 })
        }) else {
            continue;
        };
        let idle = env.now_ms.wrapping_sub(before.delivered_ms);
        if old.is_some() && min_idle > 0 && idle < min_idle {
            continue;
        }
        if let Some(old) = old.filter(|old| !options.just_id && dead.is(old))
            && dead.take(entry, (key, name), group, &old)
        {
            continue;
        }
        let deliveries = match options.deliveries {
            Some(n) => n,
            None => before.deliveries.wrapping_add(u64::from(!options.just_id)),
        };
        let new = Pending { consumer: slot, delivered_ms: options.delivered_ms, deliveries };
        group.put(id, new);
        group.consumer_mut(slot).active_ms = env.now_ms;
        match options.just_id {
            true => reply_id(reply, id),
            false => reply_entry(reply, entry),
        }
        n += 1;
        tell_claim(fx, key, name, group, text, &new);
        moved = false;
        fx.dirty += 1;
        if new.delivered_ms < env.now_ms {
            // Others may wait for what has been pending for long.
            fx.ready(key);
        }
    }
    if moved {
        tell_position(fx, key, name, group);
        fx.dirty += 1;
    }
    reply.end_array(at, n);
    drop(stream);
    dead.deliver(ctx, key, name)?;
    Ok(Flow::Done)
}

/// `XAUTOCLAIM key group consumer min-idle-time start [COUNT n] [JUSTID]`
///
/// Looks at what is pending from an ID on, and makes what has been lying long enough the consumer's
/// own. Reply: where to go on, the entries or their IDs, and IDs of entries that are gone.
/// O(each that is looked at: log pending + entries of a block).
fn xautoclaim(ctx: &mut Ctx<'_>) -> CmdResult {
    let (key, name) = (ctx.argv.at(1), ctx.argv.at(2));
    let mut dead = Dead::of(ctx, key, name);
    let Ctx { db, argv, reply, fx, env, .. } = ctx;
    // Compat: the key is looked up before the arguments are read.
    db.read(key, fx);
    let min_idle = arg::int(argv.at(4))
        .map_err(|_| CmdError::new("ERR Invalid min-idle-time argument for XAUTOCLAIM"))?;
    let start = start_id(argv.at(5))?;
    let (mut count, mut just_id) = (100, false);
    let mut at = 6;
    while at < argv.len() {
        if at + 1 < argv.len() && arg::is(argv.at(at), "count") {
            let text = "COUNT must be > 0";
            count = arg::int_in(argv.at(at + 1), 1, COUNT_MAX, text)? as usize;
            at += 1;
        } else if arg::is(argv.at(at), "justid") {
            just_id = true;
        } else {
            return Err(errors::SYNTAX);
        }
        at += 1;
    }
    let mut stream = db.find_open::<Stream>(key, fx)?;
    let Some(Inner { log, groups, .. }) = stream.as_mut().map(|stream| &mut ***stream) else {
        return Err(no_group(key, name, ""));
    };
    let group = groups.get_mut(name).ok_or_else(|| no_group(key, name, ""))?;
    fx.dont_propagate();
    let slot = find_or_add(group, argv.at(3), key, fx, env);
    let (mut attempts, mut left) = (count.saturating_mul(ATTEMPTS), count);
    let (mut from, mut gone) = (Some(start), Vec::new());
    let mut claimed = Vec::new();
    while attempts > 0 && left > 0 {
        let next = from.and_then(|from| group.pending().range(from..).next());
        let Some((&id, &old)) = next else {
            from = None;
            break;
        };
        attempts -= 1;
        from = id.next();
        let entry = log.get(id);
        let idle = env.now_ms.wrapping_sub(old.delivered_ms);
        match entry {
            None => {
                tell_claim(fx, key, name, group, IdText::new(id).as_bytes(), &old);
                fx.dirty += 1;
                group.remove(id);
                gone.push(id);
                left -= 1;
                continue;
            }
            Some(_) if min_idle > 0 && idle < min_idle => continue,
            Some(entry) => {
                if !just_id && dead.is(&old) && dead.take(entry, (key, name), group, &old) {
                    continue;
                }
                claimed.push(entry);
            }
        }
        let deliveries = old.deliveries.wrapping_add(u64::from(!just_id));
        let new = Pending { consumer: slot, delivered_ms: env.now_ms, deliveries };
        group.put(id, new);
        group.consumer_mut(slot).active_ms = env.now_ms;
        left -= 1;
        tell_claim(fx, key, name, group, IdText::new(id).as_bytes(), &new);
        fx.dirty += 1;
    }
    let next = from.and_then(|from| group.pending().range(from..).next());
    reply.array(3);
    reply_id(reply, next.map_or(Id::MIN, |(id, _)| *id));
    reply.array(claimed.len());
    for entry in claimed {
        match just_id {
            true => reply_id(reply, entry.id),
            false => reply_entry(reply, entry),
        }
    }
    reply.array(gone.len());
    gone.into_iter().for_each(|id| reply_id(reply, id));
    drop(stream);
    dead.deliver(ctx, key, name)?;
    Ok(Flow::Done)
}
