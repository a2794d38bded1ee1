# What `make install` puts where, that `make uninstall` takes it away again, and that the installed configuration works.

need_tool make make
set packaging $::root/tools/packaging

# Everything below a folder, relative to it, folders with a slash at the end.
proc tree {dir {under {}}} {
    set found {}
    foreach name [lsort [glob -nocomplain -directory $dir -tails *]] {
        set path $dir/$name
        if {[file type $path] eq "directory"} {
            lappend found $under$name/ {*}[tree $path $under$name/]
        } else { lappend found $under$name }
    }
    return $found
}
proc files_of {dir} { lsearch -all -inline -not -glob [tree $dir] */ }

# The program is there already: no build.
proc make {target dir args} {
    exec make --no-print-directory -s -C $::root -o build $target DESTDIR=$dir SERVER=[file normalize $::options(server)] {*}$args 2>@1
}

# Directives of the installed file: {line name value active}. `#name value` is one that is not in use.
proc directives_of {path} {
    set found {}
    set n 0
    foreach line [split [read_file $path] \n] {
        incr n
        if {[regexp {^(#?)([a-z][a-z0-9-]*) (.*)$} $line - off name value]} { lappend found [list $n $name $value [expr {$off eq {}}]] }
    }
    return $found
}

# Settings that the log calls idle, but for those that the suite itself gives.
proc without_effect {} {
    set found {}
    foreach line [log_lines_like "*has no effect*"] {
        regexp {'([^']+)'} $line - name
        if {$name ni {shutdown-timeout}} { lappend found $name }
    }
    return $found
}

test "install and uninstall leave what was there before" {
    set dir $::tmpdir/root
    file mkdir $dir
    make install $dir
    assert_equal {
        etc/redust/backup.conf etc/redust/redust.conf etc/redust/sentinel.conf
        usr/local/bin/redust-backup usr/local/bin/redust-check-aof usr/local/bin/redust-check-rdb usr/local/bin/redust-sentinel
        usr/local/bin/redust-server usr/local/lib/systemd/system/redust-backup.service
        usr/local/lib/systemd/system/redust-backup.timer usr/local/lib/systemd/system/redust-sentinel.service
        usr/local/lib/systemd/system/redust.service usr/local/lib/sysusers.d/redust.conf usr/local/lib/tmpfiles.d/redust.conf
        usr/local/share/man/man1/redust-backup.1 usr/local/share/man/man1/redust-check-aof.1
        usr/local/share/man/man1/redust-check-rdb.1 usr/local/share/man/man1/redust-server.1
        usr/local/share/man/man5/redust.conf.5
    } "\n        [join [lmap row {{0 2} {3 6} {7 8} {9 10} {11 13} {14 15} {16 17} {18 18}} { lrange [files_of $dir] {*}$row }] "\n        "]\n    "
    assert_equal redust-server [file readlink $dir/usr/local/bin/redust-check-rdb]
    set unit [read_file $dir/usr/local/lib/systemd/system/redust.service]
    assert_match "*\nExecStart=/usr/local/bin/redust-server /etc/redust/redust.conf *" $unit

    # What the operator has changed stays, and what is not ours.
    write_file $dir/etc/redust/redust.conf "port 1\n"
    write_file $dir/usr/local/bin/other x
    file link -symbolic $dir/usr/local/bin/redis-server other
    assert_match "*redust.conf is there and stays*" [make install $dir]
    assert_equal "port 1\n" [read_file $dir/etc/redust/redust.conf]
    assert_match "*redust.conf was changed and stays*" [make uninstall $dir]
    assert_equal {etc/redust/redust.conf usr/local/bin/other usr/local/bin/redis-server} [files_of $dir]
}

test "another PREFIX has its own settings, and the units say so" {
    set dir $::tmpdir/prefix
    file mkdir $dir
    make install $dir PREFIX=/opt/redust LINKS=1
    foreach path {etc/redust/redust.conf bin/redis-server bin/redis-check-rdb bin/redis-check-aof share/man/man1/redust-backup.1} {
        assert {[file exists $dir/opt/redust/$path]} $path
    }
    set unit [read_file $dir/opt/redust/lib/systemd/system/redust-backup.service]
    assert_match "*\nExecStart=/opt/redust/bin/redust-backup --config /opt/redust/etc/redust/backup.conf\n*" $unit
    assert_no_match "*/usr/local*" $unit
    assert_no_match "*=/etc*" [read_file $dir/opt/redust/lib/systemd/system/redust.service]
    make uninstall $dir PREFIX=/opt/redust
    assert_equal {} [files_of $dir]
    assert {![file exists $dir/opt/redust/etc/redust]}
}

test "the server starts with the installed configuration, and with each of its directives" {
    set dir $::tmpdir/conf
    file mkdir $dir
    set lines {}
    foreach entry [directives_of $packaging/redust.conf] {
        lassign $entry n name value active
        if {$active && $name ni {dir port}} { lappend lines "$name $value" }
    }
    start_server [list config_lines $lines overrides {save {3600 1 300 100 60 10000}}] {
        need {[is_redust]} "the file is for our server"
        assert_equal {} [without_effect]
        # The test's own settings show up as well; what the file says about defaults must be true.
        set plain {}
        foreach entry [directives_of $packaging/redust.conf] {
            lassign $entry n name value active
            if {!$active} { lappend plain $entry }
        }
        assert {[llength $plain] > 60}
    }
    set port [free_port]
    write_file $dir/include.conf ""
    foreach entry $plain {
        lassign $entry n name value
        set given $value
        if {$name in {unixsocket pidfile logfile}} { set given $dir/[file tail $value] }
        if {$name eq "include"} { set given $dir/include.conf }
        lappend all "$name $given"
    }
    # All of them at once; they must not be in each other's way either.
    start_server [list config_lines [lsearch -all -inline -not -regexp $all {^(daemonize|supervised|requirepass|syslog-enabled|logfile) }]] {
        assert_equal {} [without_effect]
        assert_equal PONG [r ping]
        assert_error_like "ERR unknown command*" {r flushall}
    }
    foreach line [lsearch -all -inline -regexp $all {^(daemonize|supervised|syslog-enabled|logfile) }] {
        start_server [list config_lines [list $line] wait [expr {[string match logfile* $line] ? "alive" : "loaded"}]] {
            assert_equal PONG [r ping]
        }
    }
}

test "what the installed configuration gives as defaults are the server's" {
    set examples {unixsocket unixsocketperm requirepass metrics-token rename-command pidfile logfile include unavailable-directives
        tls-cert-file tls-key-file tls-ca-cert-file}
    set conf $::tmpdir/defaults.conf
    set port [free_port]
    write_file $conf "port $port\nbind 127.0.0.1\ndir $::tmpdir\n"
    set pid [exec $::options(server) $conf </dev/null >$::tmpdir/defaults.log 2>@1 &]
    watch_process $pid
    wait_for_condition {![catch {ping 127.0.0.1 $port} answer] && $answer eq "+PONG"}
    set c [redis_client -host 127.0.0.1 -port $port]
    need {[info_field [$c info] redust_version] ne {}} "the file is for our server"
    foreach entry [directives_of $packaging/redust.conf] {
        lassign $entry n name value active
        if {$active || $name in $examples} continue
        set value [string trim $value \"]
        set found [lindex [$c config get $name] 1]
        if {[regexp {^(\d+)(mb|kb)$} $value - number unit]} { set value [expr {$number << ($unit eq "mb" ? 20 : 10)}] }
        if {$name eq "client-output-buffer-limit"} {
            set value [string map {replica slave 256mb 268435456 64mb 67108864 32mb 33554432 8mb 8388608} $value]
            assert_match "*$value*" $found
            continue
        }
        assert_equal $value $found "$name, line $n"
    }
    $c close
    send_signal $pid TERM
    wait_for_condition {![process_alive $pid]}
    unwatch_process $pid
}

test "redust-backup takes the installed configuration" {
    need_tool python3 python3
    set dir $::tmpdir/backups
    file mkdir $dir
    start_server {} {
        set own [server_as [expr {[is_redust] ? "redust-check-rdb" : "redis-check-rdb"}]]
        set text [read_file $packaging/backup.conf]
        regsub -all -line {^#(host|timeout) } $text {\1 } text
        write_file $dir.conf [string map [list /var/backups/redust $dir "port 6379" "port [srv port]"] $text]
        assert_equal {} [exec python3 $::root/tools/redust-backup --config $dir.conf --check-rdb $own 2>@1]
        assert_equal 1 [llength [glob $dir/*Z.rdb]]
    }
}

test "systemd and man find nothing wrong" {
    set seen 0
    set dir $::tmpdir/units
    file mkdir $dir
    if {[tool systemd-analyze] ne {}} {
        incr seen
        # The programs and pages are not installed here.
        foreach path [glob $packaging/*.service $packaging/*.timer] {
            regsub -all -line {^(ExecStart)=\S+} [read_file $path] {\1=/bin/true} text
            regsub -all -line {^Documentation=.*$} $text {} text
            write_file $dir/[file tail $path] $text
        }
        assert_equal {} [exec systemd-analyze verify {*}[glob $dir/*] 2>@1]
    }
    if {[tool man] ne {}} {
        incr seen
        foreach page [glob $::root/doc/man/*] { assert_equal {} [exec sh -c {exec man -l --warnings=all "$1" 2>&1 >/dev/null} sh $page] $page }
    }
    if {!$seen} { skip "neither systemd-analyze nor man is installed" }
}
