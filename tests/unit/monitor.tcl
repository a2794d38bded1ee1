# MONITOR: every command once, with its client and its arguments, without secrets.

start_server {tags {monitor}} {
    test "commands are shown with time, database and address" {
        set m [redis_client]
        assert_equal OK [$m monitor]
        r select 3
        r set k "a\x00\"b"
        r select 0
        # SELECT is shown in the database that it leads to.
        assert_match {[0-9]*.?????? \[3 127.0.0.1:*\] "select" "3"} [$m read]
        assert_match {*\[3 127.0.0.1:*\] "set" "k" "a\\x00\\"b"} [$m read]
        assert_match {*\[0 127.0.0.1:*\] "select" "0"} [$m read]
        r multi
        r select 2
        r exec
        $m read
        assert_match {*\[2 127.0.0.1:*\] "select" "2"} [$m read]
        assert_match {*\[2 127.0.0.1:*\] "exec"} [$m read]
        r reset
        assert_match {*\[0 127.0.0.1:*\] "reset"} [$m read]
        assert_match "*flags=O*" [r client list]
        $m close
    }

    test "administration is not shown, secrets are hidden, EXEC comes last" {
        set m [redis_client]
        $m monitor
        r config set maxmemory 0
        catch {r auth secret}
        r multi
        r incr n
        r exec
        assert_match {* "auth" "(redacted)"} [$m read]
        assert_match {* "multi"} [$m read]
        assert_match {* "incr" "n"} [$m read]
        assert_match {* "exec"} [$m read]
        $m close
    }

    test "RESET ends it" {
        set m [redis_client]
        $m monitor
        assert_equal RESET [$m reset]
        r ping
        assert_equal PONG [$m ping]
        $m close
    }

    test "who watches cannot use the keyspace, and watching again has no reply" {
        set m [redis_client]
        $m monitor
        foreach command {{get k} {set k v} {publish c m} {pfcount k} {scan 0} {object encoding k}} {
            assert_error "ERR Replica can't interact with the keyspace" {$m {*}$command}
        }
        assert_equal PONG [$m ping]
        assert_match {* "ping"} [$m read]
        assert_equal RESET [$m reset]
        assert_equal {} [$m get k]
        $m close
    }

    test "an EXEC that is refused is shown, and so is AUTH with too many arguments" {
        set m [redis_client]
        $m monitor
        catch {r exec x}
        assert_match {* "exec" "x"} [$m read]
        catch {r auth a b c}
        assert_match {* "auth" "a" "b" "c"} [$m read]
        $m close
    }
}
