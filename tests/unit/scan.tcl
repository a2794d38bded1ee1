# SCAN: options and the guarantee while the keyspace grows and shrinks.

# The step-th portion of the keys victim:0 to victim:limit-1 goes.
proc drop_some {step size limit} {
    for {set i [expr {$step * $size}]} {$i < ($step + 1) * $size && $i < $limit} {incr i} { lappend keys victim:$i }
    if {[info exists keys]} { r del {*}$keys }
}

start_server {tags {scan}} {
    test "a scan returns every key" {
        foreach n {0 1 7 100 5000} {
            r flushall
            populate $n k
            assert_equal $n [llength [lsort -unique [scan_all]]] "$n keys"
        }
        foreach count {1 3 10 1000 100000} {
            assert_equal 5000 [llength [lsort -unique [scan_all count $count]]] "count $count"
        }
    }

    test "the cursor is a string, zero at the end, and the reply has two parts" {
        r flushall
        assert_typed {array {{bulk 0} {array {}}}} scan 0
        r set a 1
        assert_typed {array {{bulk 0} {array {{bulk a}}}}} scan 0
    }

    test "COUNT bounds the work of a call" {
        r flushall
        populate 10000 k
        assert_between 1 300 [llength [lindex [r scan 0 count 10] 1]]
        assert_equal 10000 [llength [lindex [r scan 0 count 1000000] 1]]
    }

    test "MATCH filters" {
        r flushall
        populate 200 k
        r set other 1
        assert_equal 10 [llength [lsort -unique [scan_all match k1?]]]
        assert_equal other [scan_all match o*]
        assert_equal other [scan_all match other]
        assert_equal {} [scan_all match nothing*]
        assert_equal 200 [llength [lsort -unique [scan_all match k* count 7]]]
        assert_equal other [scan_all MATCH {[m-p]*} COUNT 3]
    }

    test "TYPE filters" {
        r flushall
        populate 50 s
        assert_equal 50 [llength [lsort -unique [scan_all type string]]]
        assert_equal 50 [llength [lsort -unique [scan_all TYPE STRING count 4]]]
        assert_equal {} [scan_all type list]
        assert_equal 10 [llength [lsort -unique [scan_all type string match s1?]]]
    }

    test "bad cursors and options" {
        foreach cursor {abc 1.5 { 1} 1x 18446744073709551616 99999999999999999999} {
            assert_error "ERR invalid cursor" {r scan $cursor}
        }
        assert_error "ERR syntax error" {r scan 0 count}
        assert_error "ERR syntax error" {r scan 0 count 0}
        assert_error "ERR syntax error" {r scan 0 count -1}
        assert_error "ERR value is not an integer or out of range" {r scan 0 count ten}
        assert_error "ERR syntax error" {r scan 0 foo bar}
        assert_error "ERR wrong number of arguments for 'scan' command" {r scan}
    }

    test "any number is a safe cursor" {
        r flushall
        populate 1000 k
        foreach cursor {1 7 12345 4294967296 9223372036854775807 18446744073709551615} {
            lassign [r scan $cursor] next keys
            assert {[string is wideinteger -strict $next] || $next >= 0}
        }
        for {set i 0} {$i < 200} {incr i} { r scan [random_int 2147483647] count 3 }
    }

    # A key that is there from the first call to the last must be returned; how often is free.
    foreach {what change} {
        growing   { populate 300 "grow$step:" }
        shrinking { drop_some $step 300 9000 }
        both      { populate 200 "both$step:"; drop_some $step 200 9000 }
        emptied   { if {$step == 3} { drop_some 0 9000 9000 } }
    } {
        test "nothing that stays is missed while the keyspace is $what" {
            foreach stay {10 1000} {
                r flushall
                populate $stay stay:
                populate 9000 victim:
                set cursor 0
                set step 0
                unset -nocomplain seen
                array set seen {}
                while 1 {
                    lassign [r scan $cursor count 50] cursor keys
                    foreach key $keys { set seen($key) 1 }
                    if {$cursor == 0} break
                    if {$step < 40} { eval $change }
                    incr step
                }
                for {set i 0} {$i < $stay} {incr i} {
                    if {![info exists seen(stay:$i)]} { fail "stay:$i was not returned ($step calls)" }
                }
            }
        }
    }

    test "a scan ends although the keyspace grows all the time" {
        r flushall
        populate 1000 k
        set cursor 0
        for {set calls 0} {$calls < 2000} {incr calls} {
            lassign [r scan $cursor count 20] cursor keys
            if {$cursor == 0} break
            r set new:$calls x
        }
        assert {$calls < 2000}
    }

    test "keys that expired are not returned, and are removed by meeting them" {
        r flushall
        r debug set-active-expire 0
        populate 20 dead 10 0 {px 1}
        populate 10 live
        sleep 10
        if {[at_least 7.2]} {
            assert_equal 10 [llength [lsort -unique [scan_all match live*]]]
            assert_equal 30 [r dbsize] "keys that the pattern leaves out stay"
        }
        assert_equal 10 [llength [lsort -unique [scan_all]]]
        assert_equal 10 [r dbsize]
        r debug set-active-expire 1
    }

    test "two databases have scans of their own" {
        r flushall
        r set a 1
        r select 3
        r set b 1
        assert_equal b [scan_all]
        r select 0
        assert_equal a [scan_all]
    }

    test "a cursor is read by strtoul: nothing is 0, -1 is the last there is" {
        r flushall
        r hset h a 1
        r zadd z 1 a
        r sadd s 1
        foreach cursor [list {} +0 -0 00 "0\x00x" "\x00"] {
            assert_equal 3 [llength [lindex [r scan $cursor] 1]] $cursor
            assert_equal {0 {a 1}} [r hscan h $cursor]
        }
        assert_equal 0 [lindex [r scan -1] 0]
        foreach bad {a 1a - + -x " 1" "1 " 18446744073709551616 -18446744073709551616} {
            assert_error "ERR invalid cursor" {r scan $bad}
            # A bad cursor comes first, before the type of the key and the options.
            assert_error "ERR invalid cursor" {r hscan s $bad junk}
        }
        assert_error_like "WRONGTYPE*" {r hscan s 0 junk}
    }
}
