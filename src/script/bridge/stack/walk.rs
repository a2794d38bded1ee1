//! Walks of tables by steps, for functions whose input chooses how deep walks lie within walks.
//!
//! Lua's `lua_next` goes on from a key on the stack. That key is below the floor while the walk
//! goes on (B6), so that what a function does between two steps leaves it alone.

use std::ffi::c_int;

use mlua_sys as ffi;

use super::{Raise, Stack};

/// A walk of a table.
#[derive(Debug)]
pub(in crate::script::bridge) struct Walk {
    table: c_int,
    /// Where the key stands: below the floor, so that nobody changes it.
    key: usize,
    /// The floor without the walk.
    floor: usize,
}

impl Stack<'_> {
    /// Begins a walk of a table, as `each` does it, but by steps: for walks within walks whose
    /// depth the input chooses. Nobody may change the table until `step` has said that it ends.
    pub(crate) fn walk(&mut self, table: usize) -> Result<(), Raise> {
        let table = self.table(table);
        self.reserve(2)?;
        if self.walks.capacity() == 0 {
            // SAFETY: nobody else holds a reference to the data while a function runs.
            self.walks = unsafe { std::mem::take(&mut (*self.shared).walks) };
        }
        self.walks.push(Walk { table, key: self.top + 1, floor: self.floor });
        self.push_nil();
        self.floor = self.top;
        Ok(())
    }

    /// Goes on with the innermost walk. True: the next key and value are on top (`len() - 1`,
    /// `len()`), and nothing else that came after the walk began. False: it ends, and neither is
    /// there.
    pub(crate) fn step(&mut self) -> bool {
        let Some(walk) = self.walks.last() else { return false };
        assert!(self.top >= walk.key, "arguments stay");
        // SAFETY: B6: what is on top then is nil, or the key that was found last, as it lies below
        // the floor. The value takes the place of what is popped, or room that `walk` asked for.
        unsafe {
            ffi::lua_settop(self.at, walk.key as c_int);
            if ffi::lua_next(self.at, walk.table) != 0 {
                let key = walk.key;
                self.top = key + 1;
                self.floor = self.top;
                self.forget_from(key);
                return true;
            }
        }
        self.leave();
        false
    }

    /// Ends the innermost walk before its time; what came since it began is popped.
    pub(crate) fn leave(&mut self) {
        if let Some(walk) = self.walks.pop() {
            self.floor = walk.floor;
            self.shrink_to(walk.key - 1);
            // SAFETY: so many values are there at least: `step` or `walk` has left the key.
            unsafe { ffi::lua_settop(self.at, self.top as c_int) };
        }
    }

    /// Keeps the room for walks for the next function.
    pub(super) fn give_walks(&mut self) {
        if self.walks.capacity() > 0 {
            self.walks.clear();
            // SAFETY: as in `walk`.
            unsafe { (*self.shared).walks = std::mem::take(&mut self.walks) };
        }
    }
}
