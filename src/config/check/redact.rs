//! Lines as they may be shown: without secrets, not too long, and on one line.
//!
//! What is hidden is whatever could be a secret, misspelt directives included: a report ends up in
//! logs and tickets. So the name decides, and the name that was probably meant.

use crate::config::file::names;
use crate::config::table::{self, SENSITIVE};
use crate::util::near::nearest;
use crate::util::split::split_args;

/// What stands for a secret.
const HIDDEN: &str = "(hidden)";
/// Characters of a line that are shown.
const LONGEST: usize = 160;

/// The line `text` for people.
pub(super) fn line(text: &[u8]) -> String {
    let raw = name_at_start(text);
    let words = split_args(text).unwrap_or_default();
    let name = words.first().map_or(raw, |word| word.as_slice()).to_ascii_lowercase();
    let shown = String::from_utf8_lossy(raw).into_owned();
    if name.is_empty() {
        return HIDDEN.to_owned();
    }
    match name.as_slice() {
        b"rename-command" => {
            let old = words.get(1).map_or(String::new(), |old| plain(old) + " ");
            let removed = words.get(2).is_some_and(|new| new.is_empty());
            format!("{shown} {old}{}", if removed { "\"\"" } else { HIDDEN })
        }
        b"sentinel" if contains(text, b"auth") => format!("{shown} {HIDDEN}"),
        name if is_secret(name) || is_secret(&raw.to_ascii_lowercase()) => {
            format!("{} {HIDDEN}", String::from_utf8_lossy(without_secret(raw)))
        }
        _ => plain(text),
    }
}

/// The characters of a name that the text begins with, quotes aside.
fn name_at_start(text: &[u8]) -> &[u8] {
    let quotes = text.iter().take_while(|byte| matches!(byte, b'"' | b'\'')).count();
    let text = &text[quotes..];
    let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    &text[..text.iter().take_while(is_name).count().min(64)]
}

/// The part of a name that is no secret, if no blank stands between the two.
fn without_secret(raw: &[u8]) -> &[u8] {
    let lower = raw.to_ascii_lowercase();
    if names().any(|known| known.as_bytes() == lower) {
        return raw;
    }
    let known = names().filter(|known| is_secret(known.as_bytes()));
    let known = known.filter(|known| lower.starts_with(known.as_bytes())).map(str::len).max();
    let part = || {
        let ends = PARTS.iter().filter_map(|part| {
            lower.windows(part.len()).position(|window| window == *part).map(|at| at + part.len())
        });
        // The first one: the secret may have another in it.
        ends.min()
    };
    &raw[..known.or_else(part).unwrap_or(raw.len())]
}

/// What is in the names of secrets, whoever made them up.
const PARTS: [&[u8]; 5] = [b"pass", b"token", b"secret", b"auth", b"credential"];

/// Whether what stands behind this name, in any case, could be a secret.
pub(crate) fn is_secret_name(name: &[u8]) -> bool {
    is_secret(&name.to_ascii_lowercase())
}

fn is_secret(name: &[u8]) -> bool {
    let known = |name: &[u8]| table::find(name).is_some_and(|named| named.row.is(SENSITIVE));
    let meant = || nearest(name, names()).map(str::as_bytes);
    let of_users = |name: &[u8]| name == b"user" || name == b"role";
    of_users(name)
        || known(name)
        || (table::find(name).is_none()
            && (PARTS.iter().any(|part| contains(name, part))
                || meant().is_some_and(|meant| known(meant) || of_users(meant))))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}

/// Text on one line of bounded length. What is no printable character is escaped.
pub(super) fn plain(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(&text[..text.len().min(4 * LONGEST)]).into_owned();
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == LONGEST {
            return out + "...";
        }
        // Marks that turn the direction of text around have no business in a report.
        let odd = c.is_control() || matches!(c, '\u{200e}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if odd { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_even_if_the_name_is_misspelt() {
        for text in [
            "requirepass s3cret",
            "requirepass \"s3cret",
            "requirepass\"s3cret\"",
            "'requirepass' s3cret",
            "\"\\x72equirepass\" s3cret",
            "\"\\x72equirepass s3cret",
            "REQUIREPASS s3cret",
            "requirpas s3cret",
            "masterauht s3cret",
            "primaryauth s3cret",
            "masterauth s3cret",
            "tls-key-file-pass s3cret",
            "tls-client-key-file-pass s3cret",
            "user bob on >s3cret ~* +@all",
            "usr bob on >s3cret",
            "role reader >s3cret",
            "my-token s3cret",
            "a.password s3cret",
            "sentinel auth-pass m s3cret",
            "rename-command CONFIG s3cret",
            "requirepasss3cret",
            "metrics-tokenS3cret.s3cret",
            "masterauths3cret x",
            "a.passwords3cret",
            "auth s3cret",
            "requirpasss3cretpass",
            "replauth s3cret",
        ] {
            let shown = line(text.as_bytes());
            assert!(!shown.contains("s3cret") && shown.ends_with(HIDDEN), "{text}: {shown}");
        }
        assert_eq!(line(b"port 6379"), "port 6379");
        assert_eq!(line(b"rename-command CONFIG \"\""), "rename-command CONFIG \"\"");
        assert_eq!(line(b"requirepass x"), "requirepass (hidden)");
        assert_eq!(line(b"requirpas x"), "requirpas (hidden)");
        assert_eq!(line(b"tls-auth-clients no"), "tls-auth-clients no");
    }

    #[test]
    fn what_is_shown_is_short_and_on_one_line() {
        let long = [b"maxmemory ".to_vec(), vec![b'9'; 1 << 20]].concat();
        assert!(line(&long).len() < 200);
        assert_eq!(plain(b"a\x1b[2J\n\0b"), "a\\u{1b}[2J\\n\\u{0}b");
        assert_eq!(plain("\u{202e}x".as_bytes()), "\\u{202e}x");
        assert!(plain(&vec![0xff; 5000]).chars().count() < 200);
    }
}
