//! The file of users: a line `user name rules...` each.
//!
//! A file with an error is not taken at all, and all its errors are told in one line.

use std::collections::BTreeMap;

use super::rule::{Fault, merge};
use super::selector::has_spaces;
use super::user::User;
use crate::util::split::{repr, split_args};

/// The users of the file whose text this is; its name is shown in errors. The default user is
/// among them in any case.
pub(crate) fn read(
    text: &[u8],
    name: &str,
    all_channels: bool,
) -> Result<BTreeMap<Vec<u8>, User>, String> {
    let mut users: BTreeMap<Vec<u8>, User> = BTreeMap::new();
    let mut errors = String::new();
    for (i, line) in text.split(|b| *b == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let place = format!("{name}:{}", i + 1);
        let words: Vec<&[u8]> = line.split(|b| *b == b' ').collect();
        let (Some(b"user"), Some(user)) = (words.first().copied(), words.get(1).copied()) else {
            errors += &format!("{place} should start with user keyword followed by the username. ");
            continue;
        };
        let shown = String::from_utf8_lossy(user);
        if has_spaces(user) {
            errors += &format!("'{place}: username '{shown}' contains invalid characters. ");
            continue;
        }
        if users.contains_key(user) {
            let line = i + 1;
            errors += &format!("WARNING: Duplicate user '{shown}' found on line {line}. ");
            continue;
        }
        let mut made = User::new(user, all_channels);
        match merge(&words[2..]) {
            Err(_) => {
                errors += &format!("{place}: Unmatched parenthesis in selector definition.");
            }
            Ok(rules) => errors += &obey_all(&mut made, &rules, &place, all_channels),
        }
        users.insert(user.to_vec(), made);
    }
    if !errors.is_empty() {
        return Err(errors
            + "WARNING: ACL errors detected, no change to the previously active ACL rules was \
               performed");
    }
    users.entry(b"default".to_vec()).or_insert_with(User::default_user);
    Ok(users)
}

/// What is wrong with the rules. Of those that may hold a secret only the first is told of, and
/// not its text.
fn obey_all(user: &mut User, rules: &[Vec<u8>], place: &str, all_channels: bool) -> String {
    let mut errors = String::new();
    let mut told = false;
    for rule in rules {
        let rule = rule.trim_ascii();
        match user.obey(rule, all_channels) {
            Ok(()) => {}
            Err(fault @ Fault::Unknown) => {
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

/// The text of a file that holds these users.
pub(crate) fn write<'a>(users: impl Iterator<Item = &'a User>) -> Vec<u8> {
    let mut text = Vec::new();
    for user in users {
        text.extend(line(user));
        text.push(b'\n');
    }
    text
}

/// The line of one user.
pub(crate) fn line(user: &User) -> Vec<u8> {
    [b"user ", &user.name[..], b" ", &user.text()].concat()
}

/// The same for a configuration file, which is split at blanks too, but knows quotes.
///
/// Compat: Redis writes no quotes, and then can't read a pattern with one in it.
pub(crate) fn config_line(user: &User) -> Vec<u8> {
    let quoted = |word: &[u8]| match split_args(word) {
        Ok(words) if words.len() == 1 && words[0] == word => word.to_vec(),
        _ => repr(word),
    };
    line(user).split(|byte| *byte == b' ').map(quoted).collect::<Vec<_>>().join(&b' ')
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
        let users = read(text.as_bytes(), "f", false).expect("valid");
        let written = write(users.values());
        assert_eq!(read(&written, "f", false).expect("valid"), users);
        let alice = users[&b"alice"[..]].text();
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
        let users = read(b"user a on", "f", false).expect("valid");
        assert!(users[&b"default"[..]].is_open());
    }
}
