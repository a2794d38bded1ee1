# COMMAND and its subcommands: what the server says about its own commands.

start_server {tags {command}} {
    test "COMMAND, COUNT and LIST agree" {
        set all [r command]
        assert_equal [llength $all] [r command count]
        set names {}
        foreach row $all {
            lappend names [lindex $row 0]
            foreach sub [lindex $row 9] { lappend names [lindex $sub 0] }
        }
        assert_same_items $names [r command list]
        assert_equal [llength $names] [llength [lsort -unique $names]]
        foreach name {get set del expire scan config info multi subscribe dump migrate} { assert {$name in $names} $name }
    }

    test "every row is whole" {
        foreach row [r command] {
            lassign $row name arity flags first last step categories tips keyspecs subcommands
            assert_equal 10 [llength $row] $name
            assert {$arity != 0} $name
            assert {[string is integer -strict $first] && [string is integer -strict $last] && [string is integer -strict $step]} $name
            assert {[llength $categories] > 0} "$name has no ACL category"
            foreach sub $subcommands { assert_match "$name|*" [lindex $sub 0] }
        }
    }

    test "arity and flags of well-known commands" {
        foreach {name arity flags keys} {
            get 2 {fast readonly} {1 1 1}  set -3 {denyoom write} {1 1 1}  mget -2 {fast readonly} {1 -1 1}
            mset -3 {denyoom write} {1 -1 2}  del -2 write {1 -1 1}  ping -1 fast {0 0 0}
            incr 2 {denyoom fast write} {1 1 1}  rename 3 write {1 2 1}  multi 1 {allow_busy fast loading noscript stale} {0 0 0}
            keys 2 readonly {0 0 0}  auth -2 {allow_busy fast loading no_auth noscript stale} {0 0 0}
            getex -2 {fast write} {1 1 1}  expire -3 {fast write} {1 1 1}  scan -2 readonly {0 0 0}
        } {
            lassign [lindex [r command info $name] 0] - got_arity got_flags first last step
            assert_equal $arity $got_arity "arity of $name"
            assert_equal $flags [lsort $got_flags] "flags of $name"
            assert_equal $keys [list $first $last $step] "keys of $name"
        }
    }

    test "the declared arity is the enforced one" {
        foreach row [r command] {
            lassign $row name arity flags
            if {$name in {quit reset shutdown monitor sync psync debug hello auth client replicaof slaveof failover} || [llength [lindex $row 9]]} continue
            if {abs($arity) < 2} continue
            assert_error "ERR wrong number of arguments for '$name' command" {r $name}
            if {$arity > 0} {
                assert_error "ERR wrong number of arguments for '$name' command" {r $name {*}[lrepeat $arity x]}
            }
        }
    }

    test "COMMAND INFO of unknown names, of several, of subcommands" {
        assert_typed {array null} command info nosuch
        assert_equal {get {} set} [lmap row [r command info get nosuch set] { lindex $row 0 }]
        assert_equal config|get [lindex [r command info config|get] 0 0]
        assert_equal [r command count] [llength [r command info]]
    }

    test "COMMAND LIST FILTERBY" {
        assert_same_items {pexpire pexpireat pexpiretime} [r command list filterby pattern pexpire*]
        assert_equal mget [r command list filterby pattern MGET]
        assert_equal {} [r command list filterby pattern nosuch*]
        assert {"get" in [r command list filterby aclcat string]}
        assert {"get" ni [r command list filterby aclcat dangerous]}
        assert_equal {} [r command list filterby aclcat nosuch]
        assert_equal {} [r command list filterby module nosuch]
        assert_error "ERR syntax error" {r command list filterby}
        assert_error "ERR syntax error" {r command list filterby foo bar}
    }

    test "COMMAND DOCS" {
        set docs [dict get [r command docs get] get]
        assert_equal string [dict get $docs group]
        assert_equal 1.0.0 [dict get $docs since]
        assert {[string length [dict get $docs summary]] > 10}
        assert {[dict exists $docs complexity]}
        assert_equal {} [r command docs nosuch]
        assert_equal [r command count] [dict size [r command docs]]
        set set_args [dict get [dict get [r command docs set] set] arguments]
        assert {[llength $set_args] >= 3}
        assert {[dict exists [dict get [r command docs config] config] subcommands]}
    }

    test "COMMAND GETKEYS" {
        assert_equal k [r command getkeys get k]
        assert_equal {a b c} [r command getkeys mget a b c]
        assert_equal {a c} [r command getkeys mset a b c d]
        assert_equal {x y} [r command getkeys rename x y]
        assert_equal {k} [r command getkeys set k v ex 10 nx]
        assert_equal {a b} [r command getkeys copy a b replace]
        assert_equal {key1 key2} [r command getkeys migrate host 6379 "" 0 100 keys key1 key2]
        assert_equal {key} [r command getkeys migrate host 6379 key 0 100]
        assert_equal {x} [r command getkeys object encoding x]
        assert_error "ERR The command has no key arguments" {r command getkeys ping x}
        assert_error "ERR Invalid command specified" {r command getkeys nosuch x}
        assert_error "ERR Invalid number of arguments specified for command" {r command getkeys rename x}
        assert_error "ERR wrong number of arguments for 'command|getkeys' command" {r command getkeys}
    }

    test "COMMAND GETKEYS where options decide" {
        foreach {command keys} {
            {sort k by x* get y* store d} {k d}
            {sort k store a limit 0 store store b} {k b}
            {sort_ro k by x*} k
            {zunionstore d 2 a b weights 1 2} {d a b}
            {zinter 2 a b withscores} {a b}
            {lmpop 2 a b left} {a b}
            {blmpop 0 2 a b left} {a b}
            {bzmpop 0 1 a min} a
            {sintercard 2 a b limit 1} {a b}
            {georadius k 1 2 3 m store d} {k d}
            {georadius k 1 2 3 m store} k
            {geosearchstore d s frommember m byradius 1 m} {d s}
            {migrate h 1 "" 0 10 auth keys keys a b} {a b}
            {blpop a b 0} {a b}
        } {
            assert_equal $keys [r command getkeys {*}$command] $command
        }
        foreach command {{zunionstore d 3 a b} {zdiffstore d 0 a} {lmpop 2 a} {migrate h 1 k 0 10 keys a b}} {
            assert_error_like "ERR Invalid *" {r command getkeys {*}$command}
        }
        # Channels of shards are looked up like keys, but are none.
        assert_error "ERR The command has no key arguments" {r command getkeys spublish a b}
    }

    test "COMMAND DOCS tells of arguments what redis-cli makes hints of" {
        set args [dict get [r command docs zadd] zadd arguments]
        assert_equal {key condition comparison change increment data} [lmap arg $args { dict get $arg name }]
        assert_equal {key oneof oneof pure-token pure-token block} [lmap arg $args { dict get $arg type }]
        assert_equal {optional} [dict get [lindex $args 4] flags]
        assert_equal {INCR 3.0.2} [list [dict get [lindex $args 4] token] [dict get [lindex $args 4] since]]
        assert_equal {multiple} [dict get [lindex $args 5] flags]
        assert_equal {score member} [lmap arg [dict get [lindex $args 5] arguments] { dict get $arg name }]
    }

    test "COMMAND GETKEYSANDFLAGS" {
        assert_equal {{k {RO access}}} [r command getkeysandflags get k]
        assert_equal {{k {OW update}}} [r command getkeysandflags set k v]
        assert_equal {{k {RW access update}}} [r command getkeysandflags set k v get]
        assert_equal {{k {RO access}}} [r command getkeysandflags bitfield k get u8 0]
        assert_equal {{k {RW access update}}} [r command getkeysandflags bitfield k get u8 0 set u8 0 1]
        assert_equal {{k {RO access}} {d {OW update}}} [r command getkeysandflags sort k store d]
        assert_equal {{a {RW access delete}} {b {OW update}}} [r command getkeysandflags rename a b]
        assert_equal {{a {RM delete}} {b {RM delete}}} [r command getkeysandflags del a b]
        assert_error "ERR The command has no key arguments" {r command getkeysandflags ping x}
    }

    test "COMMAND HELP and unknown subcommands" {
        assert_match {*GETKEYS*} [r command help]
        assert_error "ERR unknown subcommand 'nosuch'. Try COMMAND HELP." {r command nosuch}
    }

    test "every container has HELP" {
        foreach {name lines} {client 54 command 21 config 11 latency 17 memory 14 object 15 pubsub 14 slowlog 12} {
            set help [r $name help]
            assert_equal $lines [llength $help] $name
            assert_equal "[string toupper $name] <subcommand> \[<arg> \[value] \[opt] ...]. Subcommands are:" [lindex $help 0]
            assert_equal {HELP {    Print this help.}} [lrange $help end-1 end]
        }
        assert {[llength [r debug help]] > 40}
    }
}
