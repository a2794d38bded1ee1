//! For tests: runs a chunk in an interpreter with everything that scripts have, and shows what it
//! returns.

use std::ffi::CStr;

use super::api::{self, Version};
use super::bridge::{Failure, Host, Kept, Kind, Registration, Stack, State, With};
use crate::resp::reply::Reply;
use crate::util::num;

/// Knows no commands.
pub(super) struct NoHost;

impl Host for NoHost {
    fn call(&mut self, _: &[&[u8]], _: &mut Reply) -> Result<(), Vec<u8>> {
        Err(b"ERR no commands here".to_vec())
    }
    fn set_resp3(&mut self, _: bool) {}
    fn set_repl(&mut self, _: u8) {}
    fn may_call(&mut self, _: &[&[u8]]) -> Option<bool> {
        None
    }
    fn take_reply(&mut self) -> Reply {
        Reply::new(Vec::new(), false)
    }
    fn give_reply(&mut self, _: Reply) {}
    fn interrupt(&mut self) -> Option<&'static CStr> {
        None
    }
    fn register(&mut self, function: Registration) -> Result<(), (Vec<u8>, Kept)> {
        Err((b"no libraries here".to_vec(), function.callback))
    }
}

/// The interpreter of EVAL.
pub(super) fn interpreter() -> State {
    api::for_scripts(0, Version { text: "7.2.6", number: 0x0007_0206 })
}

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
