# Bitmaps: single bits, counting, searching, combining, and BITFIELD.

start_server {tags {bitmap}} {
    test "SETBIT grows the string and replies the bit as it was" {
        r flushall
        assert_equal 0 [r setbit b 7 1]
        assert_equal 1 [r strlen b]
        assert_equal 1 [r setbit b 7 0]
        assert_equal 0 [r setbit b 100 1]
        assert_equal 13 [r strlen b]
        assert_equal {1 0 0} [list [r getbit b 100] [r getbit b 99] [r getbit b 100000]]
        assert_equal raw [r object encoding b]
    }

    test "SETBIT works on strings and integers alike" {
        r set s foo
        assert_equal 1 [r setbit s 1 0]
        assert_equal "&oo" [r get s]
        r set n 12
        r setbit n 15 0
        assert_equal 12 [r get n]
        assert_equal raw [r object encoding n]
    }

    test "bits out of range and of other types are refused" {
        foreach offset {-1 x 4294967296 99999999999999999999} {
            assert_error "ERR bit offset is not an integer or out of range" {r setbit b $offset 1}
            assert_error "ERR bit offset is not an integer or out of range" {r getbit b $offset}
        }
        foreach bit {2 -1 x ""} { assert_error "ERR bit is not an integer or out of range" {r setbit b 1 $bit} }
    }

    test "BITCOUNT counts all bits, or those of a range of bytes or bits" {
        r set s foobar
        assert_equal {26 4 6} [list [r bitcount s] [r bitcount s 0 0] [r bitcount s 1 1]]
        assert_equal {26 0 4} [list [r bitcount s -100 100] [r bitcount s 5 2] [r bitcount s -1 -1]]
        assert_equal {17 1} [list [r bitcount s 5 30 BIT] [r bitcount s 1 1 bit]]
        assert_equal 6 [r bitcount s 1 1 byte]
        assert_equal 0 [r bitcount missing]
        assert_error "ERR syntax error" {r bitcount s 1}
        assert_error "ERR syntax error" {r bitcount s 1 2 word}
        assert_error "ERR value is not an integer or out of range" {r bitcount s a 2}
    }

    test "BITPOS finds the first bit of a kind" {
        r set s "\xff\xf0\x00"
        assert_equal {12 0} [list [r bitpos s 0] [r bitpos s 1]]
        assert_equal {16 8 -1} [list [r bitpos s 0 2] [r bitpos s 1 1] [r bitpos s 1 2]]
        assert_equal {-1 13} [list [r bitpos s 0 0 0] [r bitpos s 0 13 20 bit]]
        r set ones "\xff\xff"
        assert_equal {16 -1 16} [list [r bitpos ones 0] [r bitpos ones 0 0 -1] [r bitpos ones 0 1]]
        assert_equal {0 -1} [list [r bitpos missing 0] [r bitpos missing 1]]
        assert_error "ERR The bit argument must be 1 or 0." {r bitpos s 2}
        assert_error "ERR syntax error" {r bitpos s 1 0 -1 word}
    }

    test "BITOP combines strings of any length" {
        r set a "\x0c\xff"
        r set b "\x0a"
        r set c "\x09\x0f\x01"
        foreach {op bytes} {
            and "\x08\x00\x00" or "\x0f\xff\x01" xor "\x0f\xf0\x01"
            diff "\x04\xf0\x00" diff1 "\x03\x00\x01" andor "\x08\x0f\x00" one "\x07\xf0\x01"
        } {
            assert_equal 3 [r bitop $op d a b c]
            assert_equal $bytes [r get d] $op
        }
        assert_equal 2 [r bitop not d a]
        assert_equal "\xf3\x00" [r get d]
        assert_error "ERR BITOP NOT must be called with a single source key." {r bitop not d a b}
        assert_error "ERR BITOP DIFF must be called with at least two source keys." {r bitop diff d a}
        assert_error "ERR syntax error" {r bitop nand d a b}
    }

    test "BITOP of nothing deletes the destination, and the result drops an expiry" {
        r set d x ex 100
        assert_equal 2 [r bitop or d a]
        assert_equal -1 [r ttl d]
        assert_equal 0 [r bitop and d missing none]
        assert_equal 0 [r exists d]
    }

    test "BITFIELD reads and writes integers of any width" {
        r del f
        assert_equal {0 0} [r bitfield f set u8 0 255 set i5 100 -3]
        assert_equal {255 -3 29 -1} [r bitfield f get u8 0 get i5 100 get u5 100 get i8 #0]
        assert_equal {14 253} [list [r strlen f] [lindex [r bitfield f incrby u8 0 -2] 0]]
        assert_equal {0} [r bitfield f get u4 1000]
        assert_equal {9223372036854775807} [r bitfield g incrby i64 3 9223372036854775807]
    }

    test "BITFIELD SET saturates a number from far below to the greatest, as Redis does" {
        r del f
        assert_equal {0 34359738367} [r bitfield f overflow sat set i36 0 -9223372036854775808 get i36 0]
        assert_equal {34359738367 -34359738368} [r bitfield f overflow sat set i36 0 -9223372002495037440 get i36 0]
        assert_equal {-34359738368 34359738367} [r bitfield f overflow sat set i36 0 -9223372002495037441 get i36 0]
        assert_equal {0 -9223372036854775808} [r bitfield f overflow sat set i64 64 -9223372036854775808 get i64 64]
    }

    test "BITFIELD OVERFLOW: wrap, saturate, fail" {
        r del f
        r bitfield f set u2 0 3 set i8 8 127
        assert_equal {0} [r bitfield f incrby u2 0 1]
        r bitfield f set u2 0 3
        assert_equal {3 -128} [r bitfield f overflow sat incrby u2 0 1 overflow wrap incrby i8 8 1]
        assert_equal {{}} [r bitfield f overflow fail incrby u2 0 1]
        assert_equal {-128} [r bitfield f overflow sat incrby i8 8 -9000000000]
        assert_error "ERR Invalid OVERFLOW type specified" {r bitfield f overflow x incrby u2 0 1}
    }

    test "BITFIELD whose writes all fail makes the string as long, and counts no change" {
        r del f
        set before [s rdb_changes_since_last_save]
        assert_equal {{}} [r bitfield f overflow fail set u3 7 32]
        assert_equal {2 0} [list [r strlen f] [expr {[s rdb_changes_since_last_save] - $before}]]
    }

    test "BITFIELD refuses what it does not know, and then changes nothing" {
        r del f
        foreach type {u64 i65 i0 x8 8 u-1} {
            assert_error_like "ERR Invalid bitfield type*" {r bitfield f set u8 0 1 get $type 0}
        }
        assert_error "ERR bit offset is not an integer or out of range" {r bitfield f get u8 -1}
        assert_error "ERR syntax error" {r bitfield f get u8}
        assert_error "ERR syntax error" {r bitfield f frob u8 0}
        assert_error "ERR BITFIELD_RO only supports the GET subcommand" {r bitfield_ro f set u8 0 1}
        # What can't be read at all comes first.
        assert_error_like "ERR Invalid bitfield type*" {r bitfield_ro f set u8 0 1 get u64 0}
        assert_error "ERR syntax error" {r bitfield_ro f set u8 0 1 x}
        assert_equal 0 [r exists f]
        assert_equal {0} [r bitfield_ro f get u8 0]
    }

    test "BITPOS of a range that ends before it begins is that of the first byte, BITCOUNT is 0" {
        r set k 0123456789
        foreach unit {{} byte} {
            assert_equal {2 0} [list [r bitpos k 1 -100 -200 {*}$unit] [r bitpos k 0 -100 -200 {*}$unit]]
        }
        assert_equal {-1 0} [list [r bitpos k 1 -100 -200 bit] [r bitpos k 0 -100 -200 bit]]
        assert_equal {-1 -1} [list [r bitpos k 1 -1 -100] [r bitpos k 1 5 2]]
        assert_equal {0 0} [list [r bitcount k -100 -200] [r bitcount k -3 -100 junk]]
        assert_error "ERR syntax error" {r bitcount k -100 -3 junk}
    }
}
