//! The fields of the configuration with their defaults, one struct per subsystem.
//!
//! The defaults are those of Redis 7.2. `table` says which directive a field belongs to, and its
//! range. Units are in the names.

use super::choice::{
    AclPubsubDefault, AppendFsync, ConfigSave, DisklessLoad, EndpointType, EvictionPolicy,
    LogFormat, LogLevel, LogTimestamp, OomScoreAdj, PropagationError, ProtectedAction, RdbTarget,
    SanitizeDump, Supervised, SyslogFacility, TlsAuthClients, TlsUserField, Unavailable,
    VersionCheck,
};
use super::{OutputLimit, PrimaryAddr, SavePoint, ShutdownFlags};

/// A struct whose fields carry their defaults.
macro_rules! group {
    ($(#[$doc:meta])* $name:ident {
        $($(#[$field_doc:meta])* $field:ident: $type:ty = $default:expr,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> $name {
                $name { $($field: $default,)* }
            }
        }
    };
}

/// Every setting of the server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// Sockets the server listens on.
    pub net: Net,
    /// Encrypted connections.
    pub tls: Tls,
    /// What one client may use.
    pub clients: Clients,
    /// Passwords, users and guarded commands.
    pub acl: Acl,
    /// The process and how it runs.
    pub process: Process,
    /// The log.
    pub log: Log,
    /// Databases and their events.
    pub keyspace: Keyspace,
    /// Sizes up to which values keep their compact encodings.
    pub limits: Limits,
    /// The memory limit, eviction and defragmentation.
    pub memory: Memory,
    /// RDB files.
    pub snapshot: Snapshot,
    /// The append-only file.
    pub aof: Aof,
    /// Replication.
    pub repl: Repl,
    /// Cluster mode.
    pub cluster: Cluster,
    /// What the server measures about commands.
    pub stats: Stats,
    /// The endpoint for metrics.
    pub metrics: Metrics,
    /// The audit log.
    pub audit: Audit,
    /// Scripts and functions.
    pub script: Script,
    /// Directives of Redis 8 and Valkey that a moved configuration may hold.
    pub later: Later,
}

group! {
    /// Sockets the server listens on.
    Net {
        /// Addresses to listen on; a leading `-` makes one optional. Empty: none.
        bind: Vec<Vec<u8>> = vec![b"*".to_vec(), b"-::*".to_vec()],
        /// TCP port; 0 listens on none.
        port: u16 = 6379,
        /// Path of the unix socket; empty: none.
        unix_socket: Vec<u8> = Vec::new(),
        /// Mode of the unix socket; 0 leaves it to the umask.
        unix_socket_perm: u32 = 0,
        /// TCP port for administrators, who are let in beyond `maxclients`; 0: there is none. Our
        /// own.
        admin_port: u16 = 0,
        /// Addresses to listen on for them, as for clients.
        admin_bind: Vec<Vec<u8>> = vec![b"127.0.0.1".to_vec(), b"-::1".to_vec()],
        /// Length of the queue of connections not yet accepted.
        tcp_backlog: u32 = 511,
        /// Seconds between TCP keepalive probes; 0: none.
        tcp_keepalive_secs: u32 = 300,
        /// Refuse outside connections while no password is set.
        protected_mode: bool = true,
        /// Local address of outgoing connections; empty: the system chooses.
        bind_source_addr: Vec<u8> = Vec::new(),
        /// Firewall mark put on sockets; 0: none.
        socket_mark_id: u32 = 0,
    }
}

group! {
    /// The endpoint for metrics.
    Metrics {
        /// TCP port; 0: there is none.
        port: u16 = 0,
        /// Addresses to listen on, as for clients.
        bind: Vec<Vec<u8>> = vec![b"127.0.0.1".to_vec(), b"-::1".to_vec()],
        /// What a scraper has to show; empty: nothing.
        token: Vec<u8> = Vec::new(),
        /// The page may show names of keys.
        page_key_names: bool = false,
    }
}

group! {
    /// The audit log. Our own.
    Audit {
        /// File, or `syslog`; empty: there is none.
        log: Vec<u8> = Vec::new(),
        /// What is noted: bits of [`AUDIT_EVENTS`](super::AUDIT_EVENTS).
        events: u32 = super::AUDIT_DEFAULT,
        /// Lines a second; more are dropped. 0: no limit.
        max_per_second: u32 = 1000,
    }
}

group! {
    /// Encrypted connections.
    Tls {
        /// TCP port for TLS; 0 listens on none.
        port: u16 = 0,
        /// Use TLS on the cluster bus.
        cluster: bool = false,
        /// Use TLS towards the primary.
        replication: bool = false,
        /// Whether clients must show a certificate.
        auth_clients: TlsAuthClients = TlsAuthClients::Yes,
        /// Server certificate.
        cert_file: Vec<u8> = Vec::new(),
        /// Key of the server certificate.
        key_file: Vec<u8> = Vec::new(),
        /// Passphrase of the server key.
        key_file_pass: Vec<u8> = Vec::new(),
        /// Certificate for outgoing connections; empty: the server's.
        client_cert_file: Vec<u8> = Vec::new(),
        /// Key for outgoing connections.
        client_key_file: Vec<u8> = Vec::new(),
        /// Passphrase of that key.
        client_key_file_pass: Vec<u8> = Vec::new(),
        /// Diffie-Hellman parameters.
        dh_params_file: Vec<u8> = Vec::new(),
        /// Certificates that peers are checked against.
        ca_cert_file: Vec<u8> = Vec::new(),
        /// Directory of such certificates.
        ca_cert_dir: Vec<u8> = Vec::new(),
        /// Accepted protocol versions; empty: the library's choice.
        protocols: Vec<u8> = Vec::new(),
        /// Ciphers up to TLS 1.2; empty: the library's choice.
        ciphers: Vec<u8> = Vec::new(),
        /// Cipher suites of TLS 1.3; empty: the library's choice.
        ciphersuites: Vec<u8> = Vec::new(),
        /// Prefer the server's order of ciphers to the client's.
        prefer_server_ciphers: bool = false,
        /// Let clients resume sessions.
        session_caching: bool = true,
        /// Sessions kept; 0: no limit.
        session_cache_size: u32 = 20_480,
        /// Seconds a session can be resumed.
        session_cache_timeout_secs: u32 = 300,
    }
}

group! {
    /// What one client may use.
    Clients {
        /// Connections at the same time.
        max_clients: u32 = 10_000,
        /// Seconds after which an idle client is closed; 0: never.
        idle_timeout_secs: u32 = 0,
        /// Bytes of input a client may have pending.
        query_buffer_limit: usize = 1 << 30,
        /// Output a client may have pending, by class: normal, replica, pubsub.
        output_buffer_limits: [OutputLimit; 3] = OutputLimit::DEFAULTS,
        /// Bytes of output above which a client of a class without a limit is neither read nor
        /// served until it has read half; 0: never. Our own.
        backpressure_limit: usize = 0,
        /// Memory of all clients together: bytes, 0 for no limit, or minus a percentage of
        /// `maxmemory`.
        max_memory: i64 = 0,
        /// Longest string in the protocol and in a value.
        max_bulk_bytes: u64 = 512 << 20,
        /// Keys remembered for client-side caching.
        tracking_table_max_keys: usize = 1_000_000,
        /// Protocol version of a new connection.
        default_resp: u32 = 2,
        /// Connections accepted in one turn of the reactor.
        max_new_per_cycle: u32 = 10,
        /// TLS connections accepted in one turn.
        max_new_tls_per_cycle: u32 = 1,
    }
}

group! {
    /// Passwords, users and guarded commands.
    Acl {
        /// Password of the default user; empty: none.
        require_pass: Vec<u8> = Vec::new(),
        /// File that holds the users; empty: the configuration file does.
        file: Vec<u8> = Vec::new(),
        /// Channels a new user may use.
        pubsub_default: AclPubsubDefault = AclPubsubDefault::Resetchannels,
        /// The most milliseconds that a login has to wait when wrong passwords came from its
        /// address; 0: none has to. Our own.
        auth_delay_max_ms: u32 = 0,
        /// Entries kept by ACL LOG.
        log_max_len: u64 = 128,
        /// Who may set `dir` and the like at run time.
        protected_configs: ProtectedAction = ProtectedAction::No,
        /// Who may call DEBUG.
        debug_command: ProtectedAction = ProtectedAction::No,
        /// Who may call MODULE.
        module_command: ProtectedAction = ProtectedAction::No,
    }
}

group! {
    /// The process and how it runs.
    Process {
        /// Run in the background.
        daemonize: bool = false,
        /// Supervisor to report to.
        supervised: Supervised = Supervised::No,
        /// File for the process id; empty: none, or the default one when daemonized.
        pid_file: Vec<u8> = Vec::new(),
        /// Working directory. Empty until a directive names one: the directory of the start.
        dir: Vec<u8> = Vec::new(),
        /// Change the process title.
        set_proc_title: bool = true,
        /// Template of the process title.
        proc_title_template: Vec<u8> = b"{title} {listen-addr} {server-mode}".to_vec(),
        /// Show the start-up logo even when the log is not a terminal.
        always_show_logo: bool = false,
        /// Whether and how the kernel's out-of-memory score is adjusted.
        oom_score_adj: OomScoreAdj = OomScoreAdj::No,
        /// Adjustments for a primary, a replica and a forked child.
        oom_score_adj_values: [i32; 3] = [0, 200, 800],
        /// Switch transparent huge pages off for the process.
        disable_thp: bool = true,
        /// CPUs of the main thread; empty: any.
        server_cpulist: Vec<u8> = Vec::new(),
        /// CPUs of the background threads.
        bio_cpulist: Vec<u8> = Vec::new(),
        /// CPUs of AOF rewrite children.
        aof_rewrite_cpulist: Vec<u8> = Vec::new(),
        /// CPUs of snapshot children.
        bgsave_cpulist: Vec<u8> = Vec::new(),
        /// Threads for socket input and output.
        io_threads: u32 = 1,
        /// Whether these threads also read.
        io_threads_do_reads: bool = false,
        /// Runs of the periodic tasks per second, 1 to 500.
        hz: u32 = 10,
        /// Raise `hz` with the number of clients.
        dynamic_hz: bool = true,
        /// Seconds a shutdown waits for replicas.
        shutdown_timeout_secs: u32 = 10,
        /// How SIGINT shuts down.
        shutdown_on_sigint: ShutdownFlags = ShutdownFlags(0),
        /// How SIGTERM shuts down.
        shutdown_on_sigterm: ShutdownFlags = ShutdownFlags(0),
        /// Write a report when crashing.
        crash_log: bool = true,
        /// Test memory when crashing.
        crash_memcheck: bool = true,
        /// Exit instead of aborting on a panic.
        exit_on_panic: bool = false,
        unavailable: Unavailable = Unavailable::Stop,
        /// Milliseconds after which a stuck main thread is reported; 0: never. Two ticks of `hz` at
        /// least.
        watchdog_period_ms: u32 = 0,
        /// Start-up warnings to suppress.
        ignore_warnings: Vec<u8> = Vec::new(),
        /// Locale for comparing strings; empty: from the environment.
        locale_collate: Vec<u8> = Vec::new(),
        /// Let the allocator purge in a thread of its own.
        jemalloc_bg_thread: bool = true,
    }
}

group! {
    /// The log.
    Log {
        /// The least important messages that are logged.
        level: LogLevel = LogLevel::Notice,
        /// File to log to; empty: standard output.
        file: Vec<u8> = Vec::new(),
        /// Log to syslog too.
        syslog_enabled: bool = false,
        /// Name used in syslog.
        syslog_ident: Vec<u8> = b"redis".to_vec(),
        /// Facility used in syslog.
        syslog_facility: SyslogFacility = SyslogFacility::Local0,
        /// File that every request and reply is copied to; empty: none.
        req_res_file: Vec<u8> = Vec::new(),
        /// Keep keys and values out of log and crash reports.
        hide_user_data: bool = false,
        /// The form of a line.
        format: LogFormat = LogFormat::Legacy,
        /// The form of the time in it.
        timestamp_format: LogTimestamp = LogTimestamp::Legacy,
    }
}

group! {
    /// Databases and their events.
    Keyspace {
        /// Number of databases.
        databases: u32 = 16,
        /// Classes of keyspace events to publish; 0: none. See
        /// [`EVENT_CLASSES`](super::EVENT_CLASSES).
        notify_events: u32 = 0,
        /// How hard expired keys are looked for, 1 to 10.
        expire_effort: u32 = 1,
        /// Spend idle time on growing tables.
        active_rehashing: bool = true,
        /// Free evicted values in the background.
        lazy_eviction: bool = false,
        /// Free expired values in the background.
        lazy_expire: bool = false,
        /// Free overwritten values in the background.
        lazy_server_del: bool = false,
        /// Make DEL behave as UNLINK.
        lazy_user_del: bool = false,
        /// Make FLUSHALL and FLUSHDB asynchronous by default.
        lazy_user_flush: bool = false,
    }
}

group! {
    /// Sizes up to which values keep their compact encodings.
    Limits {
        /// Fields of a listpack hash.
        hash_max_listpack_entries: usize = 512,
        /// Bytes of a field or value in it.
        hash_max_listpack_value: usize = 64,
        /// Elements of a list node; -1 to -5 stand for 4 to 64 KiB.
        list_max_listpack_size: i32 = -2,
        /// Nodes at both ends of a list left uncompressed; 0: all.
        list_compress_depth: u32 = 0,
        /// Members of an intset.
        set_max_intset_entries: usize = 512,
        /// Members of a listpack set.
        set_max_listpack_entries: usize = 128,
        /// Bytes of a member in it.
        set_max_listpack_value: usize = 64,
        /// Members of a listpack sorted set.
        zset_max_listpack_entries: usize = 128,
        /// Bytes of a member in it.
        zset_max_listpack_value: usize = 64,
        /// Bytes of a sparse HyperLogLog.
        hll_sparse_max_bytes: usize = 3000,
        /// Bytes of a stream node; 0: no limit.
        stream_node_max_bytes: usize = 4096,
        /// Entries of a stream node; 0: no limit.
        stream_node_max_entries: u64 = 100,
        /// Seconds for which a stream remembers what producers sent.
        stream_idmp_duration: u64 = 100,
        /// How many messages of each producer.
        stream_idmp_maxsize: u64 = 100,
    }
}

group! {
    /// The memory limit, eviction and defragmentation.
    Memory {
        /// Bytes the data set may take; 0: no limit.
        max_memory: u64 = 0,
        /// What is evicted at the limit.
        policy: EvictionPolicy = EvictionPolicy::Noeviction,
        /// Keys compared to find one to evict.
        samples: u32 = 5,
        /// How long one eviction may take, 0 to 100.
        eviction_tenacity: u32 = 10,
        /// How many hits saturate the LFU counter.
        lfu_log_factor: u32 = 10,
        /// Minutes after which the LFU counter drops by one.
        lfu_decay_time_mins: u32 = 1,
        /// Defragment memory while running.
        active_defrag: bool = false,
        /// Fragmentation in bytes below which nothing is done.
        defrag_ignore_bytes: usize = 100 << 20,
        /// Percent of fragmentation at which it begins.
        defrag_threshold_lower: u32 = 10,
        /// Percent of fragmentation of maximal effort.
        defrag_threshold_upper: u32 = 100,
        /// Minimal effort in percent of CPU.
        defrag_cycle_min: u32 = 1,
        /// Maximal effort in percent of CPU.
        defrag_cycle_max: u32 = 25,
        /// Elements of a value scanned in one go.
        defrag_max_scan_fields: u64 = 1000,
        /// Keep an account of all keys: the largest ones, and groups with the same prefix.
        survey: bool = false,
        /// What ends the prefix of a key; empty: there are no groups.
        survey_separator: Vec<u8> = b":".to_vec(),
        /// Prefixes that are groups of their own.
        survey_prefixes: Vec<Vec<u8>> = Vec::new(),
    }
}

group! {
    /// RDB files.
    Snapshot {
        /// When to save by itself: after these seconds, given as many changes.
        save_points: Vec<SavePoint> = SavePoint::defaults(),
        /// Name of the snapshot in `dir`.
        file_name: Vec<u8> = b"dump.rdb".to_vec(),
        /// Compress strings.
        compression: bool = true,
        /// Write and check a checksum.
        checksum: bool = true,
        /// Delete snapshots used only for replication.
        del_sync_files: bool = false,
        /// Flush to disk every few megabytes while saving.
        incremental_fsync: bool = true,
        /// Refuse writes after a failed save.
        stop_writes_on_error: bool = true,
        /// When to check payloads in depth: on RESTORE, replication and load.
        sanitize_payload: SanitizeDump = SanitizeDump::No,
        /// For tests: microseconds to sleep after each saved key; -N sleeps one in N times.
        key_save_delay_us: i32 = 0,
        /// For tests: the same after each loaded key.
        key_load_delay_us: i32 = 0,
        /// Bytes loaded between two looks at the clients.
        loading_events_interval_bytes: u64 = 2 << 20,
        /// Version to write: 0 is the lowest that can hold the data, else 10, 11 or 12.
        target_version: RdbTarget = RdbTarget::Automatic,
        /// Whether files of an unknown later version are refused.
        version_check: VersionCheck = VersionCheck::Strict,
    }
}

group! {
    /// The append-only file.
    Aof {
        /// Keep an append-only file.
        enabled: bool = false,
        /// Base name of its files.
        file_name: Vec<u8> = b"appendonly.aof".to_vec(),
        /// Directory of its files, in `dir`.
        dir_name: Vec<u8> = b"appendonlydir".to_vec(),
        /// When it is flushed to disk.
        fsync: AppendFsync = AppendFsync::Everysec,
        /// Don't flush while a child writes.
        no_fsync_on_rewrite: bool = false,
        /// Growth in percent that starts a rewrite; 0: never.
        rewrite_percentage: u32 = 100,
        /// Bytes below which no rewrite starts by itself.
        rewrite_min_size: u64 = 64 << 20,
        /// Accept a file with a cut-off tail.
        load_truncated: bool = true,
        /// Write base files in RDB format.
        use_rdb_preamble: bool = true,
        /// Note the time in the file.
        timestamps: bool = false,
        /// Flush to disk every few megabytes while rewriting.
        rewrite_incremental_fsync: bool = true,
        /// For tests: keep files that a rewrite has replaced.
        disable_auto_gc: bool = false,
    }
}

group! {
    /// Replication.
    Repl {
        /// The primary to replicate from, if any.
        primary: Option<PrimaryAddr> = None,
        /// Password for the primary; empty: none.
        primary_auth: Vec<u8> = Vec::new(),
        /// User for the primary; empty: the default one.
        primary_user: Vec<u8> = Vec::new(),
        /// Answer reads while not in sync.
        serve_stale_data: bool = true,
        /// Refuse writes from clients while a replica.
        read_only: bool = true,
        /// Empty the data set in the background before a full sync.
        lazy_flush: bool = false,
        /// Leave eviction to the primary.
        ignore_maxmemory: bool = true,
        /// Sentinel's order of promotion; 0: never.
        priority: u32 = 100,
        /// Let Sentinel show this replica.
        announced: bool = true,
        /// Address told to the primary; empty: the connection's.
        announce_ip: Vec<u8> = Vec::new(),
        /// Port told to the primary; 0: the one listened on.
        announce_port: u16 = 0,
        /// Go on after a failed write to disk instead of crashing.
        ignore_disk_write_errors: bool = false,
        /// Send snapshots straight to the replicas.
        diskless_sync: bool = true,
        /// Seconds to wait for more replicas before that.
        diskless_sync_delay_secs: u32 = 5,
        /// Replicas after which it does not wait any longer; 0: no such number.
        diskless_sync_max_replicas: u32 = 0,
        /// When a replica loads from the socket.
        diskless_load: DisklessLoad = DisklessLoad::Disabled,
        /// Trade latency towards replicas for bandwidth.
        disable_tcp_nodelay: bool = false,
        /// Seconds between pings to the replicas.
        ping_period_secs: u32 = 10,
        /// Seconds of silence that break a link.
        timeout_secs: u32 = 60,
        /// Bytes kept for partial resynchronization.
        backlog_size: u64 = 1 << 20,
        /// Bytes in files for replicas that take a snapshot more slowly than data arrives; 0: none.
        spill_limit: u64 = 4 << 30,
        /// Seconds without replicas after which the backlog is freed; 0: never.
        backlog_ttl_secs: u64 = 3600,
        /// Replicas in time needed to accept writes; 0: none.
        min_replicas_to_write: u32 = 0,
        /// Seconds of lag up to which a replica counts.
        min_replicas_max_lag_secs: u32 = 10,
        /// What to do when a replicated command fails.
        propagation_error: PropagationError = PropagationError::Ignore,
    }
}

group! {
    /// Cluster mode.
    Cluster {
        /// Run as a cluster node.
        enabled: bool = false,
        /// File that the node keeps its view in.
        config_file: Vec<u8> = b"nodes.conf".to_vec(),
        /// Port of the bus; 0: `port` + 10000.
        port: u16 = 0,
        /// Milliseconds of silence after which a node counts as failing.
        node_timeout_ms: u64 = 15_000,
        /// For tests: milliseconds between pings; 0: the default.
        ping_interval_ms: u64 = 0,
        /// Address told to other nodes; empty: found out.
        announce_ip: Vec<u8> = Vec::new(),
        /// Host name told to other nodes; empty: none.
        announce_hostname: Vec<u8> = Vec::new(),
        /// Name shown in logs; empty: none.
        announce_human_nodename: Vec<u8> = Vec::new(),
        /// Port told to other nodes; 0: the one listened on.
        announce_port: u16 = 0,
        /// TLS port told to other nodes; 0: the one listened on.
        announce_tls_port: u16 = 0,
        /// Bus port told to other nodes; 0: the one listened on.
        announce_bus_port: u16 = 0,
        /// What clients are redirected to.
        preferred_endpoint: EndpointType = EndpointType::Ip,
        /// Never promote this replica by itself.
        replica_no_failover: bool = false,
        /// How many timeouts of lag disqualify a replica; 0: none do.
        replica_validity_factor: u32 = 10,
        /// Replicas a primary keeps when one migrates.
        migration_barrier: u32 = 1,
        /// Let replicas move to primaries without any.
        allow_replica_migration: bool = true,
        /// Refuse queries while a slot is unserved.
        require_full_coverage: bool = true,
        /// Answer reads while the cluster is down.
        allow_reads_when_down: bool = false,
        /// Serve sharded Pub/Sub while the cluster is down.
        allow_pubsubshard_when_down: bool = true,
        /// Bytes pending on a bus link that close it; 0: no limit.
        link_sendbuf_limit: u64 = 0,
    }
}

group! {
    /// What the server measures about commands.
    Stats {
        /// Microseconds from which a command is noted; -1: never.
        slowlog_slower_than_us: i64 = 10_000,
        /// Commands noted at most.
        slowlog_max_len: u64 = 128,
        /// Bytes from which a request is noted; -1: never.
        commandlog_request_larger_than: i64 = 1_048_576,
        /// Large requests noted at most.
        commandlog_large_request_max_len: u64 = 128,
        /// Bytes from which a reply is noted; -1: never.
        commandlog_reply_larger_than: i64 = 1_048_576,
        /// Large replies noted at most.
        commandlog_large_reply_max_len: u64 = 128,
        /// Milliseconds from which an event is noted; 0: never.
        latency_threshold_ms: u64 = 0,
        /// Keep a histogram per command.
        latency_tracking: bool = true,
        /// Keep one of the time from a request's arrival to its reply.
        latency_tracking_requests: bool = false,
        /// Percentiles of it that INFO shows.
        percentiles: Vec<f64> = vec![50.0, 99.0, 99.9],
    }
}

group! {
    /// Scripts and functions.
    Script {
        /// Milliseconds after which a script counts as busy.
        busy_reply_threshold_ms: u64 = 5000,
        /// The most bytes that an interpreter may take while a script runs; 0: any number.
        memory_limit: u64 = 0,
        /// Give scripts the old global functions.
        deprecated_api: bool = false,
    }
}

group! {
    /// Directives of Redis 8 and Valkey that a moved configuration may hold.
    Later {
        /// Redis 8: send snapshots over a second connection.
        repl_rdb_channel: bool = true,
        /// Redis 8: percent of commands checked for cluster use.
        cluster_compatibility_sample_ratio: u32 = 0,
        /// Redis 8: bytes a replica buffers during a full sync.
        replica_full_sync_buffer_limit: u64 = 0,
        /// Check expensive assertions.
        debug_assert: bool = false,
        /// Valkey: pose as Redis where names differ.
        extended_redis_compatibility: bool = false,
        /// Valkey: send snapshots over a second connection.
        dual_channel_replication: bool = false,
        /// Valkey: keep expired keys while data is imported.
        import_mode: bool = false,
        /// Valkey: never park the I/O threads.
        io_threads_always_active: bool = false,
        /// Valkey: group of the unix socket.
        unix_socket_group: Vec<u8> = Vec::new(),
        /// Valkey: IPv4 address told to clients.
        cluster_announce_client_ipv4: Vec<u8> = Vec::new(),
        /// Valkey: IPv6 address told to clients.
        cluster_announce_client_ipv6: Vec<u8> = Vec::new(),
        /// Valkey: port told to clients.
        cluster_announce_client_port: u16 = 0,
        /// Valkey: TLS port told to clients.
        cluster_announce_client_tls_port: u16 = 0,
        /// Valkey: keep statistics per slot.
        cluster_slot_stats: bool = false,
        /// Valkey: whether nodes.conf must reach the disk.
        cluster_config_save: ConfigSave = ConfigSave::Sync,
        /// Valkey: number of databases in cluster mode.
        cluster_databases: u32 = 1,
        /// Valkey: percent of nodes gossiped about in a message.
        cluster_message_gossip_perc: u32 = 10,
        /// Valkey: seconds a forgotten node stays forgotten.
        cluster_blacklist_ttl_secs: u64 = 60,
        /// Valkey: slot migrations remembered.
        cluster_slot_migration_log_max_len: u64 = 1000,
        /// Valkey: milliseconds a manual failover may take.
        cluster_manual_failover_timeout_ms: u64 = 5000,
        /// Valkey: text to show in crash reports.
        debug_context: Vec<u8> = Vec::new(),
        /// Valkey: zone shown in INFO and HELLO.
        availability_zone: Vec<u8> = Vec::new(),
        /// Valkey: fixed seed of the hash function.
        hash_seed: Vec<u8> = Vec::new(),
        /// Valkey: threads from which replies are not copied.
        min_io_threads_avoid_copy: u32 = 7,
        /// Valkey: bytes from which a string is not copied.
        min_string_avoid_copy: u32 = 16_384,
        /// Valkey: the same with I/O threads.
        min_string_avoid_copy_threaded: u32 = 65_536,
        /// Valkey: commands prefetched together.
        prefetch_batch_max: u32 = 16,
        /// Valkey: microseconds of one defragmentation cycle.
        active_defrag_cycle_us: u32 = 500,
        /// Valkey: listen with multipath TCP.
        mptcp: bool = false,
        /// Valkey: replicate over multipath TCP.
        repl_mptcp: bool = false,
        /// Valkey: seconds between looks at the certificates.
        tls_auto_reload_interval_secs: u32 = 0,
        /// Valkey: field of a certificate that names the user.
        tls_auth_clients_user: TlsUserField = TlsUserField::Off,
    }
}
