# Counters: INCR and its family, integers and floats.

start_server {tags {strings incr}} {
    set notint "ERR value is not an integer or out of range"

    test "INCR, DECR, INCRBY, DECRBY count from zero and from what is there" {
        r del n
        assert_equal 1 [r incr n]
        assert_equal 2 [r incr n]
        assert_equal 12 [r incrby n 10]
        assert_equal 11 [r decr n]
        assert_equal 1 [r decrby n 10]
        assert_equal -1 [r incrby n -2]
        assert_equal 4 [r decrby n -5]
        assert_equal 4 [r get n]
        assert_typed {int 5} incr n
    }

    test "counters go as far as 64 bits and no further" {
        r set n 9223372036854775806
        assert_equal 9223372036854775807 [r incr n]
        assert_error "ERR increment or decrement would overflow" {r incr n}
        assert_equal 9223372036854775807 [r get n]
        r set n -9223372036854775808
        assert_error "ERR increment or decrement would overflow" {r decr n}
        assert_error "ERR increment or decrement would overflow" {r incrby n -1}
        assert_error "ERR decrement would overflow" {r decrby n -9223372036854775808}
        assert_equal -9223372036854775808 [r get n]
        assert_equal -1 [r incrby n 9223372036854775807]
    }

    test "what is not written as an integer is no integer" {
        foreach bad {{} " 1" "1 " +1 01 -0 1.0 1e3 abc 0x10 9223372036854775808 -9223372036854775809 "1\0"} {
            r set n $bad
            assert_error $notint {r incr n}
            assert_equal $bad [r get n]
            r set n 1
            assert_error $notint {r incrby n $bad}
        }
    }

    test "INCR keeps the expiry" {
        r set n 5 ex 100
        r incr n
        r incrbyfloat n 1.5
        assert_between 90 100 [r ttl n]
    }

    test "INCR after APPEND and SETRANGE works on the text" {
        r set n 1
        r append n 0
        assert_equal 11 [r incr n]
        r setrange n 0 5
        assert_equal 52 [r incr n]
    }

    test "random increments agree with a model" {
        r del n
        set model 0
        for {set i 0} {$i < 500} {incr i} {
            set by [expr {[random_int 2000001] - 1000000}]
            if {[random_int 2]} {
                assert_equal [incr model $by] [r incrby n $by]
            } else {
                assert_equal [incr model [expr {-$by}]] [r decrby n $by]
            }
        }
    }

    test "INCRBYFLOAT prints shortly and without exponent" {
        foreach {from by want} {
            3 1.1 4.1  10.5 0.1 10.6  5.0e3 2.0e2 5200  1 -1 0  0 1e-5 0.00001  1.23 -1.23 0  3.0 1.00000 4
            10 -15.5 -5.5  1e2 1 101  0 100000000000000000 100000000000000000  0.1 0.2 0.3  -1 0.5 -0.5  1.5 1.5 3
        } {
            r set f $from
            assert_typed [list bulk $want] incrbyfloat f $by
            assert_equal $want [r get f]
        }
        r del f
        assert_equal 1.5 [r incrbyfloat f 1.5]
    }

    test "INCRBYFLOAT refuses what is no float and what becomes none" {
        foreach bad {{} abc 1.2.3 " 1" "1 " 1,5 nanx} {
            r set f 1
            assert_error "ERR value is not a valid float" {r incrbyfloat f $bad}
            r set f $bad
            assert_error "ERR value is not a valid float" {r incrbyfloat f 1}
        }
        r set f 1
        assert_error "ERR increment would produce NaN or Infinity" {r incrbyfloat f +inf}
        assert_error "ERR increment would produce NaN or Infinity" {r incrbyfloat f -inf}
        assert_equal 1 [r get f]
    }

    test "a whole result of INCRBYFLOAT is an integer again" {
        r set f 1.5
        r incrbyfloat f 1.5
        assert_equal 4 [r incr f]
    }

    test "wrong numbers of arguments" {
        foreach command {{incr} {incr a b} {incrby a} {decrby a 1 2} {incrbyfloat a}} {
            assert_error "ERR wrong number of arguments for '[lindex $command 0]' command" {r {*}$command}
        }
    }

    test "a counter command refuses other types" {
        need_command lpush
        r del l
        r lpush l 1
        foreach command {{incr l} {decrby l 2} {incrbyfloat l 1}} {
            assert_error "WRONGTYPE Operation against a key holding the wrong kind of value" {r {*}$command}
        }
    }
}
