# The endpoint of metrics: what it says, who gets it, and what a hostile scraper can't do.

source $::testdir/support/http.tcl

set metrics [free_port]

start_server [list tags {metrics} overrides [list metrics-port $metrics metrics-bind 127.0.0.1]] {
    test "INFO says where metrics are served, and CONFIG GET how" {
        assert_equal "enabled,addr=127.0.0.1:$metrics" [s metrics_exporter]
        assert_equal [list metrics-port $metrics] [r config get metrics-port]
        assert_equal {metrics-bind 127.0.0.1} [r config get metrics-bind]
    }

    test "a scrape tells calls, failures, keys and latencies as INFO does" {
        r set a 1
        r set b 1 ex 1000
        r get a
        r get none
        catch {r lpush a 1}
        catch {r hset a 1}
        set m [samples [scrape $metrics]]
        assert_equal 2 [dict get $m "redust_commands_total{command=\"set\"}"]
        assert_equal 1 [dict get $m "redust_commands_failed_total{command=\"lpush\"}"]
        assert_equal 1 [dict get $m "redust_commands_rejected_total{command=\"hset\"}"]
        assert_equal 2 [dict get $m "redust_command_duration_seconds_bucket{command=\"get\",le=\"+Inf\"}"]
        assert_equal 2 [dict get $m "redust_command_duration_seconds_count{command=\"get\"}"]
        assert_equal 2 [dict get $m "redust_keys{db=\"0\"}"]
        assert_equal 1 [dict get $m "redust_keys_expiring{db=\"0\"}"]
        assert_equal 1 [dict get $m redust_keyspace_hits_total]
        assert_equal 1 [dict get $m redust_keyspace_misses_total]
        assert_equal 1 [dict get $m "redust_errors_total{error=\"WRONGTYPE\"}"]
        assert_equal [s rdb_last_save_time] [dict get $m redust_rdb_last_save_timestamp]
        assert_equal NaN [dict get $m redust_rdb_last_save_duration_seconds]
        assert_equal 1 [dict get $m redust_clients]
        r bgsave
        wait_for_condition {[s rdb_bgsave_in_progress] == 0}
        set m [samples [scrape $metrics]]
        assert_between 0 10 [dict get $m redust_rdb_last_save_duration_seconds]
        assert_equal 1 [dict get $m redust_rdb_saves_total]
    }

    test "errors that alerts are about are told before the first one" {
        r config resetstat
        set m [samples [scrape $metrics]]
        foreach error {LOADING MISCONF NOAUTH OOM} {
            assert_equal 0 [dict get $m "redust_errors_total{error=\"$error\"}"]
        }
        r config set maxmemory 1
        catch {r set a 1}
        r config set maxmemory 0
        set m [samples [scrape $metrics]]
        assert_equal 1 [dict get $m "redust_errors_total{error=\"OOM\"}"]
        assert_equal 0 [dict get $m "redust_errors_total{error=\"MISCONF\"}"]
    }

    test "the parts of memory add up to all of it" {
        set m [samples [scrape $metrics]]
        set sum 0
        dict for {name value} $m {
            if {[string match redust_memory_purpose_bytes* $name]} { incr sum $value }
        }
        assert_equal [dict get $m redust_memory_used_bytes] $sum
    }

    test "they do so while writes wait for the append-only file" {
        r config set appendonly yes
        wait_for_condition {[s aof_rewrite_in_progress] == 0 && [s aof_pending_rewrite] == 0}
        for {set i 0} {$i < 20} {incr i} { r set big [string repeat x 100000] }
        set m [samples [scrape $metrics]]
        set sum 0
        dict for {name value} $m {
            if {[string match redust_memory_purpose_bytes* $name]} { incr sum $value }
        }
        assert {[dict get $m {redust_memory_purpose_bytes{purpose="aof"}}] > 0}
        assert_equal [dict get $m redust_memory_used_bytes] $sum
        r config set appendonly no
        r del big
    }

    test "requests are counted one by one, and their time has what they waited for" {
        set before [dict get [samples [scrape $metrics]] redust_request_duration_seconds_count]
        r ping
        pipeline [lrepeat 100 {ping}]
        set m [samples [scrape $metrics]]
        assert_equal [expr {$before + 101}] [dict get $m redust_request_duration_seconds_count]
        set below "redust_request_duration_seconds_bucket{le=\"0.065536\"}"
        set quick [dict get $m $below]
        # While the first command runs two others come, and one of them holds up the other.
        foreach name {first second third} { set $name [redis_client]; [set $name] ping }
        foreach {name command} {first "debug sleep 0.1" second "debug sleep 0.2" third ping} {
            [set $name] write "$command\r\n"
            [set $name] flush
            after 20
        }
        foreach name {first second third} { [set $name] read; [set $name] close }
        set m [samples [scrape $metrics]]
        assert_equal [expr {$before + 107}] [dict get $m redust_request_duration_seconds_count]
        assert_equal [expr {$quick + 3}] [dict get $m $below] "three PINGs were quick, the last was not"
    }

    test "the wait of BLPOP is no part of the time of requests" {
        set before [samples [scrape $metrics]]
        set c [redis_client]
        $c write "blpop nothing 0.3\r\n"
        $c flush
        wait_for_condition {[s blocked_clients] == 1}
        set m [samples [scrape $metrics]]
        assert_equal 1 [dict get $m redust_clients_blocked]
        assert_equal 1 [dict get $m redust_clients_blocked_with_timeout]
        assert_equal 1 [s clients_in_timeout_table]
        $c read
        assert_equal PONG [$c ping]
        $c close
        set m [samples [scrape $metrics]]
        set sum redust_request_duration_seconds_sum
        assert {[dict get $m $sum] - [dict get $before $sum] < 0.25}
        assert_equal 0 [dict get $m redust_clients_blocked_with_timeout]
    }

    test "turns of the loop have a histogram" {
        set m [samples [scrape $metrics]]
        assert {[dict get $m redust_loop_turn_duration_seconds_count] > 0}
        r config resetstat
        set again [samples [scrape $metrics]]
        assert {[dict get $again redust_loop_turn_duration_seconds_count] < [dict get $m redust_loop_turn_duration_seconds_count]}
    }

    test "the format is the one that Accept asks for" {
        set open {application/openmetrics-text; version=1.0.0; charset=utf-8}
        set plain {text/plain; version=0.0.4; charset=utf-8}
        foreach {accept type} [list \
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1" $open \
            "text/plain;version=0.0.4;q=0.5,*/*;q=0.1" $plain "*/*" $plain "text/html" $plain] {
            set reply [http_get $metrics /metrics [list "Accept: $accept"]]
            assert_equal $type [dict get $reply fields content-type] $accept
            assert_equal [expr {$type eq $open}] [string match "*\n# EOF\n" [dict get $reply body]]
        }
        set plain [scrape $metrics]
        set open [scrape $metrics {"Accept: application/openmetrics-text"}]
        assert_match "*# TYPE redust_commands counter*# UNIT redust_command_seconds seconds*" $open
        assert_match "*# TYPE redust_commands_total counter*" $plain
        assert_no_match "*# UNIT*" $plain
        assert_equal [lsort [dict keys [samples $plain]]] [lsort [dict keys [samples $open]]] "the same names"
    }

    test "each family stands together, and no sample comes twice" {
        r config set latency-tracking-info-percentiles "50 99 50.0"
        foreach accept {text/plain application/openmetrics-text} {
            set text [scrape $metrics [list "Accept: $accept"]]
            unset -nocomplain seen
            foreach {- name} [regexp -all -inline -line {^# TYPE (\S+) } $text] {
                assert {![info exists seen($name)]} "$name twice"
                set seen($name) 1
            }
            unset -nocomplain seen
            foreach line [split $text \n] {
                if {[string match "#*" $line] || $line eq {}} continue
                assert {[regexp {^([a-z_]+(\{[^\}]*\})?) (NaN|[-+.e0-9]+)$} $line - sample]} $line
                assert {![info exists seen($sample)]} "$sample twice"
                set seen($sample) 1
            }
        }
    }

    test "a client of the server's own protocol is told at once that this is another port" {
        foreach text {"PING\r\n" "*1\r\n\$4\r\nPING\r\n"} {
            set s [http_open $metrics]
            puts -nonewline $s $text
            flush $s
            set started [clock milliseconds]
            assert_match "HTTP/1.1 400 Bad Request*" [read $s]
            assert {[clock milliseconds] - $started < 5000}
            close $s
        }
    }

    test "a token that nobody could show is refused" {
        foreach token [list " x" "x " "a\nb"] {
            assert_error_like "*begin or end with a blank*" {r config set metrics-token $token}
        }
    }

    test "HEAD, other paths, other methods, bodies" {
        set head [http_get $metrics /metrics {} HEAD]
        assert_equal 200 [dict get $head status]
        assert {[dict get $head fields content-length] > 10000}
        assert_equal 404 [dict get [http_get $metrics /nothing] status]
        assert_equal 200 [dict get [http_get $metrics /metrics?x=1] status]
        set reply [http_get $metrics /metrics {} POST]
        assert_equal {405 {GET, HEAD}} [list [dict get $reply status] [dict get $reply fields allow]]
        assert_equal 413 [dict get [http_get $metrics /metrics {"Content-Length: 5"}] status]
        assert_equal 400 [dict get [http_get $metrics /metrics {"Transfer-Encoding: chunked"}] status]
        assert_equal 400 [dict get [http_get $metrics /metrics {"Host: again"}] status]
        assert_equal 431 [dict get [http_get $metrics /metrics [list "X: [string repeat x 9000]"]] status]
    }

    test "a connection serves many requests, also when they come at once" {
        set s [http_open $metrics]
        http_send $s /healthz
        assert_equal "ok\n" [dict get [http_read $s] body]
        http_send $s /metrics
        assert_match "*redust_up 1*" [dict get [http_read $s] body]
        foreach path {/healthz /metrics /readyz /metrics /none} { http_send $s $path }
        assert_equal {200 200 200 200 404} [lmap i {1 2 3 4 5} {dict get [http_read $s] status}]
        http_send $s /healthz {"Connection: close"}
        assert_equal close [dict get [http_read $s] fields connection]
        assert_equal {} [read $s]
        close $s
        set s [http_open $metrics]
        puts -nonewline $s "GET /healthz HTTP/1.0\r\n\r\n"
        assert_match "HTTP/1.1 200 OK\r\n*\r\n\r\nok\n" [read $s]
        close $s
    }

    test "one that has closed its side for writing gets its replies" {
        set s [http_open $metrics]
        http_send $s /healthz
        http_send $s /readyz
        close $s write
        assert_match "*ok\n*ok\n" [read $s]
        close $s
    }

    test "scrapers are no clients" {
        set s [http_open $metrics]
        http_send $s /metrics
        set m [samples [dict get [http_read $s] body]]
        assert_equal 1 [dict get $m redust_scrapers]
        assert_equal 1 [s connected_clients]
        assert_equal 1 [llength [split [string trim [r client list]] \n]]
        close $s
    }

    test "the token is asked for, in full, and nobody sees it" {
        r config set slowlog-log-slower-than 0
        r config set metrics-token "s3cret"
        assert_equal 401 [dict get [http_get $metrics /metrics] status]
        assert_equal Bearer [dict get [http_get $metrics /metrics] fields www-authenticate]
        foreach wrong {s3cre s3cret2 "" S3CRET} {
            assert_equal 401 [dict get [http_get $metrics /metrics [list "Authorization: Bearer $wrong"]] status] $wrong
        }
        assert_equal 401 [dict get [http_get $metrics /metrics {"Authorization: Basic s3cret"}] status]
        assert_equal 200 [dict get [http_get $metrics /metrics {"Authorization: Bearer s3cret"}] status]
        assert_equal 200 [dict get [http_get $metrics /healthz] status]
        assert_equal 200 [dict get [http_get $metrics /readyz] status]
        assert_no_match "*s3cret*" [r slowlog get]
        assert_match "*metrics-token (redacted)*" [r slowlog get]
        assert_no_match "*s3cret*" [read_file [srv log]]
        r config rewrite
        assert_match "*metrics-token \"s3cret\"*" [string map {\ s3cret \ "s3cret"} [read_file [srv conf]]]
        r config set metrics-token ""
        assert_equal 200 [dict get [http_get $metrics /metrics] status]
        r config set slowlog-log-slower-than 10000
    }

    test "readyz says why commands are refused" {
        assert_equal "ok\n" [dict get [http_get $metrics /readyz] body]
        r config set maxmemory 1
        set reply [http_get $metrics /readyz]
        assert_equal 503 [dict get $reply status]
        assert_match "oom: *" [dict get $reply body]
        assert_equal 200 [dict get [http_get $metrics /healthz] status]
        r config set maxmemory-policy allkeys-lru
        assert_equal 200 [dict get [http_get $metrics /readyz] status]
        r config set maxmemory 0 maxmemory-policy noeviction
        # A snapshot that fails: its name is taken by a directory that isn't empty.
        file mkdir [srv dir]/taken.rdb/x
        r config set dbfilename taken.rdb save "3600 1" stop-writes-on-bgsave-error yes
        r bgsave
        wait_for_condition {[s rdb_last_bgsave_status] eq "err"}
        set reply [http_get $metrics /readyz]
        assert_equal 503 [dict get $reply status]
        assert_match "misconf: *" [dict get $reply body]
        set m [samples [scrape $metrics]]
        assert_equal 1 [dict get $m redust_rdb_last_save_failed]
        assert_equal 1 [dict get $m redust_rdb_save_failures_total]
        r config set stop-writes-on-bgsave-error no
        assert_equal 200 [dict get [http_get $metrics /readyz] status]
        r config set dbfilename dump.rdb save ""
    }

    test "while data is loaded healthz is well and readyz is not" {
        r config set key-load-delay 500 loading-process-events-interval-bytes 1024
        populate 5000
        r config rewrite
        r save
        restart_server -wait alive -save 0
        assert_equal 200 [dict get [http_get $metrics /healthz] status]
        set reply [http_get $metrics /readyz]
        assert_equal 503 [dict get $reply status]
        assert_match "loading: *" [dict get $reply body]
        set m [samples [scrape $metrics]]
        assert_equal 1 [dict get $m redust_loading]
        r config set key-load-delay 0
        wait_for_condition {[s loading] == 0} -within 20000
        assert_equal 200 [dict get [http_get $metrics /readyz] status]
    }
}

start_server {tags {metrics}} {
    test "metrics are off unless a port is set" {
        assert_equal disabled [s metrics_exporter]
        assert_equal {metrics-port 0} [r config get metrics-port]
        assert_equal {metrics-bind {127.0.0.1 -::1}} [r config get metrics-bind]
    }

    test "CONFIG SET opens, moves and closes the endpoint" {
        set first [free_port]
        set second [free_port]
        r config set metrics-port $first
        assert_equal 200 [dict get [http_get $first /healthz] status]
        assert_match "enabled,addr=127.0.0.1:$first*" [s metrics_exporter]
        set held [http_open $first]
        http_send $held /healthz
        http_read $held
        r config set metrics-port $second metrics-bind "127.0.0.1 127.0.0.2"
        assert_error_like "*refused*" {http_get $first /healthz}
        assert_equal 200 [dict get [http_get $second /healthz] status]
        close [http_open $second 127.0.0.2]
        assert_equal "enabled,addr=127.0.0.1:$second,addr=127.0.0.2:$second" [s metrics_exporter]
        http_send $held /healthz
        assert_equal 200 [dict get [http_read $held] status] "connections stay when the address changes"
        r config set metrics-bind 127.0.0.2
        assert_error_like "*refused*" {http_get $second /healthz}
        r config set metrics-port 0
        assert_equal disabled [s metrics_exporter]
        assert_error_like "*refused*" {http_open $second 127.0.0.2}
        assert_equal {} [read $held] "all leave when it is switched off"
        close $held
    }

    test "a port that is taken is an error, and what was there stays" {
        set port [free_port]
        r config set metrics-bind 127.0.0.1 metrics-port $port
        set taken [free_port]
        set other [socket -server {apply {{s args} {close $s}}} -myaddr 127.0.0.1 $taken]
        assert_error_like "ERR CONFIG SET failed*'metrics-port'*Unable to listen on this port*" {r config set metrics-port $taken}
        assert_error_like "ERR CONFIG SET failed*'metrics-port'*Unable to listen on this port*" {r config set metrics-port [srv port]}
        assert_error_like "ERR CONFIG SET failed*'metrics-bind'*" {r config set metrics-bind "127.0.0.1 999.1.1.1"}
        close $other
        assert_equal [list metrics-port $port] [r config get metrics-port]
        assert_equal 200 [dict get [http_get $port /healthz] status]
        assert_equal PONG [r ping]
    }

    test "the settings survive CONFIG REWRITE and a restart" {
        set port [lindex [r config get metrics-port] 1]
        r config rewrite
        restart_server
        assert_equal 200 [dict get [http_get $port /healthz] status]
    }

    test "DEBUG RESTART opens it again" {
        set port [lindex [r config get metrics-port] 1]
        set s [http_open $port]
        catch {r debug restart}
        assert_equal {} [read $s]
        close $s
        wait_for_condition {![catch {http_get $port /healthz} reply] && [dict get $reply status] == 200} -within 10000
        reconnect
    }

    test "SHUTDOWN closes it" {
        set port [lindex [r config get metrics-port] 1]
        kill_server
        assert_error_like "*refused*" {http_open $port}
    }
}

start_server {tags {metrics}} {
    test "a port for metrics that is taken ends the start, saying so" {
        start_server [list overrides [list metrics-port [srv port] metrics-bind 127.0.0.1] wait none] {
            await_exit
            assert_log "*Failed listening on port [srv -1 port] (metrics), aborting.*"
        }
        assert_equal PONG [r ping]
    }
}

set port [free_port]
start_server [list tags {metrics} env [list REDUST_METRICS_ADDR 127.0.0.1:$port]] {
    test "REDUST_METRICS_ADDR says where, too" {
        assert_equal "enabled,addr=127.0.0.1:$port" [s metrics_exporter]
        assert_equal 200 [dict get [http_get $port /metrics] status]
    }
}

set metrics [free_port]
start_server [list tags {metrics hostile} overrides [list metrics-port $metrics metrics-bind 127.0.0.1]] {
    # The longest of some PINGs, in milliseconds.
    proc slowest_ping {} {
        set worst 0
        for {set i 0} {$i < 200} {incr i} {
            set at [clock microseconds]
            r ping
            set worst [expr {max($worst, ([clock microseconds] - $at) / 1000.0)}]
        }
        return $worst
    }
    # Whether a scraper is served, and is the only one.
    proc is_alone {port} {
        expr {![catch {samples [scrape $port]} m] && [dict get $m redust_scrapers] == 1}
    }
    proc unharmed {before} {
        assert {[slowest_ping] < 100} "a bystander waited"
        assert {[s used_memory] < $before + 4000000} "memory grew from $before to [s used_memory]"
    }

    r ping
    http_get $metrics /metrics
    set memory [s used_memory]

    test "a thousand connections: sixteen stay, and a scraper still gets its turn" {
        set crowd {}
        for {set i 0} {$i < 1000} {incr i} {
            if {![catch {http_open $metrics} s]} { lappend crowd $s }
        }
        unharmed $memory
        wait_for_condition {[dict get [samples [scrape $metrics]] redust_scrapers] <= 16} -within 3000
        assert {[dict get [samples [scrape $metrics]] redust_scrapers_dropped_total] > 900}
        assert_equal 1 [s connected_clients]
        foreach s $crowd { close $s }
    }

    test "a byte a second is not a request" {
        set slow {}
        for {set i 0} {$i < 16} {incr i} {
            set s [http_open $metrics]
            puts -nonewline $s "GET /met"
            lappend slow $s
        }
        set from [now_ms]
        after 1100
        assert_equal 200 [dict get [http_get $metrics /healthz] status] "the first of them made room"
        set last [lindex $slow end]
        fconfigure $last -blocking 0
        while {![eof $last] && [now_ms] - $from < 20000} {
            catch {puts -nonewline $last r}
            read $last
            after 200
        }
        assert_between 8000 15000 [expr {[now_ms] - $from}]
        unharmed $memory
        foreach s $slow { catch {close $s} }
    }

    test "endless headers end at 8 KiB" {
        for {set i 0} {$i < 20} {incr i} {
            set s [http_open $metrics]
            catch {
                puts -nonewline $s "GET /metrics HTTP/1.1\r\n"
                for {set j 0} {$j < 50} {incr j} { puts -nonewline $s "X-$j: [string repeat x 100000]\r\n" }
            }
            catch {close $s}
        }
        unharmed $memory
        set s [http_open $metrics]
        puts -nonewline $s "GET / HTTP/1.1\r\nX: [string repeat x 20000]"
        assert_equal 431 [dict get [http_read $s] status]
        close $s
    }

    test "scrapers that never read hold one reply each" {
        set deaf {}
        for {set i 0} {$i < 16} {incr i} {
            set s [http_open $metrics]
            fconfigure $s -blocking 0 -buffering full -buffersize 1000000
            for {set j 0} {$j < 2000} {incr j} { http_send $s /metrics }
            catch {flush $s}
            lappend deaf $s
        }
        after 500
        unharmed $memory
        # Who has not taken its reply after five seconds makes room.
        wait_for_condition {![catch {http_get $metrics /healthz}]} -within 10000
        foreach s $deaf { catch {close $s} }
        wait_for_condition {[is_alone $metrics]} -within 20000
    }

    test "half-closed and aborted connections leave nothing" {
        for {set i 0} {$i < 200} {incr i} {
            set s [http_open $metrics]
            if {$i % 3} { puts -nonewline $s "GET /metrics HTTP/1.1\r\n" }
            if {$i % 2} { close $s write }
            close $s
        }
        unharmed $memory
        wait_for_condition {[is_alone $metrics]} -within 20000
    }

    test "random bytes are no harm" {
        for {set i 0} {$i < 200} {incr i} {
            set s [http_open $metrics]
            catch { puts -nonewline $s [randstring 0 300]; puts -nonewline $s "\r\n\r\n" }
            catch {close $s}
        }
        unharmed $memory
        assert_equal 200 [dict get [http_get $metrics /metrics] status]
    }
}
