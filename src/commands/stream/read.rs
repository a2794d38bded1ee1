//! Reading what is new in streams, alone (XREAD) or as a member of a group (XREADGROUP), and
//! waiting for it.

use super::dead::Dead;
use super::entries::Entries;
use super::{INVALID_ID, group, id, reply_entry, reply_fields, reply_id, reply_range};
use crate::commands::arg;
use crate::commands::{CmdResult, Ctx, DataRow, Flow};
use crate::ds::stream::Stream as Inner;
use crate::ds::stream::group::{Group, NOBODY, Pending, Slot};
use crate::ds::stream::id::{Id, IdText};
use crate::ds::stream::log::Log;
use crate::keyspace::effects::Effects;
use crate::keyspace::env::{Env, Origin};
use crate::keyspace::waiting::{Reads, Wait, Waiting, Wants};
use crate::resp::errors::{self, CmdError};
use crate::resp::reply::{Deferred, Nothing, Reply};
use crate::value::Type;
use crate::value::stream::Stream;

pub(crate) const COMMANDS: &[DataRow] = &[("xread", xread), ("xreadgroup", xreadgroup)];

const GROUP_ONLY: CmdError = CmdError::new(
    "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.",
);
const NOACK_ONLY: CmdError = CmdError::new(
    "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.",
);
const CLAIM_ONLY: CmdError = CmdError::new(
    "ERR The CLAIM option is only supported by XREADGROUP. You called XREAD instead.",
);
const NO_DOLLAR: CmdError = CmdError::new(
    "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of \
     this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would \
     just return an empty result set.",
);
const GROUP_NEEDED: CmdError = CmdError::new(
    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> \
     <consumer> option.",
);

/// What a client has of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum From {
    /// All up to this ID.
    Id(Id),
    /// What the group has.
    Group,
}

/// `[GROUP group consumer] [COUNT n] [BLOCK ms] [CLAIM min-idle] [NOACK] STREAMS key .. id ..`
struct Request<'a> {
    /// Group and consumer.
    reader: Option<(&'a [u8], &'a [u8])>,
    count: usize,
    /// Until when it waits, if it waits.
    block: Option<Option<i64>>,
    no_ack: bool,
    /// What has been pending for so many milliseconds is delivered again.
    claims: Option<i64>,
    /// Which argument the first key is, and how many there are.
    first: usize,
    keys: usize,
}

impl<'a> Request<'a> {
    fn parse(ctx: &Ctx<'a>, in_group: bool) -> Result<Request<'a>, CmdError> {
        let argv = ctx.argv;
        let (reader, block, claims) = (None, None, None);
        let mut request =
            Request { reader, count: 0, block, no_ack: false, claims, first: 0, keys: 0 };
        let mut at = 1;
        while at < argv.len() {
            let (word, more) = (argv.at(at), argv.len() - at - 1);
            if more > 0 && arg::is(word, "block") {
                if ctx.env.origin == Origin::Script {
                    let name = errors::shown(argv.at(0));
                    let text = b" command is not allowed with BLOCK option from scripts";
                    return Err(CmdError::err([name, text].concat()));
                }
                at += 1;
                request.block = Some(arg::timeout_ms(argv.at(at), ctx.env)?);
            } else if more > 0 && arg::is(word, "count") {
                at += 1;
                request.count = arg::int(argv.at(at))?.max(0) as usize;
            } else if more > 0 && arg::is(word, "claim") {
                if !in_group {
                    return Err(CLAIM_ONLY);
                }
                at += 1;
                let idle = arg::int(argv.at(at)).map_err(|_| {
                    CmdError::new("ERR min-idle-time is not an integer or out of range")
                })?;
                if idle < 0 {
                    return Err(CmdError::new("ERR min-idle-time must be a positive integer"));
                }
                request.claims = Some(idle);
            } else if more > 0 && arg::is(word, "streams") {
                if !more.is_multiple_of(2) {
                    let (name, sign) = if in_group { ("xreadgroup", '>') } else { ("xread", '$') };
                    return Err(CmdError::err(format!(
                        "Unbalanced '{name}' list of streams: for each stream key an ID or \
                         '{sign}' must be specified."
                    )));
                }
                (request.first, request.keys) = (at + 1, more / 2);
                break;
            } else if more > 1 && arg::is(word, "group") {
                if !in_group {
                    return Err(GROUP_ONLY);
                }
                request.reader = Some((argv.at(at + 1), argv.at(at + 2)));
                at += 2;
            } else if arg::is(word, "noack") {
                if !in_group {
                    return Err(NOACK_ONLY);
                }
                request.no_ack = true;
            } else {
                return Err(errors::SYNTAX);
            }
            at += 1;
        }
        if request.keys == 0 {
            return Err(errors::SYNTAX);
        }
        if in_group && request.reader.is_none() {
            return Err(CmdError::new("ERR Missing GROUP option for XREADGROUP"));
        }
        Ok(request)
    }

    /// Where to begin in each stream. All keys are looked at before anything is read.
    fn begin(&self, ctx: &mut Ctx<'_>) -> Result<Vec<From>, CmdError> {
        let Ctx { db, argv, fx, .. } = ctx;
        let mut all = Vec::with_capacity(self.keys);
        for i in self.first..self.first + self.keys {
            let (key, text) = (argv.at(i), argv.at(i + self.keys));
            let stream = db.read_as::<Stream>(key, fx)?;
            if let Some((group, _)) = self.reader
                && stream.is_none_or(|stream| !stream.groups.contains_key(group))
            {
                return Err(group::no_group(key, group, " in XREADGROUP with GROUP option"));
            }
            let in_group = self.reader.is_some();
            all.push(match text {
                _ if arg::is(text, "$") && in_group => return Err(NO_DOLLAR),
                _ if arg::is(text, ">") && in_group => From::Group,
                _ if arg::is(text, ">") => return Err(GROUP_NEEDED),
                _ if arg::is(text, "$") => From::Id(stream.map_or(Id::MIN, |s| s.log.last_id)),
                // Of Redis 7.4: the last entry, whichever it is.
                _ if arg::is(text, "+") && !in_group => From::Id(stream.map_or(Id::MIN, |s| {
                    if s.log.is_empty() { s.log.last_id } else { before(s.log.last_there()) }
                })),
                _ => match id(text) {
                    // Compat: the greatest ID means the same.
                    Ok(Id::MAX) if in_group => From::Group,
                    Ok(id) => From::Id(id),
                    Err(_) => return Err(INVALID_ID),
                },
            });
        }
        Ok(all)
    }
}

fn before(id: Id) -> Id {
    id.prev().unwrap_or(Id::MIN)
}

/// An answer with as many streams as have something.
struct Answer<'r> {
    reply: &'r mut Reply,
    begun: Option<Deferred>,
    streams: usize,
}

impl Answer<'_> {
    /// A stream follows.
    fn stream(&mut self, key: &[u8]) {
        if self.begun.is_none() {
            self.begun = Some(self.reply.begin_array());
        }
        self.streams += 1;
        if !self.reply.resp3() {
            self.reply.array(2);
        }
        self.reply.bulk(key);
    }

    /// Whether there is an answer.
    fn end(self) -> bool {
        let Some(at) = self.begun else { return false };
        match self.reply.resp3() {
            true => self.reply.end_map(at, self.streams),
            false => self.reply.end_array(at, self.streams),
        }
        true
    }
}

/// `XREAD [COUNT n] [BLOCK ms] STREAMS key [key ...] id [id ...]`
///
/// Reads what comes behind an ID in each stream. Reply: key and entries of each stream that has
/// some. O(log blocks + entries).
fn xread(ctx: &mut Ctx<'_>) -> CmdResult {
    let request = Request::parse(ctx, false)?;
    let from = request.begin(ctx)?;
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let mut answer = Answer { reply, begun: None, streams: 0 };
    for (i, from) in from.iter().enumerate() {
        let (key, From::Id(have)) = (argv.at(request.first + i), *from) else { continue };
        let Some(stream) = db.read_as::<Stream>(key, fx)? else { continue };
        let log = &stream.log;
        if log.is_empty() || log.last_there() <= have {
            continue;
        }
        let Some(start) = have.next() else { continue };
        answer.stream(key);
        reply_range(answer.reply, log.range(start, Id::MAX), request.count);
    }
    if answer.end() {
        return Ok(Flow::Done);
    }
    wait(ctx, &request, &from)
}

/// Waits for entries, if the client asked for that and can.
fn wait(ctx: &mut Ctx<'_>, request: &Request<'_>, from: &[From]) -> CmdResult {
    let Ctx { db, argv, reply, env, .. } = ctx;
    let Some(until_ms) = request.block.filter(|_| !env.deny_blocking) else {
        reply.null_array();
        return Ok(Flow::Done);
    };
    let keys = &argv.from(request.first)[..request.keys];
    // The last ID is the one of now, not of later.
    let mut rewritten = None;
    for (i, from) in from.iter().enumerate() {
        let at = request.first + request.keys + i;
        if let From::Id(id) = from
            && arg::is(argv.at(at), "$")
        {
            rewritten.get_or_insert_with(|| argv.owned())[at] = id.text();
        }
    }
    let group = request.reader.map(|(group, _)| group);
    let reads = group.map(|group| Reads { group: group.to_vec(), claims: request.claims });
    let mut again_ms = None;
    for key in keys {
        if let Some(reads) = reads.as_ref().filter(|reads| reads.claims.is_some())
            && let Some(stream) = db.peek_as::<Stream>(key)?
            && let Some(group) = stream.groups.get(&reads.group[..])
        {
            let at = reads.again_ms(group.oldest_delivery_ms(), env.now_ms);
            again_ms = [again_ms, at].into_iter().flatten().min();
        }
    }
    let waiting = Waiting::Keys {
        db: env.db,
        keys: keys.iter().map(|key| key.to_vec()).collect(),
        wants: Wants { holds: Some(Type::Stream), wakes_on_deletion: request.reader.is_some() },
        reads,
        nothing: Nothing::NullArray,
    };
    Ok(Flow::Block(Box::new(Wait { waiting, until_ms, rewritten, again_ms })))
}

/// `XREADGROUP GROUP group consumer [COUNT n] [BLOCK ms] [CLAIM min-idle] [NOACK] STREAMS key
/// [key ...] id [id ...]`
///
/// Reads what the group has not read yet (`>`), or again what the consumer has not done. CLAIM (of
/// Redis 8.4) delivers before that what has been pending for long enough, whoever has it; each
/// entry then says for how long that was, and how often it had been delivered.
/// O(log blocks + entries * log pending).
fn xreadgroup(ctx: &mut Ctx<'_>) -> CmdResult {
    // All that changes is said by other commands.
    ctx.fx.dont_propagate();
    let request = Request::parse(ctx, true)?;
    let from = request.begin(ctx)?;
    let Some((group, consumer)) = request.reader else { return Err(errors::SYNTAX) };
    let keys = &ctx.argv.from(request.first)[..request.keys];
    let claims = request.claims.is_some();
    let limit = |key: &&[u8]| if claims { Dead::of(ctx, key, group) } else { Dead::default() };
    let mut limits: Vec<Dead> = keys.iter().map(limit).collect();
    let Ctx { db, argv, reply, fx, env, .. } = ctx;
    let mut answer = Answer { reply, begun: None, streams: 0 };
    for (i, from) in from.iter().enumerate() {
        let key = argv.at(request.first + i);
        db.read_as::<Stream>(key, fx)?;
        let Some(mut stream) = db.find_open::<Stream>(key, fx)? else { continue };
        let Inner { log, groups, .. } = &mut **stream;
        let Some(state) = groups.get_mut(group) else { continue };
        let known = state.consumer_count();
        let slot = group::find_or_add(state, consumer, key, fx, env);
        if request.no_ack && state.consumer_count() > known {
            fx.also(&[b"XGROUP", b"CREATECONSUMER", key, group, consumer]);
        }
        let mut reading = Reading { log, state, slot, key, group, fx, env };
        let mut claimed = Vec::new();
        if let (From::Group, Some(idle)) = (*from, request.claims) {
            claimed = reading.claim(idle, request.count, &mut limits[i]);
        }
        match *from {
            From::Id(have) => {
                answer.stream(key);
                reading.history(have.next().unwrap_or(Id::MIN), request.count, answer.reply);
            }
            From::Group
                if claimed.is_empty()
                    && (log.is_empty() || log.last_there() <= reading.state.last_id) =>
            {
                continue;
            }
            From::Group => {
                answer.stream(key);
                reading.entries(&claimed, &request, answer.reply);
            }
        }
        fx.dirty += 1;
    }
    let answered = answer.end();
    for (key, dead) in keys.iter().zip(limits) {
        dead.deliver(ctx, key, group)?;
    }
    match answered {
        true => Ok(Flow::Done),
        false => wait(ctx, &request, &from),
    }
}

/// A consumer reads a stream.
struct Reading<'a> {
    log: &'a Log,
    state: &'a mut Group,
    slot: Slot,
    key: &'a [u8],
    group: &'a [u8],
    fx: &'a mut Effects,
    env: &'a Env,
}

impl Reading<'_> {
    /// What the consumer has and has not done, once more. Entries that are gone are an ID and
    /// nothing.
    fn history(&mut self, start: Id, count: usize, reply: &mut Reply) {
        let most = if count == 0 { usize::MAX } else { count };
        let pending = self.state.consumer(self.slot).pending();
        let ids: Vec<Id> = pending.range(start..).take(most).copied().collect();
        reply.array(ids.len());
        for id in ids {
            let Some(entry) = self.log.get(id) else {
                reply.array(2);
                reply_id(reply, id);
                reply.null_array();
                continue;
            };
            reply_entry(reply, entry);
            let Some(old) = self.state.pending().get(&id).copied() else { continue };
            let deliveries = old.deliveries.wrapping_add(1);
            self.state.put(id, Pending { delivered_ms: self.env.now_ms, deliveries, ..old });
        }
    }

    /// Takes over what has been pending for so many milliseconds, oldest first, up to `count`
    /// entries (0: all), each with what was known of it. What is gone from the stream is no longer
    /// pending.
    fn claim(&mut self, idle: i64, count: usize, dead: &mut Dead) -> Vec<(Id, Pending)> {
        self.state.index_times();
        let most = if count == 0 { usize::MAX } else { count };
        let (mut there, mut gone, mut dying) = (Vec::new(), Vec::new(), Vec::new());
        for id in self.state.claimable(self.env.now_ms.saturating_sub(idle)) {
            if there.len() == most {
                break;
            }
            match self.log.get(id) {
                Some(_) if self.state.pending().get(&id).is_some_and(|p| dead.is(p)) => {
                    dying.push(id);
                }
                Some(_) => there.push(id),
                None => gone.push(id),
            }
        }
        for id in dying {
            let old = self.state.pending().get(&id).copied();
            if let (Some(entry), Some(old)) = (self.log.get(id), old)
                && !dead.take(entry, (self.key, self.group), self.state, &old)
            {
                there.push(id);
            }
        }
        for id in gone {
            if let Some(old) = self.state.pending().get(&id).copied() {
                let id = IdText::new(id);
                group::tell_claim(self.fx, self.key, self.group, self.state, id.as_bytes(), &old);
            }
            self.state.remove(id);
            self.fx.dirty += 1;
        }
        let mut claimed = Vec::with_capacity(there.len());
        for id in there {
            let Some(old) = self.state.pending().get(&id).copied() else { continue };
            let deliveries = old.deliveries.wrapping_add(1);
            let delivered_ms = self.env.now_ms;
            let new = Pending { consumer: self.slot, delivered_ms, deliveries };
            self.state.put(id, new);
            self.state.consumer_mut(self.slot).active_ms = delivered_ms;
            let id_text = IdText::new(id);
            let text = id_text.as_bytes();
            group::tell_claim(self.fx, self.key, self.group, self.state, text, &new);
            claimed.push((id, old));
        }
        claimed
    }

    /// What was claimed, and what is new. With CLAIM, each entry says for how long it was pending
    /// and how often it had been delivered.
    fn entries(&mut self, claimed: &[(Id, Pending)], request: &Request<'_>, reply: &mut Reply) {
        let at = reply.begin_array();
        let (log, mut n) = (self.log, 0);
        for (id, old) in claimed {
            let Some(entry) = log.get(*id) else { continue };
            reply.array(4);
            reply_id(reply, *id);
            reply_fields(reply, &mut entry.pairs());
            // Compat: the time of what is nobody's is said as in XPENDING.
            reply.int(match old.consumer {
                NOBODY => -1,
                _ => self.env.now_ms.wrapping_sub(old.delivered_ms).max(0),
            });
            reply.int(old.deliveries as i64);
            n += 1;
        }
        let most = if request.count == 0 { usize::MAX } else { request.count };
        if n < most {
            n += self.new_entries(most - n, request, reply);
        }
        reply.end_array(at, n);
    }

    fn new_entries(&mut self, most: usize, request: &Request<'_>, reply: &mut Reply) -> usize {
        let Some(start) = self.state.last_id.next() else { return 0 };
        let (log, no_ack) = (self.log, request.no_ack);
        let mut entries = Entries::new(reply);
        let n = log.range(start, Id::MAX).visit(most, |id, pairs| {
            self.advance(id);
            match request.claims {
                Some(_) => entries.push_new(id, pairs),
                None => entries.push(id, pairs),
            }
            if no_ack {
                return;
            }
            let pending = self.state.deliver(id, self.slot, self.env.now_ms);
            if self.fx.is_streamed() {
                let id = IdText::new(id);
                let text = id.as_bytes();
                group::tell_claim(self.fx, self.key, self.group, self.state, text, &pending);
            }
        });
        if no_ack && n > 0 {
            group::tell_position(self.fx, self.key, self.group, self.state);
        }
        n
    }

    /// The group has read up to this entry.
    fn advance(&mut self, id: Id) {
        let (state, log) = (&mut *self.state, self.log);
        match state.entries_read {
            Some(read) if !log.has_gaps(id) => {
                state.entries_read = Some(read.wrapping_add(1)).filter(|n| *n != -1);
            }
            _ if log.added != 0 => state.entries_read = log.added_up_to(id),
            _ => {}
        }
        state.last_id = id;
    }
}
