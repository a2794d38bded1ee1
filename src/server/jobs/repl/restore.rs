//! The history of a snapshot that is loaded at the start: a replica goes on where it was, and a
//! primary lets its replicas do so.

use crate::log;
use crate::server::jobs::repl::primary;
use crate::server::parts::Server;
use crate::server::parts::stream::REPLICAS;

/// Takes over what the snapshot says of its history.
pub(crate) fn adopt_history(srv: &mut Server) {
    let loaded = std::mem::take(&mut srv.repl.loaded);
    let (Some(id), Some(offset)) = (loaded.id, loaded.offset) else { return };
    srv.stream.set_repl_end(offset);
    srv.repl.keep_backlog(&mut srv.stream);
    if srv.cfg.repl.primary.is_some() {
        srv.repl.history.id = id;
        srv.repl.history.before = None;
        srv.repl.restored_db = loaded.db;
        return;
    }
    // Compat: a primary begins a new history at each start; the one before is known by its end.
    srv.repl.history.before = Some((id, offset + 1));
    srv.repl.alone_since_ms = srv.clock.now_ms;
    for (db, key) in loaded.expired {
        srv.stream.add(db, [&b"DEL"[..], &key].into_iter(), REPLICAS);
        srv.stream.close();
    }
    primary::trim_backlog(srv);
    log!(Notice, "Replicas of the history before the restart can go on in it");
}
