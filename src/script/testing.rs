//! For tests: runs a chunk in an interpreter with everything that scripts have, and shows what it
//! returns.

use super::bridge::{Failure, Kind, Stack, State, With};
use super::fuzz::NoHost;
pub(super) use super::fuzz::interpreter;
use crate::util::num;

/// What a chunk returns: numbers with all their digits, strings with escapes, arrays in braces. An
/// error is its message, with its code.
pub(super) fn shown(chunk: impl AsRef<[u8]>) -> String {
    run(&mut interpreter(), chunk.as_ref(), &[])
}

/// The same in an interpreter that may have run others before, with ARGV.
pub(super) fn run(state: &mut State, chunk: &[u8], args: &[&[u8]]) -> String {
    let chunk = match state.compile(chunk, c"@user_script") {
        Ok(chunk) => chunk,
        Err(message) => return escaped(&message),
    };
    let mut out = String::new();
    let with = With::Globals { keys: &[], args };
    let end = state.run(&chunk, with, false, &mut NoHost, |stack, _| show(stack, 1, &mut out));
    state.release(chunk);
    match end {
        Ok(()) => out,
        Err(Failure { message, .. }) => escaped(&message.unwrap_or_default()),
    }
}

/// A text with escapes, except for quotes.
fn escaped(text: &[u8]) -> String {
    text.escape_ascii().to_string().replace("\\\"", "\"").replace("\\'", "'")
}

fn show(stack: &mut Stack<'_>, i: usize, out: &mut String) {
    match stack.kind(i) {
        Kind::Boolean => out.push_str(if stack.boolean(i) { "true" } else { "false" }),
        Kind::Light => out.push_str("null"),
        Kind::Number => {
            let mut text = Vec::new();
            num::write_f64_17g(&mut text, stack.number(i));
            out.push_str(&String::from_utf8_lossy(&text));
        }
        Kind::String => {
            out.push_str(&escaped(stack.bytes(i).unwrap_or_default()));
        }
        Kind::Table => {
            out.push('{');
            stack.reserve(2).expect("room for a value");
            for n in 1.. {
                stack.get_at(i, n);
                if stack.top_kind() == Kind::Nil {
                    stack.pop(1);
                    break;
                }
                if n > 1 {
                    out.push(',');
                }
                show(stack, stack.len(), out);
                stack.pop(1);
            }
            out.push('}');
        }
        _ => out.push_str(stack.type_name(i)),
    }
}
