//! The server's log, in Redis's format, because tools and test suites parse it:
//!
//! ```text
//! 1234:M 23 Nov 2026 01:48:00.123 * Ready to accept connections tcp
//! pid  role  date   time           level  message
//! ```
//! or in one of the forms of later Valkeys, for collectors:
//!
//! ```text
//! pid=1234 role=primary timestamp="23 Nov 2026 01:48:00.123" level=notice message="Ready ..."
//! {"pid":1234,"role":"primary","timestamp":"2026-11-23T01:48:00.123+01:00","level":"notice",..}
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
/// What a line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Form {
    Legacy,
    Logfmt,
    Json,
}

/// What the time in it looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Stamp {
    Legacy,
    Iso8601,
    Milliseconds,
}

static FORM: AtomicU8 = AtomicU8::new(Form::Legacy as u8);
static STAMP: AtomicU8 = AtomicU8::new(Stamp::Legacy as u8);
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

/// Decides what lines look like.
pub(crate) fn set_form(form: Form, stamp: Stamp) {
    FORM.store(form as u8, Ordering::Relaxed);
    STAMP.store(stamp as u8, Ordering::Relaxed);
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
    let (form, stamp) =
        (form_of(FORM.load(Ordering::Relaxed)), stamp_of(STAMP.load(Ordering::Relaxed)));
    let role = ROLE.load(Ordering::Relaxed);
    let time = timestamp(stamp, crate::sys::clock::wall_us());
    raw(&line(form, std::process::id(), role, &time, level, message));
    if TARGET.get().is_some_and(|t| t.syslog) {
        syslog::write(level as usize, message);
    }
}

fn form_of(number: u8) -> Form {
    match number {
        n if n == Form::Logfmt as u8 => Form::Logfmt,
        n if n == Form::Json as u8 => Form::Json,
        _ => Form::Legacy,
    }
}

fn stamp_of(number: u8) -> Stamp {
    match number {
        n if n == Stamp::Iso8601 as u8 => Stamp::Iso8601,
        n if n == Stamp::Milliseconds as u8 => Stamp::Milliseconds,
        _ => Stamp::Legacy,
    }
}

/// A line with its end.
fn line(form: Form, pid: u32, role: u8, time: &str, level: Level, message: &str) -> String {
    let (mark, word) = match level {
        Level::Debug => ('.', "debug"),
        // Compat: that is Valkey's word for it.
        Level::Verbose => ('-', "info"),
        Level::Notice => ('*', "notice"),
        Level::Warning | Level::Nothing => ('#', "warning"),
    };
    let who = match role {
        b'X' => "sentinel",
        b'C' => "RDB/AOF",
        b'S' => "replica",
        _ => "primary",
    };
    match form {
        Form::Legacy => format!("{pid}:{} {time} {mark} {message}\n", char::from(role)),
        Form::Logfmt => {
            let plain = |c| match c {
                '"' => '\'',
                '\r' | '\n' => ' ',
                c => c,
            };
            let message: String = message.chars().map(plain).collect();
            format!(
                "pid={pid} role={who} timestamp=\"{time}\" level={word} message=\"{message}\"\n"
            )
        }
        Form::Json => format!(
            "{{\"pid\":{pid},\"role\":\"{who}\",\"timestamp\":\"{time}\",\"level\":\"{word}\",\
             \"message\":\"{}\"}}\n",
            json_text(message)
        ),
    }
}

/// A text as it stands between the quotes of JSON.
fn json_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
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

fn timestamp(stamp: Stamp, us: i64) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    if stamp == Stamp::Milliseconds {
        return (us / 1000).to_string();
    }
    let seconds = (us / 1_000_000) as libc::time_t;
    // SAFETY: all-zero is a valid tm; both pointers are to live values.
    let tm = unsafe {
        let mut tm: libc::tm = std::mem::zeroed();
        libc::localtime_r(&seconds, &mut tm);
        tm
    };
    let (day, month, year) = (tm.tm_mday, tm.tm_mon.clamp(0, 11), tm.tm_year + 1900);
    let time =
        format!("{:02}:{:02}:{:02}.{:03}", tm.tm_hour, tm.tm_min, tm.tm_sec, us / 1000 % 1000);
    match stamp {
        Stamp::Iso8601 => {
            let (sign, east) =
                if tm.tm_gmtoff < 0 { ('-', -tm.tm_gmtoff) } else { ('+', tm.tm_gmtoff) };
            let (hours, minutes) = (east / 3600, east / 60 % 60);
            format!("{year}-{:02}-{day:02}T{time}{sign}{hours:02}:{minutes:02}", month + 1)
        }
        _ => format!("{day:02} {} {year} {time}", MONTHS[month as usize]),
    }
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
        let t = timestamp(Stamp::Legacy, crate::sys::clock::wall_us());
        let parts: Vec<&str> = t.split(' ').collect();
        assert_eq!((parts.len(), parts[0].len(), parts[2].len(), parts[3].len()), (4, 2, 4, 12));
    }

    #[test]
    fn the_time_has_other_forms() {
        let iso = timestamp(Stamp::Iso8601, 1_795_860_000_123_456);
        assert_eq!((iso.len(), &iso[..5], &iso[13..14]), (29, "2026-", ":"), "{iso}");
        assert!(iso[19..24].starts_with(".123"));
        assert_eq!(timestamp(Stamp::Milliseconds, 1_795_860_000_123_456), "1795860000123");
    }

    #[test]
    fn a_line_has_three_forms() {
        let text = "says \"a\\b\"\nand\u{1}";
        let of = |form| line(form, 7, b'C', "now", Level::Verbose, text);
        assert_eq!(of(Form::Legacy), "7:C now - says \"a\\b\"\nand\u{1}\n");
        assert_eq!(
            of(Form::Logfmt),
            "pid=7 role=RDB/AOF timestamp=\"now\" level=info message=\"says 'a\\b' and\u{1}\"\n"
        );
        assert_eq!(
            of(Form::Json),
            "{\"pid\":7,\"role\":\"RDB/AOF\",\"timestamp\":\"now\",\"level\":\"info\",\
             \"message\":\"says \\\"a\\\\b\\\"\\nand\\u0001\"}\n"
        );
        for role in [b'M', b'S', b'X'] {
            assert!(line(Form::Logfmt, 1, role, "", Level::Notice, "").contains("level=notice"));
        }
    }

    #[test]
    fn levels_have_an_order() {
        assert!(Level::Debug < Level::Warning);
        assert!(!enabled(Level::Nothing));
    }
}
