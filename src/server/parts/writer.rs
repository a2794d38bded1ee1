//! The helper thread that writes the append-only file while a sync is running.
//!
//! The system may hold a write back until a sync of the same file has ended. So as long as one
//! runs, what is to be written is copied and handed to this thread, and the reactor goes on. One
//! write is under way at a time; the buffer comes back with the result, to be used again. The
//! thread starts when it is first needed.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::log;
use crate::util::path::os_error;

struct Job {
    file: Arc<File>,
    bytes: Vec<u8>,
}

/// How a write ended.
pub(crate) struct Done {
    /// Bytes that are in the file now, and why there are not more.
    pub written: u64,
    pub error: Option<io::Error>,
    bytes: Vec<u8>,
}

/// The thread's handle.
pub(crate) struct Writer {
    waker: Arc<mio::Waker>,
    thread: Option<(Sender<Job>, Receiver<Done>)>,
    spare: Vec<u8>,
    busy: bool,
    /// Memory of the buffer that is under way.
    sent: usize,
}

/// A buffer is kept for the next write up to this size.
const KEPT: usize = 1 << 20;

impl Writer {
    /// `waker` is told when a write has ended.
    pub(crate) fn new(waker: Arc<mio::Waker>) -> Writer {
        Writer { waker, thread: None, spare: Vec::new(), busy: false, sent: 0 }
    }

    /// Whether a write is under way.
    pub(crate) fn is_busy(&self) -> bool {
        self.busy
    }

    /// Bytes of memory that its buffers take.
    pub(crate) fn memory(&self) -> u64 {
        (self.spare.capacity() + self.sent) as u64
    }

    /// An empty buffer for the next write.
    pub(crate) fn buffer(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.spare)
    }

    /// Writes `bytes` at the end of `file`; false if there is no thread to do so. None may be under
    /// way.
    pub(crate) fn write(&mut self, file: Arc<File>, bytes: Vec<u8>) -> bool {
        debug_assert!(!self.busy);
        if self.thread.is_none() {
            self.thread = match start(self.waker.clone()) {
                Ok(thread) => Some(thread),
                Err(e) => {
                    log!(Warning, "Can't start a helper thread: {}", os_error(&e));
                    None
                }
            };
        }
        self.sent = bytes.capacity();
        let sent = |(jobs, _): &(Sender<Job>, _)| jobs.send(Job { file, bytes }).is_ok();
        self.busy = self.thread.as_ref().is_some_and(sent);
        self.busy
    }

    /// The result of the write that is under way, if it has ended.
    pub(crate) fn finished(&mut self) -> Option<Done> {
        let done = self.thread.as_ref()?.1.try_recv().ok();
        self.take(done)
    }

    /// Waits for the write that is under way.
    pub(crate) fn wait(&mut self) -> Option<Done> {
        if !self.busy {
            return None;
        }
        let done = self.thread.as_ref()?.1.recv().ok();
        self.take(done)
    }

    fn take(&mut self, done: Option<Done>) -> Option<Done> {
        let mut done = done?;
        (self.busy, self.sent) = (false, 0);
        if done.bytes.capacity() <= KEPT {
            self.spare = std::mem::take(&mut done.bytes);
            self.spare.clear();
        }
        Some(done)
    }
}

fn start(waker: Arc<mio::Waker>) -> io::Result<(Sender<Job>, Receiver<Done>)> {
    let (jobs, queue) = channel::<Job>();
    let (tell, results) = channel();
    let work = move || {
        crate::sys::watchdog::spare_this_thread();
        for Job { file, bytes } in queue {
            let (written, error) = write(&file, &bytes);
            drop(file);
            // Nobody listens only when the process ends.
            let _ = tell.send(Done { written, error, bytes });
            let _ = waker.wake();
        }
    };
    std::thread::Builder::new().name("bio_aof_write".into()).spawn(work)?;
    Ok((jobs, results))
}

fn write(mut file: &File, mut bytes: &[u8]) -> (u64, Option<io::Error>) {
    let mut written = 0;
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return (written, Some(io::Error::from_raw_os_error(libc::ENOSPC))),
            Ok(n) => {
                written += n as u64;
                bytes = &bytes[n..];
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return (written, Some(e)),
        }
    }
    (written, None)
}
