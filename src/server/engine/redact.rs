//! Secrets in arguments, hidden from logs and watchers.

use crate::commands::arg;
use crate::commands::own::Secrets;
use crate::resp::argv::Argv;
use crate::server::parts::Row;

/// What logs show instead of a secret.
pub(crate) const REDACTED: &[u8] = b"(redacted)";

/// The arguments of a command with its secrets replaced; None if it is not one that has any. Then
/// nothing is copied: an argument may be large.
pub(crate) fn redact(row: &Row, argv: Argv<'_>) -> Option<Vec<Vec<u8>>> {
    let mut hidden = Vec::new();
    let mut hide = |i: usize| hidden.push(i);
    match row.spec.own.secrets {
        // Compat: AUTH with more arguments than it can have is not known to hold a password.
        Secrets::All if argv.len() > 3 => return None,
        Secrets::All => (1..argv.len()).for_each(&mut hide),
        Secrets::BehindAuth => {
            for (i, arg) in argv.iter().enumerate() {
                if arg::is(arg, "auth") {
                    hide(i + 1);
                    hide(i + 2);
                }
            }
        }
        Secrets::BehindAuthOrAuth2 => {
            for (i, arg) in argv.iter().enumerate().skip(6) {
                if arg::is(arg, "auth") {
                    hide(i + 1);
                } else if arg::is(arg, "auth2") {
                    hide(i + 1);
                    hide(i + 2);
                }
            }
        }
        Secrets::Settings => {
            for i in (2..argv.len().saturating_sub(1)).step_by(2) {
                if crate::config::get_set::is_sensitive(argv[i]) {
                    hide(i + 1);
                }
            }
        }
        Secrets::User => (2..argv.len()).for_each(&mut hide),
        Secrets::None => return None,
    }
    let shown = |(i, arg): (usize, &&[u8])| match hidden.contains(&i) {
        true => REDACTED.to_vec(),
        false => arg.to_vec(),
    };
    Some(argv.iter().enumerate().map(shown).collect())
}
