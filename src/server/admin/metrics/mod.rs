//! Metrics for Prometheus: each figure by its name, and by that of the common exporter for Redis.
//!
//! ```text
//! rows       figures of our own, `redust_*`: a row for each, by part of the server
//! commands   what is told for each command, request and turn of the loop
//! exporter   the names of the common exporter for Redis, `redis_*`, so that its dashboards work
//! writer     the two text formats
//! ```
//! A scrape walks no keys and no clients: each figure is one that its part keeps anyway. It costs
//! O(commands that have been used + databases).

mod commands;
mod exporter;
mod names;
mod rows;
mod writer;

use crate::server::admin::footprint::Footprint;
use crate::server::admin::page;
use crate::server::engine::evict;
use crate::server::parts::Server;
use crate::server::parts::metrics::Format;
use crate::stats::CommandStats;
use crate::sys::process::{self, CpuTime, Whose};
use writer::Writer;

/// What the rows look at: the server, and what is worked out once for all of them.
struct View<'a> {
    srv: &'a Server,
    memory: Footprint,
    cpu: CpuTime,
    /// The commands that have been called or refused, with the names they have in INFO.
    used: Vec<(&'static str, &'a CommandStats)>,
}

/// Allocated memory by purpose; the sum is all.
pub(super) fn purposes(srv: &Server, m: &Footprint) -> [(&'static str, u64); 6] {
    [
        ("dataset", m.dataset),
        ("startup", m.at_start),
        ("clients", m.clients_normal + m.clients_replicas),
        ("tables", m.dbs.iter().map(|db| db.main).sum()),
        ("expires", m.dbs.iter().map(|db| db.expires).sum()),
        ("aof", evict::not_counted(srv)),
    ]
}

/// Writes all metrics, or what the page shows.
pub(crate) fn render(srv: &mut Server, format: Format, out: &mut Vec<u8>) {
    srv.memory.refresh_for_metrics(srv.clock.now_ms);
    if format == Format::Page {
        return page::render(srv, out);
    }
    let srv = &*srv;
    let named = srv.table.rows().iter().map(|row| row.name()).zip(&srv.stats.commands);
    let view = View {
        srv,
        memory: Footprint::of(srv),
        cpu: process::cpu(Whose::Process),
        used: named.filter(|(_, stats)| stats.is_used()).collect(),
    };
    let mut w = Writer::new(out, format);
    rows::write(&view, &mut w);
    commands::write(&view, &mut w);
    exporter::write(&view, &mut w);
    w.end();
}
