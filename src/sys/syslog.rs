//! The system log: syslog(3) with an identity and a facility.

// openlog keeps the pointer it is given.
#![allow(unsafe_code)]

use std::ffi::CString;

/// Opens the system log. `facility` is `user` or `local0` to `local7`.
pub(crate) fn open(ident: &str, facility: &str) {
    let facility = match facility.strip_prefix("local").and_then(|n| n.parse::<i32>().ok()) {
        Some(n @ 0..=7) => libc::LOG_LOCAL0 + (n << 3),
        _ => libc::LOG_USER,
    };
    let ident = CString::new(ident.replace('\0', "")).unwrap_or_default();
    // openlog keeps the pointer, so the name is never freed; it is opened once in a process.
    let ident = ident.into_raw();
    // SAFETY: `ident` is a C string that stays valid for the life of the process.
    unsafe { libc::openlog(ident, libc::LOG_PID | libc::LOG_NDELAY | libc::LOG_NOWAIT, facility) };
}

/// Writes one message. Levels: 0 debug, 1 info, 2 notice, 3 warning.
pub(crate) fn write(level: usize, message: &str) {
    let levels = [libc::LOG_DEBUG, libc::LOG_INFO, libc::LOG_NOTICE, libc::LOG_WARNING];
    let text = CString::new(message.replace('\0', " ")).unwrap_or_default();
    // SAFETY: the format is a literal that takes exactly one string.
    unsafe { libc::syslog(levels[level.min(3)], c"%s".as_ptr(), text.as_ptr()) };
}
