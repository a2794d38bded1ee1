//! Findings about single lines, and about lines that set the same directive.

use super::{At, Finding, Severity, value_of};
use crate::config::elsewhere;
use crate::config::env::{self, Fault, VARIABLES};
use crate::config::file::{Assigned, ConfigError, Loaded, MAX_ERRORS, Placed};
use crate::config::refuse::{Refusal, refusals};
use crate::config::table::{self, Effect, Row};
use crate::config::{Config, choice::Unavailable};
use crate::util::split::split_args;
use std::collections::{HashMap, HashSet};

/// A directive that a variable has set.
pub(super) struct ByVariable {
    pub variable: &'static str,
    pub row: &'static Row,
    pub value: Vec<u8>,
}

/// Applies the environment to `config`; which directives it has set.
pub(super) fn variables(
    all: &[(String, Vec<u8>)],
    config: &mut Config,
    findings: &mut Vec<Finding>,
) -> Vec<ByVariable> {
    let mut set = Vec::new();
    for variable in VARIABLES {
        let Some(value) = value_of(all, variable) else { continue };
        let before = config.clone();
        if let Err(Fault { variable, expected }) = env::set(config, variable, value) {
            let at = At::Variable(variable.to_owned());
            findings.push(Finding::new(Severity::Error, "environment", at, expected));
            continue;
        }
        let changed = table::rows().filter(|row| row.value(config) != row.value(&before));
        set.extend(changed.map(|row| ByVariable { variable, row, value: row.value(config) }));
    }
    let named = all.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
    for (name, nearest) in env::unknown(named) {
        let fix = match nearest {
            Some(known) => format!("did you mean '{known}'?"),
            None => format!("known are {}", VARIABLES.join(", ")),
        };
        let at = At::Variable(name.to_owned());
        let text = "the server does not know this variable";
        findings.push(Finding::new(Severity::Warning, "unknown-variable", at, text).fix(fix));
    }
    set
}

/// The errors of single lines.
pub(super) fn errors(errors: Vec<ConfigError>, findings: &mut Vec<Finding>) {
    let too_many = errors.len() >= MAX_ERRORS;
    let mut seen = HashSet::new();
    for error in errors {
        let place = error.place.as_ref().map(|place| (place.source.clone(), place.line));
        if !seen.insert((place, error.reason.clone())) {
            continue;
        }
        let text = error.place.as_ref().map_or(&b""[..], |place| &place.text);
        let words = split_args(&text.to_ascii_lowercase()).unwrap_or_default();
        let name = words.first().map_or(&b""[..], |name| name.as_slice());
        let known = elsewhere::find(name);
        let value = words.iter().skip(1).find_map(|word| elsewhere::find_value(name, word));
        let (suggestion, elsewhere) = (error.suggestion, error.elsewhere.clone());
        let mut finding = Finding::error("line", error);
        match (elsewhere, suggestion) {
            (Some(text), _) => {
                finding.code = "other-version";
                finding.text = text;
                finding = finding.fix(known.map_or("", |known| known.fix));
            }
            (None, Some(name)) => {
                finding.code = "unknown-directive";
                finding = finding.fix(format!("did you mean '{name}'?"));
            }
            (None, None) if finding.text.starts_with("Too many nested includes") => {
                finding.code = "include-circle";
                finding = finding.fix("remove one of the includes that lead back here");
            }
            (None, None) => finding = finding.fix(value.unwrap_or_default()),
        }
        findings.push(finding);
    }
    if too_many {
        let text = format!("there are more than {MAX_ERRORS} errors; the rest was not read");
        findings.push(Finding::new(Severity::Error, "too-many", At::Whole, text));
    }
}

/// Directives whose lines add up.
const LISTS: [&str; 2] = ["save", "client-output-buffer-limit"];

/// Directives that were given twice, with different values.
pub(super) fn overridden(by_variable: &[ByVariable], loaded: &Loaded, findings: &mut Vec<Finding>) {
    let mut last: HashMap<&str, &Placed<Assigned>> = HashMap::new();
    for line in &loaded.assigned {
        let row = line.value.named.row;
        match last.insert(row.name, line) {
            Some(before) => findings.extend(overrides(row, before, line)),
            None => {
                let set = by_variable.iter().find(|set| set.row.name == row.name);
                let Some(set) = set.filter(|set| set.value != line.value.value) else { continue };
                let text = format!("{} says otherwise, and this line counts", set.variable);
                let finding = Finding::of(line, Severity::Warning, "variable-overridden", text);
                let fix =
                    "remove the line, or the variable; options and files rank above variables";
                findings.push(finding.fix(fix));
            }
        }
    }
}

fn overrides(row: &Row, before: &Placed<Assigned>, line: &Placed<Assigned>) -> Option<Finding> {
    if LISTS.contains(&row.name) || before.value.value == line.value.value {
        return None;
    }
    let (source, earlier) = (&*line.place.source, &*before.place.source);
    if source == earlier {
        let text =
            format!("'{}' was set on line {} too, to another value", row.name, before.place.line);
        let finding = Finding::of(line, Severity::Warning, "set-twice", text);
        return Some(finding.fix("keep one of the lines; the last one counts"));
    }
    // Options and standard input are there to override.
    if source.starts_with('<') {
        return None;
    }
    let text = format!("overrides line {} of {earlier}", before.place.line);
    Some(Finding::of(line, Severity::Note, "set-in-two-files", text))
}

/// What can't be had, what has no effect, and what goes by an old name.
pub(super) fn remarks(loaded: &Loaded, findings: &mut Vec<Finding>) {
    let warn = loaded.config.process.unavailable == Unavailable::Warn;
    for Refusal { place, name, why, may_warn } in refusals(loaded) {
        let name = name.map_or(String::new(), |name| format!("{name}: "));
        let (severity, fix) = match (may_warn, warn) {
            (true, true) => (Severity::Warning, "the server starts as if it were not set"),
            (true, false) => (
                Severity::Error,
                "remove it; 'unavailable-directives warn' starts the server as if it were not set",
            ),
            (false, _) => (Severity::Error, "remove it"),
        };
        let at = place.map_or(At::Whole, At::Line);
        findings.push(Finding::new(severity, "unavailable", at, format!("{name}{why}")).fix(fix));
    }
    for text in &loaded.warnings {
        let name = text.split(' ').next().unwrap_or_default();
        let at = loaded.place_of(name).cloned().map_or(At::Whole, At::Line);
        findings.push(Finding::new(Severity::Warning, "doubtful", at, text.as_str()));
    }
    for row in table::inert(&loaded.config).filter(|row| row.effect == Effect::None) {
        // What has an error of its own needs no note.
        if row.name == "aclfile" {
            continue;
        }
        let at = loaded.place_of(row.name).cloned().map_or(At::Whole, At::Line);
        let text = format!("'{}' is accepted and has no effect in this version", row.name);
        findings.push(Finding::new(Severity::Note, "no-effect", at, text));
    }
    for line in &loaded.assigned {
        let named = line.value.named;
        if named.row.alias == Some(named.name) {
            let text = format!("'{}' is the old name of '{}'", named.name, named.row.name);
            let finding = Finding::of(line, Severity::Note, "old-name", text);
            findings.push(finding.fix(format!("write '{}'", named.row.name)));
        }
    }
    for line in &loaded.forgotten {
        let finding = Finding::of(
            line,
            Severity::Note,
            "no-effect",
            "of an earlier version, and has no effect",
        );
        findings.push(finding.fix(elsewhere::forgotten(&line.value).unwrap_or_default()));
    }
}
