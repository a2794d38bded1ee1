# A client that floods, or does not read, holds up neither the server nor the others.

start_server {tags {backpressure}} {
    test "a client that writes everything first and reads later gets all its replies" {
        r setrange value 999 x
        set c [redis_client]
        # 40 MB of replies to a client that writes until the last command is sent.
        set one "*2\r\n\$3\r\nget\r\n\$5\r\nvalue\r\n"
        for {set i 0} {$i < 400} {incr i} {
            $c write [string repeat $one 100]
            $c flush
        }
        $c write "*2\r\n\$4\r\nincr\r\n\$3\r\nall\r\n"
        $c flush
        wait_for_condition {[r get all] == 1} -within 20000
        for {set i 0} {$i < 40000} {incr i} { assert_equal 1000 [string length [$c read]] }
        assert_equal 1 [$c read]
        $c close
    }

    r config set client-backpressure-limit 16mb

    test "a client that does not read is no longer served, and goes on when it reads" {
        r setrange big 999999 x
        set c [redis_client]
        $c client setname idler
        # 100 MB of replies to a client that reads none of them.
        $c write [string repeat "get big\r\nincr done\r\n" 100]
        $c flush
        wait_for_condition {[r get done] > 0}
        set seen -1
        wait_for_condition {$seen == [set seen [sleep 100; r get done]]} -within 20000
        assert {$seen < 60} "all was run: $seen"
        assert {[s used_memory] < 40000000}
        for {set i 1} {$i <= 100} {incr i} {
            assert_equal 1000000 [string length [$c read]]
            assert_equal $i [$c read]
        }
        assert_equal 100 [r get done]
        assert_equal PONG [$c ping]
        $c close
    }

    test "one that leaves while it is held is gone" {
        set c [redis_client]
        $c client setname leaver
        $c write [string repeat "get big\r\n" 100]
        $c flush
        wait_for_condition {[string match {*name=leaver*events=rw*} [r client list]]}
        $c close
        wait_for_condition {![string match {*name=leaver*} [r client list]]}
    }

    test "a class with a limit runs into it instead" {
        r config set client-output-buffer-limit {normal 20mb 0 0}
        set c [redis_client]
        $c write [string repeat "get big\r\n" 100]
        $c flush
        wait_for_condition {[s client_output_buffer_limit_disconnections] == 1} -within 20000
        $c close
        r config set client-output-buffer-limit {normal 0 0 0}
    }

    test "slow commands of one pipeline let others in between" {
        r config set latency-tracking no
        for {set i 0} {$i < 3000} {incr i} { lappend items $i }
        r sadd s {*}$items
        set c [redis_client]
        # Each takes a good part of a millisecond, all come in one read.
        $c write [string repeat "sort s limit 0 1\r\nincr turns\r\n" 500]
        $c flush
        wait_for_condition {[r get turns] > 0}
        # A bystander sees the number grow in many steps: it is served in between.
        set steps {}
        while {[set n [r get turns]] < 500} { dict incr steps $n }
        assert {[dict size $steps] >= 20} "served only [dict size $steps] times"
        for {set i 1} {$i <= 500} {incr i} {
            assert_equal 0 [lindex [$c read] 0]
            assert_equal $i [$c read]
        }
        $c close
    }

    test "a million commands in one pipeline keep their order, and a bystander its turns" {
        set c [redis_client]
        r del n
        set chunk [string repeat "incr n\r\n" 10000]
        set expected 0
        set seen {}
        for {set i 0} {$i < 100} {incr i} {
            $c write $chunk
            $c flush
            dict incr seen [r get n]
            for {set j 0} {$j < 10000} {incr j} {
                if {[$c read] != [incr expected]} { fail "out of order at $expected" }
            }
        }
        assert_equal 1000000 [r get n]
        $c close
    }

    test "a message to many is delivered to each, in order, though it takes several turns" {
        set subscribers {}
        for {set i 0} {$i < 300} {incr i} {
            set c [redis_client]
            $c subscribe ch
            lappend subscribers $c
        }
        for {set i 0} {$i < 50} {incr i} { assert_equal 300 [r publish ch $i] }
        r publish ch [string repeat x 5000]
        foreach c $subscribers {
            for {set i 0} {$i < 50} {incr i} { assert_equal [list message ch $i] [$c read] }
            assert_equal 5000 [string length [lindex [$c read] 2]]
            $c close
        }
    }

    test "a subscriber's replies and messages keep their order" {
        set c [redis_client]
        $c hello 3
        $c subscribe ch
        for {set i 0} {$i < 100} {incr i} {
            r publish ch $i
            assert_equal $i [$c echo $i]
            assert_equal [list message ch $i] [$c push]
        }
        # Its own message follows the reply of its command.
        $c send publish ch own
        assert_match {*} [$c read]
        $c close
    }

    test "a client that is being closed takes no element with it" {
        r del queue
        set c [redis_client]
        set id [$c client id]
        $c send blpop queue 0
        wait_for_condition {[s blocked_clients] == 1}
        # In one turn: it is killed, and what it waited for comes.
        r write "client kill id $id\r\nrpush queue x\r\n"
        r flush
        assert_equal {1 1} [list [r read] [r read]]
        assert_equal x [r lpop queue]
        assert [$c at_eof]
        $c close
    }
}
