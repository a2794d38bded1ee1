//! From JSON to values of Lua.
//!
//! The text ends at a NUL. Errors name the token that was expected and the one that was found, with
//! its place: where the token begins, or for one that is broken, where it breaks.

use super::{DECODE_DEPTH, DECODE_INVALID};
use crate::script::bridge::{MAX_STACK, Open, Raise, Scratch, Stack};
use crate::util::num;

/// So many bytes are looked at one by one before a search begins.
const NEAR: usize = 16;

/// What stands for the digits of a code point in `ESCAPES`.
const CODE_POINT: u8 = 1;
/// What an escape means, by the byte behind its backslash; 0: nothing.
const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let pairs = [b"\"\"", b"\\\\", b"//", b"b\x08", b"t\t", b"n\n", b"f\x0c", b"r\r", b"u\x01"];
    let mut i = 0;
    while i < pairs.len() {
        table[pairs[i][0] as usize] = pairs[i][1];
        i += 1;
    }
    table
};

/// `cjson.decode(text)`. O(text).
pub(super) fn decode(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    if stack.len() != 1 {
        return Err(Raise::Argument(1, b"expected 1 argument".to_vec()));
    }
    let settings = stack.settings();
    let text = stack.check_string(1)?;
    if text.len() >= 2 && (text[0] == 0 || text[1] == 0) {
        return Err(Raise::error("JSON parser does not support UTF-16 or UTF-32"));
    }
    let Scratch { bytes: unescaped, mut open } = stack.take_scratch();
    let mut input = Input {
        text: &text[..memchr::memchr(0, text).unwrap_or(text.len())],
        at: 0,
        begin: 0,
        unescaped,
        any_numbers: settings[DECODE_INVALID] != 0,
    };
    let end = input.all(stack, &mut open, settings[DECODE_DEPTH] as usize);
    stack.give_scratch(Scratch { bytes: input.unescaped, open });
    end.map(|()| 1)
}

#[derive(Clone, Copy)]
enum Token<'a> {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    /// A string that stands in the text as it is.
    Plain(&'a [u8]),
    /// One with escapes: so many bytes of `unescaped`.
    Unescaped(usize),
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Broken(&'static str),
}

impl Token<'_> {
    fn name(self) -> &'static str {
        match self {
            Token::ObjectBegin => "T_OBJ_BEGIN",
            Token::ObjectEnd => "T_OBJ_END",
            Token::ArrayBegin => "T_ARR_BEGIN",
            Token::ArrayEnd => "T_ARR_END",
            Token::Plain(_) | Token::Unescaped(_) => "T_STRING",
            Token::Number(_) => "T_NUMBER",
            Token::Boolean(_) => "T_BOOLEAN",
            Token::Null => "T_NULL",
            Token::Colon => "T_COLON",
            Token::Comma => "T_COMMA",
            Token::End => "T_END",
            Token::Broken(why) => why,
        }
    }
}

struct Input<'a> {
    text: &'a [u8],
    at: usize,
    /// Where the last token begins, or breaks.
    begin: usize,
    unescaped: Vec<u8>,
    /// Numbers that JSON does not have are taken.
    any_numbers: bool,
}

impl<'a> Input<'a> {
    /// Pushes the value that the text is.
    fn all(
        &mut self,
        stack: &mut Stack<'_>,
        open: &mut Vec<Open>,
        depth: usize,
    ) -> Result<(), Raise> {
        let begin =
            |stack: &Stack<'_>, is_map| Open { table: stack.len(), is_map, done: 0, left: 0 };
        let mut token = self.next();
        'value: loop {
            match token {
                Token::ObjectBegin => {
                    self.descend(stack, open.len() + 1, depth, 3)?;
                    token = self.next();
                    if !matches!(token, Token::ObjectEnd) {
                        open.push(begin(stack, true));
                        token = self.key(stack, token)?;
                        continue 'value;
                    }
                }
                Token::ArrayBegin => {
                    self.descend(stack, open.len() + 1, depth, 2)?;
                    token = self.next();
                    if !matches!(token, Token::ArrayEnd) {
                        open.push(begin(stack, false));
                        continue 'value;
                    }
                }
                Token::Plain(text) => stack.push_bytes(text),
                Token::Unescaped(len) => stack.push_bytes(&self.unescaped[..len]),
                Token::Number(n) => stack.push_number(n),
                Token::Boolean(value) => stack.push_boolean(value),
                Token::Null => stack.push_light(std::ptr::null()),
                _ => return Err(self.unexpected("value", token)),
            }
            // The value is complete, and so are perhaps those around it.
            loop {
                let Some(around) = open.last_mut() else { break 'value };
                if around.is_map {
                    stack.set(around.table);
                } else {
                    around.done = around.done.wrapping_add(1);
                    stack.set_at(around.table, around.done);
                }
                match (self.next(), around.is_map) {
                    (Token::ObjectEnd, true) | (Token::ArrayEnd, false) => {
                        open.pop();
                    }
                    (Token::Comma, true) => {
                        let first = self.next();
                        token = self.key(stack, first)?;
                        continue 'value;
                    }
                    (Token::Comma, false) => {
                        token = self.next();
                        continue 'value;
                    }
                    (other, true) => return Err(self.unexpected("comma or object end", other)),
                    (other, false) => return Err(self.unexpected("comma or array end", other)),
                }
            }
        }
        match self.next() {
            Token::End => Ok(()),
            other => Err(self.unexpected("the end", other)),
        }
    }

    /// Pushes the table of a container. `slots`: room for it, its key and its value.
    fn descend(
        &mut self,
        stack: &mut Stack<'_>,
        depth: usize,
        limit: usize,
        slots: usize,
    ) -> Result<(), Raise> {
        // Compat: Lua's stack ends the nesting when the setting does not.
        if depth > limit || stack.len() + slots > MAX_STACK || stack.reserve(slots).is_err() {
            let text =
                format!("Found too many nested data structures ({depth}) at character {}", self.at);
            return Err(Raise::error(text));
        }
        stack.push_table(0, 0);
        Ok(())
    }

    /// Pushes the key of an object, and finds what its value begins with.
    fn key(&mut self, stack: &mut Stack<'_>, token: Token<'a>) -> Result<Token<'a>, Raise> {
        match token {
            Token::Plain(text) => stack.push_bytes(text),
            Token::Unescaped(len) => stack.push_bytes(&self.unescaped[..len]),
            _ => return Err(self.unexpected("object key string", token)),
        }
        match self.next() {
            Token::Colon => Ok(self.next()),
            other => Err(self.unexpected("colon", other)),
        }
    }

    fn unexpected(&self, expected: &str, found: Token<'_>) -> Raise {
        let (found, place) = (found.name(), self.begin + 1);
        Raise::error(format!("Expected {expected} but found {found} at character {place}"))
    }

    /// The byte at an offset from here; 0 behind the end.
    fn byte(&self, offset: usize) -> u8 {
        self.text.get(self.at + offset).copied().unwrap_or(0)
    }

    fn broken(&mut self, why: &'static str) -> Token<'a> {
        self.begin = self.at;
        Token::Broken(why)
    }

    fn next(&mut self) -> Token<'a> {
        while matches!(self.byte(0), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        self.begin = self.at;
        let token = match self.byte(0) {
            0 => return Token::End,
            b'{' => Token::ObjectBegin,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayBegin,
            b']' => Token::ArrayEnd,
            b',' => Token::Comma,
            b':' => Token::Colon,
            b'"' => return self.string(),
            b'-' | b'0'..=b'9' => {
                if !self.any_numbers && self.is_invalid_number() {
                    return self.broken("invalid number");
                }
                return self.number();
            }
            b't' | b'f' | b'n' | b'i' | b'I' | b'N' | b'+' => return self.word(),
            _ => return self.broken("invalid token"),
        };
        self.at += 1;
        token
    }

    fn word(&mut self) -> Token<'a> {
        let rest = &self.text[self.at..];
        let (token, len) = if rest.starts_with(b"true") {
            (Token::Boolean(true), 4)
        } else if rest.starts_with(b"false") {
            (Token::Boolean(false), 5)
        } else if rest.starts_with(b"null") {
            (Token::Null, 4)
        } else if self.any_numbers && self.is_invalid_number() {
            return self.number();
        } else {
            return self.broken("invalid token");
        };
        self.at += len;
        token
    }

    fn number(&mut self) -> Token<'a> {
        let (n, len) = num::leading_f64(&self.text[self.at..]);
        if len == 0 {
            return self.broken("invalid number");
        }
        self.at += len;
        Token::Number(n)
    }

    /// Whether a number begins here that JSON does not have.
    fn is_invalid_number(&self) -> bool {
        let rest = &self.text[self.at..];
        if rest.starts_with(b"+") {
            return true;
        }
        let rest = rest.strip_prefix(b"-").unwrap_or(rest);
        match rest {
            [b'0', b'x' | b'X' | b'0'..=b'9', ..] => true,
            [a, b, c, ..] => {
                let word = [a, b, c].map(u8::to_ascii_lowercase);
                word == *b"inf" || word == *b"nan"
            }
            _ => false,
        }
    }

    /// A string, from its first quote on.
    fn string(&mut self) -> Token<'a> {
        self.at += 1;
        let rest = &self.text[self.at..];
        match memchr::memchr2(b'"', b'\\', rest) {
            Some(len) if rest[len] == b'"' => {
                self.at += len + 1;
                Token::Plain(&rest[..len])
            }
            Some(_) => self.unescape(),
            None => {
                self.at = self.text.len();
                self.broken("unexpected end of string")
            }
        }
    }

    /// A string with escapes.
    fn unescape(&mut self) -> Token<'a> {
        // While it is a variable, nothing else can change it.
        let mut out = std::mem::take(&mut self.unescaped);
        let token = self.unescape_to(&mut out);
        self.unescaped = out;
        token
    }

    /// Writes it to the beginning of `out`.
    fn unescape_to(&mut self, out: &mut Vec<u8>) -> Token<'a> {
        let rest = &self.text[self.at..];
        // No escape is shorter than what it means: there is room for all that may come.
        if out.len() < rest.len() {
            out.resize(rest.len(), 0);
        }
        let out = &mut out[..rest.len()];
        // Places are kept here rather than in `self`, where each byte would wait for the last one.
        // What is read, what is written, and how many bytes in a row stood there as they are.
        let (mut at, mut len, mut plain) = (0, 0, 0);
        loop {
            let Some(&c) = rest.get(at) else {
                self.at += at;
                return self.broken("unexpected end of string");
            };
            if c == b'\\' {
                let code = rest.get(at + 1).copied().unwrap_or(0);
                plain = 0;
                match ESCAPES[usize::from(code)] {
                    0 => {
                        self.at += at;
                        return self.broken("invalid escape code");
                    }
                    CODE_POINT => {
                        let Some((point, taken)) = code_point(&rest[at..]) else {
                            self.at += at;
                            return self.broken("invalid unicode escape code");
                        };
                        // Halves of pairs are refused, so every one is a character.
                        if let Some(c) = char::from_u32(point) {
                            len += c.encode_utf8(&mut out[len..]).len();
                        }
                        at += taken;
                    }
                    meant => {
                        out[len] = meant;
                        (at, len) = (at + 2, len + 1);
                    }
                }
                continue;
            }
            if c == b'"' {
                self.at += at + 1;
                return Token::Unescaped(len);
            }
            out[len] = c;
            (at, len, plain) = (at + 1, len + 1, plain + 1);
            // Where there is one escape, there are often more. If there are not, search.
            if plain == NEAR {
                let rest = &rest[at..];
                let run = memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
                out[len..len + run].copy_from_slice(&rest[..run]);
                (at, len, plain) = (at + run, len + run, 0);
            }
        }
    }
}

/// The code point of the `\u` that a text begins with, and how many bytes it takes: two escapes if
/// it is not in the first plane.
fn code_point(text: &[u8]) -> Option<(u32, usize)> {
    let first = hex(text, 2)?;
    match first {
        0xd800..=0xdbff => {
            if text.get(6..8) != Some(&br"\u"[..]) {
                return None;
            }
            let second = hex(text, 8).filter(|n| (0xdc00..=0xdfff).contains(n))?;
            Some((((first & 0x3ff) << 10 | second & 0x3ff) + 0x1_0000, 12))
        }
        0xdc00..=0xdfff => None,
        _ => Some((first, 6)),
    }
}

/// The four digits at an offset.
fn hex(text: &[u8], offset: usize) -> Option<u32> {
    let digits = text.get(offset..offset + 4)?;
    digits.iter().try_fold(0, |n, c| Some(n << 4 | char::from(*c).to_digit(16)?))
}
