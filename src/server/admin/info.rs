//! INFO: facts of all parts as text, section by section.
//!
//! Each part has functions that tell its facts, beside its state. The list here says which
//! functions make up a section, and in which order. A new part adds its functions to the list.
//!
//! Fields are those of Redis 7.2, since monitoring reads them by name; ours start with `redust_`.
//! DBSIZE, used_memory and the counts of expiring keys are O(1), so INFO is cheap at any size.

use crate::config::choice::Choice;
use crate::keyspace::store::Store;
use crate::server::admin::absent;
use crate::server::admin::footprint::{Footprint, ratio};
use crate::server::engine::evict;
use crate::server::parts::Server;
use crate::server::parts::child::{Child, Kind};
use crate::sys::mem;
use crate::sys::process::{self, CpuTime, Whose};
use crate::util::lines::Lines;

type Teller = fn(&Server, &mut Lines);

struct Section {
    title: &'static str,
    shown: Shown,
    tellers: &'static [Teller],
}

/// When a section is shown, beside when it is named.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// If no section is named, or `default`; in `all` too.
    Usually,
    /// In `all`.
    InAll,
    Never,
}

const fn section(title: &'static str, shown: Shown, tellers: &'static [Teller]) -> Section {
    Section { title, shown, tellers }
}

use Shown::{InAll, Never, Usually};

/// Sections in the order in which they are printed.
static SECTIONS: &[Section] = &[
    section(
        "Server",
        Usually,
        &[
            |srv, o| srv.identity.info_versions(o),
            |srv, o| srv.clock.info(o),
            build,
            |srv, o| srv.identity.info_compiler(o),
            |srv, o| srv.identity.info_process(o),
            |srv, o| o.add("tcp_port", srv.cfg.first_port()),
            |srv, o| srv.clock.info_time(o),
            |srv, o| srv.identity.info_uptime(srv.clock.now_ms, o),
            |srv, o| o.each(&["hz", "configured_hz"], srv.cfg.process.hz),
            |srv, o| srv.clock.info_lru(o),
            shutting_down,
            |srv, o| srv.identity.info_files(o),
            |_, o| absent::threads(o),
            |srv, o| srv.net.info_listeners(srv.cfg.net.port, srv.cfg.tls.port, o),
            |srv, o| srv.net.info_admin(o),
            |srv, o| srv.net.info_metrics(o),
        ],
    ),
    section(
        "Clients",
        Usually,
        &[
            |srv, o| srv.clients.info(srv.repl.replicas.len(), srv.cfg.clients.max_clients, o),
            |srv, o| o.add("blocked_clients", srv.blocked.clients() + srv.pause.clients()),
            |srv, o| srv.tracking.info_clients(o),
            |srv, o| o.add("clients_in_timeout_table", srv.blocked.timed()),
            |srv, o| srv.blocked.info(o),
        ],
    ),
    section(
        "Memory",
        Usually,
        &[
            |srv, o| Footprint::of(srv).info(o),
            |srv, o| srv.memory.info(o),
            |srv, o| srv.script.info_scripts(o),
            |srv, o| srv.script.info_functions(o),
            limit,
            |srv, o| srv.memory.info_fragmentation(o),
            |srv, o| o.add("mem_not_counted_for_evict", evict::not_counted(srv)),
            |srv, o| super::replication_info::memory(srv, o),
            |srv, o| Footprint::of(srv).info_clients(o),
            |_, o| absent::more_memory(o),
            |srv, o| o.add("mem_aof_buffer", evict::aof_buffer(srv)),
            |_, o| o.add("mem_allocator", mem::allocator()),
            |_, o| absent::defrag(o),
            |srv, o| srv.bio.info(o),
        ],
    ),
    section(
        "Persistence",
        Usually,
        &[
            |srv, o| o.flag("loading", srv.loading.as_ref().is_some_and(|l| !l.aside)),
            |srv, o| o.flag("async_loading", srv.loading.as_ref().is_some_and(|l| l.aside)),
            child,
            |srv, o| o.add("persistence_policy", policy(srv)),
            |srv, o| srv.rdb.info(child_of(srv, Kind::Rdb), srv.clock.now_ms, o),
            |srv, o| {
                let rewriting = child_of(srv, Kind::Aof).is_some();
                srv.aof.info(rewriting, srv.clock.now_ms / 1000, o);
            },
            |_, o| absent::modules(o),
            aof_sizes,
            |srv, o| srv.aof.info_failures(o),
            |srv, o| srv.syncer.times.info(o),
            loading,
        ],
    ),
    section(
        "Stats",
        Usually,
        &[
            |srv, o| srv.stats.info_traffic(o),
            |srv, o| super::replication_info::syncs(srv, o),
            expiry,
            |srv, o| srv.stats.info_keys(evict::exceeded_us(srv), o),
            |srv, o| srv.pubsub.info(o),
            |srv, o| srv.stats.info_forks(o),
            |srv, o| srv.migrate.info(o),
            |srv, o| o.add("slave_expires_tracked_keys", srv.repl.own_timed.len()),
            |_, o| absent::defrag_counts(o),
            |srv, o| srv.tracking.info(o),
            |srv, o| srv.stats.info_loop(o),
            |srv, o| srv.stats.info_denied(o),
            |srv, o| srv.audit.info(o),
            |srv, o| {
                if srv.cfg.acl.auth_delay_max_ms > 0 {
                    o.add("redust_auth_delayed", srv.acl.suspects.delayed);
                }
            },
        ],
    ),
    section("Replication", Usually, &[super::replication_info::section]),
    section("TLS", Usually, &[|srv, o| srv.tls.info(srv.clock.now_ms, o)]),
    section("CPU", Usually, &[cpu]),
    section("Modules", Usually, &[]),
    section("Commandstats", InAll, &[|srv, o| srv.stats.info_commands(names(srv), o)]),
    section("Errorstats", Usually, &[|srv, o| srv.stats.info_errors(o)]),
    section(
        "Latencystats",
        InAll,
        &[|srv, o| srv.stats.info_latencies(names(srv), &srv.cfg.stats.percentiles, o)],
    ),
    section("Cluster", Usually, &[|_, o| absent::cluster(o)]),
    section("Keyspace", Usually, &[|srv, o| srv.ks.info(srv.clock.now_ms, o)]),
    section("Keysizes", Never, &[super::survey::keysizes]),
    section("Keytypes", InAll, &[|srv, o| srv.ks.info_types(o)]),
    section("Sentinel", Usually, &[super::sentinel::info]),
    section("Debug", Never, &[|srv, o| srv.stats.info_debug(srv.aof.spent_us, o)]),
];

/// What a Sentinel shows, which has no data.
const OF_SENTINEL: [&str; 5] = ["Server", "Clients", "Stats", "CPU", "Sentinel"];

/// Whether the section says something about this process.
fn applies(srv: &Server, section: &Section) -> bool {
    match srv.sentinel {
        Some(_) => OF_SENTINEL.contains(&section.title),
        None if section.title == "TLS" => srv.tls.context.is_some(),
        None => section.title != "Sentinel",
    }
}

/// The end that has begun, and waits for the replicas.
fn shutting_down(srv: &Server, o: &mut Lines) {
    if let Some((_, until_ms)) = srv.shutdown.waiting {
        o.add("shutdown_in_milliseconds", (until_ms - srv.clock.now_ms).max(0));
    }
}

/// The child, if it is of this kind.
pub(crate) fn child_of(srv: &Server, kind: Kind) -> Option<&Child> {
    srv.child.as_ref().filter(|child| child.kind == kind)
}

/// What is kept, and when: `rdb,save=3600/1,300/100;aof,fsync=everysec`, or `off`.
fn policy(srv: &Server) -> String {
    let points = srv.cfg.snapshot.save_points.iter();
    let points: Vec<String> = points.map(|p| format!("{}/{}", p.seconds, p.changes)).collect();
    let mut parts = Vec::new();
    if !points.is_empty() {
        parts.push(format!("rdb,save={}", points.join(",")));
    }
    if srv.aof.is_on() {
        parts.push(format!("aof,fsync={}", srv.cfg.aof.fsync.word()));
    }
    if parts.is_empty() { "off".to_owned() } else { parts.join(";") }
}

/// Compat: while the files are loaded, too.
fn aof_sizes(srv: &Server, o: &mut Lines) {
    if srv.cfg.aof.enabled {
        srv.aof.info_sizes(aof_buffer(srv), srv.syncer.pending(), o);
    }
}

/// Bytes that wait to be written to the append-only file.
pub(crate) fn aof_buffer(srv: &Server) -> u64 {
    let reader = srv.aof.current.as_ref().map(|current| current.reader);
    reader.map_or(0, |reader| srv.stream.end() - srv.stream.position(reader))
}

/// The text of the wanted sections (lower case); all usual ones if none is named.
pub(crate) fn text(srv: &mut Server, wanted: &[String]) -> String {
    let named = |word: &str| wanted.iter().any(|w| w == word);
    let all = named("all") || named("everything");
    if wanted.is_empty() || named("default") || all || named("memory") {
        srv.memory.refresh();
    }
    lines(srv, wanted)
}

/// The same, with the figures of memory as they were last asked for.
pub(crate) fn lines(srv: &Server, wanted: &[String]) -> String {
    let named = |word: &str| wanted.iter().any(|w| w == word);
    let all = named("all") || named("everything");
    let usual = wanted.is_empty() || named("default");
    let mut out = Lines::with_capacity(6 * 1024);
    for section in SECTIONS.iter().filter(|section| applies(srv, section)) {
        let name = section.title.to_ascii_lowercase();
        let by_name = named(&name) || name == "modules" && named("module_list");
        let by_kind = match section.shown {
            Usually => usual || all,
            InAll => all,
            Never => false,
        };
        if by_name || by_kind {
            out.section(section.title);
            section.tellers.iter().for_each(|tell| tell(srv, &mut out));
        }
    }
    out.into_text()
}

/// Commands by number.
fn names(srv: &Server) -> impl Iterator<Item = &'static str> {
    srv.table.rows().iter().map(|row| row.name())
}

/// What it was built with and for.
fn build(_: &Server, o: &mut Lines) {
    o.add("multiplexing_api", "epoll");
    o.add("atomicvar_api", "c11-builtin");
}

/// What has expired, and what is past its time but still here.
fn expiry(srv: &Server, o: &mut Lines) {
    let now = srv.clock.now_ms;
    let (keys, backlog) = srv.ks.expiring(now);
    srv.stats.info_expiry(ratio(backlog as u64, srv.ks.timed() as u64).min(1.0), o);
    let soonest = srv.ks.stores().filter_map(Store::next_timed_ms).min();
    srv.expiry.info((keys, backlog), soonest, now, o);
}

fn limit(srv: &Server, o: &mut Lines) {
    o.size("maxmemory", srv.cfg.memory.max_memory);
    let policy = crate::config::table::find(b"maxmemory-policy").map(|n| n.row.value(&srv.cfg));
    o.add("maxmemory_policy", String::from_utf8_lossy(&policy.unwrap_or_default()));
}

fn child(srv: &Server, o: &mut Lines) {
    let progress = srv.child.as_ref().map(|c| c.progress).unwrap_or_default();
    progress.info(srv.clock.now_ms, o);
}

fn loading(srv: &Server, o: &mut Lines) {
    if let Some(loading) = &srv.loading {
        loading.info(srv.clock.now_ms, o);
    }
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
