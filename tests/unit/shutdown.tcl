# SHUTDOWN and its options, and the signals that end a server.

set dump {[srv dir]/dump.rdb}

start_server {tags {shutdown}} {
    test "SHUTDOWN without save points saves nothing, SAVE forces it, NOSAVE prevents it" {
        foreach {points options saved} {"" "" 0 "" save 1 "900 100" "" 1 "900 100" nosave 0} {
            r config set save $points
            r set key $saved
            file delete [subst $dump]
            catch {r shutdown {*}$options}
            await_exit
            assert_equal $saved [file exists [subst $dump]] "save '$points', shutdown $options"
            restart_server
            if {$saved} { assert_equal 1 [r get key] }
            r flushall
        }
    }

    test "the connection ends without a reply" {
        set c [redis_client]
        $c send shutdown nosave
        assert_equal 1 [$c at_eof]
        await_exit
        assert_log {*ready to exit, bye bye*}
        restart_server
        $c close
    }

    test "SHUTDOWN syntax" {
        assert_error "ERR syntax error" {r shutdown foo}
        assert_error "ERR syntax error" {r shutdown save nosave}
        assert_error "ERR syntax error" {r shutdown abort now}
        assert_error "ERR No shutdown in progress." {r shutdown abort}
        assert_equal PONG [r ping]
    }

    test "SHUTDOWN is refused when the data can't be saved, FORCE goes ahead" {
        set dir [srv dir]
        r config set save "900 1" 
        r set a 1
        file mkdir $dir/dump.rdb/in-the-way
        assert_error_like "ERR Errors trying to SHUTDOWN. Check logs." {r shutdown}
        assert_equal PONG [r ping]
        assert_log {*Error trying to save the DB, can't exit*}
        catch {r shutdown force}
        await_exit
        file delete -force $dir/dump.rdb
        restart_server
        r config set save ""
    }

    test "SIGTERM and SIGINT end the server, saving where there are save points" {
        foreach signal {TERM INT} {
            foreach {points saved} {"" 0 "900 100" 1} {
                r config set save $points
                r set k $signal
                file delete [subst $dump]
                kill_server -signal $signal
                assert_equal $saved [file exists [subst $dump]] "SIG$signal with save '$points'"
                assert_log "*Received SIG$signal scheduling shutdown*"
                restart_server
            }
        }
    }

    test "shutdown-on-sigterm and shutdown-on-sigint" {
        r config set shutdown-on-sigterm nosave shutdown-on-sigint save
        r config set save "900 1"
        r set k v
        file delete [subst $dump]
        kill_server -signal TERM
        assert_equal 0 [file exists [subst $dump]]
        restart_server
        r config set shutdown-on-sigint save save ""
        r set k v
        kill_server -signal INT
        assert_equal 1 [file exists [subst $dump]]
        file delete [subst $dump]
        restart_server
        assert_error_like "ERR CONFIG SET failed*" {r config set shutdown-on-sigterm "save nosave"}
    }

    test "SHUTDOWN ABORT calls off what a signal asked for" {
        set mark [log_mark]
        r debug pause-cron 1
        send_signal [srv pid] TERM
        wait_for_log {*Received SIGTERM scheduling shutdown*} $mark
        assert_equal OK [r shutdown abort]
        assert_log {*Shutdown manually aborted*} $mark
        assert_error "ERR No shutdown in progress." {r shutdown abort}
        r debug pause-cron 0
        assert_equal PONG [r ping]
    }

    test "a second SIGINT does not wait for the last save" {
        r config set save "900 1" rdb-key-save-delay 100000
        populate 100
        send_signal [srv pid] INT
        wait_for_condition {[llength [glob -nocomplain [srv dir]/temp-*.rdb]] == 1} -what "a save"
        send_signal [srv pid] INT
        await_exit 0 3000
        assert_equal {} [glob -nocomplain [srv dir]/temp-*.rdb]
        assert_log {*You insist*}
        restart_server
        r config set save "" rdb-key-save-delay 0
    }

    test "SIGTERM saves once, however long it takes" {
        r config set save "3600 1" rdb-key-save-delay 0
        r debug populate 20000
        r set a b
        # A second and more, so that the cron is due when it is over.
        r config set rdb-key-save-delay 50
        set mark [log_mark]
        kill_server -signal TERM
        assert_equal 1 [llength [log_lines_like {*\* Saving the final RDB snapshot before exiting.} $mark]]
        assert_equal 1 [llength [log_lines_like {*\* DB saved on disk} $mark]]
        assert_equal 1 [llength [log_lines_like {*\* User requested shutdown...} $mark]]
        restart_server
        r config set save "" rdb-key-save-delay 0
        r flushall
    }

    test "SIGTERM and SIGINT to the saving child are ignored" {
        # Redis takes a second one of them for insistence.
        foreach signal {TERM INT} {
            r config set rdb-key-save-delay 5000
            populate 100
            r bgsave
            set child [lindex [children_of [srv pid]] 0]
            wait_for_condition {[llength [glob -nocomplain [srv dir]/temp-$child.rdb]] == 1}
            send_signal $child $signal
            wait_for_condition {[s rdb_bgsave_in_progress] == 0}
            assert_equal ok [s rdb_last_bgsave_status]
            r config set rdb-key-save-delay 0
        }
        r flushall
        file delete [subst $dump]
    }

    test "SIGHUP and SIGPIPE do no harm" {
        send_signal [srv pid] HUP
        send_signal [srv pid] PIPE
        sleep 150
        assert_equal PONG [r ping]
    }

    test "a snapshot child does not outlive a shutdown" {
        r config set rdb-key-save-delay 100000
        populate 200
        r bgsave
        set child [lindex [children_of [srv pid]] 0]
        assert_not_equal {} $child
        catch {r shutdown nosave}
        await_exit
        wait_for_condition {![process_alive $child]}
        assert_equal {} [glob -nocomplain [srv dir]/temp-*.rdb]
        restart_server
    }

    test "SHUTDOWN while the server is loading" {
        r debug populate 20000 k 100
        r save
        set_directive 0 key-load-delay 1000
        set_directive 0 loading-process-events-interval-bytes 1024
        restart_server -shutdown nosave -wait alive
        assert_error_like "LOADING *" {r get k}
        catch {r shutdown nosave}
        await_exit
        restart_server -wait alive
        set mark [log_mark]
        kill_server -signal TERM
        assert_log {*Received shutdown signal during loading, scheduling shutdown.*} $mark
        assert_log {*ready to exit, bye bye*} $mark
        set_directive 0 key-load-delay 0
        restart_server
        assert_equal 20000 [r dbsize]
    }
}
