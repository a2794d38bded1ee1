//! What the primary sends when the link is up: its commands run here as any client's do, its bytes
//! go to our own replicas as they are, and it hears how far we are.

use crate::net::clients::ClientId;
use crate::server::parts::Server;
use crate::server::parts::aof::State;
use crate::server::parts::repl::Link;

/// The primary's client has run the commands in `bytes`, or has queued them. Those of a transaction
/// count when it is whole; `opened` is where the latest begins, behind them if none does.
pub(crate) fn applied(srv: &mut Server, id: ClientId, bytes: &[u8], opened: usize) {
    let Some(session) = srv.clients.session(id) else { return };
    let (open, db) = (session.multi.is_some(), session.db);
    let Some(following) = &mut srv.repl.following else { return };
    following.heard_ms = srv.clock.now_ms;
    srv.stats.n.repl_in += bytes.len() as u64;
    let failed = srv.repl.refusals.now.as_ref().is_some_and(|refused| refused.partly);
    let (bytes, begun) = match open || failed {
        true => bytes.split_at(opened.min(bytes.len())),
        false => (bytes, &[][..]),
    };
    if open && begun.is_empty() {
        return srv.repl.held_raw.extend_from_slice(bytes);
    }
    // What is selected within a transaction is selected when it is whole.
    following.db = db;
    if !srv.repl.held_raw.is_empty() {
        let held = std::mem::take(&mut srv.repl.held_raw);
        srv.stream.append_raw(&held);
    }
    srv.stream.append_raw(bytes);
    srv.repl.held_raw.extend_from_slice(begun);
    if std::mem::take(&mut srv.repl.ack_due) {
        acknowledge(srv);
    }
}

/// While a snapshot is loaded the primary gets a sign of life once a second.
pub(crate) fn while_loading(srv: &mut Server) {
    const EVERY_MS: i64 = 1000;
    let now_ms = srv.clock.now_ms;
    let Some(following) = &mut srv.repl.following else { return };
    if let Link::Loading(Some(voice)) = &mut following.link
        && now_ms - following.heard_ms >= EVERY_MS
    {
        following.heard_ms = now_ms;
        voice.speak();
    }
}

/// Tells the primary how much of its stream we have, and how much of that is on disk.
pub(crate) fn acknowledge(srv: &mut Server) {
    let Some(id) = srv.repl.following.as_ref().and_then(|following| following.client) else {
        return;
    };
    let have = srv.stream.repl_end().to_string();
    let mut words: Vec<&[u8]> = vec![b"REPLCONF", b"ACK", have.as_bytes()];
    let on_disk =
        (srv.aof.state == State::On).then(|| srv.stream.repl_at(srv.syncer.synced()).to_string());
    if let Some(on_disk) = &on_disk {
        words.extend([&b"FACK"[..], on_disk.as_bytes()]);
    }
    let mut out = Vec::new();
    crate::resp::reply::command(&mut out, &words);
    srv.clients.push(id, &out);
}
