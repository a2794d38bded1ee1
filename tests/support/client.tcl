# RESP client: one command per connection, binary safe, never blocks for ever.
#
#   set c [redis_client]               connection to the innermost server (-level -1, -port P -host H, -deferred)
#   $c set key value                   sends, reads the reply, returns it as a Tcl value; an error reply is a Tcl error
#   $c send set key value              sends only; `$c read` fetches the reply later ($c deferred 1 makes that the rule)
#   $c typed get key                   the reply with its types: {bulk x} {null} {array {{int 1} ..}} {map ..} {error ..}
#   $c write BYTES / flush / rawread N / gets / at_eof / half_close      the bare socket
#   $c push                            the next out-of-band message (RESP3), queued or read now
#   $c timeout MS / pending / attribute / reconnect / close
#
# Replies become Tcl values so: nil and the empty string {}, arrays and sets lists, maps flat lists (dicts), booleans
# 1 and 0, verbatim strings without their format, errors inside arrays their text.
# Arguments are bytes: a character above 255 must be encoded by the caller (encoding convertto utf-8).

namespace eval client {
    variable serial 0
    variable st
    array set st {}
    # Replies to these come as pushes under RESP3, so a push is the answer and not an interruption.
    variable pushing {subscribe psubscribe ssubscribe unsubscribe punsubscribe sunsubscribe}
}

proc redis_client {args} {
    array set o {-level 0 -host {} -port {} -deferred 0 -timeout 30000}
    set args [string map {-deferred {-deferred 1}} $args]
    array set o $args
    if {$o(-port) eq {}} { set o(-port) [srv $o(-level) port] }
    if {$o(-host) eq {}} { set o(-host) [expr {$args ne {} && "-port" in $args ? "127.0.0.1" : [srv $o(-level) host]}] }
    set id [incr client::serial]
    set client::st($id,host) $o(-host)
    set client::st($id,port) $o(-port)
    set client::st($id,deferred) $o(-deferred)
    set client::st($id,timeout) $o(-timeout)
    client::open_socket $id
    set name ::client#$id
    interp alias {} $name {} client::call $id
    return $name
}

proc client::open_socket {id} {
    variable st
    set fd [socket $st($id,host) $st($id,port)]
    fconfigure $fd -blocking 0 -translation binary -buffering full -buffersize 65536
    set st($id,fd) $fd
    set st($id,pushes) {}
    set st($id,attribute) {}
}

proc client::call {id args} {
    variable st
    variable pushing
    set rest [lassign $args method]
    switch -exact -- $method {
        send      { put $id [encode $rest]; flush_out $id; return }
        typed     { put $id [encode $rest]; flush_out $id; return [answer $id 1 [expr {[lindex $rest 0] in $pushing}]] }
        read      { return [answer $id 0 1] }
        read_typed { return [answer $id 1 1] }
        write     { put $id [lindex $rest 0]; return }
        flush     { flush_out $id; return }
        rawread   { return [bytes $id [lindex $rest 0]] }
        gets      { return [line $id] }
        push      { return [next_push $id] }
        pushes    { return $st($id,pushes) }
        attribute { return $st($id,attribute) }
        deferred  { set st($id,deferred) [lindex $rest 0]; return }
        timeout   { set st($id,timeout) [lindex $rest 0]; return }
        fd        { return $st($id,fd) }
        at_eof    { return [at_eof $id] }
        pending   { return [pending $id] }
        half_close { flush_out $id; chan close $st($id,fd) write; return }
        local_port { return [lindex [fconfigure $st($id,fd) -sockname] 2] }
        reconnect { catch {close $st($id,fd)}; open_socket $id; return }
        close     { catch {fconfigure $st($id,fd) -blocking 0}; catch {close $st($id,fd)}; array unset st $id,*
                    interp alias {} ::client#$id {}; return }
    }
    put $id [encode $args]
    flush_out $id
    if {$st($id,deferred)} { return }
    answer $id 0 [expr {$method in $pushing}]
}

proc client::encode {argv} {
    set out "*[llength $argv]\r\n"
    foreach arg $argv { append out \$ [string length $arg] \r\n $arg \r\n }
    return $out
}

proc client::put {id data} {
    variable st
    if {[catch {puts -nonewline $st($id,fd) $data} why]} { lost $id "write: $why" }
}

# Hands everything to the kernel, waiting for a slow reader no longer than the time-out.
proc client::flush_out {id} {
    variable st
    set fd $st($id,fd)
    if {[catch {flush $fd} why]} { lost $id "write: $why" }
    set end [expr {[clock milliseconds] + $st($id,timeout)}]
    while {[chan pending output $fd] > 0} {
        if {[clock milliseconds] > $end} { error "time-out: the server does not read what was sent" {} {TIMEOUT} }
        sleep 1
        if {[catch {flush $fd} why]} { lost $id "write: $why" }
    }
}

proc client::lost {id why} {
    return -code error -errorcode CLOSED "connection closed ($why)"
}

# Waits until the socket is readable; an error after the client's time-out.
proc client::wait_readable {id} {
    variable st
    variable woken
    set fd $st($id,fd)
    set woken($id) {}
    set timer [after $st($id,timeout) [list set client::woken($id) late]]
    fileevent $fd readable [list set client::woken($id) data]
    vwait client::woken($id)
    after cancel $timer
    catch {fileevent $fd readable {}}
    if {$woken($id) eq "late"} {
        return -code error -errorcode TIMEOUT "time-out: no reply within $st($id,timeout) ms"
    }
}

proc client::line {id} {
    variable st
    set fd $st($id,fd)
    while 1 {
        if {[catch {gets $fd text} n]} { lost $id $n }
        if {$n >= 0} { return [string trimright $text \r] }
        if {[eof $fd]} { lost $id "end of file" }
        wait_readable $id
    }
}

proc client::bytes {id count} {
    variable st
    set fd $st($id,fd)
    set chunks {}
    while {$count > 0} {
        if {[catch {read $fd $count} part]} { lost $id $part }
        if {$part eq {}} {
            if {[eof $fd]} { lost $id "end of file" }
            wait_readable $id
            continue
        }
        lappend chunks $part
        incr count -[string length $part]
    }
    if {[llength $chunks] == 1} { return [lindex $chunks 0] }
    return [join $chunks {}]
}

# 1 when the server closed the connection (whatever it sent before is thrown away), 0 at the time-out.
proc client::at_eof {id} {
    variable st
    set fd $st($id,fd)
    while 1 {
        if {[catch {read $fd} part]} { return 1 }
        if {[eof $fd]} { return 1 }
        if {$part ne {}} continue
        if {[catch {wait_readable $id}]} { return 0 }
    }
}

# What has arrived by now, unread, as bytes; does not wait.
proc client::pending {id} {
    variable st
    sleep 1
    if {[catch {read $st($id,fd)} part]} { return {} }
    return $part
}

# One reply. Pushes that come before it are queued, unless the caller takes any kind of message.
proc client::answer {id typed any} {
    variable st
    if {$any && [llength $st($id,pushes)] && !$typed} { return [next_push $id] }
    while 1 {
        set kind [message $id $typed value]
        if {$kind eq "push" && !$any} { lappend st($id,pushes) $value; continue }
        if {$kind eq "error" && !$typed} { return -code error -errorcode [list REDIS [lindex [split $value] 0]] $value }
        return $value
    }
}

proc client::next_push {id} {
    variable st
    if {[llength $st($id,pushes)]} {
        set st($id,pushes) [lassign $st($id,pushes) first]
        return $first
    }
    set kind [message $id 0 value]
    if {$kind ne "push"} { error "expected a push message, got $kind: $value" }
    return $value
}

# Reads one value of any type into `out` and returns its kind.
proc client::message {id typed outname} {
    upvar 1 $outname out
    variable st
    while 1 {
        set head [line $id]
        set text [string range $head 1 end]
        switch -exact -- [string index $head 0] {
            + { set kind simple; set out $text }
            - { set kind error; set out $text }
            : { set kind int; set out $text }
            , { set kind double; set out $text }
            ( { set kind bignum; set out $text }
            # { set kind bool; set out [expr {$text eq "t"}] }
            _ { set kind null; set out {} }
            $ { if {$text < 0} { set kind null; set out {} } else {
                    set kind bulk; set out [bytes $id $text]; bytes $id 2 } }
            = { set kind verbatim; set out [bytes $id $text]; bytes $id 2
                if {!$typed} { set out [string range $out 4 end] } }
            ! { set kind error; set out [bytes $id $text]; bytes $id 2 }
            * { set kind [expr {$text < 0 ? "nullarray" : "array"}]; set out [items $id $text $typed] }
            ~ { set kind set; set out [items $id $text $typed] }
            > { set kind push; set out [items $id $text $typed] }
            % { set kind map; set out [items $id [expr {$text * 2}] $typed] }
            | { set st($id,attribute) [items $id [expr {$text * 2}] 0]; continue }
            default { return -code error -errorcode PROTOCOL "not a RESP reply: [printable $head]" }
        }
        if {$typed} { set out [expr {$kind in {null nullarray} ? $kind : [list $kind $out]}] }
        return $kind
    }
}

proc client::items {id count typed} {
    set list {}
    for {set i 0} {$i < $count} {incr i} {
        message $id $typed value
        lappend list $value
    }
    return $list
}
