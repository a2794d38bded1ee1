//! The check has an error exactly where the start has one.

use super::*;
use crate::config::table::{self, Kind};
use crate::server::boot::read_config;
use crate::sys::look::{Disk, Facts, Keeps};
use crate::util::rand::generator;

/// Whether the server would start with these lines: all that it checks before it opens a socket.
fn starts(run: &Run) -> Result<(), String> {
    let loaded = read_config(run).map_err(|error| error.reason)?;
    let renames: Vec<_> = loaded.renames.iter().map(|line| line.value.clone()).collect();
    Table::build(admin::TABLES, &renames).map_err(|(_, why)| why)?;
    let net = &loaded.config.net;
    let tls = loaded.config.tls.port;
    if (net.port | tls == 0 || net.bind.is_empty()) && net.unix_socket.is_empty() {
        return Err("Configured to not listen anywhere".into());
    }
    let mut ports = vec![net.port, tls, net.admin_port];
    ports.retain(|port| *port != 0);
    ports.sort_unstable();
    if ports.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err("Failed listening on port".into());
    }
    Ok(())
}

fn errors(run: &Run) -> Vec<Finding> {
    let machine = Machine::default();
    let look = |path: &Path| match path.to_str() {
        Some("." | "/" | "/tmp") => look::at(Path::new("/tmp")),
        _ => Facts::default(),
    };
    let disk = |_: &Path| Some(Disk { free: 1 << 40, total: 1 << 40, keeps: Keeps::Files });
    let world = World { machine: &machine, look: &look, disk: &disk };
    let asked = Asked { options: &run.options, ..Asked::default() };
    let Checked { mut findings, loaded } = check::check(&asked, &world);
    renames(&loaded, &mut findings);
    findings.retain(|finding| finding.severity == Severity::Error);
    findings
}

/// Fails unless both say the same; whether the server starts.
fn agree(text: &str) -> bool {
    let run = Run { options: text.as_bytes().to_vec(), ..Run::default() };
    let (start, errors) = (starts(&run), errors(&run));
    assert_eq!(start.is_ok(), errors.is_empty(), "{text}\nstart: {start:?}\ncheck: {errors:?}");
    start.is_ok()
}

/// Values that some directive takes, and that others don't.
const VALUES: [&str; 28] = [
    "yes",
    "no",
    "0",
    "1",
    "-1",
    "3",
    "100",
    "65536",
    "1mb",
    "1gb",
    "5%",
    "-5%",
    "abc",
    "\"\"",
    "everysec",
    "debug",
    "allkeys-lru",
    "default",
    "local",
    "10 20",
    "1 2 3",
    "AKE",
    "0.5",
    "99999999999999999999",
    "/tmp",
    "normal 1 2 3",
    "\"unbalanced",
    "x'y'z",
];

/// Lines without a row.
const OTHERS: [&str; 14] = [
    "rename-command GET \"\"",
    "rename-command GET SET",
    "rename-command NOSUCH X",
    "rename-command FLUSHALL gone",
    "user default on nopass ~* &* +@all",
    "user bob on",
    "loadmodule /a.so",
    "a.b 1",
    "a.b",
    "sentinel monitor a 127.0.0.1 1 1",
    "list-max-ziplist-entries 5",
    "list-max-ziplist-entries",
    "vm-enabled no",
    "prot 1",
];

#[test]
fn the_check_and_the_start_agree() {
    let rows: Vec<_> = table::rows()
        // What these do depends on the machine, and the start makes the logs.
        .filter(|row| {
            !matches!(row.name, "logfile" | "audit-log" | "dir" | "aclfile" | "unixsocket")
        })
        .collect();
    let mut random = generator(3);
    let mut pick = |n: usize| (random() % n as u64) as usize;
    let mut started = 0;
    for _ in 0..2000 {
        let mut lines = Vec::new();
        for _ in 0..1 + pick(4) {
            if pick(8) == 0 {
                lines.push(OTHERS[pick(OTHERS.len())].to_owned());
                continue;
            }
            let row = rows[pick(rows.len())];
            let names: Vec<_> = row.names().collect();
            // Mostly what is right, or files with several lines would never be.
            let right = match &row.kind {
                Kind::Choice { names, .. } => names[pick(names.len())].0.to_owned(),
                _ => String::from_utf8_lossy(&row.value(table::defaults())).into_owned(),
            };
            let right = if right.is_empty() { "\"\"".to_owned() } else { right };
            let value = if pick(3) == 0 { VALUES[pick(VALUES.len())] } else { &right };
            lines.push(format!("{} {value}", names[pick(names.len())]));
        }
        started += usize::from(agree(&lines.join("\n")));
    }
    assert!((500..1500).contains(&started), "{started} of 2000 start: the mixture is poor");
}

#[test]
fn each_line_alone() {
    for line in OTHERS {
        agree(line);
    }
    for row in table::rows() {
        if matches!(row.name, "logfile" | "audit-log" | "dir" | "aclfile" | "unixsocket") {
            continue;
        }
        for value in ["yes", "0", "abc", "\"\"", "1 2"] {
            agree(&format!("{} {value}", row.name));
        }
    }
    assert!(!agree("port 0") && agree("port 0\nunixsocket /tmp/x"));
    assert!(!agree("bind \"\"") && agree("bind \"\"\nunixsocket /tmp/x"));
}

#[test]
fn commands_that_are_renamed() {
    let codes = |text: &str| -> Vec<String> {
        let options = format!("bind 127.0.0.1\n{text}").into_bytes();
        let machine = Machine::default();
        let disk = |_: &Path| None;
        let world = World { machine: &machine, look: &look::at, disk: &disk };
        let Checked { mut findings, loaded } =
            check::check(&Asked { options: &options, ..Asked::default() }, &world);
        renames(&loaded, &mut findings);
        let renames = findings.into_iter().filter(|finding| finding.code.starts_with("rename"));
        renames.map(|finding| format!("{} {}", finding.severity.name(), finding.code)).collect()
    };
    assert_eq!(codes("rename-command GET SET"), ["error rename-command"]);
    assert_eq!(codes("rename-command GETT x\nrename-command SETT y"), ["error rename-command"; 2]);
    assert_eq!(codes("rename-command CONFIG \"\""), Vec::<String>::new());
    let swapped = "rename-command GET x\nrename-command SET get";
    assert_eq!(codes(swapped), ["warning rename-to-known"]);
    assert_eq!(codes("appendonly yes\nrename-command SET s"), ["warning rename-of-write"]);
    assert_eq!(codes("rename-command SET s"), Vec::<String>::new());
}
