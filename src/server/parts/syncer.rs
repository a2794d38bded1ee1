//! The helper thread for files: what is written goes to disk, and what is replaced is closed and
//! deleted, while the reactor goes on.
//!
//! It shares nothing with the reactor but a queue and the figures in `Shared`. When it has synced a
//! file it wakes the reactor, since somebody may wait for that.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};

use crate::log;
use crate::sys::mem::ThreadCounters;
use crate::util::path::os_error;

enum Job {
    /// Sync a file that goes on being written; what lies before the offset of the stream is in it.
    Sync(Arc<File>, u64),
    /// Sync a file that has been replaced, and close it.
    Finish(Arc<File>, u64),
    /// Close a file that has no name any more, which frees its bytes.
    Close(Arc<File>),
    Delete(PathBuf),
}

/// What both threads know.
#[derive(Debug, Default)]
struct Shared {
    /// Files that wait to be synced, and other jobs.
    syncs: AtomicU64,
    jobs: AtomicU64,
    /// Everything before this offset of the stream is on disk.
    synced: AtomicU64,
    /// The error of the latest sync; 0: it worked.
    error: AtomicI32,
}

/// The thread's handle.
pub(crate) struct Syncer {
    jobs: Sender<Job>,
    shared: Arc<Shared>,
    memory: Option<ThreadCounters>,
}

impl Syncer {
    /// Starts the thread. `wake` is called there after each sync.
    pub(crate) fn start(cpus: &str, wake: impl Fn() + Send + 'static) -> std::io::Result<Syncer> {
        let (jobs, queue) = channel::<Job>();
        let shared = Arc::new(Shared::default());
        let (figures, cpus) = (shared.clone(), cpus.to_string());
        let (tell, memory) = channel();
        let work = move || {
            // Nobody listens only when starting has failed already.
            let _ = tell.send(ThreadCounters::here());
            crate::sys::watchdog::spare_this_thread();
            if !cpus.is_empty() {
                // Pinning is a wish; the thread works anywhere.
                let _ = crate::sys::process::set_cpu_list(&cpus);
            }
            for job in queue {
                run(job, &figures);
                figures.jobs.fetch_sub(1, Ordering::AcqRel);
                wake();
            }
        };
        std::thread::Builder::new().name("bio_aof".into()).spawn(work)?;
        let memory = memory.recv().ok().flatten();
        Ok(Syncer { jobs, shared, memory })
    }

    /// Syncs a file that holds the stream up to `offset`.
    pub(crate) fn sync(&self, file: Arc<File>, offset: u64) {
        self.shared.syncs.fetch_add(1, Ordering::AcqRel);
        self.send(Job::Sync(file, offset));
    }

    /// Syncs and closes a file that holds the stream up to `offset` and has been replaced.
    pub(crate) fn finish(&self, file: Arc<File>, offset: u64) {
        self.send(Job::Finish(file, offset));
    }

    /// Closes a file that has been deleted.
    pub(crate) fn close(&self, file: Arc<File>) {
        self.send(Job::Close(file));
    }

    /// Deletes a file.
    pub(crate) fn delete(&self, path: PathBuf) {
        self.send(Job::Delete(path));
    }

    fn send(&self, job: Job) {
        self.shared.jobs.fetch_add(1, Ordering::AcqRel);
        // The thread lives as long as the process.
        let _ = self.jobs.send(job);
    }

    /// How many syncs of the file that is written are not done yet.
    pub(crate) fn pending(&self) -> u64 {
        self.shared.syncs.load(Ordering::Acquire)
    }

    /// Everything before this offset of the stream is on disk.
    pub(crate) fn synced(&self) -> u64 {
        self.shared.synced.load(Ordering::Acquire)
    }

    /// The reactor has synced so far itself.
    pub(crate) fn note_synced(&self, offset: u64) {
        self.shared.synced.fetch_max(offset, Ordering::AcqRel);
    }

    /// The error of the latest sync, as the system numbers it; 0: it worked.
    pub(crate) fn error(&self) -> i32 {
        self.shared.error.load(Ordering::Acquire)
    }

    /// Forgets an error.
    pub(crate) fn forget_error(&self) {
        self.shared.error.store(0, Ordering::Release);
    }

    /// Allocation counters of the thread.
    pub(crate) fn memory(&self) -> Option<ThreadCounters> {
        self.memory
    }
}

fn run(job: Job, shared: &Shared) {
    match job {
        Job::Sync(file, offset) => {
            sync(&file, offset, shared);
            drop(file);
            shared.syncs.fetch_sub(1, Ordering::AcqRel);
        }
        Job::Finish(file, offset) => sync(&file, offset, shared),
        Job::Close(file) => drop(file),
        Job::Delete(path) => {
            // It may be gone already; else the next start deletes it.
            let _ = std::fs::remove_file(path);
        }
    }
}

fn sync(file: &File, offset: u64, shared: &Shared) {
    match file.sync_data() {
        Ok(()) => {
            shared.error.store(0, Ordering::Release);
            shared.synced.fetch_max(offset, Ordering::AcqRel);
        }
        Err(e) => {
            let code = e.raw_os_error().unwrap_or(1);
            if shared.error.swap(code, Ordering::AcqRel) == 0 {
                log!(Warning, "Fail to fsync the AOF file: {}", os_error(&e));
            }
        }
    }
}
