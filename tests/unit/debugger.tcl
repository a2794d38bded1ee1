# The debugger of scripts: a client in a session speaks with it on its own connection.

set script "local a = 1\nlocal t = {a, 'x', {k = a}}\nredis.call('set', KEYS\[1\], ARGV\[1\])\nreturn redis.call('get', KEYS\[1\])"

foreach {mode kept} {yes {} sync v} {
    start_server {tags {scripting external:skip}} {
        test "a script stops at each line, and goes on (SCRIPT DEBUG $mode)" {
            set c [redis_client]
            $c script debug $mode
            assert_equal {{* Stopped at 1, stop reason = step over} {-> 1   local a = 1}} [$c eval $script 1 k v]
            assert_equal {{* Stopped at 2, stop reason = step over} {-> 2   local t = {a, 'x', {k = a}}}} [$c step]
            assert_equal {{<value> a = 1}} [$c print]
            $c n
            assert_equal {{<value> {1; "x"; {["k"]=1}}}} [$c p t]
            assert_equal {{<value> {"k"}}} [$c p KEYS]
            assert_equal {{No such variable.}} [$c p nope]
            assert_equal {{In top level:} {-> 3   redis.call('set', KEYS[1], ARGV[1])}} [$c trace]
            assert_equal {{<retval> 3}} [$c e 1 + 2]
            assert_match {{<error> *nosuch*}} [$c e nosuch]
            assert_equal {{<redis> get k} {<reply> NULL}} [$c redis get k]
            assert_equal {{<redis> set k v} {<reply> "+OK"} {* Stopped at 4, stop reason = step over} {-> 4   return redis.call('get', KEYS[1])}} [$c s]
            assert_equal {<endsession>} [$c c]
            assert_equal v [$c read]
            $c close
            assert_equal $kept [r get k]
        }

        test "breakpoints stop it, and redis.breakpoint (SCRIPT DEBUG $mode)" {
            set c [redis_client]
            $c script debug $mode
            $c eval "local a = 1\nlocal b = 2\nredis.breakpoint()\nredis.debug('here', b)\nreturn 1" 0
            assert_equal {{-> 1   local a = 1}} [lrange [$c b 2] 0 0]
            assert_equal {{* Stopped at 2, stop reason = break point} {->#2   local b = 2}} [$c c]
            assert_equal {{* Stopped at 4, stop reason = redis.breakpoint() called} {-> 4   redis.debug('here', b)}} [$c c]
            assert_equal {{<debug> line 4: "here", 2} <endsession>} [$c c]
            assert_equal 1 [$c read]
            $c close
        }

        test "a script can be ended, and fails (SCRIPT DEBUG $mode)" {
            set c [redis_client]
            $c script debug $mode
            $c eval "return 1" 0
            assert_equal {<endsession>} [$c abort]
            assert_error_like "ERR script aborted for user request script: *" {$c read}
            $c close
            set c [redis_client]
            $c script debug $mode
            assert_equal {<endsession>} [$c eval "return (" 0]
            assert_error_like "ERR Error compiling script*" {$c read}
            $c close
        }

        test "a client that leaves ends its session (SCRIPT DEBUG $mode)" {
            set c [redis_client]
            $c script debug $mode
            $c eval "redis.call('set', 'left', 'x')\nreturn 1" 0
            $c close
            assert_equal PONG [r ping]
            assert_equal [expr {$mode eq {sync} ? {x} : {}}] [r get left]
        }
    }
}

start_server {tags {scripting external:skip}} {
    test "SCRIPT DEBUG is for EVAL alone, and not for a pipeline" {
        assert_error "ERR Use SCRIPT DEBUG YES/SYNC/NO" {r script debug maybe}
        r script debug yes
        assert_error "ERR Please use EVAL instead of EVALSHA for debugging" {r evalsha [r script load {return 1}] 0}
        r script debug no
        assert_equal 1 [r eval {return 1} 0]
        r multi
        r script debug yes
        assert_error_like "*ERR SCRIPT DEBUG must be called outside a pipeline*" {
            set all [r exec]
            error [lindex $all 0]
        }
        assert_equal 0 [r eval {return redis.breakpoint() and 1 or 0} 0]
    }

    test "a session in a child leaves the server alone" {
        set before [info_field [r info stats] total_forks]
        set c [redis_client]
        $c script debug yes
        $c eval "redis.call('flushall', 'async')\nreturn redis.call('dbsize')" 0
        r set here 1
        assert_equal [expr {$before + 1}] [info_field [r info stats] total_forks]
        assert_equal 0 [info_field [r info persistence] rdb_bgsave_in_progress]
        r bgsave
        assert_equal {<redis> flushall async} [lindex [$c s] 0]
        assert_equal <endsession> [lindex [$c c] end]
        assert_equal 0 [$c read]
        $c close
        assert_equal 1 [r get here]
    }

    test "a signal to end the server ends a session in it" {
        set c [redis_client]
        $c script debug sync
        $c eval "redis.breakpoint()\nreturn 1" 0
        exec kill -TERM [srv 0 pid]
        await_exit
        assert_match {{[*] Stopped at 2*} *} [$c read]
        assert_equal <endsession> [$c read]
        $c close
    }
}

start_server {tags {scripting external:skip}} {
    test "SHUTDOWN ends sessions in children" {
        set c [redis_client]
        $c script debug yes
        $c eval "return 1" 0
        catch {r shutdown nosave}
        await_exit
        assert_log "*Killing debugging session*"
        assert_error_like "*" {$c c}
        $c close
    }
}

# Sockets that a process has together with a child in which a script is debugged.
proc shared_with_session {pid} {
    set c [redis_client]
    $c script debug yes
    $c eval "return 1" 0
    set child [string trim [exec ps -o pid= --ppid $pid]]
    foreach {of process} [list parent $pid child $child] {
        set $of {}
        foreach fd [glob -nocomplain /proc/$process/fd/*] {
            if {![catch {file readlink $fd} what] && [string match socket:* $what]} {lappend $of $what}
        }
    }
    $c c
    $c close
    wait_for_condition {[catch {exec ps -o pid= --ppid $pid}]}
    return [lsort -unique [lmap one $child {if {$one ni $parent} continue; set one}]]
}

start_server {tags {scripting external:skip}} {
    set target [list [srv 0 host] [srv 0 port]]
    set metrics [free_port]
    start_server [list tags {scripting external:skip} overrides [list metrics-port $metrics metrics-bind 127.0.0.1]] {
        test "a child has no connections of the server to scrapers, a primary and other servers" {
            set alone [shared_with_session [srv 0 pid]]
            r set k v
            r migrate {*}$target k 0 1000
            assert_equal 1 [s migrate_cached_sockets]
            set scraper [socket 127.0.0.1 $metrics]
            # A primary that takes the connection and says nothing.
            set primary [socket -server {apply {{channel args} {set ::taken $channel}}} -myaddr 127.0.0.1 0]
            r replicaof 127.0.0.1 [lindex [fconfigure $primary -sockname] 2]
            wait_for_condition {[update; info exists ::taken]}
            assert_equal $alone [shared_with_session [srv 0 pid]]
            close $::taken
            close $primary
            close $scraper
        }
    }
}

start_server {tags {scripting external:skip}} {
    test "a script in a child saves nothing, whatever DEBUG allows scripts" {
        r debug set-disable-deny-scripts 1
        assert_equal OK [r eval {return redis.call('save')} 0]
        set c [redis_client]
        $c script debug yes
        $c eval "return redis.pcall(ARGV\[1\])" 0 save
        $c c
        assert_error_like "*not allowed from script*" {$c read}
        $c close
        r debug set-disable-deny-scripts 0
    }
}
