//! Child processes: fork, a pipe for progress, waiting, and what a child must not do.
//!
//! In a forked child only the calling thread exists. It must not take a lock that a helper thread
//! may hold, must not run destructors of inherited state and must not flush inherited buffers: it
//! ends in `_exit`. jemalloc registers its own fork handlers, so allocation in the child is sound.

// fork, waitpid, kill and _exit have no safe wrapper.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::FromRawFd;

use crate::sys::watchdog;

/// Which side of the fork this is.
#[derive(Debug)]
pub(crate) enum Forked {
    Parent { pid: i32 },
    Child,
}

/// Forks. The caller's child branch must end in [`exit_now`].
///
/// Waits until the watchdog's helper has written its report, if it is about one: then it holds no
/// lock.
pub(crate) fn fork() -> io::Result<Forked> {
    let _held = watchdog::hold_reports();
    // SAFETY: the child branch only runs code that takes no lock of another thread (see above), and
    // never returns into the parent's loop: `server::child` is the one caller.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Forked::Child),
        pid => Ok(Forked::Parent { pid }),
    }
}

/// Ends this process at once: no destructors, no exit handlers, no flushing.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: _exit never returns.
    unsafe { libc::_exit(code) }
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Code(i32),
    Signal(i32),
}

/// The state of child `pid`, without waiting: None while it runs.
pub(crate) fn poll_child(pid: i32) -> io::Result<Option<Exit>> {
    let mut status = 0;
    // SAFETY: the pointer is to a live int; WNOHANG returns at once.
    match unsafe { libc::waitpid(pid, &mut status, libc::WNOHANG) } {
        0 => Ok(None),
        -1 => Err(io::Error::last_os_error()),
        // It was told so before it had set its handler.
        _ if libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == GIVE_UP => {
            Ok(Some(Exit::Code(GAVE_UP)))
        }
        _ if libc::WIFSIGNALED(status) => Ok(Some(Exit::Signal(libc::WTERMSIG(status)))),
        _ => Ok(Some(Exit::Code(libc::WEXITSTATUS(status)))),
    }
}

/// Waits until child `pid` has ended, leaving its state for [`poll_child`].
pub(crate) fn wait_for_exit(pid: i32) {
    // SAFETY: all-zero is a valid siginfo, and the pointer is to a live one; WNOWAIT reaps nothing.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        libc::waitid(libc::P_PID, pid as libc::id_t, &mut info, libc::WEXITED | libc::WNOWAIT);
    }
}

pub(crate) fn kill(pid: i32, signal: i32) {
    // SAFETY: sends a signal; no memory is involved.
    unsafe { libc::kill(pid, signal) };
}

/// A pipe whose reading end does not block: (reader, writer).
pub(crate) fn pipe() -> io::Result<(File, File)> {
    let mut fds = [0; 2];
    // SAFETY: the array holds the two ints that the call writes.
    if unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: both descriptors are new and owned by nobody else.
    Ok(unsafe { (File::from_raw_fd(fds[0]), File::from_raw_fd(fds[1])) })
}

/// In a child: the signals that end the server are ignored, since a supervisor sends them to all
/// processes of a service, and the parent decides what becomes of its child. So is the watchdog's.
/// A child dies with its parent.
pub(crate) fn child_signals() {
    // SAFETY: SIG_DFL and SIG_IGN are valid dispositions; prctl with PR_SET_PDEATHSIG takes a
    // signal.
    unsafe {
        libc::signal(libc::SIGTERM, libc::SIG_IGN);
        libc::signal(libc::SIGINT, libc::SIG_IGN);
        libc::signal(libc::SIGALRM, libc::SIG_IGN);
        libc::signal(libc::SIGUSR1, exit_on_signal as *const () as libc::sighandler_t);
        #[cfg(target_os = "linux")]
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
    }
}

/// SIGUSR1 tells a child to give up quietly; 255 is the exit code for that.
extern "C" fn exit_on_signal(_: i32) {
    exit_now(255)
}

/// The signal that ends a child without an error.
pub(crate) const GIVE_UP: i32 = libc::SIGUSR1;
/// The signal that ends a child at once.
pub(crate) const AT_ONCE: i32 = libc::SIGKILL;
/// Exit code of a child that was told to give up.
pub(crate) const GAVE_UP: i32 = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_is_told_to_give_up_at_once_has_not_failed() {
        // It has no handler for the signal, like a child of ours in its first moments.
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep");
        let pid = child.id() as i32;
        assert_eq!(poll_child(pid).expect("ours"), None);
        kill(pid, GIVE_UP);
        wait_for_exit(pid);
        assert_eq!(poll_child(pid).expect("ours"), Some(Exit::Code(GAVE_UP)));
        // It is gone already.
        let _ = child.wait();
    }
}
