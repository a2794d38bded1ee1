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
        // One before may have ended in an error, and left some.
        let (known, walk) = (self.walks, Walk { table, key: self.top + 1, floor: self.floor });
        let walks = self.walks();
        walks.truncate(known);
        walks.push(walk);
        self.walks = known + 1;
        self.push_nil();
        self.floor = self.top;
        Ok(())
    }

    /// Goes on with the innermost walk. True: the next key and value are on top (`len() - 1`,
    /// `len()`), and nothing else that came after the walk began. False: it ends, and neither is
    /// there.
    pub(crate) fn step(&mut self) -> bool {
        let Some(last) = self.walks.checked_sub(1) else { return false };
        let Walk { table, key, .. } = self.walks()[last];
        assert!(self.top >= key, "arguments stay");
        // SAFETY: B6: what is on top then is nil, or the key that was found last, as it lies below
        // the floor. The value takes the place of what is popped, or room that `walk` asked for.
        unsafe {
            ffi::lua_settop(self.at, key as c_int);
            if ffi::lua_next(self.at, table) != 0 {
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
        let Some(last) = self.walks.checked_sub(1) else { return };
        let Walk { key, floor, .. } = self.walks()[last];
        self.forget_walks(last);
        self.floor = floor;
        self.shrink_to(key - 1);
        // SAFETY: so many values are there at least: `step` or `walk` has left the key.
        unsafe { ffi::lua_settop(self.at, self.top as c_int) };
    }

    /// Forgets the innermost walks, so that `n` are left.
    pub(super) fn forget_walks(&mut self, n: usize) {
        if self.walks > n {
            self.walks = n;
            self.walks().truncate(n);
        }
    }

    /// Those of this function: it runs alone, so no other one has any.
    fn walks(&mut self) -> &mut Vec<Walk> {
        // SAFETY: nobody else holds a reference to the data while a function runs.
        unsafe { &mut (*self.shared).walks }
    }
}
