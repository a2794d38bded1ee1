# `test`: runs one case, decides passed, failed or skipped, reports it to the runner (see tests/run.tcl).

set ::tags {}
set ::failures_here 0
set ::in_test 0

# One event as a line on standard output: a control character, then the base64 of a list.
proc report {kind name {text {}} {ms 0}} {
    if {$kind eq "fail"} { incr ::failures_here }
    set event [list $kind $name $text $ms]
    puts "\x01[binary encode base64 -maxlen 0 [encoding convertto utf-8 $event]]"
    flush stdout
}

proc tags_denied {tags} {
    foreach tag $::options(tags) {
        if {[string match -* $tag] && [string range $tag 1 end] in $tags} { return 1 }
    }
    return 0
}

# Every plain tag of --tags must be on the test, its servers or its file.
proc tags_wanted {tags} {
    foreach tag $::options(tags) {
        if {![string match -* $tag] && $tag ni $tags} { return 0 }
    }
    return 1
}

proc name_wanted {name} {
    if {![llength $::options(only)]} { return 1 }
    foreach want $::options(only) {
        if {[string match /* $want]} {
            if {[regexp -- [string range $want 1 end] $name]} { return 1 }
        } elseif {$want eq $name} { return 1 }
    }
    return 0
}

proc trace_of {info} {
    join [lrange [split [dict get $info -errorinfo] \n] 0 12] \n
}

# test NAME ?-tags {..}? BODY
proc test {name args} {
    set tags [concat $::tags [expr {[llength $args] > 1 ? [lindex $args 1] : {}}]]
    set body [lindex $args end]
    if {![name_wanted $name] || [tags_denied $tags] || ![tags_wanted $tags]} { return }
    revive_servers
    foreach id $::servers {
        catch {set f [open $::sv($id,stdout) a]; puts $f "### test: $name"; close $f}
    }
    set began [clock milliseconds]
    set ::in_test 1
    set code [catch {uplevel 1 $body} why info]
    set ::in_test 0
    set ms [expr {[clock milliseconds] - $began}]
    set kind ok
    set text {}
    if {$code == 1} {
        switch -- [lindex [dict get $info -errorcode] 0] {
            SKIP    { set kind skip; set text $why }
            ASSERT  { set kind fail; set text "$why\n[where_of $info]" }
            default { set kind fail; set text "unexpected error: $why\n[trace_of $info]" }
        }
    }
    foreach id $::servers {
        set crash [crash_report $id]
        if {$crash eq {} && $::sv($id,pid) && ![process_alive $::sv($id,pid)] && !$::sv($id,gone_ok)} {
            set crash "the server (pid $::sv($id,pid)) is gone"
        }
        if {$crash ne {}} { set kind fail; append text "\n" $crash }
    }
    if {$kind eq "fail"} {
        foreach id $::servers { append text "\n" [log_tail $id] }
        # Replies that the failed test left unread must not answer the next one.
        foreach id $::servers { catch {$::sv($id,client) close}; set ::sv($id,client) {} }
    }
    report $kind $name $text $ms
}

# The line of the test body in which the assertion stood.
proc where_of {info} {
    set lines {}
    foreach line [split [dict get $info -errorinfo] \n] {
        if {[regexp {^\s+\(("uplevel" body|procedure "[a-z_]+") line \d+\)} $line]} { lappend lines [string trim $line] }
        if {[string match {*"uplevel" body*} $line]} break
    }
    set command {}
    regexp {while executing\n"(.*?)"\n} [dict get $info -errorinfo] - command
    return "at [join $lines { < }]"
}

# A server that died in an earlier test is started again, so that one crash is one failure.
proc revive_servers {} {
    foreach id $::servers {
        if {$::sv($id,pid) == 0 || [process_alive $::sv($id,pid)]} continue
        if {$::sv($id,gone_ok)} continue
        catch {terminate $id KILL}
        launch $id
        catch {await_started $id}
    }
}
