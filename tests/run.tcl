#!/usr/bin/env tclsh
# Runs the TCL suite against a server binary: tclsh tests/run.tcl [options]
#
#   --server PATH      the binary (default target/release/redust-server)
#   --clients N        test files at a time (default 2)
#   --single FILE      only this file, e.g. unit/strings (repeatable)
#   --only NAME        only the test of this name, or /regex (repeatable)
#   --tags "a -b"      only tests that carry tag a, none that carry tag b
#   --baseport PORT    first TCP port (default: from the process id)
#   --timeout SECONDS  for one file (default 300)
#   --large-memory     also what needs 16 GB of memory and minutes (unit/large-memory; give it a --timeout of 1800)
#   --list             name the tests and stop        --verbose  name every test as it ends
#   --keep             keep tests/tmp of this run     --seed N   of the random generator
#
# How it works: each file runs in a tclsh of its own, started by this same script with --worker; that process starts
# servers in tests/tmp and prints one event a test, which the main process counts and shows. A reaper beside each worker
# (support/reaper.sh) kills its servers when the worker ends for whatever reason, so nothing is left behind.
# The last line is the figure "N passed, N failed, N skipped"; the exit code is 1 when something failed, 2 for bad usage.

set ::testdir [file dirname [file normalize [info script]]]
set ::root [file dirname $::testdir]
array set ::options [list server $::root/target/release/redust-server clients 2 single {} only {} tags {} \
    baseport 0 timeout 300 list 0 verbose 0 keep 0 seed {} worker {} slot 0 firstport 0 run {} large-memory 0]

proc usage {{why {}}} {
    if {$why ne {}} { puts stderr "run.tcl: $why" }
    set f [open [info script]]
    gets $f
    while {[gets $f line] >= 0 && [string match "#*" $line]} { puts stderr [string range $line 2 end] }
    exit [expr {$why eq {} ? 0 : 2}]
}

proc parse_arguments {argv} {
    for {set i 0} {$i < [llength $argv]} {incr i} {
        set name [string range [lindex $argv $i] 2 end]
        set given [lindex $argv $i]
        if {$given in {-h --help}} { usage }
        if {![string match --* $given] || ![info exists ::options($name)]} { usage "unknown option $given" }
        if {$name in {list verbose keep large-memory}} { set ::options($name) 1; continue }
        if {[incr i] >= [llength $argv]} { usage "$given needs a value" }
        set value [lindex $argv $i]
        if {$name in {clients baseport timeout seed slot firstport}
            && (![string is integer -strict $value] || $value < 0)} { usage "$given needs a number" }
        if {$name in {single only}} { lappend ::options($name) $value } else { set ::options($name) $value }
    }
    if {$::options(clients) < 1} { usage "--clients needs a number above 0" }
}

# ---- the worker: one file ------------------------------------------------------------------------------------

proc worker {} {
    foreach part {util assert client server test} { uplevel #0 [list source -encoding utf-8 $::testdir/support/$part.tcl] }
    set ::tmpdir $::options(run)/[string map {/ -} $::options(worker)]
    file mkdir $::tmpdir
    set ::reaper [open "|sh $::testdir/support/reaper.sh >/dev/null 2>@1" w]
    expr {srand($::options(seed))}
    # The main process ends us at the time-out; should it be gone by then, we go by ourselves.
    after [expr {($::options(timeout) + 10) * 1000}] exit
    set code [catch {run_file} why info]
    if {$code == 1} {
        if {[lindex [dict get $info -errorcode] 0] eq "SKIP"} {
            report skip "(file)" $why
        } else {
            report fail "(file)" "$why\n[trace_of $info]"
        }
    }
    foreach id [lreverse $::servers] { catch {terminate $id} }
    catch {close $::reaper}
    report done {}
    exit 0
}

# The file's variables are this procedure's locals: they can't meet the harness's own.
proc run_file {} { source -encoding utf-8 $::testdir/$::options(worker).tcl }

# ---- the main process ----------------------------------------------------------------------------------------

proc test_files {} {
    set all {}
    foreach folder {unit unit/type integration} {
        foreach path [lsort [glob -nocomplain -directory $::testdir/$folder *.tcl]] {
            lappend all $folder/[file rootname [file tail $path]]
        }
    }
    if {![llength $::options(single)]} { return $all }
    set chosen {}
    foreach want $::options(single) {
        regsub {^(\./)?(tests/)?} $want {} file
        regsub {\.tcl$} $file {} file
        if {$file ni $all} { usage "no test file $want" }
        lappend chosen $file
    }
    return $chosen
}

proc list_tests {} {
    foreach file [test_files] {
        set f [open $::testdir/$file.tcl]
        while {[gets $f line] >= 0} {
            if {[regexp {^\s*test (?:"([^"]*)"|\{([^\}]*)\})} $line - a b]} { puts "$file: $a$b" }
        }
        close $f
    }
}

proc start_next {slot} {
    if {![llength $::queue]} { return }
    set ::queue [lassign $::queue file]
    set command [list [info nameofexecutable] [info script] --worker $file --slot $slot --run $::rundir \
        --server $::options(server) --seed $::options(seed) --firstport [expr {$::options(baseport) + $slot * 200}] \
        --tags $::options(tags) --timeout $::options(timeout)]
    foreach only $::options(only) { lappend command --only $only }
    foreach flag {keep large-memory} { if {$::options($flag)} { lappend command --$flag } }
    set pipe [open "|$command </dev/null 2>@1" r]
    fconfigure $pipe -blocking 0 -encoding utf-8
    array set ::job [list $pipe,file $file $pipe,slot $slot $pipe,began [clock milliseconds] $pipe,ok 0 $pipe,fail 0 \
        $pipe,skip 0 $pipe,done 0 $pipe,stray {} $pipe,last {} \
        $pipe,timer [after [expr {$::options(timeout) * 1000}] [list give_up $pipe]]]
    incr ::running
    fileevent $pipe readable [list on_output $pipe]
}

proc give_up {pipe} {
    tally $pipe fail "(file)" "time-out: not finished within $::options(timeout) s; the last test that ended: $::job($pipe,last)" 0
    foreach pid [pid $pipe] { catch {exec sh -c "kill -KILL $pid"} }
}

proc on_output {pipe} {
    while {[gets $pipe line] >= 0} {
        if {[string index $line 0] ne "\x01"} {
            append ::job($pipe,stray) $line \n
            if {$::options(verbose)} { puts "  | $line" }
            continue
        }
        tally $pipe {*}[encoding convertfrom utf-8 [binary decode base64 [string range $line 1 end]]]
    }
    if {[eof $pipe]} { finish $pipe }
}

proc tally {pipe kind name text ms} {
    set file $::job($pipe,file)
    set ::job($pipe,last) $name
    switch -- $kind {
        done { set ::job($pipe,done) 1; return }
        ok   { if {$::options(verbose)} { puts "\[ok\]   $file: $name ($ms ms)" } }
        skip {
            lappend ::skipped "$file: $name: $text"
            if {$::options(verbose)} { puts "\[skip\] $file: $name: $text" }
        }
        fail {
            lappend ::failed "$file: $name"
            puts "\[FAIL\] $file: $name\n       [join [split [string trimright $text] \n] "\n       "]"
        }
    }
    incr ::job($pipe,$kind)
    incr ::total($kind)
    flush stdout
}

proc finish {pipe} {
    after cancel $::job($pipe,timer)
    fconfigure $pipe -blocking 1
    if {[catch {close $pipe} why] || !$::job($pipe,done)} {
        if {!$::job($pipe,fail) || $::job($pipe,done)} {
            tally $pipe fail "(file)" "the test process ended early: $why\n$::job($pipe,stray)" 0
        }
    }
    puts [format "%-28s %4d passed %3d failed %3d skipped %7.1f s" $::job($pipe,file) $::job($pipe,ok) $::job($pipe,fail) \
        $::job($pipe,skip) [expr {([clock milliseconds] - $::job($pipe,began)) / 1000.0}]]
    flush stdout
    set slot $::job($pipe,slot)
    array unset ::job $pipe,*
    incr ::running -1
    start_next $slot
    if {!$::running} { set ::finished 1 }
}

# Folders of runs whose process is gone are rubbish.
proc clean_tmp {} {
    foreach old [glob -nocomplain -directory $::testdir/tmp run.*] {
        if {![file exists /proc/[string range [file extension $old] 1 end]]} { catch {file delete -force $old} }
    }
}

proc main {} {
    if {$::options(list)} { list_tests; exit 0 }
    set ::options(server) [file normalize $::options(server)]
    if {![file executable $::options(server)] || [file isdirectory $::options(server)]} {
        puts stderr "run.tcl: no server binary at $::options(server) (cargo build --release, or --server PATH)"
        exit 2
    }
    if {$::options(seed) eq {}} { set ::options(seed) [expr {[clock seconds] % 1000000 + 1}] }
    if {!$::options(baseport)} { set ::options(baseport) [expr {20000 + [pid] % 40 * 200}] }
    set ::queue [test_files]
    clean_tmp
    set ::rundir $::testdir/tmp/run.[pid]
    file mkdir $::rundir
    array set ::total {ok 0 fail 0 skip 0}
    set ::failed {}
    set ::skipped {}
    set ::running 0
    puts "server $::options(server), seed $::options(seed), [llength $::queue] files"
    for {set slot 0} {$slot < $::options(clients)} {incr slot} { start_next $slot }
    if {$::running} { vwait ::finished }
    if {[llength $::skipped]} { puts "skipped:\n  [join $::skipped "\n  "]" }
    if {[llength $::failed]} { puts "failed:\n  [join $::failed "\n  "]" }
    if {$::total(fail) || $::options(keep)} { puts "logs: $::rundir" } else { catch {file delete -force $::rundir} }
    puts "$::total(ok) passed, $::total(fail) failed, $::total(skip) skipped"
    exit [expr {$::total(fail) > 0}]
}

parse_arguments $::argv
if {$::options(worker) ne {}} { worker } else { main }
