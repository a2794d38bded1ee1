# INFO: its sections, its fields, and that the counters count.

start_server {tags {info}} {
    test "INFO has the sections that tools expect, in RESP3 as verbatim text" {
        set text [r info]
        foreach section {Server Clients Memory Persistence Stats Replication CPU Modules Errorstats Cluster Keyspace} {
            assert {[regexp -line "^# $section\r?\$" $text]} $section
        }
        assert {![regexp -line {^# Commandstats} $text]}
        set c [redis_client]
        $c hello 3
        assert_equal verbatim [lindex [$c typed info server] 0]
        $c close
    }

    test "sections can be chosen, several at a time, in any case" {
        set text [r info CLIENTS memory]
        assert_match "*# Clients*" $text
        assert_match "*# Memory*" $text
        assert_no_match "*# Server*" $text
        assert_match "*# Commandstats*" [r info commandstats]
        assert_match "*# Commandstats*" [r info all]
        assert_match "*# Latencystats*" [r info everything]
        assert_equal {} [string trim [r info no-such-section]]
    }

    test "each line is field:value and no field comes twice" {
        unset -nocomplain seen
        foreach line [split [r info everything] \n] {
            set line [string trimright $line \r]
            if {$line eq {} || [string match "#*" $line]} continue
            assert {[regexp {^([^:]+):} $line - field]} "line '$line'"
            assert {![info exists seen($field)]} "$field twice"
            set seen($field) 1
        }
    }

    test "the fields of a server without special features are all there" {
        set text [r info everything]
        foreach field {
            redis_version redis_git_sha1 redis_git_dirty redis_build_id redis_mode os arch_bits monotonic_clock
            multiplexing_api atomicvar_api gcc_version process_id process_supervised run_id tcp_port server_time_usec
            uptime_in_seconds uptime_in_days hz configured_hz lru_clock executable config_file io_threads_active
            connected_clients cluster_connections maxclients client_recent_max_input_buffer
            client_recent_max_output_buffer blocked_clients tracking_clients clients_in_timeout_table
            used_memory used_memory_human used_memory_rss used_memory_rss_human used_memory_peak used_memory_peak_human
            used_memory_peak_perc used_memory_overhead used_memory_startup used_memory_dataset used_memory_dataset_perc
            allocator_allocated allocator_active allocator_resident total_system_memory total_system_memory_human
            used_memory_lua maxmemory maxmemory_human maxmemory_policy allocator_frag_ratio allocator_frag_bytes
            allocator_rss_ratio allocator_rss_bytes rss_overhead_ratio rss_overhead_bytes mem_fragmentation_ratio
            mem_fragmentation_bytes mem_not_counted_for_evict mem_replication_backlog mem_clients_slaves
            mem_clients_normal mem_aof_buffer mem_allocator active_defrag_running lazyfree_pending_objects
            lazyfreed_objects loading async_loading current_cow_peak current_cow_size current_cow_size_age
            current_fork_perc current_save_keys_processed current_save_keys_total rdb_changes_since_last_save
            rdb_bgsave_in_progress rdb_last_save_time rdb_last_bgsave_status rdb_last_bgsave_time_sec
            rdb_current_bgsave_time_sec rdb_saves rdb_last_cow_size rdb_last_load_keys_expired rdb_last_load_keys_loaded
            aof_enabled aof_rewrite_in_progress aof_rewrite_scheduled aof_last_rewrite_time_sec
            aof_current_rewrite_time_sec aof_last_bgrewrite_status aof_rewrites aof_last_write_status aof_last_cow_size
            total_connections_received total_commands_processed instantaneous_ops_per_sec total_net_input_bytes
            total_net_output_bytes instantaneous_input_kbps instantaneous_output_kbps rejected_connections sync_full
            sync_partial_ok sync_partial_err expired_keys expired_stale_perc expired_time_cap_reached_count
            expire_cycle_cpu_milliseconds evicted_keys evicted_clients total_eviction_exceeded_time
            current_eviction_exceeded_time keyspace_hits keyspace_misses pubsub_channels pubsub_patterns
            pubsubshard_channels latest_fork_usec total_forks migrate_cached_sockets slave_expires_tracked_keys
            active_defrag_hits active_defrag_misses tracking_total_keys tracking_total_items tracking_total_prefixes
            unexpected_error_replies total_error_replies dump_payload_sanitizations total_reads_processed
            total_writes_processed io_threaded_reads_processed io_threaded_writes_processed reply_buffer_shrinks
            reply_buffer_expands role connected_slaves master_failover_state master_replid master_replid2
            master_repl_offset second_repl_offset repl_backlog_active repl_backlog_size repl_backlog_first_byte_offset
            repl_backlog_histlen used_cpu_sys used_cpu_user used_cpu_sys_children used_cpu_user_children
            used_cpu_sys_main_thread used_cpu_user_main_thread cluster_enabled
        } {
            if {![regexp -line "^$field:" $text]} { lappend missing $field }
        }
        assert {![info exists missing]} [expr {[info exists missing] ? "missing: $missing" : {}}]
    }

    test "the server describes itself truly" {
        assert_equal [srv pid] [s process_id]
        assert_equal [srv port] [s tcp_port]
        assert_equal 40 [string length [s run_id]]
        assert_equal [file normalize [srv conf]] [s config_file]
        assert_equal standalone [s redis_mode]
        assert_equal master [s role]
        assert_match "jemalloc*" [s mem_allocator]
        assert_between 0 60 [s uptime_in_seconds]
        assert {abs([s server_time_usec] / 1000000 - [clock seconds]) <= 2}
        assert_match "*kB" [lindex [exec grep VmRSS /proc/[srv pid]/status] 2]kB
    }

    test "hits and misses" {
        r config resetstat
        r set a 1
        r get a
        r get a
        r get b
        r exists a b
        r mget a b c
        assert_equal 4 [s keyspace_hits]
        assert_equal 4 [s keyspace_misses]
    }

    test "commandstats count calls, failures and rejections" {
        r config resetstat
        r set a 1
        r set a x
        catch {r incr a}
        catch {r get}
        assert_match {calls=2,usec=*,usec_per_call=*,rejected_calls=0,failed_calls=0} [s cmdstat_set]
        assert_match {calls=1,*,rejected_calls=0,failed_calls=1} [s cmdstat_incr]
        assert_match {calls=0,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0} [s cmdstat_get]
        r config get port
        assert_match {calls=1,*} [s {cmdstat_config|get}]
    }

    test "commands of a pipeline are counted one by one, whoever shares a reading of the clock" {
        r set big [string repeat x 20000]
        r config resetstat
        set commands [concat [lrepeat 40 {incr n}] {{get big}} [lrepeat 10 {incr n}] {{lrange l 0 -1}} [lrepeat 5 {get n}]]
        assert_equal 56 [llength [lrange [pipeline $commands] 0 end-1]]
        assert_match {calls=50,*,failed_calls=0} [s cmdstat_incr]
        assert_match {calls=6,*} [s cmdstat_get]
        assert_match {calls=1,*} [s cmdstat_lrange]
        assert_equal 50 [dict get [dict get [r latency histogram incr] incr] calls]
        # And what CONFIG RESETSTAT itself and INFO were.
        assert_between 57 65 [s total_commands_processed]
        r config set slowlog-log-slower-than 0
        r slowlog reset
        pipeline {{incr n} {incr n} {incr n}}
        r config set slowlog-log-slower-than 10000
        pipeline {{incr n} {config set slowlog-log-slower-than 0} {incr n} {config set slowlog-log-slower-than 10000} {incr n}}
        assert_equal 4 [llength [lsearch -all -inline -index 3 [r slowlog get] {incr n}]]
    }

    test "EXEC takes the time of all that it ran" {
        r config resetstat
        r multi
        r debug sleep 0.05
        r incr n
        r exec
        regexp {usec=(\d+)} [s cmdstat_exec] -> usec
        assert_between 50000 2000000 $usec
    }

    test "errorstats count by the first word" {
        r config resetstat
        catch {r nosuch}
        catch {r incr a}
        catch {r auth x y}
        catch {r hello 9}
        assert_equal count=2 [s errorstat_ERR]
        assert_equal count=1 [s errorstat_WRONGPASS]
        assert_equal count=1 [s errorstat_NOPROTO]
        assert_equal 4 [s total_error_replies]
    }

    test "DEBUG ERROR is a reply that no figure counts" {
        r config resetstat
        assert_error "A:B some text" {r debug error "A:B some text"}
        assert_equal 0 [s total_error_replies]
        assert_equal {} [s errorstat_A]
    }

    test "latencystats" {
        r config resetstat
        for {set i 0} {$i < 20} {incr i} { r set a $i }
        assert_match {p50=*,p99=*,p99.9=*} [s latency_percentiles_usec_set]
        r config set latency-tracking no
        assert_equal {} [s latency_percentiles_usec_set]
        r config set latency-tracking yes
    }

    test "memory goes up with data and down without" {
        r flushall
        set before [s used_memory]
        r set big [string repeat x 10000000]
        # Up to twice the value: the query buffer may keep its size for a moment.
        assert_between 9900000 22000000 [expr {[s used_memory] - $before}]
        assert {[s used_memory_peak] >= $before + 9900000}
        r del big
        wait_for_condition {[s used_memory] < $before + 1000000} -within 8000
        assert {[s used_memory_rss] > 1000000}
    }

    test "used memory is what the allocator says, but for what it keeps in caches" {
        for {set round 0} {$round < 2} {incr round} {
            r debug populate 100000 k 20
            foreach state {full empty} {
                set text [r info memory]
                set gap [expr {[info_field $text allocator_allocated] - [info_field $text used_memory]}]
                assert_between -65536 1048576 $gap "$state, round $round"
                r flushall sync
            }
        }
    }

    test "net and command counters" {
        set in [s total_net_input_bytes]
        set commands [s total_commands_processed]
        r set a [string repeat x 10000]
        assert_between 10000 11000 [expr {[s total_net_input_bytes] - $in}]
        assert_between 2 6 [expr {[s total_commands_processed] - $commands}]
    }

    test "ops per second follow the load" {
        for {set i 0} {$i < 12} {incr i} {
            pipeline [lrepeat 500 {get a}]
            sleep 50
        }
        wait_for_condition {[s instantaneous_ops_per_sec] > 100} -within 2000
    }

    test "changes since the last save" {
        r flushall
        r save
        assert_equal 0 [s rdb_changes_since_last_save]
        r mset a 1 b 2 c 3
        r set a 2
        r get a
        r del a missing
        assert_equal 5 [s rdb_changes_since_last_save]
        r expire b 100
        assert_equal 6 [s rdb_changes_since_last_save]
    }

    test "MEMORY USAGE, DOCTOR, STATS, PURGE" {
        r set small v
        r set large [string repeat x 100000]
        assert_between 20 120 [r memory usage small]
        assert_between 100000 140000 [r memory usage large]
        assert_between 100000 140000 [r memory usage large samples 0]
        assert_typed null memory usage missing
        assert_error "ERR syntax error" {r memory usage small samples}
        assert_error "ERR syntax error" {r memory usage small foo 1}
        need_command memory|stats
        set stats [r memory stats]
        foreach field {peak.allocated total.allocated startup.allocated clients.normal keys.count keys.bytes-per-key
            dataset.bytes dataset.percentage peak.percentage fragmentation} {
            assert {[dict exists $stats $field]} $field
        }
        assert_equal [r dbsize] [dict get $stats keys.count]
        assert_equal OK [r memory purge]
        assert {[string length [r memory doctor]] > 10}
        assert_match "*DOCTOR*" [r memory help]
    }

    test "LOLWUT, LASTSAVE, ROLE" {
        assert_match "*Redis ver*" [r lolwut]
        assert_between [expr {[clock seconds] - 60}] [clock seconds] [r lastsave]
        assert_equal {master 0 {}} [r role]
    }
}
