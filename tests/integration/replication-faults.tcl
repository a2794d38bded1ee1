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

    test "REPLCONF rdb-only is 0 or 1" {
        assert_error "ERR value is out of range, value must between 0 and 1" {r replconf rdb-only 2}
        assert_error "ERR value is not an integer or out of range" {r replconf rdb-only x}
    }
}
