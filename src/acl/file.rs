//! The file of users: a line `user name rules...` each, and `role name rules...` for roles.
//!
//! Roles are read first, wherever their lines are. They are written before the users.
//! A file with an error is not taken at all, and all its errors are told in one line.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::keys::Form;
use super::role::{Role, Roles, fault_of_name};
use super::rule::{Fault, merge};
use super::selector::has_spaces;
use super::user::User;
use crate::util::split::{repr, split_args};

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub roles: Roles,
    pub users: BTreeMap<Vec<u8>, User>,
}

/// What the file holds whose text this is; its name is shown in errors. The default user is there
/// in any case.
pub(crate) fn read(text: &[u8], name: &str, all_channels: bool) -> Result<Held, String> {
    let mut held = Held::default();
    let mut errors = String::new();
    let lines = || {
        let lines = text.split(|b| *b == b'\n').map(<[u8]>::trim_ascii).enumerate();
        lines.filter(|(_, line)| !line.is_empty()).map(|(i, line)| {
            let words: Vec<&[u8]> = line.split(|b| *b == b' ').collect();
            (i + 1, words)
        })
    };
    let is_role = |words: &[&[u8]]| words.first() == Some(&&b"role"[..]);
    for (i, words) in lines().filter(|(_, words)| is_role(words)) {
        errors += &read_role(&words, i, name, &mut held.roles);
    }
    for (i, words) in lines().filter(|(_, words)| !is_role(words)) {
        errors += &read_user(&words, i, name, all_channels, &mut held);
    }
    if !errors.is_empty() {
        return Err(errors
            + "WARNING: ACL errors detected, no change to the previously active ACL rules was \
               performed");
    }
    held.users.entry(b"default".to_vec()).or_insert_with(User::default_user);
    Ok(held)
}

/// Reads a line about a role. Returns what is wrong with it.
fn read_role(words: &[&[u8]], line: usize, file: &str, roles: &mut Roles) -> String {
    let place = format!("{file}:{line}");
    let Some(name) = words.get(1).copied() else {
        return format!("{place}: the role keyword requires a role name. ");
    };
    let shown = String::from_utf8_lossy(name);
    if let Some(fault) = fault_of_name(name) {
        return format!("{place}: invalid role name '{shown}': {fault}. ");
    }
    if roles.get(name).is_some() {
        return format!("WARNING: Duplicate role '{shown}' found on line {line}. ");
    }
    let mut made = Role::new(name);
    let errors = obey_all(&words[2..], &place, |rule| made.obey(rule));
    roles.put(Rc::new(made));
    errors
}

/// Reads a line that should be about a user. Returns what is wrong with it.
fn read_user(
    words: &[&[u8]],
    line: usize,
    file: &str,
    all_channels: bool,
    held: &mut Held,
) -> String {
    let place = format!("{file}:{line}");
    let (Some(b"user"), Some(user)) = (words.first().copied(), words.get(1).copied()) else {
        return format!("{place} should start with user keyword followed by the username. ");
    };
    let shown = String::from_utf8_lossy(user);
    if has_spaces(user) {
        return format!("'{place}: username '{shown}' contains invalid characters. ");
    }
    if held.users.contains_key(user) {
        return format!("WARNING: Duplicate user '{shown}' found on line {line}. ");
    }
    let mut made = User::new(user, all_channels);
    let roles = &held.roles;
    let errors = obey_all(&words[2..], &place, |rule| made.obey(rule, all_channels, roles));
    held.users.insert(user.to_vec(), made);
    errors
}

/// What is wrong with the rules. Of those that may hold a secret only the first is told of, and
/// not its text.
fn obey_all(
    words: &[&[u8]],
    place: &str,
    mut obey: impl FnMut(&[u8]) -> Result<(), Fault>,
) -> String {
    let Ok(rules) = merge(words) else {
        return format!("{place}: Unmatched parenthesis in selector definition.");
    };
    let mut errors = String::new();
    let mut told = false;
    for rule in rules {
        let rule = rule.trim_ascii();
        match obey(rule) {
            Ok(()) => {}
            Err(fault @ (Fault::Unknown | Fault::NoRole)) => {
                let shown = String::from_utf8_lossy(rule);
                errors +=
                    &format!("{place}: Error in applying operation '{shown}': {}. ", fault.text());
            }
            Err(fault) if !told => {
                errors += &format!("{place}: {}. ", fault.text());
                told = true;
            }
            Err(_) => {}
        }
    }
    errors
}

/// The text of a file that holds these.
pub(crate) fn write<'a>(roles: &Roles, users: impl Iterator<Item = &'a User>) -> Vec<u8> {
    let lines = roles
        .iter()
        .map(|role| role_line(role, Form::Kept))
        .chain(users.map(|user| line(user, Form::Kept)));
    lines.flat_map(|line| [line, b"\n".to_vec()]).flatten().collect()
}

/// The line of one role.
pub(crate) fn role_line(role: &Role, form: Form) -> Vec<u8> {
    [b"role ", &role.name[..], b" ", &role.rights().text(form)].concat()
}

/// The line of one user.
pub(crate) fn line(user: &User, form: Form) -> Vec<u8> {
    [b"user ", &user.name[..], b" ", &user.text(form)].concat()
}

/// A line for a configuration file, which is split at blanks too, but knows quotes.
///
/// Compat: Redis writes no quotes, and then can't read a pattern with one in it.
pub(crate) fn config_line(line: &[u8]) -> Vec<u8> {
    let quoted = |word: &[u8]| match split_args(word) {
        Ok(words) if words.len() == 1 && words[0] == word => word.to_vec(),
        _ => repr(word),
    };
    line.split(|byte| *byte == b' ').map(quoted).collect::<Vec<_>>().join(&b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(text: &str) -> String {
        read(text.as_bytes(), "f", true).expect_err("an error")
    }

    #[test]
    fn what_is_written_is_read_back() {
        let text = "user alice on >secret ~a:* %R~b &news +get +@set -sadd (~c:* +set) (+ping)\n\
                    \nuser default off resetkeys\n";
        let held = read(text.as_bytes(), "f", false).expect("valid");
        let written = write(&held.roles, held.users.values());
        assert_eq!(read(&written, "f", false).expect("valid"), held);
        let alice = held.users[&b"alice"[..]].text(Form::Kept);
        let hash = crate::util::sha256::hex(b"secret");
        let expected = format!(
            "on sanitize-payload #{hash} ~a:* %R~b resetchannels &news -@all +get +@set -sadd \
             (~c:* resetchannels -@all +set) (resetchannels -@all +ping)"
        );
        assert_eq!(String::from_utf8(alice).expect("text"), expected);
    }

    #[test]
    fn every_error_is_told_but_no_secret() {
        let tail = "WARNING: ACL errors detected, no change to the previously active ACL rules was \
                    performed";
        assert_eq!(
            errors("usr x\nuser a +nothing >p !short\nuser a"),
            format!(
                "f:1 should start with user keyword followed by the username. f:2: Error in \
                 applying operation '+nothing': Unknown command or category name in ACL. f:2: The \
                 password hash must be exactly 64 characters and contain only lowercase \
                 hexadecimal characters. WARNING: Duplicate user 'a' found on line 3. {tail}"
            )
        );
        let open = errors("user a (+get");
        assert_eq!(open, format!("f:1: Unmatched parenthesis in selector definition.{tail}"));
    }

    #[test]
    fn without_a_line_the_default_user_may_do_everything() {
        let held = read(b"user a on", "f", false).expect("valid");
        assert!(held.users[&b"default"[..]].is_open());
    }

    #[test]
    fn roles_are_read_before_users_and_written_before_them() {
        let text = "user a on role=second,first\nrole second ~s +get (~x +set)\nrole first +ping\n";
        let held = read(text.as_bytes(), "f", true).expect("valid");
        let written = write(&held.roles, held.users.values());
        let expected = "role first resetchannels -@all +ping\n\
                        role second ~s resetchannels -@all +get (~x resetchannels -@all +set)\n\
                        user a on sanitize-payload &* -@all role=second,first\n\
                        user default on nopass sanitize-payload ~* &* +@all\n";
        assert_eq!(String::from_utf8_lossy(&written), expected);
        assert_eq!(read(&written, "f", false).expect("valid"), held);
    }

    #[test]
    fn what_is_wrong_with_roles_is_told_but_no_secret() {
        let tail = "WARNING: ACL errors detected, no change to the previously active ACL rules was \
                    performed";
        for (text, error) in [
            ("role", "f:1: the role keyword requires a role name. "),
            ("role a,b", "f:1: invalid role name 'a,b': Role names can't contain commas. "),
            ("role a\nrole a", "WARNING: Duplicate role 'a' found on line 2. "),
            ("role a >s3cret", "f:1: The rule is about users, roles can't have it. "),
            ("role a (+get", "f:1: Unmatched parenthesis in selector definition."),
            (
                "user u role=gone",
                "f:1: Error in applying operation 'role=gone': The role does not exist. ",
            ),
        ] {
            assert_eq!(errors(text), format!("{error}{tail}"));
        }
    }
}
