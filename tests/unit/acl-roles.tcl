# Roles, as Valkey 9.2 has them: rights with a name that users share. Who has none sees none of it.

proc line_of {kind name} {
    return [lsearch -inline [r acl list] "$kind $name *"]
}

proc role_field {name field} {
    return [dict get [r acl getrole $name] $field]
}

start_server {tags {acl} overrides {audit-log audit.log}} {
    test "a server without roles looks as Redis 7.2" {
        assert_equal {} [r acl roles]
        r acl setuser plain on nopass ~* +@all
        assert_equal {flags passwords commands keys channels selectors} [dict keys [r acl getuser plain]]
        assert_no_match "*role*" [string tolower [r acl list]]
        assert_no_match "*ROLE*" [r acl help]
        r config rewrite
        assert_no_match "*\nrole *" [read_file [srv conf]]
    }

    test "SETROLE makes a role and changes it; GETROLE, ROLES, LIST and HELP show it" {
        assert_equal OK [r acl setrole reader ~app:* +@read (+info)]
        assert_equal OK [r acl setrole empty]
        assert_equal {empty reader} [r acl roles]
        assert_equal {commands keys channels databases selectors users} [dict keys [r acl getrole reader]]
        assert_equal {{commands {-@all +info} keys {} channels {} databases alldbs}} [role_field reader selectors]
        foreach {field text} {commands {-@all +@read} keys ~app:* channels {} databases alldbs users {}} {
            assert_equal $text [role_field reader $field]
        }
        assert_equal "-@all" [role_field empty commands]
        assert_equal "role empty resetchannels -@all" [lindex [r acl list] 0]
        assert_equal "role reader ~app:* resetchannels -@all +@read (resetchannels -@all +info)" [lindex [r acl list] 1]
        r acl setrole reader clearselectors +ping &news db=0,1
        assert_equal "role reader ~app:* resetchannels &news db=0,1 -@all +@read +ping" [line_of role reader]
        assert_equal db=0,1 [role_field reader databases]
        r acl setrole reader resetchannels alldbs
        assert_equal {} [r acl getrole nobody]
        assert_match "*SETROLE <rolename>*" [r acl help]
        assert_error_like "*wrong number of arguments*" {r acl setrole}
        assert_error_like "*wrong number of arguments*" {r acl getrole}
        assert_error_like "*wrong number of arguments*" {r acl delrole}
        assert_error_like "*wrong number of arguments*" {r acl roles x}
    }

    test "names of roles" {
        foreach {name why} {
            "" "Role names can't be empty"
            {a b} "Role names must be made of printable ASCII characters without spaces"
            "\u00e9" "Role names must be made of printable ASCII characters without spaces"
            "a,b" "Role names can't contain commas"
            {a"b} "Role names can't contain quotes or backslashes"
            {a'b} "Role names can't contain quotes or backslashes"
            {a\b} "Role names can't contain quotes or backslashes"
        } {
            assert_error "ERR $why" {r acl setrole $name +get}
        }
        foreach name {get read a=b app.read-only x:y (p) Reader} { assert_equal OK [r acl setrole $name +get] }
        r acl setuser names role=a=b,(p),get,Reader
        assert_equal {a=b (p) get Reader} [dict get [r acl getuser names] roles]
        r acl deluser names
        assert_equal 7 [r acl delrole get read a=b app.read-only x:y (p) Reader]
    }

    test "all rules or none, and no rules about users" {
        set before [r acl getrole reader]
        foreach rule {on OFF nopass resetpass reset resetroles sanitize-payload skip-sanitize-payload >pw <pw #x !x role=empty ROLE=empty} {
            assert_error "ERR Error in ACL SETROLE modifier '$rule': The rule is about users, roles can't have it" \
                {r acl setrole reader +set $rule}
        }
        assert_error "ERR Error in ACL SETROLE modifier '+nothing': Unknown command or category name in ACL" \
            {r acl setrole reader +set +nothing}
        assert_error "ERR Error in ACL SETROLE modifier '(role=empty)': Syntax error" {r acl setrole reader (role=empty)}
        assert_error "ERR Unmatched parenthesis in acl selector starting at '(+get'." {r acl setrole reader (+get ~x}
        assert_equal $before [r acl getrole reader]
        assert_error_like "*Syntax error*" {r acl setrole fresh +get x}
        assert_equal {empty reader} [r acl roles]
    }

    test "users take roles with role=, which replaces those before, and drop them with resetroles" {
        r acl setrole writer ~app:* +@write +@transaction
        assert_equal OK [r acl setuser alice on >pw role=reader]
        r acl setuser alice role=writer,reader,writer
        assert_equal {writer reader} [dict get [r acl getuser alice] roles]
        assert_equal {flags passwords commands keys channels selectors roles} [dict keys [r acl getuser alice]]
        assert_match "user alice on sanitize-payload #* resetchannels -@all role=writer,reader" [line_of user alice]
        assert_equal alice [role_field reader users]
        assert_error "ERR Error in ACL SETUSER modifier 'role=reader,gone': The role does not exist" \
            {r acl setuser alice resetroles role=reader,gone}
        foreach rule {role= role=, role=,reader role=reader, role=reader,,writer (role=reader)} {
            assert_error "ERR Error in ACL SETUSER modifier '$rule': Syntax error" {r acl setuser alice $rule}
        }
        assert_equal {writer reader} [dict get [r acl getuser alice] roles]
        r acl setuser alice ROLE=reader
        assert_equal reader [dict get [r acl getuser alice] roles]
        r acl setuser alice resetroles
        assert {![dict exists [r acl getuser alice] roles]}
        r acl setuser alice role=reader
        r acl setuser alice reset
        assert_equal "user alice off sanitize-payload resetchannels -@all" [line_of user alice]
    }

    test "a user may do what its own rules or one of its roles allow, and a role can't be restricted" {
        r acl setuser alice on >pw role=reader,writer ~own +get -set
        assert_equal OK [r acl dryrun alice set app:1 v]
        assert_equal OK [r acl dryrun alice mget app:1 app:2]
        assert_equal OK [r acl dryrun alice get own]
        assert_equal "User alice has no permissions to access the 'own' key" [r acl dryrun alice set own v]
        # One selector has to allow it all.
        assert_equal "User alice has no permissions to access the 'own' key" [r acl dryrun alice mget app:1 own]
        assert_equal "User alice has no permissions to run the 'config|get' command" [r acl dryrun alice config get x]
        set c [redis_client]
        $c auth alice pw
        assert_equal OK [$c set app:1 v]
        assert_equal {OK v} [list [$c set app:1 v] [$c get app:1]]
        r acl log reset
        assert_error "NOPERM No permissions to access a key" {$c get other}
        set entry [lindex [r acl log] 0]
        assert_equal {key toplevel other alice} [list [dict get $entry reason] [dict get $entry context] \
            [dict get $entry object] [dict get $entry username]]
        $c close
    }

    test "a change of a role holds at once: for commands, queues and scripts" {
        set c [redis_client]
        $c auth alice pw
        $c multi
        $c set app:1 w
        r acl setrole writer resetkeys ~new:*
        assert_match "*no permission to touch the specified keys*" [$c exec]
        assert_error "NOPERM No permissions to access a key" {$c set app:1 v}
        assert_equal OK [$c set new:1 v]
        r acl setrole writer +eval
        assert_error_like "*No permissions to access a key*" {$c eval {return redis.call('set', 'app:1', 1)} 0}
        assert_equal OK [$c eval {return redis.call('set', 'new:1', 1)} 0]
        r acl setuser alice resetroles
        assert_error_like "NOPERM*" {$c set new:1 v}
        $c close
    }

    test "who loses a channel by a role is disconnected, and nobody else" {
        r acl setrole hears +@pubsub &a &b
        r acl setuser both on nopass role=hears
        r acl setuser own on nopass role=hears &a
        set clients {}
        foreach {user channel} {both a both b own a own b} {
            set c [redis_client -deferred]
            $c auth $user x
            assert_equal OK [$c read]
            $c subscribe $channel
            assert_equal "subscribe $channel 1" [$c read]
            lappend clients $c
        }
        r acl setrole hears resetchannels &b
        lassign $clients both_a both_b own_a own_b
        assert_error_like "*" {$both_a read}
        r publish a m
        r publish b m
        foreach {c channel} [list $both_b b $own_a a $own_b b] { assert_equal "message $channel m" [$c read] }
        r acl setuser own resetroles
        assert_error_like "*" {$own_b read}
        r publish a m
        assert_equal "message a m" [$own_a read]
        foreach c $clients { $c close }
        r acl deluser both own
    }

    test "DELROLE removes all or, while somebody has one, none" {
        r acl setuser alice role=reader
        assert_error "ERR Role 'reader' is assigned to one or more users. Remove it from them first." \
            {r acl delrole empty reader}
        assert_equal {empty hears reader writer} [r acl roles]
        assert_equal 2 [r acl delrole empty nobody hears empty]
        r acl setuser default role=writer
        assert_error_like "*is assigned*" {r acl delrole writer}
        r acl setuser default resetroles
        r acl deluser alice
        assert_equal {} [role_field reader users]
        assert_equal 2 [r acl delrole reader writer]
    }

    test "roles and users know nothing of each other's names" {
        r acl setrole same ~* +@all
        assert_error_like "WRONGPASS*" {r auth same x}
        assert_equal {} [r acl getuser same]
        assert_equal {} [r acl getrole default]
        r acl setuser limited on nopass ~* +@all -@admin
        assert_match "*no permissions*" [r acl dryrun limited acl setrole x +get]
        assert_match "*no permissions*" [r acl dryrun limited acl roles]
        r acl delrole same
    }

    test "SORT with BY and GET needs one selector that allows every key; its denial is in the audit log" {
        r rpush list 2 1
        r acl setrole all ~* +@all
        r acl setrole one ~list +@all
        r acl setuser sorts on nopass role=one
        set c [redis_client]
        $c auth sorts x
        r acl log reset
        assert_error "ERR BY option of SORT denied due to insufficient ACL permissions." {$c sort list by w_*}
        assert_error "ERR GET option of SORT denied due to insufficient ACL permissions." {$c sort_ro list get o_*}
        $c multi
        $c sort list by multi_*
        assert_match "*SORT denied*" [$c exec]
        assert_error_like "*SORT denied*" {$c eval {return redis.call('sort', 'list', 'by', 'lua_*')} 0}
        assert_equal {} [r acl log]
        wait_for_condition {[string match "*\"object\":\"lua_\\**" [read_file [srv dir]/audit.log]]}
        set text [read_file [srv dir]/audit.log]
        foreach {command context object} {sort toplevel w_* sort_ro toplevel o_* sort multi multi_* sort lua lua_*} {
            set part "\"command\":\"$command\",\"reason\":\"key\",\"context\":\"$context\",\"object\":\"$object\""
            assert {[string first $part $text] >= 0}
        }
        r acl setuser sorts role=one,all
        assert_equal {2 1} [$c sort list by nosort get #]
        assert_equal {1 2} [lsort [$c sort list by w_*]]
        $c close
    }

    test "the audit log tells of roles, and of no password" {
        catch {r acl setrole audited >s3cret ~x}
        r acl setrole audited ~x +get
        r acl setuser has role=audited resetroles
        r acl delrole audited
        r acl getrole last-of-these
        wait_for_condition {[string match "*last-of-these*" [read_file [srv dir]/audit.log]]}
        set text [read_file [srv dir]/audit.log]
        foreach part {
            {"event":"user","outcome":"error"} {"args":["audited",">(redacted)","~x"]} {"args":["audited","~x","+get"]}
            {"args":["has","role=audited","resetroles"]} {"command":"acl|delrole"} {"command":"acl|getrole"}
        } {
            assert {[string first $part $text] >= 0}
        }
        assert_no_match "*s3cret*" $text
    }

    test "CONFIG REWRITE keeps roles, and a start takes them" {
        r acl setrole app.read-only "~rw:*" +get (+set ~w:*)
        r acl setuser kept on >p role=one,app.read-only
        r config rewrite
        set list [r acl list]
        assert_match "*\nrole app.read-only ~rw:\\* resetchannels -@all +get (~w:\\* resetchannels -@all +set)*" [read_file [srv conf]]
        restart_server
        assert_equal $list [r acl list]
        assert_equal {one app.read-only} [dict get [r acl getuser kept] roles]
        assert_equal OK [r acl dryrun kept get rw:1]
        r acl setuser kept resetroles
        r acl delrole app.read-only
        r config rewrite
        assert_no_match "*app.read-only*" [read_file [srv conf]]
    }
}

start_server {tags {acl} config_lines {{user early on nopass role=late} {role late ~* +get}}} {
    test "lines about roles may stand behind those about users" {
        assert_equal late [r acl roles]
        assert_equal OK [r acl dryrun early get x]
    }
}

set file $::tmpdir/roles.acl
write_file $file "user alice on nopass role=r\nrole r ~a:* +get\nuser default on nopass ~* &* +@all role=r\n"
start_server [list tags {acl} overrides [list aclfile $file]] {
    test "ACL SAVE and LOAD keep roles, which come before users" {
        r acl setrole q +ping
        r acl setuser alice role=q,r
        r acl save
        assert_match "role q resetchannels -@all +ping\nrole r ~a:\\* resetchannels -@all +get\nuser alice *role=q,r\nuser default *role=r\n" \
            [read_file $file]
        set list [r acl list]
        r acl delrole nobody
        r acl setrole q +get
        r acl load
        assert_equal $list [r acl list]
        assert_equal r [dict get [r acl getuser default] roles]
        assert_error_like "*is assigned*" {r acl delrole r}
    }

    test "a file with an error about roles is not taken" {
        set list [r acl list]
        foreach {text why} {
            "role" ":1: the role keyword requires a role name. "
            "role a,b" ":1: invalid role name 'a,b': Role names can't contain commas. "
            "role a +get\nrole a" "WARNING: Duplicate role 'a' found on line 2. "
            "role a >s3cret" ":1: The rule is about users, roles can't have it. "
            "user u role=gone" ":1: Error in applying operation 'role=gone': The role does not exist. "
        } {
            write_file $file $text\n
            assert_error_like "*${why}WARNING: ACL errors detected*" {r acl load}
        }
        assert_equal $list [r acl list]
        write_file $file "user default on nopass ~* &* +@all\n"
        r acl load
        assert_equal {} [r acl roles]
    }
}
