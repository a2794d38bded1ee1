# DEBUG: what looks inside and has no other file; replication IDs, the allocator's settings, HELP.

start_server {tags {debug}} {
    test "DEBUG CHANGE-REPL-ID begins a new history" {
        set before [s master_replid]
        assert_match [string repeat {[0-9a-f]} 40] $before
        assert_not_equal [s run_id] $before
        assert_equal OK [r debug change-repl-id]
        assert_match [string repeat {[0-9a-f]} 40] [s master_replid]
        assert_not_equal $before [s master_replid]
        assert_equal [list [string repeat 0 40] -1] [list [s master_replid2] [s second_repl_offset]]
        assert_error_like "ERR unknown subcommand or wrong number of arguments for 'CHANGE-REPL-ID'*" {r debug CHANGE-REPL-ID x}
    }

    test "DEBUG MALLCTL shows and changes numbers of the allocator" {
        assert_equal 4096 [r debug mallctl arenas.page]
        assert {[r debug mallctl arenas.nbins] > 10}
        set old [r debug mallctl arenas.dirty_decay_ms]
        assert_equal $old [r debug mallctl arenas.dirty_decay_ms 1234]
        assert_equal 1234 [r debug mallctl arenas.dirty_decay_ms $old]
        assert_error "ERR Bad address" {r debug mallctl arenas.dirty_decay_ms -7}
        assert_error "ERR No such file or directory" {r debug mallctl nosuch}
        assert_error "ERR No such file or directory" {r debug mallctl nosuch 1}
        assert_error "ERR Operation not permitted" {r debug mallctl arenas.page 1}
        assert_error "ERR Operation not permitted" {r debug mallctl arena.0.purge}
        assert_error "ERR value is not an integer or out of range" {r debug mallctl arenas.page x}
        assert_error_like "ERR unknown subcommand or wrong number of arguments for 'MALLCTL'*" {r debug MALLCTL}
    }

    test "DEBUG MALLCTL-STR shows and changes texts of the allocator" {
        assert_match "5.*" [r debug mallctl-str version]
        assert_equal secondary [r debug mallctl-str arena.0.dss]
        assert_equal secondary [r debug mallctl-str arena.0.dss primary]
        assert_equal primary [r debug mallctl-str arena.0.dss bogus]
        assert_equal primary [r debug mallctl-str arena.0.dss secondary]
        assert_equal secondary [r debug mallctl-str arena.0.dss]
        assert_error "ERR No such file or directory" {r debug mallctl-str nosuch}
        assert_error "ERR Invalid argument" {r debug mallctl-str arenas.nbins}
        assert_error "ERR Operation not permitted" {r debug mallctl-str arena.0.purge}
        assert_equal OK [r debug mallctl-str arena.4096.purge VOID]
        assert_equal OK [r debug mallctl-str thread.tcache.flush VOID]
    }

    test "what would break the process is refused, or has no effect" {
        foreach name {arena.0.extent_hooks arena.0.dss arenas.create} {
            assert_error "ERR Operation not permitted" {r debug mallctl $name 1}
        }
        foreach name {arena.0.reset arena.0.destroy} {
            assert_error "ERR Operation not permitted" {r debug mallctl-str $name VOID}
        }
        assert_error "ERR Invalid argument" {r debug mallctl thread.tcache.enabled 5}
        assert_error "ERR Invalid argument" {r debug mallctl-str epoch}
        assert_error "ERR No such file or directory" {r debug mallctl arena.99999.dirty_decay_ms}
        assert_equal PONG [r ping]
    }

    test "MEMORY PURGE gives pages back at once" {
        r debug mallctl arenas.dirty_decay_ms -1
        for {set i 0} {$i < [r debug mallctl arenas.narenas]} {incr i} {
            catch {r debug mallctl arena.$i.dirty_decay_ms -1}
        }
        r debug populate 100000 key 500
        r flushall
        r memory stats
        set before [s allocator_resident]
        assert {$before > 50000000} "$before"
        assert_equal OK [r memory purge]
        wait_for_condition {[s allocator_resident] + 20000000 < $before} -what "less than $before bytes resident"
    }

    test "DEBUG CLIENT-EVICTION shows clients by size" {
        assert_error "ERR maxmemory-clients is disabled." {r debug client-eviction}
        r config set maxmemory-clients 100mb
        r ping
        set lines [split [string trimright [r debug client-eviction] \n] \n]
        assert_equal 19 [llength $lines]
        assert_match "bucket          0 -      32767: tot-mem: *, clients: 1" [lindex $lines 0]
        assert_match "bucket      32768 -      65535: tot-mem:          0, clients: 0" [lindex $lines 1]
        assert_match "bucket 4294967296+            : tot-mem:          0, clients: 0" [lindex $lines end]
        r config set maxmemory-clients 0
    }

    test "DEBUG STRINGMATCH-TEST comes to an end" {
        assert_match "*did not crash: test passed" [r debug stringmatch-test]
    }

    test "switches of DEBUG take a word for 0, as Redis does" {
        foreach name {pause-cron set-active-expire set-skip-checksum-validation dict-resizing} {
            assert_equal OK [r debug $name word] $name
        }
        assert_equal OK [r debug replybuffer resizing word]
        assert_equal OK [r debug replybuffer resizing 1]
        foreach name {set-active-expire dict-resizing} { r debug $name 1 }
        assert_error_like "ERR unknown subcommand or wrong number of arguments for 'ReplyBuffer'*" {r debug ReplyBuffer x y}
    }

    test "arguments too many are an error where Redis has it so" {
        r set k v
        assert_error_like "ERR unknown subcommand or wrong number of arguments for 'OBJECT'*" {r debug OBJECT k x}
        assert_match "Value at:*" [r debug object k fast]
        assert_match "*Dictionary HT*" [r debug htstats 0 x y]
        assert_error_like "ERR unknown subcommand or wrong number of arguments for 'UNBLOCK'*" {r client UNBLOCK 1 timeout x}
    }

    test "HTSTATS says how large a table is, and it does not grow while a child lives" {
        r flushall
        assert_match "*\nNo stats available for empty dictionaries\n*Expires HT*\nNo stats*" [r debug htstats 0]
        r debug populate 4096
        assert_match "* table size: 4096\n number of elements: 4096\n*" [r debug htstats 0]
        r config set rdb-key-save-delay 1000000
        r bgsave
        r mset k1 v k2 v
        assert_match "* table size: 4096\n number of elements: 4098\n*" [r debug htstats 0]
        r config set rdb-key-save-delay 0
        send_signal [children_of [srv pid]] KILL
        wait_for_condition {[s rdb_bgsave_in_progress] == 0} -what "no child"
        r set k3 v
        assert_match "* table size: 8192\n number of elements: 4099\n*" [r debug htstats 0]
        r expire k3 1000
        assert_match "*Chain length distribution:\n*%*Expires HT*number of elements: 1\n" [r debug htstats 0 full]
    }
}

start_server {tags {debug} overrides {save "900 1"}} {
    # Has the server run the program anew; what it is afterwards: process and run.
    proc run_anew {args} {
        catch {r debug {*}$args} reply
        assert_no_match "ERR *" $reply
        set port [srv port]
        wait_for_condition {![catch {ping 127.0.0.1 $port} answer] && $answer eq "+PONG"} -what "answers on $port"
        reconnect
        list [s process_id] [s run_id]
    }

    test "DEBUG RESTART runs the program anew, with its data and its settings" {
        r set kept 1
        r config set maxmemory 77mb
        lassign [list [s process_id] [s run_id]] process run
        lassign [run_anew restart] same other
        assert_equal $process $same
        assert_not_equal $run $other
        assert_equal 1 [r get kept]
        assert_equal {maxmemory 80740352} [r config get maxmemory]
    }

    test "DEBUG CRASH-AND-RECOVER loses what is not on disk" {
        r set lost 1
        r config set maxmemory 78mb
        set start [clock milliseconds]
        run_anew crash-and-recover 300
        assert {[clock milliseconds] - $start >= 300}
        assert_equal {1 {}} [r mget kept lost]
        assert_equal {maxmemory 80740352} [r config get maxmemory]
        run_anew crash-and-recover -1
    }

    test "a server that can't save does not restart" {
        r set k v
        r config set dbfilename gone.rdb
        file mkdir [lindex [r config get dir] 1]/gone.rdb
        assert_error "ERR failed to restart the server. Check server logs." {r debug restart}
        assert_error "ERR value is not an integer or out of range" {r debug restart x}
        assert_equal v [r get k]
        file delete [lindex [r config get dir] 1]/gone.rdb
    }

    test "DEBUG PROTOCOL push: the reply comes before the push" {
        set c [redis_client]
        $c hello 3
        assert_equal "Some real reply following the push reply" [$c debug protocol push]
        assert_equal {server-cpu-usage 42} [$c read]
        $c close
    }
}
