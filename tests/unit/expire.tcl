# Expiry: setting it in every form, conditions, reading it, active and lazy removal.

start_server {tags {expire}} {
    test "EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT set what TTL, PTTL, EXPIRETIME, PEXPIRETIME tell" {
        r set k v
        assert_equal 1 [r expire k 100]
        assert_between 99 100 [r ttl k]
        assert_equal 1 [r pexpire k 50000]
        assert_between 49000 50000 [r pttl k]
        set at [expr {[clock seconds] + 300}]
        assert_equal 1 [r expireat k $at]
        assert_equal $at [r expiretime k]
        assert_equal ${at}000 [r pexpiretime k]
        assert_equal 1 [r pexpireat k ${at}999]
        assert_equal ${at}999 [r pexpiretime k]
        assert_between 299 301 [r ttl k]
    }

    test "keys without expiry say -1, missing ones -2" {
        r set k v
        foreach command {ttl pttl expiretime pexpiretime} {
            assert_equal -1 [r $command k]
            assert_equal -2 [r $command missing]
        }
        foreach command {expire pexpire expireat pexpireat} { assert_equal 0 [r $command missing 100] }
    }

    test "PERSIST" {
        r set k v ex 100
        assert_equal 1 [r persist k]
        assert_equal -1 [r ttl k]
        assert_equal 0 [r persist k]
        assert_equal 0 [r persist missing]
    }

    test "NX XX GT LT on a key without expiry" {
        foreach {option want} {nx 1 xx 0 gt 0 lt 1} {
            r set k v
            assert_equal $want [r expire k 100 $option]
            assert_equal [expr {$want ? 100 : -1}] [r ttl k]
        }
    }

    test "NX XX GT LT on a key with expiry, against less, equal and more" {
        set base [expr {([clock seconds] + 1000) * 1000}]
        foreach {option wants} {nx {0 0 0} xx {1 1 1} gt {0 0 1} lt {1 0 0}} {
            foreach delta {-1 0 1} want $wants {
                r set k v pxat $base
                assert_equal $want [r pexpireat k [expr {$base + $delta}] $option] "$option $delta"
                assert_equal [expr {$want ? $base + $delta : $base}] [r pexpiretime k]
            }
        }
        r set k v ex 100
        assert_equal 1 [r expire k 50 xx lt]
        assert_equal 0 [r expire k 40 gt xx]
        assert_equal 1 [r expire k 200 XX GT]
        r persist k
        assert_equal 0 [r expire k 10 xx lt]
    }

    test "contradicting and unknown conditions" {
        r set k v
        foreach pair {{nx xx} {nx gt} {nx lt} {lt nx}} {
            assert_error "ERR NX and XX, GT or LT options at the same time are not compatible" {r expire k 100 {*}$pair}
        }
        assert_error "ERR GT and LT options at the same time are not compatible" {r expire k 100 gt lt}
        assert_error "ERR Unsupported option foo" {r expire k 100 foo}
        assert_error "ERR Unsupported option foo" {r pexpireat k 100 nx foo}
        assert_error "ERR wrong number of arguments for 'expire' command" {r expire k}
        assert_equal -1 [r ttl k]
    }

    test "times that are no integer or do not fit" {
        r set k v
        foreach bad {abc 1.5 {} 9223372036854775808} {
            foreach command {expire pexpire expireat pexpireat} {
                assert_error "ERR value is not an integer or out of range" {r $command k $bad}
            }
        }
        foreach {command value} {
            expire 9223372036854775807 expire 9223372036854776 expire -9223372036854775807
            expireat 9223372036854775807 pexpire 9223372036854775807 expireat -9223372036854775808
        } {
            assert_error "ERR invalid expire time in '$command' command" {r $command k $value}
        }
        assert_equal -1 [r ttl k]
        assert_equal 1 [r pexpireat k 9223372036854775807]
        assert_equal 9223372036854775807 [r pexpiretime k]
    }

    test "a time that has passed deletes at once" {
        foreach command {{expire k 0} {expire k -1} {pexpire k -1} {expireat k 1} {pexpireat k 0} {expireat k -100}} {
            r set k v
            assert_equal 1 [r {*}$command]
            assert_equal 0 [r exists k]
            assert_equal 0 [r dbsize]
        }
        r set k v
        assert_equal 0 [r expire k -1 gt]
        assert_equal 1 [r exists k]
        assert_equal 1 [r expire k -1 lt]
        assert_equal 0 [r exists k]
    }

    test "TTL rounds to the nearest second, PTTL is exact" {
        r set k v px 10400
        assert_equal 10 [r ttl k]
        r set k v px 10900
        assert_equal 11 [r ttl k]
    }

    test "a key is there before its time and gone after it (within 100 ms)" {
        foreach command {{psetex k 150 v} {set k v px 150}} {
            r {*}$command
            sleep 60
            assert_equal v [r get k]
            sleep 110
            assert_equal {} [r get k]
            assert_equal -2 [r ttl k]
        }
        r set k v
        r pexpire k 1
        sleep 5
        assert_equal 0 [r exists k]
    }

    test "lazy expiry: every access meets a dead key as missing" {
        r debug set-active-expire 0
        set n 0
        foreach {command want} {
            {get K} {} {exists K} 0 {type K} none {ttl K} -2 {strlen K} 0 {getrange K 0 -1} {} {del K} 0 {unlink K} 0
            {persist K} 0 {expire K 100} 0 {getset K x} {} {append K x} 1 {incr K} 1 {setnx K x} 1 {touch K} 0
            {copy K other} 0 {move K 2} 0 {object encoding K} {} {setrange K 1 x} 2 {decrby K 3} -3 {dump K} {}
        } {
            r flushall
            set key k[incr n]
            r set $key 41 px 1
            sleep 3
            assert_equal $want [r {*}[string map [list K $key] $command]] $command
        }
        r debug set-active-expire 1
    }

    test "KEYS, SCAN and DBSIZE around a dead key" {
        r flushall
        r debug set-active-expire 0
        r set dead v px 1
        r set alive v
        sleep 5
        assert_equal alive [r keys *]
        assert_equal alive [scan_all]
        r get dead
        assert_equal 1 [r dbsize]
        r debug set-active-expire 1
    }

    test "dead keys leave memory without being touched" {
        r flushall
        populate 5000 k 20 0 {px 100}
        assert {[r dbsize] > 0}
        wait_for_condition {[r dbsize] == 0} -within 5000
        assert {[s expired_keys] >= 5000}
        assert_equal {} [s db0]
    }

    test "100,000 keys that expire together do not stop the server" {
        r flushall
        populate 100000 k 8 0 {px 1500}
        sleep 1000
        set worst 0
        set end [expr {[now_ms] + 3000}]
        while {[now_ms] < $end} {
            set began [now_ms]
            r ping
            set worst [expr {max($worst, [now_ms] - $began)}]
            sleep 5
        }
        assert_between 0 500 $worst "longest PING in ms"
        wait_for_condition {[r dbsize] == 0} -within 8000
    }

    test "live keys among dead ones survive" {
        r flushall
        populate 300 dead 10 0 {px 30}
        populate 300 long 10 0 {ex 1000}
        populate 300 none
        wait_for_condition {[r dbsize] == 600} -within 5000
        assert_match {keys=600,expires=300,*} [s db0]
        assert_equal 300 [llength [r keys long*]]
    }

    test "an expiry that was moved or removed in time does not fire" {
        r flushall
        r set a v px 80
        r set b v px 80
        r set c v px 80
        r set d v px 80
        r persist a
        r pexpire b 100000
        r set c w
        r set d w keepttl
        sleep 200
        assert_equal {v v w {}} [r mget a b c d]
    }

    test "deleting and renaming keys with expiry leaves no trace of it" {
        r flushall
        populate 100 k 10 0 {ex 1000}
        for {set i 0} {$i < 50} {incr i} { r del k$i }
        for {set i 50} {$i < 100} {incr i} { r rename k$i m$i }
        assert_match {keys=50,expires=50,*} [s db0]
        for {set i 50} {$i < 100} {incr i} { r persist m$i }
        assert_match {keys=50,expires=0,avg_ttl=0*} [s db0]
    }

    test "expiry far in the future and expiry of another database" {
        r flushall
        r set far v pxat 4102444800000
        r select 2
        r set near v px 30
        wait_for_condition {[r dbsize] == 0} -within 3000
        r select 0
        assert_equal 4102444800 [r expiretime far]
    }

    test "a key keeps its expiry through overwriting commands that keep it, loses it through SET" {
        foreach {command keeps} {{append k x} 1 {incr k} 1 {setrange k 0 5} 1 {incrbyfloat k 1} 1 {set k 1} 0
            {getset k 1} 0 {mset k 1} 0 {set k 1 keepttl} 1 {getdel k} gone} {
            r set k 1 ex 100
            r {*}$command
            assert_equal [dict get {1 100 0 -1 gone -2} $keeps] [r ttl k] $command
        }
    }

    test "expiry survives a reload to the millisecond" {
        r flushall
        set at [expr {[now_ms] + 1234567}]
        r set k v pxat $at
        r set soon v px 60
        r debug reload
        assert_equal $at [r pexpiretime k]
        wait_for_condition {[r exists soon] == 0} -within 2000
    }

    test "a key past its time that is overwritten counts as expired" {
        r config resetstat
        r debug set-active-expire 0
        foreach key {a b c} { r set $key v px 1 }
        r set d v px 100000
        after 20
        r set a w
        r mset b w d w
        r set c w keepttl
        r debug set-active-expire 1
        assert_equal {3 -1 -1 -1 -1} [list [s expired_keys] [r ttl a] [r ttl b] [r ttl c] [r ttl d]]
    }

    test "time stands still inside EXEC" {
        r set k v px 40
        r multi
        r get k
        r debug sleep 0.1
        r get k
        set replies [r exec]
        assert_equal v [lindex $replies 0]
        assert_equal [lindex $replies 0] [lindex $replies 2] "a key must not vanish in the middle of EXEC"
        assert_equal {} [r get k]
    }
}
