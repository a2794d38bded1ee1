# Holds many connections open for integration/stress: tclsh crowd.tcl PORT COUNT
#
# A process of its own because Tcl's select() ends at 1024 descriptors. Each connection runs INCR stress once; "ready" on
# standard output when all are answered, "failed WHY" otherwise; the end of standard input ends it.
lassign $argv port count
set all {}
if {[catch {
    for {set i 0} {$i < $count} {incr i} {
        set fd [socket 127.0.0.1 $port]
        fconfigure $fd -translation binary -buffersize 64
        puts -nonewline $fd "INCR stress\r\n"
        flush $fd
        lappend all $fd
    }
    foreach fd $all {
        gets $fd line
        if {![string match ":*" $line]} { error "reply '$line'" }
    }
} why]} {
    puts "failed $why"
} else {
    puts ready
}
flush stdout
gets stdin
# The server is let close first: ten thousand ports in TIME_WAIT on this side would slow every later connect() down.
foreach fd $all { catch { puts -nonewline $fd "QUIT\r\n"; flush $fd } }
foreach fd $all { catch { read $fd }; catch { close $fd } }
