//! LPOS: where an element is.

use crate::commands::arg::{self, Options};
use crate::commands::{CmdResult, Ctx, Flow};
use crate::ds::listpack::Needle;
use crate::ds::pack::End;
use crate::resp::errors::{self, CmdError};
use crate::resp::reply::Reply;
use crate::value::list::List;

/// What to look for.
struct Search {
    from: End,
    /// The first match that counts, from 1.
    rank: u64,
    /// Matches to report, 0: all; None: one, not as an array.
    count: Option<u64>,
    /// Elements to look at.
    max: u64,
}

const ZERO_RANK: CmdError = CmdError::new(
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to \
     start from the end of the list",
);

impl Search {
    fn parse(mut options: Options<'_>) -> Result<Search, CmdError> {
        let mut s = Search { from: End::Front, rank: 1, count: None, max: u64::MAX };
        while let Some(word) = options.next() {
            let value = options.next().ok_or(errors::SYNTAX)?;
            if arg::is(word, "rank") {
                let rank = arg::int(value)?;
                if rank == i64::MIN {
                    return Err(CmdError::err(format!(
                        "value is out of range, value must between {} and {}",
                        -i64::MAX,
                        i64::MAX
                    )));
                }
                if rank == 0 {
                    return Err(ZERO_RANK);
                }
                s.rank = rank.unsigned_abs();
                s.from = if rank < 0 { End::Back } else { End::Front };
            } else if arg::is(word, "count") {
                let count = arg::int_in(value, 0, i64::MAX, "COUNT can't be negative")?;
                s.count = Some(count as u64);
            } else if arg::is(word, "maxlen") {
                let max = arg::int_in(value, 0, i64::MAX, "MAXLEN can't be negative")?;
                s.max = if max == 0 { u64::MAX } else { max as u64 };
            } else {
                return Err(errors::SYNTAX);
            }
        }
        Ok(s)
    }

    /// Shows the indices of matches to `found`, until it says false.
    fn run(&self, list: &List, needle: &Needle<'_>, mut found: impl FnMut(usize) -> bool) {
        let last = list.len() - 1;
        let start = if self.from == End::Front { 0 } else { last };
        let (mut seen, mut matches) = (0, 0);
        list.walk(start, self.from, &mut |item| {
            let mut on = true;
            if needle.is(item) {
                matches += 1;
                let at = seen as usize;
                let index = if self.from == End::Front { at } else { last - at };
                on = matches < self.rank || found(index);
            }
            seen += 1;
            on && seen < self.max
        });
    }
}

/// `LPOS key element [RANK rank] [COUNT num-matches] [MAXLEN len]`. O(n).
pub(super) fn lpos(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let search = Search::parse(Options::new(*argv, 3))?;
    let list = db.read_as::<List>(argv.at(1), fx)?;
    let needle = Needle::new(argv.at(2));
    match search.count {
        Some(count) => reply_all(reply, list, &search, &needle, count),
        None => {
            let mut at = None;
            if let Some(list) = list {
                search.run(list, &needle, |index| {
                    at = Some(index);
                    false
                });
            }
            match at {
                Some(index) => reply.len_int(index),
                None => reply.null(),
            }
        }
    }
    Ok(Flow::Done)
}

fn reply_all(
    reply: &mut Reply,
    list: Option<&List>,
    search: &Search,
    needle: &Needle<'_>,
    count: u64,
) {
    let array = reply.begin_array();
    let mut n = 0;
    if let Some(list) = list {
        search.run(list, needle, |index| {
            reply.len_int(index);
            n += 1;
            n != count
        });
    }
    reply.end_array(array, n as usize);
}
