//! The edge to Lua: an interpreter as a value, and its stack behind a safe interface.
//!
//! ```text
//! State     an interpreter, owned; what the host does with it from outside
//! Stack     what a function of ours sees when Lua calls it: its arguments, and room for results
//! Host      what a run of a script may ask of the server
//! ```
//! Lua reports an error by `longjmp`, which runs no destructor of Rust. So an error is never raised
//! while a frame of ours owns anything:
//!
//! - B1  a function of ours is called through `enter`, which raises the error that it returned when
//!   its frame is gone. `enter` and the other functions that Lua calls own nothing themselves;
//! - B2  within such a function the allocator never fails (`Heap::strict` is off), nothing collects
//!   objects by running code (`tools/lua/build.rs`), and `Stack` offers no operation that calls
//!   metamethods. So no operation of `Stack` raises an error;
//! - B3  `Stack` counts the room that it has asked for, and panics where Lua would write behind it.
//!   Indexes are checked; what stands below the frame of the function can't be reached;
//! - B4  a string that is an argument lives as long as the call: nothing pops or replaces
//!   arguments;
//! - B5  the pointer to the host in `Shared` is set only while `State::run` borrows the host.
//!   Whoever uses it holds no other reference to it: `Lua` is one thread, and the host's functions
//!   don't call Lua;
//! - B6  `lua_next`, which raises an error for a key that it does not know, gets nil or the key
//!   that it gave last: that lies below the floor, where nothing is popped or replaced;
//! - B7  the session of the debugger is in `Shared`, and nobody holds a reference to it while Lua
//!   runs.
//!
//! From outside (`State`), nothing runs but what is protected by `lua_pcall`, and the allocator
//! does not fail either.

#![allow(unsafe_code)] // The C interface of Lua.

mod debug;
mod heap;
mod run;
mod stack;

use std::cell::Cell;
use std::ffi::{CStr, c_int, c_void};
use std::ptr::NonNull;

use mlua_sys as ffi;

use super::debug::Session;
use heap::Heap;
pub(crate) use run::{Failure, Host, Registration, With};
use stack::Walk;
pub(crate) use stack::{Function, Kind, MAX_STACK, Open, Raise, Scratch, Stack, View, integer};

unsafe extern "C-unwind" {
    /// Makes the table at an index read-only, or not.
    fn redust_lua_set_readonly(state: *mut ffi::lua_State, index: c_int, on: c_int);
    fn redust_lua_is_readonly(state: *mut ffi::lua_State, index: c_int) -> c_int;
    /// What a function that Lua calls asks for first.
    fn redust_lua_call(state: *mut ffi::lua_State) -> Call;
    fn luaopen_base(state: *mut ffi::lua_State) -> c_int;
    fn luaopen_table(state: *mut ffi::lua_State) -> c_int;
    fn luaopen_string(state: *mut ffi::lua_State) -> c_int;
    fn luaopen_math(state: *mut ffi::lua_State) -> c_int;
}

/// Where `math.random` begins. Compat: every server gives the same numbers.
const SEED: u64 = 0x1234_abcd_330e;

thread_local! {
    /// What `math.random` draws from. Compat: scripts and functions draw from the same numbers,
    /// which go on when an interpreter is replaced by a new one (SCRIPT FLUSH).
    static RANDOM: Cell<u64> = const { Cell::new(SEED) };
}

/// The data of the interpreter (its `Shared`), and how many arguments there are.
#[repr(C)]
struct Call {
    data: *mut c_void,
    top: usize,
}

/// A value that the host keeps: a compiled chunk, a function of a library.
///
/// It means something in its own interpreter alone, until it is released there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept(c_int);

/// What the functions that Lua calls find by its state.
#[repr(C)]
struct Shared {
    heap: Heap,
    /// Who runs a script (B5).
    host: Option<NonNull<dyn Host>>,
    /// The error with which the script is to end, whatever it catches.
    killed: Option<&'static CStr>,
    /// Where functions put together what they give to Lua.
    scratch: Scratch,
    walks: Vec<Walk>,
    /// The script is debugged.
    session: Option<Box<Session>>,
}

/// An interpreter.
pub(crate) struct State {
    lua: NonNull<ffi::lua_State>,
    /// It stays where it is: Lua has its address.
    shared: NonNull<Shared>,
    /// The handler of errors, in the registry.
    handler: c_int,
    /// The table of globals, in the registry. A script can put another one in its place
    /// (`setfenv(0, ..)`), but only for itself.
    ground: c_int,
    /// What libraries find as globals when their functions run, and when they are loaded; in the
    /// registry.
    globals: c_int,
    while_loading: c_int,
    runs: u32,
    /// Bytes that were in use when the collector had done all of its work.
    kept: usize,
}

/// A reference to nothing.
const NOTHING: c_int = -1;

/// What the functions of a module share: each `cjson.new()` has its own. They are plain numbers, so
/// Lua can free them without asking anybody.
pub(crate) type Settings = [i32; 9];

/// What is in a table of the API.
#[derive(Clone, Copy)]
pub(crate) enum Member {
    /// A function, as `Member::call` makes it.
    Call(ffi::lua_CFunction),
    Number(f64),
    Text(&'static str),
    /// A pointer to nothing, which stands for null in JSON.
    Null,
}

impl Member {
    /// A function for scripts: it leaves its results on the stack, and says how many they are.
    pub(crate) const fn call<F: Function>(f: F) -> Member {
        Member::Call(stack::entry(f))
    }
}

impl State {
    /// A new interpreter with the base library, `table`, `string` and `math`, without what reads
    /// files or prints. `limit` is the most bytes that it may take while a script runs; 0: any.
    pub(crate) fn new(limit: usize) -> State {
        let shared = Box::new(Shared {
            heap: Heap::new(limit),
            host: None,
            killed: None,
            scratch: Scratch::default(),
            walks: Vec::new(),
            session: None,
        });
        let shared = NonNull::from(Box::leak(shared));
        // SAFETY: `heap::allocate` fits the contract of an allocator of Lua, and `shared` outlives
        // the state: `drop` closes that first. With an allocator that does not fail the calls
        // below raise no error; they leave the stack as they found it.
        unsafe {
            let lua = ffi::lua_newstate(heap::allocate, shared.as_ptr().cast());
            let lua = NonNull::new(lua).expect("the allocator does not fail");
            let at = lua.as_ptr();
            for open in [luaopen_base, luaopen_table, luaopen_string, luaopen_math] {
                ffi::lua_pushcfunction(at, open);
                push(at, b"");
                ffi::lua_call(at, 1, 0);
            }
            for name in [c"dofile", c"loadfile", c"print"] {
                ffi::lua_pushnil(at);
                ffi::lua_setglobal(at, name.as_ptr());
            }
            ffi::lua_pushcfunction(at, run::protected_call);
            ffi::lua_setglobal(at, c"pcall".as_ptr());
            ffi::lua_pushcfunction(at, run::describe_error);
            let handler = ffi::luaL_ref(at, ffi::LUA_REGISTRYINDEX);
            State {
                lua,
                shared,
                handler,
                ground: NOTHING,
                globals: NOTHING,
                while_loading: NOTHING,
                runs: 0,
                kept: 0,
            }
        }
    }

    fn at(&self) -> *mut ffi::lua_State {
        self.lua.as_ptr()
    }

    fn shared(&mut self) -> &mut Shared {
        // SAFETY: it is ours, and no script runs while the state is borrowed.
        unsafe { self.shared.as_mut() }
    }

    /// Bytes that it takes.
    pub(crate) fn memory(&self) -> usize {
        // SAFETY: as above; nothing writes it while the state is borrowed.
        unsafe { self.shared.as_ref() }.heap.used()
    }

    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.shared().heap.set_limit(limit);
    }

    /// Adds members to the global table `name`, which is made if there is none.
    pub(crate) fn add(&mut self, name: &str, members: &[(&str, Member)]) {
        let at = self.at();
        // SAFETY: B2: nothing here raises an error, as the globals are not read-only yet and have
        // no metatable. There is room for 20 values, and at most five are on the stack.
        unsafe {
            push(at, name.as_bytes());
            ffi::lua_rawget(at, ffi::LUA_GLOBALSINDEX);
            if ffi::lua_istable(at, -1) == 0 {
                ffi::lua_pop(at, 1);
                ffi::lua_newtable(at);
                push(at, name.as_bytes());
                ffi::lua_pushvalue(at, -2);
                ffi::lua_rawset(at, ffi::LUA_GLOBALSINDEX);
            }
            add_members(at, members);
            ffi::lua_pop(at, 1);
        }
    }

    /// Adds a global table whose functions have settings together.
    pub(crate) fn add_module(
        &mut self,
        name: &str,
        members: &[(&str, Member)],
        settings: Settings,
    ) {
        let at = self.at();
        // SAFETY: as in `add`; at most six values are on the stack.
        unsafe {
            push(at, name.as_bytes());
            ffi::lua_newtable(at);
            add_sharing(at, members, settings);
            ffi::lua_rawset(at, ffi::LUA_GLOBALSINDEX);
        }
    }

    /// Makes the global `name` another name for `of`.
    pub(crate) fn alias(&mut self, name: &str, of: &str) {
        // SAFETY: as in `add`.
        unsafe {
            push(self.at(), name.as_bytes());
            push(self.at(), of.as_bytes());
            ffi::lua_rawget(self.at(), ffi::LUA_GLOBALSINDEX);
            ffi::lua_rawset(self.at(), ffi::LUA_GLOBALSINDEX);
        }
    }

    /// From now on all tables that scripts find are read-only, metatables included, and reading a
    /// global that does not exist is an error.
    pub(crate) fn protect(&mut self) {
        let at = self.at();
        // SAFETY: as in `add`. `protect_table` asks for its room.
        unsafe {
            ffi::lua_pushvalue(at, ffi::LUA_GLOBALSINDEX);
            refuse_unknown(at);
            protect_table(at);
            self.ground = ffi::luaL_ref(at, ffi::LUA_REGISTRYINDEX);
            // The metatable that all strings share.
            push(at, b"");
            if ffi::lua_getmetatable(at, -1) != 0 {
                protect_table(at);
                ffi::lua_pop(at, 1);
            }
            ffi::lua_pop(at, 1);
        }
    }

    /// Puts an empty table in front of the globals, so that libraries can be shown others while
    /// they are loaded: a table of each name with its members, under each of the `names`.
    pub(crate) fn protect_for_libraries(&mut self, names: &[&str], members: &[(&str, Member)]) {
        let at = self.at();
        // SAFETY: as in `add`; at most five values are on the stack.
        unsafe {
            ffi::lua_newtable(at);
            ffi::lua_newtable(at);
            add_members(at, members);
            refuse_unknown(at);
            for name in names {
                push(at, name.as_bytes());
                ffi::lua_pushvalue(at, -2);
                ffi::lua_rawset(at, -4);
            }
            ffi::lua_pop(at, 1);
            refuse_unknown(at);
            protect_table(at);
            self.while_loading = ffi::luaL_ref(at, ffi::LUA_REGISTRYINDEX);
            self.protect();
            self.globals = self.ground;
            ffi::lua_newtable(at);
            ffi::lua_newtable(at);
            ffi::lua_pushvalue(at, ffi::LUA_GLOBALSINDEX);
            ffi::lua_setfield(at, -2, c"__index".as_ptr());
            redust_lua_set_readonly(at, -1, 1);
            ffi::lua_setmetatable(at, -2);
            redust_lua_set_readonly(at, -1, 1);
            ffi::lua_replace(at, ffi::LUA_GLOBALSINDEX);
            ffi::lua_pushvalue(at, ffi::LUA_GLOBALSINDEX);
            self.ground = ffi::luaL_ref(at, ffi::LUA_REGISTRYINDEX);
        }
    }

    /// Chooses what is behind the empty table of `protect_for_libraries`.
    fn show_globals(&mut self, table: c_int) {
        let at = self.at();
        // SAFETY: the globals have a metatable, which is made writable for the moment. Two values
        // are on the stack at most.
        unsafe {
            if ffi::lua_getmetatable(at, ffi::LUA_GLOBALSINDEX) != 0 {
                redust_lua_set_readonly(at, -1, 0);
                push(at, b"__index");
                ffi::lua_rawgeti_(at, ffi::LUA_REGISTRYINDEX, table);
                ffi::lua_rawset(at, -3);
                redust_lua_set_readonly(at, -1, 1);
                ffi::lua_pop(at, 1);
            }
        }
    }

    /// Forgets a value.
    pub(crate) fn release(&mut self, kept: Kept) {
        // SAFETY: the reference came from `luaL_ref`, and is given up.
        unsafe { ffi::luaL_unref(self.at(), ffi::LUA_REGISTRYINDEX, kept.0) };
    }
}

// SAFETY: an interpreter refers to nothing outside itself and its `Shared`, and both move together.
// It is used by one thread at a time, as every use borrows it mutably.
unsafe impl Send for State {}

impl Drop for State {
    fn drop(&mut self) {
        // SAFETY: the state is closed before what it uses is freed; both are ours.
        unsafe {
            ffi::lua_close(self.at());
            drop(Box::from_raw(self.shared.as_ptr()));
        }
    }
}

/// Pushes a string.
///
/// # Safety
/// There is room on the stack, and the allocator does not fail.
unsafe fn push(at: *mut ffi::lua_State, text: &[u8]) {
    // SAFETY: pointer and length are a slice's; Lua copies it.
    unsafe { ffi::lua_pushlstring_(at, text.as_ptr().cast(), text.len()) };
}

/// Adds members to the table on top.
///
/// # Safety
/// The value on top is a table that can be written to; there is room for four values, and the
/// allocator does not fail.
unsafe fn add_members(at: *mut ffi::lua_State, members: &[(&str, Member)]) {
    for (key, member) in members {
        // SAFETY: the caller's promise.
        unsafe {
            push(at, key.as_bytes());
            push_member(at, member);
            ffi::lua_rawset(at, -3);
        }
    }
}

/// Pushes what is in a table of the API.
///
/// # Safety
/// There is room for two values, and the allocator does not fail.
unsafe fn push_member(at: *mut ffi::lua_State, member: &Member) {
    // SAFETY: the caller's promise.
    unsafe {
        match member {
            Member::Call(f) => ffi::lua_pushcfunction(at, *f),
            Member::Number(n) => ffi::lua_pushnumber(at, *n),
            Member::Text(text) => push(at, text.as_bytes()),
            Member::Null => ffi::lua_pushlightuserdata(at, std::ptr::null_mut()),
        }
    }
}

/// Adds members to the table on top, whose functions have `settings` together.
///
/// # Safety
/// The value on top is a table that is not read-only, there is room for four more, and the
/// allocator does not fail.
unsafe fn add_sharing(at: *mut ffi::lua_State, members: &[(&str, Member)], settings: Settings) {
    // SAFETY: the caller's promise. What is written is the userdata's own, and as long as that;
    // Lua aligns it for anything. It is taken off from below the functions at the end.
    unsafe {
        ffi::lua_newuserdata(at, size_of::<Settings>()).cast::<Settings>().write(settings);
        for (key, member) in members {
            push(at, key.as_bytes());
            match member {
                Member::Call(f) => {
                    ffi::lua_pushvalue(at, -2);
                    ffi::lua_pushcclosure(at, *f, 1);
                }
                member => push_member(at, member),
            }
            ffi::lua_rawset(at, -4);
        }
        ffi::lua_pop(at, 1);
    }
}

/// Gives the table on top a metatable that refuses to read what is not there.
///
/// # Safety
/// As in `add_members`.
unsafe fn refuse_unknown(at: *mut ffi::lua_State) {
    // SAFETY: the caller's promise.
    unsafe {
        ffi::lua_newtable(at);
        ffi::lua_pushcfunction(at, run::no_such_global);
        ffi::lua_setfield(at, -2, c"__index".as_ptr());
        ffi::lua_setmetatable(at, -2);
    }
}

/// Makes the table on top of the stack read-only, with all that can be reached from it.
///
/// # Safety
/// The value on top is a table, and the allocator does not fail.
unsafe fn protect_table(at: *mut ffi::lua_State) {
    // SAFETY: each value that is looked at has just been pushed. The room is asked for. The tables
    // are not changed while they are walked.
    unsafe {
        if redust_lua_is_readonly(at, -1) != 0 {
            return;
        }
        redust_lua_set_readonly(at, -1, 1);
        assert!(ffi::lua_checkstack(at, 4) != 0, "tables of the API are not that deep");
        ffi::lua_pushnil(at);
        while ffi::lua_next(at, -2) != 0 {
            if ffi::lua_istable(at, -1) != 0 {
                protect_table(at);
            }
            ffi::lua_pop(at, 1);
        }
        if ffi::lua_getmetatable(at, -1) != 0 {
            protect_table(at);
            ffi::lua_pop(at, 1);
        }
    }
}
