//! A client in a line, as CLIENT LIST and the log show it.

use crate::net::clients::Client;
use crate::resp::errors;
use crate::server::parts::Server;

/// The stream of writes is counted in pieces of so many bytes.
const PIECE: usize = 16 * 1024;

/// One line of CLIENT LIST, without its end.
pub(crate) fn line(srv: &Server, client: &Client) -> Vec<u8> {
    line_with(srv, client, 0)
}

/// The same; `args` are the bytes of the running command's arguments.
pub(crate) fn line_with(srv: &Server, client: &Client, args: usize) -> Vec<u8> {
    let s = &client.session;
    let now = srv.clock.now_ms;
    let running = if srv.exec.unit.client == Some(client.id) { srv.exec.query_bytes } else { 0 };
    let (qbuf, qbuf_free) = client.query.sizes(running, now);
    let subscriptions = srv.pubsub.counts(client.id);
    let multi = s.multi.as_ref();
    let multi_bytes = multi.map_or(0, |m| m.arg_bytes);
    let mut out = client.outbox.waiting_now();
    // A replica also waits for what is between its place in the stream and the end.
    let reader = srv.repl.replica(client.id).filter(|_| s.replica).and_then(|r| r.reader);
    let behind = reader.map_or(0, |r| (srv.stream.end() - srv.stream.position(r)) as usize);
    out.pieces += behind.div_ceil(PIECE);
    out.bytes += behind.div_ceil(PIECE) * PIECE;
    let argv_bytes = if running > 0 { args } else { client.query.arg_bytes() };
    let total = client.memory() + running + args;
    let command = s.last_command.map_or("NULL", |c| srv.table.by_id(c).name());
    let text = |b: &[u8]| String::from_utf8_lossy(errors::shown(b)).into_owned();
    format!(
        "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub={} psub={} ssub={} \
         multi={} qbuf={qbuf} qbuf-free={qbuf_free} argv-mem={argv_bytes} multi-mem={multi_bytes} \
         rbs={} rbp={} obl={} oll={} omem={} tot-mem={total} events={} cmd={command} \
         user={} redir={} resp={} lib-name={} lib-ver={}",
        s.serial,
        s.peer,
        s.local,
        s.fd,
        text(&s.name),
        (now - s.created_ms) / 1000,
        (now - s.active_ms) / 1000,
        s.flags(),
        s.db,
        subscriptions.channels,
        subscriptions.patterns,
        subscriptions.shard,
        multi.map(|m| m.queue.len() as i64).or(s.executing.map(i64::from)).unwrap_or(-1),
        client.room.size,
        client.room.peak,
        out.fixed,
        out.pieces,
        out.bytes,
        if client.wants_writable { "rw" } else { "r" },
        if s.primary { "(superuser)".to_owned() } else { text(srv.acl.name_of(s.user)) },
        s.tracking.as_ref().map_or(-1, |t| t.redirect as i64),
        if s.resp3 { 3 } else { 2 },
        text(&s.lib_name),
        text(&s.lib_ver),
    )
    .into_bytes()
}

/// A client as logs name it.
pub(crate) fn describe(srv: &Server, client: &Client) -> String {
    String::from_utf8_lossy(&line(srv, client)).into_owned()
}
