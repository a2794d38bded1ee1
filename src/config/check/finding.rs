//! One thing that was found, and where.

use super::Place;
use crate::config::file::{ConfigError, Placed};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// The server does not start.
    Error,
    /// It starts, and something will hurt.
    Warning,
    /// Worth knowing.
    Note,
}

impl Severity {
    /// The word for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

/// Where it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum At {
    /// No single line: a default, or the machine.
    #[default]
    Whole,
    /// A line of a file, of standard input, or an option.
    Line(Place),
    /// A variable of the environment.
    Variable(String),
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// A word for scripts; it stays when the text changes.
    pub code: &'static str,
    /// Where.
    pub at: At,
    /// What.
    pub text: String,
    /// What to do about it.
    pub fix: Option<String>,
}

impl Finding {
    /// A finding without advice.
    pub(crate) fn new(
        severity: Severity,
        code: &'static str,
        at: At,
        text: impl Into<String>,
    ) -> Finding {
        Finding { severity, code, at, text: text.into(), fix: None }
    }

    /// With the advice, unless it is empty.
    pub(crate) fn fix(mut self, fix: impl Into<String>) -> Finding {
        self.fix = Some(fix.into()).filter(|fix| !fix.is_empty());
        self
    }

    /// Of a line.
    pub(crate) fn of<T>(
        line: &Placed<T>,
        severity: Severity,
        code: &'static str,
        text: impl Into<String>,
    ) -> Finding {
        Finding::new(severity, code, At::Line(line.place.clone()), text)
    }

    /// What stops the start.
    pub(crate) fn error(code: &'static str, error: ConfigError) -> Finding {
        let at = error.place.map_or(At::Whole, At::Line);
        Finding::new(Severity::Error, code, at, error.reason)
    }
}
