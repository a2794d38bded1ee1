//! Signals as bytes in a pipe, and the report of a crash.

// Handlers run on a broken process: they may only call what is safe in a signal handler.
#![allow(unsafe_code)]

use std::io;
use std::os::unix::net::UnixStream;

/// Routes SIGTERM, SIGINT and SIGHUP into a socket that the reactor polls: one byte, the signal's
/// number.
///
/// SIGPIPE is ignored.
pub(crate) fn install() -> io::Result<UnixStream> {
    let (reader, _) = route(&[libc::SIGTERM, libc::SIGINT, libc::SIGHUP])?;
    // SAFETY: SIG_IGN is a valid disposition.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
    }
    Ok(reader)
}

fn route(signals: &[i32]) -> io::Result<(UnixStream, ())> {
    let (reader, writer) = UnixStream::pair()?;
    reader.set_nonblocking(true)?;
    writer.set_nonblocking(true)?;
    for &signal in signals {
        let writer = writer.try_clone()?;
        let byte = signal as u8;
        // SAFETY: the action only calls send(2) on a socket that is never closed, which is
        // async-signal-safe; it allocates nothing and takes no lock.
        unsafe {
            signal_hook::low_level::register(signal, move || {
                use std::os::fd::AsRawFd;
                libc::send(writer.as_raw_fd(), (&raw const byte).cast(), 1, libc::MSG_DONTWAIT);
            })?;
        }
    }
    // The original writer stays open for the life of the process.
    std::mem::forget(writer);
    Ok((reader, ()))
}

/// Writes a report and dies by the signal when the process crashes.
///
/// `report` is called on the crashing thread, possibly with a broken heap; a second crash inside it
/// ends the process at once, because the handler is reset first.
pub(crate) fn on_crash(report: fn(signal: i32, address: usize)) {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static REPORT: AtomicUsize = AtomicUsize::new(0);
    REPORT.store(report as usize, Ordering::SeqCst);

    extern "C" fn handler(signal: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
        let report = REPORT.swap(0, Ordering::SeqCst);
        if report != 0 {
            // SAFETY: the kernel passes a valid siginfo; the address is only printed.
            let address = unsafe { (*info).si_addr() } as usize;
            // SAFETY: the value was stored from a function of exactly this type.
            let report: fn(i32, usize) = unsafe { std::mem::transmute(report) };
            report(signal, address);
        }
        // SAFETY: back to the default action, then once more, so that the exit status tells.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
        }
    }
    for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGABRT] {
        // SAFETY: `action` is a fully initialised sigaction whose handler has the SA_SIGINFO form.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER | libc::SA_RESETHAND;
            libc::sigemptyset(&mut action.sa_mask);
            libc::sigaction(signal, &action, std::ptr::null_mut());
        }
    }
}

/// Crashes on purpose with an access to unmapped memory (DEBUG SEGFAULT).
pub(crate) fn segfault() -> ! {
    // SAFETY: none, on purpose: raising SIGSEGV is the documented effect of the command. The signal
    // is raised rather than a pointer followed, so the compiler has no undefined behaviour to use.
    unsafe { libc::raise(libc::SIGSEGV) };
    std::process::abort()
}

/// The name of a signal that ends programs.
pub(crate) fn name(signal: i32) -> &'static str {
    signal_hook::low_level::signal_name(signal).unwrap_or("unknown")
}

pub(crate) const SIGTERM: i32 = libc::SIGTERM;
pub(crate) const SIGINT: i32 = libc::SIGINT;
pub(crate) const SIGHUP: i32 = libc::SIGHUP;
/// The signal that tells upstart that a service is ready.
pub(crate) const SIGSTOP: i32 = libc::SIGSTOP;
