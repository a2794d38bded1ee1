//! LCS: the longest common subsequence of two strings, by dynamic programming.

use crate::commands::arg::{self, Options};
use crate::commands::string::value_bytes;
use crate::commands::{CmdResult, Ctx, DataRow, Flow};
use crate::resp::errors::{self, CmdError};
use crate::value::Type;

pub(crate) const COMMANDS: &[DataRow] = &[("lcs", lcs)];

const NOT_STRINGS: CmdError = CmdError::new("ERR The specified keys must contain string values");
const BOTH: CmdError =
    CmdError::new("ERR If you want both the length and indexes, please just use IDX.");
const TOO_LONG: CmdError = CmdError::new("ERR String too long for LCS");
const TOO_MUCH: CmdError =
    CmdError::new("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");

/// `LCS key1 key2 [LEN] [IDX] [MINMATCHLEN n] [WITHMATCHLEN]`. O(n * m) time and memory.
fn lcs(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, limits, .. } = ctx;
    let mut is_other = |key| db.read(key, fx).is_some_and(|e| e.value_type() != Type::String);
    // Both keys are looked up before a wrong type is refused.
    let others = [is_other(argv.at(1)), is_other(argv.at(2))];
    if others.contains(&true) {
        return Err(NOT_STRINGS);
    }
    let (mut want_len, mut want_idx, mut with_len, mut min_len) = (false, false, false, 0i64);
    let mut options = Options::new(*argv, 3);
    while let Some(word) = options.next() {
        if arg::is(word, "idx") {
            want_idx = true;
        } else if arg::is(word, "len") {
            want_len = true;
        } else if arg::is(word, "withmatchlen") {
            with_len = true;
        } else if arg::is(word, "minmatchlen") && options.remaining() > 0 {
            min_len = arg::int(options.value()?)?.max(0);
        } else {
            return Err(errors::SYNTAX);
        }
    }
    if want_idx && want_len {
        return Err(BOTH);
    }
    let (mut s1, mut s2) = ([0; 20], [0; 20]);
    let a = db.peek(argv.at(1)).map_or(&[][..], |e| value_bytes(e, &mut s1));
    let b = db.peek(argv.at(2)).map_or(&[][..], |e| value_bytes(e, &mut s2));
    if a.len() >= u32::MAX as usize - 1 || b.len() >= u32::MAX as usize - 1 {
        return Err(TOO_LONG);
    }
    let table_bytes = (a.len() as u128 + 1) * (b.len() as u128 + 1) * 4;
    if table_bytes > limits.max_bulk as u128 {
        return Err(TOO_MUCH);
    }
    let table = Table::fill(a, b)?;
    let total = table.at(a.len(), b.len());
    if want_len {
        reply.int(i64::from(total));
        return Ok(Flow::Done);
    }
    let (common, runs) = table.walk(a, b);
    if !want_idx {
        reply.bulk(&common);
        return Ok(Flow::Done);
    }
    let runs: Vec<_> = runs.into_iter().filter(|r| r.len as i64 >= min_len).collect();
    reply.map(2);
    reply.bulk(b"matches");
    reply.array(runs.len());
    for run in &runs {
        reply.array(2 + usize::from(with_len));
        for start in [run.a, run.b] {
            reply.array(2);
            reply.len_int(start);
            reply.len_int(start + run.len - 1);
        }
        if with_len {
            reply.len_int(run.len);
        }
    }
    reply.bulk(b"len");
    reply.int(i64::from(total));
    Ok(Flow::Done)
}

/// `cells[i * width + j]`: length of the longest common subsequence of the first i and j bytes.
struct Table {
    cells: Vec<u32>,
    width: usize,
}

/// A stretch common to both strings: where it starts in each, and its length.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    a: usize,
    b: usize,
    len: usize,
}

impl Table {
    fn fill(a: &[u8], b: &[u8]) -> Result<Table, CmdError> {
        let width = b.len() + 1;
        let size = (a.len() + 1) * width;
        let mut cells = Vec::new();
        // A client chooses the size. So if memory runs out, the client gets an error and the server
        // goes on.
        cells.try_reserve_exact(size).map_err(|_| TOO_MUCH)?;
        cells.resize(size, 0u32);
        for (i, x) in a.iter().enumerate() {
            let (above, row) = cells[i * width..(i + 2) * width].split_at_mut(width);
            for (j, y) in b.iter().enumerate() {
                row[j + 1] = if x == y { above[j] + 1 } else { above[j + 1].max(row[j]) };
            }
        }
        Ok(Table { cells, width })
    }

    fn at(&self, i: usize, j: usize) -> u32 {
        self.cells[i * self.width + j]
    }

    /// Walks back from the end: the subsequence, and its stretches from the last to the first.
    fn walk(&self, a: &[u8], b: &[u8]) -> (Vec<u8>, Vec<Run>) {
        let (mut i, mut j) = (a.len(), b.len());
        let (mut common, mut runs) = (Vec::new(), Vec::<Run>::new());
        while i > 0 && j > 0 {
            if a[i - 1] == b[j - 1] {
                (i, j) = (i - 1, j - 1);
                common.push(a[i]);
                match runs.last_mut() {
                    Some(run) if run.a == i + 1 && run.b == j + 1 => {
                        *run = Run { a: i, b: j, len: run.len + 1 };
                    }
                    _ => runs.push(Run { a: i, b: j, len: 1 }),
                }
            } else if self.at(i - 1, j) > self.at(i, j - 1) {
                i -= 1;
            } else {
                j -= 1;
            }
        }
        common.reverse();
        (common, runs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_sequence_and_its_stretches() {
        let (a, b) = (b"ohmytext", b"mynewtext");
        let table = Table::fill(a, b).expect("small");
        let (common, runs) = table.walk(a, b);
        assert_eq!(common, b"mytext");
        assert_eq!(runs, [Run { a: 4, b: 5, len: 4 }, Run { a: 2, b: 0, len: 2 }]);
        assert_eq!(Table::fill(b"", b"x").expect("small").at(0, 1), 0);
    }
}
