//! Running a chunk: the host, the hook that interrupts, and what an error tells.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};

use mlua_sys as ffi;

use super::stack::{Kind, Stack};
use super::{Kept, Shared, State, debug, push, redust_lua_is_readonly, redust_lua_set_readonly};
use crate::resp::reply::Reply;
use crate::script::flags::Flags;

/// Instructions of Lua between two looks at the clock.
const INSTRUCTIONS: c_int = 100_000;
/// After so many runs the collector does a part of its work, however little they left.
const RUNS: u32 = 50;

/// What a run of a script may ask of the server.
pub(crate) trait Host {
    /// Runs a command. Its reply is appended to `reply`; an error of the command is one as well.
    fn call(&mut self, args: &[&[u8]], reply: &mut Reply) -> Result<(), Vec<u8>>;
    /// The version of RESP in which the script wants replies.
    fn set_resp3(&mut self, on: bool);
    /// Where the writes that follow go: bits of `REPL_AOF` and `REPL_REPLICA`.
    fn set_repl(&mut self, targets: u8);
    /// Whether the caller may run a command; None if there is none of this name.
    fn may_call(&mut self, args: &[&[u8]]) -> Option<bool>;
    /// A reply buffer that is used again from call to call.
    fn take_reply(&mut self) -> Reply;
    fn give_reply(&mut self, reply: Reply);
    /// Called every now and then. Some: the script is to end with this error.
    fn interrupt(&mut self) -> Option<&'static CStr>;
    /// Takes a function of the library that is being loaded. The error goes to the library, and
    /// with it what it wanted to keep.
    fn register(&mut self, function: Registration) -> Result<(), (Vec<u8>, Kept)>;
}

/// How a chunk gets what its caller gives it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum With<'a> {
    /// A script: KEYS and ARGV are globals.
    Globals { keys: &'a [&'a [u8]], args: &'a [&'a [u8]] },
    /// A function of a library: both are arguments.
    Arguments { keys: &'a [&'a [u8]], args: &'a [&'a [u8]] },
    /// The text of a library, which registers its functions: it sees the API for that alone.
    Loading,
}

/// A function that a library registers.
#[derive(Debug)]
pub(crate) struct Registration {
    pub name: Vec<u8>,
    pub description: Option<Vec<u8>>,
    pub callback: Kept,
    pub flags: Flags,
}

/// Why a run ended in an error.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The message with its code; None if the script raised something that has none.
    pub message: Option<Vec<u8>>,
    /// The place: the chunk's name and the line.
    pub source: Option<Vec<u8>>,
    pub line: Option<Vec<u8>>,
    /// The error was counted already, when the command failed.
    pub counted: bool,
    /// It never got as far as to describe it: memory or stack ran out.
    pub bare: bool,
}

impl State {
    /// Compiles a chunk. `name` is how messages call it, with an `@` before it. The error is Lua's
    /// message.
    pub(crate) fn compile(&mut self, text: &[u8], name: &CStr) -> Result<Kept, Vec<u8>> {
        let at = self.lua.as_ptr();
        // SAFETY: the parser reports its errors by a status. The chunk, or the message, is popped.
        unsafe {
            let status = ffi::luaL_loadbuffer(at, text.as_ptr().cast(), text.len(), name.as_ptr());
            if status == 0 {
                return Ok(Kept(ffi::luaL_ref(at, ffi::LUA_REGISTRYINDEX)));
            }
            let mut stack = Stack::new(at, self.shared.as_ptr()).without_arguments();
            let message = stack.bytes(stack.len()).unwrap_or_default().to_vec();
            stack.truncate(0);
            Err(message)
        }
    }

    /// Runs a chunk or a function for `host`.
    ///
    /// `watched`: the host is asked now and then whether to go on. The result is the only value on
    /// the stack that `done` sees; a chunk that is loaded has none.
    pub(crate) fn run<H: Host>(
        &mut self,
        what: &Kept,
        with: With<'_>,
        watched: bool,
        host: &mut H,
        done: impl FnOnce(&mut Stack<'_>, &mut H),
    ) -> Result<(), Failure> {
        let at = self.lua.as_ptr();
        let shared = self.shared.as_ptr();
        // SAFETY: the stack is empty between runs, and gets at most six values, of which Lua has
        // room for 20. Nothing raises an error before `lua_pcall` (B2), which catches those of the
        // script. The pointer to the host is taken away before `host` is used again (B5).
        let status = unsafe {
            let erased = NonNull::from(&mut *host as &mut dyn Host);
            (*shared).host =
                Some(std::mem::transmute::<NonNull<dyn Host + '_>, NonNull<dyn Host>>(erased));
            (*shared).killed = None;
            let debugs = debug::watch(at, shared);
            if watched && !debugs {
                ffi::lua_sethook(at, Some(hook), ffi::LUA_MASKCOUNT, INSTRUCTIONS);
            }
            if matches!(with, With::Loading) {
                self.show_globals(self.while_loading);
            }
            ffi::lua_rawgeti_(at, ffi::LUA_REGISTRYINDEX, self.handler);
            ffi::lua_rawgeti_(at, ffi::LUA_REGISTRYINDEX, what.0);
            let (arguments, results, handler) = match with {
                With::Globals { keys, args } => {
                    redust_lua_set_readonly(at, ffi::LUA_GLOBALSINDEX, 0);
                    for (name, list) in [(&b"KEYS"[..], keys), (b"ARGV", args)] {
                        push(at, name);
                        push_list(at, list);
                        ffi::lua_rawset(at, ffi::LUA_GLOBALSINDEX);
                    }
                    redust_lua_set_readonly(at, ffi::LUA_GLOBALSINDEX, 1);
                    (0, 1, 1)
                }
                With::Arguments { keys, args } => {
                    push_list(at, keys);
                    push_list(at, args);
                    (2, 1, 1)
                }
                // Compat: an error is told without its place.
                With::Loading => (0, 0, 0),
            };
            (*shared).heap.strict = true;
            let status = ffi::lua_pcall(at, arguments, results, handler);
            (*shared).heap.strict = false;
            (*shared).host = None;
            ffi::lua_rawgeti_(at, ffi::LUA_REGISTRYINDEX, self.ground);
            ffi::lua_replace(at, ffi::LUA_GLOBALSINDEX);
            if watched || debugs {
                ffi::lua_sethook(at, None, 0, 0);
            }
            status
        };
        if matches!(with, With::Loading) {
            self.show_globals(self.globals);
        }
        // SAFETY: nothing else uses the state until the stack is gone; the handler is removed, so
        // the result or the error is all there is.
        unsafe {
            ffi::lua_remove(at, 1);
            let mut stack = Stack::new(at, shared).without_arguments();
            let result = match status {
                0 => {
                    done(&mut stack, host);
                    Ok(())
                }
                _ => Err(failure(&mut stack)),
            };
            stack.truncate(0);
            self.collect();
            result
        }
    }

    /// Lets the collector work after a run.
    fn collect(&mut self) {
        let (at, kept) = (self.lua.as_ptr(), self.kept);
        self.runs += 1;
        // SAFETY: nothing runs, and nothing that is collected runs code (B2).
        unsafe {
            if self.shared().heap.is_half_full_above(kept) {
                // The next script should not fail for what this one has left behind.
                ffi::lua_gc(at, ffi::LUA_GCCOLLECT, 0);
                self.kept = self.memory();
            } else if self.runs >= RUNS {
                self.runs = 0;
                ffi::lua_gc(at, ffi::LUA_GCSTEP, RUNS as c_int);
            }
        }
    }
}

/// What the error value on the stack tells.
fn failure(stack: &mut Stack<'_>) -> Failure {
    let i = stack.len();
    match stack.kind(i) {
        Kind::Table => {}
        Kind::String => {
            let message = stack.bytes(i).map(<[u8]>::to_vec);
            return Failure { message, bare: true, ..Failure::default() };
        }
        _ => return Failure { bare: true, ..Failure::default() },
    }
    let mut field = |name: &str| {
        stack.get_field(i, name);
        let at = stack.len();
        let text = match stack.kind(at) {
            Kind::Boolean => Some(vec![u8::from(stack.boolean(at))]),
            _ => stack.shown(at).map(<[u8]>::to_vec),
        };
        stack.pop(1);
        text
    };
    let (message, source, line) = (field("err"), field("source"), field("line"));
    let counted = field("ignore_error_stats_update") == Some(vec![1]);
    Failure { message, source, line, counted, bare: false }
}

/// Pushes an array of strings.
///
/// # Safety
/// There is room for two values, and the allocator does not fail.
unsafe fn push_list(at: *mut ffi::lua_State, list: &[&[u8]]) {
    // SAFETY: the table is new.
    unsafe {
        ffi::lua_createtable(at, list.len().min(1 << 20) as c_int, 0);
        for (n, text) in list.iter().enumerate() {
            push(at, text);
            ffi::lua_rawseti_(at, -2, (n + 1) as c_int);
        }
    }
}

/// The data of a state.
///
/// # Safety
/// The state is one that `State::new` has made, or a coroutine of it.
pub(super) unsafe fn shared_of(at: *mut ffi::lua_State) -> *mut Shared {
    let mut data = ptr::null_mut::<c_void>();
    // SAFETY: Lua writes the pointer that it was made with.
    unsafe { ffi::lua_getallocf(at, &mut data) };
    data.cast()
}

/// Lua calls it every so many instructions. It owns nothing (B1).
unsafe extern "C-unwind" fn hook(at: *mut ffi::lua_State, _: *mut ffi::lua_Debug) {
    // SAFETY: the script runs within `run`, so the host is there (B5). What `ask` owns is gone when
    // the error is raised.
    unsafe {
        if let Some(text) = ask(shared_of(at)) {
            // From now on at every line: whoever catches the error does not get far.
            ffi::lua_sethook(at, Some(hook), ffi::LUA_MASKLINE | ffi::LUA_MASKCOUNT, 1);
            ffi::lua_createtable(at, 0, 1);
            push(at, text.to_bytes());
            ffi::lua_setfield(at, -2, c"err".as_ptr());
            ffi::lua_error(at);
        }
    }
}

/// Asks the host whether the script is to end.
///
/// # Safety
/// As in `hook`.
unsafe fn ask(shared: *mut Shared) -> Option<&'static CStr> {
    // SAFETY: B5.
    unsafe {
        if (*shared).killed.is_some() {
            return (*shared).killed;
        }
        let strict = std::mem::replace(&mut (*shared).heap.strict, false);
        let host = (*shared).host;
        let killed = host.and_then(|mut host| host.as_mut().interrupt());
        (*shared).heap.strict = strict;
        (*shared).killed = killed;
        killed
    }
}

/// `pcall` as scripts see it: an error that is a table with `err` is that text. It owns nothing.
pub(super) unsafe extern "C-unwind" fn protected_call(at: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua gives room for 20 values, and the arguments are on the stack.
    unsafe {
        let n = ffi::lua_gettop(at);
        ffi::lua_pushboolean(at, 1);
        ffi::lua_insert(at, 1);
        if ffi::lua_pcall(at, n - 1, ffi::LUA_MULTRET, 0) != 0 {
            ffi::lua_remove(at, 1);
            if ffi::lua_istable(at, -1) != 0 {
                ffi::lua_getfield_(at, -1, c"err".as_ptr());
                if ffi::lua_isstring(at, -1) != 0 {
                    ffi::lua_replace(at, -2);
                }
            }
            ffi::lua_pushboolean(at, 0);
            ffi::lua_insert(at, 1);
        }
        ffi::lua_gettop(at)
    }
}

/// What is read of an error.
const FIELDS: [&CStr; 4] = [c"err", c"source", c"line", c"ignore_error_stats_update"];
/// The error of one that can't be written to, as Redis's handler has it.
const READONLY_ERROR: [(&CStr, &CStr); 3] = [
    (c"err", c"ERR err_handler_def:10: Attempt to modify a readonly table"),
    (c"source", c"@err_handler_def"),
    (c"line", c"10"),
];

/// The handler of errors: makes a table of an error that is none, and notes where it happened. It
/// owns nothing.
pub(super) unsafe extern "C-unwind" fn describe_error(at: *mut ffi::lua_State) -> c_int {
    // SAFETY: the error is the only value, and Lua gives room for 20. `lua_getinfo` fills the
    // record that `lua_getstack` has begun.
    unsafe {
        let mut place = MaybeUninit::<ffi::lua_Debug>::zeroed();
        let place = place.as_mut_ptr();
        let mut known = false;
        // The function that raised the error; its caller if it is one of ours.
        for level in 1..=2 {
            if ffi::lua_getstack(at, level, place) == 0 {
                break;
            }
            known = ffi::lua_getinfo(at, c"Sl".as_ptr(), place) != 0;
            if !known || *(*place).what != b'C' as c_char {
                break;
            }
        }
        if ffi::lua_istable(at, 1) == 0 {
            ffi::lua_createtable(at, 0, 3);
            ffi::lua_pushlstring_(at, c"ERR ".as_ptr(), 4);
            push_shown(at, 1);
            ffi::lua_concat(at, 2);
            ffi::lua_setfield(at, -2, c"err".as_ptr());
            ffi::lua_replace(at, 1);
        } else if redust_lua_is_readonly(at, 1) != 0 {
            // Compat: the place can't be noted in it, and that is the error then.
            ffi::lua_createtable(at, 0, 3);
            for (name, value) in READONLY_ERROR {
                ffi::lua_pushstring_(at, value.as_ptr());
                ffi::lua_setfield(at, -2, name.as_ptr());
            }
            return 1;
        }
        if known {
            ffi::lua_pushstring_(at, (*place).source);
            ffi::lua_setfield(at, 1, c"source".as_ptr());
            ffi::lua_pushnumber(at, f64::from((*place).currentline));
            ffi::lua_setfield(at, 1, c"line".as_ptr());
        }
        if ffi::lua_getmetatable(at, 1) != 0 {
            // What is read of it by and by may be anything that its metatable says.
            ffi::lua_createtable(at, 0, FIELDS.len() as c_int);
            for name in FIELDS {
                ffi::lua_getfield_(at, 1, name.as_ptr());
                ffi::lua_setfield(at, -2, name.as_ptr());
            }
            ffi::lua_replace(at, 1);
        }
        ffi::lua_settop(at, 1);
        1
    }
}

/// Pushes what `tostring` says of a value.
///
/// # Safety
/// There is a value at the index, and room for two more. It owns nothing, and may raise an error.
unsafe fn push_shown(at: *mut ffi::lua_State, index: c_int) {
    // SAFETY: the caller's promise.
    unsafe {
        match ffi::lua_type(at, index) {
            ffi::LUA_TSTRING | ffi::LUA_TNUMBER => {
                ffi::lua_pushvalue(at, index);
                ffi::lua_tolstring(at, -1, ptr::null_mut());
            }
            ffi::LUA_TNIL => ffi::lua_pushlstring_(at, c"nil".as_ptr(), 3),
            ffi::LUA_TBOOLEAN if ffi::lua_toboolean(at, index) != 0 => {
                ffi::lua_pushlstring_(at, c"true".as_ptr(), 4);
            }
            ffi::LUA_TBOOLEAN => ffi::lua_pushlstring_(at, c"false".as_ptr(), 5),
            ffi::LUA_TUSERDATA if ffi::luaL_callmeta(at, index, c"__tostring".as_ptr()) != 0 => {}
            kind => {
                let name = ffi::lua_typename(at, kind);
                ffi::lua_pushfstring(at, c"%s: %p".as_ptr(), name, ffi::lua_topointer(at, index));
            }
        }
    }
}

/// Reading a global that does not exist. It owns nothing.
pub(super) unsafe extern "C-unwind" fn no_such_global(at: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua's own functions, which raise their errors from here.
    unsafe {
        if ffi::lua_gettop(at) != 2 {
            return ffi::luaL_error(
                at,
                c"Wrong number of arguments to luaProtectedTableError".as_ptr(),
            );
        }
        if ffi::lua_isstring(at, -1) == 0 {
            let text = c"Second argument to luaProtectedTableError must be a string or number";
            return ffi::luaL_error(at, text.as_ptr());
        }
        let name = ffi::lua_tolstring(at, -1, ptr::null_mut());
        let text = c"Script attempted to access nonexistent global variable '%s'";
        ffi::luaL_error(at, text.as_ptr(), name)
    }
}
