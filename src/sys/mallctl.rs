//! The allocator's figures and settings by name, for an operator who knows jemalloc:
//! `DEBUG MALLCTL`.
//!
//! jemalloc takes any bytes for a value of the type that the name has. So a number may come where
//! it expects an address. Some names discard what is allocated, or take a function that is called
//! from then on. So this module does not pass everything on:
//!
//!   M1  a value goes in or comes out through a buffer of at least the size that jemalloc is told;
//!   M2  a number is written only to names in `NUMBERS`, and to one of a single byte, a C `bool`,
//!       only 0 or 1;
//!   M3  an address is taken for a string only from names in `STRINGS`, whose texts jemalloc never
//!       frees, and a string is given only to `arena.<i>.dss`, which compares it and keeps nothing;
//!   M4  what acts without a value is done only for names in `ACTIONS`;
//!   M5  arenas are named by number, and by a number that jemalloc has room for; all of them at
//!       once only in `ACTIONS`. It checks that for most names, but not for all.
//!
//! Names that are not in a list are answered as those that can't be written. Reading numbers is
//! always allowed.

// The allocator's interface is made of untyped pointers.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::{io, ptr};

/// Names of numbers that may be written. `<i>` is the number of an arena.
const NUMBERS: &[&str] = &[
    "arena.<i>.dirty_decay_ms",
    "arena.<i>.muzzy_decay_ms",
    "arena.<i>.oversize_threshold",
    "arena.<i>.retain_grow_limit",
    "arenas.dirty_decay_ms",
    "arenas.muzzy_decay_ms",
    "background_thread",
    "epoch",
    "max_background_threads",
    "thread.arena",
    "thread.tcache.enabled",
];

/// Names of texts.
const STRINGS: &[&str] = &[
    "arena.<i>.dss",
    "config.malloc_conf",
    "opt.dss",
    "opt.junk",
    "opt.metadata_thp",
    "opt.percpu_arena",
    "opt.prof_prefix",
    "opt.stats_interval_opts",
    "opt.stats_print_opts",
    "opt.thp",
    "opt.zero_realloc",
    "version",
];

/// Names that do something and have no value.
const ACTIONS: &[&str] =
    &["arena.<i>.decay", "arena.<i>.purge", "thread.idle", "thread.tcache.flush"];

/// How many arenas there can be; jemalloc's numbers of twelve bits, less those that mean something
/// else.
const ARENAS: u32 = (1 << 12) - 1;
/// Stands for all arenas.
const ALL_ARENAS: u32 = 1 << 12;

/// The number called `name`, of any width; unsigned numbers of 64 bits wrap.
///
/// Errors are those of jemalloc: ENOENT for a name that there is not, EPERM for one that can't be
/// read, EINVAL for one that is no number.
pub(crate) fn read(name: &[u8]) -> io::Result<i64> {
    number(name, None)
}

/// Replaces the number called `name`; returns what it was. Errors as of [`read`]; EPERM for a name
/// that must not be written, EFAULT and EINVAL for a value that jemalloc does not take.
pub(crate) fn write(name: &[u8], value: i64) -> io::Result<i64> {
    if !listed(NUMBERS, name) {
        number(name, None)?;
        return Err(error(libc::EPERM));
    }
    number(name, Some(value))
}

/// The text called `name`; None if it has none. EINVAL for a name that is no text.
pub(crate) fn read_text(name: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut at = [0; size_of::<usize>()];
    let name_z = checked(name)?;
    call(&name_z, Some(&mut at), None)?;
    if !listed(STRINGS, name) {
        return Err(error(libc::EINVAL));
    }
    let text = ptr::with_exposed_provenance::<c_char>(usize::from_ne_bytes(at));
    // SAFETY: M3.
    Ok((!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_bytes().to_vec()))
}

/// Replaces the text called `name`, up to a NUL. EPERM for a name that must not be written.
pub(crate) fn write_text(name: &[u8], text: &[u8]) -> io::Result<()> {
    if !listed(&["arena.<i>.dss"], name) {
        return Err(error(libc::EPERM));
    }
    let text = terminated(text);
    let at = text.as_ptr().expose_provenance().to_ne_bytes();
    call(&checked(name)?, None, Some(&at))
}

/// Has jemalloc do what `name` stands for, such as `arena.0.purge`; arena 4096 stands for all.
/// EPERM for other names.
pub(crate) fn act(name: &[u8]) -> io::Result<()> {
    if !listed(ACTIONS, name) {
        return Err(error(libc::EPERM));
    }
    call(&checked(name)?, None, None)
}

fn error(code: c_int) -> io::Error {
    io::Error::from_raw_os_error(code)
}

/// Widths are tried from the largest on: jemalloc says EINVAL until it is the right one.
fn number(name: &[u8], new: Option<i64>) -> io::Result<i64> {
    let name = checked(name)?;
    let mut last = error(libc::EINVAL);
    for width in [8, 4, 2, 1] {
        if width == 1 && new.is_some_and(|n| n != 0 && n != 1) {
            break;
        }
        let new = new.map(|n| low(n, width));
        let mut old = [0; 8];
        match call(&name, Some(&mut old[..width]), new.as_ref().map(|n| &n[..width])) {
            Ok(()) => return Ok(whole(old, width)),
            Err(e) if e.raw_os_error() == Some(libc::EINVAL) => last = e,
            Err(e) => return Err(e),
        }
    }
    Err(last)
}

/// A number of `width` bytes in front of a buffer.
fn low(n: i64, width: usize) -> [u8; 8] {
    let mut out = n.to_ne_bytes();
    if cfg!(target_endian = "big") {
        out.rotate_right(width);
    }
    out
}

/// The other way round.
fn whole(mut bytes: [u8; 8], width: usize) -> i64 {
    if cfg!(target_endian = "big") {
        bytes.rotate_left(width);
    }
    i64::from_ne_bytes(bytes)
}

/// `text` up to its first NUL, as C sees it.
fn terminated(text: &[u8]) -> CString {
    CString::new(text.split(|&c| c == 0).next().unwrap_or_default()).unwrap_or_default()
}

/// A name for jemalloc; ENOENT for an arena that can't be (M5).
fn checked(name: &[u8]) -> io::Result<CString> {
    let name = terminated(name);
    let fits = match arena_of(name.as_bytes()) {
        None => true,
        Some(None) => false,
        Some(Some(ALL_ARENAS)) => ACTIONS.contains(&general(&name).as_str()),
        Some(Some(i)) => i < ARENAS,
    };
    if fits { Ok(name) } else { Err(error(libc::ENOENT)) }
}

/// The arena that a name is about: None if it is about none, Some(None) if it is not named by a
/// plain number.
fn arena_of(name: &[u8]) -> Option<Option<u32>> {
    let rest = name.strip_prefix(b"arena.")?;
    let digits = rest.split(|&c| c == b'.').next().unwrap_or_default();
    let plain = digits.len() <= 4 && digits.iter().all(u8::is_ascii_digit);
    Some(std::str::from_utf8(digits).ok().filter(|_| plain).and_then(|d| d.parse().ok()))
}

/// A name as the lists have it: `<i>` for the number of an arena.
fn general(name: &CStr) -> String {
    let name = name.to_string_lossy();
    match name.strip_prefix("arena.").and_then(|rest| rest.split_once('.')) {
        Some((_, leaf)) => format!("arena.<i>.{leaf}"),
        None => name.into_owned(),
    }
}

fn listed(list: &[&str], name: &[u8]) -> bool {
    checked(name).is_ok_and(|name| list.contains(&general(&name).as_str()))
}

/// One call of jemalloc: reads into `old` and writes `new`, where they are given.
fn call(name: &CStr, old: Option<&mut [u8]>, new: Option<&[u8]>) -> io::Result<()> {
    let mut old_len = old.as_ref().map_or(0, |o| o.len());
    let (old, old_len) = match old {
        Some(old) => (old.as_mut_ptr().cast::<c_void>(), &raw mut old_len),
        None => (ptr::null_mut(), ptr::null_mut()),
    };
    let (new, new_len) = new.map_or((ptr::null(), 0), |n| (n.as_ptr(), n.len()));
    // SAFETY: M1 for both buffers, of which jemalloc only reads the second. The name ends with a
    // NUL. That the value is one that the name may be given, M2 to M5, is what the callers see to.
    let code = unsafe {
        jemalloc_sys::mallctl(name.as_ptr(), old, old_len, new.cast_mut().cast::<c_void>(), new_len)
    };
    if code == 0 { Ok(()) } else { Err(error(code)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code<T: std::fmt::Debug>(result: io::Result<T>) -> Option<i32> {
        result.expect_err("refused").raw_os_error()
    }

    #[test]
    fn numbers_of_every_width_are_read() {
        assert_eq!(read(b"arenas.page").expect("a size_t"), 4096);
        assert!(read(b"arenas.nbins").expect("an unsigned") > 10);
        assert!((0..2).contains(&read(b"config.debug").expect("a bool")));
        assert!(read(b"epoch\0rest").expect("a name ends at a NUL") > 0);
        assert_eq!(code(read(b"nosuch")), Some(libc::ENOENT));
        assert_eq!(code(read(b"")), Some(libc::ENOENT));
        assert_eq!(code(read(b"arena.0.purge")), Some(libc::EPERM));
        assert_eq!(code(read(b"arena.4096.dirty_decay_ms")), Some(libc::ENOENT));
        assert_eq!(code(read(b"arena. 4096.dirty_decay_ms")), Some(libc::ENOENT));
        assert_eq!(code(read(b"arena.+1.dirty_decay_ms")), Some(libc::ENOENT));
        assert_eq!(code(read(b"arena..dirty_decay_ms")), Some(libc::ENOENT));
        assert_eq!(code(read(b"arena.")), Some(libc::ENOENT));
    }

    #[test]
    fn numbers_are_written_where_that_is_harmless() {
        let decay = b"arena.0.dirty_decay_ms";
        let old = write(decay, 1234).expect("a setting");
        assert_eq!(write(decay, old).expect("a setting"), 1234);
        assert_eq!(code(write(decay, -7)), Some(libc::EFAULT));
        assert_eq!(code(write(b"thread.tcache.enabled", 5)), Some(libc::EINVAL));
        assert_eq!(code(write(b"arenas.nbins", 5)), Some(libc::EPERM));
        assert_eq!(code(write(b"nosuch", 5)), Some(libc::ENOENT));
        for dangerous in ["arena.0.extent_hooks", "arena.0.dss", "arenas.create"] {
            assert_eq!(code(write(dangerous.as_bytes(), 5)), Some(libc::EPERM), "{dangerous}");
        }
    }

    #[test]
    fn texts_are_read_and_only_texts() {
        let version = read_text(b"version").expect("a text").expect("has one");
        assert!(version.starts_with(b"5."));
        assert_eq!(code(read_text(b"epoch")), Some(libc::EINVAL));
        assert_eq!(code(read_text(b"arenas.nbins")), Some(libc::EINVAL));
        assert_eq!(code(read_text(b"nosuch")), Some(libc::ENOENT));
        let dss = read_text(b"arena.0.dss").expect("a text").expect("has one");
        write_text(b"arena.0.dss", b"primary").expect("one of its values");
        assert_eq!(read_text(b"arena.0.dss").expect("a text"), Some(b"primary".to_vec()));
        write_text(b"arena.0.dss", &dss).expect("what it was");
        assert!(write_text(b"arena.0.dss", b"bogus").is_err());
        assert_eq!(code(write_text(b"prof.dump", b"x")), Some(libc::EPERM));
        for name in STRINGS.iter().filter(|name| !name.starts_with("arena.")) {
            // Names come and go with versions of jemalloc; what there is must be an address.
            match read_text(name.as_bytes()) {
                Ok(text) => assert!(text.is_none_or(|t| t.is_ascii()), "{name}"),
                Err(e) => assert_eq!(e.raw_os_error(), Some(libc::ENOENT), "{name}"),
            }
        }
    }

    #[test]
    fn actions_are_done_unless_they_discard() {
        act(b"arena.0.purge").expect("one arena");
        act(b"arena.4096.purge").expect("all arenas");
        assert_eq!(code(read_text(b"arena.4096.purge")), Some(libc::EPERM));
        act(b"thread.tcache.flush").expect("the cache of this thread");
        for refused in
            ["arena.0.reset", "arena.0.destroy", "arena.4097.purge", "prof.reset", "epoch"]
        {
            assert_eq!(code(act(refused.as_bytes())), Some(libc::EPERM), "{refused}");
        }
    }
}
