//! Adding entries (XADD) and trimming (XTRIM), whose options are the same.

use super::delayed::{self, When};
use super::idempotent::{Sender, remember};
use super::refs::{Refs, Trimmed};
use super::{INVALID_ID, id, reply_id};
use crate::commands::arg;
use crate::commands::{CmdResult, Ctx, DataRow, Flow};
use crate::ds::stream::id::{Id, IdText};
use crate::ds::stream::log::{Log, NewId, NotAdded, Trim};
use crate::keyspace::db::DbMut;
use crate::keyspace::effects::{EV_STREAM, Effects};
use crate::keyspace::env::{Env, Origin};
use crate::keyspace::limits::Limits;
use crate::keyspace::open::Open;
use crate::resp::argv::Argv;
use crate::resp::errors::{self, CmdError};
use crate::value::stream::Stream;

pub(crate) const COMMANDS: &[DataRow] = &[("xadd", xadd), ("xtrim", xtrim)];

const TWO_STRATEGIES: CmdError =
    CmdError::new("ERR syntax error, MAXLEN and MINID options at the same time are not compatible");

/// `MAXLEN|MINID [=|~] threshold [LIMIT n]`.
#[derive(Clone, Copy)]
pub(super) struct Trimming {
    pub(super) trim: Trim,
    pub(super) approximate: bool,
    pub(super) limit: u64,
    /// Which argument the threshold is.
    threshold: usize,
}

/// The options of XADD and XTRIM.
pub(super) struct Options<'a> {
    trimming: Option<Trimming>,
    /// Who sends the entry, and as which of its messages.
    sender: Option<Sender<'a>>,
    /// What trimming does about groups, if that is said.
    refs: Option<Refs>,
    pub(super) no_mkstream: bool,
    pub(super) new: NewId,
    /// Which argument the ID is.
    pub(super) id: usize,
    /// Which argument says when the entry is to appear; 0: it does so now.
    pub(super) when: usize,
}

/// The argument with the threshold of MAXLEN or MINID, whose word is at `at`; and whether it is
/// approximate.
fn threshold(argv: Argv<'_>, at: usize) -> (usize, bool) {
    let more = argv.len() - 1 - at;
    match argv.at(at + 1) {
        _ if more < 2 => (at + 1, false),
        word if arg::is(word, "~") => (at + 2, true),
        word if arg::is(word, "=") => (at + 2, false),
        _ => (at + 1, false),
    }
}

impl<'a> Options<'a> {
    /// The stream that the entry is for; None: there is none, and none is to be made.
    #[inline]
    pub(super) fn open<'s>(
        &self,
        db: &'s mut DbMut<'_>,
        key: &'s [u8],
        fx: &mut Effects,
    ) -> Result<Option<Open<'s, Stream>>, CmdError> {
        match self.no_mkstream {
            true => db.touch_open(key, fx),
            false => db.touch_or_new(key, fx, Stream::default).map(Some),
        }
    }

    /// Compat: errors come in the order of the words.
    fn parse(
        argv: Argv<'a>,
        env: &Env,
        limits: &Limits,
        adds: bool,
    ) -> Result<Options<'a>, CmdError> {
        let (mut trimming, mut limit) = (None::<Trimming>, None);
        let mut options = Options {
            trimming: None,
            sender: None,
            refs: None,
            no_mkstream: false,
            new: NewId::Auto(env.now_ms as u64),
            id: argv.len(),
            when: 0,
        };
        let mut at = 2;
        while at < argv.len() {
            let (word, more) = (argv.at(at), argv.len() - 1 - at > 0);
            let max_len = more && arg::is(word, "maxlen");
            if adds && arg::is(word, "*") {
                options.id = at;
                break;
            } else if max_len || more && arg::is(word, "minid") {
                if trimming.is_some() {
                    return Err(TWO_STRATEGIES);
                }
                let (threshold, approximate) = threshold(argv, at);
                let text = argv.at(threshold);
                let trim = match max_len {
                    true => Trim::MaxLen(
                        arg::int_from_0(text, "The MAXLEN argument must be >= 0.")? as u64,
                    ),
                    false => Trim::MinId(id(text)?),
                };
                trimming = Some(Trimming { trim, approximate, limit: 0, threshold });
                at = threshold;
            } else if more && arg::is(word, "limit") {
                at += 1;
                let n = arg::int_from_0(argv.at(at), "The LIMIT argument must be >= 0.")?;
                limit = Some(n as u64);
            } else if adds && arg::is(word, "nomkstream") {
                options.no_mkstream = true;
            } else if adds && let Some((sender, words)) = Sender::parse(argv, at)? {
                if options.sender.replace(sender).is_some() {
                    return Err(super::idempotent::TWICE);
                }
                at += words;
            } else if let Some(refs) = Refs::from_word(word) {
                if options.refs.replace(refs).is_some() {
                    return Err(errors::SYNTAX);
                }
            } else if adds {
                let Some(given) = Id::parse_given(word, 0) else {
                    at = options.delay(argv, at, env)?;
                    continue;
                };
                options.new = match given.any_seq {
                    true => NewId::AnySeq(given.id.ms),
                    false => NewId::Exactly(given.id),
                };
                options.id = at;
                break;
            } else {
                return Err(errors::SYNTAX);
            }
            at += 1;
        }
        if trimming.is_none() {
            if limit.is_some_and(|n| n > 0) {
                return Err(CmdError::new(
                    "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
                ));
            }
            if !adds {
                return Err(CmdError::new(
                    "ERR syntax error, XTRIM must be called with a trimming strategy",
                ));
            }
        }
        // What comes from a file was made exact when it was written.
        if env.origin != Origin::File {
            let approximate = trimming.is_some_and(|t| t.approximate);
            if limit.is_some() && !approximate {
                return Err(CmdError::new(
                    "ERR syntax error, LIMIT cannot be used without the special ~ option",
                ));
            }
            if let Some(trimming) = trimming.as_mut().filter(|t| t.approximate) {
                trimming.limit = limit.unwrap_or_else(|| usual_limit(limits));
            }
        }
        options.trimming = trimming;
        Ok(options)
    }

    /// Takes what stands in place of an option or an ID; returns where to go on.
    #[cold]
    fn delay(&mut self, argv: Argv<'_>, at: usize, env: &Env) -> Result<usize, CmdError> {
        let when = When::parse(argv, at, env)?.ok_or(INVALID_ID)?;
        if std::mem::replace(&mut self.when, at) != 0 {
            return Err(match when {
                When::Ticket(_) => delayed::AUTO_ONLY,
                When::At(_) => delayed::TWICE,
            });
        }
        Ok(match when {
            When::At(_) => at + 2,
            When::Ticket(_) => {
                self.id = at;
                argv.len()
            }
        })
    }
}

/// The most entries that approximate trimming removes: those of a hundred blocks.
fn usual_limit(limits: &Limits) -> u64 {
    // Compat: the product wraps around where C's would.
    match limits.stream.entries.wrapping_mul(100) as i64 {
        ..=0 => 10_000,
        n => (n as u64).min(1_000_000),
    }
}

impl Trimming {
    pub(super) fn run(&self, log: &mut Log) -> u64 {
        log.trim(self.trim, self.approximate, self.limit)
    }

    /// How far it went, as a threshold that has the same effect.
    fn exactly(&self, log: &Log) -> Vec<u8> {
        match self.trim {
            Trim::MaxLen(_) => log.len().to_string().into_bytes(),
            Trim::MinId(_) => log.first_ever().unwrap_or(Id::MAX).text(),
        }
    }
}

/// `XADD key [NOMKSTREAM] [KEEPREF|DELREF|ACKED] [IDMPAUTO producer|IDMP producer iid]
/// [MAXLEN|MINID [=|~] threshold [LIMIT n]] [DELAY ms|AT unix-ms] *|id|~ticket field value
/// [field value ...]`
///
/// Adds an entry at the end, and may trim the stream. Reply: the ID; of a message that the producer
/// sent before, that of then; of an entry that is put off, its ticket. O(1), and what is trimmed.
fn xadd(ctx: &mut Ctx<'_>) -> CmdResult {
    add(ctx, ctx.argv, None)
}

/// XADD with other arguments than those that came, at another time.
#[inline(never)]
pub(super) fn add_at(ctx: &mut Ctx<'_>, argv: Argv<'_>, at_ms: u64) -> CmdResult {
    add(ctx, argv, Some(at_ms))
}

#[inline(always)] // `xadd` is all of it; what was put off goes through a copy.
fn add(ctx: &mut Ctx<'_>, argv: Argv<'_>, at_ms: Option<u64>) -> CmdResult {
    let mut options = Options::parse(argv, ctx.env, ctx.limits, true)?;
    if let Some(ms) = at_ms {
        options.new = NewId::Auto(ms);
    }
    let fields = options.id + 1;
    if argv.len() < fields + 2 || !(argv.len() - fields).is_multiple_of(2) {
        return Err(errors::wrong_arity("xadd"));
    }
    if options.when != 0 {
        return delayed::put_off(ctx, argv, &options);
    }
    let Ctx { db, reply, fx, limits, env, .. } = ctx;
    if matches!(options.new, NewId::Exactly(Id::MIN)) {
        return Err(CmdError::new("ERR The ID specified in XADD must be greater than 0-0"));
    }
    // Redis 8.6 tells its files and replicas the ID with the message that it belongs to.
    let tells_id = !matches!(options.new, NewId::Auto(_));
    if options.sender.is_some() && tells_id && !env.is_told() {
        return Err(super::idempotent::AUTO_ONLY);
    }
    let message = options.sender.map(|sender| sender.message(argv.from(fields)));
    let key = argv.at(1);
    let Some(mut stream) = options.open(db, key, fx)? else {
        reply.null();
        return Ok(Flow::Done);
    };
    if let Some(message) = &message
        && !tells_id
    {
        if let Some(producers) = &mut stream.producers
            && let Some(id) = producers.find(message.producer, &message.iid, env.now_ms as u64)
        {
            producers.duplicates = producers.duplicates.wrapping_add(1);
            reply_id(reply, id);
            return Ok(Flow::Done);
        }
        // Redis 8.6 tells of a message that came twice with no ID: it has not become an entry
        // there, and does not here, whatever is remembered.
        if env.is_told() {
            reply.null();
            return Ok(Flow::Done);
        }
    }
    let log = &mut stream.log;
    if log.last_id == Id::MAX {
        return Err(CmdError::new(
            "ERR The stream has exhausted the last possible ID, unable to add more items",
        ));
    }
    let id = log.append(options.new, argv.from(fields), limits.stream).map_err(|e| match e {
        NotAdded::NotAbove => CmdError::new(
            "ERR The ID specified in XADD is equal or smaller than the target stream top item",
        ),
        NotAdded::TooLarge => CmdError::new("ERR Elements are too large to be stored"),
    })?;
    let text = IdText::new(id);
    reply.bulk(text.as_bytes());
    fx.modified(key);
    fx.event(EV_STREAM, "xadd", key);
    if options.refs.is_some() || message.is_some() {
        // Older servers know none of these words: the entry, what was trimmed and who sent it are
        // told apart.
        fx.dont_propagate();
        if fx.is_streamed() {
            fx.also(&[&[b"XADD", key, text.as_bytes()], argv.from(fields)].concat());
        }
        if let Some(message) = &message {
            remember(&mut stream, message, id, key, fx, limits);
        }
        if let Some(trimming) = &options.trimming {
            let refs = options.refs.unwrap_or(Refs::Keep);
            let trimmed = Trimmed::run(&mut stream, trimming, refs);
            trimmed.tell(fx, key);
            if trimmed.removed() > 0 {
                fx.event(EV_STREAM, "xtrim", key);
            }
        }
        fx.ready(key);
        return Ok(Flow::Done);
    }
    let mut exactly = None;
    if let Some(trimming) = &options.trimming {
        if trimming.run(log) > 0 {
            fx.event(EV_STREAM, "xtrim", key);
        }
        if trimming.approximate && fx.is_streamed() {
            exactly = Some((trimming.threshold, trimming.exactly(log)));
        }
    }
    let auto = !matches!(options.new, NewId::Exactly(_));
    if fx.is_streamed() && (auto || exactly.is_some()) {
        let mut args = argv.from(0).to_vec();
        args[options.id] = text.as_bytes();
        if let Some((at, threshold)) = &exactly {
            args[at - 1] = b"=";
            args[*at] = threshold;
        }
        // An ID in another form stays as it came.
        if !auto {
            args[options.id] = argv.at(options.id);
        }
        fx.rewrite(&args);
    }
    fx.ready(key);
    Ok(Flow::Done)
}

/// `XTRIM key MAXLEN|MINID [=|~] threshold [LIMIT n] [KEEPREF|DELREF|ACKED]`. Reply: how many
/// entries went.
/// O(blocks that go + entries of one).
fn xtrim(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, limits, env } = ctx;
    let key = argv.at(1);
    let options = Options::parse(*argv, env, limits, false)?;
    let (Some(mut stream), Some(trimming)) = (db.touch_open::<Stream>(key, fx)?, options.trimming)
    else {
        reply.int(0);
        return Ok(Flow::Done);
    };
    if let Some(refs) = options.refs {
        let trimmed = Trimmed::run(&mut stream, &trimming, refs);
        drop(stream);
        fx.dont_propagate();
        trimmed.tell(fx, key);
        if trimmed.removed() > 0 {
            fx.event(EV_STREAM, "xtrim", key);
            fx.touched(key);
            fx.dirty += trimmed.removed();
        }
        reply.int(trimmed.removed() as i64);
        return Ok(Flow::Done);
    }
    let removed = trimming.run(&mut stream.log);
    let exactly = trimming.exactly(&stream.log);
    drop(stream);
    if removed > 0 {
        fx.event(EV_STREAM, "xtrim", key);
        if trimming.approximate && fx.is_streamed() {
            let mut args = argv.from(0).to_vec();
            args[trimming.threshold - 1] = b"=";
            args[trimming.threshold] = &exactly;
            fx.rewrite(&args);
        }
        fx.touched(key);
        fx.dirty += removed;
    }
    reply.int(removed as i64);
    Ok(Flow::Done)
}
