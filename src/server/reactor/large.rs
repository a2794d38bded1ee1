//! A command with a large argument: runs when all of it has come, and lends it to who would keep it.

use crate::net::clients::ClientId;
use crate::resp::argv::Argv;
use crate::resp::parser::{Batch, Limits};
use crate::server::engine::lend;
use crate::server::parts::Server;
use crate::server::reactor::reading::run_parsed;

/// Runs the command that a client's large argument belongs to, if it has come whole. Whether later commands may run.
#[cold]
pub fn run(srv: &mut Server, id: ClientId) -> bool {
    let Some(client) = srv.clients.get_mut(id) else { return false };
    let query = &mut client.query;
    let Some(large) = query.large.take_if(|large| large.is_whole()) else { return false };
    let mut buffer = std::mem::take(&mut query.pending);
    let partial = std::mem::take(&mut query.partial);
    let limits = Limits {
        max_bulk: srv.cfg.clients.max_bulk_bytes as usize,
        trusted: client.session.authenticated,
    };
    let mut batch = Batch::default();
    let parsed = large.parse(&buffer, partial, limits, &mut batch);
    let failed = parsed.error.is_some();
    if batch.cmds.is_empty() && !failed {
        drop(batch);
        query.large = Some(large);
        query.pending = buffer;
        query.reserve_for(parsed.partial);
        return false;
    }
    let bytes = buffer.len() + large.bytes();
    srv.exec.query_bytes = bytes;
    srv.net.slice_from = srv.clock.ticks;
    if !failed {
        lend::begin(srv, Argv::new(&batch.args), large.index());
    }
    let stopped = run_parsed(srv, id, bytes, &batch, parsed.error);
    drop(batch);
    srv.exec.query_bytes = 0;
    // What is used now may be gone when the peak is looked at again.
    srv.memory.note_peak();
    let keeper = lend::end(srv);
    if stopped == Some(0) {
        // It has to wait, as it is.
        let Some(client) = srv.clients.get_mut(id) else { return false };
        client.query.behind = true;
        client.query.pending = buffer;
        client.query.partial = large.tail();
        client.query.large = Some(large);
        return false;
    }
    let used = match stopped {
        Some(end) if end == bytes => buffer.len(),
        None if failed => buffer.len(),
        _ => large.head() + parsed.used,
    };
    if let Some(keeper) = keeper {
        lend::give(srv, keeper, large.into_argument());
    }
    let Some(client) = srv.clients.get_mut(id) else { return false };
    buffer.drain(..used);
    client.query.behind = stopped.is_some() && !buffer.is_empty();
    client.query.pending = buffer;
    stopped.is_none() && !failed
}
