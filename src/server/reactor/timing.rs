//! How long requests take: from the moment a command was there to the write of its reply.
//!
//! A command is there when the turn begins that reads the last of it. All that runs before it in
//! that turn is part of what its client waits for, and so are the turns in between if it has to
//! wait for its share. What is noted of a client is one time for all replies of a write.
//!
//! A command that waits because it was told to (BLPOP, WAIT) is not counted. None of this is called
//! while nobody can ask for metrics.

use crate::net::clients::ClientId;
use crate::net::session::Close;
use crate::resp::parser::Batch;
use crate::server::parts::Server;

/// A client's commands have run, up to the place at which it stopped.
#[cold]
pub(super) fn note_run(srv: &mut Server, id: ClientId, batch: &Batch<'_>, stopped: Option<usize>) {
    let Some(client) = srv.clients.get_mut(id) else { return };
    let ran = match stopped {
        None => batch.cmds.len(),
        Some(end) => batch.cmds.partition_point(|cmd| cmd.span.end <= end),
    };
    // The last one of them is not answered yet.
    let ran = ran.saturating_sub(usize::from(client.session.parked.is_some()));
    let timing = &mut client.timing;
    // What is left of an earlier read keeps its time, and so does what follows in the same turn.
    if !client.query.behind && timing.replies == 0 {
        timing.arrived = srv.metrics.turn_ticks;
    }
    if ran > 0 {
        if timing.replies == 0 {
            timing.from = timing.arrived;
        }
        timing.replies += ran as u64;
    }
}

/// A client has been written what it was owed, as far as its socket took it.
#[cold]
pub(super) fn note_write(srv: &mut Server, id: ClientId) {
    let Server { clients, aof, metrics, clock, .. } = srv;
    let Some(client) = clients.get_mut(id) else { return };
    let timing = &mut client.timing;
    if timing.replies == 0 || aof.holds(&client.session) {
        return;
    }
    let replies = std::mem::take(&mut timing.replies);
    if client.session.close != Close::Now {
        let ns = clock.watch.ns(clock.watch.ticks().wrapping_sub(timing.from));
        metrics.note_requests(ns, replies);
    }
}
