//! Emptying databases: who watches or caches their keys is told first.

use crate::server::parts::Server;

/// Empties one database or all, on the helper thread if `lazily`; returns how many keys were
/// deleted. O(keys), or O(watched keys) when it is done lazily.
pub(crate) fn flush(srv: &mut Server, only: Option<u32>, lazily: bool) -> u64 {
    let only = only.map(|n| n as usize);
    srv.ks.filled(only).into_iter().for_each(|n| srv.tell_of_flush(n as u32));
    srv.invalidate_all();
    let old = srv.ks.flush(only, srv.clock.now_ms);
    let keys = old.iter().map(|s| s.len() as u64).sum();
    match lazily {
        true => srv.bio.free_stores(old),
        false => drop(old),
    }
    keys
}
