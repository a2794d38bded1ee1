# --check-config: all that is wrong with a configuration at once, without starting; and refusals of a start, which name their line.

start_server {} { set ours [is_redust] }

set ::check_dir $::tmpdir/check
file mkdir $::check_dir

# Checks a file with these lines; returns {status output}.
proc check_config {lines {arguments {}} {environment {}}} {
    write_file $::check_dir/c.conf $lines
    run_check [list $::check_dir/c.conf {*}$arguments] $environment
}

proc run_check {arguments {environment {}}} {
    set status 0
    set command [list /usr/bin/env {*}$environment $::options(server) --check-config {*}$arguments]
    if {[catch {exec {*}$command 2>@1} output options]} {
        set code [dict get $options -errorcode]
        set status [expr {[lindex $code 0] eq "CHILDSTATUS" ? [lindex $code 2] : -1}]
        set output [string map [list "\nchild process exited abnormally" ""] $output]
    }
    list $status $output
}

# Starts the server with the file of the last check; returns "running" or its last words.
proc start_checked {} {
    file delete $::check_dir/l.log
    set pid [exec $::options(server) $::check_dir/c.conf </dev/null >$::check_dir/out 2>$::check_dir/err &]
    watch_process $pid
    set end [expr {[clock milliseconds] + 8000}]
    set state {}
    while {$state eq {} && [clock milliseconds] < $end} {
        if {![process_alive $pid]} { set state stopped }
        set log [read_file $::check_dir/out]
        catch {append log [read_file $::check_dir/l.log]}
        if {[string match "*eady to accept*" $log]} { set state running }
        sleep 10
    }
    if {[process_alive $pid]} {
        send_signal $pid KILL
        wait_for_condition {![process_alive $pid]}
    }
    unwatch_process $pid
    return $state
}

set ::calm "bind 127.0.0.1\ndir $::check_dir\nsave \"\"\nmaxmemory 10mb\nmaxclients 100\ntcp-backlog 10\ndisable-thp yes\n"

test "a good configuration: status 0, and nothing is made or opened" {
    need {$ours} "it has no such option"
    set before [lsort [glob -nocomplain $::check_dir/*]]
    lassign [check_config "$::calm\nlogfile new.log\nunixsocket $::check_dir/new.sock\npidfile $::check_dir/new.pid\nappendonly yes\nport [free_port]"] status output
    assert_match "0 errors, * the server starts with this configuration" [lindex [split $output \n] end]
    assert_equal {} [glob -nocomplain $::check_dir/new.*]
    assert_equal {} [glob -nocomplain $::check_dir/appendonlydir]
    lassign [check_config $::calm] status output
    assert_equal 0 $status $output
}

test "all errors at once, with file and line, through includes, options and variables" {
    need {$ours} "it has no such option"
    write_file $::check_dir/part.conf "\n# nothing\nprot 6379\n"
    lassign [check_config "${::calm}include $::check_dir/part.conf\nmaxmemory much\nlookahead 1\n" {--hz many} {REDUST_ADDR=x REDUST_MAXMEMRY_BYTES=1}] status output
    assert_equal 1 $status
    assert_match "*error: $::check_dir/part.conf:3: 'prot 6379': Bad directive or wrong number of arguments\n    fix: did you mean 'port'?\n*" $output
    assert_match "*error: $::check_dir/c.conf:9: 'maxmemory much': argument must be a memory value\n*" $output
    assert_match "*error: $::check_dir/c.conf:10: 'lookahead 1': known to Redis 8.4 and later; this version does not have it\n*" $output
    assert_match "*error: option '--hz \"many\"': argument couldn't be parsed into an integer\n*" $output
    assert_match "*error: REDUST_ADDR: must be host:port*" $output
    assert_match "*warning: REDUST_MAXMEMRY_BYTES: *\n*did you mean 'REDUST_MAXMEMORY_BYTES'?\n*" $output
    assert_match "*5 errors, *the server does not start*" $output
}

test "warnings have a status of their own, and so has a wrong command line" {
    need {$ours} "it has no such option"
    lassign [check_config "${::calm}port 1\nport 2\n"] status output
    assert_equal 2 $status $output
    assert_match "*warning: $::check_dir/c.conf:9: 'port 2': *" $output
    lassign [check_config $::calm {--format xml}] status output
    assert_equal 64 $status
    lassign [run_check $::check_dir/missing.conf] status output
    assert_equal 1 $status
    assert_match "*error: *can't open config file '$::check_dir/missing.conf'*" $output
}

test "secrets are not shown" {
    need {$ours} "it has no such option"
    lassign [check_config "requirpass s3cret\nrequirepass s3cret\nrequirepass \"s3cret2\nuser bob on >s3cret\nmasterauth s3cret\nrename-command CONFIG s3cret\n" {} {REDUST_AUTH_PASSWORD=s3cret9}] status output
    assert_equal 1 $status
    assert_no_match "*s3cret*" $output
}

test "a configuration comes from standard input too, and the report as JSON" {
    need {$ours} "it has no such option"
    catch {exec $::options(server) --check-config - --format json << "${::calm}prot 1\n"} output
    assert_match {*"severity":"error","code":"line","file":"<standard input>","text":"prot 1",*"line":8*} [string map {unknown-directive line} $output]
    assert_match {*"severity":"summary","errors":1,*"status":1*} $output
}

test "a password that every user may read is a warning" {
    need {$ours} "it has no such option"
    write_file $::check_dir/c.conf "${::calm}requirepass 0123456789abcdef0123\n"
    file attributes $::check_dir/c.conf -permissions 0644
    lassign [run_check $::check_dir/c.conf] status output
    assert_equal 2 $status
    assert_match "*every user of this machine may read the file*fix: chmod o-r $::check_dir/c.conf\n*" $output
    file attributes $::check_dir/c.conf -permissions 0600
    assert_equal 0 [lindex [run_check $::check_dir/c.conf] 0]
    file delete $::check_dir/c.conf
}

test "the check has an error where the server does not start, and only there" {
    need {$ours} "it has no such option"
    file mkdir $::check_dir/d.rdb
    foreach lines {
        "" "appendonly yes" "logfile %dir/l.log" "logfile %dir/none/l.log" "logfile %dir" "pidfile %dir/none/p"
        "unixsocket %dir/none/s" "unixsocket %dir/s" "unixsocket %dir" "dir %dir/none" "dbfilename d.rdb" "appenddirname c.conf\nappendonly yes"
        "port 0" "port 0\nunixsocket %dir/s" "bind \"\"" "bind \"\"\nunixsocket %dir/s" "rename-command GET \"\"" "rename-command GETT x"
        "list-max-ziplist-entries 3" "vm-enabled no" "tls-port 1" "tls-port 1\nunavailable-directives warn" "requirepass \"a b\"" "requirepass \"a"
        "include %dir/none.conf" "include %dir/none*.conf" "include %dir/c.conf" "hz 0" "maxclients 0" "save 0 1" "user default on nopass ~* &* +@all" "user a on +nothing" "user a on (+get" "user a\nuser a"
    } {
        set text "port [free_port]\n$::calm\n[string map [list %dir $::check_dir] $lines]\n"
        lassign [check_config $text] status output
        set state [start_checked]
        assert_equal [expr {$state eq "running"}] [expr {$status != 1}] "$lines\n$output\n[read_file $::check_dir/out][read_file $::check_dir/err]"
        file delete -force $::check_dir/appendonlydir
    }
}

test "a directive that is refused, and one of another version: the start names the line" {
    need {$ours} "it works there"
    write_file $::check_dir/c.conf "dir $::check_dir\nport 7\n\nunixsocketgroup staff\n"
    assert_equal stopped [start_checked]
    assert_match "*Reading the configuration file, at line 4 of $::check_dir/c.conf\n>>> 'unixsocketgroup staff'\nunixsocketgroup: *" [read_file $::check_dir/err]
    write_file $::check_dir/c.conf "dir $::check_dir\nrdma-port 6380\n"
    assert_equal stopped [start_checked]
    assert_match "*>>> 'rdma-port 6380'\nBad directive or wrong number of arguments\nThe directive is known to Valkey 8.1 and later*" [read_file $::check_dir/err]
}

test "a variable that is not known is in the log" {
    need {$ours} "it has no variables"
    set pid [exec /usr/bin/env REDUST_MAXMEMORY=1gb REDUST_PORT=tcp://10.0.0.1:6379 $::options(server) --port [free_port] --bind 127.0.0.1 --dir $::check_dir --save {} </dev/null >$::check_dir/out 2>$::check_dir/err &]
    watch_process $pid
    wait_for_condition {[string match "*eady to accept*" [read_file $::check_dir/out]]}
    send_signal $pid KILL
    wait_for_condition {![process_alive $pid]}
    unwatch_process $pid
    assert_match "*# WARNING: The environment variable REDUST_MAXMEMORY is not known.*" [read_file $::check_dir/out]
    assert_no_match "*REDUST_PORT*" [read_file $::check_dir/out]
}

test "a snapshot that a start with an append-only file would not read is a warning" {
    need {$ours} "it has no such option"
    file mkdir $::check_dir/unread
    write_file $::check_dir/unread/dump.rdb "REDIS0011"
    lassign [check_config "${::calm}dir $::check_dir/unread\nappendonly yes\n"] status output
    assert_equal 2 $status $output
    assert_match "*there is a snapshot and no append-only file yet: the server starts empty*" $output
}
