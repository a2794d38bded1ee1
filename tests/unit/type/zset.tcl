# Sorted sets in both encodings: adding, scores, ranks, ranges, removing, combining, popping, waiting.

# A sorted set in the encoding asked for, from scores and members.
proc zset_in {encoding key args} {
    r del $key
    r config set zset-max-listpack-entries [expr {$encoding eq "listpack" ? 128 : 0}]
    if {[llength $args]} {
        r zadd $key {*}$args
        assert_encoding $encoding $key
    }
}

foreach encoding {listpack skiplist} {
    start_server {tags {zset}} {
        test "ZADD adds, changes, counts ($encoding)" {
            zset_in $encoding z 1 a 2 b
            assert_typed {int 1} zadd z 3 c 5 b
            assert_equal {a 1 c 3 b 5} [r zrange z 0 -1 withscores]
            assert_equal 0 [r zadd z 5 b]
            assert_equal 2 [r zadd z ch 6 b 9 d]
            assert_equal {a c b d} [r zrange z 0 -1]
            assert_equal 4 [r zcard z]
            assert_equal 0 [r zcard missing]
            # The last of a doubled member wins.
            assert_equal 1 [r zadd z 1 e 2 e 3 e]
            assert_equal 3 [r zscore z e]
        }

        test "ZADD with conditions ($encoding)" {
            zset_in $encoding z 10 a 20 b
            assert_equal 1 [r zadd z nx 1 a 30 c]
            assert_equal 0 [r zadd z xx 11 a 1 nosuch]
            assert_equal {11 {}} [r zmscore z a nosuch]
            assert_equal 1 [r zadd z gt ch 12 a 19 b]
            assert_equal 1 [r zadd z lt ch 13 a 19 b]
            assert_equal {12 19} [r zmscore z a b]
            assert_equal 1 [r zadd z gt 1 new]
            assert_equal 0 [r zadd z xx gt 1 newer]
            assert_equal 0 [r zadd missing xx 1 a]
            assert_equal 0 [r exists missing]
            assert_equal {} [r zadd missing xx incr 1 a]
        }

        test "ZADD INCR and ZINCRBY ($encoding)" {
            zset_in $encoding z 10 a
            assert_typed {bulk 12.5} zadd z incr 2.5 a
            assert_typed null zadd z nx incr 1 a
            assert_typed null zadd z gt incr -1 a
            assert_equal 5 [r zadd z incr 5 new]
            assert_equal -1 [r zincrby z -6 new]
            assert_equal {new -1 a 12.5} [r zrange z 0 -1 withscores]
            assert_equal inf [r zincrby z +inf a]
            assert_error "ERR resulting score is not a number (NaN)" {r zincrby z -inf a}
            assert_equal 3 [r zincrby fresh 3 m]
            r del fresh
        }

        test "scores are exact ($encoding)" {
            zset_in $encoding z 0 zero
            foreach {given want} {
                1 1 -1 -1 1.5 1.5 0.1 0.1 1e3 1000 3.0 3 123456789012345678 123456789012345680 1e17 100000000000000000
                1e20 1e+20 1e22 1e+22 -inf -inf +inf inf inf inf 0x10 16 1.7976931348623157e308 1.7976931348623157e+308
                5e-324 5e-324 0.30000000000000004 0.30000000000000004 9007199254740993 9007199254740992 -0.5 -0.5
            } {
                r zadd z $given m
                assert_equal $want [r zscore z m] "score $given"
            }
            foreach bad {nan abc {} 1x { 1} {1 } 1e999 --1} {
                assert_error "ERR value is not a valid float" {r zadd z $bad m}
            }
        }

        test "ZRANK, ZREVRANK ($encoding)" {
            zset_in $encoding z 1 a 2 b 2 c 3 d
            assert_equal {0 1 2 3} [lmap m {a b c d} {r zrank z $m}]
            assert_equal {3 2 1 0} [lmap m {a b c d} {r zrevrank z $m}]
            assert_typed null zrank z nosuch
            assert_typed {array {{int 2} {bulk 2}}} zrank z c withscore
            assert_typed {array {{int 0} {bulk 3}}} zrevrank z d withscore
            assert_typed nullarray zrank z nosuch withscore
            assert_typed nullarray zrank missing a withscore
            assert_error "ERR syntax error" {r zrank z a withscores}
            assert_error "ERR wrong number of arguments for 'zrank' command" {r zrank z a withscore x}
        }

        test "ZREM and the end of the key ($encoding)" {
            zset_in $encoding z 1 a 2 b 3 c
            assert_equal 2 [r zrem z a nosuch c]
            assert_equal b [r zrange z 0 -1]
            assert_equal 0 [r zrem z nosuch]
            assert_equal 1 [r zrem z b b a]
            assert_equal 0 [r exists z]
            assert_equal 0 [r zrem z b]
        }

        test "ranges by rank ($encoding)" {
            zset_in $encoding z 1 a 2 b 3 c 4 d 5 e
            foreach {start stop want} {
                0 -1 {a b c d e} 0 0 a -2 -1 {d e} 1 100 {b c d e} -100 1 {a b} 3 1 {} 5 6 {} -1 0 {}
            } {
                assert_equal $want [r zrange z $start $stop]
            }
            foreach {start stop want} {0 -1 {e d c b a} 0 1 {e d} -2 -1 {b a} 4 9 a 9 10 {}} {
                assert_equal $want [r zrevrange z $start $stop]
                assert_equal $want [r zrange z $start $stop rev]
            }
            assert_equal {e 5 d 4} [r zrevrange z 0 1 withscores]
            assert_equal {a b} [r zrange z 0 1 limit 1 -1]
            assert_typed {array {}} zrange missing 0 -1
            assert_error "ERR value is not an integer or out of range" {r zrange z a 1}
        }

        test "ranges by score ($encoding)" {
            zset_in $encoding z -inf a 1 b 2 c 3 d 4 e 5 f +inf g
            foreach {min max want} {
                -inf 2 {a b c} 0 3 {b c d} 3 6 {d e f} 4 +inf {e f g} (-inf (2 b (0 (3 {b c} (3 (6 {e f} 4 (+inf {e f}
                5 4 {} (3 3 {} 3 (3 {} (3 (3 {} 2.5 2.9 {}
            } {
                assert_equal $want [r zrangebyscore z $min $max]
                assert_equal [lreverse $want] [r zrevrangebyscore z $max $min]
                assert_equal $want [r zrange z $min $max byscore]
                assert_equal [lreverse $want] [r zrange z $max $min byscore rev]
                assert_equal [llength $want] [r zcount z $min $max]
            }
            assert_equal {b 1 c 2} [r zrangebyscore z 0 10 limit 0 2 withscores]
            assert_equal {d e} [r zrangebyscore z 0 10 limit 2 2]
            assert_equal {} [r zrangebyscore z 0 10 limit 20 2]
            assert_equal {} [r zrangebyscore z 0 10 limit -1 2]
            assert_equal {c d e f} [r zrangebyscore z 0 10 limit 1 -5]
            assert_equal {} [r zrangebyscore z 0 10 limit 1 0]
            assert_equal {d c} [r zrevrangebyscore z 10 0 limit 2 2]
            foreach bad {str NaN (str} {
                assert_error "ERR min or max is not a float" {r zrangebyscore z $bad 1}
                assert_error "ERR min or max is not a float" {r zcount z 1 $bad}
                assert_error "ERR min or max is not a float" {r zremrangebyscore z 1 $bad}
            }
        }

        test "ranges by alphabet ($encoding)" {
            zset_in $encoding z 0 alpha 0 bar 0 cool 0 down 0 elephant 0 foo 0 great 0 hill 0 omega 0 12
            foreach {min max want} {
                - \[cool {12 alpha bar cool} \[bar \[down {bar cool down} \[g + {great hill omega} - (cool {12 alpha bar}
                (bar (down cool + - {} \[h - {} + \[a {} \[x \[a {} (cool (cool {} \[cool \[cool cool \[1 \[2 12
            } {
                assert_equal $want [r zrangebylex z $min $max]
                assert_equal [lreverse $want] [r zrevrangebylex z $max $min]
                assert_equal $want [r zrange z $min $max bylex]
                assert_equal [lreverse $want] [r zrange z $max $min bylex rev]
                assert_equal [llength $want] [r zlexcount z $min $max]
            }
            assert_equal {bar cool} [r zrangebylex z - + limit 2 2]
            assert_equal {great foo} [r zrevrangebylex z + - limit 2 2]
            foreach bad {foo {} ++ -inf} {
                assert_error "ERR min or max not valid string range item" {r zrangebylex z $bad +}
                assert_error "ERR min or max not valid string range item" {r zlexcount z - $bad}
            }
        }

        test "removing ranges ($encoding)" {
            foreach {command min max left} {
                zremrangebyrank 1 2 {a d e} zremrangebyrank -2 -1 {a b c} zremrangebyrank 5 9 {a b c d e} zremrangebyrank 0 -1 {}
                zremrangebyscore 2 3 {a d e} zremrangebyscore (2 (4 {a b d e} zremrangebyscore -inf +inf {} zremrangebyscore 9 10 {a b c d e}
            } {
                zset_in $encoding z 1 a 2 b 3 c 4 d 5 e
                assert_equal [expr {5 - [llength $left]}] [r $command z $min $max]
                assert_equal $left [r zrange z 0 -1]
                assert_equal [expr {$left ne {}}] [r exists z]
                assert_equal 0 [r $command missing $min $max]
            }
            foreach {min max left} {- \[b {c d e} (b + {a b} - + {} \[x \[z {a b c d e}} {
                zset_in $encoding z 0 a 0 b 0 c 0 d 0 e
                assert_equal [expr {5 - [llength $left]}] [r zremrangebylex z $min $max]
                assert_equal $left [r zrange z 0 -1]
            }
        }

        test "ZRANGESTORE ($encoding)" {
            zset_in $encoding src 1 a 2 b 3 c 4 d
            assert_equal 2 [r zrangestore dst src 1 2]
            assert_equal {b 2 c 3} [r zrange dst 0 -1 withscores]
            assert_encoding $encoding dst
            assert_equal 2 [r zrangestore dst src 0 1 rev]
            assert_equal {c 3 d 4} [r zrange dst 0 -1 withscores]
            assert_equal 2 [r zrangestore dst src 2 inf byscore limit 1 2]
            assert_equal {c d} [r zrange dst 0 -1]
            assert_equal 1 [r zrangestore dst src (4 0 byscore rev limit 1 1]
            assert_equal b [r zrange dst 0 -1]
            assert_equal 4 [r zrangestore dst src \[a + bylex]
            assert_equal 0 [r zrangestore dst src 5 9]
            assert_equal 0 [r exists dst]
            r set dst text
            assert_equal 0 [r zrangestore dst missing 0 -1]
            assert_equal 0 [r exists dst]
            assert_error "ERR syntax error" {r zrangestore dst src 0 -1 withscores}
            # Onto itself.
            assert_equal 3 [r zrangestore src src 0 2]
            assert_equal {a b c} [r zrange src 0 -1]
        }

        test "ZPOPMIN, ZPOPMAX, ZMPOP ($encoding)" {
            zset_in $encoding z 1 a 2 b 3 c 4 d 5 e
            assert_equal {a 1} [r zpopmin z]
            assert_equal {e 5} [r zpopmax z]
            assert_equal {} [r zpopmin z 0]
            assert_equal {d 4 c 3} [r zpopmax z 2]
            assert_equal {b 2} [r zpopmin z 10]
            assert_equal 0 [r exists z]
            assert_typed {array {}} zpopmin z
            assert_error "ERR value is out of range, must be positive" {r zpopmin z -1}
            assert_error "ERR value is out of range, must be positive" {r zpopmin z x}
            assert_error "ERR syntax error" {r zpopmin z 1 2}
            zset_in $encoding z 1 a 2 b 3 c
            assert_equal {z {{a 1}}} [r zmpop 2 none z min]
            assert_equal {z {{c 3} {b 2}}} [r zmpop 1 z max count 10]
            assert_typed nullarray zmpop 1 z min
        }

        test "ZRANDMEMBER ($encoding)" {
            zset_in $encoding z 1 a 2 b 3 c 4 d
            assert {[r zrandmember z] in {a b c d}}
            assert_same_items {a b c d} [r zrandmember z 4]
            assert_same_items {a b c d} [r zrandmember z 10]
            assert_equal 10 [llength [r zrandmember z -10]]
            for {set i 0} {$i < 20} {incr i} {
                set three [r zrandmember z 3]
                assert_equal 3 [llength [lsort -unique $three]]
                foreach {m s} [r zrandmember z 2 withscores] { assert_equal $s [r zscore z $m] }
                foreach {m s} [r zrandmember z -5 withscores] { assert_equal $s [r zscore z $m] }
            }
            set seen {}
            for {set i 0} {$i < 200} {incr i} { lappend seen {*}[r zrandmember z 1] }
            assert_equal {a b c d} [lsort -unique $seen]
            assert_typed null zrandmember missing
            assert_typed {array {}} zrandmember missing 5
            assert_typed {array {}} zrandmember z 0
            assert_error "ERR syntax error" {r zrandmember z 1 withscore}
            assert_error "ERR value is out of range" {r zrandmember z 9223372036854775807 withscores}
        }

        test "ZSCAN sees all ($encoding)" {
            zset_in $encoding z 0 first
            r config set zset-max-listpack-entries [expr {$encoding eq "listpack" ? 1000 : 0}]
            set want {first 0}
            for {set i 0} {$i < 500} {incr i} { r zadd z $i.5 m$i; lappend want m$i $i.5 }
            assert_encoding $encoding z
            array unset got
            set cursor 0
            while 1 {
                lassign [r zscan z $cursor count 20] cursor items
                foreach {m s} $items { set got($m) $s }
                if {$cursor == 0} break
            }
            assert_same_items $want [array get got]
            set matched [lindex [r zscan z 0 match m12* count 10000] 1]
            assert_equal 11 [expr {[llength $matched] / 2}]
            if {[is_redust]} {
                set members [lindex [r zscan z 0 noscores count 100000] 1]
                assert_equal [r zcard z] [llength [lsort -unique $members]]
                assert_equal [lsort [r zrange z 0 -1]] [lsort $members]
            }
            assert_equal {0 {}} [r zscan missing 0]
            assert_error "ERR invalid cursor" {r zscan z x}
            assert_error "ERR syntax error" {r zscan z 0 count 0}
        }

        test "ZUNION, ZINTER, ZDIFF ($encoding)" {
            zset_in $encoding a 1 x 2 y 3 z
            zset_in $encoding b 10 y 20 z 30 w
            assert_equal {x 1 y 12 z 23 w 30} [r zunion 2 a b withscores]
            assert_equal {y z} [r zinter 2 a b]
            assert_equal {x 1} [r zdiff 2 a b withscores]
            assert_equal {x 2 y 34 z 66 w 90} [r zunion 2 a b weights 2 3 withscores]
            assert_equal {x 1 y 2 z 3 w 30} [r zunion 2 a b aggregate min withscores]
            assert_equal {y 10 z 20} [r zinter 2 a b aggregate max withscores]
            assert_equal {x y z} [r zunion 2 a missing]
            assert_equal {} [r zinter 2 a missing]
            assert_equal {x y z} [r zdiff 2 a missing]
            assert_equal {} [r zdiff 2 a a]
            assert_equal {x 2 y 4 z 6} [r zunion 2 a a withscores]
            assert_equal 2 [r zintercard 2 a b]
            assert_equal 1 [r zintercard 2 a b limit 1]
            assert_equal 0 [r zintercard 2 a missing limit 0]
            # Infinities of both signs add up to nothing.
            zset_in $encoding p +inf m
            zset_in $encoding n -inf m
            assert_equal {m 0} [r zunion 2 p n withscores]
            assert_equal {m 0} [r zinter 2 p n withscores]
            assert_equal {m 0} [r zunion 1 p weights 0 withscores]
        }

        test "plain sets are sources, each member with the score 1 ($encoding)" {
            need_command sadd
            foreach members {{x y 5} {1 5 12}} {
                r del set
                r sadd set {*}$members
                zset_in $encoding z 10 5 20 y
                assert_equal [llength [lsort -unique [concat $members 5 y]]] [r zunionstore dst 2 z set weights 1 2]
                assert_equal 12 [r zscore dst 5]
                assert_equal [lsort [concat $members]] [lsort [r zunion 1 set]]
                assert_equal 11 [lindex [r zinter 2 set z withscores] end-[expr {"y" in $members ? 2 : 0}]]
                assert_equal [expr {"y" in $members ? {} : "y"}] [r zdiff 2 z set]
                assert_equal [expr {"y" in $members ? 2 : 1}] [r zintercard 2 set z]
            }
            assert_error "WRONGTYPE Operation against a key holding the wrong kind of value" {r zrange set 0 -1}
        }

        test "ZUNIONSTORE and its like store, replace and delete ($encoding)" {
            zset_in $encoding a 1 x 2 y 3 z
            zset_in $encoding b 10 y 20 z 30 w
            assert_equal 4 [r zunionstore dst 2 a b]
            assert_encoding $encoding dst
            assert_equal {x 1 y 12 z 23 w 30} [r zrange dst 0 -1 withscores]
            r expire dst 100
            assert_equal 2 [r zinterstore dst 2 a b weights 1 -1]
            assert_equal -1 [r ttl dst]
            assert_equal {z -17 y -8} [r zrange dst 0 -1 withscores]
            assert_equal 1 [r zdiffstore dst 2 b a]
            assert_equal {w 30} [r zrange dst 0 -1 withscores]
            assert_equal 0 [r zdiffstore dst 2 a a]
            assert_equal 0 [r exists dst]
            # Into one of the sources.
            assert_equal 4 [r zunionstore a 2 a b]
            assert_equal {x 1 y 12 z 23 w 30} [r zrange a 0 -1 withscores]
        }

        test "DUMP, RESTORE, COPY, DEBUG RELOAD keep all ($encoding)" {
            zset_in $encoding z 1 a 2.5 b -inf c 1e300 d 7 12
            set all [r zrange z 0 -1 withscores]
            set digest [r debug digest-value z]
            set dump [r dump z]
            r del w
            r restore w 0 $dump
            assert_equal $all [r zrange w 0 -1 withscores]
            assert_encoding $encoding w
            assert_equal $digest [r debug digest-value w]
            r copy z v replace
            assert_equal $digest [r debug digest-value v]
            r debug reload
            assert_equal $all [r zrange z 0 -1 withscores]
            assert_encoding $encoding z
            assert_equal $digest [r debug digest-value z]
        }

        test "a random history agrees with a sorted list ($encoding)" {
            zset_in $encoding z
            array unset model
            for {set i 0} {$i < 2000} {incr i} {
                set m m[random_int 100]
                if {rand() < 0.7} {
                    set s [expr {[random_int 40] / 4.0}]
                    r zadd z $s $m
                    set model($m) $s
                } else {
                    assert_equal [info exists model($m)] [r zrem z $m]
                    unset -nocomplain model($m)
                }
            }
            set want [lsort -real -index 1 [lsort -index 0 [lmap {m s} [array get model] {list $m $s}]]]
            assert_equal [lmap pair $want {lindex $pair 0}] [r zrange z 0 -1]
            set i 0
            foreach pair $want {
                lassign $pair m s
                assert_equal $i [r zrank z $m]
                assert {[r zscore z $m] == $s}
                incr i
            }
            assert_equal [llength $want] [r zcount z -inf +inf]
        }
    }
}

start_server {tags {zset}} {
    test "encodings change at the limits" {
        r config set zset-max-listpack-entries 3 zset-max-listpack-value 10
        r zadd z 1 a 2 b 3 c
        assert_encoding listpack z
        r zadd z 4 a
        assert_encoding listpack z
        r zadd z 4 d
        assert_encoding skiplist z
        r zrem z a b c
        assert_encoding skiplist z
        r del z
        r zadd z 1 0123456789
        assert_encoding listpack z
        r zadd z 1 0123456789a
        assert_encoding skiplist z
        # Four arguments, if only for two members.
        r del z
        r zadd z 1 a 1 a 1 a 1 b
        assert_encoding skiplist z
        r del z
        r zadd z 1 a
        r zadd z xx 1 a 1 b 1 c 1 d
        assert_encoding skiplist z
        # A result is packed if it fits, whatever its sources are.
        r zunionstore dst 1 z
        assert_encoding listpack dst
        r zadd w 1 a 2 b 3 c 4 d
        r zrangestore dst w 0 2
        assert_encoding listpack dst
        r zrangestore dst w 0 3
        assert_encoding skiplist dst
        r zinterstore dst 2 w w
        assert_encoding skiplist dst
    }

    test "errors" {
        r flushall
        r set s text
        foreach command {
            {zadd s 1 a} {zincrby s 1 a} {zrem s a} {zscore s a} {zmscore s a} {zcard s} {zcount s 0 1} {zlexcount s - +} {zrank s a}
            {zrevrank s a} {zrange s 0 1} {zrangestore d s 0 1} {zrangebyscore s 0 1} {zrevrangebylex s + -} {zremrangebyrank s 0 1}
            {zpopmin s} {zpopmax s 0} {zmpop 1 s min} {bzpopmin s 1} {bzmpop 1 1 s max} {zunion 1 s} {zinterstore d 1 s}
            {zintercard 1 s} {zrandmember s} {zrandmember s 1} {zscan s 0}
        } {
            assert_error "WRONGTYPE Operation against a key holding the wrong kind of value" {r {*}$command}
        }
        foreach {text command} {
            "ERR syntax error" {zadd z 1 a 2}
            "ERR syntax error" {zadd z nx xx}
            "ERR syntax error" {zincrby z nx a}
            "ERR XX and NX options at the same time are not compatible" {zadd z nx xx 1 a}
            "ERR GT, LT, and/or NX options at the same time are not compatible" {zadd z gt lt 1 a}
            "ERR GT, LT, and/or NX options at the same time are not compatible" {zadd z gt nx 1 a}
            "ERR INCR option supports a single increment-element pair" {zadd z incr 1 a 2 b}
            "ERR value is not a valid float" {zadd z 1 a x b}
            "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX" {zrange z 0 1 limit 1 2}
            "ERR syntax error, WITHSCORES not supported in combination with BYLEX" {zrange z - + bylex withscores}
            "ERR syntax error" {zrange z 0 1 byscore bylex}
            "ERR syntax error" {zrevrange z 0 1 rev}
            "ERR syntax error" {zrangebyscore z 0 1 limit 1}
            "ERR at least 1 input key is needed for 'zunionstore' command" {zunionstore d 0 a}
            "ERR at least 1 input key is needed for 'zintercard' command" {zintercard 0 a}
            "ERR syntax error" {zunion 2 a}
            "ERR weight value is not a float" {zunion 1 a weights x}
            "ERR syntax error" {zunion 2 a b weights 1}
            "ERR syntax error" {zunion 1 a aggregate avg}
            "ERR syntax error" {zdiff 1 a weights 1}
            "ERR syntax error" {zunionstore d 1 a withscores}
            "ERR LIMIT can't be negative" {zintercard 1 a limit -1}
            "ERR numkeys should be greater than 0" {zmpop 0 a min}
            "ERR count should be greater than 0" {zmpop 1 a min count 0}
            "ERR syntax error" {zmpop 1 a middle}
            "ERR syntax error" {zmpop 3 a min}
            "ERR syntax error" {zmpop 1 a min count 1 count 2}
            "ERR timeout is not a float or out of range" {bzpopmin a x}
            "ERR timeout is negative" {bzpopmax a -1}
            "ERR timeout is negative" {bzmpop -1 1 a min}
        } {
            assert_error $text {r {*}$command}
        }
        assert_equal 0 [r exists z]
    }

    test "replies in RESP3" {
        set c [redis_client]
        $c hello 3
        $c flushall
        $c zadd z 1 a 2.5 b
        assert_equal {double 2.5} [$c typed zscore z b]
        assert_equal {array {{double 1} null}} [$c typed zmscore z a x]
        assert_equal {double 3.5} [$c typed zincrby z 1 b]
        assert_equal {array {{array {{bulk a} {double 1}}} {array {{bulk b} {double 3.5}}}}} [$c typed zrange z 0 -1 withscores]
        assert_equal {array {{array {{bulk b} {double 3.5}}}}} [$c typed zrevrangebyscore z inf 2 withscores]
        assert_equal {array {{array {{bulk a} {double 1}}} {array {{bulk b} {double 3.5}}}}} [$c typed zunion 1 z withscores]
        assert_equal {array {{int 1} {double 3.5}}} [$c typed zrank z b withscore]
        assert_equal null [$c typed zrank z x withscore]
        $c zrem z b
        assert_equal {array {{array {{bulk a} {double 1}}}}} [$c typed zrandmember z 1 withscores]
        assert_equal {array {{bulk 0} {array {{bulk a} {bulk 1}}}}} [$c typed zscan z 0]
        $c zadd z 2 b 3 c 4 d
        assert_equal {array {{bulk a} {double 1}}} [$c typed zpopmin z]
        assert_equal {array {{array {{bulk b} {double 2}}}}} [$c typed zpopmin z 1]
        assert_equal {array {{bulk z} {array {{array {{bulk c} {double 3}}}}}}} [$c typed zmpop 1 z min]
        assert_equal {array {{bulk z} {bulk d} {double 4}}} [$c typed bzpopmin z 0]
        assert_equal null [$c typed zmpop 1 z min]
        assert_equal null [$c typed bzpopmin z 0.01]
        $c close
    }
}

start_server {tags {zset blocking}} {
    test "BZPOPMIN and BZPOPMAX take what is there" {
        r zadd z 1 a 2 b 3 c
        assert_equal {z a 1} [r bzpopmin none z 0]
        assert_equal {z c 3} [r bzpopmax z none 0]
        assert_equal {z {{b 2}}} [r bzmpop 0 2 none z min count 5]
        assert_equal 0 [r exists z]
        assert_typed nullarray bzpopmin z 0.01
        assert_typed nullarray bzmpop 0.01 1 z min
    }

    test "the waiting are served first come, first served" {
        set a [redis_client]
        set b [redis_client]
        $a send bzpopmin z y 0
        wait_for_condition {[s blocked_clients] == 1}
        $b send bzpopmax z 0
        wait_for_condition {[s blocked_clients] == 2}
        r zadd z 1 x 2 y 3 z
        assert_equal {z x 1} [$a read]
        assert_equal {z z 3} [$b read]
        assert_equal y [r zrange z 0 -1]
        $a close
        $b close
    }

    test "a key of another type serves nobody" {
        set a [redis_client]
        $a send bzpopmin k 0
        wait_for_condition {[s blocked_clients] == 1}
        r set k text
        r append k more
        assert_equal 1 [s blocked_clients]
        r del k
        r zadd k 5 m
        assert_equal {k m 5} [$a read]
        $a close
    }

    test "stores, renames and restores wake the waiting" {
        set a [redis_client]
        r zadd src 1 m
        set dump [r dump src]
        foreach make {{zunionstore k 1 src} {zrangestore k src 0 -1} {rename src k} {geoadd k 1 1 m}} {
            r zadd src 1 m
            $a send bzmpop 0 1 k min
            wait_for_condition {[s blocked_clients] == 1}
            r {*}$make
            assert_equal k [lindex [$a read] 0]
        }
        $a send bzpopmin k 0
        wait_for_condition {[s blocked_clients] == 1}
        r restore k 0 $dump
        assert_equal {k m 1} [$a read]
        $a close
    }

    test "inside EXEC nobody waits" {
        r multi
        r bzpopmin none 0
        r bzmpop 0 1 none max
        assert_equal {{} {}} [r exec]
    }
}

start_server {tags {zset events}} {
    test "keyspace events" {
        r config set notify-keyspace-events KEA
        set c [redis_client]
        $c psubscribe __keyevent@*
        foreach {command events} {
            {zadd z 1 a 2 b 3 c 4 d 5 e 6 f 7 g} {zadd z}
            {zadd z 1 a} {}
            {zadd z ch 2 a} {zadd z}
            {zadd z incr 1 a} {zincr z}
            {zincrby z 1 a} {zincr z}
            {zrem z nosuch} {}
            {zrem z a} {zrem z}
            {zpopmin z} {zpopmin z}
            {zpopmax z 1} {zpopmax z}
            {zremrangebyrank z 0 0} {zremrangebyrank z}
            {zrangestore dst z 0 0} {zrangestore dst}
            {zunionstore dst 1 z} {zunionstore dst}
            {zinterstore dst 1 z} {zinterstore dst}
            {zdiffstore dst 1 z} {zdiffstore dst}
            {zdiffstore dst 2 z z} {del dst}
            {zremrangebyscore z 4 4} {zremrangebyscore z}
            {zmpop 1 z min} {zpopmin z}
            {bzpopmax z 0} {zpopmax z del z}
            {zadd z 1 a} {zadd z}
            {zrem z a} {zrem z del z}
            {zadd z 0 a} {zadd z}
            {zremrangebylex z - +} {zremrangebylex z del z}
        } {
            r {*}$command
            r publish __keyevent@0__:end {}
            set fired {}
            while 1 {
                lassign [$c read] - - channel key
                set event [lindex [split $channel :] 1]
                if {$event eq "end"} break
                if {$event ne "new"} { lappend fired $event $key }
            }
            assert_equal $events $fired $command
        }
        $c close
    }

    test "changes are counted" {
        r flushall
        foreach {command changes} {
            {zadd z 1 a 2 b 3 c 4 d 5 e} 5 {zadd z 1 a} 0 {zadd z 2 a 9 x} 2 {zrem z a nosuch x} 2 {zpopmin z 2} 2
            {zremrangebyrank z 0 0} 1 {zunionstore y 1 z} 1 {zrange z 0 -1} 0
        } {
            set before [s rdb_changes_since_last_save]
            r {*}$command
            assert_equal $changes [expr {[s rdb_changes_since_last_save] - $before}] $command
        }
    }
}
