# tools/redust-backup: copies that restore to the same data, retention, reasons of failure, figures for monitoring.

set python [lindex [tool python3] 0]
if {$python eq {}} { skip "python3 is not installed, and redust-backup is written in it (Debian: python3)" }
# The interpreter itself, where the name stands for a script that looks for it each time.
if {[catch {exec $python -c "import sys; assert sys.version_info >= (3, 9); print(sys.executable)"} python]} {
    skip "redust-backup needs python3 3.9 or later"
}
set ::backup_program [list $python $::root/tools/redust-backup]

# The checker of our own, or the reference's where the server under test is that.
proc checker {kind} {
    set own [server_as redust-check-$kind]
    # Redis's program would be a server by such a name.
    if {[string match "*redust*" [exec $::options(server) --version]]} {
        catch {exec $own 2>@1} told
        if {[string match "Usage*" $told]} { return $own }
    }
    need_tool redis-check-$kind redis-tools
    return redis-check-$kind
}

# A fresh folder for backups.
proc store {} {
    set dir $::tmpdir/store.[incr ::store_serial]
    file mkdir $dir
    return $dir
}
set ::store_serial 0

proc command_of {dir options} {
    if {"--check-rdb" ni $options && "--check-aof" ni $options && "--no-verify" ni $options} {
        set kind [expr {"--aof" in $options ? "aof" : "rdb"}]
        lappend options --check-$kind [checker $kind]
    }
    if {"--port" ni $options && "--socket" ni $options && "--file" ni $options} { lappend options --port [srv port] }
    return [list {*}$::backup_program {*}$options $dir]
}

# The exit code and what was said, both outputs.
proc backup {dir args} {
    set code [catch {exec {*}[command_of $dir $args] </dev/null 2>@1} text info]
    if {!$code} { return [list 0 $text] }
    set how [dict get $info -errorcode]
    regsub {\nchild process exited abnormally$} $text {} text
    list [lindex $how 2] $text
}

proc assert_backup {dir args} {
    lassign [uplevel 1 [list backup $dir {*}$args]] code text
    if {$code ne "0"} { fail "the backup failed with $code: $text" }
    return $text
}

proc assert_refused {code glob result} {
    assert_equal $code [lindex $result 0] $result
    assert_match "redust-backup: $glob" [lindex $result 1]
    assert_equal 1 [llength [split [lindex $result 1] \n]] "one line"
}

# Starts one that goes on by itself; returns its process id.
proc start_backup {dir args} {
    set pid [exec {*}[command_of $dir $args] </dev/null >$dir.out 2>@1 &]
    watch_process $pid
    return $pid
}

proc await_backup {pid} {
    wait_for_condition {![process_alive $pid]} -within 30000 -what "redust-backup ends"
    unwatch_process $pid
}

# Writes until the process has ended: each transaction leaves a, b and the list equally long.
proc write_until_gone {pid} {
    set n 0
    while {[process_alive $pid]} {
        set batch {}
        for {set i 0} {$i < 200} {incr i} {
            lappend batch multi {incr a} {incr b} [list rpush log [string repeat x [incr n]]] \
                {ltrim log -100 -1} [list hset h f$n [string repeat y 300]] {incr c} exec
            if {$n > 400} { set n 0 }
        }
        pipeline $batch
    }
    unwatch_process $pid
}

proc names {dir} { lsort [lmap path [glob -nocomplain -directory $dir *] { file tail $path }] }
proc newest {dir kind} { return $dir/[file readlink $dir/redust-latest.$kind] }
proc percentage {} { lindex [r config get auto-aof-rewrite-percentage] 1 }
proc wait_idle {} {
    wait_for_condition {[s aof_rewrite_in_progress] == 0 && [s aof_rewrite_scheduled] == 0 && [s rdb_bgsave_in_progress] == 0} -within 20000
}

# Ends a child that was made slow: it gives up, as at a shutdown.
proc end_child {} {
    r config set rdb-key-save-delay 0
    foreach child [children_of [srv pid]] { send_signal $child USR1 }
}

proc fill {} {
    populate 3000 key: 100
    r select 3
    r rpush list {*}[lrepeat 300 element]
    r zadd zset 1.5 a 2 b
    r select 0
    r hset hash f v
    r set volatile v px 4102444800123
}

# Steps of doc/backup.md: a snapshot goes to `dir` under `dbfilename`; append-only files into the folder `appenddirname`.
proc restore_rdb {backup} {
    kill_server -signal KILL
    file copy -force $backup [srv dir]/dump.rdb
    restart_server
}
proc restore_aof {backup} {
    kill_server -signal KILL
    file delete -force [srv dir]/appendonlydir
    file copy $backup [srv dir]/appendonlydir
    restart_server
}

set servers [list "our server" {}]
if {[tool redis-server] ne {} && [file normalize $::options(server)] ne [file normalize [lindex [tool redis-server] 0]]} {
    lappend servers redis-server [lindex [tool redis-server] 0]
}
foreach {whose binary} $servers {
    foreach {kind from to options} {
        rdb {} {} {}
        aof {appendonly yes auto-aof-rewrite-min-size 100kb} {appendonly yes} {--aof}
    } {
        start_server [list tags {backup} binary $binary overrides $from] {
            fill
            set digest [debug_digest]
            set dir [store]

            test "$kind of $whose: a backup restores to the same data" {
                assert_match "redust-backup: $dir/redust-*Z.$kind: *B, 300? keys, *1 kept" [assert_backup $dir {*}$options]
                # Data is for nobody else's eyes.
                assert_match "*0?00" [file attributes [newest $dir $kind] -permissions]
                start_server [list binary $binary overrides $to] {
                    restore_$kind [newest $dir $kind]
                    assert_equal $digest [debug_digest]
                    r set more 1
                    restart_server -shutdown [expr {$kind eq "rdb" ? "save" : "nosave"}]
                    assert_equal 1 [r get more]
                }
            }

            test "$kind of $whose: a backup under load is the state of one moment" {
                set begun [r incr a]
                r incr b
                r incr c
                write_until_gone [start_backup $dir {*}$options]
                assert_no_match "*redust-backup: *an't*" [read_file $dir.out]
                set end [r get a]
                assert {$end > $begun}
                start_server [list binary $binary overrides $to] {
                    restore_$kind [newest $dir $kind]
                    assert_between $begun $end [r get a]
                    assert_equal [r get a] [r get b]
                    assert_equal [r get a] [r get c]
                }
                wait_idle
                if {$kind eq "aof"} { assert_equal 100 [percentage] }
            }
        }
    }
}

start_server {tags {backup}} {
    fill

    test "a save that runs holds an older state: it is waited for, and another one follows" {
        set dir [store]
        r config set rdb-key-save-delay 300
        r bgsave
        r set late 1
        set digest [debug_digest]
        set pid [start_backup $dir --verbose]
        sleep 300
        r config set rdb-key-save-delay 0
        await_backup $pid
        start_server {} {
            restore_rdb [newest $dir rdb]
            assert_equal $digest [debug_digest]
        }
        # As few keys as there are may be saved before the next look.
        r flushall
        r set one 1
        for {set i 0} {$i < 5} {incr i} { assert_backup $dir }
        assert_equal 6 [llength [glob $dir/*Z.rdb]]
    }

    test "--no-save copies what is there" {
        set dir [store]
        r set k saved
        r save
        r set k later
        set saves [s rdb_saves]
        assert_backup $dir --no-save
        assert_equal $saves [s rdb_saves]
        start_server {} {
            restore_rdb [newest $dir rdb]
            assert_equal saved [r get k]
        }
        assert_backup $dir --file [srv dir]/dump.rdb --keep 1
        assert_equal 1 [llength [glob $dir/*Z.rdb]]
    }

    test "--verbose says what happens, --quiet nothing" {
        set dir [store]
        set text [assert_backup $dir --verbose --keep 1]
        foreach part {BGSAVE copying checking "1 kept"} { assert_match "*$part*" $text }
        assert_match "*deleted redust-*" [assert_backup $dir --verbose --keep 1]
        assert_equal {} [assert_backup $dir --quiet]
    }

    test "options come from the command line, the environment, a file, in this order" {
        set dir [store]
        set check [checker rdb]
        write_file $dir.conf "# a comment\n\nport [srv port]\nkeep 1\nname file\nquiet yes\ncheck-rdb $check\ndirectory $dir\n"
        exec {*}$::backup_program --config $dir.conf
        exec env REDUST_BACKUP_NAME=env {*}$::backup_program --config $dir.conf
        exec env REDUST_BACKUP_NAME=env REDUST_BACKUP_CONFIG=$dir.conf {*}$::backup_program --name line
        foreach name {file env line} { assert_equal 1 [llength [glob $dir/$name-*Z.rdb]] $name }
        foreach {text reason} {
            "kepe 1" "*line 1: there is no option kepe*" "keep many" "*keep can't be 'many'*" "quiet maybe" "*quiet is yes or no*"
        } {
            write_file $dir.conf $text\n
            assert_refused 2 $reason [backup $dir --config $dir.conf]
        }
        assert_refused 2 "the directory for the backups is missing*" [backup {} --port 1]
        assert_refused 2 "*keep*" [backup $dir --keep 0]
    }

    test "retention by number and by days, weeks and months; other files are left alone" {
        r save
        set dir [store]
        # 2026-01-01 is a Thursday. Two a day from then until 2026-03-31.
        set at [clock scan "2026-01-01 03:00:00" -gmt 1]
        for {set n 0} {$n < 180} {incr n} {
            write_file $dir/redust-[clock format $at -gmt 1 -format %Y%m%dT%H%M%SZ].rdb x
            incr at 43200
        }
        set strangers {other-20260101T030000Z.rdb redust-20260101.rdb redust-20260101T030000Z.rdb.gz xredust-20260101T030000Z.rdb
            redust-20269901T030000Z.rdb notes.txt redust-20260101T030000Z.aof}
        foreach name $strangers { write_file $dir/$name x }
        file link -symbolic $dir/redust-20250101T000000Z.rdb notes.txt
        file mkdir $dir/redust-20250102T000000Z.rdb
        lappend strangers redust-20250101T000000Z.rdb redust-20250102T000000Z.rdb redust-latest.rdb
        assert_backup $dir --file [srv dir]/dump.rdb --keep 3 --daily 4 --weekly 3 --monthly 9
        set left [lsearch -all -inline -not -glob [lmap name [names $dir] { expr {$name in $strangers ? {-} : $name} }] -]
        foreach name $strangers { assert {[file exists $dir/$name]} $name }
        set today [file readlink $dir/redust-latest.rdb]
        # The new one and the two before; three more days; Sundays 29th, 22nd; the ends of January and February.
        set expected [lmap stamp {20260131T150000Z 20260228T150000Z 20260329T150000Z 20260330T150000Z 20260331T030000Z
            20260331T150000Z} { format redust-%s.rdb $stamp }]
        assert_equal [list {*}$expected $today] $left
        assert_backup $dir --file [srv dir]/dump.rdb
        assert_equal 8 [llength [lsearch -all -inline -not [lmap name [names $dir] { expr {$name in $strangers ? {-} : $name} }] -]]
        assert_backup $dir --file [srv dir]/dump.rdb --keep 1
        assert_equal 1 [llength [lsearch -all -inline -not [lmap name [names $dir] { expr {$name in $strangers ? {-} : $name} }] -]]
    }

    test "what a killed run has left is removed, what is not ours is not" {
        set dir [store]
        write_file $dir/.redust-20260101T000000Z.rdb.tmp x
        file mkdir $dir/.redust-20260101T000000Z.aof.tmp
        write_file $dir/.redust-20260101T000000Z.rdb.tmp2 x
        write_file $dir/redust-latest.rdb "no link"
        assert_refused 1 "*is no link of ours and stays*" [backup $dir]
        assert_equal {.redust-20260101T000000Z.rdb.tmp2 .redust.lock} \
            [lsort [lsearch -all -inline -not -regexp [exec ls -A $dir] ^redust]]
        assert_equal "no link" [read_file $dir/redust-latest.rdb]
    }

    test "metrics: figures after success, and what is still known after a failure" {
        set dir [store]
        r flushall
        r mset a 1 b 2
        assert_backup $dir --metrics $dir.prom
        assert_equal 00644 [file attributes $dir.prom -permissions]
        set text [read_file $dir.prom]
        foreach {name value} [list last_run_success 1 last_run_exit_code 0 kept 1 keys 2 size_bytes [file size [newest $dir rdb]]] {
            assert_match "*\nredust_backup_$name{name=\"redust\",kind=\"rdb\"} $value\n*" $text
        }
        regexp {\nredust_backup_last_success_timestamp_seconds\{[^\}]*\} (\d+)\n} $text - at
        assert_between [expr {[clock seconds] - 20}] [clock seconds] $at
        assert_equal {} [lsearch -all -inline -not -regexp [split [string trim $text] \n] \
            {^# (HELP|TYPE) redust_backup_[a-z_]+ .|^redust_backup_[a-z_]+\{name="redust",kind="rdb"\} [0-9.]+$}]
        sleep 1100
        assert_refused 3 "can't connect*" [backup $dir --metrics $dir.prom --port [free_port]]
        set text [read_file $dir.prom]
        assert_match "*\nredust_backup_last_run_success{*} 0\n*_exit_code{*} 3\n*" $text
        assert_match "*\nredust_backup_last_success_timestamp_seconds{*} $at\n*" $text
        assert_refused 1 "*is no directory*" [backup $dir/none --metrics $dir.prom]
        assert_match "*_exit_code{*} 1\n*" [read_file $dir.prom]
        assert_equal {} [glob -nocomplain -directory $::tmpdir .*.prom*.tmp]
    }

    test "reasons of failure have exit codes, and leave nothing behind" {
        set dir [store]
        assert_backup $dir
        set before [names $dir]
        assert_refused 1 "$dir/none is no directory*" [backup $dir/none]
        assert_refused 3 "can't connect to 127.0.0.1:*: Connection refused" [backup $dir --port [free_port]]
        assert_refused 3 "can't connect to /nonexistent: *" [backup $dir --socket /nonexistent]
        assert_refused 3 "*refuses AUTH*" [backup $dir --password wrong]
        assert_refused 5 "the checker /nonexistent is not there*" [backup $dir --check-rdb /nonexistent]

        # Another server's file, or another directory than the server's.
        set other [store]
        assert_refused 8 "can't read $other/dump.rdb: the server has saved, but this file has not changed*" [backup $dir --data-dir $other]
        file copy [srv dir]/dump.rdb $other/dump.rdb
        assert_refused 8 "can't read $other/dump.rdb: the server has saved*" [backup $dir --data-dir $other]
        assert_refused 8 "can't read $other/none: No such file*" [backup $dir --data-dir $other/none]
        assert_refused 8 "can't read $::tmpdir/dump.rdb: No such file*" [backup $dir --no-save --data-dir $::tmpdir]
        assert_backup $dir --data-dir [srv dir] --keep 1

        # A damaged snapshot.
        set data [read_file [srv dir]/dump.rdb]
        set half [expr {[string length $data] / 2}]
        write_file $other/dump.rdb [string replace $data $half $half [format %c [expr {[scan [string index $data $half] %c] ^ 255}]]]
        assert_refused 5 "the copy of $other/dump.rdb is damaged and was not kept: *" [backup $dir --no-save --data-dir $other]
        write_file $other/dump.rdb [string range $data 0 end-5]
        assert_refused 5 "the copy of *" [backup $dir --file $other/dump.rdb]

        # No space: a limit on the size of files stands for a full disk.
        r set noise [randstring 200000 200000]
        r save
        set line [command_of $dir {--no-save --quiet}]
        assert_equal 1 [catch {exec sh -c "ulimit -f 20; exec \"\$@\"" sh {*}$line 2>@1} text info]
        assert_equal 6 [lindex [dict get $info -errorcode] 2] $text
        assert_match "redust-backup: no space for $dir/*" $text

        # The server can't save: a directory has the name of its file.
        set name refused.rdb
        file mkdir [srv dir]/$name/x
        r config set dbfilename $name
        assert_refused 4 "the server could not save*" [backup $dir]
        file delete -force [srv dir]/$name
        assert_backup $dir --keep 1
        r config set dbfilename dump.rdb

        # No append-only file.
        assert_refused 1 "*has no append-only file*" [backup $dir --aof]
        assert_equal 2 [llength [names $dir]]
        assert_equal {} [glob -nocomplain -directory $dir .*.tmp]
    }

    test "a directory that only others may read is named, and the server is not made to save" {
        need {[exec id -u] == 0 && [tool setpriv] ne {}} "root and setpriv become another user here"
        set dir [store]
        set saves [s rdb_saves]
        # The way to it may be closed to that user as well.
        foreach path [list [srv dir] $dir] { file attributes $path -permissions 0700 }
        file mkdir /tmp/redust-backup-test.[pid]
        set open /tmp/redust-backup-test.[pid]
        file copy [lindex $::backup_program 1] $open
        file attributes $open -permissions 0777
        set own [expr {[file executable /usr/bin/python3] ? "/usr/bin/python3" : $python}]
        set line [list setpriv --reuid 65534 --clear-groups $own $open/redust-backup --no-verify --port [srv port] $open]
        set code [catch {exec {*}$line 2>@1} text]
        file delete -force $open
        if {[string match "*python*" $text]} { skip "that user can't run python3 here" }
        assert_equal 1 $code
        assert_match "redust-backup: can't read [srv dir]*: Permission denied (run this where*" $text
        assert_equal $saves [s rdb_saves]
    }

    test "one run at a time, and no longer than --timeout" {
        set dir [store]
        populate 1000
        r config set rdb-key-save-delay 10000
        set pid [start_backup $dir --metrics $dir.prom]
        wait_for_condition {[s rdb_bgsave_in_progress] == 1}
        assert_refused 7 "another run holds *" [backup $dir --metrics $dir.prom]
        assert {![file exists $dir.prom]}
        assert_refused 7 "gave up after --timeout: *" [backup [store] --timeout 1]
        send_signal $pid TERM
        await_backup $pid
        assert_equal "redust-backup: ended by signal 15; nothing was kept\n" [read_file $dir.out]
        assert_match "*_exit_code{*} 143\n*" [read_file $dir.prom]
        end_child
        wait_idle
        assert_backup $dir
    }
}

start_server {tags {backup} overrides {requirepass se:cret unixsocket s.sock}} {
    test "password from an option, the environment or a file; a unix socket" {
        set dir [store]
        write_file $dir.pass "se:cret\n"
        assert_refused 3 "*NOAUTH*" [backup $dir]
        assert_backup $dir --password "se:cret"
        assert_backup $dir --password-file $dir.pass --socket [srv dir]/s.sock
        assert_backup $dir --user default --password-file $dir.pass
        foreach name {REDISCLI_AUTH REDUST_BACKUP_PASSWORD} {
            exec env "$name=se:cret" {*}[command_of $dir {--quiet}]
        }
        assert_equal 5 [llength [glob $dir/*Z.rdb]]
    }
}

start_server {tags {backup aof} overrides {appendonly yes save {}}} {
    fill

    test "append-only files: base, increments and manifest after rewrites" {
        set dir [store]
        for {set i 0} {$i < 2} {incr i} {
            r bgrewriteaof
            wait_idle
            r set after$i 1
            set digest [debug_digest]
            assert_backup $dir --aof --keep 1
            start_server {overrides {appendonly yes}} {
                restore_aof [newest $dir aof]
                assert_equal $digest [debug_digest]
            }
        }
        set manifest [read_file [newest $dir aof]/appendonly.aof.manifest]
        assert_match "file appendonly.aof.*.base.rdb seq * type b\nfile appendonly.aof.*.incr.aof seq * type i\n" $manifest
        assert_equal 3 [llength [glob [newest $dir aof]/*]]
        assert_equal 100 [percentage]
    }

    test "a save behind a rewrite of the append-only file" {
        set dir [store]
        r config set rdb-key-save-delay 300
        r bgrewriteaof
        set pid [start_backup $dir --verbose]
        sleep 300
        r config set rdb-key-save-delay 0
        await_backup $pid
        assert_match "*BGSAVE: Background saving scheduled*1 kept*" [read_file $dir.out]
    }

    test "rewrites are off while one is waited for, and on again however it ends" {
        foreach signal {none TERM INT} {
            set dir [store]
            r config set auto-aof-rewrite-percentage 77 rdb-key-save-delay 5000
            r bgrewriteaof
            set pid [start_backup $dir --aof]
            wait_for_condition {[percentage] == 0} -within 14000
            if {$signal eq "none"} { end_child } else { send_signal $pid $signal }
            await_backup $pid
            assert_equal 77 [percentage] $signal
            assert_equal {} [glob -nocomplain $dir/.*percentage]
            assert_equal [expr {$signal eq "none"}] [llength [glob -nocomplain $dir/*Z.aof]]
            end_child
            wait_idle
        }
        r config set rdb-key-save-delay 5000
        r bgrewriteaof
        assert_refused 7 "gave up after --timeout: a rewrite *" [backup $dir --aof --timeout 1]
        assert_equal 77 [percentage]
        set pid [start_backup $dir --aof]
        wait_for_condition {[percentage] == 0} -within 10000
        send_signal $pid KILL
        await_backup $pid
        assert_equal 0 [percentage]
        end_child
        wait_idle
        assert_match "*an earlier run was killed; auto-aof-rewrite-percentage is 77 again*" [assert_backup $dir --aof]
        assert_equal 77 [percentage]
        r config set auto-aof-rewrite-percentage 0
        assert_backup $dir --aof
        assert_equal 0 [percentage]
    }

    test "a file name with spaces and quotes" {
        start_server {overrides {appendonly yes appendfilename {"my \"own\" file.aof"} appenddirname {"the dir"}}} {
            fill
            set digest [debug_digest]
            set dir [store]
            # Redis's checker does not read such names.
            assert_backup $dir --aof --no-verify
            kill_server -signal KILL
            file delete -force "[srv dir]/the dir"
            file copy [newest $dir aof] "[srv dir]/the dir"
            restart_server
            assert_equal $digest [debug_digest]
        }
    }

    test "a snapshot restores into a server with append-only files, by the steps of doc/backup.md" {
        set dir [store]
        set digest [debug_digest]
        assert_backup $dir
        start_server {overrides {appendonly yes}} {
            r set other data
            kill_server -signal KILL
            file copy -force [newest $dir rdb] [srv dir]/dump.rdb
            file rename [srv dir]/appendonlydir [srv dir]/away
            set_directive 0 appendonly no
            restart_server
            assert_equal $digest [debug_digest]
            r config set appendonly yes
            wait_idle
            assert_equal OK [r config rewrite]
            r set more 1
            set after [debug_digest]
            restart_server -signal KILL
            assert_equal {appendonly yes} [r config get appendonly]
            assert_equal $after [debug_digest]
        }
    }

    test "an end that is just being written is cut off in the copy, damage is refused" {
        set live [lindex [lsort [glob [srv dir]/appendonlydir/*.incr.aof]] end]
        set whole [read_file $live]
        set digest [debug_digest]
        set dir [store]
        set half "*3\r\n\$3\r\nset\r\n\$1\r\nk\r\n\$5\r\nhe"
        set begun "*1\r\n\$5\r\nMULTI\r\n*3\r\n\$3\r\nset\r\n\$1\r\nk\r\n\$1\r\nv\r\n"
        foreach end [list "*" "*3" "*3\r" "*3\r\n" $half "${half}llo\r" $begun $begun$half] {
            write_file $live $whole$end
            assert_backup $dir --aof --keep 1
            assert_equal $whole [read_file [newest $dir aof]/[file tail $live]] [printable $end]
        }
        start_server {overrides {appendonly yes}} {
            restore_aof [newest $dir aof]
            assert_equal $digest [debug_digest]
        }
        foreach end [list "garbage" "*3\r\nset" "$begun$begun" "${begun}garbage" "${half}rrrrrrr\r\n" [string repeat \x00 100]] {
            write_file $live $whole$end
            assert_refused 5 "the copy of the append-only files is damaged*" [backup $dir --aof]
        }
        write_file $live $whole
        # The base, which no cut explains.
        set base [glob [srv dir]/appendonlydir/*.base.rdb]
        set data [read_file $base]
        write_file $base [string range $data 0 end-20]
        assert_refused 5 "the copy of the append-only files is damaged*" [backup $dir --aof]
        write_file $base $data
        file rename $base $base.away
        assert_refused 8 "can't read $base: No such file*" [backup $dir --aof]
        file rename $base.away $base
        assert_backup $dir --aof --keep 1
        assert_equal 2 [llength [names $dir]]
        kill_server -signal KILL
        restart_server
    }
}

start_server {tags {backup aof} overrides {save {}}} {
    if {[tool redis-server] ne {}} {
        test "an ACL user with few rights is enough" {
            start_server [list binary [lindex [tool redis-server] 0] overrides {appendonly yes} config_lines {
                {user saver on >pw +auth +info +time +lastsave +bgsave +config|get} {user nobody on >pw +ping}}] {
                set dir [store]
                assert_backup $dir --user saver --password pw
                assert_match "*watching the manifest*" [assert_backup $dir --user saver --password pw --aof --verbose]
                assert_refused 3 "*refuses CONFIG: NOPERM*" [backup $dir --user nobody --password pw --no-verify --aof]
                assert_refused 3 "*refuses AUTH: WRONGPASS*" [backup $dir --user nobody --password x]
            }
        }
    }
}
