//! Connections: sockets, buffers, the slab of clients, timers. Bytes in, bytes out; what they mean is
//! decided above.

pub mod clients;
pub mod conn;
pub mod id;
pub mod link;
pub mod listener;
pub mod outbox;
pub mod query;
pub mod session;
pub mod timers;
pub mod usage;
