# PUBLISH, SUBSCRIBE and their relatives, keyspace events.

start_server {tags {pubsub}} {
    test "subscribing, receiving, unsubscribing" {
        set c [redis_client]
        assert_typed {int 0} publish ch nobody
        assert_equal {subscribe ch 1} [$c subscribe ch]
        assert_equal {subscribe other 2} [$c subscribe other]
        assert_equal 1 [r publish ch hello]
        assert_equal {message ch hello} [$c read]
        assert_equal {unsubscribe ch 1} [$c unsubscribe ch]
        assert_equal 0 [r publish ch again]
        assert_equal {unsubscribe other 0} [$c unsubscribe]
        assert_equal {unsubscribe {} 0} [$c unsubscribe]
        assert_equal PONG [$c ping]
        $c close
    }

    test "several channels in one command give several replies" {
        set c [redis_client]
        $c send subscribe a b a
        assert_equal {{subscribe a 1} {subscribe b 2} {subscribe a 2}} [list [$c read] [$c read] [$c read]]
        $c send unsubscribe
        set got [list [$c read] [$c read]]
        assert_same_items {a b} [lmap m $got { lindex $m 1 }]
        assert_equal {1 0} [lmap m $got { lindex $m 2 }]
        $c close
    }

    test "patterns" {
        set c [redis_client]
        assert_equal {psubscribe news.* 1} [$c psubscribe news.*]
        assert_equal {psubscribe n?w* 2} [$c psubscribe n?w*]
        assert_equal 2 [r publish news.art x]
        assert_same_items {{pmessage news.* news.art x} {pmessage n?w* news.art x}} [list [$c read] [$c read]]
        assert_equal 1 [r publish now x]
        assert_equal {pmessage n?w* now x} [$c read]
        $c subscribe news.art
        assert_equal 3 [r publish news.art y]
        assert_equal {message news.art y} [$c read]
        $c close
    }

    test "a RESP2 subscriber may do little else" {
        set c [redis_client]
        $c subscribe ch
        assert_error "ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context" {$c get a}
        assert_equal {pong {}} [$c ping]
        assert_equal {pong hi} [$c ping hi]
        $c close
    }

    test "a RESP3 subscriber may do anything, messages are pushes" {
        set c [redis_client]
        $c hello 3
        assert_equal {push {{bulk subscribe} {bulk ch} {int 1}}} [$c typed subscribe ch]
        assert_equal OK [$c set a 1]
        r publish ch one
        assert_equal 1 [$c get a]
        assert_equal {message ch one} [$c push]
        # Publishing to oneself: the reply first, then the message.
        assert_equal 1 [$c publish ch self]
        assert_equal {message ch self} [$c push]
        # In a pipeline as well, and after EXEC's whole reply.
        foreach command {{publish ch one} ping multi {publish ch two} ping exec ping} { $c write [client::encode $command] }
        $c flush
        set got {}
        for {set i 0} {$i < 9} {incr i} { lappend got [$c read_typed] }
        set one {push {{bulk message} {bulk ch} {bulk one}}}
        set two {push {{bulk message} {bulk ch} {bulk two}}}
        assert_equal [list {int 1} $one {simple PONG}] [lrange $got 0 2]
        assert_equal [list {array {{int 1} {simple PONG}}} $two {simple PONG}] [lrange $got 6 8]
        $c close
    }

    test "PUBSUB CHANNELS, NUMSUB, NUMPAT" {
        set c [redis_client]
        set d [redis_client]
        $c subscribe one
        $c subscribe two
        $d subscribe one
        $d psubscribe t*
        $c psubscribe t*
        assert_same_items {one two} [r pubsub channels]
        assert_equal two [r pubsub channels t*]
        assert_equal {one 2 two 1 none 0} [r pubsub numsub one two none]
        assert_equal {} [r pubsub numsub]
        assert_equal 1 [r pubsub numpat]
        assert_equal 2 [s pubsub_channels]
        assert_equal 1 [s pubsub_patterns]
        assert_error "ERR unknown subcommand 'nosuch'. Try PUBSUB HELP." {r pubsub nosuch}
        $c close
        $d close
        wait_for_condition {[r pubsub channels] eq {} && [r pubsub numpat] == 0}
    }

    test "messages of any bytes, large ones, many receivers" {
        set all {}
        for {set i 0} {$i < 30} {incr i} {
            set c [redis_client]
            $c subscribe "bin\r\n\0"
            lappend all $c
        }
        set big [string repeat "\x00\r\n\xff" 100000]
        assert_equal 30 [r publish "bin\r\n\0" $big]
        foreach c $all {
            lassign [$c read] - channel message
            assert {$message eq $big && $channel eq "bin\r\n\0"}
            $c close
        }
    }

    test "a subscriber that does not read is cut off at its limit" {
        r config set client-output-buffer-limit "pubsub 1mb 0 0"
        set c [redis_client]
        $c subscribe flood
        set chunk [string repeat x 100000]
        for {set i 0} {$i < 400} {incr i} { if {[r publish flood $chunk] == 0} break }
        assert {$i < 400}
        r config set client-output-buffer-limit "pubsub 32mb 8mb 60"
        $c close
    }

    test "order of messages is kept" {
        set c [redis_client]
        $c subscribe seq
        pipeline [lmap i [lsearch -all [lrepeat 500 x] x] { list publish seq $i }]
        for {set i 0} {$i < 500} {incr i} { assert_equal [list message seq $i] [$c read] }
        $c close
    }

    test "keyspace events: only those asked for, on both kinds of channel" {
        set c [redis_client]
        $c psubscribe __key*
        r config set notify-keyspace-events KEA
        r set k v
        assert_equal {pmessage __key* __keyspace@0__:k set} [$c read]
        assert_equal {pmessage __key* __keyevent@0__:set k} [$c read]
        r config set notify-keyspace-events E$
        r incr n
        assert_equal {pmessage __key* __keyevent@0__:incrby n} [$c read]
        r del k
        r append n 1
        assert_equal {pmessage __key* __keyevent@0__:append n} [$c read]
        r config set notify-keyspace-events Kg
        r expire n 100
        assert_equal {pmessage __key* __keyspace@0__:n expire} [$c read]
        r rename n m
        assert_equal {pmessage __key* __keyspace@0__:n rename_from} [$c read]
        assert_equal {pmessage __key* __keyspace@0__:m rename_to} [$c read]
        r persist m
        assert_equal {pmessage __key* __keyspace@0__:m persist} [$c read]
        r del m
        assert_equal {pmessage __key* __keyspace@0__:m del} [$c read]
        r config set notify-keyspace-events Ex
        r set k v px 10
        assert_equal {pmessage __key* __keyevent@0__:expired k} [$c read]
        r config set notify-keyspace-events KEnm
        r set fresh 1
        assert_match {pmessage __key* __keyspace@0__:fresh new} [$c read]
        $c read
        r get missing-key
        assert_equal {pmessage __key* __keyspace@0__:missing-key keymiss} [$c read]
        r config set notify-keyspace-events ""
        $c close
    }
}

start_server {tags {pubsub}} {
    test "shard channels are a world of their own" {
        set c [redis_client]
        assert_equal {ssubscribe ch 1} [$c ssubscribe ch]
        assert_equal {subscribe ch 1} [$c subscribe ch]
        assert_equal {1 1} [list [r spublish ch a] [r publish ch b]]
        assert_equal {{smessage ch a} {message ch b}} [list [$c read] [$c read]]
        assert_equal {ch {ch 1 other 0} 1} \
            [list [r pubsub shardchannels] [r pubsub shardnumsub ch other] [s pubsubshard_channels]]
        assert_equal {} [r pubsub shardchannels x*]
        assert_match "*sub=1 psub=0 ssub=1*" [r client list]
        assert_equal {sunsubscribe ch 0} [$c sunsubscribe]
        assert_equal {sunsubscribe {} 0} [$c sunsubscribe]
        assert_equal {0 1} [list [r spublish ch a] [r publish ch b]]
        $c close
    }

    test "the end of a connection ends its shard subscriptions" {
        set c [redis_client]
        $c ssubscribe ch
        $c close
        wait_for_condition {[r pubsub shardnumsub ch] eq {ch 0}} -what "still subscribed"
    }
}

start_server {tags {pubsub}} {
    test "who wants no replies gets messages and what tells of subscriptions" {
        foreach {proto mode} {2 off 3 off 3 skip} {
            set c [redis_client]
            $c hello $proto
            foreach {word name} {subscribe ch psubscribe p* ssubscribe sh unsubscribe ch punsubscribe p* sunsubscribe sh} {
                $c send client reply $mode
                $c send $word $name
                assert_equal [list $word $name] [lrange [$c read] 0 1] "RESP$proto, $mode"
            }
            $c send client reply off
            $c send subscribe ch
            $c read
            assert_equal 1 [r publish ch hello]
            assert_equal {message ch hello} [$c read]
            if {$proto == 3} {
                # Replies are kept back, a message to oneself is not.
                $c send publish ch self
                $c send set k v
                assert_equal {message ch self} [$c read]
                $c send client reply on
                assert_equal OK [$c read]
            }
            $c close
        }
    }
}
