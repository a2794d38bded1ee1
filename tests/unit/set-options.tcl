# SET and its relatives: every combination of options, legal and not.

start_server {tags {strings}} {
    set syntax "ERR syntax error"

    test "SET stores any bytes, replaces any value, drops the expiry" {
        assert_equal OK [r set k v ex 100]
        assert {[r ttl k] > 0}
        assert_equal OK [r set k v2]
        assert_equal v2 [r get k]
        assert_equal -1 [r ttl k]
        r set k ""
        assert_typed {bulk {}} get k
        assert_equal 0 [r strlen k]
        r set "" "value of the empty key"
        assert_equal "value of the empty key" [r get ""]
        assert_equal 1 [r del ""]
    }

    test "SET NX and XX look at existence only" {
        r del k
        assert_typed null set k a xx
        assert_equal 0 [r exists k]
        assert_equal OK [r set k a nx]
        assert_typed null set k b nx
        assert_equal a [r get k]
        assert_equal OK [r set k c XX]
        assert_equal c [r get k]
    }

    test "SET with NX or XX that does nothing leaves the expiry alone" {
        r set k v ex 100
        assert_typed null set k w nx px 5
        assert {[r ttl k] > 90}
        r del k
        assert_typed null set k w xx ex 5
        assert_equal -2 [r ttl k]
    }

    test "SET GET returns the old value and honours the other options" {
        r del k
        assert_typed null set k one get
        assert_typed {bulk one} set k two get
        assert_typed {bulk two} set k three get ex 50
        assert_between 45 50 [r ttl k]
        assert_typed {bulk three} set k four keepttl get
        assert_between 45 50 [r ttl k]
        assert_typed {bulk four} set k five get
        assert_equal -1 [r ttl k]
        assert_typed {bulk five} set k six xx get
        assert_equal six [r get k]
    }

    test "SET NX GET returns what is there and writes only when nothing is" {
        r del k
        assert_typed null set k one nx get
        assert_equal one [r get k]
        assert_typed {bulk one} set k two nx get
        assert_equal one [r get k]
        r del k
        assert_typed null set k two get xx
        assert_equal 0 [r exists k]
    }

    test "SET EX and PX give a relative expiry" {
        r set k v ex 10
        assert_between 9000 10000 [r pttl k]
        r set k v px 5000
        assert_between 4000 5000 [r pttl k]
        r set k v Px 5000 NX
        assert_between 4000 5000 [r pttl k]
        r set k w xx eX 20
        assert_between 19 20 [r ttl k]
    }

    test "SET EXAT and PXAT give an absolute expiry" {
        set at [expr {[clock seconds] + 100}]
        r set k v exat $at
        assert_equal $at [r expiretime k]
        r set k v pxat ${at}123
        assert_equal ${at}123 [r pexpiretime k]
        r set k v exat $at xx get
        assert_equal ${at}000 [r pexpiretime k]
    }

    test "SET with a moment in the past removes the key at once" {
        r set k old
        assert_equal OK [r set k new exat 1]
        assert_equal 0 [r exists k]
        r set k old
        assert_equal OK [r set k new pxat 1]
        assert_equal {} [r get k]
        assert_equal 0 [r dbsize]
    }

    test "SET KEEPTTL keeps the expiry, also of a key without one" {
        r set k v ex 100
        r set k w keepttl
        assert_equal w [r get k]
        assert_between 90 100 [r ttl k]
        r set k v
        r set k w keepttl
        assert_equal -1 [r ttl k]
        r del k
        assert_equal OK [r set k v KEEPTTL nx]
        assert_equal -1 [r ttl k]
    }

    test "SET accepts every pair of options that do not contradict each other, and no other" {
        set at [expr {[clock seconds] + 1000}]
        set options [dict create nx nx xx xx get get keepttl keepttl ex {ex 10} px {px 10000} exat "exat $at" pxat "pxat ${at}000"]
        set expiry {ex px exat pxat keepttl}
        dict for {a text_a} $options {
            dict for {b text_b} $options {
                set clash [expr {$a ne $b && (($a in $expiry && $b in $expiry) || [lsort [list $a $b]] eq {nx xx})}]
                r set k v
                set failed [catch {r set k v {*}$text_a {*}$text_b} why]
                if {$clash} {
                    assert_equal "1 $syntax" "$failed $why" "set k v $text_a $text_b"
                } else {
                    assert_equal 0 $failed "set k v $text_a $text_b: $why"
                }
            }
        }
    }

    test "SET refuses unknown, incomplete and doubled options" {
        foreach bad {{ex} {px} {exat} {pxat} {foo} {nx foo} {ex 10 foo} {ex 10 px} {10 ex} {keepttl ex 1}} {
            assert_error $syntax {r set k v {*}$bad}
        }
        assert_error "ERR wrong number of arguments for 'set' command" {r set k}
        assert_error "ERR wrong number of arguments for 'set' command" {r set}
    }

    test "SET refuses expiries that are no positive number or overflow" {
        foreach option {ex px exat pxat} {
            foreach value {abc 1.5 {} { 1} 1x 9223372036854775808} {
                assert_error "ERR value is not an integer or out of range" {r set k v $option $value}
            }
            foreach value {0 -1 -9223372036854775808} {
                assert_error "ERR invalid expire time in 'set' command" {r set k v $option $value}
            }
        }
        foreach option {ex exat} {
            assert_error "ERR invalid expire time in 'set' command" {r set k v $option 9223372036854775807}
            assert_error "ERR invalid expire time in 'set' command" {r set k v $option 9223372036854776}
        }
        assert_error "ERR invalid expire time in 'set' command" {r set k v px 9223372036854775807}
        r set k v pxat 9223372036854775807
        assert_equal 9223372036854775807 [r pexpiretime k]
    }

    test "a SET that is refused changes nothing" {
        r set k keep ex 100
        catch {r set k lost ex 0}
        catch {r set k lost nx xx}
        catch {r set k lost ex abc}
        assert_equal keep [r get k]
        assert_between 90 100 [r ttl k]
    }

    test "SETNX, SETEX, PSETEX, GETSET" {
        r del k
        assert_equal 1 [r setnx k a]
        assert_equal 0 [r setnx k b]
        assert_equal OK [r setex k 10 c]
        assert_between 9 10 [r ttl k]
        assert_equal OK [r psetex k 20000 d]
        assert_between 19000 20000 [r pttl k]
        assert_equal d [r getset k e]
        assert_equal -1 [r ttl k]
        r del k
        assert_typed null getset k f
        assert_equal f [r get k]
    }

    test "SETEX and PSETEX refuse what is no positive time, naming themselves" {
        foreach bad {0 -1 9223372036854775807} {
            assert_error "ERR invalid expire time in 'setex' command" {r setex k $bad v}
            assert_error "ERR invalid expire time in 'psetex' command" {r psetex k $bad v}
        }
        assert_error "ERR value is not an integer or out of range" {r setex k ten v}
        assert_error "ERR value is not an integer or out of range" {r psetex k 1.0 v}
        assert_error "ERR wrong number of arguments for 'setex' command" {r setex k 10}
    }

    test "GETEX sets, moves, keeps and removes the expiry" {
        r set k v
        assert_equal v [r getex k]
        assert_equal -1 [r ttl k]
        assert_equal v [r getex k ex 100]
        assert_between 95 100 [r ttl k]
        assert_equal v [r getex k]
        assert_between 95 100 [r ttl k]
        assert_equal v [r getex k px 50000]
        assert_between 45000 50000 [r pttl k]
        set at [expr {[clock seconds] + 300}]
        r getex k exat $at
        assert_equal $at [r expiretime k]
        r getex k pxat ${at}007
        assert_equal ${at}007 [r pexpiretime k]
        assert_equal v [r getex k persist]
        assert_equal -1 [r ttl k]
        assert_equal v [r getex k exat 1]
        assert_equal 0 [r exists k]
        assert_typed null getex k
        assert_typed null getex k ex 10
    }

    test "GETEX refuses contradictions and bad times" {
        r set k v
        foreach bad {{ex} {ex 10 px 10} {persist ex 10} {keepttl} {nx} {get} {persist 1}} {
            assert_error $syntax {r getex k {*}$bad}
        }
        assert_error "ERR invalid expire time in 'getex' command" {r getex k ex 0}
        assert_error "ERR invalid expire time in 'getex' command" {r getex k px -5}
        assert_error "ERR value is not an integer or out of range" {r getex k ex x}
        assert_equal -1 [r ttl k]
    }

    test "GETDEL reads and removes" {
        r set k v ex 100
        assert_equal v [r getdel k]
        assert_equal 0 [r exists k]
        assert_typed null getdel k
        r set k again
        assert_equal -1 [r ttl k]
    }

    test "an expired value is gone for SET NX, GET and GETDEL alike" {
        r debug set-active-expire 0
        r set a 1 px 1
        r set b 1 px 1
        r set c 1 px 1
        sleep 20
        assert_typed null set a 2 xx
        assert_equal OK [r set b 2 nx]
        assert_equal -1 [r ttl b]
        assert_typed null getdel c
        r debug set-active-expire 1
    }
}
