# The steps of README's "Moving from redis-server, and back", on Debian's own redis.conf and on data that its server wrote.
# Where no redis-server is installed, or no /etc/redis/redis.conf can be read, everything here is skipped.

set reference [lindex [tool redis-server] 0]
if {$reference eq {}} { skip "no redis-server installed to move from (Debian: redis-server)" }
if {[file normalize $::options(server)] eq [file normalize $reference]} { skip "the server under test is the installed redis-server" }
set packaged /etc/redis/redis.conf
if {![file readable $packaged]} { skip "$packaged can't be read" }

# A place like Debian's, with its file; only paths and the port are changed. Returns the folder.
proc place {args} {
    upvar packaged packaged
    set dir $::tmpdir/place.[incr ::place_serial]
    file mkdir $dir/lib $dir/log
    set text [read_file $packaged]
    set ::moved($dir) [free_port]
    foreach {name value} [list port $::moved($dir) dir $dir/lib logfile $dir/log/redis-server.log pidfile $dir/redis.pid {*}$args] {
        assert_equal 1 [regsub -all -line "^$name .*\$" $text "$name $value" text] $name
    }
    # The tests look at digests.
    append text "\nenable-debug-command local\n"
    write_file $dir/redis.conf $text
    return $dir
}
set ::place_serial 0

# As Debian's unit does, but in the background by the file's own `daemonize yes`.
proc up {binary dir} {
    set port $::moved($dir)
    wait_for_condition {[port_is_free $port]}
    exec $binary $dir/redis.conf </dev/null >>$dir/out 2>>$dir/err
    if {[catch {
        wait_for_condition {![catch {ping 127.0.0.1 $port} answer] && [string match +PONG* $answer]} -within 15000
    }]} { fail "it did not start: [tail $dir/out 5]\n[tail $dir/err 5]\n[tail $dir/log/redis-server.log 10]" }
    set ::daemon [string trim [read_file $dir/redis.pid]]
    watch_process $::daemon
    set ::c [redis_client -host 127.0.0.1 -port $port]
    # Files with streams are for Redis 7.2 unless one asks for older ones.
    if {[daemon_field redust_version] ne {}} { $::c config set rdb-target-version 10 }
}

proc down {how} {
    catch {$::c shutdown {*}$how}
    wait_for_condition {![process_alive $::daemon]} -within 10000 -what "it has ended"
    unwatch_process $::daemon
    catch {$::c close}
}

proc daemon_field {name} { info_field [$::c info everything] $name }
proc daemon_idle {} {
    wait_for_condition {[daemon_field aof_rewrite_in_progress] == 0 && [daemon_field aof_rewrite_scheduled] == 0} -within 20000
}

# Every type, packed and large, in several databases, with and without expiry. Scores are eighths, since
# 7.0 and 7.2 write others with different digits, and the digest is of the text.
proc daemon_fill {mark} {
    set c $::c
    foreach db {0 5 15} {
        $c select $db
        $c mset str$mark value int$mark 12345 bin "\x00\xff\r\n" empty "" float$mark 3.0e3
        $c append raw$mark [string repeat long 100]
        $c set volatile$mark v pxat 4102444800123
        foreach n {3 400} {
            for {set i 0} {$i < $n} {incr i} {
                $c rpush list$n$mark element$i
                $c sadd ints$n$mark [expr {$i * 7919}]
                $c sadd set$n$mark member$i
                $c hset hash$n$mark field$i value$i
                $c zadd zset$n$mark [expr {$i / 8.0}] m$i
                $c xadd stream$n$mark [expr {$i + 1}]-$i field value$i other$i $i
            }
            $c xgroup create stream$n$mark readers 0
            $c xreadgroup group readers one count 2 streams stream$n$mark >
            $c xdel stream$n$mark 2
            $c pexpireat hash$n$mark 4102444800000
        }
        $c setbit bits$mark 1000 1
        $c pfadd hll$mark a b c d
        $c geoadd geo$mark 13.361389 38.115556 palermo
        $c lrem list400$mark 1 element7
        $c spop set400$mark
        $c multi
        $c incr counter
        $c rename str$mark moved$mark
        $c exec
    }
    $c select 0
}

foreach {what how settings} {
    "a snapshot" save {}
    "append-only files" {} {appendonly yes}
    "append-only files, stopped without saving" nosave {appendonly yes}
} {
    test "to here and back with $what" {
        set dir [place {*}$settings]
        set aof [llength $settings]
        up $reference $dir
        assert_equal {} [daemon_field redust_version]
        daemon_fill one
        if {$aof} {
            # A base, and increments behind it.
            $::c bgrewriteaof
            daemon_idle
            daemon_fill two
        }
        set digest [$::c debug digest]
        set size [$::c dbsize]
        down $how
        if {$aof} { assert_match "*base.rdb*incr.aof*" [lsort [glob -directory $dir/lib/appendonlydir -tails *]] }

        up $::options(server) $dir
        assert_not_equal {} [daemon_field redust_version]
        assert_equal $digest [$::c debug digest]
        assert_equal $size [$::c dbsize]
        daemon_fill three
        if {$aof} { $::c bgrewriteaof; daemon_idle }
        daemon_fill four
        set digest [$::c debug digest]
        down $how

        # And back.
        up $reference $dir
        assert_equal {} [daemon_field redust_version]
        assert_equal $digest [$::c debug digest]
        assert_equal ok [daemon_field rdb_last_bgsave_status]
        daemon_fill five
        set digest [$::c debug digest]
        down $how
        up $::options(server) $dir
        assert_equal $digest [$::c debug digest]
        down $how
    }
}

test "what the server says about Debian's file is only what has no effect" {
    set dir [place]
    up $::options(server) $dir
    set odd {}
    foreach line [split [read_file $dir/log/redis-server.log] \n] {
        if {[regexp { # } $line] && ![regexp {oO0Oo|overcommit|has no effect in this version|TCP backlog|Transparent Huge} $line]} { lappend odd $line }
    }
    assert_equal {} $odd
    # No path of the file but those that were moved.
    foreach {name value} [list dir $dir/lib pidfile $dir/redis.pid logfile $dir/log/redis-server.log daemonize yes port $::moved($dir)] {
        assert_equal $value [lindex [$::c config get $name] 1]
    }
    down nosave
}

test "after CONFIG REWRITE by either, the other one starts with the file" {
    set dir [place]
    foreach {binary setting} [list $::options(server) 101mb $reference 102mb $::options(server) 103mb $reference 104mb] {
        up $binary $dir
        # The other server does not know this directive.
        catch {$::c config set rdb-target-version 0}
        $::c config set maxmemory $setting maxmemory-policy allkeys-lru save "60 5" appendonly [expr {$setting in {101mb 102mb} ? "yes" : "no"}]
        daemon_idle
        $::c set k $setting
        assert_equal OK [$::c config rewrite]
        down save
        up $binary $dir
        assert_equal [expr {[string map {mb {}} $setting] << 20}] [lindex [$::c config get maxmemory] 1]
        assert_equal $setting [$::c get k]
        down save
    }
}

test "a snapshot can be checked beforehand" {
    set dir [place]
    up $reference $dir
    daemon_fill one
    down save
    assert_match "*RDB looks OK*" [exec [server_as redust-check-rdb] $dir/lib/dump.rdb]
}

test "keys move while both run" {
    set dir [place]
    up $reference $dir
    daemon_fill one
    # 7.0 takes no later payloads; those of streams are of 7.2 if nobody asks for older ones.
    start_server {overrides {rdb-target-version 10}} {
        set keys [$::c keys *]
        set digest [$::c debug digest-value {*}$keys]
        assert_equal OK [$::c migrate 127.0.0.1 [srv port] "" 0 5000 keys {*}$keys]
        assert_equal $digest [r debug digest-value {*}$keys]
        assert_equal OK [r migrate 127.0.0.1 $::moved($dir) "" 0 5000 keys {*}$keys]
        assert_equal $digest [$::c debug digest-value {*}$keys]
    }
    down nosave
}

test "the server lives behind the filter of system calls that Debian's unit puts up" {
    need_tool python3 python3
    need {$::tcl_platform(machine) eq "x86_64"} "the numbers of the system calls below are those of x86_64"
    # The unit takes the group @resources away, by SIGSYS: mbind, set_mempolicy, migrate_pages, ioprio_set, move_pages,
    # setrlimit, setpriority and those of scheduling.
    set filter {
import ctypes, os, struct, sys
numbers = [141, 142, 144, 160, 203, 237, 238, 251, 256, 279, 314]
rules = [(0x20, 0, 0, 0)] + [(0x15, len(numbers) - at, 0, number) for at, number in enumerate(numbers)]
rules += [(0x06, 0, 0, 0x7fff0000), (0x06, 0, 0, 0x80000000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in rules))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(rules), ctypes.addressof(code)))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program, 0, 0) == 0, os.strerror(ctypes.get_errno())
os.environ["INVOCATION_ID"] = "0" * 32
os.execv(sys.argv[1], sys.argv[1:])
    }
    set dir [place daemonize no]
    set port $::moved($dir)
    set pid [exec python3 -c $filter [file normalize $::options(server)] $dir/redis.conf </dev/null >$dir/out 2>$dir/err &]
    watch_process $pid
    wait_for_condition {![process_alive $pid] || (![catch {ping 127.0.0.1 $port} answer] && $answer eq "+PONG")} -within 15000
    assert {[process_alive $pid]} [tail $dir/err 5]
    set c [redis_client -host 127.0.0.1 -port $port]
    $c set k v
    $c bgsave
    wait_for_condition {[info_field [$c info] rdb_bgsave_in_progress] == 0}
    assert_equal ok [info_field [$c info] rdb_last_bgsave_status]
    $c flushall async
    $c config set appendonly yes
    wait_for_condition {[info_field [$c info] aof_rewrite_in_progress] == 0}
    assert_equal PONG [$c ping]
    catch {$c shutdown}
    wait_for_condition {![process_alive $pid]} -within 10000
    unwatch_process $pid
}
