//! Redis 8.6: an entry that its producer sends twice is added once (IDMP and IDMPAUTO of XADD), and
//! how long that is remembered (XCFGSET).
//!
//! Into the stream of writes goes a plain XADD, and XIDMPRECORD (of Redis 8.8) that says which
//! message it was.

use super::id;
use crate::commands::arg;
use crate::commands::{CmdResult, Ctx, DataRow, Flow};
use crate::ds::stream::Stream as Inner;
use crate::ds::stream::id::{Id, IdText};
use crate::ds::stream::idempotent::{Memory, Producers};
use crate::keyspace::effects::{EV_STREAM, Effects};
use crate::keyspace::limits::Limits;
use crate::resp::argv::Argv;
use crate::resp::errors::{self, CmdError};
use crate::util::sha256;
use crate::value::stream::Stream;
use std::borrow::Cow;

pub(crate) const COMMANDS: &[DataRow] = &[("xcfgset", xcfgset), ("xidmprecord", xidmprecord)];

pub(super) const TWICE: CmdError =
    CmdError::new("ERR syntax error, IDMP/IDMPAUTO specified multiple times");
pub(super) const AUTO_ONLY: CmdError =
    CmdError::new("ERR syntax error, IDMP/IDMPAUTO can be used only with auto-generated IDs");
const NO_PRODUCER: CmdError = CmdError::new("ERR IDMP requires a non-empty producer ID");
const NO_MESSAGE: CmdError = CmdError::new("ERR IDMP requires a non-empty idempotent ID");
const NO_PRODUCER_AUTO: CmdError = CmdError::new("ERR IDMPAUTO requires a non-empty producer ID");

/// Digits of the name that a message gets from what is in it.
const DIGITS: usize = 32;

/// `IDMPAUTO producer|IDMP producer iid`.
#[derive(Clone, Copy)]
pub(super) struct Sender<'a> {
    producer: &'a [u8],
    /// The name of its message, if it names it.
    iid: Option<&'a [u8]>,
}

/// A producer's message.
pub(super) struct Message<'a> {
    pub(super) producer: &'a [u8],
    pub(super) iid: Cow<'a, [u8]>,
}

impl<'a> Sender<'a> {
    /// The option at `at`, if it is one, and how many words follow its first.
    pub(super) fn parse(
        argv: Argv<'a>,
        at: usize,
    ) -> Result<Option<(Sender<'a>, usize)>, CmdError> {
        let (word, more) = (argv.at(at), argv.len() - 1 - at);
        if more > 1 && arg::is(word, "idmp") {
            let (producer, iid) = (argv.at(at + 1), argv.at(at + 2));
            return match (producer.is_empty(), iid.is_empty()) {
                (true, _) => Err(NO_PRODUCER),
                (_, true) => Err(NO_MESSAGE),
                _ => Ok(Some((Sender { producer, iid: Some(iid) }, 2))),
            };
        }
        if more > 0 && arg::is(word, "idmpauto") {
            let producer = argv.at(at + 1);
            return match producer.is_empty() {
                true => Err(NO_PRODUCER_AUTO),
                false => Ok(Some((Sender { producer, iid: None }, 1))),
            };
        }
        Ok(None)
    }

    /// The message with these names and values. One without a name is named by what is in it,
    /// whatever the order.
    pub(super) fn message(self, pairs: &[&[u8]]) -> Message<'a> {
        let Sender { producer, iid } = self;
        let iid = iid.map_or_else(|| name_of(pairs).into(), Cow::Borrowed);
        Message { producer, iid }
    }
}

fn name_of(pairs: &[&[u8]]) -> Vec<u8> {
    let (pairs, _) = pairs.as_chunks::<2>();
    let mut sums: Vec<String> = pairs
        .iter()
        .map(|[name, value]| {
            sha256::hex(&[&(name.len() as u64).to_le_bytes(), *name, *value].concat())
        })
        .collect();
    sums.sort_unstable();
    let mut name = sha256::hex(sums.concat().as_bytes());
    name.truncate(DIGITS);
    name.into_bytes()
}

/// What a stream remembers by default.
fn usual(limits: &Limits) -> Memory {
    Memory { seconds: limits.idmp_seconds, messages: limits.idmp_messages }
}

/// Remembers which entry a message became. The settings are told with the first one, since those
/// who hear of it may have others.
pub(super) fn remember(
    stream: &mut Inner,
    message: &Message<'_>,
    id: Id,
    key: &[u8],
    fx: &mut Effects,
    limits: &Limits,
) {
    if stream.producers.is_none() {
        tell_memory(fx, key, usual(limits));
    }
    let producers = stream.producers.get_or_insert_with(|| Box::new(Producers::new(usual(limits))));
    producers.remember(message.producer, &message.iid, id);
    let id = IdText::new(id);
    fx.also(&[b"XIDMPRECORD", key, message.producer, &message.iid, id.as_bytes()]);
}

fn tell_memory(fx: &mut Effects, key: &[u8], memory: Memory) {
    if fx.is_streamed() {
        let (seconds, messages) = (memory.seconds.to_string(), memory.messages.to_string());
        fx.also(&[
            b"XCFGSET",
            key,
            b"IDMP-DURATION",
            seconds.as_bytes(),
            b"IDMP-MAXSIZE",
            messages.as_bytes(),
        ]);
    }
}

/// `XCFGSET key [IDMP-DURATION seconds] [IDMP-MAXSIZE n]`
///
/// For how long, and how many of each producer's, messages are remembered. Other settings than
/// before forget all. O(1), and what is forgotten.
fn xcfgset(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, limits, .. } = ctx;
    let (mut seconds, mut messages) = (None, None);
    let mut at = 2;
    while at < argv.len() {
        let value = (at + 1 < argv.len()).then(|| argv.at(at + 1)).ok_or(errors::SYNTAX);
        let within = |max: i64, what: &'static str| {
            let n = arg::int(value?)?;
            let fits = (1..=max).contains(&n);
            fits.then_some(n as u64).ok_or_else(|| CmdError::err(what))
        };
        if arg::is(argv.at(at), "idmp-duration") {
            let what = "IDMP-DURATION must be between 1 and 86400 seconds";
            seconds = Some(within(Memory::SECONDS_MAX, what)?);
        } else if arg::is(argv.at(at), "idmp-maxsize") {
            let what = "IDMP-MAXSIZE must be between 1 and 10000 entries";
            messages = Some(within(Memory::MESSAGES_MAX, what)?);
        } else {
            return Err(errors::SYNTAX);
        }
        at += 2;
    }
    if seconds.is_none() && messages.is_none() {
        return Err(CmdError::new("ERR At least one parameter must be specified"));
    }
    let key = argv.at(1);
    let mut stream = db.touch_open::<Stream>(key, fx)?.ok_or(errors::NO_SUCH_KEY)?;
    let producers = stream.producers.get_or_insert_with(|| Box::new(Producers::new(usual(limits))));
    let old = producers.memory();
    let new = Memory {
        seconds: seconds.unwrap_or(old.seconds),
        messages: messages.unwrap_or(old.messages),
    };
    producers.set_memory(new);
    drop(stream);
    // Both are told: what the other one is may differ elsewhere.
    fx.dont_propagate();
    tell_memory(fx, key, new);
    fx.modified(key);
    fx.event(EV_STREAM, "xcfgset", key);
    reply.ok();
    Ok(Flow::Done)
}

/// `XIDMPRECORD key producer iid id`
///
/// Says which entry a producer's message became. What comes from the primary or from a file may
/// speak of an entry that was trimmed at once. O(log messages + log blocks + entries of one).
fn xidmprecord(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, limits, env } = ctx;
    let (key, producer, iid) = (argv.at(1), argv.at(2), argv.at(3));
    if producer.is_empty() {
        return Err(NO_PRODUCER);
    }
    if iid.is_empty() {
        return Err(NO_MESSAGE);
    }
    let id = id(argv.at(4))?;
    let is_asked = !env.is_told();
    let mut stream = db.touch_open::<Stream>(key, fx)?.ok_or(errors::NO_SUCH_KEY)?;
    if is_asked && stream.log.get(id).is_none() {
        return Err(CmdError::new("ERR The specified stream ID was deleted or doesn't exist"));
    }
    let producers = stream.producers.get_or_insert_with(|| Box::new(Producers::new(usual(limits))));
    match producers.find_any(producer, iid) {
        Some(old) if old == id => {}
        Some(_) if is_asked => {
            return Err(CmdError::new(
                "ERR The idempotent ID already belongs to another stream entry",
            ));
        }
        _ => {
            producers.remember(producer, iid, id);
            fx.modified(key);
        }
    }
    drop(stream);
    reply.ok();
    Ok(Flow::Done)
}
