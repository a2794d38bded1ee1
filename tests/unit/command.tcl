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

    test "outside a cluster CLUSTER and what belongs to it say so" {
        foreach command {{cluster info} {cluster help} {cluster keyslot x} {cluster slots} asking readonly readwrite} {
            assert_error "ERR This instance has cluster support disabled" {r {*}$command}
        }
        assert_error_like "ERR unknown subcommand 'nosuch'*" {r cluster nosuch}
        assert_error "ERR wrong number of arguments for 'cluster|info' command" {r cluster info x}
        assert {"cluster|help" in [r command list filterby pattern cl*help]}
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

    # The entry of one command, by name of its field.
    proc docs {name} { dict get [r command docs $name] $name }

    proc sub_docs {name} { dict get [docs [lindex [split $name |] 0]] subcommands $name }

    # The names of arguments, of those inside others after them in brackets.
    proc argument_names {args} {
        lmap arg $args {
            set name [dict get $arg name]
            if {[dict exists $arg arguments]} { append name ( [argument_names {*}[dict get $arg arguments]] ) }
            set name
        }
    }

    test "COMMAND DOCS tells what versions have changed, oldest first" {
        assert_equal {2.6.12 6.0.0 6.2.0 7.0.0 8.1.0} [lmap change [dict get [docs set] history] { lindex $change 0 }]
        assert_equal {{4.0.0 {Takes several fields with their values}}} [dict get [docs hset] history]
        assert {![dict exists [docs get] history]}
        assert_equal {6.2.0 {Takes a mode, of which WRITE is new}} [lindex [dict get [sub_docs client|pause] history] 0]
        foreach {name docs} [r command docs] {
            set all [list $docs]
            if {[dict exists $docs subcommands]} { lappend all {*}[dict values [dict get $docs subcommands]] }
            foreach docs $all {
                if {![dict exists $docs history]} continue
                foreach change [dict get $docs history] {
                    assert_equal 2 [llength $change] $name
                    assert_match {[1-9]*.*.*} [lindex $change 0] $name
                }
            }
        }
    }

    test "the fields of COMMAND DOCS have their places and types" {
        assert_equal {summary since group complexity doc_flags deprecated_since replaced_by history arguments} \
            [dict keys [docs brpoplpush]]
        assert_equal {summary since group complexity subcommands} [dict keys [docs client]]
        assert_equal {array {{array {{bulk 2.4.0} {bulk {Takes several members}}}}}} \
            [lindex [r typed command docs srem] 1 1 1 9]
        set c [redis_client]
        $c hello 3
        set fields [lindex [$c typed command docs srem] 1 1 1]
        assert_equal {{bulk history} {set {{array {{bulk 2.4.0} {bulk {Takes several members}}}}}}} [lrange $fields 8 9]
        # Tips are a set as well.
        assert_equal {set {{bulk nondeterministic_output}}} [lindex [$c typed command info spop] 1 0 1 7]
        assert_equal {set {}} [lindex [$c typed command info get] 1 0 1 7]
        $c close
    }

    test "COMMAND DOCS knows what later versions have added" {
        foreach {name change} {
            bitop {8.2.0 {Takes DIFF, DIFF1, ANDOR and ONE}}
            geosearch {9.0.0 {Takes BYPOLYGON (Valkey)}}
            hscan {7.4.0 {Takes NOVALUES}}
            set {8.1.0 {Takes IFEQ (Valkey)}}
            zscan {8.0.0 {Takes NOSCORES (Valkey)}}
        } {
            assert_equal $change [lindex [dict get [docs $name] history] end] $name
        }
        assert_equal {8.1.0 {Takes several numbers after ID (Valkey)}} [lindex [dict get [sub_docs client|kill] history] end-1]
        assert_equal 7.4.0 [dict get [docs hexpire] since]
        set condition [lindex [dict get [docs set] arguments] 2]
        assert_equal {name comparison-value type string display_text comparison-value token IFEQ since 8.1.0} \
            [lindex [dict get $condition arguments] end]
        assert_equal {name novalues type pure-token display_text novalues token NOVALUES since 7.4.0 flags optional} \
            [lindex [dict get [docs hscan] arguments] end]
        assert_equal {name noscores type pure-token display_text noscores token NOSCORES since 8.0.0 flags optional} \
            [lindex [dict get [docs zscan] arguments] end]
        assert_equal {and or xor not diff diff1 andor one} \
            [argument_names {*}[dict get [lindex [dict get [docs bitop] arguments] 0] arguments]]
        set area [lindex [dict get [docs geosearch] arguments] 1]
        assert_equal {search-type oneof} [list [dict get $area name] [dict get $area type]]
        assert_equal {polygon(num-vertices {vertices(longitude latitude)})} \
            [lindex [argument_names {*}[dict get $area arguments]] end]
    }

    test "names of arguments are in lower case" {
        assert_equal {{status(on off)} client-id prefix bcast optin optout noloop} \
            [argument_names {*}[dict get [sub_docs client|tracking] arguments]]
        assert_equal command [argument_names {*}[dict get [sub_docs latency|histogram] arguments]]
        assert_no_match {*[A-Z]*} [argument_names {*}[lmap {name docs} [r command docs] {
            if {![dict exists $docs arguments]} continue
            list name $name arguments [dict get $docs arguments]
        }]]
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
        set help [r debug help]
        assert {[llength $help] > 90}
        foreach form {CHANGE-REPL-ID "HTSTATS <dbid> \[full]" "MALLCTL <key> \[<val>]" "MALLCTL-STR <key> \[<val>]"} {
            assert {$form in $help} $form
        }
    }

    test "RESP3: the subcommands of a command that has none are an empty set" {
        r hello 3
        assert_equal {set {}} [lindex [r typed command info get] 1 0 1 9]
        assert_equal array [lindex [r typed command info config] 1 0 1 9 0]
        r hello 2
    }

    test "numbers of keys are read by atoi when the specs don't fit" {
        assert_equal {k d} [r command getkeys zinterstore d 01 k]
        assert_equal {d k} [r command getkeys zinterstore d 1 k]
        foreach n {01 +1 " 1" 4294967297 1x} { assert_equal k [r command getkeys zunion $n k] $n }
        foreach n {0 -1 x "" 3} { assert_error "ERR Invalid arguments specified for command" {r command getkeys zunion $n k} }
        assert_equal {{k {}} {d {}}} [r command getkeysandflags zinterstore d 01 k]
    }

    test "a name with a NUL or a blank behind it is another name" {
        foreach name [list "get\x00" "get " "get\x00\x00\x00\x00\x00" "PING "] {
            assert_error_like "ERR unknown command *" {r $name a}
        }
        assert_error_like "ERR unknown subcommand 'ge'. *" {r config "ge\x00t" a}
    }

    test "error texts end at a NUL, and so do option words" {
        assert_error "ERR unknown command 'fo', with args beginning with: 'b' " {r "fo\x00o" "b\x00ar"}
        assert_error "ERR unknown subcommand 'foo'. Try CONFIG HELP." {r config "foo\x00bar"}
        assert_error "ERR Unrecognized option 'foo'" {r client setinfo "foo\x00bar" x}
        assert_error "ERR Syntax error in HELLO option 'fo'" {r hello 2 "fo\x00o"}
        assert_equal OK [r set k v "nx\x00junk"]
        assert_error "ERR syntax error" {r set k v "nxx"}
        r del k
    }

    test "LOLWUT takes sizes for the pictures of versions 5 and 6 only" {
        foreach args {{} x {x y} {version 7 x} {version}} { assert_match "*Redis ver. 7.2.6*" [r lolwut {*}$args] }
        foreach args {{version x} {version 5 x} {version 6 1 x} {version 5 1 1 x}} {
            assert_error "ERR value is not an integer or out of range" {r lolwut {*}$args}
        }
        assert_match "*Redis ver. 7.2.6*" [r lolwut version 6 1 1 x]
    }
}

start_server {tags {command} config_lines {"rename-command get fetch" "rename-command zadd zplus"}} {
    test "COMMAND LIST has the names that commands were given by their makers" {
        assert_equal {get zadd} [lsort [concat [r command list filterby pattern get] [r command list filterby pattern zadd]]]
        assert_equal {} [concat [r command list filterby pattern fetch] [r command list filterby pattern zplus]]
        assert {"get" in [r command list] && "fetch" ni [r command list]}
    }
}

start_server {tags {modules}} {
    test "there are no modules, and none can be loaded" {
        assert_equal {} [r module list]
        assert_error "ERR Error loading the extension. Please check the server logs." {r module load /nosuch.so}
        assert_error "ERR Error unloading module: no such module with that name" {r module unload x}
        assert_match "MODULE <subcommand>*" [lindex [r module help] 0]
    }
}

start_server {tags {modules} overrides {enable-module-command no}} {
    test "MODULE LOAD is guarded by its own setting" {
        assert_equal {} [r module list]
        assert_error_like "ERR MODULE command not allowed. If the enable-module-command option*" {r module load /nosuch.so}
        assert_equal OK [r debug set-active-expire 1]
    }
}
