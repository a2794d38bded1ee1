//! Fuzz entries: whatever the libraries are given to read, they end without a panic, in memory by
//! the size of the input. What they have read they can write, and read again.
//!
//! The checks are scripts: ARGV is the input, and an error of theirs is a broken promise.

use std::ffi::CStr;

use super::api::{self, Version};
use super::bridge::{Host, Kept, Registration, State, With};
use crate::resp::reply::Reply;

/// What an interpreter and a script may take, and so much more for each byte of the input.
const BYTES: usize = 1 << 20;
const BYTES_PER_BYTE: usize = 1 << 10;

/// What was read may be numbers that JSON lacks. The order of fields is nobody's promise.
const JSON: &[u8] = b"
    local ok, value = pcall(cjson.decode, ARGV[1])
    if not ok then return end
    local ok, text = pcall(cjson.encode, value)
    if ok then assert(#cjson.encode(cjson.decode(text)) == #text) end
";

/// Values that are too deep become nil, and the second time nothing changes any more.
const MSGPACK: &[u8] = b"
    local function again(text) return cmsgpack.pack(cmsgpack.unpack(text)) end
    local values = {pcall(cmsgpack.unpack, ARGV[1])}
    local next, count = 0, 0
    while next ~= -1 and ARGV[1] ~= '' do
        local ok, after = pcall(cmsgpack.unpack_one, ARGV[1], next)
        if not ok then break end
        assert(after == -1 or after > next)
        next, count = after, count + 1
    end
    if not values[1] or count == 0 then return end
    local ok, text = pcall(again, cmsgpack.pack(values))
    if ok then assert(#again(text) == #text) end
";

/// The first byte says how long the format is.
const STRUCT: &[u8] = b"
    local len = (string.byte(ARGV[1]) or 0) % 32
    local format, data = string.sub(ARGV[1], 2, 1 + len), string.sub(ARGV[1], 2 + len)
    pcall(struct.size, format)
    local values = {pcall(struct.unpack, format, data)}
    if values[1] then pcall(struct.pack, format, unpack(values, 2)) end
    for position = 0, #data + 1 do pcall(struct.unpack, format, data, position) end
";

/// Reads JSON.
pub fn json(data: &[u8]) {
    check(JSON, data);
}

/// Reads MessagePack.
pub fn msgpack(data: &[u8]) {
    check(MSGPACK, data);
}

/// Reads a format, and bytes by it.
pub fn structs(data: &[u8]) {
    check(STRUCT, data);
}

fn check(script: &[u8], data: &[u8]) {
    let mut state = interpreter();
    let chunk = state.compile(script, c"@check").expect("it compiles");
    let with = With::Globals { keys: &[], args: &[data] };
    let end = state.run(&chunk, with, false, &mut NoHost, |_, _| {});
    if let Err(failure) = end {
        panic!("{}", failure.message.unwrap_or_default().escape_ascii());
    }
    assert!(state.memory() <= BYTES + BYTES_PER_BYTE * data.len(), "{} bytes", state.memory());
}

/// The interpreter of EVAL.
pub(super) fn interpreter() -> State {
    api::for_scripts(0, Version { text: "7.2.6", number: 0x0007_0206 })
}

/// Who runs a script here: it knows no commands.
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
