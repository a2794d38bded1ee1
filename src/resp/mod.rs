//! The wire protocol, RESP2 and RESP3: requests in, replies out. Knows nothing of keys or clients.

pub mod argv;
pub mod errors;
pub mod large;
pub mod parser;
pub mod reply;
