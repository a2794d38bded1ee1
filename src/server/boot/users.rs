//! The users and roles at start: those of the configuration file, or those of the file that it
//! names.

use std::rc::Rc;

use crate::acl::file;
use crate::acl::role::{Role, Roles, fault_of_name};
use crate::acl::rule::{Fault, merge};
use crate::acl::selector::has_spaces;
use crate::acl::user::User;
use crate::config::Config;
use crate::config::choice::AclPubsubDefault;
use crate::config::file::{ConfigError, Placed};
use crate::log;
use crate::server::engine::access;
use crate::server::parts::Server;
use crate::util::path::{join_path, os_error, to_path};

/// What is wrong with the roles and users of the configuration file, as far as the lines tell:
/// where, with which of the two, and what.
pub(super) fn fault<'a>(
    roles: &'a [Line],
    users: &'a [Line],
    all_channels: bool,
) -> Option<(&'a Line, &'static str, String)> {
    let mut made = Roles::default();
    for (i, line) in roles.iter().enumerate() {
        match read_role(&roles[..i], line) {
            Ok(role) => made.put(Rc::new(role)),
            Err((_, why)) => return Some((line, "role", why.to_owned())),
        }
    }
    fault_of_users(users, all_channels, &made).map(|(line, why)| (line, "user", why))
}

fn fault_of_users<'a>(
    lines: &'a [Line],
    all_channels: bool,
    roles: &Roles,
) -> Option<(&'a Line, String)> {
    for (i, line) in lines.iter().enumerate() {
        let Some((name, rules)) = line.value.split_first() else { continue };
        if lines[..i].iter().any(|before| before.value.first() == Some(name)) {
            return Some((line, DUPLICATE.to_owned()));
        }
        if has_spaces(name) {
            return Some((line, SPACES.to_owned()));
        }
        let words: Vec<&[u8]> = rules.iter().map(Vec::as_slice).collect();
        let Ok(merged) = merge(&words) else { return Some((line, UNMATCHED.to_owned())) };
        let mut user = User::new(name, all_channels);
        for rule in &merged {
            if let Err(fault) = user.obey(rule, all_channels, roles) {
                // The rule may be a password.
                return Some((line, fault.text().to_owned()));
            }
        }
    }
    None
}

/// Reads the file of users that a configuration names, as a start would, and keeps nothing of it.
pub(super) fn read_file(config: &Config) -> Result<(), String> {
    let name = String::from_utf8_lossy(&config.acl.file).into_owned();
    let path = to_path(&join_path(&config.process.dir, &config.acl.file));
    let text = std::fs::read(path)
        .map_err(|e| format!("Error loading ACLs, opening file '{name}': {}", os_error(&e)))?;
    let all_channels = config.acl.pubsub_default == AclPubsubDefault::Allchannels;
    file::read(&text, &name, all_channels).map(|_| ())
}

/// A line of the configuration file: name and rules.
type Line = Placed<Vec<Vec<u8>>>;

const DUPLICATE: &str = "Duplicate user found. A user can only be defined once in config files";
const DUPLICATE_ROLE: &str = "Duplicate role found. Each role has one line";
const SPACES: &str = "Spaces not allowed in ACL usernames";
const UNMATCHED: &str = "Unmatched parenthesis in acl selector";

/// Why the server does not start.
enum Stop {
    /// A line says something that no version would understand.
    Line(ConfigError),
    /// The log has said it.
    Logged,
}

/// Makes the roles and users that the configuration asks for. An empty error has been logged.
pub(super) fn load(srv: &mut Server, roles: &[Line], users: &[Line]) -> Result<(), String> {
    let password = srv.cfg.acl.require_pass.clone();
    if !password.is_empty() {
        srv.acl.set_default_password(&password);
    }
    let has_file = !srv.cfg.acl.file.is_empty();
    if has_file && !(users.is_empty() && roles.is_empty()) {
        log!(
            Warning,
            "Configuring Redis with users defined in redis.conf and at the same setting an ACL file \
             path is invalid. This setup is very likely to lead to configuration errors and security \
             holes, please define either an ACL file or declare users directly in your redis.conf, \
             but not both."
        );
        return Err(String::new());
    }
    match declare_roles(srv, roles).and_then(|()| declare_all(srv, users)) {
        Ok(()) => {}
        Err(Stop::Line(e)) => return Err(e.to_string()),
        Err(Stop::Logged) => return Err(String::new()),
    }
    if has_file && let Err(errors) = access::load_file(srv) {
        log!(Warning, "Aborting Redis startup because of ACL errors: {errors}");
        return Err(String::new());
    }
    Ok(())
}

/// Roles come first, wherever their lines are.
fn declare_roles(srv: &mut Server, lines: &[Line]) -> Result<(), Stop> {
    for (i, line) in lines.iter().enumerate() {
        let role = read_role(&lines[..i], line).map_err(|(word, why)| {
            let word = String::from_utf8_lossy(&word).into_owned();
            Stop::Line(line.error(format!("Error in role declaration '{word}': {why}")))
        })?;
        srv.acl.put_role(role);
    }
    Ok(())
}

/// The role of a line. The error: the word that is wrong, and why. A rule that may be a password
/// is not told: the name stands for it.
fn read_role(before: &[Line], line: &Line) -> Result<Role, (Vec<u8>, &'static str)> {
    let empty = Vec::new();
    let (name, rules) = line.value.split_first().unwrap_or((&empty, &[]));
    if let Some(why) = fault_of_name(name) {
        return Err((name.clone(), why));
    }
    if before.iter().any(|before| before.value.first() == Some(name)) {
        return Err((name.clone(), DUPLICATE_ROLE));
    }
    let words: Vec<&[u8]> = rules.iter().map(Vec::as_slice).collect();
    let merged = merge(&words).map_err(|i| (words[i].to_vec(), UNMATCHED))?;
    let mut role = Role::new(name);
    for rule in merged {
        role.obey(&rule).map_err(|fault| match fault {
            Fault::OfUsers => (name.clone(), fault.text()),
            _ => (rule, fault.text()),
        })?;
    }
    Ok(role)
}

fn declare_all(srv: &mut Server, lines: &[Line]) -> Result<(), Stop> {
    for (i, line) in lines.iter().enumerate() {
        let Some((name, rules)) = line.value.split_first() else { continue };
        let wrong = |word: &[u8], why: &str| {
            let word = String::from_utf8_lossy(word);
            Stop::Line(line.error(format!("Error in user declaration '{word}': {why}")))
        };
        if lines[..i].iter().any(|before| before.value.first() == Some(name)) {
            return Err(wrong(name, DUPLICATE));
        }
        if has_spaces(name) {
            log!(Warning, "{SPACES}");
            return Err(critical());
        }
        declare(srv, name, rules, wrong)?;
    }
    Ok(())
}

fn declare(
    srv: &mut Server,
    name: &[u8],
    rules: &[Vec<u8>],
    wrong: impl Fn(&[u8], &str) -> Stop,
) -> Result<(), Stop> {
    let words: Vec<&[u8]> = rules.iter().map(Vec::as_slice).collect();
    let merged = merge(&words).map_err(|i| wrong(words[i], UNMATCHED))?;
    let mut user = User::new(name, srv.acl.all_channels);
    for rule in &merged {
        match user.obey(rule, srv.acl.all_channels, srv.acl.roles()) {
            Ok(()) => {}
            // A command of a later version, perhaps.
            Err(fault @ Fault::Unknown) => {
                log!(
                    Warning,
                    "Error loading ACL rule '{}' for the user named '{}': {}",
                    String::from_utf8_lossy(rule),
                    String::from_utf8_lossy(name),
                    fault.text()
                );
                return Err(critical());
            }
            Err(fault) => return Err(wrong(rule, fault.text())),
        }
    }
    if !user.on {
        log!(
            Notice,
            "The user '{}' is disabled (there is no 'on' modifier in the user description). Make \
             sure this is not a configuration error.",
            String::from_utf8_lossy(name)
        );
    }
    srv.acl.put(user);
    Ok(())
}

fn critical() -> Stop {
    log!(Warning, "Critical error while loading ACLs. Exiting.");
    Stop::Logged
}
