//! Writes replies and messages to clients, and deals with those that don't read them or hold too
//! much.
//!
//! ```text
//! write_replies       end of a turn: one writev a client, of a bounded number of bytes; messages
//!                     for a bounded time
//! report_over_limit   who exceeded an output limit is logged and counted (`Clients` has marked it)
//! ```
//! A client whose socket is full is not written to again before the socket has room. What it leaves
//! unread grows up to the limit of its class or `maxmemory-clients`. Then the client is closed, as
//! in Redis. Where `client-backpressure-limit` is set, a client of a class without a limit is held
//! above it instead: it is neither read nor served until it has read half.

use std::io;

use mio::Interest;

use crate::log;
use crate::net::clients::ClientId;
use crate::net::outbox::Flush;
use crate::net::session::Close;
use crate::server::engine::describe::describe;
use crate::server::jobs::repl::feed;
use crate::server::parts::Server;
use crate::server::parts::net::Source;
use crate::server::reactor::timing;

/// How long messages are delivered in one turn, in microseconds.
const DELIVER_US: u64 = 250;
/// Clients between two looks at the time.
const DELIVER_STEP: usize = 8;

/// Writes the replies of all clients that ran a command, and delivers messages for a while.
pub(crate) fn write_replies(srv: &mut Server) {
    if !srv.clients.has_to_write() {
        return;
    }
    let list = srv.clients.take_to_write();
    if srv.metrics.kept.is_none() {
        list.iter().for_each(|&id| write_client(srv, id));
    } else {
        for &id in &list {
            write_client(srv, id);
            timing::note_write(srv, id);
        }
    }
    srv.clients.recycle_to_write(list);
    let start = srv.clock.watch.ticks();
    loop {
        for _ in 0..DELIVER_STEP {
            match srv.clients.next_to_deliver() {
                Some(id) => write_client(srv, id),
                None => return,
            }
        }
        if srv.clock.watch.us(srv.clock.watch.ticks().wrapping_sub(start)) >= DELIVER_US {
            return;
        }
    }
}

/// The client's socket has room again.
pub(crate) fn on_writable(srv: &mut Server, id: ClientId) {
    match srv.clients.get(id) {
        // Not here: it may be owed a reply to what the append-only file does not hold yet.
        Some(client) if client.wants_writable => srv.clients.schedule_writable(id),
        _ => {}
    }
}

fn write_client(srv: &mut Server, id: ClientId) {
    let Some(client) = srv.clients.get_mut(id) else { return };
    if client.session.close == Close::Now {
        return;
    }
    let written = if client.session.replica {
        write_to_replica(srv, id)
    } else {
        // What it is told of is not in the append-only file yet.
        if srv.aof.holds(&client.session) {
            return srv.aof.held.push(id);
        }
        client.outbox.flush(&mut client.conn)
    };
    let now_ms = srv.clock.now_ms;
    let Server { clients, net, stats, .. } = srv;
    let Some(client) = clients.get_mut(id) else { return };
    let (n, how) = match written {
        Ok(done) => done,
        Err(e) => {
            log!(Verbose, "Error writing to client: {e}");
            return clients.close(id, Close::Now);
        }
    };
    if n > 0 {
        stats.n.net_out += n as u64;
        stats.n.writes += 1;
        client.session.active_ms = now_ms;
    }
    let full = how == Flush::Full;
    if full != client.wants_writable {
        client.wants_writable = full;
        let interest =
            if full { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        if client.conn.reregister(net.registry(), Source::Client(id).token(), interest).is_err() {
            return clients.close(id, Close::Now);
        }
    }
    match how {
        Flush::Full => {
            client.outbox.trim();
            clients.check_output(id, 0);
        }
        Flush::Paused => clients.schedule_write(id),
        Flush::Empty => {
            let close = client.session.close;
            client.session.soft_limit_since_ms = None;
            if let Some(spare) = client.outbox.take_spare() {
                clients.give_back(spare);
            }
            if close == Close::AfterReply {
                clients.close(id, Close::Now);
            }
        }
    }
    if n > 0 && clients.release(id) {
        net.resume(id);
    }
    if clients.tally.files() {
        clients.account(id, 0);
    }
}

/// A replica gets what it is told, and then its snapshot and the stream.
fn write_to_replica(srv: &mut Server, id: ClientId) -> io::Result<(usize, Flush)> {
    let Some(client) = srv.clients.get_mut(id) else { return Ok((0, Flush::Empty)) };
    let stays = client.session.close == Close::No;
    match client.outbox.flush(&mut client.conn)? {
        (n, Flush::Empty) if stays => feed::feed(srv, id).map(|(m, how)| (n + m, how)),
        other => Ok(other),
    }
}

/// Logs and counts the clients that were marked for exceeding an output limit.
pub(crate) fn report_over_limit(srv: &mut Server) {
    if !srv.clients.has_over_limit() {
        return;
    }
    for id in srv.clients.take_over_limit() {
        // The log shows the client as it was before it was marked.
        let Some(session) = srv.clients.session_mut(id) else { continue };
        session.close = Close::No;
        let text = srv.clients.get(id).map(|client| describe(srv, client)).unwrap_or_default();
        log!(
            Warning,
            "Client {text} scheduled to be closed ASAP for overcoming of output buffer limits."
        );
        srv.stats.n.output_limit_disconnections += 1;
        srv.clients.evict(id);
    }
}
