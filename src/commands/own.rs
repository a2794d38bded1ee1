//! What this server must know of a command beside what COMMAND shows: words of ours in its row.
//!
//! They stand in the column of flags. Clients don't see them:
//!
//! ```text
//! ends_multi       ends a transaction, or the client with it: takes no room in a full memory
//! runs_in_multi    runs at once where others are queued
//! for_subscribers  may be sent by a client that is subscribed and speaks RESP2
//! exec             runs what was queued: its flags count too, and refused it ends the transaction
//! health           fails like a write while writes fail, so that probes notice
//! may_move         may copy its whole value, however short its arguments are
//! ends_load        may run while data of a primary is loaded, which it ends
//! changes_config   changes or writes the configuration, for the audit log
//! changes_users    changes, reads or writes users, for the audit log
//! modules          is guarded by enable-module-command, and not by enable-debug-command
//! element=N        argument N names an element to look up in the collection at the first key
//! secrets=RULE     which arguments are hidden from logs and watchers
//! finds=RULE       how its keys are found where the key specs leave something open
//! databases=RULE   which arguments name databases, or that it acts on all of them
//! runs=WHAT        runs a script, whose flags take the place of some of its own
//! ```
//! A new word is added here, and is used where its meaning matters. No other file has lists of
//! commands.

pub(crate) const ENDS_MULTI: u16 = 1;
pub(crate) const RUNS_IN_MULTI: u16 = 1 << 1;
pub(crate) const FOR_SUBSCRIBERS: u16 = 1 << 2;
pub(crate) const EXEC: u16 = 1 << 3;
pub(crate) const HEALTH: u16 = 1 << 4;
pub(crate) const MAY_MOVE: u16 = 1 << 5;
pub(crate) const MODULES: u16 = 1 << 6;
pub(crate) const ENDS_LOAD: u16 = 1 << 7;
pub(crate) const CHANGES_CONFIG: u16 = 1 << 8;
pub(crate) const CHANGES_USERS: u16 = 1 << 9;

const FLAGS: &[(&str, u16)] = &[
    ("ends_multi", ENDS_MULTI),
    ("runs_in_multi", RUNS_IN_MULTI),
    ("for_subscribers", FOR_SUBSCRIBERS),
    ("exec", EXEC),
    ("health", HEALTH),
    ("may_move", MAY_MOVE),
    ("modules", MODULES),
    ("ends_load", ENDS_LOAD),
    ("changes_config", CHANGES_CONFIG),
    ("changes_users", CHANGES_USERS),
];

/// Which arguments are secret.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Secrets {
    #[default]
    None,
    /// All of them.
    All,
    /// Two behind AUTH.
    BehindAuth,
    /// One behind AUTH, two behind AUTH2.
    BehindAuthOrAuth2,
    /// Values of settings that are secret.
    Settings,
    /// All behind the subcommand: the name of a user, and rules with passwords among them.
    User,
}

const SECRETS: &[(&str, Secrets)] = &[
    ("all", Secrets::All),
    ("behind_auth", Secrets::BehindAuth),
    ("behind_auth_or_auth2", Secrets::BehindAuthOrAuth2),
    ("settings", Secrets::Settings),
    ("user", Secrets::User),
];

/// What the first argument says of the script that a command runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Runs {
    /// It runs none.
    #[default]
    Nothing,
    /// Its text.
    Text,
    /// Its digest.
    Digest,
    /// The name of a function.
    Function,
}

const RUNS: &[(&str, Runs)] =
    &[("text", Runs::Text), ("digest", Runs::Digest), ("function", Runs::Function)];

/// Which arguments name databases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Databases {
    #[default]
    None,
    First,
    Second,
    FirstTwo,
    /// The one behind DB, behind two keys.
    BehindDb,
    /// It acts on all of them.
    All,
}

const DATABASES: &[(&str, Databases)] = &[
    ("first", Databases::First),
    ("second", Databases::Second),
    ("first_two", Databases::FirstTwo),
    ("behind_db", Databases::BehindDb),
    ("all", Databases::All),
];

/// How keys are found by a look at all the arguments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Finder {
    /// There are no keys but those that the key specs give.
    #[default]
    Specs,
    /// SET: one key, whose use depends on the options.
    Set,
    /// BITFIELD: the same.
    BitField,
    /// SORT: the key, and that behind STORE.
    Sort,
    /// SORT_RO: the key alone.
    SortRo,
    Migrate,
    /// GEORADIUS: the key, and that behind STORE or STOREDIST.
    GeoRadius,
    /// XREAD: the first half of what stands behind STREAMS.
    Streams,
    /// A number as the first argument, keys behind it.
    Counted1,
    /// A number as the second argument, keys behind it.
    Counted2,
    /// The same, with a target before the number.
    CountedStore,
    /// XGROUP: the key that the key specs give, and the stream behind DLQ, to which claims write.
    DeadLetters,
}

const FINDERS: &[(&str, Finder)] = &[
    ("set", Finder::Set),
    ("bitfield", Finder::BitField),
    ("sort", Finder::Sort),
    ("sort_ro", Finder::SortRo),
    ("migrate", Finder::Migrate),
    ("georadius", Finder::GeoRadius),
    ("streams", Finder::Streams),
    ("counted1", Finder::Counted1),
    ("counted2", Finder::Counted2),
    ("counted_store", Finder::CountedStore),
    ("dead_letters", Finder::DeadLetters),
];

/// All words of a row together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Own {
    flags: u16,
    /// Which argument names an element that is looked up in the first key's collection; 0: none.
    pub element: u8,
    pub secrets: Secrets,
    pub finder: Finder,
    pub databases: Databases,
    pub runs: Runs,
}

impl Own {
    pub(crate) fn has(self, flags: u16) -> bool {
        self.flags & flags != 0
    }

    /// Adds a word of a row; false if it is not ours.
    pub(crate) fn take(&mut self, word: &str) -> bool {
        match word.split_once('=') {
            Some(("element", n)) => n.parse().map(|n| self.element = n).is_ok(),
            Some(("secrets", rule)) => named(SECRETS, rule).map(|r| self.secrets = r).is_some(),
            Some(("runs", what)) => named(RUNS, what).map(|r| self.runs = r).is_some(),
            Some(("databases", rule)) => {
                named(DATABASES, rule).map(|r| self.databases = r).is_some()
            }
            Some(("finds", rule)) => named(FINDERS, rule).map(|r| self.finder = r).is_some(),
            Some(_) => false,
            None => named(FLAGS, word).map(|flag| self.flags |= flag).is_some(),
        }
    }
}

fn named<T: Copy>(list: &[(&str, T)], word: &str) -> Option<T> {
    list.iter().find(|(name, _)| *name == word).map(|(_, what)| *what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_add_up_and_strange_ones_are_not_taken() {
        let mut own = Own::default();
        for word in ["exec", "ends_multi", "element=2", "secrets=all", "finds=streams"] {
            assert!(own.take(word), "{word}");
        }
        assert!(own.has(EXEC) && own.has(ENDS_MULTI) && !own.has(HEALTH));
        let rules = (own.element, own.secrets, own.finder);
        assert_eq!(rules, (2, Secrets::All, Finder::Streams));
        for word in ["", "fast", "element=", "element=x", "secrets=some", "finds=", "exec=1"] {
            assert!(!own.take(word), "{word}");
        }
    }
}
