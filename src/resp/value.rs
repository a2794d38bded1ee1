//! Replies of another server: RESP2 and RESP3, read as they come.
//!
//! ```text
//! +text -error :int ,double #t (big _        a line
//! $5 !5 =9                                   a line, then so many bytes
//! *2 ~2 >2 %1 |1                             a line, then so many values; pairs for % and |
//! ```
//! The other side may be slow, broken or hostile. `Scanner` looks for the end of a reply and checks
//! it on the way; it keeps its place, so that a reply which comes in many pieces is looked through
//! once. Only what is whole and within the limits is turned into a `Value`: a length that somebody
//! announces takes no memory.

use crate::util::num;

/// A reply.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Simple(Vec<u8>),
    /// With its code; RESP3's long form too.
    Error(Vec<u8>),
    Int(i64),
    Bulk(Vec<u8>),
    Array(Vec<Value>),
    /// RESP3's, and both of RESP2.
    Null,
    Bool(bool),
    Double(f64),
    /// Its digits, with the sign.
    BigNumber(Vec<u8>),
    /// Three letters that say how to read the text, and the text.
    Verbatim([u8; 3], Vec<u8>),
    Map(Vec<(Value, Value)>),
    Set(Vec<Value>),
    Push(Vec<Value>),
    /// A value with what is said about it.
    Attributed(Vec<(Value, Value)>, Box<Value>),
}

/// Why bytes are not a reply that we take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtoError {
    /// They are none at all.
    Malformed,
    /// Values within values within values.
    TooDeep,
    /// It is, or says that it will be, larger than allowed.
    TooLarge,
}

impl std::fmt::Display for ProtoError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            ProtoError::Malformed => "not a reply",
            ProtoError::TooDeep => "a reply nested too deeply",
            ProtoError::TooLarge => "a reply larger than allowed",
        })
    }
}

impl std::error::Error for ProtoError {}

/// How much of a reply is taken.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Of the whole reply.
    pub bytes: usize,
    /// Values within values.
    pub depth: usize,
}

impl Limits {
    /// Room for a value of the greatest usual size.
    pub const DEFAULT: Limits = Limits { bytes: (512 << 20) + 4096, depth: 32 };
}

/// Longest line that holds a number.
const NUMBER_MAX: usize = 64;
/// The shortest value: a mark and the end of the line.
const VALUE_MIN: u64 = 3;

/// The first reply in `bytes` and how many of them it takes; None: more must come.
pub fn parse(bytes: &[u8]) -> Result<Option<(Value, usize)>, ProtoError> {
    Scanner::new(Limits::DEFAULT).parse(bytes)
}

/// Looks for the end of a reply in a buffer that grows.
///
/// Invariant: everything before `at` is checked; `open` has for each value that is not finished how
/// many are still to come within it.
#[derive(Debug)]
pub struct Scanner {
    limits: Limits,
    /// Where the next value begins.
    at: usize,
    /// Up to here its line has no end.
    seen: usize,
    open: Vec<u64>,
}

impl Scanner {
    pub fn new(limits: Limits) -> Scanner {
        Scanner { limits, at: 0, seen: 0, open: Vec::new() }
    }

    /// The reply at the start of `bytes` and its length; None: more must come. The next call, for
    /// the same reply, has the same bytes and more; after a reply the next one begins.
    /// O(new bytes).
    pub fn parse(&mut self, bytes: &[u8]) -> Result<Option<(Value, usize)>, ProtoError> {
        let Some(len) = self.scan(bytes)? else { return Ok(None) };
        *self = Scanner::new(self.limits);
        let mut at = 0;
        let value = build(&bytes[..len], &mut at)?;
        debug_assert_eq!(at, len);
        Ok(Some((value, len)))
    }

    fn scan(&mut self, bytes: &[u8]) -> Result<Option<usize>, ProtoError> {
        loop {
            let Some(head) = head(bytes, self.at, &mut self.seen)? else {
                return self.more(bytes.len());
            };
            match head.shape {
                Shape::Line => self.at = head.next,
                Shape::Blob(len) => {
                    let end = head.next.saturating_add(len).saturating_add(2);
                    if end > self.limits.bytes {
                        return Err(ProtoError::TooLarge);
                    }
                    if bytes.len() < end {
                        return Ok(None);
                    }
                    check_blob(head.mark, &bytes[head.next..end])?;
                    self.at = end;
                }
                Shape::Values(0) => self.at = head.next,
                Shape::Values(count) => {
                    if self.open.len() >= self.limits.depth {
                        return Err(ProtoError::TooDeep);
                    }
                    if count.saturating_mul(VALUE_MIN) > self.limits.bytes as u64 {
                        return Err(ProtoError::TooLarge);
                    }
                    self.open.push(count);
                    (self.at, self.seen) = (head.next, head.next);
                    continue;
                }
            }
            self.seen = self.at;
            if self.at > self.limits.bytes {
                return Err(ProtoError::TooLarge);
            }
            if self.close() {
                return Ok(Some(self.at));
            }
        }
    }

    /// A value has ended, and with it perhaps others around it; whether it was the reply.
    fn close(&mut self) -> bool {
        while let Some(left) = self.open.last_mut() {
            *left -= 1;
            if *left > 0 {
                return false;
            }
            self.open.pop();
        }
        true
    }

    fn more(&self, have: usize) -> Result<Option<usize>, ProtoError> {
        if have > self.limits.bytes { Err(ProtoError::TooLarge) } else { Ok(None) }
    }
}

/// What follows the line with which a value begins.
#[derive(Clone, Copy)]
enum Shape {
    Line,
    /// So many bytes.
    Blob(usize),
    /// So many values; what attributes are about is one of theirs.
    Values(u64),
}

/// The first line of a value.
struct Head<'a> {
    mark: u8,
    line: &'a [u8],
    shape: Shape,
    /// Where the line behind it begins.
    next: usize,
}

/// Reads the line at `at`; None: its end has not come, and there is none before `seen`.
fn head<'a>(bytes: &'a [u8], at: usize, seen: &mut usize) -> Result<Option<Head<'a>>, ProtoError> {
    let Some(&mark) = bytes.get(at) else { return Ok(None) };
    if !b"+-:,#(_$!=*~>%|".contains(&mark) {
        return Err(ProtoError::Malformed);
    }
    let long = matches!(mark, b'+' | b'-' | b'(');
    let from = (*seen).clamp(at, bytes.len());
    let Some(end) = memchr::memchr(b'\n', &bytes[from..]).map(|i| from + i) else {
        *seen = bytes.len();
        let endless = !long && bytes.len() - at > NUMBER_MAX;
        return if endless { Err(ProtoError::Malformed) } else { Ok(None) };
    };
    let line = bytes[at + 1..end].strip_suffix(b"\r").ok_or(ProtoError::Malformed)?;
    if !long && line.len() > NUMBER_MAX {
        return Err(ProtoError::Malformed);
    }
    let shape = shape(mark, line)?;
    Ok(Some(Head { mark, line, shape, next: end + 1 }))
}

/// Checks a first line.
fn shape(mark: u8, line: &[u8]) -> Result<Shape, ProtoError> {
    let is = |good: bool| if good { Ok(Shape::Line) } else { Err(ProtoError::Malformed) };
    // Digits alone: the number parser also takes blanks and a sign.
    let digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let count = || match digits(line) {
        true => num::parse_u64(line).ok_or(ProtoError::Malformed),
        false => Err(ProtoError::Malformed),
    };
    match mark {
        b'+' | b'-' => Ok(Shape::Line),
        b':' => is(num::parse_i64(line).is_some()),
        b',' => is(double(line).is_some()),
        b'#' => is(matches!(line, b"t" | b"f")),
        b'(' => is(digits(line.strip_prefix(b"-").or(line.strip_prefix(b"+")).unwrap_or(line))),
        b'_' => is(line.is_empty()),
        b'$' | b'*' if line == b"-1" => Ok(Shape::Line),
        b'$' | b'!' => Ok(Shape::Blob(usize::try_from(count()?).unwrap_or(usize::MAX))),
        b'=' => match count()? {
            0..4 => Err(ProtoError::Malformed),
            n => Ok(Shape::Blob(usize::try_from(n).unwrap_or(usize::MAX))),
        },
        b'*' | b'~' | b'>' => Ok(Shape::Values(count()?)),
        b'%' => Ok(Shape::Values(count()?.saturating_mul(2))),
        b'|' => Ok(Shape::Values(count()?.saturating_mul(2).saturating_add(1))),
        _ => Err(ProtoError::Malformed),
    }
}

/// Checks bytes with the line end behind them.
fn check_blob(mark: u8, blob: &[u8]) -> Result<(), ProtoError> {
    let good = blob.ends_with(b"\r\n") && (mark != b'=' || blob[3] == b':');
    if good { Ok(()) } else { Err(ProtoError::Malformed) }
}

fn double(line: &[u8]) -> Option<f64> {
    match line {
        b"nan" | b"-nan" => Some(f64::NAN),
        b"inf" => Some(f64::INFINITY),
        b"-inf" => Some(f64::NEG_INFINITY),
        number => num::parse_f64(number),
    }
}

/// Makes the value at `at` of bytes that a scanner has found whole, and moves behind it. The
/// recursion is as deep as the scanner's limit.
fn build(bytes: &[u8], at: &mut usize) -> Result<Value, ProtoError> {
    let head = head(bytes, *at, &mut 0)?.ok_or(ProtoError::Malformed)?;
    let Head { mark, line, shape, next } = head;
    *at = next;
    match shape {
        Shape::Line => Ok(match mark {
            b'+' => Value::Simple(line.to_vec()),
            b'-' => Value::Error(line.to_vec()),
            b':' => Value::Int(num::parse_i64(line).ok_or(ProtoError::Malformed)?),
            b',' => Value::Double(double(line).ok_or(ProtoError::Malformed)?),
            b'#' => Value::Bool(line == b"t"),
            b'(' => Value::BigNumber(line.to_vec()),
            _ => Value::Null,
        }),
        Shape::Blob(len) => {
            let blob = bytes.get(next..next + len).ok_or(ProtoError::Malformed)?;
            *at = next + len + 2;
            Ok(match (mark, blob) {
                (b'!', _) => Value::Error(blob.to_vec()),
                (b'=', [a, b, c, _, text @ ..]) => Value::Verbatim([*a, *b, *c], text.to_vec()),
                _ => Value::Bulk(blob.to_vec()),
            })
        }
        Shape::Values(count) => Ok(match mark {
            b'~' => Value::Set(values(bytes, at, count)?),
            b'>' => Value::Push(values(bytes, at, count)?),
            b'%' => Value::Map(pairs(bytes, at, count / 2)?),
            b'|' => {
                let about = pairs(bytes, at, count / 2)?;
                Value::Attributed(about, Box::new(build(bytes, at)?))
            }
            _ => Value::Array(values(bytes, at, count)?),
        }),
    }
}

fn values(bytes: &[u8], at: &mut usize, count: u64) -> Result<Vec<Value>, ProtoError> {
    (0..count).map(|_| build(bytes, at)).collect()
}

fn pairs(bytes: &[u8], at: &mut usize, count: u64) -> Result<Vec<(Value, Value)>, ProtoError> {
    (0..count).map(|_| Ok((build(bytes, at)?, build(bytes, at)?))).collect()
}

#[cfg(test)]
mod tests;
