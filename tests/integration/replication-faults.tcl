# Replication when something goes wrong: primaries that send what they should not, and clients that
# ask for the stream at odd moments.

# A primary that says all at once, to whoever comes, and then what follows its snapshot.
proc false_primary {says} {
    set ::false_says $says
    socket -server {apply {{conn args} {
        fconfigure $conn -translation binary -blocking 0
        puts -nonewline $conn "+PONG\r\n+OK\r\n+OK\r\n+OK\r\n$::false_says"
        flush $conn
        lappend ::false_conns $conn
    }}} -myaddr 127.0.0.1 0
}

proc false_port {listener} { lindex [fconfigure $listener -sockname] 2 }

proc end_false {listener} {
    close $listener
    foreach conn $::false_conns { catch {close $conn} }
    set ::false_conns {}
}

# Lets the false primary answer, until the log of a server has a line.
proc false_until {level pattern} {
    wait_for_condition {[update; count_log $level $pattern] > 0} -within 10000
}

proc count_log {level pattern} {
    set channel [open [srv $level stdout]]
    set n [regexp -all $pattern [read $channel]]
    close $channel
    return $n
}

proc snapshot_of {level} {
    r $level save
    set channel [open [file join [lindex [r $level config get dir] 1] [lindex [r $level config get dbfilename] 1]] rb]
    set data [read $channel]
    close $channel
    return $data
}

set ::false_conns {}
set all {repl-diskless-sync-delay 0 repl-ping-replica-period 1 repl-timeout 20}
set id [string repeat a 40]

start_server [list overrides [dict merge $all {repl-diskless-load swapdb}]] {
    foreach {what mark} [list "without its mark" [string repeat x 40] "with half a mark" [string repeat m 39]x] {
        test "a snapshot $what does not take the place of the data (swapdb)" {
            r flushall
            r set theirs 1
            set data [snapshot_of 0]
            r flushall
            r set own 1
            set before [count_log 0 "EOF marker is broken"]
            set listener [false_primary "+FULLRESYNC $id 5\r\n\$EOF:[string repeat m 40]\r\n$data$mark"]
            r replicaof 127.0.0.1 [false_port $listener]
            wait_for_condition {[update; count_log 0 "EOF marker is broken"] > $before} -within 10000
            r replicaof no one
            end_false $listener
            assert_equal {1 0} [list [r exists own] [r exists theirs]]
        }
    }

    test "an empty snapshot is refused at once (swapdb)" {
        set listener [false_primary "+FULLRESYNC $id 5\r\n\$0\r\n"]
        r replicaof 127.0.0.1 [false_port $listener]
        false_until 0 "the snapshot is empty"
        r replicaof no one
        end_false $listener
        assert_equal 1 [r exists own]
    }
}

start_server [list overrides $all] {
    start_server [list overrides $all] {
        test "who lost its data to a broken snapshot has no history that its replicas can go on in" {
            r -1 set a 1
            r replicaof [srv -1 host] [srv -1 port]
            wait_for_condition {[s master_link_status] eq "up" && [r exists a]} -within 10000
            set broken [snapshot_of -1]
            set broken [string replace $broken end-4 end-2 "xyz"]
            set listener [false_primary "+FULLRESYNC $id 5\r\n\$[string length $broken]\r\n$broken"]
            r -1 replicaof 127.0.0.1 [false_port $listener]
            false_until -1 "Failed trying to load the MASTER synchronization DB"
            r -1 replicaof no one
            end_false $listener
            assert_equal 0 [r -1 exists a]
            r -1 set b 1
            wait_for_condition {[s master_link_status] eq "up" && [r exists b]} -within 10000
            assert_equal [debug_digest -1] [debug_digest 0]
        }
    }
}

start_server [list overrides $all] {
    test "who monitors gets no stream" {
        foreach command {{PSYNC ? -1} SYNC} {
            set conn [socket [srv host] [srv port]]
            fconfigure $conn -translation binary -buffering none
            puts -nonewline $conn "MONITOR\r\n$command\r\nPING\r\n"
            assert_equal "+OK +PONG" "[string trim [gets $conn]] [string trim [gets $conn]]"
            close $conn
        }
        assert_equal 0 [s connected_slaves]
    }

    test "a replica that subscribes is let go, since its stream would hold a message" {
        set conn [socket [srv host] [srv port]]
        fconfigure $conn -translation binary -buffering none
        puts -nonewline $conn "SYNC\r\n"
        wait_for_condition {[s connected_slaves] == 1} -within 5000
        puts -nonewline $conn "SUBSCRIBE a\r\n"
        wait_for_condition {[s connected_slaves] == 0} -within 5000
        assert {[count_log 0 "Replica generated a reply to command 'subscribe'"] == 1}
        close $conn
    }

    test "what a primary says before it closes the connection is heard" {
        set listener [socket -server {apply {{conn args} {
            fconfigure $conn -translation binary
            puts -nonewline $conn "-DENIED for a reason\r\n"
            close $conn
        }}} -myaddr 127.0.0.1 0]
        r replicaof 127.0.0.1 [false_port $listener]
        false_until 0 "Error reply to PING from master: '-DENIED for a reason'"
        r replicaof no one
        close $listener
    }

    test "a client that has switched replies off before it became a replica may ask for some" {
        set conn [socket [srv host] [srv port]]
        fconfigure $conn -translation binary -buffering none
        puts -nonewline $conn "CLIENT REPLY OFF\r\nSYNC\r\n"
        wait_for_condition {[s connected_slaves] == 1} -within 5000
        puts -nonewline $conn "PING\r\n"
        sleep 200
        assert_equal 1 [s connected_slaves]
        close $conn
        assert_error "ERR Missing rdb-filter-only values" {r replconf rdb-filter-only "\""}
    }

    test "REPLCONF rdb-only is 0 or 1" {
        assert_error "ERR value is out of range, value must between 0 and 1" {r replconf rdb-only 2}
        assert_error "ERR value is not an integer or out of range" {r replconf rdb-only x}
    }
}

proc resp {args} {
    set out "*[llength $args]\r\n"
    foreach word $args { append out "\$[string length $word]\r\n$word\r\n" }
    return $out
}

# What a primary sends that has an empty snapshot and then these commands.
proc empty_then {stream} {
    set ::empty_data [snapshot_of 0]
    return "+FULLRESYNC [string repeat a 40] 5\r\n\$[string length $::empty_data]\r\n$::empty_data$stream"
}

start_server [list overrides $all] {
    set before "[resp SELECT 0][resp SET a 1]"
    set transaction "[resp MULTI][resp SET t 1]"
    set pre [expr {5 + [string length $before]}]
    foreach {what stream at why} [list \
        "an unknown command" "$before[resp NEWCOMMAND x][resp SET b 2]" $pre "ERR unknown command 'NEWCOMMAND'*" \
        "an unknown subcommand" "$before[resp XGROUP FROMLATER x y][resp SET b 2]" $pre "ERR *" \
        "too few arguments" "$before[resp SET x][resp SET b 2]" $pre "ERR wrong number of arguments for 'set' command" \
        "an unknown option" "$before[resp SET b 2 FROMLATER]" $pre "ERR syntax error" \
        "a database that is not there" "$before[resp SELECT 99][resp SET b 2]" $pre "ERR DB index is out of range" \
        "bytes that are no command" "$before*1\r\nx\r\n[resp SET b 2]" $pre "ERR Protocol error: *" \
        "an unknown command in a transaction" "$before${transaction}[resp NEWCOMMAND x][resp SET b 2][resp EXEC]" $pre "ERR unknown command*" \
        "a transaction whose command fails so" "$before${transaction}[resp SET x 1 FROMLATER][resp EXEC][resp SET b 2]" $pre "ERR syntax error"] {
        test "$what from the primary stops the link there" {
            r replicaof no one
            r flushall
            r config resetstat
            set lines [count_log 0 "The link to the master is stopped"]
            set listener [false_primary [empty_then $stream]]
            r replicaof 127.0.0.1 [false_port $listener]
            wait_for_condition {[update; s redust_replica_refusals] == 1} -within 10000
            assert_match $why [s redust_replica_last_refusal]
            assert_equal {1 0 down} [list [r get a] [r exists b] [s master_link_status]]
            assert_equal $at [s slave_repl_offset]
            # No second try before the pause is over.
            sleep 300
            update
            assert_equal [list 1 [expr {$lines + 1}]] [list [s redust_replica_refusals] [count_log 0 "The link to the master is stopped"]]
            r replicaof no one
            end_false $listener
        }
    }

    test "what came before a transaction counts, though that is not whole yet" {
        r replicaof no one
        r flushall
        set listener [false_primary [empty_then "$before[resp INCR n][resp MULTI][resp INCR t]"]]
        r replicaof 127.0.0.1 [false_port $listener]
        wait_for_condition {[update; s slave_repl_offset] > $pre} -within 10000
        set counted [expr {$pre + [string length [resp INCR n]]}]
        assert_equal $counted [s slave_repl_offset]
        assert_equal [expr {$counted + [string length "[resp MULTI][resp INCR t]"]}] [s slave_read_repl_offset]
        r replicaof no one
        assert_equal {1 {}} [list [r get n] [r get t]]
        end_false $listener
    }

    test "the pause becomes longer with each refusal, and another primary begins anew" {
        r replicaof no one
        r flushall
        r config resetstat
        set listener [false_primary [empty_then "$before[resp NEWCOMMAND x]"]]
        r replicaof 127.0.0.1 [false_port $listener]
        wait_for_condition {[update; s redust_replica_refusals] == 2} -within 10000
        assert {[count_log 0 "resynchronization is tried in 2 seconds"] == 1}
        r replicaof no one
        end_false $listener
    }
}

start_server [list overrides [dict merge $all {databases 32}]] {
    start_server [list overrides [dict merge $all {proto-max-bulk-len 1mb client-query-buffer-limit 1mb}]] {
        test "after an unknown command of the primary all data comes anew" {
            r -1 set a 1
            r replicaof [srv -1 host] [srv -1 port]
            wait_for_condition {[s master_link_status] eq "up" && [r exists a]} -within 10000
            r -1 debug replicate newcommand x
            r -1 set b 2
            wait_for_condition {[s redust_replica_refusals] == 1} -within 5000
            wait_for_condition {[s master_link_status] eq "up" && [r exists b]} -within 10000
            assert_equal 2 [s -1 sync_full]
            assert_equal [debug_digest -1] [debug_digest 0]
        }

        test "an error of a command that has run is the business of propagation-error-behavior" {
            r -1 debug replicate lpush a x
            r -1 set c 3
            wait_for_condition {[r exists c]} -within 5000
            assert_equal {1 2} [list [s redust_replica_refusals] [s unexpected_error_replies]]
            assert {[count_log 0 "== CRITICAL == This replica is sending an error to its master"] == 2}
        }

        test "what a primary could hold, its replica takes, whatever limits its clients have" {
            r -1 set large [string repeat x 3000000]
            r -1 append large y
            r -1 setbit bits 100000000 1
            wait_for_condition {[r exists bits]} -within 5000
            assert_equal {3000001 12500001 1} [list [r strlen large] [r strlen bits] [s redust_replica_refusals]]
            assert_equal [debug_digest -1] [debug_digest 0]
            r replicaof no one
            assert_error "ERR bit offset is not an integer or out of range" {r setbit x 100000000 1}
        }
    }
}

# The half of a snapshot of `n` keys, from a primary that sends no more.
proc half_of {n} {
    r flushall
    pipeline [lmap i [lrepeat $n x] {list set key:[incr ::half_key] [string repeat v 400]}]
    set data [snapshot_of 0]
    r flushall
    return "+FULLRESYNC [string repeat a 40] 5\r\n\$EOF:[string repeat m 40]\r\n[string range $data 0 [expr {[string length $data] / 2}]]"
}

set ::half_key 0

foreach load {on-empty-db swapdb} {
    start_server [list overrides [dict merge $all [list repl-diskless-load $load repl-timeout 3 save {}]]] {
        test "while the primary stalls in a load from the socket, clients are served ($load)" {
            set listener [false_primary [half_of 20]]
            if {$load eq "swapdb"} { r set own 1 }
            r replicaof 127.0.0.1 [false_port $listener]
            false_until 0 "Loading DB in memory"
            for {set i 0} {$i < 10} {incr i} {
                set begun [clock milliseconds]
                assert_error_like "LOADING *" {r get own}
                assert_equal {1 1 sync} [list [s loading] [s master_sync_in_progress] [lindex [r role] 3]]
                r config set maxmemory 0
                assert_error_like "LOADING *" {r debug reload}
                assert {[clock milliseconds] - $begun < 500}
            }
            assert_error_like "LOADING *" {r psync ? -1}
        }

        test "its silence ends the load after repl-timeout, and a new one begins ($load)" {
            false_until 0 "Failed trying to load the MASTER synchronization DB from socket"
            wait_for_condition {[update; count_log 0 "Loading DB in memory"] > 1} -within 10000
            assert_equal [expr {$load eq "swapdb"}] [expr {[count_log 0 "Flushing old data"] == 0}]
        }

        test "REPLICAOF ends the load: another primary, or none ($load)" {
            r replicaof 127.0.0.1 1
            wait_for_condition {[s loading] == 0} -within 1000
            assert_equal {127.0.0.1 1} [lrange [r role] 1 2]
            set before [count_log 0 "Loading DB in memory"]
            r replicaof 127.0.0.1 [false_port $listener]
            wait_for_condition {[update; count_log 0 "Loading DB in memory"] > $before} -within 10000
            r replicaof no one
            wait_for_condition {[s loading] == 0} -within 1000
            assert_equal {master 1} [list [s role] [expr {[r set a b] eq "OK"}]]
            assert_equal [expr {$load eq "swapdb"}] [r exists own]
        }

        test "SHUTDOWN ends the server in such a load ($load)" {
            r flushall
            set before [count_log 0 "Loading DB in memory"]
            r replicaof 127.0.0.1 [false_port $listener]
            wait_for_condition {[update; count_log 0 "Loading DB in memory"] > $before} -within 10000
            restart_server 0 -shutdown nosave
            assert_equal master [s role]
            end_false $listener
        }
    }
}
