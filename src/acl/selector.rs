//! What may be done: commands, keys and channels. A user has one selector of its own and may have
//! more; one that allows the whole command is enough.

use std::collections::{BTreeMap, BTreeSet};

use super::keys::{Form, KeyPattern, KeyRules, TooMany};
use super::pattern::Pattern;
use super::rule::Fault;
use crate::commands::spec::{self, Spec};
use crate::util::num;

/// Commands by index in `spec::all()`, a bit each.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Bits([u64; WORDS]);

/// Words of bits: there are some 400 commands.
const WORDS: usize = 8;

impl Bits {
    fn filled(on: bool) -> Bits {
        assert!(spec::all().len() <= WORDS * 64, "each command has a bit");
        Bits([if on { u64::MAX } else { 0 }; WORDS])
    }
    fn has(&self, i: u16) -> bool {
        // There are no more commands (`filled`), so nothing is wrapped, nor checked for it.
        self.0[usize::from(i) / 64 % WORDS] & 1 << (i % 64) != 0
    }
    fn set(&mut self, i: u16, on: bool) {
        let (word, bit) = (&mut self.0[usize::from(i) / 64], 1 << (i % 64));
        if on { *word |= bit } else { *word &= !bit }
    }
}

/// What is denied, and which argument is to blame. The order is that in which one of several is
/// picked for the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Denied {
    /// One that is named, or the selected one (then it is the command's name).
    Database(usize),
    Command,
    Key(usize),
    Channel(usize),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selector {
    all_commands: bool,
    /// It began with all commands: those of later versions are allowed too.
    future: bool,
    allowed: Bits,
    /// Commands that are not allowed but with these words as the first argument.
    first_args: BTreeMap<u16, BTreeSet<Vec<u8>>>,
    /// The rules about commands in order, without those that later ones make superfluous: allowed
    /// or not, and a name or `@category`.
    rules: Vec<(bool, Vec<u8>)>,
    all_keys: bool,
    keys: KeyRules,
    all_channels: bool,
    channels: Vec<Pattern>,
    /// Rules of Valkey 9.1: which databases may be used, in order of number.
    all_databases: bool,
    databases: Vec<u32>,
}

impl Selector {
    /// One that allows nothing but, perhaps, all channels.
    pub(crate) fn new(all_channels: bool) -> Selector {
        Selector {
            all_commands: false,
            future: false,
            allowed: Bits::filled(false),
            first_args: BTreeMap::new(),
            rules: Vec::new(),
            all_keys: false,
            keys: KeyRules::default(),
            all_channels,
            channels: Vec::new(),
            all_databases: true,
            databases: Vec::new(),
        }
    }

    /// Whether there is nothing to check.
    pub(crate) fn is_open(&self) -> bool {
        self.all_commands && self.all_keys && self.all_channels && self.all_databases
    }

    pub(crate) fn all_keys(&self) -> bool {
        self.all_keys
    }

    pub(crate) fn key_patterns(&self) -> &[KeyPattern] {
        self.keys.list()
    }

    pub(crate) fn all_channels(&self) -> bool {
        self.all_channels
    }

    pub(crate) fn channels(&self) -> &[Pattern] {
        &self.channels
    }

    /// Obeys a rule.
    pub(crate) fn obey(&mut self, rule: &[u8]) -> Result<(), Fault> {
        match rule.to_ascii_lowercase().as_slice() {
            b"allkeys" | b"~*" => {
                self.all_keys = true;
                self.keys.clear();
                return Ok(());
            }
            b"resetkeys" => {
                self.all_keys = false;
                self.keys.clear();
                return Ok(());
            }
            b"allchannels" | b"&*" => {
                self.all_channels = true;
                self.channels.clear();
                return Ok(());
            }
            b"resetchannels" => {
                self.all_channels = false;
                self.channels.clear();
                return Ok(());
            }
            b"alldbs" => {
                (self.all_databases, self.databases) = (true, Vec::new());
                return Ok(());
            }
            b"resetdbs" => {
                (self.all_databases, self.databases) = (false, Vec::new());
                return Ok(());
            }
            b"allcommands" | b"+@all" => {
                self.set_all(true);
                return Ok(());
            }
            b"nocommands" | b"-@all" => {
                self.set_all(false);
                return Ok(());
            }
            _ => {}
        }
        match rule {
            [b'~' | b'%', ..] => self.add_key_pattern(rule),
            [b'&', pattern @ ..] => self.add_channel(pattern),
            [sign @ (b'+' | b'-'), b'@', category @ ..] => self.category(category, *sign == b'+'),
            [b'+', name @ ..] => self.allow(name),
            [b'-', name @ ..] => self.deny(name),
            [b'd' | b'D', b'b' | b'B', b'=', numbers @ ..] => self.set_databases(numbers),
            _ => Err(Fault::Syntax),
        }
    }

    fn set_all(&mut self, on: bool) {
        self.allowed = Bits::filled(on);
        (self.all_commands, self.future) = (on, on);
        self.rules.clear();
        self.first_args.clear();
    }

    fn add_key_pattern(&mut self, rule: &[u8]) -> Result<(), Fault> {
        if self.all_keys {
            return Err(Fault::AfterAllKeys);
        }
        let (mut read, mut write, mut at) = (true, true, 1);
        if rule[0] == b'%' {
            (read, write) = (false, false);
            while let Some(byte) = rule.get(at) {
                at += 1;
                match byte.to_ascii_uppercase() {
                    b'R' if !read => read = true,
                    b'W' if !write => write = true,
                    b'~' if read || write => break,
                    _ => return Err(Fault::Syntax),
                }
            }
            if !(read || write) {
                return Err(Fault::Syntax);
            }
        }
        let text = &rule[at..];
        if has_spaces(text) {
            return Err(Fault::Syntax);
        }
        self.keys.add(text, read, write).map_err(|TooMany| Fault::Syntax)
    }

    fn add_channel(&mut self, text: &[u8]) -> Result<(), Fault> {
        if self.all_channels {
            return Err(Fault::AfterAllChannels);
        }
        if has_spaces(text) {
            return Err(Fault::Syntax);
        }
        if !self.channels.iter().any(|known| known.text() == text) {
            self.channels.push(Pattern::new(text));
        }
        Ok(())
    }

    /// These databases, in the place of those before.
    fn set_databases(&mut self, numbers: &[u8]) -> Result<(), Fault> {
        let mut databases = Vec::new();
        for text in numbers.split(|byte| *byte == b',') {
            let number = num::parse_i64(text).ok_or(Fault::Syntax)?;
            let number = i32::try_from(number).ok().and_then(|n| u32::try_from(n).ok());
            databases.push(number.ok_or(Fault::DatabaseRange)?);
        }
        databases.sort_unstable();
        databases.dedup();
        (self.all_databases, self.databases) = (false, databases);
        Ok(())
    }

    fn category(&mut self, name: &[u8], on: bool) -> Result<(), Fault> {
        let bit = category(name).ok_or(Fault::Unknown)?;
        self.note([b"@", &name.to_ascii_lowercase()[..]].concat(), on);
        for spec in spec::all().iter().filter(|spec| spec.acl & bit != 0) {
            self.set(spec, on);
        }
        Ok(())
    }

    fn allow(&mut self, name: &[u8]) -> Result<(), Fault> {
        let Some(bar) = name.iter().rposition(|b| *b == b'|') else {
            let spec = lookup(name).ok_or(Fault::Unknown)?;
            self.set(spec, true);
            self.note(spec.name.into(), true);
            return Ok(());
        };
        let (of, sub) = (&name[..bar], &name[bar + 1..]);
        let spec = lookup(of).ok_or(Fault::Unknown)?;
        if spec.sub().is_some() {
            return Err(Fault::FirstArgOfSub);
        }
        // Compat: Redis takes blanks, and then can't show the user's rules without ending.
        if sub.is_empty() || has_spaces(sub) {
            return Err(Fault::Syntax);
        }
        if subs(spec).next().is_some() {
            let sub = lookup(name).ok_or(Fault::Unknown)?;
            self.set(sub, true);
        } else {
            self.first_args.entry(spec.index).or_default().insert(sub.to_ascii_lowercase());
        }
        self.note(name.to_ascii_lowercase(), true);
        Ok(())
    }

    fn deny(&mut self, name: &[u8]) -> Result<(), Fault> {
        let spec = lookup(name).ok_or(Fault::Unknown)?;
        self.set(spec, false);
        self.note(spec.name.into(), false);
        Ok(())
    }

    /// Allows a command with its subcommands, or denies them.
    fn set(&mut self, spec: &'static Spec, on: bool) {
        self.first_args.remove(&spec.index);
        for spec in std::iter::once(spec).chain(subs(spec)) {
            self.allowed.set(spec.index, on);
        }
        self.all_commands &= on;
    }

    /// Keeps a rule. Earlier ones about the same, or about its subcommands, have no effect any
    /// more.
    fn note(&mut self, name: Vec<u8>, on: bool) {
        let covered = |known: &[u8]| {
            known.strip_prefix(&name[..]).is_some_and(|r| r.is_empty() || r.starts_with(b"|"))
        };
        self.rules.retain(|(_, known)| !covered(known));
        self.rules.push((on, name));
    }

    /// Whether the command may run, as far as a quick look tells: false may mean that it takes a
    /// longer one. It is for commands with one key, as most are: none of them has channels.
    #[inline(always)]
    pub(crate) fn allows_at_once(&self, spec: &Spec, argv: &[&[u8]]) -> bool {
        self.all_databases
            && self.allowed.has(spec.index)
            && argv.get(1).is_some_and(|key| {
                spec.use_of_only_key()
                    .is_some_and(|uses| self.all_keys || self.keys.allow_at_once(key, uses))
            })
    }

    /// Whether the command with these arguments may run. O(keys), however many patterns there are
    /// that begin with letters which stand for themselves.
    #[inline(never)]
    pub(crate) fn check(&self, spec: &Spec, argv: &[&[u8]], db: u32) -> Result<(), Denied> {
        if !self.all_databases {
            self.check_databases(spec, argv, db)?;
        }
        if !self.allowed.has(spec.index) && !self.allows_otherwise(spec, argv) {
            return Err(Denied::Command);
        }
        if !self.all_keys {
            self.check_keys(spec, argv)?;
        }
        if !self.all_channels {
            self.check_channels(spec, argv)?;
        }
        Ok(())
    }

    /// Whether a command is allowed although its bit is not set: everybody may log in, and its
    /// first argument may be among those that are.
    #[cold]
    fn allows_otherwise(&self, spec: &Spec, argv: &[&[u8]]) -> bool {
        // A subcommand's name comes before its first argument.
        let at = if spec.sub().is_some() { 2 } else { 1 };
        let word = argv.get(at).copied().unwrap_or_default();
        let words = self.first_args.get(&spec.index);
        let fits = |words: &BTreeSet<Vec<u8>>| words.iter().any(|w| w.eq_ignore_ascii_case(word));
        self.all_commands || spec.has(spec::NO_AUTH) || argv.len() >= 2 && words.is_some_and(fits)
    }

    /// Compat: as in Valkey 9.1, this comes before the command itself.
    fn check_databases(&self, spec: &Spec, argv: &[&[u8]], db: u32) -> Result<(), Denied> {
        let may = |number: u32| self.databases.binary_search(&number).is_ok();
        if spec.acts_on_all_databases() {
            return Err(Denied::Database(0));
        }
        for at in spec.databases_of(argv) {
            // What is no number, nobody has a right to.
            let number = num::parse_i64(argv[at]).and_then(|n| u32::try_from(n).ok());
            if !number.is_some_and(may) {
                return Err(Denied::Database(at));
            }
        }
        match spec.uses_selected_database() && !may(db) {
            true => Err(Denied::Database(0)),
            false => Ok(()),
        }
    }

    #[inline]
    fn check_keys(&self, spec: &Spec, argv: &[&[u8]]) -> Result<(), Denied> {
        if let Some(flags) = spec.one_key
            && let Some(key) = argv.get(1)
        {
            return if self.allows_key(key, flags) { Ok(()) } else { Err(Denied::Key(1)) };
        }
        if !spec.may_have_keys() {
            return Ok(());
        }
        let denies = |&(at, flags): &(usize, u16)| !self.allows_key(argv[at], flags);
        let denied = match spec.row_of_keys(argv) {
            Some(mut keys) => keys.find(denies),
            None => spec.keys_of(argv).into_iter().find(denies),
        };
        denied.map_or(Ok(()), |(at, _)| Err(Denied::Key(at)))
    }

    fn check_channels(&self, spec: &Spec, argv: &[&[u8]]) -> Result<(), Denied> {
        if !spec.has(spec::PUBSUB) {
            return Ok(());
        }
        let (is_pattern, last) = match spec.name {
            "subscribe" | "ssubscribe" => (false, argv.len()),
            "psubscribe" => (true, argv.len()),
            "publish" | "spublish" => (false, argv.len().min(2)),
            _ => return Ok(()),
        };
        for (at, channel) in argv.iter().enumerate().take(last).skip(1) {
            if !self.allows_channel(channel, is_pattern) {
                return Err(Denied::Channel(at));
            }
        }
        Ok(())
    }

    /// Whether a key may be used so.
    pub(crate) fn allows_key(&self, key: &[u8], use_of_key: u16) -> bool {
        self.all_keys || self.keys.allow(key, use_of_key)
    }

    /// Whether every key may be used so.
    pub(crate) fn allows_every_key(&self, use_of_key: u16) -> bool {
        self.all_keys || self.keys.allow_every(use_of_key)
    }

    /// Whether a channel, or a pattern of channels in exactly these words, may be used.
    pub(crate) fn allows_channel(&self, channel: &[u8], is_pattern: bool) -> bool {
        let fits = |known: &Pattern| match is_pattern {
            true => known.text() == channel,
            false => known.matches(channel),
        };
        self.all_channels || self.channels.iter().any(fits)
    }

    /// The rules about commands: `-@all +get` and so on.
    pub(crate) fn commands_text(&self) -> Vec<u8> {
        let mut text = if self.future { b"+@all".to_vec() } else { b"-@all".to_vec() };
        for (on, name) in &self.rules {
            text.extend(if *on { b" +" } else { b" -" });
            text.extend_from_slice(name);
        }
        text
    }

    /// The patterns of keys, with blanks between them.
    pub(crate) fn keys_text(&self, form: Form) -> Vec<u8> {
        if self.all_keys {
            return b"~*".to_vec();
        }
        self.keys.list().iter().map(|known| known.text(form)).collect::<Vec<_>>().join(&b' ')
    }

    /// The patterns of channels, with blanks between them.
    pub(crate) fn channels_text(&self) -> Vec<u8> {
        if self.all_channels {
            return b"&*".to_vec();
        }
        let rules = self.channels.iter().map(|known| [b"&", known.text()].concat());
        rules.collect::<Vec<_>>().join(&b' ')
    }

    /// The databases, empty if there are none; None while it may use all, as in Redis.
    pub(crate) fn databases_text(&self) -> Option<String> {
        let numbers: Vec<String> = self.databases.iter().map(u32::to_string).collect();
        match (self.all_databases, numbers.is_empty()) {
            (true, _) => None,
            (false, true) => Some(String::new()),
            (false, false) => Some(format!("db={}", numbers.join(","))),
        }
    }

    /// All rules, which make the same selector again.
    pub(crate) fn text(&self, form: Form) -> Vec<u8> {
        let mut text = Vec::new();
        let keys = self.keys_text(form);
        if !keys.is_empty() {
            text.extend([&keys[..], b" "].concat());
        }
        if !self.all_channels {
            text.extend(b"resetchannels ");
        }
        let channels = self.channels_text();
        if !channels.is_empty() {
            text.extend([&channels[..], b" "].concat());
        }
        if let Some(databases) = self.databases_text() {
            let rule = if databases.is_empty() { "resetdbs" } else { &databases };
            text.extend([rule.as_bytes(), b" "].concat());
        }
        text.extend(self.commands_text());
        text
    }
}

/// The command of this name, in any case; `container|sub` too. Renames have no effect here.
fn lookup(name: &[u8]) -> Option<&'static Spec> {
    spec::find(&std::str::from_utf8(name).ok()?.to_ascii_lowercase())
}

/// The subcommands of a command.
fn subs(spec: &Spec) -> impl Iterator<Item = &'static Spec> {
    // They stand behind it, but not all that stands behind it is one ("config" < "config|get").
    let name = spec.name;
    let behind = spec::all()[usize::from(spec.index) + 1..].iter();
    behind
        .take_while(move |s| s.name.starts_with(name))
        .filter(move |s| s.container() == Some(name))
}

/// The bit of a category, whose name may be in any case.
pub(crate) fn category(name: &[u8]) -> Option<u32> {
    let is = |known: &&str| known.as_bytes().eq_ignore_ascii_case(name);
    spec::CATEGORIES.iter().position(is).map(|i| 1 << i)
}

/// Blanks and NULs can't be in names and patterns: files would read them as two words.
pub(crate) fn has_spaces(text: &[u8]) -> bool {
    text.iter().any(|b| *b == 0 || b.is_ascii_whitespace() || *b == 0x0b)
}
