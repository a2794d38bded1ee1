# HyperLogLog: estimates, both forms, their bytes, and strings that only look like one.

start_server {tags {hyperloglog}} {
    test "PFADD makes a sketch and says whether the estimate may have changed" {
        r flushall
        assert_equal 1 [r pfadd h]
        assert_equal 0 [r pfadd h]
        assert_equal {1 0 1} [list [r pfadd h a b c] [r pfadd h a] [r pfadd h d]]
        assert_equal 4 [r pfcount h]
        assert_equal raw [r object encoding h]
        assert_equal sparse [r pfdebug encoding h]
    }

    test "the empty sketch has the bytes that all servers know" {
        r del h
        r pfadd h
        assert_equal "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xff" [r get h]
        assert_equal "Z:16384" [r pfdebug decode h]
    }

    test "a sketch becomes dense when it outgrows hll-sparse-max-bytes, and counts on" {
        r del h
        for {set i 0} {$i < 5000} {incr i} { r pfadd h e:$i }
        assert_equal dense [r pfdebug encoding h]
        assert_equal 12304 [r strlen h]
        set n [r pfcount h]
        assert {$n > 4800 && $n < 5200} $n
        assert_error "ERR HLL encoding is not sparse" {r pfdebug decode h}
    }

    test "both forms give the same estimate" {
        r del h g
        for {set i 0} {$i < 500} {incr i} { r pfadd h e:$i }
        r set g [r get h]
        assert_equal sparse [r pfdebug encoding g]
        assert_equal 1 [r pfdebug todense g]
        assert_equal 0 [r pfdebug todense g]
        assert_equal [r pfcount h] [r pfcount g]
        assert_equal [r pfdebug getreg h] [r pfdebug getreg g]
    }

    test "PFCOUNT of several keys and PFMERGE give the union" {
        r del a b c
        r pfadd a 1 2 3
        r pfadd b 3 4 5
        assert_equal 5 [r pfcount a b missing]
        assert_equal OK [r pfmerge c a b]
        assert_equal {5 sparse} [list [r pfcount c] [r pfdebug encoding c]]
        r pfdebug todense b
        r pfmerge a b
        assert_equal {5 dense} [list [r pfcount a] [r pfdebug encoding a]]
        assert_equal OK [r pfmerge fresh]
        assert_equal 0 [r pfcount fresh]
    }

    test "PFADD keeps an expiry" {
        r del h
        r pfadd h a
        r expire h 100
        r pfadd h b c d
        assert {[r ttl h] > 90}
    }

    test "other strings are refused, broken ones noticed" {
        r set s hello
        foreach command {{pfadd s x} {pfcount s} {pfmerge s s} {pfcount h s} {pfdebug encoding s}} {
            assert_error "WRONGTYPE Key is not a valid HyperLogLog string value." {r {*}$command}
        }
        r set s "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f"
        assert_error "INVALIDOBJ Corrupted HLL object detected" {r pfcount s}
        assert_error "INVALIDOBJ Corrupted HLL object detected" {r pfadd s x}
        assert_error "ERR The specified key does not exist" {r pfdebug encoding missing}
        assert_error "ERR Unknown PFDEBUG subcommand 'frob'" {r pfdebug frob h}
    }

    test "PFDEBUG TODENSE is a change to count, not one to watch" {
        r del h
        r pfadd h a
        set before [s rdb_changes_since_last_save]
        r watch h
        assert_equal 1 [r pfdebug todense h]
        assert_equal 1 [expr {[s rdb_changes_since_last_save] - $before}]
        r multi
        r ping
        assert_equal PONG [r exec]
    }

    test "PFSELFTEST" {
        assert_equal OK [r pfselftest]
    }
}
