//! INFO's facts about replication.

use crate::server::jobs::repl::names;
use crate::server::parts::Server;
use crate::server::parts::repl::{Link, State};
use crate::util::lines::Lines;

/// INFO replication.
pub(super) fn section(srv: &Server, o: &mut Lines) {
    o.add("role", if srv.repl.is_replica() { "slave" } else { "master" });
    following(srv, o);
    replicas(srv, o);
    let (second, limit) = srv.repl.history.second();
    let failover = srv.repl.failover.as_ref().map_or("no-failover", |failover| failover.word());
    o.add("master_failover_state", failover);
    o.add("master_replid", &srv.repl.history.id);
    o.add("master_replid2", second);
    o.add("master_repl_offset", srv.stream.repl_end());
    o.add("second_repl_offset", limit);
    let kept = srv.repl.kept(&srv.stream);
    o.flag("repl_backlog_active", kept.is_some());
    o.add("repl_backlog_size", srv.cfg.repl.backlog_size);
    o.add("repl_backlog_first_byte_offset", kept.map_or(0, |kept| kept.first));
    o.add("repl_backlog_histlen", kept.map_or(0, |kept| kept.bytes));
    o.add("redust_repl_spilled_bytes", srv.stream.spilled());
    o.add("redust_repl_spilled_bytes_total", srv.stream.spilled_total());
}

/// The primary, if there is one.
fn following(srv: &Server, o: &mut Lines) {
    let Some(following) = &srv.repl.following else { return };
    let now_ms = srv.clock.now_ms;
    let seconds = |since: i64| (now_ms - since).max(0) / 1000;
    let up = matches!(following.link, Link::Connected);
    o.add("master_host", String::from_utf8_lossy(&following.host));
    o.add("master_port", following.port);
    o.add("master_link_status", if up { "up" } else { "down" });
    let heard = if up { seconds(following.heard_ms) } else { -1 };
    o.add("master_last_io_seconds_ago", heard);
    let syncs = matches!(following.link, Link::Receiving(_) | Link::Loading(_));
    o.flag("master_sync_in_progress", syncs);
    let done = srv.stream.repl_end();
    // What has come, and waits for the end of a pause or of a transaction.
    let client = following.client.and_then(|id| srv.clients.get(id));
    let waits = client.map_or(0, |client| client.query.bytes()) + srv.repl.held_raw.len();
    o.add("slave_read_repl_offset", done + waits as u64);
    o.add("slave_repl_offset", done);
    if syncs {
        let finder = match &following.link {
            Link::Receiving(receive) => receive.finder.as_ref(),
            _ => None,
        };
        let (total, read) = match (&srv.loading, finder) {
            (Some(loading), _) => (loading.total_bytes, loading.progress.bytes),
            (None, Some(finder)) => (finder.total().unwrap_or(0), finder.seen()),
            (None, None) => (0, 0),
        };
        let percent = if total == 0 { 0.0 } else { read as f64 * 100.0 / total as f64 };
        o.add("master_sync_total_bytes", total);
        o.add("master_sync_read_bytes", read);
        o.add("master_sync_left_bytes", total as i64 - read as i64);
        o.add("master_sync_perc", format_args!("{percent:.2}"));
        o.add("master_sync_last_io_seconds_ago", seconds(following.heard_ms));
    }
    if !up {
        let since = following.down_since_ms.map_or(-1, seconds);
        o.add("master_link_down_since_seconds", since);
    }
    o.add("slave_priority", srv.cfg.repl.priority);
    o.flag("slave_read_only", srv.cfg.repl.read_only);
    o.flag("replica_announced", srv.cfg.repl.announced);
    o.add("redust_replica_refusals", srv.repl.refusals.total);
    o.add("redust_replica_last_refusal", srv.repl.refusals.last.as_deref().unwrap_or("none"));
}

/// Those who follow this server. O(replicas).
fn replicas(srv: &Server, o: &mut Lines) {
    o.add("connected_slaves", srv.repl.replicas.len());
    let repl = &srv.cfg.repl;
    if repl.min_replicas_to_write > 0 && repl.min_replicas_max_lag_secs > 0 {
        o.add("min_slaves_good_slaves", srv.repl.good);
    }
    for (i, replica) in srv.repl.replicas.iter().enumerate() {
        let (host, port) = names::address(srv, replica);
        let lag = match replica.state {
            State::Online => (srv.clock.now_ms - replica.acked_ms) / 1000,
            _ => 0,
        };
        o.add(
            &format!("slave{i}"),
            format_args!(
                "ip={host},port={port},state={},offset={},lag={lag}",
                replica.word(),
                replica.acked
            ),
        );
    }
}

/// INFO stats.
pub(super) fn syncs(srv: &Server, o: &mut Lines) {
    o.add("sync_full", srv.repl.full_syncs);
    o.add("sync_partial_ok", srv.repl.partial_syncs);
    o.add("sync_partial_err", srv.repl.refused_syncs);
}

/// INFO memory.
pub(super) fn memory(srv: &Server, o: &mut Lines) {
    o.add("mem_replication_backlog", srv.repl.backlog_memory(&srv.stream));
    o.add("mem_total_replication_buffers", srv.repl.memory(&srv.stream));
}
