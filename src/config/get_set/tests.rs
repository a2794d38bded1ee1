//! CONFIG GET and SET: selection, error texts word for word, all or nothing.

use super::*;

fn names(config: &Config, patterns: &[&str]) -> Vec<String> {
    let patterns: Vec<&[u8]> = patterns.iter().map(|p| p.as_bytes()).collect();
    let found = get(config, &patterns);
    found.into_iter().map(|(name, _)| String::from_utf8(name).expect("text")).collect()
}

fn show(config: &Config, name: &str) -> String {
    String::from_utf8(get(config, &[name.as_bytes()]).remove(0).1).expect("text")
}

fn try_set(config: &mut Config, words: &[&str]) -> Result<Changed, SetError> {
    let pairs: Vec<_> = words.chunks(2).map(|p| (p[0].as_bytes(), p[1].as_bytes())).collect();
    set(config, &pairs, Rights::default())
}

fn refusal(words: &[&str]) -> String {
    let mut config = Config::default();
    let error = try_set(&mut config, words).expect_err("refused");
    assert_eq!(config, Config::default(), "{words:?} changed something");
    error.to_string()
}

fn accepted(name: &str, value: &str) -> String {
    let mut config = Config::default();
    try_set(&mut config, &[name, value]).unwrap_or_else(|error| panic!("{error}"));
    show(&config, name)
}

#[test]
fn get_by_name_and_by_pattern() {
    let config = Config::default();
    assert_eq!(names(&config, &["port"]), ["port"]);
    assert_eq!(names(&config, &["no-such"]), [""; 0]);
    assert_eq!(names(&config, &["MaxMemory", "maxmemory"]), ["MaxMemory"]);
    assert_eq!(names(&config, &["*lazy-flush"]), ["replica-lazy-flush", "slave-lazy-flush"]);
    assert_eq!(names(&config, &["slave-lazy-flush"]), ["slave-lazy-flush"]);
    let some = names(&config, &["maxmemory", "maxmemory*", "*of", "bind"]);
    for name in ["maxmemory-clients", "replicaof", "slaveof", "bind"] {
        assert_eq!(some.iter().filter(|n| *n == name).count(), 1, "{name}");
    }
    assert_eq!(some.iter().filter(|n| *n == "maxmemory").count(), 1);
}

#[test]
fn hidden_directives_need_their_exact_name() {
    let config = Config::default();
    assert!(!names(&config, &["*"]).contains(&"key-load-delay".to_owned()));
    assert!(names(&config, &["key-load-dela?"]).is_empty());
    assert_eq!(names(&config, &["key-load-delay"]), ["key-load-delay"]);
    assert_eq!(names(&config, &["primaryauth"]), ["primaryauth"]);
    assert!(!names(&config, &["*"]).contains(&"primaryauth".to_owned()));
}

#[test]
fn values_print_as_redis_prints_them() {
    for (name, value, shown) in [
        ("maxmemory", "700mb", "734003200"),
        ("maxmemory", "", "0"),
        ("maxmemory", "18446744073709551615", "18446744073709551615"),
        ("maxmemory-clients", "50%", "50%"),
        ("maxmemory-clients", "1kb", "1024"),
        ("maxmemory-policy", "ALLKEYS-LRU", "allkeys-lru"),
        ("save", "", ""),
        ("save", "3600 1 300 100", "3600 1 300 100"),
        ("oom-score-adj", "relative", "yes"),
        ("shutdown-on-sigint", "now default save", "save now"),
        ("shutdown-on-sigterm", "nosave force now", "nosave now force"),
        ("latency-tracking-info-percentiles", "50 50.123456789", "50 50.123457"),
        ("latency-tracking-info-percentiles", "", ""),
        ("latency-tracking-info-percentiles", "0.0 100.0", "0 100"),
        ("notify-keyspace-events", "KEA", "AKE"),
        ("notify-keyspace-events", "mEnKtlg", "gltnKEm"),
        ("notify-keyspace-events", "g$lshzxetd", "A"),
        ("notify-keyspace-events", "AnK", "AK"),
        ("bind", "", ""),
        ("bind", "127.0.0.1 -::1", "127.0.0.1 -::1"),
        (
            "client-output-buffer-limit",
            "replica 1mb 1k 30",
            "normal 0 0 0 slave 1048576 1000 30 pubsub 33554432 8388608 60",
        ),
        ("hz", "1000", "500"),
        ("hz", "0", "1"),
        ("requirepass", "secret", "secret"),
        ("rdb-target-version", "11", "11"),
    ] {
        assert_eq!(accepted(name, value), shown, "{name} {value}");
    }
}

#[test]
fn refusals_word_for_word() {
    let failed = |name: &str, reason: &str| {
        format!("CONFIG SET failed (possibly related to argument '{name}') - {reason}")
    };
    for (name, value, reason) in [
        ("appendonly", "maybe", "argument must be 'yes' or 'no'"),
        ("timeout", "x", "argument couldn't be parsed into an integer"),
        ("timeout", "01", "argument couldn't be parsed into an integer"),
        ("timeout", "-1", "argument must be between 0 and 2147483647 inclusive"),
        ("maxclients", "4294967296", "argument must be between 1 and 4294967295 inclusive"),
        ("maxmemory", "12q", "argument must be a memory value"),
        ("maxmemory-clients", "x", "argument must be a memory or percent value"),
        ("maxmemory-clients", "200%", "percentage argument must be less or equal to 100"),
        (
            "proto-max-bulk-len",
            "1",
            "argument must be between 1048576 and 9223372036854775807 inclusive",
        ),
        (
            "repl-diskless-load",
            "x",
            "argument(s) must be one of the following: disabled, on-empty-db, swapdb",
        ),
        (
            "shutdown-on-sigint",
            "",
            "argument(s) must be one of the following: default, save, nosave, now, force",
        ),
        (
            "shutdown-on-sigint",
            "save nosave",
            "shutdown options SAVE and NOSAVE can't be used simultaneously",
        ),
        ("save", "1", "Invalid save parameters"),
        ("save", "0 1", "Invalid save parameters"),
        ("save", "1 -1", "Invalid save parameters"),
        ("save", " 1 1", "Invalid save parameters"),
        (
            "client-output-buffer-limit",
            "wrong number",
            "Wrong number of arguments in buffer limit configuration.",
        ),
        (
            "client-output-buffer-limit",
            "master 1 1 1",
            "Invalid client class specified in buffer limit configuration.",
        ),
        (
            "client-output-buffer-limit",
            "normal 1 1 -1",
            "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
        ),
        ("oom-score-adj-values", "1 2", "wrong number of arguments"),
        (
            "oom-score-adj-values",
            "1 2 2001",
            "Invalid oom-score-adj-values, elements must be between -2000 and 2000.",
        ),
        ("notify-keyspace-events", "q", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."),
        (
            "latency-tracking-info-percentiles",
            "a",
            "Invalid latency-tracking-info-percentiles parameters",
        ),
        (
            "latency-tracking-info-percentiles",
            "101",
            "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
        ),
        (
            "proc-title-template",
            "{nope}",
            "template format is invalid or contains unknown variables",
        ),
        (
            "proc-title-template",
            "{title",
            "template format is invalid or contains unknown variables",
        ),
        (
            "cluster-announce-hostname",
            "a_b",
            "Hostnames may only contain alphanumeric characters, hyphens or dots",
        ),
        (
            "cluster-announce-human-nodename",
            "a b!",
            "Announced human node name contained invalid character",
        ),
        ("daemonize", "yes", "can't set immutable config"),
        ("dbfilename", "x.rdb", "can't set protected config"),
        ("slave-priority", "x", "argument couldn't be parsed into an integer"),
    ] {
        assert_eq!(refusal(&[name, value]), failed(name, reason), "{value}");
    }
    assert_eq!(
        refusal(&["TIMEOUT", "x"]),
        failed("timeout", "argument couldn't be parsed into an integer")
    );
    assert_eq!(
        refusal(&["timeout", "1", "Timeout", "2"]),
        failed("Timeout", "duplicate parameter")
    );
    assert_eq!(
        refusal(&["timeout", "1", "nope", "2"]),
        "Unknown option or number of arguments for CONFIG SET - 'nope'"
    );
}

#[test]
fn set_is_all_or_nothing() {
    let mut config = Config::default();
    try_set(&mut config, &["maxmemory", "10000002"]).expect("valid");
    let before = config.clone();
    let words = ["maxmemory", "10000001", "maxmemory-clients", "200%", "timeout", "x"];
    let error = try_set(&mut config, &words).expect_err("refused");
    assert!(error.to_string().contains("percentage argument must be less or equal to 100"));
    assert_eq!(config, before);
}

#[test]
fn changed_rows_and_undo() {
    let mut config = Config::default();
    let words = ["slave-priority", "7", "timeout", "0", "tls-cert-file", "", "save", "1 1"];
    let changed = try_set(&mut config, &words).expect("valid");
    let names: Vec<&str> = changed.rows.iter().map(|named| named.name).collect();
    // An unchanged value is no change, unless it names a file that may have changed.
    assert_eq!(names, ["slave-priority", "tls-cert-file", "save"]);
    assert_eq!((config.repl.priority, changed.undo.before().repl.priority), (7, 100));
    changed.undo.restore(&mut config);
    assert_eq!(config, Config::default());
}

#[test]
fn rights() {
    let mut config = Config::default();
    let dir = [(&b"dir"[..], &b"/tmp"[..])];
    let all = Rights { protected: true, loading: false };
    assert!(set(&mut config, &dir, all).is_ok());
    let loading = Rights { protected: true, loading: true };
    assert_eq!(set(&mut config, &dir, loading).expect_err("loading"), SetError::Loading);
    let missing = [(&b"dir"[..], &b"/no/such/place"[..])];
    assert_eq!(
        set(&mut config, &missing, all).expect_err("missing").to_string(),
        "CONFIG SET failed (possibly related to argument 'dir') - No such file or directory"
    );
    assert_eq!(config.process.dir, b"/tmp");
}

#[test]
fn warnings_are_passed_on() {
    let mut config = Config::default();
    let changed = try_set(&mut config, &["oom-score-adj-values", "3 2 1"]).expect("valid");
    assert_eq!(changed.warnings.len(), 1);
    assert_eq!(config.process.oom_score_adj_values, [3, 2, 1]);
}

#[test]
fn secrets() {
    for name in ["requirepass", "MasterAuth", "masteruser", "primaryauth"] {
        assert!(is_sensitive(name.as_bytes()), "{name}");
    }
    assert!(!is_sensitive(b"port") && !is_sensitive(b"nope"));
}
