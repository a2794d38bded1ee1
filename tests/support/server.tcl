# Servers under test: start, stop, restart, their logs.
#
#   start_server {tags {..} overrides {directive value ..} config_lines {{..}} args {..} env {NAME value} files {..}
#                 binary PATH  wait loaded|alive|none} { body }
#
# Each has its own directory with redis.conf, log and stderr.txt. Inside the body `srv pid|port|dir|log|conf|host` tells
# about the innermost server, `srv -1 ..` about the one around it; `r` is its client, `r -1` the outer one's.
# A server counts as started when the process lives, answers PING, and (wait loaded) is not loading any more.

set ::servers {}            ;# a stack of ids, innermost last
set ::server_serial 0
array set ::sv {}           ;# id,field -> value

# srv ?level? field
proc srv {args} {
    set level 0
    if {[llength $args] == 2} { set level [lindex $args 0] }
    set id [lindex $::servers end[expr {$level ? $level : {}}]]
    if {$id eq {}} { error "no server at level $level" }
    set field [lindex $args end]
    if {$field eq "id"} { return $id }
    if {$field eq "client" && $::sv($id,client) eq {}} { connect_main $id }
    return $::sv($id,$field)
}

# r ?level? command ..    by the server's main client
proc r {args} {
    set level 0
    if {[string match {-[0-9]} [lindex $args 0]] || [lindex $args 0] eq "0"} { set args [lassign $args level] }
    [srv $level client] {*}$args
}

# A fresh main client.
proc reconnect {{level 0}} {
    set id [srv $level id]
    if {$::sv($id,client) ne {}} { catch {$::sv($id,client) close} }
    set ::sv($id,client) {}
    connect_main $id
}

proc connect_main {id} {
    if {$::sv($id,port) == 0} { error "this server has no TCP port" }
    set ::sv($id,client) [redis_client -host $::sv($id,host) -port $::sv($id,port)]
    if {$::sv($id,password) ne {}} { $::sv($id,client) auth $::sv($id,password) }
}

# Whether nobody listens on a TCP port.
proc port_is_free {port} {
    if {[catch {socket -server {} -myaddr 127.0.0.1 $port} s]} { return 0 }
    close $s
    return 1
}

# A TCP port nobody listens on, from this test process's own range.
proc free_port {} {
    for {set tries 0} {$tries < 200} {incr tries} {
        set port [expr {$::options(firstport) + $::port_serial % 200}]
        incr ::port_serial
        if {[port_is_free $port]} { return $port }
    }
    error "no free port from $::options(firstport) on"
}
set ::port_serial 0

proc default_directives {dir port} {
    return [list dir $dir port $port bind 127.0.0.1 loglevel verbose logfile "" daemonize no databases 16 \
        save "" appendonly no enable-debug-command yes enable-protected-configs yes enable-module-command yes \
        shutdown-timeout 2]
}

proc config_text {directives lines} {
    set text {}
    dict for {name value} $directives {
        append text [expr {[string trim $value] eq {} ? "$name \"\"\n" : "$name $value\n"}]
    }
    append text [join $lines \n] \n
}

proc start_server {options {body {}}} {
    set tags [expr {[dict exists $options tags] ? [dict get $options tags] : {}}]
    if {[tags_denied $tags]} { return }
    set outer_tags $::tags
    lappend ::tags {*}$tags
    set failed [catch {push_server $options} why info]
    if {$failed} {
        set ::tags $outer_tags
        if {$::in_test} { return -options $info $why }
        if {[lindex [dict get $info -errorcode] 0] eq "SKIP"} { report skip "(server)" $why; return }
        report fail "(start of a server)" $why
        return
    }
    set id [lindex $::servers end]
    set code [catch {uplevel 1 $body} why info]
    if {$code == 1 && $::in_test} {
        # Inside a test its failure is the test's, with this server's log.
        if {[lindex [dict get $info -errorcode] 0] ne "SKIP"} { append why "\n" [log_tail $id]; incr ::failures_here }
        pop_server $id
        set ::tags $outer_tags
        return -options $info $why
    }
    if {$code == 1} {
        if {[lindex [dict get $info -errorcode] 0] eq "SKIP"} {
            report skip "(rest of the block)" $why
        } else {
            report fail "(outside of a test)" "$why\n[trace_of $info]\n[log_tail $id]"
        }
    }
    set problem [pop_server $id]
    set ::tags $outer_tags
    if {$problem ne {}} {
        if {$::in_test} { fail "$problem\n[log_tail $id]" }
        report fail "(end of a server)" "$problem\n[log_tail $id]"
    }
}

proc push_server {options} {
    set id [incr ::server_serial]
    set dir [file join $::tmpdir server.$id]
    file mkdir $dir
    array set o {overrides {} config_lines {} args {} env {} files {} binary {} wait loaded tags {}}
    array set o $options
    set port [free_port]
    set directives [dict merge [default_directives $dir $port] $o(overrides)]
    set port [dict get $directives port]
    set host [lindex [dict get $directives bind] 0]
    if {$host in {* 0.0.0.0 {""} {}} || [string match -* $host]} { set host 127.0.0.1 }
    set logfile [dict get $directives logfile]
    foreach file $o(files) { file copy $file $dir }
    set binary [expr {$o(binary) ne {} ? $o(binary) : $::options(server)}]
    array set ::sv [list $id,dir $dir $id,conf $dir/redis.conf $id,host $host $id,port $port $id,client {} $id,pid 0 \
        $id,stdout $dir/log $id,log [expr {$logfile eq {} ? "$dir/log" : [file join $dir $logfile]}] \
        $id,stderr $dir/stderr.txt $id,binary $binary $id,args $o(args) $id,env $o(env) $id,wait $o(wait) \
        $id,password [expr {[dict exists $directives requirepass] ? [dict get $directives requirepass] : {}}] \
        $id,crash_seen 0 $id,stderr_seen 0 $id,gone_ok 0 $id,directives $directives $id,lines $o(config_lines)]
    write_file $dir/redis.conf [config_text $directives $o(config_lines)]
    set fixed_port [dict exists $o(overrides) port]
    for {set tries 0} {1} {incr tries} {
        launch $id
        set problem [await_started $id]
        if {$problem eq {}} break
        # Somebody else took the port between our look and the server's bind: try the next.
        if {!$fixed_port && $tries < 5 && [regexp -nocase {address already in use|failed listening on port} $problem]} {
            set port [free_port]
            dict set directives port $port
            set ::sv($id,port) $port
            write_file $dir/redis.conf [config_text $directives $o(config_lines)]
            file delete $dir/log $dir/stderr.txt
            continue
        }
        terminate $id KILL
        error "the server did not start: $problem" {} START
    }
    lappend ::servers $id
    return $id
}

proc launch {id} {
    if {$::sv($id,client) ne {}} { catch {$::sv($id,client) close}; set ::sv($id,client) {} }
    set command {}
    if {[llength $::sv($id,env)]} {
        lappend command /usr/bin/env
        foreach {name value} $::sv($id,env) { lappend command $name=$value }
    }
    lappend command $::sv($id,binary) $::sv($id,conf) {*}$::sv($id,args)
    set ::sv($id,pid) [exec {*}$command </dev/null >>$::sv($id,stdout) 2>>$::sv($id,stderr) &]
    watch_process $::sv($id,pid)
    set ::sv($id,gone_ok) 0
}

# The reaper kills what is left when this test process dies.
proc watch_process {pid} { puts $::reaper "+ $pid"; flush $::reaper }
proc unwatch_process {pid} { puts $::reaper "- $pid"; flush $::reaper }

# {} once the server serves; else why not.
proc await_started {id {within 30000}} {
    if {$::sv($id,wait) eq "none"} { return {} }
    set end [expr {[clock milliseconds] + $within}]
    set last "no answer to PING in $within ms"
    while {[clock milliseconds] < $end} {
        if {![process_alive $::sv($id,pid)]} {
            sleep 20
            return "process $::sv($id,pid) ended.\n[log_tail $id]"
        }
        if {$::sv($id,port) == 0} {
            if {[regexp {Ready to accept|ready to accept} [read_file $::sv($id,log)]]} { return {} }
        } elseif {![catch {ping $::sv($id,host) $::sv($id,port)} answer]} {
            if {[string match -LOADING* $answer] && $::sv($id,wait) eq "loaded"} {
                set last "still loading after $within ms"
            } elseif {[regexp {^[+-]} $answer] && [process_alive $::sv($id,pid)]} {
                # Another process may answer on this port while ours is about to find it taken.
                if {[catch {read_file $::sv($id,log)} log] || [regexp -nocase {ready to accept} $log] || [incr patience] > 20} {
                    return {}
                }
            }
        }
        sleep 10
    }
    return "$last\n[log_tail $id]"
}

proc ping {host port} {
    set c [redis_client -host $host -port $port -timeout 2000]
    set failed [catch {$c write "PING\r\n"; $c flush; $c gets} answer]
    catch {$c close}
    if {$failed} { error $answer }
    return $answer
}

# Ends the process; returns {} or what was wrong about its end. TERM first, KILL after ten seconds.
proc terminate {id {signal TERM}} {
    set pid $::sv($id,pid)
    if {$::sv($id,client) ne {}} { catch {$::sv($id,client) close}; set ::sv($id,client) {} }
    set problem {}
    if {[process_alive $pid]} {
        set children [children_of $pid]
        send_signal $pid $signal
        send_signal $pid CONT
        set end [expr {[clock milliseconds] + 10000}]
        while {[process_alive $pid] && [clock milliseconds] < $end} { sleep 5 }
        if {[process_alive $pid]} {
            send_signal $pid KILL
            set problem "the server did not end within 10 s of SIG$signal"
            while {[process_alive $pid]} { sleep 5 }
        }
        foreach child $children { if {[process_alive $child]} { send_signal $child KILL } }
    }
    if {$pid} { unwatch_process $pid }
    set ::sv($id,pid) 0
    return $problem
}

proc pop_server {id} {
    set gone [expr {$::sv($id,pid) != 0 && ![process_alive $::sv($id,pid)] && !$::sv($id,gone_ok)}]
    set problem [terminate $id]
    if {$problem eq {} && $gone} { set problem "the server ended by itself" }
    if {$problem eq {}} { set problem [crash_report $id] }
    set ::servers [lrange $::servers 0 end-1]
    if {!$::options(keep) && $problem eq {} && !$::failures_here} { file delete -force $::sv($id,dir) }
    return $problem
}

# kill_server ?level? ?-signal TERM|KILL|INT..?        the block goes on without it
proc kill_server {args} {
    set level 0
    if {[llength $args] % 2} { set args [lassign $args level] }
    array set o {-signal TERM}
    array set o $args
    set id [srv $level id]
    set ::sv($id,gone_ok) 1
    set problem [terminate $id $o(-signal)]
    if {$problem ne {}} { fail $problem }
    # Its threads may hold the port for a moment longer.
    for {set tries 0} {$tries < 200 && ![port_is_free $::sv($id,port)]} {incr tries} { sleep 10 }
}

# The test ends the server itself (SHUTDOWN, a signal): waits for that. Returns nothing; an error when it stays.
proc await_exit {{level 0} {within 10000}} {
    set id [srv $level id]
    set ::sv($id,gone_ok) 1
    set pid $::sv($id,pid)
    wait_for_condition {![process_alive $pid]} -within $within -what "the server has ended"
    unwatch_process $pid
    set ::sv($id,pid) 0
    if {$::sv($id,client) ne {}} { catch {$::sv($id,client) close}; set ::sv($id,client) {} }
}

proc server_alive {{level 0}} { process_alive [srv $level pid] }

# restart_server ?level? ?-signal S? ?-shutdown ARGS? ?-args A? ?-wait loaded|alive|none? ?-fails 1?
# Ends it unless it has ended, starts it again on the same configuration. -fails 1: it must refuse to start.
proc restart_server {args} {
    set level 0
    if {[llength $args] % 2} { set args [lassign $args level] }
    set id [srv $level id]
    array set o [list -signal TERM -shutdown {} -args $::sv($id,args) -wait loaded -fails 0]
    array set o $args
    if {$::sv($id,pid) && [process_alive $::sv($id,pid)]} {
        if {$o(-shutdown) ne {}} {
            catch {r $level shutdown {*}$o(-shutdown)}
            await_exit $level
        } else {
            kill_server $level -signal $o(-signal)
        }
    }
    set ::sv($id,args) $o(-args)
    set ::sv($id,wait) $o(-wait)
    if {$::sv($id,log) ne {} && [file exists $::sv($id,log)]} { set ::sv($id,mark) [file size $::sv($id,log)] }
    # The kernel may close the socket of a process a little after it has gone.
    set port $::sv($id,port)
    wait_for_condition {[port_is_free $port]} -what "port $port is free again"
    launch $id
    # "Ready to accept" of the previous life must not count for this one: the process and its PING do.
    if {$o(-fails)} {
        set pid $::sv($id,pid)
        set ::sv($id,gone_ok) 1
        wait_for_condition {![process_alive $pid]} -within 15000 -what "the server refuses to start"
        unwatch_process $pid
        set ::sv($id,pid) 0
        return
    }
    set problem [await_started $id]
    if {$problem ne {}} { fail "the server did not start again: $problem" }
}

# Rewrites directives of the configuration file; takes effect at the next restart.
proc set_directive {level name value} {
    set id [srv $level id]
    dict set ::sv($id,directives) $name $value
    write_file $::sv($id,conf) [config_text $::sv($id,directives) $::sv($id,lines)]
}

# ---- logs -------------------------------------------------------------------------------------------------

# The log's length now: hand it to the others to look only at what came after.
proc log_mark {{level 0}} {
    set log [srv $level log]
    expr {[file exists $log] ? [file size $log] : 0}
}

proc log_since {mark {level 0}} {
    if {[catch {open [srv $level log] rb} f]} { return {} }
    seek $f $mark
    set text [read $f]
    close $f
    return $text
}

proc log_lines_like {glob {mark 0} {level 0}} {
    set found {}
    foreach line [split [log_since $mark $level] \n] {
        if {[string match $glob $line]} { lappend found $line }
    }
    return $found
}

proc wait_for_log {glob {mark 0} {level 0} {within 5000}} {
    wait_for_condition {[llength [log_lines_like $glob $mark $level]] > 0} -within $within -what "a log line like $glob"
    lindex [log_lines_like $glob $mark $level] 0
}

proc assert_log {glob {mark 0} {level 0}} {
    if {![llength [log_lines_like $glob $mark $level]]} { fail "no log line like $glob" }
}

proc assert_no_log {glob {mark 0} {level 0}} {
    if {[llength [set lines [log_lines_like $glob $mark $level]]]} { fail "unwanted log line: [lindex $lines 0]" }
}

proc tail {path lines} {
    if {[catch {read_file $path} text]} { return {} }
    join [lrange [split [string trimright $text \n] \n] end-[expr {$lines - 1}] end] \n
}

proc log_tail {id {lines 25}} {
    set text "--- last lines of $::sv($id,log)\n[tail $::sv($id,log) $lines]"
    set errors [tail $::sv($id,stderr) 15]
    if {$errors ne {}} { append text "\n--- stderr\n$errors" }
    return $text
}

# The crash report that appeared since the last look, or {}.
proc crash_report {id} {
    set found {}
    if {![catch {read_file $::sv($id,log)} log]} {
        set start [string first "BUG REPORT START" $log $::sv($id,crash_seen)]
        set ::sv($id,crash_seen) [string length $log]
        if {$start >= 0} { append found "the server crashed:\n" [string range $log $start [expr {$start + 6000}]] }
    }
    if {![catch {read_file $::sv($id,stderr)} errors]} {
        set fresh [string range $errors $::sv($id,stderr_seen) end]
        set ::sv($id,stderr_seen) [string length $errors]
        if {[regexp {panicked at|AddressSanitizer|runtime error} $fresh]} { append found "on stderr:\n" [string range $fresh 0 4000] }
    }
    return $found
}

# The test provokes a crash: its report is no failure.
proc crash_expected {{level 0}} {
    set id [srv $level id]
    catch {set ::sv($id,crash_seen) [file size $::sv($id,log)]}
    catch {set ::sv($id,stderr_seen) [file size $::sv($id,stderr)]}
}

# What a script puts into the stream of writes, as words.
proc written_by {script} {
    r debug stream take
    uplevel 1 $script
    set text [r debug stream take]
    set commands {}
    while {$text ne {}} {
        regexp -indices {^\*(\d+)\r\n} $text all n
        set words [string range $text {*}$n]
        set text [string range $text [lindex $all 1]+1 end]
        set command {}
        for {set i 0} {$i < $words} {incr i} {
            regexp -indices {^\$(\d+)\r\n} $text all n
            set len [string range $text {*}$n]
            set at [expr {[lindex $all 1] + 1}]
            set end [expr {$at + $len}]
            lappend command [string range $text $at $end-1]
            set text [string range $text $end+2 end]
        }
        if {[lindex $command 0] ni {SELECT select}} { lappend commands $command }
    }
    return $commands
}
