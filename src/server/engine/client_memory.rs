//! The memory of all clients together: its limit, and who leaves when it is exceeded.

use crate::log;
use crate::net::usage::{Class, OutputLimit};
use crate::server::engine::describe::describe;
use crate::server::parts::Server;

/// The smallest limit that `maxmemory-clients` can set. With less no client could send a command.
const MIN_CLIENT_MEMORY: usize = 128 * 1024;

/// Bytes that all clients together may take; None: no limit.
pub(crate) fn limit(srv: &Server) -> Option<usize> {
    let limit = match srv.cfg.clients.max_memory {
        0 => return None,
        bytes if bytes > 0 => bytes as usize,
        // A percentage of no limit is no limit. But clients are filed by size even so.
        _ if srv.cfg.memory.max_memory == 0 => usize::MAX,
        percent => (srv.cfg.memory.max_memory as f64 * -percent as f64 / 100.0) as usize,
    };
    Some(limit.max(MIN_CLIENT_MEMORY))
}

/// Copies the settings that clients are measured by.
pub(crate) fn adopt_settings(srv: &mut Server) {
    for (to, from) in srv.clients.limits.iter_mut().zip(&srv.cfg.clients.output_buffer_limits) {
        *to = OutputLimit {
            hard_bytes: from.hard_bytes as usize,
            soft_bytes: from.soft_bytes as usize,
            soft_ms: (from.soft_seconds as i64).saturating_mul(1000),
        };
    }
    // Compat: a replica that was let go on in the backlog is not closed for being that far behind.
    let replicas = &mut srv.clients.limits[Class::Replica.limit()];
    if replicas.hard_bytes > 0 {
        replicas.hard_bytes = replicas.hard_bytes.max(srv.cfg.repl.backlog_size as usize);
    }
    let hold = srv.cfg.clients.backpressure_limit;
    srv.clients.hold_from = (hold > 0).then_some(hold);
    srv.clients.set_files(srv.cfg.clients.max_memory != 0);
}

/// Makes the largest clients leave while all together take more than `maxmemory-clients`.
pub(crate) fn evict(srv: &mut Server) {
    if !srv.clients.tally.files() {
        return;
    }
    let Some(limit) = limit(srv) else { return };
    while srv.clients.tally.evictable_bytes() >= limit {
        let Some(id) = srv.clients.tally.largest() else {
            // Every command comes here: saying so once a second is enough.
            if srv.clock.now_ms - srv.net.said_over_ms >= 1000 {
                srv.net.said_over_ms = srv.clock.now_ms;
                log!(Warning, "Over client maxmemory after evicting all evictable clients");
            }
            return;
        };
        if let Some(client) = srv.clients.get(id) {
            log!(Notice, "Evicting client: {}", describe(srv, client));
        }
        srv.stats.n.evicted_clients += 1;
        srv.clients.evict(id);
    }
}
