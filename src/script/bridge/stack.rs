//! What a function of ours sees: arguments, values in the making, and how it ends in an error.

use std::ffi::{CStr, c_int, c_void};
use std::marker::PhantomData;

use mlua_sys as ffi;

use super::run::Host;
use super::{Kept, RANDOM, Shared};

mod enter;
mod module;
mod walk;

pub(crate) use enter::Function;
pub(in crate::script::bridge) use enter::entry;
pub(crate) use module::{Open, Scratch};
pub(in crate::script::bridge) use walk::Walk;

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// There is no such argument.
    None,
    Nil,
    Boolean,
    /// A pointer of ours.
    Light,
    Number,
    String,
    Table,
    Function,
    Userdata,
    Thread,
}

/// A value of a plain type.
#[derive(Debug)]
pub(crate) enum View<'a> {
    Boolean(bool),
    Number(f64),
    String(&'a [u8]),
    Table,
}

/// How a function ends in an error.
#[derive(Debug)]
pub(crate) enum Raise {
    /// A message behind the place in the script that called (`user_script:1: `).
    Error(Vec<u8>),
    /// The value on top of the stack.
    Value,
    /// An argument is wrong: its number from 1, and why.
    Argument(usize, Vec<u8>),
    /// An argument has the wrong type: its number from 1, and what was expected.
    Type(usize, &'static CStr),
}

impl Raise {
    pub(crate) fn error(message: impl Into<Vec<u8>>) -> Raise {
        Raise::Error(message.into())
    }
}

/// Values that may be on the stack of a function without asking.
const ROOM: usize = 20;
/// Values that may be there at all (`LUAI_MAXCSTACK`).
pub(crate) const MAX_STACK: usize = 8000;

/// The stack of a running function. Values are numbered from 1, arguments first.
#[derive(Debug)]
pub(crate) struct Stack<'a> {
    at: *mut ffi::lua_State,
    shared: *mut Shared,
    /// Values up to here stay: they are arguments, or a walk stands on them.
    floor: usize,
    /// Values that Lua has promised room for (B3).
    room: usize,
    top: usize,
    /// A value that is known to be a table, and whether it is known not to be read-only; 0: none.
    known: usize,
    writable: bool,
    /// How many walks `walk` has begun: the last ones of those in `Shared`.
    walks: usize,
    call: PhantomData<&'a ()>,
}

impl<'a> Stack<'a> {
    /// The stack as it is now: what is on it are arguments.
    ///
    /// # Safety
    /// `at` and `shared` belong together and outlive `'a`. The caller has a frame of its own, and
    /// nothing else uses the state meanwhile. The allocator does not fail (B2).
    pub(super) unsafe fn new(at: *mut ffi::lua_State, shared: *mut Shared) -> Stack<'a> {
        // SAFETY: the caller's promise.
        unsafe { Stack::of(at, shared, ffi::lua_gettop(at) as usize) }
    }

    /// The same for a stack of which somebody knows how many values are on it.
    ///
    /// # Safety
    /// As in `new`, and it is this many.
    #[inline]
    unsafe fn of(at: *mut ffi::lua_State, shared: *mut Shared, top: usize) -> Stack<'a> {
        Stack {
            at,
            shared,
            floor: top,
            room: top + ROOM,
            top,
            known: 0,
            writable: false,
            walks: 0,
            call: PhantomData,
        }
    }

    /// All values may be popped: they are nobody's arguments.
    pub(super) fn without_arguments(self) -> Stack<'a> {
        Stack { floor: 0, ..self }
    }

    /// The number of values.
    pub(crate) fn len(&self) -> usize {
        self.top
    }

    /// Asks for room for `n` values more. An error if Lua's stack can't grow that much.
    #[inline]
    pub(crate) fn reserve(&mut self, n: usize) -> Result<(), Raise> {
        if self.top + n <= self.room { Ok(()) } else { self.reserve_more(n) }
    }

    #[cold]
    fn reserve_more(&mut self, n: usize) -> Result<(), Raise> {
        // Near the end of the stack there is no room to spare, but perhaps what is asked for.
        for ask in [n + ROOM, n] {
            let more = c_int::try_from(ask).unwrap_or(c_int::MAX);
            // SAFETY: the state is live. It grows its stack without an error, or says no.
            if unsafe { ffi::lua_checkstack(self.at, more) } != 0 {
                self.room = self.top + ask;
                return Ok(());
            }
        }
        Err(Raise::error("stack overflow"))
    }

    fn pushed(&mut self) {
        self.top += 1;
    }

    /// Panics unless there is room for one value more (B3).
    fn room(&self) {
        assert!(self.top < self.room, "no room on Lua's stack: `reserve` first");
    }

    /// The index of a value in Lua's terms. Panics if there is none.
    fn index(&self, i: usize) -> c_int {
        assert!(i >= 1 && i <= self.top, "no value {i} on Lua's stack");
        i as c_int
    }

    #[inline]
    pub(crate) fn kind(&self, i: usize) -> Kind {
        if i < 1 || i > self.top {
            return Kind::None;
        }
        // SAFETY: the index is one of the stack.
        match unsafe { ffi::lua_type(self.at, i as c_int) } {
            ffi::LUA_TNIL => Kind::Nil,
            ffi::LUA_TBOOLEAN => Kind::Boolean,
            ffi::LUA_TLIGHTUSERDATA => Kind::Light,
            ffi::LUA_TNUMBER => Kind::Number,
            ffi::LUA_TSTRING => Kind::String,
            ffi::LUA_TTABLE => Kind::Table,
            ffi::LUA_TFUNCTION => Kind::Function,
            ffi::LUA_TUSERDATA => Kind::Userdata,
            ffi::LUA_TTHREAD => Kind::Thread,
            _ => Kind::None,
        }
    }

    /// The kind of the value on top.
    pub(crate) fn top_kind(&self) -> Kind {
        self.kind(self.top)
    }

    /// The name of a value's type, as Lua has it.
    pub(crate) fn type_name(&self, i: usize) -> &'static str {
        match self.kind(i) {
            Kind::None => "no value",
            Kind::Nil => "nil",
            Kind::Boolean => "boolean",
            Kind::Light | Kind::Userdata => "userdata",
            Kind::Number => "number",
            Kind::String => "string",
            Kind::Table => "table",
            Kind::Function => "function",
            Kind::Thread => "thread",
        }
    }

    pub(crate) fn boolean(&self, i: usize) -> bool {
        // SAFETY: the index is checked.
        unsafe { ffi::lua_toboolean(self.at, self.index(i)) != 0 }
    }

    /// The number, or the number that a string says; 0 for anything else.
    #[inline]
    pub(crate) fn number(&self, i: usize) -> f64 {
        // SAFETY: the index is checked.
        unsafe { ffi::lua_tonumber(self.at, self.index(i)) }
    }

    /// Whether it is a number, or a string that says one.
    pub(crate) fn is_number(&self, i: usize) -> bool {
        // SAFETY: the index is one of the stack.
        i >= 1 && i <= self.top && unsafe { ffi::lua_isnumber(self.at, i as c_int) != 0 }
    }

    /// The pointer of a light userdata.
    pub(crate) fn light(&self, i: usize) -> *const c_void {
        // SAFETY: the index is checked.
        unsafe { ffi::lua_touserdata(self.at, self.index(i)) }
    }

    /// Where a table, a function or the like is: a number to tell it from others.
    pub(crate) fn pointer(&self, i: usize) -> *const c_void {
        // SAFETY: the index is checked.
        unsafe { ffi::lua_topointer(self.at, self.index(i)) }
    }

    /// The data of the interpreter. What is in it belongs to whoever borrows the stack.
    pub(super) fn shared(&mut self) -> *mut Shared {
        self.shared
    }

    /// A string; None if it is anything else, a number as well.
    pub(crate) fn bytes(&self, i: usize) -> Option<&[u8]> {
        (self.kind(i) == Kind::String).then(|| {
            // SAFETY: it is a string, which stays while it is on the stack. Values leave the stack
            // by methods that take `&mut self`.
            unsafe { text(self.at, i as c_int) }
        })
    }

    /// The text of a string or a number above the arguments; None if it is anything else. A number
    /// becomes a string in its place, so it must not be a key of a walk.
    pub(crate) fn shown(&mut self, i: usize) -> Option<&[u8]> {
        assert!(i > self.floor, "arguments stay as they are");
        // SAFETY: it is a string, or becomes one, and stays while it is on the stack.
        matches!(self.kind(i), Kind::String | Kind::Number)
            .then(|| unsafe { text(self.at, i as c_int) })
    }

    /// An argument that is a string; None if it is anything else, a number as well.
    pub(crate) fn argument(&self, i: usize) -> Option<&'a [u8]> {
        assert!(i <= self.floor || i > self.top, "no argument {i}");
        // SAFETY: B4: it stays on the stack until the call ends.
        (self.kind(i) == Kind::String).then(|| unsafe { text(self.at, i as c_int) })
    }

    /// An argument that must be a string, or a number that becomes one.
    pub(crate) fn check_string(&mut self, i: usize) -> Result<&'a [u8], Raise> {
        match self.kind(i) {
            Kind::String | Kind::Number if i <= self.floor => {
                // SAFETY: a number becomes a string in its place; B4.
                Ok(unsafe { text(self.at, i as c_int) })
            }
            _ => Err(Raise::Type(i, c"string")),
        }
    }

    /// An argument that must be a number, or a string that says one.
    #[inline]
    pub(crate) fn check_number(&self, i: usize) -> Result<f64, Raise> {
        // What is no number counts as 0, so most need no second look.
        let n = if i >= 1 && i <= self.top { self.number(i) } else { 0.0 };
        if n != 0.0 || self.is_number(i) { Ok(n) } else { Err(Raise::Type(i, c"number")) }
    }

    /// An argument that must be a number, cut to an integer as a C compiler for x86-64 does it.
    pub(crate) fn check_integer(&self, i: usize) -> Result<i64, Raise> {
        self.check_number(i).map(integer)
    }

    /// A value of a plain type; None if it is of another one.
    #[inline]
    pub(crate) fn view(&self, i: usize) -> Option<View<'_>> {
        let index = self.index(i);
        // SAFETY: the index is checked. A string stays while it is on the stack, as in `bytes`.
        unsafe {
            Some(match ffi::lua_type(self.at, index) {
                ffi::LUA_TSTRING => View::String(text(self.at, index)),
                ffi::LUA_TNUMBER => View::Number(ffi::lua_tonumber(self.at, index)),
                ffi::LUA_TBOOLEAN => View::Boolean(ffi::lua_toboolean(self.at, index) != 0),
                ffi::LUA_TTABLE => View::Table,
                _ => return None,
            })
        }
    }

    pub(crate) fn push_nil(&mut self) {
        self.room();
        // SAFETY: there is room.
        unsafe { ffi::lua_pushnil(self.at) };
        self.pushed();
    }

    pub(crate) fn push_boolean(&mut self, value: bool) {
        self.room();
        // SAFETY: there is room.
        unsafe { ffi::lua_pushboolean(self.at, c_int::from(value)) };
        self.pushed();
    }

    pub(crate) fn push_number(&mut self, value: f64) {
        self.room();
        // SAFETY: there is room.
        unsafe { ffi::lua_pushnumber(self.at, value) };
        self.pushed();
    }

    /// Pushes a pointer, which nobody follows: a value that is like no other.
    pub(crate) fn push_light(&mut self, value: *const c_void) {
        self.room();
        // SAFETY: there is room.
        unsafe { ffi::lua_pushlightuserdata(self.at, value.cast_mut()) };
        self.pushed();
    }

    pub(crate) fn push_bytes(&mut self, value: &[u8]) {
        self.room();
        // SAFETY: there is room; B2.
        unsafe { super::push(self.at, value) };
        self.pushed();
    }

    /// Pushes a table with room for so many elements of an array, and of other fields.
    pub(crate) fn push_table(&mut self, array: usize, fields: usize) {
        self.room();
        // Somebody else may have made up the numbers.
        let (array, fields) = (array.min(1 << 16) as c_int, fields.min(1 << 16) as c_int);
        // SAFETY: there is room; B2.
        unsafe { ffi::lua_createtable(self.at, array, fields) };
        self.pushed();
        self.known = self.top;
        self.writable = true;
    }

    /// Pushes a copy of a value.
    pub(crate) fn push_value(&mut self, i: usize) {
        self.room();
        // SAFETY: there is room, and the index is checked.
        unsafe { ffi::lua_pushvalue(self.at, self.index(i)) };
        self.pushed();
    }

    /// Takes `n` values off the stack. Panics if one of them is an argument.
    pub(crate) fn pop(&mut self, n: usize) {
        assert!(self.top >= self.floor + n, "arguments stay");
        // SAFETY: so many values are there, above the floor.
        unsafe { ffi::lua_settop(self.at, (self.top - n) as c_int) };
        self.shrink_to(self.top - n);
    }

    /// Takes values off until `n` are left, arguments as well.
    pub(super) fn truncate(&mut self, n: usize) {
        self.floor = self.floor.min(n);
        self.pop(self.top - n);
    }

    /// Keeps an argument beyond the call.
    pub(crate) fn keep(&mut self, i: usize) -> Kept {
        self.push_value(i);
        self.top -= 1;
        // SAFETY: the copy is on top, and is popped; B2.
        Kept(unsafe { ffi::luaL_ref(self.at, ffi::LUA_REGISTRYINDEX) })
    }

    /// Forgets what was kept.
    pub(crate) fn release(&mut self, kept: Kept) {
        // SAFETY: the reference came from `luaL_ref`, and is given up.
        unsafe { ffi::luaL_unref(self.at, ffi::LUA_REGISTRYINDEX, kept.0) };
    }

    /// Only `top` values are left.
    fn shrink_to(&mut self, top: usize) {
        self.top = top;
        self.forget_from(top + 1);
    }

    /// The values from index `i` on are others from now on.
    fn forget_from(&mut self, i: usize) {
        if self.known >= i {
            self.known = 0;
        }
    }

    fn table(&mut self, i: usize) -> c_int {
        // Most tables are used many times in a row.
        if i != self.known || i == 0 {
            assert!(self.kind(i) == Kind::Table, "value {i} is no table");
            self.known = i;
            self.writable = false;
        }
        i as c_int
    }

    /// Replaces the key on top by the table's value there. Calls no metamethod.
    pub(crate) fn get(&mut self, table: usize) {
        let table = self.table(table);
        assert!(self.top > self.floor, "arguments stay");
        // SAFETY: it is a table, and there is a key on top.
        unsafe { ffi::lua_rawget_(self.at, table) };
        self.forget_from(self.top);
    }

    /// Pushes a field of a table. Calls no metamethod.
    pub(crate) fn get_field(&mut self, table: usize, name: &str) {
        self.push_bytes(name.as_bytes());
        self.get(table);
    }

    /// Pushes element `n` of a table.
    pub(crate) fn get_at(&mut self, table: usize, n: i32) {
        self.room();
        let table = self.table(table);
        // SAFETY: it is a table, and there is room.
        unsafe { ffi::lua_rawgeti_(self.at, table, n) };
        self.pushed();
    }

    /// Sets the field whose key and value are on top, and pops both. Panics if the table is not one
    /// that was made here: others may be read-only, and the key must not be nil or NaN.
    pub(crate) fn set(&mut self, table: usize) {
        let set = self.try_set(table);
        assert!(set.is_ok(), "a key that no table has");
    }

    /// The same where the key may be one that no table has: its kind then, and both stay.
    #[inline]
    pub(crate) fn try_set(&mut self, table: usize) -> Result<(), Kind> {
        let index = self.own_table(table);
        assert!(self.top >= self.floor + 2, "arguments stay");
        let key = self.top - 1;
        let kind = self.kind(key);
        if kind == Kind::Nil || kind == Kind::Number && self.number(key).is_nan() {
            return Err(kind);
        }
        // SAFETY: it is a table, key and value are on top, and the key is possible.
        unsafe { ffi::lua_rawset(self.at, index) };
        self.shrink_to(self.top - 2);
        Ok(())
    }

    /// Sets a field to the value on top, and pops it.
    pub(crate) fn set_field(&mut self, table: usize, name: &str) {
        self.push_bytes(name.as_bytes());
        assert!(self.top >= self.floor + 2, "arguments stay");
        // SAFETY: two values are on top.
        unsafe { ffi::lua_insert(self.at, -2) };
        self.forget_from(self.top - 1);
        self.set(table);
    }

    /// Sets element `n` to the value on top, and pops it.
    pub(crate) fn set_at(&mut self, table: usize, n: i32) {
        let index = self.own_table(table);
        assert!(self.top > self.floor, "arguments stay");
        // SAFETY: it is a table, and a value is on top.
        unsafe { ffi::lua_rawseti_(self.at, index, n) };
        self.shrink_to(self.top - 1);
    }

    /// The index of a table that may be written to.
    fn own_table(&mut self, i: usize) -> c_int {
        let index = self.table(i);
        if !self.writable {
            // SAFETY: it is a table.
            let readonly = unsafe { super::redust_lua_is_readonly(self.at, index) != 0 };
            assert!(!readonly, "a table of the API");
            self.writable = true;
        }
        index
    }

    /// Walks a table: `visit` finds key and value on top (`len() - 1`, `len()`), and may push and
    /// pop above them. It must not change the table. Stops at the first error.
    pub(crate) fn each(
        &mut self,
        table: usize,
        mut visit: impl FnMut(&mut Stack<'a>) -> Result<(), Raise>,
    ) -> Result<(), Raise> {
        let index = self.table(table);
        self.reserve(3)?;
        let (floor, top, walks) = (self.floor, self.top, self.walks);
        self.push_nil();
        let mut result = Ok(());
        // SAFETY: it is a table, and the key on top is the one before; it can't be popped by
        // `visit`, as it lies below the floor then.
        while unsafe { ffi::lua_next(self.at, index) } != 0 {
            self.top = top + 2;
            self.forget_from(top + 1);
            self.floor = self.top;
            result = visit(self);
            // An error may have its value on top.
            if result.is_err() {
                break;
            }
            self.floor = floor;
            self.pop(self.top - top - 1);
        }
        self.floor = floor;
        self.forget_walks(walks);
        if result.is_ok() {
            self.shrink_to(top);
        }
        result
    }

    /// A random number of 31 bits, as `lrand48` draws it (POSIX).
    pub(crate) fn draw(&mut self) -> u32 {
        let random = RANDOM.get().wrapping_mul(0x5_deec_e66d).wrapping_add(0xb) & 0xffff_ffff_ffff;
        RANDOM.set(random);
        (random >> 17) as u32
    }

    /// Begins the random numbers anew.
    pub(crate) fn seed(&mut self, seed: u32) {
        RANDOM.set(u64::from(seed) << 16 | 0x330e);
    }

    /// Who runs the script; None while a library is loaded.
    pub(crate) fn host(&mut self) -> Option<&mut (dyn Host + 'a)> {
        // SAFETY: B5: the pointer is valid while it is set, and the borrow of the stack lets nobody
        // make another reference from it.
        unsafe { (*self.shared).host.map(|mut host| host.as_mut()) }
    }

    /// The number of arguments, as long as no walk goes on.
    pub(crate) fn arguments(&self) -> usize {
        self.floor
    }

    /// Whether there is no such argument, or it is nil.
    pub(crate) fn is_none_or_nil(&self, i: usize) -> bool {
        matches!(self.kind(i), Kind::None | Kind::Nil)
    }

    /// Moves the value on top to index `i`, above the arguments.
    pub(crate) fn insert(&mut self, i: usize) {
        assert!(i > self.floor, "arguments stay as they are");
        // SAFETY: the index is checked.
        unsafe { ffi::lua_insert(self.at, self.index(i)) };
        self.forget_from(i);
    }
}

/// What a conversion to an integer of 64 bits gives on x86-64.
pub(crate) fn integer(n: f64) -> i64 {
    match n {
        n if (-9223372036854775808.0..9223372036854775808.0).contains(&n) => n as i64,
        _ => i64::MIN,
    }
}

/// The string at an index; a number there becomes one.
///
/// # Safety
/// There is a string or a number, and it stays there for `'t`.
unsafe fn text<'t>(at: *mut ffi::lua_State, index: c_int) -> &'t [u8] {
    let mut len = 0;
    // SAFETY: Lua gives a pointer to so many bytes, which stay as long as the string does.
    unsafe {
        let text = ffi::lua_tolstring(at, index, &mut len);
        std::slice::from_raw_parts(text.cast(), len)
    }
}
