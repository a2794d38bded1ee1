//! CONFIG GET and CONFIG SET, as far as they concern values.
//!
//! SET is all or nothing. Names are looked up and checked first, then all values are set, and the
//! first failure restores everything. Then the caller acts on the rows that changed. If that fails,
//! it restores them with [`Undo`] and acts on them once more.

use super::Config;
use super::table::{
    self, DENY_LOADING, HIDDEN, IMMUTABLE, MULTI, Named, PROTECTED, Row, SENSITIVE,
};
use super::table::{Reason, Setting};
use crate::util::glob;
use std::fmt;

/// The directives that `patterns` select, each with its value. A name without wildcards selects
/// its directive, hidden or not, and comes back as it was spelled. A pattern selects names, so a
/// directive with an alias may be there twice, but no name is.
pub(crate) fn get(config: &Config, patterns: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut found: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let mut add = |name: &[u8], row: &Row| {
        if !found.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            found.push((name.to_vec(), row.value(config)));
        }
    };
    for pattern in patterns {
        if !glob::has_wildcard(pattern) {
            if let Some(named) = table::find(pattern) {
                add(pattern, named.row);
            }
            continue;
        }
        for row in table::rows().filter(|row| !row.is(HIDDEN)) {
            let names = [row.name].into_iter().chain(row.alias);
            for name in names.filter(|n| glob::matches(pattern, n.as_bytes(), true)) {
                add(name.as_bytes(), row);
            }
        }
    }
    found
}

/// What decides, besides the values, whether CONFIG SET may go on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rights {
    /// Whether this client may set protected directives.
    pub protected: bool,
    /// Whether data is being loaded.
    pub loading: bool,
}

/// The directives that CONFIG SET has changed, and the way back.
#[derive(Debug)]
pub(crate) struct Changed {
    /// They, under the names they were given by, in that order.
    pub rows: Vec<Named>,
    /// What the log should say about values that were accepted although they are doubtful.
    pub warnings: Vec<&'static str>,
    /// The configuration before.
    pub undo: Undo,
}

/// The configuration before a change.
#[derive(Debug)]
pub(crate) struct Undo(Box<Config>);

impl Undo {
    /// Makes the change undone.
    pub(crate) fn restore(self, config: &mut Config) {
        *config = *self.0;
    }

    /// The configuration before the change.
    pub(crate) fn before(&self) -> &Config {
        &self.0
    }
}

/// Why CONFIG SET failed. Displayed, it is the text of the error reply without its `ERR`, except
/// for [`SetError::Loading`], for which there is a reply of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SetError {
    /// No such directive.
    Unknown(Vec<u8>),
    /// The value, or the directive itself, was refused.
    Refused {
        /// The name of the directive.
        name: Vec<u8>,
        /// Why.
        reason: Reason,
    },
    /// It can't be set while data is being loaded.
    Loading,
}

impl SetError {
    /// That acting on a changed directive failed. Restoring the old value is the caller's part.
    pub(crate) fn apply_failed(named: Named, reason: impl Into<Reason>) -> SetError {
        SetError::Refused { name: named.name.into(), reason: reason.into() }
    }
}

impl std::error::Error for SetError {}

impl fmt::Display for SetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = String::from_utf8_lossy;
        match self {
            SetError::Unknown(name) => {
                write!(f, "Unknown option or number of arguments for CONFIG SET - '{}'", text(name))
            }
            SetError::Refused { name, reason } => write!(
                f,
                "CONFIG SET failed (possibly related to argument '{}') - {reason}",
                text(name)
            ),
            SetError::Loading => f.write_str("Redis is loading the dataset in memory"),
        }
    }
}

/// Sets all `pairs` of name and value, or nothing.
pub(crate) fn set(
    config: &mut Config,
    pairs: &[(&[u8], &[u8])],
    rights: Rights,
) -> Result<Changed, SetError> {
    let named = judge_names(pairs, rights)?;
    let undo = Undo(Box::new(config.clone()));
    let mut setting = Setting::default();
    let mut rows = Vec::new();
    for (named, (_, value)) in named.into_iter().zip(pairs) {
        match set_one(config, named.row, value, &mut setting) {
            Ok(true) => rows.push(named),
            Ok(false) => {}
            Err(reason) => {
                undo.restore(config);
                return Err(SetError::Refused { name: named.name.into(), reason });
            }
        }
    }
    Ok(Changed { rows, warnings: setting.warnings, undo })
}

/// Looks up all names. An unknown one takes precedence over whatever is wrong further on, and
/// so does loading, since clients wait for it to end instead of giving up.
fn judge_names(pairs: &[(&[u8], &[u8])], rights: Rights) -> Result<Vec<Named>, SetError> {
    let mut found: Vec<Named> = Vec::new();
    for (name, _) in pairs {
        let refuse = |reason: &'static str| {
            Err(SetError::Refused { name: name.to_vec(), reason: reason.into() })
        };
        let Some(named) = table::find(name) else {
            return Err(SetError::Unknown(name.to_vec()));
        };
        if named.row.is(IMMUTABLE) {
            return refuse("can't set immutable config");
        }
        if named.row.is(PROTECTED) && !rights.protected {
            return refuse("can't set protected config");
        }
        if named.row.is(DENY_LOADING) && rights.loading {
            return Err(SetError::Loading);
        }
        if found.iter().any(|other| other.name == named.name) {
            return refuse("duplicate parameter");
        }
        found.push(named);
    }
    Ok(found)
}

/// Unlike a line of a file, the value of a list is split at single blanks, without any quotes.
fn set_one(
    config: &mut Config,
    row: &Row,
    value: &[u8],
    setting: &mut Setting,
) -> Result<bool, Reason> {
    let args: Vec<&[u8]> = match row.is(MULTI) {
        true if value.is_empty() => Vec::new(),
        true => value.split(|byte| *byte == b' ').collect(),
        false => vec![value],
    };
    let changed = row.set(config, &args, setting)?;
    match row.refusal(config) {
        // It may stay if the server was started with it.
        Some(why) if changed => Err(why.into()),
        _ => Ok(changed),
    }
}

/// Whether the value set for `name` is a secret, to be left out of the slow log and the like.
/// Unknown names are no secrets.
pub(crate) fn is_sensitive(name: &[u8]) -> bool {
    table::find(name).is_some_and(|named| named.row.is(SENSITIVE))
}

#[cfg(test)]
mod tests;
