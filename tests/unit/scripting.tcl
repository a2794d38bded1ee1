# Scripts and functions: what they may do, what they give back, and how they fail. Each test runs as
# a script and as a function where that makes a difference.

proc lib {body} { return "#!lua name=testlib\nredis.register_function('testf', function(KEYS, ARGV)\n$body\nend)" }

# Runs a body as a function.
proc f {body args} {
    r function load replace [lib $body]
    r fcall testf {*}$args
}

# A payload of FUNCTION RESTORE: what is in it, with the version and the checksum (CRC-64 of Jones).
proc sealed {bytes} {
    append bytes [binary format s 10]
    set crc 0
    foreach c [split $bytes {}] {
        set crc [expr {$crc ^ [scan $c %c]}]
        for {set i 0} {$i < 8} {incr i} {
            set crc [expr {($crc >> 1) ^ ($crc & 1 ? 0x95ac9329ac4bc9b5 : 0)}]
        }
    }
    append bytes [binary format w $crc]
}

# The payload of libraries shorter than 16 KiB.
proc payload {args} {
    foreach code $args {
        append bytes \xf5 [binary format Sa* [expr {0x4000 | [string length $code]}] $code]
    }
    sealed $bytes
}

proc sha {script} { r script load $script }

start_server {tags {scripting}} {
    test "values become replies" {
        assert_equal 3 [r eval {return 3.99} 0]
        assert_equal -3 [r eval {return -3.99} 0]
        assert_equal hello [r eval {return 'hello'} 0]
        assert_equal {1 2 {3 x {}}} [r eval {return {1,2,{3,'x',false,nil,5}}} 0]
        assert_equal 1 [r eval {return true} 0]
        assert_equal {} [r eval {return false} 0]
        assert_equal {} [r eval {return} 0]
        assert_equal FINE [r eval {return {ok='FINE'}} 0]
        assert_error "MINE of my own" {r eval {return {err='MINE of my own'}} 0}
        assert_equal "a\x00b" [r eval {return 'a\0b'} 0]
    }

    test "replies become values" {
        r del l h
        r rpush l a b c
        assert_equal {table 3 b} [r eval {local v = redis.call('lrange', KEYS[1], 0, -1) return {type(v), #v, v[2]}} 1 l]
        assert_equal {boolean 1} [r eval {local v = redis.call('get', 'none') return {type(v), v == false}} 0]
        assert_equal {table OK} [r eval {local v = redis.call('set', 'a', 1) return {type(v), v.ok}} 0]
        assert_equal number [r eval {return type(redis.call('incr', 'a'))} 0]
        r hset h f v
        assert_equal {v nil} [r eval {redis.setresp(3) local v = redis.call('hgetall', 'h') return {v.map.f, type(redis.call('get', 'none'))}} 0]
        assert_equal {1.5 number} [r eval {redis.setresp(3) redis.call('zadd', 'z', 1.5, 'm') local v = redis.call('zscore', 'z', 'm') return {tostring(v.double), type(v.double)}} 0]
        assert_equal {true} [r eval {redis.setresp(3) redis.call('sadd', 's', 'm') return tostring(redis.call('smembers', 's').set.m)} 0]
    }

    test "numbers as arguments keep what they are" {
        r eval {redis.call('mset', 'a', 9007199254740993, 'b', 0.1, 'c', 1e17, 'd', 1e20, 'e', -0.5, 'f', 3.0)} 0
        assert_equal {9007199254740992 0.1 100000000000000000 1e+20 -0.5 3} [r mget a b c d e f]
    }

    test "an error of a command is raised by call, and the result of pcall" {
        r set str x
        assert_error_like "ERR value is not an integer or out of range script: * on @user_script:1." {r eval {return redis.call('incr', 'str')} 0}
        assert_error "ERR value is not an integer or out of range" {r eval {return redis.pcall('incr', 'str')} 0}
        assert_equal {ERR value is not an integer or out of range} [r eval {return redis.pcall('incr', 'str').err} 0]
        assert_equal {{} {ERR value is not an integer or out of range}} [r eval {return {pcall(redis.call, 'incr', 'str')}} 0]
        assert_error_like "ERR user_script:2: no way script: * on @user_script:2." {r eval "\nerror('no way')" 0}
        assert_error_like "OWN text*" {r eval {error({err='OWN text'})} 0}
    }

    test "numbers that are none keep their sign as arguments" {
        assert_equal {-nan nan inf -inf} [r eval {
            local r = {}
            for i, n in ipairs({0/0, -(0/0), 1/0, -1/0}) do r[i] = redis.call('echo', n) end
            return r
        } 0]
    }

    test "errors are what their metatables say" {
        set text "MINE of my own script: * on @user_*"
        foreach body {
            {error(setmetatable({}, {__index = {err = 'MINE of my own'}}))}
            {error(setmetatable({}, {__index = function(t, k) return 'MINE of my own' end, __newindex = function() end}))}
        } {
            assert_error_like "MINE of my own script: *" {r eval $body 0}
            assert_error_like "MINE of my own script: testf*" {f $body 0}
        }
        set body {local p = newproxy(true) getmetatable(p).__tostring = function() return 'shown' end error(p)}
        assert_error_like "ERR shown script: *" {r eval $body 0}
        assert_error_like "ERR shown script: testf*" {f $body 0}
        # The place can't be noted in a table of the API.
        foreach table {redis _G cjson string} {
            set why "ERR err_handler_def:10: Attempt to modify a readonly table script: *, on @err_handler_def:10."
            assert_error_like $why {r eval "error($table)" 0}
            assert_error_like $why {f "error($table)" 0}
        }
        assert_equal 1 [r eval {return 1} 0]
    }

    test "the format of a verbatim string ends at a zero byte, and may be any bytes" {
        r hello 3
        r deferred 1
        foreach {format shown} {{'a\0b'} "a  " {'\255\254\253\252'} "\xff\xfe\xfd" {''} "   "} {
            r eval "return {verbatim_string={format=$format, string='x'}}" 0
            r flush
            assert_equal "=5\r\n${shown}:x\r\n" [r rawread 11]
        }
        r deferred 0
        r hello 2
    }

    test "scripts and functions draw from the same random numbers" {
        set draw {return math.random(1000000)}
        r eval {math.randomseed(7)} 0
        set alone [list [r eval $draw 0] [r eval $draw 0] [r eval $draw 0]]
        r eval {math.randomseed(7)} 0
        set mixed [list [r eval $draw 0] [f $draw 0]]
        r script flush
        assert_equal $alone [lappend mixed [r eval $draw 0]]
    }

    test "an error is counted once" {
        r config resetstat
        catch {r eval {return redis.call('incr', 'str')} 0}
        assert_match "*failed_calls=1*" [info_field [r info commandstats] cmdstat_incr]
        assert_match "*failed_calls=1*" [info_field [r info commandstats] cmdstat_eval]
        assert_equal count=1 [info_field [r info errorstats] errorstat_ERR]
        assert_equal 1 [s total_error_replies]
        catch {r eval {return {err='FOO bar'}} 0}
        assert_equal count=1 [info_field [r info errorstats] errorstat_FOO]
    }

    test "commands that scripts may not call, wrong numbers of arguments, unknown commands" {
        foreach {body why} {
            {redis.call('subscribe', 'c')} "This Redis command is not allowed from script"
            {redis.call('multi')} "This Redis command is not allowed from script"
            {redis.call('eval', 'return 1', 0)} "This Redis command is not allowed from script"
            {redis.call('get')} "Wrong number of args calling Redis command from script"
            {redis.call('nosuch')} "Unknown Redis command called from script"
            {redis.call('client', 'nosuch')} "Unknown Redis command called from script"
            {redis.call()} "Please specify at least one argument for this redis lib call"
            {redis.call({})} "Lua redis lib command arguments must be strings or integers"
            {redis.call('set', 'a', true)} "Lua redis lib command arguments must be strings or integers"
        } {
            assert_error_like "ERR $why script: *" {r eval $body 0}
            assert_error_like "ERR $why script: testf*" {f $body 0}
        }
    }

    test "a blocking command does not block" {
        assert_equal {} [r eval {return redis.call('blpop', 'none', 0)} 0]
    }

    test "EVALSHA, SCRIPT LOAD, EXISTS, SHOW, FLUSH" {
        r script flush
        set sha [sha {return ARGV[1]}]
        assert_equal [string length $sha] 40
        assert_equal x [r evalsha $sha 0 x]
        assert_equal x [r evalsha [string toupper $sha] 0 x]
        assert_equal {1 0} [r script exists $sha [string repeat 0 40]]
        assert_equal {return ARGV[1]} [r script show $sha]
        assert_equal 1 [s number_of_cached_scripts]
        r script flush sync
        assert_error "NOSCRIPT No matching script. Please use EVAL." {r evalsha $sha 0 x}
        assert_error_like "NOSCRIPT*" {r evalsha short 0}
        assert_error_like "NOSCRIPT*" {r script show $sha}
        assert_error "ERR SCRIPT FLUSH only support SYNC|ASYNC option" {r script flush now}
        assert_error_like "ERR Error compiling script (new function): user_script:1: *" {r script load {x y z}}
    }

    test "EVAL keeps the five hundred scripts used last, SCRIPT LOAD for good" {
        r script flush
        set kept [sha {return 'kept'}]
        set first [r eval {return redis.sha1hex('return 0')} 0]
        for {set i 0} {$i < 600} {incr i} { r eval "return $i" 0 }
        assert_equal {1 0} [r script exists $kept $first]
        assert_equal 501 [s number_of_cached_scripts]
        assert_equal 101 [s evicted_scripts]
        assert_equal kept [r evalsha $kept 0]
    }

    test "flags of the first line" {
        assert_error_like "ERR Write commands are not allowed from read-only scripts. script:*" {r eval "#!lua flags=no-writes\nreturn redis.call('set','a',1)" 0}
        assert_error_like "ERR Can not execute a script with write flag using \\*_ro command." {r eval_ro "#!lua\nreturn 1" 0}
        assert_equal 1 [r eval_ro "#!lua flags=no-writes\nreturn 1" 0]
        assert_error "ERR Unexpected flag in script shebang: nosuch" {r eval "#!lua flags=nosuch\nreturn 1" 0}
        assert_error "ERR Unexpected engine in script shebang: #!ruby" {r eval "#!ruby\nreturn 1" 0}
        assert_error "ERR Invalid script shebang" {r eval "#!lua" 0}
        # Lines keep their numbers.
        assert_error_like "* on @user_script:3." {r eval "#!lua\n\nerror('x')" 0}
    }

    test "memory that is short stops writes but for who says that it may" {
        r flushall
        r config set maxmemory 1
        assert_error_like "OOM *" {r eval {return redis.call('set', 'a', 1)} 0}
        assert_error_like "OOM *" {r eval "#!lua\nreturn 1" 0}
        assert_equal {} [r eval {return redis.call('get', 'a')} 0]
        assert_equal OK [r eval "#!lua flags=allow-oom\nreturn redis.call('set','a',1)" 0]
        assert_equal 1 [r eval "#!lua flags=no-writes\nreturn redis.call('get','a')" 0]
        r config set maxmemory 0
    }

    test "SELECT in a script is for the script alone" {
        r select 9
        r flushall
        r eval {redis.call('select', 5) redis.call('set', 'a', 5)} 0
        assert_equal {} [r get a]
        r select 5
        assert_equal 5 [r get a]
        r select 0
    }

    test "time stands still" {
        assert_equal 1 [r eval {local a = redis.call('time') local n = 0 for i = 1, 200000 do n = n + i end
            local b = redis.call('time') return a[1] == b[1] and a[2] == b[2] and 1 or 0} 0]
        r set gone x px 30
        assert_equal x [r eval {local function spin() local n = 0 for i = 1, 3000000 do n = n + i end end
            for i = 1, 5 do spin() end return redis.call('get', 'gone')} 0]
        after 40
        assert_equal {} [r get gone]
    }

    test "what a script changes is seen by WATCH, by MONITOR and by events" {
        r set w 1
        r watch w
        set other [redis_client]
        $other eval {redis.call('incr', 'w')} 0
        r multi
        r get w
        assert_equal {} [r exec]
        $other close
        set m [redis_client]
        $m monitor
        r eval {redis.call('set', 'x', 'y')} 0
        assert_match {*"eval"*} [$m read]
        assert_match {*lua* "set" "x" "y"} [$m read]
        $m close
    }

    test "a script leaves as one transaction, and its text never" {
        r debug stream on
        r eval {redis.call('set', 'a', 1) redis.call('incr', 'a') return redis.call('get', 'a')} 0
        r eval {return redis.call('set', 'b', 1)} 0
        r eval {return redis.call('get', 'b')} 0
        r eval {redis.set_repl(redis.REPL_NONE) redis.call('set', 'c', 1) redis.set_repl(redis.REPL_ALL) redis.call('set', 'd', 1)} 0
        set text [string map {\r\n { }} [r debug stream take]]
        r debug stream off
        assert_match "*MULTI*set*a*1*incr*a*EXEC*set*b*1*set*d*1*" $text
        assert_no_match "*eval*" $text
        assert_no_match "*\$1 c *" $text
    }

    test "globals and the API can't be changed" {
        foreach body {
            {foo = 1} {redis = nil} {redis.call = 1} {rawset(redis, 'x', 1)} {table.insert(redis, 1)} {setmetatable(_G, {})}
            {setmetatable(redis, {})} {rawset(_G, 'x', 1)} {math.random = nil} {getmetatable('').__index = 1} {server.call = 1}
            {string.rep = nil} {getmetatable(_G).__index = nil}
        } {
            assert_error_like "*Attempt to modify a readonly table*" {r eval $body 0}
            assert_error_like "*Attempt to modify a readonly table*" {f $body 0}
        }
        foreach name {print dofile loadfile io require package debug} {
            assert_error_like "*Script attempted to access nonexistent global variable '$name'*" {r eval "return $name" 0}
        }
        # What a script puts in place of the globals is for itself.
        r eval {setfenv(0, {}) return 1} 0
        assert_equal 1 [r eval {return next(redis) ~= nil} 0]
        assert_equal number [r eval {return type(os.clock())} 0]
        assert_error_like "*nil value*" {r eval {return os.execute('true')} 0}
    }

    test "bytecode comes neither in nor out" {
        assert_error_like "*attempt to call a nil value*" {r eval {return loadstring(string.dump(function() return 1 end))()} 0}
        assert_equal {nil string} [r eval {local f, e = loadstring('\27Lua') return {type(f), type(e)}} 0]
        assert_equal 4 [r eval {return #string.dump(function() return 1 end)} 0]
    }

    test "what has broken other servers is an error here" {
        assert_error_like "*too many results to unpack*" {r eval {return unpack({1, 2}, 0, 2147483647)} 0}
        assert_error_like "*too many results to unpack*" {r eval {return unpack({}, -2147483648, 2147483647)} 0}
        assert_error_like "*pattern too complex*" {r eval {return string.find(string.rep('a', 100000), string.rep('a?', 100000))} 0}
        assert_equal 3 [r eval {return (string.find('xxabc', 'a?b+c-c'))} 0]
        assert_error_like "*stack overflow*" {r eval {local function f() return f() + 1 end return f()} 0}
        assert_error_like "*long string delimiter is too long*" {r eval "return \[[string repeat = 70000]\[" 0}
        assert_equal 1 [r eval {local p = newproxy(true) getmetatable(p).__gc = function() error('x') end
            p = nil for i = 1, 20 do collectgarbage() redis.call('ping') end return 1} 0]
        # The name of a chunk while it is parsed, with a collector that never rests.
        assert_equal 1 [r eval {collectgarbage('setpause', 0) collectgarbage('setstepmul', 10000)
            for i = 1, 200 do loadstring('local a = {' .. string.rep('"x' .. i .. '",', 200) .. '} return a', 'name' .. i) end
            collectgarbage('setpause', 200) collectgarbage('setstepmul', 200) return 1} 0]
        set c [redis_client]
        $c send eval {local t = {} for i = 1, 20000 do t = {t} end return t} 0
        after 300
        $c close
        assert_equal PONG [r ping]
        assert_error_like "*" {r eval {error(setmetatable({}, {__index = function() error('x') end}))} 0}
        assert_error_like "*" {r eval {error(nil)} 0}
        assert_error_like "*" {r eval {error(true)} 0}
        assert_equal PONG [r ping]
    }

    test "a reply ends where the limit of its client is" {
        r config set client-output-buffer-limit "normal 1mb 0 0"
        foreach start {{{1}} {{map = {1}}} {{set = {[{}] = 1}}}} {
            foreach again {{{t, t}} {{map = {a = t, b = t}}}} {
                set c [redis_client]
                $c send eval "local t = $start for i = 1, 60 do t = $again end return t" 0
                assert_equal 1 [$c at_eof]
                $c close
            }
        }
        assert_equal PONG [r ping]
        r config set client-output-buffer-limit "normal 0 0 0"
    }

    test "a limit of memory ends what takes too much" {
        r config set redust-script-memory-limit 16mb
        assert_error_like "*not enough memory*" {r eval {return #string.rep('x', 100000000)} 0}
        assert_error_like "*not enough memory*" {r eval {local t = {} for i = 1, 1e9 do t[i] = i end} 0}
        assert_error_like "*not enough memory*" {r eval {local s = 'x' while true do s = s .. s end} 0}
        assert_equal 1 [r eval {return 1} 0]
        # The code of a library is no way around it.
        foreach body {{('x'):rep(100000000)} {local s = 'x' while true do s = s .. s end}} {
            assert_error_like "ERR Error registering functions:*not enough memory*" {
                r function load "#!lua name=greedy\nredis.register_function('g', function() end); $body"
            }
        }
        r config set redust-script-memory-limit 0
        assert_equal 20000000 [r eval {return #string.rep('x', 20000000)} 0]
    }
}

start_server {tags {scripting} overrides {busy-reply-threshold 20 appendonly yes}} {
    test "a script that runs for long: others get BUSY, and it can be ended" {
        foreach {start kill name} {
            {eval {while true do end} 0} {script kill} SCRIPT
            {eval {while true do pcall(redis.call, 'ping') end} 0} {script kill} SCRIPT
            {fcall spin 0} {function kill} FUNCTION
        } {
            r function load replace "#!lua name=l\nredis.register_function('spin', function() while true do end end)"
            set c [redis_client]
            $c send {*}$start
            wait_for_condition {[catch {r get a}] == 1}
            assert_error_like "BUSY*$name KILL*" {r get a}
            assert_error_like "BUSY*" {r set a 1}
            if {$name eq "SCRIPT"} { assert_error_like "BUSY*SCRIPT KILL*" {r function kill}
            } else {
                assert_error_like "BUSY*FUNCTION KILL*" {r script kill}
                set stats [r function stats]
                assert_equal spin [dict get [dict get $stats running_script] name]
                assert_equal {fcall spin 0} [dict get [dict get $stats running_script] command]
            }
            assert_error_like "BUSY*" {r shutdown}
            # Somebody new is let in meanwhile.
            set d [redis_client]
            assert_error_like "BUSY*" {$d ping}
            $d close
            assert_equal OK [r {*}$kill]
            assert_error_like "*Script killed by user*" {$c read}
            assert_equal PONG [r ping]
            $c close
        }
        assert_error "NOTBUSY No scripts in execution right now." {r script kill}
        assert_error "NOTBUSY No scripts in execution right now." {r function kill}
    }

    test "a coroutine that began while there was no threshold can be ended too" {
        r config set busy-reply-threshold 0
        r function load replace {#!lua name=l
            local c
            redis.register_function('begin', function()
                c = coroutine.create(function() coroutine.yield(1) while true do end end)
                return {coroutine.resume(c)}
            end)
            redis.register_function('go_on', function() return {coroutine.resume(c)} end)
        }
        assert_equal {1 1} [r fcall begin 0]
        r config set busy-reply-threshold 20
        set c [redis_client]
        $c send fcall go_on 0
        wait_for_condition {[catch {r get a}] == 1}
        assert_equal OK [r function kill]
        # The coroutine ends with the error, which is a result of `resume`.
        assert_match "*Script killed by user*" [$c read]
        assert_equal PONG [r ping]
        $c close
    }

    test "what its own client sends meanwhile comes after it, and so does its end" {
        foreach last {{ping} {subscribe ch}} {
            set c [redis_client]
            $c send eval {while true do end} 0
            wait_for_condition {[catch {r get a}] == 1}
            $c send {*}$last
            after 50
            assert_error_like "BUSY*" {r ping}
            assert_equal OK [r script kill]
            assert_error_like "*Script killed by user*" {$c read}
            assert_equal [dict get {ping PONG subscribe {subscribe ch 1}} [lindex $last 0]] [$c read]
            $c close
        }
        r del later
        set c [redis_client]
        $c send eval {while true do end} 0
        wait_for_condition {[catch {r get a}] == 1}
        $c send set later 1
        $c close
        after 50
        assert_equal OK [r script kill]
        wait_for_condition {[r get later] eq 1}
    }

    test "a shutdown within a script ends the transaction around it and what its client has sent" {
        r del tx ty tz later
        r set before 1
        set c [redis_client]
        $c multi
        $c set tx 1
        $c eval {redis.call('set', 'ty', 1) while true do end} 0
        $c set tz 1
        $c write "EXEC\r\nSET later 1\r\n"
        $c flush
        wait_for_condition {[catch {r get a}] == 1}
        catch {r shutdown nosave}
        await_exit
        assert_equal 1 [$c at_eof]
        $c close
        restart_server
        assert_equal {1 {} {} {} {}} [r mget before tx ty tz later]
    }

    test "one that has written can't be ended but with the server, and nothing of it is kept" {
        r set a before
        set c [redis_client]
        $c send eval {redis.call('set', 'a', 'half') while true do end} 0
        wait_for_condition {[catch {r get a}] == 1}
        assert_error_like "UNKILLABLE*" {r script kill}
        catch {r shutdown nosave}
        await_exit
        $c close
        restart_server
        assert_equal before [r get a]
    }
}

start_server {tags {scripting}} {
    test "FUNCTION LOAD, LIST, DELETE, FLUSH and their errors" {
        assert_equal l1 [r function load "#!lua name=l1\nredis.register_function('f1', function(k, a) return {k, a} end)"]
        assert_equal {{k1 k2} a1} [r fcall f1 2 k1 k2 a1]
        assert_equal {{} x} [r fcall F1 0 x]
        assert_error "ERR Library 'l1' already exists" {r function load "#!lua name=l1\nredis.register_function('f1', function() end)"}
        assert_error "ERR Function f1 already exists" {r function load "#!lua name=l2\nredis.register_function('f1', function() end)"}
        assert_equal l1 [r function load replace "#!lua name=l1\nredis.register_function{function_name='f2', callback=function() return 2 end, flags={'no-writes'}, description='two'}"]
        assert_error "ERR Function not found" {r fcall f1 0}
        assert_equal 2 [r fcall_ro f2 0]
        set library [lindex [r function list] 0]
        assert_equal {library_name l1 engine LUA functions {{name f2 description two flags no-writes}}} $library
        assert_equal 4 [expr {[llength [lindex [r function list libraryname l* withcode] 0]] / 2}]
        assert_equal {} [r function list libraryname x*]
        foreach {code why} {
            "return 1" "Missing library metadata"
            "#!lua name=x" "Invalid library metadata"
            "#!lua\nx" "Library name was not given"
            "#!js name=x\nx" "Engine 'js' not found"
            "#!lua name=a.b\nx" "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long"
            "#!lua name=x\nreturn 1" "No functions registered"
            "#!lua name=x\nredis.register_function('f', 1)" "Error registering functions: ERR second argument to redis.register_function must be a function"
            "#!lua name=x\nredis.register_function{function_name='f'}" "Error registering functions: ERR redis.register_function must get a callback argument"
        } {
            assert_error_like "ERR *$why*" {r function load $code}
        }
        assert_error_like "ERR Error compiling function: user_function:2:*" {r function load "#!lua name=x\n x x"}
        assert_error_like "ERR Error registering functions:*nonexistent global variable 'call'*" {r function load "#!lua name=x\nredis.call('ping')"}
        assert_error "ERR Library not found" {r function delete nosuch}
        assert_equal OK [r function delete l1]
        assert_error "ERR Function not found" {r fcall f2 0}
        assert_equal OK [r function flush]
    }

    test "libraries survive DUMP and RESTORE, a snapshot, and the append-only file" {
        r function flush
        r function load "#!lua name=l1\nredis.register_function('f1', function() return 1 end)"
        set payload [r function dump]
        assert_error "ERR Library l1 already exists" {r function restore $payload}
        assert_equal OK [r function restore $payload replace]
        r function flush
        r function load "#!lua name=l2\nredis.register_function('f1', function() return 2 end)"
        assert_error "ERR Function f1 already exists" {r function restore $payload}
        assert_equal 2 [r fcall f1 0]
        assert_equal OK [r function restore $payload flush]
        assert_equal 1 [r fcall f1 0]
        assert_error "ERR DUMP payload version or checksum are wrong" {r function restore [string range $payload 1 end]}
        r debug reload
        assert_equal 1 [r fcall f1 0]
        # What comes by RESTORE has half a second as well, and no function twice.
        set endless "#!lua name=endless\nwhile true do end"
        assert_error_like "ERR Error registering functions:*FUNCTION LOAD timeout*" {r function restore [payload $endless]}
        foreach name {same SAME} policy {append flush} {
            set one "#!lua name=one\nredis.register_function('same', function() end)"
            set two "#!lua name=two\nredis.register_function('$name', function() end)"
            assert_error "ERR Function $name already exists" {r function restore [payload $one $two] $policy}
            assert_equal 1 [llength [r function list]]
        }
        assert_error "ERR Failed loading library payload" {r function restore [sealed "\xf5\x05abc"]}
        assert_equal 1 [r fcall f1 0]
        r config set appendonly yes
        wait_for_condition {[s aof_rewrite_in_progress] == 0 && [s aof_rewrite_scheduled] == 0}
        r function load "#!lua name=l3\nredis.register_function('f3', function(k) return redis.call('incr', k\[1\]) end)"
        r fcall f3 1 n
        r debug loadaof
        assert_equal {1 2} [list [r fcall f1 0] [r fcall f3 1 n]]
        assert_equal 2 [s number_of_libraries]
        r config rewrite
    }
}
