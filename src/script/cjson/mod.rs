//! `cjson`: values of Lua as JSON, and back.
//!
//! ```text
//! encode      a table is an array if all its keys are integers from 1 on, else an object
//! decode      null is a pointer to nothing, which no other value is like
//! ```
//! How both go is set by functions of the same table, for as long as the interpreter lives;
//! `cjson.new()` makes a table with settings of its own. Strings are bytes: nobody looks whether
//! they are UTF-8.
//!
//! Neither recurses: how deep values are is limited by the settings and by Lua's stack.

mod decode;
mod encode;

use super::bridge::{Kind, Member, Raise, Settings, Stack};

pub(crate) const MEMBERS: &[(&str, Member)] = &[
    ("encode", Member::call(encode::encode)),
    ("decode", Member::call(decode::decode)),
    ("encode_sparse_array", Member::call(encode_sparse_array)),
    ("encode_max_depth", Member::call(encode_max_depth)),
    ("decode_max_depth", Member::call(decode_max_depth)),
    ("encode_number_precision", Member::call(encode_number_precision)),
    ("encode_keep_buffer", Member::call(encode_keep_buffer)),
    ("encode_invalid_numbers", Member::call(encode_invalid_numbers)),
    ("decode_invalid_numbers", Member::call(decode_invalid_numbers)),
    ("new", Member::call(new)),
    ("null", Member::Null),
    ("_NAME", Member::Text("cjson")),
    ("_VERSION", Member::Text("2.1.0")),
];

pub(crate) const DEFAULTS: Settings = [0, 2, 10, 1000, 1000, 0, 1, 1, 14];

/// Places of the settings.
const SPARSE_CONVERT: usize = 0;
const SPARSE_RATIO: usize = 1;
const SPARSE_SAFE: usize = 2;
const ENCODE_DEPTH: usize = 3;
const DECODE_DEPTH: usize = 4;
/// 0: they are an error; 1: they are written; 2: they are null.
const ENCODE_INVALID: usize = 5;
const DECODE_INVALID: usize = 6;
/// Compat: it changes nothing.
const KEEP_BUFFER: usize = 7;
const PRECISION: usize = 8;

const OFF_ON: &[&str] = &["off", "on"];

/// `cjson.new()`: another table like this one, with the settings as they are at first.
fn new(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    stack.reserve(5)?;
    stack.push_module(MEMBERS, DEFAULTS);
    Ok(1)
}

fn at_most(stack: &Stack<'_>, n: usize) -> Result<(), Raise> {
    match stack.len() {
        len if len > n => Err(Raise::Argument(n + 1, b"found too many arguments".to_vec())),
        _ => Ok(()),
    }
}

/// Sets a setting to argument `i` if that is there, and pushes what the setting is then.
fn number(
    stack: &mut Stack<'_>,
    i: usize,
    setting: usize,
    min: i32,
    max: i32,
) -> Result<(), Raise> {
    let mut settings = stack.settings();
    if !absent(stack, i) {
        let value = stack.check_integer(i)? as i32;
        if !(min..=max).contains(&value) {
            // Compat: it names the first argument, whichever it is.
            let text = format!("expected integer between {min} and {max}");
            return Err(Raise::Argument(1, text.into_bytes()));
        }
        settings[setting] = value;
        stack.set_settings(settings);
    }
    stack.push_number(f64::from(settings[setting]));
    Ok(())
}

/// The same for one of some words, or a boolean in place of the first two.
fn choice(stack: &mut Stack<'_>, i: usize, setting: usize, words: &[&str]) -> Result<(), Raise> {
    let mut settings = stack.settings();
    if !absent(stack, i) {
        settings[setting] = if stack.kind(i) == Kind::Boolean {
            i32::from(stack.boolean(i))
        } else {
            let text = stack.check_string(i)?;
            let text = &text[..memchr::memchr(0, text).unwrap_or(text.len())];
            match words.iter().position(|word| word.as_bytes() == text) {
                Some(n) => n as i32,
                None => {
                    let text = [b"invalid option '", text, b"'"].concat();
                    return Err(Raise::Argument(i, text));
                }
            }
        };
        stack.set_settings(settings);
    }
    match settings[setting] {
        n @ (0 | 1) => stack.push_boolean(n == 1),
        n => stack.push_bytes(words[n as usize].as_bytes()),
    }
    Ok(())
}

/// Whether an argument was not given. What the functions here have pushed is none.
fn absent(stack: &Stack<'_>, i: usize) -> bool {
    i > stack.arguments() || stack.is_none_or_nil(i)
}

/// `cjson.encode_sparse_array([convert [, ratio [, safe]]])`: an array of which too much is missing
/// is an object, or else an error. It is so if its length is more than `safe`, and more than
/// `ratio` times its elements; with 0 it never is.
fn encode_sparse_array(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    at_most(stack, 3)?;
    choice(stack, 1, SPARSE_CONVERT, OFF_ON)?;
    number(stack, 2, SPARSE_RATIO, 0, i32::MAX)?;
    number(stack, 3, SPARSE_SAFE, 0, i32::MAX)?;
    Ok(3)
}

/// `cjson.encode_max_depth([depth])`.
fn encode_max_depth(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    at_most(stack, 1)?;
    number(stack, 1, ENCODE_DEPTH, 1, i32::MAX)?;
    Ok(1)
}

/// `cjson.decode_max_depth([depth])`.
fn decode_max_depth(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    at_most(stack, 1)?;
    number(stack, 1, DECODE_DEPTH, 1, i32::MAX)?;
    Ok(1)
}

/// `cjson.encode_number_precision([digits])`.
fn encode_number_precision(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    at_most(stack, 1)?;
    number(stack, 1, PRECISION, 1, 14)?;
    Ok(1)
}

/// `cjson.encode_keep_buffer([on])`.
fn encode_keep_buffer(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    at_most(stack, 1)?;
    choice(stack, 1, KEEP_BUFFER, OFF_ON)?;
    Ok(1)
}

/// `cjson.encode_invalid_numbers([on])`: infinities and NaN.
fn encode_invalid_numbers(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    at_most(stack, 1)?;
    choice(stack, 1, ENCODE_INVALID, &["off", "on", "null"])?;
    Ok(1)
}

/// `cjson.decode_invalid_numbers([on])`: these, hexadecimal numbers, and those that begin with a
/// plus or a zero.
fn decode_invalid_numbers(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    at_most(stack, 1)?;
    choice(stack, 1, DECODE_INVALID, OFF_ON)?;
    Ok(1)
}

#[cfg(test)]
mod tests;
