# maxmemory-clients: who takes most leaves first.

proc exists {name} { string match "*name=$name *" [r client list] }

proc tot_mem {name} {
    foreach line [split [r client list] \n] {
        if {[line_field $line name] eq $name} { return [line_field $line tot-mem] }
    }
    fail "no client $name"
}

# A client that holds about so many bytes of an unfinished command.
proc holder {name bytes} {
    set c [redis_client]
    $c client setname $name
    # It may be evicted while it still sends.
    catch {
        $c write "*2\r\n\$$bytes\r\n[string repeat v $bytes]"
        $c flush
    }
    return $c
}

start_server {tags {client-eviction}} {
    r client setname control
    r client no-evict on

    test "off by default: nothing is evicted" {
        set c [holder big 3000000]
        wait_for_condition {[tot_mem big] > 3000000}
        assert_equal 0 [s evicted_clients]
        $c close
    }

    test "the largest leave until the rest fits" {
        set clients {}
        foreach {name bytes} {small1 50000 small2 60000 big1 2000000 big2 2100000 mid 600000} {
            lappend clients [holder $name $bytes]
            wait_for_condition {[tot_mem $name] >= $bytes}
        }
        r config set maxmemory-clients 3000000
        # One of the two big ones is enough.
        assert_equal 1 [expr {[exists big1] + [exists big2]}]
        assert_equal {1 1 1} [list [exists small1] [exists small2] [exists mid]]
        r config set maxmemory-clients 900000
        assert_equal {0 0 1} [list [exists big1] [exists big2] [exists mid]]
        r config set maxmemory-clients 400000
        assert_equal {0 1 1} [list [exists mid] [exists small1] [exists small2]]
        assert_equal 3 [s evicted_clients]
        wait_for_log "*Evicting client: id=* name=mid *"
        foreach c $clients { $c close }
        r config set maxmemory-clients 0
    }

    test "growing input, a transaction, unread replies, watches and subscriptions all count" {
        r config set maxmemory-clients 1000000
        set c [holder input 1500000]
        assert [$c at_eof]
        $c close

        set c [redis_client]
        $c multi
        assert_error_like {*} {while 1 { $c set k [string repeat v 200000] }}
        $c close

        r setrange k 99999 v
        set c [redis_client]
        $c client setname unread
        catch {for {set i 0} {$i < 2000 && [exists unread]} {incr i} { $c send get k }}
        assert_equal 0 [exists unread]
        $c close

        r config set maxmemory-clients 150000
        foreach command {watch subscribe psubscribe ssubscribe} {
            set c [redis_client]
            assert_error_like {*} {for {set i 0} {$i < 100000} {incr i} { $c $command [string repeat $i 100] }}
            assert {$i < 5000} "$command went on for $i"
            $c close
        }
        r config set maxmemory-clients 0
    }

    test "a message that many wait for counts for each of them" {
        r config set maxmemory-clients 2000000
        set subscribers {}
        for {set i 0} {$i < 10} {incr i} {
            set c [redis_client]
            $c subscribe ch
            lappend subscribers $c
        }
        set evicted [s evicted_clients]
        set message [string repeat m 100000]
        for {set i 0} {$i < 500 && [s evicted_clients] == $evicted} {incr i} { r publish ch $message }
        assert {[s evicted_clients] > $evicted}
        foreach c $subscribers { $c close }
        r config set maxmemory-clients 0
    }

    test "NO-EVICT spares a client, and sparing ends with it" {
        set c [redis_client]
        $c client setname spared
        $c client no-evict on
        r config set maxmemory-clients 500000
        $c write "*2\r\n\$4\r\nECHO\r\n\$1000000\r\n[string repeat v 1000000]\r\n"
        $c flush
        assert_equal 1000000 [string length [$c read]]
        $c write "*2\r\n\$4\r\nECHO\r\n\$1000000\r\n[string repeat v 999999]"
        $c flush
        wait_for_condition {[tot_mem spared] > 1000000}
        assert [exists spared]
        wait_for_log "*Over client maxmemory after evicting all evictable clients*"
        # Whoever else comes has to go: all together are above the limit.
        assert_error_like {*} {set d [redis_client]; $d ping; $d ping}
        r config set maxmemory-clients 0
        $c write "v\r\n"
        $c flush
        $c read
        assert_equal OK [$c client no-evict off]
        $c close
    }

    test "a percentage of maxmemory" {
        r config set maxmemory 20mb
        r config set maxmemory-clients 5%
        assert_equal 5% [lindex [r config get maxmemory-clients] 1]
        set c [holder below 700000]
        wait_for_condition {[tot_mem below] >= 700000}
        set d [holder above 700000]
        wait_for_condition {[exists below] + [exists above] == 1}
        $c close
        $d close
        r config set maxmemory 0
        # A part of no limit is no limit.
        set c [holder free 3000000]
        wait_for_condition {[tot_mem free] >= 3000000}
        $c close
        r config set maxmemory-clients 0
    }

    test "an evicted client is seen by nobody from then on" {
        r config set maxmemory-clients 400000
        for {set i 0} {$i < 20} {incr i} {
            set c [redis_client]
            $c client setname goner
            # Both arrive in one turn: who asks comes after the one that grew.
            send_signal [srv pid] STOP
            $c write "*1\r\n\$500000\r\nx"
            $c flush
            r send client list
            send_signal [srv pid] CONT
            assert_no_match {*name=goner*} [r read]
            $c close
        }
        r config set maxmemory-clients 0
    }
}
