//! From values of Lua to JSON.

use super::{ENCODE_DEPTH, ENCODE_INVALID, PRECISION, SPARSE_CONVERT, SPARSE_RATIO, SPARSE_SAFE};
use crate::script::bridge::{Kind, MAX_STACK, Open, Raise, Scratch, Settings, Stack, View};
use crate::util::num;

/// `cjson.encode(value)`. O(size of the value).
pub(super) fn encode(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    if stack.len() != 1 {
        return Err(Raise::Argument(1, b"expected 1 argument".to_vec()));
    }
    let Scratch { bytes, open } = stack.take_scratch();
    let (limit, settings) = (stack.memory_left(), stack.settings());
    let mut out = Json { bytes, limit, settings, open };
    let end = out.all(stack);
    if end.is_ok() {
        stack.push_bytes(&out.bytes);
    }
    stack.give_scratch(Scratch { bytes: out.bytes, open: out.open });
    end.map(|()| 1)
}

struct Json {
    bytes: Vec<u8>,
    limit: usize,
    settings: Settings,
    /// The containers around the next value. Of arrays the elements are counted; with an object
    /// comes a walk of the stack.
    open: Vec<Open>,
}

impl Json {
    /// Writes the only argument.
    fn all(&mut self, stack: &mut Stack<'_>) -> Result<(), Raise> {
        self.value(stack)?;
        while let Some(open) = self.open.last_mut() {
            // The same table may be in many places, so that the result knows no proportion.
            if self.bytes.len() > self.limit {
                return Err(Raise::error("not enough memory"));
            }
            if open.is_map {
                if !stack.step() {
                    self.bytes.push(b'}');
                    self.open.pop();
                    continue;
                }
                if open.done > 0 {
                    self.bytes.push(b',');
                }
                open.done = 1;
                self.key(stack)?;
            } else {
                if open.left == 0 {
                    self.bytes.push(b']');
                    self.open.pop();
                    continue;
                }
                if open.done > 0 {
                    self.bytes.push(b',');
                }
                open.done += 1;
                open.left -= 1;
                stack.pop(stack.len() - open.table);
                stack.get_at(open.table, open.done);
            }
            self.value(stack)?;
        }
        Ok(())
    }

    /// Writes the value on top, or opens a container for it.
    fn value(&mut self, stack: &mut Stack<'_>) -> Result<(), Raise> {
        let i = stack.len();
        match stack.view(i) {
            Some(View::String(text)) => write_string(&mut self.bytes, text),
            Some(View::Number(n)) => self.number(stack, i, n)?,
            Some(View::Boolean(true)) => self.bytes.extend_from_slice(b"true"),
            Some(View::Boolean(false)) => self.bytes.extend_from_slice(b"false"),
            Some(View::Table) => self.table(stack)?,
            None => match stack.kind(i) {
                Kind::Nil => self.bytes.extend_from_slice(b"null"),
                Kind::Light if stack.light(i).is_null() => self.bytes.extend_from_slice(b"null"),
                _ => return Err(refused(stack, i, "type not supported")),
            },
        }
        Ok(())
    }

    fn table(&mut self, stack: &mut Stack<'_>) -> Result<(), Raise> {
        let (table, depth) = (stack.len(), self.open.len() + 1);
        // Compat: Lua's stack ends the nesting when the setting does not.
        let room = table + 3 <= MAX_STACK && stack.reserve(3).is_ok();
        if depth > self.settings[ENCODE_DEPTH] as usize || !room {
            let text = format!("Cannot serialise, excessive nesting ({depth})");
            return Err(Raise::error(text));
        }
        match self.array_len(stack)? {
            Some(len) => {
                self.bytes.push(b'[');
                self.open.push(Open { table, is_map: false, done: 0, left: len as u64 });
            }
            None => {
                self.bytes.push(b'{');
                self.open.push(Open { table, is_map: true, done: 0, left: 0 });
                stack.walk(table)?;
            }
        }
        Ok(())
    }

    /// The length of the table on top as an array; None if it is an object.
    fn array_len(&self, stack: &mut Stack<'_>) -> Result<Option<i32>, Raise> {
        let table = stack.len();
        let (mut max, mut count) = (0_i32, 0_i32);
        stack.walk(table)?;
        while stack.step() {
            let key = stack.len() - 1;
            let n = if let Some(View::Number(n)) = stack.view(key) { n } else { 0.0 };
            if n < 1.0 || n.floor() != n {
                stack.leave();
                return Ok(None);
            }
            if n > f64::from(max) {
                // Compat: what is too large becomes the smallest integer, as on x86-64.
                max = if n <= f64::from(i32::MAX) { n as i32 } else { i32::MIN };
            }
            count = count.wrapping_add(1);
        }
        let ratio = self.settings[SPARSE_RATIO];
        if ratio > 0 && max > count.wrapping_mul(ratio) && max > self.settings[SPARSE_SAFE] {
            if self.settings[SPARSE_CONVERT] == 0 {
                return Err(refused(stack, table, "excessively sparse array"));
            }
            return Ok(None);
        }
        Ok((max > 0).then_some(max))
    }

    /// Writes the key below the value on top.
    fn key(&mut self, stack: &Stack<'_>) -> Result<(), Raise> {
        let i = stack.len() - 1;
        match stack.view(i) {
            Some(View::Number(n)) => {
                self.bytes.push(b'"');
                self.number(stack, i, n)?;
                self.bytes.push(b'"');
            }
            Some(View::String(text)) => write_string(&mut self.bytes, text),
            _ => return Err(refused(stack, i, "table key must be a number or string")),
        }
        self.bytes.push(b':');
        Ok(())
    }

    fn number(&mut self, stack: &Stack<'_>, i: usize, n: f64) -> Result<(), Raise> {
        match self.settings[ENCODE_INVALID] {
            0 if !n.is_finite() => return Err(refused(stack, i, "must not be NaN or Inf")),
            2 if !n.is_finite() => self.bytes.extend_from_slice(b"null"),
            _ => num::write_f64_g(&mut self.bytes, n, self.settings[PRECISION] as usize),
        }
        Ok(())
    }
}

fn refused(stack: &Stack<'_>, i: usize, why: &str) -> Raise {
    Raise::error(format!("Cannot serialise {}: {why}", stack.type_name(i)))
}

/// What stands for a byte: 0 is the byte itself, `u` four digits, else a letter.
const ESCAPES: [u8; 256] = {
    let mut escapes = [0; 256];
    let mut c = 0;
    while c < 0x20 {
        escapes[c] = b'u';
        c += 1;
    }
    escapes[0x7f] = b'u';
    escapes[0x08] = b'b';
    escapes[b'\t' as usize] = b't';
    escapes[b'\n' as usize] = b'n';
    escapes[0x0c] = b'f';
    escapes[b'\r' as usize] = b'r';
    escapes[b'"' as usize] = b'"';
    escapes[b'\\' as usize] = b'\\';
    escapes[b'/' as usize] = b'/';
    escapes
};

fn write_string(out: &mut Vec<u8>, text: &[u8]) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let mut plain = 0;
    for (i, &c) in text.iter().enumerate() {
        let escape = ESCAPES[usize::from(c)];
        if escape == 0 {
            continue;
        }
        match &text[plain..i] {
            [] => {}
            few @ ([_] | [_, _] | [_, _, _]) => few.iter().for_each(|c| out.push(*c)),
            many => out.extend_from_slice(many),
        }
        plain = i + 1;
        match escape {
            b'u' => {
                let digit = |n: u8| b"0123456789abcdef"[usize::from(n)];
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(c >> 4), digit(c & 15)]);
            }
            letter => out.extend_from_slice(&[b'\\', letter]),
        }
    }
    out.extend_from_slice(&text[plain..]);
    out.push(b'"');
}
