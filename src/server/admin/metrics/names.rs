//! The fields of INFO that the exporter knows, and what it calls them.

use crate::server::admin::metrics::writer::Kind;

/// A field, and the name that it has there.
pub(super) struct Shown {
    pub field: &'static str,
    pub name: &'static str,
    pub kind: Kind,
    pub help: &'static str,
}

/// How a field is shown; None: the exporter passes over it. O(log fields).
pub(super) fn find(field: &str) -> Option<&'static Shown> {
    let place = SHOWN.binary_search_by(|shown| shown.field.cmp(field)).ok()?;
    Some(&SHOWN[place])
}

macro_rules! shown {
    ($($kind:ident $field:literal $name:literal;)*) => {
        &[$(Shown {
            field: $field,
            name: concat!("redis_", $name),
            kind: Kind::$kind,
            help: concat!("The field ", $field, " of INFO."),
        },)*]
    };
}

/// In order of the fields.
static SHOWN: &[Shown] = shown! {
    Gauge "active_defrag_hits" "defrag_hits";
    Gauge "active_defrag_key_hits" "defrag_key_hits";
    Gauge "active_defrag_key_misses" "defrag_key_misses";
    Gauge "active_defrag_misses" "defrag_misses";
    Gauge "active_defrag_running" "active_defrag_running";
    Gauge "allocator_active" "allocator_active_bytes";
    Gauge "allocator_allocated" "allocator_allocated_bytes";
    Gauge "allocator_frag_bytes" "allocator_frag_bytes";
    Gauge "allocator_frag_ratio" "allocator_frag_ratio";
    Gauge "allocator_resident" "allocator_resident_bytes";
    Gauge "allocator_rss_bytes" "allocator_rss_bytes";
    Gauge "allocator_rss_ratio" "allocator_rss_ratio";
    Gauge "aof_base_size" "aof_base_size_bytes";
    Gauge "aof_buffer_length" "aof_buffer_length";
    Gauge "aof_current_rewrite_time_sec" "aof_current_rewrite_duration_sec";
    Gauge "aof_current_size" "aof_current_size_bytes";
    Gauge "aof_delayed_fsync" "aof_delayed_fsync";
    Gauge "aof_enabled" "aof_enabled";
    Gauge "aof_last_bgrewrite_status" "aof_last_bgrewrite_status";
    Gauge "aof_last_cow_size" "aof_last_cow_size_bytes";
    Gauge "aof_last_rewrite_time_sec" "aof_last_rewrite_duration_sec";
    Gauge "aof_last_write_status" "aof_last_write_status";
    Gauge "aof_pending_bio_fsync" "aof_pending_bio_fsync";
    Gauge "aof_pending_rewrite" "aof_pending_rewrite";
    Gauge "aof_rewrite_buffer_length" "aof_rewrite_buffer_length";
    Gauge "aof_rewrite_in_progress" "aof_rewrite_in_progress";
    Gauge "aof_rewrite_scheduled" "aof_rewrite_scheduled";
    Gauge "blocked_clients" "blocked_clients";
    Gauge "client_recent_max_input_buffer" "client_recent_max_input_buffer_bytes";
    Gauge "client_recent_max_output_buffer" "client_recent_max_output_buffer_bytes";
    Gauge "clients_in_timeout_table" "clients_in_timeout_table";
    Gauge "cluster_connections" "cluster_connections";
    Gauge "cluster_enabled" "cluster_enabled";
    Gauge "connected_clients" "connected_clients";
    Gauge "connected_slaves" "connected_slaves";
    Counter "dump_payload_sanitizations" "dump_payload_sanitizations";
    Counter "evicted_keys" "evicted_keys_total";
    Counter "expired_keys" "expired_keys_total";
    Gauge "expired_stale_perc" "expired_stale_percentage";
    Gauge "expired_time_cap_reached_count" "expired_time_cap_reached_total";
    Counter "io_threaded_reads_processed" "io_threaded_reads_processed";
    Counter "io_threaded_writes_processed" "io_threaded_writes_processed";
    Gauge "io_threads_active" "io_threads_active";
    Counter "keyspace_hits" "keyspace_hits_total";
    Counter "keyspace_misses" "keyspace_misses_total";
    Gauge "latest_fork_usec" "latest_fork_seconds";
    Gauge "lazyfree_pending_objects" "lazyfree_pending_objects";
    Gauge "loading" "loading_dump_file";
    Gauge "master_repl_offset" "master_repl_offset";
    Gauge "maxmemory" "memory_max_bytes";
    Gauge "mem_clients_normal" "mem_clients_normal";
    Gauge "mem_clients_slaves" "mem_clients_slaves";
    Gauge "mem_fragmentation_bytes" "mem_fragmentation_bytes";
    Gauge "mem_fragmentation_ratio" "mem_fragmentation_ratio";
    Gauge "mem_not_counted_for_evict" "mem_not_counted_for_eviction_bytes";
    Gauge "migrate_cached_sockets" "migrate_cached_sockets_total";
    Gauge "module_fork_in_progress" "module_fork_in_progress";
    Gauge "module_fork_last_cow_size" "module_fork_last_cow_size";
    Gauge "number_of_cached_scripts" "number_of_cached_scripts";
    Gauge "process_id" "process_id";
    Gauge "pubsub_channels" "pubsub_channels";
    Gauge "pubsub_patterns" "pubsub_patterns";
    Gauge "rdb_bgsave_in_progress" "rdb_bgsave_in_progress";
    Gauge "rdb_changes_since_last_save" "rdb_changes_since_last_save";
    Gauge "rdb_current_bgsave_time_sec" "rdb_current_bgsave_duration_sec";
    Gauge "rdb_last_bgsave_status" "rdb_last_bgsave_status";
    Gauge "rdb_last_bgsave_time_sec" "rdb_last_bgsave_duration_sec";
    Gauge "rdb_last_cow_size" "rdb_last_cow_size_bytes";
    Gauge "rdb_last_save_time" "rdb_last_save_timestamp_seconds";
    Counter "rejected_connections" "rejected_connections_total";
    Gauge "repl_backlog_active" "repl_backlog_is_active";
    Gauge "repl_backlog_first_byte_offset" "repl_backlog_first_byte_offset";
    Gauge "repl_backlog_histlen" "repl_backlog_history_bytes";
    Gauge "repl_backlog_size" "replication_backlog_bytes";
    Gauge "second_repl_offset" "second_repl_offset";
    Gauge "slave_expires_tracked_keys" "slave_expires_tracked_keys";
    Gauge "sync_full" "replica_resyncs_full";
    Gauge "sync_partial_err" "replica_partial_resync_denied";
    Gauge "sync_partial_ok" "replica_partial_resync_accepted";
    Counter "total_commands_processed" "commands_processed_total";
    Counter "total_connections_received" "connections_received_total";
    Counter "total_error_replies" "total_error_replies";
    Counter "total_net_input_bytes" "net_input_bytes_total";
    Counter "total_net_output_bytes" "net_output_bytes_total";
    Counter "total_reads_processed" "total_reads_processed";
    Counter "total_writes_processed" "total_writes_processed";
    Gauge "tracking_clients" "tracking_clients";
    Gauge "tracking_total_items" "tracking_total_items";
    Gauge "tracking_total_keys" "tracking_total_keys";
    Gauge "tracking_total_prefixes" "tracking_total_prefixes";
    Counter "unexpected_error_replies" "unexpected_error_replies";
    Gauge "uptime_in_seconds" "uptime_in_seconds";
    Counter "used_cpu_sys" "cpu_sys_seconds_total";
    Counter "used_cpu_sys_children" "cpu_sys_children_seconds_total";
    Counter "used_cpu_sys_main_thread" "cpu_sys_main_thread_seconds_total";
    Counter "used_cpu_user" "cpu_user_seconds_total";
    Counter "used_cpu_user_children" "cpu_user_children_seconds_total";
    Counter "used_cpu_user_main_thread" "cpu_user_main_thread_seconds_total";
    Gauge "used_memory" "memory_used_bytes";
    Gauge "used_memory_dataset" "memory_used_dataset_bytes";
    Gauge "used_memory_lua" "memory_used_lua_bytes";
    Gauge "used_memory_overhead" "memory_used_overhead_bytes";
    Gauge "used_memory_peak" "memory_used_peak_bytes";
    Gauge "used_memory_rss" "memory_used_rss_bytes";
    Gauge "used_memory_scripts" "memory_used_scripts_bytes";
    Gauge "used_memory_startup" "memory_used_startup_bytes";
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_is_found() {
        assert!(SHOWN.is_sorted_by(|a, b| a.field < b.field));
        assert!(SHOWN.iter().all(|shown| find(shown.field).is_some()));
        assert!(find("used_memory_human").is_none());
        assert_eq!(find("used_memory").map(|s| s.name), Some("redis_memory_used_bytes"));
    }
}
