//! Secrets in arguments, hidden from logs and watchers.

use crate::resp::argv::Argv;
use crate::server::parts::Row;

/// What logs show instead of a secret.
pub const REDACTED: &[u8] = b"(redacted)";

/// The arguments of a command with its secrets replaced; None if it is not one that has any. Then nothing is copied:
/// an argument may be large.
pub fn redact(row: &Row, argv: Argv<'_>) -> Option<Vec<Vec<u8>>> {
    let mut hidden = Vec::new();
    let mut hide = |i: usize| hidden.push(i);
    match row.name() {
        // Compat: with more arguments than it can have, it is not recognised as one that holds a password.
        "auth" if argv.len() > 3 => return None,
        "auth" => (1..argv.len()).for_each(&mut hide),
        "hello" => {
            for (i, arg) in argv.iter().enumerate() {
                if arg.eq_ignore_ascii_case(b"auth") {
                    hide(i + 1);
                    hide(i + 2);
                }
            }
        }
        "migrate" => {
            for (i, arg) in argv.iter().enumerate().skip(6) {
                if arg.eq_ignore_ascii_case(b"auth") {
                    hide(i + 1);
                } else if arg.eq_ignore_ascii_case(b"auth2") {
                    hide(i + 1);
                    hide(i + 2);
                }
            }
        }
        "config|set" => {
            for i in (2..argv.len().saturating_sub(1)).step_by(2) {
                if crate::config::get_set::is_sensitive(argv[i]) {
                    hide(i + 1);
                }
            }
        }
        _ => return None,
    }
    let shown = |(i, arg): (usize, &&[u8])| match hidden.contains(&i) {
        true => REDACTED.to_vec(),
        false => arg.to_vec(),
    };
    Some(argv.iter().enumerate().map(shown).collect())
}
