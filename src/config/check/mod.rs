//! `--check-config`: everything that is wrong or doubtful about a configuration, on this machine.
//!
//! ```text
//! variables, file, standard input, options --survey--> Loaded, all errors --+
//! facts about the machine, the files and the disks ------------------------+--> findings --report
//! ```
//!
//! An error is what stops the start, and only that: a configuration without one is started with,
//! unless the data can't be read, an address is taken, or a command is renamed that is not there,
//! which the server's own table knows. A warning is what will hurt, a note what one should know.
//! Nothing here changes anything: no file is made, no port opened.
//!
//! Whatever the machine is asked goes through [`World`], so that tests have machines of their own.

mod cross;
mod files;
mod finding;
mod lines;
mod memory;
mod network;
mod persistence;
pub(crate) mod redact;
pub(crate) mod report;
pub(crate) mod system;

use super::file::{Input, Loaded, Place, survey};
use super::{Config, table};
use crate::sys::look::{Disk, Facts};
use crate::sys::machine::Machine;
pub(crate) use finding::{At, Finding, Severity};
use std::path::Path;

/// What is to be checked.
#[derive(Debug, Default)]
pub(crate) struct Asked<'a> {
    /// The configuration file.
    pub config_file: Option<&'a Path>,
    /// Configuration from standard input.
    pub stdin: Option<&'a [u8]>,
    /// Options of the command line, a line each.
    pub options: &'a [u8],
    /// The environment.
    pub variables: &'a [(String, Vec<u8>)],
    /// A Sentinel is to be started, which holds no data.
    pub sentinel: bool,
}

/// The machine that the server is to run on.
pub(crate) struct World<'a> {
    /// Its memory and its settings.
    pub machine: &'a Machine,
    /// What is at a path.
    pub look: &'a dyn Fn(&Path) -> Facts,
    /// The file system of a path.
    pub disk: &'a dyn Fn(&Path) -> Option<Disk>,
}

/// What was found, and what was read.
#[derive(Debug)]
pub(crate) struct Checked {
    /// The findings, in no order.
    pub findings: Vec<Finding>,
    /// The configuration as far as it could be read.
    pub loaded: Loaded,
}

/// Checks a configuration.
pub(crate) fn check(asked: &Asked<'_>, world: &World<'_>) -> Checked {
    let mut findings = Vec::new();
    let mut base = Config::default();
    if asked.sentinel {
        base.become_sentinel();
    }
    let by_variable = lines::variables(asked.variables, &mut base, &mut findings);
    let (loaded, errors) = survey(&Input {
        base,
        config_file: asked.config_file,
        stdin: asked.stdin,
        options: asked.options,
        sentinel: asked.sentinel,
    });
    // What fits together with what is not known, and the defaults are not what was meant.
    let unread = errors.iter().any(|error| error.place.is_none());
    lines::errors(errors, &mut findings);
    if unread {
        return Checked { findings, loaded };
    }
    lines::overridden(&by_variable, &loaded, &mut findings);
    lines::remarks(&loaded, &mut findings);
    let mut view = View { loaded: &loaded, world, by_variable: &by_variable, findings };
    if !asked.sentinel {
        memory::check(&mut view);
        persistence::check(&mut view);
    }
    network::check(&mut view);
    files::check(&mut view);
    cross::check(&mut view);
    let findings = view.findings;
    Checked { findings, loaded }
}

/// What the checks of several directives see, and where their findings go.
struct View<'a> {
    loaded: &'a Loaded,
    world: &'a World<'a>,
    by_variable: &'a [lines::ByVariable],
    findings: Vec<Finding>,
}

impl<'a> View<'a> {
    fn config(&self) -> &'a Config {
        &self.loaded.config
    }

    /// The value of a directive, as CONFIG GET shows it; empty if there is no such one.
    fn value(&self, name: &str) -> String {
        let value = table::find(name.as_bytes()).map(|named| named.row.value(self.config()));
        String::from_utf8_lossy(&value.unwrap_or_default()).into_owned()
    }

    /// Whether the directive was given at all.
    fn is_given(&self, name: &str) -> bool {
        self.at(name) != At::Whole
    }

    /// Where the directive got its value.
    fn at(&self, name: &str) -> At {
        let line = self.loaded.place_of(name).cloned().map(At::Line);
        let variable = || {
            let set = self.by_variable.iter().find(|set| set.row.name == name)?;
            Some(At::Variable(set.variable.to_owned()))
        };
        line.or_else(variable).unwrap_or_default()
    }

    fn error(&mut self, code: &'static str, directive: &str, text: impl Into<String>, fix: &str) {
        self.add(Severity::Error, code, directive, text, fix);
    }

    fn warn(&mut self, code: &'static str, directive: &str, text: impl Into<String>, fix: &str) {
        self.add(Severity::Warning, code, directive, text, fix);
    }

    fn note(&mut self, code: &'static str, directive: &str, text: impl Into<String>, fix: &str) {
        self.add(Severity::Note, code, directive, text, fix);
    }

    /// Adds a finding about the directive. An empty `fix` is none.
    fn add(
        &mut self,
        severity: Severity,
        code: &'static str,
        directive: &str,
        text: impl Into<String>,
        fix: &str,
    ) {
        let at = self.at(directive);
        self.findings.push(Finding::new(severity, code, at, text).fix(fix));
    }
}

/// An amount of memory as a person says it.
fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] =
        [(1 << 40, "TB"), (1 << 30, "GB"), (1 << 20, "MB"), (1024, "KB")];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) if bytes.is_multiple_of(*unit) => format!("{} {name}", bytes / unit),
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / *unit as f64),
        None => format!("{bytes} bytes"),
    }
}

/// The value of the variable `name`, unless it is empty, which counts as not set.
fn value_of<'a>(all: &'a [(String, Vec<u8>)], name: &str) -> Option<&'a [u8]> {
    all.iter()
        .find(|(known, value)| known == name && !value.is_empty())
        .map(|(_, value)| value.as_slice())
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
