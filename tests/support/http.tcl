# A small HTTP client for the endpoint of metrics. Files that need it source it.
#
#   http_open port            a raw connection, binary and unbuffered
#   http_send s path ?lines?  a request of HTTP/1.1 with more lines of the head
#   http_read s               a reply: a dict of status, fields (names in lower case) and body
#   http_get port path ?lines?   all of it, on a connection of its own
#   samples text              a dict of all samples: name with labels -> value

proc http_open {port {host 127.0.0.1}} {
    set s [socket $host $port]
    fconfigure $s -translation binary -buffering none -blocking 1
    return $s
}

proc http_send {s path {lines {}} {method GET}} {
    puts -nonewline $s "$method $path HTTP/1.1\r\nHost: test\r\n[join [lmap line $lines {string cat $line \r\n}] {}]\r\n"
}

proc http_line {s} {
    # A server that hangs must not hang the test.
    set line {}
    set end [expr {[now_ms] + 20000}]
    fconfigure $s -blocking 0
    while {[gets $s line] < 0} {
        if {[eof $s]} { fconfigure $s -blocking 1; error "the connection has ended" }
        if {[now_ms] > $end} { fconfigure $s -blocking 1; error "no reply in 20 seconds" }
        after 1
    }
    fconfigure $s -blocking 1
    return [string trimright $line \r]
}

proc http_read {s {body 1}} {
    set status [lindex [http_line $s] 1]
    set fields {}
    while {[set line [http_line $s]] ne {}} {
        regexp {^([^:]+): *(.*)$} $line - name value
        dict set fields [string tolower $name] $value
    }
    set text [expr {$body ? [read $s [dict get $fields content-length]] : {}}]
    return [dict create status $status fields $fields body $text]
}

proc http_get {port path {lines {}} {method GET}} {
    set s [http_open $port]
    http_send $s $path [list {*}$lines "Connection: close"] $method
    set reply [http_read $s [expr {$method ne "HEAD"}]]
    close $s
    return $reply
}

proc scrape {port {lines {}}} {
    set reply [http_get $port /metrics $lines]
    assert_equal 200 [dict get $reply status]
    return [dict get $reply body]
}

proc samples {text} {
    set found {}
    foreach line [split $text \n] {
        if {![string match "#*" $line] && [regexp {^(.+) (\S+)$} $line - name value]} { dict set found $name $value }
    }
    return $found
}

# The types of all families: name -> type.
proc types {text} {
    set found {}
    foreach {- name type} [regexp -all -inline -line {^# TYPE (\S+) (\S+)$} $text] { dict set found $name $type }
    return $found
}
