# Snapshots: SAVE, BGSAVE, save points, restarts, damaged files, failures of the child.

proc rdb_path {} { return [srv dir]/dump.rdb }

start_server {tags {rdb}} {
    test "SAVE writes a file that a restart reads back, databases and expiries included" {
        populate 3000 k 50
        populate 500 t 10 0 {ex 10000}
        r mset int 123 neg -5 big [string repeat xyz 10000] empty "" bin "\x00\xff\r\n"
        r set at v pxat 4102444800123
        r select 11
        r set eleven 11
        r select 0
        assert_equal OK [r save]
        assert_equal "REDIS" [string range [read_file [rdb_path]] 0 4]
        set before [debug_digest]
        restart_server -signal KILL
        assert_equal $before [debug_digest]
        assert_equal 4102444800123 [r pexpiretime at]
        assert_equal 3506 [r dbsize]
        foreach {key encoding} {int int neg int big raw empty embstr} { assert_encoding $encoding $key }
        assert_equal 3507 [s rdb_last_load_keys_loaded]
    }

    test "a restart without saving loses what came after the last save" {
        r set after save
        restart_server -signal KILL
        assert_equal {} [r get after]
        assert_equal 3506 [r dbsize]
    }

    test "expired keys of a file are not loaded" {
        r flushall
        populate 10 live
        populate 20 dead 10 0 {px 300}
        r save
        kill_server -signal KILL
        sleep 350
        restart_server
        assert_equal 10 [r dbsize]
        assert_equal 20 [s rdb_last_load_keys_expired]
        assert_equal 10 [s rdb_last_load_keys_loaded]
    }

    test "BGSAVE saves the moment of its start while writes go on" {
        r flushall
        r config set rdb-key-save-delay 2000
        populate 300 k
        r set mark before
        assert_equal "Background saving started" [r bgsave]
        assert_equal 1 [s rdb_bgsave_in_progress]
        r set mark after
        r set new 1
        r del k0
        assert_error "ERR Background save already in progress" {r bgsave}
        assert_error "ERR Background save already in progress" {r save}
        wait_for_condition {[s rdb_bgsave_in_progress] == 0} -within 10000
        r config set rdb-key-save-delay 0
        assert_equal ok [s rdb_last_bgsave_status]
        assert_equal 3 [s rdb_changes_since_last_save]
        assert_log {*Background saving terminated with success*}
        assert_log {*DB saved on disk*}
        restart_server -signal KILL
        assert_equal before [r get mark]
        assert_equal 301 [r dbsize]
    }

    test "a connection that is closed ends though a child lives" {
        r set k v
        r config set rdb-key-save-delay 10000000
        r bgsave
        set c [redis_client]
        $c ping
        r client kill id [$c client id] skipme no
        assert_equal 1 [$c at_eof]
        $c close
        assert_equal 1 [s rdb_bgsave_in_progress]
        r config set rdb-key-save-delay 0
        r flushall
        wait_for_condition {[s rdb_bgsave_in_progress] == 0}
    }

    test "BGSAVE SCHEDULE and syntax" {
        assert_error "ERR syntax error" {r bgsave now}
        assert_match "Background saving *" [r bgsave schedule]
        wait_for_condition {[s rdb_bgsave_in_progress] == 0}
        assert_between [expr {[clock seconds] - 5}] [clock seconds] [r lastsave]
        assert_equal [r lastsave] [s rdb_last_save_time]
    }

    test "progress of a running save can be seen" {
        r flushall
        r debug populate 2000
        r config set rdb-key-save-delay 1000
        r bgsave
        wait_for_condition {[s current_save_keys_processed] > 0} -within 5000
        assert_equal 2000 [s current_save_keys_total]
        assert_between 0 100 [s current_fork_perc]
        assert {[s rdb_current_bgsave_time_sec] >= 0}
        r config set rdb-key-save-delay 0
        send_signal [lindex [children_of [srv pid]] 0] KILL
        wait_for_condition {[s rdb_bgsave_in_progress] == 0}
    }

    test "a killed child is noticed, its file removed, the old snapshot kept" {
        r flushall
        r set old snapshot
        r save
        set saved [read_file [rdb_path]]
        r config set rdb-key-save-delay 10000 save "3600 1000000"
        populate 500
        r bgsave
        set child [lindex [children_of [srv pid]] 0]
        wait_for_condition {[llength [glob -nocomplain [srv dir]/temp-$child.rdb]] == 1}
        send_signal $child KILL
        wait_for_condition {[s rdb_bgsave_in_progress] == 0}
        assert_equal err [s rdb_last_bgsave_status]
        wait_for_log {*Background saving terminated by signal 9*}
        assert_equal {} [glob -nocomplain [srv dir]/temp-*.rdb]
        assert {[read_file [rdb_path]] eq $saved}
    }

    test "stop-writes-on-bgsave-error refuses writes until a save succeeds" {
        set misconf "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error."
        assert_error $misconf {r set a 1}
        assert_error $misconf {r ping}
        assert_equal snapshot [r get old]
        r config set stop-writes-on-bgsave-error no
        assert_equal OK [r set a 1]
        r config set stop-writes-on-bgsave-error yes
        assert_error $misconf {r set a 1}
        r config set rdb-key-save-delay 0
        r bgsave
        wait_for_condition {[s rdb_last_bgsave_status] eq "ok"}
        assert_equal OK [r set a 1]
        r config set save ""
    }

    test "a place that can't be written is an error, the server goes on" {
        set dir [srv dir]/gone
        file mkdir $dir
        r config set dir $dir
        file delete -force $dir
        assert_error_like "ERR*" {r save}
        r bgsave
        wait_for_condition {[s rdb_last_bgsave_status] eq "err"}
        r config set dir [srv dir]
        assert_equal OK [r save]
        r bgsave
        wait_for_condition {[s rdb_last_bgsave_status] eq "ok"}
    }

    test "FLUSHALL with save points writes an empty snapshot" {
        wait_for_condition {[s rdb_bgsave_in_progress] == 0}
        r set a 1
        r save
        r config set save "3600 1"
        r flushall
        restart_server -signal KILL
        assert_equal 0 [r dbsize]
        r config set save ""
    }
}

start_server {tags {rdb}} {
    test "rdb_saves counts SAVE and BGSAVE, not what other commands save" {
        r config set save "3600 1"
        r set a 1
        r debug reload
        r flushall
        assert_equal 0 [s rdb_saves]
        r save
        assert_equal 1 [s rdb_saves]
        r bgsave
        wait_for_condition {[s rdb_bgsave_in_progress] == 0}
        assert_equal 2 [s rdb_saves]
    }
}

start_server {tags {rdb} overrides {save "1 3"}} {
    test "a save point fires after its changes and its time, not before" {
        r set a 1
        r set b 2
        sleep 1500
        assert_equal 0 [s rdb_saves]
        r set c 3
        wait_for_condition {[s rdb_saves] >= 1} -within 4000
        assert_log {*3 changes in 1 seconds. Saving...*}
        wait_for_condition {[s rdb_changes_since_last_save] == 0}
        assert_equal 1 [file exists [rdb_path]]
    }
}

foreach {what directives} {"without compression" {rdbcompression no} "without checksum" {rdbchecksum no} "compressed" {rdbcompression yes}} {
    start_server [list tags {rdb} overrides $directives] {
        test "a snapshot $what comes back" {
            r set text [string repeat "compress me " 5000]
            populate 200 k 100
            set before [debug_digest]
            r save
            set size [file size [rdb_path]]
            if {$directives eq {rdbcompression no}} { assert {$size > 60000} } else { assert {$size < 60000} }
            restart_server -signal KILL
            assert_equal $before [debug_digest]
        }
    }
}

start_server {tags {rdb damage}} {
    r debug populate 100 k 40
    r save
    set good [read_file [rdb_path]]

    test "a file cut short or with a wrong byte stops the start, and is left as it is" {
        set n [string length $good]
        foreach {what bad} [list "cut in the middle" [string range $good 0 [expr {$n / 2}]] "cut in the checksum" [string range $good 0 end-3] \
            "wrong checksum" [string replace $good end-1 end-1 [expr {[string index $good end-1] eq "x" ? "y" : "x"}]] \
            "a changed value" [string map {value:50 value:59} $good] "not an RDB file" "HELLO[string range $good 5 end]" \
            "a version of the future" "REDIS0099[string range $good 9 end]" "only a header" [string range $good 0 8]] {
            if {[server_alive]} { kill_server -signal KILL }
            write_file [rdb_path] $bad
            set mark [log_mark]
            restart_server -fails 1
            assert {[log_since $mark] ne {}} $what
            assert_no_log {*eady to accept*} $mark
            assert {[read_file [rdb_path]] eq $bad} "the file was changed: $what"
        }
        write_file [rdb_path] $good
        restart_server
        assert_equal 100 [r dbsize]
    }

    test "random damage never harms more than the start" {
        set plain [string range $good 0 end-8][string repeat \0 8]
        for {set i 0} {$i < 25} {incr i} {
            kill_server -signal KILL
            set bad $plain
            for {set j 0} {$j < 3} {incr j} {
                set at [expr {9 + [random_int [expr {[string length $bad] - 18}]]}]
                set bad [string replace $bad $at $at [format %c [random_int 256]]]
            }
            write_file [rdb_path] $bad
            launch [srv id]
            set ::sv([srv id],gone_ok) 1
            if {[await_started [srv id]] ne {}} { assert_equal {} [crash_report [srv id]] }
            if {![server_alive]} { set ::sv([srv id],pid) 0; launch [srv id] }
        }
        kill_server -signal KILL
        write_file [rdb_path] $good
        restart_server
        assert_equal 100 [r dbsize]
    }

    test "an empty file and a missing file" {
        kill_server -signal KILL
        file delete [rdb_path]
        restart_server
        assert_equal 0 [r dbsize]
    }
}

start_server {tags {rdb loading} overrides {key-load-delay 200 loading-process-events-interval-bytes 1024 rdbcompression no}} {
    test "while loading: LOADING for data commands, INFO and PING-like ones answer, progress is shown" {
        r debug populate 20000 k 100
        r save
        restart_server -signal KILL -wait alive
        assert_error "LOADING Redis is loading the dataset in memory" {r get k:1}
        assert_error "LOADING Redis is loading the dataset in memory" {r ping}
        assert_error "LOADING Redis is loading the dataset in memory" {r set a 1}
        assert_equal 1 [s loading]
        foreach field {loading_start_time loading_total_bytes loading_loaded_bytes loading_loaded_perc loading_eta_seconds} {
            assert_not_equal {} [s $field] $field
        }
        # Redis saves what it has read so far over the whole.
        if {[is_redust]} {
            assert_error "LOADING Redis is loading the dataset in memory" {r debug reload}
            assert_error "LOADING Redis is loading the dataset in memory" {r debug loadaof}
        }
        assert_equal {key-load-delay 200} [r config get key-load-delay]
        set first [s loading_loaded_bytes]
        wait_for_condition {[s loading_loaded_bytes] > $first} -within 5000
        r config set key-load-delay 0
        wait_for_condition {[s loading] == 0} -within 10000
        assert_equal 20000 [r dbsize]
        wait_for_log {*DB loaded from disk: * seconds*}
    }
}

start_server {tags {rdb debug}} {
    test "DEBUG RELOAD keeps, replaces or overwrites what is there" {
        r set both file
        r set only-file 1
        r save
        r set both memory
        r set only-memory 1
        r del only-file
        # redis-server ends at a key that is there twice; here it is an error, what was read so far stays.
        assert_error_like "ERR Error trying to load the RDB dump*" {r debug reload nosave noflush}
        assert_equal OK [r debug reload nosave merge]
        assert_equal {file 1 1} [r mget both only-file only-memory]
        r set both memory
        assert_equal OK [r debug reload nosave]
        assert_equal {file 1 {}} [r mget both only-file only-memory]
        r set fresh 1
        assert_equal OK [r debug reload]
        assert_equal 1 [r get fresh]
    }
}
