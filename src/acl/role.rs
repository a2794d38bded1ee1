//! Roles: rights with a name, which any number of users may have besides their own.
//!
//! Compat: Redis has no roles. The rules are those of Valkey 9.2.
//!
//! A role that is in force never changes: another takes its place, and every user that has it gets
//! the new one in the same step (`Acl::put_role`). So a user needs nobody to know what it may do.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::rights::Rights;
use super::rule::Fault;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Role {
    pub name: Vec<u8>,
    rights: Rights,
}

impl Role {
    /// A role that allows nothing. New users may have all channels by `acl-pubsub-default`; a role
    /// has those that its rules name.
    pub(crate) fn new(name: &[u8]) -> Role {
        Role { name: name.to_vec(), rights: Rights::new(false) }
    }

    pub(crate) fn rights(&self) -> &Rights {
        &self.rights
    }

    /// Obeys a rule, if it is not one about users.
    pub(crate) fn obey(&mut self, rule: &[u8]) -> Result<(), Fault> {
        const OF_USERS: [&[u8]; 8] = [
            b"on",
            b"off",
            b"nopass",
            b"resetpass",
            b"reset",
            b"resetroles",
            b"sanitize-payload",
            b"skip-sanitize-payload",
        ];
        match rule {
            b"" => Ok(()),
            [b'>' | b'<' | b'#' | b'!', ..] => Err(Fault::OfUsers),
            _ if names_of_roles(rule).is_some() => Err(Fault::OfUsers),
            _ if OF_USERS.iter().any(|word| rule.eq_ignore_ascii_case(word)) => Err(Fault::OfUsers),
            _ => self.rights.obey(rule),
        }
    }
}

/// What stands behind `role=`; None: the rule is another one.
pub(crate) fn names_of_roles(rule: &[u8]) -> Option<&[u8]> {
    const RULE: usize = b"role=".len();
    let (start, names) = rule.split_at_checked(RULE)?;
    start.eq_ignore_ascii_case(b"role=").then_some(names)
}

/// What is wrong with the name of a role. Files and lists of roles hold names as they are.
pub(crate) fn fault_of_name(name: &[u8]) -> Option<&'static str> {
    match () {
        () if name.is_empty() => Some("Role names can't be empty"),
        () if !name.iter().all(u8::is_ascii_graphic) => {
            Some("Role names must be made of printable ASCII characters without spaces")
        }
        () if name.contains(&b',') => Some("Role names can't contain commas"),
        () if name.iter().any(|b| matches!(b, b'"' | b'\'' | b'\\')) => {
            Some("Role names can't contain quotes or backslashes")
        }
        () => None,
    }
}

/// All roles, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Roles(BTreeMap<Vec<u8>, Rc<Role>>);

impl Roles {
    pub(crate) fn get(&self, name: &[u8]) -> Option<&Rc<Role>> {
        self.0.get(name)
    }

    /// In order of name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Role> {
        self.0.values().map(|role| &**role)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes a role in the place of the one with its name. Users keep the old one.
    pub(crate) fn put(&mut self, role: Rc<Role>) {
        self.0.insert(role.name.clone(), role);
    }

    pub(crate) fn remove(&mut self, name: &[u8]) -> bool {
        self.0.remove(name).is_some()
    }

    /// The roles of a list with commas, each once.
    pub(crate) fn named(&self, names: &[u8]) -> Result<Vec<Rc<Role>>, Fault> {
        let mut roles: Vec<Rc<Role>> = Vec::new();
        // A list that is no list is told before a role that is missing.
        if names.split(|byte| *byte == b',').any(<[u8]>::is_empty) {
            return Err(Fault::Syntax);
        }
        for name in names.split(|byte| *byte == b',') {
            let role = self.get(name).ok_or(Fault::NoRole)?;
            if !roles.iter().any(|known| known.name == role.name) {
                roles.push(Rc::clone(role));
            }
        }
        Ok(roles)
    }
}
