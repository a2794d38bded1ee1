//! The audit log: lines of what happened, and the helper thread that writes them.
//!
//! ```text
//! engine::audit   makes a line          Audit::note    counts it, or drops it
//! the thread      writes lines to a file or to the system log, many at once
//! ```
//! A slow disk must not hold up the reactor, and a flood must not fill memory or disk. So lines go
//! to a thread; what is more than `audit-log-max-per-second`, or would make more than
//! [`MAX_PENDING`] bytes wait, is dropped. Dropped lines are counted, and a line says how many.
//!
//! The file is opened for each batch of lines, as the log is for each line: it can be renamed or
//! removed under a running server, which then makes a new one.
//!
//! Invariants: `events` is 0 while there is no target; once started, the thread lives as long as
//! the process, and lines reach their target in order.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use crate::log;
use crate::sys::mem::ThreadCounters;
use crate::util::lines::Lines;
use crate::util::path::os_error;

/// Bytes that may wait for the thread.
const MAX_PENDING: usize = 4 << 20;
/// The thread writes when it has so many bytes, or when nothing more waits.
const BATCH: usize = 64 << 10;
/// How long the end of the process waits for the thread.
const PATIENCE: Duration = Duration::from_secs(2);
/// Who reads this file is an administrator.
const MODE: u32 = 0o600;
/// Where the system log listens.
const SYSTEM_LOG: &str = "/dev/log";

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    File(PathBuf),
    System,
}

impl Target {
    /// Why nothing can be written there.
    pub(crate) fn fault(&self) -> Option<String> {
        match self {
            // What is no file, a pipe without a reader for instance, must not hold up the reactor.
            Target::File(path) => options().custom_flags(libc::O_NONBLOCK).open(path).err(),
            Target::System => connect(Path::new(SYSTEM_LOG)).err(),
        }
        .map(|e| os_error(&e))
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(MODE);
    options
}

fn connect(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    Ok(socket)
}

enum Job {
    Line(Vec<u8>),
    To(Option<Target>),
    /// Tells when all lines before it are written.
    Tell(Sender<()>),
}

/// What both threads know.
#[derive(Debug, Default)]
struct Shared {
    /// Bytes that wait to be written.
    pending: AtomicUsize,
    written: AtomicU64,
    /// Lines that could not be written.
    lost: AtomicU64,
}

#[derive(Debug, Default)]
pub(crate) struct Audit {
    /// What is noted, as bits of `audit-log-events`.
    pub events: u32,
    /// The setting that the target comes from.
    pub setting: Vec<u8>,
    jobs: Option<Sender<Job>>,
    shared: Arc<Shared>,
    /// The second of the clock, and how many lines it has had.
    second: i64,
    noted: u32,
    /// Lines dropped in all, and those that no line has told of yet.
    dropped: u64,
    untold: u64,
}

impl Audit {
    /// Whether there is a log at all.
    pub(crate) fn is_on(&self) -> bool {
        self.jobs.is_some() && !self.setting.is_empty()
    }

    /// From now on lines go there. Returns the counters of a thread that was started for it.
    pub(crate) fn set_target(&mut self, target: Option<Target>) -> Option<ThreadCounters> {
        let mut counters = None;
        if self.jobs.is_none() && target.is_some() {
            match start(self.shared.clone()) {
                Ok((jobs, memory)) => (self.jobs, counters) = (Some(jobs), memory),
                Err(e) => log!(Warning, "Can't start a helper thread: {}", os_error(&e)),
            }
        }
        if let Some(jobs) = &self.jobs {
            // The thread lives as long as the process.
            let _ = jobs.send(Job::To(target));
        }
        counters
    }

    /// Whether one more line of this second is to be noted; `most` is the limit, 0 none. If not, it
    /// counts as dropped.
    pub(crate) fn has_room(&mut self, now_ms: i64, most: u32) -> bool {
        let second = now_ms.div_euclid(1000);
        if second != self.second {
            (self.second, self.noted) = (second, 0);
        }
        let waits = self.shared.pending.load(Ordering::Relaxed);
        let room = (most == 0 || self.noted < most) && waits < MAX_PENDING;
        self.noted = self.noted.saturating_add(1);
        if !room {
            self.dropped += 1;
            self.untold += 1;
        }
        room
    }

    /// How many lines were dropped, if nobody was told yet and there is room for a line again.
    pub(crate) fn take_dropped(&mut self, now_ms: i64) -> Option<u64> {
        let waits = self.shared.pending.load(Ordering::Relaxed);
        if self.untold == 0 || now_ms.div_euclid(1000) == self.second || waits >= MAX_PENDING {
            return None;
        }
        Some(std::mem::take(&mut self.untold))
    }

    /// Hands a line to the thread.
    pub(crate) fn note(&mut self, line: String) {
        let Some(jobs) = &self.jobs else { return };
        self.shared.pending.fetch_add(line.len() + 1, Ordering::Relaxed);
        let _ = jobs.send(Job::Line(line.into_bytes()));
    }

    /// Waits until all lines are written, for a bounded time: the process ends.
    pub(crate) fn finish(&self) {
        let Some(jobs) = &self.jobs else { return };
        let (tell, told) = channel();
        if jobs.send(Job::Tell(tell)).is_ok() {
            // What a disk does not take in that time is lost.
            let _ = told.recv_timeout(PATIENCE);
        }
    }

    /// In a child, which has no such thread.
    pub(crate) fn abandon(&mut self) {
        // The old queue is left alone: the thread may have been in the middle of something there.
        std::mem::forget(self.jobs.take());
        self.events = 0;
    }

    /// INFO stats, while there is a log or has been one.
    pub(crate) fn info(&self, o: &mut Lines) {
        if self.jobs.is_some() {
            o.add("redust_audit_lines", self.shared.written.load(Ordering::Relaxed));
            o.add("redust_audit_dropped", self.dropped);
            o.add("redust_audit_lost", self.shared.lost.load(Ordering::Relaxed));
        }
    }

    /// Lines that are in no log: dropped, or not written.
    pub(crate) fn missing(&self) -> u64 {
        self.dropped + self.shared.lost.load(Ordering::Relaxed)
    }
}

fn start(shared: Arc<Shared>) -> io::Result<(Sender<Job>, Option<ThreadCounters>)> {
    let (jobs, queue) = channel::<Job>();
    let (tell, memory) = channel();
    let work = move || {
        // Nobody listens only when starting has failed already.
        let _ = tell.send(ThreadCounters::here());
        crate::sys::watchdog::spare_this_thread();
        Scribe { shared, ..Scribe::default() }.work(&queue);
    };
    std::thread::Builder::new().name("bio_audit".into()).spawn(work)?;
    Ok((jobs, memory.recv().ok().flatten()))
}

/// The thread's own state.
#[derive(Default)]
struct Scribe {
    shared: Arc<Shared>,
    target: Option<Target>,
    /// Lines to be written, each with its end.
    batch: Vec<u8>,
    lines: u64,
    /// The latest write failed: part of a line may be in the file, and the log has said why.
    failed: bool,
}

impl Scribe {
    fn work(&mut self, queue: &Receiver<Job>) {
        while let Ok(job) = queue.recv() {
            let mut next = Some(job);
            while let Some(job) = next.take() {
                self.take(job);
                if self.batch.len() < BATCH {
                    next = queue.try_recv().ok();
                }
            }
            self.flush();
        }
    }

    fn take(&mut self, job: Job) {
        match job {
            Job::Line(line) => {
                self.batch.extend_from_slice(&line);
                self.batch.push(b'\n');
                self.lines += 1;
            }
            Job::To(target) => {
                self.flush();
                (self.target, self.failed) = (target, false);
            }
            Job::Tell(tell) => {
                self.flush();
                // Who asked may have lost patience.
                let _ = tell.send(());
            }
        }
    }

    fn flush(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let written = match &self.target {
            Some(Target::File(path)) => append(path, &self.batch, self.failed),
            Some(Target::System) => send(Path::new(SYSTEM_LOG), &self.batch),
            None => Ok(()),
        };
        let lines = std::mem::take(&mut self.lines);
        match &written {
            Ok(()) => self.shared.written.fetch_add(lines, Ordering::Relaxed),
            Err(e) => {
                if !self.failed {
                    log!(Warning, "Writing the audit log: {}", os_error(e));
                }
                self.shared.lost.fetch_add(lines, Ordering::Relaxed)
            }
        };
        self.failed = written.is_err();
        self.shared.pending.fetch_sub(self.batch.len(), Ordering::Relaxed);
        self.batch.clear();
        self.batch.shrink_to(BATCH);
    }
}

/// Appends lines to a file, with an end of line before them if part of a line may be there.
fn append(path: &Path, lines: &[u8], broken: bool) -> io::Result<()> {
    let mut file = options().open(path)?;
    if broken {
        file.write_all(b"\n")?;
    }
    file.write_all(lines)
}

/// Sends lines to the system log, a message each. This is done here and not by syslog(3), since
/// that takes a lock, which a forked child would find taken for ever.
fn send(path: &Path, lines: &[u8]) -> io::Result<()> {
    // Security messages for administrators (authpriv, 10), of the level "notice" (5).
    const PRIORITY: u32 = 10 << 3 | 5;
    let socket = connect(path)?;
    let head = format!("<{PRIORITY}>redust-audit[{}]: ", std::process::id());
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        socket.send(&[head.as_bytes(), line].concat())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
