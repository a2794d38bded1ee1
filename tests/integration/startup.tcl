# What a start says and does: limits of the system, supervisors, the process's title and its file, the log's first lines.

# Starts with these arguments (and prefix command); returns the log once it matches `until`, or the process has ended.
proc start_log {arguments until {prefix {}}} {
    set dir $::tmpdir/start.[incr ::start_serial]
    file mkdir $dir
    set pid [exec {*}$prefix $::options(server) {*}[string map [list %dir $dir] $arguments] </dev/null >$dir/out 2>$dir/err &]
    watch_process $pid
    upvar 1 title title state state
    set end [expr {[clock milliseconds] + 8000}]
    set state running
    while {![string match $until [read_file $dir/out]] && [clock milliseconds] < $end} {
        if {![process_alive $pid]} { set state ended; break }
        sleep 10
    }
    catch {set title [string trim [read_file /proc/$pid/cmdline] \0]}
    if {[process_alive $pid]} {
        send_signal $pid KILL
        send_signal $pid CONT
        wait_for_condition {![process_alive $pid]}
    }
    unwatch_process $pid
    return [read_file $dir/out][read_file $dir/err]
}

start_server {} { set ours [is_redust] }

test "too few open files end the start with a reason" {
    set log [start_log "--port [free_port] --dir %dir" "*eady to accept*" {bash -c {ulimit -n 30; exec "$@"} -}]
    assert_equal ended $state
    assert_match "*# Your current 'ulimit -n' of 30 is not enough for the server to start. Please increase your open file limit to at least 10032. Exiting.*" $log
}

test "maxclients is fitted to the limit of open files, and the log tells how" {
    set log [start_log "--port [free_port] --dir %dir --maxclients 5000" "*eady to accept*" {bash -c {ulimit -n 500; exec "$@"} -}]
    assert_equal running $state
    assert_match "*# You requested maxclients of 5000 requiring at least 5032 max file descriptors.*" $log
    assert_match "*# Server can't set maximum open files to 5032 because of OS error: Operation not permitted.*" $log
    assert_match "*# Current maximum open files is 500. maxclients has been reduced to 468 to compensate for low ulimit.*" $log
}

test "the warning about a missing configuration file comes only without any argument" {
    assert_no_match "*no config file specified*" [start_log "--port [free_port] --dir %dir" "*eady to accept*"]
    assert_match "*Configuration loaded*" [start_log "--port [free_port] --dir %dir" "*eady to accept*"]
    # Whether 6379 is free or not, the line is there.
    set log [start_log {} "*no config file specified*" [list env -C $::tmpdir]]
    assert_match "*# Warning: no config file specified, using the default config. In order to specify a config file use * /path/to/redis.conf*" $log
}

test "a port that is taken: the log's words" {
    set port [free_port]
    set taken [socket -server {} -myaddr 127.0.0.1 $port]
    set log [start_log "--port $port --bind 127.0.0.1 --dir %dir" "*eady to accept*"]
    close $taken
    assert_equal ended $state
    assert_match "*# Warning: Could not create server TCP listening socket 127.0.0.1:$port: bind: Address already in use\n*" $log
    assert_match "*# Failed listening on port $port (tcp), aborting.\n*" $log
}

test "a unix socket that can't be opened: the log's words" {
    set log [start_log "--port 0 --unixsocket %dir/none/s --dir %dir" "*eady to accept*"]
    assert_equal ended $state
    assert_match "*# Failed opening Unix socket: bind: No such file or directory\n*" $log
}

test "an optional address that this host does not have is left out with a warning" {
    set port [free_port]
    set log [start_log "--port $port --bind 127.0.0.1 -192.0.2.77 --dir %dir" "*eady to accept*"]
    assert_equal running $state
    assert_match "*# Warning: Could not create server TCP listening socket 192.0.2.77:$port: bind: Cannot assign requested address\n*" $log
    set log [start_log "--port $port --bind 192.0.2.77 --dir %dir" "*eady to accept*"]
    assert_equal ended $state
}

test "a name in bind is one of IPv4" {
    start_log "--port [free_port] --bind localhost --dir %dir" "*eady to accept*"
    assert_equal running $state
}

test "the title names the first address, or the unix socket" {
    set port [free_port]
    start_log "--port $port --bind -127.0.0.1 --dir %dir" "*eady to accept*"
    assert_match "* -127.0.0.1:$port" $title
    start_log "--port 0 --unixsocket %dir/s --dir %dir" "*eady to accept*"
    assert_match "* unixsocket:*/s" $title
}

test "supervised systemd: an unreachable NOTIFY_SOCKET and a missing one are told apart" {
    need {$ours} "redis-server may be built without systemd"
    set arguments "--port [free_port] --dir %dir --supervised systemd"
    set log [start_log $arguments "*eady to accept*" {env NOTIFY_SOCKET=/nonexistent/notify}]
    assert_match "*# systemd supervision error: sd_notify: No such file or directory*" $log
    set log [start_log $arguments "*eady to accept*" {env -u NOTIFY_SOCKET}]
    assert_match "*# systemd supervision error: NOTIFY_SOCKET not found!*" $log
    set log [start_log "--port [free_port] --dir %dir --supervised upstart" "*eady to accept*" {env -u UPSTART_JOB}]
    assert_match "*# upstart supervision requested, but UPSTART_JOB not found!*" $log
}

test "a daemon without a pidfile has one, and removes it" {
    set path /var/run/redis.pid
    need {![file exists $path] && [file writable [file dirname $path]]} "$path can't be used here"
    set port [free_port]
    exec $::options(server) --port $port --bind 127.0.0.1 --daemonize yes --dir $::tmpdir --logfile $::tmpdir/d.log --save "" </dev/null
    wait_for_condition {![catch {ping 127.0.0.1 $port}]}
    set pid [string trim [read_file $path]]
    watch_process $pid
    set c [redis_client -host 127.0.0.1 -port $port]
    assert_equal [list pidfile $path] [$c config get pidfile]
    assert_equal $pid [info_field [$c info server] process_id]
    $c close
    send_signal $pid TERM
    wait_for_condition {![process_alive $pid]} -within 8000
    unwatch_process $pid
    assert_equal 0 [file exists $path]
    assert_match "*\\* User requested shutdown...*Removing the pid file.*" [read_file $::tmpdir/d.log]
}

start_server {} {
    test "a save that fails says which step, where and why" {
        r set k v
        set dir [srv dir]/gone
        file mkdir $dir
        r config set dir $dir
        file delete -force $dir
        set mark [log_mark]
        assert_error_like ERR* {r save}
        assert_log "*# Failed opening the temp RDB file temp-[srv pid].rdb (in server root dir unknown) for saving: No such file or directory" $mark
        file mkdir $dir
        r config set dir [srv dir]
        file mkdir [srv dir]/dump.rdb/in-the-way
        set mark [log_mark]
        assert_error_like ERR* {r save}
        assert_log "*# Error moving temp DB file temp-[srv pid].rdb on the final destination dump.rdb (in server root dir [srv dir]): *directory*" $mark
        file delete -force [srv dir]/dump.rdb
    }

    test "a snapshot that can't be opened: the log's words" {
        kill_server -signal KILL
        file delete -force [srv dir]/dump.rdb
        # A file without a right to read is no obstacle for root; a loop of links is.
        exec ln -s dump.rdb [srv dir]/dump.rdb
        set mark [log_mark]
        restart_server -fails 1
        assert_log "*# Fatal error: can't open the RDB file dump.rdb for reading: Too many levels of symbolic links" $mark
        assert_log "*# Fatal error loading the DB, check server logs. Exiting." $mark
        file delete [srv dir]/dump.rdb
        restart_server
    }
}

test "without descriptors the server waits for some, and neither fills its log nor holds up its clients" {
    start_server {} {
        set pid [srv 0 pid]
        set log [srv 0 stdout]
        r ping
        # The next one is what the system may not give out.
        set inuse [llength [glob -directory /proc/$pid/fd *]]
        exec prlimit --pid $pid --nofile=$inuse:[lindex [exec prlimit --pid $pid --nofile --noheadings --output HARD] 0]
        set s [socket 127.0.0.1 [srv 0 port]]
        fconfigure $s -translation binary -buffering none
        wait_for_condition {[string match "*Accepting client connection*" [read_file $log]]}
        after 500
        set lines [regexp -all {Accepting client connection} [read_file $log]]
        assert_between 1 20 $lines
        set started [clock microseconds]
        for {set i 0} {$i < 200} {incr i} { r ping }
        assert {[clock microseconds] - $started < 200000} "a PING does not wait for them"
        exec prlimit --pid $pid --nofile=[expr {$inuse + 10}]:[expr {$inuse + 10}]
        puts -nonewline $s "PING\r\n"
        assert_equal "+PONG\r" [gets $s]
        close $s
    }
}
