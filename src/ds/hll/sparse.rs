//! The sparse form: runs of equal registers, and how one register in them is raised.
//!
//! To raise a register, its run is split into up to three, and then neighbours of the same value
//! are joined if one run can be that long. STRLEN and DUMP show which runs there are. So the steps
//! are Redis's: look for joins in at most five runs, from the one before the change on.

use super::{Corrupt, HEADER, REGISTERS};

/// The greatest value and length of a run of a value.
const VALUE_MAX: u8 = 32;
const VALUE_LEN_MAX: usize = 4;
/// The longest run of zeroes in one byte.
const ZERO_LEN_MAX: usize = 64;
/// Runs looked at for joins.
const JOIN_RUNS: usize = 5;

/// Registers that have one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// 0 for a run of zeroes.
    pub value: u8,
    pub len: usize,
    /// It takes two bytes.
    pub long: bool,
}

impl Run {
    fn bytes(self) -> usize {
        1 + usize::from(self.long)
    }
}

/// What became of an attempt to raise a register.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Unchanged,
    Raised,
    /// This form can't hold it; nothing was changed.
    TooLarge,
}

/// The run that `at` begins with.
fn decode(at: &[u8]) -> Option<Result<Run, Corrupt>> {
    let &first = at.first()?;
    let low = usize::from(first & 0x3f);
    Some(Ok(match first >> 6 {
        0 => Run { value: 0, len: low + 1, long: false },
        1 => match at.get(1) {
            Some(&second) => {
                Run { value: 0, len: (low << 8 | usize::from(second)) + 1, long: true }
            }
            None => return Some(Err(Corrupt)),
        },
        _ => Run { value: (first >> 2 & 0x1f) + 1, len: usize::from(first & 3) + 1, long: false },
    }))
}

/// The runs of a sparse body, until one is cut off.
pub(super) fn runs(mut body: &[u8]) -> impl Iterator<Item = Result<Run, Corrupt>> {
    std::iter::from_fn(move || {
        let run = decode(body)?;
        body = &body[run.as_ref().map_or(body.len(), |run| run.bytes())..];
        Some(run)
    })
}

/// Writes a run of zeroes.
pub(super) fn push_zeroes(out: &mut Vec<u8>, len: usize) {
    match len {
        0 => {}
        1..=ZERO_LEN_MAX => out.push((len - 1) as u8),
        _ => out.extend_from_slice(&[0x40 | ((len - 1) >> 8) as u8, (len - 1) as u8]),
    }
}

fn push_value(out: &mut Vec<u8>, value: u8, len: usize) {
    if len > 0 {
        out.push(value_byte(value, len));
    }
}

fn value_byte(value: u8, len: usize) -> u8 {
    0x80 | (value - 1) << 2 | (len - 1) as u8
}

/// Raises one register. O(bytes).
pub(super) fn raise(
    bytes: &mut Vec<u8>,
    index: usize,
    value: u8,
    sparse_max: usize,
) -> Result<Outcome, Corrupt> {
    if value > VALUE_MAX {
        return Ok(Outcome::TooLarge);
    }
    // The run that holds the register, and where the one before it begins.
    let (mut at, mut before, mut first) = (HEADER, None, 0);
    let run = loop {
        let run = decode(&bytes[at..]).ok_or(Corrupt)??;
        if index < first + run.len {
            break run;
        }
        first += run.len;
        if first >= REGISTERS {
            return Err(Corrupt);
        }
        before = Some(at);
        at += run.bytes();
    };
    if run.value >= value {
        return Ok(Outcome::Unchanged);
    }
    let (head, tail) = (index - first, first + run.len - index - 1);
    let mut parts = Vec::with_capacity(5);
    let mut push = |len| match run.value {
        0 => push_zeroes(&mut parts, len),
        old => push_value(&mut parts, old, len),
    };
    push(head);
    let middle = parts.len();
    let mut push = |len| match run.value {
        0 => push_zeroes(&mut parts, len),
        old => push_value(&mut parts, old, len),
    };
    push(tail);
    parts.insert(middle, value_byte(value, 1));
    if parts.len() > run.bytes() && bytes.len() + parts.len() - run.bytes() > sparse_max {
        return Ok(Outcome::TooLarge);
    }
    bytes.splice(at..at + run.bytes(), parts);
    join(bytes, before.unwrap_or(HEADER));
    Ok(Outcome::Raised)
}

/// Joins neighbours of one value from `at` on.
fn join(bytes: &mut Vec<u8>, mut at: usize) {
    for _ in 0..JOIN_RUNS {
        let Some(Ok(run)) = decode(&bytes[at.min(bytes.len())..]) else { return };
        let next = decode(&bytes[at + run.bytes()..]);
        if let Some(Ok(next)) = next
            && run.value > 0
            && run.value == next.value
            && run.len + next.len <= VALUE_LEN_MAX
        {
            // Tried again with the run behind them.
            bytes[at + 1] = value_byte(run.value, run.len + next.len);
            bytes.remove(at);
        } else {
            at += run.bytes();
        }
    }
}
