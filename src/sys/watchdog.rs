//! The software watchdog: tells where the main thread is when it has not come back in time.
//!
//! ```text
//! main thread    rearm ....... rearm ....... (stuck)      SIGALRM: notes addresses, wakes
//!                  |             |            period passes  |       the helper, goes on
//! helper thread    .             .                           `-----> names them, writes the report
//! ```
//! The timer fires once, so a thread that is not stuck sets it again in time. The handler runs on
//! the main thread between any two instructions, perhaps inside the allocator. So it takes no lock
//! and allocates nothing. It writes what it finds into statics, and a byte into a pipe. The helper
//! does the rest; it lives only while the watchdog is on. The report can't wait for the main
//! thread, which may be stuck for good.
//!
//! Invariants:
//!   W1  `STATE` is FREE, or one report is under way: FILLING on the main thread, then FULL until
//!       the helper has written it. A handler that finds it not FREE does nothing, so there is one
//!       trace at a time.
//!   W2  SIGALRM is blocked in every thread but the main one, so the trace is the main thread's.
//!   W3  the helper holds `WRITING` while it takes any other lock (the allocator's, the loader's,
//!       the time zone's); `fork` takes it first, so a child never inherits a lock that the helper
//!       held.
//!
//! A child inherits no timer, and ignores SIGALRM (`fork::child_signals`).

// setitimer, sigaction and a handler's arguments have no safe wrapper.
#![allow(unsafe_code)]

use std::fmt::Write as _;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use backtrace::SymbolName;

use crate::sys::log as logfile;

/// What the report says beyond the stack: two numbers now, words for them later.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject {
    /// Called in the signal handler: must neither lock nor allocate.
    pub now: fn() -> [u64; 2],
    /// Called in the helper thread: one line, without its end.
    pub describe: fn([u64; 2]) -> String,
}

const FREE: u8 = 0;
const FILLING: u8 = 1;
const FULL: u8 = 2;

/// Frames of a trace; the innermost are kept.
const DEPTH: usize = 128;

static SUBJECT: OnceLock<Subject> = OnceLock::new();
static WRITING: Mutex<()> = Mutex::new(());
/// The pipe's writing end while the watchdog is on, else -1.
static WAKE: AtomicI32 = AtomicI32::new(-1);

static STATE: AtomicU8 = AtomicU8::new(FREE);
static FRAMES: [AtomicUsize; DEPTH] = [const { AtomicUsize::new(0) }; DEPTH];
static COUNT: AtomicUsize = AtomicUsize::new(0);
/// The instruction that the signal interrupted; 0: not known on this machine.
static INTERRUPTED: AtomicUsize = AtomicUsize::new(0);
/// The process that sent the signal; 0: the timer did.
static SENDER: AtomicI32 = AtomicI32::new(0);
static WHEN: AtomicI64 = AtomicI64::new(0);
static WHAT: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

const REPORT: u8 = b'r';
const STOP: u8 = b's';

/// The switch. One a process, on the main thread; dropping it leaves the watchdog as it is.
#[derive(Debug, Default)]
pub(crate) struct Watchdog {
    period_ms: u32,
    helper: Option<PipeWriter>,
}

impl Watchdog {
    /// Watches with this period from now on; 0 switches the watchdog off. Then SIGALRM is ignored,
    /// as Redis ignores it. Must be called on the main thread.
    ///
    /// The first `subject` of the process stays. An error means that the helper could not be
    /// started, and the watchdog is off.
    pub(crate) fn set(&mut self, period_ms: u32, subject: Subject) -> io::Result<()> {
        if period_ms == 0 {
            self.stop();
            return Ok(());
        }
        if self.helper.is_none() {
            SUBJECT.get_or_init(|| subject);
            // What the walk prepares at its first use (the unwinder's tables, the linker's
            // bindings) is prepared here, where allocating and locking are allowed.
            trace(&mut |_| true);
            let (reader, writer) = io::pipe()?;
            std::thread::Builder::new().name("watchdog".into()).spawn(move || help(reader))?;
            WAKE.store(writer.as_raw_fd(), Ordering::SeqCst);
            self.helper = Some(writer);
            handle();
        }
        self.period_ms = period_ms;
        self.rearm();
        Ok(())
    }

    /// The main thread is not stuck: the period starts anew. Nothing when the watchdog is off.
    pub(crate) fn rearm(&self) {
        if self.period_ms != 0 {
            schedule(self.period_ms);
        }
    }

    fn stop(&mut self) {
        self.period_ms = 0;
        schedule(0);
        // SAFETY: SIG_IGN is a valid disposition. It drops a signal that is pending as well, so
        // after it no handler runs any more: handlers run on this very thread (W2).
        unsafe { libc::signal(libc::SIGALRM, libc::SIG_IGN) };
        WAKE.store(-1, Ordering::SeqCst);
        if let Some(mut writer) = self.helper.take() {
            // A word, not the pipe's end: a child may have the writing end too. If it can't be
            // written the helper has gone already.
            let _ = writer.write_all(&[STOP]);
        }
    }
}

/// No report from now on: the process ends, and writes its own. Safe in a signal handler.
pub(crate) fn disarm() {
    schedule(0);
}

/// Keeps SIGALRM away from the calling thread, which is a helper (W2).
pub(crate) fn spare_this_thread() {
    // SAFETY: all-zero is a valid sigset, and the pointers are to live values.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGALRM);
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
    }
}

/// Waits until the helper writes no report, and keeps it from writing one (W3).
pub(crate) fn hold_reports() -> MutexGuard<'static, ()> {
    WRITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends SIGALRM once, so many milliseconds from now; 0: never.
fn schedule(ms: u32) {
    let time = libc::timeval {
        tv_sec: (ms / 1000) as libc::time_t,
        tv_usec: (ms % 1000 * 1000) as libc::suseconds_t,
    };
    let never = libc::timeval { tv_sec: 0, tv_usec: 0 };
    let timer = libc::itimerval { it_interval: never, it_value: time };
    // SAFETY: the pointer is to a live value. The call can't fail: the times are in range.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &timer, std::ptr::null_mut()) };
}

fn handle() {
    // SAFETY: `action` is a fully initialised sigaction whose handler has the SA_SIGINFO form.
    // System calls that can go on after the handler do (SA_RESTART).
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_alarm as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
        libc::sigemptyset(&mut action.sa_mask);
        libc::sigaction(libc::SIGALRM, &action, std::ptr::null_mut());
    }
}

/// Calls `frame` with the address of each frame of this thread's stack, innermost first, while it
/// says true.
#[inline]
fn trace(frame: &mut dyn FnMut(usize) -> bool) {
    // SAFETY: the walk only reads the stack and the unwinder's tables. It takes no lock of the
    // crate's, which the synchronized form would: in a handler that could wait for the thread it
    // interrupts. The unwinder finds its tables without the allocator; older C libraries take the
    // loader's lock for it, which this thread may take twice, and which the helper holds in W1's
    // FULL only, when nobody walks.
    unsafe { backtrace::trace_unsynchronized(|f| frame(f.ip() as usize)) };
}

extern "C" fn on_alarm(_: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the C library's errno of this thread; the code that was interrupted may be about to
    // read it.
    let errno = unsafe { *libc::__errno_location() };
    // SAFETY: the kernel passes a valid siginfo; both of its forms (timer, kill) begin with these
    // fields.
    let sender = unsafe { if (*info).si_code == libc::SI_KERNEL { 0 } else { (*info).si_pid() } };
    if note(sender, interrupted(context)) {
        let byte = REPORT;
        // SAFETY: write(2) of one byte; the descriptor is the pipe's, or -1, which is an error.
        let sent = unsafe { libc::write(WAKE.load(Ordering::SeqCst), (&raw const byte).cast(), 1) };
        if sent != 1 {
            STATE.store(FREE, Ordering::Release);
        }
    }
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
}

/// The instruction at which the signal came.
fn interrupted(context: *mut libc::c_void) -> usize {
    let context = context.cast::<libc::ucontext_t>();
    if context.is_null() {
        return 0;
    }
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the kernel passes a handler of the SA_SIGINFO form the context it interrupted.
    let address = unsafe { (*context).uc_mcontext.gregs[libc::REG_RIP as usize] as usize };
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    let address = unsafe { (*context).uc_mcontext.pc as usize };
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let address = 0;
    address
}

/// Notes where this thread is; false when a report is under way already (W1).
fn note(sender: i32, interrupted: usize) -> bool {
    if STATE.compare_exchange(FREE, FILLING, Ordering::Acquire, Ordering::Relaxed).is_err() {
        return false;
    }
    let mut count = 0;
    trace(&mut |address| {
        if address == 0 {
            // The end of the stack, where the machine marks it so.
            return false;
        }
        FRAMES[count].store(address, Ordering::Relaxed);
        count += 1;
        count < DEPTH
    });
    COUNT.store(count, Ordering::Relaxed);
    INTERRUPTED.store(interrupted, Ordering::Relaxed);
    SENDER.store(sender, Ordering::Relaxed);
    // SAFETY: time(2) with a null pointer only returns the time.
    let now = unsafe { libc::time(std::ptr::null_mut()) };
    WHEN.store(now, Ordering::Relaxed);
    if let Some(subject) = SUBJECT.get() {
        for (slot, word) in WHAT.iter().zip((subject.now)()) {
            slot.store(word, Ordering::Relaxed);
        }
    }
    STATE.store(FULL, Ordering::Release);
    true
}

/// The helper: a report for each byte, until it is told to stop.
fn help(mut wake: PipeReader) {
    spare_this_thread();
    let mut byte = [0];
    while wake.read_exact(&mut byte).is_ok() && byte[0] == REPORT {
        let _held = hold_reports();
        if STATE.load(Ordering::Acquire) == FULL {
            if logfile::enabled(logfile::Level::Warning) {
                // In one piece, so that no line of another thread or child comes in between.
                logfile::raw(&report());
            }
            STATE.store(FREE, Ordering::Release);
        }
    }
    let _held = hold_reports();
    // The tables that names are looked up in; the next helper reads them again.
    backtrace::clear_symbol_cache();
}

/// The report on what the handler has noted.
fn report() -> String {
    let head = format!("{}:signal-handler ({})", std::process::id(), WHEN.load(Ordering::Relaxed));
    let mut out = format!("{head} \n--- WATCHDOG TIMER EXPIRED ---\n");
    let sender = SENDER.load(Ordering::Relaxed);
    if sender != 0 {
        out += &format!("Hint: not the timer but process {sender} has sent this SIGALRM.\n");
    }
    out += "\n------ STACK TRACE ------\n";
    if let Some(subject) = SUBJECT.get() {
        let what = [0, 1].map(|i: usize| WHAT[i].load(Ordering::Relaxed));
        out += &(subject.describe)(what);
        out += "\n\n";
    }
    let count = COUNT.load(Ordering::Relaxed).min(DEPTH);
    let frames: Vec<usize> = FRAMES[..count].iter().map(|f| f.load(Ordering::Relaxed)).collect();
    let interrupted = INTERRUPTED.load(Ordering::Relaxed);
    // The handler's own frames are above the interrupted instruction.
    let from = frames.iter().position(|&f| f == interrupted && f != 0);
    out += "Backtrace:\n";
    for (i, &address) in frames[from.unwrap_or(0)..].iter().enumerate() {
        // The others are where calls return to; `resolve` looks at the instruction before.
        let exact = usize::from(i == 0 && from.is_some());
        if !name_frame(&mut out, address, exact) {
            break;
        }
    }
    out += &format!("{head} --------\n\n");
    out
}

/// Adds a line for the function at an address, and one for each that is inlined there. False: what
/// is below it only starts programs.
fn name_frame(out: &mut String, address: usize, exact: usize) -> bool {
    const FIRST: &[u8] = b"__rust_begin_short_backtrace";
    let (mut named, mut more) = (false, true);
    backtrace::resolve((address + exact) as *mut _, |symbol| {
        let name = symbol.name();
        let first = |n: &SymbolName<'_>| memchr::memmem::find(n.as_bytes(), FIRST).is_some();
        more &= !name.as_ref().is_some_and(first);
        if !more {
            return;
        }
        let _ = match name {
            Some(name) => write!(out, "{address:#018x} {name:#}"),
            None => write!(out, "{address:#018x} ?"),
        };
        if let (Some(file), Some(line)) = (symbol.filename(), symbol.lineno()) {
            let _ = write!(out, " at {}:{line}", file.display());
        }
        out.push('\n');
        named = true;
    });
    if !named && more {
        let _ = writeln!(out, "{address:#018x} ?");
    }
    more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[inline(never)]
    fn a_place_to_be_found_at() -> bool {
        std::hint::black_box(note(4711, 0))
    }

    #[test]
    fn a_noted_stack_becomes_a_report_with_names() {
        assert!(a_place_to_be_found_at());
        assert!(!note(0, 0), "one at a time");
        let text = report();
        STATE.store(FREE, Ordering::Release);
        assert!(text.contains("\n--- WATCHDOG TIMER EXPIRED ---\n"), "{text}");
        assert!(text.contains("process 4711 "), "{text}");
        assert!(text.contains("a_place_to_be_found_at at "), "{text}");
        assert!(text.ends_with(" --------\n\n"), "{text}");
    }
}
