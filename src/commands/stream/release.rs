//! Redis 8.8: a consumer gives back what it can't do (XNACK). It stays pending and is nobody's,
//! until somebody claims it.

use super::group::no_group;
use super::id;
use crate::commands::arg;
use crate::commands::{CmdResult, Ctx, DataRow, Flow};
use crate::ds::stream::Stream as Inner;
use crate::ds::stream::id::Id;
use crate::resp::argv::Argv;
use crate::resp::errors::{self, CmdError};
use crate::value::stream::Stream;

pub(crate) const COMMANDS: &[DataRow] = &[("xnack", xnack)];

const COUNT_POSITIVE: &str = "numids must be a positive integer";
const WRONG_COUNT: CmdError = CmdError::new("ERR number of IDs doesn't match numids");
const COUNT_NOT_NEGATIVE: CmdError = CmdError::new("ERR Invalid RETRYCOUNT value, must be >= 0");

/// What becomes of the number of deliveries.
#[derive(Clone, Copy)]
enum Mode {
    /// The delivery doesn't count.
    Silent,
    Fail,
    /// The greatest number: nobody should try again.
    Fatal,
}

impl Mode {
    fn from_word(word: &[u8]) -> Option<Mode> {
        [("silent", Mode::Silent), ("fail", Mode::Fail), ("fatal", Mode::Fatal)]
            .into_iter()
            .find_map(|(name, mode)| arg::is(word, name).then_some(mode))
    }

    fn count(self, deliveries: u64) -> u64 {
        match self {
            Mode::Silent => deliveries.saturating_sub(1),
            Mode::Fail => deliveries,
            Mode::Fatal => i64::MAX as u64,
        }
    }
}

/// `SILENT|FAIL|FATAL IDS numids id [id ...] [RETRYCOUNT n] [FORCE]`; what follows the mode comes
/// in any order.
struct Request {
    mode: Mode,
    ids: Vec<Id>,
    deliveries: Option<u64>,
    force: bool,
}

impl Request {
    /// Compat: errors come in this order.
    fn parse(argv: Argv<'_>) -> Result<Request, CmdError> {
        let mode = Mode::from_word(argv.at(3))
            .ok_or(CmdError::new("ERR mode must be SILENT, FAIL, or FATAL"))?;
        let (mut texts, mut deliveries, mut force) = (None, None, false);
        let mut at = 4;
        while at < argv.len() {
            let (word, more) = (argv.at(at), at + 1 < argv.len());
            if more && arg::is(word, "ids") && texts.is_none() {
                let n = arg::int(argv.at(at + 1)).ok().filter(|n| *n > 0);
                let n = n.ok_or_else(|| CmdError::err(COUNT_POSITIVE))? as usize;
                texts = Some(argv.from(at + 2).get(..n).ok_or(WRONG_COUNT)?);
                at += 2 + n;
            } else if more && arg::is(word, "retrycount") {
                let n = arg::int(argv.at(at + 1))?;
                deliveries = Some(u64::try_from(n).map_err(|_| COUNT_NOT_NEGATIVE)?);
                at += 2;
            } else if arg::is(word, "force") {
                force = true;
                at += 1;
            } else {
                let text = [b"Unrecognized XNACK option '", errors::shown(word), b"'"].concat();
                return Err(CmdError::err(text));
            }
        }
        let texts = texts.ok_or(CmdError::new("ERR syntax error, expected IDS keyword"))?;
        let ids = texts.iter().map(|text| id(text)).collect::<Result<_, _>>()?;
        Ok(Request { mode, ids, deliveries, force })
    }
}

/// `XNACK key group SILENT|FAIL|FATAL IDS numids id [id ...] [RETRYCOUNT n] [FORCE]`
///
/// Gives pending entries back. Reply: how many. FORCE makes entries pending that weren't.
/// O(each: log pending).
fn xnack(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let (key, name) = (argv.at(1), argv.at(2));
    let there = db.read_as::<Stream>(key, fx)?.is_some();
    let mut stream = if there { db.find_open::<Stream>(key, fx)? } else { None };
    let Some(Inner { log, groups, .. }) = stream.as_mut().map(|stream| &mut ***stream) else {
        return Err(no_group(key, name, ""));
    };
    let group = groups.get_mut(name).ok_or_else(|| no_group(key, name, ""))?;
    let request = Request::parse(*argv)?;
    let mut n = 0;
    for id in request.ids {
        let count = match group.pending().get(&id) {
            Some(old) => request.mode.count(old.deliveries),
            None if request.force && log.get(id).is_some() => request.mode.count(0),
            None => continue,
        };
        group.release(id, request.deliveries.unwrap_or(count));
        n += 1;
    }
    drop(stream);
    if n > 0 {
        fx.dirty += n;
        // Those who wait to claim can have it.
        fx.ready(key);
    }
    reply.int(n as i64);
    Ok(Flow::Done)
}
