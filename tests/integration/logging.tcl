# The software watchdog: a report while the server is stuck, and nothing else changes.
#
# The shortest period is two ticks of the cron: 200 ms at the default of 10 Hz.

# The reports since `mark`.
proc reports_since {mark} { llength [log_lines_like {*WATCHDOG TIMER EXPIRED*} $mark] }

# The helper thread of the watchdog runs.
proc has_helper {} {
    foreach path [glob /proc/[srv pid]/task/*/comm] {
        if {[catch {string trim [read_file $path]} name] == 0 && $name eq "watchdog"} { return 1 }
    }
    return 0
}

start_server {tags {logging}} {
    test "watchdog-period: off at the start, raised to two ticks, in milliseconds" {
        assert_equal {watchdog-period 0} [r config get watchdog-period]
        r config set watchdog-period 1500
        assert_equal {watchdog-period 1500} [r config get watchdog-period]
        r config set watchdog-period 1
        assert_equal {watchdog-period 200} [r config get watchdog-period]
        r config set hz 50 watchdog-period 1
        assert_equal {watchdog-period 40} [r config get watchdog-period]
        r config set hz 10 watchdog-period 0
        assert_equal {watchdog-period 0} [r config get watchdog-period]
        assert_error_like {*} {r config set watchdog-period -1}
        assert_error_like {*} {r config set watchdog-period never}
    }

    test "the watchdog reports where the server is while it is stuck" {
        need [is_redust] "names of our functions"
        set mark [log_mark]
        r config set watchdog-period 200
        set c [redis_client -port [srv port]]
        $c select 9
        set id [$c client id]
        $c deferred 1
        $c debug sleep 4
        wait_for_log {*signal-handler (*) --------*} $mark 0 3500
        assert_equal {} [$c pending] "the report came too late: the command has ended"
        set text [log_since $mark]
        assert_match "*:signal-handler (*) \n--- WATCHDOG TIMER EXPIRED ---\n*------ STACK TRACE ------\n*" $text
        assert_match "*\nRunning: debugCommand, id=$id addr=127.0.0.1:* db=9 cmd=debug\n*" $text
        # The place itself, and the way there.
        foreach place {{debug at \S*server/admin/debug\.rs:\d+} {process_command at \S*server/engine/dispatch\.rs:\d+}
            {turn at \S*server/reactor/turn\.rs:\d+}} {
            assert {[regexp "\n0x\[0-9a-f\]+ (\\S*::)?$place\n" $text]} "no $place in: $text"
        }
        # What the handler itself did is no news.
        assert_no_match "*on_alarm*" $text
        assert_no_match "*Hint:*" $text
        assert_equal OK [$c read]
        assert_equal 1 [reports_since $mark] "one report, however long it takes"
        $c close
        assert_equal PONG [r ping]
    }

    test "a server that is not stuck is not reported" {
        # Long enough that a busy machine does not hold the server up for so long.
        r config set watchdog-period 1000
        set mark [log_mark]
        set end [expr {[now_ms] + 1500}]
        while {[now_ms] < $end} {
            r set k [r incr n]
            sleep 5
        }
        sleep 1500
        r debug sleep 0.01
        assert_equal 0 [reports_since $mark]
    }

    test "watchdog-period 0 ends the watch and its thread" {
        need [is_redust] "one thread of that name"
        r config set watchdog-period 200
        wait_for_condition {[has_helper]}
        r config set watchdog-period 0
        wait_for_condition {![has_helper]}
        set mark [log_mark]
        r debug sleep 0.6
        assert_equal 0 [reports_since $mark]
        # Redis ignores the signal then.
        send_signal [srv pid] ALRM
        sleep 50
        assert_equal PONG [r ping]
        assert_equal 0 [reports_since $mark]
    }

    test "the watchdog can be switched off and on in quick succession" {
        for {set i 0} {$i < 200} {incr i} {
            r config set watchdog-period [expr {$i % 2 ? 0 : 200}]
            if {$i % 20 == 0} { r debug sleep 0.21 }
        }
        r config set watchdog-period 200
        if {[is_redust]} { wait_for_condition {[has_helper]} }
        # A report may still be in the making; then a new one is not begun.
        wait_for_condition {[set mark [log_mark]; r debug sleep 0.4; sleep 300; reports_since $mark]} -within 10000
        assert_equal PONG [r ping]
    }

    test "a signal of somebody else is reported with a hint" {
        need [is_redust] "7.2 has no hint"
        r config set watchdog-period 10000
        set mark [log_mark]
        # While an earlier report is written it is not heard.
        set hint {Hint: not the timer but process * has sent this SIGALRM.}
        wait_for_condition {[send_signal [srv pid] ALRM; sleep 100; llength [log_lines_like $hint $mark]]}
        wait_for_log {*signal-handler (*) --------*} $mark
        assert_log {Running: no command} $mark
        assert_equal PONG [r ping]
    }

    test "BGSAVE with the watchdog on: no report from the child, and a whole snapshot" {
        r config set watchdog-period 1000
        r flushall
        populate 3000 k
        r config set rdb-key-save-delay 500
        set digest [r debug digest]
        set mark [log_mark]
        r bgsave
        wait_for_condition {![s rdb_bgsave_in_progress]} -within 20000
        assert_equal ok [s rdb_last_bgsave_status]
        assert_equal 0 [reports_since $mark]
        # The child ignores what would be its parent's signal.
        r bgsave
        set child [lindex [children_of [srv pid]] 0]
        sleep 100
        send_signal $child ALRM
        wait_for_condition {![s rdb_bgsave_in_progress]} -within 20000
        assert_equal ok [s rdb_last_bgsave_status]
        r config set rdb-key-save-delay 0
        # Forks while reports are written: a child must not inherit a lock that the writer holds.
        for {set i 0} {$i < 10} {incr i} {
            send_signal [srv pid] ALRM
            r bgsave
            wait_for_condition {![s rdb_bgsave_in_progress]} -within 20000
            assert_equal ok [s rdb_last_bgsave_status]
        }
        restart_server
        assert_equal $digest [r debug digest]
    }

    test "nothing is lost while the watchdog fires again and again" {
        r config set watchdog-period 200
        r flushall
        set mark [log_mark]
        set sleeper [redis_client -port [srv port]]
        $sleeper deferred 1
        set writers {}
        for {set i 0} {$i < 10} {incr i} {
            lappend writers [redis_client -port [srv port]]
            [lindex $writers end] deferred 1
        }
        set big [string repeat x 300000]
        set rounds 8
        for {set round 0} {$round < $rounds} {incr round} {
            $sleeper debug sleep 0.5
            $sleeper ping $round
            foreach c $writers {
                for {set n 0} {$n < 50} {incr n} { $c incr counter }
                $c rpush list $round
                # Longer than what a socket takes at once: reading and writing stop in the middle.
                $c set big:$round $big
                $c get big:$round
            }
            foreach c $writers {
                for {set n 0} {$n < 50} {incr n} { $c read }
                $c read
                assert_equal OK [$c read]
                assert_equal $big [$c read]
            }
            assert_equal OK [$sleeper read]
            assert_equal $round [$sleeper read]
        }
        assert_equal [expr {10 * 50 * $rounds}] [r get counter]
        assert_equal [expr {10 * $rounds}] [r llen list]
        assert {[reports_since $mark] >= 2} "[reports_since $mark] reports in $rounds rounds"
        foreach c [concat $sleeper $writers] { $c close }
    }

    test "blocking connections of our own go on after the signal" {
        need [is_redust] "the other end is a server of ours"
        r flushall
        r set k v
        start_server {} {
            set other [srv pid]
            set port [srv port]
            r -1 config set watchdog-period 200
            set mark [log_mark -1]
            # The target stops for a while: MIGRATE waits in a read that is interrupted.
            send_signal $other STOP
            exec sh -c "sleep 0.8; kill -CONT $other" &
            assert_equal OK [r -1 migrate 127.0.0.1 $port k 0 5000]
            assert_equal v [r get k]
            wait_for_condition {[llength [log_lines_like {*WATCHDOG TIMER EXPIRED*} $mark -1]]}
            assert_log {Running: migrateCommand, *} $mark -1
        }
    }

    test "CONFIG REWRITE keeps the period, and it counts from the start" {
        r config set watchdog-period 700
        r config rewrite
        assert_match "*\nwatchdog-period 700\n*" [read_file [srv conf]]
        restart_server
        assert_equal {watchdog-period 700} [r config get watchdog-period]
        set mark [log_mark]
        r debug sleep 1.2
        wait_for_log {*WATCHDOG TIMER EXPIRED*} $mark
        r config set watchdog-period 0
        r config rewrite
        assert_no_match "*\nwatchdog-period 700\n*" [read_file [srv conf]]
    }
}

start_server {tags {logging} overrides {watchdog-period 20 hz 20}} {
    test "a period in the file is raised as well; a silent log stays silent" {
        assert_equal {watchdog-period 100} [r config get watchdog-period]
        need_version 7.2
        r config set loglevel nothing
        r debug sleep 0.5
        sleep 300
        assert_equal 0 [reports_since 0]
    }
}
