# Sentinels of this program over servers of this program, and over an installed redis-server.

# Starts a Sentinel; its client. The configuration file is in `sentinel_file(client)`.
proc start_sentinel {lines} {
    set dir $::tmpdir/sentinel.[incr ::sentinel_serial]
    file mkdir $dir
    set port [free_port]
    set file $dir/sentinel.conf
    write_file $file "port $port\nbind 127.0.0.1\ndir $dir\nlogfile log\n[join $lines \n]\n"
    return [run_sentinel $file $port]
}

proc run_sentinel {file port} {
    set pid [exec $::options(server) $file --sentinel </dev/null >>[file dirname $file]/out 2>>[file dirname $file]/err &]
    watch_process $pid
    wait_for_condition {![catch {redis_client -port $port} client]} -within 10000
    set ::sentinel_pid($client) $pid
    set ::sentinel_file($client) $file
    set ::sentinel_port($client) $port
    return $client
}

proc stop_sentinel {client {signal TERM}} {
    set pid $::sentinel_pid($client)
    catch {$client close}
    send_signal $pid $signal
    wait_for_condition {![process_alive $pid]} -within 10000
    # A thread that ends a little later holds the sockets as long.
    wait_for_condition {[port_is_free $::sentinel_port($client)]} -within 10000
    unwatch_process $pid
}

# A server's role. A failover ends its clients' connections, this one as well.
proc role_of {level} {
    if {[catch {r $level role} role]} {
        reconnect $level
        set role [r $level role]
    }
    return $role
}

proc master_of {client} { lindex [$client sentinel get-master-addr-by-name m] 1 }
proc field {client command name} { dict get [$client sentinel $command m] $name }

proc watching {primary} {
    list "sentinel monitor m 127.0.0.1 [srv $primary port] 2" "sentinel down-after-milliseconds m 2000" \
        "sentinel failover-timeout m 6000"
}

# Three Sentinels that know each other and the replica.
proc three_sentinels {primary} {
    set all {}
    foreach _ {1 2 3} { lappend all [start_sentinel [watching $primary]] }
    foreach one $all {
        wait_for_condition {[field $one master num-other-sentinels] == 2 && [field $one master num-slaves] == 1} -within 30000
    }
    return $all
}

set options {repl-diskless-sync-delay 0 repl-ping-replica-period 1}

start_server [list overrides $options] {
    start_server [list overrides $options] {
        r 0 replicaof 127.0.0.1 [srv -1 port]

        test "Sentinels find each other and the replicas, and tell clients where the primary is" {
            set sentinels [three_sentinels -1]
            foreach one $sentinels {
                assert_equal [srv -1 port] [master_of $one]
                assert_match "OK 3 usable*" [$one sentinel ckquorum m]
                assert_equal {sentinel m} [$one role]
                assert_match "*redis_mode:sentinel*" [$one info server]
                assert_match "*master0:name=m,status=ok,address=127.0.0.1:[srv -1 port],slaves=1,sentinels=3*" [$one info]
            }
            assert_equal [srv 0 port] [dict get [lindex [[lindex $sentinels 0] sentinel replicas m] 0] port]
            assert_equal {} [[lindex $sentinels 0] sentinel get-master-addr-by-name nobody]
        }

        test "a Sentinel has only the commands of a Sentinel" {
            set one [lindex $sentinels 0]
            foreach command {{get k} {config get port} {save} {eval 1 0}} {
                assert_error_like "*unknown command*" {$one {*}$command}
            }
            assert_error_like "*Only HELLO messages*" {$one publish channel x}
            assert_error_like "*unknown command*" {r sentinel masters}
        }

        test "wrong settings are refused in Redis's words, and change nothing" {
            set one [lindex $sentinels 0]
            assert_error "ERR No such master with that name" {$one sentinel set nobody quorum 1}
            assert_error "ERR Invalid argument '0' for SENTINEL SET 'quorum'" {$one sentinel set m quorum 0}
            assert_error "ERR Unknown option or number of arguments for SENTINEL SET 'nothing'" {$one sentinel set m nothing 1}
            assert_error_like "*Reconfiguration of scripts path is denied*" {$one sentinel set m notification-script /bin/true}
            assert_error "ERR Invalid IP address or hostname specified" {$one sentinel monitor x nowhere 1 1}
            assert_error "ERR Duplicate master name." {$one sentinel monitor m 127.0.0.1 1 1}
            assert_error "ERR Invalid argument 'x' to SENTINEL CONFIG SET" {$one sentinel config set announce-port 1 x y}
            assert_equal {announce-port 0} [$one sentinel config get announce-port]
            assert_equal 2 [field $one master quorum]
        }

        test "a primary that is killed is replaced, and follows when it returns" {
            r -1 set k before
            wait_for_condition {[r 0 get k] eq "before"}
            set heard [redis_client -port $::sentinel_port([lindex $sentinels 0])]
            $heard subscribe +switch-master
            set old [srv -1 port]
            send_signal [srv -1 pid] KILL
            foreach one $sentinels { wait_for_condition {[master_of $one] == [srv 0 port]} -within 20000 }
            assert_equal [list message +switch-master "m 127.0.0.1 $old 127.0.0.1 [srv 0 port]"] [$heard read]
            $heard close
            assert_equal master [lindex [role_of 0] 0]
            assert_equal before [r 0 get k]
            restart_server -1
            wait_for_condition {[lindex [role_of -1] 0] eq "slave" && [lindex [role_of -1] 2] == [srv 0 port]} -within 30000
        }

        test "a Sentinel goes on with what its file holds" {
            set one [lindex $sentinels 0]
            set id [$one sentinel myid]
            set epoch [field $one master config-epoch]
            set file $::sentinel_file($one)
            stop_sentinel $one KILL
            set text [read_file $file]
            assert_match "*sentinel monitor m 127.0.0.1 [srv 0 port] 2*" $text
            assert_match "*sentinel known-replica m 127.0.0.1 [srv -1 port]*" $text
            set one [run_sentinel $file $::sentinel_port($one)]
            lset sentinels 0 $one
            assert_equal [list $id $epoch 2] [list [$one sentinel myid] [field $one master config-epoch] \
                [field $one master num-other-sentinels]]
            assert_equal [srv 0 port] [master_of $one]
        }

        test "an operator's failover, and the script that tells clients of it" {
            set one [lindex $sentinels 1]
            set script $::tmpdir/told.sh
            write_file $script "#!/bin/sh\necho \"\$*\" >>$::tmpdir/told\n"
            file attributes $script -permissions 0755
            assert_equal OK [$one sentinel config set loglevel debug]
            # Who still has the replica's report of its time as a primary would make it a replica once more, in the
            # middle of this failover: reports are asked for every ten seconds.
            foreach other $sentinels {
                wait_for_condition {[field $other master num-slaves] == 1}
                wait_for_condition {[dict get [lindex [$other sentinel replicas m] 0] role-reported] eq "slave"} -within 20000
            }
            set new [srv -1 port]
            set file $::sentinel_file($one)
            set port $::sentinel_port($one)
            stop_sentinel $one
            set text [read_file $file]
            write_file $file "$text\nsentinel client-reconfig-script m $script\n"
            set one [run_sentinel $file $port]
            lset sentinels 1 $one
            # It has to see the replica, and the replica's INFO, before it can promote it.
            wait_for_condition {![catch {$one sentinel failover m}]} -within 20000
            foreach other $sentinels { wait_for_condition {[master_of $other] == $new} -within 20000 }
            wait_for_condition {[file exists $::tmpdir/told]} -within 10000
            assert_equal "m leader start 127.0.0.1 [srv 0 port] 127.0.0.1 $new" [lindex [split [read_file $::tmpdir/told] \n] 0]
            wait_for_condition {[lindex [role_of 0] 0] eq "slave"} -within 20000
        }

        test "SENTINEL REMOVE and MONITOR" {
            set one [lindex $sentinels 2]
            assert_equal OK [$one sentinel remove m]
            assert_error "ERR No such master with that name" {$one sentinel master m}
            assert_no_match "*sentinel monitor m *" [read_file $::sentinel_file($one)]
            assert_equal OK [$one sentinel monitor n 127.0.0.1 [srv -1 port] 1]
            wait_for_condition {[dict get [$one sentinel master n] num-slaves] == 1} -within 20000
            assert_match "*sentinel monitor n 127.0.0.1 [srv -1 port] 1*" [read_file $::sentinel_file($one)]
        }
        # A run that leaves tests out may have started none.
        if {[info exists sentinels]} { foreach one $sentinels { stop_sentinel $one } }
    }
}

test "a Sentinel that ends leaves a snapshot in its directory alone" {
    foreach how {TERM save} {
        set one [start_sentinel {}]
        set dump [file dirname $::sentinel_file($one)]/dump.rdb
        write_file $dump "somebody's data"
        if {$how eq "save"} { catch {$one shutdown save force}; set how TERM }
        catch {stop_sentinel $one $how}
        wait_for_condition {![process_alive $::sentinel_pid($one)]} -within 10000
        assert_equal "somebody's data" [read_file $dump]
    }
}

test "a Sentinel needs a file that it can write, and sound directives" {
    set dir $::tmpdir/bad
    file mkdir $dir
    proc failing {arguments} {
        set out {}
        catch {exec {*}$::options(server) {*}$arguments </dev/null 2>@1} out
        return $out
    }
    assert_match "*Sentinel needs config file on disk to save state. Exiting...*" [failing "--sentinel --port [free_port]"]
    write_file $dir/a.conf "port [free_port]\nsentinel monitor m 127.0.0.1 1 0\n"
    assert_match "*at line 2*Quorum must be 1 or greater.*" [failing "$dir/a.conf --sentinel"]
    write_file $dir/b.conf "port [free_port]\nsentinel parallel-syncs m 1\n"
    assert_match "*No such master with specified name.*" [failing "$dir/b.conf --sentinel"]
    assert_match "*sentinel directive while not in sentinel mode*" [failing "$dir/b.conf"]
}

# Servers and Sentinels that speak TLS among themselves; clients come without.
set ::certs [file normalize [file join [file dirname [info script]] ../data/tls]]
proc by_tls {port} {
    list tls-port $port tls-replication yes tls-cert-file $::certs/server.crt tls-key-file $::certs/server.key \
        tls-ca-cert-file $::certs/ca.crt tls-client-cert-file $::certs/client.crt tls-client-key-file $::certs/client.key
}
set first [free_port]
set second [free_port]

start_server [list overrides [concat $options [by_tls $first]]] {
    start_server [list overrides [concat $options [by_tls $second]]] {
        test "Sentinels come to each other and to the servers by TLS, and tell the ports of TLS" {
            r 0 replicaof 127.0.0.1 $first
            set watched [list "sentinel monitor m 127.0.0.1 $first 2" "sentinel down-after-milliseconds m 2000" \
                "sentinel failover-timeout m 6000"]
            set sentinels {}
            set ports {}
            foreach _ {1 2 3} {
                lappend ports [free_port]
                set lines $watched
                foreach {name value} [by_tls [lindex $ports end]] { lappend lines "$name $value" }
                lappend sentinels [start_sentinel $lines]
            }
            foreach one $sentinels {
                wait_for_condition {![catch {$one sentinel ckquorum m} said] && [string match "OK 3 usable*" $said]} -within 30000
                wait_for_condition {[field $one master num-slaves] == 1} -within 30000
                assert_equal $second [dict get [lindex [$one sentinel replicas m] 0] port]
                foreach other [$one sentinel sentinels m] { assert {[dict get $other port] in $ports} }
            }
            send_signal [srv -1 pid] KILL
            foreach one $sentinels { wait_for_condition {[master_of $one] == $second} -within 20000 }
            wait_for_condition {[lindex [role_of 0] 0] eq "master"} -within 20000
            restart_server -1
            wait_for_condition {[lrange [role_of -1] 0 2] eq "slave 127.0.0.1 $second"} -within 30000
            foreach one $sentinels { stop_sentinel $one }
        }
    }
}
