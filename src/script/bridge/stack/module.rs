//! What functions have beyond a call: the settings of their module, and a buffer.
//!
//! Settings are in a userdata, which is the second upvalue of each function of the module: nothing
//! else leads there, and Lua frees it when the last of them is gone.

use std::ffi::c_void;

use mlua_sys as ffi;

use super::Stack;
use crate::script::bridge::{self, Function, Member, Settings};

/// How many bytes of `take_buffer` are kept for the next call.
const BUFFER: usize = 1 << 20;

impl Stack<'_> {
    /// A buffer that is used again from call to call. It is empty.
    pub(crate) fn take_buffer(&mut self) -> Vec<u8> {
        // SAFETY: as in `draw`.
        unsafe { std::mem::take(&mut (*self.shared).buffer) }
    }

    pub(crate) fn give_buffer(&mut self, mut buffer: Vec<u8>) {
        buffer.clear();
        buffer.shrink_to(BUFFER);
        // SAFETY: as in `draw`.
        unsafe { (*self.shared).buffer = buffer };
    }

    /// Bytes that the script may still take.
    pub(crate) fn memory_left(&self) -> usize {
        // SAFETY: as in `draw`.
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
        let index = ffi::lua_upvalueindex(2);
        // SAFETY: a function of ours runs, which has one value or two: of a second one that is not
        // there Lua says so. Only `add_sharing` makes one.
        unsafe {
            let userdata = ffi::lua_type(self.at, index) == ffi::LUA_TUSERDATA
                && ffi::lua_objlen(self.at, index) == size_of::<Settings>();
            assert!(userdata, "a function of a module");
            ffi::lua_touserdata(self.at, index).cast()
        }
    }
}

/// Pushes a function of ours that shares the settings in the userdata below the top.
///
/// # Safety
/// As in `push_function`, with room for three values. A key is on top, and below it the userdata.
pub(in crate::script::bridge) unsafe fn push_sharing(at: *mut ffi::lua_State, f: Function) {
    // SAFETY: as in `push_function`.
    unsafe {
        ffi::lua_pushlightuserdata(at, f as *mut c_void);
        ffi::lua_pushvalue(at, -3);
        ffi::lua_pushcclosure(at, super::enter, 2);
    }
}
