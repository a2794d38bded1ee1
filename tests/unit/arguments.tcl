# How the server is started: configuration files and their errors, include, arguments, standard input, --version.

# Runs the server to its end; returns its exit code and everything it printed.
proc run_server {args} {
    if {[catch {exec timeout 10 $::options(server) {*}$args 2>@1} out info]} {
        set code [lindex [dict get $info -errorcode] 2]
        return [list $code $out]
    }
    return [list 0 $out]
}

# A file that makes the server refuse to start: what it says.
proc refused {text args} {
    set conf $::tmpdir/bad.conf
    write_file $conf $text
    lassign [run_server $conf {*}$args] code out
    assert_equal 1 $code "exit code; output: $out"
    return $out
}

test "--version and --help" {
    foreach flag {-v --version} {
        lassign [run_server $flag] code out
        assert_equal 0 $code
        assert_match "*v=*malloc=*bits=64*" $out
    }
    foreach flag {-h --help} {
        lassign [run_server $flag] code out
        assert_match "*Usage:*--port*" $out
    }
}

test "a bad directive is named with its line and the reason" {
    set out [refused "port 0\n\n# fine\nnosuchdirective yes\n"]
    assert_match "*FATAL CONFIG FILE ERROR*" $out
    assert_match "*line 4*" $out
    assert_match "*>>> 'nosuchdirective yes'*Bad directive or wrong number of arguments*" $out
    assert_match "*>>> 'hz x'*argument couldn't be parsed into an integer*" [refused "hz x\n"]
    assert_match "*>>> 'port'*wrong number of arguments*" [refused "port\n"]
    assert_match "*>>> 'port 1 2'*wrong number of arguments*" [refused "port 1 2\n"]
    assert_match "*>>> 'maxmemory-policy foo'*argument(s) must be one of the following*" [refused "maxmemory-policy foo\n"]
    assert_match "*>>> 'logfile \"abc'*Unbalanced quotes in configuration line*" [refused "logfile \"abc\n"]
    assert_match "*>>> 'rename-command nosuch x'*No such command in rename-command*" [refused "rename-command nosuch x\n"]
    assert_match "*>>> 'rename-command get set'*Target command name already exists*" [refused "rename-command get set\n"]
}

test "a configuration file that is not there" {
    lassign [run_server /nonexistent/redust.conf] code out
    assert_equal 1 $code
    assert_match "*Fatal error, can't open config file '/nonexistent/redust.conf': No such file or directory*" $out
}

test "an argument that is no directive" {
    lassign [run_server --nosuch 1] code out
    assert_equal 1 $code
    assert_match "*FATAL CONFIG FILE ERROR*'nosuch \"1\"'*" $out
    lassign [run_server --port xyz] code out
    assert_match "*'port \"xyz\"'*argument couldn't be parsed into an integer*" $out
}

start_server {tags {arguments} args {--maxmemory 7mb --hz 42 --save 60 5 --appendfsync no}} {
    test "arguments override the file" {
        assert_equal {maxmemory 7340032} [r config get maxmemory]
        assert_equal {hz 42} [r config get hz]
        assert_equal {save {60 5}} [r config get save]
        assert_equal {appendfsync no} [r config get appendfsync]
    }
}

start_server {tags {arguments} args {"--hz 43" --proc-title-template --x --maxmemory-policy allkeys-lru}} {
    test "an option and its value in one argument, a value that begins with dashes" {
        assert_equal {hz 43} [r config get hz]
        assert_equal {proc-title-template --x} [r config get proc-title-template]
        assert_equal {maxmemory-policy allkeys-lru} [r config get maxmemory-policy]
    }
}

foreach empty {{--save ""} {--save} {--save --hz 12} {--save "" --hz 12} {--hz 12 --save}} {
    start_server [list tags {arguments} overrides {save "900 1"} args $empty] {
        test "save points are cleared by: $empty" {
            assert_equal {save {}} [r config get save]
            if {"12" in $empty} { assert_equal {hz 12} [r config get hz] }
        }
    }
}

start_server {tags {arguments} overrides {client-output-buffer-limit "pubsub 10 5 1"}
    args {--client-output-buffer-limit normal 1 2 3 --client-output-buffer-limit replica 4 5 6}} {
    test "a directive that may come several times" {
        assert_equal "normal 1 2 3 slave 4 5 6 pubsub 10 5 1" [lindex [r config get client-output-buffer-limit] 1]
    }
}

test "configuration from standard input, between the file and the arguments" {
    set port [free_port]
    set dir $::tmpdir/stdin
    file mkdir $dir
    write_file $dir/a.conf "port 0\nhz 21\ndir $dir\nsave \"\"\nmaxmemory 1mb\n"
    write_file $dir/input "hz 22\nmaxmemory 2mb\nport $port\n"
    set pid [exec $::options(server) $dir/a.conf --maxmemory 3mb - <$dir/input >$dir/log 2>$dir/err &]
    watch_process $pid
    wait_for_condition {![catch {ping 127.0.0.1 $port} answer] && $answer eq "+PONG"} -what "answers on $port"
    set c [redis_client -host 127.0.0.1 -port $port]
    assert_equal {hz 22} [$c config get hz]
    assert_equal {maxmemory 3145728} [$c config get maxmemory]
    catch {$c shutdown nosave}
    $c close
    wait_for_condition {![process_alive $pid]}
    unwatch_process $pid
}

test "no file at all, arguments only" {
    set port [free_port]
    set dir $::tmpdir/nofile
    file mkdir $dir
    set pid [exec $::options(server) --port $port --dir $dir --save "" --bind 127.0.0.1 >$dir/log 2>$dir/err </dev/null &]
    watch_process $pid
    wait_for_condition {![catch {ping 127.0.0.1 $port} answer] && $answer eq "+PONG"} -what "answers on $port"
    set c [redis_client -host 127.0.0.1 -port $port]
    assert_equal {} [info_field [$c info server] config_file]
    assert_error_like "ERR The server is running without a config file" {$c config rewrite}
    catch {$c shutdown nosave}
    $c close
    wait_for_condition {![process_alive $pid]}
    unwatch_process $pid
}

test "include: relative, absolute, globs, order, and what is missing" {
    set dir $::tmpdir/include
    file mkdir $dir/conf.d
    write_file $dir/conf.d/1.conf "hz 61\nmaxmemory 1mb\n"
    write_file $dir/conf.d/2.conf "maxmemory 2mb\n"
    write_file $dir/one.conf "maxmemory-samples 7\nhz 60\n"
    start_server [list overrides {hz 59} config_lines [list "include $dir/one.conf" "include $dir/conf.d/*.conf" "timeout 9"]] {
        assert_equal {hz 61} [r config get hz]
        assert_equal {maxmemory 2097152} [r config get maxmemory]
        assert_equal {maxmemory-samples 7} [r config get maxmemory-samples]
        assert_equal {timeout 9} [r config get timeout]
    }
    assert_match "*can't open config file*" [refused "include /nonexistent/x.conf\n"]
    assert_match "*>>> 'hz bad'*" [refused "include $dir/one.conf\nhz bad\n"]
}

start_server {tags {arguments} config_lines {
    {# comment} {   } {  hz   17  } {proc-title-template "a \x41\" b"} {requirepass 'it\'s'} {MaxMemory 1MB}
    {client-output-buffer-limit normal 1mb 2mb 3} {notify-keyspace-events ""}}} {
    test "the file's syntax: spaces, quotes, escapes, case" {
        set c [redis_client]
        $c auth it's
        assert_equal {hz 17} [$c config get hz]
        assert_equal [list proc-title-template "a A\" b"] [$c config get proc-title-template]
        assert_equal {maxmemory 1048576} [$c config get maxmemory]
        assert_equal {notify-keyspace-events {}} [$c config get notify-keyspace-events]
        $c close
    }
}

start_server {tags {arguments} config_lines {"save 900 1" "save 60 100"}} {
    test "save lines add up" {
        assert_equal {save {900 1 60 100}} [r config get save]
    }
}
