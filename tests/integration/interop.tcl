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
