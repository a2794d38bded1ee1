# What a snapshot holds besides keys: function libraries, modules' data, AUX fields. Nothing of it is lost in silence.

proc rdb_path {} { return [srv dir]/dump.rdb }

# A snapshot without a checksum.
proc write_rdb {version body} {
    write_file [rdb_path] [format "REDIS%04d" $version]$body\xff[string repeat \0 8]
}

# A short string as a snapshot has it.
proc rdb_string {text} { return [format %c [string length $text]]$text }

proc rdb_aux {name value} { return \xfa[rdb_string $name][rdb_string $value] }

set code "#!lua name=mylib\nredis.register_function('f', function() return 7 end)"
set library \xf5\x40[rdb_string $code]
set key "\xfe\x00\x00\x01k\x01v"

# How many times the library stands in the snapshot as it is now.
proc libraries_saved {} {
    # A plain string, as it is too short to be worth compressing with this text.
    set count 0
    set data [read_file [rdb_path]]
    set at 0
    while {[set at [string first "#!lua name=" $data $at]] >= 0} { incr count; incr at }
    return $count
}

start_server {tags {rdb} overrides {rdbcompression no}} {
    test "a function library of a snapshot is kept through loads and saves of every kind" {
        kill_server -signal KILL
        write_rdb 11 $library$key
        restart_server
        assert_equal v [r get k]
        assert_equal 1 [s number_of_libraries]
        foreach {what save} {
            SAVE {r save}
            BGSAVE {r bgsave; wait_for_condition {[s rdb_bgsave_in_progress] == 0}}
            "DEBUG RELOAD" {r debug reload}
            FLUSHALL {r flushall; r save}
            "SHUTDOWN SAVE" {restart_server -shutdown save}
        } {
            file delete [rdb_path]
            eval $save
            if {![file exists [rdb_path]]} { fail "$what wrote no file" }
            assert_equal 1 [libraries_saved] $what
            assert_match "*$code*" [read_file [rdb_path]] $what
        }
        restart_server -signal KILL
        assert_equal 1 [s number_of_libraries]
        assert_equal 0 [r dbsize]
    }

    test "the functions of a snapshot can be called" {
        restart_server -signal KILL
        assert_equal 1 [s number_of_libraries]
        assert_equal 1 [s number_of_functions]
    }

    test "DEBUG RELOAD NOFLUSH: a library that is there already is an error, with MERGE it is replaced" {
        need [is_redust] "redis-server ends"
        assert_equal OK [r debug reload noflush merge]
        assert_equal 1 [s number_of_libraries]
        assert_error_like "ERR Error trying to load the RDB dump*" {r debug reload noflush}
        assert_equal 1 [s number_of_libraries]
        r save
        assert_equal 1 [libraries_saved]
    }
}

start_server {tags {rdb}} {
    foreach {what body line} [list \
        "a module's data" "\xf7\x81\0\0\0\0\0\0\x04\x05\x02\x01\x05\x03abc\0$key" {*The RDB file contains AUX module data I can't load: no matching module 'AAAAAAAAB'*} \
        "a module's value" "\xfe\x00\x07\x01k\x81\0\0\0\0\0\0\x04\x05\x02\x01\0" {*The RDB file contains module data I can't load: no matching module type 'AAAAAAAAB'*} \
        "functions of a release candidate" "\xf6\x01a\x01b\0\x01c$key" {*re-release function format not supported*} \
        "a library without a name" "\xf5\x08#!lua\nxy$key" {*Library name was not given*} \
        "the same library twice" $library$library$key {*ibrary*already exists*} \
        "an opcode of another dialect" "\xf3$key" {*}] {
        test "$what stops the start, and the file is left alone" {
            if {[server_alive]} { kill_server -signal KILL }
            write_rdb 11 $body
            set before [read_file [rdb_path]]
            set mark [log_mark]
            restart_server -fails 1
            assert_log $line $mark
            assert_no_log {*eady to accept*} $mark
            assert {[read_file [rdb_path]] eq $before}
        }
    }

    test "what AUX fields say is logged in Redis's words" {
        write_rdb 11 [rdb_aux redis-ver 7.2.4][rdb_aux redis-bits 64][rdb_aux ctime [expr {[clock seconds] - 100}]][rdb_aux used-mem 1572864][rdb_aux aof-base 1][rdb_aux aof-preamble 1][rdb_aux %note hello][rdb_aux repl-id x][rdb_aux lua "return 1"][rdb_aux unheard-of 1]$key
        set_directive 0 loglevel debug
        set mark [log_mark]
        restart_server
        assert_equal v [r get k]
        foreach line {
            {Loading RDB produced by version 7.2.4}
            {RDB age 10? seconds}
            {RDB memory usage when created 1.50 Mb}
            {RDB is base AOF}
            {RDB has an AOF tail}
            {RDB '%note': hello}
            {Done loading RDB, keys loaded: 1, keys expired: 0.}
        } {
            assert_log "*:M * \\* $line" $mark
        }
        assert_log {*:M * . Unrecognized RDB AUX field: 'unheard-of'} $mark
    }
}
