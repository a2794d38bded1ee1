# kill -9 at any moment: the snapshot on disk is always a whole one, the previous or the next.
#
# Every key carries the number of the round it was written in, so a file that mixes two rounds would show. The checker is
# the server binary itself under the name that makes it one.

proc check_file {checker path} {
    if {[catch {exec $checker $path 2>@1} out]} { fail "the checker refuses $path: $out" }
    return $out
}

# The processes that work in a directory.
proc processes_in {dir} {
    set found {}
    foreach link [glob -nocomplain /proc/\[1-9\]*/cwd] {
        if {![catch {file readlink $link} cwd] && $cwd eq $dir} { lappend found [lindex [file split $link] 2] }
    }
    return $found
}

# Writes round `n` into every key: one MSET, so that memory never holds a mixture either.
proc write_round {n keys} {
    set command mset
    for {set i 0} {$i < $keys} {incr i} { lappend command k$i "$n:[string repeat $n 30]" }
    r {*}$command
    r set round $n
}

# The one round that all keys of the loaded snapshot are of; fails when there is more than one.
proc loaded_round {keys} {
    if {[r dbsize] == 0} { return 0 }
    set n [lindex [split [r get k0] :] 0]
    foreach value [r mget {*}[lmap i [lsearch -all [lrepeat $keys x] x] { string cat k $i }]] {
        if {$value ne "$n:[string repeat $n 30]"} { fail "the snapshot mixes rounds: $n and [shorten $value 40]" }
    }
    return $n
}

start_server {tags {crash}} {
    set checker [server_as [expr {[is_redust] ? "redust-check-rdb" : "redis-check-rdb"}]]

    test "the checker tells good files from bad ones" {
        populate 50 k
        r save
        set path [srv dir]/dump.rdb
        assert_match "*RDB looks OK*" [check_file $checker $path]
        write_file $path.bad [string range [read_file $path] 0 end-20]
        assert_equal 1 [catch {exec $checker $path.bad 2>@1}]
        write_file $path.bad "no snapshot at all"
        assert_equal 1 [catch {exec $checker $path.bad 2>@1}]
        assert_equal 1 [catch {exec $checker $path.missing 2>@1}]
        file delete $path.bad
    }

    foreach {how rounds} {save 14 bgsave 14} {
        test "kill -9 during a loop of $how: always a whole old or new snapshot" {
            set keys 2000
            r flushall
            r save
            set saved 0
            set n 0
            for {set round 0} {$round < $rounds} {incr round} {
                set path [srv dir]/dump.rdb
                set first $saved
                set c [srv client]
                # Saves follow one another until the kill comes from outside, at a random moment.
                set delay [expr {[random_int 60] / 1000.0}]
                set pid [srv pid]
                set ::sv([srv id],gone_ok) 1
                exec sh -c "sleep $delay; kill -9 $pid" &
                set started $saved
                while 1 {
                    incr n
                    if {[catch {
                        write_round $n $keys
                        if {$how eq "save"} {
                            set started $n
                            r save
                            set saved $n
                        } else {
                            set started $n
                            r bgsave
                            while {[s rdb_bgsave_in_progress]} { sleep 1 }
                            if {[s rdb_last_bgsave_status] eq "ok"} { set saved $n }
                        }
                    } why]} break
                }
                # A child of the dead server may still be about to rename its file: the disk is at rest after it.
                wait_for_condition {![process_alive $pid] && [processes_in [srv dir]] eq {}} -within 10000
                check_file $checker $path
                restart_server
                set found [loaded_round $keys]
                if {$found != $saved && $found != $started} {
                    fail "saved round $saved, was at $started, found $found on disk"
                }
                set saved $found
                file delete {*}[glob -nocomplain [srv dir]/temp-*.rdb]
            }
        }
    }

    test "a temporary file that a crash left behind does not matter" {
        r flushall
        r set a 1
        r save
        write_file [srv dir]/temp-12345.rdb "rubbish"
        restart_server -signal KILL
        assert_equal 1 [r get a]
        assert_equal OK [r save]
    }

    test "the child ends when its server is killed" {
        r config set rdb-key-save-delay 20000
        populate 1000 k
        r bgsave
        set child [lindex [children_of [srv pid]] 0]
        assert_not_equal {} $child
        kill_server -signal KILL
        # It may notice at its next report of progress, not at once.
        wait_for_condition {![process_alive $child]} -within 5000 -what "the orphaned child ends"
        restart_server
    }
}

start_server {tags {crash}} {
    test "a crash leaves a report in the log" {
        set mark [log_mark]
        r select 9
        catch {r debug segfault}
        await_exit
        assert_log {*BUG REPORT START*} $mark
        assert_log {*crashed by signal: 11*} $mark
        foreach part {{*STACK TRACE*} {Running: debugCommand, *} {*INFO OUTPUT*} {*CURRENT CLIENT INFO*} {*db=9 cmd=debug*} {*redis_version:*} {*BUG REPORT END*}} { assert_log $part $mark }
        crash_expected
        restart_server
        assert_equal PONG [r ping]
    }

    test "a panic leaves a report in the log, from its START to its END" {
        foreach how {panic assert} {
            set mark [log_mark]
            catch {r debug $how}
            await_exit
            set log [log_since $mark]
            assert_match "*REDIS BUG REPORT START*ASSERTION FAILED*REDIS BUG REPORT END*" $log
            assert_equal 1 [regexp -all "BUG REPORT START" $log]
            crash_expected
            restart_server
        }
    }
}
