# The latency monitor, and LATENCY HISTOGRAM.

start_server {tags {latency}} {
    test "only what takes as long as the threshold is noted" {
        assert_equal {} [r latency latest]
        r debug sleep 0.03
        r config set latency-monitor-threshold 20
        r ping
        assert_equal {} [r latency latest]
        r debug sleep 0.03
        lassign [lindex [r latency latest] 0] event time ms max
        assert_equal command $event
        assert_between [expr {[clock seconds] - 5}] [clock seconds] $time
        assert_between 30 1000 $ms
        assert_equal $ms $max
    }

    test "HISTORY has one row a second, GRAPH draws them, DOCTOR explains" {
        sleep 1100
        r debug sleep 0.05
        r debug sleep 0.03
        set rows [r latency history command]
        assert_between 2 3 [llength $rows]
        assert {[lindex $rows end 1] >= 30}
        assert_match "command - high * ms, low * ms (all time high * ms)*" [r latency graph command]
        set report [r latency doctor]
        assert_match "*1. command: [llength $rows] latency spikes (average *ms, mean deviation *ms, period * sec). Worst all time event *ms.*" $report
        assert_match "*SLOWLOG GET*" $report
        assert_no_match "*slowlog-log-slower-than*" $report
        r config set slowlog-log-slower-than -1
        assert_match "*slowlog-log-slower-than 20000*" [r latency doctor]
        r config set slowlog-log-slower-than 30000
        assert_match "*slowlog-log-slower-than 20000*" [r latency doctor]
        r config set slowlog-log-slower-than 10000
        assert_equal {} [r latency history nothing]
        assert_error "ERR No samples available for event 'nothing'" {r latency graph nothing}
    }

    test "RESET forgets one kind or all" {
        assert_equal 0 [r latency reset nothing]
        assert_equal 1 [r latency reset command nothing]
        assert_equal 0 [r latency reset]
        assert_equal {} [r latency latest]
        assert_match "*nothing has taken*" [r latency doctor]
        r config set latency-monitor-threshold 0
        assert_match "*is off*" [r latency doctor]
    }

    test "HISTOGRAM counts calls by their duration" {
        r config resetstat
        r set a 1
        r set b 2
        r client id
        set all [r latency histogram]
        assert_same_items {set client|id config|resetstat} [dict keys $all]
        set of [dict get [r latency histogram set nothing] set]
        assert_equal 2 [dict get $of calls]
        assert_equal 2 [lindex [dict get $of histogram_usec] end]
        assert_equal client|id [lindex [r latency histogram client] 0]
        assert_equal {} [r latency histogram nothing]
    }

    test "LATENCY HISTOGRAM @requests tells how long requests wait for their replies, where it is asked" {
        need {[is_redust]} "a row of our own"
        assert_equal {} [r latency histogram @requests]
        r config set latency-tracking-requests yes
        r config resetstat
        r ping
        r write "debug sleep 0.1\r\nping\r\n"
        r flush
        r read
        r read
        set row [dict get [r latency histogram @requests ping] @requests]
        # The first ping was fast; the sleeper was not, nor was the ping that waited for it.
        assert {[dict get $row calls] >= 3} $row
        set steps [dict get $row histogram_usec]
        set fast 0
        dict for {usec count} $steps { if {$usec < 60000} { set fast $count } }
        assert_equal [expr {[dict get $row calls] - 2}] $fast $row
        assert_equal 0 [dict exists [r latency histogram] @requests]
        r config set latency-tracking-requests no
        assert_equal {} [r latency histogram @requests]
    }
}
