# CONFIG GET, SET, REWRITE, RESETSTAT.

start_server {tags {config} overrides {save "3600 1 300 100" maxmemory 100mb}} {
    test "CONFIG GET by name, glob and several patterns" {
        assert_equal {maxmemory 104857600} [r config get maxmemory]
        assert_equal {maxmemory 104857600} [string tolower [r config get MAXMEMORY]]
        assert_same_items {maxmemory maxmemory-policy maxmemory-samples maxmemory-eviction-tenacity maxmemory-clients} \
            [dict keys [r config get maxmem*]]
        assert_same_items {maxmemory port} [dict keys [r config get maxmemory port]]
        assert_same_items {maxmemory maxmemory-policy} [dict keys [r config get maxmemory maxmemory maxmemory-p*]]
        assert_equal {} [r config get no-such-thing]
        assert {[dict size [r config get *]] > 150}
    }

    test "aliases answer by either name" {
        foreach {name alias} {hash-max-listpack-entries hash-max-ziplist-entries replica-priority slave-priority
            busy-reply-threshold lua-time-limit min-replicas-max-lag min-slaves-max-lag} {
            r config set $alias 77
            assert_equal [list $name 77] [r config get $name]
            assert_equal [list $alias 77] [r config get $alias]
        }
    }

    test "booleans, numbers, memory, enumerations" {
        foreach {name value shown} {
            lazyfree-lazy-expire yes yes  lazyfree-lazy-expire NO no  hz 50 50  maxmemory 1gb 1073741824
            maxmemory 2Mb 2097152  maxmemory 3k 3000  maxmemory 3kb 3072  maxmemory 5b 5  maxmemory 0 0
            maxmemory-policy allkeys-LRU allkeys-lru  loglevel NOTICE notice  appendfsync always always
            slowlog-log-slower-than -1 -1  maxmemory-clients 5% 5%  proto-max-bulk-len 1mb 1048576
            notify-keyspace-events KEA AKE  notify-keyspace-events Kg$ g$K  notify-keyspace-events "" ""
            latency-tracking-info-percentiles "50 99.9" "50 99.9"  oom-score-adj no no
        } {
            assert_equal OK [r config set $name $value] "$name $value"
            assert_equal [list $name $shown] [r config get $name]
        }
        r config set loglevel verbose maxmemory-policy noeviction appendfsync everysec proto-max-bulk-len 512mb hz 10
    }

    test "values that do not fit are refused with the reason" {
        foreach {name value reason} {
            lazyfree-lazy-expire maybe {argument must be 'yes' or 'no'}
            hz abc {argument couldn't be parsed into an integer}
            port 70000 {argument must be between 0 and 65535 inclusive}
            port -1 {argument must be between 0 and 65535 inclusive}
            maxmemory 10zb {argument must be a memory value}
            maxmemory -1 {argument must be a memory value}
            maxmemory-clients 101% {percentage argument must be less or equal to 100}
            maxmemory-clients x {argument must be a memory or percent value}
            active-expire-effort 11 {argument must be between 1 and 10 inclusive}
            maxmemory-samples 0 {argument must be between 1 and 2147483647 inclusive}
        } {
            assert_error "ERR CONFIG SET failed (possibly related to argument '$name') - $reason" {r config set $name $value}
        }
        assert_error_like "ERR CONFIG SET failed (possibly related to argument 'maxmemory-policy') - argument(s) must be one of the following: volatile-lru, *" {
            r config set maxmemory-policy bogus
        }
    }

    test "unknown, immutable, incomplete, doubled" {
        assert_error "ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'" {r config set nosuch 1}
        assert_error "ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config" {r config set databases 4}
        assert_error_like "ERR *" {r config set hz}
        assert_error "ERR CONFIG SET failed (possibly related to argument 'hz') - duplicate parameter" {r config set hz 10 hz 20}
        assert_error_like "ERR CONFIG SET failed*duplicate parameter" {r config set hz 10 HZ 20}
        assert_error "ERR wrong number of arguments for 'config|set' command" {r config set}
        assert_error "ERR syntax error" {r config set hz 10 port}
    }

    test "one bad pair of several spoils all of them" {
        r config set hz 11 maxmemory 0
        assert_error_like "ERR CONFIG SET failed*" {r config set hz 12 maxmemory 1mb maxmemory-samples none}
        assert_error_like "ERR Unknown option*" {r config set hz 12 nosuch 1}
        assert_equal {hz 11} [r config get hz]
        assert_equal {maxmemory 0} [r config get maxmemory]
        assert_equal OK [r config set hz 10 maxmemory-samples 6]
        assert_equal {hz 10} [r config get hz]
    }

    test "save points" {
        assert_equal {save {3600 1 300 100}} [r config get save]
        r config set save "100 1"
        assert_equal {save {100 1}} [r config get save]
        r config set save ""
        assert_equal {save {}} [r config get save]
        foreach bad {"100" "abc 1" "0 1" "10 -1"} {
            assert_error_like "ERR CONFIG SET failed (possibly related to argument 'save') - *" {r config set save $bad}
        }
        r config set save "3600 1 300 100"
    }

    test "client-output-buffer-limit sets the class it names" {
        r config set client-output-buffer-limit "pubsub 100 50 7"
        assert_equal "normal 0 0 0 slave 268435456 67108864 60 pubsub 100 50 7" [lindex [r config get client-output-buffer-limit] 1]
        r config set client-output-buffer-limit "normal 1mb 2kb 3 replica 4mb 5 6"
        assert_equal "normal 1048576 2048 3 slave 4194304 5 6 pubsub 100 50 7" [lindex [r config get client-output-buffer-limit] 1]
        assert_error_like "ERR CONFIG SET failed*" {r config set client-output-buffer-limit "wrong 1 1 1"}
        assert_error_like "ERR CONFIG SET failed*" {r config set client-output-buffer-limit "normal 1 1"}
        r config set client-output-buffer-limit "normal 0 0 0"
    }

    test "dir and dbfilename" {
        set dir [srv dir]
        assert_equal [list dir [file normalize $dir]] [r config get dir]
        file mkdir $dir/sub
        r config set dir $dir/sub
        assert_equal [list dir [file normalize $dir/sub]] [r config get dir]
        r config set dbfilename other.rdb
        r set a 1
        r save
        assert_equal 1 [file exists $dir/sub/other.rdb]
        assert_error_like "ERR CONFIG SET failed*No such file or directory*" {r config set dir $dir/nosuch}
        assert_error_like "ERR CONFIG SET failed*dbfilename can't be a path*" {r config set dbfilename a/b.rdb}
        r config set dir $dir dbfilename dump.rdb
    }

    test "CONFIG RESETSTAT" {
        r ping
        r get nothing
        catch {r nosuch}
        assert {[s total_commands_processed] > 2}
        assert {[s keyspace_misses] > 0}
        assert_equal OK [r config resetstat]
        assert_equal 0 [s keyspace_misses]
        assert_equal 0 [s expired_keys]
        assert {[s total_commands_processed] <= 5}
        assert_equal {} [s cmdstat_get]
    }

    test "CONFIG HELP" { assert_match {*REWRITE*} [r config help] }
}

start_server {tags {config} overrides {save "900 1"} config_lines {"# a comment that stays" "" "hz 25   " "rename-command FLUSHALL WIPE"}} {
    test "a renamed command answers to its new name only" {
        r set a 1
        assert_error_like "ERR unknown command 'flushall'*" {r flushall}
        assert_equal OK [r wipe]
        assert_equal 0 [r dbsize]
    }

    test "REWRITE keeps comments and order, changes what changed, adds at the end" {
        r config set hz 33 maxmemory 5mb
        r config set save "60 1000 10 1"
        assert_equal OK [r config rewrite]
        set text [read_file [srv conf]]
        assert_match "*# a comment that stays*" $text
        assert_match "*\nhz 33\n*" $text
        assert_match {*rename-command FLUSHALL WIPE*} $text
        assert_match "*\nsave 60 1000*save 10 1\n*" "\n[string map {{save 60 1000 10 1} "save 60 1000\nsave 10 1"} $text]"
        set generated [string first "# Generated by CONFIG REWRITE" $text]
        assert {$generated > 0}
        assert {[regexp {maxmemory 5mb} [string range $text $generated end]]}
        assert_equal 1 [regexp -all -line {^hz } $text]
    }

    test "a second REWRITE changes nothing" {
        set before [string trimright [read_file [srv conf]]]
        r config rewrite
        assert_equal $before [string trimright [read_file [srv conf]]]
    }

    test "the rewritten file gives the same configuration after a restart" {
        r config set notify-keyspace-events KEx client-output-buffer-limit "pubsub 10mb 5mb 30"
        r config set requirepass "pass \"word\" with 'quotes'"
        r config set latency-tracking-info-percentiles "50 90"
        r config rewrite
        array set ::sv [list [srv id],password "pass \"word\" with 'quotes'"]
        set before [r config get *]
        restart_server
        set after [r config get *]
        foreach name [dict keys $before] {
            assert_equal [dict get $before $name] [dict get $after $name] $name
        }
    }

    test "a file that can't be written is an error and stays as it is" {
        set conf [srv conf]
        set keep [read_file $conf]
        file rename $conf $conf.away
        file mkdir $conf
        assert_error_like "ERR Rewriting config file*" {r config rewrite}
        file delete $conf
        file rename $conf.away $conf
        assert_equal $keep [read_file $conf]
        assert_equal OK [r config rewrite]
    }
}

start_server {tags {config}} {
    test "every parameter accepts the value that it shows" {
        # What names places and processes of this one server, or is fixed at start, is not set again here.
        set fixed {}
        dict for {name value} [r config get *] {
            if {$name in {dir port bind unixsocket replicaof slaveof user io-threads}} continue
            if {[catch {r config set $name $value} why]} {
                if {![string match "*can't set immutable config*" $why]} { fail "$name '$value': $why" }
                continue
            }
            assert_equal $value [lindex [r config get $name] 1] $name
        }
        assert_equal PONG [r ping]
    }

    test "hidden parameters answer to their exact name only" {
        need_version 7.0
        assert_equal {rdb-key-save-delay 0} [r config get rdb-key-save-delay]
        assert_equal {} [r config get rdb-key-save-dela?]
        assert {![dict exists [r config get *] key-load-delay]}
    }
}

start_server {tags {config} overrides {enable-protected-configs no enable-debug-command no}} {
    test "protected parameters and DEBUG are refused" {
        assert_error "ERR CONFIG SET failed (possibly related to argument 'dir') - can't set protected config" {r config set dir /tmp}
        assert_error "ERR CONFIG SET failed (possibly related to argument 'dbfilename') - can't set protected config" {r config set dbfilename x.rdb}
        assert_error_like "ERR DEBUG command not allowed.*" {r debug sleep 0}
    }
}

start_server {tags {config} overrides {enable-protected-configs local enable-debug-command local}} {
    test "local means from this host" {
        assert_equal OK [r config set dbfilename x.rdb]
        assert_equal OK [r debug sleep 0]
    }
}

start_server {tags {config}} {
    test "amounts of memory above 64 bits are the largest there is, in Redis's words where that is too large" {
        foreach value {18446744073709551616 99999999999999999999999} {
            assert_equal OK [r config set maxmemory $value]
            assert_equal {maxmemory 18446744073709551615} [r config get maxmemory]
            r config set maxmemory 0
            assert_error "ERR CONFIG SET failed (possibly related to argument 'proto-max-bulk-len') - argument must be between 1048576 and 9223372036854775807 inclusive" {r config set proto-max-bulk-len $value}
        }
        assert_error "ERR CONFIG SET failed (possibly related to argument 'maxmemory-clients') - percentage argument must be less or equal to 100" {r config set maxmemory-clients 9223372036854775808}
    }

    test "the least of 32 bits, short backlogs, texts with a zero, unknown locales" {
        foreach name {list-max-listpack-size rdb-key-save-delay key-load-delay} {
            set old [lindex [r config get $name] 1]
            assert_equal OK [r config set $name -2147483648]
            assert_error_like "*between -2147483648 and 2147483647 inclusive" {r config set $name -2147483649}
            r config set $name $old
        }
        r config set repl-backlog-size 1
        assert_equal {repl-backlog-size 16384} [r config get repl-backlog-size]
        r config set dbfilename "a.rdb\0b"
        assert_equal {dbfilename a.rdb} [r config get dbfilename]
        assert_error_like "*Invalid locale name" {r config set locale-collate no_such}
        assert_equal OK [r config set locale-collate POSIX]
    }

    test "a forced rewrite holds every directive that 7.2 knows, and no other" {
        r debug config-rewrite-force-all
        set text [read_file [srv conf]]
        foreach name {rdb-target-version unavailable-directives hash-seed availability-zone} { assert_no_match "*\n$name *" $text }
        foreach name {hz tls-port key-load-delay cluster-ping-interval locale-collate} { assert_match "*\n$name *" $text }
        restart_server
        assert_equal {hz 10} [r config get hz]
    }
}
