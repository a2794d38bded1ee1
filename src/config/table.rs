//! The table of directives: one [`Row`] for each, and the lookups over all of them.
//!
//! A row says what a directive is called, which values it takes, which field of the configuration
//! holds it, and how CONFIG treats it. The rows themselves are in `rows`; the few directives that
//! are neither a word, a number nor a text are in `special`; `check` has the extra conditions.

mod check;
mod rows;
mod special;
mod value;

use super::Config;
use std::borrow::Cow;

/// Why a value was refused, in the words clients see.
pub(crate) type Reason = Cow<'static, str>;

/// Can't be set at run time.
pub(crate) const IMMUTABLE: u16 = 1 << 0;
/// Takes any number of arguments.
pub(crate) const MULTI: u16 = 1 << 1;
/// Left out when CONFIG GET is given a pattern.
pub(crate) const HIDDEN: u16 = 1 << 2;
/// A secret: to be redacted where commands are shown.
pub(crate) const SENSITIVE: u16 = 1 << 3;
/// Set at run time only as `enable-protected-configs` allows.
pub(crate) const PROTECTED: u16 = 1 << 4;
/// Refused while data is being loaded.
pub(crate) const DENY_LOADING: u16 = 1 << 5;
/// Counts as changed even when set to the value it has, since what it names may have changed.
pub(crate) const VOLATILE: u16 = 1 << 6;
/// Listed in crash reports.
pub(crate) const CRASH: u16 = 1 << 7;

/// Not every redis-server of 7.2 knows it: the directives of later servers, and of builds for
/// tests. Written to a file only where it is set.
pub(crate) const UNSURE: u16 = 1 << 8;

/// One directive.
#[derive(Debug)]
pub(crate) struct Row {
    /// Its name.
    pub name: &'static str,
    /// A second name, listed by CONFIG GET beside the first.
    pub alias: Option<&'static str>,
    /// Names that later servers gave it: accepted, but not listed.
    pub also: &'static [&'static str],
    /// What it can be, and where it is kept.
    pub kind: Kind,
    /// How it is treated: [`IMMUTABLE`] and its siblings.
    pub flags: u16,
    /// What comes of setting it.
    pub effect: Effect,
}

/// What comes of setting a directive to something else than its default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The server acts on it.
    Acts,
    /// Nothing, and nobody is worse off for it: it is kept and shown, and the log says once that it
    /// has no effect.
    None,
    /// Nothing yet, and whoever sets it relies on it for access or data: the start is refused, and
    /// so is CONFIG SET. The text says why.
    Refused(&'static str),
}

/// The type of a directive, with the field that it is.
#[derive(Debug)]
pub(crate) enum Kind {
    /// `yes` or `no`.
    Bool {
        /// Reads the field.
        get: fn(&Config) -> bool,
        /// Writes it.
        set: fn(&mut Config, bool),
    },
    /// An integer from `min` to `max`. 128 bits hold every integer type a field may have.
    Int {
        /// Reads the field.
        get: fn(&Config) -> i128,
        /// Writes it.
        set: fn(&mut Config, i128),
        /// The least value.
        min: i128,
        /// The greatest value.
        max: i128,
        /// How it is written.
        unit: Unit,
    },
    /// Any text that `check` lets pass.
    Text {
        /// Reads the field.
        get: fn(&Config) -> &Vec<u8>,
        /// Gives access to it.
        get_mut: fn(&mut Config) -> &mut Vec<u8>,
        /// What the empty text means.
        empty: Empty,
        /// Further conditions.
        check: fn(&[u8]) -> Result<(), &'static str>,
    },
    /// One of several words.
    Choice {
        /// Reads the number of the word.
        get: fn(&Config) -> u32,
        /// Writes it.
        set: fn(&mut Config, u32),
        /// The words and their numbers.
        names: &'static [(&'static str, u32)],
    },
    /// Any number of words, each a bit (or none).
    Flags {
        /// Reads the bits.
        get: fn(&Config) -> u32,
        /// Writes them.
        set: fn(&mut Config, u32),
        /// The words and their bits.
        names: &'static [(&'static str, u32)],
        /// Further conditions on the combination.
        check: fn(u32) -> Result<(), &'static str>,
    },
    /// A form of its own.
    Special(&'static Special),
}

/// How an integer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Decimal.
    None,
    /// With an optional unit of memory.
    Memory,
    /// The same, or a percentage, which is kept as a negative number.
    MemoryOrPercent,
    /// Octal.
    Octal,
}

/// What the empty text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Empty {
    /// A value like any other.
    Kept,
    /// That the directive is not given: CONFIG REWRITE drops it.
    Unset,
}

/// The lines of a directive in a rewritten file, without its name: the arguments, and whether the
/// line must be written even where the file did not have it.
pub(crate) type Lines = Vec<(Vec<u8>, bool)>;

/// Checks all arguments of a directive, and only then changes the field.
pub(crate) type Setter = fn(&mut Config, &[&[u8]], &mut Setting) -> Result<(), Reason>;

/// The functions of a directive with a form of its own.
#[derive(Debug)]
pub(crate) struct Special {
    /// Sets it from its arguments.
    pub set: Setter,
    /// The value as CONFIG GET shows it.
    pub get: fn(&Config) -> Vec<u8>,
    /// Its lines in a rewritten file.
    pub lines: fn(&Config) -> Lines,
}

/// The circumstances in which a directive is set.
#[derive(Debug, Default)]
pub(crate) struct Setting {
    /// From a file or the command line, where several `save` lines add up, rather than by CONFIG
    /// SET.
    pub from_file: bool,
    /// Whether a `save` line has been read, which replaces the default save points.
    pub save_seen: bool,
    /// What the log should say about values that are accepted although they are doubtful.
    pub warnings: Vec<&'static str>,
}

impl Row {
    /// Whether the row has `flag`.
    pub(crate) fn is(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    /// Every name that the directive can be given by.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        [self.name].into_iter().chain(self.alias).chain(self.also.iter().copied())
    }

    /// Whether it has another value than by default.
    fn is_set(&self, config: &Config) -> bool {
        self.value(config) != self.value(defaults())
    }

    /// Why the server can't run with the value that the directive has; None if it can.
    pub(crate) fn refusal(&self, config: &Config) -> Option<&'static str> {
        match self.effect {
            Effect::Refused(why) if self.is_set(config) => Some(why),
            _ => None,
        }
    }

    /// The value as CONFIG GET shows it.
    pub(crate) fn value(&self, config: &Config) -> Vec<u8> {
        value::print(&self.kind, config)
    }

    /// Sets the directive from its arguments, or changes nothing. Tells whether the value is new.
    pub(crate) fn set(
        &self,
        config: &mut Config,
        args: &[&[u8]],
        setting: &mut Setting,
    ) -> Result<bool, Reason> {
        let before = self.value(config);
        value::parse(self, config, args, setting)?;
        Ok(self.is(VOLATILE) || self.value(config) != before)
    }

    /// The directive's lines in a rewritten file. None at all: the file must not have any.
    pub(crate) fn lines(&self, config: &Config) -> Lines {
        value::lines(&self.kind, config, defaults())
    }
}

/// Directives that only a file can have.
pub(crate) const FILE_ONLY: [&str; 6] =
    ["include", "rename-command", "user", "role", "loadmodule", "sentinel"];

/// All directives.
pub(crate) fn rows() -> impl Iterator<Item = &'static Row> {
    rows::GROUPS.iter().flat_map(|group| group.iter())
}

/// A directive and the one of its names that it was asked for by, in its official spelling.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named {
    /// The directive.
    pub row: &'static Row,
    /// The name.
    pub name: &'static str,
}

/// Finds a directive by any of its names, in any case. O(number of directives).
pub(crate) fn find(name: &[u8]) -> Option<Named> {
    rows().find_map(|row| {
        let name = row.names().find(|n| n.as_bytes().eq_ignore_ascii_case(name))?;
        Some(Named { row, name })
    })
}

/// The directives that the server does not act on and that are set to something else than their
/// default. The log owes the user a word about each.
pub(crate) fn inert(config: &Config) -> impl Iterator<Item = &'static Row> {
    rows().filter(|row| row.effect != Effect::Acts && row.is_set(config))
}

/// The directives that must not be neglected and can't be honoured, with the reason why not.
pub(crate) fn refused(config: &Config) -> impl Iterator<Item = (&'static Row, &'static str)> {
    rows().filter_map(|row| Some((row, row.refusal(config)?)))
}

/// The configuration of a server that was not told anything.
pub(crate) fn defaults() -> &'static Config {
    static DEFAULTS: std::sync::LazyLock<Config> = std::sync::LazyLock::new(Config::default);
    &DEFAULTS
}
