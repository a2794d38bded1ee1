//! What functions have beyond a call: the settings of their module, and a buffer.
//!
//! Settings are in a userdata, which is the upvalue of each function of the module: nothing
//! else leads there, and Lua frees it when the last of them is gone.

use mlua_sys as ffi;

use super::Stack;
use crate::script::bridge::{self, Member, Settings};

/// How many bytes of a `Scratch` are kept for the next call.
const BUFFER: usize = 1 << 20;

/// A container that is read or written.
#[derive(Debug)]
pub(crate) struct Open {
    /// Where its table stands.
    pub table: usize,
    pub is_map: bool,
    /// Values that are done, and values that are to come, as far as anybody counts them.
    pub done: i32,
    pub left: u64,
}

/// Room that is used again from call to call.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub bytes: Vec<u8>,
    /// Containers, the innermost last.
    pub open: Vec<Open>,
}

impl Stack<'_> {
    /// Room that is used again from call to call. It is empty.
    pub(crate) fn take_scratch(&mut self) -> Scratch {
        // SAFETY: nobody else holds a reference to the data while a function runs.
        unsafe { std::mem::take(&mut (*self.shared).scratch) }
    }

    pub(crate) fn give_scratch(&mut self, mut scratch: Scratch) {
        scratch.bytes.clear();
        scratch.bytes.shrink_to(BUFFER);
        scratch.open.clear();
        // SAFETY: as above.
        unsafe { (*self.shared).scratch = scratch };
    }

    /// Bytes that the script may still take.
    pub(crate) fn memory_left(&self) -> usize {
        // SAFETY: as in `take_scratch`.
        unsafe { (*self.shared).heap.left() }
    }

    /// Pushes a table with these members, whose functions have `settings` of their own together.
    /// Needs room for five values.
    pub(crate) fn push_module(&mut self, members: &[(&str, Member)], settings: Settings) {
        assert!(self.top + 5 <= self.room, "no room on Lua's stack: `reserve` first");
        // SAFETY: there is room; B2. What is written is a userdata of that size.
        unsafe {
            ffi::lua_newtable(self.at);
            bridge::add_sharing(self.at, members, settings);
        }
        self.pushed();
    }

    /// The settings that this function has together with others of its module.
    pub(crate) fn settings(&self) -> Settings {
        // SAFETY: `settings_place` has checked the size. Nobody holds a reference.
        unsafe { self.settings_place().read() }
    }

    pub(crate) fn set_settings(&mut self, settings: Settings) {
        // SAFETY: as in `settings`.
        unsafe { self.settings_place().write(settings) };
    }

    /// Where they are. Panics unless the function belongs to a module.
    fn settings_place(&self) -> *mut Settings {
        let index = ffi::lua_upvalueindex(1);
        // SAFETY: a function of ours runs. Lua says so if there is no upvalue; only `add_sharing`
        // makes one.
        unsafe {
            let userdata = ffi::lua_type(self.at, index) == ffi::LUA_TUSERDATA
                && ffi::lua_objlen(self.at, index) == size_of::<Settings>();
            assert!(userdata, "a function of a module");
            ffi::lua_touserdata(self.at, index).cast()
        }
    }
}
