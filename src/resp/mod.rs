//! The wire protocol, RESP2 and RESP3: requests in, replies out, and the replies of other servers.
//! Knows nothing of keys or clients.

pub(crate) mod argv;
pub(crate) mod errors;
pub mod large;
pub mod parser;
pub(crate) mod reply;
pub mod value;
