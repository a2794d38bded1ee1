//! Fuzz entries: whatever the libraries are given to read, they end without a panic, in memory by
//! the size of the input. What they have read they can write, and read again.
//!
//! The checks are scripts: ARGV is the input, and an error of theirs is a broken promise. An input
//! can also be the script itself (`text`): whatever it is, it ends, and leaves the interpreter as
//! the next script expects it.

use std::ffi::CStr;

use super::api::{self, Version};
use super::bridge::{Host, Kept, Registration, State, With};
use super::{convert, flags};
use crate::resp::reply::Reply;

const VERSION: Version = Version { text: "7.2.6", number: 0x0007_0206 };

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

/// What scripts find must be the same after any other script.
const UNCHANGED: &[u8] = b"
    assert(getfenv(0) == _G and getfenv(1) == _G and getmetatable('').__index == string)
    assert(not pcall(function() return nosuch end) and not pcall(function() nosuch = 1 end))
    for _, name in ipairs({'redis', 'string', 'table', 'math', 'cjson', 'bit', 'struct'}) do
        assert(not pcall(rawset, _G[name], 'nosuch', 1) and next(_G[name]) ~= nil)
    end
    assert(('a'):rep(3) == 'aaa' and #KEYS == 0 and #ARGV == 0 and type(redis.call) == 'function')
";

/// Compiles and runs a script, and writes what it returns.
pub fn text(data: &[u8]) {
    let limit = BYTES + BYTES_PER_BYTE * data.len();
    let mut state = api::for_scripts(limit, VERSION);
    let unchanged = state.compile(UNCHANGED, c"@check").expect("it compiles");
    if let Ok((_, skip)) = flags::of_script(data)
        && let Ok(chunk) = state.compile(&data[skip..], c"@user_script")
    {
        for resp3 in [false, true] {
            let mut host = Echo::default();
            let with = With::Globals { keys: &[b"key"], args: &[b"1", b"text"] };
            let _ = state.run(&chunk, with, true, &mut host, |stack, _| {
                let mut reply = Reply::new(Vec::new(), resp3);
                reply.set_limit(Some(limit));
                convert::write_value(stack, resp3, &mut reply);
            });
        }
    }
    let with = With::Globals { keys: &[], args: &[] };
    if let Err(failure) = state.run(&unchanged, with, false, &mut NoHost, |_, _| {}) {
        panic!("{}", failure.message.unwrap_or_default().escape_ascii());
    }
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
    api::for_scripts(0, VERSION)
}

/// Who runs a script that is an input: the reply to a command is its second argument, whatever that
/// is, and the script has some millions of instructions.
#[derive(Default)]
struct Echo {
    looks: u32,
}

impl Host for Echo {
    fn call(&mut self, args: &[&[u8]], reply: &mut Reply) -> Result<(), Vec<u8>> {
        match args {
            [_] => Err(b"-ERR wrong number of arguments".to_vec()),
            _ => {
                reply.raw(args[1]);
                Ok(())
            }
        }
    }
    fn set_resp3(&mut self, _: bool) {}
    fn set_repl(&mut self, _: u8) {}
    fn may_call(&mut self, args: &[&[u8]]) -> Option<bool> {
        (args.len() > 1).then_some(args.len() > 2)
    }
    fn take_reply(&mut self) -> Reply {
        Reply::new(Vec::new(), false)
    }
    fn give_reply(&mut self, _: Reply) {}
    fn interrupt(&mut self) -> Option<&'static CStr> {
        self.looks += 1;
        (self.looks > 10).then_some(c"ERR it takes too long")
    }
    fn register(&mut self, function: Registration) -> Result<(), (Vec<u8>, Kept)> {
        Err((b"no libraries here".to_vec(), function.callback))
    }
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
