//! Reading files: lines, includes, the directives without a row, and the error messages.

use super::*;
use std::path::PathBuf;

fn read(text: &str) -> Result<Loaded, ConfigError> {
    load(Input { stdin: Some(text.as_bytes()), ..Input::default() })
}

fn error(text: &str) -> ConfigError {
    read(text).expect_err("refused")
}

/// A directory of files that goes away at the end of the test.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str, files: &[(&str, &str)]) -> Dir {
        let dir = std::env::temp_dir().join(format!("redust-config-{name}-{}", std::process::id()));
        for (file, text) in files {
            let path = dir.join(file);
            fs::create_dir_all(path.parent().expect("a directory")).expect("created");
            fs::write(path, text).expect("written");
        }
        Dir(dir)
    }

    fn load(&self, file: &str) -> Result<Loaded, ConfigError> {
        let path = self.0.join(file);
        load(Input { config_file: Some(&path), ..Input::default() })
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("removed");
    }
}

#[test]
fn lines_comments_and_quotes() {
    let config = read(
        "# comment\n\n  PORT 7000 \r\n\trequirepass \"a b\\x21\"\nlogfile ''\nsave ''\n\"\"\n\
         slave-priority 5\nmaxmemory 1GB\nclient-output-buffer-limit normal 1 2 3 pubsub 4mb 5 6\n",
    );
    let error = config.expect_err("an empty word is no directive");
    assert_eq!(error.place.expect("a line").line, 7);
    let config = read(
        "# comment\n\n  PORT 7000 \r\n\trequirepass \"a b\\x21\"\nlogfile ''\nsave ''\n\
         slave-priority 5\nmaxmemory 1GB\nclient-output-buffer-limit normal 1 2 3 pubsub 4mb 5 6\n",
    )
    .expect("valid")
    .config;
    assert_eq!((config.net.port, config.repl.priority), (7000, 5));
    assert_eq!(config.acl.require_pass, b"a b!");
    assert_eq!((config.memory.max_memory, config.snapshot.save_points.len()), (1 << 30, 0));
    assert_eq!(config.clients.output_buffer_limits[2].hard_bytes, 4 << 20);
}

#[test]
fn save_lines_add_up() {
    let points = |text| read(text).expect("valid").config.snapshot.save_points;
    assert_eq!(points("").len(), 3);
    assert_eq!(points("save 1 1\nsave 2 2 3 3\n").len(), 3);
    assert_eq!(points("save \"1 1 2 2\"").len(), 2);
    assert_eq!(points("save 1 1\nsave \"\"\nsave 2 2\n").len(), 1);
}

#[test]
fn what_is_handed_on_keeps_its_line() {
    let loaded = read(
        "rename-command GET \"\"\nuser bob on >pw ~*\nloadmodule /m.so a b\nm.opt x y\n\
         list-max-ziplist-entries 5\nlua-replicate-commands yes\n",
    )
    .expect("valid");
    assert_eq!(loaded.renames[0].value, (b"GET".to_vec(), Vec::new()));
    assert_eq!(loaded.users[0].value, [&b"bob"[..], b"on", b">pw", b"~*"]);
    assert_eq!(loaded.modules[0].value.len(), 3);
    assert_eq!(loaded.module_settings[0].value, (b"m.opt".to_vec(), b"x y".to_vec()));
    let text = loaded.renames[0].error("No such command in rename-command").to_string();
    assert_eq!(
        text,
        "\n*** FATAL CONFIG FILE ERROR (Redis 7.2.6) ***\n\
         Reading the configuration file, at line 1 of <standard input>\n\
         >>> 'rename-command GET \"\"'\nNo such command in rename-command\n"
    );
}

#[test]
fn sentinel_directives_need_sentinel_mode() {
    assert_eq!(error("sentinel myid x").reason, "sentinel directive while not in sentinel mode");
    assert!(read("sentinel").is_ok());
    let stdin = Some(&b"sentinel monitor m 127.0.0.1 1 2"[..]);
    let loaded = load(Input { stdin, sentinel: true, ..Input::default() }).expect("valid");
    assert_eq!(loaded.sentinel[0].value.len(), 5);
}

#[test]
fn reasons() {
    for (text, reason) in [
        ("port", "wrong number of arguments"),
        ("port 1 2", "wrong number of arguments"),
        ("port \"1", "Unbalanced quotes in configuration line"),
        ("port 70000", "argument must be between 0 and 65535 inclusive"),
        ("save 1", "Invalid save parameters"),
        ("rename-command a", "Bad directive or wrong number of arguments"),
        ("list-max-ziplist-entries", "Bad directive or wrong number of arguments"),
        ("m.opt", "Module config specified without value"),
        ("dir /no/such/dir", "No such file or directory"),
        ("dir /dev/null", "Not a directory"),
        ("appendfilename \"\"", "appendfilename can't be empty"),
        ("appenddirname a/b", "appenddirname can't be a path, just a dirname"),
        ("unixsocketperm 999", "argument couldn't be parsed as an octal number"),
        ("unixsocketperm 1000", "argument must be between 0 and 777 inclusive"),
    ] {
        assert_eq!(error(text).reason, reason, "{text}");
    }
    let text = "cluster-enabled yes\nreplicaof a 1";
    assert_eq!(error(text).reason, "replicaof directive not allowed in cluster mode");
    assert_eq!(
        error("logfile /no/such/x.log").reason,
        "Can't open the log file: No such file or directory"
    );
    assert_eq!(error("logfile /no/such/x.log").place, None);
}

#[test]
fn unknown_directives_get_a_suggestion() {
    assert_eq!(error("maxmemroy 1").suggestion, Some("maxmemory"));
    assert_eq!(error("apendonly yes").suggestion, Some("appendonly"));
    assert_eq!(error("inclde x").suggestion, Some("include"));
    assert_eq!(error("something-else 1").suggestion, None);
    assert_eq!(error("rename-command a").suggestion, None);
    assert!(error("maxmemroy 1").to_string().ends_with("Did you mean 'maxmemory'?\n"));
}

#[test]
fn a_cluster_node_has_one_database() {
    let loaded = read("cluster-enabled yes\ndatabases 5").expect("valid");
    assert_eq!(loaded.config.keyspace.databases, 1);
    assert!(loaded.warnings[0].contains("from 5 to 1"));
}

#[test]
fn relative_directories_add_up() {
    let dir = Dir::new("dirs", &[("a/b/x", ""), ("a/inc.conf", "port 7")]);
    let text = format!("dir {}\ndir a\ninclude inc.conf\ndir ./b", dir.0.display());
    let config = read(&text).expect("valid").config;
    assert_eq!(config.net.port, 7);
    assert_eq!(to_path(&config.process.dir), dir.0.join("a/./b"));
}

#[test]
fn includes() {
    let dir = Dir::new(
        "includes",
        &[
            ("main.conf", "port 1\ninclude DIR/d/[!a]*.conf\ninclude DIR/none/*.conf\ntimeout 9"),
            ("d/b.conf", "port 2"),
            ("d/c.conf", "port 3\nhz 20"),
            ("d/a.conf", "port 4"),
            ("d/.hidden.conf", "port 5"),
            ("bad.conf", "port 1\ninclude DIR/d2/x.conf"),
            ("d2/x.conf", "\n\nnonsense"),
            ("missing.conf", "include DIR/nope.conf"),
            ("loop.conf", "include DIR/loop.conf"),
        ],
    );
    for name in ["main.conf", "bad.conf", "missing.conf", "loop.conf"] {
        let path = dir.0.join(name);
        let text = fs::read_to_string(&path).expect("text");
        fs::write(path, text.replace("DIR", &dir.0.to_string_lossy())).expect("written");
    }
    let config = dir.load("main.conf").expect("valid").config;
    assert_eq!((config.net.port, config.process.hz, config.clients.idle_timeout_secs), (3, 20, 9));

    let place = dir.load("bad.conf").expect_err("nonsense").place.expect("a line");
    assert!(place.source.ends_with("d2/x.conf") && place.line == 3, "{place:?}");

    let error = dir.load("missing.conf").expect_err("missing");
    assert!(error.reason.starts_with("Fatal error, can't open config file '"), "{error}");
    assert!(error.reason.ends_with("': No such file or directory"), "{error}");
    assert!(dir.load("loop.conf").expect_err("endless").reason.starts_with("Too many nested"));
    assert_eq!(dir.load("nope.conf").expect_err("missing").place, None);
}

#[test]
fn arbitrary_bytes_do_no_harm() {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    println!("seed {seed:#x}");
    let mut next = |n: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed as usize % n
    };
    let names: Vec<&str> = table::rows().flat_map(|row| row.names()).chain(FILE_ONLY).collect();
    let words = [
        "yes",
        "no",
        "0",
        "-1",
        "1",
        "99",
        "1kb",
        "50%",
        "18446744073709551615",
        "\"\"",
        "''",
        "\"a\\x00\\n\"",
        "'",
        "\"",
        "\\",
        "normal",
        "replica",
        "KEA",
        "save",
        "now",
        "default",
        "localhost",
        "11",
        "everysec",
        "/tmp",
        "\u{e9}",
        "#",
        "inf",
        "nan",
        "1e-7",
        "0x10",
        ".",
    ];
    for _ in 0..4000 {
        let mut text = String::new();
        for _ in 0..1 + next(3) {
            text.push_str(names[next(names.len())]);
            for _ in 0..next(5) {
                text.push_str([" ", "\t", "  "][next(3)]);
                text.push_str(words[next(words.len())]);
            }
            text.push('\n');
        }
        fuzz(text.as_bytes());
        let noise: Vec<u8> = (0..next(40)).map(|_| next(256) as u8).collect();
        fuzz(&noise);
    }
}
