//! DEBUG STREAM: the stream of writes, for tests and for whoever wants to see it.

use crate::resp::errors::{self, CmdError};
use crate::resp::reply::Reply;
use crate::server::parts::Server;
use crate::server::parts::stream::ALL;

/// `DEBUG STREAM ON|TAKE|OFF`: reads the stream of writes, as replicas and the append-only file
/// will get it. TAKE replies with the bytes that came since the last one.
pub(super) fn debug_stream(
    srv: &mut Server,
    reply: &mut Reply,
    word: &[u8],
) -> Result<(), CmdError> {
    let reader = srv.debug.stream;
    match (word.to_ascii_lowercase().as_slice(), reader) {
        (b"on", None) => srv.debug.stream = Some(srv.stream.join(ALL)),
        (b"on", Some(_)) => {}
        (b"off", _) => {
            if let Some(reader) = srv.debug.stream.take() {
                srv.stream.leave(reader);
            }
        }
        (b"take", Some(reader)) => {
            reply.bulk(&srv.stream.take(reader));
            return Ok(());
        }
        (b"take", None) => return Err(CmdError::new("ERR DEBUG STREAM is not on")),
        _ => return Err(errors::SYNTAX),
    }
    srv.rearm();
    reply.ok();
    Ok(())
}
