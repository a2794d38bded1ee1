# COMMANDLOG of Valkey 8.1: SLOWLOG under another name, and the logs of large requests and replies.

set off {commandlog-request-larger-than 1048576 commandlog-reply-larger-than 1048576 slowlog-log-slower-than 10000}

proc noted {kind} {
    lmap entry [r commandlog get -1 $kind] { lindex $entry 3 0 }
}

proc forget {} {
    foreach kind {slow large-request large-reply} { r commandlog reset $kind }
}

start_server {tags {commandlog}} {
    need_command commandlog

    test "all three logs are empty at first" {
        foreach kind {slow large-request large-reply} {
            assert_equal 0 [r commandlog len $kind]
            assert_equal {} [r commandlog get -1 $kind]
        }
    }

    test "a large request and a large reply are noted with their bytes" {
        r client setname giant
        set value [string repeat v 1048576]
        r set big $value
        r set small x
        r get big
        r get small
        lassign [lindex [r commandlog get -1 large-request] 0] id at bytes command peer name
        assert_equal 0 $id
        assert_between [expr {[clock seconds] - 5}] [clock seconds] $at
        assert_equal [string length "*3\r\n\$3\r\nset\r\n\$3\r\nbig\r\n\$1048576\r\n$value\r\n"] $bytes
        assert_equal [list set big "[string repeat v 128]... (1048448 more bytes)"] $command
        assert_match 127.0.0.1:* $peer
        assert_equal giant $name
        assert_equal set [noted large-request]
        assert_equal get [noted large-reply]
        assert_equal [expr {1048576 + 12}] [lindex [r commandlog get 1 large-reply] 0 2]
    }

    test "low thresholds hold in a pipeline too" {
        r config set commandlog-request-larger-than 300 commandlog-reply-larger-than 200
        forget
        set value [string repeat v 280]
        r send set a $value
        r send set b short
        r send get a
        r send get b
        r send set c $value
        foreach i {1 2 3 4 5} { r read }
        # This is a large reply itself.
        assert_equal get [noted large-reply]
        assert_equal {set set} [noted large-request]
        r config set {*}$off
    }

    test "the limits themselves belong to it, -1 switches off and so does a length of 0" {
        r set k [string repeat v 100]
        r config set commandlog-reply-larger-than 108
        forget
        r get k
        assert_equal get [noted large-reply]
        r config set commandlog-reply-larger-than 109
        forget
        r get k
        assert_equal {} [noted large-reply]
        r config set commandlog-reply-larger-than -1 commandlog-request-larger-than -1
        r get k
        r set k [string repeat v 2000000]
        assert_equal {{} {}} [list [noted large-reply] [noted large-request]]
        r config set commandlog-reply-larger-than 0 commandlog-request-larger-than 0 \
            commandlog-large-reply-max-len 0 commandlog-large-request-max-len 0
        for {set i 0} {$i < 100} {incr i} { r ping }
        assert_equal {0 0} [list [r commandlog len large-reply] [r commandlog len large-request]]
        r config set commandlog-large-reply-max-len 10 commandlog-large-request-max-len 7
        for {set i 0} {$i < 100} {incr i} { r ping }
        assert_equal {10 7} [list [r commandlog len large-reply] [r commandlog len large-request]]
        assert_equal 3 [llength [r commandlog get 3 large-reply]]
        r config set commandlog-large-request-max-len 2
        assert_equal 2 [r commandlog len large-request]
        r config set {*}$off commandlog-large-reply-max-len 128 commandlog-large-request-max-len 128
    }

    test "slow is the log of SLOWLOG, and its settings have two names" {
        r config set commandlog-execution-slower-than 0 commandlog-slow-execution-max-len 5
        assert_equal {slowlog-log-slower-than 0} [r config get slowlog-log-slower-than]
        assert_equal {commandlog-execution-slower-than 0} [r config get commandlog-execution-slower-than]
        for {set i 0} {$i < 10} {incr i} { r echo $i }
        assert_equal 5 [r commandlog len slow]
        assert_equal [lindex [r slowlog get] 2 0] [lindex [r commandlog get -1 slow] 3 0]
        r slowlog reset
        assert_equal {slowlog} [lindex [r commandlog get -1 slow] 0 3 0]
        r config set {*}$off slowlog-max-len 128
    }

    test "what a transaction has queued is noted when it runs, EXEC itself never" {
        forget
        set c [redis_client]
        r multi
        r set big [string repeat v 1048576]
        r get big
        assert_equal 0 [$c commandlog len large-request]
        r exec
        assert_equal set [noted large-request]
        assert_equal get [noted large-reply]
        $c close
    }

    test "what a script calls has no request of its own" {
        forget
        r eval {redis.call('set', KEYS[1], ARGV[1]) redis.call('get', KEYS[1]) return 1} 1 k [string repeat v 1048576]
        assert_equal eval [noted large-request]
        assert_equal get [noted large-reply]
    }

    test "a command that had to wait is noted when it is served" {
        forget
        set c [redis_client]
        $c send blpop [string repeat k 1048576] waiting 0
        wait_for_condition {[s blocked_clients] == 1}
        assert_equal {} [noted large-request]
        r rpush waiting [string repeat v 1048576]
        $c read
        assert_equal {blpop rpush} [lsort [noted large-request]]
        assert_equal blpop [noted large-reply]
        $c close
    }

    test "a reply that nobody gets is not large" {
        r set big [string repeat v 1048576]
        forget
        set c [redis_client]
        $c send client reply off
        $c send get big
        $c send client reply on
        assert_equal OK [$c read]
        assert_equal {} [noted large-reply]
        $c close
    }

    test "secrets are not noted" {
        r config set commandlog-request-larger-than 0
        forget
        r config set masterauth secret
        r config set {*}$off
        assert_no_match *secret* [r commandlog get -1 large-request]
        assert_match *(redacted)* [r commandlog get -1 large-request]
        r config set masterauth ""
    }

    test "errors and HELP" {
        set kinds "ERR type should be one of the following: slow, large-request, large-reply"
        assert_error $kinds {r commandlog len fast}
        assert_error $kinds {r commandlog reset fast}
        assert_error $kinds {r commandlog get 1 fast}
        assert_error "ERR count should be greater than or equal to -1" {r commandlog get -2 fast}
        assert_error_like "ERR wrong number of arguments for 'commandlog|get' command" {r commandlog get 1}
        assert_error_like "ERR wrong number of arguments for 'commandlog|len' command" {r commandlog len}
        assert_error_like "ERR unknown subcommand 'nosuch'. Try COMMANDLOG HELP." {r commandlog nosuch}
        assert_match {*RESET*} [r commandlog help]
    }
}
