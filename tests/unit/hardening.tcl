# What keeps secrets out of sight and guarded commands out of reach. All of it is as in Redis 7.2, where Redis has it.

set secret s3cr3t-0123456789

proc monitored {script} {
    set m [redis_client -deferred]
    $m monitor
    $m read
    uplevel 1 $script
    r echo end-of-monitored
    set lines {}
    while 1 {
        set line [$m read]
        if {[string match "*end-of-monitored*" $line]} { break }
        lappend lines $line
    }
    $m close
    return $lines
}

start_server {tags {hardening} overrides {slowlog-log-slower-than 0}} {
    # Every way in which a client says a secret, and what is left of it in the slow log; {}: it is not there at all.
    set said {
        {auth %s}                                   {auth (redacted)}
        {auth default %s}                           {auth (redacted) (redacted)}
        {hello 3 auth default %s setname x}         {hello 3 auth (redacted) (redacted) setname x}
        {config set requirepass %s}                 {config set requirepass (redacted)}
        {config set maxmemory 0 masterauth %s}      {config set maxmemory 0 masterauth (redacted)}
        {acl setuser bob on >%s}                    {acl setuser (redacted) (redacted) (redacted)}
        {migrate 127.0.0.1 1 k 0 10 auth %s}        {migrate 127.0.0.1 1 k 0 10 auth (redacted)}
        {migrate 127.0.0.1 1 k 0 10 auth2 u %s}     {migrate 127.0.0.1 1 k 0 10 auth2 (redacted) (redacted)}
    }

    test "the slow log has no secret that a client says" {
        r set k v
        foreach {command shown} $said {
            r slowlog reset
            set c [redis_client]
            catch {$c {*}[format $command $secret]}
            $c close
            r config set requirepass ""
            set found {}
            foreach entry [r slowlog get -1] { lappend found [lindex $entry 3] }
            assert {[lsearch -exact $found $shown] >= 0} "$command: $found"
            assert_no_match "*$secret*" $found
        }
    }

    test "MONITOR shows no secret that a client says" {
        foreach {command shown} $said {
            set lines [monitored {
                set c [redis_client]
                catch {$c {*}[format $command $secret]}
                $c close
                r config set requirepass ""
            }]
            assert_no_match "*$secret*" $lines
        }
        assert_match "*\"auth\" \"(redacted)\"*" [monitored {catch {r auth $secret}}]
    }

    test "ACL LOG and CLIENT LIST have no password of a login that failed" {
        r acl log reset
        set c [redis_client]
        catch {$c auth nobody $secret}
        assert_match "*nobody*" [r acl log]
        assert_no_match "*$secret*" [r acl log]
        assert_no_match "*$secret*" [r client list]
        $c close
    }

    test "INFO and the log have no password" {
        r config set requirepass $secret masterauth $secret
        catch {r auth wrong-$secret}
        r auth $secret
        assert_no_match "*$secret*" [r info everything]
        assert_no_match "*$secret*" [read_file [srv log]]
        r config set requirepass "" masterauth ""
    }

    test "CONFIG REWRITE keeps a file that others can't read as it is" {
        file attributes [srv conf] -permissions 0600
        r config set masterauth $secret
        r config rewrite
        assert_match "*masterauth*$secret*" [read_file [srv conf]]
        assert_match *600 [file attributes [srv conf] -permissions]
        r config set masterauth ""
        r config rewrite
        assert_no_match "*$secret*" [read_file [srv conf]]
    }
}

start_server {tags {hardening}} {
    test "a crash report has neither the passwords of the configuration nor those of commands" {
        r config set requirepass $secret masterauth $secret
        r auth $secret
        catch {r acl setuser bob on >$secret}
        catch {r debug segfault}
        await_exit
        crash_expected
        set text [read_file [srv log]]
        assert_match "*REDIS BUG REPORT START*" $text
        assert_no_match "*$secret*" $text
    }
}

start_server {tags {hardening} overrides {enable-protected-configs no enable-debug-command no enable-module-command no}} {
    test "guarded commands and settings are refused, in transactions and scripts too" {
        assert_error_like "ERR DEBUG command not allowed*enable-debug-command*" {r debug jmap}
        assert_error_like "ERR MODULE command not allowed*enable-module-command*" {r module load /x.so}
        assert_error_like "*can't set protected config*" {r config set dir /tmp}
        assert_error_like "*can't set protected config*" {r config set dbfilename x.rdb}
        assert_error_like "*can't set immutable config*" {r config set enable-debug-command yes}
        r multi
        assert_error_like "ERR DEBUG command not allowed*" {r debug jmap}
        assert_error_like EXECABORT* {r exec}
        assert_error_like "*not allowed*" {r eval {return redis.call('debug', 'jmap')} 0}
        # Whoever may do everything else is no exception.
        assert_equal default [r acl whoami]
    }
}

start_server {tags {hardening} config_lines {{rename-command CONFIG ""} {rename-command AUTH login} {rename-command FLUSHALL wipe-it}}} {
    test "a renamed command is known by its new name alone, and rules still go by the old one" {
        assert_error_like "ERR unknown command 'config'*" {r config get port}
        assert_error_like "ERR unknown command 'flushall'*" {r flushall}
        assert_equal OK [r wipe-it]
        r acl setuser small on nopass ~* +@all -flushall
        set c [redis_client]
        $c login small x
        assert_error_like "NOPERM*'flushall'*" {$c wipe-it}
        assert_error_like "ERR Unknown Redis command*" {r eval {return redis.call('flushall')} 0}
        $c close
    }

    test "a command that is renamed hides its secrets all the same" {
        assert_match "*\"login\" \"(redacted)\" \"(redacted)\"*" [monitored {
            set c [redis_client]
            catch {$c login default $secret}
            $c close
        }]
    }
}
