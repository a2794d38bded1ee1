# What CLIENT LIST says of a client's buffers, output limits, MEMORY STATS and DOCTOR.

# A field of the line of a named client; empty when there is no such client.
proc field_of {name field} {
    foreach line [split [r client list] \n] {
        if {[line_field $line name] eq $name} { return [line_field $line $field] }
    }
    return {}
}

proc named {name args} {
    set c [redis_client {*}$args]
    $c send client setname $name
    $c read
    return $c
}

start_server {tags {client-memory}} {
    test "the running command is in the query buffer, its arguments in argv-mem" {
        set line [r client info]
        assert_equal {26 20448 10} [list [line_field [r client list] qbuf] [line_field [r client list] qbuf-free] [line_field [r client list] argv-mem]]
        assert_equal 26 [line_field $line qbuf]
        assert_equal {16384 0 0 0} [lmap f {rbs obl oll omem} { line_field $line $f }]
        assert {[line_field $line tot-mem] >= 500}
    }

    test "an unfinished command: complete arguments are argv-mem, the rest is qbuf" {
        set c [named half]
        $c write "*3\r\n\$3\r\nSET\r\n\$5\r\nabcde\r\n\$100\r\n[string repeat x 60]"
        $c flush
        wait_for_condition {[field_of half argv-mem] == 8}
        assert_equal 60 [field_of half qbuf]
        $c write "[string repeat x 40]\r\n"
        $c flush
        assert_equal OK [$c read]
        assert_equal {0 0} [list [field_of half qbuf] [field_of half argv-mem]]
        $c close
    }

    test "a long argument takes memory as it arrives, and no more when it has run" {
        set c [named long]
        $c write "*3\r\n\$3\r\nSET\r\n\$1\r\nk\r\n\$1000000\r\n[string repeat x 500000]"
        $c flush
        wait_for_condition {[field_of long qbuf] == 500000}
        assert {[field_of long tot-mem] > 500000}
        $c write "[string repeat x 500000]\r\n"
        $c flush
        $c read
        assert_equal 0 [field_of long qbuf]
        $c close
    }

    test "queued commands are multi-mem" {
        set c [named tx]
        $c multi
        assert_equal 0 [field_of tx multi-mem]
        $c set key [string repeat v 1000]
        assert_equal [expr {3 + 3 + 1000 + 3 * 8}] [field_of tx multi-mem]
        $c get key
        assert_equal [expr {1006 + 24 + 6 + 16}] [field_of tx multi-mem]
        $c discard
        assert_equal 0 [field_of tx multi-mem]
        $c close
    }

    test "watched keys and subscriptions are part of tot-mem, and go with them" {
        set c [named lists]
        set empty [field_of lists tot-mem]
        $c watch [string repeat k 1000]
        assert {[field_of lists tot-mem] > $empty + 1000}
        $c unwatch
        assert_equal $empty [field_of lists tot-mem]
        $c hello 3
        foreach {enter leave} {subscribe unsubscribe psubscribe punsubscribe ssubscribe sunsubscribe} {
            $c $enter [string repeat c 1000]
            assert {[field_of lists tot-mem] > $empty + 1000} $enter
            $c $leave
            assert_equal $empty [field_of lists tot-mem] $leave
        }
        $c close
    }

    test "unread replies are omem in pieces, read ones are not" {
        r setrange big 999999 x
        set c [named unread]
        for {set i 0} {$i < 30} {incr i} { $c send get big }
        wait_for_condition {[field_of unread oll] > 0 && [field_of unread events] eq {rw}}
        set before [field_of unread omem]
        assert {$before >= 1000000 && [field_of unread tot-mem] > $before}
        for {set i 0} {$i < 30} {incr i} { assert_equal 1000000 [string length [$c read]] }
        wait_for_condition {[field_of unread omem] == 0}
        assert_equal {0 0 r} [list [field_of unread oll] [field_of unread obl] [field_of unread events]]
        assert {[field_of unread tot-mem] < 10000}
        $c close
    }

    test "INFO knows what clients take and took lately" {
        set c [named heavy]
        set before [s mem_clients_normal]
        $c write "*2\r\n\$2000000\r\n[string repeat v 2000000]"
        $c flush
        wait_for_condition {[s mem_clients_normal] > $before + 2000000}
        wait_for_condition {[s client_recent_max_input_buffer] >= 2000000}
        $c close
        wait_for_condition {[s mem_clients_normal] < $before + 100000}
        assert {[s used_memory_overhead] >= [s used_memory_startup] + [s mem_clients_normal]}
    }

    test "the reply buffer that a client is charged for follows its use" {
        r debug replybuffer peak-reset-time 50
        set c [named room]
        wait_for_condition {[field_of room rbs] == 1024}
        assert {[s reply_buffer_shrinks] > 0}
        r debug replybuffer peak-reset-time never
        wait_for_condition {[$c get big; field_of room rbs] == 16384}
        assert {[s reply_buffer_expands] >= 4}
        r debug replybuffer peak-reset-time reset
        r debug replybuffer resizing 0
        r debug replybuffer resizing 1
        assert_error_like {ERR*} {r debug replybuffer nonsense 1}
        $c close
    }
}

start_server {tags {client-memory}} {
    test "a normal client's hard limit closes it, and nothing of the reply is sent" {
        r config set client-output-buffer-limit {normal 100000 0 0}
        r setrange big 199999 x
        set c [named greedy]
        $c send get big
        assert [$c at_eof]
        $c close
        assert_equal {} [field_of greedy name]
        wait_for_log "*name=greedy * flags=N *scheduled to be closed ASAP for overcoming of output buffer limits*"
        assert {[s client_output_buffer_limit_disconnections] >= 1}
        # What fits the limit is sent.
        r setrange small 49999 x
        assert_equal 50000 [string length [r get small]]
    }

    test "a pipeline stops at the limit: what comes after has not run" {
        set c [named line]
        set commands {}
        for {set i 0} {$i < 20} {incr i} { append commands "get small\r\nincr steps\r\n" }
        $c write $commands
        $c flush
        assert [$c at_eof]
        assert {[r get steps] < 10}
        $c close
    }

    test "EXEC runs to its end for a client that is closed for its replies" {
        set c [named tx]
        $c multi
        foreach command {{set first 1} {get big} {get big} {set last 1}} { $c {*}$command }
        $c send exec
        assert [$c at_eof]
        assert_equal {1 1} [r mget first last]
        $c close
    }

    test "replies without end are cut off" {
        r hset h f v
        r sadd s a
        r zadd z 1 a
        foreach command {{hrandfield h -999999999} {srandmember s -999999999} {zrandmember z -999999999}} {
            set c [redis_client]
            $c send {*}$command
            assert [$c at_eof] $command
            $c close
            assert {[s used_memory] < 20000000} $command
        }
    }

    test "subscribers have a class of their own" {
        r config set client-output-buffer-limit {normal 0 0 0 pubsub 100000 0 0}
        set c [named sub]
        $c subscribe ch
        set message [string repeat m 10000]
        for {set i 0} {$i < 5000 && [r publish ch $message] == 1} {incr i} {}
        assert {$i < 5000}
        assert_equal {} [field_of sub name]
        wait_for_log "*name=sub*flags=P*output buffer limits*"
        $c close
    }

    test "a soft limit counts when it lasts, with or without traffic" {
        r config set client-output-buffer-limit {normal 0 100000 1}
        set c [named soft]
        for {set i 0} {$i < 60} {incr i} { $c send get big }
        wait_for_condition {[field_of soft omem] > 100000}
        wait_for_condition {[field_of soft name] eq {}} -within 8000
        $c close
        r config set client-output-buffer-limit {normal 0 0 0}
    }

    test "client-query-buffer-limit names the client and what it sent" {
        r config set client-query-buffer-limit 1048576
        set c [named flood]
        # It may be closed while it still sends.
        catch {
            $c write "*2\r\n\$3\r\nGET\r\n\$2000000\r\n[string repeat q 1500000]"
            $c flush
        }
        assert [$c at_eof]
        wait_for_log {*Closing client that reached max query buffer length: id=*name=flood*qbuf initial bytes: "*}
        $c close
    }
}

start_server {tags {client-memory}} {
    test "MEMORY STATS has Redis's names, and agrees with INFO" {
        r set k v
        r select 3
        r setex t 1000 v
        r select 0
        set stats [r memory stats]
        set names {peak.allocated total.allocated startup.allocated replication.backlog clients.slaves clients.normal
            cluster.links aof.buffer lua.caches functions.caches db.0 db.3 overhead.total keys.count keys.bytes-per-key
            dataset.bytes dataset.percentage peak.percentage allocator.allocated allocator.active allocator.resident
            allocator-fragmentation.ratio allocator-fragmentation.bytes allocator-rss.ratio allocator-rss.bytes
            rss-overhead.ratio rss-overhead.bytes fragmentation fragmentation.bytes}
        assert_equal [join $names] [dict keys $stats]
        assert_equal {overhead.hashtable.main overhead.hashtable.expires overhead.hashtable.slot-to-keys} [dict keys [dict get $stats db.3]]
        assert_equal 2 [dict get $stats keys.count]
        assert_equal [s used_memory_startup] [dict get $stats startup.allocated]
        assert_equal [dict get $stats total.allocated] [expr {[dict get $stats overhead.total] + [dict get $stats dataset.bytes]}]
        assert_between 0 20000 [expr {abs([s used_memory] - [dict get $stats total.allocated])}]
        set c [redis_client]
        $c hello 3
        assert_match {map {*{bulk dataset.percentage} {double *} *}} [$c typed memory stats]
        $c close
    }

    test "MEMORY DOCTOR: too small, a peak, nothing wrong" {
        assert_match {Hi Sam, this instance is empty or is using very little memory, *} [r memory doctor]
        populate 100000 k: 100
        assert_no_match {*Peak memory*} [r memory doctor]
        for {set i 0} {$i < 40000} {incr i 100} {
            set keys {}
            for {set j $i} {$j < $i + 100} {incr j} { lappend keys k:$j }
            r del {*}$keys
        }
        set text [r memory doctor]
        assert_match {Sam, I detected a few issues in this Redis instance memory implants:*\* Peak memory: *I'm here to keep you safe, Sam. I want to help you.*} $text
        # The peak is no statistic to be reset: it stays one until there is as much data again.
        r config resetstat
        assert_match {*Peak memory*} [r memory doctor]
        populate 100000 k: 100
        assert_no_match {*Peak memory*} [r memory doctor]
    }

    test "MEMORY USAGE samples as told" {
        r del l
        for {set i 0} {$i < 200} {incr i} { lappend items [string repeat x [expr {$i * 10}]] }
        r rpush l {*}$items
        set all [r memory usage l samples 0]
        assert {$all > 190000}
        assert_equal $all [r memory usage l samples 1000000]
        assert_error "ERR syntax error" {r memory usage l samples -1}
        assert_error "ERR syntax error" {r memory usage l samples}
        assert_equal {} [r memory usage nosuch]
        assert_equal OK [r memory purge]
        assert_match {*jemalloc*} [r memory malloc-stats]
    }
}
