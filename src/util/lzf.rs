//! LZF: the byte-oriented compression of strings in RDB files and DUMP payloads.
//!
//! A compressed string is a row of items, each begun by a control byte:
//!
//! ```text
//!   000LLLLL                      L + 1 literal bytes follow
//!   LLLooooo oooooooo             copy L + 2 bytes (L = 1..6) from o + 1 bytes back
//!   111ooooo LLLLLLLL oooooooo    copy L + 9 bytes from o + 1 bytes back
//! ```
//!
//! A copy may overlap what it makes: from one byte back it repeats that byte. Nothing says where
//! the row ends or how long the result is; both lengths are kept beside it.
//!
//! The compressor finds copies by a table of the last position of each hash of three bytes. The
//! table is not cleared between strings: positions count on, so that those of earlier strings are
//! too far back.

use std::ops::Range;

/// The longest literal run.
const LITERAL_MAX: usize = 32;
/// The furthest a copy reaches back.
const REACH: usize = 1 << 13;
/// The shortest and longest copies.
const COPY_MIN: usize = 3;
const COPY_MAX: usize = 264;
/// How many times its compressed length a string can have at most: a copy of 264 bytes takes three.
pub const RATIO_MAX: usize = COPY_MAX / 3;

/// Longer strings are compressed in parts of that many bytes, each by itself: positions have 32
/// bits.
const PART: usize = 1 << 30;

const HASH_BITS: u32 = 13;
/// After so many bytes without a copy the search leaves one out, after twice as many two, and so
/// on.
const PATIENCE_BITS: u32 = 6;

/// A compressor: keep it for many strings, its table is 32 KiB.
#[derive(Default)]
pub struct Compressor {
    /// Where each hash was seen last, as `start + index`; empty until first used.
    seen: Vec<u32>,
    /// The position of the string's first byte; positions below belong to earlier strings.
    start: u32,
}

impl Compressor {
    /// Appends the compressed `input` to `out` if that takes at most `limit` bytes; else leaves
    /// `out` as it was, and returns false. O(n).
    pub fn compress(&mut self, input: &[u8], out: &mut Vec<u8>, limit: usize) -> bool {
        self.compress_in_parts(input, out, limit, PART)
    }

    fn compress_in_parts(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        limit: usize,
        part: usize,
    ) -> bool {
        if input.len() < COPY_MIN + 1 {
            return false;
        }
        let before = out.len();
        let end = before + limit;
        let fits = input.chunks(part).all(|part| {
            self.make_room(part.len());
            let fits = self.items(part, out, end);
            self.start += part.len() as u32;
            fits
        });
        if !fits {
            out.truncate(before);
        }
        fits
    }

    /// Makes sure that positions of this string don't overflow.
    fn make_room(&mut self, bytes: usize) {
        if self.seen.is_empty() {
            self.seen = vec![0; 1 << HASH_BITS];
            // Position 0 means never seen.
            self.start = 1;
        } else if bytes > (u32::MAX - self.start) as usize {
            self.seen.fill(0);
            self.start = 1;
        }
    }

    fn items(&mut self, input: &[u8], out: &mut Vec<u8>, end: usize) -> bool {
        let Some(last) = input.len().checked_sub(COPY_MIN) else {
            return put_literals(input, out, end);
        };
        let mut literals = 0;
        let mut at = 0;
        while at <= last {
            let Some((from, len)) = self.find(input, at) else {
                at += 1 + ((at - literals) >> PATIENCE_BITS);
                continue;
            };
            if !put_literals(&input[literals..at], out, end) || out.len() + 3 > end {
                return false;
            }
            put_copy(at - from - 1, len, out);
            // The copied bytes can be copied from, too: the ends of it are worth remembering.
            for i in [at + 1, at + len - 1, at + len - 2] {
                if i <= last {
                    self.remember(input, i);
                }
            }
            at += len;
            literals = at;
        }
        put_literals(&input[literals..], out, end)
    }

    #[inline(always)]
    fn remember(&mut self, input: &[u8], at: usize) -> u32 {
        let word = u32::from_le_bytes([input[at], input[at + 1], input[at + 2], 0]);
        let slot = (word.wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS)) as usize;
        std::mem::replace(&mut self.seen[slot], self.start + at as u32)
    }

    /// The nearest copy of what begins at `at`, and how long it is.
    #[inline(always)]
    fn find(&mut self, input: &[u8], at: usize) -> Option<(usize, usize)> {
        let from = self.remember(input, at).checked_sub(self.start)? as usize;
        if at - from > REACH || input[from..from + COPY_MIN] != input[at..at + COPY_MIN] {
            return None;
        }
        let max = COPY_MAX.min(input.len() - at);
        let same = input[from + COPY_MIN..from + max]
            .iter()
            .zip(&input[at + COPY_MIN..at + max])
            .take_while(|(a, b)| a == b)
            .count();
        Some((from, COPY_MIN + same))
    }
}

impl std::fmt::Debug for Compressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compressor").field("start", &self.start).finish_non_exhaustive()
    }
}

fn put_literals(bytes: &[u8], out: &mut Vec<u8>, end: usize) -> bool {
    if out.len() + bytes.len() + bytes.len().div_ceil(LITERAL_MAX) > end {
        return false;
    }
    for run in bytes.chunks(LITERAL_MAX) {
        out.push((run.len() - 1) as u8);
        out.extend_from_slice(run);
    }
    true
}

fn put_copy(back: usize, len: usize, out: &mut Vec<u8>) {
    let (high, low) = ((back >> 8) as u8, back as u8);
    match len - 2 {
        n @ ..7 => out.extend_from_slice(&[(n as u8) << 5 | high, low]),
        n => out.extend_from_slice(&[7 << 5 | high, (n - 7) as u8, low]),
    }
}

/// Whether so many bytes can be the compressed form of `len`.
pub fn is_plausible(packed: usize, len: usize) -> bool {
    len <= packed.saturating_mul(RATIO_MAX)
}

/// Appends to `out` the string of `len` bytes that `input` is the compressed form of. O(n).
///
/// False if `input` is anything else; `out` may then have grown, but never by more than `len`.
#[must_use]
pub fn decompress(mut input: &[u8], len: usize, out: &mut Vec<u8>) -> bool {
    // What can't be true is refused before memory is taken for it.
    if !is_plausible(input.len(), len) {
        return false;
    }
    let start = out.len();
    out.reserve(len);
    let end = start + len;
    while let Some((&control, rest)) = input.split_first() {
        let control = usize::from(control);
        if control < LITERAL_MAX {
            let Some((run, rest)) = rest.split_at_checked(control + 1) else { return false };
            if out.len() + run.len() > end {
                return false;
            }
            out.extend_from_slice(run);
            input = rest;
            continue;
        }
        let (n, low, rest) = match (control >> 5, rest) {
            (7, &[more, low, ref rest @ ..]) => (9 + usize::from(more), low, rest),
            (n @ 1..=6, &[low, ref rest @ ..]) => (2 + n, low, rest),
            _ => return false,
        };
        let back = ((control & 0x1f) << 8 | usize::from(low)) + 1;
        let from = out.len().wrapping_sub(back);
        if back > out.len() - start || out.len() + n > end {
            return false;
        }
        copy_within(out, from..from + n);
        input = rest;
    }
    out.len() == end
}

/// Appends `range` of `out` to it, byte by byte in effect: the range may reach past the end.
#[inline]
fn copy_within(out: &mut Vec<u8>, range: Range<usize>) {
    let Range { start, end } = range;
    if end <= out.len() {
        out.extend_from_within(range);
        return;
    }
    // It repeats with the period `out.len() - start`; each round doubles what is there to copy
    // from.
    let mut left = end - start;
    while left > 0 {
        let n = left.min(out.len() - start);
        out.extend_from_within(start..start + n);
        left -= n;
    }
}

#[cfg(test)]
mod tests;
