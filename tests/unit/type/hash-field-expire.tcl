# The times of hash fields: setting, asking, expiry by itself and when met, conditions, files, the stream of events.

start_server {tags {hash expire}} {
    foreach {kind pad encoding} {small {} listpackex large {pad} hashtable} {
        # A hash of fields a to e, in the encoding of this round.
        set ::pad $pad
        proc make {key} {
            r del $key
            r hset $key a 1 b 2 c 3 d 4 e 5
            if {$::pad ne {}} { r hset $key $::pad [string repeat x 100] }
        }
        set extra [expr {$pad eq {} ? 0 : 1}]

        test "HEXPIRE and its relatives set, HTTL and its relatives tell ($kind)" {
            make h
            assert_equal {1 1 -2} [r hexpire h 100 fields 3 a b x]
            assert_encoding $encoding h
            assert_equal 1 [r hpexpire h 200000 fields 1 c]
            set at [expr {[clock seconds] + 1000}]
            assert_equal 1 [r hexpireat h $at fields 1 d]
            assert_equal 1 [r hpexpireat h ${at}500 fields 1 e]
            lassign [r httl h fields 6 a c d e x a] a c d e x again
            assert {$a > 90 && $a <= 100 && $c > 190 && $c <= 200 && $d > 990 && $x == -2 && $again == $a}
            assert_between 90000 100000 [r hpttl h fields 1 a]
            assert_equal [list $at [expr {$at + 1}]] [r hexpiretime h fields 2 d e]
            assert_equal [list ${at}000 ${at}500] [r hpexpiretime h fields 2 d e]
            assert_equal {1 -2} [r hpersist h fields 2 a x]
            assert_equal {-1 -1} [r hpersist h fields 2 a a]
            assert_equal {-1 -1} [list [r httl h fields 1 a] [r hpexpiretime h fields 1 a]]
        }

        test "conditions ($kind)" {
            make h
            foreach {command reply ttl} {
                {hexpire h 100 xx fields 1 a} 0 -1 {hexpire h 100 gt fields 1 a} 0 -1 {hexpire h 100 nx fields 1 a} 1 100
                {hexpire h 50 nx fields 1 a} 0 100 {hexpire h 50 gt fields 1 a} 0 100 {hexpire h 200 gt fields 1 a} 1 200
                {hexpire h 300 lt fields 1 a} 0 200 {hexpire h 80 LT fields 1 a} 1 80 {hexpire h 90 xx fields 1 a} 1 90
                {hexpire h 70 lt fields 1 b} 1 90
            } {
                assert_equal $reply [r {*}$command] $command
                assert_between [expr {$ttl - 5}] $ttl [r httl h fields 1 a] $command
            }
        }

        test "a time in the past removes the field, the last one the key ($kind)" {
            make h
            assert_equal {2 -2} [r hexpireat h 1 fields 2 a x]
            assert_equal {0 1} [list [r hexists h a] [r hexists h b]]
            assert_equal {2 2} [r hpexpire h 0 fields 2 b c]
            assert_equal {2 2} [r hexpire h 0 fields 2 d e]
            assert_equal $extra [r exists h]
            assert_equal [expr {$extra ? 2 : -2}] [r hpexpireat h 1 fields 1 pad]
            assert_equal 0 [r exists h]
        }

        test "fields expire by themselves ($kind)" {
            make h
            r hpexpire h 30 fields 2 a b
            r hpexpire h 60 fields 1 c
            wait_for_condition {[r hlen h] == 2 + $extra}
            assert_equal {{} {} {} 4} [r hmget h a b c d]
            r hpexpire h 20 fields [expr {2 + $extra}] d e {*}[expr {$extra ? {pad} : {}}]
            wait_for_condition {[r exists h] == 0}
        }

        test "a field past its time is not there for whoever asks ($kind)" {
            r debug set-active-expire 0
            make h
            r hpexpire h 1 fields 3 a b c
            after 10
            # Only those that are named go.
            assert_equal [expr {5 + $extra}] [r hlen h]
            assert_equal [expr {2 + $extra}] [llength [r hkeys h]]
            assert_equal [expr {2 + $extra}] [llength [r hvals h]]
            assert_equal [expr {4 + 2 * $extra}] [llength [r hgetall h]]
            assert_equal [expr {4 + 2 * $extra}] [llength [lindex [r hscan h 0] 1]]
            assert_equal {-2 -1} [r httl h fields 2 a d]
            assert_equal -2 [r hpersist h fields 1 a]
            assert_equal -2 [r hexpire h 100 fields 1 a]
            assert_equal [expr {5 + $extra}] [r hlen h]
            assert_typed null hget h a
            assert_equal [expr {4 + $extra}] [r hlen h]
            assert_equal {0 0} [list [r hexists h b] [r hstrlen h c]]
            assert_equal [expr {2 + $extra}] [r hlen h]
            # All due fields go before one is drawn.
            r hpexpire h 1 fields 1 d
            after 10
            assert {[r hrandfield h] in {e pad}}
            assert_equal [expr {1 + $extra}] [r hlen h]
            r debug set-active-expire 1
        }

        test "a new value takes the time away, a counter keeps it ($kind)" {
            make h
            r hexpire h 100 fields 5 a b c d e
            r hset h a x
            r hsetnx h b x
            r hincrby h c 1
            r hincrbyfloat h d 0.5
            lassign [r httl h fields 5 a b c d e] a b c d e
            assert_equal {-1 1 1 1} [list $a [expr {$b > 90}] [expr {$c > 90}] [expr {$d > 90}]]
            assert_equal {x 2 4 4.5 5} [r hmget h a b c d e]
        }

        test "counters and HSETNX start anew where the old value is past its time ($kind)" {
            r debug set-active-expire 0
            make h
            r hpexpire h 1 fields 3 a b c
            after 10
            assert_equal {7 1.5 1} [list [r hincrby h a 7] [r hincrbyfloat h b 1.5] [r hsetnx h c new]]
            assert_equal {-1 -1 -1} [r httl h fields 3 a b c]
            r debug set-active-expire 1
        }

        test "HGETDEL ($kind)" {
            make h
            assert_equal {1 {} 2} [r hgetdel h fields 3 a x b]
            assert_equal [expr {3 + $extra}] [r hlen h]
            assert_equal {3 4 5} [r hgetdel h fields 3 c d e]
            if {!$extra} { assert_equal 0 [r exists h] }
            assert_typed {array null} hgetdel none fields 1 a
        }

        test "HGETEX ($kind)" {
            make h
            assert_equal {1 {}} [r hgetex h fields 2 a x]
            assert_equal 1 [r hgetex h ex 100 fields 1 a]
            assert_equal 2 [r hgetex h px 100000 fields 1 b]
            assert_equal 3 [r hgetex h exat 33333333333 fields 1 c]
            assert_equal 4 [r hgetex h pxat 33333333333000 fields 1 d]
            lassign [r httl h fields 2 a b] a b
            assert {$a > 90 && $a <= 100 && $b > 90 && $b <= 100}
            assert_equal {33333333333 33333333333} [r hexpiretime h fields 2 c d]
            assert_equal {1 5} [r hgetex h persist fields 2 a e]
            assert_equal -1 [r httl h fields 1 a]
            assert_equal {1 {}} [list [r hgetex h pxat 1 fields 1 a] [r hget h a]]
            assert_typed {array null} hgetex none ex 1 fields 1 a
        }

        test "HSETEX ($kind)" {
            make h
            assert_equal 1 [r hsetex h ex 100 fields 2 a x new y]
            assert_between 90 100 [r httl h fields 1 new]
            assert_equal 1 [r hsetex h keepttl fields 1 a z]
            assert_between 90 100 [r httl h fields 1 a]
            assert_equal 1 [r hsetex h fields 1 a w]
            assert_equal {w -1} [list [r hget h a] [r httl h fields 1 a]]
            assert_equal {0 0 1 1} [list [r hsetex h fnx fields 2 a 1 q 1] [r hsetex h fxx fields 2 a 1 q 1] \
                [r hsetex h fnx fields 1 q 1] [r hsetex h px 100000 fxx fields 2 a 1 q 2]]
            assert_equal {1 2} [r hmget h a q]
            assert_equal 0 [r hsetex none fxx fields 1 a 1]
            assert_equal 1 [r hsetex h pxat 1 fields 1 a 1]
            assert_equal 0 [r hexists h a]
            assert_equal {1 0} [list [r hsetex none exat 1 fields 1 a 1] [r exists none]]
        }

        test "COPY, RENAME, MOVE, DUMP and files keep the times ($kind)" {
            r flushall
            make h
            r hpexpireat h 33333333333000 fields 2 a b
            r hpexpireat h 33333333339000 fields 1 c
            set want {33333333333000 33333333333000 33333333339000 -1}
            r copy h twin
            r restore back 0 [r dump h]
            r rename h moved
            foreach key {twin back moved} {
                assert_encoding $encoding $key
                assert_equal $want [r hpexpiretime $key fields 4 a b c d]
            }
            set digest [debug_digest]
            r debug reload
            assert_equal $digest [debug_digest]
            assert_encoding $encoding moved
            assert_equal $want [r hpexpiretime moved fields 4 a b c d]
            # What is due and what was moved still expires.
            r hpexpire moved 20 fields 1 a
            r rename moved again
            r hpexpire twin 20 fields 1 b
            wait_for_condition {[r hlen again] == 4 + $extra && [r hlen twin] == 4 + $extra}
            # An older version has no times.
            r config set rdb-target-version 11
            r restore plain 0 [r dump back]
            assert_equal {-1 -1} [r httl plain fields 2 a b]
            r config set rdb-target-version 0
        }

        test "HSETEX tells that a hash came and went, and keeps one whose only field has expired ($kind)" {
            r config set notify-keyspace-events KEA
            r del new gone
            assert_equal {hset hdel del} [event_names_of { r hsetex new ex 0 fields 1 f v }]
            assert_equal 0 [r exists new]
            r debug set-active-expire 0
            r hset gone f v
            r hpexpire gone 1 fields 1 f
            r pexpire gone 100000
            after 10
            assert_equal {hexpired hset} [event_names_of { r hsetex gone fnx fields 1 f w }]
            assert_equal w [r hget gone f]
            assert_between 1 100000 [r pttl gone]
            r hpexpire gone 1 fields 1 f
            after 10
            assert_equal {hexpired del} [event_names_of { assert_equal 0 [r hsetex gone fxx fields 1 f x] }]
            assert_equal 0 [r exists gone]
            r debug set-active-expire 1
            r config set notify-keyspace-events ""
        }

        test "each of these commands is one access ($kind)" {
            make h
            r config set maxmemory-policy allkeys-lfu lfu-log-factor 0 lfu-decay-time 0
            foreach command {
                {hexpire h 100 fields 1 a} {hpexpireat h 9999999999999 fields 2 a b} {hpersist h fields 1 a}
                {hgetex h fields 1 a} {hgetex h ex 100 fields 1 a} {hsetex h fields 1 a x} {hsetex h fxx ex 100 fields 1 a x}
                {hsetex h fnx fields 1 a x} {hgetdel h fields 1 b} {hexpire h 100 xx fields 1 none} {hset h c x}
            } {
                set before [r object freq h]
                r {*}$command
                assert_equal [expr {$before + 1}] [r object freq h] $command
            }
            r config set maxmemory-policy noeviction
        }

        test "events ($kind)" {
            r config set notify-keyspace-events KEA
            make h
            assert_equal {hexpire} [event_names_of { r hexpire h 100 fields 2 a b; r hexpire h 100 nx fields 1 a }]
            assert_equal {hpersist} [event_names_of { r hpersist h fields 2 a c; r hpersist h fields 1 c }]
            assert_equal {hdel} [event_names_of { r hexpireat h 1 fields 1 a }]
            assert_equal {hexpire hpersist hdel} [event_names_of {
                r hgetex h ex 100 fields 1 b; r hgetex h persist fields 1 b; r hgetex h exat 1 fields 1 b
            }]
            assert_equal {hset hexpire hset} [event_names_of { r hsetex h ex 100 fields 1 b 1; r hsetex h fields 1 b 1 }]
            assert_equal {hdel} [event_names_of { r hgetdel h fields 2 b x }]
            r debug set-active-expire 0
            r hpexpire h 1 fields 2 c d
            after 10
            assert_equal {hexpired} [event_names_of { r hmget h c d }]
            r debug set-active-expire 1
            set c [redis_client]
            $c psubscribe __keyevent@*
            r del h
            $c read
            r hset h f v
            $c read
            r hpexpire h 10 fields 1 f
            set seen {}
            for {set i 0} {$i < 3} {incr i} { lappend seen [lindex [split [lindex [$c read] 2] :] end] }
            assert_equal {hexpire hexpired del} $seen
            $c close
            r config set notify-keyspace-events ""
        }
    }

    test "what is not there" {
        foreach command {httl hpttl hexpiretime hpexpiretime hpersist} { assert_equal {-2 -2} [r $command none fields 2 a b] }
        assert_equal {-2 -2} [r hexpire none 100 fields 2 a b]
        assert_equal 0 [r exists none]
    }

    test "errors" {
        r del h
        r hset h a 1
        r set str x
        set missing "ERR Mandatory argument FIELDS is missing or not at the right position"
        set count "ERR The `numfields` parameter must match the number of arguments"
        foreach command {{hexpire str 1 fields 1 a} {httl str fields 1 a} {hpersist str fields 1 a} {hgetdel str fields 1 a}
            {hgetex str fields 1 a} {hsetex str fields 1 a b}} {
            assert_error "WRONGTYPE Operation against a key holding the wrong kind of value" {r {*}$command}
        }
        foreach {command error} [list {hexpire h 1 field 1 a} $missing {httl h field 1 a} $missing {hexpire h 1 fields 2 a} $count \
            {httl h fields 2 a} $count {hpersist h fields 1 a b} $count \
            {hexpire h 1 fields 0 a} "ERR Parameter `numFields` should be greater than 0" \
            {httl h fields 0 a} "ERR Number of fields must be a positive integer" \
            {hexpire h x fields 1 a} "ERR value is not an integer or out of range" \
            {hexpire h -1 fields 1 a} "ERR invalid expire time, must be >= 0" \
            {hexpire h 9223372036854775807 fields 1 a} "ERR invalid expire time in 'hexpire' command" \
            {hpexpireat h 70368744177664 fields 1 a} "ERR invalid expire time in 'hpexpireat' command" \
            {hgetdel h field 1 a} $missing {hgetex h ex 1 field 1 a} $missing {hgetex h persist 1 a} $missing \
            {hgetex h ex 1 a} "ERR wrong number of arguments for 'hgetex' command" \
            {hgetex h pxat 1 1} "ERR wrong number of arguments for 'hgetex' command" \
            {hgetex h fields 2 a} $count \
            {hsetex h ex 1 px 1 fields 1 a b} "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified" \
            {hsetex h fnx fxx fields 1 a b} "ERR Only one of FXX or FNX arguments can be specified" \
            {hsetex h nx fields 1 a b} "ERR unknown argument: nx" \
            {hsetex h fields 0 a b} "ERR invalid number of fields" \
            {hsetex h fields 2 a b} "ERR wrong number of arguments for 'hsetex' command" \
            {hsetex h fields 1 a b c} "ERR wrong number of arguments for 'hsetex' command"] {
            assert_error $error {r {*}$command}
        }
        assert_equal 1 [r hpexpireat h 70368744177663 fields 1 a]
    }

    test "a listpack with times becomes a table where one without would" {
        r del h
        r hset h a 1 b 2
        assert_encoding listpack h
        r hexpire h 100 fields 1 a
        assert_encoding listpackex h
        r hpersist h fields 1 a
        assert_encoding listpackex h
        r hexpire h 100 fields 1 b
        r hset h long [string repeat x 65]
        assert_encoding hashtable h
        assert_equal -1 [r httl h fields 1 a]
        assert_between 90 100 [r httl h fields 1 b]
    }

    test "many fields with times of their own, all in due course" {
        r flushall
        r config resetstat
        for {set k 0} {$k < 20} {incr k} {
            set pairs {}
            for {set i 0} {$i < 600} {incr i} { lappend pairs f$i v }
            r hset big$k {*}$pairs stays v
            for {set i 0} {$i < 600} {incr i 100} {
                set fields {}
                for {set j 0} {$j < 100} {incr j} { lappend fields f[expr {$i + $j}] }
                r hpexpire big$k [expr {1 + $i / 5 + $k}] fields 100 {*}$fields
            }
        }
        assert_match "*subexpiry=*" [r info keyspace]
        for {set k 0} {$k < 20} {incr k} { wait_for_condition {[r hlen big$k] == 1} }
        assert_equal 12000 [s expired_subkeys]
        assert_no_match "*subexpiry*" [r info keyspace]
    }

    test "a file with fields past their time leaves them out" {
        r flushall
        r hset h a 1 b 2
        r hset gone a 1
        r debug set-active-expire 0
        r hpexpire h 1 fields 1 a
        r hpexpire gone 1 fields 1 a
        after 10
        r debug reload
        assert_equal {b 2} [r hgetall h]
        assert_equal {1 0} [list [r hlen h] [r exists gone]]
        r debug set-active-expire 1
    }
}

start_server {tags {hash rdb}} {
    test "fields past their time at a load: their keys are counted as loaded, they as expired" {
        need_command hpexpire
        r hset gone a 1
        r hpexpire gone 200 fields 1 a
        r hset half a 1 b 2
        r hpexpire half 200 fields 1 a
        r set k v
        r save
        kill_server -signal KILL
        sleep 300
        restart_server
        assert_equal 3 [s rdb_last_load_keys_loaded]
        assert_equal 0 [s rdb_last_load_keys_expired]
        wait_for_condition {[s expired_subkeys] == 2}
        assert_equal {half k} [lsort [r keys *]]
        assert_equal {b 2} [r hgetall half]
    }
}
