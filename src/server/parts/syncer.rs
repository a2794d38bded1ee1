//! The helper thread for files: what is written goes to disk, and what is replaced is closed and
//! deleted, while the reactor goes on.
//!
//! It shares nothing with the reactor but a queue and the figures in `Shared`. When it has synced a
//! file it wakes the reactor, since somebody may wait for that.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::Instant;

use crate::log;
use crate::sys::mem::ThreadCounters;
use crate::util::lines::Lines;
use crate::util::path::os_error;

enum Job {
    /// Sync a file that goes on being written; what lies before the offset of the stream is in it.
    Sync(Arc<File>, u64),
    /// Sync a file that has been replaced, and close it.
    Finish(Arc<File>, u64),
    /// Close a file that has no name any more: the system frees its blocks then.
    Close(File),
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

/// How long syncs of the append-only file took, in microseconds, whichever thread did them and
/// however they ended.
#[derive(Debug, Default)]
pub(crate) struct SyncTimes {
    count: AtomicU64,
    sum: AtomicU64,
    longest: AtomicU64,
    last: AtomicU64,
}

/// What `SyncTimes` has counted: syncs, and microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SyncFigures {
    pub count: u64,
    pub sum: u64,
    pub longest: u64,
    pub last: u64,
}

impl SyncTimes {
    /// A sync has taken so long.
    pub(crate) fn note(&self, us: u64) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(us, Ordering::Relaxed);
        self.longest.fetch_max(us, Ordering::Relaxed);
        self.last.store(us, Ordering::Relaxed);
    }

    /// CONFIG RESETSTAT.
    pub(crate) fn reset(&self) {
        for figure in [&self.count, &self.sum, &self.longest, &self.last] {
            figure.store(0, Ordering::Relaxed);
        }
    }

    /// The figures as they are now.
    pub(crate) fn figures(&self) -> SyncFigures {
        let of = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        SyncFigures {
            count: of(&self.count),
            sum: of(&self.sum),
            longest: of(&self.longest),
            last: of(&self.last),
        }
    }

    /// INFO persistence.
    pub(crate) fn info(&self, o: &mut Lines) {
        let SyncFigures { count, sum, longest, last } = self.figures();
        o.add("redust_aof_fsync_count", count);
        o.add("redust_aof_fsync_usec_sum", sum);
        o.add("redust_aof_fsync_usec_max", longest);
        o.add("redust_aof_fsync_usec_last", last);
    }
}

/// The thread's handle.
pub(crate) struct Syncer {
    /// How long syncs take.
    pub times: Arc<SyncTimes>,
    jobs: Sender<Job>,
    shared: Arc<Shared>,
    memory: Option<ThreadCounters>,
}

impl Syncer {
    /// Starts the thread. `waker` is told after each job.
    pub(crate) fn start(cpus: &str, waker: Arc<mio::Waker>) -> std::io::Result<Syncer> {
        let (jobs, queue) = channel::<Job>();
        let shared = Arc::new(Shared::default());
        let times = Arc::new(SyncTimes::default());
        let (figures, noted, cpus) = (shared.clone(), times.clone(), cpus.to_string());
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
                run(job, &figures, &noted);
                figures.jobs.fetch_sub(1, Ordering::AcqRel);
                // A wake that fails is made up for by the next turn.
                let _ = waker.wake();
            }
        };
        std::thread::Builder::new().name("bio_aof".into()).spawn(work)?;
        let memory = memory.recv().ok().flatten();
        Ok(Syncer { times, jobs, shared, memory })
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

    /// Deletes a file. Its name is gone at once, since another file may be given the same one; its
    /// blocks are freed on the thread.
    pub(crate) fn delete(&self, path: &Path) {
        let file = File::open(path);
        // It may be gone already.
        let _ = std::fs::remove_file(path);
        if let Ok(file) = file {
            self.send(Job::Close(file));
        }
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

fn run(job: Job, shared: &Shared, times: &SyncTimes) {
    match job {
        Job::Sync(file, offset) => {
            sync(&file, offset, shared, times);
            drop(file);
            shared.syncs.fetch_sub(1, Ordering::AcqRel);
        }
        Job::Finish(file, offset) => sync(&file, offset, shared, times),
        Job::Close(file) => drop(file),
    }
}

fn sync(file: &File, offset: u64, shared: &Shared, times: &SyncTimes) {
    let started = Instant::now();
    let result = file.sync_data();
    times.note(started.elapsed().as_micros() as u64);
    match result {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deleted_name_is_free_at_once_and_a_synced_offset_is_told() {
        let poll = mio::Poll::new().expect("a poll");
        let waker = Arc::new(mio::Waker::new(poll.registry(), mio::Token(0)).expect("a waker"));
        let syncer = Syncer::start("", waker).expect("a thread");
        let dir = std::env::temp_dir().join(format!("redust-syncer-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a directory");
        for round in 1..50 {
            let path = dir.join("file");
            let file = Arc::new(File::create(&path).expect("it is not there"));
            syncer.sync(file, round);
            syncer.delete(&path);
            assert!(!path.exists());
        }
        while syncer.pending() > 0 {
            std::thread::yield_now();
        }
        assert_eq!((syncer.synced(), syncer.error()), (49, 0));
        syncer.note_synced(7);
        assert_eq!(syncer.synced(), 49, "it never goes back");
        std::fs::remove_dir_all(dir).expect("it is empty");
    }
}
