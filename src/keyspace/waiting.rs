//! What a client waits for whose command can't be served yet: one description, from the command to
//! the registry.
//!
//! ```text
//! command    Flow::Block(Wait)   says what it waits for, and until when
//! session    Parked              keeps the command with it
//! registry   Blocked             lists the client under its keys, with what it wants (`Wants`)
//! ```
//! Compat: who waits for a key sleeps through its deletion, unless it asked to be told (XREADGROUP,
//! whose group is gone with the key).

use crate::resp::reply::{Nothing, Reply};
use crate::value::Type;

/// What a command asks for that has to wait.
#[derive(Debug)]
pub(crate) struct Wait {
    pub waiting: Waiting,
    /// Wall clock in milliseconds at which it gives up; None: never.
    pub until_ms: Option<i64>,
    /// The arguments with which it runs again, if not those that came: some words mean the moment
    /// at which they were first read (`$` of XREAD).
    pub rewritten: Option<Vec<Vec<u8>>>,
    /// When to look again though no key is ready: something may have been pending for long enough
    /// (CLAIM of XREADGROUP).
    pub again_ms: Option<i64>,
}

impl Wait {
    /// The command runs again as it came.
    pub(crate) fn new(waiting: Waiting, until_ms: Option<i64>) -> Wait {
        Wait { waiting, until_ms, rewritten: None, again_ms: None }
    }
}

/// What a parked client waits for.
#[derive(Debug)]
pub(crate) enum Waiting {
    /// Its command runs again when one of the keys is ready.
    Keys {
        db: u32,
        keys: Vec<Vec<u8>>,
        wants: Wants,
        /// For which group it reads streams.
        reads: Option<Reads>,
        /// What it gets when it gives up.
        nothing: Nothing,
    },
    /// For others to have what it has written.
    Offsets(Offsets),
    /// For the end of the server.
    End,
    /// For its login to be looked at: wrong passwords came from its address.
    Login,
}

/// Who is to have what a client has written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Offsets {
    /// WAITAOF rather than WAIT: on disk, and two numbers are the reply.
    pub file: bool,
    /// Where its latest write ends in the stream.
    pub written: u64,
    /// The same as replicas count.
    pub count: u64,
    /// The append-only file of this server.
    pub local: bool,
    /// So many replicas.
    pub replicas: i64,
}

/// How far what a client has written has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reached {
    /// It is on disk here.
    pub local: bool,
    /// So many replicas have it; on their disks, if that is asked for.
    pub replicas: i64,
}

impl Offsets {
    /// Whether the wait is over.
    pub(crate) fn are_met(self, reached: Reached) -> bool {
        reached.replicas >= self.replicas && (reached.local || !self.local)
    }

    /// The reply: how far it has come.
    pub(crate) fn write(self, reached: Reached, reply: &mut Reply) {
        if self.file {
            reply.array(2);
            reply.int(i64::from(reached.local));
        }
        reply.int(reached.replicas);
    }
}

/// What a client wants of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Wants {
    /// Only a value of this type can serve it; None: any.
    pub holds: Option<Type>,
    /// It has to know when the key goes or comes to hold another type.
    pub wakes_on_deletion: bool,
}

/// One who reads streams for a group, and waits for entries that are new to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Reads {
    pub group: Vec<u8>,
    /// It takes what has been pending for so many milliseconds, too.
    pub claims: Option<i64>,
}

impl Reads {
    /// The shortest time between two looks at what is pending.
    const LOOK_MS: i64 = 10;

    /// When to look at what is pending again, if the oldest was delivered then. What is delivered
    /// later can't be claimed sooner than that from now.
    pub(crate) fn again_ms(&self, oldest_ms: Option<i64>, now_ms: i64) -> Option<i64> {
        let idle = self.claims?;
        let later = now_ms.saturating_add(idle.max(Self::LOOK_MS));
        let oldest = oldest_ms.map_or(later, |at| at.saturating_add(idle));
        Some(oldest.clamp(now_ms + 1, later))
    }
}

impl Wants {
    fn is_met(self, now: Option<Type>) -> bool {
        now.is_some_and(|now| self.holds.is_none_or(|holds| holds == now))
    }

    /// Whether the client is woken when the key has been reported and holds a value of type `now`,
    /// or nothing.
    pub(crate) fn wakes(self, now: Option<Type>) -> bool {
        self.is_met(now) || self.wakes_on_deletion
    }

    /// Whether a key that changed, and is this now, is lost to a client that has to know.
    pub(crate) fn is_lost(self, now: Option<Type>) -> bool {
        self.wakes_on_deletion && !self.is_met(now)
    }
}
