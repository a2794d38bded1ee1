//! The operating system behind safe functions. `unsafe` is allowed here: each wrapper states why its
//! call is sound, and nothing above this layer calls libc.

pub mod alloc;
pub mod clock;
pub mod fork;
pub mod log;
pub mod mallctl;
pub mod mem;
pub mod process;
pub mod signals;
pub mod socket;
pub mod syslog;
pub mod watchdog;
