//! What runs now, for whoever must know at any moment: the crash report and the watchdog.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::net::session::CommandId;

/// The command that runs (its number plus one; 0: none), below its database, and its client's
/// serial number and descriptor. It takes two relaxed stores for each command. The crashing thread
/// reads them when nothing else can be trusted, and the watchdog at any moment.
static COMMAND: AtomicU64 = AtomicU64::new(0);
static CLIENT: AtomicU64 = AtomicU64::new(0);

/// Notes who runs what. Until the next command, or [`idle`], it counts as running.
#[inline]
pub(crate) fn note(command: CommandId, db: u32, serial: u64, fd: i32) {
    resume(pack(command, db, serial, fd));
}

pub(crate) fn pack(command: CommandId, db: u32, serial: u64, fd: i32) -> [u64; 2] {
    [u64::from(db) << 32 | (u64::from(command) + 1), serial << 32 | u64::from(fd as u32)]
}

/// The clients of a turn have been served. What the server does now belongs to no command.
#[inline]
pub(crate) fn idle() {
    COMMAND.store(0, Ordering::Relaxed);
}

/// What was noted last. Neither locks nor allocates.
pub(crate) fn now() -> [u64; 2] {
    [COMMAND.load(Ordering::Relaxed), CLIENT.load(Ordering::Relaxed)]
}

/// The command that served others meanwhile goes on.
#[inline]
pub(crate) fn resume([command, client]: [u64; 2]) {
    COMMAND.store(command, Ordering::Relaxed);
    CLIENT.store(client, Ordering::Relaxed);
}
