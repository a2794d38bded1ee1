//! INFO: facts of all parts as text, section by section.
//!
//! Fields are those of Redis 7.2, since monitoring reads them by name; ours start with `redust_`.
//! DBSIZE, used_memory and the counts of expiring keys are O(1), so INFO is cheap at any size.

use crate::server::parts::identity;
use std::fmt::{Display, Write};

use crate::net::listener::Listener;
use crate::server::admin::footprint::Footprint;
use crate::server::parts::Server;
use crate::sys::process::{self, CpuTime, Whose};
use crate::sys::{clock, mem};
use crate::util::num::human_bytes;

type Section = (&'static str, fn(&Server, &mut Lines));

/// Sections in the order in which they are printed.
const SECTIONS: &[Section] = &[
    ("Server", server),
    ("Clients", clients),
    ("Memory", memory),
    ("Persistence", persistence),
    ("Stats", stats),
    ("Replication", replication),
    ("CPU", cpu),
    ("Modules", |_, _| {}),
    ("Commandstats", commandstats),
    ("Errorstats", errorstats),
    ("Latencystats", latencystats),
    ("Cluster", cluster),
    ("Keyspace", keyspace),
    ("Debug", debug),
];

const DEFAULT: [&str; 11] = [
    "server",
    "clients",
    "memory",
    "persistence",
    "stats",
    "replication",
    "cpu",
    "modules",
    "errorstats",
    "cluster",
    "keyspace",
];

/// Collects `field:value` lines.
pub struct Lines(String);

impl Lines {
    fn add(&mut self, field: &str, value: impl Display) {
        // Writing to a String does not fail.
        let _ = write!(self.0, "{field}:{value}\r\n");
    }
    /// A size, and the same in a form for people.
    fn size(&mut self, field: &str, bytes: u64) {
        self.add(field, bytes);
        self.add(&format!("{field}_human"), human_bytes(bytes));
    }
    fn flag(&mut self, field: &str, on: bool) {
        self.add(field, u8::from(on));
    }
}

/// The text of the wanted sections (lower case); all usual ones if none is named.
pub fn text(srv: &mut Server, wanted: &[String]) -> String {
    let named = |word: &str| wanted.iter().any(|w| w == word);
    let all = named("all") || named("everything");
    let usual = wanted.is_empty() || named("default");
    if usual || all || named("memory") {
        srv.memory.refresh();
    }
    let mut out = Lines(String::with_capacity(6 * 1024));
    for (title, section) in SECTIONS {
        let name = title.to_ascii_lowercase();
        let by_name = named(&name) || name == "modules" && named("module_list");
        let shown =
            by_name || (usual && DEFAULT.contains(&name.as_str())) || (all && name != "debug");
        if !shown {
            continue;
        }
        if !out.0.is_empty() {
            out.0.push_str("\r\n");
        }
        let _ = write!(out.0, "# {title}\r\n");
        section(srv, &mut out);
    }
    out.0
}

fn server(srv: &Server, o: &mut Lines) {
    let id = &srv.identity;
    let uptime = (srv.clock.now_ms - id.started_ms).max(0) / 1000;
    o.add("redis_version", identity::REDIS_VERSION);
    o.add("redust_version", identity::REDUST_VERSION);
    o.add("redis_git_sha1", "00000000");
    o.add("redis_git_dirty", 0);
    o.add("redis_build_id", "0");
    o.add("redis_mode", "standalone");
    o.add("os", format!("{} {} {}", id.uname.0, id.uname.1, id.uname.2));
    o.add("arch_bits", usize::BITS);
    o.add("monotonic_clock", srv.clock.watch.name());
    o.add("multiplexing_api", "epoll");
    o.add("atomicvar_api", "c11-builtin");
    o.add("gcc_version", "0.0.0");
    o.add("process_id", process::pid());
    o.add("process_supervised", id.supervised);
    o.add("run_id", &id.run_id);
    o.add("tcp_port", srv.cfg.net.port);
    o.add("server_time_usec", clock::wall_us());
    o.add("uptime_in_seconds", uptime);
    o.add("uptime_in_days", uptime / 86_400);
    o.add("hz", srv.cfg.process.hz);
    o.add("configured_hz", srv.cfg.process.hz);
    o.add("lru_clock", (srv.clock.now_ms / 1000) & 0xff_ffff);
    o.add("executable", id.executable.display());
    let file = id.config_file.as_ref().map_or(String::new(), |f| f.display().to_string());
    o.add("config_file", file);
    o.add("io_threads_active", 0);
    // A line for each kind of socket, under a number that does not depend on the others.
    let (mut tcp, mut unix) = (None, None);
    for l in srv.net.listeners() {
        match l {
            Listener::Tcp { word, .. } => {
                let line = tcp.get_or_insert_with(|| "name=tcp".to_string());
                line.extend([",bind=", word]);
            }
            Listener::Unix { path, .. } => unix = Some(format!("name=unix,bind={path}")),
        }
    }
    if let Some(line) = tcp {
        o.add("listener0", format!("{line},port={}", srv.cfg.net.port));
    }
    if let Some(line) = unix {
        o.add("listener1", line);
    }
}

fn clients(srv: &Server, o: &mut Lines) {
    let (input, output) = srv.clients.recent.largest();
    o.add("connected_clients", srv.clients.len());
    o.add("cluster_connections", 0);
    o.add("maxclients", srv.cfg.clients.max_clients);
    o.add("client_recent_max_input_buffer", input);
    o.add("client_recent_max_output_buffer", output);
    o.add("blocked_clients", srv.blocked.clients() + srv.pause.clients());
    o.add("tracking_clients", srv.tracking.active());
    o.add("clients_in_timeout_table", srv.clients_with_timeout());
    o.add("total_blocking_keys", srv.blocked.keys());
    o.add("total_blocking_keys_on_nokey", 0);
}

impl Server {
    fn clients_with_timeout(&self) -> usize {
        let timed = |p: &crate::net::session::Parked| p.timer.is_some();
        self.clients.iter().filter(|c| c.session.parked.as_deref().is_some_and(timed)).count()
    }
}

fn ratio(a: u64, b: u64) -> String {
    format!("{:.2}", if b == 0 { 0.0 } else { a as f64 / b as f64 })
}

fn percent(a: u64, b: u64) -> String {
    format!("{:.2}%", if b == 0 { 0.0 } else { a as f64 * 100.0 / b as f64 })
}

fn memory(srv: &Server, o: &mut Lines) {
    let m = &srv.memory;
    let s = &m.stats;
    let f = Footprint::of(srv);
    let Footprint { used, peak, overhead, dataset, .. } = f;
    o.size("used_memory", used);
    o.size("used_memory_rss", m.rss);
    o.size("used_memory_peak", peak);
    o.add("used_memory_peak_perc", percent(used, peak));
    o.add("used_memory_overhead", overhead);
    o.add("used_memory_startup", m.at_start);
    o.add("used_memory_dataset", dataset);
    o.add("used_memory_dataset_perc", format!("{:.2}%", f.dataset_percent()));
    o.add("allocator_allocated", s.allocated);
    o.add("allocator_active", s.active);
    o.add("allocator_resident", s.resident);
    o.size("total_system_memory", mem::total());
    o.size("used_memory_lua", 0);
    o.add("used_memory_vm_eval", 0);
    o.add("used_memory_scripts_eval", 0);
    o.add("number_of_cached_scripts", 0);
    o.add("number_of_functions", 0);
    o.add("number_of_libraries", srv.rdb.libraries.len());
    o.add("used_memory_vm_functions", 0);
    o.size("used_memory_vm_total", 0);
    o.add("used_memory_functions", 0);
    o.size("used_memory_scripts", 0);
    o.size("maxmemory", srv.cfg.memory.max_memory);
    o.add("maxmemory_policy", setting(srv, b"maxmemory-policy"));
    let gap = |a: u64, b: u64| a as i64 - b as i64;
    o.add("allocator_frag_ratio", ratio(s.active, s.allocated));
    o.add("allocator_frag_bytes", gap(s.active, s.allocated));
    o.add("allocator_rss_ratio", ratio(s.resident, s.active));
    o.add("allocator_rss_bytes", gap(s.resident, s.active));
    o.add("rss_overhead_ratio", ratio(m.rss, s.resident));
    o.add("rss_overhead_bytes", gap(m.rss, s.resident));
    o.add("mem_fragmentation_ratio", ratio(m.rss, used));
    o.add("mem_fragmentation_bytes", gap(m.rss, used));
    o.add("mem_not_counted_for_evict", 0);
    o.add("mem_replication_backlog", 0);
    o.add("mem_total_replication_buffers", 0);
    o.add("mem_clients_slaves", f.clients_replicas);
    o.add("mem_clients_normal", f.clients_normal);
    o.add("mem_cluster_links", 0);
    o.add("mem_aof_buffer", 0);
    o.add("mem_allocator", mem::allocator());
    o.add("active_defrag_running", 0);
    o.add("lazyfree_pending_objects", srv.bio.pending());
    o.add("lazyfreed_objects", srv.bio.freed());
}

fn setting(srv: &Server, name: &[u8]) -> String {
    let row = crate::config::table::find(name).map(|n| n.row.value(&srv.cfg));
    String::from_utf8_lossy(&row.unwrap_or_default()).into_owned()
}

fn status(failed: bool) -> &'static str {
    if failed { "err" } else { "ok" }
}

fn persistence(srv: &Server, o: &mut Lines) {
    let (now, r) = (srv.clock.now_ms, &srv.rdb);
    let child = srv.child.as_ref();
    let p = child.map(|c| c.progress).unwrap_or_default();
    o.flag("loading", srv.loading.is_some());
    o.add("async_loading", 0);
    o.add("current_cow_peak", p.cow_peak);
    o.add("current_cow_size", p.cow_bytes);
    o.add("current_cow_size_age", if p.cow_at_ms == 0 { 0 } else { (now - p.cow_at_ms) / 1000 });
    let done = p.keys_done as f64 * 100.0 / p.keys_total.max(1) as f64;
    o.add("current_fork_perc", format!("{done:.2}"));
    o.add("current_save_keys_processed", p.keys_done);
    o.add("current_save_keys_total", p.keys_total);
    o.add("rdb_changes_since_last_save", r.dirty);
    o.flag("rdb_bgsave_in_progress", child.is_some());
    o.add("rdb_last_save_time", r.last_save_ms / 1000);
    o.add("rdb_last_bgsave_status", status(r.last_failed));
    o.add("rdb_last_bgsave_time_sec", r.last_duration_ms.map_or(-1, |ms| ms / 1000));
    o.add("rdb_current_bgsave_time_sec", child.map_or(-1, |c| (now - c.started_ms) / 1000));
    o.add("rdb_saves", r.saves);
    o.add("rdb_last_cow_size", r.last_cow);
    o.add("rdb_last_load_keys_expired", r.load_expired);
    o.add("rdb_last_load_keys_loaded", r.load_loaded);
    o.add("redust_rdb_schedule_stretched", u8::from(r.stretched()));
    o.add("aof_enabled", 0);
    o.add("aof_rewrite_in_progress", 0);
    o.add("aof_rewrite_scheduled", 0);
    o.add("aof_last_rewrite_time_sec", -1);
    o.add("aof_current_rewrite_time_sec", -1);
    o.add("aof_last_bgrewrite_status", "ok");
    o.add("aof_rewrites", 0);
    o.add("aof_rewrites_consecutive_failures", 0);
    o.add("aof_last_write_status", "ok");
    o.add("aof_last_cow_size", 0);
    o.add("module_fork_in_progress", 0);
    o.add("module_fork_last_cow_size", 0);
    if let Some(l) = &srv.loading {
        let (read, total) = (l.progress.bytes, l.total_bytes.max(1));
        let elapsed = (now - l.started_ms).max(0) as u64 / 1000;
        let left = total.saturating_sub(read);
        o.add("loading_start_time", l.started_ms / 1000);
        o.add("loading_total_bytes", l.total_bytes);
        o.add("loading_rdb_used_mem", l.progress.used_memory);
        o.add("loading_loaded_bytes", read);
        o.add("loading_loaded_perc", format!("{:.2}", read as f64 * 100.0 / total as f64));
        o.add("loading_eta_seconds", (elapsed * left).checked_div(read).unwrap_or(1));
    }
}

fn stats(srv: &Server, o: &mut Lines) {
    let (s, n) = (&srv.stats, &srv.stats.n);
    let kbps = |rate: u64| format!("{:.2}", rate as f64 / 1024.0);
    o.add("total_connections_received", n.connections);
    o.add("total_commands_processed", n.commands);
    o.add("instantaneous_ops_per_sec", s.ops.mean());
    o.add("total_net_input_bytes", n.net_in);
    o.add("total_net_output_bytes", n.net_out);
    o.add("total_net_repl_input_bytes", 0);
    o.add("total_net_repl_output_bytes", 0);
    o.add("instantaneous_input_kbps", kbps(s.input.mean()));
    o.add("instantaneous_output_kbps", kbps(s.output.mean()));
    o.add("instantaneous_input_repl_kbps", "0.00");
    o.add("instantaneous_output_repl_kbps", "0.00");
    o.add("rejected_connections", n.rejected_connections);
    o.add("sync_full", 0);
    o.add("sync_partial_ok", 0);
    o.add("sync_partial_err", 0);
    o.add("expired_keys", n.expired_keys);
    o.add("expired_subkeys", n.expired_fields);
    o.add("expired_stale_perc", "0.00");
    o.add("expired_time_cap_reached_count", n.expire_time_cap);
    o.add("expire_cycle_cpu_milliseconds", n.expire_us / 1000);
    o.add("redust_expire_lag_milliseconds", srv.expiry.lag_ms);
    o.add("evicted_keys", n.evicted_keys);
    o.add("evicted_clients", n.evicted_clients);
    o.add("total_eviction_exceeded_time", n.eviction_exceeded_ms);
    o.add("current_eviction_exceeded_time", 0);
    o.add("keyspace_hits", n.keyspace_hits);
    o.add("keyspace_misses", n.keyspace_misses);
    o.add("pubsub_channels", srv.pubsub.channels());
    o.add("pubsub_patterns", srv.pubsub.patterns());
    o.add("pubsubshard_channels", srv.pubsub.shard_channels());
    o.add("latest_fork_usec", n.latest_fork_us);
    o.add("total_forks", n.forks);
    o.add("migrate_cached_sockets", srv.migrate.len());
    o.add("slave_expires_tracked_keys", 0);
    for field in [
        "active_defrag_hits",
        "active_defrag_misses",
        "active_defrag_key_hits",
        "active_defrag_key_misses",
        "total_active_defrag_time",
        "current_active_defrag_time",
    ] {
        o.add(field, 0);
    }
    o.add("tracking_total_keys", srv.tracking.table.len());
    o.add("tracking_total_items", srv.tracking.table.items());
    o.add("tracking_total_prefixes", srv.tracking.broadcast.prefixes());
    o.add("unexpected_error_replies", n.unexpected_errors);
    o.add("total_error_replies", n.error_replies);
    o.add("dump_payload_sanitizations", n.dump_sanitized);
    o.add("total_reads_processed", n.reads);
    o.add("total_writes_processed", n.writes);
    o.add("io_threaded_reads_processed", 0);
    o.add("io_threaded_writes_processed", 0);
    o.add("client_query_buffer_limit_disconnections", n.query_limit_disconnections);
    o.add("client_output_buffer_limit_disconnections", n.output_limit_disconnections);
    o.add("reply_buffer_shrinks", n.reply_buffer_shrinks);
    o.add("reply_buffer_expands", n.reply_buffer_expands);
    o.add("eventloop_cycles", n.loop_cycles);
    o.add("eventloop_duration_sum", n.loop_us);
    o.add("eventloop_duration_cmd_sum", s.commands.iter().map(|c| c.us).sum::<u64>());
    o.add("instantaneous_eventloop_cycles_per_sec", s.cycles.mean());
    o.add("instantaneous_eventloop_duration_usec", s.cycle_us.mean());
    o.add("acl_access_denied_auth", n.auth_denied);
    o.add("acl_access_denied_cmd", 0);
    o.add("acl_access_denied_key", 0);
    o.add("acl_access_denied_channel", 0);
}

fn replication(srv: &Server, o: &mut Lines) {
    o.add("role", "master");
    o.add("connected_slaves", 0);
    if srv.rdb.replicas_missing() {
        o.add("min_slaves_good_slaves", 0);
    }
    o.add("master_failover_state", "no-failover");
    o.add("master_replid", &srv.identity.replid);
    o.add("master_replid2", "0".repeat(40));
    o.add("master_repl_offset", 0);
    o.add("second_repl_offset", -1);
    o.add("repl_backlog_active", 0);
    o.add("repl_backlog_size", srv.cfg.repl.backlog_size);
    o.add("repl_backlog_first_byte_offset", 0);
    o.add("repl_backlog_histlen", 0);
}

fn cpu(_: &Server, o: &mut Lines) {
    let seconds = |us: i64| format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
    let mut add = |tail: &str, t: CpuTime| {
        o.add(&format!("used_cpu_sys{tail}"), seconds(t.sys_us));
        o.add(&format!("used_cpu_user{tail}"), seconds(t.user_us));
    };
    add("", process::cpu(Whose::Process));
    add("_children", process::cpu(Whose::Children));
    add("_main_thread", process::cpu(Whose::Thread));
}

fn commandstats(srv: &Server, o: &mut Lines) {
    for row in srv.table.rows() {
        let s = &srv.stats.commands[usize::from(row.id)];
        if s.calls == 0 && s.rejected == 0 && s.failed == 0 {
            continue;
        }
        o.add(
            &format!("cmdstat_{}", row.name()),
            format!(
                "calls={},usec={},usec_per_call={:.2},rejected_calls={},failed_calls={}",
                s.calls,
                s.us,
                s.us as f64 / s.calls.max(1) as f64,
                s.rejected,
                s.failed
            ),
        );
    }
}

fn errorstats(srv: &Server, o: &mut Lines) {
    for (code, count) in &srv.stats.errors {
        let code = String::from_utf8_lossy(code);
        o.add(&format!("errorstat_{code}"), format!("count={count}"));
    }
}

fn latencystats(srv: &Server, o: &mut Lines) {
    let percents = &srv.cfg.stats.percentiles;
    for row in srv.table.rows() {
        let stats = &srv.stats.commands[usize::from(row.id)];
        let Some(h) = stats.latency.as_ref().filter(|h| h.count() > 0) else { continue };
        let shown = percents
            .iter()
            .map(|p| format!("p{p}={}.{:03}", h.percentile(*p) / 1000, h.percentile(*p) % 1000));
        o.add(
            &format!("latency_percentiles_usec_{}", row.name()),
            shown.collect::<Vec<_>>().join(","),
        );
    }
}

fn cluster(_: &Server, o: &mut Lines) {
    o.add("cluster_enabled", 0);
}

fn keyspace(srv: &Server, o: &mut Lines) {
    for (n, db) in srv.ks.iter().filter(|(_, db)| !db.is_empty()) {
        let mut facts = format!(
            "keys={},expires={},avg_ttl={}",
            db.len(),
            db.expires(),
            db.avg_ttl_ms(srv.clock.now_ms)
        );
        // Redis 7.4's; where no field expires, the line is as in 7.2.
        if db.timed_hashes() > 0 {
            facts += &format!(",subexpiry={}", db.timed_hashes());
        }
        o.add(&format!("db{n}"), facts);
    }
}

fn debug(srv: &Server, o: &mut Lines) {
    o.add("eventloop_duration_aof_sum", 0);
    o.add("eventloop_duration_cron_sum", srv.stats.cron_us);
    o.add("eventloop_duration_max", srv.stats.loop_us_max);
    o.add("eventloop_cmd_per_cycle_max", srv.stats.commands_per_cycle_max);
}
