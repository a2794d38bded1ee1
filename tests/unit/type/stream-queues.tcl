# Streams as queues: what Redis 8.4 to 8.8 have brought, and what is our own.

proc wait_blocked {n} {
    wait_for_condition {[s blocked_clients] == $n} else { fail "[s blocked_clients] clients are blocked, not $n" }
}

# Entries 1-0 to n-0, which ann has read for group g.
proc given {key n} {
    r del $key
    for {set i 1} {$i <= $n} {incr i} { r xadd $key $i f v$i }
    r xgroup create $key g 0
    r xreadgroup group g ann streams $key >
}

proc entries {reply} { lindex $reply 0 1 }
proc first_ids {reply} { lmap entry [entries $reply] { lindex $entry 0 } }

start_server {tags {stream} overrides {enable-debug-command yes save ""}} {
    test "XREADGROUP with CLAIM delivers what was pending for long before what is new" {
        given s 3
        r xadd s 4 f v4
        r xclaim s g ann 0 2 idle 5000 justid
        r xclaim s g ann 0 3 idle 9000 justid
        set got [r xreadgroup group g bob count 3 claim 4000 streams s >]
        assert_equal {3-0 2-0 4-0} [first_ids $got]
        lassign [entries $got] third second fourth
        assert_equal {f v3} [lindex $third 1]
        assert_between 9000 20000 [lindex $third 2]
        assert_equal 1 [lindex $third 3]
        assert_equal {4-0 {f v4} 0 0} $fourth
        assert_equal {{1-0 ann 1} {2-0 bob 2} {3-0 bob 2} {4-0 bob 1}} [lmap e [r xpending s g - + 9] { lreplace $e 2 2 }]
        assert_equal {} [r xreadgroup group g bob claim 4000 streams s >]
        assert_equal {1-0 2-0 3-0 4-0} [first_ids [r xreadgroup group g cat claim 0 noack streams s >]]
        assert_equal 4 [lindex [r xpending s g] 0]
        # Of what is asked for by ID nothing is claimed.
        assert_equal {{1-0 {f v1}}} [entries [r xreadgroup group g cat count 1 claim 0 streams s 0]]
    }

    test "XREADGROUP with CLAIM forgets what is gone" {
        given s 2
        r xdel s 1
        assert_equal {2-0} [first_ids [r xreadgroup group g bob claim 0 streams s >]]
        assert_equal {1 2-0 2-0} [lrange [r xpending s g] 0 2]
    }

    test "what CLAIM must not be" {
        given s 1
        foreach idle {abc 5.5 +10 -0 "" 99999999999999999999} {
            assert_error "ERR min-idle-time is not an integer or out of range" {r xreadgroup group g ann claim $idle streams s >}
        }
        assert_error "ERR min-idle-time must be a positive integer" {r xreadgroup group g ann claim -10 streams s >}
        assert_error_like "ERR The CLAIM option is only supported by XREADGROUP*" {r xread claim 10 streams s 0}
        assert_error_like "NOGROUP*" {r xreadgroup group no ann claim 10 streams s >}
        assert_equal {} [r xreadgroup group g ann claim 9223372036854775807 streams s >]
    }

    test "who waits with CLAIM is woken when something has been pending for long enough" {
        given s 1
        set c [redis_client -deferred]
        set start [clock milliseconds]
        $c xreadgroup group g bob block 20000 claim 300 streams s >
        wait_blocked 1
        assert_equal {1-0} [first_ids [$c read]]
        assert_between 150 5000 [expr {[clock milliseconds] - $start}]
        # Nothing is pending yet when it begins to wait.
        r xack s g 1
        $c xreadgroup group g bob block 20000 claim 200 streams s >
        wait_blocked 1
        r xadd s 2 f v
        assert_equal {{2-0 {f v} 0 0}} [entries [$c read]]
        set d [redis_client -deferred]
        $d xreadgroup group g ann block 20000 claim 200 streams s >
        assert_equal {2-0} [first_ids [$d read]]
        # It gives up in time.
        $c xreadgroup group g bob block 100 claim 50000 streams s >
        assert_equal {} [$c read]
        # And hears of what others make old.
        $c xreadgroup group g bob block 20000 claim 50000 streams s >
        wait_blocked 1
        r xclaim s g ann 0 2 idle 60000 justid
        assert_equal {2-0} [first_ids [$c read]]
        $c close
        $d close
    }

    test "a wake in a group costs what it wakes, and the others keep their places" {
        r del s
        r xgroup create s g 0 mkstream
        set clients {}
        for {set i 0} {$i < 20} {incr i} {
            set c [redis_client -deferred]
            $c xreadgroup group g c$i block 20000 count 1 streams s >
            wait_blocked [expr {$i + 1}]
            lappend clients $c
        }
        for {set i 0} {$i < 20} {incr i} {
            r xadd s * n $i
            assert_equal "n $i" [lindex [entries [[lindex $clients $i] read]] 0 1]
            assert_equal [expr {19 - $i}] [s blocked_clients]
        }
        foreach c $clients { $c close }
    }

    test "XNACK gives back: it is nobody's, and comes first, in the order in which it was given back" {
        given s 4
        assert_equal 2 [r xnack s g fail ids 3 3 9 1]
        assert_equal {{1-0 {} -1 1} {3-0 {} -1 1}} [lmap e [r xpending s g - + 9] { if {[lindex $e 1] ne ""} continue; set e }]
        assert_equal {2-0 4-0} [lmap e [r xpending s g - + 9 ann] { lindex $e 0 }]
        set group [lindex [dict get [r xinfo stream s full] groups] 0]
        assert_equal {4 2} [list [dict get $group pel-count] [dict get $group nacked-count]]
        assert_equal {1-0 {} 0 1} [lindex [dict get $group pending] 0]
        assert_equal {4 1-0 4-0 {{ann 2}}} [r xpending s g]
        assert_equal 1 [r xnack s g fail ids 1 3]
        set got [r xreadgroup group g bob count 2 claim 60000 streams s >]
        assert_equal {1-0 3-0} [first_ids $got]
        assert_equal {1-0 {f v1} -1 1} [lindex [entries $got] 0]
        assert_equal 2 [r xgroup delconsumer s g ann]
        r xnack s g fail ids 1 1
        assert_equal {2 1-0 3-0 {{bob 1}}} [r xpending s g]
        assert_equal 1 [llength [r xclaim s g cat 99999 1]]
        r xnack s g fail ids 1 1
        assert_equal 1-0 [lindex [r xautoclaim s g cat 99999 0] 1 0 0]
        r xnack s g fail ids 2 1 3
        r xdel s 1 3
        assert_equal {} [r xclaim s g cat 0 1]
        assert_equal {0-0 {} 3-0} [r xautoclaim s g cat 0 0]
        assert_equal 0 [lindex [r xpending s g] 0]
    }

    test "XNACK and how often something was delivered" {
        given s 3
        r xclaim s g ann 0 1
        proc counts {} { lmap e [r xpending s g - + 9] { lindex $e 3 } }
        assert_equal 3 [r xnack s g silent ids 3 1 2 3]
        assert_equal {1 0 0} [counts]
        r xnack s g silent ids 1 2
        r xnack s g fatal ids 1 1
        assert_equal {9223372036854775807 0 0} [counts]
        r xnack s g fatal retrycount 7 ids 1 1
        assert_equal {7 0 0} [counts]
        r xack s g 1 2 3
        assert_equal 0 [r xnack s g fail ids 2 1 2]
        assert_equal 2 [r xnack s g fail force ids 3 1 9 2 retrycount 4]
        assert_equal {4 4} [counts]
        r xnack s g fatal ids 1 3 force
        assert_equal {4 4 9223372036854775807} [counts]
    }

    test "what XNACK must not be" {
        given s 2
        assert_error_like "NOGROUP*" {r xnack none g fail ids 1 1}
        assert_error_like "NOGROUP*" {r xnack s none fail ids 1 1}
        r set str x
        assert_error_like "WRONGTYPE*" {r xnack str g fail ids 1 1}
        assert_error "ERR mode must be SILENT, FAIL, or FATAL" {r xnack s g bad ids 1 1}
        assert_error "ERR Unrecognized XNACK option 'FATAL'" {r xnack s g fail FATAL ids 1 1}
        assert_error "ERR Unrecognized XNACK option '2-0'" {r xnack s g fail ids 1 1 2-0}
        assert_error "ERR Unrecognized XNACK option 'retrycount'" {r xnack s g fail ids 1 1 retrycount}
        assert_error "ERR syntax error, expected IDS keyword" {r xnack s g silent force retrycount 5}
        foreach n {abc 0 -1} { assert_error "ERR numids must be a positive integer" {r xnack s g silent ids $n 1} }
        assert_error "ERR number of IDs doesn't match numids" {r xnack s g silent ids 2 1}
        assert_error_like "ERR Invalid stream ID*" {r xnack s g fail ids 1 x}
        assert_error "ERR value is not an integer or out of range" {r xnack s g fail ids 1 1 retrycount abc}
        assert_error "ERR Invalid RETRYCOUNT value, must be >= 0" {r xnack s g fail ids 1 1 retrycount -1}
        assert_error_like "ERR wrong number of arguments*" {r xnack s g fail ids 1}
    }

    test "XNACK wakes who waits with CLAIM" {
        given s 2
        set c [redis_client -deferred]
        $c xreadgroup group g bob block 20000 claim 60000 streams s >
        wait_blocked 1
        r xnack s g fail ids 2 2 1
        assert_equal {2-0 1-0} [first_ids [$c read]]
        $c close
    }

    test "XADD with IDMP adds a message once" {
        r del s
        set id [r xadd s idmp p one * a 1]
        assert_equal $id [r xadd s idmp p one maxlen 0 * b 2]
        assert {[r xadd s idmp p two * a 1] ne $id}
        assert {[r xadd s nomkstream idmp q one keepref * a 1] ne $id}
        assert_equal 3 [r xlen s]
        assert_equal {a 1} [lindex [r xrange s - +] 0 1]
        set auto [r xadd s idmpauto p * x 1 y 2]
        assert_equal $auto [r xadd s idmpauto p * y 2 x 1]
        assert {[r xadd s idmpauto p * x 2 y 1] ne $auto}
        assert {[r xadd s idmpauto q * x 1 y 2] ne $auto}
        set info [r xinfo stream s]
        assert_equal {100 100 2 6 6 2} [lmap f {idmp-duration idmp-maxsize pids-tracked iids-tracked iids-added iids-duplicates} { dict get $info $f }]
        assert_equal 6 [dict get [r xinfo stream s full] iids-tracked]
        assert_equal {} [r xadd none nomkstream idmp p one * a 1]
        # A stream that nobody asked for this looks as ever.
        r xadd plain * f v
        assert {![dict exists [r xinfo stream plain] idmp-duration]}
        # An entry that is gone is not added once more.
        r xdel s $id
        assert_equal $id [r xadd s idmp p one * a 1]
    }

    test "XADD and what its senders must not be" {
        r del s
        assert_error_like "ERR Invalid stream ID*" {r xadd s idmp p1 * f v}
        assert_error "ERR syntax error, IDMP/IDMPAUTO can be used only with auto-generated IDs" {r xadd s idmp p1 i 1-1 f v}
        assert_error "ERR syntax error, IDMP/IDMPAUTO specified multiple times" {r xadd s idmpauto p1 idmp p2 i * f v}
        assert_error "ERR IDMP requires a non-empty producer ID" {r xadd s idmp {} i * f v}
        assert_error "ERR IDMP requires a non-empty idempotent ID" {r xadd s idmp p {} * f v}
        assert_error "ERR IDMPAUTO requires a non-empty producer ID" {r xadd s idmpauto {} * f v}
        assert_equal 0 [r exists s]
        # One that is refused is not remembered.
        r xadd s 18446744073709551615-18446744073709551615 f v
        assert_error_like "ERR The stream has exhausted*" {r xadd s idmp p i * f v}
        assert {![dict exists [r xinfo stream s] pids-tracked]}
    }

    test "XCFGSET: for how long, and how many" {
        r del s
        assert_error "ERR no such key" {r xcfgset s idmp-duration 5}
        set id [r xadd s idmp p one * f v]
        assert_error_like "ERR At least one parameter*" {r xcfgset s}
        assert_error "ERR syntax error" {r xcfgset s idmp-duration}
        assert_error "ERR syntax error" {r xcfgset s nonsense 5}
        assert_error_like "ERR value is not an integer*" {r xcfgset s idmp-duration x idmp-maxsize}
        foreach n {0 -1 86401} { assert_error "ERR IDMP-DURATION must be between 1 and 86400 seconds" {r xcfgset s idmp-duration $n} }
        foreach n {0 -1 10001} { assert_error "ERR IDMP-MAXSIZE must be between 1 and 10000 entries" {r xcfgset s idmp-maxsize $n} }
        # The same settings change nothing, others forget all.
        assert_equal OK [r xcfgset s idmp-duration 100]
        assert_equal $id [r xadd s idmp p one * f v]
        assert_equal OK [r xcfgset s idmp-maxsize 2]
        assert {[r xadd s idmp p one * f v] ne $id}
        r xadd s idmp p two * f v
        r xadd s idmp p three * f v
        assert_equal {2 4} [lmap f {iids-tracked iids-added} { dict get [r xinfo stream s] $f }]
        r xcfgset s idmp-duration 1
        set id [r xadd s idmp p one * f v]
        assert_equal $id [r xadd s idmp p one * f v]
        after 1100
        assert_equal {0 0} [lmap f {pids-tracked iids-tracked} { dict get [r xinfo stream s] $f }]
        assert {[r xadd s idmp p one * f v] ne $id}
        r config set stream-idmp-duration 7 stream-idmp-maxsize 3
        r xadd other idmp p one * f v
        assert_equal {7 3} [lmap f {idmp-duration idmp-maxsize} { dict get [r xinfo stream other] $f }]
        r config set stream-idmp-duration 100 stream-idmp-maxsize 100
    }

    test "XIDMPRECORD says which entry a message is" {
        r del s
        assert_error "ERR no such key" {r xidmprecord s p i 1-1}
        r xadd s 1-1 f v
        assert_error "ERR The specified stream ID was deleted or doesn't exist" {r xidmprecord s p i 1-2}
        assert_error_like "ERR IDMP requires*" {r xidmprecord s {} i 1-1}
        assert_equal OK [r xidmprecord s p i 1-1]
        assert_equal OK [r xidmprecord s p i 1-1]
        r xadd s 1-2 f v
        assert_error_like "ERR *already belongs*" {r xidmprecord s p i 1-2}
    }

    test "the stream of writes has plain commands where there are some" {
        given s 2
        r debug stream on
        set written [written_by {
            set id [r xadd s idmp p one maxlen 2 * f v]
            r xadd s idmp p one * f v
        }]
        set expected [list MULTI "XADD s $id f v" {XCFGSET s IDMP-DURATION 100 IDMP-MAXSIZE 100} "XIDMPRECORD s p one $id" \
            {XTRIM s MAXLEN = 2} EXEC]
        assert_equal $expected $written
        set written [written_by { set id [r xadd s idmp p two * f v] }]
        assert_equal [list MULTI "XADD s $id f v" "XIDMPRECORD s p two $id" EXEC] $written
        r xgroup setid s g $
        assert_equal {{xnack s g fail ids 1 2}} [written_by { r xnack s g fail ids 1 2; r xnack s g fail ids 1 7 }]
        set written [written_by { r xreadgroup group g bob count 1 claim 0 streams s > }]
        assert_match {{XCLAIM s g bob 0 2-0 TIME * RETRYCOUNT 2 FORCE JUSTID LASTID *}} $written
        r xnack s g fail ids 1 2
        r xdel s 2
        assert_equal {{XACK s g 2}} [written_by { r xclaim s g bob 0 2 }]
        r debug stream off
    }

    test "what was given back and what was sent survive files, copies and payloads" {
        given s 5
        r xnack s g silent ids 2 4 2
        r xnack s g fatal ids 1 1
        set id [r xadd s idmp p one * f v]
        r xadd s idmp q one * f v
        proc facts {key} {
            set info [r xinfo stream $key full]
            list [lmap e [r xpending $key g - + 9] { lreplace $e 2 2 }] [lmap f {pids-tracked iids-tracked iids-added} { dict get $info $f }]
        }
        set facts [facts s]
        r debug reload
        assert_equal $facts [facts s]
        r copy s t
        r restore u 0 [r dump s]
        foreach key {s t u} {
            assert_equal $facts [facts $key]
            assert_equal $id [r xadd $key idmp p one * f v]
            assert_equal {4-0 2-0 1-0 3-0} [first_ids [r xreadgroup group g bob count 4 claim 0 streams $key >]]
        }
        # A version that knows nothing of all this: what was given back has an owner without a name.
        r xnack s g fail ids 1 2
        r config set rdb-target-version 11
        r restore t 0 [r dump s] replace
        r config set rdb-target-version 0
        assert_equal {2-0 {}} [lrange [lindex [r xpending t g - + 9 ""] 0] 0 1]
        assert {![dict exists [r xinfo stream t] pids-tracked]}
    }
}

start_server {tags {stream aof} overrides {enable-debug-command yes save "" appendonly yes aof-use-rdb-preamble no}} {
    test "an append-only file holds what was given back and what was sent, as written and rewritten" {
        given s 5
        r xnack s g silent ids 2 4 2
        r xnack s g fatal ids 1 1
        r xcfgset s idmp-duration 50
        set ids [lmap {p i} {p one p two q one} { r xadd s idmp $p $i * f v }]
        r xtrim s maxlen 1
        proc facts {} {
            list [lmap e [r xpending s g - + 9] { lreplace $e 2 2 }] \
                [lmap f {pids-tracked iids-tracked iids-added idmp-duration} { dict get [r xinfo stream s] $f }]
        }
        set facts [facts]
        r debug loadaof
        assert_equal $facts [facts]
        # Of entries that are gone nothing stays pending in commands.
        r xadd s * f v
        r bgrewriteaof
        wait_for_condition {[s aof_rewrite_in_progress] == 0} else { fail "the rewrite goes on" }
        set after [lindex $facts 1]
        r debug loadaof
        assert_equal $after [lindex [facts] 1]
        assert_equal $ids [lmap {p i} {p one p two q one} { r xadd s idmp $p $i * f v }]
    }
}

start_server {tags {stream} overrides {enable-debug-command yes save ""}} {
    # A group whose entries are delivered twice at most.
    proc limited {n} {
        r del s d
        for {set i 1} {$i <= $n} {incr i} { r xadd s $i f v$i }
        r xgroup create s g 0 maxdeliveries 2 dlq d
        r xreadgroup group g ann streams s >
    }

    test "an entry that was delivered as often as it may be moves to the dead-letter stream when it is claimed" {
        limited 3
        assert_equal 2-0 [lindex [r xclaim s g bob 0 2] 0 0]
        assert_equal {} [r xclaim s g cat 0 2]
        assert_equal {{f v2 dlq-stream s dlq-group g dlq-id 2-0 dlq-deliveries 2 dlq-consumer bob}} [lmap e [r xrange d - +] { lindex $e 1 }]
        assert_equal {1-0 3-0} [lmap e [r xpending s g - + 9] { lindex $e 0 }]
        assert_equal 3 [r xlen s]
        # Nobody delivers with JUSTID.
        r xclaim s g bob 0 1
        assert_equal 1-0 [r xclaim s g bob 0 1 justid]
        lassign [r xautoclaim s g cat 0 0] next claimed gone
        assert_equal {3-0 {}} [list [lindex $claimed 0 0] $gone]
        assert_equal 2 [r xlen d]
        # With CLAIM it does not count, and what was given back has no consumer.
        r xadd s 4 f v4
        r xnack s g fatal ids 1 3
        assert_equal {{4-0 {f v4} 0 0}} [entries [r xreadgroup group g cat count 1 claim 0 streams s >]]
        assert_equal {9223372036854775807 dlq-consumer {}} [lrange [lindex [r xrevrange d + - count 1] 0 1] end-2 end]
        assert_equal {1 4-0 4-0 {{cat 1}}} [r xpending s g]
    }

    test "what a dead-letter key of another type does" {
        limited 1
        r xclaim s g bob 0 1
        r set d x
        assert_equal 1-0 [lindex [r xclaim s g bob 0 1] 0 0]
        assert_equal 1-0 [lindex [r xautoclaim s g bob 0 0] 1 0 0]
        assert_equal {1-0} [first_ids [r xreadgroup group g bob claim 0 streams s >]]
        r del d
        assert_equal {} [r xreadgroup group g bob claim 0 streams s >]
        assert_equal 1 [r xlen d]
    }

    test "who waits for dead letters is woken" {
        limited 1
        r xclaim s g bob 0 1
        set c [redis_client -deferred]
        $c xread block 20000 streams d $
        wait_blocked 1
        r xclaim s g bob 0 1
        assert_equal {f v1} [lrange [lindex [entries [$c read]] 0 1] 0 1]
        $c close
    }

    test "limits are set, shown and taken away" {
        limited 1
        proc limit_of {key} { set g [lindex [r xinfo groups $key] 0]; list [dict getdef $g max-deliveries -] [dict getdef $g dead-letter-key -] }
        if {[info commands ::tcl::dict::getdef] eq ""} {
            proc limit_of {key} {
                set g [lindex [r xinfo groups $key] 0]
                if {![dict exists $g max-deliveries]} { return {- -} }
                list [dict get $g max-deliveries] [dict get $g dead-letter-key]
            }
        }
        assert_equal {2 d} [limit_of s]
        r xgroup setid s g 0
        assert_equal {2 d} [limit_of s]
        r copy s t
        # Who copies may have no right to write there.
        assert_equal {- -} [limit_of t]
        r debug reload
        assert_equal {2 d} [limit_of s]
        r xgroup setid s g 1 maxdeliveries 5 dlq e
        assert_equal {5 e} [limit_of s]
        r xgroup setid s g 1 maxdeliveries 0
        assert_equal {- -} [limit_of s]
        assert_error "ERR MAXDELIVERIES needs DLQ and a key" {r xgroup setid s g 1 maxdeliveries 5}
        assert_error "ERR The stream itself can't take its dead letters" {r xgroup setid s g 1 maxdeliveries 5 dlq s}
        assert_error_like "ERR *negative" {r xgroup create s x 1 maxdeliveries -5 dlq d}
    }

    test "the stream of writes has dead letters as XADD and XACK" {
        r debug stream on
        set written [written_by { limited 1 }]
        assert_equal {{XGROUP CREATE s g 0-0 MKSTREAM ENTRIESREAD -1} {XGROUP SETID s g 0-0 ENTRIESREAD -1 MAXDELIVERIES 2 DLQ d}} \
            [lsearch -all -inline $written XGROUP*]
        r xclaim s g bob 0 1
        set written [written_by { r xclaim s g bob 0 1 }]
        set id [lindex [r xrange d - +] 0 0]
        assert_equal [list MULTI "XADD d $id f v1 dlq-stream s dlq-group g dlq-id 1-0 dlq-deliveries 2 dlq-consumer bob" {XACK s g 1-0} EXEC] $written
        r debug stream off
    }
}

start_server {tags {stream aof} overrides {enable-debug-command yes save "" appendonly yes aof-use-rdb-preamble no}} {
    test "an append-only file holds delivery limits, as written and rewritten" {
        r xadd s 1 f v
        r xgroup create s g 0 maxdeliveries 1 dlq d
        r xreadgroup group g ann streams s >
        r debug loadaof
        assert_equal {1 d} [list [dict get [lindex [r xinfo groups s] 0] max-deliveries] [dict get [lindex [r xinfo groups s] 0] dead-letter-key]]
        r bgrewriteaof
        wait_for_condition {[s aof_rewrite_in_progress] == 0} else { fail "the rewrite goes on" }
        r debug loadaof
        assert_equal {} [r xclaim s g bob 0 1]
        assert_equal 1 [r xlen d]
        r debug loadaof
        assert_equal {1 0} [list [r xlen d] [lindex [r xpending s g] 0]]
    }

    test "a file of Redis 8.6 says which ID a message was given, and none for one that came twice" {
        r del s
        r bgrewriteaof
        wait_for_condition {[s aof_rewrite_in_progress] == 0} else { fail "the rewrite goes on" }
        set one [expr {[clock milliseconds] - 5000}]-0
        set two [expr {[clock milliseconds] - 4000}]-1
        set file [open [glob [srv dir]/appendonlydir/*.incr.aof] ab]
        foreach command [list {select 0} "xadd s IDMP p one $one k v" {xadd s IDMP p one * k v} "xadd s IDMPAUTO p $two x y" \
                {xadd s IDMPAUTO p * x y} {xadd s IDMP p unknown * k v}] {
            puts -nonewline $file [client::encode $command]
        }
        close $file
        r debug loadaof
        assert_equal [list $one $two] [lmap entry [r xrange s - +] { lindex $entry 0 }]
        assert_equal [list $one $two] [list [r xadd s idmp p one * k v] [r xadd s idmpauto p * x y]]
        assert_error_like "ERR syntax error, IDMP/IDMPAUTO can be used only*" {r xadd s idmp p three [expr {[clock milliseconds] + 9}]-0 k v}
        assert_equal 2 [r xlen s]
    }
}
