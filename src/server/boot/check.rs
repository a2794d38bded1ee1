//! `--check-config`: the configuration that a start with this command line would use, looked at
//! without starting.
//!
//! What can be said of lines, files and the machine is said by `config::check`. Commands that are
//! renamed are looked up here, where the table of commands is put together.

use crate::commands::spec::WRITE;
use crate::config::args::Run;
use crate::config::check::report::{self, Format};
use crate::config::check::{self, Asked, Checked, Finding, Severity, World};
use crate::config::choice::AclPubsubDefault;
use crate::config::file::{ConfigError, Loaded};
use crate::server::admin;
use crate::server::boot::{users, watching};
use crate::server::jobs::tls;
use crate::server::parts::Table;
use crate::server::parts::table::rename;
use crate::sys::look;
use crate::sys::machine::Machine;
use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Prints what there is to say about the configuration; the exit code.
pub(super) fn check_config(run: &Run, format: Format) -> i32 {
    let mut text = Vec::new();
    if run.stdin
        && let Err(e) = std::io::stdin().lock().read_to_end(&mut text)
    {
        eprintln!("Can't read standard input: {e}");
        return report::ERRORS;
    }
    let machine = Machine::read(Path::new("/"));
    let world = World { machine: &machine, look: &look::at, disk: &look::disk };
    let asked = Asked {
        config_file: run.config_file.as_deref(),
        stdin: run.stdin.then_some(text.as_slice()),
        options: &run.options,
        variables: &variables(),
        sentinel: run.sentinel,
    };
    let Checked { mut findings, loaded } = check::check(&asked, &world);
    renames(&loaded, &mut findings);
    sentinel(&loaded, &mut findings);
    users(&loaded, &mut findings);
    certificates(&loaded, &mut findings);
    let (text, status) = report::report(findings, format);
    // Whoever reads the report may have read enough.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    status
}

/// The first role or user that is wrong, and users in two places.
fn users(loaded: &Loaded, findings: &mut Vec<Finding>) {
    let all = loaded.config.acl.pubsub_default == AclPubsubDefault::Allchannels;
    if let Some((line, kind, fault)) = users::fault(&loaded.roles, &loaded.users, all) {
        findings.push(Finding::of(line, Severity::Error, kind, fault));
    }
    if let Some(line) = loaded.users.first().or(loaded.roles.first())
        && !loaded.config.acl.file.is_empty()
    {
        let text = "users here and in 'aclfile': the server takes one or the other";
        findings.push(Finding::of(line, Severity::Error, "users-twice", text));
    }
    if !loaded.config.acl.file.is_empty()
        && let Err(error) = users::read_file(&loaded.config)
    {
        let place = loaded.place_of("aclfile");
        findings.push(Finding::error("aclfile", ConfigError::at(place, error)));
    }
}

/// What TLS would be made of, which is read but not used.
fn certificates(loaded: &Loaded, findings: &mut Vec<Finding>) {
    if !tls::is_wanted(&loaded.config) {
        return;
    }
    let place = || loaded.place_of("tls-port").or_else(|| loaded.place_of("tls-replication"));
    match tls::try_out(&loaded.config) {
        Ok(remarks) => findings.extend(remarks.into_iter().map(|remark| {
            let mut finding = Finding::error("tls", ConfigError::at(place(), remark));
            finding.severity = Severity::Note;
            finding
        })),
        Err(e) => findings.push(Finding::error("tls", ConfigError::at(place(), e))),
    }
}

/// The first directive of a Sentinel that is wrong.
fn sentinel(loaded: &Loaded, findings: &mut Vec<Finding>) {
    if let Err((line, fault)) = watching::read(&loaded.sentinel) {
        findings.push(Finding::of(line, Severity::Error, "sentinel", fault));
    }
}

/// The environment. A name that is no text is none of ours.
pub(super) fn variables() -> Vec<(String, Vec<u8>)> {
    let all = std::env::vars_os();
    all.filter_map(|(name, value)| Some((name.into_string().ok()?, value.as_bytes().to_vec())))
        .collect()
}

/// Commands that can't be renamed so, and those that had better not be.
fn renames(loaded: &Loaded, findings: &mut Vec<Finding>) {
    if loaded.renames.is_empty() {
        return;
    }
    let Ok(table) = Table::build(admin::TABLES, &[]) else { return };
    let mut names: HashMap<Vec<u8>, _> =
        table.commands().map(|(name, row)| (name.to_vec(), row)).collect();
    for line in &loaded.renames {
        let (old, new) = &line.value;
        let row = names.get(&old.to_ascii_lowercase()).copied();
        if let Err(why) = rename(&mut names, old, new) {
            let finding = Finding::of(line, Severity::Error, "rename-command", why);
            findings.push(finding.fix("names are those of commands, without subcommands"));
            continue;
        }
        let writes = row.is_some_and(|row| row.has(WRITE));
        if writes && loaded.config.aof.enabled {
            let text =
                "a renamed write command: append-only files of others can't be read any more";
            findings.push(Finding::of(line, Severity::Warning, "rename-of-write", text));
        }
        // Clients that know nothing of it do something else than they mean.
        if table.lookup(new).is_some() && !old.eq_ignore_ascii_case(new) {
            let text = "the new name is that of another command, which was renamed before";
            findings.push(Finding::of(line, Severity::Warning, "rename-to-known", text));
        }
    }
}

#[cfg(test)]
mod tests;
