//! Files that are written besides the data, and who may read the configuration.

use super::persistence::data_dir;
use super::{At, Finding, Severity, View};
use crate::config::file::Place;
use crate::config::table::SENSITIVE;
use crate::sys::look::{Facts, Kind};
use crate::util::path::{join_path, to_path};
use std::collections::BTreeSet;

pub(super) fn check(view: &mut View<'_>) {
    written(view);
    secrets(view);
}

/// What is at `path`, which starts from the directory of the data, and at its directory.
fn around(view: &View<'_>, path: &[u8]) -> (Facts, Facts) {
    let path = to_path(&join_path(&data_dir(view), path));
    let parent = path.parent().map_or_else(|| to_path(b"/"), |parent| parent.to_owned());
    let parent = if parent.as_os_str().is_empty() { to_path(b".") } else { parent };
    ((view.world.look)(&path), (view.world.look)(&parent))
}

/// Why a file can't be written, or made if it is not there.
fn obstacle(view: &View<'_>, path: &[u8]) -> Option<&'static str> {
    match around(view, path) {
        (Facts { kind: Kind::Directory, .. }, _) => Some("it is a directory"),
        (Facts { kind: Kind::Missing, .. }, parent) => match parent.kind {
            Kind::Missing => Some("its directory is missing"),
            Kind::Directory if parent.writable => None,
            Kind::Directory => Some("its directory can't be written"),
            _ => Some("its directory is none"),
        },
        (file, _) => (!file.writable).then_some("it can't be written"),
    }
}

fn written(view: &mut View<'_>) {
    let config = view.config();
    const FIX: &str = "make the directory, with the user of the server as its owner";
    if !config.log.file.is_empty()
        && let Some(why) = obstacle(view, &config.log.file)
    {
        view.error("logfile", "logfile", format!("the log can't be opened: {why}"), FIX);
    }
    if !matches!(config.audit.log.as_slice(), b"" | b"syslog")
        && let Some(why) = obstacle(view, &config.audit.log)
    {
        let text = format!("the audit log can't be opened: {why}");
        view.error("audit-log", "audit-log", text, FIX);
    }
    if !config.process.pid_file.is_empty()
        && let Some(why) = obstacle(view, &config.process.pid_file)
    {
        view.warn("pidfile", "pidfile", format!("the pid file can't be written: {why}"), FIX);
    }
    if !config.net.unix_socket.is_empty() {
        let (socket, parent) = around(view, &config.net.unix_socket);
        if socket.kind == Kind::Directory {
            view.error("unixsocket", "unixsocket", "it is a directory", "set another path");
        } else if parent.kind != Kind::Directory {
            view.error("unixsocket", "unixsocket", "its directory is missing", FIX);
        } else if !parent.writable {
            view.error("unixsocket", "unixsocket", "its directory can't be written", FIX);
        } else if !matches!(socket.kind, Kind::Missing | Kind::Socket) {
            let text = "there is a file by that name, and the start deletes it";
            view.warn("unixsocket-deletes", "unixsocket", text, "set another path");
        }
    }
}

/// A file with a secret that every user of the machine may read.
fn secrets(view: &mut View<'_>) {
    let lines = view.loaded.assigned.iter();
    let lines =
        lines.filter(|line| line.value.named.row.is(SENSITIVE) && !line.value.value.is_empty());
    let users = view.loaded.users.iter().map(|user| &user.place);
    let mut seen = BTreeSet::new();
    let places: Vec<Place> = lines
        .map(|line| &line.place)
        .chain(users)
        .filter(|place| !place.source.starts_with('<') && seen.insert(place.source.clone()))
        .cloned()
        .collect();
    for place in places {
        let file = (view.world.look)(&to_path(place.source.as_bytes()));
        if file.mode & 0o004 != 0 {
            let fix = format!("chmod o-r {}", place.source);
            let text = "every user of this machine may read the file, and so the secret in it";
            let at = At::Line(place);
            view.findings
                .push(Finding::new(Severity::Warning, "readable-secret", at, text).fix(fix));
        }
    }
}
