# Entries of streams that appear later: XADD with DELAY, AT or a ticket (doc/streams.md).

proc entries_of {key} { lmap entry [r xrange $key - +] { lindex $entry 1 } }
proc ids_of {key} { lmap entry [r xrange $key - +] { lindex $entry 0 } }
proc in_ms {ms} { expr {[clock milliseconds] + $ms} }
proc delayed_of {key} {
    set info [r xinfo stream $key]
    if {[dict exists $info delayed]} { dict get $info delayed } else { return 0 }
}
proc wait_for_length {key n {level 0}} {
    wait_for_condition {[r $level xlen $key] == $n} else { fail "$key has [r $level xlen $key] entries, not $n" }
}
proc wait_blocked {n} {
    wait_for_condition {[s blocked_clients] == $n} else { fail "[s blocked_clients] clients are blocked, not $n" }
}
# Nothing appears meanwhile.
proc still {script} {
    r debug set-active-expire 0
    try { uplevel 1 $script } finally { r debug set-active-expire 1 }
}

start_server {tags {stream} overrides {enable-debug-command yes save ""}} {
    test "XADD with DELAY adds the entry at its time, which its ID says" {
        set before [clock milliseconds]
        set ticket [r xadd s delay 150 * f v]
        assert_match ~*-* $ticket
        set due [lindex [split [string range $ticket 1 end] -] 0]
        assert_between [expr {$before + 150}] [expr {$before + 5000}] $due
        assert_equal {stream 0 {}} [list [r type s] [r xlen s] [r xrange s - +]]
        wait_for_length s 1
        assert {[clock milliseconds] >= $due}
        assert_equal [list [list $due-0 {f v}]] [r xrange s - +]
        assert_equal [list $due-0 1] [lmap f {last-generated-id entries-added} { dict get [r xinfo stream s] $f }]
        assert_equal 0 [delayed_of s]
    }

    test "entries appear in the order of their times, and of one time in the order in which they came" {
        r del s
        set at [in_ms 200]
        foreach {n later} {1 2 2 0 3 1 4 0 5 1} { r xadd s at [expr {$at + $later}] * n $n }
        wait_for_length s 5
        assert_equal {{n 2} {n 4} {n 3} {n 5} {n 1}} [entries_of s]
        assert_equal "$at-0 $at-1 [expr {$at + 1}]-0 [expr {$at + 1}]-1 [expr {$at + 2}]-0" [ids_of s]
    }

    test "a sooner entry does not wait for a later one that came before it" {
        r del s
        r xadd s delay 3600000 * n late
        for {set i 1} {$i < 6} {incr i} {
            set start [clock milliseconds]
            r xadd s delay 10 * n $i
            wait_for_length s $i
        }
        assert_equal 1 [delayed_of s]
    }

    test "an ID is the next one free where others came meanwhile" {
        r del s
        set at [in_ms 100]
        r xadd s at $at * n late
        r xadd s [expr {$at + 5000}]-7 n early
        wait_for_length s 2
        assert_equal "[expr {$at + 5000}]-7 [expr {$at + 5000}]-8" [ids_of s]
    }

    test "what is due already is added at once, by the clock" {
        r del s
        r debug stream on
        foreach when {{delay 0} {at 0} {at 1000}} {
            set now [clock milliseconds]
            set written [written_by { set id [r xadd s {*}$when maxlen 10 * f v] }]
            assert_between $now [expr {$now + 5000}] [lindex [split $id -] 0]
            assert_equal [list "XADD s maxlen 10 $id f v"] $written
        }
        r debug stream off
        assert_equal {3 0} [list [r xlen s] [delayed_of s]]
    }

    test "nobody sees an entry before its time" {
        r del s
        still {
            r xadd s 1-1 f v
            r xadd s delay 1 * f later
            r xgroup create s g 0
            after 20
            assert_equal {1 {{f v}}} [list [r xlen s] [entries_of s]]
            assert_equal {1-1} [lindex [r xrevrange s + -] 0 0]
            assert_equal {{s {{1-1 {f v}}}}} [r xread streams s 0]
            assert_equal {{s {{1-1 {f v}}}}} [r xread streams s +]
            assert_equal {{s {{1-1 {f v}}}}} [r xreadgroup group g c streams s >]
            assert_equal {} [r xreadgroup group g c streams s >]
            set group [lindex [r xinfo groups s] 0]
            assert_equal {1 0} [list [dict get $group entries-read] [dict get $group lag]]
        }
        wait_for_length s 2
        assert_equal {f later} [lindex [r xreadgroup group g c streams s >] 0 1 0 1]
    }

    test "who waits is woken when an entry appears" {
        r del s
        r xgroup create s g $ mkstream
        set readers {}
        foreach command {{xread block 20000 streams s $} {xreadgroup group g c block 20000 streams s >}} {
            set c [redis_client -deferred]
            $c {*}$command
            lappend readers $c
        }
        wait_blocked 2
        r xadd s delay 100 * f v
        foreach c $readers {
            assert_equal {f v} [lindex [$c read] 0 1 0 1]
            $c close
        }
    }

    test "XDEL takes a ticket back" {
        r del s
        r xadd s 1-1 f v
        set tickets [lmap ms {50000 60000 70000} { r xadd s delay $ms * f v }]
        lassign $tickets first second third
        assert_equal 1 [r xdel s $second]
        assert_equal 0 [r xdel s $second]
        assert_equal 2 [delayed_of s]
        assert_equal $first [dict get [r xinfo stream s] next-delayed]
        assert_equal 2 [r xdel s 1-1 $first 5-5]
        assert_equal {0 1} [list [r xlen s] [delayed_of s]]
        assert_equal 1 [r xdel s $third]
        assert_equal 0 [dict exists [r xinfo stream s] delayed]
        assert_equal 1 [r exists s]
        assert_equal 0 [r xdel none $third]
        foreach bad {~ ~5 ~5-* ~x-y ~05-1} { assert_error_like "ERR Invalid stream ID*" {r xdel s 1-1 $bad} }
        # A ticket that was taken back is not another's later, though the time is the same.
        set at [in_ms 90000]
        set one [r xadd s at $at * f v]
        r xdel s $one
        assert {[r xadd s at $at * f v] ne $one}
    }

    test "a ticket can be given, once" {
        r del s
        set at [in_ms 90000]
        assert_equal ~$at-7 [r xadd s ~$at-7 f v]
        assert_error "ERR The ticket specified in XADD is that of another entry" {r xadd s ~$at-7 f w}
        set next [r xadd s at $at * f v]
        assert_match ~$at-* $next
        assert_equal [list [list ~$at-7 {f v}] [list $next {f v}]] [dict get [r xinfo stream s full] delayed-entries]
        assert_equal [list ~$at-7] [lmap e [dict get [r xinfo stream s full count 1] delayed-entries] { lindex $e 0 }]
        # One whose time has come appears like any other.
        r xadd s ~5-5 f past
        wait_for_length s 1
        assert_equal {5-0} [ids_of s]
    }

    test "what DELAY and AT must not be" {
        r del s
        assert_error "ERR value is not an integer or out of range" {r xadd s delay x * f v}
        assert_error "ERR The DELAY argument must be >= 0." {r xadd s delay -1 * f v}
        assert_error "ERR The AT argument must be >= 0." {r xadd s at -1 * f v}
        assert_error "ERR The DELAY argument is too large." {r xadd s delay 9223372036854775807 * f v}
        assert_error_like "ERR syntax error, an entry has one DELAY*" {r xadd s delay 1 at 5 * f v}
        foreach id {5-5 5-* 5} {
            assert_error "ERR DELAY and AT can be used only with auto-generated IDs" {r xadd s delay 1000 $id f v}
        }
        assert_error "ERR DELAY and AT can be used only with auto-generated IDs" {r xadd s delay 1000 ~5-5 f v}
        assert_error_like "ERR Invalid stream ID*" {r xadd s delay 5 f v}
        assert_error_like "ERR wrong number of arguments*" {r xadd s delay 1000 * f}
        foreach bad {~5 ~-5-5 ~5-18446744073709551615 ~9223372036854775808-0} {
            assert_error_like "ERR Invalid stream ID*" {r xadd s $bad f v}
        }
        r set str x
        assert_error_like "WRONGTYPE*" {r xadd str delay 1000 * f v}
        assert_typed null xadd none nomkstream delay 1000 * f v
        assert_equal {0 0} [list [r exists s] [r exists none]]
    }

    test "options hold when the entry appears" {
        r del s
        for {set i 1} {$i < 6} {incr i} { r xadd s $i n $i }
        r xadd s maxlen 3 delay 50 * n 6
        assert_equal 5 [r xlen s]
        wait_for_condition {[lindex [r xrevrange s + - count 1] 0 1] eq {n 6}}
        assert_equal 3 [r xlen s]
        # A message that is sent twice is added once.
        r del s
        still {
            r xadd s idmp p one delay 1 * n 1
            r xadd s idmp p one delay 2 * n 2
            after 20
        }
        wait_for_condition {[delayed_of s] == 0}
        assert_equal {{n 1}} [entries_of s]
    }

    test "in a transaction and in a script the time is that of the unit" {
        r del s
        r multi
        r xadd s delay 0 * n 1
        r xadd s delay 1 * n 2
        r xlen s
        assert_equal 1 [lindex [r exec] 2]
        wait_for_length s 2
        set ticket [r eval {local t = redis.call('xadd', KEYS[1], 'DELAY', '60000', '*', 'n', '3'); return {t, redis.call('xlen', KEYS[1])}} 1 s]
        assert_match {~*-* 2} $ticket
        assert_equal 1 [r xdel s [lindex $ticket 0]]
    }

    test "WATCH notices what is put off, what appears and what is taken back" {
        r del s
        set other [redis_client]
        foreach change {{set ticket [$other xadd s delay 90000 * f v]} {$other xdel s $ticket} {$other xadd s ~5-5 f v; wait_for_length s 1}} {
            r watch s
            eval $change
            r multi
            r ping
            assert_equal {} [r exec]
        }
        $other close
    }

    test "entries go where their key goes, and end with it" {
        r del s t u
        set at [in_ms 300]
        r xadd s at $at * f v
        r rename s t
        r copy t u
        r move t 5
        assert_equal {0 0 1} [list [r exists s] [r exists t] [delayed_of u]]
        wait_for_length u 1
        r select 5
        wait_for_length t 1
        assert_equal [list $at-0] [ids_of t]
        foreach {how} {{r del t} {r unlink t} {r set t x} {r pexpire t 1; after 20} {r flushdb}} {
            r del t
            r xadd t at [in_ms 100] * f v
            eval $how
            wait_for_condition {[r type t] ne "stream"}
            after 150
            assert {[r type t] in {none string}}
        }
        r xadd t delay 100 * f v
        r swapdb 5 9
        r select 9
        wait_for_length t 1
        r select 0
    }

    test "the stream of writes has the ticket, and then its end and the entry together" {
        r del s
        r debug stream on
        # The end of `still` is within the second recording: the entry may appear in that very moment.
        set written [written_by {
            still {
                set added [written_by { set ticket [r xadd s maxlen ~ 100 delay 30 * f v] }]
                after 40
            }
            wait_for_length s 1
        }]
        assert_equal [list "XADD s maxlen ~ 100 $ticket f v"] $added
        assert_equal [list MULTI "XDEL s $ticket" "XADD s maxlen = 1 [ids_of s] f v" EXEC] $written
        set ticket [r xadd s delay 90000 * f v]
        set id [ids_of s]
        assert_equal [list MULTI "XDEL s $id" "XDEL s $ticket" EXEC] [written_by { r xdel s $ticket $id }]
        assert_equal {} [written_by { r xdel s $ticket }]
        r debug stream off
    }

    test "events tell of what is put off and of what appears" {
        r del s
        r config set notify-keyspace-events KEA
        set events [event_names_of {
            r xadd s delay 30 * f v
            wait_for_length s 1
            r xdel s [r xadd s delay 90000 * f v]
        }]
        assert_equal {xdelay xadd xdelay xdel} $events
        r config set notify-keyspace-events ""
    }

    test "what waits is in the digest, in MEMORY USAGE, in payloads and snapshots" {
        r flushall
        r xadd s 1 f v
        set empty [r debug digest]
        set small [r memory usage s]
        set at [in_ms 90000]
        r xadd s at $at maxlen 100 * f [string repeat x 5000]
        assert {[r debug digest] ne $empty}
        assert {[r memory usage s] > $small + 5000}
        set digest [r debug digest]
        set info [r xinfo stream s full]
        r debug reload
        assert_equal $digest [r debug digest]
        foreach version {10 11 14 0} {
            r config set rdb-target-version $version
            r debug reload
            assert_equal [dict get $info delayed-entries] [dict get [r xinfo stream s full] delayed-entries]
            r restore t 0 [r dump s] replace
            assert_equal [dict get $info delayed-entries] [dict get [r xinfo stream t full] delayed-entries]
        }
        r del s t
        r xadd s ~[in_ms 300]-1 f v
        r restore t 0 [r dump s]
        r debug reload
        wait_for_length s 1
        wait_for_length t 1
    }

    test "many streams and many entries" {
        r flushall
        set at [in_ms 500]
        for {set i 0} {$i < 3000} {incr i} { r xadd s[expr {$i % 7}] at [expr {$at + $i * 37 % 100}] * n $i }
        for {set k 0} {$k < 7} {incr k} {
            wait_for_condition {[delayed_of s$k] == 0}
            set ids [ids_of s$k]
            assert_equal $ids [lsort -dictionary $ids]
        }
        assert_equal 3000 [expr [join [lmap k {0 1 2 3 4 5 6} { r xlen s$k }] +]]
    }

    test "a start later adds what was due meanwhile, in order" {
        r flushall
        set at [in_ms 300]
        foreach {n later} {1 100 2 0 3 50} { r xadd s at [expr {$at + $later}] * n $n }
        r config set save "3600 1"
        kill_server
        after 500
        restart_server
        wait_for_length s 3
        assert_equal {{n 2} {n 3} {n 1}} [entries_of s]
        assert_equal "$at-0 [expr {$at + 50}]-0 [expr {$at + 100}]-0" [ids_of s]
    }
}

start_server {tags {stream aof} overrides {enable-debug-command yes save "" appendonly yes aof-use-rdb-preamble no}} {
    test "an append-only file holds what waits, as written and rewritten" {
        set at [in_ms 90000]
        r xadd s at $at maxlen 10 * f [string repeat v 300]
        set gone [r xadd s delay 60000 * f v]
        r xdel s $gone
        r xadd t nomkstream delay 10 * f v
        r xadd t delay 10 * f v
        wait_for_length t 1
        set facts [list [r debug digest] [dict get [r xinfo stream s full] delayed-entries]]
        r debug loadaof
        assert_equal $facts [list [r debug digest] [dict get [r xinfo stream s full] delayed-entries]]
        r bgrewriteaof
        wait_for_condition {[s aof_rewrite_in_progress] == 0} else { fail "the rewrite goes on" }
        r debug loadaof
        assert_equal $facts [list [r debug digest] [dict get [r xinfo stream s full] delayed-entries]]
    }
}

start_server {tags {stream repl} overrides {enable-debug-command yes save "" repl-diskless-sync-delay 0}} {
    r xadd before delay 90000 * f v
    start_server {overrides {enable-debug-command yes save ""}} {
        test "a replica has what waits, and adds it when its primary does" {
            r 0 replicaof [srv -1 host] [srv -1 port]
            wait_for_condition {[s master_link_status] eq "up"}
            assert_equal 1 [delayed_of before]
            r -1 debug set-active-expire 0
            set ticket [r -1 xadd s delay 20 * f v]
            r -1 xadd s delay 90000 * f late
            wait_for_condition {[r exists s] && [delayed_of s] == 2}
            after 100
            assert_equal {0 2} [list [r xlen s] [delayed_of s]]
            assert_equal $ticket [dict get [r xinfo stream s] next-delayed]
            r -1 debug set-active-expire 1
            wait_for_length s 1
            assert_equal [r -1 xrange s - +] [r xrange s - +]
            wait_for_condition {[r debug digest] eq [r -1 debug digest]}
        }

        test "a replica that is promoted adds by itself what its primary left" {
            r -1 debug set-active-expire 0
            r -1 xadd s delay 10 * f v
            wait_for_condition {[delayed_of s] == 2}
            r replicaof no one
            wait_for_length s 2
            assert_equal 1 [delayed_of s]
        }
    }
}
