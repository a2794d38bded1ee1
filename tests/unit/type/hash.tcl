# Hashes: fields, encodings, counters, random fields, scans, events, what is written to files.

# Fields f0 to fn-1 with values v0 to vn-1.
proc fields {n {value v}} {
    set all {}
    for {set i 0} {$i < $n} {incr i} { lappend all f$i $value$i }
    return $all
}

start_server {tags {hash}} {
    test "HSET sets, HGET reads, HDEL removes" {
        assert_equal 2 [r hset h a 1 b 2]
        assert_equal 1 [r hset h b 3 c 4]
        assert_equal {1 3 4} [r hmget h a b c]
        assert_equal 3 [r hget h b]
        assert_typed null hget h x
        assert_typed {array {{bulk 1} null}} hmget h a x
        assert_equal {3 1 0 1} [list [r hlen h] [r hexists h a] [r hexists h x] [r hstrlen h a]]
        assert_equal OK [r hmset h d 5]
        assert_equal {0 1} [list [r hsetnx h d 6] [r hsetnx h e 7]]
        assert_equal {a 1 b 3 c 4 d 5 e 7} [lsort -stride 2 [r hgetall h]]
        assert_same_items {a b c d e} [r hkeys h]
        assert_same_items {1 3 4 5 7} [r hvals h]
        assert_equal 4 [r hdel h a b c d x]
        assert_equal {1 0} [list [r hdel h e f] [r exists h]]
    }

    test "what is not there is empty" {
        foreach {command reply} {
            {hget none f} null {hmget none f g} {array {null null}} {hgetall none} {array {}} {hkeys none} {array {}}
            {hvals none} {array {}} {hlen none} {int 0} {hstrlen none f} {int 0} {hexists none f} {int 0} {hdel none f} {int 0}
            {hrandfield none} null {hrandfield none 3} {array {}} {hscan none 0} {array {{bulk 0} {array {}}}}
        } { assert_typed $reply {*}$command }
    }

    test "fields and values are any bytes" {
        r del h
        r hset h "" empty 1 one 01 other "\0\r\n" "\r\n\0" n 12 m -5 big 99999999999999999999
        assert_equal [list empty one other "\r\n\0" 12 -5 99999999999999999999] [r hmget h "" 1 01 "\0\r\n" n m big]
        assert_equal {5 2 20 0} [list [r hstrlen h ""] [r hstrlen h n] [r hstrlen h big] [r hstrlen h none]]
        r hset h long [string repeat x 5000]
        assert_equal {5000 empty} [list [r hstrlen h long] [r hget h ""]]
    }

    test "commands refuse other types and wrong numbers of arguments" {
        r set str x
        foreach command {
            {hset str f v} {hmset str f v} {hsetnx str f v} {hget str f} {hmget str f} {hgetall str} {hkeys str} {hvals str}
            {hdel str f} {hlen str} {hstrlen str f} {hexists str f} {hincrby str f 1} {hincrbyfloat str f 1} {hrandfield str}
            {hrandfield str 1} {hscan str 0}
        } { assert_error "WRONGTYPE Operation against a key holding the wrong kind of value" {r {*}$command} }
        foreach {name args} {hset {h f} hset {h f v g} hmset {h f v g} hget h hmget h hdel h hincrby {h f} hgetall {} hsetnx {h f v w}} {
            assert_error "ERR wrong number of arguments for '$name' command" {r $name {*}$args}
        }
    }

    test "the encoding follows Redis's thresholds" {
        r del h
        r hset h {*}[fields 512]
        assert_encoding listpack h
        r hset h f0 w
        assert_encoding listpack h
        r hset h f512 v
        assert_encoding hashtable h
        r hdel h {*}[lmap {f v} [fields 500] { set f }]
        assert_encoding hashtable h
        foreach {field value encoding} [list f [string repeat x 64] listpack f [string repeat x 65] hashtable \
            [string repeat x 64] v listpack [string repeat x 65] v hashtable] {
            foreach command {hset hmset hsetnx} {
                r del h
                r $command h $field $value
                assert_encoding $encoding h
            }
        }
        # So many arguments at once are taken for so many fields.
        r del h
        r hset h {*}[string repeat "f v " 513]
        assert_encoding hashtable h
        r config set hash-max-listpack-entries 2 hash-max-listpack-value 3
        foreach {pairs encoding} {{a 1 b 2} listpack {a 1 b 2 c 3} hashtable {a 1234} hashtable {abcd 1} hashtable} {
            r del h
            foreach {f v} $pairs { r hset h $f $v }
            assert_encoding $encoding h
        }
        r del h
        r hincrby h n 999
        assert_encoding listpack h
        r hincrby h n 1
        assert_encoding hashtable h
        r config set hash-max-listpack-entries 512 hash-max-listpack-value 64
    }

    test "HINCRBY counts" {
        r del h
        assert_equal {1 3 -2} [list [r hincrby h n 1] [r hincrby h n 2] [r hincrby h n -5]]
        r hset h max 9223372036854775807 text x blank " 1" zero 01
        assert_error "ERR increment or decrement would overflow" {r hincrby h max 1}
        foreach field {text blank zero} { assert_error "ERR hash value is not an integer" {r hincrby h $field 1} }
        assert_error "ERR value is not an integer or out of range" {r hincrby h n x}
        assert_equal 9223372036854775806 [r hincrby h max -1]
        r hset h pad [string repeat x 100]
        assert_encoding hashtable h
        assert_equal {8 8} [list [r hincrby h n 10] [r hget h n]]
    }

    test "HINCRBYFLOAT adds as redis-server does" {
        r del h
        assert_equal {0.5 0.75 -1.25} [list [r hincrbyfloat h n 0.5] [r hincrbyfloat h n 0.25] [r hincrbyfloat h n -2]]
        assert_equal {3 5000} [list [r hincrbyfloat h i 3.0] [r hincrbyfloat h e 5e3]]
        assert_equal 0.3 [r hincrbyfloat h f 0.1; r hincrbyfloat h f 0.2]
        r hset h text x
        assert_error "ERR hash value is not a float" {r hincrbyfloat h text 1}
        assert_error "ERR value is not a valid float" {r hincrbyfloat h n x}
        assert_error "ERR value is NaN or Infinity" {r hincrbyfloat h n inf}
    }

    test "HRANDFIELD draws fields" {
        foreach pairs [list [fields 30] [fields 600] [fields 30 [string repeat v 80]]] {
            r del h
            r hset h {*}$pairs
            set size [expr {[llength $pairs] / 2}]
            assert {[dict exists $pairs [r hrandfield h]]}
            foreach count [list 0 1 [expr {$size / 4}] [expr {$size / 2}] [expr {$size - 1}] $size [expr {$size * 2}]] {
                set drawn [r hrandfield h $count]
                assert_equal [expr {min($count, $size)}] [llength [lsort -unique $drawn]]
                assert_equal [llength $drawn] [llength [lsort -unique $drawn]]
                foreach {f v} [r hrandfield h $count withvalues] { assert_equal [dict get $pairs $f] $v }
                assert_equal [expr {$count * 2}] [llength [r hrandfield h [expr {-2 * $count}]]]
                foreach {f v} [r hrandfield h [expr {-$count}] withvalues] { assert_equal [dict get $pairs $f] $v }
            }
        }
        assert_error "ERR value is not an integer or out of range" {r hrandfield h x}
        assert_error "ERR syntax error" {r hrandfield h 1 values}
        assert_error "ERR syntax error" {r hrandfield h 1 withvalues x}
        assert_error "ERR value is out of range" {r hrandfield h 9223372036854775807 withvalues}
        assert_error "ERR value is out of range" {r hrandfield h -9223372036854775807 withvalues}
        assert_error_like "ERR value is out of range, value must between*" {r hrandfield h -9223372036854775808}
    }

    test "every field is drawn as often as any other" {
        foreach pairs [list [fields 10] [fields 10 [string repeat v 80]]] {
            r del h
            r hset h {*}$pairs
            foreach {count times} {1 5000 3 1700 -5 1000} {
                unset -nocomplain seen
                for {set i 0} {$i < $times} {incr i} { foreach f [r hrandfield h $count] { incr seen($f) } }
                foreach {f v} $pairs { assert_between 380 640 $seen($f) "$f, $count" }
            }
        }
    }

    test "RESP3 has maps, and pairs of random fields" {
        r del h
        r hset h f 1
        set c [redis_client]
        $c hello 3
        assert_equal {map {{bulk f} {bulk 1}}} [$c typed hgetall h]
        assert_equal {map {}} [$c typed hgetall none]
        assert_equal {array {{bulk f}}} [$c typed hkeys h]
        assert_equal {array {{array {{bulk f} {bulk 1}}}}} [$c typed hrandfield h 5 withvalues]
        assert_equal {array {{array {{bulk f} {bulk 1}}} {array {{bulk f} {bulk 1}}}}} [$c typed hrandfield h -2 withvalues]
        assert_equal null [$c typed hget h x]
        assert_equal {array {{bulk 0} {array {{bulk f} {bulk 1}}}}} [$c typed hscan h 0]
        $c close
    }

    test "HSCAN returns every field once at least, small hashes at once" {
        r del h
        r hset h a 1 b 2 c3 3
        assert_equal 0 [lindex [r hscan h 0 count 1] 0]
        assert_equal {a 1 b 2 c3 3} [lsort -stride 2 [lindex [r hscan h 0] 1]]
        assert_equal {{0 {c3 3}} {0 c3}} [list [r hscan h 0 match c*] [r hscan h 0 match c* novalues]]
        r del h
        r hset h {*}[fields 1000]
        foreach option {{} novalues} {
            unset -nocomplain found
            set at 0
            while 1 {
                lassign [r hscan h $at count 50 {*}$option] at part
                foreach {f v} [expr {$option eq {} ? $part : [lmap f $part { list $f v[string range $f 1 end] }]}] {
                    if {$option ne {}} { lassign $f f v }
                    set found($f) 1
                }
                if {$at == 0} break
                r hset h new[random_int 1000] x
            }
            if {$option eq {}} { foreach {f v} [fields 1000] { assert {[info exists found($f)]} } }
        }
        assert_error "ERR invalid cursor" {r hscan h x}
        assert_error "ERR syntax error" {r hscan h 0 count 0}
    }

    test "events" {
        r del h g
        r config set notify-keyspace-events KEA
        assert_equal {hset hset hset} [event_names_of { r hset h a 1; r hset h a 1; r hmset h b 2; r hsetnx h b 3 }]
        assert_equal {hset} [event_names_of { r hsetnx h c 3 }]
        assert_equal {hincrby hincrbyfloat} [event_names_of { r hincrby h a 1; r hincrbyfloat h a 1 }]
        assert_equal {hdel} [event_names_of { r hdel h a x; r hdel h x }]
        assert_equal {hdel del} [event_names_of { r hdel h b c }]
        r config set notify-keyspace-events ""
    }

    test "SAVE and DUMP bring back fields and encodings" {
        r flushall
        r hset packed a 1 2 b c [string repeat x 60]
        r hset table {*}[fields 600]
        r hset long f [string repeat y 100]
        set digest [debug_digest]
        foreach {key encoding} {packed listpack table hashtable long hashtable} {
            r restore copy:$key 0 [r dump $key]
            assert_encoding $encoding copy:$key
            assert_equal [r debug digest-value $key] [r debug digest-value copy:$key]
            r copy $key twin
            assert_encoding $encoding twin
            r del copy:$key twin
        }
        r debug reload
        assert_equal $digest [debug_digest]
        foreach {key encoding} {packed listpack table hashtable long hashtable} { assert_encoding $encoding $key }
    }

    test "RESTORE takes the forms of older servers, and refuses broken ones" {
        r debug set-skip-checksum-validation 1
        foreach payload {"\x09\x09\x01\x01k\x02\x01vwx\xff" "\x0d\x12\x12\0\0\0\x0d\0\0\0\x02\0\0\x01k\x03\x02vw\xff" "\x04\x01\x01k\x02vw"} {
            r del h
            r restore h 0 "$payload\x0a\0\0\0\0\0\0\0\0\0"
            assert_equal {listpack {k vw}} [list [r object encoding h] [r hgetall h]]
        }
        r del h
        foreach payload {"\x04\x02\x01a\x01x\x01a\x01y" "\x10\x0a\x0a\0\0\0\x01\0\x81a\x02\xff" "\x09\x0d\x02\x01k\x01\0v\x01k\x01\0v\xff"} {
            assert_error "ERR Bad data format" {r restore h 0 "$payload\x0a\0\0\0\0\0\0\0\0\0"}
        }
        r debug set-skip-checksum-validation 0
    }

    test "random commands agree with a model" {
        foreach value {{} {long values make tables}} {
            r del h
            unset -nocomplain model
            for {set i 0} {$i < 3000} {incr i} {
                set f [pick {{} f}][random_int [expr {$i < 1000 ? 60 : 900}]]
                set v $value[random_int 100000]
                if {$value ne {} && $i == 500} { append v [string repeat x 70] }
                switch [random_int 6] {
                    0 - 1 - 2 { assert_equal [expr {![info exists model($f)]}] [r hset h $f $v]; set model($f) $v }
                    3 { assert_equal [info exists model($f)] [r hdel h $f]; unset -nocomplain model($f) }
                    4 { assert_equal [expr {[info exists model($f)] ? $model($f) : {}}] [r hget h $f] }
                    5 {
                        if {[info exists model($f)] && [string is integer -strict $model($f)]} {
                            assert_equal [incr model($f) 7] [r hincrby h $f 7]
                        }
                        assert_equal [array size model] [r hlen h]
                    }
                }
            }
            assert_equal [lsort -stride 2 [array get model]] [lsort -stride 2 [r hgetall h]]
        }
    }
}
