//! What fuzzers are pointed at: rules, the commands that they allow, and the file of users.

use std::rc::Rc;

use super::file;
use super::keys::Form;
use super::role::{Role, Roles, fault_of_name};
use super::rule::merge;
use super::selector::Selector;
use super::user::User;
use crate::commands::spec;
use crate::util::glob;
use crate::util::split::split_args;

/// The first line is a user's rules, as one word each; lines that begin with `role ` are roles that
/// it may have, with their rules; the others are commands that it may run or not.
///
/// Promises: the description of user and roles makes the same again, in the file of users and in a
/// configuration file; a table of patterns allows what its patterns allow one by one; keys in a row
/// are those that a look at the whole command finds.
pub fn rules(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let words: Vec<&[u8]> = lines.next().unwrap_or_default().split(|byte| *byte == b' ').collect();
    let Ok(rules) = merge(&words) else { return };
    let (of_roles, commands): (Vec<&[u8]>, Vec<&[u8]>) =
        lines.take(64).partition(|line| line.starts_with(b"role "));
    let mut roles = Roles::default();
    // Those with an error are none.
    of_roles.into_iter().filter_map(role).for_each(|role| roles.put(Rc::new(role)));
    let mut user = User::new(b"u", false);
    for rule in &rules {
        // A rule with an error may have been obeyed in part: nobody goes on with such a user.
        if user.obey(rule, false, &roles).is_err() {
            return;
        }
    }
    let text = file::write(&roles, std::iter::once(&user));
    let again = file::read(&text, "f", true).expect("its own description");
    assert_eq!(again.users.get(&b"u"[..]), Some(&user));
    assert_eq!(again.roles, roles);
    // A configuration file is split at blanks, with quotes.
    for line in roles
        .iter()
        .map(|role| file::role_line(role, Form::Kept))
        .chain([file::line(&user, Form::Kept)])
    {
        let split = split_args(&file::config_line(&line)).expect("balanced");
        assert_eq!(split.join(&b' '), line);
    }
    for line in commands {
        command(&user, line);
    }
}

/// The role of a line; None: something is wrong with it.
fn role(line: &[u8]) -> Option<Role> {
    let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').skip(1).collect();
    let (name, words) = words.split_first().filter(|(name, _)| fault_of_name(name).is_none())?;
    let mut role = Role::new(name);
    merge(words).ok()?.iter().all(|rule| role.obey(rule).is_ok()).then_some(role)
}

fn command(user: &User, line: &[u8]) {
    let argv: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let text = |word: &[u8]| String::from_utf8_lossy(word).to_ascii_lowercase();
    let name = text(argv[0]);
    let sub = argv.get(1).map(|sub| format!("{name}|{}", text(sub)));
    let found = sub.and_then(|sub| spec::find(&sub)).or_else(|| spec::find(&name));
    let Some(spec) = found.filter(|spec| spec.arity_ok(argv.len())) else { return };
    let keys = spec.keys_of(&argv);
    if let Some(row) = spec.row_of_keys(&argv) {
        assert_eq!(row.collect::<Vec<_>>(), keys);
    }
    for db in 0..3 {
        let by_itself = user.may_by_itself(spec, &argv, db);
        let allowed = user.check(spec, &argv, db).is_ok();
        assert!(allowed || !by_itself, "what it may by itself, it may");
        assert!(by_itself || !user.may_at_once(spec, &argv), "and so what is seen at once");
    }
    let of_roles = user.roles().iter().flat_map(|role| role.rights().all());
    for selector in user.own().all().chain(of_roles) {
        for (at, uses) in &keys {
            let expected = allows_one_by_one(selector, argv[*at], *uses);
            assert_eq!(selector.allows_key(argv[*at], *uses), expected);
        }
    }
}

fn allows_one_by_one(selector: &Selector, key: &[u8], uses: u16) -> bool {
    let fits = |text: &[u8]| glob::matches(text, key, false);
    let mut patterns = selector.key_patterns().iter();
    selector.all_keys() || patterns.any(|known| known.allows(uses) && fits(known.pattern.text()))
}

/// The text of a file of users.
pub fn file(data: &[u8]) {
    let Ok(held) = file::read(data, "f", false) else { return };
    let text = file::write(&held.roles, held.users.values());
    assert_eq!(file::read(&text, "f", true).expect("its own text"), held);
}
