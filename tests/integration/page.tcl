# The page at / of the endpoint for metrics, and its data at /page.json: figures as INFO has them, who gets them, and what
# they never hold. tests/page looks at it with a browser.

source $::testdir/support/http.tcl

set metrics [free_port]

proc page_data {port {lines {}}} {
    set reply [http_get $port /page.json $lines]
    assert_equal 200 [dict get $reply status]
    return [dict get $reply body]
}

# The value of the first member of that name: a number, or text.
proc member {json name} {
    if {![regexp "\"$name\":(?:\"((?:\[^\"\\\\\]|\\\\.)*)\"|(\[^,\}\\\]\]+))" $json - text number]} { error "no $name in $json" }
    return [expr {$number ne {} ? $number : $text}]
}

# The rows of a list as texts.
proc members {json list} {
    regexp "\"$list\":\\\[(\[^\\\]\]*)\\\]" $json - rows
    return [regexp -all -inline {\{[^\{\}]*\}} $rows]
}

start_server [list tags {metrics page} overrides [list metrics-port $metrics metrics-bind 127.0.0.1]] {
    need_command memory|bigkeys

    test "a browser gets one page, which asks nobody else and is kept nowhere" {
        set reply [http_get $metrics /]
        assert_equal 200 [dict get $reply status]
        set fields [dict get $reply fields]
        assert_equal "text/html; charset=utf-8" [dict get $fields content-type]
        set policy [dict get $fields content-security-policy]
        foreach part {"default-src 'none'" "connect-src 'self'" "base-uri 'none'" "form-action 'none'" "frame-ancestors 'none'"} {
            assert_match "*$part*" $policy
        }
        assert_match "*script-src 'sha256-*" $policy
        assert_no_match "*unsafe*" $policy
        foreach path {/ /page.json} {
            set fields [dict get [http_get $metrics $path] fields]
            assert_equal nosniff [dict get $fields x-content-type-options]
            assert_equal DENY [dict get $fields x-frame-options]
            assert_equal no-referrer [dict get $fields referrer-policy]
            assert_equal no-store [dict get $fields cache-control]
            assert_match "default-src 'none'*" [dict get $fields content-security-policy]
        }
        assert {[string length [dict get $reply body]] < 65536}
        assert_no_match "*https:*" [dict get $reply body]
        # What a scraper is sent is as it was.
        assert_equal 0 [dict exists [dict get [http_get $metrics /metrics] fields] x-frame-options]
    }

    test "HEAD has the head alone, other paths and methods are refused" {
        set length [dict get [http_get $metrics /] fields content-length]
        foreach path {/ /page.json} {
            set s [http_open $metrics]
            http_send $s $path {} HEAD
            http_send $s /healthz {"Connection: close"}
            set head [http_read $s 0]
            assert_equal 200 [dict get $head status]
            if {$path eq "/"} { assert_equal $length [dict get $head fields content-length] }
            assert_equal "ok\n" [dict get [http_read $s] body] "nothing stands between the two"
            close $s
        }
        foreach path {/page /page.json/ /index.html /favicon.ico //} {
            assert_equal 404 [dict get [http_get $metrics $path] status] $path
        }
        assert_equal 405 [dict get [http_get $metrics /page.json {} POST] status]
    }

    test "figures are those of INFO" {
        r set a 1
        r set b 1 ex 1000
        r get a
        r get none
        r hset h f v
        r rpush l 1 2 3
        catch {r lpush a 1}
        r select 3
        r set other 1
        r select 0
        set json [page_data $metrics]
        set info [r info everything]
        foreach field {
            redis_version tcp_port process_id connected_clients maxclients blocked_clients maxmemory maxmemory_policy role
            used_memory_startup rdb_changes_since_last_save rdb_last_save_time rdb_last_bgsave_status aof_enabled persistence_policy
            redust_rdb_last_save_duration_ms redust_rdb_save_failures keyspace_hits keyspace_misses expired_keys evicted_keys
            total_error_replies rejected_connections redust_expire_keys connected_slaves loading latest_fork_usec
        } {
            assert_equal [info_field $info $field] [member $json $field] $field
        }
        # INFO counts itself, once it has run.
        assert_equal [info_field $info total_commands_processed] [member $json total_commands_processed]
        assert_between 0.9 1.1 [expr {double([member $json used_memory]) / [info_field $info used_memory]}]
        assert_match {*"db":0,"keys":4,"expires":1,*} [members $json keyspace]
        assert_match {*"db":3,"keys":1,"expires":0,*} [members $json keyspace]
        assert_match {*"type":"string","keys":3*"type":"list","keys":1*"type":"hash","keys":1*} [members $json types]
        foreach row [members $json commands] {
            set stat [info_field $info cmdstat_[member $row name]]
            if {[member $row name] in {info}} continue
            assert_match "calls=[member $row calls],usec=[member $row us],*,rejected_calls=[member $row rejected],failed_calls=[member $row failed]" $stat
            set shown [info_field $info latency_percentiles_usec_[member $row name]]
            assert_match "p50=[member $row p50_us],p99=[member $row p99_us],p99.9=[member $row p999_us]" $shown
        }
        assert_match {*"error":"WRONGTYPE","count":1*} [members $json errors]
        set sum 0
        foreach row [members $json memory] { incr sum [member $row bytes] }
        assert_equal [member $json used_memory] $sum "the purposes add up"
    }

    test "clients are those of CLIENT LIST, and who asks is none" {
        set c [redis_client]
        $c client setname "some-name"
        $c select 7
        set json [page_data $metrics]
        assert_match {*"clients":\{"total":2,"complete":true,*} $json
        set rows [members $json rows]
        assert_equal 2 [llength $rows]
        set row [lindex [lmap row $rows { if {[member $row name] ne "some-name"} continue; set row }] 0]
        regexp {id=(\d+) addr=(\S+) } [$c client list id [$c client id]] - id addr
        assert_equal [list $id $addr 7 select] [lmap field {id addr db cmd} { member $row $field }]
        $c close
    }

    test "of many clients a few are told" {
        set all {}
        for {set i 0} {$i < 100} {incr i} { lappend all [redis_client] }
        set json [page_data $metrics]
        assert_match {*"total":101,*} $json
        assert {[llength [members $json rows]] <= 40}
        foreach c $all { $c close }
    }

    test "the token is asked for by the data, not by the page" {
        r config set metrics-token "s3cret"
        set reply [http_get $metrics /page.json]
        assert_equal 401 [dict get $reply status]
        assert_equal Bearer [dict get $reply fields www-authenticate]
        assert_equal no-store [dict get $reply fields cache-control]
        assert_equal 401 [dict get [http_get $metrics /page.json {"Authorization: Bearer s3cre"}] status]
        assert_equal 401 [dict get [http_get $metrics /page.json?token=s3cret] status]
        assert_equal 200 [dict get [http_get $metrics /] status]
        set reply [http_get $metrics /page.json {"Authorization: Bearer s3cret"}]
        assert_equal 200 [dict get $reply status]
        assert_no_match "*s3cret*" [dict get $reply body]
        r config set metrics-token ""
    }

    test "names of keys are told only with metrics-page-key-names, and values never" {
        assert_equal {metrics-page-key-names no} [r config get metrics-page-key-names]
        r flushall
        r config set slowlog-log-slower-than 0 key-survey yes commandlog-request-larger-than 100
        r hotkeys start metrics 2 cpu net
        r set "name:<img>\xff\n\"" [string repeat secretvalue 20]
        r mset name:1 secretvalue name:2 secretvalue
        r hotkeys stop
        wait_for_condition {[dict get [r memory prefixes] complete] && [dict get [r memory prefixes] total-keys] == 3}
        set json [page_data $metrics]
        assert_no_match "*name:*" $json
        assert_no_match "*secretvalue*" $json
        assert_match {*"command":"mset",*"keys":2*} $json
        assert_match {*"hotkeys":\{"active":false,"sample":1,"samples":2,*} $json
        assert_match {*"big":\[\{"db":0,"type":"string","bytes":*} $json
        r config set metrics-page-key-names yes
        set json [page_data $metrics]
        assert_no_match "*secretvalue*" $json
        assert_match {*"key_names":\["name:1","name:2"\]*} $json
        assert_match {*"prefix":"name:"*} $json
        assert_match {*"key":"name:<img>\\\\xff\\n\\""*} $json
        r config rewrite
        assert_match "*metrics-page-key-names yes*" [read_file [srv conf]]
        r config set metrics-page-key-names no slowlog-log-slower-than 10000 commandlog-request-larger-than 1048576
    }

    test "metrics of COMMANDLOG, HOTKEYS and the survey, without names" {
        set text [scrape $metrics]
        set m [samples $text]
        assert_equal [r slowlog len] [dict get $m "redust_commandlog_entries{log=\"slow\"}"]
        assert_equal [r commandlog len large-request] [dict get $m "redust_commandlog_entries{log=\"large-request\"}"]
        assert {[dict get $m "redust_commandlog_entries{log=\"large-request\"}"] > 0}
        assert_equal 0 [dict get $m "redust_commandlog_entries{log=\"large-reply\"}"]
        assert_equal {0 1 2} [lmap name {active sample_ratio samples} { dict get $m redust_hotkeys_$name }]
        assert_equal {1 3} [lmap name {active keys} { dict get $m redust_key_survey_$name }]
        assert_equal [dict get [r memory prefixes] total-bytes] [dict get $m redust_key_survey_bytes]
        assert {[dict get $m redust_key_survey_names] >= 3}
        assert_no_match "*name:*" $text
        r hotkeys reset
        r config set key-survey no
        set m [samples [scrape $metrics]]
        foreach name {hotkeys_active hotkeys_samples key_survey_active key_survey_keys key_survey_bytes key_survey_names} {
            assert_equal 0 [dict get $m redust_$name] $name
        }
    }

    test "a request for the page is no scrape and no command" {
        set before [list [s total_commands_processed] [dict get [samples [scrape $metrics]] redust_scrapes_total]]
        page_data $metrics
        http_get $metrics /
        set after [list [s total_commands_processed] [dict get [samples [scrape $metrics]] redust_scrapes_total]]
        assert_equal [list [expr {[lindex $before 0] + 1}] [expr {[lindex $before 1] + 1}]] $after
    }

    test "while data is loaded the page says so" {
        r config set key-load-delay 500 loading-process-events-interval-bytes 1024
        populate 5000
        r config rewrite
        r save
        restart_server -wait alive -save 0
        assert_equal 1 [member [page_data $metrics] loading]
        r config set key-load-delay 0
        wait_for_condition {[s loading] == 0} -within 20000
        assert_equal 0 [member [page_data $metrics] loading]
    }
}
