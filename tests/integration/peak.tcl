# How much memory long values take while they are received, loaded, saved, dumped and restored: sizes that are known
# are allocated once, not by growing, and a large argument becomes its value.

set megabytes 48

proc random_bytes {n} {
    set f [open /dev/urandom rb]
    set data [read $f $n]
    close $f
    return $data
}

# The most that was resident since the last reset, in MB.
proc peak {} { regexp {VmHWM:\s+(\d+)} [read_file /proc/[srv pid]/status] - kb; return [expr {$kb / 1024.0}] }
proc resident {} { regexp {VmRSS:\s+(\d+)} [read_file /proc/[srv pid]/status] - kb; return [expr {$kb / 1024.0}] }
proc reset_peak {} { set f [open /proc/[srv pid]/clear_refs w]; puts $f 5; close $f }

start_server {tags {rdb memory} overrides {rdbcompression yes}} {
    set long [random_bytes [expr {$megabytes << 20}]]
    # Half of it can be compressed: then it is twice in memory while it is unpacked, as in Redis.
    set half [string range $long 0 [expr {$megabytes << 19}]][string repeat x [expr {$megabytes << 19}]]

    foreach {what value times} {plain long 1.0 compressed half 1.5} {
        test "loading a long value, $what, takes $times times its size" {
            r flushall
            r set k [set $value]
            r save
            restart_server -signal KILL
            assert {[peak] < $megabytes * $times + 24} "[peak] MB"
            assert {[r get k] eq [set $value]}
        }
    }

    test "DUMP of a long value takes twice its size, RESTORE once" {
        r flushall
        r set k $long
        r config set rdbcompression no
        # What the command itself took may still be resident.
        r memory purge
        set before [resident]
        reset_peak
        set payload [r dump k]
        assert {[peak] < $before + 2 * $megabytes + 12} "[peak] MB, before $before"
        r memory purge
        assert_equal 16 [expr {[string length $payload] - [string length $long]}]
    }

    test "SAVE of a long value takes its size once" {
        r config set rdbcompression yes
        r memory purge
        set before [resident]
        reset_peak
        r save
        assert {[peak] < $before + $megabytes + 12} "[peak] MB, before $before"
    }

    test "rdbcompression no: DUMP is plain" {
        r set text [string repeat x 1000]
        set packed [r dump text]
        r config set rdbcompression no
        set plain [r dump text]
        assert {[string length $packed] < 100}
        assert {[string length $plain] > 1000}
        assert_equal \x43\xe8 [string range $plain 1 2]
        assert_equal OK [r restore text 0 $packed replace]
        assert_equal OK [r restore text 0 $plain replace]
    }
}

# What a script takes at most beyond what was resident, as a multiple of so many MB.
proc growth {megabytes script} {
    r memory purge
    set before [resident]
    reset_peak
    uplevel 1 $script
    return [expr {([peak] - $before) / $megabytes}]
}

start_server {tags {memory}} {
    set long [string repeat 0123456789abcdef [expr {$megabytes << 16}]]

    foreach command {{set k V} {set k V ex 100} {set k V nx get px 100000} {setnx k V} {setex k 100 V} {psetex k 100000 V}
        {getset k V} {append k V}} {
        test "a large argument becomes the value: $command" {
            set argv [string map [list V $long] $command]
            r flushall
            foreach there {0 1} {
                if {$there} { r set k [string repeat x 1000] }
                if {$there && [lindex $command 0] in {setnx append} || "nx" in $command && $there} break
                set times [growth $megabytes { r {*}$argv }]
                assert {$times < 1.3} "$times times its size"
                assert {[r get k] eq $long}
                assert_equal {1 raw} [list [r dbsize] [r object encoding k]]
                assert_equal [expr {"100" in $command || "100000" in $command}] [expr {[r pttl k] > 0}]
                assert_between [string length $long] [expr {[string length $long] * 1.4}] [r memory usage k]
            }
        }
    }

    test "the value keeps its own time to live, access data and old value's reply" {
        r flushall
        r set k old ex 1000
        assert_equal old [r set k $long keepttl get]
        assert_between 990 1000 [r ttl k]
        assert {[r get k] eq $long}
        assert {[r getset k new] eq $long}
        assert_equal {new -1} [list [r get k] [r ttl k]]
        assert_equal {} [r set other $long xx]
        assert_equal 0 [r setnx k $long]
        assert_equal {new 1} [list [r get k] [r dbsize]]
        assert_error "ERR syntax error" {r set k $long nonsense}
        assert_error "ERR value is not an integer or out of range" {r set k $long ex x}
        r rpush list a
        assert_error_like "WRONGTYPE*" {r getset list $long}
        assert_error_like "WRONGTYPE*" {r append list $long}
        assert_equal {list a} [list [r type list] [r lindex list 0]]
    }

    test "a large argument in a transaction is queued and stored without a copy" {
        r flushall
        set times [growth $megabytes {
            r multi
            r set k $long ex 100
            r strlen k
            r exec
        }]
        assert {$times < 1.3} "$times times its size"
        assert {[r get k] eq $long}
        r multi
        r set {} $long
        r append {} x
        r discard
        r multi
        r set {} [string range $long 0 99999]
        r append {} x
        r set k [string range $long 0 99999]
        assert_equal {OK 100001 OK} [r exec]
        assert {[r get {}] eq "[string range $long 0 99999]x" && [r get k] eq [string range $long 0 99999]}
    }

    test "used_memory_peak has seen what a command took" {
        r flushall
        # CONFIG RESETSTAT leaves the peak, so it must be passed.
        r config resetstat
        set before [s used_memory_peak]
        assert {$before > [s used_memory] + [string length $long]}
        r setrange small $before x
        r append small $long
        r del small
        assert {[s used_memory_peak] > $before + [string length $long]}
    }

    test "RESTORE of a long value takes it twice at most, as payload and value" {
        r flushall
        r set k $long
        r config set rdbcompression no
        set payload [r dump k]
        r del k
        set times [growth $megabytes { r restore k 0 $payload }]
        assert {$times < 2.3} "$times times its size"
        assert {[r get k] eq $long}
    }

    test "the slow log copies no large argument" {
        r flushall
        r config set slowlog-log-slower-than 0
        set times [growth $megabytes { r set k $long }]
        r config set slowlog-log-slower-than 10000
        assert {$times < 1.3} "$times times its size"
        assert_match {set k {0123*more bytes)}} [lindex [r slowlog get 1] 0 3]
        r slowlog reset
    }

    test "several large arguments in one command" {
        r flushall
        set values {}
        foreach {i n} {a 65535 b 65536 c 65537 d 1000000 e 200000} { lappend values $i [string repeat $i $n] }
        r mset {*}$values
        foreach {key value} $values { assert {[r get $key] eq $value} $key }
        r rpush list {*}$values
        assert {[r lrange list 0 -1] eq $values}
        r mset a [lindex $values 7] a {}
        assert_equal {} [r get a]
        r set k [lindex $values 7] ifeq [lindex $values 7]
        assert_equal {} [r get k]
        # The large one is the key.
        r set [lindex $values 7] small
        assert_equal small [r get [lindex $values 7]]
        assert_error_like {ERR unknown command 'ddddd*} {r [lindex $values 7] x}
        assert_equal [lindex $values 7] [r echo [lindex $values 7]]
    }

    test "commands before and behind one with a large argument, in pieces" {
        r flushall
        set value [string repeat v 300000]
        set text [client::encode {set a 1}][client::encode [list set k $value ex 100]][client::encode {incr a}]
        append text [client::encode [list append k $value]]set\ inline\ "x"\r\n[client::encode {get a}]
        foreach piece {1000000 65536 100000 7919} {
            set c [redis_client]
            for {set at 0} {$at < [string length $text]} {incr at $piece} {
                $c write [string range $text $at [expr {$at + $piece - 1}]]
                $c flush
                if {$piece < 65536} { sleep 1 }
            }
            set replies {}
            for {set i 0} {$i < 6} {incr i} { lappend replies [$c read] }
            assert_equal {OK OK 2 600000 OK 2} $replies
            assert {[r get k] eq "$value$value"}
            $c close
        }
        # Cut around the end of the argument.
        set head [string length [client::encode {set a 1}]]
        set end [expr {[string first vv $text] + 300000}]
        for {set at [expr {$end - 3}]} {$at < $end + 22} {incr at} {
            set c [redis_client]
            $c write [string range $text 0 $at]
            $c flush
            sleep 2
            $c write [string range $text [expr {$at + 1}] end]
            $c flush
            for {set i 0} {$i < 6} {incr i} { assert {[$c read] ne "x"} }
            assert_equal 600000 [r strlen k]
            $c close
        }
    }

    test "an error behind a large argument is a protocol error, and nothing is stored" {
        r flushall
        set c [redis_client]
        $c write "*5\r\n\$3\r\nSET\r\n\$1\r\nk\r\n\$100000\r\n[string repeat x 100000]\r\n"
        $c flush
        sleep 20
        $c write "*2\r\nEX\r\n"
        $c flush
        assert_error "ERR Protocol error: expected '$', got '*'" {$c read}
        assert [$c at_eof]
        $c close
        assert_equal 0 [r dbsize]
    }

    test "a client that leaves in the middle of a large argument leaves nothing" {
        set before [s used_memory]
        set c [redis_client]
        $c write "*3\r\n\$3\r\nSET\r\n\$1\r\nk\r\n\$50000000\r\n[string repeat x 1000000]"
        $c flush
        wait_for_condition {[s used_memory] > $before + 50000000}
        $c close
        wait_for_condition {[s connected_clients] == 1 && [s used_memory] < $before + 100000}
        assert_equal 0 [r dbsize]
    }

    test "CLIENT LIST: what has come of a large argument is qbuf, then argv-mem" {
        set c [redis_client]
        $c client setname half
        proc half {args} {
            foreach line [split [r client list] \n] {
                if {[line_field $line name] eq "half"} { return [lmap f $args { line_field $line $f }] }
            }
        }
        $c write "*5\r\n\$3\r\nSET\r\n\$5\r\nabcde\r\n\$1000000\r\n[string repeat x 400000]"
        $c flush
        wait_for_condition {[half qbuf argv-mem] eq {400000 8}}
        assert_between 400000 1100000 [half tot-mem]
        # The room of one that has stalled is given back.
        wait_for_condition {[half tot-mem] < 500000} -within 8000
        $c write "[string repeat x 600000]\r\n"
        $c flush
        wait_for_condition {[half qbuf argv-mem] eq {0 1000008}}
        assert {[half tot-mem] > 1000000}
        $c write "\$2\r\nEX\r\n\$3\r\n10"
        $c flush
        wait_for_condition {[half qbuf argv-mem] eq {2 1000010}}
        $c write "0\r\n"
        $c flush
        assert_equal OK [$c read]
        assert_equal {0 0} [half qbuf argv-mem]
        wait_for_condition {[half tot-mem] < 30000} -within 8000
        $c close
    }

    test "client-query-buffer-limit counts a large argument, and what is around it" {
        r flushall
        r config set client-query-buffer-limit 2mb
        set value [string repeat v 1500000]
        set c [redis_client]
        assert_equal OK [$c set k $value]
        assert_equal OK [$c set k $value ex 100]
        assert_error_like * {$c set k [string repeat v 2097152]}
        $c close
        set c [redis_client]
        assert_error_like * {$c mset a $value b $value}
        $c close
        r config set client-query-buffer-limit 1gb
        assert_equal 1 [r dbsize]
    }

    test "a large argument waits for the end of a pause, and others notice nothing" {
        r flushall
        set value [string repeat v 200000]
        r client pause 100000 write
        set c [redis_client]
        $c send set k $value ex 100
        $c send get k
        wait_for_condition {[s blocked_clients] >= 0 && [regexp {cmd=set} [r client list]]}
        $c send strlen k
        assert_equal 0 [r exists k]
        r client unpause
        assert_equal OK [$c read]
        assert {[$c read] eq $value}
        assert_equal 200000 [$c read]
        $c close
    }

    test "what follows a command with a large argument is told as ever" {
        r flushall
        r config set notify-keyspace-events KEA
        set value [string repeat v 200000]
        set c [redis_client]
        $c psubscribe *
        set m [redis_client]
        $m monitor
        set w [redis_client]
        $w watch k
        $w multi
        r setex k 100 $value
        assert_equal {} [$w exec]
        set events {}
        for {set i 0} {$i < 4} {incr i} { lappend events [lindex [$c read] 3] }
        assert_equal {set k expire k} $events
        wait_for_condition {[string length [set line [$m read]]] > 200000}
        assert_match "*\"setex\" \"k\" \"100\" \"vvv*v\"" $line
        foreach client [list $c $m $w] { $client close }
        r config set notify-keyspace-events {}
    }
}
