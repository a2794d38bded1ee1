# Assertions. Each raises an error of code ASSERT whose message holds what was expected and what was found.

proc fail {message} { return -code error -errorcode ASSERT $message }

# Ends the test (or the block) it stands in as skipped; the reason is shown in the summary.
proc skip {why} { return -code error -errorcode SKIP $why }

# Skips unless the condition holds.
proc need {condition why} {
    if {![uplevel 1 [list expr $condition]]} { return -code error -errorcode SKIP $why }
}

proc because {message} { expr {$message eq {} ? {} : " ($message)"} }

proc assert {condition {message {}}} {
    if {[uplevel 1 [list expr $condition]]} { return }
    if {[catch {uplevel 1 [list subst -nocommands $condition]} shown] || $shown eq $condition} { set shown {} }
    fail "not true: $condition[expr {$shown ne {} ? " -> $shown" : ""}][because $message]"
}

proc assert_equal {expected actual {message {}}} {
    if {$expected eq $actual} { return }
    fail "expected [shorten $expected], got [shorten $actual][because $message]"
}

proc assert_not_equal {unwanted actual {message {}}} {
    if {$unwanted ne $actual} { return }
    fail "did not want [shorten $unwanted][because $message]"
}

# The two lists hold the same elements, in any order.
proc assert_same_items {expected actual {message {}}} {
    assert_equal [lsort $expected] [lsort $actual] $message
}

proc assert_match {glob actual {message {}}} {
    if {[string match $glob $actual]} { return }
    fail "expected something like [shorten $glob], got [shorten $actual][because $message]"
}

proc assert_no_match {glob actual {message {}}} {
    if {![string match $glob $actual]} { return }
    fail "did not want anything like [shorten $glob], got [shorten $actual][because $message]"
}

proc assert_between {low high actual {message {}}} {
    if {[string is double -strict $actual] && $actual >= $low && $actual <= $high} { return }
    fail "expected a number from $low to $high, got [shorten $actual][because $message]"
}

# The script ends in an error with exactly this text.
proc assert_error {text script} {
    if {![catch {uplevel 1 $script} result options]} {
        fail "expected the error [shorten $text], got the reply [shorten $result]"
    }
    rethrow_skip $options $result
    if {$result ne $text} { fail "expected the error [shorten $text], got the error [shorten $result]" }
}

# The script ends in an error whose text matches the glob.
proc assert_error_like {glob script} {
    if {![catch {uplevel 1 $script} result options]} {
        fail "expected an error like [shorten $glob], got the reply [shorten $result]"
    }
    rethrow_skip $options $result
    if {![string match $glob $result]} { fail "expected an error like [shorten $glob], got the error [shorten $result]" }
}

proc rethrow_skip {options result} {
    if {[lindex [dict get $options -errorcode] 0] in {SKIP ASSERT}} {
        return -code error -errorcode [dict get $options -errorcode] $result
    }
}

proc assert_type {type key} { assert_equal $type [r type $key] "type of $key" }
proc assert_encoding {encoding key} { assert_equal $encoding [r object encoding $key] "encoding of $key" }

# A reply's exact RESP type and value, as `typed` prints it.
proc assert_typed {expected args} { assert_equal $expected [r typed {*}$args] [join $args] }

# wait_for_condition {expression} ?-within MS? ?-what TEXT?      polled, evaluated in the caller
proc wait_for_condition {condition args} {
    array set o {-within 5000 -what {}}
    array set o $args
    set end [expr {[clock milliseconds] + $o(-within)}]
    set pause 2
    while 1 {
        if {[uplevel 1 [list expr $condition]]} { return }
        if {[clock milliseconds] > $end} break
        sleep $pause
        if {$pause < 50} { incr pause 4 }
    }
    catch {uplevel 1 [list subst $condition]} shown
    fail "not within $o(-within) ms: [expr {$o(-what) ne {} ? $o(-what) : $condition}] (last seen: [shorten $shown])"
}
