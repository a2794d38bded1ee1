# Strings: ranges, appends, many keys at once, LCS.

start_server {tags {strings}} {
    test "MSET and MGET treat many keys, the last of a doubled key wins" {
        r flushall
        assert_equal OK [r mset a 1 b 2 c 3 a 9]
        assert_equal {9 2 {} 3} [r mget a b missing c]
        assert_typed {array {{bulk 9} null}} mget a missing
        assert_error "ERR wrong number of arguments for 'mset' command" {r mset a 1 b}
        assert_error "ERR wrong number of arguments for 'mset' command" {r mset a}
        assert_error "ERR wrong number of arguments for 'mget' command" {r mget}
    }

    test "MSET drops expiries" {
        r set a 1 ex 100
        r mset a 2 b 3
        assert_equal -1 [r ttl a]
    }

    test "MSETNX writes all or nothing" {
        r flushall
        assert_equal 1 [r msetnx a 1 b 2]
        assert_equal 0 [r msetnx c 3 b 4]
        assert_equal {1 2 {}} [r mget a b c]
        assert_equal 1 [r msetnx d 1 d 2]
        assert_equal 2 [r get d]
        assert_error "ERR wrong number of arguments for 'msetnx' command" {r msetnx a 1 b}
    }

    test "APPEND creates and extends, STRLEN counts bytes" {
        r del s
        assert_equal 0 [r strlen s]
        assert_equal 3 [r append s foo]
        assert_equal 6 [r append s bar]
        assert_equal foobar [r get s]
        assert_equal 6 [r strlen s]
        r set n 12
        assert_equal 4 [r append n 34]
        assert_equal 1235 [r incr n]
        assert_equal 4 [r append n ""]
        r del s
        assert_equal 0 [r append s ""]
        assert_equal 1 [r exists s]
    }

    test "APPEND keeps the expiry" {
        r set s a ex 100
        r append s b
        assert_between 90 100 [r ttl s]
    }

    test "APPEND of random pieces equals the concatenation" {
        r del s
        set model {}
        for {set i 0} {$i < 300} {incr i} {
            set piece [randstring 0 300]
            append model $piece
            assert_equal [string length $model] [r append s $piece]
        }
        assert_equal $model [r get s]
    }

    test "SETRANGE overwrites, extends and pads with zero bytes" {
        r del s
        assert_equal 3 [r setrange s 0 foo]
        assert_equal foo [r get s]
        r del s
        assert_equal 0 [r setrange s 0 ""]
        assert_equal 0 [r exists s]
        assert_equal 4 [r setrange s 1 foo]
        assert_equal "\0foo" [r get s]
        r set s foo
        assert_equal 3 [r setrange s 1 ""]
        assert_equal foo [r get s]
        assert_equal 3 [r setrange s 1 b]
        assert_equal fbo [r get s]
        assert_equal 7 [r setrange s 4 bar]
        assert_equal "fbo\0bar" [r get s]
        r set n 1234
        assert_equal 4 [r setrange n 1 99]
        assert_equal 1994 [r get n]
    }

    test "SETRANGE refuses bad offsets and too long strings" {
        r set s foo
        assert_error "ERR offset is out of range" {r setrange s -1 x}
        assert_error "ERR value is not an integer or out of range" {r setrange s one x}
        assert_error "ERR string exceeds maximum allowed size (proto-max-bulk-len)" {r setrange s [expr {512 * 1024 * 1024}] x}
        assert_error "ERR string exceeds maximum allowed size (proto-max-bulk-len)" {r setrange s 4611686018427387904 x}
        r del s
        assert_error "ERR offset is out of range" {r setrange s -1 ""}
        assert_equal 0 [r setrange s [expr {512 * 1024 * 1024}] ""]
    }

    test "SETRANGE and GETRANGE agree with a model" {
        set model [randstring 50 50]
        r set s $model
        for {set i 0} {$i < 500} {incr i} {
            if {[random_int 3] == 0} {
                set at [random_int [string length $model]]
                set piece [randstring 1 20]
                set end [expr {$at + [string length $piece]}]
                set model [string range $model 0 $at-1]$piece[string range $model $end end]
                assert_equal [string length $model] [r setrange s $at $piece]
            }
            set from [expr {[random_int 120] - 60}]
            set to [expr {[random_int 120] - 60}]
            set n [string length $model]
            set first [expr {$from < 0 ? max($from + $n, 0) : $from}]
            set last [expr {$to < 0 ? $to + $n : $to}]
            # A negative end before the start of the string still means its first byte.
            if {$last < 0} { set last 0 }
            # Not as a result of `expr`, which makes 1 of " 1".
            set want [string range $model $first $last]
            if {$from < 0 && $to < 0 && $from > $to} { set want {} }
            assert_equal $want [r getrange s $from $to] "getrange $from $to of $n"
        }
    }

    test "GETRANGE and SUBSTR at the edges" {
        r set s "Hello World"
        assert_equal Hell [r getrange s 0 3]
        assert_equal "Hello World" [r getrange s 0 -1]
        assert_equal orld [r getrange s -4 -1]
        assert_equal {} [r getrange s 5 3]
        assert_equal { World} [r getrange s 5 5000]
        assert_equal "Hello World" [r getrange s -5000 10000]
        assert_equal Hello [r substr s 0 4]
        assert_typed {bulk {}} getrange missing 0 -1
        assert_typed {bulk {}} substr missing 0 -1
        r set n 123456
        assert_equal 345 [r getrange n 2 4]
        assert_error "ERR value is not an integer or out of range" {r getrange s a 1}
        r set e ""
        assert_equal {} [r getrange e 0 -1]
    }

    test "LCS finds the longest common subsequence" {
        r mset a ohmytext b mynewtext
        assert_equal mytext [r lcs a b]
        assert_equal 6 [r lcs a b len]
        assert_equal {} [r lcs a none]
        assert_equal 0 [r lcs a none len]
        assert_equal {matches {{{4 7} {5 8}} {{2 3} {0 1}}} len 6} [r lcs a b idx]
        assert_equal {matches {{{4 7} {5 8}}} len 6} [r lcs a b idx minmatchlen 4]
        assert_equal {matches {{{4 7} {5 8} 4} {{2 3} {0 1} 2}} len 6} [r lcs a b idx withmatchlen]
        assert_equal {matches {} len 0} [r lcs none also idx]
    }

    test "LCS errors" {
        r mset a 1 b 2
        assert_error "ERR If you want both the length and indexes, please just use IDX." {r lcs a b len idx}
        assert_error "ERR syntax error" {r lcs a b foo}
        assert_error "ERR syntax error" {r lcs a b minmatchlen}
        assert_error "ERR value is not an integer or out of range" {r lcs a b idx minmatchlen x}
        assert_error "ERR wrong number of arguments for 'lcs' command" {r lcs a}
    }

    test "LCS agrees with a simple implementation on random strings" {
        for {set round 0} {$round < 15} {incr round} {
            set x [randstring 0 30 compress]
            set y [randstring 0 30 compress]
            set row [lrepeat [expr {[string length $y] + 1}] 0]
            foreach cx [split $x {}] {
                set next 0
                set best 0
                for {set j 0} {$j < [string length $y]} {incr j} {
                    set best [expr {$cx eq [string index $y $j] ? [lindex $row $j] + 1 : max($best, [lindex $row $j+1])}]
                    lappend next $best
                }
                set row $next
            }
            r mset x $x y $y
            assert_equal [lindex $row end] [r lcs x y len] "$x / $y"
            assert_equal [lindex $row end] [string length [r lcs x y]]
        }
    }

    test "a value of 10 MB goes in and out, and through GETRANGE" {
        set big [string repeat 0123456789 1000000]
        r set big $big
        assert_equal 10000000 [r strlen big]
        assert {[r get big] eq $big}
        assert_equal 9 [r getrange big -1 -1]
        assert_equal 10000005 [r append big abcde]
        assert_equal 9abcde [r getrange big 9999999 -1]
        r del big
    }

    test "random binary values survive" {
        r flushall
        unset -nocomplain model
        array set model {}
        for {set i 0} {$i < 400} {incr i} {
            set key [randstring 0 40]
            set model($key) [randstring 0 1200]
            r set $key $model($key)
        }
        assert_equal [array size model] [r dbsize]
        foreach key [array names model] { assert_equal $model($key) [r get $key] }
    }

    test "commands of other types refuse a string, with the one error for that" {
        need_command lpush
        r set s v
        foreach command {{lpush s a} {sadd s a} {hset s f v} {zadd s 1 a} {llen s} {hgetall s}} {
            assert_error "WRONGTYPE Operation against a key holding the wrong kind of value" {r {*}$command}
        }
    }
}
