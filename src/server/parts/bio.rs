//! The helper thread for memory: frees large values and old databases, which would keep the reactor
//! waiting. It shares nothing with the reactor but a queue and two counters.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};

use crate::keyspace::store::Store;
use crate::script::bridge::State;
use crate::sys::mem::ThreadCounters;
use crate::tracking::Table;
use crate::util::lines::Lines;
use crate::value::Value;

/// A value whose freeing costs more than so many steps goes to the helper thread.
pub(crate) const LAZY_FROM: usize = 64;

enum Job {
    Value(Value),
    Stores(Vec<Store>),
    Tracked(Table),
    Interpreter(State),
}

#[derive(Default)]
struct Counters {
    pending: AtomicU64,
    freed: AtomicU64,
}

pub(crate) struct Bio {
    jobs: Sender<Job>,
    counters: Arc<Counters>,
    /// The thread's allocation counters; it lives as long as the process.
    memory: Option<ThreadCounters>,
}

impl Bio {
    /// Starts the thread, on the given processors if a list is given.
    pub(crate) fn start(cpus: &str) -> std::io::Result<Bio> {
        let (jobs, queue) = channel::<Job>();
        let counters = Arc::new(Counters::default());
        let (shared, cpus) = (counters.clone(), cpus.to_string());
        let (tell, memory) = channel();
        let work = move || {
            // Sending fails only if the start of the server has failed already.
            let _ = tell.send(ThreadCounters::here());
            crate::sys::watchdog::spare_this_thread();
            // On a machine with few processors the reactor must not wait for us.
            crate::sys::process::lower_priority();
            if !cpus.is_empty() {
                // The thread works on any processor, so an error is ignored.
                let _ = crate::sys::process::set_cpu_list(&cpus);
            }
            for job in queue {
                let count = match job {
                    Job::Value(value) => {
                        drop(value);
                        1
                    }
                    Job::Stores(stores) => free_stores(stores),
                    Job::Tracked(table) => {
                        drop(table);
                        0
                    }
                    Job::Interpreter(state) => {
                        drop(state);
                        1
                    }
                };
                shared.pending.fetch_sub(count, Ordering::Relaxed);
                shared.freed.fetch_add(count, Ordering::Relaxed);
            }
        };
        std::thread::Builder::new().name("bio_lazy_free".into()).spawn(work)?;
        let memory = memory.recv().ok().flatten();
        Ok(Bio { jobs, counters, memory })
    }

    pub(crate) fn free_value(&self, value: Value) {
        self.send(Job::Value(value), 1);
    }

    /// Frees whole databases; their keys count as objects.
    pub(crate) fn free_stores(&self, stores: Vec<Store>) {
        let count = stores.iter().map(|s| s.len() as u64).sum();
        self.send(Job::Stores(stores), count);
    }

    /// Frees a table of keys that clients have cached.
    pub(crate) fn free_tracked(&self, table: Table) {
        self.send(Job::Tracked(table), 0);
    }

    /// Frees an interpreter with all that is in it.
    pub(crate) fn free_interpreter(&self, state: State) {
        self.send(Job::Interpreter(state), 1);
    }

    /// In a child, which has no such thread: what is to be freed is freed at once.
    pub(crate) fn abandon(&mut self) {
        // The old queue is left alone: the thread may have been in the middle of something there.
        std::mem::forget(std::mem::replace(&mut self.jobs, channel().0));
    }

    fn send(&self, job: Job, count: u64) {
        self.counters.pending.fetch_add(count, Ordering::Relaxed);
        // If the thread is gone the job is dropped here, which does the same work.
        let _ = self.jobs.send(job);
    }

    /// Allocation counters of the thread.
    pub(crate) fn memory(&self) -> Option<ThreadCounters> {
        self.memory
    }

    /// INFO memory.
    pub(crate) fn info(&self, o: &mut Lines) {
        o.add("lazyfree_pending_objects", self.pending());
        o.add("lazyfreed_objects", self.freed());
    }

    pub(crate) fn pending(&self) -> u64 {
        self.counters.pending.load(Ordering::Relaxed)
    }
    pub(crate) fn freed(&self) -> u64 {
        self.counters.freed.load(Ordering::Relaxed)
    }
    pub(crate) fn reset_freed(&self) {
        self.counters.freed.store(0, Ordering::Relaxed);
    }
}

fn free_stores(stores: Vec<Store>) -> u64 {
    stores.into_iter().map(|store| store.len() as u64).sum()
}
