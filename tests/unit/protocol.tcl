# The protocol: RESP2 and RESP3, inline commands, pipelines, and every way to get it wrong.

# Sends raw bytes, expects this first line of reply, and, when `closed`, the end of the connection after it.
proc protocol_case {bytes reply {closed 1}} {
    set c [redis_client]
    $c write $bytes
    $c flush
    assert_equal $reply [$c gets] "after [shorten $bytes 60]"
    if {$closed} { assert_equal 1 [$c at_eof] "connection stays open after [shorten $bytes 60]" }
    $c close
}

start_server {tags {protocol}} {
    test "proto-max-bulk-len alone limits the length of an argument, above 4 GiB too" {
        set before [lindex [r config get proto-max-bulk-len] 1]
        r config set proto-max-bulk-len 10gb
        set c [redis_client]
        $c write "*2\r\n\$3\r\nGET\r\n\$10737418240\r\nabc"
        $c flush
        assert_equal {} [$c pending]
        assert_equal PONG [r ping]
        $c close
        protocol_case "*2\r\n\$3\r\nGET\r\n\$10737418241\r\n" "-ERR Protocol error: invalid bulk length"
        r config set proto-max-bulk-len $before
    }

    test "empty and blank lines are skipped" {
        set c [redis_client]
        $c write "\r\n\r\nPING\r\n"
        $c flush
        assert_equal +PONG [$c gets]
        $c write "   \r\nPING\r\n"
        $c flush
        assert_equal +PONG [$c gets]
        $c close
    }

    test "an array of no or negative length is nothing" {
        set c [redis_client]
        $c write "*0\r\n*-1\r\n*-10\r\nPING\r\n"
        $c flush
        assert_equal +PONG [$c gets]
        $c close
    }

    test "every malformed header has its own error and ends the connection" {
        protocol_case "*3\r\n\$3\r\nSET\r\n\$1\r\nx\r\nfooz\r\n" "-ERR Protocol error: expected '\$', got 'f'"
        protocol_case "*1\r\nGET\r\n" "-ERR Protocol error: expected '\$', got 'G'"
        protocol_case "*1\r\n\r\n" "-ERR Protocol error: expected '\$', got ' '"
        protocol_case "*abc\r\n" "-ERR Protocol error: invalid multibulk length"
        protocol_case "*2147483648\r\n" "-ERR Protocol error: invalid multibulk length"
        protocol_case "*9223372036854775808\r\n" "-ERR Protocol error: invalid multibulk length"
        protocol_case "*1 \r\n" "-ERR Protocol error: invalid multibulk length"
        protocol_case "*\r\n" "-ERR Protocol error: invalid multibulk length"
        protocol_case "*1\r\n\$abc\r\n" "-ERR Protocol error: invalid bulk length"
        protocol_case "*1\r\n\$-10\r\n" "-ERR Protocol error: invalid bulk length"
        protocol_case "*3\r\n\$3\r\nSET\r\n\$1\r\nx\r\n\$2000000000\r\n" "-ERR Protocol error: invalid bulk length"
        protocol_case "*2\r\n\$3\r\nGET\r\n\$blabla\r\n" "-ERR Protocol error: invalid bulk length"
        protocol_case "*1\r\n\$9223372036854775808\r\n" "-ERR Protocol error: invalid bulk length"
    }

    test "unbalanced quotes in an inline command" {
        protocol_case "set \"\"\"test-key\"\"\" test-value\r\n" "-ERR Protocol error: unbalanced quotes in request"
        protocol_case "get \"abc\r\n" "-ERR Protocol error: unbalanced quotes in request"
    }

    test "an endless inline command, array header or bulk header is cut off" {
        foreach start {{} * "*1\r\n\$"} error {
            {-ERR Protocol error: too big inline request} {-ERR Protocol error: too big mbulk count string}
            {-ERR Protocol error: too big bulk count string}
        } {
            set c [redis_client -timeout 10000]
            catch {
                $c write $start[string repeat 1 70000]
                $c flush
            }
            assert_equal $error [$c gets]
            assert_equal 1 [$c at_eof]
            $c close
        }
    }

    test "inline commands: quotes, escapes, spaces, bare line feed" {
        set c [redis_client]
        foreach {line value} {
            {set k plain} plain
            {  set   k   spaced  } spaced
            {set k "two words"} {two words}
            {set k 'single "quotes"'} {single "quotes"}
            {set k 'it\'s'} {it's}
            {set k "\x41\n\r\t\a\b\"\\"} "A\n\r\t\a\b\"\\"
            {set k '\x41\n'} {\x41\n}
            {set k ""} {}
            {SeT k CaSe} CaSe
        } {
            $c write "$line\n"
            $c flush
            assert_equal +OK [$c gets] $line
            assert_equal $value [r get k] $line
        }
        $c close
    }

    test "unknown commands are quoted back, with the start of their arguments" {
        assert_error "ERR unknown command 'nosuch', with args beginning with: " {r nosuch}
        assert_error "ERR unknown command 'nosuch', with args beginning with: 'a' 'b c' " {r nosuch a {b c}}
        assert_error "ERR unknown command 'a b', with args beginning with: " {r "a\rb"}
        assert_error "ERR unknown command '[string repeat x 128]', with args beginning with: " {r [string repeat x 300]}
        assert_error "ERR unknown command 'x', with args beginning with: '[string repeat y 128]' " {r x [string repeat y 500] z}
        assert_equal PONG [r ping]
    }

    test "unknown subcommands and wrong numbers of arguments" {
        assert_error "ERR unknown subcommand 'nosuch'. Try CONFIG HELP." {r config nosuch}
        assert_error "ERR wrong number of arguments for 'config|get' command" {r config get}
        assert_error "ERR wrong number of arguments for 'config' command" {r config}
        assert_error "ERR wrong number of arguments for 'ping' command" {r ping a b}
        assert_error "ERR wrong number of arguments for 'get' command" {r GET}
        assert_error "ERR unknown subcommand 'FOO'. Try CLIENT HELP." {r client FOO}
    }

    test "PING, ECHO, TIME" {
        assert_typed {simple PONG} ping
        assert_typed {bulk {hello you}} ping "hello you"
        assert_typed {bulk {}} echo ""
        assert_equal "\x00\xff" [r echo "\x00\xff"]
        lassign [r time] seconds micros
        assert_between [expr {[clock seconds] - 2}] [expr {[clock seconds] + 2}] $seconds
        assert_between 0 999999 $micros
    }

    test "a pipeline of 20,000 commands is answered completely and in order" {
        set c [redis_client]
        set out {}
        for {set i 0} {$i < 20000} {incr i} { append out [client::encode [list echo $i]] }
        $c write $out
        $c flush
        for {set i 0} {$i < 20000} {incr i} {
            if {[set got [$c read]] ne $i} { fail "reply $i is $got" }
        }
        $c close
    }

    test "a pipeline goes on behind an error, not behind a protocol error" {
        set c [redis_client]
        $c write "[client::encode {set k v}][client::encode {incr k}][client::encode {get k}]"
        $c flush
        assert_equal OK [$c read]
        assert_error "ERR value is not an integer or out of range" {$c read}
        assert_equal v [$c read]
        $c write "[client::encode {get k}]*x\r\n[client::encode {set k never}]"
        $c flush
        assert_equal v [$c read]
        assert_error "ERR Protocol error: invalid multibulk length" {$c read}
        assert_equal 1 [$c at_eof]
        assert_equal v [r get k]
        $c close
    }

    test "commands cut into single bytes" {
        set c [redis_client]
        foreach byte [split "[client::encode [list set cut "a\r\nb"]]PING\r\n[client::encode {get cut}]" {}] {
            $c write $byte
            $c flush
            sleep 1
        }
        assert_equal OK [$c read]
        assert_equal PONG [$c read]
        assert_equal "a\r\nb" [$c read]
        $c close
    }

    test "random cuts through a pipeline change nothing" {
        set out {}
        for {set i 0} {$i < 300} {incr i} {
            set sent($i) [randstring 0 3000]
            append out [client::encode [list echo $sent($i)]]
        }
        set c [redis_client]
        set at 0
        while {$at < [string length $out]} {
            set n [expr {1 + [random_int 20000]}]
            $c write [string range $out $at [expr {$at + $n - 1}]]
            $c flush
            incr at $n
        }
        for {set i 0} {$i < 300} {incr i} { assert_equal $sent($i) [$c read] "echo $i" }
        $c close
    }

    test "bulks around the buffer sizes" {
        set c [redis_client]
        foreach n {0 1 16383 16384 16385 32767 32768 32769 65536 100000 1048576 5000000} {
            set v [string repeat z $n]
            $c set k $v
            assert {[$c get k] eq $v} "$n bytes"
            $c write [client::encode [list set k $v]][client::encode {strlen k}][client::encode {ping}]
            $c flush
            assert_equal OK [$c read]
            assert_equal $n [$c read]
            assert_equal PONG [$c read]
        }
        r del k
        $c close
    }

    test "100,000 arguments" {
        r flushall
        set args {}
        for {set i 0} {$i < 50000} {incr i} { lappend args k$i $i }
        assert_equal OK [r mset {*}$args]
        assert_equal 50000 [r dbsize]
        assert_equal 49999 [r get k49999]
        r flushall
    }

    test "proto-max-bulk-len is a limit that can be moved" {
        r config set proto-max-bulk-len 2mb
        protocol_case "*3\r\n\$3\r\nSET\r\n\$1\r\nx\r\n\$2097153\r\n" "-ERR Protocol error: invalid bulk length"
        assert_equal OK [r set x [string repeat a 2097152]]
        assert_error "ERR string exceeds maximum allowed size (proto-max-bulk-len)" {r append x b}
        r config set proto-max-bulk-len 512mb
        r del x
    }

    test "a half-closed client still gets its replies" {
        set c [redis_client]
        $c write [client::encode {set half closed}][client::encode {get half}]
        $c half_close
        set got [list [$c read]]
        # The end of input may be noticed with the commands; what was answered before it is still delivered.
        assert_equal OK [lindex $got 0]
        assert_equal closed [$c read]
        assert_equal 1 [$c at_eof]
        $c close
    }

    test "a client that leaves in the middle of a command leaves nothing behind" {
        set before [s connected_clients]
        for {set i 0} {$i < 20} {incr i} {
            set c [redis_client]
            $c write "*3\r\n\$3\r\nSET\r\n\$7\r\npartial\r\n\$1000\r\nabc"
            $c flush
            $c close
        }
        wait_for_condition {[s connected_clients] == $before}
        assert_equal 0 [r exists partial]
    }

    test "HELLO switches the protocol and tells about the server" {
        set c [redis_client]
        set about [$c hello]
        assert_equal redis [dict get $about server]
        assert_equal 2 [dict get $about proto]
        assert_equal standalone [dict get $about mode]
        assert_equal master [dict get $about role]
        assert_equal {} [dict get $about modules]
        assert_equal [$c client id] [dict get $about id]
        assert_equal [s redis_version] [dict get $about version]
        assert_equal map [lindex [$c typed hello 3] 0]
        assert_typed null get nothing
        assert_equal null [$c typed get nothing]
        assert_equal {map {}} [$c typed config get nothing-like-this]
        assert_equal map [lindex [$c typed config get maxmemory] 0]
        assert_equal array [lindex [$c typed hello 2] 0]
        $c close
    }

    test "HELLO errors" {
        assert_error "NOPROTO unsupported protocol version" {r hello 4}
        assert_error "NOPROTO unsupported protocol version" {r hello 1}
        assert_error "ERR Protocol version is not an integer or out of range" {r hello abc}
        assert_error "ERR Syntax error in HELLO option 'foo'" {r hello 3 foo}
        assert_error "ERR Syntax error in HELLO option 'auth'" {r hello 3 auth a}
        assert_error_like "WRONGPASS *" {r hello 3 auth nobody wrong}
        assert_equal 2 [dict get [r hello] proto] "a refused HELLO does not switch"
    }

    test "HELLO with SETNAME and AUTH" {
        set c [redis_client]
        $c hello 3 setname first
        assert_equal first [$c client getname]
        $c hello 2 auth default anything setname second
        assert_equal second [$c client getname]
        assert_error "ERR Client names cannot contain spaces, newlines or special characters." {$c hello 2 setname "a b"}
        $c close
    }

    test "large replies to a pipeline come whole and in order, and a later error ends it" {
        r set big [string repeat abcdefgh 100000]
        set c [redis_client -timeout 30000]
        set pipeline {}
        for {set i 0} {$i < 40} {incr i} { append pipeline "GET big\r\nECHO $i\r\n" }
        $c write "$pipeline*1\r\nfoo\r\n"
        $c flush
        for {set i 0} {$i < 40} {incr i} {
            assert_equal "\$800000" [$c gets]
            assert_equal 800000 [string length [$c gets]]
            assert_equal "\$[string length $i]" [$c gets]
            assert_equal $i [$c gets]
        }
        assert_equal "-ERR Protocol error: expected '\$', got 'f'" [$c gets]
        assert_equal 1 [$c at_eof]
        $c close
    }

    test "a client that sends everything and closes its side still gets every reply" {
        r set big [string repeat x 300000]
        set c [redis_client -timeout 30000]
        $c write [string repeat "GET big\r\n" 30]
        $c flush
        $c half_close
        for {set i 0} {$i < 30} {incr i} {
            assert_equal "\$300000" [$c gets]
            assert_equal 300000 [string length [$c gets]]
        }
        assert_equal 1 [$c at_eof]
        $c close
    }

    test "the reply types of DEBUG PROTOCOL in both versions" {
        set c [redis_client]
        foreach {what two three} {
            string {bulk {Hello World}} {bulk {Hello World}}
            integer {int 12345} {int 12345}
            double {bulk 3.141} {double 3.141}
            null null null
            array {array {{int 0} {int 1} {int 2}}} {array {{int 0} {int 1} {int 2}}}
            set {array {{int 0} {int 1} {int 2}}} {set {{int 0} {int 1} {int 2}}}
            map {array {{int 0} {int 0} {int 1} {int 1} {int 2} {int 0}}} {map {{int 0} {bool 0} {int 1} {bool 1} {int 2} {bool 0}}}
            bignum {bulk 1234567999999999999999999999999999999} {bignum 1234567999999999999999999999999999999}
            true {int 1} {bool 1}
            false {int 0} {bool 0}
            verbatim "bulk {This is a verbatim\nstring}" "verbatim {txt:This is a verbatim\nstring}"
        } {
            $c hello 2
            assert_equal $two [$c typed debug protocol $what] "RESP2 $what"
            $c hello 3
            assert_equal $three [$c typed debug protocol $what] "RESP3 $what"
        }
        assert_equal {bulk {Some real reply following the attribute}} [$c typed debug protocol attrib]
        assert_equal {key-popularity {key:123 90}} [$c attribute]
        $c close
    }
}
