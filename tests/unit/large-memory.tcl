# Keys, elements, members, fields and values above 4 GiB; small encodings that end at 1 GiB. Takes 16 GB of memory.

if {!$::options(large-memory)} { skip "needs --large-memory, and 16 GB" }
set meminfo [read_file /proc/meminfo]
if {[regexp {MemAvailable:\s+(\d+) kB} $meminfo - kb] && $kb < 16000000} { skip "less than 16 GB of memory are free" }

# Long texts are made of this piece, the first and the last bytes of all replaced.
set ::piece [string range [string repeat "all work and no play makes jack a dull boy; " 22728] 0 999999]
set ::huge 4400000000

proc piece_at {at size {mark first}} {
    set piece [string range $::piece 0 [expr {min(1000000, $size - $at) - 1}]]
    if {$at == 0} { set piece [string replace $piece 0 4 $mark] }
    if {$at + 1000000 >= $size} { set piece [string replace $piece end-3 end last] }
    return $piece
}

# Sends a command in which HUGE stands for the huge text, {TEXT size mark} for another that begins with this mark of
# five letters. The reply is yet to be read.
proc send_long {c args} {
    $c write "*[llength $args]\r\n"
    foreach arg $args {
        if {$arg eq "HUGE"} { set arg [list TEXT $::huge first] }
        if {![string match TEXT* $arg]} { $c write "\$[string length $arg]\r\n$arg\r\n"; continue }
        lassign $arg - size mark
        $c write "\$$size\r\n"
        for {set at 0} {$at < $size} {incr at 1000000} {
            $c write [piece_at $at $size $mark]
            $c flush
        }
        $c write "\r\n"
    }
    $c flush
}

# By a connection of its own, so that its buffers go with it.
proc long {args} {
    set c [redis_client -timeout 600000]
    send_long $c {*}$args
    set code [catch {$c read} reply options]
    $c close
    return -options $options $reply
}

# The reply to a command must be a long text, alone or behind the lines of `before`.
proc assert_long {size before args} {
    set c [redis_client -timeout 600000]
    $c send {*}$args
    foreach line [list {*}$before "\$$size"] { assert_equal $line [$c gets] }
    for {set at 0} {$at < $size} {incr at 1000000} {
        set want [piece_at $at $size]
        if {[$c rawread [string length $want]] ne $want} { fail "the bytes from $at on are others" }
    }
    assert_equal "\r\n" [$c rawread 2]
    $c close
}

proc assert_huge {before args} { assert_long $::huge $before {*}$args }

proc reload {} { assert_equal OK [r debug reload] }

# What a test before left behind must not take the memory of this one.
proc fresh {} {
    r timeout 600000
    r flushall
    catch {r memory purge}
}

start_server {tags {large-memory} overrides {save "" proto-max-bulk-len 10gb client-query-buffer-limit 10gb}} {
    test "a huge string: SET, GET, ranges, APPEND, DUMP, a snapshot" {
        fresh
        assert_equal OK [long set s HUGE]
        assert_equal "$::huge raw" "[r strlen s] [r object encoding s]"
        assert_equal {first last} [list [r getrange s 0 4] [r getrange s -4 -1]]
        set at [expr {4294967296 - 4294967296 % 1000000}]
        assert_equal [string range $::piece 967290 967300] [r getrange s 4294967290 4294967300]
        assert_huge {} get s
        assert_error_like "ERR value is not an integer*" {r incr s}
        set dump [r dump s]
        assert {[string length $dump] < 100000000}
        assert_equal OK [r restore copy 0 $dump]
        assert_equal [r debug digest-value s] [r debug digest-value copy]
        unset dump
        r del copy
        reload
        assert_equal "$::huge raw" "[r strlen s] [r object encoding s]"
        assert_huge {} get s
        assert_equal [expr {$::huge + 3}] [r append s abc]
        assert_equal [expr {$::huge + 3}] [r setrange s 4294967296 XY]
        assert_equal XY [r getrange s 4294967296 4294967297]
        assert_equal 0 [r setbit s [expr {4294967296 * 8 + 2}] 1]
        assert_equal {xY tabc} [list [r getrange s 4294967296 4294967297] [r getrange s -4 -1]]
        assert_error "ERR string exceeds maximum allowed size (proto-max-bulk-len)" {r setrange s 10737418240 x}
        r config set proto-max-bulk-len 4400000005
        assert_error "ERR string exceeds maximum allowed size (proto-max-bulk-len)" {r append s abc}
        assert_equal [expr {$::huge + 5}] [r append s de]
        r config set proto-max-bulk-len 10gb
    }

    test "a huge value in a hash" {
        fresh
        r config set hash-max-listpack-value 10000000000
        r hset h small 1
        assert_encoding listpack h
        assert_equal 1 [long hset h f HUGE]
        assert_encoding hashtable h
        assert_equal 1 [r hget h small]
        # Redis 7.2 tells the length modulo 4 GiB.
        if {[is_redust]} { assert_equal $::huge [r hstrlen h f] }
        assert_huge {} hget h f
        assert_error "ERR hash value is not an integer" {r hincrby h f 1}
        reload
        assert_equal 2 [r hlen h]
        assert_huge {} hget h f
        assert_equal 0 [r hset h f short]
        assert_equal {1 short} [lsort [r hvals h]]
    }

    test "a huge field of a hash" {
        fresh
        assert_equal 1 [long hset h HUGE v]
        assert_equal {1 hashtable} [list [r hlen h] [r object encoding h]]
        assert_equal v [long hget h HUGE]
        assert_huge {*1} hkeys h
        reload
        assert_equal v [long hget h HUGE]
        assert_equal 5 [long hincrby h2 HUGE 5]
        r del h2
        assert_equal 1 [long hdel h HUGE]
        assert_equal 0 [r exists h]
        r config set hash-max-listpack-value 64
    }

    test "a huge element of a list" {
        fresh
        r config set list-max-listpack-size 1000
        r rpush l a b
        assert_equal 3 [long rpush l HUGE]
        assert_encoding quicklist l
        assert_equal 4 [r rpush l c]
        assert_huge {} lindex l 2
        reload
        assert_equal {4 c} [list [r llen l] [r lindex l -1]]
        assert_huge {*1} lrange l 2 2
        assert_equal 2 [long lpos l HUGE]
        assert_equal OK [r lset l 2 small]
        assert_equal {a b small c} [r lrange l 0 -1]
        assert_equal OK [long lset l 1 HUGE]
        assert_equal 5 [long linsert l before HUGE x]
        assert_equal {a x small c} [concat [r lrange l 0 1] [r lrange l 3 -1]]
        assert_equal 1 [long lrem l 0 HUGE]
        assert_equal 5 [long linsert l after x HUGE]
        r ltrim l 2 -1
        assert_equal 3 [r llen l]
        assert_huge {} lpop l
        assert_equal {small c} [r lrange l 0 -1]
    }

    test "many large elements of a list, set one by one" {
        fresh
        if {![is_redust]} { skip "Redis 7.2 crashes on LINSERT into a node of nearly 4 GiB" }
        r rpush l {*}[lrepeat 10 small]
        for {set i 0} {$i < 10} {incr i} { assert_equal OK [long lset l $i {TEXT 500000000 first}] }
        assert_equal 11 [long linsert l after {TEXT 500000000 first} {TEXT 900000000 first}]
        reload
        assert_equal 11 [r llen l]
        foreach {index size} {0 500000000 1 900000000 2 500000000 10 500000000} { assert_long $size {} lindex l $index }
        r config set list-max-listpack-size -2
    }

    test "a huge member of a set" {
        fresh
        r config set set-max-listpack-value 10000000000
        r sadd s 1
        assert_equal 1 [long sadd s HUGE]
        assert_encoding hashtable s
        assert_equal 0 [long sadd s HUGE]
        assert_equal 1 [long sismember s HUGE]
        assert_equal 1 [r srem s 1]
        assert_huge {*1} smembers s
        reload
        assert_equal {1 hashtable} [list [r scard s] [r object encoding s]]
        assert_equal 1 [long sismember s HUGE]
        r sadd t a
        assert_encoding listpack t
        assert_equal 1 [long smove s t HUGE]
        assert_equal {0 2 hashtable} [list [r exists s] [r scard t] [r object encoding t]]
        assert_equal 1 [long srem t HUGE]
        assert_equal a [r smembers t]
        r config set set-max-listpack-value 64
    }

    test "a huge member of a sorted set" {
        fresh
        r config set zset-max-listpack-value 10000000000
        r zadd z 5 x
        assert_equal 1 [long zadd z 1.5 HUGE]
        assert_encoding skiplist z
        assert_equal 1.5 [long zscore z HUGE]
        assert_huge {*1} zrange z 0 0
        reload
        assert_equal {2 skiplist} [list [r zcard z] [r object encoding z]]
        assert_equal 3.5 [long zincrby z 2 HUGE]
        assert_equal 2 [r zunionstore copy 1 z]
        assert_encoding skiplist copy
        r del z
        assert_huge {*2} zpopmin copy
        assert_equal {x 5} [r zrange copy 0 -1 withscores]
        assert_equal 1 [long zadd copy 7 HUGE]
        assert_equal 1 [long zrem copy HUGE]
        r config set zset-max-listpack-value 64
    }

    test "a huge key" {
        fresh
        assert_equal OK [long set HUGE v]
        assert_equal v [long get HUGE]
        assert_equal 1 [long expire HUGE 10000]
        assert_huge {*1} keys *last
        reload
        assert_between 5000 10000 [long ttl HUGE]
        assert_equal string [long type HUGE]
        assert_huge {*2 \$1 0 *1} scan 0
        assert_equal OK [long rename HUGE k]
        assert_equal v [r get k]
        assert_equal OK [long rename k HUGE]
        assert_equal {v 1} [list [long get HUGE] [r dbsize]]
        assert_equal 4 [long append HUGE abc]
        assert_equal 1 [long del HUGE]
        assert_equal 0 [r dbsize]
    }

    test "small encodings end at 1 GiB, however long their elements may be" {
        fresh
        foreach type {hash set zset} { r config set $type-max-listpack-value 10000000000 }
        # The 7 bytes of an empty one count, and what elements take beside their text does not.
        set full [expr {(1 << 30) - 7}]
        set over [expr {$full + 1}]
        foreach {size encoding} [list $full listpack $over hashtable] {
            assert_equal 1 [long sadd s [list TEXT $size first]]
            assert_encoding $encoding s
            reload
            assert_encoding $encoding s
            r del s
            assert_equal 1 [long hset h f [list TEXT [expr {$size - 1}] first]]
            assert_encoding $encoding h
            r del h
            assert_equal 1 [long zadd z 1 [list TEXT $size first]]
            assert_encoding [string map {hashtable skiplist} $encoding] z
            r del z
        }
        r sadd s 1
        assert_encoding intset s
        assert_equal 1 [long sadd s [list TEXT $full first]]
        assert_encoding hashtable s
        r del s
        foreach {mark encodings} {first {listpack listpack listpack} other {hashtable hashtable skiplist}} {
            assert_equal 1 [long hset h $mark [list TEXT 600000000 $mark]]
            assert_equal 1 [long sadd s [list TEXT 600000000 $mark]]
            assert_equal 1 [long zadd z 1 [list TEXT 600000000 $mark]]
            assert_equal $encodings [list [r object encoding h] [r object encoding s] [r object encoding z]]
        }
        assert_equal 2 [r zunionstore copy 1 z]
        assert_encoding skiplist copy
        assert_equal 2 [r sunionstore copy s]
        assert_encoding hashtable copy
    }
}
