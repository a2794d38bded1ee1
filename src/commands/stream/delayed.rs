//! Entries that appear later (doc/streams.md): XADD with DELAY or AT, or under a ticket; XDEL,
//! which takes one back; and the moment at which one appears.
//!
//! The stream of writes has an entry that waits as `XADD key .. ~ticket ..`. When it appears, there
//! are `XDEL key ~ticket` and a plain XADD, together. So the clock of a replica, or that of a later
//! start, does not matter; and a server that knows no tickets refuses the former and does the
//! latter.

use super::add::{self, Options};
use super::{INVALID_ID, id};
use crate::commands::arg;
use crate::commands::{CmdResult, Ctx, Flow};
use crate::ds::stream::delayed::{self, Delayed};
use crate::ds::stream::id::Id;
use crate::ds::stream::log::{NewId, fits};
use crate::keyspace::effects::EV_STREAM;
use crate::keyspace::env::Env;
use crate::resp::argv::Argv;
use crate::resp::errors::CmdError;
use crate::value::stream::Stream;

pub(super) const TWICE: CmdError =
    CmdError::new("ERR syntax error, an entry has one DELAY or AT option at most");
pub(super) const AUTO_ONLY: CmdError =
    CmdError::new("ERR DELAY and AT can be used only with auto-generated IDs");

/// When an entry is to appear.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum When {
    At(i64),
    /// At the time of the ticket, which the caller has chosen.
    Ticket(Id),
}

impl When {
    /// Reads `DELAY ms`, `AT unix-ms` or `~ticket`, if one of them stands at `at`.
    pub(super) fn parse(argv: Argv<'_>, at: usize, env: &Env) -> Result<Option<When>, CmdError> {
        let (word, value) = (argv.at(at), (at + 1 < argv.len()).then(|| argv.at(at + 1)));
        Ok(match value {
            Some(ms) if arg::is(word, "delay") => {
                let ms = arg::int_from_0(ms, "The DELAY argument must be >= 0.")?;
                let at = env.now_ms.checked_add(ms);
                Some(When::At(at.ok_or(CmdError::new("ERR The DELAY argument is too large."))?))
            }
            Some(ms) if arg::is(word, "at") => {
                Some(When::At(arg::int_from_0(ms, "The AT argument must be >= 0.")?))
            }
            _ => delayed::parse(word).map(When::Ticket),
        })
    }
}

/// Whether an argument is to be a ticket.
pub(super) fn is_ticket(arg: &[u8]) -> bool {
    arg.first() == Some(&delayed::MARK)
}

/// XADD of an entry that appears later. If its time has come it is added at once.
/// O(log entries that wait).
#[cold]
pub(super) fn put_off(ctx: &mut Ctx<'_>, argv: Argv<'_>, options: &Options<'_>) -> CmdResult {
    let when = When::parse(argv, options.when, ctx.env)?.ok_or(INVALID_ID)?;
    if !matches!(options.new, NewId::Auto(_)) {
        return Err(AUTO_ONLY);
    }
    let mut words = argv.from(2)[..options.id - 2].to_vec();
    let pairs = argv.from(options.id + 1);
    if let When::At(at) = when {
        words.drain(options.when - 2..options.when);
        if at <= ctx.env.now_ms {
            return add::add_at(
                ctx,
                Argv::new(&xadd(argv.at(1), &words, b"*", pairs)),
                now(ctx.env),
            );
        }
    }
    let Ctx { db, reply, fx, env, .. } = ctx;
    let key = argv.at(1);
    if !fits(pairs.iter().map(|word| word.len()).sum()) {
        return Err(CmdError::new("ERR Elements are too large to be stored"));
    }
    let Some(mut stream) = options.open(db, key, fx)? else {
        reply.null();
        return Ok(Flow::Done);
    };
    let was = stream.quiet_until_ms();
    let delayed = stream.delayed.get_or_insert_default();
    let ticket = match when {
        When::At(at) => delayed.new_ticket(at, env.now_ms).ok_or(CmdError::new(
            "ERR The stream has exhausted the last possible ticket, unable to delay more items",
        ))?,
        When::Ticket(ticket) if delayed.has(ticket) => {
            return Err(CmdError::new("ERR The ticket specified in XADD is that of another entry"));
        }
        When::Ticket(ticket) => ticket,
    };
    delayed.put(ticket, &words, pairs);
    drop(stream);
    db.delayed_changed(key, was);
    let text = delayed::text(ticket);
    reply.bulk(&text);
    fx.modified(key);
    fx.event(EV_STREAM, "xdelay", key);
    fx.rewrite(&xadd(key, &words, &text, pairs));
    Ok(Flow::Done)
}

fn now(env: &Env) -> u64 {
    env.now_ms as u64
}

/// The arguments of an XADD.
fn xadd<'a>(
    key: &'a [u8],
    options: &[&'a [u8]],
    id: &'a [u8],
    pairs: &[&'a [u8]],
) -> Vec<&'a [u8]> {
    [&[b"XADD", key], options, &[id], pairs].concat()
}

/// XDEL with tickets among its IDs. O(each ticket: log entries that wait).
#[cold]
pub(super) fn take_back(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let key = argv.at(1);
    let (mut ids, mut tickets) = (Vec::new(), Vec::new());
    for arg in argv.from(2) {
        match is_ticket(arg) {
            true => tickets.push((delayed::parse(arg).ok_or(INVALID_ID)?, *arg)),
            false => ids.push((id(arg)?, *arg)),
        }
    }
    let Some(mut stream) = db.touch_open::<Stream>(key, fx)? else {
        reply.int(0);
        return Ok(Flow::Done);
    };
    let was = stream.quiet_until_ms();
    let deleted = stream.log.delete(&ids.iter().map(|id| id.0).collect::<Vec<Id>>());
    if let Some(delayed) = &mut stream.delayed {
        tickets.retain(|ticket| delayed.remove(ticket.0));
    } else {
        tickets.clear();
    }
    drop(stream);
    let taken = tickets.len() as u64;
    // Apart, since a server that knows no tickets refuses all that stands beside one.
    fx.dont_propagate();
    for (gone, texts) in [(deleted, &ids), (taken, &tickets)] {
        if gone > 0 {
            let mut args: Vec<&[u8]> = vec![b"XDEL", key];
            args.extend(texts.iter().map(|(_, text)| *text));
            fx.also(&args);
        }
    }
    if deleted + taken > 0 {
        db.delayed_changed(key, was);
        fx.touched(key);
        fx.event(EV_STREAM, "xdel", key);
        fx.dirty += deleted + taken;
    }
    reply.int((deleted + taken) as i64);
    Ok(Flow::Done)
}

/// Adds what is due in the stream at `key`, in order: `most` entries at most. Each is added as XADD
/// adds one at its time, with the options it came with. One that can't be (the stream has used the
/// last ID) is gone. O(each: log entries that wait), and what is trimmed.
pub(crate) fn appear(ctx: &mut Ctx<'_>, key: &[u8], most: usize) {
    let mut was = None;
    for i in 0..most {
        let Ctx { db, fx, env, .. } = &mut *ctx;
        let Ok(Some(mut stream)) = db.find_open::<Stream>(key, fx) else { return };
        if i == 0 {
            was = stream.quiet_until_ms();
        }
        let due = stream.delayed.as_mut().and_then(|delayed| delayed.take_due(env.now_ms));
        drop(stream);
        let Some((ticket, stored)) = due else { break };
        fx.also(&[b"XDEL", key, &delayed::text(ticket)]);
        fx.dirty += 1;
        let Some(words) = Delayed::read(&stored) else { continue };
        let argv = xadd(key, words.options(), b"*", words.pairs());
        let _ = add::add_at(ctx, Argv::new(&argv), ticket.ms);
        ctx.fx.also_rewritten();
    }
    ctx.db.delayed_changed(key, was);
}
