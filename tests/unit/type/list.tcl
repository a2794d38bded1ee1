# Lists: both encodings, every command, blocking, events, snapshots.

# Runs `body` once for a list that is a listpack and once for one that is a quicklist: `big` is then a large element.
proc both_encodings {body} {
    foreach {encoding big} [list listpack big quicklist [string repeat x 9000]] {
        uplevel 1 [list set encoding $encoding]
        uplevel 1 [list set big $big]
        uplevel 1 $body
    }
}

# Waits until so many clients are blocked.
proc wait_blocked {n} {
    wait_for_condition {[s blocked_clients] == $n} else { fail "[s blocked_clients] clients are blocked, not $n" }
}

# A client that waits for `args`.
proc blocked_on {args} {
    set c [redis_client -deferred]
    set n [s blocked_clients]
    $c {*}$args
    wait_blocked [expr {$n + 1}]
    return $c
}

proc digest_of {key} { lindex [r debug digest-value $key] 0 }

start_server {tags {list} overrides {enable-debug-command yes save ""}} {
    test "LPUSH, RPUSH: an element at a time, from left to right" {
        both_encodings {
            r del l
            assert_equal 1 [r rpush l $big]
            assert_equal 3 [r lpush l a b]
            assert_equal 5 [r rpush l c 17]
            assert_equal [list b a $big c 17] [r lrange l 0 -1]
            assert_equal 5 [r llen l]
            assert_encoding $encoding l
            assert_type list l
        }
        assert_equal 0 [r llen missing]
    }

    test "LPUSHX, RPUSHX: only where there is a list" {
        r del l
        assert_equal 0 [r lpushx l a]
        assert_equal 0 [r rpushx l a b]
        assert_equal 0 [r exists l]
        r rpush l 0
        assert_equal 3 [r lpushx l a b]
        assert_equal 5 [r rpushx l c d]
        assert_equal {b a 0 c d} [r lrange l 0 -1]
    }

    test "integers and texts that look like them come back as they were" {
        set texts [list 0 -0 007 +5 1 127 128 -1 -4096 4095 4096 65536 -8388609 2147483648 9223372036854775807 \
            -9223372036854775808 9223372036854775808 1.0 1e3 { 1} {}]
        r del l
        r rpush l {*}$texts
        assert_equal $texts [r lrange l 0 -1]
        for {set i 0} {$i < [llength $texts]} {incr i} { assert_equal [lindex $texts $i] [r lindex l $i] }
        foreach text $texts { assert_equal [lsearch -exact $texts $text] [r lpos l $text] }
        for {set i [expr {[llength $texts] - 1}]} {$i >= 0} {incr i -1} { assert_equal [lindex $texts $i] [r rpop l] }
        assert_equal 0 [r exists l]
    }

    test "LPOP, RPOP" {
        both_encodings {
            r del l
            r rpush l a $big 2 c
            assert_equal a [r lpop l]
            assert_equal c [r rpop l]
            assert_equal 2 [r rpop l]
            assert_equal $big [r lpop l]
            assert_equal 0 [r exists l]
        }
        assert_typed null lpop l
        assert_typed {array {}} lrange l 0 -1
    }

    test "LPOP, RPOP with a count" {
        both_encodings {
            r del l
            r rpush l a b $big d e
            assert_equal {a b} [r lpop l 2]
            assert_equal {e d} [r rpop l 2]
            assert_typed {array {}} lpop l 0
            assert_equal [list $big] [r rpop l 100]
            assert_equal 0 [r exists l]
        }
        assert_typed nullarray lpop l 3
        assert_typed nullarray rpop l 0
        r rpush l a
        foreach bad {-1 x 1.5 9223372036854775808} {
            assert_error "ERR value is out of range, must be positive" {r lpop l $bad}
        }
        assert_error "ERR wrong number of arguments for 'lpop' command" {r lpop l 1 2}
        assert_error "ERR wrong number of arguments for 'rpop' command" {r rpop l 1 2}
    }

    test "LINDEX counts from either end" {
        both_encodings {
            r del l
            r rpush l $big b 3
            assert_equal [list $big b 3 {}] [lmap i {0 1 2 3} {r lindex l $i}]
            assert_equal [list 3 b $big {}] [lmap i {-1 -2 -3 -4} {r lindex l $i}]
        }
        assert_typed null lindex l 99
        assert_typed null lindex missing x
        assert_error "ERR value is not an integer or out of range" {r lindex l x}
    }

    test "LRANGE cuts what is out of range" {
        both_encodings {
            r del l
            r rpush l $big 1 2 3 4
            assert_equal {1 2 3} [r lrange l 1 3]
            assert_equal {1 2 3} [r lrange l -4 -2]
            assert_equal {3 4} [r lrange l 3 99]
            assert_equal [list $big] [r lrange l -99 0]
            foreach {from to} {3 1 5 9 0 -6 -1 -2} { assert_equal {} [r lrange l $from $to] }
        }
        assert_error "ERR value is not an integer or out of range" {r lrange missing 0 x}
    }

    test "LSET" {
        both_encodings {
            r del l
            r rpush l 1 $big 3
            assert_equal OK [r lset l 0 one]
            assert_equal OK [r lset l -1 three]
            assert_equal [list one $big three] [r lrange l 0 -1]
            assert_error "ERR index out of range" {r lset l 3 x}
            assert_error "ERR index out of range" {r lset l -4 x}
        }
        assert_error "ERR no such key" {r lset missing x x}
        assert_error "ERR value is not an integer or out of range" {r lset l x x}
    }

    test "LINSERT" {
        both_encodings {
            r del l
            r rpush l a $big c
            assert_equal 4 [r linsert l before a first]
            assert_equal 5 [r linsert l AFTER c last]
            assert_equal 6 [r linsert l after $big 7]
            assert_equal 7 [r linsert l before 7 6]
            assert_equal [list first a $big 6 7 c last] [r lrange l 0 -1]
            assert_equal -1 [r linsert l before nothing x]
        }
        assert_equal 0 [r linsert missing before a b]
        assert_error "ERR syntax error" {r linsert l beside a b}
    }

    test "LREM: from the left, from the right, all" {
        both_encodings {
            foreach {count left} {1 {b a c a} -1 {a b a c} 2 {b c a} -2 {a b c} 0 {b c} -9 {b c}} {
                r del l
                r rpush l a b a c a $big
                set removed [r lrem l $count a]
                assert_equal $left [lrange [r lrange l 0 -1] 0 end-1] "count $count"
                assert_equal [expr {5 - [llength $left]}] $removed
            }
        }
        assert_equal 0 [r lrem missing 0 a]
        r del l
        r rpush l 5 5 5
        assert_equal 3 [r lrem l 0 5]
        assert_equal 0 [r exists l]
        assert_error "ERR value is not an integer or out of range" {r lrem l x a}
    }

    test "LTRIM" {
        both_encodings {
            foreach {from to want} {0 -1 {a b c d e} 1 2 {b c} -2 -1 {d e} 0 0 a 4 99 e -99 1 {a b}} {
                r del l
                r rpush l a b c d e
                if {$encoding eq "quicklist"} { r lpush l $big; r ltrim l 1 -1 }
                assert_equal OK [r ltrim l $from $to]
                assert_equal $want [r lrange l 0 -1]
            }
            r ltrim l 5 1
            assert_equal 0 [r exists l]
        }
        assert_equal OK [r ltrim missing 0 1]
    }

    test "LPOS" {
        r del l
        r rpush l a b c 1 2 3 c c
        assert_equal 2 [r lpos l c]
        assert_typed null lpos l d
        assert_typed null lpos missing d
        assert_typed {array {}} lpos missing d count 1
        assert_equal 6 [r lpos l c rank 2]
        assert_equal 7 [r lpos l c rank -1]
        assert_equal {} [r lpos l c rank 4]
        assert_equal {2 6} [r lpos l c count 2]
        assert_equal {2 6 7} [r lpos l c COUNT 0]
        assert_equal {7 6} [r lpos l c rank -1 count 2]
        assert_equal {6 7} [r lpos l c rank 2 count 0]
        assert_equal {2} [r lpos l c count 0 maxlen 3]
        assert_equal {7 6} [r lpos l c rank -1 count 0 maxlen 2]
        assert_equal {} [r lpos l c maxlen 2]
        assert_error "ERR syntax error" {r lpos l c rank}
        assert_error "ERR syntax error" {r lpos l c nothing 1}
        assert_error "ERR COUNT can't be negative" {r lpos l c count -1}
        assert_error "ERR MAXLEN can't be negative" {r lpos l c maxlen x}
        assert_error_like "ERR RANK can't be zero: *" {r lpos l c rank 0}
        assert_error "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807" {
            r lpos l c rank -9223372036854775808
        }
    }

    test "LMOVE, RPOPLPUSH" {
        both_encodings {
            foreach {from to a b} {
                left left {b c} {a x y} left right {b c} {x y a} right left {a b} {c x y} right right {a b} {x y c}
            } {
                r del src dst
                r rpush src a b c
                r rpush dst x y
                assert_equal [expr {$from eq "left" ? "a" : "c"}] [r lmove src dst $from $to]
                assert_equal $a [r lrange src 0 -1]
                assert_equal $b [r lrange dst 0 -1]
            }
            r del src dst
            r rpush src $big
            assert_equal $big [r rpoplpush src dst]
            assert_equal 0 [r exists src]
            assert_equal [list $big] [r lrange dst 0 -1]
        }
        assert_typed null lmove missing dst left right
        assert_typed null rpoplpush missing dst
        assert_error "ERR syntax error" {r lmove dst dst left up}
        r set text x
        assert_error_like "WRONGTYPE *" {r rpoplpush dst text}
    }

    test "a list can be moved around in itself" {
        r del l
        r rpush l a b c
        assert_equal c [r rpoplpush l l]
        assert_equal {c a b} [r lrange l 0 -1]
        assert_equal c [r lmove l l left right]
        assert_equal {a b c} [r lrange l 0 -1]
        r del l
        r rpush l only
        r expire l 100
        assert_equal only [r rpoplpush l l]
        assert_equal only [r lindex l 0]
        assert_between 90 100 [r ttl l]
    }

    test "LMPOP" {
        r del a b
        r rpush b 1 2 3 4
        assert_equal {b 1} [r lmpop 2 a b left]
        assert_equal {b {4 3}} [r lmpop 2 a b RIGHT count 2]
        assert_equal {b 2} [r lmpop 1 b left count 10]
        assert_equal 0 [r exists b]
        assert_typed nullarray lmpop 2 a b left
        foreach bad {0 -1 x} { assert_error "ERR numkeys should be greater than 0" {r lmpop $bad a left} }
        foreach bad {0 -1 x} { assert_error "ERR count should be greater than 0" {r lmpop 1 a left count $bad} }
        foreach bad {{2 a left} {1 a up} {1 a left count} {1 a left count 1 count 1} {9223372036854775807 a left}} {
            assert_error "ERR syntax error" {r lmpop {*}$bad}
        }
    }

    test "other types are refused" {
        r set text x
        r del l
        r rpush l a
        foreach command {
            {lpush text a} {rpush text a} {lpushx text a} {rpushx text a} {lpop text} {rpop text 1} {llen text}
            {lindex text 0} {lrange text 0 1} {lset text 0 a} {linsert text before a b} {lrem text 0 a} {ltrim text 0 1}
            {lpos text a} {lmove text l left left} {lmove l text left left} {rpoplpush text l} {lmpop 1 text left}
            {blpop text 1} {brpop missing text 1} {blmove text l left left 1} {brpoplpush text l 1} {blmpop 1 1 text left}
        } {
            assert_error "WRONGTYPE Operation against a key holding the wrong kind of value" {r {*}$command}
        }
        assert_error_like "WRONGTYPE *" {r get l}
        assert_error_like "WRONGTYPE *" {r incr l}
        assert_error_like "WRONGTYPE *" {r append l x}
        assert_equal a [r lrange l 0 -1]
    }

    test "the encoding changes at the limit and back at half of it" {
        r config set list-max-listpack-size 6
        r del l
        r rpush l 1 2 3 4 5 6
        assert_encoding listpack l
        r rpush l 7
        assert_encoding quicklist l
        assert_equal {7 6 5} [r rpop l 3]
        assert_encoding quicklist l
        r rpop l
        assert_encoding listpack l
        r config set list-max-listpack-size -1
        r del l
        r rpush l [string repeat a 4000]
        assert_encoding listpack l
        r rpush l [string repeat b 1000]
        assert_encoding quicklist l
        assert_equal 1 [r lrem l 1 [string repeat a 4000]]
        assert_encoding listpack l
        r lset l 0 [string repeat c 5000]
        assert_encoding quicklist l
        r lset l 0 c
        assert_encoding listpack l
        r config set list-max-listpack-size -2
    }

    foreach {fill depth threshold} {-2 0 0 -1 1 0 3 0 0 3 2 0 1 1 0 4 0 8b -2 1 8b} {
        test "random edits agree with a Tcl list (size $fill, depth $depth, threshold $threshold)" {
            r config set list-max-listpack-size $fill list-compress-depth $depth
            r debug quicklist-packed-threshold $threshold
            r del l
            set model {}
            for {set i 0} {$i < 2000} {incr i} {
                set x [pick {1 22 text 333333}][random_int 30]
                if {[random_int 200] == 0} { set x [string repeat $x 700] }
                set n [llength $model]
                set at [expr {$n ? [random_int $n] : 0}]
                switch [random_int 14] {
                    0 - 1 - 2 { r rpush l $x; lappend model $x }
                    3 - 4 - 5 { r lpush l $x; set model [linsert $model 0 $x] }
                    6 { assert_equal [lindex $model 0] [r lpop l]; set model [lrange $model 1 end] }
                    7 { assert_equal [lindex $model end] [r rpop l]; set model [lrange $model 0 end-1] }
                    8 { if {$n} { r lset l $at $x; lset model $at $x } }
                    9 {
                        set pivot [lindex $model $at]
                        if {$n && $pivot ne {}} {
                            r linsert l after $pivot $x
                            set model [linsert $model [expr {[lsearch -exact $model $pivot] + 1}] $x]
                        }
                    }
                    10 {
                        set x [lindex $model $at]
                        r lrem l 1 $x
                        set k [lsearch -exact $model $x]
                        if {$k >= 0} { set model [lreplace $model $k $k] }
                    }
                    11 { assert_equal [lrange $model $at [expr {$at + 20}]] [r lrange l $at [expr {$at + 20}]] }
                    12 { assert_equal [lindex $model $at] [r lindex l $at] }
                    13 {
                        if {[random_int 20] == 0} {
                            r ltrim l 2 -3
                            set model [lrange $model 2 end-2]
                        }
                    }
                }
                assert_equal [llength $model] [r llen l]
            }
            assert_equal $model [r lrange l 0 -1]
            set digest [digest_of l]
            r copy l twin replace
            assert_equal $digest [digest_of twin]
            r restore other 0 [r dump l] replace
            assert_equal $digest [digest_of other]
            r debug reload
            assert_equal $model [r lrange l 0 -1]
            assert_equal $digest [digest_of l]
            r del twin other
        }
    }
    r config set list-max-listpack-size -2 list-compress-depth 0
    r debug quicklist-packed-threshold 0

    test "long lists in both directions" {
        r del l m
        set model {}
        for {set i 0} {$i < 200} {incr i} {
            set batch {}
            for {set j 0} {$j < 100} {incr j} { lappend batch item:[expr {$i * 100 + $j}] }
            lappend model {*}$batch
            r rpush l {*}$batch
            r lpush m {*}$batch
        }
        assert_equal $model [r lrange l 0 -1]
        assert_equal [lreverse $model] [r lrange m 0 -1]
        foreach i {0 1 999 10000 15000 19998 19999} {
            assert_equal [lindex $model $i] [r lindex l $i]
            assert_equal [lindex $model $i] [r lindex m [expr {-1 - $i}]]
            assert_equal $i [r lpos l item:$i]
        }
        r debug reload
        assert_equal $model [r lrange l 0 -1]
        assert_equal [lrange $model 0 9999] [r lpop l 10000]
        assert_equal [lrange $model 0 9999] [r rpop m 10000]
        r ltrim l 5000 -2
        assert_equal [lrange $model 15000 end-1] [r lrange l 0 -1]
    }

    test "DEBUG OBJECT shows how a quicklist is laid out" {
        r config set list-max-listpack-size 2 list-compress-depth 1
        r del l
        r rpush l a b c d e
        assert_match "*encoding:quicklist*ql_nodes:3 ql_avg_node:1.67 ql_listpack_max:2 ql_compressed:1 ql_uncompressed_size:*" \
            [r debug object l]
        r config set list-max-listpack-size -2 list-compress-depth 0
        r del l
        r rpush l a
        assert_no_match "*ql_nodes*" [r debug object l]
        assert_error "ERR argument must be a memory value bigger than 1 and smaller than 4gb" {
            r debug quicklist-packed-threshold 4gb
        }
        assert_error "ERR Not a quicklist encoded object." {r debug quicklist l}
        assert_equal "Listpack structure printed on stdout" [r debug listpack l]
    }

    test "events" {
        r flushall
        r config set notify-keyspace-events EAn
        assert_equal {{new l} {lpush l} {rpush l} {lset l} {linsert l} {lrem l} {ltrim l}} [events_of {
            r lpush l a b
            r rpush l c d e
            r lset l 0 x
            r linsert l after x y
            r lrem l 1 y
            r lrem l 1 nothing
            r ltrim l 0 -1
        }]
        assert_equal {{lpop l} {rpop l} {lpop l} {del l}} [events_of {
            r lpop l
            r rpop l 2
            r lmpop 1 l left count 9
        }]
        r rpush l a
        assert_equal {{new m} {rpush m} {lpop l} {del l} {lpush m} {rpop m}} [events_of {
            r lmove l m left right
            r rpoplpush m m
        }]
        assert_equal {{lrem m} {del m} {new m} {rpush m} {ltrim m} {del m}} [events_of {
            r lrem m 0 a
            r rpush m a
            r ltrim m 1 0
        }]
        r config set notify-keyspace-events ""
    }

    test "changes are counted" {
        r flushall
        set before [s rdb_changes_since_last_save]
        set counts {}
        foreach command {
            {rpush l a b c d e f} {lpush l x} {lset l 0 y} {linsert l before y z} {lrem l 0 a} {lrem l 0 nothing} {ltrim l 1 -2}
            {ltrim l 0 -1} {lpop l} {rpop l 2} {lmove l m left left} {lmpop 1 m left} {lpushx missing x}
        } {
            r {*}$command
            set now [s rdb_changes_since_last_save]
            lappend counts [expr {$now - $before}]
            set before $now
        }
        assert_equal {6 1 1 1 1 0 2 0 1 2 1 1 0} $counts
    }

    test "blocking commands reply at once where there is something" {
        r del a b
        r rpush b 1 2 3 4 5 6
        assert_equal {b 1} [r blpop a b 1]
        assert_equal {b 6} [r brpop a b 1]
        assert_equal {b {2 3}} [r blmpop 1 2 a b left count 2]
        assert_equal 5 [r brpoplpush b a 1]
        assert_equal 4 [r blmove b a left right 1]
        assert_equal {5 4} [r lrange a 0 -1]
        assert_equal 0 [r exists b]
    }

    test "time-outs" {
        r del l
        assert_typed nullarray blpop l 0.01
        assert_typed nullarray brpoplpush l m 0.01
        assert_typed nullarray blmpop 0.01 1 l left
        set start [now_ms]
        assert_equal {} [r brpop l 0.2]
        assert_between 190 1000 [expr {[now_ms] - $start}]
        foreach {bad text} {
            x "is not a float or out of range" nan "is not a float or out of range" -1 "is negative" -inf "is negative"
            inf "is out of range" 9223372036854775807 "is out of range" 9223372036854775.807 "is out of range"
        } {
            foreach command [list [list blpop l $bad] [list brpoplpush l l $bad] [list blmpop $bad 1 l left]] {
                assert_error "ERR timeout $text" {r {*}$command}
            }
        }
    }

    test "a blocked client is served by a push, first come first served" {
        r del l
        set clients {}
        foreach i {1 2 3} { lappend clients [blocked_on blpop l 0] }
        assert_equal 2 [r rpush l a b]
        assert_equal {{l a} {l b}} [list [[lindex $clients 0] read] [[lindex $clients 1] read]]
        wait_blocked 1
        assert_equal 0 [r exists l]
        assert_equal 1 [r lpush l c]
        assert_equal {l c} [[lindex $clients 2] read]
        foreach c $clients { $c close }
    }

    test "a variadic push is complete before somebody is served" {
        r del l
        set c [blocked_on blpop l 0]
        assert_equal 3 [r lpush l a b c]
        assert_equal {l c} [$c read]
        assert_equal {b a} [r lrange l 0 -1]
        $c close
    }

    test "a client waits for several keys, and is served by the one that comes" {
        r del a b c
        set c [blocked_on brpop a b c b 0]
        r rpush b 1 2
        assert_equal {b 2} [$c read]
        r rpush a x
        r rpush c y
        assert_equal {x 1 y} [list [r lpop a] [r lpop b] [r lpop c]]
        $c close
    }

    test "after a transaction the first key of the command wins" {
        r del a b
        set c [blocked_on blpop a b 0]
        r multi
        r rpush b 2
        r rpush a 1
        r exec
        assert_equal {a 1} [$c read]
        assert_equal 2 [r lpop b]
        $c close
    }

    test "BLMPOP takes as many as there are" {
        r del l
        set c [blocked_on blmpop 0 2 nothing l right count 10]
        r rpush l a b c
        assert_equal {l {c b a}} [$c read]
        $c close
    }

    test "chains of BLMOVE" {
        r del a b c
        set x [blocked_on blmove b c left right 0]
        set y [blocked_on brpoplpush a b 0]
        r rpush a 1
        assert_equal 1 [$x read]
        assert_equal 1 [$y read]
        assert_equal {0 0 1} [list [r exists a] [r exists b] [r exists c]]
        $x close
        $y close
    }

    test "a blocked move into a key of another type is an error, and takes nothing" {
        r del l
        r set text x
        set c [blocked_on blmove l text left left 0]
        r rpush l a
        assert_error_like "WRONGTYPE *" {$c read}
        assert_equal a [r lrange l 0 -1]
        $c close
    }

    test "who waits for a list is not woken by another value, nor by what is gone again" {
        r del l
        set c [blocked_on blpop l 0]
        r set l text
        r del l
        r multi
        r rpush l a
        r del l
        r exec
        wait_blocked 1
        r rpush l b
        assert_equal {l b} [$c read]
        $c close
    }

    test "renamed, copied, restored and swapped keys wake" {
        r flushall
        foreach how {{rename from l} {copy from l} {restore l 0 DUMP} {swapdb 0 9}} {
            r select 9
            r flushall
            r rpush [expr {[lindex $how 0] eq "swapdb" ? "l" : "from"}] x
            set dump [expr {[lindex $how 0] eq "restore" ? [r dump from] : ""}]
            if {[lindex $how 0] eq "swapdb"} { r select 0 }
            set c [redis_client -deferred]
            $c select [expr {[lindex $how 0] eq "swapdb" ? 0 : 9}]
            $c blpop l 0
            assert_equal OK [$c read]
            wait_blocked 1
            r {*}[string map [list DUMP [list $dump]] $how]
            assert_equal {l x} [$c read] $how
            $c close
            r select 0
        }
        r flushall
    }

    test "inside a transaction nobody waits" {
        r del l
        r multi
        r blpop l 0
        r brpoplpush l l 0
        r blmpop 0 1 l left
        r rpush l a
        r blpop l 0
        assert_equal {{} {} {} 1 {l a}} [r exec]
    }

    test "CLIENT UNBLOCK" {
        r del l
        set c [redis_client]
        set id [$c client id]
        $c send blpop l 0
        wait_blocked 1
        assert_equal 1 [r client unblock $id]
        assert_equal {} [$c read]
        $c send blpop l 0
        wait_blocked 1
        assert_equal 1 [r client unblock $id error]
        assert_error "UNBLOCKED client unblocked via CLIENT UNBLOCK" {$c read}
        assert_equal 0 [r client unblock $id]
        assert_equal PONG [$c ping]
        $c close
    }

    test "a blocked client that wants no replies gets none" {
        r del l
        set c [redis_client]
        $c send client reply off
        $c send blpop l 0
        wait_blocked 1
        r rpush l a
        $c send client reply on
        assert_equal OK [$c read]
        assert_equal 0 [r exists l]
        $c close
    }

    test "what a client sent behind a blocking command runs after it" {
        r del l
        set c [redis_client]
        $c send blpop l 0
        wait_blocked 1
        $c send ping
        $c send rpush l z
        r rpush l a
        assert_equal {{l a} PONG 1} [list [$c read] [$c read] [$c read]]
        $c close
    }

    test "a blocked client that leaves is forgotten" {
        r del l
        set c [blocked_on blpop l 0]
        set d [blocked_on blpop l 0]
        $c close
        wait_blocked 1
        r rpush l a
        assert_equal {l a} [$d read]
        $d close
    }

    test "a blocked command is accounted once, when it ends" {
        r del l
        r config resetstat
        set c [blocked_on blpop l 0]
        assert_no_match "*cmdstat_blpop*" [r info commandstats]
        r rpush l a
        $c read
        assert_match "*cmdstat_blpop:calls=1,*" [r info commandstats]
        r blpop l 0.01
        assert_match "*cmdstat_blpop:calls=2,*" [r info commandstats]
        $c close
    }

    test "RESP3 has one null" {
        set c [redis_client]
        $c hello 3
        r del l
        assert_equal null [$c typed lpop l]
        assert_equal null [$c typed lpop l 2]
        assert_equal null [$c typed lmpop 1 l left]
        assert_equal null [$c typed blpop l 0.01]
        assert_equal {array {}} [$c typed lrange l 0 -1]
        r rpush l a
        assert_equal {array {{bulk l} {bulk a}}} [$c typed blpop l 1]
        $c close
    }
}

start_server {tags {list} overrides {save "" list-max-listpack-size -3 list-compress-depth 1}} {
    test "compressed nodes survive a restart" {
        for {set i 0} {$i < 100} {incr i} {
            r rpush l {*}[lmap j [lrepeat 100 x] {string repeat $j[random_int 100] [random_int 30]}]
        }
        set all [r lrange l 0 -1]
        r save
        restart_server
        assert_equal $all [r lrange l 0 -1]
        assert_encoding quicklist l
    }

    test "LMOVE within a list: whether it is small again is asked when it is whole" {
        # Elements, limit, encoding after the move.
        foreach {n limit encoding} {2 2 quicklist 2 4 listpack 6 10 quicklist 5 10 listpack} {
            r del l
            r config set list-max-listpack-size 1
            for {set i 0} {$i < $n} {incr i} { r rpush l $i }
            # A quicklist of one node.
            r sort l by nosort store l
            r config set list-max-listpack-size $limit
            assert_encoding quicklist l
            r lmove l l left right
            assert_equal $n [r llen l]
            assert_encoding $encoding l
        }
        r config set list-max-listpack-size -2
    }
}
