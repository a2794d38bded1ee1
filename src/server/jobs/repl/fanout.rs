//! The child that writes a snapshot straight to the replicas.
//!
//! ```text
//! $EOF:<mark>\r\n   the snapshot   <mark>          to each socket, in pieces, in the same order
//! ```
//! A replica that is slow holds the others up, since all get the same bytes from one pass over the
//! data; one that takes nothing for `repl-timeout` is given up. The parent hears of each replica's
//! end on the child's pipe. It writes nothing to these sockets meanwhile.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::time::{Duration, Instant};

use crate::server::jobs::child::Reporter;
use crate::sys::socket;

/// What is reported of a replica beside an error of the system, or 0 when it has all.
pub(super) const STUCK_NOW: i32 = -1;
pub(super) const GOES_ON: i32 = -2;

/// A replica as the child sees it.
struct Sink {
    socket: File,
    alive: bool,
}

/// Writes to all replicas that are left.
pub(super) struct Fanout<'a> {
    sinks: Vec<Sink>,
    timeout: Duration,
    report: &'a mut Reporter,
}

impl<'a> Fanout<'a> {
    pub(super) fn new(
        sockets: Vec<File>,
        timeout: Duration,
        report: &'a mut Reporter,
    ) -> Fanout<'a> {
        let sinks = sockets.into_iter().map(|socket| Sink { socket, alive: true }).collect();
        Fanout { sinks, timeout, report }
    }

    /// Says which replicas have all.
    pub(super) fn finish(self) {
        for (i, _) in self.sinks.iter().enumerate().filter(|(_, sink)| sink.alive) {
            self.report.socket(i, 0);
        }
    }
}

/// A replica that takes nothing for so long is reported: the parent may end its connection.
const STUCK: Duration = Duration::from_millis(500);

/// Writes all of `bytes` to a replica, however long it takes, as long as it takes something.
fn write_all(
    socket: &mut File,
    mut bytes: &[u8],
    timeout: Duration,
    mut stuck: impl FnMut(bool),
) -> io::Result<()> {
    let (mut since, mut told) = (Instant::now(), false);
    while !bytes.is_empty() {
        match socket.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(n) => {
                bytes = &bytes[n..];
                since = Instant::now();
                if std::mem::take(&mut told) {
                    stuck(false);
                }
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                let left = timeout.saturating_sub(since.elapsed());
                if left.is_zero() {
                    return Err(ErrorKind::TimedOut.into());
                }
                socket::wait_writable(socket, left.min(STUCK))?;
                if !told && since.elapsed() >= STUCK {
                    told = true;
                    stuck(true);
                }
            }
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

impl Write for Fanout<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut left = false;
        let Fanout { sinks, timeout, report } = self;
        for (i, sink) in sinks.iter_mut().enumerate().filter(|(_, sink)| sink.alive) {
            let stuck = |stuck| report.socket(i, if stuck { STUCK_NOW } else { GOES_ON });
            match write_all(&mut sink.socket, bytes, *timeout, stuck) {
                Ok(()) => left = true,
                Err(e) => {
                    sink.alive = false;
                    let timed_out = e.kind() == ErrorKind::TimedOut;
                    let error = if timed_out { libc::ETIMEDOUT } else { libc::EPIPE };
                    report.socket(i, e.raw_os_error().unwrap_or(error));
                }
            }
        }
        if left { Ok(bytes.len()) } else { Err(ErrorKind::BrokenPipe.into()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
