//! The rows, grouped as the fields are.
//!
//! The order within a line: name, field with its range, then alias, later names and flags. A row
//! that ends in `.inert()` is one that the server does not act on, to nobody's harm; one that ends
//! in `.refused(..)` protects access or data, and must not be set as long as the server can't act
//! on it.

use super::{
    CRASH, DENY_LOADING, Effect, Empty, HIDDEN, IMMUTABLE, Kind, MULTI, PROTECTED, Row, SENSITIVE,
    UNSURE, Unit, VOLATILE, check, special,
};
use crate::config::choice::{
    AclPubsubDefault, AppendFsync, Choice, ConfigSave, DisklessLoad, EndpointType, EvictionPolicy,
    LogFormat, LogLevel, LogTimestamp, OomScoreAdj, PropagationError, ProtectedAction, RdbTarget,
    SanitizeDump, Supervised, SyslogFacility, TlsAuthClients, TlsUserField, Unavailable,
    VersionCheck,
};
use crate::config::{AUDIT_EVENTS, ShutdownFlags};

const I32: i128 = i32::MAX as i128;
const I32_MIN: i128 = i32::MIN as i128;
const U32: i128 = u32::MAX as i128;
const I64: i128 = i64::MAX as i128;
const U64: i128 = u64::MAX as i128;

/// A directive of Redis 8, Valkey or our own, or of some builds of Redis 7.2.
const fn later(name: &'static str, kind: Kind) -> Row {
    Row { flags: UNSURE, ..row(name, kind) }
}

const fn row(name: &'static str, kind: Kind) -> Row {
    Row { name, alias: None, also: &[], kind, flags: 0, effect: Effect::Acts }
}

impl Row {
    const fn alias(mut self, alias: &'static str) -> Row {
        self.alias = Some(alias);
        self
    }

    const fn also(mut self, also: &'static [&'static str]) -> Row {
        self.also = also;
        self
    }

    const fn flags(mut self, flags: u16) -> Row {
        self.flags |= flags;
        self
    }

    const fn inert(mut self) -> Row {
        self.effect = Effect::None;
        self
    }

    const fn refused(mut self, why: &'static str) -> Row {
        self.effect = Effect::Refused(why);
        self
    }
}

macro_rules! flag {
    ($group:ident.$field:ident) => {
        Kind::Bool { get: |c| c.$group.$field, set: |c, v| c.$group.$field = v }
    };
}

macro_rules! number {
    ($group:ident.$field:ident, $min:expr, $max:expr, $unit:expr) => {
        Kind::Int {
            get: |c| c.$group.$field as i128,
            set: |c, v| c.$group.$field = v as _,
            min: $min,
            max: $max,
            unit: $unit,
        }
    };
}

macro_rules! int {
    ($group:ident.$field:ident, $min:expr, $max:expr) => {
        number!($group.$field, $min, $max, Unit::None)
    };
}

macro_rules! memory {
    ($group:ident.$field:ident, $min:expr, $max:expr) => {
        number!($group.$field, $min, $max, Unit::Memory)
    };
}

macro_rules! memory_or_percent {
    ($group:ident.$field:ident, $min:expr, $max:expr) => {
        number!($group.$field, $min, $max, Unit::MemoryOrPercent)
    };
}

macro_rules! octal {
    ($group:ident.$field:ident, $min:expr, $max:expr) => {
        number!($group.$field, $min, $max, Unit::Octal)
    };
}

macro_rules! text {
    ($group:ident.$field:ident, $empty:expr, $check:expr) => {
        Kind::Text {
            get: |c| &c.$group.$field,
            get_mut: |c| &mut c.$group.$field,
            empty: $empty,
            check: $check,
        }
    };
}

macro_rules! choice {
    ($group:ident.$field:ident: $type:ty) => {
        Kind::Choice {
            get: |c| c.$group.$field.number(),
            set: |c, v| c.$group.$field = <$type>::from_number(v),
            names: <$type>::NAMES,
        }
    };
}

/// All groups.
pub(super) static GROUPS: &[&[Row]] = &[
    NET, TLS, CLIENTS, ACL, PROCESS, LOG, KEYSPACE, LIMITS, MEMORY, SNAPSHOT, AOF, REPL, CLUSTER,
    STATS, METRICS, AUDIT, SCRIPT, NEWER,
];

/// Sockets the server listens on.
static NET: &[Row] = &[
    row("bind", Kind::Special(&special::BIND)).flags(MULTI),
    row("port", int!(net.port, 0, 65535)),
    row("unixsocket", text!(net.unix_socket, Empty::Unset, check::any)).flags(IMMUTABLE),
    row("unixsocketperm", octal!(net.unix_socket_perm, 0, 0o777)).flags(IMMUTABLE),
    row("tcp-backlog", int!(net.tcp_backlog, 0, I32)).flags(IMMUTABLE),
    row("tcp-keepalive", int!(net.tcp_keepalive_secs, 0, I32)),
    row("protected-mode", flag!(net.protected_mode)),
    later("admin-port", int!(net.admin_port, 0, 65535)),
    later("admin-bind", Kind::Special(&special::ADMIN_BIND)).flags(MULTI),
    row("bind-source-addr", text!(net.bind_source_addr, Empty::Unset, check::any)),
    row("socket-mark-id", int!(net.socket_mark_id, 0, U32)).flags(IMMUTABLE),
];

/// The endpoint for metrics.
static METRICS: &[Row] = &[
    later("metrics-port", int!(metrics.port, 0, 65535)),
    later("metrics-bind", Kind::Special(&special::METRICS_BIND)).flags(MULTI),
    later("metrics-token", text!(metrics.token, Empty::Unset, check::bearer)).flags(SENSITIVE),
    later("metrics-page-key-names", flag!(metrics.page_key_names)),
];

/// The audit log. A client that may change settings must neither choose a file to write to nor end
/// what tells of it, unless protected settings are open to it.
static AUDIT: &[Row] = &[
    later("audit-log", text!(audit.log, Empty::Unset, check::any)).flags(PROTECTED),
    later(
        "audit-log-events",
        Kind::Flags {
            get: |c| c.audit.events,
            set: |c, v| c.audit.events = v,
            names: AUDIT_EVENTS,
            check: |_| Ok(()),
        },
    )
    .flags(PROTECTED | MULTI),
    later("audit-log-max-per-second", int!(audit.max_per_second, 0, U32)).flags(PROTECTED),
];

/// Encrypted connections.
static TLS: &[Row] = &[
    row("tls-port", int!(tls.port, 0, 65535)),
    row("tls-cluster", flag!(tls.cluster)),
    row("tls-replication", flag!(tls.replication)),
    row("tls-auth-clients", choice!(tls.auth_clients: TlsAuthClients)),
    row("tls-cert-file", text!(tls.cert_file, Empty::Unset, check::any)).flags(VOLATILE),
    row("tls-key-file", text!(tls.key_file, Empty::Unset, check::any)).flags(VOLATILE),
    row("tls-key-file-pass", text!(tls.key_file_pass, Empty::Unset, check::any)).flags(SENSITIVE),
    row("tls-client-cert-file", text!(tls.client_cert_file, Empty::Unset, check::any))
        .flags(VOLATILE),
    row("tls-client-key-file", text!(tls.client_key_file, Empty::Unset, check::any))
        .flags(VOLATILE),
    row("tls-client-key-file-pass", text!(tls.client_key_file_pass, Empty::Unset, check::any))
        .flags(SENSITIVE),
    row("tls-dh-params-file", text!(tls.dh_params_file, Empty::Unset, check::any)).flags(VOLATILE),
    row("tls-ca-cert-file", text!(tls.ca_cert_file, Empty::Unset, check::any)).flags(VOLATILE),
    row("tls-ca-cert-dir", text!(tls.ca_cert_dir, Empty::Unset, check::any)).flags(VOLATILE),
    row("tls-protocols", text!(tls.protocols, Empty::Unset, check::any)),
    row("tls-ciphers", text!(tls.ciphers, Empty::Unset, check::any)),
    row("tls-ciphersuites", text!(tls.ciphersuites, Empty::Unset, check::any)),
    row("tls-prefer-server-ciphers", flag!(tls.prefer_server_ciphers)),
    row("tls-session-caching", flag!(tls.session_caching)),
    row("tls-session-cache-size", int!(tls.session_cache_size, 0, I32)),
    row("tls-session-cache-timeout", int!(tls.session_cache_timeout_secs, 0, I32)),
];

/// What one client may use.
static CLIENTS: &[Row] = &[
    row("maxclients", int!(clients.max_clients, 1, U32)),
    row("timeout", int!(clients.idle_timeout_secs, 0, I32)),
    row("client-query-buffer-limit", memory!(clients.query_buffer_limit, 1 << 20, I64))
        .flags(CRASH),
    row("client-output-buffer-limit", Kind::Special(&special::OUTPUT_LIMITS)).flags(MULTI),
    later("client-backpressure-limit", memory!(clients.backpressure_limit, 0, I64)),
    row("maxmemory-clients", memory_or_percent!(clients.max_memory, -100, I64)),
    row("proto-max-bulk-len", memory!(clients.max_bulk_bytes, 1 << 20, I64)).flags(CRASH),
    row("tracking-table-max-keys", int!(clients.tracking_table_max_keys, 0, I64)),
    later("client-default-resp", int!(clients.default_resp, 2, 3)).flags(IMMUTABLE | HIDDEN),
    later("max-new-connections-per-cycle", int!(clients.max_new_per_cycle, 1, 1000)).inert(),
    later("max-new-tls-connections-per-cycle", int!(clients.max_new_tls_per_cycle, 1, 1000))
        .flags(HIDDEN)
        .inert(),
];

/// Passwords, users and guarded commands.
static ACL: &[Row] = &[
    row("requirepass", text!(acl.require_pass, Empty::Unset, check::any)).flags(SENSITIVE),
    row("aclfile", text!(acl.file, Empty::Kept, check::any)).flags(IMMUTABLE),
    row("acl-pubsub-default", choice!(acl.pubsub_default: AclPubsubDefault)),
    later("auth-delay-max", int!(acl.auth_delay_max_ms, 0, 60_000)),
    row("acllog-max-len", int!(acl.log_max_len, 0, I64)),
    row("enable-protected-configs", choice!(acl.protected_configs: ProtectedAction))
        .flags(IMMUTABLE),
    row("enable-debug-command", choice!(acl.debug_command: ProtectedAction)).flags(IMMUTABLE),
    row("enable-module-command", choice!(acl.module_command: ProtectedAction)).flags(IMMUTABLE),
];

/// The process and how it runs.
static PROCESS: &[Row] = &[
    row("daemonize", flag!(process.daemonize)).flags(IMMUTABLE),
    row("supervised", choice!(process.supervised: Supervised)).flags(IMMUTABLE),
    row("pidfile", text!(process.pid_file, Empty::Unset, check::any)).flags(IMMUTABLE),
    row("dir", Kind::Special(&special::DIR)).flags(PROTECTED | DENY_LOADING),
    row("set-proc-title", flag!(process.set_proc_title)).flags(IMMUTABLE),
    row(
        "proc-title-template",
        text!(process.proc_title_template, Empty::Kept, check::title_template),
    ),
    row("always-show-logo", flag!(process.always_show_logo)).flags(IMMUTABLE),
    row("oom-score-adj", choice!(process.oom_score_adj: OomScoreAdj)),
    row("oom-score-adj-values", Kind::Special(&special::OOM_VALUES)).flags(MULTI),
    row("disable-thp", flag!(process.disable_thp)).flags(IMMUTABLE),
    row("server_cpulist", text!(process.server_cpulist, Empty::Unset, check::any))
        .also(&["server-cpulist"])
        .flags(IMMUTABLE),
    row("bio_cpulist", text!(process.bio_cpulist, Empty::Unset, check::any))
        .also(&["bio-cpulist"])
        .flags(IMMUTABLE),
    row("aof_rewrite_cpulist", text!(process.aof_rewrite_cpulist, Empty::Unset, check::any))
        .also(&["aof-rewrite-cpulist"])
        .flags(IMMUTABLE),
    row("bgsave_cpulist", text!(process.bgsave_cpulist, Empty::Unset, check::any))
        .also(&["bgsave-cpulist"])
        .flags(IMMUTABLE),
    row("io-threads", int!(process.io_threads, 1, 128)).flags(IMMUTABLE | CRASH).inert(),
    row("io-threads-do-reads", flag!(process.io_threads_do_reads)).flags(IMMUTABLE | CRASH).inert(),
    row(
        "hz",
        Kind::Int {
            get: |c| i128::from(c.process.hz),
            set: |c, v| c.process.hz = v.clamp(1, 500) as u32,
            min: 0,
            max: I32,
            unit: Unit::None,
        },
    ),
    row("dynamic-hz", flag!(process.dynamic_hz)).inert(),
    row("shutdown-timeout", int!(process.shutdown_timeout_secs, 0, I32)),
    row(
        "shutdown-on-sigint",
        Kind::Flags {
            get: |c| c.process.shutdown_on_sigint.0,
            set: |c, v| c.process.shutdown_on_sigint = ShutdownFlags(v),
            names: ShutdownFlags::NAMES,
            check: check::shutdown_flags,
        },
    )
    .flags(MULTI),
    row(
        "shutdown-on-sigterm",
        Kind::Flags {
            get: |c| c.process.shutdown_on_sigterm.0,
            set: |c, v| c.process.shutdown_on_sigterm = ShutdownFlags(v),
            names: ShutdownFlags::NAMES,
            check: check::shutdown_flags,
        },
    )
    .flags(MULTI),
    row("crash-log-enabled", flag!(process.crash_log)),
    row("crash-memcheck-enabled", flag!(process.crash_memcheck)).inert(),
    row("use-exit-on-panic", flag!(process.exit_on_panic)).flags(HIDDEN),
    later("unavailable-directives", choice!(process.unavailable: Unavailable))
        .flags(IMMUTABLE | HIDDEN),
    row("watchdog-period", int!(process.watchdog_period_ms, 0, I32)).flags(HIDDEN),
    row("ignore-warnings", text!(process.ignore_warnings, Empty::Kept, check::any)).inert(),
    row("locale-collate", text!(process.locale_collate, Empty::Kept, check::locale)).inert(),
    row("jemalloc-bg-thread", flag!(process.jemalloc_bg_thread)),
];

/// The log.
static LOG: &[Row] = &[
    row("loglevel", choice!(log.level: LogLevel)),
    row("logfile", text!(log.file, Empty::Kept, check::any)).flags(IMMUTABLE),
    row("syslog-enabled", flag!(log.syslog_enabled)).flags(IMMUTABLE),
    row("syslog-ident", text!(log.syslog_ident, Empty::Kept, check::any)).flags(IMMUTABLE),
    row("syslog-facility", choice!(log.syslog_facility: SyslogFacility)).flags(IMMUTABLE),
    later("req-res-logfile", text!(log.req_res_file, Empty::Unset, check::any))
        .flags(IMMUTABLE | HIDDEN)
        .inert(),
    later("hide-user-data-from-log", flag!(log.hide_user_data)).inert(),
    later("log-format", choice!(log.format: LogFormat)),
    later("log-timestamp-format", choice!(log.timestamp_format: LogTimestamp)),
];

/// Databases and their events.
static KEYSPACE: &[Row] = &[
    row("databases", int!(keyspace.databases, 1, I32)).flags(IMMUTABLE),
    row("notify-keyspace-events", Kind::Special(&special::NOTIFY_EVENTS)),
    row("active-expire-effort", int!(keyspace.expire_effort, 1, 10)),
    row("activerehashing", flag!(keyspace.active_rehashing)).inert(),
    row("lazyfree-lazy-eviction", flag!(keyspace.lazy_eviction)).flags(CRASH),
    row("lazyfree-lazy-expire", flag!(keyspace.lazy_expire)).flags(CRASH),
    row("lazyfree-lazy-server-del", flag!(keyspace.lazy_server_del)).flags(CRASH),
    row("lazyfree-lazy-user-del", flag!(keyspace.lazy_user_del)).flags(CRASH),
    row("lazyfree-lazy-user-flush", flag!(keyspace.lazy_user_flush)).flags(CRASH),
];

/// Sizes up to which values keep their compact encodings.
static LIMITS: &[Row] = &[
    row("hash-max-listpack-entries", int!(limits.hash_max_listpack_entries, 0, I64))
        .alias("hash-max-ziplist-entries"),
    row("hash-max-listpack-value", memory!(limits.hash_max_listpack_value, 0, I64))
        .alias("hash-max-ziplist-value"),
    row("list-max-listpack-size", int!(limits.list_max_listpack_size, I32_MIN, I32))
        .alias("list-max-ziplist-size"),
    row("list-compress-depth", int!(limits.list_compress_depth, 0, I32)).flags(CRASH),
    row("set-max-intset-entries", int!(limits.set_max_intset_entries, 0, I64)),
    row("set-max-listpack-entries", int!(limits.set_max_listpack_entries, 0, I64)),
    row("set-max-listpack-value", int!(limits.set_max_listpack_value, 0, I64)),
    row("zset-max-listpack-entries", int!(limits.zset_max_listpack_entries, 0, I64))
        .alias("zset-max-ziplist-entries"),
    row("zset-max-listpack-value", memory!(limits.zset_max_listpack_value, 0, I64))
        .alias("zset-max-ziplist-value"),
    row("hll-sparse-max-bytes", memory!(limits.hll_sparse_max_bytes, 0, I64)),
    row("stream-node-max-bytes", memory!(limits.stream_node_max_bytes, 0, I64)),
    row("stream-node-max-entries", int!(limits.stream_node_max_entries, 0, I64)),
    later("stream-idmp-duration", int!(limits.stream_idmp_duration, 1, 86_400)),
    later("stream-idmp-maxsize", int!(limits.stream_idmp_maxsize, 1, 10_000)),
];

/// The memory limit, eviction and defragmentation.
static MEMORY: &[Row] = &[
    row("maxmemory", memory!(memory.max_memory, 0, U64)),
    row("maxmemory-policy", choice!(memory.policy: EvictionPolicy)),
    row("maxmemory-samples", int!(memory.samples, 1, I32)),
    row("maxmemory-eviction-tenacity", int!(memory.eviction_tenacity, 0, 100)),
    row("lfu-log-factor", int!(memory.lfu_log_factor, 0, I32)),
    row("lfu-decay-time", int!(memory.lfu_decay_time_mins, 0, I32)),
    row("activedefrag", flag!(memory.active_defrag)).flags(CRASH).inert(),
    row("active-defrag-ignore-bytes", memory!(memory.defrag_ignore_bytes, 1, I64)).inert(),
    row("active-defrag-threshold-lower", int!(memory.defrag_threshold_lower, 0, 1000)).inert(),
    row("active-defrag-threshold-upper", int!(memory.defrag_threshold_upper, 0, 1000)).inert(),
    row("active-defrag-cycle-min", int!(memory.defrag_cycle_min, 1, 99)).inert(),
    row("active-defrag-cycle-max", int!(memory.defrag_cycle_max, 1, 99)).inert(),
    row("active-defrag-max-scan-fields", int!(memory.defrag_max_scan_fields, 1, I64)).inert(),
    later("key-survey", flag!(memory.survey)),
    later("key-survey-separator", text!(memory.survey_separator, Empty::Kept, check::any)),
    later("key-survey-prefixes", Kind::Special(&special::SURVEY_PREFIXES)).flags(MULTI),
];

/// RDB files.
static SNAPSHOT: &[Row] = &[
    row("save", Kind::Special(&special::SAVE)).flags(MULTI),
    row("dbfilename", text!(snapshot.file_name, Empty::Kept, check::db_filename)).flags(PROTECTED),
    row("rdbcompression", flag!(snapshot.compression)),
    row("rdbchecksum", flag!(snapshot.checksum)).flags(IMMUTABLE),
    row("rdb-del-sync-files", flag!(snapshot.del_sync_files)).inert(),
    row("rdb-save-incremental-fsync", flag!(snapshot.incremental_fsync)),
    row("stop-writes-on-bgsave-error", flag!(snapshot.stop_writes_on_error)),
    row("sanitize-dump-payload", choice!(snapshot.sanitize_payload: SanitizeDump))
        .flags(CRASH)
        .inert(),
    row("rdb-key-save-delay", int!(snapshot.key_save_delay_us, I32_MIN, I32)).flags(HIDDEN),
    row("key-load-delay", int!(snapshot.key_load_delay_us, I32_MIN, I32)).flags(HIDDEN),
    row(
        "loading-process-events-interval-bytes",
        int!(snapshot.loading_events_interval_bytes, 1024, I32),
    )
    .flags(HIDDEN),
    later("rdb-target-version", choice!(snapshot.target_version: RdbTarget)),
    later("rdb-version-check", choice!(snapshot.version_check: VersionCheck)).flags(HIDDEN),
];

/// The append-only file.
static AOF: &[Row] = &[
    row("appendonly", flag!(aof.enabled)).flags(DENY_LOADING),
    row("appendfilename", text!(aof.file_name, Empty::Kept, check::aof_filename)).flags(IMMUTABLE),
    row("appenddirname", text!(aof.dir_name, Empty::Kept, check::aof_dirname)).flags(IMMUTABLE),
    row("appendfsync", choice!(aof.fsync: AppendFsync)),
    row("no-appendfsync-on-rewrite", flag!(aof.no_fsync_on_rewrite)),
    row("auto-aof-rewrite-percentage", int!(aof.rewrite_percentage, 0, I32)),
    row("auto-aof-rewrite-min-size", memory!(aof.rewrite_min_size, 0, I64)),
    row("aof-load-truncated", flag!(aof.load_truncated)),
    row("aof-use-rdb-preamble", flag!(aof.use_rdb_preamble)),
    row("aof-timestamp-enabled", flag!(aof.timestamps)),
    row("aof-rewrite-incremental-fsync", flag!(aof.rewrite_incremental_fsync)),
    row("aof-disable-auto-gc", flag!(aof.disable_auto_gc)).flags(HIDDEN),
];

/// Replication.
static REPL: &[Row] = &[
    row("replicaof", Kind::Special(&special::REPLICAOF)).alias("slaveof").flags(IMMUTABLE | MULTI),
    row("masterauth", text!(repl.primary_auth, Empty::Unset, check::any))
        .also(&["primaryauth"])
        .flags(SENSITIVE),
    row("masteruser", text!(repl.primary_user, Empty::Unset, check::any))
        .also(&["primaryuser"])
        .flags(SENSITIVE),
    row("replica-serve-stale-data", flag!(repl.serve_stale_data)).alias("slave-serve-stale-data"),
    row("replica-read-only", flag!(repl.read_only)).alias("slave-read-only").flags(CRASH),
    row("replica-lazy-flush", flag!(repl.lazy_flush)).alias("slave-lazy-flush"),
    row("replica-ignore-maxmemory", flag!(repl.ignore_maxmemory)).alias("slave-ignore-maxmemory"),
    row("replica-priority", int!(repl.priority, 0, I32)).alias("slave-priority"),
    row("replica-announced", flag!(repl.announced)),
    row("replica-announce-ip", text!(repl.announce_ip, Empty::Unset, check::any))
        .alias("slave-announce-ip"),
    row("replica-announce-port", int!(repl.announce_port, 0, 65535)).alias("slave-announce-port"),
    row("replica-ignore-disk-write-errors", flag!(repl.ignore_disk_write_errors)),
    row("repl-diskless-sync", flag!(repl.diskless_sync)).flags(CRASH),
    row("repl-diskless-sync-delay", int!(repl.diskless_sync_delay_secs, 0, I32)),
    row("repl-diskless-sync-max-replicas", int!(repl.diskless_sync_max_replicas, 0, I32)),
    row("repl-diskless-load", choice!(repl.diskless_load: DisklessLoad))
        .flags(DENY_LOADING | CRASH),
    row("repl-disable-tcp-nodelay", flag!(repl.disable_tcp_nodelay)),
    row("repl-ping-replica-period", int!(repl.ping_period_secs, 1, I32))
        .alias("repl-ping-slave-period"),
    row("repl-timeout", int!(repl.timeout_secs, 1, I32)),
    row("repl-backlog-size", memory!(repl.backlog_size, 1, I64)),
    later("repl-spill-limit", memory!(repl.spill_limit, 0, I64)),
    row("repl-backlog-ttl", int!(repl.backlog_ttl_secs, 0, I64)),
    row("min-replicas-to-write", int!(repl.min_replicas_to_write, 0, I32))
        .alias("min-slaves-to-write"),
    row("min-replicas-max-lag", int!(repl.min_replicas_max_lag_secs, 0, I32))
        .alias("min-slaves-max-lag"),
    row("propagation-error-behavior", choice!(repl.propagation_error: PropagationError)),
];

/// Cluster mode.
static CLUSTER: &[Row] = &[
    row("cluster-enabled", flag!(cluster.enabled))
        .flags(IMMUTABLE)
        .refused("cluster mode is not available yet"),
    row("cluster-config-file", text!(cluster.config_file, Empty::Kept, check::any))
        .flags(IMMUTABLE)
        .inert(),
    row("cluster-port", int!(cluster.port, 0, 65535)).flags(IMMUTABLE).inert(),
    row("cluster-node-timeout", int!(cluster.node_timeout_ms, 0, I64)).inert(),
    row("cluster-ping-interval", int!(cluster.ping_interval_ms, 0, I64)).flags(HIDDEN).inert(),
    row("cluster-announce-ip", text!(cluster.announce_ip, Empty::Unset, check::any)).inert(),
    row(
        "cluster-announce-hostname",
        text!(cluster.announce_hostname, Empty::Unset, check::hostname),
    )
    .inert(),
    row(
        "cluster-announce-human-nodename",
        text!(cluster.announce_human_nodename, Empty::Unset, check::nodename),
    )
    .inert(),
    row("cluster-announce-port", int!(cluster.announce_port, 0, 65535)).inert(),
    row("cluster-announce-tls-port", int!(cluster.announce_tls_port, 0, 65535)).inert(),
    row("cluster-announce-bus-port", int!(cluster.announce_bus_port, 0, 65535)).inert(),
    row("cluster-preferred-endpoint-type", choice!(cluster.preferred_endpoint: EndpointType))
        .inert(),
    row("cluster-replica-no-failover", flag!(cluster.replica_no_failover))
        .alias("cluster-slave-no-failover")
        .inert(),
    row("cluster-replica-validity-factor", int!(cluster.replica_validity_factor, 0, I32))
        .alias("cluster-slave-validity-factor")
        .inert(),
    row("cluster-migration-barrier", int!(cluster.migration_barrier, 0, I32)).inert(),
    row("cluster-allow-replica-migration", flag!(cluster.allow_replica_migration)).inert(),
    row("cluster-require-full-coverage", flag!(cluster.require_full_coverage)).inert(),
    row("cluster-allow-reads-when-down", flag!(cluster.allow_reads_when_down)).inert(),
    row("cluster-allow-pubsubshard-when-down", flag!(cluster.allow_pubsubshard_when_down)).inert(),
    row("cluster-link-sendbuf-limit", memory!(cluster.link_sendbuf_limit, 0, U64)).inert(),
];

/// What the server measures about commands.
static STATS: &[Row] = &[
    row("slowlog-log-slower-than", int!(stats.slowlog_slower_than_us, -1, I64))
        .also(&["commandlog-execution-slower-than"]),
    row("slowlog-max-len", int!(stats.slowlog_max_len, 0, I64))
        .also(&["commandlog-slow-execution-max-len"]),
    later("commandlog-request-larger-than", int!(stats.commandlog_request_larger_than, -1, I64)),
    later("commandlog-large-request-max-len", int!(stats.commandlog_large_request_max_len, 0, I64)),
    later("commandlog-reply-larger-than", int!(stats.commandlog_reply_larger_than, -1, I64)),
    later("commandlog-large-reply-max-len", int!(stats.commandlog_large_reply_max_len, 0, I64)),
    row("latency-monitor-threshold", int!(stats.latency_threshold_ms, 0, I64)),
    row("latency-tracking", flag!(stats.latency_tracking)),
    later("latency-tracking-requests", flag!(stats.latency_tracking_requests)),
    row("latency-tracking-info-percentiles", Kind::Special(&special::PERCENTILES)).flags(MULTI),
];

/// Scripts and functions.
static SCRIPT: &[Row] = &[
    row("busy-reply-threshold", int!(script.busy_reply_threshold_ms, 0, I64))
        .alias("lua-time-limit"),
    later("redust-script-memory-limit", memory!(script.memory_limit, 0, I64)),
    later("lua-enable-deprecated-api", flag!(script.deprecated_api))
        .also(&["lua-enable-insecure-api"])
        .flags(IMMUTABLE | HIDDEN)
        .inert(),
];

/// Directives of Redis 8 and Valkey that a moved configuration may hold.
static NEWER: &[Row] = &[
    later("repl-rdb-channel", flag!(later.repl_rdb_channel)).flags(HIDDEN).inert(),
    later(
        "cluster-compatibility-sample-ratio",
        int!(later.cluster_compatibility_sample_ratio, 0, 100),
    )
    .flags(HIDDEN)
    .inert(),
    later("replica-full-sync-buffer-limit", memory!(later.replica_full_sync_buffer_limit, 0, I64))
        .flags(HIDDEN)
        .inert(),
    later("enable-debug-assert", flag!(later.debug_assert)).flags(IMMUTABLE | HIDDEN).inert(),
    later("extended-redis-compatibility", flag!(later.extended_redis_compatibility))
        .flags(HIDDEN)
        .inert(),
    later("dual-channel-replication-enabled", flag!(later.dual_channel_replication))
        .flags(HIDDEN)
        .inert(),
    later("import-mode", flag!(later.import_mode))
        .flags(HIDDEN)
        .refused("import mode is not available: keys would expire and be evicted"),
    later("io-threads-always-active", flag!(later.io_threads_always_active)).flags(HIDDEN).inert(),
    later("unixsocketgroup", text!(later.unix_socket_group, Empty::Unset, check::any))
        .flags(IMMUTABLE | HIDDEN)
        .refused(
            "the group of the unix socket can't be set yet: others could or could not connect",
        ),
    later(
        "cluster-announce-client-ipv4",
        text!(later.cluster_announce_client_ipv4, Empty::Unset, check::any),
    )
    .flags(HIDDEN)
    .inert(),
    later(
        "cluster-announce-client-ipv6",
        text!(later.cluster_announce_client_ipv6, Empty::Unset, check::any),
    )
    .flags(HIDDEN)
    .inert(),
    later("cluster-announce-client-port", int!(later.cluster_announce_client_port, 0, 65535))
        .flags(HIDDEN)
        .inert(),
    later(
        "cluster-announce-client-tls-port",
        int!(later.cluster_announce_client_tls_port, 0, 65535),
    )
    .flags(HIDDEN)
    .inert(),
    later("cluster-slot-stats-enabled", flag!(later.cluster_slot_stats)).flags(HIDDEN).inert(),
    later("cluster-config-save-behavior", choice!(later.cluster_config_save: ConfigSave))
        .flags(HIDDEN)
        .inert(),
    later("cluster-databases", int!(later.cluster_databases, 1, I32))
        .flags(IMMUTABLE | HIDDEN)
        .inert(),
    later("cluster-message-gossip-perc", int!(later.cluster_message_gossip_perc, 1, 100))
        .flags(HIDDEN)
        .inert(),
    later("cluster-blacklist-ttl", int!(later.cluster_blacklist_ttl_secs, 0, U64))
        .flags(HIDDEN)
        .inert(),
    later(
        "cluster-slot-migration-log-max-len",
        int!(later.cluster_slot_migration_log_max_len, 0, I64),
    )
    .flags(HIDDEN)
    .inert(),
    later(
        "cluster-manual-failover-timeout",
        int!(later.cluster_manual_failover_timeout_ms, 1, I32),
    )
    .flags(HIDDEN)
    .inert(),
    later("debug-context", text!(later.debug_context, Empty::Kept, check::any))
        .flags(HIDDEN)
        .inert(),
    later("availability-zone", text!(later.availability_zone, Empty::Kept, check::any))
        .flags(HIDDEN)
        .inert(),
    later("hash-seed", text!(later.hash_seed, Empty::Unset, check::any))
        .flags(IMMUTABLE | HIDDEN)
        .inert(),
    later("min-io-threads-avoid-copy-reply", int!(later.min_io_threads_avoid_copy, 0, I32))
        .flags(HIDDEN)
        .inert(),
    later("min-string-size-avoid-copy-reply", int!(later.min_string_avoid_copy, 0, I32))
        .flags(HIDDEN)
        .inert(),
    later(
        "min-string-size-avoid-copy-reply-threaded",
        int!(later.min_string_avoid_copy_threaded, 0, I32),
    )
    .flags(HIDDEN)
    .inert(),
    later("prefetch-batch-max-size", int!(later.prefetch_batch_max, 0, 128)).flags(HIDDEN).inert(),
    later("active-defrag-cycle-us", int!(later.active_defrag_cycle_us, 0, 100000))
        .flags(HIDDEN)
        .inert(),
    later("mptcp", flag!(later.mptcp)).flags(IMMUTABLE | HIDDEN).inert(),
    later("repl-mptcp", flag!(later.repl_mptcp)).flags(IMMUTABLE | HIDDEN).inert(),
    later("tls-auto-reload-interval", int!(later.tls_auto_reload_interval_secs, 0, I32)),
    later("tls-auth-clients-user", choice!(later.tls_auth_clients_user: TlsUserField)),
];
