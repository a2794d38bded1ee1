//! The scripts of operators: a queue of calls, a few of them running.
//!
//! A script that ends with 1, or by a signal, is called again later, each time after twice as long.
//! Any other end is the last one.

use super::state::{Ms, Periods};

/// Calls that wait or run. One more pushes out the oldest that waits.
const MAX_QUEUE: usize = 256;
const MAX_RUNNING: usize = 16;
const MAX_TRIES: u32 = 10;

/// How a script ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Code(i32),
    Signal(i32),
    /// It could not be started now; that is tried again.
    NotStarted,
}

#[derive(Debug)]
pub(crate) struct Job {
    pub number: u64,
    /// The script and its arguments.
    pub words: Vec<Vec<u8>>,
    pub tries: u32,
    /// 0: it does not run.
    pub pid: u32,
    pub running: bool,
    /// When it was started, or when it may be started again; 0: at once.
    pub at_ms: Ms,
}

#[derive(Debug, Default)]
pub(crate) struct Scripts {
    queue: Vec<Job>,
    next: u64,
}

impl Scripts {
    pub(crate) fn jobs(&self) -> &[Job] {
        &self.queue
    }

    pub(crate) fn running(&self) -> usize {
        self.queue.iter().filter(|job| job.running).count()
    }

    /// Puts a call at the end of the queue.
    pub(crate) fn add(&mut self, words: Vec<Vec<u8>>) {
        self.next += 1;
        let job = Job { number: self.next, words, tries: 0, pid: 0, running: false, at_ms: 0 };
        self.queue.push(job);
        if self.queue.len() > MAX_QUEUE
            && let Some(oldest) = self.queue.iter().position(|job| !job.running)
        {
            self.queue.remove(oldest);
        }
    }

    /// The calls to start now, the oldest first. Each is running from here on.
    pub(crate) fn due(&mut self, now: Ms) -> Vec<(u64, Vec<Vec<u8>>)> {
        let room = MAX_RUNNING.saturating_sub(self.running());
        let may = |job: &&mut Job| !job.running && job.at_ms <= now;
        let start = |job: &mut Job| {
            job.running = true;
            job.at_ms = now;
            job.tries += 1;
            (job.number, job.words.clone())
        };
        self.queue.iter_mut().filter(may).take(room).map(start).collect()
    }

    /// The process that runs the call.
    pub(crate) fn started(&mut self, number: u64, pid: u32) {
        if let Some(job) = self.queue.iter_mut().find(|job| job.number == number) {
            job.pid = pid;
        }
    }

    /// A running call has ended. What to report of it: the script with a signal and a code.
    pub(crate) fn ended(
        &mut self,
        number: u64,
        how: Ended,
        now: Ms,
        periods: &Periods,
    ) -> Option<(Vec<u8>, i32, i32)> {
        let at = self.queue.iter().position(|job| job.number == number)?;
        let job = &mut self.queue[at];
        job.running = false;
        job.pid = 0;
        let again = match how {
            Ended::Code(code) => code == 1,
            Ended::Signal(_) => true,
            // Compat: reported as signal 99.
            Ended::NotStarted => return Some((job.words[0].clone(), 99, 0)),
        };
        if again && job.tries < MAX_TRIES {
            let doubled = job.tries.saturating_sub(1).min(MAX_TRIES);
            job.at_ms = now.saturating_add(periods.script_retry_delay.saturating_mul(1 << doubled));
            return None;
        }
        let script = self.queue.remove(at).words.swap_remove(0);
        match how {
            Ended::Code(0) | Ended::NotStarted => None,
            Ended::Code(code) => Some((script, 0, code)),
            Ended::Signal(signal) => Some((script, signal, 0)),
        }
    }

    /// Calls that run for too long: number, script and process.
    pub(crate) fn overdue(&self, now: Ms, periods: &Periods) -> Vec<(u64, Vec<u8>, u32)> {
        let late = |job: &&Job| job.running && now - job.at_ms > periods.script_max_runtime;
        let named = |job: &Job| (job.number, job.words[0].clone(), job.pid);
        self.queue.iter().filter(late).map(named).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(text: &str) -> Vec<Vec<u8>> {
        vec![b"/s".to_vec(), text.as_bytes().to_vec()]
    }

    #[test]
    fn at_most_sixteen_run_and_the_oldest_come_first() {
        let mut scripts = Scripts::default();
        for i in 0..20 {
            scripts.add(call(&i.to_string()));
        }
        let due = scripts.due(1);
        assert_eq!((due.len(), &due[0].1[1][..]), (16, &b"0"[..]));
        assert!(scripts.due(2).is_empty());
        assert_eq!(scripts.ended(due[3].0, Ended::Code(0), 3, &Periods::default()), None);
        assert_eq!(scripts.due(4)[0].1[1], b"16");
    }

    #[test]
    fn a_full_queue_drops_the_oldest_that_waits() {
        let mut scripts = Scripts::default();
        scripts.add(call("runs"));
        scripts.due(1);
        for i in 0..300 {
            scripts.add(call(&i.to_string()));
        }
        assert_eq!(scripts.jobs().len(), MAX_QUEUE);
        assert!(scripts.jobs()[0].running);
        assert_eq!(scripts.jobs()[1].words[1], b"45");
    }

    #[test]
    fn one_is_tried_again_after_twice_as_long_each_time() {
        let (mut scripts, periods) = (Scripts::default(), Periods::default());
        scripts.add(call("x"));
        let (mut now, mut waits) = (1000, Vec::new());
        for _ in 0..9 {
            let (job, _) = scripts.due(now).remove(0);
            assert_eq!(scripts.ended(job, Ended::Code(1), now, &periods), None);
            waits.push(scripts.jobs()[0].at_ms - now);
            assert!(scripts.due(scripts.jobs()[0].at_ms - 1).is_empty());
            now = scripts.jobs()[0].at_ms;
        }
        let seconds = [30, 60, 120, 240, 480, 960, 1920, 3840, 7680];
        assert_eq!(waits, seconds.map(|s| s * 1000));
        let (job, _) = scripts.due(now).remove(0);
        let report = scripts.ended(job, Ended::Code(1), now, &periods);
        assert_eq!(report, Some((b"/s".to_vec(), 0, 1)));
        assert!(scripts.jobs().is_empty());
    }

    #[test]
    fn other_ends_are_the_last() {
        let (mut scripts, periods) = (Scripts::default(), Periods::default());
        for (how, report) in
            [(Ended::Code(2), Some((b"/s".to_vec(), 0, 2))), (Ended::Code(0), None)]
        {
            scripts.add(call("x"));
            let (job, _) = scripts.due(1).remove(0);
            assert_eq!(scripts.ended(job, how, 2, &periods), report);
            assert!(scripts.jobs().is_empty());
        }
        scripts.add(call("x"));
        let (job, _) = scripts.due(1).remove(0);
        scripts.started(job, 77);
        assert!(scripts.overdue(60_001, &periods).is_empty());
        assert_eq!(scripts.overdue(60_002, &periods), [(job, b"/s".to_vec(), 77)]);
        assert_eq!(scripts.ended(job, Ended::Signal(9), 60_003, &periods), None);
        assert!(!scripts.jobs()[0].running);
    }
}
