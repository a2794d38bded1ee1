# SLOWLOG and DEBUG.

start_server {tags {slowlog} overrides {slowlog-log-slower-than 1000000 slowlog-max-len 10}} {
    test "only slow commands are noted" {
        r slowlog reset
        r ping
        assert_equal 0 [r slowlog len]
        r config set slowlog-log-slower-than 30000
        r ping
        assert_equal 0 [r slowlog len]
        r debug sleep 0.06
        assert_equal 1 [r slowlog len]
    }

    test "an entry says what, when, how long and who" {
        r slowlog reset
        r client setname slowpoke
        r debug sleep 0.05
        set entry [lindex [r slowlog get] 0]
        lassign $entry id at usec command peer name
        assert_between [expr {[clock seconds] - 5}] [clock seconds] $at
        assert_between 50000 2000000 $usec
        assert_equal {debug sleep 0.05} $command
        assert_match 127.0.0.1:* $peer
        assert_equal slowpoke $name
        r debug sleep 0.04
        assert_equal [expr {$id + 1}] [lindex [r slowlog get 1] 0 0]
    }

    test "newest first, length bounded, GET takes a count" {
        r slowlog reset
        r config set slowlog-log-slower-than 0
        for {set i 0} {$i < 25} {incr i} { r echo $i }
        r config set slowlog-log-slower-than 1000000
        assert_equal 10 [r slowlog len]
        assert_equal 10 [llength [r slowlog get -1]]
        assert_equal 3 [llength [r slowlog get 3]]
        assert_equal {} [r slowlog get 0]
        r config set slowlog-max-len 2
        r config set slowlog-log-slower-than 0
        r ping
        assert_equal 2 [r slowlog len]
        r config set slowlog-max-len 10 slowlog-log-slower-than 1000000
        assert_error_like "ERR *" {r slowlog get x}
        assert_error_like "ERR count should be greater than or equal to -1" {r slowlog get -2}
    }

    test "long commands are cut" {
        r slowlog reset
        r config set slowlog-log-slower-than 0
        r mget {*}[lrepeat 100 k]
        r set k [string repeat a 300]
        r config set slowlog-log-slower-than 1000000
        set entries [r slowlog get -1]
        set found 0
        foreach entry $entries {
            set command [lindex $entry 3]
            if {[lindex $command 0] eq "mget"} {
                incr found
                assert_equal 32 [llength $command]
                assert_equal "... (70 more arguments)" [lindex $command end]
            }
            if {[lindex $command 0] eq "set"} {
                incr found
                assert_equal "[string repeat a 128]... (172 more bytes)" [lindex $command 2]
            }
        }
        assert_equal 2 $found
    }

    test "secrets are not noted" {
        r slowlog reset
        r config set slowlog-log-slower-than 0
        r config set masterauth secret1 requirepass secret2
        r auth secret2
        assert_error_like "*about users*" {r acl setrole somebody on >secret3}
        catch {r hello 2 "auth\x00" default secret4}
        r config set requirepass ""
        r config set slowlog-log-slower-than 1000000
        assert_no_match *secret* [r slowlog get -1]
        assert_match *(redacted)* [r slowlog get -1]
        r config set masterauth ""
    }

    test "off and HELP" {
        r config set slowlog-log-slower-than -1
        r slowlog reset
        r debug sleep 0.02
        assert_equal 0 [r slowlog len]
        assert_match {*RESET*} [r slowlog help]
    }
}

start_server {tags {debug}} {
    test "DEBUG POPULATE" {
        r debug populate 100 pre 30
        assert_equal 100 [r dbsize]
        assert_equal 30 [r strlen pre:99]
        r set pre:5 mine
        r debug populate 101 pre
        assert_equal mine [r get pre:5]
        assert_equal 101 [r dbsize]
        r flushall
    }

    test "DEBUG DIGEST: order does not matter, content, database and expiry do" {
        r flushall
        assert_equal [string repeat 0 40] [debug_digest]
        r mset a 1 b 2
        set first [debug_digest]
        r flushall
        r set b 2
        r set a 1
        assert_equal $first [debug_digest]
        r set a 2
        assert_not_equal $first [debug_digest]
        r set a 1 ex 100
        assert_not_equal $first [debug_digest]
        r persist a
        assert_equal $first [debug_digest]
        r move a 1
        assert_not_equal $first [debug_digest]
        r flushall
    }

    test "DEBUG DIGEST-VALUE looks at values only" {
        r mset a same b same c other
        lassign [r debug digest-value a b c missing] a b c missing
        assert_equal $a $b
        assert_not_equal $a $c
        assert_equal [string repeat 0 40] $missing
    }

    test "DEBUG OBJECT" {
        r set k v
        assert_match {Value at:* refcount:* encoding:embstr serializedlength:* lru:* lru_seconds_idle:*} [r debug object k]
        assert_error "ERR no such key" {r debug object missing}
    }

    test "DEBUG RELOAD keeps everything, with its options" {
        r flushall
        populate 500 k
        populate 100 t 10 0 {ex 5000}
        r select 3
        r set three 3
        r select 0
        set before [debug_digest]
        r debug reload
        assert_equal $before [debug_digest]
        r set later 1
        r debug reload nosave
        assert_equal $before [debug_digest]
        r debug reload nosave noflush merge
        assert_equal $before [debug_digest]
    }

    test "DEBUG LOG, SLEEP, JMAP-like nonsense" {
        set mark [log_mark]
        r debug log "greetings from the test"
        assert_log {*DEBUG LOG: greetings from the test*} $mark
        set began [now_ms]
        r debug sleep 0.05
        assert_between 50 1500 [expr {[now_ms] - $began}]
        assert_error_like "ERR unknown subcommand or wrong number of arguments for 'nosuch'. Try DEBUG HELP." {r debug nosuch}
    }

    test "SLOWLOG GET with too many arguments doesn't look at them" {
        assert_error "ERR unknown subcommand or wrong number of arguments for 'get'. Try SLOWLOG HELP." {r slowlog get x 1}
    }

    test "with a threshold of 0 every command of a transaction is logged" {
        r config set slowlog-log-slower-than 0
        r slowlog reset
        r multi
        for {set i 0} {$i < 20} {incr i} { r get k$i }
        r exec
        set names {}
        foreach entry [r slowlog get -1] { lappend names [lindex $entry 3 0] }
        assert_equal 20 [llength [lsearch -all $names get]]
        r config set slowlog-log-slower-than 10000
    }

    test "with a threshold of 0 a command that waited in vain is logged when it gives up" {
        set c [redis_client]
        set id [$c client id]
        r config set slowlog-log-slower-than 0
        r slowlog reset
        assert_equal {} [r blpop nolist 0.01]
        $c send blpop nolist 0
        wait_for_condition {[r client unblock $id error]}
        assert_error_like "UNBLOCKED *" {$c read}
        set found [lmap entry [r slowlog get -1] { expr {[lindex $entry 3 0] eq "blpop" ? [lindex $entry 3] : [continue]} }]
        assert_equal {{blpop nolist 0} {blpop nolist 0.01}} $found
        r config set slowlog-log-slower-than 10000
        $c close
    }
}
