# The harness itself: what the other files rely on.

test "random strings keep their bounds and alphabets" {
    for {set i 0} {$i < 50} {incr i} {
        set s [randstring 3 9 alpha]
        assert {[string length $s] >= 3 && [string length $s] <= 9}
        assert {[regexp {^[a-z]+$} $s]}
        assert {[regexp {^[a-d]*$} [randstring 0 5 compress]]}
    }
    assert_equal 4 [string length [randstring 4 4 binary]]
}

test "a failed assertion names both sides" {
    assert {[catch {assert_equal a b} why]}
    assert_equal "expected 'a', got 'b'" $why
    set x 3
    assert {[catch {assert {$x == 4}} why]}
    assert_match {*$x == 4 -> 3 == 4*} $why
}

start_server {tags {harness}} {
    test "the client keeps every byte of keys and values" {
        set all {}
        for {set i 0} {$i < 256} {incr i} { append all [format %c $i] }
        r set $all "\r\n$all\r\n"
        assert_equal "\r\n$all\r\n" [r get $all]
    }

    test "error replies are errors, nil is the empty string, types are told apart on request" {
        assert_error "ERR wrong number of arguments for 'get' command" {r get}
        r set empty ""
        r del absent
        assert_equal {} [r get absent]
        assert_typed null get absent
        assert_typed {bulk {}} get empty
        assert_typed {int 1} exists empty
        assert_typed {simple PONG} ping
        assert_typed {error {ERR syntax error}} set a b zz
    }

    test "deferred replies come in order" {
        set c [redis_client -deferred]
        $c set a 1
        $c incr a
        $c get a
        assert_equal OK [$c read]
        assert_equal 2 [$c read]
        assert_equal 2 [$c read]
        $c close
    }

    test "a silent server is a time-out, not a hang" {
        set c [redis_client -timeout 60]
        assert_error_like {time-out:*} {$c read}
        $c close
    }

    test "servers nest" {
        r set where outer
        set outer [srv pid]
        start_server {} {
            r set where inner
            assert_equal inner [r get where]
            assert_equal outer [r -1 get where]
            assert_equal $outer [srv -1 pid]
            assert {[srv port] != [srv -1 port]}
        }
        assert_equal outer [r get where]
    }

    test "a restart keeps the configuration and loses the data that was not saved" {
        r set gone 1
        set before [srv pid]
        restart_server
        assert {[srv pid] != $before}
        assert_equal {} [r get gone]
    }

    test "log lines are found from a mark on" {
        set mark [log_mark]
        r config set loglevel debug
        r debug sleep 0
        restart_server
        wait_for_log {*eady to accept connections*} $mark
        assert_no_log {*eady to accept connections*} [log_mark]
    }

    test "pipeline and populate" {
        r flushall
        populate 1500 p: 20
        assert_equal 1500 [r dbsize]
        assert_equal 20 [r strlen p:1499]
        assert_equal {OK 2} [pipeline {{set a 1} {incr a}}]
    }
}
