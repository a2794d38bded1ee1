# Commands and options of later servers that are accepted here: SET IFEQ, DELIFEQ, MSETEX.

start_server {tags {strings dialects}} {
    need_command delifeq

    test "SET IFEQ writes only over the value it names" {
        r set k old
        assert_equal OK [r set k new ifeq old]
        assert_equal new [r get k]
        assert_typed null set k x ifeq old
        assert_equal new [r get k]
        assert_typed null set missing x ifeq {}
        assert_equal 0 [r exists missing]
    }

    test "SET IFEQ compares integers as text" {
        r set n 12
        assert_typed null set n 13 ifeq 012
        assert_equal OK [r set n 13 ifeq 12]
        assert_equal int [r object encoding n]
    }

    test "SET IFEQ with GET replies the old value either way" {
        r set k a
        assert_equal a [r set k b ifeq a get]
        assert_equal b [r set k c ifeq a get]
        assert_equal b [r get k]
    }

    test "SET IFEQ with an expiry, and without one drops it" {
        r set k a ex 100
        assert_equal OK [r set k b ifeq a keepttl]
        assert_between 90 100 [r ttl k]
        assert_equal OK [r set k c ifeq b px 5000]
        assert_between 4000 5000 [r pttl k]
        assert_equal OK [r set k d ifeq c]
        assert_equal -1 [r ttl k]
    }

    test "SET IFEQ goes with neither NX nor XX, and needs its value" {
        foreach options {{ifeq a nx} {xx ifeq a} {ifeq} {nx ifeq a}} {
            assert_error "ERR syntax error" {r set k v {*}$options}
        }
    }

    test "DELIFEQ deletes only the value it names" {
        r set k v
        assert_equal 0 [r delifeq k other]
        assert_equal 1 [r delifeq k v]
        assert_equal 0 [r exists k]
        assert_equal 0 [r delifeq k v]
    }

    test "MSETEX sets all keys with one time to live" {
        assert_equal 1 [r msetex 2 a 1 b 2 ex 100]
        assert_equal {1 2} [r mget a b]
        assert_between 90 100 [r ttl a]
        assert_between 90 100 [r ttl b]
        assert_equal 1 [r msetex 1 a 3 keepttl]
        assert_between 90 100 [r ttl a]
        assert_equal 1 [r msetex 1 a 4]
        assert_equal -1 [r ttl a]
    }

    test "MSETEX with a condition that fails for one key sets none" {
        r del a b c
        r set a 1
        assert_equal 0 [r msetex 2 a x b y nx]
        assert_equal 0 [r msetex 2 a x b y xx]
        assert_equal 1 [r get a]
        assert_equal 0 [r exists b]
        assert_equal 1 [r msetex 2 b y c z nx]
        assert_equal 1 [r msetex 2 b 1 c 2 xx]
        assert_equal {1 2} [r mget b c]
    }

    test "MSETEX errors" {
        assert_error "ERR invalid numkeys value" {r msetex 0 a 1}
        assert_error "ERR invalid numkeys value" {r msetex x a 1}
        assert_error "ERR wrong number of arguments for 'msetex' command" {r msetex 2 a 1 b}
        assert_error "ERR syntax error" {r msetex 1 a 1 nx xx}
        assert_error "ERR syntax error" {r msetex 1 a 1 ex}
        assert_error "ERR invalid expire time in 'msetex' command" {r msetex 1 a 1 ex 0}
        assert_error "ERR value is not an integer or out of range" {r msetex 1 a 1 px soon}
    }

    test "WAIT, WAITAOF and ROLE of a server that stands alone" {
        assert_equal 0 [r wait 0 100]
        assert_equal 0 [r wait -1 0]
        assert_error "ERR timeout is negative" {r wait 1 -1}
        assert_equal {0 0} [r waitaof 0 0 100]
        assert_error_like "ERR WAITAOF cannot be used when numlocal is set*" {r waitaof 1 0 100}
        assert_equal {master 0 {}} [r role]
    }
}
