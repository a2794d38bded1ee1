# CLIENT LIST and CLIENT KILL with the filters of Valkey 9; what Redis 7.2 takes is in connection.tcl.

# The names of the clients that CLIENT LIST shows, in order.
proc listed {args} {
    set names {}
    foreach line [split [string trim [r client list {*}$args]] \n] { lappend names [line_field $line name] }
    lsort $names
}

start_server {tags {connection dialects}} {
    need {[is_redust]} "a dialect of Valkey 9"
    r client setname me
    foreach {name db} {one 1 two 2} {
        set $name [redis_client]
        [set $name] client setname $name
        [set $name] select $db
    }
    set ids [lmap c {one two} { [set $c] client id }]

    test "CLIENT LIST by ID, NOT-ID and SKIPME" {
        assert_equal {one two} [listed id {*}$ids skipme yes]
        assert_equal me [listed not-id {*}$ids]
        assert_equal one [listed id {*}$ids not-id [lindex $ids 1]]
        assert_equal {one two} [listed id [lindex $ids 0] skipme no id [lindex $ids 1]]
        # IDs alone are listed as they are named.
        assert_equal 3 [llength [listed id [lindex $ids 0] {*}$ids]]
    }

    test "CLIENT LIST by NAME, DB, LIB-NAME and LIB-VER, and what they leave" {
        $one client setinfo lib-name lib
        $one client setinfo lib-ver 1.2
        foreach {filter value} {name one db 1 lib-name lib lib-ver 1.2} {
            assert_equal one [listed $filter $value] $filter
            assert_equal {me two} [listed not-$filter $value] $filter
        }
        assert_equal {} [listed name one db 2]
        assert_equal {} [listed lib-name {} name two]
        # The last filter of a kind counts.
        assert_equal two [listed name one name two]
    }

    test "CLIENT LIST by ADDR, LADDR and IP" {
        set addr 127.0.0.1:[$one local_port]
        assert_equal one [listed addr $addr]
        assert_equal {me two} [listed not-addr $addr]
        assert_equal {me one two} [listed laddr 127.0.0.1:[srv port]]
        assert_equal {} [listed not-laddr 127.0.0.1:[srv port]]
        assert_equal {me one two} [listed ip 127.0.0.1]
        assert_equal {} [listed not-ip 127.0.0.1]
        assert_equal {} [listed ip 127.0.0]
    }

    test "CLIENT LIST by TYPE, USER and FLAGS" {
        $one subscribe channel
        $two multi
        assert_equal one [listed type pubsub]
        assert_equal {me two} [listed not-type pubsub]
        assert_equal {one two} [listed user default skipme yes]
        assert_equal {} [listed not-user default]
        assert_equal one [listed flags P]
        assert_equal two [listed flags x]
        assert_equal {} [listed flags Px]
        assert_equal {me two} [listed not-flags P]
        assert_equal me [listed flags N]
        assert_equal {} [listed capa r]
        assert_equal {me one two} [listed not-capa r]
        $two discard
    }

    test "CLIENT LIST by MAXAGE and IDLE" {
        assert_equal {} [listed maxage 1000]
        assert_equal {} [listed idle 1000]
        wait_for_condition {[listed idle 1 skipme yes] eq {one two}}
        assert_equal {} [listed idle 1 skipme no name me]
    }

    test "the errors of filters, one by one" {
        assert_error "ERR syntax error" {r client list name}
        foreach what {list kill} {
            assert_error "ERR syntax error" {r client $what name one db}
            assert_error "ERR syntax error" {r client $what not-idle 1}
            assert_error "ERR syntax error" {r client $what not-maxage 1}
            assert_error "ERR syntax error" {r client $what not-skipme yes}
            assert_error "ERR syntax error" {r client $what skipme maybe name x}
            assert_error "ERR client-id should be greater than 0" {r client $what name x id 0}
            assert_error "ERR client-id should be greater than 0" {r client $what not-id -1}
            assert_error "ERR syntax error" {r client $what not-id x}
            assert_error "ERR No such user 'nobody'" {r client $what user nobody}
            assert_error "ERR No such user 'nobody'" {r client $what not-user nobody}
            assert_error "ERR Unknown client type 'x'" {r client $what not-type x}
            assert_error "ERR idle is not an integer or out of range" {r client $what idle x}
            assert_error "ERR idle should be greater than 0" {r client $what idle 0}
            assert_error "ERR Unknown flags found in the provided filter: Nz" {r client $what flags Nz}
            assert_error "ERR Unknown flags found in the NOT-FLAGS filter: z" {r client $what not-flags z}
            assert_error "ERR Unknown capa found in the provided filter: x" {r client $what capa x}
            assert_error "ERR Unknown capa found in the NOT-CAPA filter: x" {r client $what not-capa x}
            assert_error "ERR DB is not an integer or out of range" {r client $what db x}
            assert_error "ERR DB number should be between 0 and 15" {r client $what db 16}
        }
        assert_error "ERR Invalid client ID" {r client list id 1 nosuch 2}
        assert_error "ERR Invalid client ID" {r client list id 1 name}
        assert_error "ERR syntax error" {r client kill id 1 nosuch 2}
    }

    test "CLIENT KILL takes the same, and spares its own connection unless told otherwise" {
        assert_equal 0 [r client kill name me]
        assert_equal 1 [r client kill id {*}$ids not-name two]
        assert_equal {me two} [listed]
        assert_equal 1 [r client kill not-db 0]
        assert_equal me [listed]
        assert_equal 1 [r client kill not-db 5 skipme no]
        reconnect
    }
}
