//! The debugger's edge to Lua: a hook before each line, and what a user may ask for there.
//!
//! The hook follows B1: `stand` owns all there is to own, and has returned when an error is raised.
//! While it works the allocator does not fail (B2), except in code of the user, which runs under
//! `lua_pcall` like a script. Lua calls no hook within a hook.
//!
//! The session is in `Shared`. `redis.call` and others use it too, so `stand` borrows it anew for
//! each step and holds no reference while Lua runs (as in B5).

use std::ffi::{CStr, c_char, c_int};
use std::mem::MaybeUninit;
use std::ptr;

use mlua_sys as ffi;

use super::run::shared_of;
use super::{Shared, Stack, State, push};
use crate::script::debug::{Next, Order, Reason, Session, show};

/// Instructions between two looks at the clock.
const INSTRUCTIONS: c_int = 100_000;
/// What Lua calls the chunk of a script.
const SCRIPT: &[u8] = b"user_script";
/// Values that are on the stack at most while one is shown.
const ROOM: c_int = 40;

impl State {
    /// The next run is one of this session.
    pub(crate) fn debug(&mut self, session: Box<Session>) {
        self.shared().session = Some(session);
    }

    /// Takes the session out again.
    pub(crate) fn end_debugging(&mut self) -> Option<Box<Session>> {
        self.shared().session.take()
    }
}

impl Stack<'_> {
    /// The session of the debugger, if there is one.
    pub(crate) fn session(&mut self) -> Option<&mut Session> {
        // SAFETY: nobody else holds a reference to it while a function runs.
        unsafe { session_of(self.shared()) }
    }
}

/// The session of an interpreter.
///
/// # Safety
/// Nobody else holds a reference to it for `'s`.
unsafe fn session_of<'s>(shared: *mut Shared) -> Option<&'s mut Session> {
    // SAFETY: the caller's promise.
    unsafe { (*shared).session.as_deref_mut() }
}

/// Sets the hook, if the run is one of a session; whether it is.
///
/// # Safety
/// The state is live, and `shared` is its data.
pub(super) unsafe fn watch(at: *mut ffi::lua_State, shared: *mut Shared) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        let debugs = (*shared).session.is_some();
        if debugs {
            let mask = ffi::LUA_MASKLINE | ffi::LUA_MASKCOUNT;
            ffi::lua_sethook(at, Some(hook), mask, INSTRUCTIONS);
        }
        debugs
    }
}

/// Lua calls it before each line, and every so many instructions. It owns nothing.
unsafe extern "C-unwind" fn hook(at: *mut ffi::lua_State, place: *mut ffi::lua_Debug) {
    // SAFETY: Lua calls it with a live state and a record of the event, which `lua_getstack` and
    // `lua_getinfo` may fill. What `stand` owns is gone when the error is raised.
    unsafe {
        let counted = (*place).event == ffi::LUA_HOOKCOUNT;
        if ffi::lua_getstack(at, 0, place) == 0 || ffi::lua_getinfo(at, c"Sl".as_ptr(), place) == 0
        {
            return;
        }
        let shared = shared_of(at);
        let strict = std::mem::replace(&mut (*shared).heap.strict, false);
        let end = stand(at, shared, &*place, counted);
        if let Some(text) = end {
            ffi::lua_createtable(at, 0, 1);
            ffi::lua_pushlstring_(at, c"ERR ".as_ptr(), 4);
            push(at, text.as_bytes());
            ffi::lua_concat(at, 2);
            ffi::lua_setfield(at, -2, c"err".as_ptr());
        }
        (*shared).heap.strict = strict;
        if end.is_some() {
            ffi::lua_error(at);
        }
    }
}

/// A line is reached: stops there if the session says so, until its user lets the script go on.
/// Some: it is to end with this error.
///
/// # Safety
/// A hook runs, `place` is filled, and the allocator does not fail. Nobody holds a reference to the
/// session.
unsafe fn stand(
    at: *mut ffi::lua_State,
    shared: *mut Shared,
    place: &ffi::lua_Debug,
    counted: bool,
) -> Option<&'static str> {
    // SAFETY: the caller's promise. Each reference to the session ends with its statement.
    unsafe {
        let reason =
            session_of(shared)?.reached(place.currentline, is_of_script(place), counted)?;
        loop {
            match session_of(shared)?.next() {
                Next::Run => break,
                // Nobody is there who could end it.
                Next::Gone if reason == Reason::Timeout => {
                    return Some("timeout during Lua debugging with client closing connection");
                }
                Next::Gone => break,
                Next::End(text) => return Some(text),
                Next::Do(order) => {
                    let top = ffi::lua_gettop(at);
                    if ffi::lua_checkstack(at, ROOM) == 0 {
                        session_of(shared)?.log_reply(b"max lua stack reached");
                    } else {
                        obey(at, shared, order)?;
                    }
                    ffi::lua_settop(at, top);
                    session_of(shared)?.send();
                }
            }
        }
        session_of(shared)?.resumed();
        None
    }
}

/// Whether the place is in the text of a script.
fn is_of_script(place: &ffi::lua_Debug) -> bool {
    memchr::memmem::find(text_of(&place.short_src), SCRIPT).is_some()
}

/// A text of C in an array.
fn text_of(chars: &[c_char]) -> &[u8] {
    // SAFETY: both are bytes, and the length is the same.
    let bytes = unsafe { std::slice::from_raw_parts(chars.as_ptr().cast::<u8>(), chars.len()) };
    &bytes[..memchr::memchr(0, bytes).unwrap_or(bytes.len())]
}

/// The same behind a pointer.
///
/// # Safety
/// It is null, or leads to a text that stays for `'t`.
unsafe fn text_at<'t>(text: *const c_char) -> Option<&'t [u8]> {
    // SAFETY: the caller's promise.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_bytes())
}

/// Does what the user asks for, and logs what comes of it. It may leave values on the stack. None:
/// there is no session.
///
/// # Safety
/// As in `stand`, with room for `ROOM` values.
unsafe fn obey(at: *mut ffi::lua_State, shared: *mut Shared, order: Order) -> Option<()> {
    // SAFETY: the caller's promise.
    unsafe {
        match order {
            Order::Trace => trace(at, shared),
            Order::Print(None) => print_locals(at, shared),
            Order::Print(Some(name)) => print_variable(at, shared, &name),
            Order::Eval(code) => evaluate(at, shared, &code),
            Order::Call(args) => run_command(at, shared, &args),
        }
    }
}

/// Logs the value on top behind `prefix`.
///
/// # Safety
/// As in `obey`, and a value is on top.
unsafe fn log_value(at: *mut ffi::lua_State, shared: *mut Shared, prefix: &[u8]) -> Option<()> {
    let mut text = prefix.to_vec();
    // SAFETY: the caller's promise. The stack that is made here is gone before the session is used.
    unsafe {
        let mut stack = Stack::new(at, shared);
        let top = stack.len();
        show::value(&mut stack, top, &mut text);
        session_of(shared)?.log_short(text);
    }
    Some(())
}

/// The records of the calls that run, the innermost first.
///
/// # Safety
/// The state is live, and the calls run as long as the iterator is used.
unsafe fn calls(at: *mut ffi::lua_State) -> impl Iterator<Item = ffi::lua_Debug> {
    (0..).map_while(move |level| {
        let mut place = MaybeUninit::<ffi::lua_Debug>::zeroed();
        // SAFETY: the record is Lua's to fill, and zeros are valid in it.
        unsafe {
            (ffi::lua_getstack(at, level, place.as_mut_ptr()) != 0).then(|| place.assume_init())
        }
    })
}

/// Visits the local variables of a call by name, each with its value on top, until one answers.
///
/// # Safety
/// As in `obey`; the call runs.
unsafe fn each_local<R>(
    at: *mut ffi::lua_State,
    place: &ffi::lua_Debug,
    mut visit: impl FnMut(&[u8]) -> Option<R>,
) -> Option<R> {
    for n in 1.. {
        // SAFETY: the record is one of `lua_getstack`. The name stays as long as the function does.
        unsafe {
            let name = text_at(ffi::lua_getlocal(at, place, n))?;
            let found = visit(name);
            ffi::lua_pop(at, 1);
            if found.is_some() {
                return found;
            }
        }
    }
    None
}

/// # Safety
/// As in `obey`.
unsafe fn print_locals(at: *mut ffi::lua_State, shared: *mut Shared) -> Option<()> {
    let mut any = false;
    // SAFETY: the caller's promise.
    unsafe {
        if let Some(place) = calls(at).next() {
            each_local(at, &place, |name| {
                if memchr::memmem::find(name, b"(*temporary)").is_none() {
                    any = true;
                    log_value(at, shared, &[b"<value> ", name, b" = "].concat());
                }
                None::<()>
            });
        }
        if !any {
            session_of(shared)?.log("No local variables in the current context.");
        }
    }
    Some(())
}

/// # Safety
/// As in `obey`.
unsafe fn print_variable(at: *mut ffi::lua_State, shared: *mut Shared, name: &[u8]) -> Option<()> {
    const PREFIX: &[u8] = b"<value> ";
    // SAFETY: the caller's promise. The globals are read without metamethods.
    unsafe {
        let shown = calls(at).find_map(|place| {
            each_local(at, &place, |local| (local == name).then(|| log_value(at, shared, PREFIX)))
        });
        match shown {
            Some(_) => {}
            None if matches!(name, b"KEYS" | b"ARGV") => {
                push(at, name);
                ffi::lua_rawget(at, ffi::LUA_GLOBALSINDEX);
                log_value(at, shared, PREFIX)?;
            }
            None => session_of(shared)?.log("No such variable."),
        }
    }
    Some(())
}

/// # Safety
/// As in `obey`.
unsafe fn trace(at: *mut ffi::lua_State, shared: *mut Shared) -> Option<()> {
    // SAFETY: the caller's promise. `lua_getinfo` fills the record that `lua_getstack` has begun.
    unsafe {
        for (level, mut place) in calls(at).enumerate() {
            ffi::lua_getinfo(at, c"Snl".as_ptr(), &mut place);
            if !is_of_script(&place) {
                continue;
            }
            let how: &[u8] = if level == 0 { b"In " } else { b"From " };
            let name = text_at(place.name).unwrap_or(b"top level");
            let session = session_of(shared)?;
            session.log([how, name, b":"].concat());
            session.log_line(place.currentline);
        }
    }
    Some(())
}

/// Runs code of the user: an expression, or statements.
///
/// # Safety
/// As in `obey`.
unsafe fn evaluate(at: *mut ffi::lua_State, shared: *mut Shared, code: &[u8]) -> Option<()> {
    let load = |text: &[u8]| {
        // SAFETY: the caller's promise; the parser reports its errors by a status.
        unsafe {
            let name = c"@ldb_eval".as_ptr();
            ffi::luaL_loadbuffer(at, text.as_ptr().cast(), text.len(), name) == 0
        }
    };
    // SAFETY: the caller's promise. `call` and the loader leave one value each.
    unsafe {
        let loaded = load(&[b"return ", code].concat()) || {
            ffi::lua_pop(at, 1);
            load(code)
        };
        if loaded && call(at, shared, 0) {
            return log_value(at, shared, b"<retval> ");
        }
        log_error_value(at, shared)
    }
}

/// Logs the error on top: a text, or a table that holds one.
///
/// # Safety
/// As in `log_value`.
unsafe fn log_error_value(at: *mut ffi::lua_State, shared: *mut Shared) -> Option<()> {
    // SAFETY: the caller's promise; a field is read without metamethods. The text is on the stack
    // while it is used.
    unsafe {
        if ffi::lua_istable(at, -1) != 0 {
            push(at, b"err");
            ffi::lua_rawget(at, -2);
        }
        let text = match ffi::lua_isstring(at, -1) {
            0 => None,
            _ => text_at(ffi::lua_tolstring(at, -1, ptr::null_mut())),
        };
        session_of(shared)?.log_error(text.unwrap_or(b"(no text)"));
    }
    Some(())
}

/// Calls the function below `n` arguments on top. Its result, or the error, is on top afterwards;
/// false: it is the error.
///
/// # Safety
/// As in `obey`, and they are there.
unsafe fn call(at: *mut ffi::lua_State, shared: *mut Shared, n: c_int) -> bool {
    // SAFETY: the caller's promise. Nobody of ours owns anything that an error passes over: it ends
    // in `lua_pcall`.
    unsafe {
        (*shared).heap.strict = true;
        let status = ffi::lua_pcall(at, n, 1, 0);
        (*shared).heap.strict = false;
        status == 0
    }
}

/// `redis.call`, with what it calls shown.
///
/// # Safety
/// As in `obey`.
unsafe fn run_command(
    at: *mut ffi::lua_State,
    shared: *mut Shared,
    args: &[Vec<u8>],
) -> Option<()> {
    // SAFETY: the caller's promise, and room is asked for. The tables are read without metamethods.
    unsafe {
        if ffi::lua_checkstack(at, args.len() as c_int + ROOM) == 0 {
            session_of(shared)?.log_reply(b"max lua stack reached");
            return Some(());
        }
        push(at, b"redis");
        ffi::lua_rawget(at, ffi::LUA_GLOBALSINDEX);
        if ffi::lua_istable(at, -1) == 0 {
            // `setfenv(0, ..)` has hidden it.
            return Some(());
        }
        push(at, b"call");
        ffi::lua_rawget(at, -2);
        args.iter().for_each(|arg| push(at, arg));
        session_of(shared)?.show_calls(true);
        call(at, shared, args.len() as c_int);
        session_of(shared)?.show_calls(false);
    }
    Some(())
}
