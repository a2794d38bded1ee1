# Relative paths: each directive's path starts where Redis has it start, whatever the directory of the start was.

# Starts in %base/start with a configuration file that names `dir %base/data`, runs the body, ends the server.
proc with_paths {arguments lines body} {
    set base $::tmpdir/paths.[incr ::paths_serial]
    file mkdir $base/start $base/data/sub $base/conf
    set port [free_port]
    # `dir` comes last: it must count for the lines before it all the same, where Redis has it so.
    set text "port $port\nbind 127.0.0.1\nsave \"\"\nenable-protected-configs yes\nenable-debug-command yes\n"
    write_file $base/conf/p.conf [string map [list %base $base] $text$lines\n]
    upvar 1 base mine c c dir dir
    set mine $base
    set dir $base/data
    set pid [exec /usr/bin/env -C $base/start $::options(server) {*}[string map [list %base $base] $arguments] </dev/null >$base/out 2>$base/err &]
    watch_process $pid
    set code [catch {
        wait_for_condition {![catch {ping 127.0.0.1 $port} answer] && $answer eq "+PONG"} -what "answers: [tail $base/err 5]"
        set c [redis_client -host 127.0.0.1 -port $port]
        uplevel 1 $body
    } why info]
    catch {$c close}
    catch {send_signal $pid TERM}
    wait_for_condition {![process_alive $pid]} -within 8000
    unwatch_process $pid
    if {$code} { return -options $info $why }
}

test "dir: from the directory of the start; a second one from the first" {
    with_paths {../conf/p.conf --dir ../data --dir sub} {} {
        assert_equal [list dir $dir/sub] [$c config get dir]
        $c config set dir ..
        assert_equal [list dir $dir] [$c config get dir]
    }
}

test "logfile: in dir, and with CONFIG SET dir in the new one" {
    with_paths {../conf/p.conf} "logfile rel.log\nloglevel verbose\ndir %base/data" {
        assert_match "*eady to accept connections*" [read_file $dir/rel.log]
        assert_match "*Redis is starting*" [read_file $dir/rel.log]
        assert_equal 0 [file exists $base/start/rel.log]
        assert_equal {logfile rel.log} [$c config get logfile]
        assert_equal 0 [file exists $dir/sub/rel.log]
        $c config set dir $dir/sub
        $c config set loglevel debug
        set d [redis_client -host 127.0.0.1 -port [lindex [$c config get port] 1]]
        $d close
        wait_for_condition {[file exists $dir/sub/rel.log]} -within 3000
    }
    assert_equal {} [read_file $base/out]
}

test "logfile: a folder that is not there stops the start" {
    set base $::tmpdir/nolog
    file mkdir $base
    assert_equal 1 [catch {exec timeout 10 $::options(server) --port 0 --dir $base --logfile none/rel.log 2>@1} out]
    assert_match "*Can't open the log file: No such file or directory*" $out
}

test "pidfile: in dir, and removed at the end" {
    with_paths {../conf/p.conf} "pidfile rel.pid\ndir %base/data" {
        assert_equal [info_field [$c info server] process_id] [string trim [read_file $dir/rel.pid]]
        assert_equal 0 [file exists $base/start/rel.pid]
        assert_equal {pidfile rel.pid} [$c config get pidfile]
    }
    assert_equal 0 [file exists $base/data/rel.pid]
}

test "unixsocket: in dir, and removed at the end" {
    with_paths {../conf/p.conf} "unixsocket s\ndir %base/data" {
        assert_equal socket [file type $dir/s]
        assert_equal 0 [file exists $base/start/s]
    }
    assert_equal 0 [file exists $base/data/s]
}

test "dbfilename: in dir, and with CONFIG SET dir in the new one" {
    with_paths {../conf/p.conf} "dbfilename rel.rdb\ndir %base/data" {
        $c set k v
        $c save
        assert_equal 1 [file exists $dir/rel.rdb]
        $c config set dir sub
        $c save
        assert_equal 1 [file exists $dir/sub/rel.rdb]
        assert_equal 0 [file exists $base/start/rel.rdb]
        assert_error_like "*can't be a path*" {$c config set dbfilename sub/x.rdb}
    }
}

test "the configuration file: from the directory of the start, also for CONFIG REWRITE" {
    with_paths {../conf/p.conf --dir ../data} "maxmemory 1mb" {
        assert_equal $base/conf/p.conf [info_field [$c info server] config_file]
        $c config set maxmemory 2mb
        $c config set dir sub
        assert_equal OK [$c config rewrite]
        assert_match "*maxmemory 2mb*dir*/data/sub*" [read_file $base/conf/p.conf]
        assert_equal p.conf [glob -tails -directory $base/conf *]
    }
}

test "include: from the directory in force at its line" {
    write_file $::tmpdir/inc.conf "maxmemory 1mb\n"
    with_paths {../conf/p.conf} "include ../../inc.conf\ndir %base/data\ninclude ../../inc.conf\n" {
        assert_equal {maxmemory 1048576} [$c config get maxmemory]
    }
}

test "aclfile: in dir" {
    # Whether it is found shows in what it stops.
    set base $::tmpdir/acl
    file mkdir $base/data
    write_file $base/data/u.acl "user default on nopass sanitize-payload ~* &* +@all\n"
    write_file $base/a.conf "port [free_port]\nbind 127.0.0.1\naclfile u.acl\ndir $base/data\nlogfile x.log\n"
    set pid [exec /usr/bin/env -C $base $::options(server) $base/a.conf </dev/null >$base/out 2>$base/err &]
    watch_process $pid
    wait_for_condition {![catch {read_file $base/data/x.log} log] && [string match "*eady to accept*" $log]}
    send_signal $pid KILL
    wait_for_condition {![process_alive $pid]}
    unwatch_process $pid
}
