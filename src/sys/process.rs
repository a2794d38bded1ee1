//! This process: daemon, title, supervisor, OOM score, resource use.

// fork, setsid, dup2, getrusage and the argument memory have no safe wrapper.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::AsRawFd;

pub(crate) fn pid() -> i32 {
    std::process::id() as i32
}

/// Detaches from the terminal: fork, new session, standard streams on /dev/null.
///
/// Must be called before any thread is started.
pub(crate) fn daemonize() -> io::Result<()> {
    // SAFETY: the process has one thread; the parent ends at once without running destructors.
    match unsafe { libc::fork() } {
        -1 => return Err(io::Error::last_os_error()),
        0 => {}
        _ => crate::sys::fork::exit_now(0),
    }
    // SAFETY: a new child is never a process group leader, so setsid succeeds.
    unsafe { libc::setsid() };
    let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    for fd in 0..3 {
        // SAFETY: both descriptors are open; the standard ones are replaced on purpose.
        unsafe { libc::dup2(null.as_raw_fd(), fd) };
    }
    Ok(())
}

/// CPU seconds as INFO prints them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CpuTime {
    pub user_us: i64,
    pub sys_us: i64,
}

/// Whose CPU time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whose {
    Process,
    Children,
    Thread,
}

pub(crate) fn cpu(whose: Whose) -> CpuTime {
    let who = match whose {
        Whose::Process => libc::RUSAGE_SELF,
        Whose::Children => libc::RUSAGE_CHILDREN,
        #[cfg(target_os = "linux")]
        Whose::Thread => libc::RUSAGE_THREAD,
        #[cfg(not(target_os = "linux"))]
        Whose::Thread => libc::RUSAGE_SELF,
    };
    // SAFETY: all-zero is a valid rusage, and the pointer is to a live one.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(who, &mut usage);
        usage
    };
    let us = |t: libc::timeval| t.tv_sec * 1_000_000 + t.tv_usec;
    CpuTime { user_us: us(usage.ru_utime), sys_us: us(usage.ru_stime) }
}

/// `sysname release machine`, as uname tells.
pub(crate) fn uname() -> (String, String, String) {
    // SAFETY: all-zero is a valid utsname, and the call fills it with C strings.
    let raw = unsafe {
        let mut raw: libc::utsname = std::mem::zeroed();
        libc::uname(&mut raw);
        raw
    };
    let text = |field: &[libc::c_char]| {
        field.iter().take_while(|&&c| c != 0).map(|&c| char::from(c as u8)).collect::<String>()
    };
    (text(&raw.sysname), text(&raw.release), text(&raw.machine))
}

/// Reads this process's OOM score adjustment.
pub(crate) fn oom_score_adj() -> io::Result<i32> {
    let text = std::fs::read_to_string("/proc/self/oom_score_adj")?;
    text.trim().parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not a number"))
}

pub(crate) fn set_oom_score_adj(value: i32) -> io::Result<()> {
    std::fs::write("/proc/self/oom_score_adj", value.to_string())
}

/// The memory that holds argv and the environment, which `ps` shows.
///
/// A title longer than the arguments runs on into the environment: the kernel shows it up to its
/// first zero byte once the last byte of the arguments is no zero. What is longer than both is cut.
#[derive(Debug)]
pub(crate) struct Title {
    start: usize,
    len: usize,
}

impl Title {
    /// Finds the area by /proc/self/stat, and moves the environment's strings out of it. To be
    /// called before any thread starts that reads the environment.
    pub(crate) fn locate() -> Option<Title> {
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        // Fields 48 to 51 of proc(5), counted from 1; the text after the name starts with field 3.
        let field = |i: usize| fields.get(i - 3)?.parse::<usize>().ok();
        let (start, end) = (field(48)?, field(49)?);
        if start == 0 || end <= start {
            return None;
        }
        // Old kernels don't say where the environment is. Then there is no more room.
        let end = match (field(50), field(51)) {
            (Some(env), Some(env_end)) if env == end && env_end > end => {
                move_environment();
                env_end
            }
            _ => end,
        };
        Some(Title { start, len: end - start })
    }

    pub(crate) fn set(&mut self, title: &str) {
        let bytes = &title.as_bytes()[..title.len().min(self.len - 1)];
        // SAFETY: start..start+len is memory the kernel named as arguments and environment; it is
        // writable, and nothing in the program refers to it any more: `main` copies the arguments,
        // `move_environment` the rest.
        unsafe {
            let area = std::slice::from_raw_parts_mut(self.start as *mut u8, self.len);
            area.fill(0);
            area[..bytes.len()].copy_from_slice(bytes);
        }
    }
}

/// Replaces each string of the environment by a copy that lives for ever.
fn move_environment() {
    unsafe extern "C" {
        static mut environ: *mut *mut libc::c_char;
    }
    // SAFETY: `environ` is a list of C strings with a null pointer at its end; nobody else reads or
    // changes it now (see `locate`), and the copies are never freed.
    unsafe {
        let mut at = environ;
        while !at.is_null() && !(*at).is_null() {
            *at = std::ffi::CStr::from_ptr(*at).to_owned().into_raw();
            at = at.add(1);
        }
    }
}

/// Sends one message to systemd's notification socket; false where none is named.
pub(crate) fn sd_notify(message: &str) -> io::Result<bool> {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return Ok(false) };
    let socket = std::os::unix::net::UnixDatagram::unbound()?;
    let path = path.to_string_lossy();
    if let Some(name) = path.strip_prefix('@') {
        use std::os::linux::net::SocketAddrExt;
        let addr = std::os::unix::net::SocketAddr::from_abstract_name(name.as_bytes())?;
        return socket.send_to_addr(message.as_bytes(), &addr).map(|_| true);
    }
    socket.send_to(message.as_bytes(), path.as_ref()).map(|_| true)
}

/// Whether the system has a locale of this name for the order of text. The process's own stays as
/// it is.
pub(crate) fn has_locale(name: &[u8]) -> bool {
    // To C, what follows a zero is not part of the name.
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    let Ok(name) = std::ffi::CString::new(name) else { return false };
    // SAFETY: the name is a C string; a null base asks for a new locale, which is freed at once.
    unsafe {
        let locale = libc::newlocale(libc::LC_COLLATE_MASK, name.as_ptr(), std::ptr::null_mut());
        if locale.is_null() {
            return false;
        }
        libc::freelocale(locale);
    }
    true
}

/// Whether there is a file at `path` that this process may run.
pub(crate) fn is_executable(path: &[u8]) -> bool {
    access(path, libc::X_OK).is_ok()
}

/// Whether this process may write the file at `path`; the error says why not.
pub(crate) fn may_write(path: &[u8]) -> io::Result<()> {
    access(path, libc::W_OK)
}

fn access(path: &[u8], mode: libc::c_int) -> io::Result<()> {
    let path = std::ffi::CString::new(path)?;
    // SAFETY: the path ends with a NUL and lives through the call.
    match unsafe { libc::access(path.as_ptr(), mode) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Restricts the calling thread to a list of processors such as `0,2-4` or `0-10:2`.
pub(crate) fn set_cpu_list(list: &str) -> io::Result<()> {
    let invalid = || io::Error::new(io::ErrorKind::InvalidInput, "not a list of processors");
    // SAFETY: all-zero is the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for part in list.split(',').map(str::trim).filter(|p| !p.is_empty()) {
        let (range, step) = part.split_once(':').unwrap_or((part, "1"));
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        let number = |s: &str| s.parse::<usize>().map_err(|_| invalid());
        let (from, to, step) = (number(from)?, number(to)?, number(step)?);
        if step == 0 || to >= libc::CPU_SETSIZE as usize {
            return Err(invalid());
        }
        for cpu in (from..=to).step_by(step) {
            // SAFETY: `cpu` is below CPU_SETSIZE.
            unsafe { libc::CPU_SET(cpu, &mut set) };
        }
    }
    // SAFETY: pointer and size are those of a complete cpu_set_t; 0 is the calling thread.
    match unsafe { libc::sched_setaffinity(0, size_of_val(&set), &set) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Lowers the priority: the calling thread runs when no other wants the processor.
///
/// A service of systemd may stand behind a filter that ends whoever makes this call, as Debian's
/// unit of redis-server does, so behind one it is not made. Containers have filters too, which let
/// it pass or refuse it.
pub(crate) fn lower_priority() {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: prctl with PR_GET_SECCOMP takes no pointer, and changes nothing.
        let filtered = unsafe { libc::prctl(libc::PR_GET_SECCOMP, 0, 0, 0, 0) } != 0;
        if filtered && std::env::var_os("INVOCATION_ID").is_some() {
            return;
        }
    }
    // On Linux the "process" named 0 is the calling thread.
    // SAFETY: sets a scheduling value of this thread; no memory is involved. Failure changes
    // nothing.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 15) };
}

/// Turns transparent huge pages off for this process: they make copy-on-write cost 2 MiB a write.
pub(crate) fn disable_huge_pages() {
    #[cfg(target_os = "linux")]
    // SAFETY: prctl with PR_SET_THP_DISABLE takes a flag.
    unsafe {
        libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0);
    }
}
