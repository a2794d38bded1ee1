# Who guesses passwords has to wait longer and longer, and nobody else has to.

# Milliseconds that a script takes.
proc takes {script} {
    set from [clock milliseconds]
    uplevel 1 $script
    expr {[clock milliseconds] - $from}
}

start_server {tags {auth-delay}} {
    test "without the setting no wrong password is delayed" {
        r config set requirepass right
        assert_equal {auth-delay-max 0} [r config get auth-delay-max]
        set c [redis_client]
        assert {[takes {for {set i 0} {$i < 50} {incr i} { catch {$c auth wrong} }}] < 2000}
        assert_equal OK [$c auth right]
        $c close
        r config set requirepass ""
    }
}

start_server {tags {auth-delay} overrides {bind "127.0.0.1 127.0.0.2" requirepass right auth-delay-max 300}} {
    r auth right

    test "the sixth wrong password waits, and the wait grows to its limit" {
        set c [redis_client]
        assert {[takes {
            for {set i 0} {$i < 5} {incr i} { assert_error_like WRONGPASS* {$c auth wrong} }
        }] < 90}
        assert_between 95 1000 [takes {assert_error_like WRONGPASS* {$c auth wrong}}]
        assert_between 195 1100 [takes {assert_error_like WRONGPASS* {$c auth wrong}}]
        assert_between 295 1200 [takes {assert_error_like WRONGPASS* {$c hello 3 auth default wrong}}]
        assert_between 295 1200 [takes {assert_error_like WRONGPASS* {$c auth wrong}}]
        assert_equal 4 [s redust_auth_delayed]
        $c close
    }

    test "who waits holds nobody up" {
        set c [redis_client -deferred]
        $c auth wrong
        assert {[takes {for {set i 0} {$i < 100} {incr i} { r ping }}] < 250}
        wait_for_condition {[s blocked_clients] == 0}
        assert_error_like WRONGPASS* {$c read}
        $c close
    }

    test "the right password from that address waits no longer than the limit, and is let in" {
        set c [redis_client]
        assert_between 295 1200 [takes {assert_equal OK [$c auth right]}]
        assert_equal PONG [$c ping]
        $c close
        set c [redis_client]
        $c hello 3 auth default right setname me
        assert_equal me [$c client getname]
        $c close
    }

    test "what a waiting client has sent behind its login runs after it" {
        set c [redis_client -deferred]
        $c auth right
        $c ping
        $c echo x
        assert_equal {OK PONG x} [list [$c read] [$c read] [$c read]]
        $c close
    }

    test "CLIENT UNBLOCK lets nobody in" {
        r config set auth-delay-max 5000
        set c [redis_client]
        for {set i 0} {$i < 2} {incr i} { catch {$c auth wrong} }
        $c close
        set c [redis_client -deferred]
        $c client id
        $c auth right
        $c ping
        assert_error_like NOAUTH* {$c read}
        wait_for_condition {[s blocked_clients] == 1}
        regexp {id=(\d+) [^\n]*cmd=auth} [r client list] - id
        assert_equal 1 [r client unblock $id]
        assert_error_like WRONGPASS* {$c read}
        assert_error_like NOAUTH* {$c read}
        $c close
    }

    test "a transaction of a known user is no way to guess without waiting" {
        r multi
        r auth wrong
        r auth right
        set replies [r exec]
        assert_match "*not possible in a transaction now*not possible in a transaction now*" $replies
    }

    test "another address does not wait" {
        set f [socket -myaddr 127.0.0.2 127.0.0.1 [srv port]]
        fconfigure $f -translation binary -buffering none
        set ms [takes {
            puts -nonewline $f "AUTH wrong\r\n"
            assert_match "-WRONGPASS*" [gets $f]
        }]
        assert {$ms < 90}
        close $f
    }

    test "the clients that wait can leave, and the setting can be taken back" {
        set c [redis_client -deferred]
        $c auth wrong
        wait_for_condition {[s blocked_clients] == 1}
        $c close
        wait_for_condition {[s blocked_clients] == 0}
        r config set auth-delay-max 0
        set c [redis_client]
        assert {[takes {assert_error_like WRONGPASS* {$c auth wrong}}] < 90}
        $c close
    }
}
