# The append-only file: what is acknowledged is in it, whatever ends the server; rewrites; damage.

set aof {appendonly yes save {}}

proc aof_dir {} { return [srv dir]/appendonlydir }
proc aof_files {} { lsort [lmap path [glob -nocomplain -directory [aof_dir] *] { file tail $path }] }
proc manifest {} { read_file [aof_dir]/appendonly.aof.manifest }
proc last_incr {} {
    return [aof_dir]/[lindex [lindex [lsearch -all -inline [split [manifest] \n] "*type i"] end] 1]
}
# The commands of a file, each as the list of its words; annotations as they are.
proc aof_commands {path} {
    set out {}
    set lines [split [string map {\r {}} [read_file $path]] \n]
    for {set i 0} {$i < [llength $lines] - 1} {incr i} {
        set line [lindex $lines $i]
        if {[string match #* $line]} { lappend out $line; continue }
        set words {}
        for {set n [string range $line 1 end]} {$n > 0} {incr n -1} { lappend words [lindex $lines [incr i 2]] }
        lappend out $words
    }
    return $out
}
proc wait_rewritten {} { wait_for_condition {[s aof_rewrite_in_progress] == 0 && [s aof_rewrite_scheduled] == 0} -within 20000 }
proc all_types {} {
    r mset str value int 12345 bin "\x00\r\n\xff" empty ""
    r rpush list {*}[lrepeat 200 element]
    r rpush small a 1 {}
    r sadd intset 1 2 3
    r sadd set {*}[lmap i [lrepeat 300 x] { randstring 3 9 alpha }]
    r zadd zset 1.5 a -inf b 3e-10 c 0.1 d
    for {set i 0} {$i < 300} {incr i} { r zadd bigzset [expr {$i / 7.0}] m$i }
    r hset hash f v n 17
    for {set i 0} {$i < 300} {incr i} { r hset bighash f$i v$i }
    r pfadd hll a b c
    r geoadd geo 13.36 38.11 palermo
    r set volatile v px 4102444800123
    r pexpire zset 100000000
}

start_server [list overrides $aof tags {aof}] {
    test "what was acknowledged is there after kill -9, in every database" {
        all_types
        r select 3
        r set three 3
        r multi; r incr n; r lpush l x; r exec
        r select 0
        set digest [debug_digest]
        restart_server -signal KILL
        assert_equal $digest [debug_digest]
        assert_log "*DB loaded from append only file*"
    }

    test "the file holds commands as they mean the same whenever they are run" {
        r flushall
        set mark [llength [aof_commands [last_incr]]]
        r set k v ex 100
        r expire k 200
        r incrbyfloat f 1.5
        r sadd s a; r spop s
        r multi; r set a 1; r set b 2; r exec
        r getex k px 5000
        r set past 1 pxat 1
        set words [lrange [aof_commands [last_incr]] $mark end]
        foreach {pattern found} [list \
            "set k v PXAT *" [lindex $words 0] "PEXPIREAT k *" [lindex $words 1] "SET f 1.5 KEEPTTL" [lindex $words 2] \
            "sadd s a" [lindex $words 3] "SREM s a" [lindex $words 4] MULTI [lindex $words 5] "set a 1" [lindex $words 6] \
            "set b 2" [lindex $words 7] EXEC [lindex $words 8] "PEXPIREAT k *" [lindex $words 9]] {
            assert_match [string tolower $pattern] [string tolower $found]
        }
    }

    foreach preamble {yes no} {
        test "a rewrite keeps everything (preamble $preamble), and what is written meanwhile" {
            r flushall
            all_types
            r config set aof-use-rdb-preamble $preamble rdb-key-save-delay 200
            if {[is_redust]} { r hexpireat bighash 4102444800 fields 2 f1 f2 }
            r select 5; r set five 5; r select 0
            assert_equal "Background append only file rewriting started" [r bgrewriteaof]
            assert_error "ERR Background append only file rewriting already in progress" {r bgrewriteaof}
            r set meanwhile 1
            r del small
            wait_rewritten
            r config set rdb-key-save-delay 0
            assert_equal ok [s aof_last_bgrewrite_status]
            r set after 1
            set digest [debug_digest]
            wait_for_condition {[llength [aof_files]] == 3}
            assert_equal OK [r debug loadaof]
            assert_equal $digest [debug_digest]
            restart_server -signal KILL
            assert_equal $digest [debug_digest]
            assert_match "*base.[expr {$preamble ? {rdb} : {aof}}]*" [aof_files]
        }
    }

    test "a rewrite of an empty server and of nothing but keys past their time" {
        r flushall
        r bgrewriteaof
        wait_rewritten
        r debug set-active-expire 0
        r set gone 1 px 1
        sleep 5
        r bgrewriteaof
        wait_rewritten
        restart_server -signal KILL
        assert_equal 0 [r dbsize]
    }

    test "SET keeps its words in the file, but for GET and times that are no dates" {
        r flushall
        set mark [llength [aof_commands [last_incr]]]
        foreach command {
            "set k 1 get"
            "Set k 2 GET xx Get"
            "set k 3 keepttl get"
            "set new get NX get"
            "set k 4 PXAT 9999999999999"
            "set k 5 get pxat 9999999999999 xx"
            "set k 6 exat 9999999999 get"
        } { r {*}$command }
        assert_equal [list {*}{
            {set k 1}
            {Set k 2 xx}
            {set k 3 keepttl}
            {set new get NX}
            {set k 4 PXAT 9999999999999}
            {set k 5 get pxat 9999999999999 xx}
            {SET k 6 PXAT 9999999999000}
        }] [lrange [aof_commands [last_incr]] $mark end]
    }

    test "a deletion is DEL or UNLINK by the setting that is about it" {
        set settings {lazyfree-lazy-expire lazyfree-lazy-server-del lazyfree-lazy-user-del}
        r debug set-active-expire 0
        r flushall
        r set k 1
        set dump [r dump k]
        set cases {
            {set k 1} {getdel k} {}
            {set k 1} {getex k pxat 1} lazyfree-lazy-expire
            {set k 1} {expire k -1} lazyfree-lazy-expire
            {sadd k 1 2} {spop k 2} lazyfree-lazy-server-del
            {set k 1} {restore k 1 DUMP replace absttl} lazyfree-lazy-server-del
            {set k 1} {del k} {}
        }
        foreach on $settings {
            foreach name $settings { r config set $name [expr {$name eq $on ? "yes" : "no"}] }
            foreach {setup command setting} $cases {
                r {*}$setup
                set mark [llength [aof_commands [last_incr]]]
                r {*}[lmap word $command { if {$word eq "DUMP"} { set dump } else { set word } }]
                set expected [list [expr {$setting eq $on ? "UNLINK" : "DEL"}] k]
                assert_equal [list $expected] [string map {del DEL} [lrange [aof_commands [last_incr]] $mark end]] "$on $command"
            }
        }
        foreach name $settings { r config set $name no }
        # RESTORE REPLACE does not look whether the key is past its time.
        r psetex k 1 v
        sleep 5
        set size [file size [last_incr]]
        r restore k 0 $dump replace
        assert_match "\\*5\r\n\$7\r\nrestore\r\n*" [string range [read_file [last_incr]] $size end]
        r debug set-active-expire 1
    }

    test "the file grows until it is rewritten by itself" {
        r flushall
        r config set auto-aof-rewrite-min-size 20000 auto-aof-rewrite-percentage 100
        set before [s aof_rewrites]
        for {set i 0} {$i < 2000} {incr i} { r set k [string repeat x 100] }
        wait_for_condition {[s aof_rewrites] > $before}
        wait_rewritten
        assert_match "*Starting automatic rewriting of AOF on*" [log_since 0]
        r config set auto-aof-rewrite-percentage 0
    }

    test "a command or transaction that the end of the file cuts is gone, and nothing else" {
        r flushall
        r set kept 1
        r multi; r set one 1; r set two 2; r exec
        set path [last_incr]
        kill_server -signal KILL
        set whole [read_file $path]
        set start [string first "*1\r\n\$5\r\nMULTI" $whole]
        foreach cut [list [expr {$start + 5}] [expr {$start + 20}] [expr {$start + 40}] [expr {[string length $whole] - 3}]] {
            write_file $path [string range $whole 0 $cut-1]
            restart_server
            assert_equal {1 {} {}} [r mget kept one two] $cut
            assert_equal $start [file size $path] "cut at $cut"
            r set more 1
            restart_server -signal KILL
            assert_equal {1 {} {} 1} [r mget kept one two more] $cut
            kill_server -signal KILL
        }
        restart_server
    }
}

start_server {overrides {save {}} tags {aof}} {
    test "it can be turned on and off at run time" {
        all_types
        assert_equal 0 [s aof_enabled]
        r config set rdb-key-save-delay 1000
        r config set appendonly yes
        assert_equal 1 [s aof_enabled]
        r set meanwhile 1
        wait_rewritten
        r config set rdb-key-save-delay 0
        r set after 1
        set digest [debug_digest]
        assert_equal OK [r debug loadaof]
        assert_equal $digest [debug_digest]
        r config set appendonly no
        r set unwritten 1
        assert_error "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled." {r waitaof 1 0 0}
        r config set appendonly yes
        wait_rewritten
        r multi; r config set appendonly no; r config set appendonly yes; r exec
        wait_rewritten
        assert_log "*AOF was enabled during a transaction*"
        set digest [debug_digest]
        set_directive 0 appendonly yes
        restart_server -signal KILL
        assert_equal $digest [debug_digest]
        assert_equal 1 [r get unwritten]
    }

    test "INFO says in one line what is kept" {
        need [is_redust] "the field is ours"
        foreach {points append expected} {"" no off "3600 1" no rdb,save=3600/1 "3600 1 300 100" yes rdb,save=3600/1,300/100;aof,fsync=everysec "" yes aof,fsync=everysec} {
            r config set save $points appendonly $append
            assert_equal $expected [s persistence_policy]
            wait_rewritten
        }
    }

    test "a save or rewrite that takes some seconds says how far it is" {
        need [is_redust] "the lines are ours"
        r config set rdb-key-save-delay 4000
        populate 1700
        r bgsave
        r bgrewriteaof
        wait_for_log "*Background saving: * of * keys (*%), * MB written, * seconds" 0 0 20000
        wait_for_condition {[s rdb_bgsave_in_progress] == 0} -within 20000
        r save
        assert_log "*Saving: * of * keys (*%), * seconds"
        r config set rdb-key-save-delay 0
        wait_rewritten
        r flushall
    }

    test "WAITAOF waits for the disk" {
        foreach policy {always everysec} {
            r config set appendfsync $policy
            r set k $policy
            assert_equal {1 0} [r waitaof 1 0 5000] $policy
        }
        r config set appendfsync no
        r set k no
        assert_equal {0 0} [r waitaof 1 0 100]
        r multi; r set k multi; r waitaof 1 0 0
        assert_equal {OK {0 0}} [r exec]
        set c [redis_client]
        assert_equal {1 0} [$c waitaof 1 0 0] "it has written nothing"
        $c set k mine
        $c send waitaof 1 0 0
        wait_for_condition {[s blocked_clients] == 1}
        r config set appendfsync everysec
        assert_equal {1 0} [$c read]
        r config set appendfsync no
        $c set k mine
        $c send waitaof 1 0 0
        wait_for_condition {[s blocked_clients] == 1}
        r config set appendonly no
        assert_error "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled." {$c read}
        $c close
    }

    test "timestamps stand before the first command of a second" {
        r config set aof-timestamp-enabled yes appendonly yes
        wait_rewritten
        r set a 1; r set b 1
        sleep 1100
        r set c 1
        set stamps [lsearch -all -inline [aof_commands [last_incr]] "#TS:*"]
        assert_between 2 3 [llength $stamps]
        set digest [debug_digest]
        r debug loadaof
        assert_equal $digest [debug_digest]
    }
}

test "what an older server does not know stands in the file by its result" {
    start_server {overrides {appendonly yes save {}}} {
        need_command bitop
        if {[catch {r bitop diff x y z}]} { skip "it has no BITOP DIFF" }
        r mset a abc b abd
        r geoadd g 13.36 38.11 palermo 15.08 37.5 catania
        r bitop diff d a b
        r bitop one none nokey
        r geosearchstore in g bypolygon 4 13 37 14 37 14 39 13 39
        set text [read_file [last_incr]]
        foreach word {BITOP POLYGON} { assert {![string match -nocase *$word* $text]} $word }
        set digest [debug_digest]
        r debug loadaof
        assert_equal $digest [debug_digest]
        assert_equal palermo [r zrange in 0 -1]
    }
}

test "a file of an old server is taken over" {
    start_server {overrides {save {}}} {
        set dir [srv dir]
        write_file $dir/appendonly.aof "*2\r\n\$6\r\nSELECT\r\n\$1\r\n0\r\n*3\r\n\$3\r\nSET\r\n\$1\r\nk\r\n\$3\r\nold\r\n"
        set_directive 0 appendonly yes
        restart_server
        assert_equal old [r get k]
        assert_match "file appendonly.aof seq 1 type b*" [manifest]
        assert {![file exists $dir/appendonly.aof]}
        r set k new
        restart_server -signal KILL
        assert_equal new [r get k]
    }
}

foreach {what text reason} {
    "an unknown command" "*1\r\n\$4\r\nbla!\r\n" "*Unknown command 'bla!' reading the append only file*"
    "no protocol" "SET k v\r\n" "*Bad file format reading the append only file*"
    "a length that is none" "*1\r\n\$x\r\n" "*Bad file format reading the append only file*"
    "too few arguments" "*2\r\n\$3\r\nSET\r\n\$1\r\nk\r\n" "*Bad file format reading the append only file*"
    "a database that is not there" "*2\r\n\$6\r\nSELECT\r\n\$2\r\n99\r\n" "*configured to handle more than 16 databases*"
} {
    test "$what in the file stops the start" {
        start_server [list overrides $aof] {
            r set k v
            kill_server -signal KILL
            set path [last_incr]
            set before [read_file $path]$text
            write_file $path $before
            catch {exec $::options(server) [srv conf] 2>@1} output
            append output [read_file [srv dir]/log]
            assert_match $reason $output
            assert_equal $before [read_file $path] "it stays as it is"
        }
    }
}

test "what waits to be written evicts nothing" {
    start_server [list overrides [concat $aof {maxmemory-policy allkeys-lru}]] {
        r debug populate 2000 key 100
        set value [string repeat x 20000]
        set clients [lmap i [lrepeat 50 x] { redis_client }]
        foreach c $clients { $c set big $value }
        r config set maxmemory [expr {[s used_memory] + 1500000}]
        # All of them are served in one turn: some 3 MB wait for its end.
        set sleeper [redis_client]
        $sleeper send debug sleep 0.5
        sleep 100
        foreach c $clients { foreach n {1 2 3} { $c send set big $value } }
        foreach c $clients { foreach n {1 2 3} { assert_equal OK [$c read] } }
        assert_equal 0 [s evicted_keys]
        assert_equal 2001 [r dbsize]
        foreach c $clients { $c close }
    }
}

test "an error of a command in the file is logged and counted" {
    start_server [list overrides $aof] {
        r set k v
        kill_server -signal KILL
        set path [last_incr]
        write_file $path "[read_file $path]*3\r\n\$5\r\nLPUSH\r\n\$1\r\nk\r\n\$1\r\nx\r\n"
        restart_server
        assert_equal v [r get k]
        assert_log "*== CRITICAL == This server is sending an error to its AOF-loading-client: '-WRONGTYPE Operation against a key holding the wrong kind of value' after processing the command 'lpush'*"
        assert_equal 1 [s unexpected_error_replies]
        assert_equal count=1 [s errorstat_WRONGTYPE]
    }
}

test "commands that are loaded count for save points, and INFO has the file's sizes meanwhile" {
    start_server [list overrides [concat $aof {loading-process-events-interval-bytes 1024}]] {
        r set k v
        r mset a 1 b 2
        r debug reload
        assert_equal 0 [s rdb_changes_since_last_save]
        restart_server -signal KILL
        assert_equal 3 [s rdb_changes_since_last_save]
        r debug loadaof
        assert_equal 0 [s rdb_changes_since_last_save]
        for {set i 0} {$i < 3000} {incr i} { r append k x }
        set_directive 0 key-load-delay 500
        restart_server -signal KILL -wait alive
        assert_equal 1 [s loading]
        foreach field {aof_current_size aof_base_size aof_pending_rewrite aof_buffer_length} {
            assert_equal 0 [s $field] $field
        }
        assert_equal 0 [s aof_enabled]
        r config set key-load-delay 0
    }
}

test "DEBUG LOADAOF without files is an error and leaves nothing" {
    start_server {overrides {save {}}} {
        r set k v
        assert_error "ERR Error trying to load the AOF files, check server logs." {r debug loadaof}
        assert_equal 0 [r dbsize]
        r set k w
        assert_equal w [r get k]
    }
}

test "the number of a file that waits to be deleted is not given out again" {
    start_server [list overrides [concat $aof {aof-disable-auto-gc yes}]] {
        r set a 1
        r config set appendonly no
        r bgrewriteaof
        wait_rewritten
        # The manifest has a base and no incremental file, but one that is to be deleted.
        assert_match "*incr.aof seq 1 type h*" [manifest]
        set_directive 0 aof-disable-auto-gc no
        restart_server -signal KILL
        r set b 2
        wait_for_condition {[llength [aof_files]] == 3} -what "the old files are deleted"
        restart_server -signal KILL
        assert_equal {1 2} [r mget a b]
    }
}

test "a start that fails deletes nothing" {
    start_server [list overrides [concat $aof {aof-disable-auto-gc yes}]] {
        r set k v
        r bgrewriteaof
        wait_rewritten
        kill_server -signal KILL
        file rename [last_incr] [last_incr].away
        set before [aof_files]
        set_directive 0 aof-disable-auto-gc no
        catch {exec $::options(server) [srv conf] 2>@1} output
        assert_match "*Unable to obtain the AOF file*" $output[read_file [srv dir]/log]
        assert_equal $before [aof_files]
    }
}

test "a file that ends early may be followed by empty ones only" {
    start_server [list overrides $aof] {
        r set a 1
        r set b 2
        kill_server -signal KILL
        set path [last_incr]
        write_file $path [string range [read_file $path] 0 end-3]
        set next [string map {.1.incr .2.incr} $path]
        write_file $next {}
        write_file [aof_dir]/appendonly.aof.manifest "[manifest]file [file tail $next] seq 2 type i\n"
        restart_server
        assert_equal {1 {}} [r mget a b]
        r set c 3
        restart_server -signal KILL
        assert_equal {1 {} 3} [r mget a b c]
        kill_server -signal KILL
        write_file $path [string range [read_file $path] 0 end-3]
        catch {exec $::options(server) [srv conf] 2>@1} output
        assert_match "*Fatal error: the truncated file is not the last file*" $output[read_file [srv dir]/log]
    }
}

test "turning the file off when its first rewrite has just ended keeps no command twice" {
    start_server [list overrides $aof] {
        r incr n
        r config set appendonly no
        # All at once, so that the server has not seen yet that the child has ended.
        r multi
        r debug sleep 0.5
        r config set appendonly no
        set c [redis_client]
        $c config set appendonly yes
        assert_equal {OK OK} [r exec]
        assert_log "*Killing running AOF rewrite child*"
        assert_log "*Background AOF rewrite terminated with success*"
        restart_server -signal KILL
        assert_equal 1 [r get n]
    }
}
