//! How Lua calls a function of ours, and how that ends.
//!
//! Each function has an entry of its own, made for its type: so the compiler sees both at once, and
//! a call costs no more than one of a function in C. An error is raised when the frame of the
//! function is gone (B1).

use std::ffi::{CStr, c_int};
use std::ptr::NonNull;

use mlua_sys as ffi;

use super::{Raise, Stack};
use crate::script::bridge::{self, Call, Shared};

/// A function for scripts, which is a type of its own: so the function that Lua calls for it (B1)
/// has it within.
pub(crate) trait Function: Fn(&mut Stack<'_>) -> Result<usize, Raise> + Copy {}

impl<F: Fn(&mut Stack<'_>) -> Result<usize, Raise> + Copy> Function for F {}

/// What Lua calls for a function.
pub(in crate::script::bridge) const fn entry<F: Function>(_: F) -> ffi::lua_CFunction {
    const { assert!(size_of::<F>() == 0, "a function that has nothing with it") };
    enter::<F>
}

/// How a function has ended.
enum End {
    Results(c_int),
    Error,
    /// The message is on top.
    Argument(c_int),
    Type(c_int, &'static CStr),
}

/// The function that Lua calls for each of ours (B1).
unsafe extern "C-unwind" fn enter<F: Function>(at: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua calls it with a live state. `inside` has returned, and with it everything that
    // owned something; what is raised from here passes over no destructor.
    unsafe {
        match inside::<F>(at) {
            End::Results(n) => n,
            end => raise(at, end),
        }
    }
}

/// Raises an error.
///
/// # Safety
/// As in `enter`. It owns nothing.
#[cold]
unsafe fn raise(at: *mut ffi::lua_State, end: End) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        match end {
            End::Results(n) => n,
            End::Error => ffi::lua_error(at),
            End::Argument(n) => {
                ffi::luaL_argerror(at, n, ffi::lua_tolstring(at, -1, std::ptr::null_mut()))
            }
            End::Type(n, expected) => ffi::luaL_typerror(at, n, expected.as_ptr()),
        }
    }
}

/// Calls the function, and puts its error on the stack.
///
/// # Safety
/// As Lua calls `enter`.
#[inline(always)]
unsafe fn inside<F: Function>(at: *mut ffi::lua_State) -> End {
    // SAFETY: `entry` was given a value of `F`, which has no bytes and can be copied: so there is
    // one wherever it is asked for. The state's data is its `Shared`, which nobody holds a
    // reference to.
    unsafe {
        let f = NonNull::<F>::dangling().as_ref();
        let Call { data, top } = bridge::redust_lua_call(at);
        let shared = data.cast::<Shared>();
        let strict = std::mem::replace(&mut (*shared).heap.strict, false);
        let mut stack = Stack::of(at, shared, top);
        let result = f(&mut stack);
        let end = match result {
            Ok(n) => {
                assert!(n <= stack.top, "as many results");
                End::Results(n as c_int)
            }
            Err(error) => describe(at, error),
        };
        (*shared).heap.strict = strict;
        end
    }
}

/// Puts an error on the stack.
///
/// # Safety
/// As in `inside`, with an allocator that does not fail. There is room: Lua gives `ROOM` to any
/// function, and one that has used more has asked for it.
#[cold]
unsafe fn describe(at: *mut ffi::lua_State, error: Raise) -> End {
    // SAFETY: the caller's promise.
    unsafe {
        match error {
            Raise::Value => End::Error,
            Raise::Error(message) => {
                ffi::lua_checkstack(at, 3);
                ffi::luaL_where(at, 1);
                bridge::push(at, &message);
                ffi::lua_concat(at, 2);
                End::Error
            }
            Raise::Argument(n, message) => {
                ffi::lua_checkstack(at, 3);
                bridge::push(at, &message);
                End::Argument(n as c_int)
            }
            Raise::Type(n, expected) => End::Type(n as c_int, expected),
        }
    }
}
