//! Findings as text for people, or as JSON, an object a line, for scripts.

use super::{At, Finding, Severity, redact};
use crate::util::json::escape;
use std::fmt::Write as _;

/// How findings are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    /// A line each, and below it what to do.
    #[default]
    Text,
    /// An object of JSON each.
    Json,
}

/// Exit status if the server would not start.
pub(crate) const ERRORS: i32 = 1;
/// Exit status if it would, and something will hurt.
pub(crate) const WARNINGS: i32 = 2;
/// Exit status if the check was not asked for properly, as sysexits.h has it.
pub(crate) const USAGE: i32 = 64;

/// All findings, the worst first, with a summary at the end; and the exit status.
pub(crate) fn report(mut findings: Vec<Finding>, format: Format) -> (String, i32) {
    findings.sort_by(|a, b| order(a).cmp(&order(b)));
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let [errors, warnings, notes] = [Severity::Error, Severity::Warning, Severity::Note].map(count);
    let mut out = String::new();
    for finding in &findings {
        match format {
            Format::Text => text(&mut out, finding),
            Format::Json => json(&mut out, finding),
        }
    }
    let status = match (errors, warnings) {
        (0, 0) => 0,
        (0, _) => WARNINGS,
        _ => ERRORS,
    };
    match format {
        Format::Text => {
            let plural =
                |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
            let counts =
                [plural(errors, "error"), plural(warnings, "warning"), plural(notes, "note")];
            let verdict =
                if errors == 0 { "the server starts" } else { "the server does not start" };
            let _ = writeln!(out, "{}: {verdict} with this configuration", counts.join(", "));
        }
        Format::Json => {
            let _ = writeln!(
                out,
                "{{\"severity\":\"summary\",\"errors\":{errors},\"warnings\":{warnings},\
                 \"notes\":{notes},\"status\":{status}}}"
            );
        }
    }
    (out, status)
}

/// The worst first, and in the order of the lines.
fn order(finding: &Finding) -> (Severity, u8, &str, usize) {
    let (kind, source, line) = match &finding.at {
        At::Variable(name) => (0, name.as_str(), 0),
        At::Line(place) => (1, &*place.source, place.line),
        At::Whole => (2, "", 0),
    };
    (finding.severity, kind, source, line)
}

/// Where it is, for people.
fn place(at: &At) -> String {
    match at {
        At::Whole => String::new(),
        At::Variable(name) => format!("{}: ", redact::plain(name.as_bytes())),
        At::Line(place) => {
            let shown = redact::line(&place.text);
            let source = redact::plain(place.source.as_bytes());
            match &*place.source {
                "<command line>" => format!("option '--{shown}': "),
                _ => format!("{source}:{}: '{shown}': ", place.line),
            }
        }
    }
}

fn text(out: &mut String, finding: &Finding) {
    let text = finding.text.replace('\n', " ");
    let _ = writeln!(out, "{}: {}{text}", finding.severity.name(), place(&finding.at));
    if let Some(fix) = &finding.fix {
        let _ = writeln!(out, "    fix: {fix}");
    }
}

fn json(out: &mut String, finding: &Finding) {
    let _ =
        write!(out, "{{\"severity\":\"{}\",\"code\":\"{}\"", finding.severity.name(), finding.code);
    let mut field = |name: &str, value: &str| {
        let _ = write!(out, ",\"{name}\":\"{}\"", escaped(value));
    };
    match &finding.at {
        At::Whole => {}
        At::Variable(name) => field("variable", name),
        At::Line(place) => {
            match &*place.source {
                "<command line>" => {}
                source => field("file", source),
            }
            let name = if &*place.source == "<command line>" { "option" } else { "text" };
            field(name, &redact::line(&place.text));
        }
    }
    field("message", &finding.text);
    if let Some(fix) = &finding.fix {
        field("fix", fix);
    }
    if let At::Line(place) = &finding.at
        && &*place.source != "<command line>"
    {
        let _ = write!(out, ",\"line\":{}", place.line);
    }
    out.push_str("}\n");
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    escape(&mut out, text);
    out
}
