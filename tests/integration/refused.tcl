# What a configuration must not ask for as long as it can't be done: such a start is refused, with the reason.

# Runs the server with a configuration file; returns {exit-code output}, or {0 running} if it serves.
proc try_start {lines {environment {}}} {
    set dir $::tmpdir/refused.[incr ::refused_serial]
    file mkdir $dir
    set port [free_port]
    write_file $dir/r.conf "port $port\nbind 127.0.0.1\ndir $dir\nsave \"\"\n[string map [list %dir $dir] $lines]\n"
    set pid [exec /usr/bin/env {*}$environment $::options(server) $dir/r.conf </dev/null >$dir/out 2>$dir/err &]
    watch_process $pid
    set end [expr {[clock milliseconds] + 8000}]
    set state {}
    while {$state eq {} && [clock milliseconds] < $end} {
        if {![process_alive $pid]} {
            set state stopped
        } elseif {![catch {ping 127.0.0.1 $port} answer]} {
            set state running
        }
        sleep 10
    }
    if {$state eq "running"} {
        send_signal $pid KILL
        wait_for_condition {![process_alive $pid]}
    }
    unwatch_process $pid
    return [list $state [read_file $dir/out][read_file $dir/err]]
}

start_server {} { set ours [is_redust] }

foreach {lines reason} {
    "cluster-enabled yes" {*cluster-enabled: cluster mode is not available yet*}
    "user guest on nonsense" {*Error in user declaration 'nonsense': Syntax error*}
    "role reader nonsense" {*Error in role declaration 'nonsense': Syntax error*}
    "role reader >s3cret" {*Error in role declaration 'reader': The rule is about users, roles can't have it*}
    "role reader\nrole reader +get" {*Error in role declaration 'reader': Duplicate role found*}
    "role \"\" +get" {*Error in role declaration '': Role names can't be empty*}
    "user guest on role=gone" {*Error in user declaration 'role=gone': The role does not exist*}
    "user guest on\nuser guest off" {*Error in user declaration 'guest': Duplicate user found*}
    "loadmodule /nonexistent.so" {*modules can't be loaded*}
    "import-mode yes" {*import-mode: *}
    "unixsocketgroup root" {*unixsocketgroup: *}
} {
    test "'$lines' stops the start with a reason" {
        need {$ours} "it works there"
        lassign [try_start $lines] state output
        assert_equal stopped $state
        assert_match "*FATAL CONFIG FILE ERROR*" $output
        assert_match $reason $output
    }
}

test "users that can't be as they are written stop the start, with the reason in the log" {
    write_file $::tmpdir/u.acl "user a on nopass ~* +nothing\n"
    foreach {lines reason} {
        "aclfile missing.acl" {*Aborting Redis startup because of ACL errors: Error loading ACLs, opening file 'missing.acl': No such file or directory*}
        "aclfile %tmp/u.acl" {*Aborting Redis startup because of ACL errors: *u.acl:1: Error in applying operation '+nothing': Unknown command or category name in ACL. *}
        "aclfile %tmp/u.acl\nrole b +get" {*please define either an ACL file or declare users directly in your redis.conf, but not both*}
        "aclfile %tmp/u.acl\nuser b on" {*please define either an ACL file or declare users directly in your redis.conf, but not both*}
        "user b on +nothing" {*Error loading ACL rule '+nothing' for the user named 'b': Unknown command or category name in ACL*Critical error while loading ACLs. Exiting.*}
    } {
        lassign [try_start [string map [list %tmp $::tmpdir] $lines]] state output
        assert_equal stopped $state $lines
        assert_match $reason $output
    }
}

test "the default user as CONFIG REWRITE writes it, and other users, start" {
    foreach lines {
        "user default on nopass sanitize-payload ~* &* +@all"
        "requirepass abc\nuser default on sanitize-payload #ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad ~* &* +@all"
        "user guest on nopass ~x* +get (+set ~y)"
        "user sleeper"
    } {
        lassign [try_start $lines] state output
        assert_equal running $state $output
    }
}

test "appendonly no after appendonly yes, and what harms nobody, starts" {
    foreach lines {"appendonly yes\nappendonly no" "appendonly no\nappendfsync always" "masterauth secret" "io-threads 2" "min-replicas-to-write 1"} {
        lassign [try_start $lines] state output
        assert_equal running $state "$lines\n$output"
    }
}

test "unavailable-directives warn makes it a warning" {
    need {$ours} "it works there"
    foreach {lines environment} {"import-mode yes\nunavailable-directives warn" {} "import-mode yes" REDUST_UNAVAILABLE_DIRECTIVES=warn} {
        lassign [try_start $lines $environment] state output
        assert_equal running $state
        assert_match "*# WARNING: import-mode: *" $output
    }
}

start_server {} {
    test "a server that is told to keep an audit log does not start without it" {
        lassign [try_start "audit-log /no/such/dir/audit.log"] state output
        assert_equal stopped $state
        assert_match "*Can't open the audit log '/no/such/dir/audit.log': No such file or directory*" $output
    }

    test "CONFIG SET refuses what would stop the start, and keeps the old value" {
        need [is_redust] "it works there"
        foreach {name value old} {import-mode yes no} {
            assert_error_like "ERR CONFIG SET failed (possibly related to argument '$name') - *available*" {r config set $name $value}
            assert_equal [list $name $old] [r config get $name]
            assert_equal OK [r config set $name $old]
        }
        assert_error_like "*argument 'import-mode'*" {r config set maxmemory 100mb import-mode yes}
        assert_equal {maxmemory 0} [r config get maxmemory]
    }

    test "CONFIG SET activedefrag yes is accepted, as the file accepts it; the log says once that it has no effect" {
        need [is_redust] "7.2 needs its own jemalloc"
        set mark [log_mark]
        assert_equal OK [r config set activedefrag yes]
        assert_equal OK [r config set activedefrag no]
        assert_equal OK [r config set activedefrag yes]
        assert_equal 1 [llength [log_lines_like "*'activedefrag' is accepted but has no effect*" $mark]]
        r config set activedefrag no
    }
}
