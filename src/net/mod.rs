//! Connections: sockets, buffers, the slab of clients, timers. Layers above know what bytes mean.

pub(crate) mod clients;
pub(crate) mod conn;
pub mod http;
pub(crate) mod id;
pub(crate) mod link;
pub(crate) mod listener;
pub(crate) mod outbox;
pub(crate) mod query;
pub(crate) mod session;
pub(crate) mod timers;
pub mod tls;
pub(crate) mod usage;
