//! What goes into the audit log: an object of JSON each line.
//!
//! ```text
//! auth       a login, by password or by certificate, and whether it succeeded
//! denied     what the rules of users, or settings that guard commands, have forbidden
//! config     a change of the configuration        user     a change of users
//! command    another command of a category that `audit-log-events` names
//! log        the log begins or ends here          dropped  so many lines are missing
//! ```
//! A line says when, who (address, number and name of the client, user), what (command and its
//! arguments) and with which outcome. Secrets are not in it: neither those that the slow log hides,
//! nor values of settings whose names could be meant for a secret, nor passwords among the rules of
//! users. Texts are cut, since whoever is denied something chooses them.
//!
//! While nothing is noted, a command pays nothing: `Exec::armed` has the bit that says so.

use std::fmt::Write as _;

use crate::acl::log::{Context, Reason};
use crate::acl::role::names_of_roles;
use crate::commands::own;
use crate::commands::spec::ONLY_SENTINEL;
use crate::commands::{CmdResult, Flow};
use crate::config::check::redact as names;
use crate::config::{AUDIT_AUTH, AUDIT_CATEGORIES, AUDIT_CONFIG, AUDIT_DENIED, AUDIT_USERS};
use crate::keyspace::env::Origin;
use crate::net::clients::ClientId;
use crate::resp::argv::Argv;
use crate::server::engine::redact::{REDACTED, redact};
use crate::server::parts::audit::Target;
use crate::server::parts::{Call, Row, Server};
use crate::util::json::{escape, escape_bytes};
use crate::util::path::to_path;
use crate::util::utc::rfc3339;

/// Bytes of a text that are shown, and arguments.
const LONGEST: usize = 128;
const MOST_ARGS: usize = 32;

/// How somebody logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Login {
    Password,
    Certificate,
}

/// A line that is being written.
struct Line(String);

impl Line {
    fn new(now_ms: i64, event: &str, outcome: &str) -> Line {
        Line(format!(
            "{{\"time\":\"{}\",\"event\":\"{event}\",\"outcome\":\"{outcome}\"",
            rfc3339(now_ms)
        ))
    }

    fn text(&mut self, name: &str, value: &[u8]) -> &mut Line {
        let _ = write!(self.0, ",\"{name}\":");
        self.value(value);
        self
    }

    fn value(&mut self, value: &[u8]) {
        self.0.push('"');
        escape_bytes(&mut self.0, &value[..value.len().min(LONGEST)]);
        self.0.push('"');
        if value.len() > LONGEST {
            // The cut is within the quotes, so that the value stays one text.
            self.0.pop();
            let _ = write!(self.0, "... ({} bytes)\"", value.len());
        }
    }

    fn number(&mut self, name: &str, value: u64) -> &mut Line {
        let _ = write!(self.0, ",\"{name}\":{value}");
        self
    }

    fn args(&mut self, args: &[Vec<u8>]) -> &mut Line {
        self.0.push_str(",\"args\":[");
        for (i, arg) in args.iter().take(MOST_ARGS).enumerate() {
            if i > 0 {
                self.0.push(',');
            }
            self.value(arg);
        }
        if args.len() > MOST_ARGS {
            let mut more = String::new();
            escape(&mut more, &format!("... ({} more)", args.len() - MOST_ARGS));
            let _ = write!(self.0, ",\"{more}\"");
        }
        self.0.push(']');
        self
    }
}

/// A client has tried to log in as `user`.
#[cold]
pub(crate) fn login(srv: &mut Server, id: ClientId, user: &[u8], how: Login, succeeded: bool) {
    if srv.audit.events & AUDIT_AUTH == 0 {
        return;
    }
    let outcome = if succeeded { "ok" } else { "failed" };
    write(srv, "auth", outcome, |srv, line| {
        client(srv, id, Some(user), line);
        let how: &[u8] = match how {
            Login::Password => b"password",
            Login::Certificate => b"certificate",
        };
        line.text("method", how);
    });
}

/// The rules of users have denied a command, or the use of `object` by it.
#[cold]
pub(crate) fn denied(
    srv: &mut Server,
    id: ClientId,
    row: &Row,
    (reason, context): (Reason, Context),
    object: &[u8],
) {
    refused(srv, id, row, reason.word(), context.word(), object);
}

/// A setting guards a command from this client.
#[cold]
pub(crate) fn guarded(srv: &mut Server, id: ClientId, row: &Row) {
    refused(srv, id, row, "guarded", Context::TopLevel.word(), row.name().as_bytes());
}

fn refused(srv: &mut Server, id: ClientId, row: &Row, reason: &str, context: &str, object: &[u8]) {
    if srv.audit.events & AUDIT_DENIED == 0 {
        return;
    }
    write(srv, "denied", "denied", |srv, line| {
        client(srv, id, None, line);
        line.text("command", row.name().as_bytes())
            .text("reason", reason.as_bytes())
            .text("context", context.as_bytes())
            .text("object", object);
    });
}

/// A command has run. Whether it is noted, its row says.
#[cold]
pub(crate) fn command(srv: &mut Server, call: &Call<'_>, result: &CmdResult) {
    let row = call.row;
    let (event, bit) = match () {
        () if row.spec.own.has(own::CHANGES_CONFIG) => ("config", AUDIT_CONFIG),
        () if row.spec.own.has(own::CHANGES_USERS) => ("user", AUDIT_USERS),
        () => ("command", 0),
    };
    let by_category = row.spec.acl << AUDIT_CATEGORIES.trailing_zeros();
    if srv.audit.events & (bit | by_category) == 0 {
        return;
    }
    // A parked command is noted when it begins; what a primary or a file says nobody has asked for
    // here.
    if srv.exec.unit.again || srv.exec.unit.obeys || call.env.origin == Origin::File {
        return;
    }
    let outcome = match result {
        Ok(Flow::Done) => "ok",
        Ok(Flow::Block(_)) => "waits",
        Err(_) => "error",
    };
    write(srv, event, outcome, |srv, line| {
        client(srv, call.client, None, line);
        line.text("command", row.name().as_bytes());
        line.args(&shown(row, call.argv));
        if let Err(e) = result {
            // Only the code: the text may repeat an argument.
            line.text("error", e.code());
        }
        let context = match call.env.origin {
            Origin::Exec => Context::Multi,
            Origin::Script => Context::Script,
            _ => Context::TopLevel,
        };
        line.text("context", context.word().as_bytes());
    });
}

/// The arguments behind the name, without secrets.
fn shown(row: &Row, argv: Argv<'_>) -> Vec<Vec<u8>> {
    let own = row.spec.own;
    let names_settings = own.has(own::CHANGES_CONFIG) || row.has(ONLY_SENTINEL);
    let behind = if row.spec.sub().is_some() { 2 } else { 1 };
    let hidden = match own.has(own::CHANGES_USERS) {
        true => None,
        false => redact(row, argv),
    };
    let arg = |(i, arg): (usize, &&[u8])| {
        // The first one is the name of the user.
        let is_rule = own.has(own::CHANGES_USERS) && i > 2;
        let follows_name = names_settings && i > 2 && names::is_secret_name(argv[i - 1]);
        match () {
            () if is_rule => rule(arg),
            () if follows_name => REDACTED.to_vec(),
            // A password with blanks in it makes several words, of which other logs know nothing.
            () if own.secrets == own::Secrets::All => REDACTED.to_vec(),
            () => hidden.as_ref().map_or(*arg, |hidden| hidden[i].as_slice()).to_vec(),
        }
    };
    let limit = MOST_ARGS + behind + 1;
    let mut shown: Vec<Vec<u8>> =
        argv.iter().enumerate().take(limit).skip(behind).map(arg).collect();
    // Only their number is shown.
    shown.resize(argv.len().saturating_sub(behind), Vec::new());
    shown
}

/// A rule of a user. What could be a password, well written or not, is hidden.
fn rule(word: &[u8]) -> Vec<u8> {
    const PLAIN: [&str; 22] = [
        "on",
        "off",
        "nopass",
        "reset",
        "resetpass",
        "resetkeys",
        "resetchannels",
        "resetdbs",
        "resetroles",
        "allkeys",
        "allchannels",
        "allcommands",
        "alldbs",
        "nocommands",
        "clearselectors",
        "sanitize-payload",
        "skip-sanitize-payload",
        "+@all",
        "-@all",
        "~*",
        "&*",
        "",
    ];
    match word {
        [mark @ (b'>' | b'<' | b'#' | b'!'), ..] => [&[*mark], REDACTED].concat(),
        [b'+' | b'-' | b'~' | b'%' | b'&' | b'(', ..] => word.to_vec(),
        _ if names_of_roles(word).is_some() => word.to_vec(),
        _ if word.ends_with(b")") || word.starts_with(b"db=") => word.to_vec(),
        _ if PLAIN.iter().any(|plain| word.eq_ignore_ascii_case(plain.as_bytes())) => word.to_vec(),
        _ => REDACTED.to_vec(),
    }
}

/// Who it is. `user`: whose name was given, if that is not the client's user.
fn client(srv: &Server, id: ClientId, user: Option<&[u8]>, line: &mut Line) {
    let Some(session) = srv.clients.session(id) else { return };
    line.text("addr", session.peer.as_bytes())
        .number("client", session.serial)
        .text("name", &session.name)
        .text("user", user.unwrap_or_else(|| srv.acl.name_of(session.user)));
}

/// Writes a line, if there is room for it.
fn write(srv: &mut Server, event: &str, outcome: &str, fill: impl FnOnce(&Server, &mut Line)) {
    tell_dropped(srv);
    if !srv.audit.has_room(srv.clock.now_ms, srv.cfg.audit.max_per_second) {
        return;
    }
    let mut line = Line::new(srv.clock.now_ms, event, outcome);
    fill(srv, &mut line);
    line.0.push('}');
    srv.audit.note(line.0);
}

/// Says how many lines are missing, once there is room again.
fn tell_dropped(srv: &mut Server) {
    if let Some(count) = srv.audit.take_dropped(srv.clock.now_ms) {
        let mut line = Line::new(srv.clock.now_ms, "dropped", "dropped");
        line.number("count", count).0.push('}');
        srv.audit.note(line.0);
    }
}

/// Nothing may come that says what is missing.
pub(crate) fn on_cron(srv: &mut Server) {
    if srv.audit.is_on() {
        tell_dropped(srv);
    }
}

/// Where the configuration says that lines go.
pub(crate) fn target(srv: &Server) -> Option<Target> {
    match srv.cfg.audit.log.as_slice() {
        b"" => None,
        b"syslog" => Some(Target::System),
        path => {
            let path = to_path(path);
            // The directory may change later; the log stays where it is.
            Some(Target::File(std::path::absolute(&path).unwrap_or(path)))
        }
    }
}

/// Follows the configuration. The old log says that it ends, the new one that it begins.
pub(crate) fn adopt(srv: &mut Server) {
    if srv.cfg.audit.log != srv.audit.setting {
        let target = target(srv);
        if srv.audit.is_on() {
            mark(srv, "ends");
        }
        let begins = target.is_some();
        let counters = srv.audit.set_target(target);
        srv.memory.adopt(counters);
        srv.audit.setting = srv.cfg.audit.log.clone();
        if begins {
            mark(srv, "begins");
        }
    }
    srv.audit.events = if srv.audit.is_on() { srv.cfg.audit.events } else { 0 };
}

/// A line about the log itself; no flood keeps it out.
fn mark(srv: &mut Server, outcome: &str) {
    let mut line = Line::new(srv.clock.now_ms, "log", outcome);
    if let Some(id) = srv.exec.unit.client {
        client(srv, id, None, &mut line);
    }
    line.0.push('}');
    srv.audit.note(line.0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::spec::CATEGORIES;
    use crate::config::AUDIT_EVENTS;

    #[test]
    fn the_settings_words_are_the_categories_of_commands() {
        for (i, name) in CATEGORIES.iter().enumerate() {
            let bit = AUDIT_EVENTS.iter().find(|(word, _)| word.strip_prefix('@') == Some(name));
            let expected = 1 << i << AUDIT_CATEGORIES.trailing_zeros();
            assert_eq!(bit.map(|(_, bit)| *bit), Some(expected), "{name}");
        }
        let words = AUDIT_EVENTS.iter().filter(|(word, _)| word.starts_with('@')).count();
        assert_eq!(words, CATEGORIES.len());
    }

    #[test]
    fn passwords_among_rules_are_hidden_however_they_are_written() {
        for word in [">s3cret", "<s3cret", "#s3cret", "!s3cret", "s3cret", "=s3cret", "ons3cret"] {
            let shown = String::from_utf8(rule(word.as_bytes())).expect("text");
            assert!(!shown.contains("s3cret") && shown.contains("(redacted)"), "{word}: {shown}");
        }
        for word in
            ["on", "ON", "+@all", "-get", "~a:*", "%R~x", "&ch", "(+get", "~x)", "db=1,2", "role=a"]
        {
            assert_eq!(rule(word.as_bytes()), word.as_bytes());
        }
    }

    #[test]
    fn long_texts_are_cut_within_their_quotes() {
        let mut line = Line::new(0, "e", "o");
        line.text("a", &[b'"'; 300]).args(&vec![b"x".to_vec(); 40]);
        let text = line.0;
        assert!(
            text.contains("... (300 bytes)\"") && text.ends_with(",\"... (8 more)\"]"),
            "{text}"
        );
        assert_eq!(text.matches("\"x\"").count(), MOST_ARGS);
    }
}
