# Clients that wait, leave or send more than they may: what they sent before, who comes next, who is still seen.

proc wait_for_blocked {count} {
    wait_for_condition {[s blocked_clients] == $count} -what "blocked_clients is [s blocked_clients]"
}

proc encode {args} {
    set out "*[llength $args]\r\n"
    foreach arg $args { append out "\$[string length $arg]\r\n$arg\r\n" }
    return $out
}

start_server {tags {waiting}} {
    test "a parked client that leaves takes nothing along, whatever it has sent behind its command" {
        foreach how {list pause} {
            r del jobs x
            set c [redis_client]
            if {$how eq "pause"} { r client pause 60000 write }
            $c write [encode blpop jobs 0]
            # More than one read of the server takes.
            $c write [string repeat [encode set x [string repeat v 1000]] 300]
            $c flush
            wait_for_blocked 1
            $c close
            wait_for_blocked 0
            if {$how eq "pause"} { r client unpause }
            r rpush jobs j
            assert_equal {1 0} [list [r llen jobs] [r exists x]] $how
        }
    }

    test "what a parked client sends counts towards the query buffer's limit" {
        r config set client-query-buffer-limit 1mb
        set c [redis_client]
        $c write [encode blpop nothing 0]
        catch {
            $c write [string repeat [encode set x [string repeat v 1000]] 2000]
            $c flush
        }
        wait_for_condition {[s blocked_clients] == 0 && [s client_query_buffer_limit_disconnections] == 1}
        $c close
        r config set client-query-buffer-limit 1gb
    }

    test "a command over the query buffer's limit is refused though all of it has come" {
        r config set client-query-buffer-limit 1mb
        for {set i 0} {$i < 5} {incr i} {
            set c [redis_client]
            assert_error_like * {$c set k [string repeat v 1048577]}
            $c close
        }
        assert_equal 0 [r exists k]
        r config set client-query-buffer-limit 1gb
    }

    test "a transaction's queue counts towards the query buffer's limit" {
        r config set client-query-buffer-limit 1mb
        set c [redis_client]
        $c multi
        assert_error_like * {
            for {set i 0} {$i < 20} {incr i} { $c set k [string repeat v 100000] }
        }
        $c close
        r config set client-query-buffer-limit 1gb
    }

    test "a woken client has run what it has sent before others hear of it" {
        for {set i 0} {$i < 100} {incr i} {
            r del l x
            set c [redis_client]
            $c write [encode blpop l 0][encode set x 1]
            $c flush
            wait_for_blocked 1
            r lpush l a
            assert_equal 1 [r get x]
            $c close
        }
    }

    test "a command that a pause held back has run before others hear of its end" {
        for {set i 0} {$i < 100} {incr i} {
            r del x
            set c [redis_client]
            r client pause 100000 write
            $c send set x 1
            wait_for_blocked 1
            r client unpause
            assert_equal 1 [r get x]
            $c close
        }
    }

    test "clients go on in the order in which they came" {
        set order {3 1 4 0 2}
        foreach held {pause list} {
            r del order
            foreach n {0 1 2 3 4} { set client($n) [redis_client] }
            if {$held eq "pause"} { r client pause 100000 write }
            foreach n $order {
                if {$held eq "list"} { $client($n) write [encode blpop queue 0] }
                $client($n) write [encode rpush order $n]
                $client($n) flush
                wait_for_blocked [expr {[lsearch $order $n] + 1}]
            }
            if {$held eq "pause"} { r client unpause } else { r rpush queue a b c d e }
            assert_equal $order [r lrange order 0 -1] $held
            foreach n $order { $client($n) close }
        }
    }

    test "a client that is killed is gone for the commands behind" {
        set s [redis_client]
        $s subscribe x
        r multi
        r client kill type pubsub
        r publish x m
        r pubsub numsub x
        r client kill type pubsub
        assert_equal {1 0 {x 0} 0} [r exec]
        $s close
    }

    test "those who have left make room for those who come" {
        r config set maxclients 2
        set rejected [s rejected_connections]
        for {set i 0} {$i < 100} {incr i} {
            set c [redis_client]
            $c ping
            $c close
        }
        assert_equal $rejected [s rejected_connections]
        r config set maxclients 10000
    }

    test "somebody who speaks HTTP is sent away before its headers are read" {
        foreach line {"POST / HTTP/1.1" "Host: x" "post x"} {
            set c [redis_client]
            $c write "$line\r\nHost: x\r\n\r\nSET pwned yes\r\n"
            $c flush
            wait_for_condition {[$c at_eof]}
            $c close
        }
        set c [redis_client]
        $c write [encode post][encode set pwned yes]
        $c flush
        wait_for_condition {[$c at_eof]}
        $c close
        assert_equal 0 [r exists pwned]
        assert_log "*Possible SECURITY ATTACK detected*"
    }

    test "a long line is read if its end comes with it" {
        foreach size {65530 70000 81900} {
            set c [redis_client]
            $c write "SET line [string repeat x [expr {$size - 11}]]\r\n"
            $c flush
            assert_equal OK [$c read] $size
            $c close
        }
        set c [redis_client]
        $c write "SET line [string repeat x 100000]\r\n"
        $c flush
        assert_error_like "*too big inline request*" {$c read}
        $c close
    }

    test "CLIENT LIST names the command that waits for the end of a pause" {
        set c [redis_client]
        set id [$c client id]
        r client pause 60000 write
        $c send set k v
        wait_for_blocked 1
        assert_match "*cmd=set*" [r client list id $id]
        r client unpause
        $c close
    }

    test "CLIENT REPLY in a transaction holds from there on" {
        set c [redis_client]
        $c write "MULTI\r\nPING a\r\nCLIENT REPLY SKIP\r\nPING b\r\nEXEC\r\nPING skipped\r\nPING last\r\n"
        $c flush
        foreach line {+OK +QUEUED +QUEUED +QUEUED *3 {$1} a {$1} b {$4} last} {
            assert_equal $line [$c gets]
        }
        $c close
    }

    test "RESET gives back what subscriptions have taken" {
        set c [redis_client]
        set id [$c client id]
        set mem {regexp {tot-mem=(\d+)} [r client list id $id] - bytes; set bytes}
        set before [eval $mem]
        for {set i 0} {$i < 100} {incr i} { $c subscribe [string repeat x 1000]$i }
        assert {[eval $mem] > $before + 100000}
        $c reset
        assert {[eval $mem] < $before + 50000} "[eval $mem] after $before"
        $c close
    }

    test "without memory nothing is queued, and a transaction that fails anyway keeps its reply" {
        r set watched 1
        set c [redis_client]
        $c watch watched
        r set watched 2
        $c multi
        $c set k v
        r multi
        r config set maxmemory 1
        r exec
        assert_equal {} [$c exec]
        $c multi
        assert_error_like "OOM *" {$c ping}
        assert_error_like "EXECABORT *" {$c exec}
        r config set maxmemory 0
        $c close
    }
}

start_server {tags {waiting} overrides {requirepass secret}} {
    test "a stranger that does not read is sent away early" {
        r auth secret
        set c [redis_client]
        catch {
            for {set i 0} {$i < 300} {incr i} {
                $c write [string repeat "*1\r\n\$4\r\nnope\r\n" 1000]
                $c flush
            }
        }
        wait_for_condition {[s client_output_buffer_limit_disconnections] == 1}
        assert {[s used_memory_peak] < 16000000}
        $c close
    }
}

start_server {tags {waiting}} {
    test "WAIT and WAITAOF for replicas that are not there wait until their time is up" {
        foreach {command nobody} {{wait 1 200} 0 {waitaof 0 1 200} {0 0}} {
            r config resetstat
            set start [clock milliseconds]
            assert_equal $nobody [r {*}$command]
            assert_between 195 5000 [expr {[clock milliseconds] - $start}]
            assert_match {calls=1,*,failed_calls=0} [s cmdstat_[lindex $command 0]]
        }
        assert_error "ERR timeout is out of range" {r wait 1 9223372036854775807}
        set c [redis_client]
        set id [$c client id]
        $c send wait 1 0
        $c send ping
        wait_for_blocked 1
        assert_equal 0 [s total_blocking_keys]
        assert_equal 1 [r client unblock $id]
        assert_equal {0 PONG} [list [$c read] [$c read]]
        $c send waitaof 0 1 0
        wait_for_blocked 1
        assert_equal 1 [r client unblock $id error]
        assert_error "UNBLOCKED client unblocked via CLIENT UNBLOCK" {$c read}
        $c close
    }
}
