//! Between replies and values of Lua, both ways.
//!
//! What a reply becomes:
//!
//! ```text
//! integer, bulk string     number, string          null of RESP2      false
//! status, error            {ok=..}, {err=..}       null of RESP3      nil
//! array                    an array                boolean            true, false
//! map, set                 {map={..}}, {set={..}}  double             {double=..}
//! big number               {big_number=..}         verbatim string    {verbatim_string={..}}
//! ```
//! Attributes are left out. Invariant: after `push_reply` there is exactly one value more, whatever
//! the reply was.

use super::bridge::{Kind, Raise, Stack, integer};
use crate::resp::errors::CmdError;
use crate::resp::reply::Reply;

/// The reply could not be read. Nothing of ours writes such a reply.
const BROKEN: &str = "the reply can't be read";

/// Reads a reply from the front.
struct Input<'r> {
    rest: &'r [u8],
}

impl<'r> Input<'r> {
    fn line(&mut self) -> Result<&'r [u8], Raise> {
        let end = memchr::memchr(b'\r', self.rest).ok_or_else(|| Raise::error(BROKEN))?;
        let line = &self.rest[..end];
        self.rest = self.rest.get(end + 2..).ok_or_else(|| Raise::error(BROKEN))?;
        Ok(line)
    }

    fn number(&mut self) -> Result<i64, Raise> {
        crate::util::num::parse_i64(self.line()?).ok_or_else(|| Raise::error(BROKEN))
    }

    /// The bytes of a bulk whose length is known, and its line end.
    fn bulk(&mut self, len: i64) -> Result<&'r [u8], Raise> {
        let len = usize::try_from(len).map_err(|_| Raise::error(BROKEN))?;
        let (Some(text), Some(rest)) = (self.rest.get(..len), self.rest.get(len + 2..)) else {
            return Err(Raise::error(BROKEN));
        };
        self.rest = rest;
        Ok(text)
    }
}

/// Pushes what the reply means. An error of a command is marked as counted: it was when the command
/// failed. O(bytes).
pub(crate) fn push_reply(stack: &mut Stack<'_>, reply: &[u8]) -> Result<(), Raise> {
    push_next(stack, &mut Input { rest: reply })
}

fn push_next(stack: &mut Stack<'_>, input: &mut Input<'_>) -> Result<(), Raise> {
    stack.reserve(5)?;
    let Some((&kind, rest)) = input.rest.split_first() else { return Err(Raise::error(BROKEN)) };
    input.rest = rest;
    match kind {
        b':' => {
            let n = input.number()?;
            stack.push_number(n as f64);
        }
        b'$' => match input.number()? {
            -1 => stack.push_boolean(false),
            len => stack.push_bytes(input.bulk(len)?),
        },
        b'+' => {
            let text = input.line()?;
            stack.push_table(0, 1);
            push_named(stack, "ok", text);
        }
        b'-' => {
            let text = input.line()?;
            push_error_value(stack, &[b"-", text].concat());
            mark_counted(stack);
        }
        b'*' => match input.number()? {
            -1 => stack.push_boolean(false),
            len => push_array(stack, input, len)?,
        },
        b'%' => {
            let len = input.number()?;
            push_inner(stack, "map", |stack, table| {
                for _ in 0..len {
                    push_next(stack, input)?;
                    push_next(stack, input)?;
                    set_checked(stack, table);
                }
                Ok(())
            })?;
        }
        b'~' => {
            let len = input.number()?;
            push_inner(stack, "set", |stack, table| {
                for _ in 0..len {
                    push_next(stack, input)?;
                    stack.reserve(1)?;
                    stack.push_boolean(true);
                    set_checked(stack, table);
                }
                Ok(())
            })?;
        }
        b'_' => {
            input.line()?;
            stack.push_nil();
        }
        b'#' => {
            let value = input.line()? == b"t";
            stack.push_boolean(value);
        }
        b',' => {
            let text = input.line()?;
            let value = crate::util::num::parse_f64(text).unwrap_or(f64::NAN);
            stack.push_table(0, 1);
            stack.push_number(value);
            let table = stack.len() - 1;
            stack.set_field(table, "double");
        }
        b'(' => {
            let text = input.line()?;
            stack.push_table(0, 1);
            push_named(stack, "big_number", text);
        }
        b'=' => {
            let len = input.number()?;
            let text = input.bulk(len)?;
            let (format, text) = text.split_at_checked(3).unwrap_or((b"txt", text));
            let text = text.strip_prefix(b":").unwrap_or(text);
            push_inner(stack, "verbatim_string", |stack, _| {
                push_named(stack, "string", text);
                push_named(stack, "format", format);
                Ok(())
            })?;
        }
        b'|' => {
            for _ in 0..2 * input.number()? {
                push_next(stack, input)?;
                stack.pop(1);
            }
            return push_next(stack, input);
        }
        _ => return Err(Raise::error(BROKEN)),
    }
    Ok(())
}

fn push_array(stack: &mut Stack<'_>, input: &mut Input<'_>, len: i64) -> Result<(), Raise> {
    stack.push_table(usize::try_from(len).unwrap_or(0), 0);
    let table = stack.len();
    for n in 1..=len {
        push_next(stack, input)?;
        stack.set_at(table, n as i32);
    }
    Ok(())
}

/// Pushes a table with one field, which is a table that `fill` fills.
fn push_inner<'s>(
    stack: &mut Stack<'s>,
    name: &str,
    fill: impl FnOnce(&mut Stack<'s>, usize) -> Result<(), Raise>,
) -> Result<(), Raise> {
    stack.push_table(0, 1);
    stack.push_table(0, 0);
    let (outer, inner) = (stack.len() - 1, stack.len());
    fill(stack, inner)?;
    stack.set_field(outer, name);
    Ok(())
}

/// Sets a field unless its key is none that a table can have: null is none.
fn set_checked(stack: &mut Stack<'_>, table: usize) {
    match stack.kind(stack.len() - 1) {
        Kind::Nil => stack.pop(2),
        _ => stack.set(table),
    }
}

/// Sets a field of the table on top.
fn push_named(stack: &mut Stack<'_>, name: &str, text: &[u8]) {
    let table = stack.len();
    stack.push_bytes(text);
    stack.set_field(table, name);
}

/// Pushes the table that stands for an error: `{err="CODE message"}`. `text` is a message, or
/// `-CODE message`. Needs room for three values.
pub(crate) fn push_error_value(stack: &mut Stack<'_>, text: &[u8]) {
    let trimmed = |text: &[u8]| {
        let end = |c: &u8| matches!(c, b'\r' | b'\n');
        let from = text.iter().position(|c| !end(c)).unwrap_or(text.len());
        let to = text.iter().rposition(|c| !end(c)).map_or(from, |last| last + 1);
        text[from..to].to_vec()
    };
    if let Some(session) = stack.session()
        && session.shows_calls()
    {
        session.log_error(text);
    }
    // Compat: these were C strings.
    let text = crate::resp::errors::shown(text);
    let (code, message) = match text.strip_prefix(b"-") {
        None => (&b"ERR"[..], text),
        Some(text) => match memchr::memchr(b' ', text) {
            None => (&b"ERR"[..], text),
            Some(space) => (&text[..space], &text[space + 1..]),
        },
    };
    stack.push_table(0, 1);
    push_named(stack, "err", &[code, b" ", &trimmed(message)].concat());
}

/// Marks the error value on top as one that is in the statistics already.
pub(crate) fn mark_counted(stack: &mut Stack<'_>) {
    let table = stack.len();
    stack.push_boolean(true);
    stack.set_field(table, "ignore_error_stats_update");
}

/// What the reply that a script returned has to do with the statistics: the errors in it, however
/// deep.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// The errors that the script made itself.
    pub made: Vec<CmdError>,
    /// How many there are that were counted when a command failed.
    pub counted: u64,
}

/// Writes the value on top as a reply, and pops it. `resp3`: the script has asked for RESP3, so
/// booleans are booleans. Errors are written as well as told. O(size of the value).
pub(crate) fn write_value(stack: &mut Stack<'_>, resp3: bool, reply: &mut Reply) -> Told {
    let mut told = Told::default();
    write_next(stack, resp3, reply, &mut told);
    told
}

fn write_next(stack: &mut Stack<'_>, resp3: bool, reply: &mut Reply, told: &mut Told) {
    // A table in many places has no end. Its client is closed when the reply exceeds its limit.
    if reply.is_too_long() {
        return stack.pop(1);
    }
    if stack.reserve(4).is_err() {
        let e = CmdError::new("ERR reached lua stack limit");
        reply.error(&e);
        told.made.push(e);
        stack.pop(1);
        return;
    }
    let at = stack.len();
    match stack.kind(at) {
        Kind::String => reply.bulk(stack.bytes(at).unwrap_or_default()),
        Kind::Boolean if resp3 => reply.boolean(stack.boolean(at)),
        Kind::Boolean if stack.boolean(at) => reply.int(1),
        Kind::Boolean => reply.null(),
        Kind::Number => reply.int(integer(stack.number(at))),
        Kind::Table => write_table(stack, at, resp3, reply, told),
        _ => reply.null(),
    }
    stack.pop(1);
}

/// Writes a table by the first of these fields that it has, or else as an array.
fn write_table(stack: &mut Stack<'_>, at: usize, resp3: bool, reply: &mut Reply, told: &mut Told) {
    let line = |text: &[u8]| -> Vec<u8> {
        text.iter().map(|c| if matches!(c, b'\r' | b'\n') { b' ' } else { *c }).collect()
    };
    if field_is(stack, at, "err", Kind::String) {
        let e = CmdError::bare(crate::resp::errors::shown(stack.bytes(at + 1).unwrap_or_default()));
        stack.pop(1);
        let counted = field_is(stack, at, "ignore_error_stats_update", Kind::Boolean)
            && stack.boolean(at + 1);
        stack.pop(stack.len() - at);
        reply.error(&e);
        if counted {
            told.counted += 1;
        } else {
            told.made.push(e);
        }
        return;
    }
    if field_is(stack, at, "ok", Kind::String) {
        let text = stack.bytes(at + 1).unwrap_or_default();
        reply.status(line(crate::resp::errors::shown(text)));
    } else if field_is(stack, at, "double", Kind::Number) {
        reply.double(stack.number(at + 1));
    } else if field_is(stack, at, "big_number", Kind::String) {
        reply.bignum(line(stack.bytes(at + 1).unwrap_or_default()));
    } else if field_is(stack, at, "verbatim_string", Kind::Table) && verbatim(stack, at + 1, reply)
    {
        // It is written.
    } else if field_is(stack, at, "map", Kind::Table) {
        let (head, mut pairs) = (reply.begin_array(), 0);
        walk(stack, at + 1, |stack| {
            let (key, value) = (stack.len() - 1, stack.len());
            for i in [key, value] {
                stack.push_value(i);
                write_next(stack, resp3, reply, told);
            }
            pairs += 1;
        });
        reply.end_map(head, pairs);
    } else if field_is(stack, at, "set", Kind::Table) {
        let (head, mut len) = (reply.begin_array(), 0);
        walk(stack, at + 1, |stack| {
            stack.push_value(stack.len() - 1);
            write_next(stack, resp3, reply, told);
            len += 1;
        });
        reply.end_set(head, len);
    } else {
        let head = reply.begin_array();
        let mut len = 0;
        loop {
            stack.get_at(at, len as i32 + 1);
            if stack.top_kind() == Kind::Nil {
                break;
            }
            write_next(stack, resp3, reply, told);
            len += 1;
        }
        reply.end_array(head, len);
    }
    stack.pop(stack.len() - at);
}

/// Pushes the field, and says whether it is of the kind; takes it off again if not.
fn field_is(stack: &mut Stack<'_>, table: usize, name: &str, kind: Kind) -> bool {
    stack.get_field(table, name);
    let is = stack.top_kind() == kind;
    if !is {
        stack.pop(1);
    }
    is
}

/// Writes the table of a verbatim string; false if it lacks a part, and then it is taken off.
fn verbatim(stack: &mut Stack<'_>, at: usize, reply: &mut Reply) -> bool {
    stack.get_field(at, "format");
    stack.get_field(at, "string");
    let whole = match (stack.bytes(at + 1), stack.bytes(at + 2)) {
        (Some(format), Some(text)) => {
            reply.verbatim_as(crate::resp::errors::shown(format), text);
            true
        }
        _ => false,
    };
    if !whole {
        stack.pop(3);
    }
    whole
}

/// Walks a table that nobody changes. `visit` finds key and value on top.
fn walk<'s>(stack: &mut Stack<'s>, table: usize, mut visit: impl FnMut(&mut Stack<'s>)) {
    // There is always room for a walk: its caller has asked.
    let _ = stack.each(table, |stack| {
        visit(stack);
        Ok(())
    });
}
