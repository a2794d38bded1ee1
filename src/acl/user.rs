//! A user: whether it may log in, with which passwords, and what it may do.

use std::rc::Rc;

use super::keys::Form;
use super::rights::Rights;
use super::role::{Role, Roles, names_of_roles};
use super::rule::Fault;
use super::selector::{Denied, Selector};
use crate::commands::spec::Spec;
use crate::util::bytes::same_secret;
use crate::util::sha256;

/// Digits of a password's SHA-256.
const HASH_LEN: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub name: Vec<u8>,
    pub on: bool,
    pub no_pass: bool,
    pub skip_sanitize: bool,
    /// SHA-256, in hexadecimal digits.
    passwords: Vec<String>,
    /// What it may do by itself.
    own: Rights,
    /// Each once, in the order in which they were given.
    roles: Vec<Rc<Role>>,
}

impl User {
    /// A user that may do nothing and can't log in. `all_channels`: the setting of new users.
    pub(crate) fn new(name: &[u8], all_channels: bool) -> User {
        User {
            name: name.to_vec(),
            on: false,
            no_pass: false,
            skip_sanitize: false,
            passwords: Vec::new(),
            own: Rights::new(all_channels),
            roles: Vec::new(),
        }
    }

    /// The default user of a server without settings: it may do everything, without a password.
    pub(crate) fn default_user() -> User {
        let mut user = User::new(b"default", true);
        for rule in ["+@all", "~*", "&*", "on", "nopass"] {
            let obeyed = user.obey(rule.as_bytes(), true, &Roles::default());
            debug_assert_eq!(obeyed, Ok(()));
        }
        user
    }

    /// Whether it may do everything, so that there is nothing to check.
    pub(crate) fn is_open(&self) -> bool {
        self.own.root().is_open()
    }

    /// Obeys a rule. `all_channels`: what `reset` makes of channels. `roles`: those there are.
    pub(crate) fn obey(
        &mut self,
        rule: &[u8],
        all_channels: bool,
        roles: &Roles,
    ) -> Result<(), Fault> {
        match rule.to_ascii_lowercase().as_slice() {
            b"" => {}
            b"on" => self.on = true,
            b"off" => self.on = false,
            b"skip-sanitize-payload" => self.skip_sanitize = true,
            b"sanitize-payload" => self.skip_sanitize = false,
            b"nopass" => (self.no_pass, self.passwords) = (true, Vec::new()),
            b"resetpass" => (self.no_pass, self.passwords) = (false, Vec::new()),
            b"resetroles" => self.roles.clear(),
            b"reset" => {
                let name = std::mem::take(&mut self.name);
                *self = User::new(&name, all_channels);
            }
            _ => return self.obey_other(rule, roles),
        }
        Ok(())
    }

    fn obey_other(&mut self, rule: &[u8], roles: &Roles) -> Result<(), Fault> {
        match rule {
            [mark @ (b'>' | b'<'), password @ ..] => {
                let hash = sha256::hex(password);
                if *mark == b'>' { self.add_password(hash) } else { self.remove_password(&hash)? }
            }
            [mark @ (b'#' | b'!'), hash @ ..] => {
                let hash = read_hash(hash)?;
                if *mark == b'#' { self.add_password(hash) } else { self.remove_password(&hash)? }
            }
            _ => match names_of_roles(rule) {
                Some(names) => self.roles = roles.named(names)?,
                None => self.own.obey(rule)?,
            },
        }
        Ok(())
    }

    fn add_password(&mut self, hash: String) {
        if !self.passwords.contains(&hash) {
            self.passwords.push(hash);
        }
        self.no_pass = false;
    }

    fn remove_password(&mut self, hash: &str) -> Result<(), Fault> {
        let at = self.passwords.iter().position(|known| known == hash).ok_or(Fault::NoPassword)?;
        self.passwords.remove(at);
        Ok(())
    }

    pub(crate) fn passwords(&self) -> &[String] {
        &self.passwords
    }

    /// Whether somebody who gives this password is this user. How long that takes says nothing of
    /// the right one.
    pub(crate) fn accepts(&self, password: &[u8]) -> bool {
        if !self.on {
            return false;
        }
        if self.no_pass {
            return true;
        }
        let hash = sha256::hex(password);
        let same = |known: &String| same_secret(known.as_bytes(), hash.as_bytes());
        self.passwords.iter().fold(false, |found, known| found | same(known))
    }

    /// The words for its state, in Redis's order.
    pub(crate) fn flags(&self) -> impl Iterator<Item = &'static str> {
        let state = if self.on { "on" } else { "off" };
        let payload = if self.skip_sanitize { "skip-sanitize-payload" } else { "sanitize-payload" };
        let pass = self.no_pass.then_some("nopass");
        [Some(state), pass, Some(payload)].into_iter().flatten()
    }

    /// What it may do without its roles.
    pub(crate) fn own(&self) -> &Rights {
        &self.own
    }

    pub(crate) fn roles(&self) -> &[Rc<Role>] {
        &self.roles
    }

    pub(crate) fn has_role(&self, name: &[u8]) -> bool {
        self.roles.iter().any(|role| role.name == name)
    }

    /// Takes a role in the place of the one with its name, if it has that.
    pub(crate) fn renew_role(&mut self, role: &Rc<Role>) {
        self.roles.iter_mut().filter(|old| old.name == role.name).for_each(|old| {
            *old = Rc::clone(role);
        });
    }

    fn all_selectors(&self) -> impl Iterator<Item = &Selector> {
        self.own.all().chain(self.roles.iter().flat_map(|role| role.rights().all()))
    }

    /// The rules that make the same user again, as a file has them.
    pub(crate) fn text(&self, form: Form) -> Vec<u8> {
        let mut text = Vec::new();
        for flag in self.flags() {
            text.extend([flag.as_bytes(), b" "].concat());
        }
        for hash in &self.passwords {
            text.extend([b"#", hash.as_bytes(), b" "].concat());
        }
        text.extend(self.own.text(form));
        if !self.roles.is_empty() {
            let names: Vec<&[u8]> = self.roles.iter().map(|role| &role.name[..]).collect();
            text.extend([b" role=", &names.join(&b',')[..]].concat());
        }
        text
    }

    /// Whether the command may run, as far as a quick look at its own rules tells.
    #[inline(always)]
    pub(crate) fn may_at_once(&self, spec: &Spec, argv: &[&[u8]]) -> bool {
        self.own.root().allows_at_once(spec, argv)
    }

    /// Whether its own rules allow the command.
    pub(crate) fn may_by_itself(&self, spec: &Spec, argv: &[&[u8]], db: u32) -> bool {
        self.own.root().check(spec, argv, db).is_ok()
    }

    /// Whether the command may run: one selector has to allow all of it. Of several reasons why
    /// not, the error names the one that came furthest. `db` is the selected database.
    pub(crate) fn check(&self, spec: &Spec, argv: &[&[u8]], db: u32) -> Result<(), Denied> {
        let mut worst = Denied::Database(0);
        for selector in self.all_selectors() {
            match selector.check(spec, argv, db) {
                Ok(()) => return Ok(()),
                Err(denied) => worst = worst.max(denied),
            }
        }
        Err(worst)
    }

    /// The same, and a selector that allows it has to allow every key for this use.
    pub(crate) fn check_every_key(
        &self,
        spec: &Spec,
        argv: &[&[u8]],
        db: u32,
        use_of_key: u16,
    ) -> bool {
        let fits = |selector: &Selector| {
            selector.check(spec, argv, db).is_ok() && selector.allows_every_key(use_of_key)
        };
        self.all_selectors().any(fits)
    }

    /// Whether subscriptions that were allowed to `old` may be against these rules.
    pub(crate) fn takes_channels_from(&self, old: &User) -> bool {
        if self.all_selectors().any(Selector::all_channels) {
            return false;
        }
        let here = |text: &[u8]| {
            self.all_selectors().flat_map(Selector::channels).any(|known| known.text() == text)
        };
        let gone = |selector: &Selector| {
            selector.all_channels() || selector.channels().iter().any(|known| !here(known.text()))
        };
        old.all_selectors().any(gone)
    }

    /// Whether any selector allows the channel, or the pattern of channels in these words.
    pub(crate) fn allows_channel(&self, channel: &[u8], is_pattern: bool) -> bool {
        self.all_selectors().any(|selector| selector.allows_channel(channel, is_pattern))
    }
}

fn read_hash(text: &[u8]) -> Result<String, Fault> {
    let fits = |b: &u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != HASH_LEN || !text.iter().all(fits) {
        return Err(Fault::BadHash);
    }
    Ok(String::from_utf8_lossy(text).into_owned())
}
