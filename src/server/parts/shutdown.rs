//! Whether the loop is to end, and what follows.

use std::time::Duration;

/// How to shut down.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct How {
    pub save: bool,
    pub nosave: bool,
    /// Don't wait for replicas.
    pub now: bool,
    /// Go on even if the last save fails.
    pub force: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Shutdown {
    /// The loop ends.
    pub done: bool,
    /// When it has ended the program runs again, after so many milliseconds.
    pub restart: Option<Duration>,
    /// A signal asked for it; done by the next cron.
    pub asked: Option<i32>,
    pub exit_code: i32,
    /// It has begun, and waits for the replicas until this time.
    pub waiting: Option<(How, i64)>,
}
