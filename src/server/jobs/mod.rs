//! What the server does besides running commands, each at its own time.

pub(super) mod aof;
pub(super) mod child;
pub(super) mod children;
pub(super) mod crash;
pub(super) mod cron;
pub(super) mod expire;
pub(super) mod load;
pub(super) mod pause;
pub(super) mod repl;
pub(super) mod restart;
pub(super) mod save;
pub(super) mod sentinel;
pub(super) mod settings;
pub(super) mod shutdown;
pub(super) mod signals;
pub(super) mod supervisor;
pub(super) mod survey;
pub(super) mod tls;
