//! Who may do what: users with their passwords and rules.
//!
//! ```text
//! pattern    patterns of keys and channels     rule   what can be wrong with rules
//! keys       many patterns of keys at once
//! selector   commands, keys and channels that are allowed
//! rights     several selectors                 role   rights with a name, for any number of users
//! user       passwords, rights and roles       file   users and roles as lines of text
//! log        what was denied                   suspects   addresses that guess passwords
//! ```
//! Rules are Redis's (documentation, "ACL"). The registry knows users by number: a client keeps the
//! number of its user, and the number of a user that is gone leads to nobody.

pub(crate) mod file;
pub mod fuzz;
pub(crate) mod keys;
pub(crate) mod log;
pub(crate) mod pattern;
pub(crate) mod rights;
pub(crate) mod role;
pub(crate) mod rule;
pub(crate) mod selector;
pub(crate) mod suspects;
#[cfg(test)]
mod tests;
pub(crate) mod user;

use std::collections::BTreeMap;
use std::rc::Rc;

use file::Held;
use log::Log;
use role::{Role, Roles};
use rule::{Fault, merge};
use suspects::Suspects;
use user::User;

/// The number of a user; it is never used again.
pub(crate) type UserId = u32;

/// The user that everybody is who has not logged in as another.
pub(crate) const DEFAULT: UserId = 0;
const DEFAULT_NAME: &[u8] = b"default";

#[derive(Debug)]
pub(crate) struct Acl {
    by_name: BTreeMap<Vec<u8>, UserId>,
    /// Users by the lower bits of their numbers. The upper bits change when a place is used again.
    places: Vec<Place>,
    /// Numbers whose places are empty.
    free: Vec<UserId>,
    roles: Roles,
    pub log: Log,
    pub suspects: Suspects,
    /// New users may use all channels (`acl-pubsub-default`).
    pub all_channels: bool,
}

#[derive(Debug)]
struct Place {
    /// The number of its user, or that of the next one.
    id: UserId,
    user: Option<User>,
}

/// Users at most, and the step from a number to the next one of the same place.
const PLACES: u32 = 1 << 20;

/// What a change means for the clients of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    pub id: UserId,
    /// Subscriptions may have become forbidden.
    pub loses_channels: bool,
}

impl Default for Acl {
    fn default() -> Acl {
        Acl {
            by_name: BTreeMap::from([(DEFAULT_NAME.to_vec(), DEFAULT)]),
            places: vec![Place { id: DEFAULT, user: Some(User::default_user()) }],
            free: Vec::new(),
            roles: Roles::default(),
            log: Log::default(),
            suspects: Suspects::default(),
            all_channels: false,
        }
    }
}

impl Acl {
    #[inline]
    pub(crate) fn get(&self, id: UserId) -> Option<&User> {
        let place = self.places.get((id % PLACES) as usize)?;
        if place.id == id { place.user.as_ref() } else { None }
    }

    fn place_mut(&mut self, id: UserId) -> Option<&mut Option<User>> {
        let place = self.places.get_mut((id % PLACES) as usize)?;
        (place.id == id).then_some(&mut place.user)
    }

    fn keep(&mut self, id: UserId, user: User) {
        if let Some(place) = self.place_mut(id) {
            *place = Some(user);
        }
    }

    /// Empties a place; nobody has its number any more.
    fn empty(&mut self, id: UserId) {
        if let Some(place) = self.places.get_mut((id % PLACES) as usize).filter(|p| p.id == id) {
            place.user = None;
            place.id = place.id.wrapping_add(PLACES);
            self.free.push(place.id);
        }
    }

    pub(crate) fn find(&self, name: &[u8]) -> Option<UserId> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn by_name(&self, name: &[u8]) -> Option<&User> {
        self.get(self.find(name)?)
    }

    /// The name of a user, for lists of clients.
    pub(crate) fn name_of(&self, id: UserId) -> &[u8] {
        self.get(id).map_or(b"(deleted)", |user| &user.name)
    }

    /// In order of name.
    pub(crate) fn users(&self) -> impl Iterator<Item = &User> {
        self.by_name.values().filter_map(|id| self.get(*id))
    }

    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Who logs in with this name and password.
    pub(crate) fn log_in(&self, name: &[u8], password: &[u8]) -> Option<UserId> {
        let id = self.find(name)?;
        self.get(id)?.accepts(password).then_some(id)
    }

    /// The user of this name, if it may log in at all.
    pub(crate) fn find_enabled(&self, name: &[u8]) -> Option<UserId> {
        self.find(name).filter(|id| self.get(*id).is_some_and(|user| user.on))
    }

    /// Whether everybody is let in without a login.
    pub(crate) fn lets_everybody_in(&self) -> bool {
        self.get(DEFAULT).is_some_and(|user| user.no_pass && user.on)
    }

    /// Whether the default user may not do everything.
    pub(crate) fn default_is_restricted(&self) -> bool {
        self.get(DEFAULT).is_some_and(|user| !user.is_open())
    }

    /// Whether any password is the default user's.
    pub(crate) fn default_needs_no_password(&self) -> bool {
        self.get(DEFAULT).is_some_and(|user| user.no_pass)
    }

    /// Obeys all rules or none, for a user that is made if there is none. The error is Redis's
    /// text.
    pub(crate) fn set(&mut self, name: &[u8], words: &[&[u8]]) -> Result<Changed, Vec<u8>> {
        let rules = merged(words)?;
        let known = self.find(name);
        let old = known.and_then(|id| self.get(id));
        let mut user = old.cloned().unwrap_or_else(|| User::new(name, self.all_channels));
        for rule in &rules {
            user.obey(rule, self.all_channels, &self.roles)
                .map_err(|fault| wrong_rule("SETUSER", rule, fault))?;
        }
        let loses_channels = old.is_some_and(|old| user.takes_channels_from(old));
        let id = known.unwrap_or_else(|| self.number(name));
        self.keep(id, user);
        Ok(Changed { id, loses_channels })
    }

    /// Takes a user in the place of the one with its name.
    pub(crate) fn put(&mut self, user: User) {
        let id = self.find(&user.name).unwrap_or_else(|| self.number(&user.name));
        self.keep(id, user);
    }

    /// A number for a user of this name, who is to be kept under it. O(log users).
    fn number(&mut self, name: &[u8]) -> UserId {
        let id = self.free.pop().unwrap_or_else(|| {
            let id = u32::try_from(self.places.len()).ok().filter(|id| *id < PLACES);
            let id = id.expect("a million users take more memory than a machine has for them");
            self.places.push(Place { id, user: None });
            id
        });
        self.by_name.insert(name.to_vec(), id);
        id
    }

    /// Removes a user; its number, which clients may still have.
    pub(crate) fn remove(&mut self, name: &[u8]) -> Option<UserId> {
        let id = self.by_name.remove(name)?;
        self.empty(id);
        Some(id)
    }

    pub(crate) fn roles(&self) -> &Roles {
        &self.roles
    }

    /// The users that have a role, in order of name. O(users).
    pub(crate) fn holders(&self, role: &[u8]) -> impl Iterator<Item = &User> {
        self.users().filter(move |user| user.has_role(role))
    }

    /// Obeys all rules or none, for a role that is made if there is none. The error is a whole
    /// text. O(rules + users).
    pub(crate) fn set_role(
        &mut self,
        name: &[u8],
        words: &[&[u8]],
    ) -> Result<Vec<UserId>, Vec<u8>> {
        if let Some(fault) = role::fault_of_name(name) {
            return Err(fault.into());
        }
        let rules = merged(words)?;
        let old = self.roles.get(name);
        let mut role = old.map_or_else(|| Role::new(name), |old| Role::clone(old));
        for rule in &rules {
            role.obey(rule).map_err(|fault| wrong_rule("SETROLE", rule, fault))?;
        }
        Ok(self.put_role(role))
    }

    /// Takes a role in the place of the one with its name, also for the users that have it.
    /// Returns those whose subscriptions may have become forbidden.
    pub(crate) fn put_role(&mut self, role: Role) -> Vec<UserId> {
        let role = Rc::new(role);
        self.roles.put(Rc::clone(&role));
        let mut losers = Vec::new();
        for place in &mut self.places {
            let Some(user) = place.user.as_mut().filter(|user| user.has_role(&role.name)) else {
                continue;
            };
            let old = user.clone();
            user.renew_role(&role);
            if user.takes_channels_from(&old) {
                losers.push(place.id);
            }
        }
        losers
    }

    /// Removes roles, all or none, and counts those that were there. The error is a whole text.
    pub(crate) fn remove_roles(&mut self, names: &[&[u8]]) -> Result<usize, Vec<u8>> {
        for name in names {
            if self.holders(name).next().is_some() {
                let end = b"' is assigned to one or more users. Remove it from them first.";
                return Err([b"Role '", *name, end].concat());
            }
        }
        Ok(names.iter().filter(|name| self.roles.remove(name)).count())
    }

    /// Takes other users and roles in the place of all. The default user keeps its number; the
    /// other users are new, also those that were there before.
    pub(crate) fn replace(&mut self, held: Held) {
        let Held { roles, users } = held;
        self.roles = roles;
        let old = std::mem::replace(
            &mut self.by_name,
            BTreeMap::from([(DEFAULT_NAME.to_vec(), DEFAULT)]),
        );
        old.into_values().filter(|id| *id != DEFAULT).for_each(|id| self.empty(id));
        for (name, user) in users {
            let known = self.find(&name);
            let id = known.unwrap_or_else(|| self.number(&name));
            self.keep(id, user);
        }
    }

    /// The default user's password is this one alone; an empty one: it has none.
    pub(crate) fn set_default_password(&mut self, password: &[u8]) {
        let Some(Some(user)) = self.place_mut(DEFAULT) else { return };
        let rules = match password.is_empty() {
            true => [b"resetpass".to_vec(), b"nopass".to_vec()],
            false => [b"resetpass".to_vec(), [b">", password].concat()],
        };
        for rule in rules {
            let obeyed = user.obey(&rule, true, &Roles::default());
            debug_assert_eq!(obeyed, Ok(()));
        }
    }
}

/// Rules made of words. The error is Redis's text.
fn merged(words: &[&[u8]]) -> Result<Vec<Vec<u8>>, Vec<u8>> {
    merge(words).map_err(|i| {
        let start = b"Unmatched parenthesis in acl selector starting at '";
        [&start[..], words[i], b"'."].concat()
    })
}

fn wrong_rule(command: &str, rule: &[u8], fault: Fault) -> Vec<u8> {
    let start = [b"Error in ACL ", command.as_bytes(), b" modifier '"].concat();
    [&start, rule, b"': ", fault.text().as_bytes()].concat()
}
