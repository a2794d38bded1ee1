//! The server's log, in Redis's format, because tools and test suites parse it:
//!
//! ```text
//! 1234:M 23 Nov 2026 01:48:00.123 * Ready to accept connections tcp
//! pid  role  date   time           level  message
//! ```
//! Roles: M primary, S replica, C child, X sentinel. Levels: `.` debug, `-` verbose, `*` notice,
//! `#` warning. A line is written with one write(2), so lines of parent and child never mix, and
//! the file is opened for each line, so that it can be rotated under a running server.
//!
//! The log belongs to the whole process: a child, a helper thread and a crash handler use it as
//! well.

// localtime_r and writing to descriptor 1 have no safe wrapper.
#![allow(unsafe_code)]

use std::fs::OpenOptions;
use std::io::Write;
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use crate::sys::syslog;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Level {
    Debug,
    Verbose,
    Notice,
    Warning,
    /// Nothing is logged at this level; as a threshold it silences everything.
    Nothing,
}

/// Where lines go, set once at start.
#[derive(Debug, Default)]
pub(crate) struct Target {
    /// Empty: standard output.
    pub file: String,
    pub syslog: bool,
}

static TARGET: OnceLock<Target> = OnceLock::new();
static THRESHOLD: AtomicU8 = AtomicU8::new(Level::Notice as u8);
static ROLE: AtomicU8 = AtomicU8::new(b'M');
static QUIET_STDOUT: AtomicBool = AtomicBool::new(false);

/// Decides where lines go. Later calls are ignored.
pub(crate) fn open(target: Target) {
    let _ = TARGET.set(target);
}

pub(crate) fn set_level(level: Level) {
    THRESHOLD.store(level as u8, Ordering::Relaxed);
}

/// The letter of the process's role: `M`, `S`, `C` or `X`.
pub(crate) fn set_role(role: u8) {
    ROLE.store(role, Ordering::Relaxed);
}

/// Standard output is not a log for a daemon or a syslog user.
pub(crate) fn quiet_stdout() {
    QUIET_STDOUT.store(true, Ordering::Relaxed);
}

pub(crate) fn enabled(level: Level) -> bool {
    level as u8 >= THRESHOLD.load(Ordering::Relaxed) && level < Level::Nothing
}

/// Writes one line; more often used through [`log!`](crate::log).
pub(crate) fn write(level: Level, message: &str) {
    if !enabled(level) {
        return;
    }
    let mark = match level {
        Level::Debug => '.',
        Level::Verbose => '-',
        Level::Notice => '*',
        Level::Warning | Level::Nothing => '#',
    };
    let role = char::from(ROLE.load(Ordering::Relaxed));
    raw(&format!("{}:{role} {} {mark} {message}\n", std::process::id(), timestamp()));
    if TARGET.get().is_some_and(|t| t.syslog) {
        syslog::write(level as usize, message);
    }
}

/// Writes text as it is: the logo, crash reports.
pub(crate) fn raw(text: &str) {
    let file = TARGET.get().map_or("", |t| t.file.as_str());
    // An error is ignored: it could only be told to the log.
    if file.is_empty() {
        if !QUIET_STDOUT.load(Ordering::Relaxed) {
            // This avoids the standard library's lock and buffer, which a forked child can't trust.
            // SAFETY: descriptor 1 is open for the life of the process, and is not closed here.
            let mut out = ManuallyDrop::new(unsafe { std::fs::File::from_raw_fd(1) });
            let _ = out.write_all(text.as_bytes());
        }
    } else if let Ok(mut out) = OpenOptions::new().append(true).create(true).open(file) {
        let _ = out.write_all(text.as_bytes());
    }
}

fn timestamp() -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let us = crate::sys::clock::wall_us();
    let seconds = (us / 1_000_000) as libc::time_t;
    // SAFETY: all-zero is a valid tm; both pointers are to live values.
    let tm = unsafe {
        let mut tm: libc::tm = std::mem::zeroed();
        libc::localtime_r(&seconds, &mut tm);
        tm
    };
    format!(
        "{:02} {} {} {:02}:{:02}:{:02}.{:03}",
        tm.tm_mday,
        MONTHS[tm.tm_mon.clamp(0, 11) as usize],
        tm.tm_year + 1900,
        tm.tm_hour,
        tm.tm_min,
        tm.tm_sec,
        us / 1000 % 1000
    )
}

/// A local time as C's `ctime` shows it, without the end of the line.
pub(crate) fn local_time(seconds: i64) -> String {
    let seconds = seconds as libc::time_t;
    let mut text = [0u8; 64];
    // SAFETY: all-zero is a valid tm; the pointers are to live values, and the length is that of
    // the buffer.
    let len = unsafe {
        let mut tm: libc::tm = std::mem::zeroed();
        libc::localtime_r(&seconds, &mut tm);
        libc::strftime(text.as_mut_ptr().cast(), text.len(), c"%a %b %e %H:%M:%S %Y".as_ptr(), &tm)
    };
    String::from_utf8_lossy(&text[..len]).into_owned()
}

/// `log!(Notice, "text {}", x)`: formats only when the level is on.
#[macro_export]
macro_rules! log {
    ($level:ident, $($arg:tt)+) => {
        if $crate::sys::log::enabled($crate::sys::log::Level::$level) {
            $crate::sys::log::write($crate::sys::log::Level::$level, &format!($($arg)+));
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_has_redis_form() {
        let t = timestamp();
        let parts: Vec<&str> = t.split(' ').collect();
        assert_eq!((parts.len(), parts[0].len(), parts[2].len(), parts[3].len()), (4, 2, 4, 12));
    }

    #[test]
    fn levels_have_an_order() {
        assert!(Level::Debug < Level::Warning);
        assert!(!enabled(Level::Nothing));
    }
}
