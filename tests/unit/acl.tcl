# Users and their rules, from outside: what is denied where, who has to leave, and what files hold.

# A client that has logged in.
proc as_user {name password} {
    set client [redis_client]
    assert_equal OK [$client auth $name $password]
    return $client
}

set no_key "NOPERM No permissions to access a key"

start_server {} {
    test "a user may do what its rules say, and no more" {
        assert_equal OK [r acl setuser reader on >secret %R~data:* +@read +ping +acl|whoami]
        set c [as_user reader secret]
        assert_equal reader [$c acl whoami]
        r set data:1 v
        assert_equal v [$c get data:1]
        assert_equal PONG [$c ping]
        assert_error $no_key {$c get other}
        assert_error "NOPERM User reader has no permissions to run the 'set' command" {$c set data:1 x}
        assert_error "NOPERM User reader has no permissions to run the 'acl|list' command" {$c acl list}
        assert_match "*user=reader*" [r client list]
        $c close
    }

    test "wrong passwords and users that are off are told the same" {
        set c [redis_client]
        set wrong "WRONGPASS invalid username-password pair or user is disabled."
        assert_error $wrong {$c auth reader nonsense}
        assert_error $wrong {$c auth nobody secret}
        r acl setuser reader off
        assert_error $wrong {$c auth reader secret}
        r acl setuser reader on
        assert_equal OK [$c auth reader secret]
        $c close
    }

    test "rules that change hold at once, and a user that is removed is disconnected" {
        set c [as_user reader secret]
        assert_error $no_key {$c get other}
        r acl setuser reader ~other
        assert_equal {} [$c get other]
        r acl setuser reader resetkeys
        assert_error $no_key {$c get data:1}
        assert_equal 1 [r acl deluser reader]
        assert_error_like "*" {$c ping}
        $c close
        assert_error "ERR The 'default' user cannot be removed" {r acl deluser default}
    }

    test "transactions ask when a command is queued, and again when it runs" {
        r acl setuser writer on >p ~a ~b +@all
        set c [as_user writer p]
        $c multi
        assert_error $no_key {$c set c 1}
        assert_error_like "EXECABORT*" {$c exec}
        $c multi
        assert_equal QUEUED [$c set a 1]
        assert_equal QUEUED [$c set b 1]
        r acl setuser writer resetkeys ~a
        $c write "*1\r\n\$4\r\nEXEC\r\n"
        $c flush
        assert_equal "*2" [$c gets]
        assert_equal "+OK" [$c gets]
        assert_match "-NOPERM ACLs rules changed between*no permission to touch the specified keys" [$c gets]
        assert_equal {} [r get b]
        $c close
    }

    test "scripts may do what their caller may" {
        r acl setuser writer reset on >p ~a +@all
        set c [as_user writer p]
        assert_equal OK [$c eval {return redis.call('set', KEYS[1], 'v')} 1 a]
        assert_error_like "ERR ACL failure in script: No permissions to access a key*" {
            $c eval {return redis.call('set', 'b', 'v')} 1 a
        }
        assert_equal {1 0} [$c eval {
            local function may(...) return redis.acl_check_cmd(...) and 1 or 0 end
            return {may('get', 'a'), may('get', 'b')}
        } 1 a]
        $c close
    }

    test "SORT needs the right to read all keys when it reads keys that it is not told of" {
        r acl setuser writer reset on >p ~list +@all
        r rpush list 2 1
        set c [as_user writer p]
        assert_equal {1 2} [$c sort list]
        assert_error "ERR BY option of SORT denied due to insufficient ACL permissions." {$c sort list by w_*}
        assert_error "ERR GET option of SORT denied due to insufficient ACL permissions." {$c sort list get w_*}
        assert_error "ERR GET option of SORT denied due to insufficient ACL permissions." {$c sort list get #}
        assert_error "ERR GET option of SORT denied due to insufficient ACL permissions." {$c sort_ro list limit 0 1 "get\x00" w_* x}
        assert_error "ERR value is not an integer or out of range" {$c sort list limit 0 x get w_*}
        assert_error "ERR syntax error" {$c sort list x get w_*}
        assert_error "ERR syntax error" {$c sort_ro list store by w_*}
        r acl setuser writer %R~*
        assert_equal {2 1} [lsort -decreasing [$c sort list by w_*]]
        $c close
    }

    test "who sends dead letters to a stream needs the right to write it" {
        r acl setuser queues on >p ~q:* %R~shown -@all +@stream
        set c [as_user queues p]
        r xadd q:s 1-1 f v
        foreach key {other shown} {
            assert_error $no_key {$c xgroup create q:s g 0 maxdeliveries 1 dlq $key}
        }
        assert_equal OK [$c xgroup create q:s g 0 maxdeliveries 1 dlq q:dead]
        assert_error $no_key {$c xgroup setid q:s g 0 entriesread 1 MAXDELIVERIES 1 DLQ other}
        assert_equal {q:s q:dead} [r command getkeys xgroup create q:s g 0 maxdeliveries 1 dlq q:dead]
        $c close
        r acl deluser queues
    }

    test "subscriptions end when the channel is taken away" {
        r acl setuser listener on >p resetchannels &news:* +@all
        set c [as_user listener p]
        assert_error "NOPERM No permissions to access a channel" {$c subscribe other}
        assert_error "NOPERM No permissions to access a channel" {$c psubscribe news:a*}
        $c subscribe news:1
        r acl setuser listener &more
        assert_equal 1 [r publish news:1 still]
        r acl setuser listener resetchannels &more
        wait_for_condition {[r publish news:1 x] == 0}
        $c close
    }

    test "a client that waits is asked again when it goes on" {
        r acl setuser waiter on >p ~q +@all
        set c [redis_client -deferred]
        $c auth waiter p
        assert_equal OK [$c read]
        $c blpop q 0
        wait_for_condition {[s blocked_clients] == 1}
        r acl setuser waiter resetkeys
        r rpush q v
        assert_error $no_key {$c read}
        assert_equal 1 [r llen q]
        r del q
        $c close
    }

    test "ACL LOG has what was denied, alike ones once" {
        r acl log reset
        r acl setuser logged on >p ~a +get
        set c [as_user logged p]
        foreach _ {1 2 3} { catch {$c get b} }
        catch {$c set a 1}
        catch {$c auth logged wrong}
        set entries [r acl log]
        assert_equal 3 [llength $entries]
        assert_equal {auth auth} [list [dict get [lindex $entries 0] reason] [dict get [lindex $entries 0] object]]
        assert_equal {command set} [list [dict get [lindex $entries 1] reason] [dict get [lindex $entries 1] object]]
        assert_equal {key b 3 toplevel logged} [lmap f {reason object count context username} { dict get [lindex $entries 2] $f }]
        assert_match "*user=logged*" [dict get [lindex $entries 2] client-info]
        assert_equal 1 [llength [r acl log 1]]
        foreach field {auth cmd key} { assert {[s acl_access_denied_$field] > 0} }
        r config set acllog-max-len 0
        catch {$c get b}
        assert_equal {} [r acl log]
        r config set acllog-max-len 128
        $c close
    }

    test "ACL LOG keeps no more than the beginning of a long name" {
        r acl setuser nobody reset on nopass -@all +get
        set c [as_user nobody x]
        r acl log reset
        assert_error $no_key {$c get [string repeat k 100000]}
        assert_equal [string repeat k 4096] [dict get [lindex [r acl log] 0] object]
        catch {$c auth [string repeat u 100000] x}
        assert_equal 4096 [string length [dict get [lindex [r acl log] 0] username]]
        $c close
        r acl deluser nobody
    }

    test "a description makes the same user again, whatever was written" {
        foreach rules {
            {on >a >b ~x %R~y:* &c +@read -get +config|get -@dangerous}
            {on nopass allkeys allchannels allcommands -flushall -config|set}
            {off +select|0 +select|1 (+set ~a) (%W~b +@write &*)}
        } {
            r acl setuser one reset {*}$rules
            set text [string range [lsearch -inline [r acl list] "user one *"] 9 end]
            r acl setuser two reset {*}$text
            assert_equal [r acl getuser one] [r acl getuser two]
        }
    }

    test "passwords are shown nowhere" {
        r config set slowlog-log-slower-than 0
        r acl setuser hidden on >verysecret
        r config set slowlog-log-slower-than -1
        assert_no_match "*verysecret*" [r slowlog get 10]
        assert_match "*(redacted)*" [r slowlog get 10]
        assert_no_match "*verysecret*" [r acl list]
    }

    test "requirepass is the default user's password" {
        r config set requirepass one
        set c [redis_client]
        assert_error "NOAUTH Authentication required." {$c ping}
        assert_equal OK [$c auth one]
        assert_equal OK [$c auth default one]
        r acl setuser default >two
        assert_equal OK [$c auth two]
        r config set requirepass {}
        assert_error_like "ERR AUTH <password> called without any password*" {$c auth one}
        $c close
    }

    test "who never gave a password has to when one is needed again" {
        set before [redis_client]
        assert_equal PONG [$before ping]
        r config set requirepass one
        set stranger [redis_client]
        set known [redis_client]
        $known auth one
        assert_error "NOAUTH Authentication required." {$stranger ping}
        r config set requirepass {}
        assert_equal PONG [$stranger ping]
        r config set requirepass two
        assert_error "NOAUTH Authentication required." {$stranger ping}
        assert_equal {PONG PONG} [list [$known ping] [$before ping]]
        r acl setuser default nopass
        assert_equal PONG [$stranger ping]
        r acl setuser default off
        assert_error "NOAUTH Authentication required." {$stranger ping}
        r acl setuser default on nopass
        foreach c [list $before $stranger $known] { $c close }
    }
}

start_server {overrides {user {alice on >pa ~a:* +@all}}} {
    test "users of the configuration file are there, and CONFIG REWRITE keeps them" {
        set c [as_user alice pa]
        assert_error $no_key {$c get b}
        $c close
        r acl setuser bob on >pb ~b:* +get
        r config rewrite
        restart_server
        assert_equal {alice bob default} [r acl users]
        set c [as_user bob pb]
        assert_equal {} [$c get b:1]
        $c close
    }
}

set file $::tmpdir/users.acl
write_file $file "user alice on >pa ~a:* +@all\nuser default on nopass ~* &* +@all\n"
start_server [list overrides [list aclfile $file]] {
    test "ACL SAVE and LOAD go by the file" {
        assert_equal {alice default} [r acl users]
        r acl setuser carol on >pc ~c +get
        assert_equal OK [r acl save]
        assert_match "*user carol on sanitize-payload #*" [read_file $file]
        write_file $file "user dave on nopass ~d +get\n"
        set c [as_user alice pa]
        assert_equal OK [r acl load]
        assert_error_like "*" {$c ping}
        assert_equal {dave default} [r acl users]
        $c close
    }

    test "a file with errors changes nothing" {
        write_file $file "user x +nothing\nusr y\n"
        assert_error_like "ERR *users.acl:1: Error in applying operation '+nothing'*users.acl:2 should start with user keyword*" {r acl load}
        assert_equal {dave default} [r acl users]
    }
}
