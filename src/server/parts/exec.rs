//! The command that runs now, and the unit that it belongs to.

use crate::keyspace::effects::Op;
use crate::net::clients::ClientId;
use crate::net::session::CommandId;

/// State of the command that is running, and of the unit it belongs to.
#[derive(Debug, Default)]
pub struct Exec {
    /// Depth of `call`: 1 for a client's command, 2 inside EXEC.
    pub nesting: u32,
    /// Who listens for consequences; kept up to date by those who start or stop listening.
    pub armed: u8,
    /// The client whose command is being looked at or runs; nobody's between commands.
    pub current: Option<ClientId>,
    /// Writes of the running unit, to be propagated together at its end.
    pub ops: Vec<Op>,
    /// The stream of writes, for tests: nothing consumes it yet.
    pub stream: Option<Vec<Op>>,
    /// Bytes of the buffer that the running command came in; shown as its client's `qbuf`.
    pub query_bytes: usize,
    /// The running command asked not to be logged as slow (its arguments are secret or huge).
    pub skip_slowlog: bool,
    pub random: u64,
    /// Commands that share their time.
    pub brief: Brief,
    /// A parked client's command runs again: watchers have seen it already.
    pub again: bool,
    /// How much of its reply EXEC keeps though its client wants none now: CLIENT REPLY among the
    /// queued commands holds from there on only.
    pub keeps_reply: Option<usize>,
}

impl Exec {
    /// A random number: for sampling and coins, and nothing that secrets may depend on.
    pub fn draw(&mut self) -> u64 {
        // xorshift64: they need no more.
        let r = &mut self.random;
        *r ^= *r << 13;
        *r ^= *r >> 7;
        *r ^= *r << 17;
        *r
    }
}

/// Brief commands that have run but are not accounted for.
#[derive(Debug, Default)]
pub struct Brief {
    /// Whether commands may share their time now.
    pub allowed: bool,
    /// Groups until they may again.
    pub wary: u32,
    /// Which commands, and how many of each in a row.
    pub runs: Vec<(CommandId, u64)>,
    pub count: u64,
}

impl Brief {
    /// Settings have changed: until the next group every command is timed by itself.
    pub fn forbid(&mut self) {
        self.allowed = false;
    }

    #[inline]
    pub fn note(&mut self, id: CommandId) {
        self.count += 1;
        match self.runs.last_mut() {
            Some((last, n)) if *last == id => *n += 1,
            _ => self.runs.push((id, 1)),
        }
    }
}
