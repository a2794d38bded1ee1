# DUMP, RESTORE, MIGRATE.

start_server {tags {dump}} {
    test "what DUMP gives RESTORE takes, for every encoding" {
        r flushall
        foreach {key value} [list int 12345 small -7 large 9223372036854775807 short hello long [string repeat ab 500] \
            empty "" binary "\x00\xff\r\n" random [randstring 2000 2000]] {
            r set $key $value
            set encoding [r object encoding $key]
            set blob [r dump $key]
            assert_equal OK [r restore copy:$key 0 $blob]
            assert_equal $value [r get copy:$key] $key
            assert_equal $encoding [r object encoding copy:$key] $key
            assert_equal -1 [r ttl copy:$key]
        }
        assert_typed null dump missing
    }

    test "RESTORE with a relative and an absolute expiry" {
        r set a 1
        set blob [r dump a]
        r restore b 5000 $blob
        assert_between 4000 5000 [r pttl b]
        set at [expr {[now_ms] + 100000}]
        r restore c $at $blob absttl
        assert_equal $at [r pexpiretime c]
        assert_equal OK [r restore d [expr {[now_ms] - 5000}] $blob absttl]
        assert_equal 0 [r exists d]
    }

    test "RESTORE over an existing key needs REPLACE" {
        r set a old
        r set b new ex 100
        set blob [r dump b]
        assert_error "BUSYKEY Target key name already exists." {r restore a 0 $blob}
        assert_equal old [r get a]
        assert_equal OK [r restore a 0 $blob replace]
        assert_equal new [r get a]
        assert_equal -1 [r ttl a]
    }

    test "RESTORE sets idle time and frequency" {
        r set a 1
        set blob [r dump a]
        r restore idle 0 $blob idletime 1000 replace
        assert_between 1000 1002 [r object idletime idle]
        r config set maxmemory-policy allkeys-lfu
        r restore freq 0 $blob freq 100 replace
        assert_between 99 101 [r object freq freq]
        r config set maxmemory-policy noeviction
        assert_error "ERR Invalid IDLETIME value, must be >= 0" {r restore x 0 $blob idletime -1}
        assert_error "ERR Invalid FREQ value, must be >= 0 and <= 255" {r restore x 0 $blob freq 256}
        assert_error "ERR Invalid FREQ value, must be >= 0 and <= 255" {r restore x 0 $blob freq -1}
        assert_error "ERR value is not an integer or out of range" {r restore x 0 $blob idletime abc}
        assert_error "ERR value is not an integer or out of range" {r restore x 0 $blob freq x}
    }

    test "RESTORE errors" {
        r set a 1
        set blob [r dump a]
        assert_error "ERR Invalid TTL value, must be >= 0" {r restore x -1 $blob}
        assert_error "ERR value is not an integer or out of range" {r restore x abc $blob}
        assert_error "ERR syntax error" {r restore x 0 $blob foo}
        assert_error "ERR wrong number of arguments for 'restore' command" {r restore x 0}
    }

    test "a payload that is damaged in any byte is refused" {
        r set a "some value to damage"
        set blob [r dump a]
        for {set i 0} {$i < [string length $blob]} {incr i} {
            scan [string index $blob $i] %c code
            set bad [string replace $blob $i $i [format %c [expr {$code ^ 1}]]]
            assert_error "ERR DUMP payload version or checksum are wrong" {r restore x 0 $bad}
        }
        for {set i 0} {$i < [string length $blob]} {incr i} {
            assert_error "ERR DUMP payload version or checksum are wrong" {r restore x 0 [string range $blob 0 $i-1]}
        }
        assert_error "ERR DUMP payload version or checksum are wrong" {r restore x 0 ""}
        assert_error "ERR DUMP payload version or checksum are wrong" {r restore x 0 [randstring 50 50]}
        assert_equal 0 [r exists x]
    }

    test "payloads with a right checksum and nonsense inside are refused without harm" {
        # Checksums are not looked at now, so the damage reaches the decoder.
        r debug set-skip-checksum-validation 1
        r set long [string repeat abcdefgh 200]
        r set int 1234567
        set seen 0
        foreach key {long int} {
            set blob [r dump $key]
            for {set i 0} {$i < 300} {incr i} {
                set at [random_int [string length $blob]]
                set bad [string replace $blob $at $at [format %c [random_int 256]]]
                if {[catch {r restore x 0 $bad replace} why]} {
                    if {![string match "ERR *" $why]} { fail "unexpected: $why" }
                    incr seen
                }
            }
        }
        assert {$seen > 50}
        r debug set-skip-checksum-validation 0
        assert_equal PONG [r ping]
        assert {[server_alive]}
    }

    test "DUMP's trailer is the version and the checksum" {
        r set a x
        set blob [r dump a]
        assert_equal "\x00\x01x" [string range $blob 0 2]
        binary scan [string range $blob end-9 end-8] s version
        assert_between 6 12 $version
    }
}

start_server {tags {migrate}} {
    start_server {} {
        set to [srv port]

        test "MIGRATE moves a key with its expiry" {
            r -1 flushall
            r flushall
            r -1 set k v ex 100
            assert_equal OK [r -1 migrate 127.0.0.1 $to k 0 5000]
            assert_equal 0 [r -1 exists k]
            assert_equal v [r get k]
            assert_between 90 100 [r ttl k]
        }

        test "MIGRATE of a missing key" {
            assert_equal NOKEY [r -1 migrate 127.0.0.1 $to missing 0 5000]
            assert_equal NOKEY [r -1 migrate 127.0.0.1 $to "" 0 5000 keys m1 m2]
        }

        test "COPY keeps, REPLACE overwrites, another database" {
            r -1 set k one
            r set k two
            assert_error_like "*BUSYKEY*" {r -1 migrate 127.0.0.1 $to k 0 5000}
            assert_equal one [r -1 get k]
            assert_equal two [r get k]
            assert_equal OK [r -1 migrate 127.0.0.1 $to k 0 5000 copy replace]
            assert_equal one [r -1 get k]
            assert_equal one [r get k]
            assert_equal OK [r -1 migrate 127.0.0.1 $to k 6 5000]
            r select 6
            assert_equal one [r get k]
            r select 0
        }

        test "many keys at once, missing ones skipped" {
            r -1 flushall
            r flushall
            populate 100 m 20 -1
            set keys {}
            for {set i 0} {$i < 110} {incr i} { lappend keys m$i }
            assert_equal OK [r -1 migrate 127.0.0.1 $to "" 0 5000 keys {*}$keys]
            assert_equal 0 [r -1 dbsize]
            assert_equal 100 [r dbsize]
            assert_error "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string" {
                r -1 migrate 127.0.0.1 $to k 0 5000 keys a b
            }
        }

        test "a large value" {
            set big [randstring 3000000 3000000 alpha]
            r -1 set big $big
            assert_equal OK [r -1 migrate 127.0.0.1 $to big 0 20000]
            assert {[r get big] eq $big}
        }

        test "a target with a password" {
            r config set requirepass sesame
            # The connection kept from before is authenticated: away with it.
            r client kill type normal skipme yes
            r -1 set k v
            assert_error_like "*NOAUTH*" {r -1 migrate 127.0.0.1 $to k 0 5000 replace}
            assert_error_like "*WRONGPASS*" {r -1 migrate 127.0.0.1 $to k 0 5000 replace auth wrong}
            assert_equal v [r -1 get k]
            assert_equal OK [r -1 migrate 127.0.0.1 $to k 0 5000 replace auth sesame]
            r -1 set k v
            assert_equal OK [r -1 migrate 127.0.0.1 $to k 0 5000 replace auth2 default sesame]
            r config set requirepass ""
        }

        test "a target that does not answer is an I/O error, the key stays" {
            r -1 set k v
            assert_error "IOERR error or timeout writing to target instance" {r -1 migrate 127.0.0.1 1 k 0 500}
            set trap [socket -server {apply {{fd args} {}}} -myaddr 127.0.0.1 0]
            set port [lindex [fconfigure $trap -sockname] 2]
            assert_error_like "IOERR *" {r -1 migrate 127.0.0.1 $port k 0 300}
            close $trap
            assert_equal v [r -1 get k]
        }

        test "MIGRATE syntax" {
            assert_error "ERR syntax error" {r -1 migrate 127.0.0.1 $to k 0 1000 foo}
            assert_error_like "ERR value is not an integer*" {r -1 migrate 127.0.0.1 $to k 0 abc}
            assert_error "ERR wrong number of arguments for 'migrate' command" {r -1 migrate 127.0.0.1 $to k 0}
        }

        test "connections to the target are kept and then dropped" {
            r -1 set k v
            r -1 migrate 127.0.0.1 $to k 0 5000 replace
            assert_equal 1 [s -1 migrate_cached_sockets]
            wait_for_condition {[s -1 migrate_cached_sockets] == 0} -within 15000
        }
    }
}
