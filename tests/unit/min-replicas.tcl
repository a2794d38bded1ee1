# min-replicas-to-write: without enough replicas no write is accepted.

start_server {tags {config}} {
    set refused "NOREPLICAS Not enough good replicas to write."

    test "min-replicas-to-write refuses writes while replicas are missing, reads go on" {
        r set k v
        assert_equal OK [r config set min-replicas-to-write 1]
        foreach command {{set k x} {del k} {lpush l 1} {flushall} {expire k 10}} {
            assert_error $refused {r {*}$command}
        }
        assert_equal v [r get k]
        assert_equal PONG [r ping]
        assert_equal 0 [s min_slaves_good_slaves]
        assert_match "*errorstat_NOREPLICAS:count=5*" [r info errorstats]
    }

    test "in a transaction: at the write, and at EXEC when replicas are missing only then" {
        r multi
        assert_error $refused {r set k x}
        assert_error "EXECABORT Transaction discarded because of previous errors." {r exec}
        r config set min-replicas-to-write 0
        r multi
        r set k x
        set c [redis_client]
        $c config set min-slaves-to-write 1
        assert_error "EXECABORT Transaction discarded because of: NOREPLICAS Not enough good replicas to write." {r exec}
        # One that only reads may run.
        r multi
        r get k
        assert_equal v [r exec]
        $c close
    }

    test "min-replicas-max-lag 0 takes the condition away" {
        r config set min-replicas-max-lag 0
        assert_equal OK [r set k y]
        assert_equal {} [s min_slaves_good_slaves]
        r config set min-replicas-max-lag 10
        assert_error $refused {r set k z}
        r config set min-replicas-to-write 0
        assert_equal OK [r set k z]
    }
}

start_server {tags {config} overrides {min-replicas-to-write 3}} {
    test "min-replicas-to-write of the file holds from the first command on" {
        assert_error "NOREPLICAS Not enough good replicas to write." {r set k v}
    }
}
