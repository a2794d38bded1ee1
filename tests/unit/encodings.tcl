# OBJECT ENCODING of strings, and what changes it.

start_server {tags {strings encodings}} {
    test "integers as Redis writes them are int" {
        foreach n {0 1 -1 9999 10000 123456789012 9223372036854775807 -9223372036854775808} {
            r set k $n
            assert_encoding int k
            assert_equal $n [r get k]
            assert_equal [string length $n] [r strlen k]
        }
    }

    test "what only looks like an integer is not" {
        foreach s {{} 01 +1 -0 "1 " " 1" 1.0 9223372036854775808 -9223372036854775809 00 - 1e5} {
            r set k $s
            assert_encoding embstr k
            assert_equal $s [r get k]
        }
    }

    test "up to 44 bytes embstr, from 45 raw" {
        foreach {length want} {1 embstr 43 embstr 44 embstr 45 raw 64 raw 1000 raw 100000 raw} {
            r set k [string repeat x $length]
            assert_encoding $want k
        }
    }

    test "APPEND and SETRANGE leave raw strings" {
        r set k abc
        r append k def
        assert_encoding raw k
        r set k 12
        r append k 3
        assert_encoding raw k
        assert_equal 123 [r get k]
        r set k abc
        r setrange k 1 x
        assert_encoding raw k
        r del k
        r append k first
        assert_encoding embstr k
    }

    test "INCR makes an int again" {
        r set k 1
        r append k 0
        assert_encoding raw k
        assert_equal 11 [r incr k]
        assert_encoding int k
    }

    test "INCRBYFLOAT leaves a short string embstr" {
        r set k 1
        r incrbyfloat k 0.5
        assert_encoding embstr k
        r incrbyfloat k 0.5
        assert_equal 2 [r get k]
        assert_encoding embstr k
    }

    test "GETSET, SETEX, MSET, SETNX encode as SET does" {
        r set k raw-to-be
        r getset k 12
        assert_encoding int k
        r setex k 100 13
        assert_encoding int k
        r mset k 14 l [string repeat a 50]
        assert_encoding int k
        assert_encoding raw l
        r del k
        r setnx k 15
        assert_encoding int k
        r set k 16 ex 100 get
        assert_encoding int k
    }

    test "COPY, RENAME, MOVE and a reload keep value and encoding" {
        r flushall
        r mset i 42 e short r [string repeat r 100]
        r append a 7
        foreach key {i e r a} {
            set encoding [r object encoding $key]
            r copy $key $key:copy
            r rename $key:copy $key:renamed
            assert_encoding $encoding $key:renamed
            assert_equal [r get $key] [r get $key:renamed]
        }
        set before [debug_digest]
        r debug reload
        assert_equal $before [debug_digest]
        assert_encoding int i
        assert_encoding embstr e
        assert_encoding raw r
    }

    test "OBJECT tells about a key, errors otherwise" {
        r set k v
        assert_equal 1 [r object refcount k]
        assert_between 0 5 [r object idletime k]
        assert_error "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust." {r object freq k}
        foreach sub {encoding refcount idletime} { assert_typed null object $sub missing }
        assert_error "ERR wrong number of arguments for 'object|encoding' command" {r object encoding}
        assert_error "ERR unknown subcommand 'nosuch'. Try OBJECT HELP." {r object nosuch k}
        assert_match {*ENCODING*IDLETIME*} [r object help]
    }

    test "OBJECT FREQ under an LFU policy, IDLETIME refuses there" {
        r config set maxmemory-policy allkeys-lfu
        r set k v
        for {set i 0} {$i < 50} {incr i} { r get k }
        assert_between 5 60 [r object freq k]
        assert_error "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust." {r object idletime k}
        r config set maxmemory-policy noeviction
    }

    test "reading a key resets its idle time, OBJECT and TYPE do not" {
        r set k v
        sleep 2100
        assert {[r object idletime k] >= 1}
        r type k
        r object encoding k
        r ttl k
        assert {[r object idletime k] >= 1}
        r get k
        assert_equal 0 [r object idletime k]
        r set j v
    }

    test "a hash that is longer than a new limit becomes a table when a field changes" {
        foreach command {{hset h c 10} {hincrby h c 1} {hincrbyfloat h c 1} {hmset h c 10}} {
            r del h
            r config set hash-max-listpack-entries 4
            r hset h a 1 b 2 c 3 d 4
            r config set hash-max-listpack-entries 2
            assert_encoding listpack h
            r {*}$command
            assert_encoding hashtable h
        }
        r config set hash-max-listpack-entries 128
    }
}
