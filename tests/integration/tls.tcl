# TLS: who gets in, certificates that change, other servers, handshakes that are never finished. The
# clients are redis-cli's.

need_tool redis-cli redis-tools
need {![catch {exec redis-cli --tls --cacert /nonexistent -p 1 ping 2>@1} e] || ![string match {*Unrecognized option*} $e]} \
    "this redis-cli knows no TLS"

set ::certs [file normalize [file join [file dirname [info script]] ../data/tls]]

proc tls_directives {port args} {
    set d [dict create tls-port $port tls-cert-file $::certs/server.crt tls-key-file $::certs/server.key \
        tls-ca-cert-file $::certs/ca.crt tls-client-cert-file $::certs/client.crt tls-client-key-file $::certs/client.key]
    dict merge $d $args
}

# A command by TLS with a certificate (name; {}: none). The reply, or what is wrong.
proc tls_cli {port cert args} {
    set as [expr {$cert eq {} ? {} : [list --cert $::certs/$cert.crt --key $::certs/$cert.key]}]
    set failed [catch {exec timeout 20 redis-cli -h 127.0.0.1 -p $port --tls --cacert $::certs/ca.crt {*}$as {*}$args 2>@1} out]
    if {$failed} { return "failed: $out" }
    return $out
}

set ::port [free_port]
start_server [list tags {tls} overrides [tls_directives $::port]] {
    test "TLS: commands and large values pass, in both directions" {
        assert_equal PONG [tls_cli $::port client ping]
        r set big [string repeat 0123456789 300000]
        set out [tls_cli $::port client get big]
        assert_equal 3000000 [string length $out]
        assert_equal OK [exec redis-cli -p $::port --tls --cacert $::certs/ca.crt --cert $::certs/client.crt \
            --key $::certs/client.key -x set copy << $out]
        assert_equal [r get big] [r get copy]
        assert_match "name=tls,bind=127.0.0.1,port=$::port" [s listener2]
        assert_log "*Ready to accept connections tls*"
    }

    test "TLS: who has no certificate, or one of another authority, is refused" {
        assert_match "failed: *" [tls_cli $::port {} ping]
        assert_match "failed: *" [tls_cli $::port stranger ping]
        assert_match "failed: *" [tls_cli $::port server ping]
        assert_equal PONG [tls_cli $::port old ping]
        r config set tls-auth-clients no
        assert_equal PONG [tls_cli $::port {} ping]
        r config set tls-auth-clients optional
        assert_equal PONG [tls_cli $::port {} ping]
        assert_match "failed: *" [tls_cli $::port stranger ping]
        r config set tls-auth-clients yes
        assert_match "failed: *" [tls_cli $::port {} ping]
        # Who does not speak TLS is not answered in it.
        set c [redis_client -host 127.0.0.1 -port $::port]
        assert_error_like "*" {$c ping}
        $c close
        assert {[info_field [r info tls] tls_handshakes_failed] >= 6}
        assert_log "*Error accepting a client connection: * (addr=127.0.0.1:* laddr=127.0.0.1:$::port)*"
    }

    test "TLS: protocols and ciphers are those of the directives" {
        r config set tls-protocols TLSv1.3
        assert_match "failed: *" [tls_cli $::port client --tls-ciphers ECDHE-ECDSA-AES128-GCM-SHA256 --tls-ciphersuites "" ping]
        r config set tls-protocols TLSv1.2 tls-ciphers ECDHE-ECDSA-AES256-GCM-SHA384
        assert_equal PONG [tls_cli $::port client ping]
        assert_match "failed: *" [tls_cli $::port client --tls-ciphers ECDHE-ECDSA-AES128-GCM-SHA256 ping]
        assert_error_like "*tls-ciphers*Unable to update TLS configuration*" {r config set tls-ciphers AES128-SHA}
        assert_log "*there is no cipher 'AES128-SHA' here; those of TLS 1.2 are ECDHE-*"
        assert_error_like "*tls-protocols*Unable to update TLS*" {r config set tls-protocols TLSv1.1}
        assert_equal ECDHE-ECDSA-AES256-GCM-SHA384 [lindex [r config get tls-ciphers] 1]
        r config set tls-protocols "" tls-ciphers DEFAULT
        assert_equal PONG [tls_cli $::port client ping]
    }

    test "TLS: the port takes what doc/tls.md names, and nothing else" {
        need_tool python3 python3
        set failed [catch {exec timeout 60 python3 $::root/tools/tls-scan.py 127.0.0.1:$::port \
            --cert $::certs/client.crt --key $::certs/client.key 2>@1} out]
        assert_equal 0 $failed $out
        assert_match "*TLSv1_1 *refused*TLSv1_3 *TLS_AES_256_GCM_SHA384*, 3 taken*" $out
    }

    test "TLS: a key with a password, and files that are not there" {
        assert_error_like "*Unable to update TLS configuration*" {r config set tls-key-file $::certs/encrypted.key}
        assert_log "*Failed to load private key: *encrypted.key: it is encrypted, and there is no password for it*"
        r config set tls-key-file-pass 1234
        r config set tls-key-file $::certs/encrypted.key
        assert_equal PONG [tls_cli $::port client ping]
        assert_error_like "*Unable to update TLS configuration*" {r config set tls-cert-file /nonexistent}
        assert_error_like "*Unable to update TLS configuration*" {r config set tls-cert-file $::certs/old.crt}
        assert_log "*it is not the key of *old.crt*"
        assert_equal PONG [tls_cli $::port client ping]
        r config set tls-key-file $::certs/server.key tls-key-file-pass ""
    }

    test "TLS: a certificate may stand for a user" {
        r acl setuser alice on nopass ~* +@all
        r acl setuser spiffe://test/bob on nopass ~* +@all
        assert_equal default [tls_cli $::port client acl whoami]
        r config set audit-log [srv dir]/audit.log
        r config set tls-auth-clients-user CN
        assert_equal alice [tls_cli $::port client acl whoami]
        r config set tls-auth-clients-user URI
        assert_equal spiffe://test/bob [tls_cli $::port client acl whoami]
        # No user of that name: the default user, who may want a password.
        assert_equal default [tls_cli $::port old acl whoami]
        r config set requirepass secret
        assert_match "*NOAUTH*" [tls_cli $::port old acl whoami]
        assert_equal spiffe://test/bob [tls_cli $::port client acl whoami]
        r config set requirepass ""
        r acl setuser spiffe://test/bob off
        assert_equal default [tls_cli $::port client acl whoami]
        r config set tls-auth-clients-user off
        wait_for_condition {[string match *certificate*failed* [string map [list \n {}] [read_file [srv dir]/audit.log]]]
            || [regexp {"failed".*certificate} [read_file [srv dir]/audit.log]]}
        assert_match "*alice*" [read_file [srv dir]/audit.log]
        r config set audit-log ""
        r acl deluser alice spiffe://test/bob
    }

    test "TLS: changed files are taken without a restart, and bad ones are not" {
        set dir [srv dir]
        foreach f {server.crt server.key} { file copy $::certs/$f $dir/$f }
        r config set tls-auto-reload-interval 1 tls-cert-file $dir/server.crt tls-key-file $dir/server.key
        assert_equal 1001 [info_field [r info tls] tls_server_cert_serial]
        set mark [log_mark]
        write_file $dir/server.crt "broken"
        wait_for_log "*TLS materials could not be reloaded*" $mark
        assert_equal PONG [tls_cli $::port client ping]
        file copy -force $::certs/old.crt $dir/server.crt
        file copy -force $::certs/old.key $dir/server.key
        wait_for_condition {[info_field [r info tls] tls_server_cert_serial] eq "1003"}
        assert_equal PONG [tls_cli $::port client ping]
        assert {[info_field [r info tls] tls_server_cert_expires_in_days] > 30000}
        r config set tls-auto-reload-interval 0
        foreach f {crt key} { file copy -force $::certs/server.$f $dir/server.$f }
        send_signal [srv pid] HUP
        wait_for_condition {[info_field [r info tls] tls_server_cert_serial] eq "1001"}
        r config set tls-cert-file $::certs/server.crt tls-key-file $::certs/server.key
    }

    test "TLS: handshakes that are never finished hold nobody up" {
        set crowd {}
        for {set i 0} {$i < 200} {incr i} {
            set c [socket 127.0.0.1 $::port]
            fconfigure $c -translation binary -blocking 0
            # Half of them begin a record and stop.
            if {$i % 2} { puts -nonewline $c "\x16\x03\x01\x02\x00\x01\x00"; flush $c }
            lappend crowd $c
        }
        wait_for_condition {[info_field [r info tls] tls_handshakes_in_progress] == 200}
        set worst 0
        for {set i 0} {$i < 200} {incr i} {
            set start [clock microseconds]
            r ping
            set worst [expr {max($worst, [clock microseconds] - $start)}]
        }
        assert {$worst < 100000} $worst
        assert_equal PONG [tls_cli $::port client ping]
        foreach c $crowd { close $c }
        wait_for_condition {[info_field [r info tls] tls_handshakes_in_progress] == 0}
    }

    test "TLS: the port moves and goes, and plain clients stay" {
        set other [free_port]
        r config set tls-port $other
        assert_equal PONG [tls_cli $other client ping]
        assert_match "failed: *" [tls_cli $::port client ping]
        r config set tls-port 0
        assert_match "failed: *" [tls_cli $other client ping]
        r config set tls-port $::port
        assert_equal PONG [tls_cli $::port client ping]
    }

    foreach diskless {no yes} {
        foreach load {disabled swapdb} {
            test "TLS: a replica, diskless $diskless, diskless load $load" {
                r config set repl-diskless-sync $diskless repl-diskless-sync-delay 0 tls-replication yes
                r debug populate 20000 key 100
                set theirs [free_port]
                start_server [list overrides [tls_directives $theirs tls-replication yes repl-diskless-load $load]] {
                    r replicaof 127.0.0.1 $::port
                    wait_for_condition {[s master_link_status] eq "up"} -within 20000
                    r -1 set after sync
                    r -1 set large [string repeat x 500000]
                    wait_for_condition {[r debug digest] eq [r -1 debug digest]} -within 10000
                    assert_match "*port=$theirs*" [info_field [r -1 info replication] slave0]
                    # It goes on where it was.
                    set fulls [s -1 sync_full]
                    set partials [s -1 sync_partial_ok]
                    r -1 client kill type replica
                    # It notices at once, not when it next says something.
                    wait_for_condition {[s -1 sync_partial_ok] == $partials + 1} -within 500
                    r -1 incr counter
                    wait_for_condition {[r get counter] eq [r -1 get counter]} -within 20000
                    assert_equal $fulls [s -1 sync_full]
                }
                r flushall
            }
        }
    }

    test "TLS: keys move to another server" {
        set theirs [free_port]
        r config set tls-cluster yes
        start_server [list overrides [tls_directives $theirs]] {
            r -1 set moved away
            assert_equal OK [r -1 migrate 127.0.0.1 $theirs moved 0 5000]
            assert_equal away [r get moved]
            assert_equal 0 [r -1 exists moved]
        }
        r config set tls-cluster no
    }
}

test "TLS: what can't be honoured stops the start, with the reason" {
    set base [dict create port 0 tls-cert-file $::certs/server.crt tls-key-file $::certs/server.key tls-ca-cert-file $::certs/ca.crt]
    foreach {directives why} {
        {tls-protocols TLSv1.1} {*TLSv1.1 is not safe any more, and is not here; write TLSv1.2 or TLSv1.3*}
        {tls-ciphers DHE-RSA-AES128-SHA} {*there is no cipher 'DHE-RSA-AES128-SHA' here*}
        {tls-ciphersuites TLS_AES_128_CCM_SHA256} {*there is no cipher 'TLS_AES_128_CCM_SHA256' here*}
        {tls-dh-params-file /nonexistent} {*Failed to load /nonexistent: No such file or directory*}
        {tls-ca-cert-file ""} {*Either tls-ca-cert-file or tls-ca-cert-dir must be specified*}
        {tls-cert-file ""} {*No tls-cert-file configured!*}
    } {
        set dir [file join $::tmpdir tls-[incr ::tls_serial]]
        file mkdir $dir
        write_file $dir/redis.conf [config_text [dict merge $base [list dir $dir tls-port [free_port]] $directives] {}]
        set code [catch {exec timeout 20 $::options(server) $dir/redis.conf 2>@1} out]
        assert_equal 1 $code
        assert_match $why $out
        assert_match "*Failed to configure TLS. Check logs for more info.*" $out
    }
}
