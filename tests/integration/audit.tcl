# The audit log: what is noted, what is hidden, and that neither a flood nor a slow disk harms anybody.

proc audit_lines {{file audit.log}} {
    if {![file exists [srv dir]/$file]} { return {} }
    set f [open [srv dir]/$file]
    set text [read $f]
    close $f
    return [split [string trimright $text \n] \n]
}

# Waits for a line that matches each pattern, and returns it. A line is an object of JSON.
proc audit_line {args} {
    set found {}
    wait_for_condition {[set found [audit_find {*}$args]] ne {}}
    assert_match "{\"time\":\"20??-??-??T??:??:??.???Z\",\"event\":\"*\",\"outcome\":\"*\"*}" $found
    return $found
}

proc audit_find {args} {
    foreach line [audit_lines] {
        set fits 1
        foreach pattern $args {
            if {[string first $pattern $line] < 0} { set fits 0 }
        }
        if {$fits} { return $line }
    }
    return {}
}

proc audit_dropped_sum {} {
    set sum 0
    foreach line [audit_lines] {
        if {[regexp {"event":"dropped".*"count":(\d+)} $line - count]} { incr sum $count }
    }
    return $sum
}

proc no_audit_line {args} {
    # What was noted before is written before.
    r client setname marker[incr ::audit_marks]
    r config set audit-log-events [lindex [r config get audit-log-events] 1]
    audit_line "\"name\":\"marker$::audit_marks\""
    assert_equal {} [audit_find {*}$args]
}
set ::audit_marks 0

start_server {tags {audit} overrides {audit-log audit.log}} {
    test "the log begins with a line, in a file for its owner alone" {
        audit_line "\"event\":\"log\",\"outcome\":\"begins\""
        assert_match *600 [file attributes [srv dir]/audit.log -permissions]
        assert_equal {audit-log-events {auth denied config users @admin}} [r config get audit-log-events]
    }

    test "logins by AUTH and HELLO, with both outcomes, and never a password" {
        r acl setuser alice on >s3cret ~a:* +@all -debug
        set c [redis_client]
        $c client setname worker
        catch {$c auth alice wr0ng}
        $c auth alice s3cret
        set id [$c client id]
        set line [audit_line "\"event\":\"auth\",\"outcome\":\"failed\""]
        assert_match "*\"addr\":\"127.0.0.1:*\",\"client\":$id,\"name\":\"worker\",\"user\":\"alice\",\"method\":\"password\"*" $line
        audit_line "\"event\":\"auth\",\"outcome\":\"ok\"" "\"user\":\"alice\""
        catch {$c hello 3 auth nobody s3cret}
        audit_line "\"outcome\":\"failed\"" "\"user\":\"nobody\""
        $c hello 2 auth default anything
        audit_line "\"event\":\"auth\",\"outcome\":\"ok\"" "\"user\":\"default\""
        no_audit_line s3cret
        no_audit_line wr0ng
        $c close
    }

    test "what the rules of users deny, with reason, object and context" {
        set c [redis_client]
        $c auth alice s3cret
        assert_error_like NOPERM* {$c set "b\"\n1" x}
        audit_line "\"event\":\"denied\",\"outcome\":\"denied\"" "\"user\":\"alice\"" "\"command\":\"set\"" \
            "\"reason\":\"key\",\"context\":\"toplevel\",\"object\":\"b\\\"\\n1\""
        assert_error_like NOPERM* {$c debug jmap}
        audit_line "\"reason\":\"command\"" "\"object\":\"debug\""
        assert_error_like NOPERM* {$c publish news x}
        audit_line "\"reason\":\"channel\"" "\"object\":\"news\""
        assert_error_like *permission* {$c eval {return redis.call('set', 'c', 1)} 0}
        audit_line "\"context\":\"lua\",\"object\":\"c\""
        $c multi
        $c get a:1
        r acl setuser alice -get
        $c exec
        audit_line "\"context\":\"multi\",\"object\":\"get\""
        r acl setuser alice +get
        $c close
    }

    test "changes of the configuration, without secrets, however they are spelt" {
        r config set maxmemory 100mb requirepass hunter2
        audit_line "\"event\":\"config\",\"outcome\":\"ok\"" \
            "\"args\":\[\"maxmemory\",\"100mb\",\"requirepass\",\"(redacted)\"\]"
        catch {r config set requirepas hunter2}
        audit_line "\"event\":\"config\",\"outcome\":\"error\"" "\"args\":\[\"requirepas\",\"(redacted)\"\],\"error\":\"ERR\""
        r config rewrite
        audit_line "\"command\":\"config|rewrite\""
        r config set requirepass "" maxmemory 0
        no_audit_line hunter2
    }

    test "changes of users, with their rules and without their passwords" {
        r acl setuser bob on >topsecret ~x* +@read (+set ~y)
        audit_line "\"event\":\"user\",\"outcome\":\"ok\"" "\"command\":\"acl|setuser\"" \
            "\"args\":\[\"bob\",\"on\",\">(redacted)\",\"~x*\",\"+@read\",\"(+set\",\"~y)\"\]"
        catch {r acl setuser bob topsecret}
        audit_line "\"outcome\":\"error\"" "\"args\":\[\"bob\",\"(redacted)\"\]"
        r acl deluser bob
        audit_line "\"command\":\"acl|deluser\"" "\"args\":\[\"bob\"\]"
        no_audit_line topsecret
    }

    test "a password with blanks is hidden, though it is no password" {
        r config set audit-log-events "auth denied config users @admin @connection"
        assert_error "ERR syntax error" {r auth my long s3cret}
        r config set audit-log-events "auth denied config users @admin"
        audit_line "\"command\":\"auth\"" "\"args\":\[\"(redacted)\",\"(redacted)\",\"(redacted)\"\]"
        assert_equal {} [audit_find s3cret]
    }

    test "administrative commands, and no others" {
        r client kill type pubsub
        audit_line "\"event\":\"command\",\"outcome\":\"ok\"" "\"command\":\"client|kill\"" "\"args\":\[\"type\",\"pubsub\"\]"
        r set k v
        r get k
        no_audit_line "\"event\":\"command\"" "\"command\":\"set\""
        no_audit_line "\"event\":\"command\"" "\"command\":\"get\""
    }

    test "categories of commands are noted if they are asked for, in transactions and scripts too" {
        r config set audit-log-events "@write @dangerous"
        r set k1 v
        audit_line "\"event\":\"command\",\"outcome\":\"ok\"" "\"command\":\"set\"" "\"args\":\[\"k1\",\"v\"\]" "\"context\":\"toplevel\""
        r multi
        r lpush k1 x
        r exec
        audit_line "\"outcome\":\"error\"" "\"command\":\"lpush\"" "\"error\":\"WRONGTYPE\"" "\"context\":\"multi\""
        r eval {return redis.call('set', KEYS[1], ARGV[1])} 1 k2 v
        audit_line "\"command\":\"set\"" "\"args\":\[\"k2\",\"v\"\]" "\"context\":\"lua\""
        r set k3 [string repeat x 5000]
        audit_line "\"args\":\[\"k3\",\"[string repeat x 128]... (5000 bytes)\"\]"
        r mset {*}[string repeat "a b " 40]
        audit_line "... (48 more)"
        r flushall
        audit_line "\"command\":\"flushall\""
        r config set audit-log-events none
        r set k4 v
        r config set audit-log-events "auth denied config users @admin"
        assert_equal {} [audit_find k4]
    }

    test "a file that was renamed is made anew" {
        file rename [srv dir]/audit.log [srv dir]/audit.old
        r config set maxmemory-samples 6
        audit_line "\"args\":\[\"maxmemory-samples\",\"6\"\]"
    }

    test "CONFIG SET moves the log and ends it; each log tells of that" {
        assert_error_like "*CONFIG SET failed*audit-log*No such file*" {r config set audit-log /no/such/dir/file}
        assert_equal {audit-log audit.log} [r config get audit-log]
        r config set audit-log other.log
        audit_line "\"event\":\"log\",\"outcome\":\"ends\",\"addr\":\"127.0.0.1:" "\"user\":\"default\""
        wait_for_condition {[llength [audit_lines other.log]] >= 2}
        assert_match "*\"log\",\"outcome\":\"begins\"*" [lindex [audit_lines other.log] 0]
        assert_match "*\"args\":\\\[\"audit-log\",\"other.log\"\\\]*" [lindex [audit_lines other.log] 1]
        r config set audit-log ""
        wait_for_condition {[string match "*\"outcome\":\"ends\"*" [lindex [audit_lines other.log] end]]}
        r config set maxmemory-samples 5
        assert {![string match *samples* [lindex [audit_lines other.log] end]]}
        r config set audit-log audit.log
    }

    test "CONFIG REWRITE keeps the settings" {
        r config set audit-log-max-per-second 77 audit-log-events "auth @admin"
        r config rewrite
        set text [read_file [srv conf]]
        foreach line {"audit-log \"audit.log\"" "audit-log-max-per-second 77" "audit-log-events auth @admin"} {
            assert {[lsearch -exact [split $text \n] $line] >= 0}
        }
    }

    test "the last lines are written when the server ends" {
        catch {r shutdown nosave}
        await_exit
        assert {[audit_find "\"command\":\"shutdown\"" "\"args\":\[\"nosave\"\]"] ne {}}
    }
}

start_server {tags {audit} overrides {audit-log audit.log audit-log-max-per-second 20}} {
    test "a flood is cut, counted and told of" {
        set c [redis_client]
        r acl setuser nobody on >x -@all
        $c auth nobody x
        for {set i 0} {$i < 500} {incr i} { catch {$c get x} }
        wait_for_condition {[audit_find "\"event\":\"dropped\""] ne {}}
        assert {[s redust_audit_dropped] > 100}
        assert {[llength [audit_lines]] < 200}
        $c close
        wait_for_condition {[s redust_audit_dropped] == [audit_dropped_sum]}
        assert_equal [s redust_audit_lines] [llength [audit_lines]]
    }
}

start_server {tags {audit} overrides {enable-protected-configs no}} {
    test "who may set the configuration can't choose a file for the log, unless protected settings are open" {
        assert_error_like "*protected config*" {r config set audit-log /tmp/redust-audit-x}
        assert_error_like "*protected config*" {r config set audit-log-events none}
        assert_equal {} [s redust_audit_lines]
    }
}
