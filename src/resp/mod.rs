//! The wire protocol, RESP2 and RESP3: requests in, replies out, and the replies of other servers.
//! Knows nothing of keys or clients.

pub mod argv;
pub mod errors;
pub mod parser;
pub mod reply;
pub mod value;
