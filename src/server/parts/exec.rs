//! What runs now: the unit of work, and the command within it.

use crate::keyspace::effects::Kept;
use crate::keyspace::env::{Expiry, Origin};
use crate::net::clients::ClientId;
use crate::net::session::CommandId;
use crate::server::parts::stream::{self, Targets};

/// On whose behalf a unit of work runs. A unit is what leaves as one: a command with what follows
/// from it, a transaction with its members, or one expired or evicted key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unit {
    pub origin: Origin,
    /// The client whose command it is; None: the server acts by itself.
    pub client: Option<ClientId>,
    /// The database in which its next command runs: SELECT within it says so here.
    pub db: u32,
    /// A parked client's command runs again: MONITOR has shown it already.
    pub again: bool,
    /// The primary that this server follows says it: it is done, whatever this server thinks.
    pub obeys: bool,
}

impl Unit {
    /// The server's own acts: expiry, eviction, the work between commands.
    pub(crate) const SERVER: Unit =
        Unit { origin: Origin::Client, client: None, db: 0, again: false, obeys: false };

    pub(crate) fn of(client: ClientId) -> Unit {
        Unit { client: Some(client), ..Unit::SERVER }
    }
}

impl Default for Unit {
    fn default() -> Unit {
        Unit::SERVER
    }
}

/// State of the command that is running, and of the unit it belongs to.
#[derive(Debug)]
pub(crate) struct Exec {
    /// Depth of `call`: 1 for a client's command, 2 inside EXEC.
    pub nesting: u32,
    /// What runs, or what is being looked at before it runs.
    pub unit: Unit,
    /// A turn within a command serves other clients: the gate lets in only commands that may run
    /// then.
    pub busy: bool,
    /// The server's bits for the gate. Whoever changes what they are about keeps them up to date.
    pub concerns: u16,
    /// What happens to keys past their time, but for those that the primary speaks of. Kept with
    /// `concerns`.
    pub expiry: Expiry,
    /// Who listens for effects. Whoever starts or stops listening keeps this up to date.
    pub armed: u8,
    /// Bytes of the buffer that the running command came in; shown as its client's `qbuf`.
    pub query_bytes: usize,
    pub random: u64,
    /// Where the stream of writes ended when the running batch began.
    pub batch_from: u64,
    /// Commands that share their time.
    pub brief: Brief,
    /// From where on commands are noted in the logs.
    pub noted: Noted,
    /// The large argument of the running command, if its caller can give it away.
    pub lent: Option<usize>,
    /// Who gets it when the command has run.
    pub kept: Option<Keeper>,
    /// Memory was over `maxmemory` when the running command was let in. Only told while there is a
    /// limit.
    pub short: bool,
    /// What TIME has said within the running transaction or script, where time stands still.
    pub time_us: Option<i64>,
    /// Who gets the writes of the running command: a script may leave somebody out.
    pub targets: Targets,
    /// How much of its reply EXEC keeps although its client wants no replies now: CLIENT REPLY
    /// among the queued commands holds only for what comes after it.
    pub keeps_reply: Option<usize>,
}

/// Who keeps a large argument.
#[derive(Debug)]
pub(crate) enum Keeper {
    Key(Kept),
    /// An argument, left empty, of the last command in a client's transaction.
    Queue {
        client: ClientId,
        argument: usize,
    },
}

impl Exec {
    /// Nothing has run. `random` is not 0.
    pub(crate) fn new(random: u64) -> Exec {
        Exec {
            nesting: 0,
            unit: Unit::SERVER,
            busy: false,
            concerns: 0,
            expiry: Expiry::Delete,
            armed: 0,
            query_bytes: 0,
            random,
            batch_from: 0,
            brief: Brief::default(),
            noted: Noted::default(),
            lent: None,
            kept: None,
            short: false,
            time_us: None,
            targets: stream::ALL,
            keeps_reply: None,
        }
    }

    /// A random number, for sampling and the like. Nothing that must be secret may depend on it.
    pub(crate) fn draw(&mut self) -> u64 {
        // xorshift64 is good enough for that.
        let r = &mut self.random;
        *r ^= *r << 13;
        *r ^= *r >> 7;
        *r ^= *r << 17;
        *r
    }
}

/// From where on a command is noted in one of the logs, as the settings say; `MAX`: never.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noted {
    /// Microseconds that it takes.
    pub slow_us: u64,
    /// Bytes of its request, and of its reply.
    pub request: usize,
    pub reply: usize,
    /// Microseconds from which the running command is looked at: `look_from`, or 0 if its request
    /// may be large or it may be chosen by HOTKEYS.
    pub look_us: u64,
    /// `slow_us`, or 0 while HOTKEYS looks at every command.
    pub look_from: u64,
    /// Single commands are looked for among the brief ones: each is timed by itself.
    pub single: bool,
    /// This holds, or HOTKEYS looks at some commands.
    pub watched: bool,
    /// The running group is looked at for HOTKEYS alone: its requests are not large.
    pub only_chosen: bool,
}

impl Default for Noted {
    fn default() -> Noted {
        let (slow_us, bytes) = (u64::MAX, usize::MAX);
        Noted {
            slow_us,
            request: bytes,
            reply: bytes,
            look_us: slow_us,
            look_from: slow_us,
            single: false,
            watched: false,
            only_chosen: false,
        }
    }
}

impl Noted {
    /// A command comes whose request has at most `bytes` bytes.
    #[inline]
    pub(crate) fn expect(&mut self, bytes: usize) {
        self.look_us = if bytes >= self.request { 0 } else { self.look_from };
    }
}

/// More commands than any group has.
const ANY: u64 = u64::MAX / 2;

/// Brief commands that have run but are not accounted for.
///
/// Invariants: `room <= granted`; `runs` has `count()` commands in all.
#[derive(Debug, Default)]
pub(crate) struct Brief {
    /// So many commands more may share their time now.
    room: u64,
    /// `room` before the first one that is not accounted for.
    granted: u64,
    /// Whether they may share it in this group but for the commands that HOTKEYS looks at.
    pub resumes: bool,
    /// Groups until they may again.
    pub wary: u32,
    /// Which commands, and how many of each in a row.
    runs: Vec<(CommandId, u64)>,
    /// How many have been accounted for since HOTKEYS last asked.
    pub passed: u64,
}

impl Brief {
    /// A group begins, all before it is accounted for: any number of commands may share their time,
    /// or none.
    #[inline]
    pub(crate) fn begin(&mut self, allowed: bool) {
        debug_assert!(self.runs.is_empty(), "the last group has been settled");
        self.room = if allowed { ANY } else { 0 };
        self.granted = self.room;
    }

    /// From here on so many commands may share their time. Those that have run are kept.
    pub(crate) fn allow(&mut self, commands: u64) {
        let room = commands.min(ANY);
        (self.granted, self.room) = (self.count() + room, room);
    }

    /// Until the next group every command is timed by itself.
    #[inline]
    pub(crate) fn forbid(&mut self) {
        self.granted -= self.room;
        self.room = 0;
    }

    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.room > 0
    }

    /// How many have run.
    #[inline]
    pub(crate) fn count(&self) -> u64 {
        self.granted - self.room
    }

    /// They are accounted for: which ones there were.
    #[inline]
    pub(crate) fn take(&mut self) -> std::vec::Drain<'_, (CommandId, u64)> {
        self.passed += self.count();
        self.granted = self.room;
        self.runs.drain(..)
    }

    /// One has run, for which there was room.
    #[inline]
    pub(crate) fn note(&mut self, id: CommandId) {
        self.room -= 1;
        match self.runs.last_mut() {
            Some((last, n)) if *last == id => *n += 1,
            _ => self.runs.push((id, 1)),
        }
    }
}
