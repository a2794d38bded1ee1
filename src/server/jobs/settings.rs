//! Settings that act outside the configuration: hot-path copies, log level, title, OOM score.

use crate::config::choice::{AclPubsubDefault, LogFormat, LogLevel, LogTimestamp, OomScoreAdj};
use crate::config::{self, Config};
use crate::keyspace::lazyfree::Lazyfree;
use crate::log;
use crate::server::engine::{account, audit, client_memory};
use crate::server::parts::Server;
use crate::server::parts::child::Kind;
use crate::sys::{log as logfile, process};

/// Level and form of log lines.
pub(crate) fn set_log(cfg: &Config) {
    logfile::set_level(match cfg.log.level {
        LogLevel::Debug => logfile::Level::Debug,
        LogLevel::Verbose => logfile::Level::Verbose,
        LogLevel::Notice => logfile::Level::Notice,
        LogLevel::Warning => logfile::Level::Warning,
        LogLevel::Nothing => logfile::Level::Nothing,
    });
    let form = match cfg.log.format {
        LogFormat::Legacy => logfile::Form::Legacy,
        LogFormat::Logfmt => logfile::Form::Logfmt,
        LogFormat::Json => logfile::Form::Json,
    };
    let stamp = match cfg.log.timestamp_format {
        LogTimestamp::Legacy => logfile::Stamp::Legacy,
        LogTimestamp::Iso8601 => logfile::Stamp::Iso8601,
        LogTimestamp::Milliseconds => logfile::Stamp::Milliseconds,
    };
    logfile::set_form(form, stamp);
}

/// Copies settings to where the hot path reads them. Called after every change.
pub(crate) fn adopt(srv: &mut Server) {
    srv.acl.all_channels = srv.cfg.acl.pubsub_default == AclPubsubDefault::Allchannels;
    account::adopt(srv);
    let cfg = &srv.cfg;
    let l = &mut srv.limits;
    l.max_bulk = cfg.clients.max_bulk_bytes as usize;
    l.private_ints =
        cfg.memory.max_memory > 0 && (cfg.memory.policy.is_lru() || cfg.memory.policy.is_lfu());
    l.seed = srv.ks.seed();
    l.hash_listpack_entries = cfg.limits.hash_max_listpack_entries;
    l.hash_listpack_value = cfg.limits.hash_max_listpack_value;
    l.list_listpack_size = cfg.limits.list_max_listpack_size;
    l.list_compress_depth = cfg.limits.list_compress_depth;
    l.set_intset_entries = cfg.limits.set_max_intset_entries;
    l.set_listpack_entries = cfg.limits.set_max_listpack_entries;
    l.set_listpack_value = cfg.limits.set_max_listpack_value;
    l.zset_listpack_entries = cfg.limits.zset_max_listpack_entries;
    l.zset_listpack_value = cfg.limits.zset_max_listpack_value;
    l.hll_sparse_bytes = cfg.limits.hll_sparse_max_bytes;
    l.stream.bytes = cfg.limits.stream_node_max_bytes;
    l.stream.entries = cfg.limits.stream_node_max_entries;
    l.idmp_seconds = cfg.limits.stream_idmp_duration;
    l.idmp_messages = cfg.limits.stream_idmp_maxsize;
    srv.lazyfree = Lazyfree {
        user_del: cfg.keyspace.lazy_user_del,
        server_del: cfg.keyspace.lazy_server_del,
        expire: cfg.keyspace.lazy_expire,
        eviction: cfg.keyspace.lazy_eviction,
    };
    srv.tracking.set_limit(cfg.clients.tracking_table_max_keys);
    srv.rdb.refresh(&srv.cfg);
    srv.repl.refresh(&srv.cfg, srv.clock.now_ms);
    srv.metrics.keep(srv.cfg.stats.latency_tracking_requests);
    srv.survey.switch(srv.cfg.memory.survey);
    client_memory::adopt_settings(srv);
    audit::adopt(srv);
    srv.rearm();
}

/// Says once about each setting that has no effect here that it has none.
pub(crate) fn tell_inert(srv: &mut Server) {
    for row in config::table::inert(&srv.cfg) {
        if !srv.identity.told.contains(&row.name) {
            srv.identity.told.push(row.name);
            log!(
                Warning,
                "The setting '{}' is accepted but has no effect in this version",
                row.name
            );
        }
    }
}

/// Applies `oom-score-adj` for a class of process: 0 primary, 1 replica, 2 child.
pub(crate) fn set_oom_score(srv: &Server, class: usize) -> std::io::Result<()> {
    let p = &srv.cfg.process;
    let base = srv.identity.oom_base.unwrap_or(0);
    let value = match p.oom_score_adj {
        OomScoreAdj::No => return Ok(()),
        OomScoreAdj::Relative => base + p.oom_score_adj_values[class],
        OomScoreAdj::Absolute => p.oom_score_adj_values[class],
    };
    process::set_oom_score_adj(value.clamp(-1000, 1000))
}

/// In a fresh child: its own title, OOM class and processors.
pub(crate) fn adopt_child_settings(srv: &mut Server, kind: Kind) {
    set_title(srv, kind.title());
    // The child works without either; its parent has said so already if they can't be set.
    let _ = set_oom_score(srv, 2);
    let process = &srv.cfg.process;
    let cpus = match kind {
        Kind::Rdb => &process.bgsave_cpulist,
        Kind::Aof => &process.aof_rewrite_cpulist,
    };
    let cpus = String::from_utf8_lossy(cpus).into_owned();
    if !cpus.is_empty() {
        let _ = process::set_cpu_list(&cpus);
    }
}

/// Shows the process's title by `proc-title-template`; `child` names what a child does.
pub(crate) fn set_title(srv: &mut Server, child: &str) {
    if !srv.cfg.process.set_proc_title {
        return;
    }
    let text = title(srv, child);
    if let Some(t) = &mut srv.identity.title {
        t.set(&text);
    }
}

fn title(srv: &Server, child: &str) -> String {
    let c = &srv.cfg;
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    let first = c.net.bind.first().map_or("*".to_string(), |b| text(b));
    let addr = if c.first_port() != 0 {
        format!("{first}:{}", c.first_port())
    } else {
        format!("unixsocket:{}", text(&c.net.unix_socket))
    };
    let file = srv.identity.config_file.as_ref();
    let mode = if srv.sentinel.is_some() { "[sentinel]" } else { "" };
    let values = [
        ("{title}", if child.is_empty() { &srv.identity.program } else { child }.to_string()),
        ("{listen-addr}", addr),
        ("{server-mode}", mode.to_owned()),
        ("{port}", c.net.port.to_string()),
        ("{tls-port}", c.tls.port.to_string()),
        ("{unixsocket}", text(&c.net.unix_socket)),
        ("{config-file}", file.map_or("-".to_string(), |f| f.to_string_lossy().into_owned())),
    ];
    let template = text(&c.process.proc_title_template);
    let out = values.iter().fold(template, |t, (name, value)| t.replace(name, value));
    out.trim_end().to_string()
}
