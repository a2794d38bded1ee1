# INFO: that each section has the fields of Redis 7.2, and no others but ours; and that our own tell the truth.

# Fields of Redis 7.2 by section, of a primary without replicas, modules and cluster. Names with a star stand for any text.
set fields(Server) {
    redis_version redis_git_sha1 redis_git_dirty redis_build_id redis_mode os arch_bits monotonic_clock multiplexing_api
    atomicvar_api gcc_version process_id process_supervised run_id tcp_port server_time_usec uptime_in_seconds
    uptime_in_days hz configured_hz lru_clock executable config_file io_threads_active listener*
}
set fields(Clients) {
    connected_clients cluster_connections maxclients client_recent_max_input_buffer client_recent_max_output_buffer
    blocked_clients tracking_clients clients_in_timeout_table total_blocking_keys total_blocking_keys_on_nokey
}
set fields(Memory) {
    used_memory used_memory_human used_memory_rss used_memory_rss_human used_memory_peak used_memory_peak_human
    used_memory_peak_perc used_memory_overhead used_memory_startup used_memory_dataset used_memory_dataset_perc
    allocator_allocated allocator_active allocator_resident total_system_memory total_system_memory_human
    used_memory_lua used_memory_vm_eval used_memory_lua_human used_memory_scripts_eval number_of_cached_scripts
    number_of_functions number_of_libraries used_memory_vm_functions used_memory_vm_total used_memory_vm_total_human
    used_memory_functions used_memory_scripts used_memory_scripts_human maxmemory maxmemory_human maxmemory_policy
    allocator_frag_ratio allocator_frag_bytes allocator_rss_ratio allocator_rss_bytes rss_overhead_ratio
    rss_overhead_bytes mem_fragmentation_ratio mem_fragmentation_bytes mem_not_counted_for_evict
    mem_replication_backlog mem_total_replication_buffers mem_clients_slaves mem_clients_normal mem_cluster_links
    mem_aof_buffer mem_allocator active_defrag_running lazyfree_pending_objects lazyfreed_objects
}
set fields(Persistence) {
    loading async_loading current_cow_peak current_cow_size current_cow_size_age current_fork_perc
    current_save_keys_processed current_save_keys_total rdb_changes_since_last_save rdb_bgsave_in_progress
    rdb_last_save_time rdb_last_bgsave_status rdb_last_bgsave_time_sec rdb_current_bgsave_time_sec rdb_saves
    rdb_last_cow_size rdb_last_load_keys_expired rdb_last_load_keys_loaded aof_enabled aof_rewrite_in_progress
    aof_rewrite_scheduled aof_last_rewrite_time_sec aof_current_rewrite_time_sec aof_last_bgrewrite_status aof_rewrites
    aof_rewrites_consecutive_failures aof_last_write_status aof_last_cow_size module_fork_in_progress
    module_fork_last_cow_size
}
set fields(Stats) {
    total_connections_received total_commands_processed instantaneous_ops_per_sec total_net_input_bytes
    total_net_output_bytes total_net_repl_input_bytes total_net_repl_output_bytes instantaneous_input_kbps
    instantaneous_output_kbps instantaneous_input_repl_kbps instantaneous_output_repl_kbps rejected_connections
    sync_full sync_partial_ok sync_partial_err expired_keys expired_stale_perc expired_time_cap_reached_count
    expire_cycle_cpu_milliseconds evicted_keys evicted_clients total_eviction_exceeded_time
    current_eviction_exceeded_time keyspace_hits keyspace_misses pubsub_channels pubsub_patterns pubsubshard_channels
    latest_fork_usec total_forks migrate_cached_sockets slave_expires_tracked_keys active_defrag_hits
    active_defrag_misses active_defrag_key_hits active_defrag_key_misses total_active_defrag_time
    current_active_defrag_time tracking_total_keys tracking_total_items tracking_total_prefixes
    unexpected_error_replies total_error_replies dump_payload_sanitizations total_reads_processed
    total_writes_processed io_threaded_reads_processed io_threaded_writes_processed reply_buffer_shrinks
    reply_buffer_expands eventloop_cycles eventloop_duration_sum eventloop_duration_cmd_sum
    instantaneous_eventloop_cycles_per_sec instantaneous_eventloop_duration_usec acl_access_denied_auth
    acl_access_denied_cmd acl_access_denied_key acl_access_denied_channel
}
set fields(Replication) {
    role connected_slaves master_failover_state master_replid master_replid2 master_repl_offset second_repl_offset
    repl_backlog_active repl_backlog_size repl_backlog_first_byte_offset repl_backlog_histlen
}
set fields(CPU) {
    used_cpu_sys used_cpu_user used_cpu_sys_children used_cpu_user_children used_cpu_sys_main_thread
    used_cpu_user_main_thread
}
set fields(Modules) {}
set fields(Commandstats) {cmdstat_*}
set fields(Errorstats) {errorstat_*}
set fields(Latencystats) {latency_percentiles_usec_*}
set fields(Cluster) {cluster_enabled}
set fields(Keyspace) {db0}
set fields(Debug) {
    eventloop_duration_aof_sum eventloop_duration_cron_sum eventloop_duration_max eventloop_cmd_per_cycle_max
}
# What is there in some states only.
set aof_fields {aof_current_size aof_base_size aof_pending_rewrite aof_buffer_length aof_pending_bio_fsync aof_delayed_fsync}
set loading_fields {
    loading_start_time loading_total_bytes loading_rdb_used_mem loading_loaded_bytes loading_loaded_perc loading_eta_seconds
}
# Fields of ours, and of later versions, beside redust_*.
proc additions {} {
    return {persistence_policy metrics_exporter evicted_scripts expired_subkeys client_query_buffer_limit_disconnections client_output_buffer_limit_disconnections}
}

# The fields of a text, by section.
proc sections {text} {
    set found {}
    set section none
    foreach line [split $text \n] {
        set line [string trimright $line \r]
        if {[regexp {^# (.*)} $line - section]} {
            dict set found $section {}
        } elseif {[regexp {^([^:]+):} $line - field]} {
            dict lappend found $section $field
        }
    }
    return $found
}

# Fails unless `found` has all that `wanted` has, and beyond that only additions of ours.
proc assert_fields {section wanted found} {
    set missing {}
    foreach name $wanted { if {[lsearch -glob $found $name] < 0} { lappend missing $name } }
    set strange {}
    foreach name $found {
        set known [expr {[string match redust_* $name] || $name in [additions]}]
        foreach pattern $wanted { if {[string match $pattern $name]} { set known 1 } }
        if {!$known} { lappend strange $name }
    }
    assert_equal {{} {}} [list $missing $strange] "missing and strange fields of $section"
}

# Something in each section.
proc prepare {} {
    r set string 1 ex 1000
    catch {r nosuch}
}

start_server {tags {info} overrides {appendonly no}} {
    test "each section has the fields of Redis 7.2, and no others but ours" {
        prepare
        set found [dict merge [sections [r info everything]] [sections [r info debug]]]
        foreach section [array names fields] { assert_fields $section $fields($section) [dict get $found $section] }
        assert_same_items [concat [array names fields] Keytypes] [dict keys $found]
    }

    test "fields that are there in some states only" {
        assert_fields Persistence [concat $fields(Persistence) $aof_fields] \
            [dict get [r config set appendonly yes; sections [r info persistence]] Persistence]
        wait_for_condition {[s aof_rewrite_in_progress] == 0} -within 10000
        r config set appendonly no
        assert_fields Persistence $fields(Persistence) [dict get [sections [r info persistence]] Persistence]
        r config set min-replicas-to-write 1
        assert_fields Replication [concat $fields(Replication) min_slaves_good_slaves] \
            [dict get [sections [r info replication]] Replication]
        r config set min-replicas-to-write 0
    }

    test "fields while data is loaded" {
        r flushall
        populate 2000
        r save
        # A load that takes two seconds, so that it is seen.
        set_directive 0 key-load-delay 1000
        set_directive 0 loading-process-events-interval-bytes 1024
        restart_server -signal KILL -wait alive
        wait_for_condition {[s loading] == 1}
        set text [r info persistence]
        assert_fields Persistence [concat $fields(Persistence) $loading_fields] [dict get [sections $text] Persistence]
        assert_between [expr {[clock seconds] - 30}] [clock seconds] [info_field $text loading_start_time]
        assert {[info_field $text loading_total_bytes] >= [info_field $text loading_loaded_bytes]}
    }
}

set reference [lindex [tool redis-server] 0]
start_server {tags {info}} {
    test "an installed redis-server has no field that is missing here" {
        need {$reference ne {}} "no redis-server to compare with (Debian: redis-server)"
        set port [free_port]
        set pid [exec $reference --port $port --save {} --dir [srv dir] > /dev/null 2>@1 &]
        watch_process $pid
        wait_for_condition {![catch {set c [redis_client 127.0.0.1 $port]}]}
        foreach level [list r $c] {
            $level set string 1
            catch {$level nosuch}
        }
        foreach name {everything debug} {
            set ours [sections [r info $name]]
            dict for {section wanted} [sections [$c info $name]] {
                # Fields of one client or one command differ by what they have done.
                if {$section in {Commandstats Latencystats Errorstats}} continue
                set missing {}
                foreach field $wanted { if {$field ni [dict get $ours $section]} { lappend missing $field } }
                assert_equal {} $missing "of $section"
            }
        }
        $c close
        exec kill $pid
        unwatch_process $pid
    }
}

start_server {tags {info} overrides {save {}}} {
    test "keys by type follow all that can happen to keys" {
        proc types {db} { s db${db}_types }
        r flushall
        assert_equal {} [types 0]
        r mset a 1 b text c [string repeat x 1000]
        r rpush l 1 2
        r sadd s m
        r zadd z 1 m
        r hset h f v
        assert_equal {string=3,list=1,set=1,zset=1,hash=1,stream=0} [types 0]
        # The value changes type, or goes with its last element.
        r set l over
        r set s over
        r zrem z m
        r hdel h f
        assert_equal {string=5,list=0,set=0,zset=0,hash=0,stream=0} [types 0]
    }

    test "keys by type agree with a scan after random commands" {
        r flushall
        for {set round 0} {$round < 40} {incr round} {
            set batch {}
            for {set i 0} {$i < 50} {incr i} {
                set k k:[random_int 40]
                set o k:[random_int 40]
                lappend batch [pick [list \
                    [list set $k v] [list set $k v px 1] [list append $k x] [list setrange $k 3 x] [list del $k] [list unlink $k] \
                    [list rpush $k a b] [list lpop $k] [list sadd $k m[random_int 3]] [list spop $k] [list zadd $k 1 m] \
                    [list zpopmin $k] [list hset $k f v] [list hdel $k f] [list rename $k $o] [list copy $k $o replace] \
                    [list move $k 1] [list expire $k 0] [list sort $k by nosort store $o] [list sunionstore $k $o] \
                    [list zunionstore $k 1 $o] [list lmove $k $o left right] [list pexpire $k 1] [list getdel $k] \
                    [list bitop or $k $o] [list swapdb 0 1] [list persist $k]]]
            }
            if {$round % 10 == 9} { lappend batch [pick {{flushdb async} {flushdb} {swapdb 0 2} {debug reload}}] }
            foreach command $batch { catch {r {*}$command} }
            foreach db {0 1 2} {
                r select $db
                # What is past its time leaves first, and can't be looked at.
                if {$db == 0} { sleep 10 }
                wait_for_condition {[s redust_expire_backlog] == 0}
                foreach type {string list set zset hash stream} { set of($type) 0 }
                foreach key [r keys *] { incr of([r type $key]) }
                set want string=$of(string),list=$of(list),set=$of(set),zset=$of(zset),hash=$of(hash),stream=$of(stream)
                set seen [types $db]
                if {$seen ne {} || [r dbsize] > 0} { assert_equal $want $seen "database $db, round $round" }
            }
            r select 0
        }
    }

    test "keys by type are shown in `all` and by name, where no reader of `db` lines looks" {
        r flushall
        r set k v
        assert_equal db0 [dict get [sections [r info]] Keyspace]
        assert_equal db0 [dict get [sections [r info all]] Keyspace]
        assert_equal db0_types [dict get [sections [r info all]] Keytypes]
        assert_equal db0_types [dict get [sections [r info keytypes]] Keytypes]
        assert {![dict exists [sections [r info]] Keytypes]}
    }

    test "what is due and still here is counted, and how late it is" {
        r flushall
        r debug set-active-expire 0
        pipeline [lmap i [lsearch -all [lrepeat 500 x] x] { list set due:$i v px 20 }]
        pipeline [lmap i [lsearch -all [lrepeat 100 x] x] { list set later:$i v ex 1000 }]
        sleep 200
        assert_equal 600 [s redust_expire_keys]
        assert_equal 500 [s redust_expire_backlog]
        assert_equal 83.33 [s expired_stale_perc]
        assert_between 100 5000 [s redust_expire_lag_milliseconds]
        r debug set-active-expire 1
        wait_for_condition {[s redust_expire_backlog] == 0}
        assert_equal {100 0 0.00} [list [s redust_expire_keys] [s redust_expire_lag_milliseconds] [s expired_stale_perc]]
    }

    test "operations a second: windows, and the most there were" {
        r config resetstat
        sleep 300
        for {set i 0} {$i < 30} {incr i} {
            pipeline [lrepeat 200 {get a}]
            sleep 100
        }
        wait_for_condition {[s redust_ops_per_sec_peak] > 500}
        foreach window {1m 5m 15m} { assert_between 300 3000 [s redust_ops_per_sec_$window] $window }
        assert {[s redust_ops_per_sec_peak] >= [s redust_ops_per_sec_1m]}
        r config resetstat
        assert_equal 0 [s redust_ops_per_sec_peak]
        assert_equal 0 [s redust_ops_per_sec_15m]
    }

    test "the latest save: when, how long, how large, and why it failed" {
        r flushall
        populate 1000
        r config resetstat
        r config set rdb-key-save-delay 100
        r save
        assert_between [expr {[clock seconds] - 20}] [clock seconds] [s redust_rdb_last_save_attempt_time]
        assert_between 100 10000 [s redust_rdb_last_save_duration_ms]
        assert_equal [file size [srv dir]/dump.rdb] [s redust_rdb_last_save_size]
        assert_equal {none 0} [list [s redust_rdb_last_save_error] [s redust_rdb_save_failures]]
        r set more [string repeat noise 1000]
        r bgsave
        wait_for_condition {[s rdb_bgsave_in_progress] == 0} -within 10000
        assert_between 100 10000 [s redust_rdb_last_save_duration_ms]
        assert_equal [file size [srv dir]/dump.rdb] [s redust_rdb_last_save_size]
        # A directory is in the way of the file.
        r config set dbfilename occupied.rdb
        file mkdir [srv dir]/occupied.rdb/x
        assert_error_like "ERR*" {r save}
        assert_equal {1 {rename: Is a directory}} [list [s redust_rdb_save_failures] [s redust_rdb_last_save_error]]
        r bgsave
        wait_for_condition {[s redust_rdb_save_failures] == 2} -within 10000
        assert_equal {rename: Is a directory} [s redust_rdb_last_save_error]
        # A child that is killed says nothing; the parent does.
        r config set dbfilename dump.rdb rdb-key-save-delay 10000
        set log [log_mark]
        r bgsave
        wait_for_log "*Background saving started by pid*" $log
        regexp {started by pid (\d+)} [log_since $log] -> child
        exec kill -9 $child
        wait_for_condition {[s redust_rdb_save_failures] == 3} -within 10000
        assert_equal {terminated by signal 9} [s redust_rdb_last_save_error]
        r config resetstat
        assert_equal {0 none} [list [s redust_rdb_save_failures] [s redust_rdb_last_save_error]]
        r config set rdb-key-save-delay 0
    }

    test "the latest rewrite, and syncs of the append-only file" {
        r config resetstat
        r config set appendonly yes
        wait_for_condition {[s aof_rewrite_in_progress] == 0 && [s aof_rewrites] == 1} -within 10000
        assert_between 0 10000 [s redust_aof_last_rewrite_duration_ms]
        assert {[s redust_aof_last_rewrite_size] > 0}
        assert_between [expr {[clock seconds] - 20}] [clock seconds] [s redust_aof_last_rewrite_attempt_time]
        r config set appendfsync always
        r config resetstat
        for {set i 0} {$i < 5} {incr i} { r incr counter }
        assert_between 5 8 [s redust_aof_fsync_count]
        assert {[s redust_aof_fsync_usec_sum] >= [s redust_aof_fsync_usec_max]}
        assert {[s redust_aof_fsync_usec_max] >= [s redust_aof_fsync_usec_last]}
        assert {[s redust_aof_fsync_usec_max] > 0}
        r config set appendfsync everysec
        set count [s redust_aof_fsync_count]
        r incr counter
        wait_for_condition {[s redust_aof_fsync_count] > $count}
        set log [log_mark]
        r config set rdb-key-save-delay 10000
        r bgrewriteaof
        wait_for_log "*rewriting started by pid*" $log
        regexp {started by pid (\d+)} [log_since $log] -> child
        exec kill -9 $child
        wait_for_condition {[s redust_aof_rewrite_failures] == 1} -within 10000
        assert_equal {terminated by signal 9} [s redust_aof_last_rewrite_error]
        assert_equal {rewrite: terminated by signal 9} [s redust_aof_last_error]
        assert_equal 0 [s redust_aof_write_failures]
        r config set rdb-key-save-delay 0 appendonly no
    }

    test "memory above its limit is timed" {
        r flushall
        r config resetstat
        r config set maxmemory 1 maxmemory-policy noeviction
        catch {r set k v}
        sleep 150
        assert_between 100 10000 [s current_eviction_exceeded_time]
        assert_between 100 10000 [s total_eviction_exceeded_time]
        r config set maxmemory 0
        wait_for_condition {[s current_eviction_exceeded_time] == 0}
        assert_between 100 10000 [s total_eviction_exceeded_time]
        r config resetstat
        assert_equal 0 [s total_eviction_exceeded_time]
    }

    test "CONFIG RESETSTAT leaves states, the memory peak, and what Redis leaves" {
        r set large [string repeat x 5000000]
        sleep 150
        r del large
        set peak [s used_memory_peak]
        catch {r auth no-such-user x}
        set denied [s acl_access_denied_auth]
        r save
        r bgsave
        wait_for_condition {[s rdb_bgsave_in_progress] == 0} -within 10000
        set size [s redust_rdb_last_save_size]
        r config resetstat
        assert {[s used_memory_peak] >= $peak}
        assert_equal $denied [s acl_access_denied_auth]
        assert_equal [list 0 0 0 $size] [list [s rdb_saves] [s total_forks] [s latest_fork_usec] [s redust_rdb_last_save_size]]
    }
}
