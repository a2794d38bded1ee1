# HOTKEYS of Redis 8.6, and what redis-cli finds by itself (--hotkeys, --bigkeys).

start_server {tags {hotkeys dialects}} {
    need_command hotkeys

    proc told {} { lindex [r hotkeys get] 0 }

    test "nothing is told before a session, and STOP has nothing to end" {
        assert_typed null hotkeys get
        assert_typed null hotkeys stop
        assert_equal OK [r hotkeys reset]
    }

    test "HOTKEYS START looks at its arguments one by one" {
        foreach {args why} {
            {} "METRICS parameter is required"
            {count 3} "METRICS parameter is required"
            {metrics} "METRICS parameter is required"
            {metrics 0 cpu} "METRICS count must be > 0 and <= 2"
            {metrics 3 cpu} "METRICS count must be > 0 and <= 2"
            {metrics x cpu} "METRICS count must be > 0 and <= 2"
            {metrics 2 cpu} "METRICS count does not match number of metric types provided"
            {metrics 2 cpu cpu} "METRICS CPU defined more than once!"
            {metrics 2 net net} "METRICS NET defined more than once!"
            {metrics 1 disk} "METRICS no valid metrics passed. Supported: CPU|NET"
            {metrics 1 cpu count 0} "COUNT must be between 1 and 64"
            {metrics 1 cpu count 65} "COUNT must be between 1 and 64"
            {metrics 1 cpu duration 0} "DURATION must be between 1 and 1000000"
            {metrics 1 cpu sample 0} "SAMPLE ratio must be positive"
            {metrics 1 cpu slots 1 0} "SLOTS parameter cannot be used in non-cluster mode"
            {metrics 1 cpu count} "syntax error"
            {metrics 1 cpu net 1} "syntax error"
        } {
            assert_error "ERR $why" {r hotkeys start {*}$args}
        }
        assert_typed null hotkeys get
    }

    test "a session counts bytes and time by key" {
        assert_equal OK [r hotkeys start metrics 2 cpu net]
        assert_error "ERR hotkey tracking session already in progress" {r hotkeys start metrics 1 net}
        assert_error "ERR hotkey tracking session in progress, stop tracking first" {r hotkeys reset}
        r set hot [string repeat v 1000]
        for {set i 0} {$i < 50} {incr i} { r get hot }
        r set cold x
        r ping
        r mget hot cold
        assert_equal OK [r hotkeys stop]
        set told [told]
        set names {tracking-active sample-ratio selected-slots all-commands-all-slots-us
            net-bytes-all-commands-all-slots collection-start-time-unix-ms collection-duration-ms
            total-cpu-time-user-ms total-cpu-time-sys-ms total-net-bytes by-cpu-time-us by-net-bytes}
        assert_equal [lmap name $names { set name }] [dict keys $told]
        assert_equal {0 1 {{0 16383}}} [list [dict get $told tracking-active] [dict get $told sample-ratio] [dict get $told selected-slots]]
        set net [dict get $told by-net-bytes]
        # GET is 22 bytes, its reply 1009; SET 1031 and 5; half of MGET's 33 and 1020.
        assert_equal [expr {50 * (22 + 1009) + 1031 + 5 + (33 + 1020) / 2}] [dict get $net hot]
        assert_equal [expr {30 + 5 + (33 + 1020) / 2}] [dict get $net cold]
        assert_equal [expr {[dict get $net hot] + [dict get $net cold]}] [dict get $told total-net-bytes]
        # A byte of MGET could not be halved.
        assert_equal [expr {[dict get $told total-net-bytes] + 1}] [dict get $told net-bytes-all-commands-all-slots]
        assert_equal hot [lindex [dict get $told by-cpu-time-us] 0]
        # It has ended.
        r get hot
        assert_equal [dict get $told by-net-bytes] [dict get [told] by-net-bytes]
        assert_equal OK [r hotkeys reset]
        assert_typed null hotkeys get
    }

    test "what runs in a transaction counts by itself, what runs in a script for the script's keys" {
        r hotkeys start metrics 1 net
        r multi
        r set a 1
        r set b 1
        r exec
        r eval {return redis.call('set', 'other', 'x')} 1 s
        r hotkeys stop
        assert_same_items {a b s} [dict keys [dict get [told] by-net-bytes]]
        assert_equal 0 [dict exists [told] by-cpu-time-us]
        r hotkeys reset
    }

    test "a blocked command counts when it is served" {
        r hotkeys start metrics 1 net
        set c [redis_client]
        $c send blpop list 0
        wait_for_condition {[s blocked_clients] == 1}
        r rpush list x
        $c read
        $c close
        r hotkeys stop
        assert_equal [expr {30 + 22 + 33 + 4}] [dict get [told] by-net-bytes list]
        r hotkeys reset
    }

    test "one command of so many is looked at, also in pipelines" {
        r hotkeys start metrics 1 net count 2 sample 10
        set n 20000
        for {set i 0} {$i < $n} {incr i 100} {
            for {set j 0} {$j < 100} {incr j} { r send set [expr {$j % 10 < 7 ? "often" : $j % 10 < 9 ? "rare_" : "rarer"}] v }
            for {set j 0} {$j < 100} {incr j} { r read }
        }
        r hotkeys stop
        set net [dict get [told] by-net-bytes]
        assert_equal {often rare_} [dict keys $net]
        foreach {key share} {often 0.7 rare_ 0.2} {
            # SET is 31 bytes, its reply 5.
            set is [expr {[dict get $net $key] * 10.0}]
            set should [expr {$n * $share * 36}]
            assert {abs($is - $should) < 0.2 * $should} "$key: $is instead of $should"
        }
        assert_between [expr {$n * 36 * 0.9}] [expr {$n * 36 * 1.1}] [dict get [told] net-bytes-all-commands-all-slots]
        r hotkeys reset
    }

    test "a session ends when its time is up" {
        r hotkeys start metrics 1 cpu duration 1
        assert_equal 1 [dict get [told] tracking-active]
        wait_for_condition {[dict get [told] tracking-active] == 0}
        assert_between 1000 2000 [dict get [told] collection-duration-ms]
        r hotkeys reset
    }

    test "HOTKEYS HELP, and no arguments where none belong" {
        assert_match *METRICS* [r hotkeys help]
        assert_error "ERR wrong number of arguments for 'hotkeys|stop' command" {r hotkeys stop now}
        assert_error "ERR unknown subcommand 'nosuch'. Try HOTKEYS HELP." {r hotkeys nosuch}
    }

    test "redis-cli --hotkeys and --bigkeys" {
        need_tool redis-cli redis-tools
        r flushall
        r config set maxmemory-policy allkeys-lfu
        r set warm x
        r rpush long {*}[lrepeat 100 x]
        for {set i 0} {$i < 200} {incr i} { r get warm }
        assert {[r object freq warm] > 5}
        assert_match "*hot key found with counter: *keyname: \"warm\"*" [exec redis-cli -p [srv port] --hotkeys 2>@1]
        set big [exec redis-cli -p [srv port] --bigkeys 2>@1]
        assert_match {*Biggest   list found *"long"* has 100 items*} $big
        assert_match {*Biggest string found *"warm"* has 1 bytes*} $big
    }
}
