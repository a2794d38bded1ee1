# SORT: orders, weights and what becomes of the source and the result.

start_server {tags {sort}} {
    test "a constant BY leaves a list in its order, DESC reads it from the end" {
        r rpush l 5 3 4 1 2
        assert_equal {5 3 4 1 2} [r sort l by nosort]
        assert_equal {2 1 4 3 5} [r sort l by nosort desc]
        assert_equal {2 1} [r sort l by nosort desc limit 0 2]
        assert_equal {3 5} [r sort l by nosort desc limit 3 20]
        assert_equal {2 1 4 3 5} [list {*}[r sort l by nosort desc store d; r lrange d 0 -1]]
        r zadd z 1 a 2 b 3 c
        assert_equal {c b} [r sort z by nosort desc limit 0 2]
        r sadd s 1 2 3
        assert_equal {1 2 3} [r sort s by nosort desc]
    }

    test "numbers are read as strtod reads them" {
        r del l
        r rpush l 3 1 ""
        assert_equal {{} 1 3} [r sort l]
        assert_equal {{} 1 3} [list {*}[r sort l store d; r lrange d 0 -1]]
        r del l
        r rpush l " 3" +1 0x10 1e1 -0 inf "2\x00x" "\x00"
        assert_equal [lsort [r lrange l 0 -1]] [lsort [r sort l]]
        assert_equal {+1 inf} [list [lindex [r sort l] 2] [lindex [r sort l] end]]
        foreach bad {"1 " " " nan 1x} {
            r del l
            r rpush l 3 $bad
            assert_error "ERR One or more scores can't be converted into double" {r sort l}
        }
    }

    test "a sorted set that is sorted is no listpack any more" {
        foreach command {{sort z by nosort} {sort z alpha} {sort z} {sort_ro z by nosort}} {
            r del z
            r zadd z 1 1 2 2
            assert_encoding listpack z
            r {*}$command
            assert_encoding skiplist z
        }
    }

    test "a result of more than a usual node is a quicklist, and so is one longer than list-max-listpack-size" {
        r del l
        for {set i 0} {$i < 300} {incr i} { r rpush l [format %030d $i] }
        foreach {size encoding} {-5 quicklist -2 quicklist 400 quicklist 128 quicklist} {
            r config set list-max-listpack-size $size
            r sort l store d
            assert_encoding $encoding d
            assert_equal 300 [llength [lsort -unique [r lrange d 0 -1]]]
        }
        r ltrim l 0 149
        foreach {size encoding} {-5 listpack -1 quicklist 150 listpack 149 quicklist} {
            r config set list-max-listpack-size $size
            r sort l store d
            assert_encoding $encoding d
        }
        r config set list-max-listpack-size -2
    }

    test "all weights are looked up before one that is no number ends the command" {
        r flushall
        r config resetstat
        r rpush l 1 2 3
        r set w1 text
        assert_error "ERR One or more scores can't be converted into double" {r sort l by w*}
        assert_match "*keyspace_misses:2*" [r info stats]
    }

    test "a list in the place of another type wakes nobody, as any value that is overwritten" {
        r flushall
        set c [redis_client]
        $c write [client::encode {blpop d 0}]
        $c flush
        wait_for_condition {[s blocked_clients] == 1}
        r sadd d member
        r rpush l 2 1
        assert_equal 2 [r sort l store d]
        assert_equal {1 2} [r lrange d 0 -1]
        assert_equal 1 [s blocked_clients]
        $c close
    }
}
