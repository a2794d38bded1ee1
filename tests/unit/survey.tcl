# MEMORY BIGKEYS and MEMORY PREFIXES (key-survey), and INFO keysizes of Redis 8.

proc numbers {from to} {
    for {set i $from} {$i <= $to} {incr i} { lappend all $i }
    return $all
}

# The keys of BIGKEYS as {key size} by database and type, once they are known.
proc biggest {args} {
    wait_for_condition {[dict get [r memory bigkeys {*}$args] complete]}
    set found [dict create]
    foreach row [dict get [r memory bigkeys {*}$args] keys] {
        set size [expr {[dict exists $row bytes] ? [dict get $row bytes] : [dict get $row elements]}]
        dict lappend found [list [dict get $row db] [dict get $row type]] [list [dict get $row key] $size]
    }
    return $found
}

proc elements_of {key} {
    switch [r type $key] {
        string { r strlen $key } list { r llen $key } set { r scard $key } zset { r zcard $key }
        hash { r hlen $key } stream { r xlen $key }
    }
}

# The sizes that a look at all keys finds, in the same form; without names, since several may be as large.
proc scanned {count by} {
    set found [dict create]
    foreach db {0 1} {
        r select $db
        foreach key [r keys *] {
            dict lappend found [list $db [r type $key]] [expr {$by eq "bytes" ? [r memory usage $key] : [elements_of $key]}]
        }
    }
    r select 0
    dict for {list sizes} $found { dict set found $list [lrange [lsort -integer -decreasing $sizes] 0 [expr {$count - 1}]] }
    return $found
}

proc assert_as_scanned {count by} {
    set told [biggest count $count by $by]
    set all [scanned $count $by]
    assert_same_items [dict keys $all] [dict keys $told]
    dict for {list rows} $told {
        r select [lindex $list 0]
        foreach row $rows {
            lassign $row key size
            assert_equal [expr {$by eq "bytes" ? [r memory usage $key] : [elements_of $key]}] $size "$list $key"
        }
        r select 0
        assert_equal [dict get $all $list] [lmap row $rows { lindex $row 1 }] $list
    }
}

start_server {tags {survey}} {
    need_command memory|bigkeys

    test "nothing is told while the keys are not surveyed" {
        assert_equal {key-survey no} [r config get key-survey]
        assert_error "ERR the keys are not surveyed: CONFIG SET key-survey yes" {r memory bigkeys}
        assert_error "ERR the keys are not surveyed: CONFIG SET key-survey yes" {r memory prefixes}
        foreach bad {{count} {count 0} {count 65} {by size} {type nosuch} {db -1} {nosuch 1}} {
            assert_error_like "ERR *" {r memory bigkeys {*}$bad}
        }
    }

    test "the largest keys of a random workload are those that a look at all keys finds" {
        r config set key-survey yes
        expr {srand(7)}
        for {set round 0} {$round < 6} {incr round} {
            for {set i 0} {$i < 600} {incr i} {
                r select [expr {int(rand() * 2)}]
                set n [expr {int(rand() * 40)}]
                set many [lmap x [lrepeat [expr {1 + int(rand() * 30)}] 0] { expr {int(rand() * 1000)} }]
                switch [expr {int(rand() * 16)}] {
                    0 { r set s$n [string repeat x [expr {int(rand() * 500)}]] }
                    1 { r append s$n [string repeat y 20] }
                    2 { r setrange s$n [expr {int(rand() * 600)}] z }
                    3 { r rpush l$n {*}$many }
                    4 { r ltrim l$n 0 [expr {int(rand() * 40)}] }
                    5 { r sadd t$n {*}$many }
                    6 { r spop t$n 5 }
                    7 { r zadd z$n {*}[concat {*}[lmap m $many { list $m m$m }]] }
                    8 { r zremrangebyrank z$n 0 5 }
                    9 { r hset h$n {*}[concat {*}[lmap m $many { list f$m $m }]] }
                    10 { r hdel h$n {*}[lmap m $many { string cat f $m }] }
                    11 { r xadd x$n maxlen 50 * f [lindex $many 0] }
                    12 { r del [lindex {s l t z h x} [expr {int(rand() * 6)}]]$n }
                    13 { catch {r rename l$n l[expr {int(rand() * 40)}]} }
                    14 { catch {r copy t$n t[expr {int(rand() * 40)}] db [expr {int(rand() * 2)}] replace} }
                    15 { r pexpire s$n 1 }
                }
            }
            r select 0
            assert_as_scanned 5 bytes
            assert_as_scanned 12 elements
        }
        assert_equal {{0 hash}} [dict keys [biggest type hash db 0]]
    }

    test "they are known after the largest have gone, after SWAPDB and after a flush" {
        r flushall
        for {set i 0} {$i < 1000} {incr i} { r set k$i [string repeat x $i] }
        assert_equal {k999 999} [lindex [dict get [biggest count 1 by elements] {0 string}] 0]
        r del {*}[lmap i [numbers 300 999] { string cat k $i }]
        assert_equal {{k299 299} {k298 298}} [dict get [biggest count 2 by elements] {0 string}]
        r swapdb 0 1
        assert_equal {{k299 299}} [dict get [biggest count 1 by elements] {1 string}]
        # What is loaded is seen anew.
        r debug reload
        assert_equal {{k299 299}} [dict get [biggest count 1 by elements] {1 string}]
        r flushall
        assert_equal {} [biggest]
        r config set key-survey no
    }

    test "a string so large that it is taken over as it came counts in full" {
        r flushall
        r config set key-survey yes
        biggest
        r set adopted [string repeat x 440000]
        r set small x
        assert_equal [list [list adopted [r memory usage adopted]]] [dict get [biggest count 1] {0 string}]
        assert_equal {{adopted 440000}} [dict get [biggest count 1 by elements] {0 string}]
        r config set key-survey no
    }

    test "groups of keys with the same prefix" {
        r flushall
        for {set i 0} {$i < 100} {incr i} { r set user:$i [string repeat x 100] ; r set session:$i x }
        r set plain x
        r config set key-survey yes
        wait_for_condition {[dict get [r memory prefixes] complete]}
        set told [r memory prefixes]
        assert_equal 201 [dict get $told total-keys]
        set groups {}
        foreach row [dict get $told prefixes] { dict set groups [dict get $row prefix] $row }
        assert_equal {user: session: {}} [dict keys $groups]
        set bytes 0
        foreach key [r keys user:*] { incr bytes [r memory usage $key] }
        assert_equal [list 100 0 $bytes 0] [lmap f {keys keys-error bytes bytes-error} { dict get $groups user: $f }]
        assert_equal 1 [dict get $groups {} keys]
        r config set key-survey no
    }

    test "requests by prefix, while HOTKEYS measures" {
        r config set key-survey yes
        r hotkeys start metrics 1 net
        for {set i 0} {$i < 30} {incr i} { r get user:$i }
        r get session:1
        r hotkeys stop
        wait_for_condition {[dict get [r memory prefixes] complete]}
        set rows [dict get [r memory prefixes] prefixes]
        assert_equal {30 1 0} [lmap row $rows { dict get $row requests }]
        assert_equal {0 0 0} [lmap row $rows { dict get $row requests-error }]
        r hotkeys reset
        r config set key-survey no
    }

    test "prefixes that are set are groups of their own, the longest first, and the rest follows the separator" {
        proc groups {} {
            wait_for_condition {[dict get [r memory prefixes] complete]}
            set found {}
            foreach row [dict get [r memory prefixes] prefixes] { lappend found [dict get $row prefix] [dict get $row keys] }
            return $found
        }
        assert_equal {key-survey-prefixes {}} [r config get key-survey-prefixes]
        r flushall
        r mset user:1 x user:11 x user:2 x session-1 x session-2 x cache:a x cache:b:c x plain x
        r config set key-survey yes key-survey-prefixes "user: user:1 session-"
        assert_equal {key-survey-prefixes {user: user:1 session-}} [r config get key-survey-prefixes]
        assert_same_items {user:1 2 user: 1 session- 2 cache: 2 {} 1} [groups]
        # Another rule holds at once, and requests are counted by it.
        r hotkeys start metrics 1 net
        r get plain
        r config set key-survey-prefixes cache:b key-survey-separator ""
        r get cache:b:c
        r get user:1
        r hotkeys stop
        assert_same_items {cache:b 1 {} 7} [groups]
        assert_same_items {1 1} [lmap row [dict get [r memory prefixes] prefixes] { dict get $row requests }]
        r hotkeys reset
        r config set key-survey-prefixes "" key-survey-separator :
        assert_same_items {user: 3 cache: 2 {} 3} [groups]
        r config set key-survey no
    }

    test "prefixes that are set are few and short, survive a rewrite, and have no blanks" {
        assert_error_like "*at most 64 prefixes*" {r config set key-survey-prefixes [lmap n [numbers 1 65] { string cat p$n }]}
        assert_error_like "*1 to 256 bytes*" {r config set key-survey-prefixes [string repeat x 257]}
        assert_equal {key-survey-prefixes {}} [r config get key-survey-prefixes]
        r config set key-survey-prefixes "a: b'\xff \"c"
        r config rewrite
        restart_server
        assert_equal [list key-survey-prefixes "a: b'\xff \"c"] [r config get key-survey-prefixes]
        r config set key-survey-prefixes ""
        r config rewrite
        assert_no_match "*key-survey-prefixes*" [read_file [srv conf]]
    }

    test "more prefixes than groups: the error says how far off it is" {
        r flushall
        for {set i 0} {$i < 3000} {incr i} { r set p$i:x x }
        r mset {*}[concat {*}[lmap i [numbers 1 500] { list big:$i [string repeat x 200] }]]
        r config set key-survey yes
        wait_for_condition {[dict get [r memory prefixes] complete]}
        set row [lindex [dict get [r memory prefixes count 1] prefixes] 0]
        assert_equal big: [dict get $row prefix]
        set bytes 0
        foreach key [r keys big:*] { incr bytes [r memory usage $key] }
        assert {abs($bytes - [dict get $row bytes]) <= [dict get $row bytes-error]} $row
        assert {abs(500 - [dict get $row keys]) <= [dict get $row keys-error]} $row
        r config set key-survey no
    }

    test "INFO keysizes counts keys by the power of two of their size, where it is asked for" {
        r flushall
        assert_equal "# Keysizes" [string trim [r info keysizes]]
        foreach n {0 1 2 3 1023 1024 2097152} { r set s$n [string repeat x $n] }
        r set int -1234567
        r rpush l 1 2 3 4 5
        r sadd t 1
        r zadd z 1 a 2 b
        r hset h f v
        r xadd x * f v
        r select 3
        r set s x
        r select 0
        set lines [lrange [split [string trim [string map {\r {}} [r info keysizes]]] \n] 1 end]
        assert_equal {
            db0_distrib_strings_sizes:0=1,1=1,2=2,8=1,512=1,1K=1,2M=1
            db0_distrib_lists_items:4=1 db0_distrib_sets_items:1=1 db0_distrib_zsets_items:2=1 db0_distrib_hashes_items:1=1
            db3_distrib_strings_sizes:1=1
        } "\n            [join [lrange $lines 0 0]]\n            [join [lrange $lines 1 4]]\n            [lindex $lines 5]\n        "
        assert_no_match *distrib* [r info all]
    }
}
