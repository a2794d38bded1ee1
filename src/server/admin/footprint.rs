//! One account of memory for INFO, MEMORY STATS and MEMORY DOCTOR, so that they agree.
//!
//! `overhead` is what the server itself needs: what it had at start, clients, tables, and what
//! waits for the append-only file. The rest of what is allocated is the data set. O(databases),
//! since the memory of clients is kept as a running sum.

use crate::net::usage::Class;
use crate::server::engine::evict;
use crate::server::engine::survey::WHEEL_BYTES;
use crate::server::parts::Server;
use crate::util::lines::Lines;

/// Overhead of one database that isn't empty.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DbOverhead {
    pub db: usize,
    pub main: u64,
    pub expires: u64,
}

/// All figures in bytes, but for the last two.
#[derive(Debug, Clone)]
pub(crate) struct Footprint {
    pub used: u64,
    pub peak: u64,
    pub at_start: u64,
    pub rss: u64,
    pub clients_normal: u64,
    pub clients_replicas: u64,
    pub dbs: Vec<DbOverhead>,
    pub overhead: u64,
    pub dataset: u64,
    pub keys: u64,
    pub bytes_per_key: u64,
}

/// A part of a whole; 0 of nothing.
pub(crate) fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

impl Footprint {
    /// The account as of the latest `Memory::refresh`.
    pub(crate) fn of(srv: &Server) -> Footprint {
        let m = &srv.memory;
        let used = m.shown;
        let tally = &srv.clients.tally;
        let normal = tally.of(Class::Normal) + tally.of(Class::PubSub) + tally.of(Class::Primary);
        let filled = srv.ks.iter().filter(|(_, db)| !db.is_empty());
        let dbs: Vec<DbOverhead> = filled
            .map(|(n, db)| {
                // The wheel's bytes are among those of the tables.
                let expires = db.expires() * WHEEL_BYTES;
                let main = db.mem_bytes().saturating_sub(expires);
                DbOverhead { db: n, main: main as u64, expires: expires as u64 }
            })
            .collect();
        let tables: u64 = dbs.iter().map(|d| d.main + d.expires).sum();
        // What is kept for replicas that are behind is theirs, but for the backlog.
        let kept = srv.repl.memory(&srv.stream);
        let backlog = srv.repl.backlog_memory(&srv.stream);
        let replicas = tally.of(Class::Replica) as u64 + (kept - backlog);
        let own = tally.of(Class::Replica) as u64 + backlog;
        let overhead = m.at_start + normal as u64 + own + tables + evict::not_counted(srv);
        let keys = srv.ks.len() as u64;
        let net = used.saturating_sub(m.at_start).max(1);
        Footprint {
            used,
            peak: m.peak.max(used),
            at_start: m.at_start,
            rss: m.rss,
            clients_normal: normal as u64,
            clients_replicas: replicas,
            dbs,
            overhead,
            dataset: used.saturating_sub(overhead),
            keys,
            bytes_per_key: net.checked_div(keys).unwrap_or(0),
        }
    }

    /// INFO memory: what is in use, and for what.
    pub(crate) fn info(&self, o: &mut Lines) {
        o.size("used_memory", self.used);
        o.size("used_memory_rss", self.rss);
        o.size("used_memory_peak", self.peak);
        o.percent("used_memory_peak_perc", self.used, self.peak);
        o.add("used_memory_overhead", self.overhead);
        o.add("used_memory_startup", self.at_start);
        o.add("used_memory_dataset", self.dataset);
        o.add("used_memory_dataset_perc", format_args!("{:.2}%", self.dataset_percent()));
    }

    /// INFO memory: what clients take.
    pub(crate) fn info_clients(&self, o: &mut Lines) {
        o.add("mem_clients_slaves", self.clients_replicas);
        o.add("mem_clients_normal", self.clients_normal);
    }

    /// The data set's share of what was allocated since the start, in percent.
    pub(crate) fn dataset_percent(&self) -> f64 {
        100.0 * ratio(self.dataset, self.used.saturating_sub(self.at_start).max(1))
    }

    pub(crate) fn peak_percent(&self) -> f64 {
        100.0 * ratio(self.used, self.peak)
    }
}
