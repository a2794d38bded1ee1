# The port for administrators: a way in when clients have taken all places.

set admin [free_port]

proc admin_client {port args} { redis_client -host 127.0.0.1 -port $port {*}$args }

start_server [list tags {admin-port} overrides [list maxclients 3 admin-port $admin]] {
    test "an administrator gets in when clients have taken all places" {
        assert_equal "127.0.0.1:$admin" [lindex [split [s redust_admin_listeners] ,] 0]
        r ping
        set crowd [list [redis_client] [redis_client]]
        foreach c $crowd { assert_equal PONG [$c ping] }
        set late [redis_client]
        assert_error_like "ERR max number of clients reached*" {$late ping}
        $late close
        set a [admin_client $admin]
        assert_equal PONG [$a ping]
        assert_equal 4 [info_field [$a info clients] connected_clients]
        # It may end others, and takes none of their places.
        set victim [lindex $crowd 0]
        set number [$victim client id]
        assert_equal 1 [$a client kill id $number]
        $victim close
        set again [redis_client]
        assert_equal PONG [$again ping]
        set late [redis_client]
        assert_error_like "ERR max number of clients reached*" {$late ping}
        $late close
        $again close
        [lindex $crowd 1] close
        $a close
    }

    test "administrators have sixteen places, which come back when they leave" {
        set all {}
        for {set i 0} {$i < 16} {incr i} {
            set a [admin_client $admin]
            assert_equal PONG [$a ping]
            lappend all $a
        }
        set late [admin_client $admin]
        assert_error_like "ERR max number of clients reached*" {$late ping}
        $late close
        assert_equal PONG [r ping]
        [lindex $all 0] close
        wait_for_condition {![catch {
            set again [admin_client $admin]
            $again ping
        }]}
        $again close
        foreach a [lrange $all 1 end] { $a close }
    }

    test "an administrator is not evicted for the memory of clients, and RESET does not change that" {
        set a [admin_client $admin]
        assert_match *e* [line_field [$a client info] flags]
        $a reset
        assert_match *e* [line_field [$a client info] flags]
        $a close
    }

    test "the users' rules hold on the port for administrators" {
        r config set requirepass secret
        set a [admin_client $admin]
        assert_error_like NOAUTH* {$a ping}
        $a auth secret
        assert_equal PONG [$a ping]
        r acl setuser small on >x +ping
        $a auth small x
        assert_error_like NOPERM* {$a config get port}
        $a close
        r config set requirepass ""
        r acl deluser small
    }

    test "CONFIG SET moves the port for administrators, and closes it" {
        set other [free_port]
        r config set admin-port $other
        set a [admin_client $other]
        assert_equal PONG [$a ping]
        assert [port_is_free $admin]
        r config set admin-port 0
        assert [port_is_free $other]
        assert_equal PONG [$a ping]
        assert_equal {} [s redust_admin_listeners]
        assert_error_like "*CONFIG SET failed*Unable to listen on this port*" {r config set admin-port [srv port]}
        assert_equal {admin-port 0} [r config get admin-port]
        $a close
    }
}
