//! Streams: adding, removing, counting and reading entries.
//!
//! Reading new entries, alone or as one of a group, is in `read`; groups are in `group` and
//! `claim`; deletion with a view to them is in `refs`; XINFO is in `info`.

pub(crate) mod claim;
pub(crate) mod group;
pub(crate) mod info;
pub(crate) mod read;
pub(crate) mod refs;

use crate::commands::arg;
use crate::commands::{CmdResult, Ctx, DataRow, Flow};
use crate::ds::listpack::Item;
use crate::ds::stream::block::{Entry, Pairs};
use crate::ds::stream::id::{Id, IdText};
use crate::ds::stream::log::{Log, NewId, NotAdded, Range, RangeBack, Trim};
use crate::keyspace::effects::EV_STREAM;
use crate::keyspace::env::{Env, Origin};
use crate::keyspace::limits::Limits;
use crate::resp::argv::Argv;
use crate::resp::errors::{self, CmdError};
use crate::resp::reply::Reply;
use crate::value::stream::Stream;
use refs::{Refs, Trimmed};

pub(crate) const COMMANDS: &[DataRow] = &[
    ("xadd", xadd),
    ("xlen", xlen),
    ("xrange", xrange),
    ("xrevrange", xrevrange),
    ("xdel", xdel),
    ("xtrim", xtrim),
    ("xsetid", xsetid),
];

const INVALID_ID: CmdError =
    CmdError::new("ERR Invalid stream ID specified as stream command argument");
const TWO_STRATEGIES: CmdError =
    CmdError::new("ERR syntax error, MAXLEN and MINID options at the same time are not compatible");

/// An ID, its number 0 if none is given.
fn id(arg: &[u8]) -> Result<Id, CmdError> {
    Id::parse(arg, 0).ok_or(INVALID_ID)
}

/// All IDs from an argument on.
fn ids(argv: Argv<'_>, from: usize) -> Result<Vec<Id>, CmdError> {
    argv.from(from).iter().map(|arg| id(arg)).collect()
}

/// The first ID of an interval.
fn start_id(arg: &[u8]) -> Result<Id, CmdError> {
    let (id, open) = bound(arg, 0)?;
    if !open {
        return Ok(id);
    }
    id.next().ok_or(CmdError::new("ERR invalid start ID for the interval"))
}

/// The last ID of an interval.
fn end_id(arg: &[u8]) -> Result<Id, CmdError> {
    let (id, open) = bound(arg, u64::MAX)?;
    if !open {
        return Ok(id);
    }
    id.prev().ok_or(CmdError::new("ERR invalid end ID for the interval"))
}

/// An end of an interval, and whether it is left out itself.
fn bound(arg: &[u8], missing: u64) -> Result<(Id, bool), CmdError> {
    match arg {
        [b'(', rest @ ..] if !rest.is_empty() => {
            Ok((Id::parse(rest, missing).ok_or(INVALID_ID)?, true))
        }
        _ => Ok((Id::parse_bound(arg, missing).ok_or(INVALID_ID)?, false)),
    }
}

#[inline]
fn reply_id(reply: &mut Reply, id: Id) {
    reply.bulk(IdText::new(id).as_bytes());
}

#[inline]
fn reply_item(reply: &mut Reply, item: Item<'_>) {
    match item {
        Item::Str(text) => reply.bulk(text),
        Item::Int(int) => reply.bulk_int(int),
    }
}

/// An entry: its ID, and its fields with their values.
#[inline]
fn reply_entry(reply: &mut Reply, entry: Entry<'_>) {
    reply_pairs(reply, entry.id, &mut entry.pairs());
}

#[inline]
fn reply_pairs(reply: &mut Reply, id: Id, pairs: &mut Pairs<'_>) {
    reply.array(2);
    reply_id(reply, id);
    reply.array(2 * pairs.left());
    for (name, value) in pairs {
        reply_item(reply, name);
        reply_item(reply, value);
    }
}

/// Entries oldest first as an array, up to `count` of them (0: all).
fn reply_range(reply: &mut Reply, range: Range<'_>, count: usize) {
    let at = reply.begin_array();
    let most = if count == 0 { usize::MAX } else { count };
    let n = range.visit(most, |id, pairs| reply_pairs(reply, id, pairs));
    reply.end_array(at, n);
}

/// Entries newest first as an array, up to `count` of them (0: all).
fn reply_range_back(reply: &mut Reply, range: RangeBack<'_>, count: usize) {
    let at = reply.begin_array();
    let (most, mut n) = (if count == 0 { usize::MAX } else { count }, 0);
    for entry in range.take(most) {
        reply_entry(reply, entry);
        n += 1;
    }
    reply.end_array(at, n);
}

/// `MAXLEN|MINID [=|~] threshold [LIMIT n]`.
#[derive(Clone, Copy)]
struct Trimming {
    trim: Trim,
    approximate: bool,
    limit: u64,
    /// Which argument the threshold is.
    threshold: usize,
}

/// The options of XADD and XTRIM.
struct Options {
    trimming: Option<Trimming>,
    /// What trimming does about groups, if that is said.
    refs: Option<Refs>,
    no_mkstream: bool,
    new: NewId,
    /// Which argument the ID is.
    id: usize,
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

impl Options {
    /// Compat: errors come in the order of the words.
    fn parse(argv: Argv<'_>, env: &Env, limits: &Limits, adds: bool) -> Result<Options, CmdError> {
        let (mut trimming, mut limit) = (None::<Trimming>, None);
        let mut options = Options {
            trimming: None,
            refs: None,
            no_mkstream: false,
            new: NewId::Auto(env.now_ms as u64),
            id: argv.len(),
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
            } else if let Some(refs) = Refs::from_word(word) {
                if options.refs.replace(refs).is_some() {
                    return Err(errors::SYNTAX);
                }
            } else if adds {
                let given = Id::parse_given(word, 0).ok_or(INVALID_ID)?;
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
    fn run(&self, log: &mut Log) -> u64 {
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

/// `XADD key [NOMKSTREAM] [KEEPREF|DELREF|ACKED] [MAXLEN|MINID [=|~] threshold [LIMIT n]] *|id
/// field value [field value ...]`
///
/// Adds an entry at the end, and may trim the stream. Reply: the ID. O(1), and what is trimmed.
fn xadd(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, limits, env } = ctx;
    let options = Options::parse(*argv, env, limits, true)?;
    let fields = options.id + 1;
    if argv.len() < fields + 2 || !(argv.len() - fields).is_multiple_of(2) {
        return Err(errors::wrong_arity("xadd"));
    }
    if matches!(options.new, NewId::Exactly(Id::MIN)) {
        return Err(CmdError::new("ERR The ID specified in XADD must be greater than 0-0"));
    }
    let key = argv.at(1);
    let mut stream = if options.no_mkstream {
        let Some(stream) = db.touch_open::<Stream>(key, fx)? else {
            reply.null();
            return Ok(Flow::Done);
        };
        stream
    } else {
        db.touch_or_new(key, fx, Stream::default)?
    };
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
    if let Some(refs) = options.refs {
        // Older servers know none of these words: the entry and what was trimmed are told apart.
        fx.dont_propagate();
        fx.also(&[&[b"XADD", key, text.as_bytes()], argv.from(fields)].concat());
        if let Some(trimming) = &options.trimming {
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

/// `XLEN key`. O(1).
fn xlen(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let stream = db.read_as::<Stream>(argv.at(1), fx)?;
    reply.int(stream.map_or(0, |stream| stream.log.len() as i64));
    Ok(Flow::Done)
}

/// `XRANGE key start end [COUNT n]`. O(log blocks + entries).
fn xrange(ctx: &mut Ctx<'_>) -> CmdResult {
    range(ctx, false)
}

/// `XREVRANGE key end start [COUNT n]`. O(log blocks + entries).
fn xrevrange(ctx: &mut Ctx<'_>) -> CmdResult {
    range(ctx, true)
}

fn range(ctx: &mut Ctx<'_>, back: bool) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let (first, last) = if back { (3, 2) } else { (2, 3) };
    let (start, end) = (start_id(argv.at(first))?, end_id(argv.at(last))?);
    let mut count = None;
    let mut at = 4;
    while at < argv.len() {
        if !arg::is(argv.at(at), "count") || at + 1 == argv.len() {
            return Err(errors::SYNTAX);
        }
        count = Some(arg::int(argv.at(at + 1))?.max(0) as usize);
        at += 2;
    }
    let Some(stream) = db.read_as::<Stream>(argv.at(1), fx)? else {
        reply.array(0);
        return Ok(Flow::Done);
    };
    match count {
        Some(0) => reply.null_array(),
        count if back => {
            reply_range_back(reply, stream.log.range_back(start, end), count.unwrap_or(0))
        }
        count => reply_range(reply, stream.log.range(start, end), count.unwrap_or(0)),
    }
    Ok(Flow::Done)
}

/// `XDEL key id [id ...]`. Reply: how many were there. O(each: log blocks + entries of one).
fn xdel(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let key = argv.at(1);
    let Some(mut stream) = db.touch_open::<Stream>(key, fx)? else {
        reply.int(0);
        return Ok(Flow::Done);
    };
    let deleted = stream.log.delete(&ids(*argv, 2)?);
    drop(stream);
    if deleted > 0 {
        fx.touched(key);
        fx.event(EV_STREAM, "xdel", key);
        fx.dirty += deleted;
    }
    reply.int(deleted as i64);
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

/// `XSETID key last-id [ENTRIESADDED n] [MAXDELETEDID id]`. O(1).
fn xsetid(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let last_id = id(argv.at(2))?;
    let (mut added, mut max_deleted) = (None, Id::MIN);
    let mut at = 3;
    while at < argv.len() {
        let (word, more) = (argv.at(at), at + 1 < argv.len());
        if more && arg::is(word, "entriesadded") {
            let n = arg::int_from_0(argv.at(at + 1), "entries_added must be positive")?;
            added = Some(n as u64);
        } else if more && arg::is(word, "maxdeletedid") {
            max_deleted = id(argv.at(at + 1))?;
            if last_id < max_deleted {
                return Err(CmdError::new(
                    "ERR The ID specified in XSETID is smaller than the provided \
                     max_deleted_entry_id",
                ));
            }
        } else {
            return Err(errors::SYNTAX);
        }
        at += 2;
    }
    let key = argv.at(1);
    let found = db.touch_open::<Stream>(key, fx)?;
    let mut stream = found.ok_or(errors::NO_SUCH_KEY)?;
    let log = &mut stream.log;
    if last_id < log.max_deleted {
        return Err(CmdError::new(
            "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id",
        ));
    }
    if !log.is_empty() {
        if last_id < log.last_there() {
            return Err(CmdError::new(
                "ERR The ID specified in XSETID is smaller than the target stream top item",
            ));
        }
        if added.is_some_and(|added| log.len() > added) {
            return Err(CmdError::new(
                "ERR The entries_added specified in XSETID is smaller than the target stream \
                 length",
            ));
        }
    }
    log.set_last_id(last_id);
    log.added = added.unwrap_or(log.added);
    if max_deleted != Id::MIN {
        log.max_deleted = max_deleted;
    }
    drop(stream);
    reply.ok();
    fx.dirty += 1;
    fx.event(EV_STREAM, "xsetid", key);
    Ok(Flow::Done)
}
