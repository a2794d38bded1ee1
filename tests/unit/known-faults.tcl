# What has made other servers of this family crash, hang or tell what they should not: a test for each, by its number.
# doc/security.md has the whole list, and where those are tested that are not here.

# The server still answers, and has not crashed.
proc alive {} { assert_equal PONG [r ping] }

# What a script of one command says, error or not.
proc outcome {args} {
    catch {uplevel 1 $args} answer
    return $answer
}

start_server {tags {known-faults}} {
    test "CVE-2021-29477, CVE-2021-32625: LCS of long strings" {
        r set a [string repeat a 70000]
        r set b [string repeat b 70000]
        assert_match "*Insufficient memory*" [outcome r lcs a b]
        assert_match "*Insufficient memory*" [outcome r lcs a b idx]
        r del a b
        alive
    }

    test "CVE-2021-29478, CVE-2021-32687, CVE-2021-32628: limits of packed encodings that are huge" {
        r config set set-max-intset-entries 9223372036854775807 hash-max-listpack-entries 9223372036854775807 \
            zset-max-listpack-entries 9223372036854775807 hash-max-listpack-value 1gb zset-max-listpack-value 1gb
        for {set i 0} {$i < 2000} {incr i} { lappend members $i }
        r sadd s {*}$members
        r hset h {*}$members f [string repeat x 100000]
        foreach i $members { lappend scored $i m$i }
        r zadd z {*}$scored
        r rpush l {*}$members
        set digest [debug_digest]
        r debug reload
        assert_equal $digest [debug_digest]
        r flushall
        r config set set-max-intset-entries 512 hash-max-listpack-entries 128 zset-max-listpack-entries 128 \
            hash-max-listpack-value 64 zset-max-listpack-value 64
    }

    test "CVE-2021-32626: a script that fills the stack of the interpreter" {
        assert_error_like "*" {r eval {local function f(n) return 1 + f(n + 1) end return f(1)} 0}
        assert_error_like "*" {r eval {local t = {} for i = 1, 100000 do t[i] = 'x' end return redis.call('rpush', 'k', unpack(t))} 0}
        outcome r eval {local function f() return pcall(f) end return f()} 0
        alive
    }

    test "CVE-2021-31294: a replica that sends a command which is none of its business" {
        set f [socket [srv host] [srv port]]
        fconfigure $f -translation binary -buffering none
        puts -nonewline $f "SYNC\r\n"
        after 200
        puts -nonewline $f "SET from-a-replica 1\r\nMULTI\r\nSET from-a-replica 1\r\nEXEC\r\n"
        after 200
        close $f
        alive
        assert_equal 0 [r exists from-a-replica]
    }

    test "CVE-2022-0543: a script can load nothing" {
        foreach name {package require module dofile loadfile io debug} {
            assert_error_like "*nonexistent global variable '$name'*" {r eval "return $name" 0}
        }
        assert_equal {clock} [r eval {local names = {} for name in pairs(os) do names[#names + 1] = name end return names} 0]
    }

    test "CVE-2022-24736: errors of scripts that are not what they should be" {
        foreach script {
            {error(nil)} {error({})} {error({err = 1})} {return redis.error_reply({})} {return {err = {}}} {return {ok = {}}}
            {redis.pcall()} {return redis.call(nil)} {return redis.call({})} {return setmetatable({}, {__index = function() error(nil) end})}
            {return redis.sha1hex()} {return redis.status_reply()} {error(setmetatable({}, {__tostring = function() error('x') end}))}
        } {
            outcome r eval $script 0
            alive
        }
    }

    test "CVE-2022-24834: cjson and cmsgpack with values that are long or deep" {
        assert_equal 3000002 [r eval {return #cjson.encode(string.rep('"', 1500000))} 0]
        assert_equal 6000002 [r eval {return #cjson.encode(string.rep('\1', 1000000))} 0]
        assert_error_like "*nest*" {r eval {local t = {} for i = 1, 100000 do t = {t} end return cjson.encode(t)} 0}
        assert_match "*" [outcome r eval {local t = {} for i = 1, 100000 do t = {t} end return #cmsgpack.pack(t)} 0]
        assert_error_like "*" {r eval {return cjson.decode(string.rep('[', 100000))} 0}
        assert_error_like "*" {r eval {return cmsgpack.unpack(string.rep(string.char(0x91), 100000))} 0}
        alive
    }

    test "CVE-2022-31144, CVE-2022-35951: XAUTOCLAIM with deleted entries and a huge COUNT" {
        for {set i 1} {$i <= 50} {incr i} { r xadd s $i-1 f v }
        r xgroup create s g 0
        r xreadgroup group g a count 50 streams s >
        for {set i 1} {$i <= 50} {incr i 2} { r xdel s $i-1 }
        foreach count {1 10 1152921504606846976 9223372036854775807 576460752303423487} {
            assert_match "*" [outcome r xautoclaim s g b 0 0 count $count]
            alive
        }
        assert_equal 25 [lindex [r xpending s g] 0]
        r del s
    }

    test "CVE-2022-35977: SETRANGE and SORT with numbers that overflow" {
        r rpush l 3 1 2
        foreach command {
            {setrange k 9223372036854775807 x} {setrange k 536870912 x} {setrange k -1 x}
            {sort l limit 1 9223372036854775807} {sort l limit 9223372036854775807 9223372036854775807}
            {sort_ro l limit -9223372036854775808 1} {sort l limit -1 9223372036854775807}
        } {
            outcome r {*}$command
            alive
        }
        r del l
    }

    test "CVE-2022-36021, CVE-2024-31228: patterns that take for ever, or the stack" {
        r set [string repeat a 2000]b v
        set stars [string repeat *a 200]
        set deep [string repeat * 200000]
        assert {[lindex [time {r keys "${stars}x"}] 0] < 2000000}
        foreach command [list {keys %s} {scan 0 match %s} {pubsub channels %s} {function list libraryname %s} \
            {command list filterby pattern %s} {config get %s} {acl setuser deep ~%s} {acl setuser deep &%s}] {
            outcome r {*}[format $command "${deep}x"]
            alive
        }
        r set [string repeat b 100] v
        r acl setuser deep on nopass +@all ~${stars}x
        set c [redis_client]
        $c auth deep x
        assert {[lindex [time {outcome $c get [string repeat a 2000]}] 0] < 2000000}
        $c close
        r acl deluser deep
        r flushall
    }

    test "CVE-2023-22458, CVE-2023-25155: random elements, as many as cannot be" {
        r hset h a 1 b 2
        r sadd s a b
        r zadd z 1 a 2 b
        foreach command {{hrandfield h %s} {hrandfield h %s withvalues} {srandmember s %s} {zrandmember z %s} {zrandmember z %s withscores}} {
            foreach count {-9223372036854775808 -9223372036854775807 -4611686018427387904 9223372036854775807} {
                outcome r {*}[format $command $count]
                alive
            }
        }
        r del h s z
    }

    test "CVE-2023-28425: MSETNX of a key that is named twice" {
        assert_equal 1 [r msetnx k 1 k 2]
        assert_equal 2 [r get k]
        assert_equal 0 [r msetnx k 3 k 4]
        r del k
    }

    test "CVE-2023-28856: HINCRBYFLOAT with what is no number" {
        foreach value {inf -inf nan +inf infinity 1e5000} {
            assert_error_like "ERR *" {r hincrbyfloat h f $value}
        }
        assert_equal 0 [r exists h]
        r hset h f 1.5
        assert_error_like "ERR *" {r hincrbyfloat h f inf}
        assert_equal 1.5 [r hget h f]
        r del h
    }

    test "CVE-2023-36824: keys of commands with many or wrong arguments" {
        for {set i 0} {$i < 5000} {incr i} { lappend many k$i }
        assert_equal 5000 [llength [r command getkeys mget {*}$many]]
        assert_equal 5000 [llength [r command getkeysandflags eval x 5000 {*}$many]]
        r acl setuser some on nopass +@all ~k1* ~k2*
        set c [redis_client]
        $c auth some x
        assert_error_like NOPERM* {$c mget {*}$many}
        assert_error_like NOPERM* {$c eval {return 1} 5000 {*}$many}
        foreach command {{zunionstore d 9223372036854775807 a} {eval x -1 a} {migrate h 1 {} 0 1 keys} {sort k1 store} {xread streams}
            {georadius k1 1 1 1 m store} {zmpop 4294967296 k1 min} {command getkeys zunionstore d 9999999 a} {blmpop 0 -1 k1 left}} {
            outcome $c {*}$command
            outcome r {*}$command
            alive
        }
        $c close
        r acl deluser some
    }

    test "CVE-2024-31227, CVE-2024-51741: rules of users that are cut off or empty" {
        foreach rules {% %~ %R %RW %R~ %x~ ( () {(~} {( )} {(%)} {(%R)} {(+get} {+} - +@ -@ ~ & > # ! < +| +get| +config| {(+config|)} (%W~} {
            outcome r acl setuser odd {*}$rules
            outcome r acl setuser odd ($rules)
            r acl getuser odd
            r acl list
            alive
        }
        r acl deluser odd
    }

    test "CVE-2024-31449: bit.tohex of the least number of digits" {
        foreach n {-2147483648 -2147483647 2147483647 -9223372036854775808 0 1e300} {
            assert {[string length [outcome r eval "return bit.tohex(255, $n)" 0]] < 200}
        }
        alive
    }

    test "CVE-2025-32023: sketches that lie about their length" {
        set head "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
        foreach body [list [string repeat \x7f\xff 2] [string repeat \x7f\xff 20000] [string repeat \xff 40000] \x7f \x40 {} \
            [string repeat \x7f\xff 1][string repeat \x80 5]] {
            r set hll $head$body
            r set dense "HYLL\x00[string range $head 5 end]$body"
            foreach command {{pfcount hll} {pfadd hll a b c} {pfmerge out hll} {pfcount hll dense} {pfadd dense x} {pfmerge hll dense}} {
                outcome r {*}$command
                alive
            }
        }
        r flushall
    }

    test "CVE-2025-62507: XACKDEL and XDELEX of many entries at once" {
        for {set i 1} {$i <= 500} {incr i} { r xadd s $i-1 f v; lappend ids $i-1 }
        r xgroup create s g 0
        r xreadgroup group g a streams s >
        assert_equal 500 [llength [r xackdel s g ids 500 {*}$ids]]
        assert_equal 0 [r xlen s]
        assert_equal 500 [llength [r xdelex s ids 500 {*}$ids]]
        r del s
    }

    test "CVE-2025-67733: an error of a script is one line, whatever is in it" {
        foreach script {
            {return redis.error_reply('a\r\n+injected\r\n$5\r\nhello')} {return {err = 'a\r\n+injected\0\r\n'}} {error('a\r\n+injected')}
            {error({err = 'a\n+injected'})} {return redis.status_reply('a\r\n+injected')} {return {ok = 'a\0\r\n+injected'}}
            {return redis.call('a\r\n+injected')}
        } {
            outcome r eval $script 0
            alive
        }
    }

    test "CVE-2026-27623: empty requests, and what follows them" {
        set f [socket [srv host] [srv port]]
        fconfigure $f -translation binary -buffering none
        puts -nonewline $f "*0\r\n\r\n*-1\r\nPING\r\n*0\r\n*1\r\n\$4\r\nPING\r\n\r\n*1\r\n\$4\r\nPING\r\n"
        assert_equal [string repeat "+PONG\r\n" 3] [read $f 21]
        puts -nonewline $f "*0\r\n*4294967297\r\n"
        gets $f
        close $f
        alive
    }
}

start_server {tags {known-faults} overrides {maxmemory-clients 300kb}} {
    test "CVE-2026-23479: a client that is evicted while it is served what it waited for" {
        set waiting {}
        for {set i 0} {$i < 20} {incr i} {
            set c [redis_client -deferred]
            $c setname [string repeat n 2000]
            $c client setname [string repeat n 8000]
            $c blmove list$i list[expr {$i + 1}] left right 0
            lappend waiting $c
        }
        after 100
        outcome r rpush list0 [string repeat x 60000]
        outcome r rpush list5 [string repeat x 60000]
        outcome r del list0
        reconnect
        alive
        foreach c $waiting { catch {$c close} }
    }
}

start_server {tags {known-faults}} {
    r function load replace "#!lua name=mine\nredis.register_function{function_name='of_primary', flags={'no-writes'}, callback=function() return 'primary' end}"
    populate 50
    start_server {overrides {busy-reply-threshold 10 repl-diskless-load swapdb}} {
        test "CVE-2026-23631: a snapshot of the primary waits for the script that runs" {
            r function load "#!lua name=slow\nredis.register_function{function_name='slow', flags={'no-writes'}, callback=function()
                local n = #redis.call('keys', '*')
                local till = os.clock() + 1.5
                while os.clock() < till do end
                return {n, #redis.call('keys', '*')} end}"
            r multi
            r replicaof [srv -1 host] [srv -1 port]
            r fcall slow 0
            assert_equal {OK {0 0}} [r exec]
            wait_for_condition {[s master_link_status] eq "up"} -within 10000
            assert_equal 50 [r dbsize]
            assert_equal primary [r fcall_ro of_primary 0]
            assert_equal mine [dict get [lindex [r function list] 0] library_name]
            assert_equal 1 [llength [r function list]]
        }
    }
}
