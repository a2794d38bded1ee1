# Rules about databases, as Valkey 9.1 has them. Who does not use them sees none of it.

start_server {tags {acl}} {
    test "users without such rules look as in Redis 7.2" {
        r acl setuser plain on nopass ~* +@all
        assert_equal {flags passwords commands keys channels selectors} [dict keys [r acl getuser plain]]
        assert_match "*resetchannels +@all*" [lindex [lsearch -all -inline [r acl list] "user plain *"] 0]
        assert_no_match "*db*" [r acl list]
        assert_equal {} [s redust_acl_access_denied_database]
    }

    test "db=, resetdbs and alldbs are shown where they are used" {
        r acl setuser dora on nopass ~* +@all db=3,0
        assert_equal "user dora on nopass sanitize-payload ~* resetchannels db=0,3 +@all" \
            [lsearch -inline [r acl list] "user dora *"]
        assert_equal db=0,3 [dict get [r acl getuser dora] databases]
        r acl setuser dora resetdbs
        assert_equal {} [dict get [r acl getuser dora] databases]
        r acl setuser dora alldbs (+get ~x db=1)
        assert {![dict exists [r acl getuser dora] databases]}
        assert_equal db=1 [dict get [lindex [dict get [r acl getuser dora] selectors] 0] databases]
        assert_error "ERR Error in ACL SETUSER modifier 'db=x': Syntax error" {r acl setuser dora db=x}
        assert_error "ERR Error in ACL SETUSER modifier 'db=-1': The provided database ID is out of range" \
            {r acl setuser dora db=-1}
        r acl setuser dora clearselectors db=0,3
    }

    test "what is denied, with reason and object" {
        set c [redis_client]
        $c auth dora x
        $c set k v
        assert_equal OK [$c select 3]
        assert_error "NOPERM No permissions to access database" {$c select 1}
        assert_error "NOPERM No permissions to access database" {$c flushall}
        assert_error "NOPERM No permissions to access database" {$c swapdb 0 1}
        assert_error "NOPERM No permissions to access database" {$c copy k k2 db 2}
        assert_equal {} [$c get k]
        assert_equal OK [$c select 0]
        assert_equal 1 [$c move k 3]
        set entry [lindex [r acl log 10] 0]
        assert_equal {database 2} [list [dict get $entry reason] [dict get $entry object]]
        assert_equal 4 [s redust_acl_access_denied_database]
        assert_equal "User dora has no permissions to access database 7" [r acl dryrun dora select 7]
        assert_equal "User dora has no permissions to access database FLUSHALL" [r acl dryrun dora FLUSHALL]
        $c close
    }

    test "a connection begins in database 0, though it may be none of its user's" {
        r acl setuser erna on nopass ~* +@all db=5
        set c [redis_client]
        $c auth erna x
        assert_error "NOPERM No permissions to access database" {$c get k}
        assert_error "NOPERM No permissions to access database" {$c dbsize}
        assert_equal PONG [$c ping]
        assert_equal OK [$c select 5]
        assert_equal OK [$c set k v]
        $c close
    }

    test "in transactions and scripts the database counts that is selected there" {
        set c [redis_client]
        $c auth dora x
        $c multi
        $c select 3
        $c set a 1
        assert_error_like "NOPERM*" {$c select 1}
        assert_error_like "EXECABORT*" {$c exec}
        $c multi
        $c select 3
        $c set a 1
        assert_equal {OK OK} [$c exec]
        assert_error_like "*No permissions to access database*" {$c eval {redis.call('select', 1) return redis.call('get', 'a')} 0}
        assert_equal 1 [$c eval {redis.call('select', 3) return redis.call('get', 'a')} 0]
        $c close
        r acl setuser erna db=5 +@all
        set c [redis_client]
        $c auth erna x
        $c select 5
        $c multi
        $c get k
        r acl setuser erna db=6
        assert_match "*no permission to access the database*" [$c exec]
        $c close
    }

    test "the rules are kept by CONFIG REWRITE" {
        r config rewrite
        assert_match "*user dora on nopass sanitize-payload ~\\* resetchannels db=0,3 +@all*" [read_file [srv conf]]
    }
}
