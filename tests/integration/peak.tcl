# How much memory long values take while they are loaded, saved, dumped and restored: sizes that are known are
# allocated once, not by growing.

set megabytes 48

proc random_bytes {n} {
    set f [open /dev/urandom rb]
    set data [read $f $n]
    close $f
    return $data
}

# The most that was resident since the last reset, in MB.
proc peak {} { regexp {VmHWM:\s+(\d+)} [read_file /proc/[srv pid]/status] - kb; return [expr {$kb / 1024.0}] }
proc resident {} { regexp {VmRSS:\s+(\d+)} [read_file /proc/[srv pid]/status] - kb; return [expr {$kb / 1024.0}] }
proc reset_peak {} { set f [open /proc/[srv pid]/clear_refs w]; puts $f 5; close $f }

start_server {tags {rdb memory} overrides {rdbcompression yes}} {
    set long [random_bytes [expr {$megabytes << 20}]]
    # Half of it can be compressed: then it is twice in memory while it is unpacked, as in Redis.
    set half [string range $long 0 [expr {$megabytes << 19}]][string repeat x [expr {$megabytes << 19}]]

    foreach {what value times} {plain long 1.0 compressed half 1.5} {
        test "loading a long value, $what, takes $times times its size" {
            r flushall
            r set k [set $value]
            r save
            restart_server -signal KILL
            assert {[peak] < $megabytes * $times + 24} "[peak] MB"
            assert {[r get k] eq [set $value]}
        }
    }

    test "DUMP of a long value takes twice its size, RESTORE once" {
        r flushall
        r set k $long
        r config set rdbcompression no
        # What the command itself took may still be resident.
        r memory purge
        set before [resident]
        reset_peak
        set payload [r dump k]
        assert {[peak] < $before + 2 * $megabytes + 12} "[peak] MB, before $before"
        r memory purge
        assert_equal 16 [expr {[string length $payload] - [string length $long]}]
    }

    test "SAVE of a long value takes its size once" {
        r config set rdbcompression yes
        r memory purge
        set before [resident]
        reset_peak
        r save
        assert {[peak] < $before + $megabytes + 12} "[peak] MB, before $before"
    }

    test "rdbcompression no: DUMP is plain" {
        r set text [string repeat x 1000]
        set packed [r dump text]
        r config set rdbcompression no
        set plain [r dump text]
        assert {[string length $packed] < 100}
        assert {[string length $plain] > 1000}
        assert_equal \x43\xe8 [string range $plain 1 2]
        assert_equal OK [r restore text 0 $packed replace]
        assert_equal OK [r restore text 0 $plain replace]
    }
}
