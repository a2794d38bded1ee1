//! The forms of the command line, with what upstream's introspection tests expect of each.

use super::*;
use crate::config::file::{Input, Loaded, load};

fn run(args: &[&str]) -> Run {
    let argv: Vec<&str> = ["redust-server"].iter().chain(args).copied().collect();
    match parse(&argv, Path::new("/cwd")) {
        Action::Run(run) => run,
        other => panic!("{other:?}"),
    }
}

fn options(args: &[&str]) -> String {
    String::from_utf8(run(args).options).expect("text")
}

fn loaded(args: &[&str]) -> Loaded {
    load(Input { options: &run(args).options, ..Input::default() }).expect("valid")
}

fn message(args: &[&str]) -> String {
    let input = Input { options: &run(args).options, ..Input::default() };
    load(input).expect_err("refused").to_string()
}

#[test]
fn things_other_than_serving() {
    let action = |args: &[&str]| {
        let argv: Vec<&str> = ["x"].iter().chain(args).copied().collect();
        parse(&argv, Path::new("/"))
    };
    assert_eq!(action(&["-v"]), Action::Version);
    assert_eq!(action(&["--version", "x"]), Action::Version);
    assert_eq!(action(&["-h"]), Action::Help);
    assert_eq!(action(&["--help"]), Action::Help);
    assert_eq!(action(&["--test-memory", "12"]), Action::TestMemory(Some(12)));
    assert_eq!(action(&["--test-memory"]), Action::TestMemory(None));
    assert_eq!(action(&["--check-system"]), Action::CheckSystem);
    assert!(matches!(action(&["x.conf", "-v"]), Action::Run(_)));
    assert!(matches!(action(&[]), Action::Run(run) if run == Run::default()));
}

#[test]
fn the_configuration_file_becomes_absolute() {
    assert_eq!(run(&["a/b.conf"]).config_file, Some(PathBuf::from("/cwd/a/b.conf")));
    assert_eq!(run(&["/etc/b.conf"]).config_file, Some(PathBuf::from("/etc/b.conf")));
    assert_eq!(run(&["--port", "1"]).config_file, None);
}

#[test]
fn standard_input() {
    assert!(run(&["-"]).stdin);
    assert!(run(&["-", "--port", "1"]).stdin);
    assert!(run(&["x.conf", "--port", "1", "-"]).stdin);
    assert!(!run(&["x.conf", "--port", "-", "--timeout", "1"]).stdin);
    assert_eq!(options(&["x.conf", "--port", "1", "-"]), "port \"1\" ");
}

#[test]
fn sentinel_mode() {
    let is = |argv: &[&str]| {
        matches!(parse(argv, Path::new("/")), Action::Run(Run { sentinel: true, .. }))
    };
    assert!(is(&["/usr/bin/redis-sentinel", "x.conf"]));
    assert!(is(&["redust-sentinel"]));
    assert!(is(&["redust-server", "x.conf", "--sentinel"]));
    assert!(!is(&["/redis-sentinel/redust-server"]));
    assert_eq!(options(&["x.conf", "--sentinel", "--port", "1"]), "sentinel \nport \"1\" ");
}

#[test]
fn options_become_lines() {
    assert_eq!(
        options(&["--port", "6380", "--loglevel", "debug"]),
        "port \"6380\" \nloglevel \"debug\" "
    );
    assert_eq!(options(&["x.conf", "loglevel", "verbose"]), "\"loglevel\" \"verbose\" ");
    assert_eq!(
        options(&["--maxmemory 700mb", "--bind", "a", "b"]),
        "maxmemory 700mb \nbind \"a\" \"b\" "
    );
    assert_eq!(options(&["--requirepass", "a\"b c"]), "requirepass \"a\\\"b c\" ");
}

#[test]
fn values_may_begin_with_dashes() {
    let config = loaded(&["--proc-title-template", "--my--title", "--loglevel", "verbose"]).config;
    assert_eq!(config.process.proc_title_template, b"--my--title");
    let config = loaded(&["--proc-title-template --my--title", "--loglevel verbose"]).config;
    assert_eq!(config.process.proc_title_template, b"--my--title");
}

#[test]
fn save_may_be_left_empty_in_every_way() {
    for args in [
        &["--save", "--loglevel", "verbose"][..],
        &["--loglevel", "verbose", "--save"],
        &["--save", "", "--loglevel", "verbose"],
        &["--loglevel", "verbose", "--save", ""],
        &["--proc-title-template", "--save", "--save", "", "--loglevel", "verbose"],
        &["--save", "900 1", "--save", "", "--loglevel verbose"],
    ] {
        let config = loaded(args).config;
        assert_eq!(config.snapshot.save_points, [], "{args:?}");
        assert_eq!(config.log.level, crate::config::choice::LogLevel::Verbose, "{args:?}");
    }
    assert_eq!(
        loaded(&["--save", "900 1 30 5", "--save", "1", "2"]).config.snapshot.save_points.len(),
        3
    );
}

#[test]
fn lists_as_one_argument_or_many() {
    let args =
        ["--shutdown-on-sigint", "nosave", "force", "now", "--shutdown-on-sigterm", "nosave force"];
    let process = loaded(&args).config.process;
    assert_eq!((process.shutdown_on_sigint.0, process.shutdown_on_sigterm.0), (14, 10));
}

#[test]
fn errors_quote_the_option() {
    for (args, line, reason) in [
        (&["--invalid"][..], "invalid", "Bad directive or wrong number of arguments"),
        (&["--port"], "port", "wrong number of arguments"),
        (&["--port", "6380", "--loglevel"], "loglevel", "wrong number of arguments"),
        (&["--port", "6379", "6380"], "port \"6379\" \"6380\"", "wrong number of arguments"),
        (
            &["--port", "--loglevel", "verbose"],
            "port \"--loglevel\" \"verbose\"",
            "wrong number of arguments",
        ),
        (
            &["--port", "--bla", "--loglevel", "verbose"],
            "port \"--bla\"",
            "argument couldn't be parsed into an integer",
        ),
        (
            &["--logfile", "--my--log--file", "--loglevel", "--bla"],
            "loglevel \"--bla\"",
            "argument(s) must be one of the following: debug",
        ),
        (
            &["--shutdown-on-sigint"],
            "shutdown-on-sigint",
            "argument(s) must be one of the following",
        ),
        (
            &["--shutdown-on-sigint", "now force", "--shutdown-on-sigterm"],
            "shutdown-on-sigterm",
            "argument(s) must be one of the following",
        ),
        (
            &["--replicaof", "127.0.0.1", "abc"],
            "replicaof \"127.0.0.1\" \"abc\"",
            "Invalid master port",
        ),
        (
            &["--replicaof", "--127.0.0.1", "abc"],
            "replicaof \"--127.0.0.1\" \"abc\"",
            "Invalid master port",
        ),
        (
            &["--replicaof", "--127.0.0.1", "--abc"],
            "replicaof \"--127.0.0.1\"",
            "wrong number of arguments",
        ),
    ] {
        let text = message(args);
        assert!(text.contains(&format!(">>> '{line}'\n{reason}")), "{text}");
    }
}

#[test]
fn the_path_of_the_file_is_absolute_and_reads_well() {
    for (file, path) in [
        ("a.conf", "/cwd/a.conf"),
        ("/etc/../a.conf", "/etc/../a.conf"),
        ("../a/b.conf", "/a/b.conf"),
        ("../../../b.conf", "/b.conf"),
        ("x/../b.conf", "/cwd/x/../b.conf"),
    ] {
        assert_eq!(run(&[file]).config_file.as_deref(), Some(Path::new(path)), "{file}");
    }
}

#[test]
fn a_configuration_is_checked_as_a_start_would_read_it() {
    let action = |args: &[&str]| {
        let argv: Vec<&str> = ["redust-server"].iter().chain(args).copied().collect();
        parse(&argv, Path::new("/cwd"))
    };
    let start = run;
    let text = |run| Action::CheckConfig(run, Format::Text);
    assert_eq!(action(&["--check-config"]), text(start(&[])));
    assert_eq!(action(&["--check-config", "a.conf"]), text(start(&["a.conf"])));
    assert_eq!(action(&["a.conf", "--check-config"]), text(start(&["a.conf"])));
    assert_eq!(action(&["--check-config", "-"]), text(start(&["-"])));
    let all = ["--check-config", "a.conf", "--port", "1", "--format", "json", "--hz", "2", "-"];
    let run = start(&["a.conf", "--port", "1", "--hz", "2", "-"]);
    assert_eq!(action(&all), Action::CheckConfig(run, Format::Json));
    assert_eq!(action(&["--check-config", "--sentinel"]), text(start(&["--sentinel"])));
    for wrong in [&["--format", "xml"][..], &["--format"]] {
        let args = [&["--check-config"], wrong].concat();
        assert!(matches!(action(&args), Action::Usage(_)), "{wrong:?}");
    }
}
