# Commands on keys of any type: DEL to SWAPDB, KEYS, COPY, MOVE, FLUSH*.

start_server {tags {generic}} {
    test "DEL and UNLINK count the keys they removed" {
        r flushall
        foreach command {del unlink} {
            r mset a 1 b 2 c 3
            assert_equal 2 [r $command a c missing]
            assert_equal {{} 2 {}} [r mget a b c]
            assert_equal 1 [r $command b b b]
            assert_equal 0 [r $command b]
            assert_equal 0 [r dbsize]
            assert_error "ERR wrong number of arguments for '$command' command" {r $command}
        }
    }

    test "EXISTS and TOUCH count repetitions" {
        r mset a 1 b 2
        assert_equal 1 [r exists a]
        assert_equal 3 [r exists a b a missing]
        assert_equal 0 [r exists missing]
        assert_equal 3 [r touch a b a missing]
        assert_error "ERR wrong number of arguments for 'exists' command" {r exists}
        assert_error "ERR wrong number of arguments for 'touch' command" {r touch}
    }

    test "TYPE" {
        r set a 1
        assert_typed {simple string} type a
        assert_typed {simple none} type missing
    }

    test "KEYS matches globs" {
        r flushall
        foreach key {hello hallo hxllo heello hllo h\[llo foo_x foo_y foo\\bar} { r set $key x }
        assert_same_items {hello hallo hxllo h\[llo} [r keys h?llo]
        assert_same_items {hello hallo} [r keys {h[ae]llo}]
        assert_same_items {hello hxllo h\[llo} [r keys {h[^a]llo}]
        assert_same_items {hello hallo} [r keys {h[a-e]llo}]
        assert_same_items {hello hallo} [r keys {h[e-a]llo}]
        assert_same_items {hello hallo hxllo heello hllo h\[llo} [r keys h*llo]
        assert_same_items {foo_x foo_y} [r keys foo_*]
        assert_equal [list {foo\bar}] [r keys {foo\\bar}]
        assert_equal [list {h[llo}] [r keys {h\[llo}]
        assert_equal 9 [llength [r keys *]]
        assert_equal {} [r keys nothing]
        assert_equal hello [r keys hello]
        assert_equal {} [r keys ""]
    }

    test "KEYS with a hard pattern answers at once" {
        r flushall
        r set [string repeat a 4000] x
        set began [now_ms]
        assert_equal {} [r keys [string repeat a* 1000]b]
        assert_between 0 3000 [expr {[now_ms] - $began}]
    }

    test "KEYS and DBSIZE of another database see only that" {
        r flushall
        r set a 1
        r select 5
        r set b 1
        assert_equal b [r keys *]
        assert_equal 1 [r dbsize]
        r select 0
        assert_equal a [r keys *]
    }

    test "RANDOMKEY picks every key sooner or later, none from an empty database" {
        r flushall
        assert_typed null randomkey
        populate 10 k
        for {set i 0} {$i < 400} {incr i} { set seen([r randomkey]) 1 }
        assert_equal 10 [array size seen]
        r flushall
        r debug set-active-expire 0
        r set dead x px 1
        sleep 10
        assert_typed null randomkey
        r debug set-active-expire 1
    }

    test "RENAME moves value and expiry, over whatever is there" {
        r flushall
        r set a 1 ex 100
        r set b 2
        assert_equal OK [r rename a b]
        assert_equal 0 [r exists a]
        assert_equal 1 [r get b]
        assert_between 90 100 [r ttl b]
        r set c 3
        r rename c b
        assert_equal -1 [r ttl b]
        assert_equal OK [r rename b b]
        assert_equal 3 [r get b]
        assert_error "ERR no such key" {r rename missing x}
        assert_error "ERR no such key" {r rename missing missing}
    }

    test "RENAMENX only to a free name" {
        r flushall
        r mset a 1 b 2
        assert_equal 0 [r renamenx a b]
        assert_equal 1 [r renamenx a c]
        assert_equal {{} 2 1} [r mget a b c]
        assert_equal 0 [r renamenx c c]
        assert_error "ERR no such key" {r renamenx missing x}
    }

    test "COPY within and across databases" {
        r flushall
        r set a 1 ex 100
        assert_equal 1 [r copy a b]
        assert_equal 1 [r get b]
        assert_between 90 100 [r ttl b]
        r append b 2
        assert_equal 1 [r get a]
        assert_equal 0 [r copy a b]
        assert_equal 1 [r copy a b replace]
        assert_equal 1 [r get b]
        assert_equal 1 [r copy a a db 3]
        assert_equal 0 [r copy a a DB 3]
        assert_equal 1 [r copy a a db 3 REPLACE]
        r select 3
        assert_equal 1 [r get a]
        r select 0
        assert_equal 0 [r copy missing x]
    }

    test "COPY errors" {
        r set a 1
        assert_error "ERR source and destination objects are the same" {r copy a a}
        assert_error "ERR source and destination objects are the same" {r copy a a db 0}
        assert_error "ERR syntax error" {r copy a b foo}
        assert_error "ERR syntax error" {r copy a b db}
        assert_error "ERR DB index is out of range" {r copy a b db 16}
        assert_error "ERR DB index is out of range" {r copy a b db -1}
        assert_error "ERR value is not an integer or out of range" {r copy a b db x}
    }

    test "MOVE takes a key to another database, with its expiry" {
        r flushall
        r set a 1 ex 100
        assert_equal 1 [r move a 9]
        assert_equal 0 [r exists a]
        assert_equal 0 [r move a 9]
        r set a 2
        assert_equal 0 [r move a 9]
        assert_equal 2 [r get a]
        r select 9
        assert_equal 1 [r get a]
        assert_between 90 100 [r ttl a]
        r select 0
        assert_error "ERR source and destination objects are the same" {r move a 0}
        assert_error "ERR DB index is out of range" {r move a 16}
        assert_error "ERR value is not an integer or out of range" {r move a abc}
    }

    test "SWAPDB exchanges two databases under the feet of their clients" {
        r flushall
        r set a zero
        r select 1
        r set a one
        r set b one ex 100
        assert_equal OK [r swapdb 0 1]
        assert_equal zero [r get a]
        r select 0
        assert_equal one [r get a]
        assert_between 90 100 [r ttl b]
        assert_equal OK [r swapdb 0 0]
        assert_equal one [r get a]
        assert_error "ERR invalid first DB index" {r swapdb x 1}
        assert_error "ERR invalid second DB index" {r swapdb 1 x}
        assert_error "ERR DB index is out of range" {r swapdb 1 44}
    }

    test "SELECT" {
        assert_equal OK [r select 15]
        assert_error "ERR DB index is out of range" {r select 16}
        assert_error "ERR DB index is out of range" {r select -1}
        assert_error "ERR value is not an integer or out of range" {r select one}
        r select 0
    }

    test "FLUSHDB empties one database, FLUSHALL all, in either mode" {
        foreach mode {{} async sync ASYNC} {
            r flushall
            r select 1
            populate 20 one:
            r select 0
            populate 30 zero: 10 0 {ex 1000}
            assert_equal OK [r flushdb {*}$mode]
            assert_equal 0 [r dbsize]
            r set again 1
            assert_equal 1 [r get again]
            r select 1
            assert_equal 20 [r dbsize]
            assert_equal OK [r flushall {*}$mode]
            assert_equal 0 [r dbsize]
            r select 0
            assert_equal 0 [r dbsize]
        }
        assert_error "ERR syntax error" {r flushdb foo}
        assert_error "ERR syntax error" {r flushall sync async}
        assert_equal {} [s db0]
    }

    test "UNLINK and FLUSHALL ASYNC free large values off the main thread, all of it" {
        r config resetstat
        r set big [string repeat x 20000000]
        set with [s used_memory]
        r unlink big
        wait_for_condition {[s used_memory] < $with - 15000000}
        populate 1000 k: 10000
        set with [s used_memory]
        r flushall async
        wait_for_condition {[s used_memory] < $with - 8000000}
        assert_equal 0 [s lazyfree_pending_objects]
    }

    test "DBSIZE and INFO keyspace agree" {
        r flushall
        populate 7 a
        populate 3 b 10 0 {ex 100}
        assert_equal 10 [r dbsize]
        assert_match {keys=10,expires=3,avg_ttl=*} [s db0]
    }

    test "100,000 keys come and go" {
        r flushall
        r debug populate 100000
        assert_equal 100000 [r dbsize]
        assert_equal value:99999 [r get key:99999]
        set batch {}
        for {set i 0} {$i < 100000} {incr i 2} { lappend batch key:$i }
        assert_equal 50000 [r del {*}$batch]
        assert_equal 50000 [r dbsize]
        assert_equal {} [r get key:0]
        assert_equal value:1 [r get key:1]
        r flushall
    }

    test "random operations on keys agree with a model" {
        r flushall
        unset -nocomplain model
        array set model {}
        for {set i 0} {$i < 3000} {incr i} {
            set a k[random_int 40]
            set b k[random_int 40]
            switch [random_int 7] {
                0 - 1 { set v [randstring 0 60]; r set $a $v; set model($a) $v }
                2 { assert_equal [info exists model($a)] [r del $a]; unset -nocomplain model($a) }
                3 { if {[info exists model($a)]} {
                        r rename $a $b
                        set v $model($a); unset model($a); set model($b) $v } }
                4 { if {$a ne $b} {
                        set can [expr {[info exists model($a)] && ![info exists model($b)]}]
                        assert_equal $can [r copy $a $b]
                        if {$can} { set model($b) $model($a) } } }
                5 { r append $a xy; append model($a) xy }
                6 { assert_equal [info exists model($a)] [r exists $a] }
            }
            assert_equal [array size model] [r dbsize]
        }
        foreach key [array names model] { assert_equal $model($key) [r get $key] }
    }

    test "a negative count of random elements has a bound" {
        r flushall
        r sadd s 1 2 3
        r hset h a 1 b 2
        r zadd z 1 a 2 b
        foreach command {{srandmember s -4611686018427387904} {hrandfield h -4611686018427387904}
            {hrandfield h -4611686018427387903 withvalues} {zrandmember z -4611686018427387904}
            {zrandmember z -4611686018427387903 withscores}} {
            assert_error "ERR value is out of range" {r {*}$command}
        }
        assert_equal 1000 [llength [r srandmember s -1000]]
        set bounds "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
        foreach command {{srandmember s} {hrandfield h} {zrandmember z}} {
            assert_error $bounds {r {*}$command -9223372036854775808}
        }
    }

    test "numbers of databases have 32 bits" {
        set bounds "ERR value is out of range, value must between -2147483648 and 2147483647"
        foreach command {{copy a b db 4294967297} {move a 2147483648} {select 4294967296} {copy a b db -2147483649}} {
            assert_error $bounds {r {*}$command}
        }
        foreach command {{copy a b db 2147483647} {move a -1} {select 16}} {
            assert_error "ERR DB index is out of range" {r {*}$command}
        }
        foreach command {{copy a b db x} {move a 9223372036854775808} {select 1x}} {
            assert_error "ERR value is not an integer or out of range" {r {*}$command}
        }
    }
}
