# MULTI, EXEC, DISCARD, WATCH.

start_server {tags {transactions}} {
    test "MULTI queues, EXEC runs all, in order" {
        r flushall
        assert_equal OK [r multi]
        assert_equal QUEUED [r set a 1]
        assert_equal QUEUED [r incr a]
        assert_equal QUEUED [r get a]
        assert_equal {OK 2 2} [r exec]
        assert_equal 2 [r get a]
        r multi
        assert_typed {array {}} exec
    }

    test "nobody sees the middle of it" {
        set c [redis_client]
        $c multi
        $c set seen 1
        assert_equal {} [r get seen]
        $c exec
        assert_equal 1 [r get seen]
        $c close
    }

    test "DISCARD forgets" {
        r set a 1
        r multi
        r set a 2
        assert_equal OK [r discard]
        assert_equal 1 [r get a]
        assert_error "ERR DISCARD without MULTI" {r discard}
        assert_error "ERR EXEC without MULTI" {r exec}
    }

    test "an error while queueing spoils the whole" {
        foreach bad {{nosuch} {get} {set a}} {
            r set a 1
            r multi
            r set a 2
            assert_error_like "ERR *" {r {*}$bad}
            assert_equal QUEUED [r ping]
            assert_error "EXECABORT Transaction discarded because of previous errors." {r exec}
            assert_equal 1 [r get a]
            assert_error "ERR EXEC without MULTI" {r exec}
        }
    }

    test "WATCH sees a reload: all was flushed, though the same came back" {
        r set here 1
        r del gone
        foreach {key want} {here {} gone 1} {
            r watch $key
            r debug reload
            r multi
            r get here
            assert_equal $want [r exec] $key
        }
    }

    test "an error while running stops nothing" {
        r set a text
        r multi
        r set b 1
        r incr a
        r set c 2
        set replies [r exec]
        assert_equal {OK {ERR value is not an integer or out of range} OK} $replies
        assert_equal 2 [r get c]
    }

    test "what is not allowed inside MULTI" {
        r multi
        assert_error "ERR MULTI calls can not be nested" {r multi}
        assert_error "ERR WATCH inside MULTI is not allowed" {r watch a}
        assert_equal PONG [expr {[r ping] eq "QUEUED" ? "PONG" : ""}]
        assert_equal {PONG} [r exec]
    }

    test "EXEC with a wrong number of arguments ends the transaction" {
        r set a 1
        r multi
        r set a 2
        assert_error "EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command" {r exec now}
        assert_error "ERR EXEC without MULTI" {r exec}
        assert_equal 1 [r get a]
    }

    test "WATCH lets EXEC through while nothing changed, refuses it otherwise" {
        r set a 1
        r watch a b
        r multi
        r ping
        assert_equal PONG [r exec]
        foreach change {{set a 2} {append a x} {del a} {set b 1} {expire a 100} {rename a z} {flushdb} {flushall async} {swapdb 0 1}} {
            r flushall
            r set a 1
            r watch a b
            set c [redis_client]
            $c {*}$change
            r multi
            r set done 1
            assert_typed nullarray exec
            assert_equal 0 [r exists done] $change
            $c close
        }
        r flushall
    }

    test "WATCH sees changes by the same client, but not reads or vain deletions" {
        r set a 1
        r watch a
        r set a 2
        r multi
        r ping
        assert_typed nullarray exec
        r watch a nothing
        r get a
        r del nothing
        r expire nothing 10
        r multi
        r ping
        assert_equal PONG [r exec]
    }

    test "UNWATCH, EXEC and DISCARD end the watch" {
        set c [redis_client]
        foreach end {unwatch {multi exec} {multi discard}} {
            r watch a
            foreach command $end { r $command }
            $c set a [random_int 1000000]
            r multi
            r ping
            assert_equal PONG [r exec] $end
        }
        $c close
    }

    test "WATCH is per database" {
        r watch a
        set c [redis_client]
        $c select 5
        $c set a other
        r multi
        r ping
        assert_equal PONG [r exec]
        $c close
    }

    test "a watched key that expires spoils EXEC, one that was dead already does not" {
        r set a 1 px 20
        r watch a
        sleep 60
        r multi
        r ping
        assert_typed nullarray exec
        r debug set-active-expire 0
        r set a 1 px 1
        sleep 5
        r watch a
        r exists a
        r multi
        r ping
        assert_equal PONG [r exec]
        r debug set-active-expire 1
    }

    test "a client that leaves takes its watches and its queue along" {
        set c [redis_client]
        $c watch a
        $c multi
        $c set a never
        $c close
        r set a 1
        assert_equal 1 [r get a]
    }

    test "a long transaction" {
        r del n
        r multi
        set out {}
        for {set i 0} {$i < 5000} {incr i} { lappend out {incr n} }
        pipeline $out
        set replies [r exec]
        assert_equal 5000 [llength $replies]
        assert_equal 5000 [lindex $replies end]
    }

    test "SELECT inside EXEC stays in force" {
        r select 0
        r multi
        r select 7
        r set seven 7
        r exec
        assert_equal 7 [r get seven]
        r select 0
    }
}

start_server {tags {transactions}} {
    test "SWAPDB and a watched key: what is past its time is absent, before and after" {
        foreach {name here there expected} {
            "absent, absent"  {} {} PONG
            "absent, stale"   {} {set x v px 1} PONG
            "stale, absent"   {set x v px 1} {} PONG
            "stale, stale"    {set x v px 1} {set x v px 1} PONG
            "live, live"      {set x v} {set x v} {}
            "live, absent"    {set x v} {} {}
            "live, stale"     {set x v} {set x v px 1} {}
            "absent, live"    {} {set x v} {}
            "stale, live"     {set x v px 1} {set x v} {}
        } {
            r flushall
            r debug set-active-expire 0
            foreach {db command} [list 0 $there 1 $here] {
                r select $db
                if {$command ne {}} { r {*}$command }
            }
            sleep 3
            r watch x
            r swapdb 0 1
            r multi
            r ping
            assert_equal $expected [r exec] $name
        }
        r debug set-active-expire 1
        r flushall
        r select 0
    }

    test "a watched key that was there and has run out since breaks the transaction" {
        r debug set-active-expire 0
        r set x v px 20
        r watch x
        sleep 25
        r multi
        r ping
        assert_equal {} [r exec]
        r debug set-active-expire 1
    }
}

start_server {tags {transactions}} {
    test "what runs inside EXEC sees the transaction in CLIENT INFO" {
        r multi
        r client info
        assert_match "* flags=x *multi=2 *" [lindex [list [r ping] [r exec]] 1 0]
        assert_match "* flags=N *multi=-1 *" [r client info]
    }

    test "EXEC that is refused says so, in a transaction or not" {
        assert_error_like "EXECABORT *wrong number of arguments for 'exec' command" {r exec now}
        r multi
        assert_error_like "EXECABORT *wrong number of arguments for 'exec' command" {r exec now}
        assert_error "ERR EXEC without MULTI" {r exec}
    }

    test "SUBSCRIBE and PSUBSCRIBE may stand in a transaction, SSUBSCRIBE may not" {
        set c [redis_client]
        $c multi
        $c subscribe ch
        $c psubscribe p*
        assert_equal {{subscribe ch 1} {psubscribe p* 2}} [$c exec]
        assert_equal {1 1} [list [r publish ch x] [r publish p x]]
        $c close
        r multi
        r ssubscribe sh
        assert_equal {array {{error {ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client}}}} [r typed exec]
    }

    test "a client that kills itself in EXEC hears no more after that, though the rest runs" {
        set c [redis_client]
        set id [$c client id]
        $c multi
        $c echo before
        $c client kill id $id skipme no
        $c set after 1
        $c send exec
        assert_equal "*3\r\n\$6\r\nbefore\r\n:1\r\n" [$c rawread 20]
        assert [catch {$c rawread 1}] "the connection has ended"
        assert_equal 1 [r get after]
        $c close
    }

    test "SWAPDB and FLUSHALL look at each of many watched keys once" {
        set count 100000
        r flushall
        set names {}
        for {set i 0} {$i < $count} {incr i} { lappend names watched:$i }
        set c [redis_client]
        foreach command {{swapdb 0 1} {flushall}} {
            for {set i 0} {$i < $count} {incr i 1000} {
                $c watch {*}[lrange $names $i [expr {$i + 999}]]
            }
            set start [clock milliseconds]
            r {*}$command
            assert_between 0 1000 [expr {[clock milliseconds] - $start}] $command
            $c unwatch
        }
        $c close
    }
}
