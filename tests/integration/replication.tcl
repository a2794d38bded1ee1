# Replication: between servers of this program, and with an installed redis-server on either side.

proc link_up {level} { expr {[s $level master_link_status] eq "up"} }

# Waits until a replica has all that its primary has written.
proc await_sync {primary replica} {
    wait_for_condition {[link_up $replica] && [s $primary master_repl_offset] == [s $replica master_repl_offset]} \
        -within 20000
}

proc follow {replica primary} { r $replica replicaof [srv $primary host] [srv $primary port] }

proc same_data {a b} {
    await_sync $a $b
    assert_equal [debug_digest $a] [debug_digest $b]
}

# Data of all types in two databases, with times.
proc fill_all {level {n 300}} {
    set batch {}
    for {set i 0} {$i < $n} {incr i} {
        lappend batch [list set str:$i [string repeat v [expr {$i % 90}]]] [list rpush list:[expr {$i % 7}] $i x$i] \
            [list sadd set:[expr {$i % 5}] $i m$i] [list hset hash:[expr {$i % 6}] f$i v$i] \
            [list zadd zset:[expr {$i % 4}] [expr {$i * 2}] m$i] [list xadd stream:[expr {$i % 3}] * f $i] \
            [list pfadd hll e$i] [list pexpire str:$i [expr {100000 + $i}]]
    }
    pipeline $batch $level
    r $level select 3
    r $level set other db
    r $level select 0
}

set all {repl-diskless-sync-delay 0 repl-ping-replica-period 1 repl-timeout 20}

foreach diskless {yes no} {
    foreach load {disabled swapdb} {
        start_server [list overrides [dict merge $all [list repl-diskless-sync $diskless]]] {
            start_server [list overrides [dict merge $all [list repl-diskless-load $load]]] {
                test "a replica gets all that there is and all that comes (diskless $diskless, load $load)" {
                    fill_all -1
                    r set own lost
                    follow 0 -1
                    same_data -1 0
                    assert_equal {} [r get own]
                    fill_all -1 20
                    r -1 multi
                    r -1 set a 1
                    r -1 select 5
                    r -1 incr a
                    r -1 exec
                    r -1 select 0
                    r -1 eval {redis.call('set', 'by', 'script') redis.call('del', 'a')} 0
                    same_data -1 0
                    assert_equal 1 [s -1 sync_full]
                    assert_equal slave [s role]
                    assert_match "ip=127.0.0.1,port=[srv port],state=online,offset=*,lag=*" [s -1 slave0]
                    assert {[s -1 total_net_repl_output_bytes] > 0 && [s total_net_repl_input_bytes] > 10000}
                }

                test "it lets nobody write, and shows the role (diskless $diskless, load $load)" {
                    assert_error "READONLY You can't write against a read only replica." {r set a 1}
                    assert_error_like "READONLY You can't write against a read only replica. script: *" {r eval {redis.call('set', 'a', 1)} 0}
                    assert_match "slave 127.0.0.1 [srv -1 port] connected *" [r role]
                    assert_match "master * {{127.0.0.1 [srv port] *}}" [r -1 role]
                    assert_match "*flags=M * user=(superuser) *" [r client list type master]
                    assert_match "*flags=S *" [r -1 client list type replica]
                }

                test "a link that was cut goes on where it was (diskless $diskless, load $load)" {
                    r client kill type master
                    r -1 set cut 1
                    same_data -1 0
                    r -1 client kill type replica
                    r -1 incr cut
                    same_data -1 0
                    assert_equal {1 2} [list [s -1 sync_full] [s -1 sync_partial_ok]]
                }
            }
        }
    }
}

start_server [list overrides $all] {
    start_server [list overrides $all] {
        start_server [list overrides $all] {
            test "a chain: what the first writes reaches the last, byte for byte" {
                follow -1 -2
                follow 0 -1
                wait_for_condition {[link_up -1] && [link_up 0]} -within 10000
                fill_all -2 100
                same_data -2 -1
                same_data -1 0
                assert_equal [s -2 master_replid] [s master_replid]
            }

            test "the middle leads: its replica goes on, and so does the former primary as its replica" {
                r -1 replicaof no one
                r -1 set after promotion
                same_data -1 0
                assert_equal [s -2 master_replid] [s -1 master_replid2]
                set full [s -1 sync_full]
                follow -2 -1
                same_data -1 -2
                assert_equal $full [s -1 sync_full]
                assert_equal {promotion} [r -2 get after]
            }

            test "WAIT and WAITAOF count replicas" {
                r -1 set w 1
                assert_equal 2 [r -1 wait 2 5000]
                assert_equal 2 [r -1 wait 3 100]
                r config set appendonly yes
                wait_for_condition {[s aof_rewrite_in_progress] == 0 && [s aof_enabled] == 1}
                r -1 set w 2
                assert_equal {0 1} [r -1 waitaof 0 1 5000]
                r config set appendonly no
                assert_error_like "ERR WAIT cannot be used with replica instances*" {r wait 0 0}
            }

            test "keys past their time are gone on the replica when the primary says so, and hidden before" {
                r -1 debug set-active-expire 0
                r -1 set gone v px 30
                r -1 set stays v
                same_data -1 0
                sleep 60
                assert_equal {{} 0} [list [r get gone] [r exists gone]]
                assert_equal [r -1 dbsize] [r dbsize]
                assert_equal {} [r -1 get gone]
                await_sync -1 0
                assert_equal [r -1 dbsize] [r dbsize]
                r -1 debug set-active-expire 1
            }

            test "FAILOVER: a replica leads, the primary follows it, nothing is lost" {
                assert_error "ERR FAILOVER is not valid when server is a replica." {r failover}
                assert_error "ERR No failover in progress." {r -1 failover abort}
                assert_error "ERR FAILOVER target HOST and PORT is not a replica." {r -1 failover to 127.0.0.1 1}
                r -1 set before failover
                assert_equal OK [r -1 failover to 127.0.0.1 [srv port] timeout 10000]
                wait_for_condition {[s role] eq "master" && [s -1 role] eq "slave" && [link_up -1]} -within 10000
                assert_equal no-failover [s -1 master_failover_state]
                r set after failover
                same_data 0 -1
                assert_equal 0 [s sync_full]
            }

            test "FAILOVER can be called off, and gives up when its time is over" {
                send_signal [srv -1 pid] STOP
                r set unseen v
                assert_equal OK [r failover to 127.0.0.1 [srv -1 port] timeout 300]
                assert_equal waiting-for-sync [s master_failover_state]
                assert_error "ERR REPLICAOF not allowed while failing over." {r replicaof no one}
                wait_for_condition {[s master_failover_state] eq "no-failover"} -within 3000
                assert_log "*FAILOVER to 127.0.0.1:* aborted: Replica never caught up before timeout"
                r failover to 127.0.0.1 [srv -1 port]
                assert_equal OK [r failover abort]
                assert_equal OK [r set unseen w]
                send_signal [srv -1 pid] CONT
                same_data 0 -1
            }
        }
    }
}

# A primary whose users change.
start_server [list overrides $all] {
    start_server [list overrides $all] {
        proc refused {text} {
            r replicaof no one
            set mark [log_mark]
            follow 0 -1
            # More than once: it goes on asking.
            wait_for_condition {[llength [log_lines_like "*$text*" $mark]] >= 2} -within 10000
            assert {![link_up 0]}
        }

        test "a replica that is refused says why, and is let in once it has the right password" {
            r -1 config set requirepass secret
            r -1 auth secret
            r -1 set a 1
            refused "Unexpected reply to PSYNC from master: -NOAUTH"
            r config set masterauth wrong
            refused "Unable to AUTH to MASTER: -WRONGPASS"
            r config set masterauth secret
            same_data -1 0
        }

        test "so with a user of its own that may do too little, until it may do more" {
            r -1 acl setuser follower on >pw +ping
            r config set masteruser follower masterauth pw
            refused "NOPERM"
            r -1 acl setuser follower +psync +replconf
            await_sync -1 0
            r -1 incr a
            await_sync -1 0
            assert_equal {2 2} [list [r -1 get a] [r get a]]
        }
    }
}

start_server [list overrides [dict merge $all {min-replicas-to-write 1}]] {
    start_server [list overrides $all] {
        test "min-replicas-to-write lets writes in while there is a replica" {
            assert_error "NOREPLICAS Not enough good replicas to write." {r -1 set k v}
            follow 0 -1
            wait_for_condition {[s -1 min_slaves_good_slaves] == 1} -within 5000
            assert_equal OK [r -1 set k v]
            r replicaof no one
            wait_for_condition {[s -1 min_slaves_good_slaves] == 0} -within 5000
            assert_error "NOREPLICAS Not enough good replicas to write." {r -1 set k v}
        }

        test "a script that runs sees a replica go" {
            r -1 config set lua-time-limit 10 min-replicas-to-write 0
            follow 0 -1
            await_sync -1 0
            set c [redis_client -level -1]
            $c send eval {while not redis.call('info', 'replication'):find('connected_slaves:0') do end return 1} 0
            wait_for_condition {[catch {r -1 ping}]}
            r replicaof no one
            assert_equal 1 [$c read]
            $c close
            r -1 config set min-replicas-to-write 1
        }

        test "a replica that asks for a reply is sent away" {
            set c [redis_client -level -1]
            $c replconf listening-port 1
            $c send psync ? -1
            wait_for_condition {[s -1 connected_slaves] == 1}
            $c send ping
            wait_for_condition {[s -1 connected_slaves] == 0}
            assert_log "*Replica generated a reply to command 'ping', disconnecting it: *" 0 -1
            $c close
        }

        test "REPLCONF says what it does not know" {
            assert_error "ERR Unrecognized REPLCONF option: what" {r replconf what 1}
            assert_error "ERR syntax error" {r replconf what}
            assert_error "ERR Unsupported rdb-filter-only option: keys" {r replconf rdb-filter-only keys}
            assert_equal OK [r replconf capa eof capa unheard-of version 7.4.1]
        }
    }
}

proc count_closed {} {
    set channel [open [srv -1 stdout]]
    set n [regexp -all "overcoming of output buffer limits" [read $channel]]
    close $channel
    return $n
}

# The snapshot takes three seconds, while 40 MB are written: more than may wait for a replica in memory.
start_server [list overrides [dict merge $all {rdb-key-save-delay 1000 client-output-buffer-limit "replica 4mb 4mb 60"}]] {
    start_server [list overrides $all] {
        proc write_during_sync {level} {
            set value [string repeat x 10000]
            for {set i 0} {$i < 40} {incr i} {
                pipeline [lmap j [lrepeat 100 x] {list set key:[expr {[incr ::spill_key] % 3000}] $value:$::spill_key}] $level
                sleep 10
            }
        }
        set ::spill_key 0
        pipeline [lmap j [lrepeat 3000 x] {list set key:[incr ::spill_key] v}] -1

        test "without files for slow replicas, one that is slower than data arrives is dropped" {
            r -1 config set repl-spill-limit 0
            follow 0 -1
            wait_for_condition {[s -1 rdb_bgsave_in_progress] == 1} -within 5000
            write_during_sync -1
            wait_for_log "*scheduled to be closed ASAP for overcoming of output buffer limits*" 0 -1
            assert_equal {0 0} [list [s -1 redust_repl_spilled_bytes_total] [link_up 0]]
            r replicaof no one
        }

        foreach diskless {yes no} {
            test "with them it gets all, and memory stays small (diskless $diskless)" {
                r -1 config set repl-spill-limit 1gb repl-diskless-sync $diskless
                r -1 config resetstat
                set before [count_closed]
                follow 0 -1
                wait_for_condition {[s -1 rdb_bgsave_in_progress] == 1} -within 5000
                write_during_sync -1
                assert {[s -1 redust_repl_spilled_bytes] > 10000000}
                assert {[s -1 mem_total_replication_buffers] < 12000000}
                same_data -1 0
                assert_equal [list 1 0 $before] [list [s -1 sync_full] [s -1 redust_repl_spilled_bytes] [count_closed]]
                r replicaof no one
                r debug change-repl-id
            }
        }

        test "a small limit for replicas is a small one for files" {
            r -1 config set client-output-buffer-limit "replica 1mb 1mb 60"
            set before [count_closed]
            follow 0 -1
            wait_for_condition {[s -1 rdb_bgsave_in_progress] == 1} -within 5000
            write_during_sync -1
            wait_for_condition {[count_closed] > $before} -within 5000
        }
    }
}

start_server {overrides {save "3600 1"}} {
    start_server [list overrides $all] {
        test "both may be started anew and go on where they were" {
            follow 0 -1
            fill_all -1 50
            same_data -1 0
            restart_server -1
            same_data -1 0
            assert_equal {0 1} [list [s -1 sync_full] [s -1 sync_partial_ok]]
        }
    }
}

set reference [lindex [tool redis-server] 0]
if {$reference eq {}} { skip "no redis-server installed to replicate with (Debian: redis-server)" }

start_server [list overrides $all binary $reference] {
    start_server [list overrides $all] {
        test "of redis-server: data, stream, a cut link, its promotion and ours" {
            fill_all -1
            follow 0 -1
            same_data -1 0
            fill_all -1 50
            same_data -1 0
            r client kill type master
            r -1 set cut 1
            same_data -1 0
            assert_equal {1 1} [list [s -1 sync_full] [s -1 sync_partial_ok]]
            r replicaof no one
            r set ours leads
            follow -1 0
            fill_all 0 50
            same_data 0 -1
            assert_equal {0 1} [list [s sync_full] [s sync_partial_ok]]
        }

        test "redis-server gets a whole snapshot from us" {
            r -1 replicaof no one
            r -1 debug change-repl-id
            r debug change-repl-id
            fill_all 0
            follow -1 0
            same_data 0 -1
            assert_equal 1 [s sync_full]
        }
   
        test "entries that wait reach a redis-server when they appear" {
            r select 0
            r flushall
            r xadd plain 1-1 f v
            r xadd early delay 300 * f snapshot
            r -1 replicaof no one
            r -1 debug change-repl-id
            r debug change-repl-id
            follow -1 0
            wait_for_condition {[r -1 exists plain] && [s -1 master_link_status] eq "up"}
            r xadd plain delay 100 * f stream
            r xdel plain [r xadd plain delay 90000 * f never]
            wait_for_condition {[r xlen plain] == 2 && [r xlen early] == 1}
            wait_for_condition {[r -1 xrange plain - +] eq [r xrange plain - +]}
            wait_for_condition {[r -1 xrange early - +] eq [r xrange early - +]}
            # Nor does a payload with such an entry stop it.
            r xadd plain delay 90000 * f v
            r -1 replicaof no one
            r config set rdb-target-version 10
            r -1 restore copy 0 [r dump plain]
            assert_equal [r xrange plain - +] [r -1 xrange copy - +]
        }
    }
}
