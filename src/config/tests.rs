//! The table as a whole: names and defaults of redis-server 7.2, and what must hold for every row.

use super::table::{self, HIDDEN, IMMUTABLE, Kind, MULTI, Setting};
use super::{Config, get_set, rewrite};
use crate::config::file::{Input, load};

/// Name, alias, flags and default of every directive of Redis 7.2, separated by tabs.
const REDIS_7_2: &str = include_str!("tests/redis-7.2.tsv");

fn value(config: &Config, name: &str) -> String {
    let found = get_set::get(config, &[name.as_bytes()]);
    String::from_utf8(found.into_iter().next().expect("known").1).expect("text")
}

#[test]
fn has_every_directive_of_redis_with_its_default() {
    let config = Config::default();
    assert_eq!(REDIS_7_2.lines().count(), 185);
    for line in REDIS_7_2.lines() {
        let [name, alias, flags, default] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("four fields: {line}");
        };
        let row = table::find(name.as_bytes()).unwrap_or_else(|| panic!("{name} is known")).row;
        assert_eq!(row.name, name);
        assert_eq!(row.alias.unwrap_or(""), alias, "{name}");
        assert_eq!(row.is(IMMUTABLE), flags.contains('I'), "{name}");
        assert_eq!(row.is(MULTI), flags.contains('*'), "{name}");
        assert_eq!(row.is(HIDDEN), flags.contains('h'), "{name}");
        assert_eq!(row.is(table::PROTECTED), flags.contains('p'), "{name}");
        assert_eq!(row.is(table::DENY_LOADING), flags.contains('L'), "{name}");
        assert_eq!(row.is(table::VOLATILE), flags.contains('v'), "{name}");
        assert!(row.is(table::SENSITIVE) || !flags.contains('s'), "{name}");
        let default = if name == "dir" { "" } else { default };
        assert_eq!(value(&config, name), default, "{name}");
    }
}

/// What a forced rewrite writes must be read by Redis 7.2.
#[test]
fn a_forced_rewrite_has_only_what_redis_knows() {
    // Known there only when it is built for tests of its own.
    let seldom = ["client-default-resp", "req-res-logfile"];
    for row in table::rows() {
        let known = REDIS_7_2.lines().any(|line| line.starts_with(&format!("{}\t", row.name)));
        assert_eq!(row.is(table::UNSURE), !known || seldom.contains(&row.name), "{}", row.name);
    }
    let text = rewrite::rewrite(b"", &Config::default(), &[], true);
    let text = String::from_utf8(text).expect("text");
    assert!(text.contains("\nhz 10\n") && !text.contains("rdb-target-version"), "{text}");
    let mut config = Config::default();
    config.snapshot.target_version = crate::config::choice::RdbTarget::V11;
    let text = rewrite::rewrite(b"", &config, &[], false);
    assert!(String::from_utf8(text).expect("text").contains("\nrdb-target-version 11\n"));
}

#[test]
fn no_name_is_used_twice() {
    let mut names: Vec<&str> = table::rows().flat_map(|row| row.names()).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(names.iter().all(|name| *name == name.to_ascii_lowercase()));
}

/// The upstream suite sets every listed directive to the value that CONFIG GET shows, and skips
/// only certain names of 7.2. Whatever is ours must therefore be settable or hidden.
#[test]
fn what_is_listed_and_not_of_redis_can_be_set() {
    for row in table::rows().filter(|row| !row.is(HIDDEN) && row.is(IMMUTABLE)) {
        assert!(
            REDIS_7_2.lines().any(|line| line.starts_with(&format!("{}\t", row.name))),
            "{}",
            row.name
        );
    }
}

#[test]
fn every_value_can_be_set_to_itself() {
    let mut config = Config::default();
    config.process.dir = b"/tmp".to_vec();
    config.repl.primary = Some(super::PrimaryAddr { host: b"h".to_vec(), port: 1 });
    let before = config.clone();
    for row in table::rows() {
        let value = row.value(&config);
        let args: Vec<&[u8]> = match row.is(MULTI) {
            true => value.split(|b| *b == b' ').filter(|arg| !arg.is_empty()).collect(),
            false => vec![&value],
        };
        let changed = row
            .set(&mut config, &args, &mut Setting::default())
            .unwrap_or_else(|reason| panic!("{}: {reason}", row.name));
        assert_eq!(changed, row.is(table::VOLATILE), "{}", row.name);
    }
    assert_eq!(config, before);
}

/// A second value for each row, so that a row wired to the field of another would show.
fn other_value(row: &table::Row, config: &Config) -> Vec<u8> {
    let now = row.value(config);
    match &row.kind {
        Kind::Bool { .. } => if now == b"yes" { &b"no"[..] } else { b"yes" }.to_vec(),
        Kind::Int { get, min, max, unit: table::Unit::Octal, .. } => {
            assert!(get(config) == *min && *max == 0o777);
            b"700".to_vec()
        }
        Kind::Int { unit: table::Unit::MemoryOrPercent, .. } => b"50%".to_vec(),
        Kind::Int { get, min, max, .. } => {
            let value = get(config);
            (if value == *min { value + 1 } else { (value - 1).min(*max) }).to_string().into_bytes()
        }
        Kind::Text { .. } if row.name == "locale-collate" => b"POSIX".to_vec(),
        Kind::Text { .. } => b"some-value".to_vec(),
        Kind::Choice { get, names, .. } => {
            let other = names.iter().find(|(_, number)| *number != get(config));
            other.expect("two words").0.as_bytes().to_vec()
        }
        Kind::Flags { .. } if row.name == "audit-log-events" => b"auth @write".to_vec(),
        Kind::Flags { .. } => b"nosave force".to_vec(),
        Kind::Special(_) => match row.name {
            "bind" => &b"127.0.0.1 -::1"[..],
            "admin-bind" | "metrics-bind" => b"127.0.0.2 -::1",
            "key-survey-prefixes" => b"user: s\xff",
            "client-output-buffer-limit" => b"normal 1 2 3 slave 4 5 6 pubsub 7 8 9",
            "oom-score-adj-values" => b"1 2 3",
            "notify-keyspace-events" => b"gKE",
            "save" => b"10 20 30 40",
            "replicaof" => b"localhost 6380",
            "latency-tracking-info-percentiles" => b"10 99.5",
            "dir" => b"/tmp",
            name => panic!("a value for {name}"),
        }
        .to_vec(),
    }
}

#[test]
fn each_row_has_a_field_of_its_own() {
    for row in table::rows() {
        let mut config = Config::default();
        let text = other_value(row, &config);
        let args: Vec<&[u8]> =
            if row.is(MULTI) { text.split(|b| *b == b' ').collect() } else { vec![&text] };
        let mut setting = Setting { from_file: true, ..Setting::default() };
        assert_eq!(row.set(&mut config, &args, &mut setting), Ok(true), "{}", row.name);
        assert_eq!(row.value(&config), text, "{}", row.name);
        for other in table::rows().filter(|other| other.name != row.name) {
            let default = other.value(table::defaults());
            assert_eq!(other.value(&config), default, "{} is not {}", row.name, other.name);
        }
    }
}

#[test]
fn a_rewritten_configuration_reads_back_the_same() {
    for changed in [false, true] {
        let mut config = Config::default();
        config.process.dir = b"/tmp".to_vec();
        if changed {
            for row in
                table::rows().filter(|row| !matches!(row.name, "cluster-enabled" | "logfile"))
            {
                let text = other_value(row, &config);
                let args: Vec<&[u8]> =
                    if row.is(MULTI) { text.split(|b| *b == b' ').collect() } else { vec![&text] };
                let mut setting = Setting { from_file: true, ..Setting::default() };
                row.set(&mut config, &args, &mut setting).expect(row.name);
            }
            config.acl.require_pass = b"a \"quoted\" \\ \x00\xff\n secret".to_vec();
        }
        let text = rewrite::rewrite(b"", &config, &[], true);
        let loaded = load(Input { options: &text, ..Input::default() }).expect("valid");
        assert_eq!(loaded.config, config);
    }
}

#[test]
fn inert_directives_are_found_when_they_are_set() {
    let mut config = Config::default();
    assert_eq!(table::inert(&config).count(), 0);
    let row = table::rows()
        .find(|row| row.effect == table::Effect::None && matches!(row.kind, Kind::Bool { .. }));
    if let Some(row) = row {
        let text = other_value(row, &config);
        let mut setting = Setting { from_file: true, ..Setting::default() };
        row.set(&mut config, &[&text], &mut setting).expect("valid");
        let names: Vec<&str> = table::inert(&config).map(|row| row.name).collect();
        assert_eq!(names, [row.name]);
    }
}
