# Connections: AUTH, SELECT, RESET, QUIT, CLIENT subcommands, limits and time-outs.

proc protocol_limit {bytes reply} {
    set c [redis_client]
    $c write $bytes
    $c flush
    assert_equal $reply [$c gets]
    assert_equal 1 [$c at_eof]
    $c close
}

start_server {tags {connection}} {
    test "SELECT is per connection" {
        set c [redis_client]
        $c select 3
        $c set where three
        assert_equal {} [r get where]
        $c select 0
        $c close
    }

    test "QUIT answers, closes, and drops what was pipelined behind it" {
        set c [redis_client]
        assert_equal OK [$c quit]
        assert_equal 1 [$c at_eof]
        $c reconnect
        $c write [client::encode quit][client::encode {set quit nope}]
        $c flush
        assert_equal OK [$c read]
        assert_equal 1 [$c at_eof]
        assert_equal 0 [r exists quit]
        $c close
    }

    test "RESET is not for replicas" {
        r config set repl-diskless-sync-delay 0
        set f [socket [srv host] [srv port]]
        fconfigure $f -translation binary -buffering none
        puts -nonewline $f "SYNC\r\n"
        wait_for_condition {[string match "*slave0:*state=online*" [r info replication]]}
        puts -nonewline $f "RESET\r\n"
        wait_for_condition {[string match "*connected_slaves:0*" [r info replication]]}
        assert_equal 0 [string match "*+RESET*" [read $f]]
        close $f
    }

    test "RESET brings a connection back to its beginning" {
        set c [redis_client]
        $c hello 3
        $c select 4
        $c client setname somebody
        $c client reply on
        $c multi
        $c set a 1
        assert_equal RESET [$c reset]
        assert_equal {} [$c client getname]
        assert_equal {bulk PONG2} [$c typed echo PONG2]
        assert_equal null [$c typed get nothing]
        set line [$c client info]
        assert_equal {0 N 2} [list [line_field $line db] [line_field $line flags] [line_field $line resp]]
        assert_error "ERR EXEC without MULTI" {$c exec}
        $c subscribe ch
        assert_equal RESET [$c reset]
        assert_equal PONG [$c ping]
        $c close
    }

    test "CLIENT ID grows, GETNAME and SETNAME" {
        set a [redis_client]
        set b [redis_client]
        assert {[$b client id] > [$a client id]}
        assert_typed null client getname
        assert_equal OK [$a client setname worker-1]
        assert_equal worker-1 [$a client getname]
        assert_equal OK [$a client setname ""]
        assert_equal null [$a typed client getname]
        assert_error "ERR Client names cannot contain spaces, newlines or special characters." {$a client setname "a b"}
        assert_error "ERR Client names cannot contain spaces, newlines or special characters." {$a client setname "a\nb"}
        $a close
        $b close
    }

    test "CLIENT SETINFO" {
        need_version 7.2
        assert_equal OK [r client setinfo lib-name redis-tcl]
        assert_equal OK [r client setinfo LIB-VER 1.2.3]
        assert_match {*lib-name=redis-tcl lib-ver=1.2.3*} [r client info]
        assert_error_like "ERR Unrecognized option 'lib-foo'*" {r client setinfo lib-foo x}
        assert_error_like "ERR lib-name cannot contain spaces*" {r client setinfo lib-name "a b"}
    }

    test "CLIENT INFO is this client's line of CLIENT LIST" {
        set c [redis_client]
        $c client setname liner
        $c select 2
        set line [$c client info]
        assert_equal liner [line_field $line name]
        assert_equal 2 [line_field $line db]
        assert_equal client|info [line_field $line cmd]
        assert_equal default [line_field $line user]
        assert_equal 127.0.0.1:[$c local_port] [line_field $line addr]
        assert_equal 127.0.0.1:[srv port] [line_field $line laddr]
        foreach field {id fd age idle flags sub psub ssub multi qbuf qbuf-free argv-mem multi-mem rbs rbp obl oll omem tot-mem events redir resp} {
            assert_not_equal {} [line_field $line $field] "field $field in $line"
        }
        set listed {}
        foreach l [split [string trim [r client list]] \n] { if {[line_field $l name] eq "liner"} { set listed $l } }
        assert_equal [$c client id] [line_field $listed id]
        assert_equal [$c client id] [line_field [r client list id [$c client id]] id]
        $c close
    }

    test "CLIENT LIST filters and their errors" {
        assert_match {*id=*} [r client list type normal]
        assert_equal {} [r client list type pubsub]
        assert_equal {} [r client list type master]
        assert_equal {} [r client list id 999999]
        assert_error "ERR Unknown client type 'foo'" {r client list type foo}
        assert_error "ERR syntax error" {r client list foo bar}
        assert_error "ERR Invalid client ID" {r client list id abc}
    }

    test "CLIENT LIST shows subscribers and transactions" {
        set c [redis_client]
        $c subscribe one
        $c psubscribe p*
        set d [redis_client]
        $d multi
        $d set a 1
        set line [string trim [r client list type pubsub]]
        assert_equal {P 1 1} [list [line_field $line flags] [line_field $line sub] [line_field $line psub]]
        foreach l [split [string trim [r client list]] \n] { if {[line_field $l multi] == 1} { set found [line_field $l flags] } }
        assert_equal x $found
        $c close
        $d close
    }

    test "CLIENT LIST names the last command, and none after one that does not exist" {
        set c [redis_client]
        set id [$c client id]
        foreach {command shown} {{get} get {nosuch} NULL {ping} ping {config nosuch} NULL {client id} client|id} {
            catch {$c {*}$command}
            assert_equal $shown [line_field [string trim [r client list id $id]] cmd] $command
        }
        $c close
    }

    test "CLIENT KILL by every filter" {
        foreach how {id addr laddr-skipme user} {
            set c [redis_client]
            $c ping
            switch $how {
                id { assert_equal 1 [r client kill id [$c client id]] }
                addr { assert_equal 1 [r client kill addr 127.0.0.1:[$c local_port]] }
                laddr-skipme { assert {[r client kill laddr 127.0.0.1:[srv port] skipme yes] >= 1} }
                user { assert {[r client kill user default] >= 1} }
            }
            assert_equal 1 [$c at_eof] $how
            $c close
        }
        set c [redis_client]
        $c ping
        assert_equal OK [r client kill 127.0.0.1:[$c local_port]]
        assert_equal 1 [$c at_eof]
        $c close
        assert_error "ERR No such client" {r client kill 1.2.3.4:5}
        assert_equal 0 [r client kill id 999999]
        assert_equal 0 [r client kill type pubsub]
        assert_error "ERR syntax error" {r client kill foo bar}
        if {[is_redust]} {
            foreach bad {x 9223372036854775808} { assert_error "ERR maxage is not an integer or out of range" {r client kill maxage $bad} }
            foreach bad {0 -1} { assert_error "ERR maxage should be greater than 0" {r client kill maxage $bad} }
        }
        assert_equal 1 [r client kill id [r client id] skipme no]
        reconnect
        assert_equal PONG [r ping]
    }

    test "CLIENT REPLY OFF, ON and SKIP" {
        set c [redis_client]
        $c send client reply off
        $c send set quiet 1
        $c send ping
        $c send client reply on
        assert_equal OK [$c read]
        assert_equal 1 [$c get quiet]
        $c send client reply skip
        $c send set quiet 2
        $c send get quiet
        assert_equal 2 [$c read]
        assert_error "ERR syntax error" {$c client reply foo}
        $c close
    }

    test "CLIENT NO-EVICT and NO-TOUCH" {
        set c [redis_client]
        assert_equal OK [$c client no-evict on]
        assert_match {*e*} [line_field [$c client info] flags]
        assert_equal OK [$c client no-evict off]
        assert_error "ERR syntax error" {$c client no-evict maybe}
        if {[at_least 7.2]} {
            assert_equal OK [$c client no-touch on]
            assert_match {*T*} [line_field [$c client info] flags]
            $c set touched v
            sleep 1100
            $c get touched
            assert {[r object idletime touched] >= 1}
            $c client no-touch off
            $c get touched
            assert_equal 0 [r object idletime touched]
        }
        $c close
    }

    test "CLIENT HELP" {
        assert_match {*SETNAME*} [r client help]
    }

    test "connection counters" {
        set before [s total_connections_received]
        set now [s connected_clients]
        set clients {}
        for {set i 0} {$i < 50} {incr i} { lappend clients [redis_client] }
        foreach c $clients { $c ping }
        assert_equal [expr {$before + 50}] [s total_connections_received]
        assert_equal [expr {$now + 50}] [s connected_clients]
        foreach c $clients { $c close }
        wait_for_condition {[s connected_clients] == $now}
    }

    test "an idle client is closed after `timeout`, a subscriber and a busy one are not" {
        r config set timeout 1
        set idle [redis_client -timeout 5000]
        set sub [redis_client -timeout 5000]
        $idle ping
        $sub subscribe ch
        for {set i 0} {$i < 16} {incr i} { sleep 150; r ping }
        assert_equal 1 [$idle at_eof]
        r publish ch hello
        assert_equal {message ch hello} [$sub read]
        r config set timeout 0
        $idle close
        $sub close
    }
}

start_server {tags {connection} overrides {maxclients 12}} {
    test "maxclients refuses with an error and accepts again when somebody left" {
        r ping
        set clients {}
        while 1 {
            set c [redis_client]
            if {[catch {$c ping} why]} break
            lappend clients $c
            if {[llength $clients] > 20} { fail "more than maxclients were let in" }
        }
        assert_match "*max number of clients reached*" $why
        assert_between 9 12 [llength $clients]
        assert {[s rejected_connections] >= 1}
        [lindex $clients 0] close
        sleep 50
        set d [redis_client]
        assert_equal PONG [$d ping]
        $d close
        foreach other [lrange $clients 1 end] { $other close }
        $c close
    }

    test "maxclients can be raised while running" {
        r config set maxclients 100
        assert_equal 100 [s maxclients]
        set clients {}
        for {set i 0} {$i < 40} {incr i} { lappend clients [redis_client] }
        foreach c $clients { assert_equal PONG [$c ping] }
        foreach c $clients { $c close }
    }
}

start_server {tags {connection auth} overrides {requirepass secret}} {
    test "AUTH lifts the narrow limits for what follows it in the same pipeline" {
        set c [redis_client]
        set many [string repeat "\$1\r\nx\r\n" 20]
        $c write "AUTH secret\r\n*21\r\n\$3\r\nDEL\r\n$many*2\r\n\$4\r\nECHO\r\n\$20000\r\n[string repeat y 20000]\r\n"
        $c flush
        assert_equal +OK [$c gets]
        assert_equal :0 [$c gets]
        assert_equal "\$20000" [$c gets]
        assert_equal 20000 [string length [$c gets]]
        $c close
        set c [redis_client]
        $c write "PING\r\n*21\r\n\$3\r\nDEL\r\n$many"
        $c flush
        assert_equal "-NOAUTH Authentication required." [$c gets]
        assert_equal "-ERR Protocol error: unauthenticated multibulk length" [$c gets]
        assert_equal 1 [$c at_eof]
        $c close
    }

    test "without the password nothing but AUTH, HELLO, QUIT and RESET works" {
        set c [redis_client]
        assert_error "NOAUTH Authentication required." {$c ping}
        assert_error "NOAUTH Authentication required." {$c set a 1}
        assert_error "NOAUTH Authentication required." {$c subscribe ch}
        assert_error_like "NOAUTH HELLO must be called with the client already authenticated*" {$c hello 3}
        assert_equal RESET [$c reset]
        assert_equal OK [$c quit]
        $c close
    }

    test "AUTH" {
        set c [redis_client]
        assert_error "WRONGPASS invalid username-password pair or user is disabled." {$c auth wrong}
        assert_error "WRONGPASS invalid username-password pair or user is disabled." {$c auth nobody secret}
        assert_error "WRONGPASS invalid username-password pair or user is disabled." {$c auth ""}
        assert_error "ERR syntax error" {$c auth a b c}
        assert_error "NOAUTH Authentication required." {$c ping}
        assert_equal OK [$c auth secret]
        assert_equal PONG [$c ping]
        assert_equal OK [$c auth default secret]
        assert_error "WRONGPASS invalid username-password pair or user is disabled." {$c auth wrong}
        assert_equal PONG [$c ping]
        assert_equal RESET [$c reset]
        assert_error "NOAUTH Authentication required." {$c ping}
        $c close
    }

    test "HELLO authenticates" {
        set c [redis_client]
        assert_equal 3 [dict get [$c hello 3 auth default secret] proto]
        assert_equal PONG [$c ping]
        $c close
    }

    test "an unauthenticated client may not send much" {
        protocol_limit "*11\r\n" "-ERR Protocol error: unauthenticated multibulk length"
        protocol_limit "*1\r\n\$16385\r\n" "-ERR Protocol error: unauthenticated bulk length"
    }

    test "the password can be changed and removed" {
        r config set requirepass other
        set c [redis_client]
        assert_error_like WRONGPASS* {$c auth secret}
        assert_equal OK [$c auth other]
        r config set requirepass ""
        set d [redis_client]
        assert_equal PONG [$d ping]
        assert_error "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?" {$d auth x}
        r config set requirepass secret
        $c close
        $d close
    }

    test "CLIENT SETINFO and SETNAME: names as they were given, up to a NUL" {
        assert_error "ERR Lib-Name cannot contain spaces, newlines or special characters." {r client setinfo Lib-Name "a b"}
        assert_equal OK [r client setinfo lib-name "a\x00 b"]
        assert_equal OK [r client setname "n\x00 b"]
        assert_equal "n\x00 b" [r client getname]
        assert_match "* name=n age=*lib-name=a lib-ver=*" [r client info]
        assert_error "ERR Client names cannot contain spaces, newlines or special characters." {r client setname "a b\x00"}
        r client setname ""
    }

    test "CLIENT KILL looks at its filters one by one" {
        assert_error "ERR client-id should be greater than 0" {r client kill id id laddr}
        assert_error "ERR syntax error" {r client kill id 1 laddr}
        assert_error "ERR Unknown client type 'x'" {r client kill type x addr}
    }
}
