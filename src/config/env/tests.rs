//! Environment variables: their forms, their rank, their errors.

use super::*;
use crate::config::file::{Input, load};

fn try_apply(variables: &[(&str, &str)]) -> Result<Config, String> {
    let mut config = Config::default();
    let lookup = |name: &str| {
        variables
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.as_bytes().to_vec())
    };
    apply(&mut config, lookup).map_err(|error| error.reason)?;
    Ok(config)
}

fn set(variable: &str, value: &str) -> Config {
    try_apply(&[(variable, value)]).expect("valid")
}

#[test]
fn addresses() {
    let net = set("REDUST_ADDR", "127.0.0.1:7000").net;
    assert_eq!((net.bind, net.port), (vec![b"127.0.0.1".to_vec()], 7000));
    let net = set("REDUST_ADDR", "[::1]:7000").net;
    assert_eq!((net.bind, net.port), (vec![b"::1".to_vec()], 7000));
    let net = set("REDUST_ADDR", ":7000").net;
    assert_eq!((net.bind, net.port), (Config::default().net.bind, 7000));
    let net = set("REDUST_ADDR", "unix:/run/r.sock").net;
    assert_eq!((net.unix_socket, net.port), (b"/run/r.sock".to_vec(), 0));
    let metrics = set("REDUST_METRICS_ADDR", "0.0.0.0:9121").metrics;
    assert_eq!((metrics.bind, metrics.port), (vec![b"0.0.0.0".to_vec()], 9121));
    let metrics = set("REDUST_METRICS_ADDR", ":9121").metrics;
    assert_eq!((metrics.bind, metrics.port), (Config::default().metrics.bind, 9121));
}

#[test]
fn the_others() {
    let config = set("REDUST_RDB_PATH", "/tmp/x.rdb");
    assert_eq!(
        (config.process.dir, config.snapshot.file_name),
        (b"/tmp".to_vec(), b"x.rdb".to_vec())
    );
    assert_eq!(set("REDUST_RDB_PATH", "/x.rdb").process.dir, b"/");
    let config = set("REDUST_RDB_PATH", "x.rdb");
    assert_eq!((config.process.dir, config.snapshot.file_name), (Vec::new(), b"x.rdb".to_vec()));
    let point = SavePoint { seconds: 30, changes: 1 };
    assert_eq!(set("REDUST_RDB_AUTO_SAVE_SECS", "30").snapshot.save_points, [point]);
    assert_eq!(set("REDUST_RDB_AUTO_SAVE_SECS", "0").snapshot.save_points, []);
    assert_eq!(set("REDUST_MAXMEMORY_BYTES", "2mb").memory.max_memory, 2 << 20);
    assert_eq!(set("REDUST_AUTH_PASSWORD", "pw").acl.require_pass, b"pw");
    assert_eq!(set("REDUST_ADDR", ""), Config::default());
}

#[test]
fn errors_name_the_variable() {
    for (variable, value) in [
        ("REDUST_ADDR", "127.0.0.1"),
        ("REDUST_ADDR", "::1:7000"),
        ("REDUST_ADDR", "[::1]7000"),
        ("REDUST_ADDR", "host:70000"),
        ("REDUST_ADDR", "unix:relative"),
        ("REDUST_METRICS_ADDR", "9121"),
        ("REDUST_METRICS_ADDR", "unix:/run/m.sock"),
        ("REDUST_RDB_PATH", "/no/such/directory/x.rdb"),
        ("REDUST_RDB_PATH", "/tmp/"),
        ("REDUST_RDB_AUTO_SAVE_SECS", "-1"),
        ("REDUST_RDB_AUTO_SAVE_SECS", "1m"),
        ("REDUST_MAXMEMORY_BYTES", "lots"),
    ] {
        let reason = try_apply(&[(variable, value)]).expect_err(value);
        let start = format!("Invalid environment variable {variable}='{value}': must be ");
        assert!(reason.starts_with(&start), "{reason}");
    }
}

#[test]
fn file_and_options_outrank_the_environment() {
    let base = || {
        try_apply(&[("REDUST_ADDR", "1.2.3.4:1"), ("REDUST_RDB_AUTO_SAVE_SECS", "9")])
            .expect("valid")
    };
    let config = load(Input { base: base(), ..Input::default() }).expect("valid").config;
    assert_eq!((config.net.port, config.snapshot.save_points.len()), (1, 1));
    let stdin = Some(&b"port 2\nsave 1 1\nsave 2 2"[..]);
    let config = load(Input { base: base(), stdin, ..Input::default() }).expect("valid").config;
    assert_eq!((config.net.port, config.snapshot.save_points.len()), (2, 2));
    let input = Input { base: base(), stdin, options: b"port 3", ..Input::default() };
    assert_eq!(load(input).expect("valid").config.net.port, 3);
}
