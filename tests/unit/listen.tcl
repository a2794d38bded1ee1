# Where the server listens: addresses, ports, IPv6, the unix socket, protected mode.

# This host's first address that is not the loopback's, or {}.
proc outer_address {} {
    if {[catch {exec hostname -I} list]} { return {} }
    foreach address $list { if {[string match *.*.*.* $address]} { return $address } }
    return {}
}

proc answers {host port} {
    if {[catch {redis_client -host $host -port $port -timeout 3000} c]} { return 0 }
    set failed [catch {$c ping} answer]
    $c close
    expr {$failed ? $answer : 1}
}

start_server {tags {listen} overrides {bind "127.0.0.1 127.0.0.2"}} {
    test "several addresses" {
        assert_equal 1 [answers 127.0.0.1 [srv port]]
        assert_equal 1 [answers 127.0.0.2 [srv port]]
        assert_equal 0 [answers 127.0.0.3 [srv port]]
        assert_equal {bind {127.0.0.1 127.0.0.2}} [r config get bind]
    }

    test "CONFIG SET bind takes addresses away and adds them" {
        r config set bind 127.0.0.1
        assert_equal 0 [answers 127.0.0.2 [srv port]]
        r config set bind "127.0.0.1 127.0.0.3"
        assert_equal 1 [answers 127.0.0.3 [srv port]]
        assert_error_like "ERR CONFIG SET failed*bind*" {r config set bind "127.0.0.1 999.1.1.1"}
        assert_equal {bind {127.0.0.1 127.0.0.3}} [r config get bind]
        assert_equal 1 [answers 127.0.0.3 [srv port]]
    }

    test "CONFIG SET port moves the listener, clients stay" {
        set old [srv port]
        set new [free_port]
        r config set port $new
        assert_equal 0 [answers 127.0.0.1 $old]
        assert_equal 1 [answers 127.0.0.1 $new]
        assert_equal PONG [r ping]
        assert_equal $new [s tcp_port]
        set taken [socket -server {} -myaddr 127.0.0.1 $old]
        assert_error_like "ERR CONFIG SET failed*Unable to listen on this port*" {r config set port $old}
        close $taken
        assert_equal 1 [answers 127.0.0.1 $new]
        r config set port $old
        assert_equal 1 [answers 127.0.0.1 $old]
    }
}

start_server {tags {listen}} {
    test "a child that saves does not keep a port that its server has left" {
        set old [srv port]
        r config set rdb-key-save-delay 200000
        populate 50
        r bgsave
        r config set port [free_port]
        assert_equal 1 [s rdb_bgsave_in_progress]
        assert {[port_is_free $old]}
        r config set port $old
        assert_equal 1 [answers 127.0.0.1 $old]
        foreach child [children_of [srv pid]] { send_signal $child KILL }
        wait_for_condition {[s rdb_bgsave_in_progress] == 0}
    }
}

start_server {tags {listen} overrides {bind "* -::*" protected-mode yes}} {
    test "protected mode lets only this host in while there is no password" {
        set outer [outer_address]
        need {$outer ne {}} "this host has no address but the loopback's"
        assert_equal 1 [answers 127.0.0.1 [srv port]]
        assert_match "DENIED Redis is running in protected mode*" [answers $outer [srv port]]
        r config set protected-mode no
        assert_equal 1 [answers $outer [srv port]]
        r config set protected-mode yes
        r config set requirepass x
        assert_match "NOAUTH*" [answers $outer [srv port]]
        r config set requirepass ""
    }

    test "IPv6" {
        need {![catch {socket ::1 [srv port]} probe]} "this host has no IPv6 loopback"
        close $probe
        assert_equal 1 [answers ::1 [srv port]]
        set c [redis_client -host ::1 -port [srv port]]
        assert_match {\[::1\]:*} [line_field [$c client info] addr]
        $c close
    }
}

start_server {tags {listen} overrides {bind "127.0.0.1 -::1 -192.0.2.77"}} {
    test "an address with a minus sign may be missing" {
        assert_equal 1 [answers 127.0.0.1 [srv port]]
    }
}

start_server {tags {listen} overrides {unixsocket redust.sock unixsocketperm 700}} {
    test "the unix socket: place, permissions, commands, address in CLIENT LIST" {
        need_tool redis-cli redis-tools
        set path [srv dir]/redust.sock
        assert_equal socket [file type $path]
        assert_equal 700 [string range [file attributes $path -permissions] end-2 end]
        assert_equal PONG [exec redis-cli -s $path ping]
        assert_match "*addr=*redust.sock:0*" [exec redis-cli -s $path client info]
        assert_match {*U*} [line_field [exec redis-cli -s $path client info] flags]
    }

    test "the socket file goes with the server" {
        set path [srv dir]/redust.sock
        kill_server
        assert_equal 0 [file exists $path]
    }

    test "a socket file that a killed server left is no obstacle" {
        restart_server
        kill_server -signal KILL
        assert_equal 1 [file exists [srv dir]/redust.sock]
        restart_server
        assert_equal PONG [r ping]
    }
}

start_server {tags {listen} overrides {port 0 unixsocket only.sock}} {
    test "port 0 means no TCP at all" {
        need_tool redis-cli redis-tools
        assert_equal PONG [exec redis-cli -s [srv dir]/only.sock ping]
        assert_match "*tcp_port:0*" [exec redis-cli -s [srv dir]/only.sock info server]
    }
}

start_server {tags {listen}} {
    test "a port that is taken ends a second server, saying so" {
        start_server [list overrides [list port [srv port]] wait none] {
            await_exit
            assert_log "*ddress already in use*"
            assert_log "*Failed listening on port [srv port] (*), aborting.*"
        }
        assert_equal PONG [r ping]
    }
}

start_server [list tags {listen} overrides [list bind "* -::*" unixsocket $::tmpdir/listeners.s]] {
    test "INFO names listeners as bind does, a line for each kind" {
        set lines [regexp -all -inline {listener\d+:[^\r]*} [r info server]]
        assert_match "listener0:name=tcp,bind=\\*,bind=*,port=[srv port]" [lindex $lines 0]
        assert_equal "listener1:name=unix,bind=$::tmpdir/listeners.s" [lindex $lines 1]
        assert_equal 2 [llength $lines]
        r config set bind "127.0.0.1 127.0.0.2"
        assert_equal "name=tcp,bind=127.0.0.1,bind=127.0.0.2,port=[srv port]" [s listener0]
    }
}
