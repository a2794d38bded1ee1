# Streams: entries, trimming, groups, claims, waiting, what is propagated, snapshots.

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

# A stream of n entries with the IDs 1-0, 2-0 and so on.
proc fill {key n} {
    r del $key
    for {set i 1} {$i <= $n} {incr i} { r xadd $key $i-0 n $i }
}

proc ids {entries} { lmap entry $entries { lindex $entry 0 } }

start_server {tags {stream} overrides {enable-debug-command yes save "" notify-keyspace-events KEtgn}} {
    test "XADD numbers entries by the clock, in a millisecond, or as told" {
        r del s
        set before [now_ms]
        set id [r xadd s * f v]
        assert_between $before [expr {[now_ms] + 1}] [lindex [split $id -] 0]
        set ms [expr {[now_ms] + 100000}]
        assert_equal $ms-0 [r xadd s $ms f v]
        assert_equal $ms-1 [r xadd s $ms-* f v]
        assert_equal $ms-2 [r xadd s * f v]
        assert_error "ERR The ID specified in XADD is equal or smaller than the target stream top item" {r xadd s $ms-2 f v}
        assert_error "ERR The ID specified in XADD must be greater than 0-0" {r xadd s 0-0 f v}
        assert_error "ERR Invalid stream ID specified as stream command argument" {r xadd s x f v}
        assert_error "ERR wrong number of arguments for 'xadd' command" {r xadd s * f v g}
        assert_equal 4 [r xlen s]
        assert_type stream s
        assert_encoding stream s
        r del s
        assert_equal {} [r xadd s nomkstream * f v]
        assert_equal 0 [r exists s]
        assert_equal 0-1 [r xadd s 0-* f v]
        r xadd s 18446744073709551615-18446744073709551615 f v
        assert_error "ERR The stream has exhausted the last possible ID, unable to add more items" {r xadd s * f v}
    }

    test "XRANGE, XREVRANGE: bounds, counts, entries with other fields" {
        fill s 250
        r xadd s 251-1 n 251 other x
        r xadd s 251-2 other x
        assert_equal {10-0 11-0 12-0} [ids [r xrange s 10 12]]
        assert_equal {11-0} [ids [r xrange s (10 (12-0]]
        assert_equal {12-0 11-0} [ids [r xrevrange s 12 10 count 2]]
        assert_equal {{251-1 {n 251 other x}} {251-2 {other x}}} [r xrange s 251 +]
        assert_equal 252 [llength [r xrange s - +]]
        assert_equal [lreverse [ids [r xrange s - +]]] [ids [r xrevrange s + -]]
        assert_equal {} [r xrange s 12 10]
        assert_error "ERR invalid start ID for the interval" {r xrange s (18446744073709551615-18446744073709551615 +}
        assert_error "ERR invalid end ID for the interval" {r xrange s - (0-0}
    }

    test "XDEL leaves the rest; a stream without entries stays" {
        fill s 150
        assert_equal 2 [r xdel s 1 75 75-1 999]
        assert_equal 2-0 [lindex [r xrange s - + count 1] 0 0]
        assert_equal 148 [r xlen s]
        assert_equal 148 [r xdel s {*}[ids [r xrange s - +]]]
        assert_equal {1 0} [list [r exists s] [r xlen s]]
        assert_equal 151-0 [r xadd s 151 f v]
        set info [r xinfo stream s]
        assert_equal {150-0 151 151-0} [list [dict get $info max-deleted-entry-id] [dict get $info entries-added] \
            [dict get $info recorded-first-entry-id]]
    }

    test "trimming: exact, by whole blocks, within a limit" {
        fill s 350
        assert_equal 50 [r xtrim s maxlen 300]
        assert_equal 51-0 [lindex [r xrange s - + count 1] 0 0]
        assert_equal 0 [r xtrim s maxlen ~ 260]
        assert_equal 50 [r xtrim s maxlen ~ 250]
        assert_equal 0 [r xtrim s minid ~ 150]
        assert_equal 49 [r xtrim s minid 150]
        assert_equal 0 [r xtrim s maxlen ~ 0 limit 50]
        assert_equal 51 [r xtrim s maxlen ~ 0 limit 60]
        assert_equal 150 [r xtrim s maxlen ~ 0 limit 0]
        fill s 100
        r xadd s maxlen 10 101 f v
        assert_equal 10 [r xlen s]
        assert_error "ERR syntax error, LIMIT cannot be used without the special ~ option" {r xtrim s maxlen 1 limit 3}
        assert_error "ERR syntax error, MAXLEN and MINID options at the same time are not compatible" {
            r xadd s maxlen 1 minid 3 * f v
        }
        assert_error "ERR syntax error, XTRIM must be called with a trimming strategy" {r xtrim s limit 0}
    }

    test "a group reads on, each consumer has its own, and what is done is forgotten" {
        fill s 6
        r xgroup create s g 0
        assert_error "BUSYGROUP Consumer Group name already exists" {r xgroup create s g 0}
        assert_equal {1-0 2-0} [ids [lindex [r xreadgroup group g ann count 2 streams s >] 0 1]]
        assert_equal {3-0 4-0} [ids [lindex [r xreadgroup group g bob count 2 streams s >] 0 1]]
        assert_equal {1-0 2-0} [ids [lindex [r xreadgroup group g ann streams s 0] 0 1]]
        assert_equal {4 1-0 4-0 {{ann 2} {bob 2}}} [r xpending s g]
        assert_equal 1 [r xack s g 1 9]
        r xdel s 2
        assert_equal {{s {{2-0 {}}}}} [r xreadgroup group g ann streams s 0]
        assert_equal {1 2 3} [lmap entry [r xpending s g - + 10] { expr {[lindex $entry 0] eq "2-0" ? 1 :
            [lindex $entry 0] eq "3-0" ? 2 : 3} }]
        assert_equal {{s {{5-0 {n 5}} {6-0 {n 6}}}}} [r xreadgroup group g cy noack streams s >]
        assert_equal {3 2-0 4-0 {{ann 1} {bob 2}}} [r xpending s g]
        assert_equal 2 [r xgroup delconsumer s g bob]
        assert_equal {1 2-0 2-0 {{ann 1}}} [r xpending s g]
        assert_error "NOGROUP No such key 's' or consumer group 'x' in XREADGROUP with GROUP option" {
            r xreadgroup group x ann streams s >
        }
    }

    test "claims: by ID, by a scan, by force; entries that are gone" {
        fill s 5
        r xgroup create s g 0
        r xreadgroup group g ann streams s >
        assert_equal {{1-0 {n 1}}} [r xclaim s g bob 0 1]
        assert_equal 2-0 [r xclaim s g bob 0 2 justid]
        assert_equal {} [r xclaim s g bob 100000 3]
        r xdel s 3
        assert_equal {} [r xclaim s g bob 0 3]
        assert_equal {4 1-0 5-0 {{ann 2} {bob 2}}} [r xpending s g]
        assert_equal {{1-0 bob 2} {2-0 bob 1}} [lmap e [r xpending s g - + 9 bob] { list [lindex $e 0] [lindex $e 1] [lindex $e 3] }]
        r xdel s 4
        assert_equal {5-0 2-0 4-0} [r xautoclaim s g cy 0 (1 count 2 justid]
        assert_equal {0-0 5-0 {}} [r xautoclaim s g cy 0 5 justid]
        r xack s g 1 2 5
        assert_equal {} [r xclaim s g cy 0 1]
        assert_equal 1-0 [r xclaim s g cy 0 1 force justid retrycount 7 time 1000]
        assert_equal 7 [lindex [r xpending s g - + 1] 0 3]
        assert_error "ERR Unrecognized XCLAIM option 'x'" {r xclaim s g cy 0 1 x}
    }

    test "lag is told where nothing is missing ahead" {
        fill s 5
        r xgroup create s g 0
        set lag { dict get [lindex [r xinfo groups s] 0] lag }
        assert_equal 5 [eval $lag]
        r xreadgroup group g ann count 2 streams s >
        assert_equal 3 [eval $lag]
        r xdel s 4
        assert_equal {} [eval $lag]
        r xreadgroup group g ann streams s >
        assert_equal 0 [eval $lag]
        r xgroup setid s g 0
        assert_equal {} [eval $lag]
        r xgroup setid s g 5 entriesread 5
        assert_equal 0 [eval $lag]
    }

    test "XREAD waits for what comes after" {
        fill s 2
        assert_equal {} [r xread streams s 2]
        assert_equal {{s {{2-0 {n 2}}}}} [r xread streams s +]
        set c [blocked_on xread block 0 streams s t $ 0]
        r xadd s 3 n 3
        assert_equal {{s {{3-0 {n 3}}}}} [$c read]
        $c xread block 20 streams s $
        assert_equal {} [$c read]
        # An entry that goes at once wakes nobody.
        $c xread block 0 streams s $
        wait_blocked 1
        r multi
        r xadd s 4 n 4
        r xdel s 4
        r exec
        r set u x
        assert_equal 1 [s blocked_clients]
        r xadd s 5 n 5
        assert_equal {{s {{5-0 {n 5}}}}} [$c read]
        r multi
        r xread block 0 streams s $
        assert_equal {{}} [r exec]
        $c close
    }

    test "each that waits for a group gets entries of its own, first come first served" {
        r del s
        r xgroup create s g $ mkstream
        set a [blocked_on xreadgroup group g ann block 0 count 1 streams s >]
        set b [blocked_on xreadgroup group g bob block 0 streams s >]
        r multi
        foreach i {1 2 3} { r xadd s $i n $i }
        r exec
        assert_equal {1-0} [ids [lindex [$a read] 0 1]]
        assert_equal {2-0 3-0} [ids [lindex [$b read] 0 1]]
        $a close
        $b close
    }

    test "who waits for a group is told when it goes" {
        set gone "NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option"
        set wrong "WRONGTYPE Operation against a key holding the wrong kind of value"
        foreach {script error} [list {r del s} $gone {r xgroup destroy s g} $gone {r flushall} $gone {r rename s t} $gone \
                {r set s x} $wrong {r pexpire s 1} $gone] {
            r del s
            r xgroup create s g $ mkstream
            set c [blocked_on xreadgroup group g ann block 0 streams s >]
            eval $script
            assert_error $error {$c read}
            $c close
        }
    }

    test "what is propagated means the same whenever it runs" {
        r debug stream on
        fill s 3
        set written [written_by { r xadd s 4-* n 4; r xadd s 5 n 5; r xadd s maxlen ~ 2 6 n 6; r xtrim s maxlen ~ 0 limit 1 }]
        assert_equal {{xadd s 4-0 n 4} {xadd s 5 n 5} {xadd s maxlen = 6 6 n 6}} $written
        r xgroup create s g 0
        set written [written_by { r xreadgroup group g ann count 1 streams s > }]
        assert_match {XCLAIM s g ann 0 1-0 TIME * RETRYCOUNT 1 FORCE JUSTID LASTID 1-0} [lindex $written 0]
        assert_equal 1 [llength $written]
        set written [written_by { r xreadgroup group g bob count 2 noack streams s > }]
        set want {MULTI {XGROUP CREATECONSUMER s g bob} {XGROUP SETID s g 3-0 ENTRIESREAD 3} EXEC}
        assert_equal $want $written
        set written [written_by { r xclaim s g bob 0 1 lastid 4; r xclaim s g bob 0 9 lastid 5 }]
        assert_match {XCLAIM s g bob 0 1 TIME * RETRYCOUNT 2 FORCE JUSTID LASTID 4-0} [lindex $written 0]
        assert_equal {XGROUP SETID s g 5-0 ENTRIESREAD 3} [lindex $written 1]
        r xdel s 1
        set written [written_by { r xautoclaim s g cy 0 0 }]
        assert_match {XCLAIM s g bob 0 1-0 TIME * RETRYCOUNT 2 FORCE JUSTID LASTID 5-0} [lindex $written 0]
        assert_equal {} [written_by { r xreadgroup group g ann streams s 0; r xread streams s 0; r xpending s g }]
        r debug stream off
    }

    test "events tell of each change" {
        r del s
        assert_equal {{new s} {xadd s} {xadd s} {xtrim s} {xdel s} {xsetid s}} [events_of {
            r xadd s 1 f v
            r xadd s maxlen 1 2 f v
            r xdel s 2
            r xsetid s 9
        }]
        assert_equal {xgroup-create xgroup-createconsumer xgroup-setid xgroup-createconsumer xgroup-delconsumer xgroup-destroy} \
            [event_names_of {
                r xgroup create s g 0
                r xgroup createconsumer s g a
                r xgroup setid s g 0
                r xclaim s g b 0 1
                r xgroup delconsumer s g a
                r xgroup destroy s g
            }]
    }

    test "XSETID goes on from an ID, and not back" {
        fill s 3
        assert_equal OK [r xsetid s 10 entriesadded 20 maxdeletedid 5]
        assert_equal {10-0 5-0 20} [lmap f {last-generated-id max-deleted-entry-id entries-added} { dict get [r xinfo stream s] $f }]
        assert_error "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id" {r xsetid s 4}
        assert_error "ERR The entries_added specified in XSETID is smaller than the target stream length" {r xsetid s 10 entriesadded 2}
        assert_error "ERR no such key" {r xsetid missing 1}
        # IDs go on ascending when the last entries are deleted and forgotten.
        fill s 5
        r xdel s 3 4 5
        r xsetid s 5 maxdeletedid 2
        assert_equal OK [r xsetid s 3]
        assert_equal 3-1 [r xadd s 3-* f v]
        assert_equal {1-0 2-0 3-1} [ids [r xrange s - +]]
        set dump [r dump s]
        assert_equal OK [r restore t 0 $dump replace]
        assert_equal [r xinfo stream s full] [r xinfo stream t full]
    }

    test "COPY, RENAME, MOVE, DUMP, RELOAD keep all of it" {
        fill s 250
        r xdel s 7 100
        r xgroup create s g 0
        r xgroup create s h $ entriesread 5
        r xreadgroup group g ann count 120 streams s >
        r xreadgroup group g bob count 3 streams s >
        r xgroup createconsumer s h idle
        set full [r xinfo stream s full count 0]
        set digest [r debug digest-value s]
        r copy s t replace
        r rename t u
        assert_equal 1 [r move u 9]
        r select 9
        r restore v 0 [r dump u]
        foreach key {u v} {
            assert_equal $full [r xinfo stream $key full count 0]
            assert_equal $digest [r debug digest-value $key]
        }
        r select 0
        r debug reload
        assert_equal $full [r xinfo stream s full count 0]
        assert_between 3000 100000 [r memory usage s]
        r config set rdb-target-version 10
        r restore t 0 [r dump s] replace
        r config set rdb-target-version 0
        assert_equal $digest [r debug digest-value t]
        r unlink s t
        r flushall
    }

    test "payloads that cannot be are refused" {
        fill s 20
        r xgroup create s g 0
        r xreadgroup group g ann count 5 streams s >
        set dump [r dump s]
        for {set i 0} {$i < 300} {incr i} {
            set at [random_int [expr {[string length $dump] - 10}]]
            set bad [string replace $dump $at $at [format %c [random_int 256]]]
            catch {r debug set-skip-checksum-validation 1}
            catch {r restore bad 0 $bad replace}
            if {[r exists bad] && [r type bad] eq "stream"} {
                catch {r xrange bad - +}
                catch {r xinfo stream bad full}
                catch {r xtrim bad maxlen 1}
            }
            r del bad
        }
        catch {r debug set-skip-checksum-validation 0}
        assert_equal 20 [r xlen s]
    }
}

start_server {tags {stream dialects} overrides {enable-debug-command yes save ""}} {
    need_command xdelex

    # Nine entries; ann of g has the first four, bob of h the first two.
    proc shared {} {
        r flushall
        for {set i 1} {$i <= 9} {incr i} { r xadd s $i f v }
        r xgroup create s g 0
        r xgroup create s h 0
        r xreadgroup group g ann count 4 streams s >
        r xreadgroup group h bob count 2 streams s >
    }
    proc pending {} { list [lindex [r xpending s g] 0] [lindex [r xpending s h] 0] }

    test "XDELEX deletes and keeps what is pending, unless told otherwise" {
        shared
        assert_equal {1 -1 -1} [r xdelex s ids 3 1 1-1 77]
        assert_equal {1 -1} [r xdelex s keepref ids 2 2 2]
        assert_equal {4 2} [pending]
        assert_equal 7 [r xlen s]
        assert_equal {-1 -1} [r xdelex none ids 2 1 2]
        assert_equal 0 [r exists none]
    }

    test "XDELEX DELREF deletes what is pending in all groups too" {
        shared
        assert_equal {1 1} [r xdelex s delref ids 2 1 3]
        assert_equal {2 1} [pending]
        r xdel s 2
        assert_equal -1 [r xdelex s ids 1 2 delref]
        assert_equal {1 0} [pending]
    }

    test "XDELEX ACKED deletes only what all groups have read and done" {
        shared
        assert_equal {2 2 2 -1} [r xdelex s acked ids 4 1 3 5 77]
        r xack s g 1 2 3
        assert_equal {2 2} [r xdelex s acked ids 2 1 3]
        r xack s h 1
        assert_equal {1 2 2} [r xdelex s acked ids 3 1 2 3]
        r xgroup destroy s h
        assert_equal {1 1 2} [r xdelex s acked ids 3 2 3 4]
        # What is pending of an entry that is gone is no entry.
        r xdel s 4
        assert_equal -1 [r xdelex s acked ids 1 4]
        assert_equal 1 [lindex [r xpending s g] 0]
    }

    test "XACKDEL marks as done and deletes" {
        shared
        assert_equal {1 -1 -1} [r xackdel s g ids 3 1 5 1]
        assert_equal {3 2} [pending]
        assert_equal 8 [r xlen s]
        assert_equal {1 1} [r xackdel s g delref ids 2 2 3]
        assert_equal {1 1} [pending]
        assert_equal {-1} [r xackdel s none ids 1 4]
        assert_equal {-1 -1} [r xackdel none g ids 2 1 2]
    }

    test "XACKDEL ACKED leaves what another group still has" {
        shared
        assert_equal {2 2} [r xackdel s g acked ids 2 1 3]
        assert_equal {2 2} [pending]
        assert_equal 9 [r xlen s]
        assert_equal {1 2} [r xackdel s h acked ids 2 1 2]
        assert_equal 8 [r xlen s]
        assert_equal 2-0 [lindex [r xrange s - + count 1] 0 0]
    }

    test "XDELEX and XACKDEL errors" {
        shared
        r set str x
        foreach {message command} {
            "ERR syntax error" {xdelex s ids2 1 1}
            "ERR syntax error" {xdelex s delref acked ids 1 1}
            "ERR The `numids` parameter must match the number of arguments" {xdelex s ids 1 1 ids 1 1}
            "ERR Number of IDs must be a positive integer" {xdelex s ids 0 1}
            "ERR Number of IDs must be a positive integer" {xdelex s ids x 1}
            "ERR The `numids` parameter must match the number of arguments" {xdelex s ids 2 1}
            "ERR The `numids` parameter must match the number of arguments" {xdelex s ids 1 1 2}
            "ERR Invalid stream ID specified as stream command argument" {xdelex s ids 2 1 x}
            "ERR Invalid stream ID specified as stream command argument" {xackdel s g ids 2 1 x}
            "ERR wrong number of arguments for 'xdelex' command" {xdelex s ids 1}
            "ERR wrong number of arguments for 'xackdel' command" {xackdel s g ids 1}
            "WRONGTYPE Operation against a key holding the wrong kind of value" {xdelex str ids 1 1}
            "WRONGTYPE Operation against a key holding the wrong kind of value" {xackdel str g ids 1 1}
        } {
            assert_error $message {r {*}$command}
        }
        assert_equal {4 2} [pending]
        assert_equal 9 [r xlen s]
    }

    test "XTRIM DELREF trims what is pending in all groups too" {
        shared
        assert_equal 2 [r xtrim s maxlen 7 delref]
        assert_equal {2 0} [pending]
        # References to what was gone before stay.
        r xdel s 3
        assert_equal 1 [r xtrim s minid = 5 delref]
        assert_equal {1 0} [pending]
        assert_equal 3-0 [lindex [r xpending s g - + 1] 0 0]
        assert_equal 1 [r xtrim s maxlen 4 keepref]
        assert_equal 4 [r xlen s]
    }

    test "XTRIM ACKED trims what all groups have read and done" {
        shared
        assert_equal 0 [r xtrim s maxlen 0 acked]
        r xack s g 1 2 4
        assert_equal 0 [r xtrim s maxlen 0 acked]
        r xack s h 1 2
        # What h has not read stays, and what g has pending.
        assert_equal 2 [r xtrim s maxlen 0 acked]
        assert_equal 3-0 [lindex [r xrange s - + count 1] 0 0]
        r xgroup setid s h 9
        assert_equal 1 [r xtrim s minid 9 acked]
        assert_equal {3-0 5-0 6-0 7-0 8-0 9-0} [ids [r xrange s - +]]
        # One that stays does not end it: as many go as it takes.
        r xgroup setid s g 9
        assert_equal 2 [r xtrim s maxlen 4 acked]
        assert_equal {3-0 7-0 8-0 9-0} [ids [r xrange s - +]]
        assert_equal {1 0} [pending]
        r xgroup destroy s g
        r xgroup destroy s h
        assert_equal 4 [r xtrim s maxlen 0 acked]
    }

    test "XADD trims with a view to groups" {
        shared
        assert_equal 10-0 [r xadd s acked maxlen 3 10 f v]
        assert_equal 10 [r xlen s]
        assert_equal 11-0 [r xadd s delref maxlen 3 11 f v]
        assert_equal {9-0 10-0 11-0} [ids [r xrange s - +]]
        assert_equal {0 0} [pending]
        assert_equal {} [r xadd none nomkstream keepref * f v]
        assert_equal 12-0 [r xadd s keepref 12 f v]
    }

    test "approximate trimming with a view to groups goes by blocks" {
        r config set stream-node-max-entries 3
        shared
        assert_equal 0 [r xtrim s minid ~ 3 delref]
        assert_equal 3 [r xtrim s minid ~ 5 delref]
        assert_equal {1 0} [pending]
        assert_equal 0 [r xtrim s maxlen ~ 3 limit 2 delref]
        r xack s g 4
        r xgroup setid s h 9
        r xgroup setid s g 9
        r xreadgroup group g ann streams s >
        assert_equal 3 [r xtrim s maxlen ~ 2 acked]
        assert_equal 3 [r xlen s]
        r config set stream-node-max-entries 100
    }

    test "the words of trimming come once" {
        shared
        assert_error "ERR syntax error" {r xtrim s maxlen 1 acked delref}
        assert_error "ERR syntax error" {r xadd s acked delref maxlen 1 * f v}
        assert_error "ERR syntax error, XTRIM must be called with a trimming strategy" {r xtrim s delref limit 0}
    }

    test "a replica of trimming with a view to groups holds the same" {
        shared
        r debug stream on
        r copy s t
        set written [written_by {
            r xadd s delref maxlen ~ 0 limit 1 10 f v
            r xadd s delref maxlen 8 11 f v
            r xack s g 4
            r xgroup setid s g 11
            r xgroup setid s h 11
            r xtrim s maxlen 0 acked
            r xadd s acked minid 3 12 f v
            r xtrim s maxlen 7 delref
        }]
        r debug stream off
        foreach command $written {
            if {[lindex $command 0] ni {MULTI EXEC}} { r {*}[lmap word $command { expr {$word eq "s" ? "t" : $word} }] }
        }
        assert_equal [r debug digest-value s] [r debug digest-value t]
        foreach f {length last-generated-id max-deleted-entry-id entries-added recorded-first-entry-id} {
            assert_equal [dict get [r xinfo stream s] $f] [dict get [r xinfo stream t] $f]
        }
        foreach g {g h} { assert_equal [r xpending s $g] [r xpending t $g] }
        foreach command $written { foreach word $command { assert {[string tolower $word] ni {acked delref keepref}} } }
    }

    test "the stream of writes has XDELEX and XACKDEL as XACK and XDEL" {
        shared
        r debug stream on
        set written [written_by { r xdelex s delref ids 2 1 3; r xackdel s g acked ids 1 4; r xackdel s h ids 1 2; r xdelex s ids 1 77 }]
        assert_equal {MULTI {XACK s g 1 3} {XACK s h 1} {XDEL s 1 3} EXEC {XACK s g 4} MULTI {XACK s h 2} {XDEL s 2} EXEC} $written
        r debug stream off
    }
}

start_server {tags {stream aof} overrides {enable-debug-command yes save "" appendonly yes aof-use-rdb-preamble no}} {
    test "an append-only file holds streams and groups, as written and rewritten" {
        fill s 30
        r xdel s 7
        r xgroup create s g 0
        r xgroup create s empty 5
        r xgroup create none g $ mkstream
        r xreadgroup group g ann count 9 streams s >
        r xack s g 1 2
        r xgroup createconsumer s g idle
        proc facts {} {
            list [r debug digest] [r xpending s g] [lmap e [r xpending s g - + 99] { lreplace $e 2 2 }] [r xlen none] \
                [lmap g [r xinfo groups s] { dict get $g last-delivered-id }] [llength [r xinfo consumers s g]]
        }
        set facts [facts]
        r debug loadaof
        assert_equal $facts [facts]
        r bgrewriteaof
        wait_for_condition {[s aof_rewrite_in_progress] == 0} else { fail "the rewrite goes on" }
        r debug loadaof
        assert_equal $facts [facts]
    }
}
