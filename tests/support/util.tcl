# Small things the suites share: sleeping, random data, INFO fields, dumps of the keyspace, external tools.

# Sleeps while the event loop runs, so that pending output keeps flowing.
proc sleep {ms} {
    set name ::slept#[incr ::sleep_serial]
    after $ms [list set $name 1]
    vwait $name
    unset $name
}

proc printable {text} {
    set out {}
    foreach char [split $text {}] {
        scan $char %c code
        append out [expr {$code < 32 || $code > 126 ? [format {\x%02x} $code] : $char}]
    }
    return $out
}

# For messages: quoted, printable, not endless.
proc shorten {text {limit 400}} {
    set more [expr {[string length $text] > $limit ? " .. ([string length $text] bytes)" : {}}]
    return "'[printable [string range $text 0 $limit-1]]'$more"
}

proc random_int {below} { expr {int(rand() * $below)} }
proc pick {list} { lindex $list [random_int [llength $list]] }

# randstring MIN MAX ?binary|alpha|compress?
proc randstring {min max {kind binary}} {
    set length [expr {$min + [random_int [expr {$max - $min + 1}]]}]
    lassign [dict get {binary {0 256} alpha {97 26} compress {97 4}} $kind] first span
    set codes {}
    for {set i 0} {$i < $length} {incr i} { lappend codes [expr {$first + [random_int $span]}] }
    binary format c* $codes
}

# An INFO field of a server: s field / s -1 field.
proc s {args} {
    set level 0
    if {[llength $args] == 2} { set level [lindex $args 0] }
    info_field [r $level info everything] [lindex $args end]
}

proc info_field {text field} {
    if {[regexp -line "^[string map {. \\. | \\|} $field]:(.*?)\\r?\$" $text - value]} { return [string trimright $value \r] }
    return {}
}

# A field k=v of a CLIENT LIST / CLIENT INFO line.
proc line_field {line field} {
    foreach pair [split [string trim $line]] {
        if {[string match $field=* $pair]} { return [string range $pair [string length $field]+1 end] }
    }
    return {}
}

proc now_ms {} { clock milliseconds }

# The whole keyspace of the selected database as sorted text: key, type, value, expiry. Strings only for the value of
# DUMP-able types is the serialised form.
proc csv {{level 0}} {
    set rows {}
    foreach key [lsort [r $level keys *]] {
        set value [expr {[r $level type $key] eq "string" ? [r $level get $key] : [r $level dump $key]}]
        lappend rows "\"[printable $key]\",[r $level type $key],\"[printable $value]\",[r $level pexpiretime $key]"
    }
    join $rows \n
}

proc debug_digest {{level 0}} { r $level debug digest }

# Many commands in one go, replies read and checked for errors: pipeline {{set a 1} {get a}} -> list of replies
proc pipeline {commands {level 0}} {
    set c [srv $level client]
    set out {}
    foreach command $commands { append out [client::encode $command] }
    $c write $out
    $c flush
    set replies {}
    foreach command $commands { lappend replies [$c read] }
    return $replies
}

# n keys PREFIX0..PREFIXn-1 with values of `size` bytes, pipelined.
proc populate {n {prefix key:} {size 10} {level 0} {options {}}} {
    for {set from 0} {$from < $n} {incr from 1000} {
        set batch {}
        for {set i $from} {$i < $n && $i < $from + 1000} {incr i} {
            lappend batch [list set $prefix$i [string range "$i:[string repeat x $size]" 0 $size-1] {*}$options]
        }
        pipeline $batch $level
    }
}

# All keys that a complete SCAN returns, with repetitions.
proc scan_all {args} {
    set cursor 0
    set keys {}
    while 1 {
        lassign [r scan $cursor {*}$args] cursor part
        lappend keys {*}$part
        if {$cursor == 0} { return $keys }
    }
}

# ---- what kind of server is under test ------------------------------------------------------------------

proc is_redust {{level 0}} { expr {[s $level redust_version] ne {}} }

proc at_least {version {level 0}} {
    expr {[package vcompare [s $level redis_version] $version] >= 0}
}

proc need_version {version} {
    if {![at_least $version]} { return -code error -errorcode SKIP "needs the behaviour of Redis $version" }
}

proc need_command {args} {
    foreach name $args {
        if {[lindex [r command info $name] 0] eq {}} { return -code error -errorcode SKIP "this server has no $name" }
    }
}

# ---- processes and tools --------------------------------------------------------------------------------

proc process_alive {pid} {
    if {[catch {open /proc/$pid/stat} f]} { return 0 }
    if {[catch {read $f} stat]} { set stat {} }
    close $f
    expr {[regexp {.*\) (\S)} $stat - state] && $state ni {Z X}}
}

# Never to 0 or below: that would be this process's own group.
proc send_signal {pid signal} {
    if {$pid <= 1} { fail "no process to send SIG$signal to" }
    catch {exec sh -c "kill -$signal $pid" 2>@1}
}

proc children_of {pid} {
    if {![catch {open /proc/$pid/task/$pid/children} f]} {
        set list [read $f]
        close $f
        return [lsort -integer $list]
    }
    if {[catch {exec pgrep -P $pid} list]} { return {} }
    return $list
}

proc tool {name} { auto_execok $name }

proc need_tool {name package} {
    if {[tool $name] eq {}} { return -code error -errorcode SKIP "$name is not installed (Debian: $package)" }
}

# redis-cli against the innermost server; both outputs, errors included, come back as text.
proc cli {args} {
    need_tool redis-cli redis-tools
    catch {exec timeout 30 redis-cli -h [srv host] -p [srv port] {*}$args 2>@1} out
    return $out
}

proc read_file {path} {
    set f [open $path rb]
    set data [read $f]
    close $f
    return $data
}

proc write_file {path data} {
    set f [open $path wb]
    puts -nonewline $f $data
    close $f
}

# A link to the server under test by another name, which decides what the program is.
proc server_as {name} {
    set link [file join $::tmpdir $name]
    file delete $link
    file link -symbolic $link $::options(server)
    return $link
}

# The keyspace events that a script causes, each as {event key}; `notify-keyspace-events` must have E and their classes.
proc events_of {script} {
    set c [redis_client]
    $c psubscribe __keyevent@*
    uplevel 1 $script
    r publish __keyevent@end end
    set events {}
    while {[set event [$c read]] ne {pmessage __keyevent@* __keyevent@end end}} {
        lappend events [list [lindex [split [lindex $event 2] :] end] [lindex $event 3]]
    }
    $c close
    return $events
}

# Their names alone.
proc event_names_of {script} { lmap event [uplevel 1 [list events_of $script]] { lindex $event 0 } }
