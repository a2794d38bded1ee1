# As a service: daemonize, pidfile, logfile, environment, logging.

# Starts a daemon in `dir`; returns its pid, read from the pidfile.
proc start_daemon {dir port args} {
    file mkdir $dir
    write_file $dir/d.conf "port $port\nbind 127.0.0.1\ndir $dir\nsave \"\"\ndaemonize yes\npidfile $dir/d.pid\nlogfile $dir/d.log\n[join $args \n]\n"
    exec $::options(server) $dir/d.conf </dev/null >$dir/out 2>$dir/err
    wait_for_condition {![catch {ping 127.0.0.1 $port} answer] && $answer eq "+PONG"} -what "the daemon answers"
    set pid [string trim [read_file $dir/d.pid]]
    watch_process $pid
    return $pid
}

proc end_daemon {pid {signal TERM}} {
    send_signal $pid $signal
    wait_for_condition {![process_alive $pid]} -within 8000 -what "the daemon ends"
    unwatch_process $pid
}

test "daemonize: in the background, in a session of its own, pidfile and log" {
    set dir $::tmpdir/daemon
    set port [free_port]
    set pid [start_daemon $dir $port]
    assert {[process_alive $pid]}
    regexp {.*\) \S (\d+) (\d+) (\d+)} [read_file /proc/$pid/stat] - parent group session
    assert_equal $pid $session
    assert_not_equal [pid] $parent
    set c [redis_client -host 127.0.0.1 -port $port]
    assert_equal $pid [info_field [$c info server] process_id]
    assert_match {*eady to accept connections*} [read_file $dir/d.log]
    assert_equal {} [read_file $dir/err]
    $c close
    end_daemon $pid
    assert_equal 0 [file exists $dir/d.pid]
    assert_match {*bye bye*} [read_file $dir/d.log]
}

test "every log line has the pid, the role, the time and the level" {
    foreach line [split [string trim [read_file $::tmpdir/daemon/d.log]] \n] {
        if {![regexp {^\d+:[XCSM] \d\d [A-Z][a-z][a-z] \d{4} \d\d:\d\d:\d\d\.\d{3} [.*#-] .} $line]} { lappend odd $line }
    }
    # The logo, where there is one, is the exception.
    assert {![info exists odd] || [llength $odd] < 25}
}

test "a log file is appended to and opened again after a rename" {
    set dir $::tmpdir/rotate
    set port [free_port]
    set pid [start_daemon $dir $port "loglevel verbose"]
    set c [redis_client -host 127.0.0.1 -port $port]
    file rename $dir/d.log $dir/d.log.1
    $c config set loglevel debug
    $c config set loglevel verbose
    set d [redis_client -host 127.0.0.1 -port $port]
    $d ping
    $d close
    wait_for_condition {[file exists $dir/d.log]} -within 3000
    $c close
    end_daemon $pid INT
}

test "a log file or pidfile that can't be written" {
    set dir $::tmpdir/badlog
    file mkdir $dir
    write_file $dir/c.conf "port 0\ndir $dir\nlogfile /nonexistent/x.log\n"
    assert_equal 1 [catch {exec timeout 10 $::options(server) $dir/c.conf 2>@1} out]
    assert_match "*Can't open the log file: No such file or directory*" $out
    start_server {overrides {pidfile /nonexistent/x.pid}} {
        assert_equal PONG [r ping]
    }
}

start_server {overrides {loglevel warning}} {
    test "loglevel hides what is less important" {
        set mark [log_mark]
        set c [redis_client]
        $c ping
        $c close
        assert_no_log {*Accepted*} $mark
        r config set loglevel verbose
        set c [redis_client]
        $c ping
        $c close
        wait_for_log {*Accepted 127.0.0.1:*} $mark
    }
}

start_server {overrides {syslog-enabled no always-show-logo yes set-proc-title yes}} {
    test "the logo carries pid and port, the process title names the server" {
        assert_match "*PID: [srv pid]*" [log_since 0]
        assert_match "*Port: [srv port]*" [log_since 0]
        assert_match "*127.0.0.1:[srv port]*" [string map {\0 { }} [read_file /proc/[srv pid]/cmdline]]
    }

    test "proc-title-template, longer than the arguments" {
        r config set proc-title-template "Title {title} {listen-addr} {port} {tls-port} {config-file} [string repeat x 100]"
        set title [string trim [read_file /proc/[srv pid]/cmdline] \0]
        assert_equal [list Title 127.0.0.1:[srv port] [srv port] 0 [string repeat x 100]] \
            [list {*}[lreplace [lreplace $title 5 5] 1 1]]
        # The environment is where it was for the server, though the title lies over it.
        r config set proc-title-template short
        assert_equal short [string trim [read_file /proc/[srv pid]/cmdline] \0]
        assert_error_like "ERR CONFIG SET failed*template format is invalid*" {r config set proc-title-template "{nosuch}"}
    }
}

# Starts with environment and arguments only; runs the body with `c` a client on the port; ends the server.
proc with_environment {env port arguments body} {
    set dir $::tmpdir/env.[incr ::env_serial]
    file mkdir $dir/cwd
    set command [list /usr/bin/env -C $dir/cwd {*}$env $::options(server) {*}$arguments]
    set pid [exec {*}$command </dev/null >$dir/log 2>$dir/err &]
    watch_process $pid
    upvar 1 c c home home
    set home $dir/cwd
    wait_for_condition {![catch {ping 127.0.0.1 $port} answer]} -what "answers on $port: [tail $dir/log 5] [tail $dir/err 5]"
    set c [redis_client -host 127.0.0.1 -port $port]
    set code [catch {uplevel 1 $body} why info]
    catch {$c close}
    end_daemon $pid KILL
    if {$code} { return -options $info $why }
}

start_server {} {
    set ours [is_redust]
}

test "REDUST_ADDR, REDUST_RDB_PATH, REDUST_RDB_AUTO_SAVE_SECS, REDUST_MAXMEMORY_BYTES" {
    need {$ours} "only Redust reads REDUST_* variables"
    set port [free_port]
    with_environment [list REDUST_ADDR=127.0.0.1:$port REDUST_RDB_PATH=data.rdb REDUST_RDB_AUTO_SAVE_SECS=77 REDUST_MAXMEMORY_BYTES=64mb] $port {} {
        assert_equal {save {77 1}} [$c config get save]
        assert_equal {maxmemory 67108864} [$c config get maxmemory]
        assert_equal {dbfilename data.rdb} [$c config get dbfilename]
        $c set a 1
        $c save
        assert_equal 1 [file exists $home/data.rdb]
    }
}

test "REDUST_AUTH_PASSWORD, and a path with a folder" {
    need {$ours} "only Redust reads REDUST_* variables"
    set port [free_port]
    file mkdir $::tmpdir/envdata
    with_environment [list REDUST_ADDR=127.0.0.1:$port REDUST_AUTH_PASSWORD=pw REDUST_RDB_PATH=$::tmpdir/envdata/x.rdb] $port {} {
        assert_error "NOAUTH Authentication required." {$c get a}
        assert_equal OK [$c auth pw]
        assert_equal [list dir $::tmpdir/envdata] [$c config get dir]
        assert_equal {dbfilename x.rdb} [$c config get dbfilename]
    }
}

test "file and arguments win over the environment" {
    need {$ours} "only Redust reads REDUST_* variables"
    set port [free_port]
    with_environment [list REDUST_ADDR=127.0.0.1:1 REDUST_MAXMEMORY_BYTES=1mb REDUST_RDB_AUTO_SAVE_SECS=5] $port \
        [list --port $port --bind 127.0.0.1 --maxmemory 2mb --save ""] {
        assert_equal {maxmemory 2097152} [$c config get maxmemory]
        assert_equal {save {}} [$c config get save]
    }
}

test "a bad variable is named" {
    need {$ours} "only Redust reads REDUST_* variables"
    foreach setting {REDUST_ADDR=nonsense REDUST_RDB_AUTO_SAVE_SECS=soon REDUST_MAXMEMORY_BYTES=much} {
        assert_equal 1 [catch {exec timeout 10 env $setting $::options(server) --port 0 2>@1} out] $setting
        assert_match "*[lindex [split $setting =] 0]*" $out
    }
}
