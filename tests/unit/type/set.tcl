# Sets: members, encodings, random members, algebra, scans, events, what is written to files.

proc fill {key members} {
    r del $key
    foreach {a b c d e} $members { r sadd $key {*}[lmap m [list $a $b $c $d $e] { if {$m eq {}} continue; set m }] }
}

proc numbers {from to} {
    set all {}
    for {set i $from} {$i < $to} {incr i} { lappend all $i }
    return $all
}

start_server {tags {set}} {
    test "SADD adds, SREM removes, SCARD counts, SISMEMBER finds" {
        assert_equal 3 [r sadd s a b c]
        assert_equal 1 [r sadd s c d d]
        assert_equal 4 [r scard s]
        assert_equal {1 0} [list [r sismember s a] [r sismember s x]]
        assert_equal {1 0 1} [r smismember s a x d]
        assert_equal 2 [r srem s a b x]
        assert_same_items {c d} [r smembers s]
        assert_equal 2 [r srem s c d e]
        assert_equal 0 [r exists s]
        assert_equal {0 0 {0 0} 0} [list [r scard s] [r sismember s a] [r smismember s a b] [r srem s a]]
        assert_typed {array {}} smembers s
    }

    test "members are any bytes, and integers only where they are spelled canonically" {
        r del s
        assert_equal 6 [r sadd s 1 01 +1 " 1" "" "\0\r\n"]
        assert_equal {1 1 1 0} [list [r sismember s 01] [r sismember s ""] [r sismember s "\0\r\n"] [r sismember s 001]]
        r del s
        assert_equal 2 [r sadd s 9223372036854775807 -9223372036854775808]
        assert_encoding intset s
        assert_equal 1 [r sadd s 9223372036854775808]
        assert_encoding listpack s
    }

    test "commands refuse other types and wrong numbers of arguments" {
        r set str x
        set wrong "WRONGTYPE Operation against a key holding the wrong kind of value"
        r del s
        r sadd s a
        foreach command {
            {sadd str a} {srem str a} {scard str} {sismember str a} {smismember str a} {smembers str} {spop str}
            {spop str 1} {srandmember str} {srandmember str 1} {smove str s a} {smove s str a} {sscan str 0}
            {sinter s str} {sinter none str} {sunion s str} {sdiff s str} {sinterstore d s str} {sunionstore d str}
            {sdiffstore d str} {sintercard 2 s str}
        } { assert_error $wrong {r {*}$command} }
        assert_equal 0 [r exists d]
        foreach command {sadd srem sismember smismember scard smove spop srandmember smembers sinter sunion sdiff sintercard} {
            assert_error "ERR wrong number of arguments for '$command' command" {r $command}
        }
    }

    test "the encoding follows Redis's thresholds" {
        r del s
        r sadd s {*}[numbers 0 512]
        assert_encoding intset s
        r sadd s 512
        assert_encoding hashtable s
        r del s
        r sadd s {*}[numbers 0 127]
        r sadd s x
        assert_encoding listpack s
        r sadd s y
        assert_encoding hashtable s
        r srem s {*}[numbers 0 120]
        assert_encoding hashtable s
        r del s
        r sadd s [string repeat x 64]
        assert_encoding listpack s
        r sadd s [string repeat x 65]
        assert_encoding hashtable s
        # So many arguments at once are taken for so many members.
        r del s
        r sadd s {*}[string repeat "a " 129]
        assert_encoding hashtable s
        r del s
        r sadd s 1
        r sadd s {*}[string repeat "1 " 513]
        assert_encoding hashtable s
        assert_equal 1 [r scard s]
    }

    test "the thresholds can be configured" {
        r config set set-max-intset-entries 3 set-max-listpack-entries 2 set-max-listpack-value 5
        foreach {members encoding} {
            {1 2 3} intset {1 2 3 4} hashtable {1 x} listpack {1 2 x} hashtable {12345 x} listpack {123456 x} hashtable
            {x abcdef} hashtable
        } {
            r del s
            foreach m $members { r sadd s $m }
            assert_encoding $encoding s
        }
        r config set set-max-intset-entries 512 set-max-listpack-entries 128 set-max-listpack-value 64
    }

    test "SMOVE moves between encodings" {
        r del a b
        r sadd a 1 x
        r sadd b 2
        assert_equal 1 [r smove a b x]
        assert_encoding listpack b
        assert_same_items {2 x} [r smembers b]
        assert_equal 0 [r smove a b x]
        assert_equal {1 0} [list [r smove a a 1] [r smove a a 9]]
        assert_equal 1 [r smove a c 1]
        assert_encoding intset c
        assert_equal {0 1} [list [r exists a] [r smembers c]]
        assert_equal 0 [r smove a b 1]
    }

    test "SPOP takes members out" {
        foreach members {{1 2 3 4 5} {a b c d e}} {
            fill s $members
            set popped {}
            for {set i 0} {$i < 5} {incr i} { lappend popped [r spop s] }
            assert_same_items $members $popped
            assert_equal 0 [r exists s]
        }
        assert_typed null spop s
        assert_typed {array {}} spop s 3
        assert_error "ERR value is out of range, must be positive" {r spop s -1}
        assert_error "ERR value is out of range, must be positive" {r spop s x}
        assert_error "ERR syntax error" {r spop s 1 2}
        foreach members [list [numbers 0 100] [lmap n [numbers 0 100] { string cat m $n }] [numbers 0 600] [lmap n [numbers 0 600] { string cat m $n }]] {
            foreach count {0 1 10 95 99 1000} {
                r del s
                r sadd s {*}$members
                set popped [r spop s $count]
                assert_equal [expr {min($count, [llength $members])}] [llength $popped]
                assert_same_items $members [concat $popped [r smembers s]]
            }
        }
    }

    test "SRANDMEMBER draws without taking" {
        assert_typed null srandmember none
        assert_typed {array {}} srandmember none 3
        assert_error "ERR value is not an integer or out of range" {r srandmember s x}
        assert_error "ERR syntax error" {r srandmember s 1 2}
        assert_error "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807" {
            r srandmember s -9223372036854775808
        }
        foreach members [list [numbers 0 60] [lmap n [numbers 0 60] { string cat m $n }] [lmap n [numbers 0 600] { string cat m $n }]] {
            r del s
            r sadd s {*}$members
            set size [llength $members]
            assert {[r srandmember s] in $members}
            foreach count [list 0 1 [expr {$size / 4}] [expr {$size / 2}] [expr {$size - 1}] $size [expr {$size * 3}]] {
                set drawn [r srandmember s $count]
                assert_equal [expr {min($count, $size)}] [llength $drawn]
                assert_equal [llength $drawn] [llength [lsort -unique $drawn]]
                foreach m $drawn { assert {$m in $members} }
                assert_equal [expr {$count * 2}] [llength [r srandmember s [expr {-2 * $count}]]]
            }
            assert_equal $size [r scard s]
        }
    }

    test "every member is drawn as often as any other" {
        foreach members [list {1 2 3 4 5 6 7 8 9 10} {a b c d e f g h i j} [list a b c d e f g h i [string repeat j 70]]] {
            r del s
            r sadd s {*}$members
            foreach {count times} {1 5000 3 1700 -5 1000} {
                unset -nocomplain seen
                for {set i 0} {$i < $times} {incr i} { foreach m [r srandmember s $count] { incr seen($m) } }
                foreach m $members { assert_between 380 640 $seen($m) "$m of $members, $count" }
            }
        }
    }

    test "algebra agrees with a model, whatever the encodings and sizes" {
        for {set round 0} {$round < 60} {incr round} {
            set keys {}
            unset -nocomplain model
            for {set k 0} {$k < 2 + [random_int 4]} {incr k} {
                set members {}
                set size [pick {0 1 10 100 200 700}]
                set text [pick {{} m}]
                for {set i 0} {$i < $size} {incr i} { lappend members $text[random_int [pick {50 300 2000}]] }
                set members [lsort -unique $members]
                fill k$k $members
                lappend keys k$k
                set model(k$k) $members
            }
            if {[random_int 4] == 0} { lappend keys none; set model(none) {} }
            if {[random_int 6] == 0} { lappend keys k0 }
            unset -nocomplain union
            unset -nocomplain inter
            unset -nocomplain diff
            foreach m $model(k0) { set inter($m) 1; set diff($m) 1 }
            foreach key $keys {
                foreach m $model($key) { set union($m) 1 }
                foreach m [array names inter] { if {$m ni $model($key)} { unset inter($m) } }
            }
            foreach key [lrange $keys 1 end] { foreach m $model($key) { unset -nocomplain diff($m) } }
            assert_same_items [array names union] [r sunion {*}$keys] "union of $keys"
            assert_same_items [array names inter] [r sinter {*}$keys] "intersection of $keys"
            assert_same_items [array names diff] [r sdiff {*}$keys] "difference of $keys"
            assert_equal [array size union] [r sunionstore d {*}$keys]
            assert_same_items [array names union] [r smembers d]
            assert_equal [array size diff] [r sdiffstore d {*}$keys]
            assert_same_items [array names diff] [r smembers d]
            assert_equal [array size inter] [r sinterstore d {*}$keys]
            assert_same_items [array names inter] [r smembers d]
            assert_equal [array size inter] [r sintercard [llength $keys] {*}$keys]
            set limit [expr {1 + [random_int 20]}]
            assert_equal [expr {min($limit, [array size inter])}] [r sintercard [llength $keys] {*}$keys limit $limit]
        }
    }

    test "more sets than are looked through one by one" {
        set keys {}
        for {set k 0} {$k < 20} {incr k} {
            r del k$k
            r sadd k$k a b$k common
            lappend keys k$k
        }
        assert_equal 22 [llength [r sunion {*}$keys]]
        assert_same_items {a common} [r sinter {*}$keys]
        assert_equal {b0} [r sdiff {*}$keys]
        assert_equal 1 [r sdiffstore d {*}$keys]
    }

    test "results get the encoding that Redis gives them" {
        r del i1 i2 l1 t1
        r sadd i1 1 2 3
        r sadd i2 2 3 4
        r sadd l1 2 x
        r sadd t1 [string repeat y 100] 2 3
        foreach {command keys encoding} {
            sunionstore {i1 i2} intset  sunionstore {i1 l1} listpack  sunionstore {i1 t1} hashtable
            sinterstore {i1 i2} intset  sinterstore {l1 t1} intset  sinterstore {t1 i1} intset
            sdiffstore {i1 i2} intset  sdiffstore {l1 i1} listpack  sdiffstore {t1 l1} hashtable  sdiffstore {l1 t1} listpack
        } {
            r $command d {*}$keys
            assert_encoding $encoding d
        }
    }

    test "SINTERCARD checks its arguments" {
        assert_error "ERR numkeys should be greater than 0" {r sintercard 0 a}
        assert_error "ERR numkeys should be greater than 0" {r sintercard x a}
        assert_error "ERR Number of keys can't be greater than number of args" {r sintercard 2 a}
        assert_error "ERR syntax error" {r sintercard 1 a b}
        assert_error "ERR syntax error" {r sintercard 1 a limit}
        assert_error "ERR LIMIT can't be negative" {r sintercard 1 a limit -1}
        assert_error "ERR LIMIT can't be negative" {r sintercard 1 a limit x}
        r del a
        r sadd a 1 2 3
        assert_equal 3 [r sintercard 1 a limit 0]
    }

    test "a STORE drops the expiry and the value of its destination" {
        r del a none
        r sadd a 1 2
        r set d x ex 100
        assert_equal 2 [r sunionstore d a none]
        assert_equal {set -1} [list [r type d] [r ttl d]]
        assert_equal 0 [r sinterstore d a none]
        assert_equal 0 [r exists d]
        assert_equal 2 [r sunionstore a a]
    }

    test "RESP3 has sets" {
        r del s t
        r sadd s 1
        r sadd t 1 2
        set c [redis_client]
        $c hello 3
        foreach command {{smembers s} {sinter s t} {sunion s s} {spop s 1}} {
            assert_equal {set {{bulk 1}}} [$c typed {*}$command] $command
        }
        assert_equal {set {{bulk 2}}} [$c typed sdiff t {*}[r sadd s 1; list s]]
        foreach command {{smembers none} {sinter none} {spop none 2} {sdiff s t} {sunion none}} {
            assert_equal {set {}} [$c typed {*}$command] $command
        }
        assert_equal {array {{bulk 1}}} [$c typed srandmember s 5]
        $c close
    }

    test "SSCAN returns every member once at least, small sets at once" {
        fill s {1 2 3 a b}
        assert_equal 0 [lindex [r sscan s 0] 0]
        assert_same_items {1 2 3 a b} [lindex [r sscan s 0 count 1] 1]
        assert_same_items {1 2 3} [lindex [r sscan s 0 match {[0-9]}] 1]
        assert_equal {0 {}} [r sscan none 0]
        set members [lmap n [numbers 0 1000] { string cat member: $n }]
        r del s
        r sadd s {*}$members
        set found {}
        set at 0
        while 1 {
            lassign [r sscan s $at count 50] at part
            assert {[llength $part] < 200}
            lappend found {*}$part
            if {$at == 0} break
            # What comes and goes meanwhile does not matter to what stays.
            r sadd s new:[random_int 10000] new:[random_int 10000]
        }
        foreach m $members { assert {$m in $found} }
        assert_error "ERR invalid cursor" {r sscan s x}
        assert_error "ERR syntax error" {r sscan s 0 count 0}
        assert_error "ERR syntax error" {r sscan s 0 type set}
        assert_error "ERR syntax error" {r sscan s 0 novalues}
    }

    test "events" {
        r flushall
        r config set notify-keyspace-events KEA
        assert_equal {{new s} {sadd s}} [events_of { r config set notify-keyspace-events KEAn; r sadd s a b; r config set notify-keyspace-events KEA; r sadd s a }]
        assert_equal {{srem s}} [events_of { r srem s a x; r srem s x }]
        assert_equal {{srem s} {del s}} [events_of { r srem s b }]
        r sadd s 1 2
        assert_equal {{srem s} {sadd t}} [events_of { r smove s t 1 }]
        r sadd t 2
        assert_equal {{srem s} {del s}} [events_of { r smove s t 2 }]
        assert_equal {{spop t}} [events_of { r spop t }]
        assert_equal {{spop t} {del t}} [events_of { r spop t }]
        r sadd t 1 2 3
        assert_equal {{spop t}} [events_of { r spop t 2; r spop t 0 }]
        assert_equal {{spop t} {del t}} [events_of { r spop t 2 }]
        r sadd t 1
        assert_equal {{sunionstore d} {sinterstore d} {del d}} [events_of { r sunionstore d t; r sinterstore d t; r sdiffstore d t t; r sdiffstore d t t }]
        r config set notify-keyspace-events ""
    }

    test "WATCH sees changes, and only these" {
        set c [redis_client]
        foreach {change broken} {{sadd s 1} 0 {sadd s 2} 1 {srem s x} 0 {srem s 1} 1 {spop s 1} 1 {srandmember s} 0 {sinterstore s s} 1} {
            r del s
            r sadd s 1 3 4
            r watch s
            $c {*}$change
            r multi
            r ping
            assert_equal [expr {$broken ? {} : {PONG}}] [r exec] $change
        }
        $c close
    }

    test "SAVE and DUMP bring back members and encodings" {
        r flushall
        r sadd ints 1 -70000 5000000000
        r sadd packed a 1 [string repeat b 60]
        r sadd table {*}[lmap n [numbers 0 500] { string cat m $n }]
        set digest [debug_digest]
        foreach {key encoding} {ints intset packed listpack table hashtable} {
            r restore copy:$key 0 [r dump $key]
            assert_encoding $encoding copy:$key
            assert_equal [r debug digest-value $key] [r debug digest-value copy:$key]
            r del copy:$key
        }
        r debug reload
        assert_equal $digest [debug_digest]
        foreach {key encoding} {ints intset packed listpack table hashtable} { assert_encoding $encoding $key }
        # Below version 11 no file may hold a set as a listpack.
        assert_match "\x02*" [r dump packed]
        r config set rdb-target-version 11
        assert_match "\x14*" [r dump packed]
        r debug reload
        assert_equal $digest [debug_digest]
        r config set rdb-target-version 0
    }

    test "RESTORE refuses broken sets" {
        r del s
        foreach payload {"\x02\x02\x01a\x01a" "\x0b\x0c\x02\0\0\0\x02\0\0\0\x01\0\x01\0" "\x14\x0d\x0d\0\0\0\x02\0\x81a\x02\x81a\x02\xff"} {
            r debug set-skip-checksum-validation 1
            assert_error "ERR Bad data format" {r restore s 0 "$payload\x0b\0\0\0\0\0\0\0\0\0"}
            r debug set-skip-checksum-validation 0
        }
    }

    test "DEBUG HTSTATS-KEY and LISTPACK look inside" {
        r del t l
        r sadd t {*}[lmap n [numbers 0 300] { string cat m $n }]
        r sadd l a
        assert_match "*number of elements: 300*" [r debug htstats-key t]
        assert_match "*different slots: *max chain length: *" [r debug htstats-key t full]
        assert_error "ERR The value stored at the specified key is not represented using an hash table" {r debug htstats-key l}
        assert_error "ERR no such key" {r debug htstats-key none}
        assert_match "Listpack structure*" [r debug listpack l]
        assert_error "ERR Not a listpack encoded object." {r debug listpack t}
    }

    test "random commands agree with a model" {
        r del s
        unset -nocomplain model
        for {set i 0} {$i < 4000} {incr i} {
            set m [pick {{} {} m}][random_int [expr {$i < 1000 ? 60 : 900}]]
            switch [random_int 6] {
                0 - 1 - 2 { assert_equal [expr {![info exists model($m)]}] [r sadd s $m]; set model($m) 1 }
                3 { assert_equal [info exists model($m)] [r srem s $m]; unset -nocomplain model($m) }
                4 { assert_equal [info exists model($m)] [r sismember s $m] }
                5 {
                    if {$i % 7 == 0} {
                        foreach m [r spop s [random_int 4]] { assert {[info exists model($m)]}; unset model($m) }
                    }
                    assert_equal [array size model] [r scard s]
                }
            }
        }
        assert_same_items [array names model] [r smembers s]
    }
}
