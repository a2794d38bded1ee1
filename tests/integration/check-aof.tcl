# The tools for files: append-only ones that are broken, and snapshots in other versions.

set set_command "*3\r\n\$3\r\nSET\r\n\$1\r\nk\r\n\$1\r\nv\r\n"

start_server {tags {aof}} {
    set aof_tool [server_as [expr {[is_redust] ? "redust-check-aof" : "redis-check-aof"}]]
    set path [srv dir]/some.aof

    test "a broken append-only file is cut when the user says yes" {
        write_file $path $set_command[string range $set_command 0 end-3]
        assert_equal 1 [catch {exec $aof_tool $path} out]
        assert_match "*ok_up_to=27,*diff=24*is not valid. Use the --fix option*" $out
        assert_equal 1 [catch {exec $aof_tool --fix $path << "n\n"} out]
        assert_match "*Continue? *Aborting...*" $out
        assert_equal 51 [file size $path]
        assert_match "*Successfully truncated AOF*" [exec $aof_tool --fix $path << "y\n"]
        assert_equal 27 [file size $path]
        assert_match "*is valid" [exec $aof_tool $path]
        file delete $path
    }

    test "a hostile length takes neither memory nor the tool" {
        need [is_redust] "redis-check-aof ends for lack of memory"
        write_file $path "*1\r\n\$9000000000000000000\r\nabc"
        assert_equal 1 [catch {exec $aof_tool $path} out]
        assert_match "*Expected to read 9000000000000000002 bytes, got 3 bytes*" $out
        file delete $path
    }

    test "redust-check-rdb --convert writes other versions" {
        need [is_redust] "redis-check-rdb does not convert"
        set rdb_tool [server_as redust-check-rdb]
        populate 50 k
        r save
        set new [srv dir]/converted
        foreach {version magic} {9 REDIS0009 10 REDIS0010 11 REDIS0011 12 REDIS0012 80 VALKEY080} {
            assert_match "50 keys converted*" [exec $rdb_tool --convert $version [srv dir]/dump.rdb $new]
            assert_equal $magic [string range [read_file $new] 0 8]
        }
        assert_equal 1 [catch {exec $rdb_tool --convert 8 [srv dir]/dump.rdb $new 2>@1}]
        file delete $new
    }
}
