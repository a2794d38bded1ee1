# The forms of log lines that Valkey 8.1 and later have: log-format and log-timestamp-format.

proc lines_with {text mark} {
    lmap line [split [string trim [log_since $mark]] \n] { expr {[string match *$text* $line] ? $line : [continue]} }
}

start_server {tags {logging dialects} overrides {log-format logfmt log-timestamp-format iso8601}} {
    need {[is_redust]} "a dialect of Valkey"
    set stamp {\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d}

    test "logfmt with times of ISO 8601 from the start on" {
        set line [lindex [lines_with "Ready to accept" 0] 0]
        assert {[regexp "^pid=[srv pid] role=primary timestamp=\"$stamp\" level=notice message=\"Ready to accept connections tcp\"$" $line]} $line
    }

    test "a line of logfmt stays one line" {
        set mark [log_mark]
        r debug log "says \"one\"\r\ntwo"
        assert_match "*level=warning message=\"DEBUG LOG: says 'one'  two\"" [lindex [lines_with says $mark] 0]
    }

    test "JSON, and milliseconds, at run time" {
        r config set log-format json log-timestamp-format milliseconds
        set mark [log_mark]
        r debug log "says \"one\"\n\\two"
        set line [lindex [lines_with says $mark] 0]
        assert {[regexp {^\{"pid":\d+,"role":"primary","timestamp":"\d{13}","level":"warning","message":"DEBUG LOG: says \\"one\\"\\n\\\\two"\}$} $line]} $line
    }

    test "a child has a role of its own" {
        r config set log-format logfmt
        set mark [log_mark]
        r bgsave
        wait_for_condition {[s rdb_bgsave_in_progress] == 0}
        assert_match {*role=RDB/AOF*} [lindex [lines_with "DB saved on disk" $mark] 0]
    }

    test "and back" {
        r config set log-format legacy log-timestamp-format legacy
        set mark [log_mark]
        r debug log back
        assert {[regexp {^\d+:M \d\d [A-Z][a-z][a-z] \d{4} \d\d:\d\d:\d\d\.\d{3} # DEBUG LOG: back$} [lindex [lines_with back $mark] 0]]}
        assert_error_like "*" {r config set log-format xml}
        assert_error_like "*" {r config set log-timestamp-format never}
    }
}
