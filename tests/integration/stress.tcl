# Abuse: many connections, absurd headers, deep and wide requests; memory must come back.

start_server {tags {stress} overrides {maxclients 20000}} {
    test "thousands of connections at once are all served, and cost little afterwards" {
        set limit [exec sh -c "ulimit -n"]
        set maxclients [lindex [r config get maxclients] 1]
        set n 10000
        foreach have [list [expr {$limit eq "unlimited" ? 1000000 : $limit - 200}] [expr {$maxclients - 100}]] { set n [expr {min($n, $have)}] }
        need {$n >= 500} "the limit on open files ($limit) leaves no room for it"
        set crowds {}
        for {set left $n} {$left > 0} {incr left -900} {
            set pipe [open "|[list [info nameofexecutable] $::testdir/support/crowd.tcl [srv port] [expr {min($left, 900)}]]" r+]
            lappend crowds $pipe
        }
        foreach pipe $crowds { assert_equal ready [gets $pipe] }
        assert_equal $n [r get stress]
        assert {[s connected_clients] >= $n}
        assert_equal [s connected_clients] [llength [split [string trim [r client list]] \n]]
        foreach pipe $crowds { close $pipe }
        wait_for_condition {[s connected_clients] < 10} -within 8000
    }

    test "connecting and leaving at once, many times" {
        set before [s total_connections_received]
        for {set i 0} {$i < 1000} {incr i} {
            set c [redis_client]
            if {$i % 3 == 0} { $c write "*1\r\n"; $c flush }
            $c close
        }
        wait_for_condition {[s connected_clients] < 10} -within 5000
        wait_for_condition {[s total_connections_received] >= $before + 1000}
    }
}

start_server {tags {stress}} {
    test "a header that announces a gigabyte is refused, one within the limit reserves nothing before data comes" {
        set before [s used_memory]
        set c [redis_client]
        $c write "*2\r\n\$3\r\nGET\r\n\$1073741824\r\n"
        $c flush
        assert_equal "-ERR Protocol error: invalid bulk length" [$c gets]
        assert_equal 1 [$c at_eof]
        $c close
        set clients {}
        set rss [s used_memory_rss]
        for {set i 0} {$i < 20} {incr i} {
            set c [redis_client]
            $c write "*2\r\n\$3\r\nGET\r\n\$500000000\r\nabc"
            $c flush
            lappend clients $c
        }
        sleep 200
        assert {[s used_memory_rss] - $rss < 100000000} "resident bytes for 20 announced half gigabytes"
        foreach c $clients { $c close }
        wait_for_condition {[s used_memory] < $before + 5000000} -within 8000
    }

    test "an array of a million arguments, and the memory comes back" {
        set before [s used_memory]
        set c [redis_client -timeout 60000]
        $c write "*1000001\r\n\$3\r\nDEL\r\n[string repeat "\$1\r\nk\r\n" 1000000]"
        $c flush
        assert_equal 0 [$c read]
        $c close
        wait_for_condition {[s used_memory] < $before + 5000000} -within 10000
    }

    test "an array header of a million that never gets its arguments" {
        set rss [s used_memory_rss]
        set clients {}
        for {set i 0} {$i < 50} {incr i} {
            set c [redis_client]
            $c write "*1000000\r\n\$3\r\n"
            $c flush
            lappend clients $c
        }
        sleep 100
        assert {[s used_memory_rss] - $rss < 60000000} "resident bytes for 50 announced arrays"
        foreach c $clients { $c close }
        assert_equal PONG [r ping]
    }

    test "a million nested array headers are a protocol error, not a stack overflow" {
        set c [redis_client -timeout 20000]
        catch {
            $c write [string repeat "*1\r\n" 1000000]
            $c flush
        }
        assert_equal "-ERR Protocol error: expected '\$', got '*'" [$c gets]
        assert_equal 1 [$c at_eof]
        $c close
        assert_equal PONG [r ping]
    }

    test "random bytes never stop the server" {
        for {set i 0} {$i < 200} {incr i} {
            set c [redis_client -timeout 2000]
            set noise [randstring 1 400]
            if {$i % 2} { set noise "*[random_int 5]\r\n\$[random_int 20]\r\n$noise" }
            catch { $c write $noise; $c flush }
            $c close
        }
        assert_equal PONG [r ping]
    }

    test "a client that never reads is cut off at its output limit" {
        r config set client-output-buffer-limit "normal 20mb 0 0"
        r set big [string repeat x 1000000]
        set c [redis_client]
        fconfigure [$c fd] -buffersize 1000
        catch {
            $c write [string repeat [client::encode {get big}] 200]
            $c flush
        }
        wait_for_condition {[llength [split [string trim [r client list type normal]] \n]] == 1} -within 8000 -what "the reader was cut off"
        $c close
        r config set client-output-buffer-limit "normal 0 0 0"
        r del big
    }

    test "a client that reads slowly gets everything in the end" {
        set value [randstring 200000 200000 alpha]
        r set slow $value
        set c [redis_client -timeout 20000]
        $c write [string repeat [client::encode {get slow}] 100]
        $c flush
        sleep 300
        for {set i 0} {$i < 100} {incr i} {
            if {[$c read] ne $value} { fail "reply $i is damaged" }
            if {$i % 10 == 0} { sleep 10 }
        }
        $c close
        r flushall
    }

    test "200 clients writing mixed commands in turns agree with the counter" {
        r flushall
        set clients {}
        for {set i 0} {$i < 200} {incr i} { lappend clients [redis_client -deferred] }
        for {set round 0} {$round < 10} {incr round} {
            foreach c $clients {
                $c write [client::encode {incr total}][client::encode [list set k$round $round]][client::encode [list get k$round]]
                $c flush
            }
            foreach c $clients { $c read; $c read; assert_equal $round [$c read] }
        }
        assert_equal 2000 [r get total]
        foreach c $clients { $c close }
    }
}
