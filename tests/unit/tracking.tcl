# CLIENT TRACKING: who is told of which change, in which form, and where in the stream of replies.

# A client that speaks RESP3 and asked for tracking.
proc tracked {args} {
    set c [redis_client]
    $c hello 3
    assert_equal OK [$c client tracking on {*}$args]
    return $c
}

# The keys a client was told of by now, in order; {} stands for all keys. Whatever was sent to it before its PING is
# answered comes before the answer.
proc told {c} {
    assert_equal PONG [$c ping]
    set keys {}
    while {[llength [$c pushes]]} {
        lassign [$c push] kind list
        assert_equal invalidate $kind
        lappend keys {*}[expr {$list eq {} ? {{}} : $list}]
    }
    return $keys
}

# Sends commands in one piece; the next `count` messages, pushes among them, with their types.
proc stream {c count args} {
    foreach command $args { $c write [client::encode $command] }
    $c flush
    set got {}
    for {set i 0} {$i < $count} {incr i} { lappend got [$c read_typed] }
    return $got
}

proc invalidate {args} {
    list push [list {bulk invalidate} [list array [lmap key $args { list bulk $key }]]]
}

proc track_info {c} {
    set info [$c client trackinginfo]
    list [dict get $info flags] [dict get $info redirect] [dict get $info prefixes]
}

start_server {tags {tracking} overrides {save {""}}} {
    set w [redis_client]

    test "what was read is told once, when it changes" {
        set c [tracked]
        $c mget a b
        $w mset a 1 c 1
        assert_equal a [told $c]
        $w set a 2
        assert_equal {} [told $c] "not read since"
        $c get a
        $w set b 1
        $w del a
        assert_equal {b a} [told $c]
        $c close
    }

    test "every kind of read counts, also of what is not there, failed ones too, but no write" {
        set c [tracked]
        $w rpush list x
        set reads {
            {get k} {strlen k} {exists other k} {ttl k} {type k} {object encoding k} {dump k} {getrange k 0 1}
            {getbit k 1} {bitcount k} {touch k} {lcs other k} {sort_ro k} {bitfield_ro k get u8 0} {pfcount k}
            {memory usage k}
        }
        foreach read $reads {
            catch {$c {*}$read}
            $w set k [incr n]
            assert_equal k [told $c] $read
        }
        foreach read {{get list} {zunion 2 none list} {hgetall list} {sintercard 1 list}} {
            catch {$c {*}$read}
            $w rpush list x
            assert_equal list [told $c] "$read (an error)"
        }
        foreach write {{set k 1} {getset k 1} {set k 1 get} {getex k} {getdel k} {incr k} {append k 1}} {
            $c {*}$write
            $w set k 1
            assert_equal {} [told $c] $write
        }
        foreach other {{watch k} {keys *} {scan 0} {randomkey} {dbsize}} {
            $c {*}$other
            $w set k 1
            assert_equal {} [told $c] $other
        }
        $c close
    }

    test "every change of a key is told" {
        set c [tracked]
        foreach {setup changes} {
            {} {
                {set k 1} {setex k 100 x} {setnx k x} {mset j 1 k 2} {msetnx k 1} {incr k} {append k x} {setrange k 0 y}
                {setbit k 0 1} {bitfield k set u8 0 1} {bitop not k n} {pfadd k x} {rename n k} {copy n k} {rpush k a}
                {sadd k a} {zadd k 1 a} {hset k f 1} {geoadd k 1 1 p} {sort l store k} {sunionstore k s}
                {zunionstore k 1 s} {geosearchstore k g frommember p byradius 1 m} {lmove l k left left} {smove s k a}
                {zrangestore k z 0 -1} {debug populate 1 k 1}
            }
            {set k 1} {
                {set k 2} {set k 2 get} {getset k 1} {getdel k} {del k} {unlink k} {expire k 100} {pexpireat k 1}
                {getex k ex 100} {copy n k replace} {rename k j} {move k 9} {incrbyfloat k 0.5} {sinterstore k none}
                {sort none store k} {bitop and k none} {set k 1 px 1}
            }
            {set k 1 ex 100} {{persist k} {getex k persist} {expire k 50} {set k 1 keepttl}}
            {rpush k a b c} {{lset k 0 z} {lrem k 1 b} {ltrim k 0 0} {lpop k} {linsert k before b x} {blpop k 0} {lmpop 1 k left} {rpoplpush k j}}
            {sadd k a b} {{srem k a} {spop k} {smove k j a} {spop k 5} {sdiffstore k k k}}
            {zadd k 1 a 2 b} {{zincrby k 1 a} {zrem k a} {zpopmax k} {zmpop 1 k min} {zremrangebyscore k 0 9} {bzpopmin k 0}}
            {hset k f 1 g 2} {{hset k f 1} {hincrby k f 1} {hdel k f} {hdel k f g} {hsetnx k h 1} {hexpire k 100 fields 1 f}}
        } {
            foreach change $changes {
                $w flushall
                $w select 9
                $w flushdb
                $w select 0
                foreach command {{set n 1} {rpush l 1 2} {sadd s a} {zadd z 1 a} {geoadd g 1 1 p}} { $w {*}$command }
                if {$setup ne {}} { $w {*}$setup }
                # A populated key has a number behind its name.
                set key [expr {[lindex $change 0] eq "debug" ? "k:0" : "k"}]
                told $c
                $c exists $key
                $w {*}$change
                assert_equal $key [told $c] "$setup, $change"
            }
        }
        $w flushall
        $w set s 1
        $w sadd set m
        told $c
        foreach idle {
            {persist none} {del none} {srem set none} {setnx s 1} {expire none 5} {sadd set m} {persist s}
            {set none 1 xx} {hdel none f} {lrem none 0 x} {ltrim none 0 0} {zrem none m} {rename set set} {getdel none}
        } {
            $c exists none s set
            $w {*}$idle
            assert_equal {} [told $c] $idle
        }
        $c close
    }

    test "all databases are one: a key of the same name is meant" {
        set c [tracked]
        $c select 3
        $c get k
        $w set k 1
        assert_equal k [told $c]
        $c close
    }

    test "one's own change is told after the reply, before the next" {
        set c [tracked]
        $w del a b
        set want [list null null {simple OK} [invalidate a] {simple PONG} {simple OK} [invalidate b] {simple PONG}]
        assert_equal $want [stream $c 8 {get a} {get b} {set a 1} {ping} {set b 1} {ping}]
        $c close
    }

    test "in a transaction all is told after EXEC's reply" {
        set c [tracked]
        $w mset a 1 b 2
        set replies {array {{int 2} {bulk 2} {int 2} {simple OK} {bulk x}}}
        set want [list $replies [invalidate a] [invalidate b] [invalidate a] {simple PONG}]
        $c get a
        $c get b
        assert_equal $want [lrange [stream $c 11 multi {incr a} {get a} {del b missing a} {set a x} {get a} exec ping] 6 end]
        # What the transaction read last is known.
        $w set a y
        assert_equal a [told $c]
        $c close
    }

    test "a message about oneself does not split a reply of many keys" {
        r debug set-active-expire 0
        set c [tracked]
        $w set live 1
        $w set dead 1 px 1
        $c get dead
        sleep 5
        assert_equal [list {array {{bulk 1} null {bulk 1}}} [invalidate dead] {simple PONG}] \
            [stream $c 3 {mget live dead live} ping]
        # Reading it found it missing, and that is known in turn.
        $w set dead 2
        assert_equal dead [told $c]
        r debug set-active-expire 1
        $c close
    }

    test "keys that expire by themselves" {
        set c [tracked]
        $w set k 1 px 5
        $c get k
        assert_equal {invalidate k} [$c push]
        $c close
    }

    test "keys that another client finds expired" {
        r debug set-active-expire 0
        set c [tracked]
        $w set k 1 px 5
        $c get k
        sleep 10
        assert_equal {} [told $c]
        $w exists k
        assert_equal k [told $c]
        r debug set-active-expire 1
        $c close
    }

    test "fields of hashes that expire" {
        set c [tracked]
        $w hset h f 1 g 1
        $w hpexpire h 5 fields 1 f
        $c hgetall h
        assert_equal {invalidate h} [$c push]
        $c close
    }

    test "emptied databases void everything" {
        $w flushall
        set c [tracked]
        set d [tracked bcast noloop]
        $c get a
        assert_equal 1 [s tracking_total_keys]
        foreach command {flushall {flushdb async} {flushdb sync} {debug reload}} {
            $c get a
            $w {*}$command
            foreach who [list $c $d] {
                assert_equal PONG [$who ping]
                assert_equal {{invalidate {}}} [$who pushes] $command
                $who push
            }
            assert_equal 0 [s tracking_total_keys]
        }
        $w set a 1
        assert_equal {} [told $c]
        told $d
        # The null is a null, and follows the reply of the client's own command; within EXEC, EXEC's.
        assert_equal {{simple OK} {push {{bulk invalidate} null}} {simple PONG}} [stream $c 3 flushall ping]
        assert_equal {{array {{simple OK} {simple OK}}} {push {{bulk invalidate} null}} {simple PONG}} \
            [lrange [stream $c 6 multi flushdb {set a 1} exec ping] 3 end]
        assert_equal {{}} [lrange [told $d] 0 0]
        $c get a
        $w swapdb 0 1
        assert_equal {} [told $c] "SWAPDB tells nothing"
        $w swapdb 0 1
        $c close
        $d close
    }

    test "a client woken by a change is told after its reply" {
        set c [tracked]
        set d [tracked]
        $w del src dst
        $c lrange dst 0 -1
        $d lrange dst 0 -1
        $c send blmove src dst left left 0
        wait_for_condition {[s blocked_clients] == 1}
        $w rpush src x
        assert_equal {{bulk x} {push {{bulk invalidate} {array {{bulk dst}}}}}} [list [$c read_typed] [$c read_typed]]
        assert_equal dst [told $d]
        # The client whose push wakes another is told of what that one does.
        $d lrange dst 0 -1
        $c send blmove src dst left left 0
        wait_for_condition {[s blocked_clients] == 1}
        assert_equal [list {int 1} [invalidate dst] {simple PONG}] [stream $d 3 {rpush src y} ping]
        assert_equal y [$c read]
        $c close
        $d close
    }

    test "several clients are told of a key, each once" {
        $w flushall
        wait_for_condition {[s tracking_clients] == 0} -what "clients of earlier tests are gone"
        set all {}
        for {set i 0} {$i < 5} {incr i} { lappend all [tracked] }
        foreach c $all { $c get k; $c get k; $c get only$c }
        assert_equal 6 [s tracking_total_keys]
        assert_equal 10 [s tracking_total_items]
        assert_equal 5 [s tracking_clients]
        [lindex $all 2] close
        wait_for_condition {[s tracking_clients] == 4}
        assert_equal 10 [s tracking_total_items] "what it read is forgotten when it changes"
        $w set k 1
        assert_equal 5 [s tracking_total_items]
        set all [lreplace $all 2 2]
        foreach c $all { assert_equal k [told $c]; $c close }
    }

    test "NOLOOP: not of one's own changes" {
        set c [tracked noloop]
        $c mget a b
        $c set a 1
        assert_equal {} [told $c]
        $w set a 2
        assert_equal {} [told $c] "its own change ended the tracking of the key"
        $w set b 1
        assert_equal b [told $c]
        $c close
        set c [tracked bcast noloop]
        $c set a 1
        $w set b 1
        assert_equal b [told $c]
        $c close
    }

    test "NOLOOP with BCAST: time is nobody's own" {
        r debug set-active-expire 0
        set c [tracked bcast noloop]
        $c set a 1 px 1
        sleep 5
        assert_equal {} [told $c]
        $c get a
        assert_equal a [told $c]
        r debug set-active-expire 1
        $c close
    }

    test "OPTIN: only reads after CACHING YES" {
        set c [tracked optin]
        $c get a
        $w set a 1
        assert_equal {} [told $c]
        assert_equal OK [$c client caching yes]
        $c mget a b
        $c get d
        $w mset a 1 b 1 d 1
        assert_equal {a b} [told $c]
        # It holds for a whole transaction, given before it or in it.
        $c client caching yes
        foreach command {multi {get a} {get b} exec {get d}} { $c {*}$command }
        $w mset a 1 b 1 d 1
        assert_equal {a b} [told $c]
        foreach command {multi {get a} {client caching yes} {get b} exec {get d}} { $c {*}$command }
        $w mset a 1 b 1 d 1
        assert_equal b [told $c]
        $c close
    }

    test "CACHING is over after any command but CLIENT" {
        set c [tracked optin]
        set on {{on optin caching-yes} 0 {}}
        foreach {command kept} {{client id} 1 {client nosuch} 0 {client caching} 1 ping 0 nosuch 0 get 0 {set k 1} 0} {
            $c client caching yes
            assert_equal $on [track_info $c]
            catch {$c {*}$command}
            assert_equal $kept [expr {[track_info $c] eq $on}] $command
        }
        $c client caching yes
        $c multi
        $c discard
        assert_equal {{on optin} 0 {}} [track_info $c]
        $c close
    }

    test "OPTOUT: all reads but those after CACHING NO" {
        set c [tracked optout]
        $c get a
        $c client caching no
        assert_equal {{on optout caching-no} 0 {}} [track_info $c]
        $c get b
        $c get d
        $w mset a 1 b 1 d 1
        assert_equal {a d} [told $c]
        $c close
    }

    test "BCAST: every key, together, once a turn" {
        $w flushall
        set c [tracked bcast]
        $w mset b 1 a 1
        assert_equal {invalidate {a b}} [$c push]
        $w multi
        foreach n {1 2 3} { $w set z $n; $w set y $n }
        $w exec
        assert_equal {invalidate {y z}} [$c push]
        # A turn ends after a pipeline: its keys come in one message, behind the replies.
        assert_equal [list {simple OK} {simple OK} {int 1} [invalidate m n o]] \
            [stream $c 4 {set o 1} {set m 1} {incr n}]
        assert_equal 0 [s tracking_total_keys] "reads are not remembered"
        $c close
    }

    test "BCAST with prefixes: a message for each, in order" {
        wait_for_condition {[s tracking_total_prefixes] == 0} -what "clients of earlier tests are gone"
        set c [tracked bcast prefix user: prefix obj:]
        set d [tracked bcast prefix user:1]
        assert_equal 3 [s tracking_total_prefixes]
        $w mset user:2 1 obj:1 1 other 1 user:1 1 user 1
        assert_equal {invalidate obj:1} [$c push]
        assert_equal {invalidate {user:1 user:2}} [$c push]
        assert_equal user:1 [told $d]
        # Prefixes add up.
        assert_equal OK [$c client tracking on bcast prefix x]
        assert_equal {{on bcast} 0 {obj: user: x}} [track_info $c]
        $w set x1 1
        assert_equal x1 [told $c]
        $c client tracking off
        $w mset user:1 1 x1 1
        assert_equal {} [told $c]
        assert_equal user:1 [told $d]
        assert_equal 1 [s tracking_total_prefixes]
        $d close
        $c close
        wait_for_condition {[s tracking_total_prefixes] == 0}
    }

    test "what was read before BCAST is not told twice" {
        set c [tracked]
        $c get a
        $c client tracking off
        $c client tracking on bcast
        $w set a 1
        assert_equal a [told $c]
        $c close
    }

    test "off and on again: what was read before is still known" {
        set c [tracked]
        $c mget a b
        $c client tracking off
        $w set a 1
        assert_equal {} [told $c]
        $c client tracking on
        $w mset a 1 b 1
        assert_equal b [told $c]
        $c close
    }

    test "REDIRECT to a RESP2 subscriber: a message on a channel" {
        set s [redis_client]
        set id [$s client id]
        set c [redis_client]
        assert_equal OK [$c client tracking on redirect $id]
        assert_equal $id [$c client getredir]
        $c get a
        $w set a 1
        assert_equal {} [$s get none] "not subscribed: it can't be told"
        $s subscribe __redis__:invalidate
        $c mget a b
        $w mset a 1 b 1
        assert_equal {array {{bulk message} {bulk __redis__:invalidate} {array {{bulk a}}}}} [$s read_typed]
        assert_equal {message __redis__:invalidate b} [$s read]
        $w flushall
        assert_equal {array {{bulk message} {bulk __redis__:invalidate} null}} [$s read_typed]
        # The protocol of the receiver decides how all keys are written, not that of the client that redirects.
        $c hello 3
        $w flushall
        assert_equal {array {{bulk message} {bulk __redis__:invalidate} null}} [$s read_typed]
        $c client tracking off
        $c client tracking on bcast redirect $id prefix a prefix b
        $w mset b1 1 a1 1 a0 1
        assert_equal {message __redis__:invalidate {a0 a1}} [$s read]
        assert_equal {message __redis__:invalidate b1} [$s read]
        $s close
        $c close
    }

    test "REDIRECT to a RESP3 client: a push, subscribed or not" {
        set s [redis_client]
        $s hello 3
        set c [redis_client]
        $c client tracking on redirect [$s client id]
        $c get a
        $w set a 1
        assert_equal a [told $s]
        # A change by the receiver itself: after its reply.
        $c mget a b
        assert_equal [list {array {{simple OK} {simple OK}}} [invalidate a] [invalidate b] {simple PONG}] \
            [lrange [stream $s 7 multi {set a 1} {set b 1} exec ping] 3 end]
        $c close
        $s close
    }

    test "REDIRECT to a client that leaves" {
        foreach how {close kill} {
            set s [redis_client]
            $s hello 3
            set id [$s client id]
            set c [tracked redirect $id]
            assert_match "*flags=t *redir=$id *" [$c client info]
            $c get a
            if {$how eq "close"} { $s close } else { r client kill id $id }
            wait_for_condition {[r client list id $id] eq {}}
            assert_equal [list on $id {}] [track_info $c]
            $w set a 1
            assert_equal [list tracking-redir-broken $id] [$c push]
            assert_equal [list {on broken_redirect} $id {}] [track_info $c]
            assert_match "*flags=tR *redir=$id *" [$c client info]
            # It is said each time, after one's own reply as well; a new TRACKING ON mends it.
            $c get a
            assert_equal [list {simple OK} [list push [list {bulk tracking-redir-broken} [list int $id]]] {simple PONG}] \
                [stream $c 3 {set a 1} ping]
            assert_equal OK [$c client tracking on]
            assert_equal {on 0 {}} [track_info $c]
            assert_match "*flags=t *redir=0 *" [$c client info]
            $c close
            if {$how eq "kill"} { catch {$s close} }
        }
    }

    test "several clients redirect to one" {
        set s [redis_client]
        $s hello 3
        set id [$s client id]
        set c [redis_client]
        set d [tracked redirect $id]
        $c client tracking on redirect $id
        $c get a
        $d get b
        $w mset a 1 b 1
        assert_equal {a b} [told $s]
        foreach each [list $s $c $d] { $each close }
    }

    test "RESP2 without redirection: accepted, told nothing" {
        set c [redis_client]
        assert_equal OK [$c client tracking on]
        $c get a
        $w set a 1
        assert_equal {1 PONG} [list [$c get a] [$c ping]]
        # With RESP3 it is told from now on, of what it read before as well.
        $c hello 3
        $w set a 2
        assert_equal a [told $c]
        $c close
    }

    test "CLIENT REPLY OFF does not keep messages back" {
        set c [tracked]
        $c get a
        $c send client reply off
        $w set a 1
        assert_equal {invalidate a} [$c push]
        $c send get a
        $c send set a 2
        assert_equal {invalidate a} [$c push]
        assert_equal OK [$c client reply on]
        $c close
    }

    test "messages of other kinds come first, in the order of what caused them" {
        r config set notify-keyspace-events KA
        set c [tracked]
        $c psubscribe __keyspace*
        $c get a
        set event {push {{bulk pmessage} {bulk __keyspace*} {bulk __keyspace@0__:a} {bulk set}}}
        assert_equal [list {simple OK} $event [invalidate a] {simple PONG}] [stream $c 4 {set a 1} ping]
        r config set notify-keyspace-events {}
        $c close
    }

    test "keys of any bytes and long ones" {
        set c [tracked]
        foreach key [list "a\r\nb\x00\xff" [string repeat k 500] [string repeat "\xe9" 70000] ""] {
            $c get $key
            $w set $key 1
            assert_equal PONG [$c ping]
            assert {[$c push] eq [list invalidate [list $key]]}
        }
        $c close
    }

    test "RESET and leaving end it" {
        wait_for_condition {[s tracking_clients] == 0} -what "clients of earlier tests are gone"
        set c [tracked bcast prefix a]
        set d [tracked]
        assert_equal 2 [s tracking_clients]
        $c reset
        assert_equal {off -1 {}} [track_info $c]
        assert_match "*flags=N *redir=-1 *" [$c client info]
        assert_equal 1 [s tracking_clients]
        assert_equal 0 [s tracking_total_prefixes]
        $c close
        $d close
        wait_for_condition {[s tracking_clients] == 0}
    }

    test "CLIENT LIST shows the mode" {
        set c [redis_client]
        assert_match "*flags=N *redir=-1 *" [$c client info]
        $c client tracking on
        assert_match "*flags=t *redir=0 *" [$c client info]
        $c client tracking off
        $c client tracking on bcast
        assert_match "*flags=tB *redir=0 *" [$c client info]
        $c close
    }

    test "TRACKINGINFO in both protocols" {
        set c [redis_client]
        assert_equal {array {{bulk flags} {array {{bulk off}}} {bulk redirect} {int -1} {bulk prefixes} {array {}}}} \
            [$c typed client trackinginfo]
        $c hello 3
        $c client tracking on bcast noloop redirect [$c client id] prefix b prefix a
        set id [list int [$c client id]]
        assert_equal [list map [list {bulk flags} {set {{bulk on} {bulk bcast} {bulk noloop}}} {bulk redirect} $id \
            {bulk prefixes} {array {{bulk a} {bulk b}}}]] [$c typed client trackinginfo]
        $c client tracking off
        $c client tracking on bcast
        assert_equal {{on bcast} 0 {{}}} [track_info $c]
        $c close
    }

    test "HELP names the subcommands" {
        set help [join [r client help] \n]
        foreach word {TRACKING CACHING GETREDIR TRACKINGINFO} { assert_match "*\n$word*" $help }
    }

    test "options that are wrong, in the order in which they are looked at" {
        set c [redis_client]
        set gone "ERR The client ID you want redirect to does not exist"
        set id [$w client id]
        set syntax "ERR syntax error"
        set prefix "ERR PREFIX option requires BCAST mode to be enabled"
        set bcast "ERR OPTIN and OPTOUT are not compatible with BCAST"
        set overlap "Prefixes for a single client must not overlap."
        foreach {options error} [list \
            {maybe} $syntax {on redirect} $syntax {on prefix} $syntax {on nosuch} $syntax {off nosuch} $syntax \
            {on prefix a nosuch} $syntax {maybe prefix a} $syntax \
            {on redirect x} "ERR value is not an integer or out of range" \
            {on redirect 0} $gone {on redirect -1} $gone {on redirect 99999999 nosuch} $gone \
            "on redirect $id redirect $id" "ERR A client can only redirect to a single other client" \
            {on prefix a} $prefix {on prefix a optin optout} $prefix \
            {on bcast optin} $bcast {on bcast optin optout} $bcast {on bcast prefix a prefix a optout} $bcast \
            {on optin optout} "ERR You can't specify both OPTIN mode and OPTOUT mode" \
            {on bcast prefix ab prefix a} "ERR Prefix 'ab' overlaps with another provided prefix 'a'. $overlap" \
            {on bcast prefix x prefix a prefix ab} "ERR Prefix 'a' overlaps with another provided prefix 'ab'. $overlap" \
            {on bcast prefix "" prefix a} "ERR Prefix '' overlaps with another provided prefix 'a'. $overlap"] {
            assert_error $error {$c client tracking {*}$options}
            assert_equal {off -1 {}} [track_info $c] $options
        }
        assert_equal OK [$c client tracking off prefix a optin optout]
        assert_error "ERR wrong number of arguments for 'client|tracking' command" {$c client tracking}
        $c close
    }

    test "a mode is not changed while it is on" {
        set c [redis_client]
        set switch "before disabling tracking for this client, and then re-enabling it with a different mode."
        $c client tracking on
        assert_error "ERR You can't switch BCAST mode on/off $switch" {$c client tracking on bcast}
        assert_equal OK [$c client tracking on optin]
        assert_error "ERR You can't switch OPTIN/OPTOUT mode $switch" {$c client tracking on optout}
        assert_equal OK [$c client tracking on noloop]
        assert_equal {{on noloop} 0 {}} [track_info $c]
        assert_equal OK [$c client tracking on optout]
        $c client tracking off
        $c client tracking on bcast prefix foo
        assert_error "ERR You can't switch BCAST mode on/off $switch" {$c client tracking on}
        set overlap "overlaps with an existing prefix 'foo'. Prefixes for a single client must not overlap."
        foreach prefix {foo fo food} {
            assert_error "ERR Prefix '$prefix' $overlap" {$c client tracking on bcast prefix $prefix}
        }
        $c close
    }

    test "CLIENT CACHING where it makes no sense" {
        set c [redis_client]
        assert_error "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled" {
            $c client caching yes
        }
        $c client tracking on
        set yes "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode."
        set no "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode."
        assert_error $yes {$c client caching yes}
        assert_error $no {$c client caching no}
        $c client tracking on optin
        assert_error $no {$c client caching no}
        assert_error "ERR syntax error" {$c client caching maybe}
        assert_error "ERR wrong number of arguments for 'client|caching' command" {$c client caching}
        assert_error "ERR wrong number of arguments for 'client|getredir' command" {$c client getredir x}
        $c close
    }
}

start_server {tags {tracking} overrides {save {""}}} {
    set w [redis_client]

    test "more keys than tracking-table-max-keys: before the next command some are forgotten, and told" {
        r debug pause-cron 1
        r config set tracking-table-max-keys 3
        set c [tracked]
        $c mget a b c d e
        assert_equal 3 [s tracking_total_keys] "INFO is the next command"
        assert_equal PONG [$c ping]
        assert_equal 2 [llength [$c pushes]]
        set gone [list {*}[lindex [$c push] 1] {*}[lindex [$c push] 1]]
        $w mset a 1 b 1 c 1 d 1 e 1
        assert_same_items {a b c d e} [list {*}$gone {*}[told $c]]
        # The client at hand is told before the reply, also to a command that is only queued.
        $c mget a b c
        $c multi
        r config set tracking-table-max-keys 2
        set got [stream $c 3 ping exec]
        assert_match {push {{bulk invalidate} {array {{bulk ?}}}}} [lindex $got 0]
        assert_equal {{simple QUEUED} {array {{simple PONG}}}} [lrange $got 1 end]
        r config set tracking-table-max-keys 0
        $c mget 1 2 3 4 5 6 7
        assert_equal 9 [s tracking_total_keys]
        r debug pause-cron 0
        $c close
    }

    test "NOLOOP clients are told of what is forgotten too" {
        r flushall
        r config set tracking-table-max-keys 1
        set c [tracked noloop]
        $c mget a b
        assert_equal 1 [llength [told $c]]
        $c close
    }

    test "an idle server forgets as well, hundreds of keys at a time" {
        r flushall
        r config set tracking-table-max-keys 0
        set c [tracked]
        for {set i 0} {$i < 3000} {incr i} { $c send get key:$i }
        for {set i 0} {$i < 3000} {incr i} { $c read }
        assert_equal 3000 [s tracking_total_keys]
        r config set tracking-table-max-keys 10
        # Only the timer works now; each message is one key.
        for {set i 0} {$i < 2990} {incr i} { assert_equal invalidate [lindex [$c push] 0] }
        assert_equal 10 [s tracking_total_keys]
        assert_equal {} [told $c]
        r config set tracking-table-max-keys 1000000
        $c close
    }

    test "evicted keys are told before the reply to the command that needed the room" {
        r flushall
        set c [tracked noloop]
        r config set maxmemory-policy volatile-random
        $w setex volatile 1000 [string repeat x 300000]
        $c get volatile
        r config set maxmemory [expr {[s used_memory] + 50000}]
        $w setrange big 600000 x
        set got [stream $c 2 {strlen volatile}]
        assert_equal [list [invalidate volatile] {int 0}] $got
        r config set maxmemory 0
        $c close
    }

    test "what evicted keys make the server say evicts no more keys" {
        r flushall
        r config set maxmemory-policy allkeys-lru
        set clients {}
        for {set i 0} {$i < 20} {incr i} { lappend clients [tracked] }
        # Long names: a message is as long as the key that it names.
        set tail [string repeat x 2000]
        for {set i 0} {$i < 300} {incr i} {
            $w set $i$tail 1
            foreach c $clients { $c send get $i$tail }
        }
        foreach c $clients { for {set i 0} {$i < 300} {incr i} { $c read } }
        r config resetstat
        r config set maxmemory [expr {[s used_memory] - 80000}]
        # Some forty keys, and what buffers that come and go just then add; if messages counted, all would go.
        assert_between 10 150 [s evicted_keys]
        r config set maxmemory 0
        foreach c $clients { assert_between 10 150 [llength [told $c]]; $c close }
    }

    test "random reads and writes: what a client has cached is never out of date" {
        r flushall
        r config set tracking-table-max-keys 20
        set clients {}
        for {set i 0} {$i < 4} {incr i} { lappend clients [tracked] }
        array set cache {}
        proc take_pushes {c} {
            upvar cache cache
            while {[llength [$c pushes]]} {
                lassign [$c push] - keys
                if {$keys eq {}} { array unset cache $c,*; continue }
                foreach key $keys { unset -nocomplain cache($c,$key) }
            }
        }
        for {set round 0} {$round < 3000} {incr round} {
            set c [pick $clients]
            set key k[random_int 40]
            switch [random_int 8] {
                0 { $c set $key $round }
                1 { $c del $key k[random_int 40] }
                2 { $c set $key $round px [expr {1 + [random_int 3]}] }
                3 { if {[random_int 50] == 0} { $c flushall } else { $c rename [$c set $key $round; set key] k[random_int 40] } }
                default {
                    # What was told before the reply is about what was there before.
                    set value [$c get $key]
                    take_pushes $c
                    set cache($c,$key) $value
                }
            }
            if {$round % 20 == 0} {
                # Keys past their time are found by the reader, which tells those who have them.
                for {set n 0} {$n < 40} {incr n} { set now(k$n) [$w get k$n] }
                foreach c $clients { $c ping; take_pushes $c }
                foreach at [array names cache] {
                    set key [lindex [split $at ,] 1]
                    set later [$w get $key]
                    if {$later ne $now($key)} continue
                    assert_equal $now($key) $cache($at) "$at in round $round"
                }
            }
        }
        foreach c $clients { $c close }
        r config set tracking-table-max-keys 1000000
    }
}

start_server {tags {tracking}} {
    test "many prefixes take little memory, and give it back" {
        set c [redis_client]
        set command {client tracking on bcast}
        for {set i 0} {$i < 10240} {incr i} { lappend command prefix [format "cache:%07d" $i] }
        # The room for so many arguments stays for the next command.
        r exists {*}$command
        set before [s used_memory]
        $c {*}$command
        wait_for_condition {[s used_memory] - $before < 2250000} -within 5000 -what "as much as redis-server takes"
        r set cache:0010239 x
        assert_equal 10240 [s tracking_total_prefixes]
        $c close
        wait_for_condition {[s tracking_total_prefixes] == 0}
        wait_for_condition {[s used_memory] - $before < 100000} -within 5000
    }
}
