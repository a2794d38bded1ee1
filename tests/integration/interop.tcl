# Snapshots both ways between the server under test and an installed redis-server, the reference.
# Where none is installed (Debian: redis-server) everything here is skipped.

set reference [tool redis-server]
if {$reference eq {}} { skip "no redis-server installed to exchange files with (Debian: redis-server)" }
set reference [lindex $reference 0]

# Every kind of string, with and without expiry, in several databases.
proc fill_strings {} {
    r mset int 0 neg -1 i8 127 i16 32767 i32 2147483647 i64 9223372036854775807 min -9223372036854775808 \
        empty "" one x float 3.14 notint 01 44 [string repeat a 44] 45 [string repeat b 45] \
        bin "\x00\x01\xfe\xff\r\n" lzf [string repeat "compressible " 2000] noise [randstring 20000 20000]
    for {set i 0} {$i < 2000} {incr i} { lappend batch [list set k:$i [randstring 0 80] pxat [expr {4102444800000 + $i}]] }
    pipeline $batch
    r append appended one
    r append appended two
    r set counter 5
    r incr counter
    r incrbyfloat fl 1.5
    foreach db {1 7 15} {
        r select $db
        r set db $db
        r set ttl $db ex 100000
    }
    r select 0
    r set "key with\r\n\x00 bytes" v
}

# Collections of every encoding, with and without expiry.
proc fill_collections {level} {
    set batch {}
    foreach n {1 5 40 200 2000} {
        for {set i 0} {$i < $n} {incr i} {
            lappend batch [list rpush list:$n "element $i"] [list rpush nums:$n [expr {$i * $i * 7919}]]
            lappend batch [list sadd set:$n "member $i"] [list sadd ints:$n [expr {$i * 77777}]]
            lappend batch [list hset hash:$n "field $i" "value $i" $i [expr {-$i}]]
            lappend batch [list zadd zset:$n [expr {$i % 50 / 3.0}] "member $i" $i $i]
        }
        lappend batch [list pexpire hash:$n 4102444800000] [list pexpireat zset:$n 4102444800123]
    }
    lappend batch [list rpush list:plain [string repeat p 20000] small [string repeat q 9000]] \
        [list sadd set:long [string repeat s 100]] [list hset hash:long f [string repeat h 100]] \
        [list zadd zset:edges inf i -inf m 0 z 1e300 big -1.5 half 9007199254740993 whole] \
        [list hset hash:bin "\x00\xff" "\r\n" "" empty] [list sadd ints:wide 1 -9223372036854775808] \
        [list geoadd geo 13.361389 38.115556 Palermo 15.087269 37.502669 Catania] [list pfadd hll a b c d e]
    pipeline $batch $level
}

# What a key holds, in an order that doesn't depend on the encoding.
proc content {level key} {
    switch [r $level type $key] {
        string { r $level get $key }
        list { r $level lrange $key 0 -1 }
        set { lsort [r $level smembers $key] }
        hash { lsort -stride 2 [r $level hgetall $key] }
        zset {
            # Redis 7.2 writes scores shorter than 7.0 did.
            lmap {member score} [r $level zrange $key 0 -1 withscores] { list $member [expr {double($score)}] }
        }
    }
}

# The encodings on which versions agree: those of small lists and sets changed with 7.2, and a raw string may be
# loaded as an embedded one.
proc agreed_encoding {level key} {
    set encoding [r $level object encoding $key]
    expr {$encoding in {intset ziplist skiplist} || [r $level type $key] in {hash zset} ? $encoding : "any"}
}

proc assert_same_data {from to} {
    assert_equal [r $from dbsize] [r $to dbsize]
    foreach key [lsort [r $from keys *]] {
        assert_equal [content $from $key] [content $to $key] [printable $key]
        assert_equal [agreed_encoding $from $key] [agreed_encoding $to $key] [printable $key]
        assert_equal [r $from pexpiretime $key] [r $to pexpiretime $key] [printable $key]
    }
}

proc take_over {} {
    file copy -force [srv -1 dir]/dump.rdb [srv dir]/dump.rdb
    restart_server -signal KILL
}

foreach {from to direction} [list {} $reference "ours, read by the reference" $reference {} "the reference's, read by ours"] {
    foreach {kind directives} {plain {rdbcompression no} compressed {rdbcompression yes} "unchecked" {rdbchecksum no}} {
        start_server [list tags {interop} binary $from overrides $directives] {
            fill_strings
            start_server [list binary $to] {
                test "snapshot ($kind): $direction" {
                    assert_equal OK [r -1 save]
                    take_over
                    assert_equal [r -1 dbsize] [r dbsize]
                    assert_equal [debug_digest -1] [debug_digest]
                    assert_equal [csv -1] [csv]
                    foreach key {int i64 min empty notint 44 45 lzf} {
                        assert_equal [r -1 object encoding $key] [r object encoding $key] $key
                    }
                    foreach db {1 7 15} {
                        r select $db
                        assert_equal $db [r get db]
                        assert_between 1 100000 [r ttl ttl]
                    }
                    r select 0
                }
            }
        }
    }

    start_server [list tags {interop} binary $from] {
        start_server [list binary $to] {
            test "collections in a snapshot: $direction" {
                r -1 flushall
                r flushall
                fill_collections -1
                assert_equal OK [r -1 save]
                take_over
                assert_same_data -1 0
                if {![is_redust -1]} { return }
                # The reference reads no later version, whichever way it was chosen.
                r -1 config set rdb-target-version 10
                r -1 save
                take_over
                assert_same_data -1 0
                r -1 config set rdb-target-version 0
            }

            test "collections by DUMP and RESTORE: $direction" {
                r flushall
                foreach key [r -1 keys *] {
                    r restore $key [expr {max([r -1 pexpiretime $key], 0)}] [r -1 dump $key] absttl
                }
                assert_same_data -1 0
            }
        }
    }

    start_server [list tags {interop} binary $from] {
        start_server [list binary $to] {
            test "DUMP and RESTORE: $direction" {
                r -1 flushall
                fill_strings
                r -1 select 0
                foreach key {int i8 i16 i32 i64 empty 44 45 bin lzf noise float} {
                    r -1 set $key [r get $key]
                    r del $key
                    r restore $key 0 [r -1 dump $key]
                    assert_equal [r -1 get $key] [r get $key]
                    assert_equal [r -1 object encoding $key] [r object encoding $key]
                }
            }

            test "MIGRATE: $direction" {
                r -1 flushall
                r flushall
                r -1 set m1 [string repeat m 5000] ex 1000
                r -1 set m2 2
                assert_equal OK [r -1 migrate 127.0.0.1 [srv port] "" 0 5000 keys m1 m2]
                assert_equal {5000 2} [list [r strlen m1] [r get m2]]
                assert_between 900 1000 [r ttl m1]
                assert_equal 0 [r -1 dbsize]
            }
        }
    }
}

start_server [list tags {interop} binary $reference] {
    test "what redis-server 7.0 saved goes through our file of version 10 and back" {
        file copy -force $::testdir/data/golden/redis-7.0.15.rdb [srv dir]/dump.rdb
        restart_server -signal KILL
        start_server {} {
            r config set rdb-target-version 10
            foreach db {0 3 15} {
                r -1 select $db
                r select $db
                foreach key [r -1 keys *] {
                    set at [r -1 pexpiretime $key]
                    r restore $key [expr {max($at, 0)}] [r -1 dump $key] absttl
                }
                assert_same_data -1 0
            }
            r save
            file copy -force [srv dir]/dump.rdb [srv -1 dir]/dump.rdb
            restart_server -1 -signal KILL
            foreach db {0 3 15} {
                r -1 select $db
                r select $db
                assert_same_data 0 -1
            }
        }
    }
}

test "the reference's checker finds our file good, ours finds the reference's good" {
    need_tool redis-check-rdb redis-tools
    start_server {} {
        fill_strings
        r save
        assert_match "*RDB looks OK*" [exec redis-check-rdb [srv dir]/dump.rdb]
        set ours [expr {[is_redust] ? "redust-check-rdb" : "redis-check-rdb"}]
    }
    start_server [list binary $reference] {
        fill_strings
        r save
        assert_match "*RDB looks OK*" [exec [server_as $ours] [srv dir]/dump.rdb]
    }
}
