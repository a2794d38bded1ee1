//! What the server does besides running commands, each at its own time.

pub mod child;
pub mod children;
pub mod crash;
pub mod cron;
pub mod expire;
pub mod load;
pub mod pause;
pub mod restart;
pub mod save;
pub mod settings;
pub mod shutdown;
pub mod signals;
pub mod supervisor;
