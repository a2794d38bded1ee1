//! SCAN: the whole database in steps. As in Redis, a key that is there from the first call to the
//! last is returned at least once, even if the table grows or shrinks in between.

use crate::commands::arg::{self, Options};
use crate::commands::{CmdResult, Ctx, DataRow, Flow};
use crate::keyspace::env::Expiry;
use crate::resp::errors::{self, CmdError};
use crate::resp::reply::Reply;
use crate::util::{glob, num};

pub(crate) const COMMANDS: &[DataRow] = &[("scan", scan)];

/// Steps of the table for each element asked for. The bound keeps a call short in a sparse table.
const STEPS_PER_COUNT: u64 = 10;

/// Options that all commands of the SCAN family share.
#[derive(Debug)]
pub(crate) struct ScanOptions<'a> {
    pub count: u64,
    pub pattern: Option<&'a [u8]>,
    pub type_name: Option<&'a [u8]>,
    /// HSCAN: fields alone; ZSCAN: members alone.
    pub names_only: bool,
}

/// What a command of the SCAN family has as an option besides COUNT and MATCH.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Also {
    Nothing,
    Type,
    /// Of HSCAN.
    NoValues,
    /// Of ZSCAN.
    NoScores,
}

impl<'a> ScanOptions<'a> {
    /// Reads the options of a command that has `also`.
    pub(crate) fn parse(mut options: Options<'a>, also: Also) -> Result<ScanOptions<'a>, CmdError> {
        let mut o = ScanOptions { count: 10, pattern: None, type_name: None, names_only: false };
        while let Some(word) = options.next() {
            if arg::is(word, "count") {
                let count = arg::int(options.value()?)?;
                o.count = u64::try_from(count).ok().filter(|&n| n > 0).ok_or(errors::SYNTAX)?;
            } else if arg::is(word, "match") {
                // "*" matches everything; leaving it out saves the comparison.
                o.pattern = Some(options.value()?).filter(|p| *p != b"*");
            } else if also == Also::Type && arg::is(word, "type") {
                o.type_name = Some(options.value()?);
            } else if also == Also::NoValues && arg::is(word, "novalues")
                || also == Also::NoScores && arg::is(word, "noscores")
            {
                o.names_only = true;
            } else {
                return Err(errors::SYNTAX);
            }
        }
        Ok(o)
    }

    /// Calls `step` with the cursor until enough elements were seen or the end is reached; returns
    /// the cursor to go on with. `step` returns the next cursor and counts what it saw.
    pub(crate) fn steps(&self, mut at: u64, mut step: impl FnMut(u64, &mut u64) -> u64) -> u64 {
        let (mut seen, mut left) = (0, self.count.saturating_mul(STEPS_PER_COUNT));
        loop {
            at = step(at, &mut seen);
            left -= 1;
            if at == 0 || left == 0 || seen >= self.count {
                return at;
            }
        }
    }
}

/// What a scan of a key that is not there replies.
pub(crate) fn reply_nothing(reply: &mut Reply) {
    reply.array(2);
    reply.bulk(b"0");
    reply.array(0);
}

/// A cursor as clients send it.
pub(crate) fn cursor(text: &[u8]) -> Result<u64, CmdError> {
    num::parse_cursor(text).ok_or(CmdError::new("ERR invalid cursor"))
}

/// `SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]`. O(count) a call.
fn scan(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, env, .. } = ctx;
    let mut at = cursor(argv.at(1))?;
    let o = ScanOptions::parse(Options::new(*argv, 2), Also::Type)?;
    let mut found: Vec<Vec<u8>> = Vec::new();
    let mut due: Vec<Vec<u8>> = Vec::new();
    at = o.steps(at, |at, seen| {
        db.scan_step(at, |entry, is_due| {
            *seen += 1;
            // Compat: keys that don't match the pattern are not deleted, even if their time has
            // passed.
            if o.pattern.is_some_and(|p| !glob::matches(p, entry.key(), false)) {
                return;
            }
            let of_type = |t: &[u8]| t.eq_ignore_ascii_case(entry.value_type().name().as_bytes());
            match (is_due, o.type_name.is_none_or(of_type)) {
                (true, _) => due.push(entry.key().to_vec()),
                (false, true) => found.push(entry.key().to_vec()),
                (false, false) => {}
            }
        })
    });
    if env.expiry == Expiry::Delete {
        due.iter().for_each(|key| db.expire(key, fx));
    }
    reply.array(2);
    reply.bulk_str(at.to_string());
    reply.array(found.len());
    found.iter().for_each(|key| reply.bulk(key));
    Ok(Flow::Done)
}
