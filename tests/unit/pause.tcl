# CLIENT PAUSE and UNPAUSE.

proc wait_for_postponed {count} {
    wait_for_condition {[s blocked_clients] == $count} -what "blocked_clients is [s blocked_clients]"
}

start_server {tags {pause}} {
    test "a pause of writes holds writes back, and lets reads through" {
        r flushall
        r set k old
        set c [redis_client]
        r client pause 60000 write
        assert_equal old [r get k]
        $c send set k new
        wait_for_postponed 1
        assert_equal old [r get k]
        assert_match "*flags=b*" [r client list id [expr {[r client id] + 1}]]
        assert_equal OK [r client unpause]
        assert_equal OK [$c read]
        assert_equal new [r get k]
        assert_equal 0 [s blocked_clients]
        $c close
    }

    test "a pipeline goes on where it stopped, in order" {
        set c [redis_client]
        r client pause 60000 write
        $c send get k
        $c send set k 1
        $c send incr k
        $c send get k
        assert_equal new [$c read]
        wait_for_postponed 1
        r client unpause
        assert_equal {OK 2 2} [list [$c read] [$c read] [$c read]]
        $c close
    }

    test "what replicas are told of waits as well, and EXEC of a transaction that writes" {
        set a [redis_client]
        set b [redis_client]
        $b multi
        $b set k 5
        r client pause 60000 write
        $a send publish ch x
        $b send exec
        wait_for_postponed 2
        r client unpause
        assert_equal 0 [$a read]
        assert_equal OK [$b read]
        $a close
        $b close
    }

    test "a pause of everything ends by itself" {
        set began [clock milliseconds]
        assert_equal OK [r client pause 300 all]
        r ping
        assert {[clock milliseconds] - $began >= 290}
    }

    test "the longer time and the wider scope win" {
        r client pause 60000 write
        r client pause 10 write
        sleep 50
        set c [redis_client]
        $c send set k 6
        wait_for_postponed 1
        r client unpause
        assert_equal OK [$c read]
        $c close
    }

    test "nothing expires while writes are paused" {
        r config resetstat
        r set short v px 30
        r client pause 60000 write
        sleep 80
        assert_equal {{} 2 0} [list [r get short] [r dbsize] [s expired_keys]]
        r client unpause
        wait_for_condition {[r dbsize] == 1} -what "[r dbsize] keys"
        assert_equal 1 [s expired_keys]
    }

    test "CLIENT REPLY SKIP still holds for a command that had to wait" {
        set c [redis_client]
        r client pause 60000 write
        $c send client reply skip
        $c send set k skipped
        $c send set k 6
        wait_for_postponed 1
        r client unpause
        assert_equal OK [$c read]
        assert_equal PONG [$c ping]
        assert_equal 6 [r get k]
        $c close
    }

    test "a client that leaves while it waits is forgotten" {
        r client pause 60000 write
        set c [redis_client]
        $c send set k gone
        wait_for_postponed 1
        $c close
        wait_for_postponed 0
        r client unpause
        assert_equal 6 [r get k]
    }

    test "wrong arguments" {
        assert_error "ERR timeout is not an integer or out of range" {r client pause x}
        assert_error "ERR timeout is negative" {r client pause -1}
        assert_error "ERR CLIENT PAUSE mode must be WRITE or ALL" {r client pause 1 some}
    }
}
