//! Each finding once, on a machine made for it.

use super::report::{Format, report};
use super::*;
use crate::sys::look::{Keeps, Kind};
use crate::sys::machine::MemoryLimit;
use std::path::PathBuf;

const GB: u64 = 1 << 30;

/// A machine without fault: 16 GB, a disk with room, and every directory may be written.
pub(super) struct Fake {
    pub machine: Machine,
    pub files: Vec<(&'static str, Facts)>,
    pub disk: Disk,
}

pub(super) const DIRECTORY: Facts = Facts {
    kind: Kind::Directory,
    readable: true,
    enterable: true,
    writable: true,
    mode: 0o755,
    bytes: 4096,
};

pub(super) const FILE: Facts =
    Facts { kind: Kind::File, enterable: false, mode: 0o600, bytes: 100, ..DIRECTORY };

impl Fake {
    pub(super) fn new() -> Fake {
        Fake {
            machine: Machine {
                memory: Some(16 * GB),
                cgroup: None,
                overcommit: Some(1),
                huge_pages_always: Some(false),
                somaxconn: Some(4096),
                open_files: Some(65536),
            },
            files: vec![(".", DIRECTORY), ("/", DIRECTORY), ("/tmp", DIRECTORY)],
            disk: Disk { free: 100 * GB, total: 200 * GB, keeps: Keeps::Files },
        }
    }

    fn file(mut self, path: &'static str, facts: Facts) -> Fake {
        self.files.insert(0, (path, facts));
        self
    }

    fn group(mut self, bytes: u64) -> Fake {
        self.machine.cgroup = Some(MemoryLimit { bytes, file: PathBuf::from("/memory.max") });
        self
    }

    pub(super) fn check(&self, asked: &Asked<'_>) -> Checked {
        let look = |path: &Path| {
            let path = path.to_str().unwrap_or_default();
            let path = path.strip_prefix("./").unwrap_or(path);
            let found = self.files.iter().find(|(known, _)| *known == path);
            found.map_or(Facts::default(), |(_, facts)| *facts)
        };
        let disk = |_: &Path| Some(self.disk);
        check(asked, &World { machine: &self.machine, look: &look, disk: &disk })
    }

    fn findings(&self, text: &str) -> Vec<Finding> {
        self.check(&Asked { stdin: Some(text.as_bytes()), ..Asked::default() }).findings
    }

    /// The findings of `text`, each as severity and code.
    fn codes(&self, text: &str) -> Vec<String> {
        let code = |finding: Finding| format!("{} {}", finding.severity.name(), finding.code);
        self.findings(text).into_iter().map(code).collect()
    }
}

/// Nothing to say about.
const CALM: &str = "bind 127.0.0.1\nmaxmemory 1gb\n";

fn has(fake: &Fake, text: &str, expected: &str) {
    let codes = fake.codes(text);
    assert!(codes.iter().any(|code| code == expected), "{text}: {expected} in {codes:?}");
}

fn has_not(fake: &Fake, text: &str, code: &str) {
    let codes = fake.codes(text);
    assert!(!codes.iter().any(|found| found.ends_with(&format!(" {code}"))), "{text}: {codes:?}");
}

#[test]
fn a_calm_configuration_has_no_finding() {
    assert_eq!(Fake::new().codes(CALM), Vec::<String>::new());
    assert_eq!(Fake::new().codes("requirepass 0123456789abcdef0123"), Vec::<String>::new());
}

#[test]
fn of_a_file_that_cannot_be_read_nothing_else_is_said() {
    let asked = Asked { config_file: Some(Path::new("/nonexistent/x.conf")), ..Asked::default() };
    let findings = Fake::new().group(GB).check(&asked).findings;
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].text.contains("can't open config file"), "{findings:?}");
}

#[test]
fn all_errors_are_found_with_their_lines() {
    let text = "prot 6379\n# fine\nport 99999\nmaxmemory \"1\nlookahead 3\nvm-enabled no\n\
                search-timeout 3\nport 7000 1\nappendonly maybe\nbind 127.0.0.1";
    let findings = Fake::new().findings(text);
    let shown: Vec<(usize, &str)> = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| match &finding.at {
            At::Line(place) => (place.line, finding.code),
            _ => (0, finding.code),
        })
        .collect();
    assert_eq!(
        shown,
        [
            (1, "unknown-directive"),
            (3, "line"),
            (4, "line"),
            (5, "other-version"),
            (6, "other-version"),
            (7, "other-version"),
            (8, "line"),
            (9, "line"),
        ]
    );
    let findings = Fake::new().findings("maxmemry 1gb");
    assert_eq!(findings[0].code, "unknown-directive");
    assert_eq!(findings[0].fix.as_deref(), Some("did you mean 'maxmemory'?"));
    let findings = Fake::new().findings("MAXMEMORY-policy allkeys-LRM");
    let fix = "'allkeys-lrm' is known to Redis 8.6 and later; this version does not have it";
    assert_eq!(findings[0].fix.as_deref(), Some(fix));
}

#[test]
fn what_is_not_available_is_an_error_on_its_line() {
    for (text, severity) in [
        ("unixsocketgroup staff", Severity::Error),
        ("cluster-enabled yes", Severity::Error),
        ("loadmodule /a.so", Severity::Error),
        ("a.b 1", Severity::Error),
        ("unixsocketgroup staff\nunavailable-directives warn", Severity::Warning),
        ("loadmodule /a.so\nunavailable-directives warn", Severity::Error),
    ] {
        let findings = Fake::new().findings(text);
        let finding = findings.iter().find(|finding| finding.code == "unavailable").expect(text);
        assert_eq!(finding.severity, severity, "{text}");
        assert!(matches!(&finding.at, At::Line(place) if place.line == 1), "{text}");
    }
}

#[test]
fn lines_that_override_each_other() {
    let fake = Fake::new();
    has(&fake, "port 1\nport 2", "warning set-twice");
    has(&fake, "slave-priority 1\nreplica-priority 2", "warning set-twice");
    has_not(&fake, "port 1\nport 1", "set-twice");
    has_not(&fake, "save 1 1\nsave 2 2", "set-twice");
    let limits = "client-output-buffer-limit normal 1 1 1\nclient-output-buffer-limit pubsub 2 2 2";
    has_not(&fake, limits, "set-twice");
    let codes = |asked: &Asked<'_>| -> Vec<&str> {
        fake.check(asked).findings.into_iter().map(|finding| finding.code).collect()
    };
    let variables = [("REDUST_MAXMEMORY_BYTES".to_owned(), b"5gb".to_vec())];
    let both = Asked { stdin: Some(CALM.as_bytes()), variables: &variables, ..Asked::default() };
    assert_eq!(codes(&both), ["variable-overridden"]);
    let option =
        Asked { stdin: Some(CALM.as_bytes()), options: b"maxmemory \"2gb\"", ..Asked::default() };
    assert_eq!(codes(&option), Vec::<&str>::new());
}

#[test]
fn includes_have_their_own_lines_and_circles_end() {
    let dir = std::env::temp_dir().join(format!("redust-check-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("created");
    let write = |name: &str, text: &str| {
        let path = dir.join(name);
        std::fs::write(&path, text.replace("DIR", dir.to_str().expect("text"))).expect("written");
        path
    };
    let main = write("main.conf", "port 1\ninclude DIR/part.conf\nbind 127.0.0.1\n");
    write("part.conf", "\nprot 1\nport 2\n");
    let found = |main: &Path| {
        Fake::new().check(&Asked { config_file: Some(main), ..Asked::default() }).findings
    };
    let findings = found(&main);
    let line = |code: &str| match &findings.iter().find(|f| f.code == code).expect("found").at {
        At::Line(place) => (place.source.ends_with("part.conf"), place.line),
        _ => (false, 0),
    };
    assert_eq!((line("unknown-directive"), line("set-in-two-files")), ((true, 2), (true, 3)));
    // Twice in each file: whoever followed all of them would not end.
    let circle = write("a.conf", "include DIR/b.conf\ninclude DIR/b.conf\nprot 1");
    write("b.conf", "include DIR/a.conf\ninclude DIR/a.conf\n");
    let findings = found(&circle);
    assert_eq!(findings.iter().filter(|f| f.code == "include-circle").count(), 1);
    assert_eq!(findings.iter().filter(|f| f.code == "unknown-directive").count(), 1);
    let missing = found(Path::new("/nonexistent/x.conf"));
    assert!(missing.iter().any(|f| f.severity == Severity::Error && f.text.contains("open")));
    std::fs::remove_dir_all(&dir).expect("removed");
}

#[test]
fn variables_of_the_environment() {
    let codes = |name: &str, value: &str| -> Vec<String> {
        let variables = [(name.to_owned(), value.as_bytes().to_vec())];
        let asked = Asked { options: b"bind 127.0.0.1", variables: &variables, ..Asked::default() };
        let findings = Fake::new().check(&asked).findings;
        findings.into_iter().map(|f| format!("{} {}", f.severity.name(), f.code)).collect()
    };
    assert_eq!(codes("REDUST_ADDR", "x"), ["error environment"]);
    assert_eq!(codes("REDUST_MAXMEMORY", "1gb"), ["warning unknown-variable"]);
    for (name, value) in [
        ("REDUST_ADDR", ""),
        ("REDUST_PORT", "tcp://10.0.0.1:6379"),
        ("REDUST_PORT_6379_TCP_ADDR", "10.0.0.1"),
        ("REDUST_SERVICE_HOST", "10.0.0.1"),
        ("REDUST_BACKUP_KEEP", "3"),
        ("PATH", "/bin"),
    ] {
        assert_eq!(codes(name, value), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn remarks_about_names() {
    let fake = Fake::new();
    for (text, expected) in [
        ("slave-read-only yes", "note old-name"),
        ("lua-time-limit 5000", "note old-name"),
        ("hash-max-ziplist-entries 3", "note old-name"),
        ("io-threads 4", "note no-effect"),
        ("activedefrag yes", "note no-effect"),
        ("list-max-ziplist-entries 3", "note no-effect"),
        ("oom-score-adj-values 3 2 1", "warning doubtful"),
    ] {
        has(&fake, text, expected);
    }
    has_not(&fake, "io-threads 1", "no-effect");
}

#[test]
fn memory() {
    let fake = Fake::new;
    has(&fake(), "maxmemory 17gb", "warning maxmemory-too-large");
    has(&fake().group(GB), "maxmemory 2gb", "warning maxmemory-too-large");
    has(&fake().group(GB), "", "warning no-maxmemory-in-group");
    has_not(&fake(), "", "no-maxmemory-in-group");
    has(&fake(), "maxmemory 15gb", "warning no-room-for-fork");
    has(&fake(), "maxmemory 15gb\nsave ''\nappendonly yes", "warning no-room-for-fork");
    has_not(&fake(), "maxmemory 15gb\nsave ''", "no-room-for-fork");
    has(&fake().group(GB), "maxmemory 1gb", "warning no-room-for-fork");
    has(&fake(), "maxmemory-policy allkeys-lru", "note policy-without-limit");
    has(&fake(), "maxmemory 1gb\nmaxmemory-policy allkeys-lfu", "note saved-cache");
    let cache = "maxmemory 1gb\nmaxmemory-policy allkeys-lfu\nsave ''";
    has(&fake(), &format!("{cache}\nappendonly yes"), "note saved-cache");
    has_not(&fake(), cache, "saved-cache");
    has(&fake(), "maxmemory 1gb\nmaxmemory-policy volatile-ttl", "note volatile-policy");
    for line in [
        "maxmemory-clients 1gb",
        "client-query-buffer-limit 200mb",
        "client-output-buffer-limit pubsub 200mb 0 0",
    ] {
        has(&fake(), &format!("maxmemory 100mb\n{line}"), "warning client-limit-too-large");
    }
    has_not(&fake(), "maxmemory 100mb", "client-limit-too-large");
    has_not(&fake(), "maxmemory 100mb\nmaxmemory-clients 50%", "client-limit-too-large");
}

#[test]
fn settings_of_the_kernel() {
    let mut fake = Fake::new();
    fake.machine.overcommit = Some(0);
    fake.machine.huge_pages_always = Some(true);
    fake.machine.somaxconn = Some(128);
    has(&fake, "", "warning overcommit");
    has_not(&fake, "save ''", "overcommit");
    has(&fake, "disable-thp no", "warning huge-pages");
    has_not(&fake, "", "huge-pages");
    has(&fake, "", "warning backlog-cut");
    has_not(&fake, "tcp-backlog 100", "backlog-cut");
    fake.machine.open_files = Some(1024);
    has(&fake, "", "warning few-files");
    has_not(&fake, "maxclients 992", "few-files");
    fake.machine.open_files = Some(32);
    has(&fake, "", "error too-few-files");
}

#[test]
fn who_can_connect() {
    let fake = Fake::new();
    has(&fake, "bind 0.0.0.0\nprotected-mode no", "warning open-to-all");
    has(&fake, "protected-mode no", "warning open-to-all");
    has_not(&fake, "bind 127.0.0.1 -::1 localhost\nprotected-mode no", "open-to-all");
    has(&fake, "", "note protected");
    has(&fake, "requirepass abc", "note weak-password");
    has_not(&fake, "requirepass abc\nbind 127.0.0.1", "weak-password");
    has_not(&fake, "requirepass abc\nport 0\nunixsocket /tmp/s", "weak-password");
    has(&fake, "port 0", "error no-listener");
    has_not(&fake, "port 0\ntls-port 7000", "no-listener");
    has(&fake, "port 7000\ntls-port 7000", "error tls-port-taken");
    has(&fake, "tls-port 7001\nadmin-port 7001", "error admin-port-taken");
    let open = "port 0\nprotected-mode no\ntls-port 7000";
    has_not(&fake, open, "open-to-all");
    has(&fake, &format!("{open}\ntls-auth-clients optional"), "warning open-to-all");
    has(&fake, "port 7000\nadmin-port 7000", "error admin-port-taken");
    has(&fake, "admin-port 7001\nadmin-bind *", "note open-admin-port");
    has_not(&fake, "admin-port 7001", "open-admin-port");
    has_not(&fake, "port 0\nunixsocket /tmp/s", "no-listener");
    has(&fake, "unixsocketperm 700", "note no-unix-socket");
    has(&fake, "unixsocket /tmp/s\nunixsocketperm 777", "note open-unix-socket");
    has(&fake, "unixsocket /tmp/s\nunixsocketperm 100", "warning closed-unix-socket");
    has(&fake, &format!("unixsocket /tmp/{}", "x".repeat(120)), "error long-unix-socket");
}

#[test]
fn what_is_kept() {
    let fake = Fake::new();
    has(&fake, "save ''", "note nothing-kept");
    has_not(&fake, "save ''\nappendonly yes", "nothing-kept");
    has(&fake, "appendonly yes\nappendfsync no", "note no-fsync");
    has(&fake, "appendfsync always", "note fsync-without-aof");
    has(&fake, "stop-writes-on-bgsave-error no", "note writes-after-failed-save");
    let closed = Facts { writable: false, readable: false, ..DIRECTORY };
    has(&Fake::new().file(".", closed), "", "warning dir-not-writable");
    has(&Fake::new().file(".", closed), "appendonly yes", "error dir-not-writable");
    let locked = Facts { enterable: false, ..closed };
    has(&Fake::new().file(".", locked), "", "error dir-closed");
    has(&Fake::new().file("dump.rdb", DIRECTORY), "", "error dbfilename");
    let unreadable = Facts { readable: false, ..FILE };
    has(&Fake::new().file("dump.rdb", unreadable), "", "error dbfilename");
    has_not(&Fake::new().file("dump.rdb", FILE), "", "dbfilename");
    let empty = Facts { bytes: 0, ..FILE };
    has(&Fake::new().file("dump.rdb", empty), "", "error dbfilename");
    has_not(&Fake::new().file("dump.rdb", empty), "appendonly yes", "dbfilename");
    for name in ["\"\"", "\"\\x00\""] {
        has(&Fake::new(), &format!("dbfilename {name}"), "warning dbfilename");
        let codes = Fake::new().codes(&format!("dbfilename {name}"));
        assert!(!codes.iter().any(|code| code.starts_with("error")), "{codes:?}");
    }
    has(&Fake::new().file("appendonlydir", FILE), "appendonly yes", "error aof-dir");
    has(&Fake::new().file("appendonlydir", closed), "appendonly yes", "error aof-dir");
    has_not(&Fake::new().file("appendonlydir", DIRECTORY), "appendonly yes", "aof-dir");
    // What is there and not read.
    let snapshot = || Fake::new().file("dump.rdb", FILE);
    let files = |fake: Fake| fake.file("appendonlydir/appendonly.aof.manifest", FILE);
    has(&snapshot(), "appendonly yes", "warning snapshot-not-read");
    has_not(&files(snapshot()), "appendonly yes", "snapshot-not-read");
    has_not(&snapshot().file("appendonly.aof", FILE), "appendonly yes", "snapshot-not-read");
    has_not(&snapshot(), "", "snapshot-not-read");
    has(&files(Fake::new()), "", "warning aof-not-read");
    has(&files(snapshot()), "", "note aof-not-read");
    has_not(&files(snapshot()), "appendonly yes", "aof-not-read");
}

#[test]
fn the_disk() {
    let disk =
        |free: u64, keeps| Fake { disk: Disk { free, total: 200 * GB, keeps }, ..Fake::new() };
    has(&disk(GB, Keeps::Memory), "", "warning dir-in-memory");
    has(&disk(GB, Keeps::Layer), "", "note dir-in-container");
    has_not(&disk(GB, Keeps::Memory), "save ''", "dir-in-memory");
    let large = Facts { bytes: 2 * GB, ..FILE };
    has(&disk(GB, Keeps::Files).file("dump.rdb", large), "", "warning disk-full");
    has(&disk(GB, Keeps::Files), "maxmemory 2gb", "warning disk-small");
    has_not(&disk(3 * GB, Keeps::Files), "maxmemory 2gb", "disk-small");
}

#[test]
fn files_that_are_written() {
    let closed = Facts { writable: false, ..DIRECTORY };
    let fake = || Fake::new().file("/closed", closed).file("/tmp/d", DIRECTORY);
    has(&fake(), "logfile /missing/l", "error logfile");
    has(&fake(), "logfile /closed/l", "error logfile");
    has(&fake(), "logfile /tmp/d", "error logfile");
    has_not(&fake(), "logfile /tmp/l", "logfile");
    has(&fake(), "audit-log /missing/l", "error audit-log");
    has_not(&fake(), "audit-log syslog", "audit-log");
    has_not(&fake(), "audit-log /tmp/l", "audit-log");
    has(&fake(), "pidfile /missing/l", "warning pidfile");
    has(&fake(), "unixsocket /missing/s", "error unixsocket");
    has(&fake(), "unixsocket /closed/s", "error unixsocket");
    has(&fake(), "unixsocket /tmp/d", "error unixsocket");
    has(&fake().file("/tmp/f", FILE), "unixsocket /tmp/f", "warning unixsocket-deletes");
    has_not(&fake(), "unixsocket /tmp/s", "unixsocket");
}

#[test]
fn a_secret_that_everybody_may_read() {
    let path = std::env::temp_dir().join(format!("redust-secret-{}.conf", std::process::id()));
    std::fs::write(&path, "requirepass 0123456789abcdef\n").expect("written");
    let name: &'static str = Box::leak(path.display().to_string().into_boxed_str());
    let codes = |mode| -> Vec<&str> {
        let fake = Fake::new().file(name, Facts { mode, ..FILE });
        let asked = Asked { config_file: Some(&path), ..Asked::default() };
        fake.check(&asked).findings.into_iter().map(|finding| finding.code).collect()
    };
    assert_eq!(codes(0o644), ["readable-secret"]);
    assert_eq!(codes(0o640), Vec::<&str>::new());
    std::fs::remove_file(&path).expect("removed");
}

#[test]
fn values_that_are_seldom_meant() {
    let fake = Fake::new();
    has(&fake, "hz 0", "note hz");
    has(&fake, "hz 1000", "note hz");
    has(&fake, "hz 200", "note hz");
    has_not(&fake, "hz \"1\"", "hz");
    has_not(&fake, "hz 50", "hz");
    let percentiles = "latency-tracking-info-percentiles 50 99";
    has(&fake, &format!("{percentiles}\nlatency-tracking no"), "note percentiles");
    has(&fake, &format!("{percentiles} 50"), "note percentiles");
    has_not(&fake, percentiles, "percentiles");
    has(&fake, "daemonize yes", "note daemon-without-log");
    has(&fake, "daemonize yes\nsupervised systemd", "note daemon-of-systemd");
}

#[test]
fn reports_and_their_status() {
    let fake = Fake::new();
    let status = |text: &str| report(fake.findings(text), Format::Text).1;
    assert_eq!((status(CALM), status("save ''")), (0, 0));
    assert_eq!((status("port 1\nport 2"), status("prot 1\nport 1\nport 2")), (2, 1));
    let text = "bind 127.0.0.1\nrequirpass abc\nport 1\nport 2";
    let (shown, _) = report(fake.findings(text), Format::Text);
    assert_eq!(
        shown,
        "error: <standard input>:2: 'requirpass (hidden)': Bad directive or wrong number of \
         arguments\n    fix: did you mean 'requirepass'?\n\
         warning: <standard input>:4: 'port 2': 'port' was set on line 3 too, to another value\n    \
         fix: keep one of the lines; the last one counts\n\
         1 error, 1 warning, 0 notes: the server does not start with this configuration\n"
    );
    let (shown, _) = report(fake.findings(text), Format::Json);
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(
        lines[0],
        "{\"severity\":\"error\",\"code\":\"unknown-directive\",\"file\":\"<standard input>\",\
         \"text\":\"requirpass (hidden)\",\"message\":\"Bad directive or wrong number of \
         arguments\",\"fix\":\"did you mean 'requirepass'?\",\"line\":2}"
    );
    assert_eq!(
        lines[2],
        "{\"severity\":\"summary\",\"errors\":1,\"warnings\":1,\"notes\":0,\"status\":1}"
    );
    let option = Asked { options: b"bind \"127.0.0.1\"\nprot \"1\"", ..Asked::default() };
    let (shown, _) = report(fake.check(&option).findings, Format::Text);
    assert!(shown.starts_with("error: option '--prot \"1\"': Bad directive"), "{shown}");
}
