//! The operating system behind safe functions. `unsafe` is allowed here: each wrapper states why
//! its call is sound, and nothing above this layer calls libc.

pub mod alloc;
pub(crate) mod clock;
pub(crate) mod fork;
pub(crate) mod log;
pub(crate) mod look;
pub(crate) mod machine;
pub(crate) mod mallctl;
pub(crate) mod mem;
pub(crate) mod process;
pub(crate) mod signals;
pub(crate) mod socket;
pub(crate) mod syslog;
pub(crate) mod watchdog;
