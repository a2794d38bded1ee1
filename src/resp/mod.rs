//! The wire protocol, RESP2 and RESP3: requests in, replies out. Knows nothing of keys or clients.

pub(crate) mod argv;
pub(crate) mod errors;
pub mod large;
pub mod parser;
pub(crate) mod reply;
