//! The flags of a command that runs a script: those that the script declares take the place of some
//! of its own.

use crate::commands::own::Runs;
use crate::commands::spec::{DENYOOM, MAY_REPLICATE, STALE, WRITE};
use crate::resp::argv::Argv;
use crate::resp::errors;
use crate::script::eval::parse_digest;
use crate::script::flags::{self, ALLOW_OOM, ALLOW_STALE, COMPAT, Flags, NO_WRITES};
use crate::server::parts::{Row, Server};

/// What the gate goes by for this command. O(1), or O(first line) for a script that is not known.
pub(crate) fn flags(srv: &Server, row: &Row, argv: Argv<'_>) -> u32 {
    match declared(srv, row.spec.own.runs, argv) {
        Some(script) if script & COMPAT == 0 => instead(row.flags, script),
        _ => row.flags,
    }
}

/// The flags of the script, if they can be told.
fn declared(srv: &Server, runs: Runs, argv: Argv<'_>) -> Option<Flags> {
    if runs == Runs::Nothing {
        return None;
    }
    let named = *argv.get(1)?;
    let scripts = &srv.script.scripts;
    match runs {
        Runs::Nothing => None,
        Runs::Text => match scripts.with_text(named) {
            Some(id) => Some(scripts.get(id).flags),
            None => flags::of_script(named).ok().map(|(flags, _)| flags),
        },
        Runs::Digest => scripts.with_digest(&parse_digest(named)?).map(|id| scripts.get(id).flags),
        Runs::Function => srv.script.libraries.function(errors::shown(named)).map(|(_, f)| f),
    }
}

fn instead(of_row: u32, script: Flags) -> u32 {
    let mut flags = of_row & !(STALE | DENYOOM | WRITE | MAY_REPLICATE);
    if script & (ALLOW_OOM | NO_WRITES) == 0 {
        flags |= DENYOOM;
    }
    if script & NO_WRITES == 0 {
        flags |= WRITE;
    }
    if script & ALLOW_STALE != 0 {
        flags |= STALE;
    }
    flags
}
