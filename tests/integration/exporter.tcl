# Our metrics beside those of the common exporter for Redis, and what Prometheus's own tool says of them.

source $::testdir/support/http.tcl

set metrics [free_port]
set exporter [free_port]

# What each has, and what a comparison can't have the same: figures of the exporter's own process.
proc is_compared {name} {
    if {[regexp {^(go|promhttp|process)_} $name]} { return 0 }
    # It makes a number of our line of counts, which is none; ours are redust_keys_by_type.
    if {[regexp {^redis_db\d+_types$} $name]} { return 0 }
    # Its version, and how long its own scrapes take.
    expr {![regexp {^redis_exporter_(build_info|last_scrape_\w+_seconds|scrape)} $name]}
}

# Families whose values move between two scrapes, and how far.
proc allowed {name} {
    switch -glob $name {
        redis_cpu_* { return 1.0 }
        redis_uptime_* { return 2 }
        redis_db_avg_ttl* { return 2 }
        *allocator* - *memory_used* - *mem_* { return 2e6 }
        redis_net_* { return 2e6 }
        redis_client_recent_max_* { return 1e5 }
        redis_*_processed* - redis_connections* - redis_connected_clients { return 100 }
        redis_slowlog* - redis_last_slow* { return 100 }
    }
    # The exporter's own commands.
    if {[regexp {cmd="(client|config|info|latency|slowlog|select)[|"]} $name]} { return 1e4 }
    return 0
}

# The exporter sends in chunks unless it is asked as of old.
proc exporter_scrape {port} {
    set s [http_open $port]
    puts -nonewline $s "GET /metrics HTTP/1.0\r\n\r\n"
    set reply [read $s]
    close $s
    return [string range $reply [string first \r\n\r\n $reply]+4 end]
}

proc compared {text} {
    set all {}
    dict for {name value} [samples $text] {
        if {[is_compared $name]} { dict set all $name $value }
    }
    return $all
}

start_server [list tags {metrics exporter} overrides [list metrics-port $metrics metrics-bind 127.0.0.1 appendonly yes \
        appendfsync always latency-monitor-threshold 1 slowlog-log-slower-than 1000]] {
    # Something of everything.
    r set a 1
    r set b 2 ex 10000
    r select 9
    r mset c 3 d 4
    r pexpire c 10000000
    r select 0
    r get a
    r get none
    r lpush list 1 2 3
    catch {r lpush a 1}
    catch {r hset a}
    catch {r nosuch}
    r debug sleep 0.002
    r bgsave
    wait_for_condition {[s rdb_bgsave_in_progress] == 0}

    test "the exporter's names, labels, types and values are ours, too" {
        need_tool prometheus-redis-exporter prometheus-redis-exporter
        set pid [exec prometheus-redis-exporter -redis.addr 127.0.0.1:[srv port] -web.listen-address 127.0.0.1:$exporter \
            >$::tmpdir/exporter.log 2>@1 &]
        watch_process $pid
        wait_for_condition {![port_is_free $exporter]}
        # Twice: its own commands are then known to both.
        exporter_scrape $exporter
        set theirs [exporter_scrape $exporter]
        set ours [scrape $metrics]
        send_signal $pid KILL
        unwatch_process $pid

        set types [types $ours]
        dict for {name type} [types $theirs] {
            if {![is_compared $name]} continue
            if {![dict exists $types $name]} { fail "$name is missing" }
            assert_equal $type [dict get $types $name] $name
        }
        # Labels may come in any order.
        proc canonical {samples} {
            set found {}
            dict for {name value} $samples {
                if {[regexp {^(\w+)\{(.*)\}$} $name - family labels]} {
                    set name "$family\{[join [lsort [regexp -all -inline {\w+="(?:[^"\\]|\\.)*"} $labels]] ,]\}"
                }
                dict set found $name $value
            }
            return $found
        }
        set ours [canonical [compared $ours]]
        set theirs [canonical [compared $theirs]]
        assert {[dict size $theirs] > 150}
        dict for {name value} $theirs {
            if {![dict exists $ours $name]} { fail "$name is missing" }
            # What exactly a command of the exporter took is known to both at other times.
            if {[string match redis_latency_percentiles_usec* $name] && [allowed $name]} continue
            set own [dict get $ours $name]
            assert {abs($own - $value) <= [allowed $name] + abs($value) * 1e-5} "$name: $own here, $value there"
        }
        # And none under its names that it does not have.
        foreach name [dict keys $ours] {
            if {[string match redis_* $name] && ![dict exists $theirs $name]} { fail "$name is ours alone" }
        }
    }

    test "promtool finds nothing but the names that were the exporter's" {
        need_tool promtool prometheus
        write_file $::tmpdir/scrape [scrape $metrics]
        catch {exec promtool check metrics <$::tmpdir/scrape 2>@1} said
        foreach line [split $said \n] {
            if {$line eq {} || [string match "child process exited*" $line]} continue
            assert_match "redis_* *" $line
        }
    }

    test "the alerts and the example are what Prometheus reads" {
        need_tool promtool prometheus
        assert_match "*SUCCESS*" [exec promtool check rules $::root/doc/prometheus/alerts.yml 2>@1]
        assert_match "*SUCCESS*" [exec promtool check config $::root/doc/prometheus/prometheus.yml 2>@1]
    }

    test "each metric of the dashboard, of the alerts and of the manual is in a scrape" {
        # Certificates are told of where there are some.
        set certs $::testdir/data/tls
        r config set tls-cert-file $certs/server.crt tls-key-file $certs/server.key tls-ca-cert-file $certs/ca.crt
        r config set tls-port [free_port]
        set ours [scrape $metrics]
        r config set tls-port 0
        set known {}
        dict for {name type} [types $ours] {
            dict set known $name 1
            if {$type in {histogram summary}} {
                foreach tail {_bucket _sum _count} { dict set known $name$tail 1 }
            }
        }
        foreach {file least} {grafana/redust.json 30 prometheus/alerts.yml 12 monitoring.md 10} {
            set names [lsort -unique [regexp -all -inline {\mred(?:ust|is)_[a-z0-9_]+[a-z0-9]} [read_file $::root/doc/$file]]]
            assert {[llength $names] >= $least} "$file has [llength $names]"
            foreach name [lsearch -all -inline -not -regexp $names {^redis_exporter(_build_info)?$}] {
                if {![dict exists $known $name]} { fail "$file has $name, which no scrape has" }
            }
        }
    }

    test "the dashboard is JSON" {
        need_tool python3 python3
        set panels {import json,sys; d=json.load(open(sys.argv[1])); print(len([p for p in d["panels"] if p["type"]!="row"]), len({p["id"] for p in d["panels"]})==len(d["panels"]))}
        assert_match {[1-9]* True} [exec python3 -c $panels $::root/doc/grafana/redust.json]
    }
}
