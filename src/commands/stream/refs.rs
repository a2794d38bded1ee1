//! Redis 8.2: entries are deleted with a view to what groups still have of them, by XDELEX and
//! XACKDEL, and by XADD and XTRIM when they trim.
//!
//! A group has an entry that it has not read yet, and one that is pending in it. What is done goes
//! into the stream of writes as XACK, XDEL and XTRIM, which older replicas know.

use super::add::Trimming;
use super::id;
use crate::commands::arg;
use crate::commands::{CmdResult, Ctx, DataRow, Flow};
use crate::ds::stream::Stream as Inner;
use crate::ds::stream::id::{Id, IdText};
use crate::ds::stream::log::Trim;
use crate::keyspace::effects::{EV_STREAM, Effects};
use crate::resp::argv::Argv;
use crate::resp::errors::{self, CmdError};
use crate::value::stream::Stream;
use std::collections::BTreeMap;

pub(crate) const COMMANDS: &[DataRow] = &[("xdelex", xdelex), ("xackdel", xackdel)];

const COUNT_POSITIVE: &str = "Number of IDs must be a positive integer";
const WRONG_COUNT: CmdError =
    CmdError::new("ERR The `numids` parameter must match the number of arguments");

/// What has become of an ID.
const NOT_THERE: i64 = -1;
const DELETED: i64 = 1;
const KEPT: i64 = 2;

/// What deletion does about groups.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Refs {
    /// What is pending stays so.
    Keep,
    /// What is pending goes too.
    Drop,
    /// Only what no group has is deleted.
    Acked,
}

impl Refs {
    pub(super) fn from_word(word: &[u8]) -> Option<Refs> {
        [("keepref", Refs::Keep), ("delref", Refs::Drop), ("acked", Refs::Acked)]
            .into_iter()
            .find_map(|(name, refs)| arg::is(word, name).then_some(refs))
    }
}

/// `[KEEPREF|DELREF|ACKED] IDS numids id [id ...]`, the two parts in any order.
struct Request<'a> {
    refs: Refs,
    /// The IDs with their texts.
    ids: Vec<(Id, &'a [u8])>,
}

impl<'a> Request<'a> {
    fn parse(argv: Argv<'a>, mut at: usize) -> Result<Request<'a>, CmdError> {
        let (mut refs, mut texts) = (None, None);
        while at < argv.len() {
            if let Some(given) = Refs::from_word(argv.at(at)) {
                if refs.replace(given).is_some() {
                    return Err(errors::SYNTAX);
                }
                at += 1;
            } else if arg::is(argv.at(at), "ids") && at + 1 < argv.len() && texts.is_none() {
                let n = arg::int_in(argv.at(at + 1), 1, i64::MAX, COUNT_POSITIVE)? as usize;
                let rest = argv.from(at + 2);
                texts = Some(rest.get(..n).ok_or(WRONG_COUNT)?);
                at += 2 + n;
            } else if texts.is_some() {
                return Err(WRONG_COUNT);
            } else {
                return Err(errors::SYNTAX);
            }
        }
        let texts = texts.ok_or(errors::SYNTAX)?;
        let ids = texts.iter().map(|text| Ok((id(text)?, *text))).collect::<Result<_, _>>()?;
        Ok(Request { refs: refs.unwrap_or(Refs::Keep), ids })
    }

    /// The reply if there is nothing.
    fn none(&self, ctx: &mut Ctx<'_>) -> CmdResult {
        ctx.reply.array(self.ids.len());
        self.ids.iter().for_each(|_| ctx.reply.int(NOT_THERE));
        Ok(Flow::Done)
    }
}

/// What was done, to be told to others.
#[derive(Default)]
struct Done<'a> {
    deleted: Vec<&'a [u8]>,
    /// What was pending, by group.
    dropped: BTreeMap<Vec<u8>, Vec<&'a [u8]>>,
}

impl<'a> Done<'a> {
    fn delete(&mut self, stream: &mut Inner, id: Id, text: &'a [u8]) -> bool {
        let deleted = stream.log.delete(&[id]) > 0;
        if deleted {
            self.deleted.push(text);
        }
        deleted
    }

    fn drop_pending(&mut self, stream: &mut Inner, id: Id, text: &'a [u8]) {
        for (name, group) in &mut stream.groups {
            if group.remove(id).is_some() {
                self.dropped.entry(name.to_vec()).or_default().push(text);
            }
        }
    }

    fn tell(self, fx: &mut Effects, key: &[u8]) {
        fx.dont_propagate();
        for (group, ids) in &self.dropped {
            fx.dirty += ids.len() as u64;
            fx.also(&[&[b"XACK", key, group], &ids[..]].concat());
        }
        if !self.deleted.is_empty() {
            fx.dirty += self.deleted.len() as u64;
            fx.also(&[&[b"XDEL", key], &self.deleted[..]].concat());
            fx.touched(key);
            fx.event(EV_STREAM, "xdel", key);
        }
    }
}

/// Whether a group has yet to read this entry or has it pending. O(groups * log pending).
fn is_wanted(stream: &Inner, id: Id) -> bool {
    stream.groups.values().any(|group| group.last_id < id || group.pending().contains_key(&id))
}

/// What trimming with a view to groups has done.
#[derive(Default)]
pub(super) struct Trimmed {
    /// How many went from the front, and what the length was then.
    first: u64,
    left: u64,
    /// What went from behind one that stays.
    deleted: Vec<Id>,
    /// What was pending, by group.
    dropped: BTreeMap<Box<[u8]>, Vec<Id>>,
}

impl Trimmed {
    /// Trims. O(entries that it comes to * groups * log pending).
    pub(super) fn run(stream: &mut Inner, how: &Trimming, refs: Refs) -> Trimmed {
        let mut done = Trimmed::default();
        let Inner { log, groups, .. } = stream;
        match refs {
            Refs::Keep => done.first = how.run(log),
            Refs::Drop => {
                log.trim_where(how.trim, how.approximate, how.limit, Id::MAX, |id| {
                    for (name, group) in groups.iter_mut() {
                        if group.remove(id).is_some() {
                            done.dropped.entry(name.clone()).or_default().push(id);
                        }
                    }
                    true
                });
                done.first = how.run(log);
            }
            Refs::Acked => {
                // Behind what each group has read, all stay.
                let last = groups.values().map(|group| group.last_id).min().unwrap_or(Id::MAX);
                let mut stays = false;
                log.trim_where(how.trim, how.approximate, how.limit, last, |id| {
                    if groups.values().any(|group| group.pending().contains_key(&id)) {
                        stays = true;
                    } else if stays {
                        done.deleted.push(id);
                        return true;
                    } else {
                        done.first += 1;
                        return true;
                    }
                    false
                });
                if done.first > 0 {
                    log.trim(Trim::MaxLen(log.len() - done.first), false, 0);
                }
            }
        }
        done.left = log.len();
        log.delete(&done.deleted);
        done
    }

    /// How many entries went.
    pub(super) fn removed(&self) -> u64 {
        self.first + self.deleted.len() as u64
    }

    /// Puts it into the stream of writes, in a form that has the same effect.
    pub(super) fn tell(&self, fx: &mut Effects, key: &[u8]) {
        if !fx.is_streamed() {
            return;
        }
        let words = |start: &[&[u8]], ids: &[Id]| {
            let mut all: Vec<Vec<u8>> = start.iter().map(|word| word.to_vec()).collect();
            all.extend(ids.iter().map(|id| IdText::new(*id).as_bytes().to_vec()));
            all
        };
        let mut also = |all: Vec<Vec<u8>>| {
            fx.also(&all.iter().map(|word| &word[..]).collect::<Vec<_>>());
        };
        for (group, ids) in &self.dropped {
            also(words(&[b"XACK", key, group], ids));
        }
        if self.first > 0 {
            let left = self.left.to_string();
            also(words(&[b"XTRIM", key, b"MAXLEN", b"=", left.as_bytes()], &[]));
        }
        if !self.deleted.is_empty() {
            also(words(&[b"XDEL", key], &self.deleted));
        }
    }
}

/// `XDELEX key [KEEPREF|DELREF|ACKED] IDS numids id [id ...]`
///
/// XDEL that can have a view to groups. Reply: of each ID 1 if it was deleted, 2 if a group still
/// has it (ACKED), -1 if it is not there. O(each: log blocks + entries of one + groups).
fn xdelex(ctx: &mut Ctx<'_>) -> CmdResult {
    let request = Request::parse(ctx.argv, 2)?;
    let key = ctx.argv.at(1);
    let Some(mut stream) = ctx.db.touch_open::<Stream>(key, ctx.fx)? else {
        return request.none(ctx);
    };
    let mut done = Done::default();
    ctx.reply.array(request.ids.len());
    for &(id, text) in &request.ids {
        if request.refs == Refs::Drop {
            done.drop_pending(&mut stream, id, text);
        }
        let outcome = if request.refs == Refs::Acked && is_wanted(&stream, id) {
            // What is pending though its entry is gone does not make the entry there.
            if stream.log.get(id).is_some() { KEPT } else { NOT_THERE }
        } else if done.delete(&mut stream, id, text) {
            DELETED
        } else {
            NOT_THERE
        };
        ctx.reply.int(outcome);
    }
    drop(stream);
    done.tell(ctx.fx, key);
    Ok(Flow::Done)
}

/// `XACKDEL key group [KEEPREF|DELREF|ACKED] IDS numids id [id ...]`
///
/// XACK that deletes what is done. Reply: of each ID 1 if it is done and deleted, 2 if it is done
/// and another group still has it (ACKED), -1 if it was not pending.
/// O(each: log pending + log blocks + entries of one + groups).
fn xackdel(ctx: &mut Ctx<'_>) -> CmdResult {
    let request = Request::parse(ctx.argv, 3)?;
    let (key, name) = (ctx.argv.at(1), ctx.argv.at(2));
    let Some(mut stream) = ctx.db.touch_open::<Stream>(key, ctx.fx)? else {
        return request.none(ctx);
    };
    let mut done = Done::default();
    ctx.reply.array(request.ids.len());
    for &(id, text) in &request.ids {
        if stream.groups.get_mut(name).is_none_or(|group| group.remove(id).is_none()) {
            ctx.reply.int(NOT_THERE);
            continue;
        }
        done.dropped.entry(name.to_vec()).or_default().push(text);
        if request.refs == Refs::Drop {
            done.drop_pending(&mut stream, id, text);
        }
        if request.refs == Refs::Acked && is_wanted(&stream, id) {
            ctx.reply.int(KEPT);
            continue;
        }
        done.delete(&mut stream, id, text);
        ctx.reply.int(DELETED);
    }
    drop(stream);
    done.tell(ctx.fx, key);
    Ok(Flow::Done)
}
