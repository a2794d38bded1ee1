# redis-cli and redis-benchmark against the server. Skipped where redis-tools are not installed.

if {[tool redis-cli] eq {} || [tool redis-benchmark] eq {}} { skip "redis-cli and redis-benchmark are not installed (Debian: redis-tools)" }

proc bench {args} { exec timeout 60 redis-benchmark -h 127.0.0.1 -p [srv port] -q {*}$args 2>@1 }

start_server {tags {tools}} {
    test "redis-cli runs single commands, pipes and scripts of commands" {
        assert_equal OK [cli set greeting "hello world"]
        assert_equal "hello world" [cli get greeting]
        assert_equal "\"hello world\"" [cli --no-raw get greeting]
        assert_equal "(integer) 1" [cli --no-raw incr counter]
        assert_equal "(nil)" [cli --no-raw get missing]
        assert_match "*ERR unknown command*" [cli nosuch]
        assert_match "1) \"greeting\"*" [cli --no-raw keys greet*]
        assert_equal 3 [cli -3 incrby n 3]
        set out [exec redis-cli -p [srv port] << "set a 1\nincr a\nget a\n"]
        assert_equal "OK\n2\n2" $out
        assert_equal "value from stdin" [exec redis-cli -p [srv port] -x set in << "value from stdin"; cli get in]
    }

    test "-r repeats, -n selects, info and command docs are understood" {
        r del times
        cli -r 5 incr times
        assert_equal 5 [r get times]
        cli -n 3 set three 3
        assert_equal 3 [cli -n 3 get three]
        assert_match "*redis_version*" [cli info server]
        assert_match "*OK*" [cli --no-raw set a b]
    }

    test "--scan with a pattern" {
        r flushall
        populate 500 scan:
        populate 10 other:
        assert_equal 500 [llength [split [cli --scan --pattern scan:*] \n]]
        assert_equal 510 [llength [lsort -unique [split [cli --scan] \n]]]
    }

    test "--bigkeys and --memkeys" {
        r set big [string repeat x 100000]
        set out [cli --bigkeys]
        assert_match "*Sampled 511 keys*" $out
        assert_match "*Biggest string found*big* has 100000 bytes*" $out
        set out [cli --memkeys]
        assert_match "*Sampled 511 keys*" $out
        assert_match "*big* bytes*" $out
    }

    test "--pipe loads a stream of commands" {
        r flushall
        set stream {}
        for {set i 0} {$i < 20000} {incr i} { append stream [client::encode [list set pipe:$i $i]] }
        append stream [client::encode {incr pipe:nope x}]
        write_file [srv dir]/stream $stream
        set code [catch {exec redis-cli -p [srv port] --pipe <[srv dir]/stream 2>@1} out]
        assert_match "*errors: 1, replies: 20001*" $out
        assert_equal 20000 [r dbsize]
    }

    test "--latency for a second" {
        set out [cli --latency --raw -i 1]
        assert {[llength $out] >= 4} "min, max, avg, samples: $out"
        assert_between 0 1000 [lindex $out 2] "average"
        assert_between 10 100000 [lindex $out 3] "samples"
    }

    test "--rdb fetches a snapshot over the replication protocol" {
        if {[catch {r replconf capa eof} why]} { skip "this server has no replication: $why" }
        r set fetched yes
        set path [srv dir]/fetched.rdb
        catch {exec timeout 20 redis-cli -h 127.0.0.1 -p [srv port] --rdb $path 2>@1} out
        assert_equal "REDIS" [string range [read_file $path] 0 4]
    }

    foreach {name options} {"one command at a time" {-n 2000 -c 10} "pipelined" {-n 20000 -c 20 -P 16}
        "pipelined over many keys" {-n 20000 -c 20 -P 16 -r 1000 -d 100} "RESP3" {-n 2000 -c 5 -3} "threads" {-n 5000 -c 8 --threads 2 -P 4}} {
        test "redis-benchmark, $name" {
            set out [bench -t set,get,incr,ping,mset {*}$options]
            foreach row {SET GET INCR PING_INLINE PING_MBULK {MSET (10 keys)}} {
                assert_match "*$row: * requests per second*" $out
            }
            assert_no_match "*rror*" $out
            assert_equal PONG [r ping]
        }
    }

    test "redis-benchmark with a command of one's own and with CSV" {
        set out [bench -n 1000 -r 100 --csv setrange key:__rand_int__ 5 x]
        assert_match "*setrange*" $out
        assert {[r dbsize] > 50}
    }

    test "redis-benchmark -I: idle connections" {
        catch {exec timeout 1 redis-benchmark -p [srv port] -I -c 100 2>@1}
        wait_for_condition {[s connected_clients] <= 2}
    }
}
