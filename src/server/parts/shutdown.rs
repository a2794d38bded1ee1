//! Whether the loop is to end, and what follows.

use std::time::Duration;

#[derive(Debug, Default)]
pub(crate) struct Shutdown {
    /// The loop ends.
    pub done: bool,
    /// When it has ended the program runs again, after so many milliseconds.
    pub restart: Option<Duration>,
    /// A signal asked for it; done by the next cron.
    pub asked: Option<i32>,
    pub exit_code: i32,
}
